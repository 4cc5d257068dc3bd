//! Flags and sub-commands: what is unknown or of the wrong type is refused with a sentence, exit code 2, and nothing is done.

use crate::support::{Program, TestDatabase};
use crate::{hostile, leadgen};

#[test]
fn help_and_version_need_no_configuration() {
    let help = Program::new(["--help"]).run().expect(0);
    for command in [
        "serve", "worker", "demo", "sandbox", "migrate", "sync", "status", "user",
    ] {
        assert!(help.stdout.contains(command), "{command}\n{}", help.stdout);
    }
    let version = Program::new(["--version"]).run().expect(0);
    assert!(version.stdout.contains(env!("CARGO_PKG_VERSION")));
    for command in [
        "serve", "worker", "demo", "sandbox", "migrate", "sync", "status", "user",
    ] {
        Program::new([command, "--help"]).run().expect(0);
    }
}

#[test]
fn no_command_an_unknown_one_and_unknown_flags_are_refused_with_usage() {
    for arguments in [
        &[][..],
        &["frobnicate"],
        &["--frobnicate"],
        &["serve", "--frobnicate"],
        &["worker", "extra"],
        &["migrate", "--force"],
        &["status", "--jsn"],
        &["user"],
        &["user", "delete"],
        &["sandbox", "--port", "1"],
        &["demo", "--once", "--once"],
    ] {
        let outcome = Program::new(arguments.iter().copied()).run().expect(2);
        assert!(
            outcome.stderr.contains("Usage") || outcome.stderr.contains("--help"),
            "{arguments:?}: {}",
            outcome.stderr
        );
        assert!(
            outcome.stdout.is_empty(),
            "{arguments:?}: {}",
            outcome.stdout
        );
    }
}

#[test]
fn numbers_and_addresses_of_the_wrong_kind_are_refused_and_named() {
    for (command, flag) in [
        ("sandbox", "--bind"),
        ("sandbox", "--leads"),
        ("sandbox", "--seed"),
        ("demo", "--leads"),
        ("demo", "--database-url"),
    ] {
        for value in hostile() {
            // `0` and other small numbers are numbers.
            if value.parse::<u32>().is_ok() && matches!(flag, "--leads" | "--seed") {
                continue;
            }
            let mut arguments = vec![command.to_owned(), format!("{flag}={value}")];
            if command == "demo" {
                arguments.push("--once".into());
            }
            let outcome = Program::new(arguments).run();
            assert_eq!(
                outcome.code,
                Some(2),
                "{command} {flag}={value:?}: {outcome:?}"
            );
            assert!(
                outcome.stderr.contains(flag.trim_start_matches("--"))
                    || outcome.stderr.contains("database"),
                "{command} {flag}={value:?}: {}",
                outcome.stderr
            );
            assert!(!outcome.stderr.contains("panicked"), "{}", outcome.stderr);
        }
    }
}

#[test]
fn a_number_that_asks_for_too_much_is_refused_at_once() {
    for command in ["sandbox", "demo"] {
        Program::new([command, "--leads=4000000000"])
            .run()
            .expect(2);
    }
}

#[cfg(unix)]
#[test]
fn an_argument_that_is_no_utf8_is_refused() {
    use std::os::unix::ffi::OsStringExt as _;
    let broken = std::ffi::OsString::from_vec(b"--leads=\xff".to_vec());
    let outcome = Program::new([std::ffi::OsString::from("sandbox"), broken])
        .run()
        .expect(2);
    assert!(!outcome.stderr.contains("panicked"));
}

#[test]
fn a_profile_that_does_not_exist_cannot_be_synced() {
    let database = TestDatabase::new();
    for value in hostile() {
        let outcome = leadgen(&database, ["sync", "--profile", &value]).run();
        assert!(
            matches!(outcome.code, Some(1 | 2)),
            "{value:?}: {outcome:?}"
        );
        assert!(!outcome.stderr.is_empty());
        assert!(!outcome.stderr.contains("panicked"), "{}", outcome.stderr);
    }
}
