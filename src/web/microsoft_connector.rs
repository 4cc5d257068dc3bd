//! Coming from the Microsoft connector: its exported tables are uploaded, each row says what it becomes, and all of it is brought
//! along at once.

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use actix_web::web::Data;
use askama::Template;
use serde::Deserialize;
use serde_json::json;

use super::lead_imports::csv_file::{Rows, shape};
use super::page::StateTab;
use super::upload::Upload;
use super::{Answer, FieldErrors, Flash, Portal, Query, Shell, WebError};
use crate::domain::microsoft_connector::{
    ConnectorRecord, ConnectorTable, Outcome, RecordCells, folded, recognise, record_of,
};
use crate::store::audit::{self, Actor};
use crate::store::connector_records::{self, RecordListed};
use crate::store::{AnyConn, StoreError};
use crate::sync::moving_in;

/// Where the page is.
pub const PATH: &str = "/settings/microsoft-connector";
/// Where files are sent.
pub const FILES: &str = "/settings/microsoft-connector/files";
/// Where the rows are.
const ROWS: &str = "/settings/microsoft-connector/rows";
/// The largest file, in bytes.
pub const MAX_FILE: usize = 32 * 1024 * 1024;
/// Records of one table that are kept at once: all of them are looked at together.
const MAX_RECORDS: i64 = 50_000;
/// Records that are stored by one call.
const BATCH: usize = 2_000;

/// What stands in a row of the table of tables.
struct TableLine {
    table: ConnectorTable,
    counts: BTreeMap<Outcome, i64>,
}

impl TableLine {
    fn count(&self, outcome: &Outcome) -> i64 {
        self.counts.get(outcome).copied().unwrap_or(0)
    }

    fn total(&self) -> i64 {
        self.counts.values().sum()
    }

    fn path(&self, outcome: &Outcome) -> String {
        format!(
            "{ROWS}?table={}&outcome={}",
            self.table.as_str(),
            outcome.as_str()
        )
    }
}

#[derive(Template)]
#[template(path = "microsoft_connector/show.html")]
struct MicrosoftConnectorShow {
    shell: Shell,
    lines: Vec<TableLine>,
    errors: FieldErrors,
    table: String,
}

impl MicrosoftConnectorShow {
    fn to_bring(&self) -> i64 {
        self.lines
            .iter()
            .map(|line| line.count(&Outcome::Becomes))
            .sum()
    }

    fn button(&self) -> String {
        match self.to_bring() {
            1 => "Bring 1 record along".to_owned(),
            count => format!("Bring {count} records along"),
        }
    }

    fn has_records(&self) -> bool {
        self.lines.iter().any(|line| line.total() > 0)
    }

    fn tables(&self) -> Vec<(String, String)> {
        ConnectorTable::ALL
            .iter()
            .map(|table| {
                (
                    table.as_str().to_owned(),
                    format!("{} ({})", table.label(), table.logical_name()),
                )
            })
            .collect()
    }

    fn limits(&self) -> String {
        format!(
            "At most {} MiB, and {MAX_RECORDS} rows of a table at a time. UTF-8, UTF-16 and Windows-1252, separated by commas, \
             semicolons or tabs, are recognized.",
            MAX_FILE / 1024 / 1024
        )
    }
}

async fn page(
    portal: &Portal,
    shell: Shell,
    table: String,
    errors: FieldErrors,
    status: StatusCode,
) -> Answer {
    let counts = portal.store.read(connector_records::counts).await?;
    let lines = ConnectorTable::ALL
        .iter()
        .map(|table| TableLine {
            table: *table,
            counts: Outcome::ALL
                .iter()
                .filter_map(|outcome| Some((*outcome, *counts.get(&(*table, *outcome))?)))
                .collect(),
        })
        .collect();
    let page = MicrosoftConnectorShow {
        shell,
        lines,
        errors,
        table,
    };
    page.shell.render(status, &page)
}

/// GET /settings/microsoft-connector
///
/// # Errors
/// As the database.
pub async fn show(portal: Data<Portal>, shell: Shell) -> Answer {
    page(
        &portal,
        shell,
        String::new(),
        FieldErrors::new(),
        StatusCode::OK,
    )
    .await
}

/// A file that was read: its table and its records, each key once.
struct ReadFile {
    table: ConnectorTable,
    records: Vec<ConnectorRecord>,
    rows: usize,
}

