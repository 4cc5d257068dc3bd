//! The API's reference for people: the same document that programs get, as a page.

mod kinds;
mod operations;

use actix_web::http::StatusCode;
use actix_web::web::Data;
use askama::Template;
use utoipa::openapi::OpenApi;

use super::api::{ROOT, document};
use super::{Answer, Portal, Shell};
use kinds::{Member, is_named_apart, members};
use operations::OperationView;

/// Where the page is.
pub const PATH: &str = "/api/reference";

/// A part of a text: as it is, or code.
pub struct Piece {
    text: String,
    is_code: bool,
}

/// What stands between backticks is code.
fn pieces(text: &str) -> Vec<Piece> {
    text.split('`')
        .enumerate()
        .filter(|(_, part)| !part.is_empty())
        .map(|(number, part)| Piece {
            text: part.to_owned(),
            is_code: number % 2 == 1,
        })
        .collect()
}

/// A group of operations.
struct Section {
    name: String,
    about: String,
    operations: Vec<OperationView>,
}

/// A shape of data that has a name: a record with members, or a list of words.
struct NamedShape {
    name: String,
    about: Vec<Piece>,
    members: Vec<Member>,
}

#[derive(Template)]
#[template(path = "api_reference/show.html")]
struct ApiReferenceShow {
    shell: Shell,
    address: String,
    requests_per_minute: u32,
    sections: Vec<Section>,
    shapes: Vec<NamedShape>,
}

fn sections(document: &OpenApi, address: &str) -> Vec<Section> {
    let tags = document.tags.iter().flatten();
    tags.map(|tag| Section {
        name: tag.name.clone(),
        about: tag.description.clone().unwrap_or_default(),
        operations: operations::of_tag(document, &tag.name, address),
    })
    .collect()
}

fn shapes(document: &OpenApi) -> Vec<NamedShape> {
    let schemas = document.components.iter().flat_map(|all| &all.schemas);
    schemas
        .filter(|(_, schema)| is_named_apart(schema))
        .map(|(name, schema)| NamedShape {
            name: name.clone(),
            about: pieces(&kinds::about(schema)),
            members: members(document, schema),
        })
        .collect()
}

/// GET /api/reference
///
/// # Errors
/// When the page cannot be drawn.
pub async fn show(portal: Data<Portal>, shell: Shell) -> Answer {
    let public = portal.settings.http.public_url.as_str();
    let address = format!("{}{ROOT}", public.trim_end_matches('/'));
    let document = document::openapi();
    let page = ApiReferenceShow {
        shell,
        requests_per_minute: portal.settings.http.api_requests_per_minute,
        sections: sections(document, &address),
        shapes: shapes(document),
        address,
    };
    page.shell.render(StatusCode::OK, &page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_told_from_text() {
        let told: Vec<(String, bool)> = pieces("Send `If-Match`, then `ETag`")
            .into_iter()
            .map(|piece| (piece.text, piece.is_code))
            .collect();
        let expected = [
            ("Send ", false),
            ("If-Match", true),
            (", then ", false),
            ("ETag", true),
        ];
        assert_eq!(told, expected.map(|(text, code)| (text.to_owned(), code)));
    }

    #[test]
    fn every_operation_has_an_example_that_a_shell_takes_as_it_is() {
        let sections = sections(document::openapi(), "https://leads.example.com/api/v1");
        let operations: Vec<&OperationView> = sections
            .iter()
            .flat_map(|section| &section.operations)
            .collect();
        assert_eq!(operations.len(), crate::web::api::routes::table().len());
        for operation in operations {
            let curl = &operation.curl;
            assert!(curl.starts_with("curl "), "{curl}");
            assert!(!curl.contains('{') || curl.contains("--data"), "{curl}");
            assert_eq!(curl.matches('\'').count() % 2, 0, "{curl}");
        }
    }
}
