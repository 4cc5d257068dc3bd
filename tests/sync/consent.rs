//! Consent withdrawn while the sync is at work: the run stops, no request follows with the old token, and LinkedIn is told.

use chrono::TimeDelta;
use leadgen::domain::connections::Setting;
use leadgen::domain::sync::RunStatus;
use leadgen::sandbox::{Fault, FaultKind};
use leadgen::store::audit::Actor;
use leadgen::store::connections;
use leadgen::store::leases::ClaimFilter;
use leadgen::sync::connect::ConnectError;
use leadgen::sync::revocations;
use leadgen::sync::scheduler::Step;

use crate::stage::Stage;

async fn withdraw(stage: &Stage) {
    let (user, now) = (stage.seller.clone(), stage.clock.now());
    stage
        .app
        .store()
        .write(move |conn| connections::withdraw_own(conn, &user, &Actor::command_line(), now))
        .await
        .unwrap();
}

/// A run at work whose requests for responses are slow.
async fn run_at_work(stage: &Stage) -> tokio::task::JoinHandle<Step> {
    // The profile first, so that only accounts are left.
    stage
        .app
        .scheduler()
        .run_due_once(&ClaimFilter::default())
        .await
        .unwrap();
    stage.sandbox.clear_requests();
    stage.sandbox.add_fault(
        Fault::new(FaultKind::SlowHeaders)
            .on("/rest/leadFormResponses")
            .seconds(1),
    );
    stage.step_that_asks().await
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_follows_the_current_one_when_the_consent_is_withdrawn_during_a_run() {
    let stage = Stage::connected(90).await;
    let run = run_at_work(&stage).await;
    withdraw(&stage).await;
    let stored = stage.stored().len();
    let asked = stage.asked("/rest/");
    let step = run.await.unwrap();
    assert!(
        matches!(
            step,
            Step::Ran {
                status: RunStatus::Abandoned,
                ..
            }
        ),
        "{step:?}"
    );
    // The one that was on its way may have arrived after the count.
    assert!(stage.asked("/rest/") <= asked + 1, "{asked}");
    assert_eq!(
        stage.stored().len(),
        stored,
        "a page was stored after the withdrawal"
    );
    assert_eq!(
        stage.texts("SELECT failure_reason FROM sync_runs WHERE status = 'abandoned'"),
        ["consent_withdrawn"]
    );
    assert_eq!(
        stage.texts("SELECT authorization_status FROM linkedin_user_profiles"),
        ["consent_withdrawn"]
    );
    let asked = stage.asked("/rest/");
    stage.sandbox.clear_faults();
    stage.make_due();
    stage.run().await;
    assert_eq!(stage.asked("/rest/"), asked, "LinkedIn was read again");
    assert!(stage.asked("/oauth/v2/revoke") > 0);
    assert_eq!(stage.number("SELECT count(*) FROM token_revocations"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_process_stops_its_run_too() {
    let stage = Stage::connected(90).await;
    let run = run_at_work(&stage).await;
    let other = stage.second_process();
    let now = stage.clock.now();
    let done = other
        .store()
        .write(move |conn| {
            let before = connections::get(conn)?;
            let to = (Setting::No, None);
            connections::save(conn, to, before.lock_version, &Actor::command_line(), now)
        })
        .await
        .unwrap();
    assert_eq!(done.profiles.len(), 1);
    assert!(!done.accounts.is_empty());
    let stored = stage.stored().len();
    run.await.unwrap();
    assert_eq!(stage.stored().len(), stored);
    assert!(matches!(
        stage
            .app
            .connector()
            .begin(&stage.seller, &stage.profile, "session")
            .await,
        Err(ConnectError::Refused(_))
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_that_says_disabled_reads_nothing() {
    let stage = Stage::connected(5).await;
    stage.sandbox.clear_requests();
    let hidden = stage.process_with(&[("LEADGEN_POLICY_SHOW_LINKEDIN", "disabled")]);
    stage.make_due();
    let steps = hidden
        .scheduler()
        .run_until_idle(&ClaimFilter::default())
        .await
        .unwrap();
    assert!(steps.is_empty(), "{steps:?}");
    assert_eq!(stage.asked(""), 0);
    stage.run().await;
    stage.assert_complete();
}

#[tokio::test(flavor = "multi_thread")]
async fn revoking_is_tried_again_while_linkedin_is_away_and_the_token_is_erased_in_any_case() {
    let stage = Stage::connected(5).await;
    stage
        .sandbox
        .add_fault(Fault::new(FaultKind::Status500).on("/oauth/v2/revoke"));
    withdraw(&stage).await;
    assert_eq!(stage.number("SELECT count(*) FROM linkedin_tokens"), 0);
    let ctx = stage.app.scheduler().context().clone();
    assert_eq!(revocations::run_due(&ctx).await.unwrap(), 0);
    assert_eq!(
        stage.texts("SELECT CAST(attempts AS TEXT) FROM token_revocations"),
        ["1"]
    );
    // Not due again yet.
    assert_eq!(revocations::run_due(&ctx).await.unwrap(), 0);
    assert_eq!(
        stage.texts("SELECT CAST(attempts AS TEXT) FROM token_revocations"),
        ["1"]
    );
    stage.sandbox.clear_faults();
    let due = "UPDATE token_revocations SET next_attempt_at = '2000-01-01 00:00:00'";
    stage.database.execute(due);
    assert_eq!(revocations::run_due(&ctx).await.unwrap(), 1);
    assert_eq!(stage.number("SELECT count(*) FROM token_revocations"), 0);
    // The last attempt ends it, whatever LinkedIn says.
    stage
        .sandbox
        .add_fault(Fault::new(FaultKind::Status500).on("/oauth/v2/revoke"));
    stage.advance(TimeDelta::minutes(1));
    stage.database.execute(&format!(
        "INSERT INTO token_revocations (id, profile_id, source_table, access_token, attempts, next_attempt_at, created_at) \
         SELECT 'one', id, 'linkedin_tokens', {}, 11, '2000-01-01 00:00:00', created_at FROM linkedin_user_profiles",
        match stage.database.system() {
            crate::support::System::Sqlite => "x'00'",
            crate::support::System::Postgres => "'\\x00'::bytea",
        }
    ));
    assert_eq!(revocations::run_due(&ctx).await.unwrap(), 0);
    assert_eq!(stage.number("SELECT count(*) FROM token_revocations"), 0);
    assert_eq!(
        stage.texts(
            "SELECT action FROM audit_entries WHERE action LIKE '%token_%' ORDER BY created_at, id"
        ),
        [
            "linkedin_user_profile.token_revoked",
            "linkedin_user_profile.token_erased"
        ]
    );
}
