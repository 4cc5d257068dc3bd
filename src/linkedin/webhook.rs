//! The wire of LinkedIn's webhook (linkedin-api.md §6): its challenge, its signature, its event.
//!
//! The key of both is the client secret. The challenge would make a signing oracle of the portal, because LinkedIn signs its
//! events with the same key: only codes that look like a UUID are answered, and no signed text (`hmacsha256=…`) does.

use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::Owner;
use super::urn::{Urn, urn_id};

/// The header that carries the signature of an event.
pub const SIGNATURE_HEADER: &str = "x-li-signature";
/// The largest event; LinkedIn's have some hundred bytes.
pub const MAX_EVENT_BYTES: usize = 64 * 1024;
/// What LinkedIn signs before the body, and tolerated before the digest.
const SCHEME: &str = "hmacsha256=";
/// Seconds up to here, milliseconds beyond: LinkedIn does not say which it sends.
const LAST_SECOND: i64 = 1_000_000_000_000;

fn digest(secret: &SecretString, parts: &[&[u8]]) -> String {
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes())
        .expect("HMAC takes a key of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize()
        .into_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The answer to a challenge, as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ChallengeAnswer {
    /// The code that was asked with.
    pub challenge_code: String,
    /// Its HMAC-SHA256 under the client secret, lower-case hexadecimal.
    pub challenge_response: String,
}

/// Proves to LinkedIn that the address knows the client secret; `None` for a code that is no UUID.
#[must_use]
pub fn answer_challenge(secret: &SecretString, code: &str) -> Option<ChallengeAnswer> {
    let is_uuid = code.len() == 36 && uuid::Uuid::try_parse(code).is_ok();
    is_uuid.then(|| ChallengeAnswer {
        challenge_code: code.to_owned(),
        challenge_response: digest(secret, &[code.as_bytes()]),
    })
}

/// Whether LinkedIn signed these very bytes; takes the same time whatever is wrong with the digest.
#[must_use]
pub fn is_signed(secret: &SecretString, signature: &str, body: &[u8]) -> bool {
    let signature = signature.trim();
    let signature = signature.strip_prefix(SCHEME).unwrap_or(signature);
    digest(secret, &[SCHEME.as_bytes(), body])
        .as_bytes()
        .ct_eq(signature.as_bytes())
        .into()
}

/// What happened to a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeadAction {
    /// A member submitted it.
    Created,
    /// The member took it back: what it says is to be erased downstream.
    Deleted,
}

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeadEvent {
    /// The response's id, without its URN.
    pub response_id: String,
    /// What happened to it.
    pub action: LeadAction,
    /// Whose form it was, where that is known.
    pub owner: Option<Owner>,
    /// When it happened, by LinkedIn's clock.
    pub occurred_at: DateTime<Utc>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireEvent {
    #[serde(rename = "type")]
    kind: Option<String>,
    lead_gen_form_response: Option<String>,
    owner: Option<WireOwner>,
    lead_action: Option<String>,
    occurred_at: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireOwner {
    sponsored_account: Option<String>,
    organization: Option<String>,
}

impl WireOwner {
    fn read(&self) -> Option<Owner> {
        let account = self.sponsored_account.as_deref();
        let organization = self.organization.as_deref();
        account
            .and_then(|urn| urn_id(urn, "sponsoredAccount"))
            .map(Owner::SponsoredAccount)
            .or_else(|| {
                organization
                    .and_then(|urn| urn_id(urn, "organization"))
                    .map(Owner::Organization)
            })
    }
}

/// Reads an event; `None` for what is none, or one of a kind that LinkedIn added after this was written.
#[must_use]
pub fn read_event(body: &[u8]) -> Option<LeadEvent> {
    let wire: WireEvent = serde_json::from_slice(body).ok()?;
    if wire.kind.is_some_and(|kind| kind != "LEAD_ACTION") {
        return None;
    }
    let action = match wire.lead_action.as_deref() {
        Some("CREATED") => LeadAction::Created,
        Some("DELETED") => LeadAction::Deleted,
        _ => return None,
    };
    let response = wire.lead_gen_form_response?;
    let response_id = match Urn::parse(&response) {
        Some(urn) if urn.kind == "leadGenFormResponse" => urn.key.to_owned(),
        Some(_) => return None,
        None => response.trim().to_owned(),
    };
    let is_plain = !response_id.is_empty()
        && response_id.len() <= 200
        && response_id.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_plain {
        return None;
    }
    let stamp = wire.occurred_at?;
    let occurred_at = if stamp < LAST_SECOND {
        DateTime::from_timestamp(stamp, 0)
    } else {
        DateTime::from_timestamp_millis(stamp)
    }?;
    // Neither database takes every year that a number can name.
    let is_sane = (0..=253_402_300_799).contains(&occurred_at.timestamp());
    is_sane.then(|| LeadEvent {
        response_id,
        action,
        owner: wire.owner.as_ref().and_then(WireOwner::read),
        occurred_at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: &str = "890e4665-4dfe-4ab1-b689-ed553bceeed0";

    fn secret() -> SecretString {
        SecretString::from("sandbox-secret")
    }

    #[test]
    fn a_challenge_is_answered_with_the_codes_hmac() {
        // printf %s "$CODE" | openssl dgst -sha256 -hmac sandbox-secret
        let answer = answer_challenge(&secret(), CODE).unwrap();
        assert_eq!(
            serde_json::to_string(&answer).unwrap(),
            format!(
                "{{\"challengeCode\":\"{CODE}\",\"challengeResponse\":\"76db127b2d3b5e1e146b2fe1d9c82c7acce0809d240d868d6c55e0efed1baaae\"}}"
            )
        );
    }

    #[test]
    fn the_challenge_signs_nothing_but_uuids() {
        for code in [
            "",
            "x",
            "hmacsha256={\"type\":\"LEAD_ACTION\"}",
            "890e46654dfe4ab1b689ed553bceeed0",
            "{890e4665-4dfe-4ab1-b689-ed553bceeed0}",
            "urn:uuid:890e4665-4dfe-4ab1-b689-ed553bceeed0",
            " 890e4665-4dfe-4ab1-b689-ed553bceeed0",
            "890e4665-4dfe-4ab1-b689-ed553bceeedg",
        ] {
            assert_eq!(answer_challenge(&secret(), code), None, "{code}");
        }
    }

    #[test]
    fn a_signature_holds_for_these_bytes_and_this_secret_only() {
        // printf 'hmacsha256=%s' '{"a":1}' | openssl dgst -sha256 -hmac sandbox-secret
        let right = "4a2c1b43617abc893ac039532d5de4aaf52deec7c3bef382e8ffa429e7464574";
        assert!(is_signed(&secret(), right, b"{\"a\":1}"));
        assert!(is_signed(
            &secret(),
            &format!("hmacsha256={right}"),
            b"{\"a\":1}"
        ));
        assert!(!is_signed(&secret(), right, b"{\"a\": 1}"));
        assert!(!is_signed(&secret(), &right[1..], b"{\"a\":1}"));
        assert!(!is_signed(&secret(), "", b"{\"a\":1}"));
        assert!(!is_signed(
            &SecretString::from("another"),
            right,
            b"{\"a\":1}"
        ));
    }

    fn event(change: impl Fn(&mut serde_json::Value)) -> Option<LeadEvent> {
        let mut value = serde_json::json!({
            "type": "LEAD_ACTION",
            "leadGenFormResponse": "urn:li:leadGenFormResponse:249592fc-d272-44ba-a7db-c2bdce579507-6",
            "leadGenForm": "urn:li:versionedLeadGenForm:(urn:li:leadGenForm:7234246, 1)",
            "owner": { "sponsoredAccount": "urn:li:sponsoredAccount:512345678" },
            "leadType": "SPONSORED", "leadAction": "CREATED", "occurredAt": 1_789_894_599_288_i64
        });
        change(&mut value);
        read_event(value.to_string().as_bytes())
    }

    #[test]
    fn events_are_read_with_either_unit_of_time_and_either_owner() {
        let read = event(|_| {}).unwrap();
        assert_eq!(read.response_id, "249592fc-d272-44ba-a7db-c2bdce579507-6");
        assert_eq!(read.action, LeadAction::Created);
        assert_eq!(read.owner, Some(Owner::SponsoredAccount(512_345_678)));
        assert_eq!(read.occurred_at.timestamp_millis(), 1_789_894_599_288);
        let read = event(|value| {
            value["occurredAt"] = 1_789_894_599_i64.into();
            value["leadAction"] = "DELETED".into();
            value["owner"] = serde_json::json!({ "organization": "urn:li:organization:5" });
        })
        .unwrap();
        assert_eq!(read.action, LeadAction::Deleted);
        assert_eq!(read.owner, Some(Owner::Organization(5)));
        assert_eq!(read.occurred_at.timestamp(), 1_789_894_599);
        assert_eq!(
            event(|value| value["owner"] = serde_json::Value::Null)
                .unwrap()
                .owner,
            None
        );
    }

    #[test]
    fn what_is_no_event_is_none() {
        assert_eq!(read_event(b""), None);
        assert_eq!(read_event(b"[]"), None);
        assert_eq!(event(|value| value["type"] = "OTHER".into()), None);
        assert_eq!(event(|value| value["leadAction"] = "MOVED".into()), None);
        assert_eq!(event(|value| value["occurredAt"] = i64::MAX.into()), None);
        assert_eq!(event(|value| value["occurredAt"] = (-5).into()), None);
        for bad in ["", "urn:li:person:5", "a b", "a\u{0}b", &"x".repeat(201)] {
            assert_eq!(
                event(|value| value["leadGenFormResponse"] = bad.into()),
                None,
                "{bad:?}"
            );
        }
    }
}
