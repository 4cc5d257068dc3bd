//! The second factor: setting it up, the second step of signing in, recovery codes, and roles that need one.

use chrono::{DateTime, TimeDelta, Utc};
use leadgen::domain::access::Role;
use leadgen::domain::ids::UserId;
use totp_rs::{Builder, Secret, Totp};

use crate::start::{PASSWORD, TestPortal};
use crate::support::{Browserlike, Page, a_user};

const PATH: &str = "/account/second-factor";

/// Every text that a page shows as a secret.
fn secrets(page: &Page) -> Vec<String> {
    page.body
        .split("<code class=\"secret\">")
        .skip(1)
        .map(|rest| rest.split('<').next().unwrap().to_owned())
        .collect()
}

/// Somebody's authenticator app.
pub struct App(Totp);

impl App {
    pub fn with_key(key: &str) -> Self {
        let key: String = key.chars().filter(|c| *c != ' ').collect();
        let secret = Secret::try_from_base32(&key).unwrap();
        Self(Builder::new().with_secret(secret).build_noncompliant())
    }

    pub fn code(&self, now: DateTime<Utc>) -> String {
        self.0.generate(now.timestamp() as u64).to_string()
    }
}

/// Sets a second factor up; gives the app and the recovery codes.
pub async fn set_up(portal: &TestPortal, browser: &Browserlike) -> (App, Vec<String>) {
    let page = browser.get(PATH).await.expect(200);
    let page = browser
        .submit_and_follow(&page, "Set up", &[])
        .await
        .expect(200);
    let app = App::with_key(&secrets(&page)[0]);
    assert!(page.body.contains("<svg class=\"qr\""));
    let code = app.code(portal.clock.now());
    let page = browser
        .submit(&page, "Switch on", &[("code", Some(code.as_str()))])
        .await
        .expect(201)
        .expect_text("only time the codes are shown");
    assert_eq!(page.header("cache-control"), Some("no-store"));
    let codes = secrets(&page);
    assert_eq!(codes.len(), 10);
    (app, codes)
}

async fn sam() -> (TestPortal, UserId, Browserlike) {
    let portal = TestPortal::start().await;
    let id = portal.add(
        a_user()
            .email("sam@example.com")
            .name("Sam")
            .role(Role::Salesperson),
    );
    let browser = portal.sign_in("sam@example.com").await;
    (portal, id, browser)
}

/// A browser in which Sam's password was right and the code is asked for.
async fn first_step(portal: &TestPortal) -> (Browserlike, Page) {
    let browser = portal.browser();
    let page = browser
        .get("/sign-in?next=%2Fleads%3Fpage%3D2")
        .await
        .expect(200);
    let fields = [
        ("email", Some("sam@example.com")),
        ("password", Some(PASSWORD)),
    ];
    let answer = browser.submit(&page, "Sign in", &fields).await.expect(303);
    assert_eq!(answer.location(), Some("/sign-in/second-step"));
    let page = browser.follow(answer).await.expect(200);
    // Not signed in yet.
    browser.get("/leads").await.expect(303);
    (browser, page)
}

async fn second_step(browser: &Browserlike, page: &Page, code: &str) -> Page {
    browser
        .submit(page, "Sign in", &[("code", Some(code))])
        .await
}

#[tokio::test]
async fn signing_in_takes_a_code_of_the_app_and_no_code_works_twice() {
    let (portal, _, browser) = sam().await;
    let (app, _) = set_up(&portal, &browser).await;
    // The code of setting up is used.
    let used = app.code(portal.clock.now());
    let (browser, page) = first_step(&portal).await;
    let page = second_step(&browser, &page, &used)
        .await
        .expect(422)
        .expect_text("This code does not work");
    portal.clock.advance(TimeDelta::seconds(31));
    let code = app.code(portal.clock.now());
    let answer = second_step(&browser, &page, &code).await.expect(303);
    assert_eq!(answer.location(), Some("/leads?page=2"));
    browser.get("/leads").await.expect(200);
    // The same code, and an older one, in another browser.
    let (other, page) = first_step(&portal).await;
    for code in [&code, &used] {
        second_step(&other, &page, code).await.expect(422);
    }
    other.get("/leads").await.expect(303);
    let told = portal.database.texts(
        "SELECT coalesce(after_state, '') AS value FROM audit_entries WHERE action = 'sign_in.succeeded'",
    );
    assert!(
        told.iter().any(|state| state.contains("\"app\"")),
        "{told:?}"
    );
}

