//! Lead Gen forms as pages show them, with their versions and how many submissions they have.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::dsl::count_star;
use diesel::prelude::*;

use super::columns::{Cells, lower, search_patterns};
use super::counts::counted_submissions;
use super::paging::{Cursor, Page, PageStart, keyset};
use super::schema::{
    lead_form_versions, lead_forms as forms, linkedin_accounts, submission_counts,
};
use super::{AnyConn, StoreError};
use crate::domain::form::{FormStatus, FormVersion};
use crate::domain::ids::{AccountId, FormId};

/// A Lead Gen form with the names around it.
#[derive(Debug, Clone)]
pub struct Form {
    /// Its identifier.
    pub id: FormId,
    /// LinkedIn's number.
    pub linkedin_id: i64,
    /// Its name at LinkedIn.
    pub name: String,
    /// LinkedIn's own state.
    pub linkedin_state: Option<String>,
    /// How its sync stands.
    pub sync_status: FormStatus,
    /// Its language.
    pub language: Option<String>,
    /// The country of its locale.
    pub country: Option<String>,
    /// The newest version.
    pub current_version_number: Option<i64>,
    /// When LinkedIn last saw it changed.
    pub linkedin_modified_at: Option<DateTime<Utc>>,
    /// When its submissions were last read.
    pub last_synchronized_at: Option<DateTime<Utc>>,
    /// Its account.
    pub account: (AccountId, String),
    /// When it was first seen.
    pub created_at: DateTime<Utc>,
}

#[derive(Queryable)]
struct FormRow {
    id: String,
    linkedin_id: i64,
    name: String,
    linkedin_state: Option<String>,
    sync_status: String,
    language: Option<String>,
    country: Option<String>,
    current_version_number: Option<i64>,
    linkedin_modified_at: Option<NaiveDateTime>,
    last_synchronized_at: Option<NaiveDateTime>,
    account_id: String,
    account_name: String,
    created_at: NaiveDateTime,
}

/// The columns of [`FormRow`], in its order.
macro_rules! form_columns {
    () => {
        (
            forms::id,
            forms::linkedin_id,
            forms::name,
            forms::linkedin_state,
            forms::sync_status,
            forms::language,
            forms::country,
            forms::current_version_number,
            forms::linkedin_modified_at,
            forms::last_synchronized_at,
            forms::account_id,
            linkedin_accounts::name,
            forms::created_at,
        )
    };
}

impl TryFrom<FormRow> for Form {
    type Error = StoreError;

    fn try_from(row: FormRow) -> Result<Self, StoreError> {
        let cells = Cells {
            table: "lead_forms",
            id: &row.id,
        };
        Ok(Self {
            id: cells.word("id", &row.id)?,
            sync_status: cells.word("sync_status", &row.sync_status)?,
            account: (cells.word("account_id", &row.account_id)?, row.account_name),
            linkedin_id: row.linkedin_id,
            name: row.name,
            linkedin_state: row.linkedin_state,
            language: row.language,
            country: row.country,
            current_version_number: row.current_version_number,
            linkedin_modified_at: row.linkedin_modified_at.map(|at| at.and_utc()),
            last_synchronized_at: row.last_synchronized_at.map(|at| at.and_utc()),
            created_at: row.created_at.and_utc(),
        })
    }
}

/// Which forms a list shows.
#[derive(Debug, Clone, Default)]
pub struct FormFilter {
    /// Words that the name holds.
    pub search: Option<String>,
    /// Only of this account.
    pub account_id: Option<AccountId>,
    /// Only in this state.
    pub sync_status: Option<FormStatus>,
}

/// Adds the filter's conditions to a boxed query on forms.
macro_rules! filtered {
    ($query:ident, $filter:expr) => {
        if let Some(account_id) = &$filter.account_id {
            $query = $query.filter(forms::account_id.eq(account_id.as_str()));
        }
        if let Some(status) = $filter.sync_status {
            $query = $query.filter(forms::sync_status.eq(status.as_str()));
        }
        for pattern in search_patterns($filter.search.as_deref().unwrap_or_default()) {
            $query = $query.filter(lower(forms::name.nullable()).like(pattern).escape('\\'));
        }
    };
}

/// At most this many forms are listed.
const LIST_LIMIT: i64 = 1_000;

