//! The connect flow of the seeds: Authorize → LinkedIn → back here → confirm the organization; and Disconnect.
//! Pages call it; they see neither tokens nor LinkedIn's shapes.

mod confirmation;
mod disconnection;
mod error;
mod way_back;

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha256};
use url::Url;

pub use confirmation::PendingAuthorization;
pub use disconnection::DisconnectOutcome;
pub use error::ConnectError;
pub use way_back::CallbackQuery;

use super::{SyncContext, SyncError};
use crate::auth::secret_key::SecretKey;
use crate::domain::connections::Deployment;
use crate::domain::ids::{ProfileId, UserId};
use crate::domain::text::clean_text;
use crate::linkedin::oauth::LinkedInOAuth;
use crate::store::audit::Actor;
use crate::store::connections::NotAllowed;
use crate::store::oauth_states::OauthState;
use crate::store::{self, StoreError};

/// How long somebody may take at LinkedIn.
const STATE_LIFETIME: TimeDelta = TimeDelta::minutes(30);

/// The connect flow.
#[derive(Clone)]
pub struct Connector {
    ctx: SyncContext,
    redirect_uri: Url,
    scopes: Vec<String>,
}

fn hash(state: &str) -> String {
    Sha256::digest(state.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// LinkedIn's words for people: entities decoded, control characters and length cut.
fn cleaned(text: &str) -> String {
    let text = text
        .replace("&quot;", "\"")
        .replace("&amp;", "&")
        .replace("&#39;", "'");
    clean_text(&text)
        .chars()
        .filter(|c| !c.is_control())
        .take(200)
        .collect()
}

impl Connector {
    /// `redirect_uri` is the one registered at LinkedIn; `scopes` are asked for.
    #[must_use]
    pub fn new(ctx: SyncContext, redirect_uri: Url, scopes: Vec<String>) -> Self {
        Self {
            ctx,
            redirect_uri,
            scopes,
        }
    }

    /// The redirect URI that must be registered in the LinkedIn developer app.
    #[must_use]
    pub fn redirect_uri(&self) -> &Url {
        &self.redirect_uri
    }

    /// Whether there are a client id and a secret.
    #[must_use]
    pub fn is_configured(&self) -> bool {
        self.ctx.oauth.is_some()
    }

    /// The authorization server's client, where there are a client id and a secret.
    pub(super) fn oauth_client(&self) -> Option<&LinkedInOAuth> {
        self.ctx.oauth.as_ref()
    }

    /// What LinkedIn's clock says now, as far as this process has heard from LinkedIn.
    #[must_use]
    pub fn linkedin_time(&self) -> Option<DateTime<Utc>> {
        self.ctx.linkedin.clock()
    }

    /// What seals and opens secrets.
    #[must_use]
    pub fn secret_key(&self) -> &SecretKey {
        &self.ctx.secret_key
    }

    /// The name of this process in leases.
    #[must_use]
    pub fn process_name(&self) -> &str {
        &self.ctx.owner
    }

    fn oauth(&self) -> Result<&LinkedInOAuth, ConnectError> {
        self.ctx
            .oauth
            .as_ref()
            .ok_or(ConnectError::AppNotConfigured)
    }

    /// Begins the flow: the address at LinkedIn to send the browser to. `session_binding` names the session that asked;
    /// only that session can come back with the state.
    ///
    /// # Errors
    /// `Refused`, `AppNotConfigured`, or the store's.
    pub async fn begin(
        &self,
        user: &UserId,
        profile: &ProfileId,
        session_binding: &str,
    ) -> Result<Url, ConnectError> {
        self.check(user).await?;
        let oauth = self.oauth()?;
        let mut bytes = [0u8; 32];
        getrandom::fill(&mut bytes).map_err(|error| {
            SyncError::found(
                crate::domain::sync::FailureReason::InternalError,
                error.to_string(),
            )
        })?;
        let state = URL_SAFE_NO_PAD.encode(bytes);
        let scopes: Vec<&str> = self.scopes.iter().map(String::as_str).collect();
        let url = oauth
            .authorization_url(self.redirect_uri.as_str(), &scopes, &state)
            .map_err(SyncError::from)?;
        let now = self.ctx.clock.now();
        let stored = OauthState {
            state_hash: hash(&state),
            session_binding: session_binding.to_owned(),
            user_id: user.clone(),
            profile_id: profile.clone(),
            expires_at: now + STATE_LIFETIME,
            consumed_at: None,
        };
        self.ctx
            .store
            .write(move |conn| {
                store::oauth_states::insert(conn, &stored, now)?;
                store::tokens::set_reauthorizing(conn, &stored.profile_id, true)
            })
            .await
            .map_err(|error: StoreError| ConnectError::from(error))?;
        Ok(url)
    }

    /// Whether this person may connect LinkedIn now.
    ///
    /// # Errors
    /// `Refused`, or the store's.
    pub async fn check(&self, user: &UserId) -> Result<(), ConnectError> {
        let (user, options) = (user.clone(), Arc::clone(&self.ctx.options));
        self.ctx
            .store
            .write(move |conn| store::connections::check(conn, &options.deployment, &user))
            .await
            .map_err(|error: NotAllowed| error.into())
    }

    /// Takes a person's consent to today's text.
    ///
    /// # Errors
    /// `Refused` when the organisation does not let the person, or the store's.
    pub async fn consent(&self, actor: &Actor, user: &UserId) -> Result<(), ConnectError> {
        let (user, actor, now) = (user.clone(), actor.clone(), self.ctx.clock.now());
        let options = Arc::clone(&self.ctx.options);
        self.ctx
            .store
            .write(move |conn| {
                store::connections::give_consent(conn, &options.deployment, &user, &actor, now)
            })
            .await
            .map_err(|error: NotAllowed| error.into())
    }

    /// What whoever runs the portal decided about LinkedIn.
    #[must_use]
    pub fn deployment(&self) -> &Deployment {
        &self.ctx.options.deployment
    }
}
