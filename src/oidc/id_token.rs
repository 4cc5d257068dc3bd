//! The ID token: a signed statement of the provider about who signed in (OpenID Connect Core 1.0 §2 and §3.1.3.7).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;
use subtle::ConstantTimeEq as _;

use super::discovery::Metadata;
use super::error::IdTokenProblem;
use super::keys::{Algorithm, KeySet};

/// How far the provider's clock and ours may be apart, in seconds.
const LEEWAY: i64 = 60;

/// Longer than any ID token of a provider; Entra's with 200 groups have about 10,000 characters.
const LONGEST: usize = 100_000;

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<Value>,
}

/// What the portal reads of the claims; all others are passed over.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Claims {
    pub(super) iss: Option<String>,
    pub(super) sub: Option<String>,
    aud: Option<Value>,
    azp: Option<String>,
    exp: Option<f64>,
    nbf: Option<f64>,
    iat: Option<f64>,
    nonce: Option<String>,
    auth_time: Option<f64>,
    pub(super) tid: Option<String>,
    pub(super) oid: Option<String>,
    pub(super) login_hint: Option<String>,
    #[serde(flatten)]
    pub(super) person: PersonClaims,
}

/// The claims about the person, which the userinfo endpoint gives as well.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct PersonClaims {
    pub(super) email: Option<String>,
    pub(super) email_verified: Option<Value>,
    pub(super) name: Option<String>,
    pub(super) preferred_username: Option<String>,
    pub(super) zoneinfo: Option<String>,
    pub(super) roles: Option<Value>,
    pub(super) groups: Option<Value>,
}

impl PersonClaims {
    /// The provider's word on whether the address is the person's; some write it as text.
    pub(super) fn is_email_verified(&self) -> Option<bool> {
        match self.email_verified.as_ref()? {
            Value::Bool(is) => Some(*is),
            Value::String(text) => Some(text == "true"),
            _ => None,
        }
    }
}

/// A claim that holds one text or several.
pub(super) fn texts(claim: Option<&Value>) -> Vec<String> {
    match claim {
        Some(Value::String(text)) => vec![text.clone()],
        Some(Value::Array(values)) => values
            .iter()
            .filter_map(|value| value.as_str().map(str::to_owned))
            .collect(),
        _ => Vec::new(),
    }
}

/// What a token must match.
pub(super) struct Expected<'a> {
    pub(super) metadata: &'a Metadata,
    pub(super) client_id: &'a str,
    pub(super) nonce: &'a str,
    /// Since when the person must have signed in; `None`: at any time.
    pub(super) anew_since: Option<DateTime<Utc>>,
    pub(super) now: DateTime<Utc>,
}

fn decode<T: serde::de::DeserializeOwned>(part: &str) -> Result<T, IdTokenProblem> {
    let bytes = URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_| IdTokenProblem::Malformed)?;
    serde_json::from_slice(&bytes).map_err(|_| IdTokenProblem::Malformed)
}

/// Checks signature and claims, in this order: of a token that the provider did not sign nothing is believed.
pub(super) fn check(
    token: &str,
    keys: &KeySet,
    expected: &Expected<'_>,
) -> Result<Claims, IdTokenProblem> {
    if token.len() > LONGEST {
        return Err(IdTokenProblem::Malformed);
    }
    let (message, signature) = token.rsplit_once('.').ok_or(IdTokenProblem::Malformed)?;
    let (header, payload) = message.split_once('.').ok_or(IdTokenProblem::Malformed)?;
    let header_part: Header = decode(header)?;
    // What must be understood, we do not understand.
    if header_part.crit.is_some() {
        return Err(IdTokenProblem::Malformed);
    }
    let algorithm = Algorithm::parse(&header_part.alg).ok_or(IdTokenProblem::Algorithm)?;
    let signature = URL_SAFE_NO_PAD
        .decode(signature)
        .map_err(|_| IdTokenProblem::Malformed)?;
    keys.verify(
        algorithm,
        header_part.kid.as_deref(),
        message.as_bytes(),
        &signature,
    )?;
    let claims: Claims = decode(payload)?;
    expected.check(&claims)?;
    Ok(claims)
}

impl Expected<'_> {
    fn check(&self, claims: &Claims) -> Result<(), IdTokenProblem> {
        let issuer = claims.iss.as_deref().ok_or(IdTokenProblem::Issuer)?;
        if !self.metadata.is_issued_by(issuer, claims.tid.as_deref()) {
            return Err(IdTokenProblem::Issuer);
        }
        let audience = texts(claims.aud.as_ref());
        let is_ours = audience.iter().any(|client| client == self.client_id);
        // A token for several clients says which of them asked for it.
        let is_asked_by_us = match &claims.azp {
            Some(party) => party == self.client_id,
            None => audience.len() == 1,
        };
        if !is_ours || !is_asked_by_us {
            return Err(IdTokenProblem::Audience);
        }
        #[expect(
            clippy::cast_precision_loss,
            reason = "seconds since 1970 fit into 53 bits for longer than this code lives"
        )]
        let (now, leeway) = (self.now.timestamp() as f64, LEEWAY as f64);
        if claims.exp.is_none_or(|end| now - leeway >= end) {
            return Err(IdTokenProblem::Expired);
        }
        let starts = [claims.nbf, claims.iat];
        if claims.iat.is_none() || starts.iter().flatten().any(|start| now + leeway < *start) {
            return Err(IdTokenProblem::TooEarly);
        }
        let nonce = claims.nonce.as_deref().unwrap_or_default();
        if !bool::from(nonce.as_bytes().ct_eq(self.nonce.as_bytes())) {
            return Err(IdTokenProblem::Nonce);
        }
        if claims.sub.as_deref().is_none_or(str::is_empty) {
            return Err(IdTokenProblem::Subject);
        }
        self.check_auth_time(claims.auth_time)
    }

    /// When the person signed in at the provider, where that counts: a session that was open there is no proof then.
    fn check_auth_time(&self, auth_time: Option<f64>) -> Result<(), IdTokenProblem> {
        let Some(since) = self.anew_since else {
            return Ok(());
        };
        let at = auth_time.ok_or(IdTokenProblem::NoAuthTime)?;
        #[expect(
            clippy::cast_precision_loss,
            reason = "seconds since 1970 fit into 53 bits for longer than this code lives"
        )]
        let (since, now, leeway) = (
            since.timestamp() as f64,
            self.now.timestamp() as f64,
            LEEWAY as f64,
        );
        if at < since - leeway {
            Err(IdTokenProblem::NotAnew)
        } else if now + leeway < at {
            Err(IdTokenProblem::TooEarly)
        } else {
            Ok(())
        }
    }
}
