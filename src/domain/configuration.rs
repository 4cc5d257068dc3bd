//! The configuration as one readable file: what it holds, what is wrong with one, and how two differ.
//!
//! Records of LinkedIn are named by LinkedIn's numbers and people by their e-mail address, so that a file can be read by
//! people and taken from one portal to another. A section that a file leaves out is left as it is.

mod difference;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::field_mapping::{Source, Transform, WritePolicy, check_transforms};
use super::ids::{AccountId, CampaignId, FormId, UserId};
use super::lead::{CustomField, FieldKey};
use super::matching::MatchingSettings;
use super::normalise;
use super::strategy::{check_fields, check_name};

pub use difference::{Difference, DifferenceKind};

/// What the file says it is.
pub const FORMAT: &str = "leadgen-connector configuration";
/// The version that is written and read.
pub const VERSION: u64 = 1;
/// More mappings than a portal holds.
const MAX_MAPPINGS: usize = 2_000;
/// More rules than a portal holds.
const MAX_RULES: usize = 200;
/// The most problems that are told at once.
const MAX_PROBLEMS: usize = 50;

/// The file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfigurationFile {
    /// [`FORMAT`].
    pub format: String,
    /// [`VERSION`].
    pub version: u64,
    /// Lead Field Mappings, in the order in which they run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field_mappings: Option<Vec<FileMapping>>,
    /// Lead Matching Strategies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matching_strategies: Option<Vec<FileStrategy>>,
    /// Custom fields of leads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom_fields: Option<Vec<CustomField>>,
    /// Integration Configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub integration_configuration: Option<FileSettings>,
    /// Assignment Rules, in the order in which they are tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assignment_rules: Option<Vec<FileRule>>,
}

/// A field mapping.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileMapping {
    /// What people call it.
    pub name: String,
    /// LinkedIn's number of the form whose override it is; left out for the whole organization.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub form: Option<i64>,
    /// Where the value comes from.
    pub source: Source,
    /// The lead field.
    pub target: FieldKey,
    /// What happens where the lead has a value already.
    pub policy: WritePolicy,
    /// The steps on the way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transforms: Vec<Transform>,
    /// The place in the order.
    pub position: i64,
}

impl FileMapping {
    /// What makes it the same mapping in two files.
    #[must_use]
    pub fn key(&self) -> (Option<i64>, &'static str, String, String) {
        let source = &self.source;
        (
            self.form,
            source.kind().as_str(),
            source.key(),
            self.target.word().into_owned(),
        )
    }
}

/// A matching strategy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileStrategy {
    /// What people call it.
    pub name: String,
    /// What it compares.
    pub fields: Vec<FieldKey>,
    /// Whether it is the one in force.
    #[serde(default)]
    pub is_active: bool,
}

/// The integration configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileSettings {
    /// How submissions become leads.
    pub matching: MatchingSettings,
    /// E-mail address of who owns leads that nobody else owns.
    #[serde(default)]
    pub fallback_owner: Option<String>,
}

/// An assignment rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileRule {
    /// When it applies.
    pub condition: FileCondition,
    /// E-mail address of who becomes the owner.
    pub owner: String,
}

/// When a rule applies.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum FileCondition {
    /// The submission came through this account.
    Account {
        /// `sponsored_account` or `organization`.
        owner_type: String,
        /// LinkedIn's number.
        linkedin_id: i64,
    },
    /// It answers this form.
    Form {
        /// LinkedIn's number.
        linkedin_id: i64,
    },
    /// It came from this campaign.
    Campaign {
        /// LinkedIn's number.
        linkedin_id: i64,
    },
    /// The lead's field has this value.
    FieldEquals {
        /// The lead field.
        field: FieldKey,
        /// The value.
        value: String,
    },
}

/// What the names in a file stand for in this portal.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Forms by LinkedIn's number.
    pub forms: BTreeMap<i64, FormId>,
    /// Accounts by owner type and LinkedIn's number.
    pub accounts: BTreeMap<(String, i64), AccountId>,
    /// Campaigns by LinkedIn's number.
    pub campaigns: BTreeMap<i64, CampaignId>,
    /// Enabled people by their folded e-mail address.
    pub people: BTreeMap<String, UserId>,
    /// The custom fields of leads.
    pub custom_fields: Vec<CustomField>,
}

impl Known {
    /// The person with an e-mail address.
    #[must_use]
    pub fn person(&self, email: &str) -> Option<&UserId> {
        self.people.get(&normalise::email(email)?)
    }

    fn has_field(&self, field: &FieldKey) -> bool {
        match field {
            FieldKey::Standard(_) => true,
            FieldKey::Custom(name) => self.custom_fields.iter().any(|field| field.name == *name),
        }
    }
}

