//! What people do about form submissions, over HTTP: try again, link side by side, turn into a lead, ignore, bring back,
//! undo; one, the chosen ones, or all that match.

use chrono::TimeDelta;
use leadgen::domain::access::Role;
use leadgen::domain::ids::{LeadId, SubmissionId};
use leadgen::domain::lead::{LeadField, LeadStatus};
use leadgen::domain::submission::{MatchingStatus, SubmissionReason};

use crate::records_world::{HOSTILE, World, shows_hostile_text_as_text, with_world};
use crate::start::TestPortal;
use crate::support::a_moment;
use crate::support::records::{a_lead, a_submission, a_user, decided, save_lead, save_submission};

/// A submission without a lead, of the world's form, with these answers.
fn unsettled(
    portal: &TestPortal,
    world: &World,
    name: &str,
    email: &str,
    company: &str,
) -> SubmissionId {
    let mut one = decided(
        a_submission(&world.account, name),
        MatchingStatus::MatchFailed,
        SubmissionReason::SeveralLeadsMatch,
        None,
    );
    let raw = String::from_utf8(one.raw).unwrap();
    one.raw = raw
        .replace("ada@acme.example", email)
        .replace("\"Acme\"", &serde_json::to_string(company).unwrap())
        .into_bytes();
    one.processed_at = Some(a_moment() - TimeDelta::hours(1));
    one.form_id = Some(world.form.clone());
    let conn = &mut portal.database.conn();
    let known = leadgen::store::forms::versions(conn, &world.form).unwrap();
    one.form_version_id = Some(known[0].id.clone());
    save_submission(conn, &one)
}

/// The world, with somebody who owns what no rule gives to anybody.
async fn acting() -> (TestPortal, World) {
    let (portal, world) = with_world().await;
    a_user(
        &mut portal.database.conn(),
        "Olga Owner",
        &[Role::Administrator],
    );
    (portal, world)
}

fn count(portal: &TestPortal, table: &str) -> i64 {
    portal
        .database
        .number(&format!("SELECT count(*) AS value FROM {table}"))
}

fn cell(portal: &TestPortal, column: &str, table: &str, id: &str) -> String {
    portal
        .database
        .texts(&format!(
            "SELECT COALESCE(CAST({column} AS TEXT), 'nothing') AS value FROM {table} WHERE id = '{id}'"
        ))
        .remove(0)
}

fn status(portal: &TestPortal, id: &SubmissionId) -> String {
    cell(portal, "matching_status", "form_submissions", id.as_str())
}

fn grace(portal: &TestPortal, world: &World, status: LeadStatus) -> LeadId {
    let company = format!("Navy {HOSTILE}");
    let mut lead = a_lead(
        &world.owner,
        &[
            (LeadField::FirstName, "Grace"),
            (LeadField::LastName, "Hopper"),
            (LeadField::CompanyName, &company),
        ],
    );
    lead.status = status;
    save_lead(&mut portal.database.conn(), &lead)
}

