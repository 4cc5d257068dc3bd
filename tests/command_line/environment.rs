//! Environment variables: a misconfigured start prints all problems at once and exits 2.

use crate::hostile;
use crate::support::{Program, SECRET_KEY, System, TestDatabase};

/// Variable, and a value that is right.
const VARIABLES: &[(&str, &str)] = &[
    ("LEADGEN_BIND", "127.0.0.1:0"),
    ("LEADGEN_PUBLIC_URL", "https://leads.example.com"),
    ("LEADGEN_TRUSTED_PROXIES", "10.0.0.1, ::1"),
    ("LEADGEN_SECRET_KEY", SECRET_KEY),
    ("LEADGEN_LINKEDIN_OAUTH_URL", "http://127.0.0.1:1/oauth/v2"),
    ("LEADGEN_LINKEDIN_API_URL", "http://127.0.0.1:1"),
    ("LEADGEN_LINKEDIN_VERSION", "202607"),
    ("LEADGEN_LINKEDIN_WEBHOOK", "on"),
    ("LEADGEN_SYNC_INTERVAL", "90s"),
    ("LEADGEN_OIDC_ISSUER", "https://login.example.com"),
    ("LEADGEN_OIDC_CLIENT_ID", "leadgen"),
];

fn serve() -> Program {
    Program::new(["serve"])
}

#[test]
fn all_problems_of_a_start_are_told_at_once() {
    for command in ["serve", "worker", "migrate", "status"] {
        let outcome = Program::new([command])
            .env("LEADGEN_DATABASE_URL", "postgres:typo")
            .env("LEADGEN_BIND", "here")
            .env("LEADGEN_PUBLIC_URL", "ftp://x")
            .env("LEADGEN_SECRET_KEY", "short")
            .env("LEADGEN_LINKEDIN_CLIENT_ID", "only-the-id")
            .env("LEADGEN_LINKEDIN_API_URL", "nowhere")
            .env("LEADGEN_LINKEDIN_VERSION", "202613")
            .env("LEADGEN_SYNC_INTERVAL", "often")
            .env("LEADGEN_SYNC_INTERVALL", "5m")
            .run()
            .expect(2);
        for name in [
            "LEADGEN_DATABASE_URL",
            "LEADGEN_BIND",
            "LEADGEN_PUBLIC_URL",
            "LEADGEN_SECRET_KEY",
            "LEADGEN_LINKEDIN_CLIENT_SECRET",
            "LEADGEN_LINKEDIN_API_URL",
            "LEADGEN_LINKEDIN_VERSION",
            "LEADGEN_SYNC_INTERVAL:",
            "LEADGEN_SYNC_INTERVALL",
        ] {
            assert!(
                outcome.stderr.contains(name),
                "{command}: no word of {name}\n{}",
                outcome.stderr
            );
        }
        // A secret is not repeated, not even a wrong one.
        assert!(!outcome.stderr.contains("short"), "{}", outcome.stderr);
    }
}

#[test]
fn each_variable_refuses_what_nobody_means_and_says_how_to_write_it() {
    let database = TestDatabase::on(System::Sqlite);
    for (name, _) in VARIABLES {
        for value in hostile() {
            // Empty means the default.
            if value.trim().is_empty() {
                continue;
            }
            let outcome = serve()
                .env("LEADGEN_DATABASE_URL", database.url_text())
                .env("LEADGEN_BIND", "127.0.0.1:0")
                .env(name, &value)
                .run();
            // A key of 4,000 letters is a key.
            if *name == "LEADGEN_SECRET_KEY" && outcome.code.is_none() {
                continue;
            }
            assert_eq!(outcome.code, Some(2), "{name}={value:?}: {outcome:?}");
            assert!(
                outcome.stderr.contains(name),
                "{name}={value:?}: {}",
                outcome.stderr
            );
            assert!(!outcome.stderr.contains("panicked"), "{}", outcome.stderr);
        }
    }
}

#[test]
fn a_database_url_of_an_unknown_kind_makes_no_file() {
    let folder = tempfile::tempdir().unwrap();
    for url in [
        "postgres:typo",
        "mysql://x",
        "leadgen.db",
        "sqlite:leadgen.db",
        "sqlite://",
        "<b>",
    ] {
        let outcome = Program::new(["migrate"])
            .folder(folder.path())
            .env("LEADGEN_DATABASE_URL", url)
            .run()
            .expect(2);
        assert!(
            outcome.stderr.contains("LEADGEN_DATABASE_URL"),
            "{url}: {}",
            outcome.stderr
        );
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_database_that_does_not_answer_ends_the_start_with_a_sentence() {
    let outcome = Program::new(["migrate"])
        .env(
            "LEADGEN_DATABASE_URL",
            "postgres://leadgen:verysecret@127.0.0.1:1/leadgen",
        )
        .env("LEADGEN_SECRET_KEY", SECRET_KEY)
        .run()
        .expect(2);
    assert!(outcome.stderr.contains("database"), "{}", outcome.stderr);
    assert!(!outcome.stderr.contains("verysecret"), "{}", outcome.stderr);
}

#[test]
fn secrets_may_stand_in_files_and_a_missing_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let database = TestDatabase::on(System::Sqlite);
    let key = folder.path().join("key");
    std::fs::write(&key, format!("{SECRET_KEY}\n")).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    Program::new(["migrate"])
        .env("LEADGEN_DATABASE_URL", database.url_text())
        .env("LEADGEN_SECRET_KEY_FILE", key.as_os_str())
        .run()
        .expect(0);
    let outcome = Program::new(["migrate"])
        .env("LEADGEN_DATABASE_URL", database.url_text())
        .env(
            "LEADGEN_SECRET_KEY_FILE",
            folder.path().join("none").as_os_str(),
        )
        .run()
        .expect(2);
    assert!(outcome.stderr.contains("LEADGEN_SECRET_KEY_FILE"));
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_no_utf8_is_refused_and_named() {
    use std::os::unix::ffi::OsStringExt as _;
    let outcome = serve()
        .env(
            "LEADGEN_BIND",
            std::ffi::OsString::from_vec(b"\xff\xfe".to_vec()),
        )
        .run()
        .expect(2);
    assert!(
        outcome.stderr.contains("LEADGEN_BIND"),
        "{}",
        outcome.stderr
    );
}
