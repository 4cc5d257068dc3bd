//! The rows of an import: stored as they are read, marked with what became of them, listed.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::upsert::excluded;

use super::FIRST_ROW;
use crate::domain::ids::{ImportId, LeadId};
use crate::domain::lead_import::{ImportChange, ImportState, RowOutcome, UndoOutcome};
use crate::each;
use crate::store::columns::Cells;
use crate::store::schema::{lead_import_rows, lead_imports};
use crate::store::{AnyConn, StoreError};

/// Rows per statement: nine columns each, below SQLite's 32,766 bind values.
const CHUNK: usize = 1_000;

/// A row with what became of it.
#[derive(Debug, Clone)]
pub struct ImportRowListed {
    /// Its number; the header is row 1.
    pub number: i64,
    /// Its values, as they stand in the file.
    pub cells: Vec<String>,
    /// What became, or would become, of it.
    pub outcome: Option<RowOutcome>,
    /// Why, for people.
    pub reason: Option<String>,
    /// The lead that it made, changed or matched.
    pub lead_id: Option<LeadId>,
    /// What it changed.
    pub changes: Vec<ImportChange>,
    /// What undoing did.
    pub undo_outcome: Option<UndoOutcome>,
    /// Why.
    pub undo_reason: Option<String>,
}

/// Which rows a list shows.
#[derive(Debug, Clone, Copy, Default)]
pub struct RowFilter {
    /// Only with this outcome.
    pub outcome: Option<RowOutcome>,
    /// Only what undoing did this to.
    pub undo_outcome: Option<UndoOutcome>,
    /// Skipped and invalid ones only.
    pub failed_only: bool,
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = lead_import_rows, treat_none_as_default_value = false)]
pub(super) struct RowRecord {
    pub(super) import_id: String,
    pub(super) row_number: i64,
    pub(super) cells: String,
    pub(super) match_key: Option<String>,
    pub(super) outcome: Option<String>,
    pub(super) reason: Option<String>,
    pub(super) lead_id: Option<String>,
    pub(super) changes: Option<String>,
    pub(super) undo_outcome: Option<String>,
    pub(super) undo_reason: Option<String>,
}

impl RowRecord {
    pub(super) fn cells_of(&self) -> Result<Vec<String>, StoreError> {
        self.read().json("cells", &self.cells)
    }

    pub(super) fn changes_of(&self) -> Result<Vec<ImportChange>, StoreError> {
        self.changes.as_deref().map_or(Ok(Vec::new()), |changes| {
            self.read().json("changes", changes)
        })
    }

    pub(super) fn read(&self) -> Cells<'_> {
        Cells {
            table: "lead_import_rows",
            id: &self.import_id,
        }
    }
}

impl TryFrom<RowRecord> for ImportRowListed {
    type Error = StoreError;

    fn try_from(row: RowRecord) -> Result<Self, StoreError> {
        Ok(Self {
            number: row.row_number,
            cells: row.cells_of()?,
            changes: row.changes_of()?,
            outcome: row.read().optional("outcome", row.outcome.as_deref())?,
            lead_id: row.read().optional("lead_id", row.lead_id.as_deref())?,
            undo_outcome: row
                .read()
                .optional("undo_outcome", row.undo_outcome.as_deref())?,
            reason: row.reason,
            undo_reason: row.undo_reason,
        })
    }
}

/// Stores rows of a file that is being read, the first of them with this number.
///
/// # Errors
/// As any query.
pub fn add_rows(
    conn: &mut AnyConn,
    id: &ImportId,
    first: i64,
    rows: &[Vec<String>],
) -> Result<(), StoreError> {
    let mut records = Vec::with_capacity(rows.len());
    for (number, cells) in (first..).zip(rows) {
        records.push(RowRecord {
            import_id: id.as_str().to_owned(),
            row_number: number,
            cells: super::json(cells, "lead_import_rows", "cells", id.as_str())?,
            match_key: None,
            outcome: None,
            reason: None,
            lead_id: None,
            changes: None,
            undo_outcome: None,
            undo_reason: None,
        });
    }
    for chunk in records.chunks(CHUNK) {
        each!(conn, |c| diesel::insert_into(lead_import_rows::table)
            .values(chunk)
            .execute(c))?;
    }
    Ok(())
}

/// Rows from this number on, at most `limit`.
pub(super) fn load(
    conn: &mut AnyConn,
    id: &ImportId,
    from: i64,
    limit: i64,
) -> Result<Vec<RowRecord>, StoreError> {
    Ok(lead_import_rows::table
        .filter(lead_import_rows::import_id.eq(id.as_str()))
        .filter(lead_import_rows::row_number.ge(from))
        .order(lead_import_rows::row_number.asc())
        .limit(limit)
        .load(conn)?)
}

