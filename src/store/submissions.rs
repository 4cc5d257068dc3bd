//! Form submissions as pages show them: the filtered list, one with its raw response and decision, and trying again.

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;

use super::columns::{BoundedCount, COUNT_LIMIT, Cells, bounded_count};
use super::paging::{Cursor, Page, PageStart, keyset};
use super::schema::{
    campaigns, form_submissions as submissions, lead_form_versions, lead_forms, linkedin_accounts,
    submission_contents,
};
use super::search::{self, Among, Found};
use super::{AnyConn, StoreError, database_now};
use crate::domain::account::LeadType;
use crate::domain::form::FormVersion;
use crate::domain::ids::{AccountId, FormId, LeadId, SubmissionId};
use crate::domain::submission::{MatchingStatus, ProcessingState, SubmissionReason};
use crate::domain::sync::RunTrigger;

/// Which submissions a list shows.
#[derive(Debug, Clone, Default)]
pub struct SubmissionFilter {
    /// Beginnings of words that the name holds.
    pub search: Option<String>,
    /// Only of this account.
    pub account_id: Option<AccountId>,
    /// Only of this form.
    pub form_id: Option<FormId>,
    /// Only in this matching status.
    pub matching_status: Option<MatchingStatus>,
    /// Only in this processing state.
    pub processing_state: Option<ProcessingState>,
    /// Only test leads, or only real ones.
    pub is_test: Option<bool>,
    /// Submitted at this time or later.
    pub from: Option<DateTime<Utc>>,
    /// Submitted before this time.
    pub until: Option<DateTime<Utc>>,
}

impl SubmissionFilter {
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
        self.account_id.is_none()
            && self.form_id.is_none()
            && self.matching_status.is_none()
            && self.processing_state.is_none()
            && self.is_test.is_none()
            && self.from.is_none()
            && self.until.is_none()
    }
}

/// A submission with the names around it.
#[derive(Debug, Clone)]
pub struct Submission {
    /// Its identifier.
    pub id: SubmissionId,
    /// LinkedIn's response id.
    pub response_id: String,
    /// Who submitted, as far as the answers tell.
    pub name: String,
    /// When it was submitted at LinkedIn.
    pub submitted_at: DateTime<Utc>,
    /// When it came in here.
    pub received_at: DateTime<Utc>,
    /// LinkedIn's type.
    pub lead_type: LeadType,
    /// Whether LinkedIn marks it as a test lead.
    pub is_test: bool,
    /// What became of it.
    pub matching_status: MatchingStatus,
    /// How far it was processed.
    pub processing_state: ProcessingState,
    /// Why.
    pub reason: Option<SubmissionReason>,
    /// A short detail beside the reason.
    pub reason_detail: Option<String>,
    /// How many values did not fit their field.
    pub flag_count: i64,
    /// The lead it belongs to.
    pub lead_id: Option<LeadId>,
    /// How often processing was tried.
    pub attempts: i64,
    /// When it was decided.
    pub processed_at: Option<DateTime<Utc>>,
    /// URN of the member.
    pub submitter_urn: Option<String>,
    /// Its account.
    pub account: (AccountId, String),
    /// Its form, where known.
    pub form: Option<(FormId, String)>,
    /// LinkedIn's numbers of the form and the version.
    pub form_version: (Option<i64>, Option<i64>),
    /// The campaign's name, where known.
    pub campaign_name: Option<String>,
    /// LinkedIn's number of the campaign.
    pub campaign_linkedin_id: Option<i64>,
    /// LinkedIn's number of the creative.
    pub creative_linkedin_id: Option<i64>,
}

#[derive(Queryable)]
struct SubmissionRow {
    id: String,
    response_id: String,
    name: String,
    submitted_at: NaiveDateTime,
    received_at: NaiveDateTime,
    lead_type: String,
    is_test: bool,
    matching_status: String,
    processing_state: String,
    reason: Option<String>,
    reason_detail: Option<String>,
    flag_count: i64,
    lead_id: Option<String>,
    attempts: i64,
    processed_at: Option<NaiveDateTime>,
    submitter_urn: Option<String>,
    account_id: String,
    account_name: String,
    form_id: Option<String>,
    form_name: Option<String>,
    form_linkedin_id: Option<i64>,
    form_version_number: Option<i64>,
    campaign_name: Option<String>,
    campaign_linkedin_id: Option<i64>,
    creative_linkedin_id: Option<i64>,
}

