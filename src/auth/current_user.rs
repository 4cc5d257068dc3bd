//! The signed-in person, read from the database on every request.

use std::future::{Ready, ready};

use actix_session::Session;
use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::{FromRequest, HttpMessage, HttpRequest, ResponseError};
use chrono::{DateTime, TimeDelta, Utc};

use super::sessions::{FRESH_FOR, SECRET, SessionEnd, USER_ID, found};
use super::signing::digest;
use crate::domain::access::{Permission, Role, allows};
use crate::domain::ids::UserId;
use crate::domain::preferences::Preferences;
use crate::domain::time_zone::TimeZone;

/// The person who makes this request.
#[derive(Debug, Clone)]
pub struct CurrentUser {
    /// Identifier.
    pub id: UserId,
    /// Address, as typed.
    pub email: String,
    /// Name on pages.
    pub name: String,
    /// Roles, as they are now.
    pub roles: Vec<Role>,
    /// In which zone to show times.
    pub time_zone: TimeZone,
    /// How the person likes the pages.
    pub preferences: Preferences,
    /// Counts changes of the user record.
    pub lock_version: i64,
    /// When this session ends if nothing more is opened.
    pub session_end: SessionEnd,
    /// When the person proved who they are: by signing in, or by confirming it.
    pub proved_at: DateTime<Utc>,
    /// Whether the person must set up a second factor before anything else opens.
    pub lacks_second_factor: bool,
    session_secret: String,
}

impl CurrentUser {
    /// Whether the person may do this now.
    #[must_use]
    pub fn can(&self, permission: Permission) -> bool {
        !self.lacks_second_factor && allows(&self.roles, permission)
    }

    /// Whether the person proved a short time ago who they are; `grace` on top, for forms that were opened in time.
    #[must_use]
    pub fn is_fresh(&self, now: DateTime<Utc>, grace: TimeDelta) -> bool {
        now - self.proved_at < FRESH_FOR + grace
    }

    /// A name for this session that stays the same until it ends and cannot be used to take it over: binds an OAuth
    /// `state` to the browser that asked for it.
    #[must_use]
    pub fn session_binding(&self) -> String {
        digest(&format!("binding:{}", self.session_secret))
    }

    /// What form tokens are bound to.
    #[must_use]
    pub fn session_secret(&self) -> &str {
        &self.session_secret
    }

    /// The person of this request's session, if there is one who may be here.
    #[must_use]
    pub fn of(session: &Session) -> Option<Self> {
        let id: UserId = session.get(USER_ID).ok().flatten()?;
        let session_secret: String = session.get(SECRET).ok().flatten()?;
        let found = found().filter(|found| found.user.id == id && found.user.is_enabled)?;
        let user = found.user;
        Some(Self {
            id: user.id,
            email: user.email,
            name: user.name,
            roles: user.roles,
            time_zone: user.time_zone,
            preferences: user.preferences,
            lock_version: user.lock_version,
            session_end: found.end,
            proved_at: found.proved_at,
            lacks_second_factor: found.lacks_second_factor,
            session_secret,
        })
    }
}

/// A handler wanted a person and there is none. The route table keeps this from happening.
#[derive(Debug, thiserror::Error)]
#[error("nobody is signed in")]
pub struct NotSignedIn;

impl ResponseError for NotSignedIn {
    fn status_code(&self) -> StatusCode {
        StatusCode::UNAUTHORIZED
    }
}

impl FromRequest for CurrentUser {
    type Error = NotSignedIn;
    type Future = Ready<Result<Self, NotSignedIn>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(
            request
                .extensions()
                .get::<Self>()
                .cloned()
                .ok_or(NotSignedIn),
        )
    }
}
