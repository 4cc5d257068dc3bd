//! One table: its columns, its alternate keys, its rows, and what finds a row without searching all of them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use uuid::Uuid;

use super::cell::Cell;
use super::columns::{Column, Kind, Required, name_id};
use super::exchange::Refusal;

/// A row's values that are not null, by column.
pub(super) type Values = BTreeMap<Arc<str>, Cell>;

/// A record.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    pub(super) version: u64,
    pub(super) values: Values,
}

/// An alternate key.
#[derive(Debug, Clone)]
pub(super) struct AlternateKey {
    /// Lower case.
    pub(super) name: String,
    pub(super) schema_name: String,
    pub(super) columns: Vec<Arc<str>>,
    pub(super) metadata_id: Uuid,
    /// The index is being built until then, in milliseconds since 1970.
    pub(super) active_from_ms: i64,
    /// The rows were no unique ones.
    pub(super) failed: bool,
    rows: HashMap<Vec<String>, Uuid>,
}

/// A table.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) logical: &'static str,
    /// As privileges and schema names spell it.
    pub(super) schema_name: &'static str,
    pub(super) set: &'static str,
    pub(super) id_column: &'static str,
    pub(super) name_column: &'static str,
    pub(super) object_type_code: u32,
    pub(super) metadata_id: Uuid,
    pub(super) columns: BTreeMap<Arc<str>, Column>,
    pub(super) keys: Vec<AlternateKey>,
    rows: BTreeMap<Uuid, Row>,
    by_value: HashMap<Arc<str>, HashMap<String, BTreeSet<Uuid>>>,
    /// What changed last, in the order in which it changed.
    by_version: BTreeMap<u64, Uuid>,
    /// Version of the deletion, and the record that went.
    gone: BTreeMap<u64, Uuid>,
}

impl Table {
    pub(super) fn new(
        (logical, schema_name, set): (&'static str, &'static str, &'static str),
        (id_column, name_column): (&'static str, &'static str),
        object_type_code: u32,
        columns: Vec<Column>,
    ) -> Self {
        let id = Column::new(id_column, schema_name, Kind::Id)
            .required(Required::System)
            .create_only();
        let columns: BTreeMap<Arc<str>, Column> = columns
            .into_iter()
            .chain([id])
            .map(|mut column| {
                column.metadata_id = name_id(&format!("{logical}.{}", column.name));
                (Arc::clone(&column.name), column)
            })
            .collect();
        let by_value = columns
            .values()
            .filter(|column| column.indexed || column.is_lookup())
            .filter(|column| *column.name != *"createdby" && *column.name != *"modifiedby")
            .filter(|column| *column.name != *"owningbusinessunit")
            .map(|column| (Arc::clone(&column.name), HashMap::new()))
            .collect();
        Self {
            logical,
            schema_name,
            set,
            id_column,
            name_column,
            object_type_code,
            metadata_id: name_id(logical),
            columns,
            keys: Vec::new(),
            rows: BTreeMap::new(),
            by_value,
            by_version: BTreeMap::new(),
            gone: BTreeMap::new(),
        }
    }

    pub(super) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.get(name)
    }

    /// The column that a property of the Web API reads: `_ownerid_value` is `ownerid`.
    pub(super) fn read_property(&self, property: &str) -> Option<&Column> {
        let lookup = property
            .strip_prefix('_')
            .and_then(|rest| rest.strip_suffix("_value"))
            .and_then(|name| self.columns.get(name))
            .filter(|column| column.is_lookup());
        lookup.or_else(|| {
            self.columns
                .get(property)
                .filter(|column| !column.is_lookup())
        })
    }

    /// The lookup that a navigation property binds, and the tables that this property may bind to.
    pub(super) fn navigation(&self, property: &str) -> Option<(&Column, Vec<&'static str>)> {
        self.columns.values().find_map(|column| {
            let Kind::Lookup { targets, .. } = &column.kind else {
                return None;
            };
            let tables: Vec<&'static str> = targets
                .iter()
                .filter(|(_, navigation)| navigation == property)
                .map(|(table, _)| *table)
                .collect();
            (!tables.is_empty()).then_some((column, tables))
        })
    }

    pub(super) fn row(&self, id: Uuid) -> Option<&Row> {
        self.rows.get(&id)
    }

    pub(super) fn rows(&self) -> &BTreeMap<Uuid, Row> {
        &self.rows
    }

    /// The records that changed last, the newest first.
    pub(super) fn newest(&self, most: usize) -> Vec<Uuid> {
        self.by_version.values().rev().take(most).copied().collect()
    }

