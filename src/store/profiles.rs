//! LinkedIn user profiles as pages show them, and what people change on them; tokens themselves are `store::tokens`' business.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;

use super::columns::{Cells, lower, search_patterns};
use super::schema::{
    linkedin_accounts, linkedin_tokens, linkedin_user_profiles as profiles, organizations,
    pending_authorizations, profile_accounts, users,
};
use super::{AnyConn, StoreError, database_now};
use crate::domain::ids::{AccountId, OrganizationId, ProfileId, UserId};
use crate::domain::normalise;
use crate::domain::profile::{Authorization, ProfileSyncStatus, granted_scopes};
use crate::domain::sync::{FailureReason, RunTrigger};

/// A LinkedIn user profile with the names around it.
#[derive(Debug, Clone)]
pub struct Profile {
    /// Its identifier.
    pub id: ProfileId,
    /// The name that a person gave it; unique.
    pub name: String,
    /// Whose profile it is.
    pub owner_id: UserId,
    /// That person's name.
    pub owner_name: String,
    /// The organization that was confirmed.
    pub organization: Option<(OrganizationId, String)>,
    /// Whether LinkedIn lets us read.
    pub authorization: Authorization,
    /// What the sync does with it.
    pub sync_status: ProfileSyncStatus,
    /// Why it does not work, if it does not.
    pub failure_reason: Option<FailureReason>,
    /// A short detail beside the reason.
    pub failure_detail: Option<String>,
    /// The LinkedIn member.
    pub member_name: Option<String>,
    /// The member's URN.
    pub member_urn: Option<String>,
    /// Who authorised it here.
    pub authorized_by: Option<String>,
    /// When.
    pub authorized_at: Option<DateTime<Utc>>,
    /// When the organization was confirmed.
    pub organization_confirmed_at: Option<DateTime<Utc>>,
    /// When its accounts were last read to the end.
    pub last_synchronized_at: Option<DateTime<Utc>>,
    /// When they are read next.
    pub next_sync_at: Option<DateTime<Utc>>,
    /// Failures in a row.
    pub failure_streak: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Counts changes.
    pub lock_version: i64,
    /// Facts about its token, never the token.
    pub token: Option<TokenFacts>,
    /// Since when LinkedIn's grant waits for the organization to be confirmed.
    pub confirmation_pending_since: Option<DateTime<Utc>>,
}

/// What may be told about a token.
#[derive(Debug, Clone)]
pub struct TokenFacts {
    /// When it ends.
    pub expires_at: DateTime<Utc>,
    /// When the refresh token ends; `None` inside where LinkedIn gave one without an end.
    pub refresh: Option<Option<DateTime<Utc>>>,
    /// What LinkedIn granted.
    pub scopes: Vec<String>,
    /// When it was issued.
    pub issued_at: DateTime<Utc>,
}

#[derive(Queryable)]
struct ProfileRow {
    id: String,
    name: String,
    user_id: String,
    organization_id: Option<String>,
    authorization_status: String,
    sync_status: String,
    failure_reason: Option<String>,
    failure_detail: Option<String>,
    member_urn: Option<String>,
    member_name: Option<String>,
    authorized_by: Option<String>,
    authorized_at: Option<NaiveDateTime>,
    organization_confirmed_at: Option<NaiveDateTime>,
    last_synchronized_at: Option<NaiveDateTime>,
    next_sync_at: Option<NaiveDateTime>,
    failure_streak: i64,
    created_at: NaiveDateTime,
    lock_version: i64,
    owner_name: String,
    organization_name: Option<String>,
}

#[derive(Queryable)]
struct TokenRow {
    profile_id: String,
    expires_at: NaiveDateTime,
    has_refresh_token: bool,
    refresh_expires_at: Option<NaiveDateTime>,
    scopes: String,
    issued_at: NaiveDateTime,
}

impl TryFrom<ProfileRow> for Profile {
    type Error = StoreError;

