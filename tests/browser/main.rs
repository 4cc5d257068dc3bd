//! The portal in a real Chromium.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may panic"
)]

#[path = "../support/mod.rs"]
mod support;

/// A first walk without the portal: the browser itself works on this machine.
#[tokio::test]
async fn chromium_shows_a_page() {
    let browser = support::chromium::Chromium::start("data:text/html,").await;
    browser
        .open("<label for=a>Name</label><input id=a><button>Save</button><p>hello</p>")
        .await;
    browser.fill("Name", "Ada").await;
    browser.click("Save").await;
    browser.expect("hello").await;
}
