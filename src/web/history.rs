//! What happened to one record, for the page of that record, and how an entry of the audit log reads.
//!
//! A page shows the history of its record in three steps: `history::read(conn, "user", id)` beside its other reads, a
//! field `history: History` in the page struct, and `{{ history::section(shell, history) }}` in the template
//! (`{% import "components/history.html" as history %}`).

use serde_json::Value;

use super::refusals;
use crate::store::audit::{self, AuditEntry};
use crate::store::{AnyConn, StoreError};

/// Entries that a page shows; the audit log has them all.
const SHOWN: usize = 10;

/// The latest that happened to one record.
#[derive(Debug, Clone)]
pub struct History {
    /// The entries, newest first.
    pub entries: Vec<AuditEntry>,
    /// Whether there are older ones.
    pub is_more: bool,
    /// Whether the entries are about several records.
    pub names_records: bool,
    /// All of them in the audit log.
    pub path: String,
}

/// Reads the history of a record. `kind` and `id` are those of its entries in the audit log.
///
/// # Errors
/// As any query.
pub fn read(conn: &mut AnyConn, kind: &str, id: &str) -> Result<History, StoreError> {
    latest(conn, kind, Some(id))
}

/// Reads what happened to all records of a kind: for those that have no pages of their own.
///
/// # Errors
/// As any query.
pub fn of_kind(conn: &mut AnyConn, kind: &str) -> Result<History, StoreError> {
    latest(conn, kind, None)
}

fn latest(conn: &mut AnyConn, kind: &str, id: Option<&str>) -> Result<History, StoreError> {
    let limit = i64::try_from(SHOWN + 1).unwrap_or(i64::MAX);
    let mut entries = audit::of_record(conn, kind, id, limit)?;
    let is_more = entries.len() > SHOWN;
    entries.truncate(SHOWN);
    Ok(History {
        entries,
        is_more,
        names_records: id.is_none(),
        path: log_path(kind, id.unwrap_or_default()),
    })
}

/// The audit log with the entries of one record.
#[must_use]
pub fn log_path(kind: &str, id: &str) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("object_kind", kind);
    if !id.is_empty() {
        query.append_pair("object_id", id);
    }
    format!("/settings/audit-log?{}", query.finish())
}

/// The page of a record, where it has one.
#[must_use]
pub fn record_path(kind: &str, id: &str) -> Option<String> {
    let list = match kind {
        "assignment_rule" => return Some("/settings/assignment-rules".to_owned()),
        "account_connections" => {
            return Some("/settings/linkedin-account-connections".to_owned());
        }
        "configuration" => return Some("/settings/configuration".to_owned()),
        "integration_configuration" => {
            return Some("/settings/integration-configuration".to_owned());
        }
        "api_token" => "/settings/api-tokens",
        "custom_field" => "/settings/custom-fields",
        "field_mapping" => "/settings/field-mappings",
        "form_submission" => "/form-submissions",
        "group" => "/settings/groups",
        "lead" => "/leads",
        "lead_form" => "/forms",
        "lead_import" => "/leads/imports",
        "linkedin_account" => "/linkedin-accounts",
        "linkedin_user_profile" => "/linkedin-user-profiles",
        "organization" => "/settings/organizations",
        "matching_strategy" => "/settings/matching-strategies",
        "sync_run" => "/sync-status/runs",
        "user" => "/settings/users",
        "webhook" => "/settings/webhooks",
        _ => return None,
    };
    if id.is_empty() {
        return Some(list.to_owned());
    }
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    id.chars().all(is_plain).then(|| format!("{list}/{id}"))
}

/// A word of the log for people: `field_mapping` is a field mapping.
#[must_use]
pub fn words(word: &str) -> String {
    let text = word.replace('_', " ").replace("linkedin", "LinkedIn");
    let mut letters = text.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).collect())
        .unwrap_or_default()
}

/// The record's name, or its identifier where an entry has none.
#[must_use]
pub fn name(entry: &AuditEntry) -> &str {
    if entry.object_name.is_empty() {
        &entry.object_id
    } else {
        &entry.object_name
    }
}

/// What was done, without the kind of record: `user.access_changed` is “Access changed”.
#[must_use]
pub fn deed(entry: &AuditEntry) -> String {
    let action = entry.action.as_str();
    words(action.split_once('.').map_or(action, |(_, deed)| deed))
}

/// What happened as a sentence, where the action's word and its changes do not say it.
#[must_use]
pub fn sentence(entry: &AuditEntry) -> Option<String> {
    if entry.action != refusals::ACTION {
        return None;
    }
    let reason = entry.after.as_ref().and_then(|state| state.get("reason"));
    Some(format!(
        "Access denied: {}.",
        reason.and_then(plain).unwrap_or_default()
    ))
}

