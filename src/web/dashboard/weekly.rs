//! The weekly page: one sheet of paper with a week's numbers, compared with the week before.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use askama::Template;
use serde::Deserialize;

use super::address::{Address, DashboardQuery};
use super::figures::{Chart, Figure, FigureRow, Figures, TimeBars};
use super::{count, number};
use crate::domain::report::{Change, DelayHistogram, Period, Week, share, waited};
use crate::domain::submission::MatchingStatus;
use crate::store::StoreError;
use crate::store::accounts::{self, Account, AccountFilter};
use crate::store::reports::{self, OpenMatters};
use crate::web::charts::ColumnChart;
use crate::web::{Answer, Portal, Query, Shell, WebError};

/// Rows of the lists of campaigns and forms.
const TOP: usize = 5;

/// Which week.
#[derive(Debug, Default, Deserialize)]
pub struct WeeklyQuery {
    week: Option<Week>,
}

/// A number of the week beside that of the week before.
struct Line {
    label: &'static str,
    now: String,
    before: String,
    change: String,
}

impl Line {
    fn count(label: &'static str, count: Change) -> Self {
        Self {
            label,
            now: number(count.now),
            before: number(count.before),
            change: count.to_string(),
        }
    }

    fn percentile(
        label: &'static str,
        percent: i64,
        now: &DelayHistogram,
        before: &DelayHistogram,
    ) -> Self {
        let (now, before) = (now.percentile(percent), before.percentile(percent));
        let told = |time: Option<i64>| time.map_or_else(|| "–".to_owned(), waited);
        Self {
            label,
            now: told(now),
            before: told(before),
            change: match (now, before) {
                (Some(now), Some(before)) if now > before => {
                    format!("{} longer", waited(now - before))
                }
                (Some(now), Some(before)) if now < before => {
                    format!("{} shorter", waited(before - now))
                }
                (Some(_), Some(_)) => "the same".to_owned(),
                _ => "–".to_owned(),
            },
        }
    }
}

#[derive(Template)]
#[template(path = "dashboard/weekly.html")]
struct WeeklyPage {
    shell: Shell,
    week: Week,
    /// The week after, unless it is still to come.
    next: Option<Week>,
    address: Address,
    lines: Vec<Line>,
    over_time: Option<ColumnChart>,
    figures: Figures,
    open: OpenMatters,
    failing: Vec<Account>,
    has_leads: bool,
    is_complete: bool,
}

impl WeeklyPage {
    /// The largest rows of a figure.
    fn top(&self, chart: &Chart) -> (Option<&Figure>, Vec<&FigureRow>) {
        let figure = self.figures.figure(*chart);
        let rows = figure
            .iter()
            .flat_map(|figure| &figure.rows)
            .filter(|row| row.count.now > 0 || row.count.before > 0)
            .take(TOP)
            .collect();
        (figure, rows)
    }

    /// Whether nothing waits for anybody.
    fn is_all_done(&self) -> bool {
        self.open.match_failed.rows == 0
            && self.open.processing_failed.rows == 0
            && self.failing.is_empty()
    }
}

/// GET /dashboard/weekly: a week, by default the last one that is over.
///
/// # Errors
/// As the database.
pub async fn weekly(
    portal: Data<Portal>,
    shell: Shell,
    Query(query): Query<WeeklyQuery>,
) -> Answer {
    let zone = shell.time_zone();
    let this_week = Week::of(zone.date(shell.now));
    let week = query.week.unwrap_or_else(|| this_week.previous());
    let mut address = Address::read(DashboardQuery::default(), zone.date(shell.now));
    address.period =
        Period::custom(week.days().first, week.days().last).map_err(|_| WebError::NotFound)?;
    let time = TimeBars::of(&address.period);
    let counted = count(&portal, &address, time.slots(&address.period, zone)).await?;
    let (open, failing) = portal
        .store
        .read(|conn| {
            let accounts = accounts::list(conn, &AccountFilter::default())?;
            let failing: Vec<Account> = accounts
                .into_iter()
                .filter(|account| account.is_sync_enabled && account.failure_reason.is_some())
                .collect();
            Ok::<_, StoreError>((reports::open_matters(conn)?, failing))
        })
        .await?;
    let figures = Figures::of(&counted.report, &address, &time, &counted.names);
    let page = WeeklyPage {
        lines: lines(
            &figures,
            &counted.report.waited,
            &counted.report.waited_before,
        ),
        over_time: figures
            .figure(Chart::Leads)
            .map(|figure| figure.columns(&time)),
        next: (week != this_week && week.days().first < this_week.days().first)
            .then(|| week.next()),
        week,
        address,
        figures,
        open,
        failing,
        has_leads: counted.has_leads,
        is_complete: counted.is_complete,
        shell,
    };
    page.shell.render(StatusCode::OK, &page)
}

fn lines(figures: &Figures, now: &DelayHistogram, before: &DelayHistogram) -> Vec<Line> {
    let outcome = |status| figures.outcome(status);
    let (creation, update) = (
        outcome(MatchingStatus::LeadCreationFailed),
        outcome(MatchingStatus::LeadUpdateFailed),
    );
    let failed = Change {
        now: creation.now + update.now,
        before: creation.before + update.before,
    };
    vec![
        Line::count("Leads", figures.leads),
        Line::count("Qualified leads among them", figures.qualified),
        Line {
            label: "Share of qualified leads",
            now: share(figures.qualified.now, figures.leads.now),
            before: share(figures.qualified.before, figures.leads.before),
            change: String::new(),
        },
        Line::count("Form submissions", figures.submissions),
        Line::count("New lead created", outcome(MatchingStatus::NewLeadCreated)),
        Line::count(
            "Updated existing lead",
            outcome(MatchingStatus::UpdatedExistingLead),
        ),
        Line::count("Match failed", outcome(MatchingStatus::MatchFailed)),
        Line::count("Processing failed", failed),
        Line::percentile("Half became leads within", 50, now, before),
        Line::percentile("Nine of ten became leads within", 90, now, before),
    ]
}
