//! What a user may do, as the organization's functions tell it.

use serde_json::{Value, json};

use super::columns::name_id;
use super::data::Data;
use super::exchange::{Answer, Ask, Refusal, Segment, segments};
use super::records::Caller;
use super::routing::{known, logical, there};
use super::table::Table;

/// What can be done with a record, and how an access right calls it.
const VERBS: &[(&str, &str)] = &[
    ("Create", "CreateAccess"),
    ("Read", "ReadAccess"),
    ("Write", "WriteAccess"),
    ("Delete", "DeleteAccess"),
    ("Append", "AppendAccess"),
    ("AppendTo", "AppendToAccess"),
    ("Assign", "AssignAccess"),
];

/// Privileges on the definitions of tables.
const OF_DEFINITIONS: &[&str] = &[
    "prvReadEntity",
    "prvReadAttribute",
    "prvCreateAttribute",
    "prvWriteAttribute",
];

/// Answers a function that is bound to a record.
pub(super) fn function(
    data: &Data,
    table: &Table,
    first: &Segment,
    name: &str,
    ask: &Ask,
    caller: &Caller,
) -> Result<Answer, Refusal> {
    if table.logical != "systemuser" {
        return Err(Refusal::no_segment(name));
    }
    there(table, first.key.as_deref().unwrap_or_default(), caller)?;
    match name {
        "RetrieveUserPrivileges" => Ok(all(data, ask, caller)),
        "RetrievePrincipalAccess" => access(data, ask, caller),
        _ => Err(Refusal::no_segment(name)),
    }
}

fn all(data: &Data, ask: &Ask, caller: &Caller) -> Answer {
    let of_tables = data.tables().flat_map(|table| {
        VERBS
            .iter()
            .map(move |(verb, _)| format!("prv{verb}{}", table.schema_name))
    });
    let privileges: Vec<Value> = of_tables
        .chain(OF_DEFINITIONS.iter().map(|name| (*name).to_owned()))
        .filter(|name| !caller.lacks.contains(name))
        .map(|name| {
            json!({
                "Depth": "Global",
                "PrivilegeId": name_id(&name).to_string(),
                "BusinessUnitId": data.known.business_unit.to_string(),
                "PrivilegeName": name,
                "RecordFilterId": "00000000-0000-0000-0000-000000000000",
            })
        })
        .collect();
    let context = format!(
        "{}$metadata#Microsoft.Dynamics.CRM.RetrieveUserPrivilegesResponse",
        ask.root
    );
    Answer::json(
        200,
        &json!({ "@odata.context": context, "RolePrivileges": privileges }),
    )
}

/// `RetrievePrincipalAccess(Target=@t)?@t={'@odata.id':'leads(…)'}`
fn access(data: &Data, ask: &Ask, caller: &Caller) -> Result<Answer, Refusal> {
    let wrong = || Refusal::query("The parameter 'Target' is missing.");
    let target = ask
        .query
        .iter()
        .find(|(name, _)| name.starts_with('@'))
        .map(|(_, value)| value.replace('\'', "\""))
        .and_then(|text| serde_json::from_str::<Value>(&text).ok())
        .ok_or_else(wrong)?;
    let address = target
        .get("@odata.id")
        .and_then(Value::as_str)
        .ok_or_else(wrong)?;
    let last = segments(address).pop().ok_or_else(wrong)?;
    let table = known(data, logical(data, &last.name)?)?;
    there(table, last.key.as_deref().unwrap_or_default(), caller)?;
    let rights: Vec<&str> = VERBS
        .iter()
        .filter(|(verb, _)| caller.must(verb, table).is_ok())
        .map(|(_, right)| *right)
        .collect();
    let rights = if rights.is_empty() {
        "None".to_owned()
    } else {
        rights.join(", ")
    };
    let context = format!(
        "{}$metadata#Microsoft.Dynamics.CRM.RetrievePrincipalAccessResponse",
        ask.root
    );
    Ok(Answer::json(
        200,
        &json!({ "@odata.context": context, "AccessRights": rights }),
    ))
}
