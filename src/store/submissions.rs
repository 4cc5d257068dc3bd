//! Form submissions as pages show them: the filtered list, one with its raw response and decision, and trying again.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Bool;

use super::columns::{BoundedCount, COUNT_LIMIT, Cells, bounded_count};
use super::paging::{Cursor, Page, PageStart, keyset};
use super::schema::{
    campaigns, form_submissions as submissions, lead_form_versions, lead_forms, linkedin_accounts,
    submission_contents,
};
use super::search::{self, Among, Found};
use super::{AnyConn, StoreError};
use crate::domain::account::LeadType;
use crate::domain::form::FormVersion;
use crate::domain::ids::{AccountId, CampaignId, FormId, FormVersionId, LeadId, SubmissionId};
use crate::domain::submission::{
    MatchingStatus, ProcessingState, SubmissionReason, SubmissionView, needs_attention,
};

/// Which submissions a list shows.
#[derive(Debug, Clone, Default)]
pub struct SubmissionFilter {
    /// Beginnings of words that the name holds.
    pub search: Option<String>,
    /// Only of this account.
    pub account_id: Option<AccountId>,
    /// Only of this form.
    pub form_id: Option<FormId>,
    /// Only of this version of a form.
    pub version_id: Option<FormVersionId>,
    /// Only of this campaign.
    pub campaign_id: Option<CampaignId>,
    /// Only those that somebody should look at, or those that somebody set aside.
    pub view: Option<SubmissionView>,
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
            && self.version_id.is_none()
            && self.campaign_id.is_none()
            && self.view.is_none()
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
    /// When somebody set it aside.
    pub ignored_at: Option<DateTime<Utc>>,
    /// Why.
    pub ignored_reason: Option<String>,
    /// Counts the contents that LinkedIn sent under its response id, from 1.
    pub revision: i64,
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
    ignored_at: Option<NaiveDateTime>,
    ignored_reason: Option<String>,
    revision: i64,
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
            submissions::ignored_at,
            submissions::ignored_reason,
            submissions::revision,
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
            ignored_at: row.ignored_at.map(|at| at.and_utc()),
            ignored_reason: row.ignored_reason,
            revision: row.revision,
        })
    }
}

/// Written as constants, so that the partial indexes serve: no lead came of it, and nobody set it aside.
pub(super) const UNSETTLED: &str = "(form_submissions.matching_status IN ('match_failed', 'lead_creation_failed', \
     'lead_update_failed') AND form_submissions.ignored_at IS NULL)";

/// Decided like that by a setting or by the member: [`needs_attention`] says the same.
pub(super) const INTENDED: &str = "(form_submissions.reason IS NULL OR form_submissions.reason NOT IN ('test_lead_ignored', \
     'deleted_by_member'))";

