//! Users and their roles. An e-mail address is unique in its normalised form; the last Administrator is kept here, too.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;
use secrecy::{ExposeSecret, SecretString};

use super::columns::Cells;
use super::schema::{user_roles, users};
use super::{AnyConn, StoreError, account_links};
use crate::domain::access::Role;
use crate::domain::ids::UserId;
use crate::domain::preferences::Preferences;
use crate::domain::time_zone::TimeZone;
use crate::domain::users::{UserRoles, check_change};

/// A person who may sign in.
#[derive(Debug, Clone)]
pub struct User {
    /// Identifier.
    pub id: UserId,
    /// The address as it was typed.
    pub email: String,
    /// The address in the form in which it is unique.
    pub email_key: String,
    /// Name on pages.
    pub name: String,
    /// The password as a PHC string; `None`: cannot sign in with a password.
    pub password_hash: Option<SecretString>,
    /// Whether the person may sign in.
    pub is_enabled: bool,
    /// In which zone the person reads times.
    pub time_zone: TimeZone,
    /// How the person likes the pages.
    pub preferences: Preferences,
    /// Roles, sorted.
    pub roles: Vec<Role>,
    /// When the person signed in last.
    pub last_sign_in_at: Option<DateTime<Utc>>,
    /// When the user was added.
    pub created_at: DateTime<Utc>,
    /// When the user was changed last.
    pub updated_at: DateTime<Utc>,
    /// Counts changes, for optimistic locking.
    pub lock_version: i64,
}

impl User {
    /// What the rules need to know.
    #[must_use]
    pub fn rules_view(&self) -> UserRoles {
        UserRoles {
            id: self.id.clone(),
            is_enabled: self.is_enabled,
            roles: self.roles.clone(),
        }
    }
}

#[derive(Queryable, Insertable)]
#[diesel(table_name = users)]
struct UserRow {
    id: String,
    email: String,
    email_key: String,
    name: String,
    password_hash: Option<String>,
    is_enabled: bool,
    time_zone: String,
    last_sign_in_at: Option<NaiveDateTime>,
    created_at: NaiveDateTime,
    updated_at: NaiveDateTime,
    lock_version: i64,
    appearance: String,
    has_shortcuts: bool,
}

impl UserRow {
    fn with_roles(self, roles: &[String]) -> Result<User, StoreError> {
        let cells = Cells {
            table: "users",
            id: &self.id,
        };
        let mut roles = roles
            .iter()
            .map(|role| cells.word("role", role))
            .collect::<Result<Vec<Role>, _>>()?;
        roles.sort_unstable();
        Ok(User {
            id: cells.word("id", &self.id)?,
            time_zone: cells.word("time_zone", &self.time_zone)?,
            preferences: Preferences {
                appearance: cells.word("appearance", &self.appearance)?,
                has_shortcuts: self.has_shortcuts,
            },
            email: self.email,
            email_key: self.email_key,
            name: self.name,
            password_hash: self.password_hash.map(SecretString::from),
            is_enabled: self.is_enabled,
            roles,
            last_sign_in_at: self.last_sign_in_at.map(|at| at.and_utc()),
            created_at: self.created_at.and_utc(),
            updated_at: self.updated_at.and_utc(),
            lock_version: self.lock_version,
        })
    }
}

fn roles_of(conn: &mut AnyConn, id: &str) -> Result<Vec<String>, StoreError> {
    Ok(user_roles::table
        .filter(user_roles::user_id.eq(id))
        .select(user_roles::role)
        .load(conn)?)
}

fn complete(conn: &mut AnyConn, row: Option<UserRow>) -> Result<Option<User>, StoreError> {
    let Some(row) = row else { return Ok(None) };
    let roles = roles_of(conn, &row.id)?;
    row.with_roles(&roles).map(Some)
}

/// One user.
///
/// # Errors
/// As any query.
pub fn find(conn: &mut AnyConn, id: &UserId) -> Result<Option<User>, StoreError> {
    let row = users::table.find(id.as_str()).first(conn).optional()?;
    complete(conn, row)
}

