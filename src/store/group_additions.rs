//! Lists of e-mail addresses whose people are to become members of a group: looked up, shown, applied.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use diesel::prelude::*;

use super::columns::{Cells, id};
use super::schema::{group_addition_rows as rows, group_additions as additions, users};
use super::{AnyConn, StoreError, groups, lock_rules};
use crate::domain::group_members::{AdditionOutcome, Entry, judge};
use crate::domain::ids::{AdditionId, GroupId, UserId};
use crate::insert_rows;

/// How long a list is kept: it holds addresses of people who may be strangers.
const KEPT: TimeDelta = TimeDelta::days(7);
/// Addresses per statement.
const CHUNK: usize = 1_000;

/// A list as it is stored.
#[derive(Debug, Clone)]
pub struct Addition {
    /// Identifier.
    pub id: AdditionId,
    /// The group that they join.
    pub group_id: GroupId,
    /// Where it came from: the name of a file, or that it was pasted.
    pub origin: String,
    /// When it was looked up.
    pub created_at: DateTime<Utc>,
    /// When its people became members; `None` until then.
    pub applied_at: Option<DateTime<Utc>>,
}

/// One entry of a list with what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdditionRow {
    /// The entry.
    pub entry: Entry,
    /// What becomes, or became, of it.
    pub outcome: AdditionOutcome,
}

#[derive(Queryable, Insertable)]
#[diesel(table_name = rows)]
struct Row {
    addition_id: String,
    row_number: i64,
    entry: String,
    email_key: Option<String>,
    outcome: String,
}

impl TryFrom<Row> for AdditionRow {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let cells = Cells {
            table: "group_addition_rows",
            id: &row.addition_id,
        };
        Ok(Self {
            outcome: cells.word("outcome", &row.outcome)?,
            entry: Entry {
                number: row.row_number,
                text: row.entry,
                email_key: row.email_key,
            },
        })
    }
}

/// The users with these addresses, by address in its unique form.
fn users_by_email(
    conn: &mut AnyConn,
    entries: &[Entry],
) -> Result<HashMap<String, UserId>, StoreError> {
    let keys: Vec<&str> = entries
        .iter()
        .filter_map(|entry| entry.email_key.as_deref())
        .collect::<HashSet<_>>()
        .into_iter()
        .collect();
    let mut found = HashMap::with_capacity(keys.len());
    for chunk in keys.chunks(CHUNK) {
        let pairs: Vec<(String, String)> = users::table
            .filter(users::email_key.eq_any(chunk))
            .select((users::email_key, users::id))
            .load(conn)?;
        for (key, user) in pairs {
            let user = id("users", &user)?;
            found.insert(key, user);
        }
    }
    Ok(found)
}

/// Who of these would become a member now, and what becomes of each entry.
fn look_up(
    conn: &mut AnyConn,
    group: &GroupId,
    entries: &[Entry],
) -> Result<(Vec<AdditionOutcome>, Vec<UserId>), StoreError> {
    let users = users_by_email(conn, entries)?;
    let outcomes = judge(entries, &users, &groups::member_ids(conn, group)?);
    let joining = entries
        .iter()
        .zip(&outcomes)
        .filter(|(_, outcome)| **outcome == AdditionOutcome::Added)
        .filter_map(|(entry, _)| users.get(entry.email_key.as_deref()?).cloned())
        .collect();
    Ok((outcomes, joining))
}

fn write_rows(
    conn: &mut AnyConn,
    addition: &AdditionId,
    entries: &[Entry],
    outcomes: &[AdditionOutcome],
) -> Result<(), StoreError> {
    let all: Vec<Row> = entries
        .iter()
        .zip(outcomes)
        .map(|(entry, outcome)| Row {
            addition_id: addition.as_str().to_owned(),
            row_number: entry.number,
            entry: entry.text.clone(),
            email_key: entry.email_key.clone(),
            outcome: outcome.as_str().to_owned(),
        })
        .collect();
    insert_rows!(conn, &all, |block| diesel::insert_into(rows::table)
        .values(block));
    Ok(())
}

