//! Calendar weeks by ISO 8601: `2026-W47`, Monday to Sunday.

use chrono::{Datelike, Days as DayCount, NaiveDate, Weekday};

use super::Days;

/// A calendar week, named by its Monday.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "String")]
pub struct Week(NaiveDate);

/// Text that names no week.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a week such as 2026-W47 between the years 2000 and 2100")]
pub struct InvalidWeek;

impl Week {
    /// The week in which a day lies.
    #[must_use]
    pub fn of(day: NaiveDate) -> Self {
        Self(day - DayCount::new(u64::from(day.weekday().num_days_from_monday())))
    }

    /// Monday to Sunday.
    #[must_use]
    pub fn days(self) -> Days {
        Days {
            first: self.0,
            last: self.0 + DayCount::new(6),
        }
    }

    /// The week before.
    #[must_use]
    pub fn previous(self) -> Self {
        Self(self.0 - DayCount::new(7))
    }

    /// The week after.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + DayCount::new(7))
    }
}

impl std::str::FromStr for Week {
    type Err = InvalidWeek;

    fn from_str(text: &str) -> Result<Self, InvalidWeek> {
        let (year, week) = text.split_once("-W").ok_or(InvalidWeek)?;
        let digits = |text: &str, length: usize| {
            (text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit()))
                .then(|| text.parse::<u32>().ok())
                .flatten()
                .ok_or(InvalidWeek)
        };
        let (year, week) = (digits(year, 4)?, digits(week, 2)?);
        if !(2_000..=2_100).contains(&year) {
            return Err(InvalidWeek);
        }
        let year = i32::try_from(year).map_err(|_| InvalidWeek)?;
        NaiveDate::from_isoywd_opt(year, week, Weekday::Mon)
            .map(Self)
            .ok_or(InvalidWeek)
    }
}

impl TryFrom<String> for Week {
    type Error = InvalidWeek;

    fn try_from(text: String) -> Result<Self, InvalidWeek> {
        text.parse()
    }
}

impl std::fmt::Display for Week {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let week = self.0.iso_week();
        write!(f, "{:04}-W{:02}", week.year(), week.week())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weeks_are_those_of_iso_8601() {
        for (text, monday) in [
            ("2026-W47", "2026-11-16"),
            ("2026-W01", "2025-12-29"),
            ("2026-W53", "2026-12-28"),
            ("2025-W01", "2024-12-30"),
        ] {
            let week: Week = text.parse().unwrap();
            assert_eq!(week.days().first.to_string(), monday);
            assert_eq!(week.to_string(), text);
            assert_eq!(week.next().previous(), week);
            assert_eq!(Week::of(week.days().last), week);
        }
    }

    #[test]
    fn other_text_is_no_week() {
        for bad in [
            "",
            "2026",
            "2026-W00",
            "2026-W54",
            "2025-W53",
            "2026-w47",
            "2026-W7",
            "+026-W07",
            "1999-W10",
            "2101-W10",
            "2026-W47 ",
            "２０２６-W47",
        ] {
            assert_eq!(bad.parse::<Week>(), Err(InvalidWeek), "{bad}");
        }
    }
}
