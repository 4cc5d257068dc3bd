//! A database for one test: an SQLite file, or a PostgreSQL database of its own, gone when the test ends.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use leadgen::store::{AnyConn, DatabaseUrl, Store};

/// Which of the two database systems a test runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum System {
    /// A file in a temporary folder.
    Sqlite,
    /// A database on the server named by `LEADGEN_TEST_DATABASE_URL`.
    Postgres,
}

impl System {
    /// The system that this run of the tests is for: `LEADGEN_TEST_DATABASE`, `sqlite` unless it says `postgres`.
    pub fn of_this_run() -> Self {
        match std::env::var("LEADGEN_TEST_DATABASE").as_deref() {
            Err(_) | Ok("" | "sqlite") => Self::Sqlite,
            Ok("postgres") => Self::Postgres,
            Ok(other) => panic!("LEADGEN_TEST_DATABASE is `{other}`: write sqlite or postgres"),
        }
    }
}

/// A database for one test; removed when dropped.
pub struct TestDatabase {
    url: DatabaseUrl,
    /// Holds the SQLite file.
    folder: Option<tempfile::TempDir>,
    /// Name of the PostgreSQL database, to drop it.
    name: Option<String>,
}

impl TestDatabase {
    /// A migrated database on the system of this run.
    pub fn new() -> Self {
        Self::on(System::of_this_run())
    }

    /// A migrated database on this system.
    pub fn on(system: System) -> Self {
        match system {
            System::Sqlite => {
                let database = Self::empty_on(system);
                let DatabaseUrl::Sqlite(path) = &database.url else {
                    unreachable!()
                };
                std::fs::write(path, sqlite_template()).unwrap();
                database
            }
            System::Postgres => {
                let name = fresh_name();
                let template = postgres_template();
                create_from(&mut administration(), &name, template);
                Self::of_name(name)
            }
        }
    }

    /// A database without a table, on the system of this run.
    pub fn empty() -> Self {
        Self::empty_on(System::of_this_run())
    }

    /// A database without a table, on this system.
    pub fn empty_on(system: System) -> Self {
        match system {
            System::Sqlite => {
                let folder = tempfile::tempdir().unwrap();
                Self {
                    url: DatabaseUrl::Sqlite(folder.path().join("leadgen.db")),
                    folder: Some(folder),
                    name: None,
                }
            }
            System::Postgres => {
                let name = fresh_name();
                administration()
                    .batch_execute(&format!("CREATE DATABASE {name} TEMPLATE template0"))
                    .unwrap();
                Self::of_name(name)
            }
        }
    }

    fn of_name(name: String) -> Self {
        Self {
            url: DatabaseUrl::Postgres(url_of(&name)),
            folder: None,
            name: Some(name),
        }
    }

    /// Where it is.
    pub fn url(&self) -> &DatabaseUrl {
        &self.url
    }

    /// Where it is, as `LEADGEN_DATABASE_URL` wants it.
    pub fn url_text(&self) -> String {
        match &self.url {
            DatabaseUrl::Sqlite(path) => format!("sqlite://{}", path.display()),
            DatabaseUrl::Postgres(url) => url.clone(),
        }
    }

    /// Which system it is on.
    pub fn system(&self) -> System {
        match self.url {
            DatabaseUrl::Sqlite(_) => System::Sqlite,
            DatabaseUrl::Postgres(_) => System::Postgres,
        }
    }

    /// A pool of four connections, as production opens it.
    pub fn store(&self) -> Store {
        Store::connect(&self.url, 4).unwrap()
    }

    /// One connection outside of any pool, for a test's own look into the tables.
    pub fn conn(&self) -> AnyConn {
        match &self.url {
            DatabaseUrl::Sqlite(path) => {
                let mut conn =
                    diesel::SqliteConnection::establish(&path.to_string_lossy()).unwrap();
                conn.batch_execute("PRAGMA busy_timeout = 10000; PRAGMA foreign_keys = ON;")
                    .unwrap();
                AnyConn::Sqlite(conn)
            }
            DatabaseUrl::Postgres(url) => {
                let mut conn = diesel::PgConnection::establish(url).unwrap();
                conn.batch_execute("SET TIME ZONE 'UTC'").unwrap();
                AnyConn::Pg(conn)
            }
        }
    }

