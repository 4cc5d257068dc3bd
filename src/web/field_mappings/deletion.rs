//! Deleting a field mapping: asks first and shows what the latest submissions would lose.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use askama::Template;
use serde::Deserialize;

use super::edit::Lists;
use super::preview::{self, PreviewTable};
use super::{INDEX, state};
use crate::domain::field_mapping::{FieldMapping, MappingChange};
use crate::domain::ids::MappingId;
use crate::store::audit::{self, Actor};
use crate::store::{StoreError, field_mappings, lock_rules};
use crate::web::{Answer, Flash, Form, Path, Portal, Shell, WebError};

#[derive(Template)]
#[template(path = "field_mappings/deletion.html")]
struct FieldMappingsDeletion {
    shell: Shell,
    mapping: FieldMapping,
    /// What people call the lead field.
    target: String,
    lock_version: i64,
    problem: Option<String>,
    preview: PreviewTable,
}

/// GET /settings/field-mappings/{id}/deletion: asks first.
///
/// # Errors
/// `NotFound`, or as the database.
pub async fn show(portal: Data<Portal>, shell: Shell, Path(id): Path<MappingId>) -> Answer {
    let page = deletion_page(&portal, shell, id, None).await?;
    page.shell.render(StatusCode::OK, &page)
}

async fn deletion_page(
    portal: &Portal,
    shell: Shell,
    id: MappingId,
    problem: Option<String>,
) -> Result<FieldMappingsDeletion, WebError> {
    let found = portal
        .store
        .read(move |conn| {
            let Some(stored) = field_mappings::find(conn, &id)? else {
                return Ok::<_, StoreError>(None);
            };
            let lists = Lists::load(conn)?;
            let change = MappingChange::Remove(id);
            let preview = preview::of_change(conn, &change, &lists, preview::USUAL_SIZE)?;
            let target = lists.fields.label(&stored.mapping.target).into_owned();
            Ok(Some((stored, target, preview)))
        })
        .await?;
    let (stored, target, preview) = found.ok_or(WebError::NotFound)?;
    Ok(FieldMappingsDeletion {
        shell,
        target,
        preview,
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
