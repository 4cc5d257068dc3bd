//! Fits a value to its column.

use serde::Serialize;

use super::ColumnRule;
use crate::domain::lead_column::{DateTimeBehavior, LeadColumn, LeadColumnKind};
use crate::domain::normalise;
use crate::domain::words::words;

/// A value as a column takes it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum ColumnValue {
    /// A text, a day.
    Text(String),
    /// A whole number, the number of an option.
    Integer(i64),
    /// A number with a fraction.
    Decimal(f64),
    /// Yes or no.
    Boolean(bool),
}

impl ColumnValue {
    /// A number, alike however it is written: `5000` and `5000.0` are one.
    #[must_use]
    pub fn number(number: f64) -> Self {
        // Up to here every whole number has a value of its own.
        const EXACT: f64 = 9_007_199_254_740_992.0;
        if number.fract() == 0.0 && number.abs() <= EXACT {
            Self::Integer(number as i64)
        } else {
            Self::Decimal(number)
        }
    }
}

words! {
    /// Why a value is left out.
    pub enum Misfit {
        NoSuchColumn = "no_such_column" => "the organization has no such column",
        NotWritable = "not_writable" => "the column cannot be written",
        TooLong = "too_long" => "the text is longer than the column",
        NotANumber = "not_a_number" => "it is not a number",
        OutOfRange = "out_of_range" => "the number is too small or too large for the column",
        NotADay = "not_a_day" => "it is not a full date",
        NotYesOrNo = "not_yes_or_no" => "it is neither yes nor no",
        NoSuchOption = "no_such_option" => "the column has no such option",
    }
}

/// The value as the column takes it; `None` when the rule says that nothing is sent for it.
///
/// - Text: trimmed; longer than the column (in UTF-16 units, as Dataverse counts) it is cut only where the rule says so.
/// - Whole number: thousands separators are read; of a range (`51-200`, `10,001+`) its lower end is taken.
/// - Number: within the bounds of the column.
/// - Day: only a full date; a column that keeps a time, too, gets one with it.
/// - Option: by its number or its words, without regard to case.
///
/// # Errors
/// Why it is left out.
pub fn fit(
    rule: &ColumnRule,
    value: &str,
    column: Option<&LeadColumn>,
) -> Result<Option<ColumnValue>, Misfit> {
    let value = match replaced(rule, value) {
        Some("") => return Ok(None),
        Some(other) => other,
        None => value.trim(),
    };
    let column = column.ok_or(Misfit::NoSuchColumn)?;
    if !column.is_mappable() {
        return Err(Misfit::NotWritable);
    }
    let fitted = match &column.kind {
        LeadColumnKind::Text { max_length } => {
            ColumnValue::Text(text(value, *max_length, rule.cuts)?)
        }
        LeadColumnKind::Integer { min, max } => ColumnValue::Integer(integer(value, *min, *max)?),
        LeadColumnKind::Decimal { min, max } => decimal(value, *min, *max)?,
        LeadColumnKind::Boolean => ColumnValue::Boolean(boolean(value)?),
        LeadColumnKind::DateTime { behavior } => ColumnValue::Text(day(value, *behavior)?),
        LeadColumnKind::Choice { options } => ColumnValue::Integer(option(value, options)?),
        LeadColumnKind::Other => return Err(Misfit::NotWritable),
    };
    Ok(Some(fitted))
}

fn replaced<'a>(rule: &'a ColumnRule, value: &str) -> Option<&'a str> {
    let key = normalise::text(value);
    rule.values
        .iter()
        .find(|(from, _)| normalise::text(from) == key)
        .map(|(_, to)| to.trim())
}

fn text(value: &str, max_length: Option<u32>, cuts: bool) -> Result<String, Misfit> {
    let Some(max) = max_length.and_then(|max| usize::try_from(max).ok()) else {
        return Ok(value.to_owned());
    };
    if value.encode_utf16().count() <= max {
        return Ok(value.to_owned());
    }
    if !cuts {
        return Err(Misfit::TooLong);
    }
    let mut left = max;
    let kept: String = value
        .chars()
        .take_while(|c| {
            let fits = c.len_utf16() <= left;
            left = left.saturating_sub(c.len_utf16());
            fits
        })
        .collect();
    Ok(kept.trim_end().to_owned())
}

