//! Paging, late leads, versions of forms, and who may read what.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use leadgen::domain::sync::RunStatus;
use leadgen::sandbox::{Fault, FaultKind, Settings, Submission, TruthFilter};
use leadgen::sync::scheduler::Step;

use crate::stage::{Stage, small};

const RESPONSES: &str = "/rest/leadFormResponses";

#[tokio::test(flavor = "multi_thread")]
async fn the_first_sync_takes_everything_and_the_second_one_nothing_new() {
    let stage = Stage::connected(90).await;
    stage.run().await;
    stage.assert_complete();
    assert!(stage.number("SELECT count(*) FROM leads") > 30);
    let before = stage.dump();
    stage.advance(TimeDelta::minutes(10));
    for step in stage.run_again().await {
        assert!(!matches!(
            step,
            Step::Ran {
                status: RunStatus::Abandoned,
                ..
            }
        ));
    }
    assert_eq!(stage.dump(), before);
    // Every kind of synced data was written under the identity of the sync.
    for action in [
        "linkedin_accounts.synchronized",
        "lead_forms.synchronized",
        "campaigns.synchronized",
        "form_submissions.synchronized",
    ] {
        assert!(
            stage.number(&format!(
                "SELECT count(*) FROM audit_entries WHERE action = '{action}' AND actor_kind = 's2s_inbound'"
            )) > 0,
            "{action}"
        );
    }
    // Event leads of a page where the member is only an analyst are never asked for.
    let event = |request: &leadgen::sandbox::RequestRecord| {
        request.query.contains("EVENT") && request.path == RESPONSES
    };
    let asked: Vec<_> = stage.sandbox.requests().into_iter().filter(event).collect();
    assert!(!asked.is_empty() && asked.iter().all(|request| request.status == 200));
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_in_either_order_with_odd_paging_lose_and_double_nothing() {
    for newest_first in [true, false] {
        for kind in [
            None,
            Some(FaultKind::InsertBetweenPages),
            Some(FaultKind::DupItems),
            Some(FaultKind::ReverseItems),
            Some(FaultKind::ShiftPage),
            Some(FaultKind::WrongTotal),
            Some(FaultKind::NegativeTotal),
            Some(FaultKind::MissingTotal),
            Some(FaultKind::MisleadingNext),
        ] {
            // What an answer says about itself does not depend on the order.
            let says_only = matches!(
                kind,
                Some(
                    FaultKind::WrongTotal
                        | FaultKind::NegativeTotal
                        | FaultKind::MissingTotal
                        | FaultKind::MisleadingNext
                )
            );
            if says_only && !newest_first {
                continue;
            }
            let settings = Settings {
                newest_first,
                page_cap: 5,
                ..Settings::default()
            };
            let stage = Stage::with(40, small(), settings).await;
            stage.connect().await;
            if let Some(kind) = kind {
                stage
                    .sandbox
                    .add_fault(Fault::new(kind).on(RESPONSES).times(12));
            }
            stage.run().await;
            stage.sandbox.clear_faults();
            stage.advance(TimeDelta::minutes(5));
            stage.run_again().await;
            println!("newest first {newest_first}, {kind:?}");
            stage.assert_complete();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn late_leads_are_found_within_the_overlap_at_once_and_beyond_it_by_the_sweep() {
    let stage = Stage::connected(30).await;
    stage.run().await;
    let late = |hours: i64| Submission {
        account: Some(stage.ad_account(0)),
        submitted_at_ms: Some((stage.clock.now() - TimeDelta::hours(hours)).timestamp_millis()),
        ..Submission::default()
    };
    let newest = stage.sandbox.submit(&late(0)).unwrap();
    stage.advance(TimeDelta::minutes(5));
    stage.run_again().await;
    assert!(stage.stored().contains(&newest));
    let near = stage.sandbox.submit(&late(20)).unwrap();
    let far = stage.sandbox.submit(&late(24 * 40)).unwrap();
    stage.advance(TimeDelta::minutes(5));
    stage.run_again().await;
    let stored = stage.stored();
    assert!(stored.contains(&near) && !stored.contains(&far));
    stage.advance(TimeDelta::hours(25));
    stage.run_again().await;
    assert!(stage.stored().contains(&far));
    stage.assert_complete();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_hours_behind_linkedins_hides_no_lead() {
    let stage = Stage::connected(20).await;
    stage.sandbox.advance(TimeDelta::hours(5));
    let new = stage.sandbox.submit(&Submission::default()).unwrap();
    stage.sandbox.advance(TimeDelta::minutes(1));
    stage.run().await;
    assert!(stage.stored().contains(&new));
    stage.assert_complete();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_repeats_a_page_is_told_and_nothing_is_skipped_afterwards() {
    let stage = Stage::connected(60).await;
    let account = stage.ad_account(0);
    stage.sandbox.add_fault(
        Fault::new(FaultKind::RepeatPage)
            .on(RESPONSES)
            .owner(account),
    );
    for _ in 0..3 {
        stage.run_again().await;
        assert_eq!(stage.reason_of(account).as_deref(), Some("page_repeated"));
        assert_eq!(
            stage.texts(&format!(
                "SELECT s.window_offset FROM account_streams s JOIN linkedin_accounts a ON a.id = s.account_id
                 WHERE a.linkedin_id = {account} AND s.lead_type = 'sponsored' AND s.is_test = FALSE"
            )),
            ["0"],
            "offsets of such a server are worth nothing"
        );
    }
    stage.sandbox.clear_faults();
    stage.run_again().await;
    assert_eq!(stage.reason_of(account), None);
    stage.assert_complete();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_read_with_the_version_of_the_form_that_it_answered() {
    let stage = Stage::connected(40).await;
    stage.run().await;
    let form = stage
        .sandbox
        .forms()
        .into_iter()
        .find(|form| {
            form.questions
                .iter()
                .any(|question| question.options.len() > 1)
        })
        .unwrap();
    let old = stage
        .sandbox
        .submit(&Submission {
            form_id: Some(form.id),
            ..Submission::default()
        })
        .unwrap();
    let number = stage.sandbox.edit_form(form.id).unwrap();
    let new = stage
        .sandbox
        .submit(&Submission {
            form_id: Some(form.id),
            ..Submission::default()
        })
        .unwrap();
    stage.advance(TimeDelta::minutes(5));
    stage.run_again().await;
    let version = |response: &str| {
        stage.number(&format!(
            "SELECT v.version_number FROM form_submissions s JOIN lead_form_versions v ON v.id = s.form_version_id WHERE s.response_id = '{response}'"
        ))
    };
    assert_eq!((version(&old), version(&new)), (number - 1, number));
    stage.assert_complete();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_cannot_be_read_leaves_its_answers_pending_until_it_can() {
    let stage = Stage::connected(40).await;
    // Old versions are read from one of their responses: `/rest/leadFormResponses/{id}`.
    stage
        .sandbox
        .add_fault(Fault::new(FaultKind::Status500).on("/rest/leadFormResponses/"));
    stage.run().await;
    let pending = "SELECT count(*) FROM form_submissions WHERE processing_state = 'unprocessed' AND reason = 'form_version_unknown'";
    assert!(stage.number(pending) > 0);
    stage.sandbox.clear_faults();
    stage.run_again().await;
    assert_eq!(stage.number(pending), 0);
    stage.assert_complete();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_becomes_known_late_takes_up_the_answers_that_were_given_up() {
    let stage = Stage::connected(40).await;
    stage
        .sandbox
        .add_fault(Fault::new(FaultKind::Status500).on("/rest/leadFormResponses/"));
    for _ in 0..6 {
        stage.run_again().await;
    }
    let given_up = "SELECT count(*) FROM form_submissions WHERE matching_status = 'lead_creation_failed' AND reason = 'form_version_unknown'";
    assert!(stage.number(given_up) > 0);
    assert_eq!(
        stage
            .number("SELECT count(*) FROM form_submissions WHERE processing_state = 'unprocessed'"),
        0
    );
    stage.sandbox.clear_faults();
    // The daily sweep reads the versions, the start of the next run decides.
    stage.advance(TimeDelta::hours(25));
    stage.run_again().await;
    stage.run_again().await;
    assert_eq!(
        stage.number("SELECT count(*) FROM form_submissions WHERE reason = 'form_version_unknown'"),
        0
    );
    stage.assert_complete();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_seen_through_two_profiles_is_read_through_the_one_with_more_rights() {
    let stage = Stage::new(30).await;
    let second = leadgen::domain::ids::ProfileId::new(uuid::Uuid::now_v7());
    leadgen::store::profiles::insert(
        &mut stage.database.conn(),
        &second,
        "The other profile",
        &stage.seller,
        stage.clock.now(),
    )
    .unwrap();
    // Grace manages forms of the page and may not read its event leads; Ada administers it.
    stage.connect_profile(&second, 1).await;
    stage.run().await;
    stage.connect().await;
    stage.run_again().await;
    stage.assert_complete();
    assert_eq!(
        stage.number("SELECT count(*) - count(DISTINCT linkedin_id) FROM linkedin_accounts"),
        0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_that_lose_items_while_leads_arrive_late_and_others_are_deleted_end_complete() {
    let stage = Stage::connected(150).await;
    let account = stage.ad_account(0);
    let fault = |kind| Fault::new(kind).on(RESPONSES).owner(account);
    stage.sandbox.add_fault(fault(FaultKind::DropItem).times(2));
    stage
        .sandbox
        .add_fault(fault(FaultKind::InsertBetweenPages).times(1));
    stage
        .sandbox
        .add_fault(fault(FaultKind::LateLeads).times(1));
    // Some are gone before they were read: pages that come after them begin earlier.
    let readable = || TruthFilter {
        readable: true,
        account: Some(account),
        ..TruthFilter::default()
    };
    let before = stage.sandbox.truth(readable());
    for one in before.iter().step_by(20) {
        assert!(stage.sandbox.delete_response(&one.id));
    }
    stage.run().await;
    stage.sandbox.clear_faults();
    // Others are gone after they were read; what was stored stays.
    let stored = stage.stored();
    let kept = stored
        .iter()
        .find(|id| before.iter().any(|one| one.id == **id))
        .unwrap()
        .clone();
    assert!(stage.sandbox.delete_response(&kept));
    stage.advance(TimeDelta::minutes(5));
    stage.run_again().await;
    // What a page lost beyond the overlap is found by the sweep.
    stage.advance(TimeDelta::hours(25));
    stage.run_again().await;
    let truth: BTreeSet<String> = stage
        .sandbox
        .truth(TruthFilter {
            readable: true,
            ..TruthFilter::default()
        })
        .into_iter()
        .map(|one| one.id)
        .collect();
    let stored = stage.stored();
    let distinct: BTreeSet<String> = stored.iter().cloned().collect();
    assert_eq!(stored.len(), distinct.len(), "something is doubled");
    let missing: Vec<_> = truth.difference(&distinct).collect();
    assert!(missing.is_empty(), "missing {missing:?}");
    let foreign: Vec<_> = distinct.difference(&truth).cloned().collect();
    assert_eq!(foreign, [kept]);
    let faults: BTreeSet<String> = stage
        .sandbox
        .requests()
        .into_iter()
        .filter_map(|request| request.fault)
        .collect();
    for played in ["drop-item", "insert-between-pages", "late-leads"] {
        assert!(faults.contains(played), "{played} in {faults:?}");
    }
}
