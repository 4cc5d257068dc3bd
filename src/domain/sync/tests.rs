//! Tests of the sync rules: retry series, pages, windows, watermark.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, TimeZone as _, Utc};
use proptest::prelude::*;

use super::*;

fn noon() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 21, 12, 0, 0).unwrap()
}

fn wait(attempt: u32, reason: FailureReason, jitter: f64, retry_after: Option<u64>) -> i64 {
    (next_attempt(
        attempt,
        reason,
        noon(),
        jitter,
        retry_after.map(Duration::from_secs),
    ) - noon())
    .num_seconds()
}

#[test]
fn the_retry_series_is_the_one_in_its_doc() {
    use FailureReason as R;
    for (attempt, seconds) in [
        (0, 30),
        (1, 30),
        (2, 60),
        (3, 120),
        (4, 240),
        (5, 480),
        (6, 960),
        (7, 1_800),
        (8, 1_800),
        (1_000, 1_800),
        (u32::MAX, 1_800),
    ] {
        assert_eq!(
            wait(attempt, R::LinkedinError, 0.5, None),
            seconds,
            "attempt {attempt}"
        );
        assert_eq!(
            wait(attempt, R::LinkedinError, 0.0, None),
            seconds * 8 / 10,
            "attempt {attempt}, least"
        );
        assert_eq!(
            wait(attempt, R::LinkedinError, 1.0, None),
            seconds * 12 / 10,
            "attempt {attempt}, most"
        );
    }
}

#[test]
fn limits_retry_after_and_permanent_reasons_wait_their_own_time() {
    use FailureReason as R;
    const HOUR: i64 = 3_600;
    for (reason, jitter, retry_after, seconds) in [
        (R::DailyLimitReached, 0.0, None, 12 * HOUR),
        (R::DailyLimitReached, 1.0, None, 12 * HOUR + 120),
        (R::DailyLimitReached, 0.0, Some(60), 12 * HOUR),
        (R::DailyLimitReached, 0.0, Some(20 * 3_600), 20 * HOUR),
        (R::RateLimited, 0.0, Some(90), 90),
        (R::RateLimited, 1.0, Some(90), 99),
        (R::RateLimited, 0.5, Some(0), 30),
        (R::RateLimited, 0.0, Some(365 * 24 * 3_600), 24 * HOUR),
        (R::RateLimited, 1.0, Some(u64::MAX), 24 * HOUR),
        (R::TokenExpired, 0.5, None, HOUR),
        (R::Forbidden, 0.0, None, HOUR * 8 / 10),
        (R::VersionNotActive, 1.0, None, HOUR * 12 / 10),
        (R::LinkedinTimeout, f64::NAN, None, 30),
        (R::LinkedinTimeout, -5.0, None, 24),
        (R::LinkedinTimeout, f64::INFINITY, None, 30),
    ] {
        assert_eq!(
            wait(1, reason, jitter, retry_after),
            seconds,
            "{reason} {jitter} {retry_after:?}"
        );
    }
    let midnight = Utc.with_ymd_and_hms(2026, 11, 22, 0, 0, 0).unwrap();
    let after = |now| next_attempt(3, R::DailyLimitReached, now, 0.0, None);
    assert_eq!(after(midnight - TimeDelta::milliseconds(1)), midnight);
    assert_eq!(after(midnight), midnight + TimeDelta::days(1));
    let end = DateTime::<Utc>::MAX_UTC;
    assert_eq!(next_attempt(1, R::LinkedinError, end, 0.5, None), end);
}

#[test]
fn every_reason_explains_itself_and_says_what_to_do() {
    for reason in FailureReason::ALL {
        assert!(reason.explain().ends_with('.'), "{reason}");
        assert!(reason.what_to_do().ends_with('.'), "{reason}");
    }
}

