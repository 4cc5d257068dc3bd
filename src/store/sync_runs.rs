//! Sync runs as pages show them: the timeline, one run, and the latest of each account and profile.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;

use super::columns::{Cells, PAGE_SIZE};
use super::paging::{Cursor, Page, PageStart, keyset};
use super::schema::{linkedin_accounts, linkedin_user_profiles, sync_runs as runs};
use super::{AnyConn, StoreError};
use crate::domain::ids::{AccountId, ProfileId, RunId};
use crate::domain::sync::{FailureReason, RunKind, RunStatus, RunTrigger};
use crate::each;

/// A sync run with the names around it.
#[derive(Debug, Clone)]
pub struct SyncRun {
    /// Its identifier.
    pub id: RunId,
    /// What it reads.
    pub kind: RunKind,
    /// The profile through which it reads.
    pub profile: Option<(ProfileId, String)>,
    /// The account that it reads.
    pub account: Option<(AccountId, String)>,
    /// What started it.
    pub trigger: RunTrigger,
    /// How it stands.
    pub status: RunStatus,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// Pages read.
    pub pages: i64,
    /// Responses read.
    pub responses: i64,
    /// Submissions that were new.
    pub submissions_new: i64,
    /// Submissions that were known.
    pub submissions_known: i64,
    /// Leads made.
    pub leads_created: i64,
    /// Leads updated.
    pub leads_updated: i64,
    /// Submissions without a lead by decision.
    pub match_failed: i64,
    /// Submissions that could not be processed.
    pub processing_failed: i64,
    /// Why it did not end well.
    pub failure_reason: Option<FailureReason>,
    /// A short detail beside the reason.
    pub failure_detail: Option<String>,
    /// When the next attempt is due.
    pub next_attempt_at: Option<DateTime<Utc>>,
}

#[derive(Queryable)]
struct RunRow {
    id: String,
    kind: String,
    profile_id: Option<String>,
    profile_name: Option<String>,
    account_id: Option<String>,
    account_name: Option<String>,
    trigger_kind: String,
    status: String,
    started_at: NaiveDateTime,
    finished_at: Option<NaiveDateTime>,
    pages: i64,
    responses: i64,
    submissions_new: i64,
    submissions_known: i64,
    leads_created: i64,
    leads_updated: i64,
    match_failed: i64,
    processing_failed: i64,
    failure_reason: Option<String>,
    failure_detail: Option<String>,
    next_attempt_at: Option<NaiveDateTime>,
}

/// The columns of [`RunRow`], in its order.
macro_rules! run_columns {
    () => {
        (
            runs::id,
            runs::kind,
            runs::profile_id,
            linkedin_user_profiles::name.nullable(),
            runs::account_id,
            linkedin_accounts::name.nullable(),
            runs::trigger_kind,
            runs::status,
            runs::started_at,
            runs::finished_at,
            runs::pages,
            runs::responses,
            runs::submissions_new,
            runs::submissions_known,
            runs::leads_created,
            runs::leads_updated,
            runs::match_failed,
            runs::processing_failed,
            runs::failure_reason,
            runs::failure_detail,
            runs::next_attempt_at,
        )
    };
}

impl TryFrom<RunRow> for SyncRun {
    type Error = StoreError;

    fn try_from(row: RunRow) -> Result<Self, StoreError> {
        let cells = Cells {
            table: "sync_runs",
            id: &row.id,
        };
        let profile_id = cells.optional("profile_id", row.profile_id.as_deref())?;
        let account_id = cells.optional("account_id", row.account_id.as_deref())?;
        Ok(Self {
            id: cells.word("id", &row.id)?,
            kind: cells.word("kind", &row.kind)?,
            trigger: cells.word("trigger_kind", &row.trigger_kind)?,
            status: cells.word("status", &row.status)?,
            failure_reason: cells.optional("failure_reason", row.failure_reason.as_deref())?,
            profile: profile_id.zip(row.profile_name),
            account: account_id.zip(row.account_name),
            started_at: row.started_at.and_utc(),
            finished_at: row.finished_at.map(|at| at.and_utc()),
            pages: row.pages,
            responses: row.responses,
            submissions_new: row.submissions_new,
            submissions_known: row.submissions_known,
            leads_created: row.leads_created,
            leads_updated: row.leads_updated,
            match_failed: row.match_failed,
            processing_failed: row.processing_failed,
            failure_detail: row.failure_detail,
            next_attempt_at: row.next_attempt_at.map(|at| at.and_utc()),
        })
    }
}

/// Which runs a timeline shows.
#[derive(Debug, Clone, Default)]
pub struct RunFilter {
    /// Only of this account.
    pub account_id: Option<AccountId>,
    /// Only of this profile.
    pub profile_id: Option<ProfileId>,
    /// Only in this status.
    pub status: Option<RunStatus>,
}

