//! What the worker of a queue does: take what is due, in the order of each lead, and write down what became of it.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;

use super::super::columns::Cells;
use super::super::moment::Moment;
use super::super::organization_lead_states::{self, LeadState};
use super::super::organization_leads::{self, OrganizationLead};
use super::super::schema::{deliveries as d, delivery_attempts};
use super::super::{AnyConn, StoreError, database_now, lock_leads};
use super::lanes::Destination;
use super::leases::{LaneLease, fence, is_open, triable, waiting};
use crate::domain::delivery::{DeliveryEvent, DeliveryFailure, DeliveryState, next_attempt};
use crate::domain::ids::{DeliveryId, LaneId, LeadId, SubmissionId};
use crate::insert_rows;

/// A delivery that is being worked on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// Identifier: the same in every attempt, so that the destination can recognise a repetition.
    pub id: DeliveryId,
    /// What to tell.
    pub event: DeliveryEvent,
    /// About which lead.
    pub lead_id: Option<LeadId>,
    /// About which submission.
    pub submission_id: Option<SubmissionId>,
    /// When it was queued.
    pub created_at: DateTime<Utc>,
    /// The number of this attempt, from 1.
    pub attempt: i64,
    /// The same counted from a person's last retry on: how far the waits have grown.
    pub attempt_since_retry: i64,
    /// Why the attempt before failed.
    pub reason: Option<DeliveryFailure>,
}

/// What an attempt brought.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// The delivery.
    pub id: DeliveryId,
    /// Its number.
    pub attempt: i64,
    /// The same counted from a person's last retry on.
    pub attempt_since_retry: i64,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// How long it took.
    pub duration_ms: i64,
    /// The HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// Why it failed; `None`: it arrived.
    pub failure: Option<DeliveryFailure>,
    /// Whether trying again is useless until a person changed something.
    pub is_final: bool,
    /// The destination's code.
    pub code: Option<String>,
    /// The destination's words, without data of leads.
    pub message: Option<String>,
}

/// Puts back what a worker that is gone left in progress.
pub(super) fn recover(
    conn: &mut AnyConn,
    lane: &LaneId,
    at: NaiveDateTime,
) -> Result<(), StoreError> {
    let left: Vec<String> = d::table
        .filter(d::lane_id.eq(lane.as_str()))
        .filter(d::state.eq(DeliveryState::InProgress.as_str()))
        .select(d::id)
        .load(conn)?;
    forget_later(conn, lane, &left)?;
    for chunk in left.chunks(500) {
        // That a person wants a record again which was deleted there is not forgotten for it.
        diesel::update(
            d::table.filter(d::id.eq_any(chunk)).filter(
                d::reason
                    .is_null()
                    .or(d::reason.ne(DeliveryFailure::RecordDeleted.as_str())),
            ),
        )
        .set(d::reason.eq(Some(DeliveryFailure::Interrupted.as_str())))
        .execute(conn)?;
        diesel::update(d::table.filter(d::id.eq_any(chunk)))
            .set((
                d::state.eq(DeliveryState::Failed.as_str()),
                d::detail.eq(None::<String>),
                d::next_attempt_at.eq(at),
                d::updated_at.eq(at),
            ))
            .execute(conn)?;
    }
    Ok(())
}

/// Of deliveries that go back to waiting, forgets the ones that were queued for the same meanwhile: what is told is read when
/// it is told, so that one of them is enough.
fn forget_later(conn: &mut AnyConn, lane: &LaneId, back: &[String]) -> Result<(), StoreError> {
    let earlier = diesel::alias!(d as earlier);
    for chunk in back.chunks(500) {
        let twins: Vec<String> = d::table
            .inner_join(
                earlier.on(earlier
                    .field(d::lead_id)
                    .eq(d::lead_id)
                    .and(earlier.field(d::event).eq(d::event))
                    .and(earlier.field(d::lane_id).eq(d::lane_id))),
            )
            .filter(d::lane_id.eq(lane.as_str()))
            .filter(d::state.eq_any(waiting()))
            .filter(earlier.field(d::id).eq_any(chunk))
            .filter(earlier.field(d::id).ne(d::id))
            .select(d::id)
            .load(conn)?;
        if !twins.is_empty() {
            diesel::delete(d::table.filter(d::id.eq_any(twins))).execute(conn)?;
        }
    }
    Ok(())
}

/// Of leads that an organization was told about again, forgets the deliveries that were given up before: they tell of the
/// lead what is not so any more.
fn forget_given_up(
    conn: &mut AnyConn,
    lane: &LaneId,
    attempts: &[Attempt],
    lead_of: &HashMap<&str, Option<&str>>,
) -> Result<(), StoreError> {
    let ended: Vec<(&str, &str)> = attempts
        .iter()
        .filter_map(|attempt| {
            let id = attempt.id.as_str();
            Some((id, (*lead_of.get(id)?)?))
        })
        .collect();
    for chunk in ended.chunks(500) {
        let (ids, leads): (Vec<&str>, Vec<&str>) = chunk.iter().copied().unzip();
        diesel::delete(
            d::table
                .filter(d::lane_id.eq(lane.as_str()))
                .filter(d::lead_id.eq_any(leads))
                .filter(d::state.eq(DeliveryState::Dead.as_str()))
                .filter(d::id.ne_all(ids)),
        )
        .execute(conn)?;
    }
    Ok(())
}

