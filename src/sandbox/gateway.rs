//! The front of the REST API: un-tunnels the query, checks route, version and token in that order, and hands the request on.

use std::sync::Arc;

use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;

use super::faults::Fault;
use super::reply::{Reply, deliver, instead};
use super::restli::{Params, decode};
use super::state::{RequestRecord, Sandbox};
use super::tokens::{Standing, Token};
use super::{leads, structure, subscriptions};

/// A request of the REST API after un-tunneling.
pub(super) struct Incoming {
    pub(super) method: String,
    /// Still encoded.
    pub(super) path: String,
    pub(super) query: String,
    pub(super) params: Params,
    tunneled: bool,
    version: Option<String>,
    protocol: bool,
    bearer: Option<String>,
}

impl Incoming {
    pub(super) fn read(request: &HttpRequest, body: &[u8]) -> Self {
        let header = |name: &str| {
            request
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok())
        };
        let overridden = header("x-http-method-override").filter(|_| request.method() == "POST");
        let query = match overridden {
            Some(_) => tunneled_query(header("content-type").unwrap_or_default(), body),
            None => request.query_string().to_owned(),
        };
        let bearer = header("authorization")
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim().to_owned())
            .filter(|token| !token.is_empty());
        Self {
            method: overridden
                .unwrap_or(request.method().as_str())
                .to_ascii_uppercase(),
            path: request.uri().path().to_owned(),
            params: Params::parse(&query),
            query,
            tunneled: overridden.is_some(),
            version: header("linkedin-version").map(|version| version.trim().to_owned()),
            protocol: header("x-restli-protocol-version").is_some(),
            bearer,
        }
    }

    /// The path segments below `/rest/`, still encoded.
    pub(super) fn segments(&self) -> Vec<&str> {
        self.path
            .strip_prefix("/rest/")
            .unwrap_or_default()
            .trim_end_matches('/')
            .split('/')
            .collect()
    }
}

/// The query of a tunneled request: the whole urlencoded body, or the first part of a multipart one.
fn tunneled_query(content_type: &str, body: &[u8]) -> String {
    let body = String::from_utf8_lossy(body);
    if !content_type
        .trim_start()
        .to_ascii_lowercase()
        .starts_with("multipart/")
    {
        return body.trim().to_owned();
    }
    let part = body
        .split("--")
        .find(|part| part.to_ascii_lowercase().contains("x-www-form-urlencoded"));
    let part = part.unwrap_or_default().replace("\r\n", "\n");
    part.split_once("\n\n")
        .map(|(_, query)| query.trim().to_owned())
        .unwrap_or_default()
}

