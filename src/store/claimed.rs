//! What the sync needs to know of the record that it claimed.

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;

use super::columns::{self, Cells};
use super::schema::{
    active_consents, linkedin_accounts, linkedin_tokens, linkedin_user_profiles, profile_accounts,
};
use super::{AnyConn, StoreError};
use crate::domain::account::OwnerType;
use crate::domain::ids::{AccountId, ProfileId};
use crate::domain::profile::Authorization;

/// An account as the sync needs it.
#[derive(Debug, Clone)]
pub struct ClaimedAccount {
    /// Our id.
    pub id: AccountId,
    /// Ad account or page.
    pub owner_type: OwnerType,
    /// LinkedIn's id.
    pub linkedin_id: i64,
    /// Name at LinkedIn.
    pub name: String,
    /// Failures in a row so far.
    pub failure_streak: i64,
    /// When campaigns were read last.
    pub last_campaign_sync_at: Option<DateTime<Utc>>,
    /// Profiles that may read it, the ones with the most rights first: id and page roles.
    pub profiles: Vec<(ProfileId, Vec<String>)>,
}

/// Reads what the sync of an account needs.
///
/// # Errors
/// `NotFound` when the account is gone.
pub fn account(conn: &mut AnyConn, id: &AccountId) -> Result<ClaimedAccount, StoreError> {
    use linkedin_accounts as a;
    type Row = (String, i64, String, i64, Option<NaiveDateTime>);
    let (owner_type, linkedin_id, name, failure_streak, last_campaign): Row = a::table
        .filter(a::id.eq(id.as_str()))
        .select((
            a::owner_type,
            a::linkedin_id,
            a::name,
            a::failure_streak,
            a::last_campaign_sync_at,
        ))
        .first(conn)
        .optional()?
        .ok_or(StoreError::NotFound("LinkedIn account"))?;
    let profiles: Vec<(String, String)> = profile_accounts::table
        .inner_join(linkedin_user_profiles::table.inner_join(linkedin_tokens::table))
        .filter(profile_accounts::account_id.eq(id.as_str()))
        .filter(linkedin_user_profiles::authorization_status.eq(Authorization::Authorized.as_str()))
        .filter(
            linkedin_user_profiles::authorized_by
                .eq_any(active_consents::table.select(active_consents::user_id.nullable())),
        )
        .order((
            linkedin_user_profiles::created_at.asc(),
            linkedin_user_profiles::id.asc(),
        ))
        .select((linkedin_user_profiles::id, profile_accounts::page_roles))
        .load(conn)?;
    let mut profiles: Vec<(ProfileId, Vec<String>)> = profiles
        .into_iter()
        .map(|(profile, roles)| {
            Ok((
                columns::id("profile_accounts", &profile)?,
                roles
                    .split(',')
                    .filter(|r| !r.is_empty())
                    .map(str::to_owned)
                    .collect(),
            ))
        })
        .collect::<Result<_, StoreError>>()?;
    // Stable, so that among equals the oldest profile goes first.
    profiles.sort_by_key(|(_, roles)| page_rights(roles));
    Ok(ClaimedAccount {
        id: id.clone(),
        owner_type: Cells {
            table: "linkedin_accounts",
            id: id.as_str(),
        }
        .word("owner_type", &owner_type)?,
        linkedin_id,
        name,
        failure_streak,
        last_campaign_sync_at: last_campaign.map(|at| at.and_utc()),
        profiles,
    })
}

/// Whether the sync can read through this profile: it is authorised, has a token, and its person's consent stands.
///
/// # Errors
/// As any query.
pub fn may_read(conn: &mut AnyConn, profile: &ProfileId) -> Result<bool, StoreError> {
    use linkedin_user_profiles as p;
    let found: i64 = p::table
        .inner_join(linkedin_tokens::table)
        .filter(p::id.eq(profile.as_str()))
        .filter(p::authorization_status.eq(Authorization::Authorized.as_str()))
        .filter(
            p::authorized_by
                .eq_any(active_consents::table.select(active_consents::user_id.nullable())),
        )
        .count()
        .get_result(conn)?;
    Ok(found > 0)
}

/// How much page roles let their member read, the most first: event leads are for two of them only
/// (linkedin-api.md §3.4), and without any there are no leads at all.
fn page_rights(roles: &[String]) -> u8 {
    let has = |wanted: &str| roles.iter().any(|role| role == wanted);
    if has("ADMINISTRATOR") || has("CONTENT_ADMINISTRATOR") {
        0
    } else if roles.is_empty() {
        2
    } else {
        1
    }
}

/// Failures in a row of a profile.
///
/// # Errors
/// As any query.
pub fn profile_failure_streak(conn: &mut AnyConn, profile: &ProfileId) -> Result<i64, StoreError> {
    use linkedin_user_profiles as p;
    Ok(p::table
        .filter(p::id.eq(profile.as_str()))
        .select(p::failure_streak)
        .first(conn)
        .optional()?
        .unwrap_or(0))
}
