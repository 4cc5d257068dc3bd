//! Decides whether a value fits its field, and gives the form in which it is kept.

use chrono::{Datelike as _, NaiveDate};

use super::FlagKind;
use crate::domain::email_address;
use crate::domain::lead::FieldKind;

/// The value as the field keeps it.
///
/// Text stays as it was typed but for white space at its ends; dates become ISO 8601 (`2026-11-21`, `2026-11` or
/// `2026`); numbers lose their grouping; yes/no becomes `yes` or `no`; a choice takes the field's own spelling; a web
/// address without a scheme gets `https://`. `country` tells which comes first in `03/04/2026`.
///
/// # Errors
/// Why it does not fit.
pub fn fit(kind: &FieldKind, value: &str, country: Option<&str>) -> Result<String, FlagKind> {
    let value = value.trim();
    match kind {
        FieldKind::Text { max } => {
            if value.len() > *max && value.chars().count() > *max {
                Err(FlagKind::TooLong)
            } else {
                Ok(value.to_owned())
            }
        }
        FieldKind::Email => {
            if email_address::is_valid(value) {
                Ok(value.to_owned())
            } else {
                Err(FlagKind::NotAnEmailAddress)
            }
        }
        FieldKind::Phone => phone(value),
        FieldKind::Url => url(value),
        FieldKind::Date => date(value, country).ok_or(FlagKind::NotADate),
        FieldKind::Number => number(value).ok_or(FlagKind::NotANumber),
        FieldKind::YesNo => yes_no(value).map(str::to_owned).ok_or(FlagKind::NotYesOrNo),
        FieldKind::Choice { values } => {
            let wanted = crate::domain::normalise::text(value);
            values
                .iter()
                .find(|choice| crate::domain::normalise::text(choice) == wanted)
                .cloned()
                .ok_or(FlagKind::NotAChoice)
        }
    }
}

fn phone(value: &str) -> Result<String, FlagKind> {
    if value.chars().count() > 50 {
        return Err(FlagKind::TooLong);
    }
    let digits = value.chars().filter(|c| c.is_numeric()).count();
    let letters = value.chars().filter(|c| c.is_alphabetic()).count();
    // Letters: an extension, or a number to spell.
    if digits >= 3 && letters <= 12 && !value.contains(['<', '>', '@']) {
        Ok(value.to_owned())
    } else {
        Err(FlagKind::NotAPhoneNumber)
    }
}

