//! The list of leads: its filter and orders, pages of any size, the numbers by status, the neighbours of one lead.
//!
//! Every order is an index on (what it sorts by, id). A place in the list is the id of a lead, with a time where the order
//! is by time; the order by name looks the name up, because names do not belong into addresses.

use chrono::NaiveDateTime;
use diesel::prelude::*;

use super::columns::{BoundedCount, COUNT_LIMIT, Cells, bounded_count};
use super::leads::LeadFilter;
use super::paging::{Cursor, Page, PageStart};
use super::schema::{campaigns, lead_forms, lead_origins, leads, linkedin_accounts, users};
use super::search::{self, Among, Found};
use super::{AnyConn, StoreError};
use crate::domain::ids::LeadId;
use crate::domain::lead::{FieldKey, LeadField, LeadSource, LeadStatus, LeadValues, display_name};
use crate::domain::words::words;

words! {
    /// The orders of the list.
    pub enum LeadOrder {
        Newest = "newest" => "Newest first",
        Latest = "latest" => "Latest submission first",
        Name = "name" => "Name, A to Z",
    }
}

/// A lead as the list shows it.
#[derive(Debug, Clone)]
pub struct LeadListed {
    /// Its identifier.
    pub id: LeadId,
    /// The name to show.
    pub name: String,
    /// Its company.
    pub company_name: Option<String>,
    /// What the person does there.
    pub job_title: Option<String>,
    /// Its e-mail address, the private one first.
    pub email: Option<String>,
    /// How far the work on it is.
    pub status: LeadStatus,
    /// Whose it is.
    pub owner_name: String,
    /// Where it came from.
    pub source: LeadSource,
    /// The campaign that brought it.
    pub campaign_name: Option<String>,
    /// When its latest submission was made.
    pub latest_submitted_at: Option<chrono::DateTime<chrono::Utc>>,
    /// How many submissions it has.
    pub submission_count: i64,
    /// When it was made here.
    pub created_at: chrono::DateTime<chrono::Utc>,
    /// The latest submission, else when it was made.
    pub active_at: chrono::DateTime<chrono::Utc>,
}

impl LeadListed {
    /// Its place in the list.
    #[must_use]
    pub fn place(&self, order: LeadOrder) -> Cursor {
        Cursor {
            at: match order {
                LeadOrder::Latest => self.active_at,
                LeadOrder::Newest | LeadOrder::Name => self.created_at,
            },
            id: self.id.as_str().to_owned(),
        }
    }
}

#[derive(Queryable)]
struct Row {
    id: String,
    first_name: Option<String>,
    last_name: Option<String>,
    company_name: Option<String>,
    job_title: Option<String>,
    email: Option<String>,
    work_email: Option<String>,
    topic: String,
    status: String,
    created_at: NaiveDateTime,
    owner_name: String,
    source: String,
    latest_submitted_at: Option<NaiveDateTime>,
    submission_count: i64,
    active_at: NaiveDateTime,
    campaign_name: Option<String>,
}

impl TryFrom<Row> for LeadListed {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let cells = Cells {
            table: "leads",
            id: &row.id,
        };
        let origins = Cells {
            table: "lead_origins",
            id: &row.id,
        };
        let values: LeadValues = [
            (LeadField::FirstName, row.first_name),
            (LeadField::LastName, row.last_name),
            (LeadField::CompanyName, row.company_name.clone()),
            (LeadField::Email, row.email.clone()),
            (LeadField::WorkEmail, row.work_email.clone()),
        ]
        .into_iter()
        .filter_map(|(field, value)| Some((FieldKey::Standard(field), value?)))
        .collect();
        Ok(Self {
            id: cells.word("id", &row.id)?,
            status: cells.word("status", &row.status)?,
            source: origins.word("source", &row.source)?,
            name: display_name(&values).unwrap_or(row.topic),
            company_name: row.company_name,
            job_title: row.job_title,
            email: row.email.or(row.work_email),
            owner_name: row.owner_name,
            campaign_name: row.campaign_name,
            latest_submitted_at: row.latest_submitted_at.map(|at| at.and_utc()),
            submission_count: row.submission_count,
            created_at: row.created_at.and_utc(),
            active_at: row.active_at.and_utc(),
        })
    }
}

