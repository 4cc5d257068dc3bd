//! My account: name, time zone, password, sessions.

use actix_session::Session;
use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::http::header::USER_AGENT;
use actix_web::web::Data;
use askama::Template;
use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::confirm::own_password;
use super::form::SecretText;
use super::sign_in::password_sign_in;
use super::{Answer, FieldErrors, Flash, Form, Path, Portal, Shell, WebError};
use crate::auth::CurrentUser;
use crate::auth::sessions::{self, Limits, Seen};
use crate::domain::password;
use crate::domain::preferences::{Appearance, Preferences};
use crate::domain::time_zone::TimeZone;
use crate::domain::users::check_name;
use crate::store::audit::{self, Actor};
use crate::store::consents::{self, ActiveConsent};
use crate::store::{StoreError, second_factors, sessions as session_rows, users};

#[derive(Template)]
#[template(path = "account/show.html")]
struct AccountPage {
    shell: Shell,
    user: CurrentUser,
    name: String,
    time_zone: String,
    zones: Vec<&'static str>,
    consent: Option<ActiveConsent>,
    has_second_factor: bool,
    sessions: Vec<Seen>,
    limits: Limits,
    last_sign_in_at: Option<DateTime<Utc>>,
    /// Whether the person may sign in with a password, so that changing it makes sense.
    may_use_password: bool,
    errors: FieldErrors,
}

/// Name and time zone.
#[derive(Debug, Deserialize)]
pub struct AccountForm {
    name: String,
    time_zone: String,
    lock_version: String,
}

/// How the person likes the pages.
#[derive(Debug, Deserialize)]
pub struct PreferencesForm {
    appearance: String,
    has_shortcuts: Option<String>,
}

/// A new password.
#[derive(Debug, Deserialize)]
pub struct PasswordForm {
    current_password: SecretText,
    new_password: SecretText,
    new_password_again: SecretText,
}

async fn page(portal: &Portal, shell: Shell, user: CurrentUser) -> Result<AccountPage, WebError> {
    let id = user.id.clone();
    let may_use_password = password_sign_in(portal).await?.allows(&id);
    let (record, rows, consent, has_second_factor) = portal
        .store
        .read(move |conn| {
            Ok::<_, StoreError>((
                users::get(conn, &id)?,
                session_rows::list_of_user(conn, &id)?,
                consents::find(conn, &id)?,
                second_factors::is_on(conn, &id)?,
            ))
        })
        .await?;
    let limits = sessions::limits(&user.roles);
    let sessions = rows
        .iter()
        .filter(|row| row.expires_at > shell.now && row.last_seen_at + limits.idle > shell.now)
        .map(|row| sessions::seen(row, user.session_secret()))
        .collect();
    Ok(AccountPage {
        name: user.name.clone(),
        time_zone: user.time_zone.name().to_owned(),
        zones: TimeZone::names().collect(),
        consent,
        has_second_factor,
        sessions,
        limits,
        last_sign_in_at: record.last_sign_in_at,
        may_use_password: may_use_password && record.password_hash.is_some(),
        errors: FieldErrors::new(),
        shell,
        user,
    })
}

/// GET /account
///
/// # Errors
/// As the database.
pub async fn show(portal: Data<Portal>, shell: Shell, user: CurrentUser) -> Answer {
    let page = page(&portal, shell, user).await?;
    page.shell.render(StatusCode::OK, &page)
}

/// POST /account
///
/// # Errors
/// As the database; `Stale` when the record was changed meanwhile.
pub async fn update(
    portal: Data<Portal>,
    shell: Shell,
    user: CurrentUser,
    actor: Actor,
    Form(form): Form<AccountForm>,
) -> Answer {
    let mut errors = FieldErrors::new();
    let name = errors.check("name", check_name(&form.name));
    let time_zone = errors.check("time_zone", form.time_zone.parse::<TimeZone>());
    let version: i64 = form
        .lock_version
        .parse()
        .map_err(|_| WebError::Invalid("The form does not say what it was made from.".into()))?;
    let (Some(name), Some(time_zone)) = (name, time_zone) else {
        let mut page = page(&portal, shell, user).await?;
        (page.name, page.time_zone, page.errors) = (form.name, form.time_zone, errors);
        return page.shell.render(StatusCode::UNPROCESSABLE_ENTITY, &page);
    };
    let now = portal.clock.now();
    portal
        .store
        .write(move |tx| {
            users::set_profile(tx, now, &user.id, &name, time_zone, version)?;
            let state = |name: &str, zone: TimeZone| {
                Some(serde_json::json!({ "name": name, "time_zone": zone.name() }))
            };
            audit::record(
                tx,
                now,
                &actor,
                "account.updated",
                ("user", user.id.as_str(), &name),
                state(&user.name, user.time_zone),
                state(&name, time_zone),
            )
        })
        .await?;
    Ok(shell
        .redirect("/account")
        .flash(Flash::success("Your account was saved.")))
}

