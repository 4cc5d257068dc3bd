//! Matching strategies: exactly one is active, always; every change runs under one lock, so that two administrators cannot break it.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::columns::Cells;
use super::schema::{matching_strategies, matching_strategy_fields};
use super::{
    AnyConn, StoreError, field_mappings, integration_settings, lock_leads, lock_rules, match_keys,
};
use crate::domain::ids::StrategyId;
use crate::domain::lead::FieldKey;
use crate::domain::normalise;
use crate::domain::strategy::{
    MatchingStrategy, StrategyRuleError, check_activation, check_deletion, check_fields, check_name,
};

impl From<StrategyRuleError> for StoreError {
    fn from(error: StrategyRuleError) -> Self {
        Self::Rule(error.to_string())
    }
}

/// All strategies, the active one first, then by name.
///
/// # Errors
/// As any query.
pub fn list(conn: &mut AnyConn) -> Result<Vec<MatchingStrategy>, StoreError> {
    let rows: Vec<(String, String, bool)> = matching_strategies::table
        .order((
            matching_strategies::is_active.desc(),
            matching_strategies::name_key.asc(),
        ))
        .select((
            matching_strategies::id,
            matching_strategies::name,
            matching_strategies::is_active,
        ))
        .load(conn)?;
    let fields: Vec<(String, String)> = matching_strategy_fields::table
        .order((
            matching_strategy_fields::position.asc(),
            matching_strategy_fields::field.asc(),
        ))
        .select((
            matching_strategy_fields::strategy_id,
            matching_strategy_fields::field,
        ))
        .load(conn)?;
    let mut by_strategy: HashMap<String, Vec<FieldKey>> = HashMap::new();
    for (strategy_id, field) in fields {
        let cells = Cells {
            table: "matching_strategy_fields",
            id: &strategy_id,
        };
        let field = cells.word("field", &field)?;
        by_strategy.entry(strategy_id).or_default().push(field);
    }
    rows.into_iter()
        .map(|(id, name, is_active)| {
            let cells = Cells {
                table: "matching_strategies",
                id: &id,
            };
            Ok(MatchingStrategy {
                id: cells.word("id", &id)?,
                name,
                fields: by_strategy.remove(&id).unwrap_or_default(),
                is_active,
            })
        })
        .collect()
}

/// The strategy, if there is one.
///
/// # Errors
/// As any query.
pub fn find(conn: &mut AnyConn, id: &StrategyId) -> Result<Option<MatchingStrategy>, StoreError> {
    Ok(list(conn)?.into_iter().find(|strategy| strategy.id == *id))
}

/// The strategy.
///
/// # Errors
/// `NotFound` when there is none.
pub fn get(conn: &mut AnyConn, id: &StrategyId) -> Result<MatchingStrategy, StoreError> {
    find(conn, id)?.ok_or(StoreError::NotFound("matching strategy"))
}

/// The active strategy.
///
/// # Errors
/// `NotFound` before the first start has seeded the database; never afterwards.
pub fn active(conn: &mut AnyConn) -> Result<MatchingStrategy, StoreError> {
    list(conn)?
        .into_iter()
        .find(|strategy| strategy.is_active)
        .ok_or(StoreError::NotFound("active matching strategy"))
}

/// How often the strategy was saved: what a form carries to notice that somebody else was quicker.
///
/// # Errors
/// `NotFound` when there is none.
pub fn lock_version(conn: &mut AnyConn, id: &StrategyId) -> Result<i64, StoreError> {
    matching_strategies::table
        .filter(matching_strategies::id.eq(id.as_str()))
        .select(matching_strategies::lock_version)
        .first(conn)
        .optional()?
        .ok_or(StoreError::NotFound("matching strategy"))
}

/// Stores a new strategy, inactive whatever it says: it becomes the active one by [`activate`] only.
///
/// # Errors
/// `Rule` when its name is blank, too long or taken, or its fields are not sound.
pub fn insert(
    conn: &mut AnyConn,
    strategy: &MatchingStrategy,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    lock_rules(conn)?;
    let others = list(conn)?;
    if let Some(error) = check_name(
        &strategy.name,
        others.iter().map(|other| other.name.as_str()),
    ) {
        return Err(error.into());
    }
    let mapped = field_mappings::targets(conn)?;
    if let Some(error) = check_fields(&strategy.fields, &mapped).into_iter().next() {
        return Err(error.into());
    }
    insert_unchecked(conn, strategy, false, now)
}

