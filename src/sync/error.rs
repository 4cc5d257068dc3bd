//! Why a sync step failed, and under which reason of the closed list people read it.

use std::time::Duration;

use crate::domain::sync::FailureReason;
use crate::linkedin::LinkedInError;
use crate::store::StoreError;

/// A failed step of the sync.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// LinkedIn, or the way to it.
    #[error(transparent)]
    LinkedIn(#[from] LinkedInError),
    /// Our database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A reason that the sync found itself, with a detail for people.
    #[error("{reason}: {detail}")]
    Found {
        /// From the closed list.
        reason: FailureReason,
        /// More about it; no personal data.
        detail: String,
    },
    /// LinkedIn has closed an endpoint, so it was not asked.
    #[error("{reason}: {detail}")]
    Closed {
        /// The limit that closed it.
        reason: FailureReason,
        /// Which endpoint and until when.
        detail: String,
        /// How long from now.
        wait: Duration,
    },
}

impl SyncError {
    /// A reason that the sync found itself.
    pub fn found(reason: FailureReason, detail: impl Into<String>) -> Self {
        Self::Found {
            reason,
            detail: detail.into(),
        }
    }

    /// The reason under which people read it.
    #[must_use]
    pub fn reason(&self) -> FailureReason {
        match self {
            Self::Found { reason, .. } | Self::Closed { reason, .. } => *reason,
            Self::Store(StoreError::LeaseLost) => FailureReason::LeaseLost,
            Self::Store(error) if error.is_transient() => FailureReason::DatabaseUnavailable,
            Self::Store(_) => FailureReason::InternalError,
            Self::LinkedIn(error) => match error {
                LinkedInError::Unauthorized(_) => FailureReason::PermissionMissing,
                LinkedInError::Forbidden(_) => FailureReason::Forbidden,
                LinkedInError::NotFound(_) => FailureReason::NotFound,
                LinkedInError::RateLimited {
                    day_limit: Some(_), ..
                } => FailureReason::DailyLimitReached,
                LinkedInError::RateLimited { .. } => FailureReason::RateLimited,
                LinkedInError::VersionNotActive(_) => FailureReason::VersionNotActive,
                LinkedInError::BadRequest(_) => FailureReason::BadRequest,
                LinkedInError::Server(_) => FailureReason::LinkedinError,
                LinkedInError::Timeout => FailureReason::LinkedinTimeout,
                LinkedInError::Network { .. } => FailureReason::LinkedinUnreachable,
                LinkedInError::UnexpectedAnswer { .. } => FailureReason::UnexpectedAnswer,
                LinkedInError::Token { .. } => FailureReason::TokenRevoked,
                LinkedInError::Configuration { .. } => FailureReason::AppNotConfigured,
            },
        }
    }

    /// More about it for the status page, at most 300 characters; no token, answer or e-mail address.
    #[must_use]
    pub fn detail(&self) -> String {
        let text = match self {
            Self::Found { detail, .. } | Self::Closed { detail, .. } => detail.clone(),
            other => other.to_string(),
        };
        text.chars().take(300).collect()
    }

    /// How long LinkedIn asked to wait.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::LinkedIn(LinkedInError::RateLimited { retry_after, .. }) => *retry_after,
            Self::Closed { wait, .. } => Some(*wait),
            _ => None,
        }
    }
}
