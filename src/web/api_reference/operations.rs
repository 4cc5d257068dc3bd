//! The operations of the document as the page shows them.

use actix_web::http::StatusCode;
use serde_json::Value;
use utoipa::openapi::path::{Operation, Parameter, ParameterIn, PathItem};
use utoipa::openapi::{Content, OpenApi, RefOr, Required, Response};

use super::kinds::{Kind, kind, members};
use super::{Member, Piece, pieces};

/// A parameter.
pub struct ParameterView {
    /// Its name.
    pub name: String,
    /// Where it is sent.
    pub place: &'static str,
    /// What it is.
    pub kind: Kind,
    /// Whether it must be sent.
    pub is_required: bool,
    /// What it means.
    pub about: Vec<Piece>,
}

/// What is sent.
pub struct BodyView {
    /// What it means.
    pub about: Vec<Piece>,
    /// As which of these.
    pub media_types: Vec<String>,
    /// Its members.
    pub members: Vec<Member>,
    /// An example.
    pub example: String,
}

/// An answer.
pub struct AnswerView {
    /// Its status.
    pub status: u16,
    /// The status in words.
    pub title: &'static str,
    /// When it is answered.
    pub about: Vec<Piece>,
    /// What it is, unless there is nothing in it.
    pub kind: Option<Kind>,
    /// The headers that it carries.
    pub headers: Vec<String>,
    /// An example, if it is no error.
    pub example: Option<String>,
}

/// An operation.
pub struct OperationView {
    /// Its name, which is its place on the page, too.
    pub id: String,
    /// GET, POST or PATCH.
    pub method: &'static str,
    /// Its path below the root.
    pub path: String,
    /// What it does.
    pub summary: String,
    /// What else is to be known.
    pub about: Vec<Piece>,
    /// What it takes in address and headers.
    pub parameters: Vec<ParameterView>,
    /// What it takes otherwise.
    pub body: Option<BodyView>,
    /// What it answers.
    pub answers: Vec<AnswerView>,
    /// The request at the command line.
    pub curl: String,
}

/// The operations of one group, in the order of the route table.
pub fn of_tag(document: &OpenApi, tag: &str, address: &str) -> Vec<OperationView> {
    let items = document.paths.paths.iter();
    items
        .flat_map(|(path, item)| heads(item).into_iter().map(move |head| (path, head)))
        .filter(|(_, (_, operation))| {
            let mut tags = operation.tags.iter().flatten();
            tags.any(|of| of == tag)
        })
        .map(|(path, (method, operation))| view(document, address, path, method, operation))
        .collect()
}

fn heads(item: &PathItem) -> Vec<(&'static str, &Operation)> {
    [
        ("GET", &item.get),
        ("POST", &item.post),
        ("PATCH", &item.patch),
    ]
    .into_iter()
    .filter_map(|(method, operation)| Some((method, operation.as_ref()?)))
    .collect()
}

fn view(
    document: &OpenApi,
    address: &str,
    path: &str,
    method: &'static str,
    operation: &Operation,
) -> OperationView {
    let body = body(document, operation);
    OperationView {
        id: operation.operation_id.clone().unwrap_or_default(),
        method,
        path: path.to_owned(),
        summary: operation.summary.clone().unwrap_or_default(),
        about: pieces(operation.description.as_deref().unwrap_or_default()),
        parameters: parameters(operation)
            .map(|parameter| parameter_view(document, parameter))
            .collect(),
        answers: answers(document, operation),
        curl: curl(
            document,
            operation,
            method,
            &format!("{address}{path}"),
            body.as_ref(),
        ),
        body,
    }
}

fn parameters(operation: &Operation) -> impl Iterator<Item = &Parameter> {
    let all = operation.parameters.iter().flatten();
    all.filter_map(|parameter| match parameter {
        RefOr::T(parameter) => Some(parameter),
        RefOr::Ref(_) => None,
    })
}

