//! Signing in at the identity provider: to it, and back from it.
//!
//! The way there is a page that leads on by itself, not a redirect: a browser holds the redirects of a form to the
//! `form-action` of our pages, and nobody knows through which addresses a provider sends people on.

mod confirmation;
mod refusal;

use actix_session::Session;
use actix_web::http::StatusCode;
use actix_web::web::{Data, ReqData};
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse};
use askama::Template;
use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};

use super::shell::see_other;
use super::sign_in::{enter, provider_name, safe_path, signing_actor};
use super::visitor::Visitor;
use super::{Answer, Flash, Form, Portal, Query, Shell, WebError, second_step};
use crate::auth::identities::{self, IdentityError};
use crate::auth::signing::{Signer, digest, random_token};
use crate::domain::ids::UserId;
use crate::oidc::{Attempt, Identity, OidcError, Provider, tidy};
use crate::store::audit::{self, Actor, ActorKind};
use crate::store::oidc_attempts::{self, OidcAttempt};
use crate::store::users::{self, User};
use crate::store::{StoreError, second_factors, sign_in_rules};

pub use confirmation::begin as begin_confirmation;

/// How long somebody may stay at the provider's pages.
const PATIENCE: TimeDelta = TimeDelta::minutes(10);

/// Where the provider sends people back to who signed in there.
pub const CALLBACK: &str = "/sign-in/oidc/callback";

/// Where the provider sends people back to who signed out there.
pub(super) const SIGNED_OUT: &str = "/sign-in/oidc/signed-out";

/// What the `state` of a sign-out is signed for.
const SIGN_OUT_PURPOSE: &str = "oidc sign-out";

/// The key of a session's state that says that the person came from the provider.
pub(super) const CAME_FROM_PROVIDER: &str = "oidc";

