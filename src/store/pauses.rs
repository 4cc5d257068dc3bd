//! Pauses of accounts: a paused account is not claimed, whatever else says that it is due.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use diesel::prelude::*;

use super::audit::Actor;
use super::schema::{account_pauses as pauses, linkedin_accounts as accounts, sync_runs as runs};
use super::{AnyConn, StoreError, database_now};
use crate::domain::ids::{AccountId, UserId};
use crate::domain::sync::{FailureReason, RunStatus};
use crate::each;

/// LinkedIn keeps some kinds of submissions no longer than this (linkedin-api.md §5.5), so nobody should count on more.
const KEPT_AT_LINKEDIN: TimeDelta = TimeDelta::days(90);

/// Since when nothing of an account is read because somebody paused it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// When.
    pub since: DateTime<Utc>,
    /// The name of the person who did it, at that time.
    pub by: String,
    /// What the person wrote; may be empty.
    pub reason: String,
}

impl Pause {
    /// When LinkedIn begins to delete submissions that were made during the pause.
    #[must_use]
    pub fn loses_from(&self) -> DateTime<Utc> {
        self.since + KEPT_AT_LINKEDIN
    }
}

pub(super) type PauseRow = (NaiveDateTime, String, String);

impl From<PauseRow> for Pause {
    fn from((since, by, reason): PauseRow) -> Self {
        Self {
            since: since.and_utc(),
            by,
            reason,
        }
    }
}

/// The pause of an account, if it is paused.
///
/// # Errors
/// As any query.
pub fn find(conn: &mut AnyConn, id: &AccountId) -> Result<Option<Pause>, StoreError> {
    Ok(pauses::table
        .find(id.as_str())
        .select((pauses::paused_at, pauses::paused_by_name, pauses::reason))
        .first::<PauseRow>(conn)
        .optional()?
        .map(Pause::from))
}

/// Pauses an account at once: it is not claimed any more, and a run at work loses its lease, so that it stops at its next
/// page and stores nothing after it.
///
/// # Errors
/// `NotFound` when there is no such account, `Rule` when it is paused already.
pub fn insert(
    conn: &mut AnyConn,
    id: &AccountId,
    actor: &Actor,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    // Always another term: a claim that has chosen this account a moment ago then finds that it changed.
    let found = diesel::update(accounts::table.filter(accounts::id.eq(id.as_str())))
        .set((
            accounts::lease_owner.eq(None::<String>),
            accounts::lease_expires_at.eq(None::<NaiveDateTime>),
            accounts::lease_term.eq(accounts::lease_term + 1),
        ))
        .execute(conn)?;
    if found == 0 {
        return Err(StoreError::NotFound("LinkedIn account"));
    }
    let by = actor.user_id.as_ref().map(UserId::as_str);
    let inserted = each!(conn, |c| diesel::insert_into(pauses::table)
        .values((
            pauses::account_id.eq(id.as_str()),
            pauses::paused_at.eq(now.naive_utc()),
            pauses::paused_by.eq(by),
            pauses::paused_by_name.eq(&actor.name),
            pauses::reason.eq(reason),
        ))
        .on_conflict(pauses::account_id)
        .do_nothing()
        .execute(c))?;
    if inserted == 0 {
        return Err(StoreError::Rule("This account is paused already.".into()));
    }
    let at = database_now(conn)?.naive_utc();
    diesel::update(
        runs::table
            .filter(runs::account_id.eq(id.as_str()))
            .filter(runs::status.eq(RunStatus::Running.as_str())),
    )
    .set((
        runs::status.eq(RunStatus::Abandoned.as_str()),
        runs::finished_at.eq(at),
        runs::failure_reason.eq(FailureReason::Paused.as_str()),
    ))
    .execute(conn)?;
    Ok(())
}

/// Ends a pause; the account is due now.
///
/// # Errors
/// `Rule` when it is not paused.
pub fn delete(conn: &mut AnyConn, id: &AccountId) -> Result<(), StoreError> {
    if diesel::delete(pauses::table.find(id.as_str())).execute(conn)? == 0 {
        return Err(StoreError::Rule("This account is not paused.".into()));
    }
    let due = database_now(conn)?.naive_utc();
    diesel::update(accounts::table.filter(accounts::id.eq(id.as_str())))
        .set(accounts::next_sync_at.eq(due))
        .execute(conn)?;
    Ok(())
}
