//! The authorization server (linkedin-api.md §1): authorization, token, introspection and revocation endpoints.
//!
//! A scripted client walks the two pages as plain forms: `POST sign-in` with `request`, `session_key` (e-mail),
//! `session_password` and `action` (`sign_in` or `cancel`), then `POST consent` with `request` and `action` (`allow` or `cancel`).
//! `request` stands in a hidden field of either page.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;
use url::Url;

use super::consent;
use super::gateway::{Incoming, serve};
use super::reply::{GRANT_REFUSED, Reply};
use super::state::Sandbox;
use super::tokens::{CLIENT_ID, CLIENT_SECRET, CodeRefusal, Issued, Lifetimes, Pending};

/// Every scope that the developer app has products for.
pub(super) const SCOPES: &[(&str, &str)] = &[
    (
        "r_marketing_leadgen_automation",
        "Access your lead generation forms and retrieve leads",
    ),
    ("r_ads", "Retrieve your advertising accounts"),
    ("rw_ads", "Manage your advertising accounts"),
    (
        "r_ads_reporting",
        "Retrieve reporting for your advertising accounts",
    ),
    (
        "r_organization_admin",
        "Retrieve your organizations' pages and their reporting data",
    ),
    (
        "rw_organization_admin",
        "Manage your organizations' pages and retrieve reporting data",
    ),
    ("r_events", "Retrieve your organizations' events"),
    ("rw_conversions", "Upload and manage conversions data"),
    (
        "r_basicprofile",
        "Use your basic profile including your name, photo, headline, and public profile URL",
    ),
    ("openid", "Use your name and photo"),
    ("profile", "Use your name and photo"),
    (
        "email",
        "Use the primary email address associated with your LinkedIn account",
    ),
];

type Fields = BTreeMap<String, String>;

fn fields(body: &[u8]) -> Fields {
    url::form_urlencoded::parse(body)
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect()
}

fn field<'a>(fields: &'a Fields, name: &str) -> &'a str {
    fields.get(name).map(String::as_str).unwrap_or_default()
}

/// `GET /oauth/v2/authorization`.
pub(super) async fn authorization(
    request: HttpRequest,
    body: Bytes,
    sandbox: Data<Arc<Sandbox>>,
) -> HttpResponse {
    let incoming = Incoming::read(&request, &body);
    serve(&request, &incoming, &sandbox, |_| {
        match begin(&fields(incoming.query.as_bytes()), &sandbox) {
            Ok(reply) | Err(reply) => reply,
        }
    })
    .await
}

/// The app's mistakes end on LinkedIn's own page: no redirect, so no callback ever comes.
fn begin(query: &Fields, sandbox: &Sandbox) -> Result<Reply, Reply> {
    let bummer = |what: &str| Reply::html(400, consent::error_page(what));
    if field(query, "client_id") != CLIENT_ID {
        return Err(bummer("Client_id doesn't match"));
    }
    let redirect_uri = field(query, "redirect_uri");
    if !is_loopback(redirect_uri) {
        return Err(bummer(
            "The redirect_uri does not match the registered value",
        ));
    }
    if field(query, "response_type") != "code" {
        return Err(bummer(
            "Bummer, something went wrong. (response_type must be code)",
        ));
    }
    let scopes: BTreeSet<String> = field(query, "scope")
        .split([' ', ','])
        .filter(|scope| !scope.is_empty())
        .map(str::to_owned)
        .collect();
    if scopes.is_empty()
        || scopes
            .iter()
            .any(|scope| scope.contains(|c: char| !c.is_ascii_alphanumeric() && c != '_'))
    {
        return Err(bummer("Bummer, something went wrong. (malformed scope)"));
    }
    let state = query.get("state").cloned();
    let lacking = sandbox.settings().unauthorized_scopes;
    let refused = scopes
        .iter()
        .find(|scope| !SCOPES.iter().any(|(known, _)| known == scope) || lacking.contains(scope));
    if let Some(scope) = refused {
        let description =
            format!("Scope &quot;{scope}&quot; is not authorized for your application");
        return Err(back(
            redirect_uri,
            &state,
            &[
                ("error", "unauthorized_scope_error"),
                ("error_description", &description),
            ],
        ));
    }
    let pending = Pending {
        redirect_uri: redirect_uri.to_owned(),
        state,
        scopes,
        member: None,
    };
    let key = sandbox.tokens().begin(pending);
    Ok(Reply::html(
        200,
        consent::sign_in_page(&key, &sandbox.history().world.members, false),
    ))
}

/// Any loopback address counts as registered.
fn is_loopback(redirect_uri: &str) -> bool {
    let Ok(url) = Url::parse(redirect_uri) else {
        return false;
    };
    let loopback = match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    loopback
        && matches!(url.scheme(), "http" | "https")
        && url.fragment().is_none()
        && url.username().is_empty()
}

