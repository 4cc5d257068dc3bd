//! How an answer leaves when a fault strikes: late, damaged, or not at all.

use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::Bytes;
use futures_util::stream;

use super::exchange::{Answer, Ask};
use super::faults::{DataverseFault, DataverseFaultKind as Kind};
use super::state::Organization;

/// Waits, where the fault is a wait.
pub(super) async fn before(fault: &DataverseFault, organization: &Organization) {
    let seconds = match fault.kind {
        Kind::Hang => fault.seconds.unwrap_or(300),
        Kind::Slow => fault.seconds.unwrap_or(5),
        _ => return,
    };
    organization
        .hold(Duration::from_secs(u64::from(seconds)))
        .await;
}

/// The answer that a fault gives in the place of the real one, without the request being carried out.
pub(super) fn instead(fault: &DataverseFault, ask: &Ask) -> Option<Answer> {
    let page = |status: u16, text: &str| {
        let mut answer = Answer::nothing().with("content-type", "text/html; charset=utf-8");
        answer.status = status;
        answer.body =
            format!("<!DOCTYPE html><html><body><h1>{text}</h1></body></html>").into_bytes();
        answer
    };
    match fault.kind {
        // Within a batch it strikes a part.
        Kind::ThrottledPart => None,
        Kind::WrongOrganization => Some(page(404, "404 - File or directory not found.")),
        Kind::Status502 => Some(page(502, "502 - Web server received an invalid response.")),
        Kind::Status504 => {
            let mut answer = Answer::nothing();
            answer.status = 504;
            Some(answer)
        }
        Kind::Html => Some(page(200, "Sign in to your account")),
        Kind::Close | Kind::Hang => {
            let mut answer = Answer::nothing();
            answer.status = 0;
            Some(answer)
        }
        _ => fault.refusal().map(|refusal| refusal.answer(ask)),
    }
}

/// Sends the answer, as the fault (if any) lets it.
pub(super) fn respond(mut answer: Answer, fault: Option<&DataverseFault>) -> HttpResponse {
    let kind = fault.map(|fault| fault.kind);
    if kind == Some(Kind::CutJson) {
        answer.body.truncate(answer.body.len() * 2 / 3);
    }
    let mut builder =
        HttpResponse::build(StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK));
    for (name, value) in &answer.headers {
        builder.insert_header((*name, value.as_str()));
    }
    if matches!(kind, Some(Kind::Close | Kind::Hang | Kind::LostAnswer)) {
        // Breaks before the first byte: the connection is dropped without the end that TLS knows.
        let broken = std::io::Error::other("the sandbox breaks the connection");
        return builder.streaming(stream::once(std::future::ready(Err::<Bytes, _>(broken))));
    }
    builder.body(answer.body)
}
