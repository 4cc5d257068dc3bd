//! The leaf client for LinkedIn's OAuth 2.0 and versioned REST API: wire types and HTTP, none of the portal's own types.
//!
//! [`LinkedInClient`] speaks to `api.linkedin.com` (or to the sandbox), [`oauth::LinkedInOAuth`] to the authorization server.
//! It never retries and never decides: each failure comes back as one [`LinkedInError`] whose variant says what a caller may do.
//! Time is never read here; what LinkedIn's clock said comes back in [`Answer::date`].

mod calls;
mod encoding;
pub mod error;
mod http;
pub mod oauth;
mod oauth_answers;
pub mod page;
mod subscriptions;
pub mod urn;
pub mod webhook;
pub mod wire;

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};

pub use calls::ResponsesQuery;
pub use error::{DayLimit, LinkedInError, Refusal};
pub use page::{Element, Page, UnreadPage};

/// The largest page of the REST API that is read, in bytes after decompression.
pub const PAGE_SIZE_CAP: usize = 32 * 1024 * 1024;
/// The largest answer of the authorization server that is read, in bytes after decompression.
pub const TOKEN_SIZE_CAP: usize = 1024 * 1024;

/// Where LinkedIn is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkedInEndpoints {
    /// Base of the authorization server without a trailing slash, `https://www.linkedin.com/oauth/v2`.
    pub oauth_url: String,
    /// Base of the API without a trailing slash and without `/rest`, `https://api.linkedin.com`.
    pub api_url: String,
    /// The `LinkedIn-Version` header, `YYYYMM`.
    pub version: String,
}

/// How long one request may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Until the connection stands, TLS included.
    pub connect: Duration,
    /// The whole request, from the first byte sent to the last byte of the body.
    pub request: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            request: Duration::from_secs(30),
        }
    }
}

/// A member's access token. Opaque, up to about 1,000 characters; never shown, never logged.
#[derive(Clone)]
pub struct AccessToken(SecretString);

impl AccessToken {
    /// Wraps a token as LinkedIn issued it.
    #[must_use]
    pub fn new(secret: impl Into<String>) -> Self {
        Self(SecretString::from(secret.into()))
    }

    /// The token itself, for the `Authorization` header and for encryption at rest.
    #[must_use]
    pub fn secret(&self) -> &str {
        self.0.expose_secret()
    }
}

impl From<SecretString> for AccessToken {
    fn from(secret: SecretString) -> Self {
        Self(secret)
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessToken([redacted])")
    }
}

/// What a call gave, beside what the transport said about it.
#[derive(Debug, Clone)]
pub struct Answer<T> {
    /// The parsed body.
    pub value: T,
    /// The HTTP `Date` header: LinkedIn's clock, for telling a skewed clock of ours.
    pub date: Option<DateTime<Utc>>,
    /// `x-li-request-id` or, where absent, `x-li-uuid`: what LinkedIn's support asks for.
    pub request_id: Option<String>,
}

impl<T> Answer<T> {
    /// The same answer with its value changed.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Answer<U> {
        Answer {
            value: change(self.value),
            date: self.date,
            request_id: self.request_id,
        }
    }
}

/// Whose forms and leads are asked for (`owner=(…)`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Owner {
    /// `urn:li:sponsoredAccount:{id}`; its leads are SPONSORED.
    SponsoredAccount(i64),
    /// `urn:li:organization:{id}`; its leads are EVENT, COMPANY or ORGANIZATION_PRODUCT.
    Organization(i64),
}

impl Owner {
    /// The owner's URN.
    #[must_use]
    pub fn urn(self) -> String {
        match self {
            Self::SponsoredAccount(id) => format!("urn:li:sponsoredAccount:{id}"),
            Self::Organization(id) => format!("urn:li:organization:{id}"),
        }
    }

    /// The union as a Rest.li 2.0 parameter value, its URN percent-encoded.
    fn parameter(self) -> String {
        let key = match self {
            Self::SponsoredAccount(_) => "sponsoredAccount",
            Self::Organization(_) => "organization",
        };
        format!("({key}:{})", encoding::primitive(&self.urn()))
    }
}

/// LinkedIn's `leadType` of the requests (the answers carry it as an open string).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LeadType {
    /// Leads of ads; owner is an ad account.
    Sponsored,
    /// Leads of events; owner is an organization.
    Event,
    /// Leads of a company page; owner is an organization.
    Company,
    /// Leads of a product page; owner is an organization.
    OrganizationProduct,
}

impl LeadType {
    /// Every lead type that an organization can own.
    pub const ORGANIC: [Self; 3] = [Self::Event, Self::Company, Self::OrganizationProduct];

