//! Entra ID as far as an application needs it: tokens for itself by secret or certificate, and the documents that lead there.

use std::sync::Arc;

use actix_web::web::{Bytes, Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::super::seeded::text;
use super::state::Organization;
use super::{CLIENT_ID, CLIENT_SECRET, DOMAIN, TENANT};

/// A refusal of the token endpoint: status, OAuth's word, the AADSTS number, and its text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Denied(
    pub(super) u16,
    pub(super) &'static str,
    pub(super) i64,
    pub(super) String,
);

impl Denied {
    pub(super) fn answer(&self, number: u64, seed: u64, now: DateTime<Utc>) -> HttpResponse {
        let Self(status, error, code, message) = self;
        let stamp = now.format("%Y-%m-%d %H:%M:%SZ").to_string();
        let trace = super::columns::name_id(&text(seed, 220, number, 8));
        let correlation = super::columns::name_id(&text(seed, 221, number, 8));
        let status = actix_web::http::StatusCode::from_u16(*status)
            .unwrap_or(actix_web::http::StatusCode::BAD_REQUEST);
        HttpResponse::build(status).json(json!({
            "error": error,
            "error_description": format!(
                "AADSTS{code}: {message}\r\nTrace ID: {trace}\r\nCorrelation ID: {correlation}\r\nTimestamp: {stamp}"
            ),
            "error_codes": [code],
            "timestamp": stamp,
            "trace_id": trace.to_string(),
            "correlation_id": correlation.to_string(),
            "error_uri": format!("https://login.microsoftonline.com/error?code={code}"),
        }))
    }
}

/// The base address as this request sees it: `https://localhost:8443`.
pub(super) fn base(request: &HttpRequest) -> String {
    let seen = request.connection_info();
    format!("{}://{}", seen.scheme(), seen.host())
}

fn knows(tenant: &str) -> bool {
    tenant.eq_ignore_ascii_case(TENANT) || tenant.eq_ignore_ascii_case(DOMAIN)
}

fn no_tenant(tenant: &str) -> Denied {
    Denied(
        400,
        "invalid_request",
        90002,
        format!(
            "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud."
        ),
    )
}

/// `GET /{tenant}/v2.0/.well-known/openid-configuration`
pub(super) async fn configuration(
    request: HttpRequest,
    tenant: Path<String>,
    organization: Data<Arc<Organization>>,
) -> HttpResponse {
    if !knows(&tenant) {
        return no_tenant(&tenant).answer(0, organization.seed, organization.now());
    }
    let base = base(&request);
    HttpResponse::Ok().json(json!({
        "issuer": format!("{base}/{TENANT}/v2.0"),
        "authorization_endpoint": format!("{base}/{TENANT}/oauth2/v2.0/authorize"),
        "token_endpoint": format!("{base}/{TENANT}/oauth2/v2.0/token"),
        "jwks_uri": format!("{base}/{TENANT}/discovery/v2.0/keys"),
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
        "response_types_supported": ["code"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "tenant_region_scope": "EU",
        "cloud_instance_name": "microsoftonline.com",
    }))
}

/// `GET /{tenant}/discovery/v2.0/keys`: access tokens are opaque, so there is nothing to check them with.
pub(super) async fn keys() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "keys": [] }))
}

/// `GET /common/discovery/instance`
pub(super) async fn instance(request: HttpRequest) -> HttpResponse {
    let base = base(&request);
    let host = request.connection_info().host().to_owned();
    HttpResponse::Ok().json(json!({
        "tenant_discovery_endpoint": format!("{base}/{TENANT}/v2.0/.well-known/openid-configuration"),
        "api-version": "1.1",
        "metadata": [{ "preferred_network": host, "preferred_cache": host, "aliases": [host] }],
    }))
}

/// `POST /{tenant}/oauth2/v2.0/token`
pub(super) async fn token(
    request: HttpRequest,
    tenant: Path<String>,
    body: Bytes,
    organization: Data<Arc<Organization>>,
) -> HttpResponse {
    let path = request.path().to_owned();
    let fault = organization.faults().take("POST", &path);
    if let Some(fault) = &fault {
        super::breaking::before(fault, &organization).await;
        if let Some(answer) = super::breaking::instead(fault, &super::exchange::Ask::default()) {
            organization.record("POST", &path, "", answer.status, Some(fault.name()));
            return super::breaking::respond(answer, Some(fault));
        }
    }
    let now = organization.now();
    match granted(&request, &tenant, &body, &organization) {
        Ok(answer) => {
            organization.record("POST", &path, "", 200, None);
            HttpResponse::Ok()
                .insert_header(("cache-control", "no-store, no-cache"))
                .json(answer)
        }
        Err(denied) => {
            let number = organization.record("POST", &path, "", denied.0, None);
            denied.answer(number, organization.seed, now)
        }
    }
}

