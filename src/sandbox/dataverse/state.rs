//! What one running organization knows and can be told: its data, its settings, its tokens and its log of requests.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use super::super::seeded::text;
use super::assertion::{self, Trusted};
use super::data::{Data, Known};
use super::entra::Denied;
use super::exchange::Refusal;
use super::faults::Faults;
use super::limits::{Left, ServiceLimits, Spent};
use crate::clock::Clock;

/// How many requests the log keeps.
const LOG_CAP: usize = 20_000;

/// What can be changed while the organization runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataverseSettings {
    /// Life of an access token, in seconds.
    pub token_seconds: i64,
    /// Whether the application is known in the tenant.
    pub consented: bool,
    /// Whether its secret has run out.
    pub secret_expired: bool,
    /// Whether the organization has an application user for it.
    pub member: bool,
    /// Privileges that the user lacks: `prvCreateLead`.
    pub missing_privileges: BTreeSet<String>,
    /// The status of a hit of a duplicate rule: 500 (documented) or 412.
    pub duplicate_status: u16,
    /// The code for a property that the table does not have.
    pub undeclared_property_code: String,
    /// For so many milliseconds a new alternate key is being built.
    pub key_build_ms: i64,
    /// Whether changes are tracked.
    pub change_tracking: bool,
    /// For so many days a delta link is good.
    pub change_tracking_days: i64,
    /// The service protection limits.
    pub limits: ServiceLimits,
}

impl Default for DataverseSettings {
    fn default() -> Self {
        Self {
            token_seconds: 3599,
            consented: true,
            secret_expired: false,
            member: true,
            missing_privileges: BTreeSet::new(),
            duplicate_status: 500,
            undeclared_property_code: "0x80048d19".to_owned(),
            key_build_ms: 0,
            change_tracking: true,
            change_tracking_days: 7,
            limits: ServiceLimits::default(),
        }
    }
}

/// One request as it came in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DataverseRequest {
    /// The organization's time, milliseconds since 1970.
    pub at_ms: i64,
    /// The HTTP method.
    pub method: String,
    /// The path.
    pub path: String,
    /// The raw query.
    pub query: String,
    /// The status that was answered, 0 when the connection broke.
    pub status: u16,
    /// The fault that was played, if any.
    pub fault: Option<String>,
}

/// One running organization, with the tenant around it.
#[derive(Debug)]
pub(super) struct Organization {
    pub(super) seed: u64,
    clock: Clock,
    /// Where it listens.
    address: SocketAddr,
    offset_ms: AtomicI64,
    data: RwLock<Data>,
    known: Known,
    settings: RwLock<Arc<DataverseSettings>>,
    /// Access tokens, with the second in which they end.
    tokens: Mutex<HashMap<String, i64>>,
    certificates: Mutex<Vec<Trusted>>,
    faults: Mutex<Faults>,
    /// Requests that a fault makes wait.
    held: AtomicUsize,
    /// Told when they need to wait no longer.
    released: Notify,
    spent: Mutex<Spent>,
    log: Mutex<VecDeque<DataverseRequest>>,
    counter: AtomicU64,
}

/// Counted as long as it waits, even if whoever sent it gives up.
struct HeldRequest<'a>(&'a AtomicUsize);

impl<'a> HeldRequest<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for HeldRequest<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

// A panic elsewhere must not take the organization down with it: the data behind a poisoned lock is still whole.
fn whole<T>(outcome: Result<T, PoisonError<T>>) -> T {
    outcome.unwrap_or_else(PoisonError::into_inner)
}

impl Organization {
    pub(super) fn new(
        seed: u64,
        clock: Clock,
        address: SocketAddr,
        settings: DataverseSettings,
    ) -> Self {
        let data = Data::new(seed, clock.now());
        Self {
            seed,
            clock,
            address,
            offset_ms: AtomicI64::new(0),
            known: data.known,
            data: RwLock::new(data),
            settings: RwLock::new(Arc::new(settings)),
            tokens: Mutex::new(HashMap::new()),
            certificates: Mutex::new(Vec::new()),
            faults: Mutex::new(Faults::default()),
            held: AtomicUsize::new(0),
            released: Notify::new(),
            spent: Mutex::new(Spent::default()),
            log: Mutex::new(VecDeque::new()),
            counter: AtomicU64::new(0),
        }
    }

    /// The organization's time: its clock's, moved by what it was told.
    pub(super) fn now(&self) -> DateTime<Utc> {
        self.clock.now() + TimeDelta::milliseconds(self.offset_ms.load(Ordering::SeqCst))
    }

