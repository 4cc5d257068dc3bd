//! What can go wrong at Dataverse and at Entra, sorted by what a caller may do about it.
//!
//! Microsoft asks not to decide by texts, which follow the user's language; codes and statuses decide here.

use std::time::Duration;

use super::wire::{ErrorEnvelope, TokenFailure};
use crate::http_answer::tidy;

/// Dataverse's own words about a refused request. Holds no token and no secret.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// `error.code` in lower case, `0x80040237`; `None` where the service gave none.
    pub code: Option<String>,
    /// `error.message`, one line of at most 300 characters.
    pub message: Option<String>,
    /// `x-ms-service-request-id` or `REQ_ID`: what Microsoft's support asks for.
    pub request_id: Option<String>,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HTTP {}", self.status)?;
        if let Some(code) = &self.code {
            write!(f, " {code}")?;
        }
        if let Some(message) = &self.message {
            write!(f, ": {message}")?;
        }
        Ok(())
    }
}

/// Why Entra gave no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenProblem {
    /// The tenant does not exist.
    UnknownTenant,
    /// The application is not in the tenant, or nobody consented to it.
    UnknownApplication,
    /// The client secret is not the right one.
    WrongSecret,
    /// The client secret has expired.
    SecretExpired,
    /// The certificate is not registered with the application, or its signature was not accepted.
    CertificateRefused,
    /// The tenant knows no organization at this address.
    UnknownOrganization,
    /// Anything else.
    Other,
}

/// A failed call. No variant holds a token or a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DataverseError {
    /// Entra refused the credentials.
    #[error("Entra gave no token ({problem:?}): {error}")]
    Token {
        /// What is wrong.
        problem: TokenProblem,
        /// The HTTP status.
        status: u16,
        /// OAuth's word, `invalid_client`.
        error: String,
        /// `AADSTS` numbers.
        codes: Vec<i64>,
        /// `error_description`, its first line, at most 300 characters.
        description: Option<String>,
        /// `Retry-After`.
        retry_after: Option<Duration>,
    },
    /// 401 with a fresh token: the organization does not accept it.
    #[error("the organization did not accept the token ({0})")]
    Unauthorized(Box<Refusal>),
    /// 403, code 0x80072560: there is no application user, or it is disabled.
    #[error("the application is no user of the organization ({0})")]
    NotAUser(Box<Refusal>),
    /// 403: the security role lacks a privilege.
    #[error("a privilege is missing ({refusal})")]
    MissingPrivilege {
        /// `prvCreateLead`, where the service named it.
        privilege: Option<String>,
        /// Dataverse's words.
        refusal: Box<Refusal>,
    },
    /// 404 for a record that is not there (any more).
    #[error("the record is not there ({0})")]
    RecordNotFound(Box<Refusal>),
    /// 404 otherwise: no Web API at this address, or no such table.
    #[error("there is no such resource ({0})")]
    NotFound(Box<Refusal>),
    /// 412 for a record that is there already, by its id or by a key.
    #[error("such a record is there already ({0})")]
    Duplicate(Box<Refusal>),
    /// 412: somebody changed the record in between.
    #[error("the record was changed in between ({0})")]
    Changed(Box<Refusal>),
    /// 400 or 410 for a link to further changes: it is too old. Read everything again.
    #[error("the link to further changes is no longer known ({0})")]
    LinkExpired(Box<Refusal>),
    /// 429: the service protection limits.
    #[error("the organization's limit was reached ({refusal})")]
    Throttled {
        /// `Retry-After`, at most [`RETRY_AFTER_CAP`](crate::http_answer::RETRY_AFTER_CAP).
        retry_after: Option<Duration>,
        /// Dataverse's words.
        refusal: Box<Refusal>,
    },
    /// Any other 4xx: the request itself is wrong, a repeat will not help.
    #[error("the organization refused the request ({0})")]
    Invalid(Box<Refusal>),
    /// 5xx. Worth a retry.
    #[error("the organization failed ({refusal})")]
    Server {
        /// `Retry-After`, which a 503 may carry.
        retry_after: Option<Duration>,
        /// Dataverse's words.
        refusal: Box<Refusal>,
    },
    /// The time allowed was over before the answer was complete. Worth a retry.
    #[error("there was no answer in time")]
    Timeout,
    /// No connection, or it broke. Worth a retry.
    #[error("no connection: {what}")]
    Network {
        /// Connection refused, reset, name not found …
        what: String,
    },
    /// The address is not public, and the operator does not allow others.
    #[error("the address is not public")]
    AddressNotPublic,
    /// The certificate of the other side is not trusted.
    #[error("the certificate of the other side is not trusted")]
    CertificateNotTrusted,
    /// A 2xx or 3xx that is not the documented answer. Never to be read as "no data". Worth a retry.
    #[error("an unexpected answer: {what}")]
    UnexpectedAnswer {
        /// What was seen, without the content.
        what: String,
    },
    /// The client cannot be built or an argument cannot be sent.
    #[error("the Dataverse client is not usable: {what}")]
    Configuration {
        /// What is wrong and where.
        what: String,
    },
}

