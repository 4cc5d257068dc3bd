//! The second factor: codes of an authenticator app (TOTP, RFC 6238) and recovery codes for a lost device.
//!
//! The app's secret is sealed with the secret key; recovery codes are 80 random bits each, so a plain hash keeps them. Every code
//! works once: that of a time step because the step is noted, a recovery code because it is deleted.

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use totp_rs::{Builder, Secret, Totp};

use super::secret_key::{Cell, OpenError, SecretKey};
use super::signing::digest;
use crate::domain::ids::UserId;
use crate::store::second_factors::{self, SecondFactor};
use crate::store::{AnyConn, StoreError};

/// How many recovery codes somebody gets.
pub const RECOVERY_CODES: usize = 10;

/// What authenticator apps call the portal.
const ISSUER: &str = "Leadgen Connector";

/// The secret cannot be used: sealed with another key, or damaged.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// It cannot be opened.
    #[error("the second factor cannot be opened: {0}")]
    Sealed(#[from] OpenError),
    /// It is no secret of an authenticator app.
    #[error("the second factor’s secret cannot be read")]
    Unreadable,
}

fn cell(user: &UserId) -> Cell<'_> {
    Cell {
        table: "second_factors",
        column: "secret",
        row: user.as_str(),
    }
}

/// Makes a secret: 160 random bits, as apps take it in by hand.
///
/// # Errors
/// When the operating system has no randomness.
pub fn generate() -> Result<SecretString, std::io::Error> {
    let mut bytes = [0u8; 20];
    getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
    Ok(SecretString::from(Secret::new_stack(bytes).to_base32()))
}

/// Seals a secret for this person.
///
/// # Errors
/// When the operating system has no randomness.
pub fn seal(
    key: &SecretKey,
    user: &UserId,
    secret: &SecretString,
) -> Result<Vec<u8>, std::io::Error> {
    key.seal(cell(user), secret)
}

/// Opens what [`seal`] made.
///
/// # Errors
/// See [`SecretError`].
pub fn open(
    key: &SecretKey,
    user: &UserId,
    factor: &SecondFactor,
) -> Result<SecretString, SecretError> {
    Ok(key.open(cell(user), &factor.secret)?)
}

fn totp(secret: &SecretString, account: &str) -> Result<Totp, SecretError> {
    let secret =
        Secret::try_from_base32(secret.expose_secret()).map_err(|_| SecretError::Unreadable)?;
    Builder::new()
        .with_secret(secret)
        .with_skew(1)
        // A colon would end the name in the link.
        .with_account_name(account.replace(':', " "))
        .with_issuer(Some(ISSUER))
        .build()
        .map_err(|_| SecretError::Unreadable)
}

/// What the QR code of a secret says: an `otpauth://` link.
///
/// # Errors
/// See [`SecretError`].
pub fn link(secret: &SecretString, account: &str) -> Result<SecretString, SecretError> {
    totp(secret, account)?
        .to_url()
        .map(SecretString::from)
        .map_err(|_| SecretError::Unreadable)
}

/// The time step of which this is the code, if it is one of now or of half a minute before or after.
///
/// # Errors
/// See [`SecretError`].
pub fn step_of(
    secret: &SecretString,
    code: &str,
    now: DateTime<Utc>,
) -> Result<Option<i64>, SecretError> {
    let code: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    if code.len() != 6 || !code.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(None);
    }
    let seconds = u64::try_from(now.timestamp()).unwrap_or(0);
    let step = totp(secret, "account")?.check(&code, seconds);
    Ok(step.and_then(|step| i64::try_from(step).ok()))
}

/// Makes recovery codes: four groups of four characters that nobody mixes up.
///
/// # Errors
/// When the operating system has no randomness.
pub fn recovery_codes() -> Result<Vec<SecretString>, std::io::Error> {
    const LETTERS: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz23456789x";
    (0..RECOVERY_CODES)
        .map(|_| {
            let mut random = [0u8; 16];
            getrandom::fill(&mut random).map_err(std::io::Error::other)?;
            let mut text = String::with_capacity(19);
            for (index, byte) in random.iter().enumerate() {
                if index > 0 && index % 4 == 0 {
                    text.push('-');
                }
                let letter = LETTERS.get(usize::from(byte % 32)).copied().unwrap_or(b'a');
                text.push(char::from(letter));
            }
            Ok(SecretString::from(text))
        })
        .collect()
}

