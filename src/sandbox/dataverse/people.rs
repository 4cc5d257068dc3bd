//! What people do in the organization itself: they change, hand over and delete records, with every privilege.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value};
use uuid::Uuid;

use super::exchange::Refusal;
use super::records::{self, Caller, Condition};
use super::state::Organization;
use super::targets::Target;

/// Makes or changes a record as a person would; the body is one of the Web API.
pub(super) fn change(
    organization: &Organization,
    table: &str,
    id: Uuid,
    body: &Map<String, Value>,
) -> Result<(), Refusal> {
    let caller = person(organization);
    let mut data = organization.change_data();
    let logical = logical(data.table(table), table)?;
    let target = Target::Id(id);
    data.together(|data| {
        records::upsert(data, logical, target, &Condition::None, body, &caller).map(|_| ())
    })
}

/// Deletes a record as a person would.
pub(super) fn delete(organization: &Organization, table: &str, id: Uuid) -> Result<(), Refusal> {
    let caller = person(organization);
    let mut data = organization.change_data();
    let logical = logical(data.table(table), table)?;
    records::delete(&mut data, logical, id, &caller)
}

fn logical(table: Option<&super::table::Table>, name: &str) -> Result<&'static str, Refusal> {
    table
        .map(|table| table.logical)
        .ok_or_else(|| Refusal::no_segment(name))
}

fn person(organization: &Organization) -> Caller {
    Caller {
        user: organization.known().person,
        now: organization.now(),
        lacks: Arc::new(BTreeSet::new()),
        key_build_ms: 0,
        duplicates: None,
        tracked_days: None,
    }
}
