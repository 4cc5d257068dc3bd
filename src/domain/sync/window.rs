//! Which closed time window of submissions to read next, and how far the watermark has come.

use chrono::{DateTime, TimeDelta, Utc};

/// How far one stream (an account and a lead type) has been read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StreamState {
    /// The latest `submittedAt` that was stored; `None` before the first sync and after a reset.
    pub watermark: Option<DateTime<Utc>>,
    /// The window that is being read, if one was begun and not finished. A reset removes it with the watermark.
    pub window: Option<OpenWindow>,
    /// The end of the last window over the whole history.
    pub last_sweep_at: Option<DateTime<Utc>>,
}

/// A window that is being read, page by page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenWindow {
    /// The first instant.
    pub start: DateTime<Utc>,
    /// The last instant.
    pub end: DateTime<Utc>,
    /// Where the next page begins, in submissions from the window's first.
    pub offset: i64,
    /// When its last page was stored, by our clock.
    pub touched_at: DateTime<Utc>,
}

impl OpenWindow {
    /// Whether it covers the whole history, so that finishing it is a sweep.
    #[must_use]
    pub fn is_sweep(&self, policy: &WindowPolicy) -> bool {
        self.end - self.start >= policy.retention
    }
}

/// The lengths that choose a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowPolicy {
    /// How far before the watermark a window begins: late submissions arrive within this time.
    pub overlap: TimeDelta,
    /// How often the whole history is read, for those that arrive later still.
    pub sweep_every: TimeDelta,
    /// How far back the history goes; longer than LinkedIn's 365 days.
    pub retention: TimeDelta,
    /// How long an unfinished window can be resumed where it stopped.
    pub resume_within: TimeDelta,
}

impl Default for WindowPolicy {
    fn default() -> Self {
        Self {
            overlap: TimeDelta::hours(24),
            sweep_every: TimeDelta::hours(24),
            retention: TimeDelta::days(400),
            resume_within: TimeDelta::hours(1),
        }
    }
}

/// The window to read now.
///
/// An unfinished window is resumed at its offset. If it was idle for more than [`WindowPolicy::resume_within`], its
/// offset is worth nothing any more: it is read again from offset 0, from the same start (pages that were not read may
/// lie before the watermark) to the present. Otherwise a window runs from `overlap` before the watermark, or over the
/// whole history at the first time and every `sweep_every`.
///
/// The end is LinkedIn's own time where it is known (`linkedin_now`, from the `Date` header): our clock may be wrong.
#[must_use]
pub fn open_window(
    state: &StreamState,
    now: DateTime<Utc>,
    linkedin_now: Option<DateTime<Utc>>,
    policy: &WindowPolicy,
) -> OpenWindow {
    if let Some(window) = state.window
        && now - window.touched_at <= policy.resume_within
    {
        return window;
    }
    let end = linkedin_now.unwrap_or(now);
    let earliest = end - policy.retention;
    // A sweep that ended in the future was dated by a clock that ran ahead: it says nothing about when the next is due.
    let sweep_is_due = state
        .last_sweep_at
        .is_none_or(|last| end - last >= policy.sweep_every || last - end >= policy.sweep_every);
    let start = match state.watermark {
        Some(watermark) if !sweep_is_due => watermark.min(end) - policy.overlap,
        _ => earliest,
    };
    let start = state
        .window
        .map_or(start, |unfinished| start.min(unfinished.start))
        .max(earliest);
    OpenWindow {
        start,
        end,
        offset: 0,
        touched_at: now,
    }
}

/// The watermark after a page: the latest `submittedAt` seen, never backwards and never past the window's end.
#[must_use]
pub fn advance(
    watermark: Option<DateTime<Utc>>,
    max_submitted_at_seen: Option<DateTime<Utc>>,
    window_end: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    // `None` is less than any time. A watermark beyond this window's end stays: it never goes backwards.
    watermark.max(max_submitted_at_seen.map(|seen| seen.min(window_end)))
}