/// The resources that this sandbox serves.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Route<'a> {
    AdAccountUsers,
    AdAccountUser(&'a str),
    AdAccounts,
    AdAccount(&'a str),
    CampaignGroups(&'a str, Option<&'a str>),
    Campaigns(&'a str, Option<&'a str>),
    Creatives(&'a str, Option<&'a str>),
    OrganizationAcls,
    LeadForms,
    LeadForm(&'a str),
    LeadFormResponses,
    LeadFormResponse(&'a str),
    Me,
}

impl<'a> Route<'a> {
    fn of(segments: &[&'a str]) -> Option<Self> {
        Some(match *segments {
            ["adAccountUsers"] => Self::AdAccountUsers,
            ["adAccountUsers", key] => Self::AdAccountUser(key),
            ["adAccounts"] => Self::AdAccounts,
            ["adAccounts", id] => Self::AdAccount(id),
            ["adAccounts", id, "adCampaignGroups"] => Self::CampaignGroups(id, None),
            ["adAccounts", id, "adCampaignGroups", group] => Self::CampaignGroups(id, Some(group)),
            ["adAccounts", id, "adCampaigns"] => Self::Campaigns(id, None),
            ["adAccounts", id, "adCampaigns", campaign] => Self::Campaigns(id, Some(campaign)),
            ["adAccounts", id, "creatives"] => Self::Creatives(id, None),
            ["adAccounts", id, "creatives", creative] => Self::Creatives(id, Some(creative)),
            ["organizationAcls"] => Self::OrganizationAcls,
            ["leadForms"] => Self::LeadForms,
            ["leadForms", id] => Self::LeadForm(id),
            ["leadFormResponses"] => Self::LeadFormResponses,
            ["leadFormResponses", id] => Self::LeadFormResponse(id),
            ["me"] => Self::Me,
            _ => return None,
        })
    }
}

/// A request that passed route, version and token.
pub(super) struct Call<'a> {
    pub(super) sandbox: &'a Sandbox,
    pub(super) params: &'a Params,
    pub(super) query: &'a str,
    pub(super) path: &'a str,
    pub(super) token: Token,
    /// `20260701`, as refusals print it.
    pub(super) version: String,
    /// A fault that acts on the data of a page.
    pub(super) fault: Option<&'a Fault>,
}

impl<'a> Call<'a> {
    /// Checks version and token.
    pub(super) fn open(incoming: &'a Incoming, sandbox: &'a Sandbox) -> Result<Self, Reply> {
        let version = check_version(incoming, sandbox)?;
        let token = check_token(incoming, sandbox)?;
        Ok(Self {
            sandbox,
            params: &incoming.params,
            query: &incoming.query,
            path: &incoming.path,
            token,
            version,
            fault: None,
        })
    }
}

impl Call<'_> {
    /// 403 unless the token has one of the scopes.
    pub(super) fn needs_scope(&self, scopes: &[&str], what: &str) -> Result<(), Reply> {
        if scopes
            .iter()
            .any(|scope| self.token.scopes.contains(*scope))
        {
            Ok(())
        } else {
            Err(self.denied(what))
        }
    }

    pub(super) fn denied(&self, what: &str) -> Reply {
        let message = format!("Not enough permissions to access: {what}.{}", self.version);
        Reply::refusal(403, Some(100), Some("ACCESS_DENIED"), &message)
    }

    /// The refusal for a missing role, whose status is not documented and therefore a setting.
    pub(super) fn no_role(&self, what: &str) -> Reply {
        match self.sandbox.settings().role_denial {
            401 => Reply::refusal(
                401,
                Some(65600),
                Some("INVALID_ACCESS_TOKEN"),
                "Invalid access token",
            ),
            404 => not_found(),
            _ => self.denied(what),
        }
    }

    /// The finder that is asked for, which must be the one that the resource has.
    pub(super) fn finder(&self, name: &str) -> Result<(), Reply> {
        if self.params.text("q").as_deref() == Some(name) {
            Ok(())
        } else {
            Err(no_resource())
        }
    }

    /// Offset paging: start, count as applied.
    pub(super) fn offset(&self) -> Result<(u64, u64), Reply> {
        let start = self
            .params
            .number("start")
            .map_err(|()| illegal("start must be a non-negative number"))?;
        let count = self
            .params
            .number("count")
            .map_err(|()| illegal("count must be a positive number"))?;
        if count == Some(0) {
            return Err(illegal("count must be a positive number"));
        }
        Ok((
            start.unwrap_or(0),
            count
                .unwrap_or(10)
                .min(self.sandbox.settings().page_cap.max(1)),
        ))
    }
}

pub(super) fn no_resource() -> Reply {
    Reply::refusal(
        404,
        None,
        Some("RESOURCE_NOT_FOUND"),
        "No virtual resource found",
    )
}

pub(super) fn not_found() -> Reply {
    Reply::refusal(404, None, Some("NOT_FOUND"), "Could not find entity")
}

pub(super) fn illegal(message: &str) -> Reply {
    Reply::refusal(400, None, Some("ILLEGAL_ARGUMENT"), message)
}

pub(super) fn required(parameter: &str) -> Reply {
    Reply::refusal(
        400,
        None,
        None,
        &format!("Parameter '{parameter}' is required"),
    )
}

/// `/rest/{tail}` by any method.
pub(super) async fn rest(
    request: HttpRequest,
    body: Bytes,
    sandbox: Data<Arc<Sandbox>>,
) -> HttpResponse {
    let incoming = Incoming::read(&request, &body);
    // The documentation writes it in both ways.
    let is_about = |name: &&str| name.eq_ignore_ascii_case("leadNotifications");
    if incoming.segments().first().is_some_and(is_about) {
        return subscriptions::serve(&request, &incoming, &body, &sandbox).await;
    }
    serve(&request, &incoming, &sandbox, |fault| {
        match route(&incoming, &sandbox, fault) {
            Ok(reply) | Err(reply) => reply,
        }
    })
    .await
}

/// `/v2/{tail}` by GET: the unversioned identity calls.
pub(super) async fn unversioned(
    request: HttpRequest,
    body: Bytes,
    sandbox: Data<Arc<Sandbox>>,
) -> HttpResponse {
    let incoming = Incoming::read(&request, &body);
    serve(
        &request,
        &incoming,
        &sandbox,
        |_| match structure::identity(&incoming, &sandbox) {
            Ok(reply) | Err(reply) => reply,
        },
    )
    .await
}

/// Plays a fault or answers, logs, and delivers.
pub(super) async fn serve(
    request: &HttpRequest,
    incoming: &Incoming,
    sandbox: &Sandbox,
    answer: impl FnOnce(Option<&Fault>) -> Reply,
) -> HttpResponse {
    let fault = strike(incoming, sandbox);
    let reply = match fault
        .as_ref()
        .and_then(|fault| instead(fault, sandbox.now()))
    {
        Some(reply) => reply,
        None => answer(fault.as_ref()),
    };
    finish(request, incoming, sandbox, fault.as_ref(), reply).await
}

/// The fault that this request meets.
pub(super) fn strike(incoming: &Incoming, sandbox: &Sandbox) -> Option<Fault> {
    let whole = decode(&format!("{}?{}", incoming.path, incoming.query));
    sandbox.faults().take(&incoming.path, &whole)
}

/// Logs a request and delivers its answer.
pub(super) async fn finish(
    request: &HttpRequest,
    incoming: &Incoming,
    sandbox: &Sandbox,
    fault: Option<&Fault>,
    reply: Reply,
) -> HttpResponse {
    let token = incoming.bearer.as_deref().map(|secret| {
        sandbox
            .tokens()
            .get(secret)
            .map_or_else(|| "unknown".to_owned(), |token| token.label.clone())
    });
    let number = sandbox.record(RequestRecord {
        at_ms: sandbox.now_ms(),
        method: incoming.method.clone(),
        path: incoming.path.clone(),
        query: if incoming.path.starts_with("/oauth/") {
            String::new()
        } else {
            incoming.query.clone()
        },
        token,
        tunneled: incoming.tunneled,
        status: reply.status,
        fault: fault.map(Fault::name),
    });
    let reply = reply.with_gateway_headers(sandbox.seed, number);
    deliver(request, reply, fault, sandbox.now()).await
}

/// The checks that come before any resource: route, version, token.
fn route(incoming: &Incoming, sandbox: &Sandbox, fault: Option<&Fault>) -> Result<Reply, Reply> {
    let segments = incoming.segments();
    if segments
        .iter()
        .any(|segment| !segment.starts_with('(') && segment.contains(':'))
    {
        return Err(illegal("Syntax exception in path variables"));
    }
    let route = Route::of(&segments).ok_or_else(no_resource)?;
    if incoming.method != "GET" {
        return Err(Reply::refusal(
            405,
            None,
            Some("METHOD_NOT_ALLOWED"),
            "Method not allowed on this resource",
        ));
    }
    let call = Call {
        fault,
        ..Call::open(incoming, sandbox)?
    };
    match route {
        Route::AdAccountUsers => structure::ad_account_users(&call),
        Route::AdAccountUser(key) => structure::ad_account_user(&call, key),
        Route::AdAccounts => structure::ad_accounts(&call),
        Route::AdAccount(id) => structure::ad_account(&call, id),
        Route::CampaignGroups(id, one) => structure::campaign_groups(&call, id, one),
        Route::Campaigns(id, one) => structure::campaigns(&call, id, one),
        Route::Creatives(id, one) => structure::creatives(&call, id, one),
        Route::OrganizationAcls => structure::organization_acls(&call),
        Route::LeadForms => leads::forms(&call),
        Route::LeadForm(id) => leads::form(&call, id),
        Route::LeadFormResponses => leads::responses(&call),
        Route::LeadFormResponse(id) => leads::response(&call, id),
        Route::Me => structure::me(sandbox, &call.token),
    }
}

/// linkedin-api.md §2.1: no default version, 426 for one that is not active.
fn check_version(incoming: &Incoming, sandbox: &Sandbox) -> Result<String, Reply> {
    let settings = sandbox.settings();
    let Some(version) = incoming
        .version
        .as_deref()
        .filter(|version| !version.is_empty())
    else {
        return Err(Reply::refusal(
            400,
            None,
            Some("VERSION_MISSING"),
            "A version must be present. Please specify a version by adding the LinkedIn-Version header.",
        )
        .with("x-restli-gateway-error", "true"));
    };
    // `YYYYMM.RR` is tolerated.
    let month = version.split('.').next().unwrap_or_default();
    if !settings.versions.iter().any(|known| known == month) {
        let message = format!("Requested version {month}01 is not active");
        return Err(Reply::refusal(
            426,
            None,
            Some("NONEXISTENT_VERSION"),
            &message,
        ));
    }
    if settings.require_protocol_header && !incoming.protocol {
        return Err(illegal("X-RestLi-Protocol-Version is required"));
    }
    Ok(format!("{month}01"))
}

/// linkedin-api.md §8.1: the four ways in which a token is no good.
pub(super) fn check_token(incoming: &Incoming, sandbox: &Sandbox) -> Result<Token, Reply> {
    let Some(secret) = incoming.bearer.as_deref() else {
        return Err(Reply::refusal(
            401,
            Some(65604),
            Some("EMPTY_ACCESS_TOKEN"),
            "Empty oauth2_access_token",
        ));
    };
    match sandbox.tokens().standing(secret, sandbox.now().timestamp()) {
        Standing::Good(token) => Ok(token),
        Standing::Unknown => Err(Reply::refusal(
            401,
            Some(65600),
            Some("INVALID_ACCESS_TOKEN"),
            "Invalid access token",
        )),
        Standing::Revoked => Err(Reply::refusal(
            401,
            Some(65601),
            Some("REVOKED_ACCESS_TOKEN"),
            "The token used in the request has been revoked by the user",
        )),
        Standing::Expired => Err(Reply::refusal(
            401,
            Some(65602),
            Some("EXPIRED_ACCESS_TOKEN"),
            "The token used in the request has expired",
        )),
    }
}

/// The envelope of offset paging around elements that are JSON already.
pub(super) fn page(
    start: u64,
    count: u64,
    total: Option<i64>,
    next: Option<String>,
    elements: &[Vec<u8>],
) -> Reply {
    let links = match next {
        Some(href) => json!([{ "type": "application/json", "rel": "next", "href": href }]),
        None => json!([]),
    };
    let mut paging = json!({ "start": start, "count": count, "links": links });
    if let (Some(object), Some(total)) = (paging.as_object_mut(), total) {
        object.insert("total".to_owned(), json!(total));
    }
    let mut body = Vec::with_capacity(
        elements
            .iter()
            .map(|element| element.len() + 1)
            .sum::<usize>()
            + 200,
    );
    body.extend_from_slice(br#"{"paging":"#);
    body.extend_from_slice(paging.to_string().as_bytes());
    body.extend_from_slice(br#","newFieldOf202611":{},"elements":["#);
    for (position, element) in elements.iter().enumerate() {
        if position > 0 {
            body.push(b',');
        }
        body.extend_from_slice(element);
    }
    body.extend_from_slice(b"]}");
    Reply::bytes(200, body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_untunneled_from_both_kinds_of_bodies() {
        assert_eq!(
            tunneled_query(
                "application/x-www-form-urlencoded",
                b"q=owner&ids=List(1,2)"
            ),
            "q=owner&ids=List(1,2)"
        );
        let multipart = "--B\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\nq=owner&start=0\r\n--B\r\nContent-Type: application/json\r\n\r\n{\"a\":1}\r\n--B--\r\n";
        assert_eq!(
            tunneled_query("multipart/mixed; boundary=B", multipart.as_bytes()),
            "q=owner&start=0"
        );
    }

    #[test]
    fn routes_are_exact() {
        let route = |path: &'static str| Route::of(&path.split('/').collect::<Vec<_>>());
        assert_eq!(
            route("adAccounts/5/creatives/urn%3Ali"),
            Some(Route::Creatives("5", Some("urn%3Ali")))
        );
        for unknown in [
            "",
            "leadforms",
            "leadForms/1/2",
            "openapi.json",
            "adAccounts/5/x",
        ] {
            assert_eq!(route(unknown), None, "{unknown}");
        }
    }
}
