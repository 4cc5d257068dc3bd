//! The table of the API: method, path, what the token must allow, handler. What is not here does not exist.

use std::rc::Rc;

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::middleware::{Next, from_fn};
use actix_web::{
    FromRequest, Handler, HttpMessage as _, HttpResponse, Responder, Route, guard, web,
};

use super::caller::Caller;
use super::document::Described;
use super::{ApiError, accounts, forms, leads, rules, submissions, sync_requests, sync_runs};
use crate::domain::access::Permission as P;
use crate::web::{Portal, WebError};

/// One line of the table.
#[derive(Debug, Clone)]
pub struct ApiRoute {
    /// GET, POST or PATCH; HEAD goes with GET.
    pub method: Method,
    /// The path's pattern below [`super::ROOT`].
    pub path: &'static str,
    /// What the token's role must allow.
    pub needs: P,
    /// What the document says of it.
    pub described: fn() -> Described,
}

struct Entry {
    line: ApiRoute,
    route: Route,
}

fn entry<F, Args>(
    method: Method,
    path: &'static str,
    needs: P,
    handler: F,
    described: fn() -> Described,
) -> Entry
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    let route = if method == Method::GET {
        web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
    } else {
        web::method(method.clone())
    };
    Entry {
        line: ApiRoute {
            method,
            path,
            needs,
            described,
        },
        route: route.to(handler),
    }
}

#[rustfmt::skip]
fn entries() -> Vec<Entry> {
    vec![
        entry(Method::GET,   "/leads",             P::ViewLeads,       leads::index, leads::describe_index),
        entry(Method::GET,   "/leads/{id}",        P::ViewLeads,       leads::show, leads::describe_show),
        entry(Method::PATCH, "/leads/{id}",        P::EditLeads,       leads::update, leads::describe_update),
        entry(Method::GET,   "/submissions",       P::ViewSubmissions, submissions::index, submissions::describe_index),
        entry(Method::GET,   "/submissions/{id}",  P::ViewSubmissions, submissions::show, submissions::describe_show),
        entry(Method::POST,  "/submissions",       P::WriteSyncedData, submissions::create, submissions::describe_create),
        entry(Method::POST,  "/submissions/{id}/retries", P::EditLeads, submissions::retry, submissions::describe_retry),
        entry(Method::GET,   "/accounts",          P::ViewAccounts,    accounts::index, accounts::describe_index),
        entry(Method::GET,   "/accounts/{id}",     P::ViewAccounts,    accounts::show, accounts::describe_show),
        entry(Method::GET,   "/forms",             P::ViewForms,       forms::index, forms::describe_index),
        entry(Method::GET,   "/forms/{id}",        P::ViewForms,       forms::show, forms::describe_show),
        entry(Method::GET,   "/sync-status",       P::ViewSyncStatus,  sync_runs::status, sync_runs::describe_status),
        entry(Method::GET,   "/sync-runs",         P::ViewSyncStatus,  sync_runs::index, sync_runs::describe_index),
        entry(Method::POST,  "/sync-runs",         P::WriteSyncedData, sync_requests::create, sync_requests::describe_create),
        entry(Method::GET,   "/sync-runs/{id}",    P::ViewSyncStatus,  sync_runs::show, sync_runs::describe_show),
        entry(Method::GET,   "/field-mappings",      P::ViewMappings,   rules::mappings, rules::describe_mappings),
        entry(Method::GET,   "/field-mappings/{id}", P::ViewMappings,   rules::mapping, rules::describe_mapping),
        entry(Method::GET,   "/matching-strategies", P::ViewStrategies, rules::strategies, rules::describe_strategies),
        entry(Method::GET,   "/matching-strategies/{id}", P::ViewStrategies, rules::strategy, rules::describe_strategy),
    ]
}

/// The lines, for the access test.
#[must_use]
pub fn table() -> Vec<ApiRoute> {
    entries().into_iter().map(|entry| entry.line).collect()
}

/// Registers the table: one resource per path, 405 for methods that a path does not know.
pub fn register(config: &mut web::ServiceConfig) {
    let mut entries = entries();
    // `{` sorts behind letters: fixed segments are tried before variable ones.
    entries.sort_by(|left, right| left.line.path.cmp(right.line.path));
    let mut entries = entries.into_iter().peekable();
    while let Some(first) = entries.next() {
        let path = first.line.path;
        let mut lines = vec![first.line];
        let mut resource = web::resource(path).route(first.route);
        while let Some(entry) = entries.next_if(|entry| entry.line.path == path) {
            lines.push(entry.line);
            resource = resource.route(entry.route);
        }
        let allowed = allow_header(&lines);
        let lines = Rc::new(lines);
        resource = resource.default_service(web::to(move || {
            let allowed = allowed.clone();
            async move { Err::<HttpResponse, _>(ApiError::Web(WebError::MethodNotAllowed(allowed))) }
        }));
        config.service(resource.wrap(from_fn(
            move |request: ServiceRequest, next: Next<BoxBody>| {
                let lines = Rc::clone(&lines);
                async move { admit(&lines, request, next).await }
            },
        )));
    }
}

fn allow_header(lines: &[ApiRoute]) -> String {
    let mut methods: Vec<&str> = Vec::new();
    for line in lines {
        if line.method == Method::GET {
            methods.push("HEAD");
        }
        methods.push(line.method.as_str());
    }
    methods.sort_unstable();
    methods.join(", ")
}

/// What the deployment's policy hides and blocks, as on the pages: what was read at LinkedIn, and reading it. Leads stay.
const ABOUT_LINKEDIN: [&str; 5] = [
    "submissions",
    "accounts",
    "forms",
    "sync-status",
    "sync-runs",
];

/// Whether a path of the table leads to a LinkedIn feature.
#[must_use]
pub fn is_about_linkedin(path: &str) -> bool {
    let mut segments = path.trim_start_matches('/').split('/');
    segments
        .next()
        .is_some_and(|head| ABOUT_LINKEDIN.contains(&head))
}

/// Whether the deployment blocks this line.
fn is_blocked(line: &ApiRoute, request: &ServiceRequest) -> bool {
    is_about_linkedin(line.path)
        && request
            .app_data::<web::Data<Portal>>()
            .is_some_and(|portal| portal.connector.deployment().hides_linkedin())
}

async fn admit(
    lines: &[ApiRoute],
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let method = if request.method() == Method::HEAD {
        &Method::GET
    } else {
        request.method()
    };
    let refusal = match lines.iter().find(|line| line.method == *method) {
        // The default service says which methods there are.
        None => None,
        Some(line) => match request.extensions().get::<Caller>() {
            None => Some(ApiError::Unauthorized(None)),
            Some(caller) if !caller.token.role.allows(line.needs) => {
                Some(ApiError::Forbidden(line.needs))
            }
            Some(_) if is_blocked(line, &request) => {
                Some(ApiError::Web(WebError::HiddenByDeployment))
            }
            Some(_) => None,
        },
    };
    match refusal {
        None => next.call(request).await,
        Some(error) => Ok(request.error_response(error)),
    }
}

/// What is not in the table.
///
/// # Errors
/// Always `NotFound`.
pub async fn unknown() -> super::ApiAnswer {
    Err(WebError::NotFound.into())
}
