//! Groups of users and who is in them.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;

use super::audit::Actor;
use super::columns::{id, lower, search_patterns};
use super::schema::{group_members as members, groups, users};
use super::{AnyConn, StoreError, connections, lock_rules};
use crate::domain::groups::GroupName;
use crate::domain::ids::{GroupId, UserId};
use crate::insert_rows;

/// Users per statement.
const CHUNK: usize = 1_000;

/// A group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Identifier.
    pub id: GroupId,
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When its name last changed.
    pub updated_at: DateTime<Utc>,
    /// Counts changes of the name, for optimistic locking.
    pub lock_version: i64,
}

/// A group as the list shows it.
#[derive(Debug, Clone)]
pub struct GroupListed {
    /// The group.
    pub group: Group,
    /// How many users are in it.
    pub member_count: i64,
    /// How many of them may sign in.
    pub enabled_count: i64,
}

/// A user in a group.
#[derive(Debug, Clone)]
pub struct Member {
    /// Who.
    pub user_id: UserId,
    /// The person's name.
    pub name: String,
    /// The person's address.
    pub email: String,
    /// Whether the person may sign in.
    pub is_enabled: bool,
    /// Since when.
    pub added_at: DateTime<Utc>,
    /// Who added the person, as far as that is a user still.
    pub added_by: Option<String>,
}

#[derive(Queryable)]
struct GroupRow {
    id: String,
    name: String,
    _name_key: String,
    created_at: NaiveDateTime,
    updated_at: NaiveDateTime,
    lock_version: i64,
}

impl TryFrom<GroupRow> for Group {
    type Error = StoreError;

    fn try_from(row: GroupRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: id("groups", &row.id)?,
            name: row.name,
            created_at: row.created_at.and_utc(),
            updated_at: row.updated_at.and_utc(),
            lock_version: row.lock_version,
        })
    }
}

/// Every group by name, with the number of its members.
///
/// # Errors
/// As any query.
pub fn list(conn: &mut AnyConn) -> Result<Vec<GroupListed>, StoreError> {
    let rows: Vec<GroupRow> = groups::table
        .order((groups::name_key.asc(), groups::id.asc()))
        .load(conn)?;
    let all = members::table
        .group_by(members::group_id)
        .select((members::group_id, diesel::dsl::count_star()))
        .load::<(String, i64)>(conn)?;
    let disabled = members::table
        .inner_join(users::table)
        .filter(users::is_enabled.eq(false))
        .group_by(members::group_id)
        .select((members::group_id, diesel::dsl::count_star()))
        .load::<(String, i64)>(conn)?;
    let count = |counts: &[(String, i64)], id: &str| {
        let known = counts.iter().find(|(group, _)| group == id);
        known.map_or(0, |(_, count)| *count)
    };
    rows.into_iter()
        .map(|row| {
            let member_count = count(&all, &row.id);
            Ok(GroupListed {
                member_count,
                enabled_count: member_count - count(&disabled, &row.id),
                group: row.try_into()?,
            })
        })
        .collect()
}

/// The group, if there is one.
///
/// # Errors
/// As any query.
pub fn find(conn: &mut AnyConn, group: &GroupId) -> Result<Option<Group>, StoreError> {
    groups::table
        .find(group.as_str())
        .first::<GroupRow>(conn)
        .optional()?
        .map(Group::try_from)
        .transpose()
}

/// One group that must exist.
///
/// # Errors
/// `NotFound`, or as any query.
pub fn get(conn: &mut AnyConn, group: &GroupId) -> Result<Group, StoreError> {
    find(conn, group)?.ok_or(StoreError::NotFound("group"))
}

/// Adds a group.
///
/// # Errors
/// `Rule` when another group has the name.
pub fn insert(
    conn: &mut AnyConn,
    group: &GroupId,
    name: &GroupName,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    check_free(conn, name, None)?;
    diesel::insert_into(groups::table)
        .values((
            groups::id.eq(group.as_str()),
            groups::name.eq(name.as_str()),
            groups::name_key.eq(name.key()),
            groups::created_at.eq(now.naive_utc()),
            groups::updated_at.eq(now.naive_utc()),
            groups::lock_version.eq(0_i64),
        ))
        .execute(conn)?;
    Ok(())
}

