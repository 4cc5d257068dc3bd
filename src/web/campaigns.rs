//! Campaigns, with the submissions and leads that each brought.

use std::collections::HashMap;

use actix_web::http::StatusCode;
use actix_web::web::Data;
use askama::Template;
use serde::Deserialize;

use super::keyset::{KeysetPager, start};
use super::page::{StateTab, state_tabs};
use super::{Answer, Portal, Query, Shell};
use crate::domain::ids::AccountId;
use crate::domain::words::words;
use crate::store::accounts::{Account, AccountFilter};
use crate::store::campaigns::{self, Campaign, CampaignFilter};
use crate::store::paging::Cursor;
use crate::store::{StoreError, accounts};

#[derive(Template)]
#[template(path = "campaigns/index.html")]
struct CampaignsIndex {
    shell: Shell,
    campaigns: Vec<Campaign>,
    pager: KeysetPager,
    search: String,
    account: String,
    accounts: Vec<(String, String)>,
    by_account: HashMap<String, Account>,
    tabs: Vec<StateTab>,
    status: &'static str,
}

words! {
    /// LinkedIn's states of a campaign; others that LinkedIn may add are under All.
    pub enum CampaignState {
        Active = "active" => "Active",
        Paused = "paused" => "Paused",
        Draft = "draft" => "Draft",
        Completed = "completed" => "Completed",
        Archived = "archived" => "Archived",
        Canceled = "canceled" => "Canceled",
    }
}

/// One tab a state. They carry no counts: another page of the list would need others.
fn tabs(current: &str, search: &str, account: &str) -> Vec<StateTab> {
    let filter = [("q", search.trim()), ("account", account)];
    let states = CampaignState::ALL
        .iter()
        .map(|one| (one.as_str(), one.label(), 0));
    let mut tabs = state_tabs("/campaigns", "status", &filter, current, states);
    for tab in &mut tabs {
        tab.count = None;
    }
    tabs
}

/// The filter of the list and the place in it.
#[derive(Debug, Default, Deserialize)]
pub struct CampaignsQuery {
    q: Option<String>,
    account: Option<AccountId>,
    status: Option<CampaignState>,
    after: Option<Cursor>,
    before: Option<Cursor>,
}

/// GET /campaigns
///
/// # Errors
/// As the database.
pub async fn index(
    portal: Data<Portal>,
    shell: Shell,
    Query(query): Query<CampaignsQuery>,
) -> Answer {
    let place = start(query.after, query.before);
    let filter = CampaignFilter {
        search: query.q,
        account_id: query.account,
        linkedin_status: query.status.map(|one| one.as_str().to_uppercase()),
    };
    let status = query.status.map_or("", CampaignState::as_str);
    let search = filter.search.clone().unwrap_or_default();
    let account = filter
        .account_id
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default();
    let mut pager = KeysetPager::new(
        "/campaigns",
        &[
            ("q", search.trim()),
            ("account", &account),
            ("status", status),
        ],
        &place,
    );
    let ((page, count), accounts) = portal
        .store
        .read(move |conn| {
            Ok::<_, StoreError>((
                campaigns::list(conn, &filter, &place)?,
                accounts::list(conn, &AccountFilter::default())?,
            ))
        })
        .await?;
    pager.count = Some(count);
    let page = CampaignsIndex {
        tabs: tabs(status, &search, &account),
        status,
        campaigns: pager.take(page),
        shell,
        pager,
        search,
        account,
        accounts: accounts
            .iter()
            .map(|account| (account.id.to_string(), account.name.clone()))
            .collect(),
        by_account: accounts
            .into_iter()
            .map(|account| (account.id.to_string(), account))
            .collect(),
    };
    page.shell.render(StatusCode::OK, &page)
}

/// LinkedIn's word in capitals, as people read it: `SPONSORED_UPDATES` → “Sponsored updates”.
pub(super) fn readable(word: &str) -> String {
    let lower = word.replace('_', " ").to_lowercase();
    let mut letters = lower.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).collect())
        .unwrap_or_default()
}
