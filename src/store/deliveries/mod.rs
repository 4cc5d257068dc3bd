//! The outbox: what destinations are to be told, queued in the transaction that changed the record.
//!
//! A row says that a destination is to be told about a record, not what; that is read when it is told. So changes that come
//! while one waits are one delivery, of the latest values. [`lanes`] are the queues as a whole, [`leases`] let one worker at a
//! time into each, [`work`] is what it does there, [`list`] is what people see and do, [`standing`] how far it all is.

mod existing;
pub mod lanes;
pub mod leases;
pub mod list;
pub mod standing;
pub mod work;

pub use existing::{count as count_existing, enqueue_again, enqueue_existing};

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::moment::Moment;
use super::schema::{
    deliveries, delivery_lanes, form_submissions, leads, linkedin_user_profiles, profile_accounts,
    webhooks,
};
use super::{AnyConn, StoreError, audit, database_now};
use crate::domain::delivery::{DeliveryEvent, DeliveryState};
use crate::domain::ids::{LeadId, OrganizationId};
use crate::domain::lead::{Lead, LeadStatus};
use crate::domain::submission::{MatchingStatus, SubmissionReason};
use crate::insert_rows;
use crate::store::intake::DecidedSubmission;

#[derive(Insertable)]
#[diesel(table_name = deliveries, treat_none_as_default_value = false)]
struct NewRow {
    id: String,
    lane_id: String,
    event: &'static str,
    lead_id: Option<String>,
    submission_id: Option<String>,
    state: &'static str,
    attempts: i64,
    retried_from: i64,
    next_attempt_at: Moment,
    reason: Option<String>,
    detail: Option<String>,
    created_at: Moment,
    updated_at: Moment,
}

impl NewRow {
    fn new(lane: &str, event: DeliveryEvent, now: DateTime<Utc>) -> Self {
        let at = || Moment(now.naive_utc());
        Self {
            id: audit::new_id(now),
            lane_id: lane.to_owned(),
            event: event.as_str(),
            lead_id: None,
            submission_id: None,
            state: DeliveryState::Pending.as_str(),
            attempts: 0,
            retried_from: 0,
            next_attempt_at: at(),
            reason: None,
            detail: None,
            created_at: at(),
            updated_at: at(),
        }
    }
}

fn insert(conn: &mut AnyConn, rows: &[NewRow]) -> Result<(), StoreError> {
    // One that waits already stands for this change, too.
    insert_rows!(conn, rows, |block| diesel::insert_into(deliveries::table)
        .values(block)
        .on_conflict_do_nothing());
    // One that failed is tried now: the change may be what it needed, and nobody's change waits for hours.
    let mut leads: HashMap<(&str, &str), Vec<&str>> = HashMap::new();
    for row in rows {
        if let Some(lead) = &row.lead_id {
            leads
                .entry((&row.lane_id, row.event))
                .or_default()
                .push(lead);
        }
    }
    let at = rows.first().map(|row| row.created_at.0);
    for ((lane, event), leads) in leads {
        for chunk in leads.chunks(500) {
            diesel::update(
                deliveries::table
                    .filter(deliveries::lane_id.eq(lane))
                    .filter(deliveries::event.eq(event))
                    .filter(deliveries::lead_id.eq_any(chunk))
                    .filter(deliveries::state.eq(DeliveryState::Failed.as_str())),
            )
            .set(deliveries::next_attempt_at.eq(at.unwrap_or_default()))
            .execute(conn)?;
        }
    }
    Ok(())
}

/// The queues that work, and what each one wants.
#[derive(Debug, Default)]
struct Lanes {
    /// Lane and events of each webhook.
    webhooks: Vec<(String, Vec<DeliveryEvent>)>,
    /// Lane of each organization, by organization.
    organizations: HashMap<String, String>,
}

fn open_lanes(conn: &mut AnyConn) -> Result<Lanes, StoreError> {
    let rows: Vec<(String, Option<String>, Option<String>)> = delivery_lanes::table
        .left_join(webhooks::table)
        .filter(delivery_lanes::is_enabled.eq(true))
        .select((
            delivery_lanes::id,
            delivery_lanes::organization_id,
            webhooks::events.nullable(),
        ))
        .load(conn)?;
    let mut lanes = Lanes::default();
    for (id, organization, events) in rows {
        if let Some(organization) = organization {
            lanes.organizations.insert(organization, id);
        } else if let Some(events) = events {
            let events = super::webhooks::events_of(&id, &events)?;
            lanes.webhooks.push((id, events));
        }
    }
    Ok(lanes)
}

/// What leads were before they are saved; it is only looked at while a destination waits for leads.
#[derive(Debug, Default)]
pub(super) struct Before {
    lanes: Lanes,
    statuses: HashMap<String, String>,
}

impl Before {
    /// Lets an organization know nothing of what is saved: it came from there.
    pub(super) fn leave_out(&mut self, organization: &OrganizationId) {
        self.lanes.organizations.remove(organization.as_str());
    }

