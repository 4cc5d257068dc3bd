//! The identity provider for sign-in through OpenID Connect, if there is one.

use secrecy::SecretString;
use url::Url;

use super::reader::Reader;
use crate::oidc::{is_for_several_tenants, is_loopback};

/// The provider, and how the portal is known there.
#[derive(Debug, Clone)]
pub struct OidcSettings {
    /// The issuer, as the provider spells it.
    pub issuer: String,
    /// The client id.
    pub client_id: String,
    /// The client secret; none for a public client.
    pub client_secret: Option<SecretString>,
    /// What people call the provider: “Sign in with …”.
    pub name: String,
    /// What to ask the provider for.
    pub scopes: Vec<String>,
    /// Entra tenants whose people are admitted; empty: the issuer names the only one.
    pub tenants: Vec<String>,
}

fn words(text: &str) -> Vec<String> {
    text.split([' ', ','])
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

fn issuer(text: &str) -> Result<String, String> {
    let url = Url::parse(text).map_err(|_| {
        "not an address; write it as the provider does, like https://login.example.com".to_owned()
    })?;
    let is_safe = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url));
    if !is_safe || url.host_str().is_none() {
        return Err("must begin with https://".into());
    }
    if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() {
        return Err("must hold no user name, query or fragment".into());
    }
    Ok(text.to_owned())
}

/// Reads the variables; problems are noted at the reader.
pub(super) fn read(reader: &mut Reader<'_>) -> Option<OidcSettings> {
    let address = reader.optional("LEADGEN_OIDC_ISSUER");
    let client_id = reader.optional("LEADGEN_OIDC_CLIENT_ID");
    let client_secret = reader
        .optional("LEADGEN_OIDC_CLIENT_SECRET")
        .map(SecretString::from);
    let tenants = words(&reader.text("LEADGEN_OIDC_TENANTS"));
    let mut scopes = words(&reader.text("LEADGEN_OIDC_SCOPES"));
    if !scopes.iter().any(|scope| scope == "openid") {
        scopes.insert(0, "openid".to_owned());
    }
    let name = reader.text("LEADGEN_OIDC_NAME");
    let (address, client_id) = match (address, client_id) {
        (Some(address), Some(client_id)) => (address, client_id),
        (None, None) if client_secret.is_none() => return None,
        _ => {
            reader.problems.push(
                "LEADGEN_OIDC_ISSUER and LEADGEN_OIDC_CLIENT_ID belong together: set both or none, and the client secret only with them".into(),
            );
            return None;
        }
    };
    let issuer = match issuer(&address) {
        Ok(issuer) => issuer,
        Err(problem) => {
            reader
                .problems
                .push(format!("LEADGEN_OIDC_ISSUER: {problem}"));
            return None;
        }
    };
    if is_for_several_tenants(&issuer) && tenants.is_empty() {
        reader.problems.push(
            "LEADGEN_OIDC_TENANTS: required with an issuer of several tenants, because anybody can have a tenant; name the tenant ids that may sign in".into(),
        );
    }
    Some(OidcSettings {
        issuer,
        client_id,
        client_secret,
        name,
        scopes,
        tenants,
    })
}

#[cfg(test)]
mod tests {
    use crate::settings::{Settings, SettingsError};

    fn read(pairs: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        Settings::read(
            &pairs
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        )
    }

    #[test]
    fn a_provider_needs_an_issuer_and_a_client_id() {
        assert!(read(&[]).unwrap().oidc.is_none());
        let issuer = ("LEADGEN_OIDC_ISSUER", "https://login.example.com/realm");
        let client = ("LEADGEN_OIDC_CLIENT_ID", "leadgen");
        let oidc = read(&[issuer, client, ("LEADGEN_OIDC_SCOPES", "email")])
            .unwrap()
            .oidc
            .unwrap();
        assert_eq!(oidc.scopes, ["openid", "email"]);
        assert_eq!(oidc.name, "your organization");
        for bad in [
            vec![issuer],
            vec![client],
            vec![("LEADGEN_OIDC_CLIENT_SECRET", "s3cret")],
            vec![("LEADGEN_OIDC_ISSUER", "http://login.example.com"), client],
            vec![("LEADGEN_OIDC_ISSUER", "login.example.com"), client],
            vec![
                ("LEADGEN_OIDC_ISSUER", "https://login.example.com?x=1"),
                client,
            ],
        ] {
            assert!(read(&bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_issuer_of_several_tenants_needs_the_names_of_those_that_are_admitted() {
        let pairs = [
            (
                "LEADGEN_OIDC_ISSUER",
                "https://login.microsoftonline.com/organizations/v2.0",
            ),
            ("LEADGEN_OIDC_CLIENT_ID", "leadgen"),
            (
                "LEADGEN_OIDC_TENANTS",
                "0b2c3d4e-0000-4000-8000-000000000001",
            ),
        ];
        assert_eq!(read(&pairs).unwrap().oidc.unwrap().tenants.len(), 1);
        let SettingsError(problems) = read(&pairs[..2]).unwrap_err();
        assert!(problems[0].starts_with("LEADGEN_OIDC_TENANTS:"));
    }
}