    pub(super) fn advance_ms(&self, by: i64) {
        self.offset_ms.fetch_add(by, Ordering::SeqCst);
    }

    pub(super) fn known(&self) -> Known {
        self.known
    }

    pub(super) fn data(&self) -> RwLockReadGuard<'_, Data> {
        whole(self.data.read())
    }

    pub(super) fn change_data(&self) -> RwLockWriteGuard<'_, Data> {
        whole(self.data.write())
    }

    pub(super) fn settings(&self) -> Arc<DataverseSettings> {
        let settings = whole(self.settings.read());
        Arc::clone(&settings)
    }

    pub(super) fn set_settings(&self, settings: DataverseSettings) {
        *whole(self.settings.write()) = Arc::new(settings);
    }

    /// Whether this organization is at that address; `host` is where the request came to.
    pub(super) fn is_at(&self, resource: &str, host: &str) -> bool {
        let Some((_, there)) = resource.split_once("://") else {
            return false;
        };
        let port = self.address.port();
        [
            host.to_owned(),
            format!("localhost:{port}"),
            self.address.to_string(),
        ]
        .iter()
        .any(|known| known.eq_ignore_ascii_case(there))
    }

    pub(super) fn trust(&self, pem: &str) -> Result<(), String> {
        let certificate = Trusted::read(pem)?;
        whole(self.certificates.lock()).push(certificate);
        Ok(())
    }

    pub(super) fn assertion_holds(&self, assertion: &str, client: &str) -> Result<(), Denied> {
        let certificates = whole(self.certificates.lock());
        assertion::check(assertion, client, self.now().timestamp(), &certificates)
    }

    pub(super) fn issue_token(&self) -> String {
        let number = self.counter.fetch_add(1, Ordering::SeqCst);
        let token = format!("sandbox.{}", text(self.seed, 230, number, 60));
        let end = self.now().timestamp() + self.settings().token_seconds;
        whole(self.tokens.lock()).insert(token.clone(), end);
        token
    }

    /// Whether a token was issued and has not ended.
    pub(super) fn token_stands(&self, token: &str) -> bool {
        let now = self.now().timestamp();
        whole(self.tokens.lock())
            .get(token)
            .is_some_and(|end| *end > now)
    }

    /// Ends every token.
    pub(super) fn end_tokens(&self) {
        whole(self.tokens.lock()).clear();
    }

    pub(super) fn faults(&self) -> MutexGuard<'_, Faults> {
        whole(self.faults.lock())
    }

    /// Turns every fault off; requests that one of them makes wait go on.
    pub(super) fn clear_faults(&self) {
        self.faults().clear();
        self.released.notify_waiters();
    }

    /// Lets a request wait so long, or until the faults are turned off.
    pub(super) async fn hold(&self, length: Duration) {
        let released = self.released.notified();
        let _held = HeldRequest::new(&self.held);
        tokio::select! {
            () = tokio::time::sleep(length) => {}
            () = released => {}
        }
    }

    /// How many requests a fault makes wait.
    pub(super) fn held(&self) -> usize {
        self.held.load(Ordering::SeqCst)
    }

    /// Counts a request that comes against the service protection limits.
    pub(super) fn arrives(&self, bytes: usize) -> Result<Left, Refusal> {
        let limits = &self.settings().limits;
        let now_ms = self.now().timestamp_millis();
        whole(self.spent.lock()).arrives(limits, now_ms, bytes)
    }

    /// A request was answered that wrote so many records beside the first.
    pub(super) fn leaves(&self, more_records: usize) {
        let limits = &self.settings().limits;
        let now_ms = self.now().timestamp_millis();
        whole(self.spent.lock()).leaves(limits, now_ms, more_records);
    }

    /// Logs a request and gives its number.
    pub(super) fn record(
        &self,
        method: &str,
        path: &str,
        query: &str,
        status: u16,
        fault: Option<String>,
    ) -> u64 {
        let record = DataverseRequest {
            at_ms: self.now().timestamp_millis(),
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            status,
            fault,
        };
        let mut log = whole(self.log.lock());
        if log.len() >= LOG_CAP {
            log.pop_front();
        }
        log.push_back(record);
        self.counter.fetch_add(1, Ordering::SeqCst)
    }

    pub(super) fn requests(&self) -> Vec<DataverseRequest> {
        whole(self.log.lock()).iter().cloned().collect()
    }

    pub(super) fn clear_requests(&self) {
        whole(self.log.lock()).clear();
    }
}
