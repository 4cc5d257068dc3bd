//! Single sign-on in a real browser: its rules about forms, redirects and cookies between two sites.

use crate::support::certified_provider::CertifiedProvider;
use crate::support::chromium::Chromium;
use crate::support::installation::{Installation, Plan};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_button_leads_to_the_provider_and_back() {
    let mut provider = CertifiedProvider::start();
    let mut installation = Installation::of(Plan {
        settings: provider.settings(),
        ..Plan::default()
    })
    .await;
    provider.knows(&installation.address());
    installation.serve(false);
    let browser = Chromium::start(&installation.address()).await;
    browser.open("/account").await;
    // The page in between leads on by itself.
    browser.click("Sign in with Certified ID").await;
    browser.expect("Sign-in").await;
    for (name, value) in [("login", "grace"), ("password", "any")] {
        browser
            .measure(&format!(
                "document.querySelector('input[name={name}]').value = '{value}'; return true;"
            ))
            .await;
    }
    browser.click("Sign-in").await;
    browser.click("Continue").await;
    browser.expect("grace@example.com").await;
    browser.expect_place("/account").await;
}