fn granted(
    request: &HttpRequest,
    tenant: &str,
    body: &[u8],
    organization: &Organization,
) -> Result<Value, Denied> {
    if !knows(tenant) {
        return Err(no_tenant(tenant));
    }
    let body = String::from_utf8_lossy(body);
    let fields = super::exchange::parameters(&body);
    let field = |name: &str| {
        fields
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    };
    match field("grant_type") {
        Some("client_credentials") => {}
        Some(other) => {
            return Err(Denied(
                400,
                "unsupported_grant_type",
                70003,
                format!("The app requested an unsupported grant type '{other}'."),
            ));
        }
        None => return Err(missing("grant_type")),
    }
    let basic = basic(request);
    let client = basic
        .as_ref()
        .map(|(client, _)| client.as_str())
        .or_else(|| field("client_id"))
        .ok_or_else(|| missing("client_id"))?;
    let settings = organization.settings();
    if !client.eq_ignore_ascii_case(CLIENT_ID) || !settings.consented {
        return Err(Denied(
            400,
            "unauthorized_client",
            700_016,
            format!(
                "Application with identifier '{client}' was not found in the directory '{DOMAIN}'. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant."
            ),
        ));
    }
    let secret = basic
        .as_ref()
        .map(|(_, secret)| secret.as_str())
        .or_else(|| field("client_secret"));
    match (secret, field("client_assertion")) {
        (Some(secret), _) if secret == CLIENT_SECRET && settings.secret_expired => {
            return Err(Denied(
                401,
                "invalid_client",
                7_000_222,
                format!("The provided client secret keys for app '{CLIENT_ID}' are expired."),
            ));
        }
        (Some(secret), _) if secret == CLIENT_SECRET => {}
        (Some(_), _) => {
            return Err(Denied(
                401,
                "invalid_client",
                7_000_215,
                format!(
                    "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '{CLIENT_ID}'."
                ),
            ));
        }
        (None, Some(assertion)) => {
            if field("client_assertion_type")
                != Some("urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
            {
                return Err(missing("client_assertion_type"));
            }
            organization.assertion_holds(assertion, client)?;
        }
        (None, None) => {
            return Err(Denied(
                401,
                "invalid_client",
                7_000_218,
                "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.".to_owned(),
            ));
        }
    }
    let scope = field("scope").ok_or_else(|| missing("scope"))?;
    let resource = scope
        .strip_suffix("/.default")
        .ok_or_else(|| {
            Denied(
                400,
                "invalid_scope",
                1_002_012,
                format!("The provided value for scope {scope} is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI)."),
            )
        })?
        .trim_end_matches('/');
    let host = request.connection_info().host().to_owned();
    if !organization.is_at(resource, &host) {
        return Err(Denied(
            400,
            "invalid_resource",
            500_011,
            format!(
                "The resource principal named {resource} was not found in the tenant named {DOMAIN}."
            ),
        ));
    }
    let token = organization.issue_token();
    Ok(json!({
        "token_type": "Bearer",
        "expires_in": settings.token_seconds,
        "ext_expires_in": settings.token_seconds,
        "access_token": token,
    }))
}

fn missing(field: &str) -> Denied {
    Denied(
        400,
        "invalid_request",
        900_144,
        format!("The request body must contain the following parameter: '{field}'."),
    )
}

/// Client id and secret of HTTP Basic.
fn basic(request: &HttpRequest) -> Option<(String, String)> {
    use base64::Engine as _;
    let value = request.headers().get("authorization")?.to_str().ok()?;
    let decoded = base64::engine::general_purpose::STANDARD
        .decode(value.strip_prefix("Basic ")?)
        .ok()?;
    let text = String::from_utf8(decoded).ok()?;
    let (client, secret) = text.split_once(':')?;
    let decode = |part: &str| {
        percent_encoding::percent_decode_str(part)
            .decode_utf8_lossy()
            .into_owned()
    };
    Some((decode(client), decode(secret)))
}
