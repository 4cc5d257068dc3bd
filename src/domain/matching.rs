//! Matching: from the answers and the leads that resemble them to one decision (product.md §4, Match).

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::field_mapping::MappedSubmission;
use super::ids::LeadId;
use super::lead::{FieldKey, LeadStatus};
use super::normalise;
pub use super::strategy::{MatchingStrategy, StrategyRuleError, strategy_sentence};
use super::submission::{MatchingStatus, SubmissionReason};
use super::words::words;
pub use by_person::{PersonsChoice, decide_by_person};

words! {
    /// What happens when some fields match, but not all.
    pub enum OnMatchFail {
        Ignore = "ignore" => "Ignore",
        CreateNewLead = "create_new_lead" => "Create new lead",
    }
}

words! {
    /// What happens when several leads match fully.
    pub enum SeveralMatch {
        MatchFailed = "match_failed" => "Match failed, a person decides",
        MostRecentlyUpdated = "most_recently_updated" => "Take the most recently updated lead",
    }
}

words! {
    /// What happens when the matching lead is closed.
    pub enum ClosedLead {
        AttachOnly = "attach_only" => "Attach the submission, change nothing",
        CreateNew = "create_new" => "Create new lead",
        Reopen = "reopen" => "Reopen and update the lead",
    }
}

words! {
    /// What happens when no match field has an answer.
    pub enum NoMatchAnswer {
        MatchFailed = "match_failed" => "Match failed",
        CreateAnyway = "create_anyway" => "Create anyway",
    }
}

words! {
    /// What happens with test leads.
    pub enum TestLeads {
        Ignore = "ignore" => "Ignore",
        Process = "process" => "Process",
    }
}

/// The settings of matching. The default is the behaviour that product.md names first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatchingSettings {
    /// Some fields match, not all.
    pub on_match_fail: OnMatchFail,
    /// Several leads match fully.
    pub several_match: SeveralMatch,
    /// The matching lead is closed.
    pub closed_lead: ClosedLead,
    /// No match field has an answer.
    pub no_match_answer: NoMatchAnswer,
    /// The submission is a test.
    pub test_leads: TestLeads,
    /// One lead for every submission, without comparing.
    pub always_create_lead: bool,
    /// Two letters; used where a form tells no country.
    pub default_country: Option<String>,
}

impl Default for MatchingSettings {
    fn default() -> Self {
        Self {
            on_match_fail: OnMatchFail::Ignore,
            several_match: SeveralMatch::MatchFailed,
            closed_lead: ClosedLead::AttachOnly,
            no_match_answer: NoMatchAnswer::MatchFailed,
            test_leads: TestLeads::Ignore,
            always_create_lead: false,
            default_country: None,
        }
    }
}

/// What is compared: the normalised value of each field of the strategy, `None` where there is no answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MatchInput {
    /// Each field of the strategy with its key.
    pub keys: Vec<(FieldKey, Option<String>)>,
}

impl MatchInput {
    /// Takes the mapped values of the strategy's fields. `country` is the default for phone numbers.
    #[must_use]
    pub fn new(
        strategy: &MatchingStrategy,
        mapped: &MappedSubmission,
        country: Option<&str>,
    ) -> Self {
        let key = |field: &FieldKey| {
            mapped
                .value_for(field)
                .and_then(|value| normalise::match_key(field, value, country))
        };
        Self {
            keys: strategy
                .fields
                .iter()
                .map(|field| (field.clone(), key(field)))
                .collect(),
        }
    }
}

/// A lead that every field matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The lead.
    pub lead_id: LeadId,
    /// Its status.
    pub status: LeadStatus,
    /// When anything on it last changed.
    pub updated_at: DateTime<Utc>,
}

/// The leads that resemble a submission, as the store found them, in any order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Candidates {
    /// Leads that match in every field of the strategy.
    pub full: Vec<Candidate>,
    /// At least one lead for each field that matches some lead.
    pub partial: Vec<(FieldKey, LeadId)>,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "lead_id", rename_all = "snake_case")]
