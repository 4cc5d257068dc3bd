//! Responses that a program brings instead of a pull: in LinkedIn's shape, stored as they came, decided about by the same
//! steps and in the same transaction. LinkedIn's response id makes repeats harmless, whichever way a response came first.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use serde_json::value::RawValue;

use super::SyncOptions;
use super::intake::{Place, Response};
use super::process::{self, Batch};
use super::pull::is_refusal;
use crate::domain::account::{LeadType, OwnerType};
use crate::domain::connections::Deployment;
use crate::domain::ids::{AccountId, SubmissionId};
use crate::domain::submission::{ProcessingState, SubmissionReason};
use crate::linkedin::urn::{VersionedFormUrn, urn_id};
use crate::store::accounts::{self, Account};
use crate::store::audit::{self, Actor};
use crate::store::run_counts::RunCounts;
use crate::store::{
    self, AnyConn, Store, StoreError, connections, due, forms, intake, submissions,
};

/// The longest response id that is taken, in characters; LinkedIn's have about forty.
const LONGEST_ID: usize = 200;

/// A response that is not taken.
#[derive(Debug, thiserror::Error)]
pub enum HandInError {
    /// It lacks something, or names what is not here: member and sentence.
    #[error("the response cannot be used")]
    Unusable(Vec<(&'static str, String)>),
    /// It could be used, and may not be: nothing of its account is read now, or the member had it erased.
    #[error("{0}")]
    NotAllowed(String),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn unusable(member: &'static str, sentence: impl Into<String>) -> HandInError {
    HandInError::Unusable(vec![(member, sentence.into())])
}

/// What became of a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandedIn {
    /// Its submission.
    pub id: SubmissionId,
    /// Whether it was not known before.
    pub is_new: bool,
    /// Whether it waits for the synchronization, which reads the version of its form.
    pub waits: bool,
}

/// A response that says all that it must, and whose it is.
#[derive(Debug, Clone)]
struct Sound {
    owner_type: OwnerType,
    owner_linkedin_id: i64,
    form_linkedin_id: i64,
    response: Response,
}

/// The owner's kind and LinkedIn's number. LinkedIn names one; with two nobody could tell whose the response is.
fn owner_of(members: &serde_json::Value) -> Option<(OwnerType, i64)> {
    let owner = members.get("owner")?.as_object()?;
    if owner.len() != 1 {
        return None;
    }
    let id = |member: &str| urn_id(owner.get(member)?.as_str()?, member);
    id("sponsoredAccount")
        .map(|id| (OwnerType::SponsoredAccount, id))
        .or_else(|| id("organization").map(|id| (OwnerType::Organization, id)))
}

/// Reads what came, and collects everything that is wrong with it.
fn read(text: String, now: DateTime<Utc>) -> Result<Sound, HandInError> {
    let members: serde_json::Value =
        serde_json::from_str(&text).map_err(|_| unusable("", "The body must be a JSON object."))?;
    let raw =
        RawValue::from_string(text).map_err(|_| unusable("", "The body must be a JSON object."))?;
    let word = |member: &str| members.get(member).and_then(serde_json::Value::as_str);
    let mut problems = Vec::new();
    let mut need = |member: &'static str, is_sound: bool, sentence: &str| {
        if !is_sound {
            problems.push((member, sentence.to_owned()));
        }
    };
    let id = word("id").map(str::trim).unwrap_or_default();
    need(
        "id",
        !id.is_empty() && id.chars().count() <= LONGEST_ID && !id.chars().any(char::is_control),
        "LinkedIn’s response id: text of at most 200 characters.",
    );
    let owner = owner_of(&members);
    need(
        "owner",
        owner.is_some(),
        "The account: {\"sponsoredAccount\": \"urn:li:sponsoredAccount:…\"} or {\"organization\": \"urn:li:organization:…\"}.",
    );
    let lead_type = word("leadType").and_then(LeadType::from_wire);
    need(
        "leadType",
        lead_type.is_some_and(|lead_type| {
            owner.is_none_or(|(owner_type, _)| owner_type == lead_type.owner_type())
        }),
        "SPONSORED for a sponsored account; EVENT, COMPANY or ORGANIZATION_PRODUCT for an organization.",
    );
    let form = word("versionedLeadGenFormUrn").and_then(VersionedFormUrn::parse);
    need(
        "versionedLeadGenFormUrn",
        form.is_some(),
        "The version that was answered: urn:li:versionedLeadGenForm:(urn:li:leadGenForm:…,…).",
    );
    let submitted_at = members
        .get("submittedAt")
        .and_then(serde_json::Value::as_i64)
        .and_then(super::intake::moment);
    need(
        "submittedAt",
        submitted_at.is_some_and(|at| at.timestamp() >= 0 && at <= now + TimeDelta::days(1)),
        "When the member submitted, in milliseconds since 1970; not in the future.",
    );
    need(
        "formResponse",
        members
            .get("formResponse")
            .and_then(|response| response.get("answers"))
            .is_some_and(serde_json::Value::is_array),
        "The answers: {\"answers\": […]}.",
    );
    let (Some((owner_type, owner_linkedin_id)), Some(lead_type), Some(form)) =
        (owner, lead_type, form)
    else {
        return Err(HandInError::Unusable(problems));
    };
    let place = Place {
        lead_type,
        is_test: false,
        until: now,
    };
    let response = Response::read(raw, place);
    // What is named already may be why it cannot be read.
    if problems.is_empty()
        && let Err(why) = response.content().answers
    {
        problems.push(("formResponse", format!("It cannot be read: {why}.")));
    }
    if problems.is_empty() {
        Ok(Sound {
            owner_type,
            owner_linkedin_id,
            form_linkedin_id: form.form_id,
            response,
        })
    } else {
        Err(HandInError::Unusable(problems))
    }
}

/// The account and the form that the response names, as far as both are here.
fn find_account(conn: &mut AnyConn, sound: &Sound) -> Result<Account, HandInError> {
    let account = accounts::find_by_linkedin(conn, sound.owner_type, sound.owner_linkedin_id)?
        .ok_or_else(|| {
            unusable(
                "owner",
                "No LinkedIn account of this portal has this number. A profile that sees it has to be authorized first.",
            )
        })?;
    let number = sound.form_linkedin_id;
    let id = store::directory::forms::form_ids(conn, &[number])?.remove(&number);
    let form = id.map(|id| forms::get(conn, &id)).transpose()?;
    match form {
        Some(form) if form.account.0 == account.id => Ok(account),
        Some(_) => Err(unusable(
            "versionedLeadGenFormUrn",
            "This form belongs to another account.",
        )),
        None => Err(unusable(
            "versionedLeadGenFormUrn",
            "This form is not known here. The next synchronization of its account reads it.",
        )),
    }
}

/// Takes a response in the caller's transaction.
fn take(
    conn: &mut AnyConn,
    sound: &Sound,
    deployment: &Deployment,
    actor: &Actor,
    now: DateTime<Utc>,
    parks: Option<String>,
) -> Result<HandedIn, HandInError> {
    let account = find_account(conn, sound)?;
    if let Some(why) = connections::why_not_account(conn, deployment, &account)? {
        return Err(HandInError::NotAllowed(why));
    }
    // What is known of the response must not change until it is decided.
    store::lock_leads(conn)?;
    let response_id = sound.response.response_id.as_str();
    let before = intake::known(conn, &[response_id])?.remove(response_id);
    if let Some(known) = &before {
        let stored = submissions::get(conn, &known.id)?.submission;
        if stored.account.0 != account.id {
            return Err(unusable(
                "id",
                "This response is known from another account.",
            ));
        }
        if stored.reason == Some(SubmissionReason::DeletedByMember) {
            return Err(HandInError::NotAllowed(
                "The member had this submission erased. It is not taken again.".to_owned(),
            ));
        }
    }
    let is_erased =
        before.is_none() && !store::member_deletions::among(conn, &[response_id])?.is_empty();
    if is_erased {
        return Err(HandInError::NotAllowed(
            "The member deleted this submission at LinkedIn. It is not taken.".to_owned(),
        ));
    }
    let batch = Batch {
        account_id: account.id.clone(),
        account_name: account.name,
        attempts: SyncOptions::default().submission_attempts,
        now,
        retries: false,
        parks,
        wish: None,
    };
    let counts = process::run(conn, &batch, std::slice::from_ref(&sound.response))?;
    let after = intake::known(conn, &[response_id])?
        .remove(response_id)
        .ok_or(StoreError::NotFound("form submission"))?;
    let is_new = before.is_none();
    let is_revised = before.is_some_and(|known| known.revision != after.revision);
    if is_new || is_revised {
        note(conn, &after.id, &account.id, counts, actor, now)?;
    }
    Ok(HandedIn {
        waits: is_new && after.processing_state == ProcessingState::Unprocessed,
        id: after.id,
        is_new,
    })
}

fn note(
    conn: &mut AnyConn,
    id: &SubmissionId,
    account: &AccountId,
    counts: RunCounts,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let after = json!({
        "account_id": account,
        "leads_created": counts.leads_created,
        "leads_updated": counts.leads_updated,
    });
    let object = ("form_submission", id.as_str(), "Form submission");
    let action = "form_submission.handed_in";
    audit::record(conn, now, actor, action, object, None, Some(after))
}

/// Takes one response, `text` being its exact JSON. When the database refuses what the decision made of it, the response
/// is stored all the same, as one that failed, and a person can try it again.
///
/// # Errors
/// What is wrong with it, why it may not be taken, or the database's.
pub async fn hand_in(
    store: &Store,
    deployment: &Deployment,
    actor: &Actor,
    now: DateTime<Utc>,
    text: String,
) -> Result<HandedIn, HandInError> {
    let sound = read(text, now)?;
    let attempt = |parks: Option<String>| {
        let (sound, deployment, actor) = (sound.clone(), deployment.clone(), actor.clone());
        store.write(move |tx| take(tx, &sound, &deployment, &actor, now, parks))
    };
    let taken = match attempt(None).await {
        Err(HandInError::Store(refused)) if is_refusal(&refused) => {
            tracing::error!(error = %refused, "a response that was handed in was refused, storing it alone");
            attempt(Some(refused.to_string())).await?
        }
        other => other?,
    };
    if taken.waits {
        let id = taken.id.clone();
        store
            .write(move |tx| {
                let account = submissions::get(tx, &id)?.submission.account.0;
                due::make_accounts(tx, &[account])
            })
            .await?;
    }
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"id":"249592fc-6","owner":{"sponsoredAccount":"urn:li:sponsoredAccount:5"},
        "leadType":"SPONSORED","versionedLeadGenFormUrn":"urn:li:versionedLeadGenForm:(urn:li:leadGenForm:7, 1)",
        "submittedAt":1789894599288,"formResponse":{"answers":[]}}"#;

