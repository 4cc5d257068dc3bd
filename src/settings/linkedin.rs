//! LinkedIn's addresses and our app's credentials there.

use secrecy::SecretString;
use url::Url;

use super::reader::{Reader, http_url};
use super::webhook;

/// LinkedIn's addresses and our app's credentials there.
#[derive(Debug, Clone)]
pub struct LinkedInSettings {
    /// Client id of the LinkedIn developer app.
    pub client_id: Option<String>,
    /// Client secret of the LinkedIn developer app.
    pub client_secret: Option<SecretString>,
    /// Base of the OAuth endpoints.
    pub oauth_url: Url,
    /// Base of the API.
    pub api_url: Url,
    /// `LinkedIn-Version`, `YYYYMM`.
    pub version: String,
    /// Scopes to ask for.
    pub scopes: Vec<String>,
    /// Where LinkedIn is to send notifications; `None` where none are wanted.
    pub webhook: Option<Url>,
}

impl LinkedInSettings {
    /// Whether both client id and secret are there.
    #[must_use]
    pub fn is_configured(&self) -> bool {
        self.client_id.is_some() && self.client_secret.is_some()
    }
}

/// `public_url` is where LinkedIn would send notifications to; `None`: it cannot be read.
pub(super) fn read(reader: &mut Reader<'_>, public_url: Option<&Url>) -> Option<LinkedInSettings> {
    let oauth_url = reader.parsed("LEADGEN_LINKEDIN_OAUTH_URL", http_url);
    let api_url = reader.parsed("LEADGEN_LINKEDIN_API_URL", http_url);
    let version = reader.parsed("LEADGEN_LINKEDIN_VERSION", |text| {
        let month: Option<u32> = text.get(4..).and_then(|month| month.parse().ok());
        if text.len() == 6
            && text.bytes().all(|b| b.is_ascii_digit())
            && month.is_some_and(|month| (1..=12).contains(&month))
        {
            Ok(text.to_owned())
        } else {
            Err("write year and month as six digits, for example 202607".into())
        }
    });
    let scopes = reader
        .text("LEADGEN_LINKEDIN_SCOPES")
        .split([' ', ','])
        .filter(|scope| !scope.is_empty())
        .map(str::to_owned)
        .collect();
    let client_id = reader.optional("LEADGEN_LINKEDIN_CLIENT_ID");
    let client_secret = reader
        .optional("LEADGEN_LINKEDIN_CLIENT_SECRET")
        .map(SecretString::from);
    if client_id.is_some() != client_secret.is_some() {
        reader.problems.push(
            "LEADGEN_LINKEDIN_CLIENT_ID and LEADGEN_LINKEDIN_CLIENT_SECRET belong together: set both or none".into(),
        );
    }
    Some(LinkedInSettings {
        webhook: webhook::read(reader, public_url?),
        client_id,
        client_secret,
        oauth_url: oauth_url?,
        api_url: api_url?,
        version: version?,
        scopes,
    })
}
