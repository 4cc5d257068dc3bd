//! The database that the migrations make is the one that `src/store/schema.rs` describes, and the same on both systems.
//!
//! Each database is compared with one description. The run on SQLite and the run on PostgreSQL both compare with
//! `schema.rs`; constraints that it does not describe are read from the migrations.

use std::collections::{BTreeMap, BTreeSet};

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use leadgen::store::AnyConn;

use crate::support::TestDatabase;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Column {
    name: String,
    kind: String,
    is_nullable: bool,
}

/// Table → columns in order.
type Columns = BTreeMap<String, Vec<Column>>;
/// Table, columns in order, whether it is partial.
type Indexes = BTreeSet<(String, Vec<String>, bool)>;
/// Table, column, other table, other column, what a delete does.
type ForeignKeys = BTreeSet<(String, String, String, String, String)>;

#[derive(QueryableByName)]
struct ColumnRow {
    #[diesel(sql_type = Text)]
    table_name: String,
    #[diesel(sql_type = Text)]
    column_name: String,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = BigInt)]
    is_required: i64,
}

#[derive(QueryableByName)]
struct IndexRow {
    #[diesel(sql_type = Text)]
    table_name: String,
    #[diesel(sql_type = Text)]
    index_name: String,
    #[diesel(sql_type = Text)]
    column_name: String,
    #[diesel(sql_type = BigInt)]
    is_unique: i64,
    #[diesel(sql_type = BigInt)]
    is_partial: i64,
    #[diesel(sql_type = BigInt)]
    is_primary: i64,
}

#[derive(QueryableByName)]
struct ForeignKeyRow {
    #[diesel(sql_type = Text)]
    table_name: String,
    #[diesel(sql_type = Text)]
    column_name: String,
    #[diesel(sql_type = Text)]
    other_table: String,
    #[diesel(sql_type = Text)]
    other_column: String,
    #[diesel(sql_type = Text)]
    on_delete: String,
}

const DIESELS_OWN: &str = "__diesel_schema_migrations";

/// Tables that no query of `schema.rs` reads: Diesel's own, and SQLite's full-text indexes (`migrations/sqlite`).
fn is_internal(table: &str) -> bool {
    table == DIESELS_OWN
        || table.starts_with("lead_search")
        || table.starts_with("submission_search")
}

fn columns(conn: &mut AnyConn) -> Columns {
    let rows: Vec<ColumnRow> = match conn {
        AnyConn::Sqlite(c) => diesel::sql_query(
            "SELECT m.name AS table_name, p.name AS column_name, lower(p.type) AS kind, \
                    CAST(p.\"notnull\" AS BIGINT) AS is_required \
             FROM sqlite_master m JOIN pragma_table_info(m.name) p \
             WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' ORDER BY m.name, p.cid",
        )
        .load(c),
        AnyConn::Pg(c) => diesel::sql_query(
            "SELECT table_name::text, column_name::text, data_type::text AS kind, \
                    (CASE is_nullable WHEN 'NO' THEN 1 ELSE 0 END)::bigint AS is_required \
             FROM information_schema.columns WHERE table_schema = 'public' ORDER BY table_name, ordinal_position",
        )
        .load(c),
    }
    .unwrap();
    let mut columns = Columns::new();
    for row in rows {
        if is_internal(&row.table_name) {
            continue;
        }
        let kind = match row.kind.as_str() {
            "timestamp without time zone" => "timestamp",
            other => other,
        };
        columns.entry(row.table_name).or_default().push(Column {
            name: row.column_name,
            kind: kind.to_owned(),
            is_nullable: row.is_required == 0,
        });
    }
    columns
}

