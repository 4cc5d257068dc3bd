//! Export of leads: exactly what the list filters, as CSV or as an Excel workbook, with an entry in the audit log.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};

use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::web::{Bytes, Data};
use futures_util::stream;
use rust_xlsxwriter::{Format, Workbook, XlsxError};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::csv_export::{self, Chunk};
use super::leads::filter::LeadsQuery;
use super::{Answer, Portal, Query, WebError};
use crate::auth::CurrentUser;
use crate::domain::lead::{CustomField, FieldKey, LeadField};
use crate::store::audit::{self, Actor};
use crate::store::lead_exports::{self, LeadExported};
use crate::store::leads::LeadFilter;
use crate::store::paging::Cursor;
use crate::store::{StoreError, lead_imports};

/// Leads read at once.
const PART: i64 = 1_000;
/// The most leads in a workbook: a sheet of Excel has 1,048,576 rows, and the first one is the header.
const MOST_IN_A_WORKBOOK: i64 = 1_048_575;
/// The most characters of a cell of Excel.
const MOST_IN_A_CELL: usize = 32_767;

/// The filter for the audit log, without the text that was searched for: it may be a name or an address.
fn described(query: &LeadsQuery, format: &str, rows: Option<i64>) -> Value {
    let filters: serde_json::Map<String, Value> = query
        .filter_pairs()
        .into_iter()
        .filter(|(name, _)| *name != "q")
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect();
    json!({
        "format": format,
        "has_search": !query.value("q").trim().is_empty(),
        "filters": filters,
        "rows": rows,
    })
}

async fn record(
    portal: &Portal,
    actor: Actor,
    action: &'static str,
    what: Value,
) -> Result<(), StoreError> {
    let now = portal.clock.now();
    portal
        .store
        .write(move |tx| {
            audit::record(
                tx,
                now,
                &actor,
                action,
                ("lead", "", "Leads"),
                None,
                Some(what),
            )
        })
        .await
}

/// The headings, in the order of [`cells`].
fn headings(custom: &[CustomField]) -> Vec<String> {
    let fields = LeadField::ALL.iter().map(|field| field.label().to_owned());
    let defined = custom.iter().map(|field| field.label.clone());
    let rest = [
        "Topic",
        "Status",
        "Owner",
        "Lead source",
        "Account",
        "Form",
        "Campaign",
        "Created (UTC)",
        "Updated (UTC)",
        "Latest submission (UTC)",
        "Submissions",
        "Id",
    ];
    fields
        .chain(defined)
        .chain(rest.map(str::to_owned))
        .collect()
}

fn cells(exported: &LeadExported, custom: &[CustomField]) -> Vec<String> {
    let lead = &exported.lead;
    let value = |key: FieldKey| lead.values.get(&key).cloned().unwrap_or_default();
    let time =
        |at: &chrono::DateTime<chrono::Utc>| at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    let mut cells: Vec<String> = LeadField::ALL
        .iter()
        .map(|field| value(FieldKey::Standard(*field)))
        .collect();
    cells.extend(
        custom
            .iter()
            .map(|field| value(FieldKey::Custom(field.name.clone()))),
    );
    cells.extend([
        lead.topic.clone(),
        lead.status.label().to_owned(),
        exported.owner.clone(),
        lead.source.label().to_owned(),
        exported.account.clone(),
        exported.form.clone(),
        exported.campaign.clone(),
        time(&lead.created_at),
        time(&lead.updated_at),
        lead.latest_submitted_at
            .as_ref()
            .map(time)
            .unwrap_or_default(),
        lead.submission_count.to_string(),
        lead.id.as_str().to_owned(),
    ]);
    cells
}

/// One part of the leads as cells, and the place of the next part.
async fn part(
    portal: &Portal,
    filter: &LeadFilter,
    custom: &[CustomField],
    after: Option<Cursor>,
) -> Result<(Vec<Vec<String>>, Option<Cursor>), StoreError> {
    let filter = filter.clone();
    let found = portal
        .store
        .read(move |conn| lead_exports::part(conn, &filter, after.as_ref(), PART))
        .await?;
    let is_full = i64::try_from(found.len()).is_ok_and(|rows| rows == PART);
    let next = found.last().filter(|_| is_full).map(|last| Cursor {
        at: last.lead.created_at,
        id: last.lead.id.as_str().to_owned(),
    });
    Ok((found.iter().map(|lead| cells(lead, custom)).collect(), next))
}

/// The name of the file: with the day, so that two exports can be told apart.
fn file_name(portal: &Portal, ending: &str) -> String {
    format!("leads-{}.{ending}", portal.clock.now().format("%Y-%m-%d"))
}

/// A place in a CSV export.
struct Place {
    after: Option<Cursor>,
    sent: i64,
}

