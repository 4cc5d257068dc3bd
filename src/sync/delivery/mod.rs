//! Tells destinations what is queued for them ([`crate::store::deliveries`]): one worker at a time for each destination, so
//! that the order of a lead is kept, a slow destination delays no other, and one in trouble is left alone.
//!
//! At least once: a delivery keeps its identifier in every attempt, by which the destination recognises a repetition.

mod organization;
mod webhook;

pub use webhook::{WebhookClient, secret_cell, secret_text, wire_name};

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::SyncContext;
use super::worker::Worker;
use crate::domain::delivery::{DeliveryFailure, is_given_up, rest};
use crate::domain::ids::LeadId;
use crate::domain::lead::Lead;
use crate::store::audit::{self, Actor};
use crate::store::deliveries::lanes::{self, Destination};
use crate::store::deliveries::leases::{self, LaneEnd, LaneLease};
use crate::store::deliveries::list;
use crate::store::deliveries::work::{self, Attempt, Ended, Finished, Taken};
use crate::store::webhooks::{self, DisabledReason};
use crate::store::{self, StoreError};

/// How long the loop sleeps when nothing is due.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Destinations that one process works for at once.
const CONCURRENCY: usize = 8;
/// Messages to a webhook that one worker takes at once.
const BATCH: i64 = 64;
/// A worker gives the next destination its turn after so many batches.
const BATCHES: usize = 50;
/// How often what arrived long ago is looked for.
const CLEAN_EVERY: Duration = Duration::from_hours(6);
/// How long what arrived is kept for people to look at.
const KEEP_DELIVERED: chrono::TimeDelta = chrono::TimeDelta::days(30);

/// A delivery with the lead that it is about, as it is now.
struct Parcel {
    taken: Taken,
    lead: Option<Lead>,
    /// The name of the lead's owner.
    owner: Option<String>,
}

/// A trouble of the destination as a whole.
struct Trouble {
    reason: DeliveryFailure,
    detail: Option<String>,
    retry_after: Option<Duration>,
}

/// What became of a batch.
#[derive(Default)]
struct Sent {
    ended: Ended,
    /// Why some of it was not tried.
    trouble: Option<Trouble>,
}

impl Sent {
    /// The first trouble tells why; the longest pause that was asked for is kept.
    fn in_trouble(&mut self, trouble: Trouble) {
        match &mut self.trouble {
            Some(known) => known.retry_after = known.retry_after.max(trouble.retry_after),
            None => self.trouble = Some(trouble),
        }
    }

    /// None of them was tried.
    fn untried(parcels: &[Parcel], trouble: Trouble) -> Self {
        let ids = parcels.iter().map(|parcel| parcel.taken.id.clone());
        Self {
            ended: Ended {
                untried: ids.collect(),
                ..Ended::default()
            },
            trouble: Some(trouble),
        }
    }
}

/// Works on what is due until nothing is; answers how many deliveries arrived.
///
/// # Errors
/// As the database.
pub async fn run_due(ctx: &SyncContext) -> Result<usize, StoreError> {
    let mut delivered = 0;
    while let Some(lease) = claim(ctx).await? {
        delivered += work(ctx, lease).await?;
    }
    Ok(delivered)
}

async fn claim(ctx: &SyncContext) -> Result<Option<LaneLease>, StoreError> {
    if !ctx.store.read(leases::is_any_due).await? {
        return Ok(None);
    }
    let (owner, length) = (ctx.owner.clone(), ctx.options.lease);
    ctx.store
        .write(move |conn| leases::claim(conn, &owner, length))
        .await
}

/// Works for one destination until nothing is due, it is in trouble, or its turn is over.
async fn work(ctx: &SyncContext, lease: LaneLease) -> Result<usize, StoreError> {
    let limit = match &lease.destination {
        Destination::Webhook(_) => BATCH,
        Destination::Organization(_) => organization::BATCH,
    };
    let mut delivered = 0;
    let mut end = LaneEnd::Unknown;
    for _ in 0..BATCHES {
        if ctx.stopping.load(Ordering::SeqCst) {
            break;
        }
        let parcels = match take(ctx, &lease, limit).await {
            Ok(parcels) if parcels.is_empty() => break,
            Ok(parcels) => parcels,
            // Paused, switched off or taken over: whoever did it decides what is next.
            Err(StoreError::LeaseLost) => return Ok(delivered),
            Err(error) => return Err(error),
        };
        let sent = held(ctx, &lease, async {
            match &lease.destination {
                Destination::Webhook(id) => webhook::deliver(ctx, id, parcels).await,
                Destination::Organization(id) => organization::deliver(ctx, id, parcels).await,
            }
        })
        .await?;
        let Sent { ended, trouble } = sent;
        let (held, jitter) = (lease.clone(), super::jitter());
        let finished = ctx
            .store
            .write(move |conn| work::finish(conn, &held, &ended, jitter))
            .await;
        let finished = match finished {
            Ok(finished) => finished,
            Err(StoreError::LeaseLost) => return Ok(delivered),
            Err(error) => return Err(error),
        };
        delivered += finished.delivered;
        count(finished);
        if let Some(trouble) = trouble {
            end = trouble_end(ctx, &lease, trouble).await?;
            break;
        }
        if finished.delivered > 0 {
            end = LaneEnd::Well;
        }
    }
    ctx.store
        .write(move |conn| leases::release(conn, &lease, &end))
        .await?;
    Ok(delivered)
}

