//! Field mappings: which part of a submission goes to which lead field, for the organisation or for one form.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;

use super::columns::Cells;
use super::schema::{field_mappings, lead_forms, linkedin_accounts};
use super::{AnyConn, StoreError, lock_rules, matching_strategies};
use crate::domain::field_mapping::{FieldMapping, Source};
use crate::domain::ids::{FormId, MappingId};
use crate::domain::lead::FieldKey;
use crate::domain::strategy::unmapped_fields;

/// More mappings than anybody can oversee; a submission runs through the ones of its form.
const MAX_MAPPINGS: usize = 2_000;

/// A mapping with what its page needs beside it.
#[derive(Debug, Clone)]
pub struct StoredMapping {
    /// The mapping.
    pub mapping: FieldMapping,
    /// When it was last saved.
    pub updated_at: DateTime<Utc>,
    /// Counts the saves: what a form carries to notice that somebody else was quicker.
    pub lock_version: i64,
}

#[derive(Queryable)]
struct Row {
    id: String,
    name: String,
    form_id: Option<String>,
    source_kind: String,
    source_key: String,
    target_field: String,
    write_policy: String,
    transforms: String,
    position: i64,
    updated_at: NaiveDateTime,
    lock_version: i64,
}

impl TryFrom<Row> for StoredMapping {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let cells = Cells {
            table: "field_mappings",
            id: &row.id,
        };
        Ok(Self {
            mapping: FieldMapping {
                id: cells.word("id", &row.id)?,
                form_id: cells.optional("form_id", row.form_id.as_deref())?,
                source: Source::from_parts(&row.source_kind, &row.source_key)
                    .map_err(|_| cells.corrupt("source_kind"))?,
                target: cells.word("target_field", &row.target_field)?,
                policy: cells.word("write_policy", &row.write_policy)?,
                transforms: cells.json("transforms", &row.transforms)?,
                position: row.position,
                name: row.name,
            },
            updated_at: row.updated_at.and_utc(),
            lock_version: row.lock_version,
        })
    }
}

/// The columns of [`Row`], in its order.
macro_rules! columns {
    () => {
        (
            field_mappings::id,
            field_mappings::name,
            field_mappings::form_id,
            field_mappings::source_kind,
            field_mappings::source_key,
            field_mappings::target_field,
            field_mappings::write_policy,
            field_mappings::transforms,
            field_mappings::position,
            field_mappings::updated_at,
            field_mappings::lock_version,
        )
    };
}

/// All mappings, organisation-wide and of single forms, in the order in which they run.
///
/// # Errors
/// As any query; `Corrupt` for a cell that the domain does not know.
pub fn list(conn: &mut AnyConn) -> Result<Vec<FieldMapping>, StoreError> {
    field_mappings::table
        .order((
            field_mappings::position.asc(),
            field_mappings::name.asc(),
            field_mappings::id.asc(),
        ))
        .select(columns!())
        .load::<Row>(conn)?
        .into_iter()
        .map(|row| StoredMapping::try_from(row).map(|stored| stored.mapping))
        .collect()
}

/// The mapping, if there is one.
///
/// # Errors
/// As [`list`].
pub fn find(conn: &mut AnyConn, id: &MappingId) -> Result<Option<StoredMapping>, StoreError> {
    field_mappings::table
        .filter(field_mappings::id.eq(id.as_str()))
        .select(columns!())
        .first::<Row>(conn)
        .optional()?
        .map(StoredMapping::try_from)
        .transpose()
}

/// The fields that some mapping writes to: those that a matching strategy may compare.
///
/// # Errors
/// As any query.
pub fn targets(conn: &mut AnyConn) -> Result<BTreeSet<FieldKey>, StoreError> {
    let words: Vec<String> = field_mappings::table
        .select(field_mappings::target_field)
        .distinct()
        .load(conn)?;
    words
        .iter()
        .map(|word| {
            let cells = Cells {
                table: "field_mappings",
                id: word,
            };
            cells.word("target_field", word)
        })
        .collect()
}