    /// The first column of one row, as a number.
    pub fn number(&self, query: &str) -> i64 {
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = diesel::sql_types::BigInt)]
            value: i64,
        }
        let query = format!("SELECT CAST(({query}) AS BIGINT) AS value");
        let row: Row = leadgen::each!(&mut self.conn(), |c| diesel::sql_query(query)
            .get_result(c)
            .unwrap());
        row.value
    }

    /// The first column of all rows, as text.
    pub fn texts(&self, query: &str) -> Vec<String> {
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = diesel::sql_types::Text)]
            value: String,
        }
        let query = format!(
            "WITH answer (value) AS ({query}) SELECT CAST(value AS TEXT) AS value FROM answer"
        );
        let rows: Vec<Row> = leadgen::each!(&mut self.conn(), |c| diesel::sql_query(query)
            .load(c)
            .unwrap());
        rows.into_iter().map(|row| row.value).collect()
    }

    /// Runs statements.
    pub fn execute(&self, statements: &str) {
        self.conn().batch_execute(statements).unwrap();
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let Some(name) = &self.name else { return };
        // A database that cannot be dropped goes with the throw-away server; a test that fails must tell its own reason.
        if let Ok(mut conn) = diesel::PgConnection::establish(&server_url()) {
            let _dropped =
                conn.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        }
    }
}

fn server_url() -> String {
    std::env::var("LEADGEN_TEST_DATABASE_URL")
        .ok()
        .filter(|url| !url.is_empty())
        .expect(
            "no PostgreSQL to test on: run tests/run, which starts one, \
             or set LEADGEN_TEST_DATABASE_URL to a server whose user may create databases",
        )
}

/// The server's URL with another database in it.
fn url_of(name: &str) -> String {
    let mut url = url::Url::parse(&server_url()).expect("LEADGEN_TEST_DATABASE_URL is a URL");
    url.set_path(name);
    url.into()
}

fn administration() -> diesel::PgConnection {
    diesel::PgConnection::establish(&server_url()).expect(
        "the PostgreSQL of LEADGEN_TEST_DATABASE_URL does not answer: run tests/run, which starts one",
    )
}

fn fresh_name() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!(
        "leadgen_test_{}_{}_{}",
        std::process::id(),
        NEXT.fetch_add(1, Ordering::Relaxed),
        uuid::Uuid::new_v4().simple()
    )
}

fn create_from(conn: &mut diesel::PgConnection, name: &str, template: &str) {
    for attempt in 1.. {
        match conn.batch_execute(&format!("CREATE DATABASE {name} TEMPLATE {template}")) {
            Ok(()) => return,
            // Another process has just migrated the template and its connection is still closing.
            Err(error) if attempt < 50 && error.to_string().contains("being accessed") => {
                #[expect(
                    clippy::disallowed_methods,
                    reason = "blocking code: this is not on the async runtime's clock"
                )]
                std::thread::sleep(std::time::Duration::from_millis(50));
            }
            Err(error) => panic!("the database of a test cannot be made: {error}"),
        }
    }
}

/// Migrates on a thread of its own, because a test may already be inside a runtime.
fn migrate(url: DatabaseUrl) {
    std::thread::spawn(move || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(async { Store::connect(&url, 1).unwrap().migrate().await.unwrap() })
    })
    .join()
    .expect("the migrations run");
}

/// The bytes of a migrated SQLite file, made once a process.
fn sqlite_template() -> &'static [u8] {
    static TEMPLATE: OnceLock<Vec<u8>> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let path: PathBuf = folder.path().join("template.db");
        migrate(DatabaseUrl::Sqlite(path.clone()));
        // Brings everything from the journal beside the file into it.
        diesel::SqliteConnection::establish(&path.to_string_lossy())
            .unwrap()
            .batch_execute("PRAGMA wal_checkpoint(TRUNCATE)")
            .unwrap();
        std::fs::read(path).unwrap()
    })
}

/// The name of a migrated PostgreSQL database, made once for a build of a test program, by whichever process comes first.
fn postgres_template() -> &'static str {
    static TEMPLATE: OnceLock<String> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        let program = std::env::current_exe().unwrap();
        let built = program
            .metadata()
            .and_then(|file| file.modified())
            .unwrap()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap()
            .as_nanos();
        let stem: String = program
            .file_stem()
            .unwrap()
            .to_string_lossy()
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .collect();
        let name = format!("leadgen_template_{}_{built}", stem.to_lowercase());
        #[derive(QueryableByName)]
        struct Count {
            #[diesel(sql_type = diesel::sql_types::BigInt)]
            count: i64,
        }
        let mut conn = administration();
        conn.batch_execute("SELECT pg_advisory_lock(7254011900)")
            .unwrap();
        let known: Count = diesel::sql_query(format!(
            "SELECT count(*) AS count FROM pg_database WHERE datname = '{name}' AND datistemplate"
        ))
        .get_result(&mut conn)
        .unwrap();
        if known.count == 0 {
            // What a killed run left half made is made again; only a whole one is marked as a template.
            conn.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
                .unwrap();
            conn.batch_execute(&format!("CREATE DATABASE {name} TEMPLATE template0"))
                .unwrap();
            migrate(DatabaseUrl::Postgres(url_of(&name)));
            conn.batch_execute(&format!("ALTER DATABASE {name} IS_TEMPLATE true"))
                .unwrap();
        }
        conn.batch_execute("SELECT pg_advisory_unlock(7254011900)")
            .unwrap();
        name
    })
}
