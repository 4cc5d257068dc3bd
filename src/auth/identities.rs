//! Turns somebody whom an OpenID Connect provider vouches for into a user of ours.
//!
//! An identity is issuer and subject, never the e-mail address: addresses change hands. The address counts once, when an
//! identity is seen for the first time and a user with that address is there already. Taking that user over needs the
//! provider's word that the address is the person's, and that no other identity of the same provider has the user yet.
//!
//! At each sign-in the roles are computed anew from the provider's claims ([`crate::domain::sign_in`]).

use chrono::{DateTime, Utc};
use serde_json::json;

use super::accounts::access_state;
use crate::domain::access::Role;
use crate::domain::ids::UserId;
use crate::domain::preferences::Preferences;
use crate::domain::sign_in::{RoleRule, renewed_roles, roles_by_rules};
use crate::domain::time_zone::TimeZone;
use crate::domain::users::{MAX_NAME, UserRoles, can_remove_administrator, check_email};
use crate::oidc::Identity;
use crate::store::audit::{self, Actor};
use crate::store::users::{self, User};
use crate::store::{AnyConn, StoreError, connections, sessions, sign_in_rules, user_identities};

/// Why somebody whom the provider vouches for may not come in.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// An Administrator disabled the user.
    #[error("the user is disabled")]
    Disabled,
    /// The provider tells no address, and a user needs one.
    #[error("the provider told no e-mail address")]
    NoEmail,
    /// The provider says that the address is not known to be the person's.
    #[error("the provider has not verified the e-mail address")]
    EmailNotVerified,
    /// There is a user with this address, and the provider does not say that it is the person's.
    #[error("the e-mail address of a user is not vouched for")]
    EmailNotVouchedFor,
    /// The user with this address belongs to another identity of the provider.
    #[error("the user belongs to another identity of the provider")]
    OtherIdentity,
    /// The identity of the synchronization is no person.
    #[error("the user is no person")]
    NoPerson,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Finds the user of an identity, or ties one to it, or makes one. Each of these is in the audit log; the sign-in itself
/// is the caller's to note.
///
/// # Errors
/// See [`IdentityError`]; nothing is written then.
pub fn admit(
    tx: &mut AnyConn,
    now: DateTime<Utc>,
    identity: &Identity,
    actor: &Actor,
    new_id: UserId,
) -> Result<User, IdentityError> {
    let (issuer, subject) = (identity.issuer.as_str(), identity.subject.as_str());
    if let Some(id) = user_identities::find_user(tx, issuer, subject)? {
        let user = users::get(tx, &id)?;
        check_person(&user)?;
        user_identities::note_sign_in(tx, now, issuer, subject)?;
        return Ok(renew_roles(tx, now, identity, actor, user)?);
    }
    let email = identity.email.as_deref().ok_or(IdentityError::NoEmail)?;
    let email_key = check_email(email).map_err(|_| IdentityError::NoEmail)?;
    if identity.is_email_verified == Some(false) {
        return Err(IdentityError::EmailNotVerified);
    }
    let user = match users::find_by_email(tx, &email_key)? {
        Some(user) => {
            check_person(&user)?;
            if identity.is_email_verified != Some(true) {
                return Err(IdentityError::EmailNotVouchedFor);
            }
            if user_identities::has_any(tx, &user.id, issuer)? {
                return Err(IdentityError::OtherIdentity);
            }
            user
        }
        None => insert(tx, now, identity, actor, new_id, email, email_key)?,
    };
    user_identities::insert(tx, now, &user.id, issuer, subject)?;
    audit::record(
        tx,
        now,
        actor,
        "user.identity_linked",
        ("user", user.id.as_str(), &user.name),
        None,
        Some(json!({ "issuer": issuer, "subject": subject })),
    )?;
    Ok(renew_roles(tx, now, identity, actor, user)?)
}

/// Gives and takes the roles that the provider's claims decide. The last Administrator and the break-glass one keep theirs:
/// a wrong rule must not lock everybody out.
fn renew_roles(
    tx: &mut AnyConn,
    now: DateTime<Utc>,
    identity: &Identity,
    actor: &Actor,
    user: User,
) -> Result<User, StoreError> {
    let rules: Vec<RoleRule> = sign_in_rules::list_role_rules(tx)?
        .into_iter()
        .map(|stored| stored.rule)
        .collect();
    let settings = sign_in_rules::get(tx)?.rules;
    let (issuer, subject) = (identity.issuer.as_str(), identity.subject.as_str());
    let renewed = renewed_roles(
        &user.roles,
        &sign_in_rules::given_roles(tx, issuer, subject)?,
        &roles_by_rules(&rules, &identity.roles, &identity.groups),
        settings.roles_come_only_from_provider,
    );
    let mut roles = renewed.roles;
    let all: Vec<UserRoles> = users::list(tx)?.iter().map(User::rules_view).collect();
    let loses = user.roles.contains(&Role::Administrator) && !roles.contains(&Role::Administrator);
    let is_needed = settings.break_glass.as_ref() == Some(&user.id)
        || !can_remove_administrator(&user.id, &all);
    if loses && is_needed {
        roles.push(Role::Administrator);
        roles.sort_unstable();
    }
    sign_in_rules::set_given_roles(tx, issuer, subject, &renewed.given)?;
    if roles == user.roles {
        return Ok(user);
    }
    users::set_access(tx, now, &user.id, &roles, true, user.lock_version)?;
    // Open sessions have the old limits and ids; this sign-in begins a new one.
    sessions::delete_all_of_user(tx, &user.id, None)?;
    audit::record(
        tx,
        now,
        actor,
        "user.access_changed",
        ("user", user.id.as_str(), &user.name),
        Some(access_state(&user.roles, true)),
        Some(access_state(&roles, true)),
    )?;
    connections::withdraw_for(tx, std::slice::from_ref(&user.id), actor, now)?;
    users::get(tx, &user.id)
}

fn check_person(user: &User) -> Result<(), IdentityError> {
    if user.roles.contains(&Role::S2sInbound) {
        Err(IdentityError::NoPerson)
    } else if user.is_enabled {
        Ok(())
    } else {
        Err(IdentityError::Disabled)
    }
}

/// A user without password and without roles: an Administrator, or the mapping of roles, gives them.
fn insert(
    tx: &mut AnyConn,
    now: DateTime<Utc>,
    identity: &Identity,
    actor: &Actor,
    id: UserId,
    email: &str,
    email_key: String,
) -> Result<User, StoreError> {
    let told = identity.name.as_deref().map(str::trim).unwrap_or_default();
    let name = if told.is_empty() {
        email_key.split('@').next().unwrap_or_default()
    } else {
        told
    };
    let user = User {
        id,
        email: email.trim().to_owned(),
        name: name.chars().take(MAX_NAME).collect(),
        email_key,
        password_hash: None,
        is_enabled: true,
        time_zone: identity
            .time_zone
            .as_deref()
            .and_then(|zone| zone.parse().ok())
            .unwrap_or(TimeZone::UTC),
        preferences: Preferences::default(),
        roles: Vec::new(),
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
        "user.added",
        ("user", user.id.as_str(), &user.name),
        None,
        Some(access_state(&user.roles, true)),
    )?;
    Ok(user)
}
