//! Migrations: once, in order, whoever comes first; killed half way they can be run again.

use leadgen::domain::access::Role;
use leadgen::store::Store;

use crate::support::TestDatabase;
use crate::support::records::{a_profile, a_user, authorize, day, seed_defaults};

fn written() -> i64 {
    std::fs::read_dir(format!("{}/migrations/common", env!("CARGO_MANIFEST_DIR")))
        .unwrap()
        .count() as i64
}

fn ran(database: &TestDatabase) -> i64 {
    database.number("SELECT count(*) FROM __diesel_schema_migrations")
}

#[tokio::test]
async fn migrating_again_does_nothing() {
    let database = TestDatabase::empty();
    let store = database.store();
    assert!(store.has_pending_migrations().await.unwrap());
    let first = store.migrate().await.unwrap();
    assert_eq!(first.len() as i64, written());
    assert!(!store.has_pending_migrations().await.unwrap());
    assert!(store.migrate().await.unwrap().is_empty());
    assert_eq!(ran(&database), written());
}

/// A new SQLite file changes to its write-ahead log once; whoever opens it meanwhile waits for that.
#[test]
fn a_new_database_may_be_opened_by_many_at_once() {
    for _ in 0..20 {
        let database = TestDatabase::empty();
        let together = std::sync::Barrier::new(8);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    together.wait();
                    Store::connect(database.url(), 1).unwrap();
                });
            }
        });
    }
}

/// Four pools stand for four replicas that start at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn replicas_that_migrate_at_once_run_each_migration_once() {
    let database = TestDatabase::empty();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let url = database.url().clone();
        tasks.spawn(async move {
            let store = tokio::task::spawn_blocking(move || Store::connect(&url, 1))
                .await
                .unwrap()
                .unwrap();
            store.migrate().await
        });
    }
    let mut total = 0;
    while let Some(done) = tasks.join_next().await {
        total += done.unwrap().unwrap().len() as i64;
    }
    assert!(
        total <= written(),
        "{total} runs of {} migrations",
        written()
    );
    assert_eq!(ran(&database), written());
    assert!(!database.store().has_pending_migrations().await.unwrap());
}

/// Undoes what each database says in its own words (`migrations/sqlite`, `migrations/postgres`); migrating brings it back.
fn undo_overlays(database: &TestDatabase) {
    let overlay = match database.system() {
        crate::support::System::Sqlite => "sqlite",
        crate::support::System::Postgres => "postgres",
    };
    let folder = format!("{}/migrations/{overlay}", env!("CARGO_MANIFEST_DIR"));
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.to_string_lossy().ends_with("_down.sql") {
            database.execute(&std::fs::read_to_string(path).unwrap());
        }
    }
}

/// Each migration is one transaction: what a kill can leave behind is a database with the first few done.
#[tokio::test]
async fn a_half_migrated_database_is_migrated_on() {
    let database = TestDatabase::new();
    let last = database
        .texts("SELECT max(version) FROM __diesel_schema_migrations")
        .remove(0);
    let folder = std::fs::read_dir(format!("{}/migrations/common", env!("CARGO_MANIFEST_DIR")))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| {
            let name = path.file_name().unwrap().to_string_lossy();
            let version: String = name.split('_').next().unwrap().replace('-', "");
            version == last
        })
        .expect("the last migration has a folder");
    undo_overlays(&database);
    database.execute(&std::fs::read_to_string(folder.join("down.sql")).unwrap());
    database.execute(&format!(
        "DELETE FROM __diesel_schema_migrations WHERE version = '{last}'"
    ));
    let store = database.store();
    assert_eq!(store.migrate().await.unwrap().len(), 1);
    assert_eq!(ran(&database), written());
}

/// The migrations, the newest first.
fn newest_first() -> Vec<std::path::PathBuf> {
    let mut folders: Vec<_> =
        std::fs::read_dir(format!("{}/migrations/common", env!("CARGO_MANIFEST_DIR")))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
    folders.sort();
    folders.reverse();
    folders
}

/// Goes back to how the database was before this migration. What the tables that stay hold is kept.
fn go_back_before(database: &TestDatabase, name: &str) {
    undo_overlays(database);
    for folder in newest_first() {
        database.execute(&std::fs::read_to_string(folder.join("down.sql")).unwrap());
        let called = folder.file_name().unwrap().to_string_lossy().into_owned();
        let version: String = called.split('_').next().unwrap().replace('-', "");
        database.execute(&format!(
            "DELETE FROM __diesel_schema_migrations WHERE version = '{version}'"
        ));
        if called == name {
            return;
        }
    }
    panic!("there is no migration {name}");
}