/// Reads a whole file. The error is the field and a sentence about it.
fn read(upload: &Upload) -> Result<(String, ReadFile), (&'static str, String)> {
    let of_file = |problem: String| ("file", problem);
    let file = upload
        .file("file")
        .ok_or_else(|| of_file("Choose a CSV file.".to_owned()))?;
    let chosen = upload.field("table").unwrap_or_default();
    let shape = shape(&file.bytes).map_err(of_file)?;
    let mut rows = Rows::new(file.bytes.clone(), shape);
    let headers: Vec<String> = rows
        .next()
        .map_err(of_file)?
        .unwrap_or_default()
        .iter()
        .map(|header| folded(header))
        .collect();
    let table = if chosen.is_empty() {
        recognise(&headers, &file.name).ok_or_else(|| {
            (
                "table",
                "The columns of the file are those of no table of the connector. Say which table it is, or look whether its first row \
                 names the columns."
                    .to_owned(),
            )
        })?
    } else {
        chosen
            .parse()
            .map_err(|_| ("table", "Choose one of the tables.".to_owned()))?
    };
    let mut records: BTreeMap<String, ConnectorRecord> = BTreeMap::new();
    let mut count = 0;
    while let Some(row) = rows.next().map_err(of_file)? {
        count += 1;
        if let Some(record) = record_of(table, RecordCells::of(&headers, &row)) {
            records.insert(record.key.clone(), record);
        }
    }
    if records.is_empty() {
        return Err(of_file(format!(
            "No row of the file identifies a record of the table {}. Export its columns with their names in the first row.",
            table.logical_name()
        )));
    }
    let read = ReadFile {
        table,
        records: records.into_values().collect(),
        rows: count,
    };
    Ok((file.name.chars().take(200).collect(), read))
}

/// POST /settings/microsoft-connector/files: keeps the rows of a file and works out what becomes of everything.
///
/// # Errors
/// As the database.
pub async fn create(portal: Data<Portal>, shell: Shell, actor: Actor, upload: Upload) -> Answer {
    let (name, read) = match read(&upload) {
        Ok(found) => found,
        Err((field, problem)) => {
            let mut errors = FieldErrors::new();
            errors.add(field, problem);
            let table = upload.field("table").unwrap_or_default().to_owned();
            return page(
                &portal,
                shell,
                table,
                errors,
                StatusCode::UNPROCESSABLE_ENTITY,
            )
            .await;
        }
    };
    let ReadFile {
        table,
        records,
        rows,
    } = read;
    let now = portal.clock.now();
    let kept = records.len();
    let outcome = portal
        .store
        .write(move |tx| {
            for batch in records.chunks(BATCH) {
                connector_records::add(tx, table, &name, batch, now)?;
            }
            if connector_records::count(tx, table)? > MAX_RECORDS {
                return Err(StoreError::Rule(format!(
                    "More than {MAX_RECORDS} rows of this table would be kept at once. Bring along what is here, throw it away, and \
                     upload the rest in parts."
                )));
            }
            moving_in::check(tx)?;
            let object = ("microsoft_connector", table.as_str(), name.as_str());
            let what = json!({ "table": table.logical_name(), "rows": rows, "records": records.len() });
            audit::record(tx, now, &actor, "microsoft_connector.uploaded", object, None, Some(what))
        })
        .await;
    match outcome {
        Ok(()) => {
            let skipped = rows - kept;
            let mut text = format!(
                "{kept} {} of “{}” read. Nothing is brought along yet.",
                if kept == 1 { "record" } else { "records" },
                table.label()
            );
            if skipped > 0 {
                text.push_str(&format!(
                    " {skipped} {} blank or repeated in the file.",
                    if skipped == 1 { "row was" } else { "rows were" }
                ));
            }
            Ok(shell.redirect(PATH).flash(Flash::success(text)))
        }
        Err(StoreError::Rule(rule)) => {
            let mut errors = FieldErrors::new();
            errors.add("file", rule);
            page(
                &portal,
                shell,
                table.as_str().to_owned(),
                errors,
                StatusCode::UNPROCESSABLE_ENTITY,
            )
            .await
        }
        Err(error) => Err(error.into()),
    }
}

/// POST /settings/microsoft-connector/check: works out again what becomes of everything.
///
/// # Errors
/// As the database.
pub async fn check(portal: Data<Portal>, shell: Shell) -> Answer {
    portal.store.write(moving_in::check).await?;
    let text = "Every row was looked at again. Nothing is brought along yet.";
    Ok(shell.redirect(PATH).flash(Flash::success(text)))
}

