//! LinkedIn's authorization server (linkedin-api.md §1), through the `oauth2` crate with LinkedIn's deviations spelt out.
//!
//! Deviations: `token_type` may be absent, `scope` is separated by commas or blanks, `refresh_token` comes only for approved
//! apps, and `/revoke` is no RFC 7009 endpoint (undocumented, plain parameters), so that one request is written by hand.

use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use oauth2::basic::{BasicErrorResponse, BasicRevocationErrorResponse};
use oauth2::{
    AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointNotSet,
    EndpointSet, HttpRequest, HttpResponse, IntrospectionUrl, RedirectUrl, RequestTokenError,
    Scope, StandardRevocableToken, TokenUrl,
};
use secrecy::{ExposeSecret, SecretString};

use url::Url;

use super::error::LinkedInError;
use super::oauth_answers::{WireIntrospection, WireToken};
use super::page::read_body;
use super::{AccessToken, LinkedInClient, TOKEN_SIZE_CAP};
use crate::http_answer::tidy;

/// The developer app's credentials.
#[derive(Debug, Clone)]
pub struct AppCredentials {
    /// `client_id`.
    pub client_id: String,
    /// `client_secret`.
    pub client_secret: SecretString,
}

/// What the token endpoint gave.
#[derive(Debug, Clone)]
pub struct TokenAnswer {
    /// The access token, valid for `expires_in`.
    pub access_token: AccessToken,
    /// From the moment of the answer; 60 days, less at the end of a refresh token's life.
    pub expires_in: Duration,
    /// Only for apps approved for programmatic refresh.
    pub refresh_token: Option<SecretString>,
    /// Counts down from the member's authorization; never extended.
    pub refresh_token_expires_in: Option<Duration>,
    /// What was granted.
    pub scopes: Vec<String>,
}

/// What LinkedIn knows about a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Introspection {
    /// Whether calls with it can work.
    pub active: bool,
    /// `active`, `expired`, `revoked`; absent for tokens of others.
    pub status: Option<String>,
    /// When it ends.
    pub expires_at: Option<DateTime<Utc>>,
    /// When the member authorised.
    pub authorized_at: Option<DateTime<Utc>>,
    /// What was granted.
    pub scopes: Vec<String>,
}

type Client = oauth2::Client<
    BasicErrorResponse,
    WireToken,
    WireIntrospection,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointSet,
    EndpointNotSet,
    EndpointSet,
>;

/// The client of the authorization server for one developer app.
#[derive(Debug, Clone)]
pub struct LinkedInOAuth {
    linkedin: LinkedInClient,
    credentials: AppCredentials,
    oauth2: Client,
}

impl LinkedInClient {
    /// The authorization server's client for a developer app.
    ///
    /// # Errors
    /// [`LinkedInError::Configuration`] when an endpoint address cannot be formed.
    pub fn oauth(&self, credentials: AppCredentials) -> Result<LinkedInOAuth, LinkedInError> {
        let base = &self.endpoints.oauth_url;
        let bad_address = |_| LinkedInError::Configuration {
            what: "the LinkedIn OAuth address is not a URL".to_owned(),
        };
        let oauth2 = oauth2::Client::new(ClientId::new(credentials.client_id.clone()))
            .set_client_secret(ClientSecret::new(
                credentials.client_secret.expose_secret().to_owned(),
            ))
            .set_auth_type(AuthType::RequestBody)
            .set_auth_uri(AuthUrl::new(format!("{base}/authorization")).map_err(bad_address)?)
            .set_token_uri(TokenUrl::new(format!("{base}/accessToken")).map_err(bad_address)?)
            .set_introspection_url(
                IntrospectionUrl::new(format!("{base}/introspectToken")).map_err(bad_address)?,
            );
        Ok(LinkedInOAuth {
            linkedin: self.clone(),
            credentials,
            oauth2,
        })
    }
}

impl LinkedInOAuth {
    /// The key under which LinkedIn signs what it sends to the webhook.
    #[must_use]
    pub fn webhook_key(&self) -> &SecretString {
        &self.credentials.client_secret
    }

    /// Where to send the member's browser. `state` is for the caller to make, keep and compare.
    ///
    /// # Errors
    /// [`LinkedInError::Configuration`] when `redirect_uri` is not a URL.
    pub fn authorization_url(
        &self,
        redirect_uri: &str,
        scopes: &[&str],
        state: &str,
    ) -> Result<Url, LinkedInError> {
        let state = CsrfToken::new(state.to_owned());
        let (mut url, _) = self
            .oauth2
            .authorize_url(|| state)
            .set_redirect_uri(std::borrow::Cow::Owned(redirect(redirect_uri)?))
            .add_scopes(scopes.iter().map(|scope| Scope::new((*scope).to_owned())))
            .url();
        // Form encoding writes blanks as "+"; LinkedIn documents %20 (a literal plus is %2B already).
        let query = url.query().map(|query| query.replace('+', "%20"));
        url.set_query(query.as_deref());
        Ok(url)
    }

