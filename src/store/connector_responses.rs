//! Responses that Microsoft's connector handled, and whose submission was brought along. The sync takes LinkedIn's own text of
//! each once, and leaves what became of it as it is.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::schema::{connector_responses as responses, form_submissions, submission_contents};
use super::{AnyConn, StoreError};
use crate::domain::ids::{FormVersionId, SubmissionId};
use crate::insert_rows;

/// Response ids in one statement.
const CHUNK: usize = 500;

#[derive(Insertable)]
#[diesel(table_name = responses, treat_none_as_default_value = false)]
struct ResponseRow {
    response_id: String,
    is_adopted: bool,
    brought_at: chrono::NaiveDateTime,
}

/// Notes responses as handled by the connector.
///
/// # Errors
/// As any query.
pub fn add(
    conn: &mut AnyConn,
    response_ids: Vec<String>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let rows: Vec<ResponseRow> = response_ids
        .into_iter()
        .map(|response_id| ResponseRow {
            response_id,
            is_adopted: false,
            brought_at: now.naive_utc(),
        })
        .collect();
    insert_rows!(conn, &rows, |block| diesel::insert_into(responses::table)
        .values(block)
        .on_conflict_do_nothing());
    Ok(())
}

/// Those of these responses of which LinkedIn's own text has not come yet.
///
/// # Errors
/// As any query.
pub fn unadopted(
    conn: &mut AnyConn,
    response_ids: &[&str],
) -> Result<BTreeSet<String>, StoreError> {
    let mut found = BTreeSet::new();
    for chunk in response_ids.chunks(CHUNK) {
        let ids: Vec<String> = responses::table
            .filter(responses::response_id.eq_any(chunk))
            .filter(responses::is_adopted.eq(false))
            .select(responses::response_id)
            .load(conn)?;
        found.extend(ids);
    }
    Ok(found)
}

/// LinkedIn's own text of a response that was brought along.
#[derive(Debug, Clone)]
pub struct Adopted {
    /// The submission.
    pub id: SubmissionId,
    /// LinkedIn's response id.
    pub response_id: String,
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
    use submission_contents as k;
    for one in adopted {
        diesel::update(s::table.find(one.id.as_str()))
            .set(s::content_hash.eq(&one.content_hash))
            .execute(conn)?;
        if let Some((number, version)) = &one.version {
            diesel::update(s::table.find(one.id.as_str()))
                .set((
                    s::form_version_id.eq(version.as_str()),
                    s::form_version_number.eq(*number),
                ))
                .execute(conn)?;
        }
        diesel::update(k::table.find(one.id.as_str()))
            .set(k::raw.eq(&one.raw))
            .execute(conn)?;
        diesel::update(responses::table.find(&one.response_id))
            .set(responses::is_adopted.eq(true))
            .execute(conn)?;
    }
    Ok(())
}
