//! Sync Status: how it stands in one sentence, the totals, each profile and account, the timeline, one run, the reset.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use askama::Template;
use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::keyset::{KeysetPager, start};
use super::profiles::warning_of;
use super::{Answer, FieldErrors, Flash, Form, Path, Portal, Query, Shell};
use crate::domain::access::Permission;
use crate::domain::ids::{AccountId, ProfileId, RunId};
use crate::domain::profile::{Authorization, TokenWarning};
use crate::domain::sync::RunStatus;
use crate::store::accounts::{self, Account, AccountFilter};
use crate::store::audit::Actor;
use crate::store::paging::Cursor;
use crate::store::profiles::{self, Profile, ProfileFilter};
use crate::store::status::{self, StatusTotals};
use crate::store::sync_runs::{self, RunFilter, SyncRun};
use crate::store::{AnyConn, StoreError};
use crate::sync::reset::{self, Extent};

/// A profile on the status page.
struct ProfileRow {
    profile: Profile,
    warning: Option<(TokenWarning, i64)>,
}

/// An account on the status page.
struct AccountRow {
    account: Account,
    latest: Option<SyncRun>,
}

/// How it stands, in one sentence.
struct Health {
    tone: &'static str,
    sentence: String,
    /// What to do, with address and label.
    next: Option<(&'static str, &'static str)>,
}

#[derive(Template)]
#[template(path = "sync_status/index.html")]
struct SyncStatusIndex {
    shell: Shell,
    health: Health,
    totals: StatusTotals,
    profiles: Vec<ProfileRow>,
    accounts: Vec<AccountRow>,
    runs: Vec<SyncRun>,
    pager: KeysetPager,
    status: &'static str,
    account: String,
    profile: String,
    is_running: bool,
}

/// The filter of the timeline and the place in it.
#[derive(Debug, Default, Deserialize)]
pub struct SyncStatusQuery {
    status: Option<RunStatus>,
    account: Option<AccountId>,
    profile: Option<ProfileId>,
    after: Option<Cursor>,
    before: Option<Cursor>,
}

fn counted(count: usize, one: &str, many: &str) -> String {
    if count == 1 {
        format!("1 {one}")
    } else {
        format!("{count} {many}")
    }
}

