//! Lead Matching Strategies: the list, new, one strategy with its fields, dry run, activate, rename, delete.

pub mod dry_run;

use std::collections::BTreeSet;

use actix_web::http::StatusCode;
use actix_web::web::Data;
use askama::Template;
use serde::Deserialize;
use serde_json::{Value, json};

use super::history::{self, History};
use super::{Answer, FieldErrors, Flash, Form, Path, Portal, Shell, WebError};
use crate::domain::ids::StrategyId;
use crate::domain::lead::{FieldKey, LeadFields};
use crate::domain::matching::MatchingSettings;
use crate::domain::strategy::{
    MatchingStrategy, check_deletion, check_name, strategy_sentence, unmapped_fields,
};
use crate::store::audit::{self, Actor};
use crate::store::{
    AnyConn, StoreError, custom_fields, field_mappings, integration_settings, lock_rules,
    matching_strategies,
};

/// Where the list is.
const INDEX: &str = "/settings/matching-strategies";

#[derive(Template)]
#[template(path = "matching_strategies/index.html")]
struct MatchingStrategiesIndex {
    shell: Shell,
    rows: Vec<Row>,
}

struct Row {
    strategy: MatchingStrategy,
    sentence: String,
    /// Fields that no mapping fills, by label.
    unmapped: Vec<String>,
}

impl Row {
    fn new(
        strategy: MatchingStrategy,
        mapped: &BTreeSet<FieldKey>,
        settings: &MatchingSettings,
        known: &LeadFields,
    ) -> Self {
        Self {
            sentence: strategy_sentence(&strategy, settings, known),
            unmapped: unmapped_fields(&strategy, mapped)
                .into_iter()
                .map(|field| known.label(field).into_owned())
                .collect(),
            strategy,
        }
    }
}

/// GET /settings/matching-strategies
///
/// # Errors
/// As the database.
pub async fn index(portal: Data<Portal>, shell: Shell) -> Answer {
    let (strategies, mapped, settings, known) = portal
        .store
        .read(|conn| {
            Ok::<_, StoreError>((
                matching_strategies::list(conn)?,
                field_mappings::targets(conn)?,
                integration_settings::get(conn)?.matching,
                custom_fields::fields(conn)?,
            ))
        })
        .await?;
    let page = MatchingStrategiesIndex {
        shell,
        rows: strategies
            .into_iter()
            .map(|strategy| Row::new(strategy, &mapped, &settings, &known))
            .collect(),
    };
    page.shell.render(StatusCode::OK, &page)
}

#[derive(Template)]
#[template(path = "matching_strategies/new.html")]
struct MatchingStrategiesNew {
    shell: Shell,
    name: String,
    field: String,
    /// Fields that some mapping fills: word and label.
    fields: Vec<(String, String)>,
    errors: FieldErrors,
}

/// GET /settings/matching-strategies/new
///
/// # Errors
/// As the database.
pub async fn new(portal: Data<Portal>, shell: Shell) -> Answer {
    let (mapped, fields) = portal
        .store
        .read(|conn| {
            let mapped = field_mappings::targets(conn)?;
            Ok::<_, StoreError>((mapped, custom_fields::fields(conn)?))
        })
        .await?;
    let page = MatchingStrategiesNew {
        shell,
        name: String::new(),
        field: String::new(),
        fields: options(mapped.iter(), &fields),
        errors: FieldErrors::new(),
    };
    page.shell.render(StatusCode::OK, &page)
}

/// A new strategy with its first field.
#[derive(Debug, Deserialize)]
pub struct NewForm {
    name: String,
    field: String,
}

