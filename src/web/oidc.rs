//! Signing in at the identity provider: to it, and back from it.
//!
//! The way there is a page that leads on by itself, not a redirect: a browser holds the redirects of a form to the
//! `form-action` of our pages, and nobody knows through which addresses a provider sends people on.

mod refusal;

use actix_session::Session;
use actix_web::http::StatusCode;
use actix_web::web::{Data, ReqData};
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse};
use askama::Template;
use chrono::TimeDelta;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};

use super::shell::see_other;
use super::sign_in::{browser_of, provider_name, safe_path, signing_actor};
use super::visitor::Visitor;
use super::{Answer, Flash, Form, Portal, Query, Shell, WebError};
use crate::auth::identities::{self, IdentityError};
use crate::auth::sessions;
use crate::auth::signing::{Signer, digest, random_token};
use crate::domain::ids::UserId;
use crate::oidc::{Attempt, Identity, OidcError, Provider, tidy};
use crate::store::audit::{self, Actor, ActorKind};
use crate::store::oidc_attempts::{self, OidcAttempt};
use crate::store::users::{self, User};
use crate::store::{AnyConn, StoreError};

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
fn attempt(signer: &Signer, state: &str) -> Attempt {
    Attempt {
        state: state.to_owned(),
        nonce: signer.sign("oidc nonce", state),
        verifier: SecretString::from(signer.sign("oidc verifier", state)),
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
    let provider = provider(&portal)?;
    if shell.user.is_some() {
        return Ok(see_other("/"));
    }
    let now = portal.clock.now();
    let state = random_token()?;
    let address = match provider
        .authorization_url(&attempt(&portal.signer, &state), now)
        .await
    {
        Ok(address) => address,
        Err(error) => return refusal::refuse(&portal, shell, error.into()),
    };
    let kept = OidcAttempt {
        state_hash: digest(&state),
        binding: visitor.sign_in_binding(),
        next_path: safe_path(&form.next).unwrap_or_default(),
        expires_at: now + PATIENCE,
        consumed_at: None,
    };
    portal
        .store
        .write(move |tx| oidc_attempts::insert(tx, &kept, now))
        .await?;
    depart(
        &portal,
        shell,
        "You are taken there to sign in, and come back by yourself.",
        &address,
    )
}

/// What the provider sends back.
#[derive(Debug, Deserialize)]
pub struct CallbackQuery {
    code: Option<String>,
    state: Option<String>,
    error: Option<String>,
    iss: Option<String>,
}

/// GET /sign-in/oidc/callback: the provider sends the person back here.
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
    match complete(&request, &portal, &query).await {
        Ok((user, identity, next)) => {
            let begun = sessions::begin(&session, &user.id, &browser_of(&request)).and_then(|()| {
                let hint = identity.login_hint.unwrap_or_default();
                Ok(session.insert(CAME_FROM_PROVIDER, hint)?)
            });
            begun.map_err(|error| WebError::Internal(error.to_string()))?;
            metrics::counter!("leadgen_sign_ins_total", "outcome" => "succeeded").increment(1);
            // Without the code in the address: it must not stay in the history.
            Ok(see_other(&next))
        }
        Err(error) => {
            metrics::counter!("leadgen_sign_ins_total", "outcome" => "failed").increment(1);
            note_failure(&request, &portal, &error).await?;
            refusal::refuse(&portal, shell, error)
        }
    }
}

async fn complete(
    request: &HttpRequest,
    portal: &Portal,
    query: &CallbackQuery,
) -> Result<(User, Identity, String), SignInError> {
    let Some(provider) = &portal.oidc else {
        return Err(SignInError::StateWrong);
    };
    let now = portal.clock.now();
    let state = query.state.as_deref().ok_or(SignInError::StateMissing)?;
    let binding = request
        .extensions()
        .get::<Visitor>()
        .map(Visitor::sign_in_binding)
        .unwrap_or_default();
    let next = take_state(portal, state, binding).await?;
    if !provider.is_answer_of(query.iss.as_deref(), now).await? {
        return Err(SignInError::OtherIssuer);
    }
    if let Some(error) = &query.error {
        return Err(SignInError::Refused(tidy(error)));
    }
    let code = query.code.as_deref().ok_or(SignInError::NoCode)?;
    let identity = provider
        .exchange(&attempt(&portal.signer, state), code, now)
        .await?;
    let (new_id, told) = (UserId::new(portal.new_id()), identity.clone());
    let somebody = signing_actor(request, None);
    let vouching = Actor {
        name: provider_name(portal).unwrap_or_default(),
        ..somebody.clone()
    };
    let user = portal
        .store
        .write(move |tx| {
            let user = identities::admit(tx, now, &told, &vouching, new_id)?;
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
            Ok::<_, IdentityError>(user)
        })
        .await?;
    let next = if next.is_empty() {
        "/".to_owned()
    } else {
        next
    };
    Ok((user, identity, next))
}

/// Checks that the answer belongs to this browser's click, and uses the click up; gives the page that was wanted.
async fn take_state(portal: &Portal, state: &str, binding: String) -> Result<String, SignInError> {
    let (hash, now) = (digest(state), portal.clock.now());
    portal
        .store
        .write(move |tx: &mut AnyConn| {
            let known = oidc_attempts::find(tx, &hash)?.ok_or(SignInError::StateWrong)?;
            // Somebody else's state is not used up by trying it.
            if known.binding != binding {
                return Err(SignInError::StateWrong);
            }
            if known.consumed_at.is_some() {
                return Err(SignInError::StateReused);
            }
            if known.expires_at <= now {
                return Err(SignInError::StateExpired);
            }
            if !oidc_attempts::consume(tx, &hash, now)? {
                return Err(SignInError::StateReused);
            }
            Ok(known.next_path)
        })
        .await
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