    fn try_from(row: ProfileRow) -> Result<Self, StoreError> {
        let cells = Cells {
            table: "linkedin_user_profiles",
            id: &row.id,
        };
        let organization_id = cells.optional("organization_id", row.organization_id.as_deref())?;
        Ok(Self {
            owner_id: cells.word("user_id", &row.user_id)?,
            organization: organization_id.zip(row.organization_name),
            authorization: cells.word("authorization_status", &row.authorization_status)?,
            sync_status: cells.word("sync_status", &row.sync_status)?,
            failure_reason: cells.optional("failure_reason", row.failure_reason.as_deref())?,
            id: cells.word("id", &row.id)?,
            name: row.name,
            owner_name: row.owner_name,
            failure_detail: row.failure_detail,
            member_name: row.member_name,
            member_urn: row.member_urn,
            authorized_by: row.authorized_by,
            authorized_at: row.authorized_at.map(|at| at.and_utc()),
            organization_confirmed_at: row.organization_confirmed_at.map(|at| at.and_utc()),
            last_synchronized_at: row.last_synchronized_at.map(|at| at.and_utc()),
            next_sync_at: row.next_sync_at.map(|at| at.and_utc()),
            failure_streak: row.failure_streak,
            created_at: row.created_at.and_utc(),
            lock_version: row.lock_version,
            token: None,
            confirmation_pending_since: None,
        })
    }
}

/// The columns of [`ProfileRow`], in its order.
macro_rules! profile_columns {
    () => {
        (
            profiles::id,
            profiles::name,
            profiles::user_id,
            profiles::organization_id,
            profiles::authorization_status,
            profiles::sync_status,
            profiles::failure_reason,
            profiles::failure_detail,
            profiles::member_urn,
            profiles::member_name,
            profiles::authorized_by,
            profiles::authorized_at,
            profiles::organization_confirmed_at,
            profiles::last_synchronized_at,
            profiles::next_sync_at,
            profiles::failure_streak,
            profiles::created_at,
            profiles::lock_version,
            users::name,
            organizations::name.nullable(),
        )
    };
}

/// Which profiles a list shows.
#[derive(Debug, Clone, Default)]
pub struct ProfileFilter {
    /// Words that the name, the owner's name or the member's name holds.
    pub search: Option<String>,
    /// Only in this state.
    pub authorization: Option<Authorization>,
    /// Only this person's.
    pub owner_id: Option<UserId>,
}

/// At most this many profiles are listed; one a salesperson is the usual number.
const LIST_LIMIT: i64 = 500;

/// The profiles that pass the filter, by name.
///
/// # Errors
/// As any query.
pub fn list(conn: &mut AnyConn, filter: &ProfileFilter) -> Result<Vec<Profile>, StoreError> {
    let mut query = profiles::table
        .inner_join(users::table.on(users::id.eq(profiles::user_id)))
        .left_join(organizations::table)
        .select(profile_columns!())
        .order((profiles::name_key.asc(), profiles::id.asc()))
        .limit(LIST_LIMIT)
        .into_boxed();
    if let Some(authorization) = filter.authorization {
        query = query.filter(profiles::authorization_status.eq(authorization.as_str()));
    }
    if let Some(owner_id) = &filter.owner_id {
        query = query.filter(profiles::user_id.eq(owner_id.as_str()));
    }
    for pattern in search_patterns(filter.search.as_deref().unwrap_or_default()) {
        query = query.filter(
            lower(profiles::name.nullable())
                .like(pattern.clone())
                .escape('\\')
                .or(lower(users::name.nullable())
                    .like(pattern.clone())
                    .escape('\\'))
                .or(lower(profiles::member_name).like(pattern).escape('\\')),
        );
    }
    let rows: Vec<ProfileRow> = query.load(conn)?;
    complete(conn, rows)
}

/// The profile, if there is one.
///
/// # Errors
/// As any query.
pub fn find(conn: &mut AnyConn, id: &ProfileId) -> Result<Option<Profile>, StoreError> {
    let row: Option<ProfileRow> = profiles::table
        .inner_join(users::table.on(users::id.eq(profiles::user_id)))
        .left_join(organizations::table)
        .select(profile_columns!())
        .filter(profiles::id.eq(id.as_str()))
        .first(conn)
        .optional()?;
    Ok(complete(conn, row.into_iter().collect())?.pop())
}

/// The profile.
///
/// # Errors
/// `NotFound` when there is none.
pub fn get(conn: &mut AnyConn, id: &ProfileId) -> Result<Profile, StoreError> {
    find(conn, id)?.ok_or(StoreError::NotFound("LinkedIn user profile"))
}

