//! Settings › Organizations over HTTP: add, test, change, switch off, delete a Dynamics 365 organization.

use std::time::Duration;

use chrono::TimeDelta;
use leadgen::domain::access::Role;
use leadgen::sandbox::dataverse::{DataverseFault, DataverseFaultKind as Fault, DataverseSettings};

use crate::dynamics::Stage;
use crate::start::TestPortal;
use crate::support::{Browserlike, Page, eventually};

const INDEX: &str = "/settings/organizations";
const SECRET: &str = "Very~Secret.Value-of-the-app-9x7Z";
const CLIENT: &str = "11111111-2222-3333-4444-555555555555";
/// Made for the tests, registered nowhere.
const CERTIFICATE: &str = include_str!("../fixtures/dataverse/application.pem");

async fn portal(settings: &[(&str, &str)]) -> (TestPortal, Browserlike) {
    let portal = TestPortal::start_with(settings).await;
    let browser = portal.sign_in_as(&[Role::Administrator]).await;
    (portal, browser)
}

async fn add(browser: &Browserlike, changed: &[(&str, Option<&str>)]) -> Page {
    let page = browser.get(&format!("{INDEX}/new")).await.expect(200);
    let mut fields = vec![
        ("name", Some("Contoso <b>Sales</b>")),
        (
            "address",
            Some("https://contoso.crm4.dynamics.com/main.aspx?appid=1"),
        ),
        ("tenant", Some("contoso.onmicrosoft.com")),
        ("client_id", Some(CLIENT)),
        ("secret", Some(SECRET)),
    ];
    for (name, value) in changed {
        fields.retain(|(known, _)| known != name);
        fields.push((name, *value));
    }
    browser.submit_and_follow(&page, "Save", &fields).await
}

/// The address of the only Dynamics 365 organization.
fn path(portal: &TestPortal) -> String {
    let ids = portal
        .database
        .texts("SELECT organization_id FROM dataverse_organizations");
    format!("{INDEX}/{}", ids[0])
}

#[tokio::test]
async fn an_organization_is_added_changed_switched_off_and_deleted_and_its_secret_is_shown_nowhere()
{
    let (portal, browser) = portal(&[]).await;
    drop(
        browser
            .get(INDEX)
            .await
            .expect(200)
            .expect_text("No other organization yet"),
    );
    let page = add(&browser, &[])
        .await
        .expect(200)
        .expect_text("Contoso <b>Sales</b>")
        .expect_text("https://contoso.crm4.dynamics.com")
        .expect_text("ends with …9x7Z")
        .expect_text("The connection was not tested yet")
        .expect_no_text(SECRET);
    let path = path(&portal);
    drop(page);
    let page = browser.get(&format!("{path}/edit")).await.expect(200);
    assert!(!page.body.contains(SECRET));
    // A blank secret keeps the one that is stored.
    drop(
        browser
            .submit_and_follow(
                &page,
                "Save",
                &[("name", Some("Contoso")), ("secret", Some(""))],
            )
            .await
            .expect(200)
            .expect_text("The organization was changed.")
            .expect_text("ends with …9x7Z"),
    );
    // The page of before knows an old version.
    drop(browser.submit(&page, "Save", &[]).await.expect(409));
    let page = browser.get(&path).await.expect(200);
    let page = browser
        .submit_and_follow(&page, "Disable", &[])
        .await
        .expect(200)
        .expect_text("The organization is disabled");
    drop(
        browser
            .submit_and_follow(&page, "Enable", &[])
            .await
            .expect(200)
            .expect_text("The organization is enabled."),
    );
    let page = browser.get(&format!("{path}/deletion")).await.expect(200);
    drop(
        browser
            .submit_and_follow(&page, "Delete organization", &[])
            .await
            .expect(200)
            .expect_text("was deleted here"),
    );
    assert_eq!(
        portal.database.texts("SELECT kind FROM organizations"),
        ["built_in"]
    );
    let audit = portal.audit();
    for action in ["created", "changed", "disabled", "enabled", "deleted"] {
        let action = format!("organization.{action}");
        assert!(audit.contains(&action), "{action}: {audit:?}");
    }
    let kept = portal.database.texts(
        "SELECT coalesce(before_state, '') || coalesce(after_state, '') AS value FROM audit_entries",
    );
    assert!(kept.iter().all(|text| !text.contains(SECRET)), "{kept:?}");
}

