//! Submissions as the sync stores them: known ones looked up, new and re-decided ones written, a batch at a time by
//! statements for many rows each.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Binary, Text};
use diesel::upsert::excluded;

use super::columns::Cells;
use super::moment::Moment;
use super::schema::{form_submissions, lead_changes, submission_contents};
use super::{AnyConn, StoreError, deliveries};
use crate::domain::account::LeadType;
use crate::domain::ids::{
    AccountId, CampaignId, FormId, FormVersionId, LeadId, SubmissionId, UserId,
};
use crate::domain::search::words_of;
use crate::domain::submission::{MatchingStatus, ProcessingState, SubmissionReason};
use crate::insert_rows;

/// Submissions that are looked up, or made into rows, at once.
const CHUNK: usize = 1_000;

/// A submission that is stored already.
#[derive(Debug, Clone)]
pub struct Known {
    /// Our id.
    pub id: SubmissionId,
    /// SHA-256 of what the response says, whatever the order.
    pub content_hash: Vec<u8>,
    /// Counts the contents that LinkedIn sent under this response id.
    pub revision: i64,
    /// The lead it made, updated or was attached to.
    pub lead_id: Option<LeadId>,
    /// Its status.
    pub matching_status: MatchingStatus,
    /// Whether it still waits for its decision.
    pub processing_state: ProcessingState,
    /// How often a decision was tried.
    pub attempts: i64,
    /// When it was stored first.
    pub received_at: DateTime<Utc>,
}

type KnownRow = (
    String,
    String,
    Vec<u8>,
    i64,
    Option<String>,
    String,
    String,
    i64,
    NaiveDateTime,
);

/// The content hash of each of these responses that is stored: (position in the list, hash), in no order.
///
/// # Errors
/// As any query.
pub fn content_hashes(
    conn: &mut AnyConn,
    response_ids: &[&str],
) -> Result<Vec<(usize, Vec<u8>)>, StoreError> {
    let found: Vec<(i64, Vec<u8>)> = match conn {
        AnyConn::Pg(c) => diesel::dsl::sql::<(BigInt, Binary)>(
            "SELECT wanted.position - 1, found.content_hash FROM unnest(",
        )
        .bind::<Array<Text>, _>(response_ids)
        .sql(
            ") WITH ORDINALITY AS wanted (response_id, position) \
             JOIN form_submissions AS found ON found.response_id = wanted.response_id",
        )
        .load(c)?,
        // A list of texts always has a JSON form. `CROSS JOIN` keeps the order of the join.
        AnyConn::Sqlite(c) => diesel::dsl::sql::<(BigInt, Binary)>(
            "SELECT wanted.key, found.content_hash FROM json_each(",
        )
        .bind::<Text, _>(serde_json::to_string(response_ids).unwrap_or_default())
        .sql(") AS wanted CROSS JOIN form_submissions AS found ON found.response_id = wanted.value")
        .load(c)?,
    };
    Ok(found
        .into_iter()
        .filter_map(|(position, hash)| Some((usize::try_from(position).ok()?, hash)))
        .collect())
}

/// The stored ones among these response ids.
///
/// # Errors
/// As any query.
pub fn known(
    conn: &mut AnyConn,
    response_ids: &[&str],
) -> Result<HashMap<String, Known>, StoreError> {
    use form_submissions as s;
    let mut found = HashMap::with_capacity(response_ids.len());
    for chunk in response_ids.chunks(CHUNK) {
        let rows: Vec<KnownRow> = s::table
            .filter(s::response_id.eq_any(chunk))
            .select((
                s::response_id,
                s::id,
                s::content_hash,
                s::revision,
                s::lead_id,
                s::matching_status,
                s::processing_state,
                s::attempts,
                s::received_at,
            ))
            .load(conn)?;
        for (response_id, id, content_hash, revision, lead, status, state, attempts, received) in
            rows
        {
            let cells = Cells {
                table: "form_submissions",
                id: &id,
            };
            let known = Known {
                id: cells.word("id", &id)?,
                content_hash,
                revision,
                lead_id: cells.optional("lead_id", lead.as_deref())?,
                matching_status: cells.word("matching_status", &status)?,
                processing_state: cells.word("processing_state", &state)?,
                attempts,
                received_at: received.and_utc(),
            };
            found.insert(response_id, known);
        }
    }
    Ok(found)
}

