//! Field mappings and matching strategies: what the connector's become here, beside those that are here already.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    ConnectorRecord, ConnectorRecords, ConnectorTable as Table, Outcome, Verdict, Verdicts,
    records_of,
};
use crate::domain::configuration::{ConfigurationFile, FileMapping, FileStrategy};
use crate::domain::field_mapping::{Source, WritePolicy, shipped_mappings};
use crate::domain::lead::{CustomField, FieldKey, LeadField};
use crate::domain::lead_import::{ColumnTarget, guess};
use crate::domain::normalise;
use crate::domain::strategy::{MAX_FIELDS, check_name};

/// What comes along, and what becomes of every record.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CarriedConfiguration {
    /// Field mappings to add.
    pub mappings: Vec<FileMapping>,
    /// Matching strategies to add; none of them is active.
    pub strategies: Vec<FileStrategy>,
    /// What becomes of the records of the four tables.
    pub verdicts: Verdicts,
}

/// LinkedIn's word for a predefined field that is written in any way: `firstName`, “First name”, `FIRST_NAME`.
pub(super) fn predefined_word(text: &str) -> Option<&'static str> {
    let bare = |text: &str| {
        text.chars()
            .filter(|c| c.is_alphanumeric())
            .map(|c| c.to_ascii_uppercase())
            .collect::<String>()
    };
    shipped_mappings()
        .iter()
        .map(|mapping| mapping.predefined_field)
        .find(|field| bare(field) == bare(text))
}

/// Where a mapping's value comes from, or a sentence why that is unknown.
fn source_of(record: &ConnectorRecord) -> Result<Source, String> {
    let predefined = record.cells.text(&["linkedinpredefinedfield"]);
    let name = record.cells.text(&["name"]);
    if let Some(field) = predefined
        .and_then(predefined_word)
        .or_else(|| name.and_then(predefined_word))
    {
        return Ok(Source::Predefined(field.to_owned()));
    }
    let question = name.or(predefined).ok_or(
        "It names neither a field of LinkedIn nor a question, so there is nothing to read from.",
    )?;
    Ok(Source::QuestionText(question.chars().take(1_000).collect()))
}

fn says(source: &Source) -> String {
    match source {
        Source::Predefined(field) => format!("LinkedIn’s field {field}"),
        other => format!("the question “{}”", other.key()),
    }
}

/// The Dataverse column that a mapping writes to.
fn column_of<'a>(
    record: &'a ConnectorRecord,
    records: &'a ConnectorRecords,
) -> Result<&'a str, String> {
    let logical = |field: &'a ConnectorRecord| {
        field
            .cells
            .text(&["logicalname", "name"])
            .unwrap_or(&field.label)
    };
    // An export with display names calls two columns “Lead field”: the name of the column, and the label of its record.
    if let Some(column) = record.cells.text(&["leadfield"]) {
        let labelled = records_of(records, Table::LeadFields)
            .iter()
            .find(|field| field.label == column);
        return Ok(labelled.map_or(column, logical));
    }
    let Some(wanted) = record.cells.lookup(&["leadfieldlookup"]) else {
        return Err("It names no lead field, so there is nothing to write to.".to_owned());
    };
    let field = records_of(records, Table::LeadFields)
        .iter()
        .find(|field| field.key == wanted || field.label == wanted);
    match field {
        Some(field) => Ok(logical(field)),
        // A label says enough; a GUID says nothing.
        None => record
            .cells
            .text(&["leadfieldlookup"])
            .filter(|text| record.cells.guid(&["leadfieldlookup"]).is_none() && !text.is_empty())
            .ok_or_else(|| {
                format!(
                    "It refers to a record of the table {}: upload that table as well.",
                    Table::LeadFields.logical_name()
                )
            }),
    }
}

/// The lead field here for a column of Dataverse's lead table.
fn field_of(column: &str, custom: &[CustomField]) -> Result<FieldKey, String> {
    let lower = column.trim().to_lowercase();
    let bare = lower.strip_prefix("msdyncrm_").unwrap_or(&lower);
    let bare = bare
        .strip_prefix("linkedin")
        .unwrap_or(bare)
        .trim_start_matches('_');
    let exact = LeadField::ALL
        .iter()
        .find(|field| field.dataverse_column() == Some(lower.as_str()));
    if let Some(field) = exact {
        return Ok(FieldKey::Standard(*field));
    }
    for name in [lower.as_str(), bare] {
        if let Some(ColumnTarget::Field(field)) = guess(name, custom) {
            return Ok(field);
        }
    }
    Err(format!(
        "No lead field here takes the column “{}”. Make a custom field of that name under Settings › Custom Fields, then check \
         again.",
        column.trim()
    ))
}

