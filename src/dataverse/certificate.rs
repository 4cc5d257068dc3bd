//! A certificate with its key, and the signed statement by which an application proves to Entra that it holds them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PSS_SHA256, RsaKeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use sha2::{Digest, Sha256};

/// How long a statement holds.
const VALID_FOR: TimeDelta = TimeDelta::minutes(8);

/// What is wrong with a certificate that was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// No certificate.
    #[error(
        "There is no certificate in the text. Paste the block that begins with -----BEGIN CERTIFICATE-----."
    )]
    NoCertificate,
    /// No key.
    #[error(
        "There is no private key in the text. Paste the block that begins with -----BEGIN PRIVATE KEY-----, too; a key with a password must be unlocked first."
    )]
    NoKey,
    /// Not RSA, or too short.
    #[error("The private key is not usable. Entra wants an RSA key of at least 2048 bits.")]
    UnusableKey,
}

/// A certificate with its RSA key.
pub struct Certificate {
    key: RsaKeyPair,
    thumbprint: String,
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Certificate([redacted])")
    }
}

impl Certificate {
    /// Reads both blocks of a PEM text.
    ///
    /// # Errors
    /// A sentence with the fix.
    pub fn from_pem(pem: &SecretString) -> Result<Self, CertificateError> {
        let bytes = pem.expose_secret().as_bytes();
        let certificate =
            CertificateDer::from_pem_slice(bytes).map_err(|_| CertificateError::NoCertificate)?;
        let key = PrivateKeyDer::from_pem_slice(bytes).map_err(|_| CertificateError::NoKey)?;
        let key = match &key {
            PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()),
            PrivateKeyDer::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()),
            _ => return Err(CertificateError::UnusableKey),
        }
        .map_err(|_| CertificateError::UnusableKey)?;
        Ok(Self {
            key,
            thumbprint: URL_SAFE_NO_PAD.encode(Sha256::digest(&certificate)),
        })
    }

    /// The SHA-256 of the certificate, as `x5t#S256` carries it; no secret.
    #[must_use]
    pub fn thumbprint(&self) -> &str {
        &self.thumbprint
    }

    /// The signed statement for one request to `audience`, the address of the token endpoint.
    ///
    /// # Errors
    /// When the operating system has no randomness.
    pub fn assertion(
        &self,
        client_id: &str,
        audience: &str,
        statement_id: &str,
        now: DateTime<Utc>,
    ) -> Result<String, ring::error::Unspecified> {
        let header = json!({ "alg": "PS256", "typ": "JWT", "x5t#S256": self.thumbprint });
        let claims = json!({
            "aud": audience,
            "iss": client_id,
            "sub": client_id,
            "jti": statement_id,
            "iat": now.timestamp(),
            // A clock that runs a little fast must not make the statement one of the future.
            "nbf": (now - TimeDelta::minutes(1)).timestamp(),
            "exp": (now + VALID_FOR).timestamp(),
        });
        let mut text = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header.to_string()),
            URL_SAFE_NO_PAD.encode(claims.to_string())
        );
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key.sign(
            &RSA_PSS_SHA256,
            &SystemRandom::new(),
            text.as_bytes(),
            &mut signature,
        )?;
        text.push('.');
        text.push_str(&URL_SAFE_NO_PAD.encode(signature));
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made for the tests, registered nowhere.
    const PEM: &str = include_str!("../../tests/fixtures/dataverse/application.pem");

    #[test]
    fn a_statement_is_signed_by_the_key_and_names_the_certificate() {
        let certificate = Certificate::from_pem(&SecretString::from(PEM)).unwrap();
        let now = DateTime::from_timestamp(1_764_000_000, 0).unwrap();
        let audience = "https://login.example/contoso.test/oauth2/v2.0/token";
        let statement = certificate
            .assertion("app-1", audience, "statement-1", now)
            .unwrap();
        let parts: Vec<&str> = statement.split('.').collect();
        let [header, claims, signature] = parts.as_slice() else {
            panic!("a JWT has three parts");
        };
        let read = |part: &str| -> serde_json::Value {
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
        };
        assert_eq!(read(header)["x5t#S256"], certificate.thumbprint());
        let claims_read = read(claims);
        assert_eq!(claims_read["iss"], "app-1");
        assert_eq!(claims_read["sub"], "app-1");
        assert_eq!(claims_read["aud"], audience);
        assert_eq!(claims_read["exp"], 1_764_000_000 + 480);
        let public = certificate.key.public().as_ref().to_vec();
        ring::signature::UnparsedPublicKey::new(&ring::signature::RSA_PSS_2048_8192_SHA256, public)
            .verify(
                format!("{header}.{claims}").as_bytes(),
                &URL_SAFE_NO_PAD.decode(signature).unwrap(),
            )
            .expect("signed by the key");
    }

    #[test]
    fn half_a_certificate_is_refused_with_the_fix() {
        let refused = |text: &str| Certificate::from_pem(&SecretString::from(text)).unwrap_err();
        let (certificate, key) = PEM.split_at(PEM.find("-----BEGIN PRIVATE").unwrap());
        assert_eq!(refused(certificate), CertificateError::NoKey);
        assert_eq!(refused(key), CertificateError::NoCertificate);
        assert_eq!(refused(""), CertificateError::NoCertificate);
        assert!(
            !format!(
                "{:?}",
                Certificate::from_pem(&SecretString::from(PEM)).unwrap()
            )
            .contains("BEGIN")
        );
    }
}
