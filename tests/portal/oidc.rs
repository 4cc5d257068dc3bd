//! Signing in at an OpenID Connect provider, one that behaves and one that does not.

use chrono::TimeDelta;
use leadgen::clock::Clock;
use leadgen::domain::access::Role;
use leadgen::domain::ids::UserId;
use serde_json::json;

use crate::start::{PASSWORD, TestPortal};
use crate::support::oidc_provider::{Fault, OidcProvider};
use crate::support::{Browserlike, Page, a_moment, a_user};

async fn world() -> (TestPortal, OidcProvider) {
    let provider = OidcProvider::start(Clock::fixed(a_moment()));
    let settings = provider.settings();
    let settings: Vec<(&str, &str)> = settings
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    (TestPortal::start_with(&settings).await, provider)
}

/// From the button to the address at the provider.
async fn leave(browser: &Browserlike, path: &str) -> String {
    let page = browser.get(path).await.expect(200);
    browser
        .submit(&page, "Sign in with Example ID", &[])
        .await
        .expect(200)
        .expect_text("To Example ID")
        .link("Continue to Example ID")
}

/// The whole way, whatever its end.
async fn sign_in(browser: &Browserlike, provider: &OidcProvider) -> Page {
    let address = leave(browser, "/sign-in").await;
    browser.get(&provider.sign_in_at(&address)).await
}

#[tokio::test]
async fn somebody_new_signs_in_and_sees_who_can_give_them_a_role() {
    let (portal, provider) = world().await;
    provider.person(json!({
        "sub": "person-1", "email": "Grace@Example.com", "email_verified": true,
        "name": "Grace Hopper", "zoneinfo": "America/New_York",
    }));
    let browser = portal.browser();
    let address = leave(&browser, "/sign-in?next=%2Faccount").await;
    let page = browser
        .get(&provider.sign_in_at(&address))
        .await
        .expect(303);
    assert_eq!(page.location(), Some("/account"));
    browser
        .get("/account")
        .await
        .expect(200)
        .expect_text("Grace Hopper")
        .expect_text("Grace@Example.com");
    browser
        .get("/leads")
        .await
        .expect(403)
        .expect_text("Administrator");
    assert_eq!(
        portal.audit(),
        [
            "access.denied",
            "sign_in.succeeded",
            "user.added",
            "user.identity_linked",
        ]
    );
    assert_eq!(
        portal
            .database
            .texts("SELECT time_zone AS value FROM users"),
        ["America/New_York"]
    );
}

#[tokio::test]
async fn the_same_identity_is_the_same_user_whatever_became_of_the_address() {
    let (portal, provider) = world().await;
    sign_in(&portal.browser(), &provider).await.expect(303);
    provider.person(json!({ "sub": "person-1", "email": "new@example.com", "name": "G. H." }));
    sign_in(&portal.browser(), &provider).await.expect(303);
    assert_eq!(portal.database.number("SELECT count(*) FROM users"), 1);
    // The address alone is nobody.
    provider
        .person(json!({ "sub": "person-2", "email": "grace@example.com", "email_verified": true }));
    sign_in(&portal.browser(), &provider)
        .await
        .expect(403)
        .expect_text("Your user belongs to another account");
}

#[tokio::test]
async fn a_user_with_a_password_is_taken_over_only_with_the_providers_word() {
    let (portal, provider) = world().await;
    portal.add(
        a_user()
            .email("ada@example.com")
            .name("Ada")
            .role(Role::Administrator),
    );
    for (verified, text) in [
        (json!(null), "There is a user with your e-mail address"),
        (json!(false), "Your e-mail address is not verified"),
        (json!("false"), "Your e-mail address is not verified"),
    ] {
        provider.person(
            json!({ "sub": "thief", "email": "ada@example.com", "email_verified": verified }),
        );
        let browser = portal.browser();
        sign_in(&browser, &provider)
            .await
            .expect(403)
            .expect_text(text);
        browser.get("/account").await.expect(303);
    }
    provider.person(json!({ "sub": "ada", "email": "ADA@example.com", "email_verified": "true" }));
    let browser = portal.browser();
    sign_in(&browser, &provider).await.expect(303);
    browser
        .get("/settings/users")
        .await
        .expect(200)
        .expect_text("Ada");
    // The password works as before.
    portal.sign_in("ada@example.com").await;
    assert_eq!(portal.database.number("SELECT count(*) FROM users"), 1);
}

