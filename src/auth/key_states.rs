//! What the database knows of the secret keys, brought to the keys that a process holds: when it starts, and every few seconds.

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};

use super::key_source::KeySource;
use super::secret_key::{Cell, KeyId, SecretKey};
use super::signing::random_token;
use crate::store::secret_keys::{self, KeyState, KnownKey};
use crate::store::{Store, StoreError};

/// Why a process must not work with the keys that it was given.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The keys are not those of the database, or cannot be read; a sentence that names the fix.
    #[error("{0}")]
    Unusable(String),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

const SIGNING_CELL: Cell<'_> = Cell {
    table: "signing_roots",
    column: "root_sealed",
    row: "root",
};

pub(super) fn is(known: &[KnownKey], id: KeyId, state: KeyState) -> bool {
    let id = id.to_string();
    known.iter().any(|key| key.id == id && key.state == state)
}

/// Fingerprints as a list for people.
#[must_use]
pub fn listed(ids: &[KeyId]) -> String {
    ids.iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}

/// What is wrong with the keys that are held for a database that knows these, if anything is.
#[must_use]
pub fn objection(known: &[KnownKey], held: &[KeyId]) -> Option<String> {
    let holds = |key: &KnownKey| held.iter().any(|id| id.to_string() == key.id);
    let day = |key: &KnownKey| key.since.format("%Y-%m-%d").to_string();
    let current = known.iter().find(|key| key.state == KeyState::Current)?;
    if !holds(current) {
        let retired = known
            .iter()
            .find(|key| key.state == KeyState::Retired && holds(key));
        return Some(match retired {
            Some(old) => format!(
                "the key {} was retired on {} and opens nothing any more: give the key {}, which took its place",
                old.id,
                day(old),
                current.id
            ),
            None => format!(
                "the secrets in this database are sealed with the key {}, and the key given is {}. Give the key {} (after the \
                 restore of a backup: the one of that time), behind the new one if there is a new one; `leadgen key rotate` then \
                 takes the old one out. If it is lost: `leadgen key rotate --lost`",
                current.id,
                listed(held),
                current.id
            ),
        });
    }
    known
        .iter()
        .find(|key| key.state == KeyState::Retiring && !holds(key))
        .map(|old| {
            format!(
                "the key {} is being replaced since {}, and not everything is sealed anew: give it behind the key {} until \
                 `leadgen key rotate` has ended, or, if it is lost, run `leadgen key rotate --lost`",
                old.id,
                day(old),
                current.id
            )
        })
}

/// Holds what the source has now, as far as it may still be used.
fn hold(key: &SecretKey, text: &SecretString, known: &[KnownKey]) -> Result<(), String> {
    let all = SecretKey::new(text)?.ids();
    let current = all.into_iter().find(|id| is(known, *id, KeyState::Current));
    key.hold(text, |id| is(known, id, KeyState::Retired), current)
}

/// Lets a process begin: its keys must be those of the database. Gives the text from which cookies and form tokens are signed,
/// which outlives every secret key.
///
/// # Errors
/// See [`KeyError`].
pub async fn admit(
    store: &Store,
    key: &SecretKey,
    source: &KeySource,
    now: DateTime<Utc>,
) -> Result<SecretString, KeyError> {
    let text = source.read().map_err(KeyError::Unusable)?;
    let given = SecretKey::new(&text).map_err(KeyError::Unusable)?.ids();
    let mut known = store.read(secret_keys::list).await?;
    if known.is_empty() {
        let first = given
            .first()
            .map(ToString::to_string)
            .ok_or_else(|| KeyError::Unusable("holds no key".into()))?;
        known = store
            .write(move |conn| {
                secret_keys::begin(conn, &first, now)?;
                secret_keys::list(conn)
            })
            .await?;
    }
    if let Some(problem) = objection(&known, &given) {
        return Err(KeyError::Unusable(problem));
    }
    hold(key, &text, &known).map_err(KeyError::Unusable)?;
    for id in given {
        if is(&known, id, KeyState::Retired) {
            tracing::warn!(key.id = %id, "this secret key is retired: take it out of {}", source.shown());
        }
    }
    signing_root(store, key, now).await
}

