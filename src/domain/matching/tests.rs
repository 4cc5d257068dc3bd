//! Table tests of matching: every row of product.md §4.

use chrono::{TimeZone as _, Utc};
use uuid::Uuid;

use super::*;
use crate::domain::field_mapping::{MappedValue, WritePolicy};
use crate::domain::ids::{MappingId, StrategyId};
use crate::domain::lead::LeadField;

pub(super) fn lead(n: u8) -> LeadId {
    LeadId::new(Uuid::from_u128(u128::from(n)))
}

pub(super) fn candidate(n: u8, status: LeadStatus, minute: i64) -> Candidate {
    Candidate {
        lead_id: lead(n),
        status,
        updated_at: Utc.timestamp_opt(1_790_000_000 + minute * 60, 0).unwrap(),
    }
}

fn open(n: u8) -> Candidate {
    candidate(n, LeadStatus::New, i64::from(n))
}

fn closed(n: u8) -> Candidate {
    candidate(n, LeadStatus::Qualified, i64::from(n))
}

pub(super) const EMAIL: FieldKey = FieldKey::Standard(LeadField::Email);
pub(super) const PHONE: FieldKey = FieldKey::Standard(LeadField::Phone);

/// Keys of e-mail and phone; `false` is no answer.
pub(super) fn input(email: bool, phone: bool) -> MatchInput {
    let key = |field: FieldKey, is_answered: bool| (field, is_answered.then(|| "key".to_owned()));
    MatchInput {
        keys: vec![key(EMAIL, email), key(PHONE, phone)],
    }
}

fn settings() -> MatchingSettings {
    MatchingSettings::default()
}

/// What a decision comes to, without what was compared.
fn outcome(decision: &Decision) -> (Action, MatchingStatus, SubmissionReason) {
    (decision.action.clone(), decision.status, decision.reason)
}

