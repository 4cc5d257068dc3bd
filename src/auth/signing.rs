//! Keys for cookies and form tokens, derived from the signing root in the database so that all replicas share them.

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

/// Signs short texts, each for one purpose only.
#[derive(Clone)]
pub struct Signer {
    mac: Hmac<Sha256>,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Signer([REDACTED])")
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _written = write!(text, "{byte:02x}");
        text
    })
}

impl Signer {
    /// From the text of the signing root, see [`super::key_states::admit`].
    #[must_use]
    pub fn new(secret: &SecretString) -> Self {
        #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
        let mac = Hmac::new_from_slice(secret.expose_secret().trim().as_bytes())
            .expect("HMAC takes a key of any length");
        Self { mac }
    }

    /// The 32 bytes that belong to `text` under `purpose`. The purpose's length is signed, too: no two pairs look alike.
    fn bytes(&self, purpose: &str, text: &str) -> [u8; 32] {
        let mut mac = self.mac.clone();
        mac.update(&(purpose.len() as u64).to_be_bytes());
        mac.update(purpose.as_bytes());
        mac.update(text.as_bytes());
        mac.finalize().into_bytes().into()
    }

    /// The signature of `text` for one purpose: 64 hexadecimal digits.
    #[must_use]
    pub fn sign(&self, purpose: &str, text: &str) -> String {
        hexadecimal(&self.bytes(purpose, text))
    }

    /// Whether `signature` belongs to `text`; takes the same time whatever is wrong.
    #[must_use]
    pub fn verify(&self, purpose: &str, text: &str, signature: &str) -> bool {
        use subtle::ConstantTimeEq;
        self.sign(purpose, text)
            .as_bytes()
            .ct_eq(signature.as_bytes())
            .into()
    }

    /// The key under which actix-session signs its cookie.
    #[must_use]
    pub fn cookie_key(&self) -> actix_web::cookie::Key {
        let mut bytes = [0u8; 64];
        let (left, right) = bytes.split_at_mut(32);
        left.copy_from_slice(&self.bytes("session cookie", "1"));
        right.copy_from_slice(&self.bytes("session cookie", "2"));
        actix_web::cookie::Key::from(&bytes)
    }
}

/// 256 random bits as hexadecimal digits.
///
/// # Errors
/// When the operating system has no randomness.
pub fn random_token() -> Result<String, std::io::Error> {
    let mut bytes = [0u8; 32];
    getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
    Ok(hexadecimal(&bytes))
}

/// SHA-256 of a text, hexadecimal.
#[must_use]
pub fn digest(text: &str) -> String {
    use sha2::Digest;
    hexadecimal(&Sha256::digest(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_serves_one_purpose_and_one_text() {
        let signer = Signer::new(&SecretString::from("k".repeat(44)));
        let signature = signer.sign("csrf", "session");
        assert!(signer.verify("csrf", "session", &signature));
        for (purpose, text) in [
            ("flash", "session"),
            ("csrf", "other"),
            ("csrfs", "ession"),
            ("", ""),
        ] {
            assert!(
                !signer.verify(purpose, text, &signature),
                "{purpose} {text}"
            );
        }
        assert!(!signer.verify("csrf", "session", &signature[..63]));
    }
}
