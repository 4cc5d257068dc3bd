//! Leads on their way into Dynamics 365: which of them go there, and what one of them may cost the others.

use leadgen::domain::column_mapping::LeadPart;
use leadgen::domain::ids::LeadId;
use leadgen::domain::lead::LeadField;
use leadgen::sandbox::dataverse::{DataverseFault, DataverseFaultKind as Fault};
use leadgen::store::dataverse_columns;
use serde_json::json;
use uuid::Uuid;

use crate::dynamics::Stage;
use crate::support::builders::{a_form, an_account};
use crate::support::{a_lead, a_moment, a_submission, a_user};

fn id_of(lead: &LeadId) -> Uuid {
    Uuid::try_parse(lead.as_str()).unwrap()
}

fn count(stage: &Stage, state: &str) -> usize {
    let states = stage.deliveries();
    states.iter().filter(|one| *one == state).count()
}

/// Somebody here whom the organization knows by this address.
fn owner(stage: &Stage, email: &str) -> leadgen::domain::ids::UserId {
    a_user()
        .email(email)
        .insert(&mut stage.portal.database.conn())
}

#[tokio::test]
async fn a_lead_that_came_otherwise_goes_where_the_person_answers_a_form() {
    let stage = Stage::new().await;
    let mut conn = stage.portal.database.conn();
    let elsewhere = an_account().insert(&mut conn);
    let other_form = a_form().of(&elsewhere).insert(&mut conn);
    // One was imported, the other came from an account that goes to no organization.
    let imported = a_lead().name("Ada", "Lovelace").insert(&mut conn);
    let of_other = a_lead()
        .name("Mary", "Somerville")
        .of(&elsewhere, &other_form)
        .insert(&mut conn);
    a_submission()
        .of(&other_form)
        .lead(&of_other)
        .insert(&mut conn);
    assert_eq!(stage.deliver().await, 0);
    for lead in [&imported, &of_other] {
        a_submission().of(&stage.form).lead(lead).insert(&mut conn);
    }
    assert_eq!(stage.deliver().await, 2);
    // What changes later goes there, too.
    for lead in [&imported, &of_other] {
        stage.change(lead, &[("last_name", Some("King"))]).await;
    }
    assert_eq!(stage.deliver().await, 2);
    for lead in [&imported, &of_other] {
        assert_eq!(stage.dynamics.lead(lead.as_str())["lastname"], "King");
    }
    // An organization that gets the existing leads gets them all.
    let missing = leadgen::store::deliveries::enqueue_existing;
    stage
        .portal
        .database
        .execute("DELETE FROM organization_leads");
    assert_eq!(missing(&mut conn, &stage.organization, None).unwrap(), 2);
}

#[tokio::test]
async fn an_owner_who_may_have_no_leads_there_costs_no_lead() {
    let stage = Stage::new().await;
    let jon = owner(&stage, "jon.okafor@contoso.example");
    let refused = stage.insert(a_lead().name("Ada", "Lovelace").owner(&jon));
    for _ in 0..10 {
        stage.insert(a_lead());
    }
    let sandbox = &stage.dynamics.sandbox;
    let forbidden = |path: &str| {
        DataverseFault::new(Fault::MissingPrivilege)
            .on(path)
            .times(1)
    };
    sandbox.add_fault(forbidden("UpsertMultiple"));
    sandbox.add_fault(forbidden(refused.as_str()));
    assert_eq!(stage.deliver().await, 11);
    assert!(stage.trouble().is_empty());
    assert_eq!(stage.dynamics.leads().len(), 11);
    let record = stage.dynamics.lead(refused.as_str());
    let application = stage.dynamics.sandbox.records("systemuser");
    let application = application
        .iter()
        .find(|user| user["fullname"] == "# Leadgen Connector")
        .unwrap();
    assert_eq!(record["_ownerid_value"], application["systemuserid"]);
    let attempts = stage.portal.database.texts(
        "SELECT message AS value FROM delivery_attempts WHERE message LIKE '%refused the owner%'",
    );
    assert_eq!(attempts.len(), 1);
}

