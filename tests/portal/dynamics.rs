//! Leads on their way into Dynamics 365, over real HTTPS to the sandbox's organization: made once, matched, written by the
//! policies, refused, waiting for a person, and drained after every kind of trouble.

use leadgen::domain::access::Role;
use leadgen::domain::ids::{AccountId, FormId, LeadId, OrganizationId};
use leadgen::domain::lead::LeadField;
use leadgen::sandbox::dataverse::{DataverseFault, DataverseFaultKind as Fault};
use leadgen::sync::delivery;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::start::TestPortal;
use crate::support::builders::{LeadBuilder, a_form, a_profile, an_account};
use crate::support::dynamics::Dynamics;
use crate::support::{Browserlike, a_lead};

/// A portal with a profile whose leads go to the organization.
pub struct Stage {
    pub dynamics: Dynamics,
    pub portal: TestPortal,
    pub browser: Browserlike,
    pub organization: OrganizationId,
    pub account: AccountId,
    pub form: FormId,
}

impl Stage {
    pub async fn new() -> Self {
        let dynamics = Dynamics::start();
        let portal = TestPortal::start_with(&dynamics.settings()).await;
        let browser = portal.sign_in_as(&[Role::Administrator]).await;
        let mut conn = portal.database.conn();
        let organization = dynamics.add_to(&mut conn, &portal.sync.organizations, "Contoso");
        let profile = a_profile().authorized().insert(&mut conn);
        portal.database.execute(&format!(
            "UPDATE linkedin_user_profiles SET organization_id = '{organization}' WHERE id = '{profile}'"
        ));
        let account = an_account().seen_by(&profile).insert(&mut conn);
        let form = a_form().of(&account).insert(&mut conn);
        Self {
            dynamics,
            portal,
            browser,
            organization,
            account,
            form,
        }
    }

    pub fn insert(&self, lead: LeadBuilder) -> LeadId {
        lead.of(&self.account, &self.form)
            .insert(&mut self.portal.database.conn())
    }

    pub async fn deliver(&self) -> usize {
        delivery::run_due(&self.portal.sync).await.unwrap()
    }

    /// Lets what waits be due now.
    pub fn time_passes(&self) {
        self.portal.database.execute(
            "UPDATE deliveries SET next_attempt_at = created_at WHERE state IN ('pending', 'failed'); \
             UPDATE delivery_lanes SET not_before = created_at;",
        );
    }

    /// State and reason of every delivery.
    pub fn deliveries(&self) -> Vec<String> {
        self.portal.database.texts(
            "SELECT state || COALESCE(' ' || reason, '') AS value FROM deliveries ORDER BY id",
        )
    }

    /// The trouble of the organization.
    pub fn trouble(&self) -> Vec<String> {
        self.portal
            .database
            .texts("SELECT trouble AS value FROM delivery_lanes WHERE trouble IS NOT NULL")
    }

    pub fn set(&self, setting: &str, value: &str) {
        self.portal.database.execute(&format!(
            "UPDATE integration_settings SET {setting} = '{value}'"
        ));
    }

    pub async fn change(&self, lead: &LeadId, fields: &[(&str, Option<&str>)]) {
        let page = self
            .browser
            .get(&format!("/leads/{lead}/edit"))
            .await
            .expect(200);
        self.browser.submit(&page, "Save", fields).await.expect(303);
    }

    pub fn writes(&self) -> usize {
        let requests = self.dynamics.sandbox.requests();
        requests
            .iter()
            .filter(|request| request.method != "GET" && request.path.contains("/leads"))
            .count()
    }
}

