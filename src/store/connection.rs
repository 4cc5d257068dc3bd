//! One connection type for SQLite and PostgreSQL, its pool, and the few helpers Diesel's `MultiConnection` needs.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use diesel::connection::{AnsiTransactionManager, SimpleConnection, TransactionManager};
use diesel::prelude::*;

use super::StoreError;
use super::audit::chain;

/// A connection to either database; queries of the plain query DSL run on it directly.
#[derive(diesel::MultiConnection)]
pub enum AnyConn {
    /// PostgreSQL, through libpq.
    Pg(diesel::PgConnection),
    /// SQLite, bundled.
    Sqlite(diesel::SqliteConnection),
}

/// Compiles one expression for each database and runs the matching one: for what `MultiConnection` cannot carry
/// (batch inserts, `ON CONFLICT`, row locks).
#[macro_export]
macro_rules! each {
    ($conn:expr, |$c:ident| $body:expr) => {
        match $conn {
            $crate::store::AnyConn::Pg($c) => $body,
            $crate::store::AnyConn::Sqlite($c) => $body,
        }
    };
}

/// Rows of one insert on SQLite, see [`insert_rows!`].
pub(super) const SQLITE_BLOCK: usize = 100;
/// Rows of one insert on PostgreSQL: 28 columns × 1,000 rows stay below its 65,535 bind values.
pub(super) const POSTGRES_BLOCK: usize = 1_000;

/// Runs an insert for all rows, a block at a time. On SQLite the blocks are arrays, whose statement Diesel prepares once and
/// keeps: preparing statements of a thousand rows was a seventh of the work of a first sync. The rest of the rows, fewer
/// than a block, is one statement of its own. PostgreSQL is sent few large statements, because each one is a round trip.
#[macro_export]
macro_rules! insert_rows {
    ($conn:expr, $rows:expr, |$block:ident| $query:expr) => {{
        let rows = $rows;
        match $conn {
            $crate::store::AnyConn::Pg(c) => {
                for $block in rows.chunks($crate::store::connection::POSTGRES_BLOCK) {
                    $query.execute(c)?;
                }
            }
            $crate::store::AnyConn::Sqlite(c) => {
                let (blocks, rest) =
                    rows.as_chunks::<{ $crate::store::connection::SQLITE_BLOCK }>();
                for $block in blocks {
                    $query.execute(c)?;
                }
                if !rest.is_empty() {
                    let $block = rest;
                    $query.execute(c)?;
                }
            }
        }
    }};
}

/// Which database a URL names. The driver is picked from the scheme alone, because SQLite would accept any text as a file name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// `sqlite://path` (relative or absolute).
    Sqlite(PathBuf),
    /// `postgres://…` or `postgresql://…`, handed to libpq whole.
    Postgres(String),
}

impl std::str::FromStr for DatabaseUrl {
    type Err = String;

    /// Errors are sentences that name the fix.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.contains('\0') {
            return Err("the database URL holds a NUL character".into());
        }
        if let Some(path) = text.strip_prefix("sqlite://") {
            if path.is_empty() {
                return Err("sqlite:// needs a path, for example sqlite://data/leadgen.db".into());
            }
            return Ok(Self::Sqlite(PathBuf::from(path)));
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            if !cfg!(feature = "postgres-tls")
                && [
                    "sslmode=require",
                    "sslmode=verify-ca",
                    "sslmode=verify-full",
                ]
                .iter()
                .any(|mode| text.contains(mode))
            {
                return Err("this build has no TLS to PostgreSQL: build with `--features postgres-tls`, or drop sslmode from the URL".into());
            }
            return Ok(Self::Postgres(text.to_owned()));
        }
        Err("the database URL must begin with sqlite:// or postgres://".into())
    }
}

impl DatabaseUrl {
    /// The name of the database system, for people.
    #[must_use]
    pub fn system(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "SQLite",
            Self::Postgres(_) => "PostgreSQL",
        }
    }
}

/// A server that is silent, not gone, would otherwise hold a connection for the minutes that TCP needs to notice. What
/// the URL says itself counts.
fn with_time_limits(url: &str) -> String {
    let mut url = url.to_owned();
    for (name, value) in [
        // Seconds to connect.
        ("connect_timeout", "5"),
        // Milliseconds until sent data must be acknowledged; a long query sends nothing and is not cut short.
        ("tcp_user_timeout", "10000"),
        // Seconds: a connection without traffic is asked for a sign of life.
        ("keepalives_idle", "10"),
        ("keepalives_interval", "5"),
        ("keepalives_count", "2"),
    ] {
        if !url.contains(name) {
            url.push(if url.contains('?') { '&' } else { '?' });
            url.push_str(name);
            url.push('=');
            url.push_str(value);
        }
    }
    url
}

/// How long a connection waits for another writer of the same SQLite file.
const SQLITE_PATIENCE: Duration = Duration::from_secs(10);

