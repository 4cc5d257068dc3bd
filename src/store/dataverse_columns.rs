//! The lead table of Dynamics 365 organizations: its columns, which part of a lead goes to which of them, and the key on one.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::columns::Cells;
use super::schema::dataverse_organizations as dynamics;
use super::{AnyConn, StoreError, dataverse_organizations, organizations};
use crate::domain::column_mapping::ColumnMapping;
use crate::domain::ids::OrganizationId;
use crate::domain::lead_column::LeadColumn;
use crate::domain::organization::KeyState;

/// Keeps the columns of the organization's lead table.
///
/// # Errors
/// As any query.
pub fn record(
    conn: &mut AnyConn,
    id: &OrganizationId,
    columns: &[LeadColumn],
    read_at: DateTime<Utc>,
) -> Result<(), StoreError> {
    let cells = Cells {
        table: "dataverse_organizations",
        id: id.as_str(),
    };
    let columns = serde_json::to_string(columns).map_err(|_| cells.corrupt("lead_columns"))?;
    diesel::update(dynamics::table.find(id.as_str()))
        .set((
            dynamics::lead_columns.eq(columns),
            dynamics::columns_read_at.eq(read_at.naive_utc()),
        ))
        .execute(conn)?;
    Ok(())
}

/// Which part of a lead goes to which column; as shipped where nobody changed it.
///
/// # Errors
/// `NotFound`, or as any query.
pub fn mapping(conn: &mut AnyConn, id: &OrganizationId) -> Result<ColumnMapping, StoreError> {
    let text: Option<Option<String>> = dynamics::table
        .find(id.as_str())
        .select(dynamics::column_mapping)
        .first(conn)
        .optional()?;
    let cells = Cells {
        table: "dataverse_organizations",
        id: id.as_str(),
    };
    match text.ok_or(StoreError::NotFound("organization"))? {
        Some(text) => cells.json("column_mapping", &text),
        None => Ok(ColumnMapping::shipped()),
    }
}

/// Changes which part of a lead goes to which column.
///
/// # Errors
/// `Stale`, `NotFound`.
pub fn set_mapping(
    conn: &mut AnyConn,
    id: &OrganizationId,
    expected: i64,
    mapping: &ColumnMapping,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let name = dataverse_organizations::get(conn, id)?.organization.name;
    organizations::change(conn, id, &name, expected, now)?;
    let cells = Cells {
        table: "dataverse_organizations",
        id: id.as_str(),
    };
    let text = serde_json::to_string(mapping).map_err(|_| cells.corrupt("column_mapping"))?;
    diesel::update(dynamics::table.find(id.as_str()))
        .set(dynamics::column_mapping.eq(text))
        .execute(conn)?;
    Ok(())
}

/// Keeps how far the organization has built the alternate key of the lead's id.
///
/// # Errors
/// As any query.
pub fn set_key_state(
    conn: &mut AnyConn,
    id: &OrganizationId,
    state: Option<KeyState>,
) -> Result<(), StoreError> {
    diesel::update(dynamics::table.find(id.as_str()))
        .set(dynamics::key_state.eq(state.map(KeyState::as_str)))
        .execute(conn)?;
    Ok(())
}

/// The columns of the organization's lead table, as the latest test read them; empty before the first.
///
/// # Errors
/// As any query.
pub fn of(conn: &mut AnyConn, id: &OrganizationId) -> Result<Vec<LeadColumn>, StoreError> {
    let text: Option<Option<String>> = dynamics::table
        .find(id.as_str())
        .select(dynamics::lead_columns)
        .first(conn)
        .optional()?;
    let cells = Cells {
        table: "dataverse_organizations",
        id: id.as_str(),
    };
    text.flatten()
        .map_or(Ok(Vec::new()), |text| cells.json("lead_columns", &text))
}
