//! Leads on their way into Dynamics 365 when something else happens at the same moment, or the organization is not as it was:
//! nothing stalls, nothing is doubled, nothing is lost.

use std::sync::Arc;
use std::time::Duration;

use diesel::Connection as _;
use leadgen::domain::ids::{LeadId, UserId};
use leadgen::domain::lead::{LeadField, LeadStatus};
use leadgen::sandbox::dataverse::{DataverseFault, DataverseFaultKind as Fault};
use leadgen::store::deliveries::leases;
use leadgen::store::lead_bulk::{self, BulkEdit};
use leadgen::store::{StoreError, lock_leads};
use leadgen::sync::SyncOptions;
use serde_json::json;
use uuid::Uuid;

use crate::dynamics::Stage;
use crate::support::builders::a_moment;
use crate::support::{Page, a_lead, eventually};

fn id_of(lead: &LeadId) -> Uuid {
    Uuid::try_parse(lead.as_str()).unwrap()
}

/// Delivers; while the organization keeps the first request that matches waiting, somebody does something else.
async fn deliver_meanwhile(
    stage: &Stage,
    method: &str,
    path: &str,
    somebody: impl Future<Output = ()>,
) -> usize {
    let sandbox = &stage.dynamics.sandbox;
    sandbox.add_fault(
        DataverseFault::new(Fault::Slow)
            .method(method)
            .on(path)
            .times(1)
            .seconds(60),
    );
    let meanwhile = async {
        let what = "the organization keeps a request waiting";
        eventually(what, Duration::from_secs(30), || async {
            sandbox.held() == 1
        })
        .await;
        somebody.await;
        sandbox.clear_faults();
    };
    let (delivered, ()) = tokio::join!(stage.deliver(), meanwhile);
    delivered
}

/// Clicks the button of the organization's page; answers the page after it.
async fn add_key(stage: &Stage) -> Page {
    let path = format!("/settings/organizations/{}", stage.organization);
    let page = stage.browser.get(&path).await.expect(200);
    stage
        .browser
        .submit_and_follow(&page, "Add the column and the key", &[])
        .await
        .expect(200)
}

#[tokio::test]
async fn a_record_that_somebody_changes_between_reading_and_writing_is_read_again() {
    let stage = Stage::new().await;
    let lead = stage.insert(a_lead().name("Ada", "Lovelace"));
    assert_eq!(stage.deliver().await, 1);
    let id = Uuid::try_parse(lead.as_str()).unwrap();
    stage.change(&lead, &[("last_name", Some("King"))]).await;
    let somebody = async { stage.dynamics.write(id, json!({ "jobtitle": "Countess" })) };
    assert_eq!(
        deliver_meanwhile(&stage, "PATCH", "/leads", somebody).await,
        1
    );
    let record = stage.dynamics.lead(lead.as_str());
    assert_eq!(
        (&record["lastname"], &record["jobtitle"]),
        (&json!("King"), &json!("Countess"))
    );
    let requests = stage.dynamics.sandbox.requests();
    let patches = requests.iter().filter(|request| request.method == "PATCH");
    let statuses: Vec<u16> = patches.map(|request| request.status).collect();
    assert_eq!(statuses, [204, 412, 204]);
}

#[tokio::test]
async fn a_lead_that_is_deleted_while_it_is_sent_costs_its_neighbours_nothing() {
    let stage = Stage::new().await;
    let gone = stage.insert(a_lead().name("Ada", "Lovelace"));
    for number in 0..3 {
        stage.insert(a_lead().name("Number", &number.to_string()));
    }
    let delete = format!("DELETE FROM leads WHERE id = '{gone}'");
    let somebody = async { stage.portal.database.execute(&delete) };
    let delivered = deliver_meanwhile(&stage, "POST", "UpsertMultiple", somebody).await;
    assert_eq!(delivered, 3);
    assert_eq!(stage.deliveries(), ["delivered"; 3]);
    assert_eq!(stage.writes(), 1, "nothing was sent again");
}

