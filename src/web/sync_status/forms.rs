//! Sync Status by form: when each was read last and is read next, what waits, and how often its account failed in a row.

use std::collections::HashMap;

use actix_web::http::StatusCode;
use actix_web::web::Data;
use askama::Template;
use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::super::{Answer, Portal, Query, Shell};
use crate::domain::access::Permission;
use crate::domain::form::FormStatus;
use crate::domain::ids::{AccountId, FormId};
use crate::store::accounts::{self, Account, AccountFilter};
use crate::store::forms::{self, Form, FormFilter};
use crate::store::{StoreError, waiting};

/// A form on the status page, with the account through which it is read.
struct FormRow {
    form: Form,
    account: Option<Account>,
    oldest_waiting: Option<DateTime<Utc>>,
}

#[derive(Template)]
#[template(path = "sync_status/forms.html")]
struct SyncStatusForms {
    shell: Shell,
    rows: Vec<FormRow>,
    search: String,
    account: String,
    status: &'static str,
    accounts: Vec<(String, String)>,
    is_filtered: bool,
}

/// The filter of the list.
#[derive(Debug, Default, Deserialize)]
pub struct FormsQuery {
    q: Option<String>,
    account: Option<AccountId>,
    status: Option<FormStatus>,
}

/// GET /sync-status/forms
///
/// # Errors
/// As the database.
pub async fn index(portal: Data<Portal>, shell: Shell, Query(query): Query<FormsQuery>) -> Answer {
    let search = query.q.clone().unwrap_or_default();
    let account = query
        .account
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default();
    let filter = FormFilter {
        search: query.q,
        account_id: query.account,
        sync_status: query.status,
    };
    let (listed, all_accounts, waiting) = portal
        .store
        .read(move |conn| {
            let listed = forms::list(conn, &filter)?;
            let ids: Vec<&FormId> = listed.iter().map(|form| &form.id).collect();
            let waiting = waiting::of_forms(conn, &ids)?;
            Ok::<_, StoreError>((
                listed,
                accounts::list(conn, &AccountFilter::default())?,
                waiting,
            ))
        })
        .await?;
    let by_id: HashMap<&str, &Account> = all_accounts
        .iter()
        .map(|account| (account.id.as_str(), account))
        .collect();
    let page = SyncStatusForms {
        is_filtered: !search.trim().is_empty() || !account.is_empty() || query.status.is_some(),
        rows: listed
            .into_iter()
            .map(|form| FormRow {
                account: by_id
                    .get(form.account.0.as_str())
                    .map(|account| (*account).clone()),
                oldest_waiting: waiting.get(form.id.as_str()).copied(),
                form,
            })
            .collect(),
        shell,
        search,
        account,
        status: query.status.map_or("", FormStatus::as_str),
        accounts: all_accounts
            .iter()
            .map(|account| (account.id.to_string(), account.name.clone()))
            .collect(),
    };
    page.shell.render(StatusCode::OK, &page)
}
