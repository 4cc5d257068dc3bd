//! Leads on their way to a Dynamics 365 organization.
//!
//! Of a batch, [`matching`] finds out which leads the organization has already, [`updating`] writes what changed onto those, and
//! [`creating`] makes the others. A record that is made here has the lead's own id, so that a repetition finds it. Trouble of the
//! organization ends the batch: what was not tried waits again, without counting an attempt.

mod creating;
mod failure;
mod matching;
mod owners;
mod record;
mod rules;
mod updating;

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use failure::Failure;
use rules::Rules;

use super::super::SyncContext;
use super::super::organizations::{Pace, ReachError};
use super::{Attempt, Parcel, Sent, Trouble};
use crate::dataverse::{DataverseClient, DataverseError};
use crate::domain::delivery::DeliveryFailure;
use crate::domain::dynamics_status::RecordStatus;
use crate::domain::ids::{OrganizationId, UserId};
use crate::domain::lead::Lead;
use crate::domain::organization::missing_privileges;
use crate::store::StoreError;
use crate::store::deliveries::work::Taken;
use crate::store::organization_lead_states::{self, LeadState};
use crate::store::organization_leads::{self, LinkState, OrganizationLead};

/// Leads that one worker takes at once.
pub(super) const BATCH: i64 = 500;

/// A lead on its way.
struct Job {
    taken: Taken,
    lead: Lead,
    link: OrganizationLead,
    /// How its record was when it was last read or written.
    known: Option<LeadState>,
    /// Whether a person decided that it becomes a record of its own.
    is_decided: bool,
    started_at: DateTime<Utc>,
    clock: Instant,
}

impl Job {
    fn attempt(&self, status: Option<u16>) -> Attempt {
        Attempt {
            id: self.taken.id.clone(),
            attempt: self.taken.attempt,
            attempt_since_retry: self.taken.attempt_since_retry,
            started_at: self.started_at,
            duration_ms: i64::try_from(self.clock.elapsed().as_millis()).unwrap_or(i64::MAX),
            status,
            failure: None,
            is_final: false,
            code: None,
            message: None,
        }
    }

    /// Whether a person asked for another attempt.
    fn is_asked_for(&self) -> bool {
        self.taken.attempt != self.taken.attempt_since_retry
    }
}

/// A batch and what became of it so far.
struct Batch<'a> {
    ctx: &'a SyncContext,
    organization: &'a OrganizationId,
    client: DataverseClient,
    rules: Rules,
    pace: Pace,
    /// Who there our owners are.
    owners: HashMap<UserId, Uuid>,
    /// Records that leads of this batch are, so that no two leads become the same one.
    claimed: HashSet<Uuid>,
    /// Whether the application lacks a privilege on leads as a whole; `None` while nobody asked.
    lacks_privilege: Option<bool>,
    sent: Sent,
}

