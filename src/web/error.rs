//! What can go wrong with a request, and the one place that draws every error page.

use std::panic::AssertUnwindSafe;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{HttpMessage, HttpResponse, ResponseError};
use askama::Template;
use futures_util::FutureExt;

use super::api;
use super::request_log::RequestId;
use super::shell::{Drawn, Shell};
use super::visitor::Visitor;
use crate::auth::passwords::HashError;
use crate::domain::access::{Permission, who_can_help};
use crate::domain::connections::Refusal;
use crate::store::StoreError;

/// A request that cannot be answered with its page.
#[derive(Debug, thiserror::Error)]
pub enum WebError {
    /// No such page, or a record that is not there for this person: the two look alike.
    #[error("not found")]
    NotFound,
    /// The roles do not allow it.
    #[error("not allowed: {}", .0.as_str())]
    Forbidden(Permission),
    /// Not allowed for another reason; the sentence is for the person.
    #[error("refused: {0}")]
    Refused(String),
    /// Not before the person proves again who they are; this is the way over it.
    #[error("who it is was proved too long ago")]
    Unconfirmed(String),
    /// Whoever runs the portal has switched LinkedIn features off.
    #[error("LinkedIn features are switched off by the deployment")]
    HiddenByDeployment,
    /// The request makes no sense; the sentence is for the person.
    #[error("bad request: {0}")]
    Invalid(String),
    /// A query parameter holds what it cannot hold.
    #[error("bad query parameter")]
    InvalidQuery {
        /// Which one, as far as one can tell.
        parameter: Option<String>,
        /// The page without parameters.
        path: String,
    },
    /// The form token is missing or belongs to another session.
    #[error("form token missing or wrong")]
    FormExpired,
    /// The change comes from another site's page.
    #[error("change from another origin")]
    OtherOrigin,
    /// The request is for another host.
    #[error("request for another host")]
    OtherHost,
    /// Not a form.
    #[error("unsupported content type")]
    UnsupportedMedia,
    /// More than a form may hold.
    #[error("body too large")]
    TooLarge,
    /// The body took too long.
    #[error("body too slow")]
    TooSlow,
    /// The path knows other methods; these.
    #[error("method not allowed")]
    MethodNotAllowed(String),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// LinkedIn could not be asked; the sentence is for the person.
    #[error("LinkedIn is away: {0}")]
    LinkedIn(String),
    /// A fault of ours; the text is for the log.
    #[error("{0}")]
    Internal(String),
}

impl From<HashError> for WebError {
    fn from(error: HashError) -> Self {
        Self::Internal(error.to_string())
    }
}

impl From<askama::Error> for WebError {
    fn from(error: askama::Error) -> Self {
        Self::Internal(format!("template: {error}"))
    }
}

impl From<std::io::Error> for WebError {
    fn from(error: std::io::Error) -> Self {
        Self::Internal(error.to_string())
    }
}

