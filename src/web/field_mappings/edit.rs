//! Making and editing a field mapping: the form with its source picker and live example, the preview, then saving.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use askama::Template;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use uuid::Uuid;

use super::input::{Intent, MappingInput, sentence};
use super::picker::{self, SourceGroup};
use super::preview::{self, FieldMappingsPreview};
use super::steps::StepKind;
use super::{INDEX, path_of, state};
use crate::domain::field_mapping::{
    FieldMapping, MappingChange, SourceKind, WritePolicy, shipped_mappings,
};
use crate::domain::ids::{FormId, MappingId};
use crate::domain::lead::LeadFields;
use crate::store::audit::{self, Actor};
use crate::store::field_mappings::{self, FormChoice};
use crate::store::mapping_inbox::{self, CurrentForm};
use crate::store::{AnyConn, StoreError, custom_fields, lock_rules};
use crate::sync::preview::{Example, examples};
use crate::web::history::{self, History};
use crate::web::{Answer, FieldErrors, Flash, Form, Path, Portal, Query, Shell, WebError};

/// How many of the latest submissions are searched for an example.
const EXAMPLES_FROM: i64 = 100;

/// What the form offers.
pub struct Lists {
    /// Forms that a mapping can be an override of.
    pub forms: Vec<FormChoice>,
    /// The forms as they are asked now.
    pub current: Vec<CurrentForm>,
    /// The fields of leads, custom ones included.
    pub fields: LeadFields,
}

impl Lists {
    /// Reads them.
    ///
    /// # Errors
    /// As any query.
    pub fn load(conn: &mut AnyConn) -> Result<Self, StoreError> {
        Ok(Self {
            forms: field_mappings::forms(conn)?,
            current: mapping_inbox::current_forms(conn, None)?,
            fields: custom_fields::fields(conn)?,
        })
    }
}

/// What the mapping makes of recent answers.
enum LiveExample {
    /// Nobody asked.
    NotAsked,
    /// The mapping is not complete: what is missing.
    Incomplete(String),
    /// The results; none when there is no submission.
    Found(Vec<Example>),
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
    lists: Lists,
    form_options: Vec<(String, String)>,
    groups: Vec<SourceGroup>,
    kinds: Vec<(&'static str, &'static str)>,
    fields: Vec<(String, String)>,
    policies: Vec<(&'static str, &'static str)>,
    step_kinds: Vec<(&'static str, &'static str)>,
    predefined: Vec<&'static str>,
    /// The options of the choice that the source reads.
    choices: Vec<String>,
    example: LiveExample,
    /// `None` for a new mapping.
    history: Option<History>,
}

impl FieldMappingsEdit {
    fn new(shell: Shell, id: Option<MappingId>, mut input: MappingInput, lists: Lists) -> Self {
        let mut predefined: Vec<&str> = shipped_mappings()
            .iter()
            .map(|shipped| shipped.predefined_field)
            .collect();
        predefined.push("GENDER");
        predefined.dedup();
        let form: Option<FormId> = input.form.parse().ok();
        let choices = input
            .source()
            .map(|source| picker::choices(&lists.current, form.as_ref(), &source))
            .unwrap_or_default();
        if input.intent == Intent::FillOptions {
            input.fill_options(&choices);
        }
        Self {
            shell,
            errors: FieldErrors::new(),
            id,
            updated_at: None,
            form_options: lists
                .forms
                .iter()
                .map(|form| {
                    let label = format!("Only {} ({})", form.name, form.account_name);
                    (form.id.clone(), label)
                })
                .collect(),
            groups: picker::groups(&lists.current),
            kinds: SourceKind::ALL
                .iter()
                .map(|kind| (kind.as_str(), kind.label()))
                .collect(),
            fields: lists.fields.options_with(&input.target),
            input,
            policies: WritePolicy::ALL
                .iter()
                .map(|policy| (policy.as_str(), policy.label()))
                .collect(),
            step_kinds: StepKind::ALL
                .iter()
                .map(|kind| (kind.as_str(), kind.label()))
                .collect(),
            predefined,
            choices,
            lists,
            example: LiveExample::NotAsked,
            history: None,
        }
    }

    fn action(&self) -> String {
        path_of(self.id.as_ref())
    }

    /// What a value map can do with values that it does not name.
    fn otherwise(&self) -> [(&'static str, &'static str); 2] {
        [("keep", "Keep as they are"), ("leave_out", "Leave out")]
    }

