//! The audit log, newest first, filtered by what stands in the URL.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use askama::Template;
use serde::Deserialize;
use serde_json::Value;

use super::page::Pager;
use super::{Answer, Portal, Query, Shell, refusals};
use crate::domain::ids::UserId;
use crate::store::StoreError;
use crate::store::audit::{self, AuditEntry, AuditFilter};
use crate::store::columns::PAGE_SIZE;
use crate::store::users::{self, User};

#[derive(Template)]
#[template(path = "audit_log/index.html")]
struct AuditLogIndex {
    shell: Shell,
    entries: Vec<AuditEntry>,
    pager: Pager,
    users: Vec<User>,
    kinds: Vec<String>,
    action: String,
    object_kind: String,
    object_id: String,
    user: String,
}

/// The filter.
#[derive(Debug, Default, Deserialize)]
pub struct AuditLogQuery {
    action: Option<String>,
    object_kind: Option<String>,
    object_id: Option<String>,
    user: Option<UserId>,
    page: Option<u32>,
}

/// GET /settings/audit-log
///
/// # Errors
/// As the database.
pub async fn index(
    portal: Data<Portal>,
    shell: Shell,
    Query(query): Query<AuditLogQuery>,
) -> Answer {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let (action, object_kind) = (text(&query.action), text(&query.object_kind));
    let object_id = text(&query.object_id);
    let user = query
        .user
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default();
    let mut pager = Pager::new(
        "/settings/audit-log",
        query.page,
        PAGE_SIZE,
        &[
            ("action", &action),
            ("object_kind", &object_kind),
            ("object_id", &object_id),
            ("user", &user),
        ],
    );
    let filter = AuditFilter {
        action: query.action,
        object_kind: query.object_kind,
        object_id: query.object_id,
        user_id: query.user,
    };
    let (offset, limit) = (pager.offset(), pager.limit());
    let (entries, kinds, users) = portal
        .store
        .read(move |conn| {
            Ok::<_, StoreError>((
                audit::list(conn, &filter, offset, limit)?,
                audit::object_kinds(conn)?,
                users::list(conn)?,
            ))
        })
        .await?;
    let page = AuditLogIndex {
        entries: pager.take(entries),
        shell,
        pager,
        users,
        kinds,
        action,
        object_kind,
        object_id,
        user,
    };
    page.shell.render(StatusCode::OK, &page)
}

/// A value of a change, for people.
fn plain(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "—".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Bool(true)) => "yes".to_owned(),
        Some(Value::Bool(false)) => "no".to_owned(),
        Some(Value::Array(items)) => items
            .iter()
            .map(|item| plain(Some(item)))
            .collect::<Vec<_>>()
            .join(", "),
        Some(other) => other.to_string(),
    }
}

/// What happened as a sentence, where the action's word and its changes do not say it.
fn sentence(entry: &AuditEntry) -> Option<String> {
    if entry.action != refusals::ACTION {
        return None;
    }
    let reason = entry.after.as_ref().and_then(|state| state.get("reason"));
    Some(format!("Access denied: {}.", plain(reason)))
}

/// What changed, field by field: name, before, after.
fn changes(entry: &AuditEntry) -> Vec<(String, String, String)> {
    if sentence(entry).is_some() {
        return Vec::new();
    }
    let empty = serde_json::Map::new();
    let fields = |state: &Option<Value>| match state {
        Some(Value::Object(fields)) => fields.clone(),
        _ => empty.clone(),
    };
    let (before, after) = (fields(&entry.before), fields(&entry.after));
    let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
    names.sort_unstable();
    names.dedup();
    names
        .into_iter()
        .filter(|name| before.get(*name) != after.get(*name))
        .map(|name| {
            (
                name.replace('_', " "),
                plain(before.get(name)),
                plain(after.get(name)),
            )
        })
        .collect()
}
