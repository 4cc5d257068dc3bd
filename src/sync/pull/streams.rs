//! The responses of one stream, window by window: fetching the next page overlaps with saving the last batch.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::mpsc;

use super::Puller;
use crate::domain::sync::{
    FailureReason, OpenWindow, StreamState, WindowPolicy, advance, is_last_page, open_window,
};
use crate::linkedin::ResponsesQuery;
use crate::store;
use crate::store::run_counts::RunCounts;
use crate::store::streams::StreamKey;
use crate::sync::SyncError;
use crate::sync::intake::{self, Place, Response};

/// LinkedIn's clock is believed where it is ahead of ours by less than this: the history that is asked for is longer than
/// LinkedIn's by more, so a wrong `Date` can never cut it short.
const CLOCK_TOLERANCE: TimeDelta = TimeDelta::days(30);
/// How often a page of one element may repeat the one before it: once is a new lead that pushed it along.
const SINGLE_REPEATS: usize = 3;

/// A page on its way to the database, and where the stream stands after it.
struct Fetched {
    responses: Vec<Response>,
    end: DateTime<Utc>,
    offset: i64,
    is_last: bool,
}

impl Puller {
    /// Reads one stream to the end of its window, or until the time is up; `true` when the window is finished.
    pub(super) async fn stream(&self, key: &StreamKey) -> Result<bool, SyncError> {
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
}
