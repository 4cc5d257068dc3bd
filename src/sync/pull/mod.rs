//! Reads one account: forms with their versions, campaigns, then the responses of every stream, window by window.
//! Fetching the next page overlaps with saving the last batch; a batch and its cursor are one transaction.

mod batches;
mod campaigns;
mod forms;
mod streams;
mod waiting;

pub(super) use batches::is_refusal;

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use super::authorized::Authorized;
use super::intake;
use super::{SyncContext, SyncError};
use crate::domain::account::{CampaignSyncStatus, FormSyncStatus};
use crate::domain::notification::may_read;
use crate::domain::sync::{FailureReason, RunStatus, next_attempt};
use crate::store::claimed::ClaimedAccount;
use crate::store::directory::accounts::AccountStates;
use crate::store::leases::{Lease, RunEnd};
use crate::store::streams::StreamKey;
use crate::store::{self, StoreError};

/// More pages than this of forms or campaigns is a server that repeats itself.
const PAGE_LIMIT: usize = 2_000;
/// What a run found out.
#[derive(Debug, Default)]
struct Progress {
    succeeded: usize,
    streams_read: usize,
    failures: Vec<SyncError>,
    states: AccountStates,
    is_unfinished: bool,
}

impl Progress {
    fn took<T>(&mut self, outcome: Result<T, SyncError>) -> Result<Option<T>, SyncError> {
        match outcome {
            Ok(value) => {
                self.succeeded += 1;
                Ok(Some(value))
            }
            // Without the lease or the database there is nothing more to do; anything else leaves the other parts alone.
            Err(error)
                if matches!(
                    error.reason(),
                    FailureReason::LeaseLost | FailureReason::DatabaseUnavailable
                ) =>
            {
                Err(error)
            }
            Err(error) => {
                self.failures.push(error);
                Ok(None)
            }
        }
    }

    /// Whether the profile's token is gone, so that LinkedIn need not be asked anything more.
    fn is_without_token(&self) -> bool {
        self.failures.iter().any(|failure| {
            matches!(
                failure.reason(),
                FailureReason::TokenExpired
                    | FailureReason::TokenRevoked
                    | FailureReason::NotAuthorized
                    | FailureReason::ConsentWithdrawn
                    | FailureReason::AppNotConfigured
            )
        })
    }
}

/// One account in the hands of one run.
struct Puller {
    ctx: SyncContext,
    lease: Lease,
    account: ClaimedAccount,
    linkedin: Authorized,
    page_roles: Vec<String>,
    until: Instant,
    /// LinkedIn's time, from its first answer.
    linkedin_now: OnceLock<DateTime<Utc>>,
    /// Form versions that this run tried to read: once is enough.
    tried_versions: Mutex<HashSet<(i64, i64)>>,
}

/// Runs a claimed account and says how it ended. Failures are in the answer; the error is for what prevents even that.
///
/// # Errors
/// When the lease was lost or the database cannot be used.
pub async fn run(
    ctx: SyncContext,
    lease: Lease,
    account: ClaimedAccount,
) -> Result<RunEnd, SyncError> {
    let until = Instant::now() + ctx.options.budget;
    let mut last: Option<Progress> = None;
    // One profile is enough; another one stands in when the first may not read the account any more.
    for (profile, page_roles) in &account.profiles {
        let puller = Puller {
            ctx: ctx.clone(),
            lease: lease.clone(),
            account: account.clone(),
            linkedin: Authorized::new(&ctx, profile.clone()).await?,
            page_roles: page_roles.clone(),
            until,
            linkedin_now: OnceLock::new(),
            tried_versions: Mutex::default(),
        };
        let progress = puller.everything().await?;
        let needs_another = progress.streams_read == 0
            && !progress.failures.is_empty()
            && progress.failures.iter().all(|failure| {
                matches!(
                    failure.reason(),
                    FailureReason::TokenExpired
                        | FailureReason::TokenRevoked
                        | FailureReason::NotAuthorized
                        | FailureReason::ConsentWithdrawn
                        | FailureReason::PermissionMissing
                        | FailureReason::Forbidden
                )
            });
        last = Some(progress);
        if !needs_another {
            break;
        }
    }
    let progress = match last {
        Some(progress) => progress,
        None => Progress {
            failures: vec![SyncError::found(
                FailureReason::NotAuthorized,
                "no authorised profile can read this account",
            )],
            ..Progress::default()
        },
    };
    Ok(end(&ctx, &account, &progress))
}