/// Stores a strategy as it is: for the default one.
pub(super) fn insert_unchecked(
    conn: &mut AnyConn,
    strategy: &MatchingStrategy,
    is_active: bool,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    diesel::insert_into(matching_strategies::table)
        .values((
            matching_strategies::id.eq(strategy.id.as_str()),
            matching_strategies::name.eq(strategy.name.trim()),
            matching_strategies::name_key.eq(name_key(&strategy.name)),
            matching_strategies::is_active.eq(is_active),
            matching_strategies::created_at.eq(now.naive_utc()),
            matching_strategies::updated_at.eq(now.naive_utc()),
            matching_strategies::lock_version.eq(0_i64),
        ))
        .execute(conn)?;
    for (position, field) in (0_i64..).zip(&strategy.fields) {
        insert_field(conn, &strategy.id, field, position)?;
    }
    Ok(())
}

/// Renames a strategy; `expected` is the `lock_version` that the caller read.
///
/// # Errors
/// `NotFound`; `Stale` when somebody else changed it since; `Rule` when the name is blank, too long or taken.
pub fn save(
    conn: &mut AnyConn,
    id: &StrategyId,
    name: &str,
    expected: i64,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    lock_rules(conn)?;
    if lock_version(conn, id)? != expected {
        return Err(StoreError::Stale("matching strategy"));
    }
    let all = list(conn)?;
    let others = all.iter().filter(|other| other.id != *id);
    if let Some(error) = check_name(name, others.map(|other| other.name.as_str())) {
        return Err(error.into());
    }
    diesel::update(matching_strategies::table.filter(matching_strategies::id.eq(id.as_str())))
        .set((
            matching_strategies::name.eq(name.trim()),
            matching_strategies::name_key.eq(name_key(name)),
        ))
        .execute(conn)?;
    touch(conn, id, now)
}

/// Makes this strategy the active one in place of the present one, and makes the match keys of all leads anew. Answers
/// the strategy that was active before; `None` if it was this one already.
///
/// # Errors
/// `NotFound`; `Rule` when one of its fields has no field mapping.
pub fn activate(
    conn: &mut AnyConn,
    id: &StrategyId,
    now: DateTime<Utc>,
) -> Result<Option<MatchingStrategy>, StoreError> {
    lock_rules(conn)?;
    let mut strategy = get(conn, id)?;
    check_activation(&strategy, &field_mappings::targets(conn)?)?;
    let before = active(conn)?;
    if before.id == *id {
        return Ok(None);
    }
    diesel::update(matching_strategies::table.filter(matching_strategies::is_active.eq(true)))
        .set(matching_strategies::is_active.eq(false))
        .execute(conn)?;
    diesel::update(matching_strategies::table.filter(matching_strategies::id.eq(id.as_str())))
        .set(matching_strategies::is_active.eq(true))
        .execute(conn)?;
    touch(conn, &before.id, now)?;
    touch(conn, id, now)?;
    strategy.is_active = true;
    rebuild_keys(conn, &strategy)?;
    Ok(Some(before))
}

/// Adds a field at the end; answers the strategy with it.
///
/// # Errors
/// `NotFound`; `Rule` when the field stands in it already, has no field mapping, or there are too many.
pub fn add_field(
    conn: &mut AnyConn,
    id: &StrategyId,
    field: &FieldKey,
    now: DateTime<Utc>,
) -> Result<MatchingStrategy, StoreError> {
    lock_rules(conn)?;
    let mut strategy = get(conn, id)?;
    let mapped = field_mappings::targets(conn)?;
    if !strategy.fields.contains(field) && !mapped.contains(field) {
        return Err(StrategyRuleError::FieldWithoutMapping(field.clone()).into());
    }
    strategy.fields.push(field.clone());
    // A field that lost its mapping while the strategy was inactive must not stop its repair; activation asks for it.
    let problem = check_fields(&strategy.fields, &mapped)
        .into_iter()
        .find(|problem| !matches!(problem, StrategyRuleError::FieldWithoutMapping(_)));
    if let Some(problem) = problem {
        return Err(problem.into());
    }
    let last: Option<i64> = matching_strategy_fields::table
        .filter(matching_strategy_fields::strategy_id.eq(id.as_str()))
        .select(diesel::dsl::max(matching_strategy_fields::position))
        .get_result(conn)?;
    insert_field(conn, id, field, last.map_or(0, |last| last + 1))?;
    touch(conn, id, now)?;
    if strategy.is_active {
        rebuild_keys(conn, &strategy)?;
    }
    Ok(strategy)
}

