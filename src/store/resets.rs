//! Resets of the synchronization: when somebody asked for one, and how far it is.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use diesel::prelude::*;
use uuid::Uuid;

use super::schema::{
    account_pauses, account_streams, linkedin_accounts as accounts,
    synchronization_resets as resets,
};
use super::{AnyConn, StoreError, database_now};
use crate::domain::sync::RunTrigger;

/// A reset that has not ended after this is no longer spoken of: what keeps it says so itself by then.
const SPOKEN_OF: TimeDelta = TimeDelta::days(7);

/// How far the latest reset is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResetProgress {
    /// When it was asked for, by the database's clock.
    pub requested_at: DateTime<Utc>,
    /// Who asked.
    pub requested_by: String,
    /// Accounts that are to be read again: those with sync enabled now.
    pub accounts: i64,
    /// Those of them that have been read again to the end.
    pub read: i64,
    /// Those of them that wait because they are paused.
    pub paused: i64,
    /// Those of them that could not be read at the last try.
    pub failing: i64,
}

/// Notes that a reset began; in the transaction that does it.
///
/// # Errors
/// As any query.
pub fn insert(conn: &mut AnyConn, by: &str, accounts: i64) -> Result<(), StoreError> {
    let at = database_now(conn)?.naive_utc();
    diesel::insert_into(resets::table)
        .values((
            resets::id.eq(Uuid::now_v7().to_string()),
            resets::requested_at.eq(at),
            resets::requested_by_name.eq(by),
            resets::accounts.eq(accounts),
        ))
        .execute(conn)?;
    Ok(())
}

/// How far the latest reset is; `None` when there was none or every account has been read again.
///
/// # Errors
/// As any query.
pub fn progress(conn: &mut AnyConn) -> Result<Option<ResetProgress>, StoreError> {
    let latest: Option<(NaiveDateTime, String)> = resets::table
        .order((resets::requested_at.desc(), resets::id.desc()))
        .select((resets::requested_at, resets::requested_by_name))
        .first(conn)
        .optional()?;
    let Some((at, requested_by)) = latest else {
        return Ok(None);
    };
    if database_now(conn)? - at.and_utc() > SPOKEN_OF {
        return Ok(None);
    }
    let enabled = accounts::table.filter(accounts::is_sync_enabled.eq(true));
    let accounts_now: i64 = enabled.count().get_result(conn)?;
    // A run that ran out of its time has given the account back with a window still open.
    let unfinished = account_streams::table
        .filter(account_streams::window_start_at.is_not_null())
        .select(account_streams::account_id);
    let left: Vec<(String, Option<String>)> = enabled
        .filter(
            accounts::last_synchronized_at
                .is_null()
                .or(accounts::last_synchronized_at.lt(at))
                .assume_not_null()
                .or(accounts::requested_trigger
                    .eq(RunTrigger::Reset.as_str())
                    .assume_not_null())
                .or(accounts::id.eq_any(unfinished)),
        )
        .select((accounts::id, accounts::failure_reason))
        .load(conn)?;
    if left.is_empty() {
        return Ok(None);
    }
    let paused: Vec<String> = account_pauses::table
        .select(account_pauses::account_id)
        .load(conn)?;
    let count = |many: usize| i64::try_from(many).unwrap_or(i64::MAX);
    let is_paused = |id: &String| paused.contains(id);
    Ok(Some(ResetProgress {
        requested_at: at.and_utc(),
        requested_by,
        accounts: accounts_now,
        read: accounts_now - count(left.len()),
        paused: count(left.iter().filter(|(id, _)| is_paused(id)).count()),
        failing: count(
            left.iter()
                .filter(|(id, failure)| failure.is_some() && !is_paused(id))
                .count(),
        ),
    }))
}
