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
    let page = browser
        .get(&format!("/form-submissions/{}", world.submission))
        .await
        .expect(200)
        .expect_text("No field of the matching strategy matches any lead")
        .expect_text("Your e-mail address")
        .expect_text("ada@acme.example")
        // The choice by its text, and a question that was not answered.
        .expect_text("This month")
        .expect_text("no answer")
        .expect_text("I agree to be called.")
        .expect_text("Not accepted")
        .expect_text("utm_source")
        .expect_text("E-mail address")
        .expect_text("Matches no lead")
        .expect_text("Website: The value is no web address.")
        .expect_text("Default Lead Owner of the account")
        .expect_text("LinkedIn’s response, as it came")
        .expect_no_text("Try again");
    shows_hostile_text_as_text(&page);
    browser.get(&page.link("Ada Lovelace")).await.expect(200);
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
        .get(&format!("/form-submissions/{unknown}"))
        .await
        .expect(200)
        .expect_text("The version of the form that was answered is not known")
        .expect_text("Question 99")
        .expect_text("An answer of a kind that is not known here yet")
        .expect_text("Option 7 (not in this version of the form)")
        .expect_text("Consent 5");
    assert!(!page.body.contains("<b>x"));
    browser
        .get(&format!("/form-submissions/{broken}"))
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
async fn a_failed_submission_is_tried_again_once() {
    let (portal, world) = with_world().await;
    let id = save_submission(
        &mut portal.database.conn(),
        &decided(
            a_submission(&world.account, "Fay Failed"),
            MatchingStatus::LeadCreationFailed,
            SubmissionReason::InternalError,
            None,
        ),
    );
    let path = format!("/form-submissions/{id}");
    let manager = portal.sign_in_as(&[Role::SalesManager]).await;
    manager
        .get(&path)
        .await
        .expect(200)
        .expect_no_text("Try again");
    let browser = portal.sign_in_as(&[Role::Salesperson]).await;
    let page = browser.get(&path).await.expect(200);
    browser
        .submit_and_follow(&page, "Try again", &[])
        .await
        .expect(200)
        .expect_text("is being matched again")
        .expect_text("Pending lead matching");
    browser
        .submit(&page, "Try again", &[])
        .await
        .expect(409)
        .expect_text("Only a submission that failed can be tried again");
    assert!(
        portal
            .audit()
            .contains(&"form_submission.retried".to_owned())
    );
}