#[tokio::test]
async fn leads_that_match_one_record_become_two_records_and_hold_nothing_up() {
    let stage = Stage::new().await;
    let there = Uuid::now_v7();
    stage.dynamics.write(
        there,
        json!({ "lastname": "There", "emailaddress1": "ada@example.com" }),
    );
    let twin = || a_lead().name("Ada", "Lovelace").email("ada@example.com");
    stage.insert(twin());
    // So many that the two are asked about in different questions.
    for number in 0..120 {
        stage.insert(a_lead().email(&format!("n{number}@example.com")));
    }
    stage.insert(twin());
    assert_eq!(stage.deliver().await, 122);
    assert_eq!(stage.dynamics.leads().len(), 122);
    let same = stage.portal.database.number(&format!(
        "SELECT count(*) FROM organization_leads WHERE record_id = '{there}'"
    ));
    assert_eq!(same, 1);
}

#[tokio::test]
async fn a_change_that_is_saved_while_its_lead_is_taken_arrives() {
    let stage = Stage::new().await;
    let lead = stage.insert(a_lead().name("Ada", "Lovelace"));
    let mut conn = stage.portal.database.conn();
    let changed = lead.clone();
    let by: UserId = stage
        .portal
        .database
        .texts("SELECT owner_id AS value FROM leads")
        .remove(0)
        .parse()
        .unwrap();
    let (at_work, begun) = tokio::sync::oneshot::channel();
    let (_somebody, goes_on) = std::sync::mpsc::channel::<()>();
    let saving = tokio::task::spawn_blocking(move || {
        conn.transaction(|conn| {
            lock_leads(conn)?;
            let edit = BulkEdit {
                status: Some(LeadStatus::Contacted),
                ..BulkEdit::default()
            };
            let new_id = || Uuid::now_v7().to_string();
            lead_bulk::apply(conn, &[changed], &edit, &by, new_id, a_moment())?;
            at_work.send(()).unwrap();
            // Nobody tells it to go on: it holds its transaction open for so long.
            let _nobody = goes_on.recv_timeout(Duration::from_millis(800));
            Ok::<_, StoreError>(())
        })
        .unwrap();
    });
    begun.await.unwrap();
    let delivered = stage.deliver().await;
    saving.await.unwrap();
    let later = stage.deliver().await;
    assert_eq!(stage.dynamics.lead(lead.as_str())["statuscode"], 2);
    assert!(delivered + later >= 1);
}

#[tokio::test]
async fn a_record_that_may_not_be_written_costs_only_itself() {
    let stage = Stage::new().await;
    let lead = stage.insert(a_lead().name("Ada", "Lovelace"));
    assert_eq!(stage.deliver().await, 1);
    stage.dynamics.sandbox.add_fault(
        DataverseFault::new(Fault::MissingPrivilege)
            .on(lead.as_str())
            .method("PATCH"),
    );
    stage.change(&lead, &[("last_name", Some("King"))]).await;
    for _ in 0..20 {
        stage.insert(a_lead());
    }
    assert_eq!(stage.deliver().await, 20);
    assert!(stage.trouble().is_empty());
    assert_eq!(
        stage
            .deliveries()
            .iter()
            .filter(|state| *state == "failed forbidden")
            .count(),
        1
    );
    stage.dynamics.sandbox.clear_faults();
    stage.time_passes();
    assert_eq!(stage.deliver().await, 1);
    assert_eq!(stage.dynamics.lead(lead.as_str())["lastname"], "King");
}

