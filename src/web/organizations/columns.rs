//! Which part of a lead goes to which column of an organization, on a page fed by the organization's own columns.

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use actix_web::web::Data;
use askama::Template;
use serde_json::json;

use super::{dynamics, path_of, record};
use crate::domain::column_mapping::{ColumnMapping, LeadPart, TypedRule, check};
use crate::domain::ids::OrganizationId;
use crate::domain::lead::{FieldKey, LeadField, LeadFields};
use crate::domain::lead_column::{LeadColumn, LeadColumnKind};
use crate::domain::matching::MatchingStrategy;
use crate::store::audit::Actor;
use crate::store::dataverse_organizations::DynamicsOrganization;
use crate::store::{StoreError, custom_fields, dataverse_columns, deliveries, matching_strategies};
use crate::web::leads::show::part_label;
use crate::web::{Answer, FieldErrors, Flash, Form, Path, Portal, Shell};

/// One line of the page.
struct Line {
    rule: TypedRule,
    label: String,
}

impl Line {
    fn word(&self) -> String {
        self.rule.part.word()
    }

    fn field(&self, what: &str) -> String {
        format!("{what}:{}", self.word())
    }
}

#[derive(Template)]
#[template(path = "organizations/columns.html")]
struct OrganizationsColumns {
    shell: Shell,
    of: DynamicsOrganization,
    lock_version: i64,
    lines: Vec<Line>,
    columns: Vec<LeadColumn>,
    /// Fields by which leads are matched, and that have no column here.
    not_compared: Vec<String>,
    sends_again: bool,
    errors: FieldErrors,
}

impl OrganizationsColumns {
    fn path(&self) -> String {
        path_of(&self.of.organization.id)
    }

    /// The columns that can be chosen, with what they hold; a chosen one that is gone stays visible.
    fn choices(&self, line: &Line) -> Vec<(String, String)> {
        let mut choices: Vec<(String, String)> = self
            .columns
            .iter()
            .filter(|column| column.is_mappable())
            .map(|column| (column.name.clone(), described(column)))
            .collect();
        let chosen = &line.rule.column;
        if !chosen.is_empty() && !choices.iter().any(|(name, _)| name == chosen) {
            let gone = format!("{chosen}: not in the organization");
            choices.insert(0, (chosen.clone(), gone));
        }
        choices
    }

    /// Columns that the organization's own forms ask for, and that nothing goes to.
    fn not_filled(&self) -> Vec<&str> {
        self.columns
            .iter()
            .filter(|column| column.is_required && column.is_mappable())
            .filter(|column| {
                !self
                    .lines
                    .iter()
                    .any(|line| line.rule.column == column.name)
            })
            .map(|column| column.label.as_str())
            .collect()
    }

    /// The options of the column of a line.
    fn options(&self, line: &Line) -> Vec<&str> {
        let column = self
            .columns
            .iter()
            .find(|column| column.name == line.rule.column);
        match column.map(|column| &column.kind) {
            Some(LeadColumnKind::Choice { options }) => {
                options.iter().map(|(_, label)| label.as_str()).collect()
            }
            _ => Vec::new(),
        }
    }
}

fn described(column: &LeadColumn) -> String {
    let kind = match &column.kind {
        LeadColumnKind::Text {
            max_length: Some(max),
        } => format!("text, at most {max}"),
        LeadColumnKind::Text { max_length: None } => "text".to_owned(),
        LeadColumnKind::Integer { .. } => "whole number".to_owned(),
        LeadColumnKind::Decimal { .. } => "number".to_owned(),
        LeadColumnKind::Boolean => "yes or no".to_owned(),
        LeadColumnKind::DateTime { .. } => "date".to_owned(),
        LeadColumnKind::Choice { options } => format!("one of {} options", options.len()),
        LeadColumnKind::Other => "cannot be written".to_owned(),
    };
    format!("{} ({}): {kind}", column.label, column.name)
}

/// Every part that a lead can have, in the order of the page.
fn parts(fields: &LeadFields) -> Vec<LeadPart> {
    let standard = LeadField::ALL
        .iter()
        .map(|field| LeadPart::Field(FieldKey::Standard(*field)));
    let custom = fields
        .custom()
        .iter()
        .filter(|known| !known.is_retired)
        .map(|known| LeadPart::Field(FieldKey::Custom(known.field.name.clone())));
    [LeadPart::Id, LeadPart::Topic, LeadPart::Source]
        .into_iter()
        .chain(standard)
        .chain(custom)
        .collect()
}

fn typed(mapping: &ColumnMapping, part: LeadPart) -> TypedRule {
    match mapping.rules.iter().find(|rule| rule.part == part) {
        Some(rule) => TypedRule {
            column: rule.column.clone(),
            cuts: rule.cuts,
            values: rule
                .values
                .iter()
                .map(|(from, to)| format!("{from} = {to}\n"))
                .collect(),
            part,
        },
        None => TypedRule {
            part,
            column: String::new(),
            cuts: false,
            values: String::new(),
        },
    }
}

