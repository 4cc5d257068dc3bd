//! Adds people, whoever asks: the portal, the command line, the demo.

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde_json::json;

use crate::domain::access::Role;
use crate::domain::ids::UserId;
use crate::domain::preferences::Preferences;
use crate::domain::time_zone::TimeZone;
use crate::domain::users::{UserRuleError, check_email, check_name, check_roles};
use crate::store::audit::{self, Actor};
use crate::store::users::{self, User};
use crate::store::{AnyConn, StoreError};

/// A person to add. The password is a PHC string already: hashing happens outside of the transaction.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// Made by the caller.
    pub id: UserId,
    /// As typed.
    pub email: String,
    /// As typed; blank: the part of the address before the `@`.
    pub name: String,
    /// May be empty.
    pub roles: Vec<Role>,
    /// In which zone the person reads times.
    pub time_zone: TimeZone,
    /// The PHC string; without one the person is invited, and may not sign in before they come by the link.
    pub password_hash: Option<SecretString>,
}

/// Why a person cannot be added.
#[derive(Debug, thiserror::Error)]
pub enum AddUserError {
    /// A rule about users.
    #[error(transparent)]
    Rule(#[from] UserRuleError),
    /// Somebody has this address already.
    #[error("There is a user with this e-mail address already.")]
    Taken,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Adds a person and notes it in the audit log.
///
/// # Errors
/// The first rule that is broken, `Taken`, or the database's.
pub fn add(
    tx: &mut AnyConn,
    now: DateTime<Utc>,
    actor: &Actor,
    new: NewUser,
) -> Result<User, AddUserError> {
    let email_key = check_email(&new.email)?;
    check_roles(&new.roles)?;
    let name = if new.name.trim().is_empty() {
        check_name(email_key.split('@').next().unwrap_or_default())?
    } else {
        check_name(&new.name)?
    };
    if users::find_by_email(tx, &email_key)?.is_some() {
        return Err(AddUserError::Taken);
    }
    let mut roles = new.roles;
    roles.sort_unstable();
    roles.dedup();
    let user = User {
        id: new.id,
        email: new.email.trim().to_owned(),
        email_key,
        name,
        is_enabled: new.password_hash.is_some(),
        password_hash: new.password_hash,
        time_zone: new.time_zone,
        preferences: Preferences::default(),
        roles,
        last_sign_in_at: None,
        created_at: now,
        updated_at: now,
        lock_version: 1,
    };
    users::insert(tx, &user)?;
    audit::record(
        tx,
        now,
        actor,
        if user.is_enabled {
            "user.added"
        } else {
            "user.invited"
        },
        ("user", user.id.as_str(), &user.name),
        None,
        Some(access_state(&user.roles, user.is_enabled)),
    )?;
    Ok(user)
}

/// A user's access as the audit log keeps it.
#[must_use]
pub fn access_state(roles: &[Role], is_enabled: bool) -> serde_json::Value {
    json!({ "roles": roles, "is_enabled": is_enabled })
}
