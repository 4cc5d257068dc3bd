//! A database that gives nobody a turn: pages say so in time, and go on by themselves afterwards.

use std::time::{Duration, Instant};

use leadgen::domain::access::Role;

use crate::start::TestPortal;
use crate::support::Held;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_gets_no_turn_says_that_the_portal_is_busy_within_about_three_seconds() {
    let portal = TestPortal::start().await;
    let browser = portal.sign_in_as(&[Role::Salesperson]).await;
    let held = Held::readers(&portal.store, 4).await;
    for path in ["/leads", "/readyz"] {
        // The quickest of three, so that a busy machine changes nothing.
        let (mut page, mut quickest) = (None, Duration::MAX);
        for _ in 0..3 {
            let begun = Instant::now();
            page = Some(browser.get(path).await.expect(503));
            quickest = quickest.min(begun.elapsed());
        }
        assert!(
            quickest < Duration::from_millis(3_900),
            "{path}: {quickest:?}"
        );
        let page = page.unwrap();
        if path == "/leads" {
            assert!(page.header("retry-after").is_some());
            page.expect_text("The portal is busy");
        }
    }
    browser.get("/healthz").await.expect(200);
    held.release().await;
    browser.get("/leads").await.expect(200);
}
