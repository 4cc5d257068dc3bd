//! The keys that protect secrets at rest: XChaCha20-Poly1305, bound to table, column and row. One key seals; while it is being
//! replaced, the one before still opens.

use std::sync::{Arc, PoisonError, RwLock};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

/// Layout of a ciphertext: format byte, four bytes of key id, 24 bytes of nonce, sealed text.
const FORMAT: u8 = 1;
const KEY_ID_LENGTH: usize = 4;
const NONCE_LENGTH: usize = 24;
/// Length of what [`KeyId::prefix`] gives.
pub const PREFIX_LENGTH: usize = 1 + KEY_ID_LENGTH;

/// The reason a ciphertext could not be opened.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum OpenError {
    /// Sealed with another key.
    #[error("sealed with another secret key")]
    OtherKey,
    /// Cut, altered, or moved from another row.
    #[error("altered, cut or moved")]
    Damaged,
}

/// The fingerprint of a key: tells keys apart and says nothing about them. Written as eight hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyId([u8; KEY_ID_LENGTH]);

impl std::fmt::Display for KeyId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl KeyId {
    /// How everything begins that this key sealed.
    #[must_use]
    pub fn prefix(self) -> [u8; PREFIX_LENGTH] {
        let [a, b, c, d] = self.0;
        [FORMAT, a, b, c, d]
    }

    /// The key that sealed what begins like this.
    #[must_use]
    pub fn of_sealed(sealed: &[u8]) -> Option<Self> {
        let (format, rest) = sealed.split_first()?;
        let (id, _) = rest.split_first_chunk::<KEY_ID_LENGTH>()?;
        (*format == FORMAT).then_some(Self(*id))
    }
}

/// Where a sealed value belongs; it opens nowhere else.
#[derive(Debug, Clone, Copy)]
pub struct Cell<'a> {
    /// Table name.
    pub table: &'a str,
    /// Column name.
    pub column: &'a str,
    /// Primary key of the row.
    pub row: &'a str,
}

impl Cell<'_> {
    fn associated_data(&self) -> Vec<u8> {
        let mut data = Vec::new();
        for part in [self.table, self.column, self.row] {
            data.extend_from_slice(&(part.len() as u64).to_be_bytes());
            data.extend_from_slice(part.as_bytes());
        }
        data
    }
}

fn key_bytes(text: &str) -> Result<[u8; 32], String> {
    const ADVICE: &str =
        "must be 32 random bytes in base64; make one with `openssl rand -base64 32`";
    let bytes = STANDARD.decode(text).map_err(|_| ADVICE.to_owned())?;
    let key: [u8; 32] = bytes.try_into().map_err(|_| ADVICE.to_owned())?;
    let mut distinct = key.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    if distinct.len() < 12 {
        return Err(format!("is not random; it {ADVICE}"));
    }
    Ok(key)
}

/// Whether the text is a usable key, or several separated by white space.
///
/// # Errors
/// A sentence without the key.
pub fn check(text: &SecretString) -> Result<(), String> {
    keys_of(text).map(|_| ())
}

/// Makes a new random key as text.
///
/// # Errors
/// When the operating system has no randomness.
pub fn generate() -> Result<SecretString, std::io::Error> {
    let mut bytes = [0u8; 32];
    getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
    Ok(SecretString::from(STANDARD.encode(bytes)))
}

/// The fingerprint of a key's text.
///
/// # Errors
/// A sentence without the key.
pub fn fingerprint(text: &str) -> Result<KeyId, String> {
    key_bytes(text).map(|key| id_of(&key))
}

fn id_of(key: &[u8; 32]) -> KeyId {
    let digest = Sha256::digest(key);
    let mut id = [0u8; KEY_ID_LENGTH];
    for (to, from) in id.iter_mut().zip(digest.iter()) {
        *to = *from;
    }
    KeyId(id)
}

#[derive(Clone)]
struct OneKey {
    cipher: XChaCha20Poly1305,
    id: KeyId,
}

/// The keys of a text, in its order, each once.
fn keys_of(text: &SecretString) -> Result<Vec<OneKey>, String> {
    let mut keys: Vec<OneKey> = Vec::new();
    // An empty text is a bad key, not no key.
    let text = text.expose_secret().trim();
    for (place, word) in text.split(char::is_whitespace).enumerate() {
        if word.is_empty() && place > 0 {
            continue;
        }
        let key = key_bytes(word).map_err(|problem| match place {
            0 => problem,
            _ => format!("holds several keys, and one behind the first {problem}"),
        })?;
        let id = id_of(&key);
        if keys.iter().all(|known| known.id != id) {
            keys.push(OneKey {
                cipher: XChaCha20Poly1305::new(&key.into()),
                id,
            });
        }
    }
    Ok(keys)
}

