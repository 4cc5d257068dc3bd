//! LinkedIn's limits as far as they can be known: what is closed until when, what was asked today, how long tokens last.

use std::collections::HashMap;

use actix_web::http::StatusCode;
use actix_web::web::Data;
use askama::Template;
use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};

use super::super::profiles::warning_of;
use super::super::{Answer, Portal, Shell};
use crate::domain::access::Permission;
use crate::domain::profile::{TokenWarning, token_days_left};
use crate::store::StoreError;
use crate::store::api_calls::{self, CallCount};
use crate::store::profiles::{self, Profile, ProfileFilter};
use crate::store::streams::{self, Block};

/// A profile's authorization and how long it lasts.
struct TokenRow {
    profile: Profile,
    days_left: Option<i64>,
    warning: Option<(TokenWarning, i64)>,
}

/// A closed resource, with the profile's name.
struct BlockRow {
    block: Block,
    profile: Option<String>,
}

#[derive(Template)]
#[template(path = "sync_status/limits.html")]
struct SyncStatusLimits {
    shell: Shell,
    tokens: Vec<TokenRow>,
    blocks: Vec<BlockRow>,
    today: Vec<CallCount>,
    sum_today: i64,
    days: Vec<(NaiveDate, i64, i64)>,
    resets_at: DateTime<Utc>,
}

/// GET /sync-status/limits
///
/// # Errors
/// As the database.
pub async fn show(portal: Data<Portal>, shell: Shell) -> Answer {
    let now = portal.clock.now();
    let today = now.date_naive();
    let week_ago = today.checked_sub_days(Days::new(6)).unwrap_or(today);
    let (profiles, blocks, calls, days) = portal
        .store
        .read(move |conn| {
            Ok::<_, StoreError>((
                profiles::list(conn, &ProfileFilter::default())?,
                streams::blocks(conn, now)?,
                api_calls::on(conn, today)?,
                api_calls::per_day(conn, week_ago)?,
            ))
        })
        .await?;
    let names: HashMap<&str, &str> = profiles
        .iter()
        .map(|profile| (profile.id.as_str(), profile.name.as_str()))
        .collect();
    let page = SyncStatusLimits {
        blocks: blocks
            .into_iter()
            .map(|block| BlockRow {
                profile: block
                    .profile
                    .as_ref()
                    .map(|id| (*names.get(id.as_str()).unwrap_or(&"a deleted profile")).to_owned()),
                block,
            })
            .collect(),
        tokens: profiles
            .iter()
            .map(|profile| TokenRow {
                days_left: profile
                    .token
                    .as_ref()
                    .map(|token| token_days_left(token.expires_at, now)),
                warning: warning_of(profile, &now),
                profile: profile.clone(),
            })
            .collect(),
        sum_today: calls.iter().map(|call| call.calls).sum(),
        today: calls,
        days,
        resets_at: today
            .checked_add_days(Days::new(1))
            .unwrap_or(today)
            .and_time(NaiveTime::MIN)
            .and_utc(),
        shell,
    };
    page.shell.render(StatusCode::OK, &page)
}
