//! How the synchronization stands, in one sentence: the worst that there is, and what to do about it.

use chrono::{DateTime, TimeDelta, Utc};

use super::Rows;
use crate::domain::profile::Authorization;

/// A pause that is older is spoken of before everything else that works: LinkedIn keeps some submissions for 90 days.
const LONG_PAUSE: TimeDelta = TimeDelta::days(60);

/// How it stands, in one sentence.
pub(super) struct Health {
    pub(super) tone: &'static str,
    pub(super) sentence: String,
    /// What to do, with address and label.
    pub(super) next: Option<(&'static str, &'static str)>,
}

pub(super) fn counted(count: usize, one: &str, many: &str) -> String {
    if count == 1 {
        format!("1 {one}")
    } else {
        format!("{count} {many}")
    }
}

/// The sentence for what is worst.
pub(super) fn health(rows: &Rows, now: DateTime<Utc>) -> Health {
    let (profiles, accounts) = (&rows.profiles, &rows.accounts);
    let is_running = !rows.activity.runs.is_empty();
    let say = |tone, sentence: String, next| Health {
        tone,
        sentence,
        next,
    };
    if profiles.is_empty() {
        return say(
            "quiet",
            "Nothing is synchronized yet: there is no LinkedIn user profile.".to_owned(),
            Some(("/linkedin-user-profiles/new", "Make the first profile")),
        );
    }
    let usable = profiles.iter().filter(|row| row.profile.can_sync()).count();
    if usable == 0 {
        return say(
            "bad",
            "Nothing can be synchronized: no LinkedIn user profile is authorized.".to_owned(),
            Some(("/linkedin-user-profiles", "Authorize a profile")),
        );
    }
    if !rows.processes.is_empty()
        && !rows
            .processes
            .iter()
            .any(|process| process.is_alive && process.said.has_scheduler)
    {
        return say(
            "bad",
            "Nothing is synchronized: no process with a scheduler is running.".to_owned(),
            None,
        );
    }
    let paused: Vec<_> = accounts
        .iter()
        .filter(|row| row.account.is_sync_enabled)
        .filter_map(|row| row.account.pause.as_ref())
        .collect();
    let are_paused = match paused.len() {
        0 => String::new(),
        1 => " 1 account is paused.".to_owned(),
        many => format!(" {many} accounts are paused."),
    };
    let enabled = || {
        accounts
            .iter()
            .filter(|row| row.account.is_sync_enabled && row.account.pause.is_none())
    };
    let failing = enabled()
        .filter(|row| row.account.failure_reason.is_some())
        .count();
    let all = enabled().count();
    if failing > 0 && failing == all {
        return say(
            "bad",
            format!(
                "None of the {} can be read at the moment. The reasons stand below.",
                counted(all, "account", "accounts")
            ),
            None,
        );
    }
    if failing > 0 {
        return say(
            "warn",
            format!(
                "{failing} of {} cannot be read at the moment; the others go on. The reasons stand below.",
                counted(all, "account", "accounts")
            ),
            None,
        );
    }
    let ended = profiles
        .iter()
        .filter(|row| {
            matches!(
                row.profile.authorization,
                Authorization::Expired | Authorization::ConsentWithdrawn
            )
        })
        .count();
    if ended > 0 {
        return say(
            "warn",
            format!(
                "{} no longer authorized.",
                if ended == 1 {
                    "1 profile is".to_owned()
                } else {
                    format!("{ended} profiles are")
                }
            ),
            Some(("/linkedin-user-profiles", "Open the profiles")),
        );
    }
    if let Some((name, days)) = profiles
        .iter()
        .filter_map(|row| row.warning.map(|(_, days)| (&row.profile.name, days)))
        .min_by_key(|(_, days)| *days)
    {
        let when = match days {
            ..=0 => "within a day".to_owned(),
            1 => "in 1 day".to_owned(),
            days => format!("in {days} days"),
        };
        return say(
            "warn",
            format!("The synchronization works, but the authorization of {name} ends {when}."),
            Some(("/linkedin-user-profiles", "Authorize it again")),
        );
    }
    if is_running {
        return say("busy", format!("Synchronizing now.{are_paused}"), None);
    }
    if accounts.is_empty() {
        return say(
            "warn",
            "The profiles are authorized, but LinkedIn lists no accounts for them.".to_owned(),
            None,
        );
    }
    if let Some(longest) = paused.iter().map(|pause| now - pause.since).max()
        && longest > LONG_PAUSE
    {
        return say(
            "warn",
            format!(
                "An account has been paused for {} days, and LinkedIn keeps some submissions for 90 days only.",
                longest.num_days()
            ),
            None,
        );
    }
    if all == 0 && !paused.is_empty() {
        return say(
            "warn",
            format!("Nothing is synchronized:{are_paused}"),
            None,
        );
    }
    if all == 0 {
        return say(
            "quiet",
            "Sync is switched off for every account.".to_owned(),
            Some(("/linkedin-accounts", "Open the accounts")),
        );
    }
    let waiting = enabled()
        .filter(|row| row.account.last_synchronized_at.is_none())
        .count();
    if waiting > 0 {
        return say(
            "busy",
            format!(
                "{} waiting for the first synchronization.",
                if waiting == 1 {
                    "1 account is".to_owned()
                } else {
                    format!("{waiting} accounts are")
                }
            ),
            None,
        );
    }
    let overdue = enabled()
        .filter(|row| {
            row.account
                .next_sync_at
                .is_some_and(|due| now - due > chrono::TimeDelta::hours(1))
        })
        .count();
    if overdue > 0 {
        return say(
            "bad",
            format!(
                "{} due for more than an hour, and nobody works on it: the scheduler seems to be stopped.",
                if overdue == 1 {
                    "1 account is".to_owned()
                } else {
                    format!("{overdue} accounts are")
                }
            ),
            None,
        );
    }
    if !rows.destinations.is_empty() {
        return say(
            "warn",
            format!(
                "{} up to date, but a destination of the leads needs attention.{are_paused}",
                if all == 1 {
                    "The one account is".to_owned()
                } else {
                    format!("All {all} accounts are")
                }
            ),
            None,
        );
    }
    say(
        "good",
        format!(
            "Everything is in order: {} up to date.{are_paused}",
            if all == 1 {
                "the one account is".to_owned()
            } else {
                format!("all {all} accounts are")
            }
        ),
        None,
    )
}
