//! What people decide about submissions, carried out by the same steps as the synchronization: mapping, matching, write
//! policies, owner chain, match keys, journal and decision, set-based and in the caller's transaction.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::SyncOptions;
use super::intake::{Place, Response};
use super::process::{self, Batch, Wish};
use crate::domain::field_mapping::{MappedSubmission, MappingSet};
use crate::domain::ids::{AccountId, ApiTokenId, LeadId, SubmissionId, UserId};
use crate::domain::lead::Lead;
use crate::domain::submission::{ActKind, MatchingStatus, Submission, SubmissionStamp};
use crate::store::submission_acts::{self, Eligible, NewAct, Taken, Which};
use crate::store::submission_undo::{Before, LeadBefore};
use crate::store::submissions::SubmissionDetail;
use crate::store::{self, AnyConn, StoreError};

/// Who decides about submissions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum By {
    /// Somebody.
    Person(UserId),
    /// A program: its token, and the name under which it is known.
    Program(ApiTokenId, String),
}

impl By {
    fn id(&self) -> &str {
        match self {
            Self::Person(id) => id.as_str(),
            Self::Program(id, _) => id.as_str(),
        }
    }

    fn program(&self) -> Option<&str> {
        match self {
            Self::Person(_) => None,
            Self::Program(_, name) => Some(name),
        }
    }

    fn person(&self) -> Option<&UserId> {
        match self {
            Self::Person(id) => Some(id),
            Self::Program(..) => None,
        }
    }
}

/// What a person wants of submissions that failed or have no lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Map and match them again.
    Retry,
    /// They belong to this lead.
    Link(LeadId),
    /// Each is a lead of its own.
    TurnIntoLead,
}

impl Act {
    fn kind(&self) -> ActKind {
        match self {
            Self::Retry => ActKind::Retried,
            Self::Link(_) => ActKind::Linked,
            Self::TurnIntoLead => ActKind::TurnedIntoLead,
        }
    }

    /// What submissions must be for this.
    #[must_use]
    pub const fn eligible(&self) -> Eligible {
        match self {
            Self::Retry => Eligible::Unsettled,
            Self::Link(_) | Self::TurnIntoLead => Eligible::WithoutLead,
        }
    }
}

/// What an act came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Submissions that were decided about.
    pub taken: usize,
    /// Of these: made a lead.
    pub created: usize,
    /// Updated a lead or were attached to one.
    pub joined: usize,
    /// Wait for the synchronization: the version of their form is not known yet.
    pub waiting: usize,
    /// Accounts to make due, so that those need not wait long: in a transaction of its own, see `store::due`.
    pub due: Vec<AccountId>,
    /// Failed, or have no lead again.
    pub unsettled: usize,
    /// Left alone: their answers were erased or cannot be read.
    pub skipped: usize,
}

/// Carries out an act on at most 1,000 submissions. What came to its end already is left alone, so that doing it twice
/// changes nothing.
///
/// # Errors
/// `NotFound` when the chosen lead is gone; as any query, and then nothing may be kept.
pub fn carry_out(
    conn: &mut AnyConn,
    which: &Which,
    act: &Act,
    by: &By,
    now: DateTime<Utc>,
) -> Result<Outcome, StoreError> {
    // Before anything is read: what is decided here must not be decided elsewhere at the same moment.
    store::lock_leads(conn)?;
    let lead = match act {
        Act::Link(id) => Some(store::leads::get(conn, id)?),
        _ => None,
    };
    let taken = submission_acts::take(conn, which, act.eligible())?;
    let mut outcome = Outcome::default();
    let mut ids = Vec::with_capacity(taken.len());
    let mut accounts: BTreeMap<AccountId, (String, Vec<Response>)> = BTreeMap::new();
    for one in taken {
        let Some(response) = reread(&one) else {
            outcome.skipped += 1;
            continue;
        };
        ids.push(one.id);
        let (id, name) = one.account;
        let (_, responses) = accounts.entry(id).or_insert_with(|| (name, Vec::new()));
        responses.push(response);
    }
    if ids.is_empty() {
        return Ok(outcome);
    }
    let stood = submission_acts::stand(conn, &ids)?;
    submission_acts::reopen(conn, &ids)?;
    let wish = match act {
        Act::Retry => None,
        Act::Link(id) => Some(Some(id.clone())),
        Act::TurnIntoLead => Some(None),
    };
    let wish = wish.map(|lead_id| Wish {
        user_id: by.person().cloned(),
        lead_id,
    });
    let account_ids: Vec<AccountId> = accounts.keys().cloned().collect();
    for (account_id, (account_name, responses)) in accounts {
        let batch = Batch {
            account_id,
            account_name,
            attempts: SyncOptions::default().submission_attempts,
            now,
            retries: true,
            parks: None,
            wish: wish.clone(),
        };
        process::run(conn, &batch, &responses)?;
    }
    let became = submission_acts::became(conn, &ids)?;
    outcome.taken = ids.len();
    let mut noted = Vec::with_capacity(ids.len());
    for id in &ids {
        let Some((status, joined)) = became.get(id) else {
            continue;
        };
        match status {
            MatchingStatus::NewLeadCreated => outcome.created += 1,
            MatchingStatus::UpdatedExistingLead | MatchingStatus::LeadMatchedButNotUpdated => {
                outcome.joined += 1;
            }
            MatchingStatus::PendingLeadMatching => outcome.waiting += 1,
            MatchingStatus::MatchFailed
            | MatchingStatus::LeadCreationFailed
            | MatchingStatus::LeadUpdateFailed => outcome.unsettled += 1,
        }
        // A submission that joined a lead which this act did not know before cannot be undone: what the lead was is not known.
        let is_known = match act {
            Act::Retry => false,
            // The lead's state before holds for one submission; of several, each changed it for the next.
            Act::Link(_) => ids.len() == 1,
            Act::TurnIntoLead => *status == MatchingStatus::NewLeadCreated,
        };
        let before = stood.get(id).filter(|_| is_known).map(|stood| Before {
            submission: stood.clone(),
            lead: lead.as_ref().map(LeadBefore::from),
        });
        noted.push(note(
            id,
            act.kind(),
            by,
            now,
            joined.as_ref(),
            before.as_ref(),
        ));
    }
    submission_acts::note(conn, &noted)?;
    if outcome.waiting > 0 {
        outcome.due = account_ids;
    }
    Ok(outcome)
}

