//! Sync Status: how it stands in one sentence, the totals, what is at work, each profile and account.

pub mod forms;
mod health;
pub mod limits;
pub mod resets;
pub mod runs;

use actix_web::http::StatusCode;
use actix_web::web::Data;
use askama::Template;
use chrono::{DateTime, Utc};

use super::notified::Notified;
use super::profiles::warning_of;
use super::{Answer, Portal, Shell};
use crate::domain::access::Permission;
use crate::domain::linkedin_version::{VersionLife, life_of};
use crate::domain::profile::{TokenWarning, token_days_left};
use crate::store::accounts::{self, Account, AccountFilter};
use crate::store::activity::{self, Activity};
use crate::store::deliveries::standing::{self, Standing};
use crate::store::notification_subscriptions::{self, NotificationStanding};
use crate::store::paging::PageStart;
use crate::store::processes::{self, Process};
use crate::store::profiles::{self, Profile, ProfileFilter};
use crate::store::status::{self, StatusTotals};
use crate::store::sync_runs::{self, RunFilter, SyncRun};
use crate::store::{AnyConn, StoreError, waiting};

use health::{Health, health};
pub(super) use runs::duration;

/// A profile on the status page.
struct ProfileRow {
    profile: Profile,
    warning: Option<(TokenWarning, i64)>,
    days_left: Option<i64>,
    latest: Option<SyncRun>,
    oldest_waiting: Option<DateTime<Utc>>,
}

/// An account on the status page.
struct AccountRow {
    account: Account,
    latest: Option<SyncRun>,
    oldest_waiting: Option<DateTime<Utc>>,
}

#[derive(Template)]
#[template(path = "sync_status/index.html")]
struct SyncStatusIndex {
    shell: Shell,
    health: Health,
    version_life: VersionLife,
    linkedin_version: String,
    totals: StatusTotals,
    activity: Activity,
    profiles: Vec<ProfileRow>,
    accounts: Vec<AccountRow>,
    runs: Vec<SyncRun>,
    notified: Notified,
    /// The destinations that somebody has to see to.
    destinations: Vec<Standing>,
}

/// Runs that the overview shows of the timeline.
const LATEST_RUNS: usize = 8;

/// What the page reads, besides the totals.
struct Rows {
    profiles: Vec<ProfileRow>,
    accounts: Vec<AccountRow>,
    processes: Vec<Process>,
    activity: Activity,
    runs: Vec<SyncRun>,
    notifications: NotificationStanding,
    destinations: Vec<Standing>,
}

fn rows(conn: &mut AnyConn, now: DateTime<Utc>) -> Result<Rows, StoreError> {
    let waiting = waiting::of_accounts(conn)?;
    let waiting_of_profiles = waiting::of_profiles(conn, &waiting)?;
    let mut latest = sync_runs::latest_of_profiles(conn)?;
    let profiles = profiles::list(conn, &ProfileFilter::default())?
        .into_iter()
        .map(|profile| ProfileRow {
            warning: warning_of(&profile, &now),
            days_left: profile
                .token
                .as_ref()
                .map(|token| token_days_left(token.expires_at, now)),
            latest: latest.remove(profile.id.as_str()),
            oldest_waiting: waiting_of_profiles.get(profile.id.as_str()).copied(),
            profile,
        })
        .collect();
    let mut latest = sync_runs::latest_of_accounts(conn)?;
    let accounts = accounts::list(conn, &AccountFilter::default())?
        .into_iter()
        .map(|account| AccountRow {
            latest: latest.remove(account.id.as_str()),
            oldest_waiting: waiting.get(account.id.as_str()).copied(),
            account,
        })
        .collect();
    let mut runs = sync_runs::list(conn, &RunFilter::default(), &PageStart::Newest)?.rows;
    runs.truncate(LATEST_RUNS);
    Ok(Rows {
        profiles,
        accounts,
        processes: processes::list(conn)?,
        activity: activity::now(conn)?,
        runs,
        notifications: notification_subscriptions::standing(conn, None)?,
        destinations: standing::needing_attention(conn)?,
    })
}

/// GET /sync-status
///
/// # Errors
/// As the database.
pub async fn index(portal: Data<Portal>, shell: Shell) -> Answer {
    let now = portal.clock.now();
    let (totals, rows) = portal
        .store
        .read(move |conn| Ok::<_, StoreError>((status::aggregate(conn)?, rows(conn, now)?)))
        .await?;
    let linkedin_version = portal.settings.linkedin.version.clone();
    let page = SyncStatusIndex {
        health: health(&rows, now),
        version_life: life_of(&linkedin_version, now.date_naive()),
        linkedin_version,
        notified: Notified::of(
            &rows.notifications,
            portal.settings.linkedin.webhook.is_some(),
        ),
        shell,
        totals,
        activity: rows.activity,
        profiles: rows.profiles,
        accounts: rows.accounts,
        runs: rows.runs,
        destinations: rows.destinations,
    };
    page.shell.render(StatusCode::OK, &page)
}
