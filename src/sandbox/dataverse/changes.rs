//! Change tracking: every record of a table at first, then what was changed or deleted since a delta link was given.
//!
//! Microsoft Learn, "Use change tracking to synchronize data with external systems": changed records come first, in the order
//! of their versions, deleted ones after them; the last page carries the next delta link.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{NaiveDateTime, TimeDelta};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use uuid::Uuid;

use super::data::Data;
use super::exchange::{Answer, Ask, Refusal};
use super::query;
use super::records::Caller;
use super::table::Table;

/// How a delta token writes its time.
const TIME: &str = "%m/%d/%Y %H:%M:%S";

/// Where a page begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    /// Deletions count from this version on.
    gone_from: u64,
    /// What was told last.
    last: u64,
    /// The version up to which deletions are told; nothing while changed records are.
    until: Option<u64>,
}

/// Whether a request is one for changes: by its preference, its delta link or a further page of either.
pub(super) fn asked(ask: &Ask) -> bool {
    ask.preference("odata.track-changes").is_some()
        || ask.parameter("$deltatoken").is_some()
        || ask
            .parameter("$skiptoken")
            .is_some_and(|token| cookie(token).is_some())
}

/// A page of changes.
pub(super) fn page(
    data: &Data,
    table: &Table,
    ask: &Ask,
    caller: &Caller,
) -> Result<Answer, Refusal> {
    let begin = checked(data, table, ask, caller)?;
    let columns = query::selected(table, ask)?;
    let limit = ask
        .preference("odata.maxpagesize")
        .and_then(|size| size.parse().ok())
        .filter(|size| *size > 0)
        .unwrap_or(query::PAGE)
        .min(query::PAGE);
    let (found, next) = found(data, table, begin, limit);
    let value: Vec<Value> = found
        .into_iter()
        .map(|id| match table.row(id) {
            Some(row) => Value::Object(query::record(data, table, id, row, &columns, ask)),
            None => json!({
                "@odata.context": format!("{}$metadata#{}/$deletedEntity", ask.root, table.set),
                "id": id.to_string(),
                "reason": "deleted",
            }),
        })
        .collect();
    let delta = ask.parameter("$deltatoken").is_some();
    let context = query::context(table, ask, if delta { "/$delta" } else { "" });
    let (name, link) = match next {
        Some(next) => ("@odata.nextLink", next_link(table, ask, next)),
        None => ("@odata.deltaLink", delta_link(data, table, ask, caller)),
    };
    let body = json!({ "@odata.context": context, name: link, "value": value });
    Ok(Answer::json(200, &body).with("preference-applied", "odata.track-changes"))
}

/// How many records changed since a delta link was given, for `leads/$count?$deltatoken=…`.
pub(super) fn count(
    data: &Data,
    table: &Table,
    ask: &Ask,
    caller: &Caller,
) -> Result<usize, Refusal> {
    let begin = checked(data, table, ask, caller)?;
    Ok(found(data, table, begin, usize::MAX).0.len())
}

/// The records of a page, and where the next one begins.
fn found(data: &Data, table: &Table, begin: Place, limit: usize) -> (Vec<Uuid>, Option<Place>) {
    let mut place = begin;
    let mut found = Vec::new();
    if place.until.is_none() {
        for (version, id) in table.changed_after(place.last).take(limit) {
            place.last = version;
            found.push(id);
        }
        if table.changed_after(place.last).next().is_some() {
            return (found, Some(place));
        }
        place.last = place.gone_from;
        place.until = Some(data.version());
    }
    let until = place.until.unwrap_or_default();
    for (version, id) in table.gone_after(place.last) {
        if version > until {
            break;
        }
        if found.len() >= limit {
            return (found, Some(place));
        }
        place.last = version;
        // A record that was made anew under the same id is told as a changed one.
        if table.row(id).is_none() {
            found.push(id);
        }
    }
    (found, None)
}

/// Refuses what change tracking does not do, and gives where the page begins.
fn checked(data: &Data, table: &Table, ask: &Ask, caller: &Caller) -> Result<Place, Refusal> {
    let Some(days) = caller.tracked_days else {
        return Err(Refusal::query(format!(
            "Change tracking is not enabled for the entity '{}'.",
            table.logical
        )));
    };
    if let Some(option) = ["$filter", "$orderby", "$expand", "$top"]
        .iter()
        .find(|option| ask.parameter(option).is_some())
    {
        return Err(Refusal::query(format!(
            "The {option} query parameter isn't supported when Change Tracking is enabled."
        )));
    }
    if let Some(token) = ask.parameter("$skiptoken") {
        return cookie(token).ok_or_else(|| Refusal::query("Malformed XML in the Paging Cookie"));
    }
    let Some(token) = ask.parameter("$deltatoken") else {
        return Ok(Place {
            gone_from: data.version(),
            last: 0,
            until: None,
        });
    };
    let (version, time) = read(token)
        .filter(|(version, _)| *version <= data.version())
        .ok_or_else(|| Refusal::new(400, "0x80040203", "The value of $deltatoken is not valid."))?;
    if caller.now.naive_utc() - time > TimeDelta::days(days) {
        return Err(Refusal::new(
            400,
            "0x80044352",
            "Version stamp associated with the client has expired. Please perform a full sync.",
        ));
    }
    Ok(Place {
        gone_from: version,
        last: version,
        until: None,
    })
}

/// Version and time of a delta token.
fn read(token: &str) -> Option<(u64, NaiveDateTime)> {
    let (version, time) = token.split_once('!')?;
    let time = NaiveDateTime::parse_from_str(time, TIME).ok()?;
    Some((version.parse().ok()?, time))
}

/// The place that a further page's cookie names.
fn cookie(token: &str) -> Option<Place> {
    let cookie = token
        .strip_prefix("<cookie pagingcookie=\"")?
        .strip_suffix("\" />")?;
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cookie).ok()?).ok()?;
    let mut numbers = text.strip_prefix("changes=")?.split('.');
    let mut number = || numbers.next()?.parse::<u64>().ok();
    Some(Place {
        gone_from: number()?,
        last: number()?,
        until: number(),
    })
}

fn next_link(table: &Table, ask: &Ask, place: Place) -> String {
    let until = place
        .until
        .map(|until| format!(".{until}"))
        .unwrap_or_default();
    let text = format!("changes={}.{}{until}", place.gone_from, place.last);
    let cookie = format!(
        "<cookie pagingcookie=\"{}\" />",
        URL_SAFE_NO_PAD.encode(text)
    );
    link(table, ask, "$skiptoken", &cookie, "$skiptoken")
}

fn delta_link(data: &Data, table: &Table, ask: &Ask, caller: &Caller) -> String {
    let token = format!("{}!{}", data.version(), caller.now.format(TIME));
    link(table, ask, "$deltatoken", &token, "$deltatoken")
}

/// The address of the request, with one parameter in the place of the tokens that it had.
fn link(table: &Table, ask: &Ask, name: &str, value: &str, replaces: &str) -> String {
    let mut query: Vec<&str> = ask
        .raw_query
        .split('&')
        .filter(|part| !part.is_empty())
        .filter(|part| {
            let known = part.split('=').next().unwrap_or_default();
            let known = known.replace("%24", "$");
            known != replaces && known != "$skiptoken"
        })
        .collect();
    let parameter = format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC));
    query.push(&parameter);
    format!("{}{}?{}", ask.root, table.set, query.join("&"))
}
