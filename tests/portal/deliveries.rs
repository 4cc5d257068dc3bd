//! Webhooks and deliveries: made on the page, told about leads over real HTTPS, in trouble, and tried again.

use leadgen::domain::access::Role;
use leadgen::domain::lead::LeadStatus;
use leadgen::store::deliveries::list;
use leadgen::sync::delivery;

use crate::start::TestPortal;
use crate::support::receiver::Receiver;
use crate::support::{Browserlike, Page, a_lead};

async fn portal(receiver: &Receiver) -> TestPortal {
    TestPortal::start_with(&[
        ("LEADGEN_ALLOW_PRIVATE_DESTINATIONS", "true"),
        ("LEADGEN_DESTINATION_CA_FILE", receiver.certificate()),
    ])
    .await
}

fn secret_on(page: &Page) -> String {
    let rest = page.body.split("<code class=\"secret\">").nth(1).unwrap();
    rest.split('<').next().unwrap().to_owned()
}

/// Makes a webhook on its page; answers its secret and the path of its page.
async fn a_webhook(browser: &Browserlike, receiver: &Receiver) -> (String, String) {
    let page = browser.get("/settings/webhooks/new").await.expect(200);
    let fields = [
        ("name", Some("Marketing")),
        ("url", Some(receiver.url.as_str())),
    ];
    let page = browser
        .submit(&page, "Make webhook", &fields)
        .await
        .expect(201);
    (secret_on(&page), page.link("Done"))
}

/// Lets what waits for another attempt or for the destination's rest be due now.
fn time_passes(portal: &TestPortal) {
    portal.database.execute(
        "UPDATE deliveries SET next_attempt_at = created_at WHERE state IN ('pending', 'failed'); \
         UPDATE delivery_lanes SET not_before = created_at;",
    );
}

fn states(portal: &TestPortal) -> Vec<String> {
    portal
        .database
        .texts("SELECT event || ' ' || state AS value FROM deliveries ORDER BY id")
}

#[tokio::test]
async fn a_lead_is_told_signed_and_its_changes_meanwhile_are_one_message_of_the_latest_values() {
    let receiver = Receiver::start();
    let portal = portal(&receiver).await;
    let browser = portal.sign_in_as(&[Role::Administrator]).await;
    let (secret, path) = a_webhook(&browser, &receiver).await;
    let lead = a_lead()
        .name("Ada", "Lovelace")
        .email("ada@example.com")
        .insert(&mut portal.database.conn());
    assert_eq!(delivery::run_due(&portal.sync).await.unwrap(), 1);
    let received = receiver.take();
    assert_eq!(received.len(), 1);
    assert_eq!(received[0].kind, "lead.created");
    assert_eq!(received[0].body["data"]["id"], lead.as_str());
    assert_eq!(
        received[0].body["data"]["fields"]["email"],
        "ada@example.com"
    );
    assert!(received[0].is_signed_with(&secret));
    assert!(!received[0].is_signed_with("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="));

    for company in ["Analytical Engines", "Engines of Analysis"] {
        let page = browser
            .get(&format!("/leads/{lead}/edit"))
            .await
            .expect(200);
        browser
            .submit(&page, "Save", &[("company_name", Some(company))])
            .await
            .expect(303);
    }
    assert_eq!(delivery::run_due(&portal.sync).await.unwrap(), 1);
    let received = receiver.take();
    assert_eq!(received[0].kind, "lead.updated");
    assert_eq!(
        received[0].body["data"]["fields"]["company_name"],
        "Engines of Analysis"
    );

    // A new secret: for a day both sign.
    let page = browser.get(&path).await.expect(200);
    let page = browser
        .submit(&page, "Make a new secret", &[])
        .await
        .expect(201);
    let new_secret = secret_on(&page);
    let page = browser.get(&path).await.expect(200);
    let page = browser
        .submit_and_follow(&page, "Send a test", &[])
        .await
        .expect(200);
    page.expect_text("A test message is on its way");
    delivery::run_due(&portal.sync).await.unwrap();
    let received = receiver.take();
    assert_eq!(received[0].kind, "test");
    assert!(received[0].is_signed_with(&secret) && received[0].is_signed_with(&new_secret));

    // The secrets are nowhere in clear, and neither is the address in the audit log.
    let kept = portal.database.texts(
        "SELECT coalesce(before_state, '') || coalesce(after_state, '') AS value FROM audit_entries",
    );
    assert!(
        kept.iter()
            .all(|text| !text.contains("/hooks/leads") && !text.contains("whsec_"))
    );
}

