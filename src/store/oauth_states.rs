//! The one-time `state` values of the connect flow: one for each click on Authorize.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use diesel::prelude::*;

use super::schema::oauth_states;
use super::{AnyConn, StoreError, columns};
use crate::domain::ids::{ProfileId, UserId};

/// One click on Authorize.
#[derive(Debug, Clone)]
pub struct OauthState {
    /// SHA-256 of `state`, hexadecimal.
    pub state_hash: String,
    /// The session that clicked.
    pub session_binding: String,
    /// The person that clicked.
    pub user_id: UserId,
    /// For which profile.
    pub profile_id: ProfileId,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
    /// When LinkedIn came back with it.
    pub consumed_at: Option<DateTime<Utc>>,
}

/// Stores a new `state`, and forgets the ones that ended more than a day ago.
///
/// # Errors
/// As any query.
pub fn insert(
    conn: &mut AnyConn,
    state: &OauthState,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    use oauth_states as s;
    diesel::delete(s::table.filter(s::expires_at.lt((now - TimeDelta::days(1)).naive_utc())))
        .execute(conn)?;
    diesel::insert_into(s::table)
        .values((
            s::state_hash.eq(&state.state_hash),
            s::session_binding.eq(&state.session_binding),
            s::user_id.eq(state.user_id.as_str()),
            s::profile_id.eq(state.profile_id.as_str()),
            s::created_at.eq(now.naive_utc()),
            s::expires_at.eq(state.expires_at.naive_utc()),
        ))
        .execute(conn)?;
    Ok(())
}

/// A `state` by its hash.
///
/// # Errors
/// As any query.
pub fn find(conn: &mut AnyConn, hash: &str) -> Result<Option<OauthState>, StoreError> {
    use oauth_states as s;
    type Row = (
        String,
        String,
        String,
        String,
        NaiveDateTime,
        Option<NaiveDateTime>,
    );
    let row: Option<Row> = s::table
        .filter(s::state_hash.eq(hash))
        .select((
            s::state_hash,
            s::session_binding,
            s::user_id,
            s::profile_id,
            s::expires_at,
            s::consumed_at,
        ))
        .first(conn)
        .optional()?;
    row.map(
        |(state_hash, session_binding, user, profile, expires, consumed)| {
            Ok(OauthState {
                state_hash,
                session_binding,
                user_id: columns::id("oauth_states", &user)?,
                profile_id: columns::id("oauth_states", &profile)?,
                expires_at: expires.and_utc(),
                consumed_at: consumed.map(|at| at.and_utc()),
            })
        },
    )
    .transpose()
}

/// Uses a `state` up; `false` when somebody was quicker.
///
/// # Errors
/// As any query.
pub fn consume(conn: &mut AnyConn, hash: &str, now: DateTime<Utc>) -> Result<bool, StoreError> {
    use oauth_states as s;
    let used = diesel::update(
        s::table
            .filter(s::state_hash.eq(hash))
            .filter(s::consumed_at.is_null()),
    )
    .set(s::consumed_at.eq(now.naive_utc()))
    .execute(conn)?;
    Ok(used == 1)
}

/// The latest unanswered click on Authorize of a profile: LinkedIn may have shown an error page of its own.
///
/// # Errors
/// As any query.
pub fn unanswered(
    conn: &mut AnyConn,
    profile: &ProfileId,
) -> Result<Option<DateTime<Utc>>, StoreError> {
    use oauth_states as s;
    let latest: Option<(NaiveDateTime, Option<NaiveDateTime>)> = s::table
        .filter(s::profile_id.eq(profile.as_str()))
        .order(s::created_at.desc())
        .select((s::created_at, s::consumed_at))
        .first(conn)
        .optional()?;
    Ok(latest.and_then(|(created, consumed)| consumed.is_none().then(|| created.and_utc())))
}