/// The status of each failure of the store.
fn store_status(error: &StoreError) -> StatusCode {
    match error {
        StoreError::NotFound(_) => StatusCode::NOT_FOUND,
        StoreError::Stale(_)
        | StoreError::Duplicate(_)
        | StoreError::InUse(_)
        | StoreError::LeaseLost
        | StoreError::Rule(_) => StatusCode::CONFLICT,
        error if error.is_transient() => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl ResponseError for WebError {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Forbidden(_)
            | Self::Refused(_)
            | Self::Unconfirmed(_)
            | Self::HiddenByDeployment
            | Self::FormExpired
            | Self::OtherOrigin => StatusCode::FORBIDDEN,
            Self::Invalid(_) | Self::InvalidQuery { .. } => StatusCode::BAD_REQUEST,
            Self::OtherHost => StatusCode::MISDIRECTED_REQUEST,
            Self::UnsupportedMedia => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::Store(error) => store_status(error),
            Self::LinkedIn(_) => StatusCode::BAD_GATEWAY,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::new(self.status_code());
        let headers = response.headers_mut();
        if let Self::MethodNotAllowed(allowed) = self
            && let Ok(value) = HeaderValue::from_str(allowed)
        {
            headers.insert(header::ALLOW, value);
        }
        if self.status_code() == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        response
    }
}

/// The words of an error page.
struct Words {
    title: String,
    what: String,
    then: String,
    link: (String, String),
}

impl Words {
    fn new(title: &str, what: impl Into<String>, then: &str) -> Self {
        Self {
            title: title.to_owned(),
            what: what.into(),
            then: then.to_owned(),
            link: ("/".to_owned(), "Go to the start page".to_owned()),
        }
    }

    fn with_link(mut self, address: &str, label: &str) -> Self {
        self.link = (address.to_owned(), label.to_owned());
        self
    }

    fn of_store(error: &StoreError) -> Self {
        match error {
            StoreError::NotFound(_) => Self::of(&WebError::NotFound),
            StoreError::Stale(what) => Self::new(
                "Somebody else was quicker",
                format!("The {what} was changed by somebody else after you opened this page."),
                "Nothing was saved. Open the page again, look at the new values, and repeat your change if it is still needed.",
            ),
            StoreError::Duplicate(_) => Self::new(
                "This exists already",
                "There is a record with this name or address already.",
                "Nothing was saved. Go back and choose another one.",
            ),
            StoreError::InUse(_) => Self::new(
                "This is still in use",
                "Another record needs this one.",
                "Nothing was changed. Remove what uses it first.",
            ),
            StoreError::Rule(sentence) => Self::new(
                "This is not possible",
                sentence.clone(),
                "Nothing was changed.",
            ),
            error if error.is_transient() => Self::of_status(StatusCode::SERVICE_UNAVAILABLE),
            _ => Self::of_status(StatusCode::INTERNAL_SERVER_ERROR),
        }
    }

    fn of(error: &WebError) -> Self {
        match error {
            WebError::Forbidden(permission) => Self::new(
                "You may not do this",
                format!("Your roles do not allow you to {}.", permission.label()),
                &who_can_help(*permission),
            )
            .with_link("/account", "See your roles under My account"),
            WebError::Refused(sentence) => Self::new(
                "You may not do this",
                sentence.clone(),
                "Nothing was changed.",
            ),
            WebError::Unconfirmed(way) => Self::new(
                "Confirm that it is you",
                "This change asks who you are when you signed in more than some minutes ago.",
                "Nothing was changed. Confirm that it is you; then you are back on the page and can make the change.",
            )
            .with_link(way, "Confirm that it is you"),
            WebError::HiddenByDeployment => Self::new(
                Refusal::HiddenByDeployment.title(),
                Refusal::HiddenByDeployment.why(),
                Refusal::HiddenByDeployment.what_to_do(),
            ),
            WebError::Invalid(sentence) => Self::new(
                "This request cannot be understood",
                sentence.clone(),
                "Nothing was saved. Go back, check what you entered, and send it again.",
            ),
            WebError::InvalidQuery { parameter, path } => Self::new(
                "This address cannot be understood",
                match parameter {
                    Some(name) => format!(
                        "The parameter “{name}” in the address holds something that it cannot hold."
                    ),
                    None => "A parameter in the address cannot be read.".to_owned(),
                },
                "Open the page without parameters and set the filter there.",
            )
            .with_link(path, "Open the page without parameters"),
            WebError::FormExpired => Self::new(
                "This form is no longer valid",
                "The form belongs to a session that has ended, or it was open for too long.",
                "Nothing was saved. Open the page again and send the form from there.",
            ),
            WebError::OtherOrigin => Self::new(
                "This request came from somewhere else",
                "Changes can only be sent from the portal’s own pages.",
                "Nothing was changed. If you use a proxy, ask an Administrator to check LEADGEN_PUBLIC_URL.",
            ),
            WebError::LinkedIn(sentence) => Self::new(
                "LinkedIn could not be asked",
                sentence.clone(),
                "Nothing is lost. Try again in some minutes.",
            ),
            WebError::Store(error) => Self::of_store(error),
            other => Self::of_status(other.status_code()),
        }
    }

    fn of_status(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND => Self::new(
                "There is no such page",
                "The address leads nowhere, or to something that is not there for you.",
                "Check the address, or look for it in the menu.",
            ),
            StatusCode::UNAUTHORIZED => Self::new(
                "Sign in first",
                "This page is for people who are signed in.",
                "Sign in and open it again.",
            )
            .with_link("/sign-in", "Sign in"),
            StatusCode::MISDIRECTED_REQUEST => Self::new(
                "This portal has another address",
                "The request names a host that this portal does not answer for.",
                "Ask an Administrator for the portal’s address, or to check LEADGEN_PUBLIC_URL.",
            ),
            StatusCode::METHOD_NOT_ALLOWED => Self::new(
                "This address cannot be used like that",
                "The page exists, but not for this kind of request.",
                "Open it from the menu.",
            ),
            StatusCode::PAYLOAD_TOO_LARGE => Self::new(
                "This is too much at once",
                "A form may hold 256 KiB, an uploaded file 8 MiB, a file of leads 32 MiB.",
                "Nothing was saved. Shorten what you entered.",
            ),
            StatusCode::REQUEST_TIMEOUT => Self::new(
                "The request took too long",
                "The connection was too slow to send the whole request within 30 seconds.",
                "Nothing was saved. Try again.",
            ),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Self::new(
                "This request cannot be read",
                "Only forms can be sent here.",
                "Use the form on the page.",
            ),
            StatusCode::SERVICE_UNAVAILABLE => Self::new(
                "The portal is busy",
                "The database did not answer in time.",
                "Nothing is lost. Wait some seconds and load the page again.",
            ),
            status if status.is_client_error() => Self::new(
                "This request cannot be understood",
                "Something about the request is wrong.",
                "Go back and try again.",
            ),
            _ => Self::new(
                "Something went wrong",
                "This is a fault of the portal, not yours.",
                "Try again. If it happens again, give your Administrator the reference below.",
            ),
        }
    }
}

