//! What a person decides in place of the rules, still by the settings for closed leads and never doubling a lead.

use super::{
    Action, Candidate, Candidates, ClosedLead, Decision, MAX_SHOWN, MatchInput, MatchingSettings,
    compare, decide_full,
};
use crate::domain::ids::LeadId;
use crate::domain::submission::{MatchingStatus, SubmissionReason};

/// What a person chose for a submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PersonsChoice {
    /// It belongs to this lead.
    Lead(Candidate),
    /// It is a lead of its own.
    NewLead,
}

/// Decides as the person chose.
///
/// `already` is the lead that this submission belongs to: it stays there. A chosen lead that is closed is reopened only
/// where the setting says so, else the submission is attached. A new lead is not made where exactly one lead matches
/// fully by now: that one is meant, and a second one would double it.
#[must_use]
pub fn decide_by_person(
    choice: &PersonsChoice,
    input: &MatchInput,
    candidates: &Candidates,
    settings: &MatchingSettings,
    already: Option<LeadId>,
) -> Decision {
    if let Some(lead) = already {
        return Decision::without_comparison(
            Action::Update(lead),
            MatchingStatus::UpdatedExistingLead,
            SubmissionReason::HandledBefore,
        );
    }
    let by_person = SubmissionReason::DecidedByPerson;
    let (action, status, reason) = match choice {
        PersonsChoice::Lead(lead) if !lead.status.is_closed() => (
            Action::Update(lead.lead_id.clone()),
            MatchingStatus::UpdatedExistingLead,
            by_person,
        ),
        PersonsChoice::Lead(lead) if settings.closed_lead == ClosedLead::Reopen => (
            Action::Reopen(lead.lead_id.clone()),
            MatchingStatus::UpdatedExistingLead,
            by_person,
        ),
        PersonsChoice::Lead(lead) => (
            Action::Attach(lead.lead_id.clone()),
            MatchingStatus::LeadMatchedButNotUpdated,
            by_person,
        ),
        PersonsChoice::NewLead => {
            let is_complete =
                !input.keys.is_empty() && input.keys.iter().all(|(_, key)| key.is_some());
            match candidates.full.as_slice() {
                [only] if is_complete && !settings.always_create_lead => {
                    decide_full(std::iter::once(only), settings)
                }
                _ => (Action::Create, MatchingStatus::NewLeadCreated, by_person),
            }
        }
    };
    let mut shown: Vec<LeadId> = candidates
        .full
        .iter()
        .map(|candidate| candidate.lead_id.clone())
        .collect();
    shown.sort();
    shown.truncate(MAX_SHOWN);
    Decision {
        action,
        status,
        reason,
        compared: compare(input, candidates),
        candidates: shown,
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use uuid::Uuid;

    use super::*;
    use crate::domain::lead::{FieldKey, LeadField, LeadStatus};

    fn lead(number: u128, status: LeadStatus) -> Candidate {
        Candidate {
            lead_id: LeadId::new(Uuid::from_u128(number)),
            status,
            updated_at: DateTime::UNIX_EPOCH,
        }
    }

    fn input(key: Option<&str>) -> MatchInput {
        MatchInput {
            keys: vec![(FieldKey::from(LeadField::Email), key.map(str::to_owned))],
        }
    }

    fn found(full: Vec<Candidate>) -> Candidates {
        Candidates {
            full,
            partial: Vec::new(),
        }
    }

    fn choose(
        choice: &PersonsChoice,
        full: Vec<Candidate>,
        settings: &MatchingSettings,
    ) -> Decision {
        decide_by_person(choice, &input(Some("a@b.c")), &found(full), settings, None)
    }

    #[test]
    fn a_chosen_lead_is_updated_or_if_closed_treated_as_the_setting_says() {
        let settings = MatchingSettings::default();
        let open = PersonsChoice::Lead(lead(1, LeadStatus::Contacted));
        let decision = choose(&open, vec![], &settings);
        assert_eq!(
            decision.action,
            Action::Update(lead(1, LeadStatus::New).lead_id)
        );
        assert_eq!(decision.reason, SubmissionReason::DecidedByPerson);
        let closed = PersonsChoice::Lead(lead(1, LeadStatus::Qualified));
        for (setting, status, reopens) in [
            (
                ClosedLead::AttachOnly,
                MatchingStatus::LeadMatchedButNotUpdated,
                false,
            ),
            (
                ClosedLead::CreateNew,
                MatchingStatus::LeadMatchedButNotUpdated,
                false,
            ),
            (
                ClosedLead::Reopen,
                MatchingStatus::UpdatedExistingLead,
                true,
            ),
        ] {
            let settings = MatchingSettings {
                closed_lead: setting,
                ..MatchingSettings::default()
            };
            let decision = choose(&closed, vec![], &settings);
            assert_eq!(decision.status, status, "{setting}");
            assert_eq!(matches!(decision.action, Action::Reopen(_)), reopens);
        }
    }

    #[test]
    fn a_new_lead_is_made_unless_exactly_one_lead_matches_fully_by_now() {
        let settings = MatchingSettings::default();
        let new = PersonsChoice::NewLead;
        for (full, creates) in [
            (vec![], true),
            (vec![lead(1, LeadStatus::New)], false),
            (
                vec![lead(1, LeadStatus::New), lead(2, LeadStatus::New)],
                true,
            ),
        ] {
            let decision = choose(&new, full, &settings);
            assert_eq!(decision.action == Action::Create, creates);
        }
        let nothing = decide_by_person(&new, &input(None), &found(vec![]), &settings, None);
        assert_eq!(nothing.action, Action::Create);
    }

    #[test]
    fn a_submission_that_has_its_lead_stays_there() {
        let has = lead(7, LeadStatus::New).lead_id;
        let decision = decide_by_person(
            &PersonsChoice::NewLead,
            &input(None),
            &found(vec![]),
            &MatchingSettings::default(),
            Some(has.clone()),
        );
        assert_eq!(decision.action, Action::Update(has));
    }
}