/// The sentence for what is worst.
fn health(
    profiles: &[ProfileRow],
    accounts: &[AccountRow],
    is_running: bool,
    now: DateTime<Utc>,
) -> Health {
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
    let enabled = || accounts.iter().filter(|row| row.account.is_sync_enabled);
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
        return say("busy", "Synchronizing now.".to_owned(), None);
    }
    if accounts.is_empty() {
        return say(
            "warn",
            "The profiles are authorized, but LinkedIn lists no accounts for them.".to_owned(),
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
    say(
        "good",
        format!(
            "Everything is in order: {} up to date.",
            if all == 1 {
                "the one account is".to_owned()
            } else {
                format!("all {all} accounts are")
            }
        ),
        None,
    )
}

fn rows(
    conn: &mut AnyConn,
    now: DateTime<Utc>,
) -> Result<(Vec<ProfileRow>, Vec<AccountRow>), StoreError> {
    let profiles = profiles::list(conn, &ProfileFilter::default())?
        .into_iter()
        .map(|profile| ProfileRow {
            warning: warning_of(&profile, &now),
            profile,
        })
        .collect();
    let accounts = accounts::list(conn, &AccountFilter::default())?
        .into_iter()
        .map(|account| {
            let latest = sync_runs::latest_of_account(conn, &account.id)?;
            Ok(AccountRow { account, latest })
        })
        .collect::<Result<_, StoreError>>()?;
    Ok((profiles, accounts))
}

/// GET /sync-status
///
/// # Errors
/// As the database.
pub async fn index(
    portal: Data<Portal>,
    shell: Shell,
    Query(query): Query<SyncStatusQuery>,
) -> Answer {
    let place = start(query.after, query.before);
    let account = query
        .account
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default();
    let profile = query
        .profile
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default();
    let mut pager = KeysetPager::new(
        "/sync-status",
        &[
            ("status", query.status.map_or("", RunStatus::as_str)),
            ("account", &account),
            ("profile", &profile),
        ],
        &place,
    );
    let filter = RunFilter {
        account_id: query.account,
        profile_id: query.profile,
        status: query.status,
    };
    let now = portal.clock.now();
    let (totals, (profiles, accounts), runs, is_running) = portal
        .store
        .read(move |conn| {
            Ok::<_, StoreError>((
                status::aggregate(conn)?,
                rows(conn, now)?,
                sync_runs::list(conn, &filter, &place)?,
                sync_runs::is_any_running(conn)?,
            ))
        })
        .await?;
    let page = SyncStatusIndex {
        health: health(&profiles, &accounts, is_running, now),
        runs: pager.take(runs),
        shell,
        totals,
        profiles,
        accounts,
        pager,
        status: query.status.map_or("", RunStatus::as_str),
        account,
        profile,
        is_running,
    };
    page.shell.render(StatusCode::OK, &page)
}

/// How long a run took.
pub(super) fn duration(run: &SyncRun) -> Option<String> {
    let length = run.finished_at? - run.started_at;
    let milliseconds = length.num_milliseconds().max(0);
    Some(match milliseconds {
        0..=999 => format!("{milliseconds} ms"),
        1_000..=59_999 => format!("{}.{} s", milliseconds / 1_000, milliseconds % 1_000 / 100),
        _ => format!(
            "{} min {} s",
            milliseconds / 60_000,
            milliseconds % 60_000 / 1_000
        ),
    })
}

#[derive(Template)]
#[template(path = "sync_status/run.html")]
struct SyncStatusRun {
    shell: Shell,
    run: SyncRun,
}

/// GET /sync-status/runs/{id}
///
/// # Errors
/// `NotFound`, or as the database.
pub async fn run(portal: Data<Portal>, shell: Shell, Path(id): Path<RunId>) -> Answer {
    let run = portal
        .store
        .read(move |conn| sync_runs::get(conn, &id))
        .await?;
    let page = SyncStatusRun { shell, run };
    page.shell.render(StatusCode::OK, &page)
}

/// What must be typed to reset.
const CONFIRMATION: &str = "RESET";

#[derive(Template)]
#[template(path = "sync_status/reset.html")]
struct SyncStatusReset {
    shell: Shell,
    extent: Extent,
    typed: String,
    errors: FieldErrors,
}

/// GET /sync-status/resets: what a reset means.
///
/// # Errors
/// As the database.
pub async fn reset_consequences(portal: Data<Portal>, shell: Shell) -> Answer {
    let extent = portal.store.read(reset::extent).await?;
    let page = SyncStatusReset {
        shell,
        extent,
        typed: String::new(),
        errors: FieldErrors::new(),
    };
    page.shell.render(StatusCode::OK, &page)
}

/// The typed confirmation.
#[derive(Debug, Deserialize)]
pub struct ResetForm {
    #[serde(default)]
    confirmation: String,
}

/// POST /sync-status/resets
///
/// # Errors
/// As the database.
pub async fn reset(
    portal: Data<Portal>,
    shell: Shell,
    actor: Actor,
    Form(form): Form<ResetForm>,
) -> Answer {
    if form.confirmation.trim() != CONFIRMATION {
        let extent = portal.store.read(reset::extent).await?;
        let mut errors = FieldErrors::new();
        errors.add(
            "confirmation",
            format!("Type {CONFIRMATION}, in capital letters, to confirm."),
        );
        let page = SyncStatusReset {
            shell,
            extent,
            typed: form.confirmation,
            errors,
        };
        return page.shell.render(StatusCode::UNPROCESSABLE_ENTITY, &page);
    }
    let now = portal.clock.now();
    let extent = portal
        .store
        .write(move |tx| reset::request(tx, &actor, now))
        .await?;
    portal.wake.notify_one();
    let accounts = usize::try_from(extent.accounts).unwrap_or(usize::MAX);
    let flash = Flash::success(format!(
        "The synchronization begins anew: all lead data of {} is read again. The progress stands below.",
        counted(accounts, "account", "accounts")
    ));
    Ok(shell.redirect("/sync-status").flash(flash))
}
