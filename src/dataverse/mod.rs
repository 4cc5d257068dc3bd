//! The leaf client for Dataverse's Web API and for the tokens that Entra gives for it: wire types and HTTP, none of the
//! portal's own types.
//!
//! [`Dataverse`] holds what all organizations share; [`DataverseClient`] speaks to one of them. It never retries (but for one
//! fresh token after a 401) and never decides: each failure comes back as one [`DataverseError`] whose variant says what a
//! caller may do.

mod calls;
mod certificate;
mod changes;
pub mod error;
mod http;
mod keys;
mod metadata;
pub mod query;
mod token;
pub mod wire;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use url::Url;

use crate::destination_address::{self, AddressRefusal, Reach};

pub use calls::{Condition, LeadQuery, LeadRecord, UpsertRow};
pub use certificate::{Certificate, CertificateError};
pub use changes::{ChangePage, LeadChange, LeadOwner, LeadState, OrganizationUser, Qualification};
pub use error::{DataverseError, Refusal, TokenProblem};
pub use keys::KeyIndex;
pub use metadata::{Column, ColumnKind};

/// The largest answer that is read, in bytes after decompression.
pub const SIZE_CAP: usize = 32 * 1024 * 1024;
/// The version of the Web API.
const API: &str = "api/data/v9.2";

/// The address of an organization: `https://contoso.crm4.dynamics.com`, without path and without a slash at its end.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OrganizationAddress(String);

/// Why an address is none. Each message says what to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not a URL, or with parts that do not belong there.
    #[error(
        "Write the address of the organization as the browser shows it, for example https://contoso.crm4.dynamics.com."
    )]
    Unreadable,
    /// `http://` and others.
    #[error(
        "The address must begin with https://, so that leads and credentials travel encrypted."
    )]
    NotHttps,
    /// An address that destinations may not have.
    #[error("{0}")]
    Refused(#[from] AddressRefusal),
}

impl OrganizationAddress {
    /// The address as it is written in requests and scopes.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Refuses an address that destinations may not have.
    ///
    /// # Errors
    /// [`AddressError::Refused`].
    pub fn check(&self, reach: Reach) -> Result<(), AddressError> {
        let url = Url::parse(&self.0).map_err(|_| AddressError::Unreadable)?;
        Ok(destination_address::check(&url, reach)?)
    }
}

impl FromStr for OrganizationAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let text = text.trim();
        let text = if text.contains("://") {
            text.to_owned()
        } else {
            format!("https://{text}")
        };
        let url = Url::parse(&text).map_err(|_| AddressError::Unreadable)?;
        if url.scheme() != "https" {
            return Err(AddressError::NotHttps);
        }
        let has_more = !url.username().is_empty() || url.password().is_some();
        let host = url.host_str().filter(|host| !host.is_empty() && !has_more);
        let host = host.ok_or(AddressError::Unreadable)?;
        // What people copy from their browser has a path (/main.aspx): it is not part of the organization.
        Ok(Self(match url.port() {
            Some(port) => format!("https://{host}:{port}"),
            None => format!("https://{host}"),
        }))
    }
}

impl fmt::Display for OrganizationAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A tenant: its id or one of its domain names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Tenant(String);

impl Tenant {
    /// The tenant as addresses carry it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Tenant {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let text = text.trim().to_ascii_lowercase();
        let is_id = uuid::Uuid::try_parse(&text).is_ok_and(|_| text.len() == 36);
        let is_domain = text.contains('.')
            && text.len() <= 253
            && text.split('.').all(|label| {
                !label.is_empty()
                    && label
                        .bytes()
                        .all(|b| b.is_ascii_alphanumeric() || b == b'-')
            });
        if is_id || is_domain {
            Ok(Self(text))
        } else {
            Err(
                "Write the tenant's id (Entra › Overview › Tenant ID) or one of its domain names, for example contoso.onmicrosoft.com.",
            )
        }
    }
}

/// What the application proves its identity with.
#[derive(Clone)]
pub enum Credential {
    /// A client secret.
    Secret(SecretString),
    /// A certificate with its key.
    Certificate(Arc<Certificate>),
}

/// Everything that is needed to speak to one organization.
#[derive(Clone)]
pub struct Access {
    /// Where it is.
    pub address: OrganizationAddress,
    /// Whose directory the application is in.
    pub tenant: Tenant,
    /// The application (client) id.
    pub client_id: String,
    /// Its secret or certificate.
    pub credential: Credential,
}

/// What all organizations share.
#[derive(Clone)]
pub struct DataverseOptions {
    /// Base of Entra's endpoints without a slash at its end, `https://login.microsoftonline.com`.
    pub authority: String,
    /// Certificates of authorities that are believed beside the system's.
    pub authorities: Vec<reqwest::Certificate>,
    /// Which addresses may be spoken to.
    pub reach: Reach,
    /// Until the connection stands, TLS included.
    pub connect_timeout: Duration,
    /// The whole request.
    pub request_timeout: Duration,
}

