//! The connect flow of the seeds: Authorize → LinkedIn → back here → confirm the organization; and Disconnect.
//! Pages call it; they see neither tokens nor LinkedIn's shapes.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use url::Url;

use super::authorized::{open, seal, token_cell};
use super::{SyncContext, SyncError};
use crate::domain::ids::{OrganizationId, ProfileId, UserId};
use crate::domain::profile::{Authorization, missing_scopes};
use crate::domain::text::clean_text;
use crate::linkedin::oauth::{LinkedInOAuth, TokenAnswer};
use crate::linkedin::{AccessToken, LinkedInError};
use crate::store::audit::{Actor, record};
use crate::store::tokens::{OauthState, Pending, SealedTokens};
use crate::store::{self, AnyConn, StoreError};

/// How long somebody may take at LinkedIn.
const STATE_LIFETIME: TimeDelta = TimeDelta::minutes(30);

/// What LinkedIn sent back to the redirect URI.
#[derive(Debug, Clone, Default, serde::Deserialize)]
pub struct CallbackQuery {
    /// The code to exchange.
    #[serde(default)]
    pub code: Option<String>,
    /// What we gave LinkedIn to give back.
    #[serde(default)]
    pub state: Option<String>,
    /// LinkedIn's error word.
    #[serde(default)]
    pub error: Option<String>,
    /// LinkedIn's sentence.
    #[serde(default)]
    pub error_description: Option<String>,
}

/// Why the connect flow did not go on. Each has a page of its own.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// No client id and secret.
    #[error("the portal has no LinkedIn client id and secret")]
    AppNotConfigured,
    /// LinkedIn came back without a state.
    #[error("LinkedIn came back without a state")]
    StateMissing,
    /// A state that we never gave, or not to this session.
    #[error("the state is not one that this session was given")]
    StateWrong,
    /// The state's time is over.
    #[error("the state has expired")]
    StateExpired,
    /// The state was used before.
    #[error("the state was used before")]
    StateReused,
    /// Declined to sign in at LinkedIn.
    #[error("the member did not sign in at LinkedIn")]
    RefusedSignIn {
        /// Where to go back to.
        profile: ProfileId,
    },
    /// Declined the permissions.
    #[error("the member did not allow the access")]
    RefusedConsent {
        /// Where to go back to.
        profile: ProfileId,
    },
    /// LinkedIn has not approved the app for a scope.
    #[error("the LinkedIn app may not ask for a scope")]
    ScopeNotAuthorized {
        /// Where to go back to.
        profile: ProfileId,
        /// LinkedIn's sentence, cleaned; names the scope.
        description: String,
    },
    /// Another error word of LinkedIn's.
    #[error("LinkedIn refused")]
    RefusedOtherwise {
        /// Where to go back to.
        profile: ProfileId,
        /// LinkedIn's word.
        error: String,
    },
    /// The code could not be exchanged for a token.
    #[error("LinkedIn did not accept the code: {detail}")]
    CodeNotExchanged {
        /// Where to go back to.
        profile: ProfileId,
        /// LinkedIn's words.
        detail: String,
    },
    /// LinkedIn does not accept our client id and secret.
    #[error("LinkedIn does not accept the client id and secret")]
    AppRefused {
        /// Where to go back to.
        profile: ProfileId,
    },
    /// Without these scopes no leads can be read.
    #[error("scopes are missing")]
    ScopesMissing {
        /// Where to go back to.
        profile: ProfileId,
        /// Their names.
        missing: Vec<String>,
    },
    /// LinkedIn cannot be reached or answers nonsense.
    #[error("LinkedIn is away: {detail}")]
    LinkedInAway {
        /// Where to go back to.
        profile: ProfileId,
        /// What happened.
        detail: String,
    },
    /// Nothing waits for confirmation.
    #[error("nothing waits for confirmation")]
    NothingPending,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A token could not be sealed or opened.
    #[error(transparent)]
    Sync(#[from] SyncError),
}

/// What waits for the confirmation of the organization.
#[derive(Debug, Clone)]
pub struct PendingAuthorization {
    /// Who came back from LinkedIn.
    pub user_id: UserId,
    /// The member's name, where the scopes tell it.
    pub member_name: Option<String>,
    /// Granted scopes.
    pub scopes: Vec<String>,
    /// When the access token ends.
    pub access_token_expires_at: DateTime<Utc>,
    /// Whether LinkedIn lets the portal renew it without the member.
    pub is_refreshable: bool,
    /// When LinkedIn granted it.
    pub granted_at: DateTime<Utc>,
}

