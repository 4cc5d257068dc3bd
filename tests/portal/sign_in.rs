//! Signing in and out, the throttle, sessions and their ends.

use chrono::TimeDelta;
use leadgen::domain::access::Role;

use crate::start::{PASSWORD, TestPortal};
use crate::support::{Page, a_user};

#[tokio::test]
async fn a_person_signs_in_and_out() {
    let portal = TestPortal::start().await;
    portal.add(
        a_user()
            .email("Ada@Example.com")
            .name("Ada")
            .role(Role::Administrator),
    );
    let browser = portal.browser();
    let page = browser.get("/settings/users?q=a").await.expect(303);
    assert_eq!(
        page.location(),
        Some("/sign-in?next=%2Fsettings%2Fusers%3Fq%3Da")
    );
    let page = browser.follow(page).await.expect(200);
    let fields = [
        ("email", Some(" ada@EXAMPLE.com ")),
        ("password", Some(PASSWORD)),
    ];
    let page = browser.submit(&page, "Sign in", &fields).await.expect(303);
    assert_eq!(page.location(), Some("/settings/users?q=a"));
    let page = browser
        .follow(page)
        .await
        .expect(200)
        .expect_text("Users and roles")
        .expect_text("Ada");
    let before = browser.cookies();
    let page = browser.submit(&page, "Sign out", &[]).await.expect(303);
    assert!(page.header("clear-site-data").is_some());
    browser
        .follow(page)
        .await
        .expect(200)
        .expect_text("You are signed out");
    // The old cookie is worth nothing any more.
    for (name, value) in before {
        browser.set_cookie(&name, &value);
    }
    browser.get("/account").await.expect(303);
    assert_eq!(portal.audit(), ["sign_in.succeeded", "sign_out"]);
}

async fn try_to_sign_in(portal: &TestPortal, email: &str, password: &str) -> Page {
    let browser = portal.browser();
    let page = browser.get("/sign-in").await.expect(200);
    let fields = [("email", Some(email)), ("password", Some(password))];
    browser.submit(&page, "Sign in", &fields).await
}

#[tokio::test]
async fn a_wrong_password_an_unknown_and_a_disabled_user_look_alike() {
    let portal = TestPortal::start().await;
    portal.add(a_user().email("ada@example.com"));
    portal.add(a_user().email("gone@example.com").disabled());
    let mut texts = Vec::new();
    for (email, password) in [
        ("ada@example.com", "a wrong password of length"),
        ("nobody@example.com", PASSWORD),
        ("gone@example.com", PASSWORD),
        ("no address", PASSWORD),
        ("ada@example.com", &"x".repeat(100_000)),
        ("ada@example.com", ""),
    ] {
        let page = try_to_sign_in(&portal, email, password).await.expect(422);
        assert!(page.header("set-cookie").is_none(), "{email}");
        texts.push(page.text());
    }
    texts.dedup();
    assert_eq!(texts.len(), 1);
    assert_eq!(portal.audit(), vec!["sign_in.failed"; 6]);
    assert_eq!(portal.database.number("SELECT count(*) FROM sessions"), 0);
}

#[tokio::test]
async fn the_s2s_inbound_identity_cannot_sign_in() {
    let portal = TestPortal::start().await;
    portal.add(a_user().email("s2s@example.com").role(Role::S2sInbound));
    try_to_sign_in(&portal, "s2s@example.com", PASSWORD)
        .await
        .expect(422);
}

