//! `migrate`, `status`, `sync`, `sandbox`, `serve` and `demo`, as scripts use them.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::Duration;

use crate::leadgen;
use crate::support::{Program, System, TestDatabase, signal};

#[test]
fn migrate_brings_an_empty_database_to_the_schema_and_again_does_nothing() {
    let database = TestDatabase::empty();
    leadgen(&database, ["migrate"]).run().expect(0);
    let first = database.number("SELECT count(*) FROM __diesel_schema_migrations");
    assert!(first > 0);
    leadgen(&database, ["migrate"]).run().expect(0);
    assert_eq!(
        database.number("SELECT count(*) FROM __diesel_schema_migrations"),
        first
    );
}

#[test]
fn two_processes_that_migrate_at_once_run_each_migration_once() {
    let database = TestDatabase::empty();
    let programs: Vec<_> = (0..3)
        .map(|_| {
            let program = leadgen(&database, ["migrate"]);
            std::thread::spawn(move || program.run())
        })
        .collect();
    for program in programs {
        program.join().unwrap().expect(0);
    }
    let written = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/common"))
        .unwrap()
        .count();
    assert_eq!(
        database.number("SELECT count(*) FROM __diesel_schema_migrations"),
        i64::try_from(written).unwrap()
    );
}

#[test]
fn status_as_json_has_the_names_that_scripts_rely_on() {
    let database = TestDatabase::new();
    let status = leadgen(&database, ["status", "--json"])
        .run()
        .expect(0)
        .json();
    for name in [
        "profiles",
        "accounts",
        "forms",
        "submissions",
        "test_submissions",
        "leads",
        "leads_created",
        "leads_updated",
        "match_failed",
        "processing_failed",
    ] {
        assert_eq!(status[name], 0, "{name} in {status}");
    }
    assert!(status["last_synchronization_at"].is_null());
    for name in ["succeeded", "failed", "running"] {
        assert_eq!(status["runs"][name], 0);
    }
    leadgen(&database, ["status"]).run().expect(0);
}

#[test]
fn status_names_the_destinations_that_somebody_has_to_see_to() {
    let database = TestDatabase::new();
    let (id, at) = (uuid::Uuid::now_v7(), "2026-03-02 10:00:00");
    // Sealed with nothing: the command does not open it.
    let secret = match database.system() {
        System::Sqlite => "x'00'",
        System::Postgres => "'\\x00'",
    };
    database.execute(&format!(
        "INSERT INTO webhooks (id, name, url, events, secret, created_at, updated_at, lock_version) \
         VALUES ('{id}', 'Marketing', 'https://example.com/', 'lead_created', {secret}, '{at}', '{at}', 1); \
         INSERT INTO delivery_lanes (id, webhook_id, is_enabled, not_before, trouble_count, lease_term, created_at) \
         VALUES ('{id}', '{id}', true, '{at}', 0, 0, '{at}');"
    ));
    let status = || leadgen(&database, ["status"]).run().expect(0).stdout;
    assert!(!status().contains("Marketing"));
    database.execute(&format!(
        "UPDATE delivery_lanes SET trouble = 'unauthorized', trouble_since = '{at}', trouble_count = 3"
    ));
    let line = "Needs attention        Marketing: Not signed in (since 2026-03-02 10:00:00 UTC)";
    assert!(status().contains(line), "{}", status());
    let json = leadgen(&database, ["status", "--json"]).run().expect(0);
    let found = &json.json()["destinations_needing_attention"][0];
    assert_eq!(found["name"], "Marketing", "{found}");
    assert_eq!(found["kind"], "webhook", "{found}");
    assert_eq!(found["trouble"], "unauthorized", "{found}");
}

#[test]
fn commands_on_a_database_without_tables_say_what_to_do() {
    let database = TestDatabase::empty();
    for arguments in [["status", "--json"], ["user", "list"]] {
        let outcome = leadgen(&database, arguments).run();
        // Either it migrates by itself, or it says how.
        assert!(
            outcome.code == Some(0) || outcome.stderr.contains("leadgen migrate"),
            "{arguments:?}: {outcome:?}"
        );
    }
}

#[test]
fn a_sync_with_nothing_to_do_succeeds_and_says_so_as_json() {
    let database = TestDatabase::new();
    let outcome = leadgen(&database, ["sync", "--json"]).run().expect(0);
    assert!(outcome.json().is_object());
}

