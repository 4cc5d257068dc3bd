//! The audit log: who did what to which record, written in the transaction of the act and never changed.
//!
//! Entries are links of a chain ([`chain`]), so that a change behind the portal's back shows ([`verification`]). Triggers
//! (`migrations/sqlite/audit.sql`, `migrations/postgres/audit.sql`) refuse the plain ways to change or delete one.

pub mod chain;
mod list;
pub mod verification;

use std::sync::Mutex;

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::columns::Cells;
use super::paging::Cursor;
use super::schema::audit_entries;
use super::{AnyConn, StoreError};
use crate::domain::access::Role;
use crate::domain::ids::UserId;
use crate::domain::words::words;

pub use list::{AuditFilter, actions, count, object_kinds, of_record, page, part};

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
    /// The roles held at that time; none where the kind of actor has none, and for entries of earlier versions.
    pub roles: Vec<Role>,
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
            roles: Vec::new(),
            request_id: None,
            address: None,
        }
    }

    /// The synchronization: every write of synced data carries it.
    #[must_use]
    pub fn s2s_inbound() -> Self {
        Self {
            roles: vec![Role::S2sInbound],
            ..Self::nobody(ActorKind::S2sInbound)
        }
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
    /// Its place in the chain, from 1; none until an entry of an earlier version got one.
    pub number: Option<i64>,
    /// Its hash in the chain.
    pub hash: Option<String>,
}

impl AuditEntry {
    /// Its place in a list.
    #[must_use]
    pub fn place(&self) -> Cursor {
        Cursor {
            at: self.created_at,
            id: self.id.clone(),
        }
    }
}

#[derive(Debug, Clone, Queryable, Insertable)]
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
    actor_roles: Option<String>,
    chain_number: Option<i64>,
    entry_hash: Option<String>,
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
        let roles = row
            .actor_roles
            .as_deref()
            .unwrap_or_default()
            .split_ascii_whitespace()
            .map(|word| cells.word("actor_roles", word))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            created_at: row.created_at.and_utc(),
            before: state("before_state", row.before_state.as_deref())?,
            after: state("after_state", row.after_state.as_deref())?,
            actor: Actor {
                kind: cells.word("actor_kind", &row.actor_kind)?,
                user_id: cells.optional("user_id", row.user_id.as_deref())?,
                name: row.actor_name,
                roles,
                request_id: row.request_id,
                address: row.address,
            },
            action: row.action,
            object_kind: row.object_kind,
            object_id: row.object_id,
            object_name: row.object_name,
            number: row.chain_number,
            hash: row.entry_hash,
            id: row.id,
        })
    }
}

/// An identifier that sorts by time; those that one process makes within one instant sort in the order of writing.
pub(super) fn new_id(at: DateTime<Utc>) -> String {
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

/// Writes one entry, in the caller's transaction: it stands in the log when that transaction commits, see [`chain`].
/// `object` is kind, id and name of the record; `before` and `after` hold no secrets, no answers and no e-mail addresses of leads.
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
    let row = row(new_id(now), now, actor, action, object, before, after);
    chain::add(conn, row, chain::Repeat::Impossible)
}

/// As [`record`], for what somebody may repeat a thousand times: the same act of the same person on the same record is
/// written once within a minute of the clock, on all replicas together; returns whether the log lacked it so far.
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
    let known: Option<String> = audit_entries::table
        .find(&id)
        .select(audit_entries::id)
        .first(conn)
        .optional()?;
    if known.is_some() {
        return Ok(false);
    }
    let row = row(id, now, actor, action, object, None, after);
    chain::add(conn, row, chain::Repeat::LeftOut)?;
    Ok(true)
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
        actor_roles: Some(words_of(&actor.roles)),
        chain_number: None,
        entry_hash: None,
    }
}

fn words_of(roles: &[Role]) -> String {
    let words: Vec<&str> = roles.iter().map(|role| role.as_str()).collect();
    words.join(" ")
}