#[tokio::test]
async fn who_may_not_come_in_is_told_why() {
    let (portal, provider) = world().await;
    portal.add(a_user().email("gone@example.com").disabled());
    portal.add(a_user().email("s2s@example.com").role(Role::S2sInbound));
    for (claims, text) in [
        (
            json!({ "sub": "1", "email": "gone@example.com", "email_verified": true }),
            "Your user is disabled",
        ),
        (
            json!({ "sub": "2", "email": "s2s@example.com", "email_verified": true }),
            "This user cannot sign in",
        ),
        (
            json!({ "sub": "3", "name": "No Address" }),
            "Your e-mail address is missing",
        ),
        (
            json!({ "sub": "4", "email": "no address" }),
            "Your e-mail address is missing",
        ),
    ] {
        provider.person(claims);
        let browser = portal.browser();
        sign_in(&browser, &provider)
            .await
            .expect(403)
            .expect_text(text);
        browser.get("/account").await.expect(303);
    }
    assert_eq!(portal.audit(), vec!["sign_in.failed"; 4]);
    assert_eq!(portal.database.number("SELECT count(*) FROM sessions"), 0);
}

#[tokio::test]
async fn what_the_id_token_leaves_out_is_asked_for_but_only_about_the_same_person() {
    let (portal, provider) = world().await;
    provider.person(json!({ "sub": "person-1" }));
    provider.userinfo(
        json!({ "sub": "somebody else", "email": "ada@example.com", "email_verified": true }),
    );
    sign_in(&portal.browser(), &provider)
        .await
        .expect(502)
        .expect_text("does not say who signed in");
    provider.userinfo(json!({ "sub": "person-1", "email": "grace@example.com", "name": "Grace" }));
    let browser = portal.browser();
    sign_in(&browser, &provider).await.expect(303);
    browser
        .get("/account")
        .await
        .expect(200)
        .expect_text("grace@example.com");
}

#[tokio::test]
async fn a_provider_that_misbehaves_signs_nobody_in() {
    let (portal, provider) = world().await;
    for (fault, text) in [
        (Fault::WrongNonce, "it answers another request"),
        (Fault::Expired, "The clocks do not agree"),
        (Fault::FromTheFuture, "The clocks do not agree"),
        (Fault::WrongAudience, "it is meant for another client"),
        (Fault::SeveralAudiences, "it is meant for another client"),
        (Fault::WrongIssuer, "its issuer is another one"),
        (Fault::NoSubject, "it does not say who signed in"),
        (Fault::NoneAlgorithm, "its algorithm is not accepted"),
        (Fault::HmacWithThePublicKey, "its algorithm is not accepted"),
        (Fault::WrongSignature, "its signature is wrong"),
        (Fault::UnpublishedKey, "its key is not among the provider’s"),
        (Fault::NoIdToken, "there is none"),
        (Fault::RefusesTheClient, "does not accept this portal"),
        (Fault::RefusesTheCode, "invalid_grant"),
        (Fault::Away, "Example ID does not answer"),
        (Fault::Unreadable, "Example ID does not answer"),
    ] {
        provider.misbehave(None);
        let browser = portal.browser();
        let address = leave(&browser, "/sign-in").await;
        provider.misbehave(Some(fault));
        let page = browser
            .get(&provider.sign_in_at(&address))
            .await
            .expect(502);
        let words = page.text().replace('\'', "’");
        assert!(words.contains(text), "{fault:?}: {words}");
        assert!(!words.contains("an access token"), "{fault:?}");
        browser.get("/account").await.expect(303);
    }
    assert_eq!(portal.database.number("SELECT count(*) FROM users"), 0);
    provider.misbehave(None);
    sign_in(&portal.browser(), &provider).await.expect(303);
}

