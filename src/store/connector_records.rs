//! Uploaded records of Microsoft's withdrawn connector, until they are thrown away, and the responses it had handled.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::upsert::excluded;

use super::columns::{Cells, PAGE_SIZE};
use super::schema::connector_records as records;
use super::{AnyConn, StoreError};
use crate::domain::microsoft_connector::{
    ConnectorRecord, ConnectorRecords, ConnectorTable, Outcome, RecordCells, Verdict, Verdicts,
    record_of_response, tie_of,
};
use crate::insert_rows;

/// Keys in one statement.
const CHUNK: usize = 500;
/// The cells of a record that was emptied.
const EMPTY: &str = "{}";

/// Rows without borrowed parts, because only such a statement is prepared once, see `insert_rows!`.
#[derive(Insertable)]
#[diesel(table_name = records, treat_none_as_default_value = false)]
struct RecordRow {
    source_table: &'static str,
    record_key: String,
    label: String,
    cells: String,
    file_name: String,
    outcome: &'static str,
    explanation: String,
    uploaded_at: chrono::NaiveDateTime,
    response_tie: Option<String>,
}

/// Stores uploaded records; one that is there already is replaced. Each key may stand in the list once.
///
/// # Errors
/// As any query.
pub fn add(
    conn: &mut AnyConn,
    table: ConnectorTable,
    file_name: &str,
    uploaded: &[ConnectorRecord],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let rows: Vec<RecordRow> = uploaded
        .iter()
        .map(|record| RecordRow {
            source_table: table.as_str(),
            record_key: record.key.clone(),
            label: record.label.clone(),
            cells: serde_json::to_string(&record.cells).unwrap_or_default(),
            file_name: file_name.to_owned(),
            outcome: Outcome::LeftOut.as_str(),
            explanation: String::new(),
            uploaded_at: now.naive_utc(),
            response_tie: tie_of(table, record),
        })
        .collect();
    insert_rows!(conn, &rows, |block| diesel::insert_into(records::table)
        .values(block)
        .on_conflict((records::source_table, records::record_key))
        .do_update()
        .set((
            records::label.eq(excluded(records::label)),
            records::cells.eq(excluded(records::cells)),
            records::file_name.eq(excluded(records::file_name)),
            records::outcome.eq(excluded(records::outcome)),
            records::explanation.eq(excluded(records::explanation)),
            records::uploaded_at.eq(excluded(records::uploaded_at)),
            records::response_tie.eq(excluded(records::response_tie)),
        )));
    Ok(())
}

/// Every record, in the order of their keys. Answers that were brought along are with their submission and left out here; of
/// submissions that were emptied the response id is left, which tells what belongs to them.
///
/// # Errors
/// As any query, or `Corrupt`.
pub fn all(conn: &mut AnyConn) -> Result<ConnectorRecords, StoreError> {
    type Row = (String, String, String, String, Option<String>);
    let rows: Vec<Row> = records::table
        .filter(
            records::source_table
                .ne(ConnectorTable::Answers.as_str())
                .or(records::outcome.ne(Outcome::Done.as_str())),
        )
        .select((
            records::source_table,
            records::record_key,
            records::label,
            records::cells,
            records::response_tie,
        ))
        .order((records::source_table, records::record_key))
        .load(conn)?;
    let mut found = ConnectorRecords::new();
    for (table, key, label, cells, tie) in rows {
        let place = Cells {
            table: "connector_records",
            id: &key,
        };
        let table: ConnectorTable = place.word("source_table", &table)?;
        let record = match tie {
            Some(response_id) if table == ConnectorTable::Submissions && cells == EMPTY => {
                record_of_response(key, response_id)
            }
            _ => {
                let cells: RecordCells = place.json("cells", &cells)?;
                ConnectorRecord { key, label, cells }
            }
        };
        found.entry(table).or_default().push(record);
    }
    Ok(found)
}

/// How many records a table holds that were not brought along yet.
///
/// # Errors
/// As any query.
pub fn count_waiting(conn: &mut AnyConn, table: ConnectorTable) -> Result<i64, StoreError> {
    Ok(records::table
        .filter(records::source_table.eq(table.as_str()))
        .filter(records::outcome.ne(Outcome::Done.as_str()))
        .count()
        .get_result(conn)?)
}

