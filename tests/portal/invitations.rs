//! Invitations and links for a new password: made by Administrators, used once by the people they are for.

use chrono::TimeDelta;
use leadgen::domain::access::Role;
use leadgen::domain::ids::UserId;

use crate::start::{PASSWORD, TestPortal};
use crate::support::{Browserlike, Page, a_user};

const NEW_PASSWORD: &str = "nine yellow tractors idle";

/// The path of the link that a page shows.
pub fn shown_link(page: &Page) -> String {
    let text = page
        .body
        .split("<code class=\"secret break\">")
        .nth(1)
        .and_then(|rest| rest.split('<').next())
        .expect("the page shows a link");
    url::Url::parse(text).unwrap().path().to_owned()
}

async fn administrator() -> (TestPortal, Browserlike) {
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

/// Invites Sam as a Salesperson; gives the path of the link and Sam's page.
async fn invite(portal: &TestPortal, browser: &Browserlike) -> (String, String) {
    let page = browser.get("/settings/users").await.expect(200);
    let page = browser.get(&page.link("Invite user")).await.expect(200);
    let fields = [
        ("email", Some("Sam@Example.com")),
        ("roles", Some("salesperson")),
    ];
    let page = browser
        .submit(&page, "Invite", &fields)
        .await
        .expect(201)
        .expect_text("only time the link is shown");
    assert_eq!(page.header("cache-control"), Some("no-store"));
    let id = portal
        .database
        .texts("SELECT id AS value FROM users WHERE email_key = 'sam@example.com'")
        .remove(0);
    (shown_link(&page), format!("/settings/users/{id}"))
}

async fn set(visitor: &Browserlike, link: &str, changes: &[(&str, Option<&str>)]) -> Page {
    let page = visitor.get(link).await.expect(200);
    let mut all = vec![
        ("new_password", Some(NEW_PASSWORD)),
        ("new_password_again", Some(NEW_PASSWORD)),
    ];
    all.extend_from_slice(changes);
    visitor.submit(&page, link, &all).await
}

#[tokio::test]
async fn an_invited_person_chooses_name_and_password_and_is_signed_in() {
    let (portal, ada) = administrator().await;
    let (link, page_of_sam) = invite(&portal, &ada).await;
    ada.get("/settings/users")
        .await
        .expect(200)
        .expect_text("Invited");
    ada.get(&page_of_sam)
        .await
        .expect(200)
        .expect_text("link made")
        .expect_text("works until")
        .expect_no_text(link.rsplit('/').next().unwrap());
    let sam = portal.browser();
    sam.get(&link)
        .await
        .expect(200)
        .expect_text("Ada invited you")
        .expect_text("Sam@Example.com");
    for (changes, message) in [
        (vec![("name", Some(" "))], "Enter a name"),
        (vec![("new_password", Some("short"))], "at least 15"),
        (
            vec![("new_password_again", Some("something else entirely"))],
            "not the same",
        ),
    ] {
        set(&sam, &link, &changes)
            .await
            .expect(422)
            .expect_text(message);
    }
    let answer = set(&sam, &link, &[("name", Some("Sam Doe"))])
        .await
        .expect(303);
    sam.follow(answer)
        .await
        .expect(200)
        .expect_text("Welcome, Sam Doe");
    sam.get("/leads").await.expect(200);
    sam.get("/settings/users").await.expect(403);
    ada.get("/settings/users")
        .await
        .expect(200)
        .expect_text("Sam Doe")
        .expect_no_text("Invited");
    // Once only.
    portal
        .browser()
        .get(&link)
        .await
        .expect(404)
        .expect_text("This link does not work");
    let again = portal.browser();
    again
        .sign_in("sam@example.com", NEW_PASSWORD)
        .await
        .expect(200);
    let audit = portal.audit();
    for action in [
        "user.invited",
        "user.invitation_made",
        "account.invitation_accepted",
    ] {
        assert!(audit.contains(&action.to_owned()), "{action} in {audit:?}");
    }
    let token = link.rsplit('/').next().unwrap();
    for text in portal.database.texts(
        "SELECT coalesce(after_state, '') || object_name || object_id AS value FROM audit_entries",
    ) {
        assert!(
            !text.contains(token) && !text.contains("example.com"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn an_invitation_ends_after_seven_days_by_withdrawal_and_by_a_new_one() {
    let (portal, ada) = administrator().await;
    let (first, page_of_sam) = invite(&portal, &ada).await;
    let visitor = portal.browser();
    let page = ada.get(&page_of_sam).await.expect(200);
    let page = ada.submit(&page, "Make a new link", &[]).await.expect(201);
    let second = shown_link(&page);
    visitor.get(&first).await.expect(404);
    visitor.get(&second).await.expect(200);
    let page = ada.get(&page_of_sam).await.expect(200);
    ada.submit_and_follow(&page, "Withdraw the link", &[])
        .await
        .expect(200)
        .expect_text("The link works no longer.");
    visitor.get(&second).await.expect(404);
    ada.submit(&page, "Withdraw the link", &[])
        .await
        .expect(409);
    let page = ada.get(&page_of_sam).await.expect(200);
    let page = ada.submit(&page, "Make a new link", &[]).await.expect(201);
    let third = shown_link(&page);
    portal
        .clock
        .advance(TimeDelta::days(7) - TimeDelta::seconds(1));
    let open = visitor.get(&third).await.expect(200);
    portal.clock.advance(TimeDelta::seconds(1));
    visitor.get(&third).await.expect(404);
    let fields = [
        ("name", Some("Sam")),
        ("new_password", Some(NEW_PASSWORD)),
        ("new_password_again", Some(NEW_PASSWORD)),
    ];
    visitor.submit(&open, &third, &fields).await.expect(404);
    assert_eq!(
        portal
            .database
            .number("SELECT count(*) FROM users WHERE is_enabled"),
        1
    );
    for bad in [
        "/invitations/x",
        "/invitations/0000000000000000000000000000000000000000000000000000000000000000",
        "/invitations/%00",
        "/password-resets/x",
    ] {
        visitor.get(bad).await.expect(404);
    }
}

#[tokio::test]
async fn an_invited_administrator_does_not_count_as_one_before_they_came() {
    let (portal, ada) = administrator().await;
    let page = ada.get("/settings/users/invitations/new").await.expect(200);
    let fields = [
        ("email", Some("bob@example.com")),
        ("roles", Some("administrator")),
    ];
    let link = shown_link(&ada.submit(&page, "Invite", &fields).await.expect(201));
    let id = portal
        .database
        .texts("SELECT id AS value FROM users WHERE name = 'Ada'")
        .remove(0);
    let page = ada.get(&format!("/settings/users/{id}")).await.expect(200);
    ada.submit(&page, "Save access", &[("roles", Some("salesperson"))])
        .await
        .expect(422)
        .expect_text("last enabled Administrator");
    set(&portal.browser(), &link, &[]).await.expect(303);
    let page = ada.get(&format!("/settings/users/{id}")).await.expect(200);
    ada.submit(&page, "Save access", &[("roles", Some("salesperson"))])
        .await
        .expect(303);
}

#[tokio::test]
async fn what_is_wrong_with_an_invitation_is_said_at_the_field() {
    let (portal, ada) = administrator().await;
    for (fields, message) in [
        (
            vec![("email", Some("no address"))],
            "Enter an e-mail address",
        ),
        (vec![("email", Some("ADA@example.com"))], "already"),
        (
            vec![
                ("email", Some("sam@example.com")),
                ("roles", Some("s2s_inbound")),
            ],
            "no person",
        ),
    ] {
        let page = ada.get("/settings/users/invitations/new").await.expect(200);
        ada.submit(&page, "Invite", &fields)
            .await
            .expect(422)
            .expect_text(message);
    }
    assert_eq!(portal.database.number("SELECT count(*) FROM users"), 1);
    assert_eq!(
        portal.database.number("SELECT count(*) FROM account_links"),
        0
    );
}

async fn reset_link(ada: &Browserlike, id: &UserId) -> String {
    let page = ada.get(&format!("/settings/users/{id}")).await.expect(200);
    shown_link(
        &ada.submit(&page, "Make a link for a new password", &[])
            .await
            .expect(201),
    )
}

#[tokio::test]
async fn a_link_for_a_new_password_ends_all_sessions_and_works_once_within_a_day() {
    let (portal, ada) = administrator().await;
    let id = portal.add(a_user().email("sam@example.com").name("Sam"));
    let open = portal.sign_in("sam@example.com").await;
    let late = reset_link(&ada, &id).await;
    portal.clock.advance(TimeDelta::hours(24));
    portal.browser().get(&late).await.expect(404);
    let ada = portal.sign_in("ada@example.com").await;
    let link = reset_link(&ada, &id).await;
    // Nothing happens before it is used.
    open.get("/account").await.expect(303);
    let open = portal.sign_in("sam@example.com").await;
    let link = {
        portal.browser().get(&link).await.expect(200);
        link
    };
    let visitor = portal.browser();
    let answer = set(&visitor, &link, &[]).await.expect(303);
    assert_eq!(answer.location(), Some("/sign-in"));
    visitor
        .follow(answer)
        .await
        .expect(200)
        .expect_text("Your password was set");
    open.get("/account").await.expect(303);
    portal.browser().get(&link).await.expect(404);
    let sam = portal.browser();
    sam.sign_in("sam@example.com", NEW_PASSWORD)
        .await
        .expect(200);
    let page = portal.browser();
    let form = page.get("/sign-in").await;
    let old = [
        ("email", Some("sam@example.com")),
        ("password", Some(PASSWORD)),
    ];
    page.submit(&form, "Sign in", &old).await.expect(422);
}

#[tokio::test]
async fn a_link_dies_when_the_person_is_disabled_or_changes_the_password() {
    let (portal, ada) = administrator().await;
    let id = portal.add(a_user().email("sam@example.com").name("Sam"));
    let link = reset_link(&ada, &id).await;
    let sam = portal.sign_in("sam@example.com").await;
    let page = sam.get("/account").await.expect(200);
    let fields = [
        ("current_password", Some(PASSWORD)),
        ("new_password", Some(NEW_PASSWORD)),
        ("new_password_again", Some(NEW_PASSWORD)),
    ];
    sam.submit(&page, "Change password", &fields)
        .await
        .expect(303);
    portal.browser().get(&link).await.expect(404);
    let link = reset_link(&ada, &id).await;
    let page = ada.get(&format!("/settings/users/{id}")).await.expect(200);
    ada.submit(&page, "Save access", &[("is_enabled", None)])
        .await
        .expect(303);
    portal.browser().get(&link).await.expect(404);
    ada.post_with_token_of(
        "/account",
        &format!("/settings/users/{id}/password-links"),
        &[],
    )
    .await
    .expect(409);
}

#[tokio::test]
async fn two_who_use_one_link_at_once_do_not_both_get_in() {
    let (portal, ada) = administrator().await;
    let (link, _) = invite(&portal, &ada).await;
    let (one, two) = (portal.browser(), portal.browser());
    let (first, second) = tokio::join!(set(&one, &link, &[]), set(&two, &link, &[]));
    let mut statuses = [first.status, second.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 404]);
    assert_eq!(
        portal.database.number("SELECT count(*) FROM sessions"),
        2,
        "Ada's and one of Sam's"
    );
}
