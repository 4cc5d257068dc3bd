//! Keeps the narrow rows that reports count in step with leads and submissions: set-based, in steps, rebuildable.
//!
//! Nobody who writes leads or submissions has to think of reports. A step looks through indexes for records that changed
//! since the last one and differ from what was counted, and counts exactly those anew. A deleted record's row goes with it.

use chrono::{DateTime, NaiveDateTime, TimeDelta};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Timestamp};

use super::schema::report_queue;
use super::{AnyConn, StoreError};
use crate::domain::account::LeadType;
use crate::domain::ids::SubmissionId;
use crate::domain::lead::LeadSource;
use crate::domain::report::{BOUNDS, SLOT_SECONDS};

/// Which leads count, over `l` (leads) and `s` (the lead's first submission, if any): not those that a test lead made.
const LEAD_COUNTS: &str = "NOT coalesce(s.is_test, FALSE)";

/// Which submissions count, over `s` (form_submissions): those of real people that nobody set aside.
const SUBMISSION_COUNTS: &str = "NOT s.is_test AND s.ignored_at IS NULL";

/// Which submissions were received live, over `s` and `a` (their account): what was submitted before the portal knew
/// the account is history that the first synchronization fetched, and waited for nobody.
const IS_LIVE: &str = "s.submitted_at >= a.created_at";

/// Records in a step.
const STEP: i64 = 10_000;

/// How far back the first step looks for changes whose transaction committed late or whose replica's clock is behind.
/// After a first synchronization a million records may lie within it, so it is as short as clocks and transactions allow.
const OVERLAP: TimeDelta = TimeDelta::minutes(2);

/// A stream of changes: rows of a table in the order of a column that moves when the record changes.
struct Stream {
    name: &'static str,
    /// The table with its alias.
    table: &'static str,
    column: &'static str,
    /// Whether the row is what was counted already.
    is_seen: &'static str,
}

const IS_LEAD_SEEN: &str = "EXISTS (SELECT 1 FROM report_leads r WHERE r.lead_id = t.id AND r.seen_at = t.updated_at \
     AND r.lock_version = t.lock_version)";
const IS_SUBMISSION_SEEN: &str = "EXISTS (SELECT 1 FROM report_submissions r WHERE r.submission_id = t.id \
     AND r.seen_at = coalesce(t.processed_at, t.received_at) AND r.revision = t.revision AND r.outcome = t.matching_status)";

/// The names of streams of leads begin with `lead`.
const STREAMS: [Stream; 4] = [
    Stream {
        name: "lead",
        table: "leads t",
        column: "t.updated_at",
        is_seen: IS_LEAD_SEEN,
    },
    // A merge that is taken back brings a lead as it was.
    Stream {
        name: "lead_again",
        table: "lead_merges m JOIN leads t ON t.id = m.merged_id",
        column: "m.undone_at",
        is_seen: IS_LEAD_SEEN,
    },
    Stream {
        name: "received",
        table: "form_submissions t",
        column: "t.received_at",
        is_seen: IS_SUBMISSION_SEEN,
    },
    Stream {
        name: "processed",
        table: "form_submissions t",
        column: "t.processed_at",
        is_seen: IS_SUBMISSION_SEEN,
    },
];

/// The queue's leads, and its submissions; one record may stand in several streams.
const QUEUED_LEADS: &str = "SELECT DISTINCT id FROM report_queue WHERE stream LIKE 'lead%'";
const QUEUED_SUBMISSIONS: &str =
    "SELECT DISTINCT id FROM report_queue WHERE stream NOT LIKE 'lead%'";

/// The name in the queue of submissions that change because their lead did, or because they wait again.
const CONCERNED: &str = "concerned";

/// The name in the queue of submissions whose writer asks for it ([`ask`]), because no column that a stream follows moves.
const ASKED: &str = "asked";

#[derive(QueryableByName)]
struct Moment {
    #[diesel(sql_type = Nullable<Timestamp>)]
    at: Option<NaiveDateTime>,
}

#[derive(QueryableByName)]
struct Flag {
    #[diesel(sql_type = BigInt)]
    is_set: i64,
}