#[tokio::test]
async fn two_who_send_the_same_code_at_once_do_not_both_get_in() {
    let (portal, _, browser) = sam().await;
    let (app, _) = set_up(&portal, &browser).await;
    portal.clock.advance(TimeDelta::seconds(31));
    let code = app.code(portal.clock.now());
    let (one, first) = first_step(&portal).await;
    let (two, second) = first_step(&portal).await;
    let (first, second) = tokio::join!(
        second_step(&one, &first, &code),
        second_step(&two, &second, &code)
    );
    let mut statuses = [first.status, second.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 422]);
}

#[tokio::test]
async fn a_recovery_code_lets_in_once_when_the_device_is_lost() {
    let (portal, _, browser) = sam().await;
    let (_, codes) = set_up(&portal, &browser).await;
    let typed = codes[3].to_uppercase().replace('-', " ");
    let (browser, page) = first_step(&portal).await;
    let answer = second_step(&browser, &page, &typed).await.expect(303);
    browser
        .follow(answer)
        .await
        .expect(200)
        .expect_text("You used a recovery code; 9 are left");
    let (other, page) = first_step(&portal).await;
    second_step(&other, &page, &codes[3]).await.expect(422);
    // New ones replace those that are left.
    let page = browser.get(PATH).await.expect(200).expect_text("9");
    let page = browser
        .submit(&page, "Make new recovery codes", &[])
        .await
        .expect(201);
    let new = secrets(&page);
    let (other, page) = first_step(&portal).await;
    let page = second_step(&other, &page, &codes[4]).await.expect(422);
    second_step(&other, &page, &new[0]).await.expect(303);
    // Nothing of the codes is stored as it is.
    let stored = portal
        .database
        .texts("SELECT code_hash AS value FROM recovery_codes");
    assert_eq!(stored.len(), 9);
    assert!(stored.iter().all(|hash| hash.len() == 64));
}

#[tokio::test]
async fn the_second_step_ends_after_five_minutes_and_with_the_password_and_cannot_be_forged() {
    let (portal, id, browser) = sam().await;
    let (_, codes) = set_up(&portal, &browser).await;
    let (late, page) = first_step(&portal).await;
    portal.clock.advance(TimeDelta::minutes(5));
    let answer = second_step(&late, &page, &codes[0]).await.expect(303);
    assert_eq!(answer.location(), Some("/sign-in"));
    late.get("/leads").await.expect(303);
    let (stale, page) = first_step(&portal).await;
    portal.database.execute(&format!(
        "UPDATE users SET password_hash = 'other' WHERE id = '{id}'"
    ));
    let answer = second_step(&stale, &page, &codes[0]).await.expect(303);
    assert_eq!(answer.location(), Some("/sign-in"));
    let forger = portal.browser();
    forger.get("/sign-in").await.expect(200);
    for value in ["", "x", "00.e30", "é.é"] {
        forger.set_cookie("__Host-leadgen_second_step", value);
        let answer = forger.get("/sign-in/second-step").await.expect(303);
        assert_eq!(answer.location(), Some("/sign-in"), "{value}");
    }
    assert_eq!(
        portal
            .database
            .number("SELECT count(*) FROM recovery_codes"),
        10
    );
}

#[tokio::test]
async fn guessing_codes_is_throttled() {
    let (portal, _, browser) = sam().await;
    set_up(&portal, &browser).await;
    let (browser, page) = first_step(&portal).await;
    let mut is_throttled = false;
    for number in 0..12 {
        let answer = second_step(&browser, &page, &format!("{number:06}")).await;
        assert!(matches!(answer.status, 422 | 429), "{}", answer.status);
        if answer.status == 429 {
            is_throttled = true;
            assert!(answer.header("retry-after").is_some());
        }
    }
    assert!(is_throttled);
}

