//! The dry run of a matching strategy over HTTP.

use chrono::TimeDelta;
use leadgen::domain::submission::{MatchingStatus, SubmissionReason};

use crate::settings_pages::{NO_CHOICES, STRANGE_TEXTS, four_thousand, seeded};
use crate::start::TestPortal;
use crate::support::{a_form, a_lead, a_moment, a_submission, question};

const DRY_RUN: &str = "/settings/matching-strategies/dry-run";

/// Every row of every table that a dry run could touch.
fn everything(portal: &TestPortal) -> Vec<i64> {
    [
        "SELECT count(*) FROM leads",
        "SELECT coalesce(sum(lock_version), 0) FROM leads",
        "SELECT count(*) FROM lead_changes",
        "SELECT count(*) FROM lead_match_keys",
        "SELECT coalesce(sum(attempts), 0) FROM form_submissions",
        "SELECT count(*) FROM audit_entries",
        "SELECT coalesce(sum(lock_version), 0) FROM matching_strategies",
    ]
    .iter()
    .map(|sql| portal.database.number(sql))
    .collect()
}

/// Two leads and three submissions: e-mail and name tell different stories.
fn a_small_history(portal: &TestPortal) {
    let mut conn = portal.database.conn();
    let form = a_form().name("Spring fair").insert(&mut conn);
    a_lead()
        .name("Ada", "Lovelace")
        .email("ada@example.com")
        .insert(&mut conn);
    let at = |hours| a_moment() - TimeDelta::hours(hours);
    a_submission()
        .of(&form)
        .answer(3, "ADA@example.com")
        .answer(2, "King")
        .name("Married Ada")
        .submitted_at(at(3))
        .outcome(
            MatchingStatus::UpdatedExistingLead,
            SubmissionReason::Matched,
        )
        .insert(&mut conn);
    a_submission()
        .of(&form)
        .answer(3, "grace@example.com")
        .answer(2, "Hopper")
        .name("Grace Hopper")
        .submitted_at(at(2))
        .insert(&mut conn);
    a_submission()
        .of(&form)
        .answer(3, "g.hopper@example.com")
        .answer(2, "hopper")
        .name("Grace again")
        .submitted_at(at(1))
        .insert(&mut conn);
}

#[tokio::test]
async fn a_draft_with_other_fields_stands_beside_the_active_strategy_and_nothing_is_written() {
    let (portal, browser) = seeded().await;
    a_small_history(&portal);
    browser.get(DRY_RUN).await.expect(200);
    let before = everything(&portal);
    let page = browser
        .get(&format!("{DRY_RUN}?field=last_name&n=50&show=all"))
        .await
        .expect(200)
        // By e-mail: Ada is updated, two new leads. By last name: King is new, Hopper is made once and updated once.
        .expect_text("2 of 3 submissions end differently")
        .expect_text("Updates the lead whose Email matches")
        .expect_text("Updates the lead whose Last name matches")
        .expect_text("the lead made from Grace Hopper")
        .expect_text("3 submissions");
    let text = page.text();
    assert!(text.contains("created. 2 1 0 0"), "now: {text}");
    let draft = text.find("Draft Updates the lead").unwrap();
    assert!(text[draft..].contains("created. 2 1 0 0"), "draft: {text}");
    browser
        .get(&format!("{DRY_RUN}?field=last_name&n=50"))
        .await
        .expect(200)
        .expect_text("2 submissions")
        .expect_text("Married Ada");
    // Both fields: the married Ada matches in part only, and that fails by default.
    browser
        .get(&format!("{DRY_RUN}?field=email&field=last_name"))
        .await
        .expect(200)
        .expect_text("Partial match ignored");
    assert_eq!(everything(&portal), before);
}

