//! What can go wrong at LinkedIn, sorted by what a caller may do about it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Deserialize;

use crate::http_answer::{retry_after, tidy};

/// LinkedIn's own words about a refused request. Holds no token and no answer of a person.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// `code` of the gateway envelope, `EXPIRED_ACCESS_TOKEN`; absent in the legacy envelope.
    pub code: Option<String>,
    /// `serviceErrorCode`, 65602.
    pub service_error_code: Option<i64>,
    /// `message`, at most 300 characters; LinkedIn forbids to decide by it.
    pub message: Option<String>,
    /// `x-li-request-id`.
    pub request_id: Option<String>,
    /// `x-li-uuid`.
    pub uuid: Option<String>,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HTTP {}", self.status)?;
        if let Some(code) = &self.code {
            write!(f, " {code}")?;
        }
        if let Some(number) = self.service_error_code {
            write!(f, " ({number})")?;
        }
        if let Some(message) = &self.message {
            write!(f, ": {message}")?;
        }
        Ok(())
    }
}

/// Whose day's quota is used up. Both counters start again at 00:00 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DayLimit {
    /// All members of the developer app share it.
    Application,
    /// This member in this app.
    ApplicationAndMember,
}

/// A failed call. No variant holds a token, a secret or an answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkedInError {
    /// 401. Introspect the token before throwing it away: a missing role has been seen as 401, too.
    #[error("LinkedIn did not accept the access token ({0})")]
    Unauthorized(Box<Refusal>),
    /// 403: a scope or a role is missing.
    #[error("LinkedIn denied access ({0})")]
    Forbidden(Box<Refusal>),
    /// 404: gone, restricted, or never there.
    #[error("LinkedIn does not know it ({0})")]
    NotFound(Box<Refusal>),
    /// 429.
    #[error("LinkedIn's rate limit was reached ({refusal})")]
    RateLimited {
        /// Set when the day's quota is used up: no request before 00:00 UTC helps.
        day_limit: Option<DayLimit>,
        /// `Retry-After`, at most [`RETRY_AFTER_CAP`](crate::http_answer::RETRY_AFTER_CAP); unreadable values count as absent.
        retry_after: Option<Duration>,
        /// LinkedIn's words.
        refusal: Box<Refusal>,
    },
    /// 426: the configured `LinkedIn-Version` was sunset or never existed. Only a configuration change helps.
    #[error("LinkedIn no longer serves the configured API version ({0})")]
    VersionNotActive(Box<Refusal>),
    /// Any other 4xx: the request itself is wrong, a repeat will not help.
    #[error("LinkedIn refused the request ({0})")]
    BadRequest(Box<Refusal>),
    /// 5xx. Worth a retry.
    #[error("LinkedIn failed ({0})")]
    Server(Box<Refusal>),
    /// The time allowed was over before the answer was complete. Worth a retry.
    #[error("LinkedIn did not answer in time")]
    Timeout,
    /// No connection, or it broke before an answer began. Worth a retry.
    #[error("LinkedIn could not be reached: {what}")]
    Network {
        /// Connection refused, reset, name not found …
        what: String,
    },
    /// A 2xx or 3xx that is not the documented answer (HTML, cut off, empty, wrong type, a redirect, too large,
    /// wrongly compressed). Never to be read as "no data". Worth a retry.
    #[error("LinkedIn gave an unexpected answer: {what}")]
    UnexpectedAnswer {
        /// What was seen, without the content.
        what: String,
    },
    /// The authorization server refused, with OAuth's words.
    #[error("LinkedIn's authorization server refused: {error}")]
    Token {
        /// The HTTP status, mostly 400 or 401.
        status: u16,
        /// `error`: `invalid_request`, `invalid_client`, `invalid_grant` …
        error: String,
        /// `error_description`, at most 300 characters.
        description: Option<String>,
    },
    /// The client cannot be built or an argument cannot be sent.
    #[error("the LinkedIn client is not usable: {what}")]
    Configuration {
        /// What is wrong and where.
        what: String,
    },
}

