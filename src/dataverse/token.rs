//! Tokens by client credentials: asked for when needed, kept until shortly before their end, asked for once at a time.

use std::time::{Duration, Instant};

use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use super::error::{DataverseError, classify_token};
use super::wire::TokenAnswer;
use super::{Credential, DataverseClient};
use crate::http_answer::retry_after_in;

/// A token is replaced this long before its end.
const REFRESH_BEFORE: Duration = Duration::from_secs(5 * 60);
/// A token is used this long, however little Entra gives it.
const SHORTEST_USE: Duration = Duration::from_secs(30);

/// A token and the moment from which another one is asked for.
pub(super) struct Kept {
    token: SecretString,
    renew_at: Instant,
}

impl DataverseClient {
    /// Asks for a token, unless one is there already.
    ///
    /// # Errors
    /// `Token`, or as the network.
    pub async fn sign_in(&self) -> Result<(), DataverseError> {
        self.token(None).await.map(|_| ())
    }

    /// A token for the organization; one that equals `refused` is not given again.
    ///
    /// # Errors
    /// `Token`, or as the network.
    pub(super) async fn token(&self, refused: Option<&str>) -> Result<String, DataverseError> {
        // Held over the request: callers that come meanwhile wait for its answer and ask nothing themselves.
        let mut kept = self.kept.lock().await;
        if let Some(held) = kept.as_ref()
            && held.renew_at > Instant::now()
            && refused != Some(held.token.expose_secret())
        {
            return Ok(held.token.expose_secret().to_owned());
        }
        *kept = None;
        let answer = self.ask_for_token().await?;
        let lifetime = Duration::from_secs(
            answer
                .expires_in
                .and_then(|seconds| u64::try_from(seconds).ok())
                .unwrap_or(0),
        );
        let token = answer.access_token.clone();
        *kept = Some(Kept {
            token: SecretString::from(answer.access_token),
            renew_at: Instant::now()
                + lifetime
                    .saturating_sub(REFRESH_BEFORE)
                    .max(SHORTEST_USE)
                    .min(Duration::from_secs(24 * 60 * 60)),
        });
        Ok(token)
    }

    async fn ask_for_token(&self) -> Result<TokenAnswer, DataverseError> {
        let access = &self.access;
        let endpoint = format!(
            "{}/{}/oauth2/v2.0/token",
            self.authority,
            access.tenant.as_str()
        );
        let scope = format!("{}/.default", access.address.as_str());
        let mut fields = vec![
            ("grant_type", "client_credentials".to_owned()),
            ("client_id", access.client_id.clone()),
            ("scope", scope),
        ];
        let secret = match &access.credential {
            Credential::Secret(secret) => {
                fields.push(("client_secret", secret.expose_secret().to_owned()));
                Some(secret.expose_secret())
            }
            Credential::Certificate(certificate) => {
                let statement = certificate
                    .assertion(
                        &access.client_id,
                        &endpoint,
                        &Uuid::new_v4().to_string(),
                        (self.now)(),
                    )
                    .map_err(|_| {
                        DataverseError::configuration("the certificate's key could not sign")
                    })?;
                let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
                fields.push(("client_assertion_type", kind.to_owned()));
                fields.push(("client_assertion", statement));
                None
            }
        };
        let received = self.send(self.http.post(&endpoint).form(&fields)).await?;
        if received.status != 200 {
            return Err(classify_token(
                received.status,
                &received.body,
                retry_after_in(&received.headers),
                secret,
            ));
        }
        let answer: TokenAnswer = received.json()?;
        if answer.access_token.is_empty() {
            return Err(DataverseError::unexpected("a token answer without a token"));
        }
        Ok(answer)
    }
}