/// The way back to the app.
fn back(redirect_uri: &str, state: &Option<String>, parameters: &[(&str, &str)]) -> Reply {
    let Ok(mut url) = Url::parse(redirect_uri) else {
        return Reply::html(400, consent::error_page("Bummer, something went wrong."));
    };
    {
        let mut pairs = url.query_pairs_mut();
        pairs.extend_pairs(parameters);
        if let Some(state) = state {
            pairs.append_pair("state", state);
        }
    }
    Reply::redirect(302, url.into())
}

fn cancelled(pending: &Pending, error: &str, description: &str) -> Reply {
    back(
        &pending.redirect_uri,
        &pending.state,
        &[("error", error), ("error_description", description)],
    )
}

/// `POST /oauth/v2/sign-in`.
pub(super) async fn sign_in(
    request: HttpRequest,
    body: Bytes,
    sandbox: Data<Arc<Sandbox>>,
) -> HttpResponse {
    let incoming = Incoming::read(&request, &body);
    serve(&request, &incoming, &sandbox, |_| {
        signed_in(&fields(&body), &sandbox)
    })
    .await
}

fn signed_in(form: &Fields, sandbox: &Sandbox) -> Reply {
    let key = field(form, "request");
    let Some(pending) = sandbox.tokens().pending(key) else {
        return Reply::html(
            400,
            consent::error_page(
                "This sign-in is no longer valid. Go back to the app and start again.",
            ),
        );
    };
    if field(form, "action") == "cancel" {
        sandbox.tokens().end(key);
        return cancelled(
            &pending,
            "user_cancelled_login",
            "The user cancelled LinkedIn login",
        );
    }
    let history = sandbox.history();
    let email = field(form, "session_key").trim().to_lowercase();
    let member =
        history.world.members.iter().find(|member| {
            member.email == email && member.password == field(form, "session_password")
        });
    let Some(member) = member else {
        return Reply::html(
            200,
            consent::sign_in_page(key, &history.world.members, true),
        );
    };
    let mut tokens = sandbox.tokens();
    if tokens.has_consented(&member.key, &pending.scopes) {
        tokens.end(key);
        let code = tokens.allow(
            &member.key,
            &pending.scopes,
            &pending.redirect_uri,
            sandbox.now().timestamp(),
        );
        return back(&pending.redirect_uri, &pending.state, &[("code", &code)]);
    }
    tokens.signed_in(key, &member.key);
    Reply::html(200, consent::consent_page(key, member, &pending.scopes))
}

/// `POST /oauth/v2/consent`.
pub(super) async fn consented(
    request: HttpRequest,
    body: Bytes,
    sandbox: Data<Arc<Sandbox>>,
) -> HttpResponse {
    let incoming = Incoming::read(&request, &body);
    serve(&request, &incoming, &sandbox, |_| {
        decided(&fields(&body), &sandbox)
    })
    .await
}

fn decided(form: &Fields, sandbox: &Sandbox) -> Reply {
    let key = field(form, "request");
    let mut tokens = sandbox.tokens();
    let Some((pending, member)) = tokens
        .pending(key)
        .and_then(|pending| Some((pending.clone(), pending.member?)))
    else {
        return Reply::html(
            400,
            consent::error_page(
                "This sign-in is no longer valid. Go back to the app and start again.",
            ),
        );
    };
    tokens.end(key);
    if field(form, "action") != "allow" {
        return cancelled(
            &pending,
            "user_cancelled_authorize",
            "The user cancelled the authorization",
        );
    }
    let code = tokens.allow(
        &member,
        &pending.scopes,
        &pending.redirect_uri,
        sandbox.now().timestamp(),
    );
    back(&pending.redirect_uri, &pending.state, &[("code", &code)])
}

/// `POST /oauth/v2/accessToken`.
pub(super) async fn access_token(
    request: HttpRequest,
    body: Bytes,
    sandbox: Data<Arc<Sandbox>>,
) -> HttpResponse {
    let incoming = Incoming::read(&request, &body);
    serve(&request, &incoming, &sandbox, |_| {
        match grant(&fields(&body), &sandbox) {
            Ok(reply) | Err(reply) => reply,
        }
    })
    .await
}

fn demanded<'a>(form: &'a Fields, name: &str) -> Result<&'a str, Reply> {
    let value = field(form, name);
    if value.is_empty() {
        let description = format!("A required parameter \"{name}\" is missing");
        Err(Reply::oauth_error(400, "invalid_request", &description))
    } else {
        Ok(value)
    }
}

fn check_client(form: &Fields) -> Result<(), Reply> {
    let (id, secret) = (
        demanded(form, "client_id")?,
        demanded(form, "client_secret")?,
    );
    if id == CLIENT_ID && secret == CLIENT_SECRET {
        Ok(())
    } else {
        Err(Reply::oauth_error(
            401,
            "invalid_client",
            "Client authentication failed",
        ))
    }
}

