//! What a provider says about itself (OpenID Connect Discovery 1.0), and which of it the portal believes.

use serde::Deserialize;
use url::Url;

use super::error::OidcError;

/// What Entra's issuers for several tenants have in place of the tenant.
const TENANT: &str = "{tenantid}";

#[derive(Debug, Deserialize)]
struct Document {
    issuer: String,
    authorization_endpoint: Url,
    token_endpoint: Url,
    jwks_uri: Url,
    userinfo_endpoint: Option<Url>,
    end_session_endpoint: Option<Url>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

/// The provider's addresses and habits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// The issuer, exactly as its tokens name it; with `{tenantid}` for Entra's issuers of several tenants.
    pub(super) issuer: String,
    pub(super) authorization_endpoint: Url,
    pub(super) token_endpoint: Url,
    pub(super) jwks_uri: Url,
    pub(super) userinfo_endpoint: Option<Url>,
    pub(super) end_session_endpoint: Option<Url>,
    /// The client secret goes into the body, because the provider does not take it as HTTP Basic.
    pub(super) takes_secret_in_body: bool,
    /// The provider says in its answer who it is (RFC 9207).
    pub(super) names_itself: bool,
}

/// Where a provider describes itself.
///
/// # Errors
/// `Configuration` when the issuer is no address.
pub(super) fn address(issuer: &str) -> Result<Url, OidcError> {
    let text = format!(
        "{}/.well-known/openid-configuration",
        issuer.trim_end_matches('/')
    );
    Url::parse(&text).map_err(|_| OidcError::Configuration {
        what: "the issuer is not an address".to_owned(),
    })
}

/// Whether what is sent to this address can be read on the way: only on this very machine may it be.
fn is_safe(url: &Url) -> bool {
    url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url))
}

/// Whether an address leads to this machine.
#[must_use]
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Entra's issuers that stand for many tenants.
#[must_use]
pub fn is_for_several_tenants(issuer: &str) -> bool {
    Url::parse(issuer).is_ok_and(|url| {
        is_entra(&url)
            && url
                .path_segments()
                .and_then(|mut parts| parts.next())
                .is_some_and(|tenant| matches!(tenant, "common" | "organizations" | "consumers"))
    })
}

fn is_entra(url: &Url) -> bool {
    matches!(
        url.host_str(),
        Some(
            "login.microsoftonline.com"
                | "login.microsoftonline.us"
                | "login.partner.microsoftonline.cn"
        )
    )
}

impl Metadata {
    /// Reads and checks a provider's description of itself.
    ///
    /// # Errors
    /// `Metadata`, naming what is wrong.
    pub(super) fn parse(configured: &str, body: &[u8]) -> Result<Self, OidcError> {
        let refuse = |what: &str| OidcError::Metadata {
            what: what.to_owned(),
        };
        let document: Document = serde_json::from_slice(body)
            .map_err(|_| refuse("it lacks an address, or is no JSON"))?;
        let plain = |text: &str| text.trim_end_matches('/').to_owned();
        let is_same = plain(&document.issuer) == plain(configured);
        // `https://login.microsoftonline.com/organizations/v2.0` calls itself `…/{tenantid}/v2.0`.
        let is_template = is_for_several_tenants(configured)
            && ["common", "organizations", "consumers"]
                .iter()
                .any(|word| plain(&document.issuer.replace(TENANT, word)) == plain(configured));
        if !is_same && !is_template {
            return Err(refuse("its issuer is not the one of LEADGEN_OIDC_ISSUER"));
        }
        let addresses = [
            Some(&document.authorization_endpoint),
            Some(&document.token_endpoint),
            Some(&document.jwks_uri),
            document.userinfo_endpoint.as_ref(),
            document.end_session_endpoint.as_ref(),
        ];
        if !addresses.into_iter().flatten().all(is_safe) {
            return Err(refuse("one of its addresses does not begin with https://"));
        }
        let takes_secret_in_body = document
            .token_endpoint_auth_methods_supported
            .is_some_and(|methods| !methods.iter().any(|word| word == "client_secret_basic"));
        Ok(Self {
            issuer: document.issuer,
            authorization_endpoint: document.authorization_endpoint,
            token_endpoint: document.token_endpoint,
            jwks_uri: document.jwks_uri,
            userinfo_endpoint: document.userinfo_endpoint,
            end_session_endpoint: document.end_session_endpoint,
            takes_secret_in_body,
            names_itself: document.authorization_response_iss_parameter_supported,
        })
    }