    fn now() -> DateTime<Utc> {
        "2026-11-21T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_sound_response_says_whose_it_is_and_keeps_its_bytes() {
        let sound = read(GOOD.to_owned(), now()).unwrap();
        assert_eq!(sound.owner_type, OwnerType::SponsoredAccount);
        assert_eq!((sound.owner_linkedin_id, sound.form_linkedin_id), (5, 7));
        assert_eq!(sound.response.response_id, "249592fc-6");
        assert_eq!(sound.response.raw.get(), GOOD);
    }

    #[test]
    fn everything_that_is_missing_or_wrong_is_named_at_once() {
        let missing = |text: &str| match read(text.to_owned(), now()) {
            Err(HandInError::Unusable(problems)) => problems
                .into_iter()
                .map(|(member, _)| member)
                .collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        };
        assert_eq!(missing("[]").len(), 6);
        for (from, to, member) in [
            ("249592fc-6", " ", "id"),
            ("sponsoredAccount:5", "sponsoredAccount:x", "owner"),
            (
                "\"owner\":{",
                "\"owner\":{\"organization\":\"urn:li:organization:5\",",
                "owner",
            ),
            ("\"SPONSORED\"", "\"EVENT\"", "leadType"),
            ("\"SPONSORED\"", "\"ORGANIC\"", "leadType"),
            (
                "leadGenForm:7, 1",
                "leadGenForm:7",
                "versionedLeadGenFormUrn",
            ),
            ("1789894599288", "-1", "submittedAt"),
            ("1789894599288", "4102444800000", "submittedAt"),
            ("1789894599288", "\"today\"", "submittedAt"),
            ("\"answers\":[]", "\"answers\":{}", "formResponse"),
        ] {
            assert_eq!(missing(&GOOD.replace(from, to)), [member], "{to}");
        }
    }
}