    /// Exchanges the code of the callback, once, within 30 minutes.
    ///
    /// # Errors
    /// [`LinkedInError::Token`] when LinkedIn refuses; transport and server failures as elsewhere.
    pub async fn exchange_code(
        &self,
        code: &str,
        redirect_uri: &str,
    ) -> Result<TokenAnswer, LinkedInError> {
        let send = self.carrier();
        let token = self
            .oauth2
            .exchange_code(AuthorizationCode::new(code.to_owned()))
            .set_redirect_uri(std::borrow::Cow::Owned(redirect(redirect_uri)?))
            .request_async(&send)
            .await
            .map_err(refused)?;
        Ok(token.into())
    }

    /// Gets a new access token. Refresh tokens keep their value and their end.
    ///
    /// # Errors
    /// [`LinkedInError::Token`] (400 `invalid_request` or `invalid_grant`) → the member must authorise again.
    pub async fn refresh(
        &self,
        refresh_token: &SecretString,
    ) -> Result<TokenAnswer, LinkedInError> {
        let send = self.carrier();
        let refresh_token = oauth2::RefreshToken::new(refresh_token.expose_secret().to_owned());
        let token = self
            .oauth2
            .exchange_refresh_token(&refresh_token)
            .request_async(&send)
            .await
            .map_err(refused)?;
        Ok(token.into())
    }

    /// Asks whether a token is still good: a 401 of the API may have another cause.
    ///
    /// # Errors
    /// [`LinkedInError::Token`] for wrong app credentials; an unknown token is `active: false`, no error.
    pub async fn introspect(&self, token: &AccessToken) -> Result<Introspection, LinkedInError> {
        let send = self.carrier();
        let token = oauth2::AccessToken::new(token.secret().to_owned());
        let answer = self
            .oauth2
            .introspect(&token)
            .request_async(&send)
            .await
            .map_err(refused)?;
        Ok(answer.into())
    }

    /// Revokes an access or refresh token. LinkedIn answers 200 also for tokens that it does not know.
    ///
    /// # Errors
    /// [`LinkedInError::Token`] for wrong app credentials; transport and server failures as elsewhere.
    pub async fn revoke(&self, token: &str) -> Result<(), LinkedInError> {
        let request = self
            .linkedin
            .http
            .post(format!("{}/revoke", self.linkedin.endpoints.oauth_url))
            .form(&[
                ("client_id", self.credentials.client_id.as_str()),
                (
                    "client_secret",
                    self.credentials.client_secret.expose_secret(),
                ),
                ("token", token),
            ])
            .build()
            .map_err(|_| unbuildable())?;
        let received = self.linkedin.send(request, TOKEN_SIZE_CAP).await?;
        match received.status {
            200..=299 => Ok(()),
            400..=499 if received.status != 429 => {
                match read_body::<BasicErrorResponse>(&received.body) {
                    Ok(error) => Err(token_error(received.status, &error)),
                    Err(_) => Err(received.failure(Some(token))),
                }
            }
            _ => Err(received.failure(Some(token))),
        }
    }

    /// What the `oauth2` crate sends its requests with. It owns all it needs and boxes its future: a borrowing one makes
    /// the calls' futures not `Send` for the compiler.
    fn carrier(
        &self,
    ) -> impl Fn(HttpRequest) -> BoxFuture<'static, Result<HttpResponse, LinkedInError>> + use<>
    {
        let this = self.clone();
        move |request| {
            let this = this.clone();
            Box::pin(async move { this.send(request).await })
        }
    }

    /// Carries a request of the `oauth2` crate. Only a JSON answer, 200 or an OAuth error, gets back to that crate;
    /// everything else is classified here, because it says nothing about the grant.
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, LinkedInError> {
        let request = reqwest::Request::try_from(request).map_err(|_| unbuildable())?;
        let received = self.linkedin.send(request, TOKEN_SIZE_CAP).await?;
        match received.status {
            200 => {
                received.refuse_html()?;
                // Tells cut-off from wrong-shaped before the crate sees it, and names no content.
                let _: serde::de::IgnoredAny = read_body(&received.body)?;
            }
            400..=499 if received.status != 429 => {
                match read_body::<BasicErrorResponse>(&received.body) {
                    // A refusal in OAuth's words is the crate's to read, but it keeps no status.
                    Ok(error) => return Err(token_error(received.status, &error)),
                    Err(_) => return Err(received.failure(None)),
                }
            }
            _ => return Err(received.failure(None)),
        }
        let body = match received.body.strip_prefix(b"\xef\xbb\xbf") {
            Some(body) => body.to_vec(),
            None => received.body,
        };
        let mut response = HttpResponse::new(body);
        *response.status_mut() = reqwest::StatusCode::OK;
        Ok(response)
    }
}

