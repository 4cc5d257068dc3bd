//! Copies of a deleted submission's values in what the portal keeps for explaining and undoing: journals, merges, imports,
//! decisions and acts of other submissions. They are rewritten as JSON, so that what else they say stays.

use std::collections::BTreeSet;

use diesel::prelude::*;
use serde_json::Value;

use crate::domain::ids::{LeadId, SubmissionId};
use crate::domain::lead::{FieldKey, Lead};
use crate::store::schema::{
    form_submissions, lead_changes, lead_import_rows, lead_merges, submission_acts,
    submission_contents,
};
use crate::store::{AnyConn, StoreError, columns};

/// The values that are to be gone, by field, and the names that they made.
#[derive(Debug, Default)]
pub(super) struct Gone {
    values: BTreeSet<(String, String)>,
    names: BTreeSet<String>,
}

impl Gone {
    pub(super) fn add(&mut self, field: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.values.insert((field.to_owned(), value.to_owned()));
        }
    }

    /// Somebody else gave the same value: it stays.
    pub(super) fn spare(&mut self, field: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.values.remove(&(field.to_owned(), value.to_owned()));
        }
    }

    pub(super) fn add_name(&mut self, name: &str) {
        if !name.trim().is_empty() {
            self.names.insert(name.to_owned());
        }
    }

    fn has(&self, field: &str, value: &str) -> bool {
        self.names.contains(value) || self.values.contains(&(field.to_owned(), value.to_owned()))
    }

    /// Whether a text holds one of the values, as JSON writes it.
    fn is_in(&self, text: &str) -> bool {
        let values = self.values.iter().map(|(_, value)| value);
        values
            .chain(&self.names)
            .filter_map(|value| serde_json::to_string(value).ok())
            .any(|quoted| text.contains(&quoted))
    }

    /// Empties `keys` of every object that names a field and holds one of the values there; whether there was any.
    fn take_from(&self, value: &mut Value, keys: &[&str]) -> bool {
        match value {
            Value::Array(items) => {
                let mut any = false;
                for item in items {
                    any |= self.take_from(item, keys);
                }
                any
            }
            Value::Object(object) => {
                let field = object
                    .get("field")
                    .and_then(Value::as_str)
                    .map(str::to_owned);
                let mut any = false;
                for (key, inner) in object.iter_mut() {
                    let is_value = keys.contains(&key.as_str());
                    if let (Some(field), true, Some(text)) = (&field, is_value, inner.as_str()) {
                        if self.has(field, text) {
                            *inner = Value::Null;
                            any = true;
                        }
                    } else {
                        any |= self.take_from(inner, keys);
                    }
                }
                any
            }
            _ => false,
        }
    }

    /// The same text without the values; `None` when it holds none.
    fn taken_from(&self, text: &str, keys: &[&str]) -> Option<String> {
        let mut value: Value = serde_json::from_str(text).ok()?;
        self.take_from(&mut value, keys).then(|| value.to_string())
    }
}

const BOTH: &[&str] = &["before", "after"];

