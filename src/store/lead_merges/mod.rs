//! Merges of two leads: one goes, with all that belongs to it moved to the other, and can be brought back.
//!
//! The row keeps both leads as they were. What is moved (submissions, notes, entries of the journal) is listed by id, so that
//! undoing returns exactly that and leaves alone what came later.

mod undoing;

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use super::columns::Cells;
use super::intake::{LeadChange, add_changes};
use super::leads::JournalChange;
use super::schema::{form_submissions, lead_changes, lead_merges, lead_notes, leads, users};
use super::{AnyConn, StoreError, lead_edits, lead_rows, lock_leads, match_aliases, report_facts};
use crate::domain::ids::{LeadId, MergeId, SubmissionId, UserId};
use crate::domain::lead::merge::{self, MergeChoices};
use crate::domain::lead::{FieldChange, Lead};

pub use undoing::{Undoing, undo, undoing};

/// The word under which a lead's journal notes that another lead became part of it, or left it again.
pub const JOURNAL_WORD: &str = "merged_lead";

/// Ids per statement.
const CHUNK: usize = 1_000;

/// What somebody wants to merge. Each lead comes with the lock version that the person saw.
#[derive(Debug, Clone)]
pub struct NewMerge {
    /// The merge's own identifier.
    pub id: MergeId,
    /// The lead that stays.
    pub survivor: (LeadId, i64),
    /// The lead that becomes part of it.
    pub merged: (LeadId, i64),
    /// Which values stay where both have one.
    pub choices: MergeChoices,
    /// Who.
    pub user_id: UserId,
    /// Identifies the entry of the journal.
    pub change_id: String,
    /// When.
    pub now: DateTime<Utc>,
}

/// What was moved from one lead to the other.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    /// Form submissions.
    pub submissions: Vec<SubmissionId>,
    /// Notes.
    pub notes: Vec<String>,
    /// Entries of the journal.
    pub changes: Vec<String>,
}

/// A merge.
#[derive(Debug, Clone)]
pub struct LeadMerge {
    /// Its identifier.
    pub id: MergeId,
    /// The lead that went.
    pub merged: Lead,
    /// How that lead was called.
    pub merged_name: String,
    /// The lead that stayed.
    pub survivor_id: LeadId,
    /// The lock version of the lead that stayed, right after the merge.
    pub survivor_version: i64,
    /// The lead that stayed, as it was before.
    pub survivor_before: Lead,
    /// What came along.
    pub moved: Moved,
    /// What changed on the lead that stayed.
    pub changes: Vec<FieldChange>,
    /// Who merged, while known.
    pub user_name: Option<String>,
    /// When.
    pub created_at: DateTime<Utc>,
    /// When it was taken back.
    pub undone_at: Option<DateTime<Utc>>,
}

#[derive(Insertable)]
#[diesel(table_name = lead_merges, treat_none_as_default_value = false)]
struct NewRow<'a> {
    id: &'a str,
    merged_id: &'a str,
    merged_name: String,
    survivor_id: &'a str,
    survivor_version: i64,
    merged_lead: String,
    survivor_before: String,
    moved: String,
    changes: String,
    user_id: Option<&'a str>,
    created_at: NaiveDateTime,
    undone_at: Option<NaiveDateTime>,
    undone_by: Option<&'a str>,
}

fn json<T: Serialize>(column: &'static str, id: &MergeId, value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|_| StoreError::Corrupt {
        table: "lead_merges",
        column,
        id: id.as_str().to_owned(),
    })
}

