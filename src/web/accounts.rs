//! LinkedIn accounts: list, one with its states and streams, sync enabled, default lead owner, “Sync submissions”.

use std::collections::HashMap;

use actix_web::http::StatusCode;
use actix_web::web::Data;
use askama::Template;
use serde::Deserialize;
use serde_json::json;

use super::form::NoFields;
use super::history::{self, History};
use super::notified::Notified;
use super::page::{StateTab, state_tabs};
use super::profiles::allowed;
use super::{Answer, FieldErrors, Flash, Form, Path, Portal, Query, Shell, WebError};
use crate::auth::CurrentUser;
use crate::domain::access::Permission;
use crate::domain::ids::{AccountId, ProfileId, UserId};
use crate::domain::words::words;
use crate::store::account_counts::{self, AccountCounts};
use crate::store::accounts::{self, Account, AccountFilter};
use crate::store::audit::{self, Actor};
use crate::store::paging::PageStart;
use crate::store::profiles::{self, Profile};
use crate::store::streams::{self, StreamStanding};
use crate::store::sync_runs::{self, RunFilter, SyncRun};
use crate::store::{StoreError, destinations, leads, notification_subscriptions};

#[derive(Template)]
#[template(path = "accounts/index.html")]
struct AccountsIndex {
    shell: Shell,
    accounts: Vec<Account>,
    counts: HashMap<String, AccountCounts>,
    /// Where the leads of each account go.
    organizations: HashMap<String, Vec<String>>,
    tabs: Vec<StateTab>,
    search: String,
    enabled: String,
    state: &'static str,
    is_filtered: bool,
}

impl AccountsIndex {
    fn counts_of(&self, account: &Account) -> AccountCounts {
        self.counts
            .get(account.id.as_str())
            .copied()
            .unwrap_or_default()
    }

    fn organizations_of(&self, account: &Account) -> String {
        let names = self.organizations.get(account.id.as_str());
        names.map_or_else(|| "none".to_owned(), |names| names.join(", "))
    }
}

/// Whether switched off accounts are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EnabledChoice {
    /// Only those with sync enabled.
    Yes,
    /// Only those without.
    No,
}

words! {
    /// How an account stands, for the tabs above the list.
    pub enum AccountState {
        Read = "read" => "Read regularly",
        Failing = "failing" => "Cannot be read",
        Paused = "paused" => "Paused",
        SwitchedOff = "switched_off" => "Switched off",
    }
}

impl AccountState {
    /// How this account stands.
    pub(super) fn of(account: &Account) -> Self {
        if !account.is_sync_enabled {
            Self::SwitchedOff
        } else if account.pause.is_some() {
            Self::Paused
        } else if account.failure_reason.is_some() {
            Self::Failing
        } else {
            Self::Read
        }
    }
}

/// The filter of the list.
#[derive(Debug, Default, Deserialize)]
pub struct AccountsQuery {
    q: Option<String>,
    enabled: Option<EnabledChoice>,
    state: Option<AccountState>,
}

/// GET /linkedin-accounts
///
/// # Errors
/// As the database.
pub async fn index(
    portal: Data<Portal>,
    shell: Shell,
    Query(query): Query<AccountsQuery>,
) -> Answer {
    let search = query.q.unwrap_or_default();
    let filter = AccountFilter {
        search: Some(search.clone()),
        is_sync_enabled: query.enabled.map(|choice| choice == EnabledChoice::Yes),
        ..AccountFilter::default()
    };
    let (counts, organizations, accounts) = portal
        .store
        .read(move |conn| {
            let accounts = accounts::list(conn, &filter)?;
            let ids: Vec<&AccountId> = accounts.iter().map(|account| &account.id).collect();
            let organizations = destinations::of_accounts(conn, &ids)?;
            Ok::<_, StoreError>((account_counts::of(conn, &ids)?, organizations, accounts))
        })
        .await?;
    let enabled = match query.enabled {
        None => "",
        Some(EnabledChoice::Yes) => "yes",
        Some(EnabledChoice::No) => "no",
    };
    let state = query.state.map_or("", AccountState::as_str);
    let page = AccountsIndex {
        is_filtered: !search.trim().is_empty() || query.enabled.is_some() || query.state.is_some(),
        enabled: enabled.to_owned(),
        tabs: state_tabs(
            "/linkedin-accounts",
            "state",
            &[("q", search.trim()), ("enabled", enabled)],
            state,
            AccountState::ALL.iter().map(|one| {
                let many = accounts.iter().filter(|it| AccountState::of(it) == *one);
                (one.as_str(), one.label(), many.count())
            }),
        ),
        state,
        shell,
        accounts: accounts
            .into_iter()
            .filter(|account| {
                query
                    .state
                    .is_none_or(|one| AccountState::of(account) == one)
            })
            .collect(),
        counts,
        organizations,
        search,
    };
    page.shell.render(StatusCode::OK, &page)
}

