//! The real program from the shell: exit codes, what it says, hostile arguments and environment variables.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may panic"
)]

#[path = "../support/mod.rs"]
mod support;

mod arguments;
mod audit;
mod backup;
mod environment;
mod key;
mod logs;
mod people;
mod work;

use support::{Program, TestDatabase};

/// The program on this database, with a key as a deployment has one.
fn leadgen<const N: usize>(database: &TestDatabase, arguments: [&str; N]) -> Program {
    Program::new(arguments)
        .env("LEADGEN_DATABASE_URL", database.url_text())
        .env("LEADGEN_SECRET_KEY", support::SECRET_KEY)
}

/// Values that nobody means: every flag and variable that takes a text gets each of them.
fn hostile() -> Vec<String> {
    vec![
        String::new(),
        " ".into(),
        "-1".into(),
        "0".into(),
        "99999999999999999999999".into(),
        "NaN".into(),
        "true".into(),
        "<script>alert(1)</script>".into(),
        "'; DROP TABLE users; --".into(),
        "../../etc/passwd".into(),
        "\u{202e}gnp.exe".into(),
        "😀".into(),
        "line\nbreak".into(),
        "\u{1b}[31mred".into(),
        "x".repeat(4_000),
    ]
}
