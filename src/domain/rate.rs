//! How many requests a minute: an even flow with some at once, kept in one point of time.
//!
//! The point is when the flow would have caught up with all requests so far (the generic cell rate algorithm, ITU-T I.371).
//! A request moves it on by one interval; it is refused when the point lies further ahead than the burst allows.

use chrono::{DateTime, TimeDelta, Utc};

/// A limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Microseconds between two requests of the even flow.
    interval: i64,
    /// Requests at once.
    burst: i64,
}

impl Rate {
    /// So many requests a minute; a sixth of them, at least one, may come at once.
    #[must_use]
    pub fn per_minute(requests: u32) -> Self {
        let requests = i64::from(requests.max(1));
        Self {
            interval: 60_000_000 / requests,
            burst: (requests / 6).max(1),
        }
    }

    /// Takes one request at `now`. `caught_up` is the point so far, if there is one; the answer is the new point, or how long
    /// to wait.
    ///
    /// # Errors
    /// The time to wait, at least a microsecond.
    pub fn take(
        self,
        caught_up: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Result<DateTime<Utc>, TimeDelta> {
        let interval = TimeDelta::microseconds(self.interval);
        let begin = caught_up.map_or(now, |point| point.max(now));
        let ahead = TimeDelta::microseconds(self.interval * (self.burst - 1));
        let wait = begin - now - ahead;
        if wait > TimeDelta::zero() {
            return Err(wait);
        }
        Ok(begin + interval)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn moment() -> DateTime<Utc> {
        "2026-03-02T10:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_burst_passes_then_the_flow_is_even() {
        let rate = Rate::per_minute(60);
        let mut point = None;
        for _ in 0..10 {
            point = Some(rate.take(point, moment()).unwrap());
        }
        assert_eq!(rate.take(point, moment()), Err(TimeDelta::seconds(1)));
        let later = moment() + TimeDelta::seconds(1);
        point = Some(rate.take(point, later).unwrap());
        assert_eq!(rate.take(point, later), Err(TimeDelta::seconds(1)));
        // After a rest, the whole burst again and no more.
        let much_later = moment() + TimeDelta::hours(1);
        let passed = std::iter::repeat_with(|| match rate.take(point, much_later) {
            Ok(next) => {
                point = Some(next);
                true
            }
            Err(_) => false,
        })
        .take_while(|passed| *passed)
        .count();
        assert_eq!(passed, 10);
    }

    #[test]
    fn the_smallest_limit_lets_one_through_at_a_time() {
        let rate = Rate::per_minute(1);
        let point = rate.take(None, moment()).unwrap();
        assert_eq!(
            rate.take(Some(point), moment()),
            Err(TimeDelta::seconds(60))
        );
    }

    proptest! {
        #[test]
        fn whoever_waits_as_told_is_let_through(requests in 1u32..1_000_000, gaps in prop::collection::vec(0i64..2_000_000, 1..60)) {
            let rate = Rate::per_minute(requests);
            let (mut now, mut point) = (moment(), None);
            for gap in gaps {
                now += TimeDelta::microseconds(gap);
                point = Some(match rate.take(point, now) {
                    Ok(next) => next,
                    Err(wait) => {
                        prop_assert!(wait > TimeDelta::zero());
                        now += wait;
                        rate.take(point, now).map_err(|_| TestCaseError::fail("told to wait twice"))?
                    }
                });
            }
        }
    }
}
