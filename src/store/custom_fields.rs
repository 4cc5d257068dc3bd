//! Custom fields: what Administrators defined beside the standard fields of a lead, and where each is used.

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;

use super::columns::Cells;
use super::schema::{
    assignment_rules, custom_fields, field_mappings, leads, matching_strategies,
    matching_strategy_fields,
};
use super::{AnyConn, StoreError, lock_rules};
use crate::domain::lead::custom::MAX_FIELDS;
use crate::domain::lead::{
    CustomField, CustomFieldType, DefinedField, FieldKey, FieldKind, LeadFields,
    is_custom_field_name,
};

/// A definition as it is stored.
#[derive(Debug, Clone)]
pub struct StoredField {
    /// The definition.
    pub defined: DefinedField,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
    /// Counts changes.
    pub lock_version: i64,
}

#[derive(Queryable, Insertable)]
#[diesel(table_name = custom_fields)]
struct Row {
    name: String,
    label: String,
    kind: String,
    choices: String,
    is_retired: bool,
    created_at: NaiveDateTime,
    updated_at: NaiveDateTime,
    lock_version: i64,
}

impl TryFrom<Row> for StoredField {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let cells = Cells {
            table: "custom_fields",
            id: &row.name,
        };
        let kind: CustomFieldType = cells.word("kind", &row.kind)?;
        Ok(Self {
            defined: DefinedField {
                field: CustomField {
                    kind: kind.kind(cells.json("choices", &row.choices)?),
                    label: row.label,
                    name: row.name,
                },
                is_retired: row.is_retired,
            },
            updated_at: row.updated_at.and_utc(),
            lock_version: row.lock_version,
        })
    }
}

fn choices_json(kind: &FieldKind) -> String {
    let values: &[String] = match kind {
        FieldKind::Choice { values } => values,
        _ => &[],
    };
    // A list of texts always has a JSON form.
    serde_json::to_string(values).unwrap_or_else(|_| "[]".to_owned())
}

/// All definitions, retired ones last, by label.
///
/// # Errors
/// As any query.
pub fn stored(conn: &mut AnyConn) -> Result<Vec<StoredField>, StoreError> {
    custom_fields::table
        .order((
            custom_fields::is_retired.asc(),
            custom_fields::label.asc(),
            custom_fields::name.asc(),
        ))
        .load::<Row>(conn)?
        .into_iter()
        .map(StoredField::try_from)
        .collect()
}

/// All custom fields, retired ones as well: their mappings go on until they are deleted.
///
/// # Errors
/// As any query.
pub fn list(conn: &mut AnyConn) -> Result<Vec<CustomField>, StoreError> {
    Ok(stored(conn)?
        .into_iter()
        .map(|stored| stored.defined.field)
        .collect())
}

/// All fields that a lead can have, with their labels and kinds.
///
/// # Errors
/// As any query.
pub fn fields(conn: &mut AnyConn) -> Result<LeadFields, StoreError> {
    Ok(LeadFields::new(
        stored(conn)?
            .into_iter()
            .map(|stored| stored.defined)
            .collect(),
    ))
}

/// One definition.
///
/// # Errors
/// `NotFound` when there is none of that name.
pub fn get(conn: &mut AnyConn, name: &str) -> Result<StoredField, StoreError> {
    // What cannot be a name may hold what PostgreSQL refuses to compare.
    if !is_custom_field_name(name) {
        return Err(StoreError::NotFound("custom field"));
    }
    custom_fields::table
        .find(name)
        .first::<Row>(conn)
        .optional()?
        .ok_or(StoreError::NotFound("custom field"))?
        .try_into()
}

/// Adds a field.
///
/// # Errors
/// `Rule` when there are too many; `Conflict` for a name that is taken.
pub fn insert(
    conn: &mut AnyConn,
    field: &CustomField,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    lock_rules(conn)?;
    let known: i64 = custom_fields::table.count().get_result(conn)?;
    if usize::try_from(known).is_ok_and(|known| known >= MAX_FIELDS) {
        return Err(StoreError::Rule(format!(
            "There are {MAX_FIELDS} custom fields already, which is the most that the portal takes. Delete one that is not used."
        )));
    }
    if custom_fields::table
        .find(&field.name)
        .select(custom_fields::name)
        .first::<String>(conn)
        .optional()?
        .is_some()
    {
        return Err(StoreError::Rule(
            "Another custom field has this name already. Choose a different one.".to_owned(),
        ));
    }
    diesel::insert_into(custom_fields::table)
        .values(Row {
            name: field.name.clone(),
            label: field.label.clone(),
            kind: CustomFieldType::of(&field.kind).as_str().to_owned(),
            choices: choices_json(&field.kind),
            is_retired: false,
            created_at: now.naive_utc(),
            updated_at: now.naive_utc(),
            lock_version: 0,
        })
        .execute(conn)?;
    Ok(())
}

