//! How long LinkedIn keeps a version of its API: at least twelve months, then every call with it fails (linkedin-api.md §2.2).

use chrono::{Datelike, NaiveDate};

/// Days before the end of a version from which the portal warns.
pub const WARN_DAYS: i64 = 60;

/// Ends that LinkedIn has announced: version, year, month, day.
const ANNOUNCED: &[(&str, i32, u32, u32)] = &[
    ("202508", 2026, 8, 17),
    ("202509", 2026, 9, 15),
    ("202510", 2026, 10, 15),
    ("202511", 2026, 11, 16),
    ("202601", 2027, 1, 15),
    ("202602", 2027, 2, 15),
    ("202603", 2027, 3, 16),
    ("202604", 2027, 4, 15),
    ("202605", 2027, 5, 15),
    ("202606", 2027, 6, 15),
    ("202607", 2027, 7, 15),
];

/// How a version stands on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VersionLife {
    /// The end is far.
    Current {
        /// The first day without it.
        ends_on: NaiveDate,
        /// Whether LinkedIn announced that day; otherwise it is reckoned from the habit of a year and the 15th.
        is_announced: bool,
    },
    /// The end is near.
    Ending {
        /// The first day without it.
        ends_on: NaiveDate,
        /// Days until then, from 1.
        days: i64,
        /// Whether LinkedIn announced that day.
        is_announced: bool,
    },
    /// It has ended.
    Ended {
        /// The first day without it.
        ended_on: NaiveDate,
    },
    /// It is no version, so nothing can be said.
    Unknown,
}

impl VersionLife {
    /// The sentence of the warning, if one is due.
    #[must_use]
    pub fn warning(&self, version: &str) -> Option<String> {
        match self {
            Self::Current { .. } | Self::Unknown => None,
            Self::Ending {
                ends_on,
                days,
                is_announced,
            } => Some(format!(
                "LinkedIn {} its API version {version} on {ends_on}, in {days} {}.",
                if *is_announced {
                    "switches off"
                } else {
                    "is expected to switch off"
                },
                if *days == 1 { "day" } else { "days" }
            )),
            Self::Ended { ended_on } => Some(format!(
                "LinkedIn’s API version {version} ended on {ended_on}: LinkedIn may refuse every call."
            )),
        }
    }
}

/// How `version` (`YYYYMM`) stands on `today`.
#[must_use]
pub fn life_of(version: &str, today: NaiveDate) -> VersionLife {
    let announced = ANNOUNCED
        .iter()
        .find(|(known, ..)| *known == version)
        .and_then(|(_, year, month, day)| NaiveDate::from_ymd_opt(*year, *month, *day));
    let Some(ends_on) = announced.or_else(|| reckoned(version)) else {
        return VersionLife::Unknown;
    };
    let is_announced = announced.is_some();
    match (ends_on - today).num_days() {
        ..=0 => VersionLife::Ended { ended_on: ends_on },
        days @ 1..=WARN_DAYS => VersionLife::Ending {
            ends_on,
            days,
            is_announced,
        },
        _ => VersionLife::Current {
            ends_on,
            is_announced,
        },
    }
}

/// The 15th of the same month a year later.
fn reckoned(version: &str) -> Option<NaiveDate> {
    let month = version.get(4..).filter(|month| month.len() == 2)?;
    let first = NaiveDate::from_ymd_opt(version.get(..4)?.parse().ok()?, month.parse().ok()?, 15)?;
    first.with_year(first.year() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn the_warning_begins_sixty_days_before_the_end() {
        for (today, warns) in [
            ("2026-11-21", None),
            ("2027-05-15", None),
            (
                "2027-05-16",
                Some("LinkedIn switches off its API version 202607 on 2027-07-15, in 60 days."),
            ),
            (
                "2027-07-14",
                Some("LinkedIn switches off its API version 202607 on 2027-07-15, in 1 day."),
            ),
            (
                "2027-07-15",
                Some(
                    "LinkedIn’s API version 202607 ended on 2027-07-15: LinkedIn may refuse every call.",
                ),
            ),
        ] {
            let life = life_of("202607", day(today));
            assert_eq!(life.warning("202607").as_deref(), warns, "{today}");
        }
    }

    #[test]
    fn an_end_that_was_not_announced_is_reckoned_and_said_to_be() {
        let life = life_of("202609", day("2027-09-01"));
        assert_eq!(
            life,
            VersionLife::Ending {
                ends_on: day("2027-09-15"),
                days: 14,
                is_announced: false
            }
        );
        assert!(life.warning("202609").unwrap().contains("is expected to"));
        for text in ["", "2026", "202613", "abcdef", "20260", "2026ä"] {
            assert_eq!(
                life_of(text, day("2027-01-01")),
                VersionLife::Unknown,
                "{text}"
            );
        }
    }
}
