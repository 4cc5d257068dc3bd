//! Notes that people write on a lead.

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;

use super::columns::Cells;
use super::schema::{lead_notes, leads, users};
use super::{AnyConn, StoreError};
use crate::domain::ids::{LeadId, NoteId, UserId};

/// The most characters of a note.
pub const MAX_NOTE: usize = 10_000;

/// A note.
#[derive(Debug, Clone)]
pub struct Note {
    /// Its identifier.
    pub id: NoteId,
    /// The lead.
    pub lead_id: LeadId,
    /// Who wrote it, while the account exists.
    pub user_id: Option<UserId>,
    /// The name of that person.
    pub user_name: Option<String>,
    /// What it says.
    pub body: String,
    /// When it was written.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
    /// Counts changes.
    pub lock_version: i64,
}

#[derive(Queryable)]
struct Row {
    id: String,
    lead_id: String,
    user_id: Option<String>,
    user_name: Option<String>,
    body: String,
    created_at: NaiveDateTime,
    updated_at: NaiveDateTime,
    lock_version: i64,
}

impl TryFrom<Row> for Note {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let cells = Cells {
            table: "lead_notes",
            id: &row.id,
        };
        Ok(Self {
            id: cells.word("id", &row.id)?,
            lead_id: cells.word("lead_id", &row.lead_id)?,
            user_id: cells.optional("user_id", row.user_id.as_deref())?,
            user_name: row.user_name,
            body: row.body,
            created_at: row.created_at.and_utc(),
            updated_at: row.updated_at.and_utc(),
            lock_version: row.lock_version,
        })
    }
}

macro_rules! note_columns {
    () => {
        (
            lead_notes::id,
            lead_notes::lead_id,
            lead_notes::user_id,
            users::name.nullable(),
            lead_notes::body,
            lead_notes::created_at,
            lead_notes::updated_at,
            lead_notes::lock_version,
        )
    };
}

/// The notes of a lead, newest first, at most 200.
///
/// # Errors
/// As any query.
pub fn of_lead(conn: &mut AnyConn, lead: &LeadId) -> Result<Vec<Note>, StoreError> {
    lead_notes::table
        .left_join(users::table)
        .filter(lead_notes::lead_id.eq(lead.as_str()))
        .order((lead_notes::created_at.desc(), lead_notes::id.desc()))
        .select(note_columns!())
        .limit(200)
        .load::<Row>(conn)?
        .into_iter()
        .map(Note::try_from)
        .collect()
}

/// One note of a lead.
///
/// # Errors
/// `NotFound` when there is none.
pub fn get(conn: &mut AnyConn, lead: &LeadId, id: &NoteId) -> Result<Note, StoreError> {
    lead_notes::table
        .left_join(users::table)
        .filter(lead_notes::id.eq(id.as_str()))
        .filter(lead_notes::lead_id.eq(lead.as_str()))
        .select(note_columns!())
        .first::<Row>(conn)
        .optional()?
        .ok_or(StoreError::NotFound("note"))?
        .try_into()
}

/// Adds a note.
///
/// # Errors
/// `NotFound` when the lead is gone.
pub fn insert(
    conn: &mut AnyConn,
    id: &NoteId,
    lead: &LeadId,
    user: &UserId,
    body: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let is_there: bool =
        diesel::select(diesel::dsl::exists(leads::table.find(lead.as_str()))).get_result(conn)?;
    if !is_there {
        return Err(StoreError::NotFound("lead"));
    }
    diesel::insert_into(lead_notes::table)
        .values((
            lead_notes::id.eq(id.as_str()),
            lead_notes::lead_id.eq(lead.as_str()),
            lead_notes::user_id.eq(user.as_str()),
            lead_notes::body.eq(body),
            lead_notes::created_at.eq(now.naive_utc()),
            lead_notes::updated_at.eq(now.naive_utc()),
            lead_notes::lock_version.eq(0),
        ))
        .execute(conn)?;
    Ok(())
}

/// Changes what a person's own note says; `expected` is the version that the person read.
///
/// # Errors
/// `Stale` when it changed since.
pub fn save(
    conn: &mut AnyConn,
    note: &Note,
    body: &str,
    expected: i64,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let changed = diesel::update(lead_notes::table.find(note.id.as_str()))
        .filter(lead_notes::lock_version.eq(expected))
        .set((
            lead_notes::body.eq(body),
            lead_notes::updated_at.eq(now.naive_utc()),
            lead_notes::lock_version.eq(expected + 1),
        ))
        .execute(conn)?;
    if changed == 0 {
        return Err(StoreError::Stale("note"));
    }
    Ok(())
}

/// Deletes a note.
///
/// # Errors
/// As any query.
pub fn delete(conn: &mut AnyConn, id: &NoteId) -> Result<(), StoreError> {
    diesel::delete(lead_notes::table.find(id.as_str())).execute(conn)?;
    Ok(())
}
