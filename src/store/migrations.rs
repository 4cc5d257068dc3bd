//! Brings the database to the schema this build expects; safe to run from several replicas at once.

use diesel::connection::SimpleConnection;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::{AnyConn, StoreError};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/common");

/// Any number that no other program uses for advisory locks of this database.
const ADVISORY_LOCK: &str = "7254011001";

/// Runs what is pending and returns the names of what ran. PostgreSQL: under an advisory lock, because Diesel takes none.
/// SQLite: each migration is one transaction, and a second process waits on the write lock.
pub(super) fn run(conn: &mut AnyConn) -> Result<Vec<String>, StoreError> {
    let failed =
        |error: Box<dyn std::error::Error + Send + Sync>| StoreError::Migration(error.to_string());
    match conn {
        AnyConn::Pg(pg) => {
            pg.batch_execute(&format!("SELECT pg_advisory_lock({ADVISORY_LOCK})"))?;
            let ran = pg
                .run_pending_migrations(MIGRATIONS)
                .map(|versions| versions.iter().map(ToString::to_string).collect())
                .map_err(failed);
            pg.batch_execute(&format!("SELECT pg_advisory_unlock({ADVISORY_LOCK})"))?;
            ran
        }
        AnyConn::Sqlite(sqlite) => {
            let mut tries = 0;
            loop {
                let outcome = sqlite
                    .run_pending_migrations(MIGRATIONS)
                    .map(|versions| versions.iter().map(ToString::to_string).collect());
                match outcome {
                    Ok(versions) => return Ok(versions),
                    // Two processes may both see a migration as pending; the loser finds its tables there and looks again.
                    Err(_) if tries < 3 => tries += 1,
                    Err(error) => return Err(failed(error)),
                }
            }
        }
    }
}

/// Whether migrations of this build are still to run.
pub(super) fn has_pending(conn: &mut AnyConn) -> Result<bool, StoreError> {
    let pending = match conn {
        AnyConn::Pg(c) => c.has_pending_migration(MIGRATIONS),
        AnyConn::Sqlite(c) => c.has_pending_migration(MIGRATIONS),
    };
    pending.map_err(|error| StoreError::Migration(error.to_string()))
}
