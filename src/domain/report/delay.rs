//! The time from submission to lead: counted in classes, so that median and 90th percentile need no sorting of rows.

/// The classes' upper bounds in seconds, each the lower bound of the next class; the last class has no upper bound.
/// Few, because every combination of class, campaign, form and so on is a group of its own: a percentile is
/// off by a minute at most as long as the synchronization runs every five.
pub const BOUNDS: [i64; 23] = [
    2, 5, 10, 20, 30, 60, 120, 180, 240, 300, 420, 600, 900, 1_200, 1_800, 3_600, 7_200, 14_400,
    28_800, 86_400, 172_800, 345_600, 604_800,
];

/// What is told of submissions that waited longer than the last bound.
const LONGEST: i64 = 604_800;

/// Classes that people read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WaitingClass {
    /// What it says.
    pub label: &'static str,
    /// From this many seconds.
    pub from: i64,
    /// To less than this many seconds; one of [`BOUNDS`].
    pub to: i64,
}

/// The classes of the chart of waiting times; together they hold everything.
pub const WAITING_CLASSES: [WaitingClass; 6] = [
    WaitingClass {
        label: "Under 1 minute",
        from: 0,
        to: 60,
    },
    WaitingClass {
        label: "1 to 5 minutes",
        from: 60,
        to: 300,
    },
    WaitingClass {
        label: "5 to 15 minutes",
        from: 300,
        to: 900,
    },
    WaitingClass {
        label: "15 to 60 minutes",
        from: 900,
        to: 3_600,
    },
    WaitingClass {
        label: "1 to 24 hours",
        from: 3_600,
        to: 86_400,
    },
    WaitingClass {
        label: "1 day or more",
        from: 86_400,
        to: i64::MAX,
    },
];

/// How many waited how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DelayHistogram([i64; BOUNDS.len() + 1]);

impl Default for DelayHistogram {
    fn default() -> Self {
        Self([0; BOUNDS.len() + 1])
    }
}

impl DelayHistogram {
    /// Adds `count` to a class; numbers that are no class are left out.
    pub fn add(&mut self, class: i64, count: i64) {
        if let Some(cell) = usize::try_from(class)
            .ok()
            .and_then(|class| self.0.get_mut(class))
        {
            *cell += count;
        }
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> i64 {
        self.0.iter().sum()
    }

    /// The time in seconds within which `percent` of all had become leads: read off inside of the class as if
    /// its times lay evenly. `None` when there are none.
    #[must_use]
    pub fn percentile(&self, percent: i64) -> Option<i64> {
        let count = self.count();
        if count <= 0 {
            return None;
        }
        // The rank from 1, rounded up: of one, every percentile is that one.
        let rank = (count * percent.clamp(1, 100) + 99) / 100;
        let mut below = 0;
        for (class, inside) in self.0.iter().enumerate() {
            if *inside > 0 && below + inside >= rank {
                let from = class
                    .checked_sub(1)
                    .and_then(|at| BOUNDS.get(at))
                    .copied()
                    .unwrap_or(0);
                let to = BOUNDS.get(class).copied().unwrap_or(LONGEST);
                return Some(from + (to - from) * (2 * (rank - below) - 1) / (2 * inside));
            }
            below += inside;
        }
        None
    }

    /// How many of a class that people read.
    #[must_use]
    pub fn waiting(&self, class: &WaitingClass) -> i64 {
        self.0
            .iter()
            .enumerate()
            .filter(|(at, _)| {
                let to = BOUNDS.get(*at).copied().unwrap_or(i64::MAX);
                class.from < to && to <= class.to
            })
            .map(|(_, count)| count)
            .sum()
    }
}

/// A time in words: `45 s`, `4 min 20 s`, `3 h 5 min`, `2 d 4 h`; `7 days or more` at the end of what is measured.
#[must_use]
pub fn waited(seconds: i64) -> String {
    let pair = |big: i64, one: &str, small: i64, two: &str| {
        if small == 0 {
            format!("{big} {one}")
        } else {
            format!("{big} {one} {small} {two}")
        }
    };
    match seconds {
        ..60 => format!("{} s", seconds.max(0)),
        60..3_600 => pair(seconds / 60, "min", seconds % 60, "s"),
        3_600..86_400 => pair(seconds / 3_600, "h", seconds % 3_600 / 60, "min"),
        86_400..LONGEST => pair(seconds / 86_400, "d", seconds % 86_400 / 3_600, "h"),
        LONGEST.. => "7 days or more".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn class_of(seconds: i64) -> usize {
        BOUNDS.iter().take_while(|bound| seconds >= **bound).count()
    }

    fn histogram(times: &[i64]) -> DelayHistogram {
        let mut all = DelayHistogram::default();
        for seconds in times {
            all.add(class_of(*seconds) as i64, 1);
        }
        all
    }

    #[test]
    fn bounds_rise_and_the_readable_classes_end_on_them_and_hold_everything() {
        assert!(BOUNDS.windows(2).all(|pair| pair[0] < pair[1]));
        for pair in WAITING_CLASSES.windows(2) {
            assert_eq!(pair[0].to, pair[1].from);
            assert!(BOUNDS.contains(&pair[0].to));
        }
        let all = histogram(&[
            0, 59, 60, 299, 300, 899, 900, 3_599, 3_600, 86_399, 86_400, 9_000_000,
        ]);
        let told: Vec<i64> = WAITING_CLASSES
            .iter()
            .map(|class| all.waiting(class))
            .collect();
        assert_eq!(told, [2; 6]);
    }

    #[test]
    fn percentiles_are_read_off_inside_of_their_class() {
        assert_eq!(DelayHistogram::default().percentile(50), None);
        assert_eq!(histogram(&[0]).percentile(50), Some(1));
        // 240 to 300 s: the first of two stands for the first half of the class, the second for the other.
        let two = histogram(&[250, 250]);
        assert_eq!(
            (two.percentile(50), two.percentile(90)),
            (Some(255), Some(285))
        );
        assert_eq!(histogram(&[10_000_000]).percentile(90), Some(604_800));
        let mut odd = DelayHistogram::default();
        odd.add(-1, 5);
        odd.add(99, 5);
        assert_eq!(odd.count(), 0);
    }

    #[test]
    fn times_are_told_in_two_units() {
        for (seconds, words) in [
            (-3, "0 s"),
            (45, "45 s"),
            (60, "1 min"),
            (260, "4 min 20 s"),
            (11_100, "3 h 5 min"),
            (187_200, "2 d 4 h"),
            (604_800, "7 days or more"),
        ] {
            assert_eq!(waited(seconds), words);
        }
    }

    proptest! {
        #[test]
        fn a_percentile_lies_in_the_class_of_the_exact_one(mut times in proptest::collection::vec(0_i64..604_800, 1..200), percent in 1_i64..=100) {
            let found = histogram(&times).percentile(percent).unwrap();
            times.sort_unstable();
            let rank = (times.len() as i64 * percent + 99) / 100;
            let exact = times[rank as usize - 1];
            let class = class_of(exact);
            let from = if class == 0 { 0 } else { BOUNDS[class - 1] };
            prop_assert!(from <= found && found <= BOUNDS[class], "{exact} {found}");
        }
    }
}
