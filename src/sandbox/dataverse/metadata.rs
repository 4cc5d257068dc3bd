//! The definitions of tables: read, filtered, and extended by columns and alternate keys.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::columns::{Column, Kind};
use super::data::Data;
use super::exchange::{Answer, Ask, Refusal, Segment};
use super::metadata_json as written;
use super::records::Caller;
use super::table::Table;

/// What stands before the name of a definition's class.
const NAMESPACE: &str = "Microsoft.Dynamics.CRM.";

/// Most alternate keys of a table, and most columns of a key.
const KEYS: usize = 10;
const KEY_COLUMNS: usize = 16;

/// Answers a GET.
pub(super) fn look(
    data: &Data,
    ask: &Ask,
    first: &Segment,
    rest: &[Segment],
    caller: &Caller,
) -> Result<Answer, Refusal> {
    caller.must_have("prvReadEntity", 9800, "entity")?;
    if first.name == "GlobalOptionSetDefinitions" {
        return collection(ask, "GlobalOptionSetDefinitions", Vec::new());
    }
    let is_tracked = caller.tracked_days.is_some();
    let Some(key) = &first.key else {
        let all = data
            .tables()
            .map(|table| written::table(table, is_tracked))
            .collect();
        return collection(ask, "EntityDefinitions", all);
    };
    let table = named(data, key)?;
    let now_ms = caller.now.timestamp_millis();
    let path = format!("EntityDefinitions('{}')", table.logical);
    match rest {
        [] => single(
            ask,
            "EntityDefinitions/$entity",
            written::table(table, is_tracked),
        ),
        [piece] if piece.name == "Keys" => {
            let keys = table
                .keys
                .iter()
                .map(|key| written::key(table, key, now_ms))
                .filter(|key| {
                    piece
                        .key
                        .as_deref()
                        .is_none_or(|wanted| is_named(key, wanted))
                })
                .collect();
            one_or_all(ask, &format!("{path}/Keys"), piece, keys)
        }
        [piece] if piece.name == "ManyToOneRelationships" => {
            let all = written::relationships(table);
            collection(ask, &format!("{path}/ManyToOneRelationships"), all)
        }
        [piece] if piece.name == "Attributes" => attributes(ask, table, &path, piece, None),
        [piece, cast] if piece.name == "Attributes" => {
            let class = cast
                .name
                .strip_prefix(NAMESPACE)
                .ok_or_else(|| Refusal::no_segment(&cast.name))?;
            attributes(ask, table, &path, piece, Some(class))
        }
        [piece, ..] => Err(Refusal::no_segment(&piece.name)),
    }
}

/// The columns of a table, all or one, of any class or of one.
fn attributes(
    ask: &Ask,
    table: &Table,
    path: &str,
    piece: &Segment,
    class: Option<&str>,
) -> Result<Answer, Refusal> {
    let all = table
        .columns
        .values()
        .filter(|column| class.is_none_or(|class| written::kind(column).1 == class))
        .map(|column| {
            let mut object = written::column(table, column, class.is_some());
            for set in ["OptionSet", "GlobalOptionSet"] {
                if !expands(ask, set) {
                    object.remove(set);
                }
            }
            Value::Object(object)
        })
        .filter(|column| {
            piece
                .key
                .as_deref()
                .is_none_or(|wanted| is_named(column, wanted))
        })
        .collect();
    one_or_all(ask, &format!("{path}/Attributes"), piece, all)
}

fn expands(ask: &Ask, property: &str) -> bool {
    // Split at commas outside of parentheses.
    let mut depth = 0_i32;
    ask.parameter("$expand")
        .unwrap_or_default()
        .split(move |c| {
            match c {
                '(' => depth += 1,
                ')' => depth -= 1,
                _ => {}
            }
            c == ',' && depth == 0
        })
        .any(|part| {
            part.split('(')
                .next()
                .is_some_and(|name| name.trim() == property)
        })
}

fn one_or_all(
    ask: &Ask,
    context: &str,
    piece: &Segment,
    mut all: Vec<Value>,
) -> Result<Answer, Refusal> {
    if piece.key.is_none() {
        return collection(ask, context, all);
    }
    match all.pop() {
        Some(one) => single(ask, &format!("{context}/$entity"), one),
        None => Err(Refusal::new(
            404,
            "0x80060888",
            format!("Could not find the definition in {}.", piece.name),
        )),
    }
}

