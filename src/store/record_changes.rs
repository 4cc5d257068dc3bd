//! Brings what people in an organization did with records to our leads: status, owner, deletion.
//!
//! What was read is measured by how the record was last ([`super::organization_lead_states`]), so that our own writes do not
//! come back as changes. A record that was written after the reading began is not judged: it is marked, and looked at again.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;
use serde_json::json;
use uuid::Uuid;

use super::audit::{self, Actor};
use super::columns::Cells;
use super::intake::{LeadChange, add_changes};
use super::leads::JournalChange;
use super::organization_lead_states::{self as states, LeadState};
use super::organization_leads::LinkState;
use super::organization_reads::{self, Cursor, ReadLease};
use super::schema::{lead_changes, organization_leads as o, users};
use super::{AnyConn, StoreError, database_now, lead_rows, lock_leads, owners};
use crate::domain::dynamics_status::{RecordStatus, came_back};
use crate::domain::ids::{LeadId, OrganizationId, UserId};
use crate::domain::lead::Lead;

/// Who owns a record there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnerThere {
    /// A user or a team there.
    pub id: Uuid,
    /// Its name.
    pub name: Option<String>,
    /// The same person here, where there is one.
    pub user_id: Option<UserId>,
}

/// A record as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordNow {
    /// The record.
    pub record_id: Uuid,
    /// Its state.
    pub status: RecordStatus,
    /// Whose it is.
    pub owner: Option<OwnerThere>,
    /// When it was changed last.
    pub modified_at: Option<DateTime<Utc>>,
}

/// One thing that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordChange {
    /// The record is there.
    Saved(RecordNow),
    /// The record was deleted.
    Deleted(Uuid),
}

impl RecordChange {
    /// The record.
    #[must_use]
    pub const fn record_id(&self) -> Uuid {
        match self {
            Self::Saved(now) => now.record_id,
            Self::Deleted(id) => *id,
        }
    }
}

/// What a page of changes came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Applied {
    /// Leads whose status or owner changed.
    pub changed: usize,
    /// Leads that are no longer there.
    pub deleted: usize,
}

struct Link {
    lead_id: LeadId,
    updated_at: NaiveDateTime,
}

/// Our leads by their records, as far as they are linked.
fn links(
    conn: &mut AnyConn,
    organization: &OrganizationId,
    records: &[Uuid],
) -> Result<HashMap<Uuid, Link>, StoreError> {
    let mut found = HashMap::new();
    for chunk in records.chunks(1_000) {
        let rows: Vec<(String, Option<String>, NaiveDateTime)> = o::table
            .filter(o::organization_id.eq(organization.as_str()))
            .filter(o::record_id.eq_any(chunk.iter().map(Uuid::to_string)))
            .filter(o::state.eq(LinkState::Linked.as_str()))
            .select((o::lead_id, o::record_id, o::updated_at))
            .load(conn)?;
        for (lead, record, updated_at) in rows {
            let cells = Cells {
                table: "organization_leads",
                id: &lead,
            };
            let link = Link {
                lead_id: cells.word("lead_id", &lead)?,
                updated_at,
            };
            found.insert(
                cells.word("record_id", record.as_deref().unwrap_or_default())?,
                link,
            );
        }
    }
    Ok(found)
}

/// Of these records, those that are leads of ours, with their owner as it was known last.
///
/// # Errors
/// As any query.
pub fn known_owners(
    conn: &mut AnyConn,
    organization: &OrganizationId,
    records: &[Uuid],
) -> Result<HashMap<Uuid, Option<Uuid>>, StoreError> {
    let links = links(conn, organization, records)?;
    let leads: Vec<LeadId> = links.values().map(|link| link.lead_id.clone()).collect();
    let known = states::load(conn, organization, &leads)?;
    Ok(links
        .into_iter()
        .map(|(record, link)| {
            let owner = known.get(&link.lead_id).and_then(|state| state.owner_id);
            (record, owner)
        })
        .collect())
}

/// Enabled people here by their e-mail address; `keys` are addresses as [`crate::domain::users::check_email`] gives them.
///
/// # Errors
/// As any query.
pub fn people(conn: &mut AnyConn, keys: &[String]) -> Result<HashMap<String, UserId>, StoreError> {
    let rows: Vec<(String, String)> = users::table
        .filter(users::email_key.eq_any(keys))
        .filter(users::is_enabled.eq(true))
        .select((users::email_key, users::id))
        .load(conn)?;
    rows.into_iter()
        .map(|(key, id)| Ok((key, super::columns::id("users", &id)?)))
        .collect()
}

/// The e-mail addresses of people here, as [`people`] takes them.
///
/// # Errors
/// As any query.
pub fn addresses(
    conn: &mut AnyConn,
    ids: &[UserId],
) -> Result<HashMap<String, UserId>, StoreError> {
    let rows: Vec<(String, String)> = users::table
        .filter(users::id.eq_any(ids.iter().map(UserId::as_str)))
        .select((users::email_key, users::id))
        .load(conn)?;
    rows.into_iter()
        .map(|(key, id)| Ok((key, super::columns::id("users", &id)?)))
        .collect()
}

