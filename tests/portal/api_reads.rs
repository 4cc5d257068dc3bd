//! `/api/v1`: submissions, accounts, forms, the synchronization, mappings and strategies, read; and what a deployment hides.

use chrono::TimeDelta;
use leadgen::domain::access::{Role, TokenRole};
use leadgen::web::api::routes::{is_about_linkedin, table};

use crate::api_program::{Program, ids, json};
use crate::records_world::{HOSTILE, seeded, with_world};
use crate::start::TestPortal;
use crate::support::records::*;
use crate::support::{a_moment, a_user as someone};

const NOBODY: &str = "018f2a3c-0000-7000-8000-0000000000ab";

/// The ids of all pages of a list, three records at a time.
async fn paged(program: &Program, path: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut next = format!("{path}?limit=3");
    for _ in 0..20 {
        let page = program.get(&next).await.expect(200);
        all.extend(ids(&page));
        match json(&page)["next_cursor"].as_str() {
            Some(cursor) => next = format!("{path}?limit=3&cursor={cursor}"),
            None => return all,
        }
    }
    panic!("{path} does not end");
}

#[tokio::test]
async fn every_list_is_read_page_by_page_without_gaps() {
    let (portal, world) = with_world().await;
    {
        let conn = &mut portal.database.conn();
        let names: Vec<String> = (0..6).map(|number| format!("Account {number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        accounts(conn, &world.profile, &names);
        for number in 0..6 {
            let content = form_content(&format!("Form {number}"), 1);
            a_form(conn, &world.account, 8000 + number, content);
            let mut submission = a_submission(&world.account, &format!("Person {number}"));
            submission.submitted_at += TimeDelta::minutes(number / 2);
            save_submission(conn, &submission);
            a_run(
                conn,
                &world.account,
                "succeeded",
                None,
                a_moment() + TimeDelta::minutes(number / 2),
            );
        }
    }
    let program = Program::new(&portal, TokenRole::ReadOnly);
    for (path, least) in [
        ("/accounts", 6),
        ("/forms", 7),
        ("/submissions", 7),
        ("/sync-runs", 6),
    ] {
        let whole = ids(&program.get(path).await.expect(200));
        assert!(whole.len() >= least, "{path}: {}", whole.len());
        assert_eq!(paged(&program, path).await, whole, "{path}");
        // A cursor of another list is none of this one.
        let other = if path == "/submissions" {
            "/sync-runs"
        } else {
            "/submissions"
        };
        let page = program.get(&format!("{other}?limit=3")).await.expect(200);
        let cursor = json(&page)["next_cursor"].as_str().unwrap().to_owned();
        program
            .get(&format!("{path}?cursor={cursor}"))
            .await
            .expect(400);
        for bad in ["limit=0", "limit=x", "nonsense=1", "q=%00"] {
            program.get(&format!("{path}?{bad}")).await.expect(400);
        }
        for id in &whole[..1] {
            let record = program.get(&format!("{path}/{id}")).await.expect(200);
            assert_eq!(json(&record)["id"], id.as_str(), "{path}");
        }
    }
}

#[tokio::test]
async fn a_submission_is_read_with_its_answers_and_its_decision() {
    let (portal, world) = with_world().await;
    let program = Program::new(&portal, TokenRole::ReadOnly);
    let page = program
        .get(&format!("/submissions/{}", world.submission))
        .await
        .expect(200);
    let submission = json(&page);
    assert_eq!(submission["matching_status"], "new_lead_created");
    assert_eq!(submission["lead_id"], world.lead.as_str());
    assert_eq!(submission["account_id"], world.account.as_str());
    assert_eq!(submission["form_id"], world.form.as_str());
    let answers = submission["answers"].as_array().unwrap();
    assert!(!answers.is_empty(), "{submission:#}");
    assert!(
        answers.iter().any(|answer| answer["kind"] == "text"),
        "{submission:#}"
    );
    assert!(submission["consents"].is_array());
    let decision = &submission["decision"];
    assert_eq!(decision["action"], "create");
    assert_eq!(decision["strategy"]["fields"][0], "email");
    assert_eq!(decision["compared"][0]["result"], "no_lead");
    assert_eq!(decision["owner"]["step"], "account_default");
    assert_eq!(decision["changes"][0]["after"], HOSTILE);
    assert_eq!(decision["flags"][0]["problem"], "not_a_url");
}

#[tokio::test]
async fn submissions_are_filtered_as_on_their_page() {
    let (portal, world) = with_world().await;
    let program = Program::new(&portal, TokenRole::ReadOnly);
    for (filter, count) in [
        ("q=ada".to_owned(), 1),
        ("q=nobody".to_owned(), 0),
        (format!("account={}", world.account), 1),
        (format!("form={}&status=new_lead_created", world.form), 1),
        ("status=match_failed".to_owned(), 0),
        ("state=processing_succeeded&test=no".to_owned(), 1),
        ("test=yes".to_owned(), 0),
        ("view=attention".to_owned(), 0),
        ("from=2026-11-22".to_owned(), 0),
    ] {
        let page = program
            .get(&format!("/submissions?{filter}"))
            .await
            .expect(200);
        assert_eq!(ids(&page).len(), count, "{filter}");
    }
    for bad in ["status=won", "test=true", "from=yesterday", "account=1"] {
        program
            .get(&format!("/submissions?{bad}"))
            .await
            .expect(400);
    }
}

#[tokio::test]
async fn accounts_forms_and_runs_are_filtered_and_counted() {
    let (portal, world) = with_world().await;
    let program = Program::new(&portal, TokenRole::ReadOnly);
    let page = program
        .get(&format!("/accounts/{}", world.account))
        .await
        .expect(200);
    let account = json(&page);
    assert_eq!(account["form_count"], 1);
    assert_eq!(account["submission_count"], 1);
    assert_eq!(account["state"], "read");
    for (path, count) in [
        ("/accounts?enabled=yes".to_owned(), 1),
        ("/accounts?enabled=no".to_owned(), 0),
        ("/accounts?state=read&q=acme".to_owned(), 1),
        ("/accounts?state=failing".to_owned(), 0),
        ("/accounts?state=switched_off&enabled=yes".to_owned(), 0),
        (format!("/accounts?profile={}", world.profile), 1),
        (format!("/forms?account={}&q=guide", world.account), 1),
        ("/forms?status=forbidden".to_owned(), 0),
        ("/sync-runs?status=running".to_owned(), 0),
    ] {
        let page = program.get(&path).await.expect(200);
        assert_eq!(ids(&page).len(), count, "{path}");
    }
    portal.database.execute(
        "INSERT INTO account_pauses (account_id, paused_at, paused_by_name, reason) \
         SELECT id, '2026-11-21 12:00:00', 'Ada', '' FROM linkedin_accounts",
    );
    for (path, count) in [("/accounts?state=paused", 1), ("/accounts?state=read", 0)] {
        let page = program.get(path).await.expect(200);
        assert_eq!(ids(&page).len(), count, "{path}");
    }
    let form = json(
        &program
            .get(&format!("/forms/{}", world.form))
            .await
            .expect(200),
    );
    assert_eq!(form["versions"][0]["number"], 1);
    assert_eq!(form["versions"][0]["questions"][0]["type"], "text");
    let status = json(&program.get("/sync-status").await.expect(200));
    assert_eq!(
        (&status["accounts"], &status["leads"]),
        (&1.into(), &1.into())
    );
    assert!(status["runs"]["running"].is_number());
}

#[tokio::test]
async fn mappings_and_strategies_are_read_with_their_versions() {
    let portal = seeded().await;
    let program = Program::new(&portal, TokenRole::ReadOnly);
    let page = program
        .get("/field-mappings?target=email")
        .await
        .expect(200);
    let mapping = json(&page)["data"][0].clone();
    assert_eq!(mapping["source"]["kind"], "predefined");
    assert_eq!(mapping["target"], "email");
    program
        .get("/field-mappings?target=nonsense")
        .await
        .expect(400);
    program
        .get("/matching-strategies?limit=1")
        .await
        .expect(400);
    let page = program.get("/matching-strategies").await.expect(200);
    let strategy = json(&page)["data"][0].clone();
    assert_eq!(strategy["is_active"], true);
    assert_eq!(strategy["fields"][0], "email");
    for (path, id) in [
        ("/field-mappings", &mapping["id"]),
        ("/matching-strategies", &strategy["id"]),
    ] {
        let path = format!("{path}/{}", id.as_str().unwrap());
        let page = program.get(&path).await.expect(200);
        let tag = page.header("etag").unwrap().to_owned();
        program
            .send("GET", &path, &[("if-none-match", &tag)], None)
            .await
            .expect(304);
    }
}

#[tokio::test]
async fn an_owner_is_named_by_address_and_must_be_an_active_person() {
    let (portal, world) = with_world().await;
    let program = Program::new(&portal, TokenRole::S2sInbound);
    let path = format!("/leads/{}", world.lead);
    let olga = portal.add(
        someone()
            .name("Olga")
            .email("olga@people.example")
            .role(Role::Salesperson),
    );
    portal.add(
        someone()
            .name("Gone")
            .email("gone@people.example")
            .role(Role::Salesperson)
            .disabled(),
    );
    let any = [("if-match", "*")];
    for (body, field) in [
        (
            r#"{"owner_email":"gone@people.example"}"#.to_owned(),
            "owner_email",
        ),
        (
            r#"{"owner_email":"nobody@people.example"}"#.to_owned(),
            "owner_email",
        ),
        (r#"{"owner_email":"nonsense"}"#.to_owned(), "owner_email"),
        (r#"{"owner_email":7}"#.to_owned(), "owner_email"),
        (
            format!(r#"{{"owner_id":"{olga}","owner_email":"olga@people.example"}}"#),
            "owner_email",
        ),
    ] {
        let page = program
            .change("PATCH", &path, &any, &body)
            .await
            .expect(422);
        assert_eq!(json(&page)["errors"][0]["field"], field, "{body}");
    }
    assert!(portal.audit().is_empty());
    let body = r#"{"owner_email":"OLGA@people.example"}"#;
    let page = program.change("PATCH", &path, &any, body).await.expect(200);
    assert_eq!(json(&page)["owner_id"], olga.as_str());
    assert_eq!(portal.audit(), ["lead.edited"]);
}

#[tokio::test]
async fn a_deployment_that_hides_linkedin_hides_it_from_programs_and_leaves_the_leads() {
    let portal = TestPortal::start_with(&[("LEADGEN_POLICY_SHOW_LINKEDIN", "disabled")]).await;
    for role in TokenRole::ALL {
        let program = Program::new(&portal, *role);
        for line in table().iter().filter(|line| role.allows(line.needs)) {
            let path = line.path.replace("{id}", NOBODY);
            let page = program.send(line.method.as_str(), &path, &[], None).await;
            if is_about_linkedin(line.path) {
                assert_eq!(page.status, 403, "{path}");
                assert!(
                    page.body.contains("switched LinkedIn features off"),
                    "{}",
                    page.body
                );
            } else {
                assert_ne!(page.status, 403, "{path}");
            }
        }
    }
}
