//! Owner and status of many leads at once: what it comes to first, then the change.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use askama::Template;
use serde_json::json;

use super::filter::LeadsQuery;
use super::{INDEX, index};
use crate::auth::CurrentUser;
use crate::domain::ids::{LeadId, UserId};
use crate::domain::lead::LeadStatus;
use crate::store::audit::{self, Actor};
use crate::store::lead_bulk::{self, BulkEdit, BulkOutcome, MAX_LEADS};
use crate::store::{StoreError, lead_lists, leads};
use crate::web::{Answer, FieldErrors, Flash, Form, Portal, Shell, WebError};

/// The form: which leads, and what they are to be.
#[derive(Debug, Clone)]
struct Input {
    query: LeadsQuery,
    scope_all: bool,
    ids: Vec<String>,
    status: String,
    owner: String,
    with_closed: bool,
    /// How many leads the person was told about.
    expected: Option<usize>,
}

impl Input {
    fn read(fields: &[(String, String)]) -> Result<Self, WebError> {
        let one = |name: &str| {
            fields
                .iter()
                .find(|(known, _)| known == name)
                .map(|(_, value)| value.clone())
                .unwrap_or_default()
        };
        Ok(Self {
            query: LeadsQuery::decode(&one("query")).ok_or_else(|| {
                WebError::Invalid("The filter of the form cannot be read.".to_owned())
            })?,
            scope_all: one("scope") == "all",
            ids: fields
                .iter()
                .filter(|(name, _)| name == "id")
                .map(|(_, value)| value.clone())
                .take(1_000)
                .collect(),
            status: one("bulk_status"),
            owner: one("bulk_owner"),
            with_closed: !one("with_closed").is_empty(),
            expected: one("expected").parse().ok(),
        })
    }

    /// What is wanted; `None` if something is wrong: `errors` says what.
    fn check(&self, owners: &[(UserId, String)], errors: &mut FieldErrors) -> Option<BulkEdit> {
        let status = match self.status.as_str() {
            "" => None,
            word => errors.check(
                "bulk_status",
                word.parse::<LeadStatus>()
                    .map_err(|_| "Choose one of the statuses."),
            ),
        };
        let owner_id = match self.owner.as_str() {
            "" => None,
            id => match owners.iter().find(|(known, _)| known.as_str() == id) {
                Some((id, _)) => Some(id.clone()),
                None => {
                    errors.add("bulk_owner", "Choose one of the people.");
                    None
                }
            },
        };
        if errors.is_empty() && status.is_none() && owner_id.is_none() {
            errors.add("bulk_status", "Choose a new status, a new owner, or both.");
        }
        if !self.scope_all && self.ids.is_empty() {
            errors.add(
                "scope",
                "Tick the leads to change, or choose all that match the filter.",
            );
        }
        errors.is_empty().then_some(BulkEdit {
            status,
            owner_id,
            with_closed: self.with_closed,
        })
    }
}

/// The leads of the form as they are now, and what the change comes to.
type Reckoned = (Vec<LeadId>, BulkOutcome);

async fn reckon(
    portal: &Portal,
    shell: &Shell,
    input: &Input,
    edit: &BulkEdit,
) -> Result<Reckoned, StoreError> {
    let filter = input.query.filter(shell.time_zone());
    let chosen: Vec<LeadId> = if input.scope_all {
        Vec::new()
    } else {
        input.ids.iter().filter_map(|id| id.parse().ok()).collect()
    };
    let (scope_all, edit) = (input.scope_all, edit.clone());
    portal
        .store
        .read(move |conn| {
            let ids = if scope_all {
                // One more than allowed, to know that there are too many.
                let limit = i64::try_from(MAX_LEADS).unwrap_or(i64::MAX) + 1;
                lead_lists::ids(conn, &filter, limit)?
            } else {
                chosen
            };
            let outcome = lead_bulk::preview(conn, &ids, &edit)?;
            Ok((ids, outcome))
        })
        .await
}

#[derive(Template)]
#[template(path = "leads/bulk.html")]
struct LeadsBulk {
    shell: Shell,
    input: Input,
    query: String,
    outcome: BulkOutcome,
    status: Option<LeadStatus>,
    owner: Option<String>,
    problem: Option<String>,
}

impl LeadsBulk {
    fn back(&self) -> String {
        self.input.query.address(INDEX)
    }

    fn scope(&self) -> &'static str {
        if self.input.scope_all {
            "all"
        } else {
            "chosen"
        }
    }
}

