//! The setup checklist and the System page over HTTP.

use leadgen::domain::access::Role;
use leadgen::sandbox::{self, SandboxOptions};

use crate::records_world::{HOSTILE, seeded, shows_hostile_text_as_text, with_world};
use crate::start::TestPortal;

#[tokio::test]
async fn an_administrator_begins_at_the_checklist_until_everything_is_done() {
    let portal = TestPortal::start_with(&[
        ("LEADGEN_LINKEDIN_CLIENT_ID", "86abcdefgh1234"),
        ("LEADGEN_LINKEDIN_CLIENT_SECRET", "very-secret"),
    ])
    .await;
    crate::support::records::seed_defaults(&mut portal.database.conn());
    let browser = portal.sign_in_as(&[Role::Administrator]).await;
    let page = browser.visit("/").await.expect(200);
    assert_eq!(page.url.path(), "/settings/setup");
    let page = page
        .expect_text("4 of 8 steps are done")
        .expect_text("Nobody has the role Salesperson yet")
        .expect_text("Add a Salesperson")
        .expect_text("Make the first profile");
    assert!(
        page.body
            .contains(&format!("{}/linkedin/callback", portal.address))
    );
    assert!(!page.body.contains("very-secret") && !page.body.contains("86abcdefgh"));
    crate::records_world::world(&mut portal.database.conn());
    portal
        .database
        .execute("UPDATE linkedin_accounts SET last_synchronized_at = '2026-03-02 09:55:00'");
    let page = browser.visit("/").await.expect(200);
    assert_ne!(page.url.path(), "/settings/setup");
    browser
        .get("/settings/setup")
        .await
        .expect(200)
        .expect_text("Everything is set up");
    // A mapping that the strategy needs and that is gone opens a step again.
    portal
        .database
        .execute("DELETE FROM field_mappings WHERE target_field = 'email'");
    browser
        .get("/settings/setup")
        .await
        .expect(200)
        .expect_text("it cannot recognise leads");
    // Others begin where their work is.
    let seller = portal.sign_in_as(&[Role::Salesperson]).await;
    let page = seller.visit("/").await.expect(200);
    assert_ne!(page.url.path(), "/settings/setup");
    seller.get("/settings/setup").await.expect(403);
}

#[tokio::test]
async fn without_credentials_the_checklist_says_how_to_get_them() {
    let portal = seeded().await;
    let browser = portal.sign_in_as(&[Role::Administrator]).await;
    browser
        .get("/settings/setup")
        .await
        .expect(200)
        .expect_text("Lead Sync API")
        .expect_no_text("Test with LinkedIn");
    let answer = browser
        .post_with_token_of("/settings/setup", "/settings/setup/credential-checks", &[])
        .await
        .expect(303);
    browser
        .follow(answer)
        .await
        .expect_text("There is nothing to test");
}

#[tokio::test]
async fn who_may_connect_linkedin_is_decided_before_the_first_profile() {
    let portal = seeded().await;
    portal
        .database
        .execute("UPDATE connection_settings SET setting = 'no'");
    let browser = portal.sign_in_as(&[Role::Administrator]).await;
    browser
        .get("/settings/setup")
        .await
        .expect(200)
        .expect_text("2 of 8 steps are done")
        .expect_text("LinkedIn account connections are set to No");
    portal
        .database
        .execute("UPDATE connection_settings SET setting = 'yes'");
    browser
        .get("/settings/setup")
        .await
        .expect(200)
        .expect_text("3 of 8 steps are done")
        .expect_text("It is decided");
    let disabled = [("LEADGEN_POLICY_SHOW_LINKEDIN", "disabled")];
    let portal = TestPortal::start_with(&disabled).await;
    let browser = portal.sign_in_as(&[Role::Administrator]).await;
    browser
        .get("/settings/setup")
        .await
        .expect(200)
        .expect_text("The deployment decides it")
        .expect_text("Ask whoever runs the portal’s server");
}

