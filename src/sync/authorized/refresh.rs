//! New access tokens: one replica refreshes, the others wait; and the end of a token that nothing renews.

use std::time::Duration;

use chrono::TimeDelta;

use super::sealing::{open, seal, token_cell};
use super::{Authorized, app_refused};
use crate::domain::sync::FailureReason;
use crate::linkedin::LinkedInError;
use crate::store::tokens::StoredTokens;
use crate::store::{self, StoreError};
use crate::sync::SyncError;

/// How long one replica may take for a refresh before another one may try; also the pause after a failed one.
const REFRESH_LEASE: TimeDelta = TimeDelta::seconds(45);

impl Authorized {
    /// Gets a new access token; one replica does it, the others wait for its result. With a token that still works
    /// (`is_usable`) nobody waits, and after a failure nobody tries again for a while: then there is no answer.
    pub(super) async fn refresh(
        &self,
        stored: &StoredTokens,
        is_usable: bool,
    ) -> Result<Option<StoredTokens>, SyncError> {
        let Some(sealed) = &stored.sealed.refresh_token else {
            return Err(self.expire(stored, FailureReason::TokenExpired).await?);
        };
        let Some(oauth) = &self.ctx.oauth else {
            return Err(SyncError::found(
                FailureReason::AppNotConfigured,
                "LEADGEN_LINKEDIN_CLIENT_ID and LEADGEN_LINKEDIN_CLIENT_SECRET are not set",
            ));
        };
        let version = stored.version;
        let profile = self.profile.clone();
        let won = self
            .ctx
            .store
            .write(move |conn| store::tokens::claim_refresh(conn, &profile, version, REFRESH_LEASE))
            .await
            .map_err(|error: StoreError| SyncError::from(error))?;
        if !won {
            return if is_usable {
                Ok(None)
            } else {
                self.wait_for_refresh(version).await.map(Some)
            };
        }
        let refresh_token = open(
            &self.ctx.secret_key,
            token_cell("linkedin_tokens", "refresh_token", &self.profile),
            sealed,
        )?;
        let now = self.ctx.clock.now();
        match oauth.refresh(&refresh_token).await {
            Ok(mut answer) => {
                // LinkedIn keeps the refresh token and its end; an answer that leaves them out does not take them away.
                let kept = answer.refresh_token.is_none();
                if kept {
                    answer.refresh_token = Some(refresh_token);
                }
                let mut tokens = seal(
                    &self.ctx.secret_key,
                    "linkedin_tokens",
                    &self.profile,
                    &answer,
                    now,
                )?;
                if tokens.refresh_token_expires_at.is_none() {
                    tokens.refresh_token_expires_at = stored.sealed.refresh_token_expires_at;
                }
                if tokens.scopes.is_empty() {
                    tokens.scopes.clone_from(&stored.sealed.scopes);
                }
                let profile = self.profile.clone();
                let saved = self
                    .ctx
                    .store
                    .write(move |conn| {
                        store::tokens::save_refreshed(conn, &profile, version, &tokens, now)
                    })
                    .await
                    .map_err(|error: StoreError| SyncError::from(error))?;
                tracing::info!(profile.id = %self.profile, token.is_saved = saved, "access token refreshed");
                self.stored().await.map(Some)
            }
            Err(LinkedInError::Token {
                status: 400, error, ..
            }) if !error.starts_with("invalid_client") => {
                let has_ended = stored
                    .sealed
                    .refresh_token_expires_at
                    .is_some_and(|end| end <= now);
                let reason = if has_ended {
                    FailureReason::TokenExpired
                } else {
                    FailureReason::TokenRevoked
                };
                Err(self.expire(stored, reason).await?)
            }
            Err(error) => {
                if !is_usable {
                    let profile = self.profile.clone();
                    self.ctx
                        .store
                        .write(move |conn| store::tokens::give_up_refresh(conn, &profile, version))
                        .await
                        .map_err(|error: StoreError| SyncError::from(error))?;
                }
                Err(app_refused(error))
            }
        }
    }

    async fn wait_for_refresh(&self, version: i64) -> Result<StoredTokens, SyncError> {
        for _ in 0..60 {
            tokio::time::sleep(Duration::from_millis(500)).await;
            let stored = self.stored().await?;
            if stored.version != version {
                return Ok(stored);
            }
        }
        Err(SyncError::found(
            FailureReason::LinkedinTimeout,
            "another process is refreshing the token and has not come back",
        ))
    }

    /// Takes the token away and says why; the error to return.
    pub(super) async fn expire(
        &self,
        stored: &StoredTokens,
        reason: FailureReason,
    ) -> Result<SyncError, SyncError> {
        let (profile, version, now) = (self.profile.clone(), stored.version, self.ctx.clock.now());
        let expired = self
            .ctx
            .store
            .write(move |conn| {
                let expired = store::tokens::expire(conn, &profile, version, reason, now)?;
                if expired {
                    store::audit::record(
                        conn,
                        now,
                        &store::audit::Actor::s2s_inbound(),
                        "linkedin_user_profile.expired",
                        ("linkedin_user_profile", profile.as_str(), ""),
                        None,
                        Some(serde_json::json!({ "reason": reason.as_str() })),
                    )?;
                }
                Ok(expired)
            })
            .await
            .map_err(|error: StoreError| SyncError::from(error))?;
        if expired {
            tracing::warn!(profile.id = %self.profile, reason = reason.as_str(), "the profile needs a new authorization");
        }
        Ok(SyncError::found(
            reason,
            "the profile has to be authorised again",
        ))
    }
}
