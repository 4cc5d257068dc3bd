//! What a change of the rules would do to the latest submissions, worked out without writing anything.
//!
//! It reads submissions as [`super::process`] does: the stored response, the answered version, the mappings, then the
//! strategy. The decisions are the domain's, so that a preview cannot disagree with what the sync will do.

use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};

use super::intake::{Place, Response};
use crate::domain::dry_run::{Arrival, Outcome, dry_run};
use crate::domain::field_mapping::{
    FieldDifference, FieldMapping, FlagKind, MappedSubmission, MappingSet, VersionMapping,
    differences,
};
use crate::domain::form::FormVersion;
use crate::domain::ids::{FormId, LeadId, SubmissionId};
use crate::domain::lead::{FieldKey, Lead, LeadField, display_name};
use crate::domain::matching::{MatchInput, MatchingSettings, MatchingStrategy};
use crate::domain::submission::{MatchingStatus, Submission, SubmissionReason};
use crate::store::samples::{self, Sample};
use crate::store::{self, AnyConn, StoreError, match_scan};

/// A stored submission, read again.
#[derive(Debug, Clone)]
pub struct Reread {
    /// Its identifier.
    pub id: SubmissionId,
    /// Who submitted, as far as the answers told.
    pub name: String,
    /// When it was submitted at LinkedIn.
    pub submitted_at: DateTime<Utc>,
    /// Whether LinkedIn marks it as a test lead.
    pub is_test: bool,
    /// What became of it.
    pub matching_status: MatchingStatus,
    /// The form that was answered, and the key of its version.
    form: Option<(i64, i64)>,
    /// What was said, or why it cannot be told.
    submission: Result<Submission, SubmissionReason>,
}

impl Reread {
    /// What was said, if it can be read.
    #[must_use]
    pub fn submission(&self) -> Option<&Submission> {
        self.submission.as_ref().ok()
    }
}

/// The latest submissions, newest first, with the versions that they answer.
#[derive(Debug, Clone, Default)]
pub struct Latest {
    /// The submissions.
    pub submissions: Vec<Reread>,
    versions: HashMap<(i64, i64), FormVersion>,
}

impl Latest {
    /// Reads the latest `limit` submissions of these forms, or of all: three statements, whatever their number.
    ///
    /// # Errors
    /// As any query.
    pub fn load(
        conn: &mut AnyConn,
        forms: Option<&[FormId]>,
        limit: i64,
    ) -> Result<Self, StoreError> {
        let found = samples::latest(conn, forms, limit)?;
        let numbers: BTreeSet<i64> = found
            .iter()
            .filter_map(|sample| sample.form.map(|(form, _)| form))
            .collect();
        let numbers: Vec<i64> = numbers.into_iter().collect();
        let versions = store::directory::forms::versions(conn, &numbers)?;
        Ok(Self {
            submissions: found
                .into_iter()
                .map(|sample| reread(sample, &versions))
                .collect(),
            versions,
        })
    }

    /// The version that a submission answers, where it is known.
    #[must_use]
    pub fn version(&self, submission: &Reread) -> Option<&FormVersion> {
        self.versions.get(&submission.form?)
    }

    /// Maps every submission; `None` for those that cannot be read.
    #[must_use]
    pub fn map(&self, set: &MappingSet, country: Option<&str>) -> Vec<Option<MappedSubmission>> {
        let mut compiled: HashMap<(i64, i64), VersionMapping> = HashMap::new();
        self.submissions
            .iter()
            .map(|one| {
                let (submission, form) = (one.submission.as_ref().ok()?, one.form?);
                let version = self.versions.get(&form)?;
                let mapping = compiled.entry(form).or_insert_with(|| set.compile(version));
                Some(mapping.map(submission, country))
            })
            .collect()
    }
}

fn reread(sample: Sample, versions: &HashMap<(i64, i64), FormVersion>) -> Reread {
    let place = Place {
        lead_type: sample.lead_type,
        is_test: sample.is_test,
        until: sample.submitted_at,
    };
    let read = Response::reread(sample.raw, place).and_then(|response| {
        let content = response.content();
        Ok((
            content.answers?,
            response.response_id,
            content.submitter_urn,
        ))
    });
    let submission = match read {
        Ok(((answers, consent_responses), response_id, submitter)) => sample
            .form
            .and_then(|form| versions.get(&form))
            .ok_or(SubmissionReason::FormVersionUnknown)
            .map(|version| Submission {
                id: sample.id.clone(),
                response_id,
                submitted_at: sample.submitted_at,
                lead_type: sample.lead_type,
                is_test: sample.is_test,
                submitter,
                form_id: Some(version.form_id.clone()),
                form_version: Some(version.id.clone()),
                campaign_name: sample.campaign_name,
                form_name: Some(version.name.clone()),
                account_name: Some(sample.account_name),
                country: Some(version.locale.country.clone()).filter(|code| !code.is_empty()),
                answers,
                consent_responses,
            }),
        Err(_) => Err(SubmissionReason::UnreadableAnswer),
    };
    Reread {
        id: sample.id,
        name: sample.name,
        submitted_at: sample.submitted_at,
        is_test: sample.is_test,
        matching_status: sample.matching_status,
        form: sample.form,
        submission,
    }
}

