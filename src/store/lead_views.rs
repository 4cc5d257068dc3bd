//! Saved views: filters of the list of leads that people gave a name.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::columns::Cells;
use super::schema::{lead_views, users};
use super::{AnyConn, StoreError};
use crate::domain::ids::{UserId, ViewId};
use crate::domain::normalise;

/// The most views of one person.
const MAX_VIEWS: i64 = 50;
/// The most characters of a name.
pub const MAX_NAME: usize = 60;

/// A saved view.
#[derive(Debug, Clone)]
pub struct LeadView {
    /// Its identifier.
    pub id: ViewId,
    /// Whose it is.
    pub user_id: UserId,
    /// The name of that person.
    pub user_name: String,
    /// What the person calls it.
    pub name: String,
    /// The filter and the order, as they stand in an address.
    pub query: String,
    /// Whether everybody sees it.
    pub is_shared: bool,
}

type Row = (String, String, String, String, String, bool);

fn view((id, user_id, user_name, name, query, is_shared): Row) -> Result<LeadView, StoreError> {
    let cells = Cells {
        table: "lead_views",
        id: &id,
    };
    Ok(LeadView {
        id: cells.word("id", &id)?,
        user_id: cells.word("user_id", &user_id)?,
        user_name,
        name,
        query,
        is_shared,
    })
}

macro_rules! view_columns {
    () => {
        (
            lead_views::id,
            lead_views::user_id,
            users::name,
            lead_views::name,
            lead_views::query,
            lead_views::is_shared,
        )
    };
}

/// The views that a person sees: own ones and shared ones, by name, at most 100.
///
/// # Errors
/// As any query.
pub fn seen_by(conn: &mut AnyConn, user: &UserId) -> Result<Vec<LeadView>, StoreError> {
    lead_views::table
        .inner_join(users::table)
        .filter(
            lead_views::user_id
                .eq(user.as_str())
                .or(lead_views::is_shared.eq(true)),
        )
        .order((lead_views::name_key.asc(), lead_views::id.asc()))
        .select(view_columns!())
        .limit(100)
        .load::<Row>(conn)?
        .into_iter()
        .map(view)
        .collect()
}

/// A view that a person may change: an own one, or a shared one for those who manage them.
///
/// # Errors
/// `NotFound` for every other.
pub fn changeable(
    conn: &mut AnyConn,
    id: &ViewId,
    user: &UserId,
    manages_shared: bool,
) -> Result<LeadView, StoreError> {
    let found: Option<Row> = lead_views::table
        .inner_join(users::table)
        .filter(lead_views::id.eq(id.as_str()))
        .select(view_columns!())
        .first(conn)
        .optional()?;
    let found = view(found.ok_or(StoreError::NotFound("view"))?)?;
    if found.user_id == *user || (found.is_shared && manages_shared) {
        Ok(found)
    } else {
        Err(StoreError::NotFound("view"))
    }
}

fn key(name: &str) -> Result<String, StoreError> {
    match normalise::text(name) {
        None => Err(StoreError::Rule("Enter a name for the view.".to_owned())),
        Some(_) if name.trim().chars().count() > MAX_NAME => Err(StoreError::Rule(format!(
            "A name may have at most {MAX_NAME} characters."
        ))),
        Some(key) => Ok(key),
    }
}

fn is_taken(
    conn: &mut AnyConn,
    user: &UserId,
    key: &str,
    except: &ViewId,
) -> Result<(), StoreError> {
    let other: Option<String> = lead_views::table
        .filter(lead_views::user_id.eq(user.as_str()))
        .filter(lead_views::name_key.eq(key))
        .filter(lead_views::id.ne(except.as_str()))
        .select(lead_views::id)
        .first(conn)
        .optional()?;
    match other {
        None => Ok(()),
        Some(_) => Err(StoreError::Rule(
            "Another view of yours has this name already. Choose a different one.".to_owned(),
        )),
    }
}

/// Saves a new view.
///
/// # Errors
/// `Rule` for a name that is blank, too long or taken, and for too many views.
pub fn insert(conn: &mut AnyConn, new: &LeadView, now: DateTime<Utc>) -> Result<(), StoreError> {
    let name_key = key(&new.name)?;
    is_taken(conn, &new.user_id, &name_key, &new.id)?;
    let own: i64 = lead_views::table
        .filter(lead_views::user_id.eq(new.user_id.as_str()))
        .count()
        .get_result(conn)?;
    if own >= MAX_VIEWS {
        return Err(StoreError::Rule(format!(
            "You have {MAX_VIEWS} views, which is the most. Delete one that you no longer need."
        )));
    }
    diesel::insert_into(lead_views::table)
        .values((
            lead_views::id.eq(new.id.as_str()),
            lead_views::user_id.eq(new.user_id.as_str()),
            lead_views::name.eq(new.name.trim()),
            lead_views::name_key.eq(name_key),
            lead_views::query.eq(&new.query),
            lead_views::is_shared.eq(new.is_shared),
            lead_views::created_at.eq(now.naive_utc()),
            lead_views::updated_at.eq(now.naive_utc()),
            lead_views::lock_version.eq(0),
        ))
        .execute(conn)?;
    Ok(())
}

/// Saves the name of a view and whether it is shared.
///
/// # Errors
/// `Rule` for a name that is blank, too long or taken.
pub fn save(conn: &mut AnyConn, changed: &LeadView, now: DateTime<Utc>) -> Result<(), StoreError> {
    let name_key = key(&changed.name)?;
    is_taken(conn, &changed.user_id, &name_key, &changed.id)?;
    diesel::update(lead_views::table.find(changed.id.as_str()))
        .set((
            lead_views::name.eq(changed.name.trim()),
            lead_views::name_key.eq(name_key),
            lead_views::is_shared.eq(changed.is_shared),
            lead_views::updated_at.eq(now.naive_utc()),
            lead_views::lock_version.eq(lead_views::lock_version + 1),
        ))
        .execute(conn)?;
    Ok(())
}

/// Deletes a view.
///
/// # Errors
/// As any query.
pub fn delete(conn: &mut AnyConn, id: &ViewId) -> Result<(), StoreError> {
    diesel::delete(lead_views::table.find(id.as_str())).execute(conn)?;
    Ok(())
}
