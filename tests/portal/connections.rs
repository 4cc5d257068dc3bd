//! LinkedIn account connections over HTTP: the setting with its consequences, a person's consent, and what withdrawing does.

use leadgen::domain::access::Role;
use leadgen::sandbox::{self, Decision, SandboxHandle};

use leadgen::domain::groups::GroupName;
use leadgen::domain::ids::{GroupId, UserId};
use leadgen::store::{StoreError, groups};

use crate::records_world::{shows_hostile_text_as_text, with_world};
use crate::start::TestPortal;
use crate::support::{Browserlike, Page, a_moment};

const PATH: &str = "/settings/linkedin-account-connections";

/// A portal as a fresh installation leaves it: nobody has consented, and the setting is what it began with.
async fn fresh(setting: &str) -> (TestPortal, SandboxHandle) {
    let (portal, sandbox) = TestPortal::with_sandbox(&[]).await;
    set(&portal, setting);
    (portal, sandbox)
}

fn set(portal: &TestPortal, setting: &str) {
    portal.database.execute(&format!(
        "UPDATE connection_settings SET setting = '{setting}'"
    ));
}

async fn salesperson(portal: &TestPortal) -> Browserlike {
    let browser = portal.sign_in_as(&[Role::Salesperson]).await;
    portal.database.execute("DELETE FROM active_consents");
    browser
}

async fn make_profile(browser: &Browserlike) -> Page {
    let page = browser.get("/linkedin-user-profiles/new").await.expect(200);
    browser
        .submit_and_follow(&page, "Save", &[("name", Some("Mine"))])
        .await
        .expect(200)
}

/// Consents on this page and allows at LinkedIn; answers where LinkedIn sends back to.
async fn consent_and_allow(browser: &Browserlike, page: &Page, sandbox: &SandboxHandle) -> String {
    let answer = browser
        .submit(page, "I consent, continue to LinkedIn", &[])
        .await
        .expect(303);
    let member = sandbox.members().into_iter().next().unwrap();
    sandbox::visit(
        answer.location().unwrap(),
        member.email,
        member.password,
        Decision::Allow,
    )
    .await
    .unwrap()
}

/// Consents on the page before LinkedIn, allows there, confirms here.
async fn connect(browser: &Browserlike, page: &Page, sandbox: &SandboxHandle) -> Page {
    let page = browser
        .submit_and_follow(page, "Authorize", &[])
        .await
        .expect(200)
        .expect_text("What is read from LinkedIn")
        .expect_text("What is not touched");
    let back = consent_and_allow(browser, &page, sandbox).await;
    let page = browser.visit(&back).await.expect(200);
    browser
        .submit_and_follow(&page, "Yes, confirm", &[])
        .await
        .expect(200)
        .expect_text("The profile is authorized.")
}

fn authorization(portal: &TestPortal) -> Vec<String> {
    portal
        .database
        .texts("SELECT authorization_status FROM linkedin_user_profiles")
}

fn ledger(portal: &TestPortal) -> Vec<String> {
    portal.database.texts(
        "SELECT act || ' ' || reason || ' ' || CAST(text_version AS TEXT) || ' ' || setting FROM consent_entries ORDER BY created_at, id",
    )
}

#[tokio::test]
async fn with_no_nobody_can_authorize_and_reads_why_and_whom_to_ask() {
    let (portal, _sandbox) = fresh("no").await;
    let browser = salesperson(&portal).await;
    let page = make_profile(&browser)
        .await
        .expect_text("The organisation does not allow LinkedIn account connections")
        .expect_text("Ask an Administrator")
        .expect_no_text("Authorize again");
    let path = page.url.path().to_owned();
    browser
        .post_with_token_of(&path, &format!("{path}/authorizations"), &[])
        .await
        .expect(403)
        .expect_text("The organisation does not allow")
        .expect_text("Settings › LinkedIn account connections");
    browser
        .post_with_token_of(&path, "/account/consent", &[("text_version", "1")])
        .await
        .expect(403);
    browser
        .get("/account/consent")
        .await
        .expect(200)
        .expect_text("What is read from LinkedIn")
        .expect_no_text("I consent");
    assert!(ledger(&portal).is_empty());
    browser.get(PATH).await.expect(403);
}

