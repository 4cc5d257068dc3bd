//! Form submissions over HTTP: list with filters, detail with answers and decision, trying again.

use leadgen::domain::access::Role;
use leadgen::domain::submission::{MatchingStatus, SubmissionReason};

use crate::records_world::{seeded, shows_hostile_text_as_text, with_world};
use crate::support::records::{a_submission, decided, save_submission};

#[tokio::test]
async fn an_empty_list_says_what_will_appear_or_that_nothing_matches() {
    let portal = seeded().await;
    let browser = portal.sign_in_as(&[Role::SalesManager]).await;
    browser
        .get("/form-submissions")
        .await
        .expect(200)
        .expect_text("No form submissions yet");
    browser
        .get("/form-submissions?test=yes")
        .await
        .expect(200)
        .expect_text("No form submission matches");
}

#[tokio::test]
async fn the_list_filters_by_everything_in_the_address() {
    let (portal, world) = with_world().await;
    {
        let conn = &mut portal.database.conn();
        let mut test = decided(
            a_submission(&world.account, "Grace Hopper"),
            MatchingStatus::MatchFailed,
            SubmissionReason::TestLeadIgnored,
            None,
        );
        test.is_test = true;
        test.submitted_at = "2026-11-23T23:30:00Z".parse().unwrap();
        save_submission(conn, &test);
    }
    let browser = portal.sign_in_as(&[Role::SalesManager]).await;
    let all = browser
        .get("/form-submissions")
        .await
        .expect(200)
        .expect_text("2 submissions")
        .expect_text("Test lead ignored");
    shows_hostile_text_as_text(&all);
    for (query, found, other) in [
        ("q=hopper".to_owned(), "Grace", "Ada"),
        ("test=no".to_owned(), "Ada", "Grace"),
        ("test=yes".to_owned(), "Grace", "Ada"),
        ("status=match_failed".to_owned(), "Grace", "Ada"),
        (format!("form={}", world.form), "Ada", "Grace"),
        ("from=2026-11-22".to_owned(), "Grace", "Ada"),
        ("to=2026-11-22".to_owned(), "Ada", "Grace"),
        ("from=2026-11-23&to=2026-11-23".to_owned(), "Grace", "Ada"),
        (
            format!("account={}&state=processing_succeeded&q=ada", world.account),
            "Ada",
            "Grace",
        ),
    ] {
        browser
            .get(&format!("/form-submissions?{query}"))
            .await
            .expect(200)
            .expect_text(&format!("{found} "))
            .expect_no_text(&format!("{other} "));
    }
    for query in [
        "from=2026-13-01",
        "from=%2B99999-01-01",
        "to=0001-01-01",
        "test=maybe",
        "account=1",
        "form=x",
        "state=done",
        "status=",
        "after=0",
    ] {
        let status = if query == "status=" { 200 } else { 400 };
        browser
            .get(&format!("/form-submissions?{query}"))
            .await
            .expect(status);
    }
}

#[tokio::test]
async fn a_submission_shows_every_answer_consent_hidden_field_and_the_decision() {
    let (portal, world) = with_world().await;
    let browser = portal.sign_in_as(&[Role::SalesManager]).await;
    let path = format!("/form-submissions/{}", world.submission);
    let page = browser
        .get(&path)
        .await
        .expect(200)
        .expect_text("No field of the matching strategy matches any lead")
        .expect_no_text("Try again")
        .expect_no_text("Your e-mail address");
    shows_hostile_text_as_text(&page);
    browser.get(&page.link("Ada Lovelace")).await.expect(200);
    let answers = browser
        .get(&page.link("Answers"))
        .await
        .expect(200)
        .expect_text("Your e-mail address")
        .expect_text("ada@acme.example")
        // The choice by its text, and a question that was not answered.
        .expect_text("This month")
        .expect_text("no answer")
        .expect_text("I agree to be called.")
        .expect_text("Not accepted")
        .expect_text("utm_source");
    shows_hostile_text_as_text(&answers);
    browser
        .get(&answers.link("Decision"))
        .await
        .expect(200)
        .expect_text("E-mail address")
        .expect_text("Matches no lead")
        .expect_text("Website: The value is no web address.")
        .expect_text("Default Lead Owner of the account");
    browser
        .get(&format!("{path}?part=raw"))
        .await
        .expect(200)
        .expect_text("LinkedIn’s response, as it came");
    browser
        .get(&format!("{path}?part=timeline"))
        .await
        .expect(200)
        .expect_text("Received from LinkedIn");
    browser
        .get(&format!("{path}?part=secrets"))
        .await
        .expect(400);
    for id in ["x", "018f2a3c-0000-7000-8000-0000000000ab"] {
        browser
            .get(&format!("/form-submissions/{id}"))
            .await
            .expect(404);
    }
}