/// Looks a list up and keeps it until it is applied; nobody becomes a member yet. Lists that are old are forgotten.
///
/// # Errors
/// `NotFound` when there is no such group.
pub fn insert(
    conn: &mut AnyConn,
    addition: &AdditionId,
    group: &GroupId,
    origin: &str,
    entries: &[Entry],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    groups::get(conn, group)?;
    diesel::delete(additions::table.filter(additions::created_at.lt((now - KEPT).naive_utc())))
        .execute(conn)?;
    diesel::insert_into(additions::table)
        .values((
            additions::id.eq(addition.as_str()),
            additions::group_id.eq(group.as_str()),
            additions::origin.eq(origin),
            additions::created_at.eq(now.naive_utc()),
            additions::applied_at.eq(None::<NaiveDateTime>),
        ))
        .execute(conn)?;
    let (outcomes, _) = look_up(conn, group, entries)?;
    write_rows(conn, addition, entries, &outcomes)
}

/// A list of this group.
///
/// # Errors
/// `NotFound` when there is none, or it was forgotten.
pub fn get(
    conn: &mut AnyConn,
    group: &GroupId,
    addition: &AdditionId,
) -> Result<Addition, StoreError> {
    type Found = (String, NaiveDateTime, Option<NaiveDateTime>);
    let (origin, created_at, applied_at) = additions::table
        .find(addition.as_str())
        .filter(additions::group_id.eq(group.as_str()))
        .select((
            additions::origin,
            additions::created_at,
            additions::applied_at,
        ))
        .first::<Found>(conn)
        .optional()?
        .ok_or(StoreError::NotFound("list of addresses"))?;
    Ok(Addition {
        id: addition.clone(),
        group_id: group.clone(),
        origin,
        created_at: created_at.and_utc(),
        applied_at: applied_at.map(|at| at.and_utc()),
    })
}

/// How many entries have each outcome; all of them together are the list.
///
/// # Errors
/// As any query.
pub fn counts(
    conn: &mut AnyConn,
    addition: &AdditionId,
) -> Result<Vec<(AdditionOutcome, i64)>, StoreError> {
    let found: Vec<(String, i64)> = rows::table
        .filter(rows::addition_id.eq(addition.as_str()))
        .group_by(rows::outcome)
        .select((rows::outcome, diesel::dsl::count_star()))
        .load(conn)?;
    Ok(AdditionOutcome::ALL
        .iter()
        .map(|outcome| {
            let count = found.iter().find(|(word, _)| word == outcome.as_str());
            (*outcome, count.map_or(0, |(_, count)| *count))
        })
        .collect())
}

/// The entries with this outcome, or all, in their order, from `offset` on, at most `limit`.
///
/// # Errors
/// As any query.
pub fn list_rows(
    conn: &mut AnyConn,
    addition: &AdditionId,
    outcome: Option<AdditionOutcome>,
    offset: i64,
    limit: i64,
) -> Result<Vec<AdditionRow>, StoreError> {
    let mut query = rows::table
        .filter(rows::addition_id.eq(addition.as_str()))
        .order(rows::row_number.asc())
        .offset(offset)
        .limit(limit)
        .into_boxed();
    if let Some(outcome) = outcome {
        query = query.filter(rows::outcome.eq(outcome.as_str()));
    }
    query
        .load::<Row>(conn)?
        .into_iter()
        .map(AdditionRow::try_from)
        .collect()
}

/// Makes the people of a list members of its group, as it is now: users may have come and gone since it was looked up.
/// Returns those who are new; none when the list was applied before. `by` is who did it.
///
/// # Errors
/// `NotFound` when the list or its group is gone.
pub fn apply(
    conn: &mut AnyConn,
    group: &GroupId,
    addition: &AdditionId,
    by: Option<&UserId>,
    now: DateTime<Utc>,
) -> Result<Vec<UserId>, StoreError> {
    lock_rules(conn)?;
    if get(conn, group, addition)?.applied_at.is_some() {
        return Ok(Vec::new());
    }
    let (entries, before): (Vec<Entry>, Vec<AdditionOutcome>) =
        list_rows(conn, addition, None, 0, i64::MAX)?
            .into_iter()
            .map(|row| (row.entry, row.outcome))
            .unzip();
    let (outcomes, joining) = look_up(conn, group, &entries)?;
    if outcomes != before {
        diesel::delete(rows::table.filter(rows::addition_id.eq(addition.as_str())))
            .execute(conn)?;
        write_rows(conn, addition, &entries, &outcomes)?;
    }
    diesel::update(additions::table.find(addition.as_str()))
        .set(additions::applied_at.eq(Some(now.naive_utc())))
        .execute(conn)?;
    groups::add(conn, group, &joining, by, now)
}
