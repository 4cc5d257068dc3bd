//! `/api/v1`: who may, how errors read, how much at once; and leads.

use chrono::TimeDelta;
use leadgen::domain::access::{Role, TokenRole};
use leadgen::domain::lead::LeadStatus;
use leadgen::web::api::routes::table;
use reqwest::Method;

use crate::api_program::{Program, ids, json};
use crate::records_world::with_world;
use crate::start::TestPortal;
use crate::support::{a_lead, a_moment, a_user};

const NOBODY: &str = "018f2a3c-0000-7000-8000-0000000000ab";

#[tokio::test]
async fn each_role_reaches_what_its_permissions_allow_and_nothing_else() {
    let portal = TestPortal::start().await;
    for role in TokenRole::ALL {
        let program = Program::new(&portal, *role);
        for line in table() {
            let path = line.path.replace("{id}", NOBODY);
            let page = program.send(line.method.as_str(), &path, &[], None).await;
            let what = format!("{role} {} {path}: {}", line.method, page.status);
            if !role.allows(line.needs) {
                assert_eq!(page.status, 403, "{what}");
            } else if line.method == Method::GET.as_str() {
                assert!(matches!(page.status, 200 | 404), "{what}");
            } else {
                assert!(matches!(page.status, 400..=428), "{what}");
                assert!(!matches!(page.status, 401 | 403), "{what}");
            }
        }
    }
    assert!(portal.audit().is_empty());
}

#[tokio::test]
async fn without_a_token_that_works_nothing_is_told() {
    let portal = TestPortal::start().await;
    let stranger = portal.browser();
    let unknown = format!("Bearer lgc_{}", "0a".repeat(32));
    for line in table() {
        let path = format!("/api/v1{}", line.path.replace("{id}", NOBODY));
        for authorization in [None, Some("Basic eDp5"), Some("Bearer x"), Some(&unknown)] {
            let headers: Vec<(&str, &str)> = authorization
                .map(|text| ("authorization", text))
                .into_iter()
                .collect();
            let method: Method = line.method.as_str().parse().unwrap();
            let page = stranger.request(method, &path, &headers, None).await;
            assert_eq!(page.status, 401, "{path}");
            assert!(
                page.header("www-authenticate")
                    .unwrap()
                    .starts_with("Bearer")
            );
            assert_eq!(json(&page)["status"], 401);
        }
    }
    // A session is no token, and a token is no session.
    let person = portal.sign_in_as(&[Role::Administrator]).await;
    assert_eq!(person.visit("/api/v1/leads").await.status, 401);
    let program = Program::new(&portal, TokenRole::S2sInbound);
    let bearer = format!("Bearer {}", program.token);
    let page = stranger
        .request(Method::GET, "/leads", &[("authorization", &bearer)], None)
        .await;
    assert_eq!(page.status, 303);
    // Neither does a token in the address count.
    let path = format!("/api/v1/leads?access_token={}", program.token);
    assert_eq!(stranger.visit(&path).await.status, 401);
}

#[tokio::test]
async fn a_token_ends_when_it_expires_or_is_revoked_and_its_use_is_noted_once_a_minute() {
    let portal = TestPortal::start().await;
    let program = Program::new(&portal, TokenRole::ReadOnly);
    let uses = || {
        portal
            .database
            .texts("SELECT CAST(last_used_at AS TEXT) AS value FROM api_tokens")
    };
    for (seconds, minute) in [(0, "10:00:00"), (59, "10:00:00"), (1, "10:01:00")] {
        portal.clock.advance(TimeDelta::seconds(seconds));
        program.get("/leads").await.expect(200);
        assert!(uses()[0].contains(minute), "{:?}", uses());
    }
    portal.clock.advance(TimeDelta::days(30));
    let page = program.get("/leads").await.expect(401);
    assert!(page.body.contains("expired"), "{}", page.body);
    let program = Program::new(&portal, TokenRole::ReadOnly);
    portal.database.execute(&format!(
        "UPDATE api_tokens SET expires_at = '2027-01-01 00:00:00', revoked_at = '2026-03-02 10:00:00' WHERE id = '{}'",
        program.id
    ));
    let page = program.get("/leads").await.expect(401);
    assert!(page.body.contains("revoked"), "{}", page.body);
    assert!(
        page.header("www-authenticate")
            .unwrap()
            .contains("invalid_token")
    );
}

