//! The second step of signing in: whoever proved the password, or comes from a provider that checks no second factor, is led
//! here, and has no session before the code is right.
//!
//! Between the steps a signed cookie says who took the first, for a few minutes. It opens nothing by itself, and dies with the
//! password.

use actix_session::Session;
use actix_web::cookie::time::Duration as CookieDuration;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};

use super::form::SecretText;
use super::guards::client_address;
use super::shell::see_other;
use super::sign_in::{self, enter, fail, safe_path, wait_in_words};
use super::{Answer, Flash, Form, Portal, Shell, WebError, oidc};
use crate::auth::second_factor;
use crate::auth::signing::{Signer, digest};
use crate::auth::throttle::Attempt;
use crate::domain::ids::UserId;
use crate::store::audit;
use crate::store::users::{self, User};
use crate::store::{StoreError, second_factors};

/// Where the page is.
const PATH: &str = "/sign-in/second-step";

const COOKIE_NAME: &str = "__Host-leadgen_second_step";
const PURPOSE: &str = "second step";

/// How long the code may take.
const LONGEST: TimeDelta = TimeDelta::minutes(5);

/// Who took the first step, and when.
#[derive(Serialize, Deserialize)]
struct FirstStep {
    user: UserId,
    at: DateTime<Utc>,
    /// Belongs to the password that the person had then.
    stamp: String,
    next: String,
    /// For those who come from the provider: what it wants to hear at sign-out.
    #[serde(default)]
    from_provider: Option<String>,
}

fn stamp(user: &User) -> String {
    let hash = user.password_hash.as_ref();
    digest(hash.map_or("", |hash| hash.expose_secret()))
}

fn build(value: String) -> actix_web::cookie::CookieBuilder<'static> {
    Cookie::build(COOKIE_NAME, value)
        .path("/")
        .secure(true)
        .http_only(true)
        .same_site(SameSite::Lax)
}

impl FirstStep {
    fn cookie(&self, signer: &Signer) -> Cookie<'static> {
        let json = serde_json::to_string(self).unwrap_or_default();
        let signature = signer.sign(PURPOSE, &json);
        build(format!("{signature}.{}", URL_SAFE_NO_PAD.encode(json)))
            .max_age(CookieDuration::minutes(LONGEST.num_minutes()))
            .finish()
    }

    fn read(request: &HttpRequest, portal: &Portal) -> Option<Self> {
        let cookie = request.cookie(COOKIE_NAME)?;
        let (signature, body) = cookie.value().split_once('.')?;
        let json = String::from_utf8(URL_SAFE_NO_PAD.decode(body).ok()?).ok()?;
        if !portal.signer.verify(PURPOSE, &json, signature) {
            return None;
        }
        let step: Self = serde_json::from_str(&json).ok()?;
        let age = portal.clock.now() - step.at;
        (TimeDelta::zero() <= age && age < LONGEST).then_some(step)
    }
}

/// Leads somebody who took the first step to the second; `None`: there is none, and they may come in. `from_provider` is what
/// the provider wants to hear at sign-out, for those who come from there.
///
/// # Errors
/// As the database.
pub(super) async fn lead_to(
    portal: &Portal,
    user: &User,
    next: &str,
    from_provider: Option<&str>,
) -> Result<Option<HttpResponse>, WebError> {
    let id = user.id.clone();
    let is_on = portal
        .store
        .read(move |conn| second_factors::is_on(conn, &id))
        .await?;
    if !is_on {
        return Ok(None);
    }
    let step = FirstStep {
        user: user.id.clone(),
        at: portal.clock.now(),
        stamp: stamp(user),
        next: safe_path(next).unwrap_or_default(),
        from_provider: from_provider.map(str::to_owned),
    };
    let mut response = see_other(PATH);
    response
        .add_cookie(&step.cookie(&portal.signer))
        .map_err(|error| WebError::Internal(error.to_string()))?;
    Ok(Some(response))
}

#[derive(Template)]
#[template(path = "sign_in/second_step.html")]
struct SecondStepPage {
    shell: Shell,
    problem: Option<String>,
}

fn from_the_beginning(shell: &Shell) -> HttpResponse {
    let mut response = shell.redirect("/sign-in").flash(Flash::notice(
        "Sign in first; the code is asked for within five minutes.",
    ));
    let mut cookie = build(String::new()).finish();
    cookie.make_removal();
    let added = response.add_cookie(&cookie);
    debug_assert!(added.is_ok(), "an empty cookie is one");
    response
}

