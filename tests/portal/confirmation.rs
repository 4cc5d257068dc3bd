//! Re-authentication: what an open session alone must not be able to do.

use chrono::TimeDelta;
use leadgen::domain::access::Role;
use leadgen::web::routes::table;

use crate::start::{PASSWORD, TestPortal};
use crate::support::a_user;

/// Lines that the issue names: whoever took an open session over must not be able to use them.
const DANGEROUS: &[(&str, &str)] = &[
    ("GET", "/sync-status/resets"),
    ("POST", "/sync-status/resets"),
    ("POST", "/settings/linkedin-account-connections"),
    ("POST", "/settings/users"),
    ("POST", "/settings/users/{id}"),
    ("POST", "/settings/users/{id}/password"),
    ("POST", "/settings/users/{id}/password-links"),
    ("POST", "/settings/users/{id}/invitations"),
    ("POST", "/settings/users/invitations"),
    ("POST", "/settings/api-tokens"),
    ("POST", "/settings/webhooks"),
    ("POST", "/settings/webhooks/{id}"),
    ("POST", "/settings/webhooks/{id}/secrets"),
    ("GET", "/settings/organizations/new"),
    ("POST", "/settings/organizations"),
    ("GET", "/settings/organizations/{id}/edit"),
    ("POST", "/settings/organizations/{id}"),
    ("POST", "/settings/organizations/{id}/key"),
];

#[test]
fn dangerous_acts_ask_who_it_is() {
    for (method, path) in DANGEROUS {
        let line = table()
            .into_iter()
            .find(|line| line.method == *method && line.path == *path)
            .unwrap_or_else(|| panic!("{method} {path} is not in the table"));
        assert!(line.is_fresh, "{method} {path}");
    }
}

#[tokio::test]
async fn a_page_asks_who_it_is_after_ten_minutes_and_then_goes_on() {
    let portal = TestPortal::start().await;
    portal.add(
        a_user()
            .email("ada@example.com")
            .name("Ada")
            .role(Role::Administrator),
    );
    let browser = portal.sign_in("ada@example.com").await;
    portal
        .clock
        .advance(TimeDelta::minutes(10) - TimeDelta::seconds(1));
    browser.get("/sync-status/resets").await.expect(200);
    portal.clock.advance(TimeDelta::seconds(1));
    let answer = browser.get("/sync-status/resets").await.expect(303);
    assert_eq!(
        answer.location(),
        Some("/account/confirmation?to=%2Fsync-status%2Fresets")
    );
    let before = browser.cookies();
    let page = browser.follow(answer).await.expect(200);
    let page = browser
        .submit(&page, "Go on", &[("password", Some("wrong"))])
        .await
        .expect(422)
        .expect_text("This is not your password.");
    browser.get("/sync-status/resets").await.expect(303);
    let answer = browser
        .submit(&page, "Go on", &[("password", Some(PASSWORD))])
        .await
        .expect(303);
    assert_eq!(answer.location(), Some("/sync-status/resets"));
    browser
        .follow(answer)
        .await
        .expect(200)
        .expect_text("Type RESET");
    // The session goes on under another id, and the one before is dead.
    let old = portal.browser();
    for (name, value) in before {
        old.set_cookie(&name, &value);
    }
    old.get("/account").await.expect(303);
    assert_eq!(portal.database.number("SELECT count(*) FROM sessions"), 1);
    assert!(portal.audit().contains(&"session.confirmed".to_owned()));
}

#[tokio::test]
async fn a_change_is_refused_when_the_form_was_open_for_too_long_and_nothing_changes() {
    let portal = TestPortal::start().await;
    let browser = portal.sign_in_as(&[Role::Administrator]).await;
    let page = browser.get("/sync-status/resets").await.expect(200);
    let fields = [("confirmation", Some("RESET"))];
    portal.clock.advance(TimeDelta::minutes(15));
    let refused = browser
        .submit(&page, "Reset Synchronization", &fields)
        .await
        .expect(403)
        .expect_text("Confirm that it is you")
        .expect_text("Nothing was changed");
    assert_eq!(
        portal
            .database
            .number("SELECT count(*) FROM synchronization_resets"),
        0
    );
    let page = browser
        .get(&refused.link("Confirm that it is you"))
        .await
        .expect(200);
    let page = browser
        .submit_and_follow(&page, "Go on", &[("password", Some(PASSWORD))])
        .await
        .expect(200);
    browser
        .submit(&page, "Reset Synchronization", &fields)
        .await
        .expect(303);
}

#[tokio::test]
async fn a_users_page_shows_no_change_of_access_until_it_is_confirmed_who_asks() {
    let portal = TestPortal::start().await;
    let id = portal.add(a_user().email("sam@example.com").name("Sam"));
    let browser = portal.sign_in_as(&[Role::Administrator]).await;
    portal.clock.advance(TimeDelta::minutes(11));
    let path = format!("/settings/users/{id}");
    let page = browser
        .get(&path)
        .await
        .expect(200)
        .expect_no_text("Save access")
        .expect_no_text("Make a new password");
    browser
        .post_with_token_of(&path, &format!("{path}/sessions/end"), &[])
        .await
        .expect(303);
    let page = browser
        .get(&page.link("Confirm that it is you"))
        .await
        .expect(200);
    browser
        .submit_and_follow(&page, "Go on", &[("password", Some(PASSWORD))])
        .await
        .expect(200)
        .expect_text("Save access");
}

#[tokio::test]
async fn the_confirmation_leads_only_to_own_pages_and_guesses_are_throttled() {
    let portal = TestPortal::start().await;
    let browser = portal.sign_in_as(&[Role::Administrator]).await;
    for bad in ["//evil.test", "https://evil.test/", "/sign-out", "\\evil"] {
        let fields = [("to", bad), ("password", PASSWORD)];
        let answer = browser
            .post_with_token_of("/account", "/account/confirmation", &fields)
            .await
            .expect(303);
        assert_eq!(answer.location(), Some("/account"), "{bad}");
    }
    let mut is_throttled = false;
    for _ in 0..12 {
        let page = browser
            .post_with_token_of(
                "/account",
                "/account/confirmation",
                &[("password", "wrong")],
            )
            .await
            .expect(422);
        is_throttled |= page.text().contains("too many attempts");
    }
    assert!(is_throttled);
}