#[tokio::test]
async fn another_organization_at_the_address_has_none_of_our_records() {
    let stage = Stage::new().await;
    let lead = stage.insert(a_lead().name("Ada", "Lovelace"));
    assert_eq!(stage.deliver().await, 1);
    // As if the address had led to another organization until now.
    stage.portal.database.execute(
        "UPDATE dataverse_organizations SET service_id = 'another', service_address = 'https://x.crm.dynamics.com'",
    );
    stage.dynamics.delete(id_of(&lead));
    stage.change(&lead, &[("last_name", Some("King"))]).await;
    assert_eq!(stage.deliver().await, 1);
    assert_eq!(stage.dynamics.lead(lead.as_str())["lastname"], "King");
    assert_eq!(
        stage.portal.database.number(
            "SELECT count(*) FROM audit_entries WHERE action = 'organization.records_forgotten'"
        ),
        1
    );
}

#[tokio::test]
async fn what_another_organization_was_sent_is_not_taken_for_this_ones() {
    let stage = Stage::new().await;
    for _ in 0..3 {
        stage.insert(a_lead());
    }
    let database = &stage.portal.database;
    let somebody = async {
        // As if the address had led to another organization until now.
        database.execute(
            "UPDATE dataverse_organizations SET service_id = '00000000-0000-0000-0000-000000000000'",
        );
        let path = format!("/settings/organizations/{}", stage.organization);
        let page = stage.browser.get(&path).await.expect(200);
        stage
            .browser
            .submit(&page, "Test connection", &[])
            .await
            .expect(303);
    };
    let delivered = deliver_meanwhile(&stage, "POST", "UpsertMultiple", somebody).await;
    // The worker lost its right to say what became of them, and another one began anew.
    assert_eq!(delivered, 3);
    assert_eq!(stage.deliveries(), ["delivered"; 3]);
    // It looked for them in the organization that is there now: the sandbox stands for both.
    let attempts = database.texts("SELECT message AS value FROM delivery_attempts");
    assert_eq!(attempts, ["Nothing to change there."; 3]);
}

#[tokio::test]
async fn a_lead_that_is_closed_on_both_sides_is_neither_doubled_nor_reopened() {
    for setting in ["create_new", "reopen", "attach_only"] {
        let stage = Stage::new().await;
        stage.set("closed_lead", setting);
        let lead = stage.insert(a_lead().name("Ada", "Lovelace").email("ada@example.com"));
        assert_eq!(stage.deliver().await, 1);
        stage
            .change(&lead, &[("status", Some("disqualified"))])
            .await;
        assert_eq!(stage.deliver().await, 1);
        stage.change(&lead, &[("last_name", Some("King"))]).await;
        assert_eq!(stage.deliver().await, 1);
        assert_eq!(stage.dynamics.leads().len(), 1, "{setting}");
        assert_eq!(stage.dynamics.lead(lead.as_str())["statecode"], 2);
    }
}

#[tokio::test]
async fn of_thousands_that_resemble_the_one_that_agrees_in_every_field_is_found() {
    let stage = Stage::new().await;
    stage.portal.database.execute(
        "INSERT INTO matching_strategy_fields (strategy_id, field, position) \
         SELECT id, 'company_name', 9 FROM matching_strategies WHERE is_active",
    );
    let there = Uuid::now_v7();
    stage.dynamics.write(
        there,
        json!({ "lastname": "L", "emailaddress1": "ada@example.com", "companyname": "Contoso" }),
    );
    // The newest are read first: these hide it.
    for _ in 0..5_001 {
        stage
            .dynamics
            .write(Uuid::now_v7(), json!({ "companyname": "Contoso" }));
    }
    let ada = a_lead().name("Ada", "Lovelace").email("ada@example.com");
    stage.insert(ada.value(LeadField::CompanyName, "Contoso"));
    stage.insert(a_lead().email("bob@example.com"));
    assert_eq!(stage.deliver().await, 2);
    assert_eq!(stage.dynamics.lead(&there.to_string())["firstname"], "Ada");
}