/// Merges one lead into another one and answers what was stored about it.
///
/// # Errors
/// `Rule` when both are the same lead, `NotFound` when one is gone, `Stale` when one changed since it was looked at.
pub fn create(conn: &mut AnyConn, new: &NewMerge) -> Result<LeadMerge, StoreError> {
    let (survivor_id, merged_id) = (&new.survivor.0, &new.merged.0);
    if survivor_id == merged_id {
        return Err(StoreError::Rule(
            "A lead cannot be merged with itself. Choose another lead.".to_owned(),
        ));
    }
    lock_leads(conn)?;
    let before = super::leads::get(conn, survivor_id)?;
    let merged = super::leads::get(conn, merged_id)?;
    if before.lock_version != new.survivor.1 || merged.lock_version != new.merged.1 {
        return Err(StoreError::Stale("lead"));
    }
    let mut lead = before.clone();
    let changes = merge::merge(&mut lead, &merged, &new.choices);
    lead.updated_at = new.now;
    lead.lock_version += 1;
    let moved = belongings(conn, merged_id)?;
    carry(conn, &moved, merged_id, survivor_id)?;
    // Its keys, origins and reports go with it.
    diesel::delete(leads::table.find(merged_id.as_str())).execute(conn)?;
    lead_rows::save(conn, &[&lead])?;
    let row = NewRow {
        id: new.id.as_str(),
        merged_id: merged_id.as_str(),
        merged_name: merged.display_name(),
        survivor_id: survivor_id.as_str(),
        survivor_version: lead.lock_version,
        merged_lead: json("merged_lead", &new.id, &merged)?,
        survivor_before: json("survivor_before", &new.id, &before)?,
        moved: json("moved", &new.id, &moved)?,
        changes: json("changes", &new.id, &changes)?,
        user_id: Some(new.user_id.as_str()),
        created_at: new.now.naive_utc(),
        undone_at: None,
        undone_by: None,
    };
    crate::each!(conn, |c| diesel::insert_into(lead_merges::table)
        .values(&row)
        .execute(c))?;
    let name = merged.display_name();
    let marker = JournalChange {
        field: JOURNAL_WORD.to_owned(),
        before: None,
        after: Some(name),
    };
    note(
        conn,
        survivor_id,
        marker,
        &changes,
        &new.user_id,
        &new.change_id,
        new.now,
    )?;
    lead_edits::rekey(conn, &lead)?;
    match_aliases::settle(conn, survivor_id)?;
    report_facts::ask(conn, &moved.submissions)?;
    get(conn, survivor_id, &new.id)
}

/// All that belongs to a lead and goes along with it.
fn belongings(conn: &mut AnyConn, lead: &LeadId) -> Result<Moved, StoreError> {
    let submissions: Vec<String> = form_submissions::table
        .filter(form_submissions::lead_id.eq(lead.as_str()))
        .select(form_submissions::id)
        .order(form_submissions::id.asc())
        .load(conn)?;
    Ok(Moved {
        submissions: submissions
            .iter()
            .map(|id| super::columns::id("form_submissions", id))
            .collect::<Result<_, _>>()?,
        notes: lead_notes::table
            .filter(lead_notes::lead_id.eq(lead.as_str()))
            .select(lead_notes::id)
            .order(lead_notes::id.asc())
            .load(conn)?,
        changes: lead_changes::table
            .filter(lead_changes::lead_id.eq(lead.as_str()))
            .select(lead_changes::id)
            .order(lead_changes::id.asc())
            .load(conn)?,
    })
}

/// Moves what is listed from one lead to another; what belongs to neither any more stays where it is.
fn carry(
    conn: &mut AnyConn,
    moved: &Moved,
    from: &LeadId,
    to: &LeadId,
) -> Result<usize, StoreError> {
    let mut submissions = 0;
    for chunk in moved.submissions.chunks(CHUNK) {
        submissions += diesel::update(
            form_submissions::table
                .filter(form_submissions::id.eq_any(chunk.iter().map(SubmissionId::as_str)))
                .filter(form_submissions::lead_id.eq(from.as_str())),
        )
        .set(form_submissions::lead_id.eq(to.as_str()))
        .execute(conn)?;
    }
    for chunk in moved.notes.chunks(CHUNK) {
        diesel::update(
            lead_notes::table
                .filter(lead_notes::id.eq_any(chunk))
                .filter(lead_notes::lead_id.eq(from.as_str())),
        )
        .set(lead_notes::lead_id.eq(to.as_str()))
        .execute(conn)?;
    }
    for chunk in moved.changes.chunks(CHUNK) {
        diesel::update(
            lead_changes::table
                .filter(lead_changes::id.eq_any(chunk))
                .filter(lead_changes::lead_id.eq(from.as_str())),
        )
        .set(lead_changes::lead_id.eq(to.as_str()))
        .execute(conn)?;
    }
    Ok(submissions)
}

