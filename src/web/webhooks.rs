//! `/webhooks/linkedin`: where LinkedIn tells about leads. No session, no cookie, no form token and never a redirect: a
//! delivery is believed for its signature alone, and answered in plain words.

use std::sync::{Arc, Mutex};

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, RETRY_AFTER};
use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};

use super::shell::Drawn;
use super::{Portal, body};
use crate::domain::rate::Rate;
use crate::sync::notifications::{self, Delivery, MAX_EVENT_BYTES, Receipt, SIGNATURE_HEADER};

/// Signed deliveries a minute that one process takes; LinkedIn sends the rest again, and the pull finds them anyway.
const DELIVERIES_PER_MINUTE: u32 = 6_000;
/// Challenges a minute; LinkedIn asks every two hours.
const CHALLENGES_PER_MINUTE: u32 = 120;

/// How far one kind of request has used up what it may ask of this process.
#[derive(Debug, Clone, Default)]
struct Flow(Arc<Mutex<Option<DateTime<Utc>>>>);

impl Flow {
    /// Takes one request; the error is how many seconds to wait.
    fn take(&self, per_minute: u32, now: DateTime<Utc>) -> Result<(), i64> {
        let mut point = self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let next = Rate::per_minute(per_minute)
            .take(*point, now)
            .map_err(|wait| wait.num_seconds().max(0) + 1)?;
        *point = Some(next);
        Ok(())
    }
}

/// The limits of the webhook.
#[derive(Debug, Clone, Default)]
pub struct Flows {
    deliveries: Flow,
    challenges: Flow,
}

fn plain(status: StatusCode, text: &'static str) -> HttpResponse {
    let mut response = HttpResponse::build(status)
        .insert_header((CONTENT_TYPE, "text/plain; charset=utf-8"))
        .body(text);
    response.extensions_mut().insert(Drawn);
    response
}

fn later(seconds: i64) -> HttpResponse {
    let mut response = plain(StatusCode::TOO_MANY_REQUESTS, "too many at once\n");
    response
        .headers_mut()
        .insert(RETRY_AFTER, seconds.max(1).into());
    response
}

/// One line and one number a delivery, with nothing of what it said.
fn count(outcome: &'static str) {
    metrics::counter!("leadgen_webhook_deliveries_total", "outcome" => outcome).increment(1);
    match outcome {
        "bad_signature" => {
            tracing::warn!(webhook.outcome = outcome, "a delivery was not taken")
        }
        _ => tracing::debug!(webhook.outcome = outcome, "a delivery"),
    }
}

/// LinkedIn's challenge: `?challengeCode=<uuid>`.
pub async fn challenge(portal: web::Data<Portal>, request: HttpRequest) -> HttpResponse {
    if let Err(seconds) = portal
        .webhook_flows
        .challenges
        .take(CHALLENGES_PER_MINUTE, portal.clock.now())
    {
        return later(seconds);
    }
    let code = url::form_urlencoded::parse(request.query_string().as_bytes())
        .find(|(name, _)| name == "challengeCode")
        .map(|(_, code)| code.into_owned());
    let Some(code) = code else {
        return plain(
            StatusCode::BAD_REQUEST,
            "LinkedIn's webhook: no challengeCode\n",
        );
    };
    match portal.connector.answer_challenge(&code) {
        Some(answer) => HttpResponse::Ok().json(answer),
        None if !portal.connector.is_configured() => plain(
            StatusCode::NOT_FOUND,
            "no LinkedIn app is configured here\n",
        ),
        None => plain(StatusCode::BAD_REQUEST, "the challengeCode is no UUID\n"),
    }
}

/// A delivery. It is answered as soon as it is kept.
pub async fn receive(portal: web::Data<Portal>, request: HttpRequest) -> HttpResponse {
    let body = body::bytes(&request);
    if body.len() > MAX_EVENT_BYTES {
        count("too_large");
        return plain(StatusCode::PAYLOAD_TOO_LARGE, "too large\n");
    }
    let signature = request
        .headers()
        .get(SIGNATURE_HEADER)
        .and_then(|value| value.to_str().ok());
    let event = match portal.connector.open_delivery(signature, &body) {
        Delivery::NotConfigured => {
            return plain(
                StatusCode::NOT_FOUND,
                "no LinkedIn app is configured here\n",
            );
        }
        Delivery::BadSignature => {
            count("bad_signature");
            return plain(StatusCode::UNAUTHORIZED, "the signature is wrong\n");
        }
        Delivery::OfAnotherKind => {
            count("other_kind");
            return plain(StatusCode::OK, "ignored\n");
        }
        Delivery::Event(event) => event,
    };
    let now = portal.clock.now();
    // After the signature: what strangers send must not use up LinkedIn's turn.
    if let Err(seconds) = portal
        .webhook_flows
        .deliveries
        .take(DELIVERIES_PER_MINUTE, now)
    {
        count("too_many");
        return later(seconds);
    }
    let id = portal.new_id().to_string();
    match notifications::take(&portal.store, event, id, now).await {
        Ok(receipt) => {
            count(match receipt {
                Receipt::Kept => "kept",
                Receipt::Known => "known",
                Receipt::OfUnknownAccount => "unknown_account",
            });
            if receipt == Receipt::Kept {
                portal.wake.notify_one();
            }
            plain(StatusCode::OK, "taken\n")
        }
        Err(error) => {
            tracing::warn!(error = %error, "a delivery could not be kept");
            count("not_kept");
            let mut response = plain(StatusCode::SERVICE_UNAVAILABLE, "busy\n");
            response.headers_mut().insert(RETRY_AFTER, 5.into());
            response
        }
    }
}
