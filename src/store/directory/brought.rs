//! What comes along from Microsoft's connector of LinkedIn's directory: added where it is not here, and left alone where it is.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;

use super::campaigns::{SeenCampaign, save_campaigns};
use super::forms::{SeenForm, save_forms};
use super::new_id;
use crate::domain::account::{CampaignSyncStatus, FormSyncStatus, OwnerType};
use crate::domain::ids::{AccountId, UserId};
use crate::domain::microsoft_connector::{
    AccountHere, CarriedAccount, CarriedDirectory, DirectoryHere, PersonHere,
};
use crate::store::columns;
use crate::store::schema::{campaigns, lead_forms, linkedin_accounts, users};
use crate::store::{AnyConn, StoreError};

/// What is here, by LinkedIn's numbers.
///
/// # Errors
/// As any query.
pub fn here(conn: &mut AnyConn) -> Result<DirectoryHere, StoreError> {
    let forms: Vec<(i64, i64)> = lead_forms::table
        .inner_join(linkedin_accounts::table)
        .filter(linkedin_accounts::owner_type.eq(OwnerType::SponsoredAccount.as_str()))
        .select((lead_forms::linkedin_id, linkedin_accounts::linkedin_id))
        .load(conn)?;
    let campaigns: Vec<i64> = campaigns::table.select(campaigns::linkedin_id).load(conn)?;
    let accounts: Vec<(i64, bool, Option<String>)> = linkedin_accounts::table
        .filter(linkedin_accounts::owner_type.eq(OwnerType::SponsoredAccount.as_str()))
        .select((
            linkedin_accounts::linkedin_id,
            linkedin_accounts::is_sync_enabled,
            linkedin_accounts::default_lead_owner_id,
        ))
        .load(conn)?;
    let people: Vec<(String, String, String)> = users::table
        .filter(users::is_enabled.eq(true))
        .order(users::id)
        .select((users::id, users::name, users::email))
        .load(conn)?;
    Ok(DirectoryHere {
        accounts: accounts
            .into_iter()
            .map(|(number, is_sync_enabled, owner)| {
                let account = AccountHere {
                    is_sync_enabled,
                    has_owner: owner.is_some(),
                };
                (number, account)
            })
            .collect(),
        campaigns: campaigns.into_iter().collect(),
        forms: forms.into_iter().collect(),
        people: people
            .into_iter()
            .map(|(id, name, email)| {
                Ok(PersonHere {
                    id: columns::id("users", &id)?,
                    name,
                    email,
                })
            })
            .collect::<Result<_, StoreError>>()?,
    })
}

/// Our ids of the ad accounts, by LinkedIn's number.
///
/// # Errors
/// As any query.
pub fn account_ids(conn: &mut AnyConn) -> Result<BTreeMap<i64, AccountId>, StoreError> {
    let rows: Vec<(i64, String)> = linkedin_accounts::table
        .filter(linkedin_accounts::owner_type.eq(OwnerType::SponsoredAccount.as_str()))
        .select((linkedin_accounts::linkedin_id, linkedin_accounts::id))
        .load(conn)?;
    rows.into_iter()
        .map(|(number, id)| Ok((number, columns::id("linkedin_accounts", &id)?)))
        .collect()
}

/// Adds what comes along. No profile reads the accounts yet, so none of them is due.
///
/// # Errors
/// As any query.
pub fn add(
    conn: &mut AnyConn,
    carried: &CarriedDirectory,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    for account in &carried.accounts {
        add_account(conn, account, now)?;
    }
    let accounts = account_ids(conn)?;
    for (number, account) in &accounts {
        let of_account: Vec<SeenCampaign> = carried
            .campaigns
            .iter()
            .filter(|campaign| campaign.account == *number)
            .map(|campaign| SeenCampaign {
                linkedin_id: campaign.linkedin_id,
                name: campaign.name.clone(),
                group: None,
                campaign_type: campaign.campaign_type.map(str::to_owned),
                linkedin_status: campaign.linkedin_status.map(str::to_owned),
                objective: None,
                schedule: campaign.schedule,
            })
            .collect();
        if !of_account.is_empty() {
            save_campaigns(conn, account, &of_account, now)?;
        }
        let of_account: Vec<SeenForm> = carried
            .forms
            .iter()
            .filter(|form| form.account == *number)
            .map(|form| {
                let version = &form.version;
                let raw = serde_json::json!({ "id": form.linkedin_id, "versionId": version.number, "name": version.name });
                SeenForm {
                    linkedin_id: form.linkedin_id,
                    name: version.name.clone(),
                    linkedin_state: None,
                    locale: Some((
                        version.locale.language.clone(),
                        version.locale.country.clone(),
                    )),
                    linkedin_times: (None, None),
                    version: Some((
                        version.number,
                        version.clone(),
                        raw.to_string().into_bytes(),
                    )),
                    is_current: true,
                }
            })
            .collect();
        if !of_account.is_empty() {
            save_forms(conn, account, &of_account, now)?;
        }
    }
    Ok(())
}

fn add_account(
    conn: &mut AnyConn,
    account: &CarriedAccount,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    use linkedin_accounts as a;
    let at = now.naive_utc();
    diesel::insert_into(a::table)
        .values((
            a::id.eq(new_id()),
            a::owner_type.eq(OwnerType::SponsoredAccount.as_str()),
            a::linkedin_id.eq(account.linkedin_id),
            a::name.eq(&account.name),
            a::is_test.eq(false),
            a::is_sync_enabled.eq(account.is_sync_enabled),
            a::default_lead_owner_id.eq(account.default_lead_owner.as_ref().map(UserId::as_str)),
            a::form_sync_status.eq(FormSyncStatus::NotSyncing.as_str()),
            a::campaign_sync_status.eq(CampaignSyncStatus::Pending.as_str()),
            a::next_sync_at.eq(None::<NaiveDateTime>),
            (
                a::lease_term.eq(0),
                a::failure_streak.eq(0),
                a::created_at.eq(at),
                a::updated_at.eq(at),
                a::lock_version.eq(0),
            ),
        ))
        .execute(conn)?;
    Ok(())
}
