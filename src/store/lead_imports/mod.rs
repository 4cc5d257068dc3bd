//! Imports of leads from files: the import, its rows, and the work on them, a batch at a time, each batch all or nothing.

mod apply;
mod rows;
mod undo;
mod working_set;

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;
use uuid::Uuid;

use super::columns::Cells;
use super::paging::{Cursor, Page, PageStart, keyset};
use super::schema::{lead_imports, user_roles, users};
use super::{AnyConn, StoreError};
use crate::domain::access::Role;
use crate::domain::ids::{ImportId, UserId};
use crate::domain::lead::CustomField;
use crate::domain::lead_import::{ImportPlan, ImportState, OwnerChoice};

pub use rows::{ImportRowListed, RowFilter, add_rows, forget_rows, has_old, rows, sample};

/// An import.
#[derive(Debug, Clone)]
pub struct LeadImport {
    /// Identifier.
    pub id: ImportId,
    /// The file's name, for people.
    pub file_name: String,
    /// Encoding and separator as they were found, for people.
    pub format: String,
    /// How far it is.
    pub state: ImportState,
    /// Who imports; `None` when that user is gone.
    pub user_id: Option<UserId>,
    /// That person's name at the time.
    pub user_name: String,
    /// The headers, in the order of the file.
    pub columns: Vec<String>,
    /// What was decided about it.
    pub plan: Option<ImportPlan>,
    /// Rows without the header.
    pub row_count: i64,
    /// The first row that the current work has not done; the header is row 1.
    pub next_row: i64,
    /// What became, or would become, of the rows done so far.
    pub counts: ImportCounts,
    /// What undoing did so far.
    pub undo: UndoCounts,
    /// Why the work stopped, for people.
    pub failure: Option<String>,
    /// When the file was sent.
    pub created_at: DateTime<Utc>,
    /// When anything on it last changed.
    pub updated_at: DateTime<Utc>,
    /// When the last row was imported.
    pub finished_at: Option<DateTime<Utc>>,
    /// When undoing ended.
    pub undone_at: Option<DateTime<Utc>>,
}

impl LeadImport {
    /// Rows that the current work has done.
    #[must_use]
    pub fn rows_done(&self) -> i64 {
        match self.state {
            ImportState::Undoing => self.undo.removed + self.undo.restored + self.undo.kept,
            _ => self.next_row.saturating_sub(FIRST_ROW),
        }
    }
}

/// Rows by outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ImportCounts {
    /// Rows that made a lead.
    pub created: i64,
    /// Rows that changed a lead.
    pub updated: i64,
    /// Rows left out for a reason that is no fault of theirs.
    pub skipped: i64,
    /// Rows with a fault.
    pub invalid: i64,
}

/// Leads by what undoing did to them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UndoCounts {
    /// Leads deleted.
    pub removed: i64,
    /// Leads whose values were restored.
    pub restored: i64,
    /// Leads left alone.
    pub kept: i64,
}

/// The number of the first row: row 1 is the header, as spreadsheets count.
pub const FIRST_ROW: i64 = 2;

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = lead_imports, treat_none_as_default_value = false)]
struct ImportRecord {
    id: String,
    file_name: String,
    format: String,
    state: String,
    user_id: Option<String>,
    user_name: String,
    headers: String,
    plan: Option<String>,
    row_count: i64,
    next_row: i64,
    created_count: i64,
    updated_count: i64,
    skipped_count: i64,
    invalid_count: i64,
    removed_count: i64,
    restored_count: i64,
    kept_count: i64,
    failure: Option<String>,
    created_at: NaiveDateTime,
    updated_at: NaiveDateTime,
    finished_at: Option<NaiveDateTime>,
    undone_at: Option<NaiveDateTime>,
}

impl TryFrom<ImportRecord> for LeadImport {
    type Error = StoreError;

