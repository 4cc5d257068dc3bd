//! What LinkedIn says there is: accounts with the roles of a profile, forms with their versions, campaigns, creatives.
//! Written by the sync only, a whole list at a time.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;
use diesel::upsert::excluded;
use uuid::Uuid;

use super::columns::Cells;
use super::schema::{
    campaigns, creatives, lead_form_versions, lead_forms, linkedin_accounts,
    linkedin_user_profiles, profile_accounts,
};
use super::{AnyConn, StoreError, database_now};
use crate::domain::account::{CampaignSyncStatus, FormSyncStatus, OwnerType};
use crate::domain::form::{FormStatus, FormVersion};
use crate::domain::ids::{AccountId, CampaignId, FormId, FormVersionId, ProfileId};
use crate::domain::profile::ProfileSyncStatus;
use crate::each;

const CHUNK: usize = 1_000;

fn new_id() -> String {
    Uuid::now_v7().hyphenated().to_string()
}

/// An account as a profile sees it.
#[derive(Debug, Clone)]
pub struct SeenAccount {
    /// Ad account or page.
    pub owner_type: OwnerType,
    /// LinkedIn's id.
    pub linkedin_id: i64,
    /// Name at LinkedIn.
    pub name: String,
    /// ISO 4217, ad accounts only.
    pub currency: Option<String>,
    /// LinkedIn's own state.
    pub linkedin_status: Option<String>,
    /// Made for tests at LinkedIn.
    pub is_test: bool,
    /// The page whose roles decide about its leads.
    pub page: Option<(i64, Option<String>)>,
    /// The member's role on the ad account.
    pub account_role: Option<String>,
    /// The member's roles on the page.
    pub page_roles: Vec<String>,
}

/// Stores the accounts that a profile sees. New ones start enabled and due at once; ones that the profile no longer
/// sees lose only the link to it. Returns how many are linked.
///
/// # Errors
/// As any query.
pub fn save_accounts(
    conn: &mut AnyConn,
    profile: &ProfileId,
    seen: &[SeenAccount],
    now: DateTime<Utc>,
) -> Result<usize, StoreError> {
    use linkedin_accounts as a;
    use profile_accounts as l;
    let at = now.naive_utc();
    let due = database_now(conn)?.naive_utc();
    let mut ids: HashMap<(String, i64), String> = a::table
        .select((a::owner_type, a::linkedin_id, a::id))
        .load::<(String, i64, String)>(conn)?
        .into_iter()
        .map(|(kind, linkedin_id, id)| ((kind, linkedin_id), id))
        .collect();
    let mut linked = HashSet::new();
    for account in seen {
        let key = (account.owner_type.as_str().to_owned(), account.linkedin_id);
        let facts = (
            a::name.eq(&account.name),
            a::currency.eq(account.currency.as_deref()),
            a::linkedin_status.eq(account.linkedin_status.as_deref()),
            a::is_test.eq(account.is_test),
            a::page_linkedin_id.eq(account.page.as_ref().map(|(id, _)| *id)),
            a::page_name.eq(account.page.as_ref().and_then(|(_, name)| name.as_deref())),
            a::updated_at.eq(at),
        );
        let id = if let Some(id) = ids.get(&key) {
            diesel::update(a::table.filter(a::id.eq(id)))
                .set(facts)
                .execute(conn)?;
            id.clone()
        } else {
            let id = new_id();
            diesel::insert_into(a::table)
                .values((
                    facts,
                    a::id.eq(&id),
                    a::owner_type.eq(account.owner_type.as_str()),
                    a::linkedin_id.eq(account.linkedin_id),
                    a::is_sync_enabled.eq(true),
                    a::form_sync_status.eq(FormSyncStatus::PendingSynchronization.as_str()),
                    a::campaign_sync_status.eq(CampaignSyncStatus::Pending.as_str()),
                    a::next_sync_at.eq(due),
                    (
                        a::lease_term.eq(0),
                        a::failure_streak.eq(0),
                        a::created_at.eq(at),
                        a::lock_version.eq(0),
                    ),
                ))
                .execute(conn)?;
            ids.insert(key, id.clone());
            id
        };
        let link = (
            l::account_role.eq(account.account_role.as_deref()),
            l::page_roles.eq(account.page_roles.join(",")),
            l::last_seen_at.eq(at),
        );
        each!(conn, |c| diesel::insert_into(l::table)
            .values((
                l::profile_id.eq(profile.as_str()),
                l::account_id.eq(&id),
                link.clone()
            ))
            .on_conflict((l::profile_id, l::account_id))
            .do_update()
            .set(link)
            .execute(c))?;
        linked.insert(id);
    }
    let stale: Vec<String> = l::table
        .filter(l::profile_id.eq(profile.as_str()))
        .select(l::account_id)
        .load::<String>(conn)?
        .into_iter()
        .filter(|id| !linked.contains(id))
        .collect();
    if !stale.is_empty() {
        diesel::delete(
            l::table
                .filter(l::profile_id.eq(profile.as_str()))
                .filter(l::account_id.eq_any(&stale)),
        )
        .execute(conn)?;
        // Accounts that no other profile sees either are not synced any more.
        let seen_by_others = l::table.select(l::account_id);
        diesel::update(
            a::table
                .filter(a::id.eq_any(&stale))
                .filter(a::id.ne_all(seen_by_others)),
        )
        .set((
            a::form_sync_status.eq(FormSyncStatus::NotSyncing.as_str()),
            a::updated_at.eq(at),
        ))
        .execute(conn)?;
    }
    // Accounts that were unreadable and can be read again are pending, and due.
    diesel::update(
        a::table
            .filter(a::id.eq_any(&linked))
            .filter(a::is_sync_enabled.eq(true))
            .filter(a::form_sync_status.eq(FormSyncStatus::NotSyncing.as_str())),
    )
    .set((
        a::form_sync_status.eq(FormSyncStatus::PendingSynchronization.as_str()),
        a::next_sync_at.eq(due),
    ))
    .execute(conn)?;
    let status = if linked.is_empty() {
        ProfileSyncStatus::NoAccountsAvailable
    } else {
        ProfileSyncStatus::Active
    };
    diesel::update(
        linkedin_user_profiles::table.filter(linkedin_user_profiles::id.eq(profile.as_str())),
    )
    .set((
        linkedin_user_profiles::sync_status.eq(status.as_str()),
        linkedin_user_profiles::updated_at.eq(at),
    ))
    .execute(conn)?;
    Ok(linked.len())
}

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
            form_id: super::columns::id("lead_forms", &id)?,
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
        .map(|(form, id)| Ok((form, super::columns::id("lead_forms", &id)?)))
        .collect()
}

