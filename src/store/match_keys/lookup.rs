//! Finds leads by stored match keys, with a bounded number of leads a key.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Text};

use super::CHUNK;
use crate::domain::ids::LeadId;
use crate::domain::lead::FieldKey;
use crate::store::columns::Cells;
use crate::store::{AnyConn, StoreError};

/// How many leads [`full`] names for one key.
pub const FULL_LIMIT: i64 = 10;

/// The leads whose joined key is one of these stored keys: (key, lead id). For a key with more than [`FULL_LIMIT`] leads
/// it names that many of the most recently updated ones and of the most recently updated open ones, so that every rule
/// about several leads comes to the same decision as if it saw all of them.
///
/// # Errors
/// As any query.
pub fn full(conn: &mut AnyConn, keys: &[String]) -> Result<Vec<(String, LeadId)>, StoreError> {
    let mut found = newest(conn, keys)?;
    let mut counts: HashMap<&str, i64> = HashMap::new();
    for (key, _) in &found {
        *counts.entry(key.as_str()).or_default() += 1;
    }
    let crowded: Vec<String> = counts
        .into_iter()
        .filter(|(_, leads)| *leads >= FULL_LIMIT)
        .map(|(key, _)| key.to_owned())
        .collect();
    if !crowded.is_empty() {
        found.retain(|(key, _)| !crowded.contains(key));
        found.extend(most_recently_updated(conn, &crowded)?);
        found.sort_unstable();
    }
    Ok(found)
}

/// The leads of crowded keys. Its cost grows with the number of leads that share a key.
fn most_recently_updated(
    conn: &mut AnyConn,
    keys: &[String],
) -> Result<Vec<(String, LeadId)>, StoreError> {
    // The same on both databases: the leads of one key, in the order in which one of them would be taken.
    let ranked = "SELECT leads.id AS lead_id FROM lead_match_keys AS known JOIN leads ON leads.id = known.lead_id \
                  WHERE known.field = '*' AND known.match_key = wanted.match_key";
    let order = format!("ORDER BY leads.updated_at DESC, leads.id DESC LIMIT {FULL_LIMIT}");
    let both = format!(
        "SELECT lead_id FROM ({ranked} {order}) AS recent UNION \
         SELECT lead_id FROM ({ranked} AND leads.status NOT IN ('qualified', 'disqualified') {order}) AS recent_open"
    );
    lookup(
        conn,
        keys,
        |keys, c| {
            diesel::sql_query(format!(
                "SELECT wanted.match_key, found.lead_id FROM unnest($1) AS wanted (match_key) \
                 CROSS JOIN LATERAL ({both}) AS found"
            ))
            .bind::<Array<Text>, _>(keys)
            .load(c)
        },
        |keys, c| {
            diesel::sql_query(format!(
                "SELECT wanted.match_key, found.lead_id FROM (SELECT value AS match_key FROM json_each(?1)) AS wanted \
                 CROSS JOIN lead_match_keys AS found ON found.field = '*' AND found.match_key = wanted.match_key \
                 AND found.lead_id IN ({both})"
            ))
            .bind::<Text, _>(keys)
            .load(c)
        },
    )
}

/// At most [`FULL_LIMIT`] leads a key, by one index lookup each. On SQLite `CROSS JOIN` keeps the order of the join: its
/// planner would read all keys once for each wanted one.
fn newest(conn: &mut AnyConn, keys: &[String]) -> Result<Vec<(String, LeadId)>, StoreError> {
    lookup(
        conn,
        keys,
        |keys, c| {
            diesel::sql_query(
                "SELECT wanted.match_key, found.lead_id FROM unnest($1) AS wanted (match_key) \
                 CROSS JOIN LATERAL (SELECT lead_id FROM lead_match_keys \
                 WHERE field = '*' AND match_key = wanted.match_key ORDER BY lead_id DESC LIMIT $2) AS found",
            )
            .bind::<Array<Text>, _>(keys)
            .bind::<BigInt, _>(FULL_LIMIT)
            .load(c)
        },
        |keys, c| {
            diesel::sql_query(
                "SELECT wanted.value AS match_key, found.lead_id FROM json_each(?1) AS wanted \
                 CROSS JOIN lead_match_keys AS found ON found.field = '*' AND found.match_key = wanted.value \
                 AND found.lead_id IN (SELECT lead_id FROM lead_match_keys \
                 WHERE field = '*' AND match_key = wanted.value ORDER BY lead_id DESC LIMIT ?2)",
            )
            .bind::<Text, _>(keys)
            .bind::<BigInt, _>(FULL_LIMIT)
            .load(c)
        },
    )
}

/// One lead for each of these stored keys of one field that some lead has: (key, lead id).
///
/// # Errors
/// As any query.
pub fn first_per_key(
    conn: &mut AnyConn,
    field: &FieldKey,
    keys: &[String],
) -> Result<Vec<(String, LeadId)>, StoreError> {
    let field = field.word().into_owned();
    let field = field.as_str();
    lookup(
        conn,
        keys,
        |keys, c| {
            diesel::sql_query(
                "SELECT wanted.match_key, found.lead_id FROM unnest($1) AS wanted (match_key) \
                 CROSS JOIN LATERAL (SELECT lead_id FROM lead_match_keys \
                 WHERE field = $2 AND match_key = wanted.match_key ORDER BY lead_id LIMIT 1) AS found",
            )
            .bind::<Array<Text>, _>(keys)
            .bind::<Text, _>(field)
            .load(c)
        },
        |keys, c| {
            diesel::sql_query(
                "SELECT match_key, lead_id FROM (SELECT wanted.value AS match_key, \
                 (SELECT lead_id FROM lead_match_keys WHERE field = ?2 AND match_key = wanted.value \
                 ORDER BY lead_id LIMIT 1) AS lead_id FROM json_each(?1) AS wanted) WHERE lead_id IS NOT NULL",
            )
            .bind::<Text, _>(keys)
            .bind::<Text, _>(field)
            .load(c)
        },
    )
}

#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = Text)]
    match_key: String,
    #[diesel(sql_type = Text)]
    lead_id: String,
}

/// Runs a lookup for at most 1,000 keys at a time: as an array on PostgreSQL, as a JSON list on SQLite, so that the
/// statement is the same whatever the number of keys.
fn lookup(
    conn: &mut AnyConn,
    keys: &[String],
    postgres: impl Fn(&[String], &mut diesel::PgConnection) -> QueryResult<Vec<Found>>,
    sqlite: impl Fn(&str, &mut diesel::SqliteConnection) -> QueryResult<Vec<Found>>,
) -> Result<Vec<(String, LeadId)>, StoreError> {
    let mut wanted: Vec<String> = keys.to_vec();
    wanted.sort_unstable();
    wanted.dedup();
    let mut found = Vec::new();
    for chunk in wanted.chunks(CHUNK) {
        let rows = match conn {
            AnyConn::Pg(c) => postgres(chunk, c)?,
            AnyConn::Sqlite(c) => {
                // A list of texts always has a JSON form.
                sqlite(&serde_json::to_string(chunk).unwrap_or_default(), c)?
            }
        };
        for row in rows {
            let cells = Cells {
                table: "lead_match_keys",
                id: &row.lead_id,
            };
            let lead = cells.word("lead_id", &row.lead_id)?;
            found.push((row.match_key, lead));
        }
    }
    found.sort_unstable();
    Ok(found)
}
