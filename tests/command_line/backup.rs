//! `leadgen backup` and `leadgen restore`: whole while others write, refused while others have the database open.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use leadgen::store::DatabaseUrl;

use crate::leadgen;
use crate::support::installation::{Installation, Plan};
use crate::support::{Program, System, TestDatabase};

#[derive(QueryableByName)]
struct Text {
    #[diesel(sql_type = diesel::sql_types::Text)]
    value: String,
}

fn texts(conn: &mut SqliteConnection, query: &str) -> Vec<String> {
    let rows: Vec<Text> = diesel::sql_query(query).load(conn).unwrap();
    rows.into_iter().map(|row| row.value).collect()
}

/// Every row of every table, indexes and all, as SQLite writes it down. What the commands themselves note is left out.
fn contents(file: &Path) -> BTreeMap<String, Vec<String>> {
    let mut conn = SqliteConnection::establish(file.to_str().unwrap()).unwrap();
    let tables = texts(
        &mut conn,
        "SELECT name AS value FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name",
    );
    tables
        .into_iter()
        .map(|table| {
            let columns = texts(
                &mut conn,
                &format!(
                    "SELECT 'quote(\"' || name || '\")' AS value FROM pragma_table_info('{table}')"
                ),
            );
            let only = match table.as_str() {
                "audit_entries" => "WHERE action NOT LIKE 'database.%'",
                "audit_chain" => "WHERE false",
                _ => "",
            };
            let rows = texts(
                &mut conn,
                &format!(
                    "SELECT {} AS value FROM \"{table}\" {only} ORDER BY 1",
                    columns.join(" || '|' || ")
                ),
            );
            (table, rows)
        })
        .collect()
}

fn path_of(database: &TestDatabase) -> PathBuf {
    match database.url() {
        DatabaseUrl::Sqlite(path) => path.clone(),
        DatabaseUrl::Postgres(_) => unreachable!("made on SQLite"),
    }
}

