//! The right to work on a queue: one worker at a time, for so long, and what that worker may try.

use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use diesel::prelude::*;

use super::super::columns;
use super::super::schema::{deliveries as d, delivery_lanes as l};
use super::super::{AnyConn, StoreError, database_now, lock_leads};
use super::lanes::Destination;
use crate::domain::delivery::{DeliveryFailure, DeliveryState};
use crate::domain::ids::{LaneId, OrganizationId};

/// Deliveries that wait, are due at this time, and are the oldest open one of their lead: only those can be tried.
macro_rules! triable {
    ($lane:expr, $at:expr) => {{
        let earlier = diesel::alias!(d as earlier);
        let [pending, failed] = waiting();
        let open = [pending, failed, DeliveryState::InProgress.as_str()];
        d::table
            .filter(d::lane_id.eq($lane))
            .filter(d::state.eq_any(waiting()))
            .filter(d::next_attempt_at.le($at))
            .filter(diesel::dsl::not(diesel::dsl::exists(
                earlier
                    .filter(earlier.field(d::lane_id).eq(d::lane_id))
                    .filter(earlier.field(d::lead_id).eq(d::lead_id))
                    .filter(earlier.field(d::state).eq_any(open))
                    .filter(earlier.field(d::id).lt(d::id)),
            )))
    }};
}
pub(super) use triable;

/// Queues that nobody works on and in which something can be tried at this time, or was left in progress.
macro_rules! due {
    ($at:expr) => {
        l::table
            .filter(l::is_enabled.eq(true))
            .filter(l::paused_at.is_null())
            .filter(l::not_before.le($at))
            .filter(
                l::lease_owner
                    .is_null()
                    .or(l::lease_expires_at.is_null())
                    .or(l::lease_expires_at.le($at)),
            )
            .filter(
                diesel::dsl::exists(triable!(l::id, $at)).or(diesel::dsl::exists(
                    d::table
                        .filter(d::lane_id.eq(l::id))
                        .filter(d::state.eq(DeliveryState::InProgress.as_str())),
                )),
            )
    };
}

/// The right to work on a queue.
#[derive(Debug, Clone)]
pub struct LaneLease {
    /// The queue.
    pub lane: LaneId,
    /// Whose queue it is.
    pub destination: Destination,
    /// The process.
    pub owner: String,
    /// Counts the claims.
    pub term: i64,
    /// How long it holds without being extended.
    pub length: Duration,
}

/// The words of the states in which a delivery waits.
pub(super) fn waiting() -> [&'static str; 2] {
    [
        DeliveryState::Pending.as_str(),
        DeliveryState::Failed.as_str(),
    ]
}

/// Claims a queue in which something is due; what its last worker left in progress waits again.
///
/// # Errors
/// As any query.
pub fn claim(
    conn: &mut AnyConn,
    owner: &str,
    length: Duration,
) -> Result<Option<LaneLease>, StoreError> {
    lock_leads(conn)?;
    for _ in 0..5 {
        let now = database_now(conn)?;
        let at = now.naive_utc();
        let candidate: Option<(String, Option<String>, Option<String>, i64)> = due!(at)
            .select((l::id, l::organization_id, l::webhook_id, l::lease_term))
            .order((l::not_before, l::id))
            .first(conn)
            .optional()?;
        let Some((id, organization, webhook, term)) = candidate else {
            return Ok(None);
        };
        let won = diesel::update(
            l::table
                .filter(l::id.eq(&id))
                .filter(l::lease_term.eq(term)),
        )
        .set((
            l::lease_owner.eq(Some(owner)),
            l::lease_term.eq(term + 1),
            l::lease_expires_at.eq(end(now, length)),
        ))
        .execute(conn)?;
        if won == 0 {
            continue;
        }
        let destination = match (organization, webhook) {
            (Some(id), _) => Destination::Organization(columns::id("organizations", &id)?),
            (None, Some(id)) => Destination::Webhook(columns::id("webhooks", &id)?),
            (None, None) => return Err(StoreError::NotFound("destination")),
        };
        let lease = LaneLease {
            lane: columns::id("delivery_lanes", &id)?,
            destination,
            owner: owner.to_owned(),
            term: term + 1,
            length,
        };
        super::work::recover(conn, &lease.lane, at)?;
        return Ok(Some(lease));
    }
    Ok(None)
}

/// Whether a queue has something to do; a look without a write lock.
///
/// # Errors
/// As any query.
pub fn is_any_due(conn: &mut AnyConn) -> Result<bool, StoreError> {
    let at = database_now(conn)?.naive_utc();
    let found: Option<String> = due!(at).select(l::id).first(conn).optional()?;
    Ok(found.is_some())
}

fn end(now: DateTime<Utc>, length: Duration) -> Option<NaiveDateTime> {
    let length = TimeDelta::from_std(length).unwrap_or(TimeDelta::MAX);
    now.checked_add_signed(length).map(|end| end.naive_utc())
}

