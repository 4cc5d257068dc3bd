//! LinkedIn user profiles over HTTP: the seeds' six steps against the sandbox, and every way in which they can fail.

use chrono::TimeDelta;
use leadgen::domain::access::Role;
use leadgen::sandbox::{self, Decision, SandboxHandle};
use leadgen::store::seed;
use uuid::Uuid;

use crate::records_world::{HOSTILE, seeded, shows_hostile_text_as_text, with_world};
use crate::start::TestPortal;
use crate::support::records::{a_profile, a_user};
use crate::support::{Browserlike, Page, a_moment};

const INDEX: &str = "/linkedin-user-profiles";
const NEW: &str = "/linkedin-user-profiles/new";

/// A portal whose LinkedIn is a sandbox of its own.
async fn with_sandbox(scopes: &str) -> (TestPortal, SandboxHandle) {
    let (portal, sandbox) = TestPortal::with_sandbox(&[("LEADGEN_LINKEDIN_SCOPES", scopes)]).await;
    seed::run(&mut portal.database.conn(), a_moment(), Uuid::now_v7).unwrap();
    (portal, sandbox)
}

const SCOPES: &str = "r_ads r_marketing_leadgen_automation openid profile";

/// Makes a profile by the form and answers its page.
async fn make(browser: &Browserlike, name: &str) -> Page {
    let page = browser.get(NEW).await.expect(200);
    browser
        .submit_and_follow(&page, "Save", &[("name", Some(name))])
        .await
        .expect(200)
        .expect_text("The profile was saved.")
}

/// Chooses Authorize and does at LinkedIn what `decision` says; answers LinkedIn's way back.
async fn at_linkedin(
    browser: &Browserlike,
    page: &Page,
    sandbox: &SandboxHandle,
    decision: Decision,
) -> String {
    let answer = browser.submit(page, "Authorize", &[]).await.expect(303);
    let member = sandbox.members().into_iter().next().unwrap();
    sandbox::visit(
        answer.location().unwrap(),
        member.email,
        member.password,
        decision,
    )
    .await
    .unwrap()
}

fn authorization(portal: &TestPortal) -> Vec<String> {
    portal
        .database
        .texts("SELECT authorization_status FROM linkedin_user_profiles")
}

#[tokio::test]
async fn a_salesperson_walks_the_six_steps() {
    let (portal, sandbox) = with_sandbox(SCOPES).await;
    let browser = portal.sign_in_as(&[Role::Salesperson]).await;
    browser
        .get(INDEX)
        .await
        .expect(200)
        .expect_text("No profile yet");
    let page = make(&browser, "My LinkedIn")
        .await
        .expect_text("Not Authorized");
    // The browser may follow the form's redirect to LinkedIn.
    let policy = page.header("content-security-policy").unwrap().to_owned();
    assert!(policy.contains(&sandbox.base_url()), "{policy}");
    let back = at_linkedin(&browser, &page, &sandbox, Decision::Allow).await;
    let page = browser
        .visit(&back)
        .await
        .expect(200)
        .expect_text("Check and confirm the organization")
        .expect_text("My organization")
        .expect_text("read Lead Gen forms and their submissions");
    assert!(!page.url.as_str().contains("code="), "{}", page.url);
    assert_eq!(authorization(&portal), ["not_authorized"]);
    let page = browser
        .submit_and_follow(&page, "Yes, confirm", &[])
        .await
        .expect(200)
        .expect_text("The profile is authorized.")
        .expect_text("They appear here in a few seconds.")
        .expect_text("Sync submissions")
        .expect_text("r_marketing_leadgen_automation");
    assert_eq!(authorization(&portal), ["authorized"]);
    let audit = portal.audit();
    for action in [
        "linkedin_user_profile.created",
        "linkedin_user_profile.authorized",
    ] {
        assert!(audit.contains(&action.to_owned()), "{audit:?}");
    }
    // No token stands on the page or, readable, in the database.
    let raw = portal.database.texts("SELECT scopes FROM linkedin_tokens");
    assert_eq!(raw.len(), 1);
    browser
        .submit_and_follow(&page, "Sync submissions", &[])
        .await
        .expect(200)
        .expect_text("are being read");
    let page = browser
        .get(&page.link("Disconnect"))
        .await
        .expect(200)
        .expect_text("Forms, submissions, leads and the history stay.");
    browser
        .submit_and_follow(&page, "Disconnect", &[])
        .await
        .expect(200)
        .expect_text("LinkedIn revoked the access")
        .expect_text("Not Authorized");
    assert_eq!(
        portal
            .database
            .number("SELECT count(*) FROM linkedin_tokens"),
        0
    );
}

