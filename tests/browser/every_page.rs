//! Every page of the route table, with LinkedIn's hostile data in it: no accessibility violation that axe finds, in light
//! and dark; valid HTML; no sideways scrolling at 320 px; nothing blocked by the content security policy.

use std::path::{Path, PathBuf};
use std::process::Command;

use actix_web::http::Method;
use leadgen::domain::access::Role;
use leadgen::web::access::Access;
use leadgen::web::routes::table;
use serde_json::{Value, json};

use crate::support::browserlike::Browserlike;
use crate::support::chromium::Chromium;
use crate::support::installation::{Installation, PASSWORD};

const ADMINISTRATOR: &str = "ada@example.com";

/// Which record stands for the variable of a path, by the part of the path before it.
const RECORDS: &[(&str, &str)] = &[
    ("/leads/views/", "SELECT id FROM lead_views LIMIT 1"),
    ("/leads/imports/", "SELECT id FROM lead_imports LIMIT 1"),
    (
        "/leads/{id}/notes/",
        "SELECT lead_id || '/notes/' || id FROM lead_notes LIMIT 1",
    ),
    (
        "/leads/{id}/merges/",
        "SELECT survivor_id || '/merges/' || id FROM lead_merges LIMIT 1",
    ),
    (
        "/settings/custom-fields/",
        "SELECT name FROM custom_fields LIMIT 1",
    ),
    (
        "/leads/",
        // Several submissions, so that there is much to see.
        "SELECT lead_id FROM lead_origins ORDER BY submission_count DESC, lead_id LIMIT 1",
    ),
    (
        "/linkedin-user-profiles/",
        "SELECT id FROM linkedin_user_profiles ORDER BY authorization_status LIMIT 1",
    ),
    (
        "/linkedin-accounts/",
        "SELECT account_id FROM form_submissions GROUP BY account_id ORDER BY count(*) DESC LIMIT 1",
    ),
    (
        "/forms/",
        "SELECT form_id FROM lead_form_versions GROUP BY form_id ORDER BY count(*) DESC LIMIT 1",
    ),
    (
        "/form-submissions/",
        "SELECT id FROM form_submissions WHERE matching_status = 'updated_existing_lead' LIMIT 1",
    ),
    (
        "/sync-status/runs/",
        "SELECT id FROM sync_runs WHERE status <> 'succeeded' LIMIT 1",
    ),
    ("/settings/groups/", "SELECT id FROM groups LIMIT 1"),
    ("/settings/webhooks/", "SELECT id FROM webhooks LIMIT 1"),
    (
        "/deliveries/",
        "SELECT id FROM deliveries WHERE reason = 'needs_person'",
    ),
    (
        "/settings/organizations/",
        "SELECT organization_id FROM dataverse_organizations LIMIT 1",
    ),
    (
        "/settings/groups/{id}/additions/",
        "SELECT group_id || '/additions/' || id FROM group_additions LIMIT 1",
    ),
    ("/settings/users/", "SELECT id FROM users LIMIT 1"),
    ("/settings/api-tokens/", "SELECT id FROM api_tokens LIMIT 1"),
    (
        "/settings/field-mappings/",
        "SELECT id FROM field_mappings LIMIT 1",
    ),
    (
        "/settings/matching-strategies/",
        "SELECT id FROM matching_strategies LIMIT 1",
    ),
];

fn tools() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/node_modules");
    assert!(
        folder.join("axe-core/axe.min.js").is_file() && folder.join(".bin/html-validate").exists(),
        "axe-core and html-validate are not installed: run tests/run, it installs them"
    );
    folder
}

/// The path with a real record in place of its variables; `None` when there is no such record.
fn concrete(installation: &Installation, pattern: &str) -> Option<String> {
    let Some((before, rest)) = pattern.rsplit_once('{') else {
        return Some(pattern.to_owned());
    };
    let after = rest.split_once('}').unwrap().1;
    let query = RECORDS
        .iter()
        .find(|(prefix, _)| *prefix == before)
        .unwrap_or_else(|| panic!("say in RECORDS which record stands in {pattern}"))
        .1;
    let id = installation.database.texts(query).into_iter().next()?;
    // With two variables the record tells both, and what stands between them.
    let before = before.split('{').next().unwrap();
    Some(format!("{before}{id}{after}"))
}