    fn try_from(row: ImportRecord) -> Result<Self, StoreError> {
        let cells = Cells {
            table: "lead_imports",
            id: &row.id,
        };
        Ok(Self {
            id: cells.word("id", &row.id)?,
            state: cells.word("state", &row.state)?,
            user_id: cells.optional("user_id", row.user_id.as_deref())?,
            columns: cells.json("headers", &row.headers)?,
            plan: row
                .plan
                .as_deref()
                .map(|plan| cells.json("plan", plan))
                .transpose()?,
            file_name: row.file_name,
            format: row.format,
            user_name: row.user_name,
            row_count: row.row_count,
            next_row: row.next_row,
            counts: ImportCounts {
                created: row.created_count,
                updated: row.updated_count,
                skipped: row.skipped_count,
                invalid: row.invalid_count,
            },
            undo: UndoCounts {
                removed: row.removed_count,
                restored: row.restored_count,
                kept: row.kept_count,
            },
            failure: row.failure,
            created_at: row.created_at.and_utc(),
            updated_at: row.updated_at.and_utc(),
            finished_at: row.finished_at.map(|at| at.and_utc()),
            undone_at: row.undone_at.map(|at| at.and_utc()),
        })
    }
}

/// A file whose rows are about to be stored.
#[derive(Debug, Clone)]
pub struct NewImport {
    /// Identifier.
    pub id: ImportId,
    /// The file's name.
    pub file_name: String,
    /// Encoding and separator, for people.
    pub format: String,
    /// Who sent it.
    pub user_id: UserId,
    /// That person's name.
    pub user_name: String,
    /// The headers.
    pub columns: Vec<String>,
}

fn json<T: serde::Serialize>(
    value: &T,
    table: &'static str,
    column: &'static str,
    id: &str,
) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|_| StoreError::Corrupt {
        table,
        column,
        id: id.to_owned(),
    })
}

/// Stores an import whose file is being read.
///
/// # Errors
/// As any query.
pub fn insert(conn: &mut AnyConn, new: &NewImport, now: DateTime<Utc>) -> Result<(), StoreError> {
    diesel::insert_into(lead_imports::table)
        .values(ImportRecord {
            id: new.id.as_str().to_owned(),
            file_name: new.file_name.clone(),
            format: new.format.clone(),
            state: ImportState::Reading.as_str().to_owned(),
            user_id: Some(new.user_id.as_str().to_owned()),
            user_name: new.user_name.clone(),
            headers: json(&new.columns, "lead_imports", "headers", new.id.as_str())?,
            plan: None,
            row_count: 0,
            next_row: FIRST_ROW,
            created_count: 0,
            updated_count: 0,
            skipped_count: 0,
            invalid_count: 0,
            removed_count: 0,
            restored_count: 0,
            kept_count: 0,
            failure: None,
            created_at: now.naive_utc(),
            updated_at: now.naive_utc(),
            finished_at: None,
            undone_at: None,
        })
        .execute(conn)?;
    Ok(())
}

/// The import.
///
/// # Errors
/// `NotFound` when there is none.
pub fn get(conn: &mut AnyConn, id: &ImportId) -> Result<LeadImport, StoreError> {
    lead_imports::table
        .find(id.as_str())
        .first::<ImportRecord>(conn)
        .optional()?
        .ok_or(StoreError::NotFound("import"))?
        .try_into()
}

/// One page of the imports, newest first.
///
/// # Errors
/// As any query.
pub fn list(conn: &mut AnyConn, start: &PageStart) -> Result<Page<LeadImport>, StoreError> {
    let mut query = lead_imports::table.into_boxed();
    keyset!(query, start, lead_imports::created_at, lead_imports::id);
    let rows = query
        .load::<ImportRecord>(conn)?
        .into_iter()
        .map(LeadImport::try_from)
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Page::cut(rows, start, |row| Cursor {
        at: row.created_at,
        id: row.id.as_str().to_owned(),
    }))
}

/// The imports that the portal works on now, the oldest first; at most twenty.
///
/// # Errors
/// As any query.
pub fn at_work(conn: &mut AnyConn) -> Result<Vec<LeadImport>, StoreError> {
    let states: Vec<&str> = ImportState::ALL
        .iter()
        .filter(|state| state.is_working())
        .map(|state| state.as_str())
        .collect();
    lead_imports::table
        .filter(lead_imports::state.eq_any(states))
        .filter(lead_imports::failure.is_null())
        .order((lead_imports::created_at.asc(), lead_imports::id.asc()))
        .limit(20)
        .load::<ImportRecord>(conn)?
        .into_iter()
        .map(LeadImport::try_from)
        .collect()
}

