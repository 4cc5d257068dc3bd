//! Claims what is due and runs it. [`Scheduler::run_due_once`] does one step and says what it did; the loop only sleeps,
//! catches panics and listens for the end.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::{SyncContext, SyncError, discover, pull};
use crate::domain::ids::RunId;
use crate::domain::sync::{FailureReason, RunStatus};
use crate::store::leases::{ClaimFilter, Lease, Leased, RunEnd};
use crate::store::{self, StoreError};

/// What one step did.
#[derive(Debug, Clone)]
pub enum Step {
    /// Nothing was due.
    Idle,
    /// A run was begun and ended.
    Ran {
        /// The run.
        run_id: RunId,
        /// How it ended.
        status: RunStatus,
        /// Its first failure.
        failure: Option<FailureReason>,
    },
}

/// The scheduler of one process.
#[derive(Clone)]
pub struct Scheduler {
    ctx: SyncContext,
    wake: Arc<Notify>,
}

/// How long the loop sleeps when nothing is due; a "sync now" in this process wakes it at once.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Days for which the counts of requests and announced leads are kept.
const KEEP_CALLS_DAYS: i64 = 35;
/// A run that outlives its budget by this is given up: its lease runs out and another one takes over.
const OVERTIME: Duration = Duration::from_secs(300);

impl Scheduler {
    /// A scheduler that also looks whenever it is woken.
    #[must_use]
    pub fn new(ctx: SyncContext, wake: Arc<Notify>) -> Self {
        Self { ctx, wake }
    }

    /// What the scheduler works with.
    #[must_use]
    pub fn context(&self) -> &SyncContext {
        &self.ctx
    }

    /// Claims one thing that is due, profiles before accounts, and runs it to its end.
    ///
    /// # Errors
    /// When nothing could be claimed or the end could not be stored.
    pub async fn run_due_once(&self, filter: &ClaimFilter) -> Result<Step, SyncError> {
        let Some(lease) = self.claim(filter).await? else {
            return Ok(Step::Idle);
        };
        tracing::info!(run.id = %lease.run_id, run.trigger = lease.trigger.as_str(), "sync run begins");
        let outcome = tokio::select! {
            outcome = self.work(lease.clone()) => outcome,
            lost = self.keep(lease.clone()) => Err(lost),
        };
        let end = match outcome {
            Ok(end) => end,
            Err(error) if error.reason() == FailureReason::LeaseLost => {
                tracing::warn!(run.id = %lease.run_id, "another process took the run over");
                return Ok(Step::Ran {
                    run_id: lease.run_id,
                    status: RunStatus::Abandoned,
                    failure: Some(FailureReason::LeaseLost),
                });
            }
            Err(error) => RunEnd {
                status: RunStatus::Failed,
                failure: Some((error.reason(), error.detail())),
                next_in: Some(Duration::from_secs(30)),
            },
        };
        let step = Step::Ran {
            run_id: lease.run_id.clone(),
            status: end.status,
            failure: end.failure.as_ref().map(|(reason, _)| *reason),
        };
        match &end.failure {
            None => {
                tracing::info!(run.id = %lease.run_id, run.status = end.status.as_str(), "sync run ended")
            }
            Some((reason, detail)) => tracing::warn!(
                run.id = %lease.run_id, run.status = end.status.as_str(),
                run.reason = reason.as_str(), run.detail = %detail, "sync run ended"
            ),
        }
        metrics::counter!("leadgen_sync_runs_total", "status" => end.status.as_str()).increment(1);
        let is_discovery = matches!(lease.on, Leased::Profile(_));
        self.ctx
            .store
            .write(move |conn| store::leases::release(conn, &lease, &end))
            .await
            .map_err(|error: StoreError| SyncError::from(error))?;
        self.store_calls(is_discovery).await;
        Ok(step)
    }