#[derive(Template)]
#[template(path = "accounts/show.html")]
struct AccountsShow {
    shell: Shell,
    account: Account,
    counts: AccountCounts,
    streams: Vec<StreamStanding>,
    profiles: Vec<Profile>,
    runs: Vec<SyncRun>,
    owners: Vec<(UserId, String)>,
    is_sync_enabled: bool,
    owner: String,
    can_sync: bool,
    notified: Notified,
    errors: FieldErrors,
    history: History,
}

/// Whether this person may ask for a sync of the account: Administrators, and Salespeople through their own profile.
async fn may_sync(portal: &Portal, user: &CurrentUser, id: &AccountId) -> Result<bool, WebError> {
    if user.can(Permission::ManageAccounts) {
        return Ok(true);
    }
    let (id, user_id) = (id.clone(), user.id.clone());
    Ok(user.can(Permission::ManageOwnProfiles)
        && portal
            .store
            .read(move |conn| accounts::is_seen_by(conn, &id, &user_id))
            .await?)
}

async fn show_page(
    portal: &Portal,
    shell: Shell,
    current: &CurrentUser,
    id: AccountId,
) -> Result<AccountsShow, WebError> {
    let can_sync = may_sync(portal, current, &id).await?;
    let (account, counts, streams, profiles, runs, mut owners, history, standing) = portal
        .store
        .read(move |conn| {
            let account = accounts::get(conn, &id)?;
            let counts = account_counts::of(conn, &[&id])?
                .remove(id.as_str())
                .unwrap_or_default();
            let filter = RunFilter {
                account_id: Some(id.clone()),
                ..RunFilter::default()
            };
            let mut runs = sync_runs::list(conn, &filter, &PageStart::Newest)?.rows;
            runs.truncate(10);
            Ok::<_, StoreError>((
                account,
                counts,
                streams::of_account(conn, &id)?,
                profiles::of_account(conn, &id)?,
                runs,
                leads::possible_owners(conn)?,
                history::read(conn, "linkedin_account", id.as_str())?,
                notification_subscriptions::standing(conn, Some(&id))?,
            ))
        })
        .await?;
    if let Some((owner, name)) = &account.default_lead_owner
        && !owners.iter().any(|(id, _)| id == owner)
    {
        owners.push((owner.clone(), format!("{name} (disabled)")));
    }
    Ok(AccountsShow {
        is_sync_enabled: account.is_sync_enabled,
        owner: account
            .default_lead_owner
            .as_ref()
            .map(|(id, _)| id.to_string())
            .unwrap_or_default(),
        errors: FieldErrors::new(),
        shell,
        account,
        counts,
        streams,
        profiles,
        runs,
        owners,
        can_sync,
        notified: Notified::of(&standing, portal.settings.linkedin.webhook.is_some()),
        history,
    })
}

/// GET /linkedin-accounts/{id}
///
/// # Errors
/// `NotFound`, or as the database.
pub async fn show(
    portal: Data<Portal>,
    shell: Shell,
    current: CurrentUser,
    Path(id): Path<AccountId>,
) -> Answer {
    let page = show_page(&portal, shell, &current, id).await?;
    page.shell.render(StatusCode::OK, &page)
}