#[tokio::test]
async fn a_wrong_code_switches_nothing_on_and_it_can_be_switched_off() {
    let (portal, _, browser) = sam().await;
    let page = browser.get(PATH).await.expect(200);
    let page = browser
        .submit_and_follow(&page, "Set up", &[])
        .await
        .expect(200);
    browser
        .submit(&page, "Switch on", &[("code", Some("12345"))])
        .await
        .expect(422)
        .expect_text("not the code that the app shows now");
    portal.sign_in("sam@example.com").await;
    let (_, _) = {
        let app = App::with_key(&secrets(&page)[0]);
        let code = app.code(portal.clock.now());
        browser
            .submit(&page, "Switch on", &[("code", Some(code.as_str()))])
            .await
            .expect(201);
        ((), ())
    };
    // An open session alone neither sees nor changes it.
    portal.clock.advance(TimeDelta::minutes(16));
    browser
        .get(PATH)
        .await
        .expect(200)
        .expect_no_text("Switch off");
    browser
        .post_with_token_of("/account", &format!("{PATH}/removal"), &[])
        .await
        .expect(403);
    let page = browser
        .get("/account/confirmation?to=%2Faccount%2Fsecond-factor")
        .await
        .expect(200);
    let page = browser
        .submit_and_follow(&page, "Go on", &[("password", Some(PASSWORD))])
        .await
        .expect(200);
    browser
        .submit_and_follow(&page, "Switch off", &[])
        .await
        .expect(200)
        .expect_text("takes no code from now on");
    portal.sign_in("sam@example.com").await;
}

#[tokio::test]
async fn whoever_needs_a_second_factor_sees_nothing_else_before_it_is_set_up() {
    let (portal, _, sam) = sam().await;
    let ada = portal.sign_in_as(&[Role::Administrator]).await;
    let page = ada.get("/settings/users").await.expect(200);
    let page = ada.get(&page.link("Second factor")).await.expect(200);
    ada.submit_and_follow(&page, "Save", &[("roles", Some("salesperson"))])
        .await
        .expect(200)
        .expect_text("0 of 1 have one");
    // At the next request, in a session that was open.
    for path in ["/leads", "/account", "/", "/form-submissions"] {
        let answer = sam.get(path).await.expect(303);
        assert_eq!(answer.location(), Some(PATH), "{path}");
    }
    sam.post_with_token_of(PATH, "/account", &[("name", "X")])
        .await
        .expect(303);
    let page = sam
        .get(PATH)
        .await
        .expect(200)
        .expect_text("Your role needs a second factor");
    assert!(!page.body.contains("href=\"/leads\""));
    ada.get("/leads").await.expect(200);
    let (_, _) = set_up(&portal, &sam).await;
    sam.get("/leads").await.expect(200);
    ada.get("/settings/users/second-factor")
        .await
        .expect(200)
        .expect_text("1 of 1 have one");
}

#[tokio::test]
async fn an_administrator_takes_the_second_factor_of_a_lost_device_away() {
    let (portal, id, sam) = sam().await;
    set_up(&portal, &sam).await;
    let ada = portal.sign_in_as(&[Role::Administrator]).await;
    let path = format!("/settings/users/{id}");
    let page = ada.get(&path).await.expect(200);
    ada.submit_and_follow(&page, "Take the second factor away", &[])
        .await
        .expect(200)
        .expect_text("was taken away");
    sam.get("/account").await.expect(303);
    portal.sign_in("sam@example.com").await;
    assert!(
        portal
            .audit()
            .contains(&"user.second_factor_removed".to_owned())
    );
    ada.submit(&page, "Take the second factor away", &[])
        .await
        .expect(409);
}

#[tokio::test]
async fn the_secret_is_not_readable_in_the_database() {
    let (portal, _, browser) = sam().await;
    let page = browser.get(PATH).await.expect(200);
    let page = browser
        .submit_and_follow(&page, "Set up", &[])
        .await
        .expect(200);
    let key: String = secrets(&page)[0].chars().filter(|c| *c != ' ').collect();
    let stored = portal
        .database
        .number("SELECT count(*) FROM second_factors WHERE length(secret) > 60");
    assert_eq!(stored, 1);
    for text in portal
        .database
        .texts("SELECT coalesce(after_state, '') || object_name AS value FROM audit_entries")
    {
        assert!(!text.contains(&key));
    }
}
