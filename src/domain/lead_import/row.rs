//! One row of a file: read into checked values, written onto a lead, taken back.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::{ColumnTarget, ImportChange, ImportPlan, OnMatch, kind_of};
use crate::domain::field_mapping::fit;
use crate::domain::ids::{LeadId, UserId};
use crate::domain::lead::{
    CustomField, FieldKey, FieldOrigin, Lead, LeadSource, LeadStatus, LeadValues, Origin,
    Provenance, display_name,
};
use crate::domain::normalise;

/// The longest topic, in characters.
const MAX_TOPIC: usize = 300;

/// The checked values of a row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImportRow {
    /// Values of fields; none is blank.
    pub values: LeadValues,
    /// What the lead is about.
    pub topic: Option<String>,
    /// How far the work on it is.
    pub status: Option<LeadStatus>,
    /// Whose it is.
    pub owner_id: Option<UserId>,
}

/// What reading a row came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowReading {
    /// It can be imported.
    Row(Box<ImportRow>),
    /// No column that counts holds anything.
    Empty,
    /// It cannot be imported; sentences that hold no value of the row.
    Invalid(String),
}

/// A person who can own leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnerChoice {
    /// Identifier.
    pub id: UserId,
    /// Name.
    pub name: String,
    /// E-mail address.
    pub email: String,
}

/// Spreadsheets and our own exports put an apostrophe before a text that could be taken for a formula.
fn without_guard(cell: &str) -> &str {
    match cell.strip_prefix('\'') {
        Some(rest) if rest.starts_with(['=', '+', '-', '@', '\t', '\r']) => rest,
        _ => cell,
    }
}

/// Reads the cells of a row as the plan says. `country` is the two-letter default for dates.
#[must_use]
pub fn read_row(
    cells: &[String],
    plan: &ImportPlan,
    custom: &[CustomField],
    owners: &[OwnerChoice],
    country: Option<&str>,
) -> RowReading {
    let mut row = ImportRow::default();
    let mut problems = Vec::new();
    let mut has_value = false;
    if cells
        .iter()
        .skip(plan.columns.len())
        .any(|cell| !cell.trim().is_empty())
    {
        problems.push(format!(
            "The row has {} values, but the header names {} columns.",
            cells.len(),
            plan.columns.len()
        ));
    }
    for (cell, target) in cells.iter().zip(&plan.columns) {
        let Some(target) = target else { continue };
        let value = without_guard(cell.trim()).trim();
        if value.is_empty() {
            continue;
        }
        has_value = true;
        if let Err(problem) = read_cell(&mut row, value, target, custom, owners, country) {
            problems.push(format!("{}: {problem}.", target.label(custom)));
        }
    }
    if !problems.is_empty() {
        return RowReading::Invalid(problems.join(" "));
    }
    if !has_value {
        return RowReading::Empty;
    }
    if display_name(&row.values).is_none() && row.topic.is_none() {
        return RowReading::Invalid(
            "The row has neither a name nor a company, an e-mail address or a topic.".to_owned(),
        );
    }
    RowReading::Row(Box::new(row))
}

fn read_cell(
    row: &mut ImportRow,
    value: &str,
    target: &ColumnTarget,
    custom: &[CustomField],
    owners: &[OwnerChoice],
    country: Option<&str>,
) -> Result<(), String> {
    if value.contains('\0') {
        return Err("The value holds a character that cannot be stored".to_owned());
    }
    match target {
        ColumnTarget::Field(key) => {
            let kind = kind_of(key, custom).ok_or("There is no such field any more")?;
            let value = fit(&kind, &value.replace("\r\n", "\n"), country)
                .map_err(|problem| problem.label().to_owned())?;
            row.values.insert(key.clone(), value);
        }
        ColumnTarget::Topic => {
            if value.chars().count() > MAX_TOPIC {
                return Err("The value is too long for its field".to_owned());
            }
            row.topic = Some(value.to_owned());
        }
        ColumnTarget::Status => {
            let wanted = normalise::text(value);
            let status = LeadStatus::ALL.iter().find(|status| {
                normalise::text(status.label()) == wanted
                    || wanted.as_deref() == Some(status.as_str())
            });
            row.status = Some(
                *status.ok_or("The value is none of New, Contacted, Qualified, Disqualified")?,
            );
        }
        ColumnTarget::Owner => {
            let wanted = normalise::text(value);
            let mut found = owners.iter().filter(|owner| {
                normalise::text(&owner.email) == wanted || normalise::text(&owner.name) == wanted
            });
            let owner = found
                .next()
                .ok_or("No enabled user who can own leads has this name or e-mail address")?;
            if found.next().is_some() {
                return Err("Several users have this name; give the e-mail address".to_owned());
            }
            row.owner_id = Some(owner.id.clone());
        }
    }
    Ok(())
}

