//! Many members at once: a list is pasted or uploaded, every row is looked up, and then it is applied.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use askama::Template;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{MembersQuery, path_of, record, show_page};
use crate::domain::group_members::{AdditionOutcome, Entry, MAX_ENTRIES, read_pasted, read_rows};
use crate::domain::ids::{AdditionId, GroupId, UserId};
use crate::store::audit::Actor;
use crate::store::group_additions::{self as additions, Addition, AdditionRow};
use crate::store::groups::{self, Group};
use crate::store::{AnyConn, StoreError, users};
use crate::web::form::NoFields;
use crate::web::lead_imports::csv_file::{Rows, shape};
use crate::web::page::{Pager, StateTab, state_tabs};
use crate::web::upload::{Upload, UploadedFile};
use crate::web::{Answer, FieldErrors, Flash, Form, Path, Portal, Query, Shell, WebError};

/// Rows of a list on one page.
const PAGE: i64 = 100;
/// Names of new members in the audit log; the group’s page tells all.
const NAMED: usize = 100;

/// The entries of a file.
fn read_file(file: &UploadedFile) -> Result<Vec<Entry>, String> {
    let mut reader = Rows::new(file.bytes.clone(), shape(&file.bytes)?);
    let mut rows = Vec::new();
    while let Some(row) = reader.next()? {
        rows.push(row);
        if rows.len() > MAX_ENTRIES + 1 {
            return Err(format!(
                "A list may hold at most {MAX_ENTRIES} rows; this file has more. Cut it into several."
            ));
        }
    }
    read_rows(&rows).map_err(|error| error.to_string())
}

/// POST /settings/groups/{id}/additions: looks the rows of a file, or of pasted text, up; nobody is added yet.
///
/// # Errors
/// `NotFound`, or as the database.
pub async fn create(
    portal: Data<Portal>,
    shell: Shell,
    Path(group): Path<GroupId>,
    upload: Upload,
) -> Answer {
    let text = upload.field("text").unwrap_or_default();
    let (field, origin, read) = match upload.file("file") {
        Some(file) => ("file", file.name.clone(), read_file(file)),
        None if text.trim().is_empty() => (
            "text",
            String::new(),
            Err("Paste e-mail addresses, or choose a file.".to_owned()),
        ),
        None => (
            "text",
            "Pasted text".to_owned(),
            read_pasted(text).map_err(|error| error.to_string()),
        ),
    };
    match read {
        Ok(entries) => {
            let id = AdditionId::new(portal.new_id());
            let path = format!("{}/additions/{id}", path_of(&group));
            let now = portal.clock.now();
            portal
                .store
                .write(move |tx| additions::insert(tx, &id, &group, &origin, &entries, now))
                .await?;
            Ok(shell.redirect(path).quietly())
        }
        Err(problem) => {
            let mut page = show_page(&portal, shell, group, MembersQuery::default()).await?;
            let mut errors = FieldErrors::new();
            errors.add(field, problem);
            (page.text, page.errors) = (text.to_owned(), errors);
            page.shell.render(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
    }
}

#[derive(Template)]
#[template(path = "groups/addition.html")]
struct GroupsAddition {
    shell: Shell,
    group: Group,
    addition: Addition,
    rows: Vec<AdditionRow>,
    joining: i64,
    total: i64,
    tabs: Vec<StateTab>,
    pager: Pager,
}

impl GroupsAddition {
    fn is_applied(&self) -> bool {
        self.addition.applied_at.is_some()
    }

    fn outcome(&self, row: &AdditionRow) -> &'static str {
        if self.is_applied() {
            row.outcome.label()
        } else {
            row.outcome.planned()
        }
    }

    fn tone(row: &AdditionRow) -> &'static str {
        match row.outcome {
            AdditionOutcome::Added => "good",
            AdditionOutcome::AlreadyMember | AdditionOutcome::Duplicate => "quiet",
            AdditionOutcome::UnknownUser | AdditionOutcome::Invalid => "warn",
        }
    }
}

