//! Leads that are here already, for an organization that may get them, too.

use diesel::prelude::*;

use super::super::schema::{lead_origins, leads, organization_leads};
use super::super::{AnyConn, StoreError};
use crate::domain::ids::{AccountId, OrganizationId};

/// How many leads of these accounts an organization does not have, or has in an older version: those that
/// [`super::enqueue_existing`] would queue.
///
/// # Errors
/// As any query.
pub fn count(
    conn: &mut AnyConn,
    organization: &OrganizationId,
    accounts: &[AccountId],
) -> Result<i64, StoreError> {
    let accounts: Vec<&str> = accounts.iter().map(AsRef::as_ref).collect();
    Ok(leads::table
        .inner_join(lead_origins::table)
        .left_join(
            organization_leads::table.on(organization_leads::lead_id
                .eq(leads::id)
                .and(organization_leads::organization_id.eq(organization.as_str()))),
        )
        .filter(lead_origins::account_id.eq_any(accounts))
        .filter(
            organization_leads::delivered_at
                .is_null()
                .or(organization_leads::delivered_at.lt(leads::updated_at.nullable())),
        )
        .count()
        .get_result(conn)?)
}
