//! Periods: a run of calendar days in a person's zone, and the period before, with which it is compared.

use chrono::{Datelike, Days as DayCount, Months, NaiveDate};

use crate::domain::time_zone::TimeZone;
use crate::domain::words::words;

words! {
    /// A period that can be chosen by name.
    pub enum Preset {
        Last7Days = "7_days" => "7 days",
        Last30Days = "30_days" => "30 days",
        Last90Days = "90_days" => "90 days",
        ThisMonth = "this_month" => "This month",
        LastMonth = "last_month" => "Last month",
        ThisYear = "this_year" => "This year",
        Custom = "custom" => "Own period",
    }
}

/// Length of a slot in seconds. Every zone of today is a multiple of it away from UTC, so that a day in any zone
/// is a whole number of slots.
pub const SLOT_SECONDS: i64 = 900;

/// Quarters of an hour since 1970 UTC; the end is not part of it.
pub type Slots = std::ops::Range<i64>;

/// The longest period, in days: ten years.
const LONGEST: i64 = 3_660;

/// Calendar days, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Days {
    /// The first day.
    pub first: NaiveDate,
    /// The last day, not before the first.
    pub last: NaiveDate,
}

impl Days {
    /// How many days these are, at least 1.
    #[must_use]
    pub fn count(self) -> i64 {
        (self.last - self.first).num_days() + 1
    }

    /// The slots of these days in a zone: from the first instant of the first day to the first instant after the last.
    #[must_use]
    pub fn slots(self, zone: TimeZone) -> Slots {
        let slot = |day: NaiveDate| zone.start_of_day(day).timestamp().div_euclid(SLOT_SECONDS);
        slot(self.first)..slot(self.last + DayCount::new(1))
    }
}

impl std::fmt::Display for Days {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.first == self.last {
            return write!(f, "{}", self.first);
        }
        write!(f, "{} – {}", self.first, self.last)
    }
}

/// What is reported, and what it is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// How it was chosen.
    pub preset: Preset,
    /// The days reported.
    pub days: Days,
    /// The days compared with.
    pub before: Days,
}

/// Why two days make no period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PeriodError {
    /// The last day is before the first.
    #[error("The last day must not be before the first.")]
    Backwards,
    /// More than ten years.
    #[error("A period has at most 3,660 days.")]
    TooLong,
    /// A year that no lead has.
    #[error("Choose days between 2000-01-01 and 2100-12-31.")]
    OutOfRange,
}

impl Period {
    /// A period by name, up to and including `today`. [`Preset::Custom`] without days is the last 30 days.
    ///
    /// A month or year that goes on is compared with the same stretch of the one before: 1 to 21 November with
    /// 1 to 21 October. Everything else is compared with as many days just before it.
    #[must_use]
    pub fn of(preset: Preset, today: NaiveDate) -> Self {
        let month = today.with_day(1).unwrap_or(today);
        let year = month.with_month(1).unwrap_or(month);
        match preset {
            Preset::Last7Days => Self::up_to(preset, today, 7),
            Preset::Last30Days => Self::up_to(preset, today, 30),
            Preset::Last90Days => Self::up_to(preset, today, 90),
            Preset::Custom => Self::up_to(Preset::Last30Days, today, 30),
            Preset::ThisMonth => Self {
                preset,
                days: Days {
                    first: month,
                    last: today,
                },
                before: Days {
                    first: month - Months::new(1),
                    last: today - Months::new(1),
                },
            },
            Preset::LastMonth => {
                let first = month - Months::new(1);
                Self {
                    preset,
                    days: Days {
                        first,
                        last: month - DayCount::new(1),
                    },
                    before: Days {
                        first: first - Months::new(1),
                        last: first - DayCount::new(1),
                    },
                }
            }
            Preset::ThisYear => Self {
                preset,
                days: Days {
                    first: year,
                    last: today,
                },
                before: Days {
                    first: year - Months::new(12),
                    last: today - Months::new(12),
                },
            },
        }
    }

    fn up_to(preset: Preset, today: NaiveDate, days: u64) -> Self {
        Self::compared(
            preset,
            Days {
                first: today - DayCount::new(days - 1),
                last: today,
            },
        )
    }

    /// These days, compared with as many just before them.
    fn compared(preset: Preset, days: Days) -> Self {
        let count = DayCount::new(u64::try_from(days.count()).unwrap_or(1));
        Self {
            preset,
            days,
            before: Days {
                first: days.first - count,
                last: days.first - DayCount::new(1),
            },
        }
    }