fn count(finished: Finished) {
    let ends = [
        ("delivered", finished.delivered),
        ("failed", finished.failed),
        ("dead", finished.dead),
    ];
    for (end, number) in ends {
        let number = u64::try_from(number).unwrap_or(u64::MAX);
        metrics::counter!("leadgen_deliveries_total", "end" => end).increment(number);
    }
}

/// Does a piece of work and keeps the lease meanwhile, however slow the destination is.
async fn held<T>(ctx: &SyncContext, lease: &LaneLease, work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done,
            () = tokio::time::sleep(lease.length / 3) => {
                let kept = lease.clone();
                // One that is lost is noticed when the end is written down.
                let _lost = ctx.store.write(move |conn| leases::fence(conn, &kept)).await;
            }
        }
    }
}

async fn take(ctx: &SyncContext, lease: &LaneLease, limit: i64) -> Result<Vec<Parcel>, StoreError> {
    let held = lease.clone();
    let taken = ctx
        .store
        .write(move |conn| work::take(conn, &held, limit))
        .await?;
    if taken.is_empty() {
        return Ok(Vec::new());
    }
    ctx.store
        .read(move |conn| {
            let ids: Vec<LeadId> = taken.iter().filter_map(|one| one.lead_id.clone()).collect();
            let leads = store::lead_rows::load(conn, &ids)?;
            let owners: Vec<_> = leads.iter().map(|lead| lead.owner_id.clone()).collect();
            let owners = store::owners::names(conn, &owners)?;
            let leads: HashMap<LeadId, Lead> = leads
                .into_iter()
                .map(|lead| (lead.id.clone(), lead))
                .collect();
            Ok(taken
                .into_iter()
                .map(|taken| {
                    let lead = taken.lead_id.as_ref().and_then(|id| leads.get(id)).cloned();
                    let owner = lead
                        .as_ref()
                        .and_then(|lead| owners.get(&lead.owner_id))
                        .cloned();
                    Parcel { taken, lead, owner }
                })
                .collect())
        })
        .await
}

/// How long the destination is left alone; a webhook that failed for days, or that asked for it, is switched off.
async fn trouble_end(
    ctx: &SyncContext,
    lease: &LaneLease,
    trouble: Trouble,
) -> Result<LaneEnd, StoreError> {
    let (id, now) = (lease.lane.clone(), ctx.clock.now());
    let lane = ctx.store.read(move |conn| lanes::get(conn, &id)).await?;
    let (count, since) = match &lane.trouble {
        Some(known) => (known.count + 1, known.since),
        None => (1, now),
    };
    tracing::warn!(
        lane.id = %lease.lane, delivery.reason = trouble.reason.as_str(), trouble.count = count,
        "a destination is in trouble"
    );
    let why = if trouble.reason == DeliveryFailure::Gone {
        Some(DisabledReason::Gone)
    } else if is_given_up(count, since, now) {
        Some(DisabledReason::Failing)
    } else {
        None
    };
    if let (Some(why), Destination::Webhook(webhook)) = (why, lease.destination.clone()) {
        let lane = lease.lane.clone();
        ctx.store
            .write(move |conn| {
                let name = webhooks::get(conn, &webhook)?.name;
                webhooks::set_disabled(conn, &webhook, Some(why), now)?;
                lanes::set_enabled(conn, &lane, false)?;
                audit::record(
                    conn,
                    now,
                    &Actor::system(),
                    "webhook.disabled",
                    ("webhook", webhook.as_str(), &name),
                    None,
                    Some(serde_json::json!({ "reason": why })),
                )
            })
            .await?;
    }
    Ok(LaneEnd::Trouble {
        reason: trouble.reason,
        detail: trouble.detail,
        rest: rest(count, super::jitter(), trouble.retry_after),
    })
}

/// Works until it is dropped, beside the scheduler.
pub(super) async fn keep_delivering(ctx: SyncContext) {
    let worker = Worker {
        failure: "deliveries could not be worked on",
        at_once: CONCURRENCY,
        look_every: LOOK_EVERY,
    };
    let send = |lease| {
        let ctx = ctx.clone();
        async move { work(&ctx, lease).await }
    };
    tokio::join!(worker.run(|| claim(&ctx), send), keep_clean(&ctx));
}

/// Forgets what arrived long ago.
async fn keep_clean(ctx: &SyncContext) {
    loop {
        let before = ctx.clock.now() - KEEP_DELIVERED;
        let cleaned = ctx
            .store
            .write(move |conn| list::delete_delivered_before(conn, before))
            .await;
        if let Err(error) = cleaned {
            tracing::error!(error = %error, "old deliveries could not be deleted");
        }
        tokio::time::sleep(CLEAN_EVERY.mul_f64(0.8 + 0.4 * super::jitter())).await;
    }
}
