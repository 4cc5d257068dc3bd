//! Responses that Microsoft's connector handled. Where the submission was brought along the sync takes LinkedIn's own text of it
//! once, and leaves what became of it as it is; where it stayed behind the sync stores it as handled.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::columns::Cells;
use super::schema::{connector_responses as responses, form_submissions, submission_contents};
use super::{AnyConn, StoreError, report_facts};
use crate::domain::ids::{FormVersionId, SubmissionId};
use crate::domain::submission::{MatchingStatus, ProcessingState, SubmissionReason};
use crate::insert_rows;

/// Response ids in one statement.
const CHUNK: usize = 500;

#[derive(Insertable)]
#[diesel(table_name = responses, treat_none_as_default_value = false)]
struct ResponseRow {
    response_id: String,
    is_adopted: bool,
    brought_at: chrono::NaiveDateTime,
    matching_status: Option<&'static str>,
}

/// Notes responses with what the connector made of them.
///
/// # Errors
/// As any query.
pub fn add(
    conn: &mut AnyConn,
    handled: Vec<(String, MatchingStatus)>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let rows: Vec<ResponseRow> = handled
        .into_iter()
        .map(|(response_id, status)| ResponseRow {
            response_id,
            is_adopted: false,
            brought_at: now.naive_utc(),
            matching_status: Some(status.as_str()),
        })
        .collect();
    insert_rows!(conn, &rows, |block| diesel::insert_into(responses::table)
        .values(block)
        .on_conflict_do_nothing());
    Ok(())
}

/// A response that is noted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Noted {
    /// Whether LinkedIn's own text of it has come.
    pub is_adopted: bool,
    /// What the connector made of it; `None` where an earlier version of the portal brought it along.
    pub status: Option<MatchingStatus>,
}

/// Those of these responses that are noted.
///
/// # Errors
/// As any query, or `Corrupt`.
pub fn noted(
    conn: &mut AnyConn,
    response_ids: &[&str],
) -> Result<BTreeMap<String, Noted>, StoreError> {
    let mut found = BTreeMap::new();
    for chunk in response_ids.chunks(CHUNK) {
        let rows: Vec<(String, bool, Option<String>)> = responses::table
            .filter(responses::response_id.eq_any(chunk))
            .select((
                responses::response_id,
                responses::is_adopted,
                responses::matching_status,
            ))
            .load(conn)?;
        for (response_id, is_adopted, status) in rows {
            let place = Cells {
                table: "connector_responses",
                id: &response_id,
            };
            let status = status
                .map(|status| place.word("matching_status", &status))
                .transpose()?;
            found.insert(response_id, Noted { is_adopted, status });
        }
    }
    Ok(found)
}

/// A submission that came along and still has the exported answers.
#[derive(Debug, Clone)]
pub struct Open {
    /// The submission.
    pub id: SubmissionId,
    /// LinkedIn's response id.
    pub response_id: String,
    /// When the member submitted.
    pub submitted_at: DateTime<Utc>,
    /// The exported answers in LinkedIn's shape.
    pub raw: Vec<u8>,
}

/// Those of these responses whose submission came along, and of which LinkedIn's own text has not come. One that the connector had
/// not handled counts until the sync decides about it.
///
/// # Errors
/// As any query, or `Corrupt`.
pub fn open(conn: &mut AnyConn, response_ids: &[&str]) -> Result<Vec<Open>, StoreError> {
    use form_submissions as s;
    let mut found = Vec::new();
    for chunk in response_ids.chunks(CHUNK) {
        let unread = responses::table
            .filter(responses::is_adopted.eq(false))
            .select(responses::response_id);
        let rows: Vec<(String, String, chrono::NaiveDateTime, Vec<u8>)> = s::table
            .inner_join(submission_contents::table)
            .filter(s::response_id.eq_any(chunk))
            .filter(s::response_id.eq_any(unread))
            .filter(
                s::reason
                    .eq(SubmissionReason::BroughtAlong.as_str())
                    .or(s::reason
                        .is_null()
                        .and(s::processing_state.eq(ProcessingState::Unprocessed.as_str()))),
            )
            .select((
                s::id,
                s::response_id,
                s::submitted_at,
                submission_contents::raw,
            ))
            .load(conn)?;
        for (id, response_id, submitted_at, raw) in rows {
            let place = Cells {
                table: "form_submissions",
                id: &id,
            };
            found.push(Open {
                id: place.word("id", &id)?,
                response_id,
                submitted_at: submitted_at.and_utc(),
                raw,
            });
        }
    }
    Ok(found)
}

