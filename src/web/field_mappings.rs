//! Lead Field Mappings: the list, new, edit, delete.

mod input;
mod steps;

use actix_web::http::StatusCode;
use actix_web::web::Data;
use askama::Template;
use chrono::{DateTime, Utc};
use serde::Deserialize;

use self::input::MappingInput;
use self::steps::{StepKind, describe};
use super::{Answer, FieldErrors, Flash, Form, Path, Portal, Query, Shell, WebError};
use crate::domain::field_mapping::{FieldMapping, SourceKind, WritePolicy, shipped_mappings};
use crate::domain::ids::MappingId;
use crate::domain::lead::{FieldKey, LeadField, LeadFields};
use crate::store::audit::{self, Actor};
use crate::store::field_mappings::{self, FormChoice};
use crate::store::{StoreError, custom_fields, lock_rules, matching_strategies};

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
}

/// The mappings of the organization, or of one form.
struct Group {
    title: String,
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
    let (mappings, forms, compared, lead_fields) = portal
        .store
        .read(|conn| {
            Ok::<_, StoreError>((
                field_mappings::list(conn)?,
                field_mappings::forms(conn)?,
                matching_strategies::active(conn)?.fields,
                custom_fields::fields(conn)?,
            ))
        })
        .await?;
    let search = query.q.unwrap_or_default();
    let page = FieldMappingsIndex {
        shell,
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
        is_form: false,
        rows: Vec::new(),
    };
    let mut of_forms: Vec<(&str, Group)> = forms
        .iter()
        .map(|form| {
            let group = Group {
                title: format!("{} ({})", form.name, form.account_name),
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

#[derive(Template)]
#[template(path = "field_mappings/edit.html")]
struct FieldMappingsEdit {
    shell: Shell,
    input: MappingInput,
    errors: FieldErrors,
    /// `None` for a new mapping.
    id: Option<MappingId>,
    updated_at: Option<DateTime<Utc>>,
    forms: Vec<FormChoice>,
    form_options: Vec<(String, String)>,
    kinds: Vec<(&'static str, &'static str)>,
    fields: Vec<(String, String)>,
    lead_fields: LeadFields,
    policies: Vec<(&'static str, &'static str)>,
    step_kinds: Vec<(&'static str, &'static str)>,
    predefined: Vec<&'static str>,
}

impl FieldMappingsEdit {
    fn new(
        shell: Shell,
        id: Option<MappingId>,
        input: MappingInput,
        forms: Vec<FormChoice>,
        lead_fields: LeadFields,
    ) -> Self {
        let mut predefined: Vec<&str> = shipped_mappings()
            .iter()
            .map(|shipped| shipped.predefined_field)
            .collect();
        predefined.push("GENDER");
        predefined.dedup();
        Self {
            shell,
            errors: FieldErrors::new(),
            id,
            updated_at: None,
            form_options: forms
                .iter()
                .map(|form| {
                    let label = format!("Only {} ({})", form.name, form.account_name);
                    (form.id.clone(), label)
                })
                .collect(),
            forms,
            kinds: SourceKind::ALL
                .iter()
                .map(|kind| (kind.as_str(), kind.label()))
                .collect(),
            fields: lead_fields.options_with(&input.target),
            input,
            lead_fields,
            policies: WritePolicy::ALL
                .iter()
                .map(|policy| (policy.as_str(), policy.label()))
                .collect(),
            step_kinds: StepKind::ALL
                .iter()
                .map(|kind| (kind.as_str(), kind.label()))
                .collect(),
            predefined,
        }
    }

    fn action(&self) -> String {
        path_of(self.id.as_ref())
    }

    /// What a value map can do with values that it does not name.
    fn otherwise(&self) -> [(&'static str, &'static str); 2] {
        [("keep", "Keep as they are"), ("leave_out", "Leave out")]
    }
}

fn path_of(id: Option<&MappingId>) -> String {
    id.map_or_else(|| INDEX.to_owned(), |id| format!("{INDEX}/{id}"))
}

/// What a link may bring along: the Forms page links a question to its new mapping.
#[derive(Debug, Default, Deserialize)]
pub struct NewQuery {
    name: Option<String>,
    form: Option<String>,
    source_kind: Option<String>,
    source_key: Option<String>,
    target: Option<String>,
}

/// GET /settings/field-mappings/new
///
/// # Errors
/// As the database.
pub async fn new(portal: Data<Portal>, shell: Shell, Query(query): Query<NewQuery>) -> Answer {
    let (forms, lead_fields) = portal
        .store
        .read(|conn| {
            let forms = field_mappings::forms(conn)?;
            Ok::<_, StoreError>((forms, custom_fields::fields(conn)?))
        })
        .await?;
    let mut input = MappingInput::blank();
    for (field, given) in [
        (&mut input.name, query.name),
        (&mut input.form, query.form),
        (&mut input.source_kind, query.source_kind),
        (&mut input.source_key, query.source_key),
        (&mut input.target, query.target),
    ] {
        if let Some(given) = given {
            *field = given;
        }
    }
    let page = FieldMappingsEdit::new(shell, None, input, forms, lead_fields);
    page.shell.render(StatusCode::OK, &page)
}

/// POST /settings/field-mappings
///
/// # Errors
/// As the database.
pub async fn create(
    portal: Data<Portal>,
    shell: Shell,
    actor: Actor,
    Form(fields): Form<Vec<(String, String)>>,
) -> Answer {
    submit(&portal, shell, actor, None, MappingInput::read(&fields)?).await
}

/// GET /settings/field-mappings/{id}
///
/// # Errors
/// `NotFound`, or as the database.
pub async fn edit(portal: Data<Portal>, shell: Shell, Path(id): Path<MappingId>) -> Answer {
    let wanted = id.clone();
    let (stored, forms, lead_fields) = portal
        .store
        .read(move |conn| {
            Ok::<_, StoreError>((
                field_mappings::find(conn, &wanted)?,
                field_mappings::forms(conn)?,
                custom_fields::fields(conn)?,
            ))
        })
        .await?;
    let stored = stored.ok_or(WebError::NotFound)?;
    let input = MappingInput::of(&stored);
    let mut page = FieldMappingsEdit::new(shell, Some(id), input, forms, lead_fields);
    page.updated_at = Some(stored.updated_at);
    page.shell.render(StatusCode::OK, &page)
}

/// POST /settings/field-mappings/{id}
///
/// # Errors
/// `NotFound`, `Stale`, or as the database.
pub async fn update(
    portal: Data<Portal>,
    shell: Shell,
    actor: Actor,
    Path(id): Path<MappingId>,
    Form(fields): Form<Vec<(String, String)>>,
) -> Answer {
    submit(
        &portal,
        shell,
        actor,
        Some(id),
        MappingInput::read(&fields)?,
    )
    .await
}

/// Saves the form, or shows it again: with one more step when the person asked for it, with messages when it is wrong.
async fn submit(
    portal: &Portal,
    shell: Shell,
    actor: Actor,
    existing: Option<MappingId>,
    input: MappingInput,
) -> Answer {
    let wanted = existing.clone();
    let (forms, last, is_known, lead_fields) = portal
        .store
        .read(move |conn| {
            let is_known = match &wanted {
                Some(id) => field_mappings::find(conn, id)?.is_some(),
                None => true,
            };
            let forms = field_mappings::forms(conn)?;
            let last = field_mappings::next_position(conn)?;
            Ok::<_, StoreError>((forms, last, is_known, custom_fields::fields(conn)?))
        })
        .await?;
    if !is_known {
        return Err(WebError::NotFound);
    }
    let mut page = FieldMappingsEdit::new(shell, existing.clone(), input, forms, lead_fields);
    if page.input.wants_step {
        return page.shell.render(StatusCode::OK, &page);
    }
    let id = existing
        .clone()
        .unwrap_or_else(|| MappingId::new(portal.new_id()));
    let mut errors = FieldErrors::new();
    if let Some(mapping) = page
        .input
        .check(id, &page.forms, &page.lead_fields, last, &mut errors)
    {
        let expected = match existing {
            Some(_) => Some(page.input.expected()?),
            None => None,
        };
        let flash = Flash::success(format!("The mapping “{}” was saved.", mapping.name))
            .with_link(path_of(Some(&mapping.id)), "Open");
        let now = portal.clock.now();
        let saved = portal
            .store
            .write(move |tx| store_mapping(tx, &mapping, expected, now, &actor))
            .await;
        match saved {
            Ok(()) => return Ok(page.shell.redirect(INDEX).flash(flash)),
            Err(StoreError::Rule(rule)) => errors.add("target", rule),
            Err(error) => return Err(error.into()),
        }
    }
    page.errors = errors;
    page.shell.render(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

/// Writes the mapping and its audit entry; `expected` is the version that the person read, `None` for a new one.
fn store_mapping(
    tx: &mut crate::store::AnyConn,
    mapping: &FieldMapping,
    expected: Option<i64>,
    now: DateTime<Utc>,
    actor: &Actor,
) -> Result<(), StoreError> {
    lock_rules(tx)?;
    let (action, before) = match expected {
        None => {
            field_mappings::insert(tx, mapping, now)?;
            ("field_mapping.created", None)
        }
        Some(expected) => {
            let before = field_mappings::find(tx, &mapping.id)?
                .ok_or(StoreError::NotFound("field mapping"))?;
            field_mappings::save(tx, mapping, expected, now)?;
            ("field_mapping.updated", state(&before.mapping))
        }
    };
    let object = ("field_mapping", mapping.id.as_str(), mapping.name.as_str());
    audit::record(tx, now, actor, action, object, before, state(mapping))
}

/// A mapping as the audit log keeps it.
fn state(mapping: &FieldMapping) -> Option<serde_json::Value> {
    serde_json::to_value(mapping).ok()
}

#[derive(Template)]
#[template(path = "field_mappings/deletion.html")]
struct FieldMappingsDeletion {
    shell: Shell,
    mapping: FieldMapping,
    lock_version: i64,
    problem: Option<String>,
}

/// GET /settings/field-mappings/{id}/deletion: asks first.
///
/// # Errors
/// `NotFound`, or as the database.
pub async fn deletion(portal: Data<Portal>, shell: Shell, Path(id): Path<MappingId>) -> Answer {
    let page = deletion_page(&portal, shell, id, None).await?;
    page.shell.render(StatusCode::OK, &page)
}

async fn deletion_page(
    portal: &Portal,
    shell: Shell,
    id: MappingId,
    problem: Option<String>,
) -> Result<FieldMappingsDeletion, WebError> {
    let stored = portal
        .store
        .read(move |conn| field_mappings::find(conn, &id))
        .await?
        .ok_or(WebError::NotFound)?;
    Ok(FieldMappingsDeletion {
        shell,
        lock_version: stored.lock_version,
        mapping: stored.mapping,
        problem,
    })
}

/// What the person saw when asked.
#[derive(Debug, Deserialize)]
pub struct DeletionForm {
    lock_version: i64,
}

/// POST /settings/field-mappings/{id}/deletion
///
/// # Errors
/// `NotFound`, `Stale`, or as the database.
pub async fn destroy(
    portal: Data<Portal>,
    shell: Shell,
    actor: Actor,
    Path(id): Path<MappingId>,
    Form(form): Form<DeletionForm>,
) -> Answer {
    let now = portal.clock.now();
    let wanted = id.clone();
    let deleted = portal
        .store
        .write(move |tx| {
            lock_rules(tx)?;
            let before =
                field_mappings::find(tx, &wanted)?.ok_or(StoreError::NotFound("field mapping"))?;
            field_mappings::delete(tx, &wanted, form.lock_version)?;
            let mapping = before.mapping;
            let object = ("field_mapping", wanted.as_str(), mapping.name.as_str());
            let action = "field_mapping.deleted";
            audit::record(tx, now, &actor, action, object, state(&mapping), None)?;
            Ok(mapping.name)
        })
        .await;
    match deleted {
        Ok(name) => {
            let flash = Flash::success(format!("The mapping “{name}” was deleted."));
            Ok(shell.redirect(INDEX).flash(flash))
        }
        Err(StoreError::Rule(rule)) => {
            let page = deletion_page(&portal, shell, id, Some(rule)).await?;
            page.shell.render(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
        Err(error) => Err(error.into()),
    }
}
