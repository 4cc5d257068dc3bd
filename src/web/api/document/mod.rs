//! The API's document (OpenAPI 3.1), made from the route table and from the types that are really sent.
//!
//! Each line of the table brings its [`Described`]; what holds for all of them (tokens, rates, errors) is added here.

mod described;
mod examples;
pub mod problems;
mod taken;

use std::sync::OnceLock;

use actix_web::HttpResponse;
use actix_web::http::Method;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    ComponentsBuilder, HttpMethod, InfoBuilder, OpenApi, OpenApiBuilder, Paths, RefOr, Schema,
    SecurityRequirement, Server,
};

use super::{ROOT, routes, schemas};
use crate::web::{Answer, WebError};

pub use described::{Described, Group};
pub use examples::*;
pub use taken::{LeadChange, LinkedInResponse, SyncWish};

/// Where the document is, for everybody: it says nothing of what is stored here.
pub const PATH: &str = "/api/v1/openapi.json";

/// The name of the only security scheme.
const TOKEN: &str = "token";

/// Named schemas.
type Schemas = Vec<(String, RefOr<Schema>)>;

const ABOUT: &str = "\
What programs read and change in this portal, with a token instead of a session and JSON instead of pages.

**Tokens.** An Administrator makes one under Settings › API tokens, with a role and an end. It is sent with each request as \
`Authorization: Bearer lgc_…`, never in the address. *Read only* reads; *S2S Inbound* also changes what is marked so.

**Pages.** Lists give `data` and `next_cursor`. As long as that is not null there is more: ask again with the same parameters and \
`cursor` set to it. `limit` says how many records a page has.

**Versions.** Records that can change under you come with an `ETag`. Sent back in `If-None-Match` it saves the answer (304); a \
change must bring it in `If-Match`, and is refused (412) if the record is no longer that version.

**Errors** are `application/problem+json` (RFC 9457). `errors` says which parameter or member is wrong, and `request_id` (also in \
the header `X-Request-Id`) names the request in the portal’s log. Besides those that stand with each operation, every address \
answers 405 to methods that it does not know, 408 to a body that takes too long, 413 to a body of more than 256 KiB, 421 under another host name and 500 for a fault \
of the portal.

**Rate.** Each token may make as many requests a minute as whoever runs the portal allows, a sixth of them at once. 429 says in \
`Retry-After` after how many seconds to come back.

Every GET can be a HEAD. Members that have no value are null, not absent. More members may come: ignore those that you do not know.";

/// The document.
pub fn openapi() -> &'static OpenApi {
    static DOCUMENT: OnceLock<OpenApi> = OnceLock::new();
    DOCUMENT.get_or_init(build)
}

fn build() -> OpenApi {
    let mut schemas = schemas::words_and_identifiers();
    let mut paths = Paths::new();
    for line in routes::table() {
        let operation = (line.described)().operation(&line, &mut schemas);
        paths.add_path_operation(line.path, vec![http_method(&line.method)], operation);
    }
    problems::schemas(&mut schemas);
    let components = ComponentsBuilder::new()
        .schemas_from_iter(schemas)
        .responses_from_iter(problems::responses())
        .security_scheme(TOKEN, scheme());
    OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("Leadgen Connector")
                .version("1")
                .description(Some(ABOUT))
                .build(),
        )
        .servers(Some([Server::new(ROOT)]))
        .paths(paths)
        .components(Some(components.build()))
        .security(Some([SecurityRequirement::new::<_, [&str; 0], _>(
            TOKEN,
            [],
        )]))
        .tags(Some(Group::ALL.iter().map(|group| {
            TagBuilder::new()
                .name(group.name())
                .description(Some(group.about()))
                .build()
        })))
        .build()
}

fn scheme() -> SecurityScheme {
    SecurityScheme::Http(
        HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("lgc_ and 64 hexadecimal digits")
            .description(Some("A token of this portal, from Settings › API tokens."))
            .build(),
    )
}

/// The table knows no others.
fn http_method(method: &Method) -> HttpMethod {
    if *method == Method::POST {
        HttpMethod::Post
    } else if *method == Method::PATCH {
        HttpMethod::Patch
    } else {
        HttpMethod::Get
    }
}

/// GET /api/v1/openapi.json
///
/// # Errors
/// When the document cannot be written down.
pub async fn show() -> Answer {
    static TEXT: OnceLock<Option<String>> = OnceLock::new();
    let text = TEXT
        .get_or_init(|| openapi().to_json().ok())
        .as_deref()
        .ok_or_else(|| WebError::Internal("the API’s document cannot be written".to_owned()))?;
    Ok(HttpResponse::Ok()
        .content_type("application/json")
        .body(text))
}
