//! What comes back from Dynamics 365: people there change, hand over and delete leads; and what people here decide about a
//! status goes there. Over real HTTPS with the sandbox's organization.

use leadgen::domain::access::Role;
use leadgen::domain::ids::{AccountId, FormId, LeadId, OrganizationId, UserId};
use leadgen::domain::lead::LeadStatus;
use leadgen::sandbox::dataverse::{DataverseFault, DataverseFaultKind as Fault, DataverseSettings};
use leadgen::store::lead_bulk::{self, BulkEdit};
use leadgen::store::organization_reads as reads;
use leadgen::sync::{delivery, organization_reads};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::start::TestPortal;
use crate::support::builders::{a_form, a_profile, an_account};
use crate::support::dynamics::Dynamics;
use crate::support::{Browserlike, a_lead, a_moment, a_user};

/// A portal whose leads go to the organization, and a webhook that is told about leads.
struct Stage {
    dynamics: Dynamics,
    portal: TestPortal,
    browser: Browserlike,
    organization: OrganizationId,
    account: AccountId,
    form: FormId,
}

impl Stage {
    async fn new() -> Self {
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
        let stage = Self {
            dynamics,
            portal,
            browser,
            organization,
            account,
            form,
        };
        stage.add_webhook().await;
        stage
    }

    async fn add_webhook(&self) {
        let page = self.browser.get("/settings/webhooks/new").await.expect(200);
        let fields = [
            ("name", Some("Marketing")),
            ("url", Some("https://localhost:1/hooks")),
        ];
        drop(
            self.browser
                .submit(&page, "Make webhook", &fields)
                .await
                .expect(201),
        );
    }

    /// A lead that the organization has.
    async fn lead(&self, email: &str) -> LeadId {
        let lead = a_lead()
            .name("Ada", "Lovelace")
            .email(email)
            .of(&self.account, &self.form)
            .insert(&mut self.portal.database.conn());
        self.deliver().await;
        assert_eq!(self.dynamics.lead(lead.as_str())["emailaddress1"], email);
        lead
    }

    /// Delivers what is due for the organization; the webhook cannot be reached and does not count.
    async fn deliver(&self) {
        delivery::run_due(&self.portal.sync).await.unwrap();
    }

    /// Reads the organization now; answers how many leads changed or are gone.
    async fn read(&self) -> usize {
        self.portal
            .database
            .execute("UPDATE organization_reads SET next_read_at = '2000-01-01 00:00:00'");
        organization_reads::run_due(&self.portal.sync)
            .await
            .unwrap()
    }

    fn change_there(&self, lead: &LeadId, columns: &Value) {
        let id = Uuid::try_parse(lead.as_str()).unwrap();
        self.dynamics
            .sandbox
            .person_changes("lead", id, columns.as_object().unwrap())
            .unwrap();
    }

    fn delete_there(&self, lead: &LeadId) {
        let id = Uuid::try_parse(lead.as_str()).unwrap();
        self.dynamics.sandbox.person_deletes("lead", id).unwrap();
    }

    fn user_there(&self, name: &str) -> String {
        let users = self.dynamics.sandbox.records("systemuser");
        let user = users.iter().find(|user| user["fullname"] == name).unwrap();
        user["systemuserid"].as_str().unwrap().to_owned()
    }

    fn hand_over_there(&self, lead: &LeadId, name: &str) {
        let bind = format!("/systemusers({})", self.user_there(name));
        self.change_there(lead, &json!({ "ownerid@odata.bind": bind }));
    }

    async fn change_here(&self, lead: &LeadId, fields: &[(&str, Option<&str>)]) {
        let page = self
            .browser
            .get(&format!("/leads/{lead}/edit"))
            .await
            .expect(200);
        drop(self.browser.submit(&page, "Save", fields).await.expect(303));
    }

    fn status(&self, lead: &LeadId) -> String {
        self.one(&format!(
            "SELECT status AS value FROM leads WHERE id = '{lead}'"
        ))
    }

    fn owner(&self, lead: &LeadId) -> String {
        self.one(&format!(
            "SELECT owner_id AS value FROM leads WHERE id = '{lead}'"
        ))
    }

