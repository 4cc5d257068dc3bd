//! Reset Synchronization: what it means, the typed confirmation, and off it goes. Its progress stands on Sync Status.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use askama::Template;
use serde::Deserialize;

use super::super::{Answer, FieldErrors, Flash, Form, Portal, Shell};
use super::health::counted;
use crate::store::audit::Actor;
use crate::sync::reset::{self, Extent};

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
pub async fn new(portal: Data<Portal>, shell: Shell) -> Answer {
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
pub async fn create(
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
    portal.events.look();
    let accounts = usize::try_from(extent.accounts).unwrap_or(usize::MAX);
    let flash = Flash::success(format!(
        "The synchronization begins anew: all lead data of {} is read again. The progress stands below.",
        counted(accounts, "account", "accounts")
    ));
    Ok(shell.redirect("/sync-status").flash(flash))
}
