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

/// A token is refreshed when less than this is left of it, or less than a quarter of its life: near the end of the
/// refresh token LinkedIn gives ever shorter ones, which must not be refreshed with every call.
const REFRESH_BEFORE_END: TimeDelta = TimeDelta::hours(24);
/// How long one replica may take for a refresh before another one may try; also the pause after a failed one.
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

type Blocks = HashMap<(String, Option<ProfileId>), (DateTime<Utc>, FailureReason)>;

/// LinkedIn, seen through one profile.
#[derive(Clone)]
pub struct Authorized {
    ctx: SyncContext,
    profile: ProfileId,
    blocks: Arc<Mutex<Blocks>>,
    /// Endpoints that answered 429 in this run: they are not asked again before the next one.
    paused: Arc<Mutex<HashMap<String, LinkedInError>>>,
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
            .map(|block| ((block.endpoint, block.profile), (block.until, block.reason)))
            .collect();
        Ok(Self {
            ctx: ctx.clone(),
            profile,
            blocks: Arc::new(Mutex::new(blocks)),
            paused: Arc::default(),
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
        match self.attempt(endpoint, &opened, &request).await? {
            Ok(answer) => Ok(answer),
            Err(error) => {
                self.after_unauthorized(endpoint, opened, error, &request)
                    .await
            }
        }
    }

    /// One request: the answer, or the 401 that the caller has to look into; other failures are final.
    async fn attempt<T, F>(
        &self,
        endpoint: &str,
        opened: &Opened,
        request: &impl Fn(AccessToken) -> F,
    ) -> Result<Result<T, LinkedInError>, SyncError>
    where
        F: Future<Output = Result<T, LinkedInError>>,
    {
        let answer = request(opened.token.clone()).await;
        let is_refused = matches!(answer, Err(LinkedInError::RateLimited { .. }));
        let day = self.ctx.clock.now().date_naive();
        self.ctx
            .calls
            .note(day, endpoint, &self.profile, is_refused);
        match answer {
            Err(error @ LinkedInError::Unauthorized(_)) => Ok(Err(error)),
            Err(error) => Err(self.after_failure(endpoint, error).await),
            Ok(answer) => Ok(Ok(answer)),
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
            .max_by_key(|(until, _)| *until)
            .filter(|(until, _)| *until > now);
        if let Some((until, reason)) = closed {
            return Err(SyncError::Closed {
                reason: *reason,
                detail: format!(
                    "{endpoint} is closed until {}",
                    until.format("%Y-%m-%d %H:%M UTC")
                ),
                wait: (*until - now).to_std().unwrap_or_default(),
            });
        }
        let paused = self
            .paused
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        match paused.get(endpoint) {
            Some(error) => Err(error.clone().into()),
            None => Ok(()),
        }
    }

    /// Remembers a rate limit: for the day or for as long as LinkedIn asked for all replicas, otherwise for this run.
    async fn after_failure(&self, endpoint: &str, error: LinkedInError) -> SyncError {
        let LinkedInError::RateLimited {
            day_limit,
            retry_after,
            ..
        } = &error
        else {
            return error.into();
        };
        let now = self.ctx.clock.now();
        let block = match (day_limit, retry_after.filter(|wait| !wait.is_zero())) {
            (Some(limit), wait) => Some((
                match limit {
                    DayLimit::Application => None,
                    DayLimit::ApplicationAndMember => Some(self.profile.clone()),
                },
                FailureReason::DailyLimitReached,
                next_attempt(1, FailureReason::DailyLimitReached, now, 0.0, wait),
            )),
            (None, Some(wait)) => Some((
                Some(self.profile.clone()),
                FailureReason::RateLimited,
                next_attempt(1, FailureReason::RateLimited, now, 0.0, Some(wait)),
            )),
            (None, None) => None,
        };
        let Some((profile, reason, until)) = block else {
            if let Ok(mut paused) = self.paused.lock() {
                paused.insert(endpoint.to_owned(), error.clone());
            }
            return error.into();
        };
        if let Ok(mut blocks) = self.blocks.lock() {
            blocks.insert((endpoint.to_owned(), profile.clone()), (until, reason));
        }
        let block = store::streams::Block {
            endpoint: endpoint.to_owned(),
            profile,
            until,
            reason,
        };
        let stored = self
            .ctx
            .store
            .write(move |conn| store::streams::block(conn, &block))
            .await;
        if let Err(problem) = stored {
            let problem: StoreError = problem;
            tracing::warn!(error = %problem, "the rate limit could not be stored");
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
        let is_usable = ends > now;
        let margin = REFRESH_BEFORE_END.min((ends - stored.issued_at) / 4);
        if stored.sealed.refresh_token.is_some() && ends - now < margin {
            match self.refresh(&stored, is_usable).await {
                Ok(Some(fresh)) => return self.opened(fresh),
                Ok(None) => {}
                // While the old token still works, a failed refresh is tried again by a later call.
                Err(error)
                    if is_usable
                        && !matches!(
                            error.reason(),
                            FailureReason::TokenRevoked | FailureReason::TokenExpired
                        ) =>
                {
                    tracing::warn!(profile.id = %self.profile, error = %error, "token refresh failed, the old token goes on");
                }
                Err(error) => return Err(error),
            }
        } else if !is_usable {
            return Err(self.expire(&stored, FailureReason::TokenExpired).await?);
        }
        self.opened(stored)
    }

    /// Gets a new access token; one replica does it, the others wait for its result. With a token that still works
    /// (`is_usable`) nobody waits, and after a failure nobody tries again for a while: then there is no answer.
    async fn refresh(
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
    async fn expire(
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

    /// A 401: a newer token is taken, a fresh token is given time, LinkedIn is asked, and only then is the token gone.
    async fn after_unauthorized<T, F>(
        &self,
        endpoint: &str,
        opened: Opened,
        error: LinkedInError,
        request: &impl Fn(AccessToken) -> F,
    ) -> Result<T, SyncError>
    where
        F: Future<Output = Result<T, LinkedInError>>,
    {
        let mut opened = opened;
        let mut error = error;
        let current = self.stored().await?;
        if current.version != opened.stored.version {
            opened = self.opened(current)?;
            match self.attempt(endpoint, &opened, request).await? {
                Ok(answer) => return Ok(answer),
                Err(again) => error = again,
            }
        }
        let error = match self.give_time(endpoint, &opened, error, request).await? {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        let Some(oauth) = &self.ctx.oauth else {
            return Err(error.into());
        };
        let introspection = oauth.introspect(&opened.token).await.map_err(app_refused)?;
        if introspection.active {
            return Err(SyncError::found(
                FailureReason::PermissionMissing,
                "LinkedIn answered 401, but says that the token is good: a role or a permission is missing",
            ));
        }
        if opened.stored.sealed.refresh_token.is_some() {
            let fresh = match self.refresh(&opened.stored, false).await? {
                Some(fresh) => self.opened(fresh)?,
                None => return Err(error.into()),
            };
            let refused = match self.attempt(endpoint, &fresh, request).await? {
                Ok(answer) => return Ok(answer),
                Err(refused) => refused,
            };
            return match self.give_time(endpoint, &fresh, refused, request).await? {
                Ok(answer) => Ok(answer),
                Err(refused) => Err(SyncError::found(
                    FailureReason::PermissionMissing,
                    format!("LinkedIn does not accept the refreshed token ({refused})"),
                )),
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

    /// Repeats a request that a fresh token was refused for, until it is accepted or no longer fresh.
    async fn give_time<T, F>(
        &self,
        endpoint: &str,
        opened: &Opened,
        error: LinkedInError,
        request: &impl Fn(AccessToken) -> F,
    ) -> Result<Result<T, LinkedInError>, SyncError>
    where
        F: Future<Output = Result<T, LinkedInError>>,
    {
        let grace = self.grace_left(&opened.stored, &error);
        let mut waited = Duration::ZERO;
        let mut pause = Duration::from_millis(500);
        let mut error = error;
        while waited < grace {
            tokio::time::sleep(pause).await;
            waited += pause;
            pause = (pause * 2).min(Duration::from_secs(8));
            match self.attempt(endpoint, opened, request).await? {
                Ok(answer) => return Ok(Ok(answer)),
                Err(again) => error = again,
            }
        }
        Ok(Err(error))
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

/// The authorization server refuses the portal itself, not the member's grant.
fn app_refused(error: LinkedInError) -> SyncError {
    match error {
        LinkedInError::Token { error, .. } => SyncError::found(
            FailureReason::AppNotConfigured,
            format!("LinkedIn does not accept the client id and secret ({error})"),
        ),
        other => other.into(),
    }
}
