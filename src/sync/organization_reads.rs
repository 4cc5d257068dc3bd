//! Reads back what people in Dynamics 365 did with leads: changes of status and owner come to our lead, deletions are noted.
//!
//! By change tracking where the organization has it, else by the time of the last change. The cursor moves in the transaction
//! that applied what was read before it, so that a failure passes nothing. What was told about no record of ours is left out.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::SyncContext;
use super::organizations::{ReachError, detail, trouble};
use super::worker::Worker;
use crate::dataverse::{
    ChangePage, DataverseClient, DataverseError, LeadChange, LeadOwner, LeadState,
};
use crate::domain::delivery::rest;
use crate::domain::dynamics_status::RecordStatus;
use crate::domain::ids::UserId;
use crate::domain::organization::OrganizationTrouble;
use crate::domain::users::check_email;
use crate::store::StoreError;
use crate::store::organization_lead_states;
use crate::store::organization_reads::{self as reads, Cursor, ReadEnd, ReadLease};
use crate::store::record_changes::{self, Applied, OwnerThere, RecordChange, RecordNow};

/// How long the loop sleeps when nothing is due.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Organizations that one process reads at once.
const CONCURRENCY: usize = 4;
/// Records a page: the service's own most.
const PAGE: u32 = 5_000;
/// Records that are asked for by their ids in one request, and in one turn.
const BY_ID: usize = 50;
const BY_ID_IN_A_TURN: i64 = 500;
/// Without change tracking: how much of the last window is read again, for changes that were stored late.
const OVERLAP: TimeDelta = TimeDelta::minutes(5);
/// Trouble is not asked after more often.
const TROUBLE_REST: TimeDelta = TimeDelta::seconds(30);

/// Why a reading ended early.
enum Halt {
    Store(StoreError),
    Service(DataverseError),
}

impl From<StoreError> for Halt {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<DataverseError> for Halt {
    fn from(error: DataverseError) -> Self {
        Self::Service(error)
    }
}

/// Reads every organization that is due; answers how many leads changed or are no longer there.
///
/// # Errors
/// As the database.
pub async fn run_due(ctx: &SyncContext) -> Result<usize, StoreError> {
    let mut changed = 0;
    while let Some(lease) = claim(ctx).await? {
        changed += read(ctx, lease).await?;
    }
    Ok(changed)
}

async fn claim(ctx: &SyncContext) -> Result<Option<ReadLease>, StoreError> {
    if ctx.stopping.load(Ordering::SeqCst) || !ctx.store.read(reads::is_any_due).await? {
        return Ok(None);
    }
    let (owner, length) = (ctx.owner.clone(), ctx.options.lease);
    ctx.store
        .write(move |conn| reads::claim(conn, &owner, length))
        .await
}

/// Reads one organization and says when it is due again.
async fn read(ctx: &SyncContext, lease: ReadLease) -> Result<usize, StoreError> {
    let (end, changed) = match ctx.organizations.client(&lease.organization).await {
        Ok(client) => {
            let mut reading = Reading {
                ctx,
                client,
                lease: &lease,
                applied: Applied::default(),
            };
            let outcome = reading.run().await;
            let changed = reading.applied.changed + reading.applied.deleted;
            (outcome, changed)
        }
        Err(ReachError::Store(error)) => return Err(error),
        Err(ReachError::Service(error)) => (Err(Halt::Service(error)), 0),
        Err(ReachError::Credential) => {
            let end = in_trouble(
                &lease,
                OrganizationTrouble::CredentialUnreadable,
                None,
                None,
            );
            (Ok(end), 0)
        }
    };
    let end = match end {
        Ok(end) => end,
        Err(Halt::Service(error)) => {
            let why = trouble(&error);
            tracing::warn!(
                organization.id = %lease.organization, organization.trouble = why.as_str(),
                "changes in an organization could not be read"
            );
            in_trouble(&lease, why, detail(&error), error.retry_after())
        }
        Err(Halt::Store(StoreError::LeaseLost)) => return Ok(changed),
        Err(Halt::Store(error)) => return Err(error),
    };
    ctx.store
        .write(move |conn| reads::release(conn, &lease, &end))
        .await?;
    Ok(changed)
}

fn in_trouble(
    lease: &ReadLease,
    reason: OrganizationTrouble,
    detail: Option<String>,
    retry_after: Option<Duration>,
) -> ReadEnd {
    let rest = rest(lease.trouble_count + 1, super::jitter(), retry_after);
    ReadEnd::Trouble {
        reason,
        detail,
        next_in: rest.max(TROUBLE_REST),
    }
}

/// One turn at one organization.
struct Reading<'a> {
    ctx: &'a SyncContext,
    client: DataverseClient,
    lease: &'a ReadLease,
    applied: Applied,
}