#[tokio::test]
async fn the_credentials_are_tested_with_linkedin_itself() {
    crate::support::install_crypto_provider();
    let linkedin = sandbox::start(SandboxOptions::default()).unwrap();
    let (oauth, api) = (linkedin.oauth_url(), linkedin.api_url());
    for (secret, said, is_done) in [
        (
            sandbox::CLIENT_SECRET,
            "LinkedIn accepts the client id and secret.",
            true,
        ),
        (
            "another-secret",
            "LinkedIn does not accept the client id and secret.",
            false,
        ),
    ] {
        let portal = TestPortal::start_with(&[
            ("LEADGEN_LINKEDIN_OAUTH_URL", &oauth),
            ("LEADGEN_LINKEDIN_API_URL", &api),
            ("LEADGEN_LINKEDIN_CLIENT_ID", sandbox::CLIENT_ID),
            ("LEADGEN_LINKEDIN_CLIENT_SECRET", secret),
        ])
        .await;
        let browser = portal.sign_in_as(&[Role::Administrator]).await;
        let page = browser
            .get("/settings/setup")
            .await
            .expect(200)
            .expect_text("Nobody has tested yet");
        let page = browser
            .submit_and_follow(&page, "Test with LinkedIn", &[])
            .await
            .expect(200)
            .expect_text(said);
        assert_eq!(
            page.text().contains("LinkedIn accepted them"),
            is_done,
            "{}",
            page.text()
        );
        assert!(!page.body.contains(secret));
        assert!(portal.audit().contains(&"linkedin_app.checked".to_owned()));
        // The System page knows LinkedIn's clock now.
        browser
            .get("/settings/system")
            .await
            .expect(200)
            .expect_no_text("has not heard from LinkedIn");
    }
    linkedin.stop();
    // Nobody answers: nothing is known, and the step is not called wrong.
    let portal = TestPortal::start_with(&[
        ("LEADGEN_LINKEDIN_OAUTH_URL", &oauth),
        ("LEADGEN_LINKEDIN_CLIENT_ID", sandbox::CLIENT_ID),
        ("LEADGEN_LINKEDIN_CLIENT_SECRET", "x"),
    ])
    .await;
    let browser = portal.sign_in_as(&[Role::Administrator]).await;
    let page = browser.get("/settings/setup").await.expect(200);
    browser
        .submit_and_follow(&page, "Test with LinkedIn", &[])
        .await
        .expect(200)
        .expect_text("LinkedIn could not be asked");
}

#[tokio::test]
async fn the_system_page_tells_everything_but_secrets() {
    let portal = TestPortal::start_with(&[
        ("LEADGEN_LINKEDIN_CLIENT_ID", "86abcdefgh1234"),
        ("LEADGEN_LINKEDIN_CLIENT_SECRET", "very-secret"),
        ("LEADGEN_LINKEDIN_VERSION", "202603"),
    ])
    .await;
    crate::support::records::seed_defaults(&mut portal.database.conn());
    crate::records_world::world(&mut portal.database.conn());
    portal.database.execute(&format!(
        "UPDATE linkedin_accounts SET lease_owner = 'worker-7', lease_term = 3, lease_expires_at = '2020-01-01 00:00:00'; \
         INSERT INTO processes (name, version, has_portal, has_scheduler, started_at, last_seen_at) \
         VALUES ('worker-7{}', '9.9.9', FALSE, TRUE, '2020-01-01 00:00:00', '2020-01-01 00:00:00')",
        HOSTILE.replace('\'', "''")
    ));
    let browser = portal.sign_in_as(&[Role::Administrator]).await;
    let page = browser
        .get("/settings/system")
        .await
        .expect(200)
        .expect_text(env!("CARGO_PKG_VERSION"))
        .expect_text("none pending")
        .expect_text("20261121000012")
        .expect_text("worker-7")
        .expect_text("9.9.9")
        .expect_text("Silent")
        .expect_text("Ran out")
        .expect_text("has not heard from LinkedIn")
        .expect_text("set, ends with 1234")
        .expect_text("LEADGEN_SYNC_INTERVAL")
        .expect_text("Environment")
        .expect_text("Default");
    shows_hostile_text_as_text(&page);
    for secret in [
        "very-secret",
        "86abcdefgh",
        "2n1lUG0D3ZqW8c7bRk5vX9pYtS4mE6hA1oJfKdLxQwM",
    ] {
        assert!(!page.body.contains(secret), "{secret}");
    }
    // The end of the API version is told from 60 days before.
    portal.clock.advance(chrono::TimeDelta::days(330));
    let browser = portal.sign_in_as(&[Role::Administrator]).await;
    for path in ["/settings/system", "/sync-status"] {
        browser
            .get(path)
            .await
            .expect(200)
            .expect_text("API version 202603");
    }
    let manager = portal.sign_in_as(&[Role::SalesManager]).await;
    manager.get("/settings/system").await.expect(403);
}

