//! What LinkedIn said the last time somebody asked whether it knows the portal's client id and secret.

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;

use super::columns::Cells;
use super::schema::app_credential_checks as checks;
use super::{AnyConn, StoreError};
use crate::domain::words::words;
use crate::each;

words! {
    /// What LinkedIn said.
    pub enum Outcome {
        Accepted = "accepted" => "Accepted by LinkedIn",
        Refused = "refused" => "Refused by LinkedIn",
        Unanswered = "unanswered" => "LinkedIn did not answer",
    }
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppCheck {
    /// What LinkedIn said.
    pub outcome: Outcome,
    /// A short detail; empty when accepted.
    pub detail: String,
    /// When.
    pub checked_at: DateTime<Utc>,
}

/// The last check of this client id, if its secret is still the one that was checked: `fingerprint` is a keyed digest of
/// both, made by the caller.
///
/// # Errors
/// As any query.
pub fn find(
    conn: &mut AnyConn,
    client_id: &str,
    fingerprint: &str,
) -> Result<Option<AppCheck>, StoreError> {
    let row: Option<(String, String, NaiveDateTime)> = checks::table
        .find(client_id)
        .filter(checks::fingerprint.eq(fingerprint))
        .select((checks::outcome, checks::detail, checks::checked_at))
        .first(conn)
        .optional()?;
    row.map(|(outcome, detail, checked_at)| {
        let cells = Cells {
            table: "app_credential_checks",
            id: "(client id)",
        };
        Ok(AppCheck {
            outcome: cells.word("outcome", &outcome)?,
            detail,
            checked_at: checked_at.and_utc(),
        })
    })
    .transpose()
}

/// Keeps a check in place of the one before.
///
/// # Errors
/// As any query.
pub fn save(
    conn: &mut AnyConn,
    client_id: &str,
    fingerprint: &str,
    check: &AppCheck,
) -> Result<(), StoreError> {
    let values = (
        checks::fingerprint.eq(fingerprint),
        checks::outcome.eq(check.outcome.as_str()),
        checks::detail.eq(&check.detail),
        checks::checked_at.eq(check.checked_at.naive_utc()),
    );
    each!(conn, |c| diesel::insert_into(checks::table)
        .values((checks::client_id.eq(client_id), values))
        .on_conflict(checks::client_id)
        .do_update()
        .set(values)
        .execute(c))?;
    Ok(())
}
