//! How a number compares with the one before: in words and with a sign.

/// A number of a period beside that of the period before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Change {
    /// In the period.
    pub now: i64,
    /// In the period before.
    pub before: i64,
}

impl Change {
    /// By how much it grew; negative when it shrank.
    #[must_use]
    pub fn difference(self) -> i64 {
        self.now.saturating_sub(self.before)
    }

    /// The difference in percent of what was before, rounded; `None` when nothing was before.
    #[must_use]
    pub fn percent(self) -> Option<i64> {
        if self.before <= 0 {
            return None;
        }
        let (difference, before) = (i128::from(self.difference()), i128::from(self.before));
        let twice = difference * 200 / before;
        // Halves are rounded away from zero.
        let rounded = (twice + twice.signum()) / 2;
        i64::try_from(rounded).ok()
    }
}

/// `12 more (+34 %)`, `5 fewer (−20 %)`, `the same`, `3 more (none before)`.
impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (word, sign) = match self.difference() {
            0 => return f.write_str("the same"),
            1.. => ("more", "+"),
            _ => ("fewer", "−"),
        };
        write!(f, "{} {word} ", grouped(self.difference().unsigned_abs()))?;
        match self.percent() {
            Some(percent) => write!(f, "({sign}{} %)", grouped(percent.unsigned_abs())),
            None => f.write_str("(none before)"),
        }
    }
}

/// `part` of `whole` in percent with one decimal; `–` when there is no whole.
#[must_use]
pub fn share(part: i64, whole: i64) -> String {
    if whole <= 0 {
        return "–".to_owned();
    }
    let tenths = (i128::from(part) * 2_000 / i128::from(whole) + 1) / 2;
    format!("{}.{} %", tenths / 10, tenths % 10)
}

/// Digits in groups of three.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_told_in_words_with_its_sign() {
        for (now, before, words) in [
            (0, 0, "the same"),
            (7, 7, "the same"),
            (3, 0, "3 more (none before)"),
            (0, 4, "4 fewer (−100 %)"),
            (15, 10, "5 more (+50 %)"),
            (3, 8, "5 fewer (−63 %)"),
            (201, 200, "1 more (+1 %)"),
            (1_000_000, 1, "999,999 more (+99,999,900 %)"),
        ] {
            assert_eq!(Change { now, before }.to_string(), words);
        }
        assert_eq!(
            Change {
                now: i64::MAX,
                before: i64::MIN
            }
            .difference(),
            i64::MAX
        );
    }

    #[test]
    fn shares_are_rounded_to_one_decimal() {
        for (part, whole, words) in [
            (0, 0, "–"),
            (1, 3, "33.3 %"),
            (2, 3, "66.7 %"),
            (3, 3, "100.0 %"),
            (1, 2_000, "0.1 %"),
        ] {
            assert_eq!(share(part, whole), words);
        }
    }
}
