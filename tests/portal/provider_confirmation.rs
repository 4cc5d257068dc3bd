//! Confirming at the identity provider that it is you, and the second factor after it.

use chrono::TimeDelta;
use leadgen::clock::Clock;
use leadgen::domain::access::Role;
use serde_json::json;

use crate::second_factor::{App, set_up};
use crate::start::{PASSWORD, TestPortal};
use crate::support::oidc_provider::{Fault, OidcProvider};
use crate::support::{Browserlike, Page, a_moment, a_user};

const WANTED: &str = "/sync-status/resets";

/// A portal, its provider, and an Administrator who came from there and has no password here.
async fn world() -> (TestPortal, OidcProvider, Browserlike) {
    let provider = OidcProvider::start(Clock::fixed(a_moment()));
    let settings = provider.settings();
    let settings: Vec<(&str, &str)> = settings
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let portal = TestPortal::start_with(&settings).await;
    portal.database.execute(&format!(
        "INSERT INTO role_rules (id, claim, value, role, created_at) \
         VALUES ('018f2a3c-0000-7000-8000-0000000000b1', 'roles', 'Admin', 'administrator', '{}')",
        a_moment().format("%Y-%m-%d %H:%M:%S")
    ));
    provider.person(grace());
    let browser = portal.browser();
    sign_in(&browser, &provider).await.expect(303);
    browser.get(WANTED).await.expect(200);
    (portal, provider, browser)
}

fn grace() -> serde_json::Value {
    json!({ "sub": "grace", "email": "grace@example.com", "email_verified": true, "name": "Grace", "roles": ["Admin"] })
}

async fn sign_in(browser: &Browserlike, provider: &OidcProvider) -> Page {
    let page = browser.get("/sign-in").await.expect(200);
    let address = browser
        .submit(&page, "Sign in with Example ID", &[])
        .await
        .expect(200)
        .link("Continue to Example ID");
    browser.get(&provider.sign_in_at(&address)).await
}

/// Lets the proof of the sign-in become too old.
fn time_passes(portal: &TestPortal, provider: &OidcProvider) {
    portal.clock.advance(TimeDelta::minutes(11));
    provider.advance(TimeDelta::minutes(11));
}

/// From a page that asks who it is to the address at the provider.
async fn leave(browser: &Browserlike) -> String {
    let answer = browser.get(WANTED).await.expect(303);
    let page = browser
        .follow(answer)
        .await
        .expect(200)
        .expect_no_text("Your password");
    browser
        .submit(&page, "Confirm with Example ID", &[])
        .await
        .expect(200)
        .expect_text("sign in once more")
        .link("Continue to Example ID")
}

fn confirmations(portal: &TestPortal) -> Vec<String> {
    portal.database.texts(
        "SELECT action || ' ' || coalesce(after_state, '') AS value FROM audit_entries \
         WHERE action LIKE 'session.%' ORDER BY id",
    )
}

