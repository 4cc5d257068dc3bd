//! The withdrawal of consent with all that follows from it, in one transaction: ledger, tokens, runs at work.

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;
use serde_json::json;

use super::{connected_people, get, lock, person, profiles_of};
use crate::domain::connections::{ConsentReason, withdrawal_reason};
use crate::domain::ids::{ProfileId, UserId};
use crate::domain::profile::Authorization;
use crate::domain::sync::{FailureReason, RunStatus};
use crate::store::audit::{self, Actor};
use crate::store::schema::{
    linkedin_accounts, linkedin_user_profiles as profiles, oauth_states, profile_accounts,
    sync_runs,
};
use crate::store::{AnyConn, StoreError, consents, database_now, token_revocations, tokens, users};

/// Withdraws the consent of these people at once: whoever takes away a membership, a role or a user calls it in the same
/// transaction. Only those are touched who may not use LinkedIn any more under the setting as it stands.
///
/// # Errors
/// As any query.
pub fn withdraw_for(
    conn: &mut AnyConn,
    people: &[UserId],
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    lock(conn)?;
    let settings = get(conn)?;
    // Many may leave a group at once; few of them are connected.
    let connected = connected_people(conn)?;
    for user in connected.iter().filter(|user| people.contains(user)) {
        if let Some(reason) = withdrawal_reason(settings.setting, &person(conn, user, &settings)?) {
            withdraw(conn, user, reason, actor, now)?;
        }
    }
    Ok(())
}

/// Withdraws a person's own consent.
///
/// # Errors
/// As any query.
pub fn withdraw_own(
    conn: &mut AnyConn,
    user: &UserId,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    lock(conn)?;
    withdraw(conn, user, ConsentReason::Person, actor, now)
}

/// Ends the consent of one person: the ledger, the person's attempts on their way to LinkedIn, the tokens, the runs at work.
pub(super) fn withdraw(
    conn: &mut AnyConn,
    user: &UserId,
    reason: ConsentReason,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let setting = get(conn)?.setting;
    let withdrawn = consents::withdraw(conn, user, reason, setting, actor, now)?;
    diesel::delete(oauth_states::table.filter(oauth_states::user_id.eq(user.as_str())))
        .execute(conn)?;
    let of_user = profiles_of(conn, user)?;
    let mut names = Vec::new();
    for (profile, name, has_access) in &of_user {
        let was = tokens::withdraw_consent(conn, profile, now)?;
        token_revocations::take_from(conn, profile, now)?;
        if *has_access {
            names.push(name.clone());
        }
        if !was && !has_access {
            continue;
        }
        audit::record(
            conn,
            now,
            actor,
            "linkedin_user_profile.consent_withdrawn",
            ("linkedin_user_profile", profile.as_str(), name),
            None,
            Some(json!({
                "authorization": Authorization::ConsentWithdrawn.as_str(),
                "reason": reason.as_str(),
            })),
        )?;
    }
    let ids: Vec<&ProfileId> = of_user.iter().map(|(id, ..)| id).collect();
    stop_runs(conn, &ids)?;
    tokens::refresh_account_states(conn, now)?;
    if withdrawn.is_some() || !names.is_empty() {
        let name = users::get(conn, user)?.name;
        audit::record(
            conn,
            now,
            actor,
            "linkedin_consent.withdrawn",
            ("user", user.as_str(), &name),
            None,
            Some(json!({
                "text_version": withdrawn,
                "reason": reason.as_str(),
                "account_connections": setting.as_str(),
                "profiles": names,
            })),
        )?;
    }
    Ok(())
}

/// Takes the leases of runs that read through these profiles, in whatever process: each stops at its next page and stores
/// nothing after it. An account that another profile may read stays due and is read through that one.
fn stop_runs(conn: &mut AnyConn, profile_ids: &[&ProfileId]) -> Result<(), StoreError> {
    let ids: Vec<&str> = profile_ids.iter().map(|id| id.as_str()).collect();
    if ids.is_empty() {
        return Ok(());
    }
    diesel::update(profiles::table.filter(profiles::id.eq_any(ids.clone())))
        .set((
            profiles::lease_owner.eq(None::<String>),
            profiles::lease_expires_at.eq(None::<NaiveDateTime>),
            profiles::lease_term.eq(profiles::lease_term + 1),
        ))
        .execute(conn)?;
    let account_ids: Vec<String> = profile_accounts::table
        .filter(profile_accounts::profile_id.eq_any(ids.clone()))
        .select(profile_accounts::account_id)
        .distinct()
        .order(profile_accounts::account_id.asc())
        .load(conn)?;
    diesel::update(
        linkedin_accounts::table.filter(linkedin_accounts::id.eq_any(account_ids.clone())),
    )
    .set((
        linkedin_accounts::lease_owner.eq(None::<String>),
        linkedin_accounts::lease_expires_at.eq(None::<NaiveDateTime>),
        linkedin_accounts::lease_term.eq(linkedin_accounts::lease_term + 1),
    ))
    .execute(conn)?;
    let at = database_now(conn)?.naive_utc();
    diesel::update(
        sync_runs::table
            .filter(sync_runs::status.eq(RunStatus::Running.as_str()))
            .filter(
                sync_runs::profile_id
                    .eq_any(ids)
                    .or(sync_runs::account_id.eq_any(account_ids)),
            ),
    )
    .set((
        sync_runs::status.eq(RunStatus::Abandoned.as_str()),
        sync_runs::finished_at.eq(at),
        sync_runs::failure_reason.eq(FailureReason::ConsentWithdrawn.as_str()),
    ))
    .execute(conn)?;
    Ok(())
}
