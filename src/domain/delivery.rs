//! Deliveries to destinations: their states, why one fails, and when it is tried again.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::words::words;

words! {
    /// Where a delivery stands.
    pub enum DeliveryState {
        Pending = "pending" => "Pending",
        InProgress = "in_progress" => "In progress",
        Delivered = "delivered" => "Delivered",
        /// Tried, and to be tried again.
        Failed = "failed" => "Failed",
        /// Given up, until a person retries it.
        Dead = "dead" => "Dead",
    }
}

impl DeliveryState {
    /// Whether a person can ask for another attempt.
    #[must_use]
    pub const fn can_be_retried(self) -> bool {
        matches!(self, Self::Failed | Self::Dead)
    }
}

words! {
    /// What a destination is told.
    pub enum DeliveryEvent {
        /// To an organization: this is what the lead is now.
        LeadSaved = "lead_saved" => "Lead saved",
        LeadCreated = "lead_created" => "Lead created",
        LeadUpdated = "lead_updated" => "Lead updated",
        LeadStatusChanged = "lead_status_changed" => "Lead status changed",
        SubmissionFailed = "submission_failed" => "Submission failed",
        Test = "test" => "Test",
    }
}

words! {
    /// Why an attempt failed.
    pub enum DeliveryFailure {
        Unreachable = "unreachable" => "Unreachable",
        TimedOut = "timed_out" => "No answer in time",
        ServiceError = "service_error" => "Error of the service",
        Throttled = "throttled" => "Asked to slow down",
        Unauthorized = "unauthorized" => "Not signed in",
        Forbidden = "forbidden" => "Permission missing",
        NotFound = "not_found" => "Not found",
        Redirected = "redirected" => "Redirected",
        Gone = "gone" => "Gone",
        Refused = "refused" => "Refused",
        Conflict = "conflict" => "Changed meanwhile",
        AddressForbidden = "address_forbidden" => "Address not allowed",
        SecretUnreadable = "secret_unreadable" => "Secret unreadable",
        Interrupted = "interrupted" => "Interrupted",
        NeedsPerson = "needs_person" => "Waits for a person",
        RecordDeleted = "record_deleted" => "Deleted there",
        InternalError = "internal_error" => "Internal error",
    }
}

impl DeliveryFailure {
    /// What happened and what helps, in plain words.
    #[must_use]
    pub const fn explain(self) -> &'static str {
        match self {
            Self::Unreachable => "No connection could be made. It is tried again by itself.",
            Self::TimedOut => {
                "The destination did not answer in time. It is tried again by itself."
            }
            Self::ServiceError => {
                "The destination answered with an error of its own. It is tried again by itself."
            }
            Self::Throttled => {
                "The destination asks for fewer requests. It goes on by itself after the pause that it asked for."
            }
            Self::Unauthorized => {
                "The destination does not accept the portal’s credentials. Check them in the destination’s settings."
            }
            Self::Forbidden => {
                "The destination knows the portal, but does not allow this. Give it the permission there, then retry."
            }
            Self::NotFound => {
                "The destination says that there is nothing at this address. Check the address."
            }
            Self::Redirected => {
                "The destination answered with another address. Redirects are not followed: put the final address into the settings."
            }
            Self::Gone => "The destination says that it wants no more messages (410).",
            Self::Refused => {
                "The destination refused the record. The message says why; correct the lead or the mapping, then retry."
            }
            Self::Conflict => {
                "The record changed there at the same moment. It is tried again by itself."
            }
            Self::AddressForbidden => {
                "The address is not on the public internet. Whoever runs the portal can allow it with LEADGEN_ALLOW_PRIVATE_DESTINATIONS=true."
            }
            Self::SecretUnreadable => {
                "The stored secret cannot be opened with this portal’s secret key. Enter it again."
            }
            Self::Interrupted => {
                "The portal stopped during the attempt. It is tried again by itself."
            }
            Self::NeedsPerson => "Somebody has to decide which record it belongs to.",
            Self::RecordDeleted => {
                "Somebody deleted the lead in the organization. Retry to create it there anew."
            }
            Self::InternalError => "Something went wrong in the portal. The log says what.",
        }
    }

    /// Whether it says something about the destination as a whole, so that asking it about other records is useless now.
    #[must_use]
    pub const fn is_of_destination(self) -> bool {
        matches!(
            self,
            Self::Unreachable
                | Self::TimedOut
                | Self::ServiceError
                | Self::Throttled
                | Self::Unauthorized
                | Self::AddressForbidden
                | Self::SecretUnreadable
                | Self::NotFound
                | Self::Redirected
                | Self::Gone
        )
    }

    /// The words of those that say something about the destination as a whole.
    #[must_use]
    pub fn of_destination() -> Vec<&'static str> {
        let all = Self::ALL.iter();
        all.filter(|one| one.is_of_destination())
            .map(|one| one.as_str())
            .collect()
    }
}

/// The longest pause that a Retry-After can ask for.
pub const RETRY_AFTER_CAP: Duration = Duration::from_hours(24);

