//! `leadgen key rotate`: everything that is sealed is sealed anew under a new key while the portal and the sync go on.
//!
//! 1. The new key stands first in its source, the old one behind it.
//! 2. Every live process holds both: it can open whatever another one seals.
//! 3. The database names the new key as the current one; from now on every process seals with it.
//! 4. When all of them say so, what the old key sealed is sealed anew, a batch at a time, each value by compare-and-swap.
//! 5. The old key is retired: from now on nobody opens anything with it. It leaves its source.
//!
//! Each step finds out by itself whether it is done, so a run after kill -9 at any moment goes on where the one before ended.

use std::time::{Duration, Instant};

use secrecy::SecretString;
use serde_json::json;

use super::key_source::{KeySource, words};
use super::key_states::{is, listed};
use super::secret_key::{Cell, KeyId, PREFIX_LENGTH, SecretKey, generate};
use crate::clock::Clock;
use crate::store::audit::{self, Actor};
use crate::store::processes::{self, Process};
use crate::store::sealed_cells::{self, COLUMNS};
use crate::store::secret_keys::{self, KeyState, KnownKey};
use crate::store::{AnyConn, Store, StoreError};

/// Values that are sealed anew in one transaction.
const BATCH: u32 = 100;
/// How often to look whether the other processes are ready.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Why a rotation did not come to its end. It can be run again at any time.
#[derive(Debug, thiserror::Error)]
pub enum RotationError {
    /// The caller has to do something first.
    #[error("{0}")]
    Advice(String),
    /// The key file cannot be read or written.
    #[error("{0}")]
    Source(String),
    /// Processes that live do not hold the new key.
    #[error(
        "not every running process has the new key yet: {0}. Processes with the key in a variable have to be started again with \
         both keys; those that read the same key file take it up by themselves. Nothing is lost: run `leadgen key rotate` again \
         (--wait SECONDS waits longer)"
    )]
    Waiting(String),
    /// What the old key sealed keeps coming.
    #[error("{0} value(s) sealed with the old key are left: run `leadgen key rotate` again")]
    Left(i64),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A rotation and what it works with.
pub struct Rotation<'a> {
    /// The database.
    pub store: &'a Store,
    /// The time.
    pub clock: &'a Clock,
    /// Where the keys come from.
    pub source: &'a KeySource,
    /// How long to wait for the other processes.
    pub wait: Duration,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotated {
    /// The key that seals now.
    pub current: String,
    /// The keys that were retired.
    pub retired: Vec<String>,
    /// Values that were sealed anew.
    pub resealed: u64,
    /// Values that no key at hand opens.
    pub unreadable: u64,
}

fn current(known: &[KnownKey]) -> Option<&KnownKey> {
    known.iter().find(|key| key.state == KeyState::Current)
}

