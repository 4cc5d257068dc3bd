//! Who is asking: reads the session's person, the form token and the flash message, once for each request.

use std::future::{Ready, ready};

use actix_session::SessionExt;
use actix_web::body::BoxBody;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};
use chrono::{DateTime, Utc};

use super::flash::Flash;
use super::guards::client_address;
use super::request_log::RequestId;
use super::shell::{FlashShown, Shell};
use super::{Portal, WebError};
use crate::auth::signing::{Signer, random_token};
use crate::auth::{CurrentUser, NotSignedIn, sessions};
use crate::store::audit::{Actor, ActorKind};

/// Strangers have no session, so their form token is bound to this cookie; `__Host-` keeps other hosts from setting it.
const COOKIE_NAME: &str = "__Host-leadgen_visitor";

const TOKEN_PURPOSE: &str = "form token";

/// What a request says about its sender; stands in the request's extensions.
#[derive(Debug, Clone)]
pub struct Visitor {
    /// The signed-in person.
    pub user: Option<CurrentUser>,
    /// What the form token is bound to: the session, or the stranger's cookie.
    binding: String,
    flash: Option<Flash>,
    now: DateTime<Utc>,
    signer: Signer,
    hides_linkedin: bool,
    has_mail: bool,
}

impl Visitor {
    /// The token that forms on this visitor's pages carry.
    #[must_use]
    pub fn token(&self) -> String {
        self.signer.sign(TOKEN_PURPOSE, &self.binding)
    }

    /// Whether a form with this token comes from this visitor.
    #[must_use]
    pub fn accepts_token(&self, token: &str) -> bool {
        self.signer.verify(TOKEN_PURPOSE, &self.binding, token)
    }

    /// What an attempt to sign in elsewhere is bound to: this browser, without giving away what its form tokens hang on.
    #[must_use]
    pub fn sign_in_binding(&self) -> String {
        self.signer.sign("sign-in binding", &self.binding)
    }

    /// The frame of this visitor's pages.
    #[must_use]
    pub fn shell(&self, path: &str) -> Shell {
        Shell::new(
            self.user.clone(),
            self.token(),
            self.flash.clone(),
            path,
            self.now,
            self.signer.clone(),
        )
        .hiding_linkedin(self.hides_linkedin)
        .with_mail(self.has_mail)
    }
}

/// Middleware around the session's: see [`sessions::within_request`].
///
/// # Errors
/// What the inner service answers.
pub async fn prepare(
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    sessions::within_request(next.call(request)).await
}

/// Middleware: recognises the visitor.
///
/// # Errors
/// What the inner service answers.
pub async fn recognise(
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let Some(portal) = request.app_data::<web::Data<Portal>>().cloned() else {
        return Ok(request.error_response(WebError::Internal("no portal".to_owned())));
    };
    let session = request.get_session();
    let user = CurrentUser::of(&session);
    let mut fresh = None;
    let binding = match &user {
        Some(user) => user.session_secret().to_owned(),
        None => match request.cookie(COOKIE_NAME) {
            Some(cookie) if cookie.value().len() == 64 => cookie.value().to_owned(),
            _ => match random_token() {
                Ok(token) => fresh.insert(token).clone(),
                Err(error) => return Ok(request.error_response(WebError::from(error))),
            },
        },
    };
    let visitor = Visitor {
        flash: Flash::read(request.request(), &portal.signer),
        binding,
        now: portal.clock.now(),
        signer: portal.signer.clone(),
        hides_linkedin: portal.connector.deployment().hides_linkedin(),
        has_mail: portal.settings.mail.is_some(),
        user: user.clone(),
    };
    if let Some(user) = user {
        tracing::Span::current().record("user.id", user.id.as_str());
        request.extensions_mut().insert(user);
    }
    request.extensions_mut().insert(visitor);
    let mut response = next.call(request).await?;
    let is_shown = response.response().extensions().contains::<FlashShown>();
    if is_shown {
        response.response_mut().add_cookie(&Flash::removal())?;
    }
    if let Some(token) = fresh {
        let cookie = Cookie::build(COOKIE_NAME, token)
            .path("/")
            .secure(true)
            .http_only(true)
            .same_site(SameSite::Lax)
            .finish();
        response.response_mut().add_cookie(&cookie)?;
    }
    Ok(response)
}

impl FromRequest for Shell {
    type Error = WebError;
    type Future = Ready<Result<Self, WebError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(
            request
                .extensions()
                .get::<Visitor>()
                .map(|visitor| visitor.shell(request.path()))
                .ok_or_else(|| WebError::Internal("a page outside of the portal".to_owned())),
        )
    }
}

impl FromRequest for Actor {
    type Error = NotSignedIn;
    type Future = Ready<Result<Self, NotSignedIn>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let user = request.extensions().get::<CurrentUser>().cloned();
        ready(user.map(|user| actor(request, &user)).ok_or(NotSignedIn))
    }
}

/// The person of this request, as the audit log keeps them.
#[must_use]
pub fn actor(request: &HttpRequest, user: &CurrentUser) -> Actor {
    Actor {
        kind: ActorKind::User,
        user_id: Some(user.id.clone()),
        name: user.name.clone(),
        roles: user.roles.clone(),
        request_id: Some(RequestId::of(request)),
        address: client_address(request).map(|address| address.to_string()),
    }
}
