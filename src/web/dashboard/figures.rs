//! The figures of a report: the same rows for the chart, the table and the file.

use std::collections::{BTreeMap, HashMap};

use super::address::Address;
use crate::domain::lead::{LeadSource, LeadStatus};
use crate::domain::report::{
    BucketSize, Change, Days, Part, Period, WAITING_CLASSES, buckets, same_before, share,
};
use crate::domain::submission::MatchingStatus;
use crate::domain::time_zone::TimeZone;
use crate::domain::words::words;
use crate::store::reports::{LeadGroup, Report, ReportSlots};
use crate::web::charts::{BarChart, ColumnChart, Point, Row, number};

words! {
    /// A chart with its table and its file.
    pub enum Chart {
        Leads = "leads" => "Leads over time",
        Sources = "sources" => "Leads by source",
        Campaigns = "campaigns" => "Leads by campaign",
        Forms = "forms" => "Leads by form",
        Owners = "owners" => "Leads by owner",
        Statuses = "statuses" => "Leads by status",
        Outcomes = "outcomes" => "Matching outcomes",
        Times = "times" => "Time from submission to lead",
    }
}

impl Chart {
    /// What a row of it stands for.
    #[must_use]
    pub const fn of_what(self) -> &'static str {
        match self {
            Self::Leads => "Days",
            Self::Sources => "Source",
            Self::Campaigns => "Campaign",
            Self::Forms => "Form",
            Self::Owners => "Owner",
            Self::Statuses => "Status",
            Self::Outcomes => "Outcome",
            Self::Times => "Waited",
        }
    }

    /// What it counts.
    #[must_use]
    pub const fn counted(self) -> &'static str {
        match self {
            Self::Outcomes | Self::Times => "Submissions",
            _ => "Leads",
        }
    }

    /// The part of the filter that a row of it sets.
    const fn parameter(self) -> Option<&'static str> {
        match self {
            Self::Sources => Some("source"),
            Self::Campaigns => Some("campaign"),
            Self::Forms => Some("form"),
            Self::Owners => Some("owner"),
            Self::Statuses => Some("status"),
            Self::Leads | Self::Outcomes | Self::Times => None,
        }
    }
}

/// Rows in a chart; the rest is one more.
const IN_CHART: usize = 8;
/// Rows in a table; a file has them all.
const IN_TABLE: usize = 100;

/// One row of a figure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FigureRow {
    /// What it stands for.
    pub label: String,
    /// Where a click on it leads.
    pub path: Option<String>,
    /// Its numbers.
    pub count: Change,
}

/// The rows of one chart, table and file.
#[derive(Debug, Clone)]
pub struct Figure {
    /// Which one.
    pub chart: Chart,
    /// Its rows.
    pub rows: Vec<FigureRow>,
    /// All of the period and of the one before.
    pub total: Change,
}

impl Figure {
    /// A row's share of all.
    #[must_use]
    pub fn share(&self, row: &FigureRow) -> String {
        share(row.count.now, self.total.now)
    }

    /// The rows that the table shows.
    #[must_use]
    pub fn in_table(&self) -> &[FigureRow] {
        self.rows.get(..IN_TABLE).unwrap_or(&self.rows)
    }

    /// The rows that the chart shows: the largest, and one for the rest.
    fn in_chart(&self) -> Vec<FigureRow> {
        if self.rows.len() <= IN_CHART + 1 {
            return self.rows.clone();
        }
        let mut rows: Vec<FigureRow> = self.rows.iter().take(IN_CHART).cloned().collect();
        let mut rest = Change::default();
        for row in self.rows.iter().skip(IN_CHART) {
            rest.now += row.count.now;
            rest.before += row.count.before;
        }
        rows.push(FigureRow {
            label: format!("{} others", number_of(self.rows.len() - IN_CHART)),
            path: None,
            count: rest,
        });
        rows
    }

    /// The sentence for those who do not see the chart.
    fn description(&self) -> String {
        let what = self.chart.counted();
        let total = format!(
            "{what}: {} in this period, {} in the period before.",
            number(self.total.now),
            number(self.total.before)
        );
        let most = self
            .rows
            .iter()
            .filter(|row| row.count.now > 0)
            .max_by_key(|row| row.count.now);
        match most {
            Some(row) => format!("{total} Most: {}, {}.", row.label, number(row.count.now)),
            None => total,
        }
    }

    /// The lying bars.
    #[must_use]
    pub fn bars(&self) -> BarChart {
        let rows = self
            .in_chart()
            .into_iter()
            .map(|row| Row {
                tip: self.tip(&row),
                label: row.label,
                path: row.path,
                value: row.count.now,
                before: row.count.before,
            })
            .collect();
        BarChart::new(
            self.chart.as_str(),
            self.chart.label().to_owned(),
            self.description(),
            rows,
        )
    }

