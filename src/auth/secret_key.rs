//! The key that protects tokens at rest: XChaCha20-Poly1305, bound to table, column and row.

use std::io::Write;
use std::path::Path;

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

/// Seals and opens what must not be readable in the database or its backups.
#[derive(Clone)]
pub struct SecretKey {
    cipher: XChaCha20Poly1305,
    id: [u8; KEY_ID_LENGTH],
}

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretKey([REDACTED])")
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

fn key_bytes(text: &SecretString) -> Result<[u8; 32], String> {
    const ADVICE: &str =
        "must be 32 random bytes in base64; make one with `openssl rand -base64 32`";
    let bytes = STANDARD
        .decode(text.expose_secret().trim())
        .map_err(|_| ADVICE.to_owned())?;
    let key: [u8; 32] = bytes.try_into().map_err(|_| ADVICE.to_owned())?;
    let mut distinct = key.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    if distinct.len() < 12 {
        return Err(format!("is not random; it {ADVICE}"));
    }
    Ok(key)
}

/// Whether the text is a usable key.
///
/// # Errors
/// A sentence without the key.
pub fn check(text: &SecretString) -> Result<(), String> {
    key_bytes(text).map(|_| ())
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

/// Reads the key beside the SQLite file, or makes it once with mode 0600.
///
/// # Errors
/// A sentence that names the file and the fix.
pub fn beside_database(database: &Path) -> Result<SecretString, String> {
    let path = database.with_extension("key");
    let told = |what: &str, error: &std::io::Error| {
        format!(
            "the secret key file {} cannot be {what}: {}",
            path.display(),
            error.kind()
        )
    };
    if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        std::fs::create_dir_all(parent).map_err(|e| told("made", &e))?;
    }
    match std::fs::read_to_string(&path) {
        Ok(text) => {
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt;
                let mode = std::fs::metadata(&path)
                    .map_err(|e| told("read", &e))?
                    .permissions()
                    .mode();
                if mode & 0o077 != 0 {
                    return Err(format!(
                        "the secret key file {} can be read by others: run `chmod 600` on it",
                        path.display()
                    ));
                }
            }
            let key = SecretString::from(text.trim().to_owned());
            check(&key).map_err(|problem| format!("{}: the key {problem}", path.display()))?;
            Ok(key)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let key = generate().map_err(|e| told("made", &e))?;
            // Written under another name and linked into place: a second process never reads half a key, and never
            // replaces one that another process made a moment earlier.
            let draft = path.with_extension(format!("key.{}", std::process::id()));
            let mut options = std::fs::OpenOptions::new();
            options.write(true).create_new(true);
            #[cfg(unix)]
            {
                use std::os::unix::fs::OpenOptionsExt;
                options.mode(0o600);
            }
            let written = options
                .open(&draft)
                .and_then(|mut file| {
                    file.write_all(key.expose_secret().as_bytes())?;
                    file.sync_all()
                })
                .and_then(|()| std::fs::hard_link(&draft, &path));
            let _removed = std::fs::remove_file(&draft);
            match written {
                Ok(()) => Ok(key),
                Err(error)
                    if error.kind() == std::io::ErrorKind::AlreadyExists && path.exists() =>
                {
                    let text = std::fs::read_to_string(&path).map_err(|e| told("read", &e))?;
                    Ok(SecretString::from(text.trim().to_owned()))
                }
                Err(error) => Err(told("made", &error)),
            }
        }
        Err(error) => Err(told("read", &error)),
    }
}

impl SecretKey {
    /// From its text form.
    ///
    /// # Errors
    /// A sentence without the key.
    pub fn new(text: &SecretString) -> Result<Self, String> {
        let key = key_bytes(text)?;
        let digest = Sha256::digest(key);
        let mut id = [0u8; KEY_ID_LENGTH];
        for (to, from) in id.iter_mut().zip(digest.iter()) {
            *to = *from;
        }
        Ok(Self {
            cipher: XChaCha20Poly1305::new(&key.into()),
            id,
        })
    }

    /// Seals `text` for one cell.
    ///
    /// # Errors
    /// When the operating system has no randomness.
    pub fn seal(&self, cell: Cell<'_>, text: &SecretString) -> Result<Vec<u8>, std::io::Error> {
        let mut nonce = [0u8; NONCE_LENGTH];
        getrandom::fill(&mut nonce).map_err(std::io::Error::other)?;
        let sealed = self
            .cipher
            .encrypt(
                &XNonce::from(nonce),
                Payload {
                    msg: text.expose_secret().as_bytes(),
                    aad: &cell.associated_data(),
                },
            )
            .map_err(|_| std::io::Error::other("the text is too long to seal"))?;
        let mut out = Vec::with_capacity(1 + KEY_ID_LENGTH + NONCE_LENGTH + sealed.len());
        out.push(FORMAT);
        out.extend_from_slice(&self.id);
        out.extend_from_slice(&nonce);
        out.extend_from_slice(&sealed);
        Ok(out)
    }

    /// Opens what [`SecretKey::seal`] made for the same cell.
    ///
    /// # Errors
    /// `OtherKey` or `Damaged`.
    pub fn open(&self, cell: Cell<'_>, sealed: &[u8]) -> Result<SecretString, OpenError> {
        let (format, rest) = sealed.split_first().ok_or(OpenError::Damaged)?;
        let (id, rest) = rest
            .split_first_chunk::<KEY_ID_LENGTH>()
            .ok_or(OpenError::Damaged)?;
        let (nonce, body) = rest
            .split_first_chunk::<NONCE_LENGTH>()
            .ok_or(OpenError::Damaged)?;
        if *format != FORMAT {
            return Err(OpenError::Damaged);
        }
        if *id != self.id {
            return Err(OpenError::OtherKey);
        }
        let text = self
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
    fn the_key_beside_the_database_is_made_once_and_private() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("data/leadgen.db");
        let first = beside_database(&database).unwrap();
        let second = beside_database(&database).unwrap();
        assert_eq!(first.expose_secret(), second.expose_secret());
        use std::os::unix::fs::PermissionsExt;
        let file = folder.path().join("data/leadgen.key");
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(
            beside_database(&database)
                .unwrap_err()
                .contains("chmod 600")
        );
    }
}