/// Adds the conditions of a [`LeadFilter`], and what its search came to, to a boxed query on `leads` and `lead_origins`.
macro_rules! narrowed {
    ($query:ident, $filter:expr, $found:expr) => {
        if let Some(status) = $filter.status {
            $query = $query.filter(leads::status.eq(status.as_str()));
        }
        if let Some(owner_id) = &$filter.owner_id {
            $query = $query.filter(leads::owner_id.eq(owner_id.as_str()));
        }
        if let Some(source) = $filter.source {
            $query = $query.filter(lead_origins::source.eq(source.as_str()));
        }
        if let Some(id) = &$filter.account_id {
            $query = $query.filter(lead_origins::account_id.eq(id.as_str()));
        }
        if let Some(id) = &$filter.form_id {
            $query = $query.filter(lead_origins::form_id.eq(id.as_str()));
        }
        if let Some(id) = &$filter.campaign_id {
            $query = $query.filter(lead_origins::campaign_id.eq(id.as_str()));
        }
        if let Some(at) = $filter.created_from {
            $query = $query.filter(leads::created_at.ge(at.naive_utc()));
        }
        if let Some(at) = $filter.created_until {
            $query = $query.filter(leads::created_at.lt(at.naive_utc()));
        }
        if let Some(at) = $filter.submitted_from {
            $query = $query.filter(lead_origins::latest_submitted_at.ge(at.naive_utc()));
        }
        if let Some(at) = $filter.submitted_until {
            $query = $query.filter(lead_origins::latest_submitted_at.lt(at.naive_utc()));
        }
        match $found {
            Found::Everything => {}
            Found::Few(ids) => $query = $query.filter(leads::id.eq_any(ids.clone())),
            Found::Many(patterns) => {
                for pattern in patterns {
                    $query = $query.filter(lead_origins::search_words.like(pattern.clone()));
                }
            }
        }
    };
}

pub(super) use narrowed;

/// Sorts a boxed query newest first by a time and begins it at a place.
macro_rules! by_time {
    ($query:ident, $start:expr, $at:expr) => {
        $query = match $start {
            PageStart::Newest => $query.order(($at.desc(), lead_origins::lead_id.desc())),
            PageStart::After(place) => {
                let at = place.at.naive_utc();
                $query
                    .filter($at.le(at))
                    .filter($at.lt(at).or(lead_origins::lead_id.lt(place.id.clone())))
                    .order(($at.desc(), lead_origins::lead_id.desc()))
            }
            PageStart::Before(place) => {
                let at = place.at.naive_utc();
                $query
                    .filter($at.ge(at))
                    .filter($at.gt(at).or(lead_origins::lead_id.gt(place.id.clone())))
                    .order(($at.asc(), lead_origins::lead_id.asc()))
            }
        }
    };
}

/// Sorts a boxed query in the list's order and begins it at a place.
macro_rules! placed {
    ($conn:ident, $query:ident, $order:expr, $start:expr) => {
        match $order {
            LeadOrder::Newest => {
                // The index of this order is one of the table `leads`.
                $query = match $start {
                    PageStart::Newest => $query.order((leads::created_at.desc(), leads::id.desc())),
                    PageStart::After(place) => {
                        let at = place.at.naive_utc();
                        $query
                            .filter(leads::created_at.le(at))
                            .filter(leads::created_at.lt(at).or(leads::id.lt(place.id.clone())))
                            .order((leads::created_at.desc(), leads::id.desc()))
                    }
                    PageStart::Before(place) => {
                        let at = place.at.naive_utc();
                        $query
                            .filter(leads::created_at.ge(at))
                            .filter(leads::created_at.gt(at).or(leads::id.gt(place.id.clone())))
                            .order((leads::created_at.asc(), leads::id.asc()))
                    }
                };
            }
            LeadOrder::Latest => by_time!($query, $start, lead_origins::active_at),
            LeadOrder::Name => {
                let ascending = (lead_origins::name_key.asc(), lead_origins::lead_id.asc());
                $query = match $start {
                    PageStart::Newest => $query.order(ascending),
                    PageStart::After(place) => {
                        let key = name_key($conn, &place.id)?;
                        $query
                            .filter(lead_origins::name_key.ge(key.clone()))
                            .filter(
                                lead_origins::name_key
                                    .gt(key)
                                    .or(lead_origins::lead_id.gt(place.id.clone())),
                            )
                            .order(ascending)
                    }
                    PageStart::Before(place) => {
                        let key = name_key($conn, &place.id)?;
                        $query
                            .filter(lead_origins::name_key.le(key.clone()))
                            .filter(
                                lead_origins::name_key
                                    .lt(key)
                                    .or(lead_origins::lead_id.lt(place.id.clone())),
                            )
                            .order((lead_origins::name_key.desc(), lead_origins::lead_id.desc()))
                    }
                };
            }
        }
    };
}

