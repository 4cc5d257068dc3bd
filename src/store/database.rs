//! Facts about the database itself, for the System page.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

use super::{AnyConn, StoreError, database_now, migrations};

/// What the database says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseFacts {
    /// The server's version, or SQLite's.
    pub version: String,
    /// How large it is, in bytes; SQLite: without the write-ahead log.
    pub bytes: i64,
    /// Its clock.
    pub now: DateTime<Utc>,
    /// Names of the migrations that have run, the oldest first.
    pub applied: Vec<String>,
    /// Names of those that this version has and the database lacks.
    pub pending: Vec<String>,
}

#[derive(QueryableByName)]
struct VersionRow {
    #[diesel(sql_type = Text)]
    version: String,
}

#[derive(QueryableByName)]
struct SizeRow {
    #[diesel(sql_type = BigInt)]
    bytes: i64,
}

/// Asks the database about itself.
///
/// # Errors
/// As any query.
pub fn facts(conn: &mut AnyConn) -> Result<DatabaseFacts, StoreError> {
    let (version, size): (VersionRow, SizeRow) = match conn {
        AnyConn::Pg(c) => (
            diesel::sql_query("SELECT current_setting('server_version') AS version")
                .get_result(c)?,
            diesel::sql_query("SELECT pg_database_size(current_database()) AS bytes")
                .get_result(c)?,
        ),
        AnyConn::Sqlite(c) => (
            diesel::sql_query("SELECT sqlite_version() AS version").get_result(c)?,
            diesel::sql_query(
                "SELECT page_count * page_size AS bytes FROM pragma_page_count(), pragma_page_size()",
            )
            .get_result(c)?,
        ),
    };
    let (applied, pending) = migrations::names(conn)?;
    Ok(DatabaseFacts {
        version: version.version,
        bytes: size.bytes,
        now: database_now(conn)?,
        applied,
        pending,
    })
}
