//! What waits longest: the oldest submission that is stored and not processed yet, by account, form and profile.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::dsl::{min, sql};
use diesel::prelude::*;
use diesel::sql_types::Bool;

use super::schema::{form_submissions as submissions, profile_accounts};
use super::{AnyConn, StoreError};
use crate::domain::ids::FormId;

/// Identifier of a record → when its oldest waiting submission was made.
pub type Oldest = HashMap<String, DateTime<Utc>>;

/// Written as a constant, so that the partial indexes serve: what waits is little, however much is stored.
fn unprocessed() -> diesel::expression::SqlLiteral<Bool> {
    sql::<Bool>("form_submissions.processing_state = 'unprocessed'")
}

fn oldest(rows: Vec<(Option<String>, Option<NaiveDateTime>)>) -> Oldest {
    rows.into_iter()
        .filter_map(|(id, at)| Some((id?, at?.and_utc())))
        .collect()
}

/// Of each account that has any.
///
/// # Errors
/// As any query.
pub fn of_accounts(conn: &mut AnyConn) -> Result<Oldest, StoreError> {
    Ok(oldest(
        submissions::table
            .filter(unprocessed())
            .group_by(submissions::account_id)
            .select((
                submissions::account_id.nullable(),
                min(submissions::submitted_at),
            ))
            .load(conn)?,
    ))
}

/// Of each of these forms that has any.
///
/// # Errors
/// As any query.
pub fn of_forms(conn: &mut AnyConn, ids: &[&FormId]) -> Result<Oldest, StoreError> {
    let ids: Vec<&str> = ids.iter().map(|id| id.as_str()).collect();
    Ok(oldest(
        submissions::table
            .filter(unprocessed())
            .filter(submissions::form_id.eq_any(ids))
            .group_by(submissions::form_id)
            .select((submissions::form_id, min(submissions::submitted_at)))
            .load(conn)?,
    ))
}

/// Of each profile, through the accounts that it sees; `accounts` is what [`of_accounts`] gave.
///
/// # Errors
/// As any query.
pub fn of_profiles(conn: &mut AnyConn, accounts: &Oldest) -> Result<Oldest, StoreError> {
    let mut profiles = Oldest::new();
    if accounts.is_empty() {
        return Ok(profiles);
    }
    let ids: Vec<&str> = accounts.keys().map(String::as_str).collect();
    let seen: Vec<(String, String)> = profile_accounts::table
        .filter(profile_accounts::account_id.eq_any(ids))
        .select((profile_accounts::profile_id, profile_accounts::account_id))
        .load(conn)?;
    for (profile, account) in seen {
        if let Some(at) = accounts.get(&account) {
            profiles
                .entry(profile)
                .and_modify(|oldest| *oldest = (*oldest).min(*at))
                .or_insert(*at);
        }
    }
    Ok(profiles)
}