fn end(ctx: &SyncContext, account: &ClaimedAccount, progress: &Progress) -> RunEnd {
    let status = RunStatus::from_parts(progress.succeeded, progress.failures.len());
    let soonest = progress
        .failures
        .iter()
        .map(|failure| wait(ctx, account, failure))
        .min();
    // "Fewer requests", without a time: the whole account slows down.
    let slowed = progress
        .failures
        .iter()
        .filter(|failure| {
            failure.reason() == FailureReason::RateLimited && failure.retry_after().is_none()
        })
        .map(|failure| wait(ctx, account, failure))
        .max();
    let next_in = match slowed.or(soonest) {
        Some(wait) if slowed.is_some() => wait,
        None if progress.is_unfinished => Duration::ZERO,
        None => ctx.options.interval,
        // Streams that can be read keep their rhythm; an account of which none can is not asked every few minutes.
        Some(wait) if progress.streams_read > 0 => wait.min(ctx.options.interval),
        Some(wait) => wait,
    };
    RunEnd {
        status,
        failure: progress
            .failures
            .first()
            .map(|failure| (failure.reason(), failure.detail())),
        next_in: Some(next_in),
    }
}

fn wait(ctx: &SyncContext, account: &ClaimedAccount, failure: &SyncError) -> Duration {
    let now = ctx.clock.now();
    let attempt = u32::try_from(account.failure_streak)
        .unwrap_or(u32::MAX)
        .saturating_add(1);
    let at = next_attempt(
        attempt,
        failure.reason(),
        now,
        super::jitter(),
        failure.retry_after(),
    );
    (at - now).to_std().unwrap_or_default()
}

impl Puller {
    async fn everything(&self) -> Result<Progress, SyncError> {
        let mut progress = Progress::default();
        let forms = self.forms().await;
        let state = match &forms {
            Ok(0) => Some(FormSyncStatus::NoFormsAvailable),
            Ok(_) => Some(FormSyncStatus::Active),
            Err(error) => is_forbidden(error).then_some(FormSyncStatus::Forbidden),
        };
        progress.states.form = state;
        progress.took(forms)?;
        if self.campaigns_are_due() && !progress.is_without_token() {
            let campaigns = self.campaigns().await;
            progress.states.campaign = match &campaigns {
                Ok(0) => Some(CampaignSyncStatus::NoActiveCampaignsAvailable),
                Ok(_) => Some(CampaignSyncStatus::Active),
                Err(error) => is_forbidden(error).then_some(CampaignSyncStatus::Forbidden),
            };
            progress.took(campaigns)?;
        }
        // No part of what is read at LinkedIn: its success says nothing about the account.
        if let Err(error) = self.waiting().await {
            progress.took::<()>(Err(error))?;
        }
        let mut is_stream_forbidden = false;
        for lead_type in self.account.owner_type.lead_types() {
            if !may_read(*lead_type, &self.page_roles) {
                continue;
            }
            for is_test in [false, true] {
                if progress.is_without_token() {
                    break;
                }
                if self.ctx.stopping.load(Ordering::SeqCst) {
                    progress.is_unfinished = true;
                    break;
                }
                let key = StreamKey {
                    account_id: self.account.id.clone(),
                    lead_type: *lead_type,
                    is_test,
                };
                let stream = self.stream(&key).await;
                match stream {
                    Ok(finished) => {
                        progress.succeeded += 1;
                        progress.streams_read += 1;
                        progress.is_unfinished |= !finished;
                    }
                    Err(error) => {
                        let reason = error.reason();
                        is_stream_forbidden |= is_forbidden(&error);
                        progress.took::<()>(Err(error))?;
                        self.write(move |conn| store::streams::save_failure(conn, &key, reason))
                            .await?;
                    }
                }
            }
        }
        // One kind of lead that may not be read does not hide the others.
        if is_stream_forbidden && progress.streams_read == 0 {
            progress.states.form = Some(FormSyncStatus::Forbidden);
        }
        let (account, states, now) = (
            self.account.id.clone(),
            progress.states,
            self.ctx.clock.now(),
        );
        self.write(move |conn| {
            store::directory::accounts::save_account_states(conn, &account, states, now)?;
            store::directory::forms::save_form_states(conn, &account)
        })
        .await?;
        Ok(progress)
    }

    /// A write of this run: in one transaction with the check that the lease still stands.
    async fn write<T: Send + 'static>(
        &self,
        f: impl FnOnce(&mut store::AnyConn) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, SyncError> {
        let lease = self.lease.clone();
        self.ctx
            .store
            .write(move |conn| {
                store::leases::fence(conn, &lease)?;
                f(conn)
            })
            .await
            .map_err(|error: StoreError| error.into())
    }

    fn is_out_of_time(&self) -> bool {
        Instant::now() >= self.until || self.ctx.stopping.load(Ordering::SeqCst)
    }

    fn owner(&self) -> crate::linkedin::Owner {
        intake::owner(self.account.owner_type, self.account.linkedin_id)
    }
}

fn is_forbidden(error: &SyncError) -> bool {
    matches!(
        error.reason(),
        FailureReason::Forbidden | FailureReason::PermissionMissing
    )
}
