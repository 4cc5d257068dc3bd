//! A leaf client for identity providers: OpenID Connect's authorization code flow with PKCE, `state` and `nonce`
//! (OpenID Connect Core 1.0, RFC 7636), and what the provider says about the person who signed in.
//!
//! It knows none of our types. `state`, nonce, verifier and the time come from the caller.

mod discovery;
mod error;
mod http;
mod id_token;
mod keys;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use oauth2::basic::{
    BasicErrorResponse, BasicErrorResponseType, BasicRevocationErrorResponse,
    BasicTokenIntrospectionResponse, BasicTokenType,
};
use oauth2::{
    AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointNotSet,
    EndpointSet, ExtraTokenFields, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl,
    RequestTokenError, Scope, StandardRevocableToken, StandardTokenResponse, TokenResponse as _,
    TokenUrl,
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use url::Url;

use discovery::Metadata;
use id_token::{Claims, Expected, PersonClaims, texts};
use keys::KeySet;

pub use discovery::{is_for_several_tenants, is_loopback};
pub use error::{IdTokenProblem, OidcError};

/// How long the provider's description of itself and its keys are believed.
const MAX_AGE: TimeDelta = TimeDelta::hours(1);

/// A token that names an unknown key makes us look again, but not more often than this: anybody can make such a token.
const LOOK_AGAIN_AFTER: TimeDelta = TimeDelta::minutes(1);

/// OpenID Connect Core 1.0 §2 allows `sub` 255 characters; Entra's two identifiers have 73 together.
const LONGEST_SUBJECT: usize = 255;

/// How the portal is known at the provider.
#[derive(Debug, Clone)]
pub struct ProviderSettings {
    /// The issuer, as configured.
    pub issuer: String,
    /// The client id that the provider gave.
    pub client_id: String,
    /// The client secret; none for a public client, which PKCE alone protects.
    pub client_secret: Option<SecretString>,
    /// What to ask for, `openid` among it.
    pub scopes: Vec<String>,
    /// Entra tenants whose people are admitted; empty: the issuer names the only one.
    pub tenants: Vec<String>,
    /// Where the provider sends people back to.
    pub redirect_uri: String,
    /// How long one call may take.
    pub timeout: Duration,
}

/// What one attempt to sign in is bound to. Each value is random or made of random, and used once.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// Comes back in the address.
    pub state: String,
    /// Comes back in the ID token.
    pub nonce: String,
    /// Goes to the token endpoint; 43 to 128 characters.
    pub verifier: SecretString,
    /// Since when the person must have signed in at the provider, whatever session it has with them; `None`: at any time.
    pub anew_since: Option<DateTime<Utc>>,
}

/// Who signed in, as the provider says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Who says so; for Entra the issuer with the person's tenant.
    pub issuer: String,
    /// The name that never changes and is never given to somebody else: `sub`, for Entra tenant and object id.
    pub subject: String,
    /// The address, if the provider told one.
    pub email: Option<String>,
    /// Whether the address is the person's: `None` when the provider says nothing about it.
    pub is_email_verified: Option<bool>,
    /// The person's name.
    pub name: Option<String>,
    /// The person's time zone, an IANA name.
    pub time_zone: Option<String>,
    /// The values of the claim `roles`.
    pub roles: Vec<String>,
    /// The values of the claim `groups`.
    pub groups: Vec<String>,
    /// What tells the provider at sign-out which of its sessions is meant.
    pub login_hint: Option<String>,
}

/// The one field that OpenID Connect adds to OAuth's answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct WithIdToken {
    id_token: Option<String>,
}

impl ExtraTokenFields for WithIdToken {}

type Tokens = StandardTokenResponse<WithIdToken, BasicTokenType>;

type Client = oauth2::Client<
    BasicErrorResponse,
    Tokens,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

#[derive(Debug, Default)]
struct Known {
    metadata: Option<(Arc<Metadata>, DateTime<Utc>)>,
    keys: Option<(Arc<KeySet>, DateTime<Utc>)>,
    looked_again_at: Option<DateTime<Utc>>,
}

