//! A Dynamics 365 organization as an Administrator meets it: added, tested, chosen for a profile, at work, broken in every usual
//! way, and drained afterwards.

use std::time::Duration;

use leadgen::domain::access::Role;
use leadgen::sandbox::Submission;
use leadgen::sandbox::dataverse::{
    CLIENT_ID, CLIENT_SECRET, DataverseFault, DataverseFaultKind as Fault, DataverseSettings,
    TENANT,
};

use crate::support::chromium::Chromium;
use crate::support::dynamics::Dynamics;
use crate::support::eventually;
use crate::support::installation::{Installation, Plan};

struct Stage {
    dynamics: Dynamics,
    installation: Installation,
    browser: Chromium,
}

impl Stage {
    async fn new() -> Self {
        let dynamics = Dynamics::start();
        let mut installation = Installation::of(Plan {
            settings: dynamics
                .settings()
                .map(|(name, value)| (name, value.to_owned()))
                .to_vec(),
            ..Plan::default()
        })
        .await;
        installation.add_person(
            "ada@example.com",
            "Ada Administrator",
            &[Role::Administrator],
        );
        installation.serve(true);
        let browser = Chromium::start(&installation.address()).await;
        browser.sign_in("ada@example.com").await;
        Self {
            dynamics,
            installation,
            browser,
        }
    }

    /// Somebody answers a form at LinkedIn, and the lead comes in here.
    async fn a_lead_comes_in(&self) {
        let count = || {
            self.installation
                .database
                .number("SELECT count(*) FROM deliveries")
        };
        let before = count();
        let account = self.installation.linkedin.accounts()[0].id;
        let submission = Submission {
            account: Some(account),
            ..Submission::default()
        };
        self.installation.linkedin.submit(&submission).unwrap();
        self.installation.make_due();
        eventually("the lead is queued", Duration::from_mins(1), || async {
            count() > before
        })
        .await;
    }

    fn waiting(&self) -> i64 {
        self.installation
            .database
            .number("SELECT count(*) FROM deliveries WHERE state <> 'delivered'")
    }

    fn troubles(&self) -> i64 {
        self.installation
            .database
            .number("SELECT count(*) FROM delivery_lanes WHERE trouble IS NOT NULL")
    }

    /// What is wrong stands on the page of deliveries, and the lead waits.
    async fn trouble(&self, words: &str, picture: &str) {
        self.a_lead_comes_in().await;
        eventually("the trouble is noticed", Duration::from_mins(1), || async {
            self.troubles() == 1
        })
        .await;
        self.browser.open("/deliveries").await;
        self.browser.expect(words).await;
        self.browser.screenshot(picture).await;
        assert!(self.waiting() > 0);
    }

    /// All that waited is there, each lead once.
    async fn drained(&self) {
        eventually("the queue drains", Duration::from_mins(1), || async {
            self.waiting() == 0 && self.troubles() == 0
        })
        .await;
        let here = self
            .installation
            .database
            .number("SELECT count(*) FROM organization_leads WHERE state = 'linked'");
        let there = i64::try_from(self.dynamics.leads().len()).unwrap();
        assert_eq!(here, there);
        self.browser.open("/deliveries").await;
        self.browser.expect("Working").await;
    }

