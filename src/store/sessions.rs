//! Server-side sessions. Only the SHA-256 of a session's id is stored: a stolen table signs nobody in.

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;

use super::columns::Cells;
use super::schema::{sessions, user_roles, users as users_table};
use super::users::{self, User};
use super::{AnyConn, StoreError};
use crate::domain::access::Role;
use crate::domain::ids::UserId;

/// A session as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// SHA-256 of the id in the cookie, hexadecimal.
    pub id_hash: String,
    /// Whose it is.
    pub user_id: Option<UserId>,
    /// What the session holds, as JSON text; only `auth::sessions` reads it.
    pub state: String,
    /// When the person signed in.
    pub created_at: DateTime<Utc>,
    /// The last request, to the minute.
    pub last_seen_at: DateTime<Utc>,
    /// When it ends, whatever happens.
    pub expires_at: DateTime<Utc>,
}

#[derive(Queryable, Insertable)]
#[diesel(table_name = sessions)]
struct SessionRow {
    id_hash: String,
    user_id: Option<String>,
    state: String,
    created_at: NaiveDateTime,
    last_seen_at: NaiveDateTime,
    expires_at: NaiveDateTime,
}

impl TryFrom<SessionRow> for Session {
    type Error = StoreError;

    fn try_from(row: SessionRow) -> Result<Self, StoreError> {
        let cells = Cells {
            table: "sessions",
            id: "(hidden)",
        };
        Ok(Self {
            user_id: cells.optional("user_id", row.user_id.as_deref())?,
            id_hash: row.id_hash,
            state: row.state,
            created_at: row.created_at.and_utc(),
            last_seen_at: row.last_seen_at.and_utc(),
            expires_at: row.expires_at.and_utc(),
        })
    }
}

/// A session with its user as they are at this moment; `None` where the user is gone or disabled.
///
/// # Errors
/// As any query.
pub fn find_with_user(
    conn: &mut AnyConn,
    id_hash: &str,
) -> Result<Option<(Session, User)>, StoreError> {
    let row: Option<SessionRow> = sessions::table.find(id_hash).first(conn).optional()?;
    let Some(row) = row else { return Ok(None) };
    let session = Session::try_from(row)?;
    let Some(id) = &session.user_id else {
        return Ok(None);
    };
    let user = users::find(conn, id)?.filter(|user| user.is_enabled);
    Ok(user.map(|user| (session, user)))
}

/// Those of these sessions whose people exist and are enabled, with their roles as they are at this moment.
///
/// # Errors
/// As any query.
pub fn list_with_roles(
    conn: &mut AnyConn,
    hashes: &[String],
) -> Result<Vec<(Session, Vec<Role>)>, StoreError> {
    let rows: Vec<SessionRow> = sessions::table
        .inner_join(users_table::table.on(users_table::id.nullable().eq(sessions::user_id)))
        .filter(sessions::id_hash.eq_any(hashes))
        .filter(users_table::is_enabled.eq(true))
        .select(sessions::all_columns)
        .load(conn)?;
    let people: Vec<&str> = rows
        .iter()
        .filter_map(|row| row.user_id.as_deref())
        .collect();
    let given: Vec<(String, String)> = user_roles::table
        .filter(user_roles::user_id.eq_any(people))
        .select((user_roles::user_id, user_roles::role))
        .load(conn)?;
    rows.into_iter()
        .map(|row| {
            let cells = Cells {
                table: "user_roles",
                id: row.user_id.as_deref().unwrap_or_default(),
            };
            let roles = given
                .iter()
                .filter(|(user, _)| Some(user) == row.user_id.as_ref())
                .map(|(_, role)| cells.word("role", role))
                .collect::<Result<_, _>>()?;
            Ok((Session::try_from(row)?, roles))
        })
        .collect()
}

/// Every session of a user, the one seen last first.
///
/// # Errors
/// As any query.
pub fn list_of_user(conn: &mut AnyConn, user: &UserId) -> Result<Vec<Session>, StoreError> {
    let rows: Vec<SessionRow> = sessions::table
        .filter(sessions::user_id.eq(user.as_str()))
        .order((sessions::last_seen_at.desc(), sessions::id_hash))
        .limit(200)
        .load(conn)?;
    rows.into_iter().map(Session::try_from).collect()
}

/// Stores a new session.
///
/// # Errors
/// As any query.
pub fn insert(conn: &mut AnyConn, session: &Session) -> Result<(), StoreError> {
    diesel::insert_into(sessions::table)
        .values(SessionRow {
            id_hash: session.id_hash.clone(),
            user_id: session.user_id.as_ref().map(|id| id.as_str().to_owned()),
            state: session.state.clone(),
            created_at: session.created_at.naive_utc(),
            last_seen_at: session.last_seen_at.naive_utc(),
            expires_at: session.expires_at.naive_utc(),
        })
        .execute(conn)?;
    Ok(())
}

/// Replaces what a session holds. A session that was ended meanwhile stays ended.
///
/// # Errors
/// As any query.
pub fn save_state(conn: &mut AnyConn, id_hash: &str, state: &str) -> Result<(), StoreError> {
    diesel::update(sessions::table.find(id_hash))
        .set(sessions::state.eq(state))
        .execute(conn)?;
    Ok(())
}

/// Notes that a session was used.
///
/// # Errors
/// As any query.
pub fn touch(conn: &mut AnyConn, id_hash: &str, now: DateTime<Utc>) -> Result<(), StoreError> {
    diesel::update(sessions::table.find(id_hash))
        .set(sessions::last_seen_at.eq(now.naive_utc()))
        .execute(conn)?;
    Ok(())
}

/// Ends one session; returns whether there was one.
///
/// # Errors
/// As any query.
pub fn delete(conn: &mut AnyConn, id_hash: &str) -> Result<bool, StoreError> {
    Ok(diesel::delete(sessions::table.find(id_hash)).execute(conn)? > 0)
}

/// Ends one session of this user; somebody else's is not found.
///
/// # Errors
/// `NotFound`, or as any query.
pub fn delete_of_user(conn: &mut AnyConn, user: &UserId, id_hash: &str) -> Result<(), StoreError> {
    let ended = diesel::delete(
        sessions::table
            .find(id_hash)
            .filter(sessions::user_id.eq(user.as_str())),
    )
    .execute(conn)?;
    if ended == 0 {
        return Err(StoreError::NotFound("session"));
    }
    Ok(())
}

/// Ends every session of a user but `keep`; returns how many.
///
/// # Errors
/// As any query.
pub fn delete_all_of_user(
    conn: &mut AnyConn,
    user: &UserId,
    keep: Option<&str>,
) -> Result<usize, StoreError> {
    Ok(diesel::delete(
        sessions::table
            .filter(sessions::user_id.eq(user.as_str()))
            .filter(sessions::id_hash.ne(keep.unwrap_or(""))),
    )
    .execute(conn)?)
}

/// Removes sessions whose time is over.
///
/// # Errors
/// As any query.
pub fn delete_expired(conn: &mut AnyConn, now: DateTime<Utc>) -> Result<usize, StoreError> {
    Ok(
        diesel::delete(sessions::table.filter(sessions::expires_at.lt(now.naive_utc())))
            .execute(conn)?,
    )
}
