//! A process says that it lives and which secret keys it holds, and follows the keys through a rotation.

use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use super::App;
use crate::auth::key_states::Watch;
use crate::store::processes::{self, Announcement};
use crate::sync::SyncContext;

/// How often to look at the keys: one small read, which a rotation waits for.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// A process on the list of processes, until it leaves or is dropped.
pub struct Presence {
    ctx: SyncContext,
    task: JoinHandle<()>,
}

impl App {
    /// Puts this process on the list of processes, for the System page, for the sentence of health, and for rotations.
    #[must_use]
    pub fn announce(&self, has_portal: bool, has_scheduler: bool) -> Presence {
        let watch = Watch::new(self.keys.clone());
        Presence {
            ctx: self.ctx.clone(),
            task: tokio::spawn(stay(self.ctx.clone(), watch, has_portal, has_scheduler)),
        }
    }
}

fn announcement(ctx: &SyncContext, has_portal: bool, has_scheduler: bool) -> Announcement {
    Announcement {
        name: ctx.owner.to_string(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        has_portal,
        has_scheduler,
        held_keys: ctx
            .secret_key
            .ids()
            .iter()
            .map(ToString::to_string)
            .collect(),
        sealing_key: ctx.secret_key.sealing_id().map(|id| id.to_string()),
    }
}

/// Goes on until it is dropped. What is said of the keys is one look old: whatever was begun with the key that sealed before
/// has been stored by then.
async fn stay(ctx: SyncContext, mut watch: Watch, has_portal: bool, has_scheduler: bool) {
    let mut said: Option<(Announcement, Instant)> = None;
    loop {
        let now = announcement(&ctx, has_portal, has_scheduler);
        let every = Duration::from_secs(processes::ANNOUNCE_SECONDS);
        let is_due = said
            .as_ref()
            .is_none_or(|(before, at)| *before != now || at.elapsed() >= every);
        if is_due {
            let saying = now.clone();
            match ctx
                .store
                .write(move |conn| processes::announce(conn, &saying))
                .await
            {
                Ok(()) => said = Some((now, Instant::now())),
                // A database that is away is somebody else's line in the log.
                Err(error) => {
                    tracing::debug!(error = %error, "the process could not announce itself");
                }
            }
        }
        if let Err(error) = watch.look(&ctx.store, &ctx.secret_key).await {
            tracing::debug!(error = %error, "the secret keys could not be looked up");
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

impl Presence {
    /// Takes this process off the list: it ends in order.
    pub async fn leave(self) {
        self.task.abort();
        let name = self.ctx.owner.to_string();
        let outcome = self
            .ctx
            .store
            .write(move |conn| processes::leave(conn, &name))
            .await;
        if let Err(error) = outcome {
            tracing::debug!(error = %error, "the process could not take its leave");
        }
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.task.abort();
    }
}
