//! LinkedIn tokens as sealed bytes, the refresh lease that keeps replicas from refreshing at once, and what becomes of a
//! profile that gets or loses its token.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use diesel::prelude::*;

use super::schema::{linkedin_accounts, linkedin_tokens, linkedin_user_profiles, profile_accounts};
use super::{AnyConn, StoreError, database_now, pending_authorizations, token_revocations};
use crate::domain::account::{CampaignSyncStatus, FormSyncStatus};
use crate::domain::ids::{OrganizationId, ProfileId, UserId};
use crate::domain::profile::{Authorization, ProfileSyncStatus};
use crate::domain::sync::FailureReason;

/// A token as stored: sealed by the secret key for this row.
#[derive(Debug, Clone)]
pub struct SealedTokens {
    /// Sealed access token.
    pub access_token: Vec<u8>,
    /// When it ends.
    pub access_token_expires_at: DateTime<Utc>,
    /// Sealed refresh token; self-serve apps get none.
    pub refresh_token: Option<Vec<u8>>,
    /// When the refresh token ends.
    pub refresh_token_expires_at: Option<DateTime<Utc>>,
    /// Granted scopes.
    pub scopes: Vec<String>,
}

/// A stored token with what tells one issue from the next.
#[derive(Debug, Clone)]
pub struct StoredTokens {
    /// The sealed tokens.
    pub sealed: SealedTokens,
    /// When this access token was issued.
    pub issued_at: DateTime<Utc>,
    /// Counts issues; a caller whose 401 came with an older one only has to read again.
    pub version: i64,
}

type TokenRow = (
    Vec<u8>,
    NaiveDateTime,
    Option<Vec<u8>>,
    Option<NaiveDateTime>,
    String,
    NaiveDateTime,
    i64,
);

/// The scopes of a column: parted by spaces, as OAuth writes them.
pub(super) fn scopes_of(text: &str) -> Vec<String> {
    text.split(' ')
        .filter(|scope| !scope.is_empty())
        .map(str::to_owned)
        .collect()
}

/// The tokens of a profile.
///
/// # Errors
/// As any query.
pub fn find(conn: &mut AnyConn, profile: &ProfileId) -> Result<Option<StoredTokens>, StoreError> {
    use linkedin_tokens as t;
    let row: Option<TokenRow> = t::table
        .filter(t::profile_id.eq(profile.as_str()))
        .select((
            t::access_token,
            t::access_token_expires_at,
            t::refresh_token,
            t::refresh_token_expires_at,
            t::scopes,
            t::issued_at,
            t::token_version,
        ))
        .first(conn)
        .optional()?;
    Ok(row.map(
        |(access, ends, refresh, refresh_ends, scopes, issued, version)| StoredTokens {
            sealed: SealedTokens {
                access_token: access,
                access_token_expires_at: ends.and_utc(),
                refresh_token: refresh,
                refresh_token_expires_at: refresh_ends.map(|at| at.and_utc()),
                scopes: scopes_of(&scopes),
            },
            issued_at: issued.and_utc(),
            version,
        },
    ))
}

/// Takes the right to refresh this issue of the token; `false` when another replica has it or has refreshed already.
///
/// # Errors
/// As any query.
pub fn claim_refresh(
    conn: &mut AnyConn,
    profile: &ProfileId,
    version: i64,
    length: TimeDelta,
) -> Result<bool, StoreError> {
    use linkedin_tokens as t;
    let now = database_now(conn)?;
    let won = diesel::update(
        t::table
            .filter(t::profile_id.eq(profile.as_str()))
            .filter(t::token_version.eq(version))
            .filter(
                t::refresh_lease_expires_at
                    .is_null()
                    .or(t::refresh_lease_expires_at.le(now.naive_utc())),
            ),
    )
    .set(t::refresh_lease_expires_at.eq((now + length).naive_utc()))
    .execute(conn)?;
    Ok(won == 1)
}

/// Gives the right to refresh back without a new token.
///
/// # Errors
/// As any query.
pub fn give_up_refresh(
    conn: &mut AnyConn,
    profile: &ProfileId,
    version: i64,
) -> Result<(), StoreError> {
    use linkedin_tokens as t;
    diesel::update(
        t::table
            .filter(t::profile_id.eq(profile.as_str()))
            .filter(t::token_version.eq(version)),
    )
    .set(t::refresh_lease_expires_at.eq(None::<NaiveDateTime>))
    .execute(conn)?;
    Ok(())
}