/// What is kept of a recovery code. Hyphens, white space and case do not matter when it is typed.
#[must_use]
pub fn hash_of(user: &UserId, code: &str) -> String {
    let plain: String = code
        .chars()
        .filter(|c| c.is_ascii_alphanumeric())
        .map(|c| c.to_ascii_lowercase())
        .collect();
    digest(&format!("recovery code:{user}:{plain}"))
}

/// With what somebody proved to have the second factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// A code of the app.
    App,
    /// A recovery code.
    RecoveryCode,
}

impl Proof {
    /// The word in the audit log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::App => "app",
            Self::RecoveryCode => "recovery_code",
        }
    }
}

/// Uses up what somebody typed, if it is a code of their app or one of their recovery codes that was not used before; `step` is
/// what [`step_of`] found.
///
/// # Errors
/// As any query.
pub fn redeem(
    tx: &mut AnyConn,
    user: &UserId,
    typed: &str,
    step: Option<i64>,
) -> Result<Option<Proof>, StoreError> {
    if let Some(step) = step {
        let is_new = second_factors::use_step(tx, user, step)?;
        return Ok(is_new.then_some(Proof::App));
    }
    if !second_factors::is_on(tx, user)? {
        return Ok(None);
    }
    let is_one = second_factors::use_code(tx, user, &hash_of(user, typed))?;
    Ok(is_one.then_some(Proof::RecoveryCode))
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    /// The secret of RFC 6238, appendix B.
    const RFC_SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    #[test]
    fn the_codes_are_those_of_the_rfc() {
        let secret = SecretString::from(RFC_SECRET);
        // The last six of the eight digits there.
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_234_567_890, "005924"),
            (20_000_000_000, "353130"),
        ] {
            let step = step_of(&secret, code, at(seconds)).unwrap();
            assert_eq!(step, Some(seconds / 30), "{code}");
        }
    }

    #[test]
    fn a_code_works_for_half_a_minute_around_its_time_and_only_as_six_digits() {
        let secret = SecretString::from(RFC_SECRET);
        let now = at(1_111_111_109);
        let step = Some(1_111_111_109 / 30);
        for (offset, found) in [(-60, None), (-30, step), (0, step), (30, step), (61, None)] {
            let at = now + TimeDelta::seconds(offset);
            assert_eq!(step_of(&secret, "081804", at).unwrap(), found, "{offset}");
        }
        assert_eq!(step_of(&secret, " 081 804 ", now).unwrap(), step);
        for bad in ["", "81804", "0818040", "08180x", "٠٨١٨٠٤", "-81804"] {
            assert_eq!(step_of(&secret, bad, now).unwrap(), None, "{bad}");
        }
    }

    #[test]
    fn recovery_codes_differ_and_are_recognised_however_they_are_typed() {
        let codes = recovery_codes().unwrap();
        let mut texts: Vec<&str> = codes.iter().map(|code| code.expose_secret()).collect();
        texts.sort_unstable();
        texts.dedup();
        assert_eq!(texts.len(), RECOVERY_CODES);
        let user = UserId::new(uuid::Uuid::from_u128(1));
        let other = UserId::new(uuid::Uuid::from_u128(2));
        let code = "abcd-efgh-jkmn-pqrs";
        assert_eq!(hash_of(&user, code), hash_of(&user, " ABCDEFGH jkmn pqrs"));
        assert_ne!(hash_of(&user, code), hash_of(&other, code));
    }

    #[test]
    fn the_link_names_the_portal_and_the_account() {
        let secret = generate().unwrap();
        let link = link(&secret, "ada@example.com").unwrap();
        let link = link.expose_secret();
        assert!(
            link.starts_with("otpauth://totp/Leadgen%20Connector:ada%40example.com?"),
            "{link}"
        );
        assert!(link.contains(secret.expose_secret()));
    }
}
