//! What LinkedIn tells by itself: answers its challenge, and keeps each event that it signed. An announced lead makes its
//! account due at once, so that the ordinary pull brings it; nothing is read here, and nothing is lost without it.

use chrono::{DateTime, Utc};

use super::connect::Connector;
use crate::domain::account::OwnerType;
use crate::domain::notification::NotificationAction;
use crate::linkedin::Owner;
use crate::linkedin::webhook::{self, LeadAction, LeadEvent};
use crate::store::lead_notifications::NewNotification;
use crate::store::{self, Store, StoreError};

pub use crate::linkedin::webhook::{ChallengeAnswer, MAX_EVENT_BYTES, SIGNATURE_HEADER};

/// What a delivery is worth before the database is asked.
#[derive(Debug)]
pub enum Delivery {
    /// The portal has no client secret: nothing can be checked.
    NotConfigured,
    /// LinkedIn did not sign it.
    BadSignature,
    /// Signed, and of a kind that means nothing here.
    OfAnotherKind,
    /// An event.
    Event(LeadEvent),
}

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Receipt {
    /// It was known.
    Known,
    /// It is kept; its account is not one of ours.
    OfUnknownAccount,
    /// It is kept, and its account is due where that helps.
    Kept,
}

impl Connector {
    /// The answer to LinkedIn's challenge; `None` for a code that is no UUID, and while there is no client secret.
    #[must_use]
    pub fn answer_challenge(&self, code: &str) -> Option<ChallengeAnswer> {
        webhook::answer_challenge(self.oauth_client()?.webhook_key(), code)
    }

    /// Checks the signature over the raw body, then reads it.
    #[must_use]
    pub fn open_delivery(&self, signature: Option<&str>, body: &[u8]) -> Delivery {
        let Some(oauth) = self.oauth_client() else {
            return Delivery::NotConfigured;
        };
        let is_signed = signature
            .is_some_and(|signature| webhook::is_signed(oauth.webhook_key(), signature, body));
        if !is_signed {
            return Delivery::BadSignature;
        }
        match webhook::read_event(body) {
            Some(event) => Delivery::Event(event),
            None => Delivery::OfAnotherKind,
        }
    }
}

/// Keeps an event, and makes its account due.
///
/// # Errors
/// As the database.
pub async fn take(
    store: &Store,
    event: LeadEvent,
    id: String,
    now: DateTime<Utc>,
) -> Result<Receipt, StoreError> {
    let action = match event.action {
        LeadAction::Created => NotificationAction::Created,
        LeadAction::Deleted => NotificationAction::Deleted,
    };
    let owner = event.owner.map(|owner| match owner {
        Owner::SponsoredAccount(id) => (OwnerType::SponsoredAccount, id),
        Owner::Organization(id) => (OwnerType::Organization, id),
    });
    let new = NewNotification {
        id,
        response_id: event.response_id,
        action,
        occurred_at: event.occurred_at,
        owner,
    };
    store
        .write(move |conn| {
            let Some(account) = store::lead_notifications::insert(conn, &new, now)? else {
                return Ok(Receipt::Known);
            };
            let Some(account) = account else {
                return Ok(Receipt::OfUnknownAccount);
            };
            if new.action == NotificationAction::Created {
                store::due::announce(conn, &account)?;
            }
            Ok(Receipt::Kept)
        })
        .await
}
