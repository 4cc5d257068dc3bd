//! One change on many leads: owner and status, set-based, with a journal entry for each lead that changed.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::columns::Cells;
use super::intake::{LeadChange, add_changes};
use super::leads::JournalChange;
use super::schema::{leads, users};
use super::{AnyConn, StoreError, deliveries, lock_leads};
use crate::domain::ids::{LeadId, UserId};
use crate::domain::lead::LeadStatus;

/// The most leads of one change: it is one transaction, and the sync waits for it.
pub const MAX_LEADS: usize = 10_000;
/// Leads per statement.
const CHUNK: usize = 1_000;

/// What many leads are to be.
#[derive(Debug, Clone, Default)]
pub struct BulkEdit {
    /// The new status.
    pub status: Option<LeadStatus>,
    /// The new owner.
    pub owner_id: Option<UserId>,
    /// Whether closed leads change as well.
    pub with_closed: bool,
}

/// What a change comes to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BulkOutcome {
    /// The leads that are there.
    pub found: usize,
    /// Those that change.
    pub changed: usize,
    /// Those that are left alone because they are closed.
    pub closed: usize,
}

struct Current {
    id: LeadId,
    status: LeadStatus,
    owner_id: String,
}

impl BulkEdit {
    fn is_left_alone(&self, lead: &Current) -> bool {
        lead.status.is_closed() && !self.with_closed
    }

    fn changes(&self, lead: &Current) -> bool {
        self.status.is_some_and(|status| status != lead.status)
            || self
                .owner_id
                .as_ref()
                .is_some_and(|owner| owner.as_str() != lead.owner_id)
    }

    fn outcome(&self, leads: &[Current]) -> BulkOutcome {
        let would: Vec<&Current> = leads.iter().filter(|lead| self.changes(lead)).collect();
        let closed = would.iter().filter(|lead| self.is_left_alone(lead)).count();
        BulkOutcome {
            found: leads.len(),
            changed: would.len() - closed,
            closed,
        }
    }
}

fn current(conn: &mut AnyConn, ids: &[LeadId]) -> Result<Vec<Current>, StoreError> {
    let mut found = Vec::with_capacity(ids.len());
    for chunk in ids.chunks(CHUNK) {
        let rows: Vec<(String, String, String)> = leads::table
            .filter(leads::id.eq_any(chunk.iter().map(LeadId::as_str)))
            .select((leads::id, leads::status, leads::owner_id))
            .load(conn)?;
        for (id, status, owner_id) in rows {
            let cells = Cells {
                table: "leads",
                id: &id,
            };
            found.push(Current {
                id: cells.word("id", &id)?,
                status: cells.word("status", &status)?,
                owner_id,
            });
        }
    }
    Ok(found)
}

/// What the change would come to; nothing is written.
///
/// # Errors
/// As any query.
pub fn preview(
    conn: &mut AnyConn,
    ids: &[LeadId],
    edit: &BulkEdit,
) -> Result<BulkOutcome, StoreError> {
    Ok(edit.outcome(&current(conn, ids)?))
}

/// Changes the leads, in the caller's transaction. Leads that are gone, closed or as wanted already stay as they are.
/// `new_id` makes the ids of the journal's entries.
///
/// # Errors
/// `Rule` for more than [`MAX_LEADS`] leads, and when the new owner is disabled or unknown.
pub fn apply(
    conn: &mut AnyConn,
    ids: &[LeadId],
    edit: &BulkEdit,
    user_id: &UserId,
    mut new_id: impl FnMut() -> String,
    now: DateTime<Utc>,
) -> Result<BulkOutcome, StoreError> {
    if ids.len() > MAX_LEADS {
        return Err(StoreError::Rule(format!(
            "At most {MAX_LEADS} leads can be changed at once. Narrow the filter."
        )));
    }
    lock_leads(conn)?;
    let owner = match &edit.owner_id {
        None => None,
        Some(id) => {
            let known: Option<(String, bool)> = users::table
                .find(id.as_str())
                .select((users::name, users::is_enabled))
                .first(conn)
                .optional()?;
            match known {
                Some((name, true)) => Some((id.as_str(), name)),
                _ => {
                    return Err(StoreError::Rule(
                        "The chosen owner is disabled or no longer a user. Choose somebody else."
                            .to_owned(),
                    ));
                }
            }
        }
    };
    let leads_now = current(conn, ids)?;
    let outcome = edit.outcome(&leads_now);
    let changing: Vec<&Current> = leads_now
        .iter()
        .filter(|lead| edit.changes(lead) && !edit.is_left_alone(lead))
        .collect();
    let names = owner_names(conn, &changing)?;
    let mut journal = Vec::with_capacity(changing.len());
    for lead in &changing {
        let mut changes = Vec::new();
        if let Some(status) = edit.status.filter(|status| *status != lead.status) {
            changes.push(JournalChange {
                field: "status".to_owned(),
                before: Some(lead.status.label().to_owned()),
                after: Some(status.label().to_owned()),
            });
        }
        if let Some((id, name)) = &owner
            && *id != lead.owner_id
        {
            changes.push(JournalChange {
                field: "owner".to_owned(),
                before: names.get(&lead.owner_id).cloned(),
                after: Some(name.clone()),
            });
        }
        journal.push(LeadChange {
            id: new_id(),
            lead_id: lead.id.clone(),
            submission_id: None,
            user_id: Some(user_id.clone()),
            kind: "edited",
            // Texts always have a JSON form.
            changes: serde_json::to_string(&changes).unwrap_or_else(|_| "[]".to_owned()),
            created_at: now,
        });
    }
    for chunk in changing.chunks(CHUNK) {
        let ids: Vec<LeadId> = chunk.iter().map(|lead| lead.id.clone()).collect();
        let before = deliveries::before_ids(conn, &ids)?;
        let chosen =
            leads::table.filter(leads::id.eq_any(chunk.iter().map(|lead| lead.id.as_str())));
        let stamp = (
            leads::updated_at.eq(now.naive_utc()),
            leads::lock_version.eq(leads::lock_version + 1),
        );
        let status = edit.status.map(|status| leads::status.eq(status.as_str()));
        let owner = owner.as_ref().map(|(id, _)| leads::owner_id.eq(*id));
        diesel::update(chosen)
            .set((stamp, status, owner))
            .execute(conn)?;
        deliveries::enqueue_ids(conn, &before, &ids)?;
    }
    add_changes(conn, journal)?;
    Ok(outcome)
}

fn owner_names(
    conn: &mut AnyConn,
    leads: &[&Current],
) -> Result<HashMap<String, String>, StoreError> {
    let mut ids: Vec<&str> = leads.iter().map(|lead| lead.owner_id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    let mut names = HashMap::new();
    for chunk in ids.chunks(CHUNK) {
        let rows: Vec<(String, String)> = users::table
            .filter(users::id.eq_any(chunk))
            .select((users::id, users::name))
            .load(conn)?;
        names.extend(rows);
    }
    Ok(names)
}