#[test]
fn every_row_of_the_outcome_table_is_decided_as_the_product_says() {
    use MatchingStatus::{
        LeadMatchedButNotUpdated, MatchFailed, NewLeadCreated, UpdatedExistingLead,
    };
    use SubmissionReason as R;
    let create_partial = || MatchingSettings {
        on_match_fail: OnMatchFail::CreateNewLead,
        ..settings()
    };
    let create_anyway = || MatchingSettings {
        no_match_answer: NoMatchAnswer::CreateAnyway,
        ..settings()
    };
    let recent = || MatchingSettings {
        several_match: SeveralMatch::MostRecentlyUpdated,
        ..settings()
    };
    let new_for_closed = || MatchingSettings {
        closed_lead: ClosedLead::CreateNew,
        ..settings()
    };
    let reopen = || MatchingSettings {
        closed_lead: ClosedLead::Reopen,
        ..settings()
    };
    let always = || MatchingSettings {
        always_create_lead: true,
        ..settings()
    };
    let both = || input(true, true);
    let partial = |n| vec![(EMAIL, lead(n))];
    type Row = (
        &'static str,
        MatchInput,
        Vec<Candidate>,
        Vec<(FieldKey, LeadId)>,
        MatchingSettings,
        (Action, MatchingStatus, SubmissionReason),
    );
    let rows: Vec<Row> = vec![
        // every field matches exactly one lead
        (
            "one full match",
            both(),
            vec![open(1)],
            vec![],
            settings(),
            (Action::Update(lead(1)), UpdatedExistingLead, R::Matched),
        ),
        (
            "one full match beside partial ones",
            both(),
            vec![open(1)],
            partial(2),
            settings(),
            (Action::Update(lead(1)), UpdatedExistingLead, R::Matched),
        ),
        (
            "the same lead given twice",
            both(),
            vec![open(1), open(1)],
            vec![],
            settings(),
            (Action::Update(lead(1)), UpdatedExistingLead, R::Matched),
        ),
        (
            "a contacted lead is open",
            both(),
            vec![candidate(1, LeadStatus::Contacted, 0)],
            vec![],
            settings(),
            (Action::Update(lead(1)), UpdatedExistingLead, R::Matched),
        ),
        // no field matches any lead
        (
            "no match",
            both(),
            vec![],
            vec![],
            settings(),
            (Action::Create, NewLeadCreated, R::NoLeadMatched),
        ),
        (
            "no match, whatever On Match fail says",
            both(),
            vec![],
            vec![],
            create_partial(),
            (Action::Create, NewLeadCreated, R::NoLeadMatched),
        ),
        // some fields match, not all
        (
            "partial match, ignore",
            both(),
            vec![],
            partial(2),
            settings(),
            (Action::None, MatchFailed, R::PartialMatchIgnored),
        ),
        (
            "partial match, create",
            both(),
            vec![],
            partial(2),
            create_partial(),
            (Action::Create, NewLeadCreated, R::PartialMatchCreated),
        ),
        (
            "each field matches another lead",
            both(),
            vec![],
            vec![(EMAIL, lead(1)), (PHONE, lead(2))],
            settings(),
            (Action::None, MatchFailed, R::PartialMatchIgnored),
        ),
        // a match field has no answer
        (
            "one field unanswered, the other matches",
            input(true, false),
            vec![],
            partial(2),
            settings(),
            (Action::None, MatchFailed, R::PartialMatchIgnored),
        ),
        (
            "one field unanswered, the other matches, create",
            input(true, false),
            vec![],
            partial(2),
            create_partial(),
            (Action::Create, NewLeadCreated, R::PartialMatchCreated),
        ),
        (
            "an unanswered field is never a full match",
            input(true, false),
            vec![open(1)],
            vec![],
            settings(),
            (Action::None, MatchFailed, R::PartialMatchIgnored),
        ),
        (
            "one field unanswered, the other matches nothing",
            input(true, false),
            vec![],
            vec![],
            settings(),
            (Action::Create, NewLeadCreated, R::NoLeadMatched),
        ),
        (
            "no field answered",
            input(false, false),
            vec![],
            vec![],
            settings(),
            (Action::None, MatchFailed, R::NoAnswerForMatchFields),
        ),
        (
            "no field answered, create anyway",
            input(false, false),
            vec![],
            vec![],
            create_anyway(),
            (Action::Create, NewLeadCreated, R::CreatedWithoutMatchAnswer),
        ),
        (
            "no field at all",
            MatchInput::default(),
            vec![],
            vec![],
            settings(),
            (Action::None, MatchFailed, R::NoAnswerForMatchFields),
        ),
        // several leads match fully
        (
            "several, never silently",
            both(),
            vec![open(1), open(2)],
            vec![],
            settings(),
            (Action::None, MatchFailed, R::SeveralLeadsMatch),
        ),
        (
            "several, most recent",
            both(),
            vec![open(2), open(1)],
            vec![],
            recent(),
            (
                Action::Update(lead(2)),
                UpdatedExistingLead,
                R::MostRecentOfSeveral,
            ),
        ),
        (
            "several of one instant, by id",
            both(),
            vec![
                candidate(5, LeadStatus::New, 0),
                candidate(4, LeadStatus::New, 0),
            ],
            vec![],
            recent(),
            (
                Action::Update(lead(5)),
                UpdatedExistingLead,
                R::MostRecentOfSeveral,
            ),
        ),
        (
            "several, one of them closed",
            both(),
            vec![open(1), closed(2)],
            vec![],
            settings(),
            (Action::None, MatchFailed, R::SeveralLeadsMatch),
        ),
        (
            "several, the most recent is closed",
            both(),
            vec![open(1), closed(2)],
            vec![],
            recent(),
            (
                Action::Attach(lead(2)),
                LeadMatchedButNotUpdated,
                R::ClosedLeadAttached,
            ),
        ),
        // the matching lead is closed
        (
            "closed, attach only",
            both(),
            vec![closed(1)],
            vec![],
            settings(),
            (
                Action::Attach(lead(1)),
                LeadMatchedButNotUpdated,
                R::ClosedLeadAttached,
            ),
        ),
        (
            "disqualified is closed",
            both(),
            vec![candidate(1, LeadStatus::Disqualified, 0)],
            vec![],
            settings(),
            (
                Action::Attach(lead(1)),
                LeadMatchedButNotUpdated,
                R::ClosedLeadAttached,
            ),
        ),
        (
            "closed, create new",
            both(),
            vec![closed(1)],
            vec![],
            new_for_closed(),
            (Action::Create, NewLeadCreated, R::ClosedLeadNew),
        ),
        (
            "closed, reopen",
            both(),
            vec![closed(1)],
            vec![],
            reopen(),
            (
                Action::Reopen(lead(1)),
                UpdatedExistingLead,
                R::ClosedLeadReopened,
            ),
        ),
        (
            "the lead that followed a closed one",
            both(),
            vec![closed(1), open(2)],
            vec![],
            new_for_closed(),
            (Action::Update(lead(2)), UpdatedExistingLead, R::Matched),
        ),
        (
            "several closed, create new",
            both(),
            vec![closed(1), closed(2)],
            vec![],
            new_for_closed(),
            (Action::Create, NewLeadCreated, R::ClosedLeadNew),
        ),
        (
            "several that followed a closed one",
            both(),
            vec![closed(1), open(2), open(3)],
            vec![],
            new_for_closed(),
            (Action::None, MatchFailed, R::SeveralLeadsMatch),
        ),
        // always create
        (
            "always create",
            both(),
            vec![open(1)],
            vec![],
            always(),
            (Action::Create, NewLeadCreated, R::AlwaysCreate),
        ),
        (
            "always create without answers",
            input(false, false),
            vec![],
            vec![],
            always(),
            (Action::Create, NewLeadCreated, R::AlwaysCreate),
        ),
    ];
    for (why, input, full, partial, settings, expected) in rows {
        let decision = decide(&input, &Candidates { full, partial }, &settings, None);
        assert_eq!(outcome(&decision), expected, "{why}");
    }
}

