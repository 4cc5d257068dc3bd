//! Pausing an account and resuming it: a switch that holds at once, apart from Sync enabled.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use askama::Template;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::json;

use super::{Answer, FieldErrors, Flash, Form, Path, Portal, Query, Shell, WebError};
use crate::domain::account::check_pause_reason;
use crate::domain::ids::AccountId;
use crate::store::accounts::{self, Account};
use crate::store::audit::{self, Actor};
use crate::store::{StoreError, pauses, sync_runs};

/// The page from which somebody came, and to which the answer leads back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Back {
    /// The account's own page.
    #[default]
    Account,
    /// Sync Status.
    SyncStatus,
}

impl Back {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::SyncStatus => "sync-status",
        }
    }

    fn path(self, id: &AccountId) -> String {
        match self {
            Self::Account => format!("/linkedin-accounts/{id}"),
            Self::SyncStatus => "/sync-status".to_owned(),
        }
    }
}

#[derive(Template)]
#[template(path = "pauses/new.html")]
struct PausesNew {
    shell: Shell,
    account: Account,
    is_running: bool,
    loses_from: DateTime<Utc>,
    reason: String,
    back: &'static str,
    back_path: String,
    errors: FieldErrors,
}

async fn new_page(
    portal: &Portal,
    shell: Shell,
    id: AccountId,
    back: Back,
) -> Result<PausesNew, WebError> {
    let back_path = back.path(&id);
    let (account, is_running) = portal
        .store
        .read(move |conn| {
            let account = accounts::get(conn, &id)?;
            let latest = sync_runs::latest_of_account(conn, &id)?;
            Ok::<_, StoreError>((account, latest.is_some_and(|run| !run.status.is_finished())))
        })
        .await?;
    Ok(PausesNew {
        loses_from: shell.now + TimeDelta::days(90),
        shell,
        account,
        is_running,
        reason: String::new(),
        back: back.as_str(),
        back_path,
        errors: FieldErrors::new(),
    })
}

/// Where the link came from.
#[derive(Debug, Default, Deserialize)]
pub struct PausesQuery {
    #[serde(default)]
    from: Back,
}

/// GET /linkedin-accounts/{id}/pauses/new: what a pause means.
///
/// # Errors
/// `NotFound`, or as the database.
pub async fn new(
    portal: Data<Portal>,
    shell: Shell,
    Path(id): Path<AccountId>,
    Query(query): Query<PausesQuery>,
) -> Answer {
    let page = new_page(&portal, shell, id, query.from).await?;
    page.shell.render(StatusCode::OK, &page)
}

/// Why, and where the form stood.
#[derive(Debug, Deserialize)]
pub struct PauseForm {
    #[serde(default)]
    reason: String,
    #[serde(default)]
    from: Back,
}

/// POST /linkedin-accounts/{id}/pauses
///
/// # Errors
/// `NotFound`, `Rule` when it is paused already, or as the database.
pub async fn create(
    portal: Data<Portal>,
    shell: Shell,
    actor: Actor,
    Path(id): Path<AccountId>,
    Form(form): Form<PauseForm>,
) -> Answer {
    let mut errors = FieldErrors::new();
    let Some(reason) = errors.check("reason", check_pause_reason(&form.reason)) else {
        let mut page = new_page(&portal, shell, id, form.from).await?;
        (page.reason, page.errors) = (form.reason, errors);
        return page.shell.render(StatusCode::UNPROCESSABLE_ENTITY, &page);
    };
    let (path, now) = (form.from.path(&id), portal.clock.now());
    let name = portal
        .store
        .write(move |tx| {
            pauses::insert(tx, &id, &actor, &reason, now)?;
            let name = accounts::get(tx, &id)?.name;
            audit::record(
                tx,
                now,
                &actor,
                "linkedin_account.paused",
                ("linkedin_account", id.as_str(), &name),
                Some(json!({ "paused": false })),
                Some(json!({ "paused": true, "reason": reason })),
            )?;
            Ok::<_, StoreError>(name)
        })
        .await?;
    portal.events.look();
    let flash = Flash::success(format!(
        "{name} is paused. Nothing of it is read until somebody resumes it."
    ));
    Ok(shell.redirect(path).flash(flash))
}

/// Where the button stood.
#[derive(Debug, Default, Deserialize)]
pub struct ResumeForm {
    #[serde(default)]
    from: Back,
}

/// POST /linkedin-accounts/{id}/pauses/end
///
/// # Errors
/// `NotFound`, `Rule` when it is not paused, or as the database.
pub async fn destroy(
    portal: Data<Portal>,
    shell: Shell,
    actor: Actor,
    Path(id): Path<AccountId>,
    Form(form): Form<ResumeForm>,
) -> Answer {
    let (path, now) = (form.from.path(&id), portal.clock.now());
    let account = portal
        .store
        .write(move |tx| {
            let account = accounts::get(tx, &id)?;
            let reason = account.pause.as_ref().map(|pause| pause.reason.clone());
            pauses::delete(tx, &id)?;
            audit::record(
                tx,
                now,
                &actor,
                "linkedin_account.resumed",
                ("linkedin_account", id.as_str(), &account.name),
                Some(json!({ "paused": true, "reason": reason })),
                Some(json!({ "paused": false })),
            )?;
            Ok::<_, StoreError>(account)
        })
        .await?;
    portal.wake.notify_one();
    portal.events.look();
    let next = if account.is_sync_enabled {
        "It is read at once."
    } else {
        "Its sync is still switched off."
    };
    let flash = Flash::success(format!("{} is resumed. {next}", account.name));
    Ok(shell.redirect(path).flash(flash))
}