/// Where nobody says what the application may do, what becomes of the neighbours tells.
#[tokio::test]
async fn without_named_privileges_one_refusal_is_the_records_and_many_are_the_organizations() {
    let stage = Stage::new().await;
    let leads: Vec<LeadId> = (0..30).map(|_| stage.insert(a_lead())).collect();
    assert_eq!(stage.deliver().await, 30);
    let sandbox = &stage.dynamics.sandbox;
    sandbox.add_fault(DataverseFault::new(Fault::MissingPrivilege).on("RetrieveUserPrivileges"));
    sandbox.add_fault(
        DataverseFault::new(Fault::MissingPrivilege)
            .on(leads[0].as_str())
            .method("PATCH"),
    );
    for lead in &leads {
        stage.change(lead, &[("last_name", Some("King"))]).await;
    }
    assert_eq!(stage.deliver().await, 29);
    assert!(stage.trouble().is_empty());
    assert_eq!(count(&stage, "failed forbidden"), 1);

    sandbox.add_fault(
        DataverseFault::new(Fault::MissingPrivilege)
            .on("/leads(")
            .method("PATCH"),
    );
    for lead in &leads {
        stage.change(lead, &[("last_name", Some("Byron"))]).await;
    }
    sandbox.clear_requests();
    assert_eq!(stage.deliver().await, 0);
    assert_eq!(stage.trouble(), ["forbidden"]);
    assert!(stage.writes() < 30, "it is not asked for every one");
    sandbox.clear_faults();
    stage.time_passes();
    assert_eq!(stage.deliver().await, 30);
    assert!(stage.trouble().is_empty());
}

#[tokio::test]
async fn a_few_rows_at_which_the_organization_always_stumbles_slow_nobody_down() {
    let stage = Stage::new().await;
    let bad: Vec<LeadId> = (0..3).map(|_| stage.insert(a_lead())).collect();
    for _ in 0..40 {
        stage.insert(a_lead());
    }
    let sandbox = &stage.dynamics.sandbox;
    sandbox.add_fault(DataverseFault::new(Fault::Status500).on("UpsertMultiple"));
    for lead in &bad {
        sandbox.add_fault(DataverseFault::new(Fault::Status500).on(lead.as_str()));
    }
    assert_eq!(stage.deliver().await, 40);
    assert!(stage.trouble().is_empty());
    assert_eq!(count(&stage, "failed service_error"), 3);
    // Later, without anybody beside them, they look like an outage: that costs nobody anything.
    sandbox.clear_faults();
    stage.time_passes();
    assert_eq!(stage.deliver().await, 3);
}

#[tokio::test]
async fn a_retry_after_an_outage_makes_no_record_anew_that_people_deleted_there() {
    let stage = Stage::new().await;
    let lead = stage.insert(a_lead().name("Ada", "Lovelace"));
    assert_eq!(stage.deliver().await, 1);
    let sandbox = &stage.dynamics.sandbox;
    sandbox.add_fault(DataverseFault::new(Fault::Status503));
    stage.change(&lead, &[("last_name", Some("King"))]).await;
    assert_eq!(stage.deliver().await, 0);
    sandbox.clear_faults();
    // The reader of the organization noticed the deletion meanwhile.
    stage.dynamics.delete(id_of(&lead));
    stage
        .portal
        .database
        .execute("UPDATE organization_leads SET state = 'deleted'");
    stage.time_passes();
    stage
        .portal
        .database
        .execute("UPDATE deliveries SET state = 'dead', reason = 'service_error', attempts = 5 WHERE state <> 'delivered'");
    let page = stage.browser.get("/deliveries").await.expect(200);
    stage
        .browser
        .submit(&page, "Retry all failed and dead ones", &[])
        .await
        .expect(303);
    assert_eq!(stage.deliver().await, 0);
    assert!(stage.dynamics.leads().is_empty());
    assert_eq!(count(&stage, "dead record_deleted"), 1);
    // A person who wants it there again says so on its own page.
    let id = stage
        .portal
        .database
        .texts("SELECT id AS value FROM deliveries WHERE state = 'dead'");
    let page = stage.browser.get(&format!("/deliveries/{}", id[0])).await;
    stage
        .browser
        .submit(&page.expect(200), "Retry now", &[])
        .await
        .expect(303);
    assert_eq!(stage.deliver().await, 1);
    assert_eq!(stage.dynamics.lead(lead.as_str())["lastname"], "King");
}