#[test]
fn a_page_is_the_last_one_only_when_it_is_empty_or_short_and_the_total_agrees() {
    for (received, requested, reported, offset, total, is_last, why) in [
        (0, 100, None, 0, None, true, "empty"),
        (
            0,
            100,
            Some(100),
            300,
            Some(900),
            true,
            "empty although the total says more",
        ),
        (
            100,
            100,
            Some(100),
            0,
            Some(100),
            false,
            "full: a total may be stale",
        ),
        (
            40,
            100,
            Some(100),
            100,
            Some(140),
            true,
            "short, and the total agrees",
        ),
        (
            40,
            100,
            Some(100),
            100,
            Some(141),
            false,
            "short, but the total says more",
        ),
        (40, 100, Some(100), 100, None, false, "short, total unknown"),
        (
            50,
            100,
            Some(50),
            0,
            Some(50),
            false,
            "clamped by the server: full for its count",
        ),
        (
            50,
            1_000,
            Some(100),
            100,
            Some(150),
            true,
            "clamped, then short",
        ),
        (
            40,
            100,
            Some(0),
            0,
            Some(40),
            true,
            "a count of nothing counts not",
        ),
        (
            40,
            100,
            Some(-1),
            0,
            Some(40),
            true,
            "a negative count counts not",
        ),
        (
            100,
            100,
            Some(500),
            0,
            Some(100),
            false,
            "a count beyond what was asked counts not",
        ),
        (120, 100, Some(100), 0, Some(120), false, "more than asked"),
        (1, 100, None, i64::MAX, Some(3), true, "an absurd offset"),
    ] {
        assert_eq!(
            is_last_page(received, requested, reported, offset, total),
            is_last,
            "{why}"
        );
    }
}

#[test]
fn the_first_window_takes_the_whole_history_and_later_ones_overlap() {
    let policy = WindowPolicy::default();
    let now = noon();
    let first = open_window(&StreamState::default(), now, None, &policy);
    assert_eq!(
        (first.start, first.end, first.offset),
        (now - TimeDelta::days(400), now, 0)
    );
    assert!(first.is_sweep(&policy));

    let state = StreamState {
        watermark: Some(now - TimeDelta::minutes(10)),
        window: None,
        last_sweep_at: Some(now - TimeDelta::hours(5)),
    };
    let later = open_window(&state, now, None, &policy);
    assert_eq!(
        (later.start, later.end),
        (now - TimeDelta::hours(24) - TimeDelta::minutes(10), now)
    );
    assert!(!later.is_sweep(&policy));

    let due = StreamState {
        last_sweep_at: Some(now - TimeDelta::hours(24)),
        ..state.clone()
    };
    assert!(open_window(&due, now, None, &policy).is_sweep(&policy));

    let reset = StreamState {
        watermark: None,
        ..state.clone()
    };
    assert!(open_window(&reset, now, None, &policy).is_sweep(&policy));

    let dormant = StreamState {
        watermark: Some(now - TimeDelta::days(2_000)),
        ..state
    };
    assert_eq!(
        open_window(&dormant, now, None, &policy).start,
        now - TimeDelta::days(400)
    );
}

#[test]
fn linkedins_clock_ends_the_window() {
    let policy = WindowPolicy::default();
    let linkedin = noon() - TimeDelta::days(40);
    let state = StreamState {
        watermark: Some(linkedin - TimeDelta::hours(1)),
        window: None,
        last_sweep_at: Some(linkedin),
    };
    let window = open_window(&state, noon(), Some(linkedin), &policy);
    assert_eq!(
        (window.start, window.end, window.touched_at),
        (linkedin - TimeDelta::hours(25), linkedin, noon())
    );
    // A watermark from a clock that ran ahead never makes an empty window.
    let ahead = StreamState {
        watermark: Some(noon()),
        ..state
    };
    let window = open_window(&ahead, noon(), Some(linkedin), &policy);
    assert_eq!(
        (window.start, window.end),
        (linkedin - TimeDelta::hours(24), linkedin)
    );
}