#[tokio::test]
async fn answers_that_nobody_can_read_are_shown_honestly() {
    let (portal, world) = with_world().await;
    let (unknown, broken, undecided) = {
        let conn = &mut portal.database.conn();
        let mut unknown = a_submission(&world.account, "Una Unknown");
        unknown.raw = br#"{"id":"u-1","formResponse":{"answers":[{"questionId":99,"answerDetails":{"fileAnswer":{"url":"<b>x"}}},
            {"questionId":3,"answerDetails":{"multipleChoiceAnswer":{"options":[7]}}}],"consentResponses":[{"consentId":5,"accepted":true}]}}"#.to_vec();
        let mut broken = a_submission(&world.account, "Bea Broken");
        broken.raw = br#"{"id":7,"formResponse":"later"}"#.to_vec();
        broken.decision = Some("{\"of\":\"another version\"}".to_owned());
        let undecided = a_submission(&world.account, "Una Undecided");
        (
            save_submission(conn, &unknown),
            save_submission(conn, &broken),
            save_submission(conn, &undecided),
        )
    };
    let browser = portal.sign_in_as(&[Role::Administrator]).await;
    let page = browser
        .get(&format!("/form-submissions/{unknown}?part=answers"))
        .await
        .expect(200)
        .expect_text("The version of the form that was answered is not known")
        .expect_text("Question 99")
        .expect_text("An answer of a kind that is not known here yet")
        .expect_text("Option 7 (not in this version of the form)")
        .expect_text("Consent 5");
    assert!(!page.body.contains("<b>x"));
    browser
        .get(&format!("/form-submissions/{broken}?part=decision"))
        .await
        .expect(200)
        .expect_text("Nothing was decided yet");
    browser
        .get(&format!("/form-submissions/{undecided}"))
        .await
        .expect(200)
        .expect_text("waits to be matched");
}

#[tokio::test]
async fn counts_by_state_chips_and_page_sizes_stand_above_the_list() {
    let (portal, world) = with_world().await;
    {
        let conn = &mut portal.database.conn();
        for number in 0..30 {
            let mut failed = decided(
                a_submission(&world.account, &format!("Fay {number:02}")),
                MatchingStatus::MatchFailed,
                SubmissionReason::PartialMatchIgnored,
                None,
            );
            failed.submitted_at += chrono::TimeDelta::seconds(number);
            failed.form_id = Some(world.form.clone());
            save_submission(conn, &failed);
        }
    }
    let browser = portal.sign_in_as(&[Role::SalesManager]).await;
    let page = browser
        .get("/form-submissions?size=25")
        .await
        .expect(200)
        .expect_text("All 31")
        .expect_text("Needs attention 30")
        .expect_text("New lead created 1")
        .expect_text("Ignored 0")
        .expect_text("Fay 29")
        .expect_no_text("Fay 04")
        // A Sales Manager reads only.
        .expect_no_text("Do it");
    browser
        .get(&page.link("Older"))
        .await
        .expect(200)
        .expect_text("Fay 04")
        .expect_no_text("Fay 05");
    let attention = browser
        .get(&page.link("Needs attention 30"))
        .await
        .expect(200)
        .expect_text("30 submissions")
        .expect_text("Showing: Needs attention");
    let all = browser
        .get(&attention.link("Remove the filter Showing: Needs attention"))
        .await
        .expect(200)
        .expect_text("31 submissions");
    all.expect_no_text("Showing:");
    // Words are not counted by state; what is asked for is still marked.
    browser
        .get("/form-submissions?q=fay&view=attention")
        .await
        .expect(200)
        .expect_text("30 submissions")
        .expect_no_text("All 31");
    for bad in ["view=x", "version=1", "campaign=x", "size=many"] {
        browser
            .get(&format!("/form-submissions?{bad}"))
            .await
            .expect(400);
    }
}

