//! The headers that every answer carries.

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{HttpResponse, web};

use super::Portal;

/// Other origins to which a form of this page may lead; stands in the response's extensions.
#[derive(Debug, Clone)]
pub(super) struct FormActions(pub(super) Vec<String>);

const FIXED: &[(&str, &str)] = &[
    ("x-content-type-options", "nosniff"),
    // `no-referrer` would make browsers send `Origin: null` with our own forms.
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("x-frame-options", "DENY"),
    (
        "permissions-policy",
        "camera=(), geolocation=(), microphone=(), payment=(), usb=(), browsing-topics=()",
    ),
];

fn policy(response: &HttpResponse) -> String {
    let extensions = response.extensions();
    let others = extensions
        .get::<FormActions>()
        .map(|actions| actions.0.join(" "))
        .unwrap_or_default();
    let gap = if others.is_empty() { "" } else { " " };
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; \
         form-action 'self'{gap}{others}; base-uri 'none'; object-src 'none'; frame-ancestors 'none'"
    )
}

fn put(response: &mut HttpResponse, is_https: bool) {
    let policy = policy(response);
    let headers = response.headers_mut();
    set(headers, "content-security-policy", &policy);
    for (name, value) in FIXED {
        set(headers, name, value);
    }
    if is_https {
        set(
            headers,
            "strict-transport-security",
            "max-age=31536000; includeSubDomains",
        );
    }
    if !headers.contains_key(header::CACHE_CONTROL) {
        set(headers, "cache-control", "no-store");
    }
}

fn set(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(HeaderName::from_static(name), value);
    }
}

/// Middleware: adds the headers, to errors as well.
///
/// # Errors
/// What the inner service answers, with headers.
pub async fn add(
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let is_https = request
        .app_data::<web::Data<Portal>>()
        .is_some_and(|portal| portal.settings.http.public_url.scheme() == "https");
    match next.call(request).await {
        Ok(mut response) => {
            put(response.response_mut(), is_https);
            Ok(response)
        }
        Err(error) => {
            let mut response = error.error_response();
            put(&mut response, is_https);
            Err(InternalError::from_response("drawn", response).into())
        }
    }
}
