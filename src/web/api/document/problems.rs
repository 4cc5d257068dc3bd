//! The errors in the document: each status once, to which the operations point.

use actix_web::http::StatusCode;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::{ContentBuilder, Object, Ref, Response, Type};
use utoipa::{PartialSchema as _, ToSchema};

use super::Schemas;
use crate::web::api::problem::{FieldProblem, MEDIA_TYPE, Problem};

/// Status, when it is answered, and an example's detail.
const PROBLEMS: &[(u16, &str, &str)] = &[
    (
        400,
        "A parameter or the body cannot be read.",
        "“limit” is a number from 1 to 200.",
    ),
    (
        401,
        "No token was sent, or it does not work (any more).",
        "There is no such token.",
    ),
    (
        403,
        "The token’s role does not allow it, or the deployment has switched LinkedIn features off.",
        "The token’s role does not allow to edit leads.",
    ),
    (
        404,
        "There is no such record.",
        "There is no such resource.",
    ),
    (
        406,
        "The request accepts no JSON.",
        "Only application/json can be answered.",
    ),
    (
        409,
        "What is stored here does not allow it now; the detail says why. Nothing was changed.",
        "There is nothing to try again: only what failed or has no lead, and was not set aside, is tried.",
    ),
    (
        412,
        "The record is no longer the version in `If-Match`. Nothing was changed.",
        "The record was changed meanwhile. Nothing was changed. Get it again, then repeat the change if it is still needed.",
    ),
    (
        413,
        "The body is larger than 256 KiB.",
        "The body is too large.",
    ),
    (
        415,
        "The body does not say that it is JSON.",
        "Send the body as application/json.",
    ),
    (
        422,
        "The body is JSON, but says what cannot be. Nothing was changed.",
        "The body holds what cannot be. Nothing was changed.",
    ),
    (
        428,
        "`If-Match` is missing.",
        "Send If-Match with the ETag of the record that the change was made from.",
    ),
    (
        429,
        "The token asked too often.",
        "The token asked too often. Try again in 5 seconds.",
    ),
    (
        503,
        "The portal is busy.",
        "The portal is busy. Try again in some seconds.",
    ),
];

fn title(status: u16) -> &'static str {
    StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason())
        .unwrap_or("Error")
}

/// The name under which the document keeps this error.
fn name(status: u16) -> String {
    title(status).replace(' ', "")
}

/// What an operation says that may answer this error.
pub fn reference(status: u16) -> Ref {
    Ref::from_response_name(name(status))
}

/// The errors by name.
pub fn responses() -> Vec<(String, Response)> {
    PROBLEMS
        .iter()
        .map(|(status, when, detail)| (name(*status), response(*status, when, detail)))
        .collect()
}

fn response(status: u16, when: &str, detail: &str) -> Response {
    let field = match status {
        400 => Some(("limit", detail)),
        422 => Some(("status", "One of: new, contacted, qualified, disqualified.")),
        _ => None,
    };
    let example = Problem::example(status, title(status), detail, field);
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name(Problem::name())))
        .example(serde_json::to_value(example).ok());
    let response = ResponseBuilder::new()
        .description(when)
        .content(MEDIA_TYPE, content.build());
    match status {
        401 | 403 => response.header(
            "WWW-Authenticate",
            HeaderBuilder::new()
                .schema(Some(Object::with_type(Type::String)))
                .description(Some("How to ask (RFC 6750)."))
                .build(),
        ),
        429 | 503 => response.header(
            "Retry-After",
            HeaderBuilder::new()
                .schema(Some(Object::with_type(Type::Integer)))
                .description(Some("After how many seconds to come back."))
                .build(),
        ),
        _ => response,
    }
    .build()
}

/// The schemas of an error.
pub fn schemas(schemas: &mut Schemas) {
    schemas.push((Problem::name().into_owned(), Problem::schema()));
    schemas.push((FieldProblem::name().into_owned(), FieldProblem::schema()));
}