/// Which rows to show.
#[derive(Debug, Deserialize)]
pub struct RowsQuery {
    outcome: Option<AdditionOutcome>,
    page: Option<u32>,
}

/// GET /settings/groups/{id}/additions/{addition}: a result for every row, before and after.
///
/// # Errors
/// `NotFound`, or as the database.
pub async fn show(
    portal: Data<Portal>,
    shell: Shell,
    Path((group, addition)): Path<(GroupId, AdditionId)>,
    Query(query): Query<RowsQuery>,
) -> Answer {
    let path = format!("{}/additions/{addition}", path_of(&group));
    let word = query.outcome.map_or("", AdditionOutcome::as_str);
    let mut pager = Pager::new(&path, query.page, PAGE, &[("outcome", word)]);
    let (offset, limit, outcome) = (pager.offset(), pager.limit(), query.outcome);
    let (group, addition, counts, rows) = portal
        .store
        .read(move |conn| {
            Ok::<_, StoreError>((
                groups::get(conn, &group)?,
                additions::get(conn, &group, &addition)?,
                additions::counts(conn, &addition)?,
                additions::list_rows(conn, &addition, outcome, offset, limit)?,
            ))
        })
        .await?;
    let is_applied = addition.applied_at.is_some();
    let states = counts.iter().map(|(outcome, count)| {
        let label = if is_applied {
            outcome.label()
        } else {
            outcome.planned()
        };
        (
            outcome.as_str(),
            label,
            usize::try_from(*count).unwrap_or(usize::MAX),
        )
    });
    let page = GroupsAddition {
        shell,
        tabs: state_tabs(&path, "outcome", &[], word, states),
        joining: counts
            .iter()
            .filter(|(outcome, _)| *outcome == AdditionOutcome::Added)
            .map(|(_, count)| count)
            .sum(),
        total: counts.iter().map(|(_, count)| count).sum(),
        rows: pager.take(rows),
        pager,
        group,
        addition,
    };
    page.shell.render(StatusCode::OK, &page)
}

/// New members as the audit log keeps them.
pub(super) fn joined(tx: &mut AnyConn, origin: &str, new: &[UserId]) -> Result<Value, StoreError> {
    let mut names = Vec::new();
    for user in new.iter().take(NAMED) {
        names.push(users::get(tx, user)?.name);
    }
    if new.len() > names.len() {
        names.push(format!("and {} more", new.len() - names.len()));
    }
    Ok(json!({ "origin": origin, "count": new.len(), "members": names }))
}

/// POST /settings/groups/{id}/additions/{addition}/application
///
/// # Errors
/// `NotFound`, or as the database.
pub async fn apply(
    portal: Data<Portal>,
    shell: Shell,
    actor: Actor,
    Path((group, addition)): Path<(GroupId, AdditionId)>,
    Form(NoFields {}): Form<NoFields>,
) -> Answer {
    let path = format!("{}/additions/{addition}", path_of(&group));
    let portal_tx = portal.clone();
    let count = portal
        .store
        .write(move |tx| {
            let name = groups::get(tx, &group)?.name;
            let origin = additions::get(tx, &group, &addition)?.origin;
            let (by, now) = (actor.user_id.as_ref(), portal_tx.clock.now());
            let new = additions::apply(tx, &group, &addition, by, now)?;
            if !new.is_empty() {
                let after = Some(joined(tx, &origin, &new)?);
                let (about, action) = ((&group, name.as_str()), "group.members_added");
                record(tx, &portal_tx, &actor, action, about, None, after)?;
            }
            Ok::<_, WebError>(new.len())
        })
        .await?;
    Ok(shell.redirect(path).flash(if count == 0 {
        Flash::notice("Nobody had to be added.")
    } else if count == 1 {
        Flash::success("1 user was added to the group.")
    } else {
        Flash::success(format!("{count} users were added to the group."))
    }))
}
