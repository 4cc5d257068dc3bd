//! An answer of the sandbox and how it leaves: whole, or broken in one of the ways that networks break.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::stream;
use serde_json::{Value, json};

use super::connection::Connection;
use super::faults::{Fault, FaultKind};
use super::seeded::text;

/// An answer before it leaves.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) content_type: &'static str,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
}

const JSON: &str = "application/json";
pub(super) const HTML: &str = "text/html; charset=utf-8";

impl Reply {
    pub(super) fn bytes(status: u16, body: Vec<u8>) -> Self {
        Self {
            status,
            content_type: JSON,
            headers: Vec::new(),
            body,
        }
    }

    pub(super) fn json(status: u16, value: &Value) -> Self {
        Self::bytes(status, value.to_string().into_bytes())
    }

    pub(super) fn html(status: u16, page: String) -> Self {
        Self {
            status,
            content_type: HTML,
            headers: Vec::new(),
            body: page.into_bytes(),
        }
    }

    pub(super) fn redirect(status: u16, location: String) -> Self {
        Self {
            status,
            content_type: HTML,
            headers: vec![("location", location)],
            body: Vec::new(),
        }
    }

    /// LinkedIn's gateway envelope.
    pub(super) fn refusal(
        status: u16,
        service_error_code: Option<i64>,
        code: Option<&str>,
        message: &str,
    ) -> Self {
        let mut body = json!({ "status": status, "message": message });
        if let Some(object) = body.as_object_mut() {
            if let Some(number) = service_error_code {
                object.insert("serviceErrorCode".to_owned(), json!(number));
            }
            if let Some(code) = code {
                object.insert("code".to_owned(), json!(code));
            }
        }
        Self::json(status, &body)
    }

    /// OAuth's envelope.
    pub(super) fn oauth_error(status: u16, error: &str, description: &str) -> Self {
        Self::json(
            status,
            &json!({ "error": error, "error_description": description }),
        )
    }

    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The headers that LinkedIn's gateway adds.
    pub(super) fn with_gateway_headers(self, seed: u64, number: u64) -> Self {
        self.with("x-restli-protocol-version", "2.0.0")
            .with("x-li-uuid", format!("{}==", text(seed, 80, number, 22)))
            .with("x-li-fabric", "prod-lor1")
            .with("x-li-pop", "sandbox")
            .with("x-li-proto", "http/1.1")
            .with("x-li-request-id", text(seed, 81, number, 16))
    }
}

/// The answer that a fault gives in the place of the real one, without the request being carried out.
pub(super) fn instead(fault: &Fault, now: DateTime<Utc>) -> Option<Reply> {
    let throttle = |who: &str| {
        format!("Resource level throttle {who}limit for calls to this resource is reached.")
    };
    let limited =
        |who: &str| Reply::refusal(429, Some(101), Some("TOO_MANY_REQUESTS"), &throttle(who));
    let seconds = fault.seconds.unwrap_or(2);
    Some(match fault.kind {
        FaultKind::RateLimitSeconds => limited("").with("retry-after", seconds.to_string()),
        FaultKind::RateLimitDate => {
            limited("").with("retry-after", http_date(now + TimeDelta::seconds(seconds)))
        }
        FaultKind::RateLimitBare => limited(""),
        FaultKind::RateLimitGarbage => limited("").with("retry-after", "in a little while"),
        FaultKind::RateLimitDayApplication => limited("APPLICATION DAY "),
        FaultKind::RateLimitDayMember => limited("APPLICATION_AND_MEMBER DAY "),
        FaultKind::Status500 => {
            Reply::refusal(500, None, Some("INTERNAL_ERROR"), "Internal Server Error")
        }
        FaultKind::Status502 => Reply::html(
            502,
            "<html><body><h1>502 Bad Gateway</h1></body></html>".to_owned(),
        ),
        FaultKind::Status503 => {
            Reply::refusal(503, None, Some("UNDER_MAINTENANCE"), "Service Unavailable")
        }
        FaultKind::Status504 => Reply::bytes(504, Vec::new()),
        FaultKind::Html => Reply::html(
            200,
            "<!DOCTYPE html><html><body><h1>Bummer, something went wrong.</h1></body></html>"
                .to_owned(),
        ),
        FaultKind::WrongType => Reply::json(
            200,
            &json!({ "paging": [], "elements": { "0": "?" }, "access_token": 7 }),
        ),
        FaultKind::EmptyBody => Reply::bytes(200, Vec::new()),
        FaultKind::Oversized => Reply::bytes(200, vec![b' '; 34 * 1024 * 1024]),
        FaultKind::Redirect => Reply::redirect(302, "http://127.0.0.1:1/elsewhere".to_owned()),
        FaultKind::Unauthorized => Reply::refusal(
            401,
            Some(65600),
            Some("INVALID_ACCESS_TOKEN"),
            "Invalid access token",
        ),
        FaultKind::RevokedToken => Reply::refusal(
            401,
            Some(65601),
            Some("REVOKED_ACCESS_TOKEN"),
            "The token used in the request has been revoked by the user",
        ),
        FaultKind::Forbidden => Reply::refusal(
            403,
            Some(100),
            Some("ACCESS_DENIED"),
            "Not enough permissions to access: (fault)",
        ),
        FaultKind::NotFound => {
            Reply::refusal(404, None, Some("NOT_FOUND"), "Could not find entity")
        }
        FaultKind::VersionNotActive => Reply::refusal(
            426,
            None,
            Some("NONEXISTENT_VERSION"),
            "Requested version 20200101 is not active",
        ),
        FaultKind::InvalidGrant => Reply::oauth_error(400, "invalid_grant", GRANT_REFUSED),
        FaultKind::InvalidRequest => Reply::oauth_error(400, "invalid_request", GRANT_REFUSED),
        FaultKind::Close | FaultKind::Reset | FaultKind::Hang => Reply::bytes(200, Vec::new()),
        _ => return None,
    })
}