/// Primary keys, unique indexes and the others.
fn indexes(conn: &mut AnyConn) -> (BTreeMap<String, Vec<String>>, Indexes, Indexes) {
    let rows: Vec<IndexRow> = match conn {
        AnyConn::Sqlite(c) => diesel::sql_query(
            "SELECT m.name AS table_name, l.name AS index_name, i.name AS column_name, \
                    CAST(l.\"unique\" AS BIGINT) AS is_unique, CAST(l.partial AS BIGINT) AS is_partial, \
                    CAST(l.origin = 'pk' AS BIGINT) AS is_primary \
             FROM sqlite_master m JOIN pragma_index_list(m.name) l JOIN pragma_index_info(l.name) i \
             WHERE m.type = 'table' ORDER BY m.name, l.name, i.seqno",
        )
        .load(c),
        AnyConn::Pg(c) => diesel::sql_query(
            "SELECT t.relname::text AS table_name, i.relname::text AS index_name, a.attname::text AS column_name, \
                    x.indisunique::int::bigint AS is_unique, (x.indpred IS NOT NULL)::int::bigint AS is_partial, \
                    x.indisprimary::int::bigint AS is_primary \
             FROM pg_index x JOIN pg_class t ON t.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid \
             JOIN pg_namespace n ON n.oid = t.relnamespace AND n.nspname = 'public' \
             CROSS JOIN LATERAL unnest(x.indkey) WITH ORDINALITY AS k(attnum, place) \
             JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.attnum \
             ORDER BY t.relname, i.relname, k.place",
        )
        .load(c),
    }
    .unwrap();
    let mut by_name: BTreeMap<(String, String), (Vec<String>, IndexRow)> = BTreeMap::new();
    for row in rows {
        if is_internal(&row.table_name) {
            continue;
        }
        let key = (row.table_name.clone(), row.index_name.clone());
        let column = row.column_name.clone();
        by_name
            .entry(key)
            .or_insert_with(|| (Vec::new(), row))
            .0
            .push(column);
    }
    let mut primary = BTreeMap::new();
    let mut unique = Indexes::new();
    let mut plain = Indexes::new();
    for ((table, _), (columns, row)) in by_name {
        if row.is_primary == 1 {
            primary.insert(table, columns);
        } else if row.is_unique == 1 {
            unique.insert((table, columns, row.is_partial == 1));
        } else {
            plain.insert((table, columns, row.is_partial == 1));
        }
    }
    (primary, unique, plain)
}

fn foreign_keys(conn: &mut AnyConn) -> ForeignKeys {
    let rows: Vec<ForeignKeyRow> = match conn {
        AnyConn::Sqlite(c) => diesel::sql_query(
            "SELECT m.name AS table_name, f.\"from\" AS column_name, f.\"table\" AS other_table, \
                    f.\"to\" AS other_column, lower(f.on_delete) AS on_delete \
             FROM sqlite_master m JOIN pragma_foreign_key_list(m.name) f WHERE m.type = 'table'",
        )
        .load(c),
        AnyConn::Pg(c) => diesel::sql_query(
            "SELECT t.relname::text AS table_name, a.attname::text AS column_name, o.relname::text AS other_table, \
                    b.attname::text AS other_column, \
                    (CASE k.confdeltype WHEN 'c' THEN 'cascade' WHEN 'n' THEN 'set null' WHEN 'r' THEN 'restrict' \
                     ELSE 'no action' END)::text AS on_delete \
             FROM pg_constraint k JOIN pg_class t ON t.oid = k.conrelid JOIN pg_class o ON o.oid = k.confrelid \
             JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.conkey[1] \
             JOIN pg_attribute b ON b.attrelid = o.oid AND b.attnum = k.confkey[1] WHERE k.contype = 'f'",
        )
        .load(c),
    }
    .unwrap();
    rows.into_iter()
        .map(|row| {
            (
                row.table_name,
                row.column_name,
                row.other_table,
                row.other_column,
                row.on_delete,
            )
        })
        .collect()
}