/// The list again, with what was wrong and what was entered.
async fn refuse(
    portal: &Portal,
    shell: Shell,
    user: CurrentUser,
    input: Input,
    errors: FieldErrors,
) -> Answer {
    let mut page = index::page(portal, shell, user, input.query).await?;
    page.errors = errors;
    page.bulk_status = input.status;
    page.bulk_owner = input.owner;
    page.chosen = input.ids;
    page.scope_all = input.scope_all;
    page.shell.render(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

/// POST /leads/selection: what a change would come to; changes nothing.
///
/// # Errors
/// As the database.
pub async fn preview(
    portal: Data<Portal>,
    shell: Shell,
    user: CurrentUser,
    Form(fields): Form<Vec<(String, String)>>,
) -> Answer {
    consequences(&portal, shell, user, Input::read(&fields)?, None).await
}

async fn consequences(
    portal: &Portal,
    shell: Shell,
    user: CurrentUser,
    input: Input,
    problem: Option<String>,
) -> Answer {
    let owners = portal.store.read(leads::possible_owners).await?;
    let mut errors = FieldErrors::new();
    let Some(edit) = input.check(&owners, &mut errors) else {
        return refuse(portal, shell, user, input, errors).await;
    };
    let (ids, outcome) = reckon(portal, &shell, &input, &edit).await?;
    if ids.len() > MAX_LEADS {
        errors.add(
            "scope",
            "More than 10,000 leads match the filter. Narrow it, for example by the day of creation, and change them part by part.",
        );
        return refuse(portal, shell, user, input, errors).await;
    }
    let code = if problem.is_some() {
        StatusCode::UNPROCESSABLE_ENTITY
    } else {
        StatusCode::OK
    };
    let page = LeadsBulk {
        shell,
        query: input.query.encoded(),
        outcome,
        status: edit.status,
        owner: edit.owner_id.and_then(|id| {
            let found = owners.into_iter().find(|(known, _)| *known == id);
            found.map(|(_, name)| name)
        }),
        input,
        problem,
    };
    page.shell.render(code, &page)
}

/// POST /leads/bulk-edits: the change itself.
///
/// # Errors
/// As the database.
pub async fn create(
    portal: Data<Portal>,
    shell: Shell,
    user: CurrentUser,
    actor: Actor,
    Form(fields): Form<Vec<(String, String)>>,
) -> Answer {
    let input = Input::read(&fields)?;
    let owners = portal.store.read(leads::possible_owners).await?;
    let mut errors = FieldErrors::new();
    let Some(edit) = input.check(&owners, &mut errors) else {
        return refuse(&portal, shell, user, input, errors).await;
    };
    let (ids, outcome) = reckon(&portal, &shell, &input, &edit).await?;
    if ids.len() > MAX_LEADS || input.expected != Some(outcome.found) {
        let problem = format!(
            "There are other leads meanwhile: {} instead of {}. Look again, then repeat the change.",
            outcome.found,
            input.expected.unwrap_or(0)
        );
        return consequences(&portal, shell, user, input, Some(problem)).await;
    }
    let (portal_tx, user_id) = (portal.clone(), user.id.clone());
    let back = input.query.address(INDEX);
    let filter_names: Vec<&'static str> = input
        .query
        .filter_pairs()
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    let scope_all = input.scope_all;
    let saved = portal
        .store
        .write(move |tx| {
            let now = portal_tx.clock.now();
            let new_id = || portal_tx.new_id().hyphenated().to_string();
            let outcome = lead_bulk::apply(tx, &ids, &edit, &user_id, new_id, now)?;
            if outcome.changed > 0 {
                let name = format!("{} leads", outcome.changed);
                // What was searched for may be a name or an address: only which filters were set is noted.
                let after = json!({
                    "changed": outcome.changed,
                    "status": edit.status,
                    "owner_id": edit.owner_id,
                    "with_closed": edit.with_closed,
                    "filters": scope_all.then_some(filter_names),
                });
                let object = ("lead", "", name.as_str());
                audit::record(
                    tx,
                    now,
                    &actor,
                    "lead.bulk_edited",
                    object,
                    None,
                    Some(after),
                )?;
            }
            Ok::<_, StoreError>(outcome)
        })
        .await;
    match saved {
        Ok(outcome) => Ok(shell.redirect(back).flash(done(outcome))),
        Err(StoreError::Rule(rule)) => {
            errors.add("bulk_owner", rule);
            refuse(&portal, shell, user, input, errors).await
        }
        Err(error) => Err(error.into()),
    }
}

fn done(outcome: BulkOutcome) -> Flash {
    let count = |number: usize| match number {
        1 => "1 lead".to_owned(),
        number => format!("{number} leads"),
    };
    let closed = match outcome.closed {
        0 => String::new(),
        number => format!(" {} stayed as before, being closed.", count(number)),
    };
    match outcome.changed {
        0 => Flash::notice(format!("Nothing was changed.{closed}")),
        1 => Flash::success(format!("1 lead was changed.{closed}")),
        number => Flash::success(format!("{} were changed.{closed}", count(number))),
    }
}
