//! Who a person is at an OpenID Connect provider: issuer and subject, which never change.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::schema::user_identities;
use super::{AnyConn, StoreError, columns};
use crate::domain::ids::UserId;

/// The person with this identity.
///
/// # Errors
/// As any query.
pub fn find_user(
    conn: &mut AnyConn,
    issuer: &str,
    subject: &str,
) -> Result<Option<UserId>, StoreError> {
    let id: Option<String> = user_identities::table
        .find((issuer, subject))
        .select(user_identities::user_id)
        .first(conn)
        .optional()?;
    id.map(|id| columns::id("user_identities", &id)).transpose()
}

/// Whether the person has an identity of this issuer already.
///
/// # Errors
/// As any query.
pub fn has_any(conn: &mut AnyConn, user: &UserId, issuer: &str) -> Result<bool, StoreError> {
    let count: i64 = user_identities::table
        .filter(user_identities::user_id.eq(user.as_str()))
        .filter(user_identities::issuer.eq(issuer))
        .count()
        .get_result(conn)?;
    Ok(count > 0)
}

/// Whether the person has an identity at all, so that a provider can say who they are.
///
/// # Errors
/// As any query.
pub fn is_known(conn: &mut AnyConn, user: &UserId) -> Result<bool, StoreError> {
    let count: i64 = user_identities::table
        .filter(user_identities::user_id.eq(user.as_str()))
        .count()
        .get_result(conn)?;
    Ok(count > 0)
}

/// Ties an identity to a person.
///
/// # Errors
/// `Duplicate` when it is tied already, or the person has one of this issuer.
pub fn insert(
    conn: &mut AnyConn,
    now: DateTime<Utc>,
    user: &UserId,
    issuer: &str,
    subject: &str,
) -> Result<(), StoreError> {
    diesel::insert_into(user_identities::table)
        .values((
            user_identities::issuer.eq(issuer),
            user_identities::subject.eq(subject),
            user_identities::user_id.eq(user.as_str()),
            user_identities::created_at.eq(now.naive_utc()),
            user_identities::last_sign_in_at.eq(now.naive_utc()),
        ))
        .execute(conn)?;
    Ok(())
}

/// Notes a sign-in with it.
///
/// # Errors
/// As any query.
pub fn note_sign_in(
    conn: &mut AnyConn,
    now: DateTime<Utc>,
    issuer: &str,
    subject: &str,
) -> Result<(), StoreError> {
    diesel::update(user_identities::table.find((issuer, subject)))
        .set(user_identities::last_sign_in_at.eq(now.naive_utc()))
        .execute(conn)?;
    Ok(())
}
