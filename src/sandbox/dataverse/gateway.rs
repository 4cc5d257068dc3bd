//! The front of the Web API: reads the request, asks for the token and the membership, and carries the request out.

use std::sync::Arc;

use actix_web::web::{Bytes, Data, Path};
use actix_web::{HttpRequest, HttpResponse};

use super::columns::name_id;
use super::entra::base;
use super::exchange::{Answer, Ask, Refusal, parameters, segments};
use super::faults::DataverseFault;
use super::limits::Left;
use super::records::{Caller, UNDECLARED};
use super::state::{DataverseSettings, Organization};
use super::{TENANT, batch, breaking, routing};

/// Everything below `/api/data/`.
pub(super) async fn api(
    request: HttpRequest,
    path: Path<(String, String)>,
    body: Bytes,
    organization: Data<Arc<Organization>>,
) -> HttpResponse {
    let (version, tail) = path.into_inner();
    let ask = read(&request, &version, &tail, &body);
    let fault = organization.faults().take(&ask.method, request.path());
    let left = organization.arrives(body.len());
    if let Some(fault) = &fault {
        breaking::before(fault, &organization).await;
    }
    let instead = fault
        .as_ref()
        .and_then(|fault| breaking::instead(fault, &ask));
    let answer = match instead {
        Some(answer) => answer,
        None => answered(&request, &version, &organization, &ask, left),
    };
    organization.leaves(answer.more_records);
    let played = fault.as_ref().map(DataverseFault::name);
    let number = organization.record(
        &ask.method,
        request.path(),
        &ask.raw_query,
        answer.status,
        played,
    );
    let support = name_id(&format!("{}.request.{number}", organization.seed)).to_string();
    let answer = answer
        .with("odata-version", "4.0")
        .with("x-ms-service-request-id", support.clone())
        .with("req_id", support);
    breaking::respond(answer, fault.as_ref())
}

/// The answer as it should be.
fn answered(
    request: &HttpRequest,
    version: &str,
    organization: &Organization,
    ask: &Ask,
    left: Result<Left, Refusal>,
) -> Answer {
    if let Err(refusal) = authorized(request, version, organization) {
        return refusal.answer(ask);
    }
    match left {
        Ok(left) => carried_out(organization, ask)
            .with(
                "x-ms-ratelimit-burst-remaining-xrm-requests",
                left.requests.to_string(),
            )
            .with(
                "x-ms-ratelimit-time-remaining-xrm-requests",
                (left.execution_ms / 1000).to_string(),
            ),
        Err(refusal) => refusal.answer(ask),
    }
}

fn read(request: &HttpRequest, version: &str, tail: &str, body: &[u8]) -> Ask {
    let headers = request
        .headers()
        .iter()
        .filter_map(|(name, value)| {
            let value = value.to_str().ok()?;
            Some((name.as_str().to_owned(), value.to_owned()))
        })
        .collect();
    Ask {
        method: request.method().as_str().to_owned(),
        segments: segments(tail),
        query: parameters(request.query_string()),
        raw_query: request.query_string().to_owned(),
        headers,
        body: body.to_vec(),
        root: format!("{}/api/data/{version}/", base(request)),
    }
}

/// Checks token, membership and version, in this order.
fn authorized(
    request: &HttpRequest,
    version: &str,
    organization: &Organization,
) -> Result<(), Refusal> {
    let bearer = request
        .headers()
        .get("authorization")
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    if !bearer.is_some_and(|token| organization.token_stands(token)) {
        let base = base(request);
        return Err(
            Refusal::new(401, "0x80072571", "Authentication was not successful.").with(
                "www-authenticate",
                format!(
                    "Bearer authorization_uri={base}/{TENANT}/oauth2/authorize, resource_id={base}/"
                ),
            ),
        );
    }
    if !organization.settings().member {
        return Err(Refusal::new(
            403,
            "0x80072560",
            "The user is not a member of the organization.",
        ));
    }
    if !["v9.0", "v9.1", "v9.2"].contains(&version) {
        return Err(Refusal::no_segment(version));
    }
    Ok(())
}

/// Who asks, and what holds for this request.
pub(super) fn caller(organization: &Organization, ask: &Ask) -> Caller {
    let settings = organization.settings();
    Caller {
        user: organization.known().application_user,
        now: organization.now(),
        lacks: Arc::new(settings.missing_privileges.clone()),
        key_build_ms: settings.key_build_ms,
        duplicates: (ask.header("mscrm.suppressduplicatedetection") == Some("false"))
            .then_some(settings.duplicate_status),
        tracked_days: settings
            .change_tracking
            .then_some(settings.change_tracking_days),
    }
}

/// Carries a request out, alone or as a part of a batch.
pub(super) fn carried_out(organization: &Organization, ask: &Ask) -> Answer {
    let settings = organization.settings();
    let caller = caller(organization, ask);
    let outcome = match ask.segments.as_slice() {
        [only] if only.name == "$batch" => batch::answer(organization, ask),
        _ => routing::answer(organization, ask, &caller),
    };
    outcome.unwrap_or_else(|refusal| refused(&settings, ask, refusal))
}

/// A refusal with the code that the settings name.
pub(super) fn refused(settings: &DataverseSettings, ask: &Ask, mut refusal: Refusal) -> Answer {
    if refusal.code == UNDECLARED {
        refusal.code.clone_from(&settings.undeclared_property_code);
    }
    refusal.answer(ask)
}
