//! What the inbox of unmapped questions needs: the current version of every form, and the questions that were dismissed.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::columns::Cells;
use super::schema::{dismissed_questions, lead_form_versions, lead_forms, linkedin_accounts};
use super::{AnyConn, StoreError};
use crate::domain::form::FormVersion;
use crate::domain::ids::{FormId, UserId};

/// At most this many forms are looked at.
const MOST_FORMS: i64 = 1_000;

/// A form as it is asked now.
#[derive(Debug, Clone)]
pub struct CurrentForm {
    /// Its identifier.
    pub id: FormId,
    /// Its name at LinkedIn.
    pub name: String,
    /// The account it belongs to.
    pub account_name: String,
    /// Its newest version.
    pub version: FormVersion,
}

/// The current versions of these forms, or of all, by the form's name.
///
/// # Errors
/// As any query; `Corrupt` when the content of one cannot be read.
pub fn current_forms(
    conn: &mut AnyConn,
    ids: Option<&[&FormId]>,
) -> Result<Vec<CurrentForm>, StoreError> {
    let mut query = lead_form_versions::table
        .inner_join(lead_forms::table.inner_join(linkedin_accounts::table))
        .filter(
            lead_form_versions::version_number
                .nullable()
                .eq(lead_forms::current_version_number),
        )
        .select((
            lead_forms::id,
            lead_forms::name,
            linkedin_accounts::name,
            lead_form_versions::id,
            lead_form_versions::content,
        ))
        .order((lead_forms::name.asc(), lead_forms::id.asc()))
        .limit(MOST_FORMS)
        .into_boxed();
    if let Some(ids) = ids {
        query = query.filter(lead_forms::id.eq_any(ids.iter().map(|id| id.as_str())));
    }
    let rows: Vec<(String, String, String, String, String)> = query.load(conn)?;
    rows.into_iter()
        .map(|(id, name, account_name, version, content)| {
            let version = Cells {
                table: "lead_form_versions",
                id: &version,
            }
            .json("content", &content)?;
            Ok(CurrentForm {
                id: super::columns::id("lead_forms", &id)?,
                name,
                account_name,
                version,
            })
        })
        .collect()
}

/// The questions that were dismissed: form and LinkedIn's question id.
///
/// # Errors
/// As any query.
pub fn dismissed(conn: &mut AnyConn) -> Result<BTreeSet<(FormId, i64)>, StoreError> {
    let rows: Vec<(String, i64)> = dismissed_questions::table
        .select((
            dismissed_questions::form_id,
            dismissed_questions::question_id,
        ))
        .load(conn)?;
    rows.into_iter()
        .map(|(form, question)| Ok((super::columns::id("lead_forms", &form)?, question)))
        .collect()
}

/// Leaves a question out of the inbox. Answers whether that is new.
///
/// # Errors
/// As any query.
pub fn dismiss(
    conn: &mut AnyConn,
    form: &FormId,
    question: i64,
    by: Option<&UserId>,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    super::lock_rules(conn)?;
    if dismissed(conn)?.contains(&(form.clone(), question)) {
        return Ok(false);
    }
    diesel::insert_into(dismissed_questions::table)
        .values((
            dismissed_questions::form_id.eq(form.as_str()),
            dismissed_questions::question_id.eq(question),
            dismissed_questions::dismissed_by.eq(by.map(UserId::as_str)),
            dismissed_questions::dismissed_at.eq(now.naive_utc()),
        ))
        .execute(conn)?;
    Ok(true)
}

/// Brings a dismissed question back. Answers whether it was dismissed.
///
/// # Errors
/// As any query.
pub fn restore(conn: &mut AnyConn, form: &FormId, question: i64) -> Result<bool, StoreError> {
    let rows = diesel::delete(
        dismissed_questions::table
            .filter(dismissed_questions::form_id.eq(form.as_str()))
            .filter(dismissed_questions::question_id.eq(question)),
    )
    .execute(conn)?;
    Ok(rows > 0)
}
