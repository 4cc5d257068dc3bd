//! The audit log, newest first, filtered by what stands in the URL; its export; the check of its chain.

mod export;
mod verification;

use actix_web::http::StatusCode;
use actix_web::web::Data;
use askama::Template;
use serde::Deserialize;

use super::keyset::{FilterDay, KeysetPager, start};
use super::page::Chip;
use super::{Answer, Portal, Query, Shell, history};
use crate::domain::ids::{ApiTokenId, UserId};
use crate::domain::time_zone::TimeZone;
use crate::store::audit::{self, ActorKind, AuditEntry, AuditFilter};
use crate::store::paging::Cursor;
use crate::store::{AnyConn, StoreError, api_tokens, users};

pub use export::export;
pub use verification::show as verification;

const INDEX: &str = "/settings/audit-log";

#[derive(Template)]
#[template(path = "audit_log/index.html")]
struct AuditLogIndex {
    shell: Shell,
    entries: Vec<AuditEntry>,
    pager: KeysetPager,
    query: AuditLogQuery,
    chips: Vec<Chip>,
    /// Identifier and name.
    users: Vec<(String, String)>,
    /// Identifier and name.
    tokens: Vec<(String, String)>,
    actions: Vec<(String, String)>,
    kinds: Vec<(String, String)>,
}

impl AuditLogIndex {
    fn actor_kinds(&self) -> Vec<(&'static str, &'static str)> {
        let label = |kind: &ActorKind| (kind.as_str(), kind.label());
        ActorKind::ALL.iter().map(label).collect()
    }
}

/// The filter and the place, as they stand in the address.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct AuditLogQuery {
    user: Option<UserId>,
    token: Option<ApiTokenId>,
    actor_kind: Option<ActorKind>,
    action: Option<String>,
    object_kind: Option<String>,
    object_id: Option<String>,
    id: Option<String>,
    from: Option<FilterDay>,
    to: Option<FilterDay>,
    after: Option<Cursor>,
    before: Option<Cursor>,
}

impl AuditLogQuery {
    /// The filter's parts that are set: what the parameter is called, what people call it, its value.
    fn parts(&self) -> Vec<(&'static str, &'static str, String)> {
        let text = |value: &Option<String>| value.as_deref().unwrap_or_default().trim().to_owned();
        let day = |day: Option<FilterDay>| {
            day.map(|FilterDay(day)| day.to_string())
                .unwrap_or_default()
        };
        [
            (
                "user",
                "Done by",
                self.user
                    .as_ref()
                    .map(ToString::to_string)
                    .unwrap_or_default(),
            ),
            (
                "token",
                "API token",
                self.token
                    .as_ref()
                    .map(ToString::to_string)
                    .unwrap_or_default(),
            ),
            (
                "actor_kind",
                "Kind of actor",
                self.actor_kind
                    .map(|kind| kind.as_str().to_owned())
                    .unwrap_or_default(),
            ),
            ("action", "Action", text(&self.action)),
            ("object_kind", "Record", text(&self.object_kind)),
            ("object_id", "Record id", text(&self.object_id)),
            ("id", "Id", text(&self.id)),
            ("from", "From", day(self.from)),
            ("to", "Until", day(self.to)),
        ]
        .into_iter()
        .filter(|(_, _, value)| !value.is_empty())
        .collect()
    }

    /// Name and value of the filter's parts that are set.
    fn pairs(&self) -> Vec<(&'static str, String)> {
        self.parts()
            .into_iter()
            .map(|(name, _, value)| (name, value))
            .collect()
    }