#[tokio::test]
async fn guessing_is_slowed_down_per_account_and_ends_by_itself() {
    let portal = TestPortal::start().await;
    portal.add(a_user().email("ada@example.com"));
    // Case and blanks make no other account; the spoofed address makes no other client.
    for email in [
        "ada@example.com",
        "ADA@example.com",
        " ada@example.com",
        "Ada@Example.com",
    ] {
        try_to_sign_in(&portal, email, "a wrong password of length")
            .await
            .expect(422);
    }
    let page = try_to_sign_in(&portal, "aDa@example.com", PASSWORD)
        .await
        .expect(429);
    assert!(page.header("retry-after").unwrap().parse::<u32>().unwrap() >= 1);
    let page = page.expect_text("too many attempts");
    assert_eq!(
        page.form("Sign in")
            .fields
            .iter()
            .find(|(name, _)| name == "email")
            .unwrap()
            .1,
        "aDa@example.com"
    );
    // Somebody else is not kept out.
    portal.add(a_user().email("bob@example.com"));
    portal.sign_in("bob@example.com").await;
    // The wait doubles, and it is never longer than a quarter of an hour.
    for _ in 0..20 {
        portal
            .clock
            .advance(TimeDelta::minutes(15) + TimeDelta::seconds(1));
        try_to_sign_in(&portal, "ada@example.com", "a wrong password of length")
            .await
            .expect(422);
    }
    let page = try_to_sign_in(&portal, "ada@example.com", PASSWORD)
        .await
        .expect(429);
    let wait: u32 = page.header("retry-after").unwrap().parse().unwrap();
    assert!((600..=901).contains(&wait), "{wait}");
    portal.clock.advance(TimeDelta::minutes(16));
    portal.sign_in("ada@example.com").await;
    // A success forgets the account's failures; the address has its own count.
    portal.clock.advance(TimeDelta::hours(2));
    try_to_sign_in(&portal, "ada@example.com", "a wrong password of length")
        .await
        .expect(422);
    portal.sign_in("ada@example.com").await;
}

#[tokio::test]
async fn guessing_many_accounts_from_one_address_is_slowed_down() {
    let portal = TestPortal::start().await;
    let mut statuses = Vec::new();
    for number in 0..22 {
        let email = format!("nobody-{number}@example.com");
        statuses.push(
            try_to_sign_in(&portal, &email, "a wrong password of length")
                .await
                .status,
        );
    }
    assert_eq!(statuses[..21], [422; 21]);
    assert_eq!(statuses[21], 429);
}

#[tokio::test]
async fn guesses_sent_at_once_all_count() {
    let portal = TestPortal::start().await;
    portal.add(a_user().email("ada@example.com"));
    let guesses = (0..12).map(|number| {
        let portal = &portal;
        async move {
            let password = format!("a wrong password {number}");
            loop {
                // One that got no turn was not looked at; a person tries again.
                let status = try_to_sign_in(portal, "ada@example.com", &password)
                    .await
                    .status;
                if status != 503 {
                    return status;
                }
            }
        }
    });
    let statuses = futures_util::future::join_all(guesses).await;
    let looked_at = statuses.iter().filter(|status| **status == 422).count();
    assert_eq!(looked_at, 4, "{statuses:?}");
}

#[tokio::test]
async fn signing_in_gives_a_new_session_id() {
    let portal = TestPortal::start().await;
    portal.add(a_user().email("ada@example.com"));
    let browser = portal.sign_in("ada@example.com").await;
    let first = browser.cookies();
    let page = browser.get("/account").await.expect(200);
    browser.submit(&page, "Sign out", &[]).await.expect(303);
    let page = browser.get("/sign-in").await;
    let fields = [
        ("email", Some("ada@example.com")),
        ("password", Some(PASSWORD)),
    ];
    browser.submit(&page, "Sign in", &fields).await.expect(303);
    assert_ne!(
        first["__Host-leadgen_session"],
        browser.cookies()["__Host-leadgen_session"]
    );
    // Nothing in the table is what a cookie holds.
    for row in portal
        .database
        .texts("SELECT id_hash AS value FROM sessions")
    {
        assert!(!browser.cookies()["__Host-leadgen_session"].contains(&row));
    }
}

#[tokio::test]
async fn the_session_cookie_is_locked_down() {
    let portal = TestPortal::start().await;
    portal.add(a_user().email("ada@example.com"));
    let page = try_to_sign_in(&portal, "ada@example.com", PASSWORD)
        .await
        .expect(303);
    let cookie = page
        .headers
        .iter()
        .find(|(name, value)| name == "set-cookie" && value.starts_with("__Host-leadgen_session="))
        .unwrap();
    for part in ["; HttpOnly", "; SameSite=Lax", "; Secure", "; Path=/"] {
        assert!(cookie.1.contains(part), "{part}: {}", cookie.1);
    }
    assert!(!cookie.1.contains("Domain"));
}