#[tokio::test]
async fn leads_that_the_submissions_made_themselves_do_not_count_as_matches() {
    let (portal, browser) = seeded().await;
    let mut conn = portal.database.conn();
    let form = a_form().insert(&mut conn);
    let submission = a_submission()
        .of(&form)
        .answer(3, "new@example.com")
        .insert(&mut conn);
    let lead = a_lead().email("new@example.com").insert(&mut conn);
    portal.database.execute(&format!(
        "UPDATE lead_origins SET first_submission_id = '{submission}' WHERE lead_id = '{lead}'"
    ));
    let text = browser
        .get(&format!("{DRY_RUN}?show=all"))
        .await
        .expect(200)
        .expect_text("Every one of 1 submissions ends the same")
        .text();
    assert!(text.contains("created. 1 0 0 0"), "{text}");
}

#[tokio::test]
async fn a_saved_strategy_is_tried_first_and_activated_from_there() {
    let (portal, browser) = seeded().await;
    a_small_history(&portal);
    let page = browser
        .get("/settings/matching-strategies/new")
        .await
        .expect(200);
    let fields = [("name", Some("By name")), ("field", Some("last_name"))];
    let page = browser
        .submit_and_follow(&page, "Save", &fields)
        .await
        .expect(200);
    let page = browser
        .get(&page.link("Dry run first"))
        .await
        .expect(200)
        .expect_text("Dry run of By name");
    browser
        .submit_and_follow(&page, "Activate", &[])
        .await
        .expect(200)
        .expect_text("“By name” is the active strategy now");
    // Of a draft that differs from what is saved nothing can be activated.
    let id = portal
        .database
        .texts("SELECT id FROM matching_strategies WHERE NOT is_active")
        .remove(0);
    let page = browser
        .get(&format!("{DRY_RUN}?strategy={id}&field=first_name"))
        .await
        .expect(200)
        .expect_text("These are not the fields");
    assert!(!page.body.contains("/activation\""));
}

#[tokio::test]
async fn strange_drafts_and_strange_answers_give_a_calm_page() {
    let (portal, browser) = seeded().await;
    let mut conn = portal.database.conn();
    let long = four_thousand();
    let questions = vec![
        question(1, "<script>alert(1)</script>", Some("FIRST_NAME")),
        question(3, "Email", Some("EMAIL")),
    ];
    let form = a_form()
        .name("<script>alert(1)</script>")
        .questions(questions)
        .insert(&mut conn);
    for text in STRANGE_TEXTS {
        a_submission()
            .of(&form)
            .answer(1, text)
            .answer(3, text)
            .name(text)
            .insert(&mut conn);
    }
    a_submission().of(&form).answer(1, &long).insert(&mut conn);
    portal
        .database
        .execute("UPDATE form_submissions SET form_version_number = 9 WHERE name LIKE 'Robert%'");
    let page = browser
        .get(&format!("{DRY_RUN}?field=first_name&n=500&show=all"))
        .await
        .expect(200)
        .expect_text("Form version unknown");
    assert!(!page.body.contains("<script>alert") && !page.body.contains("<img src=x"));
    let mut words: Vec<&str> = NO_CHOICES.to_vec();
    words.extend(["website", "custom.tier", long.as_str()]);
    for word in words.into_iter().filter(|word| !word.is_empty()) {
        let query = crate::support::encode(&[("field", word)]);
        let page = browser.get(&format!("{DRY_RUN}?{query}")).await.expect(422);
        assert!(!page.body.contains("<script>alert"));
    }
    for (path, status) in [
        ("?strategy=00000000-0000-7000-8000-000000000009", 404),
        ("?strategy=x", 400),
        ("?n=x", 400),
        ("?n=99999", 200),
        ("?show=%F0%9F%A6%8A", 200),
        ("?field=%00", 400),
    ] {
        browser
            .get(&format!("{DRY_RUN}{path}"))
            .await
            .expect(status);
    }
}

#[tokio::test]
async fn without_submissions_the_page_says_what_is_missing() {
    let (_portal, browser) = seeded().await;
    browser
        .get(DRY_RUN)
        .await
        .expect(200)
        .expect_text("No submissions yet");
}