/// The profiles through which an account is seen, by name.
///
/// # Errors
/// As any query.
pub fn of_account(conn: &mut AnyConn, account_id: &AccountId) -> Result<Vec<Profile>, StoreError> {
    let rows: Vec<ProfileRow> = profiles::table
        .inner_join(users::table.on(users::id.eq(profiles::user_id)))
        .left_join(organizations::table)
        .filter(
            profiles::id.eq_any(
                profile_accounts::table
                    .filter(profile_accounts::account_id.eq(account_id.as_str()))
                    .select(profile_accounts::profile_id),
            ),
        )
        .select(profile_columns!())
        .order((profiles::name_key.asc(), profiles::id.asc()))
        .limit(LIST_LIMIT)
        .load(conn)?;
    complete(conn, rows)
}

/// Adds what other tables know: tokens, pending confirmations, the names of those who authorised.
fn complete(conn: &mut AnyConn, rows: Vec<ProfileRow>) -> Result<Vec<Profile>, StoreError> {
    let ids: Vec<String> = rows.iter().map(|row| row.id.clone()).collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let tokens: Vec<TokenRow> = linkedin_tokens::table
        .filter(linkedin_tokens::profile_id.eq_any(&ids))
        .select((
            linkedin_tokens::profile_id,
            linkedin_tokens::access_token_expires_at,
            linkedin_tokens::refresh_token.is_not_null(),
            linkedin_tokens::refresh_token_expires_at,
            linkedin_tokens::scopes,
            linkedin_tokens::issued_at,
        ))
        .load(conn)?;
    let pending: Vec<(String, NaiveDateTime)> = pending_authorizations::table
        .filter(pending_authorizations::profile_id.eq_any(&ids))
        .select((
            pending_authorizations::profile_id,
            pending_authorizations::created_at,
        ))
        .load(conn)?;
    let authorizers: Vec<&String> = rows
        .iter()
        .filter_map(|row| row.authorized_by.as_ref())
        .collect();
    let names: HashMap<String, String> = users::table
        .filter(users::id.eq_any(authorizers))
        .select((users::id, users::name))
        .load::<(String, String)>(conn)?
        .into_iter()
        .collect();
    let mut tokens: HashMap<String, TokenRow> = tokens
        .into_iter()
        .map(|row| (row.profile_id.clone(), row))
        .collect();
    let pending: HashMap<String, NaiveDateTime> = pending.into_iter().collect();
    rows.into_iter()
        .map(|row| {
            let mut profile = Profile::try_from(row)?;
            profile.token = tokens.remove(profile.id.as_str()).map(TokenFacts::from);
            profile.confirmation_pending_since =
                pending.get(profile.id.as_str()).map(NaiveDateTime::and_utc);
            profile.authorized_by = profile.authorized_by.and_then(|id| names.get(&id).cloned());
            Ok(profile)
        })
        .collect()
}

impl From<TokenRow> for TokenFacts {
    fn from(row: TokenRow) -> Self {
        Self {
            expires_at: row.expires_at.and_utc(),
            refresh: row
                .has_refresh_token
                .then(|| row.refresh_expires_at.map(|at| at.and_utc())),
            scopes: granted_scopes(&row.scopes),
            issued_at: row.issued_at.and_utc(),
        }
    }
}

/// Identifiers and names of all profiles, by name: for filters.
///
/// # Errors
/// As any query.
pub fn names(conn: &mut AnyConn) -> Result<Vec<(String, String)>, StoreError> {
    Ok(profiles::table
        .order((profiles::name.asc(), profiles::id.asc()))
        .select((profiles::id, profiles::name))
        .limit(500)
        .load(conn)?)
}

/// The name of a profile, for the audit log.
///
/// # Errors
/// `NotFound`, or as any query.
pub fn name(conn: &mut AnyConn, id: &ProfileId) -> Result<String, StoreError> {
    Ok(profiles::table
        .find(id.as_str())
        .select(profiles::name)
        .first(conn)?)
}

/// Whether the consent behind a profile was withdrawn.
///
/// # Errors
/// As any query.
pub fn is_consent_withdrawn(conn: &mut AnyConn, id: &ProfileId) -> Result<bool, StoreError> {
    let status: Option<String> = profiles::table
        .find(id.as_str())
        .select(profiles::authorization_status)
        .first(conn)
        .optional()?;
    Ok(status.as_deref() == Some(Authorization::ConsentWithdrawn.as_str()))
}

