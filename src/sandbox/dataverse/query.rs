//! Reading: one record, or a page of a table, as JSON.

use std::ops::Bound;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::cell::Cell;
use super::columns::{Column, Kind};
use super::data::Data;
use super::exchange::{Answer, Ask, Refusal};
use super::filter::{Filter, no_property, order, value_of};
use super::records::etag;
use super::table::{Row, Table};

/// The most rows on a page, and in a count.
pub(super) const PAGE: usize = 5000;

const FORMATTED: &str = "OData.Community.Display.V1.FormattedValue";
const LOGICAL_NAME: &str = "Microsoft.Dynamics.CRM.lookuplogicalname";
const NAVIGATION: &str = "Microsoft.Dynamics.CRM.associatednavigationproperty";

/// The columns that `$select` names; all of them without one.
pub(super) fn selected<'a>(table: &'a Table, ask: &Ask) -> Result<Vec<&'a Column>, Refusal> {
    let Some(select) = ask.parameter("$select") else {
        return Ok(table.columns.values().collect());
    };
    let mut columns = Vec::new();
    for name in select
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
    {
        let column = table
            .read_property(name)
            .or_else(|| table.column(name))
            .ok_or_else(|| no_property(table, name))?;
        columns.push(column);
    }
    if !columns
        .iter()
        .any(|column| *column.name == *table.id_column)
    {
        columns.extend(table.column(table.id_column));
    }
    Ok(columns)
}

/// A record with the selected columns and the annotations that were asked for.
pub(super) fn record(
    data: &Data,
    table: &Table,
    id: Uuid,
    row: &Row,
    columns: &[&Column],
    ask: &Ask,
) -> Map<String, Value> {
    let mut object = Map::new();
    object.insert("@odata.etag".to_owned(), json!(etag(row.version)));
    let formatted = ask.wants_annotation(FORMATTED);
    let lookups = ask.wants_annotation(LOGICAL_NAME);
    for column in columns {
        let property = column.property();
        let cell = value_of(table, id, row, &column.name);
        if formatted && let Some(text) = cell.as_ref().and_then(|cell| label(data, column, cell)) {
            object.insert(format!("{property}@{FORMATTED}"), json!(text));
        }
        if lookups
            && let (Some(Cell::Reference(target, _)), Kind::Lookup { targets, .. }) =
                (&cell, &column.kind)
        {
            object.insert(format!("{property}@{LOGICAL_NAME}"), json!(target));
            if let Some((_, navigation)) = targets.iter().find(|(table, _)| table == target) {
                object.insert(format!("{property}@{NAVIGATION}"), json!(navigation));
            }
        }
        object.insert(property, cell.map_or(Value::Null, |cell| cell.json()));
    }
    object
}

/// Every record of a table, in the order of their ids.
pub(super) fn everything(data: &Data, table: &Table, ask: &Ask) -> Vec<Map<String, Value>> {
    let columns: Vec<&Column> = table.columns.values().collect();
    table
        .rows()
        .iter()
        .map(|(id, row)| record(data, table, *id, row, &columns, ask))
        .collect()
}

/// How a person reads the value, where that differs from the value.
fn label(data: &Data, column: &Column, cell: &Cell) -> Option<String> {
    match (&column.kind, cell) {
        (Kind::Choice { options } | Kind::State { options }, Cell::Whole(number)) => options
            .iter()
            .find(|(value, _)| value == number)
            .map(|(_, label)| label.clone()),
        (Kind::Status { options }, Cell::Whole(number)) => options
            .iter()
            .find(|(value, _, _)| value == number)
            .map(|(_, label, _)| label.clone()),
        (_, Cell::Flag(flag)) => Some(if *flag { "Yes" } else { "No" }.to_owned()),
        (_, Cell::Reference(table, id)) => {
            let table = data.table(table)?;
            match table.row(*id)?.values.get(table.name_column) {
                Some(Cell::Text(name)) => Some(name.clone()),
                _ => None,
            }
        }
        (_, Cell::Time(time)) => Some(time.format("%-m/%-d/%Y %-I:%M %p").to_string()),
        (_, Cell::Date(date)) => Some(date.format("%-m/%-d/%Y").to_string()),
        (_, Cell::Whole(number)) => Some(number.to_string()),
        _ => None,
    }
}

/// One record as an answer.
pub(super) fn single(
    data: &Data,
    table: &Table,
    id: Uuid,
    ask: &Ask,
    status: u16,
) -> Result<Answer, Refusal> {
    let row = table
        .row(id)
        .ok_or_else(|| Refusal::no_record(table.logical, id))?;
    refuse_unknown_options(ask)?;
    let etag = etag(row.version);
    let annotated = ask.preference("odata.include-annotations").is_some();
    if ask.method == "GET" && !annotated && ask.header("if-none-match") == Some(etag.as_str()) {
        let mut answer = Answer::nothing();
        answer.status = 304;
        return Ok(answer);
    }
    let columns = selected(table, ask)?;
    let mut object = record(data, table, id, row, &columns, ask);
    object.insert(
        "@odata.context".to_owned(),
        json!(context(table, ask, "/$entity")),
    );
    Ok(Answer::json(status, &Value::Object(object)).with("etag", etag))
}

