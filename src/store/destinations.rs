//! Where the leads of a profile go: the organizations that somebody can choose, and what another choice means.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::organizations::{self, Organization};
use super::schema::{
    dataverse_organizations, linkedin_accounts, linkedin_user_profiles as profiles,
    organizations as o, profile_accounts,
};
use super::{AnyConn, StoreError, columns, profiles as profile_store};
use crate::domain::ids::{AccountId, OrganizationId, ProfileId};

/// Said to whoever chooses an organization that was open when the page was drawn.
const NOT_OPEN: &str = "This organization cannot be chosen: an Administrator disabled or deleted it meanwhile. Choose one of those that are listed now.";

/// The organizations that somebody can choose: this portal first, then the enabled ones by name; the present one is among
/// them whatever became of it, because keeping it changes nothing.
///
/// # Errors
/// As any query.
pub fn list_open(
    conn: &mut AnyConn,
    present: Option<&OrganizationId>,
) -> Result<Vec<Organization>, StoreError> {
    let disabled: Vec<String> = dataverse_organizations::table
        .filter(dataverse_organizations::is_enabled.eq(false))
        .select(dataverse_organizations::organization_id)
        .load(conn)?;
    let mut open = organizations::list(conn)?;
    open.retain(|one| {
        present == Some(&one.id) || !disabled.iter().any(|id| id.as_str() == one.id.as_str())
    });
    Ok(open)
}

/// The organization, if somebody can choose it.
///
/// # Errors
/// `Rule` with a sentence for people when it is not open.
pub fn check_open(
    conn: &mut AnyConn,
    id: &OrganizationId,
    present: Option<&OrganizationId>,
) -> Result<Organization, StoreError> {
    list_open(conn, present)?
        .into_iter()
        .find(|one| one.id == *id)
        .ok_or_else(|| StoreError::Rule(NOT_OPEN.to_owned()))
}

/// An account that a profile reads.
#[derive(Debug, Clone)]
pub struct ReadAccount {
    /// Its identifier.
    pub id: AccountId,
    /// Its name at LinkedIn.
    pub name: String,
    /// The organizations to which its leads go because of other profiles.
    pub other_organizations: Vec<String>,
}

/// The accounts that a profile reads, by name.
///
/// # Errors
/// As any query.
pub fn read_accounts(
    conn: &mut AnyConn,
    profile: &ProfileId,
) -> Result<Vec<ReadAccount>, StoreError> {
    let rows: Vec<(String, String)> = profile_accounts::table
        .inner_join(
            linkedin_accounts::table.on(linkedin_accounts::id.eq(profile_accounts::account_id)),
        )
        .filter(profile_accounts::profile_id.eq(profile.as_str()))
        .order((linkedin_accounts::name, linkedin_accounts::id))
        .select((linkedin_accounts::id, linkedin_accounts::name))
        .load(conn)?;
    let ids: Vec<&str> = rows.iter().map(|(id, _)| id.as_str()).collect();
    let mut others = names_by_account(conn, &ids, Some(profile))?;
    rows.into_iter()
        .map(|(id, name)| {
            Ok(ReadAccount {
                other_organizations: others.remove(&id).unwrap_or_default(),
                id: columns::id("profile_accounts", &id)?,
                name,
            })
        })
        .collect()
}

/// The names of the organizations to which the leads of each account go.
///
/// # Errors
/// As any query.
pub fn of_accounts(
    conn: &mut AnyConn,
    accounts: &[&AccountId],
) -> Result<HashMap<String, Vec<String>>, StoreError> {
    let ids: Vec<&str> = accounts.iter().map(|id| id.as_str()).collect();
    names_by_account(conn, &ids, None)
}

fn names_by_account(
    conn: &mut AnyConn,
    accounts: &[&str],
    except: Option<&ProfileId>,
) -> Result<HashMap<String, Vec<String>>, StoreError> {
    let rows: Vec<(String, String)> = profile_accounts::table
        .inner_join(profiles::table.on(profiles::id.eq(profile_accounts::profile_id)))
        .inner_join(o::table.on(profiles::organization_id.eq(o::id.nullable())))
        .filter(profile_accounts::account_id.eq_any(accounts))
        .filter(profile_accounts::profile_id.ne(except.map_or("", ProfileId::as_str)))
        .order((o::name, profile_accounts::account_id))
        .select((profile_accounts::account_id, o::name))
        .distinct()
        .load(conn)?;
    let mut found: HashMap<String, Vec<String>> = HashMap::new();
    for (account, name) in rows {
        found.entry(account).or_default().push(name);
    }
    Ok(found)
}

/// Lets the leads of a profile go to another organization from now on.
///
/// # Errors
/// `Rule` with a sentence for people when that organization is not open, `Stale` when somebody changed the profile since
/// `lock_version` was read, `NotFound`.
pub fn change(
    conn: &mut AnyConn,
    profile: &ProfileId,
    organization: &OrganizationId,
    lock_version: i64,
    now: DateTime<Utc>,
) -> Result<Organization, StoreError> {
    let chosen = check_open(conn, organization, None)?;
    let changed = diesel::update(profiles::table)
        .filter(profiles::id.eq(profile.as_str()))
        .filter(profiles::lock_version.eq(lock_version))
        .set((
            profiles::organization_id.eq(organization.as_str()),
            profiles::organization_confirmed_at.eq(now.naive_utc()),
            profiles::updated_at.eq(now.naive_utc()),
            profiles::lock_version.eq(lock_version + 1),
        ))
        .execute(conn)?;
    if changed == 1 {
        Ok(chosen)
    } else {
        profile_store::get(conn, profile)?;
        Err(StoreError::Stale("LinkedIn user profile"))
    }
}
