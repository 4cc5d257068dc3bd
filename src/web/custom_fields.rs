//! Custom Fields: the list, new, one field with what uses it, retire, delete.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use askama::Template;
use serde::Deserialize;
use serde_json::{Value, json};

use super::history::{self, History};
use super::{Answer, FieldErrors, Flash, Form, Path, Portal, Shell, WebError};
use crate::domain::lead::custom::{check_choices, check_label, check_name, name_from_label};
use crate::domain::lead::{CustomField, CustomFieldType, FieldKind};
use crate::store::audit::{self, Actor};
use crate::store::custom_fields::{self, FieldUse, StoredField};
use crate::store::{AnyConn, StoreError};

/// Where the list is.
const INDEX: &str = "/settings/custom-fields";

#[derive(Template)]
#[template(path = "custom_fields/index.html")]
struct CustomFieldsIndex {
    shell: Shell,
    rows: Vec<StoredField>,
}

/// GET /settings/custom-fields
///
/// # Errors
/// As the database.
pub async fn index(portal: Data<Portal>, shell: Shell) -> Answer {
    let rows = portal.store.read(custom_fields::stored).await?;
    let page = CustomFieldsIndex { shell, rows };
    page.shell.render(StatusCode::OK, &page)
}

/// A new field, as it was sent or as it is shown first.
#[derive(Debug, Deserialize)]
pub struct NewForm {
    label: String,
    name: String,
    kind: String,
    choices: String,
}

#[derive(Template)]
#[template(path = "custom_fields/new.html")]
struct CustomFieldsNew {
    shell: Shell,
    form: NewForm,
    kinds: Vec<(&'static str, &'static str)>,
    errors: FieldErrors,
}

impl CustomFieldsNew {
    fn new(shell: Shell, form: NewForm) -> Self {
        Self {
            shell,
            form,
            kinds: CustomFieldType::ALL
                .iter()
                .map(|kind| (kind.as_str(), kind.label()))
                .collect(),
            errors: FieldErrors::new(),
        }
    }
}

/// GET /settings/custom-fields/new
///
/// # Errors
/// When the page cannot be drawn.
pub async fn new(shell: Shell) -> Answer {
    let form = NewForm {
        label: String::new(),
        name: String::new(),
        kind: CustomFieldType::Text.as_str().to_owned(),
        choices: String::new(),
    };
    let page = CustomFieldsNew::new(shell, form);
    page.shell.render(StatusCode::OK, &page)
}

/// Checks a label against those of the other fields.
fn label(
    label: &str,
    own_name: &str,
    known: &[StoredField],
    errors: &mut FieldErrors,
) -> Option<String> {
    let others = known
        .iter()
        .map(|stored| &stored.defined.field)
        .filter(|field| field.name != own_name)
        .map(|field| field.label.as_str());
    errors.check("label", check_label(label, others))
}

impl NewForm {
    fn check(&self, known: &[StoredField], errors: &mut FieldErrors) -> Option<CustomField> {
        let label = label(&self.label, "", known, errors);
        let mut name = self.name.trim().to_owned();
        if name.is_empty() {
            name = name_from_label(&self.label);
        }
        // Without a label, the missing name is not a second mistake.
        if label.is_some() || !name.is_empty() {
            errors.check("name", check_name(&name));
        }
        let kind = match self.kind.parse::<CustomFieldType>() {
            Ok(CustomFieldType::Choice) => errors
                .check("choices", check_choices(&self.choices))
                .map(|choices| CustomFieldType::Choice.kind(choices)),
            Ok(kind) => Some(kind.kind(Vec::new())),
            Err(_) => {
                errors.add("kind", "Choose one of the types.");
                None
            }
        };
        Some(CustomField {
            name,
            label: label?,
            kind: kind?,
        })
    }
}

/// A field as the audit log keeps it.
fn state(field: &CustomField, is_retired: bool) -> Value {
    json!({ "label": field.label, "kind": field.kind, "is_retired": is_retired })
}

fn record(
    tx: &mut AnyConn,
    portal: &Portal,
    actor: &Actor,
    action: &str,
    field: &CustomField,
    before: Option<Value>,
    after: Option<Value>,
) -> Result<(), StoreError> {
    let object = ("custom_field", field.name.as_str(), field.label.as_str());
    audit::record(tx, portal.clock.now(), actor, action, object, before, after)
}

