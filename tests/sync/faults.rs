//! The fault matrix of LinkedIn's API: each fault is told under its reason, moves no cursor and loses nothing.

use std::time::Duration;

use chrono::TimeDelta;
use leadgen::sandbox::{Fault, FaultKind, Submission};
use leadgen::store::leases::ClaimFilter;
use tokio::sync::watch;

use crate::stage::{Stage, small};
use crate::support::eventually;

const RESPONSES: &str = "/rest/leadFormResponses";

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_is_told_under_its_reason_and_the_next_clean_run_has_everything() {
    use FaultKind as K;
    let stage = Stage::connected(60).await;
    let account = stage.ad_account(0);
    stage.run().await;
    let cursor = "SELECT COALESCE(CAST(watermark_at AS TEXT), '') || '|' || CAST(window_offset AS TEXT) FROM account_streams ORDER BY account_id, lead_type, is_test";
    for (kind, reason) in [
        (K::RateLimitBare, "rate_limited"),
        (K::RateLimitGarbage, "rate_limited"),
        (K::RateLimitSeconds, "rate_limited"),
        (K::RateLimitDate, "rate_limited"),
        (K::RateLimitDayApplication, "daily_limit_reached"),
        (K::RateLimitDayMember, "daily_limit_reached"),
        (K::Status500, "linkedin_error"),
        (K::Status502, "linkedin_error"),
        (K::Status503, "linkedin_error"),
        (K::Status504, "linkedin_error"),
        (K::Reset, "linkedin_unreachable"),
        (K::Close, "linkedin_unreachable"),
        (K::LostAnswer, "linkedin_unreachable"),
        (K::Hang, "linkedin_timeout"),
        (K::SlowHeaders, "linkedin_timeout"),
        (K::SlowBody, "linkedin_timeout"),
        (K::Truncate, "unexpected_answer"),
        (K::CutJson, "unexpected_answer"),
        (K::GarbageJson, "unexpected_answer"),
        (K::Html, "unexpected_answer"),
        (K::WrongType, "unexpected_answer"),
        (K::EmptyBody, "unexpected_answer"),
        (K::GzipLie, "unexpected_answer"),
        (K::Oversized, "unexpected_answer"),
        (K::Redirect, "unexpected_answer"),
        (K::Unauthorized, "permission_missing"),
        (K::Forbidden, "forbidden"),
        (K::NotFound, "not_found"),
        (K::VersionNotActive, "version_not_active"),
    ] {
        let new = stage
            .sandbox
            .submit(&Submission {
                account: Some(account),
                ..Submission::default()
            })
            .unwrap();
        stage.advance(TimeDelta::minutes(5));
        let before = stage.texts(cursor);
        let asked_before = stage.asked("");
        stage.sandbox.add_fault(
            Fault::new(kind)
                .on(RESPONSES)
                .owner(account)
                .seconds(if reason.contains("limit") { 600 } else { 5 }),
        );
        stage.run_again().await;
        assert_eq!(
            stage.reason_of(account).as_deref(),
            Some(reason),
            "{kind:?}"
        );
        assert_eq!(stage.texts(cursor), before, "{kind:?} moved a cursor");
        assert!(!stage.stored().contains(&new), "{kind:?}");
        assert!(
            stage.number(&format!(
                "SELECT count(*) FROM linkedin_accounts WHERE linkedin_id = {account} AND next_sync_at IS NOT NULL AND failure_streak > 0"
            )) == 1,
            "{kind:?} has a next attempt"
        );
        assert!(stage.asked("") - asked_before < 80, "{kind:?} was no storm");
        stage.sandbox.clear_faults();
        // Daily limits and Retry-After end with time; everything else with the next run.
        if reason.contains("limit") {
            stage.advance(TimeDelta::hours(25));
        }
        stage.run_again().await;
        assert_eq!(stage.reason_of(account), None, "{kind:?} healed");
        stage.assert_complete();
    }
    // No personal data in what people read about failures.
    let emails = "SELECT count(*) FROM sync_runs WHERE failure_detail LIKE '%@%'";
    assert_eq!(stage.number(emails), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_content_of_pages_is_stored_and_shown_and_never_stops_the_others() {
    use FaultKind as K;
    for kind in [
        K::NullFields,
        K::ExtraFields,
        K::HugeAnswers,
        K::Nul,
        K::LoneSurrogate,
        K::OddElement,
        K::Bom,
        K::DateSkew,
    ] {
        let stage = Stage::connected(30).await;
        stage
            .sandbox
            .add_fault(Fault::new(kind).on(RESPONSES).seconds(40 * 86_400));
        stage.run().await;
        println!("{kind:?}");
        assert_eq!(stage.reason_of(stage.ad_account(0)), None, "{kind:?}");
        stage.assert_complete();
        if kind == K::OddElement {
            assert!(
                stage.number(
                    "SELECT count(*) FROM form_submissions WHERE reason = 'unreadable_answer'"
                ) > 0
            );
            let before = stage.dump();
            stage.advance(TimeDelta::minutes(5));
            stage.run_again().await;
            assert_eq!(stage.dump().len(), before.len());
            // Once it can be read, it becomes what it should have been.
            stage.sandbox.clear_faults();
            stage.advance(TimeDelta::hours(25));
            stage.run_again().await;
            assert_eq!(
                stage.number(
                    "SELECT count(*) FROM form_submissions WHERE reason = 'unreadable_answer'"
                ),
                0
            );
            stage.assert_complete();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_in_mid_history_keeps_the_pages_before_it_and_goes_on_after_it() {
    let stage = Stage::connected(90).await;
    let account = stage.ad_account(0);
    stage.sandbox.add_fault(
        Fault::new(FaultKind::CutJson)
            .on(RESPONSES)
            .owner(account)
            .after(4),
    );
    stage.run().await;
    assert_eq!(
        stage.reason_of(account).as_deref(),
        Some("unexpected_answer")
    );
    let stored = stage.number(&format!(
        "SELECT count(*) FROM form_submissions s JOIN linkedin_accounts a ON a.id = s.account_id WHERE a.linkedin_id = {account}"
    ));
    assert_eq!(stored, 28, "four pages of seven");
    stage.sandbox.clear_faults();
    stage.sandbox.clear_requests();
    stage.run_again().await;
    stage.assert_complete();
    assert!(
        stage
            .sandbox
            .requests()
            .iter()
            .any(|request| request.query.contains("start=28")),
        "it went on where it had stopped"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn hanging_failing_and_forbidden_accounts_delay_no_other() {
    let stage = Stage::connected(40).await;
    let (europe, americas, fabrikam) = (
        stage.ad_account(0),
        stage.ad_account(1),
        stage.ad_account(2),
    );
    for (kind, account) in [(FaultKind::Hang, europe), (FaultKind::Status500, fabrikam)] {
        stage
            .sandbox
            .add_fault(Fault::new(kind).owner(account).seconds(30));
    }
    let (stop, stopped) = watch::channel(false);
    let scheduler = stage.app.scheduler();
    let running = tokio::spawn(async move { scheduler.run_forever(stopped).await });
    let synced = format!(
        "SELECT count(*) FROM linkedin_accounts WHERE linkedin_id = {americas} AND last_synchronized_at IS NOT NULL"
    );
    eventually(
        "the healthy account is synced",
        Duration::from_secs(15),
        || {
            let done = stage.number(&synced) == 1;
            async move { done }
        },
    )
    .await;
    stop.send(true).unwrap();
    tokio::time::timeout(Duration::from_secs(15), running)
        .await
        .expect("it stops")
        .unwrap();
    stage.sandbox.clear_faults();
    stage
        .database
        .execute("UPDATE linkedin_accounts SET lease_expires_at = '2020-01-01 00:00:00' WHERE lease_expires_at IS NOT NULL");
    // The stopped process stays stopped; the next one goes on.
    stage.make_due();
    stage
        .second_process()
        .scheduler()
        .run_until_idle(&ClaimFilter::default())
        .await
        .unwrap();
    stage.assert_complete();
    assert_eq!(
        stage.number("SELECT count(*) FROM sync_runs WHERE status = 'running'"),
        0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daily_limit_closes_only_its_endpoint_and_only_until_midnight() {
    let stage = Stage::connected(30).await;
    stage
        .sandbox
        .add_fault(Fault::new(FaultKind::RateLimitDayApplication).on("adCampaignGroups"));
    stage.run().await;
    stage.assert_complete();
    assert_eq!(stage.asked("adCampaignGroups"), 1, "nobody asks again");
    stage.sandbox.clear_faults();
    stage.advance(TimeDelta::hours(14));
    stage.run_again().await;
    assert_eq!(stage.asked("adCampaignGroups"), 1, "23:00, still closed");
    stage.advance(TimeDelta::hours(2));
    stage.run_again().await;
    assert!(stage.asked("adCampaignGroups") > 1, "01:00, open again");
}

#[tokio::test(flavor = "multi_thread")]
async fn retry_after_is_waited_for_and_a_bare_429_is_not_repeated_in_the_same_run() {
    let stage = Stage::connected(30).await;
    stage.sandbox.add_fault(
        Fault::new(FaultKind::RateLimitSeconds)
            .on("leadForms")
            .seconds(3_600)
            .times(1),
    );
    stage.run().await;
    let asked = |stage: &Stage| {
        stage
            .sandbox
            .requests()
            .iter()
            .filter(|request| request.path == "/rest/leadForms")
            .count()
    };
    assert_eq!(asked(&stage), 1);
    stage.advance(TimeDelta::minutes(50));
    stage.run_again().await;
    assert_eq!(asked(&stage), 1);
    stage.advance(TimeDelta::minutes(20));
    stage.run_again().await;
    assert!(asked(&stage) > 1);
    stage.run_again().await;
    stage.assert_complete();

    let account = stage.ad_account(0);
    stage.sandbox.clear_requests();
    stage.sandbox.add_fault(
        Fault::new(FaultKind::RateLimitBare)
            .on(RESPONSES)
            .owner(account),
    );
    stage.run_again().await;
    let refused = stage
        .sandbox
        .requests()
        .iter()
        .filter(|request| request.status == 429)
        .count();
    assert_eq!(refused, 1, "production and test leads share the endpoint");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_fails_altogether_says_failed_and_backs_off() {
    let stage = Stage::with(20, small(), leadgen::sandbox::Settings::default()).await;
    stage.connect().await;
    let account = stage.ad_account(1);
    stage
        .sandbox
        .add_fault(Fault::new(FaultKind::Status503).owner(account));
    stage.run().await;
    stage.run_again().await;
    assert_eq!(
        stage.texts(&format!(
            "SELECT DISTINCT r.status FROM sync_runs r JOIN linkedin_accounts a ON a.id = r.account_id WHERE a.linkedin_id = {account}"
        )),
        ["failed"]
    );
    assert_eq!(
        stage.number(&format!(
            "SELECT failure_streak FROM linkedin_accounts WHERE linkedin_id = {account}"
        )),
        2
    );
    assert_eq!(
        stage.number(&format!(
            "SELECT count(*) FROM linkedin_accounts WHERE linkedin_id = {account} AND last_synchronized_at IS NOT NULL"
        )),
        0
    );
}