impl DataverseError {
    pub(super) fn unexpected(what: impl Into<String>) -> Self {
        Self::UnexpectedAnswer { what: what.into() }
    }

    pub(super) fn configuration(what: impl Into<String>) -> Self {
        Self::Configuration { what: what.into() }
    }

    /// Dataverse's own words, where it said any.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Unauthorized(refusal)
            | Self::NotAUser(refusal)
            | Self::RecordNotFound(refusal)
            | Self::NotFound(refusal)
            | Self::Duplicate(refusal)
            | Self::Changed(refusal)
            | Self::LinkExpired(refusal)
            | Self::Invalid(refusal)
            | Self::MissingPrivilege { refusal, .. }
            | Self::Throttled { refusal, .. }
            | Self::Server { refusal, .. } => Some(refusal),
            Self::Token { .. }
            | Self::Timeout
            | Self::Network { .. }
            | Self::AddressNotPublic
            | Self::CertificateNotTrusted
            | Self::UnexpectedAnswer { .. }
            | Self::Configuration { .. } => None,
        }
    }

    /// How long the service asks to be left alone.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Throttled { retry_after, .. }
            | Self::Server { retry_after, .. }
            | Self::Token { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// Whether the same request may succeed later, without anybody changing anything.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Throttled { .. }
            | Self::Server { .. }
            | Self::Timeout
            | Self::Network { .. }
            | Self::Changed(_)
            | Self::UnexpectedAnswer { .. } => true,
            Self::Token { status, .. } => *status == 429 || *status >= 500,
            _ => false,
        }
    }
}

/// The parts of a refused answer that decide its class.
pub(super) struct RefusedAnswer<'a> {
    pub(super) status: u16,
    pub(super) body: &'a [u8],
    pub(super) retry_after: Option<Duration>,
    pub(super) request_id: Option<String>,
    /// The token that was sent; erased from the message, should it ever be echoed.
    pub(super) secret: Option<&'a str>,
}

