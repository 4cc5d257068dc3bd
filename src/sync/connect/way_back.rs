//! LinkedIn's way back: the state is checked and used up, the code exchanged, and what was granted kept for confirmation.

use std::sync::Arc;

use super::{ConnectError, Connector, cleaned, hash};
use crate::domain::ids::{ProfileId, UserId};
use crate::domain::profile::missing_scopes;
use crate::linkedin::LinkedInError;
use crate::linkedin::oauth::{LinkedInOAuth, TokenAnswer};
use crate::store::connections::NotAllowed;
use crate::store::pending_authorizations::PendingGrant;
use crate::store::{self, AnyConn, StoreError};
use crate::sync::authorized::seal;

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

impl Connector {
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
        let outcome = match self.check(user).await {
            Ok(()) => self.exchange(oauth, user, &profile, &query).await,
            Err(error) => Err(error),
        };
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
                let Some(known) = store::oauth_states::find(conn, &state_hash)? else {
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
                if !store::oauth_states::consume(conn, &state_hash, now)? {
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
        let pending = PendingGrant {
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
        let (person, options) = (user.clone(), Arc::clone(&self.ctx.options));
        let saved = self
            .ctx
            .store
            .write(move |conn| {
                // The consent may have been withdrawn while the person was at LinkedIn.
                store::connections::check(conn, &options.deployment, &person)?;
                store::pending_authorizations::save(conn, &profile, &pending)?;
                Ok::<_, NotAllowed>(())
            })
            .await;
        if let Err(NotAllowed::Refused(_)) = &saved {
            self.revoke(oauth, &answer).await;
        }
        saved.map_err(ConnectError::from)
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
}
