//! The controls over HTTP, for a sandbox in another process. JSON in, JSON out; 400 says what is wrong with the request.
//!
//! | request | does |
//! |---|---|
//! | `GET /sandbox/world` | members, roles, accounts, pages, forms with their questions, the time |
//! | `GET /sandbox/truth?account=&organization=&test=&readable=` | every response as it is |
//! | `GET`, `DELETE /sandbox/requests` | the log of requests |
//! | `GET`, `POST`, `DELETE /sandbox/faults`, `DELETE /sandbox/faults/{number}` | faults: `{"kind":"429…","path":…,"owner":…,"times":…,"skip":…,"probability":…,"seconds":…}` |
//! | `POST /sandbox/submissions`, `DELETE /sandbox/submissions/{id}` | a new lead ([`Submission`]), a lead that is gone |
//! | `GET`, `DELETE /sandbox/subscriptions` | who subscribed to notifications, with how many are on their way; forgets them |
//! | `POST /sandbox/forms/{id}/versions` | the form is edited: a new version |
//! | `GET`, `POST /sandbox/clock` | `{"advance_seconds":60}` |
//! | `POST /sandbox/roles` | `{"member":…,"account":… or "organization":…,"role":… or null}` |
//! | `POST /sandbox/tokens` | `{"action":"withdraw"}` or `{"action":"expire"}` |
//! | `GET`, `POST /sandbox/settings` | the switches; a JSON object is merged into them |

use std::sync::Arc;

use actix_web::web::{self, Bytes, Data, Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::control::TruthFilter;
use super::faults::Fault;
use super::state::Sandbox;
use super::submissions::{Submission, submit};

type Shared = Data<Arc<Sandbox>>;

/// The routes below `/sandbox/`, without the page.
pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .route("/sandbox/world", web::get().to(world))
        .route("/sandbox/truth", web::get().to(truth))
        .route("/sandbox/requests", web::get().to(requests))
        .route("/sandbox/requests", web::delete().to(forget_requests))
        .route("/sandbox/faults", web::get().to(faults))
        .route("/sandbox/faults", web::post().to(add_fault))
        .route("/sandbox/faults", web::delete().to(clear_faults))
        .route("/sandbox/faults/{number}", web::delete().to(remove_fault))
        .route("/sandbox/submissions", web::post().to(add_submission))
        .route(
            "/sandbox/submissions/{id}",
            web::delete().to(delete_submission),
        )
        .route("/sandbox/subscriptions", web::get().to(subscriptions))
        .route(
            "/sandbox/subscriptions",
            web::delete().to(forget_subscriptions),
        )
        .route("/sandbox/forms/{id}/versions", web::post().to(edit_form))
        .route("/sandbox/clock", web::get().to(clock))
        .route("/sandbox/clock", web::post().to(move_clock))
        .route("/sandbox/roles", web::post().to(set_role))
        .route("/sandbox/tokens", web::post().to(change_tokens))
        .route("/sandbox/settings", web::get().to(settings))
        .route("/sandbox/settings", web::post().to(change_settings));
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

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| error.to_string())
}

async fn world(sandbox: Shared) -> HttpResponse {
    ok(&sandbox.world_json())
}

async fn truth(request: HttpRequest, sandbox: Shared) -> HttpResponse {
    match serde_html_form::from_str::<TruthFilter>(request.query_string()) {
        Ok(filter) => ok(&sandbox.truth(filter)),
        Err(error) => refuse(400, &error.to_string()),
    }
}

async fn requests(sandbox: Shared) -> HttpResponse {
    ok(&sandbox.requests())
}

async fn forget_requests(sandbox: Shared) -> HttpResponse {
    sandbox.clear_requests();
    ok(&json!({}))
}

async fn faults(sandbox: Shared) -> HttpResponse {
    let active = sandbox.faults().list();
    let active: Vec<Value> = active
        .into_iter()
        .map(|(number, fault)| json!({ "number": number, "fault": fault }))
        .collect();
    ok(&active)
}

async fn add_fault(body: Bytes, sandbox: Shared) -> HttpResponse {
    match read::<Fault>(&body) {
        Ok(fault) => ok(&json!({ "number": sandbox.faults().add(fault) })),
        Err(what) => refuse(400, &what),
    }
}

