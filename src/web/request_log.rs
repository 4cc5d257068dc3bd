//! One span, one log line and one measurement for every request; nothing personal in any of them.

use std::time::Instant;

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{HttpMessage, HttpRequest};
use tracing::Instrument;
use uuid::Uuid;

/// Names a request in the log, in the audit log and on error pages; stands in the request's extensions.
#[derive(Debug, Clone)]
pub struct RequestId(String);

impl RequestId {
    /// The id of this request.
    #[must_use]
    pub fn of(request: &HttpRequest) -> String {
        request
            .extensions()
            .get::<Self>()
            .map(|id| id.0.clone())
            .unwrap_or_default()
    }
}

/// Middleware: the outermost one.
///
/// # Errors
/// What the inner service answers.
pub async fn observe(
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let id = Uuid::new_v4().simple().to_string();
    request.extensions_mut().insert(RequestId(id.clone()));
    let method = request.method().as_str().to_owned();
    let span = tracing::info_span!(
        "request",
        request.id = %id,
        http.method = %method,
        user.id = tracing::field::Empty,
        token.id = tracing::field::Empty,
    );
    let begun = Instant::now();
    let outcome = next.call(request).instrument(span.clone()).await;
    let elapsed = begun.elapsed();
    // The pattern, never the path: a path may hold what somebody typed.
    let (status, pattern) = match &outcome {
        Ok(response) => (
            response.status().as_u16(),
            response
                .request()
                .match_pattern()
                .unwrap_or_else(|| "(none)".to_owned()),
        ),
        Err(error) => (
            error.as_response_error().status_code().as_u16(),
            "(none)".to_owned(),
        ),
    };
    span.in_scope(|| {
        tracing::info!(
            http.route = %pattern,
            http.status = status,
            duration_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
            "answered"
        );
    });
    let labels = [
        ("method", known_method(&method)),
        ("route", pattern),
        ("status", status.to_string()),
    ];
    metrics::counter!("leadgen_http_requests_total", &labels).increment(1);
    metrics::histogram!("leadgen_http_request_seconds", &labels).record(elapsed.as_secs_f64());
    let id = HeaderValue::from_str(&id).ok();
    outcome.map(|mut response| {
        if let Some(id) = id {
            response
                .headers_mut()
                .insert(HeaderName::from_static("x-request-id"), id);
        }
        response
    })
}

/// Any text may stand for a method; the measurements only know these.
fn known_method(method: &str) -> String {
    match method {
        "GET" | "HEAD" | "POST" | "PATCH" => method.to_owned(),
        _ => "other".to_owned(),
    }
}
