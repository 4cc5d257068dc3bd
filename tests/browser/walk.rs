//! The main job as an administrator walks it: from signing in to a reset, with the sync at work beside it.

use std::time::Duration;

use leadgen::domain::access::Role;
use leadgen::sandbox::{FormInfo, Submission};

use crate::support::chromium::Chromium;
use crate::support::eventually;
use crate::support::installation::{Installation, PASSWORD};

/// A form of an ad account that asks for everything the walk answers.
fn a_form_with(installation: &Installation, fields: &[&str]) -> FormInfo {
    let readable = installation.linkedin.accounts()[0].id;
    installation
        .linkedin
        .forms()
        .into_iter()
        .find(|form| {
            form.owner.ends_with(&format!(":{readable}"))
                && fields.iter().all(|field| {
                    form.questions
                        .iter()
                        .any(|question| question.predefined.as_deref() == Some(field))
                })
        })
        .unwrap_or_else(|| panic!("no form asks for {fields:?}"))
}

/// Somebody answers the form at LinkedIn; the portal reads it with its next look.
async fn submit(installation: &Installation, form: &FormInfo, answers: &[(&str, &str)]) {
    let id = installation
        .linkedin
        .submit(&Submission {
            form_id: Some(form.id),
            answers: answers
                .iter()
                .map(|(field, text)| ((*field).to_owned(), (*text).to_owned()))
                .collect(),
            ..Submission::default()
        })
        .expect("the sandbox takes the submission");
    installation.make_due();
    eventually("the submission arrives", Duration::from_mins(1), || async {
        installation.database.number(&format!(
            "SELECT count(*) FROM form_submissions WHERE response_id = '{id}' AND processing_state <> 'unprocessed'"
        )) == 1
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_signing_in_to_a_reset() {
    let mut installation = Installation::new().await;
    installation.add_person(
        "ada@example.com",
        "Ada Administrator",
        &[Role::Administrator],
    );
    installation.serve(true);
    let browser = Chromium::start(&installation.address()).await;

    // Sign in.
    browser.open("/").await;
    browser.fill("E-mail address", "ada@example.com").await;
    browser.fill("Password", PASSWORD).await;
    browser.screenshot("sign-in").await;
    browser.click("Sign in").await;
    browser.expect("Ada Administrator").await;

    // New profile.
    browser.click("LinkedIn User Profile").await;
    browser.expect("No profile yet").await;
    browser.click("New").await;
    browser.fill("Name", "Northwind ads").await;
    browser.click("Save").await;
    browser.expect("Not Authorized").await;

    // Authorize: LinkedIn's own pages, then back here.
    browser.click("Authorize").await;
    let member = installation.linkedin.members().remove(0);
    browser.expect("Sign in").await;
    browser.fill("Email", member.email).await;
    browser.fill("Password", member.password).await;
    browser.click("Sign in").await;
    browser.expect("would like to").await;
    browser.screenshot("linkedin-consent").await;
    browser.click("Allow").await;

    // Check and confirm the organization.
    browser.expect("Check and confirm the organization").await;
    browser.expect("My organization").await;
    browser.screenshot("confirmation").await;
    browser.click("Yes, confirm").await;

    // The accounts appear on the profile without anybody loading the page again.
    browser.expect("Northwind ads").await;
    let account = installation.linkedin.accounts().remove(0).name;
    eventually("the accounts are read", Duration::from_mins(1), || async {
        let is_read = installation
            .database
            .number("SELECT count(*) FROM linkedin_accounts")
            > 0;
        if !is_read {
            eprintln!("{:?}", installation.runs());
        }
        is_read
    })
    .await;
    browser.expect(&account).await;
    browser.expect("Authorized").await;
    browser.screenshot("profile").await;

    // The leads appear.
    eventually("the history is pulled", Duration::from_mins(2), || async {
        installation.database.number("SELECT count(*) FROM linkedin_accounts") > 0
            && installation.database.number(
                "SELECT count(*) FROM linkedin_accounts WHERE is_sync_enabled AND last_synchronized_at IS NULL \
                 AND form_sync_status <> 'forbidden' AND failure_streak = 0",
            ) == 0
    })
    .await;
    browser.click("Leads").await;
    browser.expect("LinkedIn Sponsored Content").await;
    browser.screenshot("leads").await;
    browser.click("Form Submissions").await;
    browser.expect("New lead created").await;
    browser.screenshot("form-submissions").await;
    browser.click("Sync Status").await;
    browser.expect("Last synchronization").await;
    browser.expect("Leads created").await;
    browser.screenshot("sync-status").await;

    // Change a mapping, and see it act on the next submission.
    let form = a_form_with(&installation, &["EMAIL", "LAST_NAME", "JOB_TITLE"]);
    browser.click("Lead Field Mappings").await;
    browser.click("JOB_TITLE → Job title").await;
    browser.choose("Lead field", "Description").await;
    browser.screenshot("field-mapping").await;
    browser.click("Save").await;
    browser.expect("Lead Field Mappings").await;
    submit(
        &installation,
        &form,
        &[
            ("FIRST_NAME", "Wanda"),
            ("LAST_NAME", "Walker"),
            ("EMAIL", "wanda@walk.example"),
            ("JOB_TITLE", "Chief Walking Officer"),
        ],
    )
    .await;
    browser.open("/leads?q=wanda%40walk.example").await;
    browser.click("Wanda Walker").await;
    browser.expect("Chief Walking Officer").await;
    browser.screenshot("lead").await;
    assert_eq!(
        installation
            .database
            .texts("SELECT description FROM leads WHERE email = 'wanda@walk.example'"),
        ["Chief Walking Officer"]
    );

    // Activate another strategy: the same address with another last name is now another person.
    browser.click("Lead Matching Strategies").await;
    browser.click("New strategy").await;
    browser.fill("Name", "Last name only").await;
    browser.choose("First field to compare", "Last name").await;
    browser.click("Save").await;
    browser.expect("becomes inactive").await;
    browser.click("Activate").await;
    browser.expect("is the active strategy now").await;
    browser.screenshot("matching-strategy").await;
    submit(
        &installation,
        &form,
        &[
            ("FIRST_NAME", "Wanda"),
            ("LAST_NAME", "Runner"),
            ("EMAIL", "wanda@walk.example"),
            ("JOB_TITLE", "Chief Running Officer"),
        ],
    )
    .await;
    browser.open("/leads?q=wanda%40walk.example").await;
    browser.expect("2 leads").await;
    browser.click("Wanda Runner").await;
    browser.expect("Chief Running Officer").await;

    // Reset: the consequences first, then a typed confirmation; nothing is doubled.
    let counts = || {
        (
            installation
                .database
                .number("SELECT count(*) FROM form_submissions"),
            installation.database.number("SELECT count(*) FROM leads"),
            installation
                .database
                .number("SELECT coalesce(sum(submission_count), 0) FROM lead_origins"),
        )
    };
    let before = counts();
    browser.click("Sync Status").await;
    browser.click("Reset Synchronization").await;
    browser.expect("Reset Synchronization?").await;
    browser.fill("Type RESET to confirm", "reset").await;
    browser.click("Reset Synchronization").await;
    browser.expect("Nothing was saved yet").await;
    browser.fill("Type RESET to confirm", "RESET").await;
    browser.screenshot("reset").await;
    browser.click("Reset Synchronization").await;
    browser.expect("The synchronization begins anew").await;
    eventually("everything is read again", Duration::from_mins(2), || async {
        let begun = installation.database.number("SELECT count(*) FROM sync_runs WHERE trigger_kind = 'reset'");
        let ended = installation
            .database
            .number("SELECT count(*) FROM sync_runs WHERE trigger_kind = 'reset' AND status <> 'running'");
        let waiting = installation
            .database
            .number("SELECT count(*) FROM linkedin_accounts WHERE requested_trigger = 'reset'");
        begun > 0 && begun == ended && waiting == 0
    })
    .await;
    assert_eq!(counts(), before, "submissions, leads and their counts");
    browser.click("Sync Status").await;
    browser.expect("Succeeded").await;

    // Sign out; nothing on the whole way was blocked or missing.
    browser.click("Sign out").await;
    browser.expect("You are signed out").await;
    let complaints: Vec<String> = browser
        .complaints()
        .await
        .into_iter()
        // LinkedIn's own pages are not ours, and the refused confirmation was meant to be refused.
        .filter(|complaint| !complaint.starts_with(&installation.linkedin.base_url()))
        .filter(|complaint| !complaint.contains("status of 422"))
        .collect();
    assert_eq!(complaints, Vec::<String>::new());
}