/// Sorts a non-2xx answer of the Web API. An unreadable body changes nothing about the class.
pub(super) fn classify(answer: RefusedAnswer<'_>) -> DataverseError {
    let told = serde_json::from_slice::<ErrorEnvelope>(answer.body).ok();
    let code = told
        .as_ref()
        .and_then(|envelope| envelope.error.code.as_deref())
        .map(str::trim)
        .filter(|code| !code.is_empty() && *code != "0x0")
        .map(|code| tidy(&code.to_ascii_lowercase(), None));
    let message = told
        .and_then(|envelope| envelope.error.message)
        .map(|message| tidy(&message, answer.secret));
    let refusal = Box::new(Refusal {
        status: answer.status,
        code: code.clone(),
        message,
        request_id: answer.request_id,
    });
    let retry_after = answer.retry_after;
    match (answer.status, code.as_deref()) {
        (300..=399, _) => DataverseError::unexpected(format!(
            "a redirect (HTTP {}), which is never followed",
            answer.status
        )),
        // The rules for duplicates answer 412 or 500: the code decides (dataverse-api.md §4).
        (_, Some("0x80040237" | "0x80060892" | "0x80040333")) => DataverseError::Duplicate(refusal),
        (401, _) => DataverseError::Unauthorized(refusal),
        (403, Some("0x80072560")) => DataverseError::NotAUser(refusal),
        (403, _) => DataverseError::MissingPrivilege {
            privilege: refusal.message.as_deref().and_then(privilege_in),
            refusal,
        },
        (404, Some("0x80040217")) => DataverseError::RecordNotFound(refusal),
        (404, _) => DataverseError::NotFound(refusal),
        (412, _) => DataverseError::Changed(refusal),
        (429, _) => DataverseError::Throttled {
            retry_after,
            refusal,
        },
        (400..=499, _) => DataverseError::Invalid(refusal),
        (500..=599, _) => DataverseError::Server {
            retry_after,
            refusal,
        },
        (other, _) => DataverseError::unexpected(format!("HTTP status {other}")),
    }
}

/// The name of a privilege in a message: `prvCreateLead` is the same in every language.
fn privilege_in(message: &str) -> Option<String> {
    message
        .split(|c: char| !c.is_ascii_alphanumeric())
        .find(|word| word.len() > 3 && word.starts_with("prv"))
        .map(str::to_owned)
}

/// Sorts a refused answer of the token endpoint.
pub(super) fn classify_token(
    status: u16,
    body: &[u8],
    retry_after: Option<Duration>,
    secret: Option<&str>,
) -> DataverseError {
    let told: TokenFailure = serde_json::from_slice(body).unwrap_or_default();
    let error = told.error.unwrap_or_default();
    let problem = told
        .error_codes
        .iter()
        .find_map(|code| token_problem(*code))
        .unwrap_or(match error.as_str() {
            "invalid_client" => TokenProblem::WrongSecret,
            "unauthorized_client" => TokenProblem::UnknownApplication,
            "invalid_resource" => TokenProblem::UnknownOrganization,
            _ => TokenProblem::Other,
        });
    DataverseError::Token {
        problem,
        status,
        error: if error.is_empty() {
            format!("HTTP status {status}")
        } else {
            tidy(&error, secret)
        },
        codes: told.error_codes,
        description: told
            .error_description
            .map(|text| tidy(text.lines().next().unwrap_or_default(), secret))
            .filter(|text| !text.is_empty()),
        retry_after,
    }
}