/// Notes a merge or its undoing in the journal of the lead that stays.
fn note(
    conn: &mut AnyConn,
    lead: &LeadId,
    marker: JournalChange,
    changes: &[FieldChange],
    by: &UserId,
    change_id: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let mut entries = vec![marker];
    entries.extend(changes.iter().map(|change| JournalChange {
        field: change.field.word().into_owned(),
        before: change.before.clone(),
        after: change.after.clone(),
    }));
    add_changes(
        conn,
        vec![LeadChange {
            id: change_id.to_owned(),
            lead_id: lead.clone(),
            submission_id: None,
            user_id: Some(by.clone()),
            kind: "edited",
            changes: serde_json::to_string(&entries).map_err(|_| StoreError::Corrupt {
                table: "lead_changes",
                column: "changes",
                id: lead.as_str().to_owned(),
            })?,
            created_at: now,
        }],
    )
}

#[derive(Queryable)]
struct Row {
    id: String,
    merged_lead: String,
    merged_name: String,
    survivor_id: String,
    survivor_version: i64,
    survivor_before: String,
    moved: String,
    changes: String,
    user_name: Option<String>,
    created_at: NaiveDateTime,
    undone_at: Option<NaiveDateTime>,
}

impl TryFrom<Row> for LeadMerge {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let cells = Cells {
            table: "lead_merges",
            id: &row.id,
        };
        Ok(Self {
            id: cells.word("id", &row.id)?,
            merged: cells.json("merged_lead", &row.merged_lead)?,
            merged_name: row.merged_name,
            survivor_id: cells.word("survivor_id", &row.survivor_id)?,
            survivor_version: row.survivor_version,
            survivor_before: cells.json("survivor_before", &row.survivor_before)?,
            moved: cells.json("moved", &row.moved)?,
            changes: cells.json("changes", &row.changes)?,
            user_name: row.user_name,
            created_at: row.created_at.and_utc(),
            undone_at: row.undone_at.map(|at| at.and_utc()),
        })
    }
}

/// The merges into a lead that were not taken back, newest first, at most 100.
///
/// # Errors
/// As any query.
pub fn of_lead(conn: &mut AnyConn, survivor: &LeadId) -> Result<Vec<LeadMerge>, StoreError> {
    load(conn, survivor, None)
}

fn load(
    conn: &mut AnyConn,
    survivor: &LeadId,
    id: Option<&MergeId>,
) -> Result<Vec<LeadMerge>, StoreError> {
    use lead_merges as m;
    let mut query = m::table
        .left_join(users::table.on(users::id.nullable().eq(m::user_id)))
        .filter(m::survivor_id.eq(survivor.as_str()))
        .select((
            m::id,
            m::merged_lead,
            m::merged_name,
            m::survivor_id,
            m::survivor_version,
            m::survivor_before,
            m::moved,
            m::changes,
            users::name.nullable(),
            m::created_at,
            m::undone_at,
        ))
        .order((m::created_at.desc(), m::id.desc()))
        .limit(100)
        .into_boxed();
    query = match id {
        Some(id) => query.filter(m::id.eq(id.as_str())),
        None => query.filter(m::undone_at.is_null()),
    };
    let rows: Vec<Row> = query.load(conn)?;
    rows.into_iter().map(LeadMerge::try_from).collect()
}

/// A merge into this lead, taken back or not.
///
/// # Errors
/// `NotFound` when there is none.
pub fn get(conn: &mut AnyConn, survivor: &LeadId, id: &MergeId) -> Result<LeadMerge, StoreError> {
    load(conn, survivor, Some(id))?
        .pop()
        .ok_or(StoreError::NotFound("merge"))
}

/// Where a lead went that was merged away: the lead that stands for it now, and how it was called.
///
/// # Errors
/// As any query.
pub fn survivor_of(
    conn: &mut AnyConn,
    merged: &LeadId,
) -> Result<Option<(LeadId, String)>, StoreError> {
    let mut at = merged.as_str().to_owned();
    let mut called = None;
    // A lead merges into another one at most once at a time, so the chain ends; the bound is for a damaged table.
    for _ in 0..1_000 {
        let next: Option<(String, String)> = lead_merges::table
            .filter(lead_merges::merged_id.eq(&at))
            .filter(lead_merges::undone_at.is_null())
            .select((lead_merges::survivor_id, lead_merges::merged_name))
            .first(conn)
            .optional()?;
        match next {
            Some((survivor, name)) => {
                called.get_or_insert(name);
                at = survivor;
            }
            None => break,
        }
    }
    let Some(called) = called else {
        return Ok(None);
    };
    Ok(Some((super::columns::id("leads", &at)?, called)))
}
