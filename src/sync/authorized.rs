//! Calls LinkedIn with the token of a profile: refreshes it before it ends, asks LinkedIn whose fault a 401 is, and
//! remembers daily limits so that no request is spent on a closed endpoint.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;

use super::{SyncContext, SyncError};
use crate::auth::secret_key::{Cell, SecretKey};
use crate::domain::ids::ProfileId;
use crate::domain::sync::{FailureReason, next_attempt};
use crate::linkedin::oauth::TokenAnswer;
use crate::linkedin::{AccessToken, DayLimit, LinkedInError};
use crate::store::tokens::{SealedTokens, StoredTokens};
use crate::store::{self, StoreError};

/// A token is refreshed when less than this is left of it.
const REFRESH_BEFORE_END: TimeDelta = TimeDelta::hours(24);
/// How long one replica may take for a refresh before another one may try.
const REFRESH_LEASE: TimeDelta = TimeDelta::seconds(45);

/// The cell in which a token of a profile is sealed.
#[must_use]
pub fn token_cell<'a>(table: &'a str, column: &'a str, profile: &'a ProfileId) -> Cell<'a> {
    Cell {
        table,
        column,
        row: profile.as_str(),
    }
}

/// Seals a token answer of LinkedIn for a table's row.
///
/// # Errors
/// When the operating system has no randomness.
pub fn seal(
    key: &SecretKey,
    table: &str,
    profile: &ProfileId,
    answer: &TokenAnswer,
    now: DateTime<Utc>,
) -> Result<SealedTokens, SyncError> {
    let no_randomness =
        |error: std::io::Error| SyncError::found(FailureReason::InternalError, error.to_string());
    let after = |length: Duration| {
        TimeDelta::from_std(length)
            .ok()
            .and_then(|length| now.checked_add_signed(length))
            .unwrap_or(now)
    };
    Ok(SealedTokens {
        access_token: key
            .seal(
                token_cell(table, "access_token", profile),
                &SecretString::from(answer.access_token.secret().to_owned()),
            )
            .map_err(no_randomness)?,
        access_token_expires_at: after(answer.expires_in),
        refresh_token: answer
            .refresh_token
            .as_ref()
            .map(|token| key.seal(token_cell(table, "refresh_token", profile), token))
            .transpose()
            .map_err(no_randomness)?,
        refresh_token_expires_at: answer.refresh_token_expires_in.map(after),
        scopes: answer.scopes.clone(),
    })
}

/// Opens a sealed token.
///
/// # Errors
/// `InternalError` when the secret key changed or the cell was altered.
pub fn open(key: &SecretKey, cell: Cell<'_>, sealed: &[u8]) -> Result<SecretString, SyncError> {
    key.open(cell, sealed).map_err(|error| {
        SyncError::found(
            FailureReason::InternalError,
            format!("the stored token cannot be opened: {error}; authorise the profile again"),
        )
    })
}

type Blocks = HashMap<(String, Option<ProfileId>), DateTime<Utc>>;

/// LinkedIn, seen through one profile.
#[derive(Clone)]
pub struct Authorized {
    ctx: SyncContext,
    profile: ProfileId,
    blocks: Arc<Mutex<Blocks>>,
}

struct Opened {
    token: AccessToken,
    stored: StoredTokens,
}

impl Authorized {
    /// Prepares calls through a profile; reads which endpoints are closed.
    ///
    /// # Errors
    /// As any query.
    pub async fn new(ctx: &SyncContext, profile: ProfileId) -> Result<Self, SyncError> {
        let now = ctx.clock.now();
        let blocks = ctx
            .store
            .read(move |conn| store::streams::blocks(conn, now))
            .await?
            .into_iter()
            .map(|(endpoint, profile, until)| ((endpoint, profile), until))
            .collect();
        Ok(Self {
            ctx: ctx.clone(),
            profile,
            blocks: Arc::new(Mutex::new(blocks)),
        })
    }

    /// The profile.
    #[must_use]
    pub fn profile(&self) -> &ProfileId {
        &self.profile
    }