/// Marks rows with what became of them.
pub(super) fn save(conn: &mut AnyConn, rows: &[RowRecord]) -> Result<(), StoreError> {
    use lead_import_rows as r;
    for chunk in rows.chunks(CHUNK) {
        each!(conn, |c| diesel::insert_into(r::table)
            .values(chunk)
            .on_conflict((r::import_id, r::row_number))
            .do_update()
            .set((
                r::match_key.eq(excluded(r::match_key)),
                r::outcome.eq(excluded(r::outcome)),
                r::reason.eq(excluded(r::reason)),
                r::lead_id.eq(excluded(r::lead_id)),
                r::changes.eq(excluded(r::changes)),
            ))
            .execute(c))?;
    }
    Ok(())
}

/// Forgets what would have become of the rows.
pub(super) fn clear(conn: &mut AnyConn, id: &ImportId) -> Result<(), StoreError> {
    use lead_import_rows as r;
    diesel::update(
        r::table
            .filter(r::import_id.eq(id.as_str()))
            .filter(r::outcome.is_not_null()),
    )
    .set((
        r::match_key.eq(None::<String>),
        r::outcome.eq(None::<String>),
        r::reason.eq(None::<String>),
        r::lead_id.eq(None::<String>),
        r::changes.eq(None::<String>),
    ))
    .execute(conn)?;
    Ok(())
}

pub(super) fn are_kept(conn: &mut AnyConn, id: &ImportId) -> Result<bool, StoreError> {
    Ok(lead_import_rows::table
        .filter(lead_import_rows::import_id.eq(id.as_str()))
        .select(lead_import_rows::row_number)
        .first::<i64>(conn)
        .optional()?
        .is_some())
}

/// Rows that pass the filter after this number, at most `limit`.
///
/// # Errors
/// As any query.
pub fn rows(
    conn: &mut AnyConn,
    id: &ImportId,
    filter: RowFilter,
    after: i64,
    limit: i64,
) -> Result<Vec<ImportRowListed>, StoreError> {
    use lead_import_rows as r;
    let mut query = r::table
        .filter(r::import_id.eq(id.as_str()))
        .filter(r::row_number.gt(after))
        .order(r::row_number.asc())
        .limit(limit)
        .into_boxed();
    if let Some(outcome) = filter.outcome {
        query = query.filter(r::outcome.eq(outcome.as_str()));
    }
    if let Some(outcome) = filter.undo_outcome {
        query = query.filter(r::undo_outcome.eq(outcome.as_str()));
    }
    if filter.failed_only {
        query = query.filter(
            r::outcome.eq_any([RowOutcome::Skipped.as_str(), RowOutcome::Invalid.as_str()]),
        );
    }
    query
        .load::<RowRecord>(conn)?
        .into_iter()
        .map(ImportRowListed::try_from)
        .collect()
}

/// The first rows of a file, as they stand in it.
///
/// # Errors
/// As any query.
pub fn sample(
    conn: &mut AnyConn,
    id: &ImportId,
    limit: i64,
) -> Result<Vec<Vec<String>>, StoreError> {
    load(conn, id, FIRST_ROW, limit)?
        .iter()
        .map(RowRecord::cells_of)
        .collect()
}

/// Imports that rest since before this moment and still have rows, at most 20.
fn old(conn: &mut AnyConn, before: DateTime<Utc>) -> Result<Vec<String>, StoreError> {
    let working: Vec<&str> = ImportState::ALL
        .iter()
        .filter(|state| state.is_working())
        .map(|state| state.as_str())
        .collect();
    Ok(lead_imports::table
        .filter(lead_imports::state.ne_all(working))
        .filter(lead_imports::updated_at.lt(before.naive_utc()))
        .filter(diesel::dsl::exists(
            lead_import_rows::table.filter(lead_import_rows::import_id.eq(lead_imports::id)),
        ))
        .select(lead_imports::id)
        .limit(20)
        .load(conn)?)
}

/// Whether [`forget_rows`] would find something to forget.
///
/// # Errors
/// As any query.
pub fn has_old(conn: &mut AnyConn, before: DateTime<Utc>) -> Result<bool, StoreError> {
    Ok(!old(conn, before)?.is_empty())
}

/// Forgets the rows of imports that ended before this moment, and imports that were never written: they hold personal
/// data. Answers how many imports lost their rows; at most 20 at a time.
///
/// # Errors
/// As any query.
pub fn forget_rows(conn: &mut AnyConn, before: DateTime<Utc>) -> Result<usize, StoreError> {
    let unwritten = [
        ImportState::Reading.as_str(),
        ImportState::Mapping.as_str(),
        ImportState::Checked.as_str(),
    ];
    diesel::delete(
        lead_imports::table
            .filter(lead_imports::state.eq_any(unwritten))
            .filter(lead_imports::updated_at.lt(before.naive_utc())),
    )
    .execute(conn)?;
    let old = old(conn, before)?;
    diesel::delete(lead_import_rows::table.filter(lead_import_rows::import_id.eq_any(&old)))
        .execute(conn)?;
    Ok(old.len())
}
