//! Deliveries as people see them: the filtered list, one with its attempts, and asking for another attempt.

use std::collections::HashSet;

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;

use super::super::columns::{BoundedCount, COUNT_LIMIT, Cells, bounded_count};
use super::super::paging::{Cursor, Page, PageStart, keyset};
use super::super::schema::{
    deliveries as d, delivery_attempts, delivery_lanes, organizations, webhooks,
};
use super::super::{AnyConn, StoreError, database_now, leads, lock_leads};
use crate::domain::delivery::{DeliveryEvent, DeliveryFailure, DeliveryState};
use crate::domain::ids::{DeliveryId, LaneId, LeadId, SubmissionId};

/// Which deliveries a list shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeliveryFilter {
    /// Only in this state.
    pub state: Option<DeliveryState>,
    /// Only to this destination.
    pub lane_id: Option<LaneId>,
    /// Only this event.
    pub event: Option<DeliveryEvent>,
    /// Only those that failed for this reason.
    pub reason: Option<DeliveryFailure>,
    /// Only about this lead.
    pub lead_id: Option<LeadId>,
}

/// A delivery.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Identifier.
    pub id: DeliveryId,
    /// The destination's queue.
    pub lane_id: LaneId,
    /// The destination's name.
    pub destination: String,
    /// What it is told.
    pub event: DeliveryEvent,
    /// About which lead, with its name.
    pub lead: Option<(LeadId, String)>,
    /// About which submission.
    pub submission_id: Option<SubmissionId>,
    /// Where it stands.
    pub state: DeliveryState,
    /// Attempts so far.
    pub attempts: i64,
    /// When it is tried again, while it waits.
    pub next_attempt_at: DateTime<Utc>,
    /// Why the last attempt failed.
    pub reason: Option<DeliveryFailure>,
    /// What the destination said.
    pub detail: Option<String>,
    /// When it was queued.
    pub created_at: DateTime<Utc>,
    /// When its state last changed.
    pub updated_at: DateTime<Utc>,
}

/// One attempt.
#[derive(Debug, Clone)]
pub struct PastAttempt {
    /// Its number.
    pub number: i64,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// How long it took.
    pub duration_ms: i64,
    /// The HTTP status.
    pub status: Option<i64>,
    /// Why it failed; `None`: it arrived.
    pub reason: Option<DeliveryFailure>,
    /// The destination's code.
    pub code: Option<String>,
    /// The destination's words.
    pub message: Option<String>,
}

type Row = (
    String,
    String,
    Option<String>,
    Option<String>,
    String,
    Option<String>,
    Option<String>,
    String,
    (i64, NaiveDateTime),
    (Option<String>, Option<String>),
    (NaiveDateTime, NaiveDateTime),
);

fn delivery(row: Row) -> Result<Delivery, StoreError> {
    let (
        id,
        lane,
        organization,
        webhook,
        event,
        lead,
        submission,
        state,
        (attempts, next),
        (reason, detail),
        (created_at, updated_at),
    ) = row;
    let cells = Cells {
        table: "deliveries",
        id: &id,
    };
    let lead: Option<LeadId> = cells.optional("lead_id", lead.as_deref())?;
    Ok(Delivery {
        id: cells.word("id", &id)?,
        lane_id: cells.word("lane_id", &lane)?,
        destination: organization.or(webhook).unwrap_or_default(),
        event: cells.word("event", &event)?,
        lead: lead.map(|id| (id, String::new())),
        submission_id: cells.optional("submission_id", submission.as_deref())?,
        state: cells.word("state", &state)?,
        attempts,
        next_attempt_at: next.and_utc(),
        reason: cells.optional("reason", reason.as_deref())?,
        detail,
        created_at: created_at.and_utc(),
        updated_at: updated_at.and_utc(),
    })
}

macro_rules! query {
    () => {
        d::table
            .inner_join(
                delivery_lanes::table
                    .left_join(organizations::table)
                    .left_join(webhooks::table),
            )
            .select((
                d::id,
                d::lane_id,
                organizations::name.nullable(),
                webhooks::name.nullable(),
                d::event,
                d::lead_id,
                d::submission_id,
                d::state,
                (d::attempts, d::next_attempt_at),
                (d::reason, d::detail),
                (d::created_at, d::updated_at),
            ))
    };
}