#[test]
fn the_key_is_made_beside_the_sqlite_file_for_nobody_else_to_read() {
    let folder = tempfile::tempdir().unwrap();
    Program::new(["migrate"])
        .env(
            "LEADGEN_DATABASE_URL",
            format!("sqlite://{}/deep/down/leadgen.db", folder.path().display()),
        )
        .run()
        .expect(0);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        for entry in std::fs::read_dir(folder.path().join("deep/down")).unwrap() {
            let entry = entry.unwrap();
            if !entry.file_name().to_string_lossy().contains(".db") {
                let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
                assert_eq!(mode, 0o600, "{entry:?}");
            }
        }
    }
}

#[test]
fn the_sandbox_prints_its_address_and_ends_on_sigterm() {
    let mut child = Program::new(["sandbox", "--bind", "127.0.0.1:0", "--leads", "5"])
        .command()
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let address = lines
        .find_map(|line| {
            let line = line.unwrap();
            let at = line.find("http://127.0.0.1:")?;
            Some(
                line[at..]
                    .split_whitespace()
                    .next()
                    .unwrap()
                    .trim_end_matches(['/', '.', ','])
                    .to_owned(),
            )
        })
        .expect("an address is printed");
    let host = address.trim_start_matches("http://");
    assert!(std::net::TcpStream::connect(host).is_ok(), "{address}");
    signal(child.id(), "TERM");
    assert_eq!(wait(&mut child, Duration::from_secs(20)), Some(0));
}

#[test]
fn the_demo_does_the_whole_job_and_says_what_it_did() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/demo.db", folder.path().display());
    let demo = || {
        Program::new(["demo", "--once", "--leads", "60", "--database-url", &url])
            .run_within(Duration::from_mins(3))
            .expect(0)
    };
    let outcome = demo();
    let said = outcome.stdout.to_lowercase();
    for word in [
        "administrator",
        "salesperson",
        "sales manager",
        "accounts",
        "forms",
        "submissions",
        "leads created",
        "leads updated",
        "match failed",
        "seconds",
    ] {
        assert!(said.contains(word), "no `{word}` in\n{}", outcome.stdout);
    }
    let status = Program::new(["status", "--json"])
        .env("LEADGEN_DATABASE_URL", &url)
        .run()
        .expect(0)
        .json();
    assert_eq!(status["profiles"], 1, "{status}");
    for name in ["accounts", "forms", "submissions", "leads", "leads_created"] {
        assert!(status[name].as_i64().unwrap() > 0, "{name} in {status}");
    }
    assert!(
        status["runs"]["succeeded"].as_i64().unwrap() > 0,
        "{status}"
    );
    assert!(
        status["last_synchronization_at"]
            .as_str()
            .unwrap()
            .ends_with('Z')
    );
    // Every lead is in the sandbox's organization; another demonstration with the same database fills the new sandbox again.
    let in_dynamics = |said: &str| -> i64 {
        let line = said
            .lines()
            .find(|line| line.starts_with("Leads in Dynamics 365"));
        line.unwrap()
            .split_whitespace()
            .last()
            .unwrap()
            .parse()
            .unwrap()
    };
    let leads = status["leads"].as_i64().unwrap();
    assert_eq!(in_dynamics(&outcome.stdout), leads);
    assert_eq!(in_dynamics(&demo().stdout), leads);
}

#[test]
fn serve_answers_and_ends_on_sigterm() {
    let database = TestDatabase::on(System::Sqlite);
    // A free port that nobody else is given meanwhile: the system hands them out in turn.
    let address = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string();
    let mut child = leadgen(&database, ["serve"])
        .env("LEADGEN_BIND", &address)
        .env("LEADGEN_PUBLIC_URL", format!("http://{address}"))
        .command()
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let begun = std::time::Instant::now();
    while !is_alive(&address) {
        assert!(child.try_wait().unwrap().is_none(), "serve ended by itself");
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "serve does not answer"
        );
        pause();
    }
    signal(child.id(), "TERM");
    assert_eq!(wait(&mut child, Duration::from_secs(20)), Some(0));
}

/// Whether `/healthz` answers 200.
fn is_alive(address: &str) -> bool {
    use std::io::{Read as _, Write as _};
    let Ok(mut stream) = std::net::TcpStream::connect(address) else {
        return false;
    };
    let request = format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    let mut answer = String::new();
    stream
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    stream.write_all(request.as_bytes()).is_ok()
        && stream.read_to_string(&mut answer).is_ok()
        && answer.starts_with("HTTP/1.1 200")
}

fn pause() {
    #[expect(clippy::disallowed_methods, reason = "no async runtime here")]
    std::thread::sleep(Duration::from_millis(20));
}

/// The exit code of a child that must end by itself.
fn wait(child: &mut std::process::Child, limit: Duration) -> Option<i32> {
    let begun = std::time::Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        if begun.elapsed() > limit {
            child.kill().unwrap();
            panic!("the program did not end within {limit:?}");
        }
        pause();
    }
}