/// One page of the runs that pass the filter, newest first.
///
/// # Errors
/// As any query.
pub fn list(
    conn: &mut AnyConn,
    filter: &RunFilter,
    start: &PageStart,
) -> Result<Page<SyncRun>, StoreError> {
    page(conn, filter, start, PAGE_SIZE)
}

/// The same with `size` runs on the page.
///
/// # Errors
/// As any query.
pub fn page(
    conn: &mut AnyConn,
    filter: &RunFilter,
    start: &PageStart,
    size: i64,
) -> Result<Page<SyncRun>, StoreError> {
    let mut query = runs::table
        .left_join(linkedin_user_profiles::table)
        .left_join(linkedin_accounts::table)
        .select(run_columns!())
        .into_boxed();
    if let Some(id) = &filter.account_id {
        query = query.filter(runs::account_id.eq(id.as_str()));
    }
    if let Some(id) = &filter.profile_id {
        query = query.filter(runs::profile_id.eq(id.as_str()));
    }
    if let Some(status) = filter.status {
        query = query.filter(runs::status.eq(status.as_str()));
    }
    keyset!(query, start, runs::started_at, runs::id);
    let rows = query
        .limit(size + 1)
        .load::<RunRow>(conn)?
        .into_iter()
        .map(SyncRun::try_from)
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Page::cut_at(size, rows, start, |row| Cursor {
        at: row.started_at,
        id: row.id.as_str().to_owned(),
    }))
}

/// The run.
///
/// # Errors
/// `NotFound` when there is none.
pub fn get(conn: &mut AnyConn, id: &RunId) -> Result<SyncRun, StoreError> {
    runs::table
        .left_join(linkedin_user_profiles::table)
        .left_join(linkedin_accounts::table)
        .filter(runs::id.eq(id.as_str()))
        .select(run_columns!())
        .first::<RunRow>(conn)
        .optional()?
        .ok_or(StoreError::NotFound("sync run"))
        .and_then(SyncRun::try_from)
}

/// The latest run of an account.
///
/// # Errors
/// As any query.
pub fn latest_of_account(
    conn: &mut AnyConn,
    id: &AccountId,
) -> Result<Option<SyncRun>, StoreError> {
    runs::table
        .left_join(linkedin_user_profiles::table)
        .left_join(linkedin_accounts::table)
        .filter(runs::account_id.eq(id.as_str()))
        .select(run_columns!())
        .order((runs::started_at.desc(), runs::id.desc()))
        .first::<RunRow>(conn)
        .optional()?
        .map(SyncRun::try_from)
        .transpose()
}

#[derive(QueryableByName)]
struct LatestRow {
    #[diesel(sql_type = diesel::sql_types::Text)]
    record_id: String,
    #[diesel(sql_type = diesel::sql_types::Nullable<diesel::sql_types::Text>)]
    run_id: Option<String>,
}

/// The latest run of each account, by the account's identifier: one look into an index per account, in one statement.
///
/// # Errors
/// As any query.
pub fn latest_of_accounts(conn: &mut AnyConn) -> Result<HashMap<String, SyncRun>, StoreError> {
    latest(
        conn,
        "SELECT a.id AS record_id, (SELECT r.id FROM sync_runs r WHERE r.account_id = a.id \
         ORDER BY r.started_at DESC, r.id DESC LIMIT 1) AS run_id FROM linkedin_accounts a",
    )
}

/// The latest run of each profile, by the profile's identifier.
///
/// # Errors
/// As any query.
pub fn latest_of_profiles(conn: &mut AnyConn) -> Result<HashMap<String, SyncRun>, StoreError> {
    latest(
        conn,
        "SELECT p.id AS record_id, (SELECT r.id FROM sync_runs r WHERE r.profile_id = p.id \
         ORDER BY r.started_at DESC, r.id DESC LIMIT 1) AS run_id FROM linkedin_user_profiles p",
    )
}

fn latest(conn: &mut AnyConn, query: &str) -> Result<HashMap<String, SyncRun>, StoreError> {
    let rows: Vec<LatestRow> = each!(conn, |c| diesel::sql_query(query).load(c))?;
    let mut records: HashMap<String, String> = rows
        .into_iter()
        .filter_map(|row| Some((row.run_id?, row.record_id)))
        .collect();
    let ids: Vec<String> = records.keys().cloned().collect();
    let mut latest = HashMap::with_capacity(ids.len());
    for chunk in ids.chunks(1_000) {
        let runs = runs::table
            .left_join(linkedin_user_profiles::table)
            .left_join(linkedin_accounts::table)
            .filter(runs::id.eq_any(chunk))
            .select(run_columns!())
            .load::<RunRow>(conn)?;
        for row in runs {
            if let Some(record) = records.remove(&row.id) {
                latest.insert(record, SyncRun::try_from(row)?);
            }
        }
    }
    Ok(latest)
}
