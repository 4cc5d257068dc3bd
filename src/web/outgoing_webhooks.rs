//! Settings › Webhooks: addresses that are told about leads. The secret is shown once, where it was made.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use askama::Template;
use chrono::TimeDelta;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::history::{self, History};
use super::{Answer, FieldErrors, Flash, Form, Path, Portal, Shell, WebError};
use crate::destination_address;
use crate::domain::delivery::{DeliveryEvent, DeliveryState};
use crate::domain::ids::{LaneId, WebhookId};
use crate::store::audit::{self, Actor};
use crate::store::columns::BoundedCount;
use crate::store::deliveries::lanes::{self, Destination, Lane};
use crate::store::deliveries::{enqueue_test, list};
use crate::store::webhooks::{self, DisabledReason, Webhook};
use crate::store::{AnyConn, StoreError};
use crate::sync::delivery::{secret_cell, secret_text};

const INDEX: &str = "/settings/webhooks";
/// How long the previous secret signs along after a new one was made.
const OVERLAP: TimeDelta = TimeDelta::hours(24);
/// What a webhook can be told.
const EVENTS: [DeliveryEvent; 4] = [
    DeliveryEvent::LeadCreated,
    DeliveryEvent::LeadUpdated,
    DeliveryEvent::LeadStatusChanged,
    DeliveryEvent::SubmissionFailed,
];

/// One line of the list.
struct Line {
    webhook: Webhook,
    lane: Lane,
    waiting: BoundedCount,
    dead: BoundedCount,
}

fn line(conn: &mut AnyConn, webhook: Webhook) -> Result<Line, StoreError> {
    let lane = lanes::of(conn, &Destination::Webhook(webhook.id.clone()))?;
    let pending = list::count(conn, &lane.id, DeliveryState::Pending)?;
    let failed = list::count(conn, &lane.id, DeliveryState::Failed)?;
    Ok(Line {
        waiting: BoundedCount {
            rows: pending.rows + failed.rows,
            is_more: pending.is_more || failed.is_more,
        },
        dead: list::count(conn, &lane.id, DeliveryState::Dead)?,
        webhook,
        lane,
    })
}

/// How a destination stands: the tone of its badge, and its words.
#[must_use]
pub fn standing(lane: &Lane) -> (&'static str, &'static str) {
    if !lane.is_enabled {
        ("quiet", "Switched off")
    } else if lane.paused.is_some() {
        ("quiet", "Paused")
    } else if let Some(trouble) = &lane.trouble {
        ("bad", trouble.reason.label())
    } else {
        ("good", "Working")
    }
}

#[derive(Template)]
#[template(path = "outgoing_webhooks/index.html")]
struct OutgoingWebhooksIndex {
    shell: Shell,
    lines: Vec<Line>,
}

/// GET /settings/webhooks
///
/// # Errors
/// As the database.
pub async fn index(portal: Data<Portal>, shell: Shell) -> Answer {
    let lines = portal
        .store
        .read(|conn| {
            let found = webhooks::list(conn)?;
            found
                .into_iter()
                .map(|webhook| line(conn, webhook))
                .collect::<Result<_, StoreError>>()
        })
        .await?;
    let page = OutgoingWebhooksIndex { shell, lines };
    page.shell.render(StatusCode::OK, &page)
}

/// What somebody typed.
#[derive(Debug, Default, Deserialize)]
pub struct WebhookForm {
    #[serde(default)]
    name: String,
    #[serde(default)]
    url: String,
    #[serde(default)]
    event: Vec<String>,
    #[serde(default)]
    lock_version: i64,
}

struct Checked {
    name: String,
    url: String,
    events: Vec<DeliveryEvent>,
}

impl WebhookForm {
    fn check(&self, portal: &Portal, errors: &mut FieldErrors) -> Option<Checked> {
        let name = self.name.trim();
        if name.is_empty() || name.chars().count() > 100 {
            errors.add("name", "Enter a name of at most 100 characters.");
        }
        let url = match Url::parse(self.url.trim()) {
            Ok(url) if url.as_str().len() <= 2_000 => {
                let reach = portal.settings.destinations.reach;
                errors
                    .check("url", destination_address::check(&url, reach))
                    .map(|()| url.to_string())
            }
            _ => {
                errors.add(
                    "url",
                    "Enter an address like https://example.com/hooks/leads.",
                );
                None
            }
        };
        let events: Vec<DeliveryEvent> = EVENTS
            .into_iter()
            .filter(|event| self.event.iter().any(|word| word == event.as_str()))
            .collect();
        if events.is_empty() {
            errors.add("event", "Choose at least one event.");
        }
        (errors.is_empty()).then_some(Checked {
            name: name.to_owned(),
            url: url?,
            events,
        })
    }
}