pub enum Action {
    /// Make a lead.
    Create,
    /// Write the values onto this lead.
    Update(LeadId),
    /// Set the status back to New, then update.
    Reopen(LeadId),
    /// Join the submission to the lead and change nothing on it.
    Attach(LeadId),
    /// Leave the leads alone.
    None,
}

words! {
    /// How the comparison of one field ended.
    pub enum ComparisonResult {
        NoAnswer = "no_answer" => "No answer",
        NoLead = "no_lead" => "Matches no lead",
        Matches = "matches" => "Matches",
    }
}

/// The comparison of one field, kept with the decision. It holds no answer: those are kept elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comparison {
    /// The field of the strategy.
    pub field: FieldKey,
    /// How it ended.
    pub result: ComparisonResult,
    /// Leads with the same value, by id; at most [`MAX_SHOWN`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leads: Vec<LeadId>,
}

/// The most leads that a decision names per field.
pub const MAX_SHOWN: usize = 20;

/// The decision about one submission.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// What to do.
    pub action: Action,
    /// Its status.
    pub status: MatchingStatus,
    /// Why.
    pub reason: SubmissionReason,
    /// Field by field, in the order of the strategy. Empty when nothing was compared.
    #[serde(default)]
    pub compared: Vec<Comparison>,
    /// The leads that match fully, by id, at most [`MAX_SHOWN`]: what a person chooses from.
    #[serde(default)]
    pub candidates: Vec<LeadId>,
}

impl Decision {
    /// A decision that needed no comparison.
    #[must_use]
    pub const fn without_comparison(
        action: Action,
        status: MatchingStatus,
        reason: SubmissionReason,
    ) -> Self {
        Self {
            action,
            status,
            reason,
            compared: Vec::new(),
            candidates: Vec::new(),
        }
    }

    /// The decision for a test lead that the settings keep out; `None` if it is processed like any other.
    ///
    /// It ends as “Match failed” with its own reason; statistics leave out every test lead by its mark.
    #[must_use]
    pub fn for_test_lead(is_test: bool, settings: &MatchingSettings) -> Option<Self> {
        (is_test && settings.test_leads == TestLeads::Ignore).then(|| {
            Self::without_comparison(
                Action::None,
                MatchingStatus::MatchFailed,
                SubmissionReason::TestLeadIgnored,
            )
        })
    }
}

/// Decides what to do with a submission.
///
/// `already` is the lead that this very submission made or updated before: it is updated again, which changes nothing,
/// and never is a second lead made. The stored status of the submission then stays as it is. The result does not depend
/// on the order of the candidates or of the fields.
#[must_use]
pub fn decide(
    input: &MatchInput,
    candidates: &Candidates,
    settings: &MatchingSettings,
    already: Option<LeadId>,
) -> Decision {
    use MatchingStatus as Status;
    use SubmissionReason as Reason;

    if let Some(lead) = already {
        return Decision::without_comparison(
            Action::Update(lead),
            Status::UpdatedExistingLead,
            Reason::HandledBefore,
        );
    }
    if settings.always_create_lead {
        return Decision::without_comparison(
            Action::Create,
            Status::NewLeadCreated,
            Reason::AlwaysCreate,
        );
    }

    let is_complete = input.keys.iter().all(|(_, key)| key.is_some());
    let full: BTreeMap<&LeadId, &Candidate> = candidates
        .full
        .iter()
        .map(|candidate| (&candidate.lead_id, candidate))
        .collect();
    let compared = compare(input, candidates);
    let is_partial = !full.is_empty()
        || compared
            .iter()
            .any(|field| field.result == ComparisonResult::Matches);
    let shown = || {
        full.keys()
            .take(MAX_SHOWN)
            .map(|lead| (*lead).clone())
            .collect::<Vec<_>>()
    };

    let (action, status, reason, candidates) = if input.keys.iter().all(|(_, key)| key.is_none()) {
        match settings.no_match_answer {
            NoMatchAnswer::MatchFailed => (
                Action::None,
                Status::MatchFailed,
                Reason::NoAnswerForMatchFields,
                Vec::new(),
            ),
            NoMatchAnswer::CreateAnyway => (
                Action::Create,
                Status::NewLeadCreated,
                Reason::CreatedWithoutMatchAnswer,
                Vec::new(),
            ),
        }
    } else if is_complete && !full.is_empty() {
        let (action, status, reason) = decide_full(full.values().copied(), settings);
        (action, status, reason, shown())
    } else if is_partial {
        match settings.on_match_fail {
            OnMatchFail::Ignore => (
                Action::None,
                Status::MatchFailed,
                Reason::PartialMatchIgnored,
                Vec::new(),
            ),
            OnMatchFail::CreateNewLead => (
                Action::Create,
                Status::NewLeadCreated,
                Reason::PartialMatchCreated,
                Vec::new(),
            ),
        }
    } else {
        (
            Action::Create,
            Status::NewLeadCreated,
            Reason::NoLeadMatched,
            Vec::new(),
        )
    };
    Decision {
        action,
        status,
        reason,
        compared,
        candidates,
    }
}

