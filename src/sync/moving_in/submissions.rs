//! Submissions that come along: in LinkedIn's shape of a response, so that they are read as any other.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::domain::account::LeadType;
use crate::domain::ids::SubmissionId;
use crate::domain::microsoft_connector::{
    CarriedSubmission, ConnectorRecords, EXPORTED_VERSION, LateAnswers, ResponsesHere,
    answered_response_ids, response_ids,
};
use crate::domain::submission::{ProcessingState, SubmissionReason};
use crate::store::connector_responses::{self, Content};
use crate::store::directory::{brought, campaigns, forms};
use crate::store::intake::{self, DecidedSubmission};
use crate::store::{AnyConn, StoreError, member_deletions};
use crate::sync::intake::{Place, Response};

/// What is here of the uploaded responses.
pub(super) fn here(
    conn: &mut AnyConn,
    records: &ConnectorRecords,
) -> Result<ResponsesHere, StoreError> {
    let ids: Vec<&str> = response_ids(records).collect();
    // Texts are long, and only those are looked into to which answers may be added.
    let answered: Vec<&str> = answered_response_ids(records).into_iter().collect();
    let open = connector_responses::open(conn, &answered)?;
    Ok(ResponsesHere {
        known: intake::known(conn, &ids)?.into_keys().collect(),
        open: open
            .into_iter()
            .map(|one| (one.response_id, numbers_in(&one.raw)))
            .collect(),
        noted: connector_responses::noted(conn, &ids)?
            .into_keys()
            .collect(),
        deleted: member_deletions::among(conn, &ids)?,
    })
}

/// The lists of a response that hold answers and consents, and what numbers them there.
const PARTS: [(&str, &str); 2] = [("answers", "questionId"), ("consentResponses", "consentId")];

/// The numbers of the questions and consents in a text that [`raw`] made.
fn numbers_in(text: &[u8]) -> BTreeSet<i64> {
    let response: Value = serde_json::from_slice(text).unwrap_or_default();
    PARTS
        .iter()
        .filter_map(|(list, number)| {
            let items = response.get("formResponse")?.get(list)?.as_array()?;
            Some(
                items
                    .iter()
                    .filter_map(move |item| item.get(number)?.as_i64()),
            )
        })
        .flatten()
        .collect()
}

fn answer(question: i64, text: &str) -> Value {
    json!({ "questionId": question, "answerDetails": { "textQuestionAnswer": { "answer": text } } })
}

fn consent(consent: i64, is_given: bool) -> Value {
    json!({ "consentId": consent, "accepted": is_given })
}

/// Adds answers to submissions that came along without them.
pub(super) fn extend(conn: &mut AnyConn, late: &[LateAnswers]) -> Result<(), StoreError> {
    let ids: Vec<&str> = late.iter().map(|one| one.response_id.as_str()).collect();
    let late: BTreeMap<&str, &LateAnswers> = late
        .iter()
        .map(|one| (one.response_id.as_str(), one))
        .collect();
    let mut extended = Vec::with_capacity(late.len());
    for open in connector_responses::open(conn, &ids)? {
        let Some(late) = late.get(open.response_id.as_str()) else {
            continue;
        };
        let corrupt = || StoreError::Corrupt {
            table: "submission_contents",
            column: "raw",
            id: open.id.as_str().to_owned(),
        };
        let mut response: Value = serde_json::from_slice(&open.raw).map_err(|_| corrupt())?;
        let added = [
            late.answers
                .iter()
                .map(|(question, text)| answer(*question, text))
                .collect::<Vec<_>>(),
            late.consents
                .iter()
                .map(|(number, is_given)| consent(*number, *is_given))
                .collect(),
        ];
        for ((list, _), added) in PARTS.iter().zip(added) {
            let items = response
                .get_mut("formResponse")
                .and_then(|part| part.get_mut(list))
                .and_then(Value::as_array_mut)
                .ok_or_else(corrupt)?;
            items.extend(added);
        }
        let text = to_raw_value(&response).map_err(|_| corrupt())?;
        // The text says its type itself.
        let place = Place {
            lead_type: LeadType::Sponsored,
            is_test: false,
            until: open.submitted_at,
        };
        let response = Response::read(text, place);
        extended.push(Content {
            submitted_at: None,
            version: None,
            content_hash: response.content_hash.clone(),
            raw: response.raw.get().as_bytes().to_vec(),
            id: open.id,
            response_id: open.response_id,
        });
    }
    connector_responses::replace(conn, &extended)
}

