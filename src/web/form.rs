//! What comes in: forms, query parameters and path segments, each with our own error page when it cannot be read.

use std::collections::BTreeMap;
use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;

use super::{WebError, body};

/// A sent form. Fields are text; handlers check them into [`FieldErrors`]. Unknown fields change nothing.
#[derive(Debug)]
pub struct Form<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for Form<T> {
    type Error = WebError;
    type Future = Ready<Result<Self, WebError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(body::fields(request).and_then(|fields| {
            read(&fields).map(Self).map_err(|wrong| {
                WebError::Invalid(match wrong {
                    Some(name) => format!(
                        "The field “{}” of the form is missing, comes twice or holds something that it cannot hold.",
                        body::short(&name)
                    ),
                    None => "The form is not complete.".to_owned(),
                })
            })
        }))
    }
}

/// A password in a form: prints as `[REDACTED]`.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(from = "String")]
pub struct SecretText(pub SecretString);

impl From<String> for SecretText {
    fn from(text: String) -> Self {
        Self(SecretString::from(text))
    }
}

impl SecretText {
    /// The text itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

/// A form without fields: a button.
#[derive(Debug, serde::Deserialize)]
pub struct NoFields {}

/// Query parameters. Those without a value count as not given, because that is what a filter form sends.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for Query<T> {
    type Error = WebError;
    type Future = Ready<Result<Self, WebError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let path = request.path().to_owned();
        ready(body::decode(request.query_string()).and_then(|mut fields| {
            fields.retain(|(_, value)| !value.trim().is_empty());
            read(&fields)
                .map(Self)
                .map_err(|wrong| WebError::InvalidQuery {
                    parameter: wrong.map(|name| body::short(&name)),
                    path,
                })
        }))
    }
}

/// Path segments; one that is no identifier is a page that does not exist.
#[derive(Debug)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for Path<T> {
    type Error = WebError;
    type Future = Ready<Result<Self, WebError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        use futures_util::FutureExt;
        let read = actix_web::web::Path::<T>::from_request(request, payload).now_or_never();
        ready(match read {
            Some(Ok(path)) => Ok(Self(path.into_inner())),
            _ => Err(WebError::NotFound),
        })
    }
}

/// Reads fields into `T`; the error names the field that is to blame, as far as one can tell.
pub(super) fn read<T: DeserializeOwned>(fields: &[(String, String)]) -> Result<T, Option<String>> {
    let encode = |fields: &[(String, String)]| {
        let mut text = url::form_urlencoded::Serializer::new(String::new());
        text.extend_pairs(fields);
        text.finish()
    };
    serde_html_form::from_str(&encode(fields)).map_err(|whole| {
        let names: std::collections::BTreeSet<&String> =
            fields.iter().map(|(name, _)| name).collect();
        let missing = whole
            .to_string()
            .split('`')
            .nth(1)
            .filter(|_| whole.to_string().starts_with("missing field"))
            .map(str::to_owned);
        missing.or_else(|| {
            names
                .into_iter()
                .find(|name| {
                    let others: Vec<_> = fields
                        .iter()
                        .filter(|(other, _)| other != *name)
                        .cloned()
                        .collect();
                    serde_html_form::from_str::<T>(&encode(&others)).is_ok()
                        || serde_html_form::from_str::<T>(&encode(&others))
                            .is_err_and(|error| error.to_string().starts_with("missing field"))
                })
                .cloned()
        })
    })
}

/// Messages at fields, in the order in which they were found. The name is the form field's.
#[derive(Debug, Clone, Default)]
pub struct FieldErrors {
    messages: Vec<(String, String)>,
    by_field: BTreeMap<String, String>,
}

impl FieldErrors {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a message; the first one of a field stands at the field.
    pub fn add(&mut self, field: &str, message: impl Into<String>) {
        let message = message.into();
        self.by_field
            .entry(field.to_owned())
            .or_insert_with(|| message.clone());
        self.messages.push((field.to_owned(), message));
    }

    /// Takes the value, or notes the error at the field.
    pub fn check<T, E: std::fmt::Display>(
        &mut self,
        field: &str,
        result: Result<T, E>,
    ) -> Option<T> {
        result
            .map_err(|error| self.add(field, error.to_string()))
            .ok()
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// The message at a field.
    #[must_use]
    pub fn get(&self, field: &str) -> Option<&str> {
        self.by_field.get(field).map(String::as_str)
    }

    /// All messages with their fields, for the summary.
    #[must_use]
    pub fn all(&self) -> &[(String, String)] {
        &self.messages
    }
}

/// Whether a choice of a select is the chosen one: the two may be any texts, words or identifiers.
#[must_use]
pub fn is_same(choice: &impl std::fmt::Display, chosen: &impl std::fmt::Display) -> bool {
    choice.to_string() == chosen.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    struct Example {
        name: String,
        #[serde(default)]
        roles: Vec<String>,
        page: Option<u32>,
    }

    fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn forms_are_read_and_the_field_to_blame_is_named() {
        let good: Example = read(&pairs(&[
            ("name", "a"),
            ("roles", "x"),
            ("roles", "y"),
            ("other", "z"),
        ]))
        .unwrap();
        assert_eq!(
            (good.name.as_str(), good.roles.len(), good.page),
            ("a", 2, None)
        );
        for (fields, blamed) in [
            (pairs(&[("page", "1")]), "name"),
            (pairs(&[("name", "a"), ("page", "x")]), "page"),
            (pairs(&[("name", "a"), ("name", "b")]), "name"),
        ] {
            assert_eq!(
                read::<Example>(&fields).unwrap_err().as_deref(),
                Some(blamed)
            );
        }
    }
}