fn grant(form: &Fields, sandbox: &Sandbox) -> Result<Reply, Reply> {
    let settings = sandbox.settings();
    let now = sandbox.now().timestamp();
    let lifetimes = Lifetimes {
        access: settings.access_token_seconds,
        refresh: settings
            .refresh_tokens
            .then_some(settings.refresh_token_seconds),
        lag: settings.fresh_token_lag_seconds,
    };
    let issued = match demanded(form, "grant_type")? {
        "authorization_code" => {
            let code = demanded(form, "code")?;
            let redirect_uri = demanded(form, "redirect_uri")?;
            check_client(form)?;
            let outcome = sandbox
                .tokens()
                .exchange(code, redirect_uri, now, lifetimes);
            outcome.map_err(|refusal| match refusal {
                CodeRefusal::Unknown => Reply::oauth_error(
                    400,
                    "invalid_request",
                    "Unable to retrieve access token: authorization code not found",
                ),
                CodeRefusal::ExpiredOrMismatched => Reply::oauth_error(
                    400,
                    "invalid_redirect_uri",
                    "Unable to retrieve access token: appid/redirect uri/code verifier does not match authorization \
                     code. Or authorization code expired. Or external member binding exists",
                ),
            })?
        }
        "refresh_token" => {
            let token = demanded(form, "refresh_token")?;
            check_client(form)?;
            let outcome = sandbox.tokens().refresh(token, now, lifetimes);
            outcome.ok_or_else(|| Reply::oauth_error(400, "invalid_request", GRANT_REFUSED))?
        }
        "client_credentials" => {
            check_client(form)?;
            let message = "This application is not allowed to create application tokens";
            return Err(Reply::oauth_error(401, "access_denied", message));
        }
        _ => {
            return Err(Reply::oauth_error(
                400,
                "unsupported_grant_type",
                "Unsupported grant_type",
            ));
        }
    };
    Ok(Reply::json(
        200,
        &token_json(&issued, settings.scopes_by_comma),
    ))
}

fn token_json(issued: &Issued, by_comma: bool) -> serde_json::Value {
    let scopes: Vec<&str> = issued.scopes.iter().map(String::as_str).collect();
    let mut json = json!({
        "access_token": issued.access_token, "expires_in": issued.expires_in,
        "scope": scopes.join(if by_comma { "," } else { " " }),
    });
    if let (Some(object), Some((token, seconds))) = (json.as_object_mut(), &issued.refresh) {
        object.insert("refresh_token".to_owned(), json!(token));
        object.insert("refresh_token_expires_in".to_owned(), json!(seconds));
    }
    json
}

/// `POST /oauth/v2/introspectToken`.
pub(super) async fn introspect(
    request: HttpRequest,
    body: Bytes,
    sandbox: Data<Arc<Sandbox>>,
) -> HttpResponse {
    let incoming = Incoming::read(&request, &body);
    serve(&request, &incoming, &sandbox, |_| {
        match introspected(&fields(&body), &sandbox) {
            Ok(reply) | Err(reply) => reply,
        }
    })
    .await
}

fn introspected(form: &Fields, sandbox: &Sandbox) -> Result<Reply, Reply> {
    let secret = demanded(form, "token")?;
    if field(form, "client_id") != CLIENT_ID {
        return Err(Reply::oauth_error(
            400,
            "invalid_request",
            "Invalid client_id",
        ));
    }
    check_client(form)?;
    let now = sandbox.now().timestamp();
    let tokens = sandbox.tokens();
    let Some(token) = tokens.get(secret) else {
        return Ok(Reply::json(200, &json!({ "active": false })));
    };
    // The lag of a fresh token is the API's, not the authorization server's.
    let status = if token.revoked {
        "revoked"
    } else if token.expires_at <= now {
        "expired"
    } else {
        "active"
    };
    let scopes: Vec<&str> = token.scopes.iter().map(String::as_str).collect();
    Ok(Reply::json(
        200,
        &json!({
            "active": status == "active", "client_id": CLIENT_ID, "authorized_at": token.authorized_at,
            "created_at": token.created_at, "status": status, "expires_at": token.expires_at,
            "scope": scopes.join(","), "auth_type": "3L",
        }),
    ))
}

/// `POST /oauth/v2/revoke`: 200 whether the token was known or not.
pub(super) async fn revoke(
    request: HttpRequest,
    body: Bytes,
    sandbox: Data<Arc<Sandbox>>,
) -> HttpResponse {
    let incoming = Incoming::read(&request, &body);
    serve(&request, &incoming, &sandbox, |_| {
        let form = fields(&body);
        let outcome =
            demanded(&form, "token").and_then(|token| check_client(&form).map(|()| token));
        match outcome {
            Ok(token) => {
                sandbox.tokens().revoke(token);
                Reply::bytes(200, Vec::new())
            }
            Err(refusal) => refusal,
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_addresses_count_as_registered() {
        for good in [
            "http://127.0.0.1:8080/linkedin/callback",
            "http://localhost/x?y=1",
            "https://[::1]:9/x",
            "http://127.9.9.9/",
        ] {
            assert!(is_loopback(good), "{good}");
        }
        for bad in [
            "",
            "x",
            "http://example.com/",
            "http://127.0.0.1/#f",
            "http://localhost.example/",
            "ftp://localhost/",
            "http://u@localhost/",
            "http://10.0.0.1/",
        ] {
            assert!(!is_loopback(bad), "{bad}");
        }
    }
}
