//! The service protection limits: requests, execution time, and requests at once of one user.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::exchange::Refusal;
use super::faults::{too_many_at_once, too_many_requests, too_much_time};

/// How much a user may do. The service's own numbers are the default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServiceLimits {
    /// Whether they hold at all.
    pub enforced: bool,
    /// The sliding window.
    pub window_seconds: i64,
    /// Requests in the window.
    pub requests: u32,
    /// Execution time in the window.
    pub execution_ms: i64,
    /// What a request is counted with, beside a millisecond for every kilobyte of its body.
    pub request_ms: i64,
    /// What each record after the first is counted with in a request that writes several. The service names no number; this
    /// one makes many at once somewhat cheaper than as many requests.
    pub record_ms: i64,
    /// Requests at once.
    pub concurrent: usize,
}

impl Default for ServiceLimits {
    fn default() -> Self {
        Self {
            enforced: true,
            window_seconds: 300,
            requests: 6000,
            execution_ms: 1_200_000,
            request_ms: 20,
            record_ms: 15,
            concurrent: 52,
        }
    }
}

/// What was used up lately: moments with an amount each, oldest first.
#[derive(Debug, Default)]
struct Window {
    entries: VecDeque<(i64, i64)>,
    sum: i64,
}

impl Window {
    /// Forgets what is older than the window.
    fn slide(&mut self, from_ms: i64) {
        while let Some((at, amount)) = self.entries.front().copied()
            && at <= from_ms
        {
            self.sum -= amount;
            self.entries.pop_front();
        }
    }

    fn add(&mut self, now_ms: i64, amount: i64) {
        self.entries.push_back((now_ms, amount));
        self.sum = self.sum.saturating_add(amount);
    }

    /// When the entry came after whose leaving less than the limit is used up; `None`: that is so now.
    fn too_much_until(&self, limit: i64) -> Option<i64> {
        let mut sum = self.sum;
        let mut until = None;
        for (at, amount) in &self.entries {
            if sum < limit {
                break;
            }
            sum -= amount;
            until = Some(*at);
        }
        until
    }
}

/// What the user did in the window.
#[derive(Debug, Default)]
pub(super) struct Spent {
    requests: Window,
    execution_ms: Window,
    open: usize,
}

/// What is left, for the headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Left {
    pub(super) requests: i64,
    pub(super) execution_ms: i64,
}

impl Spent {
    /// Counts a request that comes, refused ones too: whoever goes on pushing waits longer.
    pub(super) fn arrives(
        &mut self,
        limits: &ServiceLimits,
        now_ms: i64,
        bytes: usize,
    ) -> Result<Left, Refusal> {
        self.open += 1;
        let window = limits.window_seconds.saturating_mul(1000);
        self.requests.slide(now_ms - window);
        self.execution_ms.slide(now_ms - window);
        let body = i64::try_from(bytes / 1024).unwrap_or(i64::MAX / 2);
        self.requests.add(now_ms, 1);
        self.execution_ms
            .add(now_ms, limits.request_ms.saturating_add(body));
        let left = Left {
            requests: i64::from(limits.requests) - self.requests.sum,
            execution_ms: limits.execution_ms - self.execution_ms.sum,
        };
        if !limits.enforced {
            return Ok(left);
        }
        let refusal = if left.requests < 0 {
            too_many_requests(limits.requests, limits.window_seconds)
        } else if left.execution_ms < 0 {
            too_much_time(limits.execution_ms, limits.window_seconds)
        } else if self.open > limits.concurrent {
            return Err(too_many_at_once(limits.concurrent).with("retry-after", "1"));
        } else {
            return Ok(left);
        };
        // Until as much has left the window as is too much.
        let until = self
            .requests
            .too_much_until(i64::from(limits.requests))
            .max(self.execution_ms.too_much_until(limits.execution_ms))
            .unwrap_or(now_ms);
        let wait = (until + window - now_ms).div_euclid(1000).max(0) + 1;
        Err(refusal.with("retry-after", wait.to_string()))
    }

    /// A request was answered that wrote so many records beside the first.
    pub(super) fn leaves(&mut self, limits: &ServiceLimits, now_ms: i64, more_records: usize) {
        self.open = self.open.saturating_sub(1);
        let records = i64::try_from(more_records).unwrap_or(i64::MAX);
        if records > 0 {
            self.execution_ms
                .add(now_ms, limits.record_ms.saturating_mul(records));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> ServiceLimits {
        ServiceLimits {
            requests: 3,
            execution_ms: 1000,
            concurrent: 2,
            ..ServiceLimits::default()
        }
    }

    fn code(outcome: Result<Left, Refusal>) -> Option<(String, String)> {
        let refusal = outcome.err()?;
        let (_, wait) = refusal.headers.into_iter().next()?;
        Some((refusal.code, wait))
    }

    fn one(spent: &mut Spent, now_ms: i64, bytes: usize) -> Option<(String, String)> {
        let outcome = code(spent.arrives(&limits(), now_ms, bytes));
        spent.leaves(&limits(), now_ms, 0);
        outcome
    }

    #[test]
    fn the_window_slides_and_pushing_on_lengthens_the_wait() {
        let mut spent = Spent::default();
        for at in [0, 10_000, 20_000] {
            assert_eq!(one(&mut spent, at, 0), None);
        }
        let refused = |wait: &str| Some(("0x80072322".to_owned(), wait.to_owned()));
        assert_eq!(one(&mut spent, 30_000, 0), refused("281"));
        assert_eq!(one(&mut spent, 30_000, 0), refused("291"));
        assert_eq!(one(&mut spent, 330_001, 0), None);
    }

    #[test]
    fn large_bodies_use_up_the_time() {
        let mut spent = Spent::default();
        let (code, _) = one(&mut spent, 0, 2 * 1024 * 1024).expect("a refusal");
        assert_eq!(code, "0x80072321");
    }

    #[test]
    fn every_record_of_a_request_uses_up_time_and_leaves_the_window_with_it() {
        let mut spent = Spent::default();
        assert!(spent.arrives(&limits(), 0, 0).is_ok());
        spent.leaves(&limits(), 500, 99);
        let refused = one(&mut spent, 1000, 0);
        assert_eq!(refused, Some(("0x80072321".to_owned(), "300".to_owned())));
        assert_eq!(one(&mut spent, 301_000, 0), None);
    }

    #[test]
    fn too_many_at_once_are_refused() {
        let mut spent = Spent::default();
        assert!(spent.arrives(&limits(), 0, 0).is_ok() && spent.arrives(&limits(), 0, 0).is_ok());
        let third = code(spent.arrives(&limits(), 0, 0));
        assert_eq!(third.map(|(code, _)| code), Some("0x80072326".to_owned()));
    }
}
