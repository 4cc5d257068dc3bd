//! Maps, matches and saves a batch of responses: a constant number of statements whatever its size, in the caller's
//! transaction, so that the batch and its cursor are stored together or not at all.

mod rules;
mod working_set;

use std::collections::{BTreeSet, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::decision::{DecisionRecord, OwnerRecord};
use super::intake::{Content, Response};
use crate::domain::field_mapping::{MappedSubmission, VersionMapping};
use crate::domain::form::FormVersion;
use crate::domain::ids::{AccountId, CampaignId, FormId, LeadId, SubmissionId};
use crate::domain::lead::{Lead, LeadStatus, Provenance, apply, display_name, topic};
use crate::domain::matching::{Action, Decision, MatchInput, decide};
use crate::domain::submission::{
    MatchingStatus, ProcessingState, Submission, SubmissionReason, SubmissionStamp,
};
use crate::store::intake::{DecidedSubmission, Known};
use crate::store::leases::RunCounts;
use crate::store::{self, AnyConn, StoreError};
use rules::Rules;
use working_set::WorkingSet;

/// Which account a batch belongs to, and how it is handled.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The account.
    pub account_id: AccountId,
    /// Its name, a source of mappings.
    pub account_name: String,
    /// Times a submission is tried again by itself before it waits for a person.
    pub attempts: i64,
    /// The time.
    pub now: DateTime<Utc>,
    /// Decide again about stored responses that wait. A page that holds them leaves that to the start of a run, so that
    /// a run counts one attempt.
    pub retries: bool,
    /// Store the responses without deciding about them, for this reason: deciding about one of them failed before.
    pub parks: Option<String>,
}

/// One response on its way, with what is stored of it already.
struct Item<'a> {
    id: SubmissionId,
    known: Option<Known>,
    response: &'a Response,
    content: Content,
}

/// The responses that need a decision: new ones, ones that LinkedIn sent with other content, ones that wait. Oldest first.
fn undecided<'a>(
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

/// An item that could be mapped.
struct Mapped {
    submission: Submission,
    campaign_id: Option<CampaignId>,
    mapped: MappedSubmission,
    input: MatchInput,
}

enum Readiness {
    Ready(Box<Mapped>),
    /// Decided without leads: ignored test leads, unreadable ones, unknown versions, internal errors.
    Settled {
        mapped: Option<Box<Mapped>>,
        decision: Decision,
        detail: Option<String>,
    },
}

/// Decides and saves. `responses` may hold known ones and repeats; they change nothing.
///
/// # Errors
/// As any query; then nothing of the batch may be kept.
pub fn run(
    conn: &mut AnyConn,
    batch: &Batch,
    responses: &[Response],
) -> Result<RunCounts, StoreError> {
    let mut counts = RunCounts::default();
    let items = undecided(conn, responses, batch.retries, &mut counts)?;
    if items.is_empty() {
        return Ok(counts);
    }
    store::lock_leads(conn)?;
    let rules = Rules::load(conn, &batch.account_id)?;
    let form_numbers: Vec<i64> =
        distinct(items.iter().filter_map(|i| i.response.form.map(|f| f.0)));
    let campaign_numbers: Vec<i64> =
        distinct(items.iter().filter_map(|i| i.content.campaign_linkedin_id));
    let versions = store::directory::versions(conn, &form_numbers)?;
    let form_ids = store::directory::form_ids(conn, &form_numbers)?;
    let campaigns = store::directory::campaign_ids(conn, &campaign_numbers)?;
    let places = Places {
        batch,
        versions: &versions,
        form_ids: &form_ids,
        campaigns: &campaigns,
    };

    let mut compiled: HashMap<(i64, i64), VersionMapping> = HashMap::new();
    for (key, version) in &versions {
        compiled.insert(*key, rules.mappings.compile(version));
    }
    let ready: Vec<(Item<'_>, Readiness)> = items
        .into_iter()
        .map(|mut item| {
            let readiness = places.map(&mut item, &rules, &compiled);
            (item, readiness)
        })
        .collect();

    let inputs = ready
        .iter()
        .filter_map(|(item, readiness)| match readiness {
            Readiness::Ready(mapped) => Some((&mapped.input, lead_of(item))),
            Readiness::Settled { .. } => None,
        });
    let mut working = WorkingSet::load(conn, inputs, rules.strategy.as_ref())?;
    let mut decided = Vec::with_capacity(ready.len());
    for (item, readiness) in ready {
        decided.push(places.settle(item, readiness, &rules, &mut working, &mut counts));
    }
    working.save(conn)?;
    store::intake::save(conn, &decided)?;
    store::intake::add_changes(conn, working.into_changes())?;
    Ok(counts)
}

fn distinct(numbers: impl Iterator<Item = i64>) -> Vec<i64> {
    numbers.collect::<BTreeSet<_>>().into_iter().collect()
}

fn lead_of<'a>(item: &'a Item<'_>) -> Option<&'a LeadId> {
    item.known.as_ref().and_then(|known| known.lead_id.as_ref())
}

/// Forms and campaigns of a batch.
struct Places<'a> {
    batch: &'a Batch,
    versions: &'a HashMap<(i64, i64), FormVersion>,
    form_ids: &'a HashMap<i64, FormId>,
    campaigns: &'a HashMap<i64, (CampaignId, String)>,
}

