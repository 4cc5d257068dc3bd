//! The limit that a program without any rules has: the rows that the job wrote, written again by prepared statements, one
//! row a statement, in batches of 1,000 submissions, one transaction a batch.

use std::collections::HashMap;
use std::time::Instant;

use leadgen::store::{DatabaseUrl, Store};

use crate::{Figures, cpu_seconds, figures};

/// What stands in a database before the first submission comes.
const BEFORE: &[&str] = &[
    "users",
    "linkedin_user_profiles",
    "linkedin_accounts",
    "campaigns",
    "lead_forms",
    "lead_form_versions",
];
/// What a batch writes, in the order of their references.
const BATCH: &[&str] = &[
    "leads",
    "lead_origins",
    "lead_match_keys",
    "form_submissions",
    "submission_contents",
    "lead_changes",
];
const BATCH_SIZE: usize = 1_000;

/// One table's rows; `V` is a cell of the driver.
struct Rows<V> {
    columns: Vec<String>,
    rows: Vec<Vec<V>>,
}

impl<V> Rows<V> {
    fn column(&self, name: &str) -> usize {
        self.columns
            .iter()
            .position(|column| column == name)
            .unwrap()
    }

    fn insert(&self, table: &str, placeholder: fn(usize) -> String) -> String {
        let values: Vec<String> = (1..=self.columns.len()).map(placeholder).collect();
        format!(
            "INSERT INTO {table} ({}) VALUES ({})",
            self.columns.join(", "),
            values.join(", ")
        )
    }
}

/// Of one table: the rows of each batch.
type Batches = Vec<Vec<usize>>;

/// For each table the batch of each of its rows, and the leads that a batch updates.
fn plan<V>(
    tables: &HashMap<&str, Rows<V>>,
    text: fn(&V) -> Option<&str>,
) -> (HashMap<&'static str, Batches>, Vec<Vec<String>>) {
    let submissions = &tables["form_submissions"];
    let (id, status, lead) = (
        submissions.column("id"),
        submissions.column("matching_status"),
        submissions.column("lead_id"),
    );
    let mut order: Vec<usize> = (0..submissions.rows.len()).collect();
    order.sort_by(|a, b| text(&submissions.rows[*a][id]).cmp(&text(&submissions.rows[*b][id])));
    let batches = order.len().div_ceil(BATCH_SIZE);
    let mut batch_of: HashMap<&str, usize> = HashMap::new();
    let mut updates = vec![Vec::new(); batches];
    for (position, row) in order.iter().enumerate() {
        let cells = &submissions.rows[*row];
        batch_of.insert(text(&cells[id]).unwrap(), position / BATCH_SIZE);
        if text(&cells[status]) == Some("updated_existing_lead") {
            updates[position / BATCH_SIZE].push(text(&cells[lead]).unwrap().to_owned());
        }
    }
    let origins = &tables["lead_origins"];
    let (origin_lead, first) = (
        origins.column("lead_id"),
        origins.column("first_submission_id"),
    );
    let lead_batch: HashMap<&str, usize> = origins
        .rows
        .iter()
        .map(|row| {
            (
                text(&row[origin_lead]).unwrap(),
                batch_of[text(&row[first]).unwrap()],
            )
        })
        .collect();
    let mut planned = HashMap::new();
    for table in BATCH {
        let rows = &tables[table];
        let key = match *table {
            "leads" | "form_submissions" => rows.column("id"),
            "lead_origins" | "lead_match_keys" => rows.column("lead_id"),
            _ => rows.column("submission_id"),
        };
        let by = if table.contains("lead") && *table != "lead_changes" {
            &lead_batch
        } else {
            &batch_of
        };
        let mut of_batch = vec![Vec::new(); batches];
        for (index, row) in rows.rows.iter().enumerate() {
            of_batch[by[text(&row[key]).unwrap()]].push(index);
        }
        planned.insert(*table, of_batch);
    }
    (planned, updates)
}

/// Copies what `job` holds to the fresh database `plain`, and measures the batches.
pub fn write(job: &str, plain: &str) -> Figures {
    let url: DatabaseUrl = plain.parse().unwrap();
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(async { Store::connect(&url, 2).unwrap().migrate().await.unwrap() });
    match job.strip_prefix("sqlite://") {
        Some(path) => sqlite(path, plain.strip_prefix("sqlite://").unwrap()),
        None => postgres(job, plain),
    }
}

fn sqlite(job: &str, plain: &str) -> Figures {
    use rusqlite::types::Value;
    use rusqlite::{Connection, params_from_iter};
    let source = Connection::open(job).unwrap();
    let mut target = Connection::open(plain).unwrap();
    target
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY; \
             PRAGMA cache_size = -16000;",
        )
        .unwrap();
    target.set_prepared_statement_cache_capacity(64);
    let read = |table: &str| {
        let mut statement = source.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let columns: Vec<String> = statement
            .column_names()
            .iter()
            .map(ToString::to_string)
            .collect();
        let rows = statement
            .query_map([], |row| (0..columns.len()).map(|i| row.get(i)).collect())
            .unwrap()
            .collect::<Result<Vec<Vec<Value>>, _>>()
            .unwrap();
        Rows { columns, rows }
    };
    let placeholder = |number: usize| format!("?{number}");
    target.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
    for table in BEFORE {
        let rows = read(table);
        for row in &rows.rows {
            target
                .execute(&rows.insert(table, placeholder), params_from_iter(row))
                .unwrap();
        }
    }
    target.execute_batch("PRAGMA foreign_keys = ON").unwrap();
    let tables: HashMap<&str, Rows<Value>> =
        BATCH.iter().map(|table| (*table, read(table))).collect();
    let (planned, updates) = plan(&tables, |value| match value {
        Value::Text(text) => Some(text),
        _ => None,
    });
    let (begun, cpu) = (Instant::now(), cpu_seconds());
    for (batch, updated) in updates.iter().enumerate() {
        let transaction = target
            .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
            .unwrap();
        for table in BATCH {
            let rows = &tables[table];
            let mut statement = transaction
                .prepare_cached(&rows.insert(table, placeholder))
                .unwrap();
            for index in &planned[table][batch] {
                statement
                    .execute(params_from_iter(&rows.rows[*index]))
                    .unwrap();
            }
        }
        let mut lead = transaction
            .prepare_cached("UPDATE leads SET job_title = job_title, updated_at = updated_at, lock_version = lock_version WHERE id = ?1")
            .unwrap();
        let mut origin = transaction
            .prepare_cached("UPDATE lead_origins SET submission_count = submission_count, provenance = provenance WHERE lead_id = ?1")
            .unwrap();
        for id in updated {
            lead.execute([id]).unwrap();
            origin.execute([id]).unwrap();
        }
        drop((lead, origin));
        transaction.commit().unwrap();
    }
    figures(begun, cpu)
}