    fn value(&self, name: &str) -> String {
        let found = self.pairs().into_iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value).unwrap_or_default()
    }

    /// The list without one part of the filter.
    fn without(&self, name: &str) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(self.pairs().iter().filter(|(known, _)| *known != name));
        let query = query.finish();
        if query.is_empty() {
            INDEX.to_owned()
        } else {
            format!("{INDEX}?{query}")
        }
    }

    /// The filter, with the name under which the token's acts are known; tokens of one name are one to the log.
    fn resolve(&self, conn: &mut AnyConn, filter: &AuditFilter) -> Result<AuditFilter, StoreError> {
        let mut filter = filter.clone();
        if let Some(id) = &self.token {
            let name = match api_tokens::get(conn, id) {
                Ok(token) => token.actor_name(),
                // Nothing was ever done under no name.
                Err(StoreError::NotFound(_)) => String::new(),
                Err(error) => return Err(error),
            };
            filter.actor_name = Some(name);
        }
        Ok(filter)
    }

    /// The filter but for the token; its days are those of a person in this zone.
    fn filter(&self, zone: TimeZone) -> AuditFilter {
        let set = |value: &Option<String>| {
            let text = value.as_deref().unwrap_or_default().trim();
            (!text.is_empty()).then(|| text.to_owned())
        };
        AuditFilter {
            user_id: self.user.clone(),
            actor_name: None,
            actor_kind: self.actor_kind,
            action: set(&self.action),
            object_kind: set(&self.object_kind),
            object_id: set(&self.object_id),
            id: set(&self.id),
            from: self.from.map(|FilterDay(day)| zone.start_of_day(day)),
            // The day itself is still in it.
            until: self
                .to
                .and_then(|FilterDay(day)| day.succ_opt())
                .map(|next| zone.start_of_day(next)),
        }
    }
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
    let place = start(query.after.clone(), query.before.clone());
    let pairs = query.pairs();
    let kept: Vec<(&str, &str)> = pairs
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let mut pager = KeysetPager::new(INDEX, &kept, &place);
    let (filter, asked) = (query.filter(shell.time_zone()), query.clone());
    let (found, count, users, tokens, actions, kinds) = portal
        .store
        .read(move |conn| {
            let filter = asked.resolve(conn, &filter)?;
            Ok::<_, StoreError>((
                audit::page(conn, &filter, &place)?,
                audit::count(conn, &filter)?,
                users::list(conn)?,
                api_tokens::list(conn)?,
                audit::actions(conn)?,
                audit::object_kinds(conn)?,
            ))
        })
        .await?;
    pager.count = Some(count);
    let users: Vec<(String, String)> = users
        .into_iter()
        .map(|user| (user.id.to_string(), user.name))
        .collect();
    let tokens: Vec<(String, String)> = tokens
        .into_iter()
        .map(|token| {
            let label = format!("{} ({}…)", token.name, token.prefix);
            (token.id.to_string(), label)
        })
        .collect();
    let page = AuditLogIndex {
        entries: pager.take(found),
        pager,
        chips: chips(&query, &users, &tokens),
        tokens,
        users,
        actions: choices(&actions),
        kinds: kinds
            .into_iter()
            .map(|kind| (kind.clone(), history::words(&kind)))
            .collect(),
        query,
        shell,
    };
    page.shell.render(StatusCode::OK, &page)
}

/// Every action, each group of them behind one choice for all of it.
fn choices(actions: &[String]) -> Vec<(String, String)> {
    let mut choices: Vec<(String, String)> = Vec::new();
    let mut last_group = "";
    for action in actions {
        if let Some((group, deed)) = action.split_once('.') {
            let is_several = actions
                .iter()
                .filter(|other| other.starts_with(&format!("{group}.")))
                .count()
                > 1;
            if group != last_group && is_several {
                choices.push((
                    format!("{group}."),
                    format!("{}: anything", history::words(group)),
                ));
            }
            last_group = group;
            choices.push((
                action.clone(),
                format!("{}: {}", history::words(group), deed.replace('_', " ")),
            ));
        } else {
            choices.push((action.clone(), history::words(action)));
        }
    }
    choices
}

/// What is filtered, in words.
fn chips(
    query: &AuditLogQuery,
    users: &[(String, String)],
    tokens: &[(String, String)],
) -> Vec<Chip> {
    let named = |known: &[(String, String)], value: &str| {
        known
            .iter()
            .find(|(id, _)| id == value)
            .map_or_else(|| "not known".to_owned(), |(_, name)| name.clone())
    };
    query
        .parts()
        .into_iter()
        .map(|(name, label, value)| {
            let shown = match name {
                "user" => named(users, &value),
                "token" => named(tokens, &value),
                "actor_kind" => query.actor_kind.map_or("", ActorKind::label).to_owned(),
                "action" => value.replace(['_', '.'], " ").trim().to_owned(),
                "object_kind" => history::words(&value),
                _ => value,
            };
            Chip {
                name: label,
                value: shown,
                path: query.without(name),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_of_one_group_can_be_chosen_together() {
        let actions = [
            "sign_out",
            "user.added",
            "user.password_reset",
            "lead.edited",
        ]
        .map(str::to_owned);
        let found: Vec<String> = choices(&actions)
            .into_iter()
            .map(|(value, label)| format!("{value}={label}"))
            .collect();
        assert_eq!(
            found,
            [
                "sign_out=Sign out",
                "user.=User: anything",
                "user.added=User: added",
                "user.password_reset=User: password reset",
                "lead.edited=Lead: edited",
            ]
        );
    }

    #[test]
    fn a_part_of_the_filter_is_taken_back_and_the_rest_stays() {
        let query = AuditLogQuery {
            action: Some("user.".to_owned()),
            id: Some(" a&b ".to_owned()),
            ..AuditLogQuery::default()
        };
        assert_eq!(query.without("action"), "/settings/audit-log?id=a%26b");
        assert_eq!(query.without("id"), "/settings/audit-log?action=user.");
        assert_eq!(query.filter(TimeZone::UTC).id.as_deref(), Some("a&b"));
        assert_eq!(AuditLogQuery::default().without("id"), INDEX);
    }
}
