//! Denied access of signed-in people: who was refused what, in the audit log, at most once a minute for each route.

use actix_web::HttpMessage;
use actix_web::HttpRequest;
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::Data;

use super::access::RouteInfo;
use super::{Portal, WebError, visitor};
use crate::auth::CurrentUser;
use crate::store::{StoreError, audit};

/// The audit log's word for it.
pub const ACTION: &str = "access.denied";

/// Why, as the audit log keeps it: no word of what was sent.
fn reason(response: &HttpResponse) -> String {
    let error = response.error();
    match error
        .as_ref()
        .and_then(|error| error.as_error::<WebError>())
    {
        Some(WebError::Forbidden(permission)) => {
            format!("no role allows to {}", permission.label())
        }
        Some(WebError::Unconfirmed(_)) => "who it is was proved too long ago".to_owned(),
        Some(WebError::HiddenByDeployment) => {
            "LinkedIn features are switched off by the deployment".to_owned()
        }
        Some(WebError::FormExpired) => {
            "the form was too old or belonged to another session".to_owned()
        }
        Some(WebError::OtherOrigin) => "the request came from another site".to_owned(),
        _ => "the portal refused it".to_owned(),
    }
}

/// Writes the entry if `response` refuses a signed-in person; a database that cannot take it is told about in the log,
/// and the person is refused all the same.
pub(super) async fn note(request: &HttpRequest, line: &RouteInfo, response: &HttpResponse) {
    if response.status() != StatusCode::FORBIDDEN {
        return;
    }
    let user = request.extensions().get::<CurrentUser>().cloned();
    let (Some(user), Some(portal)) = (user, request.app_data::<Data<Portal>>()) else {
        return;
    };
    tracing::warn!(http.route = line.path, "access refused");
    let now = portal.clock.now();
    let actor = visitor::actor(request, &user);
    let (method, path) = (line.method.to_string(), line.path);
    let after = serde_json::json!({ "reason": reason(response) });
    let noted = portal
        .store
        .write(move |tx| {
            let route = format!("{method} {path}");
            let object = ("page", path, route.as_str());
            audit::record_once_a_minute(tx, now, &actor, ACTION, object, Some(after))?;
            Ok::<_, StoreError>(())
        })
        .await;
    if let Err(error) = noted {
        tracing::warn!(error = %error, "a refusal could not be written to the audit log");
    }
}