/// The event boxes: word, label, and whether it is ticked.
fn boxes(ticked: impl Fn(DeliveryEvent) -> bool) -> Vec<(&'static str, &'static str, bool)> {
    EVENTS
        .into_iter()
        .map(|event| (event.as_str(), event.label(), ticked(event)))
        .collect()
}

#[derive(Template)]
#[template(path = "outgoing_webhooks/new.html")]
struct OutgoingWebhooksNew {
    shell: Shell,
    name: String,
    url: String,
    boxes: Vec<(&'static str, &'static str, bool)>,
    errors: FieldErrors,
}

/// GET /settings/webhooks/new
///
/// # Errors
/// When the page cannot be drawn.
pub async fn new(shell: Shell) -> Answer {
    let page = OutgoingWebhooksNew {
        shell,
        name: String::new(),
        url: String::new(),
        boxes: boxes(|event| event != DeliveryEvent::SubmissionFailed),
        errors: FieldErrors::new(),
    };
    page.shell.render(StatusCode::OK, &page)
}

#[derive(Template)]
#[template(path = "outgoing_webhooks/secret.html")]
struct OutgoingWebhooksSecret {
    shell: Shell,
    webhook: Webhook,
    is_new: bool,
    secret: SecretString,
}

/// 32 random bytes in the words of the specification.
fn new_secret() -> Result<SecretString, WebError> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes)
        .map_err(|_| WebError::Internal("the operating system has no randomness".to_owned()))?;
    Ok(secret_text(&bytes))
}

fn seal(
    portal: &Portal,
    column: &str,
    id: &WebhookId,
    secret: &SecretString,
) -> Result<Vec<u8>, WebError> {
    portal
        .connector
        .secret_key()
        .seal(secret_cell(column, id), secret)
        .map_err(|_| WebError::Internal("a secret could not be sealed".to_owned()))
}

/// What the audit log keeps of a webhook: the address without what may be a secret in it.
fn facts(webhook: &Webhook) -> Value {
    let host = Url::parse(&webhook.url)
        .ok()
        .and_then(|url| url.host_str().map(str::to_owned));
    json!({ "name": webhook.name, "host": host, "events": webhook.events })
}

/// POST /settings/webhooks
///
/// # Errors
/// As the database.
pub async fn create(
    portal: Data<Portal>,
    shell: Shell,
    actor: Actor,
    Form(form): Form<WebhookForm>,
) -> Answer {
    let mut errors = FieldErrors::new();
    let Some(checked) = form.check(&portal, &mut errors) else {
        let page = OutgoingWebhooksNew {
            shell,
            boxes: boxes(|event| form.event.iter().any(|word| word == event.as_str())),
            name: form.name,
            url: form.url,
            errors,
        };
        return page.shell.render(StatusCode::UNPROCESSABLE_ENTITY, &page);
    };
    let now = portal.clock.now();
    let webhook = Webhook {
        id: WebhookId::new(portal.new_id()),
        name: checked.name,
        url: checked.url,
        events: checked.events,
        previous_secret_until: None,
        disabled: None,
        created_at: now,
        lock_version: 1,
    };
    let secret = new_secret()?;
    let sealed = seal(&portal, "secret", &webhook.id, &secret)?;
    let (made, lane) = (webhook.clone(), LaneId::new(portal.new_id()));
    portal
        .store
        .write(move |tx| {
            webhooks::insert(tx, &made, &sealed)?;
            lanes::insert(tx, &lane, &Destination::Webhook(made.id.clone()))?;
            let object = ("webhook", made.id.as_str(), made.name.as_str());
            audit::record(
                tx,
                now,
                &actor,
                "webhook.created",
                object,
                None,
                Some(facts(&made)),
            )
        })
        .await?;
    let page = OutgoingWebhooksSecret {
        shell,
        webhook,
        is_new: true,
        secret,
    };
    page.shell.render(StatusCode::CREATED, &page)
}

#[derive(Template)]
#[template(path = "outgoing_webhooks/show.html")]
struct OutgoingWebhooksShow {
    shell: Shell,
    line: Line,
    name: String,
    url: String,
    boxes: Vec<(&'static str, &'static str, bool)>,
    history: History,
    errors: FieldErrors,
}