#[tokio::test]
async fn a_destination_in_trouble_is_left_alone_and_everything_arrives_afterwards_once() {
    let receiver = Receiver::start();
    let portal = portal(&receiver).await;
    let browser = portal.sign_in_as(&[Role::Administrator]).await;
    let (_, path) = a_webhook(&browser, &receiver).await;
    for number in 0..20 {
        a_lead()
            .email(&format!("{number}@example.com"))
            .insert(&mut portal.database.conn());
    }
    receiver.answers(&[(503, None), (503, None), (429, Some("120"))]);
    delivery::run_due(&portal.sync).await.unwrap();
    // One group was tried, and the rest was not.
    assert_eq!(receiver.take().len(), 8);
    browser
        .get(&path)
        .await
        .expect(200)
        .expect_text("Error of the service");
    // Nothing is tried while it rests.
    assert_eq!(delivery::run_due(&portal.sync).await.unwrap(), 0);
    assert!(receiver.take().is_empty());
    time_passes(&portal);
    assert_eq!(delivery::run_due(&portal.sync).await.unwrap(), 15);
    let ids: std::collections::BTreeSet<String> = receiver
        .take()
        .into_iter()
        .map(|message| message.id)
        .collect();
    assert_eq!(ids.len(), 15);
    assert!(
        states(&portal)
            .iter()
            .all(|state| state == "lead_created delivered")
    );
    assert_eq!(
        portal
            .database
            .number("SELECT count(*) AS value FROM delivery_attempts WHERE status = 503"),
        2
    );
    browser.get(&path).await.expect(200).expect_text("Working");
}

#[tokio::test]
async fn the_order_of_a_lead_is_kept_and_a_refused_message_stops_only_its_own_lead() {
    let receiver = Receiver::start();
    let portal = portal(&receiver).await;
    let browser = portal.sign_in_as(&[Role::Administrator]).await;
    a_webhook(&browser, &receiver).await;
    let refused = a_lead()
        .email("refused@example.com")
        .insert(&mut portal.database.conn());
    receiver.answers(&[(422, None)]);
    delivery::run_due(&portal.sync).await.unwrap();
    let page = browser
        .get(&format!("/leads/{refused}/edit"))
        .await
        .expect(200);
    let status = [("status", Some(LeadStatus::Contacted.as_str()))];
    browser.submit(&page, "Save", &status).await.expect(303);
    a_lead()
        .email("well@example.com")
        .insert(&mut portal.database.conn());
    receiver.take();
    assert_eq!(delivery::run_due(&portal.sync).await.unwrap(), 1);
    assert_eq!(
        receiver.take()[0].body["data"]["fields"]["email"],
        "well@example.com"
    );
    time_passes(&portal);
    delivery::run_due(&portal.sync).await.unwrap();
    let kinds: Vec<String> = receiver
        .take()
        .into_iter()
        .map(|message| message.kind)
        .collect();
    assert_eq!(
        kinds,
        ["lead.created", "lead.updated", "lead.status_changed"]
    );
}

#[tokio::test]
async fn a_dead_delivery_is_retried_by_a_person_and_a_pause_holds() {
    let receiver = Receiver::start();
    let portal = portal(&receiver).await;
    let browser = portal.sign_in_as(&[Role::Administrator]).await;
    a_webhook(&browser, &receiver).await;
    a_lead()
        .email("dead@example.com")
        .insert(&mut portal.database.conn());
    for _ in 0..11 {
        receiver.answers(&[(400, None)]);
        time_passes(&portal);
        delivery::run_due(&portal.sync).await.unwrap();
    }
    assert_eq!(states(&portal), ["lead_created dead"]);
    let page = browser.get("/deliveries?state=dead").await.expect(200);
    browser
        .submit_and_follow(&page, "Retry all failed and dead ones that match", &[])
        .await
        .expect(200)
        .expect_text("One delivery is tried again now.");
    let page = browser.get("/deliveries").await.expect(200);
    browser
        .submit_and_follow(&page, "Pause Marketing", &[])
        .await
        .expect(200)
        .expect_text("Paused by");
    receiver.take();
    delivery::run_due(&portal.sync).await.unwrap();
    assert!(receiver.take().is_empty());
    let page = browser.get("/deliveries").await.expect(200);
    browser
        .submit(&page, "Resume Marketing", &[])
        .await
        .expect(303);
    assert_eq!(delivery::run_due(&portal.sync).await.unwrap(), 1);
    assert_eq!(states(&portal), ["lead_created delivered"]);
}

