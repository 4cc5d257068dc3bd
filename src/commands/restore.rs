//! `leadgen restore`: puts a backup in the place of the SQLite database, which is kept beside it.

use std::path::PathBuf;

use serde_json::json;

use super::{CommandError, backup_failed, open, say};
use crate::clock::Clock;
use crate::settings::Settings;
use crate::store::audit::{self, Actor};
use crate::store::backup::{self, BackupError};
use crate::store::{DatabaseUrl, StoreError};

/// Arguments of `leadgen restore`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// A file that `leadgen backup` wrote.
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// Checks the backup, puts it into place, brings it to this version's schema, and says where the earlier database is.
///
/// # Errors
/// See [`CommandError`]. As long as the file is not in place the database is as it was.
pub async fn run(arguments: Arguments) -> Result<(), CommandError> {
    let settings = Settings::from_environment()?;
    let DatabaseUrl::Sqlite(target) = settings.database_url else {
        return Err(backup_failed(BackupError::Postgres("pg_restore")));
    };
    let file = arguments.file;
    let moment = Clock::System.now().format("%Y%m%dT%H%M%S%6fZ").to_string();
    let (from, to) = (file.clone(), target.clone());
    let restored = tokio::task::spawn_blocking(move || backup::restore(&from, &to, &moment))
        .await
        .map_err(|error| CommandError::Failed(error.to_string()))?
        .map_err(backup_failed)?;
    say(&format!(
        "Restored {} ({} bytes) to {}.",
        file.display(),
        restored.bytes,
        target.display()
    ));
    if let Some(kept) = &restored.kept {
        say(&format!(
            "The database that was there is kept as {}.",
            kept.display()
        ));
    }
    let app = open()?;
    // A backup of a time with another secret key is in place all the same, and noted; what to do about the key is said last.
    let migrated = app.migrate().await;
    let now = app.clock().now();
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let after = json!({ "file": name, "bytes": restored.bytes });
    app.store()
        .write::<_, StoreError>(move |tx| {
            let object = ("database", "", "Database");
            let actor = Actor::command_line();
            audit::record(
                tx,
                now,
                &actor,
                "database.restored",
                object,
                None,
                Some(after),
            )
        })
        .await?;
    migrated?;
    Ok(())
}
