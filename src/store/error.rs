//! What can go wrong between the portal and its database.

use diesel::result::{DatabaseErrorKind, Error as DieselError};

/// A failure of the store. Messages hold no cell values.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be opened or reached.
    #[error("the database cannot be reached: {0}")]
    Unreachable(#[source] diesel::ConnectionError),
    /// No connection was free in time, or another writer held the database too long.
    #[error("the database is busy or away")]
    Busy,
    /// The transaction lost against another one; it can be repeated.
    #[error("the transaction collided with another one")]
    Contention,
    /// A row that must exist does not.
    #[error("no such {0}")]
    NotFound(&'static str),
    /// Somebody else saved the record since it was read.
    #[error("the {0} was changed by somebody else meanwhile")]
    Stale(&'static str),
    /// A natural key exists already; holds the constraint's or column's name.
    #[error("already there: {0}")]
    Duplicate(String),
    /// The record is still used by another one.
    #[error("still in use: {0}")]
    InUse(String),
    /// The lease under which this writer worked belongs to another one now.
    #[error("the lease was taken over")]
    LeaseLost,
    /// A rule kept by the store forbids the change; the text is for people.
    #[error("{0}")]
    Rule(String),
    /// A cell holds what the domain does not know.
    #[error("corrupt cell {table}.{column} of {id}")]
    Corrupt {
        /// Table name.
        table: &'static str,
        /// Column name.
        column: &'static str,
        /// Primary key of the row.
        id: String,
    },
    /// Migrations are missing or failed.
    #[error("migrations: {0}")]
    Migration(String),
    /// Anything else the database said.
    #[error("the database answered with an error")]
    Database(#[source] DieselError),
    /// The blocking thread ended without an answer.
    #[error("the database task was cancelled")]
    Cancelled,
}

impl StoreError {
    /// Whether trying the same again later can help without anybody changing anything.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Unreachable(_) | Self::Busy | Self::Contention | Self::Cancelled
        )
    }
}

impl From<DieselError> for StoreError {
    fn from(error: DieselError) -> Self {
        match &error {
            DieselError::NotFound => Self::NotFound("record"),
            DieselError::DatabaseError(kind, info) => match kind {
                DatabaseErrorKind::UniqueViolation => Self::Duplicate(
                    info.constraint_name()
                        .unwrap_or_else(|| info.message())
                        .to_owned(),
                ),
                DatabaseErrorKind::ForeignKeyViolation => Self::InUse(
                    info.constraint_name()
                        .unwrap_or("another record")
                        .to_owned(),
                ),
                DatabaseErrorKind::SerializationFailure => Self::Contention,
                DatabaseErrorKind::ClosedConnection
                | DatabaseErrorKind::ReadOnlyTransaction
                | DatabaseErrorKind::UnableToSendCommand => Self::Busy,
                _ => {
                    let message = info.message();
                    if message.contains("database is locked")
                        || message.contains("terminating connection")
                        || message.contains("server closed the connection")
                        || message.contains("could not connect")
                        || message.contains("database or disk is full")
                        || message.contains("disk I/O error")
                    {
                        Self::Busy
                    } else if message.contains("deadlock detected") {
                        Self::Contention
                    } else {
                        Self::Database(error)
                    }
                }
            },
            _ => Self::Database(error),
        }
    }
}
