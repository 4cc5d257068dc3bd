//! Form submissions: list, one with its answers and its decision; handing one in and trying one again.

mod answers;
mod decision;
mod writes;

use actix_web::web::Data;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::document::{self, Described, Group};
use super::input::{self, Choice, Id, Parameters};
use super::{ApiAnswer, output};
use crate::domain::account::LeadType;
use crate::domain::ids::{AccountId, CampaignId, FormId, FormVersionId, LeadId, SubmissionId};
use crate::domain::submission::{
    MatchingStatus, ProcessingState, SubmissionReason, SubmissionView,
};
use crate::domain::time_zone::TimeZone;
use crate::store::submissions::{self, Submission, SubmissionDetail, SubmissionFilter};
use crate::sync::decision::DecisionRecord;
use crate::web::Portal;
use crate::web::keyset::FilterDay;
use crate::web::submissions::SubmissionsQuery;
use answers::{AnswerBody, ConsentResponseBody};
use decision::DecisionBody;
pub use writes::{create, describe_create, describe_retry, retry};

/// The order of the list, for its cursors.
const ORDER: &str = "submitted";

/// A form submission.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Submission)]
pub struct SubmissionBody {
    id: SubmissionId,
    /// LinkedIn's response id: there is one submission for it, however often it is pulled.
    response_id: String,
    /// Who submitted, as far as the answers tell.
    name: String,
    /// When it was submitted at LinkedIn.
    submitted_at: DateTime<Utc>,
    /// When it came in here.
    received_at: DateTime<Utc>,
    lead_type: LeadType,
    /// Whether LinkedIn marks it as a test lead.
    is_test: bool,
    matching_status: MatchingStatus,
    processing_state: ProcessingState,
    reason: Option<SubmissionReason>,
    /// A short detail beside the reason.
    reason_detail: Option<String>,
    /// How many values did not fit their field.
    flag_count: i64,
    /// The lead it belongs to.
    lead_id: Option<LeadId>,
    /// How often processing was tried.
    attempts: i64,
    /// When it was decided.
    processed_at: Option<DateTime<Utc>>,
    account_id: AccountId,
    /// Its form; null while the form is not known here.
    form_id: Option<FormId>,
    /// LinkedIn's number of the form.
    form_linkedin_id: Option<i64>,
    /// LinkedIn's number of the form's version.
    form_version: Option<i64>,
    /// LinkedIn's number of the campaign.
    campaign_linkedin_id: Option<i64>,
    campaign_name: Option<String>,
    /// When somebody set it aside.
    ignored_at: Option<DateTime<Utc>>,
    /// Why it was set aside.
    ignored_reason: Option<String>,
    /// Counts the contents that came under its response id, from 1.
    revision: i64,
}

impl From<Submission> for SubmissionBody {
    fn from(submission: Submission) -> Self {
        Self {
            id: submission.id,
            response_id: submission.response_id,
            name: submission.name,
            submitted_at: submission.submitted_at,
            received_at: submission.received_at,
            lead_type: submission.lead_type,
            is_test: submission.is_test,
            matching_status: submission.matching_status,
            processing_state: submission.processing_state,
            reason: submission.reason,
            reason_detail: submission.reason_detail,
            flag_count: submission.flag_count,
            lead_id: submission.lead_id,
            attempts: submission.attempts,
            processed_at: submission.processed_at,
            account_id: submission.account.0,
            form_id: submission.form.map(|(id, _)| id),
            form_linkedin_id: submission.form_version.0,
            form_version: submission.form_version.1,
            campaign_linkedin_id: submission.campaign_linkedin_id,
            campaign_name: submission.campaign_name,
            ignored_at: submission.ignored_at,
            ignored_reason: submission.ignored_reason,
            revision: submission.revision,
        }
    }
}