impl LinkedInError {
    /// LinkedIn's own words, where it said any.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Unauthorized(refusal)
            | Self::Forbidden(refusal)
            | Self::NotFound(refusal)
            | Self::VersionNotActive(refusal)
            | Self::BadRequest(refusal)
            | Self::Server(refusal)
            | Self::RateLimited { refusal, .. } => Some(refusal),
            Self::Timeout
            | Self::Network { .. }
            | Self::UnexpectedAnswer { .. }
            | Self::Token { .. }
            | Self::Configuration { .. } => None,
        }
    }

    /// `serviceErrorCode` of the refusal, 65601 for instance.
    #[must_use]
    pub fn service_error_code(&self) -> Option<i64> {
        self.refusal()
            .and_then(|refusal| refusal.service_error_code)
    }

    /// A stable short name for logs and counters.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Unauthorized(_) => "unauthorized",
            Self::Forbidden(_) => "forbidden",
            Self::NotFound(_) => "not_found",
            Self::RateLimited { .. } => "rate_limited",
            Self::VersionNotActive(_) => "version_not_active",
            Self::BadRequest(_) => "bad_request",
            Self::Server(_) => "server",
            Self::Timeout => "timeout",
            Self::Network { .. } => "network",
            Self::UnexpectedAnswer { .. } => "unexpected_answer",
            Self::Token { .. } => "token",
            Self::Configuration { .. } => "configuration",
        }
    }

    pub(super) fn unexpected(what: impl Into<String>) -> Self {
        Self::UnexpectedAnswer { what: what.into() }
    }
}

/// The parts of a refused answer that decide its class.
pub(super) struct RefusedAnswer<'a> {
    pub(super) status: u16,
    pub(super) body: &'a [u8],
    pub(super) retry_after: Option<&'a str>,
    pub(super) date: Option<DateTime<Utc>>,
    pub(super) request_id: Option<String>,
    pub(super) uuid: Option<String>,
    /// The secret that was sent; erased from the message, should LinkedIn ever echo it.
    pub(super) secret: Option<&'a str>,
}

/// LinkedIn's two envelopes, legacy (no `code`) and gateway; each part is optional and may be of any type.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    code: Option<serde_json::Value>,
    service_error_code: Option<serde_json::Value>,
    message: Option<serde_json::Value>,
}

/// Sorts a non-2xx answer of the REST API. An unreadable body changes nothing about the class.
pub(super) fn classify(answer: &RefusedAnswer<'_>) -> LinkedInError {
    let envelope: Option<Envelope> = serde_json::from_slice(answer.body).ok();
    let text = |value: Option<&serde_json::Value>| {
        let text = value?.as_str()?;
        Some(tidy(text, answer.secret))
    };
    let refusal = Box::new(Refusal {
        status: answer.status,
        code: text(envelope.as_ref().and_then(|e| e.code.as_ref())),
        service_error_code: envelope
            .as_ref()
            .and_then(|e| e.service_error_code.as_ref())
            .and_then(serde_json::Value::as_i64),
        message: text(envelope.as_ref().and_then(|e| e.message.as_ref())),
        request_id: answer.request_id.clone(),
        uuid: answer.uuid.clone(),
    });
    match answer.status {
        300..=399 => LinkedInError::unexpected(format!(
            "a redirect (HTTP {}), which is never followed",
            answer.status
        )),
        401 => LinkedInError::Unauthorized(refusal),
        403 => LinkedInError::Forbidden(refusal),
        404 => LinkedInError::NotFound(refusal),
        426 => LinkedInError::VersionNotActive(refusal),
        429 => LinkedInError::RateLimited {
            day_limit: refusal.message.as_deref().and_then(day_limit),
            retry_after: answer
                .retry_after
                .and_then(|value| retry_after(value, answer.date)),
            refusal,
        },
        400..=499 => LinkedInError::BadRequest(refusal),
        500..=599 => LinkedInError::Server(refusal),
        other => LinkedInError::unexpected(format!("HTTP status {other}")),
    }
}

