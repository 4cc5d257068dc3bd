//! Reset Synchronization: every stream is read again from its beginning. What was handled is recognised by its response
//! id, so nothing is doubled.

use chrono::{DateTime, Utc};

use crate::store::audit::{Actor, record};
use crate::store::{self, AnyConn, StoreError};

/// What a reset reads again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Accounts with sync enabled.
    pub accounts: i64,
    /// Forms.
    pub forms: i64,
    /// Submissions stored so far.
    pub submissions: i64,
}

/// What a reset would read again.
///
/// # Errors
/// As any query.
pub fn extent(conn: &mut AnyConn) -> Result<Extent, StoreError> {
    let (accounts, forms, submissions) = store::streams::reset_extent(conn)?;
    Ok(Extent {
        accounts,
        forms,
        submissions,
    })
}

/// Sets all streams back and makes their accounts due at once; in the caller's transaction, with an audit entry.
///
/// # Errors
/// As any query.
pub fn request(
    conn: &mut AnyConn,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<Extent, StoreError> {
    let extent = extent(conn)?;
    store::streams::reset_all(conn)?;
    store::resets::insert(conn, &actor.name, extent.accounts)?;
    record(
        conn,
        now,
        actor,
        "synchronization.reset",
        ("organization", "", "All accounts"),
        None,
        Some(serde_json::json!({
            "accounts": extent.accounts, "forms": extent.forms, "submissions": extent.submissions,
        })),
    )?;
    Ok(extent)
}