impl Rotation<'_> {
    /// Rotates, or brings the rotation before to its end. `say` gets a line for each step.
    ///
    /// # Errors
    /// See [`RotationError`].
    pub async fn run(&self, say: impl Fn(&str)) -> Result<Rotated, RotationError> {
        let _lock = self.source.lock().map_err(RotationError::Source)?;
        let mut known = self.store.read(secret_keys::list).await?;
        if known.is_empty() {
            return Err(RotationError::Advice(
                "no key seals in this database yet: start the portal once".into(),
            ));
        }
        let mut keys = self.keys()?;
        let is_pending = known.iter().any(|key| key.state == KeyState::Retiring)
            || self.source.path().is_some() && keys.iter().any(|(id, _)| is_retired(&known, *id));
        if is_pending {
            say("An earlier rotation did not come to its end: going on with it.");
        } else if keys.first().is_some_and(|(id, _)| is_current(&known, *id)) {
            keys = self.with_new_key(keys, &known)?;
        }
        let new = keys
            .iter()
            .map(|(id, _)| *id)
            .find(|id| match is_pending {
                true => is_current(&known, *id),
                false => !is_retired(&known, *id),
            })
            .ok_or_else(|| self.lacks(&known))?;
        let text = joined(&keys);
        let ring = SecretKey::new(&text).map_err(RotationError::Source)?;
        if !is_current(&known, new) {
            if !keys.iter().any(|(id, _)| is_current(&known, *id)) {
                return Err(self.lacks(&known));
            }
            self.switch(new, &say).await?;
            known = self.store.read(secret_keys::list).await?;
        }
        ring.hold(&text, |id| is_retired(&known, id), Some(new))
            .map_err(RotationError::Source)?;
        let from: Vec<KeyId> = ring
            .ids()
            .into_iter()
            .filter(|id| is(&known, *id, KeyState::Retiring))
            .collect();
        let retiring = known
            .iter()
            .filter(|key| key.state == KeyState::Retiring)
            .count();
        if from.len() < retiring {
            return Err(self.lacks(&known));
        }
        let (mut resealed, mut unreadable) = (0, 0);
        if !from.is_empty() {
            let name = new.to_string();
            self.wait_for(|process| process.said.sealing_key.as_deref() == Some(&name))
                .await?;
            (resealed, unreadable) = self.reseal_all(&ring, &from).await?;
            say(&format!("Sealed {resealed} value(s) anew."));
        }
        let retired = self.retire(new, resealed, unreadable).await?;
        self.tidy(keys, new, &say).await?;
        Ok(Rotated {
            current: new.to_string(),
            retired,
            resealed,
            unreadable,
        })
    }

    /// Gives a lost key up: the first key of the source becomes the current one, and what the lost ones sealed stays shut.
    /// Returns how many values that are.
    ///
    /// # Errors
    /// See [`RotationError`].
    pub async fn give_up_lost(&self) -> Result<u64, RotationError> {
        let keys = self.keys()?;
        let Some((first, _)) = keys.first() else {
            return Err(RotationError::Source("the source holds no key".into()));
        };
        let (first, now) = (*first, self.clock.now());
        let held: Vec<String> = keys.iter().map(|(id, _)| id.to_string()).collect();
        self.store
            .write(move |conn| {
                let known = secret_keys::list(conn)?;
                let lost: Vec<String> = known
                    .iter()
                    .filter(|key| key.state != KeyState::Retired && !held.contains(&key.id))
                    .map(|key| key.id.clone())
                    .collect();
                if lost.is_empty() {
                    return Ok(None);
                }
                if current(&known).is_some_and(|key| lost.contains(&key.id)) {
                    secret_keys::switch(conn, &first.to_string(), now)?;
                }
                secret_keys::retire(conn, now)?;
                secret_keys::forget_signing_root(conn)?;
                let id = first.to_string();
                let object = ("secret_key", id.as_str(), id.as_str());
                audit::record(
                    conn,
                    now,
                    &Actor::command_line(),
                    "secret_key.given_up",
                    object,
                    Some(json!({ "lost": lost })),
                    Some(json!({ "current": id })),
                )?;
                let shut: i64 = sealed_cells::counts(conn, PREFIX_LENGTH)?
                    .into_iter()
                    .filter(|(prefix, _)| *prefix != first.prefix())
                    .map(|(_, cells)| cells)
                    .sum();
                Ok::<_, StoreError>(Some(u64::try_from(shut).unwrap_or(0)))
            })
            .await?
            .ok_or_else(|| {
                RotationError::Advice(
                    "no key is lost: every key that this database needs was given. Run `leadgen key rotate` without --lost"
                        .into(),
                )
            })
    }

    fn keys(&self) -> Result<Vec<(KeyId, SecretString)>, RotationError> {
        self.source
            .read()
            .and_then(|text| words(&text))
            .map_err(RotationError::Source)
    }

    /// Puts a new key first, where the source is a file; a variable is for the caller to change.
    fn with_new_key(
        &self,
        keys: Vec<(KeyId, SecretString)>,
        known: &[KnownKey],
    ) -> Result<Vec<(KeyId, SecretString)>, RotationError> {
        let Some(path) = self.source.path() else {
            return Err(RotationError::Advice(
                "LEADGEN_SECRET_KEY holds no new key. Make one with `openssl rand -base64 32`, set LEADGEN_SECRET_KEY to the new key, \
                 a blank and the key that it holds now, start every process again with it, one after the other, and run \
                 `leadgen key rotate` again with it"
                    .into(),
            ));
        };
        let no_randomness = |error: std::io::Error| RotationError::Source(error.to_string());
        let made = loop {
            let text = generate().map_err(no_randomness)?;
            let made = words(&text).map_err(RotationError::Source)?;
            let is_known = |(id, _): &(KeyId, SecretString)| {
                keys.iter().any(|(held, _)| held == id)
                    || known.iter().any(|key| key.id == id.to_string())
            };
            if !made.iter().any(is_known) {
                break made;
            }
        };
        let keys: Vec<_> = made.into_iter().chain(keys).collect();
        let texts: Vec<SecretString> = keys.iter().map(|(_, text)| text.clone()).collect();
        self.source.write(&texts).map_err(|problem| {
            RotationError::Source(format!(
                "{problem}. Where {} is not for this command to write, put a new key (`openssl rand -base64 32`) on a line \
                 before the one that is there, by whatever means the file is made, and run `leadgen key rotate` again",
                path.display()
            ))
        })?;
        Ok(keys)
    }

    /// What is to be done when a key that is still needed is not at hand.
    fn lacks(&self, known: &[KnownKey]) -> RotationError {
        let needed: Vec<&str> = known
            .iter()
            .filter(|key| key.state != KeyState::Retired)
            .map(|key| key.id.as_str())
            .collect();
        RotationError::Advice(format!(
            "this database needs the key {}, and not all of that is in {}: put it behind the new key, or, if it is lost, run \
             `leadgen key rotate --lost`",
            needed.join(" and "),
            self.source.shown()
        ))
    }

    /// The moment from which the new key seals: every live process holds it, as looked up in the same transaction.
    async fn switch(&self, new: KeyId, say: &impl Fn(&str)) -> Result<(), RotationError> {
        let id = new.to_string();
        let holds = |process: &Process| process.said.held_keys.contains(&id);
        loop {
            self.wait_for(holds).await?;
            let (id, now) = (new.to_string(), self.clock.now());
            let is_switched = self
                .store
                .write(move |conn| {
                    let known = secret_keys::list(conn)?;
                    if is_current(&known, new) {
                        return Ok(true);
                    }
                    let laggards = live(conn)?;
                    if laggards
                        .iter()
                        .any(|process| !process.said.held_keys.contains(&id))
                    {
                        return Ok(false);
                    }
                    let old = current(&known).map(|key| key.id.clone());
                    secret_keys::switch(conn, &id, now)?;
                    audit::record(
                        conn,
                        now,
                        &Actor::command_line(),
                        "secret_key.rotation_began",
                        ("secret_key", &id, &id),
                        Some(json!({ "current": old })),
                        Some(json!({ "current": id })),
                    )?;
                    Ok::<_, StoreError>(true)
                })
                .await?;
            if is_switched {
                say(&format!("The key {new} seals from now on."));
                return Ok(());
            }
        }
    }

    async fn wait_for(&self, is_ready: impl Fn(&Process) -> bool) -> Result<(), RotationError> {
        let begun = Instant::now();
        loop {
            let mut laggards = self.store.read(live).await?;
            laggards.retain(|process| !is_ready(process));
            if laggards.is_empty() {
                return Ok(());
            }
            if begun.elapsed() >= self.wait {
                let names: Vec<String> = laggards
                    .into_iter()
                    .map(|process| {
                        let holds = match process.said.held_keys.join(" ") {
                            keys if keys.is_empty() => "none that it tells of".to_owned(),
                            keys => keys,
                        };
                        format!("{} (holds {holds})", process.said.name)
                    })
                    .collect();
                return Err(RotationError::Waiting(names.join("; ")));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Seals anew until nothing is left that an old key opens; answers how many values were, and how many nothing opens.
    async fn reseal_all(
        &self,
        ring: &SecretKey,
        from: &[KeyId],
    ) -> Result<(u64, u64), RotationError> {
        let mut resealed = 0;
        for _ in 0..10 {
            let (mut done, mut unreadable) = (0, 0);
            for key in from {
                for column in COLUMNS {
                    let mut after = String::new();
                    loop {
                        let (prefix, behind) = (key.prefix(), after.clone());
                        let cells = self
                            .store
                            .read(move |conn| {
                                sealed_cells::sealed_with(conn, *column, &prefix, &behind, BATCH)
                            })
                            .await?;
                        let Some(last) = cells.last() else { break };
                        after.clone_from(&last.id);
                        let mut anew = Vec::with_capacity(cells.len());
                        for cell in cells {
                            let place = Cell {
                                table: &cell.bound_table,
                                column: column.column,
                                row: &cell.bound_row,
                            };
                            let Ok(text) = ring.open(place, &cell.sealed) else {
                                unreadable += 1;
                                continue;
                            };
                            let sealed = ring
                                .seal(place, &text)
                                .map_err(|error| RotationError::Source(error.to_string()))?;
                            anew.push((cell, sealed));
                        }
                        done += self
                            .store
                            .write(move |conn| {
                                let mut done = 0;
                                for (cell, sealed) in &anew {
                                    done += u64::from(sealed_cells::replace(
                                        conn, *column, cell, sealed,
                                    )?);
                                }
                                Ok::<_, StoreError>(done)
                            })
                            .await?;
                    }
                }
            }
            resealed += done;
            // A value that its owner replaced meanwhile may be from the old key still: look until a look finds none.
            if done == 0 && self.left(from).await? <= i64::try_from(unreadable).unwrap_or(i64::MAX)
            {
                return Ok((resealed, unreadable));
            }
        }
        Err(RotationError::Left(self.left(from).await?))
    }

    async fn left(&self, from: &[KeyId]) -> Result<i64, StoreError> {
        let counts = self
            .store
            .read(|conn| sealed_cells::counts(conn, PREFIX_LENGTH))
            .await?;
        Ok(from
            .iter()
            .filter_map(|key| counts.get(key.prefix().as_slice()))
            .sum())
    }

    async fn retire(
        &self,
        new: KeyId,
        resealed: u64,
        unreadable: u64,
    ) -> Result<Vec<String>, StoreError> {
        let (id, now) = (new.to_string(), self.clock.now());
        self.store
            .write(move |conn| {
                let retired = secret_keys::retire(conn, now)?;
                if !retired.is_empty() {
                    audit::record(
                        conn,
                        now,
                        &Actor::command_line(),
                        "secret_key.rotated",
                        ("secret_key", &id, &id),
                        Some(json!({ "retired": retired })),
                        Some(json!({ "current": id, "resealed": resealed, "unreadable": unreadable })),
                    )?;
                }
                Ok(retired)
            })
            .await
    }

    /// Takes retired keys out of the file.
    async fn tidy(
        &self,
        keys: Vec<(KeyId, SecretString)>,
        new: KeyId,
        say: &impl Fn(&str),
    ) -> Result<(), RotationError> {
        let known = self.store.read(secret_keys::list).await?;
        let (out, stay): (Vec<_>, Vec<_>) = keys
            .into_iter()
            .partition(|(id, _)| is_retired(&known, *id));
        if out.is_empty() {
            return Ok(());
        }
        let out: Vec<KeyId> = out.into_iter().map(|(id, _)| id).collect();
        if self.source.path().is_none() {
            say(&format!(
                "Take the retired key {} out of LEADGEN_SECRET_KEY: only {new} is needed.",
                listed(&out)
            ));
            return Ok(());
        }
        let stay: Vec<SecretString> = stay.into_iter().map(|(_, text)| text).collect();
        match self.source.write(&stay) {
            Ok(()) => say(&format!(
                "Took the retired key {} out of {}.",
                listed(&out),
                self.source.shown()
            )),
            Err(problem) => say(&format!(
                "{problem}. Take the retired key {} out of it by whatever means it is made: only {new} is needed.",
                listed(&out)
            )),
        }
        Ok(())
    }
}

fn joined(keys: &[(KeyId, SecretString)]) -> SecretString {
    use secrecy::ExposeSecret as _;
    let words: Vec<&str> = keys.iter().map(|(_, text)| text.expose_secret()).collect();
    SecretString::from(words.join("\n"))
}

fn is_current(known: &[KnownKey], id: KeyId) -> bool {
    is(known, id, KeyState::Current)
}

fn is_retired(known: &[KnownKey], id: KeyId) -> bool {
    is(known, id, KeyState::Retired)
}

/// The processes that were heard of lately.
fn live(conn: &mut AnyConn) -> Result<Vec<Process>, StoreError> {
    let mut processes = processes::list(conn)?;
    processes.retain(|process| process.is_alive);
    Ok(processes)
}