/// Ends the lease on an organization's queue: what its worker is about to write down is about records that are forgotten.
/// What it has taken waits again.
pub(in crate::store) fn revoke(
    conn: &mut AnyConn,
    organization: &OrganizationId,
) -> Result<(), StoreError> {
    diesel::update(l::table.filter(l::organization_id.eq(organization.as_str())))
        .set((
            l::lease_owner.eq(None::<String>),
            l::lease_expires_at.eq(None::<NaiveDateTime>),
            l::lease_term.eq(l::lease_term + 1),
        ))
        .execute(conn)?;
    Ok(())
}

/// Whether somebody works on a queue now.
pub(super) fn is_worked_on(conn: &mut AnyConn, lane: &LaneId) -> Result<bool, StoreError> {
    let at = database_now(conn)?.naive_utc();
    let found: Option<String> = l::table
        .filter(l::id.eq(lane.as_str()))
        .filter(l::lease_owner.is_not_null())
        .filter(l::lease_expires_at.gt(at))
        .select(l::id)
        .first(conn)
        .optional()?;
    Ok(found.is_some())
}

/// Extends a lease; every write of a worker begins with it.
///
/// # Errors
/// `LeaseLost` when another process took it, or the destination is gone.
pub fn fence(conn: &mut AnyConn, lease: &LaneLease) -> Result<(), StoreError> {
    let now = database_now(conn)?;
    let held = diesel::update(
        l::table
            .filter(l::id.eq(lease.lane.as_str()))
            .filter(l::lease_owner.eq(&lease.owner))
            .filter(l::lease_term.eq(lease.term)),
    )
    .set(l::lease_expires_at.eq(end(now, lease.length)))
    .execute(conn)?;
    if held == 0 {
        return Err(StoreError::LeaseLost);
    }
    Ok(())
}

/// Whether more may be taken from a queue: nobody paused it or switched it off.
pub(super) fn is_open(conn: &mut AnyConn, lane: &LaneId) -> Result<bool, StoreError> {
    let found: Option<String> = l::table
        .filter(l::id.eq(lane.as_str()))
        .filter(l::is_enabled.eq(true))
        .filter(l::paused_at.is_null())
        .select(l::id)
        .first(conn)
        .optional()?;
    Ok(found.is_some())
}

/// How a worker leaves a queue.
#[derive(Debug, Clone)]
pub enum LaneEnd {
    /// The destination works.
    Well,
    /// The destination is in trouble: leave it alone for so long.
    Trouble {
        /// Why.
        reason: DeliveryFailure,
        /// What it said, without data of leads.
        detail: Option<String>,
        /// How long.
        rest: TimeDelta,
    },
    /// Nothing was learned about the destination.
    Unknown,
}

/// Gives a lease back.
///
/// # Errors
/// As any query; a lease that is lost is no error.
pub fn release(conn: &mut AnyConn, lease: &LaneLease, end: &LaneEnd) -> Result<(), StoreError> {
    let now = database_now(conn)?;
    let mine = l::table
        .filter(l::id.eq(lease.lane.as_str()))
        .filter(l::lease_owner.eq(&lease.owner))
        .filter(l::lease_term.eq(lease.term));
    let free = (
        l::lease_owner.eq(None::<String>),
        l::lease_expires_at.eq(None::<NaiveDateTime>),
    );
    match end {
        LaneEnd::Unknown => diesel::update(mine).set(free).execute(conn)?,
        LaneEnd::Well => {
            let was_in_trouble: Option<Option<String>> =
                mine.select(l::trouble).first(conn).optional()?;
            if was_in_trouble.flatten().is_some() {
                super::work::hasten(conn, &lease.lane, now)?;
            }
            diesel::update(mine)
                .set((
                    free,
                    l::trouble.eq(None::<String>),
                    l::trouble_detail.eq(None::<String>),
                    l::trouble_since.eq(None::<NaiveDateTime>),
                    l::trouble_count.eq(0_i64),
                ))
                .execute(conn)?
        }
        LaneEnd::Trouble {
            reason,
            detail,
            rest,
        } => {
            let known: Option<Option<NaiveDateTime>> =
                mine.select(l::trouble_since).first(conn).optional()?;
            let since = known.flatten().unwrap_or_else(|| now.naive_utc());
            let until = now.checked_add_signed(*rest).unwrap_or(now);
            diesel::update(mine)
                .set((
                    free,
                    l::trouble.eq(Some(reason.as_str())),
                    l::trouble_detail.eq(detail),
                    l::trouble_since.eq(Some(since)),
                    l::trouble_count.eq(l::trouble_count + 1),
                    l::not_before.eq(until.naive_utc()),
                ))
                .execute(conn)?
        }
    };
    Ok(())
}