fn unbuildable() -> LinkedInError {
    LinkedInError::Configuration {
        what: "the request to the authorization server could not be built".to_owned(),
    }
}

fn redirect(redirect_uri: &str) -> Result<RedirectUrl, LinkedInError> {
    RedirectUrl::new(redirect_uri.to_owned()).map_err(|_| LinkedInError::Configuration {
        what: "the redirect URI is not a URL".to_owned(),
    })
}

fn token_error(status: u16, error: &BasicErrorResponse) -> LinkedInError {
    LinkedInError::Token {
        status,
        error: tidy(error.error().as_ref(), None),
        description: error.error_description().map(|text| tidy(text, None)),
    }
}

fn refused(error: RequestTokenError<LinkedInError, BasicErrorResponse>) -> LinkedInError {
    match error {
        RequestTokenError::Request(error) => error,
        RequestTokenError::ServerResponse(error) => token_error(400, &error),
        // The cause quotes the body, which may hold a token: only the path to the bad field is told.
        RequestTokenError::Parse(error, _) => {
            LinkedInError::unexpected(format!("JSON of another shape (at {})", error.path()))
        }
        RequestTokenError::Other(_) => LinkedInError::unexpected("not an OAuth answer"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linkedin::{LinkedInEndpoints, Timeouts};

    fn oauth() -> LinkedInOAuth {
        LinkedInClient::new(
            LinkedInEndpoints {
                oauth_url: "https://www.linkedin.com/oauth/v2".to_owned(),
                api_url: "https://api.linkedin.com".to_owned(),
                version: "202607".to_owned(),
            },
            Timeouts::default(),
        )
        .and_then(|client| {
            client.oauth(AppCredentials {
                client_id: "86abc".to_owned(),
                client_secret: SecretString::from("s3cret".to_owned()),
            })
        })
        .expect("valid")
    }

    #[test]
    fn the_authorization_address_carries_what_linkedin_documents() {
        let url = oauth()
            .authorization_url(
                "http://127.0.0.1:8080/linkedin/callback",
                &["r_ads", "r_marketing_leadgen_automation"],
                "st+ate",
            )
            .expect("a URL");
        assert_eq!(
            url.as_str(),
            "https://www.linkedin.com/oauth/v2/authorization?response_type=code&client_id=86abc&state=st%2Bate\
             &redirect_uri=http%3A%2F%2F127.0.0.1%3A8080%2Flinkedin%2Fcallback&scope=r_ads%20r_marketing_leadgen_automation"
        );
        assert!(oauth().authorization_url("not a url", &[], "s").is_err());
    }

    #[test]
    fn token_answers_are_read_in_every_documented_spelling() {
        let read =
            |text: &str| TokenAnswer::from(serde_json::from_str::<WireToken>(text).expect(text));
        let full = read(
            r#"{"access_token":"AQX","expires_in":5184000,"refresh_token":"AQW","refresh_token_expires_in":31536000,
            "scope":"r_ads,r_marketing_leadgen_automation","token_type":"Bearer","id_token":"x"}"#,
        );
        assert_eq!(full.scopes, ["r_ads", "r_marketing_leadgen_automation"]);
        assert_eq!(full.expires_in, Duration::from_secs(5_184_000));
        assert_eq!(
            full.refresh_token_expires_in,
            Some(Duration::from_secs(31_536_000))
        );
        let plain = read(r#"{"access_token":"AQX","expires_in":"1800","scope":"a  b, c"}"#);
        assert_eq!(
            (plain.expires_in.as_secs(), plain.refresh_token.is_none()),
            (1800, true)
        );
        assert_eq!(plain.scopes, ["a", "b", "c"]);
        let bare = read(
            r#"{"access_token":"AQX","expires_in":1,"refresh_token":null,"refresh_token_expires_in":null,"scope":null}"#,
        );
        assert!(bare.scopes.is_empty());
        assert!(!format!("{full:?}").contains("AQ"), "{full:?}");
    }

    #[test]
    fn introspection_is_read_with_and_without_detail() {
        let read = |text: &str| {
            Introspection::from(serde_json::from_str::<WireIntrospection>(text).expect(text))
        };
        let active = read(
            r#"{"active":true,"client_id":"86abc","authorized_at":1790000000,"created_at":1790000000,"status":"active",
            "expires_at":1795184000,"scope":"r_ads,r_x","auth_type":"3L"}"#,
        );
        assert_eq!(
            active.expires_at.map(|at| at.timestamp()),
            Some(1_795_184_000)
        );
        assert_eq!(active.scopes.len(), 2);
        let unknown = read(r#"{"active":false}"#);
        assert_eq!((unknown.active, unknown.status), (false, None));
    }
}
