//! Accounts as a profile sees them, with the member's roles on each; and what their sync found out about their state.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::new_id;
use crate::domain::account::{CampaignSyncStatus, FormSyncStatus, OwnerType};
use crate::domain::ids::{AccountId, ProfileId};
use crate::domain::profile::ProfileSyncStatus;
use crate::each;
use crate::store::schema::{linkedin_accounts, linkedin_user_profiles, profile_accounts};
use crate::store::{AnyConn, StoreError, database_now};

/// An account as a profile sees it.
#[derive(Debug, Clone)]
pub struct SeenAccount {
    /// Ad account or page.
    pub owner_type: OwnerType,
    /// LinkedIn's id.
    pub linkedin_id: i64,
    /// Name at LinkedIn.
    pub name: String,
    /// ISO 4217, ad accounts only.
    pub currency: Option<String>,
    /// LinkedIn's own state.
    pub linkedin_status: Option<String>,
    /// Made for tests at LinkedIn.
    pub is_test: bool,
    /// The page whose roles decide about its leads.
    pub page: Option<(i64, Option<String>)>,
    /// The member's role on the ad account.
    pub account_role: Option<String>,
    /// The member's roles on the page.
    pub page_roles: Vec<String>,
}

/// Stores the accounts that a profile sees. New ones start enabled and due at once; ones that the profile no longer
/// sees lose only the link to it. Returns how many are linked.
///
/// # Errors
/// As any query.
pub fn save_accounts(
    conn: &mut AnyConn,
    profile: &ProfileId,
    seen: &[SeenAccount],
    now: DateTime<Utc>,
) -> Result<usize, StoreError> {
    use linkedin_accounts as a;
    use profile_accounts as l;
    let at = now.naive_utc();
    let due = database_now(conn)?.naive_utc();
    let mut ids: HashMap<(String, i64), String> = a::table
        .select((a::owner_type, a::linkedin_id, a::id))
        .load::<(String, i64, String)>(conn)?
        .into_iter()
        .map(|(kind, linkedin_id, id)| ((kind, linkedin_id), id))
        .collect();
    let mut linked = HashSet::new();
    for account in seen {
        let key = (account.owner_type.as_str().to_owned(), account.linkedin_id);
        let facts = (
            a::name.eq(&account.name),
            a::currency.eq(account.currency.as_deref()),
            a::linkedin_status.eq(account.linkedin_status.as_deref()),
            a::is_test.eq(account.is_test),
            a::page_linkedin_id.eq(account.page.as_ref().map(|(id, _)| *id)),
            a::page_name.eq(account.page.as_ref().and_then(|(_, name)| name.as_deref())),
            a::updated_at.eq(at),
        );
        let id = if let Some(id) = ids.get(&key) {
            diesel::update(a::table.filter(a::id.eq(id)))
                .set(facts)
                .execute(conn)?;
            id.clone()
        } else {
            let id = new_id();
            diesel::insert_into(a::table)
                .values((
                    facts,
                    a::id.eq(&id),
                    a::owner_type.eq(account.owner_type.as_str()),
                    a::linkedin_id.eq(account.linkedin_id),
                    a::is_sync_enabled.eq(true),
                    a::form_sync_status.eq(FormSyncStatus::PendingSynchronization.as_str()),
                    a::campaign_sync_status.eq(CampaignSyncStatus::Pending.as_str()),
                    a::next_sync_at.eq(due),
                    (
                        a::lease_term.eq(0),
                        a::failure_streak.eq(0),
                        a::created_at.eq(at),
                        a::lock_version.eq(0),
                    ),
                ))
                .execute(conn)?;
            ids.insert(key, id.clone());
            id
        };
        let link = (
            l::account_role.eq(account.account_role.as_deref()),
            l::page_roles.eq(account.page_roles.join(",")),
            l::last_seen_at.eq(at),
        );
        each!(conn, |c| diesel::insert_into(l::table)
            .values((
                l::profile_id.eq(profile.as_str()),
                l::account_id.eq(&id),
                link.clone()
            ))
            .on_conflict((l::profile_id, l::account_id))
            .do_update()
            .set(link)
            .execute(c))?;
        linked.insert(id);
    }
    let stale: Vec<String> = l::table
        .filter(l::profile_id.eq(profile.as_str()))
        .select(l::account_id)
        .load::<String>(conn)?
        .into_iter()
        .filter(|id| !linked.contains(id))
        .collect();
    if !stale.is_empty() {
        diesel::delete(
            l::table
                .filter(l::profile_id.eq(profile.as_str()))
                .filter(l::account_id.eq_any(&stale)),
        )
        .execute(conn)?;
        // Accounts that no other profile sees either are not synced any more.
        let seen_by_others = l::table.select(l::account_id);
        diesel::update(
            a::table
                .filter(a::id.eq_any(&stale))
                .filter(a::id.ne_all(seen_by_others)),
        )
        .set((
            a::form_sync_status.eq(FormSyncStatus::NotSyncing.as_str()),
            a::updated_at.eq(at),
        ))
        .execute(conn)?;
    }
    // Accounts that were unreadable and can be read again are pending, and due.
    diesel::update(
        a::table
            .filter(a::id.eq_any(&linked))
            .filter(a::is_sync_enabled.eq(true))
            .filter(a::form_sync_status.eq(FormSyncStatus::NotSyncing.as_str())),
    )
    .set((
        a::form_sync_status.eq(FormSyncStatus::PendingSynchronization.as_str()),
        a::next_sync_at.eq(due),
    ))
    .execute(conn)?;
    let status = if linked.is_empty() {
        ProfileSyncStatus::NoAccountsAvailable
    } else {
        ProfileSyncStatus::Active
    };
    diesel::update(
        linkedin_user_profiles::table.filter(linkedin_user_profiles::id.eq(profile.as_str())),
    )
    .set((
        linkedin_user_profiles::sync_status.eq(status.as_str()),
        linkedin_user_profiles::updated_at.eq(at),
    ))
    .execute(conn)?;
    Ok(linked.len())
}

/// What the sync of an account found out about its state.
#[derive(Debug, Clone, Copy, Default)]
pub struct AccountStates {
    /// State of its forms.
    pub form: Option<FormSyncStatus>,
    /// State of its campaigns.
    pub campaign: Option<CampaignSyncStatus>,
}

/// Stores the states; each state that is told also tells when.
///
/// # Errors
/// As any query.
pub fn save_account_states(
    conn: &mut AnyConn,
    account: &AccountId,
    states: AccountStates,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    use linkedin_accounts as a;
    let at = now.naive_utc();
    if let Some(form) = states.form {
        diesel::update(a::table.filter(a::id.eq(account.as_str())))
            .set((
                a::form_sync_status.eq(form.as_str()),
                a::last_form_sync_at.eq(at),
            ))
            .execute(conn)?;
    }
    if let Some(campaign) = states.campaign {
        diesel::update(a::table.filter(a::id.eq(account.as_str())))
            .set((
                a::campaign_sync_status.eq(campaign.as_str()),
                a::last_campaign_sync_at.eq(at),
            ))
            .execute(conn)?;
    }
    Ok(())
}
