//! Settings › API tokens: made once and shown once, listed, revoked; nobody but Administrators.

use leadgen::domain::access::Role;
use reqwest::Method;

use crate::records_world::{HOSTILE, shows_hostile_text_as_text};
use crate::start::TestPortal;
use crate::support::Browserlike;

async fn status_of(portal: &TestPortal, token: &str) -> u16 {
    let bearer = format!("Bearer {token}");
    let headers = [
        ("authorization", bearer.as_str()),
        ("accept", "application/json"),
    ];
    let browser: Browserlike = portal.browser();
    browser
        .request(Method::GET, "/api/v1/leads", &headers, None)
        .await
        .status
}

#[tokio::test]
async fn a_token_is_shown_once_works_at_once_and_no_longer_once_it_is_revoked() {
    let portal = TestPortal::start().await;
    let browser = portal.sign_in_as(&[Role::Administrator]).await;
    let page = browser
        .get("/settings/api-tokens")
        .await
        .expect(200)
        .expect_text("No program has a token yet");
    let page = browser.get(&page.link("New token")).await.expect(200);
    let fields = [
        ("name", Some(HOSTILE)),
        ("role", Some("read_only")),
        ("lifetime", Some("30_days")),
    ];
    let page = browser
        .submit(&page, "Make token", &fields)
        .await
        .expect(201);
    assert_eq!(page.header("cache-control"), Some("no-store"));
    shows_hostile_text_as_text(&page);
    let token = page
        .body
        .split("<code class=\"secret\">")
        .nth(1)
        .and_then(|rest| rest.split('<').next())
        .unwrap()
        .to_owned();
    assert_eq!(token.len(), 68);
    assert_eq!(status_of(&portal, &token).await, 200);
    // From here on the token is nowhere: not in the database, not on a page, not in a cookie.
    let kept = portal.database.texts(
        "SELECT token_hash || prefix || name AS value FROM api_tokens \
         UNION ALL SELECT coalesce(after_state, '') || object_name AS value FROM audit_entries",
    );
    assert!(kept.iter().all(|text| !text.contains(&token)), "{kept:?}");
    assert!(
        browser
            .cookies()
            .values()
            .all(|value| !value.contains(&token))
    );
    let page = browser
        .get("/settings/api-tokens")
        .await
        .expect(200)
        .expect_text("Active")
        .expect_text(&token[..12])
        .expect_no_text(&token);
    shows_hostile_text_as_text(&page);
    let id = portal
        .database
        .texts("SELECT id AS value FROM api_tokens")
        .remove(0);
    let path = format!("/settings/api-tokens/{id}");
    let page = browser
        .get(&path)
        .await
        .expect(200)
        .expect_no_text(&token)
        .expect_text("Created");
    shows_hostile_text_as_text(&page);
    browser
        .submit_and_follow(&page, "Revoke token", &[])
        .await
        .expect(200)
        .expect_text("Revoked");
    assert_eq!(status_of(&portal, &token).await, 401);
    browser
        .post_with_token_of("/settings/api-tokens", &format!("{path}/revocation"), &[])
        .await
        .expect(409);
    browser
        .get(&path)
        .await
        .expect(200)
        .expect_no_text("Revoke token");
    assert_eq!(
        portal
            .audit()
            .iter()
            .filter(|action| action.starts_with("api_token."))
            .collect::<Vec<_>>(),
        ["api_token.created", "api_token.revoked"]
    );
}

#[tokio::test]
async fn bad_input_comes_back_with_what_was_entered_and_makes_no_token() {
    let portal = TestPortal::start().await;
    let browser = portal.sign_in_as(&[Role::Administrator]).await;
    let good = [
        ("name", "Warehouse"),
        ("role", "s2s_inbound"),
        ("lifetime", "365_days"),
    ];
    for (field, bad, message) in [
        ("name", " ", "Enter a name"),
        ("name", "a\nb", "line breaks"),
        ("role", "administrator", "Choose one of the roles"),
        ("lifetime", "forever", "Choose one of the lifetimes"),
    ] {
        let mut fields = good;
        for pair in &mut fields {
            if pair.0 == field {
                pair.1 = bad;
            }
        }
        let page = browser
            .post_with_token_of("/settings/api-tokens/new", "/settings/api-tokens", &fields)
            .await
            .expect(422)
            .expect_text(message);
        if field != "name" {
            assert!(page.body.contains("value=\"Warehouse\""));
        }
    }
    assert_eq!(portal.database.number("SELECT count(*) FROM api_tokens"), 0);
}