/// Fields of the strategy that cannot be compared in the organization.
fn not_compared(
    strategy: Option<&MatchingStrategy>,
    lines: &[Line],
    fields: &LeadFields,
) -> Vec<String> {
    let compared = strategy.map_or(&[][..], |strategy| strategy.fields.as_slice());
    compared
        .iter()
        .filter(|field| {
            !lines.iter().any(|line| {
                !line.rule.column.is_empty()
                    && matches!(&line.rule.part, LeadPart::Field(key) if key == *field)
            })
        })
        .map(|field| fields.label(field).into_owned())
        .collect()
}

struct Known {
    of: DynamicsOrganization,
    columns: Vec<LeadColumn>,
    mapping: ColumnMapping,
    fields: LeadFields,
    strategy: Option<MatchingStrategy>,
}

async fn known(portal: &Portal, id: &OrganizationId) -> Result<Known, StoreError> {
    let id = id.clone();
    portal
        .store
        .read(move |conn| {
            Ok(Known {
                of: dynamics::get(conn, &id)?,
                columns: dataverse_columns::of(conn, &id)?,
                mapping: dataverse_columns::mapping(conn, &id)?,
                fields: custom_fields::fields(conn)?,
                strategy: match matching_strategies::active(conn) {
                    Ok(strategy) => Some(strategy),
                    Err(StoreError::NotFound(_)) => None,
                    Err(error) => return Err(error),
                },
            })
        })
        .await
}

fn page(
    shell: Shell,
    known: Known,
    rules: Vec<TypedRule>,
    lock_version: i64,
) -> OrganizationsColumns {
    let lines: Vec<Line> = rules
        .into_iter()
        .map(|rule| Line {
            label: part_label(&known.fields, &rule.part),
            rule,
        })
        .collect();
    OrganizationsColumns {
        shell,
        lock_version,
        not_compared: not_compared(known.strategy.as_ref(), &lines, &known.fields),
        of: known.of,
        lines,
        columns: known.columns,
        sends_again: false,
        errors: FieldErrors::new(),
    }
}

/// GET /settings/organizations/{id}/columns
///
/// # Errors
/// `NotFound`, or as the database.
pub async fn columns(portal: Data<Portal>, shell: Shell, Path(id): Path<OrganizationId>) -> Answer {
    let known = known(&portal, &id).await?;
    let rules = parts(&known.fields)
        .into_iter()
        .map(|part| typed(&known.mapping, part))
        .collect();
    let version = known.of.organization.lock_version;
    let page = page(shell, known, rules, version);
    page.shell.render(StatusCode::OK, &page)
}

/// POST /settings/organizations/{id}/columns
///
/// # Errors
/// `NotFound`, `Stale`, or as the database.
pub async fn save_columns(
    portal: Data<Portal>,
    shell: Shell,
    actor: Actor,
    Path(id): Path<OrganizationId>,
    Form(sent): Form<BTreeMap<String, String>>,
) -> Answer {
    let known = known(&portal, &id).await?;
    let text = |name: String| sent.get(&name).cloned().unwrap_or_default();
    let rules: Vec<TypedRule> = parts(&known.fields)
        .into_iter()
        .map(|part| {
            let word = part.word();
            TypedRule {
                column: text(format!("column:{word}")),
                cuts: sent.contains_key(&format!("cuts:{word}")),
                values: text(format!("values:{word}")),
                part,
            }
        })
        .collect();
    let version: i64 = text("lock_version".to_owned()).parse().unwrap_or_default();
    let sends_again = sent.contains_key("send_again");
    let mapping = match check(&rules, &known.columns) {
        Ok(mapping) => mapping,
        Err(wrong) => {
            let mut page = page(shell, known, rules, version);
            page.sends_again = sends_again;
            for (part, error) in wrong {
                page.errors
                    .add(&format!("column:{}", part.word()), error.to_string());
            }
            return page.shell.render(StatusCode::UNPROCESSABLE_ENTITY, &page);
        }
    };
    let (portal_tx, changed) = (portal.clone(), id.clone());
    let queued = portal
        .store
        .write(move |tx| {
            let before = dataverse_columns::mapping(tx, &changed)?;
            let now = portal_tx.clock.now();
            dataverse_columns::set_mapping(tx, &changed, version, &mapping, now)?;
            let queued = if sends_again {
                deliveries::enqueue_again(tx, &changed)?
            } else {
                0
            };
            let name = dynamics::get(tx, &changed)?.organization.name;
            record(
                tx,
                &portal_tx,
                &actor,
                "organization.columns_changed",
                (&changed, &name),
                Some(json!({ "columns": before })),
                Some(json!({ "columns": mapping, "leads_sent_again": queued })),
            )?;
            Ok::<_, StoreError>(queued)
        })
        .await?;
    portal.wake.notify_one();
    let flash = match queued {
        0 => Flash::success("The columns were saved. They hold from the next delivery on."),
        1 => Flash::success("The columns were saved, and one lead is sent again."),
        n => Flash::success(format!(
            "The columns were saved, and {n} leads are sent again."
        )),
    };
    Ok(shell.redirect(path_of(&id)).flash(flash))
}