/// Why a sign-in at the provider ended early.
#[derive(Debug, thiserror::Error)]
pub(super) enum SignInError {
    #[error("the answer carries no state")]
    StateMissing,
    #[error("the state is not one of this browser")]
    StateWrong,
    #[error("the answer came too late")]
    StateExpired,
    #[error("the answer was used before")]
    StateReused,
    #[error("the answer is another provider's")]
    OtherIssuer,
    #[error("the person was refused, or refused, at the provider: {0}")]
    Refused(String),
    #[error("there is neither a code nor an error in the answer")]
    NoCode,
    #[error("the person who confirmed is another one")]
    OtherPerson,
    #[error(transparent)]
    Provider(#[from] OidcError),
    #[error(transparent)]
    Identity(#[from] IdentityError),
}

impl From<StoreError> for SignInError {
    fn from(error: StoreError) -> Self {
        Self::Identity(error.into())
    }
}

fn provider(portal: &Portal) -> Result<&Provider, WebError> {
    portal.oidc.as_ref().ok_or(WebError::NotFound)
}

/// Nonce and PKCE verifier come out of `state` and the secret key, so that nothing secret waits in the database.
fn attempt(signer: &Signer, state: &str, anew_since: Option<DateTime<Utc>>) -> Attempt {
    Attempt {
        state: state.to_owned(),
        nonce: signer.sign("oidc nonce", state),
        verifier: SecretString::from(signer.sign("oidc verifier", state)),
        anew_since,
    }
}

/// The form of the button.
#[derive(Debug, Deserialize)]
pub struct BeginForm {
    #[serde(default)]
    next: String,
}

#[derive(Template)]
#[template(path = "sign_in/departure.html")]
struct SignInDeparture {
    shell: Shell,
    provider: String,
    what: String,
    address: String,
}

/// A page that leads on to an address of the provider.
pub(super) fn depart(
    portal: &Portal,
    shell: Shell,
    what: &str,
    address: &url::Url,
) -> Result<HttpResponse, WebError> {
    let page = SignInDeparture {
        shell,
        provider: provider_name(portal).unwrap_or_default(),
        what: what.to_owned(),
        address: address.to_string(),
    };
    page.shell.render(StatusCode::OK, &page)
}

/// Notes an attempt and leads to the provider. `confirms` is who confirms that it is them; nobody signs in then.
async fn leave(
    portal: &Portal,
    shell: Shell,
    visitor: &Visitor,
    confirms: Option<UserId>,
    next: &str,
    what: &str,
) -> Answer {
    let provider = provider(portal)?;
    let now = portal.clock.now();
    let state = random_token()?;
    let next_path = safe_path(next).unwrap_or_default();
    let anew_since = confirms.is_some().then_some(now);
    let attempt = attempt(&portal.signer, &state, anew_since);
    let address = match provider.authorization_url(&attempt, now).await {
        Ok(address) => address,
        Err(error) if confirms.is_some() => {
            return refusal::refuse_confirmation(portal, shell, error.into(), &next_path);
        }
        Err(error) => return refusal::refuse(portal, shell, error.into()),
    };
    let kept = OidcAttempt {
        state_hash: digest(&state),
        binding: visitor.sign_in_binding(),
        next_path,
        confirms,
        created_at: now,
        expires_at: now + PATIENCE,
        consumed_at: None,
    };
    portal
        .store
        .write(move |tx| oidc_attempts::insert(tx, &kept))
        .await?;
    depart(portal, shell, what, &address)
}

/// POST /sign-in/oidc: to the provider.
///
/// # Errors
/// `NotFound` without a provider, or as the database.
pub async fn begin(
    portal: Data<Portal>,
    shell: Shell,
    visitor: ReqData<Visitor>,
    Form(form): Form<BeginForm>,
) -> Answer {
    if shell.user.is_some() {
        return Ok(see_other("/"));
    }
    let what = "You are taken there to sign in, and come back by yourself.";
    leave(&portal, shell, &visitor, None, &form.next, what).await
}

/// What the provider sends back.
#[derive(Debug, Deserialize)]
pub struct CallbackQuery {
    code: Option<String>,
    state: Option<String>,
    error: Option<String>,
    iss: Option<String>,
}

/// Notes in the session that the person came from the provider, and what it wants to hear at sign-out.
pub(super) fn note_provider(session: &Session, hint: &str) -> Result<(), WebError> {
    session
        .insert(CAME_FROM_PROVIDER, hint)
        .map_err(|error| WebError::Internal(error.to_string()))
}

/// GET /sign-in/oidc/callback: the provider sends the person back here, who signed in or confirmed that it is them.
///
/// # Errors
/// `NotFound` without a provider, or as the database.
pub async fn callback(
    request: HttpRequest,
    portal: Data<Portal>,
    session: Session,
    shell: Shell,
    Query(query): Query<CallbackQuery>,
) -> Answer {
    provider(&portal)?;
    let outcome = match known_attempt(&request, &portal, &query).await {
        Ok(known) if known.confirms.is_some() => {
            return confirmation::finish(&request, &portal, &session, shell, &query, known).await;
        }
        Ok(known) => complete(&request, &portal, &query, known).await,
        Err(error) => Err(error),
    };
    match outcome {
        Ok(arrival) => {
            let hint = arrival.identity.login_hint.unwrap_or_default();
            if arrival.needs_code
                && let Some(answer) =
                    second_step::lead_to(&portal, &arrival.user, &arrival.next, Some(&hint)).await?
            {
                return Ok(answer);
            }
            // Without the code in the address: it must not stay in the history.
            let answer = enter(&request, &session, &arrival.user, &arrival.next)?;
            note_provider(&session, &hint)?;
            Ok(answer)
        }
        Err(error) => {
            metrics::counter!("leadgen_sign_ins_total", "outcome" => "failed").increment(1);
            note_failure(&request, &portal, &error).await?;
            refusal::refuse(&portal, shell, error)
        }
    }
}

/// Somebody whom the provider vouches for.
struct Arrival {
    user: User,
    identity: Identity,
    next: String,
    /// Whether the code of the second factor is still to come.
    needs_code: bool,
}

async fn complete(
    request: &HttpRequest,
    portal: &Portal,
    query: &CallbackQuery,
    known: OidcAttempt,
) -> Result<Arrival, SignInError> {
    let now = portal.clock.now();
    let identity = take_answer(portal, query, &known).await?;
    let (new_id, told) = (UserId::new(portal.new_id()), identity.clone());
    let somebody = signing_actor(request, None);
    let vouching = Actor {
        name: provider_name(portal).unwrap_or_default(),
        ..somebody.clone()
    };
    let (user, needs_code) = portal
        .store
        .write(move |tx| {
            let user = identities::admit(tx, now, &told, &vouching, new_id)?;
            let checks = sign_in_rules::get(tx)?.rules.provider_checks_second_factor;
            if !checks && second_factors::is_on(tx, &user.id)? {
                return Ok((user, true));
            }
            users::note_sign_in(tx, now, &user.id)?;
            let actor = Actor {
                kind: ActorKind::User,
                user_id: Some(user.id.clone()),
                name: user.name.clone(),
                roles: user.roles.clone(),
                ..somebody
            };
            let (object, how) = (
                ("user", user.id.as_str(), user.name.as_str()),
                through(None),
            );
            audit::record(tx, now, &actor, "sign_in.succeeded", object, None, how)?;
            Ok::<_, IdentityError>((user, false))
        })
        .await?;
    Ok(Arrival {
        user,
        identity,
        next: known.next_path,
        needs_code,
    })
}

/// The attempt of this browser that the answer belongs to. Somebody else's is not used up by trying it.
async fn known_attempt(
    request: &HttpRequest,
    portal: &Portal,
    query: &CallbackQuery,
) -> Result<OidcAttempt, SignInError> {
    let state = query.state.as_deref().ok_or(SignInError::StateMissing)?;
    let binding = request
        .extensions()
        .get::<Visitor>()
        .map(Visitor::sign_in_binding)
        .unwrap_or_default();
    let hash = digest(state);
    portal
        .store
        .read(move |conn| oidc_attempts::find(conn, &hash))
        .await?
        .filter(|known| known.binding == binding)
        .ok_or(SignInError::StateWrong)
}

/// Uses the attempt up, and exchanges the answer for what the provider says about the person.
async fn take_answer(
    portal: &Portal,
    query: &CallbackQuery,
    known: &OidcAttempt,
) -> Result<Identity, SignInError> {
    let Some(provider) = &portal.oidc else {
        return Err(SignInError::StateWrong);
    };
    let now = portal.clock.now();
    if known.consumed_at.is_some() {
        return Err(SignInError::StateReused);
    }
    if known.expires_at <= now {
        return Err(SignInError::StateExpired);
    }
    let hash = known.state_hash.clone();
    let is_ours = portal
        .store
        .write(move |tx| oidc_attempts::consume(tx, &hash, now))
        .await?;
    if !is_ours {
        return Err(SignInError::StateReused);
    }
    if !provider.is_answer_of(query.iss.as_deref(), now).await? {
        return Err(SignInError::OtherIssuer);
    }
    if let Some(error) = &query.error {
        return Err(SignInError::Refused(tidy(error)));
    }
    let code = query.code.as_deref().ok_or(SignInError::NoCode)?;
    let state = query.state.as_deref().ok_or(SignInError::StateMissing)?;
    let anew_since = known.confirms.is_some().then_some(known.created_at);
    let attempt = attempt(&portal.signer, state, anew_since);
    Ok(provider.exchange(&attempt, code, now).await?)
}

/// How an entry of the audit log tells sign-ins through the provider from those with a password.
fn through(reason: Option<String>) -> Option<Value> {
    Some(match reason {
        None => json!({ "through": "openid_connect" }),
        Some(reason) => json!({ "through": "openid_connect", "reason": reason }),
    })
}

/// Notes a failed sign-in. An answer that belongs to no click of this browser is none: anybody can send such answers.
async fn note_failure(
    request: &HttpRequest,
    portal: &Portal,
    error: &SignInError,
) -> Result<(), StoreError> {
    tracing::info!(error = %error, "the sign-in at the identity provider ended early");
    if matches!(
        error,
        SignInError::StateMissing
            | SignInError::StateWrong
            | SignInError::Identity(IdentityError::Store(_))
    ) {
        return Ok(());
    }
    let (actor, now) = (signing_actor(request, None), portal.clock.now());
    let how = through(Some(error.to_string()));
    portal
        .store
        .write(move |tx| {
            let object = ("user", "", "unknown");
            audit::record(tx, now, &actor, "sign_in.failed", object, None, how)
        })
        .await
}

/// Ends the session at the provider, too, once ours has ended: a page leads there. A provider that is away, or has no such
/// place, keeps nobody signed in here.
///
/// # Errors
/// When the page cannot be drawn.
pub(super) async fn sign_out(
    portal: &Portal,
    shell: Shell,
    login_hint: &str,
) -> Result<HttpResponse, WebError> {
    let name = provider_name(portal).unwrap_or_default();
    let here_only = |shell: Shell, why: &str| {
        let text = format!("You are signed out here. {why}");
        shell.redirect("/sign-in").flash(Flash::warning(text))
    };
    let Some(provider) = &portal.oidc else {
        return Ok(here_only(
            shell,
            "No identity provider is configured any more.",
        ));
    };
    let now = portal.clock.now();
    let at = now.timestamp().to_string();
    let state = format!("{at}.{}", portal.signer.sign(SIGN_OUT_PURPOSE, &at));
    let back_to = portal.settings.http.public_url.join(SIGNED_OUT);
    let back_to = back_to.map(String::from).unwrap_or_default();
    let hint = Some(login_hint).filter(|hint| !hint.is_empty());
    match provider.end_session_url(&back_to, &state, hint, now).await {
        Ok(Some(address)) => {
            let what = format!(
                "You are signed out of this portal. {name} now ends your session there, which may ask you once more."
            );
            depart(portal, shell, &what, &address)
        }
        Ok(None) => Ok(here_only(
            shell,
            &format!("{name} has no place to sign out: your session there may go on."),
        )),
        Err(error) => {
            tracing::info!(error = %error, "the session at the identity provider could not be ended");
            Ok(here_only(
                shell,
                &format!("{name} could not be reached: your session there may go on."),
            ))
        }
    }
}

/// What the provider sends back after a sign-out.
#[derive(Debug, Deserialize)]
pub struct SignedOutQuery {
    state: Option<String>,
}

/// GET /sign-in/oidc/signed-out: the provider sends the person back here. Only an answer to a sign-out of the last minutes is
/// believed; others lead to the sign-in page without a word.
///
/// # Errors
/// `NotFound` without a provider.
pub async fn signed_out(
    portal: Data<Portal>,
    shell: Shell,
    Query(query): Query<SignedOutQuery>,
) -> Answer {
    provider(&portal)?;
    let now = portal.clock.now();
    let is_ours = query
        .state
        .as_deref()
        .and_then(|state| state.split_once('.'))
        .is_some_and(|(at, signature)| {
            let age = at
                .parse::<i64>()
                .map(|at| now.timestamp().saturating_sub(at));
            portal.signer.verify(SIGN_OUT_PURPOSE, at, signature)
                && age.is_ok_and(|age| (0..=PATIENCE.num_seconds()).contains(&age))
        });
    let way = shell.redirect("/sign-in");
    if is_ours {
        let name = provider_name(&portal).unwrap_or_default();
        let text = format!("You are signed out here and at {name}.");
        Ok(way.flash(Flash::success(text)))
    } else {
        Ok(way.quietly())
    }
}
