//! Users and roles: list, add, change roles, disable, reset a password, end sessions. Invitations: [`super::invitations`].

use std::collections::BTreeSet;

use actix_web::http::StatusCode;
use actix_web::web::Data;
use askama::Template;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::form::{NoFields, SecretText};
use super::history::{self, History};
use super::sign_in::password_sign_in;
use super::{Answer, FieldErrors, Flash, Form, Path, Portal, Query, Shell, WebError};
use crate::auth::CurrentUser;
use crate::auth::account_links::is_to_be_invited;
use crate::auth::accounts::{self, AddUserError, NewUser, access_state};
use crate::auth::passwords;
use crate::domain::access::Role;
use crate::domain::account_link::LinkPurpose;
use crate::domain::ids::UserId;
use crate::domain::mail::MailState;
use crate::domain::password;
use crate::domain::users::UserRuleError;
use crate::domain::words::words;
use crate::store::account_links::{self, AccountLink};
use crate::store::audit::{self, Actor};
use crate::store::mails::{self, Mail};
use crate::store::users::{self, User};
use crate::store::{StoreError, connections, groups, second_factors, sessions};

/// A check box for each role that people may hold, and whether it is ticked.
pub(super) fn role_boxes(chosen: &[String]) -> Vec<(Role, bool)> {
    roles_for_people()
        .into_iter()
        .map(|role| (role, chosen.iter().any(|word| word == role.as_str())))
        .collect()
}

/// The roles that people may hold.
pub(super) fn roles_for_people() -> Vec<Role> {
    Role::ALL
        .iter()
        .copied()
        .filter(|role| role.is_for_people())
        .collect()
}

#[derive(Template)]
#[template(path = "users/index.html")]
struct UsersIndex {
    shell: Shell,
    users: Vec<User>,
    /// Who was invited and has not come yet.
    invited: BTreeSet<UserId>,
    search: String,
    role: Option<Role>,
    state: Option<UserState>,
    roles: Vec<Role>,
    groups: Vec<(String, String)>,
}

impl UsersIndex {
    fn is_filtered(&self) -> bool {
        !self.search.is_empty() || self.role.is_some() || self.state.is_some()
    }
}

words! {
    /// Whether somebody may sign in, as the filter asks for it.
    pub enum UserState {
        Enabled = "enabled" => "Enabled",
        Disabled = "disabled" => "Disabled",
    }
}

/// The filter of the list.
#[derive(Debug, Default, Deserialize)]
pub struct UsersQuery {
    q: Option<String>,
    role: Option<Role>,
    state: Option<UserState>,
}

impl UsersQuery {
    /// The filter as another form carries it; what is no filter counts as not given.
    pub(super) fn of(search: &str, role: &str, state: &str) -> Self {
        Self {
            q: Some(search.to_owned()),
            role: role.parse().ok(),
            state: state.parse().ok(),
        }
    }

    /// Whether somebody passes.
    pub(super) fn finds(&self, user: &User) -> bool {
        let wanted = self.q.as_deref().unwrap_or_default().trim().to_lowercase();
        let is_named = wanted.is_empty()
            || user.name.to_lowercase().contains(&wanted)
            || user.email_key.contains(&wanted);
        is_named
            && self.role.is_none_or(|role| user.roles.contains(&role))
            && self
                .state
                .is_none_or(|state| user.is_enabled == (state == UserState::Enabled))
    }
}

/// GET /settings/users
///
/// # Errors
/// As the database.
pub async fn index(portal: Data<Portal>, shell: Shell, Query(query): Query<UsersQuery>) -> Answer {
    let (mut users, invitations, groups) = portal
        .store
        .read(|conn| {
            Ok::<_, StoreError>((
                users::list(conn)?,
                account_links::list_invitations(conn)?,
                groups::list(conn)?,
            ))
        })
        .await?;
    users.retain(|user| query.finds(user));
    let page = UsersIndex {
        shell,
        users,
        invited: invitations.into_iter().map(|link| link.user_id).collect(),
        search: query.q.unwrap_or_default(),
        role: query.role,
        state: query.state,
        roles: roles_for_people(),
        groups: groups
            .into_iter()
            .map(|row| (row.group.id.into_string(), row.group.name))
            .collect(),
    };
    page.shell.render(StatusCode::OK, &page)
}

#[derive(Template)]
#[template(path = "users/new.html")]
struct UsersNew {
    shell: Shell,
    email: String,
    name: String,
    roles: Vec<(Role, bool)>,
    errors: FieldErrors,
}

/// The password that was made for somebody: shown on this one answer and kept nowhere.
#[derive(Template)]
#[template(path = "users/password.html")]
struct UsersPassword {
    shell: Shell,
    user: User,
    password: SecretString,
    is_new: bool,
}

/// A person to add.
#[derive(Debug, Deserialize)]
pub struct NewUserForm {
    email: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    roles: Vec<String>,
    #[serde(default)]
    password: Option<SecretText>,
}

