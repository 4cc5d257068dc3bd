//! Users and roles: adding, disabling, roles, passwords, and the last Administrator.

use leadgen::domain::access::Role;

use crate::account::hostile;
use crate::start::{PASSWORD, TestPortal};
use crate::support::{Browserlike, Page, a_user};

async fn portal() -> (TestPortal, Browserlike) {
    let portal = TestPortal::start().await;
    portal.add(
        a_user()
            .email("ada@example.com")
            .name("Ada")
            .role(Role::Administrator),
    );
    let browser = portal.sign_in("ada@example.com").await;
    (portal, browser)
}

fn count(portal: &TestPortal) -> i64 {
    portal.database.number("SELECT count(*) FROM users")
}

/// Sends the form of a new user; `roles` are ticked.
async fn add(browser: &Browserlike, fields: &[(&str, &str)]) -> Page {
    browser
        .post_with_token_of("/settings/users/new", "/settings/users", fields)
        .await
}

#[tokio::test]
async fn a_user_is_added_with_a_password_that_is_shown_once() {
    let (portal, browser) = portal().await;
    let page = add(
        &browser,
        &[
            ("email", "Sam@Example.com"),
            ("roles", "salesperson"),
            ("roles", "sales_manager"),
        ],
    )
    .await
    .expect(201);
    let password = page
        .body
        .split("<code class=\"secret\">")
        .nth(1)
        .unwrap()
        .split('<')
        .next()
        .unwrap()
        .to_owned();
    browser
        .visit("/settings/users")
        .await
        .expect(200)
        .expect_text("Salesperson, Sales Manager")
        .expect_text("Sam@Example.com")
        .expect_no_text(&password);
    let sam = portal.browser();
    let page = sam.get("/sign-in").await;
    let fields = [
        ("email", Some("sam@example.com")),
        ("password", Some(password.as_str())),
    ];
    sam.submit(&page, "Sign in", &fields).await.expect(303);
    for text in portal
        .database
        .texts("SELECT coalesce(after_state, '') AS value FROM audit_entries")
    {
        assert!(
            !text.contains(&password) && !text.contains("example.com"),
            "{text}"
        );
    }
    assert!(portal.audit().contains(&"user.added".to_owned()));
}

#[tokio::test]
async fn a_user_may_be_added_with_a_given_password() {
    let (portal, browser) = portal().await;
    let page = add(
        &browser,
        &[
            ("email", "sam@example.com"),
            ("name", "Sam"),
            ("password", "nine yellow tractors idle"),
        ],
    )
    .await
    .expect(303);
    browser
        .follow(page)
        .await
        .expect(200)
        .expect_text("Sam was added");
    let sam = portal.browser();
    let page = sam.get("/sign-in").await;
    let fields = [
        ("email", Some("sam@example.com")),
        ("password", Some("nine yellow tractors idle")),
    ];
    sam.submit(&page, "Sign in", &fields).await.expect(303);
}

#[tokio::test]
async fn wrong_users_are_not_added() {
    let (portal, browser) = portal().await;
    for value in hostile() {
        add(&browser, &[("email", &value)]).await.expect(422);
        add(&browser, &[("email", "sam@example.com"), ("roles", &value)])
            .await
            .expect(422);
        if value.chars().count() > 100 {
            add(&browser, &[("email", "sam@example.com"), ("name", &value)])
                .await
                .expect(422);
        }
    }
    for (fields, status, message) in [
        (vec![("email", "")], 422, "Enter an e-mail address"),
        (
            vec![("email", "no address")],
            422,
            "Enter an e-mail address",
        ),
        (vec![("email", " ADA@example.com")], 422, "already"),
        (
            vec![("email", "sam@example.com"), ("password", "short")],
            422,
            "at least 15",
        ),
        (
            vec![("email", "sam@example.com"), ("roles", "s2s_inbound")],
            422,
            "no person",
        ),
        (
            vec![("email", "sam@example.com"), ("roles", "king")],
            422,
            "no such role",
        ),
        (vec![("email", "sam@example.com\0")], 400, ""),
        (
            vec![("email", "a@example.com"), ("email", "b@example.com")],
            400,
            "",
        ),
        (vec![("name", "Sam")], 400, "email"),
    ] {
        add(&browser, &fields)
            .await
            .expect(status)
            .expect_text(message);
    }
    assert_eq!(count(&portal), 1);
}

/// Sends the access form of a user with these roles.
async fn set_access(browser: &Browserlike, page: &Page, roles: &[&str], is_enabled: bool) -> Page {
    let form = page.form("Save access");
    let version = form
        .fields
        .iter()
        .find(|(name, _)| name == "lock_version")
        .unwrap()
        .1
        .clone();
    let token = page.csrf_token().unwrap();
    let mut fields = vec![("csrf_token", token.as_str()), ("lock_version", &version)];
    fields.extend(roles.iter().map(|role| ("roles", *role)));
    if is_enabled {
        fields.push(("is_enabled", "on"));
    }
    browser.post_raw(&form.action, &fields).await
}

