//! Assignment Rules: who owns a new lead; list, add, move, delete.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use askama::Template;
use serde::Deserialize;
use serde_json::{Value, json};

use super::history::{self, History};
use super::{Answer, FieldErrors, Flash, Form, Path, Portal, Shell, WebError};
use crate::domain::assignment::{AssignmentRule, Condition};
use crate::domain::ids::RuleId;
use crate::domain::lead::LeadField;
use crate::domain::words::words;
use crate::store::assignment_rules::{self, Choices, Direction};
use crate::store::audit::{self, Actor};
use crate::store::users::{self, User};
use crate::store::{AnyConn, StoreError, lock_rules};

/// Where the list is.
const INDEX: &str = "/settings/assignment-rules";
/// The most characters of a value that a rule compares.
const MAX_VALUE: usize = 300;

words! {
    /// What a rule looks at.
    pub enum ConditionKind {
        FieldEquals = "field_equals" => "A lead field has a value",
        Account = "account" => "The lead comes from an account",
        Form = "form" => "The lead comes from a form",
        Campaign = "campaign" => "The lead comes from a campaign",
    }
}

/// The form that adds a rule, as it was sent or as it is shown first. Each kind uses some of the fields.
#[derive(Debug, Clone, Deserialize)]
pub struct RuleForm {
    kind: String,
    field: String,
    value: String,
    account: String,
    form: String,
    campaign: String,
    owner: String,
}

impl RuleForm {
    fn blank() -> Self {
        Self {
            kind: ConditionKind::FieldEquals.as_str().to_owned(),
            field: LeadField::Country.as_str().to_owned(),
            value: String::new(),
            account: String::new(),
            form: String::new(),
            campaign: String::new(),
            owner: String::new(),
        }
    }

    /// Checks every field that counts. `None` if something is wrong: `errors` says what.
    fn check(
        &self,
        id: RuleId,
        choices: &Choices,
        people: &[User],
        errors: &mut FieldErrors,
    ) -> Option<AssignmentRule> {
        let condition = self.check_condition(choices, errors);
        let owner = people
            .iter()
            .find(|person| person.is_enabled && person.id.as_str() == self.owner);
        if owner.is_none() {
            errors.add("owner", "Choose who gets the leads.");
        }
        Some(AssignmentRule {
            id,
            position: 0,
            condition: condition?,
            owner_id: owner?.id.clone(),
        })
    }

    fn check_condition(&self, choices: &Choices, errors: &mut FieldErrors) -> Option<Condition> {
        let kind = match self.kind.parse::<ConditionKind>() {
            Ok(kind) => kind,
            Err(_) => {
                errors.add("kind", "Choose what the rule looks at.");
                return None;
            }
        };
        match kind {
            ConditionKind::FieldEquals => {
                let field = choices.fields.offered(&self.field);
                if field.is_none() {
                    errors.add("field", "Choose a lead field from the list.");
                }
                let value = self.value.trim();
                if value.is_empty() {
                    errors.add("value", "Enter the value that the field must have.");
                    return None;
                }
                if value.chars().count() > MAX_VALUE {
                    errors.add(
                        "value",
                        format!("A value may have at most {MAX_VALUE} characters."),
                    );
                    return None;
                }
                field.map(|field| Condition::FieldEquals(field, value.to_owned()))
            }
            ConditionKind::Account => {
                listed("account", &self.account, &choices.accounts, errors).map(Condition::Account)
            }
            ConditionKind::Form => {
                listed("form", &self.form, &choices.forms, errors).map(Condition::Form)
            }
            ConditionKind::Campaign => {
                listed("campaign", &self.campaign, &choices.campaigns, errors)
                    .map(Condition::Campaign)
            }
        }
    }
}

