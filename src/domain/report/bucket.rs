//! Bars of a chart over time: days, weeks or months, by the length of the period.

use chrono::{Datelike, Days as DayCount, Months, NaiveDate};

use super::{Days, Period, Preset};
use crate::domain::words::words;

words! {
    /// What one bar stands for.
    pub enum BucketSize {
        Day = "day" => "day",
        Week = "week" => "week",
        Month = "month" => "month",
    }
}

impl BucketSize {
    /// Days up to two months, weeks up to half a year, months beyond: a chart has at most about 60 bars, and 122 in ten years.
    #[must_use]
    pub fn for_days(days: Days) -> Self {
        match days.count() {
            ..=62 => Self::Day,
            63..=184 => Self::Week,
            _ => Self::Month,
        }
    }

    /// The last day of the bar in which `day` lies. Weeks begin on Monday.
    fn last_day(self, day: NaiveDate) -> NaiveDate {
        match self {
            Self::Day => day,
            Self::Week => day + DayCount::new(u64::from(6 - day.weekday().num_days_from_monday())),
            Self::Month => {
                let first = day.with_day(1).unwrap_or(day);
                first + Months::new(1) - DayCount::new(1)
            }
        }
    }
}

/// The bars of a period, in order, without gaps; the first and the last may be cut short.
#[must_use]
pub fn buckets(days: Days, size: BucketSize) -> Vec<Days> {
    let mut bars = Vec::new();
    let mut first = days.first;
    while first <= days.last {
        let last = size.last_day(first).min(days.last);
        bars.push(Days { first, last });
        first = last + DayCount::new(1);
    }
    bars
}

/// The days of the period before that lie where this bar lies in its period; `None` where it has none.
#[must_use]
pub fn same_before(period: &Period, bar: Days) -> Option<Days> {
    let shift = |day: NaiveDate| {
        if period.preset == Preset::ThisYear {
            day - Months::new(12)
        } else {
            day - (period.days.first - period.before.first)
        }
    };
    let (first, last) = (shift(bar.first), shift(bar.last).min(period.before.last));
    (first <= last).then_some(Days { first, last })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn days(first: &str, last: &str) -> Days {
        Days {
            first: first.parse().unwrap(),
            last: last.parse().unwrap(),
        }
    }

    #[test]
    fn weeks_begin_on_monday_and_months_on_the_first() {
        let told = |days, size| {
            buckets(days, size)
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            told(days("2026-11-18", "2026-11-30"), BucketSize::Week),
            [
                "2026-11-18 – 2026-11-22",
                "2026-11-23 – 2026-11-29",
                "2026-11-30"
            ]
        );
        assert_eq!(
            told(days("2025-12-31", "2026-02-02"), BucketSize::Month),
            [
                "2025-12-31",
                "2026-01-01 – 2026-01-31",
                "2026-02-01 – 2026-02-02"
            ]
        );
        assert_eq!(
            told(days("2026-11-21", "2026-11-21"), BucketSize::Day),
            ["2026-11-21"]
        );
    }

    #[test]
    fn longer_periods_have_longer_bars() {
        for (last, size) in [
            ("2026-01-01", BucketSize::Day),
            ("2026-03-03", BucketSize::Day),
            ("2026-03-04", BucketSize::Week),
            ("2026-07-03", BucketSize::Week),
            ("2026-07-04", BucketSize::Month),
        ] {
            assert_eq!(
                BucketSize::for_days(days("2026-01-01", last)),
                size,
                "{last}"
            );
        }
    }

    #[test]
    fn a_bar_is_compared_with_its_place_in_the_period_before() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        for (preset, today, first, last, expected) in [
            (
                Preset::Last7Days,
                "2026-11-21",
                "2026-11-15",
                "2026-11-15",
                Some("2026-11-08"),
            ),
            (
                Preset::ThisMonth,
                "2026-03-31",
                "2026-03-28",
                "2026-03-28",
                Some("2026-02-28"),
            ),
            (
                Preset::ThisMonth,
                "2026-03-31",
                "2026-03-29",
                "2026-03-29",
                None,
            ),
            (
                Preset::ThisYear,
                "2024-03-15",
                "2024-02-01",
                "2024-02-29",
                Some("2023-02-01 – 2023-02-28"),
            ),
            (
                Preset::ThisYear,
                "2024-03-15",
                "2024-03-01",
                "2024-03-15",
                Some("2023-03-01 – 2023-03-15"),
            ),
        ] {
            let bar = Days {
                first: day(first),
                last: day(last),
            };
            let found = same_before(&Period::of(preset, day(today)), bar);
            assert_eq!(
                found.map(|days| days.to_string()).as_deref(),
                expected,
                "{preset} {first}"
            );
        }
    }

    proptest! {
        #[test]
        fn bars_cover_the_period_without_gap_or_overlap(from in 0_u64..20_000, length in 0_u64..3_660) {
            let first = NaiveDate::from_ymd_opt(2001, 1, 1).unwrap() + DayCount::new(from);
            let period = Days { first, last: first + DayCount::new(length) };
            let size = BucketSize::for_days(period);
            let bars = buckets(period, size);
            prop_assert!(bars.len() <= 122);
            prop_assert_eq!(bars[0].first, period.first);
            prop_assert_eq!(bars[bars.len() - 1].last, period.last);
            for pair in bars.windows(2) {
                prop_assert_eq!(pair[0].last + DayCount::new(1), pair[1].first);
            }
        }
    }
}
