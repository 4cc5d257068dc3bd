//! The pages around the synchronization: setup until it is done, health, pausing, live updates, forms with their versions, System.

use std::time::Duration;

use leadgen::domain::access::Role;
use leadgen::sandbox::Submission;

use crate::support::chromium::Chromium;
use crate::support::eventually;
use crate::support::installation::Installation;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sync_status_renews_itself_and_a_paused_account_rests_until_it_is_resumed() {
    let installation = Installation::at_work().await;
    let browser = Chromium::start(&installation.address()).await;
    browser.sign_in("ada@example.com").await;
    browser.click("Sync Status").await;
    browser.expect("Last synchronization").await;

    // Something arrives while somebody looks: the page follows without being loaded again.
    let runs = || {
        installation
            .database
            .number("SELECT count(*) FROM sync_runs")
    };
    browser
        .measure("document.body.dataset.seen = 'yes'; return 1")
        .await;
    let before = browser.text().await;
    let begun = runs();
    installation
        .linkedin
        .submit(&Submission::default())
        .expect("the sandbox takes the submission");
    installation.make_due();
    installation.sync().await;
    assert!(runs() > begun);
    eventually("the page follows", Duration::from_secs(20), || async {
        browser.text().await != before
    })
    .await;
    let seen = browser.measure("return document.body.dataset.seen").await;
    assert_eq!(seen, "yes", "the page was not loaded again");

    // Pause, and resume.
    let account = installation.linkedin.accounts()[0].name.clone();
    browser
        .click_in_row(&account, &format!("Pause {account}"))
        .await;
    browser.expect(&format!("Pause {account}?")).await;
    browser
        .fill("Reason", "Until the new form is approved")
        .await;
    browser.click("Pause").await;
    browser.expect("Until the new form is approved").await;
    let pulled = || {
        installation
            .database
            .texts(&format!("SELECT coalesce(CAST(last_synchronized_at AS TEXT), '') FROM linkedin_accounts WHERE name = '{account}'"))
    };
    let before = pulled();
    installation.make_due();
    installation.sync().await;
    assert_eq!(pulled(), before, "nothing of a paused account is read");
    browser.open("/linkedin-accounts").await;
    browser.click(&account).await;
    browser.expect("Until the new form is approved").await;
    browser.click("Resume").await;
    browser.expect("Active").await;
    installation.make_due();
    installation.sync().await;
    assert_ne!(pulled(), before);

    // Lists with their states; a form with two versions side by side.
    browser.click("Campaigns").await;
    browser.expect("Total").await;
    browser.click("Forms").await;
    browser.click("Whitepaper: Data platforms").await;
    browser
        .measure("[...document.querySelectorAll('main details')].find(one => one.textContent.includes('Compare versions')).open = true")
        .await;
    browser.click("Compare").await;
    browser.expect("Version 2").await;

    browser.click("System").await;
    browser.expect("Migrations").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_setup_checklist_leads_a_new_administrator_to_the_first_profile() {
    let mut installation = Installation::new().await;
    installation.add_person(
        "ada@example.com",
        "Ada Administrator",
        &[Role::Administrator],
    );
    installation.serve(false);
    let browser = Chromium::start(&installation.address()).await;
    browser.sign_in("ada@example.com").await;
    browser.expect("Setup checklist").await;
    browser.expect("4 of 8 steps are done").await;
    browser.click("Test with LinkedIn").await;
    browser.expect("LinkedIn accepts").await;
    browser.click("Make the first profile").await;
    browser.expect("Name (required)").await;
    browser.screenshot("setup").await;
}
