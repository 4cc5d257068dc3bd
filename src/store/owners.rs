//! Who can own a lead, read once for a batch of new ones; and what owners are called.

use std::collections::{HashMap, HashSet};

use diesel::prelude::*;

use super::columns::id;
use super::schema::{linkedin_accounts, user_roles, users};
use super::{AnyConn, StoreError};
use crate::domain::access::Role;
use crate::domain::ids::{AccountId, UserId};

/// The people whom the owner rules choose from.
#[derive(Debug, Clone)]
pub struct Owners {
    /// Everybody enabled.
    pub enabled: HashSet<UserId>,
    /// The Default Lead Owner of the account.
    pub account_default: Option<UserId>,
    /// Who stands in while no fallback owner is set.
    pub oldest_administrator: Option<UserId>,
}

/// Reads them.
///
/// # Errors
/// As any query.
pub fn load(conn: &mut AnyConn, account: &AccountId) -> Result<Owners, StoreError> {
    let enabled: Vec<String> = users::table
        .filter(users::is_enabled.eq(true))
        .select(users::id)
        .load(conn)?;
    let account_default: Option<String> = linkedin_accounts::table
        .filter(linkedin_accounts::id.eq(account.as_str()))
        .select(linkedin_accounts::default_lead_owner_id)
        .first(conn)
        .optional()?
        .flatten();
    let oldest: Option<String> = users::table
        .inner_join(user_roles::table)
        .filter(users::is_enabled.eq(true))
        .filter(user_roles::role.eq(Role::Administrator.as_str()))
        .order((users::created_at.asc(), users::id.asc()))
        .select(users::id)
        .first(conn)
        .optional()?;
    let user = |text: &String| id("users", text);
    Ok(Owners {
        enabled: enabled.iter().map(user).collect::<Result<_, _>>()?,
        account_default: account_default.as_ref().map(user).transpose()?,
        oldest_administrator: oldest.as_ref().map(user).transpose()?,
    })
}

/// The names of people, by identifier.
///
/// # Errors
/// As any query.
pub fn names(conn: &mut AnyConn, ids: &[UserId]) -> Result<HashMap<UserId, String>, StoreError> {
    let wanted: HashSet<&str> = ids.iter().map(UserId::as_str).collect();
    let rows: Vec<(String, String)> = users::table
        .filter(users::id.eq_any(wanted))
        .select((users::id, users::name))
        .load(conn)?;
    rows.into_iter()
        .map(|(user, name)| Ok((id("users", &user)?, name)))
        .collect()
}
