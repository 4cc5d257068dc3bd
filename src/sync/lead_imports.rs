//! The work on imports of leads: batch by batch, each stored with its place, so that it goes on after any end of a process.

use std::time::Duration;

use chrono::TimeDelta;
use uuid::Uuid;

use crate::clock::Clock;
use crate::domain::ids::ImportId;
use crate::store::{Store, StoreError, lead_imports};

/// Times that a batch is tried again when the database is busy.
const ATTEMPTS: u32 = 20;
/// Work that moved nothing for so long has lost its worker.
pub const STALLED_AFTER: TimeDelta = TimeDelta::seconds(15);
/// How long the rows of an import are kept: they hold personal data, and undoing needs them.
const ROWS_KEPT: TimeDelta = TimeDelta::days(30);
/// Time between two looks for work that lost its worker.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Works on an import until there is nothing more to do, or it cannot go on; then it says so on the import.
pub async fn run(store: Store, clock: Clock, id: ImportId) {
    let mut attempts = 0;
    loop {
        let (import_id, now) = (id.clone(), clock.now());
        let step = store
            .write(move |tx| lead_imports::advance(tx, &import_id, now, Uuid::now_v7))
            .await;
        match step {
            Ok(true) => attempts = 0,
            Ok(false) => return,
            // Thrown away meanwhile.
            Err(StoreError::NotFound(_)) => return,
            Err(error) if error.is_transient() && attempts < ATTEMPTS => {
                attempts += 1;
                tokio::time::sleep(Duration::from_millis(250)).await;
            }
            Err(error) => {
                note_failure(&store, &clock, &id, error).await;
                return;
            }
        }
    }
}

async fn note_failure(store: &Store, clock: &Clock, id: &ImportId, error: StoreError) {
    tracing::error!(import.id = %id, error = %error, "the work on an import stopped");
    let sentence = match error {
        StoreError::Rule(sentence) => sentence,
        error if error.is_transient() => "The database was busy or away for too long.".to_owned(),
        _ => "A fault of the portal stopped it; the log of the portal says more.".to_owned(),
    };
    let (id, now) = (id.clone(), clock.now());
    let noted = store
        .write(move |tx| lead_imports::fail(tx, &id, &sentence, now))
        .await;
    if let Err(error) = noted {
        tracing::error!(error = %error, "the end of the work on an import could not be noted");
    }
}

/// Goes on with one import whose worker is gone, if there is one; whether there was.
///
/// # Errors
/// As the database.
pub async fn go_on_with_stalled(store: &Store, clock: &Clock) -> Result<bool, StoreError> {
    let before = clock.now() - STALLED_AFTER;
    let Some(id) = store
        .read(move |conn| lead_imports::stalled(conn, before))
        .await?
    else {
        return Ok(false);
    };
    tracing::info!(import.id = %id, "going on with an import whose worker is gone");
    run(store.clone(), clock.clone(), id).await;
    Ok(true)
}

/// The scheduler's housekeeping: goes on with what lost its worker, and forgets the rows of old imports and of what was uploaded from
/// Microsoft's connector. Never ends.
pub(super) async fn keep_house(store: Store, clock: Clock) {
    loop {
        tokio::time::sleep(LOOK_EVERY.mul_f64(0.8 + 0.4 * super::jitter())).await;
        let old = clock.now() - ROWS_KEPT;
        let outcome = async {
            while go_on_with_stalled(&store, &clock).await? {}
            if store
                .read(move |conn| lead_imports::has_old(conn, old))
                .await?
            {
                store
                    .write(move |tx| lead_imports::forget_rows(tx, old))
                    .await?;
            }
            super::moving_in::forget_old(&store, clock.now()).await?;
            Ok::<_, StoreError>(())
        };
        if let Err(error) = outcome.await {
            tracing::debug!(error = %error, "imports could not be looked after");
        }
    }
}
