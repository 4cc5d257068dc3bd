//! One-time links by which people set their own password.

use chrono::{DateTime, TimeDelta, Utc};

use super::words::words;

words! {
    /// What a link is for.
    pub enum LinkPurpose {
        Invitation = "invitation" => "Invitation",
        PasswordReset = "password_reset" => "Password reset",
    }
}

impl LinkPurpose {
    /// How long a link works. An invitation waits for somebody who knows nothing of it yet; whoever asked for a reset sits
    /// before the page.
    #[must_use]
    pub fn lifetime(self) -> TimeDelta {
        match self {
            Self::Invitation => TimeDelta::days(7),
            Self::PasswordReset => TimeDelta::hours(24),
        }
    }

    /// The same for people.
    #[must_use]
    pub const fn lifetime_words(self) -> &'static str {
        match self {
            Self::Invitation => "7 days",
            Self::PasswordReset => "24 hours",
        }
    }

    /// Where its page is, before the token.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::Invitation => "/invitations",
            Self::PasswordReset => "/password-resets",
        }
    }

    /// When a link that is made now stops working.
    #[must_use]
    pub fn end(self, now: DateTime<Utc>) -> DateTime<Utc> {
        now + self.lifetime()
    }
}

/// The token of a link: 64 hexadecimal digits. Anything else need not be looked up.
#[must_use]
pub fn is_plausible(token: &str) -> bool {
    token.len() == 64
        && token
            .bytes()
            .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_we_make_ourselves_looks_like_a_token() {
        assert!(is_plausible(&"0af9".repeat(16)));
        for bad in [
            "",
            "0af9",
            &"0AF9".repeat(16),
            &"é".repeat(32),
            &"0afg".repeat(16),
        ] {
            assert!(!is_plausible(bad), "{bad}");
        }
    }
}