#[tokio::test]
async fn a_webhook_that_failed_often_and_for_days_is_switched_off_and_said_so() {
    let receiver = Receiver::start();
    let portal = portal(&receiver).await;
    let browser = portal.sign_in_as(&[Role::Administrator]).await;
    let (_, path) = a_webhook(&browser, &receiver).await;
    a_lead().insert(&mut portal.database.conn());
    let now = portal.clock.now();
    for (count, days, is_off) in [(18, 6, false), (30, 4, false), (19, 5, true)] {
        let since = (now - chrono::TimeDelta::days(days)).format("%Y-%m-%d %H:%M:%S");
        portal.database.execute(&format!(
            "UPDATE delivery_lanes SET trouble = 'service_error', trouble_count = {count}, trouble_since = '{since}'"
        ));
        receiver.answers(&[(500, None)]);
        time_passes(&portal);
        delivery::run_due(&portal.sync).await.unwrap();
        let off = portal.audit().contains(&"webhook.disabled".to_owned());
        assert_eq!(off, is_off, "{count} troubles in {days} days");
    }
    assert_eq!(receiver.take().len(), 3);
    browser
        .get(&path)
        .await
        .expect(200)
        .expect_text("Switched off");
    time_passes(&portal);
    assert_eq!(delivery::run_due(&portal.sync).await.unwrap(), 0);
    assert!(receiver.take().is_empty());
}

#[tokio::test]
async fn what_arrived_is_kept_for_a_while_and_what_did_not_until_somebody_sees_to_it() {
    let receiver = Receiver::start();
    let portal = portal(&receiver).await;
    let browser = portal.sign_in_as(&[Role::Administrator]).await;
    a_webhook(&browser, &receiver).await;
    for _ in 0..2 {
        a_lead().insert(&mut portal.database.conn());
    }
    receiver.answers(&[(204, None), (400, None)]);
    delivery::run_due(&portal.sync).await.unwrap();
    let mut conn = portal.database.conn();
    let day = chrono::TimeDelta::days(1);
    let now = leadgen::store::database_now(&mut conn).unwrap();
    let delete = |conn: &mut _, before| list::delete_delivered_before(conn, before).unwrap();
    assert_eq!(delete(&mut conn, now - day), 0);
    assert_eq!(delete(&mut conn, now + day), 1);
    assert_eq!(states(&portal), ["lead_created failed"]);
    assert_eq!(
        portal
            .database
            .number("SELECT count(*) FROM delivery_attempts"),
        1
    );
}

#[tokio::test]
async fn gone_switches_a_webhook_off_and_a_redirect_is_not_followed() {
    let receiver = Receiver::start();
    let portal = portal(&receiver).await;
    let browser = portal.sign_in_as(&[Role::Administrator]).await;
    let (_, path) = a_webhook(&browser, &receiver).await;
    a_lead()
        .email("one@example.com")
        .insert(&mut portal.database.conn());
    receiver.answers(&[(302, None), (410, None)]);
    delivery::run_due(&portal.sync).await.unwrap();
    browser
        .get(&path)
        .await
        .expect(200)
        .expect_text("Redirects are not followed");
    time_passes(&portal);
    delivery::run_due(&portal.sync).await.unwrap();
    assert_eq!(receiver.take().len(), 2);
    browser
        .get(&path)
        .await
        .expect(200)
        .expect_text("Switched off because the address answered 410 Gone");
    assert!(portal.audit().contains(&"webhook.disabled".to_owned()));
    // Nothing is queued for it any more.
    a_lead()
        .email("two@example.com")
        .insert(&mut portal.database.conn());
    assert_eq!(states(&portal).len(), 1);
}

#[tokio::test]
async fn a_worker_that_vanished_leaves_nothing_undelivered() {
    let receiver = Receiver::start();
    let portal = portal(&receiver).await;
    let browser = portal.sign_in_as(&[Role::Administrator]).await;
    a_webhook(&browser, &receiver).await;
    let lead = a_lead()
        .email("one@example.com")
        .insert(&mut portal.database.conn());
    // As kill -9 leaves it: taken, and the lease run out; and the lead was changed meanwhile.
    portal.database.execute(
        "UPDATE deliveries SET state = 'in_progress'; \
         UPDATE delivery_lanes SET lease_owner = 'gone', lease_expires_at = created_at, lease_term = 1;",
    );
    let page = browser
        .get(&format!("/leads/{lead}/edit"))
        .await
        .expect(200);
    browser
        .submit(&page, "Save", &[("company_name", Some("Later"))])
        .await
        .expect(303);
    assert_eq!(delivery::run_due(&portal.sync).await.unwrap(), 2);
    let kinds: Vec<String> = receiver
        .take()
        .into_iter()
        .map(|message| message.kind)
        .collect();
    assert_eq!(kinds, ["lead.created", "lead.updated"]);
}

