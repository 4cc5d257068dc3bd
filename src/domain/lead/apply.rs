//! Writes the mapped values of a submission onto a lead by each mapping's policy.

use serde::{Deserialize, Serialize};

use super::Lead;
use super::field::FieldKey;
use super::provenance::FieldOrigin;
use crate::domain::field_mapping::{MappedValue, WritePolicy};
use crate::domain::submission::SubmissionStamp;

/// What a submission changed on one field of a lead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldChange {
    /// The field.
    pub field: FieldKey,
    /// Its value before; `None` if it was empty.
    pub before: Option<String>,
    /// Its value afterwards.
    pub after: Option<String>,
}

/// Applies mapped values to a lead and says what changed, field by field in the order of first mention.
///
/// - *Overwrite*: the newest submission wins, by (submitted, response id), whatever the order of arrival. A value that
///   a person or an import wrote is always older than a submission that came after the one it replaced.
/// - *Fill if empty*: writes only where there is no value.
/// - *Append*: adds a line, never the same text twice.
///
/// Blank values never erase. Applying the same submission twice changes nothing, and for overwrite the end state does
/// not depend on the order of submissions. Counts and the first and latest submission are the caller's.
pub fn apply(
    lead: &mut Lead,
    mapped: &[MappedValue],
    submission: &SubmissionStamp,
) -> Vec<FieldChange> {
    let mut changes = Vec::new();
    for (index, value) in mapped.iter().enumerate() {
        // All values of one field are settled at its first mention, so that a change is reported once.
        if mapped
            .iter()
            .take(index)
            .any(|earlier| earlier.field == value.field)
        {
            continue;
        }
        let values = mapped
            .iter()
            .skip(index)
            .filter(|other| other.field == value.field);
        if let Some(change) = apply_field(lead, &value.field, values, submission) {
            changes.push(change);
        }
    }
    changes
}

fn apply_field<'a>(
    lead: &mut Lead,
    field: &FieldKey,
    values: impl Iterator<Item = &'a MappedValue>,
    submission: &SubmissionStamp,
) -> Option<FieldChange> {
    let before = lead.values.get(field).cloned();
    let wins = lead
        .provenance
        .get(field)
        .is_none_or(|origin| origin.yields_to(submission));
    let mut after = before.clone();
    let mut overwritten = false;
    for MappedValue { value, policy, .. } in values {
        if value.trim().is_empty() {
            continue;
        }
        match (policy, &mut after) {
            (WritePolicy::Overwrite, _) => {
                if wins {
                    after = Some(value.clone());
                    overwritten = true;
                }
            }
            (WritePolicy::FillIfEmpty, None) => after = Some(value.clone()),
            (WritePolicy::Append, None) => after = Some(value.trim().to_owned()),
            (WritePolicy::FillIfEmpty, Some(_)) => {}
            (WritePolicy::Append, Some(text)) => append(text, value),
        }
    }
    let changed = after != before;
    // An equal value of a newer submission also moves the stamp, or an older one could still replace it.
    if wins && (changed || overwritten) {
        lead.provenance
            .insert(field.clone(), FieldOrigin::submission(submission));
    }
    if !changed {
        return None;
    }
    if let Some(text) = &after {
        lead.values.insert(field.clone(), text.clone());
    }
    Some(FieldChange {
        field: field.clone(),
        before,
        after,
    })
}

/// Adds a line unless the same text stands there already, alone or as a run of whole lines.
fn append(text: &mut String, addition: &str) {
    let addition = addition.trim();
    let framed = format!("\n{text}\n");
    if !framed.contains(&format!("\n{addition}\n")) {
        text.push('\n');
        text.push_str(addition);
    }
}