    /// The organization's next attempt does not wait for its rest.
    fn rest_ends(&self) {
        self.installation
            .database
            .execute("UPDATE delivery_lanes SET not_before = created_at");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_organization_is_added_tested_chosen_broken_and_drains() {
    let stage = Stage::new().await;
    let browser = &stage.browser;
    let sandbox = &stage.dynamics.sandbox;

    // Added with a wrong secret: the test says so, and what helps.
    browser.click("Organizations").await;
    browser.click("Add Dynamics 365").await;
    browser.fill("Name", "Contoso Sales").await;
    browser.fill("Organization address", &sandbox.url()).await;
    browser.fill("Tenant", TENANT).await;
    browser.fill("Client id", CLIENT_ID).await;
    browser.fill("Client secret", "not the secret at all").await;
    browser.click("Save").await;
    browser.expect("The organization was added.").await;
    browser.click("Test connection").await;
    browser.expect("The client secret is wrong.").await;
    browser.expect("Copy the secret's Value").await;
    browser.screenshot("organization-wrong-secret").await;
    let organization = browser.place().await;
    browser.click("Edit").await;
    browser.fill("Client secret", CLIENT_SECRET).await;
    browser.click("Save").await;
    browser.click("Test connection").await;
    browser.expect("The test passed").await;
    browser.screenshot("organization").await;

    // Its own columns.
    browser.click("Which part of a lead goes where").await;
    browser
        .expect("Each part of a lead goes to one column")
        .await;
    browser.screenshot("organization-columns").await;
    browser.click("Save").await;
    browser.expect("The columns were saved.").await;

    // A profile is authorised into it.
    browser.click("LinkedIn User Profile").await;
    browser.click("New").await;
    browser.fill("Name", "Northwind ads").await;
    browser.click("Save").await;
    browser.click("Authorize").await;
    let member = stage.installation.linkedin.members().remove(0);
    browser.fill("Email", member.email).await;
    browser.fill("Password", member.password).await;
    browser.click("Sign in").await;
    browser.expect("would like to").await;
    browser.click("Allow").await;
    browser.expect("Check and confirm the organization").await;
    browser.tick("Contoso Sales", true).await;
    browser.screenshot("confirmation-organizations").await;
    browser.click("Yes, confirm").await;
    browser.expect("The profile is authorized.").await;

    // Its leads are there.
    eventually(
        "leads arrive in Dynamics 365",
        Duration::from_mins(2),
        || async { !stage.dynamics.leads().is_empty() && stage.waiting() == 0 },
    )
    .await;
    stage.drained().await;
    let lead = stage
        .installation
        .database
        .texts("SELECT lead_id AS value FROM organization_leads ORDER BY lead_id");
    browser.open(&format!("/leads/{}", lead[0])).await;
    browser.expect("Open in Dynamics 365").await;
    browser.screenshot("lead-in-dynamics").await;

    // A privilege is taken away.
    sandbox.set_settings(DataverseSettings {
        missing_privileges: ["prvCreateLead".to_owned()].into(),
        ..DataverseSettings::default()
    });
    stage
        .trouble(
            "The application user lacks a privilege.",
            "deliveries-privilege",
        )
        .await;
    browser.open(&organization).await;
    browser.click("Test connection").await;
    browser.expect("prvCreateLead").await;
    sandbox.set_settings(DataverseSettings::default());
    // A test that passes lets the queue go on at once.
    browser.click("Test connection").await;
    browser.expect("The test passed").await;
    stage.drained().await;

    // The limits, then an outage, then a secret that was changed there.
    sandbox.add_fault(DataverseFault::new(Fault::ThrottledRequests));
    stage
        .trouble("its limit was reached", "deliveries-throttled")
        .await;
    sandbox.clear_faults();
    stage.drained().await;
    sandbox.add_fault(DataverseFault::new(Fault::Status503));
    stage
        .trouble(
            "The organization has a problem of its own.",
            "deliveries-outage",
        )
        .await;
    stage.a_lead_comes_in().await;
    sandbox.clear_faults();
    stage.rest_ends();
    stage.drained().await;

    sandbox.set_settings(DataverseSettings {
        secret_expired: true,
        ..DataverseSettings::default()
    });
    sandbox.end_tokens();
    stage
        .trouble("The client secret has expired.", "deliveries-secret")
        .await;
    sandbox.set_settings(DataverseSettings::default());
    browser.open(&organization).await;
    browser.click("Edit").await;
    browser.fill("Client secret", CLIENT_SECRET).await;
    browser.click("Save").await;
    stage.drained().await;
}
