//! Lead Field Mappings: the list; new, edit, delete, each with a preview; the inbox of unmapped questions.

pub mod deletion;
pub mod edit;
pub mod inbox;
mod input;
mod picker;
pub(super) mod preview;
mod steps;

use actix_web::http::StatusCode;
use actix_web::web::Data;
use askama::Template;
use serde::Deserialize;

use self::steps::describe;
use super::{Answer, Portal, Query, Shell};
use crate::domain::field_mapping::{FieldMapping, MappingSet};
use crate::domain::ids::MappingId;
use crate::domain::lead::{FieldKey, LeadField, LeadFields};
use crate::store::field_mappings::{self, FormChoice};
use crate::store::{StoreError, custom_fields, mapping_inbox, matching_strategies};

/// Where the list is.
const INDEX: &str = "/settings/field-mappings";

#[derive(Template)]
#[template(path = "field_mappings/index.html")]
struct FieldMappingsIndex {
    shell: Shell,
    groups: Vec<Group>,
    search: String,
    /// All mappings, whatever the filter.
    total: usize,
    /// Standard fields that nothing fills, by label.
    unfilled: Vec<&'static str>,
    /// Questions in the inbox.
    waiting: usize,
}

/// The mappings of the organization, or of one form.
struct Group {
    title: String,
    /// The form's page; empty for the organization.
    path: String,
    is_form: bool,
    rows: Vec<Row>,
}

struct Row {
    id: MappingId,
    name: String,
    source: String,
    target: String,
    /// The stored word, so that a search for a custom field's name finds it.
    target_word: String,
    policy: &'static str,
    steps: String,
    is_compared: bool,
}

/// The filter of the list.
#[derive(Debug, Default, Deserialize)]
pub struct IndexQuery {
    q: Option<String>,
}

/// GET /settings/field-mappings
///
/// # Errors
/// As the database.
pub async fn index(portal: Data<Portal>, shell: Shell, Query(query): Query<IndexQuery>) -> Answer {
    let (mappings, forms, compared, current, dismissed, lead_fields) = portal
        .store
        .read(|conn| {
            Ok::<_, StoreError>((
                field_mappings::list(conn)?,
                field_mappings::forms(conn)?,
                matching_strategies::active(conn)?.fields,
                mapping_inbox::current_forms(conn, None)?,
                mapping_inbox::dismissed(conn)?,
                custom_fields::fields(conn)?,
            ))
        })
        .await?;
    let search = query.q.unwrap_or_default();
    let set = MappingSet::new(mappings.clone());
    let page = FieldMappingsIndex {
        shell,
        waiting: inbox::waiting(&current, &set, &dismissed).len(),
        total: mappings.len(),
        unfilled: LeadField::ALL
            .iter()
            .filter(|field| {
                let key = FieldKey::Standard(**field);
                !mappings.iter().any(|mapping| mapping.target == key)
            })
            .map(|field| field.label())
            .collect(),
        groups: groups(mappings, &forms, &compared, &lead_fields, &search),
        search,
    };
    page.shell.render(StatusCode::OK, &page)
}

/// The mappings that hold every word of the search, first the organization's, then form by form.
fn groups(
    mappings: Vec<FieldMapping>,
    forms: &[FormChoice],
    compared: &[FieldKey],
    lead_fields: &LeadFields,
    search: &str,
) -> Vec<Group> {
    let words: Vec<String> = search.split_whitespace().map(str::to_lowercase).collect();
    let mut organization = Group {
        title: "Whole organization".to_owned(),
        path: String::new(),
        is_form: false,
        rows: Vec::new(),
    };
    let mut of_forms: Vec<(&str, Group)> = forms
        .iter()
        .map(|form| {
            let group = Group {
                title: format!("{} ({})", form.name, form.account_name),
                path: format!("/forms/{}", form.id),
                is_form: true,
                rows: Vec::new(),
            };
            (form.id.as_str(), group)
        })
        .collect();
    for mapping in mappings {
        let row = Row {
            source: mapping.source.to_string(),
            target: lead_fields.label(&mapping.target).into_owned(),
            policy: mapping.policy.label(),
            steps: mapping
                .transforms
                .iter()
                .map(describe)
                .collect::<Vec<_>>()
                .join(", "),
            is_compared: compared.contains(&mapping.target),
            target_word: mapping.target.word().into_owned(),
            name: mapping.name,
            id: mapping.id,
        };
        let group = match &mapping.form_id {
            None => &mut organization,
            Some(form_id) => {
                let found = of_forms.iter_mut().find(|(id, _)| *id == form_id.as_str());
                // The foreign key keeps a mapping from outliving its form.
                let Some((_, group)) = found else { continue };
                group
            }
        };
        let text = format!(
            "{} {} {} {} {}",
            row.name, row.source, row.target, row.target_word, group.title
        )
        .to_lowercase();
        if words.iter().all(|word| text.contains(word)) {
            group.rows.push(row);
        }
    }
    std::iter::once(organization)
        .chain(of_forms.into_iter().map(|(_, group)| group))
        .filter(|group| !group.rows.is_empty())
        .collect()
}

fn path_of(id: Option<&MappingId>) -> String {
    id.map_or_else(|| INDEX.to_owned(), |id| format!("{INDEX}/{id}"))
}

/// A mapping as the audit log keeps it.
fn state(mapping: &FieldMapping) -> Option<serde_json::Value> {
    serde_json::to_value(mapping).ok()
}