    /// The mapping as it stands in the form, or what is missing. An example needs no name.
    fn draft(&self) -> Result<FieldMapping, String> {
        let mut input = self.input.clone();
        if input.name.trim().is_empty() {
            "Example".clone_into(&mut input.name);
        }
        let id = MappingId::new(Uuid::nil());
        let mut errors = FieldErrors::new();
        input
            .check(id, &self.lists.forms, &self.lists.fields, 0, &mut errors)
            .ok_or_else(|| {
                let first = errors.all().first().map(|(_, message)| message.clone());
                sentence(&first.unwrap_or_default())
            })
    }
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
    let lists = portal.store.read(Lists::load).await?;
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
    let page = FieldMappingsEdit::new(shell, None, input, lists);
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
pub async fn show(portal: Data<Portal>, shell: Shell, Path(id): Path<MappingId>) -> Answer {
    let wanted = id.clone();
    let (stored, lists, history) = portal
        .store
        .read(move |conn| {
            Ok::<_, StoreError>((
                field_mappings::find(conn, &wanted)?,
                Lists::load(conn)?,
                history::read(conn, "field_mapping", wanted.as_str())?,
            ))
        })
        .await?;
    let stored = stored.ok_or(WebError::NotFound)?;
    let mut page = FieldMappingsEdit::new(shell, Some(id), MappingInput::of(&stored), lists);
    page.updated_at = Some(stored.updated_at);
    page.history = Some(history);
    with_example(&portal, &mut page).await?;
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
    let input = MappingInput::read(&fields)?;
    submit(&portal, shell, actor, Some(id), input).await
}

/// Works the example out for what stands in the form.
async fn with_example(portal: &Portal, page: &mut FieldMappingsEdit) -> Result<(), WebError> {
    page.example = match page.draft() {
        Err(missing) => LiveExample::Incomplete(missing),
        Ok(mapping) => {
            let current = &page.lists.current;
            let forms = picker::forms_with(current, mapping.form_id.as_ref(), &[&mapping.source]);
            let found = portal
                .store
                .read(move |conn| examples(conn, &mapping, forms.as_deref(), EXAMPLES_FROM))
                .await?;
            LiveExample::Found(found)
        }
    };
    Ok(())
}

/// Does what the pressed button asks for: saves, previews, or shows the form again with what was asked for.
async fn submit(
    portal: &Portal,
    shell: Shell,
    actor: Actor,
    existing: Option<MappingId>,
    input: MappingInput,
) -> Answer {
    let wanted = existing.clone();
    let (lists, last, history) = portal
        .store
        .read(move |conn| {
            let history = match &wanted {
                Some(id) if field_mappings::find(conn, id)?.is_none() => {
                    return Err(StoreError::NotFound("field mapping"));
                }
                Some(id) => Some(history::read(conn, "field_mapping", id.as_str())?),
                None => None,
            };
            let lists = Lists::load(conn)?;
            Ok::<_, StoreError>((lists, field_mappings::next_position(conn)?, history))
        })
        .await?;
    let intent = input.intent;
    let mut page = FieldMappingsEdit::new(shell, existing.clone(), input, lists);
    page.history = history;
    if !matches!(intent, Intent::Save | Intent::Preview(_)) {
        if intent == Intent::Example {
            with_example(portal, &mut page).await?;
        }
        return page.shell.render(StatusCode::OK, &page);
    }
    let id = existing
        .clone()
        .unwrap_or_else(|| MappingId::new(portal.new_id()));
    let mut errors = FieldErrors::new();
    let (forms, fields) = (&page.lists.forms, &page.lists.fields);
    if let Some(mapping) = page.input.check(id, forms, fields, last, &mut errors) {
        if let Intent::Preview(size) = intent {
            return show_preview(portal, page, mapping, size).await;
        }
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

/// The page between the form and saving.
async fn show_preview(
    portal: &Portal,
    page: FieldMappingsEdit,
    mapping: FieldMapping,
    size: i64,
) -> Answer {
    let (name, action, fields) = (mapping.name.clone(), page.action(), page.input.fields());
    let lists = page.lists;
    let preview = portal
        .store
        .read(move |conn| preview::of_change(conn, &MappingChange::Put(mapping), &lists, size))
        .await?;
    let page = FieldMappingsPreview {
        shell: page.shell,
        name,
        action,
        fields,
        preview,
        size,
        sizes: preview::SIZES,
    };
    page.shell.render(StatusCode::OK, &page)
}

/// Writes the mapping and its audit entry; `expected` is the version that the person read, `None` for a new one.
pub(super) fn store_mapping(
    tx: &mut AnyConn,
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
