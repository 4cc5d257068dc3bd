//! Forms as LinkedIn lists them, with their versions: a version never changes, because answers were given to it.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use uuid::Uuid;

use super::new_id;
use crate::domain::form::{FormStatus, FormVersion};
use crate::domain::ids::{AccountId, FormId, FormVersionId};
use crate::store::columns::{self, Cells};
use crate::store::schema::{lead_form_versions, lead_forms};
use crate::store::{AnyConn, StoreError};

/// A form as LinkedIn lists it, with the version it is in.
#[derive(Debug, Clone)]
pub struct SeenForm {
    /// LinkedIn's id.
    pub linkedin_id: i64,
    /// Name at LinkedIn.
    pub name: String,
    /// LinkedIn's own state.
    pub linkedin_state: Option<String>,
    /// Language and country in which it was made.
    pub locale: Option<(String, String)>,
    /// When it was made and changed at LinkedIn.
    pub linkedin_times: (Option<DateTime<Utc>>, Option<DateTime<Utc>>),
    /// The version number and what it holds; the ids in `content` are set here.
    pub version: Option<(i64, FormVersion, Vec<u8>)>,
    /// Whether this is the list's current version (not one that an old response was answered with).
    pub is_current: bool,
}

/// Stores forms and versions; a version that is known stays as it is, because answers were given to it. Returns
/// which versions are new, as pairs of LinkedIn's form and version.
///
/// # Errors
/// As any query.
pub fn save_forms(
    conn: &mut AnyConn,
    account: &AccountId,
    seen: &[SeenForm],
    now: DateTime<Utc>,
) -> Result<Vec<(i64, i64)>, StoreError> {
    use lead_form_versions as v;
    use lead_forms as f;
    let at = now.naive_utc();
    let known: HashMap<i64, String> = f::table
        .filter(f::linkedin_id.eq_any(seen.iter().map(|form| form.linkedin_id)))
        .select((f::linkedin_id, f::id))
        .load::<(i64, String)>(conn)?
        .into_iter()
        .collect();
    let known_versions: HashSet<(String, i64)> = v::table
        .filter(v::form_id.eq_any(known.values()))
        .select((v::form_id, v::version_number))
        .load::<(String, i64)>(conn)?
        .into_iter()
        .collect();
    let mut new_versions = Vec::new();
    for form in seen {
        let facts = (
            f::name.eq(&form.name),
            f::linkedin_state.eq(form.linkedin_state.as_deref()),
            f::language.eq(form.locale.as_ref().map(|(language, _)| language.as_str())),
            f::country.eq(form.locale.as_ref().map(|(_, country)| country.as_str())),
            f::linkedin_created_at.eq(form.linkedin_times.0.map(|at| at.naive_utc())),
            f::linkedin_modified_at.eq(form.linkedin_times.1.map(|at| at.naive_utc())),
            f::current_version_number.eq(form.version.as_ref().map(|(number, _, _)| *number)),
            f::last_synchronized_at.eq(at),
            f::updated_at.eq(at),
        );
        let id = match known.get(&form.linkedin_id) {
            Some(id) => {
                if form.is_current {
                    diesel::update(f::table.filter(f::id.eq(id)))
                        .set(facts)
                        .execute(conn)?;
                }
                id.clone()
            }
            None => {
                let id = new_id();
                diesel::insert_into(f::table)
                    .values((
                        facts,
                        f::id.eq(&id),
                        f::account_id.eq(account.as_str()),
                        f::linkedin_id.eq(form.linkedin_id),
                        f::sync_status.eq(FormStatus::Pending.as_str()),
                        f::created_at.eq(at),
                    ))
                    .execute(conn)?;
                id
            }
        };
        let Some((number, content, raw)) = &form.version else {
            continue;
        };
        if known_versions.contains(&(id.clone(), *number)) {
            continue;
        }
        let version_id = FormVersionId::new(Uuid::now_v7());
        let content = FormVersion {
            id: version_id.clone(),
            form_id: columns::id("lead_forms", &id)?,
            number: *number,
            ..content.clone()
        };
        let text = serde_json::to_string(&content).map_err(|_| StoreError::Corrupt {
            table: "lead_form_versions",
            column: "content",
            id: version_id.as_str().to_owned(),
        })?;
        diesel::insert_into(v::table)
            .values((
                v::id.eq(version_id.as_str()),
                v::form_id.eq(&id),
                v::version_number.eq(*number),
                v::content.eq(&text),
                v::raw.eq(raw),
                v::created_at.eq(at),
            ))
            .execute(conn)?;
        new_versions.push((form.linkedin_id, *number));
    }
    Ok(new_versions)
}