#[tokio::test]
async fn a_provider_that_is_away_before_the_sign_in_is_told_and_passwords_work_on() {
    let (portal, provider) = world().await;
    portal.add(a_user().email("ada@example.com"));
    provider.misbehave(Some(Fault::Away));
    let browser = portal.browser();
    let page = browser.get("/sign-in").await.expect(200);
    browser
        .submit(&page, "Sign in with Example ID", &[])
        .await
        .expect(502)
        .expect_text("Example ID does not answer");
    let fields = [
        ("email", Some("ada@example.com")),
        ("password", Some(PASSWORD)),
    ];
    browser.submit(&page, "Sign in", &fields).await.expect(303);
}

#[tokio::test]
async fn a_changed_key_is_looked_for_once_and_not_for_every_forged_token() {
    let (portal, provider) = world().await;
    sign_in(&portal.browser(), &provider).await.expect(303);
    sign_in(&portal.browser(), &provider).await.expect(303);
    assert_eq!(provider.key_requests(), 1);
    provider.rotate("second");
    sign_in(&portal.browser(), &provider).await.expect(303);
    assert_eq!(provider.key_requests(), 2);
    provider.misbehave(Some(Fault::UnpublishedKey));
    for _ in 0..3 {
        sign_in(&portal.browser(), &provider).await.expect(502);
    }
    assert_eq!(provider.key_requests(), 2);
    provider.misbehave(None);
    provider.rotate("third");
    portal.clock.advance(TimeDelta::seconds(61));
    sign_in(&portal.browser(), &provider).await.expect(303);
    assert_eq!(provider.key_requests(), 3);
}

#[tokio::test]
async fn an_answer_is_good_once_for_ten_minutes_and_for_the_browser_that_asked() {
    let (portal, provider) = world().await;
    let browser = portal.browser();
    let back = provider.sign_in_at(&leave(&browser, "/sign-in").await);
    // Somebody else's link signs nobody in, and does not use it up.
    portal
        .browser()
        .get(&back)
        .await
        .expect(401)
        .expect_text("does not belong to this browser");
    let forged = back.replace("state=", "state=0");
    browser
        .get(&forged)
        .await
        .expect(401)
        .expect_text("does not belong to this browser");
    browser
        .get("/sign-in/oidc/callback?code=x")
        .await
        .expect(401)
        .expect_text("carries no state");
    let other = portal.browser();
    let other_back = provider.sign_in_at(&leave(&other, "/sign-in").await);
    let swapped = format!(
        "{}&iss=https%3A%2F%2Felsewhere.example.com",
        other_back.split("&iss=").next().unwrap()
    );
    other
        .get(&swapped)
        .await
        .expect(401)
        .expect_text("Somebody else answered");
    let cookies = browser.cookies();
    browser.get(&back).await.expect(303);
    // As with the Back button.
    let again = portal.browser();
    for (name, value) in cookies {
        again.set_cookie(&name, &value);
    }
    again
        .get(&back)
        .await
        .expect(401)
        .expect_text("was used before");
    let late = portal.browser();
    let back = provider.sign_in_at(&leave(&late, "/sign-in").await);
    portal.clock.advance(TimeDelta::minutes(10));
    late.get(&back)
        .await
        .expect(401)
        .expect_text("took too long");
}

#[tokio::test]
async fn what_the_provider_refuses_is_said_in_its_word_and_nothing_else() {
    let (portal, provider) = world().await;
    for (word, status, text) in [
        ("access_denied", 200, "You were not signed in"),
        ("server_error", 502, "server_error"),
        ("%3Cscript%3Ex", 502, "scriptx"),
    ] {
        let browser = portal.browser();
        let address = leave(&browser, "/sign-in").await;
        let back = provider.sign_in_at(&address);
        let (path, query) = back.split_once('?').unwrap();
        let query: Vec<&str> = query
            .split('&')
            .filter(|part| !part.starts_with("code="))
            .collect();
        browser
            .get(&format!("{path}?error={word}&{}", query.join("&")))
            .await
            .expect(status)
            .expect_text(text);
    }
}

