//! Groups of users: the list, new, one group with its members, rename, delete, export.

mod additions;
mod members;
mod moves;

pub use additions::{apply, create as add_list, show as show_list};
pub use members::{add, export, remove};
pub use moves::{create as move_users, preview as preview_move};

use actix_web::http::StatusCode;
use actix_web::web::Data;
use askama::Template;
use serde::Deserialize;
use serde_json::{Value, json};

use super::history::{self, History};
use super::page::Pager;
use super::{Answer, FieldErrors, Flash, Form, Path, Portal, Query, Shell, WebError};
use crate::domain::group_members::MAX_ENTRIES;
use crate::domain::groups::GroupName;
use crate::domain::ids::GroupId;
use crate::store::audit::{self, Actor};
use crate::store::columns::PAGE_SIZE;
use crate::store::groups::{self, Group, GroupListed, Member};
use crate::store::{AnyConn, StoreError};

/// Where the list is.
const INDEX: &str = "/settings/groups";

fn path_of(group: &GroupId) -> String {
    format!("{INDEX}/{group}")
}

fn record(
    tx: &mut AnyConn,
    portal: &Portal,
    actor: &Actor,
    action: &str,
    group: (&GroupId, &str),
    before: Option<Value>,
    after: Option<Value>,
) -> Result<(), StoreError> {
    let object = ("group", group.0.as_str(), group.1);
    audit::record(tx, portal.clock.now(), actor, action, object, before, after)
}

#[derive(Template)]
#[template(path = "groups/index.html")]
struct GroupsIndex {
    shell: Shell,
    rows: Vec<GroupListed>,
    search: String,
}

/// The filter of the list.
#[derive(Debug, Default, Deserialize)]
pub struct GroupsQuery {
    q: Option<String>,
}

/// GET /settings/groups
///
/// # Errors
/// As the database.
pub async fn index(portal: Data<Portal>, shell: Shell, Query(query): Query<GroupsQuery>) -> Answer {
    let mut rows = portal.store.read(groups::list).await?;
    let search = query.q.unwrap_or_default();
    let wanted = search.trim().to_lowercase();
    rows.retain(|row| row.group.name.to_lowercase().contains(&wanted));
    let page = GroupsIndex {
        shell,
        rows,
        search,
    };
    page.shell.render(StatusCode::OK, &page)
}

/// A group's name.
#[derive(Debug, Deserialize)]
pub struct NameForm {
    name: String,
}

#[derive(Template)]
#[template(path = "groups/new.html")]
struct GroupsNew {
    shell: Shell,
    name: String,
    errors: FieldErrors,
}

/// GET /settings/groups/new
///
/// # Errors
/// When the page cannot be drawn.
pub async fn new(shell: Shell) -> Answer {
    let page = GroupsNew {
        shell,
        name: String::new(),
        errors: FieldErrors::new(),
    };
    page.shell.render(StatusCode::OK, &page)
}

/// Makes a group and notes it.
fn make(
    tx: &mut AnyConn,
    portal: &Portal,
    actor: &Actor,
    group: &GroupId,
    name: &GroupName,
) -> Result<(), StoreError> {
    groups::insert(tx, group, name, portal.clock.now())?;
    let after = Some(json!({ "name": name.as_str() }));
    let about = (group, name.as_str());
    record(tx, portal, actor, "group.created", about, None, after)
}