/// A dry run: how the latest submissions would end by the strategy that is active, and by the draft.
#[derive(Debug, Clone)]
pub struct DryRun {
    /// The submissions, newest first.
    pub latest: Latest,
    /// How each would end by the active strategy.
    pub now: Vec<Outcome>,
    /// How each would end by the draft.
    pub then: Vec<Outcome>,
    /// Names of the leads that the outcomes speak of.
    pub lead_names: HashMap<LeadId, String>,
    /// How many leads were looked at.
    pub looked_at: usize,
    /// Whether there are older leads that were not looked at.
    pub is_cut: bool,
}

/// Plays the latest `limit` submissions through the active strategy and the draft, with the settings and mappings as they
/// are. Writes nothing.
///
/// # Errors
/// As any query.
pub fn compare_strategies(
    conn: &mut AnyConn,
    draft: &MatchingStrategy,
    limit: i64,
) -> Result<DryRun, StoreError> {
    let settings = store::integration_settings::get(conn)?.matching;
    let active = store::matching_strategies::active(conn)?;
    let set = MappingSet::new(store::field_mappings::list(conn)?)
        .with_custom_fields(store::custom_fields::list(conn)?);
    let latest = Latest::load(conn, None, limit)?;
    let country = settings.default_country.as_deref();
    let mapped = latest.map(&set, country);
    let inputs = |strategy: &MatchingStrategy| -> Vec<MatchInput> {
        latest
            .submissions
            .iter()
            .zip(&mapped)
            .filter_map(|(one, mapped)| {
                let own = one.submission.as_ref().ok()?.country.as_deref();
                Some(MatchInput::new(strategy, mapped.as_ref()?, own.or(country)))
            })
            .collect()
    };
    let made_by: HashSet<SubmissionId> = latest
        .submissions
        .iter()
        .map(|one| one.id.clone())
        .collect();
    let wanted = [(&active, inputs(&active)), (draft, inputs(draft))];
    let scan = match_scan::find(conn, &wanted, &made_by, country)?;
    let ids: Vec<LeadId> = scan.leads.keys().cloned().collect();
    let leads: Vec<(Lead, Option<String>)> = store::lead_rows::load(conn, &ids)?
        .into_iter()
        .map(|lead| {
            let country = scan.leads.get(&lead.id).cloned().flatten();
            (lead, country)
        })
        .collect();
    let play = |strategy| play(strategy, &settings, &set, leads.clone(), &latest, &mapped);
    Ok(DryRun {
        now: play(&active),
        then: play(draft),
        lead_names: leads
            .iter()
            .map(|(lead, _)| {
                let name = display_name(&lead.values).unwrap_or_else(|| lead.topic.clone());
                (lead.id.clone(), name)
            })
            .collect(),
        looked_at: scan.looked_at,
        is_cut: scan.is_cut,
        latest,
    })
}

fn play(
    strategy: &MatchingStrategy,
    settings: &MatchingSettings,
    set: &MappingSet,
    leads: Vec<(Lead, Option<String>)>,
    latest: &Latest,
    mapped: &[Option<MappedSubmission>],
) -> Vec<Outcome> {
    // They stand newest first, and are played oldest first.
    let arrivals: Vec<Arrival<'_>> = latest
        .submissions
        .iter()
        .zip(mapped)
        .rev()
        .map(|(one, mapped)| match (&one.submission, mapped) {
            (Ok(submission), Some(mapped)) => Arrival::Mapped(submission, mapped),
            (Err(reason), _) => Arrival::Unreadable(*reason),
            (Ok(_), None) => Arrival::Unreadable(SubmissionReason::FormVersionUnknown),
        })
        .collect();
    let mut outcomes = dry_run(strategy, settings, &set.targets(), leads, &arrivals);
    outcomes.reverse();
    outcomes
}

