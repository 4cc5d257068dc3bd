//! The page on which a person in the demo answers a form, to watch the lead arrive in the portal.

use std::collections::BTreeMap;
use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::header::LOCATION;
use actix_web::web::{self, Bytes, Data, Path, ServiceConfig};

use super::forms::{Form, FormQuestion, FormVersion, QuestionKind};
use super::html::{escape, page};
use super::reply::HTML;
use super::restli::Params;
use super::state::Sandbox;
use super::submissions::{Submission, submit};
use super::world::{OwnerKey, World};

type Shared = Data<Arc<Sandbox>>;

/// The routes of the page.
pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .route("/", web::get().to(home))
        .route("/sandbox", web::get().to(home))
        .route("/sandbox/", web::get().to(index))
        .route("/sandbox/forms/{id}", web::get().to(show))
        .route("/sandbox/forms/{id}", web::post().to(create));
}

fn answer(status: u16, content: String) -> HttpResponse {
    let status = actix_web::http::StatusCode::from_u16(status).unwrap_or_default();
    HttpResponse::build(status).content_type(HTML).body(content)
}

async fn home() -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((LOCATION, "/sandbox/"))
        .finish()
}

fn owner_name(world: &World, owner: OwnerKey) -> &'static str {
    match owner {
        OwnerKey::Account(id) => world.account(id).map_or("", |account| account.name),
        OwnerKey::Organization(id) => world.organization(id).map_or("", |page| page.name),
    }
}

async fn index(request: actix_web::HttpRequest, sandbox: Shared) -> HttpResponse {
    let history = sandbox.history();
    let world = &history.world;
    let submitted = Params::parse(request.query_string()).text("submitted").map(|id| {
        format!(
            "<p class=\"note\" role=\"status\"><strong>Submitted.</strong> The portal's next sync picks it up, or press Sync \
             submissions there. Response id: <code>{}</code></p>",
            escape(&id)
        )
    });
    let rows: String = world
        .forms
        .iter()
        .filter(|form| form.state == "PUBLISHED")
        .map(|form| {
            let kind = match form.owner {
                OwnerKey::Account(_) => "ad account",
                OwnerKey::Organization(_) => "page",
            };
            format!(
                "<tr><td><a href=\"/sandbox/forms/{}\">{}</a></td><td>{} <span class=\"hint\">({kind})</span></td></tr>",
                form.id,
                escape(&form.name),
                escape(owner_name(world, form.owner))
            )
        })
        .collect();
    let content = format!(
        "{}<p>Choose a Lead Gen form, answer it as a LinkedIn member would, and watch the lead arrive in the portal.</p>\
         <table><thead><tr><th>Form</th><th>Belongs to</th></tr></thead><tbody>{rows}</tbody></table>\
         <h2>Connecting by hand</h2><p>Client id <code>{}</code>, client secret <code>{}</code>, any loopback redirect URI.</p>",
        submitted.unwrap_or_default(),
        super::CLIENT_ID,
        super::CLIENT_SECRET
    );
    answer(200, page("Submit a new lead", &content))
}

fn no_form() -> HttpResponse {
    answer(
        404,
        page(
            "No such form",
            "<p>Go back to <a href=\"/sandbox/\">all forms</a>.</p>",
        ),
    )
}

/// What was typed, by field name; a choice may come several times.
type Typed = BTreeMap<String, Vec<String>>;

async fn show(id: Path<String>, sandbox: Shared) -> HttpResponse {
    let history = sandbox.history();
    let found = id
        .parse()
        .ok()
        .and_then(|id| history.world.form(id))
        .and_then(|form| Some((form, form.current()?)));
    match found {
        Some((form, version)) => answer(
            200,
            fill_page(&history.world, form, version, &Typed::new(), &[]),
        ),
        None => no_form(),
    }
}

async fn create(id: Path<String>, body: Bytes, sandbox: Shared) -> HttpResponse {
    let mut typed = Typed::new();
    for (name, value) in url::form_urlencoded::parse(&body) {
        typed
            .entry(name.into_owned())
            .or_default()
            .push(value.into_owned());
    }
    let submission = {
        let history = sandbox.history();
        let found = id
            .parse()
            .ok()
            .and_then(|id| history.world.form(id))
            .and_then(|form| Some((form, form.current()?)));
        let Some((form, version)) = found else {
            return no_form();
        };
        let problems = problems(version, &typed);
        if !problems.is_empty() {
            return answer(
                422,
                fill_page(&history.world, form, version, &typed, &problems),
            );
        }
        let answers = version
            .questions
            .iter()
            .filter_map(|question| {
                Some((
                    question.id.to_string(),
                    typed.get(&format!("q{}", question.id))?.join(","),
                ))
            })
            .collect();
        Submission {
            form_id: Some(form.id),
            answers,
            only_given: true,
            test: typed.contains_key("test"),
            guest: typed.contains_key("guest"),
            consents: Some(
                version
                    .consents
                    .iter()
                    .map(|consent| consent.id)
                    .filter(|id| typed.contains_key(&format!("c{id}")))
                    .collect(),
            ),
            ..Submission::default()
        }
    };
    match submit(&sandbox, &submission) {
        Some(id) => HttpResponse::SeeOther()
            .insert_header((LOCATION, format!("/sandbox/?submitted={id}")))
            .finish(),
        None => no_form(),
    }
}

