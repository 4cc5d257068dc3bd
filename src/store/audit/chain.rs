//! The chain of the audit log: each entry has a number without gaps, and a hash over its fields and the hash before it.
//!
//! A number is known only once every earlier entry is committed, so writers on PostgreSQL have to come one after the
//! other. To keep that short, and to keep it out of the order in which other locks are taken, `add` only collects the
//! entries of a transaction; `write_tx` writes them as its last act before the commit, and locks the end of the chain
//! (the one row of `audit_chain`) no earlier. Nothing else is ever waited for while it is held. On SQLite the
//! transaction has been the only writer from its begin anyway.

use std::cell::RefCell;
use std::collections::HashSet;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Text};
use sha2::{Digest as _, Sha256};

use super::{Actor, AuditRow, record};
use crate::insert_rows;
use crate::store::schema::{audit_chain, audit_entries};
use crate::store::{AnyConn, StoreError};

/// Entries of earlier versions that get their numbers in one transaction.
const BLOCK: i64 = 1_000;

/// What to do with an entry whose identifier is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    /// Identifiers are made anew: there is none.
    Impossible,
    /// The identifier stands for the act: the first entry says it all.
    LeftOut,
}

type Collected = Vec<(AuditRow, Repeat)>;

thread_local! {
    /// The entries of the write transaction that runs on this thread, if one does. A transaction begins, runs and ends
    /// in one call on one thread, and a connection has no room for something of ours.
    static COLLECTED: RefCell<Option<Collected>> = const { RefCell::new(None) };
}

/// The entries of a write transaction until they are written; given up when dropped.
pub(in crate::store) struct Waiting(());

impl Waiting {
    /// From here on entries are collected.
    pub(in crate::store) fn begin() -> Self {
        COLLECTED.set(Some(Vec::new()));
        Self(())
    }

    /// Writes what was collected: the last act of the transaction.
    pub(in crate::store) fn write(&self, conn: &mut AnyConn) -> Result<(), StoreError> {
        let collected = COLLECTED.take().unwrap_or_default();
        append(conn, collected)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        COLLECTED.set(None);
    }
}

/// Adds an entry: with the rest of its transaction's entries, or at once when no [`write_tx`] runs.
///
/// [`write_tx`]: crate::store::Store::write
pub(super) fn add(conn: &mut AnyConn, row: AuditRow, repeat: Repeat) -> Result<(), StoreError> {
    let mut entry = Some((row, repeat));
    COLLECTED.with_borrow_mut(|collected| {
        if let Some(collected) = collected {
            collected.extend(entry.take());
        }
    });
    match entry {
        Some(alone) => conn.transaction(|conn| append(conn, vec![alone])),
        None => Ok(()),
    }
}

/// The ends of the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ends {
    /// Number of the last entry; 0 for none.
    pub last_number: i64,
    /// Its hash; empty for none.
    pub last_hash: String,
    /// Number of the last entry that was pruned; 0 for none.
    pub pruned_number: i64,
    /// Its hash; empty for none.
    pub pruned_hash: String,
}

fn ends_of(row: (i64, String, i64, String)) -> Ends {
    Ends {
        last_number: row.0,
        last_hash: row.1,
        pruned_number: row.2,
        pruned_hash: row.3,
    }
}

/// The ends of the chain, locked until the transaction ends.
fn lock(conn: &mut AnyConn) -> Result<Ends, StoreError> {
    let row = audit_chain::table.find(1_i64).select((
        audit_chain::last_number,
        audit_chain::last_hash,
        audit_chain::pruned_number,
        audit_chain::pruned_hash,
    ));
    let found = match conn {
        AnyConn::Pg(c) => row.for_update().first(c),
        AnyConn::Sqlite(c) => row.first(c),
    };
    found.optional()?.map(ends_of).ok_or(StoreError::Corrupt {
        table: "audit_chain",
        column: "id",
        id: "1".to_owned(),
    })
}

fn save_end(conn: &mut AnyConn, ends: &Ends) -> Result<(), StoreError> {
    diesel::update(audit_chain::table.find(1_i64))
        .set((
            audit_chain::last_number.eq(ends.last_number),
            audit_chain::last_hash.eq(&ends.last_hash),
        ))
        .execute(conn)?;
    Ok(())
}

