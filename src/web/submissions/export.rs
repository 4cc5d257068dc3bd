//! CSV of exactly what is filtered: fixed columns, and with one form chosen its questions as columns.

use std::sync::Arc;

use actix_web::web::Data;
use chrono::SecondsFormat;

use super::SubmissionsQuery;
use super::show::{Said, answers_of, said};
use crate::domain::form::FormVersion;
use crate::store::paging::PageStart;
use crate::store::submissions::{self, Submission};
use crate::store::{StoreError, forms};
use crate::web::csv_export::{Chunk, respond};
use crate::web::{Answer, Portal, Query, Shell};

/// The columns that every file has.
const COLUMNS: [&str; 18] = [
    "Id",
    "Name",
    "Submitted (UTC)",
    "Received (UTC)",
    "Decided (UTC)",
    "Account",
    "Form",
    "Form version",
    "Campaign",
    "Type",
    "Test lead",
    "Matching status",
    "Processing state",
    "Reason",
    "Detail",
    "Ignored because",
    "Lead id",
    "LinkedIn response id",
];

/// The questions of all versions of a form, each once, the newest text first: number and text.
fn questions(versions: &[FormVersion]) -> Vec<(i64, String)> {
    let mut all: Vec<(i64, String)> = Vec::new();
    for question in versions.iter().flat_map(|version| &version.questions) {
        if !all.iter().any(|(id, _)| *id == question.id) {
            all.push((question.id, question.text.clone()));
        }
    }
    all
}

fn fixed(row: &Submission) -> Vec<String> {
    let time = |at: &chrono::DateTime<chrono::Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
    let optional = |text: Option<&str>| text.unwrap_or_default().to_owned();
    vec![
        row.id.to_string(),
        row.name.clone(),
        time(&row.submitted_at),
        time(&row.received_at),
        row.processed_at.as_ref().map(time).unwrap_or_default(),
        row.account.1.clone(),
        optional(row.form.as_ref().map(|(_, name)| name.as_str())),
        row.form_version
            .1
            .map(|number| number.to_string())
            .unwrap_or_default(),
        optional(row.campaign_name.as_deref()),
        row.lead_type.label().to_owned(),
        if row.is_test { "yes" } else { "no" }.to_owned(),
        row.matching_status.label().to_owned(),
        row.processing_state.label().to_owned(),
        optional(row.reason.map(|reason| reason.label())),
        optional(row.reason_detail.as_deref()),
        optional(row.ignored_reason.as_deref()),
        row.lead_id
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        row.response_id.clone(),
    ]
}

/// The answers to these questions, in the texts of the version that was answered.
fn cells(
    row: &Submission,
    raw: Option<Vec<u8>>,
    questions: &[(i64, String)],
    versions: &[FormVersion],
) -> Vec<String> {
    let answers = raw
        .and_then(|raw| answers_of(row, raw))
        .map(|(answers, _)| answers)
        .unwrap_or_default();
    let version = versions
        .iter()
        .find(|version| Some(version.number) == row.form_version.1);
    questions
        .iter()
        .map(|(id, _)| {
            let kind = version
                .and_then(|version| version.question(*id))
                .map(|question| &question.kind);
            let answer = answers.iter().find(|answer| answer.question_id == *id);
            match said(answer.map(|answer| &answer.value), kind) {
                Said::Text(text) | Said::Unknown(text) => text,
                Said::Choices(choices) => choices.join("; "),
                Said::Nothing => String::new(),
            }
        })
        .collect()
}

/// GET /form-submissions/export: the file, read part by part while it is sent.
///
/// # Errors
/// As the database.
pub async fn export(
    portal: Data<Portal>,
    shell: Shell,
    Query(query): Query<SubmissionsQuery>,
) -> Answer {
    let versions = match query.form.clone() {
        Some(form) => {
            portal
                .store
                .read(move |conn| forms::versions(conn, &form))
                .await?
        }
        None => Vec::new(),
    };
    let questions = Arc::new(questions(&versions));
    let versions = Arc::new(versions);
    let mut header: Vec<String> = COLUMNS.iter().map(|name| (*name).to_owned()).collect();
    header.extend(questions.iter().map(|(_, text)| text.clone()));
    let filter = Arc::new(query.filter(shell.time_zone()));
    let day = shell.time_zone().date(portal.clock.now());
    let store = portal.store.clone();
    Ok(respond(
        &format!("form-submissions-{day}.csv"),
        header,
        PageStart::Newest,
        move |place| {
            let (store, filter) = (store.clone(), Arc::clone(&filter));
            let (questions, versions) = (Arc::clone(&questions), Arc::clone(&versions));
            async move {
                let (rows, next) = store
                    .read(move |conn| {
                        let with_raw = !questions.is_empty();
                        let (rows, next) = submissions::export(conn, &filter, &place, with_raw)?;
                        let rows = rows
                            .into_iter()
                            .map(|(row, raw)| {
                                let mut line = fixed(&row);
                                line.extend(cells(&row, raw, &questions, &versions));
                                line
                            })
                            .collect();
                        Ok::<_, StoreError>((rows, next))
                    })
                    .await?;
                Ok(Chunk {
                    rows,
                    next: next.map(PageStart::After),
                })
            }
        },
    ))
}