/// Moves an import from one of these states to another one and lets its work begin at the first row.
fn transition(
    conn: &mut AnyConn,
    id: &ImportId,
    from: &[ImportState],
    to: ImportState,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let words: Vec<&str> = from.iter().map(|state| state.as_str()).collect();
    let moved = diesel::update(
        lead_imports::table
            .find(id.as_str())
            .filter(lead_imports::state.eq_any(words)),
    )
    .set((
        lead_imports::state.eq(to.as_str()),
        lead_imports::next_row.eq(FIRST_ROW),
        lead_imports::failure.eq(None::<String>),
        lead_imports::updated_at.eq(now.naive_utc()),
    ))
    .execute(conn)?;
    if moved == 1 {
        return Ok(());
    }
    let state = get(conn, id)?.state;
    Err(StoreError::Rule(format!(
        "The import is in the state “{state}” meanwhile. Open it again to see how far it is."
    )))
}

fn forget_counts(conn: &mut AnyConn, id: &ImportId) -> Result<(), StoreError> {
    diesel::update(lead_imports::table.find(id.as_str()))
        .set((
            lead_imports::created_count.eq(0),
            lead_imports::updated_count.eq(0),
            lead_imports::skipped_count.eq(0),
            lead_imports::invalid_count.eq(0),
        ))
        .execute(conn)?;
    Ok(())
}

/// Says that all rows of the file are stored.
///
/// # Errors
/// `Rule` when it was not being read.
pub fn finish_reading(
    conn: &mut AnyConn,
    id: &ImportId,
    row_count: i64,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    transition(conn, id, &[ImportState::Reading], ImportState::Mapping, now)?;
    diesel::update(lead_imports::table.find(id.as_str()))
        .set(lead_imports::row_count.eq(row_count))
        .execute(conn)?;
    Ok(())
}

/// Takes a plan and lets the check of all rows begin. A plan may be changed until leads are written.
///
/// # Errors
/// `Rule` when leads were written already.
pub fn save_plan(
    conn: &mut AnyConn,
    id: &ImportId,
    plan: &ImportPlan,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let from = [
        ImportState::Mapping,
        ImportState::Checking,
        ImportState::Checked,
    ];
    transition(conn, id, &from, ImportState::Checking, now)?;
    forget_counts(conn, id)?;
    rows::clear(conn, id)?;
    diesel::update(lead_imports::table.find(id.as_str()))
        .set(lead_imports::plan.eq(Some(json(plan, "lead_imports", "plan", id.as_str())?)))
        .execute(conn)?;
    Ok(())
}

/// Lets the writing of leads begin.
///
/// # Errors
/// `Rule` when the rows were not checked, or leads were written already.
pub fn start(conn: &mut AnyConn, id: &ImportId, now: DateTime<Utc>) -> Result<(), StoreError> {
    transition(
        conn,
        id,
        &[ImportState::Checked],
        ImportState::Importing,
        now,
    )?;
    forget_counts(conn, id)?;
    rows::clear(conn, id)
}

/// Lets the undoing begin.
///
/// # Errors
/// `Rule` when nothing was imported, or it is undone already; or when the rows are no longer kept.
pub fn start_undo(conn: &mut AnyConn, id: &ImportId, now: DateTime<Utc>) -> Result<(), StoreError> {
    transition(
        conn,
        id,
        &[ImportState::Imported],
        ImportState::Undoing,
        now,
    )?;
    if !rows::are_kept(conn, id)? {
        return Err(StoreError::Rule(
            "The rows of this import are no longer kept, so it cannot be undone.".to_owned(),
        ));
    }
    Ok(())
}

/// Lets work that stopped with a failure go on.
///
/// # Errors
/// As any query.
pub fn resume(conn: &mut AnyConn, id: &ImportId, now: DateTime<Utc>) -> Result<(), StoreError> {
    diesel::update(lead_imports::table.find(id.as_str()))
        .set((
            lead_imports::failure.eq(None::<String>),
            lead_imports::updated_at.eq(now.naive_utc()),
        ))
        .execute(conn)?;
    Ok(())
}

