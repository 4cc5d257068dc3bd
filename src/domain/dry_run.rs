//! Plays submissions through a matching strategy in memory: what the dry run of a strategy shows. Nothing is written.
//!
//! The submissions arrive anew, oldest first. They meet the leads as they are, but for those that these submissions made
//! themselves: those are made again, in memory, so that each submission sees what the ones before it did.

use std::collections::{BTreeSet, HashMap};

use uuid::Uuid;

use super::field_mapping::MappedSubmission;
use super::ids::{LeadId, SubmissionId, UserId};
use super::lead::{FieldKey, Lead, LeadStatus, Provenance, apply, topic};
use super::matching::{
    Action, Candidate, Candidates, Decision, MAX_SHOWN, MatchInput, MatchingSettings,
    MatchingStrategy, decide,
};
use super::normalise;
use super::strategy::unmapped_fields;
use super::submission::{MatchingStatus, Submission, SubmissionReason};

/// A submission that is played through.
#[derive(Debug, Clone, Copy)]
pub enum Arrival<'a> {
    /// It was mapped.
    Mapped(&'a Submission, &'a MappedSubmission),
    /// It could not be read, for this reason.
    Unreadable(SubmissionReason),
}

/// The lead that a submission came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReachedLead {
    /// One that is there.
    Known(LeadId),
    /// One that this submission made in the dry run.
    MadeBy(SubmissionId),
}

/// How one submission ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Its status.
    pub status: MatchingStatus,
    /// Why.
    pub reason: SubmissionReason,
    /// The lead that was made, updated or attached to.
    pub lead: Option<ReachedLead>,
}

/// How many submissions ended how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// New leads.
    pub created: usize,
    /// Updates of leads that are there.
    pub updated: usize,
    /// Attached to a closed lead, which stayed as it is.
    pub attached: usize,
    /// Match failed, or failed otherwise.
    pub failed: usize,
}

impl Totals {
    /// Counts outcomes.
    #[must_use]
    pub fn of<'a>(outcomes: impl IntoIterator<Item = &'a Outcome>) -> Self {
        let mut totals = Self::default();
        for outcome in outcomes {
            match outcome.status {
                MatchingStatus::NewLeadCreated => totals.created += 1,
                MatchingStatus::UpdatedExistingLead => totals.updated += 1,
                MatchingStatus::LeadMatchedButNotUpdated => totals.attached += 1,
                MatchingStatus::MatchFailed
                | MatchingStatus::LeadCreationFailed
                | MatchingStatus::LeadUpdateFailed
                | MatchingStatus::PendingLeadMatching => totals.failed += 1,
            }
        }
        totals
    }
}

/// The leads in memory, by what the strategy compares.
struct Leads<'a> {
    strategy: &'a MatchingStrategy,
    leads: HashMap<LeadId, Lead>,
    by_field: HashMap<(usize, String), BTreeSet<LeadId>>,
    by_all: HashMap<Vec<String>, BTreeSet<LeadId>>,
    made_by: HashMap<LeadId, SubmissionId>,
}

