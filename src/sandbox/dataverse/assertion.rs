//! The client assertion: a JWT signed with the key of a certificate that the application registration knows.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::pki_types::{CertificateDer, SignatureVerificationAlgorithm, pem::PemObject as _};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::entra::Denied;
use super::{DOMAIN, TENANT};

/// A certificate of the application registration.
#[derive(Debug, Clone)]
pub(super) struct Trusted {
    der: CertificateDer<'static>,
    thumbprint: String,
}

impl Trusted {
    /// Reads a PEM text; says what is wrong with it.
    pub(super) fn read(pem: &str) -> Result<Self, String> {
        let der = CertificateDer::from_pem_slice(pem.as_bytes())
            .map_err(|error| format!("no certificate in PEM: {error}"))?;
        webpki::EndEntityCert::try_from(&der)
            .map_err(|error| format!("a certificate that cannot be read: {error}"))?;
        Ok(Self {
            thumbprint: URL_SAFE_NO_PAD.encode(Sha256::digest(&der)),
            der,
        })
    }
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    #[serde(rename = "x5t#S256")]
    thumbprint: Option<String>,
}

#[derive(Deserialize)]
struct Claims {
    aud: String,
    iss: String,
    sub: String,
    exp: i64,
    nbf: Option<i64>,
    jti: Option<String>,
}

/// Checks an assertion against the certificates; the certificate's own dates are not looked at.
pub(super) fn check(
    assertion: &str,
    client: &str,
    now: i64,
    trusted: &[Trusted],
) -> Result<(), Denied> {
    let invalid = |why: &str| {
        Denied(
            401,
            "invalid_client",
            700_027,
            format!(
                "The certificate with identifier used to sign the client assertion is not registered on application, or the assertion is not valid: {why}."
            ),
        )
    };
    let mut parts = assertion.split('.');
    let (Some(header), Some(claims), Some(signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(invalid("it is no JWT"));
    };
    let signed = format!("{header}.{claims}");
    let header: Header = read(header).ok_or_else(|| invalid("its header cannot be read"))?;
    let claims: Claims = read(claims).ok_or_else(|| invalid("its claims cannot be read"))?;
    let signature = URL_SAFE_NO_PAD
        .decode(signature)
        .map_err(|_| invalid("its signature is not base64url"))?;
    let algorithm: &dyn SignatureVerificationAlgorithm = match header.alg.as_str() {
        "PS256" => webpki::ring::RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
        "RS256" => webpki::ring::RSA_PKCS1_2048_8192_SHA256,
        _ => return Err(invalid("its algorithm is neither PS256 nor RS256")),
    };
    let signer_known = trusted
        .iter()
        .filter(|one| {
            header
                .thumbprint
                .as_ref()
                .is_none_or(|thumbprint| thumbprint.trim_end_matches('=') == one.thumbprint)
        })
        .any(|one| {
            webpki::EndEntityCert::try_from(&one.der).is_ok_and(|certificate| {
                certificate
                    .verify_signature(algorithm, signed.as_bytes(), &signature)
                    .is_ok()
            })
        });
    if !signer_known {
        return Err(invalid(
            "no certificate of the application made its signature",
        ));
    }
    if claims.iss != client || claims.sub != client {
        return Err(invalid("'iss' and 'sub' have to be the client id"));
    }
    let for_us = [TENANT, DOMAIN].iter().any(|tenant| {
        claims
            .aud
            .ends_with(&format!("/{tenant}/oauth2/v2.0/token"))
            || claims.aud.ends_with(&format!("/{tenant}/v2.0"))
    });
    if !for_us {
        return Err(invalid("'aud' is not the token endpoint"));
    }
    if claims.jti.is_none() {
        return Err(invalid("'jti' is missing"));
    }
    if claims.exp <= now || claims.nbf.is_some_and(|from| from > now + 300) {
        return Err(Denied(
            401,
            "invalid_client",
            700_024,
            "Client assertion is not within its valid time range.".to_owned(),
        ));
    }
    Ok(())
}

fn read<T: for<'de> Deserialize<'de>>(part: &str) -> Option<T> {
    let bytes = URL_SAFE_NO_PAD.decode(part).ok()?;
    serde_json::from_slice(&bytes).ok()
}