#[tokio::test]
async fn leads_are_made_in_one_request_with_their_own_ids_and_every_mapped_column() {
    let stage = Stage::new().await;
    let ada = stage.insert(
        a_lead()
            .name("Ada", "Lovelace")
            .email("ada@example.com")
            .topic("Ebook – Autumn")
            .value(LeadField::CompanySize, "51-200")
            .value(LeadField::Phone, "+49 30 123456")
            .value(LeadField::City, "O'Fallon & Söhne"),
    );
    for number in 0..40 {
        stage.insert(a_lead().name("Number", &number.to_string()));
    }
    assert_eq!(stage.deliver().await, 41);
    assert_eq!(stage.dynamics.leads().len(), 41);
    let record = stage.dynamics.lead(ada.as_str());
    for (column, value) in [
        ("firstname", json!("Ada")),
        ("lastname", json!("Lovelace")),
        ("emailaddress1", json!("ada@example.com")),
        ("subject", json!("Ebook – Autumn")),
        ("numberofemployees", json!(51)),
        ("telephone1", json!("+49 30 123456")),
        ("address1_city", json!("O'Fallon & Söhne")),
        // It came from a person here, and of those the shipped mapping sends no source.
        ("leadsourcecode", Value::Null),
    ] {
        assert_eq!(record.get(column), Some(&value), "{column}");
    }
    assert_eq!(stage.writes(), 1);
    // Nothing is left, and nothing is sent twice.
    assert_eq!(stage.deliver().await, 0);
    assert!(stage.deliveries().iter().all(|state| state == "delivered"));
}

#[tokio::test]
async fn only_what_changed_here_is_written_and_what_people_changed_there_stays() {
    let stage = Stage::new().await;
    let lead = stage.insert(
        a_lead()
            .name("Ada", "Lovelace")
            .value(LeadField::JobTitle, "Analyst"),
    );
    assert_eq!(stage.deliver().await, 1);
    let id = Uuid::try_parse(lead.as_str()).unwrap();
    stage.dynamics.write(
        id,
        json!({ "jobtitle": "Countess", "telephone1": "+44 20 7946 0000" }),
    );
    stage
        .change(&lead, &[("company_name", Some("Engines Ltd"))])
        .await;
    assert_eq!(stage.deliver().await, 1);
    let record = stage.dynamics.lead(lead.as_str());
    assert_eq!(record["companyname"], "Engines Ltd");
    assert_eq!(record["jobtitle"], "Countess");
    assert_eq!(record["telephone1"], "+44 20 7946 0000");

    // A value that is taken away here goes there, too, when it is still ours; what a person wrote there stays.
    stage
        .change(
            &lead,
            &[("company_name", Some("")), ("job_title", Some(""))],
        )
        .await;
    assert_eq!(stage.deliver().await, 1);
    let record = stage.dynamics.lead(lead.as_str());
    assert_eq!(record["companyname"], Value::Null);
    assert_eq!(record["jobtitle"], "Countess");
}

#[tokio::test]
async fn a_lead_that_the_organization_has_already_is_updated_and_never_doubled() {
    let stage = Stage::new().await;
    let there = Uuid::now_v7();
    stage.dynamics.write(
        there,
        json!({ "lastname": "Byron", "emailaddress1": "ADA@Example.com ", "jobtitle": "Poet" }),
    );
    let lead = stage.insert(a_lead().name("Ada", "Lovelace").email("ada@example.com"));
    // Another lead of the same batch with the same address is another lead here, so it is one there.
    let twin = stage.insert(a_lead().name("Ada", "Twin").email("ada@example.com"));
    assert_eq!(stage.deliver().await, 2);
    assert_eq!(stage.dynamics.leads().len(), 2);
    let record = stage.dynamics.lead(&there.to_string());
    assert_eq!(record["lastname"], "Lovelace");
    assert_eq!(record["jobtitle"], "Poet");
    assert_eq!(stage.dynamics.lead(twin.as_str())["lastname"], "Twin");
    // Later changes find it by the stored id.
    stage
        .change(&lead, &[("email", Some("new@example.com"))])
        .await;
    assert_eq!(stage.deliver().await, 1);
    let record = stage.dynamics.lead(&there.to_string());
    assert_eq!(record["emailaddress1"], "new@example.com");
}

#[tokio::test]
async fn closed_leads_follow_the_setting() {
    for (setting, leads, expected) in [
        ("attach_only", 1, "Closed"),
        ("reopen", 1, "Lovelace"),
        ("create_new", 2, "Closed"),
    ] {
        let stage = Stage::new().await;
        stage.set("closed_lead", setting);
        let there = Uuid::now_v7();
        stage.dynamics.write(
            there,
            json!({ "lastname": "Closed", "emailaddress1": "ada@example.com" }),
        );
        stage
            .dynamics
            .write(there, json!({ "statecode": 2, "statuscode": 7 }));
        stage.insert(a_lead().name("Ada", "Lovelace").email("ada@example.com"));
        assert_eq!(stage.deliver().await, 1, "{setting}");
        assert_eq!(stage.dynamics.leads().len(), leads, "{setting}");
        let record = stage.dynamics.lead(&there.to_string());
        assert_eq!(record["lastname"], expected, "{setting}");
        assert_eq!(record["statecode"] == 0, setting == "reopen");
    }
}