    /// Adds the counted requests to the database's; once in a while (`with_cleaning`) forgets old days. A failure costs
    /// no run: the counts wait for the next one.
    async fn store_calls(&self, with_cleaning: bool) {
        let counted = self.ctx.calls.take();
        if counted.is_empty() && !with_cleaning {
            return;
        }
        let keep_from = self.ctx.clock.now() - chrono::TimeDelta::days(KEEP_CALLS_DAYS);
        let oldest = keep_from.date_naive();
        let new = counted.clone();
        let stored = self
            .ctx
            .store
            .write(move |conn| {
                store::api_calls::add(conn, &new)?;
                if with_cleaning {
                    store::api_calls::delete_before(conn, oldest)?;
                    store::lead_notifications::delete_created_before(conn, keep_from)?;
                }
                Ok::<_, StoreError>(())
            })
            .await;
        if let Err(error) = stored {
            tracing::warn!(error = %error, "the counted requests to LinkedIn could not be stored");
            self.ctx.calls.put_back(counted);
        }
    }

    async fn claim(&self, filter: &ClaimFilter) -> Result<Option<Lease>, SyncError> {
        // Whoever runs the portal switched LinkedIn off, or it does not exist here: nothing is read.
        if self.ctx.options.deployment.check().is_err() {
            return Ok(None);
        }
        let run_id = RunId::new(Uuid::now_v7());
        let (owner, length) = (Arc::clone(&self.ctx.owner), self.ctx.options.lease);
        let filter = filter.clone();
        // A look without a write lock first: most looks find nothing due.
        let due = self
            .ctx
            .store
            .read(store::due::is_anything)
            .await
            .map_err(|error: StoreError| SyncError::from(error))?;
        if !due {
            return Ok(None);
        }
        self.ctx
            .store
            .write(move |conn| {
                let profile = store::leases::claim_profile(conn, &owner, length, &run_id, &filter)?;
                match profile {
                    Some(lease) => Ok(Some(lease)),
                    None => store::leases::claim_account(conn, &owner, length, &run_id, &filter),
                }
            })
            .await
            .map_err(|error: StoreError| error.into())
    }

    async fn work(&self, lease: Lease) -> Result<RunEnd, SyncError> {
        let limit = self.ctx.options.budget + OVERTIME;
        let ctx = self.ctx.clone();
        let work = async move {
            match lease.on.clone() {
                Leased::Profile(profile) => discover::run(ctx, lease, profile).await,
                Leased::Account(id) => {
                    let account = ctx
                        .store
                        .read(move |conn| store::claimed::account(conn, &id))
                        .await
                        .map_err(|error: StoreError| SyncError::from(error))?;
                    pull::run(ctx, lease, account).await
                }
            }
        };
        match tokio::time::timeout(limit, AssertUnwindSafe(work).catch_unwind()).await {
            Ok(Ok(outcome)) => outcome,
            // The panic hook has logged where; the message may hold data and is not kept.
            Ok(Err(_panic)) => Err(SyncError::found(
                FailureReason::InternalError,
                "the run stopped unexpectedly; the log says where",
            )),
            Err(_elapsed) => Err(SyncError::found(
                FailureReason::InternalError,
                "the run did not come to an end in time",
            )),
        }
    }

    /// Extends the lease while the run works; ends only when the lease is lost.
    async fn keep(&self, lease: Lease) -> SyncError {
        loop {
            tokio::time::sleep(self.ctx.options.lease / 3).await;
            let held = lease.clone();
            let kept = self
                .ctx
                .store
                .write(move |conn| store::leases::fence(conn, &held))
                .await;
            match kept {
                Ok(()) => {}
                Err(StoreError::LeaseLost) => return StoreError::LeaseLost.into(),
                // A database that is away does not end the run here; its own writes will.
                Err(error) => tracing::warn!(error = %error, "the lease could not be extended"),
            }
        }
    }

