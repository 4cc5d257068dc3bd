//! Where people see that leads do not arrive: on the lead, in the list of organizations, on Sync Status, in the measurements.

use chrono::TimeDelta;
use leadgen::domain::access::Role;
use leadgen::domain::ids::LeadId;
use leadgen::sandbox::dataverse::{DataverseFault, DataverseFaultKind as Fault};
use leadgen::store::deliveries::standing::{self, Backlog};
use serde_json::json;
use uuid::Uuid;

use crate::dynamics::Stage;
use crate::start::TestPortal;
use crate::support::records::authorize;
use crate::support::{Page, a_lead, a_moment};

async fn page_of(stage: &Stage, lead: &LeadId) -> Page {
    let path = format!("/leads/{lead}");
    stage.browser.get(&path).await.expect(200)
}

/// Two records there that match the lead.
fn twins(stage: &Stage, email: &str) {
    for _ in 0..2 {
        let columns = json!({ "lastname": "Twice", "emailaddress1": email });
        stage.dynamics.write(Uuid::now_v7(), columns);
    }
}

#[tokio::test]
async fn a_lead_that_is_not_there_yet_says_why_from_its_first_moment() {
    let stage = Stage::new().await;
    let database = &stage.portal.database;
    let lead = stage.insert(a_lead().name("Ada", "Lovelace"));
    let page = page_of(&stage, &lead)
        .await
        .expect_text("Not there yet")
        .expect_text("It waits for its turn.");
    let delivery = page.link("Open the delivery to Contoso");
    stage.browser.get(&delivery).await.expect(200);
    for (change, words) in [
        (
            "UPDATE delivery_lanes SET trouble = 'unauthorized', trouble_since = created_at, trouble_count = 1",
            "does not accept the portal’s credentials",
        ),
        (
            "UPDATE delivery_lanes SET paused_at = created_at, paused_by_name = 'Somebody'",
            "Deliveries to the organization are paused.",
        ),
        (
            "UPDATE delivery_lanes SET is_enabled = false",
            "The organization is disabled.",
        ),
    ] {
        database.execute(change);
        page_of(&stage, &lead).await.expect_text(words);
    }
    database.execute(
        "UPDATE delivery_lanes SET is_enabled = true, paused_at = NULL, paused_by_name = NULL, \
         trouble = NULL, trouble_since = NULL, trouble_count = 0; \
         UPDATE deliveries SET state = 'dead', reason = 'conflict'",
    );
    page_of(&stage, &lead)
        .await
        .expect_text("given up until somebody retries it")
        .expect_no_text("It is tried again by itself");
    database.execute("UPDATE deliveries SET state = 'pending'");
    assert_eq!(stage.deliver().await, 1);
    page_of(&stage, &lead)
        .await
        .expect_text("Open in Dynamics 365")
        .expect_no_text("Not there yet")
        .expect_no_text("Not sent yet");
    // What was given up long ago says nothing once something later arrived.
    stage.change(&lead, &[("last_name", Some("King"))]).await;
    page_of(&stage, &lead).await.expect_text("Not sent yet");
    let refusal = DataverseFault::new(Fault::Plugin).on(lead.as_str());
    stage.dynamics.sandbox.add_fault(refusal);
    assert_eq!(stage.deliver().await, 0);
    page_of(&stage, &lead)
        .await
        .expect_text("The destination refused the record.");
    stage.dynamics.sandbox.clear_faults();
    stage.change(&lead, &[("last_name", Some("Byron"))]).await;
    assert_eq!(stage.deliver().await, 1);
    page_of(&stage, &lead).await.expect_no_text("Not sent yet");
}

#[tokio::test]
async fn a_lead_about_which_a_person_decides_leads_to_where_it_is_decided() {
    let stage = Stage::new().await;
    twins(&stage, "ada@example.com");
    let lead = stage.insert(a_lead().name("Ada", "Lovelace").email("ada@example.com"));
    assert_eq!(stage.deliver().await, 0);
    let page = page_of(&stage, &lead)
        .await
        .expect_text("Somebody has to decide which record it belongs to.");
    let delivery = page.link("Open the delivery to Contoso");
    stage
        .browser
        .get(&delivery)
        .await
        .expect(200)
        .expect_text("Which lead of Contoso is it?");
}

