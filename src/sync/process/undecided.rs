//! Which responses of a batch need a decision.

use std::collections::HashMap;

use uuid::Uuid;

use crate::domain::ids::{LeadId, SubmissionId};
use crate::domain::submission::{MatchingStatus, ProcessingState};
use crate::store::intake::Known;
use crate::store::run_counts::RunCounts;
use crate::store::{self, AnyConn, StoreError};
use crate::sync::intake::{Content, Response};

/// One response on its way, with what is stored of it already.
pub(super) struct Item<'a> {
    pub(super) id: SubmissionId,
    pub(super) known: Option<Known>,
    pub(super) response: &'a Response,
    pub(super) content: Content,
    /// What Microsoft's connector made of it, where nothing is to be decided again.
    pub(super) handled: Option<MatchingStatus>,
}

/// The responses that may need a decision, without waiting for anybody: new ones, ones that LinkedIn sent with other
/// content, and with `retries` all that are stored. The others are counted as known.
pub(super) fn open<'a>(
    conn: &mut AnyConn,
    responses: &'a [Response],
    retries: bool,
    counts: &mut RunCounts,
) -> Result<Vec<&'a Response>, StoreError> {
    // The same response may stand on two pages of one batch.
    let mut latest: HashMap<&str, &Response> = HashMap::with_capacity(responses.len());
    for response in responses {
        latest.insert(&response.response_id, response);
    }
    let latest: Vec<&Response> = latest.into_values().collect();
    if retries {
        return Ok(latest);
    }
    // Most of what is read again is unchanged: of those nothing more is read, neither here nor of the response.
    let stored = stored_hashes(conn, &latest)?;
    let open: Vec<&Response> = latest
        .iter()
        .zip(&stored)
        .filter(|(response, hash)| !is_same(response, hash.as_deref()))
        .map(|(response, _)| *response)
        .collect();
    counts.submissions_known += i64::try_from(latest.len() - open.len()).unwrap_or(i64::MAX);
    Ok(open)
}

/// Those of the open responses that need a decision, oldest first, with what is stored of them. Call it under
/// `store::lock_leads`: what [`open`] saw may have been decided about since, by a person or through another account.
pub(super) fn undecided<'a>(
    conn: &mut AnyConn,
    open: Vec<&'a Response>,
    retries: bool,
    counts: &mut RunCounts,
) -> Result<Vec<Item<'a>>, StoreError> {
    // Looking for the hashes first costs little, and most of what is open is new.
    let stored = stored_hashes(conn, &open)?;
    let ids: Vec<&str> = open
        .iter()
        .zip(&stored)
        .filter(|(_, hash)| hash.is_some())
        .map(|(response, _)| response.response_id.as_str())
        .collect();
    let mut known = store::intake::known(conn, &ids)?;
    let all: Vec<&str> = open.iter().map(|one| one.response_id.as_str()).collect();
    let deleted = store::member_deletions::among(conn, &all)?;
    let mut items = Vec::with_capacity(open.len());
    for response in open {
        let known = known.remove(&response.response_id);
        // Its member took it back: it never comes in again, not even when it was announced after its deletion.
        if deleted.contains(&response.response_id) {
            counts.submissions_known += 1;
            continue;
        }
        match &known {
            None => counts.submissions_new += 1,
            Some(known)
                if is_same(response, Some(&known.content_hash))
                    && !(retries && known.processing_state == ProcessingState::Unprocessed) =>
            {
                counts.submissions_known += 1;
                continue;
            }
            Some(_) => {}
        }
        let id = known.as_ref().map_or_else(
            || SubmissionId::new(Uuid::now_v7()),
            |known| known.id.clone(),
        );
        items.push(Item {
            id,
            known,
            response,
            content: response.content(),
            handled: None,
        });
    }
    items.sort_by(|a, b| {
        (a.response.submitted_at, &a.response.response_id)
            .cmp(&(b.response.submitted_at, &b.response.response_id))
    });
    Ok(items)
}

pub(super) fn lead_of<'a>(item: &'a Item<'_>) -> Option<&'a LeadId> {
    item.known.as_ref().and_then(|known| known.lead_id.as_ref())
}

/// What is stored of each response: the hash of its content, in the order of the responses.
fn stored_hashes(
    conn: &mut AnyConn,
    responses: &[&Response],
) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
    let ids: Vec<&str> = responses.iter().map(|r| r.response_id.as_str()).collect();
    let mut stored = vec![None; ids.len()];
    for (position, hash) in store::intake::content_hashes(conn, &ids)? {
        if let Some(slot) = stored.get_mut(position) {
            *slot = Some(hash);
        }
    }
    Ok(stored)
}

fn is_same(response: &Response, stored: Option<&[u8]>) -> bool {
    stored.is_some_and(|hash| hash == response.content_hash)
}
