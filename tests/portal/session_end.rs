//! What pages say about the end of the session, for the script that warns of it.

use chrono::{DateTime, TimeDelta, Utc};
use leadgen::domain::access::Role;

use crate::start::TestPortal;
use crate::support::{Page, a_moment};

fn attribute(page: &Page, name: &str) -> Option<String> {
    let begin = page.body.find("id=\"session-notice\"")?;
    let tag = page.body[begin..].split('>').next()?;
    let value = tag.split(&format!("{name}=\"")).nth(1)?;
    Some(value.split('"').next()?.to_owned())
}

fn end(page: &Page) -> DateTime<Utc> {
    attribute(page, "data-ends-at").unwrap().parse().unwrap()
}

fn is_final(page: &Page) -> bool {
    let begin = page.body.find("id=\"session-notice\"").unwrap();
    page.body[begin..]
        .split('>')
        .next()
        .unwrap()
        .contains("data-final")
}

#[tokio::test]
async fn every_page_of_a_session_says_when_it_ends_and_opening_one_puts_it_off() {
    let portal = TestPortal::start().await;
    let browser = portal.sign_in_as(&[Role::Salesperson]).await;
    let page = browser.get("/account").await.expect(200);
    assert_eq!(end(&page), a_moment() + TimeDelta::minutes(60));
    assert_eq!(
        attribute(&page, "data-now")
            .unwrap()
            .parse::<DateTime<Utc>>()
            .unwrap(),
        a_moment()
    );
    portal.clock.advance(TimeDelta::minutes(55));
    let page = browser.get("/leads").await.expect(200);
    assert_eq!(end(&page), a_moment() + TimeDelta::minutes(115));
    assert!(!is_final(&page));
    // The error pages of a session carry it, too; those of strangers have no session.
    assert!(attribute(&browser.get("/nowhere").await, "data-ends-at").is_some());
    let stranger = portal.browser().get("/sign-in").await.expect(200);
    assert!(attribute(&stranger, "data-ends-at").is_none());
}

#[tokio::test]
async fn stay_signed_in_keeps_the_session_and_needs_no_script() {
    let portal = TestPortal::start().await;
    let browser = portal.sign_in_as(&[Role::Administrator]).await;
    let page = browser.get("/account").await.expect(200);
    portal.clock.advance(TimeDelta::minutes(28));
    browser
        .submit(&page, "Stay signed in", &[])
        .await
        .expect(303);
    portal.clock.advance(TimeDelta::minutes(28));
    let page = browser
        .get("/account")
        .await
        .expect(200)
        .expect_text("You stay signed in.");
    assert_eq!(end(&page), a_moment() + TimeDelta::minutes(28 + 28 + 30));
    portal.clock.advance(TimeDelta::minutes(31));
    browser
        .submit(&page, "Stay signed in", &[])
        .await
        .expect(303);
    browser.get("/account").await.expect(303);
}

#[tokio::test]
async fn the_longest_time_that_a_session_may_last_cannot_be_put_off() {
    let portal = TestPortal::start().await;
    let browser = portal.sign_in_as(&[Role::Administrator]).await;
    for _ in 0..28 {
        portal.clock.advance(TimeDelta::minutes(25));
        browser.get("/account").await.expect(200);
    }
    portal.clock.advance(TimeDelta::minutes(5));
    let page = browser.get("/account").await.expect(200);
    assert_eq!(end(&page), a_moment() + TimeDelta::hours(12));
    assert!(is_final(&page));
    portal.clock.advance(TimeDelta::minutes(15));
    browser.get("/account").await.expect(303);
}