/// Gives a row the next number and its hash.
fn link(ends: &mut Ends, row: &mut AuditRow) {
    ends.last_number += 1;
    ends.last_hash = hash(&ends.last_hash, ends.last_number, row);
    row.chain_number = Some(ends.last_number);
    row.entry_hash = Some(ends.last_hash.clone());
}

fn append(conn: &mut AnyConn, mut collected: Collected) -> Result<(), StoreError> {
    if collected.is_empty() {
        return Ok(());
    }
    let mut ends = lock(conn)?;
    let mut doubtful: Vec<String> = Vec::new();
    for (row, repeat) in &collected {
        if *repeat == Repeat::LeftOut {
            doubtful.push(row.id.clone());
        }
    }
    if !doubtful.is_empty() {
        let mut known: HashSet<String> = audit_entries::table
            .filter(audit_entries::id.eq_any(doubtful))
            .select(audit_entries::id)
            .load(conn)?
            .into_iter()
            .collect();
        collected
            .retain(|(row, repeat)| *repeat == Repeat::Impossible || known.insert(row.id.clone()));
    }
    let mut rows: Vec<AuditRow> = collected.into_iter().map(|(row, _)| row).collect();
    if rows.is_empty() {
        return Ok(());
    }
    for row in &mut rows {
        link(&mut ends, row);
    }
    insert_rows!(conn, &rows, |block| diesel::insert_into(
        audit_entries::table
    )
    .values(block));
    save_end(conn, &ends)
}

/// The hash of an entry at this place of the chain, hexadecimal: SHA-256 over the hash before, the number and every
/// field. Each part says its length first (a missing one says so), so that no two entries look alike.
pub(super) fn hash(before: &str, number: i64, row: &AuditRow) -> String {
    let number = number.to_string();
    // Both databases keep microseconds.
    let at = row.created_at.and_utc().timestamp_micros().to_string();
    let mut digest = Sha256::new();
    for part in [
        Some("leadgen audit entry 1"),
        Some(before),
        Some(&number),
        Some(&row.id),
        Some(&at),
        Some(&row.actor_kind),
        row.user_id.as_deref(),
        Some(&row.actor_name),
        row.actor_roles.as_deref(),
        Some(&row.action),
        Some(&row.object_kind),
        Some(&row.object_id),
        Some(&row.object_name),
        row.before_state.as_deref(),
        row.after_state.as_deref(),
        row.request_id.as_deref(),
        row.address.as_deref(),
    ] {
        match part {
            None => digest.update([0]),
            Some(text) => {
                digest.update([1]);
                digest.update((text.len() as u64).to_be_bytes());
                digest.update(text.as_bytes());
            }
        }
    }
    digest
        .finalize()
        .iter()
        .fold(String::with_capacity(64), |mut text, byte| {
            use std::fmt::Write as _;
            let _infallible = write!(text, "{byte:02x}");
            text
        })
}

/// Gives numbers to a block of the entries that an earlier version wrote, oldest first; returns how many got one. Call
/// it in a write transaction until it returns 0. That it was done is an entry of its own, because an entry that somebody
/// inserted without a number would get one, too.
///
/// # Errors
/// As any query.
pub fn number_loose(conn: &mut AnyConn, now: DateTime<Utc>) -> Result<usize, StoreError> {
    let is_any: Option<String> = audit_entries::table
        .filter(audit_entries::chain_number.is_null())
        .select(audit_entries::id)
        .first(conn)
        .optional()?;
    if is_any.is_none() {
        return Ok(0);
    }
    let mut ends = lock(conn)?;
    let mut rows: Vec<AuditRow> = audit_entries::table
        .filter(audit_entries::chain_number.is_null())
        .order((audit_entries::created_at.asc(), audit_entries::id.asc()))
        .limit(BLOCK)
        .load(conn)?;
    for row in &mut rows {
        link(&mut ends, row);
    }
    set_numbers(conn, &rows)?;
    save_end(conn, &ends)?;
    let object = ("audit_log", "", "Audit log");
    let after = serde_json::json!({ "entries": rows.len(), "last_number": ends.last_number });
    record(
        conn,
        now,
        &Actor::system(),
        "audit_log.numbered",
        object,
        None,
        Some(after),
    )?;
    Ok(rows.len())
}

