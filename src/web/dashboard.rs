//! The dashboard: how many leads came, from where, to whom and what became of them; as charts, tables and files.

mod address;
mod figures;
mod file;
mod weekly;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web::Data;
use askama::Template;

pub use weekly::weekly;

use super::charts::{ColumnChart, number};
use super::page::{Chip, StateTab};
use super::{Answer, Portal, Query, Shell, WebError};
use crate::domain::report::{DelayHistogram, Preset, waited};
use crate::store::reports::{self, Report, ReportFilter, ReportSlots};
use crate::store::{StoreError, report_facts};
use address::{Address, DashboardQuery};
use figures::{Chart, Figure, Figures, TimeBars, name_of, named};

/// A report with the names in it.
struct Counted {
    report: Report,
    names: HashMap<String, String>,
    has_leads: bool,
    is_complete: bool,
}

/// How long a reader waits until what reports count is up to date; a long history is counted on behind the page.
const PATIENCE: Duration = Duration::from_millis(500);

/// Brings what reports count up to date, in steps, so that a synchronization gets its turn between them. One reader of
/// this process counts, for all. Answers whether everything is counted.
async fn catch_up(portal: &Portal) -> Result<bool, WebError> {
    if !portal.store.read(report_facts::is_behind).await? {
        return Ok(true);
    }
    let store = portal.store.clone();
    let turn = Arc::clone(&portal.report_turn).lock_owned();
    let counting = actix_web::rt::spawn(async move {
        let _turn = turn.await;
        // Whoever had the turn before may have counted everything.
        if store.read(report_facts::is_behind).await? {
            let mut step = report_facts::Step::First;
            while store
                .write(move |conn| report_facts::catch_up(conn, step))
                .await?
            {
                step = report_facts::Step::Next;
            }
        }
        Ok::<_, StoreError>(())
    });
    match tokio::time::timeout(PATIENCE, counting).await {
        Ok(Ok(counted)) => counted.map(|()| true).map_err(WebError::from),
        Ok(Err(error)) => Err(WebError::Internal(error.to_string())),
        // It counts on behind the page.
        Err(_) => Ok(false),
    }
}

/// Brings what reports count up to date, then counts.
async fn count(
    portal: &Portal,
    address: &Address,
    slots: ReportSlots,
) -> Result<Counted, WebError> {
    let is_complete = catch_up(portal).await?;
    let filter: ReportFilter = address.filter.clone();
    let address = address.clone();
    let counted = portal
        .store
        .read(move |conn| {
            let report = reports::read(conn, &filter, &slots)?;
            Ok::<_, StoreError>(Counted {
                names: reports::names(conn, &named(&report, &address))?,
                has_leads: reports::has_leads(conn)?,
                is_complete,
                report,
            })
        })
        .await?;
    Ok(counted)
}

#[derive(Template)]
#[template(path = "dashboard/show.html")]
struct DashboardPage {
    shell: Shell,
    address: Address,
    presets: Vec<StateTab>,
    chips: Vec<Chip>,
    figures: Figures,
    over_time: Option<ColumnChart>,
    waited: DelayHistogram,
    waited_before: DelayHistogram,
    has_leads: bool,
    is_complete: bool,
    size: &'static str,
}

impl DashboardPage {
    /// A percentile of the waiting times, of the period and of the one before.
    fn percentile(&self, percent: i64) -> (String, String) {
        let told = |times: &DelayHistogram| {
            times
                .percentile(percent)
                .map_or_else(|| "–".to_owned(), waited)
        };
        (told(&self.waited), told(&self.waited_before))
    }

    /// The breakdowns, in two columns.
    fn breakdowns(&self) -> impl Iterator<Item = &Figure> {
        self.figures
            .all
            .iter()
            .filter(|figure| figure.chart != Chart::Leads)
    }
}

fn presets(address: &Address) -> Vec<StateTab> {
    Preset::ALL
        .iter()
        .filter(|preset| **preset != Preset::Custom)
        .map(|preset| StateTab {
            label: preset.label().to_owned(),
            count: None,
            path: address.in_preset(*preset),
            is_current: address.period.preset == *preset,
        })
        .collect()
}

fn chips(address: &Address, names: &HashMap<String, String>) -> Vec<Chip> {
    let period = (address.period.preset == Preset::Custom).then(|| Chip {
        name: "Period",
        value: address.period.days.to_string(),
        path: address.in_preset(Preset::Last30Days),
    });
    let filter = address
        .filter_pairs()
        .into_iter()
        .map(|(name, value)| Chip {
            name: match name {
                "source" => "Source",
                "campaign" => "Campaign",
                "form" => "Form",
                "owner" => "Owner",
                _ => "Status",
            },
            value: name_of(name, &value, names),
            path: address.with(name, None),
        });
    period.into_iter().chain(filter).collect()
}

/// GET /dashboard
///
/// # Errors
/// As the database.
pub async fn index(
    portal: Data<Portal>,
    shell: Shell,
    Query(query): Query<DashboardQuery>,
) -> Answer {
    let zone = shell.time_zone();
    let address = Address::read(query, zone.date(shell.now));
    let time = TimeBars::of(&address.period);
    let slots = time.slots(&address.period, zone);
    let counted = count(&portal, &address, slots).await?;
    let figures = Figures::of(&counted.report, &address, &time, &counted.names);
    let status = if address.errors.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::UNPROCESSABLE_ENTITY
    };
    let page = DashboardPage {
        presets: presets(&address),
        chips: chips(&address, &counted.names),
        over_time: figures
            .figure(Chart::Leads)
            .map(|figure| figure.columns(&time)),
        figures,
        waited: counted.report.waited,
        waited_before: counted.report.waited_before,
        has_leads: counted.has_leads,
        is_complete: counted.is_complete,
        size: time.size.label(),
        shell,
        address,
    };
    page.shell.render(status, &page)
}

/// GET /dashboard.csv: the numbers of one chart.
///
/// # Errors
/// `InvalidQuery` without a chart or with days that make no period; or as the database.
pub async fn export(
    portal: Data<Portal>,
    shell: Shell,
    Query(query): Query<DashboardQuery>,
) -> Answer {
    let invalid = |parameter: &str| WebError::InvalidQuery {
        parameter: Some(parameter.to_owned()),
        path: "/dashboard".to_owned(),
    };
    let chart = query.chart.ok_or_else(|| invalid("chart"))?;
    let zone = shell.time_zone();
    let address = Address::read(query, zone.date(shell.now));
    if let Some((field, _)) = address.errors.all().first() {
        return Err(invalid(field));
    }
    let time = TimeBars::of(&address.period);
    let counted = count(&portal, &address, time.slots(&address.period, zone)).await?;
    if !counted.is_complete {
        // A file would not say that it is half.
        return Err(StoreError::Busy.into());
    }
    let figures = Figures::of(&counted.report, &address, &time, &counted.names);
    let figure = figures.figure(chart).ok_or(WebError::NotFound)?;
    Ok(file::answer(figure, address.period.days))
}