    fn is_nobody_waiting(&self) -> bool {
        self.lanes.webhooks.is_empty() && self.lanes.organizations.is_empty()
    }
}

/// Looks at the leads that are about to be saved.
pub(super) fn before(conn: &mut AnyConn, changed: &[&Lead]) -> Result<Before, StoreError> {
    let ids: Vec<LeadId> = changed.iter().map(|lead| lead.id.clone()).collect();
    before_ids(conn, &ids)
}

/// The same for leads that are not read.
pub(super) fn before_ids(conn: &mut AnyConn, changed: &[LeadId]) -> Result<Before, StoreError> {
    let lanes = open_lanes(conn)?;
    if lanes.webhooks.is_empty() {
        return Ok(Before {
            lanes,
            ..Before::default()
        });
    }
    let statuses: Vec<(String, String)> = leads::table
        .filter(leads::id.eq_any(changed.iter().map(LeadId::as_str)))
        .select((leads::id, leads::status))
        .load(conn)?;
    Ok(Before {
        lanes,
        statuses: statuses.into_iter().collect(),
    })
}

/// Queues leads that changed without being saved whole.
pub(super) fn enqueue_ids(
    conn: &mut AnyConn,
    before: &Before,
    changed: &[LeadId],
) -> Result<(), StoreError> {
    if before.is_nobody_waiting() {
        return Ok(());
    }
    let leads = super::lead_rows::load(conn, changed)?;
    let leads: Vec<&Lead> = leads.iter().collect();
    enqueue_leads(conn, before, &leads)
}

/// Queues the leads that were saved for every destination that wants them.
pub(super) fn enqueue_leads(
    conn: &mut AnyConn,
    before: &Before,
    changed: &[&Lead],
) -> Result<(), StoreError> {
    if before.is_nobody_waiting() || changed.is_empty() {
        return Ok(());
    }
    let now = database_now(conn)?;
    let lanes_of_lead = lanes_of_leads(conn, &before.lanes, changed)?;
    let mut rows = Vec::new();
    let mut add = |lane: &str, event, lead: &LeadId| {
        rows.push(NewRow {
            lead_id: Some(lead.as_str().to_owned()),
            ..NewRow::new(lane, event, now)
        });
    };
    for lead in changed {
        for lane in lanes_of_lead.get(&lead.id).into_iter().flatten() {
            add(lane, DeliveryEvent::LeadSaved, &lead.id);
        }
        let status_before = before.statuses.get(lead.id.as_str());
        let events = lead_events(status_before.map(String::as_str), lead.status);
        for (lane, wanted) in &before.lanes.webhooks {
            for event in events.iter().filter(|event| wanted.contains(event)) {
                add(lane, *event, &lead.id);
            }
        }
    }
    insert(conn, &rows)
}

/// What a webhook is told about a saved lead, in this order.
fn lead_events(before: Option<&str>, status: LeadStatus) -> Vec<DeliveryEvent> {
    match before {
        None => vec![DeliveryEvent::LeadCreated],
        Some(before) if before == status.as_str() => vec![DeliveryEvent::LeadUpdated],
        Some(_) => vec![DeliveryEvent::LeadUpdated, DeliveryEvent::LeadStatusChanged],
    }
}

/// The organizations' lanes to which leads go: those of the account that a lead came from, and of every account to which the
/// person answered later. A lead that was imported, or came from another account first, is everybody's who has an answer.
fn lanes_of_leads<'a>(
    conn: &mut AnyConn,
    lanes: &Lanes,
    changed: &[&'a Lead],
) -> Result<HashMap<&'a LeadId, HashSet<String>>, StoreError> {
    if lanes.organizations.is_empty() {
        return Ok(HashMap::new());
    }
    let mut answered: HashMap<String, HashSet<String>> = HashMap::new();
    let ids: Vec<&str> = changed.iter().map(|lead| lead.id.as_str()).collect();
    for chunk in ids.chunks(1_000) {
        let rows: Vec<(Option<String>, String)> = form_submissions::table
            .filter(form_submissions::lead_id.eq_any(chunk))
            .select((form_submissions::lead_id, form_submissions::account_id))
            .distinct()
            .load(conn)?;
        for (lead, account) in rows {
            answered
                .entry(lead.unwrap_or_default())
                .or_default()
                .insert(account);
        }
    }
    for lead in changed {
        if let Some(account) = &lead.account_id {
            let accounts = answered.entry(lead.id.as_str().to_owned()).or_default();
            accounts.insert(account.as_ref().to_owned());
        }
    }
    let accounts: HashSet<&str> = answered.values().flatten().map(String::as_str).collect();
    let lanes_of_account = lanes_of_accounts(conn, lanes, &accounts)?;
    Ok(changed
        .iter()
        .map(|lead| {
            let accounts = answered.get(lead.id.as_str()).into_iter().flatten();
            let lanes = accounts.filter_map(|account| lanes_of_account.get(account));
            (&lead.id, lanes.flatten().cloned().collect())
        })
        .collect())
}