/// The position behind all others.
///
/// # Errors
/// As any query.
pub fn next_position(conn: &mut AnyConn) -> Result<i64, StoreError> {
    let last: Option<i64> = field_mappings::table
        .select(diesel::dsl::max(field_mappings::position))
        .get_result(conn)?;
    Ok(last.unwrap_or(0).saturating_add(1))
}

/// A form that a mapping can be an override of.
#[derive(Debug, Clone, Queryable)]
pub struct FormChoice {
    /// Its identifier.
    pub id: String,
    /// Its name at LinkedIn.
    pub name: String,
    /// The account it belongs to.
    pub account_name: String,
}

/// The forms, by name.
///
/// # Errors
/// As any query.
pub fn forms(conn: &mut AnyConn) -> Result<Vec<FormChoice>, StoreError> {
    Ok(lead_forms::table
        .inner_join(linkedin_accounts::table)
        .order((lead_forms::name.asc(), lead_forms::id.asc()))
        .select((lead_forms::id, lead_forms::name, linkedin_accounts::name))
        .load(conn)?)
}

/// Whether there is such a form.
///
/// # Errors
/// As any query.
pub fn form_exists(conn: &mut AnyConn, id: &FormId) -> Result<bool, StoreError> {
    let query = lead_forms::table.filter(lead_forms::id.eq(id.as_str()));
    let found: i64 = query.count().get_result(conn)?;
    Ok(found > 0)
}

/// Stores a new mapping.
///
/// # Errors
/// `Rule` when one with the same source and target stands in the same scope already, or there are too many.
pub fn insert(
    conn: &mut AnyConn,
    mapping: &FieldMapping,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    lock_rules(conn)?;
    let known = list(conn)?;
    if known.len() >= MAX_MAPPINGS {
        return Err(StoreError::Rule(format!(
            "There are {MAX_MAPPINGS} mappings already. Delete one that is not needed any more first."
        )));
    }
    check_duplicate(&known, mapping)?;
    insert_unchecked(conn, mapping, now)
}

/// Stores a new mapping without looking at the others: for the shipped set.
pub(super) fn insert_unchecked(
    conn: &mut AnyConn,
    mapping: &FieldMapping,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    diesel::insert_into(field_mappings::table)
        .values((
            field_mappings::id.eq(mapping.id.as_str()),
            field_mappings::name.eq(&mapping.name),
            field_mappings::form_id.eq(mapping.form_id.as_ref().map(FormId::as_str)),
            field_mappings::source_kind.eq(mapping.source.kind().as_str()),
            field_mappings::source_key.eq(mapping.source.key()),
            field_mappings::target_field.eq(mapping.target.word().into_owned()),
            field_mappings::write_policy.eq(mapping.policy.as_str()),
            field_mappings::transforms.eq(transforms_json(mapping)?),
            field_mappings::position.eq(mapping.position),
            field_mappings::created_at.eq(now.naive_utc()),
            field_mappings::updated_at.eq(now.naive_utc()),
            field_mappings::lock_version.eq(0_i64),
        ))
        .execute(conn)?;
    Ok(())
}

/// Saves a mapping; `expected` is the `lock_version` that the caller read.
///
/// # Errors
/// `NotFound`; `Stale` when somebody else saved since; `Rule` when it would double another mapping, or take the last
/// mapping from a field that the active matching strategy compares.
pub fn save(
    conn: &mut AnyConn,
    mapping: &FieldMapping,
    expected: i64,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    lock_rules(conn)?;
    check_version(conn, &mapping.id, expected)?;
    let mut known = list(conn)?;
    known.retain(|other| other.id != mapping.id);
    check_duplicate(&known, mapping)?;
    diesel::update(field_mappings::table.filter(field_mappings::id.eq(mapping.id.as_str())))
        .set((
            field_mappings::name.eq(&mapping.name),
            field_mappings::form_id.eq(mapping.form_id.as_ref().map(FormId::as_str)),
            field_mappings::source_kind.eq(mapping.source.kind().as_str()),
            field_mappings::source_key.eq(mapping.source.key()),
            field_mappings::target_field.eq(mapping.target.word().into_owned()),
            field_mappings::write_policy.eq(mapping.policy.as_str()),
            field_mappings::transforms.eq(transforms_json(mapping)?),
            field_mappings::position.eq(mapping.position),
            field_mappings::updated_at.eq(now.naive_utc()),
            field_mappings::lock_version.eq(expected + 1),
        ))
        .execute(conn)?;
    check_active_strategy(conn)
}

