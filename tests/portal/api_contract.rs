//! schemathesis (PyPI) against a real portal: what the API answers is what its document says, for both roles of tokens.

use std::process::Command;

use leadgen::domain::access::{Role, TokenRole};
use leadgen::web::api::document::PATH;

use crate::api_document::tools;
use crate::api_program::Program;
use crate::records_world::{World, world};
use crate::start::TestPortal;
use crate::support::python::{below_tests, run};
use crate::support::records::{a_run, seed_defaults};
use crate::support::{a_moment, a_user};

/// A portal whose clock stands still, so that nothing is ever allowed again: enough at once for a whole run.
const OFTEN: [(&str, &str); 1] = [("LEADGEN_API_REQUESTS_PER_MINUTE", "1000000")];

async fn portal() -> (TestPortal, World) {
    let portal = TestPortal::start_with(&OFTEN).await;
    let conn = &mut portal.database.conn();
    seed_defaults(conn);
    let world = world(conn);
    a_run(conn, &world.account, "succeeded", None, a_moment());
    // What the document's examples name.
    portal
        .database
        .execute("UPDATE linkedin_accounts SET linkedin_id = 512345678");
    portal
        .database
        .execute("UPDATE lead_forms SET linkedin_id = 7234246");
    portal.add(
        a_user()
            .email("grace@leads.example")
            .role(Role::Salesperson),
    );
    // Whoever gets leads when nobody else does.
    portal.add(a_user().role(Role::Administrator));
    (portal, world)
}

async fn holds(role: TokenRole) {
    let (portal, world) = portal().await;
    let one = |table: &str| {
        let query = format!("SELECT id AS value FROM {table} ORDER BY id LIMIT 1");
        portal.database.texts(&query).remove(0)
    };
    let folder = tempfile::tempdir().unwrap();
    // Not its script in the environment, which names the folder that the environment was made in.
    let mut command = Command::new(tools());
    command
        .args([
            "-c",
            "from schemathesis.cli import schemathesis; schemathesis()",
        ])
        .arg("--config-file")
        .arg(below_tests("portal/api_contract/schemathesis.toml"))
        .args(["run", "--no-color", "--report-dir"])
        .arg(folder.path())
        .arg(format!("{}{PATH}", portal.address))
        .current_dir(folder.path())
        .env("PYTHONPATH", below_tests("portal/api_contract"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("TOKEN", Program::new(&portal, role).token)
        .env("LEAD", world.lead.as_str())
        .env("SUBMISSION", world.submission.as_str())
        .env("ACCOUNT", world.account.as_str())
        .env("FORM", world.form.as_str())
        .env("RUN", one("sync_runs"))
        .env("MAPPING", one("field_mappings"))
        .env("STRATEGY", one("matching_strategies"));
    // The portal answers meanwhile.
    let output = tokio::task::spawn_blocking(move || run(&mut command, ""))
        .await
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{told}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    // It did ask, and with a token that works.
    let uses = "SELECT count(*) FROM api_tokens WHERE last_used_at IS NOT NULL";
    assert_eq!(portal.database.number(uses), 1, "{told}");
    // And the example of a submission was handed in.
    let taken = "SELECT count(*) FROM form_submissions WHERE response_id LIKE '249592fc%'";
    let writes = i64::from(role == TokenRole::S2sInbound);
    assert_eq!(portal.database.number(taken), writes, "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_api_answers_to_s2s_inbound_is_what_its_document_says() {
    holds(TokenRole::S2sInbound).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_api_answers_to_a_token_that_reads_is_what_its_document_says() {
    holds(TokenRole::ReadOnly).await;
}