/// Has these submissions counted anew by the next [`catch_up`]: for what somebody set aside or took up again.
///
/// # Errors
/// As any query.
pub(super) fn ask(conn: &mut AnyConn, ids: &[SubmissionId]) -> Result<(), StoreError> {
    let rows: Vec<_> = ids
        .iter()
        .map(|id| {
            (
                report_queue::stream.eq(ASKED),
                report_queue::id.eq(id.as_str()),
            )
        })
        .collect();
    for rows in rows.chunks(1_000) {
        crate::each!(conn, |c| diesel::insert_into(report_queue::table)
            .values(rows)
            .on_conflict_do_nothing()
            .execute(c)?);
    }
    Ok(())
}

fn run(conn: &mut AnyConn, sql: &str) -> Result<usize, StoreError> {
    Ok(crate::each!(conn, |c| diesel::sql_query(sql).execute(c)?))
}

fn moment(conn: &mut AnyConn, sql: &str) -> Result<Option<NaiveDateTime>, StoreError> {
    let row: Moment = crate::each!(conn, |c| diesel::sql_query(sql).get_result(c)?);
    Ok(row.at)
}

/// From when on a stream is looked at: `overlap` before where the last step ended.
fn start_of(
    conn: &mut AnyConn,
    stream: &Stream,
    overlap: TimeDelta,
) -> Result<NaiveDateTime, StoreError> {
    let followed = moment(
        conn,
        &format!(
            "SELECT max(followed_to) AS at FROM report_progress WHERE stream = '{}'",
            stream.name
        ),
    )?;
    Ok(followed.map_or(DateTime::UNIX_EPOCH.naive_utc(), |at| at - overlap))
}

/// Submissions that were put back to wait; their times stay as they were.
const WAITING_AGAIN: &str =
    "SELECT t.id FROM form_submissions t WHERE t.processing_state = 'unprocessed' AND NOT ";

/// Whether something changed that [`catch_up`] has not counted yet. Cheap when nothing did.
///
/// # Errors
/// As any query.
pub fn is_behind(conn: &mut AnyConn) -> Result<bool, StoreError> {
    for stream in &STREAMS {
        let from = start_of(conn, stream, OVERLAP)?;
        let sql = format!(
            "SELECT CAST(count(*) AS BIGINT) AS is_set FROM (SELECT 1 FROM {} WHERE {} >= $1 AND NOT {} LIMIT 1) AS found",
            stream.table, stream.column, stream.is_seen
        );
        let flag: Flag = crate::each!(conn, |c| diesel::sql_query(sql)
            .bind::<Timestamp, _>(from)
            .get_result(c)?);
        if flag.is_set == 1 {
            return Ok(true);
        }
    }
    let sql = format!(
        "SELECT CAST(count(*) AS BIGINT) AS is_set FROM (SELECT 1 FROM ({WAITING_AGAIN} {IS_SUBMISSION_SEEN} LIMIT 1) AS waiting \
         UNION SELECT 1 FROM (SELECT 1 FROM report_queue WHERE stream = '{ASKED}' LIMIT 1) AS asked) AS found"
    );
    let flag: Flag = crate::each!(conn, |c| diesel::sql_query(sql).get_result(c)?);
    Ok(flag.is_set == 1)
}

/// Which step of several in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Looks back for what came late.
    First,
    /// Goes on where the one before ended: looking back every time would read a long history once for each step.
    Next,
}

/// Counts up to 10,000 changed leads and about as many changed submissions anew; answers whether more may be waiting.
///
/// # Errors
/// As any query.
pub fn catch_up(conn: &mut AnyConn, step: Step) -> Result<bool, StoreError> {
    let overlap = match step {
        Step::First => OVERLAP,
        Step::Next => TimeDelta::zero(),
    };
    if let AnyConn::Pg(_) = conn {
        // Two replicas that count the same records would trip over each other's rows.
        run(conn, "SELECT pg_advisory_xact_lock(7254011004)")?;
    }
    // What is asked for from now on waits for the next step.
    run(
        conn,
        &format!("UPDATE report_queue SET stream = '{CONCERNED}' WHERE stream = '{ASKED}'"),
    )?;
    let mut is_more = false;
    for stream in &STREAMS {
        is_more |= follow(conn, stream, overlap)?;
    }
    let concerned = format!(
        "INSERT INTO report_queue (stream, id) SELECT '{CONCERNED}', s.id FROM ({QUEUED_LEADS}) AS q \
         JOIN form_submissions s ON s.lead_id = q.id \
         UNION {} {IS_SUBMISSION_SEEN} ON CONFLICT DO NOTHING",
        WAITING_AGAIN.replace("SELECT t.id", &format!("SELECT '{CONCERNED}', t.id"))
    );
    run(conn, &concerned)?;
    count_leads(conn)?;
    count_submissions(conn)?;
    run(
        conn,
        &format!("DELETE FROM report_queue WHERE stream <> '{ASKED}'"),
    )?;
    Ok(is_more)
}

