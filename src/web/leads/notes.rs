//! Notes on a lead: add, change and delete one's own.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use askama::Template;
use serde::Deserialize;

use super::{INDEX, show};
use crate::auth::CurrentUser;
use crate::domain::ids::{LeadId, NoteId};
use crate::store::audit::{self, Actor};
use crate::store::lead_notes::{self, MAX_NOTE, Note};
use crate::store::{AnyConn, StoreError, leads};
use crate::web::{Answer, FieldErrors, Flash, Form, Path, Portal, Shell, WebError};

/// What a note says.
#[derive(Debug, Deserialize)]
pub struct NoteForm {
    body: String,
}

/// Checks the text of a note; gives it trimmed, with plain ends of lines.
fn check(body: &str, errors: &mut FieldErrors) -> Option<String> {
    let body = body.replace("\r\n", "\n").trim().to_owned();
    if body.is_empty() {
        errors.add("body", "Write something first.");
        None
    } else if body.chars().count() > MAX_NOTE {
        errors.add("body", "A note may have at most 10,000 characters.");
        None
    } else {
        Some(body)
    }
}

fn path_of(lead: &LeadId) -> String {
    format!("{INDEX}/{lead}#notes")
}

/// Notes who did what; what the note says stays out of the audit log.
fn record(
    tx: &mut AnyConn,
    portal: &Portal,
    actor: &Actor,
    action: &str,
    lead: &LeadId,
) -> Result<(), StoreError> {
    let topic = leads::get(tx, lead)?.topic;
    let object = ("lead", lead.as_str(), topic.as_str());
    audit::record(tx, portal.clock.now(), actor, action, object, None, None)
}

/// POST /leads/{id}/notes
///
/// # Errors
/// `NotFound`, or as the database.
pub async fn create(
    portal: Data<Portal>,
    shell: Shell,
    user: CurrentUser,
    actor: Actor,
    Path(id): Path<LeadId>,
    Form(form): Form<NoteForm>,
) -> Answer {
    let mut errors = FieldErrors::new();
    let Some(body) = check(&form.body, &mut errors) else {
        let mut page = show::page(&portal, shell, &id, None).await?;
        page.errors = errors;
        page.note = form.body;
        return page.shell.render(StatusCode::UNPROCESSABLE_ENTITY, &page);
    };
    let (portal_tx, lead) = (portal.clone(), id.clone());
    let note = NoteId::new(portal.new_id());
    portal
        .store
        .write(move |tx| {
            lead_notes::insert(tx, &note, &lead, &user.id, &body, portal_tx.clock.now())?;
            record(tx, &portal_tx, &actor, "lead.note_added", &lead)
        })
        .await?;
    let flash = Flash::success("The note was added.");
    Ok(shell.redirect(path_of(&id)).flash(flash))
}

#[derive(Template)]
#[template(path = "leads/note.html")]
struct LeadsNote {
    shell: Shell,
    note: Note,
    name: String,
    body: String,
    lock_version: i64,
    errors: FieldErrors,
}

/// A person's own note.
async fn own(
    portal: &Portal,
    user: &CurrentUser,
    lead: LeadId,
    id: NoteId,
) -> Result<(Note, String), WebError> {
    let (note, name) = portal
        .store
        .read(move |conn| {
            let name = leads::get(conn, &lead)?.display_name();
            Ok::<_, StoreError>((lead_notes::get(conn, &lead, &id)?, name))
        })
        .await?;
    if note.user_id.as_ref() == Some(&user.id) {
        Ok((note, name))
    } else {
        Err(StoreError::Rule(
            "Only the person who wrote a note can change or delete it.".to_owned(),
        )
        .into())
    }
}

/// GET /leads/{id}/notes/{note}
///
/// # Errors
/// `NotFound`, a refusal for somebody else's note, or as the database.
pub async fn edit(
    portal: Data<Portal>,
    shell: Shell,
    user: CurrentUser,
    Path((lead, id)): Path<(LeadId, NoteId)>,
) -> Answer {
    let (note, name) = own(&portal, &user, lead, id).await?;
    let page = LeadsNote {
        shell,
        name,
        body: note.body.clone(),
        lock_version: note.lock_version,
        note,
        errors: FieldErrors::new(),
    };
    page.shell.render(StatusCode::OK, &page)
}

/// A changed note.
#[derive(Debug, Deserialize)]
pub struct EditForm {
    body: String,
    lock_version: i64,
}

/// POST /leads/{id}/notes/{note}
///
/// # Errors
/// `NotFound`, `Stale`, a refusal for somebody else's note, or as the database.
pub async fn update(
    portal: Data<Portal>,
    shell: Shell,
    user: CurrentUser,
    actor: Actor,
    Path((lead, id)): Path<(LeadId, NoteId)>,
    Form(form): Form<EditForm>,
) -> Answer {
    let (note, name) = own(&portal, &user, lead.clone(), id).await?;
    let mut errors = FieldErrors::new();
    let Some(body) = check(&form.body, &mut errors) else {
        let page = LeadsNote {
            shell,
            note,
            name,
            body: form.body,
            lock_version: form.lock_version,
            errors,
        };
        return page.shell.render(StatusCode::UNPROCESSABLE_ENTITY, &page);
    };
    let (portal_tx, lead_tx) = (portal.clone(), lead.clone());
    portal
        .store
        .write(move |tx| {
            let now = portal_tx.clock.now();
            lead_notes::save(tx, &note, &body, form.lock_version, now)?;
            record(tx, &portal_tx, &actor, "lead.note_edited", &lead_tx)
        })
        .await?;
    let flash = Flash::success("The note was saved.");
    Ok(shell.redirect(path_of(&lead)).flash(flash))
}

/// POST /leads/{id}/notes/{note}/deletion
///
/// # Errors
/// `NotFound`, a refusal for somebody else's note, or as the database.
pub async fn destroy(
    portal: Data<Portal>,
    shell: Shell,
    user: CurrentUser,
    actor: Actor,
    Path((lead, id)): Path<(LeadId, NoteId)>,
) -> Answer {
    let (note, _) = own(&portal, &user, lead.clone(), id).await?;
    let (portal_tx, lead_tx) = (portal.clone(), lead.clone());
    portal
        .store
        .write(move |tx| {
            lead_notes::delete(tx, &note.id)?;
            record(tx, &portal_tx, &actor, "lead.note_deleted", &lead_tx)
        })
        .await?;
    let flash = Flash::success("The note was deleted.");
    Ok(shell.redirect(path_of(&lead)).flash(flash))
}
