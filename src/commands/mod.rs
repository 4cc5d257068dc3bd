//! The command line, one file per command. Names are fixed: scripts of others rely on them (product.md §8).

pub mod audit;
pub mod backup;
pub mod demo;
pub mod key;
pub mod migrate;
pub mod restore;
pub mod sandbox;
pub mod serve;
pub mod status;
pub mod sync;
pub mod user;
pub mod worker;

use clap::{Parser, Subcommand};

use crate::app::{App, AppOptions, StartError};
use crate::settings::{Settings, SettingsError};
use crate::store::StoreError;
use crate::store::backup::BackupError;

/// Turns LinkedIn Lead Gen Form submissions into leads.
#[derive(Debug, Parser)]
#[command(name = "leadgen", version, about, max_term_width = 100)]
pub struct CommandLine {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the portal and run the scheduler; migrates the database first.
    Serve(serve::Arguments),
    /// Run only the scheduler.
    Worker(worker::Arguments),
    /// Do the whole job against the built-in LinkedIn sandbox, then serve the portal.
    Demo(demo::Arguments),
    /// Serve only the LinkedIn sandbox.
    Sandbox(sandbox::Arguments),
    /// Run pending database migrations.
    Migrate,
    /// Synchronise now everything that is due, or one profile.
    Sync(sync::Arguments),
    /// Print the aggregated sync status.
    Status(status::Arguments),
    /// Add, list or disable users.
    User(user::Arguments),
    /// Verify the audit log, or prune its oldest entries.
    Audit(audit::Arguments),
    /// Show the secret keys by their fingerprints, or replace the current one while the portal works.
    Key(key::Arguments),
    /// Write a consistent copy of the SQLite database to a file, also while the portal works.
    Backup(backup::Arguments),
    /// Put a backup in the place of the SQLite database; every program on it must be stopped.
    Restore(restore::Arguments),
}

/// What the caller can mend is told apart from what was tried and failed.
fn backup_failed(error: BackupError) -> CommandError {
    match error {
        BackupError::Store(error) => CommandError::Store(error),
        BackupError::Exists(_) | BackupError::Postgres(_) => CommandError::Usage(error.to_string()),
        _ => CommandError::Failed(error.to_string()),
    }
}

/// Why a command did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The environment is wrong; all problems, a line each.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The portal cannot start.
    #[error(transparent)]
    Start(StartError),
    /// The database.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// What was asked for is wrong; a sentence that names the fix.
    #[error("{0}")]
    Usage(String),
    /// Anything else, in words for people.
    #[error("{0}")]
    Failed(String),
}

impl From<StartError> for CommandError {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Store(error) => Self::Store(error),
            error => Self::Start(error),
        }
    }
}

impl CommandError {
    /// 2: the caller can mend it (arguments, configuration); 1: it was tried and failed.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Settings(_) | Self::Start(_) | Self::Usage(_) => 2,
            Self::Store(_) | Self::Failed(_) => 1,
        }
    }
}

/// Runs a command to its end.
///
/// # Errors
/// See [`CommandError`].
pub async fn run(command: Command) -> Result<(), CommandError> {
    match command {
        Command::Serve(arguments) => serve::run(arguments).await,
        Command::Worker(arguments) => worker::run(arguments).await,
        Command::Demo(arguments) => demo::run(arguments).await,
        Command::Sandbox(arguments) => sandbox::run(arguments).await,
        Command::Migrate => migrate::run().await,
        Command::Sync(arguments) => sync::run(arguments).await,
        Command::Status(arguments) => status::run(arguments).await,
        Command::User(arguments) => user::run(arguments).await,
        Command::Audit(arguments) => audit::run(arguments).await,
        Command::Key(arguments) => key::run(arguments).await,
        Command::Backup(arguments) => backup::run(arguments).await,
        Command::Restore(arguments) => restore::run(arguments).await,
    }
}

/// The app of the process environment, not yet migrated.
fn open() -> Result<App, CommandError> {
    let settings = Settings::from_environment()?;
    Ok(App::open(settings, AppOptions::default())?)
}

/// The app of the process environment, its database brought up to date.
async fn open_migrated() -> Result<App, CommandError> {
    let app = open()?;
    app.migrate().await?;
    Ok(app)
}

/// Writes a line to standard output. A reader that has gone away is no failure of ours.
fn say(line: &str) {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
