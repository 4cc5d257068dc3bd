//! My account: name, time zone, password, sessions.

use leadgen::domain::access::Role;

use crate::start::{PASSWORD, TestPortal};
use crate::support::{Page, a_user};

/// Values that no single-line field should choke on.
pub fn hostile() -> Vec<String> {
    vec![
        "<script>alert(1)</script>".into(),
        "'; DROP TABLE users; --".into(),
        "\u{202e}evil\u{2066}".into(),
        "🎉👩‍👩‍👧‍👦".into(),
        "x".repeat(4_000),
        "ä".repeat(4_000),
        "{{7*7}}${7*7}".into(),
        "a\r\nSet-Cookie: x=1".into(),
    ]
}

#[tokio::test]
async fn name_and_time_zone_are_saved_and_shown() {
    let portal = TestPortal::start().await;
    portal.add(a_user().email("ada@example.com").name("Ada"));
    let browser = portal.sign_in("ada@example.com").await;
    let page = browser.get("/account").await.expect(200);
    let fields = [
        ("name", Some("  Ada Łovelace 🎉 ")),
        ("time_zone", Some("Asia/Kathmandu")),
    ];
    let page = browser.submit(&page, "Save", &fields).await.expect(303);
    let page = browser
        .follow(page)
        .await
        .expect(200)
        .expect_text("Your account was saved")
        .expect_text("Ada Łovelace 🎉");
    assert!(page.text().contains("+0545"), "{}", page.text());
    // The message is shown once.
    browser
        .get("/account")
        .await
        .expect(200)
        .expect_no_text("Your account was saved");
    assert!(portal.audit().contains(&"account.updated".to_owned()));
}

#[tokio::test]
async fn bad_values_come_back_with_a_message_at_the_field() {
    let portal = TestPortal::start().await;
    portal.add(a_user().email("ada@example.com").name("Ada"));
    let browser = portal.sign_in("ada@example.com").await;
    let page = browser.get("/account").await.expect(200);
    let send = async |fields: &[(&str, Option<&str>)]| -> Page {
        browser.submit(&page, "Save", fields).await
    };
    for value in hostile() {
        let answer = send(&[("time_zone", Some(&value))]).await.expect(422);
        assert!(!answer.body.contains("<script>alert"), "{value}");
        assert!(answer.body.contains("href=\"#field-time_zone\""));
        let long = value.chars().count() > 100;
        let answer = send(&[("name", Some(&value))])
            .await
            .expect(if long { 422 } else { 303 });
        assert!(!answer.body.contains("<script>alert"), "{value}");
        if !long {
            let page = browser.get("/account").await.expect(200);
            assert!(!page.body.contains("<script>alert"), "{value}");
            portal
                .database
                .execute("UPDATE users SET name = 'Ada', lock_version = 1");
        }
    }
    send(&[("name", Some("  "))])
        .await
        .expect(422)
        .expect_text("Enter a name");
    let kept = send(&[("name", Some("Kept")), ("time_zone", Some("Mars/Base"))])
        .await
        .expect(422);
    assert!(kept.body.contains("value=\"Kept\"") && kept.body.contains("value=\"Mars/Base\""));
    for (name, value) in [
        ("name", "a\0b"),
        ("time_zone", "\0"),
        ("lock_version", "x"),
        ("lock_version", ""),
    ] {
        send(&[(name, Some(value))]).await.expect(400);
    }
    // Missing and doubled fields.
    browser
        .post_with_token_of("/account", "/account", &[("name", "Ada")])
        .await
        .expect(400);
    let doubled = [
        ("name", "Ada"),
        ("name", "Bob"),
        ("time_zone", "UTC"),
        ("lock_version", "1"),
    ];
    browser
        .post_with_token_of("/account", "/account", &doubled)
        .await
        .expect(400);
    // A field that is none changes nothing.
    let more = [
        ("name", "Ada"),
        ("time_zone", "UTC"),
        ("lock_version", "1"),
        ("roles", "administrator"),
        ("is_enabled", "on"),
        ("email", "x@y.zz"),
    ];
    browser
        .post_with_token_of("/account", "/account", &more)
        .await
        .expect(303);
    assert_eq!(portal.database.number("SELECT count(*) FROM user_roles"), 0);
    assert_eq!(
        portal.database.texts("SELECT email AS value FROM users"),
        ["ada@example.com"]
    );
}

#[tokio::test]
async fn a_form_that_was_opened_before_somebody_elses_change_saves_nothing() {
    let portal = TestPortal::start().await;
    portal.add(a_user().email("ada@example.com").name("Ada"));
    let browser = portal.sign_in("ada@example.com").await;
    let page = browser.get("/account").await.expect(200);
    browser
        .submit(&page, "Save", &[("name", Some("First"))])
        .await
        .expect(303);
    browser
        .submit(&page, "Save", &[("name", Some("Second"))])
        .await
        .expect(409)
        .expect_text("Somebody else was quicker");
    assert_eq!(
        portal.database.texts("SELECT name AS value FROM users"),
        ["First"]
    );
}

