//! Times as exports write them. Excel writes them in the order and the time zone of whoever exported, and says neither: the order is
//! found out from the whole file where a day is above 12, and everything else has to be said.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};

use super::{ConnectorRecord, ConnectorTable};
use crate::domain::time_zone::TimeZone;
use crate::domain::words::words;

words! {
    /// In which order a file writes days and months.
    pub enum DateOrder {
        DayFirst = "day_first" => "Day first: 05/03/2024 is 5 March",
        MonthFirst = "month_first" => "Month first: 05/03/2024 is May 3",
    }
}

/// What somebody said about the times of a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DateReading {
    /// The order of day and month; `None` to find it out.
    pub order: Option<DateOrder>,
    /// The time zone of times that name none.
    pub zone: Option<TimeZone>,
}

/// Why the times of a file cannot be read yet: a sentence about what to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DateProblem {
    /// The order has to be said, or what was said is wrong.
    Order(String),
    /// The time zone has to be said.
    Zone(String),
}

/// A time as it is written, as far as it says by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Written {
    Instant(DateTime<Utc>),
    Local(NaiveDateTime),
    /// Two numbers of which one is the day.
    Either {
        first: u32,
        second: u32,
        year: i32,
        time: NaiveTime,
    },
}

impl Written {
    /// The order that it shows.
    fn shows(self) -> Option<DateOrder> {
        match self {
            Self::Either { first, second, .. } if first > 12 && second <= 12 => {
                Some(DateOrder::DayFirst)
            }
            Self::Either { first, second, .. } if second > 12 && first <= 12 => {
                Some(DateOrder::MonthFirst)
            }
            _ => None,
        }
    }

    /// Whether it has to be known which number is the day. In 03/03/2024 it does not matter.
    fn needs_order(self) -> bool {
        matches!(self, Self::Either { first, second, .. } if first != second)
    }

    fn instant(self, order: DateOrder, zone: TimeZone) -> Option<DateTime<Utc>> {
        match self {
            Self::Instant(at) => Some(at),
            Self::Local(local) => Some(zone.instant(local)),
            Self::Either {
                first,
                second,
                year,
                time,
            } => {
                let (day, month) = match order {
                    DateOrder::DayFirst => (first, second),
                    DateOrder::MonthFirst => (second, first),
                };
                let day = NaiveDate::from_ymd_opt(year, month, day)?;
                Some(zone.instant(day.and_time(time)))
            }
        }
    }
}

/// What machines write: with a zone, or ISO 8601 with a T, which Dataverse writes in UTC.
pub(super) fn machine_time(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Some(at.to_utc());
    }
    NaiveDateTime::parse_from_str(text.trim_end_matches('Z'), "%Y-%m-%dT%H:%M:%S%.f")
        .ok()
        .map(|local| local.and_utc())
}

/// Reads a time; `None` when it is none.
fn written(text: &str) -> Option<Written> {
    if let Some(at) = machine_time(text) {
        return Some(Written::Instant(at));
    }
    let text = text.trim().replace(['\u{202f}', '\u{a0}'], " ");
    let is_of_day = |c: char| c.is_ascii_digit() || matches!(c, '.' | '/' | '-');
    let end = text.find(|c| !is_of_day(c)).unwrap_or(text.len());
    let (day, rest) = text.split_at_checked(end)?;
    let (time, is_utc) = time_of(rest.trim_start_matches(',').trim())?;
    let numbers: Vec<&str> = day.trim_end_matches('.').split(['.', '/', '-']).collect();
    let [first, second, third] = numbers.as_slice() else {
        return None;
    };
    let number = |text: &str| text.parse::<u32>().ok();
    if first.len() == 4 {
        let day = NaiveDate::from_ymd_opt(first.parse().ok()?, number(second)?, number(third)?)?;
        let local = day.and_time(time);
        return Some(if is_utc {
            Written::Instant(local.and_utc())
        } else {
            Written::Local(local)
        });
    }
    let year: i32 = match third.len() {
        4 => third.parse().ok()?,
        2 => 2_000 + third.parse::<i32>().ok()?,
        _ => return None,
    };
    let (first, second) = (number(first)?, number(second)?);
    // Where points stand between the numbers, the day comes first.
    if day.contains('.') {
        let day = NaiveDate::from_ymd_opt(year, second, first)?;
        return Some(Written::Local(day.and_time(time)));
    }
    let is_day = |number: u32| (1..=31).contains(&number);
    (is_day(first) && is_day(second) && first.min(second) <= 12).then_some(Written::Either {
        first,
        second,
        year,
        time,
    })
}