/// GET /leads/export.csv
///
/// # Errors
/// As the database.
pub async fn csv(
    portal: Data<Portal>,
    actor: Actor,
    user: CurrentUser,
    Query(query): Query<LeadsQuery>,
) -> Answer {
    let filter = query.filter(user.time_zone);
    let custom = portal.store.read(lead_imports::custom_fields).await?;
    // Who breaks the download off leaves a trace, too; the end adds the number of rows.
    record(
        &portal,
        actor.clone(),
        "leads.export_started",
        described(&query, "csv", None),
    )
    .await?;
    let header = headings(&custom);
    let name = file_name(&portal, "csv");
    let shared = std::rc::Rc::new((portal, query, filter, custom, actor));
    let first = Place {
        after: None,
        sent: 0,
    };
    Ok(csv_export::respond(&name, header, first, move |place| {
        let shared = std::rc::Rc::clone(&shared);
        async move {
            let (portal, query, filter, custom, actor) = &*shared;
            let (rows, next) = part(portal, filter, custom, place.after).await?;
            let sent = place.sent + i64::try_from(rows.len()).unwrap_or(0);
            if next.is_none() {
                let what = described(query, "csv", Some(sent));
                record(portal, actor.clone(), "leads.exported", what).await?;
            }
            Ok(Chunk {
                rows,
                next: next.map(|after| Place {
                    after: Some(after),
                    sent,
                }),
            })
        }
    }))
}

/// GET /leads/export.xlsx
///
/// # Errors
/// `Rule` when a sheet cannot hold as many leads; otherwise as the database.
pub async fn xlsx(
    portal: Data<Portal>,
    actor: Actor,
    user: CurrentUser,
    Query(query): Query<LeadsQuery>,
) -> Answer {
    let filter = query.filter(user.time_zone);
    let asked = filter.clone();
    let (is_beyond, custom) = portal
        .store
        .read(move |conn| {
            Ok::<_, StoreError>((
                lead_exports::are_more_than(conn, &asked, MOST_IN_A_WORKBOOK)?,
                lead_imports::custom_fields(conn)?,
            ))
        })
        .await?;
    if is_beyond {
        return Err(StoreError::Rule(
            "More than 1,048,575 leads pass the filter, and a sheet of Excel holds no more. Narrow the filter, or export as CSV, \
             which has no limit."
                .to_owned(),
        )
        .into());
    }
    record(
        &portal,
        actor.clone(),
        "leads.export_started",
        described(&query, "xlsx", None),
    )
    .await?;
    let (sender, receiver) = mpsc::channel::<Vec<Vec<String>>>(2);
    let header = headings(&custom);
    let writer = tokio::task::spawn_blocking(move || write_workbook(&header, receiver));
    let mut after = None;
    let mut sent = 0;
    loop {
        let (rows, next) = part(&portal, &filter, &custom, after).await?;
        sent += i64::try_from(rows.len()).unwrap_or(0);
        if sender.send(rows).await.is_err() {
            break;
        }
        if next.is_none() {
            break;
        }
        after = next;
    }
    drop(sender);
    let file = writer
        .await
        .map_err(|_| WebError::Internal("the workbook’s thread ended".to_owned()))??;
    record(
        &portal,
        actor,
        "leads.exported",
        described(&query, "xlsx", Some(sent)),
    )
    .await?;
    Ok(send(file, &file_name(&portal, "xlsx")))
}

impl From<XlsxError> for WebError {
    fn from(error: XlsxError) -> Self {
        Self::Internal(format!("workbook: {error}"))
    }
}

/// Writes the rows as they come to a temporary file that has no name any more. Every cell is a text, so nothing in it is
/// calculated. Only one row is in memory.
fn write_workbook(
    header: &[String],
    mut parts: mpsc::Receiver<Vec<Vec<String>>>,
) -> Result<File, WebError> {
    let mut workbook = Workbook::new();
    let bold = Format::new().set_bold();
    let sheet = workbook.add_worksheet_with_constant_memory()?;
    sheet.set_name("Leads")?;
    sheet.set_freeze_panes(1, 0)?;
    for (column, text) in (0_u16..).zip(header) {
        sheet.set_column_width(column, 20)?;
        sheet.write_string_with_format(0, column, text, &bold)?;
    }
    let mut row = 1;
    while let Some(rows) = parts.blocking_recv() {
        for cells in rows {
            for (column, text) in (0_u16..).zip(&cells) {
                if text.is_empty() {
                    continue;
                }
                let fits = text.encode_utf16().count() <= MOST_IN_A_CELL;
                let cut: String = if fits {
                    String::new()
                } else {
                    text.chars().take(MOST_IN_A_CELL / 2).collect()
                };
                sheet.write_string(row, column, if fits { text } else { &cut })?;
            }
            row += 1;
        }
    }
    let mut file = nameless_file()?;
    workbook.save_to_writer(&mut file)?;
    file.seek(SeekFrom::Start(0))?;
    Ok(file)
}

/// A file in the folder for temporary ones that nobody else can open and that is gone when it is closed.
fn nameless_file() -> std::io::Result<File> {
    let name = format!("leadgen-{}.tmp", uuid::Uuid::new_v4());
    let path = std::env::temp_dir().join(name);
    let mut options = File::options();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let file = options.open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

/// Sends a file piece by piece.
fn send(file: File, name: &str) -> HttpResponse {
    let pieces = stream::try_unfold(file, |mut file| async move {
        let read = tokio::task::spawn_blocking(move || {
            let mut piece = vec![0; 64 * 1024];
            let length = file.read(&mut piece)?;
            piece.truncate(length);
            Ok::<_, std::io::Error>((piece, file))
        });
        let (piece, file) = read.await.map_err(std::io::Error::other)??;
        let is_end = piece.is_empty();
        Ok::<_, std::io::Error>((!is_end).then(|| (Bytes::from(piece), file)))
    });
    HttpResponse::Ok()
        .content_type("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")
        .insert_header((
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{name}\""),
        ))
        .insert_header((header::VARY, "Cookie"))
        .streaming(pieces)
}
