//! Backup and restore of an SQLite database: a consistent copy while the portal works, and the checked way back. PostgreSQL
//! has tools of its own for both.
//!
//! A backup is written under another name and linked into place when it is whole and on the disk, so that the name never
//! stands for half a backup. A restore checks a copy first; then one rename puts it in the place of the database, which is
//! kept beside it. kill -9 at any moment leaves the old database or the new one.

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

use super::{AnyConn, StoreError, migrations};

/// Why nothing was backed up or restored. The messages are for the person at the shell.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// There is a file with that name.
    #[error("{0} exists already, and nothing is ever written over a backup: choose another name")]
    Exists(String),
    /// A file or folder did not do what was asked of it.
    #[error("{path} cannot be {what}: {reason}")]
    File {
        /// The file.
        path: String,
        /// `written`, `read` …
        what: &'static str,
        /// The system's words.
        reason: String,
    },
    /// What is to be restored is no whole backup.
    #[error("{path} is no backup that can be restored: {problem}")]
    Unusable {
        /// The file.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A program has the database open.
    #[error(
        "{0} is in use: stop every `leadgen` on this database (and whatever else has it open), then restore again"
    )]
    InUse(String),
    /// The database is on PostgreSQL.
    #[error(
        "the database is on PostgreSQL, whose own tools do this: {0}; the README says how under Backups"
    )]
    Postgres(&'static str),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What was restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// Where the database that was there before is kept now.
    pub kept: Option<PathBuf>,
    /// Size of the restored file in bytes.
    pub bytes: u64,
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn file_error(path: &Path, what: &'static str) -> impl Fn(std::io::Error) -> BackupError {
    let path = shown(path);
    move |error| BackupError::File {
        path: path.clone(),
        what,
        reason: error.to_string(),
    }
}

/// `path` with something more at the end of its name.
fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn folder_of(path: &Path) -> &Path {
    path.parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// A name is on the disk when its folder is.
fn sync_folder(path: &Path) -> Result<(), BackupError> {
    let folder = folder_of(path);
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(file_error(folder, "written"))
}

/// Removed when dropped: what a failure leaves half done.
struct Draft(PathBuf);

impl Drop for Draft {
    fn drop(&mut self) {
        // Linked into place or renamed, or never made: then there is nothing to remove.
        let _gone = std::fs::remove_file(&self.0);
    }
}

/// A new, empty file that only its owner can read.
fn private_file(path: &Path) -> Result<File, BackupError> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(file_error(path, "written"))
}

/// Writes a consistent copy of the database to `file`, which must not exist, while others read and write. Returns its size.
///
/// # Errors
/// See [`BackupError`]; then `file` is not there.
pub fn write(conn: &mut AnyConn, file: &Path) -> Result<u64, BackupError> {
    let AnyConn::Sqlite(conn) = conn else {
        return Err(BackupError::Postgres("pg_dump"));
    };
    let text = file.to_str().ok_or_else(|| BackupError::File {
        path: shown(file),
        what: "written",
        reason: "its name is not UTF-8".into(),
    })?;
    if file.symlink_metadata().is_ok() {
        return Err(BackupError::Exists(shown(file)));
    }
    let draft_name = format!("{text}.unfinished-{}", std::process::id());
    let draft = Draft(PathBuf::from(&draft_name));
    // SQLite takes an empty file that is there; so nobody else can read it for a moment.
    drop(private_file(&draft.0)?);
    diesel::sql_query("VACUUM INTO ?")
        .bind::<Text, _>(&draft_name)
        .execute(conn)
        .map_err(|error| BackupError::File {
            path: shown(file),
            what: "written",
            reason: error.to_string(),
        })?;
    let written = File::open(&draft.0).and_then(|file| {
        file.sync_all()?;
        file.metadata()
    });
    let bytes = written.map_err(file_error(file, "written"))?.len();
    std::fs::hard_link(&draft.0, file).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => BackupError::Exists(shown(file)),
        _ => file_error(file, "written")(error),
    })?;
    drop(draft);
    sync_folder(file)?;
    Ok(bytes)
}

