//! The chain of the audit log: what is written hangs together, and whatever is done behind its back shows.

use chrono::{DateTime, TimeDelta, Utc};
use leadgen::store::audit::verification::{Fault, Noted, Verification};
use leadgen::store::audit::{self, Actor, chain};
use leadgen::store::{AnyConn, Store, StoreError, lock_leads};
use serde_json::json;

use crate::support::{System, TestDatabase, a_moment};

fn record(conn: &mut AnyConn, at: DateTime<Utc>, name: &str) -> Result<(), StoreError> {
    audit::record(
        conn,
        at,
        &Actor::system(),
        "thing.changed",
        ("thing", "1", name),
        Some(json!({ "name": "before" })),
        Some(json!({ "name": name })),
    )
}

/// `count` entries named after their numbers, a minute apart, two of them in one transaction.
async fn with_entries(database: &TestDatabase, count: i64) -> Store {
    let store = database.store();
    for number in 1..=count {
        let at = a_moment() + TimeDelta::minutes(number);
        store
            .write(move |tx| record(tx, at, &format!("n{number}")))
            .await
            .unwrap();
    }
    store
}

async fn verified(store: &Store, noted: Option<Noted>) -> Verification {
    let mut checked = store
        .read(move |conn| Verification::begin(conn, None, noted))
        .await
        .unwrap();
    while !checked.is_done() {
        checked = store
            .read(move |conn| checked.step(conn).map(|()| checked))
            .await
            .unwrap();
    }
    checked
}

/// What somebody does who can write the database.
fn without_triggers(database: &TestDatabase) {
    database.execute(match database.system() {
        System::Sqlite => include_str!("../../migrations/sqlite/audit_down.sql"),
        System::Postgres => include_str!("../../migrations/postgres/audit_down.sql"),
    });
}

fn id_of(database: &TestDatabase, number: i64) -> String {
    database
        .texts(&format!(
            "SELECT id FROM audit_entries WHERE chain_number = {number}"
        ))
        .remove(0)
}

#[tokio::test]
async fn entries_are_numbered_without_gaps_in_the_order_of_writing_and_the_chain_is_whole() {
    let database = TestDatabase::new();
    let store = with_entries(&database, 3).await;
    store
        .write(|tx| {
            record(tx, a_moment(), "n4")?;
            record(tx, a_moment(), "n5")
        })
        .await
        .unwrap();
    // What did not happen leaves no entry and no gap.
    let failed: Result<(), StoreError> = store
        .write(|tx| {
            record(tx, a_moment(), "never")?;
            Err(StoreError::LeaseLost)
        })
        .await;
    assert!(failed.is_err());
    // Outside of a write transaction an entry stands alone.
    record(&mut database.conn(), a_moment(), "n6").unwrap();
    let names = database.texts("SELECT object_name FROM audit_entries ORDER BY chain_number");
    assert_eq!(names, ["n1", "n2", "n3", "n4", "n5", "n6"]);
    let checked = verified(&store, None).await;
    assert_eq!(checked.fault(), None);
    assert_eq!(
        (checked.first(), checked.last(), checked.checked()),
        (1, 6, 6)
    );
    let end = checked.end().unwrap();
    assert_eq!(end.to_string().parse(), Ok(end.clone()));
    with_entries(&database, 1).await;
    assert_eq!(verified(&store, Some(end)).await.fault(), None);
}

#[tokio::test]
async fn an_empty_log_is_whole() {
    let database = TestDatabase::new();
    let checked = verified(&database.store(), None).await;
    assert_eq!(
        (checked.fault(), checked.checked(), checked.end()),
        (None, 0, None)
    );
}

#[tokio::test]
async fn a_panic_leaves_no_entry_for_the_next_transaction_on_the_thread() {
    let database = TestDatabase::new();
    let store = database.store();
    let panicking = store.clone();
    let task = tokio::spawn(async move {
        panicking
            .write(|tx| -> Result<(), StoreError> {
                record(tx, a_moment(), "never")?;
                panic!("wanted by the test");
            })
            .await
    });
    assert!(task.await.unwrap_err().is_panic());
    with_entries(&database, 2).await;
    assert_eq!(
        database.texts("SELECT object_name FROM audit_entries ORDER BY chain_number"),
        ["n1", "n2"]
    );
    assert_eq!(verified(&store, None).await.fault(), None);
}

