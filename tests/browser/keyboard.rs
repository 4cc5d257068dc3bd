//! The keyboard: shortcuts for those who want them, nothing for those who switched them off; and the chosen colours.

use leadgen::domain::access::Role;

use crate::support::chromium::Chromium;
use crate::support::installation::{Installation, PASSWORD};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shortcuts_lead_through_the_portal_until_they_are_switched_off() {
    let mut installation = Installation::new().await;
    installation.connect("Northwind ads").await;
    installation.sync().await;
    installation.add_person("ada@example.com", "Ada", &[Role::Administrator]);
    installation.serve(false);
    let browser = Chromium::start(&installation.address()).await;
    browser.open("/").await;
    browser.fill("E-mail address", "ada@example.com").await;
    browser.fill("Password", PASSWORD).await;
    browser.click("Sign in").await;
    browser.expect("Sign out").await;

    // To another page, down and up its list, into a record.
    browser.press("gl").await;
    browser.expect_place("/leads").await;
    browser.press("jjk").await;
    let first = browser
        .measure("return document.querySelector('main tbody tr a').getAttribute('href')")
        .await;
    let focused = browser
        .measure("return document.activeElement.getAttribute('href')")
        .await;
    assert_eq!(focused, first, "j, j, k leads to the first row");
    browser.press("\u{e007}").await;
    browser.expect_place(first.as_str().unwrap()).await;

    // Search, and what is typed there is text.
    browser.press("gl").await;
    browser.expect_place("/leads").await;
    browser.press("/").await;
    browser.press("gs?j").await;
    let typed = browser.measure("return document.activeElement.value").await;
    assert_eq!(typed, "gs?j");

    // Help says what there is; Escape closes it and gives the focus back.
    browser.open("/leads").await;
    browser.press("?").await;
    browser.expect("Keyboard shortcuts").await;
    browser.expect("Form Submissions").await;
    browser.press("\u{e00c}").await;
    let is_open = browser
        .measure("return Boolean(document.querySelector('dialog[open]'))")
        .await;
    assert_eq!(is_open, false);

    // Switched off they do nothing; dark stays dark.
    browser.open("/account").await;
    browser.tick("Keyboard shortcuts", false).await;
    browser.choose("Appearance", "Dark").await;
    browser.click("Save choice").await;
    browser.expect("Your choice was saved").await;
    let ground = browser
        .measure("return getComputedStyle(document.body).backgroundColor")
        .await;
    assert_eq!(ground, "rgb(18, 22, 29)");
    browser.press("gl?").await;
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert_eq!(browser.place().await, "/account");
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}
