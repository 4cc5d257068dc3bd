//! The evidence for auditors: the page, the same as CSV, and access reviews.

use chrono::TimeDelta;
use leadgen::domain::access::Role;
use leadgen::domain::connections::{Deployment, Setting};
use leadgen::domain::groups::GroupName;
use leadgen::domain::ids::{GroupId, UserId};
use leadgen::store::audit::Actor;
use leadgen::store::{connections, groups};
use uuid::Uuid;

use crate::start::TestPortal;
use crate::support::{Browserlike, System, a_moment, a_user};

const PATH: &str = "/settings/linkedin-account-connections";
const EVIDENCE: &str = "/settings/linkedin-account-connections/evidence";

/// Ada decides; Pia is a pilot and consented; Sam is none, and lost his consent when the group was selected.
async fn portal() -> (TestPortal, Browserlike) {
    let portal = TestPortal::start().await;
    let add = |name: &str, role| {
        let email = format!("{}@example.com", name.to_lowercase().replace(' ', "."));
        portal.add(a_user().email(&email).name(name).role(role))
    };
    add("Ada", Role::Administrator);
    let pia = add("Pia", Role::Salesperson);
    let sam = add("=Sam", Role::Salesperson);
    portal.database.execute("DELETE FROM active_consents");
    let conn = &mut portal.database.conn();
    let ada = Actor {
        name: "Ada".to_owned(),
        roles: vec![Role::Administrator],
        ..Actor::system()
    };
    let deployment = Deployment::default();
    let consent = |conn: &mut _, user: &UserId| {
        connections::give_consent(conn, &deployment, user, &ada, a_moment()).unwrap();
    };
    consent(conn, &pia);
    consent(conn, &sam);
    let group = GroupId::new(Uuid::now_v7());
    groups::insert(
        conn,
        &group,
        &GroupName::check("Pilots").unwrap(),
        a_moment(),
    )
    .unwrap();
    groups::add(conn, &group, &[pia], None, a_moment()).unwrap();
    let choice = (Setting::SelectedGroup, Some(&group));
    let later = a_moment() + TimeDelta::days(1);
    connections::save(conn, choice, 0, &ada, later).unwrap();
    portal.clock.advance(TimeDelta::days(2));
    let browser = portal.sign_in("ada@example.com").await;
    (portal, browser)
}

/// The part of the text between two headings.
fn between<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let text = text.split_once(from).unwrap().1;
    text.split_once(to).unwrap().0
}

#[tokio::test]
async fn the_page_says_what_was_set_who_is_allowed_who_consented_and_what_was_withdrawn() {
    let (portal, browser) = portal().await;
    let page = browser.get(PATH).await.expect(200);
    let page = browser.get(&page.link("Evidence")).await.expect(200);
    let text = page.text();
    let now = between(&text, "Now ", "What was set in the period");
    for fact in [
        "Selected group : Pilots",
        "Not configured",
        "public cloud",
        "People allowed 1",
        "consent holds 1",
    ] {
        assert!(
            now.replace(" :", ":").contains(&fact.replace(" :", ":")),
            "{fact}\n{now}"
        );
    }
    let set = between(&text, "What was set in the period", "Who is allowed now");
    assert!(
        set.contains("Ada (Administrator)") && set.contains("yes → selected_group"),
        "{set}"
    );
    let allowed = between(
        &text,
        "Who is allowed now, and by what",
        "Whose consent holds now",
    );
    assert!(
        allowed.contains("Pia") && allowed.contains("member of Pilots, with the role Salesperson"),
        "{allowed}"
    );
    assert!(!allowed.contains("Sam"), "{allowed}");
    let holds = between(
        &text,
        "Whose consent holds now",
        "Consent given and withdrawn",
    );
    assert!(
        holds.contains("pia@example.com") && !holds.contains("Sam"),
        "{holds}"
    );
    let ledger = between(
        &text,
        "Consent given and withdrawn in the period",
        "Access reviews in the period",
    );
    assert!(
        ledger.contains("Withdrawn Not a member of the selected group 1 Selected group Ada"),
        "{ledger}"
    );
    assert!(ledger.contains("Given"), "{ledger}");
    // Before all that nothing happened; what holds now is shown whatever the period.
    let page = browser
        .get(&format!("{EVIDENCE}?to=2026-03-01"))
        .await
        .expect(200)
        .expect_text("until 2026-03-01")
        .expect_text("Nobody saved the setting in this period")
        .expect_text("No consent was given or withdrawn in this period")
        .expect_text("member of Pilots");
    assert!(
        page.link("Export as CSV")
            .ends_with("evidence.csv?to=2026-03-01")
    );
    // On the next day the consent was withdrawn, not given.
    let page = browser
        .get(&format!("{EVIDENCE}?from=2026-03-03&to=2026-03-03"))
        .await
        .expect(200);
    let text = page.text();
    let ledger = between(
        &text,
        "Consent given and withdrawn in the period",
        "Access reviews in the period",
    );
    assert!(
        ledger.contains("Withdrawn") && !ledger.contains("Given"),
        "{ledger}"
    );
    let seller = portal.sign_in("pia@example.com").await;
    seller.get(EVIDENCE).await.expect(403);
    seller.get(&format!("{EVIDENCE}.csv")).await.expect(403);
}

