//! `Store::write`: all or nothing, and never "database is locked" among our own writers.

use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use leadgen::store::schema::organizations::dsl;
use leadgen::store::{AnyConn, StoreError};

use crate::support::{Held, System, TestDatabase};

fn insert_organization(conn: &mut AnyConn, id: &str) -> Result<(), StoreError> {
    let at = chrono::DateTime::UNIX_EPOCH.naive_utc();
    diesel::insert_into(dsl::organizations)
        .values((
            dsl::id.eq(id),
            dsl::name.eq("Contoso"),
            dsl::kind.eq("built_in"),
            dsl::created_at.eq(at),
            dsl::updated_at.eq(at),
            dsl::lock_version.eq(0_i64),
        ))
        .execute(conn)?;
    Ok(())
}

fn version(conn: &mut AnyConn, id: &str) -> Result<i64, StoreError> {
    Ok(dsl::organizations
        .find(id)
        .select(dsl::lock_version)
        .first(conn)?)
}

/// Two pools on one database stand for two replicas: the queue inside of one pool must not be what makes it work.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_read_modify_write_never_fails_with_locked() {
    let database = TestDatabase::new();
    let (first, second) = (database.store(), database.store());
    first
        .write(|conn| insert_organization(conn, "org"))
        .await
        .unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..8 {
        let store = if number % 2 == 0 {
            first.clone()
        } else {
            second.clone()
        };
        tasks.spawn(async move {
            for _ in 0..10 {
                store
                    .write(|conn| {
                        let _seen = version(conn, "org")?;
                        diesel::update(dsl::organizations.find("org"))
                            .set(dsl::lock_version.eq(dsl::lock_version + 1))
                            .execute(conn)?;
                        Ok::<_, StoreError>(())
                    })
                    .await
                    .unwrap();
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    assert_eq!(first.read(|conn| version(conn, "org")).await.unwrap(), 80);
}

#[tokio::test]
async fn a_write_that_answers_with_an_error_stores_nothing() {
    let database = TestDatabase::new();
    let store = database.store();
    let outcome: Result<(), StoreError> = store
        .write(|conn| {
            insert_organization(conn, "org")?;
            Err(StoreError::Rule("no".into()))
        })
        .await;
    assert!(matches!(outcome, Err(StoreError::Rule(_))));
    assert_eq!(database.number("SELECT count(*) FROM organizations"), 0);
    // The door still opens.
    store
        .write(|conn| insert_organization(conn, "org"))
        .await
        .unwrap();
    assert_eq!(database.number("SELECT count(*) FROM organizations"), 1);
}

#[tokio::test]
async fn a_write_that_panics_stores_nothing_and_the_store_goes_on() {
    let database = TestDatabase::new();
    let store = database.store();
    for _ in 0..6 {
        let store = store.clone();
        let outcome = tokio::spawn(async move {
            store
                .write::<(), StoreError>(|conn| {
                    insert_organization(conn, "org")?;
                    panic!("on purpose")
                })
                .await
        })
        .await;
        assert!(outcome.unwrap_err().is_panic());
    }
    assert_eq!(database.number("SELECT count(*) FROM organizations"), 0);
    store
        .write(|conn| insert_organization(conn, "org"))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_statement_that_fails_inside_of_a_write_undoes_the_ones_before() {
    let database = TestDatabase::new();
    let store = database.store();
    let outcome: Result<(), StoreError> = store
        .write(|conn| {
            insert_organization(conn, "org")?;
            insert_organization(conn, "org")
        })
        .await;
    assert!(
        matches!(outcome, Err(StoreError::Duplicate(_))),
        "{outcome:?}"
    );
    assert_eq!(database.number("SELECT count(*) FROM organizations"), 0);
}

#[tokio::test]
async fn a_writer_waits_for_another_process_that_holds_the_lock() {
    let database = TestDatabase::new();
    let store = database.store();
    store
        .write(|conn| insert_organization(conn, "org"))
        .await
        .unwrap();
    let mut other = database.conn();
    let begin = match database.system() {
        System::Sqlite => "BEGIN IMMEDIATE",
        System::Postgres => "BEGIN",
    };
    other.batch_execute(begin).unwrap();
    other
        .batch_execute("UPDATE organizations SET lock_version = 5 WHERE id = 'org'")
        .unwrap();
    let waiting = tokio::spawn({
        let store = store.clone();
        async move {
            store
                .write(|conn| {
                    diesel::update(dsl::organizations.find("org"))
                        .set(dsl::lock_version.eq(dsl::lock_version + 1))
                        .execute(conn)?;
                    Ok::<_, StoreError>(())
                })
                .await
        }
    });
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert!(!waiting.is_finished());
    other.batch_execute("COMMIT").unwrap();
    waiting.await.unwrap().unwrap();
    assert_eq!(store.read(|conn| version(conn, "org")).await.unwrap(), 6);
}

#[tokio::test]
async fn foreign_keys_and_checks_are_enforced() {
    let database = TestDatabase::new();
    let store = database.store();
    let orphan: Result<(), StoreError> = store
        .write(|conn| {
            conn.batch_execute(
                "INSERT INTO user_roles (user_id, role) VALUES ('nobody', 'administrator')",
            )?;
            Ok(())
        })
        .await;
    assert!(matches!(orphan, Err(StoreError::InUse(_))), "{orphan:?}");
    let unknown_word: Result<(), StoreError> = store
        .write(|conn| {
            conn.batch_execute(
                "INSERT INTO organizations (id, name, kind, created_at, updated_at, lock_version) VALUES ('x', 'X', 'dreamt_up', '2026-01-01', '2026-01-01', 0)",
            )?;
            Ok(())
        })
        .await;
    assert!(unknown_word.is_err());
}

#[tokio::test]
async fn the_clock_of_the_database_is_utc_and_close_to_ours() {
    let database = TestDatabase::new();
    let theirs = database
        .store()
        .read(leadgen::store::database_now)
        .await
        .unwrap();
    let ours = leadgen::clock::Clock::System.now();
    assert!((theirs - ours).abs() < chrono::TimeDelta::minutes(1));
}

#[tokio::test]
async fn a_database_that_is_not_there_is_told_at_once() {
    let outcome = leadgen::store::Store::connect(
        &leadgen::store::DatabaseUrl::Postgres("postgres://nobody@127.0.0.1:1/none".into()),
        2,
    );
    assert!(matches!(outcome, Err(StoreError::Unreachable(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_has_no_patience_is_told_busy_and_what_they_wanted_is_never_done() {
    let database = TestDatabase::new();
    let store = database.store();
    let held = Held::readers(&store, 4).await;
    let hurried = store.with_patience(Duration::from_millis(300));

    // A reader waits for its turn, a writer has its turn and waits for a connection.
    let begun = std::time::Instant::now();
    let read = hurried.read(|conn| version(conn, "org")).await;
    assert!(matches!(read, Err(StoreError::Busy)), "{read:?}");
    let write = hurried
        .write(|conn| insert_organization(conn, "hurried"))
        .await;
    assert!(matches!(write, Err(StoreError::Busy)), "{write:?}");
    assert!(
        begun.elapsed() < Duration::from_secs(3),
        "{:?}",
        begun.elapsed()
    );

    // Somebody patient is still waiting and comes to their turn.
    let patient = store.clone();
    let waiting =
        tokio::spawn(async move { patient.write(|conn| insert_organization(conn, "org")).await });
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!waiting.is_finished());
    held.release().await;
    waiting.await.unwrap().unwrap();
    assert_eq!(hurried.read(|conn| version(conn, "org")).await.unwrap(), 0);
    let gone = store.read(|conn| version(conn, "hurried")).await;
    assert!(matches!(gone, Err(StoreError::NotFound(_))), "{gone:?}");
}
