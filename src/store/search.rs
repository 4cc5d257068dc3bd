//! Finding records by words: the index of each database, and the words of records that were stored before there was one.
//!
//! The words stand in `search_words` beside each record (`domain::search`). On SQLite triggers keep a full-text index in
//! step with them, on PostgreSQL it is an index on the column, so whoever writes a record only writes its words.

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Text};

use super::schema::{form_submissions, lead_origins, leads};
use super::{AnyConn, StoreError};
use crate::domain::lead::{FieldKey, LeadField, LeadValues};
use crate::domain::search::{Search, Wanted, words_of, words_of_lead};

/// Up to so many records are looked up one by one and sorted. Words that more records hold are so common that reading the
/// list from its newest end finds a page of them sooner.
const FEW: usize = 2_000;

/// Records that are filled in one transaction.
const CHUNK: i64 = 1_000;

/// What is looked for among.
#[derive(Debug, Clone, Copy)]
pub(super) enum Among {
    Leads,
    Submissions,
}

/// What a search comes to.
#[derive(Debug, Clone)]
pub(super) enum Found {
    /// It lets everything pass.
    Everything,
    /// These records, or none.
    Few(Vec<String>),
    /// More; their words are like all of these patterns.
    Many(Vec<String>),
}

#[derive(QueryableByName)]
struct Hit {
    #[diesel(sql_type = Text)]
    id: String,
}

/// Looks a search up in the index: at most two thousand records are read.
pub(super) fn find(
    conn: &mut AnyConn,
    among: Among,
    typed: Option<&str>,
) -> Result<Found, StoreError> {
    let words = match Search::read(typed) {
        Search::Everything => return Ok(Found::Everything),
        Search::Nothing => return Ok(Found::Few(Vec::new())),
        Search::Words(words) => words,
    };
    let limit = i64::try_from(FEW).unwrap_or(i64::MAX) + 1;
    let hits: Vec<Hit> = match conn {
        AnyConn::Sqlite(c) => {
            let name = match among {
                Among::Leads => "lead_search",
                Among::Submissions => "submission_search",
            };
            diesel::sql_query(format!(
                "SELECT known.record_id AS id FROM {name} JOIN {name}_rows AS known ON known.number = {name}.rowid \
                 WHERE {name} MATCH ?1 LIMIT ?2"
            ))
            .bind::<Text, _>(expression(&words, '"', "*", " AND "))
            .bind::<BigInt, _>(limit)
            .load(c)?
        }
        AnyConn::Pg(c) => {
            let (id, table) = match among {
                Among::Leads => ("lead_id", "lead_origins"),
                Among::Submissions => ("id", "form_submissions"),
            };
            diesel::sql_query(format!(
                "SELECT {id} AS id FROM {table} \
                 WHERE array_to_tsvector(string_to_array(btrim(search_words), ' ')) @@ $1::tsquery \
                 AND search_words <> ' ' LIMIT $2"
            ))
            .bind::<Text, _>(expression(&words, '\'', ":*", " & "))
            .bind::<BigInt, _>(limit)
            .load(c)?
        }
    };
    Ok(if hits.len() <= FEW {
        Found::Few(hits.into_iter().map(|hit| hit.id).collect())
    } else {
        Found::Many(words.iter().map(pattern).collect())
    })
}

/// The words in the index's own language. A word holds neither quotes nor backslashes.
fn expression(words: &[Wanted], quote: char, prefix: &str, and: &str) -> String {
    words
        .iter()
        .map(|Wanted { word, is_whole }| {
            let prefix = if *is_whole { "" } else { prefix };
            format!("{quote}{word}{quote}{prefix}")
        })
        .collect::<Vec<_>>()
        .join(and)
}

/// A word holds no sign that means something to `LIKE`.
fn pattern(Wanted { word, is_whole }: &Wanted) -> String {
    if *is_whole {
        format!("% {word} %")
    } else {
        format!("% {word}%")
    }
}

/// Gives words to records that have none yet, at most a thousand of each kind; returns how many got some. Whoever calls
/// it until nothing is left may be stopped and begin again at any time.
///
/// # Errors
/// As any query.
pub fn fill(conn: &mut AnyConn) -> Result<usize, StoreError> {
    type LeadRow = (
        String,
        Option<String>,
        Option<String>,
        Option<String>,
        Option<String>,
        Option<String>,
    );
    let rows: Vec<LeadRow> = lead_origins::table
        .inner_join(leads::table)
        .filter(lead_origins::search_words.is_null())
        .select((
            leads::id,
            leads::first_name,
            leads::last_name,
            leads::company_name,
            leads::email,
            leads::work_email,
        ))
        .limit(CHUNK)
        .load(conn)?;
    let found: Vec<(String, String)> = rows
        .into_iter()
        .map(
            |(id, first_name, last_name, company_name, email, work_email)| {
                let values: LeadValues = [
                    (LeadField::FirstName, first_name),
                    (LeadField::LastName, last_name),
                    (LeadField::CompanyName, company_name),
                    (LeadField::Email, email),
                    (LeadField::WorkEmail, work_email),
                ]
                .into_iter()
                .filter_map(|(field, value)| Some((FieldKey::Standard(field), value?)))
                .collect();
                let words = words_of_lead(&values);
                (id, words)
            },
        )
        .collect();
    write(conn, "lead_origins", "lead_id", &found)?;
    let rows: Vec<(String, String)> = form_submissions::table
        .filter(form_submissions::search_words.is_null())
        .select((form_submissions::id, form_submissions::name))
        .limit(CHUNK)
        .load(conn)?;
    let named: Vec<(String, String)> = rows
        .into_iter()
        .map(|(id, name)| {
            let words = words_of(&name);
            (id, words)
        })
        .collect();
    write(conn, "form_submissions", "id", &named)?;
    Ok(found.len() + named.len())
}

fn write(
    conn: &mut AnyConn,
    table: &str,
    key: &str,
    rows: &[(String, String)],
) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    match conn {
        AnyConn::Sqlite(c) => {
            let rows = serde_json::to_string(rows)
                .map_err(|_| StoreError::Rule("words are no JSON".to_owned()))?;
            diesel::sql_query(format!(
                "UPDATE {table} SET search_words = filled.words FROM \
                 (SELECT json_extract(value, '$[0]') AS id, json_extract(value, '$[1]') AS words FROM json_each(?1)) AS filled \
                 WHERE {table}.{key} = filled.id"
            ))
            .bind::<Text, _>(rows)
            .execute(c)?;
        }
        AnyConn::Pg(c) => {
            let (ids, words): (Vec<&str>, Vec<&str>) = rows
                .iter()
                .map(|(id, words)| (id.as_str(), words.as_str()))
                .unzip();
            diesel::sql_query(format!(
                "UPDATE {table} SET search_words = filled.words \
                 FROM unnest($1, $2) AS filled (id, words) WHERE {table}.{key} = filled.id"
            ))
            .bind::<Array<Text>, _>(ids)
            .bind::<Array<Text>, _>(words)
            .execute(c)?;
        }
    }
    Ok(())
}
