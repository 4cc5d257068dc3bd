//! Creating, changing and deleting records: the checks of the service in its order, then the row.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::cell::{self, Cell};
use super::columns::Kind;
use super::data::Data;
use super::exchange::Refusal;
use super::table::{Row, Table, Values};
use super::targets::{Target, bound, no_key_record};

/// Who asks, and what holds for the request.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub(super) user: Uuid,
    pub(super) now: DateTime<Utc>,
    /// Privileges that the user lacks: `prvCreateLead`.
    pub(super) lacks: Arc<BTreeSet<String>>,
    /// For so many milliseconds a new alternate key is being built.
    pub(super) key_build_ms: i64,
    /// The duplicate rule is asked, and a hit has this status.
    pub(super) duplicates: Option<u16>,
    /// Changes are tracked, for so many days.
    pub(super) tracked_days: Option<i64>,
}

impl Caller {
    pub(super) fn must(&self, verb: &str, table: &Table) -> Result<(), Refusal> {
        self.must_have(
            &format!("prv{verb}{}", table.schema_name),
            table.object_type_code,
            table.logical,
        )
    }

    /// Refuses where the user lacks a privilege.
    pub(super) fn must_have(
        &self,
        privilege: &str,
        code: u32,
        entity: &str,
    ) -> Result<(), Refusal> {
        if !self.lacks.contains(privilege) {
            return Ok(());
        }
        Err(Refusal::new(
            403,
            "0x80040220",
            format!(
                "Principal user (Id={}, type=8, roleCount=1, privilegeCount=12, accessMode=4) is missing {privilege} privilege (Id={}) on OTC={code} for entity '{entity}'.",
                self.user,
                super::columns::name_id(privilege)
            ),
        ))
    }
}

/// On what a write depends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Condition {
    None,
    /// `If-None-Match: *`
    Absent,
    /// `If-Match: *`
    Present,
    /// `If-Match: W/"…"`
    Version(String),
}

/// The etag of a version.
pub(super) fn etag(version: u64) -> String {
    format!("W/\"{version}\"")
}

/// What a body changes.
#[derive(Debug, Default)]
struct Change {
    id: Option<Uuid>,
    cells: Vec<(Arc<str>, Option<Cell>)>,
    /// Tables that are pointed to, apart from the owner's.
    appended_to: BTreeSet<&'static str>,
    owner: bool,
}

fn read_change(
    data: &Data,
    table: &Table,
    body: &Map<String, Value>,
    creates: bool,
    now: DateTime<Utc>,
) -> Result<Change, Refusal> {
    let mut change = Change::default();
    for (property, value) in body {
        if let Some(navigation) = property.strip_suffix("@odata.bind") {
            let (column, tables) = table
                .navigation(navigation)
                .ok_or_else(|| undeclared(table, navigation))?;
            let cell = match value {
                Value::Null => None,
                Value::String(address) => Some(bound(data, &tables, address, now)?),
                _ => return Err(Refusal::payload(&format!("'{property}' is not an address"))),
            };
            if let Some(Cell::Reference(table, _)) = &cell {
                if matches!(column.kind, Kind::Lookup { owner: true, .. }) {
                    change.owner = true;
                } else {
                    change.appended_to.insert(table);
                }
            }
            change.cells.push((Arc::clone(&column.name), cell));
            continue;
        }
        if property.contains('@') {
            continue;
        }
        let column = table
            .column(property)
            .ok_or_else(|| undeclared(table, property))?;
        let cell = cell::read(table.logical, column, value)?;
        if matches!(column.kind, Kind::Id) {
            if let Some(Cell::Text(text)) = &cell {
                change.id = Uuid::try_parse(text).ok();
            }
            continue;
        }
        let writable = if creates {
            column.on_create
        } else {
            column.on_update
        };
        // What cannot be written is left out without a word, as the service does.
        if writable {
            change.cells.push((Arc::clone(&column.name), cell));
        }
    }
    Ok(change)
}

/// The marker is replaced by the code that the settings name.
pub(super) const UNDECLARED: &str = "undeclared";

fn undeclared(table: &Table, property: &str) -> Refusal {
    Refusal::new(
        400,
        UNDECLARED,
        format!(
            "An error occurred while validating input parameters: Microsoft.OData.ODataException: The property '{property}' does not exist on type 'Microsoft.Dynamics.CRM.{}'. Make sure to only use property names that are defined by the type.",
            table.logical
        ),
    )
}

