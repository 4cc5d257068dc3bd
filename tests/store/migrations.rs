//! Migrations: once, in order, whoever comes first; killed half way they can be run again.

use leadgen::store::Store;

use crate::support::TestDatabase;

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

#[test]
fn every_migration_can_be_undone() {
    let database = TestDatabase::new();
    undo_overlays(&database);
    let mut folders: Vec<_> =
        std::fs::read_dir(format!("{}/migrations/common", env!("CARGO_MANIFEST_DIR")))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
    folders.sort();
    for folder in folders.iter().rev() {
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
