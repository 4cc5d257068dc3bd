//! Tokens: refreshed in time and once, given time when fresh, gone when LinkedIn says so, never in clear.

use std::time::Duration;

use chrono::TimeDelta;
use leadgen::sandbox::{Fault, FaultKind, Settings};
use leadgen::store::audit::Actor;
use leadgen::store::leases::ClaimFilter;
use leadgen::sync::connect::DisconnectOutcome;

use crate::stage::{Stage, small};

const TOKEN: &str = "/oauth/v2/accessToken";

async fn refreshable(settings: Settings) -> Stage {
    let stage = Stage::with(
        30,
        small(),
        Settings {
            refresh_tokens: true,
            ..settings
        },
    )
    .await;
    stage.connect().await;
    stage.run().await;
    stage.assert_complete();
    stage.sandbox.clear_requests();
    stage
}

fn authorization(stage: &Stage) -> String {
    stage
        .texts("SELECT authorization_status FROM linkedin_user_profiles")
        .remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_refreshed_a_day_before_its_end_and_only_once() {
    let stage = refreshable(Settings::default()).await;
    stage.advance(TimeDelta::days(58));
    stage.run_again().await;
    assert_eq!(stage.asked(TOKEN), 0);
    stage.advance(TimeDelta::hours(30));
    stage.run_again().await;
    assert_eq!(stage.asked(TOKEN), 1);
    stage.run_again().await;
    assert_eq!(stage.asked(TOKEN), 1);
    assert_eq!(authorization(&stage), "authorized");
    stage.assert_complete();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_ends_unexpectedly_is_refreshed_once_by_two_processes() {
    let stage = refreshable(Settings::default()).await;
    let other = stage.second_process();
    stage.sandbox.expire_access_tokens();
    stage.make_due();
    let (one, two) = (stage.app.scheduler(), other.scheduler());
    let filter = ClaimFilter::default();
    let (a, b) = tokio::join!(one.run_until_idle(&filter), two.run_until_idle(&filter));
    assert!(!a.unwrap().is_empty() && !b.unwrap().is_empty());
    assert_eq!(stage.asked(TOKEN), 1);
    assert_eq!(authorization(&stage), "authorized");
    stage.assert_complete();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_refresh_of_a_working_token_is_no_storm() {
    let stage = refreshable(Settings::default()).await;
    stage
        .sandbox
        .add_fault(Fault::new(FaultKind::Status500).on(TOKEN));
    stage.advance(TimeDelta::hours(24 * 59 + 6));
    stage.run_again().await;
    assert_eq!(stage.asked(TOKEN), 1);
    assert_eq!(authorization(&stage), "authorized");
    stage.assert_complete();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_to_a_refresh_is_asked_for_again() {
    let stage = refreshable(Settings::default()).await;
    stage
        .sandbox
        .add_fault(Fault::new(FaultKind::LostAnswer).on(TOKEN).times(1));
    stage.advance(TimeDelta::days(61));
    stage.run_again().await;
    stage.run_again().await;
    assert_eq!(authorization(&stage), "authorized");
    stage.assert_complete();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_refresh_expires_the_profile() {
    for kind in [FaultKind::InvalidGrant, FaultKind::InvalidRequest] {
        let stage = refreshable(Settings::default()).await;
        stage.sandbox.add_fault(Fault::new(kind).on(TOKEN));
        stage.advance(TimeDelta::days(61));
        stage.run_again().await;
        assert_eq!(authorization(&stage), "expired", "{kind:?}");
        assert_eq!(stage.asked(TOKEN), 1, "{kind:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_without_refresh_expires_without_hammering_and_is_authorised_again_in_place() {
    let stage = Stage::connected(30).await;
    stage.run().await;
    let watermarks = "SELECT CAST(watermark_at AS TEXT) FROM account_streams WHERE watermark_at IS NOT NULL ORDER BY 1";
    let before = stage.texts(watermarks);
    stage.advance(TimeDelta::days(61));
    stage.sandbox.clear_requests();
    for _ in 0..3 {
        stage.run_again().await;
    }
    assert_eq!(stage.asked(""), 0, "LinkedIn is not even asked");
    assert_eq!(authorization(&stage), "expired");
    assert_eq!(
        stage.texts("SELECT DISTINCT form_sync_status FROM linkedin_accounts"),
        ["not_syncing"]
    );
    assert_eq!(stage.number("SELECT count(*) FROM linkedin_tokens"), 0);
    stage.connect().await;
    assert_eq!(authorization(&stage), "authorized");
    stage
        .sandbox
        .submit(&leadgen::sandbox::Submission::default());
    stage.advance(TimeDelta::minutes(1));
    stage.run().await;
    stage.assert_complete();
    let after = stage.texts(watermarks);
    assert!(
        before
            .iter()
            .all(|mark| after.iter().any(|later| later >= mark))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_401_that_is_not_the_tokens_fault_keeps_the_token() {
    let stage = Stage::connected(30).await;
    stage.run().await;
    let account = stage.ad_account(0);
    stage
        .sandbox
        .add_fault(Fault::new(FaultKind::Unauthorized).owner(account));
    stage.run_again().await;
    assert_eq!(authorization(&stage), "authorized");
    assert_eq!(
        stage.reason_of(account).as_deref(),
        Some("permission_missing")
    );
    assert!(stage.asked("introspectToken") > 0);
    assert_eq!(stage.number("SELECT count(*) FROM linkedin_tokens"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fresh_token_that_is_refused_for_some_seconds_is_given_time() {
    for refresh in [false, true] {
        let stage = Stage::with(
            20,
            small(),
            Settings {
                refresh_tokens: refresh,
                fresh_token_lag_seconds: 3,
                ..Settings::default()
            },
        )
        .await;
        if refresh {
            stage.connect().await;
            stage.advance(TimeDelta::seconds(10));
            stage.run().await;
            stage.sandbox.expire_access_tokens();
            stage.advance(TimeDelta::seconds(10));
            stage.make_due();
        } else {
            stage.connect().await;
        }
        let clock = stage.clock.clone();
        let moving = tokio::spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_millis(500)).await;
                clock.advance(TimeDelta::milliseconds(500));
            }
        });
        stage.run().await;
        moving.abort();
        assert_eq!(authorization(&stage), "authorized");
        assert_eq!(
            stage.number("SELECT count(*) FROM sync_runs WHERE failure_reason LIKE 'token%'"),
            0
        );
        stage.assert_complete();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn consent_withdrawn_at_linkedin_ends_the_authorization() {
    let stage = Stage::connected(20).await;
    stage.run().await;
    stage.advance(TimeDelta::hours(1));
    stage.sandbox.withdraw_all();
    stage.run_again().await;
    assert_eq!(authorization(&stage), "expired");
    assert_eq!(
        stage.texts("SELECT failure_reason FROM linkedin_user_profiles"),
        ["token_revoked"]
    );
    stage.sandbox.clear_requests();
    stage.run_again().await;
    assert_eq!(stage.asked(""), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn disconnecting_revokes_at_linkedin_and_erases_here() {
    let stage = refreshable(Settings::default()).await;
    let leads = stage.number("SELECT count(*) FROM leads");
    let outcome = stage
        .app
        .connector()
        .disconnect(&Actor::command_line(), &stage.profile)
        .await
        .unwrap();
    assert_eq!(outcome, DisconnectOutcome::Revoked);
    assert_eq!(stage.asked("/oauth/v2/revoke"), 2);
    assert_eq!(stage.number("SELECT count(*) FROM linkedin_tokens"), 0);
    assert_eq!(authorization(&stage), "not_authorized");
    assert_eq!(stage.number("SELECT count(*) FROM leads"), leads);
    stage.sandbox.clear_requests();
    stage.run_again().await;
    assert_eq!(stage.asked(""), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_token_is_in_the_database_in_clear() {
    let stage = refreshable(Settings::default()).await;
    // The sandbox's tokens begin so and go on for hundreds of characters.
    let hex = |text: &str| {
        text.bytes()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    let column = |name: &str| match stage.database.system() {
        crate::support::System::Sqlite => format!("lower(hex({name}))"),
        crate::support::System::Postgres => format!("encode({name}, 'hex')"),
    };
    for name in ["access_token", "refresh_token"] {
        for prefix in ["AQX", "AQW"] {
            let stored = stage.texts(&format!("SELECT {} FROM linkedin_tokens", column(name)));
            assert!(
                stored
                    .iter()
                    .all(|text| !text.contains(&hex(prefix)) || text.len() < 40)
            );
            assert!(stored[0].len() > 400);
        }
    }
}