impl Batch<'_> {
    /// Whether the rest has to wait.
    fn is_over(&self) -> bool {
        self.sent.trouble.is_some() || self.ctx.stopping.load(std::sync::atomic::Ordering::SeqCst)
    }

    fn delivered(&mut self, mut job: Job, status: Option<u16>, note: Option<&str>) {
        let mut attempt = job.attempt(status);
        attempt.message = note.map(str::to_owned);
        job.link.delivered_at = Some(job.started_at);
        self.sent.ended.attempts.push(attempt);
        self.sent.ended.links.push(job.link);
    }

    /// Notes how a record is after it was written.
    fn note(&mut self, job: &Job, status: Option<RecordStatus>, owner: Option<Uuid>) {
        let known = job.known.as_ref();
        let compared = known
            .and_then(|state| state.sent_owner_id.clone())
            .filter(|_| owner.is_none());
        self.sent.ended.states.push(LeadState {
            lead_id: job.lead.id.clone(),
            status: status
                .or(known.map(|state| state.status))
                .unwrap_or(RecordStatus::NEW),
            owner_id: owner.or(known.and_then(|state| state.owner_id)),
            owner_name: known
                .and_then(|state| state.owner_name.clone())
                .filter(|_| owner.is_none()),
            sent_owner_id: compared.or_else(|| Some(job.lead.owner_id.clone())),
            modified_at: known.and_then(|state| state.modified_at),
            is_unsure: known.is_some_and(|state| state.is_unsure),
            seen_at: job.started_at,
        });
    }

    /// A failure of this lead alone.
    fn failed(&mut self, job: Job, failure: Failure) {
        let attempt = job.attempt(failure.status);
        self.sent.ended.attempts.push(Attempt {
            failure: Some(failure.reason),
            is_final: failure.is_final,
            code: failure.code,
            message: failure.message,
            ..attempt
        });
        // A record that could not be made is looked for anew next time: somebody may have made it meanwhile.
        if job.link.state != LinkState::Create || job.is_decided {
            self.sent.ended.links.push(job.link);
        }
    }

    fn untried(&mut self, jobs: impl IntoIterator<Item = Job>) {
        let untried = &mut self.sent.ended.untried;
        untried.extend(jobs.into_iter().map(|job| job.taken.id));
    }

    /// What writing one lead brought: its own failure, or the organization's. An error of the service may be this record's
    /// doing, so it counts as an attempt, too.
    fn refused(&mut self, job: Job, error: &DataverseError) {
        let failure = failure::of(error);
        if matches!(error, DataverseError::MissingPrivilege { .. })
            && self.lacks_privilege == Some(false)
        {
            let message = error.refusal().and_then(|refusal| refusal.message.clone());
            self.failed(job, Failure { message, ..failure });
        } else if failure.is_of_organization {
            self.trouble(error);
            match failure.reason {
                DeliveryFailure::ServiceError | DeliveryFailure::TimedOut => {
                    self.failed(job, failure);
                }
                _ => self.untried([job]),
            }
        } else {
            self.failed(job, failure);
        }
    }

    /// The organization is in trouble.
    fn trouble(&mut self, error: &DataverseError) {
        if let DataverseError::MissingPrivilege { privilege, .. } = error
            && !self.owners.is_empty()
            && privilege
                .as_deref()
                .is_none_or(|name| name.contains("Assign"))
        {
            // It may be the owner whom it may not give leads to; without one they arrive.
            self.pace.can_assign = Some(false);
        }
        if matches!(error, DataverseError::Throttled { .. }) {
            self.pace.slow_down();
        }
        self.sent.in_trouble(trouble_of(error));
    }

    /// Whether the application lacks a privilege on leads as a whole. Otherwise a refusal of one record is about that record,
    /// for example because it belongs to another business unit.
    async fn lacks_privilege(&mut self) -> bool {
        if let Some(known) = self.lacks_privilege {
            return known;
        }
        let held = match self.client.who_am_i().await {
            Ok(me) => self.client.privileges(&me.user_id).await,
            Err(error) => Err(error),
        };
        // Whoever does not say what the application may do leaves no other reading.
        let lacks = held.map_or(true, |held| {
            held.is_empty() || !missing_privileges(&held).is_empty()
        });
        self.lacks_privilege = Some(lacks);
        lacks
    }

    /// After a refusal: whether the organization's columns are others than we thought. They are read at most once a minute.
    async fn columns_changed(&mut self) -> Result<bool, StoreError> {
        self.rules
            .reload(self.ctx, self.organization, &self.client)
            .await
    }
}

fn trouble_of(error: &DataverseError) -> Trouble {
    let failure = failure::of(error);
    Trouble {
        reason: failure.reason,
        detail: failure.message,
        retry_after: error.retry_after(),
    }
}