/// Forgets everything that was counted, so that the next [`catch_up`]s count it all anew.
///
/// # Errors
/// As any query.
pub fn forget(conn: &mut AnyConn) -> Result<(), StoreError> {
    for table in [
        "report_progress",
        "report_queue",
        "report_leads",
        "report_submissions",
        "report_lead_groups",
        "report_submission_groups",
    ] {
        run(conn, &format!("DELETE FROM {table}"))?;
    }
    Ok(())
}

/// Puts a stream's changed records into the queue; answers whether there are more of them.
fn follow(conn: &mut AnyConn, stream: &Stream, overlap: TimeDelta) -> Result<bool, StoreError> {
    let Stream {
        name,
        table,
        column,
        is_seen,
    } = stream;
    let from = start_of(conn, stream, overlap)?;
    let sql = format!(
        "INSERT INTO report_queue (stream, id) SELECT '{name}', t.id FROM {table} \
         WHERE {column} >= $1 AND NOT {is_seen} ORDER BY {column} LIMIT {STEP} ON CONFLICT DO NOTHING"
    );
    let found = crate::each!(conn, |c| diesel::sql_query(sql)
        .bind::<Timestamp, _>(from)
        .execute(c)?);
    let is_more = i64::try_from(found).unwrap_or(STEP) >= STEP;
    // A full step went as far as its last record; any other to the newest one.
    let reached = if is_more {
        format!(
            "SELECT max({column}) AS at FROM report_queue q JOIN {table} ON t.id = q.id WHERE q.stream = '{name}'"
        )
    } else {
        format!("SELECT max({column}) AS at FROM {table}")
    };
    if let Some(at) = moment(conn, &reached)? {
        let sql = format!(
            "INSERT INTO report_progress (stream, followed_to) VALUES ('{name}', $1) \
             ON CONFLICT (stream) DO UPDATE SET followed_to = excluded.followed_to"
        );
        crate::each!(conn, |c| diesel::sql_query(sql)
            .bind::<Timestamp, _>(at)
            .execute(c)?);
    }
    Ok(is_more)
}

/// Seconds since 1970 of a timestamp; parts of a second are cut off on both systems.
fn seconds(conn: &AnyConn, expression: &str) -> String {
    match conn {
        AnyConn::Pg(_) => {
            format!("CAST(extract(epoch FROM date_trunc('second', {expression})) AS BIGINT)")
        }
        AnyConn::Sqlite(_) => format!("CAST(strftime('%s', {expression}) AS INTEGER)"),
    }
}

/// A `CASE` that answers for a column's words; the words are ours, not somebody's text.
fn source_of_lead_type() -> String {
    let cases: String = LeadType::ALL
        .iter()
        .map(|kind| {
            format!(
                " WHEN '{}' THEN '{}'",
                kind.as_str(),
                LeadSource::from(*kind).as_str()
            )
        })
        .collect();
    format!("CASE s.lead_type{cases} ELSE '' END")
}

/// The class of [`BOUNDS`] of a number of seconds.
fn class_of(seconds: &str) -> String {
    let cases: String = BOUNDS
        .iter()
        .enumerate()
        .map(|(class, bound)| format!(" WHEN {seconds} < {bound} THEN {class}"))
        .collect();
    format!("CASE{cases} ELSE {} END", BOUNDS.len())
}

/// The equalities that join a view `v` with groups `g`.
fn same(columns: &str) -> String {
    columns
        .split(", ")
        .map(|column| format!("g.{column} = v.{column}"))
        .collect::<Vec<_>>()
        .join(" AND ")
}

/// Adds the groups of a view that are not there yet, numbered on from the last.
fn add_groups(
    conn: &mut AnyConn,
    table: &str,
    columns: &str,
    view: &str,
) -> Result<(), StoreError> {
    let sql = format!(
        "INSERT INTO {table} (id, {columns}) \
         SELECT (SELECT coalesce(max(id), 0) FROM {table}) + row_number() OVER (ORDER BY {columns}), {columns} \
         FROM (SELECT DISTINCT {columns} FROM ({view}) AS v WHERE v.counts \
               AND NOT EXISTS (SELECT 1 FROM {table} g WHERE {})) AS fresh",
        same(columns)
    );
    run(conn, &sql)?;
    Ok(())
}