/// The time before which a reading begins.
///
/// # Errors
/// As any query.
pub fn reading_begins(conn: &mut AnyConn) -> Result<DateTime<Utc>, StoreError> {
    database_now(conn)
}

/// What is known before a page is applied.
struct Known {
    links: HashMap<Uuid, Link>,
    states: HashMap<LeadId, LeadState>,
    leads: HashMap<LeadId, Lead>,
    /// Names of owners, before and after.
    names: HashMap<UserId, String>,
}

impl Known {
    fn load(
        conn: &mut AnyConn,
        organization: &OrganizationId,
        changes: &[RecordChange],
    ) -> Result<Self, StoreError> {
        let records: Vec<Uuid> = changes.iter().map(RecordChange::record_id).collect();
        let links = links(conn, organization, &records)?;
        let ids: Vec<LeadId> = links.values().map(|link| link.lead_id.clone()).collect();
        let leads = lead_rows::load(conn, &ids)?;
        let mut people: Vec<UserId> = leads.iter().map(|lead| lead.owner_id.clone()).collect();
        people.extend(changes.iter().filter_map(|change| match change {
            RecordChange::Saved(now) => now.owner.as_ref()?.user_id.clone(),
            RecordChange::Deleted(_) => None,
        }));
        Ok(Self {
            states: states::load(conn, organization, &ids)?,
            names: owners::names(conn, &people)?,
            leads: leads
                .into_iter()
                .map(|lead| (lead.id.clone(), lead))
                .collect(),
            links,
        })
    }
}

/// Applies a page of changes and moves the cursor with it. `began` is the database's time before the page was asked for,
/// `now` the portal's; `new_id` makes the ids of the journal's entries.
///
/// # Errors
/// `LeaseLost`, or as any query.
pub fn apply(
    conn: &mut AnyConn,
    lease: &ReadLease,
    changes: &[RecordChange],
    began: DateTime<Utc>,
    cursor: Option<&Cursor>,
    mut new_id: impl FnMut() -> String,
    now: DateTime<Utc>,
) -> Result<Applied, StoreError> {
    lock_leads(conn)?;
    organization_reads::fence(conn, lease)?;
    let mut known = Known::load(conn, &lease.organization, changes)?;
    let seen_at = database_now(conn)?;
    let mut judged = Judged::default();
    for change in changes {
        let Some(link) = known.links.get(&change.record_id()) else {
            continue;
        };
        // Only what was written before the reading began is told from what people did there.
        let is_unsure = link.updated_at >= began.naive_utc();
        let before = known.states.get(&link.lead_id);
        match (change, known.leads.get_mut(&link.lead_id)) {
            (RecordChange::Saved(there), Some(lead)) if is_unsure => {
                judged.seen.push(marked(before, lead, there, seen_at));
            }
            (RecordChange::Saved(there), Some(lead)) => {
                let what = bring(lead, before, there, &known.names);
                judged.seen.push(seen(lead, before, there, &what, seen_at));
                if !what.is_empty() {
                    lead.updated_at = now;
                    lead.lock_version += 1;
                    judged.journal.push(entry(new_id(), lead, &what, now));
                    judged.changed.push(lead.id.clone());
                }
            }
            (RecordChange::Deleted(_), _) if is_unsure => {
                judged.seen.extend(before.map(doubted));
            }
            (RecordChange::Deleted(_), _) => judged.gone.push(link.lead_id.clone()),
            (RecordChange::Saved(_), None) => {}
        }
    }
    let applied = judged.write(conn, lease, &known, seen_at)?;
    if let Some(cursor) = cursor {
        organization_reads::set_cursor(conn, lease, cursor)?;
    }
    tell(conn, lease, applied, now)?;
    Ok(applied)
}

/// What a page of changes is to us.
#[derive(Default)]
struct Judged {
    seen: Vec<LeadState>,
    changed: Vec<LeadId>,
    journal: Vec<LeadChange>,
    gone: Vec<LeadId>,
}

impl Judged {
    fn write(
        self,
        conn: &mut AnyConn,
        lease: &ReadLease,
        known: &Known,
        seen_at: DateTime<Utc>,
    ) -> Result<Applied, StoreError> {
        let leads: Vec<&Lead> = self
            .changed
            .iter()
            .filter_map(|id| known.leads.get(id))
            .collect();
        lead_rows::save_from(conn, &leads, &lease.organization)?;
        write_journal(conn, lease, self.journal)?;
        let seen: Vec<&LeadState> = self.seen.iter().collect();
        states::save(conn, &lease.organization, &seen)?;
        mark_deleted(conn, &lease.organization, &self.gone, seen_at)?;
        Ok(Applied {
            changed: self.changed.len(),
            deleted: self.gone.len(),
        })
    }
}