async fn clear_faults(sandbox: Shared) -> HttpResponse {
    sandbox.faults().clear();
    ok(&json!({}))
}

async fn remove_fault(number: Path<String>, sandbox: Shared) -> HttpResponse {
    let removed = number
        .parse()
        .is_ok_and(|number| sandbox.faults().remove(number));
    if removed {
        ok(&json!({}))
    } else {
        refuse(404, "no such fault")
    }
}

async fn add_submission(body: Bytes, sandbox: Shared) -> HttpResponse {
    match read::<Submission>(&body) {
        Ok(submission) => match submit(&sandbox, &submission) {
            Some(id) => ok(&json!({ "id": id })),
            None => refuse(400, "the submission names no form that there is"),
        },
        Err(what) => refuse(400, &what),
    }
}

async fn delete_submission(id: Path<String>, sandbox: Shared) -> HttpResponse {
    if sandbox.delete_response(&id) {
        ok(&json!({}))
    } else {
        refuse(404, "no such response")
    }
}

async fn subscriptions(sandbox: Shared) -> HttpResponse {
    let all: Vec<Value> = {
        let hooks = sandbox.hooks();
        let told = hooks.subscriptions.iter();
        told.map(|one| json!({ "id": one.id, "webhook": one.webhook }))
            .collect()
    };
    ok(&json!({ "subscriptions": all, "waiting": super::webhook::waiting(&sandbox) }))
}

async fn forget_subscriptions(sandbox: Shared) -> HttpResponse {
    sandbox.hooks().subscriptions.clear();
    ok(&json!({}))
}

async fn edit_form(id: Path<String>, sandbox: Shared) -> HttpResponse {
    match id.parse().ok().and_then(|id| sandbox.edit_form(id)) {
        Some(version) => ok(&json!({ "version": version })),
        None => refuse(404, "no such form"),
    }
}

async fn clock(sandbox: Shared) -> HttpResponse {
    ok(&json!({ "now_ms": sandbox.now_ms(), "now": sandbox.now() }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MoveClock {
    advance_seconds: i64,
}

async fn move_clock(body: Bytes, sandbox: Shared) -> HttpResponse {
    match read::<MoveClock>(&body) {
        Ok(by) => {
            sandbox.advance_ms(by.advance_seconds.saturating_mul(1000));
            clock(sandbox).await
        }
        Err(what) => refuse(400, &what),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetRole {
    member: String,
    account: Option<i64>,
    organization: Option<i64>,
    role: Option<String>,
}

async fn set_role(body: Bytes, sandbox: Shared) -> HttpResponse {
    let wanted: SetRole = match read(&body) {
        Ok(wanted) => wanted,
        Err(what) => return refuse(400, &what),
    };
    if sandbox.history().world.member(&wanted.member).is_none() {
        return refuse(400, "no such member");
    }
    match (wanted.account, wanted.organization) {
        (Some(account), None) => {
            sandbox.set_account_role(&wanted.member, account, wanted.role.as_deref())
        }
        (None, Some(page)) => sandbox.set_page_role(&wanted.member, page, wanted.role.as_deref()),
        _ => return refuse(400, "either account or organization is expected"),
    }
    ok(&json!({}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangeTokens {
    action: TokenAction,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum TokenAction {
    Withdraw,
    Expire,
}

async fn change_tokens(body: Bytes, sandbox: Shared) -> HttpResponse {
    match read::<ChangeTokens>(&body).map(|change| change.action) {
        Ok(TokenAction::Withdraw) => sandbox.withdraw_all(),
        Ok(TokenAction::Expire) => {
            let now = sandbox.now().timestamp();
            sandbox.tokens().expire_all(now);
        }
        Err(what) => return refuse(400, &what),
    }
    ok(&json!({}))
}

async fn settings(sandbox: Shared) -> HttpResponse {
    ok(&sandbox.settings())
}

async fn change_settings(body: Bytes, sandbox: Shared) -> HttpResponse {
    match read::<Value>(&body).and_then(|changes| sandbox.merge_settings(changes)) {
        Ok(settings) => ok(&settings),
        Err(what) => refuse(400, &what),
    }
}
