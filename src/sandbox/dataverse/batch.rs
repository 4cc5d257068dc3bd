//! `$batch`: many requests in one, some of them together in change sets.

use serde_json::Value;

use super::data::Data;
use super::exchange::{Answer, Ask, Refusal, parameters, segments};
use super::gateway;
use super::routing;
use super::state::Organization;

/// The most requests in a batch.
const LIMIT: usize = 1000;

/// A part of a batch.
enum Part {
    One(Numbered),
    Set(Vec<Numbered>),
}

/// A request inside a batch.
struct Numbered {
    content_id: Option<String>,
    ask: Ask,
}

/// Carries a batch out, one part after the other.
pub(super) fn answer(organization: &Organization, ask: &Ask) -> Result<Answer, Refusal> {
    if ask.method != "POST" {
        return Err(Refusal::method());
    }
    let parts = read(ask)?;
    let requests: usize = parts
        .iter()
        .map(|part| match part {
            Part::One(_) => 1,
            Part::Set(set) => set.len(),
        })
        .sum();
    if requests > LIMIT {
        return Err(malformed(&format!(
            "The number of requests in the batch exceeds the limit of {LIMIT}"
        )));
    }
    let goes_on = ask.preference("odata.continue-on-error").is_some();
    let boundary = format!("batchresponse_{}", super::columns::name_id(&ask.root));
    let mut status = 200;
    let mut body = String::new();
    for part in parts {
        let failed = match part {
            Part::One(one) => {
                let struck = organization.faults().take_part();
                let answer = match struck.and_then(|fault| fault.refusal()) {
                    Some(refusal) => refusal.answer(&one.ask),
                    None => gateway::carried_out(organization, &one.ask),
                };
                body.push_str(&format!("--{boundary}\r\n"));
                body.push_str(&written(&answer, one.content_id.as_deref()));
                failure(&answer)
            }
            Part::Set(set) => {
                let answers = together(organization, set);
                body.push_str(&format!("--{boundary}\r\n"));
                match answers {
                    Ok(answers) => {
                        body.push_str(&written_set(&answers, &ask.root));
                        None
                    }
                    Err(answer) => {
                        body.push_str(&written(&answer, None));
                        failure(&answer)
                    }
                }
            }
        };
        if let Some(code) = failed
            && !goes_on
        {
            status = code;
            break;
        }
    }
    body.push_str(&format!("--{boundary}--\r\n"));
    let mut answer = Answer::nothing().of_records(requests).with(
        "content-type",
        format!("multipart/mixed; boundary={boundary}"),
    );
    if goes_on {
        answer = answer.with("preference-applied", "odata.continue-on-error");
    }
    answer.status = status;
    answer.body = body.into_bytes();
    Ok(answer)
}

fn failure(answer: &Answer) -> Option<u16> {
    (answer.status >= 400).then_some(answer.status)
}

/// Carries a change set out: the answers of all, or the one refusal that undid them.
fn together(
    organization: &Organization,
    set: Vec<Numbered>,
) -> Result<Vec<(Option<String>, Answer)>, Answer> {
    let settings = organization.settings();
    let mut data = organization.change_data();
    // The request that failed answers for the set.
    let mut failed = Ask::default();
    data.together(|data: &mut Data| {
        let mut made: Vec<(String, String)> = Vec::new();
        let mut answers = Vec::new();
        for Numbered { content_id, ask } in set {
            failed = ask;
            let ask = with_references(&failed, &made)?;
            if ask.method == "GET" {
                return Err(malformed("A change set holds no GET requests"));
            }
            let caller = gateway::caller(organization, &ask);
            let answer = routing::change(data, &ask, &caller)?;
            let address = answer
                .headers
                .iter()
                .find(|(name, _)| *name == "odata-entityid")
                .map(|(_, address)| address.clone());
            if let (Some(id), Some(address)) = (&content_id, address) {
                made.push((id.clone(), address));
            }
            answers.push((content_id, answer));
        }
        Ok(answers)
    })
    .map_err(|refusal| gateway::refused(&settings, &failed, refusal))
}

/// Puts the addresses of records that the set made in the place of `$1`, in the address and in the body.
fn with_references(ask: &Ask, made: &[(String, String)]) -> Result<Ask, Refusal> {
    let mut ask = ask.clone();
    let find = |reference: &str| {
        made.iter()
            .find(|(id, _)| id == reference)
            .map(|(_, address)| address.clone())
            .ok_or_else(|| {
                malformed(&format!(
                    "Content-ID Reference: '${reference}' does not exist in the batch context."
                ))
            })
    };
    if let Some(first) = ask.segments.first()
        && let Some(reference) = number_of(&first.name)
    {
        let address = find(reference)?;
        let below = address.strip_prefix(ask.root.as_str()).unwrap_or(&address);
        let mut path = segments(below);
        path.extend(ask.segments.into_iter().skip(1));
        ask.segments = path;
    }
    if ask.body.contains(&b'$')
        && let Ok(Value::Object(mut object)) = serde_json::from_slice(&ask.body)
    {
        for (name, value) in &mut object {
            if name.ends_with("@odata.bind")
                && let Some(reference) = value.as_str().and_then(number_of)
            {
                *value = Value::String(find(reference)?);
            }
        }
        ask.body = Value::Object(object).to_string().into_bytes();
    }
    Ok(ask)
}

fn number_of(text: &str) -> Option<&str> {
    text.strip_prefix('$')
        .filter(|number| !number.is_empty() && number.bytes().all(|c| c.is_ascii_digit()))
}

