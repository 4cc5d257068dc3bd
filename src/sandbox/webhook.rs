//! What LinkedIn sends by itself (linkedin-api.md §6.2, §6.3): challenges, and signed events with the faults of §11.7.

use std::sync::Arc;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::faults::{Fault, FaultKind};
use super::responses::Response;
use super::state::Sandbox;
use super::subscriptions::Subscription;
use super::tokens::CLIENT_SECRET;
use super::world::OwnerKey;

/// Within so long a challenge must be answered.
const PATIENCE: Duration = Duration::from_secs(3);
/// Challenges come again and again.
const CHALLENGE_EVERY_MS: i64 = 2 * 3600 * 1000;
/// After so many failed challenges in a row nothing more is sent.
pub(super) const FAILURES_UNTIL_BLOCKED: u32 = 3;
/// What is not answered with 2xx is sent again every five minutes for eight hours.
const RETRY_EVERY_MS: i64 = 5 * 60 * 1000;
const RETRIES: u32 = 96;
/// Under which path faults of deliveries are switched on.
const FAULT_PATH: &str = "webhook";
/// How many events a flood is.
const FLOOD: i64 = 300;

/// Subscriptions and what is on its way to them.
#[derive(Debug, Default)]
pub(super) struct Hooks {
    pub(super) subscriptions: Vec<Subscription>,
    pub(super) issued: i64,
    queue: Vec<Delivery>,
    /// Events that a fault holds back until the next one was sent.
    held: Vec<Delivery>,
    /// Events whose answer is not there yet.
    sending: usize,
    challenges: u64,
}

#[derive(Debug, Clone)]
struct Delivery {
    due_ms: i64,
    webhook: String,
    body: String,
    signature: String,
    attempts: u32,
}