/// POST /settings/matching-strategies
///
/// # Errors
/// As the database.
pub async fn create(
    portal: Data<Portal>,
    shell: Shell,
    actor: Actor,
    Form(form): Form<NewForm>,
) -> Answer {
    let (known, mapped, fields) = portal
        .store
        .read(|conn| {
            let known = matching_strategies::list(conn)?;
            let mapped = field_mappings::targets(conn)?;
            Ok::<_, StoreError>((known, mapped, custom_fields::fields(conn)?))
        })
        .await?;
    let mut errors = FieldErrors::new();
    let names = known.iter().map(|strategy| strategy.name.as_str());
    if let Some(error) = check_name(&form.name, names) {
        errors.add("name", error.to_string());
    }
    let field = check_field(&form.field, &mapped, &fields, &mut errors);
    if let Some(field) = field.filter(|_| errors.is_empty()) {
        let strategy = MatchingStrategy {
            id: StrategyId::new(portal.new_id()),
            name: form.name.trim().to_owned(),
            fields: vec![field],
            is_active: false,
        };
        let path = path_of(&strategy.id);
        let flash = Flash::success(format!(
            "The strategy “{}” was saved. It is not active yet.",
            strategy.name
        ));
        let portal_tx = portal.clone();
        let saved = portal
            .store
            .write(move |tx| {
                matching_strategies::insert(tx, &strategy, portal_tx.clock.now())?;
                let (action, after) = ("matching_strategy.created", Some(state(&strategy)));
                record(tx, &portal_tx, &actor, action, &strategy, None, after)
            })
            .await;
        match saved {
            Ok(()) => return Ok(shell.redirect(path).flash(flash)),
            Err(StoreError::Rule(rule)) => errors.add("name", rule),
            Err(error) => return Err(error.into()),
        }
    }
    let page = MatchingStrategiesNew {
        shell,
        name: form.name,
        field: form.field,
        fields: options(mapped.iter(), &fields),
        errors,
    };
    page.shell.render(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

/// A chosen field that some mapping fills.
fn check_field(
    word: &str,
    mapped: &BTreeSet<FieldKey>,
    known: &LeadFields,
    errors: &mut FieldErrors,
) -> Option<FieldKey> {
    let field = word.parse::<FieldKey>().ok();
    match field {
        Some(field) if mapped.contains(&field) => Some(field),
        Some(field) => {
            errors.add(
                "field",
                format!(
                    "{} has no field mapping, so it would never have a value to compare. Add a mapping first.",
                    known.label(&field)
                ),
            );
            None
        }
        None => {
            errors.add("field", "Choose a field from the list.");
            None
        }
    }
}

/// Word and label of fields, for a select.
fn options<'a>(
    fields: impl Iterator<Item = &'a FieldKey>,
    known: &LeadFields,
) -> Vec<(String, String)> {
    fields
        .filter(|field| known.is_offered(field))
        .map(|field| (field.word().into_owned(), known.label(field).into_owned()))
        .collect()
}

fn path_of(id: &StrategyId) -> String {
    format!("{INDEX}/{id}")
}

/// A strategy as the audit log keeps it.
fn state(strategy: &MatchingStrategy) -> Value {
    json!({ "name": strategy.name, "fields": strategy.fields, "is_active": strategy.is_active })
}

fn record(
    tx: &mut AnyConn,
    portal: &Portal,
    actor: &Actor,
    action: &str,
    strategy: &MatchingStrategy,
    before: Option<Value>,
    after: Option<Value>,
) -> Result<(), StoreError> {
    let object = (
        "matching_strategy",
        strategy.id.as_str(),
        strategy.name.as_str(),
    );
    audit::record(tx, portal.clock.now(), actor, action, object, before, after)
}

#[derive(Template)]
#[template(path = "matching_strategies/show.html")]
struct MatchingStrategiesShow {
    shell: Shell,
    row: Row,
    name: String,
    lock_version: String,
    /// The name of the strategy that is active now.
    active_name: String,
    /// The field chosen in the form that adds one.
    field: String,
    /// Mapped fields that the strategy does not hold yet.
    choices: Vec<(String, String)>,
    known: LeadFields,
    history: History,
    errors: FieldErrors,
}

impl MatchingStrategiesShow {
    fn strategy(&self) -> &MatchingStrategy {
        &self.row.strategy
    }

    fn action(&self) -> String {
        path_of(&self.row.strategy.id)
    }

    fn dry_run(&self) -> String {
        dry_run::path_of(&self.row.strategy)
    }
}

async fn show_page(
    portal: &Portal,
    shell: Shell,
    id: StrategyId,
) -> Result<MatchingStrategiesShow, WebError> {
    let (strategy, active_name, mapped, lock_version, settings, fields, history) = portal
        .store
        .read(move |conn| {
            Ok::<_, StoreError>((
                matching_strategies::get(conn, &id)?,
                matching_strategies::active(conn)?.name,
                field_mappings::targets(conn)?,
                matching_strategies::lock_version(conn, &id)?,
                integration_settings::get(conn)?.matching,
                custom_fields::fields(conn)?,
                history::read(conn, "matching_strategy", id.as_str())?,
            ))
        })
        .await?;
    Ok(MatchingStrategiesShow {
        shell,
        history,
        name: strategy.name.clone(),
        lock_version: lock_version.to_string(),
        active_name,
        field: String::new(),
        choices: options(
            mapped
                .iter()
                .filter(|field| !strategy.fields.contains(field)),
            &fields,
        ),
        row: Row::new(strategy, &mapped, &settings, &fields),
        known: fields,
        errors: FieldErrors::new(),
    })
}

/// The page again, with a message at one of its parts.
async fn refuse(
    portal: &Portal,
    shell: Shell,
    id: StrategyId,
    part: &str,
    message: String,
    change: impl FnOnce(&mut MatchingStrategiesShow),
) -> Answer {
    let mut page = show_page(portal, shell, id).await?;
    page.errors.add(part, message);
    change(&mut page);
    page.shell.render(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

/// GET /settings/matching-strategies/{id}
///
/// # Errors
/// `NotFound`, or as the database.
pub async fn show(portal: Data<Portal>, shell: Shell, Path(id): Path<StrategyId>) -> Answer {
    let page = show_page(&portal, shell, id).await?;
    page.shell.render(StatusCode::OK, &page)
}

/// A strategy's name.
#[derive(Debug, Deserialize)]
pub struct NameForm {
    name: String,
    lock_version: i64,
}

/// POST /settings/matching-strategies/{id}: the name.
///
/// # Errors
/// `NotFound`, `Stale`, or as the database.
pub async fn update(
    portal: Data<Portal>,
    shell: Shell,
    actor: Actor,
    Path(id): Path<StrategyId>,
    Form(form): Form<NameForm>,
) -> Answer {
    let (portal_tx, wanted, name) = (portal.clone(), id.clone(), form.name.clone());
    let saved = portal
        .store
        .write(move |tx| {
            lock_rules(tx)?;
            let before = matching_strategies::get(tx, &wanted)?;
            let now = portal_tx.clock.now();
            matching_strategies::save(tx, &wanted, &name, form.lock_version, now)?;
            let after = matching_strategies::get(tx, &wanted)?;
            let states = (Some(state(&before)), Some(state(&after)));
            let action = "matching_strategy.renamed";
            record(tx, &portal_tx, &actor, action, &after, states.0, states.1)
        })
        .await;
    match saved {
        Ok(()) => Ok(shell
            .redirect(path_of(&id))
            .flash(Flash::success("The name was saved."))),
        Err(StoreError::Rule(rule)) => {
            refuse(&portal, shell, id, "name", rule, |page| {
                page.name = form.name;
                page.lock_version = form.lock_version.to_string();
            })
            .await
        }
        Err(error) => Err(error.into()),
    }
}

/// POST /settings/matching-strategies/{id}/activation
///
/// # Errors
/// `NotFound`, or as the database.
pub async fn activate(
    portal: Data<Portal>,
    shell: Shell,
    actor: Actor,
    Path(id): Path<StrategyId>,
) -> Answer {
    let (portal_tx, wanted) = (portal.clone(), id.clone());
    let activated = portal
        .store
        .write(move |tx| {
            let now = portal_tx.clock.now();
            let Some(before) = matching_strategies::activate(tx, &wanted, now)? else {
                return Ok(None);
            };
            let after = matching_strategies::get(tx, &wanted)?;
            let states = (
                json!({ "active_strategy": before.name, "fields": before.fields }),
                json!({ "active_strategy": after.name, "fields": after.fields }),
            );
            let action = "matching_strategy.activated";
            record(
                tx,
                &portal_tx,
                &actor,
                action,
                &after,
                Some(states.0),
                Some(states.1),
            )?;
            Ok(Some((before.name, after.name)))
        })
        .await;
    match activated {
        Ok(Some((before, after))) => Ok(shell.redirect(INDEX).flash(Flash::success(format!(
            "“{after}” is the active strategy now, in place of “{before}”. It counts from the next submission on."
        )))),
        Ok(None) => Ok(shell
            .redirect(path_of(&id))
            .flash(Flash::notice("This strategy was active already."))),
        Err(StoreError::Rule(rule)) => {
            refuse(&portal, shell, id, "activation", rule, |_| {}).await
        }
        Err(error) => Err(error.into()),
    }
}

/// One field.
#[derive(Debug, Deserialize)]
pub struct FieldForm {
    field: String,
}

/// POST /settings/matching-strategies/{id}/fields: adds a field.
///
/// # Errors
/// `NotFound`, or as the database.
pub async fn add_field(
    portal: Data<Portal>,
    shell: Shell,
    actor: Actor,
    Path(id): Path<StrategyId>,
    Form(form): Form<FieldForm>,
) -> Answer {
    change_field(portal, shell, actor, id, form.field, true).await
}

/// POST /settings/matching-strategies/{id}/fields/removal: removes a field.
///
/// # Errors
/// `NotFound`, or as the database.
pub async fn remove_field(
    portal: Data<Portal>,
    shell: Shell,
    actor: Actor,
    Path(id): Path<StrategyId>,
    Form(form): Form<FieldForm>,
) -> Answer {
    change_field(portal, shell, actor, id, form.field, false).await
}

async fn change_field(
    portal: Data<Portal>,
    shell: Shell,
    actor: Actor,
    id: StrategyId,
    word: String,
    is_addition: bool,
) -> Answer {
    let Ok(field) = word.parse::<FieldKey>() else {
        let message = "Choose a field from the list.".to_owned();
        return refuse(&portal, shell, id, "field", message, |_| {}).await;
    };
    let (portal_tx, wanted, changed) = (portal.clone(), id.clone(), field.clone());
    let saved = portal
        .store
        .write(move |tx| {
            lock_rules(tx)?;
            let now = portal_tx.clock.now();
            let before = matching_strategies::get(tx, &wanted)?;
            let (action, after) = if is_addition {
                let after = matching_strategies::add_field(tx, &wanted, &changed, now)?;
                ("matching_strategy.field_added", after)
            } else {
                let after = matching_strategies::remove_field(tx, &wanted, &changed, now)?;
                ("matching_strategy.field_removed", after)
            };
            let states = (Some(state(&before)), Some(state(&after)));
            record(tx, &portal_tx, &actor, action, &after, states.0, states.1)
        })
        .await;
    match saved {
        Ok(()) => {
            let done = if is_addition { "added" } else { "removed" };
            let flash = Flash::success(format!("{} was {done}.", field.label()));
            Ok(shell.redirect(path_of(&id)).flash(flash))
        }
        Err(StoreError::Rule(rule)) => {
            let part = if is_addition { "field" } else { "fields" };
            refuse(&portal, shell, id, part, rule, |page| {
                if is_addition {
                    page.field = word;
                }
            })
            .await
        }
        Err(error) => Err(error.into()),
    }
}

#[derive(Template)]
#[template(path = "matching_strategies/deletion.html")]
struct MatchingStrategiesDeletion {
    shell: Shell,
    row: Row,
    problem: Option<String>,
}

async fn deletion_page(
    portal: &Portal,
    shell: Shell,
    id: StrategyId,
) -> Result<MatchingStrategiesDeletion, WebError> {
    let (strategy, settings, known) = portal
        .store
        .read(move |conn| {
            let strategy = matching_strategies::get(conn, &id)?;
            let settings = integration_settings::get(conn)?.matching;
            Ok::<_, StoreError>((strategy, settings, custom_fields::fields(conn)?))
        })
        .await?;
    Ok(MatchingStrategiesDeletion {
        shell,
        problem: check_deletion(&strategy)
            .err()
            .map(|error| error.to_string()),
        row: Row::new(strategy, &BTreeSet::new(), &settings, &known),
    })
}

/// GET /settings/matching-strategies/{id}/deletion: asks first.
///
/// # Errors
/// `NotFound`, or as the database.
pub async fn deletion(portal: Data<Portal>, shell: Shell, Path(id): Path<StrategyId>) -> Answer {
    let page = deletion_page(&portal, shell, id).await?;
    page.shell.render(StatusCode::OK, &page)
}

/// POST /settings/matching-strategies/{id}/deletion
///
/// # Errors
/// `NotFound`, or as the database.
pub async fn destroy(
    portal: Data<Portal>,
    shell: Shell,
    actor: Actor,
    Path(id): Path<StrategyId>,
) -> Answer {
    let (portal_tx, wanted) = (portal.clone(), id.clone());
    let deleted = portal
        .store
        .write(move |tx| {
            let before = matching_strategies::delete(tx, &wanted)?;
            let action = "matching_strategy.deleted";
            record(
                tx,
                &portal_tx,
                &actor,
                action,
                &before,
                Some(state(&before)),
                None,
            )?;
            Ok(before.name)
        })
        .await;
    match deleted {
        Ok(name) => Ok(shell.redirect(INDEX).flash(Flash::success(format!(
            "The strategy “{name}” was deleted."
        )))),
        Err(StoreError::Rule(rule)) => {
            let mut page = deletion_page(&portal, shell, id).await?;
            page.problem = Some(rule);
            page.shell.render(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
        Err(error) => Err(error.into()),
    }
}
