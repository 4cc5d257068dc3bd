//! Maps one response, or says why it is decided without comparing it with leads.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::Places;
use super::rules::Rules;
use super::undecided::Item;
use crate::domain::field_mapping::{MappedSubmission, VersionMapping};
use crate::domain::ids::CampaignId;
use crate::domain::matching::{Action, Decision, MatchInput};
use crate::domain::submission::{MatchingStatus, Submission, SubmissionReason};
use crate::sync::intake::Content;

/// An item that could be mapped.
pub(super) struct Mapped {
    pub(super) submission: Submission,
    pub(super) campaign_id: Option<CampaignId>,
    pub(super) mapped: MappedSubmission,
    pub(super) input: MatchInput,
}

pub(super) enum Readiness {
    Ready(Box<Mapped>),
    /// Decided without leads: ignored test leads, unreadable ones, unknown versions, internal errors.
    Settled {
        mapped: Option<Box<Mapped>>,
        decision: Decision,
        detail: Option<String>,
    },
}

impl Places<'_> {
    pub(super) fn map(
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
        if self.batch.wish.is_some() {
            return Readiness::Ready(mapped);
        }
        if let Some(status) = item.handled {
            return Readiness::Settled {
                mapped: Some(mapped),
                decision: Decision::without_comparison(
                    Action::None,
                    status,
                    SubmissionReason::BroughtAlong,
                ),
                detail: None,
            };
        }
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

    pub(super) fn campaign(&self, content: &Content) -> Option<&(CampaignId, String)> {
        self.campaigns.get(&content.campaign_linkedin_id?)
    }
}