macro_rules! filtered {
    ($query:ident, $filter:expr) => {
        if let Some(state) = $filter.state {
            $query = $query.filter(d::state.eq(state.as_str()));
        }
        if let Some(lane) = &$filter.lane_id {
            $query = $query.filter(d::lane_id.eq(lane.as_str().to_owned()));
        }
        if let Some(event) = $filter.event {
            $query = $query.filter(d::event.eq(event.as_str()));
        }
        if let Some(reason) = $filter.reason {
            $query = $query.filter(d::reason.eq(reason.as_str()));
        }
        if let Some(lead) = &$filter.lead_id {
            $query = $query.filter(d::lead_id.eq(lead.as_str().to_owned()));
        }
    };
}

fn with_names(conn: &mut AnyConn, mut found: Vec<Delivery>) -> Result<Vec<Delivery>, StoreError> {
    let ids: Vec<LeadId> = found
        .iter()
        .filter_map(|delivery| Some(delivery.lead.as_ref()?.0.clone()))
        .collect();
    let names = leads::display_names(conn, &ids)?;
    for delivery in &mut found {
        if let Some((id, name)) = &mut delivery.lead {
            *name = names.get(id).cloned().unwrap_or_default();
        }
    }
    Ok(found)
}

/// One page of the deliveries that pass the filter, newest first, and how many there are.
///
/// # Errors
/// As any query.
pub fn list(
    conn: &mut AnyConn,
    filter: &DeliveryFilter,
    start: &PageStart,
) -> Result<(Page<Delivery>, BoundedCount), StoreError> {
    let mut query = query!().into_boxed();
    filtered!(query, filter);
    keyset!(query, start, d::created_at, d::id);
    let rows: Vec<Row> = query.load(conn)?;
    let rows = rows
        .into_iter()
        .map(delivery)
        .collect::<Result<Vec<_>, _>>()?;
    let rows = with_names(conn, rows)?;
    let page = Page::cut(rows, start, |delivery| Cursor {
        at: delivery.created_at,
        id: delivery.id.to_string(),
    });
    let count = match page.known_count(start) {
        Some(rows) => BoundedCount::exactly(rows),
        None => {
            let mut counted = d::table.select(d::id).into_boxed();
            filtered!(counted, filter);
            bounded_count(conn, counted.limit(COUNT_LIMIT + 1))?
        }
    };
    Ok((page, count))
}

/// One delivery.
///
/// # Errors
/// `NotFound` when there is none.
pub fn get(conn: &mut AnyConn, id: &DeliveryId) -> Result<Delivery, StoreError> {
    let row: Option<Row> = query!()
        .filter(d::id.eq(id.as_str()))
        .first(conn)
        .optional()?;
    let found = delivery(row.ok_or(StoreError::NotFound("delivery"))?)?;
    with_names(conn, vec![found])?
        .pop()
        .ok_or(StoreError::NotFound("delivery"))
}

/// The attempts of a delivery, the newest first, at most 100.
///
/// # Errors
/// As any query.
pub fn attempts(conn: &mut AnyConn, id: &DeliveryId) -> Result<Vec<PastAttempt>, StoreError> {
    use delivery_attempts as a;
    type Row = (
        i64,
        NaiveDateTime,
        i64,
        Option<i64>,
        Option<String>,
        Option<String>,
        Option<String>,
    );
    let rows: Vec<Row> = a::table
        .filter(a::delivery_id.eq(id.as_str()))
        .order(a::attempt.desc())
        .limit(100)
        .select((
            a::attempt,
            a::started_at,
            a::duration_ms,
            a::status,
            a::reason,
            a::code,
            a::message,
        ))
        .load(conn)?;
    rows.into_iter()
        .map(
            |(number, started_at, duration_ms, status, reason, code, message)| {
                let cells = Cells {
                    table: "delivery_attempts",
                    id: id.as_str(),
                };
                Ok(PastAttempt {
                    number,
                    started_at: started_at.and_utc(),
                    duration_ms,
                    status,
                    reason: cells.optional("reason", reason.as_deref())?,
                    code,
                    message,
                })
            },
        )
        .collect()
}

