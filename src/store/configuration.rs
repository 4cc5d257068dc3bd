//! The whole configuration at once: read for the file that is exported, replaced by a file that is imported.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::columns::id;
use super::integration_settings::IntegrationSettings;
use super::schema::{campaigns, lead_forms, linkedin_accounts};
use super::{
    AnyConn, StoreError, assignment_rules, custom_fields, field_mappings, integration_settings,
    lock_rules, matching_strategies, users,
};
use crate::domain::assignment::{AssignmentRule, Condition};
use crate::domain::configuration::{
    ConfigurationFile, FORMAT, FileCondition, FileMapping, FileRule, FileSettings, FileStrategy,
    Known, VERSION,
};
use crate::domain::field_mapping::FieldMapping;
use crate::domain::ids::{MappingId, RuleId, StrategyId, UserId};
use crate::domain::normalise;
use crate::domain::strategy::MatchingStrategy;

/// The configuration as it stands.
#[derive(Debug, Clone)]
pub struct Stored {
    /// As the file that is exported.
    pub file: ConfigurationFile,
    /// What the names in a file stand for.
    pub known: Known,
    mappings: Vec<FieldMapping>,
    strategies: Vec<MatchingStrategy>,
    rules: Vec<AssignmentRule>,
    settings: IntegrationSettings,
}

fn named<K: Ord, V: std::str::FromStr>(
    table: &'static str,
    rows: Vec<(K, String)>,
) -> Result<BTreeMap<K, V>, StoreError> {
    rows.into_iter()
        .map(|(key, text)| Ok((key, id(table, &text)?)))
        .collect()
}

/// Reads everything.
///
/// # Errors
/// As any query.
pub fn load(conn: &mut AnyConn) -> Result<Stored, StoreError> {
    let forms: Vec<(i64, String)> = lead_forms::table
        .select((lead_forms::linkedin_id, lead_forms::id))
        .load(conn)?;
    let accounts: Vec<(String, i64, String)> = linkedin_accounts::table
        .select((
            linkedin_accounts::owner_type,
            linkedin_accounts::linkedin_id,
            linkedin_accounts::id,
        ))
        .load(conn)?;
    let of_campaigns: Vec<(i64, String)> = campaigns::table
        .select((campaigns::linkedin_id, campaigns::id))
        .load(conn)?;
    let people = users::list(conn)?;
    let known = Known {
        forms: named("lead_forms", forms)?,
        accounts: named(
            "linkedin_accounts",
            accounts
                .into_iter()
                .map(|(owner_type, number, id)| ((owner_type, number), id))
                .collect(),
        )?,
        campaigns: named("campaigns", of_campaigns)?,
        people: people
            .iter()
            .filter(|person| person.is_enabled)
            .filter_map(|person| Some((normalise::email(&person.email)?, person.id.clone())))
            .collect(),
        custom_fields: custom_fields::list(conn)?,
    };
    let email = |owner: &UserId| {
        let mut people = people.iter();
        people
            .find(|person| person.id == *owner)
            .map(|person| person.email.clone())
            .unwrap_or_default()
    };
    let mappings = field_mappings::list(conn)?;
    let strategies = matching_strategies::list(conn)?;
    let rules = assignment_rules::list(conn)?;
    let settings = integration_settings::get(conn)?;
    let file = ConfigurationFile {
        format: FORMAT.to_owned(),
        version: VERSION,
        field_mappings: Some(
            mappings
                .iter()
                .map(|mapping| file_mapping(mapping, &known))
                .collect(),
        ),
        matching_strategies: Some(
            strategies
                .iter()
                .map(|strategy| FileStrategy {
                    name: strategy.name.clone(),
                    fields: strategy.fields.clone(),
                    is_active: strategy.is_active,
                })
                .collect(),
        ),
        custom_fields: Some(known.custom_fields.clone()),
        integration_configuration: Some(FileSettings {
            matching: settings.matching.clone(),
            fallback_owner: settings.fallback_owner_id.as_ref().map(email),
        }),
        assignment_rules: Some(
            rules
                .iter()
                .filter_map(|rule| {
                    Some(FileRule {
                        condition: file_condition(&rule.condition, &known)?,
                        owner: email(&rule.owner_id),
                    })
                })
                .collect(),
        ),
    };
    Ok(Stored {
        file,
        known,
        mappings,
        strategies,
        rules,
        settings,
    })
}

fn number_of<K: Copy, V: PartialEq>(numbers: &BTreeMap<K, V>, id: &V) -> Option<K> {
    numbers
        .iter()
        .find(|(_, known)| *known == id)
        .map(|(number, _)| *number)
}

fn file_mapping(mapping: &FieldMapping, known: &Known) -> FileMapping {
    FileMapping {
        name: mapping.name.clone(),
        form: mapping
            .form_id
            .as_ref()
            .and_then(|form| number_of(&known.forms, form)),
        source: mapping.source.clone(),
        target: mapping.target.clone(),
        policy: mapping.policy,
        transforms: mapping.transforms.clone(),
        position: mapping.position,
    }
}