#[tokio::test]
async fn every_change_of_a_field_names_the_entry() {
    let unlike = [
        "created_at = '2020-01-01 00:00:00'",
        "actor_kind = 'user'",
        "user_id = '1'",
        "actor_name = 'Mallory'",
        "actor_roles = 'administrator'",
        "action = 'thing.deleted'",
        "object_kind = 'other'",
        "object_id = '2'",
        "object_name = 'x'",
        "before_state = '{}'",
        "before_state = NULL",
        "after_state = '{\"name\":\"n9\"}'",
        "request_id = 'r'",
        "address = '10.0.0.1'",
        "entry_hash = 'x'",
    ];
    let database = TestDatabase::new();
    let store = with_entries(&database, 4).await;
    without_triggers(&database);
    let id = id_of(&database, 3);
    for change in unlike {
        let column = change.split(' ').next().unwrap();
        database.execute("CREATE TABLE kept AS SELECT * FROM audit_entries WHERE chain_number = 3");
        database.execute(&format!(
            "UPDATE audit_entries SET {change} WHERE chain_number = 3"
        ));
        let checked = verified(&store, None).await;
        assert_eq!(
            checked.fault(),
            Some(&Fault::Changed {
                number: 3,
                id: id.clone()
            }),
            "{change}"
        );
        assert_eq!(checked.last(), 2, "{change}");
        database.execute(&format!(
            "UPDATE audit_entries SET {column} = (SELECT {column} FROM kept) WHERE chain_number = 3; DROP TABLE kept"
        ));
        assert_eq!(verified(&store, None).await.fault(), None, "{change}");
    }
}