/// A submission with its decision, as it is to be stored.
#[derive(Debug, Clone)]
pub struct DecidedSubmission {
    /// Our id.
    pub id: SubmissionId,
    /// LinkedIn's response id.
    pub response_id: String,
    /// The account it was read from.
    pub account_id: AccountId,
    /// Our form, when known.
    pub form_id: Option<FormId>,
    /// Our version, when known.
    pub form_version_id: Option<FormVersionId>,
    /// LinkedIn's form and version, when the response names them.
    pub form_linkedin: Option<(i64, i64)>,
    /// Our campaign, when known.
    pub campaign_id: Option<CampaignId>,
    /// LinkedIn's campaign.
    pub campaign_linkedin_id: Option<i64>,
    /// LinkedIn's creative.
    pub creative_linkedin_id: Option<i64>,
    /// LinkedIn's lead type.
    pub lead_type: LeadType,
    /// The member, absent for guests.
    pub submitter_urn: Option<String>,
    /// When the member submitted.
    pub submitted_at: DateTime<Utc>,
    /// When we stored it first.
    pub received_at: DateTime<Utc>,
    /// A test lead.
    pub is_test: bool,
    /// Name to show in lists.
    pub name: String,
    /// Outcome of matching.
    pub matching_status: MatchingStatus,
    /// Outcome of processing.
    pub processing_state: ProcessingState,
    /// Why.
    pub reason: Option<SubmissionReason>,
    /// More about why, without answers.
    pub reason_detail: Option<String>,
    /// Values left out.
    pub flag_count: i64,
    /// The lead.
    pub lead_id: Option<LeadId>,
    /// How often a decision was tried.
    pub attempts: i64,
    /// When it was decided.
    pub processed_at: Option<DateTime<Utc>>,
    /// SHA-256 of what the response says, whatever the order.
    pub content_hash: Vec<u8>,
    /// Counts the contents under this response id.
    pub revision: i64,
    /// What LinkedIn sent, byte for byte.
    pub raw: Vec<u8>,
    /// The decision as JSON.
    pub decision: Option<String>,
}

/// Rows without borrowed parts, because only such a statement is prepared once, see `insert_rows!`.
#[derive(Insertable)]
#[diesel(table_name = form_submissions, treat_none_as_default_value = false)]
struct SubmissionRow {
    id: String,
    response_id: String,
    account_id: String,
    form_id: Option<String>,
    form_version_id: Option<String>,
    form_linkedin_id: Option<i64>,
    form_version_number: Option<i64>,
    campaign_id: Option<String>,
    campaign_linkedin_id: Option<i64>,
    creative_linkedin_id: Option<i64>,
    lead_type: &'static str,
    submitter_urn: Option<String>,
    submitted_at: Moment,
    received_at: Moment,
    is_test: bool,
    name: String,
    matching_status: &'static str,
    processing_state: &'static str,
    reason: Option<&'static str>,
    reason_detail: Option<String>,
    flag_count: i64,
    lead_id: Option<String>,
    attempts: i64,
    processed_at: Option<Moment>,
    content_hash: Vec<u8>,
    revision: i64,
    search_words: Option<String>,
}

#[derive(Insertable)]
#[diesel(table_name = submission_contents, treat_none_as_default_value = false)]
struct ContentRow {
    submission_id: String,
    raw: Vec<u8>,
    decision: Option<String>,
}