fn check_free(
    conn: &mut AnyConn,
    name: &GroupName,
    own: Option<&GroupId>,
) -> Result<(), StoreError> {
    lock_rules(conn)?;
    let holder: Option<String> = groups::table
        .filter(groups::name_key.eq(name.key()))
        .select(groups::id)
        .first(conn)
        .optional()?;
    match holder {
        Some(holder) if own.is_none_or(|own| own.as_str() != holder) => Err(StoreError::Rule(
            "Another group has this name already. Choose a different one.".to_owned(),
        )),
        _ => Ok(()),
    }
}

/// Gives a group another name; `expected` is the version that the person read.
///
/// # Errors
/// `Rule` when another group has the name, `Stale` when it changed since, `NotFound` when it is gone.
pub fn rename(
    conn: &mut AnyConn,
    group: &GroupId,
    name: &GroupName,
    expected: i64,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    check_free(conn, name, Some(group))?;
    let changed = diesel::update(groups::table.find(group.as_str()))
        .filter(groups::lock_version.eq(expected))
        .set((
            groups::name.eq(name.as_str()),
            groups::name_key.eq(name.key()),
            groups::updated_at.eq(now.naive_utc()),
            groups::lock_version.eq(expected + 1),
        ))
        .execute(conn)?;
    if changed == 0 {
        get(conn, group)?;
        return Err(StoreError::Stale("group"));
    }
    Ok(())
}

/// Deletes a group with its memberships; the users stay.
///
/// # Errors
/// `Stale` when it changed since, `NotFound` when it is gone, `InUse` while a setting refers to it.
pub fn delete(conn: &mut AnyConn, group: &GroupId, expected: i64) -> Result<(), StoreError> {
    lock_rules(conn)?;
    if get(conn, group)?.lock_version != expected {
        return Err(StoreError::Stale("group"));
    }
    connections::check_not_selected(conn, group)?;
    diesel::delete(groups::table.find(group.as_str())).execute(conn)?;
    Ok(())
}

/// Whether the user is in the group, enabled or not.
///
/// # Errors
/// As any query.
pub fn is_member(conn: &mut AnyConn, group: &GroupId, user: &UserId) -> Result<bool, StoreError> {
    Ok(members::table
        .find((group.as_str(), user.as_str()))
        .select(members::user_id)
        .first::<String>(conn)
        .optional()?
        .is_some())
}

/// Everybody in the group, enabled or not.
///
/// # Errors
/// As any query.
pub fn member_ids(conn: &mut AnyConn, group: &GroupId) -> Result<HashSet<UserId>, StoreError> {
    members::table
        .filter(members::group_id.eq(group.as_str()))
        .select(members::user_id)
        .load::<String>(conn)?
        .iter()
        .map(|user| id("group_members", user))
        .collect()
}

/// The groups that a user is in, by name.
///
/// # Errors
/// As any query.
pub fn of_user(conn: &mut AnyConn, user: &UserId) -> Result<Vec<Group>, StoreError> {
    groups::table
        .inner_join(members::table)
        .filter(members::user_id.eq(user.as_str()))
        .order((groups::name_key.asc(), groups::id.asc()))
        .select(groups::all_columns)
        .load::<GroupRow>(conn)?
        .into_iter()
        .map(Group::try_from)
        .collect()
}

/// Adds a boxed query's conditions: the group, and every word of the search in name or address.
macro_rules! searched {
    ($query:ident, $search:expr) => {
        for pattern in search_patterns($search) {
            $query = $query.filter(
                lower(users::name.nullable())
                    .like(pattern.clone())
                    .escape('\\')
                    .or(users::email_key.nullable().like(pattern).escape('\\')),
            );
        }
    };
}

