//! `leadgen backup`: a consistent copy of the SQLite database, also while the portal works. It only reads: a backup must
//! not fail because somebody else writes.

use std::path::PathBuf;

use super::{CommandError, backup_failed, open, say};
use crate::store::{DatabaseUrl, backup};

/// Arguments of `leadgen backup`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The file to write; it must not exist yet.
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// Writes the backup and says what belongs to it.
///
/// # Errors
/// See [`CommandError`]; nothing is written then.
pub async fn run(arguments: Arguments) -> Result<(), CommandError> {
    let app = open()?;
    let file = arguments.file;
    let target = file.clone();
    let bytes = app
        .store()
        .read(move |conn| backup::write(conn, &target))
        .await
        .map_err(backup_failed)?;
    say(&format!("Wrote {} ({bytes} bytes).", file.display()));
    say(&match (&app.settings().secret_key, &app.settings().database_url) {
        (None, DatabaseUrl::Sqlite(path)) => format!(
            "Keep {} as well, in another place: without the key the stored LinkedIn tokens cannot be opened.",
            path.with_extension("key").display()
        ),
        _ => "Keep LEADGEN_SECRET_KEY as well, in another place: without the key the stored LinkedIn tokens cannot be opened.".to_owned(),
    });
    Ok(())
}