#[tokio::test]
async fn consent_comes_before_linkedin_and_its_withdrawal_erases_the_access() {
    let (portal, sandbox) = fresh("yes").await;
    let browser = salesperson(&portal).await;
    let page = make_profile(&browser).await;
    connect(&browser, &page, &sandbox).await;
    assert_eq!(authorization(&portal), ["authorized"]);
    assert_eq!(ledger(&portal), ["given person 1 yes"]);
    browser
        .get("/account")
        .await
        .expect(200)
        .expect_text("to version 1 of the text");
    let page = browser
        .get("/account/consent/withdrawal")
        .await
        .expect(200)
        .expect_text("1 LinkedIn user profile loses its access")
        .expect_text("Mine");
    browser
        .submit_and_follow(&page, "Withdraw my consent", &[])
        .await
        .expect(200)
        .expect_text("Your consent is withdrawn.")
        .expect_text("Not given");
    assert_eq!(authorization(&portal), ["consent_withdrawn"]);
    assert_eq!(
        portal
            .database
            .number("SELECT count(*) FROM linkedin_tokens"),
        0
    );
    assert_eq!(
        portal
            .database
            .number("SELECT count(*) FROM token_revocations"),
        1
    );
    assert_eq!(
        ledger(&portal),
        ["given person 1 yes", "withdrawn person 1 yes"]
    );
    for action in [
        "linkedin_consent.given",
        "linkedin_consent.withdrawn",
        "linkedin_user_profile.consent_withdrawn",
    ] {
        let audit = portal.audit();
        assert!(audit.contains(&action.to_owned()), "{action}: {audit:?}");
    }
    browser
        .get("/account/consent/withdrawal")
        .await
        .expect(200)
        .expect_text("nothing to withdraw");
    // The same way again: the person is asked anew.
    let page = browser.get("/linkedin-user-profiles").await.expect(200);
    let page = browser
        .visit(&page.link("Mine"))
        .await
        .expect(200)
        .expect_text("Consent Withdrawn")
        .expect_text("The consent to use LinkedIn was withdrawn.");
    connect(&browser, &page, &sandbox).await;
    assert_eq!(authorization(&portal), ["authorized"]);
    assert_eq!(
        portal
            .database
            .number("SELECT count(*) FROM token_revocations"),
        0
    );
}

#[tokio::test]
async fn no_lists_whom_it_meets_takes_the_password_and_withdraws_at_once() {
    let (portal, sandbox) = fresh("yes").await;
    let seller = salesperson(&portal).await;
    let page = make_profile(&seller).await;
    connect(&seller, &page, &sandbox).await;
    let admin = portal.sign_in_as(&[Role::Administrator]).await;
    portal.database.execute(
        "DELETE FROM active_consents WHERE user_id NOT IN (SELECT authorized_by FROM linkedin_user_profiles)",
    );
    let page = admin
        .get(PATH)
        .await
        .expect(200)
        .expect_text("Nothing is saved yet");
    let page = admin
        .submit_and_follow(&page, "Continue", &[("setting", Some("no"))])
        .await
        .expect(200)
        .expect_text("1 person")
        .expect_text("1 LinkedIn user profile loses its access")
        .expect_text("No LinkedIn account stops")
        .expect_text("restores nobody’s consent");
    admin
        .submit_and_follow(&page, "Save", &[])
        .await
        .expect(200)
        .expect_text("set to No. The consent of 1 person was withdrawn.");
    assert_eq!(authorization(&portal), ["consent_withdrawn"]);
    assert_eq!(
        ledger(&portal),
        ["given person 1 yes", "withdrawn setting_no 1 no"]
    );
    // The same page once more was made from an older state.
    admin.submit(&page, "Save", &[]).await.expect(409);
    // Back to Yes: nobody's consent comes back.
    let page = admin
        .get(&format!("{PATH}/consequences?setting=yes"))
        .await
        .expect(200)
        .expect_text("Nobody’s consent is withdrawn.");
    admin
        .submit_and_follow(&page, "Save", &[])
        .await
        .expect(200)
        .expect_text("set to Yes.");
    assert_eq!(authorization(&portal), ["consent_withdrawn"]);
    assert_eq!(
        portal
            .database
            .number("SELECT count(*) FROM active_consents"),
        0
    );
    admin
        .get(&format!("{PATH}/consequences?setting=maybe"))
        .await
        .expect(400);
    assert_eq!(
        portal
            .audit()
            .iter()
            .filter(|action| action.starts_with("account_connections"))
            .count(),
        2
    );
}

