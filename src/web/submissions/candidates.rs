//! The leads that a submission may belong to, side by side with what it would write on each.

use std::collections::BTreeSet;

use actix_web::http::StatusCode;
use actix_web::web::Data;
use askama::Template;
use serde::Deserialize;

use super::show::named_in;
use super::{PATH, SubmissionsQuery};
use crate::domain::field_mapping::MappedSubmission;
use crate::domain::ids::{LeadId, SubmissionId};
use crate::domain::lead::{FieldKey, Lead};
use crate::domain::submission::SubmissionStamp;
use crate::store::lead_lists::{self, LeadOrder};
use crate::store::leads::LeadFilter;
use crate::store::paging::PageStart;
use crate::store::submissions::{self, Submission};
use crate::store::{StoreError, lead_rows, users};
use crate::sync::acts;
use crate::sync::decision::DecisionRecord;
use crate::web::{Answer, Path, Portal, Query, Shell};

/// So many leads stand side by side.
const MOST: usize = 6;

/// What is searched for among all leads.
#[derive(Debug, Default, Deserialize)]
pub struct FindQuery {
    find: Option<String>,
}

/// One value of a lead beside the submission's.
struct Cell {
    value: Option<String>,
    differs: bool,
    /// What linking would make of it, where it would change.
    becomes: Option<String>,
}

/// One field of the comparison.
struct Row {
    label: String,
    submitted: String,
    cells: Vec<Cell>,
}

/// A lead to choose.
struct Candidate {
    lead: Lead,
    name: String,
    owner: String,
    /// How many fields linking would change.
    changes: usize,
}

#[derive(Template)]
#[template(path = "submissions/candidates.html")]
struct SubmissionsCandidates {
    shell: Shell,
    query: SubmissionsQuery,
    submission: Submission,
    find: String,
    candidates: Vec<Candidate>,
    rows: Vec<Row>,
    /// Whether the answers could be mapped.
    is_mapped: bool,
}

impl SubmissionsCandidates {
    fn back(&self) -> String {
        self.query
            .link(&format!("{PATH}/{}", self.submission.id), &[])
    }
}

/// The fields that the submission would write, once each, in the order of the mappings.
fn fields(mapped: &MappedSubmission) -> Vec<&FieldKey> {
    let mut seen = BTreeSet::new();
    mapped
        .values
        .iter()
        .map(|value| &value.field)
        .filter(|field| seen.insert(*field))
        .collect()
}

fn compare(mapped: &MappedSubmission, stamp: &SubmissionStamp, leads: &[Candidate]) -> Vec<Row> {
    fields(mapped)
        .into_iter()
        .map(|field| {
            let submitted = mapped.value_for(field).unwrap_or_default().to_owned();
            let cells = leads
                .iter()
                .map(|candidate| {
                    let value = candidate.lead.values.get(field).cloned();
                    let after = acts::written(&candidate.lead, mapped, stamp);
                    let after = after.values.get(field).cloned();
                    Cell {
                        differs: value.as_deref() != Some(submitted.as_str()),
                        becomes: after.filter(|after| Some(after) != value.as_ref()),
                        value,
                    }
                })
                .collect();
            Row {
                label: field.label().into_owned(),
                submitted,
                cells,
            }
        })
        .collect()
}

/// GET /form-submissions/{id}/candidates: leads by the decision, or by what is searched for.
///
/// # Errors
/// `NotFound`, or as the database.
pub async fn candidates(
    portal: Data<Portal>,
    shell: Shell,
    Path(id): Path<SubmissionId>,
    Query(query): Query<SubmissionsQuery>,
    Query(FindQuery { find }): Query<FindQuery>,
) -> Answer {
    let searched = find.clone();
    let (detail, found, mapped) = portal
        .store
        .read(move |conn| {
            let detail = submissions::get(conn, &id)?;
            let record: Option<DecisionRecord> = detail
                .decision
                .as_deref()
                .and_then(|json| serde_json::from_str(json).ok());
            let mut ids: Vec<LeadId> = record.as_ref().map(named_in).unwrap_or_default();
            let words = match (searched, ids.is_empty()) {
                (Some(words), _) => Some(words),
                (None, true) => Some(detail.submission.name.clone()),
                (None, false) => None,
            };
            if let Some(words) = words.filter(|words| !words.trim().is_empty()) {
                let filter = LeadFilter {
                    search: Some(words),
                    ..LeadFilter::default()
                };
                let found = lead_lists::page(
                    conn,
                    &filter,
                    LeadOrder::Latest,
                    &PageStart::Newest,
                    i64::try_from(MOST).unwrap_or(i64::MAX),
                )?;
                ids = found.rows.into_iter().map(|lead| lead.id).collect();
            }
            let mut seen = BTreeSet::new();
            ids.retain(|id| seen.insert(id.clone()));
            ids.truncate(MOST);
            let mut found = lead_rows::load(conn, &ids)?;
            found.sort_by(|a, b| (b.updated_at, &b.id).cmp(&(a.updated_at, &a.id)));
            let owners: Vec<String> = found
                .iter()
                .map(|lead| {
                    Ok(users::find(conn, &lead.owner_id)?
                        .map_or_else(String::new, |user| user.name))
                })
                .collect::<Result<_, StoreError>>()?;
            let mapped = acts::mapped_now(conn, &detail)?;
            Ok::<_, StoreError>((
                detail,
                found.into_iter().zip(owners).collect::<Vec<_>>(),
                mapped,
            ))
        })
        .await?;
    let mut candidates: Vec<Candidate> = found
        .into_iter()
        .map(|(lead, owner)| Candidate {
            name: lead.display_name(),
            lead,
            owner,
            changes: 0,
        })
        .collect();
    let rows = mapped
        .as_ref()
        .map(|(mapped, stamp)| compare(mapped, stamp, &candidates))
        .unwrap_or_default();
    for (index, candidate) in candidates.iter_mut().enumerate() {
        candidate.changes = rows
            .iter()
            .filter(|row| {
                row.cells
                    .get(index)
                    .is_some_and(|cell| cell.becomes.is_some())
            })
            .count();
    }
    let page = SubmissionsCandidates {
        shell,
        query,
        submission: detail.submission,
        find: find.unwrap_or_default(),
        candidates,
        rows,
        is_mapped: mapped.is_some(),
    };
    page.shell.render(StatusCode::OK, &page)
}
