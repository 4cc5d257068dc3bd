//! LinkedIn tokens as sealed bytes, the refresh lease that keeps replicas from refreshing at once, what LinkedIn granted
//! until the organization is confirmed, and the one-time `state` values of the connect flow.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use diesel::prelude::*;

use super::schema::{
    linkedin_accounts, linkedin_tokens, linkedin_user_profiles, oauth_states,
    pending_authorizations, profile_accounts,
};
use super::{AnyConn, StoreError, database_now};
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

fn scopes_of(text: &str) -> Vec<String> {
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
    diesel::delete(
        pending_authorizations::table
            .filter(pending_authorizations::profile_id.eq(profile.as_str())),
    )
    .execute(conn)?;
    set_unauthorized(conn, profile, Authorization::NotAuthorized, None, now)
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
fn refresh_account_states(conn: &mut AnyConn, now: DateTime<Utc>) -> Result<(), StoreError> {
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

/// What LinkedIn granted and nobody has confirmed yet.
#[derive(Debug, Clone)]
pub struct Pending {
    /// Who came back from LinkedIn.
    pub user_id: UserId,
    /// The sealed tokens (sealed for this table).
    pub tokens: SealedTokens,
    /// `urn:li:person:…` where the scopes told it.
    pub member_urn: Option<String>,
    /// The member's name where the scopes told it.
    pub member_name: Option<String>,
    /// When LinkedIn granted it.
    pub created_at: DateTime<Utc>,
}

/// Keeps a grant until the organization is confirmed; replaces an earlier unconfirmed one.
///
/// # Errors
/// As any query.
pub fn save_pending(
    conn: &mut AnyConn,
    profile: &ProfileId,
    pending: &Pending,
) -> Result<(), StoreError> {
    use pending_authorizations as p;
    diesel::delete(p::table.filter(p::profile_id.eq(profile.as_str()))).execute(conn)?;
    diesel::insert_into(p::table)
        .values((
            p::profile_id.eq(profile.as_str()),
            p::user_id.eq(pending.user_id.as_str()),
            p::access_token.eq(&pending.tokens.access_token),
            p::access_token_expires_at.eq(pending.tokens.access_token_expires_at.naive_utc()),
            p::refresh_token.eq(pending.tokens.refresh_token.as_ref()),
            p::refresh_token_expires_at.eq(pending
                .tokens
                .refresh_token_expires_at
                .map(|at| at.naive_utc())),
            p::scopes.eq(pending.tokens.scopes.join(" ")),
            p::member_urn.eq(pending.member_urn.as_deref()),
            p::member_name.eq(pending.member_name.as_deref()),
            p::created_at.eq(pending.created_at.naive_utc()),
        ))
        .execute(conn)?;
    Ok(())
}

type PendingRow = (
    String,
    Vec<u8>,
    NaiveDateTime,
    Option<Vec<u8>>,
    Option<NaiveDateTime>,
    String,
    Option<String>,
    Option<String>,
    NaiveDateTime,
);

/// The unconfirmed grant of a profile.
///
/// # Errors
/// As any query.
pub fn find_pending(
    conn: &mut AnyConn,
    profile: &ProfileId,
) -> Result<Option<Pending>, StoreError> {
    use pending_authorizations as p;
    let row: Option<PendingRow> = p::table
        .filter(p::profile_id.eq(profile.as_str()))
        .select((
            p::user_id,
            p::access_token,
            p::access_token_expires_at,
            p::refresh_token,
            p::refresh_token_expires_at,
            p::scopes,
            p::member_urn,
            p::member_name,
            p::created_at,
        ))
        .first(conn)
        .optional()?;
    row.map(
        |(user, access, ends, refresh, refresh_ends, scopes, urn, name, created)| {
            Ok(Pending {
                user_id: super::columns::id("pending_authorizations", &user)?,
                tokens: SealedTokens {
                    access_token: access,
                    access_token_expires_at: ends.and_utc(),
                    refresh_token: refresh,
                    refresh_token_expires_at: refresh_ends.map(|at| at.and_utc()),
                    scopes: scopes_of(&scopes),
                },
                member_urn: urn,
                member_name: name,
                created_at: created.and_utc(),
            })
        },
    )
    .transpose()
}

/// Drops the unconfirmed grant of a profile.
///
/// # Errors
/// As any query.
pub fn delete_pending(conn: &mut AnyConn, profile: &ProfileId) -> Result<(), StoreError> {
    use pending_authorizations as p;
    diesel::delete(p::table.filter(p::profile_id.eq(profile.as_str()))).execute(conn)?;
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
    delete_pending(conn, profile)?;
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

/// One click on Authorize.
#[derive(Debug, Clone)]
pub struct OauthState {
    /// SHA-256 of `state`, hexadecimal.
    pub state_hash: String,
    /// The session that clicked.
    pub session_binding: String,
    /// The person that clicked.
    pub user_id: UserId,
    /// For which profile.
    pub profile_id: ProfileId,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
    /// When LinkedIn came back with it.
    pub consumed_at: Option<DateTime<Utc>>,
}

/// Stores a new `state`, and forgets the ones that ended more than a day ago.
///
/// # Errors
/// As any query.
pub fn insert_state(
    conn: &mut AnyConn,
    state: &OauthState,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    use oauth_states as s;
    diesel::delete(s::table.filter(s::expires_at.lt((now - TimeDelta::days(1)).naive_utc())))
        .execute(conn)?;
    diesel::insert_into(s::table)
        .values((
            s::state_hash.eq(&state.state_hash),
            s::session_binding.eq(&state.session_binding),
            s::user_id.eq(state.user_id.as_str()),
            s::profile_id.eq(state.profile_id.as_str()),
            s::created_at.eq(now.naive_utc()),
            s::expires_at.eq(state.expires_at.naive_utc()),
        ))
        .execute(conn)?;
    Ok(())
}

/// A `state` by its hash.
///
/// # Errors
/// As any query.
pub fn find_state(conn: &mut AnyConn, hash: &str) -> Result<Option<OauthState>, StoreError> {
    use oauth_states as s;
    type Row = (
        String,
        String,
        String,
        String,
        NaiveDateTime,
        Option<NaiveDateTime>,
    );
    let row: Option<Row> = s::table
        .filter(s::state_hash.eq(hash))
        .select((
            s::state_hash,
            s::session_binding,
            s::user_id,
            s::profile_id,
            s::expires_at,
            s::consumed_at,
        ))
        .first(conn)
        .optional()?;
    row.map(
        |(state_hash, session_binding, user, profile, expires, consumed)| {
            Ok(OauthState {
                state_hash,
                session_binding,
                user_id: super::columns::id("oauth_states", &user)?,
                profile_id: super::columns::id("oauth_states", &profile)?,
                expires_at: expires.and_utc(),
                consumed_at: consumed.map(|at| at.and_utc()),
            })
        },
    )
    .transpose()
}

/// Uses a `state` up; `false` when somebody was quicker.
///
/// # Errors
/// As any query.
pub fn consume_state(
    conn: &mut AnyConn,
    hash: &str,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    use oauth_states as s;
    let used = diesel::update(
        s::table
            .filter(s::state_hash.eq(hash))
            .filter(s::consumed_at.is_null()),
    )
    .set(s::consumed_at.eq(now.naive_utc()))
    .execute(conn)?;
    Ok(used == 1)
}

/// The latest unanswered click on Authorize of a profile: LinkedIn may have shown an error page of its own.
///
/// # Errors
/// As any query.
pub fn unanswered_state(
    conn: &mut AnyConn,
    profile: &ProfileId,
) -> Result<Option<DateTime<Utc>>, StoreError> {
    use oauth_states as s;
    let latest: Option<(NaiveDateTime, Option<NaiveDateTime>)> = s::table
        .filter(s::profile_id.eq(profile.as_str()))
        .order(s::created_at.desc())
        .select((s::created_at, s::consumed_at))
        .first(conn)
        .optional()?;
    Ok(latest.and_then(|(created, consumed)| consumed.is_none().then(|| created.and_utc())))
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
