//! What one running sandbox knows and can be told: its data, its settings, its tokens, its faults and its log of requests.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::faults::Faults;
use super::history::History;
use super::tokens::Tokens;
use super::webhook::Hooks;
use crate::clock::Clock;

/// How many requests the log keeps.
const LOG_CAP: usize = 20_000;

/// What can be changed while the sandbox runs (`POST /sandbox/settings` merges a JSON object into these).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The largest page of offset-paged finders; larger counts are cut to it and the effective count is reported.
    pub page_cap: u64,
    /// Whether lead form responses come newest first (as integrators see it) or oldest first.
    pub newest_first: bool,
    /// Whether the end of `submittedAtTimeRange` is inside.
    pub end_inclusive: bool,
    /// Days after which responses are no longer served: 365 or 90.
    pub retention_days: i64,
    /// Whether the token endpoint gives refresh tokens (apps approved for programmatic refresh).
    pub refresh_tokens: bool,
    /// Life of an access token, in seconds.
    pub access_token_seconds: i64,
    /// Life of a refresh token, in seconds.
    pub refresh_token_seconds: i64,
    /// For so many seconds a new access token answers 401 / 65601.
    pub fresh_token_lag_seconds: i64,
    /// Scopes are separated by commas in token answers (real answers) or by blanks (the documentation's sample).
    pub scopes_by_comma: bool,
    /// The status for a lead owner on whom the member has no role: 403, 401 or 404.
    pub role_denial: u16,
    /// Scopes that the developer app lacks.
    pub unauthorized_scopes: Vec<String>,
    /// The API versions that answer; any other is 426.
    pub versions: Vec<String>,
    /// Refuse requests without `X-Restli-Protocol-Version`.
    pub require_protocol_header: bool,
    /// `total` is part of the paging of lead finders.
    pub report_total: bool,
    /// A subscription whose webhook does not answer the challenge is refused, instead of kept and told nothing.
    pub refuse_unanswered_challenge: bool,
}

impl Default for Settings {
    fn default() -> Self {
        let versions = [
            "202511", "202601", "202602", "202603", "202604", "202605", "202606", "202607",
            "202608", "202609", "202610", "202611",
        ];
        Self {
            page_cap: 1000,
            newest_first: true,
            end_inclusive: false,
            retention_days: 365,
            refresh_tokens: false,
            access_token_seconds: 5_184_000,
            refresh_token_seconds: 31_536_000,
            fresh_token_lag_seconds: 0,
            scopes_by_comma: true,
            role_denial: 403,
            unauthorized_scopes: Vec::new(),
            versions: versions.map(str::to_owned).to_vec(),
            require_protocol_header: false,
            report_total: true,
            refuse_unanswered_challenge: true,
        }
    }
}

/// One request as it came in.
#[derive(Debug, Clone, Serialize)]
pub struct RequestRecord {
    /// The sandbox's time, milliseconds since 1970.
    pub at_ms: i64,
    /// The HTTP method; a tunneled GET is logged as `GET`.
    pub method: String,
    /// The path.
    pub path: String,
    /// The raw query, also when it was tunneled in a body.
    pub query: String,
    /// `access-3`: the third access token that was issued. Never the token itself.
    pub token: Option<String>,
    /// Whether the query came in the body of a POST.
    pub tunneled: bool,
    /// The status that was answered, 0 when none was.
    pub status: u16,
    /// The fault that was played, if any.
    pub fault: Option<String>,
}

/// One running sandbox.
#[derive(Debug)]
pub(super) struct Sandbox {
    pub(super) seed: u64,
    clock: Clock,
    offset_ms: AtomicI64,
    history: RwLock<History>,
    settings: RwLock<Settings>,
    tokens: Mutex<Tokens>,
    faults: Mutex<Faults>,
    hooks: Mutex<Hooks>,
    log: Mutex<VecDeque<RequestRecord>>,
    counter: AtomicU64,
}

impl Sandbox {
    pub(super) fn new(seed: u64, clock: Clock, history: History, settings: Settings) -> Self {
        Self {
            seed,
            clock,
            offset_ms: AtomicI64::new(0),
            history: RwLock::new(history),
            settings: RwLock::new(settings),
            tokens: Mutex::new(Tokens::new(seed)),
            faults: Mutex::new(Faults::new(seed)),
            hooks: Mutex::default(),
            log: Mutex::new(VecDeque::new()),
            counter: AtomicU64::new(0),
        }
    }

    /// The sandbox's time: its clock's, moved by what it was told.
    pub(super) fn now(&self) -> DateTime<Utc> {
        self.clock.now() + TimeDelta::milliseconds(self.offset_ms.load(Ordering::SeqCst))
    }

    pub(super) fn now_ms(&self) -> i64 {
        self.now().timestamp_millis()
    }

    pub(super) fn advance_ms(&self, by: i64) {
        self.offset_ms.fetch_add(by, Ordering::SeqCst);
    }

    // A panic elsewhere must not take the sandbox down with it: the data behind a poisoned lock is still whole.
    pub(super) fn history(&self) -> RwLockReadGuard<'_, History> {
        self.history.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn change_history(&self) -> RwLockWriteGuard<'_, History> {
        self.history.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn settings(&self) -> Settings {
        self.settings
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(super) fn change_settings(&self) -> RwLockWriteGuard<'_, Settings> {
        self.settings
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn tokens(&self) -> MutexGuard<'_, Tokens> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn hooks(&self) -> MutexGuard<'_, Hooks> {
        self.hooks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets a response, and tells whoever wants to know; whether there was one.
    pub(super) fn delete_response(&self, id: &str) -> bool {
        let response = self.history().find(id);
        let is_gone = self.change_history().delete(id);
        if let Some(response) = response.filter(|_| is_gone) {
            super::webhook::announce(self, &response, "DELETED");
        }
        is_gone
    }

    /// Logs a request and gives its number.
    pub(super) fn record(&self, record: RequestRecord) -> u64 {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        if log.len() >= LOG_CAP {
            log.pop_front();
        }
        log.push_back(record);
        self.counter.fetch_add(1, Ordering::SeqCst)
    }

    pub(super) fn requests(&self) -> Vec<RequestRecord> {
        self.log
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .cloned()
            .collect()
    }

    pub(super) fn clear_requests(&self) {
        self.log
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}
