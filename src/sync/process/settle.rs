//! Decides one item against the leads as they are after the items before it, and carries the decision out.

use uuid::Uuid;

use super::Places;
use super::readiness::{Mapped, Readiness};
use super::rules::Rules;
use super::undecided::{Item, lead_of};
use super::working_set::WorkingSet;
use crate::domain::field_mapping::MappedSubmission;
use crate::domain::ids::LeadId;
use crate::domain::lead::{Lead, LeadStatus, Provenance, apply, display_name, topic};
use crate::domain::matching::{Action, PersonsChoice, decide, decide_by_person};
use crate::domain::submission::{
    MatchingStatus, ProcessingState, SubmissionReason, SubmissionStamp,
};
use crate::store::intake::DecidedSubmission;
use crate::store::run_counts::RunCounts;
use crate::sync::decision::{DecisionRecord, OwnerRecord};

impl Places<'_> {
    /// Decides one item against the leads as they are after the items before it.
    pub(super) fn settle(
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
        // What happened elsewhere, or not at all, is no outcome of this run.
        let is_counted = match record.reason {
            SubmissionReason::BroughtAlong => false,
            SubmissionReason::TestLeadIgnored => !item.content.is_test,
            _ => true,
        };
        if is_counted {
            match record.status {
                // A submission that made its lead before keeps that status, and made none now.
                MatchingStatus::NewLeadCreated
                    if record.reason != SubmissionReason::HandledBefore =>
                {
                    counts.leads_created += 1;
                }
                MatchingStatus::NewLeadCreated | MatchingStatus::UpdatedExistingLead => {
                    counts.leads_updated += 1;
                }
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
        let (input, settings) = (&mapped.input, &rules.settings);
        let mut decision = match &self.batch.wish {
            None => decide(input, &candidates, settings, already.clone()),
            Some(_) => {
                let lead = self.batch.chosen().and_then(|id| working.candidate(id));
                let choice = lead.map_or(PersonsChoice::NewLead, PersonsChoice::Lead);
                decide_by_person(&choice, input, &candidates, settings, already.clone())
            }
        };
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
            ..
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
