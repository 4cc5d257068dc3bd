//! Carries out what members deleted at LinkedIn, as soon as LinkedIn tells.

use std::time::Duration;

use uuid::Uuid;

use super::SyncContext;
use crate::store::{StoreError, member_deletions};

/// How long the loop sleeps when nothing waits.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Works on what waits until nothing does; answers how many deletions were carried out.
///
/// # Errors
/// As the database.
pub async fn run_due(ctx: &SyncContext) -> Result<usize, StoreError> {
    let mut done = 0;
    while ctx.store.read(member_deletions::is_any_due).await? {
        let now = ctx.clock.now();
        let one = move |conn: &mut crate::store::AnyConn| {
            member_deletions::carry_out_one(conn, now, || Uuid::now_v7().to_string())
        };
        if ctx.store.write(one).await? {
            done += 1;
            tracing::info!("a submission that its member deleted was erased");
            metrics::counter!("leadgen_member_deletions_total").increment(1);
        }
    }
    Ok(done)
}

/// Works until it is dropped, beside the scheduler.
pub(super) async fn keep_deleting(ctx: SyncContext) {
    loop {
        if let Err(error) = run_due(&ctx).await {
            tracing::warn!(error = %error, "a deletion by a member could not be carried out yet");
        }
        tokio::time::sleep(LOOK_EVERY.mul_f64(0.8 + 0.4 * super::jitter())).await;
    }
}
