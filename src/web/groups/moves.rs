//! Users of the list into a group, one that is there or a new one: what it comes to first, then the change.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use askama::Template;
use serde::Deserialize;

use super::additions::joined;
use super::{make, path_of, record};
use crate::domain::groups::GroupName;
use crate::domain::ids::{GroupId, UserId};
use crate::store::audit::Actor;
use crate::store::groups;
use crate::store::users::{self, User};
use crate::store::{AnyConn, StoreError};
use crate::web::users::UsersQuery;
use crate::web::{Answer, FieldErrors, Flash, Form, Portal, Shell};

/// Names that the page of consequences shows.
const SHOWN: usize = 200;

/// Which users, and where to.
#[derive(Debug, Deserialize)]
pub struct MoveForm {
    /// The ticked users.
    #[serde(default)]
    id: Vec<String>,
    /// `all`: everybody whom the filter finds.
    #[serde(default)]
    scope: String,
    /// The filter.
    #[serde(default)]
    filter_q: String,
    #[serde(default)]
    filter_role: String,
    #[serde(default)]
    filter_state: String,
    /// The group; empty for a new one.
    #[serde(default)]
    group: String,
    /// The name of the new one.
    #[serde(default)]
    new_group: String,
    /// How many users the person was told about.
    expected: Option<usize>,
}

/// Where to.
#[derive(Debug, Clone)]
enum Target {
    Known(GroupId),
    New(GroupName),
}

impl MoveForm {
    fn is_all(&self) -> bool {
        self.scope == "all"
    }

    fn query(&self) -> UsersQuery {
        UsersQuery::of(&self.filter_q, &self.filter_role, &self.filter_state)
    }

    fn target(&self, errors: &mut FieldErrors) -> Option<Target> {
        let (group, name) = (self.group.trim(), self.new_group.trim());
        match (group.is_empty(), name.is_empty()) {
            (true, true) => {
                errors.add("group", "Choose a group, or name a new one.");
                None
            }
            (false, false) => {
                errors.add(
                    "new_group",
                    "Either choose a group or name a new one, not both.",
                );
                None
            }
            (true, false) => errors
                .check("new_group", GroupName::check(name))
                .map(Target::New),
            (false, true) => errors
                .check(
                    "group",
                    group.parse().map_err(|_| "Choose one of the groups."),
                )
                .map(Target::Known),
        }
    }

    /// The users of the form as they are now.
    fn users(&self, conn: &mut AnyConn) -> Result<Vec<User>, StoreError> {
        let mut found = users::list(conn)?;
        let query = self.query();
        let ticked: std::collections::HashSet<&str> = self.id.iter().map(String::as_str).collect();
        found.retain(|user| {
            if self.is_all() {
                query.finds(user)
            } else {
                ticked.contains(user.id.as_str())
            }
        });
        Ok(found)
    }
}

#[derive(Template)]
#[template(path = "groups/move.html")]
struct GroupsMove {
    shell: Shell,
    form: MoveForm,
    /// Name of the group, and how many are in it so far.
    target: Option<(String, i64)>,
    choices: Vec<(String, String)>,
    users: Vec<User>,
    joining: Vec<User>,
    errors: FieldErrors,
}

impl GroupsMove {
    fn shown(&self) -> impl Iterator<Item = &User> {
        self.joining.iter().take(SHOWN)
    }

    fn unnamed(&self) -> usize {
        self.joining.len().saturating_sub(SHOWN)
    }

    fn disabled(&self) -> usize {
        self.joining.iter().filter(|user| !user.is_enabled).count()
    }
}