/// The time of the day in words such as `10:20`, `10.20` or `10:20:30 p.m.`, and whether it says that it is UTC. Blank is midnight.
fn time_of(text: &str) -> Option<(NaiveTime, bool)> {
    if text.is_empty() {
        return Some((NaiveTime::MIN, false));
    }
    let is_of_clock = |c: char| c.is_ascii_digit() || matches!(c, ':' | '.');
    let end = text.find(|c| !is_of_clock(c)).unwrap_or(text.len());
    let (clock, rest) = text.split_at_checked(end)?;
    let mut numbers = clock
        .split([':', '.'])
        .take(3)
        .map(|number| number.parse::<u32>().ok());
    let hour = numbers.next()??;
    let minute = numbers.next()??;
    let second = numbers.next().unwrap_or(Some(0))?;
    let letters: String = rest
        .chars()
        .filter(|c| c.is_alphabetic())
        .flat_map(char::to_lowercase)
        .collect();
    let is_half = (1..=12).contains(&hour);
    let (hour, is_utc) = match letters.as_str() {
        "" => (hour, false),
        "z" | "utc" | "gmt" => (hour, true),
        "am" | "vorm" if is_half => (hour % 12, false),
        "pm" | "nachm" if is_half => (hour % 12 + 12, false),
        _ => return None,
    };
    Some((NaiveTime::from_hms_opt(hour, minute, second)?, is_utc))
}

/// Writes the times of a table's records as RFC 3339 in UTC. What is no time stays as it is, and its row says so later.
///
/// # Errors
/// [`DateProblem`] when something has to be said first; then nothing is changed.
pub fn settle_times(
    table: ConnectorTable,
    records: &mut [ConnectorRecord],
    reading: DateReading,
) -> Result<(), DateProblem> {
    let columns = table.times();
    let texts = || {
        records.iter().flat_map(move |record| {
            columns
                .iter()
                .filter_map(move |column| record.cells.text(&[*column]))
        })
    };
    let all = || texts().filter_map(|text| Some((text, written(text)?)));
    let shows = |order: DateOrder| all().find(|(_, time)| time.shows() == Some(order));
    let (day_first, month_first) = (shows(DateOrder::DayFirst), shows(DateOrder::MonthFirst));
    let order = match (reading.order, day_first, month_first) {
        (_, Some((one, _)), Some((other, _))) => {
            return Err(DateProblem::Order(format!(
                "“{}” has the day first and “{}” the month: write the times of the file in one way.",
                short(one),
                short(other)
            )));
        }
        (Some(DateOrder::MonthFirst), Some((text, _)), None)
        | (Some(DateOrder::DayFirst), None, Some((text, _))) => {
            return Err(DateProblem::Order(format!(
                "“{}” is no day in this order. Choose the other one.",
                short(text)
            )));
        }
        (Some(order), ..) => order,
        (None, Some(_), None) => DateOrder::DayFirst,
        (None, None, Some(_)) => DateOrder::MonthFirst,
        (None, None, None) => match all().find(|(_, time)| time.needs_order()) {
            None => DateOrder::DayFirst,
            Some((text, _)) => {
                return Err(DateProblem::Order(format!(
                    "No time of the file shows whether the day or the month comes first. Choose how “{}” is meant.",
                    short(text)
                )));
            }
        },
    };
    let zone = match reading.zone {
        Some(zone) => zone,
        None => match all().find(|(_, time)| !matches!(time, Written::Instant(_))) {
            None => TimeZone::UTC,
            Some((text, _)) => {
                return Err(DateProblem::Zone(format!(
                    "“{}” names no time zone. Say in which one it is: that of whoever exported, as their settings in Dynamics 365 \
                     have it.",
                    short(text)
                )));
            }
        },
    };
    for record in records {
        for column in columns {
            let at = record
                .cells
                .text(&[*column])
                .and_then(written)
                .and_then(|time| time.instant(order, zone));
            if let Some(at) = at {
                record.cells.set(column, at.to_rfc3339());
            }
        }
    }
    Ok(())
}