#[test]
fn an_unfinished_window_is_resumed_or_read_again_from_its_start() {
    let policy = WindowPolicy::default();
    let unfinished = |idle: TimeDelta| OpenWindow {
        start: noon() - TimeDelta::days(400),
        end: noon() - TimeDelta::hours(2),
        offset: 3_000,
        touched_at: noon() - idle,
    };
    let state = |idle| StreamState {
        watermark: Some(noon() - TimeDelta::hours(3)),
        window: Some(unfinished(idle)),
        last_sweep_at: Some(noon() - TimeDelta::hours(3)),
    };
    for idle in [TimeDelta::zero(), TimeDelta::hours(1), TimeDelta::hours(-5)] {
        assert_eq!(
            open_window(&state(idle), noon(), None, &policy),
            unfinished(idle),
            "idle for {idle}"
        );
    }
    let again = open_window(
        &state(TimeDelta::hours(1) + TimeDelta::seconds(1)),
        noon(),
        None,
        &policy,
    );
    assert_eq!(
        (again.start, again.end, again.offset),
        (noon() - TimeDelta::days(400), noon(), 0)
    );
    assert_eq!(again.touched_at, noon());
}

#[test]
fn the_watermark_moves_forwards_and_never_past_the_window() {
    let hour = |n| Some(noon() + TimeDelta::hours(n));
    for (watermark, seen, end, result) in [
        (None, None, 0, None),
        (None, hour(-1), 0, hour(-1)),
        (hour(-2), hour(-1), 0, hour(-1)),
        (hour(-1), hour(-2), 0, hour(-1)),
        (hour(-1), None, 0, hour(-1)),
        (hour(-1), hour(5), 0, hour(0)),
        (hour(3), hour(1), 2, hour(3)),
    ] {
        assert_eq!(
            advance(watermark, seen, noon() + TimeDelta::hours(end)),
            result
        );
    }
}

#[test]
fn a_run_of_many_parts_says_whether_some_or_all_failed() {
    for (succeeded, failed, status) in [
        (0, 0, RunStatus::Succeeded),
        (3, 0, RunStatus::Succeeded),
        (2, 1, RunStatus::PartlyFailed),
        (0, 2, RunStatus::Failed),
    ] {
        assert_eq!(RunStatus::from_parts(succeeded, failed), status);
    }
    assert!(
        RunStatus::ALL
            .iter()
            .filter(|status| !status.is_finished())
            .eq([&RunStatus::Running])
    );
}

fn any_time() -> impl Strategy<Value = DateTime<Utc>> {
    (-1_000_i64..1_000).prop_map(|minutes| noon() + TimeDelta::minutes(minutes))
}

proptest! {
    #[test]
    fn the_watermark_is_monotone_and_bounded(
        start in proptest::option::of(any_time()),
        pages in proptest::collection::vec((proptest::option::of(any_time()), any_time()), 0..20),
    ) {
        let mut watermark = start;
        let mut bound = start;
        for (seen, end) in pages {
            let next = advance(watermark, seen, end);
            prop_assert!(next >= watermark);
            bound = bound.max(Some(end));
            prop_assert!(next <= bound);
            // The same page again changes nothing.
            prop_assert_eq!(advance(next, seen, end), next);
            watermark = next;
        }
    }

    #[test]
    fn a_window_always_begins_before_it_ends_and_covers_the_overlap(
        watermark in proptest::option::of(any_time()),
        last_sweep_at in proptest::option::of(any_time()),
        linkedin_now in proptest::option::of(any_time()),
        now in any_time(),
    ) {
        let policy = WindowPolicy::default();
        let state = StreamState { watermark, window: None, last_sweep_at };
        let window = open_window(&state, now, linkedin_now, &policy);
        prop_assert!(window.end - window.start >= policy.overlap);
        prop_assert!(window.end - window.start <= policy.retention);
        prop_assert_eq!(window.offset, 0);
        if let Some(watermark) = watermark {
            prop_assert!(window.start <= watermark - policy.overlap || window.start <= window.end - policy.overlap);
        }
    }

    #[test]
    fn the_next_attempt_lies_ahead_within_a_day(attempt in any::<u32>(), jitter in any::<f64>(), after in proptest::option::of(any::<u64>())) {
        for reason in FailureReason::ALL {
            let next = next_attempt(attempt, *reason, noon(), jitter, after.map(Duration::from_secs));
            prop_assert!(next > noon(), "{}", reason);
            prop_assert!(next <= noon() + TimeDelta::hours(24) + TimeDelta::minutes(2));
        }
    }
}