#[tokio::test]
async fn the_session_is_a_new_one_and_lasts_as_its_roles_say() {
    let (portal, provider) = world().await;
    let browser = portal.browser();
    browser.get("/sign-in").await.expect(200);
    let before = browser.cookies();
    sign_in(&browser, &provider).await.expect(303);
    let after = browser.cookies();
    let new: Vec<&String> = after
        .keys()
        .filter(|name| !before.contains_key(*name))
        .collect();
    assert_eq!(new.len(), 1, "{after:?}");
    portal.clock.advance(TimeDelta::minutes(61));
    browser.get("/account").await.expect(303);
}

#[tokio::test]
async fn without_a_provider_there_is_no_such_page() {
    let portal = TestPortal::start().await;
    let browser = portal.browser();
    let page = browser
        .get("/sign-in")
        .await
        .expect(200)
        .expect_no_text("Sign in with");
    browser
        .get("/sign-in/oidc/callback?code=x&state=y")
        .await
        .expect(404);
    let token = page.csrf_token().unwrap();
    browser
        .request(
            reqwest::Method::POST,
            "/sign-in/oidc",
            &[
                ("content-type", "application/x-www-form-urlencoded"),
                ("sec-fetch-site", "same-origin"),
            ],
            Some(format!("csrf_token={token}").into_bytes()),
        )
        .await
        .expect(404);
}

/// A portal with an Administrator `ada@example.com`, who has a password, and a browser in which she has signed in with it.
async fn administered() -> (TestPortal, OidcProvider, Browserlike, UserId) {
    let (portal, provider) = world().await;
    let ada = portal.add(
        a_user()
            .email("ada@example.com")
            .name("Ada")
            .role(Role::Administrator),
    );
    let browser = portal.sign_in("ada@example.com").await;
    (portal, provider, browser, ada)
}

async fn add_rule(browser: &Browserlike, claim: &str, value: &str, role: Role) -> Page {
    let page = browser.get("/settings/sign-in").await.expect(200);
    let fields = [
        ("claim", Some(claim)),
        ("value", Some(value)),
        ("role", Some(role.as_str())),
    ];
    browser.submit(&page, "Add rule", &fields).await
}

fn roles_of(portal: &TestPortal, email: &str) -> Vec<String> {
    portal.database.texts(&format!(
        "SELECT r.role AS value FROM user_roles r JOIN users u ON u.id = r.user_id WHERE u.email_key = '{email}' ORDER BY r.role"
    ))
}

