//! One account, one worker: a lost lease writes nothing, abandoned runs are closed, a stop ends at the next page.

use std::time::Duration;

use chrono::TimeDelta;
use leadgen::domain::ids::AccountId;
use leadgen::domain::sync::{FailureReason, RunStatus};
use leadgen::sandbox::{Fault, FaultKind, Submission};
use leadgen::store::audit::Actor;
use leadgen::store::leases::ClaimFilter;
use leadgen::store::pauses;
use leadgen::sync::reset;
use leadgen::sync::scheduler::Step;
use tokio::sync::watch;

use crate::stage::Stage;
use crate::support::eventually;

/// Only the first ad account is due.
fn only_first_account_due(stage: &Stage) {
    let account = stage.ad_account(0);
    stage.database.execute(&format!(
        "UPDATE linkedin_user_profiles SET next_sync_at = '2099-01-01 00:00:00';
         UPDATE linkedin_accounts SET next_sync_at = '2099-01-01 00:00:00';
         UPDATE linkedin_accounts SET next_sync_at = '2020-01-01 00:00:00' WHERE linkedin_id = {account}"
    ));
}

/// Begins a run of the first ad account whose answers are slow, and waits until it asks.
async fn slow_run(stage: &Stage) -> tokio::task::JoinHandle<Step> {
    only_first_account_due(stage);
    stage.sandbox.clear_requests();
    stage.sandbox.add_fault(
        Fault::new(FaultKind::SlowHeaders)
            .on("/rest/leadFormResponses")
            .seconds(3)
            .times(1),
    );
    stage.step_that_asks().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_was_taken_over_writes_nothing_more() {
    let stage = Stage::connected(40).await;
    stage.run().await;
    let new = stage
        .sandbox
        .submit(&Submission {
            account: Some(stage.ad_account(0)),
            ..Submission::default()
        })
        .unwrap();
    stage.advance(TimeDelta::minutes(1));
    let run = slow_run(&stage).await;
    stage.database.execute(
        "UPDATE linkedin_accounts SET lease_term = lease_term + 1, lease_owner = 'another' WHERE lease_owner IS NOT NULL",
    );
    let step = run.await.unwrap();
    assert!(
        matches!(
            step,
            Step::Ran {
                status: RunStatus::Abandoned,
                failure: Some(FailureReason::LeaseLost),
                ..
            }
        ),
        "{step:?}"
    );
    assert!(!stage.stored().contains(&new));
    // The other one dies; whoever comes next closes its run and has everything.
    stage
        .database
        .execute("UPDATE linkedin_accounts SET lease_expires_at = '2020-01-01 00:00:00' WHERE lease_owner IS NOT NULL");
    stage.run_again().await;
    assert_eq!(
        stage.number("SELECT count(*) FROM sync_runs WHERE status = 'abandoned' AND failure_reason = 'lease_lost' AND finished_at IS NOT NULL"),
        1
    );
    assert_eq!(
        stage.number("SELECT count(*) FROM sync_runs WHERE status = 'running'"),
        0
    );
    stage.assert_complete();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_during_a_run_is_not_undone_by_it() {
    let stage = Stage::connected(40).await;
    stage.run().await;
    let run = slow_run(&stage).await;
    let now = stage.clock.now();
    stage
        .app
        .store()
        .write(move |conn| reset::request(conn, &Actor::command_line(), now))
        .await
        .unwrap();
    assert!(matches!(
        run.await.unwrap(),
        Step::Ran {
            status: RunStatus::Abandoned,
            ..
        }
    ));
    stage.sandbox.clear_requests();
    stage.run().await;
    assert!(
        stage
            .sandbox
            .requests()
            .iter()
            .any(|request| request.query.contains("start=21")),
        "the whole history is read again"
    );
    stage.assert_complete();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_during_a_run_ends_it_and_resuming_goes_on_where_it_stopped() {
    let stage = Stage::connected(40).await;
    stage.run().await;
    let new = stage
        .sandbox
        .submit(&Submission {
            account: Some(stage.ad_account(0)),
            ..Submission::default()
        })
        .unwrap();
    stage.advance(TimeDelta::minutes(1));
    let run = slow_run(&stage).await;
    let now = stage.clock.now();
    let account: AccountId = stage
        .texts(&format!(
            "SELECT id FROM linkedin_accounts WHERE linkedin_id = {}",
            stage.ad_account(0)
        ))
        .remove(0)
        .parse()
        .unwrap();
    let paused = account.clone();
    stage
        .app
        .store()
        .write(move |conn| pauses::insert(conn, &paused, &Actor::command_line(), "", now))
        .await
        .unwrap();
    assert!(matches!(
        run.await.unwrap(),
        Step::Ran {
            status: RunStatus::Abandoned,
            ..
        }
    ));
    stage.run_again().await;
    assert!(!stage.stored().contains(&new), "a paused account was read");
    stage
        .app
        .store()
        .write(move |conn| pauses::delete(conn, &account))
        .await
        .unwrap();
    stage.run_again().await;
    assert!(stage.stored().contains(&new));
    stage.assert_complete();
    // Every request to the API was counted, by its resource.
    let counted = stage.number(
        "SELECT CAST(sum(calls) AS BIGINT) FROM api_calls WHERE endpoint = 'leadFormResponses' AND day = '2026-11-21'",
    );
    assert!(counted > 0, "{counted}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_ends_a_run_at_its_next_page_and_gives_the_lease_back() {
    let stage = Stage::connected(90).await;
    // The profile first, so that only accounts are left.
    stage
        .app
        .scheduler()
        .run_due_once(&ClaimFilter::default())
        .await
        .unwrap();
    stage.sandbox.add_fault(
        Fault::new(FaultKind::SlowHeaders)
            .on("/rest/leadFormResponses")
            .seconds(1),
    );
    let (stop, stopped) = watch::channel(false);
    let scheduler = stage.app.scheduler();
    let running = tokio::spawn(async move { scheduler.run_forever(stopped).await });
    eventually("pages are read", Duration::from_secs(15), || {
        let read = stage.asked("leadFormResponses") > 2;
        async move { read }
    })
    .await;
    stop.send(true).unwrap();
    tokio::time::timeout(Duration::from_secs(9), running)
        .await
        .expect("in time")
        .unwrap();
    assert_eq!(
        stage.number("SELECT count(*) FROM linkedin_accounts WHERE lease_owner IS NOT NULL"),
        0
    );
    assert_eq!(
        stage.number("SELECT count(*) FROM sync_runs WHERE status = 'running'"),
        0
    );
    stage.sandbox.clear_faults();
    let other = stage.second_process();
    stage.make_due();
    other
        .scheduler()
        .run_until_idle(&ClaimFilter::default())
        .await
        .unwrap();
    stage.assert_complete();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_never_work_on_the_same_account_at_once() {
    let stage = Stage::connected(60).await;
    let other = stage.second_process();
    let (one, two) = (stage.app.scheduler(), other.scheduler());
    let filter = ClaimFilter::default();
    let (a, b) = tokio::join!(one.run_until_idle(&filter), two.run_until_idle(&filter));
    a.unwrap();
    b.unwrap();
    stage.run().await;
    stage.assert_complete();
    assert_eq!(
        stage.number("SELECT count(*) FROM sync_runs WHERE status = 'abandoned'"),
        0
    );
    // Nothing was read twice: each response was new once and known never.
    assert_eq!(
        stage.number("SELECT sum(submissions_known) FROM sync_runs"),
        0
    );
}