/// Waits after the first, second, … failed attempt, in seconds; after the last one a delivery is dead (about three days).
const SERIES: [i64; 10] = [
    5, 60, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400,
];

/// When a delivery is tried again; `None`: it is dead.
///
/// | failed attempts | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 | 11 |
/// |---|---|---|---|---|---|---|---|---|---|---|---|
/// | wait | 5 s | 1 min | 5 min | 30 min | 2 h | 5 h | 10 h | 14 h | 20 h | 24 h | dead |
///
/// each ±20 % by `jitter` (0 to 1, drawn by the caller; 0.5 is no jitter).
#[must_use]
pub fn next_attempt(attempts: i64, now: DateTime<Utc>, jitter: f64) -> Option<DateTime<Utc>> {
    let index = usize::try_from(attempts.saturating_sub(1)).unwrap_or(0);
    let wait = SERIES.get(index)?;
    now.checked_add_signed(spread(*wait, jitter))
}

/// How long a destination in trouble is left alone, after so many troubles in a row.
///
/// | in a row | 1 | 2 | 3 | 4 | 5 | 6 | from 7 on |
/// |---|---|---|---|---|---|---|---|
/// | wait | 5 s | 15 s | 45 s | 2 min 15 s | 5 min | 10 min | 15 min |
///
/// each ±20 % by `jitter`. A Retry-After is waited at least, capped at 24 h, plus up to 10 %.
#[must_use]
pub fn rest(count: i64, jitter: f64, retry_after: Option<Duration>) -> TimeDelta {
    const RESTS: [i64; 7] = [5, 15, 45, 135, 300, 600, 900];
    let index = usize::try_from(count.saturating_sub(1))
        .unwrap_or(0)
        .min(RESTS.len() - 1);
    let own = spread(RESTS.get(index).copied().unwrap_or(900), jitter);
    let Some(asked) = retry_after.filter(|asked| !asked.is_zero()) else {
        return own;
    };
    let asked = asked.min(RETRY_AFTER_CAP).as_secs_f64() * (1.0 + 0.1 * bounded(jitter));
    own.max(milliseconds(asked * 1_000.0))
}

/// A webhook that failed at least so often in a row …
pub const DISABLE_AFTER_TROUBLES: i64 = 20;
/// … and for at least so long is switched off.
pub const DISABLE_AFTER: TimeDelta = TimeDelta::days(5);

/// Whether a destination failed often enough and for long enough to be switched off.
#[must_use]
pub fn is_given_up(troubles: i64, since: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    troubles >= DISABLE_AFTER_TROUBLES && now - since >= DISABLE_AFTER
}

fn bounded(jitter: f64) -> f64 {
    if jitter.is_finite() {
        jitter.clamp(0.0, 1.0)
    } else {
        0.5
    }
}

fn spread(seconds: i64, jitter: f64) -> TimeDelta {
    milliseconds(1_000.0 * seconds as f64 * (0.8 + 0.4 * bounded(jitter)))
}

fn milliseconds(milliseconds: f64) -> TimeDelta {
    // All callers stay far below the 2^53 that a float holds exactly.
    TimeDelta::milliseconds(milliseconds.round() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_790_000_000 + seconds, 0).unwrap()
    }

    #[test]
    fn a_delivery_is_tried_for_three_days_and_then_dead() {
        let waits: Vec<Option<i64>> = (1..=11)
            .map(|attempts| {
                next_attempt(attempts, at(0), 0.5).map(|next| (next - at(0)).num_seconds())
            })
            .collect();
        let mut expected: Vec<Option<i64>> = SERIES.iter().copied().map(Some).collect();
        expected.push(None);
        assert_eq!(waits, expected);
        assert_eq!(next_attempt(1, at(0), 0.0), Some(at(4)));
        assert_eq!(next_attempt(1, at(0), 1.0), Some(at(6)));
        assert_eq!(next_attempt(1, at(0), f64::NAN), Some(at(5)));
    }

    #[test]
    fn a_destination_in_trouble_rests_longer_and_longer_and_at_least_as_it_asks() {
        let plain = |count| rest(count, 0.5, None).num_seconds();
        assert_eq!(
            [plain(0), plain(1), plain(2), plain(7), plain(70)],
            [5, 5, 15, 900, 900]
        );
        let asked = |seconds| rest(1, 0.0, Some(Duration::from_secs(seconds))).num_seconds();
        assert_eq!(
            [asked(0), asked(1), asked(60), asked(1_000_000)],
            [4, 4, 60, 86_400]
        );
        assert_eq!(
            rest(1, 1.0, Some(Duration::from_secs(100))).num_seconds(),
            110
        );
    }

    #[test]
    fn giving_up_takes_both_many_troubles_and_days() {
        let days = |n: i64| at(n * 86_400);
        assert!(is_given_up(20, days(0), days(5)));
        assert!(!is_given_up(19, days(0), days(9)));
        assert!(!is_given_up(500, days(0), days(4)));
    }
}
