//! The synchronization: how it stands, and its runs.

use actix_web::web::Data;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::document::{self, Described, Group};
use super::input::{self, Id, Parameters};
use super::{ApiAnswer, output};
use crate::domain::ids::{AccountId, ProfileId, RunId};
use crate::domain::sync::{FailureReason, RunKind, RunStatus, RunTrigger};
use crate::store::status::{self, StatusTotals};
use crate::store::sync_runs::{self, RunFilter, SyncRun};
use crate::web::Portal;

/// The order of the list, for its cursors.
const ORDER: &str = "newest_run";

/// Sync runs by outcome.
#[derive(Debug, Serialize, ToSchema)]
pub struct RunCounts {
    succeeded: i64,
    /// Failed, partly failed or abandoned.
    failed: i64,
    running: i64,
}

/// How the synchronization stands; the same numbers as `leadgen status --json`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SyncStatus)]
pub struct SyncStatusBody {
    /// LinkedIn user profiles.
    profiles: i64,
    /// LinkedIn accounts, switched off ones included.
    accounts: i64,
    /// Lead Gen forms.
    forms: i64,
    /// Form submissions without test leads.
    submissions: i64,
    test_submissions: i64,
    leads: i64,
    /// Submissions that made a lead.
    leads_created: i64,
    /// Submissions that updated a lead.
    leads_updated: i64,
    /// Submissions without a lead by decision.
    match_failed: i64,
    /// Submissions that could not be processed.
    processing_failed: i64,
    /// When an account was last pulled to its end.
    last_synchronization_at: Option<DateTime<Utc>>,
    runs: RunCounts,
}

impl From<StatusTotals> for SyncStatusBody {
    fn from(totals: StatusTotals) -> Self {
        Self {
            profiles: totals.profiles,
            accounts: totals.accounts,
            forms: totals.forms,
            submissions: totals.submissions,
            test_submissions: totals.test_submissions,
            leads: totals.leads,
            leads_created: totals.leads_created,
            leads_updated: totals.leads_updated,
            match_failed: totals.match_failed,
            processing_failed: totals.processing_failed,
            last_synchronization_at: totals.last_synchronization_at,
            runs: RunCounts {
                succeeded: totals.runs.succeeded,
                failed: totals.runs.failed,
                running: totals.runs.running,
            },
        }
    }
}

/// GET /sync-status, in the document.
pub fn describe_status() -> Described {
    Described::new(
        Group::Synchronization,
        "getSyncStatus",
        "How the synchronization stands",
    )
    .sends::<SyncStatusBody>(200, "The numbers.", document::sync_status())
}

/// GET /sync-status
///
/// # Errors
/// As the database.
pub async fn status(portal: Data<Portal>) -> ApiAnswer {
    let totals = portal.store.read(status::aggregate).await?;
    Ok(output::record(&SyncStatusBody::from(totals)))
}

/// A sync run.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SyncRun)]
pub struct SyncRunBody {
    id: RunId,
    kind: RunKind,
    /// The profile through which it reads.
    profile_id: Option<ProfileId>,
    /// The account that it reads.
    account_id: Option<AccountId>,
    trigger: RunTrigger,
    status: RunStatus,
    started_at: DateTime<Utc>,
    finished_at: Option<DateTime<Utc>>,
    /// Pages read from LinkedIn.
    pages: i64,
    /// Responses read.
    responses: i64,
    submissions_new: i64,
    /// Submissions that were known already.
    submissions_known: i64,
    leads_created: i64,
    leads_updated: i64,
    /// Submissions without a lead by decision.
    match_failed: i64,
    processing_failed: i64,
    /// Why it did not end well.
    failure_reason: Option<FailureReason>,
    /// A short detail beside the reason.
    failure_detail: Option<String>,
    /// When the next attempt is due.
    next_attempt_at: Option<DateTime<Utc>>,
}

impl From<SyncRun> for SyncRunBody {
    fn from(run: SyncRun) -> Self {
        Self {
            id: run.id,
            kind: run.kind,
            profile_id: run.profile.map(|(id, _)| id),
            account_id: run.account.map(|(id, _)| id),
            trigger: run.trigger,
            status: run.status,
            started_at: run.started_at,
            finished_at: run.finished_at,
            pages: run.pages,
            responses: run.responses,
            submissions_new: run.submissions_new,
            submissions_known: run.submissions_known,
            leads_created: run.leads_created,
            leads_updated: run.leads_updated,
            match_failed: run.match_failed,
            processing_failed: run.processing_failed,
            failure_reason: run.failure_reason,
            failure_detail: run.failure_detail,
            next_attempt_at: run.next_attempt_at,
        }
    }
}

/// The filters of the timeline.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct SyncRunsParameters {
    /// Only in this status.
    status: Option<RunStatus>,
    /// Only of this account.
    account: Option<AccountId>,
    /// Only through this LinkedIn user profile.
    profile: Option<ProfileId>,
    /// Records on a page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// GET /sync-runs, in the document.
pub fn describe_index() -> Described {
    Described::new(Group::Synchronization, "listSyncRuns", "List sync runs")
        .filters::<SyncRunsParameters>()
        .sends_list::<SyncRunBody>(&document::sync_run())
}

/// GET /sync-runs
///
/// # Errors
/// `BadParameter`, or as the database.
pub async fn index(
    portal: Data<Portal>,
    Parameters(asked): Parameters<SyncRunsParameters>,
) -> ApiAnswer {
    let limit = input::limit(asked.limit)?;
    let start = input::start(ORDER, asked.cursor.as_deref())?;
    let filter = RunFilter {
        account_id: asked.account,
        profile_id: asked.profile,
        status: asked.status,
    };
    let page = portal
        .store
        .read(move |conn| sync_runs::page(conn, &filter, &start, limit))
        .await?;
    let next = page.older.map(|place| input::encode_cursor(ORDER, &place));
    let rows = page.rows.into_iter().map(SyncRunBody::from).collect();
    Ok(output::list(rows, next))
}

/// GET /sync-runs/{id}, in the document.
pub fn describe_show() -> Described {
    Described::new(Group::Synchronization, "getSyncRun", "Get a sync run")
        .record::<RunId>()
        .sends::<SyncRunBody>(200, "The run.", document::sync_run())
}

/// GET /sync-runs/{id}
///
/// # Errors
/// `NotFound`, or as the database.
pub async fn show(portal: Data<Portal>, Id(id): Id<RunId>) -> ApiAnswer {
    let run = portal
        .store
        .read(move |conn| sync_runs::get(conn, &id))
        .await?;
    Ok(output::record(&SyncRunBody::from(run)))
}