/// The `AADSTS` numbers that are told apart (dataverse-api.md §1.3); the word `error` decides about others.
fn token_problem(code: i64) -> Option<TokenProblem> {
    Some(match code {
        90_002 | 900_023 => TokenProblem::UnknownTenant,
        700_016 => TokenProblem::UnknownApplication,
        7_000_215 => TokenProblem::WrongSecret,
        7_000_222 => TokenProblem::SecretExpired,
        700_027 | 7_000_214 => TokenProblem::CertificateRefused,
        500_011 => TokenProblem::UnknownOrganization,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, code: &str, message: &str) -> DataverseError {
        let body = serde_json::json!({ "error": { "code": code, "message": message } });
        classify(RefusedAnswer {
            status,
            body: body.to_string().as_bytes(),
            retry_after: Some(Duration::from_secs(7)),
            request_id: None,
            secret: Some("eyJ-token"),
        })
    }

    #[test]
    fn codes_and_statuses_decide_and_texts_do_not() {
        type Kind = fn(&DataverseError) -> bool;
        let cases: [(u16, &str, Kind); 14] = [
            (400, "0x80044331", |e| {
                matches!(e, DataverseError::Invalid(_))
            }),
            (401, "", |e| matches!(e, DataverseError::Unauthorized(_))),
            (403, "0x80072560", |e| {
                matches!(e, DataverseError::NotAUser(_))
            }),
            (404, "0x80040217", |e| {
                matches!(e, DataverseError::RecordNotFound(_))
            }),
            (404, "", |e| matches!(e, DataverseError::NotFound(_))),
            (412, "0x80040237", |e| {
                matches!(e, DataverseError::Duplicate(_))
            }),
            (412, "0x80060892", |e| {
                matches!(e, DataverseError::Duplicate(_))
            }),
            (500, "0x80040333", |e| {
                matches!(e, DataverseError::Duplicate(_))
            }),
            (412, "0x80060882", |e| {
                matches!(e, DataverseError::Changed(_))
            }),
            (413, "", |e| matches!(e, DataverseError::Invalid(_))),
            (429, "0x80072322", |e| {
                matches!(e, DataverseError::Throttled { .. })
            }),
            (500, "0x80040216", |e| {
                matches!(e, DataverseError::Server { .. })
            }),
            (503, "", |e| matches!(e, DataverseError::Server { .. })),
            (302, "", |e| {
                matches!(e, DataverseError::UnexpectedAnswer { .. })
            }),
        ];
        for (status, code, is_expected) in cases {
            let error = refused(status, code, "Etwas ging schief");
            assert!(is_expected(&error), "{status} {code}: {error:?}");
        }
    }

    #[test]
    fn the_missing_privilege_is_named() {
        let error = refused(
            403,
            "0x80040220",
            "Principal user (Id=5e11, type=8) is missing prvCreateLead privilege (Id=a1)",
        );
        assert!(
            matches!(&error, DataverseError::MissingPrivilege { privilege: Some(name), .. } if name == "prvCreateLead")
        );
    }

    #[test]
    fn the_token_that_was_sent_is_in_no_message() {
        let error = refused(400, "0x1", "bad eyJ-token\r\nhere");
        assert!(!format!("{error} {error:?}").contains("eyJ-token"));
        assert_eq!(
            error.refusal().and_then(|r| r.message.as_deref()),
            Some("bad [removed]  here")
        );
    }

    #[test]
    fn an_answer_that_is_no_json_keeps_its_class() {
        for (status, transient) in [(400, false), (429, true), (502, true)] {
            let error = classify(RefusedAnswer {
                status,
                body: b"<html>",
                retry_after: None,
                request_id: None,
                secret: None,
            });
            assert_eq!(error.is_transient(), transient, "{status}");
        }
    }

    #[test]
    fn entra_says_what_is_wrong_with_the_credentials() {
        let problem = |status: u16, error: &str, codes: &[i64]| {
            let body = serde_json::json!({ "error": error, "error_codes": codes,
                "error_description": "AADSTS: The provided s3cret is wrong.\r\nTrace ID: 1" });
            match classify_token(status, body.to_string().as_bytes(), None, Some("s3cret")) {
                DataverseError::Token {
                    problem,
                    description,
                    ..
                } => {
                    assert_eq!(
                        description.as_deref(),
                        Some("AADSTS: The provided [removed] is wrong.")
                    );
                    problem
                }
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(
            problem(401, "invalid_client", &[7_000_215]),
            TokenProblem::WrongSecret
        );
        assert_eq!(
            problem(401, "invalid_client", &[7_000_222]),
            TokenProblem::SecretExpired
        );
        assert_eq!(
            problem(401, "invalid_client", &[700_027]),
            TokenProblem::CertificateRefused
        );
        assert_eq!(
            problem(400, "unauthorized_client", &[700_016]),
            TokenProblem::UnknownApplication
        );
        assert_eq!(
            problem(400, "invalid_request", &[90_002]),
            TokenProblem::UnknownTenant
        );
        assert_eq!(
            problem(400, "invalid_resource", &[500_011]),
            TokenProblem::UnknownOrganization
        );
        // A number that nobody knows yet: OAuth's word decides.
        assert_eq!(
            problem(401, "invalid_client", &[1]),
            TokenProblem::WrongSecret
        );
        assert_eq!(
            problem(400, "invalid_scope", &[70_011]),
            TokenProblem::Other
        );
        assert!(classify_token(503, b"", None, None).is_transient());
        assert!(!classify_token(401, b"", None, None).is_transient());
    }
}