/// The organizations' lanes to which the leads of accounts go: those that an account's profiles sync to.
fn lanes_of_accounts(
    conn: &mut AnyConn,
    lanes: &Lanes,
    accounts: &HashSet<&str>,
) -> Result<HashMap<String, HashSet<String>>, StoreError> {
    let mut found: HashMap<String, HashSet<String>> = HashMap::new();
    let rows: Vec<(String, Option<String>)> = profile_accounts::table
        .inner_join(linkedin_user_profiles::table)
        .filter(profile_accounts::account_id.eq_any(accounts.iter().copied()))
        .select((
            profile_accounts::account_id,
            linkedin_user_profiles::organization_id,
        ))
        .distinct()
        .load(conn)?;
    for (account, organization) in rows {
        let lane = organization.and_then(|id| lanes.organizations.get(&id));
        if let Some(lane) = lane {
            found.entry(account).or_default().insert(lane.clone());
        }
    }
    Ok(found)
}

/// Queues what submissions mean for destinations: the leads that they came to, for the organizations of their accounts, and
/// those that failed, for webhooks.
pub(super) fn enqueue_submissions(
    conn: &mut AnyConn,
    decided: &[DecidedSubmission],
) -> Result<(), StoreError> {
    let lanes = open_lanes(conn)?;
    enqueue_answered(conn, &lanes, decided)?;
    enqueue_failed(conn, &lanes, decided)
}

/// Queues the leads that submissions came to. When their leads were saved, the submissions did not stand there yet.
fn enqueue_answered(
    conn: &mut AnyConn,
    lanes: &Lanes,
    decided: &[DecidedSubmission],
) -> Result<(), StoreError> {
    if lanes.organizations.is_empty() {
        return Ok(());
    }
    let answered: HashSet<(&str, &LeadId)> = decided
        .iter()
        .filter(|submission| submission.reason != Some(SubmissionReason::BroughtAlong))
        .filter_map(|submission| {
            let lead = submission.lead_id.as_ref()?;
            Some((submission.account_id.as_ref(), lead))
        })
        .collect();
    if answered.is_empty() {
        return Ok(());
    }
    let accounts = answered.iter().map(|(account, _)| *account).collect();
    let lanes_of_account = lanes_of_accounts(conn, lanes, &accounts)?;
    let now = database_now(conn)?;
    let rows: Vec<NewRow> = answered
        .iter()
        .flat_map(|(account, lead)| {
            let lanes = lanes_of_account.get(*account).into_iter().flatten();
            lanes.map(|lane| NewRow {
                lead_id: Some(lead.as_str().to_owned()),
                ..NewRow::new(lane, DeliveryEvent::LeadSaved, now)
            })
        })
        .collect();
    insert(conn, &rows)
}

/// Queues submissions that came to no lead, for every webhook that wants to know; once for each submission.
fn enqueue_failed(
    conn: &mut AnyConn,
    lanes: &Lanes,
    decided: &[DecidedSubmission],
) -> Result<(), StoreError> {
    let failed: Vec<&str> = decided
        .iter()
        .filter(|submission| {
            // What failed at Microsoft's connector long ago is no news.
            submission.reason != Some(SubmissionReason::BroughtAlong)
                && matches!(
                    submission.matching_status,
                    MatchingStatus::MatchFailed
                        | MatchingStatus::LeadCreationFailed
                        | MatchingStatus::LeadUpdateFailed
                )
        })
        .map(|submission| submission.id.as_str())
        .collect();
    if failed.is_empty() {
        return Ok(());
    }
    let event = DeliveryEvent::SubmissionFailed;
    let wanting: Vec<&str> = lanes
        .webhooks
        .iter()
        .filter(|(_, events)| events.contains(&event))
        .map(|(lane, _)| lane.as_str())
        .collect();
    if wanting.is_empty() {
        return Ok(());
    }
    let known: Vec<(String, Option<String>)> = deliveries::table
        .filter(deliveries::submission_id.eq_any(&failed))
        .filter(deliveries::event.eq(event.as_str()))
        .select((deliveries::lane_id, deliveries::submission_id))
        .load(conn)?;
    let known: HashSet<(&str, &str)> = known
        .iter()
        .filter_map(|(lane, submission)| Some((lane.as_str(), submission.as_deref()?)))
        .collect();
    let now = database_now(conn)?;
    let mut rows = Vec::new();
    for lane in wanting {
        for submission in &failed {
            if !known.contains(&(lane, *submission)) {
                rows.push(NewRow {
                    submission_id: Some((*submission).to_owned()),
                    ..NewRow::new(lane, event, now)
                });
            }
        }
    }
    insert(conn, &rows)
}

/// Queues a test message; answers its identifier.
///
/// # Errors
/// As any query.
pub fn enqueue_test(
    conn: &mut AnyConn,
    lane: &crate::domain::ids::LaneId,
) -> Result<crate::domain::ids::DeliveryId, StoreError> {
    let row = NewRow::new(lane.as_str(), DeliveryEvent::Test, database_now(conn)?);
    insert(conn, std::slice::from_ref(&row))?;
    super::columns::id("deliveries", &row.id)
}