/// The members whose name or address has every word of `search`, by name, from `offset` on, at most `limit`.
///
/// # Errors
/// As any query.
pub fn list_members(
    conn: &mut AnyConn,
    group: &GroupId,
    search: &str,
    offset: i64,
    limit: i64,
) -> Result<Vec<Member>, StoreError> {
    let mut query = members::table
        .inner_join(users::table)
        .filter(members::group_id.eq(group.as_str()))
        .order((users::name.asc(), users::id.asc()))
        .select((
            users::id,
            users::name,
            users::email,
            users::is_enabled,
            members::added_at,
            members::added_by,
        ))
        .offset(offset)
        .limit(limit)
        .into_boxed();
    searched!(query, search);
    type Row = (String, String, String, bool, NaiveDateTime, Option<String>);
    let rows: Vec<Row> = query.load(conn)?;
    let mut adders: Vec<&str> = rows.iter().filter_map(|row| row.5.as_deref()).collect();
    adders.sort_unstable();
    adders.dedup();
    let names: HashMap<String, String> = users::table
        .filter(users::id.eq_any(adders))
        .select((users::id, users::name))
        .load(conn)?
        .into_iter()
        .collect();
    rows.into_iter()
        .map(|(user, name, email, is_enabled, added_at, added_by)| {
            Ok(Member {
                user_id: id("group_members", &user)?,
                name,
                email,
                is_enabled,
                added_at: added_at.and_utc(),
                added_by: added_by.and_then(|by| names.get(&by).cloned()),
            })
        })
        .collect()
}

/// How many members [`list_members`] would give in all.
///
/// # Errors
/// As any query.
pub fn count_members(conn: &mut AnyConn, group: &GroupId, search: &str) -> Result<i64, StoreError> {
    let mut query = members::table
        .inner_join(users::table)
        .filter(members::group_id.eq(group.as_str()))
        .select(diesel::dsl::count_star())
        .into_boxed();
    searched!(query, search);
    Ok(query.first(conn)?)
}

#[derive(Insertable)]
#[diesel(table_name = members)]
struct NewMember {
    group_id: String,
    user_id: String,
    added_at: NaiveDateTime,
    added_by: Option<String>,
}

/// Adds users to a group, set-based; who is in it already stays so. Returns those who are new. `by` is who did it.
///
/// # Errors
/// As any query; also when a user or the group is gone.
pub fn add(
    conn: &mut AnyConn,
    group: &GroupId,
    user_ids: &[UserId],
    by: Option<&UserId>,
    now: DateTime<Utc>,
) -> Result<Vec<UserId>, StoreError> {
    lock_rules(conn)?;
    let mut known = member_ids(conn, group)?;
    let fresh: Vec<UserId> = user_ids
        .iter()
        .filter(|user| known.insert((*user).clone()))
        .cloned()
        .collect();
    let rows: Vec<NewMember> = fresh
        .iter()
        .map(|user| NewMember {
            group_id: group.as_str().to_owned(),
            user_id: user.as_str().to_owned(),
            added_at: now.naive_utc(),
            added_by: by.map(|by| by.as_str().to_owned()),
        })
        .collect();
    insert_rows!(conn, &rows, |block| diesel::insert_into(members::table)
        .values(block));
    Ok(fresh)
}

/// Takes users out of a group; returns how many were in it. Who leaves the selected group loses the right to read LinkedIn,
/// and with it the consent, in this transaction and as the act of `actor`.
///
/// # Errors
/// As any query.
pub fn remove(
    conn: &mut AnyConn,
    group: &GroupId,
    user_ids: &[UserId],
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<usize, StoreError> {
    let mut removed = 0;
    for chunk in user_ids.chunks(CHUNK) {
        removed += diesel::delete(
            members::table
                .filter(members::group_id.eq(group.as_str()))
                .filter(members::user_id.eq_any(chunk.iter().map(UserId::as_str))),
        )
        .execute(conn)?;
    }
    connections::withdraw_for(conn, user_ids, actor, now)?;
    Ok(removed)
}