#[tokio::test]
async fn several_candidates_wait_for_a_person_who_chooses() {
    let stage = Stage::new().await;
    let there: Vec<Uuid> = (0..2).map(|_| Uuid::now_v7()).collect();
    for id in &there {
        stage.dynamics.write(
            *id,
            json!({ "lastname": "Twice", "emailaddress1": "ada@example.com" }),
        );
    }
    let lead = stage.insert(a_lead().name("Ada", "Lovelace").email("ada@example.com"));
    assert_eq!(stage.deliver().await, 0);
    assert_eq!(stage.deliveries(), ["dead needs_person"]);
    assert_eq!(stage.dynamics.leads().len(), 2);
    let id = stage
        .portal
        .database
        .texts("SELECT id AS value FROM deliveries");
    let page = stage
        .browser
        .get(&format!("/deliveries/{}", id[0]))
        .await
        .expect(200);
    let page = page.expect_text("Choose the right one, or create a new one.");
    let page = page.expect_text("Which lead of Contoso is it?");
    let chosen = there[1].to_string();
    let page = stage
        .browser
        .submit_and_follow(&page, "Use this decision", &[("record", Some(&chosen))])
        .await
        .expect(200);
    drop(page.expect_text("The lead is sent next."));
    assert_eq!(stage.deliver().await, 1);
    assert_eq!(stage.dynamics.leads().len(), 2);
    assert_eq!(stage.dynamics.lead(&chosen)["lastname"], "Lovelace");
    let other = there[0].to_string();
    assert_eq!(stage.dynamics.lead(&other)["lastname"], "Twice");
    // Later ones know it.
    stage.change(&lead, &[("last_name", Some("King"))]).await;
    assert_eq!(stage.deliver().await, 1);
    assert_eq!(stage.dynamics.lead(&chosen)["lastname"], "King");
}

#[tokio::test]
async fn one_bad_row_costs_its_neighbours_nothing_and_a_value_that_does_not_fit_costs_no_lead() {
    let stage = Stage::new().await;
    let bad = stage.insert(a_lead().name("Bad", "Row").topic("refused by a plug-in"));
    let long = stage.insert(
        a_lead()
            .name("Long", "Value")
            .value(LeadField::MobilePhone, "+49 151 000 000 000 000 000 000"),
    );
    for number in 0..10 {
        stage.insert(a_lead().name("Number", &number.to_string()));
    }
    // Refuses the request that carries them all, and then the first single one: the bad row's.
    stage.dynamics.sandbox.add_fault(
        DataverseFault::new(Fault::Plugin)
            .on("UpsertMultiple")
            .times(1),
    );
    stage
        .dynamics
        .sandbox
        .add_fault(DataverseFault::new(Fault::Plugin).on(bad.as_str()));
    assert_eq!(stage.deliver().await, 11);
    assert_eq!(stage.dynamics.leads().len(), 11);
    let mut states = stage.deliveries();
    states.sort();
    assert_eq!(states[0], "dead refused");
    assert!(states[1..].iter().all(|state| state == "delivered"));
    assert_eq!(
        stage.dynamics.lead(long.as_str())["mobilephone"],
        Value::Null
    );
    let page = stage
        .browser
        .get(&format!("/leads/{long}"))
        .await
        .expect(200);
    drop(page.expect_text("Mobile phone was left out: the text is longer than the column"));

    // Corrected there, retried here.
    stage.dynamics.sandbox.clear_faults();
    let page = stage
        .browser
        .get("/deliveries?state=dead")
        .await
        .expect(200);
    stage
        .browser
        .submit(&page, "Retry all failed and dead ones that match", &[])
        .await
        .expect(303);
    assert_eq!(stage.deliver().await, 1);
    assert_eq!(stage.dynamics.lead(bad.as_str())["lastname"], "Row");
}