/// Stores a refreshed token in place of the issue `version`; `false` when that issue is gone (disconnected or
/// authorised again meanwhile), and then nothing is stored.
///
/// # Errors
/// As any query.
pub fn save_refreshed(
    conn: &mut AnyConn,
    profile: &ProfileId,
    version: i64,
    tokens: &SealedTokens,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    use linkedin_tokens as t;
    let changed = diesel::update(
        t::table
            .filter(t::profile_id.eq(profile.as_str()))
            .filter(t::token_version.eq(version)),
    )
    .set((
        t::access_token.eq(&tokens.access_token),
        t::access_token_expires_at.eq(tokens.access_token_expires_at.naive_utc()),
        t::refresh_token.eq(tokens.refresh_token.as_ref()),
        t::refresh_token_expires_at.eq(tokens.refresh_token_expires_at.map(|at| at.naive_utc())),
        t::scopes.eq(tokens.scopes.join(" ")),
        t::issued_at.eq(now.naive_utc()),
        t::token_version.eq(version + 1),
        t::refresh_lease_expires_at.eq(None::<NaiveDateTime>),
    ))
    .execute(conn)?;
    Ok(changed == 1)
}

/// Marks a profile as in need of a new authorization: its token no longer works. The token is erased; the history stays.
///
/// # Errors
/// As any query.
pub fn expire(
    conn: &mut AnyConn,
    profile: &ProfileId,
    version: i64,
    reason: FailureReason,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let erased = diesel::delete(
        linkedin_tokens::table
            .filter(linkedin_tokens::profile_id.eq(profile.as_str()))
            .filter(linkedin_tokens::token_version.eq(version)),
    )
    .execute(conn)?;
    if erased == 0 {
        return Ok(false);
    }
    set_unauthorized(conn, profile, Authorization::Expired, Some(reason), now)?;
    Ok(true)
}

/// Erases the tokens of a profile and stops its sync.
///
/// # Errors
/// As any query.
pub fn disconnect(
    conn: &mut AnyConn,
    profile: &ProfileId,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    diesel::delete(linkedin_tokens::table.filter(linkedin_tokens::profile_id.eq(profile.as_str())))
        .execute(conn)?;
    pending_authorizations::delete(conn, profile)?;
    set_unauthorized(conn, profile, Authorization::NotAuthorized, None, now)
}

/// Marks a profile whose person's consent was withdrawn; `false` when it was never connected, or is marked already. The
/// tokens are the caller's business.
///
/// # Errors
/// As any query.
pub(super) fn withdraw_consent(
    conn: &mut AnyConn,
    profile: &ProfileId,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    use linkedin_user_profiles as p;
    let connected = [
        Authorization::Authorized,
        Authorization::Expired,
        Authorization::Reauthorizing,
    ]
    .map(Authorization::as_str);
    let changed = diesel::update(
        p::table
            .filter(p::id.eq(profile.as_str()))
            .filter(p::authorization_status.eq_any(connected)),
    )
    .set((
        p::authorization_status.eq(Authorization::ConsentWithdrawn.as_str()),
        p::sync_status.eq(ProfileSyncStatus::NotSyncing.as_str()),
        p::failure_reason.eq(Some(FailureReason::ConsentWithdrawn.as_str())),
        p::failure_detail.eq(None::<String>),
        p::next_sync_at.eq(None::<NaiveDateTime>),
        p::updated_at.eq(now.naive_utc()),
    ))
    .execute(conn)?;
    Ok(changed == 1)
}

fn set_unauthorized(
    conn: &mut AnyConn,
    profile: &ProfileId,
    to: Authorization,
    reason: Option<FailureReason>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    use linkedin_user_profiles as p;
    diesel::update(p::table.filter(p::id.eq(profile.as_str())))
        .set((
            p::authorization_status.eq(to.as_str()),
            p::sync_status.eq(ProfileSyncStatus::NotSyncing.as_str()),
            p::failure_reason.eq(reason.map(FailureReason::as_str)),
            p::failure_detail.eq(None::<String>),
            p::next_sync_at.eq(None::<NaiveDateTime>),
            p::updated_at.eq(now.naive_utc()),
        ))
        .execute(conn)?;
    refresh_account_states(conn, now)
}

