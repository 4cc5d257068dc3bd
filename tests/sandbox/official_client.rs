//! LinkedIn's official Python client (PyPI `linkedin-api-client` 0.3.0) against the sandbox, unchanged but for its base addresses.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use leadgen::sandbox::{Settings, TruthFilter};
use serde_json::json;

use crate::support::sandbox;

const NO_PYTHON: &str =
    "this test needs python3 with venv: apt-get install python3 python3-venv (tests/run does it)";

pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sandbox")
}

/// A virtual environment of this name with a client in it, made once and kept in `target/`. Made under another name first, because several
/// test runs may want it at once.
pub fn python(name: &str, modules: &str, requirements: &str) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let environment = target.join(name);
    let python = environment.join("bin/python");
    let works = |python: &Path| {
        Command::new(python)
            .args(["-c", &format!("import {modules}")])
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    };
    if works(&python) {
        return python;
    }
    let fresh = tempfile::Builder::new()
        .prefix(&format!("{name}-"))
        .tempdir_in(target)
        .unwrap();
    let made = Command::new("python3")
        .args(["-m", "venv"])
        .arg(fresh.path())
        .status();
    assert!(made.is_ok_and(|status| status.success()), "{NO_PYTHON}");
    let installed = Command::new(fresh.path().join("bin/python"))
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
            "-r",
        ])
        .arg(folder().join(requirements))
        .status();
    assert!(
        installed.is_ok_and(|status| status.success()),
        "pip could not install tests/sandbox/{requirements}: this test needs PyPI (or a mirror set in pip's configuration)"
    );
    let fresh = fresh.keep();
    match std::fs::rename(&fresh, &environment) {
        Ok(()) => python,
        // Somebody else was quicker: theirs is as good.
        Err(_) if works(&python) => {
            std::fs::remove_dir_all(&fresh).unwrap();
            python
        }
        Err(error) => panic!("{}: {error}", environment.display()),
    }
}

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
    let mut child = Command::new(python(
        "linkedin-api-client-0.3.0",
        "linkedin_api",
        "requirements.txt",
    ))
    .arg(folder().join("official_client.py"))
    .stdin(Stdio::piped())
    .stdout(Stdio::piped())
    .stderr(Stdio::piped())
    .spawn()
    .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(truth.to_string().as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
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