/// Exported answers of a submission, with those that came later.
#[derive(Debug, Clone)]
pub struct Extended {
    /// The submission.
    pub id: SubmissionId,
    /// SHA-256 of what the response says, whatever the order.
    pub content_hash: Vec<u8>,
    /// All answers in LinkedIn's shape.
    pub raw: Vec<u8>,
}

/// Keeps the answers of submissions together with those that came later.
///
/// # Errors
/// As any query.
pub fn extend(conn: &mut AnyConn, extended: &[Extended]) -> Result<(), StoreError> {
    for one in extended {
        set_content(conn, &one.id, &one.content_hash, &one.raw)?;
    }
    Ok(())
}

fn set_content(
    conn: &mut AnyConn,
    id: &SubmissionId,
    content_hash: &[u8],
    raw: &[u8],
) -> Result<(), StoreError> {
    diesel::update(form_submissions::table.find(id.as_str()))
        .set(form_submissions::content_hash.eq(content_hash))
        .execute(conn)?;
    diesel::update(submission_contents::table.find(id.as_str()))
        .set(submission_contents::raw.eq(raw))
        .execute(conn)?;
    Ok(())
}

/// LinkedIn's own text of a response that was brought along.
#[derive(Debug, Clone)]
pub struct Adopted {
    /// The submission.
    pub id: SubmissionId,
    /// LinkedIn's response id.
    pub response_id: String,
    /// When the member submitted, where LinkedIn tells: an export may tell it less exactly.
    pub submitted_at: Option<DateTime<Utc>>,
    /// LinkedIn's version of the form and ours, where it is known here.
    pub version: Option<(i64, FormVersionId)>,
    /// SHA-256 of what the response says, whatever the order.
    pub content_hash: Vec<u8>,
    /// What LinkedIn sent, byte for byte.
    pub raw: Vec<u8>,
}

/// Keeps LinkedIn's own text in place of the exported one. What became of the submission stays.
///
/// # Errors
/// As any query.
pub fn adopt(conn: &mut AnyConn, adopted: &[Adopted]) -> Result<(), StoreError> {
    use form_submissions as s;
    for one in adopted {
        set_content(conn, &one.id, &one.content_hash, &one.raw)?;
        if let Some((number, version)) = &one.version {
            diesel::update(s::table.find(one.id.as_str()))
                .set((
                    s::form_version_id.eq(version.as_str()),
                    s::form_version_number.eq(*number),
                ))
                .execute(conn)?;
        }
        if let Some(at) = one.submitted_at {
            diesel::update(s::table.find(one.id.as_str()))
                .set(s::submitted_at.eq(at.naive_utc()))
                .execute(conn)?;
        }
    }
    // Reports count by the time of submission.
    let ids: Vec<SubmissionId> = adopted.iter().map(|one| one.id.clone()).collect();
    report_facts::ask(conn, &ids)?;
    let response_ids: Vec<&str> = adopted.iter().map(|one| one.response_id.as_str()).collect();
    set_adopted(conn, &response_ids)
}

/// Notes that LinkedIn's own text of these responses is here.
///
/// # Errors
/// As any query.
pub fn set_adopted(conn: &mut AnyConn, response_ids: &[&str]) -> Result<(), StoreError> {
    for chunk in response_ids.chunks(CHUNK) {
        diesel::update(responses::table.filter(responses::response_id.eq_any(chunk)))
            .set(responses::is_adopted.eq(true))
            .execute(conn)?;
    }
    Ok(())
}
