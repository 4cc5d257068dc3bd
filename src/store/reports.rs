//! The numbers of the dashboard and the weekly page: a few grouped queries over the narrow rows of [`super::report_facts`].

use std::collections::HashMap;

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Text};

use super::columns::{BoundedCount, COUNT_LIMIT, Cells, bounded_count};
use super::schema::{campaigns, form_submissions, lead_forms, report_leads, users};
use super::{AnyConn, StoreError};
use crate::domain::ids::{CampaignId, FormId, UserId};
use crate::domain::lead::{LeadSource, LeadStatus};
use crate::domain::report::{Change, DelayHistogram, Part, Slots};
use crate::domain::submission::MatchingStatus;

/// What a report is narrowed to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReportFilter {
    /// Only from this source.
    pub source: Option<LeadSource>,
    /// Only of this campaign, or of none.
    pub campaign: Option<Part<CampaignId>>,
    /// Only of this form, or of none.
    pub form: Option<Part<FormId>>,
    /// Only of this owner; submissions count by the owner of their lead.
    pub owner: Option<UserId>,
    /// Only leads in this status, and submissions of such leads.
    pub status: Option<LeadStatus>,
}

/// When a report counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportSlots {
    /// The period.
    pub now: Slots,
    /// The period compared with; begins before the period does.
    pub before: Slots,
    /// The bars of the chart over time: those of the period, then those compared with.
    pub bars: Vec<Slots>,
}

/// Leads that have everything in common that a report breaks down by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeadGroup {
    /// Where they came from.
    pub source: LeadSource,
    /// The campaign, if any.
    pub campaign: Part<CampaignId>,
    /// The form, if any.
    pub form: Part<FormId>,
    /// Whose they are.
    pub owner: UserId,
    /// How far the work on them is.
    pub status: LeadStatus,
    /// How many.
    pub count: Change,
}

/// The numbers of one report.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Leads by everything at once; groups without a lead in either period are left out.
    pub leads: Vec<LeadGroup>,
    /// Leads of each bar asked for, in order.
    pub bars: Vec<i64>,
    /// Submissions by what became of them.
    pub outcomes: Vec<(MatchingStatus, Change)>,
    /// Waiting times of the period.
    pub waited: DelayHistogram,
    /// Waiting times of the period before.
    pub waited_before: DelayHistogram,
}

#[derive(QueryableByName)]
struct LeadGroupRow {
    #[diesel(sql_type = Text)]
    source: String,
    #[diesel(sql_type = Text)]
    campaign_id: String,
    #[diesel(sql_type = Text)]
    form_id: String,
    #[diesel(sql_type = Text)]
    owner_id: String,
    #[diesel(sql_type = Text)]
    status: String,
    #[diesel(sql_type = BigInt)]
    now: i64,
    #[diesel(sql_type = BigInt)]
    before: i64,
}

#[derive(QueryableByName)]
struct OutcomeRow {
    #[diesel(sql_type = Text)]
    outcome: String,
    #[diesel(sql_type = BigInt)]
    delay: i64,
    #[diesel(sql_type = BigInt)]
    now: i64,
    #[diesel(sql_type = BigInt)]
    before: i64,
}