#[tokio::test]
async fn claims_give_roles_and_take_away_only_what_they_gave() {
    let (portal, provider, browser, _) = administered().await;
    add_rule(&browser, "roles", " Leadgen.Sales ", Role::Salesperson)
        .await
        .expect(303);
    add_rule(&browser, "groups", "0b2c-managers", Role::SalesManager)
        .await
        .expect(303);
    add_rule(&browser, "groups", "0b2c-managers", Role::SalesManager)
        .await
        .expect(422)
        .expect_text("There is such a rule already");
    add_rule(&browser, "roles", " ", Role::Salesperson)
        .await
        .expect(422)
        .expect_text("Enter the value");
    let person = |roles: serde_json::Value, groups: serde_json::Value| json!({ "sub": "grace", "email": "grace@example.com", "email_verified": true, "roles": roles, "groups": groups });
    provider.person(person(
        json!(["Leadgen.Sales", "Other"]),
        json!(["0b2c-managers"]),
    ));
    let grace = portal.browser();
    sign_in(&grace, &provider).await.expect(303);
    assert_eq!(
        roles_of(&portal, "grace@example.com"),
        ["sales_manager", "salesperson"]
    );
    grace.get("/leads").await.expect(200);
    provider.person(person(json!("Leadgen.Sales"), json!(null)));
    sign_in(&portal.browser(), &provider).await.expect(303);
    assert_eq!(roles_of(&portal, "grace@example.com"), ["salesperson"]);
    // The session from before does not keep what was taken away.
    grace.get("/leads").await.expect(303);
    // What people gave stays, until roles come only from the provider.
    portal.database.execute(
        "INSERT INTO user_roles (user_id, role) SELECT id, 'sales_manager' FROM users WHERE email_key = 'grace@example.com'",
    );
    provider.person(person(json!([]), json!([])));
    sign_in(&portal.browser(), &provider).await.expect(303);
    assert_eq!(roles_of(&portal, "grace@example.com"), ["sales_manager"]);
    let page = browser.get("/settings/sign-in").await.expect(200);
    let fields = [("roles_come_only_from_provider", Some("on"))];
    browser.submit(&page, "Save", &fields).await.expect(303);
    sign_in(&portal.browser(), &provider).await.expect(303);
    assert!(roles_of(&portal, "grace@example.com").is_empty());
    // The last Administrator keeps the role all the same.
    provider.person(json!({ "sub": "ada", "email": "ada@example.com", "email_verified": true }));
    sign_in(&portal.browser(), &provider).await.expect(303);
    assert_eq!(roles_of(&portal, "ada@example.com"), ["administrator"]);
    let page = browser.get("/settings/sign-in").await;
    assert_eq!(
        page.status, 200,
        "nothing of hers changed, so her session goes on"
    );
    browser
        .submit(&page, "Remove: Leadgen.Sales, Salesperson", &[])
        .await
        .expect(303);
    assert_eq!(portal.database.number("SELECT count(*) FROM role_rules"), 1);
}

#[tokio::test]
async fn passwords_can_be_switched_off_but_for_one_administrator() {
    let (portal, provider, browser, ada) = administered().await;
    portal.add(a_user().email("ben@example.com").role(Role::Salesperson));
    let page = browser
        .get("/settings/sign-in")
        .await
        .expect(200)
        .expect_text("Answers");
    let off = |break_glass: &str| {
        vec![
            ("has_local_passwords", None),
            ("break_glass", Some(break_glass.to_owned())),
        ]
    };
    let nobody = off("");
    let nobody: Vec<(&str, Option<&str>)> = nobody
        .iter()
        .map(|(name, value)| (*name, value.as_deref()))
        .collect();
    browser
        .submit(&page, "Save", &nobody)
        .await
        .expect(422)
        .expect_text("Choose an enabled Administrator with a password");
    let chosen = off(ada.as_str());
    let chosen: Vec<(&str, Option<&str>)> = chosen
        .iter()
        .map(|(name, value)| (*name, value.as_deref()))
        .collect();
    browser.submit(&page, "Save", &chosen).await.expect(303);

    let stranger = portal.browser();
    let page = stranger
        .get("/sign-in")
        .await
        .expect(200)
        .expect_text("Break-glass sign-in");
    let with = |password: &'static str| {
        [
            ("email", Some("ben@example.com")),
            ("password", Some(password)),
        ]
    };
    stranger
        .submit(&page, "Sign in", &with(PASSWORD))
        .await
        .expect(422)
        .expect_text("Passwords are switched off");
    // Without the password nobody learns whose it would be.
    stranger
        .submit(&page, "Sign in", &with("a wrong password of length"))
        .await
        .expect(422)
        .expect_text("do not belong together");
    portal.sign_in("ada@example.com").await;
    provider.person(json!({ "sub": "ben", "email": "ben@example.com", "email_verified": true }));
    let ben = portal.browser();
    sign_in(&ben, &provider).await.expect(303);
    ben.get("/account")
        .await
        .expect(200)
        .expect_no_text("Change password");
    browser
        .get("/account")
        .await
        .expect(200)
        .expect_text("Change password");

    // Whoever switched them off stays able to get in, whatever becomes of the break-glass Administrator.
    portal
        .database
        .execute("UPDATE users SET password_hash = NULL WHERE email_key = 'ada@example.com'");
    stranger
        .get("/sign-in")
        .await
        .expect(200)
        .expect_text("everybody with a password can sign in");
    portal.sign_in("ben@example.com").await;
}