#[tokio::test]
async fn two_versions_of_a_form_stand_side_by_side() {
    let (portal, world) = with_world().await;
    let path = format!("/forms/{}", world.form);
    let browser = portal.sign_in_as(&[Role::Salesperson]).await;
    browser
        .get(&path)
        .await
        .expect(200)
        .expect_no_text("Compare versions");
    {
        let conn = &mut portal.database.conn();
        let mut second = crate::support::records::form_content("Guide", 2);
        second.questions.remove(0);
        second.questions[0].text = "A new text".to_owned();
        let mut added = second.questions[0].clone();
        added.id = 999;
        added.predefined_field = None;
        added.text = format!("Added {HOSTILE}");
        second.questions.push(added);
        crate::support::records::a_form(conn, &world.account, 7001, second);
    }
    let page = browser
        .get(&format!("{path}?left=1&right=2"))
        .await
        .expect(200)
        .expect_text("Removed")
        .expect_text("Added")
        .expect_text("Another text")
        .expect_text("differ between versions 1 and 2");
    shows_hostile_text_as_text(&page);
    browser
        .get(&format!("{path}?left=2&right=2"))
        .await
        .expect(200)
        .expect_text("are the same");
    browser
        .get(&format!("{path}?left=9223372036854775807"))
        .await
        .expect(200)
        .expect_text("has no version 9223372036854775807");
    for query in ["left=x", "right=1.5", "left=99999999999999999999"] {
        browser.get(&format!("{path}?{query}")).await.expect(400);
    }
}

#[tokio::test]
async fn lists_are_filtered_by_state() {
    let (portal, world) = with_world().await;
    let browser = portal.sign_in_as(&[Role::Administrator]).await;
    for (path, shows) in [
        ("/linkedin-accounts?state=read", true),
        ("/linkedin-accounts?state=paused", false),
        ("/forms?status=pending", true),
        ("/forms?status=forbidden", false),
        ("/linkedin-user-profiles?authorization=authorized", true),
        ("/linkedin-user-profiles?authorization=expired", false),
        ("/campaigns?status=archived", false),
        ("/sync-status/forms?status=pending", true),
        ("/sync-status/forms?status=forbidden", false),
    ] {
        let page = browser.get(path).await.expect(200);
        assert_eq!(
            page.text().contains("matches"),
            !shows,
            "{path}\n{}",
            page.text()
        );
    }
    for path in [
        "/linkedin-accounts?state=x",
        "/campaigns?status=x",
        "/sync-status/forms?status=x",
    ] {
        browser.get(path).await.expect(400);
    }
    portal.database.execute(&format!(
        "UPDATE linkedin_accounts SET next_sync_at = '2026-03-02 12:00:00', last_campaign_sync_at = '2026-03-02 09:00:00' WHERE id = '{}'",
        world.account
    ));
    for path in [
        "/linkedin-accounts",
        "/forms",
        "/campaigns",
        "/sync-status/forms",
    ] {
        browser
            .get(path)
            .await
            .expect(200)
            .expect_text("in 2 hours");
    }
}

#[tokio::test]
async fn the_limits_page_counts_and_tells_what_is_closed() {
    let (portal, world) = with_world().await;
    portal.database.execute(&format!(
        "INSERT INTO api_calls (day, endpoint, profile_id, calls, refused) VALUES ('2026-03-02', 'leadFormResponses', '{0}', 41, 1), ('2026-03-01', 'leadForms', '{0}', 7, 0); \
         INSERT INTO endpoint_blocks (endpoint, profile_id, blocked_until, reason) VALUES ('leadForms', '', '2026-03-03 00:00:00', 'daily_limit_reached'), ('adAccounts', '{0}', '2026-03-01 00:00:00', 'rate_limited')",
        world.profile
    ));
    let browser = portal.sign_in_as(&[Role::SalesManager]).await;
    let page = browser
        .get("/sync-status/limits")
        .await
        .expect(200)
        .expect_text("Requests today: at least 41")
        .expect_text("the whole application")
        .expect_text("goes on after 00:00 UTC")
        .expect_text("2026-03-01")
        .expect_text("50")
        .expect_no_text("adAccounts");
    shows_hostile_text_as_text(&page);
}