/// GET /settings/users/new
///
/// # Errors
/// When the page cannot be drawn.
pub async fn new(shell: Shell) -> Answer {
    let page = UsersNew {
        shell,
        email: String::new(),
        name: String::new(),
        roles: role_boxes(&[]),
        errors: FieldErrors::new(),
    };
    page.shell.render(StatusCode::OK, &page)
}

/// The roles that these words are; what is no role for people is noted at the field `roles`.
pub(super) fn check_role_words(words: &[String], errors: &mut FieldErrors) -> Vec<Role> {
    let mut roles: Vec<Role> = words
        .iter()
        .filter_map(|word| match word.parse::<Role>() {
            Ok(role) if role.is_for_people() => Some(role),
            Ok(_) => {
                errors.add("roles", UserRuleError::NotForPeople.to_string());
                None
            }
            Err(_) => {
                errors.add("roles", "There is no such role.");
                None
            }
        })
        .collect();
    roles.sort_unstable();
    roles.dedup();
    roles
}

/// POST /settings/users
///
/// # Errors
/// As the database.
pub async fn create(
    portal: Data<Portal>,
    shell: Shell,
    current: CurrentUser,
    actor: Actor,
    Form(form): Form<NewUserForm>,
) -> Answer {
    let mut errors = FieldErrors::new();
    let roles = check_role_words(&form.roles, &mut errors);
    let given = form
        .password
        .map(|password| password.0)
        .filter(|password| !password.expose_secret().is_empty());
    if let Some(given) = &given {
        let context = [form.name.as_str(), form.email.as_str()];
        errors.check("password", password::check(given.expose_secret(), &context));
    }
    errors.check("email", crate::domain::users::check_email(&form.email));
    if !form.name.trim().is_empty() {
        errors.check("name", crate::domain::users::check_name(&form.name));
    }
    if errors.is_empty() {
        let is_generated = given.is_none();
        let secret = match given {
            Some(given) => given,
            None => passwords::generate()?,
        };
        let new = NewUser {
            id: UserId::new(portal.new_id()),
            email: form.email.clone(),
            name: form.name.clone(),
            roles,
            time_zone: current.time_zone,
            password_hash: Some(portal.passwords.hash(secret.clone()).await?),
        };
        let now = portal.clock.now();
        let added = portal
            .store
            .write(move |tx| accounts::add(tx, now, &actor, new))
            .await;
        match added {
            Ok(user) if is_generated => {
                let page = UsersPassword {
                    shell,
                    user,
                    password: secret,
                    is_new: true,
                };
                return page.shell.render(StatusCode::CREATED, &page);
            }
            Ok(user) => {
                let flash = Flash::success(format!("{} was added.", user.name))
                    .with_link(format!("/settings/users/{}", user.id), "Open");
                return Ok(shell.redirect("/settings/users").flash(flash));
            }
            Err(AddUserError::Store(error)) => return Err(error.into()),
            Err(AddUserError::Rule(UserRuleError::NoName | UserRuleError::NameTooLong)) => {
                errors.add("name", "Enter a name with at most 100 characters.");
            }
            Err(other) => errors.add("email", other.to_string()),
        }
    }
    let page = UsersNew {
        shell,
        email: form.email,
        name: form.name,
        roles: role_boxes(&form.roles),
        errors,
    };
    page.shell.render(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

#[derive(Template)]
#[template(path = "users/show.html")]
struct UsersShow {
    shell: Shell,
    user: User,
    is_enabled: bool,
    session_count: usize,
    is_self: bool,
    /// The last mail to the person.
    mail: Option<Mail>,
    /// Whether signing in takes a second step.
    has_second_factor: bool,
    /// The open link for a password, whether it works or has run out.
    link: Option<AccountLink>,
    /// Whether the person never came: an invitation is what they need.
    is_to_be_invited: bool,
    /// Whether the person may sign in with a password.
    may_use_password: bool,
    roles: Vec<(Role, bool)>,
    history: History,
    errors: FieldErrors,
}

async fn show_page(
    portal: &Portal,
    shell: Shell,
    current: &CurrentUser,
    id: UserId,
) -> Result<UsersShow, WebError> {
    let is_self = current.id == id;
    let may_use_password = password_sign_in(portal).await?.allows(&id);
    let (user, session_count, link, mail, has_second_factor, history) = portal
        .store
        .read(move |conn| {
            let user = users::get(conn, &id)?;
            let history = history::read(conn, "user", id.as_str())?;
            let count = sessions::list_of_user(conn, &id)?.len();
            let link = account_links::of_user(conn, &id)?;
            let has_second_factor = second_factors::is_on(conn, &id)?;
            let mail = mails::last_of_user(conn, &id)?;
            Ok::<_, StoreError>((user, count, link, mail, has_second_factor, history))
        })
        .await?;
    let chosen: Vec<String> = user
        .roles
        .iter()
        .map(|role| role.as_str().to_owned())
        .collect();
    Ok(UsersShow {
        is_enabled: user.is_enabled,
        may_use_password,
        is_to_be_invited: is_to_be_invited(&user),
        link,
        mail,
        has_second_factor,
        roles: role_boxes(&chosen),
        errors: FieldErrors::new(),
        shell,
        user,
        session_count,
        is_self,
        history,
    })
}

/// GET /settings/users/{id}
///
/// # Errors
/// `NotFound`, or as the database.
pub async fn show(
    portal: Data<Portal>,
    shell: Shell,
    current: CurrentUser,
    Path(id): Path<UserId>,
) -> Answer {
    let page = show_page(&portal, shell, &current, id).await?;
    page.shell.render(StatusCode::OK, &page)
}

/// Roles and whether the person may sign in.
#[derive(Debug, Deserialize)]
pub struct AccessForm {
    #[serde(default)]
    roles: Vec<String>,
    is_enabled: Option<String>,
    lock_version: String,
}

/// POST /settings/users/{id}: the person's sessions end, so that the next request meets the new roles with a new id.
///
/// # Errors
/// `NotFound`, `Stale`, or as the database.
pub async fn update(
    portal: Data<Portal>,
    shell: Shell,
    current: CurrentUser,
    actor: Actor,
    Path(id): Path<UserId>,
    Form(form): Form<AccessForm>,
) -> Answer {
    let mut errors = FieldErrors::new();
    let roles = check_role_words(&form.roles, &mut errors);
    let is_enabled = form.is_enabled.is_some();
    let version: i64 = form
        .lock_version
        .parse()
        .map_err(|_| WebError::Invalid("The form does not say what it was made from.".into()))?;
    if errors.is_empty() {
        let now = portal.clock.now();
        let wanted = id.clone();
        let saved = portal
            .store
            .write(move |tx| {
                // An invited person gets in by the link, with a password.
                let is_enabled = is_enabled && !account_links::is_invited(tx, &wanted)?;
                let before = users::set_access(tx, now, &wanted, &roles, is_enabled, version)?;
                sessions::delete_all_of_user(tx, &wanted, None)?;
                audit::record(
                    tx,
                    now,
                    &actor,
                    "user.access_changed",
                    ("user", wanted.as_str(), &before.name),
                    Some(access_state(&before.roles, before.is_enabled)),
                    Some(access_state(&roles, is_enabled)),
                )?;
                connections::withdraw_for(tx, &[wanted], &actor, now)?;
                Ok::<_, StoreError>(before.name)
            })
            .await;
        match saved {
            Ok(name) => {
                let flash = Flash::success(format!("The access of {name} was saved."));
                return Ok(shell.redirect("/settings/users").flash(flash));
            }
            Err(StoreError::Rule(rule)) => errors.add("roles", rule),
            Err(error) => return Err(error.into()),
        }
    }
    let mut page = show_page(&portal, shell, &current, id).await?;
    page.roles = role_boxes(&form.roles);
    (page.is_enabled, page.errors) = (is_enabled, errors);
    page.shell.render(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

/// POST /settings/users/{id}/password: makes a new password, shows it once, ends the person's sessions.
///
/// # Errors
/// `NotFound`, or as the database.
pub async fn reset_password(
    portal: Data<Portal>,
    shell: Shell,
    current: CurrentUser,
    actor: Actor,
    Path(id): Path<UserId>,
    _: Form<NoFields>,
) -> Answer {
    if id == current.id {
        return Ok(shell.redirect("/account").flash(Flash::notice(
            "Change your own password here, with the current one.",
        )));
    }
    let password = passwords::generate()?;
    let hash = portal.passwords.hash(password.clone()).await?;
    let now = portal.clock.now();
    let user = portal
        .store
        .write(move |tx| {
            let user = users::get(tx, &id)?;
            users::set_password(tx, now, &id, &hash)?;
            sessions::delete_all_of_user(tx, &id, None)?;
            let object = ("user", id.as_str(), user.name.as_str());
            audit::record(tx, now, &actor, "user.password_reset", object, None, None)?;
            Ok::<_, StoreError>(user)
        })
        .await?;
    let page = UsersPassword {
        shell,
        user,
        password,
        is_new: false,
    };
    page.shell.render(StatusCode::OK, &page)
}

/// POST /settings/users/{id}/sessions/end
///
/// # Errors
/// `NotFound`, or as the database.
pub async fn end_sessions(
    portal: Data<Portal>,
    shell: Shell,
    actor: Actor,
    Path(id): Path<UserId>,
) -> Answer {
    let now = portal.clock.now();
    let path = format!("/settings/users/{id}");
    portal
        .store
        .write(move |tx| {
            let user = users::get(tx, &id)?;
            sessions::delete_all_of_user(tx, &id, None)?;
            let object = ("user", id.as_str(), user.name.as_str());
            audit::record(tx, now, &actor, "user.sessions_ended", object, None, None)
        })
        .await?;
    Ok(shell
        .redirect(path)
        .flash(Flash::success("All sessions of this person have ended.")))
}
