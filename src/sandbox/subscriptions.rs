//! `/rest/leadNotifications` (linkedin-api.md §6.1): who is told about which leads.

use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use serde_json::{Value, json};

use super::gateway::{Call, Incoming, finish, illegal, no_resource, not_found, strike};
use super::leads;
use super::reply::{Reply, instead};
use super::state::Sandbox;
use super::submissions::known_lead_type;
use super::webhook;
use super::world::{LeadTypeName, OwnerKey};

/// LinkedIn's own limit.
const MOST_FOR_AN_OWNER: usize = 1_500;
const SCOPE: &str = "r_marketing_leadgen_automation";

/// One subscription.
#[derive(Debug, Clone)]
pub(super) struct Subscription {
    pub(super) id: i64,
    pub(super) webhook: String,
    pub(super) owner: OwnerKey,
    pub(super) lead_type: LeadTypeName,
    /// As it was sent, where it was.
    versioned_form: Option<String>,
    associated: Option<Value>,
    /// Whether the address answered the challenge: nothing is sent to one that never did.
    pub(super) is_validated: bool,
    /// Challenges failed in a row.
    pub(super) failures: u32,
    pub(super) challenged_at_ms: i64,
}

impl Subscription {
    /// Blocked after three failed challenges in a row.
    pub(super) fn is_told(&self) -> bool {
        self.is_validated && self.failures < webhook::FAILURES_UNTIL_BLOCKED
    }

