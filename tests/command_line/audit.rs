//! `leadgen audit`: verify and prune from the shell.

use crate::leadgen;
use crate::support::{System, TestDatabase};

fn add_user(database: &TestDatabase, email: &str) {
    leadgen(
        database,
        ["user", "add", "--email", email, "--role", "salesperson"],
    )
    .run()
    .expect(0);
}

#[test]
fn the_audit_log_is_verified_and_what_is_broken_ends_with_code_1_and_is_named() {
    let database = TestDatabase::new();
    add_user(&database, "sam@example.com");
    add_user(&database, "kim@example.com");
    let text = leadgen(&database, ["audit", "verify"]).run().expect(0);
    assert!(
        text.stdout.contains("2 entries are intact, numbers 1 to 2"),
        "{}",
        text.stdout
    );
    let told = leadgen(&database, ["audit", "verify", "--json"])
        .run()
        .expect(0)
        .json();
    assert_eq!(
        (&told["intact"], &told["entries"]),
        (&true.into(), &2.into())
    );
    let head = told["head"].as_str().unwrap().to_owned();
    assert!(text.stdout.contains(&head));
    add_user(&database, "lee@example.com");
    leadgen(&database, ["audit", "verify", "--head", &head])
        .run()
        .expect(0);
    let other = format!("2:{}", "0".repeat(64));
    let wrong = leadgen(&database, ["audit", "verify", "--head", &other])
        .run()
        .expect(1);
    assert!(wrong.stderr.contains("Entry 2"), "{}", wrong.stderr);
    leadgen(&database, ["audit", "verify", "--head", "2:short"])
        .run()
        .expect(2);

    database.execute(match database.system() {
        System::Sqlite => include_str!("../../migrations/sqlite/audit_down.sql"),
        System::Postgres => include_str!("../../migrations/postgres/audit_down.sql"),
    });
    database.execute("DELETE FROM audit_entries WHERE chain_number = 2");
    let broken = leadgen(&database, ["audit", "verify", "--json"])
        .run()
        .expect(1);
    let told = broken.json();
    assert_eq!(told["intact"], false);
    assert_eq!(told["fault"]["kind"], "missing");
    assert_eq!(told["fault"]["number"], 2);
    assert!(
        broken.stderr.contains("Entry 2 was deleted"),
        "{}",
        broken.stderr
    );
}

#[test]
fn old_entries_are_pruned_and_days_to_come_are_refused() {
    let database = TestDatabase::new();
    add_user(&database, "sam@example.com");
    let none = leadgen(&database, ["audit", "prune", "--before", "2020-01-01"])
        .run()
        .expect(0);
    assert!(none.stdout.contains("No entry"), "{}", none.stdout);
    leadgen(&database, ["audit", "prune", "--before", "9000-01-01"])
        .run()
        .expect(2);
    leadgen(&database, ["audit", "prune", "--before", "yesterday"])
        .run()
        .expect(2);
    leadgen(&database, ["audit", "verify"]).run().expect(0);
}
