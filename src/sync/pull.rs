//! Reads one account: forms with their versions, campaigns, then the responses of every stream, window by window.
//! Fetching the next page overlaps with saving the last batch; a batch and its cursor are one transaction.

use std::collections::{BTreeSet, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::ops::Range;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::mpsc;

use super::authorized::Authorized;
use super::intake::{self, Place, Response};
use super::{SyncContext, SyncError, process};
use crate::domain::account::{CampaignSyncStatus, FormSyncStatus, LeadType, OwnerType};
use crate::domain::ids::RunId;
use crate::domain::sync::{
    FailureReason, OpenWindow, RunStatus, StreamState, WindowPolicy, advance, is_last_page,
    next_attempt, open_window,
};
use crate::linkedin::{AccessToken, Answer, LinkedInError, Page, ResponsesQuery};
use crate::store::directory::{AccountStates, SeenForm};
use crate::store::leases::{ClaimedAccount, Lease, RunCounts, RunEnd};
use crate::store::streams::StreamKey;
use crate::store::{self, StoreError};

/// Forms per page.
const FORM_PAGE: u32 = 500;
/// More pages than this of forms or campaigns is a server that repeats itself.
const PAGE_LIMIT: usize = 2_000;
/// Page roles that let a member read event leads (linkedin-api.md §3.4).
const EVENT_ROLES: &[&str] = &["ADMINISTRATOR", "CONTENT_ADMINISTRATOR"];
/// LinkedIn's clock is believed where it is ahead of ours by less than this: the history that is asked for is longer than
/// LinkedIn's by more, so a wrong `Date` can never cut it short.
const CLOCK_TOLERANCE: TimeDelta = TimeDelta::days(30);
/// How often a page of one element may repeat the one before it: once is a new lead that pushed it along.
const SINGLE_REPEATS: usize = 3;

/// What a run found out.
#[derive(Debug, Default)]
struct Progress {
    succeeded: usize,
    streams_read: usize,
    failures: Vec<SyncError>,
    states: AccountStates,
    is_unfinished: bool,
}

impl Progress {
    fn took<T>(&mut self, outcome: Result<T, SyncError>) -> Result<Option<T>, SyncError> {
        match outcome {
            Ok(value) => {
                self.succeeded += 1;
                Ok(Some(value))
            }
            // Without the lease or the database there is nothing more to do; anything else leaves the other parts alone.
            Err(error)
                if matches!(
                    error.reason(),
                    FailureReason::LeaseLost | FailureReason::DatabaseUnavailable
                ) =>
            {
                Err(error)
            }
            Err(error) => {
                self.failures.push(error);
                Ok(None)
            }
        }
    }

    /// Whether the profile's token is gone, so that LinkedIn need not be asked anything more.
    fn is_without_token(&self) -> bool {
        self.failures.iter().any(|failure| {
            matches!(
                failure.reason(),
                FailureReason::TokenExpired
                    | FailureReason::TokenRevoked
                    | FailureReason::NotAuthorized
                    | FailureReason::AppNotConfigured
            )
        })
    }
}

/// One account in the hands of one run.
struct Puller {
    ctx: SyncContext,
    lease: Lease,
    account: ClaimedAccount,
    linkedin: Authorized,
    page_roles: Vec<String>,
    until: Instant,
    /// LinkedIn's time, from its first answer.
    linkedin_now: OnceLock<DateTime<Utc>>,
    /// Form versions that this run tried to read: once is enough.
    tried_versions: Mutex<HashSet<(i64, i64)>>,
}

/// Runs a claimed account and says how it ended. Failures are in the answer; the error is for what prevents even that.
///
/// # Errors
/// When the lease was lost or the database cannot be used.
pub async fn run(
    ctx: SyncContext,
    lease: Lease,
    account: ClaimedAccount,
) -> Result<RunEnd, SyncError> {
    let until = Instant::now() + ctx.options.budget;
    let mut last: Option<Progress> = None;
    // One profile is enough; another one stands in when the first may not read the account any more.
    for (profile, page_roles) in &account.profiles {
        let puller = Puller {
            ctx: ctx.clone(),
            lease: lease.clone(),
            account: account.clone(),
            linkedin: Authorized::new(&ctx, profile.clone()).await?,
            page_roles: page_roles.clone(),
            until,
            linkedin_now: OnceLock::new(),
            tried_versions: Mutex::default(),
        };
        let progress = puller.everything().await?;
        let needs_another = progress.streams_read == 0
            && !progress.failures.is_empty()
            && progress.failures.iter().all(|failure| {
                matches!(
                    failure.reason(),
                    FailureReason::TokenExpired
                        | FailureReason::TokenRevoked
                        | FailureReason::NotAuthorized
                        | FailureReason::PermissionMissing
                        | FailureReason::Forbidden
                )
            });
        last = Some(progress);
        if !needs_another {
            break;
        }
    }
    let progress = match last {
        Some(progress) => progress,
        None => Progress {
            failures: vec![SyncError::found(
                FailureReason::NotAuthorized,
                "no authorised profile can read this account",
            )],
            ..Progress::default()
        },
    };
    Ok(end(&ctx, &account, &progress))
}

fn end(ctx: &SyncContext, account: &ClaimedAccount, progress: &Progress) -> RunEnd {
    let status = RunStatus::from_parts(progress.succeeded, progress.failures.len());
    let soonest = progress
        .failures
        .iter()
        .map(|failure| wait(ctx, account, failure))
        .min();
    // "Fewer requests", without a time: the whole account slows down.
    let slowed = progress
        .failures
        .iter()
        .filter(|failure| {
            failure.reason() == FailureReason::RateLimited && failure.retry_after().is_none()
        })
        .map(|failure| wait(ctx, account, failure))
        .max();
    let next_in = match slowed.or(soonest) {
        Some(wait) if slowed.is_some() => wait,
        None if progress.is_unfinished => Duration::ZERO,
        None => ctx.options.interval,
        // Streams that can be read keep their rhythm; an account of which none can is not asked every few minutes.
        Some(wait) if progress.streams_read > 0 => wait.min(ctx.options.interval),
        Some(wait) => wait,
    };
    RunEnd {
        status,
        failure: progress
            .failures
            .first()
            .map(|failure| (failure.reason(), failure.detail())),
        next_in: Some(next_in),
    }
}

fn wait(ctx: &SyncContext, account: &ClaimedAccount, failure: &SyncError) -> Duration {
    let now = ctx.clock.now();
    let attempt = u32::try_from(account.failure_streak)
        .unwrap_or(u32::MAX)
        .saturating_add(1);
    let at = next_attempt(
        attempt,
        failure.reason(),
        now,
        super::jitter(),
        failure.retry_after(),
    );
    (at - now).to_std().unwrap_or_default()
}

impl Puller {
    async fn everything(&self) -> Result<Progress, SyncError> {
        let mut progress = Progress::default();
        let forms = self.forms().await;
        let state = match &forms {
            Ok(0) => Some(FormSyncStatus::NoFormsAvailable),
            Ok(_) => Some(FormSyncStatus::Active),
            Err(error) => is_forbidden(error).then_some(FormSyncStatus::Forbidden),
        };
        progress.states.form = state;
        progress.took(forms)?;
        if self.campaigns_are_due() && !progress.is_without_token() {
            let campaigns = self.campaigns().await;
            progress.states.campaign = match &campaigns {
                Ok(0) => Some(CampaignSyncStatus::NoActiveCampaignsAvailable),
                Ok(_) => Some(CampaignSyncStatus::Active),
                Err(error) => is_forbidden(error).then_some(CampaignSyncStatus::Forbidden),
            };
            progress.took(campaigns)?;
        }
        // No part of what is read at LinkedIn: its success says nothing about the account.
        if let Err(error) = self.waiting().await {
            progress.took::<()>(Err(error))?;
        }
        let mut is_stream_forbidden = false;
        for lead_type in self.account.owner_type.lead_types() {
            if *lead_type == LeadType::Event
                && !self
                    .page_roles
                    .iter()
                    .any(|role| EVENT_ROLES.contains(&role.as_str()))
            {
                continue;
            }
            for is_test in [false, true] {
                if progress.is_without_token() {
                    break;
                }
                if self.ctx.stopping.load(Ordering::SeqCst) {
                    progress.is_unfinished = true;
                    break;
                }
                let key = StreamKey {
                    account_id: self.account.id.clone(),
                    lead_type: *lead_type,
                    is_test,
                };
                let stream = self.stream(&key).await;
                match stream {
                    Ok(finished) => {
                        progress.succeeded += 1;
                        progress.streams_read += 1;
                        progress.is_unfinished |= !finished;
                    }
                    Err(error) => {
                        let reason = error.reason();
                        is_stream_forbidden |= is_forbidden(&error);
                        progress.took::<()>(Err(error))?;
                        self.write(move |conn| store::streams::save_failure(conn, &key, reason))
                            .await?;
                    }
                }
            }
        }
        // One kind of lead that may not be read does not hide the others.
        if is_stream_forbidden && progress.streams_read == 0 {
            progress.states.form = Some(FormSyncStatus::Forbidden);
        }
        let (account, states, now) = (
            self.account.id.clone(),
            progress.states,
            self.ctx.clock.now(),
        );
        self.write(move |conn| {
            store::directory::save_account_states(conn, &account, states, now)?;
            store::directory::save_form_states(conn, &account)
        })
        .await?;
        Ok(progress)
    }

    /// A write of this run: in one transaction with the check that the lease still stands.
    async fn write<T: Send + 'static>(
        &self,
        f: impl FnOnce(&mut store::AnyConn) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, SyncError> {
        let lease = self.lease.clone();
        self.ctx
            .store
            .write(move |conn| {
                store::leases::fence(conn, &lease)?;
                f(conn)
            })
            .await
            .map_err(|error: StoreError| error.into())
    }

    fn is_out_of_time(&self) -> bool {
        Instant::now() >= self.until || self.ctx.stopping.load(Ordering::SeqCst)
    }

    fn owner(&self) -> crate::linkedin::Owner {
        intake::owner(self.account.owner_type, self.account.linkedin_id)
    }

    /// Reads all forms; returns how many.
    async fn forms(&self) -> Result<usize, SyncError> {
        let client = self.ctx.linkedin.clone();
        let owner = self.owner();
        let mut count = 0;
        let mut start: u32 = 0;
        for _ in 0..PAGE_LIMIT {
            let answer = self
                .linkedin
                .call("leadForms", {
                    let client = client.clone();
                    move |token| {
                        let client = client.clone();
                        async move { client.lead_forms(&token, owner, start, FORM_PAGE).await }
                    }
                })
                .await?;
            if let Some(date) = answer.date {
                self.linkedin_now.get_or_init(|| date);
            }
            let page = answer.value;
            let received = page.elements.len();
            let mut seen: Vec<SeenForm> = Vec::with_capacity(received);
            for element in &page.elements {
                match &element.value {
                    Ok(form) => seen.push(intake::seen_form(form, element.raw.get())),
                    Err(why) => {
                        tracing::warn!(account.id = %self.account.id, why, "a form could not be read");
                    }
                }
            }
            count += received;
            self.save_forms(seen).await?;
            if is_last(&page, received, FORM_PAGE, start) {
                return Ok(count);
            }
            start = start.saturating_add(u32::try_from(received).unwrap_or(u32::MAX));
        }
        Err(SyncError::found(
            FailureReason::PageRepeated,
            "the list of forms does not end",
        ))
    }

    async fn save_forms(&self, seen: Vec<SeenForm>) -> Result<(), SyncError> {
        let (account, name, now) = (
            self.account.id.clone(),
            self.account.name.clone(),
            self.ctx.clock.now(),
        );
        self.write(move |conn| {
            let new_versions = store::directory::save_forms(conn, &account, &seen, now)?;
            if new_versions.is_empty() {
                return Ok(());
            }
            let mut taken_up = 0;
            for version in &new_versions {
                taken_up += store::intake::take_up_again(conn, *version)?;
            }
            store::audit::record(
                conn,
                now,
                &store::audit::Actor::s2s_inbound(),
                "lead_forms.synchronized",
                ("linkedin_account", account.as_str(), &name),
                None,
                Some(serde_json::json!({
                    "new_versions": new_versions.len(), "submissions_taken_up": taken_up,
                })),
            )
        })
        .await
    }

    fn campaigns_are_due(&self) -> bool {
        if self.account.owner_type != OwnerType::SponsoredAccount {
            return false;
        }
        let age = self
            .account
            .last_campaign_sync_at
            .map(|at| (self.ctx.clock.now() - at).to_std().unwrap_or_default());
        age.is_none_or(|age| age >= self.ctx.options.campaign_interval)
            || self.lease.trigger != crate::domain::sync::RunTrigger::Scheduled
    }

    /// Reads campaign groups, campaigns and creatives; returns how many campaigns.
    async fn campaigns(&self) -> Result<usize, SyncError> {
        let client = self.ctx.linkedin.clone();
        let id = self.account.linkedin_id;
        let mut groups = Vec::new();
        self.cursor(
            "adCampaignGroups",
            {
                let client = client.clone();
                move |token, page_token: Option<String>| {
                    let client = client.clone();
                    async move {
                        client
                            .campaign_groups(&token, id, page_token.as_deref())
                            .await
                    }
                }
            },
            |page| {
                groups.extend(page.values().map(|group| (group.id, group.name.clone())));
            },
        )
        .await?;
        let mut campaigns = Vec::new();
        self.cursor(
            "adCampaigns",
            {
                let client = client.clone();
                move |token, page_token: Option<String>| {
                    let client = client.clone();
                    async move { client.campaigns(&token, id, page_token.as_deref()).await }
                }
            },
            |page| {
                campaigns.extend(
                    page.values()
                        .map(|campaign| intake::seen_campaign(campaign, &groups)),
                );
            },
        )
        .await?;
        let mut creatives = Vec::new();
        self.cursor(
            "creatives",
            {
                let client = client.clone();
                move |token, page_token: Option<String>| {
                    let client = client.clone();
                    async move { client.creatives(&token, id, page_token.as_deref()).await }
                }
            },
            |page| creatives.extend(page.values().filter_map(intake::seen_creative)),
        )
        .await?;
        let count = campaigns.len();
        let (account, name, now) = (
            self.account.id.clone(),
            self.account.name.clone(),
            self.ctx.clock.now(),
        );
        self.write(move |conn| {
            store::directory::save_campaigns(conn, &account, &campaigns, now)?;
            store::directory::save_creatives(conn, &account, &creatives, now)?;
            store::audit::record(
                conn,
                now,
                &store::audit::Actor::s2s_inbound(),
                "campaigns.synchronized",
                ("linkedin_account", account.as_str(), &name),
                None,
                Some(serde_json::json!({
                    "campaigns": campaigns.len(), "creatives": creatives.len(),
                })),
            )
        })
        .await?;
        Ok(count)
    }

    async fn cursor<T, F>(
        &self,
        endpoint: &str,
        request: impl Fn(AccessToken, Option<String>) -> F + Clone,
        mut take: impl FnMut(&Page<T>),
    ) -> Result<(), SyncError>
    where
        F: Future<Output = Result<Answer<Page<T>>, LinkedInError>>,
    {
        let mut page_token: Option<String> = None;
        for _ in 0..PAGE_LIMIT {
            let page = self
                .linkedin
                .call(endpoint, {
                    let (request, page_token) = (request.clone(), page_token.clone());
                    move |token| request(token, page_token.clone())
                })
                .await?
                .value;
            take(&page);
            if page.next_page_token.is_none() || page.next_page_token == page_token {
                return Ok(());
            }
            page_token = page.next_page_token;
        }
        Err(SyncError::found(
            FailureReason::PageRepeated,
            format!("the list of {endpoint} does not end"),
        ))
    }

    fn batch(&self) -> process::Batch {
        process::Batch {
            account_id: self.account.id.clone(),
            account_name: self.account.name.clone(),
            attempts: self.ctx.options.submission_attempts,
            now: self.ctx.clock.now(),
            retries: false,
            parks: None,
        }
    }

    /// Decides about submissions that wait: their form version was unknown, or a person asked to try again.
    async fn waiting(&self) -> Result<(), SyncError> {
        let limit = i64::try_from(self.ctx.options.batch_size).unwrap_or(1_000);
        for _ in 0..PAGE_LIMIT {
            let (account, attempts) = (
                self.account.id.clone(),
                self.ctx.options.submission_attempts,
            );
            let waiting = self
                .ctx
                .store
                .read(move |conn| store::intake::waiting(conn, &account, limit, attempts))
                .await?;
            if waiting.is_empty() {
                return Ok(());
            }
            let received = waiting.len();
            let responses: Vec<Response> = waiting
                .into_iter()
                .filter_map(|waiting| {
                    let place = Place {
                        lead_type: waiting.lead_type,
                        is_test: waiting.is_test,
                        until: waiting.submitted_at,
                    };
                    Response::reread(waiting.raw, place)
                        .inspect_err(|why| tracing::error!(why, "a stored response cannot be read"))
                        .ok()
                })
                .collect();
            self.learn_versions(&responses).await?;
            let done = self.decide_waiting(responses).await?;
            // Those that go on waiting are looked at again in the next run, not in a circle.
            if received < self.ctx.options.batch_size || done == RunCounts::default() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Decides about stored responses; one that the database refuses is parked by itself, and the others go on.
    async fn decide_waiting(&self, responses: Vec<Response>) -> Result<RunCounts, SyncError> {
        let again = process::Batch {
            retries: true,
            ..self.batch()
        };
        let responses = Shared::all(responses);
        let whole = self.decide_together(again.clone(), responses.clone()).await;
        let Err(SyncError::Store(refused)) = whole else {
            return whole;
        };
        if !is_refusal(&refused) {
            return Err(refused.into());
        }
        let mut counts = RunCounts::default();
        for one in responses.each() {
            counts += match self.decide_together(again.clone(), one.clone()).await {
                Err(SyncError::Store(refused)) if is_refusal(&refused) => {
                    let parked = process::Batch {
                        parks: Some(refused.to_string()),
                        ..again.clone()
                    };
                    self.decide_together(parked, one).await?
                }
                other => other?,
            };
        }
        Ok(counts)
    }

    async fn decide_together(
        &self,
        batch: process::Batch,
        responses: Shared,
    ) -> Result<RunCounts, SyncError> {
        let (run, account_name) = (self.lease.run_id.clone(), self.account.name.clone());
        self.write(move |conn| {
            let mut done = process::run(conn, &batch, responses.as_slice())?;
            done.submissions_new = 0;
            done.submissions_known = 0;
            store::leases::add_counts(conn, &run, done)?;
            record_synchronized(conn, &batch, &run, &account_name, done)?;
            Ok(done)
        })
        .await
    }

    /// Makes sure that the versions which these responses answered are known: LinkedIn's list has only the current one
    /// of each form, so an older one is read from one of its responses, once.
    async fn learn_versions(&self, responses: &[Response]) -> Result<(), SyncError> {
        let named: BTreeSet<(i64, i64)> = responses
            .iter()
            .filter_map(|response| response.form)
            .collect();
        if named.is_empty() {
            return Ok(());
        }
        let forms: Vec<i64> = named
            .iter()
            .map(|(form, _)| *form)
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect();
        let known = self
            .ctx
            .store
            .read(move |conn| store::directory::known_versions(conn, &forms))
            .await?;
        for version in named.iter().filter(|version| !known.contains(version)) {
            let is_new = self
                .tried_versions
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(*version);
            if !is_new {
                continue;
            }
            let Some(example) = responses
                .iter()
                .find(|response| response.form == Some(*version))
            else {
                continue;
            };
            match self.version_of(&example.response_id, *version).await {
                Ok(Some(seen)) => self.save_forms(vec![seen]).await?,
                Ok(None) => {}
                // The responses are stored all the same and wait for their version.
                Err(error) => {
                    tracing::warn!(
                        account.id = %self.account.id, form.id = version.0, form.version = version.1,
                        error = %error, "a form version could not be read"
                    );
                }
            }
        }
        Ok(())
    }

    async fn version_of(
        &self,
        response_id: &str,
        (form_id, number): (i64, i64),
    ) -> Result<Option<SeenForm>, SyncError> {
        let client = self.ctx.linkedin.clone();
        let answer = self
            .linkedin
            .call("leadFormResponses", {
                let id = response_id.to_owned();
                move |token| {
                    let (client, id) = (client.clone(), id.clone());
                    async move { client.lead_form_response(&token, &id, true).await }
                }
            })
            .await?
            .value;
        let Ok(response) = answer.value else {
            return Ok(None);
        };
        let Some(form) = response.form.filter(|form| form.id == form_id) else {
            return Ok(None);
        };
        // The embedded form is the answered version; one that names another version is not what was asked for.
        if form.version_id.is_some_and(|version| version != number) {
            return Ok(None);
        }
        let mut seen = intake::seen_form(&form, answer.raw.get());
        seen.version = Some((
            number,
            intake::form_version(&form, number),
            answer.raw.get().as_bytes().to_vec(),
        ));
        seen.is_current = false;
        Ok(Some(seen))
    }

    /// Reads one stream to the end of its window, or until the time is up; `true` when the window is finished.
    async fn stream(&self, key: &StreamKey) -> Result<bool, SyncError> {
        let policy = WindowPolicy::default();
        let state = {
            let key = key.clone();
            self.ctx
                .store
                .read(move |conn| store::streams::find(conn, &key))
                .await?
        };
        let now = self.ctx.clock.now();
        // LinkedIn's clock may be ahead of ours: what it has stored already is not left for later.
        let linkedin_now = self
            .linkedin_now
            .get()
            .copied()
            .filter(|date| *date > now && *date - now < CLOCK_TOLERANCE);
        let window = open_window(&state, now, linkedin_now, &policy);
        let (sender, receiver) = mpsc::channel(2);
        // Both sides run in this task: fetching goes on while a batch is saved on its blocking thread.
        let (fetched, saved) = tokio::join!(
            self.fetch(key, window, sender),
            self.save(key, state, window, policy, receiver)
        );
        // A failed save ends the fetching, so its error comes first.
        let finished = saved?;
        if let Err(error) = fetched {
            // Offsets of a server that repeats itself are worth nothing: the window is read again from its first page.
            if error.reason() == FailureReason::PageRepeated {
                let key = key.clone();
                self.write(move |conn| store::streams::restart_window(conn, &key))
                    .await?;
            }
            return Err(error);
        }
        Ok(finished)
    }

    async fn fetch(
        &self,
        key: &StreamKey,
        window: OpenWindow,
        sender: mpsc::Sender<Fetched>,
    ) -> Result<(), SyncError> {
        let client = self.ctx.linkedin.clone();
        let owner = self.owner();
        let mut window = window;
        let mut last_page: Option<u64> = None;
        let mut repeats = 0;
        loop {
            let wanted = ResponsesQuery {
                owner,
                lead_type: intake::wire_lead_type(key.lead_type),
                limited_to_test_leads: key.is_test,
                start_ms: window.start.timestamp_millis(),
                end_ms: Some(window.end.timestamp_millis()),
                start: u32::try_from(window.offset).unwrap_or(u32::MAX),
                count: self.ctx.options.page_size,
            };
            let answer = self
                .linkedin
                .call("leadFormResponses", {
                    let client = client.clone();
                    move |token| {
                        let client = client.clone();
                        async move { client.unread_lead_form_responses(&token, &wanted).await }
                    }
                })
                .await?;
            let page = answer.value;
            let received = page.elements.len();
            let paging = page.paging;
            let place = Place {
                lead_type: key.lead_type,
                is_test: key.is_test,
                until: window.end,
            };
            let responses: Vec<Response> = page
                .elements
                .into_iter()
                .map(|raw| Response::read(raw, place))
                .collect();
            // LinkedIn counts each response once, also when a page holds it twice.
            let ids: Vec<&str> = responses.iter().map(|r| r.response_id.as_str()).collect();
            let distinct = ids.iter().collect::<HashSet<_>>().len();
            let mut hasher = DefaultHasher::new();
            ids.hash(&mut hasher);
            let page = Some(hasher.finish());
            let is_last = is_last_page(
                distinct,
                i64::from(wanted.count),
                paging.count,
                window.offset,
                paging.total,
            );
            // A server that ignores the offset would be asked for ever.
            repeats = if received > 0 && page == last_page {
                repeats + 1
            } else {
                0
            };
            if repeats >= if received > 1 { 1 } else { SINGLE_REPEATS } {
                return Err(SyncError::found(
                    FailureReason::PageRepeated,
                    format!("the page from {} on is the page before it", window.offset),
                ));
            }
            last_page = page;
            self.learn_versions(&responses).await?;
            window.offset += i64::try_from(distinct).unwrap_or(i64::MAX);
            let fetched = Fetched {
                responses,
                end: window.end,
                offset: window.offset,
                is_last,
            };
            if sender.send(fetched).await.is_err() || is_last || self.is_out_of_time() {
                return Ok(());
            }
        }
    }

    async fn save(
        &self,
        key: &StreamKey,
        mut state: StreamState,
        mut window: OpenWindow,
        policy: WindowPolicy,
        mut pages: mpsc::Receiver<Fetched>,
    ) -> Result<bool, SyncError> {
        let mut finished = false;
        while let Some(first) = pages.recv().await {
            let mut counts = RunCounts {
                pages: 1,
                ..RunCounts::default()
            };
            let mut responses = first.responses;
            let mut latest = (first.end, first.offset, first.is_last);
            // Small pages are gathered: a commit costs as much as a hundred rows.
            let gather_until = tokio::time::Instant::now() + Duration::from_secs(1);
            while responses.len() < self.ctx.options.batch_size && !latest.2 {
                match tokio::time::timeout_at(gather_until, pages.recv()).await {
                    Ok(Some(page)) => {
                        counts.pages += 1;
                        responses.extend(page.responses);
                        latest = (page.end, page.offset, page.is_last);
                    }
                    Ok(None) | Err(_) => break,
                }
            }
            counts.responses = i64::try_from(responses.len()).unwrap_or(i64::MAX);
            // Only LinkedIn's own dates move the watermark, never the one that stands in for a missing one.
            let seen: Option<DateTime<Utc>> = responses
                .iter()
                .filter(|response| response.is_dated)
                .map(|response| response.submitted_at)
                .max();
            window.end = latest.0;
            window.offset = latest.1;
            window.touched_at = self.ctx.clock.now();
            finished = latest.2;
            state.watermark = advance(state.watermark, seen, window.end);
            state.window = (!finished).then_some(window);
            if finished && window.is_sweep(&policy) {
                state.last_sweep_at = Some(window.end);
            }
            self.save_batch(key, &state, responses, counts).await?;
        }
        Ok(finished)
    }

    /// Saves a batch with its cursor. When the database refuses what the decisions made of it, each response is tried by
    /// itself, and one that cannot be decided about is parked: stored, visible, with its reason. The others go on.
    async fn save_batch(
        &self,
        key: &StreamKey,
        state: &StreamState,
        responses: Vec<Response>,
        fetched: RunCounts,
    ) -> Result<(), SyncError> {
        let responses = Shared::all(responses);
        let whole = self
            .save_together(key, state, self.batch(), responses.clone(), fetched)
            .await;
        let Err(SyncError::Store(refused)) = whole else {
            return whole;
        };
        if !is_refusal(&refused) {
            return Err(refused.into());
        }
        tracing::error!(account.id = %self.account.id, error = %refused, "a batch was refused, saving one by one");
        let (stream, unmoved) = (key.clone(), {
            let key = key.clone();
            self.ctx
                .store
                .read(move |conn| store::streams::find(conn, &key))
                .await?
        });
        for one in responses.each() {
            let alone = self
                .save_together(
                    &stream,
                    &unmoved,
                    self.batch(),
                    one.clone(),
                    RunCounts::default(),
                )
                .await;
            match alone {
                Err(SyncError::Store(refused)) if is_refusal(&refused) => {
                    let mut batch = self.batch();
                    batch.parks = Some(refused.to_string());
                    self.save_together(&stream, &unmoved, batch, one, RunCounts::default())
                        .await?;
                }
                other => other?,
            }
        }
        self.save_together(key, state, self.batch(), Shared::all(Vec::new()), fetched)
            .await
    }

    async fn save_together(
        &self,
        key: &StreamKey,
        state: &StreamState,
        batch: process::Batch,
        responses: Shared,
        fetched: RunCounts,
    ) -> Result<(), SyncError> {
        let run = self.lease.run_id.clone();
        let (key, state) = (key.clone(), state.clone());
        let account_name = self.account.name.clone();
        self.write(move |conn| {
            let mut counts = fetched;
            counts += process::run(conn, &batch, responses.as_slice())?;
            store::streams::save(conn, &key, &state, None)?;
            store::leases::add_counts(conn, &run, counts)?;
            record_synchronized(conn, &batch, &run, &account_name, counts)
        })
        .await
    }
}

/// The audit entry of a batch that wrote anything, under the identity of the sync.
fn record_synchronized(
    conn: &mut store::AnyConn,
    batch: &process::Batch,
    run: &RunId,
    account_name: &str,
    counts: RunCounts,
) -> Result<(), StoreError> {
    let decided = counts.leads_created
        + counts.leads_updated
        + counts.match_failed
        + counts.processing_failed;
    if counts.submissions_new + decided == 0 {
        return Ok(());
    }
    store::audit::record(
        conn,
        batch.now,
        &store::audit::Actor::s2s_inbound(),
        "form_submissions.synchronized",
        ("linkedin_account", batch.account_id.as_str(), account_name),
        None,
        Some(serde_json::json!({
            "sync_run": run.as_str(),
            "submissions": counts.submissions_new,
            "leads_created": counts.leads_created,
            "leads_updated": counts.leads_updated,
        })),
    )
}

/// Whether the database refused the content, in contrast to being away.
fn is_refusal(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::Database(_)
            | StoreError::Duplicate(_)
            | StoreError::InUse(_)
            | StoreError::Corrupt { .. }
    )
}

/// Responses that are to be saved together: all of a list, or one of it when it is tried again by itself.
#[derive(Clone)]
struct Shared {
    list: Arc<Vec<Response>>,
    part: Range<usize>,
}

impl Shared {
    fn all(responses: Vec<Response>) -> Self {
        Self {
            part: 0..responses.len(),
            list: Arc::new(responses),
        }
    }

    fn each(&self) -> impl Iterator<Item = Self> + '_ {
        self.part.clone().map(|index| Self {
            list: self.list.clone(),
            part: index..index + 1,
        })
    }

    fn as_slice(&self) -> &[Response] {
        self.list.get(self.part.clone()).unwrap_or_default()
    }
}

/// A page on its way to the database, and where the stream stands after it.
struct Fetched {
    responses: Vec<Response>,
    end: DateTime<Utc>,
    offset: i64,
    is_last: bool,
}

fn is_last<T>(page: &Page<T>, received: usize, requested: u32, start: u32) -> bool {
    is_last_page(
        received,
        i64::from(requested),
        page.paging.count,
        i64::from(start),
        page.paging.total,
    )
}

fn is_forbidden(error: &SyncError) -> bool {
    matches!(
        error.reason(),
        FailureReason::Forbidden | FailureReason::PermissionMissing
    )
}