/// The forms that pass the filter, by name.
///
/// # Errors
/// As any query.
pub fn list(conn: &mut AnyConn, filter: &FormFilter) -> Result<Vec<Form>, StoreError> {
    let mut query = forms::table
        .inner_join(linkedin_accounts::table)
        .select(form_columns!())
        .order((forms::name.asc(), forms::id.asc()))
        .limit(LIST_LIMIT)
        .into_boxed();
    filtered!(query, filter);
    query
        .load::<FormRow>(conn)?
        .into_iter()
        .map(Form::try_from)
        .collect()
}

/// One page of `size` forms that pass the filter, those first that were seen last.
///
/// # Errors
/// As any query.
pub fn page(
    conn: &mut AnyConn,
    filter: &FormFilter,
    start: &PageStart,
    size: i64,
) -> Result<Page<Form>, StoreError> {
    let mut query = forms::table
        .inner_join(linkedin_accounts::table)
        .select(form_columns!())
        .into_boxed();
    filtered!(query, filter);
    keyset!(query, start, forms::created_at, forms::id);
    let rows = query
        .limit(size + 1)
        .load::<FormRow>(conn)?
        .into_iter()
        .map(Form::try_from)
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Page::cut_at(size, rows, start, |row| Cursor {
        at: row.created_at,
        id: row.id.as_str().to_owned(),
    }))
}

/// The form.
///
/// # Errors
/// `NotFound` when there is none.
pub fn get(conn: &mut AnyConn, id: &FormId) -> Result<Form, StoreError> {
    forms::table
        .inner_join(linkedin_accounts::table)
        .filter(forms::id.eq(id.as_str()))
        .select(form_columns!())
        .first::<FormRow>(conn)
        .optional()?
        .ok_or(StoreError::NotFound("Lead Gen form"))
        .and_then(Form::try_from)
}

/// Identifiers and names of all forms, by name: for filters.
///
/// # Errors
/// As any query.
pub fn names(conn: &mut AnyConn) -> Result<Vec<(String, String)>, StoreError> {
    Ok(forms::table
        .order((forms::name.asc(), forms::id.asc()))
        .select((forms::id, forms::name))
        .limit(LIST_LIMIT)
        .load(conn)?)
}

/// The versions of a form, newest first.
///
/// # Errors
/// `Corrupt` when the content of one cannot be read.
pub fn versions(conn: &mut AnyConn, id: &FormId) -> Result<Vec<FormVersion>, StoreError> {
    let rows: Vec<(String, String)> = lead_form_versions::table
        .filter(lead_form_versions::form_id.eq(id.as_str()))
        .order(lead_form_versions::version_number.desc())
        .select((lead_form_versions::id, lead_form_versions::content))
        .limit(100)
        .load(conn)?;
    rows.into_iter()
        .map(|(id, content)| {
            Cells {
                table: "lead_form_versions",
                id: &id,
            }
            .json("content", &content)
        })
        .collect()
}

/// How many versions and submissions a form has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FormCounts {
    /// Versions that are known.
    pub versions: i64,
    /// Submissions, test leads included.
    pub submissions: i64,
}

/// How many versions and submissions each of these forms has, for those that have any.
///
/// # Errors
/// As any query.
pub fn counts(
    conn: &mut AnyConn,
    ids: &[&FormId],
) -> Result<HashMap<String, FormCounts>, StoreError> {
    let ids: Vec<&str> = ids.iter().map(|id| id.as_str()).collect();
    let mut counts: HashMap<String, FormCounts> = HashMap::new();
    let versions: Vec<(String, i64)> = lead_form_versions::table
        .filter(lead_form_versions::form_id.eq_any(&ids))
        .group_by(lead_form_versions::form_id)
        .select((lead_form_versions::form_id, count_star()))
        .load(conn)?;
    for (id, count) in versions {
        counts.entry(id).or_default().versions = count;
    }
    let submissions: Vec<(String, i64)> = submission_counts::table
        .filter(submission_counts::form_id.eq_any(&ids))
        .group_by(submission_counts::form_id)
        .select((submission_counts::form_id, counted_submissions()))
        .load(conn)?;
    for (id, count) in submissions {
        counts.entry(id).or_default().submissions = count;
    }
    Ok(counts)
}