pub(super) fn context(table: &Table, ask: &Ask, what: &str) -> String {
    let columns = ask
        .parameter("$select")
        .map(|select| format!("({select})"))
        .unwrap_or_default();
    format!("{}$metadata#{}{columns}{what}", ask.root, table.set)
}

fn refuse_unknown_options(ask: &Ask) -> Result<(), Refusal> {
    if ask.parameter("$skip").is_some() {
        return Err(Refusal::query("Skip Clause is not supported in CRM"));
    }
    if let Some(option) = ["$expand", "$apply", "fetchXml", "savedQuery", "userQuery"]
        .iter()
        .find(|option| ask.parameter(option).is_some())
    {
        return Err(Refusal::new(
            501,
            "0x80040216",
            format!("The sandbox does not do {option}."),
        ));
    }
    Ok(())
}

/// Where a page begins.
#[derive(Debug, Clone, Copy)]
enum Begin {
    First,
    After(Uuid),
    Offset(usize),
}

/// A page of the table's rows.
pub(super) fn page(data: &Data, table: &Table, ask: &Ask) -> Result<Answer, Refusal> {
    refuse_unknown_options(ask)?;
    let columns = selected(table, ask)?;
    let filter = ask
        .parameter("$filter")
        .map(|text| Filter::parse(table, text, &ask.query))
        .transpose()?;
    let preferred = ask
        .preference("odata.maxpagesize")
        .and_then(|size| size.parse().ok())
        .filter(|size: &usize| *size > 0);
    let top = match ask.parameter("$top") {
        Some(text) => Some(text.parse::<usize>().map_err(|_| {
            Refusal::query(format!(
                "Invalid value '{text}' for $top query option found."
            ))
        })?),
        None => None,
    };
    // With a preferred page size the service ignores `$top`.
    let limit = preferred.or(top).unwrap_or(PAGE).min(PAGE);
    let begin = match ask.parameter("$skiptoken") {
        Some(token) => {
            begin(token).ok_or_else(|| Refusal::query("Malformed XML in the Paging Cookie"))?
        }
        None => Begin::First,
    };
    let orders = orders(table, ask)?;
    let (ids, next) = if orders.is_empty() {
        by_id(table, filter.as_ref(), begin, limit)
    } else {
        ordered(table, filter.as_ref(), &orders, begin, limit)
    };
    let value: Vec<Value> = ids
        .iter()
        .filter_map(|id| table.row(*id).map(|row| (id, row)))
        .map(|(id, row)| Value::Object(record(data, table, *id, row, &columns, ask)))
        .collect();
    let mut body = json!({ "@odata.context": context(table, ask, ""), "value": value });
    if let Some(object) = body.as_object_mut() {
        if ask.parameter("$count") == Some("true") {
            let count = matching(table, filter.as_ref()).count();
            object.insert("@odata.count".to_owned(), json!(count.min(PAGE)));
            if ask.wants_annotation("Microsoft.Dynamics.CRM.totalrecordcountlimitexceeded") {
                object.insert(
                    "@Microsoft.Dynamics.CRM.totalrecordcountlimitexceeded".to_owned(),
                    json!(count > PAGE),
                );
            }
        }
        // A caller who said how many it wants altogether gets no further page.
        if let Some(next) = next.filter(|_| top.is_none() || preferred.is_some()) {
            object.insert(
                "@odata.nextLink".to_owned(),
                json!(next_link(table, ask, next)),
            );
        }
    }
    let mut answer = Answer::json(200, &body);
    if let Some(size) = ask.preference("odata.maxpagesize") {
        answer = answer.with("preference-applied", format!("odata.maxpagesize={size}"));
    }
    Ok(answer)
}

/// How many rows match, for `leads/$count`.
pub(super) fn count(table: &Table, ask: &Ask) -> Result<usize, Refusal> {
    let filter = ask
        .parameter("$filter")
        .map(|text| Filter::parse(table, text, &ask.query))
        .transpose()?;
    Ok(matching(table, filter.as_ref()).count().min(PAGE))
}

fn matching<'a>(
    table: &'a Table,
    filter: Option<&'a Filter>,
) -> Box<dyn Iterator<Item = Uuid> + 'a> {
    after(table, filter, Bound::Unbounded)
}

