//! Calls LinkedIn with the token of a profile: refreshes it before it ends, asks LinkedIn whose fault a 401 is, and
//! remembers daily limits so that no request is spent on a closed endpoint.

mod limits;
mod refresh;
mod sealing;

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

pub use sealing::{open, seal, token_cell};

use super::{SyncContext, SyncError};
use crate::domain::ids::ProfileId;
use crate::domain::sync::FailureReason;
use crate::linkedin::{AccessToken, LinkedInError};
use crate::store;
use crate::store::tokens::StoredTokens;

/// A token is refreshed when less than this is left of it, or less than a quarter of its life: near the end of the
/// refresh token LinkedIn gives ever shorter ones, which must not be refreshed with every call.
const REFRESH_BEFORE_END: TimeDelta = TimeDelta::hours(24);

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

    async fn stored(&self) -> Result<StoredTokens, SyncError> {
        let profile = self.profile.clone();
        self.ctx
            .store
            .read(move |conn| match store::tokens::find(conn, &profile)? {
                Some(tokens) => Ok(Ok(tokens)),
                None => store::profiles::is_consent_withdrawn(conn, &profile).map(Err),
            })
            .await?
            .map_err(|is_withdrawn| {
                if is_withdrawn {
                    SyncError::found(
                        FailureReason::ConsentWithdrawn,
                        "the consent was withdrawn, so nothing more is read",
                    )
                } else {
                    SyncError::found(
                        FailureReason::NotAuthorized,
                        "the profile has no token any more",
                    )
                }
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
        self.stored().await?;
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
            // Somebody may have withdrawn the consent meanwhile: a token that is gone here is not used once more.
            if self.stored().await?.version != opened.stored.version {
                return Ok(Err(error));
            }
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