/// Which versions of these forms of LinkedIn's are known, as pairs of form and version.
///
/// # Errors
/// As any query.
pub fn known_versions(
    conn: &mut AnyConn,
    forms: &[i64],
) -> Result<HashSet<(i64, i64)>, StoreError> {
    let known: Vec<(i64, i64)> = lead_form_versions::table
        .inner_join(lead_forms::table)
        .filter(lead_forms::linkedin_id.eq_any(forms))
        .select((lead_forms::linkedin_id, lead_form_versions::version_number))
        .load(conn)?;
    Ok(known.into_iter().collect())
}

/// The versions of these forms of LinkedIn's, parsed, with the form's name.
///
/// # Errors
/// As any query; `Corrupt` when the content cannot be read.
pub fn versions(
    conn: &mut AnyConn,
    forms: &[i64],
) -> Result<HashMap<(i64, i64), FormVersion>, StoreError> {
    let rows: Vec<(i64, i64, String, String)> = lead_form_versions::table
        .inner_join(lead_forms::table)
        .filter(lead_forms::linkedin_id.eq_any(forms))
        .select((
            lead_forms::linkedin_id,
            lead_form_versions::version_number,
            lead_form_versions::id,
            lead_form_versions::content,
        ))
        .load(conn)?;
    rows.into_iter()
        .map(|(form, number, id, content)| {
            let cells = Cells {
                table: "lead_form_versions",
                id: &id,
            };
            Ok(((form, number), cells.json("content", &content)?))
        })
        .collect()
}

/// Our ids of these forms of LinkedIn's.
///
/// # Errors
/// As any query.
pub fn form_ids(conn: &mut AnyConn, forms: &[i64]) -> Result<HashMap<i64, FormId>, StoreError> {
    let rows: Vec<(i64, String)> = lead_forms::table
        .filter(lead_forms::linkedin_id.eq_any(forms))
        .select((lead_forms::linkedin_id, lead_forms::id))
        .load(conn)?;
    rows.into_iter()
        .map(|(form, id)| Ok((form, columns::id("lead_forms", &id)?)))
        .collect()
}

/// Says of each form of an account whether it has submissions.
///
/// # Errors
/// As any query.
pub fn save_form_states(conn: &mut AnyConn, account: &AccountId) -> Result<(), StoreError> {
    use crate::store::schema::form_submissions as s;
    use lead_forms as f;
    let answered = diesel::dsl::exists(s::table.filter(s::form_id.eq(f::id.nullable())));
    diesel::update(
        f::table
            .filter(f::account_id.eq(account.as_str()))
            .filter(f::sync_status.ne(FormStatus::Active.as_str()))
            .filter(answered),
    )
    .set(f::sync_status.eq(FormStatus::Active.as_str()))
    .execute(conn)?;
    diesel::update(
        f::table
            .filter(f::account_id.eq(account.as_str()))
            .filter(f::sync_status.eq(FormStatus::Pending.as_str())),
    )
    .set(f::sync_status.eq(FormStatus::NoFormSubmissions.as_str()))
    .execute(conn)?;
    Ok(())
}