/// Something wrong in a file, with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// `line 3, column 9` or `field_mappings[2].form`.
    pub place: String,
    /// What is wrong and what to do.
    pub message: String,
}

fn problem(place: impl Into<String>, message: impl Into<String>) -> Problem {
    Problem {
        place: place.into(),
        message: message.into(),
    }
}

impl ConfigurationFile {
    /// Reads a file.
    ///
    /// # Errors
    /// The first thing that cannot be read.
    pub fn read(text: &str) -> Result<Self, Problem> {
        #[derive(Deserialize)]
        struct Head {
            format: Option<String>,
            version: Option<u64>,
        }
        let placed = |error: &serde_json::Error| {
            let message = error.to_string();
            let message = message
                .rsplit_once(" at line ")
                .map_or(message.as_str(), |(before, _)| before);
            problem(
                format!("line {}, column {}", error.line(), error.column()),
                format!("{message}."),
            )
        };
        let head: Head = serde_json::from_str(text).map_err(|error| placed(&error))?;
        if head.format.as_deref() != Some(FORMAT) {
            return Err(problem(
                "format",
                format!(
                    "A configuration file of this portal says “{FORMAT}” here. Choose a file that was exported on this page."
                ),
            ));
        }
        if head.version != Some(VERSION) {
            return Err(problem(
                "version",
                format!(
                    "This portal reads version {VERSION}. Export the file again from a portal of the same release."
                ),
            ));
        }
        let file: Self = serde_json::from_str(text).map_err(|error| placed(&error))?;
        let value = serde_json::to_value(&file).unwrap_or_default();
        match find_nul("", &value) {
            Some(place) => Err(problem(
                place,
                "This text holds a NUL character, which cannot be stored.",
            )),
            None => Ok(file),
        }
    }

    /// Everything that this portal cannot take; `before` is its configuration now. None of it can be applied while there is
    /// a problem.
    #[must_use]
    pub fn check(&self, before: &Self, known: &Known) -> Vec<Problem> {
        let mut problems = Vec::new();
        self.check_custom_fields(known, &mut problems);
        self.check_mappings(known, &mut problems);
        self.check_strategies(before, &mut problems);
        self.check_settings(known, &mut problems);
        self.check_rules(known, &mut problems);
        problems.truncate(MAX_PROBLEMS);
        problems
    }

    fn check_custom_fields(&self, known: &Known, problems: &mut Vec<Problem>) {
        for (index, field) in self.custom_fields.iter().flatten().enumerate() {
            if !known.custom_fields.contains(field) {
                problems.push(problem(
                    format!("custom_fields[{index}]"),
                    format!("The custom field “{}” does not exist here like this. Make it first, then import again.", field.name),
                ));
            }
        }
    }

    fn check_mappings(&self, known: &Known, problems: &mut Vec<Problem>) {
        let mappings = self.field_mappings.as_deref().unwrap_or_default();
        if mappings.len() > MAX_MAPPINGS {
            problems.push(problem(
                "field_mappings",
                format!("A portal holds at most {MAX_MAPPINGS} mappings."),
            ));
        }
        let mut seen = BTreeSet::new();
        for (index, mapping) in mappings.iter().enumerate() {
            let mut tell = |part: &str, message: String| {
                problems.push(problem(format!("field_mappings[{index}]{part}"), message));
            };
            let name = mapping.name.trim();
            if name.is_empty() || name.chars().count() > 300 {
                tell(".name", "A name has 1 to 300 characters.".to_owned());
            }
            if let Some(form) = mapping.form
                && !known.forms.contains_key(&form)
            {
                tell(
                    ".form",
                    format!(
                        "No form here has LinkedIn’s id {form}. Sync its account first, or take the mapping out of the file."
                    ),
                );
            }
            let (kind, key) = (mapping.source.kind().as_str(), mapping.source.key());
            if let Err(error) = Source::from_parts(kind, &key) {
                tell(".source", format!("{error}."));
            } else if key.chars().count() > 1_000 {
                tell(
                    ".source.key",
                    "This may have at most 1000 characters.".to_owned(),
                );
            }
            if !known.has_field(&mapping.target) {
                tell(
                    ".target",
                    format!("There is no lead field “{}” here.", mapping.target),
                );
            }
            if let Err(error) = check_transforms(&mapping.transforms) {
                tell(".transforms", format!("{error}."));
            }
            if !(0..=1_000_000).contains(&mapping.position) {
                tell(
                    ".position",
                    "The order is a whole number from 0 to 1000000.".to_owned(),
                );
            }
            if !seen.insert(mapping.key()) {
                tell(
                    "",
                    "The same source is mapped to the same lead field above already.".to_owned(),
                );
            }
        }
    }