#[tokio::test]
async fn a_column_that_is_gone_there_is_noticed_and_costs_its_value_alone() {
    let stage = Stage::new().await;
    let lead = stage.insert(a_lead().value(LeadField::JobTitle, "Analyst"));
    assert_eq!(stage.deliver().await, 1);
    // As if the column had been there yesterday.
    let database = &stage.portal.database;
    let mapping =
        r#"[{"part":"last_name","column":"lastname"},{"part":"job_title","column":"new_gone"}]"#;
    database.execute(&format!(
        "UPDATE dataverse_organizations SET column_mapping = '{mapping}', \
         lead_columns = replace(lead_columns, '\"jobtitle\"', '\"new_gone\"')"
    ));
    stage.portal.clock.advance(chrono::TimeDelta::minutes(2));
    stage.change(&lead, &[("last_name", Some("King"))]).await;
    let new = stage.insert(a_lead().name("Bob", "Babbage"));
    stage.time_passes();
    assert_eq!(stage.deliver().await, 2);
    assert!(stage.trouble().is_empty());
    assert_eq!(stage.dynamics.lead(lead.as_str())["lastname"], "King");
    assert_eq!(stage.dynamics.lead(new.as_str())["lastname"], "Babbage");
}

#[tokio::test]
async fn a_pause_lets_the_batch_that_is_on_its_way_arrive() {
    let stage = Stage::new().await;
    for _ in 0..3 {
        stage.insert(a_lead());
    }
    let somebody = async {
        let page = stage.browser.get("/deliveries").await.expect(200);
        stage
            .browser
            .submit(&page, "Pause Contoso", &[])
            .await
            .expect(303);
    };
    let delivered = deliver_meanwhile(&stage, "POST", "UpsertMultiple", somebody).await;
    assert_eq!(delivered, 3);
    assert_eq!(stage.deliveries(), ["delivered"; 3]);
    stage.insert(a_lead());
    assert_eq!(stage.deliver().await, 0);
}

#[tokio::test]
async fn a_decision_waits_for_what_is_under_way_and_goes_with_what_waits_already() {
    let stage = Stage::new().await;
    let there: Vec<Uuid> = (0..2).map(|_| Uuid::now_v7()).collect();
    for id in &there {
        let record = json!({ "lastname": "Twice", "emailaddress1": "ada@example.com" });
        stage.dynamics.write(*id, record);
    }
    let lead = stage.insert(a_lead().name("Ada", "Lovelace").email("ada@example.com"));
    assert_eq!(stage.deliver().await, 0);
    let database = &stage.portal.database;
    let dead = database.texts("SELECT id AS value FROM deliveries");
    let page = stage.browser.get(&format!("/deliveries/{}", dead[0])).await;
    let page = page.expect(200);
    let chosen = there[1].to_string();
    let decision = [("record", Some(chosen.as_str()))];
    stage.change(&lead, &[("last_name", Some("King"))]).await;
    database.execute(
        "UPDATE deliveries SET state = 'in_progress' WHERE state = 'pending'; \
         UPDATE delivery_lanes SET lease_owner = 'a worker', lease_expires_at = '2099-01-01 00:00:00'",
    );
    let refused = stage
        .browser
        .submit(&page, "Use this decision", &decision)
        .await;
    drop(refused.expect_text("This lead is being sent right now."));
    database.execute("UPDATE delivery_lanes SET lease_owner = NULL, lease_expires_at = NULL");
    stage
        .browser
        .submit(&page, "Use this decision", &decision)
        .await
        .expect(303);
    assert_eq!(stage.deliver().await, 1);
    assert_eq!(stage.dynamics.lead(&chosen)["lastname"], "King");
    assert_eq!(stage.dynamics.leads().len(), 2);
    assert_eq!(stage.deliveries(), ["delivered"], "what waited is over");
}

#[tokio::test]
async fn a_destination_may_be_slower_than_the_lease_of_whoever_works_for_it() {
    let mut stage = Stage::new().await;
    stage.insert(a_lead());
    let lease = Duration::from_secs(2);
    stage.portal.sync.options = Arc::new(SyncOptions {
        lease,
        ..(*stage.portal.sync.options).clone()
    });
    let another_replica = async {
        tokio::time::sleep(lease + Duration::from_secs(1)).await;
        let mut conn = stage.portal.database.conn();
        let claimed = leases::claim(&mut conn, "another", Duration::from_secs(60)).unwrap();
        assert!(claimed.is_none(), "the work is still being done");
    };
    assert_eq!(
        deliver_meanwhile(&stage, "PATCH", "/leads", another_replica).await,
        1
    );
}

