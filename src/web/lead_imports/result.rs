//! The page of an import: how far it is, what would become or became of each row, and the rows that failed as CSV.

use std::collections::HashMap;
use std::rc::Rc;

use actix_web::http::StatusCode;
use actix_web::web::Data;
use askama::Template;
use serde::Deserialize;

use super::{may_change, path_of, work};
use crate::domain::ids::{ImportId, LeadId};
use crate::domain::lead::{CustomField, LeadStatus};
use crate::domain::lead_import::{
    ColumnTarget, ImportChange, ImportState, OwnerChoice, RowOutcome, UndoOutcome,
};
use crate::store::lead_imports::{self, ImportRowListed, LeadImport, RowFilter};
use crate::store::{StoreError, leads};
use crate::web::csv_export::{self, Chunk};
use crate::web::page::StateTab;
use crate::web::{Answer, Path, Portal, Query, Shell};

/// Rows on a page.
const PAGE: i64 = 50;
/// Rows of a download that are read at once.
const PART: i64 = 1_000;

/// The filter of the rows and the place in them.
#[derive(Debug, Default, Deserialize)]
pub struct ShowQuery {
    outcome: Option<RowOutcome>,
    undo: Option<UndoOutcome>,
    after: Option<i64>,
}

/// A value that a row sets.
struct Value {
    label: String,
    before: Option<String>,
    after: String,
}

/// A row as the page shows it.
struct ShownRow {
    row: ImportRowListed,
    lead_name: Option<String>,
    values: Vec<Value>,
}

impl ShownRow {
    /// The beginning of the row as it stands in the file.
    fn as_sent(&self) -> String {
        let cells: Vec<&str> = self
            .row
            .cells
            .iter()
            .map(|cell| cell.trim())
            .filter(|cell| !cell.is_empty())
            .collect();
        let text = cells.join(" · ");
        let mut short: String = text.chars().filter(|c| !c.is_control()).take(200).collect();
        if text.chars().count() > 200 {
            short.push('…');
        }
        short
    }
}

#[derive(Template)]
#[template(path = "lead_imports/show.html")]
struct LeadImportsShow {
    shell: Shell,
    import: LeadImport,
    rows: Vec<ShownRow>,
    tabs: Vec<StateTab>,
    undo_tabs: Vec<StateTab>,
    next: Option<String>,
    is_first: bool,
    may_change: bool,
}

impl LeadImportsShow {
    fn path(&self) -> String {
        path_of(&self.import.id)
    }

    fn is_over(&self) -> bool {
        matches!(
            self.import.state,
            ImportState::Imported | ImportState::Undone
        )
    }

    /// What stands for an outcome before and after it happened.
    fn outcome_label(&self, outcome: &RowOutcome) -> &'static str {
        outcome_label(self.import.state, *outcome)
    }

    /// Rows that would write.
    fn to_write(&self) -> i64 {
        self.import.counts.created + self.import.counts.updated
    }

    fn button(&self) -> String {
        match self.to_write() {
            1 => "Import 1 row".to_owned(),
            rows => format!("Import {rows} rows"),
        }
    }

    /// Rows that would not, or did not.
    fn failed(&self) -> i64 {
        self.import.counts.skipped + self.import.counts.invalid
    }

    /// What the current work counts up to.
    fn total(&self) -> i64 {
        match self.import.state {
            ImportState::Undoing => {
                (self.import.counts.created + self.import.counts.updated).max(1)
            }
            _ => self.import.row_count.max(1),
        }
    }
}

const fn outcome_label(state: ImportState, outcome: RowOutcome) -> &'static str {
    if state.has_written() {
        outcome.label()
    } else {
        outcome.planned()
    }
}

fn values(changes: &[ImportChange], custom: &[CustomField], owners: &[OwnerChoice]) -> Vec<Value> {
    let show = |field: &ColumnTarget, value: &str| match field {
        ColumnTarget::Status => value
            .parse::<LeadStatus>()
            .map_or_else(|_| value.to_owned(), |status| status.label().to_owned()),
        ColumnTarget::Owner => owners
            .iter()
            .find(|owner| owner.id.as_str() == value)
            .map_or_else(|| "somebody else".to_owned(), |owner| owner.name.clone()),
        ColumnTarget::Field(_) | ColumnTarget::Topic => value.to_owned(),
    };
    changes
        .iter()
        .map(|change| Value {
            label: change.field.label(custom),
            before: change
                .before
                .as_deref()
                .map(|value| show(&change.field, value)),
            after: show(&change.field, &change.after),
        })
        .collect()
}

/// The rows by outcome, as links.
fn tabs(import: &LeadImport, chosen: Option<RowOutcome>) -> Vec<StateTab> {
    let path = path_of(&import.id);
    let counts = import.counts;
    let all = counts.created + counts.updated + counts.skipped + counts.invalid;
    let mut tabs = vec![StateTab {
        label: "All rows".to_owned(),
        count: Some(all.to_string()),
        path: path.clone(),
        is_current: chosen.is_none(),
    }];
    for outcome in RowOutcome::ALL {
        let count = match outcome {
            RowOutcome::Created => counts.created,
            RowOutcome::Updated => counts.updated,
            RowOutcome::Skipped => counts.skipped,
            RowOutcome::Invalid => counts.invalid,
        };
        tabs.push(StateTab {
            label: outcome_label(import.state, *outcome).to_owned(),
            count: Some(count.to_string()),
            path: format!("{path}?outcome={}", outcome.as_str()),
            is_current: chosen == Some(*outcome),
        });
    }
    tabs
}

