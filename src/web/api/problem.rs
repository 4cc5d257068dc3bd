//! Errors of the API as `application/problem+json` (RFC 9457), and the one place that draws them.

use actix_web::body::BoxBody;
use actix_web::dev::ServiceResponse;
use actix_web::error::InternalError;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use chrono::TimeDelta;
use serde::Serialize;
use utoipa::ToSchema;

use crate::auth::api_tokens::Refusal;
use crate::domain::access::Permission;
use crate::domain::connections;
use crate::store::StoreError;
use crate::web::WebError;
use crate::web::error::log_fault;
use crate::web::shell::Drawn;

/// The media type of every error.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// A request of a program that cannot be answered as it wished.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// What can happen to a page, too.
    #[error(transparent)]
    Web(#[from] WebError),
    /// No token, or none that works.
    #[error("no token that works")]
    Unauthorized(Option<Refusal>),
    /// The token's role does not allow it.
    #[error("not allowed: {}", .0.as_str())]
    Forbidden(Permission),
    /// The token asked too often; it may ask again after this time.
    #[error("too many requests")]
    TooManyRequests(TimeDelta),
    /// The program takes no JSON.
    #[error("not acceptable")]
    NotAcceptable,
    /// The body is no JSON.
    #[error("unsupported media type")]
    UnsupportedMedia,
    /// The body cannot be read as JSON; the sentence is for the programmer.
    #[error("bad JSON")]
    BadJson(String),
    /// A parameter holds what it cannot hold, is unknown, or comes twice.
    #[error("bad parameter")]
    BadParameter {
        /// Which one, as far as one can tell.
        name: Option<String>,
        /// What it may hold.
        detail: String,
    },
    /// The JSON is well formed, but says what cannot be: field, sentence.
    #[error("unprocessable content")]
    Unprocessable(Vec<(String, String)>),
    /// A change must say which version it was made from.
    #[error("precondition required")]
    PreconditionRequired,
    /// The record is no longer that version.
    #[error("precondition failed")]
    PreconditionFailed,
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        Self::Web(WebError::Store(error))
    }
}

impl ApiError {
    /// One field that is wrong.
    pub fn field(name: &str, sentence: impl Into<String>) -> Self {
        Self::Unprocessable(vec![(name.to_owned(), sentence.into())])
    }

    /// What went wrong, for the programmer.
    fn detail(&self) -> String {
        match self {
            Self::Web(error) => detail_of(error),
            Self::Unauthorized(refusal) => match refusal {
                None => "Send a token of this portal: Authorization: Bearer lgc_…".to_owned(),
                Some(Refusal::Unknown) => "There is no such token.".to_owned(),
                Some(Refusal::Ended(state)) => format!(
                    "The token no longer works: {}. An Administrator makes a new one under Settings › API tokens.",
                    state.as_str()
                ),
            },
            Self::Forbidden(permission) => {
                format!("The token’s role does not allow to {}.", permission.label())
            }
            Self::TooManyRequests(wait) => format!(
                "The token asked too often. Try again in {} seconds.",
                seconds(*wait)
            ),
            Self::NotAcceptable => "Only application/json can be answered.".to_owned(),
            Self::UnsupportedMedia => "Send the body as application/json.".to_owned(),
            Self::BadJson(detail) | Self::BadParameter { detail, .. } => detail.clone(),
            Self::Unprocessable(_) => {
                "The body holds what cannot be. Nothing was changed.".to_owned()
            }
            Self::PreconditionRequired => {
                "Send If-Match with the ETag of the record that the change was made from.".to_owned()
            }
            Self::PreconditionFailed => {
                "The record was changed meanwhile. Nothing was changed. Get it again, then repeat the change if it is still needed.".to_owned()
            }
        }
    }

    /// What is wrong where: parameters and members of the body.
    fn errors(&self) -> Vec<FieldProblem> {
        match self {
            Self::Unprocessable(errors) => errors
                .iter()
                .map(|(field, detail)| FieldProblem {
                    field: field.clone(),
                    detail: detail.clone(),
                })
                .collect(),
            Self::BadParameter {
                name: Some(name),
                detail,
            } => vec![FieldProblem {
                field: name.clone(),
                detail: detail.clone(),
            }],
            _ => Vec::new(),
        }
    }
}

/// Whole seconds, at least one.
fn seconds(wait: TimeDelta) -> i64 {
    let whole = wait.num_seconds();
    if wait > TimeDelta::seconds(whole) {
        whole + 1
    } else {
        whole.max(1)
    }
}

fn detail_of(error: &WebError) -> String {
    match error {
        WebError::Store(StoreError::Rule(sentence))
        | WebError::Invalid(sentence)
        | WebError::Refused(sentence)
        | WebError::LinkedIn(sentence) => sentence.clone(),
        WebError::HiddenByDeployment => {
            let refusal = connections::Refusal::HiddenByDeployment;
            format!("{} {}", refusal.why(), refusal.what_to_do())
        }
        other => detail_of_status(other.status_code()).to_owned(),
    }
}

