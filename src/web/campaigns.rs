//! Campaigns, with the submissions and leads that each brought.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use askama::Template;
use serde::Deserialize;

use super::keyset::{KeysetPager, start};
use super::{Answer, Portal, Query, Shell};
use crate::domain::ids::AccountId;
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
}

/// The filter of the list and the place in it.
#[derive(Debug, Default, Deserialize)]
pub struct CampaignsQuery {
    q: Option<String>,
    account: Option<AccountId>,
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
    };
    let search = filter.search.clone().unwrap_or_default();
    let account = filter
        .account_id
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default();
    let mut pager = KeysetPager::new(
        "/campaigns",
        &[("q", search.trim()), ("account", &account)],
        &place,
    );
    let ((page, count), accounts) = portal
        .store
        .read(move |conn| {
            Ok::<_, StoreError>((
                campaigns::list(conn, &filter, &place)?,
                accounts::names(conn)?,
            ))
        })
        .await?;
    pager.count = Some(count);
    let page = CampaignsIndex {
        campaigns: pager.take(page),
        shell,
        pager,
        search,
        account,
        accounts,
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