/// Stores what becomes of records; what was brought along already stays so.
///
/// # Errors
/// As any query.
pub fn set_verdicts(conn: &mut AnyConn, verdicts: &Verdicts) -> Result<(), StoreError> {
    let mut grouped: BTreeMap<(ConnectorTable, &Verdict), Vec<&str>> = BTreeMap::new();
    for ((table, key), verdict) in verdicts {
        grouped.entry((*table, verdict)).or_default().push(key);
    }
    for ((table, verdict), keys) in grouped {
        for chunk in keys.chunks(CHUNK) {
            diesel::update(
                records::table
                    .filter(records::source_table.eq(table.as_str()))
                    .filter(records::record_key.eq_any(chunk))
                    .filter(records::outcome.ne(Outcome::Done.as_str())),
            )
            .set((
                records::outcome.eq(verdict.outcome.as_str()),
                records::explanation.eq(&verdict.explanation),
            ))
            .execute(conn)?;
        }
    }
    Ok(())
}

/// Marks everything that was to come along as brought, and what was only to be noted as noted; returns how many records were
/// brought, by table.
///
/// # Errors
/// As any query.
pub fn finish(conn: &mut AnyConn) -> Result<BTreeMap<ConnectorTable, i64>, StoreError> {
    let mut done = BTreeMap::new();
    for table in ConnectorTable::ALL {
        let changed = diesel::update(
            records::table
                .filter(records::source_table.eq(table.as_str()))
                .filter(records::outcome.eq(Outcome::Becomes.as_str())),
        )
        .set(records::outcome.eq(Outcome::Done.as_str()))
        .execute(conn)?;
        if changed > 0 {
            done.insert(*table, i64::try_from(changed).unwrap_or(i64::MAX));
        }
    }
    // They stay behind, and say why; once the reason is gone they can come along.
    diesel::update(records::table.filter(records::outcome.eq(Outcome::Notes.as_str())))
        .set(records::outcome.eq(Outcome::LeftOut.as_str()))
        .execute(conn)?;
    // What people answered is kept once: with the submission.
    let personal =
        [ConnectorTable::Submissions, ConnectorTable::Answers].map(ConnectorTable::as_str);
    diesel::update(
        records::table
            .filter(records::source_table.eq_any(personal))
            .filter(records::outcome.eq(Outcome::Done.as_str())),
    )
    .set((
        records::cells.eq(EMPTY),
        records::label.eq(records::record_key),
    ))
    .execute(conn)?;
    Ok(done)
}

/// How many records there are of each table and outcome.
///
/// # Errors
/// As any query, or `Corrupt`.
pub fn counts(conn: &mut AnyConn) -> Result<BTreeMap<(ConnectorTable, Outcome), i64>, StoreError> {
    let rows: Vec<(String, String, i64)> = records::table
        .group_by((records::source_table, records::outcome))
        .select((
            records::source_table,
            records::outcome,
            diesel::dsl::count_star(),
        ))
        .load(conn)?;
    rows.into_iter()
        .map(|(table, outcome, count)| {
            let place = Cells {
                table: "connector_records",
                id: "(counts)",
            };
            let key = (
                place.word("source_table", &table)?,
                place.word("outcome", &outcome)?,
            );
            Ok((key, count))
        })
        .collect()
}

/// A record as its list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordListed {
    /// What identifies it.
    pub key: String,
    /// What people know it by.
    pub label: String,
    /// The file it came in.
    pub file_name: String,
    /// What becomes of it.
    pub outcome: Outcome,
    /// What it becomes, or why it stays behind.
    pub explanation: String,
}

