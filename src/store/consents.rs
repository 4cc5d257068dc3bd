//! Consent to LinkedIn: a ledger of what was given and withdrawn, which is only ever appended to, and whose consent holds now.

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;

use super::audit::{self, Actor};
use super::columns::Cells;
use super::paging::{Cursor, PageStart, keyset};
use super::schema::{active_consents, consent_entries, users};
use super::{AnyConn, StoreError};
use crate::domain::connections::{CONSENT_VERSION, ConsentAct, ConsentReason, Setting};
use crate::domain::ids::UserId;

/// A consent that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActiveConsent {
    /// The version of the text.
    pub text_version: i64,
    /// When it was given.
    pub given_at: DateTime<Utc>,
}

/// One line of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsentEntry {
    /// Identifier.
    pub id: String,
    /// Whose consent.
    pub user_id: UserId,
    /// That person's name.
    pub user_name: String,
    /// When.
    pub created_at: DateTime<Utc>,
    /// Given or withdrawn.
    pub act: ConsentAct,
    /// Why.
    pub reason: ConsentReason,
    /// The version of the text.
    pub text_version: i64,
    /// What the setting was.
    pub setting: Setting,
    /// Who acted.
    pub actor_name: String,
}

impl ConsentEntry {
    /// Its place in a list.
    #[must_use]
    pub fn place(&self) -> Cursor {
        Cursor {
            at: self.created_at,
            id: self.id.clone(),
        }
    }
}

type EntryRow = (
    String,
    String,
    NaiveDateTime,
    String,
    String,
    i64,
    String,
    String,
    String,
);

/// The columns of [`EntryRow`], in its order.
macro_rules! entry_columns {
    () => {
        (
            consent_entries::id,
            consent_entries::user_id,
            consent_entries::created_at,
            consent_entries::act,
            consent_entries::reason,
            consent_entries::text_version,
            consent_entries::setting,
            consent_entries::actor_name,
            users::name,
        )
    };
}

fn entry(row: EntryRow) -> Result<ConsentEntry, StoreError> {
    let (id, user_id, at, act, reason, text_version, setting, actor_name, user_name) = row;
    let cells = Cells {
        table: "consent_entries",
        id: &id,
    };
    Ok(ConsentEntry {
        user_id: cells.word("user_id", &user_id)?,
        user_name,
        created_at: at.and_utc(),
        act: cells.word("act", &act)?,
        reason: cells.word("reason", &reason)?,
        text_version,
        setting: cells.word("setting", &setting)?,
        actor_name,
        id: id.clone(),
    })
}

/// The consent of a person, while it holds.
///
/// # Errors
/// As any query.
pub fn find(conn: &mut AnyConn, user: &UserId) -> Result<Option<ActiveConsent>, StoreError> {
    let row: Option<(i64, NaiveDateTime)> = active_consents::table
        .find(user.as_str())
        .select((active_consents::text_version, active_consents::given_at))
        .first(conn)
        .optional()?;
    Ok(row.map(|(text_version, given_at)| ActiveConsent {
        text_version,
        given_at: given_at.and_utc(),
    }))
}

/// How many people's consent holds.
///
/// # Errors
/// As any query.
pub fn count(conn: &mut AnyConn) -> Result<i64, StoreError> {
    Ok(active_consents::table.count().get_result(conn)?)
}

/// Somebody whose consent holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldConsent {
    /// The name.
    pub name: String,
    /// The address.
    pub email: String,
    /// The consent.
    pub consent: ActiveConsent,
}

/// The people whose consent holds, by name, from `offset` on, at most `limit`.
///
/// # Errors
/// As any query.
pub fn holding(
    conn: &mut AnyConn,
    offset: i64,
    limit: i64,
) -> Result<Vec<HeldConsent>, StoreError> {
    let rows: Vec<(String, String, i64, NaiveDateTime)> = active_consents::table
        .inner_join(users::table)
        .order((users::name.asc(), users::id.asc()))
        .offset(offset)
        .limit(limit)
        .select((
            users::name,
            users::email,
            active_consents::text_version,
            active_consents::given_at,
        ))
        .load(conn)?;
    Ok(rows
        .into_iter()
        .map(|(name, email, text_version, given_at)| HeldConsent {
            name,
            email,
            consent: ActiveConsent {
                text_version,
                given_at: given_at.and_utc(),
            },
        })
        .collect())
}