#[tokio::test]
async fn the_file_holds_the_same_and_nothing_that_a_spreadsheet_calculates() {
    let (portal, browser) = portal().await;
    let page = browser.get(EVIDENCE).await.expect(200);
    let file = browser.get(&page.link("Export as CSV")).await.expect(200);
    let rows: Vec<&str> = file.body.trim_start_matches('\u{feff}').lines().collect();
    assert_eq!(
        rows[0],
        "Part,Time (UTC),Person,E-mail,What,Detail,Text version,Setting,By"
    );
    for wanted in [
        "Now,2026-03-04T10:00:00Z,,,Deployment policy,Not configured,,,Ada",
        "Now,2026-03-04T10:00:00Z,,,Selected group,Pilots,,,Ada",
        "Now,2026-03-04T10:00:00Z,,,People allowed,1,,,Ada",
        "Allowed now,2026-03-02T10:00:00Z,Pia,pia@example.com,Allowed,\"member of Pilots, with the role Salesperson\",1,,",
        "Consent that holds,2026-03-02T10:00:00Z,Pia,pia@example.com,Consented,,1,,",
        "Given and withdrawn,2026-03-03T10:00:00Z,'=Sam,,Withdrawn,Not a member of the selected group,1,Selected group,Ada",
    ] {
        assert!(rows.contains(&wanted), "{wanted}\n{}", file.body);
    }
    assert!(
        rows.iter()
            .any(|row| row.starts_with("Setting,2026-03-03T10:00:00Z,,,Saved,"))
    );
    let action = "account_connections.evidence_exported".to_owned();
    assert!(portal.audit().contains(&action));
}

#[tokio::test]
async fn an_administrator_ticks_off_a_review_and_is_told_when_the_next_is_due() {
    let (portal, browser) = portal().await;
    browser
        .get(PATH)
        .await
        .expect(200)
        .expect_text("Nobody has reviewed yet who has access");
    let page = browser.get(EVIDENCE).await.expect(200);
    let page = browser
        .submit(&page, "Record the review", &[("note", Some(" "))])
        .await
        .expect(422)
        .expect_text("Tick this once you have looked through")
        .expect_text("Write what you looked at, or what you found.");
    let fields = [
        ("note", Some("Two pilots.\nAs agreed.")),
        ("reviewed", Some("on")),
    ];
    browser
        .submit_and_follow(&page, "Record the review", &fields)
        .await
        .expect(200)
        .expect_text("The access review is recorded.")
        .expect_text("Two pilots.");
    assert_eq!(
        portal.database.texts(
            "SELECT reviewer_name || ' ' || setting || ' ' || CAST(allowed_people AS TEXT) || ' ' || CAST(consented_people AS TEXT) FROM access_reviews"
        ),
        ["Ada selected_group 1 1"]
    );
    let reviewed = "account_connections.access_reviewed".to_owned();
    assert!(portal.audit().contains(&reviewed));
    browser
        .get(PATH)
        .await
        .expect(200)
        .expect_text("Ada reviewed who has access")
        .expect_text("The next review is due");
    // A setting that was saved meanwhile has to be looked at again.
    portal
        .database
        .execute("UPDATE connection_settings SET lock_version = lock_version + 1");
    browser
        .submit(&page, "Record the review", &fields)
        .await
        .expect(409);
    portal.clock.advance(TimeDelta::days(91));
    let browser = portal.sign_in("ada@example.com").await;
    browser
        .get(PATH)
        .await
        .expect(200)
        .expect_text("The access review is overdue since")
        .expect_text("The last one was by Ada");
    // What was reviewed stays as it was said.
    let mut statements = vec![
        "UPDATE access_reviews SET note = 'another'",
        "DELETE FROM access_reviews",
    ];
    if portal.database.system() == System::Postgres {
        statements.push("TRUNCATE access_reviews");
    }
    for statement in statements {
        use diesel::connection::SimpleConnection as _;
        let outcome = match &mut portal.database.conn() {
            leadgen::store::AnyConn::Pg(c) => c.batch_execute(statement),
            leadgen::store::AnyConn::Sqlite(c) => c.batch_execute(statement),
        };
        let problem = outcome.expect_err(statement).to_string();
        assert!(problem.contains("access reviews are never"), "{problem}");
    }
}

#[tokio::test]
async fn where_the_deployment_decides_nobody_is_allowed_and_the_evidence_says_why() {
    let disabled = [("LEADGEN_POLICY_SHOW_LINKEDIN", "disabled")];
    let portal = TestPortal::start_with(&disabled).await;
    let browser = portal.sign_in_as(&[Role::Administrator]).await;
    browser
        .get(EVIDENCE)
        .await
        .expect(200)
        .expect_text("Deployment policy Disabled")
        .expect_text("Whoever runs this portal has switched LinkedIn features off")
        .expect_text("Nobody may connect LinkedIn.");
}
