//! LinkedIn's official Python client (PyPI `linkedin-api-client` 0.3.0) against the sandbox, unchanged but for its base addresses.

use std::process::Command;

use leadgen::sandbox::{Settings, TruthFilter};
use serde_json::json;

use crate::python::{below_tests, python, run};
use crate::support::sandbox;

#[test]
fn the_official_python_client_works_against_the_sandbox() {
    let sandbox = sandbox(
        200,
        Settings {
            refresh_tokens: true,
            ..Settings::default()
        },
    );
    let account = sandbox.accounts()[0].id;
    let owner = format!("urn:li:sponsoredAccount:{account}");
    let filter = TruthFilter {
        account: Some(account),
        test: Some(false),
        ..TruthFilter::default()
    };
    let responses: Vec<String> = sandbox
        .truth(filter)
        .into_iter()
        .map(|one| one.id)
        .collect();
    let forms: Vec<i64> = sandbox
        .forms()
        .iter()
        .filter(|form| form.owner == owner)
        .map(|form| form.id)
        .collect();
    let truth = json!({
        "base": sandbox.base_url(), "email": "ada@northwind.example", "password": "sandbox", "accounts": 6,
        "account": account, "forms": forms, "responses": responses,
    });
    let python = python(
        "linkedin-api-client-0.3.0",
        "linkedin_api",
        "sandbox/requirements.txt",
    );
    let output = run(
        Command::new(python).arg(below_tests("sandbox/official_client.py")),
        &truth.to_string(),
    );
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(said["responses"], responses.len());
    let requests = sandbox.requests();
    assert!(
        requests
            .iter()
            .any(|request| request.tunneled && request.status == 200)
    );
}
