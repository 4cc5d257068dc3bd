//! `/api/v1`: what S2S Inbound writes: submissions that are handed in and tried again, and synchronizations that are started.

use chrono::TimeDelta;
use leadgen::domain::access::{Role, TokenRole};
use leadgen::domain::submission::{MatchingStatus, SubmissionReason};

use crate::api_program::{Program, ids, json};
use crate::records_world::{World, seeded, with_world};
use crate::start::TestPortal;
use crate::support::a_moment;
use crate::support::records::*;

const NOBODY: &str = "018f2a3c-0000-7000-8000-0000000000ab";

/// A portal with the world, and a program.
async fn ready() -> (TestPortal, World, Program) {
    let (portal, world) = with_world().await;
    // Whoever gets leads when nobody else does.
    a_user(&mut portal.database.conn(), "Anna", &[Role::Administrator]);
    let program = Program::new(&portal, TokenRole::S2sInbound);
    (portal, world, program)
}

/// LinkedIn's response of somebody, for the form of the world.
fn response(id: &str, email: &str) -> String {
    format!(
        r#"{{"id":"{id}","owner":{{"sponsoredAccount":"urn:li:sponsoredAccount:500000001"}},
        "leadType":"SPONSORED","versionedLeadGenFormUrn":"urn:li:versionedLeadGenForm:(urn:li:leadGenForm:7001,1)",
        "submittedAt":{},"testLead":false,
        "formResponse":{{"answers":[
        {{"questionId":1,"answerDetails":{{"textQuestionAnswer":{{"answer":"{email}"}}}}}}]}}}}"#,
        (a_moment() - TimeDelta::hours(1)).timestamp_millis()
    )
}

#[tokio::test]
async fn a_response_becomes_a_lead_as_if_it_was_pulled_and_once_only() {
    let (portal, _, program) = ready().await;
    let body = response(
        "249592fc-d272-44ba-a7db-c2bdce579507-6",
        "grace@navy.example",
    );
    let page = program
        .change("POST", "/submissions", &[], &body)
        .await
        .expect(201);
    let made = json(&page);
    assert_eq!(
        made["response_id"],
        "249592fc-d272-44ba-a7db-c2bdce579507-6"
    );
    assert_eq!(made["matching_status"], "new_lead_created", "{made:#}");
    assert_eq!(made["answers"][0]["text"], "grace@navy.example");
    let location = page.header("location").unwrap().to_owned();
    assert_eq!(
        location,
        format!("/api/v1/submissions/{}", made["id"].as_str().unwrap())
    );
    let lead = program
        .get(&format!("/leads/{}", made["lead_id"].as_str().unwrap()))
        .await
        .expect(200);
    assert_eq!(json(&lead)["values"]["email"], "grace@navy.example");
    let kept = portal.database.texts(
        "SELECT 'yes' AS value FROM submission_contents c JOIN form_submissions s ON s.id = c.submission_id \
         WHERE s.response_id LIKE '249592fc%' AND length(c.raw) > 100",
    );
    assert_eq!(kept, ["yes"]);
    // The same again, its answers in other white space: the same record, nothing is written.
    for again in [body.clone(), body.replace(": ", ":").replace('\n', " ")] {
        let page = program
            .change("POST", "/submissions", &[], &again)
            .await
            .expect(200);
        assert_eq!(json(&page)["id"], made["id"]);
        assert_eq!(json(&page)["revision"], 1);
    }
    assert_eq!(portal.audit(), ["form_submission.handed_in"]);
    assert_eq!(
        portal
            .database
            .texts("SELECT actor_kind || ' ' || actor_name AS value FROM audit_entries"),
        ["s2s_inbound API token “S2S Inbound program”"]
    );
    // Other answers under the id are a revision of it.
    let page = program
        .change(
            "POST",
            "/submissions",
            &[],
            &body.replace("grace@", "hopper@"),
        )
        .await
        .expect(200);
    assert_eq!(
        (&json(&page)["id"], &json(&page)["revision"]),
        (&made["id"], &2.into())
    );
    assert_eq!(
        ids(&program.get("/submissions?q=navy").await.expect(200)).len() as i64,
        portal
            .database
            .number("SELECT count(*) FROM form_submissions WHERE search_words LIKE '%navy%'")
    );
}