/// The answers in LinkedIn's shape of a response.
fn raw(submission: &CarriedSubmission, version: i64) -> Result<Box<RawValue>, serde_json::Error> {
    let lead_type = match submission.lead_type {
        LeadType::Sponsored => "SPONSORED",
        LeadType::Event => "EVENT",
        LeadType::Company => "COMPANY",
        LeadType::OrganizationProduct => "ORGANIZATION_PRODUCT",
    };
    let answers: Vec<_> = submission
        .answers
        .iter()
        .map(|(question, text)| answer(*question, text))
        .collect();
    let consents: Vec<_> = submission
        .consents
        .iter()
        .map(|(number, is_given)| consent(*number, *is_given))
        .collect();
    let metadata = submission.campaign.map(|campaign| {
        json!({ "sponsoredLeadMetadata": { "campaign": format!("urn:li:sponsoredCampaign:{campaign}") } })
    });
    let entity = submission.creative.map(
        |creative| json!({ "associatedCreative": format!("urn:li:sponsoredCreative:{creative}") }),
    );
    let response = json!({
        "id": submission.response_id,
        "leadType": lead_type,
        "submittedAt": submission.submitted_at.timestamp_millis(),
        "versionedLeadGenFormUrn":
            format!("urn:li:versionedLeadGenForm:(urn:li:leadGenForm:{},{version})", submission.form),
        "testLead": false,
        "leadMetadata": metadata.unwrap_or_else(|| json!({})),
        "associatedEntity": entity.unwrap_or_else(|| json!({})),
        "formResponse": { "answers": answers, "consentResponses": consents },
    });
    to_raw_value(&response)
}

/// Adds the submissions; those that the connector handled are handled here, too.
pub(super) fn add(
    conn: &mut AnyConn,
    submissions: &[CarriedSubmission],
    now: DateTime<Utc>,
    mut new_id: impl FnMut() -> Uuid,
) -> Result<(), StoreError> {
    let numbers = |of: &dyn Fn(&CarriedSubmission) -> Option<i64>| -> Vec<i64> {
        submissions
            .iter()
            .filter_map(of)
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect()
    };
    let form_numbers = numbers(&|one| Some(one.form));
    let form_ids = forms::form_ids(conn, &form_numbers)?;
    let versions = forms::versions(conn, &form_numbers)?;
    let campaigns = campaigns::campaign_ids(conn, &numbers(&|one| one.campaign))?;
    let accounts = brought::account_ids(conn)?;
    let (mut rows, mut handled) = (Vec::with_capacity(submissions.len()), Vec::new());
    for submission in submissions {
        let account_id = accounts
            .get(&submission.account)
            .cloned()
            .ok_or(StoreError::NotFound("account"))?;
        // The connector knew no versions: the form as it was exported, else the latest that is known.
        let version = versions
            .keys()
            .filter(|(form, _)| *form == submission.form)
            .map(|(_, number)| *number)
            .max_by_key(|number| (*number == EXPORTED_VERSION, *number))
            .unwrap_or(EXPORTED_VERSION);
        let text = raw(submission, version).map_err(|_| StoreError::Corrupt {
            table: "connector_records",
            column: "cells",
            id: submission.response_id.clone(),
        })?;
        let place = Place {
            lead_type: submission.lead_type,
            is_test: false,
            until: submission.submitted_at,
        };
        let response = Response::read(text, place);
        let processing_state = submission.status.processing_state();
        let is_decided = processing_state != ProcessingState::Unprocessed;
        handled.push((submission.response_id.clone(), submission.status));
        rows.push(DecidedSubmission {
            id: SubmissionId::new(new_id()),
            response_id: submission.response_id.clone(),
            account_id,
            form_id: form_ids.get(&submission.form).cloned(),
            form_version_id: versions
                .get(&(submission.form, version))
                .map(|version| version.id.clone()),
            form_linkedin: Some((submission.form, version)),
            campaign_id: submission
                .campaign
                .and_then(|campaign| campaigns.get(&campaign))
                .map(|(id, _)| id.clone()),
            campaign_linkedin_id: submission.campaign,
            creative_linkedin_id: submission.creative,
            lead_type: submission.lead_type,
            submitter_urn: None,
            submitted_at: submission.submitted_at,
            received_at: now,
            is_test: false,
            name: submission.name.clone(),
            matching_status: submission.status,
            processing_state,
            reason: is_decided.then_some(SubmissionReason::BroughtAlong),
            reason_detail: None,
            flag_count: 0,
            lead_id: None,
            attempts: i64::from(is_decided),
            processed_at: is_decided.then_some(now),
            content_hash: response.content_hash.clone(),
            revision: 1,
            raw: response.raw.get().as_bytes().to_vec(),
            decision: None,
        });
    }
    intake::save(conn, &rows)?;
    connector_responses::add(conn, handled, now)
}
