//! Which piece of the Web API a path names.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::data::Data;
use super::exchange::{Answer, Ask, Refusal, Segment};
use super::records::{self, Caller, Condition, checked};
use super::state::Organization;
use super::table::{Table, Values};
use super::targets::{Target, no_key_record, target};
use super::{actions, changes, metadata, privileges, query};

/// Carries a request out: reads share the data, changes have it alone.
pub(super) fn answer(
    organization: &Organization,
    ask: &Ask,
    caller: &Caller,
) -> Result<Answer, Refusal> {
    if ask.method == "GET" {
        look(&organization.data(), ask, caller)
    } else {
        change(&mut organization.change_data(), ask, caller)
    }
}

fn look(data: &Data, ask: &Ask, caller: &Caller) -> Result<Answer, Refusal> {
    let [first, rest @ ..] = ask.segments.as_slice() else {
        return Ok(service_document(data, ask));
    };
    match (first.name.as_str(), rest) {
        ("WhoAmI", []) => return Ok(who_am_i(data, ask, caller)),
        ("$metadata", []) => {
            let what = "The sandbox does not do $metadata.";
            return Err(Refusal::new(501, "0x80040216", what));
        }
        ("EntityDefinitions" | "GlobalOptionSetDefinitions", _) => {
            return metadata::look(data, ask, first, rest, caller);
        }
        _ => {}
    }
    let table = known(data, logical(data, &first.name)?)?;
    if let [function] = rest
        && let Some(name) = function.name.strip_prefix(NAMESPACE)
    {
        return privileges::function(data, table, first, name, ask, caller);
    }
    caller.must("Read", table)?;
    match (first.key.as_deref(), rest) {
        (None, []) if changes::asked(ask) => changes::page(data, table, ask, caller),
        (None, []) => query::page(data, table, ask),
        (None, [piece]) if piece.name == "$count" => {
            let mut answer = Answer::nothing().with("content-type", "text/plain");
            answer.status = 200;
            let count = if changes::asked(ask) {
                changes::count(data, table, ask, caller)?
            } else {
                query::count(table, ask)?
            };
            answer.body = count.to_string().into_bytes();
            Ok(answer)
        }
        (Some(key), []) => query::single(data, table, there(table, key, caller)?, ask, 200),
        (Some(key), [property]) => {
            property_of(data, table, there(table, key, caller)?, &property.name, ask)
        }
        (_, [piece, ..]) => Err(Refusal::no_segment(&piece.name)),
    }
}

/// Carries a request out that is no GET.
pub(super) fn change(data: &mut Data, ask: &Ask, caller: &Caller) -> Result<Answer, Refusal> {
    let [first, rest @ ..] = ask.segments.as_slice() else {
        return Err(Refusal::method());
    };
    if first.name == "EntityDefinitions" {
        return metadata::change(data, ask, first, rest, caller);
    }
    let logical = logical(data, &first.name)?;
    if let [action] = rest
        && let Some(name) = action.name.strip_prefix(NAMESPACE)
    {
        return data.together(|data| actions::carried_out(data, logical, first, name, ask, caller));
    }
    match (ask.method.as_str(), first.key.as_deref(), rest) {
        ("POST", None, []) => create(data, logical, ask, caller),
        (_, Some(key), _) => record(data, ask, caller, logical, key, rest),
        (_, None, []) => Err(Refusal::method()),
        (_, None, [piece, ..]) => Err(Refusal::no_segment(&piece.name)),
    }
}

/// What stands before the names of bound actions and functions.
const NAMESPACE: &str = "Microsoft.Dynamics.CRM.";

pub(super) fn logical(data: &Data, set: &str) -> Result<&'static str, Refusal> {
    data.set(set)
        .map(|table| table.logical)
        .ok_or_else(|| Refusal::no_segment(set))
}

pub(super) fn known<'a>(data: &'a Data, logical: &str) -> Result<&'a Table, Refusal> {
    data.table(logical)
        .ok_or_else(|| Refusal::no_segment(logical))
}

fn service_document(data: &Data, ask: &Ask) -> Answer {
    let sets: Vec<Value> = data
        .tables()
        .map(|table| json!({ "name": table.set, "kind": "EntitySet", "url": table.set }))
        .collect();
    Answer::json(
        200,
        &json!({ "@odata.context": format!("{}$metadata", ask.root), "value": sets }),
    )
}

fn who_am_i(data: &Data, ask: &Ask, caller: &Caller) -> Answer {
    Answer::json(
        200,
        &json!({
            "@odata.context": format!("{}$metadata#Microsoft.Dynamics.CRM.WhoAmIResponse", ask.root),
            "BusinessUnitId": data.known.business_unit.to_string(),
            "UserId": caller.user.to_string(),
            "OrganizationId": data.known.organization.to_string(),
        }),
    )
}