fn hmac(text: &str) -> String {
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    let mut mac = Hmac::<Sha256>::new_from_slice(CLIENT_SECRET.as_bytes())
        .expect("HMAC takes a key of any length");
    mac.update(text.as_bytes());
    let bytes = mac.finalize().into_bytes();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn event(response: &Response, owner: OwnerKey, action: &str, occurred_at: i64) -> Value {
    let mut value = json!({
        "type": "LEAD_ACTION",
        "leadGenFormResponse": format!("urn:li:leadGenFormResponse:{}", response.id),
        // LinkedIn's own sample prints the blank.
        "leadGenForm": format!(
            "urn:li:versionedLeadGenForm:(urn:li:leadGenForm:{}, {})",
            response.form_id, response.version
        ),
        "owner": owner.json(),
        "leadType": response.lead_type,
        "leadAction": action,
        "occurredAt": occurred_at,
    });
    if let (Some(object), Some(id)) = (value.as_object_mut(), response.event) {
        let entity = json!({ "event": format!("urn:li:event:{id}") });
        object.insert("associatedEntity".to_owned(), entity);
    }
    value
}

fn delivery(webhook: &str, event: &Value, due_ms: i64) -> Delivery {
    let body = event.to_string();
    Delivery {
        due_ms,
        webhook: webhook.to_owned(),
        signature: hmac(&format!("hmacsha256={body}")),
        body,
        attempts: 0,
    }
}

/// Puts an event about a response on its way to everybody who subscribed to it.
pub(super) fn announce(sandbox: &Sandbox, response: &Response, action: &str) {
    let now = sandbox.now_ms();
    let told: Vec<String> = sandbox
        .hooks()
        .subscriptions
        .iter()
        .filter(|one| one.owner == response.owner && one.lead_type == response.lead_type)
        .filter(|one| one.is_told())
        .map(|one| one.webhook.clone())
        .collect();
    for webhook in told {
        let fault = sandbox.faults().take(FAULT_PATH, FAULT_PATH);
        let fault = fault.as_ref();
        let kind = fault.map(|fault| fault.kind);
        let stamp = match kind {
            Some(FaultKind::EventSeconds) => now / 1000,
            _ => now,
        };
        let mut sent = delivery(
            &webhook,
            &event(response, response.owner, action, stamp),
            now,
        );
        let mut all = Vec::new();
        match kind {
            Some(FaultKind::EventDropped) => continue,
            Some(FaultKind::EventHeld) => {
                sandbox.hooks().held.push(sent);
                continue;
            }
            Some(FaultKind::EventBadSignature) => sent.signature = hmac("something else"),
            Some(FaultKind::EventLate) => {
                sent.due_ms += 1000 * fault.and_then(|fault: &Fault| fault.seconds).unwrap_or(60);
            }
            Some(FaultKind::EventTwice) => all.push(sent.clone()),
            Some(FaultKind::EventFlood) => all.extend((1..FLOOD).map(|number| {
                let body = event(response, response.owner, action, stamp - number);
                delivery(&webhook, &body, now)
            })),
            Some(FaultKind::EventOfStranger) => {
                let stranger = OwnerKey::Account(999_999_999);
                let mut body = event(response, stranger, action, stamp);
                if let Some(object) = body.as_object_mut() {
                    let urn = format!("urn:li:leadGenFormResponse:of-a-stranger-{}", response.id);
                    object.insert("leadGenFormResponse".to_owned(), json!(urn));
                }
                all.push(delivery(&webhook, &body, now));
            }
            _ => {}
        }
        all.push(sent);
        let mut hooks = sandbox.hooks();
        let held = std::mem::take(&mut hooks.held);
        hooks.queue.extend(all);
        hooks.queue.extend(held);
    }
}

/// How many events are on their way or held back.
pub(super) fn waiting(sandbox: &Sandbox) -> usize {
    let hooks = sandbox.hooks();
    hooks.queue.len() + hooks.held.len() + hooks.sending
}

fn client() -> Option<reqwest::Client> {
    // A second installation only says that the first one stands.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .timeout(PATIENCE)
        .build()
        .ok()
}

/// Asks an address to prove that it knows the client secret; whether it did.
pub(super) async fn challenge(sandbox: &Sandbox, webhook: &str) -> bool {
    let number = {
        let mut hooks = sandbox.hooks();
        hooks.challenges += 1;
        hooks.challenges
    };
    let bits = super::seeded::mix(sandbox.seed, 90, number);
    let more = super::seeded::mix(sandbox.seed, 91, number);
    let code = format!(
        "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
        bits >> 32,
        bits & 0xffff,
        (bits >> 16) & 0xfff,
        more & 0xfff,
        more >> 16
    );
    let answer = async {
        let response = client()?
            .get(webhook)
            .query(&[("challengeCode", code.as_str())])
            .send()
            .await
            .ok()
            .filter(|response| response.status().as_u16() == 200)?;
        response.json::<Value>().await.ok()
    };
    let Some(answer) = answer.await else {
        return false;
    };
    answer.get("challengeCode") == Some(&json!(code))
        && answer.get("challengeResponse") == Some(&json!(hmac(&code)))
}

/// Sends what is due, and asks again whoever was not asked for two hours; until it is dropped.
pub(super) async fn keep_sending(sandbox: Arc<Sandbox>) {
    let Some(client) = client() else { return };
    loop {
        send_due(&sandbox, &client).await;
        challenge_due(&sandbox).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn send_due(sandbox: &Sandbox, client: &reqwest::Client) {
    let now = sandbox.now_ms();
    let due: Vec<Delivery> = {
        let mut hooks = sandbox.hooks();
        let (due, later) = std::mem::take(&mut hooks.queue)
            .into_iter()
            .partition(|one| one.due_ms <= now);
        hooks.queue = later;
        hooks.sending = due.len();
        due
    };
    for mut one in due {
        let sent = client
            .post(&one.webhook)
            .header("content-type", "application/json")
            .header("x-li-signature", &one.signature)
            .body(one.body.clone())
            .send()
            .await;
        let is_taken = sent.is_ok_and(|answer| answer.status().is_success());
        one.attempts += 1;
        let mut hooks = sandbox.hooks();
        hooks.sending -= 1;
        if !is_taken && one.attempts <= RETRIES {
            one.due_ms = now + RETRY_EVERY_MS;
            hooks.queue.push(one);
        }
    }
}

async fn challenge_due(sandbox: &Sandbox) {
    let now = sandbox.now_ms();
    let due: Vec<(i64, String)> = sandbox
        .hooks()
        .subscriptions
        .iter()
        .filter(|one| one.failures < FAILURES_UNTIL_BLOCKED)
        .filter(|one| now - one.challenged_at_ms >= CHALLENGE_EVERY_MS)
        .map(|one| (one.id, one.webhook.clone()))
        .collect();
    for (id, webhook) in due {
        let is_right = challenge(sandbox, &webhook).await;
        let mut hooks = sandbox.hooks();
        if let Some(one) = hooks.subscriptions.iter_mut().find(|one| one.id == id) {
            one.challenged_at_ms = now;
            one.is_validated |= is_right;
            one.failures = if is_right { 0 } else { one.failures + 1 };
        }
    }
}