/// A submission whose values a change of the mappings would change.
#[derive(Debug, Clone)]
pub struct ChangedSubmission {
    /// Its identifier.
    pub id: SubmissionId,
    /// Who submitted.
    pub name: String,
    /// When it was submitted at LinkedIn.
    pub submitted_at: DateTime<Utc>,
    /// What would be different.
    pub differences: Vec<FieldDifference>,
}

/// What a change of the mappings would do.
#[derive(Debug, Clone, Default)]
pub struct MappingPreview {
    /// The submissions that would give other values, newest first.
    pub changed: Vec<ChangedSubmission>,
    /// How many were looked at.
    pub looked_at: usize,
    /// How many of them could not be read.
    pub unreadable: usize,
}

/// Maps the latest `limit` submissions of these forms, or of all, by the mappings as they are and by `then`. Writes nothing.
///
/// # Errors
/// As any query.
pub fn compare_mappings(
    conn: &mut AnyConn,
    then: Vec<FieldMapping>,
    forms: Option<&[FormId]>,
    limit: i64,
) -> Result<MappingPreview, StoreError> {
    let settings = store::integration_settings::get(conn)?.matching;
    let custom = store::custom_fields::list(conn)?;
    let now = MappingSet::new(store::field_mappings::list(conn)?)
        .with_custom_fields(custom.iter().cloned());
    let then = MappingSet::new(then).with_custom_fields(custom.iter().cloned());
    let latest = Latest::load(conn, forms, limit)?;
    let country = settings.default_country.as_deref();
    let (now, then) = (latest.map(&now, country), latest.map(&then, country));
    let mut preview = MappingPreview {
        looked_at: latest.submissions.len(),
        ..MappingPreview::default()
    };
    for (one, pair) in latest.submissions.into_iter().zip(now.iter().zip(&then)) {
        let (Some(now), Some(then)) = pair else {
            preview.unreadable += 1;
            continue;
        };
        let differences = differences(now, then);
        if !differences.is_empty() {
            preview.changed.push(ChangedSubmission {
                id: one.id,
                name: one.name,
                submitted_at: one.submitted_at,
                differences,
            });
        }
    }
    Ok(preview)
}

/// What one mapping makes of one submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// The submission.
    pub id: SubmissionId,
    /// Who submitted.
    pub name: String,
    /// What the source holds, before any step.
    pub source: Option<String>,
    /// The value as the field would keep it, or why it would be left out; `None` where there is nothing to write.
    pub result: Option<Result<String, FlagKind>>,
}

/// How many examples are shown.
const EXAMPLES: usize = 3;

/// What a mapping makes of the latest submissions of these forms that have something in its source: at most three, each
/// of another value. Without any such submission, what it makes of the latest one.
///
/// # Errors
/// As any query.
pub fn examples(
    conn: &mut AnyConn,
    mapping: &FieldMapping,
    forms: Option<&[FormId]>,
    limit: i64,
) -> Result<Vec<Example>, StoreError> {
    let settings = store::integration_settings::get(conn)?.matching;
    let country = settings.default_country.as_deref();
    let custom = store::custom_fields::list(conn)?;
    let latest = Latest::load(conn, forms, limit)?;
    // The source as it is: a text field of the widest kind without steps.
    let source = FieldMapping {
        target: FieldKey::Standard(LeadField::Description),
        transforms: Vec::new(),
        ..mapping.clone()
    };
    let sources = latest.map(&MappingSet::new(vec![source]), country);
    let set = MappingSet::new(vec![mapping.clone()]).with_custom_fields(custom.iter().cloned());
    let results = latest.map(&set, country);
    let mut found: Vec<Example> = Vec::new();
    let mut otherwise = None;
    for (one, pair) in latest.submissions.iter().zip(sources.iter().zip(&results)) {
        let (Some(source), Some(result)) = pair else {
            continue;
        };
        let flag = result
            .flags
            .iter()
            .find(|flag| flag.mapping_id.as_ref() == Some(&mapping.id));
        let example = Example {
            id: one.id.clone(),
            name: one.name.clone(),
            source: source.values.first().map(|value| value.value.clone()),
            result: match (result.values.first(), flag) {
                (Some(value), _) => Some(Ok(value.value.clone())),
                (None, Some(flag)) => Some(Err(flag.problem)),
                (None, None) => None,
            },
        };
        if example.source.is_none() && example.result.is_none() {
            otherwise.get_or_insert(example);
            continue;
        }
        if !found.iter().any(|known| known.source == example.source) {
            found.push(example);
        }
        if found.len() == EXAMPLES {
            break;
        }
    }
    if found.is_empty() {
        found.extend(otherwise);
    }
    Ok(found)
}
