//! The queues as a whole: one worker at a time, paused by people, and left alone for a while when the destination is in
//! trouble.

use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use diesel::prelude::*;

use super::super::columns::{self, Cells};
use super::super::schema::{deliveries as d, delivery_lanes as l, organizations, webhooks};
use super::super::{AnyConn, StoreError, database_now, lock_leads};
use crate::domain::delivery::{DeliveryFailure, DeliveryState};
use crate::domain::ids::{LaneId, OrganizationId, WebhookId};

/// Whose queue it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// A Dynamics 365 organization.
    Organization(OrganizationId),
    /// A webhook.
    Webhook(WebhookId),
}

/// A trouble of the destination as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// Why.
    pub reason: DeliveryFailure,
    /// What the destination said, without data of leads.
    pub detail: Option<String>,
    /// Since when.
    pub since: DateTime<Utc>,
    /// How often in a row.
    pub count: i64,
}

/// A queue.
#[derive(Debug, Clone)]
pub struct Lane {
    /// Identifier.
    pub id: LaneId,
    /// Whose it is.
    pub destination: Destination,
    /// The destination's name.
    pub name: String,
    /// Whether anything is queued and delivered.
    pub is_enabled: bool,
    /// Since when it is paused, and by whom.
    pub paused: Option<(DateTime<Utc>, String)>,
    /// Nothing is tried before.
    pub not_before: DateTime<Utc>,
    /// What is wrong.
    pub trouble: Option<Trouble>,
}

type Row = (
    String,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    bool,
    (Option<NaiveDateTime>, Option<String>),
    NaiveDateTime,
    (Option<String>, Option<String>, Option<NaiveDateTime>, i64),
);

fn lane(row: Row) -> Result<Lane, StoreError> {
    let (
        id,
        organization,
        organization_name,
        webhook,
        webhook_name,
        is_enabled,
        paused,
        not_before,
        trouble,
    ) = row;
    let cells = Cells {
        table: "delivery_lanes",
        id: &id,
    };
    let destination = match (organization, webhook) {
        (Some(id), None) => Destination::Organization(cells.word("organization_id", &id)?),
        (None, Some(id)) => Destination::Webhook(cells.word("webhook_id", &id)?),
        _ => return Err(cells.corrupt("organization_id")),
    };
    let (reason, detail, since, count) = trouble;
    let reason: Option<DeliveryFailure> = cells.optional("trouble", reason.as_deref())?;
    Ok(Lane {
        id: cells.word("id", &id)?,
        destination,
        name: organization_name.or(webhook_name).unwrap_or_default(),
        is_enabled,
        paused: paused
            .0
            .map(|at| (at.and_utc(), paused.1.unwrap_or_default())),
        not_before: not_before.and_utc(),
        trouble: reason.zip(since).map(|(reason, since)| Trouble {
            reason,
            detail,
            since: since.and_utc(),
            count,
        }),
    })
}

macro_rules! query {
    () => {
        l::table
            .left_join(organizations::table)
            .left_join(webhooks::table)
            .select((
                l::id,
                l::organization_id,
                organizations::name.nullable(),
                l::webhook_id,
                webhooks::name.nullable(),
                l::is_enabled,
                (l::paused_at, l::paused_by_name),
                l::not_before,
                (
                    l::trouble,
                    l::trouble_detail,
                    l::trouble_since,
                    l::trouble_count,
                ),
            ))
    };
}

/// Every queue, the oldest first.
///
/// # Errors
/// As any query.
pub fn list(conn: &mut AnyConn) -> Result<Vec<Lane>, StoreError> {
    let rows: Vec<Row> = query!().order((l::created_at, l::id)).load(conn)?;
    rows.into_iter().map(lane).collect()
}

/// One queue.
///
/// # Errors
/// `NotFound` when there is none.
pub fn get(conn: &mut AnyConn, id: &LaneId) -> Result<Lane, StoreError> {
    let row: Option<Row> = query!()
        .filter(l::id.eq(id.as_str()))
        .first(conn)
        .optional()?;
    row.map_or(Err(StoreError::NotFound("destination")), lane)
}