    /// LinkedIn's spelling.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sponsored => "SPONSORED",
            Self::Event => "EVENT",
            Self::Company => "COMPANY",
            Self::OrganizationProduct => "ORGANIZATION_PRODUCT",
        }
    }

    /// The lead type of LinkedIn's spelling; unknown spellings give `None`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "SPONSORED" => Some(Self::Sponsored),
            "EVENT" => Some(Self::Event),
            "COMPANY" => Some(Self::Company),
            "ORGANIZATION_PRODUCT" => Some(Self::OrganizationProduct),
            _ => None,
        }
    }
}

/// LinkedIn's clock as its last answer told it, and when that was.
type LastDate = Arc<Mutex<Option<(DateTime<Utc>, Instant)>>>;

/// The client of the REST API. Cheap to clone; clones share the connections.
#[derive(Debug, Clone)]
pub struct LinkedInClient {
    endpoints: LinkedInEndpoints,
    http: reqwest::Client,
    /// LinkedIn's latest `Date`, and the moment at which it came.
    last_date: LastDate,
}

impl LinkedInClient {
    /// Builds the client: rustls, no redirects (a token must never follow one), no proxy from the environment, gzip.
    ///
    /// # Errors
    /// [`LinkedInError::Configuration`] when a base address is no absolute http(s) URL or the TLS set-up fails.
    pub fn new(endpoints: LinkedInEndpoints, timeouts: Timeouts) -> Result<Self, LinkedInError> {
        // A second installation only says that the first one stands.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let endpoints = LinkedInEndpoints {
            oauth_url: base_address("OAuth", &endpoints.oauth_url)?,
            api_url: base_address("API", &endpoints.api_url)?,
            version: endpoints.version,
        };
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .gzip(true)
            .connect_timeout(timeouts.connect)
            .timeout(timeouts.request)
            .tcp_nodelay(true)
            .user_agent(concat!("leadgen-connector/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| LinkedInError::Configuration {
                what: format!("the HTTP client could not be built: {error}"),
            })?;
        Ok(Self {
            endpoints,
            http,
            last_date: Arc::default(),
        })
    }

    /// What LinkedIn's clock says now, to the second: its latest `Date` header plus the time since. `None` before the
    /// first answer.
    #[must_use]
    pub fn clock(&self) -> Option<DateTime<Utc>> {
        let seen = *self
            .last_date
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let (date, at) = seen?;
        date.checked_add_signed(chrono::TimeDelta::from_std(at.elapsed()).ok()?)
    }

    /// Where this client sends its requests.
    #[must_use]
    pub fn endpoints(&self) -> &LinkedInEndpoints {
        &self.endpoints
    }
}

fn base_address(name: &str, address: &str) -> Result<String, LinkedInError> {
    let trimmed = address.trim_end_matches('/');
    let refuse = |why: &str| LinkedInError::Configuration {
        what: format!("the LinkedIn {name} address {why}"),
    };
    let url = url::Url::parse(trimmed).map_err(|_| refuse("is not an absolute URL"))?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err(refuse("must begin with https:// (http:// for a sandbox)"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refuse("must have no query and no fragment"));
    }
    Ok(trimmed.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_not_shown_by_debug() {
        let token = AccessToken::new("AQX-very-secret");
        assert_eq!(format!("{token:?}"), "AccessToken([redacted])");
    }

    #[test]
    fn base_addresses_are_checked_and_lose_their_trailing_slash() {
        let client = |oauth: &str, api: &str| {
            LinkedInClient::new(
                LinkedInEndpoints {
                    oauth_url: oauth.to_owned(),
                    api_url: api.to_owned(),
                    version: "202607".to_owned(),
                },
                Timeouts::default(),
            )
        };
        let good =
            client("https://www.linkedin.com/oauth/v2/", "http://127.0.0.1:9/").expect("valid");
        assert_eq!(
            good.endpoints().oauth_url,
            "https://www.linkedin.com/oauth/v2"
        );
        assert_eq!(good.endpoints().api_url, "http://127.0.0.1:9");
        for bad in [
            "",
            "linkedin.com",
            "ftp://linkedin.com",
            "https://a.example/?x=1",
            "https://a.example/#f",
        ] {
            assert!(client(bad, "https://api.linkedin.com").is_err(), "{bad}");
        }
    }

    #[test]
    fn owners_are_written_as_rest_li_unions() {
        assert_eq!(
            Owner::SponsoredAccount(500_123).parameter(),
            "(sponsoredAccount:urn%3Ali%3AsponsoredAccount%3A500123)"
        );
        assert_eq!(
            Owner::Organization(7).parameter(),
            "(organization:urn%3Ali%3Aorganization%3A7)"
        );
    }

    #[test]
    fn lead_types_read_back_what_they_write() {
        for kind in [
            LeadType::Sponsored,
            LeadType::Event,
            LeadType::Company,
            LeadType::OrganizationProduct,
        ] {
            assert_eq!(LeadType::parse(kind.as_str()), Some(kind));
        }
        assert_eq!(LeadType::parse("ORGANIC"), None);
    }
}
