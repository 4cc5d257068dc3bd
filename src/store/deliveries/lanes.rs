//! The queues as a whole: whose they are, paused by people, and left alone for a while when the destination is in trouble.

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;

use super::super::columns::Cells;
use super::super::schema::{delivery_lanes as l, organizations, webhooks};
use super::super::{AnyConn, StoreError, database_now};
use crate::domain::delivery::DeliveryFailure;
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