    fn one(&self, query: &str) -> String {
        let mut found = self.portal.database.texts(query);
        assert_eq!(found.len(), 1, "{query}");
        found.remove(0)
    }

    /// Deliveries that wait: for the organization, and to the webhook.
    fn waiting(&self) -> (usize, Vec<String>) {
        let waiting = |whose: &str| {
            self.portal.database.texts(&format!(
                "SELECT event AS value FROM deliveries JOIN delivery_lanes ON delivery_lanes.id = lane_id \
                 WHERE {whose} IS NOT NULL AND state IN ('pending', 'failed') ORDER BY event"
            ))
        };
        (waiting("organization_id").len(), waiting("webhook_id"))
    }

    fn forget_waiting(&self) {
        self.portal.database.execute("DELETE FROM deliveries");
    }

    fn qualifications(&self) -> usize {
        let requests = self.dynamics.sandbox.requests();
        requests
            .iter()
            .filter(|request| request.path.ends_with("QualifyLead"))
            .count()
    }

    async fn organization_page(&self) -> String {
        let path = format!("/settings/organizations/{}", self.organization);
        self.browser.get(&path).await.expect(200).body
    }
}

fn somebody(stage: &Stage, email: &str) -> UserId {
    a_user()
        .email(email)
        .role(Role::Salesperson)
        .insert(&mut stage.portal.database.conn())
}

#[tokio::test]
async fn status_and_owner_that_people_change_there_come_to_the_lead_and_are_told_but_not_back() {
    let stage = Stage::new().await;
    let jon = somebody(&stage, "Jon.Okafor@contoso.example");
    let lead = stage.lead("ada@example.com").await;
    let owner = stage.owner(&lead);
    // Nothing happened there but our own writing.
    assert_eq!(stage.read().await, 0);
    assert_eq!(
        (stage.status(&lead), stage.owner(&lead)),
        ("new".into(), owner.clone())
    );
    stage.forget_waiting();

    stage.change_there(&lead, &json!({ "statecode": 0, "statuscode": 2 }));
    stage.hand_over_there(&lead, "Jon Okafor");
    assert_eq!(stage.read().await, 1);
    assert_eq!(stage.status(&lead), "contacted");
    assert_eq!(stage.owner(&lead), jon.as_str());
    let told = vec!["lead_status_changed".to_owned(), "lead_updated".to_owned()];
    assert_eq!(stage.waiting(), (0, told));
    // What was read once is not read again.
    assert_eq!(stage.read().await, 0);

    let page = stage
        .browser
        .get(&format!("/leads/{lead}"))
        .await
        .expect(200);
    let page = page
        .expect_text("Contoso (Dynamics 365)")
        .expect_text("Open – Contacted")
        .expect_text("Jon Okafor");
    assert!(
        page.body.contains(&format!("etn=lead&#38;id={lead}")),
        "{}",
        page.body
    );
    let audit = stage.portal.database.texts(
        "SELECT actor_kind || ' ' || object_name AS value FROM audit_entries WHERE action = 'organization.changes_read'",
    );
    assert_eq!(audit, ["s2s_inbound Contoso"]);
    assert!(stage.organization_page().await.contains("Last read"));

    // An owner who is nobody here is shown, and ours stays.
    stage.hand_over_there(&lead, "Mara Lind");
    assert_eq!(stage.read().await, 0);
    assert_eq!(stage.owner(&lead), jon.as_str());
    let page = stage
        .browser
        .get(&format!("/leads/{lead}"))
        .await
        .expect(200);
    drop(page.expect_text("Mara Lind"));
}