/// GET /sign-in/second-step
///
/// # Errors
/// When the page cannot be drawn.
pub async fn show(request: HttpRequest, portal: Data<Portal>, shell: Shell) -> Answer {
    if FirstStep::read(&request, &portal).is_none() {
        return Ok(from_the_beginning(&shell));
    }
    let page = SecondStepPage {
        shell,
        problem: None,
    };
    page.shell.render(StatusCode::OK, &page)
}

/// The code.
#[derive(Debug, Deserialize)]
pub struct SecondStepForm {
    code: SecretText,
}

/// POST /sign-in/second-step
///
/// # Errors
/// As the database.
pub async fn create(
    request: HttpRequest,
    portal: Data<Portal>,
    session: Session,
    shell: Shell,
    Form(form): Form<SecondStepForm>,
) -> Answer {
    let Some(first) = FirstStep::read(&request, &portal) else {
        return Ok(from_the_beginning(&shell));
    };
    let now = portal.clock.now();
    let key = format!("second factor:{}", first.user);
    let attempt = Attempt::new(&key, client_address(&request));
    if let Err(wait) = attempt.begin(&portal.store, now).await? {
        metrics::counter!("leadgen_sign_ins_total", "outcome" => "throttled").increment(1);
        let (seconds, words) = wait_in_words(wait);
        let problem = format!("There were too many attempts. Wait {words}, then try again.");
        let page = SecondStepPage {
            shell,
            problem: Some(problem),
        };
        let mut response = page.shell.render(StatusCode::TOO_MANY_REQUESTS, &page)?;
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        return Ok(response);
    }
    let id = first.user.clone();
    let (user, factor) = portal
        .store
        .read(move |conn| {
            Ok::<_, StoreError>((users::find(conn, &id)?, second_factors::find(conn, &id)?))
        })
        .await?;
    let user = user.filter(|user| user.is_enabled && stamp(user) == first.stamp);
    let factor = factor.filter(|factor| factor.confirmed_at.is_some());
    let (Some(user), Some(factor)) = (user, factor) else {
        return Ok(from_the_beginning(&shell));
    };
    let secret = second_factor::open(portal.connector.secret_key(), &user.id, &factor)?;
    let typed = form.code.expose().to_owned();
    let step = second_factor::step_of(&secret, &typed, now)?;
    let actor = sign_in::signing_actor(&request, Some(&user));
    let (id, name) = (user.id.clone(), user.name.clone());
    let is_from_provider = first.from_provider.is_some();
    let proof = portal
        .store
        .write(move |tx| {
            let Some(proof) = second_factor::redeem(tx, &id, &typed, step)? else {
                return Ok(None);
            };
            attempt.succeeded(tx, now)?;
            users::note_sign_in(tx, now, &id)?;
            let object = ("user", id.as_str(), name.as_str());
            let how = if is_from_provider {
                serde_json::json!({ "second_factor": proof.as_str(), "through": "openid_connect" })
            } else {
                serde_json::json!({ "second_factor": proof.as_str() })
            };
            audit::record(
                tx,
                now,
                &actor,
                "sign_in.succeeded",
                object,
                None,
                Some(how),
            )?;
            Ok::<_, StoreError>(Some(proof))
        })
        .await?;
    let Some(proof) = proof else {
        fail(&request, &portal, Some(user)).await?;
        metrics::counter!("leadgen_sign_ins_total", "outcome" => "failed").increment(1);
        let page = SecondStepPage {
            shell,
            problem: Some(
                "This code does not work. Each works once: wait for the next one of the app, or enter a recovery code that you have not used."
                    .to_owned(),
            ),
        };
        return page.shell.render(StatusCode::UNPROCESSABLE_ENTITY, &page);
    };
    let mut response = enter(&request, &session, &user, &first.next)?;
    if let Some(hint) = &first.from_provider {
        oidc::note_provider(&session, hint)?;
    }
    let mut cookie = build(String::new()).finish();
    cookie.make_removal();
    response
        .add_cookie(&cookie)
        .map_err(|error| WebError::Internal(error.to_string()))?;
    if proof == second_factor::Proof::RecoveryCode {
        let left = factor.codes_left - 1;
        let flash = Flash::warning(format!(
            "You used a recovery code; {left} are left. Set up the app anew if the device is lost."
        ))
        .with_link(super::second_factor::PATH, "Second factor");
        response
            .add_cookie(&flash.cookie(&portal.signer))
            .map_err(|error| WebError::Internal(error.to_string()))?;
    }
    Ok(response)
}