/// Delivers a batch.
pub(super) async fn deliver(
    ctx: &SyncContext,
    id: &OrganizationId,
    parcels: Vec<Parcel>,
) -> Result<Sent, StoreError> {
    let client = match ctx.organizations.client(id).await {
        Ok(client) => client,
        Err(ReachError::Store(error)) => return Err(error),
        Err(ReachError::Service(error)) => {
            return Ok(Sent::untried(&parcels, trouble_of(&error)));
        }
        Err(ReachError::Credential) => {
            let trouble = Trouble {
                reason: DeliveryFailure::SecretUnreadable,
                detail: None,
                retry_after: None,
            };
            return Ok(Sent::untried(&parcels, trouble));
        }
    };
    let rules = match Rules::load(ctx, id, &client).await? {
        Ok(rules) => rules,
        Err(error) => return Ok(Sent::untried(&parcels, trouble_of(&error))),
    };
    let mut batch = Batch {
        ctx,
        organization: id,
        client,
        rules,
        pace: ctx.organizations.pace(id),
        owners: HashMap::new(),
        claimed: HashSet::new(),
        lacks_privilege: None,
        sent: Sent::default(),
    };
    let jobs = jobs(ctx, id, parcels).await?;
    batch.run(jobs).await?;
    if batch.sent.trouble.is_none() {
        batch.pace.speed_up();
    }
    ctx.organizations.keep_pace(id, batch.pace);
    Ok(batch.sent)
}

/// The leads of the parcels with what they are in the organization; one whose lead is gone is gone itself.
async fn jobs(
    ctx: &SyncContext,
    id: &OrganizationId,
    parcels: Vec<Parcel>,
) -> Result<Vec<Job>, StoreError> {
    let ids: Vec<_> = parcels
        .iter()
        .filter_map(|parcel| parcel.taken.lead_id.clone())
        .collect();
    let organization = id.clone();
    let (mut links, mut states) = ctx
        .store
        .read(move |conn| {
            let links = organization_leads::load(conn, &organization, &ids)?;
            let states = organization_lead_states::load(conn, &organization, &ids)?;
            Ok::<_, StoreError>((links, states))
        })
        .await?;
    let (started_at, clock) = (ctx.clock.now(), Instant::now());
    Ok(parcels
        .into_iter()
        .filter_map(|parcel| {
            let lead = parcel.lead?;
            let known = links.remove(&lead.id);
            let is_decided = known
                .as_ref()
                .is_some_and(|link| link.state == LinkState::Create);
            let link = known.unwrap_or_else(|| OrganizationLead::unknown(lead.id.clone()));
            Some(Job {
                known: states.remove(&lead.id),
                taken: parcel.taken,
                lead,
                link,
                is_decided,
                started_at,
                clock,
            })
        })
        .collect())
}

impl Batch<'_> {
    async fn run(&mut self, jobs: Vec<Job>) -> Result<(), StoreError> {
        self.find_owners(&jobs).await?;
        if self.is_over() {
            self.untried(jobs);
            return Ok(());
        }
        let (mut unknown, mut updates, mut creations) = (Vec::new(), Vec::new(), Vec::new());
        for mut job in jobs {
            match (job.link.state, job.link.record_id) {
                (LinkState::Linked, Some(_)) => updates.push(job),
                (LinkState::Create, _) if job.is_decided => creations.push(job),
                (LinkState::Deleted, _) if !job.is_asked_for() => {
                    self.failed(job, Failure::deleted());
                }
                _ => {
                    job.link.record_id = None;
                    job.known = None;
                    job.link.sent.clear();
                    unknown.push(job);
                }
            }
        }
        self.claimed
            .extend(updates.iter().filter_map(|job| job.link.record_id));
        let found = self.match_all(unknown).await?;
        updates.extend(found.updates);
        creations.extend(found.creations);
        creations.extend(self.update_all(updates).await?);
        let there = self.create_all(creations).await?;
        // Among them new ones whose status is not that of a new record.
        let follow = self.update_all(there).await?;
        for job in self.create_all(follow).await? {
            self.failed(job, Failure::conflict());
        }
        Ok(())
    }
}

/// The id of the record that follows a closed one: the same at every attempt.
fn successor(lead: &Lead, closed: Uuid) -> Uuid {
    let digest = record::sha256(&[lead.id.as_str(), &closed.to_string()]);
    let bytes: [u8; 16] = std::array::from_fn(|index| digest.get(index).copied().unwrap_or(0));
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}