#[tokio::test]
async fn a_token_that_asks_too_often_is_told_when_to_come_back_and_others_go_on() {
    let portal = TestPortal::start_with(&[("LEADGEN_API_REQUESTS_PER_MINUTE", "12")]).await;
    let eager = Program::new(&portal, TokenRole::ReadOnly);
    let other = Program::new(&portal, TokenRole::ReadOnly);
    for _ in 0..2 {
        eager.get("/leads").await.expect(200);
    }
    let page = eager.get("/leads").await.expect(429);
    assert_eq!(page.header("retry-after"), Some("5"));
    other.get("/leads").await.expect(200);
    portal.clock.advance(TimeDelta::seconds(5));
    eager.get("/leads").await.expect(200);
    eager.get("/leads").await.expect(429);
}

#[tokio::test]
async fn every_refusal_is_a_problem_that_names_its_request_and_no_page() {
    let (portal, world) = with_world().await;
    let program = Program::new(&portal, TokenRole::S2sInbound);
    let lead = format!("/leads/{}", world.lead);
    for (method, path, status) in [
        ("GET", "/nothing", 404),
        ("GET", "", 404),
        ("GET", "/leads/1", 404),
        ("DELETE", lead.as_str(), 405),
        ("POST", "/leads", 405),
        ("GET", "/leads?limit=0", 400),
        ("GET", "/leads?limit=201", 400),
        ("GET", "/leads?cursor=x", 400),
        ("GET", "/leads?status=won", 400),
        ("GET", "/leads?status=new&status=new", 400),
        ("GET", "/leads?stauts=new", 400),
        ("GET", "/leads?q=%00", 400),
        ("GET", "/leads?q=%ff", 400),
    ] {
        let page = program.send(method, path, &[], None).await;
        assert_eq!(page.status, status, "{method} {path}: {}", page.body);
        let problem = json(&page);
        assert_eq!(problem["status"], status, "{path}");
        assert_eq!(problem["type"], "about:blank");
        assert!(!problem["title"].as_str().unwrap().is_empty());
        assert_eq!(
            problem["request_id"].as_str(),
            page.header("x-request-id"),
            "{path}"
        );
    }
    let page = program.get("/leads?limit=0").await;
    assert_eq!(json(&page)["errors"][0]["field"], "limit");
    let page = program.send("DELETE", &lead, &[], None).await;
    assert_eq!(page.header("allow"), Some("GET, HEAD, PATCH"));
    // Larger than any body may be, and a host that is not ours.
    let large = "x".repeat(300_000);
    let page = program.change("PATCH", &lead, &[], &large).await;
    assert_eq!(
        (page.status, json(&page)["status"].as_i64()),
        (413, Some(413))
    );
    let page = program
        .send("GET", "/leads", &[("host", "evil.test")], None)
        .await;
    assert_eq!(page.status, 421);
    // A program that takes no JSON.
    let bearer = format!("Bearer {}", program.token);
    let page = portal
        .browser()
        .request(
            Method::GET,
            "/api/v1/leads",
            &[("authorization", &bearer)],
            None,
        )
        .await;
    assert_eq!(
        (page.status, json(&page)["status"].as_i64()),
        (406, Some(406))
    );
}

#[tokio::test]
async fn leads_are_listed_page_by_page_without_gaps_in_every_order() {
    let portal = TestPortal::start().await;
    let program = Program::new(&portal, TokenRole::ReadOnly);
    let owner = portal.add(a_user().name("Sam").role(Role::Salesperson));
    for number in 0..7 {
        a_lead()
            .owner(&owner)
            .name("Ada", &format!("Name {}", 9 - number))
            .created_at(a_moment() - TimeDelta::minutes(number / 2))
            .insert(&mut portal.database.conn());
    }
    for sort in ["newest", "latest", "name"] {
        let whole = ids(&program
            .get(&format!("/leads?sort={sort}"))
            .await
            .expect(200));
        assert_eq!(whole.len(), 7);
        let mut paged = Vec::new();
        let mut path = format!("/leads?sort={sort}&limit=3");
        for _ in 0..10 {
            let page = program.get(&path).await.expect(200);
            paged.extend(ids(&page));
            match json(&page)["next_cursor"].as_str() {
                Some(cursor) => path = format!("/leads?sort={sort}&limit=3&cursor={cursor}"),
                None => break,
            }
        }
        assert_eq!(paged, whole, "{sort}");
    }
    let page = program.get("/leads?limit=3").await;
    let cursor = json(&page)["next_cursor"].as_str().unwrap().to_owned();
    program
        .get(&format!("/leads?sort=name&cursor={cursor}"))
        .await
        .expect(400);
    let found = program.get("/leads?q=name+9").await.expect(200);
    assert_eq!(ids(&found).len(), 1);
    for (filter, count) in [
        (format!("owner={owner}"), 7),
        ("status=qualified".to_owned(), 0),
        ("created_from=2026-03-03".to_owned(), 0),
        ("created_to=2026-03-02&source=manual".to_owned(), 7),
    ] {
        let page = program.get(&format!("/leads?{filter}")).await.expect(200);
        assert_eq!(ids(&page).len(), count, "{filter}");
    }
}