/// Erases the values from everything around these leads.
pub(super) fn erase(
    conn: &mut AnyConn,
    leads: &[LeadId],
    submission: &SubmissionId,
    urn: Option<&str>,
    gone: &mut Gone,
) -> Result<(), StoreError> {
    let ids: Vec<&str> = leads.iter().map(LeadId::as_str).collect();
    merges(conn, &ids, submission, urn, gone)?;
    let journal: Vec<(String, String)> = lead_changes::table
        .filter(lead_changes::lead_id.eq_any(&ids))
        .select((lead_changes::id, lead_changes::changes))
        .load(conn)?;
    for (id, changes) in journal {
        if let Some(rest) = gone.taken_from(&changes, BOTH) {
            diesel::update(lead_changes::table.find(&id))
                .set(lead_changes::changes.eq(rest))
                .execute(conn)?;
        }
    }
    let imported: Vec<(String, i64, Option<String>)> = lead_import_rows::table
        .filter(lead_import_rows::lead_id.eq_any(&ids))
        .select((
            lead_import_rows::import_id,
            lead_import_rows::row_number,
            lead_import_rows::changes,
        ))
        .load(conn)?;
    for (import, row, changes) in imported {
        // What the file said is the file's; only what it replaced was the member's.
        if let Some(rest) = changes.and_then(|text| gone.taken_from(&text, &["before"])) {
            diesel::update(lead_import_rows::table.find((import, row)))
                .set(lead_import_rows::changes.eq(Some(rest)))
                .execute(conn)?;
        }
    }
    let beside = || {
        form_submissions::table
            .filter(form_submissions::lead_id.eq_any(ids.clone()))
            .select(form_submissions::id)
    };
    let decisions: Vec<(String, Option<String>)> = submission_contents::table
        .filter(submission_contents::submission_id.eq_any(beside()))
        .select((
            submission_contents::submission_id,
            submission_contents::decision,
        ))
        .load(conn)?;
    for (id, decision) in decisions {
        if let Some(rest) = decision.and_then(|text| gone.taken_from(&text, BOTH)) {
            diesel::update(submission_contents::table.find(&id))
                .set(submission_contents::decision.eq(Some(rest)))
                .execute(conn)?;
        }
    }
    let acts: Vec<(String, Option<String>)> = submission_acts::table
        .filter(submission_acts::submission_id.eq_any(beside()))
        .filter(submission_acts::before_state.is_not_null())
        .select((submission_acts::id, submission_acts::before_state))
        .load(conn)?;
    for (id, before) in acts {
        // The decision stands in it as a text of its own, with its quotes escaped. Without it the act can no longer be undone.
        let plain = before.map(|text| text.replace('\\', ""));
        if plain.is_some_and(|text| gone.is_in(&text)) {
            diesel::update(submission_acts::table.find(&id))
                .set(submission_acts::before_state.eq(None::<String>))
                .execute(conn)?;
        }
    }
    Ok(())
}

/// The two leads that a merge keeps, and what it changed.
fn merges(
    conn: &mut AnyConn,
    ids: &[&str],
    submission: &SubmissionId,
    urn: Option<&str>,
    gone: &mut Gone,
) -> Result<(), StoreError> {
    type Row = (String, String, String, String, String);
    let rows: Vec<Row> = lead_merges::table
        .filter(
            lead_merges::survivor_id
                .eq_any(ids)
                .or(lead_merges::merged_id.eq_any(ids)),
        )
        .select((
            lead_merges::id,
            lead_merges::merged_name,
            lead_merges::merged_lead,
            lead_merges::survivor_before,
            lead_merges::changes,
        ))
        .load(conn)?;
    for (id, merged_name, merged, before, changes) in rows {
        let cells = columns::Cells {
            table: "lead_merges",
            id: &id,
        };
        let mut merged: Lead = cells.json("merged_lead", &merged)?;
        let mut survivor: Lead = cells.json("survivor_before", &before)?;
        let is_named_by_it = take_from_lead(&mut merged, submission, urn, gone);
        take_from_lead(&mut survivor, submission, urn, gone);
        let name = if is_named_by_it || gone.names.contains(&merged_name) {
            gone.add_name(&merged_name);
            merged.display_name()
        } else {
            merged_name
        };
        let write =
            |column, lead: &Lead| serde_json::to_string(lead).map_err(|_| cells.corrupt(column));
        diesel::update(lead_merges::table.find(&id))
            .set((
                lead_merges::merged_name.eq(name),
                lead_merges::merged_lead.eq(write("merged_lead", &merged)?),
                lead_merges::survivor_before.eq(write("survivor_before", &survivor)?),
                lead_merges::changes.eq(gone.taken_from(&changes, BOTH).unwrap_or(changes)),
            ))
            .execute(conn)?;
    }
    Ok(())
}

/// Takes the values from a kept lead; whether that changed its name.
fn take_from_lead(
    lead: &mut Lead,
    submission: &SubmissionId,
    urn: Option<&str>,
    gone: &Gone,
) -> bool {
    let named = lead.display_name();
    let going: Vec<FieldKey> = lead
        .values
        .iter()
        .filter(|(field, value)| {
            gone.values
                .contains(&(field.word().into_owned(), (*value).clone()))
        })
        .map(|(field, _)| field.clone())
        .collect();
    for field in going {
        lead.values.remove(&field);
        if lead
            .provenance
            .fields_of(submission)
            .any(|one| *one == field)
        {
            lead.provenance.remove(&field);
        }
    }
    if urn.is_some() && lead.member_urn.as_deref() == urn {
        lead.member_urn = None;
    }
    lead.display_name() != named
}