#[tokio::test]
async fn version_and_campaign_filter_and_neighbours_stay_inside_the_filter() {
    let (portal, world) = with_world().await;
    {
        let conn = &mut portal.database.conn();
        for (number, status) in [
            MatchingStatus::MatchFailed,
            MatchingStatus::LeadCreationFailed,
            MatchingStatus::MatchFailed,
            MatchingStatus::MatchFailed,
        ]
        .into_iter()
        .enumerate()
        {
            let reason = SubmissionReason::InternalError;
            let mut one = decided(
                a_submission(&world.account, &format!("Number {number}")),
                status,
                reason,
                None,
            );
            one.submitted_at += chrono::TimeDelta::seconds(i64::try_from(number).unwrap() + 1);
            save_submission(conn, &one);
        }
    }
    let browser = portal.sign_in_as(&[Role::SalesManager]).await;
    for column in ["form_version_id", "campaign_id"] {
        let id = portal
            .database
            .texts(&format!(
                "SELECT {column} AS value FROM form_submissions WHERE {column} IS NOT NULL"
            ))
            .remove(0);
        let name = if column == "campaign_id" {
            "campaign"
        } else {
            "version"
        };
        browser
            .get(&format!(
                "/form-submissions?form={}&{name}={id}",
                world.form
            ))
            .await
            .expect(200)
            .expect_text("1 submission")
            .expect_text("Ada Lovelace");
    }
    let list = browser
        .get("/form-submissions?status=match_failed")
        .await
        .expect(200);
    let middle = browser
        .get(&list.link("Number 2"))
        .await
        .expect(200)
        .expect_text("Newer")
        .expect_text("Older");
    assert!(middle.url.to_string().contains("status=match_failed"));
    // Number 1 is in another state: it is not in this filter.
    let older = browser
        .get(&middle.link("Older"))
        .await
        .expect(200)
        .expect_text("Number 0")
        .expect_no_text("Older");
    let again = browser.get(&older.link("Newer")).await.expect(200);
    browser
        .get(&again.link("Newer"))
        .await
        .expect(200)
        .expect_text("Number 3")
        .expect_no_text("Newer");
}

#[tokio::test]
async fn the_csv_holds_exactly_what_is_filtered_with_answers_as_columns_of_one_form() {
    let (portal, world) = with_world().await;
    {
        let conn = &mut portal.database.conn();
        let evil = decided(
            a_submission(&world.account, "=HYPERLINK(\"http://evil\")"),
            MatchingStatus::MatchFailed,
            SubmissionReason::PartialMatchIgnored,
            None,
        );
        save_submission(conn, &evil);
    }
    let browser = portal.sign_in_as(&[Role::SalesManager]).await;
    let list = browser
        .get("/form-submissions?status=match_failed")
        .await
        .expect(200);
    let file = browser.get(&list.link("Download CSV")).await.expect(200);
    assert_eq!(
        file.header("content-type"),
        Some("text/csv; charset=utf-8; header=present")
    );
    assert!(
        file.header("content-disposition")
            .is_some_and(|value| value.starts_with("attachment; filename=\"form-submissions-"))
    );
    assert!(file.body.starts_with("\u{feff}Id,Name,"));
    assert_eq!(file.body.lines().count(), 2, "{}", file.body);
    assert!(file.body.contains("\"'=HYPERLINK(\"\"http://evil\"\")\""));
    let of_form = browser
        .get(&format!("/form-submissions/export?form={}", world.form))
        .await
        .expect(200);
    let head = of_form.body.lines().next().unwrap();
    assert!(
        head.contains("Your e-mail address,Where do you work?,When do you want to buy?"),
        "{head}"
    );
    assert!(
        of_form.body.contains("ada@acme.example,Acme,This month"),
        "{}",
        of_form.body
    );
    assert!(!of_form.body.contains("HYPERLINK"));
    browser
        .get("/form-submissions/export?form=x")
        .await
        .expect(400);
    portal
        .browser()
        .get("/form-submissions/export")
        .await
        .expect(303);
}