/// Sources are the same when they read the same answers.
fn same(source: &Source) -> (&'static str, String) {
    let key = source.key();
    (source.kind().as_str(), normalise::text(&key).unwrap_or(key))
}

/// What the records become beside the configuration `before`.
#[must_use]
pub fn carry_configuration(
    records: &ConnectorRecords,
    before: &ConfigurationFile,
    custom: &[CustomField],
) -> CarriedConfiguration {
    let mut carried = CarriedConfiguration::default();
    let mut targets = BTreeMap::new();
    carry_mappings(records, before, custom, &mut carried, &mut targets);
    carry_strategies(records, before, &mut carried, &targets);
    for field in records_of(records, Table::LeadFields) {
        carried.verdicts.insert(
            (Table::LeadFields, field.key.clone()),
            Verdict::helps("Says which lead field a mapping writes to."),
        );
    }
    carried
}

fn carry_mappings<'a>(
    records: &'a ConnectorRecords,
    before: &ConfigurationFile,
    custom: &[CustomField],
    carried: &mut CarriedConfiguration,
    targets: &mut BTreeMap<&'a str, FieldKey>,
) {
    let here = before.field_mappings.as_deref().unwrap_or_default();
    let mut position = here
        .iter()
        .map(|mapping| mapping.position)
        .max()
        .unwrap_or(0);
    let mut seen = BTreeSet::new();
    for record in records_of(records, Table::FieldMappings) {
        let read = source_of(record).and_then(|source| {
            let target = field_of(column_of(record, records)?, custom)?;
            Ok((source, target))
        });
        let verdict = match read {
            Err(why) => Verdict::left_out(why),
            Ok((source, target)) => {
                targets.insert(&record.key, target.clone());
                targets.insert(&record.label, target.clone());
                let of_source: Vec<&FileMapping> = here
                    .iter()
                    .filter(|mapping| {
                        mapping.form.is_none() && same(&mapping.source) == same(&source)
                    })
                    .collect();
                if let Some(twin) = of_source.iter().find(|mapping| mapping.target == target) {
                    Verdict::there(format!("The mapping “{}” does the same.", twin.name))
                } else if let Some(other) = of_source.first() {
                    Verdict::left_out(format!(
                        "Here the mapping “{}” takes {} to {}, and it stays. Change it under Lead Field Mappings if the answers are \
                         to go to {}.",
                        other.name,
                        says(&source),
                        other.target.label(),
                        target.label()
                    ))
                } else if !seen.insert((same(&source), target.word().into_owned())) {
                    Verdict::left_out("Another record of the table maps the same.")
                } else {
                    position += 1;
                    let explanation = format!(
                        "A field mapping: {} goes to {} and overwrites.",
                        says(&source),
                        target.label()
                    );
                    carried.mappings.push(FileMapping {
                        name: record.label.clone(),
                        form: None,
                        source,
                        target,
                        policy: WritePolicy::Overwrite,
                        transforms: Vec::new(),
                        position,
                    });
                    Verdict::becomes(explanation)
                }
            }
        };
        carried
            .verdicts
            .insert((Table::FieldMappings, record.key.clone()), verdict);
    }
}