/// The name by which a lead is sorted; empty when it is gone, so that the list begins anew.
fn name_key(conn: &mut AnyConn, id: &str) -> Result<String, StoreError> {
    let key: Option<String> = lead_origins::table
        .find(id)
        .select(lead_origins::name_key)
        .first(conn)
        .optional()?;
    Ok(key.unwrap_or_default())
}

/// One page of `size` leads that pass the filter.
///
/// # Errors
/// As any query.
pub fn page(
    conn: &mut AnyConn,
    filter: &LeadFilter,
    order: LeadOrder,
    start: &PageStart,
    size: i64,
) -> Result<Page<LeadListed>, StoreError> {
    let found = search::find(conn, Among::Leads, filter.search.as_deref())?;
    let mut query = leads::table
        .inner_join(users::table)
        .inner_join(lead_origins::table.left_join(campaigns::table))
        .select((
            leads::id,
            leads::first_name,
            leads::last_name,
            leads::company_name,
            leads::job_title,
            leads::email,
            leads::work_email,
            leads::topic,
            leads::status,
            leads::created_at,
            users::name,
            lead_origins::source,
            lead_origins::latest_submitted_at,
            lead_origins::submission_count,
            lead_origins::active_at,
            campaigns::name.nullable(),
        ))
        .limit(size + 1)
        .into_boxed();
    narrowed!(query, filter, &found);
    placed!(conn, query, order, start);
    let mut rows = query
        .load::<Row>(conn)?
        .into_iter()
        .map(LeadListed::try_from)
        .collect::<Result<Vec<_>, _>>()?;
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let is_more = rows.len() > size;
    rows.truncate(size);
    if matches!(start, PageStart::Before(_)) {
        rows.reverse();
    }
    let (has_newer, has_older) = match start {
        PageStart::Newest => (false, is_more),
        PageStart::After(_) => (true, is_more),
        PageStart::Before(_) => (is_more, true),
    };
    Ok(Page {
        newer: rows
            .first()
            .filter(|_| has_newer)
            .map(|row| row.place(order)),
        older: rows
            .last()
            .filter(|_| has_older)
            .map(|row| row.place(order)),
        rows,
    })
}

/// How many leads pass the filter, as far as a list counts.
///
/// # Errors
/// As any query.
pub fn count(conn: &mut AnyConn, filter: &LeadFilter) -> Result<BoundedCount, StoreError> {
    let found = search::find(conn, Among::Leads, filter.search.as_deref())?;
    count_found(conn, filter, &found)
}

fn count_found(
    conn: &mut AnyConn,
    filter: &LeadFilter,
    found: &Found,
) -> Result<BoundedCount, StoreError> {
    // The index has counted them already, as far as a list counts.
    if matches!(found, Found::Many(_)) && filter.is_search_only() {
        return Ok(BoundedCount::beyond_the_limit());
    }
    let mut query = leads::table
        .inner_join(lead_origins::table)
        .select(leads::id)
        .limit(COUNT_LIMIT + 1)
        .into_boxed();
    narrowed!(query, filter, found);
    bounded_count(conn, query)
}

