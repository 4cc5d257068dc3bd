//! One value of a record: read from JSON as its column allows, written as the Web API writes it.

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::columns::{Column, Kind};
use super::exchange::Refusal;

/// A value that is not null.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    Text(String),
    Whole(i64),
    Decimal(f64),
    Flag(bool),
    Time(DateTime<Utc>),
    Date(NaiveDate),
    /// The table's logical name and the record's id.
    Reference(&'static str, Uuid),
}

impl Cell {
    /// The value as JSON; a reference is its id.
    pub(super) fn json(&self) -> Value {
        match self {
            Self::Text(text) => json!(text),
            Self::Whole(number) => json!(number),
            Self::Decimal(number) => json!(number),
            Self::Flag(flag) => json!(flag),
            Self::Time(time) => json!(time.to_rfc3339_opts(SecondsFormat::Secs, true)),
            Self::Date(date) => json!(date.to_string()),
            Self::Reference(_, id) => json!(id.to_string()),
        }
    }

    /// How equal texts compare: without case and without blanks at the end, as the usual collation does.
    pub(super) fn index_key(&self) -> String {
        match self {
            Self::Text(text) => folded(text),
            Self::Reference(_, id) => id.to_string(),
            other => other.json().to_string(),
        }
    }
}

/// A text as filters and keys compare it.
pub(super) fn folded(text: &str) -> String {
    text.trim_end().to_lowercase()
}

/// Reads a value for a column of a table; nothing where it is null or empty text, which the service stores as null.
pub(super) fn read(table: &str, column: &Column, value: &Value) -> Result<Option<Cell>, Refusal> {
    let name = column.name.as_ref();
    let wrong = || {
        Refusal::payload(&format!(
            "Cannot convert a value to the type of the property '{name}' of 'Microsoft.Dynamics.CRM.{table}'."
        ))
    };
    if value.is_null() {
        return Ok(None);
    }
    let whole = || value.as_i64().ok_or_else(wrong);
    Ok(Some(match &column.kind {
        Kind::Text { max, .. } | Kind::Memo { max } => {
            let text = value.as_str().ok_or_else(wrong)?;
            // The service counts UTF-16 units, as its database does.
            if text.encode_utf16().count() > *max {
                return Err(Refusal::new(
                    400,
                    "0x80044331",
                    format!(
                        "A validation error occurred.  The length of the '{name}' attribute of the '{table}' entity exceeded the maximum allowed length of '{max}'."
                    ),
                ));
            }
            if text.is_empty() {
                return Ok(None);
            }
            Cell::Text(text.to_owned())
        }
        Kind::Whole { min, max } => {
            let number = whole()?;
            if number < *min || number > *max {
                return Err(out_of_range(
                    table,
                    name,
                    &value.to_string(),
                    &format!("{min} to {max}"),
                ));
            }
            Cell::Whole(number)
        }
        Kind::Decimal { min, max, .. } => {
            let number = value.as_f64().ok_or_else(wrong)?;
            if number < *min || number > *max {
                return Err(out_of_range(
                    table,
                    name,
                    &value.to_string(),
                    &format!("{min} to {max}"),
                ));
            }
            Cell::Decimal(number)
        }
        Kind::Choice { options } | Kind::State { options } => {
            let number = whole()?;
            if !options.iter().any(|(known, _)| *known == number) {
                let known: Vec<String> = options.iter().map(|(n, _)| n.to_string()).collect();
                return Err(out_of_range(
                    table,
                    name,
                    &number.to_string(),
                    &known.join(","),
                ));
            }
            Cell::Whole(number)
        }
        Kind::Status { options } => {
            let number = whole()?;
            if !options.iter().any(|(known, _, _)| *known == number) {
                let known: Vec<String> = options.iter().map(|(n, _, _)| n.to_string()).collect();
                return Err(out_of_range(
                    table,
                    name,
                    &number.to_string(),
                    &known.join(","),
                ));
            }
            Cell::Whole(number)
        }
        Kind::Flag => Cell::Flag(value.as_bool().ok_or_else(wrong)?),
        Kind::Time => Cell::Time(
            value
                .as_str()
                .and_then(|text| DateTime::parse_from_rfc3339(text).ok())
                .ok_or_else(wrong)?
                .with_timezone(&Utc),
        ),
        Kind::Date => Cell::Date(
            value
                .as_str()
                .and_then(|text| text.parse().ok())
                .ok_or_else(wrong)?,
        ),
        Kind::Id => Cell::Text(
            value
                .as_str()
                .and_then(|text| Uuid::try_parse(text).ok())
                .ok_or_else(wrong)?
                .to_string(),
        ),
        Kind::Lookup { .. } => {
            return Err(Refusal::payload(&format!(
                "A 'PrimitiveValue' node with non-null value was found when trying to read the value of a navigation property '{name}'; however, a 'StartArray' node, a 'StartObject' node, or a 'PrimitiveValue' node with null value was expected."
            )));
        }
        Kind::Version => return Ok(None),
    }))
}

fn out_of_range(table: &str, column: &str, value: &str, accepted: &str) -> Refusal {
    Refusal::new(
        400,
        "0x8004431a",
        format!(
            "A validation error occurred. The value {value} of '{column}' on record of type '{table}' is outside the valid range. Accepted Values: {accepted}"
        ),
    )
}
