//! Webhooks: addresses that are told about leads, and their sealed secrets.

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;

use super::columns::Cells;
use super::schema::webhooks as w;
use super::{AnyConn, StoreError};
use crate::domain::delivery::DeliveryEvent;
use crate::domain::ids::WebhookId;
use crate::domain::words::words;

words! {
    /// Why a webhook is switched off.
    pub enum DisabledReason {
        Person = "person" => "Switched off by an Administrator",
        Failing = "failing" => "Switched off because the address did not work for days",
        Gone = "gone" => "Switched off because the address answered 410 Gone",
    }
}

/// A webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Identifier.
    pub id: WebhookId,
    /// What it is called.
    pub name: String,
    /// Where messages go.
    pub url: String,
    /// What it is told.
    pub events: Vec<DeliveryEvent>,
    /// Until when messages are signed with the previous secret, too.
    pub previous_secret_until: Option<DateTime<Utc>>,
    /// Since when and why it is switched off.
    pub disabled: Option<(DateTime<Utc>, DisabledReason)>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Counts the changes.
    pub lock_version: i64,
}

/// The sealed secrets of a webhook.
#[derive(Debug, Clone)]
pub struct SealedSecrets {
    /// The one in use.
    pub current: Vec<u8>,
    /// The one before, while it is still used for signing.
    pub previous: Option<Vec<u8>>,
}

type Row = (
    String,
    String,
    String,
    String,
    Option<NaiveDateTime>,
    Option<NaiveDateTime>,
    Option<String>,
    NaiveDateTime,
    i64,
);

const fn columns() -> (
    w::id,
    w::name,
    w::url,
    w::events,
    w::previous_secret_until,
    w::disabled_at,
    w::disabled_reason,
    w::created_at,
    w::lock_version,
) {
    (
        w::id,
        w::name,
        w::url,
        w::events,
        w::previous_secret_until,
        w::disabled_at,
        w::disabled_reason,
        w::created_at,
        w::lock_version,
    )
}

/// Reads the words of events.
pub(super) fn events_of(id: &str, text: &str) -> Result<Vec<DeliveryEvent>, StoreError> {
    let cells = Cells {
        table: "webhooks",
        id,
    };
    text.split_whitespace()
        .map(|word| cells.word("events", word))
        .collect()
}

fn words_of(events: &[DeliveryEvent]) -> String {
    let words: Vec<&str> = events.iter().map(|event| event.as_str()).collect();
    words.join(" ")
}

fn webhook(row: Row) -> Result<Webhook, StoreError> {
    let (
        id,
        name,
        url,
        events,
        previous_until,
        disabled_at,
        disabled_reason,
        created_at,
        lock_version,
    ) = row;
    let cells = Cells {
        table: "webhooks",
        id: &id,
    };
    let reason = cells.optional("disabled_reason", disabled_reason.as_deref())?;
    Ok(Webhook {
        id: cells.word("id", &id)?,
        events: events_of(&id, &events)?,
        name,
        url,
        previous_secret_until: previous_until.map(|at| at.and_utc()),
        disabled: disabled_at.map(|at| at.and_utc()).zip(reason),
        created_at: created_at.and_utc(),
        lock_version,
    })
}

/// All webhooks, by name.
///
/// # Errors
/// As any query.
pub fn list(conn: &mut AnyConn) -> Result<Vec<Webhook>, StoreError> {
    let rows: Vec<Row> = w::table
        .order((w::name, w::id))
        .select(columns())
        .load(conn)?;
    rows.into_iter().map(webhook).collect()
}

/// One webhook.
///
/// # Errors
/// `NotFound` when there is none.
pub fn get(conn: &mut AnyConn, id: &WebhookId) -> Result<Webhook, StoreError> {
    let row: Option<Row> = w::table
        .find(id.as_str())
        .select(columns())
        .first(conn)
        .optional()?;
    row.map_or(Err(StoreError::NotFound("webhook")), webhook)
}

