//! The controls over HTTPS, for an organization in another process, and the page that shows which leads arrived.
//!
//! | request | does |
//! |---|---|
//! | `GET /sandbox/` | the page |
//! | `GET /sandbox/records/{table}` | every record of a table: `lead`, `contact` … |
//! | `PATCH`, `DELETE /sandbox/records/{table}/{id}` | a person in the organization makes or changes a record (`{"statecode":2,"statuscode":7}`), or deletes it |
//! | `GET`, `DELETE /sandbox/requests` | the log of requests |
//! | `GET`, `POST`, `DELETE /sandbox/faults`, `DELETE /sandbox/faults/{number}` | faults: `{"kind":"500","path":…,"method":…,"times":…,"skip":…,"seconds":…}` |
//! | `GET`, `POST /sandbox/settings` | the switches; a JSON object is merged into them |
//! | `GET`, `POST /sandbox/clock` | `{"advance_seconds":60}` |
//! | `DELETE /sandbox/tokens` | every access token ends |
//! | `POST /sandbox/certificates` | a certificate (PEM) with which the application may sign in |

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::web::{self, Bytes, Data, Path, ServiceConfig};
use serde_json::{Value, json};
use uuid::Uuid;

use super::super::html::{escape, frame};
use super::exchange::{Ask, Refusal};
use super::faults::DataverseFault;
use super::state::{DataverseSettings, Organization};
use super::{people, query};

type Shared = Data<Arc<Organization>>;

/// How many leads the page shows.
const SHOWN: usize = 100;

/// The routes below `/sandbox/`.
pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .route("/", web::get().to(overview))
        .route("/sandbox/", web::get().to(overview))
        .route("/sandbox/records/{table}", web::get().to(records))
        .route(
            "/sandbox/records/{table}/{id}",
            web::patch().to(person_changes),
        )
        .route(
            "/sandbox/records/{table}/{id}",
            web::delete().to(person_deletes),
        )
        .route("/sandbox/requests", web::get().to(requests))
        .route("/sandbox/requests", web::delete().to(forget_requests))
        .route("/sandbox/faults", web::get().to(faults))
        .route("/sandbox/faults", web::post().to(add_fault))
        .route("/sandbox/faults", web::delete().to(clear_faults))
        .route("/sandbox/faults/{number}", web::delete().to(remove_fault))
        .route("/sandbox/settings", web::get().to(settings))
        .route("/sandbox/settings", web::post().to(change_settings))
        .route("/sandbox/clock", web::get().to(clock))
        .route("/sandbox/clock", web::post().to(move_clock))
        .route("/sandbox/tokens", web::delete().to(end_tokens))
        .route("/sandbox/certificates", web::post().to(trust));
}

fn ok(value: &impl serde::Serialize) -> HttpResponse {
    HttpResponse::Ok().json(value)
}

fn refuse(status: u16, what: &str) -> HttpResponse {
    let body = json!({ "error": what });
    match status {
        404 => HttpResponse::NotFound().json(body),
        _ => HttpResponse::BadRequest().json(body),
    }
}

async fn overview(organization: Shared) -> HttpResponse {
    let data = organization.data();
    let leads = data.table("lead");
    let count = leads.map_or(0, |leads| leads.rows().len());
    let mut content = String::new();
    if count == 0 {
        content.push_str("<p>No lead has arrived yet. Connect the portal to this organization and deliver one.</p>");
    } else {
        content.push_str(&format!(
            "<p>Leads that arrived: {count}. The newest are first; the page shows up to {SHOWN}.</p><ul>"
        ));
        for id in leads.into_iter().flat_map(|leads| leads.newest(SHOWN)) {
            content.push_str(&format!("<li>{}</li>", escape(&told(&data, id))));
        }
        content.push_str("</ul>");
    }
    let page = frame(
        "Leads in the organization",
        "Dataverse sandbox",
        "Sandbox: this is not Dynamics 365. Everybody here is invented.",
        &content,
    );
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .body(page)
}

