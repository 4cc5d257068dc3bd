//! Campaigns as the list shows them, with how many submissions and leads each brought.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;

use super::columns::{BoundedCount, COUNT_LIMIT, Cells, bounded_count, lower, search_patterns};
use super::counts::counted_submissions;
use super::paging::{Cursor, Page, PageStart, keyset};
use super::schema::{campaign_lead_counts, campaigns, linkedin_accounts, submission_counts};
use super::{AnyConn, StoreError};
use crate::domain::ids::{AccountId, CampaignId};

/// A campaign with the names around it.
#[derive(Debug, Clone)]
pub struct Campaign {
    /// Its identifier.
    pub id: CampaignId,
    /// LinkedIn's number.
    pub linkedin_id: i64,
    /// Its name at LinkedIn.
    pub name: String,
    /// Its campaign group.
    pub group_name: Option<String>,
    /// LinkedIn's type.
    pub campaign_type: Option<String>,
    /// LinkedIn's status.
    pub linkedin_status: Option<String>,
    /// LinkedIn's objective.
    pub objective: Option<String>,
    /// When it begins.
    pub starts_at: Option<DateTime<Utc>>,
    /// When it ends.
    pub ends_at: Option<DateTime<Utc>>,
    /// Its account.
    pub account: (AccountId, String),
    /// Submissions that it brought.
    pub total_submissions: i64,
    /// Leads that it brought.
    pub total_leads: i64,
    created_at: DateTime<Utc>,
}

#[derive(Queryable)]
struct CampaignRow {
    id: String,
    linkedin_id: i64,
    name: String,
    group_name: Option<String>,
    campaign_type: Option<String>,
    linkedin_status: Option<String>,
    objective: Option<String>,
    starts_at: Option<NaiveDateTime>,
    ends_at: Option<NaiveDateTime>,
    created_at: NaiveDateTime,
    account_id: String,
    account_name: String,
}

impl TryFrom<CampaignRow> for Campaign {
    type Error = StoreError;

    fn try_from(row: CampaignRow) -> Result<Self, StoreError> {
        let cells = Cells {
            table: "campaigns",
            id: &row.id,
        };
        Ok(Self {
            id: cells.word("id", &row.id)?,
            account: (cells.word("account_id", &row.account_id)?, row.account_name),
            linkedin_id: row.linkedin_id,
            name: row.name,
            group_name: row.group_name,
            campaign_type: row.campaign_type,
            linkedin_status: row.linkedin_status,
            objective: row.objective,
            starts_at: row.starts_at.map(|at| at.and_utc()),
            ends_at: row.ends_at.map(|at| at.and_utc()),
            created_at: row.created_at.and_utc(),
            total_submissions: 0,
            total_leads: 0,
        })
    }
}

/// Which campaigns a list shows.
#[derive(Debug, Clone, Default)]
pub struct CampaignFilter {
    /// Words that the name holds.
    pub search: Option<String>,
    /// Only of this account.
    pub account_id: Option<AccountId>,
    /// Only in this state at LinkedIn, in LinkedIn's word.
    pub linkedin_status: Option<String>,
}

macro_rules! filtered {
    ($query:ident, $filter:expr) => {
        if let Some(account_id) = &$filter.account_id {
            $query = $query.filter(campaigns::account_id.eq(account_id.as_str()));
        }
        if let Some(status) = &$filter.linkedin_status {
            $query = $query.filter(campaigns::linkedin_status.eq(status.clone()));
        }
        for pattern in search_patterns($filter.search.as_deref().unwrap_or_default()) {
            $query = $query.filter(lower(campaigns::name.nullable()).like(pattern).escape('\\'));
        }
    };
}

/// One page of the campaigns that pass the filter, newest here first, with their totals, and how many there are.
///
/// # Errors
/// As any query.
pub fn list(
    conn: &mut AnyConn,
    filter: &CampaignFilter,
    start: &PageStart,
) -> Result<(Page<Campaign>, BoundedCount), StoreError> {
    let mut query = campaigns::table
        .inner_join(linkedin_accounts::table)
        .select((
            campaigns::id,
            campaigns::linkedin_id,
            campaigns::name,
            campaigns::campaign_group_name,
            campaigns::campaign_type,
            campaigns::linkedin_status,
            campaigns::objective,
            campaigns::starts_at,
            campaigns::ends_at,
            campaigns::created_at,
            campaigns::account_id,
            linkedin_accounts::name,
        ))
        .into_boxed();
    filtered!(query, filter);
    keyset!(query, start, campaigns::created_at, campaigns::id);
    let rows = query
        .load::<CampaignRow>(conn)?
        .into_iter()
        .map(Campaign::try_from)
        .collect::<Result<Vec<_>, _>>()?;
    let mut page = Page::cut(rows, start, |row| Cursor {
        at: row.created_at,
        id: row.id.as_str().to_owned(),
    });
    let count = match page.known_count(start) {
        Some(rows) => BoundedCount::exactly(rows),
        None => {
            let mut query = campaigns::table
                .select(campaigns::id)
                .limit(COUNT_LIMIT + 1)
                .into_boxed();
            filtered!(query, filter);
            bounded_count(conn, query)?
        }
    };
    let ids: Vec<String> = page
        .rows
        .iter()
        .map(|row| row.id.as_str().to_owned())
        .collect();
    let submissions: Vec<(String, i64)> = submission_counts::table
        .filter(submission_counts::campaign_id.eq_any(&ids))
        .group_by(submission_counts::campaign_id)
        .select((submission_counts::campaign_id, counted_submissions()))
        .load(conn)?;
    let submissions: HashMap<String, i64> = submissions.into_iter().collect();
    let leads: Vec<(String, i64)> = campaign_lead_counts::table
        .filter(campaign_lead_counts::campaign_id.eq_any(&ids))
        .select((
            campaign_lead_counts::campaign_id,
            campaign_lead_counts::leads,
        ))
        .load(conn)?;
    let leads: HashMap<String, i64> = leads.into_iter().collect();
    for row in &mut page.rows {
        row.total_submissions = submissions
            .get(row.id.as_str())
            .copied()
            .unwrap_or_default();
        row.total_leads = leads.get(row.id.as_str()).copied().unwrap_or_default();
    }
    Ok((page, count))
}

/// Identifiers and names of campaigns, of one account or of all, by name: for filters. At most 1,000.
///
/// # Errors
/// As any query.
pub fn names(
    conn: &mut AnyConn,
    account: Option<&AccountId>,
) -> Result<Vec<(String, String)>, StoreError> {
    let mut query = campaigns::table
        .order((campaigns::name.asc(), campaigns::id.asc()))
        .select((campaigns::id, campaigns::name))
        .limit(1_000)
        .into_boxed();
    if let Some(account) = account {
        query = query.filter(campaigns::account_id.eq(account.as_str()));
    }
    Ok(query.load(conn)?)
}
