//! What a new password must be: long, and not one that everybody tries first.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization as _;

mod guessable;
mod known;
#[cfg(test)]
mod tests;

/// The fewest code points of a password.
pub const MIN_LENGTH: usize = 15;
/// The most code points of a password.
pub const MAX_LENGTH: usize = 256;

/// Why a password is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    #[error(
        "Use at least {MIN_LENGTH} characters. A sentence of four or five words is a good password."
    )]
    /// Fewer than [`MIN_LENGTH`] code points.
    TooShort,
    /// More than [`MAX_LENGTH`] code points.
    #[error("Use at most {MAX_LENGTH} characters.")]
    TooLong,
    /// Little more than words that belong to the person or the product.
    #[error("Do not build the password from the product’s name, your name or your e-mail address.")]
    ContextWord,
    #[error(
        "This password is among those that everybody tries first. Choose one that nobody else would think of."
    )]
    /// On the list of common passwords.
    Common,
    #[error(
        "This password repeats or counts on. Use several words that have nothing to do with each other."
    )]
    /// A repetition or a sequence.
    Pattern,
}

/// The form in which passwords are hashed and compared: composed (NFC), so that the same keys give the same password
/// on every system. White space counts.
#[must_use]
pub fn normalised(password: &str) -> Cow<'_, str> {
    if password.is_ascii() {
        Cow::Borrowed(password)
    } else {
        Cow::Owned(password.nfc().collect())
    }
}

/// Checks a new password. `context` are the person's name and e-mail address; the product's own words are known.
///
/// # Errors
/// The first rule that it breaks.
pub fn check(password: &str, context: &[&str]) -> Result<(), PasswordError> {
    // Normalising a text of megabytes is work for nothing: no composition makes 256 of so many.
    if password.len() > MAX_LENGTH * 16 {
        return Err(PasswordError::TooLong);
    }
    let password = normalised(password);
    let length = password.chars().count();
    if length < MIN_LENGTH {
        return Err(PasswordError::TooShort);
    }
    if length > MAX_LENGTH {
        return Err(PasswordError::TooLong);
    }
    guessable::check(&password, context)
}
