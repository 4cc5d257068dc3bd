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
use record::Plan;
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

    /// Whether a person asked for the record to be made again that people deleted there: who only asks for another attempt
    /// after an outage does not.
    fn is_asked_for(&self) -> bool {
        self.taken.attempt != self.taken.attempt_since_retry
            && self.taken.reason == Some(DeliveryFailure::RecordDeleted)
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
    /// Records that are some lead's, so that no two leads become the same one.
    claimed: HashSet<Uuid>,
    /// Whether questions may hold wildcards.
    has_wildcards: bool,
    /// What the application may do with leads; `None` while nobody asked.
    privileges: Option<Privileges>,
    /// Writes that went through.
    arrived: usize,
    /// Leads whose refusal may be their own doing or the organization's, since the last write that went through.
    doubtful: Vec<(Job, DataverseError)>,
    sent: Sent,
}

/// What the application may do with leads as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Privileges {
    /// All that is needed.
    Held,
    Lacking,
    /// The organization doesn't say.
    Unknown,
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
    fn note(&mut self, job: &Job, status: Option<RecordStatus>, plan: &Plan) {
        let (known, owner) = (job.known.as_ref(), plan.owner);
        // An owner who was refused is not sent again until somebody chooses another one.
        let compared = known
            .and_then(|state| state.sent_owner_id.clone())
            .filter(|_| owner.is_none() && !plan.is_owner_refused);
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

    /// What writing one lead brought: its own failure, or the organization's.
    async fn refused(&mut self, job: Job, error: DataverseError) {
        let failure = failure::of(&error);
        if !failure.is_of_organization {
            return self.failed(job, failure);
        }
        match &error {
            DataverseError::MissingPrivilege { .. } => match self.privileges().await {
                Ok(Privileges::Held) => self.failed(job, failure::of_record(&error)),
                Ok(Privileges::Lacking) => {
                    self.trouble(&error);
                    self.untried([job]);
                }
                Ok(Privileges::Unknown) => self.doubt(job, error),
                Err(error) => {
                    self.trouble(&error);
                    self.untried([job]);
                }
            },
            // A plug-in of the organization may stumble over this record.
            DataverseError::Timeout => self.doubt(job, error),
            DataverseError::Server { refusal, .. } if refusal.status == 500 => {
                self.doubt(job, error);
            }
            _ => {
                self.trouble(&error);
                match failure.reason {
                    DeliveryFailure::ServiceError => self.failed(job, failure),
                    _ => self.untried([job]),
                }
            }
        }
    }

    /// Waits for what becomes of the next leads. So many refusals one after the other are the organization's.
    fn doubt(&mut self, job: Job, error: DataverseError) {
        self.doubtful.push((job, error));
        if self.doubtful.len() >= 2 * self.pace.at_once {
            self.blame_the_organization();
        }
    }

    /// A write went through: what was refused before it was the doing of those records.
    fn went_through(&mut self) {
        self.arrived += 1;
        self.blame_the_records();
    }

    fn blame_the_records(&mut self) {
        for (job, error) in std::mem::take(&mut self.doubtful) {
            self.failed(job, failure::of_record(&error));
        }
    }

    fn blame_the_organization(&mut self) {
        for (job, error) in std::mem::take(&mut self.doubtful) {
            self.trouble(&error);
            match &error {
                DataverseError::MissingPrivilege { .. } => self.untried([job]),
                // It may be this record's doing after all, so it counts as an attempt and waits longer every time.
                error => self.failed(job, failure::of(error)),
            }
        }
    }

    /// At the end of a batch.
    fn settle_doubts(&mut self) {
        if self.arrived > 0 {
            self.blame_the_records();
        } else {
            self.blame_the_organization();
        }
    }

    /// The organization is in trouble.
    fn trouble(&mut self, error: &DataverseError) {
        if matches!(error, DataverseError::Throttled { .. }) {
            self.pace.slow_down();
        }
        self.sent.in_trouble(trouble_of(error));
    }

    /// What the application may do with leads as a whole; asked once. Where it may do all, a refusal of one record is about that
    /// record, for example because it belongs to another business unit.
    async fn privileges(&mut self) -> Result<Privileges, DataverseError> {
        if let Some(known) = self.privileges {
            return Ok(known);
        }
        let held = match self.client.who_am_i().await {
            Ok(me) => self.client.privileges(&me.user_id).await,
            Err(error) => Err(error),
        };
        let privileges = match held {
            Ok(Some(held)) if missing_privileges(&held, &[]).is_empty() => Privileges::Held,
            Ok(Some(_)) => Privileges::Lacking,
            Ok(None)
            | Err(DataverseError::MissingPrivilege { .. } | DataverseError::NotFound(_)) => {
                Privileges::Unknown
            }
            Err(error) => return Err(error),
        };
        self.privileges = Some(privileges);
        Ok(privileges)
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
        has_wildcards: true,
        privileges: None,
        arrived: 0,
        doubtful: Vec::new(),
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
        self.write_them(jobs).await?;
        self.settle_doubts();
        Ok(())
    }

    async fn write_them(&mut self, jobs: Vec<Job>) -> Result<(), StoreError> {
        let (mut unknown, mut updates, mut creations) = (Vec::new(), Vec::new(), Vec::new());
        for mut job in jobs {
            match (job.link.state, job.link.record_id) {
                (LinkState::Linked, Some(_)) => updates.push(job),
                (LinkState::Create, _) if job.is_decided => creations.push(job),
                (LinkState::Deleted, _) if !job.is_asked_for() => {
                    self.failed(job, Failure::deleted());
                }
                (state, _) => {
                    if state == LinkState::Deleted {
                        // A person wants it there again: that holds until it is.
                        job.link.state = LinkState::Create;
                        job.is_decided = true;
                    }
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
        self.claim_taken(&creations).await?;
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

impl Batch<'_> {
    /// Finds out which of the records that these leads would be made as are another lead's: a lead that was merged away and
    /// came back finds its record with the one that it had been merged into.
    async fn claim_taken(&mut self, jobs: &[Job]) -> Result<(), StoreError> {
        let own: Vec<Uuid> = jobs.iter().map(|job| own_record(&job.lead)).collect();
        let organization = self.organization.clone();
        let owners = self
            .ctx
            .store
            .read(move |conn| organization_leads::record_owners(conn, &organization, &own))
            .await?;
        for (record, lead) in owners {
            if lead.as_str() != record.to_string() {
                self.claimed.insert(record);
            }
        }
        Ok(())
    }
}

/// The record that a lead is made as.
fn own_record(lead: &Lead) -> Uuid {
    Uuid::try_parse(lead.id.as_str()).unwrap_or_default()
}

/// The id of the record that a lead becomes instead of this one, which is closed or another lead's: the same at every attempt.
fn successor(lead: &Lead, instead_of: Uuid) -> Uuid {
    let digest = record::sha256(&[lead.id.as_str(), &instead_of.to_string()]);
    let bytes: [u8; 16] = std::array::from_fn(|index| digest.get(index).copied().unwrap_or(0));
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}