#[tokio::test]
async fn one_row_at_which_the_organization_stumbles_costs_its_neighbours_nothing() {
    let stage = Stage::new().await;
    let bad = stage.insert(a_lead());
    for _ in 0..50 {
        stage.insert(a_lead());
    }
    let sandbox = &stage.dynamics.sandbox;
    sandbox.add_fault(
        DataverseFault::new(Fault::Status500)
            .on("UpsertMultiple")
            .times(1),
    );
    sandbox.add_fault(
        DataverseFault::new(Fault::Status500)
            .on(bad.as_str())
            .times(2),
    );
    let mut delivered = stage.deliver().await;
    for _ in 0..2 {
        stage.time_passes();
        delivered += stage.deliver().await;
    }
    assert_eq!((delivered, stage.dynamics.leads().len()), (51, 51));
    assert!(stage.trouble().is_empty());
}

#[tokio::test]
async fn what_failed_long_ago_is_tried_when_its_lead_changes_or_the_trouble_is_over() {
    let stage = Stage::new().await;
    let lead = stage.insert(a_lead().name("Ada", "Lovelace"));
    let waits_for_hours = |reason: &str| {
        stage.portal.database.execute(&format!(
            "UPDATE deliveries SET state = 'failed', reason = '{reason}', next_attempt_at = '2100-01-01 00:00:00' WHERE state <> 'delivered'"
        ));
    };
    waits_for_hours("refused");
    assert_eq!(stage.deliver().await, 0);
    stage.change(&lead, &[("last_name", Some("King"))]).await;
    assert_eq!(stage.deliver().await, 1);
    // An outage that others see the end of.
    stage.change(&lead, &[("last_name", Some("Byron"))]).await;
    waits_for_hours("service_error");
    stage.portal.database.execute(
        "UPDATE delivery_lanes SET trouble = 'service_error', trouble_since = created_at, trouble_count = 3",
    );
    stage.insert(a_lead());
    assert_eq!(stage.deliver().await, 2);
    assert_eq!(stage.dynamics.lead(lead.as_str())["lastname"], "Byron");
}

#[tokio::test]
async fn with_the_alternate_key_a_record_is_found_again_whatever_people_change_in_it() {
    let stage = Stage::new().await;
    let lead = stage.insert(a_lead().name("Ada", "Lovelace").email("ada@example.com"));
    let there = Uuid::now_v7();
    stage.dynamics.write(
        there,
        json!({ "lastname": "L", "emailaddress1": "ada@example.com" }),
    );
    assert_eq!(stage.deliver().await, 1);
    let page = add_key(&stage).await;
    let page = page.expect_text("One lead is sent again");
    drop(page.expect_text("No second record of the same lead"));
    assert_eq!(stage.deliver().await, 1);
    let record = || stage.dynamics.lead(&there.to_string());
    assert_eq!(record()["leadgen_leadid"], lead.as_str());

    // Everything that was known about records is lost, and somebody changed the address by which leads are matched.
    stage
        .portal
        .database
        .execute("DELETE FROM organization_leads");
    stage
        .dynamics
        .write(there, json!({ "emailaddress1": "countess@example.com" }));
    stage.change(&lead, &[("last_name", Some("King"))]).await;
    assert_eq!(stage.deliver().await, 1);
    assert_eq!(stage.dynamics.leads().len(), 1);
    assert_eq!(record()["lastname"], "King");

    // The columns page shows it.
    let columns = stage
        .browser
        .get(&format!(
            "/settings/organizations/{}/columns",
            stage.organization
        ))
        .await
        .expect(200);
    drop(columns.expect_text("Id of the lead here"));
    let added = "SELECT count(*) FROM audit_entries WHERE action = 'organization.key_added'";
    assert_eq!(stage.portal.database.number(added), 1);
}