#[tokio::test]
async fn a_stuck_queue_is_seen_in_the_list_of_organizations_and_on_sync_status() {
    let stage = Stage::new().await;
    let database = &stage.portal.database;
    let id = |table: &str| {
        let query = format!("SELECT id AS value FROM {table}");
        database.texts(&query).remove(0)
    };
    authorize(
        &mut database.conn(),
        &id("linkedin_user_profiles").parse().unwrap(),
        &id("users").parse().unwrap(),
        a_moment() + TimeDelta::days(50),
    );
    database.execute(&format!(
        "UPDATE linkedin_user_profiles SET organization_id = '{}'; \
         UPDATE linkedin_accounts SET last_synchronized_at = '2026-03-02 09:55:00', next_sync_at = '2026-03-02 10:05:00'",
        stage.organization
    ));
    let manager = stage.portal.sign_in_as(&[Role::SalesManager]).await;
    let organizations = || async {
        let list = stage.browser.get("/settings/organizations").await;
        list.expect(200)
    };
    let status = || async { manager.get("/sync-status").await.expect(200) };
    organizations()
        .await
        .expect_text("Working")
        .expect_no_text("Show deliveries");
    status()
        .await
        .expect_text("Everything is in order")
        .expect_no_text("Not every lead arrives");

    twins(&stage, "ada@example.com");
    stage.insert(a_lead().email("ada@example.com"));
    let gone = stage.insert(a_lead().email("gone@example.com"));
    assert_eq!(stage.deliver().await, 1);
    let refused = stage.insert(a_lead().email("refused@example.com"));
    let sandbox = &stage.dynamics.sandbox;
    sandbox.add_fault(DataverseFault::new(Fault::Plugin).on(refused.as_str()));
    assert_eq!(stage.deliver().await, 0);
    // What people delete there is no trouble.
    stage
        .dynamics
        .delete(Uuid::try_parse(gone.as_str()).unwrap());
    stage.change(&gone, &[("last_name", Some("King"))]).await;
    stage.deliver().await;
    let dead = database.number("SELECT count(*) FROM deliveries WHERE state = 'dead'");
    assert_eq!(dead, 3);
    let words = "1 delivery given up, 1 lead waits for a person";
    let page = organizations()
        .await
        .expect_text("Working")
        .expect_text(words);
    let way = page.link("Show deliveries to Contoso");
    stage.browser.get(&way).await.expect(200);
    let page = status()
        .await
        .expect_text(&format!(
            "Not every lead arrives where it is sent: Contoso ({words})."
        ))
        .expect_no_text("Everything is in order");
    manager.get(&page.link("Show deliveries")).await.expect(200);

    sandbox.add_fault(DataverseFault::new(Fault::ExpiredToken));
    stage.insert(a_lead());
    assert_eq!(stage.deliver().await, 0);
    organizations().await.expect_text("Not signed in");
    status()
        .await
        .expect_text("Contoso (Not signed in, 1 delivery given up");

    let backlogs = standing::backlogs(&mut database.conn()).unwrap();
    let of_organizations = Backlog {
        waiting: 1,
        dead: 3,
    };
    assert_eq!(backlogs, (of_organizations, Backlog::default()));

    // A pause is somebody's decision; the trouble waits with it.
    database.execute("UPDATE delivery_lanes SET paused_at = created_at, paused_by_name = 'Ada'");
    status()
        .await
        .expect_text("Contoso (1 delivery given up")
        .expect_no_text("Not signed in");
}

#[tokio::test]
async fn the_measurements_count_what_waits_by_kind_of_destination_and_name_nobody() {
    let portal = TestPortal::start().await;
    // A program installs what measures when it starts; here the first look does.
    portal.browser().get("/metrics").await.expect(200);
    let page = portal.browser().get("/metrics").await.expect(200);
    for name in ["leadgen_deliveries_waiting", "leadgen_deliveries_dead"] {
        for kind in ["organization", "webhook"] {
            let gauge = format!("{name}{{destination=\"{kind}\"}} ");
            assert!(page.body.contains(&gauge), "{gauge} in {}", page.body);
        }
    }
}
