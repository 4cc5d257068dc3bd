//! Somebody answered with two addresses and stands in the list twice: one lead is made of the two, and two again.

use leadgen::domain::access::Role;

use crate::support::chromium::Chromium;
use crate::support::installation::Installation;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_leads_are_compared_merged_and_separated_again() {
    let installation = Installation::at_work().await;
    installation.add_person("sam@example.com", "Sam Sales", &[Role::Salesperson]);
    let browser = Chromium::start(&installation.address()).await;
    let leads = || installation.database.number("SELECT count(*) FROM leads");
    let before = leads();
    let submissions = "SELECT count(*) FROM form_submissions WHERE lead_id IS NOT NULL";
    let attached = installation.database.number(submissions);

    browser.sign_in("sam@example.com").await;
    browser.click("Leads").await;
    browser.tick_rows(2).await;
    browser.click("Merge two ticked leads").await;
    browser
        .expect("Where both have a value, choose the one that stays")
        .await;
    // The other lead’s first name is wanted.
    browser
        .measure(
            "document.querySelector('input[name=\"field:first_name\"][value=merged]').click(); return 1",
        )
        .await;
    let wanted = browser
        .measure(
            "return document.querySelector('input[name=\"field:first_name\"]:checked').closest('label').lastElementChild.textContent",
        )
        .await;
    let wanted = wanted.as_str().unwrap();
    browser.screenshot("merge").await;
    browser.click("Merge the two leads").await;
    browser.expect("is part of this lead now").await;
    browser.expect("Merged into this lead").await;
    browser.expect(wanted).await;
    browser.screenshot("merged-lead").await;
    assert_eq!(leads(), before - 1);
    assert_eq!(installation.database.number(submissions), attached);

    // An old bookmark leads on.
    let gone = installation
        .database
        .texts("SELECT merged_id FROM lead_merges");
    browser.open(&format!("/leads/{}", gone[0])).await;
    browser.expect("was merged into this lead").await;

    let name = installation
        .database
        .texts("SELECT merged_name FROM lead_merges");
    browser
        .click(&format!("Undo the merge of {}", name[0]))
        .await;
    browser.expect("Nothing changed since").await;
    browser.click("Undo the merge").await;
    browser.expect("is a lead of its own again").await;
    browser.click("Open it").await;
    browser.expect("Details").await;
    assert_eq!(leads(), before);
}