#[tokio::test]
async fn candidates_stand_side_by_side_and_linking_one_can_be_undone() {
    let (portal, world) = acting().await;
    let lead = grace(&portal, &world, LeadStatus::New);
    let id = unsettled(
        &portal,
        &world,
        "Grace Hopper",
        "grace@navy.example",
        "Acme مرحبا",
    );
    let path = format!("/form-submissions/{id}");
    let browser = portal.sign_in_as(&[Role::Salesperson]).await;
    let page = browser
        .get(&format!("{path}?status=match_failed"))
        .await
        .expect(200);
    // The decision names nobody, so the name is searched for.
    let page = browser
        .get(&page.link("Compare with leads"))
        .await
        .expect(200)
        .expect_text("Grace Hopper")
        .expect_text("(differs)")
        .expect_text("becomes")
        .expect_text("changes 2 values");
    shows_hostile_text_as_text(&page);
    let others = browser
        .get(&format!("{path}/candidates?find=lovelace"))
        .await
        .expect(200)
        .expect_text("Link to Ada Lovelace");
    others.expect_no_text("Link to Grace");
    for odd in ["%F0%9F%A6%8A%E2%80%AE", "<script>", "'%20OR%201=1--"] {
        browser
            .get(&format!("{path}/candidates?find={odd}"))
            .await
            .expect(200);
    }
    let linked = browser
        .submit_and_follow(&page, "Link to Grace Hopper", &[])
        .await
        .expect(200)
        .expect_text("was linked to the lead")
        .expect_text("Updated existing lead")
        .expect_text("A person decided");
    assert!(linked.url.to_string().contains("status=match_failed"));
    assert_eq!(
        cell(&portal, "email", "leads", lead.as_str()),
        "grace@navy.example"
    );
    assert_eq!(
        cell(&portal, "company_name", "leads", lead.as_str()),
        "Acme مرحبا"
    );
    // A second click changes nothing.
    let version = cell(&portal, "lock_version", "leads", lead.as_str());
    browser
        .submit_and_follow(&page, "Link to Grace Hopper", &[])
        .await
        .expect(200)
        .expect_text("Nothing was left to do");
    assert_eq!(
        cell(&portal, "lock_version", "leads", lead.as_str()),
        version
    );
    let timeline = browser
        .get(&linked.link("Timeline"))
        .await
        .expect(200)
        .expect_text("Linked to a lead by Person")
        .expect_text("Updated a lead by Person");
    browser
        .submit_and_follow(&timeline, "Undo", &[])
        .await
        .expect(200)
        .expect_text("the lead has its values of before")
        .expect_text("Match failed");
    assert_eq!(cell(&portal, "email", "leads", lead.as_str()), "nothing");
    assert_eq!(
        cell(&portal, "company_name", "leads", lead.as_str()),
        format!("Navy {HOSTILE}")
    );
    assert_eq!(
        portal.database.number(&format!(
            "SELECT submission_count AS value FROM lead_origins WHERE lead_id = '{lead}'"
        )),
        0
    );
    // Undoing twice says why not.
    browser
        .submit_and_follow(&timeline, "Undo", &[])
        .await
        .expect(200)
        .expect_text("It was undone already");
    for action in ["form_submission.linked", "form_submission.undone"] {
        assert!(portal.audit().contains(&action.to_owned()), "{action}");
    }
}

#[tokio::test]
async fn what_somebody_did_on_the_lead_since_is_never_undone() {
    let (portal, world) = acting().await;
    let lead = grace(&portal, &world, LeadStatus::New);
    let id = unsettled(
        &portal,
        &world,
        "Grace Hopper",
        "grace@navy.example",
        "Acme",
    );
    let browser = portal.sign_in_as(&[Role::Administrator]).await;
    let path = format!("/form-submissions/{id}");
    let page = browser.get(&format!("{path}/candidates")).await.expect(200);
    browser
        .submit(&page, "Link to Grace Hopper", &[])
        .await
        .expect(303);
    let before = browser
        .get(&format!("{path}?part=timeline"))
        .await
        .expect(200);
    portal.database.execute(&format!(
        "UPDATE leads SET lock_version = lock_version + 1 WHERE id = '{lead}'"
    ));
    browser
        .submit_and_follow(&before, "Undo", &[])
        .await
        .expect(200)
        .expect_text("Something else changed the lead since");
    browser
        .get(&format!("{path}?part=timeline"))
        .await
        .expect(200)
        .expect_text("Cannot be undone: Something else changed the lead since");
    assert_eq!(
        cell(&portal, "email", "leads", lead.as_str()),
        "grace@navy.example"
    );
}

#[tokio::test]
async fn a_closed_lead_is_attached_to_and_not_changed() {
    let (portal, world) = acting().await;
    let lead = grace(&portal, &world, LeadStatus::Qualified);
    let id = unsettled(
        &portal,
        &world,
        "Grace Hopper",
        "grace@navy.example",
        "Acme",
    );
    let browser = portal.sign_in_as(&[Role::Salesperson]).await;
    let page = browser
        .get(&format!("/form-submissions/{id}/candidates"))
        .await
        .expect(200)
        .expect_text("closed: handled as your settings say");
    browser
        .submit(&page, "Link to Grace Hopper", &[])
        .await
        .expect(303);
    assert_eq!(status(&portal, &id), "lead_matched_but_not_updated");
    assert_eq!(cell(&portal, "email", "leads", lead.as_str()), "nothing");
}

