//! Values of exported cells that stand for something: LinkedIn's numbers, options, and times in several ways of writing.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};

/// The first number of Dataverse's own options.
const OPTION_BASE: i64 = 192_350_000;

/// LinkedIn's number in a cell: alone, or at the end of a URN.
pub(super) fn number(text: &str) -> Option<i64> {
    let digits = text.rsplit(':').next()?.trim().trim_end_matches(')');
    digits.parse().ok().filter(|number| *number >= 0)
}

/// Which option of a list a cell means: its place in `labels`. An export holds Dataverse's number or the label.
pub(super) fn option(text: &str, labels: &[&str]) -> Option<usize> {
    let text = text.trim();
    if let Some(place) = labels
        .iter()
        .position(|label| label.eq_ignore_ascii_case(text))
    {
        return Some(place);
    }
    let number: i64 = text.parse().ok()?;
    let place = if number >= OPTION_BASE {
        number - OPTION_BASE
    } else {
        number
    };
    usize::try_from(place)
        .ok()
        .filter(|place| *place < labels.len())
}

/// A time; where it names no zone it is taken for UTC.
///
/// # Errors
/// A sentence that says how to write it.
pub(super) fn moment(text: &str) -> Result<DateTime<Utc>, String> {
    let text = text.trim();
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.to_utc());
    }
    let whole = text
        .trim_end_matches('Z')
        .replace(['\u{202f}', '\u{a0}'], " ");
    for format in [
        "%Y-%m-%dT%H:%M:%S%.f",
        "%Y-%m-%d %H:%M:%S%.f",
        "%Y-%m-%d %H:%M",
        "%d.%m.%Y %H:%M:%S",
        "%d.%m.%Y %H:%M",
        // Only the United States write the half of the day behind it, and they write the month first.
        "%m/%d/%Y %I:%M:%S %p",
        "%m/%d/%Y %I:%M %p",
    ] {
        if let Ok(time) = NaiveDateTime::parse_from_str(&whole, format) {
            return Ok(time.and_utc());
        }
    }
    for format in ["%Y-%m-%d", "%d.%m.%Y"] {
        if let Some(time) = NaiveDate::parse_from_str(&whole, format)
            .ok()
            .and_then(|day| day.and_hms_opt(0, 0, 0))
        {
            return Ok(time.and_utc());
        }
    }
    Err(format!(
        "The time “{}” can be read in several ways: export it like 2024-03-05T10:20:00Z.",
        text.chars().take(40).collect::<String>()
    ))
}