#[tokio::test]
async fn a_status_that_people_change_here_goes_there_and_does_not_come_back_as_a_change() {
    let stage = Stage::new().await;
    let lead = stage.lead("ada@example.com").await;
    assert_eq!(stage.read().await, 0);
    for (status, there) in [
        ("contacted", (0, 2)),
        ("disqualified", (2, 4)),
        ("new", (0, 1)),
        ("qualified", (1, 3)),
    ] {
        stage.change_here(&lead, &[("status", Some(status))]).await;
        stage.deliver().await;
        let record = stage.dynamics.lead(lead.as_str());
        assert_eq!(
            (&record["statecode"], &record["statuscode"]),
            (&json!(there.0), &json!(there.1))
        );
        let version = stage.one("SELECT CAST(lock_version AS TEXT) AS value FROM leads");
        assert_eq!(stage.read().await, 0, "{status}");
        assert_eq!(stage.status(&lead), status);
        assert_eq!(
            stage.one("SELECT CAST(lock_version AS TEXT) AS value FROM leads"),
            version
        );
    }
    assert_eq!(stage.qualifications(), 1);
    assert_eq!(stage.waiting().0, 0);

    // Many at once, too.
    stage.forget_waiting();
    let edit = BulkEdit {
        status: Some(LeadStatus::Contacted),
        with_closed: true,
        ..BulkEdit::default()
    };
    let by: UserId = stage.owner(&lead).parse().unwrap();
    let new_id = || Uuid::now_v7().to_string();
    let mut conn = stage.portal.database.conn();
    lead_bulk::apply(
        &mut conn,
        std::slice::from_ref(&lead),
        &edit,
        &by,
        new_id,
        a_moment(),
    )
    .unwrap();
    let told = vec!["lead_status_changed".to_owned(), "lead_updated".to_owned()];
    assert_eq!(stage.waiting(), (1, told));
    stage.deliver().await;
    assert_eq!(stage.dynamics.lead(lead.as_str())["statuscode"], 2);
    assert_eq!(stage.read().await, 0);
}

#[tokio::test]
async fn a_qualification_is_tried_again_and_a_lost_answer_qualifies_once() {
    let stage = Stage::new().await;
    let lead = stage.lead("ada@example.com").await;
    stage.dynamics.sandbox.add_fault(
        DataverseFault::new(Fault::Status503)
            .on("QualifyLead")
            .times(1)
            .seconds(1),
    );
    stage.dynamics.sandbox.add_fault(
        DataverseFault::new(Fault::LostAnswer)
            .on("QualifyLead")
            .times(1),
    );
    stage
        .change_here(&lead, &[("status", Some("qualified"))])
        .await;
    for _ in 0..3 {
        stage.deliver().await;
        stage.portal.database.execute(
            "UPDATE deliveries SET next_attempt_at = created_at WHERE state IN ('pending', 'failed'); \
             UPDATE delivery_lanes SET not_before = created_at;",
        );
    }
    assert_eq!(stage.dynamics.lead(lead.as_str())["statecode"], 1);
    assert_eq!(stage.waiting().0, 0);
    assert_eq!(stage.read().await, 0);
    assert_eq!(stage.status(&lead), "qualified");
}

#[tokio::test]
async fn a_qualified_lead_leaves_the_records_behind_that_the_organization_is_to_make() {
    let stage = Stage::new().await;
    let lead = stage.lead("ada@example.com").await;
    let path = format!("/settings/organizations/{}", stage.organization);
    let page = stage.browser.get(&format!("{path}/edit")).await.expect(200);
    let ticked = [
        ("qualify_contact", Some("on")),
        ("qualify_opportunity", Some("on")),
    ];
    let page = stage
        .browser
        .submit_and_follow(&page, "Save", &ticked)
        .await
        .expect(200);
    let page = page.expect_text("A contact, An opportunity");
    // What is made needs a right of its own, which the test of the connection looks for.
    let settings = stage.dynamics.sandbox.settings();
    stage
        .dynamics
        .sandbox
        .set_settings(leadgen::sandbox::dataverse::DataverseSettings {
            missing_privileges: ["prvCreateContact".to_owned(), "prvCreateAccount".to_owned()]
                .into(),
            ..settings.clone()
        });
    let page = stage
        .browser
        .submit_and_follow(&page, "Test connection", &[])
        .await
        .expect(200)
        .expect_text("prvCreateContact");
    drop(page.expect_no_text("prvCreateAccount"));
    stage.dynamics.sandbox.set_settings(settings);
    stage
        .change_here(&lead, &[("status", Some("qualified"))])
        .await;
    stage.deliver().await;
    let made = |table: &str| stage.dynamics.sandbox.count(table);
    assert_eq!(stage.dynamics.lead(lead.as_str())["statecode"], 1);
    assert_eq!(
        (made("account"), made("contact"), made("opportunity")),
        (0, 1, 1)
    );
}

