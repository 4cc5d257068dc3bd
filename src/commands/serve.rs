//! `leadgen serve`: the portal, and the scheduler beside it.

use super::{CommandError, open};

/// Arguments of `leadgen serve`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Only the pages: for replicas beside a worker.
    #[arg(long)]
    no_scheduler: bool,
    /// Do not migrate the database; refuse to start when migrations are pending.
    #[arg(long)]
    no_migrate: bool,
}

/// Serves until SIGTERM or SIGINT.
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
    let listener = app.bind()?;
    tracing::info!(
        http.bind = %app.settings().http.bind, http.public_url = %app.settings().http.public_url,
        database.system = app.settings().database_url.system(),
        "serving"
    );
    Ok(app.serve(listener, !arguments.no_scheduler).await?)
}