/// Who acted, with the roles held then: “Ada (Administrator)”.
#[must_use]
pub fn who(entry: &AuditEntry) -> String {
    let roles: Vec<&str> = entry
        .actor
        .roles
        .iter()
        .map(|role| role.label())
        .filter(|label| *label != entry.actor.name)
        .collect();
    if roles.is_empty() {
        entry.actor.name.clone()
    } else {
        format!("{} ({})", entry.actor.name, roles.join(", "))
    }
}

/// One field that changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The field's name.
    pub field: String,
    /// What it was; none where there was nothing.
    pub before: Option<String>,
    /// What it is; none where there is nothing.
    pub after: Option<String>,
}

/// What changed, field by field, in the order of the names.
#[must_use]
pub fn changes(entry: &AuditEntry) -> Vec<Change> {
    if sentence(entry).is_some() {
        return Vec::new();
    }
    let nothing = serde_json::Map::new();
    let fields = |state: &Option<Value>| match state {
        Some(Value::Object(fields)) => fields.clone(),
        _ => nothing.clone(),
    };
    let (before, after) = (fields(&entry.before), fields(&entry.after));
    let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
    names.sort_unstable();
    names.dedup();
    names
        .into_iter()
        .filter(|name| before.get(*name) != after.get(*name))
        .map(|name| Change {
            field: words(name),
            before: before.get(name).and_then(plain),
            after: after.get(name).and_then(plain),
        })
        .filter(|change| change.before != change.after)
        .collect()
}

/// A value for people; none for what is empty.
fn plain(value: &Value) -> Option<String> {
    let text = match value {
        Value::Null => return None,
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items
            .iter()
            .filter_map(plain)
            .collect::<Vec<_>>()
            .join(", "),
        Value::Object(fields) => fields
            .iter()
            .filter_map(|(name, value)| {
                Some(format!("{}: {}", name.replace('_', " "), plain(value)?))
            })
            .collect::<Vec<_>>()
            .join("; "),
    };
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::access::Role;
    use crate::store::audit::Actor;
    use serde_json::json;

    fn entry(action: &str, before: Option<Value>, after: Option<Value>) -> AuditEntry {
        AuditEntry {
            id: "00000000-0000-7000-8000-000000000001".to_owned(),
            created_at: chrono::DateTime::UNIX_EPOCH,
            actor: Actor {
                name: "Ada".to_owned(),
                roles: vec![Role::Administrator, Role::Salesperson],
                ..Actor::system()
            },
            action: action.to_owned(),
            object_kind: "user".to_owned(),
            object_id: "1".to_owned(),
            object_name: "Sam".to_owned(),
            before,
            after,
            number: None,
            hash: None,
        }
    }

    #[test]
    fn a_change_reads_field_by_field_and_what_stayed_is_left_out() {
        let entry = entry(
            "user.access_changed",
            Some(
                json!({ "is_enabled": true, "roles": ["salesperson"], "name": "Sam", "note": null }),
            ),
            Some(
                json!({ "is_enabled": false, "roles": [], "name": "Sam", "note": "", "limits": { "per_day": 3 } }),
            ),
        );
        let found: Vec<(String, Option<String>, Option<String>)> = changes(&entry)
            .into_iter()
            .map(|change| (change.field, change.before, change.after))
            .collect();
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(
            found,
            [
                ("Is enabled".to_owned(), text("yes"), text("no")),
                ("Limits".to_owned(), None, text("per day: 3")),
                ("Roles".to_owned(), text("salesperson"), None),
            ]
        );
        assert_eq!(deed(&entry), "Access changed");
        assert_eq!(who(&entry), "Ada (Administrator, Salesperson)");
    }

    #[test]
    fn an_actor_that_is_its_role_says_it_once() {
        let mut entry = entry("linkedin_accounts.synchronized", None, None);
        entry.actor = Actor::s2s_inbound();
        assert_eq!(who(&entry), "S2S Inbound");
        assert_eq!(words("linkedin_user_profile"), "LinkedIn user profile");
    }

    #[test]
    fn records_lead_to_their_pages_and_odd_identifiers_nowhere() {
        assert_eq!(
            record_path("user", "0-1").as_deref(),
            Some("/settings/users/0-1")
        );
        assert_eq!(record_path("lead", "").as_deref(), Some("/leads"));
        assert_eq!(record_path("lead", "../x"), None);
        assert_eq!(record_path("page", "/leads"), None);
        assert_eq!(
            log_path("page", "/leads/{id}"),
            "/settings/audit-log?object_kind=page&object_id=%2Fleads%2F%7Bid%7D"
        );
    }
}
