//! The JSON of the authorization server, as the `oauth2` crate wants to read it and as LinkedIn really prints it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use oauth2::basic::BasicTokenType;
use oauth2::{ClientId, Scope, TokenIntrospectionResponse, TokenResponse};
use secrecy::SecretString;
use serde::{Deserialize, Deserializer, Serialize};

use super::AccessToken;
use super::oauth::{Introspection, TokenAnswer};

/// The token endpoint's JSON.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub(super) struct WireToken {
    access_token: oauth2::AccessToken,
    #[serde(default = "bearer", skip_deserializing)]
    token_type: BasicTokenType,
    #[serde(deserialize_with = "seconds")]
    expires_in: u64,
    #[serde(default)]
    refresh_token: Option<oauth2::RefreshToken>,
    #[serde(default, deserialize_with = "maybe_seconds")]
    refresh_token_expires_in: Option<u64>,
    #[serde(default, rename = "scope", deserialize_with = "scope_list")]
    scopes: Option<Vec<Scope>>,
}

fn bearer() -> BasicTokenType {
    BasicTokenType::Bearer
}

impl TokenResponse for WireToken {
    type TokenType = BasicTokenType;

    fn access_token(&self) -> &oauth2::AccessToken {
        &self.access_token
    }

    fn token_type(&self) -> &BasicTokenType {
        &self.token_type
    }

    fn expires_in(&self) -> Option<Duration> {
        Some(Duration::from_secs(self.expires_in))
    }

    fn refresh_token(&self) -> Option<&oauth2::RefreshToken> {
        self.refresh_token.as_ref()
    }

    fn scopes(&self) -> Option<&Vec<Scope>> {
        self.scopes.as_ref()
    }
}

impl From<WireToken> for TokenAnswer {
    fn from(token: WireToken) -> Self {
        Self {
            access_token: AccessToken::new(token.access_token.into_secret()),
            expires_in: Duration::from_secs(token.expires_in),
            refresh_token: token
                .refresh_token
                .map(oauth2::RefreshToken::into_secret)
                .filter(|secret| !secret.is_empty())
                .map(SecretString::from),
            refresh_token_expires_in: token.refresh_token_expires_in.map(Duration::from_secs),
            scopes: scope_names(token.scopes),
        }
    }
}

/// The introspection endpoint's JSON; times are epoch seconds.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub(super) struct WireIntrospection {
    active: bool,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    client_id: Option<ClientId>,
    #[serde(default)]
    authorized_at: Option<i64>,
    #[serde(default)]
    created_at: Option<i64>,
    #[serde(default)]
    expires_at: Option<i64>,
    #[serde(default, rename = "scope", deserialize_with = "scope_list")]
    scopes: Option<Vec<Scope>>,
}

impl TokenIntrospectionResponse for WireIntrospection {
    type TokenType = BasicTokenType;

    fn active(&self) -> bool {
        self.active
    }

    fn scopes(&self) -> Option<&Vec<Scope>> {
        self.scopes.as_ref()
    }

    fn client_id(&self) -> Option<&ClientId> {
        self.client_id.as_ref()
    }

    fn username(&self) -> Option<&str> {
        None
    }

    fn token_type(&self) -> Option<&BasicTokenType> {
        None
    }

    fn exp(&self) -> Option<DateTime<Utc>> {
        moment(self.expires_at)
    }

    fn iat(&self) -> Option<DateTime<Utc>> {
        moment(self.created_at)
    }

    fn nbf(&self) -> Option<DateTime<Utc>> {
        None
    }

    fn sub(&self) -> Option<&str> {
        None
    }

    fn aud(&self) -> Option<&Vec<String>> {
        None
    }

    fn iss(&self) -> Option<&str> {
        None
    }

    fn jti(&self) -> Option<&str> {
        None
    }
}

impl From<WireIntrospection> for Introspection {
    fn from(answer: WireIntrospection) -> Self {
        Self {
            active: answer.active,
            expires_at: moment(answer.expires_at),
            authorized_at: moment(answer.authorized_at),
            scopes: scope_names(answer.scopes),
            status: answer.status,
        }
    }
}

fn moment(seconds: Option<i64>) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(seconds?, 0)
}

fn scope_names(scopes: Option<Vec<Scope>>) -> Vec<String> {
    scopes
        .unwrap_or_default()
        .into_iter()
        .map(|scope| scope.to_string())
        .collect()
}

/// Splits `a,b c` as LinkedIn prints it in either way.
fn scope_list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<Scope>>, D::Error> {
    let text: Option<String> = Option::deserialize(deserializer)?;
    Ok(text.map(|text| {
        text.split([' ', ','])
            .filter(|scope| !scope.is_empty())
            .map(|scope| Scope::new(scope.to_owned()))
            .collect()
    }))
}

/// LinkedIn's own sample of the two-legged flow prints the number as text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Seconds {
    Number(u64),
    Text(String),
}

impl Seconds {
    fn value<E: serde::de::Error>(self) -> Result<u64, E> {
        match self {
            Self::Number(number) => Ok(number),
            Self::Text(text) => text
                .trim()
                .parse()
                .map_err(|_| E::custom("seconds expected")),
        }
    }
}

fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    Seconds::deserialize(deserializer)?.value()
}

fn maybe_seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    Option::<Seconds>::deserialize(deserializer)?
        .map(Seconds::value)
        .transpose()
}
