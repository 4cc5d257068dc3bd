//! Denied access of signed-in people in the audit log.

use chrono::TimeDelta;
use leadgen::domain::access::Role;

use crate::start::TestPortal;

fn denials(portal: &TestPortal) -> Vec<String> {
    portal.database.texts(
        "SELECT actor_name || ' ' || object_name || ' ' || after_state FROM audit_entries \
         WHERE action = 'access.denied' ORDER BY actor_name, object_name",
    )
}

#[tokio::test]
async fn whoever_is_refused_a_page_stands_in_the_audit_log_once_a_minute_for_each_route() {
    let portal = TestPortal::start().await;
    let sam = portal.sign_in_as(&[Role::Salesperson]).await;
    for number in 0..5 {
        sam.get(&format!("/settings/users/secret-{number}?q=secret"))
            .await
            .expect(403);
    }
    let first = denials(&portal);
    assert_eq!(first.len(), 1, "{first:?}");
    assert!(first[0].contains("GET /settings/users/{id}"), "{first:?}");
    assert!(first[0].contains("no role allows to"), "{first:?}");
    let everything = portal.database.texts(
        "SELECT object_id || object_name || coalesce(before_state, '') || coalesce(after_state, '') FROM audit_entries",
    );
    assert!(!everything.concat().contains("secret"), "{everything:?}");

    sam.get("/settings/audit-log").await.expect(403);
    let other = portal.sign_in_as(&[Role::SalesManager]).await;
    other.get("/settings/users/x").await.expect(403);
    assert_eq!(denials(&portal).len(), 3);
    portal.clock.advance(TimeDelta::minutes(1));
    sam.get("/settings/users/x").await.expect(403);
    assert_eq!(denials(&portal).len(), 4);
}

#[tokio::test]
async fn a_form_with_a_strange_token_is_noted_and_a_stranger_is_only_asked_to_sign_in() {
    let portal = TestPortal::start().await;
    let sam = portal.sign_in_as(&[Role::Salesperson]).await;
    sam.request(
        reqwest::Method::POST,
        "/account",
        &[
            ("content-type", "application/x-www-form-urlencoded"),
            ("sec-fetch-site", "same-origin"),
        ],
        Some(b"csrf_token=wrong&name=Mallory".to_vec()),
    )
    .await
    .expect(403);
    let noted = denials(&portal);
    assert_eq!(noted.len(), 1, "{noted:?}");
    assert!(noted[0].contains("POST /account"), "{noted:?}");
    assert!(!noted[0].contains("Mallory"), "{noted:?}");
    portal.browser().get("/settings/users").await.expect(303);
    sam.get("/settings/nowhere").await.expect(404);
    assert_eq!(denials(&portal).len(), 1);
}

#[tokio::test]
async fn the_audit_log_tells_a_refusal_in_words() {
    let portal = TestPortal::start().await;
    let sam = portal.sign_in_as(&[Role::Salesperson]).await;
    sam.get("/settings/users").await.expect(403);
    let admin = portal.sign_in_as(&[Role::Administrator]).await;
    admin
        .get("/settings/audit-log?action=access.denied")
        .await
        .expect(200)
        .expect_text("Access denied: no role allows to")
        .expect_text("GET /settings/users");
}