#[tokio::test]
async fn every_trouble_is_told_in_plain_words_counts_no_attempt_and_drains_afterwards() {
    let stage = Stage::new().await;
    stage.insert(a_lead().name("First", "Lead"));
    assert_eq!(stage.deliver().await, 1);
    let sandbox = &stage.dynamics.sandbox;
    for (fault, trouble, words) in [
        (
            Fault::Status503,
            "service_error",
            "The organization has a problem of its own.",
        ),
        (Fault::ThrottledTime, "throttled", "its limit was reached"),
        (Fault::MissingPrivilege, "forbidden", "lacks a privilege"),
        (Fault::NotMember, "forbidden", "no user of the organization"),
        (
            Fault::WrongOrganization,
            "not_found",
            "There is no Dataverse at this address.",
        ),
        (
            Fault::Html,
            "service_error",
            "The answer was not one of Dataverse.",
        ),
        (Fault::Close, "unreachable", "No connection could be made."),
        (
            Fault::ExpiredToken,
            "unauthorized",
            "did not accept the sign-in",
        ),
    ] {
        let lead = stage.insert(a_lead().name("Waits", fault_name(fault)));
        sandbox.add_fault(DataverseFault::new(fault));
        assert_eq!(stage.deliver().await, 0, "{fault:?}");
        assert_eq!(stage.trouble(), [trouble], "{fault:?}");
        let page = stage.browser.get("/deliveries").await.expect(200);
        assert!(page.body.contains(words), "{fault:?}: {}", page.body);
        // It is left alone for a while.
        let before = sandbox.requests().len();
        assert_eq!(stage.deliver().await, 0);
        assert_eq!(sandbox.requests().len(), before, "{fault:?}");
        sandbox.clear_faults();
        stage.time_passes();
        assert_eq!(stage.deliver().await, 1, "{fault:?}");
        assert_eq!(stage.dynamics.lead(lead.as_str())["firstname"], "Waits");
        assert!(stage.trouble().is_empty());
    }
    let most = stage
        .portal
        .database
        .number("SELECT max(attempts) FROM deliveries");
    assert_eq!(most, 1);
}

fn fault_name(fault: Fault) -> &'static str {
    match fault {
        Fault::Status503 => "503",
        Fault::ThrottledTime => "429",
        Fault::MissingPrivilege => "403",
        _ => "other",
    }
}

#[tokio::test]
async fn an_answer_that_is_lost_doubles_nothing() {
    let stage = Stage::new().await;
    let sandbox = &stage.dynamics.sandbox;
    // Written there, and nobody here saw it: in one request, then alone.
    for (path, leads) in [("UpsertMultiple", 3), ("leads(", 1)] {
        for _ in 0..leads {
            stage.insert(a_lead());
        }
        let before = stage.dynamics.leads().len();
        sandbox.add_fault(
            DataverseFault::new(Fault::LostAnswer)
                .on(path)
                .method(if leads == 1 { "PATCH" } else { "POST" })
                .times(1),
        );
        assert_eq!(stage.deliver().await, 0, "{path}");
        assert_eq!(stage.dynamics.leads().len(), before + leads, "{path}");
        stage.time_passes();
        assert_eq!(stage.deliver().await, leads, "{path}");
        assert_eq!(stage.dynamics.leads().len(), before + leads, "{path}");
    }
}

#[tokio::test]
async fn an_organization_without_the_bulk_message_gets_its_leads_one_by_one() {
    let stage = Stage::new().await;
    for _ in 0..5 {
        stage.insert(a_lead());
    }
    stage
        .dynamics
        .sandbox
        .add_fault(DataverseFault::new(Fault::WrongOrganization).on("UpsertMultiple"));
    assert_eq!(stage.deliver().await, 5);
    assert_eq!(stage.dynamics.leads().len(), 5);
    stage.insert(a_lead());
    stage.insert(a_lead());
    stage.dynamics.sandbox.clear_requests();
    assert_eq!(stage.deliver().await, 2);
    let asked = stage.dynamics.sandbox.requests();
    assert!(
        asked
            .iter()
            .all(|request| !request.path.contains("UpsertMultiple"))
    );
}