/// Saves label, choices and whether it is retired; name and type stay. `expected` is the version that the person read.
///
/// # Errors
/// `Stale` when it changed since, `NotFound` when it is gone.
pub fn save(
    conn: &mut AnyConn,
    defined: &DefinedField,
    expected: i64,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    lock_rules(conn)?;
    let changed = diesel::update(custom_fields::table.find(&defined.field.name))
        .filter(custom_fields::lock_version.eq(expected))
        .set((
            custom_fields::label.eq(&defined.field.label),
            custom_fields::choices.eq(choices_json(&defined.field.kind)),
            custom_fields::is_retired.eq(defined.is_retired),
            custom_fields::updated_at.eq(now.naive_utc()),
            custom_fields::lock_version.eq(expected + 1),
        ))
        .execute(conn)?;
    if changed == 0 {
        get(conn, &defined.field.name)?;
        return Err(StoreError::Stale("custom field"));
    }
    Ok(())
}

/// What uses a field.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldUse {
    /// Field mappings that fill it, by name.
    pub mappings: Vec<String>,
    /// Matching strategies that compare it, by name.
    pub strategies: Vec<String>,
    /// How many assignment rules look at it.
    pub rules: i64,
    /// Whether a lead has a value.
    pub has_values: bool,
}

impl FieldUse {
    /// Whether anything uses it: then it can be retired but not deleted.
    #[must_use]
    pub fn is_used(&self) -> bool {
        self.has_values
            || self.rules > 0
            || !self.mappings.is_empty()
            || !self.strategies.is_empty()
    }
}

/// Where a field is used. Looks through the leads that have custom values until one has this one.
///
/// # Errors
/// As any query.
pub fn usage(conn: &mut AnyConn, name: &str) -> Result<FieldUse, StoreError> {
    let word = FieldKey::Custom(name.to_owned()).word().into_owned();
    Ok(FieldUse {
        mappings: field_mappings::table
            .filter(field_mappings::target_field.eq(&word))
            .order(field_mappings::name.asc())
            .select(field_mappings::name)
            .limit(20)
            .load(conn)?,
        strategies: matching_strategy_fields::table
            .inner_join(matching_strategies::table)
            .filter(matching_strategy_fields::field.eq(&word))
            .order(matching_strategies::name.asc())
            .select(matching_strategies::name)
            .limit(20)
            .load(conn)?,
        rules: assignment_rules::table
            .filter(assignment_rules::condition_kind.eq("field_equals"))
            .filter(assignment_rules::condition_key.eq(&word))
            .count()
            .get_result(conn)?,
        has_values: leads::table
            // Names hold no quotes, and `_` is escaped: it would stand for any character.
            .filter(
                leads::custom_values
                    .like(format!("%\"{}\":%", name.replace('_', "\\_")))
                    .escape('\\'),
            )
            .select(leads::id)
            .first::<String>(conn)
            .optional()?
            .is_some(),
    })
}

/// Deletes a field that nothing uses.
///
/// # Errors
/// `Rule` when something uses it, `Stale` when it changed since, `NotFound` when it is gone.
pub fn delete(conn: &mut AnyConn, name: &str, expected: i64) -> Result<(), StoreError> {
    lock_rules(conn)?;
    if get(conn, name)?.lock_version != expected {
        return Err(StoreError::Stale("custom field"));
    }
    if usage(conn, name)?.is_used() {
        return Err(StoreError::Rule(
            "This field is used, so it cannot be deleted. Retire it instead: leads keep their values, and it is no longer offered."
                .to_owned(),
        ));
    }
    diesel::delete(custom_fields::table.find(name)).execute(conn)?;
    Ok(())
}
