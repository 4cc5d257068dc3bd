//! API tokens: made of 256 random bits, kept as a hash, recognised at each request.
//!
//! A plain SHA-256 is enough for a text of 256 random bits (nobody can try them all), and it survives a change of the
//! secret key.

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};

use super::signing::{digest, random_token};
use crate::domain::api_token::{ApiTokenState, PREFIX, SHOWN, USE_NOTED_EVERY, is_plausible};
use crate::store::api_tokens::{self, ApiToken};
use crate::store::{Store, StoreError};

/// A token that was just made.
#[derive(Debug)]
pub struct Issued {
    /// The token: shown once and kept nowhere.
    pub text: SecretString,
    /// What people know it by.
    pub prefix: String,
    /// What is kept.
    pub hash: String,
}

/// Makes a token.
///
/// # Errors
/// When the operating system has no randomness.
pub fn issue() -> Result<Issued, std::io::Error> {
    let text = format!("{PREFIX}{}", random_token()?);
    Ok(Issued {
        prefix: text.chars().take(SHOWN).collect(),
        hash: digest(&text),
        text: SecretString::from(text),
    })
}

/// Why a token does not work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// There is none like it.
    Unknown,
    /// It has ended or was revoked.
    Ended(ApiTokenState),
}

/// The token that this text is, if it works now. Its use is noted once a minute.
///
/// # Errors
/// The outer one as any query; the inner one says why it does not work.
pub async fn recognise(
    store: &Store,
    now: DateTime<Utc>,
    text: SecretString,
) -> Result<Result<ApiToken, Refusal>, StoreError> {
    if !is_plausible(text.expose_secret()) {
        return Ok(Err(Refusal::Unknown));
    }
    let hash = digest(text.expose_secret());
    let found = store
        .read(move |conn| api_tokens::find_by_hash(conn, &hash))
        .await?;
    let Some(token) = found else {
        return Ok(Err(Refusal::Unknown));
    };
    let state = token.state(now);
    if state != ApiTokenState::Active {
        return Ok(Err(Refusal::Ended(state)));
    }
    if token
        .last_used_at
        .is_none_or(|at| now - at >= USE_NOTED_EVERY)
    {
        let id = token.id.clone();
        store
            .write(move |tx| api_tokens::note_use(tx, &id, now))
            .await?;
    }
    Ok(Ok(token))
}