/// `None` for a rule whose record is gone: it can never apply.
fn file_condition(condition: &Condition, known: &Known) -> Option<FileCondition> {
    Some(match condition {
        Condition::Account(id) => {
            let (owner_type, linkedin_id) = known
                .accounts
                .iter()
                .find(|(_, known)| *known == id)
                .map(|(key, _)| key.clone())?;
            FileCondition::Account {
                owner_type,
                linkedin_id,
            }
        }
        Condition::Form(id) => FileCondition::Form {
            linkedin_id: number_of(&known.forms, id)?,
        },
        Condition::Campaign(id) => FileCondition::Campaign {
            linkedin_id: number_of(&known.campaigns, id)?,
        },
        Condition::FieldEquals(field, value) => FileCondition::FieldEquals {
            field: field.clone(),
            value: value.clone(),
        },
    })
}

impl Stored {
    /// Tells this configuration from any other: what a person saw is only replaced while it is still so.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let text = serde_json::to_vec(&self.file).unwrap_or_default();
        Sha256::digest(text)
            .iter()
            .take(16)
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    /// The mappings after an import; `None` when the file leaves them as they are. A mapping that stays keeps its
    /// identifier.
    #[must_use]
    pub fn mappings_after(
        &self,
        file: &ConfigurationFile,
        mut new_id: impl FnMut() -> Uuid,
    ) -> Option<Vec<FieldMapping>> {
        let wanted = file.field_mappings.as_ref()?;
        let mut ids: BTreeMap<_, &MappingId> = self
            .mappings
            .iter()
            .map(|mapping| (file_mapping(mapping, &self.known).key(), &mapping.id))
            .collect();
        Some(
            wanted
                .iter()
                .map(|mapping| FieldMapping {
                    id: ids
                        .remove(&mapping.key())
                        .cloned()
                        .unwrap_or_else(|| MappingId::new(new_id())),
                    name: mapping.name.trim().to_owned(),
                    form_id: mapping
                        .form
                        .and_then(|form| self.known.forms.get(&form).cloned()),
                    source: mapping.source.clone(),
                    target: mapping.target.clone(),
                    policy: mapping.policy,
                    transforms: mapping.transforms.clone(),
                    position: mapping.position,
                })
                .collect(),
        )
    }

    fn strategies_after(
        &self,
        wanted: &[FileStrategy],
        mut new_id: impl FnMut() -> Uuid,
    ) -> Vec<MatchingStrategy> {
        wanted
            .iter()
            .map(|strategy| {
                let key = normalise::text(&strategy.name);
                let known = self
                    .strategies
                    .iter()
                    .find(|known| normalise::text(&known.name) == key);
                MatchingStrategy {
                    id: known.map_or_else(|| StrategyId::new(new_id()), |known| known.id.clone()),
                    name: strategy.name.trim().to_owned(),
                    fields: strategy.fields.clone(),
                    is_active: strategy.is_active,
                }
            })
            .collect()
    }

    fn rules_after(
        &self,
        wanted: &[FileRule],
        mut new_id: impl FnMut() -> Uuid,
    ) -> Vec<AssignmentRule> {
        let known = &self.known;
        (1_i64..)
            .zip(wanted)
            .filter_map(|(position, rule)| {
                let condition = match &rule.condition {
                    FileCondition::Account {
                        owner_type,
                        linkedin_id,
                    } => Condition::Account(
                        known
                            .accounts
                            .get(&(owner_type.clone(), *linkedin_id))?
                            .clone(),
                    ),
                    FileCondition::Form { linkedin_id } => {
                        Condition::Form(known.forms.get(linkedin_id)?.clone())
                    }
                    FileCondition::Campaign { linkedin_id } => {
                        Condition::Campaign(known.campaigns.get(linkedin_id)?.clone())
                    }
                    FileCondition::FieldEquals { field, value } => {
                        Condition::FieldEquals(field.clone(), value.trim().to_owned())
                    }
                };
                let before = self.rules.iter().find(|known| known.condition == condition);
                Some(AssignmentRule {
                    id: before.map_or_else(|| RuleId::new(new_id()), |before| before.id.clone()),
                    position,
                    condition,
                    owner_id: known.person(&rule.owner)?.clone(),
                })
            })
            .collect()
    }
}

/// Replaces the configuration by a file that was checked against `stored`, read in the same transaction.
///
/// # Errors
/// As any query; `Rule` when the active strategy would lose a mapping all the same.
pub fn replace(
    conn: &mut AnyConn,
    stored: &Stored,
    file: &ConfigurationFile,
    now: DateTime<Utc>,
    mut new_id: impl FnMut() -> Uuid,
) -> Result<(), StoreError> {
    lock_rules(conn)?;
    if let Some(mappings) = stored.mappings_after(file, &mut new_id) {
        field_mappings::replace_all(conn, &mappings, now)?;
    }
    if let Some(strategies) = &file.matching_strategies {
        let strategies = stored.strategies_after(strategies, &mut new_id);
        matching_strategies::replace_all(conn, &strategies, now)?;
    }
    if let Some(settings) = &file.integration_configuration {
        let after = IntegrationSettings {
            matching: settings.matching.clone(),
            fallback_owner_id: settings
                .fallback_owner
                .as_deref()
                .and_then(|email| stored.known.person(email).cloned()),
            ..stored.settings.clone()
        };
        if after != stored.settings {
            integration_settings::save(conn, &after, stored.settings.lock_version, now)?;
        }
    }
    if let Some(rules) = &file.assignment_rules {
        let rules = stored.rules_after(rules, &mut new_id);
        if rules != stored.rules {
            assignment_rules::replace_all(conn, &rules, now)?;
        }
    }
    field_mappings::check_active_strategy(conn)
}