    /// From one day to another, both included.
    ///
    /// # Errors
    /// See [`PeriodError`].
    pub fn custom(first: NaiveDate, last: NaiveDate) -> Result<Self, PeriodError> {
        if last < first {
            return Err(PeriodError::Backwards);
        }
        if first.year() < 2_000 || last.year() > 2_100 {
            return Err(PeriodError::OutOfRange);
        }
        let days = Days { first, last };
        if days.count() > LONGEST {
            return Err(PeriodError::TooLong);
        }
        Ok(Self::compared(Preset::Custom, days))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn zone(name: &str) -> TimeZone {
        name.parse().unwrap()
    }

    #[test]
    fn each_preset_has_its_days_and_those_before() {
        for (preset, today, days, before) in [
            (
                Preset::Last7Days,
                "2026-11-21",
                "2026-11-15 – 2026-11-21",
                "2026-11-08 – 2026-11-14",
            ),
            (
                Preset::Last30Days,
                "2026-03-02",
                "2026-02-01 – 2026-03-02",
                "2026-01-02 – 2026-01-31",
            ),
            (
                Preset::Last90Days,
                "2026-11-21",
                "2026-08-24 – 2026-11-21",
                "2026-05-26 – 2026-08-23",
            ),
            (
                Preset::ThisMonth,
                "2026-11-21",
                "2026-11-01 – 2026-11-21",
                "2026-10-01 – 2026-10-21",
            ),
            // A day that the month before does not have becomes its last one.
            (
                Preset::ThisMonth,
                "2026-03-31",
                "2026-03-01 – 2026-03-31",
                "2026-02-01 – 2026-02-28",
            ),
            (Preset::ThisMonth, "2026-11-01", "2026-11-01", "2026-10-01"),
            (
                Preset::LastMonth,
                "2026-03-31",
                "2026-02-01 – 2026-02-28",
                "2026-01-01 – 2026-01-31",
            ),
            (
                Preset::LastMonth,
                "2026-01-05",
                "2025-12-01 – 2025-12-31",
                "2025-11-01 – 2025-11-30",
            ),
            (
                Preset::ThisYear,
                "2024-02-29",
                "2024-01-01 – 2024-02-29",
                "2023-01-01 – 2023-02-28",
            ),
            (
                Preset::Custom,
                "2026-11-21",
                "2026-10-23 – 2026-11-21",
                "2026-09-23 – 2026-10-22",
            ),
        ] {
            let period = Period::of(preset, day(today));
            assert_eq!(period.days.to_string(), days, "{preset} on {today}");
            assert_eq!(period.before.to_string(), before, "{preset} on {today}");
        }
    }

    #[test]
    fn own_days_must_make_a_period() {
        let period = Period::custom(day("2026-11-02"), day("2026-11-08")).unwrap();
        assert_eq!(period.before.to_string(), "2026-10-26 – 2026-11-01");
        for (first, last, problem) in [
            ("2026-11-02", "2026-11-01", PeriodError::Backwards),
            ("1999-12-31", "2026-11-01", PeriodError::OutOfRange),
            ("2026-01-01", "2101-01-01", PeriodError::OutOfRange),
            ("2000-01-01", "2026-01-01", PeriodError::TooLong),
        ] {
            assert_eq!(Period::custom(day(first), day(last)), Err(problem));
        }
    }

    #[test]
    fn days_in_which_the_clock_is_changed_are_shorter_and_longer() {
        let hours = |zone_name: &str, text: &str| {
            let one = Days {
                first: day(text),
                last: day(text),
            };
            let slots = one.slots(zone(zone_name));
            (slots.end - slots.start) as f64 / 4.0
        };
        for (name, text, expected) in [
            ("UTC", "2026-03-29", 24.0),
            ("Europe/Berlin", "2026-03-29", 23.0),
            ("Europe/Berlin", "2026-10-25", 25.0),
            ("Australia/Lord_Howe", "2026-04-05", 24.5),
            ("Asia/Kathmandu", "2026-04-05", 24.0),
            // The clock skips midnight there.
            ("America/Santiago", "2024-09-08", 23.0),
        ] {
            assert_eq!(hours(name, text), expected, "{name} {text}");
        }
    }

    #[test]
    fn every_zone_begins_its_days_on_a_slot() {
        for name in TimeZone::names() {
            for month in 1..=12 {
                let first = NaiveDate::from_ymd_opt(2026, month, 1).unwrap();
                let begins = zone(name).start_of_day(first).timestamp();
                assert_eq!(begins % SLOT_SECONDS, 0, "{name} {first}");
            }
        }
    }

    proptest! {
        #[test]
        fn the_period_before_ends_where_the_period_begins(from in 0_u64..9_000, length in 0_u64..3_000, zone_at in 0_usize..590) {
            let first = day("2001-01-01") + DayCount::new(from);
            let period = Period::custom(first, first + DayCount::new(length)).unwrap();
            prop_assert_eq!(period.days.count(), period.before.count());
            let name = TimeZone::names().nth(zone_at).unwrap_or("UTC");
            let (now, before) = (period.days.slots(zone(name)), period.before.slots(zone(name)));
            prop_assert_eq!(before.end, now.start);
            prop_assert!(before.start < before.end && now.start < now.end);
        }
    }
}
