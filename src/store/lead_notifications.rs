//! What LinkedIn's webhook told, once each however often it was delivered.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::schema::{lead_notifications as n, linkedin_accounts as a};
use super::{AnyConn, StoreError, columns};
use crate::domain::account::OwnerType;
use crate::domain::ids::AccountId;
use crate::domain::notification::NotificationAction;
use crate::each;

/// An event to be kept.
#[derive(Debug, Clone)]
pub struct NewNotification {
    /// Identifies the row.
    pub id: String,
    /// LinkedIn's response id.
    pub response_id: String,
    /// What happened to it.
    pub action: NotificationAction,
    /// When, by LinkedIn's clock.
    pub occurred_at: DateTime<Utc>,
    /// Whose form it was: kind and LinkedIn's number.
    pub owner: Option<(OwnerType, i64)>,
}

/// Keeps an event; the answer is its account, where that is one of ours, or `None` when the event was kept before.
///
/// # Errors
/// As any query.
pub fn insert(
    conn: &mut AnyConn,
    new: &NewNotification,
    now: DateTime<Utc>,
) -> Result<Option<Option<AccountId>>, StoreError> {
    let account: Option<String> = match new.owner {
        Some((kind, linkedin_id)) => a::table
            .filter(a::owner_type.eq(kind.as_str()))
            .filter(a::linkedin_id.eq(linkedin_id))
            .select(a::id)
            .first(conn)
            .optional()?,
        None => None,
    };
    let row = (
        n::id.eq(&new.id),
        n::response_id.eq(&new.response_id),
        n::action.eq(new.action.as_str()),
        n::occurred_at.eq(new.occurred_at.naive_utc()),
        n::account_id.eq(&account),
        n::received_at.eq(now.naive_utc()),
    );
    let kept = each!(conn, |c| diesel::insert_into(n::table)
        .values(row)
        .on_conflict((n::response_id, n::action, n::occurred_at))
        .do_nothing()
        .execute(c))?;
    if kept == 0 {
        return Ok(None);
    }
    let account = account
        .map(|id| columns::id("linkedin_accounts", &id))
        .transpose()?;
    Ok(Some(account))
}

/// Forgets announcements from before this time. Deletions stay: they keep their responses out.
///
/// # Errors
/// As any query.
pub fn delete_created_before(conn: &mut AnyConn, before: DateTime<Utc>) -> Result<(), StoreError> {
    diesel::delete(
        n::table
            .filter(n::action.eq(NotificationAction::Created.as_str()))
            .filter(n::received_at.lt(before.naive_utc())),
    )
    .execute(conn)?;
    Ok(())
}