/// A form submission with its answers and its decision.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SubmissionDetail)]
pub struct SubmissionDetailBody {
    #[serde(flatten)]
    submission: SubmissionBody,
    /// In the order of the form; null when they were erased or cannot be read.
    answers: Option<Vec<AnswerBody>>,
    /// Null when they were erased or cannot be read.
    consents: Option<Vec<ConsentResponseBody>>,
    /// How it became what it became; null while it is undecided.
    decision: Option<DecisionBody>,
}

impl From<SubmissionDetail> for SubmissionDetailBody {
    fn from(detail: SubmissionDetail) -> Self {
        let record: Option<DecisionRecord> = detail
            .decision
            .as_deref()
            .and_then(|json| serde_json::from_str(json).ok());
        let version = detail.version.as_ref();
        let said = detail
            .raw
            .and_then(|raw| crate::web::submissions::show::answers_of(&detail.submission, raw))
            .map(|(given, consents)| {
                (
                    answers::answers(version, &given),
                    answers::consents(version, &consents),
                )
            });
        let (answers, consents) = said.unzip();
        Self {
            submission: SubmissionBody::from(detail.submission),
            answers,
            consents,
            decision: record.map(DecisionBody::from),
        }
    }
}

/// The filters of the page, with days of UTC.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct SubmissionsParameters {
    /// Beginnings of words that the name holds.
    q: Option<String>,
    /// Only of this account.
    account: Option<AccountId>,
    /// Only of this form.
    form: Option<FormId>,
    /// Only of this version of a form.
    version: Option<FormVersionId>,
    /// Only of this campaign.
    campaign: Option<CampaignId>,
    /// Only in this matching status.
    status: Option<MatchingStatus>,
    /// Only in this processing state.
    state: Option<ProcessingState>,
    /// Only those that need attention, or that were set aside.
    view: Option<SubmissionView>,
    /// Whether they are test leads.
    test: Option<Choice>,
    /// Submitted on this day or later.
    from: Option<FilterDay>,
    /// Submitted on this day or before.
    to: Option<FilterDay>,
    /// Records on a page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// GET /submissions, in the document.
pub fn describe_index() -> Described {
    Described::new(
        Group::Submissions,
        "listSubmissions",
        "List form submissions",
    )
    .filters::<SubmissionsParameters>()
    .sends_list::<SubmissionBody>(&document::submission())
}

/// GET /submissions
///
/// # Errors
/// `BadParameter`, or as the database.
pub async fn index(
    portal: Data<Portal>,
    Parameters(asked): Parameters<SubmissionsParameters>,
) -> ApiAnswer {
    let limit = input::limit(asked.limit)?;
    let start = input::start(ORDER, asked.cursor.as_deref())?;
    let query = SubmissionsQuery {
        q: asked.q,
        account: asked.account,
        form: asked.form,
        version: asked.version,
        campaign: asked.campaign,
        status: asked.status,
        state: asked.state,
        view: asked.view,
        from: asked.from,
        to: asked.to,
        ..SubmissionsQuery::default()
    };
    let filter = SubmissionFilter {
        is_test: asked.test.map(Choice::is_yes),
        ..query.filter(TimeZone::UTC)
    };
    let page = portal
        .store
        .read(move |conn| submissions::page(conn, &filter, &start, limit))
        .await?;
    let next = page.older.map(|place| input::encode_cursor(ORDER, &place));
    let rows = page.rows.into_iter().map(SubmissionBody::from).collect();
    Ok(output::list(rows, next))
}

/// GET /submissions/{id}, in the document.
pub fn describe_show() -> Described {
    Described::new(
        Group::Submissions,
        "getSubmission",
        "Get a form submission with its answers and its decision",
    )
    .record::<SubmissionId>()
    .sends::<SubmissionDetailBody>(200, "The submission.", document::submission_detail())
}

/// GET /submissions/{id}
///
/// # Errors
/// `NotFound`, or as the database.
pub async fn show(portal: Data<Portal>, Id(id): Id<SubmissionId>) -> ApiAnswer {
    let detail = portal
        .store
        .read(move |conn| submissions::get(conn, &id))
        .await?;
    Ok(output::record(&SubmissionDetailBody::from(detail)))
}