async fn signing_root(
    store: &Store,
    key: &SecretKey,
    now: DateTime<Utc>,
) -> Result<SecretString, KeyError> {
    let sealed = match store.read(secret_keys::signing_root).await? {
        Some(sealed) => sealed,
        None => {
            let unusable = |error: std::io::Error| KeyError::Unusable(error.to_string());
            let root = SecretString::from(random_token().map_err(unusable)?);
            let sealed = key.seal(SIGNING_CELL, &root).map_err(unusable)?;
            // Another process may be first: then its root counts.
            store
                .write(move |conn| {
                    secret_keys::begin_signing(conn, &sealed, now)?;
                    secret_keys::signing_root(conn)
                })
                .await?
                .ok_or(StoreError::NotFound("signing root"))?
        }
    };
    key.open(SIGNING_CELL, &sealed).map_err(|error| {
        KeyError::Unusable(format!(
            "what cookies are signed with is {error}: `leadgen key status` shows the keys; if the right one is lost, run \
             `leadgen key rotate --lost`"
        ))
    })
}

/// Follows a process's keys through a rotation.
#[derive(Debug)]
pub struct Watch {
    source: KeySource,
    said: Option<String>,
    seen: String,
}

impl Watch {
    /// Of a process that was admitted.
    #[must_use]
    pub fn new(source: KeySource) -> Self {
        Self {
            source,
            said: None,
            seen: String::new(),
        }
    }

    /// Takes what changed in the source and in the database; whether anything did. Keys that are no longer usable are kept out
    /// of use; a source that cannot be read leaves everything as it is. What is wrong is logged once.
    ///
    /// # Errors
    /// As the database.
    pub async fn look(&mut self, store: &Store, key: &SecretKey) -> Result<bool, StoreError> {
        let known = store.read(secret_keys::list).await?;
        let source = self.source.clone();
        let text = tokio::task::spawn_blocking(move || source.read())
            .await
            .map_err(|_| StoreError::Cancelled)?;
        let seen = format!(
            "{known:?} {}",
            text.as_ref().map_or("", |text| text.expose_secret())
        );
        let seen = super::signing::digest(&seen);
        if seen == self.seen {
            return Ok(false);
        }
        let before = (key.ids(), key.sealing_id());
        let problem = text
            .and_then(|text| {
                hold(key, &text, &known)?;
                Ok(objection(&known, &SecretKey::new(&text)?.ids()))
            })
            .unwrap_or_else(Some);
        if problem != self.said {
            if let Some(problem) = &problem {
                tracing::error!("the secret key: {problem}");
            }
            self.said = problem;
        }
        self.seen = seen;
        Ok((key.ids(), key.sealing_id()) != before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::secret_key::{fingerprint, generate};

    fn known(id: KeyId, state: KeyState) -> KnownKey {
        KnownKey {
            id: id.to_string(),
            state,
            since: DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_process_is_told_what_is_wrong_with_its_keys() {
        let [old, new, other] =
            std::array::from_fn(|_| fingerprint(generate().unwrap().expose_secret()).unwrap());
        let turning = [
            known(new, KeyState::Current),
            known(old, KeyState::Retiring),
        ];
        let turned = [known(new, KeyState::Current), known(old, KeyState::Retired)];
        for (known, held, part) in [
            (&turning[..], vec![new, old], None),
            (&turning[..], vec![old, new], None),
            (&turning[..], vec![new], Some("is being replaced")),
            (&turned[..], vec![new], None),
            (&turned[..], vec![new, old], None),
            (&turned[..], vec![old], Some("was retired on 1970-01-01")),
            (&turned[..], vec![other], Some("are sealed with the key")),
            (&[][..], vec![other], None),
        ] {
            let said = objection(known, &held);
            match (said, part) {
                (Some(said), Some(part)) => assert!(said.contains(part), "{said}"),
                (said, part) => assert_eq!(said.as_deref(), part),
            }
        }
    }
}