/// The latest lines about a person, newest first.
///
/// # Errors
/// As any query.
pub fn of_user(
    conn: &mut AnyConn,
    user: &UserId,
    limit: i64,
) -> Result<Vec<ConsentEntry>, StoreError> {
    use consent_entries as c;
    let rows: Vec<EntryRow> = c::table
        .inner_join(users::table)
        .filter(c::user_id.eq(user.as_str()))
        .order((c::created_at.desc(), c::id.desc()))
        .limit(limit)
        .select(entry_columns!())
        .load(conn)?;
    rows.into_iter().map(entry).collect()
}

/// The lines of a time after a place, newest first, at most `limit`, whomever they are about.
///
/// # Errors
/// As any query.
pub fn part(
    conn: &mut AnyConn,
    (from, until): (Option<DateTime<Utc>>, Option<DateTime<Utc>>),
    after: Option<&Cursor>,
    limit: i64,
) -> Result<Vec<ConsentEntry>, StoreError> {
    use consent_entries as c;
    let mut query = c::table
        .inner_join(users::table)
        .select(entry_columns!())
        .into_boxed();
    if let Some(from) = from {
        query = query.filter(c::created_at.ge(from.naive_utc()));
    }
    if let Some(until) = until {
        query = query.filter(c::created_at.lt(until.naive_utc()));
    }
    let start = after.cloned().map_or(PageStart::Newest, PageStart::After);
    keyset!(query, &start, c::created_at, c::id);
    let rows: Vec<EntryRow> = query.limit(limit).load(conn)?;
    rows.into_iter().map(entry).collect()
}

/// Takes note of a person's consent to today's text. Whether the person may is the caller's question, in the same transaction.
///
/// # Errors
/// As any query.
pub(super) fn give(
    conn: &mut AnyConn,
    user: &UserId,
    setting: Setting,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    diesel::delete(active_consents::table.find(user.as_str())).execute(conn)?;
    diesel::insert_into(active_consents::table)
        .values((
            active_consents::user_id.eq(user.as_str()),
            active_consents::text_version.eq(CONSENT_VERSION),
            active_consents::given_at.eq(now.naive_utc()),
        ))
        .execute(conn)?;
    append(
        conn,
        user,
        (ConsentAct::Given, ConsentReason::Person),
        (CONSENT_VERSION, setting),
        actor,
        now,
    )
}

/// Ends a person's consent; answers the version of the text that it was about, `None` when there was none.
///
/// # Errors
/// As any query.
pub(super) fn withdraw(
    conn: &mut AnyConn,
    user: &UserId,
    reason: ConsentReason,
    setting: Setting,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<Option<i64>, StoreError> {
    let Some(consent) = find(conn, user)? else {
        return Ok(None);
    };
    diesel::delete(active_consents::table.find(user.as_str())).execute(conn)?;
    append(
        conn,
        user,
        (ConsentAct::Withdrawn, reason),
        (consent.text_version, setting),
        actor,
        now,
    )?;
    Ok(Some(consent.text_version))
}

fn append(
    conn: &mut AnyConn,
    user: &UserId,
    (act, reason): (ConsentAct, ConsentReason),
    (text_version, setting): (i64, Setting),
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    diesel::insert_into(consent_entries::table)
        .values((
            consent_entries::id.eq(audit::new_id(now)),
            consent_entries::user_id.eq(user.as_str()),
            consent_entries::created_at.eq(now.naive_utc()),
            consent_entries::act.eq(act.as_str()),
            consent_entries::reason.eq(reason.as_str()),
            consent_entries::text_version.eq(text_version),
            consent_entries::setting.eq(setting.as_str()),
            consent_entries::actor_name.eq(&actor.name),
        ))
        .execute(conn)?;
    Ok(())
}