#[tokio::test]
async fn a_column_that_is_mapped_gets_the_key_and_one_that_is_gone_is_replaced() {
    for (mapped, keyed) in [
        ("address1_line3", "address1_line3"),
        ("new_gone", "leadgen_leadid"),
    ] {
        let stage = Stage::new().await;
        let mapping = format!(
            r#"[{{"part":"id","column":"{mapped}"}},{{"part":"last_name","column":"lastname"}}]"#
        );
        stage.portal.database.execute(&format!(
            "UPDATE dataverse_organizations SET column_mapping = '{mapping}'"
        ));
        drop(add_key(&stage).await.expect_text("The column and its key"));
        let kept = stage
            .portal
            .database
            .texts("SELECT column_mapping AS value FROM dataverse_organizations");
        let line = format!(r#""part":"id","column":"{keyed}""#);
        assert!(kept[0].contains(&line), "{kept:?}");
        assert_eq!(kept[0].matches(r#""part":"id""#).count(), 1);
        let organizations = &stage.portal.sync.organizations;
        let client = organizations.client(&stage.organization).await.unwrap();
        assert!(client.key_on(keyed).await.unwrap().is_some());
    }
}

#[tokio::test]
async fn without_the_privilege_to_customise_no_key_is_added_and_the_page_says_why() {
    let stage = Stage::new().await;
    stage
        .dynamics
        .sandbox
        .set_settings(leadgen::sandbox::dataverse::DataverseSettings {
            missing_privileges: ["prvCreateAttribute".to_owned()].into(),
            ..stage.dynamics.sandbox.settings()
        });
    let page = add_key(&stage).await;
    let page = page.expect_text("The key was not added.");
    drop(page.expect_text("prvCreateAttribute"));
}

#[tokio::test]
async fn a_field_of_our_own_goes_to_a_column_of_their_own() {
    let stage = Stage::new().await;
    let page = stage
        .browser
        .get("/settings/custom-fields/new")
        .await
        .expect(200);
    let field = [("label", Some("Budget code")), ("kind", Some("text"))];
    stage
        .browser
        .submit(&page, "Add field", &field)
        .await
        .expect(303);
    let name = stage
        .portal
        .database
        .texts("SELECT name AS value FROM custom_fields")
        .remove(0);
    let organizations = &stage.portal.sync.organizations;
    let client = organizations.client(&stage.organization).await.unwrap();
    client
        .add_text_column("new_BudgetCode", "Budget code", 5)
        .await
        .unwrap();
    let path = format!("/settings/organizations/{}", stage.organization);
    let page = stage.browser.get(&path).await.expect(200);
    stage
        .browser
        .submit(&page, "Test connection", &[])
        .await
        .expect(303);
    let page = stage
        .browser
        .get(&format!("{path}/columns"))
        .await
        .expect(200);
    let column = format!("column:custom.{name}");
    stage
        .browser
        .submit(&page, "Save", &[(&column, Some("new_budgetcode"))])
        .await
        .expect(303);
    let ours = format!("custom.{name}");
    let fits = stage.insert(a_lead().name("Ada", "Lovelace"));
    stage.change(&fits, &[(&ours, Some("B-7"))]).await;
    let too_long = stage.insert(a_lead().name("Bob", "Babbage"));
    stage.change(&too_long, &[(&ours, Some("B-1234567"))]).await;
    assert_eq!(stage.deliver().await, 2);
    assert_eq!(stage.dynamics.lead(fits.as_str())["new_budgetcode"], "B-7");
    assert_eq!(
        stage.dynamics.lead(too_long.as_str()).get("new_budgetcode"),
        Some(&json!(null))
    );
    let page = stage
        .browser
        .get(&format!("/leads/{too_long}"))
        .await
        .expect(200);
    drop(page.expect_text("Budget code"));
}