fn undo_tabs(import: &LeadImport, chosen: Option<UndoOutcome>) -> Vec<StateTab> {
    if import.state != ImportState::Undone {
        return Vec::new();
    }
    let path = path_of(&import.id);
    UndoOutcome::ALL
        .iter()
        .map(|outcome| StateTab {
            label: outcome.label().to_owned(),
            count: Some(
                match outcome {
                    UndoOutcome::Removed => import.undo.removed,
                    UndoOutcome::Restored => import.undo.restored,
                    UndoOutcome::Kept => import.undo.kept,
                }
                .to_string(),
            ),
            path: format!("{path}?undo={}", outcome.as_str()),
            is_current: chosen == Some(*outcome),
        })
        .collect()
}

/// GET /leads/imports/{id}
///
/// # Errors
/// `NotFound`, or as the database.
pub async fn show(
    portal: Data<Portal>,
    shell: Shell,
    Path(id): Path<ImportId>,
    Query(query): Query<ShowQuery>,
) -> Answer {
    let filter = RowFilter {
        outcome: query.outcome,
        undo_outcome: query.undo,
        failed_only: false,
    };
    let after = query.after.unwrap_or(0);
    let (import, rows, names, custom, owners) = portal
        .store
        .read(move |conn| {
            let import = lead_imports::get(conn, &id)?;
            let rows = if import.state.is_working() || import.plan.is_none() {
                Vec::new()
            } else {
                lead_imports::rows(conn, &id, filter, after, PAGE + 1)?
            };
            let ids: Vec<LeadId> = rows.iter().filter_map(|row| row.lead_id.clone()).collect();
            let names = leads::display_names(conn, &ids)?;
            let custom = lead_imports::custom_fields(conn)?;
            Ok::<_, StoreError>((import, rows, names, custom, lead_imports::owners(conn)?))
        })
        .await?;
    let may_change = may_change(&shell, &import);
    if import.state == ImportState::Mapping && may_change {
        return Ok(shell
            .redirect(format!("{}/mapping", path_of(&import.id)))
            .quietly());
    }
    work::go_on_if_stalled(&portal, &import);
    let (rows, next) = page_of(&import, rows, &query);
    let page = LeadImportsShow {
        tabs: tabs(&import, query.outcome),
        undo_tabs: undo_tabs(&import, query.undo),
        rows: shown(rows, &names, &custom, &owners),
        next,
        is_first: query.after.is_none(),
        may_change,
        shell,
        import,
    };
    page.shell.render(StatusCode::OK, &page)
}

/// Cuts the rows to a page; the address of the next one, if there is one.
fn page_of(
    import: &LeadImport,
    mut rows: Vec<ImportRowListed>,
    query: &ShowQuery,
) -> (Vec<ImportRowListed>, Option<String>) {
    let size = usize::try_from(PAGE).unwrap_or(usize::MAX);
    let is_more = rows.len() > size;
    rows.truncate(size);
    let last = rows.last().filter(|_| is_more).map(|row| row.number);
    let next = last.map(|number| {
        let mut address = url::form_urlencoded::Serializer::new(String::new());
        if let Some(outcome) = query.outcome {
            address.append_pair("outcome", outcome.as_str());
        }
        if let Some(outcome) = query.undo {
            address.append_pair("undo", outcome.as_str());
        }
        address.append_pair("after", &number.to_string());
        format!("{}?{}", path_of(&import.id), address.finish())
    });
    (rows, next)
}

fn shown(
    rows: Vec<ImportRowListed>,
    names: &HashMap<LeadId, String>,
    custom: &[CustomField],
    owners: &[OwnerChoice],
) -> Vec<ShownRow> {
    rows.into_iter()
        .map(|row| ShownRow {
            lead_name: row.lead_id.as_ref().and_then(|id| names.get(id)).cloned(),
            values: values(&row.changes, custom, owners),
            row,
        })
        .collect()
}

/// GET /leads/imports/{id}/failed.csv: the rows that were skipped or invalid, as they stand in the file, with the reason.
///
/// # Errors
/// `NotFound`, or as the database.
pub async fn rows_csv(portal: Data<Portal>, Path(id): Path<ImportId>) -> Answer {
    let asked = id.clone();
    let import = portal
        .store
        .read(move |conn| lead_imports::get(conn, &asked))
        .await?;
    let width = import.columns.len();
    let mut header = import.columns;
    header.extend(["Row in the file", "Outcome", "Reason"].map(str::to_owned));
    let portal = Rc::new(portal);
    Ok(csv_export::respond(
        "failed-rows.csv",
        header,
        0_i64,
        move |after| {
            let (portal, id) = (Rc::clone(&portal), id.clone());
            async move {
                let filter = RowFilter {
                    failed_only: true,
                    ..RowFilter::default()
                };
                let found = portal
                    .store
                    .read(move |conn| lead_imports::rows(conn, &id, filter, after, PART))
                    .await?;
                let is_full = i64::try_from(found.len()).is_ok_and(|rows| rows == PART);
                let next = found.last().filter(|_| is_full).map(|last| last.number);
                Ok(Chunk {
                    rows: found
                        .into_iter()
                        .map(|row| failed_cells(row, width))
                        .collect(),
                    next,
                })
            }
        },
    ))
}

fn failed_cells(row: ImportRowListed, width: usize) -> Vec<String> {
    let outcome = row.outcome.map(RowOutcome::label).unwrap_or_default();
    let mut cells = row.cells;
    cells.resize(width, String::new());
    cells.extend([
        row.number.to_string(),
        outcome.to_owned(),
        row.reason.unwrap_or_default(),
    ]);
    cells
}
