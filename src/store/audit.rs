//! The audit log: who did what to which record, written in the transaction of the act and never changed.

use std::sync::Mutex;

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::columns::Cells;
use super::schema::audit_entries;
use super::{AnyConn, StoreError};
use crate::domain::ids::UserId;
use crate::domain::words::words;
use crate::each;

words! {
    /// Who acts.
    pub enum ActorKind {
        /// A signed-in person.
        User = "user" => "User",
        /// The synchronization.
        S2sInbound = "s2s_inbound" => "S2S Inbound",
        /// Somebody at the shell.
        CommandLine = "command_line" => "Command line",
        /// The portal itself.
        System = "system" => "System",
    }
}

/// Who acts, and through which request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// What the actor is.
    pub kind: ActorKind,
    /// The person, if it is one.
    pub user_id: Option<UserId>,
    /// The name at the time of the act.
    pub name: String,
    /// The request, as the log knows it.
    pub request_id: Option<String>,
    /// The client's address.
    pub address: Option<String>,
}

impl Actor {
    fn nobody(kind: ActorKind) -> Self {
        Self {
            kind,
            user_id: None,
            name: kind.label().to_owned(),
            request_id: None,
            address: None,
        }
    }

    /// The synchronization: every write of synced data carries it.
    #[must_use]
    pub fn s2s_inbound() -> Self {
        Self::nobody(ActorKind::S2sInbound)
    }

    /// The portal itself, for what nobody asked for.
    #[must_use]
    pub fn system() -> Self {
        Self::nobody(ActorKind::System)
    }

    /// Somebody at the shell.
    #[must_use]
    pub fn command_line() -> Self {
        Self::nobody(ActorKind::CommandLine)
    }
}

/// One entry of the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its identifier.
    pub id: String,
    /// When it was written.
    pub created_at: DateTime<Utc>,
    /// Who acted.
    pub actor: Actor,
    /// What was done: `field_mapping.updated`.
    pub action: String,
    /// The kind of record: `field_mapping`.
    pub object_kind: String,
    /// The record's identifier.
    pub object_id: String,
    /// The record's name at the time of the act.
    pub object_name: String,
    /// The record before, where it changed.
    pub before: Option<Value>,
    /// The record after, where it changed.
    pub after: Option<Value>,
}

#[derive(Queryable, Insertable)]
#[diesel(table_name = audit_entries, treat_none_as_default_value = false)]
struct AuditRow {
    id: String,
    created_at: NaiveDateTime,
    actor_kind: String,
    user_id: Option<String>,
    actor_name: String,
    action: String,
    object_kind: String,
    object_id: String,
    object_name: String,
    before_state: Option<String>,
    after_state: Option<String>,
    request_id: Option<String>,
    address: Option<String>,
}

impl TryFrom<AuditRow> for AuditEntry {
    type Error = StoreError;

    fn try_from(row: AuditRow) -> Result<Self, StoreError> {
        let cells = Cells {
            table: "audit_entries",
            id: &row.id,
        };
        let state = |column, text: Option<&str>| -> Result<Option<Value>, StoreError> {
            text.map(|text| cells.json(column, text)).transpose()
        };
        Ok(Self {
            created_at: row.created_at.and_utc(),
            before: state("before_state", row.before_state.as_deref())?,
            after: state("after_state", row.after_state.as_deref())?,
            actor: Actor {
                kind: cells.word("actor_kind", &row.actor_kind)?,
                user_id: cells.optional("user_id", row.user_id.as_deref())?,
                name: row.actor_name,
                request_id: row.request_id,
                address: row.address,
            },
            action: row.action,
            object_kind: row.object_kind,
            object_id: row.object_id,
            object_name: row.object_name,
            id: row.id,
        })
    }
}

/// An identifier that sorts by time; those that one process makes within one instant sort in the order of writing.
fn new_id(at: DateTime<Utc>) -> String {
    static COUNTER: Mutex<uuid::ContextV7> = Mutex::new(uuid::ContextV7::new());
    let seconds = u64::try_from(at.timestamp()).unwrap_or(0);
    let time = uuid::Timestamp::from_unix(&COUNTER, seconds, at.timestamp_subsec_nanos());
    Uuid::new_v7(time).hyphenated().to_string()
}

