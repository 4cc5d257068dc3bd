//! Undoing what a person made of a submission: the lead gets back the values that its journal tells, or goes again if the
//! act made it; only while nothing else changed the lead since.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use super::intake::{LeadChange, add_changes};
use super::leads::JournalChange;
use super::schema::{form_submissions, lead_changes, leads};
use super::submission_acts::{self, Act, NewAct, Stood};
use super::{AnyConn, StoreError, lead_edits, lead_rows, lock_leads};
use crate::domain::ids::{LeadId, SubmissionId, UserId};
use crate::domain::lead::{FieldKey, Lead, LeadStatus, Provenance};
use crate::domain::submission::ActKind;

/// What undoing an act brings back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Before {
    /// How the submission stood.
    pub submission: Stood,
    /// What the lead was beside its values, which stand in its journal; `None` when the act made the lead.
    pub lead: Option<LeadBefore>,
}

/// What a lead was, without its values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LeadBefore {
    status: LeadStatus,
    provenance: Provenance,
    first_submission_id: Option<SubmissionId>,
    latest_submission_id: Option<SubmissionId>,
    latest_submitted_at: Option<DateTime<Utc>>,
    submission_count: i64,
}

impl From<&Lead> for LeadBefore {
    fn from(lead: &Lead) -> Self {
        Self {
            status: lead.status,
            provenance: lead.provenance.clone(),
            first_submission_id: lead.first_submission_id.clone(),
            latest_submission_id: lead.latest_submission_id.clone(),
            latest_submitted_at: lead.latest_submitted_at,
            submission_count: lead.submission_count,
        }
    }
}

/// Why an act cannot be undone; `None` when it can.
///
/// # Errors
/// As any query.
pub fn why_not(conn: &mut AnyConn, act: &Act) -> Result<Option<&'static str>, StoreError> {
    if act.undone_at.is_some() {
        return Ok(Some("It was undone already."));
    }
    let (true, Some((lead_id, version)), Some(_)) = (
        matches!(act.kind, ActKind::Linked | ActKind::TurnedIntoLead),
        &act.lead,
        &act.before_state,
    ) else {
        return Ok(Some("This cannot be undone."));
    };
    let lead: Option<i64> = leads::table
        .find(lead_id.as_str())
        .select(leads::lock_version)
        .first(conn)
        .optional()?;
    let belongs: Option<Option<String>> = form_submissions::table
        .find(act.submission_id.as_str())
        .select(form_submissions::lead_id)
        .first(conn)
        .optional()?;
    Ok(match lead {
        None => Some("The lead is gone."),
        Some(_) if belongs.flatten().as_deref() != Some(lead_id.as_str()) => {
            Some("The submission does not belong to that lead any more.")
        }
        Some(now) if now != *version => Some(
            "Something else changed the lead since. Edit the lead instead, so that nobody’s work is lost.",
        ),
        Some(_) => None,
    })
}

/// Undoes an act on a submission. `act_id` identifies it; `new_id` the entries that note it.
///
/// # Errors
/// `NotFound` when there is no such act, `Rule` with the reason when it cannot be undone any more.
pub fn undo(
    conn: &mut AnyConn,
    id: &SubmissionId,
    act_id: &str,
    by: &UserId,
    now: DateTime<Utc>,
    new_id: impl Fn() -> String,
) -> Result<ActKind, StoreError> {
    lock_leads(conn)?;
    let act = submission_acts::of_submission(conn, id)?
        .into_iter()
        .find(|act| act.id == act_id)
        .ok_or(StoreError::NotFound("act"))?;
    if let Some(why) = why_not(conn, &act)? {
        return Err(StoreError::Rule(why.to_owned()));
    }
    let corrupt = || StoreError::Corrupt {
        table: "submission_acts",
        column: "before_state",
        id: act.id.clone(),
    };
    let before: Before = act
        .before_state
        .as_deref()
        .and_then(|json| serde_json::from_str(json).ok())
        .ok_or_else(corrupt)?;
    let (lead_id, _) = act.lead.as_ref().ok_or_else(corrupt)?;
    match &before.lead {
        // Keys, origins and journal go with it; the submission's link empties by itself.
        None => {
            diesel::delete(leads::table.find(lead_id.as_str())).execute(conn)?;
        }
        Some(was) => restore(conn, lead_id, id, was, by, now, new_id())?,
    }
    submission_acts::put_back(conn, id, &before.submission)?;
    submission_acts::set_undone(conn, &act.id, now)?;
    submission_acts::note(
        conn,
        &[NewAct {
            id: new_id(),
            submission_id: id.as_str().to_owned(),
            user_id: by.as_str().to_owned(),
            actor_name: None,
            kind: ActKind::Undone.as_str(),
            reason: None,
            lead_id: None,
            lead_lock_version: None,
            before_state: None,
            created_at: now.naive_utc(),
            undone_at: None,
        }],
    )?;
    Ok(act.kind)
}

/// Gives a lead its values back as the journal of the act tells, and notes that in the journal.
fn restore(
    conn: &mut AnyConn,
    lead_id: &LeadId,
    submission: &SubmissionId,
    was: &LeadBefore,
    by: &UserId,
    now: DateTime<Utc>,
    change_id: String,
) -> Result<(), StoreError> {
    let mut lead = super::leads::get(conn, lead_id)?;
    // The newest entry: nothing changed the lead after the act.
    let entry: Option<(String, String)> = lead_changes::table
        .filter(lead_changes::lead_id.eq(lead_id.as_str()))
        .filter(lead_changes::submission_id.eq(submission.as_str()))
        .order((lead_changes::created_at.desc(), lead_changes::id.desc()))
        .select((lead_changes::id, lead_changes::changes))
        .first(conn)
        .optional()?;
    let changes: Vec<JournalChange> = match &entry {
        None => Vec::new(),
        Some((id, json)) => super::columns::Cells {
            table: "lead_changes",
            id,
        }
        .json("changes", json)?,
    };
    let mut back = Vec::with_capacity(changes.len() + 1);
    for change in changes {
        let Ok(field) = change.field.parse::<FieldKey>() else {
            continue;
        };
        match &change.before {
            Some(value) => lead.values.insert(field, value.clone()),
            None => lead.values.remove(&field),
        };
        back.push(JournalChange {
            field: change.field,
            before: change.after,
            after: change.before,
        });
    }
    if lead.status != was.status {
        back.push(JournalChange {
            field: "status".to_owned(),
            before: Some(lead.status.label().to_owned()),
            after: Some(was.status.label().to_owned()),
        });
    }
    lead.status = was.status;
    lead.provenance.clone_from(&was.provenance);
    lead.first_submission_id
        .clone_from(&was.first_submission_id);
    lead.latest_submission_id
        .clone_from(&was.latest_submission_id);
    lead.latest_submitted_at = was.latest_submitted_at;
    lead.submission_count = was.submission_count;
    lead.updated_at = now;
    lead.lock_version += 1;
    lead_rows::save(conn, &[&lead])?;
    lead_edits::rekey(conn, &lead)?;
    add_changes(
        conn,
        vec![LeadChange {
            id: change_id,
            lead_id: lead_id.clone(),
            submission_id: Some(submission.clone()),
            user_id: Some(by.clone()),
            kind: "edited",
            changes: serde_json::to_string(&back).unwrap_or_else(|_| "[]".to_owned()),
            created_at: now,
        }],
    )
}