impl Reading<'_> {
    async fn run(&mut self) -> Result<ReadEnd, Halt> {
        let until = Instant::now() + self.ctx.options.budget;
        let mut cursor = self.lease.cursor.clone();
        if let Cursor::Link(link) = &cursor
            && !self.client.is_own_link(link)
        {
            // The organization is at another address now.
            cursor = self.doubted().await?;
        }
        let mut has_begun_again = false;
        let mut further = None;
        loop {
            let began = self.ctx.store.read(record_changes::reading_begins).await?;
            let page = match self.page(&cursor, further.as_deref()).await {
                Err(DataverseError::LinkExpired(_)) if !has_begun_again => {
                    has_begun_again = true;
                    cursor = self.doubted().await?;
                    further = None;
                    continue;
                }
                page => page?,
            };
            let Some(page) = page else {
                // By the organization's own clock: ours may be ahead.
                let last = self.client.last_modified().await?;
                cursor = Cursor::Since(last.unwrap_or(DateTime::UNIX_EPOCH));
                continue;
            };
            further.clone_from(&page.next_link);
            cursor = next(&cursor, &page);
            self.apply(page, began, Some(cursor.clone())).await?;
            if further.is_none() {
                break;
            }
            // A window is read to its end: its pages cannot be found again later.
            let is_over = Instant::now() > until && !matches!(cursor, Cursor::Since(_));
            if is_over || self.ctx.stopping.load(Ordering::SeqCst) {
                return Ok(ReadEnd::More);
            }
        }
        self.look_at_unseen().await?;
        Ok(ReadEnd::Read {
            next_in: self.interval(),
        })
    }

    fn interval(&self) -> TimeDelta {
        let spread = 0.9 + 0.2 * super::jitter();
        let interval = self.ctx.options.organization_interval.mul_f64(spread);
        TimeDelta::from_std(interval).unwrap_or(TimeDelta::MAX)
    }

    /// What happened since is not told any more: everything is read again.
    async fn doubted(&self) -> Result<Cursor, StoreError> {
        let lease = self.lease.clone();
        self.ctx
            .store
            .write(move |conn| record_changes::doubt_all(conn, &lease))
            .await?;
        Ok(Cursor::Begin)
    }

    /// The next page; `None` where changes turn out not to be tracked.
    async fn page(
        &self,
        cursor: &Cursor,
        further: Option<&str>,
    ) -> Result<Option<ChangePage>, DataverseError> {
        if let Some(link) = further {
            return self.client.follow_changes(link, PAGE).await.map(Some);
        }
        match cursor {
            Cursor::Begin if !self.client.tracks_leads().await? => Ok(None),
            Cursor::Begin => match self.client.tracked_leads(PAGE).await {
                // The definition says that changes are tracked, and the service does not do it all the same.
                Err(DataverseError::Invalid(_)) => Ok(None),
                page => page.map(Some),
            },
            Cursor::Link(link) => self.client.follow_changes(link, PAGE).await.map(Some),
            Cursor::Since(since) => self
                .client
                .leads_modified_since(*since - OVERLAP, PAGE)
                .await
                .map(Some),
        }
    }

    /// Applies a page; the cursor moves with it.
    async fn apply(
        &mut self,
        page: ChangePage,
        began: DateTime<Utc>,
        cursor: Option<Cursor>,
    ) -> Result<(), Halt> {
        let changes = self.known_changes(page.changes).await?;
        let (lease, now) = (self.lease.clone(), self.ctx.clock.now());
        let applied = self
            .ctx
            .store
            .write(move |conn| {
                let new_id = || Uuid::now_v7().to_string();
                record_changes::apply(conn, &lease, &changes, began, cursor.as_ref(), new_id, now)
            })
            .await?;
        self.applied.changed += applied.changed;
        self.applied.deleted += applied.deleted;
        Ok(())
    }

    /// Those changes that are about records of ours, with the people here whose they are.
    async fn known_changes(&self, all: Vec<LeadChange>) -> Result<Vec<RecordChange>, Halt> {
        let records: Vec<Uuid> = all.iter().map(record_of).collect();
        let organization = self.lease.organization.clone();
        let known = self
            .ctx
            .store
            .read(move |conn| record_changes::known_owners(conn, &organization, &records))
            .await?;
        let mine: Vec<LeadChange> = all
            .into_iter()
            .filter(|change| known.contains_key(&record_of(change)))
            .collect();
        let new_owners: HashSet<Uuid> = mine
            .iter()
            .filter_map(|change| match change {
                LeadChange::Saved(state) => Some((state.id, state.owner.as_ref()?)),
                LeadChange::Deleted(_) => None,
            })
            .filter(|(record, owner)| {
                !owner.is_team && known.get(record).copied().flatten() != Some(owner.id)
            })
            .map(|(_, owner)| owner.id)
            .collect();
        let people = self.people(new_owners).await?;
        Ok(mine
            .into_iter()
            .map(|change| record_change(change, &people))
            .collect())
    }

    /// The people here who are these users there, by their e-mail address.
    async fn people(&self, users: HashSet<Uuid>) -> Result<HashMap<Uuid, UserId>, Halt> {
        if users.is_empty() {
            return Ok(HashMap::new());
        }
        let ids: Vec<Uuid> = users.into_iter().collect();
        let keys: Vec<(Uuid, String)> = self
            .client
            .users(&ids)
            .await?
            .into_iter()
            .flat_map(|user| {
                let addresses = [user.email, user.sign_in_name];
                addresses
                    .into_iter()
                    .flatten()
                    .map(move |text| (user.id, text))
            })
            .filter_map(|(id, address)| Some((id, check_email(&address).ok()?)))
            .collect();
        let wanted: Vec<String> = keys.iter().map(|(_, key)| key.clone()).collect();
        let found = self
            .ctx
            .store
            .read(move |conn| record_changes::people(conn, &wanted))
            .await?;
        let mut people = HashMap::new();
        // The user's own address counts before the one that the user signs in with.
        for (id, key) in keys {
            if let Some(user) = found.get(&key) {
                people.entry(id).or_insert_with(|| user.clone());
            }
        }
        Ok(people)
    }

    /// Looks at records that were linked after the table was read, or written while it was.
    async fn look_at_unseen(&mut self) -> Result<(), Halt> {
        let organization = self.lease.organization.clone();
        let unseen = self
            .ctx
            .store
            .read(move |conn| {
                organization_lead_states::unseen(conn, &organization, BY_ID_IN_A_TURN)
            })
            .await?;
        for some in unseen.chunks(BY_ID) {
            let began = self.ctx.store.read(record_changes::reading_begins).await?;
            let states = self.client.lead_states(some).await?;
            let there: HashSet<Uuid> = states.iter().map(|state| state.id).collect();
            let mut changes: Vec<LeadChange> = states.into_iter().map(LeadChange::Saved).collect();
            for id in some.iter().filter(|id| !there.contains(id)) {
                // Not to be seen is not yet to be gone.
                match self.client.lead(*id, &[]).await {
                    Err(DataverseError::RecordNotFound(_)) => {
                        changes.push(LeadChange::Deleted(*id));
                    }
                    Ok(_) => {}
                    // Not for us to read: it is not asked for again and again.
                    Err(DataverseError::MissingPrivilege { .. }) => {
                        changes.push(LeadChange::Saved(LeadState::unknown(*id)));
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            let page = ChangePage {
                changes,
                next_link: None,
                delta_link: None,
            };
            self.apply(page, began, None).await?;
        }
        Ok(())
    }
}

/// Where the reading goes on after a page.
fn next(cursor: &Cursor, page: &ChangePage) -> Cursor {
    if let Cursor::Since(since) = cursor {
        let latest = page.changes.iter().rev().find_map(|change| match change {
            LeadChange::Saved(state) => state.modified_at,
            LeadChange::Deleted(_) => None,
        });
        return Cursor::Since(latest.map_or(*since, |latest| latest.max(*since)));
    }
    match page.next_link.as_ref().or(page.delta_link.as_ref()) {
        Some(link) => Cursor::Link(link.clone()),
        None => Cursor::Begin,
    }
}

fn record_of(change: &LeadChange) -> Uuid {
    match change {
        LeadChange::Saved(state) => state.id,
        LeadChange::Deleted(id) => *id,
    }
}

fn record_change(change: LeadChange, people: &HashMap<Uuid, UserId>) -> RecordChange {
    let state = match change {
        LeadChange::Deleted(id) => return RecordChange::Deleted(id),
        LeadChange::Saved(state) => state,
    };
    RecordChange::Saved(RecordNow {
        record_id: state.id,
        status: RecordStatus {
            // A state that may not be read is unknown, not open.
            statecode: state.state.unwrap_or(-1),
            statuscode: state.status,
        },
        owner: state.owner.map(|LeadOwner { id, name, .. }| OwnerThere {
            user_id: people.get(&id).cloned(),
            id,
            name,
        }),
        modified_at: state.modified_at,
    })
}

/// Works until it is dropped, beside the scheduler.
pub(super) async fn keep_reading(ctx: SyncContext) {
    let worker = Worker {
        failure: "organizations could not be read",
        at_once: CONCURRENCY,
        look_every: LOOK_EVERY,
    };
    let work = |lease| {
        let ctx = ctx.clone();
        async move { read(&ctx, lease).await }
    };
    worker.run(|| claim(&ctx), work).await;
}
