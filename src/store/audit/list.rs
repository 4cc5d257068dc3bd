//! Entries of the audit log as lists: filtered, page by page, for export, and the history of one record.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::Text;

use super::{ActorKind, AuditEntry, AuditRow};
use crate::domain::ids::UserId;
use crate::each;
use crate::store::columns::{BoundedCount, COUNT_LIMIT, bounded_count};
use crate::store::paging::{Cursor, Page, PageStart, keyset};
use crate::store::schema::audit_entries;
use crate::store::{AnyConn, StoreError};

/// Which entries to list; what is `None` does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// The person who acted.
    pub user_id: Option<UserId>,
    /// The name under which was acted.
    pub actor_name: Option<String>,
    /// The kind of who acted.
    pub actor_kind: Option<ActorKind>,
    /// The action; one that ends with a dot stands for all that begin with it: `user.` finds `user.added`.
    pub action: Option<String>,
    /// The kind of record.
    pub object_kind: Option<String>,
    /// The record, whatever its kind.
    pub object_id: Option<String>,
    /// Any identifier: of a record, of a request, of an entry.
    pub id: Option<String>,
    /// Written then or later.
    pub from: Option<DateTime<Utc>>,
    /// Written before then.
    pub until: Option<DateTime<Utc>>,
}

macro_rules! filtered {
    ($query:ident, $filter:expr) => {
        if let Some(user) = &$filter.user_id {
            $query = $query.filter(audit_entries::user_id.eq(user.as_str()));
        }
        if let Some(name) = &$filter.actor_name {
            $query = $query.filter(audit_entries::actor_name.eq(name.clone()));
        }
        if let Some(kind) = $filter.actor_kind {
            $query = $query.filter(audit_entries::actor_kind.eq(kind.as_str()));
        }
        match &$filter.action {
            Some(group) if group.ends_with('.') => {
                let escaped = group
                    .replace('\\', "\\\\")
                    .replace('%', "\\%")
                    .replace('_', "\\_");
                $query = $query.filter(
                    audit_entries::action
                        .like(format!("{escaped}%"))
                        .escape('\\'),
                );
            }
            Some(action) => $query = $query.filter(audit_entries::action.eq(action.clone())),
            None => {}
        }
        if let Some(kind) = &$filter.object_kind {
            $query = $query.filter(audit_entries::object_kind.eq(kind.clone()));
        }
        if let Some(id) = &$filter.object_id {
            $query = $query.filter(audit_entries::object_id.eq(id.clone()));
        }
        if let Some(id) = &$filter.id {
            $query = $query.filter(
                audit_entries::object_id
                    .eq(id.clone())
                    .or(audit_entries::request_id.assume_not_null().eq(id.clone()))
                    .or(audit_entries::id.eq(id.clone())),
            );
        }
        if let Some(from) = $filter.from {
            $query = $query.filter(audit_entries::created_at.ge(from.naive_utc()));
        }
        if let Some(until) = $filter.until {
            $query = $query.filter(audit_entries::created_at.lt(until.naive_utc()));
        }
    };
}

fn entries(rows: Vec<AuditRow>) -> Result<Vec<AuditEntry>, StoreError> {
    rows.into_iter().map(AuditEntry::try_from).collect()
}

/// One page of the entries that pass the filter, newest first.
///
/// # Errors
/// As any query.
pub fn page(
    conn: &mut AnyConn,
    filter: &AuditFilter,
    start: &PageStart,
) -> Result<Page<AuditEntry>, StoreError> {
    let mut query = audit_entries::table.into_boxed();
    filtered!(query, filter);
    keyset!(query, start, audit_entries::created_at, audit_entries::id);
    let rows = entries(query.load(conn)?)?;
    Ok(Page::cut(rows, start, |entry| entry.place()))
}

/// How many entries pass the filter.
///
/// # Errors
/// As any query.
pub fn count(conn: &mut AnyConn, filter: &AuditFilter) -> Result<BoundedCount, StoreError> {
    let mut query = audit_entries::table
        .select(audit_entries::id)
        .limit(COUNT_LIMIT + 1)
        .into_boxed();
    filtered!(query, filter);
    bounded_count(conn, query)
}

/// The entries that pass the filter after a place, newest first, at most `limit`.
///
/// # Errors
/// As any query.
pub fn part(
    conn: &mut AnyConn,
    filter: &AuditFilter,
    after: Option<&Cursor>,
    limit: i64,
) -> Result<Vec<AuditEntry>, StoreError> {
    let mut query = audit_entries::table.into_boxed();
    filtered!(query, filter);
    let start = after.cloned().map_or(PageStart::Newest, PageStart::After);
    keyset!(query, &start, audit_entries::created_at, audit_entries::id);
    entries(query.limit(limit).load(conn)?)
}

/// The latest entries about one record, or about all of its kind, newest first, at most `limit`. What the sync reads
/// every few minutes is left out: it would hide the changes of people.
///
/// # Errors
/// As any query.
pub fn of_record(
    conn: &mut AnyConn,
    kind: &str,
    id: Option<&str>,
    limit: i64,
) -> Result<Vec<AuditEntry>, StoreError> {
    let mut query = audit_entries::table
        .filter(audit_entries::object_kind.eq(kind))
        .filter(audit_entries::action.not_like("%.synchronized"))
        .order((audit_entries::created_at.desc(), audit_entries::id.desc()))
        .limit(limit)
        .into_boxed();
    if let Some(id) = id {
        query = query.filter(audit_entries::object_id.eq(id));
    }
    entries(query.load(conn)?)
}

/// The words of one column, each once, in order: one step through its index a word, however many entries there are.
fn words(conn: &mut AnyConn, column: &'static str) -> Result<Vec<String>, StoreError> {
    #[derive(QueryableByName)]
    struct Word {
        #[diesel(sql_type = Text)]
        word: String,
    }
    let rows: Vec<Word> = each!(conn, |c| {
        diesel::sql_query(format!(
        "WITH RECURSIVE words (word) AS (\
             SELECT min({column}) FROM audit_entries \
             UNION ALL \
             SELECT (SELECT min({column}) FROM audit_entries WHERE {column} > words.word) FROM words WHERE word IS NOT NULL\
         ) SELECT word FROM words WHERE word IS NOT NULL ORDER BY word"
    ))
    .load(c)
    })?;
    Ok(rows.into_iter().map(|row| row.word).collect())
}

/// The kinds of records that the log knows, for the filter.
///
/// # Errors
/// As any query.
pub fn object_kinds(conn: &mut AnyConn) -> Result<Vec<String>, StoreError> {
    words(conn, "object_kind")
}

/// The actions that the log knows, for the filter.
///
/// # Errors
/// As any query.
pub fn actions(conn: &mut AnyConn) -> Result<Vec<String>, StoreError> {
    words(conn, "action")
}
