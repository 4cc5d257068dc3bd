//! The API's document: what it names is what there is, it is valid, and everybody may read it.

use std::collections::BTreeSet;
use std::process::Command;

use leadgen::domain::access::TokenRole;
use leadgen::web::api::document::PATH;
use leadgen::web::api::routes::table;
use reqwest::Method;
use serde_json::Value;

use crate::api_program::{Program, json};
use crate::start::TestPortal;
use crate::support::python::{below_tests, python, run};

/// What the document and schemathesis need.
pub fn tools() -> std::path::PathBuf {
    python(
        "schemathesis-4.32.5",
        "schemathesis, openapi_spec_validator",
        "portal/api_contract/requirements.txt",
    )
}

async fn document() -> Value {
    let portal = TestPortal::start().await;
    json(&portal.browser().visit(PATH).await.expect(200))
}

/// Each operation as “GET /leads”, with what the document says of it.
fn operations(document: &Value) -> Vec<(String, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    let items = paths
        .iter()
        .flat_map(|(path, item)| item.as_object().unwrap().iter().map(move |one| (path, one)));
    items
        .map(|(path, (method, operation))| (format!("{} {path}", method.to_uppercase()), operation))
        .collect()
}

#[tokio::test]
async fn the_document_names_every_route_of_the_table_and_no_other() {
    let document = document().await;
    assert_eq!(document["openapi"], "3.1.0");
    let named: BTreeSet<String> = operations(&document)
        .into_iter()
        .map(|(head, _)| head)
        .collect();
    let there: BTreeSet<String> = table()
        .iter()
        .map(|line| format!("{} {}", line.method, line.path))
        .collect();
    assert_eq!(named, there);
    let ids: BTreeSet<&str> = operations(&document)
        .into_iter()
        .map(|(_, operation)| operation["operationId"].as_str().unwrap())
        .collect();
    assert_eq!(ids.len(), there.len(), "an operation’s name stands twice");
}

#[tokio::test]
async fn each_operation_says_which_refusals_it_may_answer() {
    let document = document().await;
    for (head, operation) in operations(&document) {
        let answers = |status: &str| operation["responses"].get(status).is_some();
        for status in ["401", "429", "503"] {
            assert!(answers(status), "{head} {status}");
        }
        assert_eq!(answers("404"), head.contains("{id}"), "{head}");
        assert_eq!(answers("428"), head.starts_with("PATCH"), "{head}");
        let takes_body = operation.get("requestBody").is_some();
        for status in ["413", "415", "422"] {
            assert_eq!(answers(status), takes_body, "{head} {status}");
        }
        let line = table()
            .into_iter()
            .find(|line| head == format!("{} {}", line.method, line.path))
            .unwrap();
        if !TokenRole::ReadOnly.allows(line.needs) {
            assert!(answers("403"), "{head}");
        }
    }
}

#[tokio::test]
async fn the_document_is_valid_and_its_examples_are_what_its_schemas_say() {
    let mut command = Command::new(tools());
    let output = run(
        command.arg(below_tests("portal/api_contract/check_document.py")),
        &document().await.to_string(),
    );
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(said["examples"].as_u64().unwrap() >= 30, "{said}");
}

#[tokio::test]
async fn everybody_reads_the_document_without_a_session_and_it_tells_nothing_of_what_is_stored() {
    let portal = TestPortal::start().await;
    let browser = portal.browser();
    let page = browser.visit(PATH).await.expect(200);
    assert_eq!(page.header("content-type"), Some("application/json"));
    assert!(page.header("set-cookie").is_none());
    assert!(!page.body.contains(&portal.address));
    assert!(!page.body.contains(env!("CARGO_PKG_VERSION")));
    let head = browser.request(Method::HEAD, PATH, &[], None).await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    let page = browser.request(Method::POST, PATH, &[], None).await;
    assert_eq!(
        (page.status, json(&page)["status"].as_i64()),
        (405, Some(405))
    );
    let elsewhere = [("host", "evil.test")];
    let page = browser.request(Method::GET, PATH, &elsewhere, None).await;
    assert_eq!(page.status, 421);
    // The API beside it still asks for its token.
    assert_eq!(browser.visit("/api/v1/leads").await.status, 401);
    let program = Program::new(&portal, TokenRole::ReadOnly);
    program.get("/openapi.json").await.expect(200);
}
