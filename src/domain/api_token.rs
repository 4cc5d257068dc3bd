//! API tokens: what they may be called, how long they live, and whether one still works.

use chrono::{DateTime, TimeDelta, Utc};

use super::words::words;

/// What every token begins with, so that people and scanners of leaked secrets know what it is.
pub const PREFIX: &str = "lgc_";

/// Characters of a token that stay known after it was made: enough to tell tokens apart, far too few to guess the rest.
pub const SHOWN: usize = PREFIX.len() + 8;

/// The longest name, in characters.
const MAX_NAME: usize = 100;

/// Between two notes of the last use at least this passes.
pub const USE_NOTED_EVERY: TimeDelta = TimeDelta::minutes(1);

words! {
    /// How long a token lives. There is no token for ever: one that nobody remembers must end by itself.
    pub enum Lifetime {
        Month = "30_days" => "30 days",
        Quarter = "90_days" => "90 days",
        HalfYear = "180_days" => "180 days",
        Year = "365_days" => "365 days",
    }
}

impl Lifetime {
    /// When a token ends that was made at this time.
    #[must_use]
    pub fn end(self, made_at: DateTime<Utc>) -> DateTime<Utc> {
        made_at
            + TimeDelta::days(match self {
                Self::Month => 30,
                Self::Quarter => 90,
                Self::HalfYear => 180,
                Self::Year => 365,
            })
    }
}

words! {
    /// Whether a token works.
    pub enum ApiTokenState {
        Active = "active" => "Active",
        Expired = "expired" => "Expired",
        Revoked = "revoked" => "Revoked",
    }
}

impl ApiTokenState {
    /// The state at this time; a revoked token stays revoked when it expires.
    #[must_use]
    pub fn at(now: DateTime<Utc>, expires_at: DateTime<Utc>, is_revoked: bool) -> Self {
        if is_revoked {
            Self::Revoked
        } else if expires_at <= now {
            Self::Expired
        } else {
            Self::Active
        }
    }
}

/// Why a name is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing was entered.
    #[error("Enter a name that says which program uses the token.")]
    Empty,
    /// Too long.
    #[error("The name may have at most 100 characters.")]
    TooLong,
    /// Line breaks and the like.
    #[error("The name may hold no line breaks or other control characters.")]
    Control,
}

/// A name without the blanks around it.
///
/// # Errors
/// See [`NameError`].
pub fn check_name(name: &str) -> Result<String, NameError> {
    let name = name.trim();
    if name.is_empty() {
        Err(NameError::Empty)
    } else if name.chars().count() > MAX_NAME {
        Err(NameError::TooLong)
    } else if name.chars().any(char::is_control) {
        Err(NameError::Control)
    } else {
        Ok(name.to_owned())
    }
}

/// Whether a text can be a token at all: the prefix and 64 hexadecimal digits. What cannot is not looked up.
#[must_use]
pub fn is_plausible(text: &str) -> bool {
    text.strip_prefix(PREFIX).is_some_and(|rest| {
        rest.len() == 64
            && rest
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_works_until_it_expires_or_is_revoked() {
        let made: DateTime<Utc> = "2026-03-02T10:00:00Z".parse().unwrap();
        let end = Lifetime::Month.end(made);
        assert_eq!(end.to_rfc3339(), "2026-04-01T10:00:00+00:00");
        let just_before = end - TimeDelta::microseconds(1);
        for (now, is_revoked, state) in [
            (made, false, ApiTokenState::Active),
            (just_before, false, ApiTokenState::Active),
            (end, false, ApiTokenState::Expired),
            (made, true, ApiTokenState::Revoked),
            (end, true, ApiTokenState::Revoked),
        ] {
            assert_eq!(ApiTokenState::at(now, end, is_revoked), state, "{now}");
        }
    }

    #[test]
    fn names_are_one_line_of_at_most_100_characters() {
        assert_eq!(check_name("  CRM "), Ok("CRM".to_owned()));
        assert_eq!(check_name(" \t"), Err(NameError::Empty));
        assert_eq!(check_name("a\nb"), Err(NameError::Control));
        assert_eq!(check_name(&"é".repeat(101)), Err(NameError::TooLong));
        assert!(check_name(&"é".repeat(100)).is_ok());
    }

    #[test]
    fn only_what_looks_like_a_token_is_looked_up() {
        assert!(is_plausible(&format!("lgc_{}", "0a".repeat(32))));
        for bad in [
            String::new(),
            "lgc_".to_owned(),
            format!("lgc_{}", "0A".repeat(32)),
            format!("lgc_{}", "0a".repeat(33)),
            format!("xyz_{}", "0a".repeat(32)),
            format!("lgc_{}é", "0".repeat(62)),
        ] {
            assert!(!is_plausible(&bad), "{bad}");
        }
    }
}
