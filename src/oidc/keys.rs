//! The provider's public keys (RFC 7517) and the signatures that the portal takes: RS256, PS256 and ES256 (RFC 7518 §3).
//!
//! `none` and the HMAC algorithms are not among them, and a key only ever checks signatures of its own kind, so that a
//! public key is never taken for a shared secret.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256,
    RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde::Deserialize;

use super::error::IdTokenProblem;

/// A way to sign that the portal takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    Rs256,
    Ps256,
    Es256,
}

impl Algorithm {
    /// The algorithm of a JWS header.
    pub(super) fn parse(word: &str) -> Option<Self> {
        match word {
            "RS256" => Some(Self::Rs256),
            "PS256" => Some(Self::Ps256),
            "ES256" => Some(Self::Es256),
            _ => None,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
            Self::Es256 => "ES256",
        }
    }

    const fn key_type(self) -> &'static str {
        match self {
            Self::Rs256 | Self::Ps256 => "RSA",
            Self::Es256 => "EC",
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
struct Key {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    alg: Option<String>,
    n: Option<String>,
    e: Option<String>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

/// The keys that the provider publishes.
#[derive(Debug, Clone, Default)]
pub(super) struct KeySet {
    keys: Vec<Key>,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<serde_json::Value>,
}

impl KeySet {
    /// Reads a JWK set. Keys of kinds that the portal does not know are left out, as RFC 7517 §5 says.
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        let document: Document = serde_json::from_slice(body).ok()?;
        let keys = document
            .keys
            .into_iter()
            .filter_map(|key| serde_json::from_value(key).ok())
            .collect();
        Some(Self { keys })
    }

    /// Checks a signature with the key that the token names; a token that names none is checked only if there is exactly
    /// one key that can have made it.
    pub(super) fn verify(
        &self,
        algorithm: Algorithm,
        kid: Option<&str>,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), IdTokenProblem> {
        let mut fitting = self.keys.iter().filter(|key| {
            key.kty == algorithm.key_type()
                && key.purpose.as_deref().is_none_or(|word| word == "sig")
                && key
                    .alg
                    .as_deref()
                    .is_none_or(|word| word == algorithm.name())
                && kid.is_none_or(|kid| key.kid.as_deref() == Some(kid))
        });
        let key = match (fitting.next(), fitting.next()) {
            (Some(key), None) => key,
            _ => return Err(IdTokenProblem::UnknownKey),
        };
        key.verify(algorithm, message, signature)
    }
}

fn bytes(text: Option<&String>) -> Result<Vec<u8>, IdTokenProblem> {
    text.and_then(|text| URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok())
        .ok_or(IdTokenProblem::UnknownKey)
}

impl Key {
    fn verify(
        &self,
        algorithm: Algorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), IdTokenProblem> {
        let checked = match algorithm {
            Algorithm::Rs256 | Algorithm::Ps256 => {
                let (n, e) = (bytes(self.n.as_ref())?, bytes(self.e.as_ref())?);
                let leading = n.iter().take_while(|byte| **byte == 0).count();
                let n = n.get(leading..).unwrap_or_default();
                let parameters = if algorithm == Algorithm::Rs256 {
                    &RSA_PKCS1_2048_8192_SHA256
                } else {
                    &RSA_PSS_2048_8192_SHA256
                };
                RsaPublicKeyComponents { n, e: e.as_slice() }.verify(parameters, message, signature)
            }
            Algorithm::Es256 => {
                if self.crv.as_deref() != Some("P-256") {
                    return Err(IdTokenProblem::UnknownKey);
                }
                let (x, y) = (bytes(self.x.as_ref())?, bytes(self.y.as_ref())?);
                let mut point = vec![4];
                point.extend_from_slice(&x);
                point.extend_from_slice(&y);
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature)
            }
        };
        checked.map_err(|_| IdTokenProblem::Signature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &[u8] = b"a signed message";
    /// A key of 2,048 bits that OpenSSL made for this test, and its signatures of [`MESSAGE`].
    const MODULUS: &str = "ljQMN6LNyqyasNqg2M1cAZEpWAgDxbz08MIKtzwnF51w7jYYFU8QJE6etgZG69ivwkThq3NnWjtnD96Up-RLJpHruMoLfMS8\
        7dgqjV6i1nYzTwXmTwUfdgPmvkqE24qlAqXCkGXZxxNSbBwYNh2wYSm2S-rMz_t4RsmLtCT2J9DzD7mS8Eu-rkmqplyWQjJp\
        6Byb2zD8np5t4ASkpPvtbcbUdBa8x_e5uJTXB9oUoO9t4MRFNCCzbALTe7rqQBym-syrO87DmkAXhthKBba1EWvNCZ3uSwVq\
        3mjhq9uLdE_psapymg4vUUvmJUk44VAsVYnJfEtl-2qQyarlPUGjAQ";
    const RS256: &str = "RqOt-TI0CYlJaXphPPHTsZpb2UYtBIY-VD7vorDvUNu_wazxlLjkmNrJlfVAGmQMCBBk0_6a9W-RH97JOqR_nvMbq0Z44XRn\
        BQ8s6hMbtd-8MccIZABK7y7ZnYi1SfZqNNMbe-yMLjp5roQTOnLfhvkOZTCxuz2Np5VRfZ3MFsOKsw-GFdgE_NBX9OYgPDsa\
        vYz0_y8nSE9UVDs5yMBf9Grv7UdwHyfo_d9MRnfRsn8rdoP4A8CK68PnLhsEqUx9rpxxxQANZw4Owna0lPjXgFZtd8aj9Xr6\
        jHKkePWO9QM_3hsYVVJBBrIkhneebakRCWAqnyivN1iHbl6N_bn7QA";
    const PS256: &str = "gi3kvqH46F8qhVUNVc9oOvH7HlNFhmZiCJqfbgzBUauwfGuFbmX3-F18X244ha5qLuEJvKtinYbGglPWYZDl2KH6pc8oVsId\
        xBtLyaVG-zu6SidLR0QM7A3WtL0wNBHriQVQBYm89hRUDohhCrjypQY5KWFXx8YMHPd59EWPyq7bnWmcsycldJwcMzOEfjqm\
        X9ZQsfxS8SIY7jNPMPKkPN1Dqvf8rlj0tUkUXiJ9xXEmDhJLKE29-jW5i849GTFgDkA_NpJ1ujvee7jBLEZa4ANGUWz6Dshs\
        lUfwC3ogku7T1-kqx0U4a637CoYhI9_n3F0OSl7tL9i5kO0JC761Xg";

    fn set(keys: &str) -> KeySet {
        KeySet::parse(format!(r#"{{"keys":[{keys}]}}"#).as_bytes()).unwrap()
    }

    fn rsa(further: &str) -> String {
        format!(r#"{{"kty":"RSA","n":"{MODULUS}","e":"AQAB"{further}}}"#)
    }

    fn check(
        keys: &KeySet,
        algorithm: Algorithm,
        kid: Option<&str>,
        signature: &str,
    ) -> Result<(), IdTokenProblem> {
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        keys.verify(algorithm, kid, MESSAGE, &signature)
    }

    #[test]
    fn signatures_of_openssl_are_believed_and_only_for_their_algorithm() {
        let keys = set(&rsa(r#","kid":"a""#));
        for (algorithm, right, wrong) in [
            (Algorithm::Rs256, RS256, PS256),
            (Algorithm::Ps256, PS256, RS256),
        ] {
            assert_eq!(check(&keys, algorithm, Some("a"), right), Ok(()));
            assert_eq!(check(&keys, algorithm, None, right), Ok(()));
            assert_eq!(
                check(&keys, algorithm, Some("a"), wrong),
                Err(IdTokenProblem::Signature)
            );
            assert_eq!(
                check(&keys, algorithm, Some("b"), right),
                Err(IdTokenProblem::UnknownKey)
            );
        }
    }

    #[test]
    fn a_key_serves_only_what_it_was_made_for() {
        let unknown = Err(IdTokenProblem::UnknownKey);
        for further in [r#","use":"enc""#, r#","alg":"PS256""#, r#","alg":"HS256""#] {
            assert_eq!(
                check(&set(&rsa(further)), Algorithm::Rs256, None, RS256),
                unknown
            );
        }
        assert_eq!(
            check(&set(&rsa("")), Algorithm::Es256, None, RS256),
            unknown
        );
        // Two keys that could be meant, and nothing that says which.
        let two = format!("{},{}", rsa(r#","kid":"a""#), rsa(r#","kid":"b""#));
        assert_eq!(check(&set(&two), Algorithm::Rs256, None, RS256), unknown);
        assert_eq!(
            check(&set(&two), Algorithm::Rs256, Some("b"), RS256),
            Ok(())
        );
    }

    #[test]
    fn keys_that_nobody_can_use_are_no_obstacle() {
        let keys = set(&format!(
            r#"{{"kty":"OKP","crv":"Ed25519","x":"AA"}},{{"kty":1}},{{"kty":"RSA","kid":"broken","n":"!"}},{}"#,
            rsa(r#","kid":"a""#)
        ));
        assert_eq!(check(&keys, Algorithm::Rs256, Some("a"), RS256), Ok(()));
        assert_eq!(
            check(&keys, Algorithm::Rs256, Some("broken"), RS256),
            Err(IdTokenProblem::UnknownKey)
        );
        assert!(KeySet::parse(b"{}").is_none());
    }
}