fn row(submission: &DecidedSubmission) -> SubmissionRow {
    SubmissionRow {
        id: submission.id.as_str().to_owned(),
        response_id: submission.response_id.clone(),
        account_id: submission.account_id.as_str().to_owned(),
        form_id: submission.form_id.clone().map(String::from),
        form_version_id: submission.form_version_id.clone().map(String::from),
        form_linkedin_id: submission.form_linkedin.map(|(form, _)| form),
        form_version_number: submission.form_linkedin.map(|(_, version)| version),
        campaign_id: submission.campaign_id.clone().map(String::from),
        campaign_linkedin_id: submission.campaign_linkedin_id,
        creative_linkedin_id: submission.creative_linkedin_id,
        lead_type: submission.lead_type.as_str(),
        submitter_urn: submission.submitter_urn.clone(),
        submitted_at: Moment(submission.submitted_at.naive_utc()),
        received_at: Moment(submission.received_at.naive_utc()),
        is_test: submission.is_test,
        name: submission.name.clone(),
        matching_status: submission.matching_status.as_str(),
        processing_state: submission.processing_state.as_str(),
        reason: submission.reason.map(SubmissionReason::as_str),
        reason_detail: submission.reason_detail.clone(),
        flag_count: submission.flag_count,
        lead_id: submission.lead_id.clone().map(String::from),
        attempts: submission.attempts,
        processed_at: submission.processed_at.map(|at| Moment(at.naive_utc())),
        content_hash: submission.content_hash.clone(),
        revision: submission.revision,
        search_words: Some(words_of(&submission.name)),
    }
}

/// Inserts new submissions and replaces re-decided ones, with their raw responses and decisions.
///
/// # Errors
/// As any query.
pub fn save(conn: &mut AnyConn, decided: &[DecidedSubmission]) -> Result<(), StoreError> {
    use form_submissions as s;
    use submission_contents as k;
    for chunk in decided.chunks(CHUNK) {
        let rows: Vec<SubmissionRow> = chunk.iter().map(row).collect();
        insert_rows!(conn, &rows, |block| diesel::insert_into(s::table)
            .values(block)
            .on_conflict(s::id)
            .do_update()
            .set((
                s::form_id.eq(excluded(s::form_id)),
                s::form_version_id.eq(excluded(s::form_version_id)),
                s::form_linkedin_id.eq(excluded(s::form_linkedin_id)),
                s::form_version_number.eq(excluded(s::form_version_number)),
                s::campaign_id.eq(excluded(s::campaign_id)),
                s::campaign_linkedin_id.eq(excluded(s::campaign_linkedin_id)),
                s::creative_linkedin_id.eq(excluded(s::creative_linkedin_id)),
                s::lead_type.eq(excluded(s::lead_type)),
                s::submitter_urn.eq(excluded(s::submitter_urn)),
                s::submitted_at.eq(excluded(s::submitted_at)),
                s::is_test.eq(excluded(s::is_test)),
                s::name.eq(excluded(s::name)),
                s::matching_status.eq(excluded(s::matching_status)),
                s::processing_state.eq(excluded(s::processing_state)),
                s::reason.eq(excluded(s::reason)),
                s::reason_detail.eq(excluded(s::reason_detail)),
                s::flag_count.eq(excluded(s::flag_count)),
                s::lead_id.eq(excluded(s::lead_id)),
                s::attempts.eq(excluded(s::attempts)),
                s::processed_at.eq(excluded(s::processed_at)),
                s::content_hash.eq(excluded(s::content_hash)),
                s::revision.eq(excluded(s::revision)),
                s::search_words.eq(excluded(s::search_words)),
            )));
        let contents: Vec<ContentRow> = chunk
            .iter()
            .map(|submission| ContentRow {
                submission_id: submission.id.as_str().to_owned(),
                raw: submission.raw.clone(),
                decision: submission.decision.clone(),
            })
            .collect();
        insert_rows!(conn, &contents, |block| diesel::insert_into(k::table)
            .values(block)
            .on_conflict(k::submission_id)
            .do_update()
            .set((
                k::raw.eq(excluded(k::raw)),
                k::decision.eq(excluded(k::decision))
            )));
        deliveries::enqueue_submissions(conn, chunk)?;
    }
    Ok(())
}

/// A submission that waits for its decision: its stored row's part that the sync needs, and the raw response.
#[derive(Debug, Clone)]
pub struct Waiting {
    /// LinkedIn's response id.
    pub response_id: String,
    /// LinkedIn's lead type.
    pub lead_type: LeadType,
    /// Whether it came from the list of test leads.
    pub is_test: bool,
    /// When the member submitted.
    pub submitted_at: DateTime<Utc>,
    /// What LinkedIn sent.
    pub raw: Vec<u8>,
    /// LinkedIn's form and version.
    pub form_linkedin: Option<(i64, i64)>,
}

type WaitingRow = (
    String,
    String,
    bool,
    NaiveDateTime,
    Vec<u8>,
    Option<i64>,
    Option<i64>,
);