#[tokio::test]
async fn a_consent_withdrawn_on_the_way_to_linkedin_ends_the_way_back() {
    let (portal, sandbox) = fresh("yes").await;
    let browser = salesperson(&portal).await;
    let page = make_profile(&browser).await;
    let page = browser.submit_and_follow(&page, "Authorize", &[]).await;
    let back = consent_and_allow(&browser, &page, &sandbox).await;
    set(&portal, "no");
    browser
        .visit(&back)
        .await
        .expect(403)
        .expect_text("The organisation does not allow");
    assert_eq!(
        portal
            .database
            .number("SELECT count(*) FROM pending_authorizations"),
        0
    );
    assert!(
        !sandbox
            .requests()
            .iter()
            .any(|request| request.path.contains("accessToken"))
    );
}

#[tokio::test]
async fn an_older_text_is_asked_about_again_and_a_stale_page_saves_nothing() {
    let (portal, _sandbox) = fresh("yes").await;
    let browser = portal.sign_in_as(&[Role::Salesperson]).await;
    portal
        .database
        .execute("UPDATE active_consents SET text_version = 0");
    let page = make_profile(&browser).await;
    browser
        .submit_and_follow(&page, "Authorize", &[])
        .await
        .expect(200)
        .expect_text("Given to an earlier text");
    browser
        .post_with_token_of(
            "/account/consent",
            "/account/consent",
            &[("text_version", "0")],
        )
        .await
        .expect(422)
        .expect_text("The text has changed since you opened this page");
    let page = browser.get("/account/consent").await.expect(200);
    browser
        .submit_and_follow(&page, "I consent", &[])
        .await
        .expect(200)
        .expect_text("You consented.");
    assert_eq!(ledger(&portal), ["given person 1 yes"]);
}

#[tokio::test]
async fn losing_the_role_or_being_disabled_withdraws_the_consent() {
    for (fields, reason) in [
        (
            vec![("roles", "sales_manager"), ("is_enabled", "on")],
            "role_lost",
        ),
        (vec![("roles", "salesperson")], "disabled"),
    ] {
        let (portal, world) = with_world().await;
        let admin = portal.sign_in_as(&[Role::Administrator]).await;
        let person = portal
            .database
            .texts(
                "SELECT authorized_by FROM linkedin_user_profiles WHERE authorized_by IS NOT NULL",
            )
            .remove(0);
        let path = format!("/settings/users/{person}");
        let page = admin.get(&path).await.expect(200);
        let form = page.form("Save access");
        let version = &form
            .fields
            .iter()
            .find(|(name, _)| name == "lock_version")
            .unwrap()
            .1;
        let mut all = vec![("lock_version", version.as_str())];
        all.extend(fields);
        admin
            .post_with_token_of(&path, &path, &all)
            .await
            .expect(303);
        assert_eq!(
            portal.database.texts(&format!(
                "SELECT authorization_status FROM linkedin_user_profiles WHERE id = '{}'",
                world.profile
            )),
            ["consent_withdrawn"]
        );
        assert_eq!(
            portal
                .database
                .texts("SELECT reason FROM consent_entries WHERE act = 'withdrawn'"),
            [reason]
        );
    }
}

