//! `leadgen worker`: the scheduler alone.

use super::{CommandError, open};

/// Arguments of `leadgen worker`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Do not migrate the database; refuse to start when migrations are pending.
    #[arg(long)]
    no_migrate: bool,
}

/// Works until SIGTERM or SIGINT.
///
/// # Errors
/// See [`CommandError`].
pub async fn run(arguments: Arguments) -> Result<(), CommandError> {
    let app = open()?;
    if arguments.no_migrate {
        app.check_migrations().await?;
    } else {
        app.migrate().await?;
    }
    tracing::info!(
        database.system = app.settings().database_url.system(),
        "working"
    );
    Ok(app.work().await?)
}
