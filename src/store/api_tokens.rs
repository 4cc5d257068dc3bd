//! API tokens: what programs come with. Only hashes are kept; a row is never deleted, so that the audit log's names stay known.

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;

use super::columns::Cells;
use super::schema::api_tokens;
use super::{AnyConn, StoreError};
use crate::domain::access::TokenRole;
use crate::domain::api_token::{ApiTokenState, USE_NOTED_EVERY};
use crate::domain::ids::{ApiTokenId, UserId};

/// A token as far as it is known after it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiToken {
    /// Its identifier.
    pub id: ApiTokenId,
    /// What it is called.
    pub name: String,
    /// What it allows.
    pub role: TokenRole,
    /// Its first characters.
    pub prefix: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// The person who made it.
    pub created_by: UserId,
    /// That person's name at that time.
    pub created_by_name: String,
    /// When it stops working.
    pub expires_at: DateTime<Utc>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
}

impl ApiToken {
    /// The name under which its acts are known.
    #[must_use]
    pub fn actor_name(&self) -> String {
        format!("API token “{}”", self.name)
    }

    /// Whether it works at this time.
    #[must_use]
    pub fn state(&self, now: DateTime<Utc>) -> ApiTokenState {
        ApiTokenState::at(now, self.expires_at, self.revoked_at.is_some())
    }
}

#[derive(Queryable, Insertable)]
#[diesel(table_name = api_tokens, treat_none_as_default_value = false)]
struct Row {
    id: String,
    name: String,
    role: String,
    prefix: String,
    token_hash: String,
    created_at: NaiveDateTime,
    created_by: String,
    created_by_name: String,
    expires_at: NaiveDateTime,
    last_used_at: Option<NaiveDateTime>,
    revoked_at: Option<NaiveDateTime>,
}

impl TryFrom<Row> for ApiToken {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let cells = Cells {
            table: "api_tokens",
            id: &row.id,
        };
        Ok(Self {
            id: cells.word("id", &row.id)?,
            role: cells.word("role", &row.role)?,
            created_by: cells.word("created_by", &row.created_by)?,
            name: row.name,
            prefix: row.prefix,
            created_at: row.created_at.and_utc(),
            created_by_name: row.created_by_name,
            expires_at: row.expires_at.and_utc(),
            last_used_at: row.last_used_at.map(|at| at.and_utc()),
            revoked_at: row.revoked_at.map(|at| at.and_utc()),
        })
    }
}

/// All tokens, the newest first, at most 500.
///
/// # Errors
/// As any query.
pub fn list(conn: &mut AnyConn) -> Result<Vec<ApiToken>, StoreError> {
    api_tokens::table
        .order((api_tokens::created_at.desc(), api_tokens::id.desc()))
        .limit(500)
        .load::<Row>(conn)?
        .into_iter()
        .map(ApiToken::try_from)
        .collect()
}

/// One token.
///
/// # Errors
/// `NotFound` when there is none.
pub fn get(conn: &mut AnyConn, id: &ApiTokenId) -> Result<ApiToken, StoreError> {
    api_tokens::table
        .find(id.as_str())
        .first::<Row>(conn)
        .optional()?
        .ok_or(StoreError::NotFound("API token"))?
        .try_into()
}

/// The token with this hash, whether it works or not.
///
/// # Errors
/// As any query.
pub fn find_by_hash(conn: &mut AnyConn, hash: &str) -> Result<Option<ApiToken>, StoreError> {
    api_tokens::table
        .filter(api_tokens::token_hash.eq(hash))
        .first::<Row>(conn)
        .optional()?
        .map(ApiToken::try_from)
        .transpose()
}

/// Adds a token with the hash of its text.
///
/// # Errors
/// As any query.
pub fn insert(conn: &mut AnyConn, token: &ApiToken, hash: &str) -> Result<(), StoreError> {
    let row = Row {
        id: token.id.as_str().to_owned(),
        name: token.name.clone(),
        role: token.role.as_str().to_owned(),
        prefix: token.prefix.clone(),
        token_hash: hash.to_owned(),
        created_at: token.created_at.naive_utc(),
        created_by: token.created_by.as_str().to_owned(),
        created_by_name: token.created_by_name.clone(),
        expires_at: token.expires_at.naive_utc(),
        last_used_at: token.last_used_at.map(|at| at.naive_utc()),
        revoked_at: token.revoked_at.map(|at| at.naive_utc()),
    };
    diesel::insert_into(api_tokens::table)
        .values(row)
        .execute(conn)?;
    Ok(())
}

/// Revokes a token: the next request with it is refused, on every replica.
///
/// # Errors
/// `NotFound` when there is none, `Rule` when it is revoked already.
pub fn revoke(
    conn: &mut AnyConn,
    id: &ApiTokenId,
    now: DateTime<Utc>,
) -> Result<ApiToken, StoreError> {
    let token = get(conn, id)?;
    let changed = diesel::update(
        api_tokens::table
            .find(id.as_str())
            .filter(api_tokens::revoked_at.is_null()),
    )
    .set(api_tokens::revoked_at.eq(now.naive_utc()))
    .execute(conn)?;
    if changed == 0 {
        return Err(StoreError::Rule("This token is revoked already.".into()));
    }
    Ok(token)
}

/// Notes that a token was used, unless that was noted within the last minute.
///
/// # Errors
/// As any query.
pub fn note_use(conn: &mut AnyConn, id: &ApiTokenId, now: DateTime<Utc>) -> Result<(), StoreError> {
    let before = (now - USE_NOTED_EVERY).naive_utc();
    diesel::update(
        api_tokens::table.find(id.as_str()).filter(
            api_tokens::last_used_at
                .is_null()
                .or(api_tokens::last_used_at.le(before)),
        ),
    )
    .set(api_tokens::last_used_at.eq(now.naive_utc()))
    .execute(conn)?;
    Ok(())
}
