//! What is at work now, and a mark that changes whenever the sync pages would look different: what the live pages ask.

use chrono::NaiveDateTime;
use diesel::dsl::{count_star, max};
use diesel::prelude::*;

use super::columns::Cells;
use super::lead_imports::{self, LeadImport};
use super::resets::{self, ResetProgress};
use super::schema::{
    account_pauses, delivery_lanes, linkedin_accounts as accounts,
    linkedin_user_profiles as profiles, sync_runs as runs,
};
use super::{AnyConn, StoreError, database_now};
use crate::domain::ids::RunId;
use crate::domain::sync::{RunKind, RunTrigger};

/// A run that holds its lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningRun {
    /// Its identifier.
    pub id: RunId,
    /// What it reads.
    pub kind: RunKind,
    /// The account's or the profile's name.
    pub name: String,
    /// What started it.
    pub trigger: RunTrigger,
    /// Responses read so far.
    pub responses: i64,
    /// Submissions of them that were new.
    pub submissions_new: i64,
    /// Leads made so far.
    pub leads_created: i64,
    /// Leads updated so far.
    pub leads_updated: i64,
}

/// What is at work now.
#[derive(Debug, Clone, Default)]
pub struct Activity {
    /// Sync runs, the oldest first.
    pub runs: Vec<RunningRun>,
    /// A reset on its way.
    pub reset: Option<ResetProgress>,
    /// Imports of leads, the oldest first.
    pub imports: Vec<LeadImport>,
}

impl Activity {
    /// Whether nothing is at work.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.runs.is_empty() && self.reset.is_none() && self.imports.is_empty()
    }
}

#[derive(Queryable)]
struct Row {
    id: String,
    kind: String,
    trigger: String,
    owner: String,
    term: i64,
    counts: (i64, i64, i64, i64),
    account: Option<(String, Option<String>, i64, Option<NaiveDateTime>)>,
    profile: Option<(String, Option<String>, i64, Option<NaiveDateTime>)>,
}

/// What is at work now: a run whose lease ran out died with its process and is not.
///
/// # Errors
/// As any query.
pub fn now(conn: &mut AnyConn) -> Result<Activity, StoreError> {
    let at = database_now(conn)?.naive_utc();
    let rows: Vec<Row> = runs::table
        .left_join(accounts::table)
        .left_join(profiles::table)
        .filter(diesel::dsl::sql::<diesel::sql_types::Bool>(
            "sync_runs.status = 'running'",
        ))
        .order((runs::started_at.asc(), runs::id.asc()))
        .limit(100)
        .select((
            runs::id,
            runs::kind,
            runs::trigger_kind,
            runs::lease_owner,
            runs::lease_term,
            (
                runs::responses,
                runs::submissions_new,
                runs::leads_created,
                runs::leads_updated,
            ),
            (
                accounts::name,
                accounts::lease_owner,
                accounts::lease_term,
                accounts::lease_expires_at,
            )
                .nullable(),
            (
                profiles::name,
                profiles::lease_owner,
                profiles::lease_term,
                profiles::lease_expires_at,
            )
                .nullable(),
        ))
        .load(conn)?;
    let mut running = Vec::new();
    for row in rows {
        let Some((name, owner, term, until)) = row.account.or(row.profile) else {
            continue;
        };
        let holds = owner.as_ref() == Some(&row.owner)
            && term == row.term
            && until.is_some_and(|until| until > at);
        if !holds {
            continue;
        }
        let cells = Cells {
            table: "sync_runs",
            id: &row.id,
        };
        let (responses, submissions_new, leads_created, leads_updated) = row.counts;
        running.push(RunningRun {
            id: cells.word("id", &row.id)?,
            kind: cells.word("kind", &row.kind)?,
            trigger: cells.word("trigger_kind", &row.trigger)?,
            name,
            responses,
            submissions_new,
            leads_created,
            leads_updated,
        });
    }
    Ok(Activity {
        runs: running,
        reset: resets::progress(conn)?,
        imports: lead_imports::at_work(conn)?,
    })
}

/// Changes whenever a run begins or ends, an account is paused or saved, a profile changes, or a destination gets into trouble
/// or out of it. Reads ends of indexes and the short tables of accounts, profiles and destinations only.
///
/// # Errors
/// As any query.
pub fn mark(conn: &mut AnyConn) -> Result<String, StoreError> {
    let latest: Option<NaiveDateTime> = runs::table.select(max(runs::started_at)).first(conn)?;
    let running: Vec<String> = runs::table
        .filter(diesel::dsl::sql::<diesel::sql_types::Bool>(
            "sync_runs.status = 'running'",
        ))
        .select(runs::id)
        .order(runs::id)
        .limit(1_000)
        .load(conn)?;
    let pauses: (i64, Option<NaiveDateTime>) = account_pauses::table
        .select((count_star(), max(account_pauses::paused_at)))
        .first(conn)?;
    let of_accounts: (i64, Option<NaiveDateTime>, Option<NaiveDateTime>) = accounts::table
        .select((
            count_star(),
            max(accounts::updated_at),
            max(accounts::last_synchronized_at),
        ))
        .first(conn)?;
    let of_profiles: (i64, Option<NaiveDateTime>) = profiles::table
        .select((count_star(), max(profiles::updated_at)))
        .first(conn)?;
    let troubles: (i64, Option<NaiveDateTime>) = delivery_lanes::table
        .filter(delivery_lanes::trouble.is_not_null())
        .select((count_star(), max(delivery_lanes::trouble_since)))
        .first(conn)?;
    Ok(format!(
        "{latest:?} {running:?} {pauses:?} {of_accounts:?} {of_profiles:?} {troubles:?}"
    ))
}