fn parameter_view(document: &OpenApi, parameter: &Parameter) -> ParameterView {
    let kind = parameter
        .schema
        .as_ref()
        .map(|schema| kind(document, schema));
    ParameterView {
        name: parameter.name.clone(),
        place: match parameter.parameter_in {
            ParameterIn::Path => "path",
            ParameterIn::Header => "header",
            _ => "query",
        },
        kind: kind.unwrap_or(Kind {
            words: "text".to_owned(),
            shape: None,
        }),
        is_required: parameter.required == Required::True,
        about: pieces(parameter.description.as_deref().unwrap_or_default()),
    }
}

fn body(document: &OpenApi, operation: &Operation) -> Option<BodyView> {
    let RefOr::T(body) = operation.request_body.as_ref()? else {
        return None;
    };
    let content = body.content.values().next().and_then(plain)?;
    Some(BodyView {
        about: pieces(body.description.as_deref().unwrap_or_default()),
        media_types: body.content.keys().cloned().collect(),
        members: members(document, content.schema.as_ref()?),
        example: example(content)?,
    })
}

fn plain(content: &RefOr<Content>) -> Option<&Content> {
    match content {
        RefOr::T(content) => Some(content),
        RefOr::Ref(_) => None,
    }
}

fn example(content: &Content) -> Option<String> {
    serde_json::to_string_pretty(content.example.as_ref()?).ok()
}

fn answers(document: &OpenApi, operation: &Operation) -> Vec<AnswerView> {
    let all = operation.responses.responses.iter();
    all.filter_map(|(status, response)| answer(document, status.parse().ok()?, response))
        .collect()
}

fn answer(document: &OpenApi, status: u16, response: &RefOr<Response>) -> Option<AnswerView> {
    let response = match response {
        RefOr::T(response) => response,
        RefOr::Ref(reference) => {
            let name = reference.ref_location.rsplit('/').next()?;
            match document.components.as_ref()?.responses.get(name)? {
                RefOr::T(response) => response,
                RefOr::Ref(_) => return None,
            }
        }
    };
    let content = response.content.values().next().and_then(plain);
    let schema = content.and_then(|content| content.schema.as_ref());
    Some(AnswerView {
        status,
        title: StatusCode::from_u16(status).ok()?.canonical_reason()?,
        about: pieces(&response.description),
        kind: schema.map(|schema| kind(document, schema)),
        headers: response.headers.keys().cloned().collect(),
        example: content.filter(|_| status < 400).and_then(example),
    })
}

/// An id as the examples have it: the one of the record that is answered.
fn example_id(document: &OpenApi, operation: &Operation) -> String {
    let answers = operation.responses.responses.values();
    answers
        .filter_map(|response| match response {
            RefOr::T(response) => response.content.values().next().and_then(plain),
            RefOr::Ref(_) => None,
        })
        .find_map(|content| content.example.as_ref()?.get("id")?.as_str())
        .map_or_else(|| document.info.version.clone(), str::to_owned)
}

fn curl(
    document: &OpenApi,
    operation: &Operation,
    method: &str,
    address: &str,
    body: Option<&BodyView>,
) -> String {
    let address = address.replace("{id}", &example_id(document, operation));
    let mut lines = vec![match method {
        "GET" => "curl".to_owned(),
        other => format!("curl -X {other}"),
    }];
    lines.push("-H \"Authorization: Bearer $TOKEN\"".to_owned());
    if parameters(operation).any(|parameter| parameter.name == "If-Match") {
        lines.push("-H 'If-Match: \"3\"'".to_owned());
    }
    if let Some(body) = body {
        lines.push("-H 'Content-Type: application/json'".to_owned());
        lines.push(format!("--data '{}'", one_line(&body.example)));
    }
    let takes_pages = parameters(operation).any(|parameter| parameter.name == "limit");
    let query = if takes_pages { "?limit=100" } else { "" };
    lines.push(format!("\"{address}{query}\""));
    lines.join(" \\\n  ")
}

fn one_line(example: &str) -> String {
    serde_json::from_str::<Value>(example)
        .map(|value| value.to_string())
        .unwrap_or_default()
}
