//! Where the secret keys come from: a variable, a file that a variable names, or the file beside the SQLite database.
//!
//! A source holds one key, or several separated by white space: the first is the one to seal with, the others are those it
//! replaces. A file is never written in place: a reader finds the old text or the new one, also after kill -9.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};

use super::secret_key::{KeyId, check, fingerprint, generate};
use crate::settings::Settings;
use crate::store::DatabaseUrl;

/// Where the secret keys come from.
#[derive(Debug, Clone)]
pub enum KeySource {
    /// `LEADGEN_SECRET_KEY`: whoever started the process decides, and it stays as it is until the process ends.
    Variable(SecretString),
    /// The file that `LEADGEN_SECRET_KEY_FILE` names.
    Named(PathBuf),
    /// The file beside the SQLite database, which the portal makes itself.
    Beside(PathBuf),
}

fn told<'a>(path: &'a Path, what: &'a str) -> impl Fn(std::io::Error) -> String + 'a {
    move |error| {
        format!(
            "the secret key file {} cannot be {what}: {}",
            path.display(),
            error.kind()
        )
    }
}

fn checked(path: &Path, text: &str) -> Result<SecretString, String> {
    let keys = SecretString::from(text.trim().to_owned());
    check(&keys).map_err(|problem| format!("{}: the key {problem}", path.display()))?;
    Ok(keys)
}

impl KeySource {
    /// As the settings say.
    ///
    /// # Errors
    /// A sentence, when they name none and there is no SQLite file for one to stand beside.
    pub fn of(settings: &Settings) -> Result<Self, String> {
        Ok(
            match (
                &settings.secret_key_file,
                &settings.secret_key,
                &settings.database_url,
            ) {
                (Some(path), ..) => Self::Named(path.clone()),
                (None, Some(keys), _) => Self::Variable(keys.clone()),
                (None, None, DatabaseUrl::Sqlite(database)) => {
                    Self::Beside(database.with_extension("key"))
                }
                (None, None, DatabaseUrl::Postgres(_)) => {
                    return Err("required with PostgreSQL".into());
                }
            },
        )
    }

    /// The file, where there is one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Variable(_) => None,
            Self::Named(path) | Self::Beside(path) => Some(path),
        }
    }

    /// What people know it by.
    #[must_use]
    pub fn shown(&self) -> String {
        match self {
            Self::Variable(_) => "the variable LEADGEN_SECRET_KEY".to_owned(),
            Self::Named(path) | Self::Beside(path) => format!("the file {}", path.display()),
        }
    }

    /// The text of the keys as it is now. Beside the SQLite database a key is made when there is none.
    ///
    /// # Errors
    /// A sentence that names the file and the fix, without the key.
    pub fn read(&self) -> Result<SecretString, String> {
        match self {
            Self::Variable(keys) => Ok(keys.clone()),
            Self::Named(path) => {
                let text = std::fs::read_to_string(path).map_err(told(path, "read"))?;
                checked(path, &text)
            }
            Self::Beside(path) => beside_database(path),
        }
    }

    /// Keeps other rotations away from the file as long as what is returned lives.
    ///
    /// # Errors
    /// A sentence, when another rotation is at work.
    pub fn lock(&self) -> Result<Option<File>, String> {
        let Some(path) = self.path() else {
            return Ok(None);
        };
        // The folder, because the file itself is replaced.
        let folder = File::open(folder_of(path)).map_err(told(path, "locked"))?;
        match folder.try_lock() {
            Ok(()) => Ok(Some(folder)),
            Err(TryLockError::WouldBlock) => Err(format!(
                "another `leadgen key rotate` is at work on {}: let it end first",
                path.display()
            )),
            Err(TryLockError::Error(error)) => Err(told(path, "locked")(error)),
        }
    }

    /// Writes the keys, one a line, in place of those that are there; owner and mode stay.
    ///
    /// # Errors
    /// A sentence; then the file is as it was.
    pub fn write(&self, keys: &[SecretString]) -> Result<(), String> {
        let Some(path) = self.path() else {
            return Err("the variable LEADGEN_SECRET_KEY is not ours to change".into());
        };
        // What stands behind a symbolic link is replaced, not the link.
        let path = path.canonicalize().map_err(told(path, "read"))?;
        let failed = told(&path, "written");
        let was = path.metadata().map_err(&failed)?;
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".rotating");
        let draft = path.with_file_name(name);
        match std::fs::remove_file(&draft) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        let written = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&draft)
            .and_then(|mut file| {
                for key in keys {
                    writeln!(file, "{}", key.expose_secret())?;
                }
                let is = file.metadata()?;
                if (is.uid(), is.gid()) != (was.uid(), was.gid()) {
                    std::os::unix::fs::fchown(&file, Some(was.uid()), Some(was.gid()))?;
                }
                file.set_permissions(std::fs::Permissions::from_mode(was.mode() & 0o777))?;
                file.sync_all()
            })
            .and_then(|()| std::fs::rename(&draft, &path))
            .and_then(|()| File::open(folder_of(&path))?.sync_all());
        written.map_err(|error| {
            let _gone = std::fs::remove_file(&draft);
            failed(error)
        })
    }
}

