//! The LinkedIn user profile: its states, the scopes it needs, and when its token's end deserves a warning.

use chrono::{DateTime, TimeDelta, Utc};

use super::words::words;

words! {
    /// Whether LinkedIn lets us read on behalf of this profile.
    pub enum Authorization {
        NotAuthorized = "not_authorized" => "Not Authorized",
        Authorized = "authorized" => "Authorized",
        Expired = "expired" => "Expired",
        Reauthorizing = "reauthorizing" => "Reauthorizing",
        /// Ours: the person, or the organisation's setting, withdrew the consent.
        ConsentWithdrawn = "consent_withdrawn" => "Consent Withdrawn",
    }
}

words! {
    /// What the sync does with this profile's accounts.
    pub enum ProfileSyncStatus {
        NotSyncing = "not_syncing" => "Not Syncing",
        SyncingAccounts = "syncing_accounts" => "Syncing Accounts",
        Active = "active" => "Active",
        NoAccountsAvailable = "no_accounts_available" => "No Accounts Available",
    }
}

/// A scope that the portal asks LinkedIn for, and what it is for (linkedin-api.md §1.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scope {
    /// LinkedIn's name of the scope.
    pub name: &'static str,
    /// What it lets us read, in plain words, for the confirmation page.
    pub purpose: &'static str,
    /// Other scopes that give at least as much.
    pub implied_by: &'static [&'static str],
}

const REQUIRED_SCOPES: &[Scope] = &[
    Scope {
        name: "r_marketing_leadgen_automation",
        purpose: "read Lead Gen forms and their submissions",
        implied_by: &[],
    },
    Scope {
        name: "r_ads",
        purpose: "read ad accounts and campaigns",
        implied_by: &["rw_ads"],
    },
];

const OPTIONAL_SCOPES: &[Scope] = &[
    Scope {
        name: "r_organization_admin",
        purpose: "read the organizations that the member administers, for organic leads",
        implied_by: &["rw_organization_admin"],
    },
    Scope {
        name: "r_ads_reporting",
        purpose: "read campaign reports",
        implied_by: &[],
    },
    Scope {
        name: "r_events",
        purpose: "read event leads",
        implied_by: &[],
    },
    Scope {
        name: "r_basicprofile",
        purpose: "read the member’s name",
        implied_by: &["profile"],
    },
];

/// The scopes without which no lead can be read.
#[must_use]
pub const fn required_scopes() -> &'static [Scope] {
    REQUIRED_SCOPES
}

/// The scopes that give more where LinkedIn's products grant them: organic leads, reports, the member's name.
#[must_use]
pub const fn optional_scopes() -> &'static [Scope] {
    OPTIONAL_SCOPES
}

/// Which required scopes are missing among those granted. A wider scope counts for the one it implies.
#[must_use]
pub fn missing_scopes(granted: &[String]) -> Vec<&'static str> {
    let has = |name: &str| granted.iter().any(|scope| scope.trim() == name);
    REQUIRED_SCOPES
        .iter()
        .filter(|scope| !has(scope.name) && !scope.implied_by.iter().any(|wider| has(wider)))
        .map(|scope| scope.name)
        .collect()
}

/// Splits the scope text of a token answer: LinkedIn separates by commas, the standard by spaces.
#[must_use]
pub fn granted_scopes(text: &str) -> Vec<String> {
    let mut scopes: Vec<String> = text
        .split([',', ' ', '\n', '\t'])
        .filter(|s| !s.is_empty())
        .map(str::to_owned)
        .collect();
    scopes.sort_unstable();
    scopes.dedup();
    scopes
}

words! {
    /// How urgent the end of a token is, from 14 days before it on.
    pub enum TokenWarning {
        TwoWeeks = "two_weeks" => "ends within 14 days",
        OneWeek = "one_week" => "ends within 7 days",
        ThreeDays = "three_days" => "ends within 3 days",
        OneDay = "one_day" => "ends within a day",
        Ended = "ended" => "has ended",
    }
}

/// Whole days left until the token ends; negative days after it ended.
#[must_use]
pub fn token_days_left(expires_at: DateTime<Utc>, now: DateTime<Utc>) -> i64 {
    (expires_at - now).num_seconds().div_euclid(86_400)
}

/// The warning due at `now` for a token that ends at `expires_at`, if any.
#[must_use]
pub fn token_warning(expires_at: DateTime<Utc>, now: DateTime<Utc>) -> Option<TokenWarning> {
    let left = expires_at - now;
    if left <= TimeDelta::zero() {
        Some(TokenWarning::Ended)
    } else if left <= TimeDelta::days(1) {
        Some(TokenWarning::OneDay)
    } else if left <= TimeDelta::days(3) {
        Some(TokenWarning::ThreeDays)
    } else if left <= TimeDelta::days(7) {
        Some(TokenWarning::OneWeek)
    } else if left <= TimeDelta::days(14) {
        Some(TokenWarning::TwoWeeks)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeZone as _;

    #[test]
    fn a_token_warns_from_fourteen_days_on() {
        let now = Utc.with_ymd_and_hms(2026, 11, 21, 12, 0, 0).unwrap();
        for (hours, warning) in [
            (15 * 24, None),
            (14 * 24 + 1, None),
            (14 * 24, Some(TokenWarning::TwoWeeks)),
            (7 * 24, Some(TokenWarning::OneWeek)),
            (3 * 24, Some(TokenWarning::ThreeDays)),
            (24, Some(TokenWarning::OneDay)),
            (1, Some(TokenWarning::OneDay)),
            (0, Some(TokenWarning::Ended)),
            (-50, Some(TokenWarning::Ended)),
        ] {
            assert_eq!(
                token_warning(now + TimeDelta::hours(hours), now),
                warning,
                "{hours} h"
            );
        }
        assert_eq!(token_days_left(now + TimeDelta::hours(47), now), 1);
        assert_eq!(token_days_left(now - TimeDelta::hours(1), now), -1);
    }

    #[test]
    fn missing_scopes_names_what_was_not_granted() {
        let granted = |text| granted_scopes(text);
        assert_eq!(
            missing_scopes(&granted("r_ads")),
            ["r_marketing_leadgen_automation"]
        );
        assert_eq!(
            missing_scopes(&granted("r_marketing_leadgen_automation,rw_ads")),
            [""; 0]
        );
        assert_eq!(
            missing_scopes(&granted("r_marketing_leadgen_automation r_ads profile")),
            [""; 0]
        );
        assert_eq!(missing_scopes(&[]).len(), 2);
        assert_eq!(granted_scopes("b,a b"), ["a", "b"]);
    }
}