/// An error inside the frame of the signed-in portal.
#[derive(Template)]
#[template(path = "errors/app.html")]
struct ErrorInApp<'a> {
    shell: &'a Shell,
    status: u16,
    words: &'a Words,
    reference: &'a str,
}

/// An error for strangers, and when even the session could not be read.
#[derive(Template)]
#[template(path = "errors/plain.html")]
struct ErrorPlain<'a> {
    shell: &'a Shell,
    status: u16,
    words: &'a Words,
    reference: &'a str,
}

fn page(status: StatusCode, words: &Words, shell: &Shell, reference: &str) -> HttpResponse {
    let number = status.as_u16();
    let html = if shell.user.is_some() {
        ErrorInApp {
            shell,
            status: number,
            words,
            reference,
        }
        .render()
    } else {
        ErrorPlain {
            shell,
            status: number,
            words,
            reference,
        }
        .render()
    };
    let mut response = HttpResponse::build(status)
        .content_type("text/html; charset=utf-8")
        .body(html.unwrap_or_else(|_| words.title.clone()));
    response.extensions_mut().insert(Drawn);
    response
}

/// Middleware: turns every error and every panic into a page, and logs faults once.
///
/// # Errors
/// Only what already carries its page.
pub async fn draw(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let reference = RequestId::of(request.request());
    let is_api = api::is_below(request.path());
    let outcome = AssertUnwindSafe(next.call(request)).catch_unwind().await;
    match outcome {
        Ok(Ok(response)) if is_api => Ok(api::problem::draw(
            response.map_into_boxed_body(),
            &reference,
        )),
        Ok(Err(error)) if is_api => Err(api::problem::draw_error(error, &reference)),
        Err(_panic) if is_api => Err(api::problem::draw_error(
            WebError::Internal("a handler panicked".to_owned()).into(),
            &reference,
        )),
        Ok(Ok(response)) => Ok(draw_response(response.map_into_boxed_body(), &reference)),
        Ok(Err(error)) => Err(draw_error(error, &reference)),
        // The panic hook has logged where; the payload may hold data and is not looked at.
        Err(_panic) => Err(draw_error(
            WebError::Internal("a handler panicked".to_owned()).into(),
            &reference,
        )),
    }
}

