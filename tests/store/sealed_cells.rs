//! The list of sealed columns is complete, and every entry of it can be read on both systems.

use std::collections::BTreeSet;

use leadgen::store::sealed_cells::{self, COLUMNS};

use crate::support::{System, TestDatabase};

/// Columns of bytes in which nothing is sealed.
const OPEN: [&str; 3] = [
    "form_submissions.content_hash",
    "lead_form_versions.raw",
    "submission_contents.raw",
];

#[test]
fn every_column_that_holds_sealed_values_is_rotated() {
    let database = TestDatabase::new();
    let columns = match database.system() {
        System::Sqlite => {
            "SELECT m.name || '.' || p.name FROM sqlite_schema m, pragma_table_info(m.name) p \
             WHERE m.type = 'table' AND (lower(p.type) = 'bytea' \
             OR p.name LIKE '%sealed%' OR p.name LIKE '%cipher%')"
        }
        System::Postgres => {
            "SELECT table_name || '.' || column_name FROM information_schema.columns \
             WHERE table_schema = current_schema() AND (data_type = 'bytea' \
             OR column_name LIKE '%sealed%' OR column_name LIKE '%cipher%')"
        }
    };
    let found: BTreeSet<String> = database
        .texts(columns)
        .into_iter()
        .filter(|column| !OPEN.contains(&column.as_str()))
        .collect();
    let listed: BTreeSet<String> = COLUMNS
        .iter()
        .map(|column| format!("{}.{}", column.table, column.column))
        .collect();
    assert_eq!(
        found, listed,
        "left: in the schema, right: in store::sealed_cells::COLUMNS. What is no sealed value is listed in this test"
    );
}

#[test]
fn every_sealed_column_can_be_read_by_the_key_that_sealed_it() {
    let database = TestDatabase::new();
    let conn = &mut database.conn();
    for column in COLUMNS {
        let cells = sealed_cells::sealed_with(conn, *column, b"12345", "", 10).unwrap();
        assert!(cells.is_empty(), "{column:?}");
    }
    assert!(sealed_cells::counts(conn, 5).unwrap().is_empty());
}