fn set_numbers(conn: &mut AnyConn, rows: &[AuditRow]) -> Result<(), StoreError> {
    let numbered =
        |row: &AuditRow| Some((row.id.clone(), row.chain_number?, row.entry_hash.clone()?));
    let rows: Vec<(String, i64, String)> = rows.iter().filter_map(numbered).collect();
    match conn {
        AnyConn::Sqlite(c) => {
            let rows = serde_json::to_string(&rows)
                .map_err(|_| StoreError::Rule("numbers are no JSON".to_owned()))?;
            diesel::sql_query(
                "UPDATE audit_entries SET chain_number = given.number, entry_hash = given.hash FROM \
                 (SELECT json_extract(value, '$[0]') AS id, json_extract(value, '$[1]') AS number, \
                         json_extract(value, '$[2]') AS hash FROM json_each(?1)) AS given \
                 WHERE audit_entries.id = given.id",
            )
            .bind::<Text, _>(rows)
            .execute(c)?;
        }
        AnyConn::Pg(c) => {
            let (mut ids, mut numbers, mut hashes) = (Vec::new(), Vec::new(), Vec::new());
            for (id, number, hash) in rows {
                ids.push(id);
                numbers.push(number);
                hashes.push(hash);
            }
            diesel::sql_query(
                "UPDATE audit_entries SET chain_number = given.number, entry_hash = given.hash \
                 FROM unnest($1, $2, $3) AS given (id, number, hash) WHERE audit_entries.id = given.id",
            )
            .bind::<Array<Text>, _>(ids)
            .bind::<Array<BigInt>, _>(numbers)
            .bind::<Array<Text>, _>(hashes)
            .execute(c)?;
        }
    }
    Ok(())
}

/// Deletes the oldest entries up to the last one that was written before `before`, at most `limit` of them, and notes
/// where the chain begins now; returns how many went. Call it in a write transaction until it returns 0. Of the entries
/// that stay none is changed, and the chain stays whole. Who did it is an entry of its own.
///
/// # Errors
/// As any query.
pub fn prune(
    conn: &mut AnyConn,
    now: DateTime<Utc>,
    actor: &Actor,
    before: DateTime<Utc>,
    limit: i64,
) -> Result<i64, StoreError> {
    let ends = lock(conn)?;
    let first_kept: Option<i64> = audit_entries::table
        .filter(audit_entries::chain_number.is_not_null())
        .filter(audit_entries::created_at.ge(before.naive_utc()))
        .select(diesel::dsl::min(audit_entries::chain_number))
        .first(conn)?;
    let last = first_kept
        .map_or(ends.last_number, |number| number - 1)
        .min(ends.pruned_number.saturating_add(limit));
    if last <= ends.pruned_number {
        return Ok(0);
    }
    let hash: String = audit_entries::table
        .filter(audit_entries::chain_number.eq(last))
        .select(audit_entries::entry_hash.assume_not_null())
        .first(conn)
        .optional()?
        .ok_or_else(|| {
            StoreError::Rule(format!(
                "entry {last} of the audit log is not there: run `leadgen audit verify` before anything is pruned"
            ))
        })?;
    diesel::update(audit_chain::table.find(1_i64))
        .set((
            audit_chain::pruned_number.eq(last),
            audit_chain::pruned_hash.eq(hash),
        ))
        .execute(conn)?;
    diesel::delete(audit_entries::table.filter(audit_entries::chain_number.le(last)))
        .execute(conn)?;
    let object = ("audit_log", "", "Audit log");
    let after = serde_json::json!({
        "entries": last - ends.pruned_number,
        "up_to_number": last,
        "written_before": before.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
    });
    record(
        conn,
        now,
        actor,
        "audit_log.pruned",
        object,
        None,
        Some(after),
    )?;
    Ok(last - ends.pruned_number)
}
