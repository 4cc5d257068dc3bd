//! Brings the database to the schema this build expects; safe to run from several replicas at once.

use std::collections::BTreeSet;

use diesel::connection::SimpleConnection as _;
use diesel::migration::MigrationSource;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::{AnyConn, StoreError};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/common");

/// What the two databases do so differently that no common statement says it. Each is run after the migrations and does
/// nothing when its work is done.
const SQLITE_OVERLAYS: [&str; 5] = [
    include_str!("../../migrations/sqlite/search.sql"),
    include_str!("../../migrations/sqlite/audit.sql"),
    include_str!("../../migrations/sqlite/consents.sql"),
    include_str!("../../migrations/sqlite/access_reviews.sql"),
    include_str!("../../migrations/sqlite/counts.sql"),
];
const POSTGRES_OVERLAYS: [&str; 5] = [
    include_str!("../../migrations/postgres/search.sql"),
    include_str!("../../migrations/postgres/audit.sql"),
    include_str!("../../migrations/postgres/consents.sql"),
    include_str!("../../migrations/postgres/access_reviews.sql"),
    include_str!("../../migrations/postgres/counts.sql"),
];

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
                .map_err(failed)
                .and_then(|ran| {
                    for overlay in POSTGRES_OVERLAYS {
                        pg.batch_execute(overlay)?;
                    }
                    Ok(ran)
                });
            pg.batch_execute(&format!("SELECT pg_advisory_unlock({ADVISORY_LOCK})"))?;
            ran
        }
        AnyConn::Sqlite(sqlite) => {
            let ran = loop {
                let known = applied(sqlite).map_err(failed)?;
                let outcome = sqlite
                    .run_pending_migrations(MIGRATIONS)
                    .map(|versions| versions.iter().map(ToString::to_string).collect());
                match outcome {
                    Ok(versions) => break versions,
                    // Two processes may both see a migration as pending; the loser finds its tables there and looks again,
                    // as often as somebody gets on.
                    Err(_) if applied(sqlite).map_err(failed)? > known => {}
                    Err(error) => return Err(failed(error)),
                }
            };
            sqlite.immediate_transaction(|c| {
                SQLITE_OVERLAYS
                    .iter()
                    .try_for_each(|overlay| c.batch_execute(overlay))
            })?;
            Ok(ran)
        }
    }
}

/// How many migrations have run.
fn applied(conn: &mut diesel::SqliteConnection) -> diesel::migration::Result<usize> {
    Ok(MigrationHarness::<diesel::sqlite::Sqlite>::applied_migrations(conn)?.len())
}

/// Whether migrations of this build are still to run.
pub(super) fn has_pending(conn: &mut AnyConn) -> Result<bool, StoreError> {
    let pending = match conn {
        AnyConn::Pg(c) => c.has_pending_migration(MIGRATIONS),
        AnyConn::Sqlite(c) => c.has_pending_migration(MIGRATIONS),
    };
    pending.map_err(|error| StoreError::Migration(error.to_string()))
}

/// Migrations that have run and that this build does not know: a newer version made the database.
pub(super) fn unknown(conn: &mut AnyConn) -> Result<Vec<String>, StoreError> {
    let failed =
        |error: Box<dyn std::error::Error + Send + Sync>| StoreError::Migration(error.to_string());
    let known: BTreeSet<String> =
        MigrationSource::<diesel::sqlite::Sqlite>::migrations(&MIGRATIONS)
            .map_err(failed)?
            .iter()
            .map(|migration| migration.name().version().to_string())
            .collect();
    Ok(names(conn)?
        .0
        .into_iter()
        .filter(|version| !known.contains(version))
        .collect())
}

/// Names of the migrations that have run and of those still to run, each the oldest first.
pub(super) fn names(conn: &mut AnyConn) -> Result<(Vec<String>, Vec<String>), StoreError> {
    let failed =
        |error: Box<dyn std::error::Error + Send + Sync>| StoreError::Migration(error.to_string());
    let applied = match conn {
        AnyConn::Pg(c) => c.applied_migrations(),
        AnyConn::Sqlite(c) => c.applied_migrations(),
    }
    .map_err(failed)?;
    let mut applied: Vec<String> = applied.iter().map(ToString::to_string).collect();
    let mut pending: Vec<String> = match conn {
        AnyConn::Pg(c) => c
            .pending_migrations(MIGRATIONS)
            .map_err(failed)?
            .iter()
            .map(|migration| migration.name().to_string())
            .collect(),
        AnyConn::Sqlite(c) => c
            .pending_migrations(MIGRATIONS)
            .map_err(failed)?
            .iter()
            .map(|migration| migration.name().to_string())
            .collect(),
    };
    applied.sort();
    pending.sort();
    Ok((applied, pending))
}