fn url(value: &str) -> Result<String, FlagKind> {
    if value.len() > 2_000 {
        return Err(FlagKind::TooLong);
    }
    let starts_with = |prefix: &str| {
        value
            .get(..prefix.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    let (rest, has_scheme) = if starts_with("https://") {
        (value.get(8..).unwrap_or_default(), true)
    } else if starts_with("http://") {
        (value.get(7..).unwrap_or_default(), true)
    } else {
        (value, false)
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    // Credentials in front of the host disguise where a link leads; a colon without them is a port.
    let name = host.split(':').next().unwrap_or_default();
    let port = host.split_once(':').map(|(_, port)| port);
    let is_sound = !value
        .chars()
        .any(|c| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | '"' | '\\'))
        && name.contains('.')
        && !name.starts_with('.')
        && !name.contains("..")
        && name
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_'))
        && port.is_none_or(|port| {
            !port.is_empty() && port.len() <= 5 && port.bytes().all(|b| b.is_ascii_digit())
        });
    match (is_sound, has_scheme) {
        (false, _) => Err(FlagKind::NotAUrl),
        (true, true) => Ok(value.to_owned()),
        (true, false) => Ok(format!("https://{value}")),
    }
}

/// Reads a date as people and LinkedIn's forms write it; `None` where it is none or its order cannot be told.
fn date(value: &str, country: Option<&str>) -> Option<String> {
    if value.len() > 40 {
        return None;
    }
    // A time after the date says nothing about the day.
    let day = value
        .split_once('T')
        .filter(|(day, _)| day.len() == 10)
        .map_or(value, |(day, _)| day);
    let words: Vec<&str> = day
        .split(|c: char| c.is_whitespace() || matches!(c, '-' | '/' | '.' | ','))
        .filter(|w| !w.is_empty())
        .collect();
    let number = |word: &str| {
        word.parse::<u32>()
            .ok()
            .filter(|_| word.bytes().all(|b| b.is_ascii_digit()))
    };
    let is_year = |word: &str| word.len() == 4 && number(word).is_some();
    match words.as_slice() {
        [year] if is_year(year) => iso(number(year)?, None, None),
        [first, second] if is_year(first) => iso(number(first)?, Some(month(second)?), None),
        [first, second] if is_year(second) => iso(number(second)?, Some(month(first)?), None),
        [first, second, third] if is_year(first) => {
            iso(number(first)?, Some(month(second)?), Some(number(third)?))
        }
        [first, second, third] if is_year(third) => {
            let year = number(third)?;
            match (number(first), number(second)) {
                (None, Some(day)) => iso(year, Some(month(first)?), Some(day)),
                (Some(day), None) => iso(year, Some(month(second)?), Some(day)),
                (Some(a), Some(b)) => {
                    let month_first = country.is_some_and(|code| code.eq_ignore_ascii_case("US"));
                    if a > 12 || (!month_first && (value.contains('.') || country.is_some())) {
                        iso(year, Some(b), Some(a))
                    } else if b > 12 || month_first || a == b {
                        iso(year, Some(a), Some(b))
                    } else {
                        None
                    }
                }
                (None, None) => None,
            }
        }
        _ => None,
    }
}

/// The number of a month, from a number or an English name (LinkedIn's forms give “January 2020” there).
fn month(word: &str) -> Option<u32> {
    const NAMES: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    if word.bytes().all(|b| b.is_ascii_digit()) {
        return word.parse().ok();
    }
    let word = word.to_ascii_lowercase();
    let index = NAMES
        .iter()
        .position(|name| word.len() >= 3 && name.starts_with(word.as_str()))?;
    u32::try_from(index).ok().map(|index| index + 1)
}

fn iso(year: u32, month: Option<u32>, day: Option<u32>) -> Option<String> {
    let whole = NaiveDate::from_ymd_opt(
        i32::try_from(year).ok()?,
        month.unwrap_or(1),
        day.unwrap_or(1),
    )?;
    if !(1900..=2200).contains(&whole.year()) {
        return None;
    }
    Some(match (month, day) {
        (None, _) => format!("{:04}", whole.year()),
        (Some(_), None) => format!("{:04}-{:02}", whole.year(), whole.month()),
        (Some(_), Some(_)) => whole.to_string(),
    })
}

/// A plain decimal number without grouping: `1,234.5` and `1.234,5` both become `1234.5`.
fn number(value: &str) -> Option<String> {
    let (sign, digits) = match value.strip_prefix(['-', '−']) {
        Some(rest) => ("-", rest),
        None => ("", value.strip_prefix('+').unwrap_or(value)),
    };
    let compact: String = digits
        .chars()
        .filter(|c| !c.is_whitespace() && !matches!(c, '\'' | '’' | '_'))
        .collect();
    if !compact.contains(|c: char| c.is_ascii_digit())
        || compact.len() > 30
        || !compact
            .bytes()
            .all(|b| b.is_ascii_digit() || b == b'.' || b == b',')
    {
        return None;
    }
    let last = compact.rfind(['.', ',']);
    let (whole, fraction) = match last {
        None => (compact.as_str(), ""),
        Some(at) => {
            let (whole, rest) = compact.split_at(at);
            let fraction = rest.get(1..).unwrap_or_default();
            let mark = rest.get(..1).unwrap_or_default();
            let marks = compact.matches(['.', ',']).count();
            let same = compact.matches(mark).count();
            // One mark used several times groups; a comma before exactly three digits groups, too.
            if (same > 1 && same == marks)
                || (marks == 1 && mark == "," && fraction.len() == 3 && whole.len() <= 3)
            {
                (compact.as_str(), "")
            } else if same > 1 {
                return None;
            } else {
                (whole, fraction)
            }
        }
    };
    let whole: String = whole.chars().filter(char::is_ascii_digit).collect();
    let whole = whole.trim_start_matches('0');
    let fraction = fraction.trim_end_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    let sign = if whole == "0" && fraction.is_empty() {
        ""
    } else {
        sign
    };
    Some(if fraction.is_empty() {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{fraction}")
    })
}

fn yes_no(value: &str) -> Option<&'static str> {
    const YES: &[&str] = &[
        "yes", "y", "true", "1", "ja", "oui", "sí", "si", "sim", "on",
    ];
    const NO: &[&str] = &["no", "n", "false", "0", "nein", "non", "não", "nao", "off"];
    let word = value.to_lowercase();
    if YES.contains(&word.as_str()) {
        Some("yes")
    } else if NO.contains(&word.as_str()) {
        Some("no")
    } else {
        None
    }
}
