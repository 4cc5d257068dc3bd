//! Coming from the Microsoft connector: its exported tables are uploaded, each row says what it becomes, and all of it is brought
//! along at once.

mod file;

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use actix_web::web::Data;
use askama::Template;
use serde::Deserialize;
use serde_json::json;

use super::page::StateTab;
use super::upload::Upload;
use super::{Answer, FieldErrors, Flash, Portal, Query, Shell, WebError};
use crate::domain::microsoft_connector::{ConnectorTable, DateOrder, Outcome};
use crate::domain::time_zone::TimeZone;
use crate::store::audit::{self, Actor};
use crate::store::connector_records::{self, RecordListed};
use crate::store::{AnyConn, StoreError};
use crate::sync::moving_in;
use file::{ReadFile, read};

/// Where the page is.
pub const PATH: &str = "/settings/microsoft-connector";
/// Where files are sent.
pub const FILES: &str = "/settings/microsoft-connector/files";
/// Where the rows are.
const ROWS: &str = "/settings/microsoft-connector/rows";
/// The largest file, in bytes.
pub const MAX_FILE: usize = 32 * 1024 * 1024;
/// Records of one table that wait at once: all of them are looked at together.
const MAX_RECORDS: i64 = 50_000;
/// Answers that wait at once: a submission has several.
const MAX_ANSWERS: i64 = 300_000;
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
    form: UploadForm,
}

/// What was chosen beside the file.
#[derive(Debug, Clone, Default)]
struct UploadForm {
    table: String,
    date_order: String,
    time_zone: String,
}

impl UploadForm {
    fn of(upload: &Upload) -> Self {
        let field = |name: &str| upload.field(name).unwrap_or_default().to_owned();
        Self {
            table: field("table"),
            date_order: field("date_order"),
            time_zone: field("time_zone"),
        }
    }
}

impl MicrosoftConnectorShow {
    fn number_of(&self, outcome: Outcome) -> i64 {
        self.lines.iter().map(|line| line.count(&outcome)).sum()
    }

    fn to_do(&self) -> i64 {
        self.number_of(Outcome::Becomes) + self.number_of(Outcome::Notes)
    }

    fn button(&self) -> String {
        let to_bring = match self.number_of(Outcome::Becomes) {
            0 => None,
            1 => Some("Bring 1 record along".to_owned()),
            count => Some(format!("Bring {count} records along")),
        };
        match (to_bring, self.number_of(Outcome::Notes)) {
            (Some(text), 0) => text,
            (Some(text), count) => format!("{text} and note {count} as handled"),
            (None, count) => format!("Note {count} as handled"),
        }
    }

    fn date_orders(&self) -> Vec<(String, String)> {
        DateOrder::ALL
            .iter()
            .map(|order| (order.as_str().to_owned(), order.label().to_owned()))
            .collect()
    }

    fn zones(&self) -> impl Iterator<Item = &'static str> {
        TimeZone::names()
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
            "At most {} MiB, and {} rows of a table (of answers {}) that wait at a time. UTF-8, UTF-16 and Windows-1252, separated by \
             commas, semicolons or tabs, are recognized, and so is JSON of the Web API.",
            MAX_FILE / 1024 / 1024,
            grouped(MAX_RECORDS),
            grouped(MAX_ANSWERS)
        )
    }
}

/// How many records of a table may wait.
const fn most_of(table: ConnectorTable) -> i64 {
    match table {
        ConnectorTable::Answers => MAX_ANSWERS,
        _ => MAX_RECORDS,
    }
}

/// A round number as people read it: 50,000.
fn grouped(number: i64) -> String {
    format!("{},{:03}", number / 1_000, number % 1_000)
}

/// A count with its noun.
fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

async fn page(
    portal: &Portal,
    shell: Shell,
    form: UploadForm,
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
        form,
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
        UploadForm::default(),
        FieldErrors::new(),
        StatusCode::OK,
    )
    .await
}

/// POST /settings/microsoft-connector/files: keeps the rows of a file and works out what becomes of everything.
///
/// # Errors
/// As the database.
pub async fn create(portal: Data<Portal>, shell: Shell, actor: Actor, upload: Upload) -> Answer {
    let form = UploadForm::of(&upload);
    let ReadFile {
        name,
        table,
        records,
        left_out,
    } = match read(&upload) {
        Ok(read) => read,
        Err((field, problem)) => {
            let mut errors = FieldErrors::new();
            errors.add(field, problem);
            return page(
                &portal,
                shell,
                form,
                errors,
                StatusCode::UNPROCESSABLE_ENTITY,
            )
            .await;
        }
    };
    let now = portal.clock.now();
    let kept = records.len();
    let outcome = portal
        .store
        .write(move |tx| {
            for batch in records.chunks(BATCH) {
                connector_records::add(tx, table, &name, batch, now)?;
            }
            let most = most_of(table);
            if connector_records::count_waiting(tx, table)? > most {
                return Err(StoreError::Rule(format!(
                    "More than {} rows of this table would wait at once. Bring along what is here, then upload the rest in parts.",
                    grouped(most)
                )));
            }
            moving_in::check(tx)?;
            let object = ("microsoft_connector", table.as_str(), name.as_str());
            let what = json!({
                "table": table.logical_name(),
                "records": records.len(),
                "repeated": left_out.repeated,
                "unidentified": left_out.unidentified,
            });
            audit::record(tx, now, &actor, "microsoft_connector.uploaded", object, None, Some(what))
        })
        .await;
    match outcome {
        Ok(()) => {
            let mut text = format!(
                "{} of “{}” read. Nothing is brought along yet.",
                counted(kept, "record", "records"),
                table.label()
            );
            if left_out.repeated > 0 {
                text.push_str(&format!(
                    " {} in the file, and the last one counts.",
                    counted(left_out.repeated, "row is repeated", "rows are repeated")
                ));
            }
            if left_out.unidentified > 0 {
                text.push_str(&format!(
                    " {} left out: no column of {} identifies a record.",
                    counted(left_out.unidentified, "row is", "rows are"),
                    if left_out.unidentified == 1 {
                        "it"
                    } else {
                        "theirs"
                    }
                ));
            }
            if left_out.has_more {
                text.push_str(
                    " The file says that it is one page of several: upload the others as well.",
                );
            }
            Ok(shell.redirect(PATH).flash(Flash::success(text)))
        }
        Err(StoreError::Rule(rule)) => {
            let mut errors = FieldErrors::new();
            errors.add("file", rule);
            page(
                &portal,
                shell,
                form,
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
        Ok(done) => {
            let mut told = Vec::new();
            match done.records.values().sum::<i64>() {
                0 => {}
                1 => told.push("1 record was brought along.".to_owned()),
                count => told.push(format!("{count} records were brought along.")),
            }
            if done.noted > 0 {
                told.push(format!(
                    "{} noted as handled, so the sync decides nothing about {} again.",
                    counted(done.noted, "submission is", "submissions are"),
                    if done.noted == 1 { "it" } else { "them" }
                ));
            }
            if told.is_empty() {
                Flash::notice("Nothing was to be brought along.".to_owned())
            } else {
                Flash::success(told.join(" "))
            }
        }
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