/// Creates a record. `id` and `keyed` are what the address of an upsert says; the body wins over the key's values.
pub(super) fn create(
    data: &mut Data,
    logical: &'static str,
    body: &Map<String, Value>,
    caller: &Caller,
    id: Option<Uuid>,
    keyed: Values,
) -> Result<Uuid, Refusal> {
    let table = data
        .table(logical)
        .ok_or_else(|| Refusal::no_segment(logical))?;
    caller.must("Create", table)?;
    let change = read_change(data, table, body, true, caller.now)?;
    appending(data, table, &change, caller)?;
    let id = match id.or(change.id) {
        Some(id) if table.row(id).is_some() => return Err(exists()),
        Some(id) => id,
        None => data.new_id(),
    };
    let table = data
        .table(logical)
        .ok_or_else(|| Refusal::no_segment(logical))?;
    let mut values = defaults(data, table, caller);
    values.extend(keyed);
    for (name, cell) in change.cells {
        match cell {
            Some(cell) => values.insert(name, cell),
            None => values.remove(&name),
        };
    }
    settle_state(table, id, &mut values, false)?;
    if let Some(Cell::Time(then)) = values.get("overriddencreatedon").cloned() {
        values.insert(Arc::from("createdon"), Cell::Time(then));
    }
    derive(table, &mut values);
    no_duplicate(table, id, &values, caller)?;
    let version = data.next_version();
    data.put(logical, id, Some(Row { version, values }))?;
    Ok(id)
}

/// There is such a record already.
pub(super) fn exists() -> Refusal {
    Refusal::new(
        412,
        "0x80040237",
        "A record with matching key values already exists.",
    )
}

fn defaults(data: &Data, table: &Table, caller: &Caller) -> Values {
    let mut values = Values::new();
    let mut put = |name: &str, cell: Cell| {
        if let Some(column) = table.column(name) {
            values.insert(Arc::clone(&column.name), cell);
        }
    };
    let user = Cell::Reference("systemuser", caller.user);
    for name in ["ownerid", "createdby", "modifiedby"] {
        put(name, user.clone());
    }
    put(
        "owningbusinessunit",
        Cell::Reference("businessunit", data.known.business_unit),
    );
    for name in ["createdon", "modifiedon"] {
        put(name, Cell::Time(caller.now));
    }
    put("statecode", Cell::Whole(0));
    for name in [
        "donotemail",
        "donotbulkemail",
        "donotphone",
        "donotfax",
        "donotpostalmail",
        "donotsendmm",
    ] {
        put(name, Cell::Flag(false));
    }
    put("followemail", Cell::Flag(true));
    for name in [
        "prioritycode",
        "preferredcontactmethodcode",
        "salesstagecode",
    ] {
        put(name, Cell::Whole(1));
    }
    put("leadqualitycode", Cell::Whole(2));
    values
}

/// Changes a record that is there.
pub(super) fn update(
    data: &mut Data,
    logical: &'static str,
    id: Uuid,
    body: &Map<String, Value>,
    caller: &Caller,
    keyed: &Values,
) -> Result<(), Refusal> {
    let table = data
        .table(logical)
        .ok_or_else(|| Refusal::no_segment(logical))?;
    caller.must("Write", table)?;
    let change = read_change(data, table, body, false, caller.now)?;
    appending(data, table, &change, caller)?;
    let row = table
        .row(id)
        .ok_or_else(|| Refusal::no_record(logical, id))?;
    let mut values = row.values.clone();
    let mut state_given = false;
    for (name, cell) in change.cells {
        // The key's columns are what the address says, when the row is there.
        if keyed.contains_key(&name) {
            continue;
        }
        state_given |= *name == *"statecode" && !body.contains_key("statuscode");
        match cell {
            Some(cell) => values.insert(name, cell),
            None => {
                if table
                    .column(&name)
                    .is_some_and(|column| column.required == super::columns::Required::System)
                {
                    return Err(Refusal::payload(&format!("'{name}' cannot be null")));
                }
                values.remove(&name)
            }
        };
    }
    settle_state(table, id, &mut values, state_given)?;
    for (name, cell) in [
        ("modifiedon", Cell::Time(caller.now)),
        ("modifiedby", Cell::Reference("systemuser", caller.user)),
    ] {
        if let Some(column) = table.column(name) {
            values.insert(Arc::clone(&column.name), cell);
        }
    }
    derive(table, &mut values);
    no_duplicate(table, id, &values, caller)?;
    let version = data.next_version();
    data.put(logical, id, Some(Row { version, values }))
}

/// Deletes a record that is there.
pub(super) fn delete(
    data: &mut Data,
    logical: &'static str,
    id: Uuid,
    caller: &Caller,
) -> Result<(), Refusal> {
    let table = data
        .table(logical)
        .ok_or_else(|| Refusal::no_segment(logical))?;
    caller.must("Delete", table)?;
    if table.row(id).is_none() {
        return Err(Refusal::no_record(logical, id));
    }
    data.put(logical, id, None)
}

