//! The audit log as CSV: exactly what the list filters.

use actix_web::web::Data;
use chrono::SecondsFormat;
use serde_json::{Value, json};

use super::AuditLogQuery;
use crate::auth::CurrentUser;
use crate::store::StoreError;
use crate::store::audit::{self, Actor, AuditEntry};
use crate::store::paging::Cursor;
use crate::web::csv_export::{self, Chunk};
use crate::web::{Answer, Portal, Query};

/// Entries read at once.
const PART: i64 = 1_000;

const HEADINGS: [&str; 16] = [
    "Time (UTC)",
    "Kind of actor",
    "Done by",
    "User id",
    "Roles",
    "Action",
    "Record",
    "Record id",
    "Record name",
    "Before",
    "After",
    "Address",
    "Request id",
    "Entry id",
    "Number",
    "Hash",
];

fn cells(entry: AuditEntry) -> Vec<String> {
    let state = |state: Option<Value>| state.map(|state| state.to_string()).unwrap_or_default();
    let roles: Vec<&str> = entry.actor.roles.iter().map(|role| role.label()).collect();
    vec![
        entry
            .created_at
            .to_rfc3339_opts(SecondsFormat::Micros, true),
        entry.actor.kind.label().to_owned(),
        entry.actor.name,
        entry
            .actor
            .user_id
            .map(|id| id.to_string())
            .unwrap_or_default(),
        roles.join(", "),
        entry.action,
        entry.object_kind,
        entry.object_id,
        entry.object_name,
        state(entry.before),
        state(entry.after),
        entry.actor.address.unwrap_or_default(),
        entry.actor.request_id.unwrap_or_default(),
        entry.id,
        entry
            .number
            .map(|number| number.to_string())
            .unwrap_or_default(),
        entry.hash.unwrap_or_default(),
    ]
}

/// GET /settings/audit-log/export.csv
///
/// # Errors
/// As the database.
pub async fn export(
    portal: Data<Portal>,
    user: CurrentUser,
    actor: Actor,
    Query(query): Query<AuditLogQuery>,
) -> Answer {
    let filter = query.filter(user.time_zone);
    let now = portal.clock.now();
    let has_search = filter.id.is_some();
    // What was typed as an identifier may be anything.
    let filters: serde_json::Map<String, Value> = query
        .pairs()
        .into_iter()
        .filter(|(name, _)| *name != "id")
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect();
    portal
        .store
        .write(move |tx| {
            let object = ("audit_log", "", "Audit log");
            let after = json!({ "format": "csv", "has_search": has_search, "filters": filters });
            audit::record(
                tx,
                now,
                &actor,
                "audit_log.exported",
                object,
                None,
                Some(after),
            )
        })
        .await?;
    let headings = HEADINGS.iter().map(|&heading| heading.to_owned()).collect();
    let store = portal.store.clone();
    let name = format!("audit-log-{}.csv", now.format("%Y-%m-%d"));
    Ok(csv_export::respond(
        &name,
        headings,
        None::<Cursor>,
        move |after| {
            let (store, filter, query) = (store.clone(), filter.clone(), query.clone());
            async move {
                let entries = store
                    .read(move |conn| {
                        let filter = query.resolve(conn, &filter)?;
                        audit::part(conn, &filter, after.as_ref(), PART)
                    })
                    .await?;
                let is_full = i64::try_from(entries.len()).unwrap_or(PART) == PART;
                let next = entries.last().filter(|_| is_full).map(AuditEntry::place);
                Ok::<_, StoreError>(Chunk {
                    rows: entries.into_iter().map(cells).collect(),
                    next: next.map(Some),
                })
            }
        },
    ))
}