/// How a record is now.
fn seen(
    lead: &Lead,
    before: Option<&LeadState>,
    there: &RecordNow,
    what: &[JournalChange],
    seen_at: DateTime<Utc>,
) -> LeadState {
    LeadState {
        lead_id: lead.id.clone(),
        status: there.status,
        owner_id: there.owner.as_ref().map(|owner| owner.id),
        owner_name: there.owner.as_ref().and_then(|owner| owner.name.clone()),
        sent_owner_id: Some(owner_compared(lead, before, what)),
        modified_at: there.modified_at,
        is_unsure: false,
        seen_at,
    }
}

fn doubted(state: &LeadState) -> LeadState {
    LeadState {
        is_unsure: true,
        ..state.clone()
    }
}

/// A record that cannot be judged now.
fn marked(
    before: Option<&LeadState>,
    lead: &Lead,
    there: &RecordNow,
    seen_at: DateTime<Utc>,
) -> LeadState {
    match before {
        Some(state) => doubted(state),
        None => LeadState {
            lead_id: lead.id.clone(),
            status: RecordStatus::NEW,
            owner_id: None,
            owner_name: None,
            sent_owner_id: Some(lead.owner_id.clone()),
            modified_at: there.modified_at,
            is_unsure: true,
            seen_at,
        },
    }
}

/// Writes onto the lead what changed there; answers what that was.
fn bring(
    lead: &mut Lead,
    before: Option<&LeadState>,
    there: &RecordNow,
    names: &HashMap<UserId, String>,
) -> Vec<JournalChange> {
    let mut changes = Vec::new();
    let known = before.map(|state| state.status);
    if let Some(status) = came_back(known, there.status, lead.status) {
        changes.push(JournalChange {
            field: "status".to_owned(),
            before: Some(lead.status.label().to_owned()),
            after: Some(status.label().to_owned()),
        });
        lead.status = status;
    }
    if let Some(owner) = &there.owner
        && before.and_then(|state| state.owner_id) != Some(owner.id)
        && let Some(user) = &owner.user_id
        && *user != lead.owner_id
    {
        changes.push(JournalChange {
            field: "owner".to_owned(),
            before: names.get(&lead.owner_id).cloned(),
            after: names.get(user).cloned(),
        });
        lead.owner_id = user.clone();
    }
    changes
}

/// Our owner with whom the owner there was compared: a change here that was not sent yet stays one.
fn owner_compared(lead: &Lead, before: Option<&LeadState>, what: &[JournalChange]) -> UserId {
    let came = what.iter().any(|change| change.field == "owner");
    before
        .and_then(|state| state.sent_owner_id.clone())
        .filter(|_| !came)
        .unwrap_or_else(|| lead.owner_id.clone())
}

fn entry(id: String, lead: &Lead, what: &[JournalChange], now: DateTime<Utc>) -> LeadChange {
    LeadChange {
        id,
        lead_id: lead.id.clone(),
        submission_id: None,
        user_id: None,
        kind: "edited",
        // Texts always have a JSON form.
        changes: serde_json::to_string(what).unwrap_or_else(|_| "[]".to_owned()),
        created_at: now,
    }
}

fn write_journal(
    conn: &mut AnyConn,
    lease: &ReadLease,
    journal: Vec<LeadChange>,
) -> Result<(), StoreError> {
    let ids: Vec<String> = journal.iter().map(|entry| entry.id.clone()).collect();
    add_changes(conn, journal)?;
    for chunk in ids.chunks(1_000) {
        diesel::update(lead_changes::table.filter(lead_changes::id.eq_any(chunk)))
            .set(lead_changes::actor_name.eq(format!("{} (Dynamics 365)", lease.name)))
            .execute(conn)?;
    }
    Ok(())
}

fn mark_deleted(
    conn: &mut AnyConn,
    organization: &OrganizationId,
    leads: &[LeadId],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    for chunk in leads.chunks(1_000) {
        diesel::update(
            o::table
                .filter(o::organization_id.eq(organization.as_str()))
                .filter(o::lead_id.eq_any(chunk.iter().map(LeadId::as_str))),
        )
        .set((
            o::state.eq(LinkState::Deleted.as_str()),
            o::updated_at.eq(now.naive_utc()),
        ))
        .execute(conn)?;
    }
    Ok(())
}

fn tell(
    conn: &mut AnyConn,
    lease: &ReadLease,
    applied: Applied,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    if applied == Applied::default() {
        return Ok(());
    }
    audit::record(
        conn,
        now,
        &Actor::s2s_inbound(),
        "organization.changes_read",
        // Not the organization itself: its own history is what people did with it.
        (
            "organization_leads",
            lease.organization.as_str(),
            &lease.name,
        ),
        None,
        Some(json!({ "leads_changed": applied.changed, "leads_deleted_there": applied.deleted })),
    )
}

/// Marks every record of an organization, because what happened meanwhile was not told.
///
/// # Errors
/// As any query.
pub fn doubt_all(conn: &mut AnyConn, lease: &ReadLease) -> Result<(), StoreError> {
    organization_reads::fence(conn, lease)?;
    states::doubt_all(conn, &lease.organization)?;
    organization_reads::set_cursor(conn, lease, &Cursor::Begin)
}
