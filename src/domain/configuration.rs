//! The configuration as one readable file: what it holds, what is wrong with one, and how two differ.
//!
//! Records of LinkedIn are named by LinkedIn's numbers and people by their e-mail address, so that a file can be read by
//! people and taken from one portal to another. A section that a file leaves out is left as it is.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::field_mapping::{Source, Transform, WritePolicy, check_transforms};
use super::ids::{AccountId, CampaignId, FormId, UserId};
use super::lead::{CustomField, FieldKey};
use super::matching::MatchingSettings;
use super::normalise;
use super::strategy::{check_fields, check_name};
use super::words::words;

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

    /// What importing this file changes in `before`; sections that the file leaves out do not differ.
    #[must_use]
    pub fn differences(&self, before: &Self) -> Vec<Difference> {
        let mut all = Vec::new();
        compare(
            "Lead Field Mappings",
            items(&before.field_mappings),
            self.field_mappings.as_ref().map(items_of),
            &mut all,
        );
        compare(
            "Lead Matching Strategies",
            items(&before.matching_strategies),
            self.matching_strategies.as_ref().map(items_of),
            &mut all,
        );
        compare(
            "Integration Configuration",
            items(
                &before
                    .integration_configuration
                    .clone()
                    .map(|one| vec![one]),
            ),
            self.integration_configuration
                .as_ref()
                .map(|one| items_of(std::slice::from_ref(one))),
            &mut all,
        );
        compare(
            "Assignment Rules",
            items(&before.assignment_rules),
            self.assignment_rules.as_ref().map(items_of),
            &mut all,
        );
        all
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

words! {
    /// What happens to a record.
    pub enum DifferenceKind {
        Added = "added" => "Added",
        Changed = "changed" => "Changed",
        Removed = "removed" => "Removed",
    }
}

/// One record that an import adds, changes or removes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The heading of its section.
    pub section: &'static str,
    /// What happens to it.
    pub kind: DifferenceKind,
    /// Its name.
    pub name: String,
    /// For a changed one: member, value before, value afterwards.
    pub members: Vec<(String, String, String)>,
}

/// Something that stands in a section.
trait Item: Serialize {
    fn key(&self) -> String;
    fn name(&self) -> String;
}

impl Item for FileMapping {
    fn key(&self) -> String {
        format!("{:?}", Self::key(self))
    }

    fn name(&self) -> String {
        let form = self.form.map(|form| format!(" on form {form}"));
        format!(
            "{} → {}{}",
            self.source,
            self.target.label(),
            form.unwrap_or_default()
        )
    }
}

impl Item for FileStrategy {
    fn key(&self) -> String {
        normalise::text(&self.name).unwrap_or_default()
    }

    fn name(&self) -> String {
        self.name.clone()
    }
}

impl Item for FileSettings {
    fn key(&self) -> String {
        String::new()
    }

    fn name(&self) -> String {
        "Settings".to_owned()
    }
}

impl Item for FileRule {
    fn key(&self) -> String {
        format!("{:?}", self.condition)
    }

    fn name(&self) -> String {
        match &self.condition {
            FileCondition::Account { linkedin_id, .. } => format!("Account {linkedin_id}"),
            FileCondition::Form { linkedin_id } => format!("Form {linkedin_id}"),
            FileCondition::Campaign { linkedin_id } => format!("Campaign {linkedin_id}"),
            FileCondition::FieldEquals { field, value } => {
                format!("{} is “{value}”", field.label())
            }
        }
    }
}

/// Key → name and members, with the place in the list where order counts.
type Items = BTreeMap<String, (String, BTreeMap<String, String>)>;

fn items<T: Item>(list: &Option<Vec<T>>) -> Items {
    list.as_deref().map(items_of).unwrap_or_default()
}

fn items_of<T: Item>(list: impl AsRef<[T]>) -> Items {
    list.as_ref()
        .iter()
        .enumerate()
        .map(|(index, item)| {
            let mut members = BTreeMap::new();
            if let Ok(value) = serde_json::to_value(item) {
                flatten("", &value, &mut members);
            }
            // Mappings carry their place; rules are tried in the order of the file.
            if members.contains_key("owner") {
                members.insert("place".to_owned(), (index + 1).to_string());
            }
            (item.key(), (item.name(), members))
        })
        .collect()
}

/// Members of objects by their path; a list counts as one text.
fn flatten(place: &str, value: &Value, members: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(inner) => {
            for (name, member) in inner {
                let place = match place {
                    "" => name.clone(),
                    place => format!("{place}.{name}"),
                };
                flatten(&place, member, members);
            }
        }
        Value::String(text) => {
            members.insert(place.to_owned(), text.clone());
        }
        other => {
            members.insert(place.to_owned(), other.to_string());
        }
    }
}