/// The queue of a destination.
///
/// # Errors
/// `NotFound` when there is none.
pub fn of(conn: &mut AnyConn, destination: &Destination) -> Result<Lane, StoreError> {
    let row: Option<Row> = match destination {
        Destination::Organization(id) => query!()
            .filter(l::organization_id.eq(id.as_str()))
            .first(conn)
            .optional()?,
        Destination::Webhook(id) => query!()
            .filter(l::webhook_id.eq(id.as_str()))
            .first(conn)
            .optional()?,
    };
    row.map_or(Err(StoreError::NotFound("destination")), lane)
}

/// Adds the queue of a destination.
///
/// # Errors
/// `Duplicate` when it has one.
pub fn insert(
    conn: &mut AnyConn,
    id: &LaneId,
    destination: &Destination,
) -> Result<(), StoreError> {
    let (organization, webhook) = match destination {
        Destination::Organization(id) => (Some(id.as_str()), None),
        Destination::Webhook(id) => (None, Some(id.as_str())),
    };
    let at = database_now(conn)?.naive_utc();
    diesel::insert_into(l::table)
        .values((
            l::id.eq(id.as_str()),
            l::organization_id.eq(organization),
            l::webhook_id.eq(webhook),
            l::is_enabled.eq(true),
            l::not_before.eq(at),
            l::trouble_count.eq(0_i64),
            l::lease_term.eq(0_i64),
            l::created_at.eq(at),
        ))
        .execute(conn)?;
    Ok(())
}

/// Switches a queue on or off. Off, nothing is queued, nothing is delivered but what is on its way, and what waits stays.
///
/// # Errors
/// `NotFound` when there is none.
pub fn set_enabled(conn: &mut AnyConn, id: &LaneId, is_enabled: bool) -> Result<(), StoreError> {
    let at = database_now(conn)?.naive_utc();
    touched(
        diesel::update(l::table.find(id.as_str()))
            .set((
                l::is_enabled.eq(is_enabled),
                l::not_before.eq(at),
                l::trouble.eq(None::<String>),
                l::trouble_detail.eq(None::<String>),
                l::trouble_since.eq(None::<NaiveDateTime>),
                l::trouble_count.eq(0_i64),
            ))
            .execute(conn)?,
    )
}

/// Lets a queue be tried at once, whatever trouble there was: somebody changed how its destination is reached.
///
/// # Errors
/// `NotFound` when there is none.
pub fn wake(conn: &mut AnyConn, id: &LaneId) -> Result<(), StoreError> {
    let at = database_now(conn)?.naive_utc();
    touched(
        diesel::update(l::table.find(id.as_str()))
            .set(l::not_before.eq(at))
            .execute(conn)?,
    )
}

/// The same, together with what failed because of the destination and waits for its own next attempt: somebody mended the way
/// there.
///
/// # Errors
/// `NotFound` when there is none.
pub fn mend(conn: &mut AnyConn, id: &LaneId) -> Result<(), StoreError> {
    wake(conn, id)?;
    let now = database_now(conn)?;
    super::work::hasten(conn, id, now)
}

/// Pauses a queue: things are queued, and nothing is delivered until somebody resumes it. A batch that is on its way arrives.
///
/// # Errors
/// `Rule` when it is paused already.
pub fn pause(
    conn: &mut AnyConn,
    id: &LaneId,
    by: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let changed = diesel::update(
        l::table
            .filter(l::id.eq(id.as_str()))
            .filter(l::paused_at.is_null()),
    )
    .set((
        l::paused_at.eq(Some(now.naive_utc())),
        l::paused_by_name.eq(Some(by)),
    ))
    .execute(conn)?;
    if changed == 0 {
        return Err(StoreError::Rule("It is paused already.".into()));
    }
    Ok(())
}

/// Resumes a queue; it is tried at once, whatever trouble there was.
///
/// # Errors
/// `Rule` when it is not paused.
pub fn resume(conn: &mut AnyConn, id: &LaneId) -> Result<(), StoreError> {
    let at = database_now(conn)?.naive_utc();
    let changed = diesel::update(
        l::table
            .filter(l::id.eq(id.as_str()))
            .filter(l::paused_at.is_not_null()),
    )
    .set((
        l::paused_at.eq(None::<NaiveDateTime>),
        l::paused_by_name.eq(None::<String>),
        l::not_before.eq(at),
    ))
    .execute(conn)?;
    if changed == 0 {
        return Err(StoreError::Rule("It is not paused.".into()));
    }
    Ok(())
}

fn touched(rows: usize) -> Result<(), StoreError> {
    if rows == 0 {
        return Err(StoreError::NotFound("destination"));
    }
    Ok(())
}

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
