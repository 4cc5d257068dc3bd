//! The data of a first start: the settings, the shipped field mappings, the default matching strategy, the organization.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use uuid::Uuid;

use super::schema::integration_settings;
use super::{
    AnyConn, StoreError, connections, field_mappings, lock_rules, matching_strategies,
    organizations,
};
use crate::domain::connections::Setting;
use crate::domain::field_mapping::{FieldMapping, Source, shipped_mappings};
use crate::domain::ids::{MappingId, StrategyId};
use crate::domain::lead::{FieldKey, LeadField};
use crate::domain::matching::{MatchingSettings, MatchingStrategy};
use crate::each;

/// The organization of this portal: the one to which all data is synced.
pub const BUILT_IN_ORGANIZATION: &str = "00000000-0000-7000-8000-000000000001";

/// Its name until an Administrator gives it another one.
pub const ORGANIZATION_NAME: &str = "My organization";

/// The default strategy's name.
pub const DEFAULT_STRATEGY: &str = "E-mail address";

/// Brings a new database to the state of a first start; does nothing on a seeded one, so that what an Administrator
/// deleted stays deleted. Call it inside one write transaction. Answers whether it seeded.
///
/// # Errors
/// As any query.
pub fn run(
    conn: &mut AnyConn,
    now: DateTime<Utc>,
    mut new_id: impl FnMut() -> Uuid,
) -> Result<bool, StoreError> {
    // Replicas that start at once come one after the other; the later ones find the mark.
    lock_rules(conn)?;
    insert_settings(conn, now)?;
    let unseeded = integration_settings::table
        .filter(integration_settings::id.eq(1_i64))
        .filter(integration_settings::seeded_at.is_null());
    let marked = diesel::update(unseeded)
        .set(integration_settings::seeded_at.eq(now.naive_utc()))
        .execute(conn)?;
    if marked == 0 {
        return Ok(false);
    }
    let organization = BUILT_IN_ORGANIZATION
        .parse()
        .map_err(|_| StoreError::NotFound("organization"))?;
    connections::begin_with(conn, Setting::No, now)?;
    organizations::built_in(conn, now, &organization, ORGANIZATION_NAME)?;
    for (position, shipped) in (1_i64..).zip(shipped_mappings()) {
        let mapping = FieldMapping {
            id: MappingId::new(new_id()),
            name: shipped.name(),
            form_id: None,
            source: Source::Predefined(shipped.predefined_field.to_owned()),
            target: FieldKey::Standard(shipped.target),
            policy: shipped.policy,
            transforms: Vec::new(),
            position,
        };
        field_mappings::insert_unchecked(conn, &mapping, now)?;
    }
    let strategy = MatchingStrategy {
        id: StrategyId::new(new_id()),
        name: DEFAULT_STRATEGY.to_owned(),
        fields: vec![FieldKey::Standard(LeadField::Email)],
        is_active: true,
    };
    matching_strategies::insert_unchecked(conn, &strategy, true, now)?;
    Ok(true)
}

fn insert_settings(conn: &mut AnyConn, now: DateTime<Utc>) -> Result<(), StoreError> {
    let defaults = MatchingSettings::default();
    each!(conn, |c| diesel::insert_into(integration_settings::table)
        .values((
            integration_settings::id.eq(1_i64),
            integration_settings::on_match_fail.eq(defaults.on_match_fail.as_str()),
            integration_settings::several_match.eq(defaults.several_match.as_str()),
            integration_settings::closed_lead.eq(defaults.closed_lead.as_str()),
            integration_settings::no_match_answer.eq(defaults.no_match_answer.as_str()),
            integration_settings::test_leads.eq(defaults.test_leads.as_str()),
            integration_settings::always_create_lead.eq(defaults.always_create_lead),
            integration_settings::updated_at.eq(now.naive_utc()),
            integration_settings::lock_version.eq(0_i64),
        ))
        .on_conflict_do_nothing()
        .execute(c)?);
    Ok(())
}