fn note(
    id: &SubmissionId,
    kind: ActKind,
    by: &By,
    now: DateTime<Utc>,
    lead: Option<&(LeadId, i64)>,
    before: Option<&Before>,
) -> NewAct {
    NewAct {
        id: Uuid::now_v7().hyphenated().to_string(),
        submission_id: id.as_str().to_owned(),
        user_id: by.id().to_owned(),
        actor_name: by.program().map(str::to_owned),
        kind: kind.as_str(),
        reason: None,
        lead_id: lead.map(|(lead, _)| lead.as_str().to_owned()),
        lead_lock_version: lead.map(|(_, version)| *version),
        before_state: before.and_then(|before| serde_json::to_string(before).ok()),
        created_at: now.naive_utc(),
        undone_at: None,
    }
}

fn reread(taken: &Taken) -> Option<Response> {
    if taken.raw.is_empty() {
        return None;
    }
    let place = Place {
        lead_type: taken.lead_type,
        is_test: taken.is_test,
        until: taken.submitted_at,
    };
    Response::reread(taken.raw.clone(), place).ok()
}

/// Sets submissions aside with a reason, at most 1,000; answers how many.
///
/// # Errors
/// As any query.
pub fn ignore(
    conn: &mut AnyConn,
    which: &Which,
    reason: &str,
    by: &UserId,
    now: DateTime<Utc>,
) -> Result<usize, StoreError> {
    store::lock_leads(conn)?;
    let ids = submission_acts::take_ids(conn, which, Eligible::Unsettled)?;
    submission_acts::ignore(conn, &ids, by, reason, now)?;
    let person = By::Person(by.clone());
    let noted: Vec<NewAct> = ids
        .iter()
        .map(|id| NewAct {
            reason: Some(reason.to_owned()),
            ..note(id, ActKind::Ignored, &person, now, None, None)
        })
        .collect();
    submission_acts::note(conn, &noted)?;
    Ok(ids.len())
}

/// Takes submissions up again that were set aside, at most 1,000; answers how many.
///
/// # Errors
/// As any query.
pub fn bring_back(
    conn: &mut AnyConn,
    which: &Which,
    by: &UserId,
    now: DateTime<Utc>,
) -> Result<usize, StoreError> {
    store::lock_leads(conn)?;
    let ids = submission_acts::take_ids(conn, which, Eligible::Ignored)?;
    submission_acts::bring_back(conn, &ids)?;
    let person = By::Person(by.clone());
    let noted: Vec<NewAct> = ids
        .iter()
        .map(|id| note(id, ActKind::BroughtBack, &person, now, None, None))
        .collect();
    submission_acts::note(conn, &noted)?;
    Ok(ids.len())
}

/// The values that a stored submission would write, by the mappings of now; `None` when its answers cannot be read or its
/// form version is not known.
///
/// # Errors
/// As any query.
pub fn mapped_now(
    conn: &mut AnyConn,
    detail: &SubmissionDetail,
) -> Result<Option<(MappedSubmission, SubmissionStamp)>, StoreError> {
    let stored = &detail.submission;
    let (Some(version), Some(raw)) = (&detail.version, &detail.raw) else {
        return Ok(None);
    };
    let place = Place {
        lead_type: stored.lead_type,
        is_test: stored.is_test,
        until: stored.submitted_at,
    };
    let Some((answers, consent_responses)) = Response::reread(raw.clone(), place)
        .ok()
        .and_then(|response| response.content().answers.ok())
    else {
        return Ok(None);
    };
    let submission = Submission {
        id: stored.id.clone(),
        response_id: stored.response_id.clone(),
        submitted_at: stored.submitted_at,
        lead_type: stored.lead_type,
        is_test: stored.is_test,
        submitter: stored.submitter_urn.clone(),
        form_id: Some(version.form_id.clone()),
        form_version: Some(version.id.clone()),
        campaign_name: stored.campaign_name.clone(),
        form_name: Some(version.name.clone()),
        account_name: Some(stored.account.1.clone()),
        country: Some(version.locale.country.clone()).filter(|country| !country.is_empty()),
        answers,
        consent_responses,
    };
    let country = store::integration_settings::get(conn)?
        .matching
        .default_country;
    let mappings = MappingSet::new(store::field_mappings::list(conn)?)
        .with_custom_fields(store::custom_fields::list(conn)?)
        .compile(version);
    let stamp = submission.stamp();
    Ok(Some((mappings.map(&submission, country.as_deref()), stamp)))
}

/// What a lead would be after these values were written to it: by the rules of a submission that arrives.
#[must_use]
pub fn written(lead: &Lead, mapped: &MappedSubmission, stamp: &SubmissionStamp) -> Lead {
    let mut after = lead.clone();
    crate::domain::lead::apply(&mut after, &mapped.values, stamp);
    after
}