fn detail_of_status(status: StatusCode) -> &'static str {
    match status.as_u16() {
        404 => "There is no such resource.",
        405 => "The resource does not know this method; Allow names those that it knows.",
        408 => "The request took too long to arrive.",
        409 => "The record is in a state that does not allow this. Nothing was changed.",
        413 => "The body is too large.",
        415 => "Send the body as application/json.",
        421 => "This portal does not answer for the host that the request names.",
        503 => "The portal is busy. Try again in some seconds.",
        400..=499 => "The request cannot be understood.",
        _ => "A fault of the portal, not of the request.",
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::Web(error) => error.status_code(),
            Self::Unauthorized(_) => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::TooManyRequests(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
            Self::UnsupportedMedia => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::BadJson(_) | Self::BadParameter { .. } => StatusCode::BAD_REQUEST,
            Self::Unprocessable(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::PreconditionRequired => StatusCode::PRECONDITION_REQUIRED,
            Self::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
        }
    }

    fn error_response(&self) -> HttpResponse {
        if let Self::Web(error) = self {
            return error.error_response();
        }
        let mut response = HttpResponse::new(self.status_code());
        let headers = response.headers_mut();
        match self {
            Self::Unauthorized(refusal) => {
                // RFC 6750: no error code where no token was sent.
                let challenge = match refusal {
                    None => "Bearer realm=\"leadgen\"",
                    Some(_) => "Bearer realm=\"leadgen\", error=\"invalid_token\"",
                };
                headers.insert(
                    header::WWW_AUTHENTICATE,
                    HeaderValue::from_static(challenge),
                );
            }
            Self::Forbidden(_) => {
                headers.insert(
                    header::WWW_AUTHENTICATE,
                    HeaderValue::from_static(
                        "Bearer realm=\"leadgen\", error=\"insufficient_scope\"",
                    ),
                );
            }
            Self::TooManyRequests(wait) => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds(*wait)));
            }
            _ => {}
        }
        response
    }
}

/// An error as programs read it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Problem {
    /// Always `about:blank`: the status says the kind.
    r#type: &'static str,
    /// The status in words.
    title: &'static str,
    /// The status.
    status: u16,
    /// What went wrong.
    detail: String,
    /// Names the request in the portal's log.
    request_id: String,
    /// What is wrong where.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldProblem>,
}

impl Problem {
    /// An example for the document.
    pub fn example(
        status: u16,
        title: &'static str,
        detail: &str,
        field: Option<(&str, &str)>,
    ) -> Self {
        Self {
            r#type: "about:blank",
            title,
            status,
            detail: detail.to_owned(),
            request_id: "0193c5a8-7f0e-7c41-9a55-3f2b7c1d9e10".to_owned(),
            errors: field
                .map(|(field, detail)| FieldProblem {
                    field: field.to_owned(),
                    detail: detail.to_owned(),
                })
                .into_iter()
                .collect(),
        }
    }
}

/// What is wrong with one parameter or member of the body.
#[derive(Debug, Serialize, ToSchema)]
pub struct FieldProblem {
    /// The parameter or member.
    field: String,
    /// What is wrong with it.
    detail: String,
}

fn body(status: StatusCode, error: Option<&actix_web::Error>, request_id: &str) -> HttpResponse {
    let known = error.and_then(|error| error.as_error::<ApiError>());
    let of_page = error.and_then(|error| error.as_error::<WebError>());
    if status.is_server_error() {
        let fault = match known {
            Some(ApiError::Web(error)) => Some(error),
            _ => of_page,
        };
        log_fault(status, fault, error);
    }
    let detail = match (known, of_page) {
        (Some(error), _) => error.detail(),
        (None, Some(error)) => detail_of(error),
        (None, None) => detail_of_status(status).to_owned(),
    };
    let problem = Problem {
        r#type: "about:blank",
        title: status.canonical_reason().unwrap_or("Error"),
        status: status.as_u16(),
        detail,
        request_id: request_id.to_owned(),
        errors: known.map(ApiError::errors).unwrap_or_default(),
    };
    let mut response = HttpResponse::build(status)
        .content_type(MEDIA_TYPE)
        .body(serde_json::to_string(&problem).unwrap_or_default());
    response.extensions_mut().insert(Drawn);
    response
}

/// Gives an answer that is an error its body.
#[must_use]
pub fn draw(response: ServiceResponse<BoxBody>, request_id: &str) -> ServiceResponse<BoxBody> {
    let status = response.status();
    if !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let (request, old) = response.into_parts();
    let mut new = body(status, old.error(), request_id);
    for (name, value) in old.headers() {
        if *name != header::CONTENT_TYPE && *name != header::CONTENT_LENGTH {
            new.headers_mut().append(name.clone(), value.clone());
        }
    }
    if !old.head().keep_alive() {
        new.head_mut()
            .set_connection_type(actix_web::http::ConnectionType::Close);
    }
    ServiceResponse::new(request, new)
}

/// The same for an error that lost its request on the way.
#[must_use]
pub fn draw_error(error: actix_web::Error, request_id: &str) -> actix_web::Error {
    let status = error.as_response_error().status_code();
    let response = body(status, Some(&error), request_id);
    InternalError::from_response("drawn", response).into()
}
