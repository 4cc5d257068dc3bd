//! Tokens are sealed for one cell of one table, and opened where they are used.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;

use crate::auth::secret_key::{Cell, SecretKey};
use crate::domain::ids::ProfileId;
use crate::domain::sync::FailureReason;
use crate::linkedin::oauth::TokenAnswer;
use crate::store::tokens::SealedTokens;
use crate::sync::SyncError;

/// The cell in which a token of a profile is sealed.
#[must_use]
pub fn token_cell<'a>(table: &'a str, column: &'a str, profile: &'a ProfileId) -> Cell<'a> {
    Cell {
        table,
        column,
        row: profile.as_str(),
    }
}

/// Seals a token answer of LinkedIn for a table's row.
///
/// # Errors
/// When the operating system has no randomness.
pub fn seal(
    key: &SecretKey,
    table: &str,
    profile: &ProfileId,
    answer: &TokenAnswer,
    now: DateTime<Utc>,
) -> Result<SealedTokens, SyncError> {
    let no_randomness =
        |error: std::io::Error| SyncError::found(FailureReason::InternalError, error.to_string());
    let after = |length: Duration| {
        TimeDelta::from_std(length)
            .ok()
            .and_then(|length| now.checked_add_signed(length))
            .unwrap_or(now)
    };
    Ok(SealedTokens {
        access_token: key
            .seal(
                token_cell(table, "access_token", profile),
                &SecretString::from(answer.access_token.secret().to_owned()),
            )
            .map_err(no_randomness)?,
        access_token_expires_at: after(answer.expires_in),
        refresh_token: answer
            .refresh_token
            .as_ref()
            .map(|token| key.seal(token_cell(table, "refresh_token", profile), token))
            .transpose()
            .map_err(no_randomness)?,
        refresh_token_expires_at: answer.refresh_token_expires_in.map(after),
        scopes: answer.scopes.clone(),
    })
}

/// Opens a sealed token.
///
/// # Errors
/// `InternalError` when the secret key changed or the cell was altered.
pub fn open(key: &SecretKey, cell: Cell<'_>, sealed: &[u8]) -> Result<SecretString, SyncError> {
    key.open(cell, sealed).map_err(|error| {
        SyncError::found(
            FailureReason::InternalError,
            format!("the stored token cannot be opened: {error}; authorise the profile again"),
        )
    })
}
