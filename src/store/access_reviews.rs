//! Access reviews: who looked through the people with access to LinkedIn, and when. Only ever appended to.

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;
use serde_json::json;

use super::audit::{self, Actor};
use super::columns::Cells;
use super::connections::{self, OBJECT, evidence};
use super::consents;
use super::paging::{Cursor, PageStart, keyset};
use super::schema::access_reviews as reviews;
use super::{AnyConn, StoreError};
use crate::domain::connections::{Deployment, Setting};
use crate::domain::ids::UserId;

/// One review.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessReview {
    /// Identifier.
    pub id: String,
    /// When.
    pub created_at: DateTime<Utc>,
    /// The Administrator's name at that time.
    pub reviewer_name: String,
    /// What was looked at or found.
    pub note: String,
    /// What the setting was.
    pub setting: Setting,
    /// How many people were allowed to connect LinkedIn.
    pub allowed_people: i64,
    /// Whose consent held.
    pub consented_people: i64,
}

impl AccessReview {
    /// Its place in a list.
    #[must_use]
    pub fn place(&self) -> Cursor {
        Cursor {
            at: self.created_at,
            id: self.id.clone(),
        }
    }
}

#[derive(Queryable)]
struct Row {
    id: String,
    created_at: NaiveDateTime,
    _reviewer_id: String,
    reviewer_name: String,
    note: String,
    setting: String,
    allowed_people: i64,
    consented_people: i64,
}

impl TryFrom<Row> for AccessReview {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let cells = Cells {
            table: "access_reviews",
            id: &row.id,
        };
        Ok(Self {
            setting: cells.word("setting", &row.setting)?,
            created_at: row.created_at.and_utc(),
            reviewer_name: row.reviewer_name,
            note: row.note,
            allowed_people: row.allowed_people,
            consented_people: row.consented_people,
            id: row.id,
        })
    }
}

/// The latest review.
///
/// # Errors
/// As any query.
pub fn latest(conn: &mut AnyConn) -> Result<Option<AccessReview>, StoreError> {
    reviews::table
        .order((reviews::created_at.desc(), reviews::id.desc()))
        .first::<Row>(conn)
        .optional()?
        .map(AccessReview::try_from)
        .transpose()
}

/// The reviews of a time after a place, newest first, at most `limit`.
///
/// # Errors
/// As any query.
pub fn part(
    conn: &mut AnyConn,
    (from, until): (Option<DateTime<Utc>>, Option<DateTime<Utc>>),
    after: Option<&Cursor>,
    limit: i64,
) -> Result<Vec<AccessReview>, StoreError> {
    let mut query = reviews::table.into_boxed();
    if let Some(from) = from {
        query = query.filter(reviews::created_at.ge(from.naive_utc()));
    }
    if let Some(until) = until {
        query = query.filter(reviews::created_at.lt(until.naive_utc()));
    }
    let start = after.cloned().map_or(PageStart::Newest, PageStart::After);
    keyset!(query, &start, reviews::created_at, reviews::id);
    query
        .limit(limit)
        .load::<Row>(conn)?
        .into_iter()
        .map(AccessReview::try_from)
        .collect()
}

/// Notes a review, with what it was about: the setting and the numbers of people at this moment. `expected` is the
/// `lock_version` of the setting that the reviewer saw.
///
/// # Errors
/// `Stale` when the setting was saved since.
pub fn insert(
    conn: &mut AnyConn,
    (reviewer, actor): (&UserId, &Actor),
    note: &str,
    deployment: &Deployment,
    expected: i64,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let settings = connections::get(conn)?;
    if settings.lock_version != expected {
        return Err(StoreError::Stale("LinkedIn account connections"));
    }
    let allowed_people = evidence::count_allowed(conn, deployment, &settings)?;
    let consented_people = consents::count(conn)?;
    diesel::insert_into(reviews::table)
        .values((
            reviews::id.eq(audit::new_id(now)),
            reviews::created_at.eq(now.naive_utc()),
            reviews::reviewer_id.eq(reviewer.as_str()),
            reviews::reviewer_name.eq(&actor.name),
            reviews::note.eq(note),
            reviews::setting.eq(settings.setting.as_str()),
            reviews::allowed_people.eq(allowed_people),
            reviews::consented_people.eq(consented_people),
        ))
        .execute(conn)?;
    audit::record(
        conn,
        now,
        actor,
        "account_connections.access_reviewed",
        OBJECT,
        None,
        Some(json!({
            "note": note,
            "people_allowed": allowed_people,
            "people_consented": consented_people,
        })),
    )
}
