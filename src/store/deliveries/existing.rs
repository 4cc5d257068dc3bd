//! Leads that are here already, for an organization that gets them, too, or gets them anew.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::super::schema::{
    delivery_lanes, form_submissions, lead_origins, leads, linkedin_user_profiles,
    organization_leads, profile_accounts,
};
use super::super::{AnyConn, StoreError, database_now};
use super::{NewRow, insert};
use crate::domain::delivery::DeliveryEvent;
use crate::domain::ids::{AccountId, OrganizationId};

/// Leads that are queued at once.
const PAGE: i64 = 1_000;

/// The leads that came from these accounts, or answered to them later, that an organization does not have, or has in an older
/// version.
macro_rules! missing {
    ($organization:expr, $accounts:expr) => {{
        let accounts: &[_] = $accounts;
        leads::table
            .inner_join(lead_origins::table)
            .left_join(
                organization_leads::table.on(organization_leads::lead_id
                    .eq(leads::id)
                    .and(organization_leads::organization_id.eq($organization.as_str()))),
            )
            .filter(
                lead_origins::account_id
                    .eq_any(accounts)
                    .or(diesel::dsl::exists(
                        form_submissions::table
                            .filter(form_submissions::lead_id.eq(leads::id.nullable()))
                            .filter(form_submissions::account_id.eq_any(accounts)),
                    )),
            )
            .filter(
                organization_leads::delivered_at
                    .is_null()
                    .or(organization_leads::delivered_at.lt(leads::updated_at.nullable())),
            )
    }};
}

/// How many leads [`enqueue_existing`] would queue of these accounts.
///
/// # Errors
/// As any query.
pub fn count(
    conn: &mut AnyConn,
    organization: &OrganizationId,
    accounts: &[AccountId],
) -> Result<i64, StoreError> {
    let accounts: Vec<&str> = accounts.iter().map(AsRef::as_ref).collect();
    Ok(missing!(organization, &accounts).count().get_result(conn)?)
}

/// Queues the leads of the accounts that an organization's profiles read, or of these accounts, that the organization does not
/// have, or has in an older version; answers how many.
///
/// # Errors
/// As any query.
pub fn enqueue_existing(
    conn: &mut AnyConn,
    organization: &OrganizationId,
    accounts: Option<&[AccountId]>,
) -> Result<usize, StoreError> {
    let accounts: Vec<String> = match accounts {
        Some(accounts) => accounts.iter().map(|id| id.as_ref().to_owned()).collect(),
        None => profile_accounts::table
            .inner_join(linkedin_user_profiles::table)
            .filter(linkedin_user_profiles::organization_id.eq(organization.as_str()))
            .select(profile_accounts::account_id)
            .distinct()
            .load(conn)?,
    };
    enqueue_pages(conn, organization, |conn, after| {
        Ok(missing!(organization, &accounts)
            .filter(leads::id.gt(after))
            .order(leads::id)
            .limit(PAGE)
            .select(leads::id)
            .load(conn)?)
    })
}

/// Queues every lead that an organization has, because what is sent of leads changed; answers how many.
///
/// # Errors
/// As any query.
pub fn enqueue_again(
    conn: &mut AnyConn,
    organization: &OrganizationId,
) -> Result<usize, StoreError> {
    enqueue_pages(conn, organization, |conn, after| {
        Ok(organization_leads::table
            .filter(organization_leads::organization_id.eq(organization.as_str()))
            .filter(organization_leads::lead_id.gt(after))
            .order(organization_leads::lead_id)
            .limit(PAGE)
            .select(organization_leads::lead_id)
            .load(conn)?)
    })
}

/// Queues page after page of leads, each of which begins after the last lead of the one before; answers how many.
fn enqueue_pages(
    conn: &mut AnyConn,
    organization: &OrganizationId,
    page: impl Fn(&mut AnyConn, &str) -> Result<Vec<String>, StoreError>,
) -> Result<usize, StoreError> {
    let lane: Option<String> = delivery_lanes::table
        .filter(delivery_lanes::organization_id.eq(organization.as_str()))
        .select(delivery_lanes::id)
        .first(conn)
        .optional()?;
    let Some(lane) = lane else {
        return Ok(0);
    };
    let now = database_now(conn)?;
    let (mut queued, mut after) = (0, String::new());
    loop {
        let found = page(conn, &after)?;
        let Some(last) = found.last() else {
            return Ok(queued);
        };
        after.clone_from(last);
        queued += found.len();
        let rows: Vec<NewRow> = found
            .into_iter()
            .map(|lead| of_lead(&lane, lead, now))
            .collect();
        insert(conn, &rows)?;
    }
}

fn of_lead(lane: &str, lead: String, now: DateTime<Utc>) -> NewRow {
    NewRow {
        lead_id: Some(lead),
        ..NewRow::new(lane, DeliveryEvent::LeadSaved, now)
    }
}
