//! Switches for what can go wrong at Dataverse and Entra: all off until somebody turns one on.

use serde::{Deserialize, Serialize};

use super::exchange::Refusal;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DataverseFaultKind {
    /// 401 for a token that is good.
    ExpiredToken,
    /// 403: the application has no user in the organization.
    NotMember,
    /// 403: a privilege is missing.
    MissingPrivilege,
    /// 404 with a page instead of JSON: no organization is there.
    WrongOrganization,
    /// 429 with `Retry-After: {seconds}` (2): too many requests.
    ThrottledRequests,
    /// 429 with `Retry-After: {seconds}` (2): too much execution time.
    ThrottledTime,
    /// 429 with `Retry-After: {seconds}` (2): too many at once.
    ThrottledConcurrency,
    /// 429 for one part of a batch, while the rest is carried out.
    ThrottledPart,
    /// 400: a plug-in of the customer refuses.
    Plugin,
    /// 500.
    #[serde(rename = "500")]
    Status500,
    /// 502 with a page.
    #[serde(rename = "502")]
    Status502,
    /// 503 with `Retry-After: {seconds}` (2).
    #[serde(rename = "503")]
    Status503,
    /// 504 with an empty body.
    #[serde(rename = "504")]
    Status504,
    /// No answer for `seconds` (300), and nothing is carried out.
    Hang,
    /// The answer comes `seconds` (5) late.
    Slow,
    /// The connection breaks before the request is carried out.
    Close,
    /// The request is carried out, then the connection breaks.
    LostAnswer,
    /// 200 with a page instead of JSON.
    Html,
    /// The JSON of a good answer is cut.
    CutJson,
}

/// One switch that is on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataverseFault {
    /// What goes wrong.
    pub kind: DataverseFaultKind,
    /// Only for paths holding this text; without it for everything below `/api/data/`.
    #[serde(default)]
    pub path: Option<String>,
    /// Only for this method.
    #[serde(default)]
    pub method: Option<String>,
    /// How often; without it for ever.
    #[serde(default)]
    pub times: Option<u32>,
    /// Let so many matching requests (of a batch: parts) pass first.
    #[serde(default)]
    pub skip: u32,
    /// Seconds, where the kind needs some.
    #[serde(default)]
    pub seconds: Option<u32>,
}

impl DataverseFault {
    /// The fault for every request below `/api/data/`, for ever.
    #[must_use]
    pub fn new(kind: DataverseFaultKind) -> Self {
        Self {
            kind,
            path: None,
            method: None,
            times: None,
            skip: 0,
            seconds: None,
        }
    }

    /// Only for paths holding this text.
    #[must_use]
    pub fn on(mut self, path: &str) -> Self {
        self.path = Some(path.to_owned());
        self
    }

    /// Only for this method.
    #[must_use]
    pub fn method(mut self, method: &str) -> Self {
        self.method = Some(method.to_owned());
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

    /// The seconds that the kind needs.
    #[must_use]
    pub fn seconds(mut self, seconds: u32) -> Self {
        self.seconds = Some(seconds);
        self
    }

    fn matches(&self, method: &str, path: &str) -> bool {
        let place = match &self.path {
            Some(part) => path.contains(part.as_str()),
            None => path.starts_with("/api/data/"),
        };
        place
            && self
                .method
                .as_ref()
                .is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
    }

    /// The kind's name as the control API spells it.
    #[must_use]
    pub fn name(&self) -> String {
        match serde_json::to_value(self.kind) {
            Ok(serde_json::Value::String(name)) => name,
            _ => String::new(),
        }
    }

    /// The refusal that stands in the place of the answer, where the kind is one.
    pub(super) fn refusal(&self) -> Option<Refusal> {
        use DataverseFaultKind as Kind;
        let seconds = self.seconds.unwrap_or(2).to_string();
        Some(match self.kind {
            Kind::ExpiredToken => Refusal::new(
                401,
                "0x80072571",
                "Authentication was not successful: the token has expired.",
            )
            .with("www-authenticate", "Bearer error=\"invalid_token\""),
            Kind::NotMember => Refusal::new(
                403,
                "0x80072560",
                "The user is not a member of the organization.",
            ),
            Kind::MissingPrivilege => Refusal::new(
                403,
                "0x80040220",
                "Principal user is missing prvCreateLead privilege (fault).",
            ),
            Kind::ThrottledRequests | Kind::ThrottledPart => {
                too_many_requests(6000, 300).with("retry-after", seconds)
            }
            Kind::ThrottledTime => too_much_time(1_200_000, 300).with("retry-after", seconds),
            Kind::ThrottledConcurrency => too_many_at_once(52).with("retry-after", seconds),
            Kind::Plugin => {
                Refusal::new(400, "0x80040265", "A plug-in of this organization refuses.")
            }
            Kind::Status500 => Refusal::new(500, "0x80040216", "An unexpected error occurred."),
            Kind::Status503 => Refusal::new(503, "0x80040216", "The service is unavailable.")
                .with("retry-after", seconds),
            _ => return None,
        })
    }
}

/// The window of requests is full.
pub(super) fn too_many_requests(limit: u32, seconds: i64) -> Refusal {
    Refusal::new(
        429,
        "0x80072322",
        format!(
            "Number of requests exceeded the limit of {limit} over time window of {seconds} seconds."
        ),
    )
}

/// The window of execution time is full.
pub(super) fn too_much_time(limit_ms: i64, seconds: i64) -> Refusal {
    Refusal::new(
        429,
        "0x80072321",
        format!(
            "Combined execution time of incoming requests exceeded limit of {limit_ms} milliseconds over time window of {seconds} seconds. Decrease number of concurrent requests or reduce the duration of requests and try again later."
        ),
    )
}

/// Too many requests are open.
pub(super) fn too_many_at_once(limit: usize) -> Refusal {
    Refusal::new(
        429,
        "0x80072326",
        format!("Number of concurrent requests exceeded the limit of {limit}."),
    )
}

/// The switches that are on, with their numbers.
#[derive(Debug, Default)]
pub(super) struct Faults {
    added: u64,
    active: Vec<(u64, DataverseFault)>,
}

impl Faults {
    pub(super) fn add(&mut self, fault: DataverseFault) -> u64 {
        self.added += 1;
        self.active.push((self.added, fault));
        self.added
    }

    pub(super) fn remove(&mut self, number: u64) -> bool {
        let before = self.active.len();
        self.active.retain(|(known, _)| *known != number);
        self.active.len() != before
    }

    pub(super) fn clear(&mut self) {
        self.active.clear();
    }

    pub(super) fn list(&self) -> Vec<(u64, DataverseFault)> {
        self.active.clone()
    }

    /// The fault for a request, used up by one.
    pub(super) fn take(&mut self, method: &str, path: &str) -> Option<DataverseFault> {
        self.first(|fault| {
            fault.kind != DataverseFaultKind::ThrottledPart && fault.matches(method, path)
        })
    }

    /// The fault for a part of a batch.
    pub(super) fn take_part(&mut self) -> Option<DataverseFault> {
        self.first(|fault| fault.kind == DataverseFaultKind::ThrottledPart)
    }

    fn first(&mut self, strikes: impl Fn(&DataverseFault) -> bool) -> Option<DataverseFault> {
        let mut found = None;
        for (number, fault) in &mut self.active {
            if !strikes(fault) {
                continue;
            }
            if fault.skip > 0 {
                fault.skip -= 1;
                continue;
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
