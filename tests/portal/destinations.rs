//! Where the leads of a profile go: chosen when it is authorized, and changed later with what that means.

use leadgen::domain::access::Role;
use leadgen::sandbox::{self, Decision, SandboxHandle};
use leadgen::store::{self, seed};
use uuid::Uuid;

use crate::records_world::with_world;
use crate::start::TestPortal;
use crate::support::{Browserlike, Page, a_moment};

const INDEX: &str = "/linkedin-user-profiles";
const CONTOSO: &str = "018f2a3c-0000-7000-8000-0000000000c1";

/// A Dynamics 365 organization as people add it, with its queue.
fn add_contoso(portal: &TestPortal, has_lane: bool) {
    let at = a_moment().format("%Y-%m-%d %H:%M:%S");
    portal.database.execute(&format!(
        "INSERT INTO organizations (id, name, created_at, updated_at, lock_version, kind) VALUES ('{CONTOSO}', 'Contoso', '{at}', '{at}', 1, 'dynamics_365'); \
         INSERT INTO dataverse_organizations (organization_id, address, tenant, client_id, credential_kind, credential, credential_hint, credential_set_at, is_enabled) \
         VALUES ('{CONTOSO}', 'https://contoso.crm4.dynamics.com', 'contoso.onmicrosoft.com', 'app', 'secret', '', '…WXYZ', '{at}', TRUE);"
    ));
    if has_lane {
        portal.database.execute(&format!(
            "INSERT INTO delivery_lanes (id, organization_id, is_enabled, not_before, trouble_count, lease_term, created_at) \
             VALUES ('{CONTOSO}', '{CONTOSO}', TRUE, '{at}', 0, 0, '{at}')"
        ));
    }
}

fn disable_contoso(portal: &TestPortal, is_enabled: bool) {
    let is_enabled = if is_enabled { "TRUE" } else { "FALSE" };
    portal.database.execute(&format!(
        "UPDATE dataverse_organizations SET is_enabled = {is_enabled}"
    ));
}

fn organization_of_profiles(portal: &TestPortal) -> Vec<String> {
    portal.database.texts(
        "SELECT coalesce(o.name, 'none') AS value FROM linkedin_user_profiles p LEFT JOIN organizations o ON o.id = p.organization_id",
    )
}

fn queued(portal: &TestPortal) -> Vec<String> {
    portal.database.texts(&format!(
        "SELECT event || ' ' || state AS value FROM deliveries WHERE lane_id = '{CONTOSO}' ORDER BY id"
    ))
}

/// Authorizes as the sandbox's first member, up to the page that asks for the organization.
async fn to_confirmation(
    browser: &Browserlike,
    sandbox: &SandboxHandle,
    page: &Page,
    button: &str,
) -> Page {
    let answer = browser.submit(page, button, &[]).await.expect(303);
    let member = sandbox.members().remove(0);
    let at_linkedin = answer.location().unwrap();
    let back = sandbox::visit(at_linkedin, member.email, member.password, Decision::Allow)
        .await
        .unwrap();
    browser.visit(&back).await.expect(200)
}

#[tokio::test]
async fn the_organization_is_chosen_when_the_profile_is_authorized_and_kept_afterwards() {
    let (portal, sandbox) = TestPortal::with_sandbox(&[]).await;
    seed::run(&mut portal.database.conn(), a_moment(), Uuid::now_v7).unwrap();
    add_contoso(&portal, true);
    let browser = portal.sign_in_as(&[Role::Salesperson]).await;
    let page = browser.get(&format!("{INDEX}/new")).await.expect(200);
    let page = browser
        .submit_and_follow(&page, "Save", &[("name", Some("Mine"))])
        .await
        .expect(200);
    let profile = page.url.path().to_owned();
    let asked = to_confirmation(&browser, &sandbox, &page, "Authorize")
        .await
        .expect_text("the organization that you choose below");
    let form = asked.form("Yes, confirm");
    let preselected = form
        .fields
        .iter()
        .find(|(name, _)| name == "organization_id");
    assert_eq!(
        preselected.map(|(_, id)| id.as_str()),
        Some(seed::BUILT_IN_ORGANIZATION)
    );

    // Disabled, unknown or deleted while the page was open: said in words, and nothing is authorized.
    disable_contoso(&portal, false);
    for (wrong, words) in [
        (CONTOSO, "disabled or deleted it meanwhile"),
        (
            "018f2a3c-0000-7000-8000-0000000000ff",
            "disabled or deleted it meanwhile",
        ),
        ("nonsense", "Choose one of the organizations"),
    ] {
        let fields = [("organization_id", Some(wrong))];
        browser
            .submit(&asked, "Yes, confirm", &fields)
            .await
            .expect(422)
            .expect_text(words);
    }
    assert_eq!(organization_of_profiles(&portal), ["none"]);
    disable_contoso(&portal, true);
    let fields = [("organization_id", Some(CONTOSO))];
    let page = browser
        .submit_and_follow(&asked, "Yes, confirm", &fields)
        .await
        .expect(200)
        .expect_text("Contoso");
    assert_eq!(organization_of_profiles(&portal), ["Contoso"]);
    browser.get(INDEX).await.expect(200).expect_text("Contoso");

    // Authorizing again keeps it, even when it was disabled since.
    disable_contoso(&portal, false);
    let again = to_confirmation(&browser, &sandbox, &page, "Authorize again").await;
    browser
        .submit_and_follow(&again, "Yes, confirm", &[])
        .await
        .expect(200);
    assert_eq!(organization_of_profiles(&portal), ["Contoso"]);
    browser
        .get(&profile)
        .await
        .expect(200)
        .expect_text("Contoso");
}

