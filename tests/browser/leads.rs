//! A salesperson's day: a saved view, many leads at once, an edit that collides with a colleague's, a note, a field of one's own.

use leadgen::domain::access::Role;

use crate::support::chromium::Chromium;
use crate::support::installation::Installation;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leads_are_filtered_kept_as_a_view_changed_together_and_edited() {
    let installation = Installation::at_work().await;
    installation.add_person("sam@example.com", "Sam Sales", &[Role::Salesperson]);
    let browser = Chromium::start(&installation.address()).await;

    // The Administrator makes a field.
    browser.sign_in("ada@example.com").await;
    browser.click("Custom Fields").await;
    browser.click("New field").await;
    browser.fill("Label", "Budget").await;
    browser.fill("Name", "budget").await;
    browser.choose("Type", "Text").await;
    browser.click("Add field").await;
    browser.expect("Budget").await;
    browser.click("Sign out").await;

    browser.sign_in("sam@example.com").await;
    browser.click("Leads").await;
    browser.choose("Status", "New").await;
    browser.choose("Order", "Name, A to Z").await;
    browser.click("Apply").await;
    browser.click("Save this view").await;
    browser.fill("Name of the view", "New by name").await;
    browser.click("Save view").await;
    browser.expect("New by name").await;

    // Two at once: the change is said first.
    browser.tick_rows(2).await;
    browser.choose("New status", "Contacted").await;
    browser.choose("New owner", "Sam Sales").await;
    browser.click("Look at the change").await;
    browser.expect("Change 2 leads?").await;
    browser.click("Change leads").await;
    browser.expect("2 leads were changed.").await;
    assert_eq!(
        installation
            .database
            .number("SELECT count(*) FROM leads WHERE status = 'contacted'"),
        2
    );

    // A colleague is faster: what was entered is kept, and what changed is shown.
    browser.open("/leads?status=contacted").await;
    let first = browser
        .measure("return document.querySelector('main tbody th a').textContent.trim()")
        .await;
    browser.click(first.as_str().unwrap()).await;
    browser.expect("Details").await;
    browser.click("Edit").await;
    browser.fill("Job title", "Chief Buyer").await;
    browser.fill("Budget", "40,000").await;
    installation.database.execute(
        "UPDATE leads SET city = 'Oslo', lock_version = lock_version + 1 WHERE status = 'contacted'",
    );
    browser.click("Save").await;
    browser.expect("Oslo").await;
    browser.click("Save").await;
    browser.expect("Chief Buyer").await;
    browser.expect("40,000").await;

    browser.fill("New note", "Wants a call on Friday").await;
    browser.click("Add note").await;
    browser.expect("Wants a call on Friday").await;
    browser.screenshot("lead-at-work").await;
}
