//! Which responses of a batch need a decision.

use std::collections::HashMap;

use uuid::Uuid;

use crate::domain::ids::{LeadId, SubmissionId};
use crate::domain::submission::ProcessingState;
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
}

/// The responses that need a decision: new ones, ones that LinkedIn sent with other content, ones that wait. Oldest first.
pub(super) fn undecided<'a>(
    conn: &mut AnyConn,
    responses: &'a [Response],
    retries: bool,
    counts: &mut RunCounts,
) -> Result<Vec<Item<'a>>, StoreError> {
    // The same response may stand on two pages of one batch.
    let mut latest: HashMap<&str, &Response> = HashMap::with_capacity(responses.len());
    for response in responses {
        latest.insert(&response.response_id, response);
    }
    let latest: Vec<&Response> = latest.into_values().collect();
    let ids: Vec<&str> = latest.iter().map(|r| r.response_id.as_str()).collect();
    let mut stored: Vec<Option<Vec<u8>>> = vec![None; ids.len()];
    for (position, hash) in store::intake::content_hashes(conn, &ids)? {
        if let Some(slot) = stored.get_mut(position) {
            *slot = Some(hash);
        }
    }
    // Most of what is read again is unchanged: of those nothing more is read, neither here nor of the response.
    let is_unchanged = |response: &Response, hash: &Option<Vec<u8>>| {
        hash.as_ref()
            .is_some_and(|hash| *hash == response.content_hash)
    };
    let open: Vec<&str> = latest
        .iter()
        .zip(&stored)
        .filter(|(response, hash)| hash.is_some() && (retries || !is_unchanged(response, hash)))
        .map(|(response, _)| response.response_id.as_str())
        .collect();
    let mut known = if open.is_empty() {
        HashMap::new()
    } else {
        store::intake::known(conn, &open)?
    };
    let mut items = Vec::new();
    for (response, hash) in latest.into_iter().zip(&stored) {
        let known = known.remove(&response.response_id);
        if is_unchanged(response, hash)
            && known
                .as_ref()
                .is_none_or(|known| known.processing_state != ProcessingState::Unprocessed)
        {
            counts.submissions_known += 1;
            continue;
        }
        if known.is_none() {
            counts.submissions_new += 1;
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
