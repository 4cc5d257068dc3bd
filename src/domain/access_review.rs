//! Access reviews: an Administrator looks through who may use LinkedIn, says so, and is reminded to do it again.

use chrono::{DateTime, TimeDelta, Utc};

/// After how many days a review is due again.
pub const INTERVAL_DAYS: i64 = 90;

/// The most characters of a review's note.
pub const MAX_NOTE: usize = 1_000;

/// A rule that a review's note would break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Nothing was written.
    #[error("Write what you looked at, or what you found.")]
    Missing,
    /// It has more than [`MAX_NOTE`] characters.
    #[error("A note may have at most {MAX_NOTE} characters.")]
    TooLong,
}

/// Checks a note and trims it.
///
/// # Errors
/// The rule that it breaks.
pub fn check_note(text: &str) -> Result<String, NoteError> {
    let note = text.trim().replace("\r\n", "\n");
    if note.is_empty() {
        Err(NoteError::Missing)
    } else if note.chars().count() > MAX_NOTE {
        Err(NoteError::TooLong)
    } else {
        Ok(note)
    }
}

/// How it stands with the reviews.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// There was none yet.
    Never,
    /// The next one is due then.
    DueAt(DateTime<Utc>),
    /// The next one was due then.
    OverdueSince(DateTime<Utc>),
}

impl Standing {
    /// How it stands at `now`, after the latest review.
    #[must_use]
    pub fn of(latest: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Self {
        let due = |at: DateTime<Utc>| at.checked_add_signed(TimeDelta::days(INTERVAL_DAYS));
        match latest.and_then(due) {
            None => Self::Never,
            Some(due) if due <= now => Self::OverdueSince(due),
            Some(due) => Self::DueAt(due),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_review_is_due_again_after_ninety_days() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let reviewed = at("2026-01-01T10:00:00Z");
        let due = at("2026-04-01T10:00:00Z");
        for (latest, now, expected) in [
            (None, reviewed, Standing::Never),
            (Some(reviewed), reviewed, Standing::DueAt(due)),
            (
                Some(reviewed),
                at("2026-04-01T09:59:59Z"),
                Standing::DueAt(due),
            ),
            (Some(reviewed), due, Standing::OverdueSince(due)),
            (
                Some(reviewed),
                at("2027-01-01T00:00:00Z"),
                Standing::OverdueSince(due),
            ),
        ] {
            assert_eq!(Standing::of(latest, now), expected, "{now}");
        }
    }

    #[test]
    fn a_note_says_something_and_is_not_endless() {
        assert_eq!(check_note(" \n "), Err(NoteError::Missing));
        assert_eq!(check_note(" fine\r\nall "), Ok("fine\nall".to_owned()));
        assert!(check_note(&"ü".repeat(MAX_NOTE)).is_ok());
        assert_eq!(
            check_note(&"ü".repeat(MAX_NOTE + 1)),
            Err(NoteError::TooLong)
        );
    }
}