fn draw_response(response: ServiceResponse<BoxBody>, reference: &str) -> ServiceResponse<BoxBody> {
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    if !is_error || response.response().extensions().contains::<Drawn>() {
        return response;
    }
    let (request, old) = response.into_parts();
    let error = old.error().and_then(|error| error.as_error::<WebError>());
    if status.is_server_error() {
        log_fault(status, error, old.error());
    }
    let words = error.map_or_else(|| Words::of_status(status), Words::of);
    let shell = request.extensions().get::<Visitor>().map_or_else(
        || Shell::for_nobody(request.path()),
        |visitor| visitor.shell(request.path()),
    );
    let mut new = page(status, &words, &shell, reference);
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

/// An error that lost its request on the way: the session could not be read, or a handler panicked.
fn draw_error(error: actix_web::Error, reference: &str) -> actix_web::Error {
    use actix_session::storage::LoadError;
    // actix-session unwraps what the storage answered: only the type tells that it was the session.
    let is_session = error.as_error::<InternalError<LoadError>>().is_some()
        || error.as_error::<InternalError<anyhow::Error>>().is_some();
    let status = if is_session {
        StatusCode::SERVICE_UNAVAILABLE
    } else {
        error.as_response_error().status_code()
    };
    let known = error.as_error::<WebError>();
    if status.is_server_error() {
        log_fault(status, known, Some(&error));
    }
    let words = known.map_or_else(|| Words::of_status(status), Words::of);
    let mut response = page(status, &words, &Shell::for_nobody("/"), reference);
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    }
    InternalError::from_response("drawn", response).into()
}

/// One line with the chain of causes; nothing of it reaches the page.
pub(super) fn log_fault(
    status: StatusCode,
    known: Option<&WebError>,
    error: Option<&actix_web::Error>,
) {
    let mut chain = String::new();
    if let Some(known) = known {
        chain = known.to_string();
        let mut cause = std::error::Error::source(known);
        while let Some(error) = cause {
            chain.push_str(": ");
            chain.push_str(&error.to_string());
            cause = error.source();
        }
    } else if let Some(error) = error {
        chain = error.to_string();
    }
    if status == StatusCode::SERVICE_UNAVAILABLE {
        tracing::warn!(http.status = status.as_u16(), error = %chain, "a request could not be answered");
    } else {
        tracing::error!(http.status = status.as_u16(), error = %chain, "a request failed");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_store_error_has_its_status() {
        for (error, status) in [
            (StoreError::Busy, 503),
            (StoreError::Contention, 503),
            (StoreError::Cancelled, 503),
            (StoreError::NotFound("lead"), 404),
            (StoreError::Stale("lead"), 409),
            (StoreError::Duplicate("x".into()), 409),
            (StoreError::InUse("x".into()), 409),
            (StoreError::LeaseLost, 409),
            (StoreError::Rule("no".into()), 409),
            (StoreError::Migration("x".into()), 500),
            (
                StoreError::Corrupt {
                    table: "t",
                    column: "c",
                    id: "1".into(),
                },
                500,
            ),
        ] {
            let error = WebError::from(error);
            assert_eq!(error.status_code().as_u16(), status, "{error}");
        }
    }
}
