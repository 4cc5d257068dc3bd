//! Which part of a lead goes to which column of a Dynamics 365 organization, how a value is fitted to its column, and what of
//! it is written over what stands there.

mod fit;
mod typed;
mod write;

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

pub use fit::{ColumnValue, Misfit, fit};
pub use typed::{ColumnRuleError, TypedRule, check};
pub use write::{Standing, Wanted, Write, changes};

use super::field_mapping::{FieldMapping, WritePolicy};
use super::lead::{FieldKey, Lead, LeadField, LeadSource};
use super::words::UnknownWord;

/// A part of a lead that a column can take.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum LeadPart {
    /// What the lead is known by here: by it its record is found again, whatever people change.
    Id,
    /// The value of a field.
    Field(FieldKey),
    /// What the lead is about.
    Topic,
    /// Where the lead came from: the label of its source.
    Source,
}

impl LeadPart {
    /// The stored word: that of the field, `id`, `topic` or `source`.
    #[must_use]
    pub fn word(&self) -> String {
        match self {
            Self::Field(key) => key.word().into_owned(),
            Self::Id => "id".to_owned(),
            Self::Topic => "topic".to_owned(),
            Self::Source => "source".to_owned(),
        }
    }

    /// The part's value on a lead; `None` where it has none.
    #[must_use]
    pub fn value<'a>(&self, lead: &'a Lead) -> Option<&'a str> {
        match self {
            Self::Field(key) => lead.values.get(key).map(String::as_str),
            Self::Id => Some(lead.id.as_str()),
            Self::Topic => Some(lead.topic.as_str()),
            Self::Source => Some(lead.source.label()),
        }
        .filter(|value| !value.trim().is_empty())
    }
}

impl std::str::FromStr for LeadPart {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        match word {
            "id" => Ok(Self::Id),
            "topic" => Ok(Self::Topic),
            "source" => Ok(Self::Source),
            field => field.parse().map(Self::Field),
        }
    }
}

impl TryFrom<String> for LeadPart {
    type Error = UnknownWord;

    fn try_from(word: String) -> Result<Self, UnknownWord> {
        word.parse()
    }
}

impl From<LeadPart> for String {
    fn from(part: LeadPart) -> Self {
        part.word()
    }
}

/// One line of the mapping.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnRule {
    /// The part of the lead.
    pub part: LeadPart,
    /// The column's name in requests.
    pub column: String,
    /// Whether a text that is too long is cut; otherwise it is left out and flagged.
    #[serde(default)]
    pub cuts: bool,
    /// What is sent instead of a value; nothing is sent where the replacement is empty.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, String>,
}

/// The mapping of an organization: every part and every column at most once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ColumnMapping {
    /// Its lines.
    pub rules: Vec<ColumnRule>,
}

impl ColumnMapping {
    /// What the product ships (product.md §3).
    #[must_use]
    pub fn shipped() -> Self {
        let rule = |part, column: &str| ColumnRule {
            part,
            column: column.to_owned(),
            cuts: false,
            values: BTreeMap::new(),
        };
        let mut rules = vec![
            rule(LeadPart::Topic, "subject"),
            ColumnRule {
                values: shipped_sources(),
                ..rule(LeadPart::Source, "leadsourcecode")
            },
        ];
        rules.extend(LeadField::ALL.iter().filter_map(|field| {
            let part = LeadPart::Field(FieldKey::Standard(*field));
            Some(rule(part, field.dataverse_column()?))
        }));
        Self { rules }
    }

    /// The line of a part.
    #[must_use]
    pub fn of(&self, part: &LeadPart) -> Option<&ColumnRule> {
        self.rules.iter().find(|rule| rule.part == *part)
    }

    /// The line of a field.
    #[must_use]
    pub fn of_field(&self, field: &FieldKey) -> Option<&ColumnRule> {
        self.rules
            .iter()
            .find(|rule| matches!(&rule.part, LeadPart::Field(key) if key == field))
    }
}

