//! `leadgen key`: the secret key is replaced while the portal works, and the old one opens nothing afterwards.

use std::path::Path;
use std::process::Child;
use std::time::Duration;

use leadgen::auth::secret_key;
use leadgen::domain::access::Role;
use secrecy::{ExposeSecret as _, SecretString};

use crate::leadgen as on;
use crate::support::installation::{Installation, PASSWORD, Plan};
use crate::support::{Program, SECRET_KEY, System, TestDatabase, eventually, signal};

fn new_key() -> String {
    secret_key::generate().unwrap().expose_secret().to_owned()
}

fn id_of(key: &str) -> String {
    secret_key::fingerprint(key.trim()).unwrap().to_string()
}

fn key_file(folder: &Path) -> std::path::PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let file = folder.join("leadgen.key");
    std::fs::write(&file, SECRET_KEY).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    file
}

async fn with_key_file(file: &Path, system: System) -> Installation {
    Installation::of(Plan {
        system,
        settings: vec![
            ("LEADGEN_SECRET_KEY", String::new()),
            ("LEADGEN_SECRET_KEY_FILE", file.display().to_string()),
        ],
        ..Plan::default()
    })
    .await
}

/// State, whether it was given, and number of sealed values of a key, as `leadgen key status` has them.
fn state_of(status: &serde_json::Value, key: &str) -> (String, bool, i64) {
    let id = id_of(key);
    let found = status["keys"]
        .as_array()
        .unwrap()
        .iter()
        .find(|shown| shown["id"] == id.as_str())
        .unwrap_or_else(|| panic!("no {id} in {status}"));
    (
        found["state"].as_str().unwrap_or("unknown").to_owned(),
        found["is_given"].as_bool().unwrap(),
        found["sealed"].as_i64().unwrap(),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_in_a_file_is_replaced_while_people_and_the_sync_work() {
    let folder = tempfile::tempdir().unwrap();
    let file = key_file(folder.path());
    let mut installation = with_key_file(&file, System::of_this_run()).await;
    installation.connect("Rotated").await;
    installation.add_person("ada@example.com", "Ada", &[Role::Administrator]);
    installation.serve(true);
    let browser = installation.browser();
    browser.sign_in("ada@example.com", PASSWORD).await;
    let page = browser.get("/settings/system").await.expect(200);
    let form_token = page.csrf_token().unwrap();

    let said = installation.program(["key", "rotate"]).run().expect(0);
    assert!(said.stdout.contains("Done"), "{said:?}");
    let new = std::fs::read_to_string(&file).unwrap();
    assert_eq!(new.lines().count(), 1, "the old key left the file");
    assert_ne!(new.trim(), SECRET_KEY);
    assert!(!said.stdout.contains(new.trim()) && !said.stdout.contains(SECRET_KEY));

    let status = installation
        .program(["key", "status", "--json"])
        .run()
        .expect(0)
        .json();
    let (state, is_given, sealed) = state_of(&status, &new);
    assert_eq!((state.as_str(), is_given), ("current", true));
    assert!(sealed >= 2, "tokens and the signing root: {status}");
    assert_eq!(
        state_of(&status, SECRET_KEY),
        ("retired".to_owned(), false, 0)
    );
    assert_eq!(status["problem"], serde_json::Value::Null);
    assert_eq!(status["processes"][0]["seals_with"], id_of(&new).as_str());

    // The running process goes on: the session, the forms that stood open, the tokens.
    let page = browser.get("/settings/system").await.expect(200);
    assert_eq!(page.csrf_token().unwrap(), form_token);
    installation.make_due();
    installation.sync().await;
    assert!(
        installation
            .runs()
            .iter()
            .all(|run| !run.contains("internal_error")),
        "{:?}",
        installation.runs()
    );

    // A program with the old key alone is refused, whatever it wants to do.
    for command in ["status", "sync", "migrate", "worker"] {
        let refused = installation
            .program([command])
            .env("LEADGEN_SECRET_KEY_FILE", "")
            .env("LEADGEN_SECRET_KEY", SECRET_KEY)
            .run()
            .expect(2);
        assert!(refused.stderr.contains("was retired on"), "{refused:?}");
        assert!(refused.stderr.contains(&id_of(&new)), "{refused:?}");
        assert!(!refused.stderr.contains(SECRET_KEY));
    }
    installation.program(["audit", "verify"]).run().expect(0);
    assert_eq!(
        installation.database.texts(
            "SELECT action FROM audit_entries WHERE action LIKE 'secret_key.%' ORDER BY action"
        ),
        ["secret_key.rotated", "secret_key.rotation_began"]
    );

    installation.program(["key", "rotate"]).run().expect(0);
    let newest = std::fs::read_to_string(&file).unwrap();
    assert_ne!(newest, new);
    browser.get("/settings/system").await.expect(200);
}

fn serve(installation: &Installation, keys: &str) -> Child {
    installation
        .program(["serve", "--no-scheduler"])
        .env("LEADGEN_SECRET_KEY", keys)
        .env("LEADGEN_BIND", "127.0.0.1:0")
        .env("LEADGEN_LOG", "error")
        .command()
        .spawn()
        .unwrap()
}

async fn until_seen(database: &TestDatabase, processes: i64) {
    eventually(
        "the process announces itself",
        Duration::from_secs(30),
        || async { database.number("SELECT count(*) FROM processes") == processes },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_in_a_variable_is_replaced_when_every_process_holds_both() {
    let installation = Installation::new().await;
    installation.connect("Rotated").await;
    let database = &installation.database;
    let new = new_key();
    let both = format!("{new} {SECRET_KEY}");
    let rotate = |keys: &str| {
        installation
            .program(["key", "rotate", "--wait", "10"])
            .env("LEADGEN_SECRET_KEY", keys)
    };
    let status = || {
        installation
            .program(["key", "status", "--json"])
            .env("LEADGEN_SECRET_KEY", &both)
            .run()
            .expect(0)
            .json()
    };
    let advice = rotate(SECRET_KEY).run().expect(2);
    assert!(advice.stderr.contains("openssl rand"), "{advice:?}");

    let mut process = serve(&installation, SECRET_KEY);
    until_seen(database, 1).await;
    let waiting = installation
        .program(["key", "rotate", "--wait", "0"])
        .env("LEADGEN_SECRET_KEY", &both)
        .run()
        .expect(1);
    assert!(
        waiting
            .stderr
            .contains("not every running process has the new key"),
        "{waiting:?}"
    );
    assert!(waiting.stderr.contains(&id_of(SECRET_KEY)), "{waiting:?}");
    assert_eq!(state_of(&status(), SECRET_KEY).0, "current");
    signal(process.id(), "TERM");
    process.wait().unwrap();

    // Started again with both, it still seals with the one that all the others know.
    let mut process = serve(&installation, &both);
    until_seen(database, 1).await;
    let before = status();
    assert_eq!(
        before["processes"][0]["seals_with"],
        id_of(SECRET_KEY).as_str()
    );
    assert_eq!(
        state_of(&before, &new),
        ("unknown".to_owned(), true, 0),
        "{before}"
    );
    let done = rotate(&both).run().expect(0);
    assert!(done.stdout.contains("Take the retired key"), "{done:?}");
    assert_eq!(state_of(&status(), SECRET_KEY).0, "retired");
    assert_eq!(state_of(&status(), SECRET_KEY).2, 0);
    signal(process.id(), "TERM");
    process.wait().unwrap();

    for (keys, code) in [(new.as_str(), 0), (both.as_str(), 0), (SECRET_KEY, 2)] {
        installation
            .program(["status"])
            .env("LEADGEN_SECRET_KEY", keys)
            .run()
            .expect(code);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_from_before_a_rotation_asks_for_the_key_of_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let file = key_file(folder.path());
    let installation = with_key_file(&file, System::Sqlite).await;
    installation.connect("Backed up").await;
    let backup = folder.path().join("backup.db");
    installation
        .program(["backup", backup.to_str().unwrap()])
        .run()
        .expect(0);
    installation.program(["key", "rotate"]).run().expect(0);
    let new = std::fs::read_to_string(&file).unwrap();

    let url = format!("sqlite://{}", folder.path().join("restored.db").display());
    let program = |arguments: &[&str]| {
        Program::new(arguments.iter().map(|text| (*text).to_owned()))
            .env("LEADGEN_DATABASE_URL", &url)
            .env("LEADGEN_SECRET_KEY_FILE", file.display().to_string())
    };
    let refused = program(&["restore", backup.to_str().unwrap()])
        .run()
        .expect(2);
    assert!(refused.stdout.contains("Restored"), "{refused:?}");
    for part in ["of that time", &id_of(SECRET_KEY), &id_of(&new)] {
        assert!(refused.stderr.contains(part), "{part}: {refused:?}");
    }
    program(&["status"]).run().expect(2);
    std::fs::write(&file, format!("{}\n{SECRET_KEY}\n", new.trim())).unwrap();
    program(&["status"]).run().expect(0);
    program(&["key", "rotate"]).run().expect(0);
    let held = std::fs::read_to_string(&file).unwrap();
    assert_eq!(held.trim(), new.trim(), "the key that was there goes on");
    let status = program(&["key", "status", "--json"]).run().expect(0).json();
    assert_eq!(state_of(&status, SECRET_KEY).0, "retired");
    assert_eq!(status["sealed_otherwise"], 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_key_is_given_up_only_when_somebody_says_so() {
    let installation = Installation::new().await;
    installation.connect("Lost").await;
    let new = new_key();
    let program = |arguments: &[&str]| {
        let arguments = arguments.iter().map(|text| (*text).to_owned());
        Program::new(arguments)
            .env("LEADGEN_DATABASE_URL", installation.database.url_text())
            .env("LEADGEN_SECRET_KEY", &new)
    };
    for command in [&["status"][..], &["key", "rotate"]] {
        let refused = program(command).run().expect(2);
        assert!(refused.stderr.contains("--lost"), "{refused:?}");
    }
    let held = installation
        .program(["key", "rotate", "--lost"])
        .run()
        .expect(2);
    assert!(held.stderr.contains("no key is lost"), "{held:?}");
    program(&["key", "rotate", "--lost"]).run().expect(0);
    program(&["status"]).run().expect(0);
    let shown = program(&["key", "status", "--json"]).run().expect(0).json();
    assert_eq!(state_of(&shown, &new).0, "current");
    assert_eq!(state_of(&shown, SECRET_KEY).0, "retired");
    assert!(state_of(&shown, SECRET_KEY).2 >= 1, "it stays shut");
    installation.program(["status"]).run().expect(2);
}

#[test]
fn nothing_is_rotated_before_there_is_anything() {
    let database = TestDatabase::empty();
    let refused = on(&database, ["key", "rotate"]).run().expect(2);
    assert!(refused.stderr.contains("leadgen migrate"), "{refused:?}");
    let several = on(&TestDatabase::new(), ["migrate"])
        .env(
            "LEADGEN_SECRET_KEY",
            SecretString::from(format!("{SECRET_KEY} short")).expose_secret(),
        )
        .run()
        .expect(2);
    assert!(several.stderr.contains("behind the first"), "{several:?}");
}
