//! What people see who open an invitation or a link for a new password: strangers until they have set it.

use actix_session::Session;
use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::http::header::USER_AGENT;
use actix_web::web::Data;
use askama::Template;
use serde::Deserialize;

use super::form::SecretText;
use super::sign_in::{password_sign_in, provider_name, signing_actor};
use super::{Answer, FieldErrors, Flash, Form, Path, Portal, Shell, WebError};
use crate::auth::{account_links, sessions};
use crate::domain::account_link::LinkPurpose;
use crate::domain::password;
use crate::domain::users::check_name;
use crate::store::users::{self, User};
use crate::store::{StoreError, account_links::AccountLink};

#[derive(Template)]
#[template(path = "account_links/show.html")]
struct AccountLinksShow {
    shell: Shell,
    action: String,
    purpose: LinkPurpose,
    email: String,
    inviter: String,
    name: String,
    errors: FieldErrors,
}

/// The same page for a link that never was one, was used, withdrawn or ran out: strangers learn no more.
#[derive(Template)]
#[template(path = "account_links/gone.html")]
struct AccountLinksGone {
    shell: Shell,
    purpose: LinkPurpose,
}

fn gone(shell: Shell, purpose: LinkPurpose) -> Answer {
    let page = AccountLinksGone { shell, purpose };
    page.shell.render(StatusCode::NOT_FOUND, &page)
}

async fn find(
    portal: &Portal,
    purpose: LinkPurpose,
    token: &str,
) -> Result<Option<(User, AccountLink)>, StoreError> {
    let (now, token) = (portal.clock.now(), token.to_owned());
    portal
        .store
        .read(move |conn| account_links::find(conn, now, purpose, &token))
        .await
}

fn page(
    shell: Shell,
    purpose: LinkPurpose,
    token: &str,
    (user, link): (User, AccountLink),
) -> AccountLinksShow {
    AccountLinksShow {
        shell,
        action: format!("{}/{token}", purpose.path()),
        purpose,
        email: user.email,
        inviter: link.created_by_name,
        name: user.name,
        errors: FieldErrors::new(),
    }
}

async fn show(portal: &Portal, shell: Shell, purpose: LinkPurpose, token: &str) -> Answer {
    let Some(found) = find(portal, purpose, token).await? else {
        return gone(shell, purpose);
    };
    let page = page(shell, purpose, token, found);
    page.shell.render(StatusCode::OK, &page)
}

/// GET /invitations/{token}
///
/// # Errors
/// As the database.
pub async fn invitation(portal: Data<Portal>, shell: Shell, Path(token): Path<String>) -> Answer {
    show(&portal, shell, LinkPurpose::Invitation, &token).await
}

/// GET /password-resets/{token}
///
/// # Errors
/// As the database.
pub async fn reset(portal: Data<Portal>, shell: Shell, Path(token): Path<String>) -> Answer {
    show(&portal, shell, LinkPurpose::PasswordReset, &token).await
}

/// The new password; the name with an invitation only.
#[derive(Debug, Deserialize)]
pub struct NewPasswordForm {
    name: Option<String>,
    new_password: SecretText,
    new_password_again: SecretText,
}

/// Sets the password by the link; gives the person, or the answer instead.
async fn redeem(
    request: &HttpRequest,
    portal: &Portal,
    shell: &Shell,
    purpose: LinkPurpose,
    token: String,
    form: NewPasswordForm,
) -> Result<Result<User, actix_web::HttpResponse>, WebError> {
    let Some(found) = find(portal, purpose, &token).await? else {
        return gone(shell.clone(), purpose).map(Err);
    };
    let is_invitation = purpose == LinkPurpose::Invitation;
    let name = is_invitation.then(|| form.name.clone().unwrap_or_default());
    let mut errors = FieldErrors::new();
    if let Some(name) = &name {
        errors.check("name", check_name(name));
    }
    let new = form.new_password.expose();
    let known = name.as_deref().unwrap_or(&found.0.name);
    errors.check(
        "new_password",
        password::check(new, &[known, &found.0.email]),
    );
    if new != form.new_password_again.expose() {
        errors.add(
            "new_password_again",
            "This is not the same as the new password.",
        );
    }
    if !errors.is_empty() {
        let mut page = page(shell.clone(), purpose, &token, found);
        page.errors = errors;
        if let Some(name) = name {
            page.name = name;
        }
        return page
            .shell
            .render(StatusCode::UNPROCESSABLE_ENTITY, &page)
            .map(Err);
    }
    let hash = portal.passwords.hash(form.new_password.0.clone()).await?;
    let now = portal.clock.now();
    let origin = signing_actor(request, None);
    let done = portal
        .store
        .write(move |tx| {
            let name = name.as_deref();
            let user = account_links::redeem(tx, now, origin, purpose, &token, name, &hash)?;
            if is_invitation {
                users::note_sign_in(tx, now, &user.id)?;
            }
            Ok::<_, StoreError>(user)
        })
        .await;
    match done {
        Ok(user) => Ok(Ok(user)),
        // Somebody else used it a moment ago.
        Err(StoreError::NotFound(_)) => gone(shell.clone(), purpose).map(Err),
        Err(error) => Err(error.into()),
    }
}

/// POST /invitations/{token}: the person is signed in.
///
/// # Errors
/// As the database.
pub async fn accept(
    request: HttpRequest,
    portal: Data<Portal>,
    session: Session,
    shell: Shell,
    Path(token): Path<String>,
    Form(form): Form<NewPasswordForm>,
) -> Answer {
    let purpose = LinkPurpose::Invitation;
    let user = match redeem(&request, &portal, &shell, purpose, token, form).await? {
        Ok(user) => user,
        Err(answer) => return Ok(answer),
    };
    if !password_sign_in(&portal).await?.allows(&user.id) {
        let name = provider_name(&portal).unwrap_or_default();
        let text = format!("Your account is ready. Sign in with {name}.");
        return Ok(shell.redirect("/sign-in").flash(Flash::success(text)));
    }
    let browser = request
        .headers()
        .get(USER_AGENT)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    sessions::begin(&session, &user.id, &sessions::browser_name(browser))
        .map_err(|error| WebError::Internal(error.to_string()))?;
    Ok(shell.redirect("/").flash(Flash::success(format!(
        "Welcome, {}. Your account is ready.",
        user.name
    ))))
}

/// POST /password-resets/{token}: the person signs in with the new password next, as always.
///
/// # Errors
/// As the database.
pub async fn set(
    request: HttpRequest,
    portal: Data<Portal>,
    session: Session,
    shell: Shell,
    Path(token): Path<String>,
    Form(form): Form<NewPasswordForm>,
) -> Answer {
    let purpose = LinkPurpose::PasswordReset;
    match redeem(&request, &portal, &shell, purpose, token, form).await? {
        Ok(_) => {
            // Whoever is signed in with this browser proves the new password like everybody.
            session.purge();
            Ok(shell.redirect("/sign-in").flash(Flash::success(
                "Your password was set, and all your sessions have ended. Sign in with the new one.",
            )))
        }
        Err(answer) => Ok(answer),
    }
}