/// How disconnecting ended at LinkedIn; here the tokens are erased in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DisconnectOutcome {
    /// LinkedIn revoked the tokens.
    Revoked,
    /// LinkedIn could not be told; the member can end the access under Permitted services.
    NotRevoked,
    /// There was no token.
    NothingToRevoke,
}

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
    /// `AppNotConfigured`, or the store's.
    pub async fn begin(
        &self,
        user: &UserId,
        profile: &ProfileId,
        session_binding: &str,
    ) -> Result<Url, ConnectError> {
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
                store::tokens::insert_state(conn, &stored, now)?;
                store::tokens::set_reauthorizing(conn, &stored.profile_id, true)
            })
            .await
            .map_err(|error: StoreError| ConnectError::from(error))?;
        Ok(url)
    }

    /// Takes LinkedIn's answer: checks and uses up the state, exchanges the code, checks the scopes, and keeps the grant
    /// until it is confirmed. Returns the profile to confirm.
    ///
    /// # Errors
    /// Each way in which it can go wrong; the profile is then as it was.
    pub async fn complete(
        &self,
        user: &UserId,
        session_binding: &str,
        query: CallbackQuery,
    ) -> Result<ProfileId, ConnectError> {
        let oauth = self.oauth()?;
        let profile = self
            .take_state(user, session_binding, query.state.as_deref())
            .await?;
        let outcome = self.exchange(oauth, user, &profile, &query).await;
        if outcome.is_err() {
            let profile = profile.clone();
            self.ctx
                .store
                .write(move |conn| store::tokens::set_reauthorizing(conn, &profile, false))
                .await
                .map_err(|error: StoreError| ConnectError::from(error))?;
        }
        outcome.map(|()| profile)
    }

    async fn take_state(
        &self,
        user: &UserId,
        session_binding: &str,
        state: Option<&str>,
    ) -> Result<ProfileId, ConnectError> {
        let state = state
            .filter(|state| !state.is_empty())
            .ok_or(ConnectError::StateMissing)?;
        let (state_hash, now) = (hash(state), self.ctx.clock.now());
        let (user, binding) = (user.clone(), session_binding.to_owned());
        let taken = self
            .ctx
            .store
            .write(move |conn: &mut AnyConn| {
                let Some(known) = store::tokens::find_state(conn, &state_hash)? else {
                    return Err(ConnectError::StateWrong);
                };
                // Somebody else's state is not used up by trying it.
                if known.user_id != user || known.session_binding != binding {
                    return Err(ConnectError::StateWrong);
                }
                if known.consumed_at.is_some() {
                    return Err(ConnectError::StateReused);
                }
                if known.expires_at <= now {
                    // The attempt is over: the profile is no longer on its way.
                    store::tokens::set_reauthorizing(conn, &known.profile_id, false)?;
                    return Ok(None);
                }
                if !store::tokens::consume_state(conn, &state_hash, now)? {
                    return Err(ConnectError::StateReused);
                }
                Ok(Some(known.profile_id))
            })
            .await?;
        taken.ok_or(ConnectError::StateExpired)
    }

    async fn exchange(
        &self,
        oauth: &LinkedInOAuth,
        user: &UserId,
        profile: &ProfileId,
        query: &CallbackQuery,
    ) -> Result<(), ConnectError> {
        let profile = profile.clone();
        if let Some(error) = query.error.as_deref() {
            return Err(match error {
                "user_cancelled_login" => ConnectError::RefusedSignIn { profile },
                "user_cancelled_authorize" | "access_denied" => {
                    ConnectError::RefusedConsent { profile }
                }
                "unauthorized_scope_error" => ConnectError::ScopeNotAuthorized {
                    profile,
                    description: cleaned(query.error_description.as_deref().unwrap_or_default()),
                },
                other => ConnectError::RefusedOtherwise {
                    profile,
                    error: cleaned(other),
                },
            });
        }
        let Some(code) = query.code.as_deref().filter(|code| !code.is_empty()) else {
            return Err(ConnectError::CodeNotExchanged {
                profile,
                detail: "LinkedIn sent neither a code nor an error".into(),
            });
        };
        let answer = match oauth.exchange_code(code, self.redirect_uri.as_str()).await {
            Ok(answer) => answer,
            Err(LinkedInError::Token { error, .. }) if error.starts_with("invalid_client") => {
                return Err(ConnectError::AppRefused { profile });
            }
            Err(LinkedInError::Token {
                error, description, ..
            }) => {
                let detail = cleaned(description.as_deref().unwrap_or(&error));
                return Err(ConnectError::CodeNotExchanged { profile, detail });
            }
            Err(error) => {
                return Err(ConnectError::LinkedInAway {
                    profile,
                    detail: error.to_string(),
                });
            }
        };
        let missing = missing_scopes(&answer.scopes);
        if !missing.is_empty() {
            let current = profile.clone();
            let active = self
                .ctx
                .store
                .read(move |conn| store::tokens::find(conn, &current))
                .await
                .map_err(|error: StoreError| ConnectError::from(error))?;
            // LinkedIn may take the member's other tokens away with it: only where there is none to lose.
            if active.is_none() {
                self.revoke(oauth, &answer).await;
            }
            return Err(ConnectError::ScopesMissing {
                profile,
                missing: missing.iter().map(ToString::to_string).collect(),
            });
        }
        let member = self.member(&answer).await;
        let now = self.ctx.clock.now();
        let pending = Pending {
            user_id: user.clone(),
            tokens: seal(
                &self.ctx.secret_key,
                "pending_authorizations",
                &profile,
                &answer,
                now,
            )?,
            member_urn: member.as_ref().map(|(urn, _)| urn.clone()),
            member_name: member.and_then(|(_, name)| name),
            created_at: now,
        };
        self.ctx
            .store
            .write(move |conn| store::tokens::save_pending(conn, &profile, &pending))
            .await
            .map_err(|error: StoreError| error.into())
    }

    /// A grant that cannot be used is not left lying at LinkedIn; best effort, because nothing of it is kept here.
    async fn revoke(&self, oauth: &LinkedInOAuth, answer: &TokenAnswer) {
        if let Err(error) = oauth.revoke(answer.access_token.secret()).await {
            tracing::info!(error = %error, "an unusable grant could not be revoked at LinkedIn");
        }
    }

    /// Who granted it, where the scopes tell; not knowing is no failure.
    async fn member(&self, answer: &TokenAnswer) -> Option<(String, Option<String>)> {
        if !answer
            .scopes
            .iter()
            .any(|scope| scope == "openid" || scope == "profile")
        {
            return None;
        }
        match self.ctx.linkedin.userinfo(&answer.access_token).await {
            Ok(info) => Some((
                format!("urn:li:person:{}", cleaned(&info.value.sub)),
                info.value.name.as_deref().map(cleaned),
            )),
            Err(error) => {
                tracing::info!(error = %error, "the member's name could not be read");
                None
            }
        }
    }

    /// What waits for confirmation on a profile.
    ///
    /// # Errors
    /// The store's.
    pub async fn pending(
        &self,
        profile: &ProfileId,
    ) -> Result<Option<PendingAuthorization>, ConnectError> {
        let profile = profile.clone();
        let pending = self
            .ctx
            .store
            .read(move |conn| store::tokens::find_pending(conn, &profile))
            .await?;
        Ok(pending.map(|pending| PendingAuthorization {
            user_id: pending.user_id,
            member_name: pending.member_name,
            scopes: pending.tokens.scopes,
            access_token_expires_at: pending.tokens.access_token_expires_at,
            is_refreshable: pending.tokens.refresh_token.is_some(),
            granted_at: pending.created_at,
        }))
    }

    /// Confirms the organization: the profile is Authorized and its sync begins. Only who came back from LinkedIn can.
    ///
    /// # Errors
    /// `NothingPending` when there is no grant, or it is somebody else's.
    pub async fn confirm(
        &self,
        actor: &Actor,
        user: &UserId,
        profile: &ProfileId,
        organization: &OrganizationId,
    ) -> Result<(), ConnectError> {
        let found = {
            let profile = profile.clone();
            self.ctx
                .store
                .read(move |conn| store::tokens::find_pending(conn, &profile))
                .await?
        };
        let Some(pending) = found.filter(|pending| pending.user_id == *user) else {
            return Err(ConnectError::NothingPending);
        };
        let tokens = self.reseal(profile, &pending.tokens)?;
        let now = self.ctx.clock.now();
        let (actor, user, profile, organization) = (
            actor.clone(),
            user.clone(),
            profile.clone(),
            organization.clone(),
        );
        self.ctx
            .store
            .write(move |conn: &mut AnyConn| {
                store::tokens::authorize(
                    conn,
                    &profile,
                    &user,
                    &organization,
                    &tokens,
                    (
                        pending.member_urn.as_deref(),
                        pending.member_name.as_deref(),
                    ),
                    now,
                )?;
                record(
                    conn,
                    now,
                    &actor,
                    "linkedin_user_profile.authorized",
                    ("linkedin_user_profile", profile.as_str(), ""),
                    None,
                    Some(serde_json::json!({
                        "organization": organization.as_str(),
                        "scopes": tokens.scopes,
                        "access_token_expires_at": tokens.access_token_expires_at,
                    })),
                )
            })
            .await
            .map_err(|error: StoreError| error.into())
    }

    /// Tokens are bound to their table: what is confirmed is sealed anew for its new place.
    fn reseal(
        &self,
        profile: &ProfileId,
        from: &SealedTokens,
    ) -> Result<SealedTokens, ConnectError> {
        let move_cell = |column: &str, sealed: &[u8]| -> Result<Vec<u8>, ConnectError> {
            let text = open(
                &self.ctx.secret_key,
                token_cell("pending_authorizations", column, profile),
                sealed,
            )?;
            self.ctx
                .secret_key
                .seal(token_cell("linkedin_tokens", column, profile), &text)
                .map_err(|error| {
                    SyncError::found(
                        crate::domain::sync::FailureReason::InternalError,
                        error.to_string(),
                    )
                    .into()
                })
        };
        Ok(SealedTokens {
            access_token: move_cell("access_token", &from.access_token)?,
            refresh_token: from
                .refresh_token
                .as_deref()
                .map(|sealed| move_cell("refresh_token", sealed))
                .transpose()?,
            ..from.clone()
        })
    }

    /// Drops a grant that nobody confirmed, and tells LinkedIn where no other token of the profile depends on it.
    ///
    /// # Errors
    /// The store's.
    pub async fn cancel(&self, actor: &Actor, profile: &ProfileId) -> Result<(), ConnectError> {
        let (pending, active) = {
            let profile = profile.clone();
            self.ctx
                .store
                .read(move |conn| {
                    Ok::<_, StoreError>((
                        store::tokens::find_pending(conn, &profile)?,
                        store::tokens::find(conn, &profile)?,
                    ))
                })
                .await?
        };
        let Some(pending) = pending else {
            return Err(ConnectError::NothingPending);
        };
        if active.is_none() {
            self.revoke_sealed("pending_authorizations", profile, &pending.tokens)
                .await;
        }
        let (actor, profile, now) = (actor.clone(), profile.clone(), self.ctx.clock.now());
        self.ctx
            .store
            .write(move |conn: &mut AnyConn| {
                store::tokens::delete_pending(conn, &profile)?;
                store::tokens::set_reauthorizing(conn, &profile, false)?;
                record(
                    conn,
                    now,
                    &actor,
                    "linkedin_user_profile.confirmation_declined",
                    ("linkedin_user_profile", profile.as_str(), ""),
                    None,
                    None,
                )
            })
            .await
            .map_err(|error: StoreError| error.into())
    }

    /// Ends the authorization: the tokens are erased here in any case and revoked at LinkedIn if it can be reached.
    /// Accounts, submissions and leads stay.
    ///
    /// # Errors
    /// The store's.
    pub async fn disconnect(
        &self,
        actor: &Actor,
        profile: &ProfileId,
    ) -> Result<DisconnectOutcome, ConnectError> {
        let stored = {
            let profile = profile.clone();
            self.ctx
                .store
                .read(move |conn| store::tokens::find(conn, &profile))
                .await?
        };
        let (actor, id, now) = (actor.clone(), profile.clone(), self.ctx.clock.now());
        self.ctx
            .store
            .write(move |conn: &mut AnyConn| {
                store::tokens::disconnect(conn, &id, now)?;
                record(
                    conn,
                    now,
                    &actor,
                    "linkedin_user_profile.disconnected",
                    ("linkedin_user_profile", id.as_str(), ""),
                    None,
                    Some(serde_json::json!({ "authorization": Authorization::NotAuthorized.as_str() })),
                )
            })
            .await
            .map_err(|error: StoreError| ConnectError::from(error))?;
        match stored {
            None => Ok(DisconnectOutcome::NothingToRevoke),
            Some(stored) => {
                if self
                    .revoke_sealed("linkedin_tokens", profile, &stored.sealed)
                    .await
                {
                    Ok(DisconnectOutcome::Revoked)
                } else {
                    Ok(DisconnectOutcome::NotRevoked)
                }
            }
        }
    }

    async fn revoke_sealed(&self, table: &str, profile: &ProfileId, tokens: &SealedTokens) -> bool {
        let Some(oauth) = &self.ctx.oauth else {
            return false;
        };
        let mut is_revoked = true;
        let cells = [
            ("access_token", Some(tokens.access_token.as_slice())),
            ("refresh_token", tokens.refresh_token.as_deref()),
        ];
        for (column, sealed) in cells {
            let Some(sealed) = sealed else { continue };
            let outcome = match open(
                &self.ctx.secret_key,
                token_cell(table, column, profile),
                sealed,
            ) {
                Ok(token) => {
                    oauth
                        .revoke(AccessToken::new(token.expose_secret()).secret())
                        .await
                }
                Err(error) => {
                    tracing::warn!(profile.id = %profile, error = %error, "a token could not be opened for revoking");
                    is_revoked = false;
                    continue;
                }
            };
            if let Err(error) = outcome {
                tracing::warn!(profile.id = %profile, error = %error, "a token could not be revoked at LinkedIn");
                is_revoked = false;
            }
        }
        is_revoked
    }
}
