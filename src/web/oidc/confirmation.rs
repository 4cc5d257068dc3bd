//! Confirming at the identity provider that it is you: for people who sign in there and have no password here.
//!
//! The provider must ask the person anew, and say that it did: a session that is still open there proves nothing.

use actix_session::Session;
use actix_web::HttpRequest;
use actix_web::web::{Data, ReqData};
use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::refusal;
use super::{CallbackQuery, SignInError, Visitor, leave, take_answer};
use crate::auth::{CurrentUser, sessions};
use crate::store::audit::{self, Actor};
use crate::store::oidc_attempts::OidcAttempt;
use crate::store::{AnyConn, StoreError, user_identities};
use crate::web::visitor::actor;
use crate::web::{Answer, Form, Portal, Shell, WebError};

/// Where to go on.
#[derive(Debug, Deserialize)]
pub struct BeginForm {
    #[serde(default)]
    to: String,
}

/// POST /account/confirmation/provider: to the provider.
///
/// # Errors
/// `NotFound` without a provider, or as the database.
pub async fn begin(
    portal: Data<Portal>,
    shell: Shell,
    user: CurrentUser,
    visitor: ReqData<Visitor>,
    Form(form): Form<BeginForm>,
) -> Answer {
    let what = "You are taken there to sign in once more, and come back by yourself.";
    leave(&portal, shell, &visitor, Some(user.id), &form.to, what).await
}

/// The way back: the session goes on under a new id, as after confirming with a password.
pub(super) async fn finish(
    request: &HttpRequest,
    portal: &Portal,
    session: &Session,
    shell: Shell,
    query: &CallbackQuery,
    known: OidcAttempt,
) -> Answer {
    // The attempt is bound to the session, so it is this person's; somebody who signed out meanwhile has another one.
    let user = shell.user.clone().ok_or(WebError::NotFound)?;
    let actor = actor(request, &user);
    let now = portal.clock.now();
    match prove(portal, &user, query, &known).await {
        Ok(()) => {
            portal
                .store
                .write(move |tx| note(tx, now, &actor, &user, None))
                .await?;
            sessions::prove_again(session);
            let to = Some(known.next_path).filter(|path| !path.is_empty());
            Ok(shell
                .redirect(to.as_deref().unwrap_or("/account"))
                .quietly())
        }
        Err(error) => {
            tracing::info!(error = %error, "the confirmation at the identity provider ended early");
            let reason = error.to_string();
            portal
                .store
                .write(move |tx| note(tx, now, &actor, &user, Some(&reason)))
                .await?;
            refusal::refuse_confirmation(portal, shell, error, &known.next_path)
        }
    }
}

/// Whether the provider says that the person of this session signed in anew. Nobody is made, tied or given roles here.
async fn prove(
    portal: &Portal,
    user: &CurrentUser,
    query: &CallbackQuery,
    known: &OidcAttempt,
) -> Result<(), SignInError> {
    let identity = take_answer(portal, query, known).await?;
    let found = portal
        .store
        .read(move |conn| user_identities::find_user(conn, &identity.issuer, &identity.subject))
        .await?;
    if found.as_ref() == Some(&user.id) && known.confirms.as_ref() == Some(&user.id) {
        Ok(())
    } else {
        Err(SignInError::OtherPerson)
    }
}

fn note(
    tx: &mut AnyConn,
    now: DateTime<Utc>,
    actor: &Actor,
    user: &CurrentUser,
    reason: Option<&str>,
) -> Result<(), StoreError> {
    let object = ("user", user.id.as_str(), user.name.as_str());
    let (action, how) = match reason {
        None => ("session.confirmed", super::through(None)),
        Some(reason) => (
            "session.confirmation_failed",
            super::through(Some(reason.to_owned())),
        ),
    };
    audit::record(tx, now, actor, action, object, None, how)
}