#[tokio::test]
async fn what_cannot_be_an_organization_is_refused_at_its_field_and_the_rest_is_kept() {
    let (portal, browser) = portal(&[]).await;
    for (field, value, message) in [
        ("name", " ", "Enter a name for the organization."),
        (
            "address",
            "http://contoso.crm4.dynamics.com",
            "must begin with https://",
        ),
        ("address", "https://10.0.0.7", "not on the public internet"),
        (
            "address",
            "https://localhost:8443",
            "not on the public internet",
        ),
        ("tenant", "common", "Write the tenant's id"),
        ("client_id", "my-app", "Enter the Application (client) ID"),
        ("secret", "", "Enter the client secret"),
    ] {
        drop(
            add(&browser, &[(field, Some(value))])
                .await
                .expect(422)
                .expect_text(message)
                .expect_no_text(SECRET),
        );
    }
    for (text, message) in [
        ("", "There is no certificate in the text."),
        (
            CERTIFICATE.split("-----BEGIN PRIVATE").next().unwrap(),
            "There is no private key",
        ),
    ] {
        let fields = [
            ("credential_kind", Some("certificate")),
            ("certificate", Some(text)),
        ];
        drop(
            add(&browser, &fields)
                .await
                .expect(422)
                .expect_text(message),
        );
    }
    assert_eq!(
        portal
            .database
            .number("SELECT count(*) FROM dataverse_organizations"),
        0
    );
    let fields = [
        ("credential_kind", Some("certificate")),
        ("certificate", Some(CERTIFICATE)),
    ];
    drop(
        add(&browser, &fields)
            .await
            .expect(200)
            .expect_text("Certificate, ends with"),
    );
    let second = [
        ("name", Some("Another")),
        ("address", Some("contoso.crm4.dynamics.com")),
    ];
    drop(
        add(&browser, &second)
            .await
            .expect(422)
            .expect_text("has this address already"),
    );
    let second = [("address", Some("https://fabrikam.crm.dynamics.com"))];
    drop(
        add(&browser, &second)
            .await
            .expect(422)
            .expect_text("has this name already"),
    );
}

#[tokio::test]
async fn a_connection_test_that_fails_says_at_which_step_why_and_what_to_do() {
    let entra = [
        ("LEADGEN_ENTRA_URL", "https://127.0.0.1:1"),
        ("LEADGEN_ALLOW_PRIVATE_DESTINATIONS", "true"),
    ];
    let (portal, browser) = portal(&entra).await;
    let page = add(&browser, &[]).await.expect(200);
    drop(
        browser
            .submit_and_follow(&page, "Test connection", &[])
            .await
            .expect(200)
            .expect_text("No connection could be made.")
            .expect_text("Check the address, and that the portal's network lets it out")
            .expect_text("Not reached Enter the organization"),
    );
    assert!(portal.audit().contains(&"organization.tested".to_owned()));
}

#[tokio::test]
async fn an_organization_that_profiles_sync_to_is_not_deleted() {
    let (portal, browser) = portal(&[]).await;
    drop(add(&browser, &[]).await.expect(200));
    let page = browser.get("/linkedin-user-profiles/new").await.expect(200);
    drop(
        browser
            .submit(&page, "Save", &[("name", Some("Mine"))])
            .await
            .expect(303),
    );
    let deletion = format!("{}/deletion", path(&portal));
    let page = browser.get(&deletion).await.expect(200);
    portal.database.execute(
        "UPDATE linkedin_user_profiles SET organization_id = (SELECT organization_id FROM dataverse_organizations)",
    );
    drop(
        browser
            .submit(&page, "Delete organization", &[])
            .await
            .expect(409)
            .expect_text("Profiles sync to this organization")
            .expect_text("Mine"),
    );
}

