//! The outbox of mail: written in the transaction of the act that causes it, worked on by the scheduler.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use diesel::prelude::*;

use super::columns::Cells;
use super::schema::mails as m;
use super::{AnyConn, StoreError, database_now};
use crate::domain::ids::UserId;
use crate::domain::mail::{ATTEMPTS, MailKind, MailState};

/// A mail as far as pages tell of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// Its identifier.
    pub id: String,
    /// What it is about.
    pub kind: MailKind,
    /// To whom it goes.
    pub user_id: UserId,
    /// How far it has come.
    pub state: MailState,
    /// When it was written.
    pub created_at: DateTime<Utc>,
    /// How often the server was tried.
    pub attempts: i64,
    /// When it was sent or given up.
    pub ended_at: Option<DateTime<Utc>>,
    /// What went wrong last, for people.
    pub problem: Option<String>,
}

/// A mail that is due.
#[derive(Debug, Clone)]
pub struct DueMail {
    /// Its identifier.
    pub id: String,
    /// What it is about.
    pub kind: MailKind,
    /// To whom it goes.
    pub user_id: UserId,
    /// The sealed link.
    pub link: Option<Vec<u8>>,
    /// The number of this attempt, from 1.
    pub attempt: i64,
}

type Row = (
    String,
    String,
    String,
    String,
    NaiveDateTime,
    i64,
    Option<NaiveDateTime>,
    Option<String>,
);

const COLUMNS: (
    m::id,
    m::kind,
    m::user_id,
    m::state,
    m::created_at,
    m::attempts,
    m::ended_at,
    m::problem,
) = (
    m::id,
    m::kind,
    m::user_id,
    m::state,
    m::created_at,
    m::attempts,
    m::ended_at,
    m::problem,
);

fn mail(row: Row) -> Result<Mail, StoreError> {
    let (id, kind, user_id, state, created_at, attempts, ended_at, problem) = row;
    let cells = Cells {
        table: "mails",
        id: &id,
    };
    Ok(Mail {
        kind: cells.word("kind", &kind)?,
        user_id: cells.word("user_id", &user_id)?,
        state: cells.word("state", &state)?,
        created_at: created_at.and_utc(),
        attempts,
        ended_at: ended_at.map(|at| at.and_utc()),
        problem,
        id,
    })
}

/// Writes a mail, due at once; `link` is sealed for this row.
///
/// # Errors
/// As any query.
pub fn insert(
    conn: &mut AnyConn,
    id: &str,
    kind: MailKind,
    user: &UserId,
    link: Option<&[u8]>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let due = database_now(conn)?.naive_utc();
    diesel::insert_into(m::table)
        .values((
            m::id.eq(id),
            m::kind.eq(kind.as_str()),
            m::user_id.eq(user.as_str()),
            m::state.eq(MailState::Waiting.as_str()),
            m::link.eq(link),
            m::created_at.eq(now.naive_utc()),
            m::attempts.eq(0_i64),
            m::next_attempt_at.eq(due),
        ))
        .execute(conn)?;
    Ok(())
}

/// Takes back the mail to a person that was not sent yet and holds a link: the link works no longer.
///
/// # Errors
/// As any query.
pub fn take_back(conn: &mut AnyConn, user: &UserId) -> Result<(), StoreError> {
    diesel::delete(
        m::table
            .filter(m::user_id.eq(user.as_str()))
            .filter(m::state.eq(MailState::Waiting.as_str()))
            .filter(m::link.is_not_null()),
    )
    .execute(conn)?;
    Ok(())
}

/// Whether one is due: a read that spares the write lock when none is.
///
/// # Errors
/// As any query.
pub fn is_any_due(conn: &mut AnyConn) -> Result<bool, StoreError> {
    let at = database_now(conn)?.naive_utc();
    let due: i64 = m::table
        .filter(m::state.eq(MailState::Waiting.as_str()))
        .filter(m::next_attempt_at.le(at))
        .count()
        .get_result(conn)?;
    Ok(due > 0)
}