/// Makes due what failed because of a trouble of the destination that is over.
pub(super) fn hasten(
    conn: &mut AnyConn,
    lane: &LaneId,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let at = now.naive_utc();
    diesel::update(
        d::table
            .filter(d::lane_id.eq(lane.as_str()))
            .filter(d::state.eq(DeliveryState::Failed.as_str()))
            .filter(d::reason.eq_any(DeliveryFailure::of_destination()))
            .filter(d::next_attempt_at.gt(at)),
    )
    .set(d::next_attempt_at.eq(at))
    .execute(conn)?;
    Ok(())
}

type Row = (
    String,
    String,
    Option<String>,
    Option<String>,
    NaiveDateTime,
    i64,
    i64,
    Option<String>,
);

/// Takes at most `limit` deliveries that are due; of each lead only the oldest, so that its order is kept. Nothing, when the
/// queue is paused or switched off.
///
/// # Errors
/// `LeaseLost`, or as any query.
pub fn take(conn: &mut AnyConn, lease: &LaneLease, limit: i64) -> Result<Vec<Taken>, StoreError> {
    // Whoever saves a lead holds this lock, too: so a delivery is not taken between the change of a lead, for which it stands,
    // and the moment from which that change can be read.
    lock_leads(conn)?;
    fence(conn, lease)?;
    if !is_open(conn, &lease.lane)? {
        return Ok(Vec::new());
    }
    let at = database_now(conn)?.naive_utc();
    let rows: Vec<Row> = triable!(lease.lane.as_str(), at)
        .order((d::next_attempt_at, d::id))
        .limit(limit)
        .select((
            d::id,
            d::event,
            d::lead_id,
            d::submission_id,
            d::created_at,
            d::attempts,
            d::retried_from,
            d::reason,
        ))
        .load(conn)?;
    let ids: Vec<&str> = rows.iter().map(|row| row.0.as_str()).collect();
    for chunk in ids.chunks(500) {
        diesel::update(d::table.filter(d::id.eq_any(chunk)))
            .set((
                d::state.eq(DeliveryState::InProgress.as_str()),
                d::updated_at.eq(at),
            ))
            .execute(conn)?;
    }
    rows.into_iter()
        .map(
            |(id, event, lead, submission, created_at, attempts, retried_from, reason)| {
                let cells = Cells {
                    table: "deliveries",
                    id: &id,
                };
                Ok(Taken {
                    id: cells.word("id", &id)?,
                    event: cells.word("event", &event)?,
                    lead_id: cells.optional("lead_id", lead.as_deref())?,
                    submission_id: cells.optional("submission_id", submission.as_deref())?,
                    created_at: created_at.and_utc(),
                    attempt: attempts + 1,
                    attempt_since_retry: attempts - retried_from + 1,
                    reason: cells.optional("reason", reason.as_deref())?,
                })
            },
        )
        .collect()
}

#[derive(Insertable)]
#[diesel(table_name = delivery_attempts, treat_none_as_default_value = false)]
struct AttemptRow {
    delivery_id: String,
    attempt: i64,
    started_at: Moment,
    duration_ms: i64,
    status: Option<i64>,
    reason: Option<&'static str>,
    code: Option<String>,
    message: Option<String>,
}

/// How many deliveries ended how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Finished {
    /// Arrived.
    pub delivered: usize,
    /// To be tried again.
    pub failed: usize,
    /// Given up.
    pub dead: usize,
}

/// What became of deliveries that were taken.
#[derive(Debug, Default)]
pub struct Ended {
    /// Those that were tried.
    pub attempts: Vec<Attempt>,
    /// Those that were not: they wait again as if they had not been taken.
    pub untried: Vec<DeliveryId>,
    /// What the leads are in the organization now.
    pub links: Vec<OrganizationLead>,
    /// How their records are, where status or owner was written.
    pub states: Vec<LeadState>,
}