/// What people decide about an account.
#[derive(Debug, Deserialize)]
pub struct AccountForm {
    is_sync_enabled: Option<String>,
    #[serde(default)]
    default_lead_owner: String,
    /// The profile's page from which the form was sent.
    profile: Option<String>,
}

fn state(is_sync_enabled: bool, owner: Option<&str>) -> serde_json::Value {
    json!({ "sync_enabled": is_sync_enabled, "default_lead_owner": owner })
}

/// POST /linkedin-accounts/{id}
///
/// # Errors
/// `NotFound`, or as the database.
pub async fn update(
    portal: Data<Portal>,
    shell: Shell,
    current: CurrentUser,
    actor: Actor,
    Path(id): Path<AccountId>,
    Form(form): Form<AccountForm>,
) -> Answer {
    let mut page = show_page(&portal, shell, &current, id.clone()).await?;
    let is_enabled = form.is_sync_enabled.is_some();
    let wanted = form.default_lead_owner.trim();
    let owner = page
        .owners
        .iter()
        .find(|(id, _)| id.as_str() == wanted)
        .cloned();
    if owner.is_none() && !wanted.is_empty() {
        page.errors
            .add("default_lead_owner", "Choose one of the people, or nobody.");
        page.is_sync_enabled = is_enabled;
        return page.shell.render(StatusCode::UNPROCESSABLE_ENTITY, &page);
    }
    let back = match form.profile.as_deref().map(str::parse::<ProfileId>) {
        Some(Ok(profile)) => format!("/linkedin-user-profiles/{profile}"),
        _ => format!("/linkedin-accounts/{id}"),
    };
    let (name, now) = (page.account.name.clone(), portal.clock.now());
    let before = state(
        page.account.is_sync_enabled,
        page.account
            .default_lead_owner
            .as_ref()
            .map(|(_, name)| name.as_str()),
    );
    portal
        .store
        .write(move |tx| {
            let after = state(is_enabled, owner.as_ref().map(|(_, name)| name.as_str()));
            accounts::save(tx, &id, is_enabled, owner.as_ref().map(|(id, _)| id), now)?;
            audit::record(
                tx,
                now,
                &actor,
                "linkedin_account.saved",
                ("linkedin_account", id.as_str(), &name),
                Some(before),
                Some(after),
            )
        })
        .await?;
    portal.wake.notify_one();
    let flash = Flash::success(format!("The account {} was saved.", page.account.name));
    Ok(page.shell.redirect(back).flash(flash))
}

/// POST /linkedin-accounts/{id}/sync-runs: the account is due now.
///
/// # Errors
/// `Forbidden` for Salespeople whose profiles do not see it, `NotFound`, `Rule` when it is switched off.
pub async fn sync(
    portal: Data<Portal>,
    shell: Shell,
    current: CurrentUser,
    actor: Actor,
    Path(id): Path<AccountId>,
    Form(_): Form<NoFields>,
) -> Answer {
    if !may_sync(&portal, &current, &id).await? {
        return Err(WebError::Forbidden(Permission::ManageAccounts));
    }
    let (path, now) = (format!("/linkedin-accounts/{id}"), portal.clock.now());
    if let Err(refusal) = allowed(&portal, &current).await? {
        let text = format!("{} {}", refusal.why(), refusal.what_to_do());
        return Ok(shell.redirect(path).flash(Flash::failure(text)));
    }
    portal
        .store
        .write(move |tx| {
            let name = accounts::get(tx, &id)?.name;
            accounts::request_sync(tx, &id)?;
            let object = ("linkedin_account", id.as_str(), name.as_str());
            audit::record(
                tx,
                now,
                &actor,
                "linkedin_account.sync_requested",
                object,
                None,
                None,
            )
        })
        .await?;
    portal.wake.notify_one();
    let flash = Flash::success("Submissions of this account are being synchronized.")
        .with_link("/sync-status", "Watch the sync status");
    Ok(shell.redirect(path).flash(flash))
}