/// A campaign as LinkedIn lists it.
#[derive(Debug, Clone)]
pub struct SeenCampaign {
    /// LinkedIn's id.
    pub linkedin_id: i64,
    /// Name at LinkedIn.
    pub name: String,
    /// Its group.
    pub group: Option<(i64, Option<String>)>,
    /// LinkedIn's type.
    pub campaign_type: Option<String>,
    /// LinkedIn's state.
    pub linkedin_status: Option<String>,
    /// LinkedIn's objective.
    pub objective: Option<String>,
    /// When it runs.
    pub schedule: (Option<DateTime<Utc>>, Option<DateTime<Utc>>),
}

#[derive(Insertable)]
#[diesel(table_name = campaigns, treat_none_as_default_value = false)]
struct CampaignRow<'a> {
    id: String,
    account_id: &'a str,
    linkedin_id: i64,
    campaign_group_linkedin_id: Option<i64>,
    campaign_group_name: Option<&'a str>,
    name: &'a str,
    campaign_type: Option<&'a str>,
    linkedin_status: Option<&'a str>,
    objective: Option<&'a str>,
    starts_at: Option<NaiveDateTime>,
    ends_at: Option<NaiveDateTime>,
    created_at: NaiveDateTime,
    updated_at: NaiveDateTime,
}

/// Stores the campaigns of an account, and joins submissions that came before their campaign was known.
///
/// # Errors
/// As any query.
pub fn save_campaigns(
    conn: &mut AnyConn,
    account: &AccountId,
    seen: &[SeenCampaign],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    use super::schema::form_submissions as s;
    use campaigns as k;
    let at = now.naive_utc();
    for chunk in seen.chunks(CHUNK) {
        let rows: Vec<CampaignRow<'_>> = chunk
            .iter()
            .map(|campaign| CampaignRow {
                id: new_id(),
                account_id: account.as_str(),
                linkedin_id: campaign.linkedin_id,
                campaign_group_linkedin_id: campaign.group.as_ref().map(|(id, _)| *id),
                campaign_group_name: campaign
                    .group
                    .as_ref()
                    .and_then(|(_, name)| name.as_deref()),
                name: &campaign.name,
                campaign_type: campaign.campaign_type.as_deref(),
                linkedin_status: campaign.linkedin_status.as_deref(),
                objective: campaign.objective.as_deref(),
                starts_at: campaign.schedule.0.map(|at| at.naive_utc()),
                ends_at: campaign.schedule.1.map(|at| at.naive_utc()),
                created_at: at,
                updated_at: at,
            })
            .collect();
        each!(conn, |c| diesel::insert_into(k::table)
            .values(&rows)
            .on_conflict(k::linkedin_id)
            .do_update()
            .set((
                k::campaign_group_linkedin_id.eq(excluded(k::campaign_group_linkedin_id)),
                k::campaign_group_name.eq(excluded(k::campaign_group_name)),
                k::name.eq(excluded(k::name)),
                k::campaign_type.eq(excluded(k::campaign_type)),
                k::linkedin_status.eq(excluded(k::linkedin_status)),
                k::objective.eq(excluded(k::objective)),
                k::starts_at.eq(excluded(k::starts_at)),
                k::ends_at.eq(excluded(k::ends_at)),
                k::updated_at.eq(excluded(k::updated_at)),
            ))
            .execute(c))?;
    }
    let unjoined: Vec<i64> = s::table
        .filter(s::account_id.eq(account.as_str()))
        .filter(s::campaign_id.is_null())
        .filter(s::campaign_linkedin_id.is_not_null())
        .select(s::campaign_linkedin_id.assume_not_null())
        .distinct()
        .load(conn)?;
    for (linkedin_id, id) in campaign_ids(conn, &unjoined)? {
        diesel::update(
            s::table
                .filter(s::account_id.eq(account.as_str()))
                .filter(s::campaign_id.is_null())
                .filter(s::campaign_linkedin_id.eq(linkedin_id)),
        )
        .set(s::campaign_id.eq(id.0.as_str()))
        .execute(conn)?;
    }
    Ok(())
}

