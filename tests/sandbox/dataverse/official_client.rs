//! Microsoft's official Python client (PyPI `PowerPlatform-Dataverse-Client` 1.1.0) against the sandbox, unchanged: it signs in with
//! `azure-identity`, and trusts the certificate by `REQUESTS_CA_BUNDLE`.

use std::process::Command;

use leadgen::sandbox::dataverse::{CLIENT_ID, CLIENT_SECRET, DataverseOptions, TENANT, start};
use serde_json::json;

use crate::python::{below_tests, python, run};

#[test]
fn the_official_python_client_works_against_the_sandbox() {
    let sandbox = start(DataverseOptions::default()).unwrap();
    let folder_of_certificate = tempfile::tempdir().unwrap();
    let certificate = folder_of_certificate.path().join("authority.pem");
    std::fs::write(&certificate, sandbox.certificate_pem()).unwrap();
    let told = json!({
        "base": sandbox.url(), "tenant": TENANT, "client_id": CLIENT_ID, "secret": CLIENT_SECRET,
    });
    let python = python(
        "powerplatform-dataverse-client-1.1.0",
        "PowerPlatform.Dataverse.client, azure.identity",
        "sandbox/requirements_dataverse.txt",
    );
    let output = run(
        Command::new(python)
            .arg(below_tests("sandbox/official_dataverse_client.py"))
            .env("REQUESTS_CA_BUNDLE", &certificate),
        &told.to_string(),
    );
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let left = said["created"].as_u64().unwrap() - said["deleted"].as_u64().unwrap();
    assert_eq!(sandbox.count("lead") as u64, left);
    let requests = sandbox.requests();
    assert!(requests.iter().any(|one| one.path.ends_with("/$batch")));
}
