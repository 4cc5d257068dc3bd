//! The decision about a submission, as programs read it.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::assignment::OwnerStep;
use crate::domain::field_mapping::{FlagKind, MappingOutcome};
use crate::domain::ids::{LeadId, MappingId, StrategyId, UserId};
use crate::domain::lead::FieldKey;
use crate::domain::matching::{Action, ComparisonResult};
use crate::domain::submission::{MatchingStatus, SubmissionReason};
use crate::sync::decision::DecisionRecord;

/// What was done with the leads.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DecidedAction {
    /// A lead was made.
    Create,
    /// The values were written onto a lead.
    Update,
    /// A closed lead was opened again, then updated.
    Reopen,
    /// The submission joined a lead, on which nothing was changed.
    Attach,
    /// The leads were left alone.
    None,
}

/// The strategy as it was when it decided.
#[derive(Debug, Serialize, ToSchema)]
pub struct DecidingStrategy {
    id: StrategyId,
    name: String,
    fields: Vec<FieldKey>,
}

/// A mapping that ran.
#[derive(Debug, Serialize, ToSchema)]
pub struct MappingRun {
    mapping_id: MappingId,
    /// Its name then.
    name: String,
    field: FieldKey,
    /// The question that was read, if it was one.
    question_id: Option<i64>,
    outcome: MappingOutcome,
}

/// A value that was left out, or an answer that could not be read.
#[derive(Debug, Serialize, ToSchema)]
pub struct Flag {
    mapping_id: Option<MappingId>,
    field: Option<FieldKey>,
    question_id: Option<i64>,
    problem: FlagKind,
}

/// The comparison of one field of the strategy.
#[derive(Debug, Serialize, ToSchema)]
pub struct ComparedField {
    field: FieldKey,
    result: ComparisonResult,
    /// Leads with the same value, at most 20.
    lead_ids: Vec<LeadId>,
}

/// Who became the owner of a new lead, and why.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChosenOwner {
    id: UserId,
    step: OwnerStep,
}

/// What changed on one field of the lead.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChangedField {
    field: FieldKey,
    before: Option<String>,
    after: Option<String>,
}

/// How a submission became what it became.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Decision)]
pub struct DecisionBody {
    decided_at: DateTime<Utc>,
    status: MatchingStatus,
    reason: SubmissionReason,
    action: DecidedAction,
    /// The lead that the action was about; null for a new lead.
    action_lead_id: Option<LeadId>,
    /// The strategy that was active.
    strategy: Option<DecidingStrategy>,
    /// In the order in which they ran.
    mappings: Vec<MappingRun>,
    flags: Vec<Flag>,
    /// LinkedIn's numbers of questions that were answered and that no mapping reads.
    unmapped_question_ids: Vec<i64>,
    /// In the order of the strategy.
    compared: Vec<ComparedField>,
    /// Leads that match fully: what a person chooses from.
    candidate_ids: Vec<LeadId>,
    owner: Option<ChosenOwner>,
    changes: Vec<ChangedField>,
}

fn action(action: Action) -> (DecidedAction, Option<LeadId>) {
    match action {
        Action::Create => (DecidedAction::Create, None),
        Action::Update(id) => (DecidedAction::Update, Some(id)),
        Action::Reopen(id) => (DecidedAction::Reopen, Some(id)),
        Action::Attach(id) => (DecidedAction::Attach, Some(id)),
        Action::None => (DecidedAction::None, None),
    }
}

impl From<DecisionRecord> for DecisionBody {
    fn from(record: DecisionRecord) -> Self {
        let (action, action_lead_id) = action(record.action);
        Self {
            decided_at: record.decided_at,
            status: record.status,
            reason: record.reason,
            action,
            action_lead_id,
            strategy: record.strategy.map(|strategy| DecidingStrategy {
                id: strategy.id,
                name: strategy.name,
                fields: strategy.fields,
            }),
            mappings: record
                .mappings
                .into_iter()
                .map(|mapping| MappingRun {
                    mapping_id: mapping.mapping_id,
                    name: mapping.name,
                    field: mapping.field,
                    question_id: mapping.question_id,
                    outcome: mapping.outcome,
                })
                .collect(),
            flags: record
                .flags
                .into_iter()
                .map(|flag| Flag {
                    mapping_id: flag.mapping_id,
                    field: flag.field,
                    question_id: flag.question_id,
                    problem: flag.problem,
                })
                .collect(),
            unmapped_question_ids: record.unmapped_questions,
            compared: record
                .compared
                .into_iter()
                .map(|comparison| ComparedField {
                    field: comparison.field,
                    result: comparison.result,
                    lead_ids: comparison.leads,
                })
                .collect(),
            candidate_ids: record.candidates,
            owner: record.owner.map(|owner| ChosenOwner {
                id: owner.id,
                step: owner.reason.step,
            }),
            changes: record
                .changes
                .into_iter()
                .map(|change| ChangedField {
                    field: change.field,
                    before: change.before,
                    after: change.after,
                })
                .collect(),
        }
    }
}
