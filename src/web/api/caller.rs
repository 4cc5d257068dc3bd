//! Which program asks: reads the token, counts the request, and says what the answer may be.

use std::future::{Ready, ready};

use actix_web::body::BoxBody;
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::header::{ACCEPT, AUTHORIZATION};
use actix_web::middleware::Next;
use actix_web::{FromRequest, HttpMessage as _, HttpRequest, web};
use secrecy::SecretString;

use super::ApiError;
use crate::auth::api_tokens;
use crate::domain::access::{Role, TokenRole};
use crate::domain::rate::Rate;
use crate::store::api_tokens::ApiToken;
use crate::store::audit::Actor;
use crate::store::lead_edits::Editor;
use crate::web::guards::client_address;
use crate::web::request_log::RequestId;
use crate::web::{Portal, WebError};

/// The program that makes this request; stands in the request's extensions.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Its token.
    pub token: ApiToken,
    request_id: String,
    address: Option<String>,
}

impl Caller {
    /// The program as the audit log keeps it. Only S2S Inbound changes anything, and that is a kind of actor already: the
    /// name tells a token from the synchronization.
    #[must_use]
    pub fn actor(&self) -> Actor {
        let roles = match self.token.role {
            TokenRole::S2sInbound => vec![Role::S2sInbound],
            TokenRole::ReadOnly => Vec::new(),
        };
        Actor {
            name: self.token.actor_name(),
            roles,
            request_id: Some(self.request_id.clone()),
            address: self.address.clone(),
            ..Actor::s2s_inbound()
        }
    }

    /// The program as a lead's journal keeps it.
    #[must_use]
    pub fn editor(&self) -> Editor {
        Editor::Token(self.token.actor_name())
    }
}

impl FromRequest for Caller {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let caller = request.extensions().get::<Self>().cloned();
        ready(caller.ok_or(ApiError::Unauthorized(None)))
    }
}

/// The token that a request brings. Tokens in the address are not looked at: addresses stand in logs.
fn bearer(request: &HttpRequest) -> Option<SecretString> {
    let mut sent = request.headers().get_all(AUTHORIZATION);
    let text = sent.next()?.to_str().ok()?;
    if sent.next().is_some() {
        return None;
    }
    let (scheme, token) = text.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| SecretString::from(token.trim().to_owned()))
}

/// Whether the program takes JSON.
fn accepts_json(request: &HttpRequest) -> bool {
    let mut ranges = request
        .headers()
        .get_all(ACCEPT)
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|range| range.trim().to_ascii_lowercase())
        .filter(|range| !range.is_empty())
        .peekable();
    if ranges.peek().is_none() {
        return true;
    }
    ranges.any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let is_json = parts.next().is_some_and(|media| {
            matches!(
                media,
                "*/*" | "application/*" | "application/json" | super::problem::MEDIA_TYPE
            )
        });
        let is_refused = parts
            .filter_map(|part| part.strip_prefix("q="))
            .any(|weight| weight.parse::<f32>().is_ok_and(|weight| weight <= 0.0));
        is_json && !is_refused
    })
}

/// Middleware: nobody gets further without a token that works.
///
/// # Errors
/// What the inner service answers.
pub async fn recognise(
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    match identify(request.request()).await {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.call(request).await
        }
        Err(error) => Ok(request.error_response(error)),
    }
}

async fn identify(request: &HttpRequest) -> Result<Caller, ApiError> {
    let portal = request
        .app_data::<web::Data<Portal>>()
        .ok_or_else(|| WebError::Internal("no portal".to_owned()))?;
    let text = bearer(request).ok_or(ApiError::Unauthorized(None))?;
    let now = portal.clock.now();
    let token = api_tokens::recognise(&portal.store, now, text)
        .await?
        .map_err(|refusal| ApiError::Unauthorized(Some(refusal)))?;
    tracing::Span::current().record("token.id", token.id.as_str());
    let rate = Rate::per_minute(portal.settings.http.api_requests_per_minute);
    portal
        .api_flows
        .take(&token.id, rate, now)
        .map_err(ApiError::TooManyRequests)?;
    if !accepts_json(request) {
        return Err(ApiError::NotAcceptable);
    }
    Ok(Caller {
        token,
        request_id: RequestId::of(request),
        address: client_address(request).map(|address| address.to_string()),
    })
}
