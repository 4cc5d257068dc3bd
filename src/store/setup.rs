//! What the setup checklist reads: short counts over short tables.

use diesel::prelude::*;

use super::schema::{
    field_mappings, linkedin_accounts, linkedin_user_profiles as profiles, user_roles, users,
};
use super::{AnyConn, StoreError, connections, matching_strategies};
use crate::domain::access::Role;
use crate::domain::connections::Setting;
use crate::domain::profile::Authorization;
use crate::domain::setup::SetupFacts;

/// The facts that the database knows; whether there are credentials, and what the deployment
/// decides, is for the caller to add.
///
/// # Errors
/// As any query.
pub fn facts(conn: &mut AnyConn) -> Result<SetupFacts, StoreError> {
    let salespeople: i64 = users::table
        .inner_join(user_roles::table)
        .filter(users::is_enabled.eq(true))
        .filter(user_roles::role.eq(Role::Salesperson.as_str()))
        .count()
        .get_result(conn)?;
    let authorized_profiles: i64 = profiles::table
        .filter(profiles::authorization_status.eq(Authorization::Authorized.as_str()))
        .count()
        .get_result(conn)?;
    let ever_authorized: i64 = profiles::table
        .filter(profiles::authorized_at.is_not_null())
        .count()
        .get_result(conn)?;
    let synchronized: i64 = linkedin_accounts::table
        .filter(linkedin_accounts::last_synchronized_at.is_not_null())
        .count()
        .get_result(conn)?;
    let targets = super::field_mappings::targets(conn)?;
    let is_strategy_usable = match matching_strategies::active(conn) {
        Ok(strategy) => {
            !strategy.fields.is_empty()
                && strategy.fields.iter().all(|field| targets.contains(field))
        }
        // Before the first start has seeded the database there is none.
        Err(StoreError::NotFound(_)) => false,
        Err(error) => return Err(error),
    };
    Ok(SetupFacts {
        has_credentials: false,
        is_app_refused: false,
        salespeople,
        mappings: field_mappings::table.count().get_result(conn)?,
        is_strategy_usable,
        may_connect: connections::get(conn)?.setting != Setting::No,
        does_deployment_decide: false,
        was_ever_authorized: ever_authorized > 0,
        authorized_profiles,
        was_synchronized: synchronized > 0,
    })
}