/// POST /settings/custom-fields
///
/// # Errors
/// As the database.
pub async fn create(
    portal: Data<Portal>,
    shell: Shell,
    actor: Actor,
    Form(form): Form<NewForm>,
) -> Answer {
    let known = portal.store.read(custom_fields::stored).await?;
    let mut errors = FieldErrors::new();
    let field = form.check(&known, &mut errors);
    if let Some(field) = field.filter(|_| errors.is_empty()) {
        let flash = Flash::success(format!("The field “{}” was added.", field.label))
            .with_link("/settings/field-mappings/new", "Map a question to it");
        let portal_tx = portal.clone();
        let saved = portal
            .store
            .write(move |tx| {
                custom_fields::insert(tx, &field, portal_tx.clock.now())?;
                let after = Some(state(&field, false));
                let action = "custom_field.created";
                record(tx, &portal_tx, &actor, action, &field, None, after)
            })
            .await;
        match saved {
            Ok(()) => return Ok(shell.redirect(INDEX).flash(flash)),
            Err(StoreError::Rule(rule)) => errors.add("name", rule),
            Err(error) => return Err(error.into()),
        }
    }
    let mut page = CustomFieldsNew::new(shell, form);
    page.errors = errors;
    page.shell.render(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

#[derive(Template)]
#[template(path = "custom_fields/edit.html")]
struct CustomFieldsEdit {
    shell: Shell,
    stored: StoredField,
    used: FieldUse,
    label: String,
    choices: String,
    lock_version: i64,
    history: History,
    errors: FieldErrors,
}

impl CustomFieldsEdit {
    fn kind(&self) -> CustomFieldType {
        CustomFieldType::of(&self.stored.defined.field.kind)
    }

    fn has_choices(&self) -> bool {
        self.kind() == CustomFieldType::Choice
    }

    fn action(&self) -> String {
        path_of(&self.stored.defined.field.name)
    }
}

fn path_of(name: &str) -> String {
    format!("{INDEX}/{name}")
}

async fn edit_page(
    portal: &Portal,
    shell: Shell,
    name: String,
) -> Result<(CustomFieldsEdit, Vec<StoredField>), WebError> {
    let (stored, used, known, history) = portal
        .store
        .read(move |conn| {
            Ok::<_, StoreError>((
                custom_fields::get(conn, &name)?,
                custom_fields::usage(conn, &name)?,
                custom_fields::stored(conn)?,
                history::read(conn, "custom_field", &name)?,
            ))
        })
        .await?;
    let field = &stored.defined.field;
    let page = CustomFieldsEdit {
        shell,
        used,
        label: field.label.clone(),
        choices: match &field.kind {
            FieldKind::Choice { values } => values.join("\n"),
            _ => String::new(),
        },
        lock_version: stored.lock_version,
        stored,
        history,
        errors: FieldErrors::new(),
    };
    Ok((page, known))
}

/// GET /settings/custom-fields/{name}
///
/// # Errors
/// `NotFound`, or as the database.
pub async fn edit(portal: Data<Portal>, shell: Shell, Path(name): Path<String>) -> Answer {
    let (page, _) = edit_page(&portal, shell, name).await?;
    page.shell.render(StatusCode::OK, &page)
}

/// What may change on a field.
#[derive(Debug, Deserialize)]
pub struct EditForm {
    label: String,
    /// Sent for choices only.
    choices: Option<String>,
    lock_version: i64,
}

/// POST /settings/custom-fields/{name}
///
/// # Errors
/// `NotFound`, `Stale`, or as the database.
pub async fn update(
    portal: Data<Portal>,
    shell: Shell,
    actor: Actor,
    Path(name): Path<String>,
    Form(form): Form<EditForm>,
) -> Answer {
    let (mut page, known) = edit_page(&portal, shell, name).await?;
    let before = page.stored.defined.clone();
    let mut after = before.clone();
    let mut errors = FieldErrors::new();
    if let Some(label) = label(&form.label, &before.field.name, &known, &mut errors) {
        after.field.label = label;
    }
    if page.has_choices() {
        let lines = form.choices.as_deref().unwrap_or_default();
        if let Some(values) = errors.check("choices", check_choices(lines)) {
            after.field.kind = FieldKind::Choice { values };
        }
    }
    if errors.is_empty() {
        let flash = Flash::success(format!("The field “{}” was saved.", after.field.label));
        let portal_tx = portal.clone();
        portal
            .store
            .write(move |tx| {
                custom_fields::save(tx, &after, form.lock_version, portal_tx.clock.now())?;
                let was = Some(state(&before.field, before.is_retired));
                let is = Some(state(&after.field, after.is_retired));
                let action = "custom_field.updated";
                record(tx, &portal_tx, &actor, action, &after.field, was, is)
            })
            .await?;
        return Ok(page.shell.redirect(INDEX).flash(flash));
    }
    page.label = form.label;
    page.choices = form.choices.unwrap_or_default();
    page.lock_version = form.lock_version;
    page.errors = errors;
    page.shell.render(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

/// The version that the person saw.
#[derive(Debug, Deserialize)]
pub struct VersionForm {
    lock_version: i64,
}

/// POST /settings/custom-fields/{name}/retirement: no longer offered.
///
/// # Errors
/// `NotFound`, `Stale`, or as the database.
pub async fn retire(
    portal: Data<Portal>,
    shell: Shell,
    actor: Actor,
    Path(name): Path<String>,
    Form(form): Form<VersionForm>,
) -> Answer {
    set_retired(&portal, &shell, actor, name, form.lock_version, true).await
}

/// POST /settings/custom-fields/{name}/retirement/end: offered again.
///
/// # Errors
/// `NotFound`, `Stale`, or as the database.
pub async fn restore(
    portal: Data<Portal>,
    shell: Shell,
    actor: Actor,
    Path(name): Path<String>,
    Form(form): Form<VersionForm>,
) -> Answer {
    set_retired(&portal, &shell, actor, name, form.lock_version, false).await
}

async fn set_retired(
    portal: &Portal,
    shell: &Shell,
    actor: Actor,
    name: String,
    expected: i64,
    is_retired: bool,
) -> Answer {
    let path = path_of(&name);
    let portal_tx = portal.clone();
    let label = portal
        .store
        .write(move |tx| {
            let mut defined = custom_fields::get(tx, &name)?.defined;
            // The second of two clicks finds it done.
            if defined.is_retired != is_retired {
                let before = Some(state(&defined.field, defined.is_retired));
                defined.is_retired = is_retired;
                custom_fields::save(tx, &defined, expected, portal_tx.clock.now())?;
                let action = if is_retired {
                    "custom_field.retired"
                } else {
                    "custom_field.restored"
                };
                let after = Some(state(&defined.field, is_retired));
                record(
                    tx,
                    &portal_tx,
                    &actor,
                    action,
                    &defined.field,
                    before,
                    after,
                )?;
            }
            Ok::<_, StoreError>(defined.field.label)
        })
        .await?;
    Ok(shell.redirect(path).flash(Flash::success(if is_retired {
        format!(
            "The field “{label}” is retired: leads keep their values, and it is no longer offered."
        )
    } else {
        format!("The field “{label}” is offered again.")
    })))
}

/// POST /settings/custom-fields/{name}/deletion: of a field that nothing uses.
///
/// # Errors
/// `NotFound`, `Stale`, or as the database.
pub async fn destroy(
    portal: Data<Portal>,
    shell: Shell,
    actor: Actor,
    Path(name): Path<String>,
    Form(form): Form<VersionForm>,
) -> Answer {
    let portal_tx = portal.clone();
    let wanted = name.clone();
    let deleted = portal
        .store
        .write(move |tx| {
            let field = custom_fields::get(tx, &wanted)?.defined.field;
            custom_fields::delete(tx, &wanted, form.lock_version)?;
            let before = Some(state(&field, false));
            record(
                tx,
                &portal_tx,
                &actor,
                "custom_field.deleted",
                &field,
                before,
                None,
            )?;
            Ok(field.label)
        })
        .await;
    match deleted {
        Ok(label) => {
            let flash = Flash::success(format!("The field “{label}” was deleted."));
            Ok(shell.redirect(INDEX).flash(flash))
        }
        Err(StoreError::Rule(rule)) => {
            let (mut page, _) = edit_page(&portal, shell, name).await?;
            page.errors.add("deletion", rule);
            page.shell.render(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
        Err(error) => Err(error.into()),
    }
}