/// Deliveries that are made due at once.
const RETRIED_AT_ONCE: i64 = 1_000;

/// Makes the failed and dead deliveries that pass the filter due now; answers how many. One that was queued for the same
/// meanwhile stands for it: then the older one is over. A record that people deleted in the organization is made anew only
/// when the filter asks for that reason, and a lead that waits for a person goes on waiting.
///
/// # Errors
/// As any query.
pub fn retry(conn: &mut AnyConn, filter: &DeliveryFilter) -> Result<usize, StoreError> {
    type Found = (String, String, Option<String>, String, String);
    lock_leads(conn)?;
    let at = database_now(conn)?.naive_utc();
    let retryable = [DeliveryState::Failed.as_str(), DeliveryState::Dead.as_str()];
    let (mut retried, mut before) = (0, None::<String>);
    loop {
        let mut query = d::table
            .filter(d::state.eq_any(retryable))
            .select((d::id, d::lane_id, d::lead_id, d::event, d::state))
            .order(d::id.desc())
            .limit(RETRIED_AT_ONCE)
            .into_boxed();
        filtered!(query, filter);
        if filter.reason.is_none() {
            let decided_by_people = [
                DeliveryFailure::RecordDeleted.as_str(),
                DeliveryFailure::NeedsPerson.as_str(),
            ];
            query = query.filter(d::reason.is_null().or(d::reason.ne_all(decided_by_people)));
        }
        if let Some(before) = before {
            query = query.filter(d::id.lt(before));
        }
        let found: Vec<Found> = query.load(conn)?;
        let Some((last, ..)) = found.last() else {
            return Ok(retried);
        };
        let mut waiting = waiting_for(conn, found.iter().filter_map(|one| one.2.as_deref()))?;
        let mut due: Vec<&str> = Vec::new();
        for (id, lane, lead, event, state) in &found {
            // The newest of each record goes; its older twins say nothing that it does not say.
            let is_first = lead.is_none()
                || state == DeliveryState::Failed.as_str()
                || waiting.insert((lane.clone(), lead.clone(), event.clone()));
            if is_first {
                due.push(id);
            }
        }
        make_due(conn, &due, at)?;
        retried += due.len();
        before = Some(last.clone());
    }
}

/// Lets deliveries wait as if they had not been tried yet, due at this time.
fn make_due(conn: &mut AnyConn, ids: &[&str], at: NaiveDateTime) -> Result<(), StoreError> {
    for chunk in ids.chunks(500) {
        diesel::update(d::table.filter(d::id.eq_any(chunk)))
            .set((
                d::state.eq(DeliveryState::Pending.as_str()),
                d::retried_from.eq(d::attempts),
                d::next_attempt_at.eq(at),
                d::updated_at.eq(at),
            ))
            .execute(conn)?;
    }
    Ok(())
}

/// Lane, lead and event of what waits for these leads.
fn waiting_for<'a>(
    conn: &mut AnyConn,
    leads: impl Iterator<Item = &'a str>,
) -> Result<HashSet<(String, Option<String>, String)>, StoreError> {
    let leads: Vec<&str> = leads.collect::<HashSet<_>>().into_iter().collect();
    let mut waiting = HashSet::new();
    for chunk in leads.chunks(500) {
        let some: Vec<(String, Option<String>, String)> = d::table
            .filter(d::state.eq_any(super::leases::waiting()))
            .filter(d::lead_id.eq_any(chunk))
            .select((d::lane_id, d::lead_id, d::event))
            .load(conn)?;
        waiting.extend(some);
    }
    Ok(waiting)
}