#[tokio::test]
async fn somebody_without_a_password_confirms_at_the_provider_and_goes_on() {
    let (portal, provider, browser) = world().await;
    time_passes(&portal, &provider);
    let before = browser.cookies();
    let address = leave(&browser).await;
    let url = url::Url::parse(&address).unwrap();
    let query: std::collections::BTreeMap<String, String> =
        url.query_pairs().into_owned().collect();
    assert_eq!(
        (query["prompt"].as_str(), query["max_age"].as_str()),
        ("login", "0")
    );
    let back = provider.sign_in_at(&address);
    let answer = browser.get(&back).await.expect(303);
    assert_eq!(answer.location(), Some(WANTED));
    browser
        .follow(answer)
        .await
        .expect(200)
        .expect_text("Type RESET");
    // The session goes on under another id, nobody was signed in once more, and the answer works once.
    let old = portal.browser();
    for (name, value) in before {
        old.set_cookie(&name, &value);
    }
    old.get("/account").await.expect(303);
    assert_eq!(portal.database.number("SELECT count(*) FROM sessions"), 1);
    assert_eq!(
        confirmations(&portal),
        [r#"session.confirmed {"through":"openid_connect"}"#]
    );
    browser
        .get(&back)
        .await
        .expect(401)
        .expect_text("This answer was used before");
}

#[tokio::test]
async fn what_is_no_fresh_proof_of_the_same_person_confirms_nothing() {
    let (portal, provider, browser) = world().await;
    let stranger = json!({ "sub": "ada", "email": "ada@example.com", "email_verified": true });
    for (fault, person, status, text) in [
        (
            Some(Fault::StaleSignIn),
            grace(),
            403,
            "Example ID did not ask you anew",
        ),
        (
            Some(Fault::NoAuthTime),
            grace(),
            502,
            "does not say when you signed in",
        ),
        (
            Some(Fault::SignedInLater),
            grace(),
            502,
            "The clocks do not agree",
        ),
        (
            Some(Fault::WrongNonce),
            grace(),
            502,
            "it answers another request",
        ),
        (None, stranger, 403, "Somebody else signed in"),
    ] {
        time_passes(&portal, &provider);
        provider.person(person);
        let address = leave(&browser).await;
        provider.misbehave(fault);
        let page = browser
            .get(&provider.sign_in_at(&address))
            .await
            .expect(status);
        provider.misbehave(None);
        let words = page.text().replace('\'', "’");
        assert!(words.contains(text), "{fault:?}: {words}");
        assert!(words.contains("You stay signed in"), "{fault:?}: {words}");
        assert_eq!(
            page.link("Back to the confirmation"),
            "/account/confirmation?to=%2Fsync-status%2Fresets"
        );
        browser.get(WANTED).await.expect(303);
        browser.get("/account").await.expect(200);
    }
    // Nobody was made or tied on the way.
    assert_eq!(portal.database.number("SELECT count(*) FROM users"), 1);
    assert_eq!(
        portal
            .database
            .number("SELECT count(*) FROM user_identities"),
        1
    );
    let noted = confirmations(&portal);
    assert_eq!(noted.len(), 5);
    assert!(
        noted
            .iter()
            .all(|one| one.starts_with("session.confirmation_failed")),
        "{noted:?}"
    );
}

#[tokio::test]
async fn whoever_cancels_at_the_provider_stays_signed_in_and_can_try_again() {
    let (portal, provider, browser) = world().await;
    time_passes(&portal, &provider);
    let address = leave(&browser).await;
    browser
        .get(&provider.cancel_at(&address))
        .await
        .expect(200)
        .expect_text("You did not confirm that it is you");
    // Away before anybody left.
    provider.advance(TimeDelta::minutes(61));
    portal.clock.advance(TimeDelta::minutes(20));
    browser.get("/account").await.expect(200);
    portal.clock.advance(TimeDelta::minutes(20));
    browser.get("/account").await.expect(200);
    portal.clock.advance(TimeDelta::minutes(21));
    provider.misbehave(Some(Fault::Away));
    let answer = browser.get(WANTED).await.expect(303);
    let page = browser.follow(answer).await.expect(200);
    browser
        .submit(&page, "Confirm with Example ID", &[])
        .await
        .expect(502)
        .expect_text("Example ID does not answer")
        .expect_text("You stay signed in");
    provider.misbehave(None);
    let address = leave(&browser).await;
    browser
        .get(&provider.sign_in_at(&address))
        .await
        .expect(303);
    browser.get(WANTED).await.expect(200);
}

#[tokio::test]
async fn an_answer_is_the_session_s_that_asked_and_comes_in_time() {
    let (portal, provider, browser) = world().await;
    time_passes(&portal, &provider);
    let address = leave(&browser).await;
    let back = provider.sign_in_at(&address);
    let other = portal.browser();
    sign_in(&other, &provider).await.expect(303);
    other
        .get(&back)
        .await
        .expect(401)
        .expect_text("does not belong to this browser");
    portal
        .browser()
        .get(&back)
        .await
        .expect(401)
        .expect_text("does not belong to this browser");
    portal.clock.advance(TimeDelta::minutes(10));
    browser
        .get(&back)
        .await
        .expect(401)
        .expect_text("This took too long")
        .expect_text("You stay signed in");
    // A forged way on leads to one's own pages only.
    let page = browser
        .get("/account/confirmation?to=%2F%2Fevil.test")
        .await
        .expect(200);
    provider.advance(TimeDelta::minutes(10));
    let address = browser
        .submit(&page, "Confirm with Example ID", &[])
        .await
        .expect(200)
        .link("Continue to Example ID");
    let answer = browser
        .get(&provider.sign_in_at(&address))
        .await
        .expect(303);
    assert_eq!(answer.location(), Some("/account"));
}

#[tokio::test]
async fn only_those_whom_the_provider_knows_are_offered_it_and_switched_off_passwords_prove_nothing()
 {
    let (portal, _provider, _) = world().await;
    let ada = portal.add(a_user().email("ada@example.com").role(Role::Administrator));
    portal.add(a_user().email("ben@example.com").role(Role::Administrator));
    let browser = portal.sign_in("ben@example.com").await;
    let page = browser
        .get("/account/confirmation")
        .await
        .expect(200)
        .expect_no_text("Confirm with Example ID");
    portal.database.execute(&format!(
        "UPDATE sign_in_rules SET has_local_passwords = FALSE, break_glass_user_id = '{ada}'"
    ));
    browser
        .submit(&page, "Go on", &[("password", Some(PASSWORD))])
        .await
        .expect(422)
        .expect_text("Passwords are switched off")
        .expect_text("Sign out and sign in again");
}

/// Switches off that the provider checks a second factor itself.
async fn provider_checks_none(portal: &TestPortal) {
    portal.add(a_user().email("root@example.com").role(Role::Administrator));
    let root = portal.sign_in("root@example.com").await;
    let page = root.get("/settings/sign-in").await.expect(200);
    let fields = [("provider_checks_second_factor", None)];
    root.submit(&page, "Save", &fields).await.expect(303);
}

#[tokio::test]
async fn the_second_factor_is_asked_for_after_the_provider_only_when_the_provider_checks_none() {
    let (portal, provider, browser) = world().await;
    portal
        .database
        .execute("INSERT INTO second_factor_roles (role) VALUES ('administrator')");
    // As long as the provider checks one itself, nobody without a password is asked.
    browser.get("/leads").await.expect(200);
    browser
        .get("/account/second-factor")
        .await
        .expect(200)
        .expect_text("the matter of the organisation that signs you in");
    portal.database.execute("DELETE FROM second_factor_roles");
    provider_checks_none(&portal).await;
    portal
        .database
        .execute("INSERT INTO second_factor_roles (role) VALUES ('administrator')");
    let answer = browser.get("/leads").await.expect(303);
    assert_eq!(answer.location(), Some("/account/second-factor"));
    let (app, _): (App, Vec<String>) = set_up(&portal, &browser).await;
    browser.get("/leads").await.expect(200);

    // From now on the code comes after the provider, and there is no session before.
    portal.clock.advance(TimeDelta::seconds(31));
    let again = portal.browser();
    let answer = sign_in(&again, &provider).await.expect(303);
    assert_eq!(answer.location(), Some("/sign-in/second-step"));
    let page = again.follow(answer).await.expect(200);
    again.get("/leads").await.expect(303);
    let page = again
        .submit(&page, "Sign in", &[("code", Some("000000"))])
        .await
        .expect(422);
    let code = app.code(portal.clock.now());
    again
        .submit(&page, "Sign in", &[("code", Some(&code))])
        .await
        .expect(303);
    again.get("/leads").await.expect(200);
    let noted = portal.database.texts(
        "SELECT coalesce(after_state, '') AS value FROM audit_entries WHERE action = 'sign_in.succeeded' ORDER BY id",
    );
    let last = noted.last().unwrap();
    assert!(
        last.contains("openid_connect") && last.contains("second_factor"),
        "{noted:?}"
    );
    // Whoever came from the provider leaves it, too.
    let page = again.get("/account").await.expect(200);
    again
        .submit(&page, "Sign out", &[])
        .await
        .expect(200)
        .expect_text("You are signed out of this portal");
}