async fn consequences(
    portal: &Portal,
    shell: Shell,
    form: MoveForm,
    mut errors: FieldErrors,
) -> Answer {
    let target = form.target(&mut errors);
    let (form, page) = portal
        .store
        .read(move |conn| {
            let users = form.users(conn)?;
            let listed = groups::list(conn)?;
            let choices: Vec<(String, String)> = listed
                .iter()
                .map(|row| (row.group.id.to_string(), row.group.name.clone()))
                .collect();
            let (target, members) = match target {
                Some(Target::Known(id)) => {
                    let known = listed.iter().find(|row| row.group.id == id);
                    (
                        known.map(|row| (row.group.name.clone(), row.member_count)),
                        groups::member_ids(conn, &id)?,
                    )
                }
                Some(Target::New(name)) => {
                    (Some((name.as_str().to_owned(), 0)), Default::default())
                }
                None => (None, Default::default()),
            };
            let joining: Vec<User> = users
                .iter()
                .filter(|user| !members.contains(&user.id))
                .cloned()
                .collect();
            Ok::<_, StoreError>((form, (target, choices, users, joining)))
        })
        .await?;
    let (target, choices, users, joining) = page;
    if errors.is_empty() && target.is_none() {
        errors.add("group", "This group is gone. Choose another one.");
    }
    if users.is_empty() {
        errors.add(
            "users",
            "Tick the users, or choose all that match the filter.",
        );
    }
    let status = if errors.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::UNPROCESSABLE_ENTITY
    };
    let page = GroupsMove {
        shell,
        form,
        target: target.filter(|_| errors.is_empty()),
        choices,
        users,
        joining,
        errors,
    };
    page.shell.render(status, &page)
}

/// POST /settings/group-moves/preview: who would join; nothing is written.
///
/// # Errors
/// As the database.
pub async fn preview(portal: Data<Portal>, shell: Shell, Form(form): Form<MoveForm>) -> Answer {
    consequences(&portal, shell, form, FieldErrors::new()).await
}

/// POST /settings/group-moves: makes the users members.
///
/// # Errors
/// As the database.
pub async fn create(
    portal: Data<Portal>,
    shell: Shell,
    actor: Actor,
    Form(form): Form<MoveForm>,
) -> Answer {
    let mut errors = FieldErrors::new();
    let Some(target) = form.target(&mut errors) else {
        // The page of consequences finds the same again.
        return consequences(&portal, shell, form, FieldErrors::new()).await;
    };
    let portal_tx = portal.clone();
    let new_id = GroupId::new(portal.new_id());
    let (form, outcome) = portal
        .store
        .write(move |tx| {
            let outcome = write(tx, &portal_tx, &actor, &form, target, new_id);
            match outcome {
                Ok(done) => Ok((form, Ok(done))),
                // Nothing was written before a rule refused.
                Err(StoreError::Rule(rule)) => Ok((form, Err(rule))),
                Err(error) => Err(error),
            }
        })
        .await?;
    match outcome {
        Ok((group, count)) => Ok(shell.redirect(path_of(&group)).flash(if count == 1 {
            Flash::success("1 user was added to the group.")
        } else {
            Flash::success(format!("{count} users were added to the group."))
        })),
        Err(rule) => {
            errors.add(
                if form.new_group.trim().is_empty() {
                    "users"
                } else {
                    "new_group"
                },
                rule,
            );
            consequences(&portal, shell, form, errors).await
        }
    }
}

fn write(
    tx: &mut AnyConn,
    portal: &Portal,
    actor: &Actor,
    form: &MoveForm,
    target: Target,
    new_id: GroupId,
) -> Result<(GroupId, usize), StoreError> {
    let chosen: Vec<UserId> = form.users(tx)?.into_iter().map(|user| user.id).collect();
    if form.expected.is_some_and(|told| told != chosen.len()) {
        return Err(StoreError::Rule(format!(
            "Users have changed meanwhile: it is {} now. Look at the change again.",
            chosen.len()
        )));
    }
    let (group, name) = match target {
        Target::Known(group) => {
            let name = groups::get(tx, &group)?.name;
            (group, name)
        }
        Target::New(name) => {
            make(tx, portal, actor, &new_id, &name)?;
            (new_id, name.as_str().to_owned())
        }
    };
    let by = actor.user_id.as_ref();
    let new = groups::add(tx, &group, &chosen, by, portal.clock.now())?;
    if !new.is_empty() {
        let after = Some(joined(tx, "Users and roles", &new)?);
        let (about, action) = ((&group, name.as_str()), "group.members_added");
        record(tx, portal, actor, action, about, None, after)?;
    }
    Ok((group, new.len()))
}