/// POST /settings/microsoft-connector/application: brings along what can come.
///
/// # Errors
/// As the database.
pub async fn apply(portal: Data<Portal>, shell: Shell, actor: Actor) -> Answer {
    let (inner, now) = (portal.clone(), portal.clock.now());
    let done = portal
        .store
        .write(move |tx| moving_in::apply(tx, &actor, now, || inner.new_id()))
        .await;
    let flash = match done {
        Ok(done) => match done.values().sum::<i64>() {
            0 => Flash::notice("Nothing was to be brought along.".to_owned()),
            1 => Flash::success("1 record was brought along.".to_owned()),
            count => Flash::success(format!("{count} records were brought along.")),
        },
        Err(StoreError::Rule(rule)) => Flash::failure(format!("Nothing was brought along. {rule}")),
        Err(error) => return Err(error.into()),
    };
    Ok(shell.redirect(PATH).flash(flash))
}

/// POST /settings/microsoft-connector/deletion: throws the uploaded rows away.
///
/// # Errors
/// As the database.
pub async fn destroy(portal: Data<Portal>, shell: Shell, actor: Actor) -> Answer {
    let now = portal.clock.now();
    portal
        .store
        .write::<_, StoreError>(move |tx| {
            let count = connector_records::clear(tx)?;
            let object = ("microsoft_connector", "records", "Microsoft connector");
            let what = json!({ "records": count });
            audit::record(
                tx,
                now,
                &actor,
                "microsoft_connector.thrown_away",
                object,
                Some(what),
                None,
            )
        })
        .await?;
    let text = "The uploaded rows were thrown away. What was brought along stays.";
    Ok(shell.redirect(PATH).flash(Flash::success(text)))
}

/// Which rows.
#[derive(Debug, Default, Deserialize)]
pub struct RowsQuery {
    table: Option<ConnectorTable>,
    outcome: Option<Outcome>,
    after: Option<String>,
}

#[derive(Template)]
#[template(path = "microsoft_connector/rows.html")]
struct MicrosoftConnectorRows {
    shell: Shell,
    table: ConnectorTable,
    tabs: Vec<StateTab>,
    rows: Vec<RecordListed>,
    is_first: bool,
    next: Option<String>,
}

/// The address of rows.
fn rows_path(
    table: ConnectorTable,
    outcome: Option<Outcome>,
    after: Option<&str>,
) -> Result<String, WebError> {
    let mut fields = vec![("table", table.as_str())];
    fields.extend(outcome.map(|outcome| ("outcome", outcome.as_str())));
    fields.extend(after.map(|after| ("after", after)));
    serde_html_form::to_string(fields)
        .map(|query| format!("{ROWS}?{query}"))
        .map_err(|error| WebError::Internal(error.to_string()))
}

/// GET /settings/microsoft-connector/rows
///
/// # Errors
/// As the database.
pub async fn rows(portal: Data<Portal>, shell: Shell, Query(query): Query<RowsQuery>) -> Answer {
    let first = ConnectorTable::ALL.first().copied();
    let Some(table) = query.table.or(first) else {
        return Err(WebError::NotFound);
    };
    let (outcome, after) = (query.outcome, query.after.unwrap_or_default());
    let is_first = after.is_empty();
    let ((rows, has_more), counts) = portal
        .store
        .read(move |conn: &mut AnyConn| {
            Ok::<_, StoreError>((
                connector_records::list(conn, table, outcome, &after)?,
                connector_records::counts(conn)?,
            ))
        })
        .await?;
    let count = |wanted: Option<Outcome>| -> i64 {
        counts
            .iter()
            .filter(|((of, outcome), _)| *of == table && wanted.is_none_or(|one| one == *outcome))
            .map(|(_, count)| count)
            .sum()
    };
    let tabs = std::iter::once(None)
        .chain(Outcome::ALL.iter().copied().map(Some))
        .map(|of| {
            Ok(StateTab {
                label: of.map_or("All", Outcome::label).to_owned(),
                count: Some(count(of).to_string()),
                path: rows_path(table, of, None)?,
                is_current: of == outcome,
            })
        })
        .collect::<Result<_, WebError>>()?;
    let next = match rows.last() {
        Some(last) if has_more => Some(rows_path(table, outcome, Some(&last.key))?),
        _ => None,
    };
    let page = MicrosoftConnectorRows {
        shell,
        table,
        tabs,
        rows,
        is_first,
        next,
    };
    page.shell.render(StatusCode::OK, &page)
}