#[tokio::test]
async fn an_address_inside_the_network_is_refused_with_the_values_kept() {
    let portal = TestPortal::start().await;
    let browser = portal.sign_in_as(&[Role::Administrator]).await;
    let page = browser.get("/settings/webhooks/new").await.expect(200);
    for (url, why) in [
        ("http://example.com/", "must begin with https://"),
        ("https://192.168.0.1/hook", "not on the public internet"),
        ("https://localhost/", "not on the public internet"),
        ("nonsense", "Enter an address like"),
    ] {
        let fields = [("name", Some("Inside")), ("url", Some(url))];
        let answer = browser
            .submit(&page, "Make webhook", &fields)
            .await
            .expect(422);
        let answer = answer.expect_text(why);
        assert!(answer.body.contains(&format!("value=\"{url}\"")), "{url}");
    }
    assert_eq!(
        portal
            .database
            .number("SELECT count(*) AS value FROM webhooks"),
        0
    );
}

/// Whether the only queue was told to rest.
fn rests(portal: &TestPortal) -> bool {
    let database = &portal.database;
    database.number("SELECT count(*) FROM delivery_lanes WHERE not_before > created_at") > 0
}

#[tokio::test]
async fn a_mended_address_and_a_test_are_tried_at_once_whatever_rest_the_old_one_asked_for() {
    let receiver = Receiver::start();
    let portal = portal(&receiver).await;
    let browser = portal.sign_in_as(&[Role::Administrator]).await;
    let (_, path) = a_webhook(&browser, &receiver).await;
    a_lead()
        .email("one@example.com")
        .insert(&mut portal.database.conn());
    receiver.answers(&[(429, Some("86400"))]);
    delivery::run_due(&portal.sync).await.unwrap();
    assert_eq!(receiver.take().len(), 1);
    assert_eq!(delivery::run_due(&portal.sync).await.unwrap(), 0);
    // Another name changes nothing of that.
    let page = browser.get(&path).await.expect(200);
    let fields = [("name", Some("Marketing team"))];
    browser.submit(&page, "Save", &fields).await.expect(303);
    assert_eq!(delivery::run_due(&portal.sync).await.unwrap(), 0);
    assert!(receiver.take().is_empty() && rests(&portal));

    let page = browser.get(&path).await.expect(200);
    let mended = format!("{}?mended=1", receiver.url);
    let fields = [("url", Some(mended.as_str()))];
    browser.submit(&page, "Save", &fields).await.expect(303);
    // What waited for its own next attempt goes, too.
    assert_eq!(delivery::run_due(&portal.sync).await.unwrap(), 1);
    assert_eq!(receiver.take().len(), 1);

    a_lead()
        .email("two@example.com")
        .insert(&mut portal.database.conn());
    receiver.answers(&[(429, Some("86400"))]);
    delivery::run_due(&portal.sync).await.unwrap();
    receiver.take();
    let page = browser.get(&path).await.expect(200);
    browser
        .submit_and_follow(&page, "Send a test", &[])
        .await
        .expect(200)
        .expect_text("A test message is on its way");
    // Whatever else is due by then.
    delivery::run_due(&portal.sync).await.unwrap();
    assert!(receiver.take().iter().any(|one| one.kind == "test"));
    assert!(portal.audit().contains(&"webhook.tested".to_owned()));
}

#[tokio::test]
async fn a_test_is_refused_while_the_webhook_is_paused_or_switched_off() {
    let receiver = Receiver::start();
    let portal = portal(&receiver).await;
    let browser = portal.sign_in_as(&[Role::Administrator]).await;
    let (_, path) = a_webhook(&browser, &receiver).await;
    for (button, place, words) in [
        ("Pause Marketing", "/deliveries", "This webhook is paused"),
        (
            "Switch off",
            path.as_str(),
            "This webhook is switched off: switch it on first.",
        ),
    ] {
        let page = browser.get(place).await.expect(200);
        browser.submit(&page, button, &[]).await.expect(303);
        let page = browser.get(&path).await.expect(200);
        let refused = browser.submit(&page, "Send a test", &[]).await;
        assert!(refused.status >= 400, "{}", refused.status);
        refused.expect_text(words);
    }
    assert!(states(&portal).is_empty());
    assert!(!portal.audit().contains(&"webhook.tested".to_owned()));
}