impl Leads<'_> {
    fn keys(&self, lead: &Lead, country: Option<&str>) -> Vec<Option<String>> {
        let key = |field: &FieldKey| {
            let value = lead.values.get(field)?;
            normalise::match_key(field, value, country)
        };
        self.strategy.fields.iter().map(key).collect()
    }

    fn put(&mut self, lead: Lead, country: Option<&str>) {
        let id = lead.id.clone();
        let keys = self.keys(&lead, country);
        self.leads.insert(id.clone(), lead);
        for (index, key) in keys.iter().enumerate() {
            if let Some(key) = key {
                let known = self.by_field.entry((index, key.clone())).or_default();
                known.insert(id.clone());
            }
        }
        let all: Option<Vec<String>> = keys.into_iter().collect();
        if let Some(all) = all.filter(|all| !all.is_empty()) {
            self.by_all.entry(all).or_default().insert(id);
        }
    }

    /// Takes a lead whose compared values changed out of the lists, and puts it in again.
    fn replace(&mut self, lead: Lead, country: Option<&str>) {
        for known in self.by_field.values_mut().chain(self.by_all.values_mut()) {
            known.remove(&lead.id);
        }
        self.put(lead, country);
    }

    fn candidates(&self, input: &MatchInput) -> Candidates {
        let all: Option<Vec<String>> = input.keys.iter().map(|(_, key)| key.clone()).collect();
        let full = all
            .and_then(|all| self.by_all.get(&all))
            .into_iter()
            .flatten()
            .filter_map(|id| self.leads.get(id))
            .map(|lead| Candidate {
                lead_id: lead.id.clone(),
                status: lead.status,
                updated_at: lead.updated_at,
            })
            .collect();
        let mut partial = Vec::new();
        for (index, (field, key)) in input.keys.iter().enumerate() {
            let Some(key) = key else { continue };
            let found = self.by_field.get(&(index, key.clone()));
            let found = found.into_iter().flatten().take(MAX_SHOWN);
            partial.extend(found.map(|lead| (field.clone(), lead.clone())));
        }
        Candidates { full, partial }
    }

    fn reached(&self, id: &LeadId) -> ReachedLead {
        self.made_by.get(id).map_or_else(
            || ReachedLead::Known(id.clone()),
            |submission| ReachedLead::MadeBy(submission.clone()),
        )
    }
}

