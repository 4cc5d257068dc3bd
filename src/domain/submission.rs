//! The form submission: what LinkedIn sent, its states, and the closed list of reasons for them.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::account::LeadType;
use super::ids::{FormId, FormVersionId, SubmissionId};
use super::text::clean_text;
use super::words::words;

words! {
    /// What became of a submission.
    pub enum MatchingStatus {
        PendingLeadMatching = "pending_lead_matching" => "Pending lead matching",
        NewLeadCreated = "new_lead_created" => "New lead created",
        UpdatedExistingLead = "updated_existing_lead" => "Updated existing lead",
        MatchFailed = "match_failed" => "Match failed",
        LeadCreationFailed = "lead_creation_failed" => "Lead creation failed",
        LeadUpdateFailed = "lead_update_failed" => "Lead update failed",
        LeadMatchedButNotUpdated = "lead_matched_but_not_updated" => "Lead matched but not updated",
    }
}

impl MatchingStatus {
    /// The processing state that goes with this status. “Match failed” is a decision, not an error.
    #[must_use]
    pub const fn processing_state(self) -> ProcessingState {
        match self {
            Self::PendingLeadMatching => ProcessingState::Unprocessed,
            Self::LeadCreationFailed | Self::LeadUpdateFailed => ProcessingState::ProcessingFailed,
            Self::NewLeadCreated
            | Self::UpdatedExistingLead
            | Self::MatchFailed
            | Self::LeadMatchedButNotUpdated => ProcessingState::ProcessingSucceeded,
        }
    }
}

words! {
    /// How far a submission was processed.
    pub enum ProcessingState {
        Unprocessed = "unprocessed" => "Unprocessed",
        ProcessingSucceeded = "processing_succeeded" => "Processing Succeeded",
        ProcessingFailed = "processing_failed" => "Processing Failed",
    }
}

words! {
    /// What a list of submissions is looked through for, beside their states.
    pub enum SubmissionView {
        NeedsAttention = "attention" => "Needs attention",
        Ignored = "ignored" => "Ignored",
    }
}

/// Whether somebody should look at a submission in this state: no lead came of it, nobody set it aside, and that is not
/// what a setting or the member wanted.
#[must_use]
pub fn needs_attention(
    status: MatchingStatus,
    reason: Option<SubmissionReason>,
    is_ignored: bool,
) -> bool {
    matches!(
        status,
        MatchingStatus::MatchFailed
            | MatchingStatus::LeadCreationFailed
            | MatchingStatus::LeadUpdateFailed
    ) && !is_ignored
        && !matches!(
            reason,
            Some(SubmissionReason::TestLeadIgnored | SubmissionReason::DeletedByMember)
        )
}

words! {
    /// What a person did with a submission.
    pub enum ActKind {
        Retried = "retried" => "Tried again",
        Linked = "linked" => "Linked to a lead",
        TurnedIntoLead = "turned_into_lead" => "Turned into a lead",
        Ignored = "ignored" => "Ignored",
        BroughtBack = "brought_back" => "Brought back",
        Undone = "undone" => "Undone",
    }
}

words! {
    /// Why a submission is in its state; the label is a short form of [`SubmissionReason::sentence`].
    pub enum SubmissionReason {
        Matched = "matched" => "One lead matches",
        NoLeadMatched = "no_lead_matched" => "No lead matches",
        AlwaysCreate = "always_create" => "Always create lead",
        PartialMatchIgnored = "partial_match_ignored" => "Partial match ignored",
        PartialMatchCreated = "partial_match_created" => "Partial match, lead created",
        SeveralLeadsMatch = "several_leads_match" => "Several leads match",
        MostRecentOfSeveral = "most_recent_of_several" => "Most recent of several",
        NoAnswerForMatchFields = "no_answer_for_match_fields" => "No answer to compare",
        CreatedWithoutMatchAnswer = "created_without_match_answer" => "Created without comparison",
        ClosedLeadAttached = "closed_lead_attached" => "Attached to a closed lead",
        ClosedLeadNew = "closed_lead_new" => "Closed lead, new one created",
        ClosedLeadReopened = "closed_lead_reopened" => "Closed lead reopened",
        HandledBefore = "handled_before" => "Handled before",
        TestLeadIgnored = "test_lead_ignored" => "Test lead ignored",
        FormVersionUnknown = "form_version_unknown" => "Form version unknown",
        UnreadableAnswer = "unreadable_answer" => "Unreadable answer",
        StrategyFieldUnmapped = "strategy_field_unmapped" => "Strategy field without mapping",
        NoActiveStrategy = "no_active_strategy" => "No active strategy",
        NoOwnerAvailable = "no_owner_available" => "No owner available",
        OlderThanLead = "older_than_lead" => "Older than the lead",
        DecidedByPerson = "decided_by_person" => "Decided by a person",
        DeletedByMember = "deleted_by_member" => "Deleted by the member",
        BroughtAlong = "brought_along" => "Handled by Microsoft's connector",
        InternalError = "internal_error" => "Internal error",
    }
}