    /// The fields that some mapping fills after the import.
    fn targets(&self, before: &Self) -> BTreeSet<FieldKey> {
        let mappings = self
            .field_mappings
            .as_ref()
            .or(before.field_mappings.as_ref());
        mappings
            .into_iter()
            .flatten()
            .map(|mapping| mapping.target.clone())
            .collect()
    }

    fn check_strategies(&self, before: &Self, problems: &mut Vec<Problem>) {
        let targets = self.targets(before);
        let Some(strategies) = &self.matching_strategies else {
            let active = before.matching_strategies.iter().flatten();
            for strategy in active.filter(|strategy| strategy.is_active) {
                if let Some(error) = check_fields(&strategy.fields, &targets).first() {
                    problems.push(problem(
                        "field_mappings",
                        format!(
                            "The active matching strategy “{}” would be left without: {error}",
                            strategy.name
                        ),
                    ));
                }
            }
            return;
        };
        if strategies
            .iter()
            .filter(|strategy| strategy.is_active)
            .count()
            != 1
        {
            problems.push(problem(
                "matching_strategies",
                "Exactly one strategy says “is_active”: true.",
            ));
        }
        for (index, strategy) in strategies.iter().enumerate() {
            let others = strategies
                .iter()
                .take(index)
                .map(|other| other.name.as_str());
            if let Some(error) = check_name(&strategy.name, others) {
                problems.push(problem(
                    format!("matching_strategies[{index}].name"),
                    error.to_string(),
                ));
            }
            for error in check_fields(&strategy.fields, &targets) {
                problems.push(problem(
                    format!("matching_strategies[{index}].fields"),
                    error.to_string(),
                ));
            }
        }
    }

    fn check_settings(&self, known: &Known, problems: &mut Vec<Problem>) {
        let Some(settings) = &self.integration_configuration else {
            return;
        };
        if let Some(country) = &settings.matching.default_country
            && !(normalise::is_country(country) && *country == country.to_ascii_uppercase())
        {
            problems.push(problem(
                "integration_configuration.matching.default_country",
                "Write the two letters of a country, for example DE, or null.",
            ));
        }
        if let Some(email) = &settings.fallback_owner
            && known.person(email).is_none()
        {
            problems.push(problem(
                "integration_configuration.fallback_owner",
                "Nobody enabled here has this e-mail address. Add the person first, or write null.",
            ));
        }
    }

    fn check_rules(&self, known: &Known, problems: &mut Vec<Problem>) {
        let rules = self.assignment_rules.as_deref().unwrap_or_default();
        if rules.len() > MAX_RULES {
            problems.push(problem(
                "assignment_rules",
                format!("A portal holds at most {MAX_RULES} rules."),
            ));
        }
        let mut seen = BTreeSet::new();
        for (index, rule) in rules.iter().enumerate() {
            let place = format!("assignment_rules[{index}]");
            if known.person(&rule.owner).is_none() {
                problems.push(problem(
                    format!("{place}.owner"),
                    "Nobody enabled here has this e-mail address. Add the person first.",
                ));
            }
            let is_known = match &rule.condition {
                FileCondition::Account {
                    owner_type,
                    linkedin_id,
                } => known
                    .accounts
                    .contains_key(&(owner_type.clone(), *linkedin_id)),
                FileCondition::Form { linkedin_id } => known.forms.contains_key(linkedin_id),
                FileCondition::Campaign { linkedin_id } => {
                    known.campaigns.contains_key(linkedin_id)
                }
                FileCondition::FieldEquals { field, value } => {
                    known.has_field(field)
                        && !value.trim().is_empty()
                        && value.chars().count() <= 300
                }
            };
            if !is_known {
                problems.push(problem(
                    format!("{place}.condition"),
                    "This portal does not know what the condition names, or its value is empty or too long.",
                ));
            }
            if !seen.insert(&rule.condition) {
                problems.push(problem(
                    place,
                    "A rule above has the same condition: only the first one would ever apply.",
                ));
            }
        }
    }
}

/// Where a text with NUL stands.
fn find_nul(place: &str, value: &Value) -> Option<String> {
    match value {
        Value::String(text) => text.contains('\0').then(|| place.to_owned()),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .find_map(|(index, item)| find_nul(&format!("{place}[{index}]"), item)),
        Value::Object(members) => members.iter().find_map(|(name, member)| {
            let place = match place {
                "" => name.clone(),
                place => format!("{place}.{name}"),
            };
            if name.contains('\0') {
                return Some(place.replace('\0', "␀"));
            }
            find_nul(&place, member)
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