/// The profile with this name; case and white space do not count.
///
/// # Errors
/// As any query.
pub fn find_by_name(conn: &mut AnyConn, name: &str) -> Result<Option<ProfileId>, StoreError> {
    let id: Option<String> = profiles::table
        .filter(profiles::name_key.eq(normalise::text(name).unwrap_or_default()))
        .select(profiles::id)
        .first(conn)
        .optional()?;
    id.map(|id| super::columns::id("linkedin_user_profiles", &id))
        .transpose()
}

/// Makes a profile that is not authorised yet.
///
/// # Errors
/// `Duplicate` when another profile has this name.
pub fn insert(
    conn: &mut AnyConn,
    id: &ProfileId,
    name: &str,
    owner_id: &UserId,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let at = now.naive_utc();
    diesel::insert_into(profiles::table)
        .values((
            profiles::id.eq(id.as_str()),
            profiles::name.eq(name),
            profiles::name_key.eq(normalise::text(name).unwrap_or_default()),
            profiles::user_id.eq(owner_id.as_str()),
            profiles::authorization_status.eq(Authorization::NotAuthorized.as_str()),
            profiles::sync_status.eq(ProfileSyncStatus::NotSyncing.as_str()),
            profiles::lease_term.eq(0_i64),
            profiles::failure_streak.eq(0_i64),
            profiles::created_at.eq(at),
            profiles::updated_at.eq(at),
            profiles::lock_version.eq(0_i64),
        ))
        .execute(conn)?;
    Ok(())
}

/// Gives a profile another name.
///
/// # Errors
/// `Stale` when somebody renamed it since `lock_version` was read; `Duplicate` when another profile has this name.
pub fn rename(
    conn: &mut AnyConn,
    id: &ProfileId,
    lock_version: i64,
    name: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let changed = diesel::update(profiles::table)
        .filter(profiles::id.eq(id.as_str()))
        .filter(profiles::lock_version.eq(lock_version))
        .set((
            profiles::name.eq(name),
            profiles::name_key.eq(normalise::text(name).unwrap_or_default()),
            profiles::updated_at.eq(now.naive_utc()),
            profiles::lock_version.eq(lock_version + 1),
        ))
        .execute(conn)?;
    if changed == 1 {
        Ok(())
    } else {
        get(conn, id)?;
        Err(StoreError::Stale("LinkedIn user profile"))
    }
}

/// Deletes a profile that was never authorised; one that was stays, because its history tells where leads came from.
///
/// # Errors
/// `Rule` when it was authorised before; `NotFound` when it is gone.
pub fn delete(conn: &mut AnyConn, id: &ProfileId) -> Result<(), StoreError> {
    let profile = get(conn, id)?;
    if !profile.is_deletable() {
        return Err(StoreError::Rule(
            "This profile was authorized before, so its history is kept. Disconnect it instead: it then reads nothing more.".to_owned(),
        ));
    }
    diesel::delete(profiles::table.filter(profiles::id.eq(id.as_str()))).execute(conn)?;
    Ok(())
}

/// Makes a profile and its sync-enabled accounts due now, by the database's clock; answers how many accounts that are.
///
/// # Errors
/// As any query.
pub fn request_sync(conn: &mut AnyConn, id: &ProfileId) -> Result<usize, StoreError> {
    let at = Some(database_now(conn)?.naive_utc());
    diesel::update(profiles::table.filter(profiles::id.eq(id.as_str())))
        .set(profiles::next_sync_at.eq(at))
        .execute(conn)?;
    let accounts: Vec<String> = profile_accounts::table
        .filter(profile_accounts::profile_id.eq(id.as_str()))
        .select(profile_accounts::account_id)
        .load(conn)?;
    Ok(diesel::update(linkedin_accounts::table)
        .filter(linkedin_accounts::id.eq_any(accounts))
        .filter(linkedin_accounts::is_sync_enabled.eq(true))
        .set((
            linkedin_accounts::next_sync_at.eq(at),
            linkedin_accounts::requested_trigger.eq(Some(RunTrigger::Manual.as_str())),
        ))
        .execute(conn)?)
}

impl Profile {
    /// Whether it may be deleted: never authorised.
    #[must_use]
    pub fn is_deletable(&self) -> bool {
        self.authorized_at.is_none()
            && self.token.is_none()
            && self.confirmation_pending_since.is_none()
    }

    /// Whether the sync can read through it now.
    #[must_use]
    pub fn can_sync(&self) -> bool {
        self.token.is_some()
            && self.organization_confirmed_at.is_some()
            && matches!(
                self.authorization,
                Authorization::Authorized | Authorization::Reauthorizing
            )
    }
}