fn integer(value: &str, min: i64, max: i64) -> Result<i64, Misfit> {
    let (negative, rest) = match value.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, value),
    };
    let lower = rest
        .split(['-', '–', '—', '+'])
        .next()
        .unwrap_or_default()
        .trim();
    let is_number = lower.chars().next().is_some_and(|c| c.is_ascii_digit())
        && lower
            .chars()
            .all(|c| c.is_ascii_digit() || matches!(c, ',' | '.' | '\'' | ' ' | '\u{a0}'))
        && groups_of_three(lower);
    let rest_is_range = rest
        .chars()
        .all(|c| c.is_ascii_digit() || " ,.'-–—+\u{a0}".contains(c))
        || rest
            .split_whitespace()
            .skip(1)
            .all(|word| word.chars().all(char::is_alphabetic));
    if !is_number || !rest_is_range {
        return Err(Misfit::NotANumber);
    }
    let digits: String = lower.chars().filter(char::is_ascii_digit).collect();
    let number: i64 = digits.parse().map_err(|_| Misfit::OutOfRange)?;
    let number = if negative { -number } else { number };
    if (min..=max).contains(&number) {
        Ok(number)
    } else {
        Err(Misfit::OutOfRange)
    }
}

/// Whether what stands between separators is groups of three digits: `1,500`, but not `1.5`.
fn groups_of_three(text: &str) -> bool {
    let mut groups = text.split(|c: char| !c.is_ascii_digit());
    let first = groups.next().unwrap_or_default();
    let rest: Vec<&str> = groups.collect();
    rest.is_empty() || (first.len() <= 3 && rest.iter().all(|group| group.len() == 3))
}

fn decimal(value: &str, min: Option<f64>, max: Option<f64>) -> Result<ColumnValue, Misfit> {
    let number: f64 = value.parse().map_err(|_| Misfit::NotANumber)?;
    if !number.is_finite() {
        Err(Misfit::NotANumber)
    } else if min.is_some_and(|min| number < min) || max.is_some_and(|max| number > max) {
        Err(Misfit::OutOfRange)
    } else {
        Ok(ColumnValue::number(number))
    }
}

fn boolean(value: &str) -> Result<bool, Misfit> {
    match value.to_ascii_lowercase().as_str() {
        "yes" | "true" | "1" => Ok(true),
        "no" | "false" | "0" => Ok(false),
        _ => Err(Misfit::NotYesOrNo),
    }
}

fn day(value: &str, behavior: DateTimeBehavior) -> Result<String, Misfit> {
    let day = chrono::NaiveDate::parse_from_str(value, "%Y-%m-%d").map_err(|_| Misfit::NotADay)?;
    Ok(match behavior {
        DateTimeBehavior::DateOnly => day.to_string(),
        DateTimeBehavior::TimeZoneIndependent => format!("{day}T00:00:00Z"),
        // At noon it is the same day for nearly everybody who reads it.
        DateTimeBehavior::UserLocal => format!("{day}T12:00:00Z"),
    })
}