/// POST /settings/groups
///
/// # Errors
/// As the database.
pub async fn create(
    portal: Data<Portal>,
    shell: Shell,
    actor: Actor,
    Form(form): Form<NameForm>,
) -> Answer {
    let mut errors = FieldErrors::new();
    if let Some(name) = errors.check("name", GroupName::check(&form.name)) {
        let group = GroupId::new(portal.new_id());
        let path = path_of(&group);
        let flash = Flash::success(format!("The group “{}” was created.", name.as_str()));
        let portal_tx = portal.clone();
        let saved = portal
            .store
            .write(move |tx| make(tx, &portal_tx, &actor, &group, &name))
            .await;
        match saved {
            Ok(()) => return Ok(shell.redirect(path).flash(flash)),
            Err(StoreError::Rule(rule)) => errors.add("name", rule),
            Err(error) => return Err(error.into()),
        }
    }
    let page = GroupsNew {
        shell,
        name: form.name,
        errors,
    };
    page.shell.render(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

#[derive(Template)]
#[template(path = "groups/show.html")]
struct GroupsShow {
    shell: Shell,
    group: Group,
    members: Vec<Member>,
    pager: Pager,
    /// How many members match the search, and how many there are.
    found: i64,
    total: i64,
    search: String,
    email: String,
    text: String,
    name: String,
    history: History,
    errors: FieldErrors,
}

impl GroupsShow {
    fn path(&self) -> String {
        path_of(&self.group.id)
    }

    fn limits(&self) -> String {
        format!(
            "CSV, at most {MAX_ENTRIES} rows. The first row names the columns; one is called E-mail."
        )
    }
}

/// Which members to show.
#[derive(Debug, Default, Deserialize)]
pub struct MembersQuery {
    q: Option<String>,
    page: Option<u32>,
}

async fn show_page(
    portal: &Portal,
    shell: Shell,
    group: GroupId,
    query: MembersQuery,
) -> Result<GroupsShow, WebError> {
    let search = query.q.unwrap_or_default();
    let mut pager = Pager::new(
        &path_of(&group),
        query.page,
        PAGE_SIZE,
        &[("q", search.as_str())],
    );
    let (wanted, offset, limit) = (search.clone(), pager.offset(), pager.limit());
    let (group, members, found, total, history) = portal
        .store
        .read(move |conn| {
            Ok::<_, StoreError>((
                groups::get(conn, &group)?,
                groups::list_members(conn, &group, &wanted, offset, limit)?,
                groups::count_members(conn, &group, &wanted)?,
                groups::count_members(conn, &group, "")?,
                history::read(conn, "group", group.as_str())?,
            ))
        })
        .await?;
    Ok(GroupsShow {
        shell,
        name: group.name.clone(),
        group,
        members: pager.take(members),
        pager,
        found,
        total,
        search,
        email: String::new(),
        text: String::new(),
        history,
        errors: FieldErrors::new(),
    })
}

/// GET /settings/groups/{id}
///
/// # Errors
/// `NotFound`, or as the database.
pub async fn show(
    portal: Data<Portal>,
    shell: Shell,
    Path(group): Path<GroupId>,
    Query(query): Query<MembersQuery>,
) -> Answer {
    let page = show_page(&portal, shell, group, query).await?;
    page.shell.render(StatusCode::OK, &page)
}

/// Another name.
#[derive(Debug, Deserialize)]
pub struct RenameForm {
    name: String,
    lock_version: i64,
}

/// POST /settings/groups/{id}
///
/// # Errors
/// `NotFound`, `Stale`, or as the database.
pub async fn update(
    portal: Data<Portal>,
    shell: Shell,
    actor: Actor,
    Path(group): Path<GroupId>,
    Form(form): Form<RenameForm>,
) -> Answer {
    let mut errors = FieldErrors::new();
    if let Some(name) = errors.check("name", GroupName::check(&form.name)) {
        let path = path_of(&group);
        let flash = Flash::success(format!("The group is called “{}” now.", name.as_str()));
        let (portal_tx, id) = (portal.clone(), group.clone());
        let saved = portal
            .store
            .write(move |tx| {
                let before = groups::get(tx, &id)?.name;
                groups::rename(tx, &id, &name, form.lock_version, portal_tx.clock.now())?;
                let (was, is) = (json!({ "name": before }), json!({ "name": name.as_str() }));
                let about = (&id, name.as_str());
                let action = "group.renamed";
                record(tx, &portal_tx, &actor, action, about, Some(was), Some(is))
            })
            .await;
        match saved {
            Ok(()) => return Ok(shell.redirect(path).flash(flash)),
            Err(StoreError::Rule(rule)) => errors.add("name", rule),
            Err(error) => return Err(error.into()),
        }
    }
    let mut page = show_page(&portal, shell, group, MembersQuery::default()).await?;
    (page.name, page.errors) = (form.name, errors);
    page.shell.render(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

#[derive(Template)]
#[template(path = "groups/deletion.html")]
struct GroupsDeletion {
    shell: Shell,
    group: Group,
    total: i64,
    problem: Option<&'static str>,
}

async fn deletion_page(
    portal: &Portal,
    shell: Shell,
    group: GroupId,
) -> Result<GroupsDeletion, WebError> {
    let (group, total) = portal
        .store
        .read(move |conn| {
            Ok::<_, StoreError>((
                groups::get(conn, &group)?,
                groups::count_members(conn, &group, "")?,
            ))
        })
        .await?;
    Ok(GroupsDeletion {
        shell,
        group,
        total,
        problem: None,
    })
}

/// GET /settings/groups/{id}/deletion: what it means.
///
/// # Errors
/// `NotFound`, or as the database.
pub async fn deletion(portal: Data<Portal>, shell: Shell, Path(group): Path<GroupId>) -> Answer {
    let page = deletion_page(&portal, shell, group).await?;
    page.shell.render(StatusCode::OK, &page)
}

/// The version that the person saw.
#[derive(Debug, Deserialize)]
pub struct VersionForm {
    lock_version: i64,
}

/// POST /settings/groups/{id}/deletion: refused while a setting refers to the group.
///
/// # Errors
/// `NotFound`, `Stale`, or as the database.
pub async fn destroy(
    portal: Data<Portal>,
    shell: Shell,
    actor: Actor,
    Path(group): Path<GroupId>,
    Form(form): Form<VersionForm>,
) -> Answer {
    let (portal_tx, id) = (portal.clone(), group.clone());
    let deleted = portal
        .store
        .write(move |tx| {
            let name = groups::get(tx, &id)?.name;
            let members = groups::count_members(tx, &id, "")?;
            groups::delete(tx, &id, form.lock_version)?;
            let before = Some(json!({ "name": name, "members": members }));
            let (about, action) = ((&id, name.as_str()), "group.deleted");
            record(tx, &portal_tx, &actor, action, about, before, None)?;
            Ok::<_, StoreError>(name)
        })
        .await;
    match deleted {
        Ok(name) => Ok(shell.redirect(INDEX).flash(Flash::success(format!(
            "The group “{name}” was deleted. Its members are users as before."
        )))),
        Err(StoreError::InUse(_)) => {
            let mut page = deletion_page(&portal, shell, group).await?;
            page.problem = Some(
                "It is the selected group of the LinkedIn account connections. Choose another group there, or No, then delete this one.",
            );
            page.shell.render(StatusCode::CONFLICT, &page)
        }
        Err(error) => Err(error.into()),
    }
}