/// Whether a definition has this key: `LogicalName='x'`, `SchemaName='x'` or its id.
fn is_named(definition: &Value, key: &str) -> bool {
    let (property, value) = key.split_once('=').unwrap_or(("MetadataId", key));
    definition
        .get(property.trim())
        .and_then(Value::as_str)
        .is_some_and(|known| known == value.trim().trim_matches('\''))
}

fn named<'a>(data: &'a Data, key: &str) -> Result<&'a Table, Refusal> {
    data.tables()
        .find(|table| is_named(&written::table(table, true), key))
        .ok_or_else(|| {
            Refusal::new(
                404,
                "0x80060888",
                format!("The entity with a name = {key} was not found in the MetadataCache."),
            )
        })
}

fn collection(ask: &Ask, context: &str, all: Vec<Value>) -> Result<Answer, Refusal> {
    let filter = ask.parameter("$filter").unwrap_or_default();
    let mut value = Vec::new();
    for one in all {
        if holds(&one, filter)? {
            value.push(cut(ask, one));
        }
    }
    let context = format!("{}$metadata#{context}", ask.root);
    Ok(Answer::json(
        200,
        &json!({ "@odata.context": context, "value": value }),
    ))
}

fn single(ask: &Ask, context: &str, one: Value) -> Result<Answer, Refusal> {
    let mut one = cut(ask, one);
    if let Some(object) = one.as_object_mut() {
        let context = format!("{}$metadata#{context}", ask.root);
        object.insert("@odata.context".to_owned(), json!(context));
    }
    Ok(Answer::json(200, &one))
}

/// Leaves what was selected or expanded, and the id, which always comes.
fn cut(ask: &Ask, mut one: Value) -> Value {
    if let (Some(select), Some(object)) = (ask.parameter("$select"), one.as_object_mut()) {
        let selected: Vec<&str> = select.split(',').map(str::trim).collect();
        object.retain(|name, _| {
            selected.contains(&name.as_str())
                || name == "MetadataId"
                || name == "@odata.type"
                || expands(ask, name)
        });
    }
    one
}

/// `a eq 'x' and b/Value eq Type'Y' or …`: all that definitions can be filtered by here.
fn holds(definition: &Value, filter: &str) -> Result<bool, Refusal> {
    if filter.trim().is_empty() {
        return Ok(true);
    }
    let mut any = false;
    for alternative in filter.split(" or ") {
        let mut all = true;
        for condition in alternative.split(" and ") {
            let condition = condition.trim().trim_matches(['(', ')']);
            let mut parts = condition.splitn(3, ' ');
            let (Some(path), Some(operator), Some(literal)) =
                (parts.next(), parts.next(), parts.next())
            else {
                return Err(Refusal::query(format!("Syntax error in '{condition}'.")));
            };
            let value = path
                .split('/')
                .try_fold(definition, |value, name| value.get(name))
                .ok_or_else(|| {
                    Refusal::query(format!("Could not find a property named '{path}'."))
                })?;
            let known = match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            // An enumeration's literal is its type before the quoted member.
            let wanted = match literal.split_once('\'') {
                Some((_, text)) => text.trim_end_matches('\''),
                None => literal.trim(),
            };
            all &= match operator {
                "eq" => known == wanted,
                "ne" => known != wanted,
                _ => {
                    return Err(Refusal::query(format!(
                        "'{operator}' is not supported for metadata."
                    )));
                }
            };
        }
        any |= all;
    }
    Ok(any)
}

/// Adds a column or an alternate key.
pub(super) fn change(
    data: &mut Data,
    ask: &Ask,
    first: &Segment,
    rest: &[Segment],
    caller: &Caller,
) -> Result<Answer, Refusal> {
    let key = first.key.as_deref().ok_or_else(Refusal::method)?;
    let logical = named(data, key)?.logical;
    let [piece] = rest else {
        return Err(Refusal::method());
    };
    if ask.method != "POST" || piece.key.is_some() {
        return Err(Refusal::method());
    }
    let body = ask.object()?;
    let table = data
        .table_mut(logical)
        .ok_or_else(|| Refusal::no_segment(logical))?;
    let id = match piece.name.as_str() {
        "Attributes" => {
            caller.must_have("prvCreateAttribute", 9800, "attribute")?;
            add_column(table, &body)?
        }
        "Keys" => {
            caller.must_have("prvWriteEntity", 9800, "entity")?;
            let active = caller.now.timestamp_millis() + caller.key_build_ms;
            add_key(table, &body, active)?
        }
        other => return Err(Refusal::no_segment(other)),
    };
    let table = table.metadata_id;
    let address = format!(
        "{}EntityDefinitions({table})/{}({id})",
        ask.root, piece.name
    );
    Ok(Answer::nothing()
        .with("odata-entityid", address.clone())
        .with("location", address))
}