/// Takes one that is due, and puts off its next attempt, so that no other process takes it meanwhile.
///
/// # Errors
/// As any query.
pub fn claim(conn: &mut AnyConn) -> Result<Option<DueMail>, StoreError> {
    type Due = (String, String, String, Option<Vec<u8>>, i64);
    let now = database_now(conn)?;
    let found: Option<Due> = m::table
        .filter(m::state.eq(MailState::Waiting.as_str()))
        .filter(m::next_attempt_at.le(now.naive_utc()))
        .order((m::next_attempt_at.asc(), m::id.asc()))
        .select((m::id, m::kind, m::user_id, m::link, m::attempts))
        .first(conn)
        .optional()?;
    let Some((id, kind, user, link, attempts)) = found else {
        return Ok(None);
    };
    let exponent = u32::try_from(attempts.clamp(0, ATTEMPTS)).unwrap_or(0);
    let pause = TimeDelta::minutes(2_i64.saturating_pow(exponent));
    let won = diesel::update(
        m::table
            .find(&id)
            .filter(m::state.eq(MailState::Waiting.as_str()))
            .filter(m::attempts.eq(attempts)),
    )
    .set((
        m::attempts.eq(attempts + 1),
        m::next_attempt_at.eq((now + pause).naive_utc()),
    ))
    .execute(conn)?;
    if won == 0 {
        return Ok(None);
    }
    let cells = Cells {
        table: "mails",
        id: &id,
    };
    Ok(Some(DueMail {
        kind: cells.word("kind", &kind)?,
        user_id: cells.word("user_id", &user)?,
        link,
        attempt: attempts + 1,
        id,
    }))
}

/// Notes that a mail was sent or given up, and erases its link. One that was taken back meanwhile is not there any more.
///
/// # Errors
/// As any query.
pub fn end(
    conn: &mut AnyConn,
    id: &str,
    state: MailState,
    problem: Option<&str>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    diesel::update(m::table.find(id))
        .set((
            m::state.eq(state.as_str()),
            m::link.eq(None::<Vec<u8>>),
            m::ended_at.eq(Some(now.naive_utc())),
            m::problem.eq(problem),
        ))
        .execute(conn)?;
    Ok(())
}

/// Notes what went wrong with an attempt; the next one follows.
///
/// # Errors
/// As any query.
pub fn note_problem(conn: &mut AnyConn, id: &str, problem: &str) -> Result<(), StoreError> {
    diesel::update(m::table.find(id))
        .set(m::problem.eq(problem))
        .execute(conn)?;
    Ok(())
}

/// The last mail to a person.
///
/// # Errors
/// As any query.
pub fn last_of_user(conn: &mut AnyConn, user: &UserId) -> Result<Option<Mail>, StoreError> {
    let row: Option<Row> = m::table
        .filter(m::user_id.eq(user.as_str()))
        .order((m::created_at.desc(), m::id.desc()))
        .select(COLUMNS)
        .first(conn)
        .optional()?;
    row.map(mail).transpose()
}

/// The last mails, the newest first.
///
/// # Errors
/// As any query.
pub fn list(conn: &mut AnyConn, most: i64) -> Result<Vec<Mail>, StoreError> {
    let rows: Vec<Row> = m::table
        .order((m::created_at.desc(), m::id.desc()))
        .select(COLUMNS)
        .limit(most)
        .load(conn)?;
    rows.into_iter().map(mail).collect()
}

/// Forgets mails that ended before this.
///
/// # Errors
/// As any query.
pub fn delete_ended_before(conn: &mut AnyConn, before: DateTime<Utc>) -> Result<(), StoreError> {
    diesel::delete(m::table.filter(m::ended_at.lt(before.naive_utc()))).execute(conn)?;
    Ok(())
}