/// Notes why the work stopped.
///
/// # Errors
/// As any query.
pub fn fail(
    conn: &mut AnyConn,
    id: &ImportId,
    failure: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    diesel::update(lead_imports::table.find(id.as_str()))
        .set((
            lead_imports::failure.eq(Some(failure)),
            lead_imports::updated_at.eq(now.naive_utc()),
        ))
        .execute(conn)?;
    Ok(())
}

/// Deletes an import that has written no leads.
///
/// # Errors
/// `Rule` when it has.
pub fn delete(conn: &mut AnyConn, id: &ImportId) -> Result<(), StoreError> {
    let written: Vec<&str> = ImportState::ALL
        .iter()
        .filter(|state| state.has_written())
        .map(|state| state.as_str())
        .collect();
    let gone = diesel::delete(
        lead_imports::table
            .find(id.as_str())
            .filter(lead_imports::state.ne_all(written)),
    )
    .execute(conn)?;
    if gone == 0 {
        get(conn, id)?;
        return Err(StoreError::Rule(
            "This import has written leads. Undo it instead.".to_owned(),
        ));
    }
    Ok(())
}

/// The import whose work nobody has gone on with since `before`, the longest waiting first.
///
/// # Errors
/// As any query.
pub fn stalled(conn: &mut AnyConn, before: DateTime<Utc>) -> Result<Option<ImportId>, StoreError> {
    let working: Vec<&str> = ImportState::ALL
        .iter()
        .filter(|state| state.is_working())
        .map(|state| state.as_str())
        .collect();
    let found: Option<String> = lead_imports::table
        .filter(lead_imports::state.eq_any(working))
        .filter(lead_imports::failure.is_null())
        .filter(lead_imports::updated_at.lt(before.naive_utc()))
        .order(lead_imports::updated_at.asc())
        .select(lead_imports::id)
        .first(conn)
        .optional()?;
    found
        .map(|id| super::columns::id("lead_imports", &id))
        .transpose()
}

/// Does one batch of the work that an import waits for; whether there is more to do. Whoever calls it, and however often:
/// each row is worked on once, because the batch and its place are stored together.
///
/// # Errors
/// `Rule` with a sentence for people when the work cannot go on; otherwise as any query. Then nothing of the batch is kept.
pub fn advance(
    conn: &mut AnyConn,
    id: &ImportId,
    now: DateTime<Utc>,
    new_id: fn() -> Uuid,
) -> Result<bool, StoreError> {
    match get(conn, id)?.state {
        ImportState::Checking => apply::check(conn, id, now, new_id),
        ImportState::Importing => apply::write(conn, id, now, new_id),
        ImportState::Undoing => undo::batch(conn, id, now, new_id),
        _ => Ok(false),
    }
}

/// Enabled people who can own leads, with the addresses by which a file may name them.
///
/// # Errors
/// As any query.
pub fn owners(conn: &mut AnyConn) -> Result<Vec<OwnerChoice>, StoreError> {
    let rows: Vec<(String, String, String)> = users::table
        .filter(users::is_enabled.eq(true))
        .filter(
            users::id.eq_any(
                user_roles::table
                    .filter(user_roles::role.ne(Role::S2sInbound.as_str()))
                    .select(user_roles::user_id),
            ),
        )
        .order((users::name.asc(), users::id.asc()))
        .select((users::id, users::name, users::email))
        .load(conn)?;
    rows.into_iter()
        .map(|(id, name, email)| {
            Ok(OwnerChoice {
                id: super::columns::id("users", &id)?,
                name,
                email,
            })
        })
        .collect()
}

/// The custom fields that a file may fill.
///
/// # Errors
/// As any query.
pub fn custom_fields(conn: &mut AnyConn) -> Result<Vec<CustomField>, StoreError> {
    Ok(super::custom_fields::stored(conn)?
        .into_iter()
        .filter(|stored| !stored.defined.is_retired)
        .map(|stored| stored.defined.field)
        .collect())
}