fn source(path: &str) -> String {
    std::fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

struct Described {
    columns: Columns,
    primary: BTreeMap<String, Vec<String>>,
    joinable: BTreeSet<(String, String, String)>,
    allowed: BTreeSet<String>,
}

/// Reads `schema.rs`: our own file, in rustfmt's shape.
fn described() -> Described {
    let text = source("src/store/schema.rs");
    let mut columns = Columns::new();
    let mut primary = BTreeMap::new();
    let mut joinable = BTreeSet::new();
    let mut allowed = BTreeSet::new();
    let mut lines = text.lines().map(str::trim);
    while let Some(line) = lines.next() {
        if line == "diesel::table! {" {
            let mut head = lines.next().unwrap();
            while head.starts_with('/') || head.starts_with('#') || head.starts_with("use ") {
                head = lines.next().unwrap();
            }
            let (name, keys) = head.trim_end_matches('{').trim().split_once(' ').unwrap();
            primary.insert(
                name.to_owned(),
                keys.trim_matches(['(', ')'])
                    .split(',')
                    .map(|key| key.trim().to_owned())
                    .collect(),
            );
            let table = columns.entry(name.to_owned()).or_default();
            for line in lines.by_ref() {
                if line == "}" {
                    break;
                }
                let Some((name, kind)) = line.trim_end_matches(',').split_once(" -> ") else {
                    assert!(line.starts_with('/') || line.starts_with('#'), "{line}");
                    continue;
                };
                let inner = kind
                    .strip_prefix("Nullable<")
                    .and_then(|rest| rest.strip_suffix('>'));
                let sql = match inner.unwrap_or(kind) {
                    "Text" => "text",
                    "BigInt" => "bigint",
                    "Bool" => "boolean",
                    "Timestamp" => "timestamp",
                    "Binary" => "bytea",
                    other => panic!("{other} is outside of the portable subset"),
                };
                table.push(Column {
                    name: name.to_owned(),
                    kind: sql.to_owned(),
                    is_nullable: inner.is_some(),
                });
            }
        } else if let Some(rest) = line.strip_prefix("diesel::joinable!(") {
            let (from, rest) = rest.split_once(" -> ").unwrap();
            let (to, rest) = rest.split_once(" (").unwrap();
            let column = rest.trim_end_matches("));").trim_end_matches(");");
            joinable.insert((
                from.to_owned(),
                column.trim_end_matches(')').to_owned(),
                to.to_owned(),
            ));
        } else if line == "diesel::allow_tables_to_appear_in_same_query!(" {
            for line in lines.by_ref() {
                if line == ");" {
                    break;
                }
                allowed.insert(line.trim_end_matches(',').to_owned());
            }
        }
    }
    Described {
        columns,
        primary,
        joinable,
        allowed,
    }
}

/// The statements of all migrations, without comments.
fn migration_text() -> String {
    let mut folders: Vec<_> =
        std::fs::read_dir(format!("{}/migrations/common", env!("CARGO_MANIFEST_DIR")))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
    folders.sort();
    folders
        .iter()
        .map(|folder| std::fs::read_to_string(folder.join("up.sql")).unwrap())
        .flat_map(|text| {
            text.lines()
                .map(|line| line.split("--").next().unwrap().trim_end().to_owned())
                .collect::<Vec<_>>()
        })
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn tables_columns_and_nullability_are_those_of_schema_rs() {
    let database = TestDatabase::new();
    let found = columns(&mut database.conn());
    let described = described();
    assert_eq!(
        found.keys().collect::<Vec<_>>(),
        described.columns.keys().collect::<Vec<_>>()
    );
    for (table, columns) in &described.columns {
        // A table may have got columns by a later migration, so the order is not compared.
        let sorted = |columns: &[Column]| columns.iter().cloned().collect::<BTreeSet<_>>();
        assert_eq!(sorted(&found[table]), sorted(columns), "table {table}");
        assert_eq!(found[table].len(), columns.len(), "table {table}");
    }
}

#[test]
fn primary_keys_are_those_of_schema_rs() {
    let database = TestDatabase::new();
    let (primary, _, _) = indexes(&mut database.conn());
    assert_eq!(primary, described().primary);
}

#[test]
fn every_join_of_schema_rs_is_a_foreign_key_and_every_table_may_appear_in_a_query() {
    let database = TestDatabase::new();
    let keys = foreign_keys(&mut database.conn());
    let described = described();
    assert!(described.joinable.len() > 20, "schema.rs is read wrongly");
    for (table, column, other) in &described.joinable {
        assert!(
            keys.iter()
                .any(|(from, from_column, to, _, _)| from == table
                    && from_column == column
                    && to == other),
            "{table}.{column} → {other} is no foreign key"
        );
    }
    assert_eq!(
        described.allowed.iter().collect::<Vec<_>>(),
        described.columns.keys().collect::<Vec<_>>()
    );
}

#[test]
fn unique_indexes_are_those_of_the_migrations() {
    let database = TestDatabase::new();
    let (_, unique, plain) = indexes(&mut database.conn());
    let text = migration_text();
    let mut expected_unique = Indexes::new();
    let mut expected_plain = Indexes::new();
    let list = |columns: &str| {
        columns
            .split(',')
            .map(|column| column.trim().split(' ').next().unwrap().to_owned())
            .collect::<Vec<String>>()
    };
    let mut table = String::new();
    for line in text.lines().map(str::trim) {
        if let Some(rest) = line.strip_prefix("CREATE TABLE ") {
            table = rest.trim_end_matches(" (").to_owned();
        } else if let Some(rest) = line.strip_prefix("UNIQUE (") {
            let columns = rest.split(')').next().unwrap();
            expected_unique.insert((table.clone(), list(columns), false));
        } else if line.starts_with("CREATE INDEX ") || line.starts_with("CREATE UNIQUE INDEX ") {
            let (_, rest) = line.split_once(" ON ").unwrap();
            let (table, rest) = rest.split_once(" (").unwrap();
            let columns = rest.split(')').next().unwrap();
            let entry = (table.to_owned(), list(columns), line.contains(" WHERE "));
            if line.starts_with("CREATE UNIQUE") {
                expected_unique.insert(entry);
            } else {
                expected_plain.insert(entry);
            }
        } else if line.contains(" UNIQUE") {
            let column = line.split(' ').next().unwrap();
            expected_unique.insert((table.clone(), vec![column.to_owned()], false));
        }
    }
    assert_eq!(unique, expected_unique);
    assert_eq!(plain, expected_plain);
}

#[test]
fn foreign_keys_are_those_of_the_migrations_and_say_what_a_delete_does() {
    let database = TestDatabase::new();
    let keys = foreign_keys(&mut database.conn());
    let mut expected = ForeignKeys::new();
    let text = migration_text();
    let mut table = String::new();
    for line in text.lines().map(str::trim) {
        if let Some(rest) = line.strip_prefix("CREATE TABLE ") {
            table = rest.trim_end_matches(" (").to_owned();
        } else if let Some((before, rest)) = line.split_once(" REFERENCES ") {
            let column = before.split(' ').next().unwrap();
            let (other, rest) = rest.split_once(" (").unwrap();
            let (other_column, rest) = rest.split_once(')').unwrap();
            let on_delete = rest
                .split_once("ON DELETE ")
                .unwrap_or_else(|| panic!("{table}.{column} does not say what a delete does"))
                .1
                .trim_end_matches([',', ' '])
                .to_lowercase();
            expected.insert((
                table.clone(),
                column.to_owned(),
                other.to_owned(),
                other_column.to_owned(),
                on_delete,
            ));
        }
    }
    assert_eq!(keys, expected);
}

#[test]
fn every_state_column_lists_its_values() {
    let text = migration_text();
    let mut table = String::new();
    for line in text.lines().map(str::trim) {
        if let Some(rest) = line.strip_prefix("CREATE TABLE ") {
            table = rest.trim_end_matches(" (").to_owned();
        }
        let Some(column) = line.split(' ').next() else {
            continue;
        };
        // LinkedIn's own words are kept as they come.
        let is_state =
            (column == "status" || column.ends_with("_status") || column.ends_with("_state"))
                && line.contains(" TEXT")
                && !column.starts_with("linkedin_")
                && !matches!(column, "intended_status" | "before_state" | "after_state");
        if is_state {
            assert!(line.contains("CHECK ("), "{table}.{column} has no CHECK");
        }
    }
}
