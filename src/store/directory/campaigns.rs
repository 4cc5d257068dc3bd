//! Campaigns and creatives as LinkedIn lists them.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;
use diesel::upsert::excluded;

use super::new_id;
use crate::domain::ids::{AccountId, CampaignId};
use crate::each;
use crate::store::schema::{campaigns, creatives};
use crate::store::{AnyConn, StoreError, columns, lock_leads};

/// Rows a statement; with their columns they stay below the parameters that each database allows.
const CHUNK: usize = 1_000;

/// A campaign as LinkedIn lists it.
#[derive(Debug, Clone)]
pub struct SeenCampaign {
    /// LinkedIn's id.
    pub linkedin_id: i64,
    /// Name at LinkedIn.
    pub name: String,
    /// Its group.
    pub group: Option<(i64, Option<String>)>,
    /// LinkedIn's type.
    pub campaign_type: Option<String>,
    /// LinkedIn's state.
    pub linkedin_status: Option<String>,
    /// LinkedIn's objective.
    pub objective: Option<String>,
    /// When it runs.
    pub schedule: (Option<DateTime<Utc>>, Option<DateTime<Utc>>),
}

#[derive(Insertable)]
#[diesel(table_name = campaigns, treat_none_as_default_value = false)]
struct CampaignRow<'a> {
    id: String,
    account_id: &'a str,
    linkedin_id: i64,
    campaign_group_linkedin_id: Option<i64>,
    campaign_group_name: Option<&'a str>,
    name: &'a str,
    campaign_type: Option<&'a str>,
    linkedin_status: Option<&'a str>,
    objective: Option<&'a str>,
    starts_at: Option<NaiveDateTime>,
    ends_at: Option<NaiveDateTime>,
    created_at: NaiveDateTime,
    updated_at: NaiveDateTime,
}

/// Stores the campaigns of an account, and joins submissions that came before their campaign was known.
///
/// # Errors
/// As any query.
pub fn save_campaigns(
    conn: &mut AnyConn,
    account: &AccountId,
    seen: &[SeenCampaign],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    use crate::store::schema::form_submissions as s;
    use campaigns as k;
    let at = now.naive_utc();
    for chunk in seen.chunks(CHUNK) {
        let rows: Vec<CampaignRow<'_>> = chunk
            .iter()
            .map(|campaign| CampaignRow {
                id: new_id(),
                account_id: account.as_str(),
                linkedin_id: campaign.linkedin_id,
                campaign_group_linkedin_id: campaign.group.as_ref().map(|(id, _)| *id),
                campaign_group_name: campaign
                    .group
                    .as_ref()
                    .and_then(|(_, name)| name.as_deref()),
                name: &campaign.name,
                campaign_type: campaign.campaign_type.as_deref(),
                linkedin_status: campaign.linkedin_status.as_deref(),
                objective: campaign.objective.as_deref(),
                starts_at: campaign.schedule.0.map(|at| at.naive_utc()),
                ends_at: campaign.schedule.1.map(|at| at.naive_utc()),
                created_at: at,
                updated_at: at,
            })
            .collect();
        each!(conn, |c| diesel::insert_into(k::table)
            .values(&rows)
            .on_conflict(k::linkedin_id)
            .do_update()
            .set((
                k::campaign_group_linkedin_id.eq(excluded(k::campaign_group_linkedin_id)),
                k::campaign_group_name.eq(excluded(k::campaign_group_name)),
                k::name.eq(excluded(k::name)),
                k::campaign_type.eq(excluded(k::campaign_type)),
                k::linkedin_status.eq(excluded(k::linkedin_status)),
                k::objective.eq(excluded(k::objective)),
                k::starts_at.eq(excluded(k::starts_at)),
                k::ends_at.eq(excluded(k::ends_at)),
                k::updated_at.eq(excluded(k::updated_at)),
            ))
            .execute(c))?;
    }
    let unjoined: Vec<i64> = s::table
        .filter(s::account_id.eq(account.as_str()))
        .filter(s::campaign_id.is_null())
        .filter(s::campaign_linkedin_id.is_not_null())
        .select(s::campaign_linkedin_id.assume_not_null())
        .distinct()
        .load(conn)?;
    if unjoined.is_empty() {
        return Ok(());
    }
    // What decides about submissions writes the same rows.
    lock_leads(conn)?;
    for (linkedin_id, id) in campaign_ids(conn, &unjoined)? {
        diesel::update(
            s::table
                .filter(s::account_id.eq(account.as_str()))
                .filter(s::campaign_id.is_null())
                .filter(s::campaign_linkedin_id.eq(linkedin_id)),
        )
        .set(s::campaign_id.eq(id.0.as_str()))
        .execute(conn)?;
    }
    Ok(())
}

/// Our ids and the names of these campaigns of LinkedIn's.
///
/// # Errors
/// As any query.
pub fn campaign_ids(
    conn: &mut AnyConn,
    wanted: &[i64],
) -> Result<HashMap<i64, (CampaignId, String)>, StoreError> {
    let rows: Vec<(i64, String, String)> = campaigns::table
        .filter(campaigns::linkedin_id.eq_any(wanted))
        .select((campaigns::linkedin_id, campaigns::id, campaigns::name))
        .load(conn)?;
    rows.into_iter()
        .map(|(linkedin_id, id, name)| Ok((linkedin_id, (columns::id("campaigns", &id)?, name))))
        .collect()
}

/// A creative as LinkedIn lists it.
#[derive(Debug, Clone)]
pub struct SeenCreative {
    /// LinkedIn's id.
    pub linkedin_id: i64,
    /// Its campaign.
    pub campaign_linkedin_id: Option<i64>,
    /// Name at LinkedIn; often none.
    pub name: Option<String>,
    /// LinkedIn's intended status.
    pub intended_status: Option<String>,
}

#[derive(Insertable)]
#[diesel(table_name = creatives, treat_none_as_default_value = false)]
struct CreativeRow<'a> {
    id: String,
    account_id: &'a str,
    linkedin_id: i64,
    campaign_linkedin_id: Option<i64>,
    name: Option<&'a str>,
    intended_status: Option<&'a str>,
    created_at: NaiveDateTime,
    updated_at: NaiveDateTime,
}

/// Stores the creatives of an account.
///
/// # Errors
/// As any query.
pub fn save_creatives(
    conn: &mut AnyConn,
    account: &AccountId,
    seen: &[SeenCreative],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    use creatives as k;
    let at = now.naive_utc();
    for chunk in seen.chunks(CHUNK) {
        let rows: Vec<CreativeRow<'_>> = chunk
            .iter()
            .map(|creative| CreativeRow {
                id: new_id(),
                account_id: account.as_str(),
                linkedin_id: creative.linkedin_id,
                campaign_linkedin_id: creative.campaign_linkedin_id,
                name: creative.name.as_deref(),
                intended_status: creative.intended_status.as_deref(),
                created_at: at,
                updated_at: at,
            })
            .collect();
        each!(conn, |c| diesel::insert_into(k::table)
            .values(&rows)
            .on_conflict(k::linkedin_id)
            .do_update()
            .set((
                k::campaign_linkedin_id.eq(excluded(k::campaign_linkedin_id)),
                k::name.eq(excluded(k::name)),
                k::intended_status.eq(excluded(k::intended_status)),
                k::updated_at.eq(excluded(k::updated_at)),
            ))
            .execute(c))?;
    }
    Ok(())
}
