//! The columns of the lead table as this organization has them: kinds, lengths, options, what is needed.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;

use super::DataverseClient;
use super::error::DataverseError;
use super::http::Call;
use super::wire::{Attribute, Collection};

/// What a column holds.
#[derive(Debug, Clone, PartialEq)]
pub enum ColumnKind {
    /// A text of at most so many characters.
    Text {
        /// The longest text.
        max_length: Option<u32>,
    },
    /// A whole number.
    Integer {
        /// The smallest.
        min: i64,
        /// The largest.
        max: i64,
    },
    /// A number with a fraction, an amount of money.
    Decimal {
        /// The smallest, where the organization says so.
        min: Option<f64>,
        /// The largest, where the organization says so.
        max: Option<f64>,
    },
    /// Yes or no.
    Boolean,
    /// A day or a moment.
    DateTime {
        /// Dataverse's `DateTimeBehavior`: `DateOnly`, `TimeZoneIndependent` or `UserLocal`.
        behavior: Option<String>,
    },
    /// One of several options: their number and their words.
    Choice(Vec<(i64, String)>),
    /// Anything that this client cannot write: lookups, owners, states.
    Other,
}

/// A column of the lead table.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Its name in requests.
    pub name: String,
    /// Its name for people, in the language of the application user.
    pub label: String,
    /// What it holds.
    pub kind: ColumnKind,
    /// Whether the organization's own forms ask for it.
    pub is_required: bool,
    /// Whether a create may carry it.
    pub can_create: bool,
    /// Whether an update may carry it.
    pub can_update: bool,
}

const TABLE: &str = "EntityDefinitions(LogicalName='lead')/Attributes";

impl DataverseClient {
    /// The columns of the lead table, by name.
    ///
    /// # Errors
    /// As the organization.
    pub async fn lead_columns(&self) -> Result<Vec<Column>, DataverseError> {
        let all: Vec<Attribute> = self
            .attributes(&format!(
                "{TABLE}?$select=LogicalName,AttributeType,RequiredLevel,IsValidForCreate,IsValidForUpdate,DisplayName"
            ))
            .await?;
        let mut details: BTreeMap<String, Attribute> = BTreeMap::new();
        // MaxLength and the like are only there on the cast (dataverse-api.md §2.13).
        for cast in [
            "StringAttributeMetadata?$select=LogicalName,MaxLength",
            "MemoAttributeMetadata?$select=LogicalName,MaxLength",
            "IntegerAttributeMetadata?$select=LogicalName,MinValue,MaxValue",
            "DecimalAttributeMetadata?$select=LogicalName,MinValue,MaxValue",
            "DoubleAttributeMetadata?$select=LogicalName,MinValue,MaxValue",
            "MoneyAttributeMetadata?$select=LogicalName,MinValue,MaxValue",
            "DateTimeAttributeMetadata?$select=LogicalName,DateTimeBehavior",
            "PicklistAttributeMetadata?$select=LogicalName&$expand=OptionSet($select=Options),GlobalOptionSet($select=Options)",
        ] {
            let path = format!("{TABLE}/Microsoft.Dynamics.CRM.{cast}");
            for attribute in self.attributes(&path).await? {
                details.insert(attribute.logical_name.clone(), attribute);
            }
        }
        let mut columns: Vec<Column> = all
            .into_iter()
            .map(|attribute| {
                let detail = details.remove(&attribute.logical_name);
                column(attribute, detail)
            })
            .collect();
        columns.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(columns)
    }

    async fn attributes(&self, path: &str) -> Result<Vec<Attribute>, DataverseError> {
        self.collection(path).await
    }

    /// A collection that comes in one page.
    async fn collection<T: DeserializeOwned>(&self, path: &str) -> Result<Vec<T>, DataverseError> {
        let received = self.call(&Call::get(self.address_of(path))).await?;
        Ok(received.json::<Collection<T>>()?.value)
    }
}

