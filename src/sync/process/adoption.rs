//! Responses that Microsoft's connector handled: LinkedIn's own text takes the place of the exported one, and nothing is decided
//! again.

use std::collections::BTreeSet;

use super::undecided::Item;
use crate::domain::submission::ProcessingState;
use crate::store::connector_responses::{self, Adopted};
use crate::store::run_counts::RunCounts;
use crate::store::{self, AnyConn, StoreError};

/// Takes those out of the items that were brought along and are read from LinkedIn for the first time.
pub(super) fn adopt<'a>(
    conn: &mut AnyConn,
    items: Vec<Item<'a>>,
    counts: &mut RunCounts,
) -> Result<Vec<Item<'a>>, StoreError> {
    let decided: Vec<&str> = items
        .iter()
        .filter(|item| {
            item.known
                .as_ref()
                .is_some_and(|known| known.processing_state != ProcessingState::Unprocessed)
        })
        .map(|item| item.response.response_id.as_str())
        .collect();
    if decided.is_empty() {
        return Ok(items);
    }
    let brought = connector_responses::unadopted(conn, &decided)?;
    if brought.is_empty() {
        return Ok(items);
    }
    let (brought, rest): (Vec<Item<'a>>, Vec<Item<'a>>) = items
        .into_iter()
        .partition(|item| brought.contains(&item.response.response_id));
    let forms: BTreeSet<i64> = brought
        .iter()
        .filter_map(|item| item.response.form.map(|(form, _)| form))
        .collect();
    let forms: Vec<i64> = forms.into_iter().collect();
    let versions = store::directory::forms::versions(conn, &forms)?;
    let adopted: Vec<Adopted> = brought
        .into_iter()
        .map(|item| Adopted {
            version: item.response.form.and_then(|form| {
                let version = versions.get(&form)?;
                Some((form.1, version.id.clone()))
            }),
            id: item.id,
            response_id: item.response.response_id.clone(),
            content_hash: item.response.content_hash.clone(),
            raw: item.response.raw.get().as_bytes().to_vec(),
        })
        .collect();
    counts.submissions_known += i64::try_from(adopted.len()).unwrap_or(i64::MAX);
    connector_responses::adopt(conn, &adopted)?;
    Ok(rest)
}