#[tokio::test]
async fn a_lead_that_is_deleted_there_stays_here_and_says_so() {
    let stage = Stage::new().await;
    let lead = stage.lead("ada@example.com").await;
    assert_eq!(stage.read().await, 0);
    stage.delete_there(&lead);
    assert_eq!(stage.read().await, 1);
    assert_eq!(stage.status(&lead), "new");
    let page = stage
        .browser
        .get(&format!("/leads/{lead}"))
        .await
        .expect(200);
    drop(page.expect_text("Deleted there"));
    assert_eq!(stage.read().await, 0);
}

#[tokio::test]
async fn trouble_passes_nothing_and_an_old_link_begins_again() {
    let stage = Stage::new().await;
    let (lead, gone) = (
        stage.lead("ada@example.com").await,
        stage.lead("bo@example.com").await,
    );
    assert_eq!(stage.read().await, 0);
    stage.change_there(&lead, &json!({ "statecode": 2, "statuscode": 5 }));
    stage
        .dynamics
        .sandbox
        .add_fault(DataverseFault::new(Fault::Status500).method("GET").times(1));
    assert_eq!(stage.read().await, 0);
    let page = stage.organization_page().await;
    assert!(
        page.contains("The organization has a problem of its own."),
        "{page}"
    );
    assert_eq!(stage.read().await, 1);
    assert_eq!(stage.status(&lead), "disqualified");
    assert!(!stage.organization_page().await.contains("has a problem"));

    // The organization has forgotten what it told: everything is read again, and what is missing is noticed.
    stage.delete_there(&gone);
    stage.change_there(&lead, &json!({ "statecode": 0, "statuscode": 1 }));
    stage.portal.database.execute(
        "UPDATE organization_reads SET link = REPLACE(link, 'deltatoken=', 'deltatoken=x')",
    );
    assert_eq!(stage.read().await, 2);
    assert_eq!(stage.status(&lead), "new");
    let state = format!("SELECT state AS value FROM organization_leads WHERE lead_id = '{gone}'");
    assert_eq!(stage.one(&state), "deleted");
}

#[tokio::test]
async fn without_change_tracking_the_last_change_is_looked_at() {
    let stage = Stage::new().await;
    stage.dynamics.sandbox.set_settings(DataverseSettings {
        change_tracking: false,
        ..DataverseSettings::default()
    });
    let lead = stage.lead("ada@example.com").await;
    assert_eq!(stage.read().await, 0);
    stage.change_there(&lead, &json!({ "statecode": 1, "statuscode": 3 }));
    assert_eq!(stage.read().await, 1);
    assert_eq!(stage.status(&lead), "qualified");
    assert_eq!(stage.read().await, 0);
    let page = stage.organization_page().await;
    assert!(page.contains("does not track changes of leads"), "{page}");
}

#[tokio::test]
async fn a_record_that_is_written_while_it_is_read_is_looked_at_again() {
    let stage = Stage::new().await;
    let lead = stage.lead("ada@example.com").await;
    assert_eq!(stage.read().await, 0);
    stage.change_there(&lead, &json!({ "statecode": 2, "statuscode": 7 }));
    // As if a delivery had ended after the reading began.
    let written = |at: &str| {
        stage.portal.database.execute(&format!(
            "UPDATE organization_leads SET updated_at = '{at}'"
        ));
    };
    written("2100-01-01 00:00:00");
    assert_eq!(stage.read().await, 0);
    assert_eq!(stage.status(&lead), "new");
    written("2001-01-01 00:00:00");
    assert_eq!(stage.read().await, 1);
    assert_eq!(stage.status(&lead), "disqualified");
}

