//! The attempts to sign in, or to confirm who one is, at the OpenID Connect provider: one for each click on its button, each
//! used once.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use diesel::prelude::*;

use super::schema::oidc_attempts;
use super::{AnyConn, StoreError, columns};
use crate::domain::ids::UserId;

/// One click on the button.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OidcAttempt {
    /// SHA-256 of `state`, hexadecimal.
    pub state_hash: String,
    /// The browser that clicked.
    pub binding: String,
    /// The page that the person wanted; empty: none.
    pub next_path: String,
    /// The signed-in person who confirms with it that it is them; `None`: it is a sign-in.
    pub confirms: Option<UserId>,
    /// When the button was clicked.
    pub created_at: DateTime<Utc>,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
    /// When the provider came back with it.
    pub consumed_at: Option<DateTime<Utc>>,
}

/// Stores a new attempt, and forgets the ones that ended more than an hour ago.
///
/// # Errors
/// As any query.
pub fn insert(conn: &mut AnyConn, attempt: &OidcAttempt) -> Result<(), StoreError> {
    use oidc_attempts as a;
    let old = (attempt.created_at - TimeDelta::hours(1)).naive_utc();
    diesel::delete(a::table.filter(a::expires_at.lt(old))).execute(conn)?;
    diesel::insert_into(a::table)
        .values((
            a::state_hash.eq(&attempt.state_hash),
            a::binding.eq(&attempt.binding),
            a::next_path.eq(&attempt.next_path),
            a::confirms_user_id.eq(attempt.confirms.as_ref().map(UserId::as_str)),
            a::created_at.eq(attempt.created_at.naive_utc()),
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
    type Row = (
        String,
        String,
        Option<String>,
        NaiveDateTime,
        NaiveDateTime,
        Option<NaiveDateTime>,
    );
    let row: Option<Row> = a::table
        .find(hash)
        .select((
            a::binding,
            a::next_path,
            a::confirms_user_id,
            a::created_at,
            a::expires_at,
            a::consumed_at,
        ))
        .first(conn)
        .optional()?;
    let Some((binding, next_path, confirms, created_at, expires_at, consumed_at)) = row else {
        return Ok(None);
    };
    let confirms = confirms.map(|id| columns::id("oidc_attempts", &id));
    Ok(Some(OidcAttempt {
        state_hash: hash.to_owned(),
        binding,
        next_path,
        confirms: confirms.transpose()?,
        created_at: created_at.and_utc(),
        expires_at: expires_at.and_utc(),
        consumed_at: consumed_at.map(|at| at.and_utc()),
    }))
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