/// One user who must exist.
///
/// # Errors
/// `NotFound`, or as any query.
pub fn get(conn: &mut AnyConn, id: &UserId) -> Result<User, StoreError> {
    find(conn, id)?.ok_or(StoreError::NotFound("user"))
}

/// The user with this address; `email_key` is what [`crate::domain::users::check_email`] gives.
///
/// # Errors
/// As any query.
pub fn find_by_email(conn: &mut AnyConn, email_key: &str) -> Result<Option<User>, StoreError> {
    let row = users::table
        .filter(users::email_key.eq(email_key))
        .first(conn)
        .optional()?;
    complete(conn, row)
}

/// Every user, by name. Users of one organisation are few; there is no page-wise reading.
///
/// # Errors
/// As any query.
pub fn list(conn: &mut AnyConn) -> Result<Vec<User>, StoreError> {
    let rows: Vec<UserRow> = users::table.order((users::name, users::id)).load(conn)?;
    let pairs: Vec<(String, String)> = user_roles::table
        .select((user_roles::user_id, user_roles::role))
        .load(conn)?;
    let mut roles: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (user, role) in pairs {
        roles.entry(user).or_default().push(role);
    }
    rows.into_iter()
        .map(|row| {
            let roles = roles.remove(&row.id).unwrap_or_default();
            row.with_roles(&roles)
        })
        .collect()
}

/// How many enabled users hold the Administrator role.
///
/// # Errors
/// As any query.
pub fn count_enabled_administrators(conn: &mut AnyConn) -> Result<i64, StoreError> {
    Ok(users::table
        .inner_join(user_roles::table)
        .filter(users::is_enabled.eq(true))
        .filter(user_roles::role.eq(Role::Administrator.as_str()))
        .count()
        .get_result(conn)?)
}

/// Adds a user with the roles given in it.
///
/// # Errors
/// `Duplicate` when the address is taken.
pub fn insert(conn: &mut AnyConn, user: &User) -> Result<(), StoreError> {
    diesel::insert_into(users::table)
        .values(UserRow {
            id: user.id.as_str().to_owned(),
            email: user.email.clone(),
            email_key: user.email_key.clone(),
            name: user.name.clone(),
            password_hash: user
                .password_hash
                .as_ref()
                .map(|hash| hash.expose_secret().to_owned()),
            is_enabled: user.is_enabled,
            time_zone: user.time_zone.name().to_owned(),
            last_sign_in_at: user.last_sign_in_at.map(|at| at.naive_utc()),
            created_at: user.created_at.naive_utc(),
            updated_at: user.updated_at.naive_utc(),
            lock_version: user.lock_version,
            appearance: user.preferences.appearance.as_str().to_owned(),
            has_shortcuts: user.preferences.has_shortcuts,
        })
        .execute(conn)?;
    write_roles(conn, user.id.as_str(), &user.roles)
}

fn write_roles(conn: &mut AnyConn, id: &str, roles: &[Role]) -> Result<(), StoreError> {
    diesel::delete(user_roles::table.filter(user_roles::user_id.eq(id))).execute(conn)?;
    for role in roles {
        diesel::insert_into(user_roles::table)
            .values((
                user_roles::user_id.eq(id),
                user_roles::role.eq(role.as_str()),
            ))
            .execute(conn)?;
    }
    Ok(())
}

/// Makes every change of who is an Administrator wait for its turn until the end of the transaction: two people who act
/// at once must not remove the last two. SQLite's write lock does the same already.
fn lock_administrators(conn: &mut AnyConn) -> Result<(), StoreError> {
    if let AnyConn::Pg(c) = conn {
        diesel::sql_query("SELECT pg_advisory_xact_lock(7254011003)").execute(c)?;
    }
    Ok(())
}

fn one_row(changed: usize) -> Result<(), StoreError> {
    if changed == 1 {
        Ok(())
    } else {
        Err(StoreError::Stale("user"))
    }
}