#[tokio::test]
async fn which_part_goes_to_which_column_is_edited_on_a_page_of_the_organizations_own_columns() {
    let dynamics = crate::support::dynamics::Dynamics::start();
    let portal = TestPortal::start_with(&dynamics.settings()).await;
    let browser = portal.sign_in_as(&[Role::Administrator]).await;
    let mut conn = portal.database.conn();
    let id = dynamics.add_to(&mut conn, &portal.sync.organizations, "Contoso");
    drop(conn);
    let path = format!("{INDEX}/{id}");
    let page = browser.get(&format!("{path}/columns")).await.expect(200);
    let page = page.expect_text("The columns are not known yet");
    let page = browser
        .submit_and_follow(&page, "Test connection", &[])
        .await
        .expect(200);
    drop(page.expect_text("The test passed"));
    let page = browser.get(&format!("{path}/columns")).await.expect(200);
    let page = page.expect_text("text, at most 300");

    // Everything that is wrong is told at once, and what was typed is kept.
    let wrong = [
        ("column:topic", Some("emailaddress1")),
        ("column:source", Some("leadsourcecode")),
        ("values:source", Some("Manual = Carrier pigeon")),
    ];
    let page = browser.submit(&page, "Save", &wrong).await.expect(422);
    let page = page.expect_text("has no option “Carrier pigeon”");
    let page = page.expect_text("A column takes one.");
    let page = page.expect_text("Manual = Carrier pigeon");

    let right = [
        ("column:topic", Some("subject")),
        ("values:source", Some("Manual = Partner")),
        ("column:email", Some("")),
        ("cuts:topic", Some("on")),
    ];
    let page = browser
        .submit_and_follow(&page, "Save", &right)
        .await
        .expect(200);
    drop(page.expect_text("The columns were saved."));
    let stored = portal
        .database
        .texts("SELECT column_mapping AS value FROM dataverse_organizations");
    assert!(
        stored[0].contains(r#"{"part":"topic","column":"subject","cuts":true}"#),
        "{stored:?}"
    );
    assert!(!stored[0].contains("emailaddress1"));
    // Leads are matched by e-mail: without a column for it nothing there can match.
    let page = browser.get(&format!("{path}/columns")).await.expect(200);
    drop(page.expect_text("which has no column here"));
    assert_eq!(
        portal.database.number(
            "SELECT count(*) FROM audit_entries WHERE action = 'organization.columns_changed'"
        ),
        1
    );
}

#[tokio::test]
async fn whoever_changes_a_connection_proves_again_who_it_is() {
    let (portal, browser) = portal(&[]).await;
    let page = add(&browser, &[]).await.expect(200);
    let path = path(&portal);
    let edit = browser.get(&format!("{path}/edit")).await.expect(200);
    portal.clock.advance(TimeDelta::minutes(16));
    for (asked, way) in [
        (format!("{INDEX}/new"), "new"),
        (format!("{path}/edit"), "edit"),
    ] {
        let answer = browser.get(&asked).await.expect(303);
        let to = answer.location().unwrap();
        assert!(to.starts_with("/account/confirmation?to="), "{to}");
        assert!(to.ends_with(way), "{to}");
    }
    let fields = [
        ("name", Some("Taken over")),
        ("secret", Some("Another~Secret")),
    ];
    browser
        .submit(&edit, "Save", &fields)
        .await
        .expect(403)
        .expect_text("Nothing was changed");
    browser
        .submit(&page, "Add the column and the key", &[])
        .await
        .expect(403)
        .expect_text("Confirm that it is you");
    // Reading, testing and switching off do not wait for that.
    let page = browser
        .get(&path)
        .await
        .expect(200)
        .expect_text("Contoso <b>Sales</b>");
    browser.submit(&page, "Disable", &[]).await.expect(303);
}

#[tokio::test]
async fn a_slow_test_of_the_old_secret_says_nothing_about_the_new_one() {
    let stage = Stage::new().await;
    let sandbox = &stage.dynamics.sandbox;
    let path = format!("{INDEX}/{}", stage.organization);
    let page = stage.browser.get(&path).await.expect(200);
    let edit = format!("{path}/edit");
    let edit = stage.browser.get(&edit).await.expect(200);
    stage.portal.clock.advance(TimeDelta::seconds(30));
    sandbox.add_fault(
        DataverseFault::new(Fault::Slow)
            .on("WhoAmI")
            .times(1)
            .seconds(60),
    );
    let test = stage.browser.submit(&page, "Test connection", &[]);
    let meanwhile = async {
        eventually("the test waits", Duration::from_secs(30), || async {
            sandbox.held() == 1
        })
        .await;
        let fields = [("secret", Some("Another~Secret.of-the-app"))];
        let saved = stage.browser.submit(&edit, "Save", &fields).await;
        saved.expect(303);
        sandbox.clear_faults();
    };
    let (tested, ()) = tokio::join!(test, meanwhile);
    tested.expect(303);
    stage
        .browser
        .get(&path)
        .await
        .expect(200)
        .expect_text("The connection was not tested yet");
    // The columns that the old one read are not the new one's.
    let columns = "SELECT count(*) FROM dataverse_organizations WHERE columns_read_at IS NOT NULL";
    assert_eq!(stage.portal.database.number(columns), 0);
}

#[tokio::test]
async fn without_privileges_the_test_names_them_even_when_the_columns_cannot_be_read_either() {
    let stage = Stage::new().await;
    let sandbox = &stage.dynamics.sandbox;
    sandbox.set_settings(DataverseSettings {
        missing_privileges: ["prvCreateLead".to_owned()].into(),
        ..sandbox.settings()
    });
    sandbox.add_fault(DataverseFault::new(Fault::Status503).on("EntityDefinitions"));
    let path = format!("{INDEX}/{}", stage.organization);
    let page = stage.browser.get(&path).await.expect(200);
    stage
        .browser
        .submit_and_follow(&page, "Test connection", &[])
        .await
        .expect(200)
        .expect_text("Missing: prvCreateLead")
        .expect_text("Passed Enter the organization")
        .expect_text("Failed Privileges on leads")
        .expect_text("Not reached Read the columns of the lead table");
}
