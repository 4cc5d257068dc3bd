//! Signing in and out, the throttle, sessions and their ends.

use leadgen::domain::access::Role;

use crate::start::{PASSWORD, TestPortal};
use crate::support::a_user;

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