    fn json(&self) -> Value {
        let mut value = json!({
            "id": self.id, "owner": self.owner.json(), "webhook": self.webhook, "leadType": self.lead_type,
        });
        if let Some(object) = value.as_object_mut() {
            if let Some(form) = &self.versioned_form {
                object.insert("versionedForm".to_owned(), json!(form));
            }
            if let Some(entity) = &self.associated {
                object.insert("associatedEntity".to_owned(), entity.clone());
            }
        }
        value
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wanted {
    webhook: String,
    owner: WantedOwner,
    lead_type: String,
    versioned_form: Option<String>,
    associated_entity: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WantedOwner {
    sponsored_account: Option<String>,
    organization: Option<String>,
}

impl WantedOwner {
    fn read(&self) -> Option<OwnerKey> {
        let number = |urn: &Option<String>, kind: &str| -> Option<i64> {
            urn.as_deref()?
                .strip_prefix(&format!("urn:li:{kind}:"))?
                .parse()
                .ok()
        };
        match number(&self.sponsored_account, "sponsoredAccount") {
            Some(id) => Some(OwnerKey::Account(id)),
            None => number(&self.organization, "organization").map(OwnerKey::Organization),
        }
    }
}

/// Whether notifications may be sent there: public HTTPS at LinkedIn; here, a loopback address as well.
fn is_acceptable(address: &str) -> bool {
    let Ok(url) = url::Url::parse(address) else {
        return false;
    };
    match url.scheme() {
        "https" => true,
        "http" => matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]")),
        _ => false,
    }
}

/// What a request wants, once it is known who asks.
enum Act {
    Answer(Reply),
    /// A challenge comes first.
    Create(Box<Subscription>),
}

/// Any request to the resource.
pub(super) async fn serve(
    request: &HttpRequest,
    incoming: &Incoming,
    body: &[u8],
    sandbox: &Sandbox,
) -> HttpResponse {
    let fault = strike(incoming, sandbox);
    let reply = match fault
        .as_ref()
        .and_then(|fault| instead(fault, sandbox.now()))
    {
        Some(reply) => reply,
        None => match act(incoming, body, sandbox) {
            Ok(Act::Answer(reply)) | Err(reply) => reply,
            Ok(Act::Create(subscription)) => create(*subscription, sandbox).await,
        },
    };
    finish(request, incoming, sandbox, fault.as_ref(), reply).await
}

fn act(incoming: &Incoming, body: &[u8], sandbox: &Sandbox) -> Result<Act, Reply> {
    let call = Call::open(incoming, sandbox)?;
    call.needs_scope(&[SCOPE], "leadNotifications")?;
    match (incoming.method.as_str(), incoming.segments().as_slice()) {
        ("POST", [_]) => wanted(&call, body).map(|new| Act::Create(Box::new(new))),
        ("GET", [_]) => find(&call).map(Act::Answer),
        ("GET", [_, id]) => {
            let id: i64 = id.parse().map_err(|_| not_found())?;
            let hooks = sandbox.hooks();
            let found = hooks.subscriptions.iter().find(|one| one.id == id);
            let found = found.ok_or_else(not_found)?;
            Ok(Act::Answer(Reply::json(200, &found.json())))
        }
        ("DELETE", [_, id]) => {
            let id: i64 = id.parse().map_err(|_| not_found())?;
            let mut hooks = sandbox.hooks();
            let owner = hooks
                .subscriptions
                .iter()
                .find(|one| one.id == id)
                .map(|one| (one.owner, one.lead_type))
                .ok_or_else(not_found)?;
            check_role(&call, owner)?;
            hooks.subscriptions.retain(|one| one.id != id);
            Ok(Act::Answer(Reply::bytes(204, Vec::new())))
        }
        _ => Err(no_resource()),
    }
}

fn check_role(call: &Call<'_>, (owner, lead_type): (OwnerKey, &str)) -> Result<(), Reply> {
    let history = call.sandbox.history();
    if history
        .world
        .may_read_leads(&call.token.member, owner, lead_type)
    {
        Ok(())
    } else {
        Err(call.no_role("leadNotifications"))
    }
}

fn wanted(call: &Call<'_>, body: &[u8]) -> Result<Subscription, Reply> {
    let wanted: Wanted =
        serde_json::from_slice(body).map_err(|_| illegal("The request body is invalid"))?;
    let owner = wanted
        .owner
        .read()
        .ok_or_else(|| illegal("Invalid owner"))?;
    let lead_type =
        known_lead_type(&wanted.lead_type).ok_or_else(|| illegal("Invalid leadType"))?;
    if matches!(owner, OwnerKey::Account(_)) != (lead_type == "SPONSORED") {
        return Err(illegal("The leadType does not fit the owner"));
    }
    check_role(call, (owner, lead_type))?;
    if !is_acceptable(&wanted.webhook) {
        return Err(illegal("The webhook must be a public HTTPS address"));
    }
    let hooks = call.sandbox.hooks();
    let of_owner = hooks
        .subscriptions
        .iter()
        .filter(|one| one.owner == owner)
        .count();
    if of_owner >= MOST_FOR_AN_OWNER {
        return Err(illegal("Too many subscriptions of this owner"));
    }
    Ok(Subscription {
        id: 0,
        webhook: wanted.webhook,
        owner,
        lead_type,
        versioned_form: wanted.versioned_form,
        associated: wanted.associated_entity,
        is_validated: false,
        failures: 0,
        challenged_at_ms: call.sandbox.now_ms(),
    })
}

async fn create(mut new: Subscription, sandbox: &Sandbox) -> Reply {
    new.is_validated = webhook::challenge(sandbox, &new.webhook).await;
    if !new.is_validated && sandbox.settings().refuse_unanswered_challenge {
        return illegal("This URL did not pass the security challenge check");
    }
    let mut hooks = sandbox.hooks();
    hooks.issued += 1;
    // Beyond what a double-precision number can tell apart, like other ids of LinkedIn.
    new.id = 4_700_000_000_000_000_000 + hooks.issued;
    let reply = Reply::bytes(201, Vec::new()).with("x-restli-id", new.id.to_string());
    hooks.subscriptions.push(new);
    reply
}

fn find(call: &Call<'_>) -> Result<Reply, Reply> {
    call.finder("criteria")?;
    let owner = leads::named_owner(call, &["value"])?;
    let lead_type = call
        .params
        .value("leadType")
        .ok()
        .flatten()
        .and_then(|value| value.member("leadType")?.text().map(str::to_owned))
        .ok_or_else(|| illegal("Invalid leadType"))?;
    check_role(call, (owner, &lead_type))?;
    let hooks = call.sandbox.hooks();
    let elements: Vec<Value> = hooks
        .subscriptions
        .iter()
        .filter(|one| one.owner == owner && one.lead_type == lead_type)
        .map(Subscription::json)
        .collect();
    let paging = json!({ "start": 0, "count": 10, "links": [], "total": elements.len() });
    Ok(Reply::json(
        200,
        &json!({ "paging": paging, "elements": elements }),
    ))
}