#[tokio::test]
async fn without_a_provider_passwords_stay_on_or_come_back() {
    let portal = TestPortal::start().await;
    let ada = portal.add(a_user().email("ada@example.com").role(Role::Administrator));
    let browser = portal.sign_in("ada@example.com").await;
    let page = browser
        .get("/settings/sign-in")
        .await
        .expect(200)
        .expect_text("LEADGEN_OIDC_ISSUER");
    let fields = [
        ("has_local_passwords", None),
        ("break_glass", Some(ada.as_str())),
    ];
    browser
        .submit(&page, "Save", &fields)
        .await
        .expect(422)
        .expect_text("no identity provider is configured");
    // As when the variables are gone at the next start.
    portal.database.execute(&format!(
        "UPDATE sign_in_rules SET has_local_passwords = FALSE, break_glass_user_id = '{ada}'"
    ));
    portal
        .browser()
        .get("/sign-in")
        .await
        .expect(200)
        .expect_text("no identity provider is configured any more");
    portal.add(a_user().email("ben@example.com"));
    portal.sign_in("ben@example.com").await;
}

#[tokio::test]
async fn only_administrators_decide_about_signing_in() {
    let (portal, _) = world().await;
    let browser = portal.sign_in_as(&[Role::Salesperson]).await;
    browser.get("/settings/sign-in").await.expect(403);
}

#[tokio::test]
async fn a_provider_that_is_away_is_shown_in_the_settings() {
    let (_portal, provider, browser, _) = administered().await;
    provider.misbehave(Some(Fault::Away));
    browser
        .get("/settings/sign-in")
        .await
        .expect(200)
        .expect_text("Cannot be used now")
        .expect_text("HTTP status 503");
}

#[tokio::test]
async fn signing_out_goes_on_to_the_provider_and_comes_back() {
    let (portal, provider) = world().await;
    let browser = portal.browser();
    sign_in(&browser, &provider).await.expect(303);
    let page = browser.get("/account").await.expect(200);
    let address = browser
        .submit(&page, "Sign out", &[])
        .await
        .expect(200)
        .expect_text("You are signed out of this portal")
        .link("Continue to Example ID");
    browser.get("/account").await.expect(303);
    let url = url::Url::parse(&address).unwrap();
    assert_eq!(url.path(), "/end-session");
    let query: std::collections::BTreeMap<String, String> =
        url.query_pairs().into_owned().collect();
    assert_eq!(query["client_id"], "leadgen");
    let back = url::Url::parse(&query["post_logout_redirect_uri"]).unwrap();
    // A link that somebody else made says nothing.
    for forged in ["", "?state=1.2", "?state=x"] {
        let page = browser
            .get(&format!("{}{forged}", back.path()))
            .await
            .expect(303);
        browser
            .follow(page)
            .await
            .expect_no_text("You are signed out");
    }
    let page = browser
        .get(&format!("{}?state={}", back.path(), query["state"]))
        .await
        .expect(303);
    browser
        .follow(page)
        .await
        .expect_text("You are signed out here and at Example ID.");
}

#[tokio::test]
async fn a_provider_that_is_away_keeps_nobody_signed_in() {
    let (portal, provider) = world().await;
    let browser = portal.browser();
    sign_in(&browser, &provider).await.expect(303);
    provider.misbehave(Some(Fault::Away));
    // What is known of the provider is too old by then, the session is not.
    portal.clock.advance(TimeDelta::minutes(31));
    let page = browser.get("/account").await.expect(200);
    portal.clock.advance(TimeDelta::minutes(31));
    let page = browser.submit(&page, "Sign out", &[]).await.expect(303);
    browser
        .follow(page)
        .await
        .expect_text("could not be reached: your session there may go on");
    browser.get("/account").await.expect(303);
}
