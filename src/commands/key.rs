//! `leadgen key`: shows which secret keys are in use, and replaces the current one while the portal works.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Subcommand;
use serde::Serialize;

use super::{CommandError, open, say};
use crate::app::{App, StartError};
use crate::auth::key_rotation::{Rotation, RotationError};
use crate::auth::key_states::objection;
use crate::auth::secret_key::{KeyId, PREFIX_LENGTH, SecretKey};
use crate::store::secret_keys::{self, KeyState, KnownKey};
use crate::store::{StoreError, processes, sealed_cells};

/// Arguments of `leadgen key`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: KeyCommand,
}

#[derive(Debug, Subcommand)]
enum KeyCommand {
    /// Show the keys by their fingerprints: which one seals, what is sealed with each, and which process holds which.
    Status {
        /// One JSON object instead of text.
        #[arg(long)]
        json: bool,
    },
    /// Seal everything anew with a new key, while the portal works, and retire the old key. Can be run again at any time.
    Rotate {
        /// Seconds to wait until every running process holds the new key.
        #[arg(long, default_value_t = 120, value_parser = clap::value_parser!(u64).range(0..=86_400))]
        wait: u64,
        /// The old key is lost: go on with the key that is given. What the lost one sealed is never opened again: profiles have to
        /// be authorised anew, and everybody signs in again.
        #[arg(long)]
        lost: bool,
    },
}

fn failed(error: RotationError) -> CommandError {
    match error {
        RotationError::Advice(advice) => CommandError::Usage(advice),
        RotationError::Store(error) => CommandError::Store(error),
        _ => CommandError::Failed(error.to_string()),
    }
}

/// Runs one of the subcommands.
///
/// # Errors
/// See [`CommandError`]. A rotation that failed goes on when it is run again.
pub async fn run(arguments: Arguments) -> Result<(), CommandError> {
    let app = open()?;
    if app.store().has_pending_migrations().await? {
        return Err(StartError::MigrationsPending.into());
    }
    match arguments.command {
        KeyCommand::Status { json } => status(&app, json).await,
        KeyCommand::Rotate { wait, lost } => {
            let rotation = Rotation {
                store: app.store(),
                clock: app.clock(),
                source: app.key_source(),
                wait: Duration::from_secs(wait),
            };
            if lost {
                let shut = rotation.give_up_lost().await.map_err(failed)?;
                say(&format!(
                    "The lost key is given up. {shut} value(s) stay shut: authorise the profiles again."
                ));
                return Ok(());
            }
            let done = rotation.run(say).await.map_err(failed)?;
            if done.unreadable > 0 {
                say(&format!(
                    "{} value(s) are damaged and could not be opened with any key.",
                    done.unreadable
                ));
            }
            say(&match done.retired.as_slice() {
                [] => format!("Done: the key {} is in use.", done.current),
                retired => format!(
                    "Done: the key {} is in use, and {} is retired.",
                    done.current,
                    retired.join(", ")
                ),
            });
            Ok(())
        }
    }
}

#[derive(Serialize)]
struct ShownKey {
    id: String,
    state: Option<KeyState>,
    since: Option<String>,
    is_given: bool,
    sealed: i64,
}

#[derive(Serialize)]
struct ShownProcess {
    name: String,
    holds: Vec<String>,
    seals_with: Option<String>,
}

#[derive(Serialize)]
struct Shown {
    source: String,
    keys: Vec<ShownKey>,
    /// Values that belong to none of the keys.
    sealed_otherwise: i64,
    processes: Vec<ShownProcess>,
    problem: Option<String>,
}

async fn status(app: &App, json: bool) -> Result<(), CommandError> {
    let given = app
        .key_source()
        .read()
        .and_then(|text| SecretKey::new(&text))
        .map_err(StartError::SecretKey)?
        .ids();
    let (known, counts, processes) = app
        .store()
        .read(|conn| {
            Ok::<_, StoreError>((
                secret_keys::list(conn)?,
                sealed_cells::counts(conn, PREFIX_LENGTH)?,
                processes::list(conn)?,
            ))
        })
        .await?;
    let (keys, sealed_otherwise) = keys(&known, &given, counts);
    let shown = Shown {
        source: app.key_source().shown(),
        problem: objection(&known, &given),
        keys,
        sealed_otherwise,
        processes: processes
            .into_iter()
            .filter(|process| process.is_alive)
            .map(|process| ShownProcess {
                name: process.said.name,
                holds: process.said.held_keys,
                seals_with: process.said.sealing_key,
            })
            .collect(),
    };
    if json {
        say(&serde_json::to_string(&shown)
            .map_err(|error| CommandError::Failed(error.to_string()))?);
        return Ok(());
    }
    for line in lines(&shown) {
        say(&line);
    }
    Ok(())
}

/// The keys that the database knows, then those that are only given; and what none of them sealed.
fn keys(
    known: &[KnownKey],
    given: &[KeyId],
    counts: BTreeMap<Vec<u8>, i64>,
) -> (Vec<ShownKey>, i64) {
    let mut sealed: BTreeMap<String, i64> = BTreeMap::new();
    for (prefix, cells) in counts {
        let id = KeyId::of_sealed(&prefix).map_or_else(String::new, |id| id.to_string());
        *sealed.entry(id).or_insert(0) += cells;
    }
    let given: Vec<String> = given.iter().map(ToString::to_string).collect();
    let of_database = known
        .iter()
        .map(|key| (key.id.clone(), Some((key.state, key.since))));
    let only_given = given
        .iter()
        .filter(|id| known.iter().all(|key| key.id != **id))
        .map(|id| (id.clone(), None));
    let keys = of_database
        .chain(only_given)
        .map(|(id, state)| ShownKey {
            state: state.map(|(state, _)| state),
            since: state.map(|(_, since)| since.format("%Y-%m-%dT%H:%M:%SZ").to_string()),
            is_given: given.contains(&id),
            sealed: sealed.remove(&id).unwrap_or(0),
            id,
        })
        .collect();
    (keys, sealed.values().sum())
}

fn lines(shown: &Shown) -> Vec<String> {
    let mut lines = vec![format!("Keys are read from {}.", shown.source)];
    for key in &shown.keys {
        let state = match (key.state, &key.since) {
            (Some(state), Some(since)) => {
                format!("{} since {since}", state.label().to_lowercase())
            }
            _ => "not in use yet: run `leadgen key rotate`".to_owned(),
        };
        let given = if key.is_given { "given" } else { "not given" };
        lines.push(format!(
            "{}  {given}, {state}; seals {} value(s)",
            key.id, key.sealed
        ));
    }
    if shown.sealed_otherwise > 0 {
        lines.push(format!(
            "{} value(s) are sealed with no key that this database knows, and stay shut.",
            shown.sealed_otherwise
        ));
    }
    for process in &shown.processes {
        let holds = match process.holds.as_slice() {
            [] => "no key that it tells of".to_owned(),
            keys => keys.join(", "),
        };
        let seals = process.seals_with.as_deref().unwrap_or("none");
        lines.push(format!(
            "Process {} holds {holds} and seals with {seals}.",
            process.name
        ));
    }
    if let Some(problem) = &shown.problem {
        lines.push(format!("Not in order: {problem}."));
    }
    lines
}