/// Checks a condition against what is there: `Ok(true)` when the record is there.
pub(super) fn checked(
    table: &Table,
    target: &Target,
    condition: &Condition,
) -> Result<bool, Refusal> {
    let row = target.id().and_then(|id| table.row(id));
    match (condition, row, target) {
        (Condition::Absent, Some(_), _) => Err(exists()),
        (Condition::Present | Condition::Version(_), None, Target::Id(id)) => {
            Err(Refusal::no_record(table.logical, *id))
        }
        (Condition::Present | Condition::Version(_), None, Target::Key(..)) => {
            Err(no_key_record(table))
        }
        (Condition::Version(wanted), Some(row), _) if *wanted != etag(row.version) => {
            Err(Refusal::new(
                412,
                "0x80060882",
                "The version of the existing record doesn't match the RowVersion property provided.",
            ))
        }
        (_, row, _) => Ok(row.is_some()),
    }
}

/// Creates or changes what the target names: its id, and whether it was created.
pub(super) fn upsert(
    data: &mut Data,
    logical: &'static str,
    target: Target,
    condition: &Condition,
    body: &Map<String, Value>,
    caller: &Caller,
) -> Result<(Uuid, bool), Refusal> {
    let table = data
        .table(logical)
        .ok_or_else(|| Refusal::no_segment(logical))?;
    let there = checked(table, &target, condition)?;
    match (target, there) {
        (Target::Id(id), true) => {
            update(data, logical, id, body, caller, &Values::new()).map(|()| (id, false))
        }
        (Target::Key(values, Some(id)), true) => {
            update(data, logical, id, body, caller, &values).map(|()| (id, false))
        }
        (Target::Id(id), false) => {
            create(data, logical, body, caller, Some(id), Values::new()).map(|id| (id, true))
        }
        (Target::Key(values, _), _) => {
            create(data, logical, body, caller, None, values).map(|id| (id, true))
        }
    }
}

fn appending(data: &Data, table: &Table, change: &Change, caller: &Caller) -> Result<(), Refusal> {
    if change.owner {
        caller.must("Assign", table)?;
    }
    if change.appended_to.is_empty() {
        return Ok(());
    }
    caller.must("Append", table)?;
    for name in &change.appended_to {
        if let Some(other) = data.table(name) {
            caller.must("AppendTo", other)?;
        }
    }
    Ok(())
}

/// The state and its reason have to fit; a state alone brings its default reason.
fn settle_state(
    table: &Table,
    id: Uuid,
    values: &mut Values,
    state_alone: bool,
) -> Result<(), Refusal> {
    let Some(Kind::Status { options }) = table.column("statuscode").map(|column| &column.kind)
    else {
        return Ok(());
    };
    let state = match values.get("statecode") {
        Some(Cell::Whole(state)) => *state,
        _ => 0,
    };
    let reason = match values.get("statuscode") {
        Some(Cell::Whole(reason)) if !state_alone => *reason,
        _ => {
            let default = options.iter().find(|(_, _, of)| *of == state);
            let reason = default.map_or(1, |(value, _, _)| *value);
            values.insert(Arc::from("statuscode"), Cell::Whole(reason));
            return Ok(());
        }
    };
    if options
        .iter()
        .any(|(value, _, of)| *value == reason && *of == state)
    {
        return Ok(());
    }
    Err(Refusal::new(
        400,
        "0x80048408",
        format!(
            "{reason} is not a valid status code for state code {state} on {} with Id {id}.",
            table.logical
        ),
    ))
}

/// Columns that the service computes.
fn derive(table: &Table, values: &mut Values) {
    if table.name_column != "fullname" || table.logical == "systemuser" {
        return;
    }
    let parts: Vec<String> = ["firstname", "lastname"]
        .iter()
        .filter_map(|name| match values.get(*name) {
            Some(Cell::Text(text)) => Some(text.clone()),
            _ => None,
        })
        .collect();
    if parts.is_empty() {
        values.remove("fullname");
    } else {
        values.insert(Arc::from("fullname"), Cell::Text(parts.join(" ")));
    }
}

fn no_duplicate(table: &Table, id: Uuid, values: &Values, caller: &Caller) -> Result<(), Refusal> {
    let Some(status) = caller.duplicates else {
        return Ok(());
    };
    let hit = values
        .get("emailaddress1")
        .and_then(|email| table.holding("emailaddress1", &email.index_key()))
        .is_some_and(|ids| ids.iter().any(|other| *other != id));
    if hit {
        return Err(Refusal::new(
            status,
            "0x80040333",
            "A record was not created or updated because a duplicate of the current record already exists.",
        ));
    }
    Ok(())
}
