//! Which record an address names: by its id, or by the values of an alternate key.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::cell::{self, Cell};
use super::columns::Kind;
use super::data::Data;
use super::exchange::{Refusal, segments};
use super::table::{AlternateKey, Table, Values, key_values};

/// What a path or an `@odata.id` names.
#[derive(Debug, Clone)]
pub(super) enum Target {
    Id(Uuid),
    /// By an alternate key: its values, and the record that has them.
    Key(Values, Option<Uuid>),
}

impl Target {
    /// The record, whether it is there or not.
    pub(super) fn id(&self) -> Option<Uuid> {
        match self {
            Self::Id(id) => Some(*id),
            Self::Key(_, found) => *found,
        }
    }
}

/// Reads the text between the parentheses: a GUID, or columns of an alternate key with their values.
pub(super) fn target(table: &Table, key: &str, now: DateTime<Utc>) -> Result<Target, Refusal> {
    if let Ok(id) = Uuid::try_parse(key) {
        return Ok(Target::Id(id));
    }
    let mut values = Values::new();
    for (name, raw) in key_pairs(key)? {
        if name == table.id_column {
            let id = Uuid::try_parse(&raw).map_err(|_| bad_key(key))?;
            return Ok(Target::Id(id));
        }
        let column = table.read_property(&name).ok_or_else(|| not_a_key(table))?;
        let value = match (&column.kind, raw.strip_prefix('\'')) {
            (_, Some(text)) => {
                Value::String(text.strip_suffix('\'').unwrap_or(text).replace("''", "'"))
            }
            (Kind::Text { .. } | Kind::Memo { .. }, None) => return Err(bad_key(key)),
            (Kind::Lookup { targets, .. }, None) => {
                let id = Uuid::try_parse(&raw).map_err(|_| bad_key(key))?;
                let table = targets.first().map_or("", |(table, _)| table);
                values.insert(Arc::clone(&column.name), Cell::Reference(table, id));
                continue;
            }
            (_, None) => serde_json::from_str(&raw).unwrap_or(Value::String(raw)),
        };
        if let Value::String(text) = &value
            && let Some(c) = text.chars().find(|c| "/<>*%&:\\?+".contains(*c))
        {
            return Err(Refusal::new(
                400,
                "0x0",
                format!(
                    "A potentially dangerous Request.Path value was detected from the client ({c})."
                ),
            ));
        }
        let cell = cell::read(table.logical, column, &value)?.ok_or_else(|| bad_key(key))?;
        values.insert(Arc::clone(&column.name), cell);
    }
    let known = key_of(table, &values, now)?;
    let wanted = key_values(&known.columns, &values).unwrap_or_default();
    let found = table.by_key(known, &wanted);
    Ok(Target::Key(values, found))
}

/// The alternate key with these columns, when its index is built.
fn key_of<'a>(
    table: &'a Table,
    values: &Values,
    now: DateTime<Utc>,
) -> Result<&'a AlternateKey, Refusal> {
    table
        .keys
        .iter()
        .filter(|key| !key.failed && key.active_from_ms <= now.timestamp_millis())
        .find(|key| {
            key.columns.len() == values.len()
                && key.columns.iter().all(|column| values.contains_key(column))
        })
        .ok_or_else(|| not_a_key(table))
}

fn not_a_key(table: &Table) -> Refusal {
    Refusal::new(
        400,
        "0x80060890",
        format!(
            "The specified key attributes are not a defined key for the {} entity",
            table.logical
        ),
    )
}

fn bad_key(key: &str) -> Refusal {
    Refusal::query(format!("Bad Request - Error in query syntax near '{key}'."))
}

/// Splits `a='x,y',b=2` outside of quotes.
fn key_pairs(key: &str) -> Result<Vec<(String, String)>, Refusal> {
    let mut quoted = false;
    let mut pairs = Vec::new();
    for part in key.split(|c| {
        if c == '\'' {
            quoted = !quoted;
        }
        c == ',' && !quoted
    }) {
        let (name, value) = part.split_once('=').ok_or_else(|| bad_key(key))?;
        pairs.push((name.trim().to_owned(), value.trim().to_owned()));
    }
    Ok(pairs)
}

/// No record has these values of an alternate key.
pub(super) fn no_key_record(table: &Table) -> Refusal {
    Refusal::new(
        404,
        "0x80060891",
        format!(
            "A record with the specified key values does not exist in {} entity",
            table.logical
        ),
    )
}

/// The record that `/systemusers(…)` names: relative, with or without the slash, or absolute.
pub(super) fn bound(
    data: &Data,
    tables: &[&'static str],
    address: &str,
    now: DateTime<Utc>,
) -> Result<Cell, Refusal> {
    let wrong = || {
        Refusal::payload(&format!(
            "The URI '{address}' is not valid for this navigation property."
        ))
    };
    let last = segments(address).pop().ok_or_else(wrong)?;
    let table = data
        .set(&last.name)
        .filter(|table| tables.contains(&table.logical))
        .ok_or_else(wrong)?;
    let key = last.key.ok_or_else(wrong)?;
    let id = match target(table, &key, now)? {
        Target::Id(id) => table
            .row(id)
            .map(|_| id)
            .ok_or_else(|| Refusal::no_record(table.logical, id))?,
        Target::Key(_, found) => found.ok_or_else(|| no_key_record(table))?,
    };
    Ok(Cell::Reference(table.logical, id))
}