/// Makes one delivery due now.
///
/// # Errors
/// `NotFound`, or `Rule` when there is nothing to retry.
pub fn retry_one(conn: &mut AnyConn, id: &DeliveryId) -> Result<(), StoreError> {
    lock_leads(conn)?;
    let delivery = get(conn, id)?;
    if !delivery.state.can_be_retried() {
        return Err(StoreError::Rule(format!(
            "Only failed and dead deliveries can be retried; this one is {}.",
            delivery.state.label().to_lowercase()
        )));
    }
    let at = database_now(conn)?.naive_utc();
    if let (DeliveryState::Dead, Some((lead, _))) = (delivery.state, &delivery.lead) {
        let twin: Option<String> = d::table
            .filter(d::lane_id.eq(delivery.lane_id.as_str()))
            .filter(d::lead_id.eq(lead.as_str()))
            .filter(d::event.eq(delivery.event.as_str()))
            .filter(d::state.eq_any(super::leases::waiting()))
            .select(d::id)
            .first(conn)
            .optional()?;
        if twin.is_some() {
            return Err(StoreError::Rule(
                "A newer delivery of this lead waits already; it tells the latest values.".into(),
            ));
        }
    }
    make_due(conn, &[id.as_str()], at)
}

/// Makes due now what tells an organization about a lead of which a person decided which record it is: what waits for it
/// already, or else this delivery. Answers which one; older ones that waited for the decision are over.
///
/// # Errors
/// `NotFound`, or `Rule` while the lead is being sent: what is under way was matched before the decision.
pub fn send_decided(conn: &mut AnyConn, id: &DeliveryId) -> Result<DeliveryId, StoreError> {
    lock_leads(conn)?;
    let delivery = get(conn, id)?;
    let lead = delivery.lead.map(|(lead, _)| lead);
    let lead = lead.ok_or(StoreError::NotFound("lead of the delivery"))?;
    let of_lead = d::table
        .filter(d::lane_id.eq(delivery.lane_id.as_str()))
        .filter(d::lead_id.eq(lead.as_str()));
    let mut open: Vec<(String, String)> = of_lead
        .filter(d::state.ne(DeliveryState::Delivered.as_str()))
        .filter(d::state.ne(DeliveryState::Dead.as_str()))
        .order(d::id)
        .select((d::id, d::state))
        .load(conn)?;
    let under_way = open
        .iter()
        .any(|(_, state)| state == DeliveryState::InProgress.as_str());
    if under_way && super::leases::is_worked_on(conn, &delivery.lane_id)? {
        return Err(StoreError::Rule(
            "This lead is being sent right now. Look again in a moment and decide then.".into(),
        ));
    }
    // What a worker that is gone left under way comes after what waits; [`super::work::recover`] makes one of the two.
    open.sort_by_key(|(_, state)| state == DeliveryState::InProgress.as_str());
    let first = open.into_iter().next().map(|(id, _)| id);
    let goes = first.unwrap_or_else(|| id.to_string());
    let at = database_now(conn)?.naive_utc();
    make_due(conn, &[goes.as_str()], at)?;
    diesel::update(d::table.find(&goes))
        .set(d::reason.eq(None::<String>))
        .execute(conn)?;
    diesel::delete(
        d::table
            .filter(d::lane_id.eq(delivery.lane_id.as_str()))
            .filter(d::lead_id.eq(lead.as_str()))
            .filter(d::state.eq(DeliveryState::Dead.as_str()))
            .filter(d::reason.eq(DeliveryFailure::NeedsPerson.as_str())),
    )
    .execute(conn)?;
    super::super::columns::id("deliveries", &goes)
}

/// Counts the deliveries of a queue by state.
///
/// # Errors
/// As any query.
pub fn count(
    conn: &mut AnyConn,
    lane: &LaneId,
    state: DeliveryState,
) -> Result<BoundedCount, StoreError> {
    let counted = d::table
        .filter(d::lane_id.eq(lane.as_str().to_owned()))
        .filter(d::state.eq(state.as_str()))
        .select(d::id)
        .limit(COUNT_LIMIT + 1)
        .into_boxed();
    bounded_count(conn, counted)
}

/// Deletes what arrived before this time; failures stay until somebody retries them or deletes the destination.
///
/// # Errors
/// As any query.
pub fn delete_delivered_before(
    conn: &mut AnyConn,
    before: DateTime<Utc>,
) -> Result<usize, StoreError> {
    Ok(diesel::delete(
        d::table
            .filter(d::state.eq(DeliveryState::Delivered.as_str()))
            .filter(d::created_at.lt(before.naive_utc())),
    )
    .execute(conn)?)
}
