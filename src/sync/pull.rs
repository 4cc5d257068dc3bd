//! Reads one account: forms with their versions, campaigns, then the responses of every stream, window by window.
//! Fetching the next page overlaps with saving the last batch; a batch and its cursor are one transaction.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use tokio::sync::mpsc;

use super::authorized::Authorized;
use super::intake::{self, Place, Response};
use super::{SyncContext, SyncError, process};
use crate::domain::account::{CampaignSyncStatus, FormSyncStatus, LeadType, OwnerType};
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

/// What a run found out.
#[derive(Debug, Default)]
struct Progress {
    counts: RunCounts,
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
}

/// One account in the hands of one run.
struct Puller {
    ctx: SyncContext,
    lease: Lease,
    account: ClaimedAccount,
    linkedin: Authorized,
    page_roles: Vec<String>,
    until: Instant,
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
    let next_in = match soonest {
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
        if self.campaigns_are_due() {
            let campaigns = self.campaigns().await;
            progress.states.campaign = match &campaigns {
                Ok(0) => Some(CampaignSyncStatus::NoActiveCampaignsAvailable),
                Ok(_) => Some(CampaignSyncStatus::Active),
                Err(error) => is_forbidden(error).then_some(CampaignSyncStatus::Forbidden),
            };
            progress.took(campaigns)?;
        }
        let waiting = self.waiting(&mut progress.counts).await;
        progress.took(waiting)?;
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
                        if is_forbidden(&error) {
                            progress.states.form = Some(FormSyncStatus::Forbidden);
                        }
                        progress.took::<()>(Err(error))?;
                        self.write(move |conn| store::streams::save_failure(conn, &key, reason))
                            .await?;
                    }
                }
            }
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
            let page = self
                .linkedin
                .call("leadForms", {
                    let client = client.clone();
                    move |token| {
                        let client = client.clone();
                        async move { client.lead_forms(&token, owner, start, FORM_PAGE).await }
                    }
                })
                .await?
                .value;
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
            let (account, now) = (self.account.id.clone(), self.ctx.clock.now());
            self.write(move |conn| store::directory::save_forms(conn, &account, &seen, now))
                .await?;
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
        let (account, now) = (self.account.id.clone(), self.ctx.clock.now());
        self.write(move |conn| {
            store::directory::save_campaigns(conn, &account, &campaigns, now)?;
            store::directory::save_creatives(conn, &account, &creatives, now)
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
            parks: None,
        }
    }

    /// Decides about submissions that wait: their form version was unknown, or a person asked to try again.
    async fn waiting(&self, counts: &mut RunCounts) -> Result<(), SyncError> {
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
            let batch = self.batch();
            let run = self.lease.run_id.clone();
            let done = self
                .write(move |conn| {
                    let mut done = process::run(conn, &batch, responses)?;
                    done.submissions_new = 0;
                    done.submissions_known = 0;
                    store::leases::add_counts(conn, &run, done)?;
                    Ok(done)
                })
                .await?;
            *counts += done;
            // Those that go on waiting are looked at again in the next run, not in a circle.
            if received < self.ctx.options.batch_size || done == RunCounts::default() {
                return Ok(());
            }
        }
        Ok(())
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
            let Some(example) = responses
                .iter()
                .find(|response| response.form == Some(*version))
            else {
                continue;
            };
            match self.version_of(&example.response_id, *version).await {
                Ok(Some(seen)) => {
                    let (account, now) = (self.account.id.clone(), self.ctx.clock.now());
                    self.write(move |conn| {
                        store::directory::save_forms(conn, &account, &[seen], now)
                    })
                    .await?;
                }
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
        let window = open_window(&state, self.ctx.clock.now(), None, &policy);
        let (sender, receiver) = mpsc::channel(2);
        // Both sides run in this task: fetching goes on while a batch is saved on its blocking thread.
        let (fetched, saved) = tokio::join!(
            self.fetch(key, window, sender),
            self.save(key, state, window, policy, receiver)
        );
        // A failed save ends the fetching, so its error comes first.
        let finished = saved?;
        fetched?;
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
        let mut first_of_last_page: Option<(String, usize)> = None;
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
                        async move { client.lead_form_responses(&token, &wanted).await }
                    }
                })
                .await?;
            // LinkedIn's clock may be ahead of ours: what it has stored already is not left for later.
            if window.offset == 0
                && let Some(date) = answer.date
                && date > window.end
                && date - window.end < chrono::TimeDelta::hours(1)
            {
                window.end = date;
            }
            let page = answer.value;
            let received = page.elements.len();
            let is_last = is_last(&page, received, self.ctx.options.page_size, wanted.start);
            let place = Place {
                lead_type: key.lead_type,
                is_test: key.is_test,
                until: window.end,
            };
            let responses: Vec<Response> = page
                .elements
                .into_iter()
                .map(|element| Response::read(element, place))
                .collect();
            // A server that ignores the offset would be asked for ever.
            let first = responses
                .first()
                .map(|response| (response.response_id.clone(), received));
            if received > 1 && first == first_of_last_page {
                return Err(SyncError::found(
                    FailureReason::PageRepeated,
                    format!("the page from {} on is the page before it", window.offset),
                ));
            }
            first_of_last_page = first;
            self.learn_versions(&responses).await?;
            window.offset += i64::try_from(received).unwrap_or(i64::MAX);
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
            let seen: Option<DateTime<Utc>> =
                responses.iter().map(|response| response.submitted_at).max();
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
        for response in responses {
            let one = vec![response];
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
        self.save_together(key, state, self.batch(), Vec::new(), fetched)
            .await
    }

    async fn save_together(
        &self,
        key: &StreamKey,
        state: &StreamState,
        batch: process::Batch,
        responses: Vec<Response>,
        fetched: RunCounts,
    ) -> Result<(), SyncError> {
        let run = self.lease.run_id.clone();
        let (key, state) = (key.clone(), state.clone());
        let account_name = self.account.name.clone();
        self.write(move |conn| {
            let mut counts = fetched;
            counts += process::run(conn, &batch, responses)?;
            store::streams::save(conn, &key, &state, None)?;
            store::leases::add_counts(conn, &run, counts)?;
            if counts.submissions_new > 0 || counts.leads_created > 0 || counts.leads_updated > 0 {
                let after = serde_json::json!({
                    "sync_run": run.as_str(),
                    "submissions": counts.submissions_new,
                    "leads_created": counts.leads_created,
                    "leads_updated": counts.leads_updated,
                });
                store::audit::record(
                    conn,
                    batch.now,
                    &store::audit::Actor::s2s_inbound(),
                    "form_submissions.synchronized",
                    ("linkedin_account", batch.account_id.as_str(), &account_name),
                    None,
                    Some(after),
                )?;
            }
            Ok(())
        })
        .await
    }
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