impl SubmissionReason {
    /// One plain sentence for people.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Matched => {
                "Every field of the matching strategy matches exactly one lead, so that lead was updated."
            }
            Self::NoLeadMatched => {
                "No field of the matching strategy matches any lead, so a lead was created."
            }
            Self::AlwaysCreate => {
                "The setting “Always create lead” is on, so a lead was created without comparing."
            }
            Self::PartialMatchIgnored => {
                "Some fields of the matching strategy match a lead, but not all on one lead, and “On Match fail” is set to Ignore."
            }
            Self::PartialMatchCreated => {
                "Some fields of the matching strategy match a lead, but not all on one lead, and “On Match fail” is set to Create new lead."
            }
            Self::SeveralLeadsMatch => {
                "Several leads match fully. A person has to decide which one is meant."
            }
            Self::MostRecentOfSeveral => {
                "Several leads match fully, and the setting picks the most recently updated one."
            }
            Self::NoAnswerForMatchFields => {
                "The submission answers no field of the matching strategy, so it could not be compared with leads."
            }
            Self::CreatedWithoutMatchAnswer => {
                "The submission answers no field of the matching strategy, and the setting creates a lead in this case."
            }
            Self::ClosedLeadAttached => {
                "The matching lead is closed, so the submission was attached to it and nothing on it was changed."
            }
            Self::ClosedLeadNew => {
                "The matching lead is closed, and the setting creates a new lead in this case."
            }
            Self::ClosedLeadReopened => {
                "The matching lead was closed, and the setting reopened and updated it."
            }
            Self::HandledBefore => {
                "This submission made or updated the lead before; doing it again changes nothing."
            }
            Self::TestLeadIgnored => {
                "This is a test lead, and the setting keeps test leads out of leads and statistics."
            }
            Self::FormVersionUnknown => {
                "The version of the form that was answered is not known yet, so the answers cannot be read."
            }
            Self::UnreadableAnswer => {
                "An answer could not be read. It is kept as LinkedIn sent it."
            }
            Self::StrategyFieldUnmapped => {
                "A field of the matching strategy has no field mapping, so nothing could be compared."
            }
            Self::NoActiveStrategy => {
                "No matching strategy is active, so nothing could be compared."
            }
            Self::NoOwnerAvailable => {
                "Nobody enabled could be chosen as the owner, and no lead is ever ownerless."
            }
            Self::OlderThanLead => {
                "A newer submission had filled the lead already, so this one changed nothing."
            }
            Self::DecidedByPerson => "A person decided what to do with this submission.",
            Self::DeletedByMember => {
                "The member withdrew the submission at LinkedIn, so its answers were erased."
            }
            Self::BroughtAlong => {
                "Microsoft’s connector handled this submission before it came along, so nothing is decided about it again."
            }
            Self::InternalError => {
                "Something went wrong in the portal. The submission is kept and can be tried again."
            }
        }
    }
}

/// One answer: the number of the question and what was said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// LinkedIn's number of the question.
    pub question_id: i64,
    /// What was said.
    pub value: AnswerValue,
}