/// Deletes a mapping; `expected` is the `lock_version` that the caller read.
///
/// # Errors
/// As [`save`].
pub fn delete(conn: &mut AnyConn, id: &MappingId, expected: i64) -> Result<(), StoreError> {
    lock_rules(conn)?;
    check_version(conn, id, expected)?;
    diesel::delete(field_mappings::table.filter(field_mappings::id.eq(id.as_str())))
        .execute(conn)?;
    check_active_strategy(conn)
}

/// Makes these the mappings; `check_active_strategy` is the caller's. One that stays as it is is not written.
pub(super) fn replace_all(
    conn: &mut AnyConn,
    wanted: &[FieldMapping],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let known = list(conn)?;
    let gone: Vec<&str> = known
        .iter()
        .filter(|mapping| !wanted.iter().any(|other| other.id == mapping.id))
        .map(|mapping| mapping.id.as_str())
        .collect();
    diesel::delete(field_mappings::table.filter(field_mappings::id.eq_any(gone))).execute(conn)?;
    for mapping in wanted {
        match known.iter().find(|other| other.id == mapping.id) {
            None => insert_unchecked(conn, mapping, now)?,
            Some(before) if before == mapping => {}
            Some(_) => {
                diesel::update(
                    field_mappings::table.filter(field_mappings::id.eq(mapping.id.as_str())),
                )
                .set((
                    field_mappings::name.eq(&mapping.name),
                    field_mappings::write_policy.eq(mapping.policy.as_str()),
                    field_mappings::transforms.eq(transforms_json(mapping)?),
                    field_mappings::position.eq(mapping.position),
                    field_mappings::updated_at.eq(now.naive_utc()),
                    field_mappings::lock_version.eq(field_mappings::lock_version + 1),
                ))
                .execute(conn)?;
            }
        }
    }
    Ok(())
}

fn check_version(conn: &mut AnyConn, id: &MappingId, expected: i64) -> Result<(), StoreError> {
    let stored: Option<i64> = field_mappings::table
        .filter(field_mappings::id.eq(id.as_str()))
        .select(field_mappings::lock_version)
        .first(conn)
        .optional()?;
    match stored {
        None => Err(StoreError::NotFound("field mapping")),
        Some(version) if version == expected => Ok(()),
        Some(_) => Err(StoreError::Stale("field mapping")),
    }
}

fn check_duplicate(known: &[FieldMapping], mapping: &FieldMapping) -> Result<(), StoreError> {
    let is_double = known.iter().any(|other| {
        other.form_id == mapping.form_id
            && other.target == mapping.target
            && other.source == mapping.source
    });
    if is_double {
        return Err(StoreError::Rule(
            "There is a mapping from this source to this lead field already. Edit that one instead."
                .to_owned(),
        ));
    }
    Ok(())
}

/// After a change: every field of the active strategy must still be written by some mapping. The caller's transaction
/// is undone by the error.
pub(super) fn check_active_strategy(conn: &mut AnyConn) -> Result<(), StoreError> {
    let strategy = matching_strategies::active(conn)?;
    let mapped = targets(conn)?;
    let missing = unmapped_fields(&strategy, &mapped);
    match missing.first() {
        None => Ok(()),
        Some(field) => Err(StoreError::Rule(format!(
            "The active matching strategy “{}” compares {}, and this is the last mapping that fills that field. Map another source to {} first, or activate another strategy.",
            strategy.name,
            field.label(),
            field.label()
        ))),
    }
}

fn transforms_json(mapping: &FieldMapping) -> Result<String, StoreError> {
    serde_json::to_string(&mapping.transforms).map_err(|_| StoreError::Corrupt {
        table: "field_mappings",
        column: "transforms",
        id: mapping.id.as_str().to_owned(),
    })
}
