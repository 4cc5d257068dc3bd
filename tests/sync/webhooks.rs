//! LinkedIn's notifications, end to end: subscribed to, delivered with faults, ended. And the pull that needs none of them.

use std::net::TcpListener;
use std::time::Duration;

use chrono::TimeDelta;
use leadgen::app::App;
use leadgen::sandbox::{Fault, FaultKind, Settings as SandboxSettings, Submission};
use leadgen::store::audit::Actor;
use leadgen::store::connections;
use leadgen::sync::{revocations, subscriptions};
use leadgen::web::{ServeOptions, serve};

use crate::stage::{Stage, small};
use crate::support::eventually;

/// A portal whose webhook LinkedIn can reach.
pub struct Notified {
    pub stage: Stage,
    pub app: App,
    server: actix_web::dev::ServerHandle,
}

impl Drop for Notified {
    fn drop(&mut self) {
        drop(self.server.stop(false));
    }
}

impl Notified {
    async fn on(stage: Stage) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let app = stage.process_with(&[
            ("LEADGEN_PUBLIC_URL", &address),
            ("LEADGEN_LINKEDIN_WEBHOOK", "on"),
        ]);
        app.take_keys().await.unwrap();
        let server = serve(app.portal().unwrap(), listener, ServeOptions { workers: 1 }).unwrap();
        let handle = server.handle();
        tokio::spawn(server);
        Self {
            stage,
            app,
            server: handle,
        }
    }

    /// Connected, everything pulled, and subscribed.
    pub async fn new() -> Self {
        let notified = Self::on(Stage::connected(10).await).await;
        notified.run().await;
        assert!(!notified.stage.sandbox.subscriptions().is_empty());
        notified.calm();
        notified
    }

    /// Runs what is due, a moment after whatever happened at LinkedIn.
    pub async fn run(&self) {
        self.stage.advance(TimeDelta::seconds(1));
        self.app
            .scheduler()
            .run_until_idle(&Default::default())
            .await
            .unwrap();
    }

    /// Nothing is due by itself for a long time, and time has passed at LinkedIn.
    pub fn calm(&self) {
        self.stage.database.execute(
            "UPDATE linkedin_accounts SET next_sync_at = '2999-01-01 00:00:00', notified_at = NULL;
             UPDATE linkedin_user_profiles SET next_sync_at = '2999-01-01 00:00:00'",
        );
        self.stage.advance(TimeDelta::minutes(1));
    }

    fn submit(&self) -> String {
        let submission = Submission {
            account: Some(self.stage.ad_account(0)),
            ..Submission::default()
        };
        self.stage.sandbox.submit(&submission).unwrap()
    }

    pub async fn all_sent(&self) {
        eventually("notifications are sent", Duration::from_secs(60), || {
            let waiting = self.stage.sandbox.notifications_waiting();
            async move { waiting == 0 }
        })
        .await;
    }

    pub fn has(&self, response: &str) -> bool {
        self.stage.stored().iter().any(|stored| stored == response)
    }

    fn kept(&self) -> i64 {
        self.stage.number("SELECT count(*) FROM lead_notifications")
    }

    /// How the subscriptions stand, without those of the account whose page the member has no role on.
    fn states(&self) -> Vec<String> {
        self.stage.texts(
            "SELECT DISTINCT state FROM notification_subscriptions WHERE COALESCE(failure_reason, '') <> 'forbidden' ORDER BY 1",
        )
    }

    fn subscriptions_are_due(&self) {
        self.stage.database.execute(
            "UPDATE notification_subscriptions SET next_attempt_at = '2020-01-01 00:00:00' WHERE next_attempt_at IS NOT NULL",
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lead_arrives_without_waiting_for_the_interval() {
    let notified = Notified::new().await;
    let response = notified.submit();
    notified.all_sent().await;
    assert_eq!(notified.kept(), 1);
    notified.run().await;
    assert!(notified.has(&response));
    // One announcement makes its account due, and no other.
    assert_eq!(
        notified.stage.number(
            "SELECT count(*) FROM linkedin_accounts WHERE next_sync_at < '2998-01-01 00:00:00'"
        ),
        1
    );
    notified.stage.assert_complete();
}

#[tokio::test(flavor = "multi_thread")]
async fn duplicates_floods_strangers_and_either_unit_of_time_are_harmless() {
    for kind in [
        FaultKind::EventTwice,
        FaultKind::EventFlood,
        FaultKind::EventOfStranger,
        FaultKind::EventSeconds,
    ] {
        let notified = Notified::new().await;
        notified
            .stage
            .sandbox
            .add_fault(Fault::new(kind).on("webhook").times(1));
        let response = notified.submit();
        notified.all_sent().await;
        let runs = notified.stage.number("SELECT count(*) FROM sync_runs");
        notified.run().await;
        assert!(notified.has(&response), "{kind:?}");
        assert_eq!(
            notified.stage.number("SELECT count(*) FROM sync_runs"),
            runs + 1,
            "{kind:?}: however many were announced, the account is read once"
        );
        notified.stage.assert_complete();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_dropped_held_back_or_signed_by_others_is_found_by_the_pull() {
    for kind in [
        FaultKind::EventDropped,
        FaultKind::EventHeld,
        FaultKind::EventBadSignature,
        FaultKind::EventLate,
    ] {
        let notified = Notified::new().await;
        notified
            .stage
            .sandbox
            .add_fault(Fault::new(kind).on("webhook").times(1));
        let response = notified.submit();
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(notified.kept(), 0, "{kind:?}");
        notified.run().await;
        assert!(!notified.has(&response), "{kind:?}");
        notified.stage.make_due();
        notified.run().await;
        assert!(notified.has(&response), "{kind:?}");
        // What comes later changes nothing any more.
        notified.stage.advance(TimeDelta::minutes(10));
        notified.submit();
        let what = "the next one is announced";
        eventually(what, Duration::from_secs(20), || async {
            notified.kept() > 0
        })
        .await;
        notified.run().await;
        notified.stage.assert_complete();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lead_that_is_announced_while_its_account_is_read_is_read_once_more() {
    let notified = Notified::new().await;
    notified.stage.sandbox.add_fault(
        Fault::new(FaultKind::SlowHeaders)
            .on("/rest/leadForms")
            .times(1)
            .seconds(1),
    );
    notified.submit();
    notified.all_sent().await;
    let scheduler = notified.app.scheduler();
    let run = tokio::spawn(async move { scheduler.run_due_once(&Default::default()).await });
    eventually("the run begins", Duration::from_secs(10), || {
        let running = notified
            .stage
            .number("SELECT count(*) FROM sync_runs WHERE status = 'running'");
        async move { running == 1 }
    })
    .await;
    let response = notified.submit();
    notified.all_sent().await;
    run.await.unwrap().unwrap();
    eventually("the second lead is there", Duration::from_secs(20), || {
        let notified = &notified;
        let response = response.clone();
        async move {
            notified.stage.advance(TimeDelta::seconds(5));
            notified.run().await;
            notified.has(&response)
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn subscriptions_are_made_once_found_again_and_made_anew_when_linkedin_forgot_them() {
    let notified = Notified::new().await;
    let sandbox = &notified.stage.sandbox;
    let first = sandbox.subscriptions();
    let subscribed = notified
        .stage
        .number("SELECT count(*) FROM notification_subscriptions WHERE state = 'active'");
    assert_eq!(i64::try_from(first.len()).unwrap(), subscribed);
    assert!(first[0].1.ends_with("/webhooks/linkedin"));
    // A day later they are looked at and stay.
    notified.subscriptions_are_due();
    subscriptions::run_due(notified.app.scheduler().context())
        .await
        .unwrap();
    assert_eq!(sandbox.subscriptions(), first);
    sandbox.forget_subscriptions();
    notified.subscriptions_are_due();
    subscriptions::run_due(notified.app.scheduler().context())
        .await
        .unwrap();
    assert_eq!(sandbox.subscriptions().len(), first.len());
    // Nothing is due: nothing is asked.
    sandbox.clear_requests();
    subscriptions::run_due(notified.app.scheduler().context())
        .await
        .unwrap();
    assert_eq!(notified.stage.asked("leadNotifications"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_was_lost_leaves_no_second_subscription() {
    let stage = Stage::connected(5).await;
    stage.sandbox.add_fault(
        Fault::new(FaultKind::LostAnswer)
            .on("/rest/leadNotifications")
            .after(1)
            .times(1),
    );
    let notified = Notified::on(stage).await;
    notified.run().await;
    assert_eq!(notified.states(), ["active", "failed"]);
    notified.subscriptions_are_due();
    notified.run().await;
    assert_eq!(notified.states(), ["active"]);
    assert_eq!(
        i64::try_from(notified.stage.sandbox.subscriptions().len()).unwrap(),
        notified
            .stage
            .number("SELECT count(*) FROM notification_subscriptions WHERE state = 'active'")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_fails_the_challenge_is_said_and_tried_again() {
    let stage = Stage::with(5, small(), SandboxSettings::default()).await;
    stage.connect().await;
    // Nobody listens there.
    let app = stage.process_with(&[
        ("LEADGEN_PUBLIC_URL", "http://127.0.0.1:9"),
        ("LEADGEN_LINKEDIN_WEBHOOK", "on"),
    ]);
    app.scheduler()
        .run_until_idle(&Default::default())
        .await
        .unwrap();
    assert_eq!(
        stage.texts(
            "SELECT DISTINCT state || ' ' || failure_reason FROM notification_subscriptions ORDER BY 1"
        ),
        ["failed bad_request", "failed forbidden"]
    );
    // The leads came all the same.
    stage.assert_complete();
    assert_eq!(
        stage.number(
            "SELECT count(*) FROM notification_subscriptions WHERE next_attempt_at IS NULL"
        ),
        0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn switched_off_accounts_and_switched_off_notifications_are_unsubscribed() {
    let notified = Notified::new().await;
    let sandbox = &notified.stage.sandbox;
    let before = sandbox.subscriptions().len();
    let account = notified.stage.ad_account(0);
    notified.stage.database.execute(&format!(
        "UPDATE linkedin_accounts SET is_sync_enabled = FALSE WHERE linkedin_id = {account}"
    ));
    notified.run().await;
    assert_eq!(sandbox.subscriptions().len(), before - 1);
    assert_eq!(notified.states(), ["active", "deleted"]);
    notified.stage.database.execute(&format!(
        "UPDATE linkedin_accounts SET is_sync_enabled = TRUE WHERE linkedin_id = {account}"
    ));
    notified.run().await;
    assert_eq!(sandbox.subscriptions().len(), before);
    // A process without a webhook ends them all.
    let off = notified
        .stage
        .process_with(&[("LEADGEN_LINKEDIN_WEBHOOK", "off")]);
    subscriptions::run_due(off.scheduler().context())
        .await
        .unwrap();
    assert!(sandbox.subscriptions().is_empty());
    assert_eq!(notified.states(), ["deleted"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn disconnecting_ends_the_subscriptions_before_the_token_is_revoked() {
    let notified = Notified::new().await;
    let profile = notified.stage.profile.clone();
    notified
        .app
        .connector()
        .disconnect(&Actor::command_line(), &profile)
        .await
        .unwrap();
    assert!(notified.stage.sandbox.subscriptions().is_empty());
    assert_eq!(notified.states(), ["deleted"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawn_consent_ends_the_subscriptions_with_its_last_token() {
    let notified = Notified::new().await;
    let (user, now) = (notified.stage.seller.clone(), notified.stage.clock.now());
    notified
        .app
        .store()
        .write(move |conn| connections::withdraw_own(conn, &user, &Actor::command_line(), now))
        .await
        .unwrap();
    revocations::run_due(notified.app.scheduler().context())
        .await
        .unwrap();
    assert!(notified.stage.sandbox.subscriptions().is_empty());
    assert_eq!(notified.states(), ["deleted"]);
}
