//! The first step of an import: a file is chosen or pasted, read, and stored row by row.

use actix_web::http::StatusCode;
use actix_web::web::{Bytes, Data};
use askama::Template;
use serde_json::json;

use super::csv_file::{Rows, shape};
use super::{MAX_FILE, path_of};
use crate::auth::CurrentUser;
use crate::domain::ids::ImportId;
use crate::domain::lead_import::{MAX_COLUMNS, MAX_ROWS};
use crate::store::StoreError;
use crate::store::audit::{self, Actor};
use crate::store::lead_imports::{self, FIRST_ROW, NewImport};
use crate::web::upload::Upload;
use crate::web::{Answer, FieldErrors, Portal, Shell, WebError};

/// Rows that are stored in one transaction.
const BATCH: usize = 2_000;

#[derive(Template)]
#[template(path = "lead_imports/new.html")]
struct LeadImportsNew {
    shell: Shell,
    text: String,
    errors: FieldErrors,
}

/// GET /leads/imports/new
///
/// # Errors
/// None of its own.
pub async fn new(shell: Shell) -> Answer {
    let page = LeadImportsNew {
        shell,
        text: String::new(),
        errors: FieldErrors::new(),
    };
    page.shell.render(StatusCode::OK, &page)
}

/// POST /leads/imports: reads the file and stores its rows.
///
/// # Errors
/// As the database.
pub async fn create(
    portal: Data<Portal>,
    shell: Shell,
    current: CurrentUser,
    actor: Actor,
    upload: Upload,
) -> Answer {
    let text = upload.field("text").unwrap_or_default().to_owned();
    let (name, bytes) = match upload.file("file") {
        Some(file) => (file.name.clone(), file.bytes.clone()),
        None => ("Pasted text".to_owned(), Bytes::from(text.clone())),
    };
    let problem = if bytes.is_empty() && upload.file("file").is_none() {
        "Choose a file, or paste its text below.".to_owned()
    } else {
        let id = ImportId::new(portal.new_id());
        match read(&portal, &current, actor, id.clone(), name, bytes).await? {
            Ok(()) => return Ok(shell.redirect(path_of(&id)).quietly()),
            Err(problem) => problem,
        }
    };
    let mut errors = FieldErrors::new();
    errors.add("file", problem);
    let page = LeadImportsNew {
        shell,
        text,
        errors,
    };
    page.shell.render(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

/// Stores the rows; the inner error is a sentence about the file, and then nothing of it is kept.
async fn read(
    portal: &Portal,
    current: &CurrentUser,
    actor: Actor,
    id: ImportId,
    name: String,
    bytes: Bytes,
) -> Result<Result<(), String>, WebError> {
    let size = bytes.len();
    let shape = match shape(&bytes) {
        Ok(shape) => shape,
        Err(problem) => return Ok(Err(problem)),
    };
    let mut rows = Rows::new(bytes, shape);
    let columns = match rows.next() {
        Ok(header) => named(header.unwrap_or_default()),
        Err(problem) => return Ok(Err(problem)),
    };
    let new = NewImport {
        id: id.clone(),
        file_name: name,
        format: shape.describe(),
        user_id: current.id.clone(),
        user_name: current.name.clone(),
        columns,
    };
    let now = portal.clock.now();
    let (stored, file_name) = (new.clone(), new.file_name.clone());
    portal
        .store
        .write(move |tx| lead_imports::insert(tx, &stored, now))
        .await?;
    let outcome = store_rows(portal, &id, &mut rows).await;
    let problem = match outcome {
        Ok(count) => {
            let now = portal.clock.now();
            portal
                .store
                .write(move |tx| {
                    lead_imports::finish_reading(tx, &id, count, now)?;
                    let what =
                        json!({ "rows": count, "bytes": size, "columns": new.columns.len() });
                    let object = ("lead_import", id.as_str(), file_name.as_str());
                    audit::record(
                        tx,
                        now,
                        &actor,
                        "lead_import.uploaded",
                        object,
                        None,
                        Some(what),
                    )
                })
                .await?;
            return Ok(Ok(()));
        }
        Err(Broken::File(problem)) => Ok(Err(problem)),
        Err(Broken::Store(error)) => Err(error.into()),
    };
    portal
        .store
        .write(move |tx| lead_imports::delete(tx, &id))
        .await?;
    problem
}

enum Broken {
    File(String),
    Store(StoreError),
}

/// Stores the rows batch by batch, so that other writers have their turn; how many there are.
async fn store_rows(portal: &Portal, id: &ImportId, rows: &mut Rows) -> Result<i64, Broken> {
    let mut next = FIRST_ROW;
    loop {
        let mut batch = Vec::with_capacity(BATCH);
        while batch.len() < BATCH {
            match rows.next().map_err(Broken::File)? {
                Some(row) => batch.push(row),
                None => break,
            }
        }
        let count = i64::try_from(batch.len()).unwrap_or(i64::MAX);
        if count == 0 {
            break;
        }
        if next - FIRST_ROW + count > MAX_ROWS {
            return Err(Broken::File(format!(
                "The file has more than {MAX_ROWS} rows. Divide it into several files."
            )));
        }
        let (id, first) = (id.clone(), next);
        portal
            .store
            .write(move |tx| lead_imports::add_rows(tx, &id, first, &batch))
            .await
            .map_err(Broken::Store)?;
        next += count;
    }
    if next == FIRST_ROW {
        return Err(Broken::File(
            "The file has a header but no rows. Choose a file with at least one lead.".to_owned(),
        ));
    }
    Ok(next - FIRST_ROW)
}

/// Every column has a name, and none is longer than a heading can be.
fn named(header: Vec<String>) -> Vec<String> {
    header
        .into_iter()
        .enumerate()
        .map(|(index, name)| {
            let name: String = name.chars().filter(|c| !c.is_control()).take(200).collect();
            if name.trim().is_empty() {
                format!("Column {}", index + 1)
            } else {
                name.trim().to_owned()
            }
        })
        .collect()
}

impl LeadImportsNew {
    fn limits(&self) -> String {
        format!(
            "At most {} MiB, {MAX_ROWS} rows and {MAX_COLUMNS} columns; the first row names the columns. UTF-8, UTF-16 and \
             Windows-1252, separated by commas, semicolons or tabs, are recognized.",
            MAX_FILE / 1024 / 1024
        )
    }
}
