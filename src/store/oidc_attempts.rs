//! The attempts to sign in at the OpenID Connect provider: one for each click on its button, each used once.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use diesel::prelude::*;

use super::schema::oidc_attempts;
use super::{AnyConn, StoreError};

/// One click on the button.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OidcAttempt {
    /// SHA-256 of `state`, hexadecimal.
    pub state_hash: String,
    /// The browser that clicked.
    pub binding: String,
    /// The page that the person wanted; empty: none.
    pub next_path: String,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
    /// When the provider came back with it.
    pub consumed_at: Option<DateTime<Utc>>,
}

/// Stores a new attempt, and forgets the ones that ended more than an hour ago.
///
/// # Errors
/// As any query.
pub fn insert(
    conn: &mut AnyConn,
    attempt: &OidcAttempt,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    use oidc_attempts as a;
    diesel::delete(a::table.filter(a::expires_at.lt((now - TimeDelta::hours(1)).naive_utc())))
        .execute(conn)?;
    diesel::insert_into(a::table)
        .values((
            a::state_hash.eq(&attempt.state_hash),
            a::binding.eq(&attempt.binding),
            a::next_path.eq(&attempt.next_path),
            a::created_at.eq(now.naive_utc()),
            a::expires_at.eq(attempt.expires_at.naive_utc()),
        ))
        .execute(conn)?;
    Ok(())
}

/// An attempt by the hash of its `state`.
///
/// # Errors
/// As any query.
pub fn find(conn: &mut AnyConn, hash: &str) -> Result<Option<OidcAttempt>, StoreError> {
    use oidc_attempts as a;
    type Row = (String, String, String, NaiveDateTime, Option<NaiveDateTime>);
    let row: Option<Row> = a::table
        .find(hash)
        .select((
            a::state_hash,
            a::binding,
            a::next_path,
            a::expires_at,
            a::consumed_at,
        ))
        .first(conn)
        .optional()?;
    Ok(row.map(
        |(state_hash, binding, next_path, expires, consumed)| OidcAttempt {
            state_hash,
            binding,
            next_path,
            expires_at: expires.and_utc(),
            consumed_at: consumed.map(|at| at.and_utc()),
        },
    ))
}

/// Uses an attempt up; `false` when somebody was quicker.
///
/// # Errors
/// As any query.
pub fn consume(conn: &mut AnyConn, hash: &str, now: DateTime<Utc>) -> Result<bool, StoreError> {
    use oidc_attempts as a;
    let used = diesel::update(
        a::table
            .filter(a::state_hash.eq(hash))
            .filter(a::consumed_at.is_null()),
    )
    .set(a::consumed_at.eq(now.naive_utc()))
    .execute(conn)?;
    Ok(used == 1)
}