#[test]
fn a_submission_that_was_handled_never_makes_a_second_lead() {
    for always_create_lead in [false, true] {
        let settings = MatchingSettings {
            always_create_lead,
            ..settings()
        };
        let decision = decide(
            &input(true, true),
            &Candidates::default(),
            &settings,
            Some(lead(7)),
        );
        assert_eq!(decision.action, Action::Update(lead(7)));
        assert_eq!(decision.reason, SubmissionReason::HandledBefore);
    }
}

#[test]
fn a_decision_can_be_read_back_field_by_field() {
    let candidates = Candidates {
        full: vec![],
        partial: vec![(EMAIL, lead(3)), (EMAIL, lead(2)), (EMAIL, lead(3))],
    };
    let decision = decide(&input(true, true), &candidates, &settings(), None);
    let compared: Vec<_> = decision
        .compared
        .iter()
        .map(|c| (c.field.clone(), c.result, c.leads.clone()))
        .collect();
    assert_eq!(
        compared,
        [
            (EMAIL, ComparisonResult::Matches, vec![lead(2), lead(3)]),
            (PHONE, ComparisonResult::NoLead, vec![]),
        ]
    );
    let several = Candidates {
        full: vec![open(2), open(1)],
        partial: vec![],
    };
    let decision = decide(&input(true, true), &several, &settings(), None);
    assert_eq!(decision.candidates, [lead(1), lead(2)]);
    let json = serde_json::to_string(&decision).unwrap();
    assert_eq!(serde_json::from_str::<Decision>(&json).unwrap(), decision);
    let unanswered = decide(
        &input(true, false),
        &Candidates::default(),
        &settings(),
        None,
    );
    assert_eq!(unanswered.compared[1].result, ComparisonResult::NoAnswer);
}

#[test]
fn test_leads_are_kept_out_unless_the_setting_processes_them() {
    let process = MatchingSettings {
        test_leads: TestLeads::Process,
        ..settings()
    };
    let ignored = Decision::for_test_lead(true, &settings()).unwrap();
    assert_eq!(
        outcome(&ignored),
        (
            Action::None,
            MatchingStatus::MatchFailed,
            SubmissionReason::TestLeadIgnored
        )
    );
    assert_eq!(Decision::for_test_lead(true, &process), None);
    assert_eq!(Decision::for_test_lead(false, &settings()), None);
}

#[test]
fn the_input_takes_the_mapped_values_normalised() {
    let mapped = |field: FieldKey, value: &str, policy| MappedValue {
        field,
        value: value.to_owned(),
        policy,
        mapping_id: MappingId::new(Uuid::from_u128(1)),
    };
    let submission = MappedSubmission {
        values: vec![
            mapped(EMAIL, "append@example.com", WritePolicy::Append),
            mapped(EMAIL, " Ada@Example.COM", WritePolicy::Overwrite),
            mapped(PHONE, "030 901820", WritePolicy::FillIfEmpty),
        ],
        ..MappedSubmission::default()
    };
    let strategy = MatchingStrategy {
        id: StrategyId::new(Uuid::from_u128(1)),
        name: "s".to_owned(),
        fields: vec![EMAIL, FieldKey::Standard(LeadField::City), PHONE],
        is_active: true,
    };
    let input = MatchInput::new(&strategy, &submission, Some("DE"));
    let keys: Vec<_> = input.keys.iter().map(|(_, key)| key.as_deref()).collect();
    assert_eq!(keys, [Some("ada@example.com"), None, Some("+4930901820")]);
}

#[test]
fn every_reason_and_state_speaks_plainly() {
    for reason in SubmissionReason::ALL {
        assert!(reason.sentence().ends_with('.'), "{reason}");
    }
    for status in MatchingStatus::ALL {
        let is_open = *status == MatchingStatus::PendingLeadMatching;
        assert_eq!(
            status.processing_state() == crate::domain::submission::ProcessingState::Unprocessed,
            is_open
        );
    }
}