fn column(attribute: Attribute, detail: Option<Attribute>) -> Column {
    let kind = match (
        attribute.attribute_type.as_deref().unwrap_or_default(),
        &detail,
    ) {
        ("String" | "Memo", detail) => ColumnKind::Text {
            max_length: detail
                .as_ref()
                .and_then(|detail| detail.max_length)
                .and_then(|length| u32::try_from(length).ok()),
        },
        ("Integer", detail) => {
            let bound = |value: Option<f64>, otherwise: i32| {
                // The service's bounds are whole 32-bit numbers.
                value.map_or(i64::from(otherwise), |value| value as i64)
            };
            let detail = detail.as_ref();
            ColumnKind::Integer {
                min: bound(detail.and_then(|d| d.min_value), i32::MIN),
                max: bound(detail.and_then(|d| d.max_value), i32::MAX),
            }
        }
        ("Decimal" | "Double" | "Money", detail) => ColumnKind::Decimal {
            min: detail.as_ref().and_then(|detail| detail.min_value),
            max: detail.as_ref().and_then(|detail| detail.max_value),
        },
        ("Boolean", _) => ColumnKind::Boolean,
        ("DateTime", detail) => ColumnKind::DateTime {
            behavior: detail
                .as_ref()
                .and_then(|detail| detail.date_time_behavior.as_ref())
                .map(|behavior| behavior.value.clone()),
        },
        ("Picklist", Some(detail)) => ColumnKind::Choice(
            detail
                .option_set
                .iter()
                .chain(detail.global_option_set.iter())
                .flat_map(|set| &set.options)
                .map(|option| {
                    let label = option.label.text().unwrap_or_default();
                    (option.value, label.to_owned())
                })
                .collect(),
        ),
        _ => ColumnKind::Other,
    };
    let label = attribute
        .display_name
        .as_ref()
        .and_then(|label| label.text());
    Column {
        label: label.unwrap_or(&attribute.logical_name).to_owned(),
        kind,
        is_required: attribute.required_level.is_some_and(|level| {
            matches!(
                level.value.as_str(),
                "ApplicationRequired" | "SystemRequired"
            )
        }),
        can_create: attribute.is_valid_for_create.unwrap_or(false),
        can_update: attribute.is_valid_for_update.unwrap_or(false),
        name: attribute.logical_name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(text: &str) -> Attribute {
        serde_json::from_str(text).expect("an attribute")
    }

    #[test]
    fn a_text_column_has_the_length_of_its_cast() {
        let column = column(
            attribute(
                r#"{"LogicalName":"subject","AttributeType":"String","IsValidForCreate":true,"IsValidForUpdate":true,
                    "RequiredLevel":{"Value":"ApplicationRequired"},
                    "DisplayName":{"UserLocalizedLabel":{"Label":"Thema"},"LocalizedLabels":[]},"MetadataId":"x"}"#,
            ),
            Some(attribute(r#"{"LogicalName":"subject","MaxLength":300}"#)),
        );
        assert_eq!(
            column,
            Column {
                name: "subject".to_owned(),
                label: "Thema".to_owned(),
                kind: ColumnKind::Text {
                    max_length: Some(300)
                },
                is_required: true,
                can_create: true,
                can_update: true,
            }
        );
    }

    #[test]
    fn a_number_has_its_bounds_and_a_date_what_it_keeps() {
        let of = |kind: &str, detail: &str| {
            let all = format!(r#"{{"LogicalName":"x","AttributeType":"{kind}"}}"#);
            column(attribute(&all), Some(attribute(detail))).kind
        };
        assert_eq!(
            of(
                "Money",
                r#"{"LogicalName":"x","MinValue":0.0,"MaxValue":1000.5}"#
            ),
            ColumnKind::Decimal {
                min: Some(0.0),
                max: Some(1000.5)
            }
        );
        assert_eq!(
            of(
                "DateTime",
                r#"{"LogicalName":"x","DateTimeBehavior":{"Value":"DateOnly"}}"#
            ),
            ColumnKind::DateTime {
                behavior: Some("DateOnly".to_owned())
            }
        );
    }

    #[test]
    fn a_choice_has_its_options_with_their_words() {
        let column = column(
            attribute(
                r#"{"LogicalName":"leadsourcecode","AttributeType":"Picklist","DisplayName":{"LocalizedLabels":[]}}"#,
            ),
            Some(attribute(
                r#"{"LogicalName":"leadsourcecode","OptionSet":{"Options":[
                    {"Value":8,"Label":{"LocalizedLabels":[{"Label":"Web","LanguageCode":1033}]}}]},"GlobalOptionSet":null}"#,
            )),
        );
        assert_eq!(column.label, "leadsourcecode");
        assert_eq!(column.kind, ColumnKind::Choice(vec![(8, "Web".to_owned())]));
        assert!(!column.can_create);
    }

    #[test]
    fn a_lookup_is_not_written() {
        let column = column(
            attribute(
                r#"{"LogicalName":"campaignid","AttributeType":"Lookup","IsValidForCreate":true}"#,
            ),
            None,
        );
        assert_eq!(column.kind, ColumnKind::Other);
    }
}
