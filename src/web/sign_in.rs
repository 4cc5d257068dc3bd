//! Signing in and out.

use actix_session::Session;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use chrono::TimeDelta;
use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

use super::form::SecretText;
use super::guards::client_address;
use super::request_log::RequestId;
use super::shell::see_other;
use super::{Answer, Flash, Form, Portal, Query, Shell, oidc, second_step, visitor};
use crate::auth::passwords::Verdict;
use crate::auth::throttle::Attempt;
use crate::auth::{CurrentUser, sessions};
use crate::domain::access::Role;
use crate::domain::sign_in::PasswordSignIn;
use crate::domain::users::check_email;
use crate::store::audit::{self, Actor, ActorKind};
use crate::store::users::{self, User};
use crate::store::{StoreError, sign_in_rules};

/// Longer than any password that was ever accepted.
const LONGEST_PASSWORD: usize = 4_096;

#[derive(Template)]
#[template(path = "sign_in/new.html")]
struct SignInPage {
    shell: Shell,
    email: String,
    next: String,
    problem: Option<String>,
    /// What people call the identity provider, if there is one.
    provider: Option<String>,
    /// Who may sign in with a password.
    passwords: PasswordSignIn,
}

/// Who may sign in with a password at this moment.
///
/// # Errors
/// As the database.
pub(super) async fn password_sign_in(portal: &Portal) -> Result<PasswordSignIn, StoreError> {
    let has_provider = portal.oidc.is_some();
    portal
        .store
        .read(move |conn| sign_in_rules::password_sign_in(conn, has_provider))
        .await
}

/// What people call the identity provider, if there is one.
pub(super) fn provider_name(portal: &Portal) -> Option<String> {
    portal.settings.oidc.as_ref().map(|oidc| oidc.name.clone())
}

/// What the address may say.
#[derive(Debug, Deserialize)]
pub struct SignInQuery {
    next: Option<String>,
}

/// The form.
#[derive(Debug, Deserialize)]
pub struct SignInForm {
    email: String,
    password: SecretText,
    #[serde(default)]
    next: String,
}

/// Asks somebody who is not signed in to sign in, and remembers where they wanted to go.
pub fn ask(request: &HttpRequest) -> HttpResponse {
    let wanted = if request.method() == Method::GET {
        request
            .uri()
            .path_and_query()
            .map_or("/", |path| path.as_str())
    } else {
        "/"
    };
    match safe_path(wanted) {
        Some(path) if path != "/" => {
            let mut query = url::form_urlencoded::Serializer::new(String::new());
            query.append_pair("next", &path);
            see_other(&format!("/sign-in?{}", query.finish()))
        }
        _ => see_other("/sign-in"),
    }
}

/// A path of our own that somebody may be sent to, or nothing: it must come out of the URL parser as it went in, so that
/// `//host`, `/\host`, control characters and their like lead nowhere.
#[must_use]
pub fn safe_path(path: &str) -> Option<String> {
    let base = Url::parse("http://portal.invalid").ok()?;
    if !path.starts_with('/')
        || path.len() > 2_000
        || path.chars().any(|c| c.is_control() || c == '\\')
    {
        return None;
    }
    let url = base.join(path).ok()?;
    let mut same = url.path().to_owned();
    if let Some(query) = url.query() {
        same.push('?');
        same.push_str(query);
    }
    let is_own = url.origin() == base.origin() && same == path && !path.starts_with("//");
    (is_own && !path.starts_with("/sign-")).then_some(same)
}

/// GET /sign-in
///
/// # Errors
/// When the page cannot be drawn.
pub async fn new(portal: Data<Portal>, shell: Shell, query: Query<SignInQuery>) -> Answer {
    let next = query.0.next.as_deref().and_then(safe_path);
    if shell.user.is_some() {
        return Ok(see_other(next.as_deref().unwrap_or("/")));
    }
    let page = SignInPage {
        shell,
        email: String::new(),
        next: next.unwrap_or_default(),
        problem: None,
        provider: provider_name(&portal),
        passwords: password_sign_in(&portal).await?,
    };
    page.shell.render(StatusCode::OK, &page)
}