/// The pages of the table that are HTML for an Administrator, with what they hold.
async fn pages(installation: &Installation, visitor: &Browserlike) -> Vec<(String, String)> {
    let leads = some_leads(installation);
    let mut paths: Vec<String> = table()
        .into_iter()
        .filter(|line| {
            line.method == Method::GET
                && !matches!(line.access, Access::Public | Access::Open | Access::Signed)
        })
        .filter_map(|line| concrete(installation, line.path))
        // A stream has no end to wait for.
        .filter(|path| !path.ends_with("/events"))
        .collect();
    paths.push(format!("/leads/{}/merge?with={}", leads[0], leads[1]));
    // Public, but a page like the others.
    paths.push("/api/reference".to_owned());
    let mut pages = Vec::new();
    for path in paths {
        let page = visitor.get(&path).await;
        assert!(page.status < 500, "{path}: {}", page.status);
        if page.is_html() {
            assert!(
                !page.body.is_empty(),
                "{path} answers {} with an empty page",
                page.status
            );
            pages.push((path, page.body));
        }
    }
    pages
}

async fn sign_in(installation: &Installation) -> Browserlike {
    let visitor = installation.browser();
    let page = visitor.get("/sign-in").await.expect(200);
    let fields = [("email", Some(ADMINISTRATOR)), ("password", Some(PASSWORD))];
    visitor.submit(&page, "Sign in", &fields).await.expect(303);
    visitor
}