#[tokio::test]
async fn fill_if_empty_keeps_what_is_there() {
    let stage = Stage::new().await;
    stage.portal.database.execute(
        "UPDATE field_mappings SET write_policy = 'fill_if_empty' WHERE target_field = 'job_title'",
    );
    let there = Uuid::now_v7();
    stage.dynamics.write(
        there,
        json!({ "lastname": "B", "emailaddress1": "ada@example.com", "jobtitle": "Poet" }),
    );
    stage.insert(
        a_lead()
            .name("Ada", "Lovelace")
            .email("ada@example.com")
            .value(LeadField::JobTitle, "Analyst"),
    );
    assert_eq!(stage.deliver().await, 1);
    let record = stage.dynamics.lead(&there.to_string());
    assert_eq!(
        (&record["jobtitle"], &record["lastname"]),
        (&json!("Poet"), &json!("Lovelace"))
    );
}

#[tokio::test]
async fn a_record_that_was_deleted_there_is_told_and_made_anew_only_when_a_person_asks() {
    let stage = Stage::new().await;
    let lead = stage.insert(a_lead().name("Ada", "Lovelace"));
    assert_eq!(stage.deliver().await, 1);
    let id = Uuid::try_parse(lead.as_str()).unwrap();
    stage.dynamics.delete(id);
    stage.change(&lead, &[("last_name", Some("King"))]).await;
    assert_eq!(stage.deliver().await, 0);
    assert_eq!(stage.deliveries(), ["delivered", "dead record_deleted"]);
    assert!(stage.dynamics.leads().is_empty());
    // What people deleted there comes back only where somebody asks for exactly that.
    for (filter, arrive) in [("state=dead", 0), ("reason=record_deleted", 1)] {
        let page = stage
            .browser
            .get(&format!("/deliveries?{filter}"))
            .await
            .expect(200);
        stage
            .browser
            .submit(&page, "Retry all failed and dead ones that match", &[])
            .await
            .expect(303);
        assert_eq!(stage.deliver().await, arrive, "{filter}");
    }
    assert_eq!(stage.dynamics.lead(lead.as_str())["lastname"], "King");
}

#[tokio::test]
async fn an_organization_that_is_switched_on_again_gets_what_it_missed() {
    let stage = Stage::new().await;
    let path = format!("/settings/organizations/{}", stage.organization);
    let page = stage.browser.get(&path).await.expect(200);
    stage
        .browser
        .submit(&page, "Disable", &[])
        .await
        .expect(303);
    let lead = stage.insert(a_lead());
    assert_eq!(stage.deliver().await, 0);
    let page = stage.browser.get(&path).await.expect(200);
    stage.browser.submit(&page, "Enable", &[]).await.expect(303);
    assert_eq!(stage.deliver().await, 1);
    drop(stage.dynamics.lead(lead.as_str()));
}

#[tokio::test]
async fn append_adds_below_what_is_there_and_only_once() {
    let stage = Stage::new().await;
    stage.portal.database.execute(
        "UPDATE field_mappings SET write_policy = 'append' WHERE target_field = 'job_title'",
    );
    let there = Uuid::now_v7();
    stage.dynamics.write(
        there,
        json!({ "lastname": "B", "emailaddress1": "ada@example.com", "jobtitle": "Poet" }),
    );
    let lead = stage.insert(
        a_lead()
            .name("Ada", "Lovelace")
            .email("ada@example.com")
            .value(LeadField::JobTitle, "Analyst"),
    );
    let title = || stage.dynamics.lead(&there.to_string())["jobtitle"].clone();
    assert_eq!(stage.deliver().await, 1);
    assert_eq!(title(), "Poet\nAnalyst");
    // Another change of the lead adds nothing again.
    stage.change(&lead, &[("last_name", Some("King"))]).await;
    assert_eq!(stage.deliver().await, 1);
    assert_eq!(title(), "Poet\nAnalyst");
    stage.change(&lead, &[("job_title", Some("Poet"))]).await;
    assert_eq!(stage.deliver().await, 1);
    assert_eq!(title(), "Poet\nAnalyst", "it stands there already");
    stage
        .change(&lead, &[("job_title", Some("Countess"))])
        .await;
    assert_eq!(stage.deliver().await, 1);
    assert_eq!(title(), "Poet\nAnalyst\nCountess");
}
