//! Second factors: sealed secrets, hashed recovery codes, and the roles that need one.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;

use super::columns::{self, Cells};
use super::schema::{recovery_codes as codes, second_factor_roles as roles, second_factors as f};
use super::users::User;
use super::{AnyConn, StoreError, sign_in_rules};
use crate::domain::access::Role;
use crate::domain::ids::UserId;

/// A person's second factor.
#[derive(Debug, Clone)]
pub struct SecondFactor {
    /// The secret, sealed for this table, column and person.
    pub secret: Vec<u8>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When the person proved that their device knows it; `None`: it is being set up and opens nothing.
    pub confirmed_at: Option<DateTime<Utc>>,
    /// How many recovery codes are left.
    pub codes_left: i64,
}

/// A person's second factor, set up or being set up.
///
/// # Errors
/// As any query.
pub fn find(conn: &mut AnyConn, user: &UserId) -> Result<Option<SecondFactor>, StoreError> {
    type Row = (Vec<u8>, NaiveDateTime, Option<NaiveDateTime>);
    let row: Option<Row> = f::table
        .find(user.as_str())
        .select((f::secret, f::created_at, f::confirmed_at))
        .first(conn)
        .optional()?;
    let Some((secret, created_at, confirmed_at)) = row else {
        return Ok(None);
    };
    let codes_left = codes::table
        .filter(codes::user_id.eq(user.as_str()))
        .count()
        .get_result(conn)?;
    Ok(Some(SecondFactor {
        secret,
        created_at: created_at.and_utc(),
        confirmed_at: confirmed_at.map(|at| at.and_utc()),
        codes_left,
    }))
}

/// Whether signing in takes a second step.
///
/// # Errors
/// As any query.
pub fn is_on(conn: &mut AnyConn, user: &UserId) -> Result<bool, StoreError> {
    Ok(find(conn, user)?.is_some_and(|factor| factor.confirmed_at.is_some()))
}

/// Begins to set one up; what was begun before is forgotten.
///
/// # Errors
/// `Rule` when one is set up already.
pub fn begin(
    conn: &mut AnyConn,
    user: &UserId,
    sealed: &[u8],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    if is_on(conn, user)? {
        return Err(StoreError::Rule(
            "Your second factor is set up already. Switch it off first to use another device."
                .into(),
        ));
    }
    remove(conn, user)?;
    diesel::insert_into(f::table)
        .values((
            f::user_id.eq(user.as_str()),
            f::secret.eq(sealed),
            f::created_at.eq(now.naive_utc()),
            f::last_step.eq(0_i64),
        ))
        .execute(conn)?;
    Ok(())
}

/// Puts it into use: the person's device showed the code of this step.
///
/// # Errors
/// `Stale` when nothing is being set up (any more).
pub fn confirm(
    conn: &mut AnyConn,
    user: &UserId,
    step: i64,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let changed = diesel::update(
        f::table
            .find(user.as_str())
            .filter(f::confirmed_at.is_null()),
    )
    .set((f::confirmed_at.eq(now.naive_utc()), f::last_step.eq(step)))
    .execute(conn)?;
    if changed == 1 {
        Ok(())
    } else {
        Err(StoreError::Stale("second factor"))
    }
}

/// Uses the code of a step up; `false` when it, or a later one, was used already.
///
/// # Errors
/// As any query.
pub fn use_step(conn: &mut AnyConn, user: &UserId, step: i64) -> Result<bool, StoreError> {
    let changed = diesel::update(
        f::table
            .find(user.as_str())
            .filter(f::confirmed_at.is_not_null())
            .filter(f::last_step.lt(step)),
    )
    .set(f::last_step.eq(step))
    .execute(conn)?;
    Ok(changed == 1)
}

/// Replaces the recovery codes.
///
/// # Errors
/// As any query.
pub fn replace_codes(
    conn: &mut AnyConn,
    user: &UserId,
    hashes: &[String],
) -> Result<(), StoreError> {
    diesel::delete(codes::table.filter(codes::user_id.eq(user.as_str()))).execute(conn)?;
    for hash in hashes {
        diesel::insert_into(codes::table)
            .values((codes::user_id.eq(user.as_str()), codes::code_hash.eq(hash)))
            .execute(conn)?;
    }
    Ok(())
}

/// Uses a recovery code up; `false` when there is none like it.
///
/// # Errors
/// As any query.
pub fn use_code(conn: &mut AnyConn, user: &UserId, hash: &str) -> Result<bool, StoreError> {
    Ok(diesel::delete(codes::table.find((user.as_str(), hash))).execute(conn)? == 1)
}

/// Takes a person's second factor and recovery codes away; whether there was one, set up or being set up.
///
/// # Errors
/// As any query.
pub fn remove(conn: &mut AnyConn, user: &UserId) -> Result<bool, StoreError> {
    diesel::delete(codes::table.filter(codes::user_id.eq(user.as_str()))).execute(conn)?;
    Ok(diesel::delete(f::table.find(user.as_str())).execute(conn)? > 0)
}

/// The roles whose people need a second factor, sorted.
///
/// # Errors
/// As any query.
pub fn required_roles(conn: &mut AnyConn) -> Result<Vec<Role>, StoreError> {
    let words: Vec<String> = roles::table.select(roles::role).load(conn)?;
    let cells = Cells {
        table: "second_factor_roles",
        id: "(all)",
    };
    let mut found = words
        .iter()
        .map(|word| cells.word("role", word))
        .collect::<Result<Vec<Role>, _>>()?;
    found.sort_unstable();
    Ok(found)
}

/// Says which roles need one.
///
/// # Errors
/// As any query.
pub fn set_required_roles(conn: &mut AnyConn, required: &[Role]) -> Result<(), StoreError> {
    diesel::delete(roles::table).execute(conn)?;
    for role in required {
        diesel::insert_into(roles::table)
            .values(roles::role.eq(role.as_str()))
            .execute(conn)?;
    }
    Ok(())
}

/// Whether a person of these roles needs a second factor. Whoever has no password here signs in elsewhere, and the second
/// factor is asked for there, unless an Administrator says that it is not.
///
/// # Errors
/// As any query.
pub fn is_required(conn: &mut AnyConn, user: &User) -> Result<bool, StoreError> {
    if user.roles.is_empty() || !can_be_on(conn, user)? {
        return Ok(false);
    }
    let words: Vec<&str> = user.roles.iter().map(|role| role.as_str()).collect();
    let count: i64 = roles::table
        .filter(roles::role.eq_any(words))
        .count()
        .get_result(conn)?;
    Ok(count > 0)
}

/// Whether a second factor here would be asked for at all: with the password, or after the provider.
///
/// # Errors
/// As any query.
pub fn can_be_on(conn: &mut AnyConn, user: &User) -> Result<bool, StoreError> {
    Ok(user.password_hash.is_some()
        || !sign_in_rules::get(conn)?
            .rules
            .provider_checks_second_factor)
}

/// Whether a person needs a second factor and has none.
///
/// # Errors
/// As any query.
pub fn is_missing(conn: &mut AnyConn, user: &User) -> Result<bool, StoreError> {
    Ok(is_required(conn, user)? && !is_on(conn, &user.id)?)
}

/// Everybody whose second factor is set up.
///
/// # Errors
/// As any query.
pub fn list_people(conn: &mut AnyConn) -> Result<BTreeSet<UserId>, StoreError> {
    let ids: Vec<String> = f::table
        .filter(f::confirmed_at.is_not_null())
        .select(f::user_id)
        .load(conn)?;
    ids.iter()
        .map(|id| columns::id("second_factors", id))
        .collect()
}