/// Sets roles and whether the person may sign in; `lock_version` is the one that was read. Returns the user as it was
/// before. Sessions are the caller's to end.
///
/// # Errors
/// `Rule` when it would take away the last Administrator, `Stale` when somebody else was quicker.
pub fn set_access(
    conn: &mut AnyConn,
    now: DateTime<Utc>,
    id: &UserId,
    roles: &[Role],
    is_enabled: bool,
    lock_version: i64,
) -> Result<User, StoreError> {
    lock_administrators(conn)?;
    let before = get(conn, id)?;
    let all: Vec<UserRoles> = list(conn)?.iter().map(User::rules_view).collect();
    check_change(id, roles, is_enabled, &all).map_err(|rule| StoreError::Rule(rule.to_string()))?;
    let changed = diesel::update(
        users::table
            .find(id.as_str())
            .filter(users::lock_version.eq(lock_version)),
    )
    .set((
        users::is_enabled.eq(is_enabled),
        users::updated_at.eq(now.naive_utc()),
        users::lock_version.eq(users::lock_version + 1),
    ))
    .execute(conn)?;
    one_row(changed)?;
    write_roles(conn, id.as_str(), roles)?;
    if before.is_enabled && !is_enabled {
        account_links::delete_of_user(conn, id)?;
    }
    Ok(before)
}

/// Sets what a person may change about themselves.
///
/// # Errors
/// `Stale` when the user was changed since it was read.
pub fn set_profile(
    conn: &mut AnyConn,
    now: DateTime<Utc>,
    id: &UserId,
    name: &str,
    time_zone: TimeZone,
    lock_version: i64,
) -> Result<(), StoreError> {
    let changed = diesel::update(
        users::table
            .find(id.as_str())
            .filter(users::lock_version.eq(lock_version)),
    )
    .set((
        users::name.eq(name),
        users::time_zone.eq(time_zone.name()),
        users::updated_at.eq(now.naive_utc()),
        users::lock_version.eq(users::lock_version + 1),
    ))
    .execute(conn)?;
    one_row(changed)
}

/// Sets how a person likes the pages. No rival of other changes: it takes no lock version and raises none.
///
/// # Errors
/// `Stale` when the user is gone.
pub fn set_preferences(
    conn: &mut AnyConn,
    now: DateTime<Utc>,
    id: &UserId,
    preferences: Preferences,
) -> Result<(), StoreError> {
    let changed = diesel::update(users::table.find(id.as_str()))
        .set((
            users::appearance.eq(preferences.appearance.as_str()),
            users::has_shortcuts.eq(preferences.has_shortcuts),
            users::updated_at.eq(now.naive_utc()),
        ))
        .execute(conn)?;
    one_row(changed)
}

/// Lets an invited person in, under the name that they gave themselves.
///
/// # Errors
/// `Stale` when the user is gone or may sign in already.
pub fn accept(
    conn: &mut AnyConn,
    now: DateTime<Utc>,
    id: &UserId,
    name: &str,
) -> Result<(), StoreError> {
    let changed = diesel::update(
        users::table
            .find(id.as_str())
            .filter(users::is_enabled.eq(false)),
    )
    .set((
        users::name.eq(name),
        users::is_enabled.eq(true),
        users::updated_at.eq(now.naive_utc()),
        users::lock_version.eq(users::lock_version + 1),
    ))
    .execute(conn)?;
    one_row(changed)
}

/// Replaces the password; `hash` is a PHC string. A link for a new password, made before, is of no use any more.
///
/// # Errors
/// `Stale` when the user is gone.
pub fn set_password(
    conn: &mut AnyConn,
    now: DateTime<Utc>,
    id: &UserId,
    hash: &SecretString,
) -> Result<(), StoreError> {
    account_links::delete_of_user(conn, id)?;
    let changed = diesel::update(users::table.find(id.as_str()))
        .set((
            users::password_hash.eq(hash.expose_secret()),
            users::updated_at.eq(now.naive_utc()),
            users::lock_version.eq(users::lock_version + 1),
        ))
        .execute(conn)?;
    one_row(changed)
}

/// Notes a sign-in.
///
/// # Errors
/// As any query.
pub fn note_sign_in(conn: &mut AnyConn, now: DateTime<Utc>, id: &UserId) -> Result<(), StoreError> {
    diesel::update(users::table.find(id.as_str()))
        .set(users::last_sign_in_at.eq(now.naive_utc()))
        .execute(conn)?;
    Ok(())
}