#[tokio::test]
async fn a_submission_is_turned_into_a_lead_once_and_undo_takes_the_lead_away() {
    let (portal, world) = acting().await;
    let id = unsettled(&portal, &world, "Nora New", "nora@new.example", HOSTILE);
    let browser = portal.sign_in_as(&[Role::Salesperson]).await;
    let path = format!("/form-submissions/{id}");
    let page = browser.get(&path).await.expect(200);
    let done = browser
        .submit_and_follow(&page, "Turn into a lead", &[])
        .await
        .expect(200)
        .expect_text("1 made a lead")
        .expect_text("New lead created");
    assert_eq!(count(&portal, "leads"), 2);
    browser
        .submit_and_follow(&page, "Turn into a lead", &[])
        .await
        .expect(200)
        .expect_text("Nothing was left to do");
    assert_eq!(count(&portal, "leads"), 2);
    assert!(
        portal.database.number(
            "SELECT count(*) AS value FROM lead_match_keys WHERE match_key LIKE '%nora@new.example%'"
        ) > 0
    );
    browser
        .submit_and_follow(&done, "Undo “Turned into a lead”", &[])
        .await
        .expect(200)
        .expect_text("the lead is gone again");
    assert_eq!(count(&portal, "leads"), 1);
    assert_eq!(status(&portal, &id), "match_failed");
    // Where exactly one lead matches by now, no second one is made of the same person.
    let (first, second) = (
        unsettled(&portal, &world, "Nora", "same@new.example", "A"),
        unsettled(&portal, &world, "Nora", "same@new.example", "B"),
    );
    for id in [&first, &second] {
        let page = browser
            .get(&format!("/form-submissions/{id}"))
            .await
            .expect(200);
        browser
            .submit(&page, "Turn into a lead", &[])
            .await
            .expect(303);
    }
    assert_eq!(count(&portal, "leads"), 2);
    assert_eq!(status(&portal, &second), "updated_existing_lead");
}

#[tokio::test]
async fn trying_again_matches_at_once_by_the_rules_of_now() {
    let (portal, world) = acting().await;
    let id = unsettled(&portal, &world, "Rita", "rita@again.example", "Again");
    let manager = portal.sign_in_as(&[Role::SalesManager]).await;
    let path = format!("/form-submissions/{id}");
    manager
        .get(&path)
        .await
        .expect(200)
        .expect_no_text("Try again");
    manager.get(&format!("{path}/candidates")).await.expect(403);
    manager
        .post_with_token_of(
            "/account",
            "/form-submissions/acts",
            &[("act", "retry"), ("scope", "chosen"), ("id", id.as_str())],
        )
        .await
        .expect(403);
    assert_eq!(status(&portal, &id), "match_failed");
    let browser = portal.sign_in_as(&[Role::Salesperson]).await;
    let page = browser.get(&path).await.expect(200);
    browser
        .submit_and_follow(&page, "Try again", &[])
        .await
        .expect(200)
        .expect_text("Matched again: 1 made a lead")
        .expect_text("New lead created");
    browser
        .submit_and_follow(&page, "Try again", &[])
        .await
        .expect(200)
        .expect_text("Nothing was left to do");
    assert_eq!(count(&portal, "leads"), 2);
    assert!(
        portal
            .audit()
            .contains(&"form_submission.retried".to_owned())
    );
}

#[tokio::test]
async fn a_form_version_that_is_not_known_waits_for_the_next_synchronization() {
    let (portal, world) = acting().await;
    let mut one = decided(
        a_submission(&world.account, "Wanda"),
        MatchingStatus::LeadCreationFailed,
        SubmissionReason::FormVersionUnknown,
        None,
    );
    one.raw = String::from_utf8(one.raw)
        .unwrap()
        .replace("7001,1", "7001,9")
        .into_bytes();
    let id = save_submission(&mut portal.database.conn(), &one);
    let browser = portal.sign_in_as(&[Role::Salesperson]).await;
    let page = browser
        .get(&format!("/form-submissions/{id}"))
        .await
        .expect(200);
    browser
        .submit_and_follow(&page, "Try again", &[])
        .await
        .expect(200)
        .expect_text("1 wait for the next synchronization")
        .expect_text("Pending lead matching");
    assert_eq!(
        portal.database.number(
            "SELECT count(*) AS value FROM linkedin_accounts WHERE requested_trigger = 'manual'"
        ),
        1
    );
}