#[tokio::test]
async fn a_response_that_lacks_something_or_names_what_is_not_here_is_refused_and_leaves_nothing() {
    let (portal, _, program) = ready().await;
    let good = response("r-1", "grace@navy.example");
    let before = portal
        .database
        .number("SELECT count(*) FROM form_submissions");
    for (from, to, field) in [
        (
            "sponsoredAccount:500000001",
            "sponsoredAccount:4711",
            "owner",
        ),
        (
            "leadGenForm:7001",
            "leadGenForm:4711",
            "versionedLeadGenFormUrn",
        ),
        ("\"r-1\"", "null", "id"),
        ("SPONSORED", "EVENT", "leadType"),
        ("formResponse", "formAnswer", "formResponse"),
        ("submittedAt", "submitted", "submittedAt"),
    ] {
        let page = program
            .change("POST", "/submissions", &[], &good.replace(from, to))
            .await
            .expect(422);
        assert_eq!(json(&page)["errors"][0]["field"], field, "{to}");
    }
    for (body, status) in [("{", 400), ("[]", 422), ("{}", 422), ("\"x\"", 422)] {
        program
            .change("POST", "/submissions", &[], body)
            .await
            .expect(status);
    }
    program
        .send("POST", "/submissions", &[], Some(&good))
        .await
        .expect(415);
    let reader = Program::new(&portal, TokenRole::ReadOnly);
    reader
        .change("POST", "/submissions", &[], &good)
        .await
        .expect(403);
    assert_eq!(
        portal
            .database
            .number("SELECT count(*) FROM form_submissions"),
        before
    );
    assert!(portal.audit().is_empty());
}

#[tokio::test]
async fn nothing_is_taken_for_an_account_that_nobody_may_read_now() {
    let (portal, _, program) = ready().await;
    let body = response("r-1", "grace@navy.example");
    for (now, back, said) in [
        (
            "UPDATE linkedin_accounts SET is_sync_enabled = FALSE",
            "UPDATE linkedin_accounts SET is_sync_enabled = TRUE",
            "switched off",
        ),
        (
            "INSERT INTO account_pauses (account_id, paused_at, paused_by_name, reason) \
             SELECT id, '2026-03-01 12:00:00', 'Ada', '' FROM linkedin_accounts",
            "DELETE FROM account_pauses",
            "paused",
        ),
        (
            "UPDATE linkedin_user_profiles SET authorization_status = 'expired'",
            "UPDATE linkedin_user_profiles SET authorization_status = 'authorized'",
            "Expired",
        ),
        ("DELETE FROM active_consents", "", "consent"),
        ("DELETE FROM profile_accounts", "", "sees this account"),
    ] {
        portal.database.execute(now);
        for (path, body) in [("/submissions", body.as_str()), ("/sync-runs", "{}")] {
            // Everything: an account that is switched off does not keep the others from being read.
            if path == "/sync-runs"
                && matches!(said, "switched off" | "paused" | "sees this account")
            {
                continue;
            }
            let page = program.change("POST", path, &[], body).await.expect(409);
            let detail = json(&page)["detail"].as_str().unwrap().to_owned();
            assert!(
                path == "/sync-runs" || detail.contains(said),
                "{said}: {detail}"
            );
        }
        if !back.is_empty() {
            portal.database.execute(back);
        }
    }
    assert!(portal.audit().is_empty());
}