async fn show_page(
    portal: &Portal,
    shell: Shell,
    id: WebhookId,
) -> Result<OutgoingWebhooksShow, WebError> {
    let (line, history) = portal
        .store
        .read(move |conn| {
            let webhook = webhooks::get(conn, &id)?;
            let history = history::read(conn, "webhook", id.as_str())?;
            Ok::<_, StoreError>((line(conn, webhook)?, history))
        })
        .await?;
    Ok(OutgoingWebhooksShow {
        shell,
        name: line.webhook.name.clone(),
        url: line.webhook.url.clone(),
        boxes: boxes(|event| line.webhook.events.contains(&event)),
        line,
        history,
        errors: FieldErrors::new(),
    })
}

/// GET /settings/webhooks/{id}
///
/// # Errors
/// `NotFound`, or as the database.
pub async fn show(portal: Data<Portal>, shell: Shell, Path(id): Path<WebhookId>) -> Answer {
    let page = show_page(&portal, shell, id).await?;
    page.shell.render(StatusCode::OK, &page)
}

/// POST /settings/webhooks/{id}
///
/// # Errors
/// `NotFound`, `Stale`, or as the database.
pub async fn update(
    portal: Data<Portal>,
    shell: Shell,
    actor: Actor,
    Path(id): Path<WebhookId>,
    Form(form): Form<WebhookForm>,
) -> Answer {
    let mut errors = FieldErrors::new();
    let Some(checked) = form.check(&portal, &mut errors) else {
        let mut page = show_page(&portal, shell, id).await?;
        page.boxes = boxes(|event| form.event.iter().any(|word| word == event.as_str()));
        (page.name, page.url, page.errors) = (form.name, form.url, errors);
        return page.shell.render(StatusCode::UNPROCESSABLE_ENTITY, &page);
    };
    let (path, now) = (format!("{INDEX}/{id}"), portal.clock.now());
    portal
        .store
        .write(move |tx| {
            let before = webhooks::get(tx, &id)?;
            let after = Webhook {
                name: checked.name,
                url: checked.url,
                events: checked.events,
                lock_version: form.lock_version,
                ..before.clone()
            };
            webhooks::save(tx, &after, now)?;
            if before.url != after.url {
                let lane = lanes::of(tx, &Destination::Webhook(id.clone()))?;
                lanes::mend(tx, &lane.id)?;
            }
            let object = ("webhook", id.as_str(), after.name.as_str());
            let (before, after) = (Some(facts(&before)), Some(facts(&after)));
            audit::record(tx, now, &actor, "webhook.changed", object, before, after)
        })
        .await?;
    portal.wake.notify_one();
    Ok(shell
        .redirect(path)
        .flash(Flash::success("The webhook is saved.".to_owned())))
}

/// POST /settings/webhooks/{id}/secrets: a new secret; the one before signs along for a day.
///
/// # Errors
/// `NotFound`, `Rule` when the stored one cannot be opened, or as the database.
pub async fn rotate(
    portal: Data<Portal>,
    shell: Shell,
    actor: Actor,
    Path(id): Path<WebhookId>,
) -> Answer {
    let now = portal.clock.now();
    let until = now + OVERLAP;
    let secret = new_secret()?;
    let sealed = seal(&portal, "secret", &id, &secret)?;
    let key = portal.connector.secret_key().clone();
    let webhook = portal
        .store
        .write(move |tx| {
            let known = webhooks::secrets(tx, &id, now)?.current;
            let again = key
                .open(secret_cell("secret", &id), &known)
                .ok()
                .and_then(|text| key.seal(secret_cell("previous_secret", &id), &text).ok())
                .ok_or_else(|| {
                    StoreError::Rule(
                        "The stored secret cannot be opened with this portal’s secret key. Delete the webhook and make a new one.".into(),
                    )
                })?;
            webhooks::rotate(tx, &id, &sealed, &again, until, now)?;
            let webhook = webhooks::get(tx, &id)?;
            let object = ("webhook", id.as_str(), webhook.name.as_str());
            audit::record(tx, now, &actor, "webhook.secret_rotated", object, None, None)?;
            Ok::<_, StoreError>(webhook)
        })
        .await?;
    let page = OutgoingWebhooksSecret {
        shell,
        webhook,
        is_new: false,
        secret,
    };
    page.shell.render(StatusCode::CREATED, &page)
}