/// The columns of [`SubmissionRow`], in its order.
macro_rules! submission_columns {
    () => {
        (
            submissions::id,
            submissions::response_id,
            submissions::name,
            submissions::submitted_at,
            submissions::received_at,
            submissions::lead_type,
            submissions::is_test,
            submissions::matching_status,
            submissions::processing_state,
            submissions::reason,
            submissions::reason_detail,
            submissions::flag_count,
            submissions::lead_id,
            submissions::attempts,
            submissions::processed_at,
            submissions::submitter_urn,
            submissions::account_id,
            linkedin_accounts::name,
            submissions::form_id,
            lead_forms::name.nullable(),
            submissions::form_linkedin_id,
            submissions::form_version_number,
            campaigns::name.nullable(),
            submissions::campaign_linkedin_id,
            submissions::creative_linkedin_id,
        )
    };
}

impl TryFrom<SubmissionRow> for Submission {
    type Error = StoreError;

    fn try_from(row: SubmissionRow) -> Result<Self, StoreError> {
        let cells = Cells {
            table: "form_submissions",
            id: &row.id,
        };
        let form_id = cells.optional("form_id", row.form_id.as_deref())?;
        Ok(Self {
            id: cells.word("id", &row.id)?,
            lead_type: cells.word("lead_type", &row.lead_type)?,
            matching_status: cells.word("matching_status", &row.matching_status)?,
            processing_state: cells.word("processing_state", &row.processing_state)?,
            reason: cells.optional("reason", row.reason.as_deref())?,
            lead_id: cells.optional("lead_id", row.lead_id.as_deref())?,
            account: (cells.word("account_id", &row.account_id)?, row.account_name),
            form: form_id.zip(row.form_name),
            response_id: row.response_id,
            name: row.name,
            submitted_at: row.submitted_at.and_utc(),
            received_at: row.received_at.and_utc(),
            is_test: row.is_test,
            reason_detail: row.reason_detail,
            flag_count: row.flag_count,
            attempts: row.attempts,
            processed_at: row.processed_at.map(|at| at.and_utc()),
            submitter_urn: row.submitter_urn,
            form_version: (row.form_linkedin_id, row.form_version_number),
            campaign_name: row.campaign_name,
            campaign_linkedin_id: row.campaign_linkedin_id,
            creative_linkedin_id: row.creative_linkedin_id,
        })
    }
}

/// Adds the filter's conditions to a boxed query on `form_submissions`.
macro_rules! filtered {
    ($query:ident, $filter:expr, $found:expr) => {
        if let Some(id) = &$filter.account_id {
            $query = $query.filter(submissions::account_id.eq(id.as_str()));
        }
        if let Some(id) = &$filter.form_id {
            $query = $query.filter(submissions::form_id.eq(id.as_str()));
        }
        if let Some(status) = $filter.matching_status {
            $query = $query.filter(submissions::matching_status.eq(status.as_str()));
        }
        if let Some(state) = $filter.processing_state {
            $query = $query.filter(submissions::processing_state.eq(state.as_str()));
        }
        if let Some(is_test) = $filter.is_test {
            $query = $query.filter(submissions::is_test.eq(is_test));
        }
        if let Some(from) = $filter.from {
            $query = $query.filter(submissions::submitted_at.ge(from.naive_utc()));
        }
        if let Some(until) = $filter.until {
            $query = $query.filter(submissions::submitted_at.lt(until.naive_utc()));
        }
        match $found {
            Found::Everything => {}
            Found::Few(ids) => $query = $query.filter(submissions::id.eq_any(ids.clone())),
            Found::Many(patterns) => {
                for pattern in patterns {
                    $query = $query.filter(submissions::search_words.like(pattern.clone()));
                }
            }
        }
    };
}

/// One page of the submissions that pass the filter, newest first, and how many there are.
///
/// # Errors
/// As any query.
pub fn list(
    conn: &mut AnyConn,
    filter: &SubmissionFilter,
    start: &PageStart,
) -> Result<(Page<Submission>, BoundedCount), StoreError> {
    let found = search::find(conn, Among::Submissions, filter.search.as_deref())?;
    let mut query = submissions::table
        .inner_join(linkedin_accounts::table)
        .left_join(lead_forms::table)
        .left_join(campaigns::table)
        .select(submission_columns!())
        .into_boxed();
    filtered!(query, filter, &found);
    keyset!(query, start, submissions::submitted_at, submissions::id);
    let rows = query
        .load::<SubmissionRow>(conn)?
        .into_iter()
        .map(Submission::try_from)
        .collect::<Result<Vec<_>, _>>()?;
    let page = Page::cut(rows, start, |row| Cursor {
        at: row.submitted_at,
        id: row.id.as_str().to_owned(),
    });
    let count = match page.known_count(start) {
        Some(rows) => BoundedCount::exactly(rows),
        // The index has counted them already, as far as a list counts.
        None if matches!(found, Found::Many(_)) && filter.is_search_only() => {
            BoundedCount::beyond_the_limit()
        }
        None => {
            let mut query = submissions::table
                .select(submissions::id)
                .limit(COUNT_LIMIT + 1)
                .into_boxed();
            filtered!(query, filter, &found);
            bounded_count(conn, query)?
        }
    };
    Ok((page, count))
}

