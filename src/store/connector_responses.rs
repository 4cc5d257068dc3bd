//! Responses that Microsoft's connector handled. Where the submission was brought along the sync takes LinkedIn's own text of it
//! once, and leaves what became of it as it is; where it stayed behind the sync stores it as handled.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Binary, Nullable, Text, Timestamp};
use diesel::upsert::excluded;

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

/// What a submission that was brought along says now, in place of what was exported first.
#[derive(Debug, Clone)]
pub struct Content {
    /// The submission.
    pub id: SubmissionId,
    /// LinkedIn's response id.
    pub response_id: String,
    /// When the member submitted, where LinkedIn tells: an export may tell it less exactly.
    pub submitted_at: Option<DateTime<Utc>>,
    /// LinkedIn's version of the form and ours, where it is told and known here.
    pub version: Option<(i64, FormVersionId)>,
    /// SHA-256 of what the response says, whatever the order.
    pub content_hash: Vec<u8>,
    /// What LinkedIn sent, byte for byte; until then the exported answers in LinkedIn's shape.
    pub raw: Vec<u8>,
}

/// Keeps LinkedIn's own text in place of the exported one. What became of the submission stays.
///
/// # Errors
/// As any query.
pub fn adopt(conn: &mut AnyConn, adopted: &[Content]) -> Result<(), StoreError> {
    replace(conn, adopted)?;
    // Reports count by the time of submission.
    let ids: Vec<SubmissionId> = adopted.iter().map(|one| one.id.clone()).collect();
    report_facts::ask(conn, &ids)?;
    let response_ids: Vec<&str> = adopted.iter().map(|one| one.response_id.as_str()).collect();
    set_adopted(conn, &response_ids)
}

#[derive(Insertable)]
#[diesel(table_name = submission_contents, treat_none_as_default_value = false)]
struct ContentRow {
    submission_id: String,
    raw: Vec<u8>,
    decision: Option<String>,
}

/// Keeps these contents. What became of the submissions stays.
///
/// # Errors
/// As any query.
pub fn replace(conn: &mut AnyConn, contents: &[Content]) -> Result<(), StoreError> {
    use submission_contents as k;
    for chunk in contents.chunks(CHUNK) {
        describe(conn, chunk)?;
        let rows: Vec<ContentRow> = chunk
            .iter()
            .map(|one| ContentRow {
                submission_id: one.id.as_str().to_owned(),
                raw: one.raw.clone(),
                decision: None,
            })
            .collect();
        // Every one of them is there: only its text is replaced.
        insert_rows!(conn, &rows, |block| diesel::insert_into(k::table)
            .values(block)
            .on_conflict(k::submission_id)
            .do_update()
            .set(k::raw.eq(excluded(k::raw))));
    }
    Ok(())
}

/// Sets what the submissions' own rows say of their contents; what is not told stays.
fn describe(conn: &mut AnyConn, contents: &[Content]) -> Result<(), StoreError> {
    match conn {
        AnyConn::Sqlite(c) => {
            let rows: Vec<_> = contents
                .iter()
                .map(|one| {
                    let hash: String = one
                        .content_hash
                        .iter()
                        .map(|byte| format!("{byte:02x}"))
                        .collect();
                    let at = one.submitted_at.map(|at| at.format("%F %T%.f").to_string());
                    let version = one.version.as_ref();
                    let (number, version) =
                        (version.map(|one| one.0), version.map(|one| one.1.as_str()));
                    (one.id.as_str(), hash, version, number, at)
                })
                .collect();
            let rows = serde_json::to_string(&rows)
                .map_err(|_| StoreError::Rule("contents are no JSON".to_owned()))?;
            diesel::sql_query(
                "UPDATE form_submissions SET content_hash = given.hash, \
                 form_version_id = coalesce(given.version_id, form_version_id), \
                 form_version_number = coalesce(given.version_number, form_version_number), \
                 submitted_at = coalesce(given.submitted_at, form_submissions.submitted_at) FROM \
                 (SELECT json_extract(value, '$[0]') AS id, unhex(json_extract(value, '$[1]')) AS hash, \
                         json_extract(value, '$[2]') AS version_id, json_extract(value, '$[3]') AS version_number, \
                         json_extract(value, '$[4]') AS submitted_at FROM json_each(?1)) AS given \
                 WHERE form_submissions.id = given.id",
            )
            .bind::<Text, _>(rows)
            .execute(c)?;
        }
        AnyConn::Pg(c) => {
            let versions = || contents.iter().map(|one| one.version.as_ref());
            let ids: Vec<&str> = contents.iter().map(|one| one.id.as_str()).collect();
            let hashes: Vec<&[u8]> = contents
                .iter()
                .map(|one| one.content_hash.as_slice())
                .collect();
            let version_ids: Vec<Option<&str>> = versions()
                .map(|one| one.map(|(_, id)| id.as_str()))
                .collect();
            let numbers: Vec<Option<i64>> = versions()
                .map(|one| one.map(|(number, _)| *number))
                .collect();
            let times: Vec<Option<chrono::NaiveDateTime>> = contents
                .iter()
                .map(|one| one.submitted_at.map(|at| at.naive_utc()))
                .collect();
            diesel::sql_query(
                "UPDATE form_submissions SET content_hash = given.hash, \
                 form_version_id = coalesce(given.version_id, form_version_id), \
                 form_version_number = coalesce(given.version_number, form_version_number), \
                 submitted_at = coalesce(given.submitted_at, form_submissions.submitted_at) \
                 FROM unnest($1, $2, $3, $4, $5) AS given (id, hash, version_id, version_number, submitted_at) \
                 WHERE form_submissions.id = given.id",
            )
            .bind::<Array<Text>, _>(ids)
            .bind::<Array<Binary>, _>(hashes)
            .bind::<Array<Nullable<Text>>, _>(version_ids)
            .bind::<Array<Nullable<BigInt>>, _>(numbers)
            .bind::<Array<Nullable<Timestamp>>, _>(times)
            .execute(c)?;
        }
    }
    Ok(())
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
