//! The configuration as one file: export, and import with a preview of what it changes.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use actix_web::web::Data;
use askama::Template;
use serde_json::json;

use super::field_mappings::preview::{PreviewTable, USUAL_SIZE};
use super::upload::Upload;
use super::{Answer, Flash, Portal, Shell, WebError};
use crate::domain::configuration::{ConfigurationFile, Difference, Problem};
use crate::store::audit::{self, Actor};
use crate::store::{StoreError, configuration, custom_fields, lock_rules};
use crate::sync::preview::compare_mappings;

/// Where the page is.
const PATH: &str = "/settings/configuration";
/// How many differences are listed; the numbers count all.
const MOST_LISTED: usize = 300;

#[derive(Template)]
#[template(path = "configuration_file/show.html")]
struct ConfigurationFileShow {
    shell: Shell,
    text: String,
    problems: Vec<Problem>,
}

#[derive(Template)]
#[template(path = "configuration_file/preview.html")]
struct ConfigurationFilePreview {
    shell: Shell,
    text: String,
    fingerprint: String,
    differences: Vec<Difference>,
    total: usize,
    added: usize,
    changed: usize,
    removed: usize,
    preview: PreviewTable,
}

/// GET /settings/configuration
///
/// # Errors
/// When the template fails.
pub async fn show(shell: Shell) -> Answer {
    let page = ConfigurationFileShow {
        shell,
        text: String::new(),
        problems: Vec::new(),
    };
    page.shell.render(StatusCode::OK, &page)
}

/// GET /settings/configuration/export
///
/// # Errors
/// As the database.
pub async fn export(portal: Data<Portal>) -> Answer {
    let stored = portal.store.read(configuration::load).await?;
    let mut text = serde_json::to_string_pretty(&stored.file)
        .map_err(|error| WebError::Internal(error.to_string()))?;
    text.push('\n');
    let name = format!(
        "leadgen-configuration-{}.json",
        portal.clock.now().date_naive()
    );
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "application/json; charset=utf-8"))
        .insert_header((
            CONTENT_DISPOSITION,
            format!("attachment; filename=\"{name}\""),
        ))
        .body(text))
}

/// The file that was chosen, else the text that was pasted.
fn sent(upload: &Upload) -> Result<String, Problem> {
    let wrong = |place: &str, message: String| Problem {
        place: place.to_owned(),
        message,
    };
    if let Some(file) = upload.file("file") {
        return file
            .text()
            .map(str::to_owned)
            .map_err(|message| wrong(&file.name, message));
    }
    let text = upload.field("text").unwrap_or_default();
    if text.trim().is_empty() {
        return Err(wrong(
            "the form",
            "Choose a file, or paste its text.".to_owned(),
        ));
    }
    Ok(text.to_owned())
}

fn refuse(shell: Shell, text: String, problems: Vec<Problem>) -> Answer {
    let page = ConfigurationFileShow {
        shell,
        text,
        problems,
    };
    page.shell.render(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

/// POST /settings/configuration/preview
///
/// # Errors
/// As the database.
pub async fn preview(portal: Data<Portal>, shell: Shell, upload: Upload) -> Answer {
    let text = match sent(&upload) {
        Ok(text) => text,
        Err(problem) => return refuse(shell, String::new(), vec![problem]),
    };
    let file = match ConfigurationFile::read(&text) {
        Ok(file) => file,
        Err(problem) => return refuse(shell, text, vec![problem]),
    };
    let portal_ids = portal.clone();
    let outcome = portal
        .store
        .read(move |conn| {
            let stored = configuration::load(conn)?;
            let problems = file.check(&stored.file, &stored.known);
            if !problems.is_empty() {
                return Ok::<_, StoreError>(Err(problems));
            }
            let fields = custom_fields::fields(conn)?;
            let after = stored.mappings_after(&file, || portal_ids.new_id());
            let table = match after {
                Some(after) => compare_mappings(conn, after, None, USUAL_SIZE)?,
                None => Default::default(),
            };
            let differences = file.differences(&stored.file);
            let table = PreviewTable::new(table, &fields);
            Ok(Ok((stored.fingerprint(), differences, table)))
        })
        .await?;
    let (fingerprint, mut differences, table) = match outcome {
        Ok(found) => found,
        Err(problems) => return refuse(shell, text, problems),
    };
    use crate::domain::configuration::DifferenceKind as Kind;
    let count = |kind| differences.iter().filter(|one| one.kind == kind).count();
    let (added, changed, removed) = (
        count(Kind::Added),
        count(Kind::Changed),
        count(Kind::Removed),
    );
    let total = differences.len();
    differences.truncate(MOST_LISTED);
    let page = ConfigurationFilePreview {
        shell,
        text,
        fingerprint,
        differences,
        total,
        added,
        changed,
        removed,
        preview: table,
    };
    page.shell.render(StatusCode::OK, &page)
}

/// POST /settings/configuration/import
///
/// # Errors
/// `Stale` when the configuration changed after the preview, or as the database.
pub async fn import(portal: Data<Portal>, shell: Shell, actor: Actor, upload: Upload) -> Answer {
    let text = upload.field("text").unwrap_or_default().to_owned();
    let seen = upload.field("fingerprint").unwrap_or_default().to_owned();
    let file = match ConfigurationFile::read(&text) {
        Ok(file) => file,
        Err(problem) => return refuse(shell, text, vec![problem]),
    };
    let portal_tx = portal.clone();
    let outcome = portal
        .store
        .write(move |tx| {
            lock_rules(tx)?;
            let stored = configuration::load(tx)?;
            if stored.fingerprint() != seen {
                return Err(StoreError::Stale("configuration"));
            }
            let problems = file.check(&stored.file, &stored.known);
            if !problems.is_empty() {
                return Ok(Err(problems));
            }
            let now = portal_tx.clock.now();
            let differences = file.differences(&stored.file);
            configuration::replace(tx, &stored, &file, now, || portal_tx.new_id())?;
            let told: Vec<_> = differences
                .iter()
                .take(MOST_LISTED)
                .map(|one| json!({ "section": one.section, "kind": one.kind, "name": one.name, "changes": one.members }))
                .collect();
            let after = json!({ "differences": differences.len(), "records": told });
            let object = ("configuration", "file", "Configuration");
            audit::record(tx, now, &actor, "configuration.imported", object, None, Some(after))?;
            Ok::<_, StoreError>(Ok(differences.len()))
        })
        .await;
    match outcome {
        Ok(Ok(count)) => Ok(shell.redirect(PATH).flash(Flash::success(format!(
            "The file was imported: {count} {} changed. It counts from the next submission on.",
            if count == 1 {
                "record was"
            } else {
                "records were"
            }
        )))),
        Ok(Err(problems)) => refuse(shell, text, problems),
        Err(StoreError::Rule(rule)) => {
            let problem = Problem {
                place: "the file".to_owned(),
                message: rule,
            };
            refuse(shell, text, vec![problem])
        }
        Err(error) => Err(error.into()),
    }
}