/// The wall clock: a signed statement carries its time.
pub type Now = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// The connections that all organizations share. Cheap to clone.
#[derive(Clone)]
pub struct Dataverse {
    http: reqwest::Client,
    authority: String,
    reach: Reach,
    now: Now,
}

impl fmt::Debug for Dataverse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dataverse")
            .field("authority", &self.authority)
            .field("reach", &self.reach)
            .finish_non_exhaustive()
    }
}

impl Dataverse {
    /// Builds the client as every destination's: https only, no redirects (a token must never follow one), no proxy.
    ///
    /// # Errors
    /// [`DataverseError::Configuration`] when the TLS set-up fails.
    pub fn new(options: DataverseOptions, now: Now) -> Result<Self, DataverseError> {
        let http = destination_address::client_builder(options.reach, &options.authorities)
            .gzip(true)
            .connect_timeout(options.connect_timeout)
            .timeout(options.request_timeout)
            .tcp_nodelay(true)
            .build()
            .map_err(|error| {
                DataverseError::configuration(format!(
                    "the HTTP client could not be built: {error}"
                ))
            })?;
        Ok(Self {
            http,
            authority: options.authority.trim_end_matches('/').to_owned(),
            reach: options.reach,
            now,
        })
    }

    /// Which addresses may be spoken to.
    #[must_use]
    pub fn reach(&self) -> Reach {
        self.reach
    }

    /// The client of one organization. Clones share its token.
    #[must_use]
    pub fn client(&self, access: Access) -> DataverseClient {
        DataverseClient {
            http: self.http.clone(),
            authority: self.authority.clone(),
            reach: self.reach,
            now: Arc::clone(&self.now),
            access: Arc::new(access),
            kept: Arc::default(),
        }
    }
}

/// Speaks to one organization. Cheap to clone; clones share the connections and the token.
#[derive(Clone)]
pub struct DataverseClient {
    http: reqwest::Client,
    authority: String,
    reach: Reach,
    now: Now,
    access: Arc<Access>,
    kept: Arc<tokio::sync::Mutex<Option<token::Kept>>>,
}

impl fmt::Debug for DataverseClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DataverseClient")
            .field("address", &self.access.address)
            .finish_non_exhaustive()
    }
}

impl DataverseClient {
    /// An address of the Web API: `path` with its query, as it is sent.
    fn address_of(&self, path: &str) -> String {
        format!("{}/{API}/{path}", self.access.address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_people_copy_it() {
        for text in [
            "https://contoso.crm4.dynamics.com",
            " https://Contoso.crm4.dynamics.com/ ",
            "contoso.crm4.dynamics.com",
            "https://contoso.crm4.dynamics.com/main.aspx?appid=1#x",
            "https://contoso.crm4.dynamics.com:443/api/data/v9.2/",
        ] {
            let address: OrganizationAddress = text.parse().expect(text);
            assert_eq!(address.as_str(), "https://contoso.crm4.dynamics.com");
        }
        let ported: OrganizationAddress = "https://localhost:8443/".parse().unwrap();
        assert_eq!(ported.as_str(), "https://localhost:8443");
        assert_eq!(
            ported.check(Reach::Public),
            Err(AddressError::Refused(AddressRefusal::NotPublic))
        );
    }

    #[test]
    fn what_is_no_address_is_refused_with_the_fix() {
        let refused = |text: &str| text.parse::<OrganizationAddress>().expect_err(text);
        assert_eq!(
            refused("http://contoso.crm4.dynamics.com"),
            AddressError::NotHttps
        );
        assert_eq!(refused("file:///etc/passwd"), AddressError::NotHttps);
        assert_eq!(refused(""), AddressError::Unreadable);
        assert_eq!(
            refused("https://user:pw@contoso.crm4.dynamics.com"),
            AddressError::Unreadable
        );
    }

    #[test]
    fn a_tenant_is_an_id_or_a_domain_and_cannot_change_the_path() {
        for good in [
            "9A7700AA-0000-4000-8000-000000000001",
            "contoso.onmicrosoft.com",
        ] {
            assert!(good.parse::<Tenant>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "common",
            "contoso",
            "../x",
            "a.b/c",
            "a..b",
            "contoso.com?x",
        ] {
            assert!(bad.parse::<Tenant>().is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn a_private_address_is_not_spoken_to() {
        let dataverse = Dataverse::new(
            DataverseOptions {
                authority: "https://127.0.0.1:1".to_owned(),
                authorities: Vec::new(),
                reach: Reach::Public,
                connect_timeout: Duration::from_secs(2),
                request_timeout: Duration::from_secs(2),
            },
            Arc::new(|| DateTime::<Utc>::UNIX_EPOCH),
        )
        .expect("builds");
        let access = Access {
            address: "https://localhost:1".parse().expect("address"),
            tenant: "contoso.test".parse().expect("tenant"),
            client_id: "app".to_owned(),
            credential: Credential::Secret(SecretString::from("s3cret")),
        };
        let refused = dataverse.client(access).who_am_i().await;
        assert_eq!(
            refused.expect_err("private"),
            DataverseError::AddressNotPublic
        );
    }
}