fn compare(section: &'static str, before: Items, after: Option<Items>, all: &mut Vec<Difference>) {
    let Some(after) = after else { return };
    let mut tell = |kind, name: &String, members| {
        all.push(Difference {
            section,
            kind,
            name: name.clone(),
            members,
        });
    };
    for (key, (name, members)) in &after {
        match before.get(key) {
            None => tell(DifferenceKind::Added, name, Vec::new()),
            Some((_, known)) if known != members => {
                let names: BTreeSet<&String> = known.keys().chain(members.keys()).collect();
                let value = |of: &BTreeMap<String, String>, name: &String| {
                    of.get(name).cloned().unwrap_or_else(|| "–".to_owned())
                };
                let changed = names
                    .into_iter()
                    .filter(|name| known.get(*name) != members.get(*name))
                    .map(|name| (name.clone(), value(known, name), value(members, name)))
                    .collect();
                tell(DifferenceKind::Changed, name, changed);
            }
            Some(_) => {}
        }
    }
    for (key, (name, _)) in &before {
        if !after.contains_key(key) {
            tell(DifferenceKind::Removed, name, Vec::new());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::lead::LeadField;
    use proptest::prelude::*;

    fn mapping(key: &str, target: LeadField) -> FileMapping {
        FileMapping {
            name: key.to_owned(),
            form: None,
            source: Source::Predefined(key.to_owned()),
            target: target.into(),
            policy: WritePolicy::Overwrite,
            transforms: Vec::new(),
            position: 1,
        }
    }

    fn file() -> ConfigurationFile {
        ConfigurationFile {
            format: FORMAT.to_owned(),
            version: VERSION,
            field_mappings: Some(vec![
                mapping("EMAIL", LeadField::Email),
                mapping("CITY", LeadField::City),
            ]),
            matching_strategies: Some(vec![FileStrategy {
                name: "E-mail".to_owned(),
                fields: vec![LeadField::Email.into()],
                is_active: true,
            }]),
            custom_fields: Some(Vec::new()),
            integration_configuration: Some(FileSettings {
                matching: MatchingSettings::default(),
                fallback_owner: None,
            }),
            assignment_rules: Some(Vec::new()),
        }
    }

    fn text(file: &ConfigurationFile) -> String {
        serde_json::to_string_pretty(file).unwrap()
    }

    #[test]
    fn what_is_written_is_read_again_and_differs_in_nothing() {
        let read = ConfigurationFile::read(&text(&file())).unwrap();
        assert_eq!(read, file());
        assert_eq!(read.check(&file(), &Known::default()), []);
        assert_eq!(read.differences(&file()), []);
        let only = format!("{{\"format\":\"{FORMAT}\",\"version\":1}}");
        let only = ConfigurationFile::read(&only).unwrap();
        assert_eq!(only.differences(&file()), []);
    }

    #[test]
    fn a_file_that_cannot_be_read_says_where() {
        let good = text(&file());
        for (bad, place) in [
            ("", "line 1, column 0"),
            ("{\n  \"format\": 1\n}", "line 2, column 13"),
            ("{}", "format"),
            ("{\"format\":\"other\",\"version\":1}", "format"),
            (&good.replace("\"version\": 1", "\"version\": 2"), "version"),
            (
                &good.replace("\"CITY\"\n", "\"CI\\u0000TY\"\n"),
                "field_mappings[1].source.key",
            ),
        ] {
            assert_eq!(
                ConfigurationFile::read(bad).unwrap_err().place,
                place,
                "{bad}"
            );
        }
        let unknown = good.replace("\"policy\": \"overwrite\"", "\"policy\": \"sing\"");
        let told = ConfigurationFile::read(&unknown).unwrap_err();
        assert!(told.place.starts_with("line "), "{told:?}");
        assert!(told.message.contains("sing"), "{told:?}");
    }

    #[test]
    fn what_the_portal_cannot_take_is_told_with_its_place() {
        let mut bad = file();
        let mut wrong = mapping("EMAIL", LeadField::Email);
        wrong.form = Some(7);
        wrong.position = -1;
        wrong.name = " ".to_owned();
        wrong.target = FieldKey::Custom("tier".to_owned());
        bad.field_mappings = Some(vec![
            wrong,
            mapping("CITY", LeadField::City),
            mapping("CITY", LeadField::City),
        ]);
        bad.integration_configuration = Some(FileSettings {
            matching: MatchingSettings {
                default_country: Some("Germany".to_owned()),
                ..MatchingSettings::default()
            },
            fallback_owner: Some("nobody@example.com".to_owned()),
        });
        bad.assignment_rules = Some(vec![FileRule {
            condition: FileCondition::Form { linkedin_id: 7 },
            owner: "nobody@example.com".to_owned(),
        }]);
        let places: Vec<String> = bad
            .check(&file(), &Known::default())
            .into_iter()
            .map(|problem| problem.place)
            .collect();
        assert_eq!(
            places,
            [
                "field_mappings[0].name",
                "field_mappings[0].form",
                "field_mappings[0].target",
                "field_mappings[0].position",
                "field_mappings[2]",
                "matching_strategies[0].fields",
                "integration_configuration.matching.default_country",
                "integration_configuration.fallback_owner",
                "assignment_rules[0].owner",
                "assignment_rules[0].condition",
            ]
        );
        let mut two = file();
        two.matching_strategies = Some(Vec::new());
        assert_eq!(
            two.check(&file(), &Known::default())[0].place,
            "matching_strategies"
        );
        let mut without = file();
        without.matching_strategies = None;
        without.field_mappings = Some(Vec::new());
        assert_eq!(
            without.check(&file(), &Known::default())[0].place,
            "field_mappings"
        );
    }

    #[test]
    fn added_changed_and_removed_records_are_told_apart() {
        let mut after = file();
        let mut city = mapping("CITY", LeadField::City);
        city.policy = WritePolicy::Append;
        after.field_mappings = Some(vec![city, mapping("STATE", LeadField::State)]);
        let told: Vec<_> = after
            .differences(&file())
            .into_iter()
            .map(|one| (one.kind, one.name, one.members))
            .collect();
        let change = (
            "policy".to_owned(),
            "overwrite".to_owned(),
            "append".to_owned(),
        );
        assert_eq!(
            told,
            [
                (
                    DifferenceKind::Changed,
                    "LinkedIn field CITY → City".to_owned(),
                    vec![change]
                ),
                (
                    DifferenceKind::Added,
                    "LinkedIn field STATE → State".to_owned(),
                    vec![]
                ),
                (
                    DifferenceKind::Removed,
                    "LinkedIn field EMAIL → Email".to_owned(),
                    vec![]
                ),
            ]
        );
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in any::<String>()) {
            let _either = ConfigurationFile::read(&text);
        }
    }
}
