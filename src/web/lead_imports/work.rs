//! The work on an import beside the requests: batch by batch, each stored with its place, so that it goes on after any end.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use askama::Template;
use serde_json::json;

use super::{own_import, path_of};
use crate::domain::ids::ImportId;
use crate::domain::lead_import::ImportState;
use crate::store::StoreError;
use crate::store::audit::{self, Actor};
use crate::store::lead_imports::{self, LeadImport};
use crate::sync::lead_imports as lead_imports_work;
use crate::web::form::NoFields;
use crate::web::{Answer, Flash, Form, Path, Portal, Shell};

/// Lets the work on an import begin, beside this request.
pub(super) fn go_on(portal: &Portal, id: ImportId) {
    let work = lead_imports_work::run(portal.store.clone(), portal.clock.clone(), id);
    actix_web::rt::spawn(work);
}

/// Goes on with an import whose worker is gone: its process ended, or was killed.
pub(super) fn go_on_if_stalled(portal: &Portal, import: &LeadImport) {
    let is_stalled = import.updated_at < portal.clock.now() - lead_imports_work::STALLED_AFTER;
    if import.state.is_working() && import.failure.is_none() && is_stalled {
        go_on(portal, import.id.clone());
    }
}

/// Starts a part of the work that writes, with its entry in the audit log.
async fn begin(
    portal: &Portal,
    actor: Actor,
    import: &LeadImport,
    action: &'static str,
    start: fn(
        &mut crate::store::AnyConn,
        &ImportId,
        chrono::DateTime<chrono::Utc>,
    ) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let (import, now) = (import.clone(), portal.clock.now());
    let id = import.id.clone();
    portal
        .store
        .write(move |tx| {
            start(tx, &import.id, now)?;
            let counts = import.counts;
            let what = json!({
                "rows": import.row_count, "created": counts.created, "updated": counts.updated,
                "skipped": counts.skipped, "invalid": counts.invalid,
            });
            let object = ("lead_import", import.id.as_str(), import.file_name.as_str());
            audit::record(tx, now, &actor, action, object, None, Some(what))
        })
        .await?;
    go_on(portal, id);
    Ok(())
}

/// POST /leads/imports/{id}/application: writes the leads.
///
/// # Errors
/// `NotFound`, `Refused`, `Rule`, or as the database.
pub async fn apply(
    portal: Data<Portal>,
    shell: Shell,
    actor: Actor,
    Path(id): Path<ImportId>,
    Form(NoFields {}): Form<NoFields>,
) -> Answer {
    let import = own_import(&portal, &shell, &id).await?;
    begin(
        &portal,
        actor,
        &import,
        "lead_import.started",
        lead_imports::start,
    )
    .await?;
    Ok(shell.redirect(path_of(&id)).quietly())
}

/// POST /leads/imports/{id}/continuation: goes on after a failure.
///
/// # Errors
/// `NotFound`, `Refused`, or as the database.
pub async fn resume(
    portal: Data<Portal>,
    shell: Shell,
    Path(id): Path<ImportId>,
    Form(NoFields {}): Form<NoFields>,
) -> Answer {
    let import = own_import(&portal, &shell, &id).await?;
    if import.failure.is_some() {
        let (id, now) = (id.clone(), portal.clock.now());
        portal
            .store
            .write(move |tx| lead_imports::resume(tx, &id, now))
            .await?;
    }
    go_on(&portal, id.clone());
    Ok(shell.redirect(path_of(&id)).quietly())
}

#[derive(Template)]
#[template(path = "lead_imports/undo.html")]
struct LeadImportsUndo {
    shell: Shell,
    import: LeadImport,
}

/// GET /leads/imports/{id}/undoing: what undoing would do.
///
/// # Errors
/// `NotFound`, `Refused`, or as the database.
pub async fn undo_consequences(
    portal: Data<Portal>,
    shell: Shell,
    Path(id): Path<ImportId>,
) -> Answer {
    let import = own_import(&portal, &shell, &id).await?;
    if import.state != ImportState::Imported {
        return Ok(shell.redirect(path_of(&id)).quietly());
    }
    let page = LeadImportsUndo { shell, import };
    page.shell.render(StatusCode::OK, &page)
}

/// POST /leads/imports/{id}/undoing: takes the import back.
///
/// # Errors
/// `NotFound`, `Refused`, `Rule`, or as the database.
pub async fn undo(
    portal: Data<Portal>,
    shell: Shell,
    actor: Actor,
    Path(id): Path<ImportId>,
    Form(NoFields {}): Form<NoFields>,
) -> Answer {
    let import = own_import(&portal, &shell, &id).await?;
    begin(
        &portal,
        actor,
        &import,
        "lead_import.undone",
        lead_imports::start_undo,
    )
    .await?;
    Ok(shell.redirect(path_of(&id)).quietly())
}

/// POST /leads/imports/{id}/deletion: throws an import away that has written nothing.
///
/// # Errors
/// `NotFound`, `Refused`, `Rule`, or as the database.
pub async fn destroy(
    portal: Data<Portal>,
    shell: Shell,
    actor: Actor,
    Path(id): Path<ImportId>,
    Form(NoFields {}): Form<NoFields>,
) -> Answer {
    let import = own_import(&portal, &shell, &id).await?;
    let now = portal.clock.now();
    portal
        .store
        .write(move |tx| {
            lead_imports::delete(tx, &id)?;
            let object = ("lead_import", id.as_str(), import.file_name.as_str());
            audit::record(tx, now, &actor, "lead_import.deleted", object, None, None)
        })
        .await?;
    let flash = Flash::success("The file was thrown away. No lead was touched.");
    Ok(shell.redirect(super::INDEX).flash(flash))
}
