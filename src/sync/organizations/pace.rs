//! How fast an organization is written to: faster while all is well, at half the speed when it asks to slow down.

/// Requests at once, at most: far below the service's own 52, so that people notice nothing.
const MOST_AT_ONCE: usize = 16;
/// Records in one request, at most.
const MOST_ROWS: usize = 100;

/// The pace of one organization, known to this process only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Requests at once.
    pub at_once: usize,
    /// Records in one request.
    pub rows: usize,
    /// Whether it takes several records in one request.
    pub has_bulk: bool,
    /// Whether the application may give leads to others; `None` while nobody asked.
    pub can_assign: Option<bool>,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            at_once: 4,
            rows: MOST_ROWS,
            has_bulk: true,
            can_assign: None,
        }
    }
}

impl Pace {
    /// A batch went well.
    pub fn speed_up(&mut self) {
        self.at_once = (self.at_once + 1).min(MOST_AT_ONCE);
        self.rows = self.rows.saturating_mul(2).min(MOST_ROWS);
    }

    /// The organization asked for fewer requests.
    pub fn slow_down(&mut self) {
        self.at_once = (self.at_once / 2).max(1);
    }

    /// A large request failed.
    pub fn shrink(&mut self) {
        self.rows = (self.rows / 2).max(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_halves_when_asked_and_grows_back_step_by_step() {
        let mut pace = Pace::default();
        for _ in 0..50 {
            pace.speed_up();
        }
        assert_eq!((pace.at_once, pace.rows), (MOST_AT_ONCE, MOST_ROWS));
        for _ in 0..9 {
            pace.slow_down();
            pace.shrink();
        }
        assert_eq!((pace.at_once, pace.rows), (1, 1));
        pace.speed_up();
        assert_eq!((pace.at_once, pace.rows), (2, 2));
    }
}
