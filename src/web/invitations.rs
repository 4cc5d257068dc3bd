//! Invitations and links for a new password: Administrators make them here, and [`crate::web::account_links`] answers when
//! people open them.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use askama::Template;
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::form::NoFields;
use super::outbox::Letter;
use super::users::{check_role_words, role_boxes};
use super::{Answer, FieldErrors, Flash, Form, Path, Portal, Shell, WebError};
use crate::auth::CurrentUser;
use crate::auth::account_links::{self, Issued};
use crate::auth::accounts::{self, AddUserError, NewUser};
use crate::domain::access::Role;
use crate::domain::account_link::LinkPurpose;
use crate::domain::ids::UserId;
use crate::domain::users::UserRuleError;
use crate::store::StoreError;
use crate::store::account_links as links;
use crate::store::audit::{self, Actor};
use crate::store::users::{self, User};

#[derive(Template)]
#[template(path = "users/invite.html")]
struct UsersInvite {
    shell: Shell,
    email: String,
    name: String,
    roles: Vec<(Role, bool)>,
    errors: FieldErrors,
}

/// The link that was made: shown on this one answer and kept nowhere.
#[derive(Template)]
#[template(path = "users/link.html")]
struct UsersLink {
    shell: Shell,
    user: User,
    purpose: LinkPurpose,
    link: SecretString,
    expires_at: DateTime<Utc>,
}

/// Where the link leads, as the world reaches the portal.
pub(super) fn address(
    portal: &Portal,
    purpose: LinkPurpose,
    token: &SecretString,
) -> Result<SecretString, WebError> {
    let path = format!("{}/{}", purpose.path(), token.expose_secret());
    portal
        .settings
        .http
        .public_url
        .join(&path)
        .map(|url| SecretString::from(url.to_string()))
        .map_err(|error| WebError::Internal(error.to_string()))
}

fn shown(
    portal: &Portal,
    shell: Shell,
    user: User,
    purpose: LinkPurpose,
    issued: &Issued,
) -> Answer {
    let page = UsersLink {
        link: address(portal, purpose, &issued.token)?,
        expires_at: purpose.end(shell.now),
        shell,
        user,
        purpose,
    };
    page.shell.render(StatusCode::CREATED, &page)
}

/// GET /settings/users/invitations/new
///
/// # Errors
/// When the page cannot be drawn.
pub async fn new(shell: Shell) -> Answer {
    let page = UsersInvite {
        shell,
        email: String::new(),
        name: String::new(),
        roles: role_boxes(&[]),
        errors: FieldErrors::new(),
    };
    page.shell.render(StatusCode::OK, &page)
}

/// A person to invite.
#[derive(Debug, Deserialize)]
pub struct InvitationForm {
    email: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    roles: Vec<String>,
    delivery: Option<String>,
}

/// How a new link reaches the person.
#[derive(Debug, Deserialize)]
pub struct DeliveryForm {
    delivery: Option<String>,
}

/// The mail with the link, if there is a mail server and the form asks for it.
fn letter(
    portal: &Portal,
    delivery: Option<&str>,
    purpose: LinkPurpose,
    issued: &Issued,
) -> Result<Option<Letter>, WebError> {
    if portal.settings.mail.is_none() || delivery != Some("mail") {
        return Ok(None);
    }
    let link = address(portal, purpose, &issued.token)?;
    Letter::new(portal, purpose, &link).map(Some)
}

/// The link is on its way, or here it is.
fn made(
    portal: &Portal,
    shell: Shell,
    user: User,
    purpose: LinkPurpose,
    issued: &Issued,
    is_mailed: bool,
) -> Answer {
    if !is_mailed {
        return shown(portal, shell, user, purpose, issued);
    }
    let flash = Flash::success(format!(
        "The mail to {} is on its way. Below stands how far it came.",
        user.email
    ));
    Ok(shell
        .redirect(format!("/settings/users/{}", user.id))
        .flash(flash))
}

