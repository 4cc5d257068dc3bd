//! Finds out which leads the organization has already: the active matching strategy, evaluated against its lead table, with the
//! outcomes of product.md §4.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::failure::Failure;
use super::{Batch, Job, record};
use crate::dataverse::{DataverseError, LeadQuery, LeadRecord, query};
use crate::domain::ids::{LeadId, RecordId};
use crate::domain::lead::{FieldKey, LeadStatus};
use crate::domain::matching::{Action, Candidate, Candidates, Decision, MatchInput, decide};
use crate::domain::normalise;
use crate::domain::submission::SubmissionReason;
use crate::store::StoreError;
use crate::store::organization_leads::{self, LinkState, RecordCandidate};

/// The most comparisons of one question; addresses stay far below what the service takes.
const CLAUSES: usize = 50;
/// The longest question, in characters before encoding.
const LONGEST: usize = 4_000;
/// Records a page.
const PAGE: u32 = 500;
/// Pages that are read of one question: a value that thousands of records have tells nobody apart.
const PAGES: usize = 10;

/// What is to be done with the leads of a batch.
#[derive(Default)]
pub(super) struct Matched {
    pub(super) updates: Vec<Job>,
    pub(super) creations: Vec<Job>,
}

/// A lead with what is compared, and the words with which it is asked for.
struct Compared {
    job: Job,
    input: MatchInput,
    /// For each field of the strategy, the clauses that find records with its value; empty where it cannot be asked for.
    clauses: Vec<Vec<String>>,
}

/// A record that came back.
struct Found {
    id: Uuid,
    status: LeadStatus,
    modified_at: DateTime<Utc>,
    /// The key of each field of the strategy.
    keys: Vec<Option<String>>,
}

impl Batch<'_> {
    /// Decides about leads of which the organization knows nothing yet.
    pub(super) async fn match_all(&mut self, jobs: Vec<Job>) -> Result<Matched, StoreError> {
        let mut matched = Matched::default();
        let Some(fields) = self.compared_fields() else {
            matched.creations = jobs;
            return Ok(matched);
        };
        let mut compared: Vec<Compared> = jobs
            .into_iter()
            .map(|job| self.compared(job, &fields))
            .collect();
        let mut found = HashMap::new();
        while !compared.is_empty() {
            let question = self.question(&compared);
            let rest = compared.split_off(question.leads);
            if !question.clauses.is_empty() {
                let answer = self.ask(&question.clauses, &fields).await;
                if let Err(error) = answer.map(|records| found.extend(records)) {
                    self.trouble(&error);
                    let all = compared.into_iter().chain(rest);
                    self.untried(all.map(|one| one.job));
                    return Ok(matched);
                }
            }
            self.decide_all(compared, &mut found, &mut matched).await?;
            compared = rest;
        }
        Ok(matched)
    }

    /// The fields that are compared; `None` where nothing is.
    fn compared_fields(&self) -> Option<Vec<FieldKey>> {
        let strategy = self.rules.strategy.as_ref()?;
        (!self.rules.settings.always_create_lead).then(|| strategy.fields.clone())
    }

    fn country(&self) -> Option<&str> {
        self.rules.settings.default_country.as_deref()
    }

    fn compared(&self, job: Job, fields: &[FieldKey]) -> Compared {
        let mut input = MatchInput::default();
        let mut clauses = Vec::new();
        for field in fields {
            let value = job.lead.values.get(field);
            let key = value.and_then(|value| normalise::match_key(field, value, self.country()));
            let column = self.rules.compared_column(field);
            clauses.push(match (value, &key, column) {
                (Some(value), Some(key), Some(column)) => {
                    let spellings: HashSet<&str> = [value.trim(), key.as_str()].into();
                    spellings
                        .into_iter()
                        .filter_map(|text| query::equals(column, text))
                        .collect()
                }
                _ => Vec::new(),
            });
            input.keys.push((field.clone(), key));
        }
        Compared {
            job,
            input,
            clauses,
        }
    }

    /// The comparisons of as many leads as fit into one question; of one lead at least.
    fn question(&self, compared: &[Compared]) -> Question {
        let mut question = Question::default();
        let mut length = 0;
        for one in compared {
            let own: Vec<&String> = one.clauses.iter().flatten().collect();
            let own_length: usize = own.iter().map(|clause| clause.len() + 4).sum();
            let is_full =
                question.clauses.len() + own.len() > CLAUSES || length + own_length > LONGEST;
            if question.leads > 0 && is_full {
                break;
            }
            question.leads += 1;
            length += own_length;
            question.clauses.extend(own.into_iter().cloned());
        }
        question
    }

    async fn ask(
        &self,
        clauses: &[String],
        fields: &[FieldKey],
    ) -> Result<Vec<(Uuid, Found)>, DataverseError> {
        let columns: Vec<Option<&str>> = fields
            .iter()
            .map(|field| self.rules.compared_column(field))
            .collect();
        let mut wanted: Vec<String> = columns.iter().flatten().map(ToString::to_string).collect();
        wanted.extend(["statecode", "statuscode", "modifiedon"].map(str::to_owned));
        wanted.dedup();
        let question = LeadQuery {
            columns: wanted,
            filter: Some(clauses.join(" or ")),
            order: Some("modifiedon desc".to_owned()),
            page_size: Some(PAGE),
        };
        let (mut records, mut next) = self.client.leads(&question).await?;
        for _ in 1..PAGES {
            let Some(link) = &next else { break };
            let (more, after) = self.client.more_leads(link, Some(PAGE)).await?;
            records.extend(more);
            next = after;
        }
        Ok(records
            .iter()
            .filter_map(|record| self.found(record, fields, &columns))
            .map(|found| (found.id, found))
            .collect())
    }

    fn found(
        &self,
        there: &LeadRecord,
        fields: &[FieldKey],
        columns: &[Option<&str>],
    ) -> Option<Found> {
        let id = there.get("leadid").and_then(Value::as_str)?;
        let modified = there.get("modifiedon").and_then(Value::as_str);
        // The service compares without regard to case and some accents: the keys decide, as they do here.
        let keys = fields
            .iter()
            .zip(columns)
            .map(|(field, column)| {
                let text = there.get((*column)?)?.as_str()?;
                normalise::match_key(field, text, self.country())
            })
            .collect();
        Some(Found {
            id: Uuid::try_parse(id).ok()?,
            status: record::status(there),
            modified_at: modified
                .and_then(|text| DateTime::parse_from_rfc3339(text).ok())
                .map_or(DateTime::UNIX_EPOCH, |at| at.to_utc()),
            keys,
        })
    }

    async fn decide_all(
        &mut self,
        compared: Vec<Compared>,
        found: &mut HashMap<Uuid, Found>,
        matched: &mut Matched,
    ) -> Result<(), StoreError> {
        let (organization, ids) = (
            self.organization.clone(),
            found.keys().copied().collect::<Vec<_>>(),
        );
        let taken = if ids.is_empty() {
            HashMap::new()
        } else {
            self.ctx
                .store
                .read(move |conn| organization_leads::record_owners(conn, &organization, &ids))
                .await?
        };
        found.retain(|id, _| !taken.contains_key(id));
        for one in compared {
            self.decide_one(one, found, matched);
        }
        Ok(())
    }

    fn decide_one(
        &mut self,
        one: Compared,
        found: &mut HashMap<Uuid, Found>,
        matched: &mut Matched,
    ) {
        let Compared { mut job, input, .. } = one;
        // Made by an attempt whose end nobody saw.
        let own = Uuid::try_parse(job.lead.id.as_str()).unwrap_or_default();
        let made = found.contains_key(&own).then(|| LeadId::new(own));
        let decision = decide(
            &input,
            &candidates(&input, found),
            &self.rules.settings,
            made,
        );
        job.link.candidates.clear();
        match decision.action {
            Action::Update(record) | Action::Reopen(record) | Action::Attach(record) => {
                let id = Uuid::try_parse(record.as_str()).unwrap_or_default();
                // The next lead of this batch with the same values is another one.
                found.remove(&id);
                job.link.record_id = Some(id);
                job.link.state = LinkState::Linked;
                matched.updates.push(job);
            }
            Action::Create => matched.creations.push(job),
            Action::None => {
                let shown = decision.candidates.iter();
                job.link.candidates = shown.filter_map(|id| shown_as(id, found)).collect();
                job.link.state = LinkState::Waiting;
                self.failed(job, Failure::needs_person(why(&decision)));
            }
        }
    }
}

