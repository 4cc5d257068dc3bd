//! Bound actions: many records in one request, and the qualification of a lead.

use serde_json::{Map, Value, json};

use super::cell::Cell;
use super::data::Data;
use super::exchange::{Answer, Ask, Refusal, Segment, segments};
use super::records::{self, Caller, Condition};
use super::routing::{known, there};
use super::table::Values;
use super::targets::{Target, no_key_record, target};

/// Carries an action out; the caller sees to it that a refusal undoes what it did.
pub(super) fn carried_out(
    data: &mut Data,
    logical: &'static str,
    first: &Segment,
    name: &str,
    ask: &Ask,
    caller: &Caller,
) -> Result<Answer, Refusal> {
    if ask.method != "POST" {
        return Err(Refusal::method());
    }
    match (first.key.as_deref(), name) {
        (None, "CreateMultiple") => {
            let mut ids = Vec::new();
            for target in targets(logical, ask)? {
                let id = records::create(data, logical, &target, caller, None, Values::new())?;
                ids.push(id.to_string());
            }
            let context = format!(
                "{}$metadata#Microsoft.Dynamics.CRM.CreateMultipleResponse",
                ask.root
            );
            let body = json!({ "@odata.context": context, "Ids": ids });
            Ok(Answer::json(200, &body).of_records(ids.len()))
        }
        (None, "UpdateMultiple") => {
            let targets = targets(logical, ask)?;
            let records = targets.len();
            for target in targets {
                match named(data, logical, &target, caller)? {
                    Target::Id(id) => {
                        records::update(data, logical, id, &target, caller, &Values::new())?;
                    }
                    Target::Key(values, Some(id)) => {
                        records::update(data, logical, id, &target, caller, &values)?;
                    }
                    Target::Key(_, None) => {
                        return Err(no_key_record(known(data, logical)?));
                    }
                }
            }
            Ok(Answer::nothing().of_records(records))
        }
        (None, "UpsertMultiple") => {
            let targets = targets(logical, ask)?;
            let records = targets.len();
            for target in targets {
                let address = named(data, logical, &target, caller)?;
                // Microsoft's own client met this: a key column in the body, too, fails where the record is made.
                if let Target::Key(values, None) = &address
                    && values.keys().any(|column| target.contains_key(&**column))
                {
                    return Err(Refusal::new(
                        400,
                        "0x80040216",
                        "An unexpected error occurred.",
                    ));
                }
                records::upsert(data, logical, address, &Condition::None, &target, caller)?;
            }
            Ok(Answer::nothing().of_records(records))
        }
        (Some(key), "QualifyLead") if logical == "lead" => qualify(data, key, ask, caller),
        _ => Err(Refusal::no_segment(&format!(
            "Microsoft.Dynamics.CRM.{name}"
        ))),
    }
}

/// The targets of a bulk message, each of the right type.
fn targets(logical: &str, ask: &Ask) -> Result<Vec<Map<String, Value>>, Refusal> {
    let Some(Value::Array(targets)) = ask.object()?.remove("Targets") else {
        return Err(Refusal::payload("'Targets' is missing"));
    };
    let wanted = format!("Microsoft.Dynamics.CRM.{logical}");
    targets
        .into_iter()
        .map(|target| match target {
            Value::Object(target) => {
                let kind = target.get("@odata.type").and_then(Value::as_str);
                if kind.map(|kind| kind.trim_start_matches('#')) == Some(wanted.as_str()) {
                    Ok(target)
                } else {
                    Err(Refusal::payload(&format!(
                        "'@odata.type' of a target has to be '{wanted}'"
                    )))
                }
            }
            _ => Err(Refusal::payload("a target is not an object")),
        })
        .collect()
}

/// The record that a target names: by `@odata.id`, or by its primary key.
fn named(
    data: &Data,
    logical: &'static str,
    body: &Map<String, Value>,
    caller: &Caller,
) -> Result<Target, Refusal> {
    let table = known(data, logical)?;
    let missing = || Refusal::payload("a target names no record");
    if let Some(address) = body.get("@odata.id").and_then(Value::as_str) {
        let last = segments(address).pop().ok_or_else(missing)?;
        let key = last
            .key
            .filter(|_| last.name == table.set)
            .ok_or_else(missing)?;
        return target(table, &key, caller.now);
    }
    let id = body
        .get(table.id_column)
        .and_then(Value::as_str)
        .ok_or_else(missing)?;
    target(table, id, caller.now)
}

/// Qualifies an open lead and makes the records that were asked for.
fn qualify(data: &mut Data, key: &str, ask: &Ask, caller: &Caller) -> Result<Answer, Refusal> {
    let body = ask.object()?;
    let asked = |name: &str| body.get(name).and_then(Value::as_bool).unwrap_or(false);
    let status = body
        .get("Status")
        .and_then(Value::as_i64)
        .ok_or_else(|| Refusal::payload("'Status' is missing"))?;
    let table = known(data, "lead")?;
    let id = there(table, key, caller)?;
    let lead = table
        .row(id)
        .map(|row| row.values.clone())
        .unwrap_or_default();
    if lead.get("statecode") != Some(&Cell::Whole(0)) {
        return Err(Refusal::new(
            400,
            "0x80040216",
            "The lead is already closed.",
        ));
    }
    let copied = |columns: &[(&str, &str)]| -> Map<String, Value> {
        columns
            .iter()
            .filter_map(|(from, to)| Some(((*to).to_owned(), lead.get(*from)?.json())))
            .collect()
    };
    let mut made = Vec::new();
    let mut links = Map::new();
    for (wanted, logical, set, link, values) in [
        (
            "CreateAccount",
            "account",
            "accounts",
            "parentaccountid",
            copied(&[("companyname", "name"), ("websiteurl", "websiteurl")]),
        ),
        (
            "CreateContact",
            "contact",
            "contacts",
            "parentcontactid",
            copied(&[
                ("firstname", "firstname"),
                ("lastname", "lastname"),
                ("emailaddress1", "emailaddress1"),
                ("jobtitle", "jobtitle"),
            ]),
        ),
        (
            "CreateOpportunity",
            "opportunity",
            "opportunities",
            "qualifyingopportunityid",
            copied(&[("subject", "name")]),
        ),
    ] {
        if !asked(wanted) {
            continue;
        }
        let mut values = values;
        if logical == "opportunity" {
            let origin = format!("/leads({id})");
            values.insert("originatingleadid@odata.bind".to_owned(), json!(origin));
        }
        let new = records::create(data, logical, &values, caller, None, Values::new())?;
        let id_column = known(data, logical)?.id_column;
        made.push(json!({
            "@odata.type": format!("#Microsoft.Dynamics.CRM.{logical}"), id_column: new.to_string(),
        }));
        links.insert(
            format!("{link}@odata.bind"),
            json!(format!("/{set}({new})")),
        );
    }
    links.insert("statecode".to_owned(), json!(1));
    links.insert(
        "statuscode".to_owned(),
        json!(if status == -1 { 3 } else { status }),
    );
    records::update(data, "lead", id, &links, caller, &Values::new())?;
    let context = format!("{}$metadata#Collection(crmbaseentity)", ask.root);
    Ok(Answer::json(
        200,
        &json!({ "@odata.context": context, "value": made }),
    ))
}
