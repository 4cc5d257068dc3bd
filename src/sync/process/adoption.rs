//! Responses that Microsoft's connector handled: LinkedIn's own text takes the place of the exported one, and nothing is decided
//! again. Where the submission stayed behind it is stored as the connector left it.

use std::collections::BTreeSet;

use super::undecided::Item;
use crate::domain::submission::{MatchingStatus, ProcessingState, SubmissionReason};
use crate::store::connector_responses::{self, Content};
use crate::store::intake::DecidedSubmission;
use crate::store::run_counts::RunCounts;
use crate::store::{self, AnyConn, StoreError};

/// Whether something is decided about what is stored of an item.
fn is_decided(item: &Item<'_>) -> bool {
    item.known
        .as_ref()
        .is_some_and(|known| known.processing_state != ProcessingState::Unprocessed)
}

/// Takes those out of the items that were brought along and are read from LinkedIn for the first time, and notes on the others what
/// the connector made of them.
pub(super) fn adopt<'a>(
    conn: &mut AnyConn,
    items: Vec<Item<'a>>,
    counts: &mut RunCounts,
) -> Result<Vec<Item<'a>>, StoreError> {
    let ids: Vec<&str> = items
        .iter()
        .map(|item| item.response.response_id.as_str())
        .collect();
    let mut noted = connector_responses::noted(conn, &ids)?;
    // What the connector had not handled is decided about like any other.
    noted.retain(|_, one| {
        !one.is_adopted && one.status != Some(MatchingStatus::PendingLeadMatching)
    });
    if noted.is_empty() {
        return Ok(items);
    }
    let (brought, mut rest): (Vec<Item<'a>>, Vec<Item<'a>>) = items
        .into_iter()
        .partition(|item| is_decided(item) && noted.contains_key(&item.response.response_id));
    for item in &mut rest {
        let one = noted.get(&item.response.response_id);
        item.handled = one.and_then(|one| one.status);
    }
    if brought.is_empty() {
        return Ok(rest);
    }
    let forms: BTreeSet<i64> = brought
        .iter()
        .filter_map(|item| item.response.form.map(|(form, _)| form))
        .collect();
    let forms: Vec<i64> = forms.into_iter().collect();
    let versions = store::directory::forms::versions(conn, &forms)?;
    let adopted: Vec<Content> = brought
        .into_iter()
        .map(|item| Content {
            version: item.response.form.and_then(|form| {
                let version = versions.get(&form)?;
                Some((form.1, version.id.clone()))
            }),
            id: item.id,
            response_id: item.response.response_id.clone(),
            submitted_at: item.response.is_dated.then_some(item.response.submitted_at),
            content_hash: item.response.content_hash.clone(),
            raw: item.response.raw.get().as_bytes().to_vec(),
        })
        .collect();
    counts.submissions_known += i64::try_from(adopted.len()).unwrap_or(i64::MAX);
    connector_responses::adopt(conn, &adopted)?;
    Ok(rest)
}

/// Notes of those that were stored as the connector left them that LinkedIn's text of them is here.
pub(super) fn conclude(
    conn: &mut AnyConn,
    decided: &[DecidedSubmission],
) -> Result<(), StoreError> {
    let stored: Vec<&str> = decided
        .iter()
        .filter(|one| one.reason == Some(SubmissionReason::BroughtAlong))
        .map(|one| one.response_id.as_str())
        .collect();
    connector_responses::set_adopted(conn, &stored)
}