/// How many leads pass the filter in each status, whatever status the filter names.
///
/// # Errors
/// As any query.
pub fn by_status(
    conn: &mut AnyConn,
    filter: &LeadFilter,
) -> Result<Vec<(LeadStatus, BoundedCount)>, StoreError> {
    let found = search::find(conn, Among::Leads, filter.search.as_deref())?;
    LeadStatus::ALL
        .iter()
        .map(|status| {
            let of_status = LeadFilter {
                status: Some(*status),
                ..filter.clone()
            };
            Ok((*status, count_found(conn, &of_status, &found)?))
        })
        .collect()
}

/// The ids of at most `limit` leads that pass the filter, in the order of their ids.
///
/// # Errors
/// As any query.
pub fn ids(conn: &mut AnyConn, filter: &LeadFilter, limit: i64) -> Result<Vec<LeadId>, StoreError> {
    let found = search::find(conn, Among::Leads, filter.search.as_deref())?;
    let mut query = leads::table
        .inner_join(lead_origins::table)
        .select(leads::id)
        .order(leads::id.asc())
        .limit(limit)
        .into_boxed();
    narrowed!(query, filter, &found);
    query
        .load::<String>(conn)?
        .iter()
        .map(|id| Cells { table: "leads", id }.word("id", id))
        .collect()
}

/// The leads before and after this one in the list.
///
/// # Errors
/// As any query.
pub fn neighbours(
    conn: &mut AnyConn,
    filter: &LeadFilter,
    order: LeadOrder,
    lead: &crate::domain::lead::Lead,
) -> Result<(Option<LeadId>, Option<LeadId>), StoreError> {
    let place = Cursor {
        at: match order {
            LeadOrder::Latest => lead.latest_submitted_at.unwrap_or(lead.created_at),
            LeadOrder::Newest | LeadOrder::Name => lead.created_at,
        },
        id: lead.id.as_str().to_owned(),
    };
    let found = search::find(conn, Among::Leads, filter.search.as_deref())?;
    let mut next_to = |start: &PageStart| -> Result<Option<LeadId>, StoreError> {
        let mut query = leads::table
            .inner_join(lead_origins::table)
            .select(leads::id)
            .limit(1)
            .into_boxed();
        narrowed!(query, filter, &found);
        placed!(conn, query, order, start);
        let found: Option<String> = query.first(conn).optional()?;
        found
            .map(|id| {
                Cells {
                    table: "leads",
                    id: &id,
                }
                .word("id", &id)
            })
            .transpose()
    };
    Ok((
        next_to(&PageStart::Before(place.clone()))?,
        next_to(&PageStart::After(place))?,
    ))
}

/// What the filter can name: (id, name), by name, at most 500 of each.
#[derive(Debug, Clone, Default)]
pub struct FilterChoices {
    /// LinkedIn accounts.
    pub accounts: Vec<(String, String)>,
    /// Lead Gen forms.
    pub forms: Vec<(String, String)>,
    /// Campaigns.
    pub campaigns: Vec<(String, String)>,
}

/// What the filter can name; what it names already is among them.
///
/// # Errors
/// As any query.
pub fn filter_choices(
    conn: &mut AnyConn,
    filter: &LeadFilter,
) -> Result<FilterChoices, StoreError> {
    const LIMIT: i64 = 500;
    macro_rules! named {
        ($table:ident, $chosen:expr) => {{
            let mut listed: Vec<(String, String)> = $table::table
                .order(($table::name.asc(), $table::id.asc()))
                .select(($table::id, $table::name))
                .limit(LIMIT)
                .load(conn)?;
            if let Some(id) = $chosen
                && !listed.iter().any(|(known, _)| known == id.as_str())
            {
                listed.extend(
                    $table::table
                        .find(id.as_str())
                        .select(($table::id, $table::name))
                        .first::<(String, String)>(conn)
                        .optional()?,
                );
            }
            listed
        }};
    }
    Ok(FilterChoices {
        accounts: named!(linkedin_accounts, &filter.account_id),
        forms: named!(lead_forms, &filter.form_id),
        campaigns: named!(campaigns, &filter.campaign_id),
    })
}
