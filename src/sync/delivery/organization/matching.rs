//! Finds out which leads the organization has already: the active matching strategy, evaluated against its lead table, with the
//! outcomes of product.md §4.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::failure::Failure;
use super::{Batch, Job, own_record, record};
use crate::dataverse::{DataverseError, LeadQuery, LeadRecord, query};
use crate::domain::ids::{LeadId, RecordId};
use crate::domain::lead::{FieldKey, LeadField, LeadStatus};
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
    /// Whether one of them holds wildcards.
    has_wildcards: bool,
    /// The clause that finds the record with the lead's id, where a column holds it.
    own: Option<String>,
}

impl Compared {
    fn all_clauses(&self) -> impl Iterator<Item = &str> {
        let fields = self.clauses.iter().flatten();
        fields.chain(&self.own).map(String::as_str)
    }

    /// The question for records that agree in every field; `None` where a field cannot be asked for.
    fn every_field(&self) -> Option<String> {
        let fields: Vec<String> = self
            .clauses
            .iter()
            .map(|field| format!("({})", field.join(" or ")))
            .collect();
        let can_be_asked = !fields.is_empty() && self.clauses.iter().all(|field| !field.is_empty());
        can_be_asked.then(|| fields.join(" and "))
    }
}

/// A record that came back.
struct Found {
    status: LeadStatus,
    modified_at: DateTime<Utc>,
    /// The key of each field of the strategy.
    keys: Vec<Option<String>>,
    /// The id of a lead here, in the column for it.
    lead: Option<String>,
}

/// The records that one question found.
#[derive(Default)]
struct Answered {
    found: HashMap<Uuid, Found>,
    /// Whether there are more than were read.
    is_cut: bool,
}