struct Held {
    /// In the order of their source.
    keys: Vec<OneKey>,
    /// Which of them seals; `None` when every one is refused.
    sealing: Option<OneKey>,
}

/// Seals and opens what must not be readable in the database or its backups. Clones share what they hold, so that a rotation
/// reaches every part of a process at once.
#[derive(Clone)]
pub struct SecretKey {
    held: Arc<RwLock<Held>>,
}

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretKey([REDACTED])")
    }
}

impl SecretKey {
    /// From its text form: one key, or several separated by white space. The first one seals, and all of them open.
    ///
    /// # Errors
    /// A sentence without the key.
    pub fn new(text: &SecretString) -> Result<Self, String> {
        let keys = keys_of(text)?;
        let sealing = keys.first().cloned();
        Ok(Self {
            held: Arc::new(RwLock::new(Held { keys, sealing })),
        })
    }

    fn read<T>(&self, look: impl FnOnce(&Held) -> T) -> T {
        look(&self.held.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The keys that are held, in the order of their source.
    #[must_use]
    pub fn ids(&self) -> Vec<KeyId> {
        self.read(|held| held.keys.iter().map(|key| key.id).collect())
    }

    /// The key that seals; `None` when every one that was given is refused.
    #[must_use]
    pub fn sealing_id(&self) -> Option<KeyId> {
        self.read(|held| held.sealing.as_ref().map(|key| key.id))
    }

    /// Holds the keys of `text` that are not refused, and seals with the one that is `current` if it is among them. When all
    /// are refused nothing is sealed or opened any more.
    ///
    /// # Errors
    /// When `text` is no key: then everything is as it was. When every key is refused.
    pub fn hold(
        &self,
        text: &SecretString,
        is_refused: impl Fn(KeyId) -> bool,
        current: Option<KeyId>,
    ) -> Result<(), String> {
        let mut keys = keys_of(text)?;
        keys.retain(|key| !is_refused(key.id));
        let before = self.sealing_id();
        let find = |id: KeyId| keys.iter().find(|key| key.id == id);
        let sealing = current
            .and_then(find)
            .or_else(|| before.and_then(find))
            .or(keys.first())
            .cloned();
        let is_empty = sealing.is_none();
        *self.held.write().unwrap_or_else(PoisonError::into_inner) = Held { keys, sealing };
        if is_empty {
            return Err("holds no key that is in use".into());
        }
        Ok(())
    }

    /// Seals `text` for one cell.
    ///
    /// # Errors
    /// When the operating system has no randomness.
    pub fn seal(&self, cell: Cell<'_>, text: &SecretString) -> Result<Vec<u8>, std::io::Error> {
        let mut nonce = [0u8; NONCE_LENGTH];
        getrandom::fill(&mut nonce).map_err(std::io::Error::other)?;
        let key = self
            .read(|held| held.sealing.clone())
            .ok_or_else(|| std::io::Error::other("no secret key is in use"))?;
        let sealed = key
            .cipher
            .encrypt(
                &XNonce::from(nonce),
                Payload {
                    msg: text.expose_secret().as_bytes(),
                    aad: &cell.associated_data(),
                },
            )
            .map_err(|_| std::io::Error::other("the text is too long to seal"))?;
        let mut out = Vec::with_capacity(PREFIX_LENGTH + NONCE_LENGTH + sealed.len());
        out.extend_from_slice(&key.id.prefix());
        out.extend_from_slice(&nonce);
        out.extend_from_slice(&sealed);
        Ok(out)
    }

    /// Opens what [`SecretKey::seal`] made for the same cell.
    ///
    /// # Errors
    /// `OtherKey` or `Damaged`.
    pub fn open(&self, cell: Cell<'_>, sealed: &[u8]) -> Result<SecretString, OpenError> {
        let id = KeyId::of_sealed(sealed).ok_or(OpenError::Damaged)?;
        let (nonce, body) = sealed
            .get(PREFIX_LENGTH..)
            .and_then(|rest| rest.split_first_chunk::<NONCE_LENGTH>())
            .ok_or(OpenError::Damaged)?;
        let key = self
            .read(|held| held.keys.iter().find(|key| key.id == id).cloned())
            .ok_or(OpenError::OtherKey)?;
        let text = key
            .cipher
            .decrypt(
                &XNonce::from(*nonce),
                Payload {
                    msg: body,
                    aad: &cell.associated_data(),
                },
            )
            .map_err(|_| OpenError::Damaged)?;
        String::from_utf8(text)
            .map(SecretString::from)
            .map_err(|_| OpenError::Damaged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CELL: Cell<'_> = Cell {
        table: "linkedin_tokens",
        column: "access_token",
        row: "1",
    };

    fn key() -> SecretKey {
        SecretKey::new(&generate().unwrap()).unwrap()
    }

    #[test]
    fn a_sealed_text_opens_in_its_own_cell_only() {
        let key = key();
        let sealed = key.seal(CELL, &SecretString::from("AQX-token")).unwrap();
        assert!(!sealed.windows(9).any(|part| part == b"AQX-token"));
        assert_eq!(
            key.open(CELL, &sealed).unwrap().expose_secret(),
            "AQX-token"
        );
        for other in [
            Cell { row: "2", ..CELL },
            Cell {
                column: "refresh_token",
                ..CELL
            },
            Cell { table: "x", ..CELL },
        ] {
            assert_eq!(key.open(other, &sealed).unwrap_err(), OpenError::Damaged);
        }
    }

    #[test]
    fn another_key_and_every_cut_are_told_apart() {
        let key = key();
        let sealed = key.seal(CELL, &SecretString::from("AQX")).unwrap();
        assert_eq!(
            SecretKey::new(&generate().unwrap())
                .unwrap()
                .open(CELL, &sealed)
                .unwrap_err(),
            OpenError::OtherKey
        );
        for length in 0..sealed.len() {
            assert!(
                key.open(CELL, &sealed[..length]).is_err(),
                "cut at {length}"
            );
        }
    }

    #[test]
    fn weak_keys_are_refused_with_advice() {
        for weak in [
            "",
            "changeme",
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
            "c2hvcnQ=",
        ] {
            let problem = check(&SecretString::from(weak)).unwrap_err();
            assert!(problem.contains("openssl rand"), "{weak}: {problem}");
        }
    }

    #[test]
    fn the_first_key_seals_and_all_open_until_one_is_refused() {
        let (old, new) = (generate().unwrap(), generate().unwrap());
        let text = |words: &[&SecretString]| {
            let words: Vec<_> = words.iter().map(|word| word.expose_secret()).collect();
            SecretString::from(words.join("\n  "))
        };
        let key = SecretKey::new(&old).unwrap();
        let clone = key.clone();
        let before = key.seal(CELL, &SecretString::from("before")).unwrap();
        let [old_id, new_id] = [&old, &new].map(|key| fingerprint(key.expose_secret()).unwrap());
        assert_eq!(KeyId::of_sealed(&before), Some(old_id));

        key.hold(&text(&[&new, &old, &new]), |_| false, Some(old_id))
            .unwrap();
        assert_eq!(clone.ids(), [new_id, old_id]);
        assert_eq!(
            clone.sealing_id(),
            Some(old_id),
            "until the database says so"
        );
        key.hold(&text(&[&new, &old]), |_| false, Some(new_id))
            .unwrap();
        let after = clone.seal(CELL, &SecretString::from("after")).unwrap();
        assert!(after.starts_with(&new_id.prefix()));
        for (sealed, opened) in [(&before, "before"), (&after, "after")] {
            assert_eq!(clone.open(CELL, sealed).unwrap().expose_secret(), opened);
        }

        key.hold(&text(&[&new, &old]), |id| id == old_id, Some(new_id))
            .unwrap();
        assert_eq!(clone.open(CELL, &before).unwrap_err(), OpenError::OtherKey);
        assert!(
            key.hold(&SecretString::from("short"), |_| false, None)
                .is_err()
        );
        assert_eq!(clone.ids(), [new_id], "as it was");

        assert!(key.hold(&old, |id| id == old_id, None).is_err());
        assert!(clone.seal(CELL, &SecretString::from("never")).is_err());
        assert_eq!(clone.open(CELL, &before).unwrap_err(), OpenError::OtherKey);
    }
}
