//! Mail over a real SMTP server: invitations, links for a new password, the test mail; and a server that is away.

use leadgen::domain::access::Role;
use leadgen::sync::mails::run_due;
use serde_json::Value;

use crate::start::TestPortal;
use crate::support::smtp_server::SmtpServer;
use crate::support::{Browserlike, a_user};

const FROM: &str = "Leadgen <leadgen@example.com>";

async fn portal(url: &str) -> (TestPortal, Browserlike) {
    let settings = [("LEADGEN_SMTP_URL", url), ("LEADGEN_MAIL_FROM", FROM)];
    let portal = TestPortal::start_with(&settings).await;
    portal.add(
        a_user()
            .email("ada@example.com")
            .name("Ada")
            .role(Role::Administrator),
    );
    let browser = portal.sign_in("ada@example.com").await;
    (portal, browser)
}

/// The path of the link in a mail.
fn link(message: &Value) -> String {
    let text = message["text"].as_str().unwrap();
    let line = text
        .lines()
        .find(|line| line.starts_with("http"))
        .unwrap_or_else(|| panic!("no link in {text}"));
    url::Url::parse(line.trim()).unwrap().path().to_owned()
}

/// Sends the form with the button of this delivery.
async fn invite(browser: &Browserlike, email: &str, delivery: &str) -> crate::support::Page {
    let fields = [("email", email), ("delivery", delivery)];
    browser
        .post_with_token_of(
            "/settings/users/invitations/new",
            "/settings/users/invitations",
            &fields,
        )
        .await
}

#[tokio::test]
async fn an_invitation_is_mailed_and_its_link_stands_nowhere_else() {
    let server = SmtpServer::start();
    let (portal, ada) = portal(&server.url()).await;
    ada.get("/settings/users/invitations/new")
        .await
        .expect(200)
        .expect_text("Invite by mail");
    let answer = invite(&ada, "Sam@Example.com", "mail").await.expect(303);
    let page = ada
        .follow(answer)
        .await
        .expect(200)
        .expect_text("on its way")
        .expect_text("Waiting");
    assert_eq!(run_due(&portal.sync).await.unwrap(), 1);
    let message = server.message();
    assert_eq!(message["to"], serde_json::json!(["Sam@Example.com"]));
    assert_eq!(message["from"], FROM);
    assert_eq!(message["subject"], "Your invitation to Leadgen Connector");
    let link = link(&message);
    ada.get(page.url.path())
        .await
        .expect(200)
        .expect_text("Sent");
    assert_eq!(
        portal
            .database
            .number("SELECT count(*) FROM mails WHERE state = 'sent' AND link IS NULL"),
        1
    );
    let sam = portal.browser();
    let page = sam.get(&link).await.expect(200);
    let fields = [
        ("name", Some("Sam")),
        ("new_password", Some("nine yellow tractors idle")),
        ("new_password_again", Some("nine yellow tractors idle")),
    ];
    sam.submit(&page, &link, &fields).await.expect(303);
    assert_eq!(run_due(&portal.sync).await.unwrap(), 0);
    assert!(server.is_silent());
}

#[tokio::test]
async fn a_mail_that_is_refused_or_put_off_is_told_on_the_persons_page() {
    let server = SmtpServer::start();
    let (portal, ada) = portal(&server.url()).await;
    let answer = invite(&ada, "refused@example.com", "mail")
        .await
        .expect(303);
    let refused = answer.location().unwrap().to_owned();
    let answer = invite(&ada, "later@example.com", "mail").await.expect(303);
    let later = answer.location().unwrap().to_owned();
    assert_eq!(run_due(&portal.sync).await.unwrap(), 0);
    ada.get(&refused)
        .await
        .expect(200)
        .expect_text("Failed")
        .expect_text("The mail server refused the message (code 550).");
    let page = ada
        .get(&later)
        .await
        .expect(200)
        .expect_text("Waiting")
        .expect_text("asked to try again later (code 451)");
    assert!(
        !page.text().contains("try again later later@"),
        "the server's own words"
    );
    portal
        .database
        .execute("UPDATE mails SET next_attempt_at = created_at");
    assert_eq!(run_due(&portal.sync).await.unwrap(), 1);
    assert_eq!(server.message()["to"][0], "later@example.com");
    // Whoever got no mail gets the link in another way.
    let page = ada.get(&refused).await.expect(200);
    let token = page.csrf_token().unwrap();
    let fields = [("csrf_token", token.as_str()), ("delivery", "shown")];
    ada.post_raw(&format!("{refused}/invitations"), &fields)
        .await
        .expect(201)
        .expect_text("only time the link is shown");
}