/// LinkedIn's sentence for a refresh token that is no more.
pub(super) const GRANT_REFUSED: &str =
    "The provided authorization grant or refresh token is invalid, expired or revoked";

/// Damages the body of a successful answer.
fn damage(fault: &Fault, reply: &mut Reply) {
    if reply.status != 200 {
        return;
    }
    match fault.kind {
        FaultKind::CutJson => reply.body.truncate(reply.body.len() * 2 / 3),
        FaultKind::GarbageJson => {
            let middle = reply.body.len() / 2;
            reply.body.splice(middle..middle, *b"}{,:]\x01");
        }
        FaultKind::Bom => {
            reply.body.splice(0..0, *b"\xef\xbb\xbf");
        }
        FaultKind::GzipLie => reply.headers.push(("content-encoding", "gzip".to_owned())),
        _ => {}
    }
}

/// An HTTP date.
pub(super) fn http_date(at: DateTime<Utc>) -> String {
    at.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// The answer's head, line by line, and its body, as they stand on the wire; the connection ends with it.
fn on_the_wire(reply: &Reply, now: DateTime<Utc>) -> (Vec<u8>, Vec<u8>) {
    let mut head = format!(
        "HTTP/1.1 {} -\r\ncontent-type: {}\r\ndate: {}\r\ncontent-length: {}\r\nconnection: close\r\n",
        reply.status,
        reply.content_type,
        http_date(now),
        reply.body.len()
    );
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    (head.into_bytes(), reply.body.clone())
}

/// Sends the answer, as the fault (if any) lets it.
pub(super) async fn deliver(
    request: &HttpRequest,
    mut reply: Reply,
    fault: Option<&Fault>,
    now: DateTime<Utc>,
) -> HttpResponse {
    let mut now = now;
    if let Some(fault) = fault {
        damage(fault, &mut reply);
        let seconds =
            |otherwise: i64| Duration::from_secs(fault.seconds.unwrap_or(otherwise).unsigned_abs());
        match fault.kind {
            FaultKind::DateSkew => now += TimeDelta::seconds(fault.seconds.unwrap_or(3600)),
            FaultKind::SlowHeaders => {
                if let Some(connection) = request.conn_data::<Connection>() {
                    let whole = on_the_wire(&reply, now);
                    connection.dribble(whole, seconds(35)).await;
                }
            }
            FaultKind::Hang => tokio::time::sleep(seconds(300)).await,
            _ => {}
        }
    }
    let mut builder = HttpResponse::build(
        StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
    );
    builder
        .insert_header(("content-type", reply.content_type))
        .insert_header(("date", http_date(now)));
    for (name, value) in &reply.headers {
        builder.insert_header((*name, value.as_str()));
    }
    match fault.map(|fault| fault.kind) {
        Some(
            FaultKind::Close | FaultKind::LostAnswer | FaultKind::Hang | FaultKind::SlowHeaders,
        ) => builder.streaming(broken()),
        Some(FaultKind::Reset) => {
            if let Some(connection) = request.conn_data::<Connection>() {
                // Where this cannot be done, the connection is closed instead, which is as bad.
                let _ = connection.reset_on_close();
            }
            builder.streaming(broken())
        }
        Some(FaultKind::Truncate) => {
            let length = reply.body.len() as u64;
            reply.body.truncate(reply.body.len() / 2);
            builder
                .no_chunking(length.max(1))
                .streaming(half(Bytes::from(reply.body)))
        }
        Some(FaultKind::SlowBody) => {
            let length = reply.body.len() as u64;
            let seconds = fault
                .and_then(|fault| fault.seconds)
                .unwrap_or(60)
                .unsigned_abs();
            builder
                .no_chunking(length)
                .streaming(dripping(reply.body, seconds))
        }
        _ => builder.body(reply.body),
    }
}

/// Breaks before the first byte: actix then drops the connection without having flushed the head.
fn broken() -> impl futures_util::Stream<Item = Result<Bytes, std::io::Error>> {
    stream::once(std::future::ready(Err(std::io::Error::other(
        "the sandbox breaks the connection",
    ))))
}

/// Sends what there is, waits for it to leave, and breaks.
fn half(body: Bytes) -> impl futures_util::Stream<Item = Result<Bytes, std::io::Error>> {
    Box::pin(stream::unfold(Some(body), |rest| async move {
        match rest {
            Some(body) => Some((Ok(body), None)),
            None => {
                tokio::time::sleep(Duration::from_millis(50)).await;
                Some((
                    Err(std::io::Error::other("the sandbox breaks the connection")),
                    None,
                ))
            }
        }
    }))
}

/// Sends the body in twenty pieces over so many seconds.
fn dripping(
    body: Vec<u8>,
    seconds: u64,
) -> impl futures_util::Stream<Item = Result<Bytes, std::io::Error>> {
    let size = (body.len() / 20).max(1);
    let pause = Duration::from_millis(seconds * 50);
    Box::pin(stream::unfold(
        Bytes::from(body),
        move |mut rest| async move {
            if rest.is_empty() {
                return None;
            }
            tokio::time::sleep(pause).await;
            let piece = rest.split_to(size.min(rest.len()));
            Some((Ok(piece), rest))
        },
    ))
}