/// POST /settings/users/invitations: the person stands in the list from now on, and may sign in after using the link.
///
/// # Errors
/// As the database.
pub async fn create(
    portal: Data<Portal>,
    shell: Shell,
    current: CurrentUser,
    actor: Actor,
    Form(form): Form<InvitationForm>,
) -> Answer {
    let mut errors = FieldErrors::new();
    let roles = check_role_words(&form.roles, &mut errors);
    errors.check("email", crate::domain::users::check_email(&form.email));
    if !form.name.trim().is_empty() {
        errors.check("name", crate::domain::users::check_name(&form.name));
    }
    if errors.is_empty() {
        let issued = account_links::issue()?;
        let letter = letter(
            &portal,
            form.delivery.as_deref(),
            LinkPurpose::Invitation,
            &issued,
        )?;
        let is_mailed = letter.is_some();
        let new = NewUser {
            id: UserId::new(portal.new_id()),
            email: form.email.clone(),
            name: form.name.clone(),
            roles,
            time_zone: current.time_zone,
            password_hash: None,
        };
        let now = portal.clock.now();
        let purpose = LinkPurpose::Invitation;
        let invited = portal
            .store
            .write(move |tx| {
                let user = accounts::add(tx, now, &actor, new)?;
                let user = account_links::make(tx, now, &actor, &user.id, purpose, &issued)?;
                if let Some(letter) = &letter {
                    letter.post(tx, &user.id, now)?;
                }
                Ok::<_, AddUserError>((user, issued))
            })
            .await;
        match invited {
            Ok((user, issued)) => {
                return made(&portal, shell, user, purpose, &issued, is_mailed);
            }
            Err(AddUserError::Store(error)) => return Err(error.into()),
            Err(AddUserError::Rule(UserRuleError::NoName | UserRuleError::NameTooLong)) => {
                errors.add("name", "Enter a name with at most 100 characters.");
            }
            Err(other) => errors.add("email", other.to_string()),
        }
    }
    let page = UsersInvite {
        shell,
        email: form.email,
        name: form.name,
        roles: role_boxes(&form.roles),
        errors,
    };
    page.shell.render(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

async fn make(
    portal: &Portal,
    shell: Shell,
    actor: Actor,
    id: UserId,
    purpose: LinkPurpose,
    form: &DeliveryForm,
) -> Answer {
    let issued = account_links::issue()?;
    let letter = letter(portal, form.delivery.as_deref(), purpose, &issued)?;
    let is_mailed = letter.is_some();
    let now = portal.clock.now();
    let (user, issued) = portal
        .store
        .write(move |tx| {
            let user = account_links::make(tx, now, &actor, &id, purpose, &issued)?;
            if let Some(letter) = &letter {
                letter.post(tx, &user.id, now)?;
            }
            Ok::<_, StoreError>((user, issued))
        })
        .await?;
    made(portal, shell, user, purpose, &issued, is_mailed)
}

/// POST /settings/users/{id}/invitations: a new link; the one before works no longer.
///
/// # Errors
/// `Rule` when the person came already, `NotFound`, or as the database.
pub async fn renew(
    portal: Data<Portal>,
    shell: Shell,
    actor: Actor,
    Path(id): Path<UserId>,
    Form(form): Form<DeliveryForm>,
) -> Answer {
    make(&portal, shell, actor, id, LinkPurpose::Invitation, &form).await
}

/// POST /settings/users/{id}/password-links: the person's sessions end when they have set the new password, not before.
///
/// # Errors
/// `Rule` when the person may not sign in, `NotFound`, or as the database.
pub async fn reset_link(
    portal: Data<Portal>,
    shell: Shell,
    actor: Actor,
    Path(id): Path<UserId>,
    Form(form): Form<DeliveryForm>,
) -> Answer {
    make(&portal, shell, actor, id, LinkPurpose::PasswordReset, &form).await
}

/// POST /settings/users/{id}/links/withdrawal: the link works no longer; an invited person stays in the list, disabled.
///
/// # Errors
/// `Rule` when there is no link, `NotFound`, or as the database.
pub async fn withdraw(
    portal: Data<Portal>,
    shell: Shell,
    actor: Actor,
    Path(id): Path<UserId>,
    _: Form<NoFields>,
) -> Answer {
    let now = portal.clock.now();
    let back = format!("/settings/users/{id}");
    portal
        .store
        .write(move |tx| {
            let user = users::get(tx, &id)?;
            if !links::delete_of_user(tx, &id)? {
                return Err(StoreError::Rule(
                    "The link was used or withdrawn meanwhile.".into(),
                ));
            }
            let object = ("user", id.as_str(), user.name.as_str());
            audit::record(tx, now, &actor, "user.link_withdrawn", object, None, None)
        })
        .await?;
    Ok(shell
        .redirect(back)
        .flash(Flash::success("The link works no longer.")))
}