/// The next records of a table from behind `after` on, and whether there are more.
///
/// # Errors
/// As any query, or `Corrupt`.
pub fn list(
    conn: &mut AnyConn,
    table: ConnectorTable,
    outcome: Option<Outcome>,
    after: &str,
) -> Result<(Vec<RecordListed>, bool), StoreError> {
    let mut query = records::table
        .filter(records::source_table.eq(table.as_str()))
        .filter(records::record_key.gt(after))
        .into_boxed();
    if let Some(outcome) = outcome {
        query = query.filter(records::outcome.eq(outcome.as_str()));
    }
    let mut rows: Vec<(String, String, String, String, String)> = query
        .select((
            records::record_key,
            records::label,
            records::file_name,
            records::outcome,
            records::explanation,
        ))
        .order(records::record_key)
        .limit(PAGE_SIZE + 1)
        .load(conn)?;
    let page = usize::try_from(PAGE_SIZE).unwrap_or(usize::MAX);
    let has_more = rows.len() > page;
    rows.truncate(page);
    let rows = rows
        .into_iter()
        .map(|(key, label, file_name, outcome, explanation)| {
            let place = Cells {
                table: "connector_records",
                id: &key,
            };
            Ok(RecordListed {
                outcome: place.word("outcome", &outcome)?,
                label,
                file_name,
                explanation,
                key,
            })
        })
        .collect::<Result<_, StoreError>>()?;
    Ok((rows, has_more))
}

/// Throws every record away; what was brought along stays. Returns how many there were.
///
/// # Errors
/// As any query.
pub fn clear(conn: &mut AnyConn) -> Result<usize, StoreError> {
    Ok(diesel::delete(records::table).execute(conn)?)
}

/// Throws away what was uploaded before this moment; returns how many records that were.
///
/// # Errors
/// As any query.
pub fn clear_before(conn: &mut AnyConn, before: DateTime<Utc>) -> Result<usize, StoreError> {
    Ok(
        diesel::delete(records::table.filter(records::uploaded_at.lt(before.naive_utc())))
            .execute(conn)?,
    )
}

/// Whether anything was uploaded before this moment and is still kept.
///
/// # Errors
/// As any query.
pub fn has_before(conn: &mut AnyConn, before: DateTime<Utc>) -> Result<bool, StoreError> {
    let found: Option<String> = records::table
        .filter(records::uploaded_at.lt(before.naive_utc()))
        .select(records::record_key)
        .first(conn)
        .optional()?;
    Ok(found.is_some())
}

/// Throws away the uploaded submissions of responses, and the uploaded answers that name them: their members deleted them.
///
/// # Errors
/// As any query.
pub(super) fn erase_responses(
    conn: &mut AnyConn,
    response_ids: &[&str],
) -> Result<usize, StoreError> {
    let mut erased = erase_answers(conn, response_ids)?;
    for chunk in response_ids.chunks(CHUNK) {
        erased += diesel::delete(
            records::table
                .filter(records::source_table.eq(ConnectorTable::Submissions.as_str()))
                .filter(records::response_tie.eq_any(chunk)),
        )
        .execute(conn)?;
    }
    Ok(erased)
}

/// Empties the uploaded submissions of responses that their members had deleted before they were uploaded, and throws their answers
/// away. The rows stay, to say why nothing comes of them.
///
/// # Errors
/// As any query.
pub fn empty_responses(conn: &mut AnyConn, response_ids: &[&str]) -> Result<(), StoreError> {
    erase_answers(conn, response_ids)?;
    for chunk in response_ids.chunks(CHUNK) {
        diesel::update(
            records::table
                .filter(records::source_table.eq(ConnectorTable::Submissions.as_str()))
                .filter(records::response_tie.eq_any(chunk)),
        )
        .set((
            records::cells.eq(EMPTY),
            records::label.eq(records::record_key),
        ))
        .execute(conn)?;
    }
    Ok(())
}

/// Throws away the uploaded answers that name the submissions of these responses in any way.
fn erase_answers(conn: &mut AnyConn, response_ids: &[&str]) -> Result<usize, StoreError> {
    let mut erased = 0;
    for chunk in response_ids.chunks(CHUNK) {
        let called: Vec<(String, String)> = records::table
            .filter(records::source_table.eq(ConnectorTable::Submissions.as_str()))
            .filter(records::response_tie.eq_any(chunk))
            .select((records::record_key, records::label))
            .load(conn)?;
        let mut names: Vec<&str> = called
            .iter()
            .flat_map(|(key, label)| [key.as_str(), label.as_str()])
            .collect();
        names.extend(chunk);
        erased += diesel::delete(
            records::table
                .filter(records::source_table.eq(ConnectorTable::Answers.as_str()))
                .filter(records::response_tie.eq_any(names)),
        )
        .execute(conn)?;
    }
    Ok(erased)
}
