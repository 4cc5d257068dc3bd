//! Leads as pages show them: the filtered list, the names around one lead, and its journal.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use super::columns::{BoundedCount, COUNT_LIMIT, Cells, bounded_count};
use super::paging::{Cursor, Page, PageStart, keyset};
use super::schema::{
    campaigns, lead_changes, lead_forms, lead_origins, leads, linkedin_accounts, user_roles, users,
};
use super::search::{self, Among, Found};
use super::{AnyConn, StoreError, lead_rows};
use crate::domain::access::Role;
use crate::domain::ids::{LeadId, SubmissionId, UserId};
use crate::domain::lead::{
    FieldKey, Lead, LeadField, LeadSource, LeadStatus, LeadValues, display_name,
};

/// Which leads a list shows.
#[derive(Debug, Clone, Default)]
pub struct LeadFilter {
    /// Beginnings of words that the name, an e-mail address or the company holds.
    pub search: Option<String>,
    /// Only in this status.
    pub status: Option<LeadStatus>,
    /// Only of this owner.
    pub owner_id: Option<UserId>,
    /// Only from this source.
    pub source: Option<LeadSource>,
}

impl LeadFilter {
    /// Whether it lets everything pass.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.search
            .as_deref()
            .is_none_or(|text| text.trim().is_empty())
            && self.is_search_only()
    }

    /// Whether nothing but the search narrows the list.
    fn is_search_only(&self) -> bool {
        self.status.is_none() && self.owner_id.is_none() && self.source.is_none()
    }
}

/// A lead as a list shows it.
#[derive(Debug, Clone)]
pub struct LeadListed {
    /// Its identifier.
    pub id: LeadId,
    /// The name to show.
    pub name: String,
    /// Its company.
    pub company_name: Option<String>,
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
    pub latest_submitted_at: Option<DateTime<Utc>>,
    /// How many submissions it has.
    pub submission_count: i64,
    /// When it was made here.
    pub created_at: DateTime<Utc>,
}

#[derive(Queryable)]
struct LeadListedRow {
    id: String,
    first_name: Option<String>,
    last_name: Option<String>,
    company_name: Option<String>,
    email: Option<String>,
    work_email: Option<String>,
    topic: String,
    status: String,
    created_at: NaiveDateTime,
    owner_name: String,
    source: String,
    latest_submitted_at: Option<NaiveDateTime>,
    submission_count: i64,
    campaign_name: Option<String>,
}

impl TryFrom<LeadListedRow> for LeadListed {
    type Error = StoreError;

    fn try_from(row: LeadListedRow) -> Result<Self, StoreError> {
        let cells = Cells {
            table: "leads",
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
            source: Cells {
                table: "lead_origins",
                id: &row.id,
            }
            .word("source", &row.source)?,
            name: display_name(&values).unwrap_or(row.topic),
            company_name: row.company_name,
            email: row.email.or(row.work_email),
            owner_name: row.owner_name,
            campaign_name: row.campaign_name,
            latest_submitted_at: row.latest_submitted_at.map(|at| at.and_utc()),
            submission_count: row.submission_count,
            created_at: row.created_at.and_utc(),
        })
    }
}

/// Adds the filter's conditions on `leads` itself to a boxed query.
macro_rules! filtered {
    ($query:ident, $filter:expr) => {
        if let Some(status) = $filter.status {
            $query = $query.filter(leads::status.eq(status.as_str()));
        }
        if let Some(owner_id) = &$filter.owner_id {
            $query = $query.filter(leads::owner_id.eq(owner_id.as_str()));
        }
    };
}