#[tokio::test]
async fn changing_the_password_needs_the_current_one_and_ends_all_other_sessions() {
    let portal = TestPortal::start().await;
    portal.add(a_user().email("ada@example.com").name("Ada"));
    let browser = portal.sign_in("ada@example.com").await;
    let other = portal.sign_in("ada@example.com").await;
    let page = browser.get("/account").await.expect(200);
    let new = "seven purple elephants dance";
    let send = async |current: &str, new: &str, again: &str| -> Page {
        let fields = [
            ("current_password", Some(current)),
            ("new_password", Some(new)),
            ("new_password_again", Some(again)),
        ];
        browser.submit(&page, "Change password", &fields).await
    };
    for (current, new, again, message) in [
        ("wrong", new, new, "This is not your password"),
        (PASSWORD, new, "other", "not the same"),
        (PASSWORD, "short", "short", "at least 15"),
        (PASSWORD, "aaaaaaaaaaaaaaaaaa", "aaaaaaaaaaaaaaaaaa", ""),
        (
            PASSWORD,
            "leadgen connector leadgen",
            "leadgen connector leadgen",
            "",
        ),
        (
            PASSWORD,
            &"x y".repeat(200),
            &"x y".repeat(200),
            "at most 256",
        ),
    ] {
        let answer = send(current, new, again)
            .await
            .expect(422)
            .expect_text(message);
        assert!(!answer.body.contains(PASSWORD) && !answer.body.contains("elephants"));
    }
    let before = browser.cookies();
    let answer = send(PASSWORD, new, new).await.expect(303);
    browser
        .follow(answer)
        .await
        .expect(200)
        .expect_text("Your password was changed");
    assert_ne!(
        before["__Host-leadgen_session"],
        browser.cookies()["__Host-leadgen_session"]
    );
    other.get("/account").await.expect(303);
    let stranger = portal.browser();
    let page = stranger.get("/sign-in").await;
    let fields = [("email", Some("ada@example.com")), ("password", Some(new))];
    stranger.submit(&page, "Sign in", &fields).await.expect(303);
    assert!(
        portal
            .audit()
            .contains(&"account.password_changed".to_owned())
    );
}

#[tokio::test]
async fn somebody_sees_and_ends_own_sessions_only() {
    let portal = TestPortal::start().await;
    portal.add(a_user().email("ada@example.com"));
    let (one, two, three) = (
        portal.sign_in("ada@example.com").await,
        portal.sign_in("ada@example.com").await,
        portal.sign_in("ada@example.com").await,
    );
    let foreign = portal.sign_in_as(&[Role::Administrator]).await;
    let page = one
        .get("/account")
        .await
        .expect(200)
        .expect_text("This session");
    let action = page
        .forms()
        .into_iter()
        .map(|form| form.action)
        .find(|action| action.ends_with("/end") && !action.contains("others"))
        .unwrap();
    foreign
        .post_with_token_of("/account", &action, &[])
        .await
        .expect(404);
    one.post_with_token_of("/account", &action, &[])
        .await
        .expect(303);
    one.post_with_token_of("/account", &action, &[])
        .await
        .expect(404);
    one.post_with_token_of("/account", "/account/sessions/x/end", &[])
        .await
        .expect(404);
    let left = [
        two.get("/account").await.status,
        three.get("/account").await.status,
    ];
    assert_eq!(left.iter().filter(|status| **status == 200).count(), 1);
    let answer = one
        .post_with_token_of("/account", "/account/sessions/others/end", &[])
        .await
        .expect(303);
    one.follow(answer)
        .await
        .expect(200)
        .expect_text("One other session has ended");
    for gone in [&two, &three] {
        gone.get("/account").await.expect(303);
    }
    foreign.get("/account").await.expect(200);
}

#[tokio::test]
async fn appearance_and_shortcuts_are_a_persons_own_choice() {
    let portal = TestPortal::start().await;
    portal.add(a_user().email("ada@example.com").name("Ada"));
    portal.add(a_user().email("sam@example.com").name("Sam"));
    let browser = portal.sign_in("ada@example.com").await;
    let page = browser.get("/account").await.expect(200);
    assert!(page.body.contains("data-appearance=\"system\""));
    assert!(page.body.contains("data-shortcuts"));
    let fields = [("appearance", Some("dark")), ("has_shortcuts", None)];
    let page = browser
        .submit(&page, "Save choice", &fields)
        .await
        .expect(303);
    let page = browser.follow(page).await.expect(200);
    assert!(page.body.contains("data-appearance=\"dark\""));
    assert!(!page.body.contains("data-shortcuts"));
    let other = portal.sign_in("sam@example.com").await;
    let page = other.get("/account").await.expect(200);
    assert!(page.body.contains("data-appearance=\"system\""));
}

#[tokio::test]
async fn an_unknown_appearance_is_refused_at_the_field() {
    let portal = TestPortal::start().await;
    portal.add(a_user().email("ada@example.com").name("Ada"));
    let browser = portal.sign_in("ada@example.com").await;
    for value in hostile() {
        let page = browser.get("/account").await.expect(200);
        let fields = [("appearance", Some(value.as_str()))];
        browser
            .submit(&page, "Save choice", &fields)
            .await
            .expect(422)
            .expect_text("Choose one of the appearances.");
    }
}