#[tokio::test]
async fn ignoring_needs_a_reason_keeps_the_status_and_can_be_taken_back() {
    let (portal, world) = acting().await;
    let id = unsettled(&portal, &world, "Iggy", "iggy@spam.example", "Spam");
    let browser = portal.sign_in_as(&[Role::Salesperson]).await;
    let path = format!("/form-submissions/{id}");
    let page = browser.get(&path).await.expect(200);
    let asked = browser
        .submit(&page, "Ignore", &[("reason", Some(" "))])
        .await
        .expect(422)
        .expect_text("Say why");
    let long = "x".repeat(4_000);
    browser
        .submit(&asked, "Ignore", &[("reason", Some(&long))])
        .await
        .expect(422)
        .expect_text("at most 500 characters");
    let evil = format!("{HOSTILE} שלום");
    let ignored = browser
        .submit_and_follow(&page, "Ignore", &[("reason", Some(&evil))])
        .await
        .expect(200)
        .expect_text("Ignored 1 submission")
        .expect_text("שלום")
        .expect_text("Match failed");
    shows_hostile_text_as_text(&ignored);
    browser
        .get("/form-submissions")
        .await
        .expect(200)
        .expect_text("Needs attention 0")
        .expect_text("Ignored 1");
    browser
        .submit_and_follow(&ignored, "Bring back", &[])
        .await
        .expect(200)
        .expect_text("Brought back 1 submission");
    browser
        .get("/form-submissions")
        .await
        .expect(200)
        .expect_text("Needs attention 1")
        .expect_text("Ignored 0");
    let timeline = browser
        .get(&format!("{path}?part=timeline"))
        .await
        .expect(200)
        .expect_text("Brought back by Person")
        .expect_text("Ignored by Person");
    shows_hostile_text_as_text(&timeline);
}

#[tokio::test]
async fn all_that_match_the_filter_are_asked_for_and_then_done_in_one_step() {
    let (portal, world) = acting().await;
    let mut ids = Vec::new();
    for number in 0..60 {
        ids.push(unsettled(
            &portal,
            &world,
            &format!("Many {number}"),
            &format!("many{number}@all.example"),
            "All",
        ));
    }
    let other = unsettled(&portal, &world, "Other", "other@all.example", "All");
    let browser = portal.sign_in_as(&[Role::Salesperson]).await;
    let list = browser
        .get("/form-submissions?q=many")
        .await
        .expect(200)
        .expect_text("all 60 matching the filter");
    let asks = browser
        .submit_and_follow(
            &list,
            "Do it",
            &[("act", Some("turn_into_lead")), ("scope", Some("all"))],
        )
        .await
        .expect(200)
        .expect_text("Turn into leads: 60 submissions");
    assert_eq!(
        count(&portal, "leads"),
        1,
        "nothing happens before the answer"
    );
    browser
        .submit_and_follow(&asks, "Turn into leads", &[])
        .await
        .expect(200)
        .expect_text("60 made a lead");
    assert_eq!(count(&portal, "leads"), 61);
    assert_eq!(status(&portal, &other), "match_failed");
    // The same page sent again finds nothing.
    browser
        .submit_and_follow(&asks, "Turn into leads", &[])
        .await
        .expect(200)
        .expect_text("Nothing was left to do");
    assert_eq!(count(&portal, "leads"), 61);
    // One of them can still be undone by itself.
    let page = browser
        .get(&format!("/form-submissions/{}?part=timeline", ids[7]))
        .await
        .expect(200);
    browser.submit(&page, "Undo", &[]).await.expect(303);
    assert_eq!(count(&portal, "leads"), 60);
}