/// A cell of PostgreSQL, of the five types that the schema has.
#[derive(Debug)]
enum Cell {
    Text(Option<String>),
    Number(Option<i64>),
    Truth(Option<bool>),
    Moment(Option<chrono::NaiveDateTime>),
    Bytes(Option<Vec<u8>>),
}

impl Cell {
    fn parameter(&self) -> &(dyn postgres::types::ToSql + Sync) {
        match self {
            Self::Text(value) => value,
            Self::Number(value) => value,
            Self::Truth(value) => value,
            Self::Moment(value) => value,
            Self::Bytes(value) => value,
        }
    }
}

fn postgres(job: &str, plain: &str) -> Figures {
    use postgres::types::Type;
    use postgres::{Client, NoTls};
    let mut source = Client::connect(job, NoTls).unwrap();
    let mut target = Client::connect(plain, NoTls).unwrap();
    let mut read = |table: &str| {
        let rows = source
            .query(&format!("SELECT * FROM {table}"), &[])
            .unwrap();
        let statement = source.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let columns: Vec<String> = statement
            .columns()
            .iter()
            .map(|c| c.name().to_owned())
            .collect();
        let cells = |row: &postgres::Row| {
            (0..columns.len())
                .map(|i| match *statement.columns()[i].type_() {
                    Type::TEXT => Cell::Text(row.get(i)),
                    Type::INT8 => Cell::Number(row.get(i)),
                    Type::BOOL => Cell::Truth(row.get(i)),
                    Type::TIMESTAMP => Cell::Moment(row.get(i)),
                    Type::BYTEA => Cell::Bytes(row.get(i)),
                    ref other => panic!("no cell for {other}"),
                })
                .collect()
        };
        let rows = rows.iter().map(cells).collect();
        Rows { columns, rows }
    };
    let placeholder = |number: usize| format!("${number}");
    for table in BEFORE {
        let mut rows = read(table);
        // Who authorised it and where to: rows of tables that are not copied.
        for column in ["organization_id", "fallback_owner_id"] {
            if let Some(at) = rows.columns.iter().position(|name| name == column) {
                rows.rows
                    .iter_mut()
                    .for_each(|row| row[at] = Cell::Text(None));
            }
        }
        for row in &rows.rows {
            let values: Vec<_> = row.iter().map(Cell::parameter).collect();
            target
                .execute(&rows.insert(table, placeholder), &values)
                .unwrap();
        }
    }
    let tables: HashMap<&str, Rows<Cell>> =
        BATCH.iter().map(|table| (*table, read(table))).collect();
    let (planned, updates) = plan(&tables, |cell| match cell {
        Cell::Text(text) => text.as_deref(),
        _ => None,
    });
    let (begun, cpu) = (Instant::now(), cpu_seconds());
    let inserts: HashMap<&str, postgres::Statement> = BATCH
        .iter()
        .map(|table| {
            (
                *table,
                target
                    .prepare(&tables[table].insert(table, placeholder))
                    .unwrap(),
            )
        })
        .collect();
    let lead = target
        .prepare("UPDATE leads SET job_title = job_title, updated_at = updated_at, lock_version = lock_version WHERE id = $1")
        .unwrap();
    let origin = target
        .prepare("UPDATE lead_origins SET submission_count = submission_count, provenance = provenance WHERE lead_id = $1")
        .unwrap();
    for (batch, updated) in updates.iter().enumerate() {
        let mut transaction = target.transaction().unwrap();
        for table in BATCH {
            for index in &planned[table][batch] {
                let values: Vec<_> = tables[table].rows[*index]
                    .iter()
                    .map(Cell::parameter)
                    .collect();
                transaction.execute(&inserts[table], &values).unwrap();
            }
        }
        for id in updated {
            transaction.execute(&lead, &[id]).unwrap();
            transaction.execute(&origin, &[id]).unwrap();
        }
        transaction.commit().unwrap();
    }
    figures(begun, cpu)
}

/// A fresh database on the server of `url`; returns its URL.
pub fn fresh_postgres(url: &str, name: &str) -> String {
    let mut client = postgres::Client::connect(url, postgres::NoTls).unwrap();
    let name = format!("leadgen_bench_{name}");
    client
        .batch_execute(&format!("DROP DATABASE IF EXISTS {name}"))
        .unwrap();
    client
        .batch_execute(&format!("CREATE DATABASE {name}"))
        .unwrap();
    let mut fresh = url::Url::parse(url).unwrap();
    fresh.set_path(&format!("/{name}"));
    fresh.to_string()
}
