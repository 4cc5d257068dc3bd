//! The loop of a background worker: claims pieces of work, and does several of them at once.

use std::time::Duration;

use tokio::task::JoinSet;

use crate::store::StoreError;

/// How a worker goes about it.
pub(super) struct Worker {
    /// What the log says when the database fails.
    pub(super) failure: &'static str,
    /// Pieces of work that one process does at once.
    pub(super) at_once: usize,
    /// How long it sleeps when nothing is due.
    pub(super) look_every: Duration,
}

impl Worker {
    /// Works until it is dropped.
    pub(super) async fn run<L, C, W>(self, claim: impl Fn() -> C, work: impl Fn(L) -> W)
    where
        C: Future<Output = Result<Option<L>, StoreError>>,
        W: Future<Output = Result<usize, StoreError>> + Send + 'static,
    {
        let mut running: JoinSet<Result<usize, StoreError>> = JoinSet::new();
        let mut is_well = true;
        loop {
            let mut found = false;
            if running.len() < self.at_once {
                match claim().await {
                    Ok(Some(lease)) => {
                        found = true;
                        running.spawn(work(lease));
                    }
                    Ok(None) => is_well = true,
                    Err(error) => self.say(&error, &mut is_well),
                }
            }
            while let Some(ended) = running.try_join_next() {
                match ended {
                    Ok(Ok(_)) => {}
                    Ok(Err(error)) => self.say(&error, &mut is_well),
                    Err(error) => tracing::error!(
                        task.is_panic = error.is_panic(),
                        "a background task ended unexpectedly"
                    ),
                }
            }
            if !found {
                tokio::time::sleep(self.look_every.mul_f64(0.8 + 0.4 * super::jitter())).await;
            }
        }
    }

    /// One line for an outage of the database, not one for each look.
    fn say(&self, error: &StoreError, is_well: &mut bool) {
        if *is_well {
            tracing::error!(error = %error, "{}", self.failure);
        }
        *is_well = false;
    }
}
