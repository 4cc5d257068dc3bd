//! “Forgot your password?”, where a mail server is set up: the answer is the same whether there is such an account.

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::web::Data;
use askama::Template;
use serde::Deserialize;

use super::guards::client_address;
use super::invitations::address;
use super::outbox::Letter;
use super::sign_in::{signing_actor, wait_in_words};
use super::{Answer, FieldErrors, Form, Portal, Shell, WebError};
use crate::auth::account_links;
use crate::auth::throttle::Attempt;
use crate::domain::access::Role;
use crate::domain::account_link::LinkPurpose;
use crate::domain::users::check_email;
use crate::store::audit::Actor;
use crate::store::{StoreError, users};

#[derive(Template)]
#[template(path = "sign_in/forgotten.html")]
struct ForgottenPage {
    shell: Shell,
    email: String,
    is_asked: bool,
    errors: FieldErrors,
}

fn page(shell: Shell, email: String) -> ForgottenPage {
    ForgottenPage {
        shell,
        email,
        is_asked: false,
        errors: FieldErrors::new(),
    }
}

/// GET /password-resets/new
///
/// # Errors
/// `NotFound` without a mail server.
pub async fn new(portal: Data<Portal>, shell: Shell) -> Answer {
    if portal.settings.mail.is_none() {
        return Err(WebError::NotFound);
    }
    let page = page(shell, String::new());
    page.shell.render(StatusCode::OK, &page)
}

/// Whose password is forgotten.
#[derive(Debug, Deserialize)]
pub struct ForgottenForm {
    email: String,
}

/// POST /password-resets
///
/// # Errors
/// `NotFound` without a mail server, or as the database.
pub async fn create(
    request: HttpRequest,
    portal: Data<Portal>,
    shell: Shell,
    Form(form): Form<ForgottenForm>,
) -> Answer {
    if portal.settings.mail.is_none() {
        return Err(WebError::NotFound);
    }
    let mut page = page(shell, form.email.clone());
    let Some(email_key) = page.errors.check("email", check_email(&form.email)) else {
        return page.shell.render(StatusCode::UNPROCESSABLE_ENTITY, &page);
    };
    // Every question counts: nobody needs many of these mails.
    let attempt = Attempt::new(&format!("forgotten:{email_key}"), client_address(&request));
    let now = portal.clock.now();
    if let Err(wait) = attempt.begin(&portal.store, now).await? {
        let (seconds, words) = wait_in_words(wait);
        page.errors.add(
            "email",
            format!("There were too many attempts. Wait {words}, then try again."),
        );
        let mut response = page.shell.render(StatusCode::TOO_MANY_REQUESTS, &page)?;
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        return Ok(response);
    }
    let actor = signing_actor(&request, None);
    // Beside the answer, so that its time tells no more than its text.
    actix_web::rt::spawn(async move {
        if let Err(error) = send(&portal, &email_key, actor).await {
            tracing::error!(error = %error, "a link for a new password could not be made");
        }
    });
    page.is_asked = true;
    page.shell.render(StatusCode::OK, &page)
}

async fn send(portal: &Portal, email_key: &str, actor: Actor) -> Result<(), WebError> {
    let (issued, purpose) = (account_links::issue()?, LinkPurpose::PasswordReset);
    let link = address(portal, purpose, &issued.token)?;
    let letter = Letter::new(portal, purpose, &link)?;
    let (now, email_key) = (portal.clock.now(), email_key.to_owned());
    portal
        .store
        .write(move |tx| {
            let found = users::find_by_email(tx, &email_key)?.filter(|user| {
                user.is_enabled
                    && user.password_hash.is_some()
                    && !user.roles.contains(&Role::S2sInbound)
            });
            let Some(user) = found else { return Ok(()) };
            account_links::make(tx, now, &actor, &user.id, purpose, &issued)?;
            letter.post(tx, &user.id, now)?;
            Ok::<_, StoreError>(())
        })
        .await?;
    Ok(())
}
