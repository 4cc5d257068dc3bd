//! What is due: whether anything is, and a person's wish that it be.

use diesel::prelude::*;

use super::schema::{
    account_pauses, active_consents, linkedin_accounts, linkedin_tokens, linkedin_user_profiles,
    profile_accounts,
};
use super::{AnyConn, StoreError, database_now};
use crate::domain::ids::{AccountId, ProfileId};
use crate::domain::profile::Authorization;
use crate::domain::sync::RunTrigger;

/// The accounts that an authorised profile reads for somebody whose consent holds.
macro_rules! readable {
    () => {
        profile_accounts::table
            .inner_join(linkedin_user_profiles::table.inner_join(linkedin_tokens::table))
            .filter(p::authorization_status.eq(Authorization::Authorized.as_str()))
            .filter(
                p::authorized_by
                    .eq_any(active_consents::table.select(active_consents::user_id.nullable())),
            )
            .select(profile_accounts::account_id)
    };
}

/// Whether a profile or an account is due: a read that spares the write lock when nothing is.
///
/// # Errors
/// As any query.
pub fn is_anything(conn: &mut AnyConn) -> Result<bool, StoreError> {
    use linkedin_accounts as a;
    use linkedin_user_profiles as p;
    let at = database_now(conn)?.naive_utc();
    let profiles: i64 = p::table
        .filter(p::authorization_status.eq(Authorization::Authorized.as_str()))
        .filter(
            p::authorized_by
                .eq_any(active_consents::table.select(active_consents::user_id.nullable())),
        )
        .filter(p::next_sync_at.le(at))
        .filter(p::lease_expires_at.is_null().or(p::lease_expires_at.le(at)))
        .count()
        .get_result(conn)?;
    if profiles > 0 {
        return Ok(true);
    }
    let readable = readable!();
    let accounts: i64 = a::table
        .filter(a::is_sync_enabled.eq(true))
        .filter(a::next_sync_at.le(at))
        .filter(a::lease_expires_at.is_null().or(a::lease_expires_at.le(at)))
        .filter(a::id.eq_any(readable))
        .filter(a::id.ne_all(account_pauses::table.select(account_pauses::account_id)))
        .count()
        .get_result(conn)?;
    Ok(accounts > 0)
}

/// Whether somebody who is authorised and whose consent holds may read this account.
///
/// # Errors
/// As any query.
pub fn is_readable(conn: &mut AnyConn, id: &AccountId) -> Result<bool, StoreError> {
    use linkedin_user_profiles as p;
    let readers: i64 = readable!()
        .filter(profile_accounts::account_id.eq(id.as_str()))
        .count()
        .get_result(conn)?;
    Ok(readers > 0)
}

/// Makes a profile and all its enabled accounts due now, by the profile's name; `None` when no authorised profile has it.
///
/// # Errors
/// As any query.
pub fn make(
    conn: &mut AnyConn,
    profile_name: &str,
    trigger: RunTrigger,
) -> Result<Option<ProfileId>, StoreError> {
    use linkedin_accounts as a;
    use linkedin_user_profiles as p;
    let Some(id) = super::profiles::find_by_name(conn, profile_name)? else {
        return Ok(None);
    };
    let now = database_now(conn)?.naive_utc();
    let found = diesel::update(
        p::table
            .filter(p::id.eq(id.as_str()))
            .filter(p::authorization_status.eq(Authorization::Authorized.as_str()))
            .filter(
                p::authorized_by
                    .eq_any(active_consents::table.select(active_consents::user_id.nullable())),
            ),
    )
    .set(p::next_sync_at.eq(now))
    .execute(conn)?;
    if found == 0 {
        return Ok(None);
    }
    let accounts = profile_accounts::table
        .filter(profile_accounts::profile_id.eq(id.as_str()))
        .select(profile_accounts::account_id);
    diesel::update(
        a::table
            .filter(a::id.eq_any(accounts))
            .filter(a::is_sync_enabled.eq(true)),
    )
    .set((
        a::next_sync_at.eq(now),
        a::requested_trigger.eq(trigger.as_str()),
    ))
    .execute(conn)?;
    Ok(Some(id))
}

/// Makes these accounts due now, as far as they are switched on. Never after `store::lock_leads`: the sync locks its
/// account first and the leads after it.
///
/// # Errors
/// As any query.
pub fn make_accounts(conn: &mut AnyConn, accounts: &[AccountId]) -> Result<(), StoreError> {
    use linkedin_accounts as a;
    let now = database_now(conn)?.naive_utc();
    diesel::update(
        a::table
            .filter(a::id.eq_any(accounts.iter().map(AccountId::as_str)))
            .filter(a::is_sync_enabled.eq(true)),
    )
    .set((
        a::next_sync_at.eq(now),
        a::requested_trigger.eq(RunTrigger::Manual.as_str()),
    ))
    .execute(conn)?;
    Ok(())
}

/// Makes an account due now because LinkedIn announced a lead of it. Many announcements at once are one: an account that
/// is due already is not written to, one that is being read is read once more afterwards, and one whose last run failed
/// keeps its distance, because the next run finds the lead by itself.
///
/// # Errors
/// As any query.
pub fn announce(conn: &mut AnyConn, account: &AccountId) -> Result<(), StoreError> {
    use linkedin_accounts as a;
    let now = database_now(conn)?.naive_utc();
    let waits: i64 = a::table
        .filter(a::id.eq(account.as_str()))
        .filter(a::is_sync_enabled.eq(true))
        .filter(a::failure_streak.eq(0))
        .filter(a::notified_at.is_null())
        .count()
        .get_result(conn)?;
    if waits == 0 {
        return Ok(());
    }
    diesel::update(a::table.filter(a::id.eq(account.as_str())))
        .set(a::notified_at.eq(now))
        .execute(conn)?;
    diesel::update(
        a::table
            .filter(a::id.eq(account.as_str()))
            .filter(a::next_sync_at.gt(now)),
    )
    .set(a::next_sync_at.eq(now))
    .execute(conn)?;
    Ok(())
}