#[test]
fn every_migration_can_be_undone() {
    let database = TestDatabase::new();
    undo_overlays(&database);
    for folder in newest_first() {
        database.execute(&std::fs::read_to_string(folder.join("down.sql")).unwrap());
    }
    let tables = match database.system() {
        crate::support::System::Sqlite => {
            "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        }
        crate::support::System::Postgres => {
            "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'"
        }
    };
    assert_eq!(
        database.number(tables),
        1,
        "only Diesel's own table is left"
    );
}

/// What the connections hold: the setting, whose consent holds to which text, and the ledger.
fn connections(database: &TestDatabase) -> [Vec<String>; 3] {
    [
        "SELECT setting FROM connection_settings",
        "SELECT u.name || ' ' || CAST(c.text_version AS TEXT) FROM active_consents c JOIN users u ON u.id = c.user_id ORDER BY u.name",
        "SELECT u.name || ' ' || c.act || ' ' || c.reason || ' ' || CAST(c.text_version AS TEXT) || ' ' || c.setting || ' ' || c.actor_name FROM consent_entries c JOIN users u ON u.id = c.user_id ORDER BY u.name",
    ]
    .map(|query| database.texts(query))
}

const CONNECTIONS: &str = "2026-11-26-000040_connections";

#[tokio::test]
async fn an_installation_that_reads_linkedin_already_goes_on_and_keeps_what_was_agreed_to() {
    let database = TestDatabase::new();
    {
        let conn = &mut database.conn();
        seed_defaults(conn);
        let [ada, bob, cid] =
            ["Ada", "Bob", "Cid"].map(|name| a_user(conn, name, &[Role::Salesperson]));
        // Ada confirmed two profiles; Bob made one for Ada to authorise; Cid’s waits, and a fourth was disconnected.
        let later = day() + chrono::TimeDelta::days(50);
        for name in ["Ada’s first", "Ada’s second"] {
            let profile = a_profile(conn, &ada, name);
            authorize(conn, &profile, &ada, later);
        }
        let profile = a_profile(conn, &bob, "Bob’s, authorised by Ada");
        authorize(conn, &profile, &ada, later);
        a_profile(conn, &cid, "Cid’s, not authorised");
        let profile = a_profile(conn, &cid, "Cid’s, disconnected");
        authorize(conn, &profile, &cid, later);
        database.execute(&format!(
            "DELETE FROM linkedin_tokens WHERE profile_id = '{profile}'"
        ));
    }
    go_back_before(&database, CONNECTIONS);
    database.store().migrate().await.unwrap();
    assert_eq!(
        connections(&database),
        [
            vec!["yes"],
            vec!["Ada 0"],
            vec!["Ada given upgrade 0 yes Ada"]
        ]
    );
    assert_eq!(
        database.number(
            "SELECT count(*) FROM linkedin_user_profiles WHERE authorization_status = 'authorized'"
        ),
        4
    );
    // The ledger is kept from the first entry on.
    let refused = |statement: &str| {
        use diesel::connection::SimpleConnection as _;
        let outcome = match &mut database.conn() {
            leadgen::store::AnyConn::Pg(c) => c.batch_execute(statement),
            leadgen::store::AnyConn::Sqlite(c) => c.batch_execute(statement),
        };
        let problem = outcome.expect_err(statement).to_string();
        assert!(problem.contains("consent ledger"), "{problem}");
    };
    refused("UPDATE consent_entries SET act = 'withdrawn'");
    refused("DELETE FROM consent_entries");
    if database.system() == crate::support::System::Postgres {
        refused("TRUNCATE consent_entries");
    }
    assert_eq!(connections(&database)[2].len(), 1);
}

#[tokio::test]
async fn an_installation_without_profiles_begins_anew_with_what_its_first_start_writes() {
    let database = TestDatabase::new();
    a_user(&mut database.conn(), "Ada", &[Role::Administrator]);
    go_back_before(&database, CONNECTIONS);
    database.store().migrate().await.unwrap();
    assert!(connections(&database).concat().is_empty());
    leadgen::store::seed::run(&mut database.conn(), day(), uuid::Uuid::now_v7).unwrap();
    assert_eq!(connections(&database).concat(), ["no"]);
}