/// The write-ahead log is a property of the file, and a new file needs to be had alone for a moment to change to it. There
/// SQLite doesn't wait: of two that read the file and both want it alone, it refuses one at once, whatever the patience.
fn use_write_ahead_log(conn: &mut SqliteConnection) -> QueryResult<()> {
    let began = Instant::now();
    loop {
        match conn.batch_execute("PRAGMA journal_mode = WAL") {
            Err(error) if is_locked(&error) && began.elapsed() < SQLITE_PATIENCE => {
                #[expect(
                    clippy::disallowed_methods,
                    reason = "connections are opened on threads that may wait"
                )]
                std::thread::sleep(Duration::from_millis(10));
            }
            outcome => return outcome,
        }
    }
}

fn is_locked(error: &diesel::result::Error) -> bool {
    matches!(error, diesel::result::Error::DatabaseError(_, info) if info.message() == "database is locked")
}

/// Opens connections for r2d2.
pub(super) struct Manager {
    pub(super) url: DatabaseUrl,
}

impl Manager {
    /// Opens one connection and sets it up.
    pub(super) fn open(&self) -> Result<AnyConn, ConnectionError> {
        match &self.url {
            DatabaseUrl::Sqlite(path) => {
                let mut conn = SqliteConnection::establish(&path.to_string_lossy())?;
                conn.batch_execute(&format!(
                    "PRAGMA busy_timeout = {}",
                    SQLITE_PATIENCE.as_millis()
                ))
                .and_then(|()| use_write_ahead_log(&mut conn))
                .map_err(ConnectionError::CouldntSetupConfiguration)?;
                // synchronous=FULL: an acknowledged commit survives a power cut too; with one commit a batch it costs little.
                conn.batch_execute(
                    "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16000; \
                     PRAGMA journal_size_limit = 67108864;",
                )
                .map_err(ConnectionError::CouldntSetupConfiguration)?;
                Ok(AnyConn::Sqlite(conn))
            }
            DatabaseUrl::Postgres(url) => {
                let mut conn = diesel::PgConnection::establish(&with_time_limits(url))?;
                conn.batch_execute(
                    // Whoever stands still in the middle of a transaction (a machine that was suspended) must not keep its
                    // locks; it is shorter than a lease and far longer than any pause of ours.
                    "SET TIME ZONE 'UTC'; SET client_min_messages = 'warning'; \
                     SET idle_in_transaction_session_timeout = '30s';",
                )
                .map_err(ConnectionError::CouldntSetupConfiguration)?;
                Ok(AnyConn::Pg(conn))
            }
        }
    }
}

impl r2d2::ManageConnection for Manager {
    type Connection = AnyConn;
    type Error = diesel::r2d2::Error;

    fn connect(&self) -> Result<AnyConn, Self::Error> {
        self.open().map_err(diesel::r2d2::Error::ConnectionError)
    }

    fn is_valid(&self, conn: &mut AnyConn) -> Result<(), Self::Error> {
        conn.batch_execute("SELECT 1")
            .map_err(diesel::r2d2::Error::QueryError)
    }

    fn has_broken(&self, conn: &mut AnyConn) -> bool {
        use diesel::r2d2::R2D2Connection;
        std::thread::panicking() || each!(conn, |c| c.is_broken())
    }
}

pub(super) type Pool = r2d2::Pool<Manager>;

/// Builds the pool; one connection is opened by hand first, because r2d2 would hide a wrong URL behind its timeout.
pub(super) fn pool(url: DatabaseUrl, size: u32) -> Result<Pool, StoreError> {
    let manager = Manager { url };
    drop(manager.open().map_err(StoreError::Unreachable)?);
    let check = matches!(manager.url, DatabaseUrl::Postgres(_));
    Ok(r2d2::Pool::builder()
        .max_size(size)
        .min_idle(Some(1))
        .test_on_check_out(check)
        .connection_timeout(Duration::from_millis(2500))
        .error_handler(Box::new(r2d2::NopErrorHandler))
        .build_unchecked(manager))
}

/// Runs `f` in one write transaction, at whose end the entries of the audit log are written. On SQLite it begins IMMEDIATE: a transaction that reads first and writes later
/// would otherwise fail at once with "database is locked" when another writer was quicker.
pub(super) fn write_tx<T, E: From<StoreError>>(
    conn: &mut AnyConn,
    f: impl FnOnce(&mut AnyConn) -> Result<T, E>,
) -> Result<T, E> {
    let begin = match conn {
        AnyConn::Pg(c) => AnsiTransactionManager::begin_transaction(c),
        AnyConn::Sqlite(c) => AnsiTransactionManager::begin_transaction_sql(c, "BEGIN IMMEDIATE"),
    };
    begin.map_err(StoreError::from)?;
    let entries = chain::Waiting::begin();
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let value = f(conn)?;
        entries.write(conn)?;
        Ok::<T, E>(value)
    }));
    type Manager = <AnyConn as Connection>::TransactionManager;
    match outcome {
        Ok(Ok(value)) => {
            Manager::commit_transaction(conn).map_err(StoreError::from)?;
            Ok(value)
        }
        Ok(Err(error)) => {
            // The first error is the one worth telling; a connection that cannot roll back is dropped by the pool.
            let _rollback = Manager::rollback_transaction(conn);
            Err(error)
        }
        Err(panic) => {
            let _rollback = Manager::rollback_transaction(conn);
            std::panic::resume_unwind(panic)
        }
    }
}
