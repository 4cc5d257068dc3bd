//! When to try again after a failure: one pure function with its series written down.

use std::time::Duration;

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};

use super::FailureReason;

/// The longest wait that a Retry-After can ask for.
pub const RETRY_AFTER_CAP: Duration = Duration::from_hours(24);

/// How long reasons that a person has to mend wait: one look an hour, no hammering.
const PERMANENT: TimeDelta = TimeDelta::hours(1);
/// The most that the jitter adds after a daily limit ends, so that not everybody calls at midnight.
const DAILY_SPREAD_SECONDS: f64 = 120.0;

/// When to try again.
///
/// | attempt (failures so far) | 1 | 2 | 3 | 4 | 5 | 6 | from 7 on |
/// |---|---|---|---|---|---|---|---|
/// | wait | 30 s | 1 min | 2 min | 4 min | 8 min | 16 min | 30 min |
///
/// each ±20 % by `jitter` (0 to 1, drawn by the caller; 0.5 is no jitter). Instead:
/// - a reason that a person has to mend ([`FailureReason::is_permanent`]) waits 1 h ±20 %;
/// - a daily limit waits until the next 00:00 UTC plus up to 2 minutes;
/// - a Retry-After is waited at least, capped at 24 h, plus up to 10 %; zero counts as absent.
#[must_use]
pub fn next_attempt(
    attempt: u32,
    reason: FailureReason,
    now: DateTime<Utc>,
    jitter: f64,
    retry_after: Option<Duration>,
) -> DateTime<Utc> {
    let jitter = if jitter.is_finite() {
        jitter.clamp(0.0, 1.0)
    } else {
        0.5
    };
    let own = match reason {
        FailureReason::DailyLimitReached => {
            until_midnight(now) + seconds(DAILY_SPREAD_SECONDS * jitter)
        }
        _ if reason.is_permanent() => spread(PERMANENT, jitter),
        _ => spread(backoff(attempt), jitter),
    };
    let wait = match retry_after.filter(|after| !after.is_zero()) {
        None => own,
        Some(after) => {
            let asked = after.min(RETRY_AFTER_CAP).as_secs_f64();
            let asked = seconds((asked * (1.0 + 0.1 * jitter)).min(RETRY_AFTER_CAP.as_secs_f64()));
            // A daily limit is never over before midnight; everything else waits as LinkedIn says.
            if reason == FailureReason::DailyLimitReached {
                asked.max(own)
            } else {
                asked
            }
        }
    };
    now.checked_add_signed(wait)
        .unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// The series of the table, without jitter.
fn backoff(attempt: u32) -> TimeDelta {
    let doublings = attempt.saturating_sub(1).min(6);
    TimeDelta::seconds((30_i64 << doublings).min(30 * 60))
}

fn spread(wait: TimeDelta, jitter: f64) -> TimeDelta {
    seconds(wait.as_seconds_f64() * (0.8 + 0.4 * jitter))
}

/// Rounds to milliseconds.
fn seconds(seconds: f64) -> TimeDelta {
    Duration::try_from_secs_f64((seconds * 1_000.0).round() / 1_000.0)
        .ok()
        .and_then(|duration| TimeDelta::from_std(duration).ok())
        .unwrap_or(PERMANENT)
}

/// From now to the next 00:00 UTC; a whole day at exactly midnight, because the limit was hit in the day that begins.
fn until_midnight(now: DateTime<Utc>) -> TimeDelta {
    let since = now.time() - NaiveTime::MIN;
    TimeDelta::days(1) - since
}