#[tokio::test]
async fn a_lead_is_read_with_its_values_and_known_versions_are_not_sent_again() {
    let (portal, world) = with_world().await;
    let program = Program::new(&portal, TokenRole::ReadOnly);
    let path = format!("/leads/{}", world.lead);
    let page = program.get(&path).await.expect(200);
    let lead = json(&page);
    assert_eq!(lead["id"], world.lead.as_str());
    assert_eq!(lead["values"]["first_name"], "Ada");
    assert_eq!(lead["owner_id"], world.owner.as_str());
    assert_eq!(lead["account_id"], world.account.as_str());
    assert_eq!(lead["submission_count"], 1);
    assert_eq!(page.header("cache-control"), Some("no-store"));
    let etag = page.header("etag").unwrap().to_owned();
    let page = program
        .send("GET", &path, &[("if-none-match", &etag)], None)
        .await
        .expect(304);
    assert_eq!(
        (page.body.as_str(), page.header("etag")),
        ("", Some(etag.as_str()))
    );
    program.send("HEAD", &path, &[], None).await.expect(200);
}

#[tokio::test]
async fn status_and_owner_are_changed_from_the_version_that_was_read() {
    let (portal, world) = with_world().await;
    let program = Program::new(&portal, TokenRole::S2sInbound);
    let path = format!("/leads/{}", world.lead);
    let other = portal.add(a_user().name("Olga").role(Role::Salesperson));
    let gone = portal.add(a_user().name("Gone").role(Role::Salesperson).disabled());
    let etag = program.get(&path).await.header("etag").unwrap().to_owned();
    let matching = [("if-match", etag.as_str())];
    program
        .change("PATCH", &path, &[], r#"{"status":"contacted"}"#)
        .await
        .expect(428);
    program
        .change(
            "PATCH",
            &path,
            &[("if-match", "\"99\"")],
            r#"{"status":"contacted"}"#,
        )
        .await
        .expect(412);
    program
        .send("PATCH", &path, &matching, Some("status=contacted"))
        .await
        .expect(415);
    for (body, status, field) in [
        ("{", 400, ""),
        ("[]", 422, ""),
        ("{}", 422, ""),
        (r#"{"status":"won"}"#, 422, "status"),
        (r#"{"status":null}"#, 422, "status"),
        (r#"{"owner_id":7}"#, 422, "owner_id"),
        (r#"{"email":"x@example.com"}"#, 422, "email"),
        (&format!(r#"{{"owner_id":"{gone}"}}"#), 422, "owner_id"),
        (&format!(r#"{{"owner_id":"{NOBODY}"}}"#), 422, "owner_id"),
    ] {
        let page = program.change("PATCH", &path, &matching, body).await;
        assert_eq!(page.status, status, "{body}: {}", page.body);
        if status == 422 {
            assert_eq!(json(&page)["errors"][0]["field"], field, "{body}");
        }
    }
    assert!(portal.audit().is_empty());
    let body = format!(r#"{{"status":"qualified","owner_id":"{other}"}}"#);
    let page = program
        .change("PATCH", &path, &matching, &body)
        .await
        .expect(200);
    let lead = json(&page);
    assert_eq!(lead["status"], LeadStatus::Qualified.as_str());
    assert_eq!(lead["owner_id"], other.as_str());
    assert_ne!(page.header("etag"), Some(etag.as_str()));
    program
        .change("PATCH", &path, &matching, r#"{"status":"new"}"#)
        .await
        .expect(412);
    program
        .change(
            "PATCH",
            &format!("/leads/{NOBODY}"),
            &[("if-match", "*")],
            r#"{"status":"new"}"#,
        )
        .await
        .expect(404);
    assert_eq!(portal.audit(), ["lead.edited"]);
    assert_eq!(
        portal.database.texts(
            "SELECT actor_kind || ' ' || actor_name || ' ' || actor_roles AS value FROM audit_entries"
        ),
        ["s2s_inbound API token “S2S Inbound program” s2s_inbound"]
    );
    let person = portal.sign_in_as(&[Role::Administrator]).await;
    person
        .get(&format!("/leads/{}", world.lead))
        .await
        .expect(200)
        .expect_text("API token “S2S Inbound program”")
        .expect_text("Qualified");
}