#[tokio::test]
async fn hostile_names_are_shown_as_text_among_the_consequences() {
    let (portal, _world) = with_world().await;
    let admin = portal.sign_in_as(&[Role::Administrator]).await;
    let page = admin
        .get(&format!("{PATH}/consequences?setting=no"))
        .await
        .expect(200);
    shows_hostile_text_as_text(&page);
}

/// Makes a group by the store, because its pages have tests of their own.
fn group(portal: &TestPortal, members: &[UserId]) -> GroupId {
    let conn = &mut portal.database.conn();
    let id = GroupId::new(uuid::Uuid::now_v7());
    groups::insert(conn, &id, &GroupName::check("Pilots").unwrap(), a_moment()).unwrap();
    groups::add(conn, &id, members, None, a_moment()).unwrap();
    id
}

fn of(portal: &TestPortal, email_like: &str) -> Vec<String> {
    portal.database.texts(&format!(
        "SELECT id FROM users WHERE email LIKE '{email_like}'"
    ))
}

#[tokio::test]
async fn only_members_of_the_selected_group_may_connect_and_leaving_it_withdraws_at_once() {
    let (portal, sandbox) = fresh("yes").await;
    let seller = salesperson(&portal).await;
    let page = make_profile(&seller).await;
    connect(&seller, &page, &sandbox).await;
    let path = page.url.path().to_owned();
    let person: UserId = of(&portal, "person-%").remove(0).parse().unwrap();
    let admin = portal.sign_in_as(&[Role::Administrator]).await;
    let outsider = portal.sign_in_as(&[Role::Salesperson]).await;
    let id = group(&portal, std::slice::from_ref(&person));
    let page = admin
        .get(PATH)
        .await
        .expect(200)
        .expect_text("Pilots (1 member)");
    admin
        .submit(
            &page,
            "Continue",
            &[("setting", Some("selected_group")), ("group", Some(""))],
        )
        .await
        .expect(422)
        .expect_text("Choose the group that may connect LinkedIn.");
    let fields = [
        ("setting", Some("selected_group")),
        ("group", Some(id.as_str())),
    ];
    let page = admin
        .submit_and_follow(&page, "Continue", &fields)
        .await
        .expect(200)
        .expect_text("Selected group: Pilots")
        .expect_text("Not a member of the selected group")
        .expect_text("No LinkedIn user profile loses its access");
    admin
        .submit_and_follow(&page, "Save", &[])
        .await
        .expect(200)
        .expect_text("set to Selected group.")
        .expect_text("Pilots");
    assert_eq!(authorization(&portal), ["authorized"]);
    outsider
        .get("/account/consent")
        .await
        .expect(200)
        .expect_text("You are not in the group that may connect LinkedIn")
        .expect_text("Ask an Administrator to add you to the group");
    outsider
        .post_with_token_of(
            "/account/consent",
            "/account/consent",
            &[("text_version", "1")],
        )
        .await
        .expect(403);
    let conn = &mut portal.database.conn();
    assert!(matches!(
        groups::delete(conn, &id, 0),
        Err(StoreError::InUse(_))
    ));
    let group_path = format!("/settings/groups/{id}");
    admin
        .post_with_token_of(
            &group_path,
            &format!("{group_path}/members/{person}/removal"),
            &[],
        )
        .await
        .expect(303);
    assert_eq!(authorization(&portal), ["consent_withdrawn"]);
    // The ledger and the audit log name the Administrator who took the membership away, not the portal.
    let administrator = portal
        .database
        .texts("SELECT name FROM users WHERE id IN (SELECT user_id FROM user_roles WHERE role = 'administrator')")
        .remove(0);
    assert_eq!(
        portal
            .database
            .texts("SELECT reason || ' by ' || actor_name FROM consent_entries WHERE act = 'withdrawn' ORDER BY created_at DESC, id DESC LIMIT 1"),
        [format!("outside_group by {administrator}")]
    );
    for action in [
        "linkedin_consent.withdrawn",
        "linkedin_user_profile.consent_withdrawn",
    ] {
        let by = portal.database.texts(&format!(
            "SELECT DISTINCT actor_name || ' ' || coalesce(actor_roles, '') FROM audit_entries WHERE action = '{action}'"
        ));
        assert_eq!(by, [format!("{administrator} administrator")], "{action}");
    }
    seller
        .post_with_token_of(&path, &format!("{path}/authorizations"), &[])
        .await
        .expect(403)
        .expect_text("You are not in the group");
    // Nothing selects it any more: it may go.
    set_no(&portal);
    groups::delete(conn, &id, 0).unwrap();
}