fn word<'a>(body: &'a Map<String, Value>, name: &str) -> Result<&'a str, Refusal> {
    body.get(name)
        .and_then(Value::as_str)
        .ok_or_else(|| Refusal::payload(&format!("'{name}' is missing")))
}

fn add_column(table: &mut Table, body: &Map<String, Value>) -> Result<Uuid, Refusal> {
    let schema_name = word(body, "SchemaName")?;
    let name = schema_name.to_lowercase();
    if !name.contains('_') {
        return Err(Refusal::new(
            400,
            "0x80047007",
            "The prefix of the schema name is missing.",
        ));
    }
    if table.column(&name).is_some() {
        return Err(Refusal::new(
            400,
            "0x80044363",
            format!(
                "An attribute with the specified name {name} already exists for entity {}.",
                table.logical
            ),
        ));
    }
    let max = |otherwise| {
        body.get("MaxLength")
            .and_then(Value::as_u64)
            .and_then(|max| usize::try_from(max).ok())
            .unwrap_or(otherwise)
    };
    let bound = |name: &str, otherwise: i32| {
        body.get(name)
            .and_then(Value::as_i64)
            .unwrap_or(i64::from(otherwise))
    };
    let class = word(body, "@odata.type")?.trim_start_matches('#');
    let kind = match class.trim_start_matches(NAMESPACE) {
        "StringAttributeMetadata" => Kind::Text {
            max: max(100),
            format: "Text",
        },
        "MemoAttributeMetadata" => Kind::Memo { max: max(2000) },
        "IntegerAttributeMetadata" => Kind::Whole {
            min: bound("MinValue", i32::MIN),
            max: bound("MaxValue", i32::MAX),
        },
        "DecimalAttributeMetadata" => Kind::Decimal {
            min: -1e11,
            max: 1e11,
            money: false,
        },
        "BooleanAttributeMetadata" => Kind::Flag,
        "DateTimeAttributeMetadata" if body.get("Format") == Some(&json!("DateOnly")) => Kind::Date,
        "DateTimeAttributeMetadata" => Kind::Time,
        other => {
            return Err(Refusal::payload(&format!(
                "the sandbox makes no columns of the class '{other}'"
            )));
        }
    };
    let label = body
        .get("DisplayName")
        .and_then(|label| label.pointer("/LocalizedLabels/0/Label"))
        .and_then(Value::as_str)
        .unwrap_or(schema_name);
    let is_text = matches!(kind, Kind::Text { .. });
    let mut column = Column::new(&name, label, kind);
    column.schema_name = schema_name.to_owned();
    column.custom = true;
    column.indexed = is_text;
    column.metadata_id = super::columns::name_id(&format!("{}.{name}", table.logical));
    let id = column.metadata_id;
    table.add_column(column);
    Ok(id)
}

fn add_key(
    table: &mut Table,
    body: &Map<String, Value>,
    active_from_ms: i64,
) -> Result<Uuid, Refusal> {
    let schema_name = word(body, "SchemaName")?;
    let names: Vec<&str> = body
        .get("KeyAttributes")
        .and_then(Value::as_array)
        .map(|names| names.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    if names.is_empty() || names.len() > KEY_COLUMNS || table.keys.len() >= KEYS {
        return Err(Refusal::new(
            400,
            "0x80060893",
            "A table has at most 10 keys of 1 to 16 columns.",
        ));
    }
    let columns = names
        .iter()
        .map(|name| match table.column(name) {
            Some(column) if allowed_in_key(column) => Ok(Arc::clone(&column.name)),
            _ => Err(Refusal::new(
                400,
                "0x80060894",
                format!("The attribute {name} cannot be part of a key."),
            )),
        })
        .collect::<Result<Vec<_>, _>>()?;
    if table
        .keys
        .iter()
        .any(|key| key.name == schema_name.to_lowercase() || key.columns == columns)
    {
        return Err(Refusal::new(
            400,
            "0x80060895",
            "There is such a key already.",
        ));
    }
    Ok(table.add_key(schema_name, columns, active_from_ms))
}

fn allowed_in_key(column: &Column) -> bool {
    matches!(
        column.kind,
        Kind::Text { .. }
            | Kind::Whole { .. }
            | Kind::Decimal { money: false, .. }
            | Kind::Time
            | Kind::Date
            | Kind::Choice { .. }
            | Kind::Lookup { .. }
    )
}