/// What was answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "value", rename_all = "snake_case")]
pub enum AnswerValue {
    /// Free text, never blank.
    Text(String),
    /// Option ids of the answered form version; 0 is a real option.
    Choices(Vec<i64>),
    /// A shape that LinkedIn added after this was written, kept as it came.
    Unknown(Value),
    /// Nothing was said.
    Blank,
}

impl AnswerValue {
    /// Reads LinkedIn's `answerDetails` (linkedin-api.md §5.2). Total: whatever cannot be read is kept as unknown.
    #[must_use]
    pub fn from_details(details: &Value) -> Self {
        if details.is_null() {
            return Self::Blank;
        }
        if let Some(text) = details.get("textQuestionAnswer") {
            return match text.get("answer") {
                Some(Value::String(answer)) => Self::text(answer),
                None | Some(Value::Null) => Self::Blank,
                Some(_) => Self::Unknown(details.clone()),
            };
        }
        if let Some(choice) = details.get("multipleChoiceAnswer") {
            return match choice.get("options") {
                None | Some(Value::Null) => Self::Blank,
                Some(Value::Array(options)) => match options
                    .iter()
                    .map(Value::as_i64)
                    .collect::<Option<Vec<_>>>()
                {
                    Some(ids) if ids.is_empty() => Self::Blank,
                    Some(ids) => Self::Choices(ids),
                    None => Self::Unknown(details.clone()),
                },
                Some(_) => Self::Unknown(details.clone()),
            };
        }
        if details.as_object().is_some_and(serde_json::Map::is_empty) {
            return Self::Blank;
        }
        Self::Unknown(details.clone())
    }

    /// A text answer, cleaned; blank if nothing but white space is left.
    #[must_use]
    pub fn text(answer: &str) -> Self {
        let clean = clean_text(answer);
        if clean.trim().is_empty() {
            Self::Blank
        } else {
            Self::Text(clean.into_owned())
        }
    }

    /// Whether nothing was answered.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        match self {
            Self::Text(text) => text.trim().is_empty(),
            Self::Choices(ids) => ids.is_empty(),
            Self::Unknown(_) => false,
            Self::Blank => true,
        }
    }
}

/// What the member did with a consent checkbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsentResponse {
    /// LinkedIn's number of the checkbox, from 0.
    pub consent_id: i64,
    /// Whether it was ticked.
    pub accepted: bool,
}

/// A form submission as the rules see it: the input of mapping and matching.
#[derive(Debug, Clone, PartialEq)]
pub struct Submission {
    /// Our identifier.
    pub id: SubmissionId,
    /// LinkedIn's response id, the idempotency key.
    pub response_id: String,
    /// When the member submitted it, by LinkedIn's clock.
    pub submitted_at: DateTime<Utc>,
    /// LinkedIn's lead type.
    pub lead_type: LeadType,
    /// Whether LinkedIn marks it as a test.
    pub is_test: bool,
    /// URN of the member; absent for guests.
    pub submitter: Option<String>,
    /// The form that was answered, where it is known.
    pub form_id: Option<FormId>,
    /// The version that was answered; `None` while it is unknown.
    pub form_version: Option<FormVersionId>,
    /// The name of the campaign, where there is one.
    pub campaign_name: Option<String>,
    /// The name of the form.
    pub form_name: Option<String>,
    /// The name of the account.
    pub account_name: Option<String>,
    /// Country of the form's locale, two letters: the default for phone numbers.
    pub country: Option<String>,
    /// In no useful order.
    pub answers: Vec<Answer>,
    /// What was done with each checkbox.
    pub consent_responses: Vec<ConsentResponse>,
}

impl Submission {
    /// What identifies and orders this submission when its values are applied to a lead.
    #[must_use]
    pub fn stamp(&self) -> SubmissionStamp {
        SubmissionStamp {
            id: self.id.clone(),
            response_id: self.response_id.clone(),
            submitted_at: self.submitted_at,
        }
    }
}

/// Which submission wrote a value, and when it was submitted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubmissionStamp {
    /// Our identifier.
    pub id: SubmissionId,
    /// LinkedIn's response id.
    pub response_id: String,
    /// When the member submitted it, by LinkedIn's clock.
    pub submitted_at: DateTime<Utc>,
}
