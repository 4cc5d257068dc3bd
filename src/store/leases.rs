//! Claims on the records that are synced: one conditional update makes one winner, and every write of the winner checks
//! that its term still stands. Lease time and what is due are judged by the database's clock.

use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use diesel::prelude::*;

use super::schema::{
    account_pauses, active_consents, linkedin_accounts, linkedin_tokens, linkedin_user_profiles,
    profile_accounts, sync_runs,
};
use super::{AnyConn, StoreError, database_now};
use crate::domain::ids::{AccountId, ProfileId, RunId};
use crate::domain::profile::Authorization;
use crate::domain::sync::{RunKind, RunStatus, RunTrigger};

/// What a lease is on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leased {
    /// A profile: discovering its accounts.
    Profile(ProfileId),
    /// An account: pulling its forms, campaigns and responses.
    Account(AccountId),
}

/// The right to work on one record until it runs out; a later claim has a higher term.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The record.
    pub on: Leased,
    /// Counts the claims of this record.
    pub term: i64,
    /// The process that holds it.
    pub owner: String,
    /// How long it holds without being extended.
    pub length: Duration,
    /// The run that this claim began.
    pub run_id: RunId,
    /// What made it due.
    pub trigger: RunTrigger,
}

/// Limits a claim to some records.
#[derive(Debug, Clone, Default)]
pub struct ClaimFilter {
    /// Only this profile and its accounts.
    pub profile: Option<ProfileId>,
}

/// Between two pulls of an account while LinkedIn announces one lead after the other.
const NOTIFIED_PAUSE: Duration = Duration::from_secs(2);

fn lease_end(now: DateTime<Utc>, length: Duration) -> NaiveDateTime {
    (now + TimeDelta::from_std(length).unwrap_or(TimeDelta::MAX)).naive_utc()
}

/// Claims the profile that has been due longest among those whose person's consent holds, and begins its run; `None` when none is due.
///
/// # Errors
/// As any query.
pub fn claim_profile(
    conn: &mut AnyConn,
    owner: &str,
    length: Duration,
    run_id: &RunId,
    filter: &ClaimFilter,
) -> Result<Option<Lease>, StoreError> {
    use linkedin_user_profiles as p;
    // Several tries: on PostgreSQL another claimer may take the candidate between the two statements.
    for _ in 0..5 {
        let now = database_now(conn)?;
        let at = now.naive_utc();
        let mut due = p::table
            .filter(p::authorization_status.eq(Authorization::Authorized.as_str()))
            .filter(
                p::authorized_by
                    .eq_any(active_consents::table.select(active_consents::user_id.nullable())),
            )
            .filter(p::next_sync_at.le(at))
            .filter(p::lease_expires_at.is_null().or(p::lease_expires_at.le(at)))
            .into_boxed();
        if let Some(profile) = &filter.profile {
            due = due.filter(p::id.eq(profile.as_str().to_owned()));
        }
        let candidate: Option<(String, i64)> = due
            .order((p::next_sync_at.asc(), p::id.asc()))
            .select((p::id, p::lease_term))
            .first(conn)
            .optional()?;
        let Some((id, term)) = candidate else {
            return Ok(None);
        };
        let won = diesel::update(
            p::table
                .filter(p::id.eq(&id))
                .filter(p::lease_term.eq(term))
                .filter(p::lease_expires_at.is_null().or(p::lease_expires_at.le(at))),
        )
        .set((
            p::lease_owner.eq(owner),
            p::lease_term.eq(term + 1),
            p::lease_expires_at.eq(lease_end(now, length)),
        ))
        .execute(conn)?;
        if won == 1 {
            let profile: ProfileId = super::columns::id("linkedin_user_profiles", &id)?;
            abandon_runs(conn, at, sync_runs::profile_id.eq(profile.as_str()))?;
            let lease = Lease {
                on: Leased::Profile(profile),
                term: term + 1,
                owner: owner.to_owned(),
                length,
                run_id: run_id.clone(),
                trigger: RunTrigger::Scheduled,
            };
            begin_run(conn, &lease, at)?;
            return Ok(Some(lease));
        }
    }
    Ok(None)
}

