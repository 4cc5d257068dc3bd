//! Organizations: the destinations to which a profile's data is synced, confirmed by the person who authorises it.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;

use super::columns::{Cells, id};
use super::schema::{linkedin_user_profiles as profiles, organizations};
use super::{AnyConn, StoreError, lock_rules};
use crate::domain::ids::{OrganizationId, ProfileId};
use crate::domain::normalise;
use crate::domain::organization::OrganizationKind;

/// An organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organization {
    /// Identifier.
    pub id: OrganizationId,
    /// Name on pages.
    pub name: String,
    /// What it is.
    pub kind: OrganizationKind,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Counts changes, for optimistic locking.
    pub lock_version: i64,
}

#[derive(Queryable, Insertable)]
#[diesel(table_name = organizations)]
struct OrganizationRow {
    id: String,
    name: String,
    created_at: NaiveDateTime,
    updated_at: NaiveDateTime,
    lock_version: i64,
    kind: String,
}

impl TryFrom<OrganizationRow> for Organization {
    type Error = StoreError;

    fn try_from(row: OrganizationRow) -> Result<Self, StoreError> {
        let cells = Cells {
            table: "organizations",
            id: &row.id,
        };
        Ok(Self {
            id: cells.word("id", &row.id)?,
            kind: cells.word("kind", &row.kind)?,
            name: row.name,
            created_at: row.created_at.and_utc(),
            lock_version: row.lock_version,
        })
    }
}

/// Every organization: the built-in one first, then by name.
///
/// # Errors
/// As any query.
pub fn list(conn: &mut AnyConn) -> Result<Vec<Organization>, StoreError> {
    let rows: Vec<OrganizationRow> = organizations::table
        .order((organizations::kind, organizations::name, organizations::id))
        .load(conn)?;
    rows.into_iter().map(Organization::try_from).collect()
}

/// One organization.
///
/// # Errors
/// As any query.
pub fn find(conn: &mut AnyConn, id: &OrganizationId) -> Result<Option<Organization>, StoreError> {
    let row: Option<OrganizationRow> = organizations::table
        .find(id.as_str())
        .first(conn)
        .optional()?;
    row.map(Organization::try_from).transpose()
}

/// The organization that this portal itself is; made with `id` when it is not there yet.
///
/// # Errors
/// As any query.
pub fn built_in(
    conn: &mut AnyConn,
    now: DateTime<Utc>,
    id: &OrganizationId,
    name: &str,
) -> Result<Organization, StoreError> {
    if let Some(organization) = list(conn)?
        .into_iter()
        .find(|one| one.kind == OrganizationKind::BuiltIn)
    {
        return Ok(organization);
    }
    let organization = Organization {
        id: id.clone(),
        name: name.to_owned(),
        kind: OrganizationKind::BuiltIn,
        created_at: now,
        lock_version: 1,
    };
    insert(conn, &organization)?;
    Ok(organization)
}

/// Adds an organization.
///
/// # Errors
/// As any query.
pub fn insert(conn: &mut AnyConn, organization: &Organization) -> Result<(), StoreError> {
    diesel::insert_into(organizations::table)
        .values(OrganizationRow {
            id: organization.id.as_str().to_owned(),
            name: organization.name.clone(),
            kind: organization.kind.as_str().to_owned(),
            created_at: organization.created_at.naive_utc(),
            updated_at: organization.created_at.naive_utc(),
            lock_version: organization.lock_version,
        })
        .execute(conn)?;
    Ok(())
}

/// Counts a change that somebody makes after reading version `expected`, and gives the organization its name.
///
/// # Errors
/// `Rule` when another organization has the name, `Stale` when it changed since, `NotFound` when it is gone.
pub fn change(
    conn: &mut AnyConn,
    id: &OrganizationId,
    name: &str,
    expected: i64,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    check_name_free(conn, name, Some(id))?;
    let changed = diesel::update(organizations::table.find(id.as_str()))
        .filter(organizations::lock_version.eq(expected))
        .set((
            organizations::name.eq(name),
            organizations::updated_at.eq(now.naive_utc()),
            organizations::lock_version.eq(expected + 1),
        ))
        .execute(conn)?;
    if changed == 0 {
        find(conn, id)?.ok_or(StoreError::NotFound("organization"))?;
        return Err(StoreError::Stale("organization"));
    }
    Ok(())
}

/// Refuses a name that another organization has, without regard to case and white space: people choose by it.
///
/// # Errors
/// `Rule`.
pub fn check_name_free(
    conn: &mut AnyConn,
    name: &str,
    own: Option<&OrganizationId>,
) -> Result<(), StoreError> {
    lock_rules(conn)?;
    let is_taken = list(conn)?.iter().any(|other| {
        Some(&other.id) != own && normalise::text(&other.name) == normalise::text(name)
    });
    if is_taken {
        return Err(StoreError::Rule(
            "Another organization has this name already. Choose a different one.".to_owned(),
        ));
    }
    Ok(())
}

/// The profiles that sync to each organization.
///
/// # Errors
/// As any query.
pub fn profiles_by_organization(
    conn: &mut AnyConn,
) -> Result<HashMap<OrganizationId, Vec<(ProfileId, String)>>, StoreError> {
    let rows: Vec<(Option<String>, String, String)> = profiles::table
        .filter(profiles::organization_id.is_not_null())
        .order((profiles::name, profiles::id))
        .select((profiles::organization_id, profiles::id, profiles::name))
        .load(conn)?;
    let mut found: HashMap<OrganizationId, Vec<(ProfileId, String)>> = HashMap::new();
    for (organization, profile, name) in rows {
        if let Some(organization) = organization {
            found
                .entry(id("linkedin_user_profiles", &organization)?)
                .or_default()
                .push((id("linkedin_user_profiles", &profile)?, name));
        }
    }
    Ok(found)
}
