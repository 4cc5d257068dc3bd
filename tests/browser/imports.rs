//! Existing leads come in by a CSV file: columns, what would become of each row, the import, and its undo.

use leadgen::domain::access::Role;

use crate::support::chromium::Chromium;
use crate::support::installation::Installation;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_is_mapped_checked_imported_and_taken_back() {
    let installation = Installation::at_work().await;
    installation.add_person("sam@example.com", "Sam Sales", &[Role::Salesperson]);
    let leads = || installation.database.number("SELECT count(*) FROM leads");
    let before = leads();
    let known = installation
        .database
        .texts("SELECT email FROM leads WHERE email LIKE '%@mail.example' AND job_title IS NULL ORDER BY email LIMIT 1")
        .remove(0);
    let browser = Chromium::start(&installation.address()).await;
    browser.sign_in("sam@example.com").await;
    browser.click("Leads").await;
    browser.click("Import").await;
    browser.click("Import a file").await;
    browser
        .paste(
            "Or paste the rows",
            &format!(
                "Given name;Surname;E-mail;Position\nGrace;Hopper;grace@navy.example;Admiral\n\
                 Alan;Turing;not-an-address;Reader\nSomebody;Known;{known};Buyer\n"
            ),
        )
        .await;
    browser.click("Read the file").await;
    browser.expect("Step 2 of 3").await;
    browser.choose("Position fills", "Job title").await;
    browser.click("Check the rows").await;
    browser.expect_after_reloads("Step 3 of 3").await;
    browser.expect("The value is no e-mail address.").await;
    assert_eq!(leads(), before, "a check writes nothing");
    browser.screenshot("import-checked").await;
    browser.click("Import 2 rows").await;
    browser.expect_after_reloads("Undo the import").await;
    assert_eq!(leads(), before + 1);
    browser.open("/leads?q=hopper").await;
    browser.click("Grace Hopper").await;
    browser.expect("Admiral").await;

    browser.open("/leads/imports").await;
    browser.click("Pasted text").await;
    browser.click("Undo the import").await;
    browser.click("Undo the import").await;
    browser.expect_after_reloads("This import was undone").await;
    assert_eq!(leads(), before);
}