/// Adds the filter's conditions to a boxed query on `form_submissions`.
macro_rules! filtered {
    ($query:ident, $filter:expr, $found:expr) => {
        if let Some(id) = &$filter.account_id {
            $query = $query.filter(submissions::account_id.eq(id.as_str()));
        }
        if let Some(id) = &$filter.form_id {
            $query = $query.filter(submissions::form_id.eq(id.as_str()));
        }
        if let Some(id) = &$filter.version_id {
            $query = $query.filter(submissions::form_version_id.eq(id.as_str()));
        }
        if let Some(id) = &$filter.campaign_id {
            $query = $query.filter(submissions::campaign_id.eq(id.as_str()));
        }
        match $filter.view {
            None => {}
            Some(SubmissionView::NeedsAttention) => {
                $query = $query
                    .filter(sql::<Bool>($crate::store::submissions::UNSETTLED))
                    .filter(sql::<Bool>($crate::store::submissions::INTENDED));
            }
            Some(SubmissionView::Ignored) => {
                $query = $query.filter(submissions::ignored_at.is_not_null());
            }
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

pub(super) use filtered;

/// One page of `size` submissions that pass the filter, newest first.
///
/// # Errors
/// As any query.
pub fn page(
    conn: &mut AnyConn,
    filter: &SubmissionFilter,
    start: &PageStart,
    size: i64,
) -> Result<Page<Submission>, StoreError> {
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
        .limit(size + 1)
        .load::<SubmissionRow>(conn)?
        .into_iter()
        .map(Submission::try_from)
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Page::cut_at(size, rows, start, Submission::cursor))
}

fn count(conn: &mut AnyConn, filter: &SubmissionFilter) -> Result<BoundedCount, StoreError> {
    let found = search::find(conn, Among::Submissions, filter.search.as_deref())?;
    // The index has counted them already, as far as a list counts.
    if matches!(found, Found::Many(_)) && filter.is_search_only() {
        return Ok(BoundedCount::beyond_the_limit());
    }
    let mut query = submissions::table
        .select(submissions::id)
        .limit(COUNT_LIMIT + 1)
        .into_boxed();
    filtered!(query, filter, &found);
    bounded_count(conn, query)
}

/// One page of `size` submissions that pass the filter, newest first, and how many there are.
///
/// # Errors
/// As any query.
pub fn list(
    conn: &mut AnyConn,
    filter: &SubmissionFilter,
    start: &PageStart,
    size: i64,
) -> Result<(Page<Submission>, BoundedCount), StoreError> {
    let page = page(conn, filter, start, size)?;
    let count = match page.known_count(start) {
        Some(rows) => BoundedCount::exactly(rows),
        None => count(conn, filter)?,
    };
    Ok((page, count))
}

/// The identifiers of the submissions beside this one that pass the filter: the newer and the older one.
///
/// # Errors
/// As any query.
pub fn neighbours(
    conn: &mut AnyConn,
    filter: &SubmissionFilter,
    of: &Cursor,
) -> Result<(Option<SubmissionId>, Option<SubmissionId>), StoreError> {
    let found = search::find(conn, Among::Submissions, filter.search.as_deref())?;
    let mut beside = |start: PageStart| -> Result<Option<SubmissionId>, StoreError> {
        let start = &start;
        let mut query = submissions::table.select(submissions::id).into_boxed();
        filtered!(query, filter, &found);
        keyset!(query, start, submissions::submitted_at, submissions::id);
        let id: Option<String> = query.limit(1).first(conn).optional()?;
        id.map(|id| super::columns::id("form_submissions", &id))
            .transpose()
    };
    Ok((
        beside(PageStart::Before(of.clone()))?,
        beside(PageStart::After(of.clone()))?,
    ))
}

/// How many submissions are in each state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateCounts {
    /// All of them.
    pub all: BoundedCount,
    /// Those that somebody should look at.
    pub attention: BoundedCount,
    /// Those that somebody set aside.
    pub ignored: BoundedCount,
    /// By matching status; every status is there.
    pub by_status: Vec<(MatchingStatus, BoundedCount)>,
}

/// So many rows of a filter are looked at one by one to count their states.
const SAMPLE: i64 = 2_000;

/// Counts the states of what passes the filter, whatever state it asks for. Bounded: up to 2,000 rows are counted one by
/// one; where there are more, each state is counted up to [`COUNT_LIMIT`] by its index, and a state that no index finds
/// within this filter has what was seen of it and a plus. `None` with words to search for, because no index finds words.
///
/// # Errors
/// As any query.
pub fn state_counts(
    conn: &mut AnyConn,
    filter: &SubmissionFilter,
) -> Result<Option<StateCounts>, StoreError> {
    if filter
        .search
        .as_deref()
        .is_some_and(|text| !text.trim().is_empty())
    {
        return Ok(None);
    }
    let any_state = SubmissionFilter {
        matching_status: None,
        processing_state: None,
        view: None,
        ..filter.clone()
    };
    let mut query = submissions::table
        .select((
            submissions::matching_status,
            submissions::reason,
            submissions::ignored_at.is_not_null(),
        ))
        .limit(SAMPLE + 1)
        .into_boxed();
    filtered!(query, any_state, &Found::Everything);
    let rows: Vec<(String, Option<String>, bool)> = query.load(conn)?;
    let is_more = i64::try_from(rows.len()).unwrap_or(i64::MAX) > SAMPLE;
    let mut seen: HashMap<MatchingStatus, i64> = HashMap::new();
    let (mut attention, mut ignored) = (0, 0);
    for (status, reason, is_ignored) in &rows {
        let cells = Cells {
            table: "form_submissions",
            id: "",
        };
        let status: MatchingStatus = cells.word("matching_status", status)?;
        let reason = cells.optional("reason", reason.as_deref())?;
        *seen.entry(status).or_default() += 1;
        attention += i64::from(needs_attention(status, reason, *is_ignored));
        ignored += i64::from(*is_ignored);
    }
    let is_by_index = any_state.account_id.is_none()
        && any_state.form_id.is_none()
        && any_state.version_id.is_none()
        && any_state.campaign_id.is_none()
        && any_state.is_test.is_none();
    let by_status = MatchingStatus::ALL
        .iter()
        .map(|status| {
            let rows = seen.get(status).copied().unwrap_or_default();
            let is_rare = needs_attention(*status, None, false);
            let counted = match (is_more, is_by_index || is_rare) {
                (false, _) => BoundedCount::exactly(rows),
                (true, true) => count(
                    conn,
                    &SubmissionFilter {
                        matching_status: Some(*status),
                        ..any_state.clone()
                    },
                )?,
                (true, false) => BoundedCount {
                    rows: rows.min(COUNT_LIMIT),
                    is_more: true,
                },
            };
            Ok((*status, counted))
        })
        .collect::<Result<Vec<_>, StoreError>>()?;
    let mut of_view = |view, rows| {
        if is_more {
            let view = Some(view);
            count(
                conn,
                &SubmissionFilter {
                    view,
                    ..any_state.clone()
                },
            )
        } else {
            Ok(BoundedCount::exactly(rows))
        }
    };
    let attention = of_view(SubmissionView::NeedsAttention, attention)?;
    let ignored = of_view(SubmissionView::Ignored, ignored)?;
    let all = if is_more {
        count(conn, &any_state)?
    } else {
        BoundedCount::exactly(i64::try_from(rows.len()).unwrap_or(i64::MAX))
    };
    Ok(Some(StateCounts {
        all,
        attention,
        ignored,
        by_status,
    }))
}

/// A part of what passes the filter, newest first, and the place of the next part; `with_raw` adds what LinkedIn sent.
///
/// # Errors
/// As any query.
#[expect(
    clippy::type_complexity,
    reason = "a row, its bytes, and the next place"
)]
pub fn export(
    conn: &mut AnyConn,
    filter: &SubmissionFilter,
    start: &PageStart,
    with_raw: bool,
) -> Result<(Vec<(Submission, Option<Vec<u8>>)>, Option<Cursor>), StoreError> {
    const PART: i64 = 500;
    let page = page(conn, filter, start, PART)?;
    let mut raws: HashMap<String, Vec<u8>> = HashMap::new();
    if with_raw {
        raws = submission_contents::table
            .filter(
                submission_contents::submission_id
                    .eq_any(page.rows.iter().map(|row| row.id.as_str())),
            )
            .select((submission_contents::submission_id, submission_contents::raw))
            .load::<(String, Vec<u8>)>(conn)?
            .into_iter()
            .collect();
    }
    let rows = page
        .rows
        .into_iter()
        .map(|row| {
            let raw = raws.remove(row.id.as_str()).filter(|raw| !raw.is_empty());
            (row, raw)
        })
        .collect();
    Ok((rows, page.older))
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
    /// Its place in a list.
    #[must_use]
    pub fn cursor(&self) -> Cursor {
        Cursor {
            at: self.submitted_at,
            id: self.id.as_str().to_owned(),
        }
    }

    /// Whether somebody set it aside, and nothing came of it since.
    #[must_use]
    pub fn is_ignored(&self) -> bool {
        self.ignored_at.is_some() && needs_attention(self.matching_status, None, false)
    }

    /// Whether somebody may ask to process it again: it failed, or nothing came of it.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        needs_attention(self.matching_status, None, false)
            && self.ignored_at.is_none()
            && self.reason != Some(SubmissionReason::DeletedByMember)
    }
}
