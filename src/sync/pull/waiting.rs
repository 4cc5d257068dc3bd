//! Submissions that wait for their decision: their form version was unknown, or a person asked to try again.

use super::batches::{Shared, is_refusal, record_synchronized};
use super::{PAGE_LIMIT, Puller};
use crate::store;
use crate::store::run_counts::RunCounts;
use crate::sync::intake::{Place, Response};
use crate::sync::{SyncError, process};

impl Puller {
    /// Decides about submissions that wait: their form version was unknown, or a person asked to try again.
    pub(super) async fn waiting(&self) -> Result<(), SyncError> {
        let limit = i64::try_from(self.ctx.options.batch_size).unwrap_or(1_000);
        for _ in 0..PAGE_LIMIT {
            let (account, attempts) = (
                self.account.id.clone(),
                self.ctx.options.submission_attempts,
            );
            let waiting = self
                .ctx
                .store
                .read(move |conn| store::intake::waiting(conn, &account, limit, attempts))
                .await?;
            if waiting.is_empty() {
                return Ok(());
            }
            let received = waiting.len();
            let responses: Vec<Response> = waiting
                .into_iter()
                .filter_map(|waiting| {
                    let place = Place {
                        lead_type: waiting.lead_type,
                        is_test: waiting.is_test,
                        until: waiting.submitted_at,
                    };
                    Response::reread(waiting.raw, place)
                        .inspect_err(|why| tracing::error!(why, "a stored response cannot be read"))
                        .ok()
                })
                .collect();
            self.learn_versions(&responses).await?;
            let done = self.decide_waiting(responses).await?;
            // Those that go on waiting are looked at again in the next run, not in a circle.
            if received < self.ctx.options.batch_size || done == RunCounts::default() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Decides about stored responses; one that the database refuses is parked by itself, and the others go on.
    async fn decide_waiting(&self, responses: Vec<Response>) -> Result<RunCounts, SyncError> {
        let again = process::Batch {
            retries: true,
            ..self.batch()
        };
        let responses = Shared::all(responses);
        let whole = self.decide_together(again.clone(), responses.clone()).await;
        let Err(SyncError::Store(refused)) = whole else {
            return whole;
        };
        if !is_refusal(&refused) {
            return Err(refused.into());
        }
        let mut counts = RunCounts::default();
        for one in responses.each() {
            counts += match self.decide_together(again.clone(), one.clone()).await {
                Err(SyncError::Store(refused)) if is_refusal(&refused) => {
                    let parked = process::Batch {
                        parks: Some(refused.to_string()),
                        ..again.clone()
                    };
                    self.decide_together(parked, one).await?
                }
                other => other?,
            };
        }
        Ok(counts)
    }

    async fn decide_together(
        &self,
        batch: process::Batch,
        responses: Shared,
    ) -> Result<RunCounts, SyncError> {
        let (run, account_name) = (self.lease.run_id.clone(), self.account.name.clone());
        self.write(move |conn| {
            let mut done = process::run(conn, &batch, responses.as_slice())?;
            done.submissions_new = 0;
            done.submissions_known = 0;
            store::run_counts::add(conn, &run, done)?;
            record_synchronized(conn, &batch, &run, &account_name, done)?;
            Ok(done)
        })
        .await
    }
}
