//! How destinations stand, and how far a lead is on its way to each organization: what people look at where they do not
//! look for single deliveries.

use std::collections::HashMap;

use diesel::dsl::count_star;
use diesel::prelude::*;

use super::super::columns::Cells;
use super::super::schema::{deliveries as d, delivery_lanes as l, organizations};
use super::super::{AnyConn, StoreError};
use super::lanes::{self, Destination, Lane, Trouble};
use super::leases;
use crate::domain::delivery::{DeliveryFailure, DeliveryState};
use crate::domain::ids::{DeliveryId, LeadId, OrganizationId};

/// How a destination stands.
#[derive(Debug, Clone)]
pub struct Standing {
    /// Its queue.
    pub lane: Lane,
    /// Deliveries that are not tried again until somebody retries them. A lead that people deleted there is their decision
    /// and not counted.
    pub given_up: i64,
    /// Leads about which a person has to decide.
    pub undecided: i64,
}

impl Standing {
    /// What is wrong with the destination as a whole, unless somebody paused it.
    #[must_use]
    pub fn trouble(&self) -> Option<&Trouble> {
        let trouble = self.lane.trouble.as_ref();
        trouble.filter(|_| self.lane.paused.is_none())
    }

    /// Whether somebody has to see to it. What people switched off themselves has no trouble, and what is left there is
    /// nobody's task.
    #[must_use]
    pub fn needs_attention(&self) -> bool {
        self.trouble().is_some() || self.left_over().is_some()
    }

    /// What does not go on by itself, in words.
    #[must_use]
    pub fn left_over(&self) -> Option<String> {
        if !self.lane.is_enabled {
            return None;
        }
        let words: Vec<String> = [
            match self.given_up {
                0 => None,
                1 => Some("1 delivery given up".to_owned()),
                many => Some(format!("{many} deliveries given up")),
            },
            match self.undecided {
                0 => None,
                1 => Some("1 lead waits for a person".to_owned()),
                many => Some(format!("{many} leads wait for a person")),
            },
        ]
        .into_iter()
        .flatten()
        .collect();
        (!words.is_empty()).then(|| words.join(", "))
    }

    /// Everything that somebody has to see to, in words.
    #[must_use]
    pub fn what_is_wrong(&self) -> String {
        let trouble = self.trouble().map(|trouble| {
            let label = trouble.reason.label();
            if self.lane.is_enabled {
                label.to_owned()
            } else {
                format!("switched off: {label}")
            }
        });
        let words: Vec<String> = [trouble, self.left_over()].into_iter().flatten().collect();
        words.join(", ")
    }
}

/// How every destination stands, the oldest first.
///
/// # Errors
/// As any query.
pub fn list(conn: &mut AnyConn) -> Result<Vec<Standing>, StoreError> {
    let rows: Vec<(String, Option<String>, i64)> = d::table
        .filter(d::state.eq(DeliveryState::Dead.as_str()))
        .group_by((d::lane_id, d::reason))
        .select((d::lane_id, d::reason, count_star()))
        .load(conn)?;
    let (person, deleted) = (
        DeliveryFailure::NeedsPerson.as_str(),
        DeliveryFailure::RecordDeleted.as_str(),
    );
    let mut dead: HashMap<String, (i64, i64)> = HashMap::new();
    for (lane, reason, count) in rows {
        let (given_up, undecided) = dead.entry(lane).or_default();
        match reason.as_deref() {
            Some(reason) if reason == person => *undecided += count,
            Some(reason) if reason == deleted => {}
            _ => *given_up += count,
        }
    }
    let standings = lanes::list(conn)?.into_iter().map(|lane| {
        let (given_up, undecided) = dead.remove(lane.id.as_str()).unwrap_or_default();
        Standing {
            lane,
            given_up,
            undecided,
        }
    });
    Ok(standings.collect())
}

/// The destinations that somebody has to see to.
///
/// # Errors
/// As any query.
pub fn needing_attention(conn: &mut AnyConn) -> Result<Vec<Standing>, StoreError> {
    let mut all = list(conn)?;
    all.retain(Standing::needs_attention);
    Ok(all)
}

