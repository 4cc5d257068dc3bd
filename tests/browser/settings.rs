//! Mappings, strategies and the configuration file, as an Administrator changes them: look first, then save.

use std::time::Duration;

use crate::support::chromium::Chromium;
use crate::support::eventually;
use crate::support::installation::Installation;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mapping_is_tried_previewed_and_saved_and_an_unmapped_question_is_mapped() {
    let installation = Installation::at_work().await;
    let browser = Chromium::start(&installation.address()).await;
    browser.sign_in("ada@example.com").await;

    // The example follows what is entered, before anything is saved.
    browser.click("Lead Field Mappings").await;
    browser.click("LAST_NAME → Last name").await;
    browser.choose("What it does", "UPPER CASE").await;
    eventually("the example follows", Duration::from_secs(20), || async {
        let is_shown = browser
            .measure(
                "return [...document.querySelectorAll('#example dd')].some(shown => { \
                 const source = shown.querySelector('q'), result = shown.querySelector('strong'); \
                 return source && result && result.textContent === source.textContent.toUpperCase(); })",
            )
            .await;
        is_shown == true
    })
    .await;

    // The preview says what becomes of real submissions; going back keeps the step.
    browser.click("Preview").await;
    browser.expect("Preview of LAST_NAME → Last name").await;
    browser.expect("changes to").await;
    browser.click("Change it").await;
    browser.expect("Edit mapping").await;
    browser.click("Save").await;
    browser.expect("Whole organization").await;
    assert_eq!(
        installation.database.number(
            "SELECT count(*) FROM field_mappings WHERE name = 'LAST_NAME → Last name' AND transforms LIKE '%upper%'"
        ),
        1
    );

    // The inbox: a question of the forms that no mapping reads, mapped by one click.
    browser.open("/settings/field-mappings/inbox").await;
    browser
        .choose("Lead field for Your message", "Description")
        .await;
    browser.click("Map Your message").await;
    browser.expect("Unmapped questions").await;
    browser.open("/settings/field-mappings?q=message").await;
    browser.expect("Your message").await;
    browser.expect("Description").await;

    // Every form says how much of each version is mapped.
    browser.click("Forms").await;
    browser.click("Contact us (page)").await;
    browser.expect("mapped").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_strategy_is_tried_on_real_submissions_before_it_is_activated() {
    let installation = Installation::at_work().await;
    let browser = Chromium::start(&installation.address()).await;
    browser.sign_in("ada@example.com").await;
    browser.click("Lead Matching Strategies").await;
    browser
        .expect("Updates the lead whose Email matches; when no lead has it, a lead is created.")
        .await;
    browser.click("New strategy").await;
    browser.fill("Name", "Last name only").await;
    browser.choose("First field to compare", "Last name").await;
    browser.click("Save").await;
    browser
        .expect("Updates the lead whose Last name matches")
        .await;
    browser.click("Dry run first").await;
    browser.expect("differently").await;
    browser.expect("Now: E-mail address").await;
    let leads = installation.database.number("SELECT count(*) FROM leads");
    browser.click("Activate").await;
    browser.expect("is the active strategy now").await;
    assert_eq!(
        installation.database.number("SELECT count(*) FROM leads"),
        leads,
        "neither the dry run nor the activation touches leads"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_configuration_goes_out_as_a_file_and_comes_back_with_its_difference_first() {
    let installation = Installation::at_work().await;
    let browser = Chromium::start(&installation.address()).await;
    browser.sign_in("ada@example.com").await;
    browser.click("Lead Field Mappings").await;
    browser.click("Export or import the configuration").await;
    let file = browser
        .download(&browser.link("Download the file").await)
        .await;
    assert!(file.contains("JOB_TITLE → Job title"), "{file}");

    browser
        .paste(
            "Or its text",
            &file.replace("JOB_TITLE → Job title", "Title of the job"),
        )
        .await;
    browser.click("Preview the import").await;
    browser.expect("Title of the job").await;
    assert_eq!(
        installation
            .database
            .number("SELECT count(*) FROM field_mappings WHERE name = 'Title of the job'"),
        0,
        "a preview saves nothing"
    );
    browser.click("Import").await;
    browser.open("/settings/field-mappings?q=title").await;
    browser.expect("Title of the job").await;
}
