//! Who may use which route: kept from the route table, before any handler runs.

use std::rc::Rc;

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::middleware::{Next, from_fn};
use actix_web::{FromRequest, Handler, HttpMessage, Responder, Route, guard, web};
use chrono::TimeDelta;

use super::shell::see_other;
use super::visitor::Visitor;
use super::{Portal, WebError, body, confirm, refusals, second_factor, sign_in, upload};
use crate::auth::{CurrentUser, sessions};
use crate::domain::access::Permission;

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Strangers, too.
    Public,
    /// Strangers, too, and nobody's session is looked for: documents for programs.
    Open,
    /// Machines whose message is signed: no session, no form token, never a redirect. The handler checks the signature.
    Signed,
    /// Everybody who is signed in, with whatever role or none.
    SignedIn,
    /// Those whose roles allow it.
    Needs(Permission),
}

/// One line of the route table.
#[derive(Debug, Clone)]
pub struct RouteInfo {
    /// GET or POST; HEAD goes with GET.
    pub method: Method,
    /// The path's pattern.
    pub path: &'static str,
    /// Who may use it.
    pub access: Access,
    /// Whether an open session is not enough: the person must have proved a short time ago who they are.
    pub is_fresh: bool,
}

/// One line with its handler.
pub struct Entry {
    /// The line.
    pub info: RouteInfo,
    route: Route,
}

impl Entry {
    /// The same line for those only who proved a short time ago who they are.
    #[must_use]
    pub fn fresh(mut self) -> Self {
        self.info.is_fresh = true;
        self
    }
}

/// A page.
pub fn get<F, Args>(path: &'static str, access: Access, handler: F) -> Entry
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    let is_read = guard::Any(guard::Get()).or(guard::Head());
    Entry {
        info: RouteInfo {
            method: Method::GET,
            path,
            access,
            is_fresh: false,
        },
        route: web::route().guard(is_read).to(handler),
    }
}

/// A change. The form token is checked before the handler runs.
pub fn post<F, Args>(path: &'static str, access: Access, handler: F) -> Entry
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    Entry {
        info: RouteInfo {
            method: Method::POST,
            path,
            access,
            is_fresh: false,
        },
        route: web::post().to(handler),
    }
}

/// Registers the lines: one resource per path, fixed segments before variable ones, 405 for other methods.
pub fn register(config: &mut web::ServiceConfig, mut entries: Vec<Entry>) {
    // `{` sorts behind letters, so that `/users/new` is tried before `/users/{id}`.
    entries.sort_by(|left, right| left.info.path.cmp(right.info.path));
    let mut entries = entries.into_iter().peekable();
    while let Some(first) = entries.next() {
        let path = first.info.path;
        let mut resource = web::resource(path);
        let mut lines = Vec::new();
        let mut add = |resource: actix_web::Resource, entry: Entry| {
            lines.push(entry.info);
            resource.route(entry.route)
        };
        resource = add(resource, first);
        while let Some(entry) = entries.next_if(|entry| entry.info.path == path) {
            resource = add(resource, entry);
        }
        let lines = Rc::new(lines);
        let allowed = Rc::clone(&lines);
        resource = resource.default_service(web::to(move || {
            let allowed = allow_header(&allowed);
            async move { Err::<actix_web::HttpResponse, _>(WebError::MethodNotAllowed(allowed)) }
        }));
        config.service(resource.wrap(from_fn(
            move |request: ServiceRequest, next: Next<BoxBody>| {
                let lines = Rc::clone(&lines);
                async move { admit(&lines, request, next).await }
            },
        )));
    }
}

fn allow_header(lines: &[RouteInfo]) -> String {
    let mut methods: Vec<&str> = Vec::new();
    for line in lines {
        if line.method == Method::GET {
            methods.extend(["GET", "HEAD"]);
        } else {
            methods.push(line.method.as_str());
        }
    }
    methods.join(", ")
}

/// What the deployment's policy hides and blocks. One's own consent is not among it: that can always be withdrawn.
const ABOUT_LINKEDIN: [&str; 8] = [
    "/linkedin-user-profiles",
    "/linkedin-accounts",
    "/linkedin",
    "/forms",
    "/campaigns",
    "/form-submissions",
    "/sync-status",
    // Asks LinkedIn.
    "/settings/setup/credential-checks",
];