/// Plays `arrivals` through, given oldest first, and answers how each ended, in the same order.
///
/// `leads` are the leads that have a value of a compared field in common with one of the submissions, each with the
/// country of its form; those that these submissions made must not be among them. `mapped` are the fields that some
/// mapping fills.
#[must_use]
pub fn dry_run(
    strategy: &MatchingStrategy,
    settings: &MatchingSettings,
    mapped: &BTreeSet<FieldKey>,
    leads: Vec<(Lead, Option<String>)>,
    arrivals: &[Arrival<'_>],
) -> Vec<Outcome> {
    let default_country = settings.default_country.as_deref();
    let mut memory = Leads {
        strategy,
        leads: HashMap::new(),
        by_field: HashMap::new(),
        by_all: HashMap::new(),
        made_by: HashMap::new(),
    };
    for (lead, country) in leads {
        memory.put(lead, country.as_deref().or(default_country));
    }
    let is_sound = settings.always_create_lead || unmapped_fields(strategy, mapped).is_empty();
    let failed = |reason| Outcome {
        status: MatchingStatus::LeadCreationFailed,
        reason,
        lead: None,
    };
    let mut outcomes = Vec::with_capacity(arrivals.len());
    for (index, arrival) in arrivals.iter().enumerate() {
        let outcome = match arrival {
            Arrival::Unreadable(reason) => failed(*reason),
            Arrival::Mapped(submission, mapped) => {
                if let Some(decision) = Decision::for_test_lead(submission.is_test, settings) {
                    Outcome {
                        status: decision.status,
                        reason: decision.reason,
                        lead: None,
                    }
                } else if is_sound {
                    settle(&mut memory, settings, submission, mapped, index)
                } else {
                    failed(SubmissionReason::StrategyFieldUnmapped)
                }
            }
        };
        outcomes.push(outcome);
    }
    outcomes
}

fn settle(
    memory: &mut Leads<'_>,
    settings: &MatchingSettings,
    submission: &Submission,
    mapped: &MappedSubmission,
    index: usize,
) -> Outcome {
    let country = submission
        .country
        .as_deref()
        .or(settings.default_country.as_deref());
    let input = MatchInput::new(memory.strategy, mapped, country);
    let decision = decide(&input, &memory.candidates(&input), settings, None);
    let lead = match &decision.action {
        Action::Create => {
            let mut lead = blank_lead(submission, index);
            let _changes = apply(&mut lead, &mapped.values, &submission.stamp());
            let id = lead.id.clone();
            memory.put(lead, country);
            memory.made_by.insert(id.clone(), submission.id.clone());
            Some(memory.reached(&id))
        }
        Action::Update(id) | Action::Reopen(id) => {
            if let Some(mut lead) = memory.leads.get(id).cloned() {
                let changes = apply(&mut lead, &mapped.values, &submission.stamp());
                if matches!(decision.action, Action::Reopen(_)) {
                    lead.status = LeadStatus::New;
                }
                lead.updated_at = lead.updated_at.max(submission.submitted_at);
                let moves = changes
                    .iter()
                    .any(|change| memory.strategy.fields.contains(&change.field));
                if moves {
                    memory.replace(lead, country);
                } else {
                    memory.leads.insert(id.clone(), lead);
                }
            }
            Some(memory.reached(id))
        }
        Action::Attach(id) => Some(memory.reached(id)),
        Action::None => None,
    };
    Outcome {
        status: decision.status,
        reason: decision.reason,
        lead,
    }
}

/// A lead that exists in memory only. Its identifier counts from 1: no real one is made of zeros.
fn blank_lead(submission: &Submission, index: usize) -> Lead {
    let number = u128::try_from(index).unwrap_or(u128::MAX).saturating_add(1);
    Lead {
        id: LeadId::new(Uuid::from_u128(number)),
        values: Default::default(),
        topic: topic(
            submission.form_name.as_deref(),
            submission.campaign_name.as_deref(),
        ),
        status: LeadStatus::New,
        source: submission.lead_type.into(),
        owner_id: UserId::new(Uuid::nil()),
        provenance: Provenance::new(),
        created_at: submission.submitted_at,
        updated_at: submission.submitted_at,
        first_submission_id: Some(submission.id.clone()),
        latest_submission_id: None,
        latest_submitted_at: None,
        submission_count: 0,
        account_id: None,
        form_id: submission.form_id.clone(),
        campaign_id: None,
        member_urn: None,
        lock_version: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::account::LeadType;
    use crate::domain::field_mapping::{MappedValue, WritePolicy};
    use crate::domain::ids::{MappingId, StrategyId};
    use crate::domain::lead::LeadField;
    use crate::domain::matching::OnMatchFail;
    use chrono::{DateTime, TimeDelta};

    const EMAIL: FieldKey = FieldKey::Standard(LeadField::Email);
    const PHONE: FieldKey = FieldKey::Standard(LeadField::Phone);

    fn strategy(fields: &[FieldKey]) -> MatchingStrategy {
        MatchingStrategy {
            id: StrategyId::new(Uuid::nil()),
            name: "Draft".to_owned(),
            fields: fields.to_vec(),
            is_active: false,
        }
    }

    fn submission(number: u128) -> Submission {
        Submission {
            id: SubmissionId::new(Uuid::from_u128(1_000 + number)),
            response_id: number.to_string(),
            submitted_at: DateTime::UNIX_EPOCH + TimeDelta::hours(i64::try_from(number).unwrap()),
            lead_type: LeadType::Sponsored,
            is_test: false,
            submitter: None,
            form_id: None,
            form_version: None,
            campaign_name: None,
            form_name: None,
            account_name: None,
            country: None,
            answers: Vec::new(),
            consent_responses: Vec::new(),
        }
    }

    fn mapped(values: &[(FieldKey, &str)]) -> MappedSubmission {
        MappedSubmission {
            values: values
                .iter()
                .map(|(field, value)| MappedValue {
                    field: field.clone(),
                    value: (*value).to_owned(),
                    policy: WritePolicy::Overwrite,
                    mapping_id: MappingId::new(Uuid::nil()),
                })
                .collect(),
            ..MappedSubmission::default()
        }
    }

    fn lead(number: u128, values: &[(FieldKey, &str)]) -> (Lead, Option<String>) {
        let mut lead = blank_lead(&submission(0), 0);
        lead.id = LeadId::new(Uuid::from_u128(9_000 + number));
        lead.values = values
            .iter()
            .map(|(field, value)| (field.clone(), (*value).to_owned()))
            .collect();
        (lead, None)
    }

    fn play(
        fields: &[FieldKey],
        settings: &MatchingSettings,
        leads: Vec<(Lead, Option<String>)>,
        answers: &[&[(FieldKey, &str)]],
    ) -> Vec<Outcome> {
        let submissions: Vec<(Submission, MappedSubmission)> = answers
            .iter()
            .enumerate()
            .map(|(index, values)| (submission(index as u128 + 1), mapped(values)))
            .collect();
        let arrivals: Vec<Arrival<'_>> = submissions
            .iter()
            .map(|(submission, mapped)| Arrival::Mapped(submission, mapped))
            .collect();
        let mapped = [EMAIL, PHONE].into_iter().collect();
        dry_run(&strategy(fields), settings, &mapped, leads, &arrivals)
    }

    #[test]
    fn each_submission_sees_what_the_ones_before_it_did() {
        let outcomes = play(
            &[EMAIL],
            &MatchingSettings::default(),
            vec![lead(1, &[(EMAIL, "ada@example.com")])],
            &[
                &[(EMAIL, "ADA@example.com")],
                &[(EMAIL, "bob@example.com")],
                &[(EMAIL, " bob@example.com ")],
                &[],
            ],
        );
        let made = ReachedLead::MadeBy(SubmissionId::new(Uuid::from_u128(1_002)));
        let known = ReachedLead::Known(LeadId::new(Uuid::from_u128(9_001)));
        let ends: Vec<_> = outcomes
            .iter()
            .map(|outcome| (outcome.status, outcome.lead.clone()))
            .collect();
        assert_eq!(
            ends,
            [
                (MatchingStatus::UpdatedExistingLead, Some(known)),
                (MatchingStatus::NewLeadCreated, Some(made.clone())),
                (MatchingStatus::UpdatedExistingLead, Some(made)),
                (MatchingStatus::MatchFailed, None),
            ]
        );
        let totals = Totals::of(&outcomes);
        assert_eq!((totals.created, totals.updated, totals.failed), (1, 2, 1));
    }

    #[test]
    fn some_fields_that_match_fail_or_create_by_the_setting() {
        let leads = || {
            vec![lead(
                1,
                &[(EMAIL, "ada@example.com"), (PHONE, "+491711234567")],
            )]
        };
        let answers: [&[(FieldKey, &str)]; 2] = [
            &[(EMAIL, "ada@example.com"), (PHONE, "+49 171 1234567")],
            &[(EMAIL, "ada@example.com"), (PHONE, "+49 171 7654321")],
        ];
        let mut settings = MatchingSettings::default();
        let ends = |settings: &MatchingSettings| -> Vec<SubmissionReason> {
            play(&[EMAIL, PHONE], settings, leads(), &answers)
                .iter()
                .map(|outcome| outcome.reason)
                .collect()
        };
        assert_eq!(
            ends(&settings),
            [
                SubmissionReason::Matched,
                SubmissionReason::PartialMatchIgnored
            ]
        );
        settings.on_match_fail = OnMatchFail::CreateNewLead;
        assert_eq!(
            ends(&settings),
            [
                SubmissionReason::Matched,
                SubmissionReason::PartialMatchCreated
            ]
        );
    }

    #[test]
    fn a_changed_value_is_compared_from_then_on() {
        // The second lead is found by its phone; its e-mail address becomes the new one, which the third one meets.
        let outcomes = play(
            &[PHONE],
            &MatchingSettings::default(),
            vec![lead(
                1,
                &[(PHONE, "+491711234567"), (EMAIL, "old@example.com")],
            )],
            &[
                &[(PHONE, "+491711234567"), (EMAIL, "new@example.com")],
                &[(PHONE, "0049 171 1234567")],
            ],
        );
        assert_eq!(Totals::of(&outcomes).updated, 2);
    }

    #[test]
    fn a_strategy_with_an_unmapped_field_and_unreadable_submissions_fail() {
        let one = submission(1);
        let values = mapped(&[(EMAIL, "ada@example.com")]);
        let outcomes = dry_run(
            &strategy(&[FieldKey::Standard(LeadField::City)]),
            &MatchingSettings::default(),
            &[EMAIL].into_iter().collect(),
            Vec::new(),
            &[
                Arrival::Mapped(&one, &values),
                Arrival::Unreadable(SubmissionReason::UnreadableAnswer),
            ],
        );
        let reasons: Vec<_> = outcomes.iter().map(|outcome| outcome.reason).collect();
        assert_eq!(
            reasons,
            [
                SubmissionReason::StrategyFieldUnmapped,
                SubmissionReason::UnreadableAnswer
            ]
        );
        assert_eq!(Totals::of(&outcomes).failed, 2);
    }
}