    fn tip(&self, row: &FigureRow) -> String {
        format!(
            "{}: {} ({}). Period before: {}, {}.",
            row.label,
            number(row.count.now),
            self.share(row),
            number(row.count.before),
            row.count
        )
    }

    /// The upright bars; rows are those of the bars of `time`.
    #[must_use]
    pub fn columns(&self, time: &TimeBars) -> ColumnChart {
        let points = self
            .rows
            .iter()
            .zip(&time.bars)
            .map(|(row, (days, before))| Point {
                word: time.word(*days),
                tip: match before {
                    Some(before) => format!(
                        "{}: {}. {before}: {}.",
                        row.label,
                        number(row.count.now),
                        number(row.count.before)
                    ),
                    None => format!("{}: {}.", row.label, number(row.count.now)),
                },
                path: row.path.clone().unwrap_or_default(),
                value: row.count.now,
                before: before.map(|_| row.count.before),
            })
            .collect();
        ColumnChart::new(
            self.chart.as_str(),
            self.chart.label().to_owned(),
            self.description(),
            points,
        )
    }
}

fn number_of(count: usize) -> String {
    number(i64::try_from(count).unwrap_or(i64::MAX))
}

/// The bars over time of a period, each with its days in the period before.
#[derive(Debug, Clone)]
pub struct TimeBars {
    /// What one bar stands for.
    pub size: BucketSize,
    /// The bars.
    pub bars: Vec<(Days, Option<Days>)>,
}

impl TimeBars {
    /// Of a period, by its length.
    #[must_use]
    pub fn of(period: &Period) -> Self {
        let size = BucketSize::for_days(period.days);
        Self {
            size,
            bars: buckets(period.days, size)
                .into_iter()
                .map(|bar| (bar, same_before(period, bar)))
                .collect(),
        }
    }

    /// What is to be counted in a person's zone.
    #[must_use]
    pub fn slots(&self, period: &Period, zone: TimeZone) -> ReportSlots {
        let now = self.bars.iter().map(|(bar, _)| bar.slots(zone));
        let before = self
            .bars
            .iter()
            .map(|(_, bar)| bar.map_or(0..0, |bar| bar.slots(zone)));
        ReportSlots {
            now: period.days.slots(zone),
            before: period.before.slots(zone),
            bars: now.chain(before).collect(),
        }
    }

    /// The few words below a bar.
    fn word(&self, days: Days) -> String {
        let form = match self.size {
            BucketSize::Month => "%b %Y",
            BucketSize::Day | BucketSize::Week => "%-d %b",
        };
        days.first.format(form).to_string()
    }
}

/// All figures of one report.
#[derive(Debug, Clone)]
pub struct Figures {
    /// Leads of the period and of the one before.
    pub leads: Change,
    /// Those of them that are qualified.
    pub qualified: Change,
    /// Submissions.
    pub submissions: Change,
    /// In the order of [`Chart::ALL`].
    pub all: Vec<Figure>,
}

