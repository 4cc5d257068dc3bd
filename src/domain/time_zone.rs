//! The time zone in which a person reads times. Everything is stored in UTC; only pages and files convert.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

/// The name of an IANA time zone, known to be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeZone(Tz);

/// Text that names no time zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Enter a time zone such as Europe/Berlin or UTC.")]
pub struct UnknownTimeZone;

impl TimeZone {
    /// UTC, the default.
    pub const UTC: Self = Self(Tz::UTC);

    /// The IANA name, as stored.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// The time as people there read it: `2026-11-21 08:05 CET`.
    #[must_use]
    pub fn format(self, at: DateTime<Utc>) -> String {
        at.with_timezone(&self.0)
            .format("%Y-%m-%d %H:%M %Z")
            .to_string()
    }

    /// The calendar day there.
    #[must_use]
    pub fn date(self, at: DateTime<Utc>) -> chrono::NaiveDate {
        at.with_timezone(&self.0).date_naive()
    }

    /// The instant at which a calendar day begins there; where the clock skips midnight, the first instant after it.
    #[must_use]
    pub fn start_of_day(self, day: chrono::NaiveDate) -> DateTime<Utc> {
        self.instant(day.and_time(chrono::NaiveTime::MIN))
    }

    /// The instant at which clocks there show this time: the earlier one of two, and the first one after it where the clock skips it.
    #[must_use]
    pub fn instant(self, local: chrono::NaiveDateTime) -> DateTime<Utc> {
        use chrono::TimeZone as _;
        // No zone skips more than a few hours; half-hour steps find the first time that exists.
        (0..=48)
            .find_map(|step| {
                self.0
                    .from_local_datetime(&(local + chrono::TimeDelta::minutes(30 * step)))
                    .earliest()
            })
            .map_or_else(|| local.and_utc(), |found| found.with_timezone(&Utc))
    }

    /// Every name, sorted, for a list to choose from.
    pub fn names() -> impl Iterator<Item = &'static str> {
        chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name())
    }
}

impl Default for TimeZone {
    fn default() -> Self {
        Self::UTC
    }
}

impl std::str::FromStr for TimeZone {
    type Err = UnknownTimeZone;

    fn from_str(name: &str) -> Result<Self, UnknownTimeZone> {
        name.trim().parse().map(Self).map_err(|_| UnknownTimeZone)
    }
}

impl std::fmt::Display for TimeZone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{NaiveDate, TimeZone as _};

    #[test]
    fn times_are_shown_in_the_zone_and_days_begin_there() {
        let berlin: TimeZone = "Europe/Berlin".parse().unwrap();
        let at = Utc.with_ymd_and_hms(2026, 11, 20, 23, 30, 0).unwrap();
        assert_eq!(berlin.format(at), "2026-11-21 00:30 CET");
        assert_eq!(TimeZone::UTC.format(at), "2026-11-20 23:30 UTC");
        let day = NaiveDate::from_ymd_opt(2026, 11, 21).unwrap();
        assert_eq!(berlin.date(at), day);
        assert_eq!(
            berlin.start_of_day(day),
            Utc.with_ymd_and_hms(2026, 11, 20, 23, 0, 0).unwrap()
        );
    }

    #[test]
    fn a_day_whose_midnight_is_skipped_begins_after_the_gap() {
        let santiago: TimeZone = "America/Santiago".parse().unwrap();
        let day = NaiveDate::from_ymd_opt(2024, 9, 8).unwrap();
        assert_eq!(
            santiago.start_of_day(day),
            Utc.with_ymd_and_hms(2024, 9, 8, 4, 0, 0).unwrap()
        );
    }

    #[test]
    fn only_iana_names_are_time_zones() {
        for bad in ["", "CET+1", "Europe/Nowhere", "Berlin", "../etc/passwd"] {
            assert!(bad.parse::<TimeZone>().is_err(), "{bad}");
        }
        for name in TimeZone::names() {
            assert_eq!(name.parse::<TimeZone>().unwrap().name(), name);
        }
    }
}