    /// Works on everything that is due until nothing is, or the process is to end; for the command line.
    ///
    /// # Errors
    /// As [`Scheduler::run_due_once`].
    pub async fn run_until_idle(&self, filter: &ClaimFilter) -> Result<Vec<Step>, SyncError> {
        let mut steps = Vec::new();
        super::revocations::run_due(&self.ctx).await?;
        super::member_deletions::run_due(&self.ctx).await?;
        loop {
            match self.run_due_once(filter).await? {
                Step::Idle => {
                    super::subscriptions::run_due(&self.ctx).await?;
                    super::delivery::run_due(&self.ctx).await?;
                    super::organization_reads::run_due(&self.ctx).await?;
                    return Ok(steps);
                }
                step => steps.push(step),
            }
            // Runs that stop early stay due: there is nothing to wait for.
            if self.ctx.stopping.load(Ordering::SeqCst) {
                return Ok(steps);
            }
        }
    }

    /// Runs until `stop` turns true: up to `concurrency` runs side by side, so that a slow account delays no other.
    pub async fn run_forever(&self, mut stop: watch::Receiver<bool>) {
        let mut running: JoinSet<Result<Step, SyncError>> = JoinSet::new();
        // Ends with this function.
        let mut beside = JoinSet::new();
        let (store, clock) = (self.ctx.store.clone(), self.ctx.clock.clone());
        beside.spawn(super::lead_imports::keep_house(store, clock));
        beside.spawn(super::revocations::keep_revoking(self.ctx.clone()));
        beside.spawn(super::member_deletions::keep_deleting(self.ctx.clone()));
        beside.spawn(super::subscriptions::keep_subscribed(self.ctx.clone()));
        beside.spawn(super::mails::keep_sending(self.ctx.clone()));
        beside.spawn(super::delivery::keep_delivering(self.ctx.clone()));
        beside.spawn(super::organization_reads::keep_reading(self.ctx.clone()));
        let mut is_database_away = false;
        loop {
            while !*stop.borrow() && running.len() < self.ctx.options.concurrency {
                let scheduler = self.clone();
                running.spawn(async move { scheduler.run_due_once(&ClaimFilter::default()).await });
                // One look at a time: the next slot is filled when this one has claimed, or found nothing.
                tokio::select! {
                    biased;
                    ended = running.join_next() => {
                        if !self.is_more_due(ended, &mut is_database_away) {
                            break;
                        }
                    }
                    () = tokio::time::sleep(Duration::from_millis(20)) => {}
                }
            }
            if *stop.borrow() {
                self.ctx.stopping.store(true, Ordering::SeqCst);
                break;
            }
            tokio::select! {
                _ = stop.changed() => {}
                () = self.wake.notified() => {}
                ended = running.join_next(), if !running.is_empty() => {
                    self.is_more_due(ended, &mut is_database_away);
                }
                () = tokio::time::sleep(LOOK_EVERY.mul_f64(0.8 + 0.4 * super::jitter())) => {}
            }
        }
        // A run stops at its next page and gives its lease back; one that hangs is dropped, and loses no stored page.
        let grace = tokio::time::sleep(Duration::from_secs(10));
        tokio::pin!(grace);
        loop {
            tokio::select! {
                ended = running.join_next() => if ended.is_none() { return },
                () = &mut grace => {
                    running.abort_all();
                    return;
                }
            }
        }
    }

    fn is_more_due(
        &self,
        ended: Option<Result<Result<Step, SyncError>, tokio::task::JoinError>>,
        is_database_away: &mut bool,
    ) -> bool {
        match ended {
            Some(Ok(Ok(step))) => {
                if *is_database_away {
                    tracing::info!("the database is back, the sync goes on");
                    *is_database_away = false;
                }
                matches!(step, Step::Ran { .. })
            }
            Some(Ok(Err(error))) => {
                // One line for an outage, not one for each look.
                if !*is_database_away {
                    tracing::error!(error = %error, "the sync could not do its step");
                }
                *is_database_away = error.reason() == FailureReason::DatabaseUnavailable;
                false
            }
            Some(Err(error)) => {
                tracing::error!(
                    task.is_panic = error.is_panic(),
                    "a sync task ended unexpectedly"
                );
                false
            }
            None => false,
        }
    }
}