/// LinkedIn says whose day's quota ended only in the message (linkedin-api.md §8.2).
fn day_limit(message: &str) -> Option<DayLimit> {
    let mut words = message.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let mut previous = "";
    let before_day = words.find_map(|word| {
        if word == "DAY" {
            return Some(previous);
        }
        if !word.is_empty() {
            previous = word;
        }
        None
    })?;
    Some(if before_day.contains("MEMBER") {
        DayLimit::ApplicationAndMember
    } else {
        DayLimit::Application
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http_answer::http_date;

    fn refused(status: u16, body: &str, retry: Option<&str>) -> LinkedInError {
        classify(&RefusedAnswer {
            status,
            body: body.as_bytes(),
            retry_after: retry,
            date: http_date("Sat, 21 Nov 2026 07:00:00 GMT"),
            request_id: Some("r1".to_owned()),
            uuid: None,
            secret: Some("AQX-secret"),
        })
    }

    #[test]
    fn every_status_has_its_class() {
        for (status, kind) in [
            (400, "bad_request"),
            (401, "unauthorized"),
            (403, "forbidden"),
            (404, "not_found"),
            (405, "bad_request"),
            (411, "bad_request"),
            (422, "bad_request"),
            (426, "version_not_active"),
            (429, "rate_limited"),
            (500, "server"),
            (502, "server"),
            (503, "server"),
            (504, "server"),
            (301, "unexpected_answer"),
            (302, "unexpected_answer"),
            (304, "unexpected_answer"),
            (199, "unexpected_answer"),
            (600, "unexpected_answer"),
        ] {
            for body in [
                "",
                "<html>",
                "[]",
                r#"{"message":1,"code":{},"serviceErrorCode":"x"}"#,
            ] {
                assert_eq!(refused(status, body, None).kind(), kind, "{status} {body}");
            }
        }
    }

    #[test]
    fn both_envelopes_are_read() {
        let gateway = refused(
            401,
            r#"{"status":401,"serviceErrorCode":65602,"code":"EXPIRED_ACCESS_TOKEN","message":"The token used in the request has expired"}"#,
            None,
        );
        assert_eq!(gateway.service_error_code(), Some(65602));
        let refusal = gateway.refusal().expect("words");
        assert_eq!(refusal.code.as_deref(), Some("EXPIRED_ACCESS_TOKEN"));
        assert_eq!(refusal.request_id.as_deref(), Some("r1"));
        let legacy = refused(
            404,
            r#"{"message":"No virtual resource found","status":404}"#,
            None,
        );
        assert_eq!(
            legacy.refusal().and_then(|r| r.message.as_deref()),
            Some("No virtual resource found")
        );
    }

    #[test]
    fn messages_are_short_single_lined_and_without_the_token() {
        let body = format!(
            r#"{{"message":"token AQX-secret\n\u0000{}"}}"#,
            "x".repeat(1000)
        );
        let error = refused(400, &body, None);
        let message = error
            .refusal()
            .and_then(|r| r.message.clone())
            .expect("message");
        assert_eq!(message.chars().count(), 300);
        assert!(message.starts_with("token [removed]  x"), "{message}");
        assert!(!format!("{error} {error:?}").contains("AQX-secret"));
    }

    #[test]
    fn day_limits_are_told_apart() {
        let limit = |message: &str| match refused(
            429,
            &format!(r#"{{"message":"{message}","status":429}}"#),
            None,
        ) {
            LinkedInError::RateLimited { day_limit, .. } => day_limit,
            other => panic!("{other:?}"),
        };
        let text = |who: &str| {
            format!("Resource level throttle {who} limit for calls to this resource is reached.")
        };
        assert_eq!(limit(&text("APPLICATION DAY")), Some(DayLimit::Application));
        assert_eq!(
            limit(&text("APPLICATION_AND_MEMBER DAY")),
            Some(DayLimit::ApplicationAndMember)
        );
        assert_eq!(
            limit(&text("MEMBER DAY")),
            Some(DayLimit::ApplicationAndMember)
        );
        assert_eq!(limit("DAY"), Some(DayLimit::Application));
        assert_eq!(
            limit("Resource level throttle limit for calls to this resource is reached."),
            None
        );
        assert_eq!(limit("Try again on MONDAY"), None);
    }
}