#[derive(QueryableByName)]
struct Word {
    #[diesel(sql_type = Text)]
    word: String,
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

fn open_file(path: &Path) -> Result<SqliteConnection, diesel::ConnectionError> {
    SqliteConnection::establish(&path.to_string_lossy())
}

/// What is wrong with a file, in the words of whoever found it.
fn problem_of(copy: &Path) -> Result<(), String> {
    let said = |error: diesel::result::Error| error.to_string();
    let mut conn = open_file(copy).map_err(|error| error.to_string())?;
    let checked: Vec<Word> =
        diesel::sql_query("SELECT integrity_check AS word FROM pragma_integrity_check()")
            .load(&mut conn)
            .map_err(said)?;
    if let Some(found) = checked.iter().find(|row| row.word != "ok") {
        return Err(format!("SQLite finds it damaged ({})", found.word));
    }
    let lost: Count = diesel::sql_query("SELECT count(*) AS count FROM pragma_foreign_key_check()")
        .get_result(&mut conn)
        .map_err(said)?;
    if lost.count > 0 {
        return Err(format!(
            "{} row(s) refer to rows that are not there",
            lost.count
        ));
    }
    let ours: Count = diesel::sql_query(
        "SELECT count(*) AS count FROM sqlite_schema WHERE type = 'table' \
         AND name IN ('__diesel_schema_migrations', 'users', 'audit_entries')",
    )
    .get_result(&mut conn)
    .map_err(said)?;
    if ours.count < 3 {
        return Err("it holds no database of Leadgen Connector".into());
    }
    let mut conn = AnyConn::Sqlite(conn);
    let unknown = migrations::unknown(&mut conn).map_err(|error| error.to_string())?;
    if !unknown.is_empty() {
        return Err(format!(
            "a newer version of Leadgen Connector made it (migration {}): install that version first",
            unknown.join(", ")
        ));
    }
    // No write-ahead log beside it: the rename takes one file.
    conn.batch_execute("PRAGMA journal_mode = DELETE")
        .map_err(said)
}

/// Takes the database for this process alone, its write-ahead log folded in, so that the file by itself is whole.
fn take_alone(target: &Path) -> Result<SqliteConnection, BackupError> {
    let in_use = |_: diesel::result::Error| BackupError::InUse(shown(target));
    let mut conn = open_file(target).map_err(StoreError::Unreachable)?;
    conn.batch_execute("PRAGMA busy_timeout = 2000; PRAGMA locking_mode = EXCLUSIVE;")
        .map_err(in_use)?;
    // In this mode SQLite lets nobody in while another connection is open anywhere, reading or not.
    conn.batch_execute("BEGIN EXCLUSIVE; COMMIT;")
        .map_err(in_use)?;
    let mode: Word = diesel::sql_query("PRAGMA journal_mode = DELETE")
        .get_result::<JournalMode>(&mut conn)
        .map(|row| Word {
            word: row.journal_mode,
        })
        .map_err(in_use)?;
    if mode.word != "delete" {
        return Err(BackupError::InUse(shown(target)));
    }
    conn.batch_execute("BEGIN EXCLUSIVE; COMMIT;")
        .map_err(in_use)?;
    Ok(conn)
}

#[derive(QueryableByName)]
struct JournalMode {
    #[diesel(sql_type = Text)]
    journal_mode: String,
}

/// Puts the backup `file` in the place of the database `target`, which no program may have open. `moment` ends the name
/// under which the earlier database is kept. Blocking.
///
/// # Errors
/// See [`BackupError`]; then the database is as it was.
pub fn restore(file: &Path, target: &Path, moment: &str) -> Result<Restored, BackupError> {
    let unusable = |problem: String| BackupError::Unusable {
        path: shown(file),
        problem,
    };
    let log = with_suffix(file, "-wal");
    if log.metadata().is_ok_and(|log| log.len() > 0) {
        return Err(unusable(format!(
            "{} lies beside it, so it is the file of a database at work; make a backup of that with `leadgen backup`",
            shown(&log)
        )));
    }
    let mut source = File::open(file).map_err(file_error(file, "read"))?;
    let folder = folder_of(target);
    std::fs::create_dir_all(folder).map_err(file_error(folder, "made"))?;
    let draft = Draft(with_suffix(
        target,
        &format!(".restoring-{}", std::process::id()),
    ));
    let mut copy = private_file(&draft.0)?;
    let bytes = std::io::copy(&mut source, &mut copy).map_err(file_error(&draft.0, "written"))?;
    if bytes == 0 {
        return Err(unusable("it is empty".into()));
    }
    drop(copy);
    problem_of(&draft.0).map_err(unusable)?;
    File::open(&draft.0)
        .and_then(|copy| copy.sync_all())
        .map_err(file_error(&draft.0, "written"))?;

    let (kept, alone) = if target.exists() {
        let alone = take_alone(target)?;
        let kept = with_suffix(target, &format!(".before-restore-{moment}"));
        // A second name first: at no moment is there no database under its own name.
        std::fs::hard_link(target, &kept).map_err(file_error(&kept, "written"))?;
        (Some(kept), Some(alone))
    } else {
        (None, None)
    };
    std::fs::rename(&draft.0, target).map_err(file_error(target, "written"))?;
    drop(alone);
    sync_folder(target)?;
    Ok(Restored { kept, bytes })
}