fn carry_strategies(
    records: &ConnectorRecords,
    before: &ConfigurationFile,
    carried: &mut CarriedConfiguration,
    targets: &BTreeMap<&str, FieldKey>,
) {
    let here = before.matching_strategies.as_deref().unwrap_or_default();
    let joins = records_of(records, Table::StrategyFields);
    let strategy_of = |join: &ConnectorRecord| {
        join.cells.lookup(&[
            "linkedinleadmatchingstrategyid",
            "linkedinleadmatchingstrategy",
        ])
    };
    let mapping_of = |join: &ConnectorRecord| {
        join.cells
            .lookup(&["linkedinfieldmappingid", "linkedinfieldmapping"])
    };
    let mapped: BTreeSet<String> = before
        .field_mappings
        .iter()
        .flatten()
        .chain(&carried.mappings)
        .map(|mapping| mapping.target.word().into_owned())
        .collect();
    let strategies = records_of(records, Table::MatchingStrategies);
    for record in strategies {
        let parts: Vec<_> = joins
            .iter()
            .filter(|join| {
                strategy_of(join).is_some_and(|name| name == record.key || name == record.label)
            })
            .map(|join| mapping_of(join).and_then(|name| targets.get(name.as_str()).cloned()))
            .collect();
        let taken = here.iter().chain(&carried.strategies);
        let is_here = here
            .iter()
            .any(|known| normalise::text(&known.name) == normalise::text(&record.label));
        let verdict = if is_here {
            Verdict::there("A matching strategy of this name is here.")
        } else if let Some(problem) =
            check_name(&record.label, taken.map(|known| known.name.as_str()))
        {
            Verdict::left_out(problem.to_string())
        } else if parts.is_empty() {
            Verdict::left_out(format!(
                "Its fields are not known: upload the table that joins strategies and field mappings ({}) as well, or make the \
                 strategy by hand under Lead Matching Strategies.",
                Table::StrategyFields.logical_name()
            ))
        } else {
            match fields_of(parts, &mapped) {
                Err(why) => Verdict::left_out(why),
                Ok(fields) => {
                    let verdict = Verdict::becomes(became(record, &fields));
                    carried.strategies.push(FileStrategy {
                        name: record.label.clone(),
                        fields,
                        is_active: false,
                    });
                    verdict
                }
            }
        };
        carried
            .verdicts
            .insert((Table::MatchingStrategies, record.key.clone()), verdict);
    }
    for join in joins {
        let strategy = strategy_of(join).and_then(|name| {
            strategies
                .iter()
                .find(|record| record.key == name || record.label == name)
        });
        let verdict = match strategy {
            None => Verdict::left_out(format!(
                "Its strategy is in no uploaded file: upload {} as well.",
                Table::MatchingStrategies.logical_name()
            )),
            Some(strategy) => {
                let key = (Table::MatchingStrategies, strategy.key.clone());
                let outcome = carried
                    .verdicts
                    .get(&key)
                    .map_or(Outcome::LeftOut, |verdict| verdict.outcome);
                Verdict::new(
                    outcome,
                    format!("A field of the strategy “{}”, see there.", strategy.label),
                )
            }
        };
        carried
            .verdicts
            .insert((Table::StrategyFields, join.key.clone()), verdict);
    }
}

fn fields_of(
    parts: Vec<Option<FieldKey>>,
    mapped: &BTreeSet<String>,
) -> Result<Vec<FieldKey>, String> {
    let mut fields = Vec::new();
    for part in parts {
        let field = part.ok_or(
            "One of its fields is a mapping that is in no uploaded file or stays behind: upload the field mappings as well, or make \
             the strategy by hand under Lead Matching Strategies.",
        )?;
        if !mapped.contains(field.word().as_ref()) {
            return Err(format!(
                "It compares {}, which no mapping fills here.",
                field.label()
            ));
        }
        if !fields.contains(&field) {
            fields.push(field);
        }
    }
    if fields.len() > MAX_FIELDS {
        return Err(format!(
            "A strategy compares at most {MAX_FIELDS} fields here."
        ));
    }
    Ok(fields)
}

/// What a strategy becomes, and which of its settings have their place elsewhere.
fn became(record: &ConnectorRecord, fields: &[FieldKey]) -> String {
    let names: Vec<_> = fields.iter().map(FieldKey::label).collect();
    let mut text = format!(
        "A matching strategy that compares {}. It is not active: try it with a dry run, then activate it.",
        names.join(" and ")
    );
    if record.cells.flag(&["activated"]) == Some(true) {
        text.push_str(" It was the active one of the connector.");
    }
    if record.cells.flag(&["alwayscreatelead"]) == Some(true) {
        text.push_str(
            " It always created a lead: switch that on under Integration Configuration if you still want it.",
        );
    }
    if record.cells.flag(&["enablecontactcreation"]) == Some(true) {
        text.push_str(" It made contacts, too, which this portal does not have.");
    }
    text
}