    /// Whether a token of this issuer, and of this tenant where the issuer stands for several, is the provider's.
    pub(super) fn is_issued_by(&self, issuer: &str, tenant: Option<&str>) -> bool {
        if self.issuer.contains(TENANT) {
            tenant.is_some_and(|tenant| {
                uuid::Uuid::try_parse(tenant).is_ok()
                    && self.issuer.replace(TENANT, tenant) == issuer
            })
        } else {
            self.issuer == issuer
        }
    }

    /// Whether the provider is Microsoft Entra ID: there people are known by tenant and object id.
    pub(super) fn is_entra(&self) -> bool {
        Url::parse(&self.issuer).is_ok_and(|url| is_entra(&url))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(issuer: &str, base: &str) -> Vec<u8> {
        format!(
            r#"{{"issuer":"{issuer}","authorization_endpoint":"{base}/authorize","token_endpoint":"{base}/token",
            "jwks_uri":"{base}/keys"}}"#
        )
        .into_bytes()
    }

    #[test]
    fn a_provider_must_call_itself_what_the_configuration_calls_it() {
        let good = |configured: &str, issuer: &str| {
            Metadata::parse(configured, &document(issuer, "https://id.example.com")).is_ok()
        };
        assert!(good("https://id.example.com", "https://id.example.com"));
        assert!(good("https://id.example.com", "https://id.example.com/"));
        assert!(!good("https://id.example.com", "https://evil.example.com"));
        assert!(!good(
            "https://id.example.com/a",
            "https://id.example.com/b"
        ));
        let template = "https://login.microsoftonline.com/{tenantid}/v2.0";
        assert!(good(
            "https://login.microsoftonline.com/organizations/v2.0",
            template
        ));
        assert!(!good("https://id.example.com/organizations/v2.0", template));
        assert!(!good(
            "https://login.microsoftonline.com/0b2c3d4e-0000-4000-8000-000000000001/v2.0",
            template
        ));
    }

    #[test]
    fn addresses_that_others_can_listen_to_are_refused() {
        let issuer = "https://id.example.com";
        assert!(Metadata::parse(issuer, &document(issuer, "http://id.example.com")).is_err());
        let local = "http://127.0.0.1:9000";
        assert!(Metadata::parse(local, &document(local, local)).is_ok());
        assert!(Metadata::parse(issuer, b"<html>").is_err());
    }

    #[test]
    fn an_issuer_of_several_tenants_is_checked_against_the_tenant_of_the_token() {
        let configured = "https://login.microsoftonline.com/organizations/v2.0";
        let template = "https://login.microsoftonline.com/{tenantid}/v2.0";
        let metadata = Metadata::parse(
            configured,
            &document(template, "https://login.microsoftonline.com"),
        )
        .unwrap();
        let tenant = "0b2c3d4e-0000-4000-8000-000000000001";
        let own = format!("https://login.microsoftonline.com/{tenant}/v2.0");
        assert!(metadata.is_issued_by(&own, Some(tenant)));
        assert!(!metadata.is_issued_by(&own, Some("0b2c3d4e-0000-4000-8000-000000000002")));
        assert!(!metadata.is_issued_by(&own, None));
        assert!(!metadata.is_issued_by("https://login.microsoftonline.com/x/v2.0", Some("x")));
    }
}