#[tokio::test]
async fn a_record_that_is_another_leads_is_neither_taken_nor_written_over() {
    let stage = Stage::new().await;
    let (ada, bob) = (stage.insert(a_lead()), stage.insert(a_lead()));
    assert_eq!(stage.deliver().await, 2);
    // As after a merge that was undone: Bob is Ada's record, and Ada is nothing there any more.
    stage.portal.database.execute(&format!(
        "DELETE FROM organization_leads WHERE lead_id = '{ada}'; \
         UPDATE organization_leads SET record_id = '{ada}' WHERE lead_id = '{bob}'"
    ));
    stage
        .change(&ada, &[("last_name", Some("Somerville"))])
        .await;
    stage.change(&bob, &[("last_name", Some("Babbage"))]).await;
    assert_eq!(stage.deliver().await, 2);
    assert_eq!(stage.dynamics.lead(ada.as_str())["lastname"], "Babbage");
    let names: Vec<String> = stage
        .dynamics
        .leads()
        .iter()
        .map(|record| record["lastname"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        names.iter().filter(|name| *name == "Somerville").count(),
        1,
        "{names:?}"
    );
    assert_eq!(count(&stage, "delivered"), 4);
}

/// Made by an attempt whose answer was lost: it is its lead's, whoever is matched first.
#[tokio::test]
async fn a_record_that_was_made_for_one_lead_does_not_become_another_one() {
    let stage = Stage::new().await;
    let twin = || a_lead().name("Ada", "Lovelace").email("ada@example.com");
    let first = stage.insert(twin());
    let second = stage.insert(twin());
    stage.dynamics.write(
        id_of(&second),
        json!({ "lastname": "Lovelace", "emailaddress1": "ada@example.com" }),
    );
    assert_eq!(stage.deliver().await, 2);
    let of = |lead: &LeadId| {
        stage.portal.database.texts(&format!(
            "SELECT record_id AS value FROM organization_leads WHERE lead_id = '{lead}'"
        ))
    };
    assert_eq!(of(&first), [first.to_string()]);
    assert_eq!(of(&second), [second.to_string()]);
}

#[tokio::test]
async fn a_phone_number_is_found_however_it_is_written_there() {
    let stage = Stage::new().await;
    match_by_phone(&stage);
    stage.set("default_country", "DE");
    let there = Uuid::now_v7();
    stage.dynamics.write(
        there,
        json!({ "lastname": "There", "telephone1": "(030) 123 45-67" }),
    );
    let phone = |number| a_lead().value(LeadField::Phone, number);
    stage.insert(phone("+49 30 1234567"));
    stage.insert(phone("+49 40 1234567"));
    assert_eq!(stage.deliver().await, 2);
    assert_eq!(stage.dynamics.leads().len(), 2);
}

#[tokio::test]
async fn a_number_that_is_too_large_for_its_column_costs_its_value_alone() {
    let stage = Stage::new().await;
    let mut conn = stage.portal.database.conn();
    let mut mapping = dataverse_columns::mapping(&mut conn, &stage.organization).unwrap();
    let job_title = LeadPart::Field(LeadField::JobTitle.into());
    for rule in &mut mapping.rules {
        if rule.part == job_title {
            rule.column = "revenue".to_owned();
        }
    }
    let version = stage
        .portal
        .database
        .number("SELECT max(lock_version) FROM organizations WHERE kind <> 'built_in'");
    dataverse_columns::set_mapping(
        &mut conn,
        &stage.organization,
        version,
        &mapping,
        a_moment(),
    )
    .unwrap();
    let titled = |title| a_lead().value(LeadField::JobTitle, title);
    let (fits, too_large) = (
        stage.insert(titled("5000")),
        stage.insert(titled("9000000000000000000")),
    );
    assert_eq!(stage.deliver().await, 2);
    assert_eq!(stage.dynamics.lead(fits.as_str())["revenue"], json!(5000.0));
    assert_eq!(
        stage.dynamics.lead(too_large.as_str())["revenue"],
        json!(null)
    );
    let page = stage.browser.get(&format!("/leads/{too_large}")).await;
    drop(page.expect(200).expect_text("too small or too large"));
}

fn match_by_phone(stage: &Stage) {
    stage.portal.database.execute(
        "UPDATE matching_strategy_fields SET field = 'phone' \
         WHERE strategy_id IN (SELECT id FROM matching_strategies WHERE is_active)",
    );
}

/// How many questions held wildcards, from the `skip`-th one on.
fn wildcards(stage: &Stage, skip: usize) -> usize {
    let requests = stage.dynamics.sandbox.requests();
    let questions = requests
        .iter()
        .filter(|one| one.method == "GET" && one.path.ends_with("/leads"));
    questions
        .skip(skip)
        .filter(|one| one.query.contains("contains"))
        .count()
}

#[tokio::test]
async fn an_organization_that_takes_no_wildcards_gets_its_leads_all_the_same() {
    for (refusals, dead) in [(2, 0), (3, 1)] {
        let stage = Stage::new().await;
        match_by_phone(&stage);
        for number in 100..160 {
            let phone = format!("+49 30 123{number}");
            stage.insert(a_lead().value(LeadField::Phone, &phone));
        }
        // All at once, then the first one: with wildcards, and (the second time) without them as well.
        let refused = DataverseFault::new(Fault::Plugin)
            .on("/leads")
            .method("GET");
        stage.dynamics.sandbox.add_fault(refused.times(refusals));
        assert_eq!(stage.deliver().await, 60 - dead);
        assert_eq!(count(&stage, "dead refused"), dead);
        assert!(wildcards(&stage, 0) >= 2);
        // Where it was the value of that one lead, the others are asked about as before.
        assert_eq!(wildcards(&stage, 3) > 0, dead > 0);
    }
}

#[tokio::test]
async fn a_lead_that_comes_back_from_a_merge_goes_where_its_answers_go() {
    let stage = Stage::new().await;
    let mut conn = stage.portal.database.conn();
    let ada = stage.insert(a_lead().name("Ada", "Lovelace"));
    let imported = a_lead().name("Augusta", "King").insert(&mut conn);
    a_submission()
        .of(&stage.form)
        .lead(&imported)
        .insert(&mut conn);
    assert_eq!(stage.deliver().await, 2);
    let page = stage
        .browser
        .get(&format!("/leads/{ada}/merge?with={imported}"))
        .await
        .expect(200);
    let done = stage
        .browser
        .submit_and_follow(&page, "Merge the two leads", &[])
        .await
        .expect(200);
    assert_eq!(stage.deliver().await, 1);
    let page = stage
        .browser
        .get(&done.link("Undo the merge"))
        .await
        .expect(200);
    stage
        .browser
        .submit(&page, "Undo the merge", &[])
        .await
        .expect(303);
    assert_eq!(stage.deliver().await, 2);
    let known = format!("SELECT count(*) FROM organization_leads WHERE lead_id = '{imported}'");
    assert_eq!(stage.portal.database.number(&known), 1);
}

#[tokio::test]
async fn what_was_given_up_is_no_trouble_any_more_once_the_lead_arrived() {
    let stage = Stage::new().await;
    let lead = stage.insert(a_lead().name("Ada", "Lovelace"));
    let sandbox = &stage.dynamics.sandbox;
    sandbox.add_fault(DataverseFault::new(Fault::Plugin).on(lead.as_str()));
    assert_eq!(stage.deliver().await, 0);
    assert_eq!(stage.deliveries(), ["dead refused"]);
    let status = stage.browser.get("/sync-status").await.expect(200);
    drop(status.expect_text("Not every lead arrives"));
    sandbox.clear_faults();
    stage.change(&lead, &[("last_name", Some("King"))]).await;
    assert_eq!(stage.deliver().await, 1);
    assert_eq!(stage.deliveries(), ["delivered"]);
    let status = stage.browser.get("/sync-status").await.expect(200);
    drop(status.expect_no_text("Not every lead arrives"));
}

#[tokio::test]
async fn a_record_that_agrees_in_part_can_be_chosen_and_the_portal_looks_again_when_asked() {
    let stage = Stage::new().await;
    stage.portal.database.execute(
        "INSERT INTO matching_strategy_fields (strategy_id, field, position) \
         SELECT id, 'company_name', 9 FROM matching_strategies WHERE is_active",
    );
    let record = |email: &str| json!({ "lastname": "There", "emailaddress1": email, "companyname": "Engines" });
    let (chosen, gone) = (Uuid::now_v7(), Uuid::now_v7());
    stage.dynamics.write(chosen, record("ada@example.com"));
    stage.dynamics.write(gone, record("bob@example.com"));
    let lead = |email| stage.insert(a_lead().email(email).value(LeadField::CompanyName, "Looms"));
    let (ada, bob) = (lead("ada@example.com"), lead("bob@example.com"));
    assert_eq!(stage.deliver().await, 0);
    let page_of = async |lead: &LeadId| {
        let delivery = format!("SELECT id AS value FROM deliveries WHERE lead_id = '{lead}'");
        let delivery = stage.portal.database.texts(&delivery);
        let path = format!("/deliveries/{}", delivery[0]);
        let page = stage.browser.get(&path).await.expect(200);
        page.expect_text("Record 1")
    };
    let decision = [("record", Some(chosen.to_string()))];
    let decision = decision
        .each_ref()
        .map(|(name, value)| (*name, value.as_deref()));
    stage
        .browser
        .submit(&page_of(&ada).await, "Use this decision", &decision)
        .await
        .expect(303);
    stage.dynamics.delete(gone);
    stage
        .browser
        .submit(&page_of(&bob).await, "Look again in Dynamics 365", &[])
        .await
        .expect(303);
    assert_eq!(stage.deliver().await, 2);
    let companies = [chosen.to_string(), bob.to_string()]
        .map(|id| stage.dynamics.lead(&id)["companyname"].clone());
    assert_eq!(companies, ["Looms", "Looms"]);
    assert_eq!(stage.dynamics.leads().len(), 2);
}