fn short(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{RecordCells, record_of};
    use super::*;

    fn settled(texts: &[&str], reading: DateReading) -> Result<Vec<String>, DateProblem> {
        let headers = ["linkedinid", "startdate"].map(str::to_owned);
        let mut records: Vec<ConnectorRecord> = texts
            .iter()
            .enumerate()
            .map(|(id, text)| {
                let cells = RecordCells::of(&headers, &[id.to_string(), (*text).to_owned()]);
                record_of(ConnectorTable::Campaigns, cells).unwrap()
            })
            .collect();
        settle_times(ConnectorTable::Campaigns, &mut records, reading)?;
        Ok(records
            .iter()
            .map(|record| record.cells.text(&["startdate"]).unwrap().to_owned())
            .collect())
    }

    fn said(order: Option<DateOrder>, zone: &str) -> DateReading {
        DateReading {
            order,
            zone: zone.parse().ok(),
        }
    }

    #[test]
    fn what_says_all_by_itself_needs_no_word() {
        assert_eq!(
            settled(
                &[
                    "2024-03-05T10:20:00Z",
                    "2024-03-05T10:20:00.5+01:00",
                    "2024-03-05T10:20:00",
                    "2024-03-05 10:20:00 UTC",
                    "soon",
                ],
                DateReading::default()
            )
            .unwrap(),
            [
                "2024-03-05T10:20:00+00:00",
                "2024-03-05T09:20:00.500+00:00",
                "2024-03-05T10:20:00+00:00",
                "2024-03-05T10:20:00+00:00",
                "soon",
            ]
        );
    }

    #[test]
    fn an_australian_export_is_not_read_as_an_american_one() {
        let sydney = said(None, "Australia/Sydney");
        let texts = ["5/03/2024 10:20 AM", "31/03/2024 1:05 p.m."];
        assert_eq!(
            settled(&texts, sydney).unwrap(),
            ["2024-03-04T23:20:00+00:00", "2024-03-31T02:05:00+00:00"]
        );
        let one = ["5/03/2024 10:20 AM"];
        assert!(
            matches!(settled(&one, sydney), Err(DateProblem::Order(why)) if why.contains("5/03/2024"))
        );
        let month_first = said(Some(DateOrder::MonthFirst), "UTC");
        assert_eq!(
            settled(&one, month_first).unwrap(),
            ["2024-05-03T10:20:00+00:00"]
        );
        assert!(matches!(
            settled(&texts, month_first),
            Err(DateProblem::Order(_))
        ));
        assert!(matches!(
            settled(&["31/03/2024", "03/31/2024"], sydney),
            Err(DateProblem::Order(why)) if why.contains("one way")
        ));
    }

    #[test]
    fn every_way_of_writing_is_read_once_order_and_zone_are_known() {
        let berlin = said(Some(DateOrder::DayFirst), "Europe/Berlin");
        for text in [
            "05/03/2024 14:20",
            "5/3/24, 14:20:00",
            "05.03.2024 14:20",
            "5.3.2024 14.20",
            "05-03-2024 2:20 PM",
            "2024-03-05 14:20",
            "2024/03/05 2:20\u{202f}pm",
        ] {
            assert_eq!(
                settled(&[text], berlin).unwrap(),
                ["2024-03-05T13:20:00+00:00"],
                "{text}"
            );
        }
        assert!(matches!(
            settled(&["05.03.2024 14:20"], DateReading::default()),
            Err(DateProblem::Zone(why)) if why.contains("05.03.2024 14:20")
        ));
        for text in [
            "99/99/2024",
            "14:20",
            "05/03/2024 13:20 PM",
            "5/3",
            "05/03/2024 25:00",
        ] {
            assert_eq!(settled(&[text], berlin).unwrap(), [text]);
        }
    }
}