fn malformed(what: &str) -> Refusal {
    Refusal::new(400, "0x80048d19", what)
}

/// One answer as a part.
fn written(answer: &Answer, content_id: Option<&str>) -> String {
    let mut text =
        "Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n".to_owned();
    if let Some(id) = content_id {
        text.push_str(&format!("Content-ID: {id}\r\n"));
    }
    let reason = actix_web::http::StatusCode::from_u16(answer.status)
        .ok()
        .and_then(|status| status.canonical_reason())
        .unwrap_or_default();
    text.push_str(&format!(
        "\r\nHTTP/1.1 {} {reason}\r\nOData-Version: 4.0\r\n",
        answer.status
    ));
    for (name, value) in &answer.headers {
        let name = match *name {
            "odata-entityid" => "OData-EntityId",
            "location" => "Location",
            "content-type" => "Content-Type",
            "retry-after" => "Retry-After",
            other => other,
        };
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    text.push_str(&String::from_utf8_lossy(&answer.body));
    text.push_str("\r\n");
    text
}

fn written_set(answers: &[(Option<String>, Answer)], root: &str) -> String {
    let boundary = format!("changesetresponse_{}", super::columns::name_id(root));
    let mut text = format!("Content-Type: multipart/mixed; boundary={boundary}\r\n\r\n");
    for (content_id, answer) in answers {
        text.push_str(&format!("--{boundary}\r\n"));
        text.push_str(&written(answer, content_id.as_deref()));
    }
    text.push_str(&format!("--{boundary}--\r\n"));
    text
}

fn read(ask: &Ask) -> Result<Vec<Part>, Refusal> {
    let kind = ask.header("content-type").unwrap_or_default();
    let boundary = boundary(kind).ok_or_else(|| malformed("The batch has no boundary"))?;
    // Bare line feeds are read, too: there are clients that write them.
    let text = String::from_utf8_lossy(&ask.body).replace("\r\n", "\n");
    pieces(&text, boundary)?
        .into_iter()
        .map(|piece| part(ask, piece))
        .collect()
}

fn part(ask: &Ask, piece: &str) -> Result<Part, Refusal> {
    let (headers, content) = head(piece);
    let kind = value(&headers, "content-type").unwrap_or_default();
    if !kind.starts_with("multipart/mixed") {
        return request(ask, &headers, content).map(Part::One);
    }
    let boundary = boundary(kind).ok_or_else(|| malformed("The change set has no boundary"))?;
    pieces(content, boundary)?
        .into_iter()
        .map(|piece| {
            let (headers, content) = head(piece);
            request(ask, &headers, content)
        })
        .collect::<Result<_, _>>()
        .map(Part::Set)
}

fn boundary(kind: &str) -> Option<&str> {
    let (_, rest) = kind.split_once("boundary=")?;
    let boundary = rest.split(';').next()?.trim().trim_matches('"');
    (!boundary.is_empty()).then_some(boundary)
}

/// What stands between the boundaries.
fn pieces<'a>(text: &'a str, boundary: &str) -> Result<Vec<&'a str>, Refusal> {
    let mark = format!("--{boundary}");
    let mut pieces = Vec::new();
    let mut start: Option<usize> = None;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let trimmed = line.trim_end();
        let ends = trimmed.strip_prefix(mark.as_str());
        if matches!(ends, Some("" | "--")) {
            if let Some(start) = start {
                pieces.push(text.get(start..at).unwrap_or_default());
            }
            start = Some(at + line.len());
            if ends == Some("--") {
                return Ok(pieces);
            }
        }
        at += line.len();
    }
    Err(malformed("The batch does not end with its boundary"))
}

type Headers = Vec<(String, String)>;

/// Headers up to the blank line, and what comes behind it.
fn head(piece: &str) -> (Headers, &str) {
    let mut headers = Vec::new();
    let mut rest = piece;
    while let Some((line, after)) = rest.split_once('\n') {
        rest = after;
        if line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':') {
            headers.push((name.trim().to_lowercase(), value.trim().to_owned()));
        }
    }
    (headers, rest)
}

fn value<'a>(headers: &'a Headers, name: &str) -> Option<&'a str> {
    headers
        .iter()
        .find(|(known, _)| known == name)
        .map(|(_, value)| value.as_str())
}

fn request(ask: &Ask, outer: &Headers, content: &str) -> Result<Numbered, Refusal> {
    let (line, rest) = content
        .trim_start_matches('\n')
        .split_once('\n')
        .unwrap_or((content, ""));
    // Microsoft's own client leaves blanks in the address as they are.
    let (method, address) = line
        .trim()
        .trim_end_matches("HTTP/1.1")
        .trim_end()
        .split_once(' ')
        .ok_or_else(|| malformed("A part of the batch holds no request"))?;
    let (headers, body) = head(rest);
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    // Absolute, from the host's root, or relative to the service.
    let path = match path.split_once("/api/data/") {
        Some((_, below)) => below.split_once('/').map_or("", |(_, tail)| tail),
        None => path.trim_start_matches('/'),
    };
    let segments = segments(path);
    if segments.first().is_some_and(|first| first.name == "$batch") {
        return Err(malformed("A batch holds no other batch"));
    }
    Ok(Numbered {
        content_id: value(outer, "content-id").map(str::to_owned),
        ask: Ask {
            method: method.to_owned(),
            segments,
            query: parameters(query),
            raw_query: query.to_owned(),
            headers,
            body: body.trim().as_bytes().to_vec(),
            root: ask.root.clone(),
        },
    })
}