#[tokio::test]
async fn only_one_replica_reads_an_organization_and_a_disabled_one_is_left_alone() {
    let stage = Stage::new().await;
    let mut conn = stage.portal.database.conn();
    let length = std::time::Duration::from_secs(60);
    // Without a record of ours there is nothing to read.
    assert!(!reads::is_any_due(&mut conn).unwrap());
    stage.lead("ada@example.com").await;
    let first = reads::claim(&mut conn, "a", length).unwrap().unwrap();
    assert_eq!(first.organization, stage.organization);
    assert!(reads::claim(&mut conn, "b", length).unwrap().is_none());
    // The lease runs out, and its old holder writes nothing any more.
    stage
        .portal
        .database
        .execute("UPDATE organization_reads SET lease_expires_at = '2000-01-01 00:00:00'");
    reads::claim(&mut conn, "b", length).unwrap().unwrap();
    assert!(reads::fence(&mut conn, &first).is_err());
    stage.portal.database.execute(
        "UPDATE organization_reads SET lease_owner = NULL; UPDATE dataverse_organizations SET is_enabled = FALSE",
    );
    assert!(!reads::is_any_due(&mut conn).unwrap());
}

#[tokio::test]
async fn the_owner_goes_there_where_the_organization_knows_the_person_and_allows_it() {
    let stage = Stage::new().await;
    let jon = somebody(&stage, "jon.okafor@contoso.example");
    let mara = somebody(&stage, "mara.lind@contoso.example");
    let nobody = somebody(&stage, "nobody@contoso.example");
    let made_for = |owner: &UserId, email: &str| {
        let lead = a_lead().name("Ada", "Lovelace").email(email).owner(owner);
        lead.of(&stage.account, &stage.form)
            .insert(&mut stage.portal.database.conn())
    };
    let owner_there = |lead: &LeadId| stage.dynamics.lead(lead.as_str())["_ownerid_value"].clone();
    let (known, unknown) = (
        made_for(&jon, "a@example.com"),
        made_for(&nobody, "b@example.com"),
    );
    stage.deliver().await;
    assert_eq!(owner_there(&known), stage.user_there("Jon Okafor"));
    assert_eq!(
        owner_there(&unknown),
        stage.user_there("# Leadgen Connector")
    );
    assert_eq!(stage.read().await, 0);

    stage
        .change_here(&known, &[("owner", Some(mara.as_str()))])
        .await;
    stage.deliver().await;
    assert_eq!(owner_there(&known), stage.user_there("Mara Lind"));
    assert_eq!(stage.read().await, 0);
    assert_eq!(stage.owner(&known), mara.as_str());

    // Changed on both sides: there counts more.
    let third = somebody(&stage, "third@contoso.example");
    let columns = json!({ "fullname": "Third", "internalemailaddress": "third@contoso.example" });
    stage
        .dynamics
        .sandbox
        .person_changes("systemuser", Uuid::now_v7(), columns.as_object().unwrap())
        .unwrap();
    stage.hand_over_there(&known, "Jon Okafor");
    let fields = [
        ("owner", Some(third.as_str())),
        ("company_name", Some("Engines")),
    ];
    stage.change_here(&known, &fields).await;
    stage.deliver().await;
    assert_eq!(
        stage.dynamics.lead(known.as_str())["companyname"],
        "Engines"
    );
    assert_eq!(stage.read().await, 1);
    assert_eq!(stage.owner(&known), jon.as_str());
}

#[tokio::test]
async fn without_the_privilege_to_assign_leads_arrive_all_the_same() {
    let stage = Stage::new().await;
    stage.dynamics.sandbox.set_settings(DataverseSettings {
        missing_privileges: ["prvAssignLead".to_owned()].into(),
        ..DataverseSettings::default()
    });
    let jon = somebody(&stage, "jon.okafor@contoso.example");
    let lead = a_lead()
        .email("ada@example.com")
        .owner(&jon)
        .of(&stage.account, &stage.form)
        .insert(&mut stage.portal.database.conn());
    stage.deliver().await;
    let there = stage.dynamics.lead(lead.as_str());
    assert_eq!(
        there["_ownerid_value"],
        stage.user_there("# Leadgen Connector")
    );
    assert_eq!(stage.waiting().0, 0);
}
