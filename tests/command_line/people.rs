//! `leadgen user`: add, list, disable; what is wrong is refused before anything is stored.

use crate::support::TestDatabase;
use crate::{hostile, leadgen};

const PASSWORD: &str = "twelve green bottles standing";

fn add(
    database: &TestDatabase,
    email: &str,
    role: &str,
    password: &str,
) -> crate::support::Outcome {
    leadgen(
        database,
        [
            "user",
            "add",
            "--email",
            email,
            "--role",
            role,
            "--password-stdin",
        ],
    )
    .stdin(format!("{password}\n"))
    .run()
}

fn count(database: &TestDatabase) -> i64 {
    database.number("SELECT count(*) FROM users")
}

#[test]
fn a_user_is_added_listed_and_disabled() {
    let database = TestDatabase::new();
    let added = add(&database, "Ada@Example.com", "administrator", PASSWORD).expect(0);
    assert!(!added.stdout.contains(PASSWORD));
    add(&database, "sam@example.com", "salesperson", PASSWORD).expect(0);
    let list = leadgen(&database, ["user", "list"]).run().expect(0);
    assert!(list.stdout.contains("Ada@Example.com"), "{}", list.stdout);
    assert!(list.stdout.contains("sam@example.com"));
    assert!(list.stdout.to_lowercase().contains("administrator"));
    leadgen(&database, ["user", "disable", "--email", "SAM@example.com"])
        .run()
        .expect(0);
    assert_eq!(
        database.number("SELECT count(*) FROM users WHERE NOT is_enabled"),
        1
    );
    // Each act stands in the audit log.
    assert!(
        database.number("SELECT count(*) FROM audit_entries WHERE actor_kind = 'command_line'")
            >= 3
    );
    assert_eq!(
        database.number("SELECT count(*) FROM users WHERE password_hash LIKE '$argon2id$%'"),
        2
    );
}

#[test]
fn a_user_may_have_several_roles() {
    let database = TestDatabase::new();
    leadgen(
        &database,
        [
            "user",
            "add",
            "--email",
            "ada@example.com",
            "--role",
            "administrator",
            "--role",
            "sales_manager",
            "--password-stdin",
        ],
    )
    .stdin(format!("{PASSWORD}\n"))
    .run()
    .expect(0);
    assert_eq!(database.number("SELECT count(*) FROM user_roles"), 2);
}

#[test]
fn without_a_password_one_is_made_and_shown_once() {
    let database = TestDatabase::new();
    let outcome = leadgen(
        &database,
        [
            "user",
            "add",
            "--email",
            "ada@example.com",
            "--role",
            "administrator",
        ],
    )
    .run()
    .expect(0);
    assert!(
        outcome.stdout.to_lowercase().contains("password"),
        "{}",
        outcome.stdout
    );
}

#[test]
fn an_address_can_be_used_once_whatever_its_case() {
    let database = TestDatabase::new();
    add(&database, "ada@example.com", "administrator", PASSWORD).expect(0);
    let again = add(&database, " ADA@example.COM", "salesperson", PASSWORD);
    assert_eq!(again.code, Some(1), "{again:?}");
    assert!(
        again.stderr.to_lowercase().contains("already"),
        "{}",
        again.stderr
    );
    assert_eq!(count(&database), 1);
}

#[test]
fn what_is_no_address_no_role_or_no_password_stores_nothing() {
    let database = TestDatabase::new();
    for value in hostile() {
        let outcome = add(&database, &value, "administrator", PASSWORD);
        assert!(
            matches!(outcome.code, Some(1 | 2)),
            "email {value:?}: {outcome:?}"
        );
        assert!(!outcome.stderr.contains("panicked"), "{}", outcome.stderr);
        let outcome = add(&database, "ada@example.com", &value, PASSWORD);
        assert_eq!(outcome.code, Some(2), "role {value:?}: {outcome:?}");
    }
    for password in [
        "",
        "short",
        "password",
        "12345678901234",
        &"x".repeat(5_000),
    ] {
        let outcome = add(&database, "ada@example.com", "administrator", password);
        assert!(
            matches!(outcome.code, Some(1 | 2)),
            "password {password:?}: {outcome:?}"
        );
        assert!(
            !outcome.stderr.contains("12345678901234") && !outcome.stderr.contains("xxxxx"),
            "{}",
            outcome.stderr
        );
    }
    // The identity of the sync is no person.
    let outcome = add(&database, "ada@example.com", "s2s_inbound", PASSWORD);
    assert!(matches!(outcome.code, Some(1 | 2)), "{outcome:?}");
    assert_eq!(count(&database), 0);
}

#[test]
fn the_last_administrator_and_strangers_cannot_be_disabled() {
    let database = TestDatabase::new();
    add(&database, "ada@example.com", "administrator", PASSWORD).expect(0);
    let last = leadgen(&database, ["user", "disable", "--email", "ada@example.com"])
        .run()
        .expect(1);
    assert!(last.stderr.contains("Administrator"), "{}", last.stderr);
    for value in hostile() {
        let outcome = leadgen(&database, ["user", "disable", "--email", &value]).run();
        assert!(
            matches!(outcome.code, Some(1 | 2)),
            "{value:?}: {outcome:?}"
        );
    }
    assert_eq!(
        database.number("SELECT count(*) FROM users WHERE is_enabled"),
        1
    );
}

#[test]
fn a_lost_second_factor_is_taken_away_from_the_shell() {
    let database = TestDatabase::new();
    add(&database, "ada@example.com", "administrator", PASSWORD).expect(0);
    let remove = || {
        leadgen(
            &database,
            ["user", "remove-second-factor", "--email", "ADA@example.com"],
        )
        .run()
    };
    let refused = remove();
    assert_ne!(refused.code, Some(0), "{}", refused.stdout);
    database.execute(
        "INSERT INTO second_factors (user_id, secret, created_at, confirmed_at, last_step)
         SELECT id, 'x', created_at, created_at, 1 FROM users",
    );
    database.execute("INSERT INTO recovery_codes (user_id, code_hash) SELECT id, 'x' FROM users");
    remove().expect(0);
    for table in ["second_factors", "recovery_codes"] {
        assert_eq!(database.number(&format!("SELECT count(*) FROM {table}")), 0);
    }
    assert_eq!(
        database.number(
            "SELECT count(*) FROM audit_entries WHERE action = 'user.second_factor_removed'"
        ),
        1
    );
}