/// The identifiers whose names the figures show.
#[must_use]
pub fn named(report: &Report, address: &Address) -> Vec<String> {
    let mut ids: Vec<String> = address
        .filter_pairs()
        .into_iter()
        .filter(|(name, value)| matches!(*name, "campaign" | "form" | "owner") && value != "none")
        .map(|(_, value)| value)
        .collect();
    for group in &report.leads {
        if let Part::Of(id) = &group.campaign {
            ids.push(id.as_str().to_owned());
        }
        if let Part::Of(id) = &group.form {
            ids.push(id.as_str().to_owned());
        }
        ids.push(group.owner.as_str().to_owned());
    }
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// The name behind a part of the filter: `value` as it stands in the address.
#[must_use]
pub fn name_of(parameter: &str, value: &str, names: &HashMap<String, String>) -> String {
    match parameter {
        "source" => value
            .parse::<LeadSource>()
            .map_or_else(|_| value.to_owned(), |word| word.label().to_owned()),
        "status" => value
            .parse::<LeadStatus>()
            .map_or_else(|_| value.to_owned(), |word| word.label().to_owned()),
        "campaign" if value == "none" => "No campaign".to_owned(),
        "form" if value == "none" => "No form".to_owned(),
        _ => names
            .get(value)
            .cloned()
            .unwrap_or_else(|| "No longer there".to_owned()),
    }
}

impl Figures {
    /// Sorts a report's numbers into figures.
    #[must_use]
    pub fn of(
        report: &Report,
        address: &Address,
        time: &TimeBars,
        names: &HashMap<String, String>,
    ) -> Self {
        let total = sum(report.leads.iter().map(|group| group.count));
        let by_lead = |chart: Chart, key: fn(&LeadGroup) -> String, fixed: Vec<&str>| {
            let mut counts: BTreeMap<String, Change> = fixed
                .iter()
                .map(|key| ((*key).to_owned(), Change::default()))
                .collect();
            for group in &report.leads {
                let count = counts.entry(key(group)).or_default();
                *count = sum([*count, group.count]);
            }
            Figure {
                chart,
                total,
                rows: lead_rows(chart, counts, &fixed, address, names),
            }
        };
        let statuses: Vec<&str> = LeadStatus::ALL
            .iter()
            .map(|status| status.as_str())
            .collect();
        let qualified = sum(report
            .leads
            .iter()
            .filter(|group| group.status == LeadStatus::Qualified)
            .map(|group| group.count));
        let outcomes = outcomes(report);
        let figure = |chart: &Chart| match chart {
            Chart::Leads => over_time(report, address, time, total),
            Chart::Sources => by_lead(*chart, |group| group.source.as_str().to_owned(), Vec::new()),
            Chart::Campaigns => by_lead(*chart, |group| group.campaign.to_string(), Vec::new()),
            Chart::Forms => by_lead(*chart, |group| group.form.to_string(), Vec::new()),
            Chart::Owners => by_lead(*chart, |group| group.owner.to_string(), Vec::new()),
            Chart::Statuses => by_lead(
                *chart,
                |group| group.status.as_str().to_owned(),
                statuses.clone(),
            ),
            Chart::Outcomes => outcomes.clone(),
            Chart::Times => waiting(report),
        };
        Self {
            leads: total,
            qualified,
            submissions: outcomes.total,
            all: Chart::ALL.iter().map(figure).collect(),
        }
    }

    /// One of them.
    #[must_use]
    pub fn figure(&self, chart: Chart) -> Option<&Figure> {
        self.all.iter().find(|figure| figure.chart == chart)
    }

    /// Submissions with this outcome.
    #[must_use]
    pub fn outcome(&self, status: MatchingStatus) -> Change {
        self.figure(Chart::Outcomes)
            .and_then(|figure| figure.rows.iter().find(|row| row.label == status.label()))
            .map(|row| row.count)
            .unwrap_or_default()
    }

    /// Whether there is nothing in the period.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.leads.now == 0 && self.submissions.now == 0
    }
}

fn sum(counts: impl IntoIterator<Item = Change>) -> Change {
    counts
        .into_iter()
        .fold(Change::default(), |all, one| Change {
            now: all.now + one.now,
            before: all.before + one.before,
        })
}

/// Rows with names and links: in the given order, or the largest first.
fn lead_rows(
    chart: Chart,
    counts: BTreeMap<String, Change>,
    fixed: &[&str],
    address: &Address,
    names: &HashMap<String, String>,
) -> Vec<FigureRow> {
    let parameter = chart.parameter().unwrap_or_default();
    let row = |(key, count): (String, Change)| FigureRow {
        label: name_of(parameter, &key, names),
        path: Some(address.with(parameter, Some(&key))),
        count,
    };
    if !fixed.is_empty() {
        let mut counts = counts;
        return fixed
            .iter()
            .filter_map(|key| counts.remove_entry(*key))
            .map(row)
            .collect();
    }
    let mut rows: Vec<FigureRow> = counts.into_iter().map(row).collect();
    rows.sort_by(|left, right| {
        (right.count.now, right.count.before, &left.label).cmp(&(
            left.count.now,
            left.count.before,
            &right.label,
        ))
    });
    rows
}

fn over_time(report: &Report, address: &Address, time: &TimeBars, total: Change) -> Figure {
    let count = time.bars.len();
    let at = |index: usize| report.bars.get(index).copied().unwrap_or(0);
    Figure {
        chart: Chart::Leads,
        total,
        rows: time
            .bars
            .iter()
            .enumerate()
            .map(|(index, (days, _))| FigureRow {
                label: days.to_string(),
                path: Some(address.in_days(*days)),
                count: Change {
                    now: at(index),
                    before: at(count + index),
                },
            })
            .collect(),
    }
}

fn outcomes(report: &Report) -> Figure {
    Figure {
        chart: Chart::Outcomes,
        total: sum(report.outcomes.iter().map(|(_, count)| *count)),
        rows: report
            .outcomes
            .iter()
            .map(|(status, count)| FigureRow {
                label: status.label().to_owned(),
                path: Some(format!("/form-submissions?status={}", status.as_str())),
                count: *count,
            })
            .collect(),
    }
}

fn waiting(report: &Report) -> Figure {
    Figure {
        chart: Chart::Times,
        total: Change {
            now: report.waited.count(),
            before: report.waited_before.count(),
        },
        rows: WAITING_CLASSES
            .iter()
            .map(|class| FigureRow {
                label: class.label.to_owned(),
                path: None,
                count: Change {
                    now: report.waited.waiting(class),
                    before: report.waited_before.waiting(class),
                },
            })
            .collect(),
    }
}