/// Removes a field; answers the strategy without it.
///
/// # Errors
/// `NotFound` when there is no such strategy or the field does not stand in it; `Rule` when it is the last one.
pub fn remove_field(
    conn: &mut AnyConn,
    id: &StrategyId,
    field: &FieldKey,
    now: DateTime<Utc>,
) -> Result<MatchingStrategy, StoreError> {
    lock_rules(conn)?;
    let mut strategy = get(conn, id)?;
    let count = strategy.fields.len();
    strategy.fields.retain(|other| other != field);
    if strategy.fields.len() == count {
        return Err(StoreError::NotFound("field of the matching strategy"));
    }
    if strategy.fields.is_empty() {
        return Err(StrategyRuleError::NoFields.into());
    }
    diesel::delete(
        matching_strategy_fields::table
            .filter(matching_strategy_fields::strategy_id.eq(id.as_str()))
            .filter(matching_strategy_fields::field.eq(field.word().into_owned())),
    )
    .execute(conn)?;
    touch(conn, id, now)?;
    if strategy.is_active {
        rebuild_keys(conn, &strategy)?;
    }
    Ok(strategy)
}

/// Deletes a strategy that is not active; answers what it was.
///
/// # Errors
/// `NotFound`; `Rule` for the active one.
pub fn delete(conn: &mut AnyConn, id: &StrategyId) -> Result<MatchingStrategy, StoreError> {
    lock_rules(conn)?;
    let strategy = get(conn, id)?;
    check_deletion(&strategy)?;
    diesel::delete(matching_strategies::table.filter(matching_strategies::id.eq(id.as_str())))
        .execute(conn)?;
    Ok(strategy)
}

/// Makes these the strategies, one of them active, and makes the match keys anew when other fields are compared from now on.
pub(super) fn replace_all(
    conn: &mut AnyConn,
    wanted: &[MatchingStrategy],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let known = list(conn)?;
    let before = active(conn)?;
    let gone: Vec<&str> = known
        .iter()
        .filter(|strategy| !wanted.iter().any(|other| other.id == strategy.id))
        .map(|strategy| strategy.id.as_str())
        .collect();
    diesel::update(matching_strategies::table.filter(matching_strategies::is_active.eq(true)))
        .set(matching_strategies::is_active.eq(false))
        .execute(conn)?;
    diesel::delete(matching_strategies::table.filter(matching_strategies::id.eq_any(gone)))
        .execute(conn)?;
    for strategy in wanted {
        let Some(stored) = known.iter().find(|other| other.id == strategy.id) else {
            insert_unchecked(conn, strategy, false, now)?;
            continue;
        };
        if stored == strategy {
            continue;
        }
        let own =
            matching_strategies::table.filter(matching_strategies::id.eq(strategy.id.as_str()));
        diesel::update(own)
            .set(matching_strategies::name.eq(&strategy.name))
            .execute(conn)?;
        diesel::delete(
            matching_strategy_fields::table
                .filter(matching_strategy_fields::strategy_id.eq(strategy.id.as_str())),
        )
        .execute(conn)?;
        for (position, field) in (0_i64..).zip(&strategy.fields) {
            insert_field(conn, &strategy.id, field, position)?;
        }
        touch(conn, &strategy.id, now)?;
    }
    let Some(after) = wanted.iter().find(|strategy| strategy.is_active) else {
        return Err(StoreError::NotFound("active matching strategy"));
    };
    diesel::update(
        matching_strategies::table.filter(matching_strategies::id.eq(after.id.as_str())),
    )
    .set(matching_strategies::is_active.eq(true))
    .execute(conn)?;
    if before.fields != after.fields {
        rebuild_keys(conn, after)?;
    }
    Ok(())
}

fn rebuild_keys(conn: &mut AnyConn, strategy: &MatchingStrategy) -> Result<(), StoreError> {
    lock_leads(conn)?;
    let settings = integration_settings::get(conn)?;
    match_keys::rebuild(conn, strategy, settings.matching.default_country.as_deref())
}

fn insert_field(
    conn: &mut AnyConn,
    id: &StrategyId,
    field: &FieldKey,
    position: i64,
) -> Result<(), StoreError> {
    diesel::insert_into(matching_strategy_fields::table)
        .values((
            matching_strategy_fields::strategy_id.eq(id.as_str()),
            matching_strategy_fields::field.eq(field.word().into_owned()),
            matching_strategy_fields::position.eq(position),
        ))
        .execute(conn)?;
    Ok(())
}

fn touch(conn: &mut AnyConn, id: &StrategyId, now: DateTime<Utc>) -> Result<(), StoreError> {
    diesel::update(matching_strategies::table.filter(matching_strategies::id.eq(id.as_str())))
        .set((
            matching_strategies::updated_at.eq(now.naive_utc()),
            matching_strategies::lock_version.eq(matching_strategies::lock_version + 1),
        ))
        .execute(conn)?;
    Ok(())
}

/// The form in which a name is unique. A checked name always has one.
fn name_key(name: &str) -> String {
    normalise::text(name).unwrap_or_default()
}