#[derive(QueryableByName)]
struct BarRow {
    #[diesel(sql_type = BigInt)]
    bar: i64,
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// The filter as conditions on groups `g`. Holds words of ours and identifiers only, never somebody's text.
fn conditions(filter: &ReportFilter) -> String {
    fn part<T: std::str::FromStr + AsRef<str>>(part: &Part<T>) -> &str {
        match part {
            Part::Of(id) => id.as_ref(),
            Part::Without => "",
        }
    }
    [
        ("source", filter.source.map(LeadSource::as_str)),
        ("campaign_id", filter.campaign.as_ref().map(part)),
        ("form_id", filter.form.as_ref().map(part)),
        ("owner_id", filter.owner.as_ref().map(UserId::as_str)),
        ("status", filter.status.map(LeadStatus::as_str)),
    ]
    .into_iter()
    .filter_map(|(column, value)| Some(format!(" AND g.{column} = '{}'", value?)))
    .collect()
}

/// Counts of the period and of the one before, over rows `f`.
fn counts(slots: &ReportSlots) -> String {
    let count = |slots: &Slots| {
        format!(
            "sum(CASE WHEN f.slot >= {} AND f.slot < {} THEN 1 ELSE 0 END)",
            slots.start, slots.end
        )
    };
    format!(
        "{} AS now, {} AS before",
        count(&slots.now),
        count(&slots.before)
    )
}

/// Counts everything that one page shows: three grouped queries.
///
/// # Errors
/// As any query.
pub fn read(
    conn: &mut AnyConn,
    filter: &ReportFilter,
    slots: &ReportSlots,
) -> Result<Report, StoreError> {
    let mut report = Report {
        leads: lead_groups(conn, filter, slots)?,
        bars: bars(conn, filter, &slots.bars)?,
        ..Report::default()
    };
    let mut outcomes: Vec<(MatchingStatus, Change)> = MatchingStatus::ALL
        .iter()
        .map(|status| (*status, Change::default()))
        .collect();
    for row in outcome_rows(conn, filter, slots)? {
        report.waited.add(row.delay, row.now);
        report.waited_before.add(row.delay, row.before);
        let status: MatchingStatus = Cells {
            table: "report_submission_groups",
            id: &row.outcome,
        }
        .word("outcome", &row.outcome)?;
        for (known, count) in &mut outcomes {
            if *known == status {
                count.now += row.now;
                count.before += row.before;
            }
        }
    }
    report.outcomes = outcomes;
    Ok(report)
}

/// Two ranges of the index for each group: nothing is sorted.
fn lead_groups(
    conn: &mut AnyConn,
    filter: &ReportFilter,
    slots: &ReportSlots,
) -> Result<Vec<LeadGroup>, StoreError> {
    let count = |slots: &Slots| {
        format!(
            "(SELECT count(*) FROM report_leads f WHERE f.group_id = g.id AND f.slot >= {} AND f.slot < {})",
            slots.start, slots.end
        )
    };
    let sql = format!(
        "SELECT * FROM (SELECT g.source, g.campaign_id, g.form_id, g.owner_id, g.status, {} AS now, {} AS before \
         FROM report_lead_groups g WHERE TRUE{}) AS c WHERE c.now > 0 OR c.before > 0",
        count(&slots.now),
        count(&slots.before),
        conditions(filter),
    );
    let rows: Vec<LeadGroupRow> = crate::each!(conn, |c| diesel::sql_query(sql).load(c)?);
    rows.into_iter()
        .map(|row| {
            let cells = Cells {
                table: "report_lead_groups",
                id: &row.owner_id,
            };
            Ok(LeadGroup {
                source: cells.word("source", &row.source)?,
                campaign: part(cells, "campaign_id", &row.campaign_id)?,
                form: part(cells, "form_id", &row.form_id)?,
                owner: cells.word("owner_id", &row.owner_id)?,
                status: cells.word("status", &row.status)?,
                count: Change {
                    now: row.now,
                    before: row.before,
                },
            })
        })
        .collect()
}

fn part<T: std::str::FromStr>(
    cells: Cells<'_>,
    column: &'static str,
    text: &str,
) -> Result<Part<T>, StoreError> {
    if text.is_empty() {
        return Ok(Part::Without);
    }
    cells.word(column, text).map(Part::Of)
}

/// Groups first, then their rows in the order of the index (`CROSS JOIN` holds SQLite to it): nothing is sorted.
fn outcome_rows(
    conn: &mut AnyConn,
    filter: &ReportFilter,
    slots: &ReportSlots,
) -> Result<Vec<OutcomeRow>, StoreError> {
    let sql = format!(
        "SELECT g.outcome, g.delay, CAST(sum(c.now) AS BIGINT) AS now, CAST(sum(c.before) AS BIGINT) AS before \
         FROM report_submission_groups g \
         JOIN (SELECT g.id AS id, {} FROM report_submission_groups g CROSS JOIN report_submissions f \
               WHERE f.group_id = g.id AND f.slot >= {} AND f.slot < {}{} GROUP BY g.id) AS c ON c.id = g.id \
         GROUP BY g.outcome, g.delay",
        counts(slots),
        slots.before.start,
        slots.now.end,
        conditions(filter),
    );
    Ok(crate::each!(conn, |c| diesel::sql_query(sql).load(c)?))
}

/// One range of an index for each bar.
fn bars(conn: &mut AnyConn, filter: &ReportFilter, bars: &[Slots]) -> Result<Vec<i64>, StoreError> {
    if bars.is_empty() {
        return Ok(Vec::new());
    }
    let conditions = conditions(filter);
    let groups = if conditions.is_empty() {
        "IS NOT NULL".to_owned()
    } else {
        format!("IN (SELECT g.id FROM report_lead_groups g WHERE TRUE{conditions})")
    };
    let list = bars
        .iter()
        .enumerate()
        .map(|(bar, slots)| {
            format!(
                "SELECT CAST({bar} AS BIGINT) AS bar, CAST({} AS BIGINT) AS begins, CAST({} AS BIGINT) AS ends",
                slots.start, slots.end
            )
        })
        .collect::<Vec<_>>()
        .join(" UNION ALL ");
    let sql = format!(
        "SELECT b.bar AS bar, (SELECT count(*) FROM report_leads f WHERE f.slot >= b.begins AND f.slot < b.ends \
           AND f.group_id {groups}) AS count FROM ({list}) AS b"
    );
    let rows: Vec<BarRow> = crate::each!(conn, |c| diesel::sql_query(sql).load(c)?);
    let mut counted = vec![0; bars.len()];
    for row in rows {
        if let Some(cell) = usize::try_from(row.bar)
            .ok()
            .and_then(|bar| counted.get_mut(bar))
        {
            *cell = row.count;
        }
    }
    Ok(counted)
}

/// Whether any lead is counted at all.
///
/// # Errors
/// As any query.
pub fn has_leads(conn: &mut AnyConn) -> Result<bool, StoreError> {
    let found: Vec<String> = report_leads::table
        .filter(report_leads::group_id.is_not_null())
        .select(report_leads::lead_id)
        .limit(1)
        .load(conn)?;
    Ok(!found.is_empty())
}

/// What waits for somebody, whenever it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenMatters {
    /// Submissions without a lead by decision; ignored test leads are not among them.
    pub match_failed: BoundedCount,
    /// Submissions that could not be processed.
    pub processing_failed: BoundedCount,
}