#[tokio::test]
async fn a_response_of_an_unknown_version_waits_and_its_account_is_due() {
    let (portal, _, program) = ready().await;
    portal
        .database
        .execute("UPDATE linkedin_accounts SET next_sync_at = NULL");
    let body = response("r-1", "grace@navy.example").replace("7001,1", "7001,9");
    let page = program
        .change("POST", "/submissions", &[], &body)
        .await
        .expect(201);
    assert_eq!(json(&page)["matching_status"], "pending_lead_matching");
    assert_eq!(
        portal
            .database
            .number("SELECT count(*) FROM linkedin_accounts WHERE next_sync_at IS NOT NULL"),
        1
    );
}

#[tokio::test]
async fn a_failed_submission_is_tried_again_and_its_timeline_names_the_program() {
    let (portal, world, program) = ready().await;
    let failed = {
        let conn = &mut portal.database.conn();
        let mut failed = decided(
            a_submission(&world.account, "Grace"),
            MatchingStatus::MatchFailed,
            SubmissionReason::NoAnswerForMatchFields,
            None,
        );
        failed.form_id = Some(world.form.clone());
        save_submission(conn, &failed)
    };
    let path = format!("/submissions/{failed}/retries");
    let page = program.send("POST", &path, &[], None).await.expect(200);
    assert_ne!(
        json(&page)["matching_status"],
        "match_failed",
        "{}",
        page.body
    );
    assert_eq!(portal.audit(), ["form_submission.retried"]);
    program.send("POST", &path, &[], None).await.expect(409);
    program
        .send("POST", &format!("/submissions/{NOBODY}/retries"), &[], None)
        .await
        .expect(404);
    let person = portal.sign_in_as(&[Role::Administrator]).await;
    person
        .get(&format!("/form-submissions/{failed}?part=timeline"))
        .await
        .expect(200)
        .expect_text("API token “S2S Inbound program”");
}

#[tokio::test]
async fn a_synchronization_is_started_for_an_account_a_profile_or_everything() {
    let (portal, world, program) = ready().await;
    for (body, profiles) in [
        (format!(r#"{{"account":"{}"}}"#, world.account), 0),
        (format!(r#"{{"profile":"{}"}}"#, world.profile), 1),
        ("{}".to_owned(), 1),
    ] {
        portal
            .database
            .execute("UPDATE linkedin_accounts SET next_sync_at = NULL");
        let page = program
            .change("POST", "/sync-runs", &[], &body)
            .await
            .expect(202);
        let asked = json(&page);
        assert_eq!(
            asked["account_ids"],
            serde_json::json!([world.account]),
            "{body}"
        );
        assert_eq!(
            asked["profile_ids"].as_array().unwrap().len(),
            profiles,
            "{body}"
        );
        assert_eq!(
            portal
                .database
                .number("SELECT count(*) FROM linkedin_accounts WHERE next_sync_at IS NOT NULL"),
            1,
            "{body}"
        );
    }
    assert_eq!(
        portal.audit(),
        [
            "linkedin_account.sync_requested",
            "linkedin_user_profile.sync_requested",
            "linkedin_user_profile.sync_requested"
        ]
    );
    for (body, field) in [
        (format!(r#"{{"account":"{NOBODY}"}}"#), "account"),
        (format!(r#"{{"profile":"{NOBODY}"}}"#), "profile"),
        (r#"{"account":1}"#.to_owned(), "account"),
        (r#"{"all":true}"#.to_owned(), "all"),
        (
            format!(r#"{{"account":"{0}","profile":"{0}"}}"#, world.account),
            "profile",
        ),
    ] {
        let page = program
            .change("POST", "/sync-runs", &[], &body)
            .await
            .expect(422);
        assert_eq!(json(&page)["errors"][0]["field"], field, "{body}");
    }
    // Without any profile there is nothing to read.
    let empty = seeded().await;
    let program = Program::new(&empty, TokenRole::S2sInbound);
    program
        .change("POST", "/sync-runs", &[], "{}")
        .await
        .expect(409);
}