    /// Makes one call of `endpoint` (LinkedIn's resource name, which is what its limits count).
    ///
    /// # Errors
    /// LinkedIn's, after what can be mended was mended; `TokenExpired` and `TokenRevoked` once the profile needs a new
    /// authorization; `PermissionMissing` when the token is good and LinkedIn refuses all the same.
    pub async fn call<T, F>(
        &self,
        endpoint: &str,
        request: impl Fn(AccessToken) -> F,
    ) -> Result<T, SyncError>
    where
        F: Future<Output = Result<T, LinkedInError>>,
    {
        self.refuse_closed(endpoint)?;
        let opened = self.token().await?;
        match request(opened.token.clone()).await {
            Err(LinkedInError::Unauthorized(refusal)) => {
                let error = LinkedInError::Unauthorized(refusal);
                self.after_unauthorized(opened, error, request).await
            }
            Err(error) => Err(self.after_failure(endpoint, error).await),
            Ok(answer) => Ok(answer),
        }
    }

    fn refuse_closed(&self, endpoint: &str) -> Result<(), SyncError> {
        let now = self.ctx.clock.now();
        let blocks = self
            .blocks
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let closed = [None, Some(self.profile.clone())]
            .into_iter()
            .filter_map(|profile| blocks.get(&(endpoint.to_owned(), profile)))
            .max()
            .filter(|until| **until > now);
        match closed {
            Some(until) => Err(SyncError::found(
                FailureReason::DailyLimitReached,
                format!(
                    "{endpoint} is closed until {}",
                    until.format("%Y-%m-%d %H:%M UTC")
                ),
            )),
            None => Ok(()),
        }
    }

    /// Remembers a daily limit.
    async fn after_failure(&self, endpoint: &str, error: LinkedInError) -> SyncError {
        if let LinkedInError::RateLimited {
            day_limit: Some(limit),
            ..
        } = &error
        {
            let now = self.ctx.clock.now();
            let until = next_attempt(1, FailureReason::DailyLimitReached, now, 0.0, None);
            let profile = match limit {
                DayLimit::Application => None,
                DayLimit::ApplicationAndMember => Some(self.profile.clone()),
            };
            if let Ok(mut blocks) = self.blocks.lock() {
                blocks.insert((endpoint.to_owned(), profile.clone()), until);
            }
            let name = endpoint.to_owned();
            let stored = self
                .ctx
                .store
                .write(move |conn| store::streams::block(conn, &name, profile.as_ref(), until))
                .await;
            if let Err(problem) = stored {
                let problem: StoreError = problem;
                tracing::warn!(error = %problem, "the daily limit could not be stored");
            }
        }
        error.into()
    }

    async fn stored(&self) -> Result<StoredTokens, SyncError> {
        let profile = self.profile.clone();
        self.ctx
            .store
            .read(move |conn| store::tokens::find(conn, &profile))
            .await?
            .ok_or_else(|| {
                SyncError::found(
                    FailureReason::NotAuthorized,
                    "the profile has no token any more",
                )
            })
    }

    fn opened(&self, stored: StoredTokens) -> Result<Opened, SyncError> {
        let token = open(
            &self.ctx.secret_key,
            token_cell("linkedin_tokens", "access_token", &self.profile),
            &stored.sealed.access_token,
        )?;
        Ok(Opened {
            token: AccessToken::from(token),
            stored,
        })
    }

    /// A usable token; refreshed first when its end is near and LinkedIn gave a refresh token.
    async fn token(&self) -> Result<Opened, SyncError> {
        let stored = self.stored().await?;
        let now = self.ctx.clock.now();
        let ends = stored.sealed.access_token_expires_at;
        if stored.sealed.refresh_token.is_some() && ends - now < REFRESH_BEFORE_END {
            match self.refresh(&stored).await {
                Ok(fresh) => return self.opened(fresh),
                // While the old token still works, a failed refresh is tried again by a later call.
                Err(error) if ends > now && error.reason() != FailureReason::TokenRevoked => {
                    tracing::warn!(profile.id = %self.profile, error = %error, "token refresh failed, the old token goes on");
                }
                Err(error) => return Err(error),
            }
        } else if ends <= now {
            return Err(self.expire(&stored, FailureReason::TokenExpired).await?);
        }
        self.opened(stored)
    }

