//! A message that survives one redirect, in a signed cookie: no write to the database, and it outlives the session.

use actix_web::HttpRequest;
use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::auth::signing::Signer;

const COOKIE_NAME: &str = "__Host-leadgen_flash";
const PURPOSE: &str = "flash";

/// How a message is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FlashKind {
    /// It worked.
    Success,
    /// It worked, but.
    Warning,
    /// It did not work.
    Failure,
    /// By the way.
    Notice,
}

/// A message with, if useful, a link to what it is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flash {
    /// How it is meant.
    pub kind: FlashKind,
    /// One sentence.
    pub text: String,
    /// Address and label of a link.
    pub link: Option<(String, String)>,
}

impl Flash {
    fn new(kind: FlashKind, text: impl Into<String>) -> Self {
        Self {
            kind,
            text: text.into(),
            link: None,
        }
    }

    /// It worked.
    #[must_use]
    pub fn success(text: impl Into<String>) -> Self {
        Self::new(FlashKind::Success, text)
    }

    /// It worked, but.
    #[must_use]
    pub fn warning(text: impl Into<String>) -> Self {
        Self::new(FlashKind::Warning, text)
    }

    /// It did not work.
    #[must_use]
    pub fn failure(text: impl Into<String>) -> Self {
        Self::new(FlashKind::Failure, text)
    }

    /// By the way.
    #[must_use]
    pub fn notice(text: impl Into<String>) -> Self {
        Self::new(FlashKind::Notice, text)
    }

    /// Adds a link to a page of ours.
    #[must_use]
    pub fn with_link(mut self, path: impl Into<String>, label: impl Into<String>) -> Self {
        self.link = Some((path.into(), label.into()));
        self
    }

    /// The word that the style sheet and the reader of the page get.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self.kind {
            FlashKind::Success => "success",
            FlashKind::Warning => "warning",
            FlashKind::Failure => "failure",
            FlashKind::Notice => "notice",
        }
    }

    /// The cookie that carries the message to the next page.
    #[must_use]
    pub(super) fn cookie(&self, signer: &Signer) -> Cookie<'static> {
        let mut short = self.clone();
        if short.text.chars().count() > 500 {
            short.text = short.text.chars().take(499).chain(['…']).collect();
        }
        let json = serde_json::to_string(&short).unwrap_or_default();
        let signature = signer.sign(PURPOSE, &json);
        build(format!("{signature}.{}", URL_SAFE_NO_PAD.encode(json)))
            .max_age(Duration::minutes(5))
            .finish()
    }

    /// The message that the last answer left.
    pub(super) fn read(request: &HttpRequest, signer: &Signer) -> Option<Self> {
        let cookie = request.cookie(COOKIE_NAME)?;
        let (signature, body) = cookie.value().split_once('.')?;
        let json = String::from_utf8(URL_SAFE_NO_PAD.decode(body).ok()?).ok()?;
        if !signer.verify(PURPOSE, &json, signature) {
            return None;
        }
        serde_json::from_str(&json).ok()
    }

    /// The cookie that removes a message that was shown.
    pub(super) fn removal() -> Cookie<'static> {
        let mut cookie = build(String::new()).finish();
        cookie.make_removal();
        cookie
    }
}

fn build(value: String) -> actix_web::cookie::CookieBuilder<'static> {
    Cookie::build(COOKIE_NAME, value)
        .path("/")
        .secure(true)
        .http_only(true)
        .same_site(SameSite::Lax)
}
