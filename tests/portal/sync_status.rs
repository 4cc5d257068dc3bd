//! Sync Status over HTTP: health, totals, rows, timeline, one run, reset.

use chrono::TimeDelta;
use leadgen::domain::access::Role;

use crate::records_world::{seeded, shows_hostile_text_as_text, with_world};
use crate::support::a_moment;
use crate::support::records::a_run;

#[tokio::test]
async fn the_first_sentence_says_how_it_stands() {
    let portal = seeded().await;
    let browser = portal.sign_in_as(&[Role::Administrator]).await;
    browser
        .get("/sync-status")
        .await
        .expect(200)
        .expect_text("there is no LinkedIn user profile");
    crate::records_world::world(&mut portal.database.conn());
    browser
        .get("/sync-status")
        .await
        .expect(200)
        .expect_text("1 account is waiting for the first synchronization");
    for (change, sentence) in [
        (
            "UPDATE linkedin_accounts SET last_synchronized_at = '2026-03-02 09:55:00', next_sync_at = '2026-03-02 10:05:00'",
            "Everything is in order: the one account is up to date.",
        ),
        (
            "UPDATE linkedin_accounts SET next_sync_at = '2026-03-02 08:05:00'",
            "the scheduler seems to be stopped",
        ),
        (
            "UPDATE linkedin_tokens SET access_token_expires_at = '2026-03-05 10:00:00'",
            "ends in 3 days",
        ),
        (
            "UPDATE linkedin_accounts SET failure_reason = 'forbidden', failure_streak = 4",
            "None of the 1 account can be read",
        ),
        (
            "UPDATE linkedin_user_profiles SET authorization_status = 'expired', failure_reason = 'token_expired'",
            "no LinkedIn user profile is authorized",
        ),
    ] {
        portal.database.execute(change);
        browser
            .get("/sync-status")
            .await
            .expect(200)
            .expect_text(sentence);
    }
    browser
        .get("/sync-status")
        .await
        .expect(200)
        .expect_text("Ask an administrator of the account at LinkedIn")
        .expect_text("Open the LinkedIn user profile and choose Authorize.");
}

#[tokio::test]
async fn the_timeline_is_filtered_and_a_run_is_told_whole() {
    let (portal, world) = with_world().await;
    let run = {
        let conn = &mut portal.database.conn();
        a_run(
            conn,
            &world.account,
            "succeeded",
            None,
            a_moment() - TimeDelta::hours(2),
        );
        a_run(
            conn,
            &world.account,
            "failed",
            Some("rate_limited"),
            a_moment() - TimeDelta::hours(1),
        )
    };
    let browser = portal.sign_in_as(&[Role::SalesManager]).await;
    let page = browser
        .get("/sync-status")
        .await
        .expect(200)
        .expect_text("LinkedIn asks for fewer requests.")
        .expect_text("Succeeded")
        .expect_no_text("Reset Synchronization");
    shows_hostile_text_as_text(&page);
    browser
        .get(&format!(
            "/sync-status/runs?status=failed&account={}",
            world.account
        ))
        .await
        .expect(200)
        .expect_text("LinkedIn asks for fewer requests.");
    browser
        .get("/sync-status/runs?status=abandoned")
        .await
        .expect(200)
        .expect_text("No run matches the filter.");
    browser
        .get(&format!("/sync-status/runs/{run}"))
        .await
        .expect(200)
        .expect_text("1 min 0 s")
        .expect_text("the portal tries again by itself")
        .expect_text("30");
    for path in [
        "/sync-status/runs/1",
        "/sync-status/runs/018f2a3c-0000-7000-8000-0000000000ab",
    ] {
        browser.get(path).await.expect(404);
    }
    for query in ["status=bad", "account=1", "profile=1", "before=z"] {
        browser
            .get(&format!("/sync-status/runs?{query}"))
            .await
            .expect(400);
    }
    browser.get("/sync-status/resets").await.expect(403);
}

#[tokio::test]
async fn a_reset_needs_the_typed_word_and_makes_every_account_due() {
    let (portal, _world) = with_world().await;
    portal
        .database
        .execute("UPDATE linkedin_accounts SET next_sync_at = NULL");
    let browser = portal.sign_in_as(&[Role::Administrator]).await;
    let page = browser
        .get("/sync-status/resets")
        .await
        .expect(200)
        .expect_text("Type RESET to confirm");
    for typed in ["", "reset", "RESET!", "<script>alert(1)</script>"] {
        browser
            .submit(
                &page,
                "Reset Synchronization",
                &[("confirmation", Some(typed))],
            )
            .await
            .expect(422)
            .expect_text("Type RESET, in capital letters, to confirm.");
    }
    assert!(!portal.audit().contains(&"synchronization.reset".to_owned()));
    browser
        .submit_and_follow(
            &page,
            "Reset Synchronization",
            &[("confirmation", Some("RESET"))],
        )
        .await
        .expect(200)
        .expect_text("The synchronization begins anew: all lead data of 1 account is read again.");
    assert!(portal.audit().contains(&"synchronization.reset".to_owned()));
    assert_eq!(
        portal
            .database
            .number("SELECT count(*) FROM linkedin_accounts WHERE next_sync_at IS NOT NULL"),
        1
    );
}
