//! The dashboard's address: which period and filter it holds, and the addresses that change one thing of it.

use chrono::NaiveDate;
use serde::Deserialize;
use url::form_urlencoded::Serializer;

use super::figures::Chart;
use crate::domain::ids::{CampaignId, FormId, UserId};
use crate::domain::lead::{LeadSource, LeadStatus};
use crate::domain::report::{Days, Part, Period, Preset};
use crate::store::reports::ReportFilter;
use crate::web::FieldErrors;

/// What the address asks for.
#[derive(Debug, Default, Deserialize)]
pub struct DashboardQuery {
    period: Option<Preset>,
    /// A day; checked at its field.
    from: Option<String>,
    /// A day; checked at its field.
    to: Option<String>,
    source: Option<LeadSource>,
    campaign: Option<Part<CampaignId>>,
    form: Option<Part<FormId>>,
    owner: Option<UserId>,
    status: Option<LeadStatus>,
    /// Which numbers a file holds.
    pub chart: Option<Chart>,
}

/// A period and a filter that can be written as an address.
#[derive(Debug, Clone)]
pub struct Address {
    /// The period.
    pub period: Period,
    /// The filter.
    pub filter: ReportFilter,
    /// First and last day as they were entered.
    pub entered: (String, String),
    /// What is wrong with them.
    pub errors: FieldErrors,
}

impl Address {
    /// Reads an address on the day `today`. What is wrong with the days is in `errors`; then the period is the last 30 days.
    #[must_use]
    pub fn read(query: DashboardQuery, today: NaiveDate) -> Self {
        let mut errors = FieldErrors::new();
        let entered = (query.from.unwrap_or_default(), query.to.unwrap_or_default());
        let period = match query.period {
            Some(preset) if preset != Preset::Custom => Period::of(preset, today),
            None if entered.0.is_empty() && entered.1.is_empty() => {
                Period::of(Preset::Last30Days, today)
            }
            _ => own_period(&entered, &mut errors)
                .unwrap_or_else(|| Period::of(Preset::Last30Days, today)),
        };
        Self {
            entered: if errors.is_empty() {
                (period.days.first.to_string(), period.days.last.to_string())
            } else {
                entered
            },
            period,
            filter: ReportFilter {
                source: query.source,
                campaign: query.campaign,
                form: query.form,
                owner: query.owner,
                status: query.status,
            },
            errors,
        }
    }

    /// The filter as names and values, without those that are not set.
    #[must_use]
    pub fn filter_pairs(&self) -> Vec<(&'static str, String)> {
        let filter = &self.filter;
        [
            ("source", filter.source.map(|word| word.as_str().to_owned())),
            (
                "campaign",
                filter.campaign.as_ref().map(ToString::to_string),
            ),
            ("form", filter.form.as_ref().map(ToString::to_string)),
            ("owner", filter.owner.as_ref().map(ToString::to_string)),
            ("status", filter.status.map(|word| word.as_str().to_owned())),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
    }

    fn period_pairs(period: &Period) -> Vec<(&'static str, String)> {
        match period.preset {
            Preset::Last30Days => Vec::new(),
            Preset::Custom => vec![
                ("from", period.days.first.to_string()),
                ("to", period.days.last.to_string()),
            ],
            preset => vec![("period", preset.as_str().to_owned())],
        }
    }

    fn written(path: &str, pairs: Vec<(&'static str, String)>) -> String {
        if pairs.is_empty() {
            return path.to_owned();
        }
        let query = Serializer::new(String::new()).extend_pairs(pairs).finish();
        format!("{path}?{query}")
    }

    /// The dashboard with one part of the filter set, or taken back.
    #[must_use]
    pub fn with(&self, name: &'static str, value: Option<&str>) -> String {
        let mut pairs = Self::period_pairs(&self.period);
        pairs.extend(
            self.filter_pairs()
                .into_iter()
                .filter(|(known, _)| *known != name),
        );
        pairs.extend(value.map(|value| (name, value.to_owned())));
        Self::written("/dashboard", pairs)
    }

    /// The dashboard with another period and the same filter.
    #[must_use]
    pub fn in_preset(&self, preset: Preset) -> String {
        let mut pairs = match preset {
            Preset::Last30Days => Vec::new(),
            preset => vec![("period", preset.as_str().to_owned())],
        };
        pairs.extend(self.filter_pairs());
        Self::written("/dashboard", pairs)
    }

    /// The dashboard with these days and the same filter.
    #[must_use]
    pub fn in_days(&self, days: Days) -> String {
        let mut pairs = vec![
            ("from", days.first.to_string()),
            ("to", days.last.to_string()),
        ];
        pairs.extend(self.filter_pairs());
        Self::written("/dashboard", pairs)
    }

    /// The file with the numbers of a chart.
    #[must_use]
    pub fn file(&self, chart: Chart) -> String {
        let mut pairs = vec![("chart", chart.as_str().to_owned())];
        pairs.extend(Self::period_pairs(&self.period));
        pairs.extend(self.filter_pairs());
        Self::written("/dashboard.csv", pairs)
    }
}

fn own_period(entered: &(String, String), errors: &mut FieldErrors) -> Option<Period> {
    let day = |text: &str| {
        text.trim()
            .parse::<NaiveDate>()
            .map_err(|_| "Enter a day such as 2026-11-21.")
    };
    let first = errors.check("from", day(&entered.0));
    let last = errors.check("to", day(&entered.1));
    errors.check("to", Period::custom(first?, last?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn today() -> NaiveDate {
        "2026-11-21".parse().unwrap()
    }

    #[test]
    fn links_keep_the_period_and_the_filter_and_change_one_thing() {
        let query = DashboardQuery {
            period: Some(Preset::ThisMonth),
            campaign: Some(Part::Without),
            status: Some(LeadStatus::Qualified),
            ..DashboardQuery::default()
        };
        let address = Address::read(query, today());
        assert_eq!(
            address.with("campaign", None),
            "/dashboard?period=this_month&status=qualified"
        );
        assert_eq!(
            address.with("source", Some("import")),
            "/dashboard?period=this_month&campaign=none&status=qualified&source=import"
        );
        assert_eq!(
            address.in_preset(Preset::Last30Days),
            "/dashboard?campaign=none&status=qualified"
        );
        assert_eq!(
            address.in_days(address.period.before),
            "/dashboard?from=2026-10-01&to=2026-10-21&campaign=none&status=qualified"
        );
        assert_eq!(
            address.file(Chart::Forms),
            "/dashboard.csv?chart=forms&period=this_month&campaign=none&status=qualified"
        );
        let plain = Address::read(DashboardQuery::default(), today());
        assert_eq!(plain.in_preset(Preset::Custom), "/dashboard?period=custom");
        assert_eq!(plain.with("form", None), "/dashboard");
    }

    #[test]
    fn days_that_are_no_period_are_told_at_their_field_and_kept() {
        for (from, to, field) in [
            ("2026-13-01", "2026-11-01", "from"),
            ("2026-11-01", "", "to"),
            ("2026-11-02", "2026-11-01", "to"),
            ("\0<b>", "2026-11-01", "from"),
            ("-262143-01-01", "2026-11-01", "to"),
        ] {
            let query = DashboardQuery {
                from: Some(from.to_owned()),
                to: Some(to.to_owned()),
                ..DashboardQuery::default()
            };
            let address = Address::read(query, today());
            assert!(address.errors.get(field).is_some(), "{from} {to}");
            assert_eq!(address.entered, (from.to_owned(), to.to_owned()));
            assert_eq!(address.period.preset, Preset::Last30Days);
        }
    }
}