/// A lead in one line.
fn told(data: &super::data::Data, id: uuid::Uuid) -> String {
    let Some(row) = data.table("lead").and_then(|table| table.row(id)) else {
        return id.to_string();
    };
    let mut parts: Vec<String> = [
        "fullname",
        "companyname",
        "emailaddress1",
        "subject",
        "createdon",
    ]
    .iter()
    .filter_map(|name| row.values.get(*name))
    .map(|cell| match cell.json() {
        Value::String(text) => text,
        other => other.to_string(),
    })
    .collect();
    parts.push(id.to_string());
    parts.join(" · ")
}

async fn records(table: Path<String>, organization: Shared) -> HttpResponse {
    let data = organization.data();
    let Some(table) = data.table(&table) else {
        return refuse(404, "no such table");
    };
    ok(&query::everything(&data, table, &Ask::default()))
}

async fn person_changes(
    path: Path<(String, String)>,
    body: Bytes,
    organization: Shared,
) -> HttpResponse {
    let (table, id) = path.into_inner();
    let Ok(id) = Uuid::try_parse(&id) else {
        return refuse(404, "no such record");
    };
    match serde_json::from_slice(&body) {
        Ok(body) => acted(people::change(&organization, &table, id, &body)),
        Err(error) => refuse(400, &error.to_string()),
    }
}

async fn person_deletes(path: Path<(String, String)>, organization: Shared) -> HttpResponse {
    let (table, id) = path.into_inner();
    let Ok(id) = Uuid::try_parse(&id) else {
        return refuse(404, "no such record");
    };
    acted(people::delete(&organization, &table, id))
}

fn acted(outcome: Result<(), Refusal>) -> HttpResponse {
    match outcome {
        Ok(()) => ok(&json!({})),
        Err(refusal) => refuse(refusal.status, &refusal.message),
    }
}

async fn requests(organization: Shared) -> HttpResponse {
    ok(&organization.requests())
}

async fn forget_requests(organization: Shared) -> HttpResponse {
    organization.clear_requests();
    ok(&json!({}))
}

async fn faults(organization: Shared) -> HttpResponse {
    let active: Vec<Value> = organization
        .faults()
        .list()
        .into_iter()
        .map(|(number, fault)| json!({ "number": number, "fault": fault }))
        .collect();
    ok(&active)
}

async fn add_fault(body: Bytes, organization: Shared) -> HttpResponse {
    match serde_json::from_slice::<DataverseFault>(&body) {
        Ok(fault) => ok(&json!({ "number": organization.faults().add(fault) })),
        Err(error) => refuse(400, &error.to_string()),
    }
}

async fn clear_faults(organization: Shared) -> HttpResponse {
    organization.clear_faults();
    ok(&json!({}))
}

async fn remove_fault(number: Path<String>, organization: Shared) -> HttpResponse {
    let removed = number
        .parse()
        .is_ok_and(|number| organization.faults().remove(number));
    if removed {
        ok(&json!({}))
    } else {
        refuse(404, "no such fault")
    }
}

async fn settings(organization: Shared) -> HttpResponse {
    ok(&*organization.settings())
}

async fn change_settings(body: Bytes, organization: Shared) -> HttpResponse {
    let merged = serde_json::to_value(&*organization.settings()).and_then(|mut known| {
        let changes: serde_json::Map<String, Value> = serde_json::from_slice(&body)?;
        if let Some(known) = known.as_object_mut() {
            known.extend(changes);
        }
        serde_json::from_value::<DataverseSettings>(known)
    });
    match merged {
        Ok(settings) => {
            organization.set_settings(settings.clone());
            ok(&settings)
        }
        Err(error) => refuse(400, &error.to_string()),
    }
}

async fn clock(organization: Shared) -> HttpResponse {
    ok(&json!({ "now": organization.now() }))
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct MoveClock {
    advance_seconds: i64,
}

async fn move_clock(body: Bytes, organization: Shared) -> HttpResponse {
    match serde_json::from_slice::<MoveClock>(&body) {
        Ok(by) => {
            organization.advance_ms(by.advance_seconds.saturating_mul(1000));
            clock(organization).await
        }
        Err(error) => refuse(400, &error.to_string()),
    }
}

async fn end_tokens(organization: Shared) -> HttpResponse {
    organization.end_tokens();
    ok(&json!({}))
}

async fn trust(body: String, organization: Shared) -> HttpResponse {
    match organization.trust(&body) {
        Ok(()) => ok(&json!({})),
        Err(what) => refuse(400, &what),
    }
}
