//! Property tests of matching: any order of candidates and fields gives the same decision.

use proptest::prelude::*;

use super::tests::{EMAIL, PHONE, candidate, input, lead};
use super::*;

fn any_settings() -> impl Strategy<Value = MatchingSettings> {
    (any::<bool>(), any::<bool>(), 0_usize..3, any::<bool>()).prop_map(
        |(partial, several, closed, answer)| MatchingSettings {
            on_match_fail: OnMatchFail::ALL[usize::from(partial)],
            several_match: SeveralMatch::ALL[usize::from(several)],
            closed_lead: ClosedLead::ALL[closed],
            no_match_answer: NoMatchAnswer::ALL[usize::from(answer)],
            ..MatchingSettings::default()
        },
    )
}

fn any_candidates() -> impl Strategy<Value = Candidates> {
    let full =
        proptest::collection::btree_map(0_u8..6, (0_usize..4, 0_i64..3), 0..4).prop_map(|leads| {
            leads
                .into_iter()
                .map(|(n, (status, minute))| candidate(n, LeadStatus::ALL[status], minute))
                .collect::<Vec<_>>()
        });
    let partial = proptest::collection::vec((any::<bool>(), 0_u8..6), 0..5).prop_map(|pairs| {
        pairs
            .into_iter()
            .map(|(is_email, n)| (if is_email { EMAIL } else { PHONE }, lead(n)))
            .collect::<Vec<_>>()
    });
    (full, partial).prop_map(|(full, partial)| Candidates { full, partial })
}

proptest! {
    #[test]
    fn the_order_of_candidates_and_fields_does_not_matter(
        email in any::<bool>(),
        phone in any::<bool>(),
        settings in any_settings(),
        (candidates, shuffled) in any_candidates().prop_flat_map(|candidates| {
            let full = Just(candidates.full.clone()).prop_shuffle();
            let partial = Just(candidates.partial.clone()).prop_shuffle();
            (Just(candidates), (full, partial).prop_map(|(full, partial)| Candidates { full, partial }))
        }),
    ) {
        let forwards = input(email, phone);
        let mut backwards = forwards.clone();
        backwards.keys.reverse();
        let first = decide(&forwards, &candidates, &settings, None);
        let mut second = decide(&backwards, &shuffled, &settings, None);
        second.compared.reverse();
        prop_assert_eq!(first, second);
    }

    #[test]
    fn a_lead_is_touched_only_if_it_matches_fully(
        email in any::<bool>(),
        phone in any::<bool>(),
        settings in any_settings(),
        candidates in any_candidates(),
    ) {
        let decision = decide(&input(email, phone), &candidates, &settings, None);
        if let Action::Update(id) | Action::Reopen(id) | Action::Attach(id) = &decision.action {
            prop_assert!(email && phone);
            prop_assert!(candidates.full.iter().any(|candidate| candidate.lead_id == *id));
        }
        let makes = matches!(decision.action, Action::Create);
        prop_assert_eq!(makes, decision.status == MatchingStatus::NewLeadCreated);
        prop_assert_eq!(decision.action == Action::None, decision.status == MatchingStatus::MatchFailed);
    }
}