fn create(
    data: &mut Data,
    logical: &'static str,
    ask: &Ask,
    caller: &Caller,
) -> Result<Answer, Refusal> {
    let body = ask.object()?;
    let id = records::create(data, logical, &body, caller, None, Values::new())?;
    let table = known(data, logical)?;
    if ask.wants_representation() {
        caller.must("Read", table)?;
        return query::single(data, table, id, ask, 201).map(represented);
    }
    Ok(named(&address(ask, table, &id.to_string())))
}

fn represented(answer: Answer) -> Answer {
    answer.with("preference-applied", "return=representation")
}

/// 204 with the record's address.
fn named(address: &str) -> Answer {
    Answer::nothing()
        .with("odata-entityid", address)
        .with("location", address)
}

fn address(ask: &Ask, table: &Table, key: &str) -> String {
    format!("{}{}({key})", ask.root, table.set)
}

fn condition(ask: &Ask) -> Condition {
    // `null` is Microsoft's own cache breaker and no condition.
    if ask.header("if-none-match") == Some("*") {
        return Condition::Absent;
    }
    match ask.header("if-match") {
        Some("*") => Condition::Present,
        Some(etag) => Condition::Version(etag.to_owned()),
        None => Condition::None,
    }
}

/// A change of one record, or of a property of it.
fn record(
    data: &mut Data,
    ask: &Ask,
    caller: &Caller,
    logical: &'static str,
    key: &str,
    rest: &[Segment],
) -> Result<Answer, Refusal> {
    match (ask.method.as_str(), rest) {
        ("PATCH", []) => upsert(data, ask, caller, logical, key),
        ("DELETE", []) => {
            let table = known(data, logical)?;
            let target = target(table, key, caller.now)?;
            checked(table, &target, &condition(ask))?;
            let id = there(table, key, caller)?;
            records::delete(data, logical, id, caller)?;
            Ok(Answer::nothing())
        }
        ("PUT", [property]) => {
            let value = ask
                .object()?
                .remove("value")
                .ok_or_else(|| Refusal::payload("'value' is missing"))?;
            set_property(data, caller, logical, key, &property.name, value)
        }
        ("DELETE", [property]) => {
            set_property(data, caller, logical, key, &property.name, Value::Null)
        }
        ("DELETE", [property, reference]) if reference.name == "$ref" => {
            let bind = format!("{}@odata.bind", property.name);
            set_property(data, caller, logical, key, &bind, Value::Null)
        }
        (_, []) => Err(Refusal::method()),
        (_, [piece, ..]) => Err(Refusal::no_segment(&piece.name)),
    }
}

/// The id of a record that is there.
pub(super) fn there(table: &Table, key: &str, caller: &Caller) -> Result<Uuid, Refusal> {
    match target(table, key, caller.now)? {
        Target::Id(id) if table.row(id).is_some() => Ok(id),
        Target::Id(id) => Err(Refusal::no_record(table.logical, id)),
        Target::Key(_, found) => found.ok_or_else(|| no_key_record(table)),
    }
}

fn property_of(
    data: &Data,
    table: &Table,
    id: Uuid,
    property: &str,
    ask: &Ask,
) -> Result<Answer, Refusal> {
    let row = table
        .row(id)
        .ok_or_else(|| Refusal::no_record(table.logical, id))?;
    let column = table
        .read_property(property)
        .ok_or_else(|| Refusal::no_segment(property))?;
    let mut object = query::record(data, table, id, row, &[column], ask);
    let value = object.remove(&column.property()).unwrap_or(Value::Null);
    if value.is_null() {
        return Ok(Answer::nothing());
    }
    let context = format!("{}$metadata#{}({id})/{property}", ask.root, table.set);
    Ok(Answer::json(
        200,
        &json!({ "@odata.context": context, "value": value }),
    ))
}

fn upsert(
    data: &mut Data,
    ask: &Ask,
    caller: &Caller,
    logical: &'static str,
    key: &str,
) -> Result<Answer, Refusal> {
    let body = ask.object()?;
    let table = known(data, logical)?;
    let target = target(table, key, caller.now)?;
    let (id, created) = records::upsert(data, logical, target, &condition(ask), &body, caller)?;
    let table = known(data, logical)?;
    if ask.wants_representation() {
        caller.must("Read", table)?;
        let status = if created { 201 } else { 200 };
        return query::single(data, table, id, ask, status).map(represented);
    }
    // The address that was asked for, also where it names an alternate key.
    Ok(named(&address(ask, table, key)))
}

fn set_property(
    data: &mut Data,
    caller: &Caller,
    logical: &'static str,
    key: &str,
    property: &str,
    value: Value,
) -> Result<Answer, Refusal> {
    let id = there(known(data, logical)?, key, caller)?;
    let body: Map<String, Value> = [(property.to_owned(), value)].into_iter().collect();
    records::update(data, logical, id, &body, caller, &Values::new())?;
    Ok(Answer::nothing())
}