#[tokio::test]
async fn nothing_waits_for_a_server_that_is_away_and_a_withdrawn_link_is_not_mailed() {
    // A port that nobody listens on.
    let port = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let (portal, ada) = portal(&format!("smtp://127.0.0.1:{port}")).await;
    let answer = invite(&ada, "sam@example.com", "mail").await.expect(303);
    let path = answer.location().unwrap().to_owned();
    assert_eq!(run_due(&portal.sync).await.unwrap(), 0);
    let page = ada
        .get(&path)
        .await
        .expect(200)
        .expect_text("The mail server cannot be reached.");
    ada.submit(&page, "Withdraw the link", &[])
        .await
        .expect(303);
    assert_eq!(portal.database.number("SELECT count(*) FROM mails"), 0);
    // After the last attempt it is given up.
    let answer = invite(&ada, "bob@example.com", "mail").await.expect(303);
    for _ in 0..8 {
        run_due(&portal.sync).await.unwrap();
        portal
            .database
            .execute("UPDATE mails SET next_attempt_at = created_at");
    }
    ada.get(answer.location().unwrap())
        .await
        .expect(200)
        .expect_text("Failed");
    assert_eq!(
        portal
            .database
            .texts("SELECT state || ' ' || attempts AS value FROM mails WHERE link IS NULL"),
        ["failed 8"]
    );
}

async fn forgot(portal: &TestPortal, email: &str) -> crate::support::Page {
    let browser = portal.browser();
    let page = browser.get("/sign-in").await.expect(200);
    let page = browser
        .get(&page.link("Forgot your password?"))
        .await
        .expect(200);
    browser
        .submit(&page, "Send the link", &[("email", Some(email))])
        .await
}

/// Waits for what goes on beside the answers.
async fn mails(portal: &TestPortal, wanted: i64) {
    for _ in 0..200 {
        if portal.database.number("SELECT count(*) FROM mails") == wanted {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    panic!("{wanted} mails were expected");
}

#[tokio::test]
async fn a_forgotten_password_is_set_anew_and_strangers_learn_nothing() {
    let server = SmtpServer::start();
    let (portal, _) = portal(&server.url()).await;
    portal.add(a_user().email("sam@example.com").name("Sam"));
    let known = forgot(&portal, "sam@example.com").await.expect(200);
    let unknown = forgot(&portal, "nobody@example.com").await.expect(200);
    assert_eq!(
        known.text().replace("sam@", "x@"),
        unknown.text().replace("nobody@", "x@")
    );
    mails(&portal, 1).await;
    assert_eq!(run_due(&portal.sync).await.unwrap(), 1);
    let link = link(&server.message());
    assert!(link.starts_with("/password-resets/"));
    let sam = portal.browser();
    let page = sam.get(&link).await.expect(200);
    let fields = [
        ("new_password", Some("nine yellow tractors idle")),
        ("new_password_again", Some("nine yellow tractors idle")),
    ];
    sam.submit(&page, &link, &fields).await.expect(303);
    sam.sign_in("sam@example.com", "nine yellow tractors idle")
        .await
        .expect(200);
    forgot(&portal, "no address").await.expect(422);
    let mut is_throttled = false;
    for _ in 0..12 {
        is_throttled |= forgot(&portal, "nobody@example.com").await.status == 429;
    }
    assert!(is_throttled);
}

#[tokio::test]
async fn the_test_mail_goes_to_whoever_asks_for_it() {
    let server = SmtpServer::start();
    let (portal, ada) = portal(&server.url()).await;
    let page = ada
        .get("/settings/system")
        .await
        .expect(200)
        .expect_text("127.0.0.1")
        .expect_text(FROM);
    ada.submit(&page, "Send a test mail", &[]).await.expect(303);
    assert_eq!(run_due(&portal.sync).await.unwrap(), 1);
    let message = server.message();
    assert_eq!(message["to"][0], "ada@example.com");
    assert_eq!(message["subject"], "Test mail of Leadgen Connector");
    ada.get("/settings/system")
        .await
        .expect(200)
        .expect_text("Test mail");
}

#[tokio::test]
async fn without_a_mail_server_nothing_is_offered_that_needs_one() {
    let portal = TestPortal::start().await;
    let ada = portal.sign_in_as(&[Role::Administrator]).await;
    portal
        .browser()
        .get("/sign-in")
        .await
        .expect(200)
        .expect_no_text("Forgot your password?");
    portal
        .browser()
        .get("/password-resets/new")
        .await
        .expect(404);
    ada.get("/settings/users/invitations/new")
        .await
        .expect(200)
        .expect_no_text("by mail");
    ada.get("/settings/system")
        .await
        .expect(200)
        .expect_text("No mail server is set up");
    // A form that says otherwise is no mail either.
    invite(&ada, "sam@example.com", "mail").await.expect(201);
    assert_eq!(portal.database.number("SELECT count(*) FROM mails"), 0);
    ada.post_with_token_of("/account", "/settings/system/test-mails", &[])
        .await
        .expect(409);
}