    /// Gets a new access token; one replica does it, the others wait for its result.
    async fn refresh(&self, stored: &StoredTokens) -> Result<StoredTokens, SyncError> {
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
            return self.wait_for_refresh(version).await;
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
                self.stored().await
            }
            Err(LinkedInError::Token { status: 400, .. }) => {
                Err(self.expire(stored, FailureReason::TokenRevoked).await?)
            }
            Err(error) => {
                let profile = self.profile.clone();
                self.ctx
                    .store
                    .write(move |conn| store::tokens::give_up_refresh(conn, &profile, version))
                    .await
                    .map_err(|error: StoreError| SyncError::from(error))?;
                Err(match error {
                    LinkedInError::Token { error, .. } => SyncError::found(
                        FailureReason::AppNotConfigured,
                        format!("LinkedIn does not accept the client id and secret ({error})"),
                    ),
                    other => other.into(),
                })
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
    async fn expire(
        &self,
        stored: &StoredTokens,
        reason: FailureReason,
    ) -> Result<SyncError, SyncError> {
        let (profile, version, now) = (self.profile.clone(), stored.version, self.ctx.clock.now());
        let expired = self
            .ctx
            .store
            .write(move |conn| store::tokens::expire(conn, &profile, version, reason, now))
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

    /// A 401: a fresh token is given time, a newer token is taken, LinkedIn is asked, and only then is the token gone.
    async fn after_unauthorized<T, F>(
        &self,
        opened: Opened,
        error: LinkedInError,
        request: impl Fn(AccessToken) -> F,
    ) -> Result<T, SyncError>
    where
        F: Future<Output = Result<T, LinkedInError>>,
    {
        let mut opened = opened;
        let mut error = error;
        let current = self.stored().await?;
        if current.version != opened.stored.version {
            opened = self.opened(current)?;
            match request(opened.token.clone()).await {
                Err(LinkedInError::Unauthorized(refusal)) => {
                    error = LinkedInError::Unauthorized(refusal);
                }
                other => return other.map_err(SyncError::from),
            }
        }
        let grace = self.grace_left(&opened.stored, &error);
        let mut waited = Duration::ZERO;
        let mut pause = Duration::from_millis(500);
        while waited < grace {
            tokio::time::sleep(pause).await;
            waited += pause;
            pause = (pause * 2).min(Duration::from_secs(8));
            match request(opened.token.clone()).await {
                Err(LinkedInError::Unauthorized(_)) => {}
                other => return other.map_err(SyncError::from),
            }
        }
        let Some(oauth) = &self.ctx.oauth else {
            return Err(error.into());
        };
        let introspection = oauth.introspect(&opened.token).await?;
        if introspection.active {
            return Err(SyncError::found(
                FailureReason::PermissionMissing,
                "LinkedIn answered 401, but says that the token is good: a role or a permission is missing",
            ));
        }
        if opened.stored.sealed.refresh_token.is_some() {
            let fresh = self.refresh(&opened.stored).await?;
            let fresh = self.opened(fresh)?;
            return match request(fresh.token.clone()).await {
                Err(LinkedInError::Unauthorized(refusal)) => Err(SyncError::found(
                    FailureReason::PermissionMissing,
                    format!("LinkedIn does not accept the refreshed token yet ({refusal})"),
                )),
                other => other.map_err(SyncError::from),
            };
        }
        let reason = if introspection.status.as_deref() == Some("expired")
            || error.service_error_code() == Some(65_602)
        {
            FailureReason::TokenExpired
        } else {
            FailureReason::TokenRevoked
        };
        Err(self.expire(&opened.stored, reason).await?)
    }

    /// How much longer a 401 may only mean that LinkedIn has not noticed its own new token (it then says "revoked").
    fn grace_left(&self, stored: &StoredTokens, error: &LinkedInError) -> Duration {
        if error.service_error_code() != Some(65_601) {
            return Duration::ZERO;
        }
        let age = (self.ctx.clock.now() - stored.issued_at)
            .to_std()
            .unwrap_or_default();
        self.ctx.options.fresh_token_grace.saturating_sub(age)
    }
}