/// Claims the account that has been due longest among those that an authorised profile with consent can read and nobody paused, and
/// begins its run.
///
/// # Errors
/// As any query.
pub fn claim_account(
    conn: &mut AnyConn,
    owner: &str,
    length: Duration,
    run_id: &RunId,
    filter: &ClaimFilter,
) -> Result<Option<Lease>, StoreError> {
    use linkedin_accounts as a;
    use linkedin_user_profiles as p;
    let mut authorized: Vec<String> = p::table
        .inner_join(linkedin_tokens::table)
        .filter(p::authorization_status.eq(Authorization::Authorized.as_str()))
        .filter(
            p::authorized_by
                .eq_any(active_consents::table.select(active_consents::user_id.nullable())),
        )
        .select(p::id)
        .load(conn)?;
    if let Some(profile) = &filter.profile {
        authorized.retain(|id| id == profile.as_str());
    }
    for _ in 0..5 {
        let now = database_now(conn)?;
        let at = now.naive_utc();
        let readable = profile_accounts::table
            .filter(profile_accounts::profile_id.eq_any(&authorized))
            .select(profile_accounts::account_id);
        let candidate: Option<(String, i64, Option<String>)> = a::table
            .filter(a::is_sync_enabled.eq(true))
            .filter(a::next_sync_at.le(at))
            .filter(a::lease_expires_at.is_null().or(a::lease_expires_at.le(at)))
            .filter(a::id.eq_any(readable))
            .filter(a::id.ne_all(account_pauses::table.select(account_pauses::account_id)))
            .order((a::next_sync_at.asc(), a::id.asc()))
            .select((a::id, a::lease_term, a::requested_trigger))
            .first(conn)
            .optional()?;
        let Some((id, term, requested)) = candidate else {
            return Ok(None);
        };
        let won = diesel::update(
            a::table
                .filter(a::id.eq(&id))
                .filter(a::lease_term.eq(term))
                .filter(a::lease_expires_at.is_null().or(a::lease_expires_at.le(at))),
        )
        .set((
            a::lease_owner.eq(owner),
            a::lease_term.eq(term + 1),
            a::lease_expires_at.eq(lease_end(now, length)),
            a::requested_trigger.eq(None::<String>),
            a::notified_at.eq(None::<NaiveDateTime>),
        ))
        .execute(conn)?;
        if won == 1 {
            let account: AccountId = super::columns::id("linkedin_accounts", &id)?;
            abandon_runs(conn, at, sync_runs::account_id.eq(account.as_str()))?;
            let trigger = match requested {
                Some(word) => super::columns::Cells {
                    table: "linkedin_accounts",
                    id: account.as_str(),
                }
                .word("requested_trigger", &word)?,
                None => RunTrigger::Scheduled,
            };
            let lease = Lease {
                on: Leased::Account(account),
                term: term + 1,
                owner: owner.to_owned(),
                length,
                run_id: run_id.clone(),
                trigger,
            };
            begin_run(conn, &lease, at)?;
            return Ok(Some(lease));
        }
    }
    Ok(None)
}

/// Closes runs that are still marked as running although their lease ran out.
fn abandon_runs<'a, P>(conn: &mut AnyConn, at: NaiveDateTime, of: P) -> Result<(), StoreError>
where
    P: diesel::expression::NonAggregate
        + diesel::Expression<SqlType = diesel::sql_types::Nullable<diesel::sql_types::Bool>>
        + diesel::AppearsOnTable<sync_runs::table>
        + diesel::query_builder::QueryFragment<<AnyConn as diesel::Connection>::Backend>
        + diesel::query_builder::QueryId
        + 'a,
{
    diesel::update(
        sync_runs::table
            .filter(sync_runs::status.eq(RunStatus::Running.as_str()))
            .filter(of),
    )
    .set((
        sync_runs::status.eq(RunStatus::Abandoned.as_str()),
        sync_runs::finished_at.eq(at),
        sync_runs::failure_reason.eq(crate::domain::sync::FailureReason::LeaseLost.as_str()),
    ))
    .execute(conn)?;
    Ok(())
}

fn begin_run(conn: &mut AnyConn, lease: &Lease, at: NaiveDateTime) -> Result<(), StoreError> {
    let (kind, profile_id, account_id) = match &lease.on {
        Leased::Profile(id) => (RunKind::Accounts, Some(id.as_str()), None),
        Leased::Account(id) => (RunKind::Account, None, Some(id.as_str())),
    };
    diesel::insert_into(sync_runs::table)
        .values((
            sync_runs::id.eq(lease.run_id.as_str()),
            sync_runs::kind.eq(kind.as_str()),
            sync_runs::profile_id.eq(profile_id),
            sync_runs::account_id.eq(account_id),
            sync_runs::trigger_kind.eq(lease.trigger.as_str()),
            sync_runs::status.eq(RunStatus::Running.as_str()),
            sync_runs::lease_owner.eq(&lease.owner),
            sync_runs::lease_term.eq(lease.term),
            sync_runs::started_at.eq(at),
            (
                sync_runs::pages.eq(0),
                sync_runs::responses.eq(0),
                sync_runs::submissions_new.eq(0),
                sync_runs::submissions_known.eq(0),
                sync_runs::leads_created.eq(0),
                sync_runs::leads_updated.eq(0),
                sync_runs::match_failed.eq(0),
                sync_runs::processing_failed.eq(0),
            ),
        ))
        .execute(conn)?;
    Ok(())
}