/// Whether a path leads to a LinkedIn feature.
#[must_use]
pub fn is_about_linkedin(path: &str) -> bool {
    ABOUT_LINKEDIN.iter().any(|head| {
        path.strip_prefix(head)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

/// Whether the deployment blocks this line.
fn is_blocked(line: &RouteInfo, request: &ServiceRequest) -> bool {
    is_about_linkedin(line.path)
        && request
            .app_data::<web::Data<Portal>>()
            .is_some_and(|portal| portal.connector.deployment().hides_linkedin())
}

/// What opens for somebody whose role needs a second factor that they lack: setting it up, and leaving.
fn opens_without_second_factor(path: &str) -> bool {
    path.starts_with(second_factor::PATH)
        || matches!(
            path,
            "/account/confirmation"
                | "/account/confirmation/provider"
                | "/account/session-extensions"
                | "/sign-out"
        )
}

/// Where somebody proves again who they are, on the way to this line; nothing for those who did a short time ago.
fn way_over_confirmation(
    line: &RouteInfo,
    lines: &[RouteInfo],
    user: &CurrentUser,
    request: &ServiceRequest,
) -> Option<String> {
    let now = request.app_data::<web::Data<Portal>>()?.clock.now();
    let is_read = line.method == Method::GET;
    let grace = if is_read {
        TimeDelta::zero()
    } else {
        sessions::FORM_GRACE
    };
    if !line.is_fresh || user.is_fresh(now, grace) {
        return None;
    }
    // A change goes back to its page: the one of the same address, or the one above.
    let wanted = request
        .uri()
        .path_and_query()
        .map_or("/", |path| path.as_str());
    let has_page = lines.iter().any(|line| line.method == Method::GET);
    let back = match request.path().rsplit_once('/') {
        _ if is_read => wanted,
        _ if has_page => request.path(),
        Some((above, _)) => above,
        None => "/",
    };
    Some(confirm::way_over(back))
}

async fn admit(
    lines: &[RouteInfo],
    mut request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let method = if request.method() == Method::HEAD {
        Method::GET
    } else {
        request.method().clone()
    };
    let Some(line) = lines.iter().find(|line| line.method == method) else {
        return next.call(request).await;
    };
    let refusal = {
        let extensions = request.extensions();
        let user = extensions.get::<CurrentUser>();
        match (line.access, user) {
            (Access::Public | Access::Open | Access::Signed, _) => None,
            (Access::SignedIn | Access::Needs(_), None) => Some(None),
            (Access::SignedIn | Access::Needs(_), Some(user))
                if user.lacks_second_factor && !opens_without_second_factor(line.path) =>
            {
                let answer = see_other(second_factor::PATH);
                drop(extensions);
                return Ok(request.into_response(answer));
            }
            (Access::SignedIn | Access::Needs(_), Some(_)) if is_blocked(line, &request) => {
                Some(Some(WebError::HiddenByDeployment))
            }
            (Access::Needs(permission), Some(user)) if !user.can(permission) => {
                Some(Some(WebError::Forbidden(permission)))
            }
            (Access::SignedIn | Access::Needs(_), Some(user)) => {
                way_over_confirmation(line, lines, user, &request)
                    .map(|way| Some(WebError::Unconfirmed(way)))
            }
        }
    };
    let response = match refusal {
        Some(None) => {
            let answer = sign_in::ask(request.request());
            return Ok(request.into_response(answer));
        }
        Some(Some(WebError::Unconfirmed(way))) if method.is_safe() => {
            return Ok(request.into_response(see_other(&way)));
        }
        Some(Some(error)) => request.error_response(error),
        None if method.is_safe() || line.access == Access::Signed => next.call(request).await?,
        None => match check_form(&mut request, matches!(line.access, Access::Needs(_))).await {
            Ok(()) => next.call(request).await?,
            Err(error) => request.error_response(error),
        },
    };
    refusals::note(response.request(), line, response.response()).await;
    Ok(response)
}

/// Origin, content type and form token of a change. Files are taken from people only whose roles were asked for.
async fn check_form(request: &mut ServiceRequest, takes_files: bool) -> Result<(), WebError> {
    super::guards::same_origin(request.request())?;
    if takes_files && upload::is_multipart(request.headers()) {
        upload::receive(request).await?;
    }
    let fields = match upload::received(request.request()) {
        Some(upload) => upload.fields().to_vec(),
        None => body::fields(request.request())?,
    };
    let token = fields
        .iter()
        .find(|(name, _)| name == body::TOKEN_FIELD)
        .map(|(_, value)| value.as_str())
        .unwrap_or_default();
    let is_right = request
        .extensions()
        .get::<Visitor>()
        .is_some_and(|visitor| visitor.accepts_token(token));
    if is_right {
        Ok(())
    } else {
        Err(WebError::FormExpired)
    }
}