#[tokio::test]
async fn refusing_at_linkedin_leaves_the_profile_unauthorized() {
    let (portal, sandbox) = with_sandbox(SCOPES).await;
    let browser = portal.sign_in_as(&[Role::Salesperson]).await;
    let page = make(&browser, "My LinkedIn").await;
    for (decision, title) in [
        (Decision::CancelSignIn, "You did not sign in at LinkedIn"),
        (Decision::CancelConsent, "You did not allow the access"),
    ] {
        let back = at_linkedin(&browser, &page, &sandbox, decision).await;
        let refused = browser.visit(&back).await.expect(200).expect_text(title);
        refused.form("Authorize again");
    }
    let back = at_linkedin(&browser, &page, &sandbox, Decision::Allow).await;
    let confirmation = browser.visit(&back).await.expect(200);
    browser
        .submit_and_follow(&confirmation, "Cancel", &[])
        .await
        .expect(200)
        .expect_text("Nothing was connected");
    assert_eq!(authorization(&portal), ["not_authorized"]);
    assert_eq!(
        portal
            .database
            .number("SELECT count(*) FROM pending_authorizations"),
        0
    );
}

#[tokio::test]
async fn a_state_that_is_missing_wrong_reused_expired_or_somebody_else_s_is_refused() {
    let (portal, sandbox) = with_sandbox(SCOPES).await;
    let browser = portal.sign_in_as(&[Role::Salesperson]).await;
    let page = make(&browser, "My LinkedIn").await;
    browser
        .get("/linkedin/callback?code=x")
        .await
        .expect(401)
        .expect_text("does not belong to a request");
    browser
        .get("/linkedin/callback?code=x&state=nonsense%3Cscript%3E")
        .await
        .expect(401)
        .expect_text("does not belong to this session");
    browser
        .get("/linkedin/callback?state=a&state=b")
        .await
        .expect(400);
    let back = at_linkedin(&browser, &page, &sandbox, Decision::Allow).await;
    // Somebody else opens the link; that does not use it up.
    let other = portal.sign_in_as(&[Role::Salesperson]).await;
    other
        .get(&back)
        .await
        .expect(401)
        .expect_text("does not belong to this session");
    let stranger = portal.browser();
    stranger.get(&back).await.expect(303);
    browser.get(&back).await.expect(303);
    browser
        .get(&back)
        .await
        .expect(401)
        .expect_text("This answer was used before");
    let back = at_linkedin(&browser, &page, &sandbox, Decision::Allow).await;
    portal.clock.advance(TimeDelta::minutes(31));
    browser
        .get(&back)
        .await
        .expect(401)
        .expect_text("This took too long");
    assert_eq!(authorization(&portal), ["not_authorized"]);
}

#[tokio::test]
async fn a_code_that_cannot_be_exchanged_and_a_scope_that_is_not_granted_have_their_pages() {
    let (portal, sandbox) = with_sandbox(SCOPES).await;
    let browser = portal.sign_in_as(&[Role::Salesperson]).await;
    let page = make(&browser, "My LinkedIn").await;
    let back = at_linkedin(&browser, &page, &sandbox, Decision::Allow).await;
    let mut broken = url::Url::parse(&back).unwrap();
    let state = broken
        .query_pairs()
        .find(|(name, _)| name == "state")
        .unwrap()
        .1
        .into_owned();
    broken
        .query_pairs_mut()
        .clear()
        .append_pair("code", "wrong")
        .append_pair("state", &state);
    browser
        .get(broken.as_str())
        .await
        .expect(502)
        .expect_text("LinkedIn did not accept the answer");
    for (error, status, title) in [
        (
            "unauthorized_scope_error",
            502,
            "The LinkedIn app may not ask for these permissions",
        ),
        (
            "server_error<script>alert(1)</script>",
            502,
            "LinkedIn refused",
        ),
    ] {
        let answer = browser.submit(&page, "Authorize", &[]).await.expect(303);
        let to = url::Url::parse(answer.location().unwrap()).unwrap();
        let state = to
            .query_pairs()
            .find(|(name, _)| name == "state")
            .unwrap()
            .1
            .into_owned();
        let query = crate::support::browserlike::encode(&[
            ("error", error),
            (
                "error_description",
                "Scope &quot;r_ads&quot; is not authorized for your application",
            ),
            ("state", &state),
        ]);
        let page = browser
            .get(&format!("/linkedin/callback?{query}"))
            .await
            .expect(status)
            .expect_text(title);
        assert!(!page.body.contains("<script>alert"));
    }
    assert_eq!(authorization(&portal), ["not_authorized"]);
}

#[tokio::test]
async fn missing_scopes_leave_the_profile_unauthorized() {
    let (portal, sandbox) = with_sandbox("r_ads openid").await;
    let browser = portal.sign_in_as(&[Role::Salesperson]).await;
    let page = make(&browser, "My LinkedIn").await;
    let back = at_linkedin(&browser, &page, &sandbox, Decision::Allow).await;
    browser
        .get(&back)
        .await
        .expect(403)
        .expect_text("Permissions are missing")
        .expect_text("r_marketing_leadgen_automation");
    assert_eq!(authorization(&portal), ["not_authorized"]);
}

