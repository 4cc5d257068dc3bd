//! Saved views of the list: save the filter under a name, rename, share, delete.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use askama::Template;
use serde::Deserialize;
use serde_json::json;

use super::filter::LeadsQuery;
use super::{INDEX, index};
use crate::auth::CurrentUser;
use crate::domain::access::Permission;
use crate::domain::ids::ViewId;
use crate::store::audit::{self, Actor};
use crate::store::lead_views::{self, LeadView};
use crate::store::{AnyConn, StoreError};
use crate::web::{Answer, FieldErrors, Flash, Form, Path, Portal, Shell, WebError};

/// The filter that is to get a name.
#[derive(Debug, Deserialize)]
pub struct NewView {
    name: String,
    query: String,
    shared: Option<String>,
}

fn read(query: &str) -> Result<LeadsQuery, WebError> {
    LeadsQuery::decode(query)
        .ok_or_else(|| WebError::Invalid("The filter of the form cannot be read.".to_owned()))
}

fn record(
    tx: &mut AnyConn,
    portal: &Portal,
    actor: &Actor,
    action: &str,
    view: &LeadView,
) -> Result<(), StoreError> {
    let object = ("lead_view", view.id.as_str(), view.name.as_str());
    let state = json!({ "is_shared": view.is_shared });
    audit::record(
        tx,
        portal.clock.now(),
        actor,
        action,
        object,
        None,
        Some(state),
    )
}

/// POST /leads/views
///
/// # Errors
/// As the database.
pub async fn create(
    portal: Data<Portal>,
    shell: Shell,
    user: CurrentUser,
    actor: Actor,
    Form(form): Form<NewView>,
) -> Answer {
    let query = read(&form.query)?;
    let view = LeadView {
        id: ViewId::new(portal.new_id()),
        user_id: user.id.clone(),
        user_name: user.name.clone(),
        name: form.name.trim().to_owned(),
        query: query.encoded(),
        is_shared: form.shared.is_some() && shell.can(Permission::ManageUsers),
    };
    let portal_tx = portal.clone();
    let saved = portal
        .store
        .write(move |tx| {
            lead_views::insert(tx, &view, portal_tx.clock.now())?;
            record(tx, &portal_tx, &actor, "lead_view.created", &view)
        })
        .await;
    match saved {
        Ok(()) => {
            let flash = Flash::success("The view was saved. It stands above the list from now on.");
            Ok(shell.redirect(query.address(INDEX)).flash(flash))
        }
        Err(StoreError::Rule(rule)) => {
            let mut page = index::page(&portal, shell, user, query).await?;
            page.errors.add("name", rule);
            page.view_name = form.name;
            page.shell.render(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
        Err(error) => Err(error.into()),
    }
}

#[derive(Template)]
#[template(path = "leads/view.html")]
struct LeadsView {
    shell: Shell,
    view: LeadView,
    name: String,
    is_shared: bool,
    can_share: bool,
    errors: FieldErrors,
}

impl LeadsView {
    fn list_path(&self) -> String {
        format!("{INDEX}?{}", self.view.query)
    }
}

async fn view_page(
    portal: &Portal,
    shell: Shell,
    user: &CurrentUser,
    id: ViewId,
) -> Result<LeadsView, WebError> {
    let can_share = shell.can(Permission::ManageUsers);
    let user_id = user.id.clone();
    let view = portal
        .store
        .read(move |conn| lead_views::changeable(conn, &id, &user_id, can_share))
        .await?;
    Ok(LeadsView {
        shell,
        name: view.name.clone(),
        is_shared: view.is_shared,
        view,
        can_share,
        errors: FieldErrors::new(),
    })
}

/// GET /leads/views/{id}
///
/// # Errors
/// `NotFound` for somebody else's view, or as the database.
pub async fn edit(
    portal: Data<Portal>,
    shell: Shell,
    user: CurrentUser,
    Path(id): Path<ViewId>,
) -> Answer {
    let page = view_page(&portal, shell, &user, id).await?;
    page.shell.render(StatusCode::OK, &page)
}

/// A view's name, and whether everybody sees it.
#[derive(Debug, Deserialize)]
pub struct ViewForm {
    name: String,
    shared: Option<String>,
}

/// POST /leads/views/{id}
///
/// # Errors
/// `NotFound` for somebody else's view, or as the database.
pub async fn update(
    portal: Data<Portal>,
    shell: Shell,
    user: CurrentUser,
    actor: Actor,
    Path(id): Path<ViewId>,
    Form(form): Form<ViewForm>,
) -> Answer {
    let mut page = view_page(&portal, shell, &user, id).await?;
    let mut view = page.view.clone();
    view.name = form.name.trim().to_owned();
    if page.can_share {
        view.is_shared = form.shared.is_some();
    }
    let path = format!("{INDEX}?{}", view.query);
    let portal_tx = portal.clone();
    let saved = portal
        .store
        .write(move |tx| {
            lead_views::save(tx, &view, portal_tx.clock.now())?;
            record(tx, &portal_tx, &actor, "lead_view.updated", &view)
        })
        .await;
    match saved {
        Ok(()) => {
            let flash = Flash::success("The view was saved.");
            Ok(page.shell.redirect(path).flash(flash))
        }
        Err(StoreError::Rule(rule)) => {
            page.errors.add("name", rule);
            page.name = form.name;
            page.is_shared = form.shared.is_some();
            page.shell.render(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
        Err(error) => Err(error.into()),
    }
}

/// POST /leads/views/{id}/deletion
///
/// # Errors
/// `NotFound` for somebody else's view, or as the database.
pub async fn destroy(
    portal: Data<Portal>,
    shell: Shell,
    user: CurrentUser,
    actor: Actor,
    Path(id): Path<ViewId>,
) -> Answer {
    let page = view_page(&portal, shell, &user, id).await?;
    let view = page.view;
    let portal_tx = portal.clone();
    portal
        .store
        .write(move |tx| {
            lead_views::delete(tx, &view.id)?;
            record(tx, &portal_tx, &actor, "lead_view.deleted", &view)
        })
        .await?;
    let flash = Flash::success("The view was deleted. The leads are as they were.");
    Ok(page.shell.redirect(INDEX).flash(flash))
}