/// Adds what a search came to, to a boxed query on `leads` and `lead_origins`.
macro_rules! searched {
    ($query:ident, $found:expr) => {
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

/// One page of the leads that pass the filter, newest first, and how many there are.
///
/// # Errors
/// As any query.
pub fn list(
    conn: &mut AnyConn,
    filter: &LeadFilter,
    start: &PageStart,
) -> Result<(Page<LeadListed>, BoundedCount), StoreError> {
    let found = search::find(conn, Among::Leads, filter.search.as_deref())?;
    let mut query = leads::table
        .inner_join(users::table)
        .inner_join(lead_origins::table.left_join(campaigns::table))
        .select((
            leads::id,
            leads::first_name,
            leads::last_name,
            leads::company_name,
            leads::email,
            leads::work_email,
            leads::topic,
            leads::status,
            leads::created_at,
            users::name,
            lead_origins::source,
            lead_origins::latest_submitted_at,
            lead_origins::submission_count,
            campaigns::name.nullable(),
        ))
        .into_boxed();
    filtered!(query, filter);
    searched!(query, &found);
    if let Some(source) = filter.source {
        query = query.filter(lead_origins::source.eq(source.as_str()));
    }
    keyset!(query, start, leads::created_at, leads::id);
    let rows = query
        .load::<LeadListedRow>(conn)?
        .into_iter()
        .map(LeadListed::try_from)
        .collect::<Result<Vec<_>, _>>()?;
    let page = Page::cut(rows, start, |row| Cursor {
        at: row.created_at,
        id: row.id.as_str().to_owned(),
    });
    let count = match (page.known_count(start), &found) {
        (Some(rows), _) => BoundedCount::exactly(rows),
        // The index has counted them already, as far as a list counts.
        (None, Found::Many(_)) if filter.is_search_only() => BoundedCount::beyond_the_limit(),
        (None, Found::Everything) if filter.source.is_none() => {
            let mut query = leads::table
                .select(leads::id)
                .limit(COUNT_LIMIT + 1)
                .into_boxed();
            filtered!(query, filter);
            bounded_count(conn, query)?
        }
        (None, _) => {
            let mut query = leads::table
                .inner_join(lead_origins::table)
                .select(leads::id)
                .limit(COUNT_LIMIT + 1)
                .into_boxed();
            filtered!(query, filter);
            searched!(query, &found);
            if let Some(source) = filter.source {
                query = query.filter(lead_origins::source.eq(source.as_str()));
            }
            bounded_count(conn, query)?
        }
    };
    Ok((page, count))
}

/// The lead.
///
/// # Errors
/// `NotFound` when there is none.
pub fn get(conn: &mut AnyConn, id: &LeadId) -> Result<Lead, StoreError> {
    lead_rows::load(conn, std::slice::from_ref(id))?
        .pop()
        .ok_or(StoreError::NotFound("lead"))
}

/// The names around a lead.
#[derive(Debug, Clone, Default)]
pub struct LeadNames {
    /// Its owner.
    pub owner: String,
    /// The account, form and campaign that brought it.
    pub account: Option<String>,
    /// See `account`.
    pub form: Option<String>,
    /// See `account`.
    pub campaign: Option<String>,
}

/// The names around a lead.
///
/// # Errors
/// As any query.
pub fn names_around(conn: &mut AnyConn, lead: &Lead) -> Result<LeadNames, StoreError> {
    let owner: Option<String> = users::table
        .find(lead.owner_id.as_str())
        .select(users::name)
        .first(conn)
        .optional()?;
    let account = match &lead.account_id {
        Some(id) => linkedin_accounts::table
            .find(id.as_str())
            .select(linkedin_accounts::name)
            .first(conn)
            .optional()?,
        None => None,
    };
    let form = match &lead.form_id {
        Some(id) => lead_forms::table
            .find(id.as_str())
            .select(lead_forms::name)
            .first(conn)
            .optional()?,
        None => None,
    };
    let campaign = match &lead.campaign_id {
        Some(id) => campaigns::table
            .find(id.as_str())
            .select(campaigns::name)
            .first(conn)
            .optional()?,
        None => None,
    };
    Ok(LeadNames {
        owner: owner.unwrap_or_default(),
        account,
        form,
        campaign,
    })
}

/// The names to show for these leads; ids without a lead are left out.
///
/// # Errors
/// As any query.
pub fn display_names(
    conn: &mut AnyConn,
    ids: &[LeadId],
) -> Result<HashMap<LeadId, String>, StoreError> {
    type Row = (
        String,
        Option<String>,
        Option<String>,
        Option<String>,
        Option<String>,
        String,
    );
    let rows: Vec<Row> = leads::table
        .filter(leads::id.eq_any(ids.iter().take(200).map(LeadId::as_str)))
        .select((
            leads::id,
            leads::first_name,
            leads::last_name,
            leads::company_name,
            leads::email,
            leads::topic,
        ))
        .load(conn)?;
    rows.into_iter()
        .map(|(id, first_name, last_name, company_name, email, topic)| {
            let cells = Cells {
                table: "leads",
                id: &id,
            };
            let values: LeadValues = [
                (LeadField::FirstName, first_name),
                (LeadField::LastName, last_name),
                (LeadField::CompanyName, company_name),
                (LeadField::Email, email),
            ]
            .into_iter()
            .filter_map(|(field, value)| Some((FieldKey::Standard(field), value?)))
            .collect();
            Ok((
                cells.word("id", &id)?,
                display_name(&values).unwrap_or(topic),
            ))
        })
        .collect()
}

/// One change in a lead's journal: a field's word, or `status`, `owner` or `topic`, with the value before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalChange {
    /// What changed.
    pub field: String,
    /// The value before.
    #[serde(default)]
    pub before: Option<String>,
    /// The value after.
    #[serde(default)]
    pub after: Option<String>,
}

/// One entry of a lead's journal.
#[derive(Debug, Clone)]
pub struct JournalEntry {
    /// `created`, `updated`, `attached`, `reopened` or `edited`.
    pub kind: String,
    /// When.
    pub created_at: DateTime<Utc>,
    /// The submission that did it.
    pub submission_id: Option<SubmissionId>,
    /// The person who did it.
    pub user_name: Option<String>,
    /// What changed.
    pub changes: Vec<JournalChange>,
}

/// The journal of a lead, newest first, at most 200 entries.
///
/// # Errors
/// As any query.
pub fn journal(conn: &mut AnyConn, id: &LeadId) -> Result<Vec<JournalEntry>, StoreError> {
    type Row = (
        String,
        String,
        NaiveDateTime,
        Option<String>,
        Option<String>,
        String,
    );
    let rows: Vec<Row> = lead_changes::table
        .left_join(users::table.on(users::id.nullable().eq(lead_changes::user_id)))
        .filter(lead_changes::lead_id.eq(id.as_str()))
        .order((lead_changes::created_at.desc(), lead_changes::id.desc()))
        .select((
            lead_changes::id,
            lead_changes::kind,
            lead_changes::created_at,
            lead_changes::submission_id,
            users::name.nullable(),
            lead_changes::changes,
        ))
        .limit(200)
        .load(conn)?;
    rows.into_iter()
        .map(
            |(id, kind, created_at, submission_id, user_name, changes)| {
                let cells = Cells {
                    table: "lead_changes",
                    id: &id,
                };
                Ok(JournalEntry {
                    kind,
                    created_at: created_at.and_utc(),
                    submission_id: cells.optional("submission_id", submission_id.as_deref())?,
                    user_name,
                    changes: cells.json("changes", &changes)?,
                })
            },
        )
        .collect()
}

/// Enabled people who can own leads, by name: the choices of an owner.
///
/// # Errors
/// As any query.
pub fn possible_owners(conn: &mut AnyConn) -> Result<Vec<(UserId, String)>, StoreError> {
    let rows: Vec<(String, String)> = users::table
        .filter(users::is_enabled.eq(true))
        .filter(
            users::id.eq_any(
                user_roles::table
                    .filter(user_roles::role.ne(Role::S2sInbound.as_str()))
                    .select(user_roles::user_id),
            ),
        )
        .order((users::name.asc(), users::id.asc()))
        .select((users::id, users::name))
        .limit(1_000)
        .load(conn)?;
    rows.into_iter()
        .map(|(id, name)| {
            let cells = Cells {
                table: "users",
                id: &id,
            };
            Ok((cells.word("id", &id)?, name))
        })
        .collect()
}
