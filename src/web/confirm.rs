//! Asks people to prove again who they are, before what an open session alone must not be able to do.
//!
//! Lines of the route table that say `.fresh()` open for some minutes after a proof ([`crate::auth::sessions::FRESH_FOR`]);
//! later, a page leads over [`show`] and comes back, and a change is refused with the way there.

use actix_session::Session;
use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::web::Data;
use askama::Template;
use serde::Deserialize;

use super::form::SecretText;
use super::guards::client_address;
use super::sign_in::{password_sign_in, provider_name, safe_path};
use super::{Answer, FieldErrors, Form, Portal, Query, Shell, WebError};
use crate::auth::passwords::Verdict;
use crate::auth::throttle::Attempt;
use crate::auth::{CurrentUser, sessions};
use crate::store::audit::{self, Actor};
use crate::store::{StoreError, user_identities, users};

/// Where the page is.
const PATH: &str = "/account/confirmation";

/// The address of the page, on the way to `path`.
pub(super) fn way_over(path: &str) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("to", path);
    format!("{PATH}?{}", query.finish())
}

#[derive(Template)]
#[template(path = "account/confirmation.html")]
struct AccountConfirmation {
    shell: Shell,
    to: String,
    has_password: bool,
    /// What people call the identity provider, for those who can confirm there.
    provider: Option<String>,
    errors: FieldErrors,
}

/// Where to go on.
#[derive(Debug, Deserialize)]
pub struct Target {
    to: Option<String>,
}

/// The proof.
#[derive(Debug, Deserialize)]
pub struct ProofForm {
    #[serde(default)]
    to: String,
    password: SecretText,
}

async fn page(
    portal: &Portal,
    shell: Shell,
    user: &CurrentUser,
    to: Option<&str>,
) -> Result<AccountConfirmation, WebError> {
    let id = user.id.clone();
    let (record, is_known) = portal
        .store
        .read(move |conn| {
            let is_known = user_identities::is_known(conn, &id)?;
            Ok::<_, StoreError>((users::get(conn, &id)?, is_known))
        })
        .await?;
    let passwords = password_sign_in(portal).await?;
    Ok(AccountConfirmation {
        shell,
        to: to.and_then(safe_path).unwrap_or_default(),
        has_password: record.password_hash.is_some() && passwords.allows(&user.id),
        provider: provider_name(portal).filter(|_| is_known),
        errors: FieldErrors::new(),
    })
}

/// GET /account/confirmation
///
/// # Errors
/// As the database.
pub async fn show(
    portal: Data<Portal>,
    shell: Shell,
    user: CurrentUser,
    Query(target): Query<Target>,
) -> Answer {
    let page = page(&portal, shell, &user, target.to.as_deref()).await?;
    page.shell.render(StatusCode::OK, &page)
}

/// POST /account/confirmation: the session goes on under a new id, as after signing in.
///
/// # Errors
/// As the database.
pub async fn create(
    request: HttpRequest,
    portal: Data<Portal>,
    session: Session,
    shell: Shell,
    user: CurrentUser,
    actor: Actor,
    Form(form): Form<ProofForm>,
) -> Answer {
    let mut errors = FieldErrors::new();
    // A password that is switched off proves nothing, as at sign-in.
    if password_sign_in(&portal).await?.allows(&user.id) {
        let field = "password";
        own_password(&request, &portal, &user, &form.password, field, &mut errors).await?;
    } else {
        errors.add("password", "Passwords are switched off in this portal.");
    }
    if !errors.is_empty() {
        let mut page = page(&portal, shell, &user, Some(&form.to)).await?;
        page.errors = errors;
        return page.shell.render(StatusCode::UNPROCESSABLE_ENTITY, &page);
    }
    let now = portal.clock.now();
    portal
        .store
        .write(move |tx| {
            let object = ("user", user.id.as_str(), user.name.as_str());
            audit::record(tx, now, &actor, "session.confirmed", object, None, None)
        })
        .await?;
    sessions::prove_again(&session);
    let to = safe_path(&form.to);
    Ok(shell
        .redirect(to.as_deref().unwrap_or("/account"))
        .quietly())
}

/// Checks the person's own password and notes an error at `field` when it is wrong. Guesses are throttled as at sign-in:
/// a session that somebody took over must not become a way to guess the password.
///
/// # Errors
/// As the database.
pub async fn own_password(
    request: &HttpRequest,
    portal: &Portal,
    user: &CurrentUser,
    password: &SecretText,
    field: &str,
    errors: &mut FieldErrors,
) -> Result<(), WebError> {
    let now = portal.clock.now();
    let attempt = Attempt::new(&format!("confirm:{}", user.id), client_address(request));
    if attempt.begin(&portal.store, now).await?.is_err() {
        errors.add(
            field,
            "There were too many attempts. Wait some minutes, then try again.",
        );
        return Ok(());
    }
    let id = user.id.clone();
    let record = portal.store.read(move |conn| users::get(conn, &id)).await?;
    let verdict = portal
        .passwords
        .verify(password.0.clone(), record.password_hash)
        .await?;
    if verdict == Verdict::Wrong {
        errors.add(field, "This is not your password.");
        return Ok(());
    }
    Ok(portal
        .store
        .write(move |tx| attempt.succeeded(tx, now))
        .await?)
}
