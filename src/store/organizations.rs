//! Organizations: the destinations to which a profile's data is synced, confirmed by the person who authorises it.

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;

use super::columns::Cells;
use super::schema::organizations;
use super::{AnyConn, StoreError};
use crate::domain::ids::OrganizationId;

/// The kind of the portal's own organization.
pub const BUILT_IN: &str = "built_in";

/// An organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organization {
    /// Identifier.
    pub id: OrganizationId,
    /// Name on pages.
    pub name: String,
    /// What it is, in the schema's words.
    pub kind: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

#[derive(Queryable, Insertable)]
#[diesel(table_name = organizations)]
struct OrganizationRow {
    id: String,
    name: String,
    kind: String,
    created_at: NaiveDateTime,
    updated_at: NaiveDateTime,
    lock_version: i64,
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
            name: row.name,
            kind: row.kind,
            created_at: row.created_at.and_utc(),
        })
    }
}

/// Every organization, by name.
///
/// # Errors
/// As any query.
pub fn list(conn: &mut AnyConn) -> Result<Vec<Organization>, StoreError> {
    let rows: Vec<OrganizationRow> = organizations::table
        .order((organizations::name, organizations::id))
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
    if let Some(organization) = list(conn)?.into_iter().find(|one| one.kind == BUILT_IN) {
        return Ok(organization);
    }
    let organization = Organization {
        id: id.clone(),
        name: name.to_owned(),
        kind: BUILT_IN.to_owned(),
        created_at: now,
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
            kind: organization.kind.clone(),
            created_at: organization.created_at.naive_utc(),
            updated_at: organization.created_at.naive_utc(),
            lock_version: 1,
        })
        .execute(conn)?;
    Ok(())
}