impl Batch<'_> {
    /// Decides about leads of which the organization knows nothing yet.
    pub(super) async fn match_all(&mut self, jobs: Vec<Job>) -> Result<Matched, StoreError> {
        let mut matched = Matched::default();
        let fields = self.compared_fields();
        if fields.is_empty() && self.rules.id_column().is_none() {
            matched.creations = jobs;
            return Ok(matched);
        }
        let mut groups = self.groups(jobs, &fields);
        while let Some(mut group) = groups.pop_front() {
            let mut answer = self.ask_about(&group, &fields).await;
            if matches!(answer, Err(DataverseError::Invalid(_))) {
                if self.columns_changed().await? {
                    let open = group.into_iter().chain(groups.into_iter().flatten());
                    groups = self.groups(open.map(|one| one.job).collect(), &fields);
                    continue;
                }
                // Not every organization may take wildcards; or it is this lead's value that it refuses.
                if let [one] = group.as_slice()
                    && self.has_wildcards
                    && one.has_wildcards
                {
                    self.has_wildcards = false;
                    let jobs = group.into_iter().map(|one| one.job);
                    group = jobs.map(|job| self.compared(job, &fields)).collect();
                    answer = self.ask_about(&group, &fields).await;
                    self.has_wildcards = matches!(answer, Err(DataverseError::Invalid(_)));
                    if !self.has_wildcards {
                        let open = groups.into_iter().flatten();
                        groups = self.groups(open.map(|one| one.job).collect(), &fields);
                    }
                }
            }
            let is_to_be_split = match &answer {
                Ok(answered) => answered.is_cut,
                // One value may be what the organization refuses.
                Err(error) => matches!(error, DataverseError::Invalid(_)),
            };
            if is_to_be_split && group.len() > 1 {
                for one in group.into_iter().rev() {
                    groups.push_front(vec![one]);
                }
                continue;
            }
            match answer {
                Ok(answered) => {
                    self.decide_all(group, answered.found, &mut matched).await?;
                }
                Err(error @ DataverseError::Invalid(_)) => {
                    for one in group {
                        self.refused(one.job, error.clone()).await;
                    }
                }
                Err(error) => {
                    self.trouble(&error);
                    let all = group.into_iter().chain(groups.into_iter().flatten());
                    self.untried(all.map(|one| one.job));
                    return Ok(matched);
                }
            }
        }
        Ok(matched)
    }

    /// The fields that are compared; none where every lead becomes a record of its own.
    fn compared_fields(&self) -> Vec<FieldKey> {
        match &self.rules.strategy {
            Some(strategy) if !self.rules.settings.always_create_lead => strategy.fields.clone(),
            _ => Vec::new(),
        }
    }

    fn country(&self) -> Option<&str> {
        self.rules.settings.default_country.as_deref()
    }

    fn compared(&self, job: Job, fields: &[FieldKey]) -> Compared {
        let mut input = MatchInput::default();
        let mut clauses = Vec::new();
        let mut has_wildcards = false;
        for field in fields {
            let value = job.lead.values.get(field);
            let key = value.and_then(|value| normalise::match_key(field, value, self.country()));
            let column = self.rules.compared_column(field);
            clauses.push(match (value, &key, column) {
                (Some(_), Some(key), Some(column)) if is_phone(field) && self.has_wildcards => {
                    has_wildcards = true;
                    query::has_digits(column, last_digits(key))
                        .into_iter()
                        .collect()
                }
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
        let own = self.rules.id_column();
        Compared {
            own: own.and_then(|column| query::equals(column, job.lead.id.as_str())),
            job,
            input,
            clauses,
            has_wildcards,
        }
    }

    /// As many leads at a time as fit into one question; one at least.
    fn groups(&self, jobs: Vec<Job>, fields: &[FieldKey]) -> VecDeque<Vec<Compared>> {
        let mut groups = VecDeque::new();
        let mut group: Vec<Compared> = Vec::new();
        let (mut clauses, mut length) = (0, 0);
        for job in jobs {
            let one = self.compared(job, fields);
            let own_clauses = one.all_clauses().count();
            let own_length: usize = one.all_clauses().map(|clause| clause.len() + 4).sum();
            let is_full = clauses + own_clauses > CLAUSES || length + own_length > LONGEST;
            if is_full && !group.is_empty() {
                groups.push_back(std::mem::take(&mut group));
                (clauses, length) = (0, 0);
            }
            clauses += own_clauses;
            length += own_length;
            group.push(one);
        }
        if !group.is_empty() {
            groups.push_back(group);
        }
        groups
    }

    /// The records that resemble these leads. Where they are too many to be read and this is about one lead, those that agree
    /// in every field are among them all the same.
    async fn ask_about(
        &self,
        group: &[Compared],
        fields: &[FieldKey],
    ) -> Result<Answered, DataverseError> {
        let clauses: Vec<&str> = group.iter().flat_map(Compared::all_clauses).collect();
        if clauses.is_empty() {
            return Ok(Answered::default());
        }
        let mut answered = self.ask(clauses.join(" or "), fields).await?;
        if let [one] = group
            && answered.is_cut
        {
            for question in one.every_field().into_iter().chain(one.own.clone()) {
                answered
                    .found
                    .extend(self.ask(question, fields).await?.found);
            }
        }
        Ok(answered)
    }

    async fn ask(&self, filter: String, fields: &[FieldKey]) -> Result<Answered, DataverseError> {
        let columns: Vec<Option<&str>> = fields
            .iter()
            .map(|field| self.rules.compared_column(field))
            .collect();
        let named = columns.iter().flatten().copied();
        let all =
            named
                .chain(self.rules.id_column())
                .chain(["statecode", "statuscode", "modifiedon"]);
        let wanted: BTreeSet<String> = all.map(str::to_owned).collect();
        let question = LeadQuery {
            columns: wanted.into_iter().collect(),
            filter: Some(filter),
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
        Ok(Answered {
            found: records
                .iter()
                .filter_map(|record| self.found(record, fields, &columns))
                .collect(),
            is_cut: next.is_some(),
        })
    }

    fn found(
        &self,
        there: &LeadRecord,
        fields: &[FieldKey],
        columns: &[Option<&str>],
    ) -> Option<(Uuid, Found)> {
        let text = |column: &str| there.get(column)?.as_str();
        let id = Uuid::try_parse(text("leadid")?).ok()?;
        // The service compares without regard to case and some accents: the keys decide, as they do here.
        let keys = fields
            .iter()
            .zip(columns)
            .map(|(field, column)| normalise::match_key(field, text((*column)?)?, self.country()))
            .collect();
        let found = Found {
            status: record::status(there),
            modified_at: text("modifiedon")
                .and_then(|text| DateTime::parse_from_rfc3339(text).ok())
                .map_or(DateTime::UNIX_EPOCH, |at| at.to_utc()),
            keys,
            lead: self.rules.id_column().and_then(text).map(str::to_owned),
        };
        Some((id, found))
    }

    async fn decide_all(
        &mut self,
        group: Vec<Compared>,
        found: HashMap<Uuid, Found>,
        matched: &mut Matched,
    ) -> Result<(), StoreError> {
        let taken = if found.is_empty() {
            HashMap::new()
        } else {
            let (organization, ids) = (
                self.organization.clone(),
                found.keys().copied().collect::<Vec<_>>(),
            );
            self.ctx
                .store
                .read(move |conn| organization_leads::record_owners(conn, &organization, &ids))
                .await?
        };
        for one in group {
            self.decide_one(one, &found, &taken, matched);
        }
        Ok(())
    }

    fn decide_one(
        &mut self,
        one: Compared,
        found: &HashMap<Uuid, Found>,
        taken: &HashMap<Uuid, LeadId>,
        matched: &mut Matched,
    ) {
        let Compared { mut job, input, .. } = one;
        // A record that is another lead here is no candidate.
        let free: HashMap<Uuid, &Found> = found
            .iter()
            .filter(|(id, _)| !self.claimed.contains(id))
            .filter(|(id, _)| taken.get(id).is_none_or(|lead| *lead == job.lead.id))
            .map(|(id, found)| (*id, found))
            .collect();
        // Made by an attempt whose end nobody saw, or known by the id that stands in it.
        let own = own_record(&job.lead);
        let made = free
            .iter()
            .find(|(id, there)| **id == own || there.lead.as_deref() == Some(job.lead.id.as_str()))
            .map(|(id, _)| LeadId::new(*id));
        let decision = decide(
            &input,
            &candidates(&input, &free),
            &self.rules.settings,
            made,
        );
        job.link.candidates.clear();
        match decision.action {
            Action::Update(record) | Action::Reopen(record) | Action::Attach(record) => {
                let id = Uuid::try_parse(record.as_str()).unwrap_or_default();
                // The next lead of this batch with the same values is another one.
                self.claimed.insert(id);
                job.link.record_id = Some(id);
                job.link.state = LinkState::Linked;
                matched.updates.push(job);
            }
            Action::Create => matched.creations.push(job),
            Action::None => {
                let matching = decision.candidates.iter();
                job.link.candidates = matching.filter_map(|id| shown_as(id, &free)).collect();
                if job.link.candidates.is_empty() {
                    job.link.candidates = resembling(&input, &free);
                }
                job.link.state = LinkState::Waiting;
                self.failed(job, Failure::needs_person(why(&decision)));
            }
        }
    }
}

fn is_phone(field: &FieldKey) -> bool {
    matches!(
        field,
        FieldKey::Standard(LeadField::Phone | LeadField::MobilePhone)
    )
}

/// The end of a phone number, which is the same with and without the country's code.
fn last_digits(number: &str) -> &str {
    const COUNT: usize = 6;
    let digits = number
        .char_indices()
        .rev()
        .filter(|(_, c)| c.is_ascii_digit());
    let start = digits.take(COUNT).last().map_or(0, |(index, _)| index);
    number.get(start..).unwrap_or(number)
}

/// The records that resemble a lead.
fn candidates(input: &MatchInput, found: &HashMap<Uuid, &Found>) -> Candidates {
    let mut candidates = Candidates::default();
    for (id, record) in found {
        let equal: Vec<bool> = input
            .keys
            .iter()
            .zip(&record.keys)
            .map(|((_, key), there)| key.is_some() && key == there)
            .collect();
        if !equal.is_empty() && equal.iter().all(|is_equal| *is_equal) {
            candidates.full.push(Candidate {
                lead_id: LeadId::new(*id),
                status: record.status,
                updated_at: record.modified_at,
            });
        }
        for ((field, _), is_equal) in input.keys.iter().zip(equal) {
            if is_equal && !candidates.partial.iter().any(|(known, _)| known == field) {
                candidates.partial.push((field.clone(), LeadId::new(*id)));
            }
        }
    }
    candidates
}

/// The records that agree in some of the fields, those that were changed last first: a person may know better.
fn resembling(input: &MatchInput, found: &HashMap<Uuid, &Found>) -> Vec<RecordCandidate> {
    const SHOWN: usize = 10;
    let mut records: Vec<RecordCandidate> = found
        .iter()
        .filter(|(_, record)| {
            let pairs = input.keys.iter().zip(&record.keys);
            pairs
                .into_iter()
                .any(|((_, key), there)| key.is_some() && key == there)
        })
        .filter_map(|(id, _)| shown_as(&LeadId::new(*id), found))
        .collect();
    records.sort_by_key(|record| std::cmp::Reverse(record.modified_at));
    records.truncate(SHOWN);
    records
}

fn shown_as(id: &LeadId, found: &HashMap<Uuid, &Found>) -> Option<RecordCandidate> {
    let id = Uuid::try_parse(id.as_str()).ok()?;
    let found = found.get(&id)?;
    Some(RecordCandidate {
        record_id: RecordId::new(id),
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