/// A portal that has synchronised everything the sandbox holds, its hostile texts included.
async fn full_installation() -> Installation {
    let mut installation = Installation::new().await;
    installation.connect("Northwind <b>ads</b> & “co”").await;
    installation.sync().await;
    installation.add_person(
        ADMINISTRATOR,
        "Ada <script>alert(1)</script> \u{202e}rotartsinimdA",
        &[Role::Administrator],
    );
    // What a synchronization does not bring, with text that would break a careless page.
    let hostile = "<img src=x onerror=alert(1)> \u{202e}txet \u{1f98a} \"quoted\" & 'so on'";
    let day = "'2026-03-01 10:00:00', '2026-03-01 10:00:00', 1";
    installation.database.execute(&format!(
        "INSERT INTO custom_fields (name, label, kind, choices, is_retired, created_at, updated_at, lock_version) \
         VALUES ('budget', '{label}', 'choice', '[\"<b>small</b>\",\"large\"]', FALSE, {day})",
        label = hostile.replace('\'', "''")
    ));
    let text = hostile.replace('\'', "''");
    installation.database.execute(&format!(
        "INSERT INTO lead_notes (id, lead_id, user_id, body, created_at, updated_at, lock_version) \
         SELECT '018f2a3c-0000-7000-8000-0000000000a1', lead_id, (SELECT id FROM users WHERE email = '{ADMINISTRATOR}'), '{text}', {day} \
         FROM lead_origins ORDER BY submission_count DESC, lead_id LIMIT 1"
    ));
    installation.database.execute(&format!(
        "INSERT INTO lead_views (id, user_id, name, name_key, query, is_shared, created_at, updated_at, lock_version) \
         SELECT '018f2a3c-0000-7000-8000-0000000000a2', id, '{text}', 'view', 'status=new', TRUE, {day} FROM users WHERE email = '{ADMINISTRATOR}'"
    ));
    let group = "018f2a3c-0000-7000-8000-0000000000a3";
    installation.database.execute(&format!(
        "INSERT INTO groups (id, name, name_key, created_at, updated_at, lock_version) VALUES ('{group}', '{text}', 'group', {day})"
    ));
    installation.database.execute(&format!(
        "INSERT INTO group_members (group_id, user_id, added_at) SELECT '{group}', id, '2026-03-01 10:00:00' FROM users WHERE email = '{ADMINISTRATOR}'"
    ));
    let organization = "018f2a3c-0000-7000-8000-0000000000a4";
    let columns = r#"[{"name":"subject","label":"Topic & <b>subject</b>","kind":{"text":{"max_length":300}},"is_required":true,"can_create":true,"can_update":true}]"#;
    installation.database.execute(&format!(
        "INSERT INTO organizations (id, name, created_at, updated_at, lock_version, kind) VALUES ('{organization}', '{text}', {day}, 'dynamics_365')"
    ));
    installation.database.execute(&format!(
        "INSERT INTO dataverse_organizations (organization_id, address, tenant, client_id, credential_kind, credential, credential_hint, credential_set_at, is_enabled, checked_at, check_step, check_trouble, check_detail, missing_privileges, lead_columns, columns_read_at) \
         VALUES ('{organization}', 'https://contoso.crm4.dynamics.com', 'contoso.onmicrosoft.com', 'app', 'secret', '', '…WXYZ', '2026-03-01 10:00:00', FALSE, '2026-03-01 10:00:00', 'privileges', 'missing_privilege', '{text}', 'prvCreateLead', '{columns}', '2026-03-01 10:00:00')"
    ));
    // Switched off, so that nobody works on it.
    installation.database.execute(&format!(
        "INSERT INTO delivery_lanes (id, organization_id, is_enabled, not_before, trouble_count, lease_term, created_at) \
         VALUES ('{organization}', '{organization}', FALSE, '2026-03-01 10:00:00', 0, 0, '2026-03-01 10:00:00')"
    ));
    let candidates = format!(
        r#"[{{"record_id":"{organization}","status":"qualified","modified_at":"2026-03-01T10:00:00Z"}}]"#
    );
    let misfits = r#"[{"part":"topic","column":"subject","why":"too_long"}]"#;
    installation.database.execute(&format!(
        "INSERT INTO organization_leads (organization_id, lead_id, state, sent, misfits, candidates, updated_at) \
         SELECT '{organization}', lead_id, 'waiting', '{{}}', '{misfits}', '{candidates}', '2026-03-01 10:00:00' \
         FROM lead_origins ORDER BY lead_id LIMIT 1"
    ));
    installation.database.execute(&format!(
        "INSERT INTO deliveries (id, lane_id, event, lead_id, state, attempts, retried_from, next_attempt_at, reason, detail, created_at, updated_at) \
         SELECT '{organization}', '{organization}', 'lead_saved', lead_id, 'dead', 1, 0, '2026-03-01 10:00:00', 'needs_person', '{text}', '2026-03-01 10:00:00', '2026-03-01 10:00:00' \
         FROM lead_origins ORDER BY lead_id LIMIT 1"
    ));
    let webhook = "018f2a3c-0000-7000-8000-0000000000a5";
    installation.database.execute(&format!(
        "INSERT INTO webhooks (id, name, url, events, secret, created_at, updated_at, lock_version) \
         VALUES ('{webhook}', '{text}', 'https://hooks.example.com/', 'lead_created', '', {day})"
    ));
    // Switched off, so that nobody works on it.
    installation.database.execute(&format!(
        "INSERT INTO delivery_lanes (id, webhook_id, is_enabled, not_before, trouble, trouble_detail, trouble_since, trouble_count, lease_term, created_at) \
         VALUES ('{webhook}', '{webhook}', FALSE, '2026-03-01 10:00:00', 'service_error', '{text}', '2026-03-01 10:00:00', 3, 0, '2026-03-01 10:00:00')"
    ));
    installation.database.execute(&format!(
        "INSERT INTO deliveries (id, lane_id, event, lead_id, state, attempts, retried_from, next_attempt_at, reason, detail, created_at, updated_at) \
         SELECT '{webhook}', '{webhook}', 'lead_created', lead_id, 'dead', 1, 0, '2026-03-01 10:00:00', 'refused', '{text}', '2026-03-01 10:00:00', '2026-03-01 10:00:00' \
         FROM lead_origins ORDER BY lead_id LIMIT 1"
    ));
    installation.database.execute(&format!(
        "INSERT INTO delivery_attempts (delivery_id, attempt, started_at, duration_ms, status, reason, message) \
         VALUES ('{webhook}', 1, '2026-03-01 10:00:00', 20, 400, 'refused', '{text}')"
    ));
    installation.serve(false);
    let visitor = sign_in(&installation).await;
    let page = visitor.get("/leads/imports/new").await.expect(200);
    let pasted = format!("First name,E-mail,{hostile}\r\nÉva,eva@import.example,=1+1\r\n");
    visitor
        .submit(&page, "Read the file", &[("text", Some(&pasted))])
        .await
        .expect(303);
    let leads = some_leads(&installation);
    let path = format!("/leads/{}/merge?with={}", leads[0], leads[1]);
    let page = visitor.get(&path).await.expect(200);
    visitor
        .submit(&page, "Merge the two leads", &[])
        .await
        .expect(303);
    installation
}

