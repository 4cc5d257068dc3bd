//! `leadgen audit`: verifies the chain of the audit log, and prunes its oldest entries.

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use clap::Subcommand;
use serde_json::{Value, json};

use super::{CommandError, open, say};
use crate::store::audit::verification::{Noted, Verification};
use crate::store::audit::{Actor, chain};

/// Entries that one transaction prunes.
const PRUNED_AT_ONCE: i64 = 10_000;

/// Arguments of `leadgen audit`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: AuditCommand,
}

#[derive(Debug, Subcommand)]
enum AuditCommand {
    /// Check that no entry was changed, deleted, inserted or moved behind the portal's back.
    ///
    /// Ends with 0 when all is intact and with 1 when something is wrong; then the first broken entry is named. Prints the
    /// end of the chain: note it where nobody who can write the database can write, and give it back later with --head.
    Verify {
        /// One JSON object instead of text.
        #[arg(long)]
        json: bool,
        /// An end of the chain that was printed earlier: the log must still contain it.
        #[arg(long, value_name = "NUMBER:HASH")]
        head: Option<Noted>,
    },
    /// Delete the entries that were written before a day. That it was done stands in the log.
    Prune {
        /// The first day whose entries stay, in UTC: 2025-01-31.
        #[arg(long, value_name = "DAY")]
        before: NaiveDate,
    },
}

/// Runs one of the subcommands and prints what it found or did.
///
/// # Errors
/// `Failed` when the log is not intact; otherwise see [`CommandError`].
pub async fn run(arguments: Arguments) -> Result<(), CommandError> {
    match arguments.command {
        AuditCommand::Verify { json, head } => verify(json, head).await,
        AuditCommand::Prune { before } => prune(before).await,
    }
}

async fn verify(as_json: bool, noted: Option<Noted>) -> Result<(), CommandError> {
    let app = open()?;
    app.check_migrations().await?;
    let mut checked = app
        .store()
        .read(move |conn| Verification::begin(conn, None, noted))
        .await?;
    while !checked.is_done() {
        checked = app
            .store()
            .read(move |conn| checked.step(conn).map(|()| checked))
            .await?;
    }
    if as_json {
        say(&summary(&checked).to_string());
    } else {
        for line in lines(&checked) {
            say(&line);
        }
    }
    match checked.fault() {
        None => Ok(()),
        Some(fault) => Err(CommandError::Failed(format!(
            "the audit log is not as it was written. {fault}"
        ))),
    }
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

fn summary(checked: &Verification) -> Value {
    json!({
        "intact": checked.fault().is_none(),
        "entries": checked.checked(),
        "first_number": checked.first(),
        "last_number": checked.last(),
        "last_written_at": checked.last_written_at().map(time),
        "head": checked.end().map(|end| end.to_string()),
        "fault": checked.fault().map(|fault| json!({
            "kind": fault.word(),
            "number": fault.number(),
            "id": fault.id(),
            "message": fault.to_string(),
        })),
    })
}

fn lines(checked: &Verification) -> Vec<String> {
    let mut lines = Vec::new();
    let written = checked
        .last_written_at()
        .map(|at| {
            format!(
                ", the last one written {}",
                at.format("%Y-%m-%d %H:%M:%S UTC")
            )
        })
        .unwrap_or_default();
    lines.push(match checked.checked() {
        0 => "No entry was checked.".to_owned(),
        1 => format!("1 entry is intact, number {}{written}.", checked.first()),
        count => format!(
            "{count} entries are intact, numbers {} to {}{written}.",
            checked.first(),
            checked.last()
        ),
    });
    if checked.begins_at() > 1 {
        lines.push(format!(
            "Older entries, up to number {}, were pruned.",
            checked.begins_at() - 1
        ));
    }
    if let Some(end) = checked.end() {
        lines.push(format!("End of the chain: {end}"));
    }
    lines
}

async fn prune(before: NaiveDate) -> Result<(), CommandError> {
    let app = open()?;
    app.check_migrations().await?;
    let now = app.clock().now();
    let day = before
        .and_hms_opt(0, 0, 0)
        .map(|day| day.and_utc())
        .filter(|day| *day <= now)
        .ok_or_else(|| {
            CommandError::Usage("--before: name a day that is not in the future".to_owned())
        })?;
    let mut total = 0;
    loop {
        let pruned = app
            .store()
            .write(move |tx| chain::prune(tx, now, &Actor::command_line(), day, PRUNED_AT_ONCE))
            .await?;
        if pruned == 0 {
            break;
        }
        total += pruned;
    }
    say(&match total {
        0 => format!("No entry was written before {before}."),
        1 => format!("Pruned 1 entry that was written before {before}."),
        _ => format!("Pruned {total} entries that were written before {before}."),
    });
    Ok(())
}
