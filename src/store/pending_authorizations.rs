//! What LinkedIn granted and nobody has confirmed yet: kept apart from the tokens until the organization is confirmed.

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;

use super::columns;
use super::schema::pending_authorizations;
use super::tokens::{SealedTokens, scopes_of};
use super::{AnyConn, StoreError};
use crate::domain::ids::{ProfileId, UserId};

/// What LinkedIn granted and nobody has confirmed yet.
#[derive(Debug, Clone)]
pub struct PendingGrant {
    /// Who came back from LinkedIn.
    pub user_id: UserId,
    /// The sealed tokens (sealed for this table).
    pub tokens: SealedTokens,
    /// `urn:li:person:…` where the scopes told it.
    pub member_urn: Option<String>,
    /// The member's name where the scopes told it.
    pub member_name: Option<String>,
    /// When LinkedIn granted it.
    pub created_at: DateTime<Utc>,
}

/// Keeps a grant until the organization is confirmed; replaces an earlier unconfirmed one.
///
/// # Errors
/// As any query.
pub fn save(
    conn: &mut AnyConn,
    profile: &ProfileId,
    pending: &PendingGrant,
) -> Result<(), StoreError> {
    use pending_authorizations as p;
    diesel::delete(p::table.filter(p::profile_id.eq(profile.as_str()))).execute(conn)?;
    diesel::insert_into(p::table)
        .values((
            p::profile_id.eq(profile.as_str()),
            p::user_id.eq(pending.user_id.as_str()),
            p::access_token.eq(&pending.tokens.access_token),
            p::access_token_expires_at.eq(pending.tokens.access_token_expires_at.naive_utc()),
            p::refresh_token.eq(pending.tokens.refresh_token.as_ref()),
            p::refresh_token_expires_at.eq(pending
                .tokens
                .refresh_token_expires_at
                .map(|at| at.naive_utc())),
            p::scopes.eq(pending.tokens.scopes.join(" ")),
            p::member_urn.eq(pending.member_urn.as_deref()),
            p::member_name.eq(pending.member_name.as_deref()),
            p::created_at.eq(pending.created_at.naive_utc()),
        ))
        .execute(conn)?;
    Ok(())
}

type PendingRow = (
    String,
    Vec<u8>,
    NaiveDateTime,
    Option<Vec<u8>>,
    Option<NaiveDateTime>,
    String,
    Option<String>,
    Option<String>,
    NaiveDateTime,
);

/// The unconfirmed grant of a profile.
///
/// # Errors
/// As any query.
pub fn find(conn: &mut AnyConn, profile: &ProfileId) -> Result<Option<PendingGrant>, StoreError> {
    use pending_authorizations as p;
    let row: Option<PendingRow> = p::table
        .filter(p::profile_id.eq(profile.as_str()))
        .select((
            p::user_id,
            p::access_token,
            p::access_token_expires_at,
            p::refresh_token,
            p::refresh_token_expires_at,
            p::scopes,
            p::member_urn,
            p::member_name,
            p::created_at,
        ))
        .first(conn)
        .optional()?;
    row.map(
        |(user, access, ends, refresh, refresh_ends, scopes, urn, name, created)| {
            Ok(PendingGrant {
                user_id: columns::id("pending_authorizations", &user)?,
                tokens: SealedTokens {
                    access_token: access,
                    access_token_expires_at: ends.and_utc(),
                    refresh_token: refresh,
                    refresh_token_expires_at: refresh_ends.map(|at| at.and_utc()),
                    scopes: scopes_of(&scopes),
                },
                member_urn: urn,
                member_name: name,
                created_at: created.and_utc(),
            })
        },
    )
    .transpose()
}

/// Drops the unconfirmed grant of a profile.
///
/// # Errors
/// As any query.
pub fn delete(conn: &mut AnyConn, profile: &ProfileId) -> Result<(), StoreError> {
    use pending_authorizations as p;
    diesel::delete(p::table.filter(p::profile_id.eq(profile.as_str()))).execute(conn)?;
    Ok(())
}