/// Checks that the lease still stands and extends it; the first statement of every transaction of its holder.
/// On PostgreSQL the row stays locked until the end of the transaction, so nobody can claim in between.
///
/// # Errors
/// `LeaseLost` when another claimer took over.
pub fn fence(conn: &mut AnyConn, lease: &Lease) -> Result<(), StoreError> {
    let now = database_now(conn)?;
    let end = lease_end(now, lease.length);
    let held = match &lease.on {
        Leased::Profile(id) => {
            use linkedin_user_profiles as p;
            diesel::update(
                p::table
                    .filter(p::id.eq(id.as_str()))
                    .filter(p::lease_owner.eq(&lease.owner))
                    .filter(p::lease_term.eq(lease.term)),
            )
            .set(p::lease_expires_at.eq(end))
            .execute(conn)?
        }
        Leased::Account(id) => {
            use linkedin_accounts as a;
            diesel::update(
                a::table
                    .filter(a::id.eq(id.as_str()))
                    .filter(a::lease_owner.eq(&lease.owner))
                    .filter(a::lease_term.eq(lease.term)),
            )
            .set(a::lease_expires_at.eq(end))
            .execute(conn)?
        }
    };
    if held == 1 {
        Ok(())
    } else {
        Err(StoreError::LeaseLost)
    }
}

/// How a run ended.
#[derive(Debug, Clone)]
pub struct RunEnd {
    /// Succeeded, partly failed or failed.
    pub status: RunStatus,
    /// The first failure, from the closed list.
    pub failure: Option<(crate::domain::sync::FailureReason, String)>,
    /// When to come back, counted from now.
    pub next_in: Option<Duration>,
}

/// Ends the run, gives the lease back and says when the record is due again. A person's "sync now" that came in
/// while the run was busy stays due at once.
///
/// # Errors
/// `LeaseLost` when another claimer took over.
pub fn release(conn: &mut AnyConn, lease: &Lease, end: &RunEnd) -> Result<(), StoreError> {
    fence(conn, lease)?;
    let now = database_now(conn)?;
    let next = end.next_in.map(|wait| lease_end(now, wait));
    let reason = end.failure.as_ref().map(|(reason, _)| reason.as_str());
    let detail = end.failure.as_ref().map(|(_, detail)| detail.as_str());
    let failed = matches!(end.status, RunStatus::Failed | RunStatus::PartlyFailed);
    let succeeded_at = (end.status == RunStatus::Succeeded
        || end.status == RunStatus::PartlyFailed)
        .then(|| now.naive_utc());
    diesel::update(sync_runs::table.filter(sync_runs::id.eq(lease.run_id.as_str())))
        .set((
            sync_runs::status.eq(end.status.as_str()),
            sync_runs::finished_at.eq(now.naive_utc()),
            sync_runs::failure_reason.eq(reason),
            sync_runs::failure_detail.eq(detail),
            sync_runs::next_attempt_at.eq(next),
        ))
        .execute(conn)?;
    match &lease.on {
        Leased::Profile(id) => {
            use linkedin_user_profiles as p;
            diesel::update(p::table.filter(p::id.eq(id.as_str())))
                .set((
                    p::lease_owner.eq(None::<String>),
                    p::lease_expires_at.eq(None::<NaiveDateTime>),
                    p::next_sync_at.eq(next),
                    p::failure_reason.eq(reason),
                    p::failure_detail.eq(detail),
                ))
                .execute(conn)?;
            if failed {
                diesel::update(p::table.filter(p::id.eq(id.as_str())))
                    .set(p::failure_streak.eq(p::failure_streak + 1))
                    .execute(conn)?;
            } else {
                diesel::update(p::table.filter(p::id.eq(id.as_str())))
                    .set((
                        p::failure_streak.eq(0),
                        p::last_synchronized_at.eq(succeeded_at),
                    ))
                    .execute(conn)?;
            }
        }
        Leased::Account(id) => {
            use linkedin_accounts as a;
            let row = || a::table.filter(a::id.eq(id.as_str().to_owned()));
            diesel::update(row())
                .set((
                    a::lease_owner.eq(None::<String>),
                    a::lease_expires_at.eq(None::<NaiveDateTime>),
                    a::failure_reason.eq(reason),
                    a::failure_detail.eq(detail),
                ))
                .execute(conn)?;
            diesel::update(row().filter(a::requested_trigger.is_null()))
                .set(a::next_sync_at.eq(next))
                .execute(conn)?;
            if failed {
                diesel::update(row())
                    .set(a::failure_streak.eq(a::failure_streak + 1))
                    .execute(conn)?;
            } else {
                diesel::update(row())
                    .set(a::failure_streak.eq(0))
                    .execute(conn)?;
                // Leads that LinkedIn announced while the run was busy are read by one more, however many there are.
                diesel::update(row().filter(a::notified_at.is_not_null()))
                    .set(a::next_sync_at.eq(lease_end(now, NOTIFIED_PAUSE)))
                    .execute(conn)?;
            }
            if let Some(at) = succeeded_at {
                diesel::update(row())
                    .set(a::last_synchronized_at.eq(at))
                    .execute(conn)?;
            }
        }
    }
    Ok(())
}