#[tokio::test]
async fn another_organization_is_chosen_later_and_gets_the_existing_leads_when_asked_for() {
    let (portal, world) = with_world().await;
    add_contoso(&portal, true);
    let profile = format!("{INDEX}/{}", world.profile);
    let path = format!("{profile}/destination");
    let browser = portal.sign_in_as(&[Role::Administrator]).await;
    let page = browser.get(&profile).await.expect(200);
    let page = browser
        .get(&page.link("Change where leads go"))
        .await
        .expect(200)
        .expect_text("They go to My organization now")
        .expect_text("Contoso")
        .expect_text("1 lead of these accounts would be sent")
        .expect_text("stays there");
    crate::records_world::shows_hostile_text_as_text(&page);
    // Nothing chosen, the present one, one that is gone: the box stays ticked.
    for wrong in ["", seed::BUILT_IN_ORGANIZATION, "nonsense"] {
        let fields = [
            ("organization_id", Some(wrong)),
            ("send_existing", Some("on")),
        ];
        let again = browser
            .submit(&page, "Change the organization", &fields)
            .await
            .expect(422)
            .expect_text("Choose the organization");
        assert!(again.body.contains("checked"), "{wrong}");
    }
    disable_contoso(&portal, false);
    let chosen = [
        ("organization_id", Some(CONTOSO)),
        ("send_existing", Some("on")),
    ];
    browser
        .submit(&page, "Change the organization", &chosen)
        .await
        .expect(422)
        .expect_text("disabled or deleted it meanwhile")
        .expect_text("No other organization");
    disable_contoso(&portal, true);
    assert_eq!(organization_of_profiles(&portal), ["My organization"]);

    browser
        .submit_and_follow(&page, "Change the organization", &chosen)
        .await
        .expect(200)
        .expect_text(
            "Leads go to Contoso from now on. 1 lead that was here already is on its way.",
        );
    assert_eq!(organization_of_profiles(&portal), ["Contoso"]);
    assert_eq!(queued(&portal), ["lead_saved pending"]);
    let told = portal.database.texts(
        "SELECT before_state || after_state AS value FROM audit_entries WHERE action = 'linkedin_user_profile.destination_changed'",
    );
    assert_eq!(told.len(), 1);
    assert!(
        told[0].contains("My organization") && told[0].contains("Contoso"),
        "{told:?}"
    );
    // The page of before is old; what waits already is not queued twice.
    browser
        .submit(&page, "Change the organization", &chosen)
        .await
        .expect(422);
    let back = browser.get(&path).await.expect(200);
    let fields = [("organization_id", Some(seed::BUILT_IN_ORGANIZATION))];
    browser
        .submit(&back, "Change the organization", &fields)
        .await
        .expect(303);
    browser
        .submit(&page, "Change the organization", &chosen)
        .await
        .expect(409);
    let page = browser.get(&path).await.expect(200);
    browser
        .submit(&page, "Change the organization", &chosen)
        .await
        .expect(303);
    assert_eq!(queued(&portal).len(), 1);
    for list in [INDEX, "/linkedin-accounts"] {
        browser.get(list).await.expect(200).expect_text("Contoso");
    }
    browser
        .get(&format!("/linkedin-accounts/{}", world.account))
        .await
        .expect(200)
        .expect_text("leads go to Contoso");
}

#[tokio::test]
async fn without_the_box_a_lead_is_sent_when_it_changes_and_a_missing_queue_is_no_failure() {
    let (portal, world) = with_world().await;
    add_contoso(&portal, false);
    let browser = portal.sign_in_as(&[Role::Administrator]).await;
    let path = format!("{INDEX}/{}/destination", world.profile);
    let page = browser.get(&path).await.expect(200);
    let fields = [
        ("organization_id", Some(CONTOSO)),
        ("send_existing", Some("on")),
    ];
    browser
        .submit_and_follow(&page, "Change the organization", &fields)
        .await
        .expect(200)
        .expect_text("Leads go to Contoso from now on.");
    let at = a_moment().format("%Y-%m-%d %H:%M:%S");
    portal.database.execute(&format!(
        "INSERT INTO delivery_lanes (id, organization_id, is_enabled, not_before, trouble_count, lease_term, created_at) \
         VALUES ('{CONTOSO}', '{CONTOSO}', TRUE, '{at}', 0, 0, '{at}')"
    ));
    let edit = browser
        .get(&format!("/leads/{}/edit", world.lead))
        .await
        .expect(200);
    assert!(queued(&portal).is_empty());
    browser
        .submit(&edit, "Save", &[("company_name", Some("Another"))])
        .await
        .expect(303);
    assert_eq!(queued(&portal), ["lead_saved pending"]);
}

#[tokio::test]
async fn only_who_may_change_the_profile_decides_where_its_leads_go() {
    let (portal, world) = with_world().await;
    add_contoso(&portal, true);
    let path = format!("{INDEX}/{}/destination", world.profile);
    let other = portal.sign_in_as(&[Role::Salesperson]).await;
    other.get(&path).await.expect(404);
    other
        .post_with_token_of(
            INDEX,
            &path,
            &[("organization_id", CONTOSO), ("lock_version", "0")],
        )
        .await
        .expect(404);
    assert_eq!(organization_of_profiles(&portal), ["My organization"]);
    // A profile that was never authorized has none yet.
    let new = {
        let conn = &mut portal.database.conn();
        let id = leadgen::domain::ids::ProfileId::new(Uuid::now_v7());
        store::profiles::insert(conn, &id, "New", &world.owner, a_moment()).unwrap();
        id
    };
    let administrator = portal.sign_in_as(&[Role::Administrator]).await;
    administrator
        .get(&format!("{INDEX}/{new}/destination"))
        .await
        .expect(409)
        .expect_text("Authorize the profile first");
}