/// The lead that a row makes, and what it sets.
#[must_use]
pub fn new_lead(
    row: &ImportRow,
    plan: &ImportPlan,
    id: LeadId,
    file_name: &str,
    now: DateTime<Utc>,
) -> (Lead, Vec<ImportChange>) {
    let changes = row
        .values
        .iter()
        .map(|(key, value)| ImportChange {
            field: ColumnTarget::Field(key.clone()),
            before: None,
            after: value.clone(),
            by: None,
        })
        .collect();
    let provenance: Provenance = row
        .values
        .keys()
        .map(|key| (key.clone(), FieldOrigin::outside(Origin::Import)))
        .collect();
    let lead = Lead {
        id,
        values: row.values.clone(),
        topic: row
            .topic
            .clone()
            .unwrap_or_else(|| format!("Import: {file_name}")),
        status: row.status.unwrap_or(plan.status),
        source: LeadSource::Import,
        owner_id: row
            .owner_id
            .clone()
            .unwrap_or_else(|| plan.owner_id.clone()),
        provenance,
        created_at: now,
        updated_at: now,
        first_submission_id: None,
        latest_submission_id: None,
        latest_submitted_at: None,
        submission_count: 0,
        account_id: None,
        form_id: None,
        campaign_id: None,
        member_urn: None,
        lock_version: 1,
    };
    (lead, changes)
}

/// Writes a row onto the lead that it matches and says what changed; the caller counts the lock version.
pub fn write_onto(lead: &mut Lead, row: &ImportRow, on_match: OnMatch) -> Vec<ImportChange> {
    let mut changes = Vec::new();
    if on_match == OnMatch::Skip {
        return changes;
    }
    for (key, value) in &row.values {
        let before = lead.values.get(key).cloned();
        let is_kept = before.as_ref() == Some(value)
            || (before.is_some() && on_match == OnMatch::FillIfEmpty);
        if is_kept {
            continue;
        }
        changes.push(ImportChange {
            field: ColumnTarget::Field(key.clone()),
            before,
            after: value.clone(),
            by: lead.provenance.get(key).map(|origin| origin.by),
        });
        lead.values.insert(key.clone(), value.clone());
        lead.provenance.edited(key.clone(), Origin::Import);
    }
    if on_match == OnMatch::Overwrite {
        overwrite_rest(lead, row, &mut changes);
    }
    changes
}

/// Topic, status and owner: they are never empty, so only overwriting changes them.
fn overwrite_rest(lead: &mut Lead, row: &ImportRow, changes: &mut Vec<ImportChange>) {
    let mut note = |field, before: String, after: String| {
        changes.push(ImportChange {
            field,
            before: Some(before),
            after,
            by: None,
        });
    };
    if let Some(topic) = row.topic.as_ref().filter(|topic| **topic != lead.topic) {
        note(ColumnTarget::Topic, lead.topic.clone(), topic.clone());
        lead.topic.clone_from(topic);
    }
    if let Some(status) = row.status.filter(|status| *status != lead.status) {
        note(
            ColumnTarget::Status,
            lead.status.as_str().to_owned(),
            status.as_str().to_owned(),
        );
        lead.status = status;
    }
    if let Some(owner) = row
        .owner_id
        .as_ref()
        .filter(|owner| **owner != lead.owner_id)
    {
        note(
            ColumnTarget::Owner,
            lead.owner_id.as_str().to_owned(),
            owner.as_str().to_owned(),
        );
        lead.owner_id = owner.clone();
    }
}

/// Takes back what rows of one import changed on a lead, oldest first, wherever the value is still the import's.
/// Answers what was restored (as changes back) and how many values were left alone because they changed since.
pub fn take_back(lead: &mut Lead, changes: &[ImportChange]) -> (Vec<ImportChange>, usize) {
    // Several rows may have changed the same part: the value before the first of them comes back.
    let mut parts: BTreeMap<&ColumnTarget, (&ImportChange, &ImportChange)> = BTreeMap::new();
    for change in changes {
        parts
            .entry(&change.field)
            .and_modify(|(_, last)| *last = change)
            .or_insert((change, change));
    }
    let mut restored = Vec::new();
    let mut kept = 0;
    for (part, (first, last)) in parts {
        if put_back(lead, part, first, last) {
            restored.push(ImportChange {
                field: part.clone(),
                before: Some(last.after.clone()),
                after: first.before.clone().unwrap_or_default(),
                by: None,
            });
        } else {
            kept += 1;
        }
    }
    (restored, kept)
}

fn put_back(
    lead: &mut Lead,
    part: &ColumnTarget,
    first: &ImportChange,
    last: &ImportChange,
) -> bool {
    match part {
        ColumnTarget::Field(key) => put_field_back(lead, key, first, last),
        ColumnTarget::Topic => {
            let is_ours = lead.topic == last.after;
            if is_ours {
                lead.topic = first.before.clone().unwrap_or_default();
            }
            is_ours
        }
        ColumnTarget::Status => {
            let before = first.before.as_deref().and_then(|word| word.parse().ok());
            match before {
                Some(status) if lead.status.as_str() == last.after => {
                    lead.status = status;
                    true
                }
                _ => false,
            }
        }
        ColumnTarget::Owner => {
            let before = first.before.as_deref().and_then(|id| id.parse().ok());
            match before {
                Some(owner) if lead.owner_id.as_str() == last.after => {
                    lead.owner_id = owner;
                    true
                }
                _ => false,
            }
        }
    }
}

fn put_field_back(
    lead: &mut Lead,
    key: &FieldKey,
    first: &ImportChange,
    last: &ImportChange,
) -> bool {
    let is_ours = lead.values.get(key) == Some(&last.after)
        && lead
            .provenance
            .get(key)
            .is_some_and(|origin| origin.by == Origin::Import);
    if !is_ours {
        return false;
    }
    match &first.before {
        Some(value) => lead.values.insert(key.clone(), value.clone()),
        None => lead.values.remove(key),
    };
    match first.by {
        Some(by) => lead.provenance.edited(key.clone(), by),
        None => {
            lead.provenance.remove(key);
        }
    }
    true
}