#[tokio::test]
async fn an_unanswered_authorization_explains_linkedin_s_own_error_pages() {
    let (portal, _sandbox) = with_sandbox(SCOPES).await;
    let browser = portal.sign_in_as(&[Role::Salesperson]).await;
    let page = make(&browser, "My LinkedIn").await;
    browser.submit(&page, "Authorize", &[]).await.expect(303);
    let page = browser
        .get(page.url.path())
        .await
        .expect(200)
        .expect_text("The redirect_uri does not match the registered value");
    assert!(
        page.body
            .contains(&format!("value=\"{}/linkedin/callback\"", portal.address))
    );
}

#[tokio::test]
async fn without_a_linkedin_app_the_pages_say_what_is_missing() {
    let portal = seeded().await;
    let browser = portal.sign_in_as(&[Role::Salesperson]).await;
    let page = make(&browser, "My LinkedIn")
        .await
        .expect_text("no client id and secret");
    browser
        .submit(&page, "Authorize", &[])
        .await
        .expect(409)
        .expect_text("The LinkedIn app is not set up yet");
}

#[tokio::test]
async fn other_people_s_profiles_are_seen_but_not_changed() {
    let (portal, world) = with_world().await;
    let path = format!("{INDEX}/{}", world.profile);
    let other = portal.sign_in_as(&[Role::Salesperson]).await;
    let page = other
        .get(&path)
        .await
        .expect(200)
        .expect_text("Sam Sales")
        .expect_no_text("Disconnect")
        .expect_no_text("Save name");
    shows_hostile_text_as_text(&page);
    for action in [
        "",
        "/deletion",
        "/sync-runs",
        "/authorizations",
        "/confirmation",
        "/confirmation/cancellation",
        "/disconnections",
    ] {
        other
            .post_with_token_of(
                NEW,
                &format!("{path}{action}"),
                &[
                    ("name", "Mine now"),
                    ("lock_version", "0"),
                    ("organization_id", "x"),
                ],
            )
            .await
            .expect(404);
    }
    for page in ["/confirmation", "/disconnections"] {
        other.get(&format!("{path}{page}")).await.expect(404);
    }
    let administrator = portal.sign_in_as(&[Role::Administrator]).await;
    let page = administrator.get(&path).await.expect(200);
    administrator
        .submit_and_follow(&page, "Save name", &[("name", Some("Renamed"))])
        .await
        .expect(200)
        .expect_text("Renamed");
    // Somebody who still has the old page is told.
    administrator
        .submit(&page, "Save name", &[("name", Some("Renamed again"))])
        .await
        .expect(409);
}

#[tokio::test]
async fn names_are_checked_and_kept_in_the_form() {
    let portal = seeded().await;
    let browser = portal.sign_in_as(&[Role::Salesperson]).await;
    make(&browser, "Taken").await;
    let page = browser.get(NEW).await.expect(200);
    for (name, message) in [
        ("", "Enter a name"),
        ("   ", "Enter a name"),
        (" TAKEN ", "Another profile has this name"),
        ("a\u{7}b", "cannot be shown"),
        (&"ü".repeat(101), "too long"),
        (&"x".repeat(4_000), "too long"),
    ] {
        browser
            .submit(&page, "Save", &[("name", Some(name))])
            .await
            .expect(422)
            .expect_text(message);
    }
    assert_eq!(
        portal
            .database
            .number("SELECT count(*) FROM linkedin_user_profiles"),
        1
    );
    let page = make(&browser, HOSTILE).await;
    shows_hostile_text_as_text(&page);
    let list = browser
        .get(INDEX)
        .await
        .expect(200)
        .expect_text("2 profiles");
    shows_hostile_text_as_text(&list);
    browser
        .submit_and_follow(&page, "Delete profile", &[])
        .await
        .expect(200)
        .expect_text("was deleted");
    browser.get(page.url.path()).await.expect(404);
}

#[tokio::test]
async fn the_list_filters_and_wrong_addresses_have_pages() {
    let (portal, world) = with_world().await;
    {
        let conn = &mut portal.database.conn();
        let other = a_user(conn, "Olga Other", &[Role::Salesperson]);
        a_profile(conn, &other, "Olga’s");
    }
    let browser = portal.sign_in_as(&[Role::Administrator]).await;
    for (query, count) in [
        ("", "2 profiles"),
        ("?q=olga", "1 profile"),
        ("?authorization=authorized", "1 profile"),
        ("?q=mia%20member", "1 profile"),
        ("?owner=me", "No profile matches"),
        ("?q=zzz", "No profile matches"),
    ] {
        browser
            .get(&format!("{INDEX}{query}"))
            .await
            .expect(200)
            .expect_text(count);
    }
    for query in ["?authorization=maybe", "?owner=you", "?q=a&q=b"] {
        browser.get(&format!("{INDEX}{query}")).await.expect(400);
    }
    for id in ["1", "018f2a3c-0000-7000-8000-0000000000ab", "%00"] {
        browser.get(&format!("{INDEX}/{id}")).await.expect(404);
    }
    portal
        .database
        .execute("UPDATE linkedin_tokens SET access_token_expires_at = '2026-03-11 09:00:00'");
    browser
        .get(&format!("{INDEX}/{}", world.profile))
        .await
        .expect(200)
        .expect_text("The authorization ends within 14 days")
        .expect_text("in 8 days");
}