/// The rows that match behind a place, in the order of their ids.
fn after<'a>(
    table: &'a Table,
    filter: Option<&'a Filter>,
    from: Bound<Uuid>,
) -> Box<dyn Iterator<Item = Uuid> + 'a> {
    let holds = move |id: Uuid, row: &Row| filter.is_none_or(|filter| filter.holds(table, id, row));
    match filter.and_then(|filter| filter.candidates(table)) {
        Some(candidates) => {
            let ids: Vec<Uuid> = candidates
                .range((from, Bound::Unbounded))
                .copied()
                .collect();
            Box::new(
                ids.into_iter()
                    .filter(move |id| table.row(*id).is_some_and(|row| holds(*id, row))),
            )
        }
        None => Box::new(
            table
                .rows()
                .range((from, Bound::Unbounded))
                .filter(move |(id, row)| holds(**id, row))
                .map(|(id, _)| *id),
        ),
    }
}

fn by_id(
    table: &Table,
    filter: Option<&Filter>,
    begin: Begin,
    limit: usize,
) -> (Vec<Uuid>, Option<Begin>) {
    let from = match begin {
        Begin::After(id) => Bound::Excluded(id),
        _ => Bound::Unbounded,
    };
    let mut rows = after(table, filter, from);
    let ids: Vec<Uuid> = rows.by_ref().take(limit).collect();
    let next = match (ids.last(), rows.next()) {
        (Some(last), Some(_)) => Some(Begin::After(*last)),
        _ => None,
    };
    (ids, next)
}

fn ordered(
    table: &Table,
    filter: Option<&Filter>,
    orders: &[(&Column, bool)],
    begin: Begin,
    limit: usize,
) -> (Vec<Uuid>, Option<Begin>) {
    let mut keyed: Vec<(Vec<Option<Cell>>, Uuid)> = matching(table, filter)
        .filter_map(|id| table.row(id).map(|row| (id, row)))
        .map(|(id, row)| {
            let key = orders
                .iter()
                .map(|(column, _)| value_of(table, id, row, &column.name))
                .collect();
            (key, id)
        })
        .collect();
    keyed.sort_by(|(a, a_id), (b, b_id)| {
        let by_columns = orders
            .iter()
            .zip(a.iter().zip(b))
            .map(|((_, descending), (a, b))| {
                let ordering = match (a, b) {
                    (Some(a), Some(b)) => order(a, b),
                    // Null comes first, as in the service's database.
                    (a, b) => a.is_some().cmp(&b.is_some()),
                };
                if *descending {
                    ordering.reverse()
                } else {
                    ordering
                }
            });
        by_columns
            .fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then)
            .then(a_id.cmp(b_id))
    });
    let start = match begin {
        Begin::Offset(start) => start,
        _ => 0,
    };
    let ids: Vec<Uuid> = keyed
        .iter()
        .skip(start)
        .take(limit)
        .map(|(_, id)| *id)
        .collect();
    let end = start + ids.len();
    let next = (end < keyed.len() && !ids.is_empty()).then_some(Begin::Offset(end));
    (ids, next)
}

fn orders<'a>(table: &'a Table, ask: &Ask) -> Result<Vec<(&'a Column, bool)>, Refusal> {
    let mut orders = Vec::new();
    for part in ask.parameter("$orderby").unwrap_or_default().split(',') {
        let mut words = part.split_whitespace();
        let Some(name) = words.next() else {
            continue;
        };
        let column = table
            .read_property(name)
            .ok_or_else(|| no_property(table, name))?;
        let descending = match words.next() {
            None | Some("asc") => false,
            Some("desc") => true,
            Some(_) => {
                return Err(Refusal::query(format!(
                    "Syntax error in '{part}' of $orderby."
                )));
            }
        };
        orders.push((column, descending));
    }
    Ok(orders)
}

/// The place that a paging cookie names.
fn begin(token: &str) -> Option<Begin> {
    let cookie = token
        .strip_prefix("<cookie pagingcookie=\"")?
        .strip_suffix("\" />")?;
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cookie).ok()?).ok()?;
    match text.split_once('=')? {
        ("after", id) => Uuid::try_parse(id).ok().map(Begin::After),
        ("offset", number) => number.parse().ok().map(Begin::Offset),
        _ => None,
    }
}

fn next_link(table: &Table, ask: &Ask, begin: Begin) -> String {
    let place = match begin {
        Begin::First => String::new(),
        Begin::After(id) => format!("after={id}"),
        Begin::Offset(number) => format!("offset={number}"),
    };
    let cookie = format!(
        "<cookie pagingcookie=\"{}\" />",
        URL_SAFE_NO_PAD.encode(place)
    );
    let cookie = percent_encoding::utf8_percent_encode(&cookie, percent_encoding::NON_ALPHANUMERIC);
    let mut query: Vec<&str> = ask
        .raw_query
        .split('&')
        .filter(|part| !part.is_empty() && !is_skiptoken(part))
        .collect();
    let token = format!("$skiptoken={cookie}");
    query.push(&token);
    format!("{}{}?{}", ask.root, table.set, query.join("&"))
}

fn is_skiptoken(part: &str) -> bool {
    let name = part.split('=').next().unwrap_or_default();
    name.replace("%24", "$") == "$skiptoken"
}