#[tokio::test]
async fn a_change_of_access_ends_the_persons_sessions() {
    let (portal, browser) = portal().await;
    let id = portal.add(
        a_user()
            .email("sam@example.com")
            .name("Sam")
            .role(Role::Salesperson),
    );
    let sam = portal.sign_in("sam@example.com").await;
    let page = browser
        .get(&format!("/settings/users/{id}"))
        .await
        .expect(200);
    let answer = set_access(&browser, &page, &["sales_manager"], true)
        .await
        .expect(303);
    browser
        .follow(answer)
        .await
        .expect(200)
        .expect_text("The access of Sam was saved");
    sam.get("/account").await.expect(303);
    // The same form again was made from an older state.
    set_access(&browser, &page, &["administrator"], true)
        .await
        .expect(409);
    let sam = portal.sign_in("sam@example.com").await;
    sam.get("/settings/users").await.expect(403);
    let page = browser
        .get(&format!("/settings/users/{id}"))
        .await
        .expect(200);
    set_access(&browser, &page, &["sales_manager"], false)
        .await
        .expect(303);
    sam.get("/account").await.expect(303);
    let page = sam.get("/sign-in").await;
    let fields = [
        ("email", Some("sam@example.com")),
        ("password", Some(PASSWORD)),
    ];
    sam.submit(&page, "Sign in", &fields).await.expect(422);
    let audit = browser
        .get(&format!("/settings/audit-log?object_id={id}&action=user."))
        .await
        .expect(200);
    audit
        .expect_text("user.access_changed")
        .expect_text("salesperson")
        .expect_text("sales_manager");
}

#[tokio::test]
async fn an_administrator_makes_a_new_password_and_ends_sessions() {
    let (portal, browser) = portal().await;
    let id = portal.add(a_user().email("sam@example.com").name("Sam"));
    let sam = portal.sign_in("sam@example.com").await;
    let path = format!("/settings/users/{id}");
    browser
        .post_with_token_of(&path, &format!("{path}/sessions/end"), &[])
        .await
        .expect(303);
    sam.get("/account").await.expect(303);
    portal.sign_in("sam@example.com").await;
    let page = browser
        .post_with_token_of(&path, &format!("{path}/password"), &[])
        .await
        .expect(200);
    page.expect_text("only time the password is shown");
    let sam = portal.browser();
    let page = sam.get("/sign-in").await;
    let fields = [
        ("email", Some("sam@example.com")),
        ("password", Some(PASSWORD)),
    ];
    sam.submit(&page, "Sign in", &fields).await.expect(422);
    for path in [
        "/settings/users/x/password",
        "/settings/users/018f2a3c-0000-7000-8000-0000000000ab/sessions/end",
    ] {
        browser
            .post_with_token_of("/account", path, &[])
            .await
            .expect(404);
    }
}

#[tokio::test]
async fn the_last_administrator_stays_one() {
    let (portal, browser) = portal().await;
    let page = browser.get("/settings/users").await.expect(200);
    let page = browser.get(&page.link("Ada")).await.expect(200);
    for (roles, is_enabled) in [
        (vec!["administrator"], false),
        (vec!["salesperson"], true),
        (vec![], true),
    ] {
        set_access(&browser, &page, &roles, is_enabled)
            .await
            .expect(422)
            .expect_text("last enabled Administrator");
    }
    set_access(&browser, &page, &["administrator", "salesperson"], true)
        .await
        .expect(303);
    assert_eq!(portal.database.number("SELECT count(*) FROM user_roles"), 2);
}

#[tokio::test]
async fn two_administrators_who_remove_each_other_at_once_leave_one() {
    for _ in 0..3 {
        let (portal, ada) = portal().await;
        let bob = portal.add(
            a_user()
                .email("bob@example.com")
                .name("Bob")
                .role(Role::Administrator),
        );
        let ada_id = portal
            .database
            .texts("SELECT id AS value FROM users WHERE name = 'Ada'")
            .remove(0);
        let other = portal.sign_in("bob@example.com").await;
        let page_of_bob = ada.get(&format!("/settings/users/{bob}")).await.expect(200);
        let page_of_ada = other
            .get(&format!("/settings/users/{ada_id}"))
            .await
            .expect(200);
        let (first, second) = tokio::join!(
            set_access(&ada, &page_of_bob, &[], true),
            set_access(&other, &page_of_ada, &[], true)
        );
        let administrators = portal
            .database
            .number("SELECT count(*) FROM user_roles WHERE role = 'administrator'");
        assert_eq!(administrators, 1, "{} {}", first.status, second.status);
    }
}