/// An identifier that stands in the list.
fn listed<T: std::str::FromStr>(
    field: &str,
    id: &str,
    list: &[(String, String)],
    errors: &mut FieldErrors,
) -> Option<T> {
    let is_listed = list.iter().any(|(known, _)| known == id);
    let parsed = if is_listed { id.parse().ok() } else { None };
    if parsed.is_none() {
        errors.add(field, "Choose one from the list.");
    }
    parsed
}

#[derive(Template)]
#[template(path = "assignment_rules/index.html")]
struct AssignmentRulesIndex {
    shell: Shell,
    rows: Vec<Row>,
    form: RuleForm,
    errors: FieldErrors,
    choices: Choices,
    kinds: Vec<(&'static str, &'static str)>,
    fields: Vec<(String, String)>,
    owners: Vec<(String, String)>,
    history: History,
}

struct Row {
    id: RuleId,
    number: usize,
    condition: String,
    owner: String,
    is_owner_enabled: bool,
}

/// What the page shows: rules, what conditions can name, people, history.
type Loaded = (Vec<AssignmentRule>, Choices, Vec<User>, History);

async fn load(portal: &Portal) -> Result<Loaded, WebError> {
    let loaded = portal
        .store
        .read(|conn| {
            let rules = assignment_rules::list(conn)?;
            let choices = assignment_rules::choices(conn, &rules)?;
            let history = history::of_kind(conn, "assignment_rule")?;
            Ok::<_, StoreError>((rules, choices, users::list(conn)?, history))
        })
        .await?;
    Ok(loaded)
}

fn page(
    shell: Shell,
    (rules, choices, people, history): Loaded,
    form: RuleForm,
    errors: FieldErrors,
) -> AssignmentRulesIndex {
    let rows = rules
        .into_iter()
        .enumerate()
        .map(|(index, rule)| {
            let owner = people.iter().find(|person| person.id == rule.owner_id);
            Row {
                number: index + 1,
                condition: describe(&rule.condition, &choices),
                owner: owner.map(|owner| owner.name.clone()).unwrap_or_default(),
                is_owner_enabled: owner.is_some_and(|owner| owner.is_enabled),
                id: rule.id,
            }
        })
        .collect();
    AssignmentRulesIndex {
        history,
        shell,
        rows,
        form,
        errors,
        kinds: ConditionKind::ALL
            .iter()
            .map(|kind| (kind.as_str(), kind.label()))
            .collect(),
        fields: choices.fields.options(),
        owners: people
            .into_iter()
            .filter(|person| person.is_enabled)
            .map(|person| (person.id.into_string(), person.name))
            .collect(),
        choices,
    }
}

/// A condition as a person reads it.
fn describe(condition: &Condition, choices: &Choices) -> String {
    let name = |list: &[(String, String)], id: &str| {
        list.iter()
            .find(|(known, _)| known == id)
            .map_or_else(|| "(deleted)".to_owned(), |(_, name)| format!("“{name}”"))
    };
    match condition {
        Condition::Account(id) => format!("Account is {}", name(&choices.accounts, id.as_str())),
        Condition::Form(id) => format!("Form is {}", name(&choices.forms, id.as_str())),
        Condition::Campaign(id) => format!("Campaign is {}", name(&choices.campaigns, id.as_str())),
        Condition::FieldEquals(field, value) => {
            format!("{} is “{value}”", choices.fields.label(field))
        }
    }
}

/// GET /settings/assignment-rules
///
/// # Errors
/// As the database.
pub async fn index(portal: Data<Portal>, shell: Shell) -> Answer {
    let loaded = load(&portal).await?;
    let page = page(shell, loaded, RuleForm::blank(), FieldErrors::new());
    page.shell.render(StatusCode::OK, &page)
}