/// Comparisons, and of how many leads.
#[derive(Default)]
struct Question {
    leads: usize,
    clauses: Vec<String>,
}

/// The records that resemble a lead.
fn candidates(input: &MatchInput, found: &HashMap<Uuid, Found>) -> Candidates {
    let mut candidates = Candidates::default();
    for record in found.values() {
        let equal: Vec<bool> = input
            .keys
            .iter()
            .zip(&record.keys)
            .map(|((_, key), there)| key.is_some() && key == there)
            .collect();
        if !equal.is_empty() && equal.iter().all(|is_equal| *is_equal) {
            candidates.full.push(Candidate {
                lead_id: LeadId::new(record.id),
                status: record.status,
                updated_at: record.modified_at,
            });
        }
        for ((field, _), is_equal) in input.keys.iter().zip(equal) {
            if is_equal && !candidates.partial.iter().any(|(known, _)| known == field) {
                candidates
                    .partial
                    .push((field.clone(), LeadId::new(record.id)));
            }
        }
    }
    candidates
}

fn shown_as(id: &LeadId, found: &HashMap<Uuid, Found>) -> Option<RecordCandidate> {
    let found = found.get(&Uuid::try_parse(id.as_str()).ok()?)?;
    Some(RecordCandidate {
        record_id: RecordId::new(found.id),
        status: found.status,
        modified_at: found.modified_at,
    })
}

fn why(decision: &Decision) -> String {
    match decision.reason {
        SubmissionReason::SeveralLeadsMatch => format!(
            "{} leads of the organization match. Choose the right one, or create a new one.",
            decision.candidates.len()
        ),
        SubmissionReason::NoAnswerForMatchFields => {
            "The lead has no value in a field by which leads are matched.".to_owned()
        }
        _ => "Some match fields agree with a lead of the organization, but not all.".to_owned(),
    }
}