impl Places<'_> {
    fn map(
        &self,
        item: &mut Item<'_>,
        rules: &Rules,
        compiled: &HashMap<(i64, i64), VersionMapping>,
    ) -> Readiness {
        let response = item.response;
        let settled = |status, reason, detail| Readiness::Settled {
            mapped: None,
            decision: Decision::without_comparison(Action::None, status, reason),
            detail,
        };
        if let Some(why) = &self.batch.parks {
            return settled(
                MatchingStatus::LeadCreationFailed,
                SubmissionReason::InternalError,
                Some(why.clone()),
            );
        }
        if let Err(why) = &item.content.answers {
            return settled(
                MatchingStatus::LeadCreationFailed,
                SubmissionReason::UnreadableAnswer,
                Some(why.clone()),
            );
        }
        let Some((version, mapping)) = response
            .form
            .and_then(|form| Some((self.versions.get(&form)?, compiled.get(&form)?)))
        else {
            // It waits for its version, a few times by itself, then for a person.
            let attempts = item.known.as_ref().map_or(0, |known| known.attempts) + 1;
            let waits = response.form.is_some() && attempts < self.batch.attempts;
            let status = if waits {
                MatchingStatus::PendingLeadMatching
            } else {
                MatchingStatus::LeadCreationFailed
            };
            return settled(status, SubmissionReason::FormVersionUnknown, None);
        };
        // Nobody reads the answers of the item after this.
        let read = std::mem::replace(&mut item.content.answers, Ok(Default::default()));
        let (answers, consent_responses) = read.unwrap_or_default();
        let content = &item.content;
        let country = Some(version.locale.country.clone()).filter(|country| !country.is_empty());
        let submission = Submission {
            id: item.id.clone(),
            response_id: response.response_id.clone(),
            submitted_at: response.submitted_at,
            lead_type: content.lead_type,
            is_test: content.is_test,
            submitter: content.submitter_urn.clone(),
            form_id: Some(version.form_id.clone()),
            form_version: Some(version.id.clone()),
            campaign_name: self.campaign(content).map(|(_, name)| name.clone()),
            form_name: Some(version.name.clone()),
            account_name: Some(self.batch.account_name.clone()),
            country,
            answers,
            consent_responses,
        };
        // Mapping is total; should it panic all the same, one submission is parked and the batch goes on.
        let default_country = rules.settings.default_country.as_deref();
        let mapped = catch_unwind(AssertUnwindSafe(|| {
            mapping.map(&submission, default_country)
        }));
        let Ok(mapped) = mapped else {
            return settled(
                MatchingStatus::LeadCreationFailed,
                SubmissionReason::InternalError,
                Some("mapping stopped unexpectedly".to_owned()),
            );
        };
        let country = submission.country.as_deref().or(default_country);
        let input = rules
            .strategy
            .as_ref()
            .map(|strategy| MatchInput::new(strategy, &mapped, country))
            .unwrap_or_default();
        let mapped = Box::new(Mapped {
            submission,
            campaign_id: self.campaign(content).map(|(id, _)| id.clone()),
            mapped,
            input,
        });
        if let Some(decision) = Decision::for_test_lead(content.is_test, &rules.settings) {
            return Readiness::Settled {
                mapped: Some(mapped),
                decision,
                detail: None,
            };
        }
        let unmapped = rules.strategy.as_ref().map(|strategy| {
            crate::domain::strategy::unmapped_fields(strategy, &rules.targets)
                .first()
                .map(|field| (*field).clone())
        });
        let failed = |reason, detail| Readiness::Settled {
            mapped: None,
            decision: Decision::without_comparison(
                Action::None,
                MatchingStatus::LeadCreationFailed,
                reason,
            ),
            detail,
        };
        match unmapped {
            None => failed(SubmissionReason::NoActiveStrategy, None),
            Some(Some(field)) if !rules.settings.always_create_lead => failed(
                SubmissionReason::StrategyFieldUnmapped,
                Some(field.label().into_owned()),
            ),
            Some(_) => Readiness::Ready(mapped),
        }
    }

    fn campaign(&self, content: &Content) -> Option<&(CampaignId, String)> {
        self.campaigns.get(&content.campaign_linkedin_id?)
    }

    /// Decides one item against the leads as they are after the items before it.
    fn settle(
        &self,
        item: Item<'_>,
        readiness: Readiness,
        rules: &Rules,
        working: &mut WorkingSet,
        counts: &mut RunCounts,
    ) -> DecidedSubmission {
        let (mapped, record, detail, lead_id) = match readiness {
            Readiness::Settled {
                mapped,
                decision,
                detail,
            } => {
                let none = MappedSubmission::default();
                let of = mapped.as_ref().map_or(&none, |mapped| &mapped.mapped);
                let record = DecisionRecord::new(
                    self.batch.now,
                    rules.strategy.as_ref(),
                    of,
                    &rules.mapping_names,
                    decision,
                );
                let kept = lead_of(&item).cloned();
                (mapped, record, detail, kept)
            }
            Readiness::Ready(mapped) => {
                let (record, lead_id) = self.act(&item, &mapped, rules, working);
                (Some(mapped), record, None, lead_id)
            }
        };
        if !item.content.is_test || record.reason != SubmissionReason::TestLeadIgnored {
            match record.status {
                MatchingStatus::NewLeadCreated => counts.leads_created += 1,
                MatchingStatus::UpdatedExistingLead => counts.leads_updated += 1,
                MatchingStatus::MatchFailed => counts.match_failed += 1,
                MatchingStatus::LeadCreationFailed | MatchingStatus::LeadUpdateFailed => {
                    counts.processing_failed += 1;
                }
                _ => {}
            }
        }
        self.decided(item, mapped.as_deref(), record, detail, lead_id)
    }

    /// Carries a decision out on the working set; returns the record and the lead of the submission.
    fn act(
        &self,
        item: &Item<'_>,
        mapped: &Mapped,
        rules: &Rules,
        working: &mut WorkingSet,
    ) -> (DecisionRecord, Option<LeadId>) {
        let stamp = mapped.submission.stamp();
        let already = lead_of(item).filter(|lead| working.has(lead)).cloned();
        let candidates = working.candidates(&mapped.input);
        let mut decision = decide(&mapped.input, &candidates, &rules.settings, already.clone());
        if let (Some(_), Some(known)) = (&already, &item.known) {
            // Doing a submission again is no new outcome: its first one stays on the books.
            decision.status = match known.matching_status {
                MatchingStatus::NewLeadCreated => MatchingStatus::NewLeadCreated,
                _ => decision.status,
            };
        }
        let mut record = DecisionRecord::new(
            self.batch.now,
            rules.strategy.as_ref(),
            &mapped.mapped,
            &rules.mapping_names,
            decision,
        );
        let lead_id = match record.action.clone() {
            Action::Create => {
                let (lead, owner) = self.new_lead(mapped, &stamp, rules, &mut record);
                record.owner = Some(owner);
                let id = lead.id.clone();
                working.insert(lead, &rules.strategy, self.country(mapped, rules));
                working.note(&id, &stamp.id, "created", &record.changes, self.batch.now);
                Some(id)
            }
            Action::Update(id) => {
                self.change(
                    &id,
                    already.is_none(),
                    false,
                    mapped,
                    rules,
                    working,
                    &mut record,
                );
                Some(id)
            }
            Action::Reopen(id) => {
                self.change(
                    &id,
                    already.is_none(),
                    true,
                    mapped,
                    rules,
                    working,
                    &mut record,
                );
                Some(id)
            }
            Action::Attach(id) => {
                working.change(&id, self.batch.now, |lead| lead.attach(&stamp));
                working.note(&id, &stamp.id, "attached", &[], self.batch.now);
                Some(id)
            }
            Action::None => None,
        };
        (record, lead_id)
    }

    fn country<'m>(&self, mapped: &'m Mapped, rules: &'m Rules) -> Option<&'m str> {
        mapped
            .submission
            .country
            .as_deref()
            .or(rules.settings.default_country.as_deref())
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "one step of `act`, named for reading"
    )]
    fn change(
        &self,
        id: &LeadId,
        is_first_time: bool,
        reopens: bool,
        mapped: &Mapped,
        rules: &Rules,
        working: &mut WorkingSet,
        record: &mut DecisionRecord,
    ) {
        let stamp = mapped.submission.stamp();
        let newer = working.get(id).and_then(|lead| lead.latest_submitted_at);
        let mut draft = match working.get(id) {
            Some(lead) => lead.clone(),
            None => return,
        };
        let changes = apply(&mut draft, &mapped.mapped.values, &stamp);
        if is_first_time {
            draft.attach(&stamp);
        }
        if reopens {
            draft.status = LeadStatus::New;
        }
        if changes.is_empty()
            && record.reason == SubmissionReason::Matched
            && newer.is_some_and(|newer| newer > stamp.submitted_at)
        {
            record.reason = SubmissionReason::OlderThanLead;
        }
        if changes.is_empty() && !is_first_time && !reopens {
            return;
        }
        let kind = if reopens { "reopened" } else { "updated" };
        let strategy_changed = rules
            .strategy
            .as_ref()
            .is_some_and(|strategy| changes.iter().any(|c| strategy.fields.contains(&c.field)));
        working.replace(draft, self.batch.now);
        if strategy_changed {
            working.rekey(id, &rules.strategy, self.country(mapped, rules));
        }
        working.note(id, &stamp.id, kind, &changes, self.batch.now);
        record.changes = changes;
    }

    fn new_lead(
        &self,
        mapped: &Mapped,
        stamp: &SubmissionStamp,
        rules: &Rules,
        record: &mut DecisionRecord,
    ) -> (Lead, OwnerRecord) {
        let submission = &mapped.submission;
        let mut lead = Lead {
            id: LeadId::new(Uuid::now_v7()),
            values: Default::default(),
            topic: topic(
                submission.form_name.as_deref(),
                submission.campaign_name.as_deref(),
            ),
            status: LeadStatus::New,
            source: submission.lead_type.into(),
            owner_id: rules.fallback_owner.clone(),
            provenance: Provenance::new(),
            created_at: self.batch.now,
            updated_at: self.batch.now,
            first_submission_id: None,
            latest_submission_id: None,
            latest_submitted_at: None,
            submission_count: 0,
            account_id: Some(self.batch.account_id.clone()),
            form_id: submission.form_id.clone(),
            campaign_id: mapped.campaign_id.clone(),
            member_urn: submission.submitter.clone(),
            lock_version: 0,
        };
        record.changes = apply(&mut lead, &mapped.mapped.values, stamp);
        lead.attach(stamp);
        let (owner_id, reason) = rules.owner(&lead, self.country(mapped, rules));
        lead.owner_id = owner_id.clone();
        (
            lead,
            OwnerRecord {
                id: owner_id,
                reason,
            },
        )
    }

    fn decided(
        &self,
        item: Item<'_>,
        mapped: Option<&Mapped>,
        record: DecisionRecord,
        detail: Option<String>,
        lead_id: Option<LeadId>,
    ) -> DecidedSubmission {
        let Item {
            id,
            known,
            response,
            content,
        } = item;
        let name = mapped
            .and_then(|mapped| {
                let values = mapped
                    .mapped
                    .values
                    .iter()
                    .map(|value| (value.field.clone(), value.value.clone()))
                    .collect();
                display_name(&values)
            })
            .unwrap_or_default();
        let state = record.status.processing_state();
        let is_decided = state != ProcessingState::Unprocessed;
        let changed = known
            .as_ref()
            .is_some_and(|known| known.content_hash != response.content_hash);
        DecidedSubmission {
            response_id: response.response_id.clone(),
            account_id: self.batch.account_id.clone(),
            form_id: response
                .form
                .and_then(|(form, _)| self.form_ids.get(&form).cloned()),
            form_version_id: response
                .form
                .and_then(|form| self.versions.get(&form))
                .map(|version| version.id.clone()),
            form_linkedin: response.form,
            campaign_id: self.campaign(&content).map(|(id, _)| id.clone()),
            campaign_linkedin_id: content.campaign_linkedin_id,
            creative_linkedin_id: content.creative_linkedin_id,
            lead_type: content.lead_type,
            submitter_urn: content.submitter_urn,
            submitted_at: response.submitted_at,
            received_at: known
                .as_ref()
                .map_or(self.batch.now, |known| known.received_at),
            is_test: content.is_test,
            name: name.chars().take(300).collect(),
            matching_status: record.status,
            processing_state: state,
            reason: Some(record.reason),
            reason_detail: detail.map(|detail| detail.chars().take(300).collect()),
            flag_count: i64::try_from(record.flags.len()).unwrap_or(i64::MAX),
            lead_id,
            attempts: known.as_ref().map_or(0, |known| known.attempts) + 1,
            processed_at: is_decided.then_some(self.batch.now),
            content_hash: response.content_hash.clone(),
            revision: known
                .as_ref()
                .map_or(1, |known| known.revision + i64::from(changed)),
            raw: response.raw.get().as_bytes().to_vec(),
            decision: is_decided
                .then(|| serde_json::to_string(&record).ok())
                .flatten(),
            id,
        }
    }
}
