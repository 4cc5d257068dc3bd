//! The main job with JavaScript switched off: everything works, with a page loaded by hand where a script would ask again.

use leadgen::domain::access::Role;

use crate::support::chromium::Chromium;
use crate::support::installation::{Installation, PASSWORD};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_main_job_works_without_scripts() {
    let mut installation = Installation::new().await;
    installation.add_person(
        "ada@example.com",
        "Ada Administrator",
        &[Role::Administrator],
    );
    installation.serve(true);
    let browser = Chromium::start_without_scripts(&installation.address()).await;
    browser.open("/").await;
    browser.fill("E-mail address", "ada@example.com").await;
    browser.fill("Password", PASSWORD).await;
    browser.click("Sign in").await;
    browser.expect("Ada Administrator").await;
    browser.click("LinkedIn User Profile").await;
    browser.click("New").await;
    browser.fill("Name", "Northwind ads").await;
    browser.click("Save").await;
    browser.expect("Not Authorized").await;
    browser.click("Authorize").await;
    let member = installation.linkedin.members().remove(0);
    browser.expect("Sign in").await;
    browser.fill("Email", member.email).await;
    browser.fill("Password", member.password).await;
    browser.click("Sign in").await;
    browser.expect("would like to").await;
    browser.click("Allow").await;
    browser.expect("Check and confirm the organization").await;
    browser.click("Yes, confirm").await;
    browser.expect("Northwind ads").await;

    // No script asks again, so the page is loaded by hand.
    let account = installation.linkedin.accounts().remove(0).name;
    browser.expect_after_reloads(&account).await;
    browser.open("/leads").await;
    browser
        .expect_after_reloads("LinkedIn Sponsored Content")
        .await;
    browser.open("/form-submissions").await;
    browser.expect_after_reloads("New lead created").await;
    browser.choose("Matching status", "New lead created").await;
    browser.click("Apply").await;
    browser.expect("New lead created").await;

    // A setting is changed, with a mistake first.
    browser.click("Lead Field Mappings").await;
    browser.click("JOB_TITLE → Job title").await;
    browser.fill("Name", " ").await;
    browser.click("Save").await;
    browser.expect("Nothing was saved yet").await;
    browser.fill("Name", "Title of the job").await;
    browser.click("Save").await;
    browser.expect("Title of the job").await;
    browser.click("Sign out").await;
    browser.expect("You are signed out").await;
    assert!(
        !browser
            .complaints()
            .await
            .iter()
            .any(|complaint| complaint.contains("Content Security Policy"))
    );
}
