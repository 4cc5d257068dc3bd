//! Messages to webhooks, by the Standard Webhooks specification: `webhook-id`, `webhook-timestamp` and `webhook-signature`;
//! only a 2xx is success, redirects are failures, 410 switches the webhook off, and Retry-After is honoured.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use futures_util::future::join_all;
use reqwest::{Client, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use standardwebhooks::Webhook as Signer;
use url::Url;

use super::super::SyncContext;
use super::{Attempt, Parcel, Sent, Trouble};
use crate::auth::secret_key::Cell;
use crate::destination_address::{self, Reach};
use crate::domain::delivery::{DeliveryEvent, DeliveryFailure};
use crate::domain::ids::WebhookId;
use crate::domain::lead::{FieldKey, Lead};
use crate::http_answer::retry_after_in;
use crate::store::{StoreError, webhooks};

/// Messages that are on their way to one destination at once.
const AT_ONCE: usize = 8;
/// How long the other side may take.
const TIMEOUT: Duration = Duration::from_secs(20);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The way out to webhooks. Cheap to clone.
#[derive(Debug, Clone)]
pub struct WebhookClient {
    http: Client,
    reach: Reach,
}

impl WebhookClient {
    /// A client that believes these authorities beside the system's.
    ///
    /// # Errors
    /// When the TLS set-up fails.
    pub fn new(reach: Reach, authorities: &[reqwest::Certificate]) -> Result<Self, reqwest::Error> {
        let http = destination_address::client_builder(reach, authorities)
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .build()?;
        Ok(Self { http, reach })
    }
}

/// The name of an event on the wire.
#[must_use]
pub const fn wire_name(event: DeliveryEvent) -> &'static str {
    match event {
        DeliveryEvent::LeadSaved => "lead.saved",
        DeliveryEvent::LeadCreated => "lead.created",
        DeliveryEvent::LeadUpdated => "lead.updated",
        DeliveryEvent::LeadStatusChanged => "lead.status_changed",
        DeliveryEvent::SubmissionFailed => "submission.failed",
        DeliveryEvent::Test => "test",
    }
}