fn count_leads(conn: &mut AnyConn) -> Result<(), StoreError> {
    const COLUMNS: &str = "source, campaign_id, form_id, owner_id, status";
    // A lead stands at the time of its first submission: a first synchronization brings years of them at once.
    let at = seconds(conn, "coalesce(s.submitted_at, l.created_at)");
    let view = format!(
        "SELECT l.id, l.updated_at AS seen_at, l.lock_version, coalesce(o.source, '{manual}') AS source, \
                coalesce(o.campaign_id, '') AS campaign_id, coalesce(o.form_id, '') AS form_id, l.owner_id, l.status, \
                {at} / {SLOT_SECONDS} AS slot, {LEAD_COUNTS} AS counts \
         FROM ({QUEUED_LEADS}) AS q JOIN leads l ON l.id = q.id LEFT JOIN lead_origins o ON o.lead_id = l.id \
         LEFT JOIN form_submissions s ON s.id = o.first_submission_id",
        manual = LeadSource::Manual.as_str(),
    );
    add_groups(conn, "report_lead_groups", COLUMNS, &view)?;
    run(
        conn,
        &format!("DELETE FROM report_leads WHERE lead_id IN ({QUEUED_LEADS})"),
    )?;
    let sql = format!(
        "INSERT INTO report_leads (lead_id, seen_at, lock_version, group_id, slot) \
         SELECT v.id, v.seen_at, v.lock_version, CASE WHEN v.counts THEN g.id END, v.slot \
         FROM ({view}) AS v LEFT JOIN report_lead_groups g ON {}",
        same(COLUMNS)
    );
    run(conn, &sql)?;
    Ok(())
}

fn count_submissions(conn: &mut AnyConn) -> Result<(), StoreError> {
    const COLUMNS: &str = "source, campaign_id, form_id, owner_id, status, outcome, delay";
    let submitted = seconds(conn, "s.submitted_at");
    let waited = format!("({} - {submitted})", seconds(conn, "s.processed_at"));
    let view = format!(
        "SELECT s.id, coalesce(s.processed_at, s.received_at) AS seen_at, s.revision, s.matching_status AS outcome, \
                {source} AS source, coalesce(s.campaign_id, '') AS campaign_id, coalesce(s.form_id, '') AS form_id, \
                coalesce(l.owner_id, '') AS owner_id, coalesce(l.status, '') AS status, \
                CASE WHEN {IS_LIVE} AND s.processed_at IS NOT NULL \
                      AND s.matching_status IN ('new_lead_created', 'updated_existing_lead') \
                     THEN {class} ELSE -1 END AS delay, \
                {submitted} / {SLOT_SECONDS} AS slot, {SUBMISSION_COUNTS} AS counts \
         FROM ({QUEUED_SUBMISSIONS}) AS q JOIN form_submissions s ON s.id = q.id \
         JOIN linkedin_accounts a ON a.id = s.account_id LEFT JOIN leads l ON l.id = s.lead_id",
        source = source_of_lead_type(),
        class = class_of(&waited),
    );
    add_groups(conn, "report_submission_groups", COLUMNS, &view)?;
    run(
        conn,
        &format!("DELETE FROM report_submissions WHERE submission_id IN ({QUEUED_SUBMISSIONS})"),
    )?;
    let sql = format!(
        "INSERT INTO report_submissions (submission_id, seen_at, revision, outcome, group_id, slot) \
         SELECT v.id, v.seen_at, v.revision, v.outcome, CASE WHEN v.counts THEN g.id END, v.slot \
         FROM ({view}) AS v LEFT JOIN report_submission_groups g ON {}",
        same(COLUMNS)
    );
    run(conn, &sql)?;
    Ok(())
}

/// How many rows are counted, for tests and measurements: (leads, submissions).
///
/// # Errors
/// As any query.
pub fn counted(conn: &mut AnyConn) -> Result<(i64, i64), StoreError> {
    use super::schema::{report_leads, report_submissions};
    Ok((
        report_leads::table
            .filter(report_leads::group_id.is_not_null())
            .count()
            .get_result(conn)?,
        report_submissions::table
            .filter(report_submissions::group_id.is_not_null())
            .count()
            .get_result(conn)?,
    ))
}
