//! One-time links by which people set their password: one open link for each person, kept as a hash.

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;

use super::columns::Cells;
use super::schema::account_links as l;
use super::{AnyConn, StoreError, mails};
use crate::domain::account_link::LinkPurpose;
use crate::domain::ids::UserId;

/// A link as far as it is known after it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountLink {
    /// Whose account it opens.
    pub user_id: UserId,
    /// What it is for.
    pub purpose: LinkPurpose,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Who made it.
    pub created_by_name: String,
    /// When it stops working.
    pub expires_at: DateTime<Utc>,
}

#[derive(Queryable, Insertable)]
#[diesel(table_name = l)]
struct Row {
    user_id: String,
    purpose: String,
    token_hash: String,
    created_at: NaiveDateTime,
    created_by_name: String,
    expires_at: NaiveDateTime,
}

impl TryFrom<Row> for AccountLink {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let cells = Cells {
            table: "account_links",
            id: &row.user_id,
        };
        Ok(Self {
            user_id: cells.word("user_id", &row.user_id)?,
            purpose: cells.word("purpose", &row.purpose)?,
            created_at: row.created_at.and_utc(),
            created_by_name: row.created_by_name,
            expires_at: row.expires_at.and_utc(),
        })
    }
}

/// Stores a link with the hash of its token. The person's earlier link works no longer.
///
/// # Errors
/// As any query.
pub fn replace(conn: &mut AnyConn, link: &AccountLink, hash: &str) -> Result<(), StoreError> {
    delete_of_user(conn, &link.user_id)?;
    diesel::insert_into(l::table)
        .values(Row {
            user_id: link.user_id.as_str().to_owned(),
            purpose: link.purpose.as_str().to_owned(),
            token_hash: hash.to_owned(),
            created_at: link.created_at.naive_utc(),
            created_by_name: link.created_by_name.clone(),
            expires_at: link.expires_at.naive_utc(),
        })
        .execute(conn)?;
    Ok(())
}

/// The link of this kind with this hash, if it works at this time.
///
/// # Errors
/// As any query.
pub fn find_by_hash(
    conn: &mut AnyConn,
    purpose: LinkPurpose,
    hash: &str,
    now: DateTime<Utc>,
) -> Result<Option<AccountLink>, StoreError> {
    l::table
        .filter(l::token_hash.eq(hash))
        .filter(l::purpose.eq(purpose.as_str()))
        .filter(l::expires_at.gt(now.naive_utc()))
        .first::<Row>(conn)
        .optional()?
        .map(AccountLink::try_from)
        .transpose()
}

/// Uses a link up. Of several who try at once, one gets it.
///
/// # Errors
/// `NotFound` when it does not work (any more).
pub fn take(
    conn: &mut AnyConn,
    purpose: LinkPurpose,
    hash: &str,
    now: DateTime<Utc>,
) -> Result<AccountLink, StoreError> {
    let link =
        find_by_hash(conn, purpose, hash, now)?.ok_or(StoreError::NotFound("account link"))?;
    let used = diesel::delete(
        l::table
            .find(link.user_id.as_str())
            .filter(l::token_hash.eq(hash)),
    )
    .execute(conn)?;
    if used == 1 {
        Ok(link)
    } else {
        Err(StoreError::NotFound("account link"))
    }
}

/// The person's link, whether it works or has run out.
///
/// # Errors
/// As any query.
pub fn of_user(conn: &mut AnyConn, user: &UserId) -> Result<Option<AccountLink>, StoreError> {
    l::table
        .find(user.as_str())
        .first::<Row>(conn)
        .optional()?
        .map(AccountLink::try_from)
        .transpose()
}

/// Whether the person was invited and has not come yet.
///
/// # Errors
/// As any query.
pub fn is_invited(conn: &mut AnyConn, user: &UserId) -> Result<bool, StoreError> {
    Ok(of_user(conn, user)?.is_some_and(|link| link.purpose == LinkPurpose::Invitation))
}

/// Every invitation that nobody has used yet, whether it works or has run out.
///
/// # Errors
/// As any query.
pub fn list_invitations(conn: &mut AnyConn) -> Result<Vec<AccountLink>, StoreError> {
    l::table
        .filter(l::purpose.eq(LinkPurpose::Invitation.as_str()))
        .order(l::user_id)
        .load::<Row>(conn)?
        .into_iter()
        .map(AccountLink::try_from)
        .collect()
}

/// Ends the person's link, and the mail with it that was not sent yet; returns whether there was one.
///
/// # Errors
/// As any query.
pub fn delete_of_user(conn: &mut AnyConn, user: &UserId) -> Result<bool, StoreError> {
    mails::take_back(conn, user)?;
    Ok(diesel::delete(l::table.find(user.as_str())).execute(conn)? > 0)
}