/// The leads with the fewest submissions.
fn some_leads(installation: &Installation) -> Vec<String> {
    installation
        .database
        .texts("SELECT lead_id FROM lead_origins ORDER BY submission_count, lead_id LIMIT 2")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_is_valid_html() {
    let tools = tools();
    let installation = full_installation().await;
    let visitor = sign_in(&installation).await;
    let folder = tempfile::tempdir().unwrap();
    let mut names = Vec::new();
    let stranger = installation.browser().get("/sign-in").await.expect(200);
    let missing = visitor.get("/no-such-page").await.expect(404);
    let mut all = pages(&installation, &visitor).await;
    all.push(("/sign-in".to_owned(), stranger.body));
    all.push(("/no-such-page".to_owned(), missing.body));
    for (at, (path, body)) in all.iter().enumerate() {
        let file = format!("{at:03}.html");
        std::fs::write(folder.path().join(&file), body).unwrap();
        names.push((file, path));
    }
    let output = Command::new(tools.join(".bin/html-validate"))
        .args([
            "--config",
            "tests/browser/.htmlvalidate.json",
            "--formatter",
            "text",
        ])
        .arg(folder.path().join("*.html"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let mut said = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    for (file, path) in names {
        said = said.replace(&folder.path().join(&file).display().to_string(), path);
    }
    assert!(output.status.success(), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn axe_finds_nothing_on_any_page_and_nothing_scrolls_sideways() {
    let axe = std::fs::read_to_string(tools().join("axe-core/axe.min.js")).unwrap();
    let installation = full_installation().await;
    let visitor = sign_in(&installation).await;
    let paths: Vec<String> = pages(&installation, &visitor)
        .await
        .into_iter()
        .map(|(path, _)| path)
        .collect();
    let browser = Chromium::start(&installation.address()).await;
    browser.open("/sign-in").await;
    let mut found = check(&browser, &axe, "/sign-in").await;
    browser.open("/").await;
    browser.fill("E-mail address", ADMINISTRATOR).await;
    browser.fill("Password", PASSWORD).await;
    browser.click("Sign in").await;
    browser.expect("Sign out").await;
    for path in &paths {
        browser.open(path).await;
        found.extend(check(&browser, &axe, path).await);
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
    let complaints: Vec<String> = browser
        .complaints()
        .await
        .into_iter()
        // A record that is asked for in a state that the page is not for.
        .filter(|complaint| !complaint.contains("the server responded with a status of 4"))
        .collect();
    assert_eq!(complaints, Vec::<String>::new());
}

/// What is wrong with the page that is open: in both themes, and at 320 px.
async fn check(browser: &Chromium, axe: &str, path: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (theme, width) in [("light", 1280), ("dark", 1280), ("light", 320)] {
        browser
            .cdp(
                "Emulation.setEmulatedMedia",
                json!({ "features": [
                    { "name": "prefers-color-scheme", "value": theme },
                    // A transition would be measured in the middle.
                    { "name": "prefers-reduced-motion", "value": "reduce" },
                ] }),
            )
            .await;
        browser
            .cdp(
                "Emulation.setDeviceMetricsOverride",
                json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false }),
            )
            .await;
        if width == 320 {
            let wide = browser
                .measure("return document.documentElement.scrollWidth")
                .await;
            if wide.as_i64().is_none_or(|wide| wide > 320) {
                found.push(format!("{path} is {wide} px wide at 320 px"));
            }
        }
        let script = format!(
            "{axe}\nconst done = arguments[arguments.length - 1];\
             axe.run(document, {{ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }})\
             .then((result) => done(result.violations.map((one) => ({{ id: one.id, help: one.help, nodes: one.nodes.slice(0, 3).map((node) => node.html + ' | ' + node.failureSummary) }}))), (error) => done([{{ id: 'axe', help: String(error), nodes: [] }}]));"
        );
        let violations = browser
            .client()
            .execute_async(&script, Vec::new())
            .await
            .unwrap();
        for violation in violations.as_array().expect("a list") {
            let nodes: Vec<&str> = violation["nodes"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect();
            found.push(format!(
                "{path} ({theme}, {width} px): {} {}\n    {}",
                violation["id"],
                violation["help"],
                nodes.join("\n    ")
            ));
        }
    }
    found
}