fn option(value: &str, options: &[(i64, String)]) -> Result<i64, Misfit> {
    let key = normalise::text(value);
    let by_number = value
        .parse::<i64>()
        .ok()
        .filter(|number| options.iter().any(|(known, _)| known == number));
    by_number
        .or_else(|| {
            options
                .iter()
                .find(|(_, label)| key.is_some() && normalise::text(label) == key)
                .map(|(number, _)| *number)
        })
        .ok_or(Misfit::NoSuchOption)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::LeadPart;
    use super::*;

    fn rule(cuts: bool, values: &[(&str, &str)]) -> ColumnRule {
        ColumnRule {
            part: LeadPart::Topic,
            column: "x".to_owned(),
            cuts,
            values: values
                .iter()
                .map(|(from, to)| ((*from).to_owned(), (*to).to_owned()))
                .collect::<BTreeMap<_, _>>(),
        }
    }

    fn column(kind: LeadColumnKind) -> LeadColumn {
        LeadColumn {
            name: "x".to_owned(),
            label: "X".to_owned(),
            kind,
            is_required: false,
            can_create: true,
            can_update: true,
        }
    }

    fn fitted(kind: LeadColumnKind, value: &str) -> Result<Option<ColumnValue>, Misfit> {
        fit(&rule(false, &[]), value, Some(&column(kind)))
    }

    #[test]
    fn a_text_is_cut_only_where_the_rule_says_so_and_never_within_a_character() {
        let kind = || LeadColumnKind::Text {
            max_length: Some(4),
        };
        assert_eq!(
            fitted(kind(), " abcd "),
            Ok(Some(ColumnValue::Text("abcd".to_owned())))
        );
        assert_eq!(fitted(kind(), "abcde"), Err(Misfit::TooLong));
        // A flag is two units twice: three letters and half of it would be five.
        assert_eq!(fitted(kind(), "abc😀"), Err(Misfit::TooLong));
        let cut = fit(&rule(true, &[]), "abc😀", Some(&column(kind())));
        assert_eq!(cut, Ok(Some(ColumnValue::Text("abc".to_owned()))));
    }

    #[test]
    fn a_whole_number_is_read_as_people_and_linkedin_write_it() {
        let read = |value| {
            fitted(
                LeadColumnKind::Integer {
                    min: 0,
                    max: 1_000_000,
                },
                value,
            )
        };
        for (value, number) in [
            ("42", 42),
            ("1,500", 1500),
            ("51-200", 51),
            ("1,001-5,000", 1001),
            ("10,001+", 10_001),
            ("11–50", 11),
            ("51-200 employees", 51),
        ] {
            assert_eq!(
                read(value),
                Ok(Some(ColumnValue::Integer(number))),
                "{value}"
            );
        }
        for value in ["", "about 50", "1.5", "12a", "5 of 9 9x"] {
            assert_eq!(read(value), Err(Misfit::NotANumber), "{value}");
        }
        assert_eq!(read("-3"), Err(Misfit::OutOfRange));
        assert_eq!(read("99999999999999999999"), Err(Misfit::OutOfRange));
    }

    #[test]
    fn an_option_is_found_by_its_words_its_number_or_the_value_map() {
        let options = || LeadColumnKind::Choice {
            options: vec![(1, "Advertisement".to_owned()), (8, "Web".to_owned())],
        };
        assert_eq!(fitted(options(), "web"), Ok(Some(ColumnValue::Integer(8))));
        assert_eq!(fitted(options(), "1"), Ok(Some(ColumnValue::Integer(1))));
        assert_eq!(fitted(options(), "Fair"), Err(Misfit::NoSuchOption));
        let mapped = rule(false, &[("Fair", "Advertisement"), ("Manual", "")]);
        assert_eq!(
            fit(&mapped, "fair", Some(&column(options()))),
            Ok(Some(ColumnValue::Integer(1)))
        );
        assert_eq!(fit(&mapped, "Manual", None), Ok(None));
    }

    #[test]
    fn days_yes_and_no_and_numbers() {
        let date = |behavior| LeadColumnKind::DateTime { behavior };
        let number = || LeadColumnKind::Decimal {
            min: Some(0.0),
            max: Some(1000.0),
        };
        assert_eq!(
            fitted(date(DateTimeBehavior::DateOnly), "2026-02-03"),
            Ok(Some(ColumnValue::Text("2026-02-03".to_owned())))
        );
        assert_eq!(
            fitted(date(DateTimeBehavior::UserLocal), "2026-02-03"),
            Ok(Some(ColumnValue::Text("2026-02-03T12:00:00Z".to_owned())))
        );
        assert_eq!(
            fitted(date(DateTimeBehavior::TimeZoneIndependent), "2026"),
            Err(Misfit::NotADay)
        );
        assert_eq!(
            fitted(LeadColumnKind::Boolean, "yes"),
            Ok(Some(ColumnValue::Boolean(true)))
        );
        assert_eq!(
            fitted(LeadColumnKind::Boolean, "maybe"),
            Err(Misfit::NotYesOrNo)
        );
        assert_eq!(fitted(number(), "1.5"), Ok(Some(ColumnValue::Decimal(1.5))));
        assert_eq!(
            fitted(number(), "1000.0"),
            Ok(Some(ColumnValue::Integer(1000))),
            "as the service writes it"
        );
        assert_eq!(fitted(number(), "1000.1"), Err(Misfit::OutOfRange));
        assert_eq!(fitted(number(), "-0.1"), Err(Misfit::OutOfRange));
        assert_eq!(fitted(number(), "NaN"), Err(Misfit::NotANumber));
    }

    #[test]
    fn a_column_that_is_not_there_or_not_written_takes_nothing() {
        assert_eq!(fit(&rule(false, &[]), "x", None), Err(Misfit::NoSuchColumn));
        assert_eq!(fitted(LeadColumnKind::Other, "x"), Err(Misfit::NotWritable));
    }
}