/// How many deliveries wait and how many are dead.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backlog {
    /// To be tried, or tried again.
    pub waiting: i64,
    /// Given up.
    pub dead: i64,
}

/// What is left to deliver to organizations, and to webhooks.
///
/// # Errors
/// As any query.
pub fn backlogs(conn: &mut AnyConn) -> Result<(Backlog, Backlog), StoreError> {
    let [pending, failed] = leases::waiting();
    let dead = DeliveryState::Dead.as_str();
    let rows: Vec<(String, String, i64)> = d::table
        .filter(d::state.eq_any([pending, failed, dead]))
        .group_by((d::lane_id, d::state))
        .select((d::lane_id, d::state, count_star()))
        .load(conn)?;
    let lanes: Vec<(String, Option<String>)> =
        l::table.select((l::id, l::organization_id)).load(conn)?;
    let lanes: HashMap<String, bool> = lanes
        .into_iter()
        .map(|(id, organization)| (id, organization.is_some()))
        .collect();
    let (mut organizations, mut webhooks) = (Backlog::default(), Backlog::default());
    for (lane, state, count) in rows {
        let backlog = match lanes.get(&lane) {
            Some(true) => &mut organizations,
            Some(false) => &mut webhooks,
            // Deleted meanwhile, with its deliveries.
            None => continue,
        };
        if state == dead {
            backlog.dead += count;
        } else {
            backlog.waiting += count;
        }
    }
    Ok((organizations, webhooks))
}

/// A delivery of a lead to an organization that did not arrive yet.
#[derive(Debug, Clone)]
pub struct OnTheWay {
    /// The delivery.
    pub id: DeliveryId,
    /// The organization.
    pub organization_id: OrganizationId,
    /// Where the delivery stands.
    pub state: DeliveryState,
    /// Why its last attempt failed.
    pub reason: Option<DeliveryFailure>,
    /// The organization's queue, with its name.
    pub lane: Lane,
}

/// Deliveries of one lead that are looked at, the newest: all that arrived go after a while.
const LATEST: i64 = 200;

/// How far a lead is on its way to each organization, by the organization's name: what is to be sent, or else what was given
/// up last, unless something later arrived.
///
/// # Errors
/// As any query.
pub fn on_the_way(conn: &mut AnyConn, lead: &LeadId) -> Result<Vec<OnTheWay>, StoreError> {
    type Row = (String, String, String, Option<String>);
    let rows: Vec<Row> = d::table
        .inner_join(l::table.inner_join(organizations::table))
        .filter(d::lead_id.eq(lead.as_str()))
        .order((d::created_at.desc(), d::id.desc()))
        .limit(LATEST)
        .select((d::id, d::lane_id, d::state, d::reason))
        .load(conn)?;
    // By lane: one that is to be sent stands for all, else the newest does.
    let mut latest: HashMap<String, (String, DeliveryState, Option<DeliveryFailure>)> =
        HashMap::new();
    for (id, lane, state, reason) in rows {
        let cells = Cells {
            table: "deliveries",
            id: &id,
        };
        let state: DeliveryState = cells.word("state", &state)?;
        let reason: Option<DeliveryFailure> = cells.optional("reason", reason.as_deref())?;
        let is_over = |state| matches!(state, DeliveryState::Delivered | DeliveryState::Dead);
        match latest.get(&lane) {
            Some((_, known, _)) if is_over(state) || !is_over(*known) => {}
            _ => drop(latest.insert(lane, (id, state, reason))),
        }
    }
    latest.retain(|_, (_, state, _)| *state != DeliveryState::Delivered);
    if latest.is_empty() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for lane in lanes::list(conn)? {
        let Destination::Organization(organization_id) = lane.destination.clone() else {
            continue;
        };
        if let Some((id, state, reason)) = latest.remove(lane.id.as_str()) {
            found.push(OnTheWay {
                id: super::super::columns::id("deliveries", &id)?,
                organization_id,
                state,
                reason,
                lane,
            });
        }
    }
    found.sort_by(|left, right| left.lane.name.cmp(&right.lane.name));
    Ok(found)
}
