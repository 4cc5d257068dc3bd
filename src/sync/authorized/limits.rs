//! Endpoints that LinkedIn closed: for the day, for as long as it asked, or for this run.

use super::Authorized;
use crate::domain::sync::{FailureReason, next_attempt};
use crate::linkedin::{DayLimit, LinkedInError};
use crate::store::{self, StoreError};
use crate::sync::SyncError;

impl Authorized {
    /// Spends no request on an endpoint that is closed.
    pub(super) fn refuse_closed(&self, endpoint: &str) -> Result<(), SyncError> {
        let now = self.ctx.clock.now();
        let blocks = self
            .blocks
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let closed = [None, Some(self.profile.clone())]
            .into_iter()
            .filter_map(|profile| blocks.get(&(endpoint.to_owned(), profile)))
            .max_by_key(|(until, _)| *until)
            .filter(|(until, _)| *until > now);
        if let Some((until, reason)) = closed {
            return Err(SyncError::Closed {
                reason: *reason,
                detail: format!(
                    "{endpoint} is closed until {}",
                    until.format("%Y-%m-%d %H:%M UTC")
                ),
                wait: (*until - now).to_std().unwrap_or_default(),
            });
        }
        let paused = self
            .paused
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        match paused.get(endpoint) {
            Some(error) => Err(error.clone().into()),
            None => Ok(()),
        }
    }

    /// Remembers a rate limit: for the day or for as long as LinkedIn asked for all replicas, otherwise for this run.
    pub(super) async fn after_failure(&self, endpoint: &str, error: LinkedInError) -> SyncError {
        let LinkedInError::RateLimited {
            day_limit,
            retry_after,
            ..
        } = &error
        else {
            return error.into();
        };
        let now = self.ctx.clock.now();
        let block = match (day_limit, retry_after.filter(|wait| !wait.is_zero())) {
            (Some(limit), wait) => Some((
                match limit {
                    DayLimit::Application => None,
                    DayLimit::ApplicationAndMember => Some(self.profile.clone()),
                },
                FailureReason::DailyLimitReached,
                next_attempt(1, FailureReason::DailyLimitReached, now, 0.0, wait),
            )),
            (None, Some(wait)) => Some((
                Some(self.profile.clone()),
                FailureReason::RateLimited,
                next_attempt(1, FailureReason::RateLimited, now, 0.0, Some(wait)),
            )),
            (None, None) => None,
        };
        let Some((profile, reason, until)) = block else {
            if let Ok(mut paused) = self.paused.lock() {
                paused.insert(endpoint.to_owned(), error.clone());
            }
            return error.into();
        };
        if let Ok(mut blocks) = self.blocks.lock() {
            blocks.insert((endpoint.to_owned(), profile.clone()), (until, reason));
        }
        let block = store::streams::Block {
            endpoint: endpoint.to_owned(),
            profile,
            until,
            reason,
        };
        let stored = self
            .ctx
            .store
            .write(move |conn| store::streams::block(conn, &block))
            .await;
        if let Err(problem) = stored {
            let problem: StoreError = problem;
            tracing::warn!(error = %problem, "the rate limit could not be stored");
        }
        error.into()
    }
}