/// Writes down what became of deliveries that were taken.
///
/// # Errors
/// `LeaseLost`, or as any query.
pub fn finish(
    conn: &mut AnyConn,
    lease: &LaneLease,
    ended: &Ended,
    jitter: f64,
) -> Result<Finished, StoreError> {
    // Nobody queues the same again while these go back to waiting.
    lock_leads(conn)?;
    fence(conn, lease)?;
    let now = database_now(conn)?;
    // A lead that was deleted meanwhile took its delivery along.
    let left: Vec<(String, Option<String>)> = d::table
        .filter(d::lane_id.eq(lease.lane.as_str()))
        .filter(d::state.eq(DeliveryState::InProgress.as_str()))
        .select((d::id, d::lead_id))
        .load(conn)?;
    let leads: HashSet<&str> = left.iter().filter_map(|(_, id)| id.as_deref()).collect();
    let mut collided = HashSet::new();
    if let Destination::Organization(organization) = &lease.destination {
        let links = ended.links.iter();
        let mut links: Vec<_> = links
            .filter(|link| leads.contains(link.lead_id.as_str()))
            .collect();
        collided = organization_leads::collisions(conn, organization, &links)?;
        links.retain(|link| !collided.contains(link.lead_id.as_str()));
        organization_leads::save(conn, organization, &links, now)?;
        let states = ended.states.iter();
        let states: Vec<_> = states
            .filter(|state| leads.contains(state.lead_id.as_str()))
            .collect();
        organization_lead_states::save(conn, organization, &states)?;
    }
    let lead_of: HashMap<&str, Option<&str>> = left
        .iter()
        .map(|(id, lead)| (id.as_str(), lead.as_deref()))
        .collect();
    let attempts: Vec<Attempt> = ended
        .attempts
        .iter()
        .filter_map(|attempt| {
            let lead = lead_of.get(attempt.id.as_str())?;
            let mut attempt = attempt.clone();
            if lead.is_some_and(|lead| collided.contains(lead)) {
                // Somebody gave the record to another lead meanwhile: this one is matched anew.
                attempt.failure = Some(DeliveryFailure::Conflict);
                attempt.is_final = false;
            }
            Some(attempt)
        })
        .collect();
    let untried: Vec<&DeliveryId> = ended
        .untried
        .iter()
        .filter(|id| lead_of.contains_key(id.as_str()))
        .collect();
    let mut finished = Finished::default();
    // Deliveries that end alike are one statement.
    type End<'a> = (
        DeliveryState,
        i64,
        i64,
        Option<&'static str>,
        Option<&'a str>,
    );
    let mut ends: BTreeMap<End<'_>, Vec<&str>> = BTreeMap::new();
    let mut back: Vec<String> = untried.iter().map(ToString::to_string).collect();
    for attempt in &attempts {
        let state = match attempt.failure {
            None => DeliveryState::Delivered,
            Some(_) if attempt.is_final => DeliveryState::Dead,
            Some(_) => match next_attempt(attempt.attempt_since_retry, now, jitter) {
                Some(_) => DeliveryState::Failed,
                None => DeliveryState::Dead,
            },
        };
        match state {
            DeliveryState::Delivered => finished.delivered += 1,
            DeliveryState::Failed => {
                finished.failed += 1;
                back.push(attempt.id.to_string());
            }
            _ => finished.dead += 1,
        }
        let reason = attempt.failure.map(DeliveryFailure::as_str);
        let key = (
            state,
            attempt.attempt,
            attempt.attempt_since_retry,
            reason,
            attempt.message.as_deref(),
        );
        ends.entry(key).or_default().push(attempt.id.as_str());
    }
    forget_later(conn, &lease.lane, &back)?;
    let at = now.naive_utc();
    for ((state, number, since_retry, reason, message), ids) in ends {
        let next = next_attempt(since_retry, now, jitter)
            .unwrap_or(now)
            .naive_utc();
        for chunk in ids.chunks(500) {
            diesel::update(d::table.filter(d::id.eq_any(chunk)))
                .set((
                    d::state.eq(state.as_str()),
                    d::attempts.eq(number),
                    d::next_attempt_at.eq(next),
                    d::reason.eq(reason),
                    d::detail.eq(message),
                    d::updated_at.eq(at),
                ))
                .execute(conn)?;
        }
    }
    if matches!(lease.destination, Destination::Organization(_)) {
        forget_given_up(conn, &lease.lane, &attempts, &lead_of)?;
    }
    let untried: Vec<&str> = untried.iter().map(|id| id.as_str()).collect();
    for chunk in untried.chunks(500) {
        diesel::update(d::table.filter(d::id.eq_any(chunk)))
            .set((
                d::state.eq(DeliveryState::Pending.as_str()),
                d::updated_at.eq(at),
            ))
            .execute(conn)?;
    }
    let rows: Vec<AttemptRow> = attempts
        .iter()
        .map(|attempt| AttemptRow {
            delivery_id: attempt.id.to_string(),
            attempt: attempt.attempt,
            started_at: Moment(attempt.started_at.naive_utc()),
            duration_ms: attempt.duration_ms,
            status: attempt.status.map(i64::from),
            reason: attempt.failure.map(DeliveryFailure::as_str),
            code: attempt.code.clone(),
            message: attempt.message.clone(),
        })
        .collect();
    insert_rows!(conn, &rows, |block| diesel::insert_into(
        delivery_attempts::table
    )
    .values(block)
    .on_conflict_do_nothing());
    Ok(finished)
}