#[tokio::test]
async fn chosen_ones_are_done_at_once_and_odd_forms_change_nothing() {
    let (portal, world) = acting().await;
    let one = unsettled(&portal, &world, "One", "one@c.example", "C");
    let two = unsettled(&portal, &world, "Two", "two@c.example", "C");
    let browser = portal.sign_in_as(&[Role::Salesperson]).await;
    let list = browser.get("/form-submissions").await.expect(200);
    browser
        .submit_and_follow(&list, "Do it", &[])
        .await
        .expect(200)
        .expect_text("choose at least one");
    let post = |fields: &[(&'static str, String)]| {
        let fields: Vec<(String, String)> = fields
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect();
        let browser = &browser;
        async move {
            let fields: Vec<(&str, &str)> = fields
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect();
            browser
                .post_with_token_of("/form-submissions", "/form-submissions/acts", &fields)
                .await
        }
    };
    let word = |word: &str| word.to_owned();
    for bad in [
        vec![("act", word("burn")), ("scope", word("chosen"))],
        vec![("act", word("retry")), ("scope", word("everything"))],
        vec![
            ("act", word("retry")),
            ("scope", word("chosen")),
            ("id", word("x")),
        ],
        vec![
            ("act", word("retry")),
            ("scope", word("chosen")),
            ("id", one.to_string()),
            ("filter", word("status=nonsense")),
        ],
        vec![
            ("act", word("retry")),
            ("scope", word("all")),
            ("since", word("soon")),
        ],
    ] {
        let answer = post(&bad).await;
        assert_eq!(answer.status, 400, "{bad:?}");
    }
    assert_eq!(status(&portal, &one), "match_failed");
    let answer = post(&[
        ("act", word("retry")),
        ("scope", word("chosen")),
        ("id", one.to_string()),
        ("id", two.to_string()),
        ("id", world.submission.to_string()),
        ("filter", word("q=o")),
    ])
    .await
    .expect(303);
    assert_eq!(answer.location(), Some("/form-submissions?q=o"));
    browser
        .get("/form-submissions?q=o")
        .await
        .expect(200)
        .expect_text("Matched again: 2 made a lead");
    // A lead, an act or a submission that is not there.
    let nobody = "018f2a3c-0000-7000-8000-0000000000ab";
    for (path, fields) in [
        (format!("/form-submissions/{one}/links"), [("lead", nobody)]),
        (
            format!("/form-submissions/{one}/undo"),
            [("act", "' OR 1=1 --")],
        ),
        (
            format!("/form-submissions/{nobody}/undo"),
            [("act", nobody)],
        ),
    ] {
        browser
            .post_with_token_of("/form-submissions", &path, &fields)
            .await
            .expect(404);
    }
}

#[tokio::test]
async fn more_than_a_thousand_are_done_step_by_step() {
    let (portal, world) = with_world().await;
    {
        let many: Vec<_> = (0..1_020)
            .map(|number| {
                let mut one = decided(
                    a_submission(&world.account, &format!("Step {number}")),
                    MatchingStatus::MatchFailed,
                    SubmissionReason::PartialMatchIgnored,
                    None,
                );
                one.processed_at = Some(a_moment() - TimeDelta::hours(1));
                one
            })
            .collect();
        leadgen::store::intake::save(&mut portal.database.conn(), &many).unwrap();
    }
    let browser = portal.sign_in_as(&[Role::Salesperson]).await;
    let asks = browser
        .get("/form-submissions/acts?act=ignore&status=match_failed")
        .await
        .expect(200)
        .expect_text("Ignore: 1,020 submissions")
        .expect_text("the oldest 1,000");
    let left = browser
        .submit_and_follow(&asks, "Ignore", &[("reason", Some("old campaign"))])
        .await
        .expect(200)
        .expect_text("Ignored 1,000 submissions")
        .expect_text("Ignore: 20 submissions");
    browser
        .submit_and_follow(&left, "Ignore", &[("reason", Some("old campaign"))])
        .await
        .expect(200)
        .expect_text("Ignored 20 submissions");
    assert_eq!(
        portal
            .database
            .number("SELECT count(*) AS value FROM form_submissions WHERE ignored_at IS NOT NULL"),
        1_020
    );
    assert_eq!(
        portal
            .database
            .number("SELECT count(*) AS value FROM submission_acts WHERE kind = 'ignored'"),
        1_020
    );
}