/// POST /settings/webhooks/{id}/tests: queues a test message, which is sent at once, even while the webhook is left alone for a
/// trouble.
///
/// # Errors
/// `NotFound`, `Rule` when it is switched off or paused, or as the database.
pub async fn test(
    portal: Data<Portal>,
    shell: Shell,
    actor: Actor,
    Path(id): Path<WebhookId>,
) -> Answer {
    let now = portal.clock.now();
    let delivery = portal
        .store
        .write(move |tx| {
            let lane = lanes::of(tx, &Destination::Webhook(id.clone()))?;
            if !lane.is_enabled {
                return Err(StoreError::Rule(
                    "This webhook is switched off: switch it on first.".into(),
                ));
            }
            if lane.paused.is_some() {
                return Err(StoreError::Rule(
                    "This webhook is paused: resume it under Deliveries first.".into(),
                ));
            }
            lanes::wake(tx, &lane.id)?;
            let delivery = enqueue_test(tx, &lane.id)?;
            let object = ("webhook", id.as_str(), lane.name.as_str());
            let after = Some(json!({ "delivery": delivery }));
            audit::record(tx, now, &actor, "webhook.tested", object, None, after)?;
            Ok::<_, StoreError>(delivery)
        })
        .await?;
    portal.wake.notify_one();
    let flash = Flash::success(
        "A test message is on its way. This page says what became of it.".to_owned(),
    );
    Ok(shell
        .redirect(format!("/deliveries/{delivery}"))
        .flash(flash))
}

/// On or off.
#[derive(Debug, Deserialize)]
pub struct SwitchForm {
    #[serde(default)]
    is_enabled: bool,
}

/// POST /settings/webhooks/{id}/switch
///
/// # Errors
/// `NotFound`, or as the database.
pub async fn switch(
    portal: Data<Portal>,
    shell: Shell,
    actor: Actor,
    Path(id): Path<WebhookId>,
    Form(form): Form<SwitchForm>,
) -> Answer {
    let (path, now) = (format!("{INDEX}/{id}"), portal.clock.now());
    let (action, text) = if form.is_enabled {
        (
            "webhook.enabled",
            "The webhook is switched on. What waits is sent now; what happened while it was off is not.",
        )
    } else {
        (
            "webhook.disabled",
            "The webhook is switched off. Nothing new is queued for it, and what waits stays.",
        )
    };
    portal
        .store
        .write(move |tx| {
            let lane = lanes::of(tx, &Destination::Webhook(id.clone()))?;
            let disabled = (!form.is_enabled).then_some(DisabledReason::Person);
            webhooks::set_disabled(tx, &id, disabled, now)?;
            lanes::set_enabled(tx, &lane.id, form.is_enabled)?;
            let object = ("webhook", id.as_str(), lane.name.as_str());
            audit::record(tx, now, &actor, action, object, None, None)
        })
        .await?;
    Ok(shell.redirect(path).flash(Flash::success(text.to_owned())))
}

#[derive(Template)]
#[template(path = "outgoing_webhooks/deletion.html")]
struct OutgoingWebhooksDeletion {
    shell: Shell,
    line: Line,
}

/// GET /settings/webhooks/{id}/deletion
///
/// # Errors
/// `NotFound`, or as the database.
pub async fn deletion(portal: Data<Portal>, shell: Shell, Path(id): Path<WebhookId>) -> Answer {
    let line = portal
        .store
        .read(move |conn| {
            let webhook = webhooks::get(conn, &id)?;
            line(conn, webhook)
        })
        .await?;
    let page = OutgoingWebhooksDeletion { shell, line };
    page.shell.render(StatusCode::OK, &page)
}

/// POST /settings/webhooks/{id}/deletion
///
/// # Errors
/// `NotFound`, or as the database.
pub async fn destroy(
    portal: Data<Portal>,
    shell: Shell,
    actor: Actor,
    Path(id): Path<WebhookId>,
) -> Answer {
    let now = portal.clock.now();
    portal
        .store
        .write(move |tx| {
            let webhook = webhooks::get(tx, &id)?;
            webhooks::delete(tx, &id)?;
            let object = ("webhook", id.as_str(), webhook.name.as_str());
            audit::record(
                tx,
                now,
                &actor,
                "webhook.deleted",
                object,
                Some(facts(&webhook)),
                None,
            )
        })
        .await?;
    Ok(shell
        .redirect(INDEX)
        .flash(Flash::success("The webhook is deleted.".to_owned())))
}
