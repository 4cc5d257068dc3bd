//! Tokens that are to be revoked at LinkedIn: nothing here uses them any more, and they are erased as soon as LinkedIn
//! revoked them or was asked often enough.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;

use super::columns;
use super::schema::{linkedin_tokens, pending_authorizations, token_revocations as r};
use super::{AnyConn, StoreError, audit, database_now};
use crate::domain::ids::ProfileId;

/// How often LinkedIn is asked: with pauses that double from one minute on, for about two days.
pub const ATTEMPTS: i64 = 12;

/// A token to be revoked.
#[derive(Debug, Clone)]
pub struct Revocation {
    /// Identifies it.
    pub id: String,
    /// Whose token it was.
    pub profile_id: ProfileId,
    /// The table for which the tokens are sealed.
    pub source_table: String,
    /// Sealed access token.
    pub access_token: Vec<u8>,
    /// Sealed refresh token.
    pub refresh_token: Option<Vec<u8>>,
    /// The number of this attempt, from 1.
    pub attempt: i64,
}

/// Moves the tokens of a profile, confirmed and unconfirmed, out of use and into this list; answers how many there were.
///
/// # Errors
/// As any query.
pub fn take_from(
    conn: &mut AnyConn,
    profile: &ProfileId,
    now: DateTime<Utc>,
) -> Result<usize, StoreError> {
    type Sealed = (Vec<u8>, Option<Vec<u8>>);
    let confirmed: Option<Sealed> = linkedin_tokens::table
        .find(profile.as_str())
        .select((
            linkedin_tokens::access_token,
            linkedin_tokens::refresh_token,
        ))
        .first(conn)
        .optional()?;
    let pending: Option<Sealed> = pending_authorizations::table
        .find(profile.as_str())
        .select((
            pending_authorizations::access_token,
            pending_authorizations::refresh_token,
        ))
        .first(conn)
        .optional()?;
    let at = database_now(conn)?.naive_utc();
    let found = [
        ("linkedin_tokens", confirmed),
        ("pending_authorizations", pending),
    ];
    let mut count = 0;
    for (table, sealed) in found {
        let Some((access_token, refresh_token)) = sealed else {
            continue;
        };
        diesel::insert_into(r::table)
            .values((
                r::id.eq(audit::new_id(now)),
                r::profile_id.eq(profile.as_str()),
                r::source_table.eq(table),
                r::access_token.eq(access_token),
                r::refresh_token.eq(refresh_token),
                r::attempts.eq(0_i64),
                r::next_attempt_at.eq(at),
                r::created_at.eq(now.naive_utc()),
            ))
            .execute(conn)?;
        count += 1;
    }
    diesel::delete(linkedin_tokens::table.find(profile.as_str())).execute(conn)?;
    diesel::delete(pending_authorizations::table.find(profile.as_str())).execute(conn)?;
    Ok(count)
}

/// Takes one that is due, and puts off its next attempt, so that no other process takes it meanwhile.
///
/// # Errors
/// As any query.
pub fn claim(conn: &mut AnyConn) -> Result<Option<Revocation>, StoreError> {
    type Row = (String, String, String, Vec<u8>, Option<Vec<u8>>, i64);
    let now = database_now(conn)?;
    let found: Option<Row> = r::table
        .filter(r::next_attempt_at.le(now.naive_utc()))
        .order((r::next_attempt_at.asc(), r::id.asc()))
        .select((
            r::id,
            r::profile_id,
            r::source_table,
            r::access_token,
            r::refresh_token,
            r::attempts,
        ))
        .first(conn)
        .optional()?;
    let Some((id, profile, source_table, access_token, refresh_token, attempts)) = found else {
        return Ok(None);
    };
    let exponent = u32::try_from(attempts).unwrap_or(0).min(ATTEMPTS as u32);
    let pause = TimeDelta::minutes(2_i64.saturating_pow(exponent));
    let won = diesel::update(
        r::table
            .filter(r::id.eq(&id))
            .filter(r::attempts.eq(attempts)),
    )
    .set((
        r::attempts.eq(attempts + 1),
        r::next_attempt_at.eq((now + pause).naive_utc()),
    ))
    .execute(conn)?;
    if won == 0 {
        return Ok(None);
    }
    Ok(Some(Revocation {
        profile_id: columns::id("token_revocations", &profile)?,
        id,
        source_table,
        access_token,
        refresh_token,
        attempt: attempts + 1,
    }))
}

/// Whether one is due: a read that spares the write lock when none is.
///
/// # Errors
/// As any query.
pub fn is_any_due(conn: &mut AnyConn) -> Result<bool, StoreError> {
    let at = database_now(conn)?.naive_utc();
    let due: i64 = r::table
        .filter(r::next_attempt_at.le(at))
        .count()
        .get_result(conn)?;
    Ok(due > 0)
}

/// Erases one.
///
/// # Errors
/// As any query.
pub fn delete(conn: &mut AnyConn, id: &str) -> Result<(), StoreError> {
    diesel::delete(r::table.find(id)).execute(conn)?;
    Ok(())
}

/// Erases those of a profile that was authorised anew: LinkedIn may take the new token away with the old one.
///
/// # Errors
/// As any query.
pub fn delete_of_profile(conn: &mut AnyConn, profile: &ProfileId) -> Result<(), StoreError> {
    diesel::delete(r::table.filter(r::profile_id.eq(profile.as_str()))).execute(conn)?;
    Ok(())
}