/// Decides among leads that match fully, each given once; there is at least one.
fn decide_full<'a>(
    full: impl Iterator<Item = &'a Candidate> + Clone,
    settings: &MatchingSettings,
) -> (Action, MatchingStatus, SubmissionReason) {
    use MatchingStatus as Status;
    use SubmissionReason as Reason;

    // Where a closed lead is followed by a new one, both match from then on; only the open one is meant.
    let skips_closed = settings.closed_lead == ClosedLead::CreateNew
        && full.clone().any(|candidate| !candidate.status.is_closed());
    let considered = full.filter(|candidate| !(skips_closed && candidate.status.is_closed()));
    let all_closed = considered
        .clone()
        .all(|candidate| candidate.status.is_closed());
    let is_single = considered.clone().count() == 1;
    let makes_new = all_closed && settings.closed_lead == ClosedLead::CreateNew;
    if !is_single && !makes_new && settings.several_match == SeveralMatch::MatchFailed {
        return (Action::None, Status::MatchFailed, Reason::SeveralLeadsMatch);
    }
    let chosen =
        considered.max_by(|a, b| (a.updated_at, &a.lead_id).cmp(&(b.updated_at, &b.lead_id)));
    let Some(lead) = chosen else {
        return (
            Action::Create,
            Status::NewLeadCreated,
            Reason::NoLeadMatched,
        );
    };
    if !lead.status.is_closed() {
        let reason = if is_single {
            Reason::Matched
        } else {
            Reason::MostRecentOfSeveral
        };
        return (
            Action::Update(lead.lead_id.clone()),
            Status::UpdatedExistingLead,
            reason,
        );
    }
    match settings.closed_lead {
        ClosedLead::AttachOnly => (
            Action::Attach(lead.lead_id.clone()),
            Status::LeadMatchedButNotUpdated,
            Reason::ClosedLeadAttached,
        ),
        ClosedLead::CreateNew => (
            Action::Create,
            Status::NewLeadCreated,
            Reason::ClosedLeadNew,
        ),
        ClosedLead::Reopen => (
            Action::Reopen(lead.lead_id.clone()),
            Status::UpdatedExistingLead,
            Reason::ClosedLeadReopened,
        ),
    }
}

fn compare(input: &MatchInput, candidates: &Candidates) -> Vec<Comparison> {
    input
        .keys
        .iter()
        .map(|(field, key)| {
            if key.is_none() {
                return Comparison {
                    field: field.clone(),
                    result: ComparisonResult::NoAnswer,
                    leads: Vec::new(),
                };
            }
            let of_field = candidates
                .partial
                .iter()
                .filter(|(matching, _)| matching == field)
                .map(|(_, lead)| lead);
            let leads: BTreeSet<&LeadId> = of_field
                .chain(candidates.full.iter().map(|candidate| &candidate.lead_id))
                .collect();
            Comparison {
                field: field.clone(),
                result: if leads.is_empty() {
                    ComparisonResult::NoLead
                } else {
                    ComparisonResult::Matches
                },
                leads: leads.into_iter().take(MAX_SHOWN).cloned().collect(),
            }
        })
        .collect()
}

mod by_person;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