/// The keys of a text, each with its fingerprint.
///
/// # Errors
/// A sentence without the key.
pub fn words(keys: &SecretString) -> Result<Vec<(KeyId, SecretString)>, String> {
    keys.expose_secret()
        .split_whitespace()
        .map(|word| Ok((fingerprint(word)?, SecretString::from(word.to_owned()))))
        .collect()
}

fn folder_of(path: &Path) -> &Path {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// Reads the key file beside the SQLite database, or makes it once with mode 0600.
fn beside_database(path: &Path) -> Result<SecretString, String> {
    std::fs::create_dir_all(folder_of(path)).map_err(told(path, "made"))?;
    match std::fs::read_to_string(path) {
        Ok(text) => {
            let mode = path
                .metadata()
                .map_err(told(path, "read"))?
                .permissions()
                .mode();
            if mode & 0o077 != 0 {
                return Err(format!(
                    "the secret key file {} can be read by others: run `chmod 600` on it",
                    path.display()
                ));
            }
            checked(path, &text)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let key = generate().map_err(told(path, "made"))?;
            // Written under another name and linked into place: a second process never reads half a key, and never
            // replaces one that another process made a moment earlier.
            let draft = path.with_extension(format!("key.{}", std::process::id()));
            let written = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&draft)
                .and_then(|mut file| {
                    file.write_all(key.expose_secret().as_bytes())?;
                    file.sync_all()
                })
                .and_then(|()| std::fs::hard_link(&draft, path));
            let _removed = std::fs::remove_file(&draft);
            match written {
                Ok(()) => Ok(key),
                Err(error) if error.kind() == ErrorKind::AlreadyExists && path.exists() => {
                    let text = std::fs::read_to_string(path).map_err(told(path, "read"))?;
                    checked(path, &text)
                }
                Err(error) => Err(told(path, "made")(error)),
            }
        }
        Err(error) => Err(told(path, "read")(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_beside_the_database_is_made_once_and_private() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("data/leadgen.key");
        let source = KeySource::Beside(file.clone());
        let first = source.read().unwrap();
        assert_eq!(
            first.expose_secret(),
            source.read().unwrap().expose_secret()
        );
        let mode = || std::fs::metadata(&file).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(), 0o600);
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(source.read().unwrap_err().contains("chmod 600"));
    }

    #[test]
    fn a_key_file_is_replaced_whole_behind_its_link_and_keeps_its_mode() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("real"), folder.path().join("link"));
        let (old, new) = (generate().unwrap(), generate().unwrap());
        std::fs::write(&file, old.expose_secret()).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        // What a killed rotation left behind.
        std::fs::write(folder.path().join("real.rotating"), "half").unwrap();
        let source = KeySource::Named(link.clone());
        source.write(&[new.clone(), old.clone()]).unwrap();
        let held = words(&source.read().unwrap()).unwrap();
        assert_eq!(held.len(), 2);
        assert_eq!(held[0].1.expose_secret(), new.expose_secret());
        assert!(link.is_symlink());
        assert_eq!(file.metadata().unwrap().mode() & 0o777, 0o640);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn two_rotations_never_work_on_one_file() {
        let folder = tempfile::tempdir().unwrap();
        let source = KeySource::Beside(folder.path().join("leadgen.key"));
        let held = source.lock().unwrap();
        assert!(source.lock().unwrap_err().contains("another"));
        drop(held);
        assert!(source.lock().is_ok());
    }
}
