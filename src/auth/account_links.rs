//! Invitations and password resets: one-time links made of 256 random bits and kept as a hash.

use chrono::{DateTime, Utc};
use secrecy::SecretString;

use super::signing::{digest, random_token};
use crate::domain::account_link::{LinkPurpose, is_plausible};
use crate::domain::ids::UserId;
use crate::domain::users::check_name;
use crate::store::account_links::{self, AccountLink};
use crate::store::audit::{self, Actor, ActorKind};
use crate::store::users::{self, User};
use crate::store::{AnyConn, StoreError, sessions};

/// A token that was just made.
#[derive(Debug)]
pub struct Issued {
    /// What the link ends with: told once and kept nowhere.
    pub token: SecretString,
    hash: String,
}

/// Makes a token.
///
/// # Errors
/// When the operating system has no randomness.
pub fn issue() -> Result<Issued, std::io::Error> {
    let token = random_token()?;
    Ok(Issued {
        hash: digest(&token),
        token: SecretString::from(token),
    })
}

/// Whether the person has never set a password or signed in: an invitation is theirs, a reset is not.
#[must_use]
pub fn is_to_be_invited(user: &User) -> bool {
    user.password_hash.is_none() && user.last_sign_in_at.is_none() && !user.is_enabled
}

/// Makes a person's link, which replaces the one before, and notes it in the audit log.
///
/// # Errors
/// `Rule` when the person cannot have a link of this kind, `NotFound`, or as the database.
pub fn make(
    tx: &mut AnyConn,
    now: DateTime<Utc>,
    actor: &Actor,
    id: &UserId,
    purpose: LinkPurpose,
    issued: &Issued,
) -> Result<User, StoreError> {
    let user = users::get(tx, id)?;
    match purpose {
        LinkPurpose::Invitation if !is_to_be_invited(&user) => {
            return Err(StoreError::Rule(
                "This person has an account already. Send a link for a new password instead."
                    .into(),
            ));
        }
        LinkPurpose::PasswordReset if !user.is_enabled => {
            return Err(StoreError::Rule(
                "This person may not sign in, so a new password would be of no use.".into(),
            ));
        }
        _ => {}
    }
    let link = AccountLink {
        user_id: id.clone(),
        purpose,
        created_at: now,
        created_by_name: actor.name.clone(),
        expires_at: purpose.end(now),
    };
    account_links::replace(tx, &link, &issued.hash)?;
    let action = match purpose {
        LinkPurpose::Invitation => "user.invitation_made",
        LinkPurpose::PasswordReset => "user.password_link_made",
    };
    audit::record(
        tx,
        now,
        actor,
        action,
        ("user", id.as_str(), &user.name),
        None,
        Some(serde_json::json!({ "expires_at": link.expires_at })),
    )?;
    Ok(user)
}

/// The person whom a link that works belongs to.
///
/// # Errors
/// As any query.
pub fn find(
    conn: &mut AnyConn,
    now: DateTime<Utc>,
    purpose: LinkPurpose,
    token: &str,
) -> Result<Option<(User, AccountLink)>, StoreError> {
    if !is_plausible(token) {
        return Ok(None);
    }
    let Some(link) = account_links::find_by_hash(conn, purpose, &digest(token), now)? else {
        return Ok(None);
    };
    let user = users::get(conn, &link.user_id)?;
    // Whoever was disabled meanwhile does not come back by a link; whoever was let in by hand needs no invitation.
    let is_good = user.is_enabled == (purpose == LinkPurpose::PasswordReset);
    Ok(is_good.then_some((user, link)))
}

/// Uses a link up: the person gets the password, and with an invitation the name, and may sign in. All sessions end.
///
/// # Errors
/// `NotFound` when the link does not work (any more).
pub fn redeem(
    tx: &mut AnyConn,
    now: DateTime<Utc>,
    origin: Actor,
    purpose: LinkPurpose,
    token: &str,
    name: Option<&str>,
    password_hash: &SecretString,
) -> Result<User, StoreError> {
    let (mut user, _) =
        find(tx, now, purpose, token)?.ok_or(StoreError::NotFound("account link"))?;
    account_links::take(tx, purpose, &digest(token), now)?;
    if let Some(name) = name {
        user.name = check_name(name).map_err(|rule| StoreError::Rule(rule.to_string()))?;
        users::accept(tx, now, &user.id, &user.name)?;
    }
    users::set_password(tx, now, &user.id, password_hash)?;
    sessions::delete_all_of_user(tx, &user.id, None)?;
    let actor = Actor {
        kind: ActorKind::User,
        user_id: Some(user.id.clone()),
        name: user.name.clone(),
        roles: user.roles.clone(),
        ..origin
    };
    let action = match purpose {
        LinkPurpose::Invitation => "account.invitation_accepted",
        LinkPurpose::PasswordReset => "account.password_reset",
    };
    let object = ("user", user.id.as_str(), user.name.as_str());
    audit::record(tx, now, &actor, action, object, None, None)?;
    Ok(user)
}