/// The identifier of one act in one minute: the minute, then a digest of who did what, so that a repeated entry meets
/// the first one in the primary key and no table of counters is needed.
fn id_of_minute(
    at: DateTime<Utc>,
    actor: &Actor,
    action: &str,
    (object_kind, object_id, object_name): (&str, &str, &str),
) -> String {
    let minute = at.timestamp().div_euclid(60);
    let mut digest = Sha256::new();
    for part in [
        actor.user_id.as_ref().map_or("", UserId::as_str),
        action,
        object_kind,
        object_id,
        object_name,
    ] {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part.as_bytes());
    }
    let mut random = [0_u8; 10];
    for (byte, of_digest) in random.iter_mut().zip(digest.finalize()) {
        *byte = of_digest;
    }
    let millis = u64::try_from(minute.saturating_mul(60_000)).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &random)
        .into_uuid()
        .hyphenated()
        .to_string()
}

/// Writes one entry, in the caller's transaction. `object` is kind, id and name of the record; `before` and `after` hold
/// no secrets, no answers and no e-mail addresses of leads.
///
/// # Errors
/// As any query.
pub fn record(
    conn: &mut AnyConn,
    now: DateTime<Utc>,
    actor: &Actor,
    action: &str,
    object: (&str, &str, &str),
    before: Option<Value>,
    after: Option<Value>,
) -> Result<(), StoreError> {
    diesel::insert_into(audit_entries::table)
        .values(row(new_id(now), now, actor, action, object, before, after))
        .execute(conn)?;
    Ok(())
}

/// As [`record`], for what somebody may repeat a thousand times: the same act of the same person on the same record is
/// written once within a minute of the clock, on all replicas together; returns whether this one was written.
///
/// # Errors
/// As any query.
pub fn record_once_a_minute(
    conn: &mut AnyConn,
    now: DateTime<Utc>,
    actor: &Actor,
    action: &str,
    object: (&str, &str, &str),
    after: Option<Value>,
) -> Result<bool, StoreError> {
    let id = id_of_minute(now, actor, action, object);
    let row = row(id, now, actor, action, object, None, after);
    let written = each!(conn, |c| diesel::insert_into(audit_entries::table)
        .values(&row)
        .on_conflict(audit_entries::id)
        .do_nothing()
        .execute(c))?;
    Ok(written > 0)
}

fn row(
    id: String,
    now: DateTime<Utc>,
    actor: &Actor,
    action: &str,
    (object_kind, object_id, object_name): (&str, &str, &str),
    before: Option<Value>,
    after: Option<Value>,
) -> AuditRow {
    AuditRow {
        id,
        created_at: now.naive_utc(),
        actor_kind: actor.kind.as_str().to_owned(),
        user_id: actor.user_id.as_ref().map(|id| id.as_str().to_owned()),
        actor_name: actor.name.clone(),
        action: action.to_owned(),
        object_kind: object_kind.to_owned(),
        object_id: object_id.to_owned(),
        object_name: object_name.to_owned(),
        before_state: before.map(|state| state.to_string()),
        after_state: after.map(|state| state.to_string()),
        request_id: actor.request_id.clone(),
        address: actor.address.clone(),
    }
}

/// Which entries to list; what is `None` does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// The beginning of the action: `user` finds `user.added`, too.
    pub action: Option<String>,
    /// The kind of record.
    pub object_kind: Option<String>,
    /// The record.
    pub object_id: Option<String>,
    /// The person who acted.
    pub user_id: Option<UserId>,
}

/// Lists entries, newest first: at most `limit` after the first `offset`.
///
/// # Errors
/// As any query.
pub fn list(
    conn: &mut AnyConn,
    filter: &AuditFilter,
    offset: i64,
    limit: i64,
) -> Result<Vec<AuditEntry>, StoreError> {
    let mut query = audit_entries::table.into_boxed();
    if let Some(action) = &filter.action {
        let escaped = action
            .replace('\\', "\\\\")
            .replace('%', "\\%")
            .replace('_', "\\_");
        query = query.filter(
            audit_entries::action
                .like(format!("{escaped}%"))
                .escape('\\'),
        );
    }
    if let Some(kind) = &filter.object_kind {
        query = query.filter(audit_entries::object_kind.eq(kind.clone()));
    }
    if let Some(id) = &filter.object_id {
        query = query.filter(audit_entries::object_id.eq(id.clone()));
    }
    if let Some(user) = &filter.user_id {
        query = query.filter(audit_entries::user_id.eq(user.as_str().to_owned()));
    }
    let rows: Vec<AuditRow> = query
        .order((audit_entries::created_at.desc(), audit_entries::id.desc()))
        .offset(offset)
        .limit(limit)
        .load(conn)?;
    rows.into_iter().map(AuditEntry::try_from).collect()
}

/// The kinds of records that the log knows, for the filter.
///
/// # Errors
/// As any query.
pub fn object_kinds(conn: &mut AnyConn) -> Result<Vec<String>, StoreError> {
    Ok(audit_entries::table
        .select(audit_entries::object_kind)
        .distinct()
        .order(audit_entries::object_kind)
        .load(conn)?)
}