#[tokio::test]
async fn an_altered_or_invented_cookie_signs_nobody_in() {
    let portal = TestPortal::start().await;
    portal.add(a_user().email("ada@example.com"));
    let real = portal.sign_in("ada@example.com").await.cookies()["__Host-leadgen_session"].clone();
    for value in [
        "x",
        "",
        &real[1..],
        &real[..real.len() - 1],
        &"a".repeat(64),
        &real.chars().rev().collect::<String>(),
    ] {
        let browser = portal.browser();
        browser.set_cookie("__Host-leadgen_session", value);
        browser.get("/account").await.expect(303);
    }
}

#[tokio::test]
async fn sessions_end_by_idleness_and_by_age_depending_on_the_role() {
    let portal = TestPortal::start().await;
    let administrator = portal.sign_in_as(&[Role::Administrator]).await;
    let salesperson = portal.sign_in_as(&[Role::Salesperson]).await;
    portal.clock.advance(TimeDelta::minutes(29));
    administrator.get("/account").await.expect(200);
    portal.clock.advance(TimeDelta::minutes(31));
    administrator.get("/account").await.expect(303);
    portal.clock.advance(TimeDelta::seconds(-30));
    salesperson.get("/account").await.expect(200);
    // Used all the time, an Administrator's session still ends after twelve hours.
    let administrator = portal.sign_in_as(&[Role::Administrator]).await;
    for _ in 0..35 {
        portal.clock.advance(TimeDelta::minutes(20));
        administrator.get("/account").await.expect(200);
        salesperson.get("/account").await.expect(200);
    }
    portal.clock.advance(TimeDelta::minutes(20));
    administrator.get("/account").await.expect(303);
    salesperson.get("/account").await.expect(200);
    portal.clock.advance(TimeDelta::minutes(61));
    salesperson.get("/account").await.expect(303);
}

#[tokio::test]
async fn next_leads_only_to_pages_of_the_portal() {
    let portal = TestPortal::start().await;
    portal.add(a_user().email("ada@example.com"));
    for bad in [
        "//evil.test",
        "/\\evil.test",
        "https://evil.test",
        "javascript:alert(1)",
        "/%09/evil.test",
        "\\\\evil.test",
        "/\t/evil.test",
        "///evil.test",
        "http:evil.test",
        "/sign-out",
        " //evil.test",
        "/a\r\nX: y",
        ".evil.test",
        "@evil.test",
    ] {
        let browser = portal.browser();
        let address = format!(
            "/sign-in?next={}",
            percent_encoding::utf8_percent_encode(bad, percent_encoding::NON_ALPHANUMERIC)
        );
        let page = browser.get(&address).await.expect(200);
        let fields = [
            ("email", Some("ada@example.com")),
            ("password", Some(PASSWORD)),
            ("next", Some(bad)),
        ];
        let page = browser.submit(&page, "Sign in", &fields).await.expect(303);
        assert!(
            matches!(page.location(), Some("/" | "/%09/evil.test")),
            "{bad}: {:?}",
            page.location()
        );
        // Who is signed in already is sent on at once, by the same rule.
        let page = browser.get(&address).await.expect(303);
        assert!(
            matches!(page.location(), Some("/" | "/%09/evil.test")),
            "{bad}: {:?}",
            page.location()
        );
    }
}

#[tokio::test]
async fn who_has_no_role_may_sign_in_and_reads_who_can_give_one() {
    let portal = TestPortal::start().await;
    let browser = portal.sign_in_as(&[]).await;
    browser
        .visit("/")
        .await
        .expect(200)
        .expect_text("You have no role yet")
        .expect_text("An Administrator");
    browser.get("/account").await.expect(200);
    browser
        .get("/settings/users")
        .await
        .expect(403)
        .expect_text("Administrator");
}