/// LinkedIn checks only that required questions are answered, required consents given, and texts short enough.
fn problems(version: &FormVersion, typed: &Typed) -> Vec<(String, String)> {
    let mut problems = Vec::new();
    for question in &version.questions {
        let name = format!("q{}", question.id);
        let values = typed.get(&name).map(Vec::as_slice).unwrap_or_default();
        let empty = values.iter().all(|value| value.trim().is_empty());
        if question.required && empty {
            problems.push((name, format!("{}: an answer is needed.", question.text)));
        } else if let QuestionKind::Text(length) = question.kind
            && values
                .iter()
                .any(|value| value.chars().count() as i64 > length)
        {
            problems.push((
                name,
                format!("{}: at most {length} characters.", question.text),
            ));
        }
    }
    for consent in version.consents.iter().filter(|consent| consent.required) {
        let name = format!("c{}", consent.id);
        if !typed.contains_key(&name) {
            problems.push((name, format!("{}: this consent is needed.", consent.text)));
        }
    }
    problems
}

fn fill_page(
    world: &World,
    form: &Form,
    version: &FormVersion,
    typed: &Typed,
    problems: &[(String, String)],
) -> String {
    let list: String = problems
        .iter()
        .map(|(name, what)| format!("<li><a href=\"#{name}\">{}</a></li>", escape(what)))
        .collect();
    let summary = if list.is_empty() {
        String::new()
    } else {
        format!(
            "<div class=\"note\" role=\"alert\"><strong>Nothing was submitted yet.</strong><ul>{list}</ul></div>"
        )
    };
    let questions: String = version
        .questions
        .iter()
        .map(|question| question_field(question, typed))
        .collect();
    let consents: String = version
        .consents
        .iter()
        .map(|consent| {
            let name = format!("c{}", consent.id);
            check_box(&name, &consent.text, typed.contains_key(&name))
        })
        .collect();
    let consents = if consents.is_empty() {
        String::new()
    } else {
        format!("<fieldset><legend>Consent</legend>{consents}</fieldset>")
    };
    let content = format!(
        "{summary}<p>{} · version {} · <a href=\"/sandbox/\">all forms</a></p>\
         <form method=\"post\" action=\"/sandbox/forms/{}\">{questions}{consents}\
         <fieldset><legend>How it is sent</legend>{}{}</fieldset><button>Submit the lead</button></form>",
        escape(owner_name(world, form.owner)),
        version.version,
        form.id,
        check_box(
            "guest",
            "By a guest, without a LinkedIn account",
            typed.contains_key("guest")
        ),
        check_box("test", "As a test lead", typed.contains_key("test")),
    );
    page(&form.name, &content)
}

fn check_box(name: &str, text: &str, on: bool) -> String {
    format!(
        "<label><input type=\"checkbox\" id=\"{name}\" name=\"{name}\" value=\"1\"{}> {}</label>",
        if on { " checked" } else { "" },
        escape(text)
    )
}

fn question_field(question: &FormQuestion, typed: &Typed) -> String {
    let name = format!("q{}", question.id);
    let values = typed.get(&name).map(Vec::as_slice).unwrap_or_default();
    let value = values.first().map(String::as_str).unwrap_or_default();
    let text = escape(&question.text);
    let needed = if question.required {
        " <span class=\"hint\">(needed)</span>"
    } else {
        ""
    };
    match &question.kind {
        QuestionKind::Choice(options, several) => {
            let kind = if *several { "checkbox" } else { "radio" };
            let boxes: String = options
                .iter()
                .map(|(id, text)| {
                    let id = id.to_string();
                    format!(
                        "<label><input type=\"{kind}\" name=\"{name}\" value=\"{id}\"{}> {}</label>",
                        if values.contains(&id) { " checked" } else { "" },
                        escape(text)
                    )
                })
                .collect();
            format!("<fieldset id=\"{name}\"><legend>{text}{needed}</legend>{boxes}</fieldset>")
        }
        QuestionKind::Text(length) if *length > 300 => {
            format!(
                "<label for=\"{name}\">{text}{needed}</label><textarea id=\"{name}\" name=\"{name}\" rows=\"4\">{}</textarea>",
                escape(value)
            )
        }
        QuestionKind::Text(_) => format!(
            "<label for=\"{name}\">{text}{needed}</label><input type=\"text\" id=\"{name}\" name=\"{name}\" value=\"{}\">",
            escape(value)
        ),
    }
}