fn set_no(portal: &TestPortal) {
    portal
        .database
        .execute("UPDATE connection_settings SET setting = 'no', selected_group_id = NULL");
}

#[tokio::test]
async fn a_deployment_that_says_disabled_hides_and_blocks_linkedin_and_says_who_decides() {
    let portal = TestPortal::start_with(&[("LEADGEN_POLICY_SHOW_LINKEDIN", "disabled")]).await;
    let admin = portal.sign_in_as(&[Role::Administrator]).await;
    let page = admin.get("/").await;
    let page = admin
        .follow(page)
        .await
        .expect(200)
        .expect_no_text("LinkedIn User Profile")
        .expect_no_text("Sync Status")
        .expect_no_text("Form Submissions");
    assert!(page.text().contains("Leads"));
    for path in [
        "/linkedin-user-profiles",
        "/linkedin-user-profiles/new",
        "/linkedin-accounts",
        "/linkedin/callback",
        "/forms",
        "/campaigns",
        "/form-submissions",
        "/sync-status",
    ] {
        admin
            .get(path)
            .await
            .expect(403)
            .expect_text("LinkedIn features are switched off for this portal")
            .expect_text("Whoever runs this portal");
    }
    admin
        .post_with_token_of("/account", "/linkedin-user-profiles", &[("name", "Mine")])
        .await
        .expect(403)
        .expect_text("switched off for this portal");
    admin.get("/leads").await.expect(200);
    admin
        .get(PATH)
        .await
        .expect(200)
        .expect_text("No page of the portal can switch them on.")
        .expect_no_text("Continue");
    admin
        .get(&format!("{PATH}/consequences?setting=yes"))
        .await
        .expect(409);
    let version = portal
        .database
        .number("SELECT lock_version FROM connection_settings")
        .to_string();
    admin
        .post_with_token_of(PATH, PATH, &[("setting", "no"), ("lock_version", &version)])
        .await
        .expect(409);
    assert_eq!(
        portal
            .database
            .texts("SELECT setting FROM connection_settings"),
        ["yes"]
    );
    // One's own consent can be withdrawn all the same.
    let page = admin.get("/account/consent/withdrawal").await.expect(200);
    admin
        .submit_and_follow(&page, "Withdraw my consent", &[])
        .await
        .expect(200)
        .expect_text("Your consent is withdrawn.");
}

#[tokio::test]
async fn a_cloud_without_connections_shows_the_page_read_only_with_the_reason() {
    let portal = TestPortal::start_with(&[("LEADGEN_ORGANIZATION_CLOUD", "us_government")]).await;
    let admin = portal.sign_in_as(&[Role::Administrator]).await;
    admin
        .get(PATH)
        .await
        .expect(200)
        .expect_text("cloud for US Government")
        .expect_no_text("Continue");
    admin
        .get("/account/consent")
        .await
        .expect(200)
        .expect_text("not available here")
        .expect_no_text("I consent");
    admin.get("/sync-status").await.expect(200);
}