/// Dataverse's own lead sources for ours: an advertisement, or the web; none for leads that did not come from LinkedIn.
fn shipped_sources() -> BTreeMap<String, String> {
    LeadSource::ALL
        .iter()
        .map(|source| {
            let code = match source {
                LeadSource::LinkedinSponsoredContent => "1",
                LeadSource::LinkedinEvent
                | LeadSource::LinkedinCompanyPage
                | LeadSource::LinkedinProductPage => "8",
                LeadSource::Manual | LeadSource::Import => "",
            };
            (source.label().to_owned(), code.to_owned())
        })
        .collect()
}

/// How each field is written over what stands in the organization: as its field mappings say, where they agree; else overwrite.
/// Those of single forms count only for fields that the whole organisation does not map: one form's wish is not every lead's.
#[must_use]
pub fn policies(mappings: &[FieldMapping]) -> HashMap<FieldKey, WritePolicy> {
    let (general, of_forms): (Vec<_>, Vec<_>) = mappings
        .iter()
        .partition(|mapping| mapping.form_id.is_none());
    let mut policies = agreed(&of_forms);
    policies.extend(agreed(&general));
    policies
}

fn agreed(mappings: &[&FieldMapping]) -> HashMap<FieldKey, WritePolicy> {
    let mut policies: HashMap<FieldKey, WritePolicy> = HashMap::new();
    for mapping in mappings {
        policies
            .entry(mapping.target.clone())
            .and_modify(|policy| {
                if *policy != mapping.policy {
                    *policy = WritePolicy::Overwrite;
                }
            })
            .or_insert(mapping.policy);
    }
    policies
}

/// A value that no column could take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// The part of the lead.
    pub part: LeadPart,
    /// The column that it is mapped to.
    pub column: String,
    /// Why.
    pub why: Misfit,
}

#[cfg(test)]
mod tests {
    use super::super::field_mapping::Source;
    use super::*;

    #[test]
    fn the_shipped_mapping_has_every_part_and_every_column_once() {
        let mapping = ColumnMapping::shipped();
        let parts: std::collections::BTreeSet<_> = mapping.rules.iter().map(|r| &r.part).collect();
        let columns: std::collections::BTreeSet<_> =
            mapping.rules.iter().map(|r| &r.column).collect();
        assert_eq!(parts.len(), mapping.rules.len());
        assert_eq!(columns.len(), mapping.rules.len());
        let email = mapping.of_field(&LeadField::Email.into()).expect("a line");
        assert_eq!(email.column, "emailaddress1");
    }

    #[test]
    fn one_forms_policy_is_not_that_of_every_lead() {
        let mapping = |form: Option<&str>, field: LeadField, policy| FieldMapping {
            id: "01990000-0000-7000-8000-000000000001"
                .parse()
                .expect("an id"),
            name: String::new(),
            form_id: form.map(|id| id.parse().expect("an id")),
            source: Source::FormName,
            target: field.into(),
            policy,
            transforms: Vec::new(),
            position: 1,
        };
        let form = Some("01990000-0000-7000-8000-000000000002");
        let policies = policies(&[
            mapping(form, LeadField::City, WritePolicy::Overwrite),
            mapping(None, LeadField::City, WritePolicy::FillIfEmpty),
            mapping(form, LeadField::Phone, WritePolicy::Append),
        ]);
        assert_eq!(
            policies.get(&LeadField::City.into()),
            Some(&WritePolicy::FillIfEmpty)
        );
        assert_eq!(
            policies.get(&LeadField::Phone.into()),
            Some(&WritePolicy::Append)
        );
    }

    #[test]
    fn a_mapping_is_stored_and_read() {
        let mapping = ColumnMapping::shipped();
        let text = serde_json::to_string(&mapping).expect("JSON");
        assert_eq!(
            serde_json::from_str::<ColumnMapping>(&text).ok(),
            Some(mapping)
        );
        let custom = r#"[{"part":"custom.budget","column":"new_budget"}]"#;
        let custom: ColumnMapping = serde_json::from_str(custom).expect("a mapping");
        assert_eq!(
            custom.rules.first().map(|rule| rule.part.clone()),
            Some(LeadPart::Field(FieldKey::Custom("budget".to_owned())))
        );
        assert!(serde_json::from_str::<ColumnMapping>(r#"[{"part":"x y","column":"a"}]"#).is_err());
    }
}