#[derive(Serialize)]
struct Message<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    timestamp: DateTime<Utc>,
    data: Data<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Data<'a> {
    Lead(Box<LeadData<'a>>),
    Submission { submission_id: &'a str },
    Test { message: &'static str },
}

/// A lead as it is when the message is sent.
#[derive(Serialize)]
struct LeadData<'a> {
    id: &'a str,
    topic: &'a str,
    status: &'static str,
    source: &'static str,
    owner: Option<&'a str>,
    fields: std::collections::BTreeMap<&'a str, &'a str>,
    custom_fields: std::collections::BTreeMap<&'a str, &'a str>,
    linkedin_member_urn: Option<&'a str>,
    account_id: Option<&'a str>,
    form_id: Option<&'a str>,
    campaign_id: Option<&'a str>,
    submission_count: i64,
    latest_submission_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl<'a> LeadData<'a> {
    fn new(lead: &'a Lead, owner: Option<&'a str>) -> Self {
        let mut data = Self {
            id: lead.id.as_str(),
            topic: &lead.topic,
            status: lead.status.as_str(),
            source: lead.source.as_str(),
            owner,
            fields: std::collections::BTreeMap::new(),
            custom_fields: std::collections::BTreeMap::new(),
            linkedin_member_urn: lead.member_urn.as_deref(),
            account_id: lead.account_id.as_ref().map(AsRef::as_ref),
            form_id: lead.form_id.as_ref().map(AsRef::as_ref),
            campaign_id: lead.campaign_id.as_ref().map(AsRef::as_ref),
            submission_count: lead.submission_count,
            latest_submission_at: lead.latest_submitted_at,
            created_at: lead.created_at,
            updated_at: lead.updated_at,
        };
        for (key, value) in &lead.values {
            match key {
                FieldKey::Standard(field) => data.fields.insert(field.as_str(), value),
                FieldKey::Custom(name) => data.custom_fields.insert(name, value),
            };
        }
        data
    }
}

fn body(parcel: &Parcel) -> Option<Vec<u8>> {
    let taken = &parcel.taken;
    let data = match (taken.event, &parcel.lead, &taken.submission_id) {
        (DeliveryEvent::Test, ..) => Data::Test {
            message: "This is a test of Leadgen Connector.",
        },
        (_, Some(lead), _) => Data::Lead(Box::new(LeadData::new(lead, parcel.owner.as_deref()))),
        (_, None, Some(submission)) => Data::Submission {
            submission_id: submission.as_str(),
        },
        // The lead is gone, and its deliveries with it.
        (_, None, None) => return None,
    };
    serde_json::to_vec(&Message {
        kind: wire_name(taken.event),
        timestamp: taken.created_at,
        data,
    })
    .ok()
}

/// The words of a secret as the specification wants them: `whsec_` and base64.
#[must_use]
pub fn secret_text(bytes: &[u8]) -> SecretString {
    SecretString::from(format!("whsec_{}", STANDARD.encode(bytes)))
}

/// The cell in which a webhook's secret is sealed.
#[must_use]
pub fn secret_cell<'a>(column: &'a str, webhook: &'a WebhookId) -> Cell<'a> {
    Cell {
        table: "webhooks",
        column,
        row: webhook.as_str(),
    }
}

/// The signers of a webhook: of its secret, and of the one before while it is in use.
async fn signers(ctx: &SyncContext, id: &WebhookId) -> Result<Option<Vec<Signer>>, StoreError> {
    let (webhook, now) = (id.clone(), ctx.clock.now());
    let sealed = ctx
        .store
        .read(move |conn| webhooks::secrets(conn, &webhook, now))
        .await?;
    let cells = [
        ("secret", Some(&sealed.current)),
        ("previous_secret", sealed.previous.as_ref()),
    ];
    Ok(cells
        .into_iter()
        .filter_map(|(column, sealed)| Some((column, sealed?)))
        .map(|(column, sealed)| {
            let opened = ctx.secret_key.open(secret_cell(column, id), sealed).ok()?;
            Signer::new(opened.expose_secret()).ok()
        })
        .collect())
}

/// Sends a batch.
pub(super) async fn deliver(
    ctx: &SyncContext,
    id: &WebhookId,
    parcels: Vec<Parcel>,
) -> Result<Sent, StoreError> {
    let webhook_id = id.clone();
    let webhook = ctx
        .store
        .read(move |conn| webhooks::get(conn, &webhook_id))
        .await?;
    let untried = |reason| {
        let trouble = Trouble {
            reason,
            detail: None,
            retry_after: None,
        };
        Sent::untried(&parcels, trouble)
    };
    let Some(signers) = signers(ctx, id).await? else {
        return Ok(untried(DeliveryFailure::SecretUnreadable));
    };
    let client = &ctx.webhooks;
    let url = match Url::parse(&webhook.url) {
        Ok(url) if destination_address::check(&url, client.reach).is_ok() => url,
        _ => return Ok(untried(DeliveryFailure::AddressForbidden)),
    };
    let mut sent = Sent::default();
    let mut left = parcels.into_iter();
    while sent.trouble.is_none() {
        let group: Vec<Parcel> = left.by_ref().take(AT_ONCE).collect();
        if group.is_empty() {
            break;
        }
        let answers = group
            .iter()
            .map(|parcel| send(ctx, &client.http, &url, &signers, parcel));
        for (attempt, retry_after) in join_all(answers).await {
            if let Some(reason) = attempt.failure.filter(|reason| reason.is_of_destination()) {
                let detail = attempt.message.clone();
                sent.in_trouble(Trouble {
                    reason,
                    detail,
                    retry_after,
                });
            }
            sent.ended.attempts.push(attempt);
        }
    }
    sent.ended.untried = left.map(|parcel| parcel.taken.id).collect();
    Ok(sent)
}

async fn send(
    ctx: &SyncContext,
    http: &Client,
    url: &Url,
    signers: &[Signer],
    parcel: &Parcel,
) -> (Attempt, Option<Duration>) {
    let taken = &parcel.taken;
    let (started_at, clock) = (ctx.clock.now(), Instant::now());
    let mut attempt = Attempt {
        id: taken.id.clone(),
        attempt: taken.attempt,
        attempt_since_retry: taken.attempt_since_retry,
        started_at,
        duration_ms: 0,
        status: None,
        failure: Some(DeliveryFailure::InternalError),
        is_final: false,
        code: None,
        message: None,
    };
    let Some(body) = body(parcel) else {
        return (attempt, None);
    };
    let id = taken.id.as_str();
    let signatures: Result<Vec<String>, _> = signers
        .iter()
        .map(|signer| signer.sign(id, started_at.timestamp(), &body))
        .collect();
    let Ok(signatures) = signatures else {
        return (attempt, None);
    };
    let answer = http
        .post(url.clone())
        .header("content-type", "application/json")
        .header("webhook-id", id)
        .header("webhook-timestamp", started_at.timestamp().to_string())
        .header("webhook-signature", signatures.join(" "))
        .body(body)
        .send()
        .await;
    attempt.duration_ms = i64::try_from(clock.elapsed().as_millis()).unwrap_or(i64::MAX);
    match answer {
        Ok(answer) => {
            let status = answer.status();
            attempt.status = Some(status.as_u16());
            attempt.failure = failure(status);
            attempt.message = attempt
                .failure
                .map(|_| format!("The address answered {status}."));
            (attempt, retry_after_in(answer.headers()))
        }
        Err(error) => {
            attempt.failure = Some(if destination_address::is_refusal(&error) {
                DeliveryFailure::AddressForbidden
            } else if error.is_timeout() {
                DeliveryFailure::TimedOut
            } else {
                DeliveryFailure::Unreachable
            });
            (attempt, None)
        }
    }
}

/// What a status says; `None`: it arrived.
fn failure(status: StatusCode) -> Option<DeliveryFailure> {
    Some(match status.as_u16() {
        200..=299 => return None,
        300..=399 => DeliveryFailure::Redirected,
        401 => DeliveryFailure::Unauthorized,
        403 => DeliveryFailure::Forbidden,
        404 => DeliveryFailure::NotFound,
        408 => DeliveryFailure::TimedOut,
        410 => DeliveryFailure::Gone,
        429 => DeliveryFailure::Throttled,
        400..=499 => DeliveryFailure::Refused,
        _ => DeliveryFailure::ServiceError,
    })
}
