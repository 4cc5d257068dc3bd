//! Hashes and checks passwords: Argon2id on blocking threads, a few at a time, and the same work for unknown users.

use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;

use crate::domain::password::normalised;

/// ASVS 5.0 appendix C: t=2, m=19 MiB, p=1.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Each hash takes 19 MiB: without a limit, 200 sign-ins at once would take four gigabytes.
const AT_ONCE: usize = 4;

/// A password could not be hashed or checked: no randomness, or the task was cancelled.
#[derive(Debug, thiserror::Error)]
#[error("the password could not be hashed: {0}")]
pub struct HashError(String);

/// What a check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The password is the right one; `is_outdated`: hash it again, the parameters have risen.
    Right {
        /// Whether the stored hash was made with weaker parameters.
        is_outdated: bool,
    },
    /// It is not, or there is none.
    Wrong,
}

/// Hashes and checks passwords. Cheap to clone; clones share the limit.
#[derive(Clone)]
pub struct Passwords {
    permits: Arc<Semaphore>,
    /// The hash of nobody's password: checking it takes as long as checking a real one.
    decoy: Arc<SecretString>,
}

fn argon2() -> Result<Argon2<'static>, HashError> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, Some(32))
        .map_err(|error| HashError(error.to_string()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// Hashes a password on this thread; takes tens of milliseconds and 19 MiB.
///
/// # Errors
/// When the operating system has no randomness.
pub fn hash_now(password: &SecretString) -> Result<SecretString, HashError> {
    let text = normalised(password.expose_secret());
    let hash: PasswordHash = argon2()?
        .hash_password(text.as_bytes())
        .map_err(|error| HashError(error.to_string()))?;
    Ok(SecretString::from(hash.to_string()))
}

fn verify_now(password: &SecretString, stored: &SecretString) -> Result<Verdict, HashError> {
    let Ok(hash) = PasswordHash::new(stored.expose_secret()) else {
        return Err(HashError("the stored hash cannot be read".to_owned()));
    };
    let text = normalised(password.expose_secret());
    let argon2 = argon2()?;
    if argon2.verify_password(text.as_bytes(), &hash).is_err() {
        return Ok(Verdict::Wrong);
    }
    let parameters = Params::try_from(&hash).map_err(|error| HashError(error.to_string()))?;
    let is_outdated = parameters.m_cost() < MEMORY_KIB || parameters.t_cost() < PASSES;
    Ok(Verdict::Right { is_outdated })
}

impl Passwords {
    /// Makes the decoy; takes as long as one hash.
    ///
    /// # Errors
    /// When the operating system has no randomness.
    pub fn new() -> Result<Self, HashError> {
        Ok(Self {
            permits: Arc::new(Semaphore::new(AT_ONCE)),
            decoy: Arc::new(hash_now(&generate()?)?),
        })
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, HashError> + Send + 'static,
    ) -> Result<T, HashError> {
        let permit = Arc::clone(&self.permits)
            .acquire_owned()
            .await
            .map_err(|_| HashError("shutting down".to_owned()))?;
        tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work()
        })
        .await
        .map_err(|_| HashError("cancelled".to_owned()))?
    }

    /// Hashes a password; gives a PHC string.
    ///
    /// # Errors
    /// When the operating system has no randomness.
    pub async fn hash(&self, password: SecretString) -> Result<SecretString, HashError> {
        self.run(move || hash_now(&password)).await
    }

    /// Checks a password against a stored hash. `None` (no such user, disabled, no password) takes as long and is `Wrong`.
    ///
    /// # Errors
    /// When the stored hash cannot be read.
    pub async fn verify(
        &self,
        password: SecretString,
        stored: Option<SecretString>,
    ) -> Result<Verdict, HashError> {
        let is_known = stored.is_some();
        let decoy = Arc::clone(&self.decoy);
        let verdict = self
            .run(move || verify_now(&password, stored.as_ref().unwrap_or(&decoy)))
            .await?;
        Ok(if is_known { verdict } else { Verdict::Wrong })
    }
}

/// Makes a password for somebody else to replace: 24 characters that nobody mixes up, 115 bits.
///
/// # Errors
/// When the operating system has no randomness.
pub fn generate() -> Result<SecretString, HashError> {
    const LETTERS: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz23456789X";
    let mut random = [0u8; 24];
    getrandom::fill(&mut random).map_err(|error| HashError(error.to_string()))?;
    let mut text = String::with_capacity(28);
    for (index, byte) in random.iter().enumerate() {
        if index > 0 && index % 6 == 0 {
            text.push('-');
        }
        // 32 letters: the remainder of a random byte is even.
        let letter = LETTERS.get(usize::from(byte % 32)).copied().unwrap_or(b'a');
        text.push(char::from(letter));
    }
    Ok(SecretString::from(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> SecretString {
        SecretString::from(text)
    }

    #[tokio::test]
    async fn the_right_password_is_told_from_a_wrong_one_and_from_an_unknown_user() {
        let passwords = Passwords::new().unwrap();
        let hash = passwords
            .hash(secret("correct horse battery"))
            .await
            .unwrap();
        assert!(
            hash.expose_secret()
                .starts_with("$argon2id$v=19$m=19456,t=2,p=1$")
        );
        let right = Verdict::Right { is_outdated: false };
        for (password, stored, verdict) in [
            ("correct horse battery", Some(hash.clone()), right),
            ("correct horse batter", Some(hash.clone()), Verdict::Wrong),
            ("", Some(hash), Verdict::Wrong),
            ("correct horse battery", None, Verdict::Wrong),
        ] {
            let found = passwords.verify(secret(password), stored).await.unwrap();
            assert_eq!(found, verdict, "{password}");
        }
    }

    #[test]
    fn composed_and_decomposed_letters_are_the_same_password() {
        let hash = hash_now(&secret("ein langer Sch\u{e4}fer Satz")).unwrap();
        let verdict = verify_now(&secret("ein langer Scha\u{308}fer Satz"), &hash).unwrap();
        assert_eq!(verdict, Verdict::Right { is_outdated: false });
    }

    #[test]
    fn generated_passwords_pass_our_own_rules() {
        let password = generate().unwrap();
        crate::domain::password::check(password.expose_secret(), &["Ada", "ada@example.com"])
            .unwrap();
        assert_ne!(
            password.expose_secret(),
            generate().unwrap().expose_secret()
        );
    }
}
