//! LinkedIn's webhook over HTTP: the challenge, signatures, and deliveries that mean no harm whatever they are.

use hmac::{Hmac, KeyInit, Mac};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::records_world::world;
use crate::start::TestPortal;
use crate::support::records::seed_defaults;
use crate::support::{Browserlike, Page};

const PATH: &str = "/webhooks/linkedin";
const SECRET: &str = "the secret of the app";

fn hmac(text: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    let bytes = mac.finalize().into_bytes();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn portal() -> TestPortal {
    TestPortal::start_with(&[
        ("LEADGEN_LINKEDIN_CLIENT_ID", "the-app"),
        ("LEADGEN_LINKEDIN_CLIENT_SECRET", SECRET),
    ])
    .await
}

async fn deliver(portal: &TestPortal, body: &str, signature: &str) -> Page {
    deliver_by(&portal.browser(), body, signature).await
}

async fn deliver_by(client: &Browserlike, body: &str, signature: &str) -> Page {
    let headers = [
        ("content-type", "application/json"),
        ("x-li-signature", signature),
        // What a browser on another site would send is of no matter here.
        ("origin", "https://www.linkedin.com"),
    ];
    let page = client
        .request(Method::POST, PATH, &headers, Some(body.as_bytes().to_vec()))
        .await;
    assert_eq!(page.location(), None);
    assert_eq!(page.header("set-cookie"), None);
    assert!(!page.is_html(), "{}", page.body);
    page
}

async fn signed(portal: &TestPortal, event: &Value) -> Page {
    let body = event.to_string();
    deliver(portal, &body, &hmac(&format!("hmacsha256={body}"))).await
}

fn event(response: &str, action: &str, account: i64) -> Value {
    json!({
        "type": "LEAD_ACTION",
        "leadGenFormResponse": format!("urn:li:leadGenFormResponse:{response}"),
        "leadGenForm": "urn:li:versionedLeadGenForm:(urn:li:leadGenForm:7001,1)",
        "owner": { "sponsoredAccount": format!("urn:li:sponsoredAccount:{account}") },
        "leadType": "SPONSORED", "leadAction": action, "occurredAt": 1_789_894_599_288_i64
    })
}

/// The world's account, as one that is next due in an hour.
fn calm_account(portal: &TestPortal) -> i64 {
    seed_defaults(&mut portal.database.conn());
    world(&mut portal.database.conn());
    portal
        .database
        .execute("UPDATE linkedin_accounts SET next_sync_at = '2999-01-01 00:00:00'");
    portal
        .database
        .number("SELECT linkedin_id FROM linkedin_accounts")
}

fn is_due(portal: &TestPortal) -> bool {
    portal
        .database
        .number("SELECT count(*) FROM linkedin_accounts WHERE next_sync_at < '2998-01-01 00:00:00'")
        == 1
}

fn kept(portal: &TestPortal) -> i64 {
    portal
        .database
        .number("SELECT count(*) FROM lead_notifications")
}

#[tokio::test]
async fn the_challenge_is_answered_for_uuids_only_and_signs_nothing_else() {
    let portal = portal().await;
    let browser = portal.browser();
    let code = "890e4665-4dfe-4ab1-b689-ed553bceeed0";
    let page = browser
        .get(&format!("{PATH}?challengeCode={code}&applicationId=5"))
        .await
        .expect(200);
    assert!(
        page.header("content-type")
            .unwrap()
            .starts_with("application/json")
    );
    let answer: Value = serde_json::from_str(&page.body).unwrap();
    assert_eq!(
        answer,
        json!({ "challengeCode": code, "challengeResponse": hmac(code) })
    );
    assert_eq!(page.header("set-cookie"), None);
    for bad in [
        String::new(),
        "?challengeCode=".to_owned(),
        format!("?challengeCode={}", code.replace('-', "")),
        "?challengeCode=hmacsha256%3D%7B%22type%22%3A%22LEAD_ACTION%22%7D".to_owned(),
    ] {
        let page = browser.get(&format!("{PATH}{bad}")).await.expect(400);
        assert!(
            !page
                .body
                .contains(&hmac("hmacsha256={\"type\":\"LEAD_ACTION\"}"))
        );
    }
}

#[tokio::test]
async fn without_an_app_there_is_nothing_to_sign_with() {
    let portal = TestPortal::start().await;
    let browser = portal.browser();
    let code = "890e4665-4dfe-4ab1-b689-ed553bceeed0";
    browser
        .get(&format!("{PATH}?challengeCode={code}"))
        .await
        .expect(404);
    signed(&portal, &event("r-1", "CREATED", 1))
        .await
        .expect(404);
    assert_eq!(kept(&portal), 0);
}

#[tokio::test]
async fn an_announced_lead_makes_its_account_due_at_once_and_a_duplicate_changes_nothing() {
    let portal = portal().await;
    let account = calm_account(&portal);
    signed(&portal, &event("r-1", "CREATED", account))
        .await
        .expect(200);
    assert!(is_due(&portal));
    assert_eq!(kept(&portal), 1);
    portal.database.execute(
        "UPDATE linkedin_accounts SET next_sync_at = '2999-01-01 00:00:00', notified_at = NULL",
    );
    signed(&portal, &event("r-1", "CREATED", account))
        .await
        .expect(200);
    assert!(!is_due(&portal), "a duplicate asks LinkedIn nothing");
    assert_eq!(kept(&portal), 1);
}

#[tokio::test]
async fn an_account_that_failed_or_is_switched_off_keeps_its_distance() {
    let portal = portal().await;
    let account = calm_account(&portal);
    portal
        .database
        .execute("UPDATE linkedin_accounts SET failure_streak = 2");
    signed(&portal, &event("r-1", "CREATED", account))
        .await
        .expect(200);
    portal
        .database
        .execute("UPDATE linkedin_accounts SET failure_streak = 0, is_sync_enabled = FALSE");
    signed(&portal, &event("r-2", "CREATED", account))
        .await
        .expect(200);
    assert!(!is_due(&portal));
    assert_eq!(kept(&portal), 2);
}

#[tokio::test]
async fn whatever_linkedin_did_not_sign_is_refused_and_leaves_no_trace() {
    let portal = portal().await;
    let account = calm_account(&portal);
    let body = event("r-1", "CREATED", account).to_string();
    let right = hmac(&format!("hmacsha256={body}"));
    for (sent, signature) in [
        (body.clone(), String::new()),
        (body.clone(), "0".repeat(64)),
        (body.clone(), right.to_uppercase()),
        // Without the scheme, as the challenge signs.
        (body.clone(), hmac(&body)),
        (body.replace("r-1", "r-2"), right.clone()),
        (format!("{body} "), right.clone()),
    ] {
        let page = deliver(&portal, &sent, &signature).await.expect(401);
        assert!(!page.body.contains("r-1"));
    }
    let page = portal
        .browser()
        .request(Method::POST, PATH, &[], Some(body.clone().into_bytes()))
        .await;
    assert_eq!(page.status, 401, "without a signature");
    assert_eq!(kept(&portal), 0);
    assert!(!is_due(&portal));
    assert!(portal.audit().is_empty());
    deliver(&portal, &body, &right).await.expect(200);
    assert_eq!(kept(&portal), 1);
}

#[tokio::test]
async fn unknown_accounts_unknown_kinds_and_nonsense_are_harmless() {
    let portal = portal().await;
    let account = calm_account(&portal);
    signed(&portal, &event("r-1", "CREATED", account + 1))
        .await
        .expect(200);
    signed(&portal, &event("r-1", "MOVED", account))
        .await
        .expect(200);
    signed(&portal, &json!([])).await.expect(200);
    signed(&portal, &json!({ "type": "SOMETHING_ELSE" }))
        .await
        .expect(200);
    let mut nul = event("r\u{0}1", "CREATED", account);
    signed(&portal, &nul).await.expect(200);
    nul["occurredAt"] = i64::MAX.into();
    signed(&portal, &nul).await.expect(200);
    assert_eq!(kept(&portal), 1, "only the one of the unknown account");
    assert!(!is_due(&portal));
    let large = format!("{{\"type\":\"{}\"}}", "x".repeat(70_000));
    deliver(&portal, &large, &hmac(&format!("hmacsha256={large}")))
        .await
        .expect(413);
}

#[tokio::test]
async fn a_flood_is_taken_up_to_a_limit_and_strangers_do_not_use_it_up() {
    let portal = portal().await;
    let account = calm_account(&portal);
    let client = portal.browser();
    let body = event("r-1", "CREATED", account).to_string();
    let signature = hmac(&format!("hmacsha256={body}"));
    for _ in 0..50 {
        deliver_by(&client, "{}", "wrong").await.expect(401);
    }
    let mut turned_away = 0;
    for _ in 0..1_010 {
        let page = deliver_by(&client, &body, &signature).await;
        match page.status {
            200 => assert_eq!(turned_away, 0),
            429 => {
                assert!(page.header("retry-after").is_some());
                turned_away += 1;
            }
            status => panic!("{status}"),
        }
    }
    assert_eq!(
        turned_away, 10,
        "the clock stands still: a burst and no more"
    );
    assert_eq!(kept(&portal), 1);
}

#[tokio::test]
async fn other_methods_and_other_hosts_are_turned_away() {
    let portal = portal().await;
    let browser = portal.browser();
    let page = browser.request(Method::DELETE, PATH, &[], None).await;
    assert_eq!(page.status, 405);
    assert_eq!(page.header("allow"), Some("GET, HEAD, POST"));
    let page = browser
        .request(Method::GET, PATH, &[("host", "evil.test")], None)
        .await;
    assert_eq!(page.status, 421);
}