/// POST /sign-in
///
/// # Errors
/// As the database.
pub async fn create(
    request: HttpRequest,
    portal: Data<Portal>,
    session: Session,
    shell: Shell,
    Form(form): Form<SignInForm>,
) -> Answer {
    // What is no address counts, too, under what was typed.
    let email_key = check_email(&form.email).unwrap_or_else(|_| form.email.trim().to_lowercase());
    let attempt = Attempt::new(&email_key, client_address(&request));
    let now = portal.clock.now();
    if let Err(wait) = attempt.begin(&portal.store, now).await? {
        tracing::warn!("sign-in throttled");
        metrics::counter!("leadgen_sign_ins_total", "outcome" => "throttled").increment(1);
        let passwords = password_sign_in(&portal).await?;
        return too_many(&portal, passwords, shell, form, wait);
    }
    let user = portal
        .store
        .read(move |conn| users::find_by_email(conn, &email_key))
        .await?
        // The identity of the synchronization is no person.
        .filter(|user| user.is_enabled && !user.roles.contains(&Role::S2sInbound));
    let is_long = form.password.expose().len() > LONGEST_PASSWORD;
    let password = if is_long {
        SecretString::from(String::new())
    } else {
        form.password.0.clone()
    };
    let stored = user.as_ref().and_then(|user| user.password_hash.clone());
    let verdict = portal.passwords.verify(password.clone(), stored).await?;
    let passwords = password_sign_in(&portal).await?;
    // Told to those only who know the password: to others all addresses look alike.
    let is_switched_off = matches!(verdict, Verdict::Right { .. })
        && user
            .as_ref()
            .is_some_and(|user| !passwords.allows(&user.id));
    match (user, verdict) {
        (Some(user), Verdict::Right { is_outdated }) if !is_switched_off => {
            let rehashed = if is_outdated {
                Some(portal.passwords.hash(password).await?)
            } else {
                None
            };
            if let Some(answer) = second_step::lead_to(&portal, &user, &form.next, None).await? {
                // The password was right: the guesses that count from now on are those of the code.
                portal
                    .store
                    .write(move |tx| attempt.succeeded(tx, now))
                    .await?;
                return Ok(answer);
            }
            succeed(&request, &portal, attempt, &user, rehashed).await?;
            enter(&request, &session, &user, &form.next)
        }
        (user, _) => {
            fail(&request, &portal, user).await?;
            metrics::counter!("leadgen_sign_ins_total", "outcome" => "failed").increment(1);
            let provider = provider_name(&portal);
            let problem = match &provider {
                Some(name) if is_switched_off => format!(
                    "Passwords are switched off in this portal but for the break-glass Administrator. Sign in with {name}."
                ),
                _ => "This e-mail address and password do not belong together, or the user is disabled."
                    .to_owned(),
            };
            let page = SignInPage {
                next: safe_path(&form.next).unwrap_or_default(),
                shell,
                email: form.email,
                problem: Some(problem),
                provider,
                passwords,
            };
            page.shell.render(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
    }
}

/// What the sessions page calls the browser of this request.
pub(super) fn browser_of(request: &HttpRequest) -> String {
    let browser = request
        .headers()
        .get(header::USER_AGENT)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    sessions::browser_name(browser)
}

/// Begins the session of somebody who has proved who they are, and leads on.
pub(super) fn enter(request: &HttpRequest, session: &Session, user: &User, next: &str) -> Answer {
    sessions::begin(session, &user.id, &browser_of(request))
        .map_err(|error| super::WebError::Internal(error.to_string()))?;
    metrics::counter!("leadgen_sign_ins_total", "outcome" => "succeeded").increment(1);
    let next = safe_path(next);
    Ok(see_other(next.as_deref().unwrap_or("/")))
}

async fn succeed(
    request: &HttpRequest,
    portal: &Portal,
    attempt: Attempt,
    user: &User,
    rehashed: Option<SecretString>,
) -> Result<(), StoreError> {
    let now = portal.clock.now();
    let actor = signing_actor(request, Some(user));
    let (id, name) = (user.id.clone(), user.name.clone());
    portal
        .store
        .write(move |tx| {
            attempt.succeeded(tx, now)?;
            if let Some(hash) = rehashed {
                users::set_password(tx, now, &id, &hash)?;
            }
            users::note_sign_in(tx, now, &id)?;
            let object = ("user", id.as_str(), name.as_str());
            audit::record(tx, now, &actor, "sign_in.succeeded", object, None, None)
        })
        .await
}

/// The audit log names the account only if there is one: people type passwords into the wrong field.
pub(super) async fn fail(
    request: &HttpRequest,
    portal: &Portal,
    user: Option<User>,
) -> Result<(), StoreError> {
    let now = portal.clock.now();
    let actor = signing_actor(request, None);
    portal
        .store
        .write(move |tx| {
            let object = match &user {
                Some(user) => ("user", user.id.as_str(), user.name.as_str()),
                None => ("user", "", "unknown"),
            };
            audit::record(tx, now, &actor, "sign_in.failed", object, None, None)
        })
        .await
}

/// Who acts before anybody is signed in: the person who is about to be, or nobody in particular.
pub(super) fn signing_actor(request: &HttpRequest, user: Option<&User>) -> Actor {
    Actor {
        kind: if user.is_some() {
            ActorKind::User
        } else {
            ActorKind::System
        },
        user_id: user.map(|user| user.id.clone()),
        name: user.map_or_else(|| "Somebody".to_owned(), |user| user.name.clone()),
        roles: user.map(|user| user.roles.clone()).unwrap_or_default(),
        request_id: Some(RequestId::of(request)),
        address: client_address(request).map(|address| address.to_string()),
    }
}

/// How long somebody has to wait: seconds for the header, words for the page.
pub(super) fn wait_in_words(wait: TimeDelta) -> (i64, String) {
    let seconds = wait.num_milliseconds().max(0).div_euclid(1_000) + 1;
    let words = if seconds < 90 {
        format!("{seconds} seconds")
    } else {
        format!("{} minutes", seconds.div_euclid(60) + 1)
    };
    (seconds, words)
}

fn too_many(
    portal: &Portal,
    passwords: PasswordSignIn,
    shell: Shell,
    form: SignInForm,
    wait: TimeDelta,
) -> Answer {
    let (seconds, words) = wait_in_words(wait);
    let page = SignInPage {
        next: safe_path(&form.next).unwrap_or_default(),
        shell,
        email: form.email,
        problem: Some(format!(
            "There were too many attempts. Wait {words}, then try again."
        )),
        provider: provider_name(portal),
        passwords,
    };
    let mut response = page.shell.render(StatusCode::TOO_MANY_REQUESTS, &page)?;
    response
        .headers_mut()
        .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    Ok(response)
}

/// POST /sign-out
///
/// # Errors
/// As the database.
pub async fn destroy(
    request: HttpRequest,
    portal: Data<Portal>,
    session: Session,
    shell: Shell,
    user: CurrentUser,
) -> Answer {
    let now = portal.clock.now();
    let actor = visitor::actor(&request, &user);
    portal
        .store
        .write(move |tx| {
            let object = ("user", user.id.as_str(), user.name.as_str());
            audit::record(tx, now, &actor, "sign_out", object, None, None)
        })
        .await?;
    // Whoever came from the provider has a session there, too.
    let hint: Option<String> = session.get(oidc::CAME_FROM_PROVIDER).ok().flatten();
    session.purge();
    let mut response = match hint {
        Some(hint) => oidc::sign_out(&portal, shell, &hint).await?,
        None => shell
            .redirect("/sign-in")
            .flash(Flash::success("You are signed out.")),
    };
    response.headers_mut().insert(
        HeaderName::from_static("clear-site-data"),
        HeaderValue::from_static("\"cache\", \"storage\""),
    );
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_own_paths_are_followed() {
        for good in ["/", "/leads", "/leads?page=2&q=a%20b", "/forms/1"] {
            assert_eq!(safe_path(good).as_deref(), Some(good));
        }
        for bad in [
            "",
            "leads",
            "//evil.test",
            "///evil.test",
            "/\\evil.test",
            "\\\\evil.test",
            "http://evil.test",
            "https:evil.test",
            "javascript:alert(1)",
            "/\t/evil.test",
            "/\n/evil.test",
            "/%0d%0aX:1\r\n",
            "/./..//evil.test",
            "/a/../b",
            "/ evil",
            "/sign-out",
            "/sign-in?next=/x",
            "/a#b",
            "/\u{0}",
            "/@evil.test\\x",
            "data:text/html,x",
            "/\u{2028}",
            "/é",
            "?x",
            "#x",
        ] {
            assert_eq!(safe_path(bad), None, "{bad:?}");
        }
    }
}
