//! Which secret key seals, which ones may still open, and which ones never again: known by their fingerprints.

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;

use super::columns::Cells;
use super::schema::{secret_keys as keys, signing_roots as roots};
use super::{AnyConn, StoreError};
use crate::domain::words::words;
use crate::each;

words! {
    /// What a key is good for.
    pub enum KeyState {
        Current = "current" => "Current",
        Retiring = "retiring" => "Retiring",
        Retired = "retired" => "Retired",
    }
}

/// A key as the database knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownKey {
    /// Its fingerprint.
    pub id: String,
    /// What it is good for.
    pub state: KeyState,
    /// Since when it is in this state.
    pub since: DateTime<Utc>,
}

/// Every key that ever sealed here: the current one, those that retire, those that are retired.
///
/// # Errors
/// As any query.
pub fn list(conn: &mut AnyConn) -> Result<Vec<KnownKey>, StoreError> {
    type Row = (
        String,
        String,
        NaiveDateTime,
        Option<NaiveDateTime>,
        Option<NaiveDateTime>,
    );
    let rows: Vec<Row> = keys::table
        .order((keys::state.asc(), keys::current_since.desc()))
        .load(conn)?;
    rows.into_iter()
        .map(|(id, state, current, retiring, retired)| {
            let cells = Cells {
                table: "secret_keys",
                id: &id,
            };
            Ok(KnownKey {
                state: cells.word("state", &state)?,
                since: retired.or(retiring).unwrap_or(current).and_utc(),
                id,
            })
        })
        .collect()
}

/// Makes `id` the current key of a database that has none yet; another process may be first.
///
/// # Errors
/// As any query.
pub fn begin(conn: &mut AnyConn, id: &str, now: DateTime<Utc>) -> Result<(), StoreError> {
    let is_known = keys::table
        .select(diesel::dsl::count_star())
        .first::<i64>(conn)?
        > 0;
    if is_known {
        return Ok(());
    }
    each!(conn, |c| diesel::insert_into(keys::table)
        .values((
            keys::id.eq(id),
            keys::state.eq(KeyState::Current.as_str()),
            keys::current_since.eq(now.naive_utc()),
        ))
        .on_conflict_do_nothing()
        .execute(c))?;
    Ok(())
}

/// Makes `to` the current key; the one before keeps opening until [`retire`].
///
/// # Errors
/// `Rule` when `to` is known already: a key that seals or sealed once does not come back.
pub fn switch(conn: &mut AnyConn, to: &str, now: DateTime<Utc>) -> Result<(), StoreError> {
    let is_known = list(conn)?.iter().any(|key| key.id == to);
    if is_known {
        return Err(StoreError::Rule(format!(
            "the key {to} was in use before: take a new one"
        )));
    }
    diesel::update(keys::table.filter(keys::state.eq(KeyState::Current.as_str())))
        .set((
            keys::state.eq(KeyState::Retiring.as_str()),
            keys::retiring_since.eq(now.naive_utc()),
        ))
        .execute(conn)?;
    diesel::insert_into(keys::table)
        .values((
            keys::id.eq(to),
            keys::state.eq(KeyState::Current.as_str()),
            keys::current_since.eq(now.naive_utc()),
        ))
        .execute(conn)?;
    Ok(())
}

/// Retires every key that was retiring; returns their fingerprints.
///
/// # Errors
/// As any query.
pub fn retire(conn: &mut AnyConn, now: DateTime<Utc>) -> Result<Vec<String>, StoreError> {
    let retired = keys::table
        .filter(keys::state.eq(KeyState::Retiring.as_str()))
        .select(keys::id)
        .order(keys::id)
        .load(conn)?;
    diesel::update(keys::table.filter(keys::state.eq(KeyState::Retiring.as_str())))
        .set((
            keys::state.eq(KeyState::Retired.as_str()),
            keys::retired_at.eq(now.naive_utc()),
        ))
        .execute(conn)?;
    Ok(retired)
}

/// The sealed text from which the keys of cookies and form tokens are derived.
///
/// # Errors
/// As any query.
pub fn signing_root(conn: &mut AnyConn) -> Result<Option<Vec<u8>>, StoreError> {
    Ok(roots::table
        .select(roots::root_sealed)
        .first(conn)
        .optional()?)
}

/// Keeps the sealed signing root, unless another process was first.
///
/// # Errors
/// As any query.
pub fn begin_signing(
    conn: &mut AnyConn,
    root_sealed: &[u8],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    each!(conn, |c| diesel::insert_into(roots::table)
        .values((
            roots::name.eq("root"),
            roots::root_sealed.eq(root_sealed),
            roots::created_at.eq(now.naive_utc()),
        ))
        .on_conflict_do_nothing()
        .execute(c))?;
    Ok(())
}

/// Drops the signing root: the next process makes another one, and everybody signs in again.
///
/// # Errors
/// As any query.
pub fn forget_signing_root(conn: &mut AnyConn) -> Result<(), StoreError> {
    diesel::delete(roots::table).execute(conn)?;
    Ok(())
}
