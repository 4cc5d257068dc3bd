//! Switches for what can go wrong at LinkedIn (reliability.md, fault matrix): all off until somebody turns one on.

use serde::{Deserialize, Serialize};

use super::seeded::mix;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// 429 with `Retry-After: {seconds}`.
    RateLimitSeconds,
    /// 429 with `Retry-After` as an HTTP date `seconds` ahead.
    RateLimitDate,
    /// 429 without `Retry-After`.
    RateLimitBare,
    /// 429 with an unreadable `Retry-After`.
    RateLimitGarbage,
    /// 429, the application's day is used up.
    RateLimitDayApplication,
    /// 429, the member's day in this application is used up.
    RateLimitDayMember,
    /// 500.
    #[serde(rename = "500")]
    Status500,
    /// 502 with an HTML body.
    #[serde(rename = "502")]
    Status502,
    /// 503 UNDER_MAINTENANCE.
    #[serde(rename = "503")]
    Status503,
    /// 504 with an empty body.
    #[serde(rename = "504")]
    Status504,
    /// The connection is reset instead of an answer.
    Reset,
    /// The connection is closed instead of an answer.
    Close,
    /// The request is carried out, but its answer is lost.
    LostAnswer,
    /// No answer for `seconds` (300).
    Hang,
    /// The head of the answer drips for `seconds` (35), its first bytes at once.
    SlowHeaders,
    /// The body drips for `seconds` (60).
    SlowBody,
    /// The body stops in the middle of its announced length.
    Truncate,
    /// The JSON is cut, the length is not.
    CutJson,
    /// The JSON is damaged.
    GarbageJson,
    /// 200 with an HTML page.
    Html,
    /// 200 with JSON whose `elements` is an object.
    WrongType,
    /// 200 with an empty body.
    EmptyBody,
    /// `Content-Encoding: gzip` on a body that is none.
    GzipLie,
    /// A byte order mark before the JSON.
    Bom,
    /// More bytes than any page may have.
    Oversized,
    /// Elements twice on the page.
    DupItems,
    /// The page in reverse order.
    ReverseItems,
    /// Every page is the first one, whatever offset was asked for.
    RepeatPage,
    /// Every page but the first begins one element early.
    ShiftPage,
    /// One element is left out of the page.
    DropItem,
    /// Optional fields are null.
    NullFields,
    /// Fields that nobody knows, everywhere.
    ExtraFields,
    /// A megabyte of text in one answer of the page.
    HugeAnswers,
    /// NUL in the answers.
    Nul,
    /// Half of a surrogate pair in the answers.
    LoneSurrogate,
    /// A field of the wrong type in one element of the page.
    OddElement,
    /// 302 to another address.
    Redirect,
    /// 401 / 65600 for a token that is good.
    Unauthorized,
    /// 401 / 65601 for a token that is good.
    RevokedToken,
    /// 403: a scope or role is missing.
    Forbidden,
    /// 404.
    NotFound,
    /// 426.
    VersionNotActive,
    /// The `Date` header is `seconds` away from the truth.
    DateSkew,
    /// `total` is too small.
    WrongTotal,
    /// `total` is -1.
    NegativeTotal,
    /// No `total`.
    MissingTotal,
    /// A `next` link on the last page, and none on the others.
    MisleadingNext,
    /// After the page was made, somebody submits a new lead.
    InsertBetweenPages,
    /// After the page was made, a lead with an earlier `submittedAt` turns up.
    LateLeads,
    /// Token endpoint: 400 `invalid_grant`.
    InvalidGrant,
    /// Token endpoint: 400 `invalid_request`, LinkedIn's word for a bad grant.
    InvalidRequest,
    /// Path `webhook`, as all that follow: an event is sent twice.
    EventTwice,
    /// An event is sent after the next one.
    EventHeld,
    /// An event with a wrong signature.
    EventBadSignature,
    /// Hundreds of events about one response.
    EventFlood,
    /// An event about an account that is nobody's comes first.
    EventOfStranger,
    /// An event comes `seconds` (60) late.
    EventLate,
    /// An event is never sent.
    EventDropped,
    /// `occurredAt` in seconds instead of milliseconds.
    EventSeconds,
}

/// One switch that is on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// What goes wrong.
    pub kind: FaultKind,
    /// Only for paths holding this text; without it for everything below `/rest/`.
    #[serde(default)]
    pub path: Option<String>,
    /// Only for requests that name this ad account or page.
    #[serde(default)]
    pub owner: Option<i64>,
    /// How often; without it for ever.
    #[serde(default)]
    pub times: Option<u32>,
    /// Let so many matching requests pass first.
    #[serde(default)]
    pub skip: u32,
    /// Share of the matching requests, 0 to 1 (1), drawn from the seed.
    #[serde(default = "always")]
    pub probability: f64,
    /// Seconds, where the kind needs some.
    #[serde(default)]
    pub seconds: Option<i64>,
}

fn always() -> f64 {
    1.0
}

impl Fault {
    /// The fault for every request below `/rest/`, for ever.
    #[must_use]
    pub fn new(kind: FaultKind) -> Self {
        Self {
            kind,
            path: None,
            owner: None,
            times: None,
            skip: 0,
            probability: 1.0,
            seconds: None,
        }
    }

