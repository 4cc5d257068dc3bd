//! The preview of a change: what the latest submissions give a lead now, and what they would give it then.

use askama::Template;
use chrono::{DateTime, Utc};

use super::edit::Lists;
use super::picker::forms_with;
use crate::domain::field_mapping::{FieldMapping, MappingChange, WritePolicy};
use crate::domain::ids::SubmissionId;
use crate::domain::lead::LeadFields;
use crate::store::{AnyConn, StoreError, field_mappings};
use crate::sync::preview::{MappingPreview, compare_mappings};
use crate::web::Shell;

/// How many submissions can be chosen.
pub const SIZES: &[i64] = &[20, 50, 100, 200, 500];
/// How many are looked at when nobody chose.
pub const USUAL_SIZE: i64 = 50;
/// How many submissions are listed; the numbers count all.
const MOST_LISTED: usize = 100;

/// One field of one submission.
pub struct Difference {
    /// The field's label.
    pub label: String,
    /// Its value now.
    pub now: Option<String>,
    /// Its value then.
    pub then: Option<String>,
    /// What differs beside the value.
    pub note: Option<String>,
}

/// One submission.
pub struct Row {
    /// Its identifier.
    pub id: SubmissionId,
    /// Who submitted.
    pub name: String,
    /// When.
    pub submitted_at: DateTime<Utc>,
    /// What differs.
    pub differences: Vec<Difference>,
}

/// What `field_mappings/preview_table.html` shows.
pub struct PreviewTable {
    /// The first submissions that differ.
    pub rows: Vec<Row>,
    /// How many differ.
    pub changed: usize,
    /// How many were looked at.
    pub looked_at: usize,
    /// How many could not be read.
    pub unreadable: usize,
}

impl PreviewTable {
    /// For showing.
    pub fn new(preview: MappingPreview, fields: &LeadFields) -> Self {
        let word = |policy: Option<WritePolicy>| policy.map_or("none", WritePolicy::label);
        Self {
            changed: preview.changed.len(),
            looked_at: preview.looked_at,
            unreadable: preview.unreadable,
            rows: preview
                .changed
                .into_iter()
                .take(MOST_LISTED)
                .map(|one| Row {
                    id: one.id,
                    name: one.name,
                    submitted_at: one.submitted_at,
                    differences: one
                        .differences
                        .into_iter()
                        .map(|one| Difference {
                            label: fields.label(&one.field).into_owned(),
                            note: one.problem.map(|problem| problem.label().to_owned()).or(one
                                .policies
                                .map(|(now, then)| format!("{}, now {}", word(then), word(now)))),
                            now: one.now,
                            then: one.then,
                        })
                        .collect(),
                })
                .collect(),
        }
    }
}

/// Works out what a change does to the latest submissions of the forms that it concerns.
///
/// # Errors
/// As the database.
pub fn of_change(
    conn: &mut AnyConn,
    change: &MappingChange,
    lists: &Lists,
    size: i64,
) -> Result<PreviewTable, StoreError> {
    let before = field_mappings::list(conn)?;
    let id = match change {
        MappingChange::Put(mapping) => &mapping.id,
        MappingChange::Remove(id) => id,
    };
    let mut touched: Vec<&FieldMapping> = before.iter().filter(|known| known.id == *id).collect();
    if let MappingChange::Put(mapping) = change {
        touched.push(mapping);
    }
    // An override that becomes organisation-wide, or the other way round, concerns more forms than one.
    let form = match touched.as_slice() {
        [only] => only.form_id.as_ref(),
        [one, other] if one.form_id == other.form_id => one.form_id.as_ref(),
        _ => None,
    };
    let sources: Vec<_> = touched.iter().map(|mapping| &mapping.source).collect();
    let forms = forms_with(&lists.current, form, &sources);
    let preview = compare_mappings(conn, change.applied_to(&before), forms.as_deref(), size)?;
    Ok(PreviewTable::new(preview, &lists.fields))
}

/// The preview of a new or edited mapping, with everything that was entered in hidden fields.
#[derive(Template)]
#[template(path = "field_mappings/preview.html")]
pub struct FieldMappingsPreview {
    /// The frame.
    pub shell: Shell,
    /// The mapping's name.
    pub name: String,
    /// Where the form goes.
    pub action: String,
    /// What was entered.
    pub fields: Vec<(String, String)>,
    /// What would change.
    pub preview: PreviewTable,
    /// How many submissions were asked for.
    pub size: i64,
    /// How many can be chosen.
    pub sizes: &'static [i64],
}