/// Accounts that no authorised profile can read any more are Not Syncing; ones that can be read again are pending.
pub(super) fn refresh_account_states(
    conn: &mut AnyConn,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    use linkedin_accounts as a;
    let readable = || {
        profile_accounts::table
            .inner_join(linkedin_user_profiles::table.inner_join(linkedin_tokens::table))
            .filter(
                linkedin_user_profiles::authorization_status.eq(Authorization::Authorized.as_str()),
            )
            .select(profile_accounts::account_id)
    };
    diesel::update(a::table.filter(a::id.ne_all(readable())))
        .set((
            a::form_sync_status.eq(FormSyncStatus::NotSyncing.as_str()),
            a::updated_at.eq(now.naive_utc()),
        ))
        .execute(conn)?;
    let at = database_now(conn)?.naive_utc();
    diesel::update(
        a::table
            .filter(a::id.eq_any(readable()))
            .filter(a::is_sync_enabled.eq(true))
            .filter(a::form_sync_status.eq(FormSyncStatus::NotSyncing.as_str())),
    )
    .set((
        a::form_sync_status.eq(FormSyncStatus::PendingSynchronization.as_str()),
        a::campaign_sync_status.eq(CampaignSyncStatus::Pending.as_str()),
        a::next_sync_at.eq(at),
        a::updated_at.eq(now.naive_utc()),
    ))
    .execute(conn)?;
    Ok(())
}

/// Turns a confirmed grant into the profile's tokens: the profile is Authorized and due at once.
///
/// # Errors
/// As any query.
pub fn authorize(
    conn: &mut AnyConn,
    profile: &ProfileId,
    user: &UserId,
    organization: &OrganizationId,
    tokens: &SealedTokens,
    member: (Option<&str>, Option<&str>),
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    use linkedin_tokens as t;
    use linkedin_user_profiles as p;
    let earlier: i64 = t::table
        .filter(t::profile_id.eq(profile.as_str()))
        .select(t::token_version)
        .first(conn)
        .optional()?
        .unwrap_or(0);
    // Counts up even when the row was erased in between: a sync that still holds an older issue must not expire this one.
    let version = now.timestamp_micros().max(earlier + 1);
    diesel::delete(t::table.filter(t::profile_id.eq(profile.as_str()))).execute(conn)?;
    diesel::insert_into(t::table)
        .values((
            t::profile_id.eq(profile.as_str()),
            t::access_token.eq(&tokens.access_token),
            t::access_token_expires_at.eq(tokens.access_token_expires_at.naive_utc()),
            t::refresh_token.eq(tokens.refresh_token.as_ref()),
            t::refresh_token_expires_at
                .eq(tokens.refresh_token_expires_at.map(|at| at.naive_utc())),
            t::scopes.eq(tokens.scopes.join(" ")),
            t::issued_at.eq(now.naive_utc()),
            t::token_version.eq(version),
        ))
        .execute(conn)?;
    pending_authorizations::delete(conn, profile)?;
    token_revocations::delete_of_profile(conn, profile)?;
    let due = database_now(conn)?.naive_utc();
    let changed = diesel::update(p::table.filter(p::id.eq(profile.as_str())))
        .set((
            p::authorization_status.eq(Authorization::Authorized.as_str()),
            p::sync_status.eq(ProfileSyncStatus::SyncingAccounts.as_str()),
            p::organization_id.eq(organization.as_str()),
            p::organization_confirmed_at.eq(now.naive_utc()),
            p::authorized_by.eq(user.as_str()),
            p::authorized_at.eq(now.naive_utc()),
            p::member_urn.eq(member.0),
            p::member_name.eq(member.1),
            p::failure_reason.eq(None::<String>),
            p::failure_detail.eq(None::<String>),
            p::failure_streak.eq(0),
            p::next_sync_at.eq(due),
            p::updated_at.eq(now.naive_utc()),
        ))
        .execute(conn)?;
    if changed != 1 {
        return Err(StoreError::NotFound("LinkedIn user profile"));
    }
    refresh_account_states(conn, now)
}

/// Marks an expired profile as being authorised again, or back as expired when that did not succeed. A profile whose
/// token still works stays Authorized, so that its sync goes on.
///
/// # Errors
/// As any query.
pub fn set_reauthorizing(
    conn: &mut AnyConn,
    profile: &ProfileId,
    begins: bool,
) -> Result<(), StoreError> {
    use linkedin_user_profiles as p;
    let (from, to) = if begins {
        (Authorization::Expired, Authorization::Reauthorizing)
    } else {
        (Authorization::Reauthorizing, Authorization::Expired)
    };
    diesel::update(
        p::table
            .filter(p::id.eq(profile.as_str()))
            .filter(p::authorization_status.eq(from.as_str())),
    )
    .set(p::authorization_status.eq(to.as_str()))
    .execute(conn)?;
    Ok(())
}