    /// Only for paths holding this text.
    #[must_use]
    pub fn on(mut self, path: &str) -> Self {
        self.path = Some(path.to_owned());
        self
    }

    /// Only for requests that name this ad account or page.
    #[must_use]
    pub fn owner(mut self, owner: i64) -> Self {
        self.owner = Some(owner);
        self
    }

    /// Only so often.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    /// Only after so many matching requests.
    #[must_use]
    pub fn after(mut self, requests: u32) -> Self {
        self.skip = requests;
        self
    }

    /// Only for this share of the matching requests.
    #[must_use]
    pub fn probability(mut self, share: f64) -> Self {
        self.probability = share;
        self
    }

    /// The seconds that the kind needs.
    #[must_use]
    pub fn seconds(mut self, seconds: i64) -> Self {
        self.seconds = Some(seconds);
        self
    }

    fn matches(&self, path: &str, whole: &str) -> bool {
        let place = match &self.path {
            Some(part) => path.contains(part.as_str()),
            None => path.starts_with("/rest/"),
        };
        place
            && self
                .owner
                .is_none_or(|owner| whole.contains(&owner.to_string()))
    }

    /// The kind's name as the control API spells it.
    #[must_use]
    pub fn name(&self) -> String {
        match serde_json::to_value(self.kind) {
            Ok(serde_json::Value::String(name)) => name,
            _ => String::new(),
        }
    }
}

/// The switches that are on, with their numbers.
#[derive(Debug)]
pub(super) struct Faults {
    seed: u64,
    drawn: u64,
    next: u64,
    active: Vec<(u64, Fault)>,
}

impl Faults {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            seed,
            drawn: 0,
            next: 1,
            active: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, fault: Fault) -> u64 {
        let number = self.next;
        self.next += 1;
        self.active.push((number, fault));
        number
    }

    pub(super) fn remove(&mut self, number: u64) -> bool {
        let before = self.active.len();
        self.active.retain(|(known, _)| *known != number);
        self.active.len() != before
    }

    pub(super) fn clear(&mut self) {
        self.active.clear();
    }

    pub(super) fn list(&self) -> Vec<(u64, Fault)> {
        self.active.clone()
    }

    /// The fault for a request, used up by one. `whole` is the decoded path and query.
    pub(super) fn take(&mut self, path: &str, whole: &str) -> Option<Fault> {
        let mut found = None;
        for (number, fault) in &mut self.active {
            if !fault.matches(path, whole) {
                continue;
            }
            if fault.skip > 0 {
                fault.skip -= 1;
                continue;
            }
            if fault.probability < 1.0 {
                self.drawn += 1;
                let draw = (mix(self.seed, 70, self.drawn) % 1_000_000) as f64 / 1_000_000.0;
                if draw >= fault.probability {
                    continue;
                }
            }
            if let Some(times) = &mut fault.times {
                *times = times.saturating_sub(1);
            }
            found = Some((*number, fault.clone()));
            break;
        }
        let (number, fault) = found?;
        if fault.times == Some(0) {
            self.remove(number);
        }
        Some(fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_strikes_where_when_and_as_often_as_it_is_told() {
        let mut faults = Faults::new(1);
        faults.add(
            Fault::new(FaultKind::Close)
                .on("leadForms")
                .owner(42)
                .after(1)
                .times(2),
        );
        let take =
            |faults: &mut Faults, path: &str, whole: &str| faults.take(path, whole).map(|f| f.kind);
        assert_eq!(take(&mut faults, "/rest/adAccounts", "account 42"), None);
        assert_eq!(take(&mut faults, "/rest/leadForms", "account 41"), None);
        let hits: Vec<bool> = (0..5)
            .map(|_| take(&mut faults, "/rest/leadForms", "urn:li:sponsoredAccount:42").is_some())
            .collect();
        assert_eq!(hits, [false, true, true, false, false]);
        assert!(faults.list().is_empty());
    }

    #[test]
    fn without_a_path_only_the_rest_api_is_meant() {
        let mut faults = Faults::new(1);
        let number = faults.add(Fault::new(FaultKind::Status500));
        assert!(faults.take("/oauth/v2/accessToken", "").is_none());
        assert!(faults.take("/rest/anything", "").is_some());
        assert!(faults.remove(number) && !faults.remove(number));
    }

    #[test]
    fn a_share_of_the_requests_can_be_struck() {
        let mut faults = Faults::new(1);
        faults.add(Fault::new(FaultKind::Status500).probability(0.3));
        let hits = (0..1000)
            .filter(|_| faults.take("/rest/x", "").is_some())
            .count();
        assert!((250..350).contains(&hits), "{hits}");
    }

    #[test]
    fn names_are_read_back() {
        for (name, kind) in [
            ("500", FaultKind::Status500),
            ("gzip-lie", FaultKind::GzipLie),
            ("rate-limit-day-member", FaultKind::RateLimitDayMember),
        ] {
            let fault: Fault =
                serde_json::from_str(&format!(r#"{{"kind":"{name}"}}"#)).expect(name);
            assert_eq!((fault.kind, fault.name().as_str()), (kind, name));
        }
        assert!(serde_json::from_str::<Fault>(r#"{"kind":"nonsense"}"#).is_err());
        assert!(serde_json::from_str::<Fault>(r#"{"kind":"500","tims":1}"#).is_err());
    }
}
