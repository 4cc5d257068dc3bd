//! The timeline of sync runs, and one run told whole.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use askama::Template;
use serde::Deserialize;

use super::super::keyset::{KeysetPager, start};
use super::super::page::StateTab;
use super::super::{Answer, Path, Portal, Query, Shell};
use crate::domain::access::Permission;
use crate::domain::ids::{AccountId, ProfileId, RunId};
use crate::domain::sync::RunStatus;
use crate::store::paging::Cursor;
use crate::store::sync_runs::{self, RunFilter, SyncRun};
use crate::store::{StoreError, accounts, profiles};

#[derive(Template)]
#[template(path = "sync_status/runs.html")]
struct SyncStatusRuns {
    shell: Shell,
    runs: Vec<SyncRun>,
    pager: KeysetPager,
    tabs: Vec<StateTab>,
    status: &'static str,
    account: String,
    profile: String,
    accounts: Vec<(String, String)>,
    profiles: Vec<(String, String)>,
}

/// The filter of the timeline and the place in it.
#[derive(Debug, Default, Deserialize)]
pub struct RunsQuery {
    status: Option<RunStatus>,
    account: Option<AccountId>,
    profile: Option<ProfileId>,
    after: Option<Cursor>,
    before: Option<Cursor>,
}

/// One tab a status, each keeping the other filters. They carry no counts: counting a long history costs more than it tells.
fn tabs(current: Option<RunStatus>, account: &str, profile: &str) -> Vec<StateTab> {
    let all = std::iter::once(None).chain(RunStatus::ALL.iter().copied().map(Some));
    all.map(|status| {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        let word = status.map_or("", RunStatus::as_str);
        for (name, value) in [("status", word), ("account", account), ("profile", profile)] {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        let query = query.finish();
        StateTab {
            label: status.map_or("All", RunStatus::label).to_owned(),
            count: None,
            path: if query.is_empty() {
                "/sync-status/runs".to_owned()
            } else {
                format!("/sync-status/runs?{query}")
            },
            is_current: status == current,
        }
    })
    .collect()
}

/// GET /sync-status/runs
///
/// # Errors
/// As the database.
pub async fn index(portal: Data<Portal>, shell: Shell, Query(query): Query<RunsQuery>) -> Answer {
    let place = start(query.after, query.before);
    let text = |id: Option<String>| id.unwrap_or_default();
    let account = text(query.account.as_ref().map(ToString::to_string));
    let profile = text(query.profile.as_ref().map(ToString::to_string));
    let status = query.status.map_or("", RunStatus::as_str);
    let mut pager = KeysetPager::new(
        "/sync-status/runs",
        &[
            ("status", status),
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
    let (runs, accounts, profiles) = portal
        .store
        .read(move |conn| {
            Ok::<_, StoreError>((
                sync_runs::list(conn, &filter, &place)?,
                accounts::names(conn)?,
                profiles::names(conn)?,
            ))
        })
        .await?;
    let page = SyncStatusRuns {
        tabs: tabs(query.status, &account, &profile),
        runs: pager.take(runs),
        shell,
        pager,
        status,
        account,
        profile,
        accounts,
        profiles,
    };
    page.shell.render(StatusCode::OK, &page)
}

/// How long a run took.
pub fn duration(run: &SyncRun) -> Option<String> {
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
pub async fn show(portal: Data<Portal>, shell: Shell, Path(id): Path<RunId>) -> Answer {
    let run = portal
        .store
        .read(move |conn| sync_runs::get(conn, &id))
        .await?;
    let page = SyncStatusRun { shell, run };
    page.shell.render(StatusCode::OK, &page)
}