#[tokio::test]
async fn a_deleted_an_inserted_and_a_swapped_entry_are_named() {
    type Case = (&'static str, fn(&TestDatabase) -> Fault);
    let cases: [Case; 8] = [
        ("DELETE FROM audit_entries WHERE chain_number = 3", |_| {
            Fault::Missing {
                number: 3,
                next: Some(4),
            }
        }),
        (
            "DELETE FROM audit_entries WHERE chain_number IN (1, 2)",
            |_| Fault::Missing {
                number: 1,
                next: Some(3),
            },
        ),
        ("DELETE FROM audit_entries WHERE chain_number > 3", |_| {
            Fault::Missing {
                number: 4,
                next: None,
            }
        }),
        // The end set back, too, but with the wrong hash.
        (
            "DELETE FROM audit_entries WHERE chain_number = 5; UPDATE audit_chain SET last_number = 4",
            |_| Fault::End { number: 4 },
        ),
        (
            "UPDATE audit_chain SET last_number = 4, last_hash = \
          (SELECT entry_hash FROM audit_entries WHERE chain_number = 4)",
            |_| Fault::Beyond { number: 5 },
        ),
        (
            "UPDATE audit_entries SET chain_number = 99 WHERE chain_number = 2; \
             UPDATE audit_entries SET chain_number = 2 WHERE chain_number = 4; \
             UPDATE audit_entries SET chain_number = 4 WHERE chain_number = 99",
            |database| Fault::Changed {
                number: 2,
                id: id_of(database, 2),
            },
        ),
        (
            "INSERT INTO audit_entries (id, created_at, actor_kind, actor_name, action, object_kind, object_id, object_name) \
             VALUES ('0', '2026-01-01 00:00:00', 'system', 'System', 'a.b', 'a', '', '')",
            |_| Fault::Loose { id: "0".to_owned() },
        ),
        (
            "DROP INDEX audit_entries_chain_number; \
             INSERT INTO audit_entries (id, created_at, actor_kind, actor_name, action, object_kind, object_id, object_name, chain_number, entry_hash) \
             VALUES ('ffffffff', '2026-01-01 00:00:00', 'system', 'System', 'a.b', 'a', '', '', 3, 'x')",
            |_| Fault::Twice {
                number: 3,
                id: "ffffffff".to_owned(),
            },
        ),
    ];
    for (statements, wanted) in cases {
        let database = TestDatabase::new();
        let store = with_entries(&database, 5).await;
        without_triggers(&database);
        database.execute(statements);
        assert_eq!(
            verified(&store, None).await.fault(),
            Some(&wanted(&database)),
            "{statements}"
        );
    }
}

#[tokio::test]
async fn a_log_that_was_calculated_anew_is_told_by_an_end_that_was_noted() {
    let database = TestDatabase::new();
    let store = with_entries(&database, 5).await;
    let noted = verified(&store, None).await.end().unwrap();
    without_triggers(&database);
    database.execute(
        "DELETE FROM audit_entries WHERE chain_number > 3; \
         UPDATE audit_chain SET last_number = 3, last_hash = (SELECT entry_hash FROM audit_entries WHERE chain_number = 3)",
    );
    assert_eq!(verified(&store, None).await.fault(), None);
    let gone = verified(&store, Some(noted.clone())).await;
    assert_eq!(gone.fault(), Some(&Fault::NotAsNoted { number: 5 }));
    // Other entries in their place.
    store
        .write(|tx| {
            record(tx, a_moment(), "other")?;
            record(tx, a_moment(), "another")
        })
        .await
        .unwrap();
    assert_eq!(verified(&store, None).await.fault(), None);
    let rewritten = verified(&store, Some(noted)).await;
    assert_eq!(rewritten.fault(), Some(&Fault::NotAsNoted { number: 5 }));
}

#[tokio::test]
async fn the_database_itself_refuses_to_change_or_delete_entries() {
    let database = TestDatabase::new();
    with_entries(&database, 2).await;
    let mut statements = vec![
        "UPDATE audit_entries SET object_name = 'x'",
        "UPDATE audit_entries SET chain_number = NULL, entry_hash = NULL",
        "UPDATE audit_entries SET chain_number = 7 WHERE chain_number = 2",
        "DELETE FROM audit_entries",
        "DELETE FROM audit_chain",
        "UPDATE audit_chain SET last_number = 1",
    ];
    if database.system() == System::Postgres {
        statements.push("TRUNCATE audit_entries");
    }
    for statement in statements {
        use diesel::connection::SimpleConnection as _;
        let refused = database.conn().batch_execute(statement).unwrap_err();
        let words = refused.to_string();
        assert!(words.contains("of the audit log"), "{statement}: {words}");
    }
    assert_eq!(database.number("SELECT count(*) FROM audit_entries"), 2);
}

/// One writer locks the leads before it writes its entry, the other after: the end of the chain is locked last by both.
/// Two pools stand for two replicas.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_writers_make_one_chain_and_never_wait_for_each_other_in_a_circle() {
    let database = TestDatabase::new();
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..8 {
        let store = database.store();
        tasks.spawn(async move {
            for _ in 0..15 {
                store
                    .write(move |tx| {
                        if number % 2 == 0 {
                            record(tx, a_moment(), "first")?;
                            lock_leads(tx)
                        } else {
                            lock_leads(tx)?;
                            record(tx, a_moment(), "second")
                        }
                    })
                    .await
                    .unwrap();
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    let checked = verified(&database.store(), None).await;
    assert_eq!((checked.fault(), checked.checked()), (None, 120));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_act_that_is_noted_once_a_minute_is_one_link_whoever_repeats_it() {
    let database = TestDatabase::new();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let store = database.store();
        tasks.spawn(async move {
            store
                .write(|tx| {
                    for _ in 0..2 {
                        audit::record_once_a_minute(
                            tx,
                            a_moment(),
                            &Actor::system(),
                            "access.denied",
                            ("page", "/leads", "GET /leads"),
                            None,
                        )?;
                    }
                    record(tx, a_moment(), "n")
                })
                .await
                .unwrap();
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    let denied = "SELECT count(*) FROM audit_entries WHERE action = 'access.denied'";
    assert_eq!(database.number(denied), 1);
    let checked = verified(&database.store(), None).await;
    assert_eq!((checked.fault(), checked.checked()), (None, 7));
}

#[tokio::test]
async fn entries_of_an_earlier_version_get_their_numbers_and_that_is_noted() {
    let database = TestDatabase::new();
    let store = with_entries(&database, 1).await;
    for number in 1..=1_100 {
        database.execute(&format!(
            "INSERT INTO audit_entries (id, created_at, actor_kind, actor_name, action, object_kind, object_id, object_name) \
             VALUES ('old-{number:04}', '2025-01-01 00:00:00', 'system', 'System', 'a.b', 'a', '', '')"
        ));
    }
    assert_eq!(
        verified(&store, None).await.fault().map(Fault::word),
        Some("loose")
    );
    let mut total = 0;
    loop {
        let numbered = store
            .write(|tx| chain::number_loose(tx, a_moment()))
            .await
            .unwrap();
        if numbered == 0 {
            break;
        }
        total += numbered;
    }
    assert_eq!(total, 1_100);
    let checked = verified(&store, None).await;
    // The first one, the old ones, and two notes: they came in two blocks.
    assert_eq!((checked.fault(), checked.checked()), (None, 1_103));
    assert_eq!(id_of(&database, 2), "old-0001");
    let notes = "SELECT count(*) FROM audit_entries WHERE action = 'audit_log.numbered'";
    assert_eq!(database.number(notes), 2);
}

#[tokio::test]
async fn pruning_takes_the_oldest_entries_only_and_the_rest_stays_whole() {
    let database = TestDatabase::new();
    let store = with_entries(&database, 6).await;
    let noted = verified(&store, None).await.end().unwrap();
    let (now, before) = (
        a_moment() + TimeDelta::hours(1),
        a_moment() + TimeDelta::minutes(4),
    );
    let prune =
        |limit| store.write(move |tx| chain::prune(tx, now, &Actor::command_line(), before, limit));
    assert_eq!(prune(2).await.unwrap(), 2);
    assert_eq!(prune(2).await.unwrap(), 1);
    assert_eq!(prune(2).await.unwrap(), 0);
    let names = database.texts("SELECT object_name FROM audit_entries ORDER BY chain_number");
    assert_eq!(names, ["n4", "n5", "n6", "Audit log", "Audit log"]);
    let checked = verified(&store, Some(noted)).await;
    assert_eq!((checked.fault(), checked.begins_at()), (None, 4));
    use diesel::connection::SimpleConnection as _;
    let mut conn = database.conn();
    assert!(
        conn.batch_execute("DELETE FROM audit_entries WHERE chain_number = 4")
            .is_err()
    );
    // Pruning more than was said shows.
    drop(conn);
    without_triggers(&database);
    database.execute("DELETE FROM audit_entries WHERE chain_number = 4");
    assert_eq!(
        verified(&store, None).await.fault(),
        Some(&Fault::Missing {
            number: 4,
            next: Some(5)
        })
    );
}