/// Its secrets with which messages are signed at this time.
///
/// # Errors
/// `NotFound` when there is none.
pub fn secrets(
    conn: &mut AnyConn,
    id: &WebhookId,
    now: DateTime<Utc>,
) -> Result<SealedSecrets, StoreError> {
    type Secrets = (Vec<u8>, Option<Vec<u8>>, Option<NaiveDateTime>);
    let row: Option<Secrets> = w::table
        .find(id.as_str())
        .select((w::secret, w::previous_secret, w::previous_secret_until))
        .first(conn)
        .optional()?;
    let (current, previous, until) = row.ok_or(StoreError::NotFound("webhook"))?;
    Ok(SealedSecrets {
        current,
        previous: previous.filter(|_| until.is_some_and(|until| until.and_utc() > now)),
    })
}

/// Adds a webhook.
///
/// # Errors
/// As any query.
pub fn insert(conn: &mut AnyConn, webhook: &Webhook, secret: &[u8]) -> Result<(), StoreError> {
    let at = webhook.created_at.naive_utc();
    diesel::insert_into(w::table)
        .values((
            w::id.eq(webhook.id.as_str()),
            w::name.eq(&webhook.name),
            w::url.eq(&webhook.url),
            w::events.eq(words_of(&webhook.events)),
            w::secret.eq(secret),
            w::created_at.eq(at),
            w::updated_at.eq(at),
            w::lock_version.eq(webhook.lock_version),
        ))
        .execute(conn)?;
    Ok(())
}

/// Replaces name, address and events.
///
/// # Errors
/// `Stale` when somebody else changed it since `webhook` was read.
pub fn save(conn: &mut AnyConn, webhook: &Webhook, now: DateTime<Utc>) -> Result<(), StoreError> {
    let changed = diesel::update(
        w::table
            .filter(w::id.eq(webhook.id.as_str()))
            .filter(w::lock_version.eq(webhook.lock_version)),
    )
    .set((
        w::name.eq(&webhook.name),
        w::url.eq(&webhook.url),
        w::events.eq(words_of(&webhook.events)),
        w::updated_at.eq(now.naive_utc()),
        w::lock_version.eq(w::lock_version + 1),
    ))
    .execute(conn)?;
    if changed == 0 {
        return Err(StoreError::Stale("webhook"));
    }
    Ok(())
}

/// Puts a new secret into use; the one before signs along until `until`.
///
/// # Errors
/// `NotFound` when there is none.
pub fn rotate(
    conn: &mut AnyConn,
    id: &WebhookId,
    secret: &[u8],
    sealed_again: &[u8],
    until: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let changed = diesel::update(w::table.find(id.as_str()))
        .set((
            w::previous_secret.eq(Some(sealed_again)),
            w::previous_secret_until.eq(Some(until.naive_utc())),
            w::secret.eq(secret),
            w::updated_at.eq(now.naive_utc()),
            w::lock_version.eq(w::lock_version + 1),
        ))
        .execute(conn)?;
    if changed == 0 {
        return Err(StoreError::NotFound("webhook"));
    }
    Ok(())
}

/// Says since when and why it is switched off, or that it is on.
///
/// # Errors
/// `NotFound` when there is none.
pub fn set_disabled(
    conn: &mut AnyConn,
    id: &WebhookId,
    disabled: Option<DisabledReason>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let changed = diesel::update(w::table.find(id.as_str()))
        .set((
            w::disabled_at.eq(disabled.map(|_| now.naive_utc())),
            w::disabled_reason.eq(disabled.map(DisabledReason::as_str)),
            w::updated_at.eq(now.naive_utc()),
            w::lock_version.eq(w::lock_version + 1),
        ))
        .execute(conn)?;
    if changed == 0 {
        return Err(StoreError::NotFound("webhook"));
    }
    Ok(())
}

/// Deletes a webhook with its queue and its history of deliveries.
///
/// # Errors
/// `NotFound` when there is none.
pub fn delete(conn: &mut AnyConn, id: &WebhookId) -> Result<(), StoreError> {
    if diesel::delete(w::table.find(id.as_str())).execute(conn)? == 0 {
        return Err(StoreError::NotFound("webhook"));
    }
    Ok(())
}
