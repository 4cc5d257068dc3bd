//! Saves responses together with the cursor; when the database refuses them, one by one.

use std::ops::Range;
use std::sync::Arc;

use super::Puller;
use crate::domain::ids::RunId;
use crate::domain::sync::StreamState;
use crate::store::run_counts::RunCounts;
use crate::store::streams::StreamKey;
use crate::store::{self, StoreError};
use crate::sync::intake::Response;
use crate::sync::{SyncError, process};

/// Responses that are to be saved together: all of a list, or one of it when it is tried again by itself.
#[derive(Clone)]
pub(super) struct Shared {
    list: Arc<Vec<Response>>,
    part: Range<usize>,
}

impl Shared {
    pub(super) fn all(responses: Vec<Response>) -> Self {
        Self {
            part: 0..responses.len(),
            list: Arc::new(responses),
        }
    }

    pub(super) fn each(&self) -> impl Iterator<Item = Self> + '_ {
        self.part.clone().map(|index| Self {
            list: self.list.clone(),
            part: index..index + 1,
        })
    }

    pub(super) fn as_slice(&self) -> &[Response] {
        self.list.get(self.part.clone()).unwrap_or_default()
    }
}

impl Puller {
    pub(super) fn batch(&self) -> process::Batch {
        process::Batch {
            account_id: self.account.id.clone(),
            account_name: self.account.name.clone(),
            attempts: self.ctx.options.submission_attempts,
            now: self.ctx.clock.now(),
            retries: false,
            parks: None,
            wish: None,
        }
    }

    /// Saves a batch with its cursor. When the database refuses what the decisions made of it, each response is tried by
    /// itself, and one that cannot be decided about is parked: stored, visible, with its reason. The others go on.
    pub(super) async fn save_batch(
        &self,
        key: &StreamKey,
        state: &StreamState,
        responses: Vec<Response>,
        fetched: RunCounts,
    ) -> Result<(), SyncError> {
        let responses = Shared::all(responses);
        let whole = self
            .save_together(key, state, self.batch(), responses.clone(), fetched)
            .await;
        let Err(SyncError::Store(refused)) = whole else {
            return whole;
        };
        if !is_refusal(&refused) {
            return Err(refused.into());
        }
        tracing::error!(account.id = %self.account.id, error = %refused, "a batch was refused, saving one by one");
        let (stream, unmoved) = (key.clone(), {
            let key = key.clone();
            self.ctx
                .store
                .read(move |conn| store::streams::find(conn, &key))
                .await?
        });
        for one in responses.each() {
            let alone = self
                .save_together(
                    &stream,
                    &unmoved,
                    self.batch(),
                    one.clone(),
                    RunCounts::default(),
                )
                .await;
            match alone {
                Err(SyncError::Store(refused)) if is_refusal(&refused) => {
                    let mut batch = self.batch();
                    batch.parks = Some(refused.to_string());
                    self.save_together(&stream, &unmoved, batch, one, RunCounts::default())
                        .await?;
                }
                other => other?,
            }
        }
        self.save_together(key, state, self.batch(), Shared::all(Vec::new()), fetched)
            .await
    }

    async fn save_together(
        &self,
        key: &StreamKey,
        state: &StreamState,
        batch: process::Batch,
        responses: Shared,
        fetched: RunCounts,
    ) -> Result<(), SyncError> {
        let run = self.lease.run_id.clone();
        let (key, state) = (key.clone(), state.clone());
        let account_name = self.account.name.clone();
        self.write(move |conn| {
            let mut counts = fetched;
            counts += process::run(conn, &batch, responses.as_slice())?;
            store::streams::save(conn, &key, &state, None)?;
            store::run_counts::add(conn, &run, counts)?;
            record_synchronized(conn, &batch, &run, &account_name, counts)
        })
        .await
    }
}

/// The audit entry of a batch that wrote anything, under the identity of the sync.
pub(super) fn record_synchronized(
    conn: &mut store::AnyConn,
    batch: &process::Batch,
    run: &RunId,
    account_name: &str,
    counts: RunCounts,
) -> Result<(), StoreError> {
    let decided = counts.leads_created
        + counts.leads_updated
        + counts.match_failed
        + counts.processing_failed;
    if counts.submissions_new + decided == 0 {
        return Ok(());
    }
    store::audit::record(
        conn,
        batch.now,
        &store::audit::Actor::s2s_inbound(),
        "form_submissions.synchronized",
        ("linkedin_account", batch.account_id.as_str(), account_name),
        None,
        Some(serde_json::json!({
            "sync_run": run.as_str(),
            "submissions": counts.submissions_new,
            "leads_created": counts.leads_created,
            "leads_updated": counts.leads_updated,
        })),
    )
}

/// Whether the database refused the content, in contrast to being away.
pub(in crate::sync) fn is_refusal(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::Database(_)
            | StoreError::Duplicate(_)
            | StoreError::InUse(_)
            | StoreError::Corrupt { .. }
    )
}