/// POST /account/preferences
///
/// # Errors
/// As the database.
pub async fn set_preferences(
    portal: Data<Portal>,
    shell: Shell,
    user: CurrentUser,
    actor: Actor,
    Form(form): Form<PreferencesForm>,
) -> Answer {
    let mut errors = FieldErrors::new();
    let appearance = form.appearance.parse::<Appearance>();
    let Some(appearance) = errors.check(
        "appearance",
        appearance.map_err(|_| "Choose one of the appearances."),
    ) else {
        let mut page = page(&portal, shell, user).await?;
        page.errors = errors;
        return page.shell.render(StatusCode::UNPROCESSABLE_ENTITY, &page);
    };
    let preferences = Preferences {
        appearance,
        has_shortcuts: form.has_shortcuts.is_some(),
    };
    let now = portal.clock.now();
    portal
        .store
        .write(move |tx| {
            users::set_preferences(tx, now, &user.id, preferences)?;
            let state = |preferences: Preferences| {
                Some(serde_json::json!({
                    "appearance": preferences.appearance,
                    "has_shortcuts": preferences.has_shortcuts,
                }))
            };
            audit::record(
                tx,
                now,
                &actor,
                "account.updated",
                ("user", user.id.as_str(), &user.name),
                state(user.preferences),
                state(preferences),
            )
        })
        .await?;
    Ok(shell
        .redirect("/account")
        .flash(Flash::success("Your choice was saved.")))
}

/// POST /account/password
///
/// # Errors
/// As the database.
pub async fn change_password(
    request: HttpRequest,
    portal: Data<Portal>,
    session: Session,
    shell: Shell,
    user: CurrentUser,
    actor: Actor,
    Form(form): Form<PasswordForm>,
) -> Answer {
    let mut errors = FieldErrors::new();
    let new = form.new_password.expose();
    errors.check(
        "new_password",
        password::check(new, &[&user.name, &user.email]),
    );
    if new != form.new_password_again.expose() {
        errors.add(
            "new_password_again",
            "This is not the same as the new password.",
        );
    }
    if !password_sign_in(&portal).await?.allows(&user.id) {
        errors.add("new_password", "Passwords are switched off in this portal.");
    }
    let now = portal.clock.now();
    if errors.is_empty() {
        let (field, given) = ("current_password", &form.current_password);
        own_password(&request, &portal, &user, given, field, &mut errors).await?;
    }
    if !errors.is_empty() {
        let mut page = page(&portal, shell, user).await?;
        page.errors = errors;
        return page.shell.render(StatusCode::UNPROCESSABLE_ENTITY, &page);
    }
    let hash = portal.passwords.hash(form.new_password.0.clone()).await?;
    let id = user.id.clone();
    portal
        .store
        .write(move |tx| {
            users::set_password(tx, now, &user.id, &hash)?;
            // All of them: this one goes on under a new id.
            session_rows::delete_all_of_user(tx, &user.id, None)?;
            let object = ("user", user.id.as_str(), user.name.as_str());
            audit::record(
                tx,
                now,
                &actor,
                "account.password_changed",
                object,
                None,
                None,
            )
        })
        .await?;
    let browser = request
        .headers()
        .get(USER_AGENT)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    sessions::begin(&session, &id, &sessions::browser_name(browser))
        .map_err(|error| WebError::Internal(error.to_string()))?;
    Ok(shell.redirect("/account").flash(Flash::success(
        "Your password was changed. All your other sessions have ended.",
    )))
}

/// POST /account/sessions/{id}/end
///
/// # Errors
/// `NotFound` when it is not one's own.
pub async fn end_session(
    portal: Data<Portal>,
    shell: Shell,
    user: CurrentUser,
    actor: Actor,
    Path(id): Path<String>,
) -> Answer {
    let now = portal.clock.now();
    portal
        .store
        .write(move |tx| {
            session_rows::delete_of_user(tx, &user.id, &id)?;
            let object = ("user", user.id.as_str(), user.name.as_str());
            audit::record(tx, now, &actor, "session.ended", object, None, None)
        })
        .await?;
    Ok(shell
        .redirect("/account")
        .flash(Flash::success("The session has ended.")))
}

/// POST /account/sessions/others/end
///
/// # Errors
/// As the database.
pub async fn end_other_sessions(
    portal: Data<Portal>,
    shell: Shell,
    user: CurrentUser,
    actor: Actor,
) -> Answer {
    let now = portal.clock.now();
    let ended = portal
        .store
        .write(move |tx| {
            let current = session_rows::list_of_user(tx, &user.id)?
                .iter()
                .map(|row| sessions::seen(row, user.session_secret()))
                .find(|seen| seen.is_current);
            let keep = current.map(|seen| seen.id);
            let ended = session_rows::delete_all_of_user(tx, &user.id, keep.as_deref())?;
            let object = ("user", user.id.as_str(), user.name.as_str());
            audit::record(tx, now, &actor, "session.others_ended", object, None, None)?;
            Ok::<_, StoreError>(ended)
        })
        .await?;
    let text = match ended {
        0 => "You had no other sessions.".to_owned(),
        1 => "One other session has ended.".to_owned(),
        n => format!("{n} other sessions have ended."),
    };
    Ok(shell.redirect("/account").flash(Flash::success(text)))
}

/// What “Stay signed in” sends: nothing but the form token.
#[derive(Debug, Deserialize)]
pub struct ExtensionForm {}

/// POST /account/session-extensions
///
/// The session was used by coming here, which is all that puts off its end; a script follows to a page that says the new one.
///
/// # Errors
/// Never by itself.
pub async fn extend_session(shell: Shell, user: CurrentUser, _: Form<ExtensionForm>) -> Answer {
    let message = if user.session_end.is_final {
        Flash::success(
            "You are still signed in, but this session cannot be made longer: sign in again soon.",
        )
    } else {
        Flash::success("You stay signed in.")
    };
    Ok(shell.redirect("/account").flash(message))
}
