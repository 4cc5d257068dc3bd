//! Values of exported cells that stand for something: LinkedIn's numbers, options, and times in several ways of writing.

use chrono::{DateTime, Utc};

use super::dates::machine_time;

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

/// A time as [`super::settle_times`] leaves it.
///
/// # Errors
/// A sentence that says what to do.
pub(super) fn moment(text: &str) -> Result<DateTime<Utc>, String> {
    machine_time(text).ok_or_else(|| {
        format!(
            "The time “{}” cannot be read: write it like 2024-03-05T10:20:00Z, and upload the file again.",
            text.chars().take(40).collect::<String>()
        )
    })
}