fn entries_of(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_backed_up_while_others_wrote_is_whole_and_what_is_restored_equals_it() {
    let installation = Installation::of(Plan {
        system: System::Sqlite,
        ..Plan::default()
    })
    .await;
    installation.connect("Backed up").await;
    installation.sync().await;
    let folder = tempfile::tempdir().unwrap();
    let path = path_of(&installation.database);

    // A writer whose transactions always leave as many notes as marks.
    installation
        .database
        .execute("CREATE TABLE notes (id INTEGER); CREATE TABLE marks (id INTEGER);");
    let stop = Arc::new(AtomicBool::new(false));
    let writer = {
        let (stop, mut conn) = (Arc::clone(&stop), installation.database.conn());
        std::thread::spawn(move || {
            let mut written = 0;
            while !stop.load(Ordering::Relaxed) {
                conn.batch_execute(
                    "BEGIN IMMEDIATE; INSERT INTO notes VALUES (1); INSERT INTO marks VALUES (1); COMMIT;",
                )
                .unwrap();
                written += 1;
            }
            written
        })
    };
    for name in ["one.db", "two.db", "three.db"] {
        let file = folder.path().join(name);
        installation
            .program(["backup", file.to_str().unwrap()])
            .run()
            .expect(0);
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let copy = contents(&file);
        assert_eq!(copy["notes"].len(), copy["marks"].len());
        let mut conn = SqliteConnection::establish(file.to_str().unwrap()).unwrap();
        assert_eq!(
            texts(
                &mut conn,
                "SELECT integrity_check AS value FROM pragma_integrity_check"
            ),
            ["ok"]
        );
    }
    stop.store(true, Ordering::Relaxed);
    assert!(writer.join().unwrap() > 0, "nobody wrote meanwhile");

    let before = contents(&path);
    assert!(before["leads"].len() > 10);
    let file = folder.path().join("last.db");
    let backup = installation.program(["backup", file.to_str().unwrap()]);
    let said = backup.run().expect(0);
    assert!(said.stdout.contains("LEADGEN_SECRET_KEY"), "{said:?}");
    assert!(contents(&file) == before, "the backup differs");
    // Once written, a backup is not written over, and nothing half done lies about.
    let again = backup.run().expect(2);
    assert!(again.stderr.contains("exists already"), "{again:?}");
    assert_eq!(
        entries_of(folder.path()),
        ["last.db", "one.db", "three.db", "two.db"]
    );

    installation
        .database
        .execute("DELETE FROM lead_notes; UPDATE users SET name = 'Somebody else';");
    // This process has the database open, idle as it is.
    let restore = installation.program(["restore", file.to_str().unwrap()]);
    let refused = restore.run().expect(1);
    assert!(refused.stderr.contains("is in use"), "{refused:?}");
    assert!(contents(&path) != before);

    // The same file under another name stands for a portal that was stopped.
    let stopped = folder.path().join("stopped/leadgen.db");
    std::fs::create_dir(stopped.parent().unwrap()).unwrap();
    let other = folder.path().join("three.db");
    std::fs::copy(&other, &stopped).unwrap();
    let url = format!("sqlite://{}", stopped.display());
    let on_stopped = |arguments: &[&str]| -> Program {
        Program::new(arguments.iter().map(|text| (*text).to_owned()))
            .env("LEADGEN_DATABASE_URL", &url)
            .env("LEADGEN_SECRET_KEY", crate::support::SECRET_KEY)
    };
    let restored = on_stopped(&["restore", file.to_str().unwrap()])
        .run()
        .expect(0);
    assert!(restored.stdout.contains("is kept as"), "{restored:?}");
    assert!(contents(&stopped) == before, "what is restored differs");
    let kept = entries_of(stopped.parent().unwrap())
        .into_iter()
        .find(|name| name.contains("before-restore"))
        .unwrap();
    assert!(contents(&stopped.parent().unwrap().join(kept)) == contents(&other));
    on_stopped(&["audit", "verify"]).run().expect(0);
    on_stopped(&["status"]).run().expect(0);
}

#[test]
fn what_is_no_whole_backup_is_not_restored_and_the_database_stays() {
    let database = TestDatabase::on(System::Sqlite);
    leadgen(
        &database,
        [
            "user",
            "add",
            "--email",
            "sam@example.com",
            "--role",
            "salesperson",
        ],
    )
    .run()
    .expect(0);
    let folder = tempfile::tempdir().unwrap();
    let name = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    leadgen(&database, ["backup", &name("good.db")])
        .run()
        .expect(0);
    let good = std::fs::read(name("good.db")).unwrap();
    let mut damaged = good.clone();
    for byte in damaged.iter_mut().skip(8192).take(12_288) {
        *byte ^= 0x5a;
    }
    std::fs::write(name("damaged.db"), damaged).unwrap();
    std::fs::write(name("cut.db"), &good[..good.len() / 2]).unwrap();
    std::fs::write(name("empty.db"), "").unwrap();
    std::fs::write(name("text.db"), "not a database at all").unwrap();
    std::fs::write(name("at-work.db"), &good).unwrap();
    std::fs::write(name("at-work.db-wal"), "frames").unwrap();
    let execute = |file: &str, statements: &str| {
        std::fs::write(name(file), &good).unwrap();
        SqliteConnection::establish(&name(file))
            .unwrap()
            .batch_execute(statements)
            .unwrap();
    };
    execute(
        "newer.db",
        "INSERT INTO __diesel_schema_migrations (version) VALUES ('29990101000001')",
    );
    execute("loose.db", "PRAGMA foreign_keys = OFF; DELETE FROM users");
    SqliteConnection::establish(&name("other.db"))
        .unwrap()
        .batch_execute("CREATE TABLE songs (id INTEGER)")
        .unwrap();
    let before = contents(&path_of(&database));
    for (file, problem) in [
        ("damaged.db", "no backup"),
        ("cut.db", "no backup"),
        ("empty.db", "empty"),
        ("text.db", "no backup"),
        ("at-work.db", "leadgen backup"),
        ("newer.db", "newer version"),
        ("loose.db", "refer to rows"),
        ("other.db", "holds no database"),
        ("absent.db", "cannot be read"),
    ] {
        let refused = leadgen(&database, ["restore", &name(file)]).run().expect(1);
        assert!(refused.stderr.contains(problem), "{file}: {refused:?}");
        assert!(!refused.stderr.contains("panicked"), "{refused:?}");
        assert!(contents(&path_of(&database)) == before, "{file}");
    }
    let left = entries_of(path_of(&database).parent().unwrap());
    assert!(
        left.iter().all(|name| !name.contains("restor")),
        "left behind: {left:?}"
    );
}

#[test]
fn a_backup_is_restored_where_no_database_was() {
    let database = TestDatabase::on(System::Sqlite);
    leadgen(&database, ["migrate"]).run().expect(0);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("backup.db");
    leadgen(&database, ["backup", file.to_str().unwrap()])
        .run()
        .expect(0);
    let url = format!("sqlite://{}/new/leadgen.db", folder.path().display());
    leadgen(&database, ["restore", file.to_str().unwrap()])
        .env("LEADGEN_DATABASE_URL", url)
        .run()
        .expect(0);
    assert_eq!(
        contents(&folder.path().join("new/leadgen.db")),
        contents(&path_of(&database))
    );
    for wrong in ["", "/", "/nowhere/at/all/x.db"] {
        let outcome = leadgen(&database, ["backup", wrong]).run();
        assert!(matches!(outcome.code, Some(1 | 2)), "{wrong}: {outcome:?}");
        assert!(!outcome.stderr.contains("panicked"), "{outcome:?}");
    }
}

#[test]
fn on_postgresql_both_commands_name_its_own_tools() {
    if System::of_this_run() != System::Postgres {
        return;
    }
    let database = TestDatabase::new();
    for (command, tool) in [("backup", "pg_dump"), ("restore", "pg_restore")] {
        let refused = leadgen(&database, [command, "x.db"]).run().expect(2);
        assert!(refused.stderr.contains(tool), "{refused:?}");
    }
}