/// The submissions of a lead, newest first, at most 200.
///
/// # Errors
/// As any query.
pub fn of_lead(conn: &mut AnyConn, lead_id: &LeadId) -> Result<Vec<Submission>, StoreError> {
    submissions::table
        .inner_join(linkedin_accounts::table)
        .left_join(lead_forms::table)
        .left_join(campaigns::table)
        .filter(submissions::lead_id.eq(lead_id.as_str()))
        .select(submission_columns!())
        .order((submissions::submitted_at.desc(), submissions::id.desc()))
        .limit(200)
        .load::<SubmissionRow>(conn)?
        .into_iter()
        .map(Submission::try_from)
        .collect()
}

/// A submission, whole.
#[derive(Debug, Clone)]
pub struct SubmissionDetail {
    /// The submission.
    pub submission: Submission,
    /// LinkedIn's response, byte for byte; `None` when it was erased.
    pub raw: Option<Vec<u8>>,
    /// The decision as JSON, once decided.
    pub decision: Option<String>,
    /// The version of the form that was answered, where known.
    pub version: Option<FormVersion>,
}

/// The submission, whole.
///
/// # Errors
/// `NotFound` when there is none.
pub fn get(conn: &mut AnyConn, id: &SubmissionId) -> Result<SubmissionDetail, StoreError> {
    let submission = submissions::table
        .inner_join(linkedin_accounts::table)
        .left_join(lead_forms::table)
        .left_join(campaigns::table)
        .filter(submissions::id.eq(id.as_str()))
        .select(submission_columns!())
        .first::<SubmissionRow>(conn)
        .optional()?
        .ok_or(StoreError::NotFound("form submission"))
        .and_then(Submission::try_from)?;
    let content: Option<(Vec<u8>, Option<String>)> = submission_contents::table
        .find(id.as_str())
        .select((submission_contents::raw, submission_contents::decision))
        .first(conn)
        .optional()?;
    let version: Option<(String, String)> = lead_form_versions::table
        .filter(
            lead_form_versions::id.nullable().eq_any(
                submissions::table
                    .filter(submissions::id.eq(id.as_str()))
                    .select(submissions::form_version_id),
            ),
        )
        .select((lead_form_versions::id, lead_form_versions::content))
        .first(conn)
        .optional()?;
    let (raw, decision) = content.unzip();
    Ok(SubmissionDetail {
        submission,
        raw: raw.filter(|bytes| !bytes.is_empty()),
        decision: decision.flatten(),
        version: version
            .map(|(id, content)| {
                Cells {
                    table: "lead_form_versions",
                    id: &id,
                }
                .json("content", &content)
            })
            .transpose()?,
    })
}

impl Submission {
    /// Whether somebody may ask to process it again: it failed, or nothing came of it.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self.processing_state, ProcessingState::ProcessingFailed)
            || (matches!(self.matching_status, MatchingStatus::MatchFailed)
                && !matches!(self.reason, Some(SubmissionReason::DeletedByMember)))
    }
}

/// Puts a submission back to be matched again, and makes its account due now.
///
/// # Errors
/// `Rule` when it did not fail; `NotFound` when there is none.
pub fn retry(conn: &mut AnyConn, id: &SubmissionId) -> Result<(), StoreError> {
    let submission = get(conn, id)?.submission;
    if !submission.is_retryable() {
        return Err(StoreError::Rule(
            "Only a submission that failed can be tried again; this one came to its end."
                .to_owned(),
        ));
    }
    diesel::update(submissions::table.filter(submissions::id.eq(id.as_str())))
        .set((
            submissions::matching_status.eq(MatchingStatus::PendingLeadMatching.as_str()),
            submissions::processing_state.eq(ProcessingState::Unprocessed.as_str()),
            submissions::reason.eq(None::<String>),
            submissions::reason_detail.eq(None::<String>),
            // The tries that the sync makes by itself begin anew.
            submissions::attempts.eq(0),
        ))
        .execute(conn)?;
    let due = database_now(conn)?.naive_utc();
    diesel::update(
        linkedin_accounts::table
            .filter(linkedin_accounts::id.eq(submission.account.0.as_str()))
            .filter(linkedin_accounts::is_sync_enabled.eq(true)),
    )
    .set((
        linkedin_accounts::next_sync_at.eq(Some(due)),
        linkedin_accounts::requested_trigger.eq(Some(RunTrigger::Manual.as_str())),
    ))
    .execute(conn)?;
    Ok(())
}