    /// The records that are there and changed after a version, in the order of their changes.
    pub(super) fn changed_after(&self, version: u64) -> impl Iterator<Item = (u64, Uuid)> + '_ {
        after(&self.by_version, version)
    }

    /// The records that were deleted after a version, in that order; some may be there again.
    pub(super) fn gone_after(&self, version: u64) -> impl Iterator<Item = (u64, Uuid)> + '_ {
        after(&self.gone, version)
    }

    /// The rows that hold this text in an indexed column; nothing when the column is not indexed.
    pub(super) fn holding(&self, column: &str, key: &str) -> Option<BTreeSet<Uuid>> {
        let index = self.by_value.get(column)?;
        Some(index.get(key).cloned().unwrap_or_default())
    }

    /// The row with these values of an alternate key.
    pub(super) fn by_key(&self, key: &AlternateKey, values: &[String]) -> Option<Uuid> {
        key.rows.get(values).copied()
    }

    /// Puts a row there, or takes it away; gives the row that was there. Refuses what an alternate key
    /// forbids. A row that goes is remembered as gone at that version.
    pub(super) fn put(
        &mut self,
        id: Uuid,
        row: Option<Row>,
        gone_at: Option<u64>,
    ) -> Result<Option<Row>, Refusal> {
        if let Some(row) = &row {
            for key in self.keys.iter().filter(|key| !key.failed) {
                let taken = key_values(&key.columns, &row.values)
                    .and_then(|values| key.rows.get(&values).copied())
                    .is_some_and(|other| other != id);
                if taken {
                    return Err(violated(key));
                }
            }
        }
        let before = self.rows.remove(&id);
        if let Some(before) = &before {
            self.by_version.remove(&before.version);
            for (column, index) in &mut self.by_value {
                if let Some(cell) = before.values.get(column) {
                    let key = cell.index_key();
                    if let Some(ids) = index.get_mut(&key) {
                        ids.remove(&id);
                        if ids.is_empty() {
                            index.remove(&key);
                        }
                    }
                }
            }
            for key in &mut self.keys {
                if let Some(values) = key_values(&key.columns, &before.values)
                    && key.rows.get(&values) == Some(&id)
                {
                    key.rows.remove(&values);
                }
            }
        }
        match row {
            Some(row) => {
                for (column, index) in &mut self.by_value {
                    if let Some(cell) = row.values.get(column) {
                        index.entry(cell.index_key()).or_default().insert(id);
                    }
                }
                for key in &mut self.keys {
                    if let Some(values) = key_values(&key.columns, &row.values) {
                        key.rows.entry(values).or_insert(id);
                    }
                }
                self.by_version.insert(row.version, id);
                self.rows.insert(id, row);
            }
            None => {
                if let Some(version) = gone_at {
                    self.gone.insert(version, id);
                }
            }
        }
        Ok(before)
    }

    /// Adds a column and, for text, its index.
    pub(super) fn add_column(&mut self, column: Column) {
        if column.indexed {
            self.by_value
                .insert(Arc::clone(&column.name), HashMap::new());
        }
        self.columns.insert(Arc::clone(&column.name), column);
    }

    /// Adds an alternate key over the rows there are; it fails when they are not unique.
    pub(super) fn add_key(
        &mut self,
        schema_name: &str,
        columns: Vec<Arc<str>>,
        active_from_ms: i64,
    ) -> Uuid {
        let mut rows = HashMap::new();
        let mut failed = false;
        for (id, row) in &self.rows {
            if let Some(values) = key_values(&columns, &row.values) {
                failed |= rows.insert(values, *id).is_some();
            }
        }
        let metadata_id = name_id(&format!("{}.key.{schema_name}", self.logical));
        self.keys.push(AlternateKey {
            name: schema_name.to_lowercase(),
            schema_name: schema_name.to_owned(),
            columns,
            metadata_id,
            active_from_ms,
            failed,
            rows,
        });
        metadata_id
    }
}

fn after(versions: &BTreeMap<u64, Uuid>, version: u64) -> impl Iterator<Item = (u64, Uuid)> + '_ {
    versions
        .range((Bound::Excluded(version), Bound::Unbounded))
        .map(|(version, id)| (*version, *id))
}

/// The values of a key's columns as it compares them; nothing where one of them is null, which is not checked.
pub(super) fn key_values(columns: &[Arc<str>], values: &Values) -> Option<Vec<String>> {
    columns
        .iter()
        .map(|column| values.get(column).map(Cell::index_key))
        .collect()
}

fn violated(key: &AlternateKey) -> Refusal {
    let columns: Vec<&str> = key.columns.iter().map(AsRef::as_ref).collect();
    Refusal::new(
        412,
        "0x80060892",
        format!(
            "Entity Key {} violated. A record with the same value for {} already exists. A duplicate record cannot be created. Select one or more unique values and try again.",
            key.schema_name,
            columns.join(", ")
        ),
    )
}