/// Submissions of an account that wait for their decision, oldest first; those tried less often come first.
///
/// # Errors
/// As any query.
pub fn waiting(
    conn: &mut AnyConn,
    account: &AccountId,
    limit: i64,
    after_attempts: i64,
) -> Result<Vec<Waiting>, StoreError> {
    use form_submissions as s;
    let rows: Vec<WaitingRow> = s::table
        .inner_join(submission_contents::table)
        .filter(s::account_id.eq(account.as_str()))
        .filter(s::processing_state.eq(ProcessingState::Unprocessed.as_str()))
        .filter(s::attempts.lt(after_attempts))
        .order((s::submitted_at.asc(), s::id.asc()))
        .limit(limit)
        .select((
            s::response_id,
            s::lead_type,
            s::is_test,
            s::submitted_at,
            submission_contents::raw,
            s::form_linkedin_id,
            s::form_version_number,
        ))
        .load(conn)?;
    rows.into_iter()
        .map(
            |(response_id, lead_type, is_test, submitted_at, raw, form, version)| {
                Ok(Waiting {
                    lead_type: Cells {
                        table: "form_submissions",
                        id: &response_id,
                    }
                    .word("lead_type", &lead_type)?,
                    response_id,
                    is_test,
                    submitted_at: submitted_at.and_utc(),
                    raw,
                    form_linkedin: form.zip(version),
                })
            },
        )
        .collect()
}

/// Lets submissions whose form version was unknown until now be decided about anew, also those that were given up after
/// several tries; returns how many. Waits for its turn among what decides about submissions.
///
/// # Errors
/// As any query.
pub fn take_up_again(conn: &mut AnyConn, (form, version): (i64, i64)) -> Result<usize, StoreError> {
    use form_submissions as s;
    super::lock_leads(conn)?;
    // The two statuses have an index, and few submissions are in one of them.
    let waits = [
        MatchingStatus::PendingLeadMatching.as_str(),
        MatchingStatus::LeadCreationFailed.as_str(),
    ];
    Ok(diesel::update(
        s::table
            .filter(s::matching_status.eq_any(waits))
            .filter(s::reason.eq(SubmissionReason::FormVersionUnknown.as_str()))
            .filter(s::form_linkedin_id.eq(form))
            .filter(s::form_version_number.eq(version)),
    )
    .set((
        s::matching_status.eq(MatchingStatus::PendingLeadMatching.as_str()),
        s::processing_state.eq(ProcessingState::Unprocessed.as_str()),
        s::attempts.eq(0),
    ))
    .execute(conn)?)
}

/// How a lead changed, for its timeline.
#[derive(Debug, Clone)]
pub struct LeadChange {
    /// The row's id.
    pub id: String,
    /// The lead.
    pub lead_id: LeadId,
    /// The submission that changed it.
    pub submission_id: Option<SubmissionId>,
    /// The person who changed it.
    pub user_id: Option<UserId>,
    /// created, updated, attached, reopened or edited.
    pub kind: &'static str,
    /// JSON list of field, before, after.
    pub changes: String,
    /// When.
    pub created_at: DateTime<Utc>,
}

#[derive(Insertable)]
#[diesel(table_name = lead_changes, treat_none_as_default_value = false)]
struct ChangeRow {
    id: String,
    lead_id: String,
    submission_id: Option<String>,
    user_id: Option<String>,
    kind: &'static str,
    changes: String,
    created_at: Moment,
}

/// Adds to the timelines of leads.
///
/// # Errors
/// As any query.
pub fn add_changes(conn: &mut AnyConn, changes: Vec<LeadChange>) -> Result<(), StoreError> {
    let rows: Vec<ChangeRow> = changes
        .into_iter()
        .map(|change| ChangeRow {
            id: change.id,
            lead_id: change.lead_id.into_string(),
            submission_id: change.submission_id.map(String::from),
            user_id: change.user_id.map(String::from),
            kind: change.kind,
            changes: change.changes,
            created_at: Moment(change.created_at.naive_utc()),
        })
        .collect();
    insert_rows!(conn, &rows, |block| diesel::insert_into(
        lead_changes::table
    )
    .values(block));
    Ok(())
}