/// The client of one provider. Cheap to clone; clones share what is known about it.
#[derive(Debug, Clone)]
pub struct Provider {
    settings: Arc<ProviderSettings>,
    http: reqwest::Client,
    known: Arc<Mutex<Known>>,
}

impl Provider {
    /// Nothing is asked yet: the portal starts while its provider is away.
    ///
    /// # Errors
    /// `Configuration` when the issuer is no address or the HTTP client cannot be built.
    pub fn new(settings: ProviderSettings) -> Result<Self, OidcError> {
        discovery::address(&settings.issuer)?;
        Ok(Self {
            http: http::client(settings.timeout)?,
            settings: Arc::new(settings),
            known: Arc::default(),
        })
    }

    /// The issuer, as configured.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.settings.issuer
    }

    /// Asks the provider for its description and its keys, whatever is known already: for people who set it up.
    ///
    /// # Errors
    /// `Away` or `Metadata`.
    pub async fn look(&self, now: DateTime<Utc>) -> Result<(), OidcError> {
        let metadata = self.fetch_metadata(now).await?;
        self.fetch_keys(&metadata, now).await?;
        Ok(())
    }

    /// Where to send the person's browser.
    ///
    /// # Errors
    /// `Away` or `Metadata`.
    pub async fn authorization_url(
        &self,
        attempt: &Attempt,
        now: DateTime<Utc>,
    ) -> Result<Url, OidcError> {
        let metadata = self.metadata(now).await?;
        let verifier = PkceCodeVerifier::new(attempt.verifier.expose_secret().to_owned());
        let state = CsrfToken::new(attempt.state.clone());
        let client = self.oauth2(&metadata)?;
        let mut request = client
            .authorize_url(|| state)
            .add_scopes(self.settings.scopes.iter().cloned().map(Scope::new))
            .add_extra_param("nonce", attempt.nonce.as_str())
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier));
        if attempt.anew_since.is_some() {
            // `prompt` has the person asked; `max_age` has the answer tell when that was (OpenID Connect Core 1.0 §3.1.2.1).
            request = request
                .add_extra_param("prompt", "login")
                .add_extra_param("max_age", "0");
        }
        Ok(request.url().0)
    }

    /// Whether the answer in the address comes from this provider, as far as providers say so (RFC 9207): an answer of
    /// another one must not be taken to ours.
    ///
    /// # Errors
    /// `Away` or `Metadata`.
    pub async fn is_answer_of(
        &self,
        issuer: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<bool, OidcError> {
        let metadata = self.metadata(now).await?;
        Ok(match issuer {
            Some(issuer) => issuer == metadata.issuer || metadata.issuer.contains('{'),
            None => !metadata.names_itself,
        })
    }

    /// Exchanges the code of the callback for an ID token, checks it, and says who signed in.
    ///
    /// # Errors
    /// Each way in which the provider or its answer can fail.
    pub async fn exchange(
        &self,
        attempt: &Attempt,
        code: &str,
        now: DateTime<Utc>,
    ) -> Result<Identity, OidcError> {
        let metadata = self.metadata(now).await?;
        let send = http::carrier(&self.http);
        let tokens = self
            .oauth2(&metadata)?
            .exchange_code(AuthorizationCode::new(code.to_owned()))
            .set_pkce_verifier(PkceCodeVerifier::new(
                attempt.verifier.expose_secret().to_owned(),
            ))
            .request_async(&send)
            .await
            .map_err(refused)?;
        let id_token = tokens
            .extra_fields()
            .id_token
            .as_deref()
            .ok_or(IdTokenProblem::Missing)?;
        let claims = self.checked(&metadata, id_token, attempt, now).await?;
        let further = match (&claims.person.email, &metadata.userinfo_endpoint) {
            (None, Some(endpoint)) => {
                let token = tokens.access_token().secret();
                self.userinfo(endpoint, token, claims.sub.as_deref())
                    .await?
            }
            _ => PersonClaims::default(),
        };
        self.identity(&metadata, claims, further)
    }

    /// Where to send the person's browser to end the session at the provider; `None` when it has no such place.
    ///
    /// # Errors
    /// `Away` or `Metadata`.
    pub async fn end_session_url(
        &self,
        back_to: &str,
        state: &str,
        login_hint: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<Option<Url>, OidcError> {
        let metadata = self.metadata(now).await?;
        Ok(metadata.end_session_endpoint.clone().map(|mut url| {
            {
                let mut query = url.query_pairs_mut();
                query
                    .append_pair("client_id", &self.settings.client_id)
                    .append_pair("post_logout_redirect_uri", back_to)
                    .append_pair("state", state);
                if let Some(hint) = login_hint {
                    query.append_pair("logout_hint", hint);
                }
            }
            url
        }))
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn metadata(&self, now: DateTime<Utc>) -> Result<Arc<Metadata>, OidcError> {
        let known = self.known().metadata.clone();
        match known {
            Some((metadata, at)) if now < at + MAX_AGE => Ok(metadata),
            _ => self.fetch_metadata(now).await,
        }
    }

    async fn fetch_metadata(&self, now: DateTime<Utc>) -> Result<Arc<Metadata>, OidcError> {
        let address = discovery::address(&self.settings.issuer)?;
        let body = http::get(&self.http, &address, None).await?;
        let metadata = Arc::new(Metadata::parse(&self.settings.issuer, &body)?);
        self.known().metadata = Some((Arc::clone(&metadata), now));
        Ok(metadata)
    }

    async fn keys(
        &self,
        metadata: &Metadata,
        now: DateTime<Utc>,
    ) -> Result<Arc<KeySet>, OidcError> {
        let known = self.known().keys.clone();
        match known {
            Some((keys, at)) if now < at + MAX_AGE => Ok(keys),
            _ => self.fetch_keys(metadata, now).await,
        }
    }

    async fn fetch_keys(
        &self,
        metadata: &Metadata,
        now: DateTime<Utc>,
    ) -> Result<Arc<KeySet>, OidcError> {
        let body = http::get(&self.http, &metadata.jwks_uri, None).await?;
        let keys = KeySet::parse(&body).ok_or_else(|| OidcError::Metadata {
            what: "its keys cannot be read".to_owned(),
        })?;
        let keys = Arc::new(keys);
        self.known().keys = Some((Arc::clone(&keys), now));
        Ok(keys)
    }

    /// Whether the keys may be asked for once more because of a token; notes that they are.
    fn may_look_again(&self, now: DateTime<Utc>) -> bool {
        let mut known = self.known();
        let may = known
            .looked_again_at
            .is_none_or(|at| now >= at + LOOK_AGAIN_AFTER);
        if may {
            known.looked_again_at = Some(now);
        }
        may
    }

    async fn checked(
        &self,
        metadata: &Metadata,
        id_token: &str,
        attempt: &Attempt,
        now: DateTime<Utc>,
    ) -> Result<Claims, OidcError> {
        let expected = Expected {
            metadata,
            client_id: &self.settings.client_id,
            nonce: &attempt.nonce,
            anew_since: attempt.anew_since,
            now,
        };
        let keys = self.keys(metadata, now).await?;
        match id_token::check(id_token, &keys, &expected) {
            // The provider may have changed its keys since we looked.
            Err(IdTokenProblem::UnknownKey) if self.may_look_again(now) => {
                let keys = self.fetch_keys(metadata, now).await?;
                Ok(id_token::check(id_token, &keys, &expected)?)
            }
            outcome => Ok(outcome?),
        }
    }

    async fn userinfo(
        &self,
        endpoint: &Url,
        token: &str,
        subject: Option<&str>,
    ) -> Result<PersonClaims, OidcError> {
        let body = http::get(&self.http, endpoint, Some(token)).await?;
        let claims: Claims = serde_json::from_slice(&body).map_err(|_| OidcError::Away {
            what: "what it says about the person cannot be read".to_owned(),
        })?;
        // Somebody else's answer must not be put on this person (OpenID Connect Core 1.0 §5.3.2).
        if claims.sub.as_deref() != subject {
            return Err(IdTokenProblem::Subject.into());
        }
        Ok(claims.person)
    }

    fn identity(
        &self,
        metadata: &Metadata,
        claims: Claims,
        further: PersonClaims,
    ) -> Result<Identity, OidcError> {
        let issuer = claims.iss.unwrap_or_default();
        let mut subject = claims.sub.ok_or(IdTokenProblem::Subject)?;
        let mut person = claims.person;
        let mut is_email_verified = person.is_email_verified();
        if metadata.is_entra() {
            let (Some(tenant), Some(object)) = (claims.tid, claims.oid) else {
                return Err(IdTokenProblem::Subject.into());
            };
            let admitted = &self.settings.tenants;
            let is_admitted =
                |tenant: &str| admitted.iter().any(|one| one.eq_ignore_ascii_case(tenant));
            if (!admitted.is_empty() || metadata.issuer.contains('{')) && !is_admitted(&tenant) {
                return Err(IdTokenProblem::Tenant.into());
            }
            // `sub` differs from app to app; tenant and object id are the person.
            subject = format!("{tenant}/{object}");
            // Entra says nothing on whether an address is verified; in an admitted tenant its administrators give them.
            person.email = person.email.or_else(|| person.preferred_username.clone());
            is_email_verified = is_email_verified.or(Some(true));
        } else if person.email.is_none() {
            is_email_verified = further.is_email_verified();
            person.email = further.email;
        }
        if subject.len() > LONGEST_SUBJECT {
            return Err(IdTokenProblem::Subject.into());
        }
        let both = |first: &Option<serde_json::Value>, second: &Option<serde_json::Value>| {
            texts(first.as_ref().or(second.as_ref()))
        };
        Ok(Identity {
            issuer,
            subject,
            email: person.email,
            is_email_verified,
            roles: both(&person.roles, &further.roles),
            groups: both(&person.groups, &further.groups),
            name: person.name.or(further.name),
            time_zone: person.zoneinfo.or(further.zoneinfo),
            login_hint: claims.login_hint,
        })
    }

    fn oauth2(&self, metadata: &Metadata) -> Result<Client, OidcError> {
        let bad = |_| OidcError::Configuration {
            what: "an address is not one".to_owned(),
        };
        let mut client = oauth2::Client::new(ClientId::new(self.settings.client_id.clone()))
            .set_auth_uri(AuthUrl::from_url(metadata.authorization_endpoint.clone()))
            .set_token_uri(TokenUrl::from_url(metadata.token_endpoint.clone()))
            .set_redirect_uri(RedirectUrl::new(self.settings.redirect_uri.clone()).map_err(bad)?)
            .set_auth_type(if metadata.takes_secret_in_body {
                AuthType::RequestBody
            } else {
                AuthType::BasicAuth
            });
        if let Some(secret) = &self.settings.client_secret {
            client = client.set_client_secret(ClientSecret::new(secret.expose_secret().to_owned()));
        }
        Ok(client)
    }
}

fn refused(error: RequestTokenError<OidcError, BasicErrorResponse>) -> OidcError {
    match error {
        RequestTokenError::Request(error) => error,
        RequestTokenError::ServerResponse(answer) => match answer.error() {
            BasicErrorResponseType::InvalidClient | BasicErrorResponseType::UnauthorizedClient => {
                OidcError::ClientRefused
            }
            other => OidcError::CodeRefused {
                error: tidy(other.as_ref()),
            },
        },
        // The cause may quote the body, and with it a token.
        RequestTokenError::Parse(..) | RequestTokenError::Other(_) => OidcError::Away {
            what: "its answer to the code cannot be read".to_owned(),
        },
    }
}

/// A word of the provider, fit to be shown: short and without what could be a control character or markup.
#[must_use]
pub fn tidy(word: &str) -> String {
    word.chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
        .take(60)
        .collect()
}