/// POST /settings/assignment-rules
///
/// # Errors
/// As the database.
pub async fn create(
    portal: Data<Portal>,
    shell: Shell,
    actor: Actor,
    Form(form): Form<RuleForm>,
) -> Answer {
    let loaded = load(&portal).await?;
    let mut errors = FieldErrors::new();
    let id = RuleId::new(portal.new_id());
    if let Some(rule) = form.check(id, &loaded.1, &loaded.2, &mut errors) {
        let name = describe(&rule.condition, &loaded.1);
        let now = portal.clock.now();
        let saved = portal
            .store
            .write(move |tx| {
                assignment_rules::insert(tx, &rule, now)?;
                let action = "assignment_rule.created";
                let object = ("assignment_rule", rule.id.as_str(), name.as_str());
                audit::record(tx, now, &actor, action, object, None, state(&rule))
            })
            .await;
        match saved {
            Ok(()) => {
                let flash = Flash::success("The rule was added behind the others.");
                return Ok(shell.redirect(INDEX).flash(flash));
            }
            Err(StoreError::Rule(rule)) => errors.add("kind", rule),
            Err(error) => return Err(error.into()),
        }
    }
    let page = page(shell, loaded, form, errors);
    page.shell.render(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

/// A rule as the audit log keeps it.
fn state(rule: &AssignmentRule) -> Option<Value> {
    serde_json::to_value(rule).ok()
}

/// Which way a rule moves.
#[derive(Debug, Deserialize)]
pub struct PositionForm {
    direction: String,
}

/// POST /settings/assignment-rules/{id}/position
///
/// # Errors
/// `NotFound`, `Invalid` for another direction than up or down, or as the database.
pub async fn reposition(
    portal: Data<Portal>,
    shell: Shell,
    actor: Actor,
    Path(id): Path<RuleId>,
    Form(form): Form<PositionForm>,
) -> Answer {
    let direction = match form.direction.as_str() {
        "up" => Direction::Up,
        "down" => Direction::Down,
        _ => return Err(WebError::Invalid("A rule moves up or down.".to_owned())),
    };
    let now = portal.clock.now();
    portal
        .store
        .write(move |tx| {
            lock_rules(tx)?;
            let before = place(tx, &id)?;
            assignment_rules::shift(tx, &id, direction, now)?;
            let after = place(tx, &id)?;
            if before.0 == after.0 {
                return Ok(());
            }
            let action = "assignment_rule.moved";
            let object = ("assignment_rule", id.as_str(), after.1.as_str());
            let states = (json!({ "place": before.0 }), json!({ "place": after.0 }));
            audit::record(
                tx,
                now,
                &actor,
                action,
                object,
                Some(states.0),
                Some(states.1),
            )
        })
        .await?;
    Ok(shell.redirect(INDEX).quietly())
}

/// The place of a rule in the order, from 1, and what it says.
fn place(tx: &mut AnyConn, id: &RuleId) -> Result<(usize, String), StoreError> {
    let rules = assignment_rules::list(tx)?;
    let choices = assignment_rules::choices(tx, &rules)?;
    rules
        .iter()
        .enumerate()
        .find(|(_, rule)| rule.id == *id)
        .map(|(index, rule)| (index + 1, describe(&rule.condition, &choices)))
        .ok_or(StoreError::NotFound("assignment rule"))
}

/// POST /settings/assignment-rules/{id}/deletion
///
/// # Errors
/// `NotFound`, or as the database.
pub async fn destroy(
    portal: Data<Portal>,
    shell: Shell,
    actor: Actor,
    Path(id): Path<RuleId>,
) -> Answer {
    let now = portal.clock.now();
    portal
        .store
        .write(move |tx| {
            lock_rules(tx)?;
            let (_, name) = place(tx, &id)?;
            let before = assignment_rules::delete(tx, &id)?;
            let action = "assignment_rule.deleted";
            let object = ("assignment_rule", id.as_str(), name.as_str());
            audit::record(tx, now, &actor, action, object, state(&before), None)
        })
        .await?;
    let flash = Flash::success("The rule was deleted. Leads keep their owners.");
    Ok(shell.redirect(INDEX).flash(flash))
}