/// Our ids and the names of these campaigns of LinkedIn's.
///
/// # Errors
/// As any query.
pub fn campaign_ids(
    conn: &mut AnyConn,
    wanted: &[i64],
) -> Result<HashMap<i64, (CampaignId, String)>, StoreError> {
    let rows: Vec<(i64, String, String)> = campaigns::table
        .filter(campaigns::linkedin_id.eq_any(wanted))
        .select((campaigns::linkedin_id, campaigns::id, campaigns::name))
        .load(conn)?;
    rows.into_iter()
        .map(|(linkedin_id, id, name)| {
            Ok((linkedin_id, (super::columns::id("campaigns", &id)?, name)))
        })
        .collect()
}

/// A creative as LinkedIn lists it.
#[derive(Debug, Clone)]
pub struct SeenCreative {
    /// LinkedIn's id.
    pub linkedin_id: i64,
    /// Its campaign.
    pub campaign_linkedin_id: Option<i64>,
    /// Name at LinkedIn; often none.
    pub name: Option<String>,
    /// LinkedIn's intended status.
    pub intended_status: Option<String>,
}

#[derive(Insertable)]
#[diesel(table_name = creatives, treat_none_as_default_value = false)]
struct CreativeRow<'a> {
    id: String,
    account_id: &'a str,
    linkedin_id: i64,
    campaign_linkedin_id: Option<i64>,
    name: Option<&'a str>,
    intended_status: Option<&'a str>,
    created_at: NaiveDateTime,
    updated_at: NaiveDateTime,
}

/// Stores the creatives of an account.
///
/// # Errors
/// As any query.
pub fn save_creatives(
    conn: &mut AnyConn,
    account: &AccountId,
    seen: &[SeenCreative],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    use creatives as k;
    let at = now.naive_utc();
    for chunk in seen.chunks(CHUNK) {
        let rows: Vec<CreativeRow<'_>> = chunk
            .iter()
            .map(|creative| CreativeRow {
                id: new_id(),
                account_id: account.as_str(),
                linkedin_id: creative.linkedin_id,
                campaign_linkedin_id: creative.campaign_linkedin_id,
                name: creative.name.as_deref(),
                intended_status: creative.intended_status.as_deref(),
                created_at: at,
                updated_at: at,
            })
            .collect();
        each!(conn, |c| diesel::insert_into(k::table)
            .values(&rows)
            .on_conflict(k::linkedin_id)
            .do_update()
            .set((
                k::campaign_linkedin_id.eq(excluded(k::campaign_linkedin_id)),
                k::name.eq(excluded(k::name)),
                k::intended_status.eq(excluded(k::intended_status)),
                k::updated_at.eq(excluded(k::updated_at)),
            ))
            .execute(c))?;
    }
    Ok(())
}

/// What the sync of an account found out about its state.
#[derive(Debug, Clone, Copy, Default)]
pub struct AccountStates {
    /// State of its forms.
    pub form: Option<FormSyncStatus>,
    /// State of its campaigns.
    pub campaign: Option<CampaignSyncStatus>,
}

/// Stores the states; each state that is told also tells when.
///
/// # Errors
/// As any query.
pub fn save_account_states(
    conn: &mut AnyConn,
    account: &AccountId,
    states: AccountStates,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    use linkedin_accounts as a;
    let at = now.naive_utc();
    if let Some(form) = states.form {
        diesel::update(a::table.filter(a::id.eq(account.as_str())))
            .set((
                a::form_sync_status.eq(form.as_str()),
                a::last_form_sync_at.eq(at),
            ))
            .execute(conn)?;
    }
    if let Some(campaign) = states.campaign {
        diesel::update(a::table.filter(a::id.eq(account.as_str())))
            .set((
                a::campaign_sync_status.eq(campaign.as_str()),
                a::last_campaign_sync_at.eq(at),
            ))
            .execute(conn)?;
    }
    Ok(())
}

/// Says of each form of an account whether it has submissions.
///
/// # Errors
/// As any query.
pub fn save_form_states(conn: &mut AnyConn, account: &AccountId) -> Result<(), StoreError> {
    use super::schema::form_submissions as s;
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
