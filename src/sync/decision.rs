//! The record of a decision, kept with each submission so that people can read back how it became what it became.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::domain::assignment::OwnerReason;
use crate::domain::field_mapping::{MappedSubmission, MappingFlag, MappingOutcome};
use crate::domain::ids::{LeadId, MappingId, StrategyId, UserId};
use crate::domain::lead::{FieldChange, FieldKey};
use crate::domain::matching::{Action, Comparison, Decision, MatchingStrategy};
use crate::domain::submission::{MatchingStatus, SubmissionReason};

/// How a submission became what it became. It holds the values that were written to the lead, like the lead's timeline,
/// and no other answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DecisionRecord {
    /// When it was decided.
    pub decided_at: DateTime<Utc>,
    /// The strategy that was active.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<StrategyRecord>,
    /// Every mapping whose source is on the form, in the order in which they ran.
    #[serde(default)]
    pub mappings: Vec<MappingRecord>,
    /// Values left out, answers that could not be read.
    #[serde(default)]
    pub flags: Vec<MappingFlag>,
    /// Questions that were answered and that no mapping reads.
    #[serde(default)]
    pub unmapped_questions: Vec<i64>,
    /// Field by field, in the order of the strategy.
    #[serde(default)]
    pub compared: Vec<Comparison>,
    /// Leads that match fully: what a person chooses from.
    #[serde(default)]
    pub candidates: Vec<LeadId>,
    /// What was done.
    pub action: Action,
    /// The status that followed.
    pub status: MatchingStatus,
    /// Why.
    pub reason: SubmissionReason,
    /// Who became the owner of a new lead, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<OwnerRecord>,
    /// What changed on the lead.
    #[serde(default)]
    pub changes: Vec<FieldChange>,
}

/// The strategy as it was when it decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StrategyRecord {
    /// Its id.
    pub id: StrategyId,
    /// Its name then.
    pub name: String,
    /// Its fields then.
    pub fields: Vec<FieldKey>,
}

/// One mapping that ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MappingRecord {
    /// Its id.
    pub mapping_id: MappingId,
    /// Its name then.
    pub name: String,
    /// The lead field.
    pub field: FieldKey,
    /// The question that was read, if it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question_id: Option<i64>,
    /// How it ended.
    pub outcome: MappingOutcome,
}

/// The owner and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnerRecord {
    /// Who.
    pub id: UserId,
    /// Why.
    pub reason: OwnerReason,
}

impl DecisionRecord {
    /// Puts together what mapping and matching said.
    #[must_use]
    pub fn new(
        decided_at: DateTime<Utc>,
        strategy: Option<&MatchingStrategy>,
        mapped: &MappedSubmission,
        names: &HashMap<MappingId, String>,
        decision: Decision,
    ) -> Self {
        let name = |id: &MappingId| names.get(id).cloned().unwrap_or_default();
        Self {
            decided_at,
            strategy: strategy.map(|strategy| StrategyRecord {
                id: strategy.id.clone(),
                name: strategy.name.clone(),
                fields: strategy.fields.clone(),
            }),
            mappings: mapped
                .applied
                .iter()
                .map(|applied| MappingRecord {
                    mapping_id: applied.mapping_id.clone(),
                    name: name(&applied.mapping_id),
                    field: applied.field.clone(),
                    question_id: applied.question_id,
                    outcome: applied.outcome,
                })
                .collect(),
            flags: mapped.flags.clone(),
            unmapped_questions: mapped.unmapped_questions.clone(),
            compared: decision.compared,
            candidates: decision.candidates,
            action: decision.action,
            status: decision.status,
            reason: decision.reason,
            owner: None,
            changes: Vec::new(),
        }
    }
}