/// Counts what waits for somebody, up to a thousand of each.
///
/// # Errors
/// As any query.
pub fn open_matters(conn: &mut AnyConn) -> Result<OpenMatters, StoreError> {
    // Written as constants, so that the partial indexes serve.
    let open = |condition: &str| {
        form_submissions::table
            .filter(sql::<Bool>(condition))
            .filter(form_submissions::is_test.eq(false))
            .select(form_submissions::id)
            .limit(COUNT_LIMIT + 1)
    };
    Ok(OpenMatters {
        match_failed: bounded_count(conn, open("matching_status = 'match_failed'"))?,
        processing_failed: bounded_count(conn, open("processing_state = 'processing_failed'"))?,
    })
}

/// The names of campaigns, forms and people, by identifier.
///
/// # Errors
/// As any query.
pub fn names(conn: &mut AnyConn, ids: &[String]) -> Result<HashMap<String, String>, StoreError> {
    let mut names = HashMap::new();
    for ids in ids.chunks(1_000) {
        names.extend::<Vec<(String, String)>>(
            campaigns::table
                .filter(campaigns::id.eq_any(ids))
                .select((campaigns::id, campaigns::name))
                .load(conn)?,
        );
        names.extend::<Vec<(String, String)>>(
            lead_forms::table
                .filter(lead_forms::id.eq_any(ids))
                .select((lead_forms::id, lead_forms::name))
                .load(conn)?,
        );
        names.extend::<Vec<(String, String)>>(
            users::table
                .filter(users::id.eq_any(ids))
                .select((users::id, users::name))
                .load(conn)?,
        );
    }
    Ok(names)
}
