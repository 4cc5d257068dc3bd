//! What programs send: parameters, identifiers, JSON, and the version that a change was made from.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header::{CONTENT_TYPE, HeaderName, IF_MATCH, IF_NONE_MATCH};
use actix_web::{FromRequest, HttpRequest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::ApiError;
use crate::domain::words::words;
use crate::store::paging::{Cursor, PageStart};
use crate::web::{WebError, body, form};

/// Query parameters. Unlike those of pages, an empty one counts as given: programs say what they mean.
#[derive(Debug)]
pub struct Parameters<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for Parameters<T> {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let fields = match body::decode(request.query_string()) {
            Ok(fields) => fields,
            Err(error) => return ready(Err(error.into())),
        };
        ready(form::read(&fields).map(Self).map_err(|name| {
            let name = name.map(|name| body::short(&name));
            ApiError::BadParameter {
                detail: match &name {
                    Some(name) => format!(
                        "The parameter “{name}” is unknown, comes twice, or holds something that it cannot hold."
                    ),
                    None => "The parameters cannot be read.".to_owned(),
                },
                name,
            }
        }))
    }
}

/// A path segment; one that is no identifier names a record that does not exist.
#[derive(Debug)]
pub struct Id<T>(pub T);

impl<T: std::str::FromStr + 'static> FromRequest for Id<T> {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let id = request
            .match_info()
            .get("id")
            .and_then(|id| id.parse().ok());
        ready(id.map(Self).ok_or_else(|| WebError::NotFound.into()))
    }
}

/// The members of a JSON object that was sent as the body.
///
/// # Errors
/// `UnsupportedMedia`, `BadJson`, or `Unprocessable` when it is JSON but no object.
pub fn object(request: &HttpRequest) -> Result<Map<String, Value>, ApiError> {
    require_json(request)?;
    match serde_json::from_slice(&body::bytes(request)) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err(ApiError::field("", "The body must be a JSON object.")),
        Err(error) => Err(bad_json(&error)),
    }
}

/// The place where the JSON ends to be JSON. The words of the parser may quote the body and are not repeated.
pub fn bad_json(error: &serde_json::Error) -> ApiError {
    ApiError::BadJson(format!(
        "The body is no JSON from line {}, column {} on.",
        error.line(),
        error.column()
    ))
}

/// Refuses a body that does not say that it is JSON.
///
/// # Errors
/// `UnsupportedMedia`.
pub fn require_json(request: &HttpRequest) -> Result<(), ApiError> {
    let media = request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .map(|media| media.trim().to_ascii_lowercase());
    match media.as_deref() {
        Some("application/json" | "application/merge-patch+json") => Ok(()),
        _ => Err(ApiError::UnsupportedMedia),
    }
}

/// A strong entity tag.
#[must_use]
pub fn etag(version: i64) -> String {
    format!("\"{version}\"")
}

/// The tags of a header; none when it was not sent.
fn tags(request: &HttpRequest, name: HeaderName) -> Option<Vec<String>> {
    let mut sent = request.headers().get_all(name).peekable();
    sent.peek()?;
    Some(
        sent.filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(|tag| tag.trim().to_owned())
            .collect(),
    )
}

/// What a change may be made to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition(Vec<String>);

impl Condition {
    /// The condition that a change must bring.
    ///
    /// # Errors
    /// `PreconditionRequired`.
    pub fn of(request: &HttpRequest) -> Result<Self, ApiError> {
        tags(request, IF_MATCH)
            .map(Self)
            .ok_or(ApiError::PreconditionRequired)
    }

    /// Goes on if the record is one of the versions meant. A weak tag is none: RFC 9110 wants the strong comparison.
    ///
    /// # Errors
    /// `PreconditionFailed`.
    pub fn check(&self, version: i64) -> Result<(), ApiError> {
        let current = etag(version);
        if self.0.iter().any(|tag| tag == "*" || *tag == current) {
            Ok(())
        } else {
            Err(ApiError::PreconditionFailed)
        }
    }
}

/// Whether the program has this version already.
#[must_use]
pub fn is_known(request: &HttpRequest, version: i64) -> bool {
    let current = etag(version);
    tags(request, IF_NONE_MATCH).is_some_and(|tags| {
        tags.iter()
            .any(|tag| tag == "*" || tag.trim_start_matches("W/") == current)
    })
}

words! {
    /// A question that a parameter answers.
    pub enum Choice {
        Yes = "yes" => "Yes",
        No = "no" => "No",
    }
}

impl Choice {
    /// Whether it is yes.
    #[must_use]
    pub const fn is_yes(self) -> bool {
        matches!(self, Self::Yes)
    }
}

/// The largest page.
pub const MOST: i64 = 200;
const USUAL: i64 = 50;

/// Records on a page.
///
/// # Errors
/// `BadParameter`.
pub fn limit(wanted: Option<i64>) -> Result<i64, ApiError> {
    match wanted.unwrap_or(USUAL) {
        limit @ 1..=MOST => Ok(limit),
        _ => Err(ApiError::BadParameter {
            name: Some("limit".to_owned()),
            detail: format!("“limit” is a number from 1 to {MOST}."),
        }),
    }
}

/// A place in a list as programs carry it: opaque, and only good for the order that it was made in.
#[must_use]
pub fn encode_cursor(order: &str, place: &Cursor) -> String {
    URL_SAFE_NO_PAD.encode(format!("{order} {place}"))
}

/// The place that a program came back with.
///
/// # Errors
/// `BadParameter`.
pub fn start(order: &str, cursor: Option<&str>) -> Result<PageStart, ApiError> {
    let Some(text) = cursor else {
        return Ok(PageStart::Newest);
    };
    let place = URL_SAFE_NO_PAD
        .decode(text)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .and_then(|text| {
            let (known, place) = text.split_once(' ')?;
            (known == order).then(|| place.parse().ok())?
        });
    place
        .map(PageStart::After)
        .ok_or_else(|| ApiError::BadParameter {
            name: Some("cursor".to_owned()),
            detail:
                "“cursor” is a next_cursor of this list, with the same parameters besides “limit”."
                    .to_owned(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    #[test]
    fn a_cursor_comes_back_in_its_order_only() {
        let place: Cursor = "5.00000000-0000-7000-8000-000000000001".parse().unwrap();
        let text = encode_cursor("newest", &place);
        assert_eq!(
            start("newest", Some(&text)).unwrap(),
            PageStart::After(place)
        );
        for bad in ["", "x", "%%", &text[1..]] {
            assert!(start("newest", Some(bad)).is_err(), "{bad}");
        }
        assert!(start("name", Some(&text)).is_err());
        assert!(limit(Some(0)).is_err() && limit(Some(201)).is_err());
    }

    #[test]
    fn a_change_names_the_version_it_was_made_from() {
        let condition = |tag: &str| {
            let request = TestRequest::default().insert_header(("if-match", tag));
            Condition::of(&request.to_http_request())
        };
        for good in ["\"7\"", "\"1\", \"7\"", "*"] {
            assert!(condition(good).unwrap().check(7).is_ok(), "{good}");
        }
        for bad in ["\"8\"", "7", "W/\"7\"", ""] {
            assert!(condition(bad).unwrap().check(7).is_err(), "{bad}");
        }
        let without = TestRequest::default().to_http_request();
        assert!(matches!(
            Condition::of(&without),
            Err(ApiError::PreconditionRequired)
        ));
    }
}
