//! The connect flow on pages: Authorize, LinkedIn's way back, check and confirm the organization, Disconnect.

mod refusal;

use actix_web::http::StatusCode;
use actix_web::web::Data;
use askama::Template;
use chrono::{DateTime, Utc};
use serde::Deserialize;

pub(super) use refusal::refuse;

use super::form::NoFields;
use super::profiles::managed;
use super::shell::see_other;
use super::{Answer, FieldErrors, Flash, Form, Path, Portal, Query, Shell, WebError};
use crate::auth::CurrentUser;
use crate::domain::ids::{OrganizationId, ProfileId};
use crate::domain::profile::{optional_scopes, required_scopes};
use crate::store::accounts::{self, AccountFilter};
use crate::store::audit::Actor;
use crate::store::profiles::Profile;
use crate::store::{StoreError, destinations};
use crate::sync::connect::{CallbackQuery, ConnectError, DisconnectOutcome, PendingAuthorization};

/// POST /linkedin-user-profiles/{id}/authorizations: to LinkedIn's sign-in and permission dialog.
///
/// # Errors
/// `NotFound`, or as the database.
pub async fn authorize(
    portal: Data<Portal>,
    shell: Shell,
    current: CurrentUser,
    Path(id): Path<ProfileId>,
    Form(_): Form<NoFields>,
) -> Answer {
    managed(&portal, &current, &id).await?;
    match portal
        .connector
        .begin(&current.id, &id, &current.session_binding())
        .await
    {
        Ok(url) => Ok(see_other(url.as_str())),
        // The text comes before LinkedIn's own pages.
        Err(ConnectError::Refused(refusal)) if refusal.is_mended_by_consent() => {
            Ok(see_other(&format!("/account/consent?profile={id}")))
        }
        Err(error) => refuse(&portal, shell, error),
    }
}

/// GET /linkedin/callback: LinkedIn sends the person back here.
///
/// # Errors
/// As the database.
pub async fn callback(
    portal: Data<Portal>,
    shell: Shell,
    current: CurrentUser,
    Query(query): Query<CallbackQuery>,
) -> Answer {
    match portal
        .connector
        .complete(&current.id, &current.session_binding(), query)
        .await
    {
        // Without the code in the address: it must not stay in the history.
        Ok(id) => Ok(see_other(&format!(
            "/linkedin-user-profiles/{id}/confirmation"
        ))),
        Err(error) => refuse(&portal, shell, error),
    }
}

/// One line of what is read.
struct ReadItem {
    what: &'static str,
    is_granted: bool,
}

#[derive(Template)]
#[template(path = "profiles/confirmation.html")]
struct ProfilesConfirmation {
    shell: Shell,
    profile: Profile,
    /// What can be chosen: identifier, name, and what it is.
    organizations: Vec<(String, String, &'static str)>,
    /// The chosen one of them.
    organization_id: String,
    member: Option<String>,
    ends_at: DateTime<Utc>,
    is_refreshable: bool,
    reads: Vec<ReadItem>,
    errors: FieldErrors,
}

impl ProfilesConfirmation {
    /// The name of the chosen organization.
    fn organization(&self) -> &str {
        self.organizations
            .iter()
            .find(|(id, ..)| *id == self.organization_id)
            .map_or("", |(_, name, _)| name)
    }
}

/// The grant that waits for this person, or why there is none.
async fn pending_of(
    portal: &Portal,
    current: &CurrentUser,
    id: &ProfileId,
) -> Result<Option<PendingAuthorization>, ConnectError> {
    let pending = portal.connector.pending(id).await?;
    Ok(pending.filter(|pending| pending.user_id == current.id))
}

/// The page: the organization that the profile has, or this portal, is chosen before anybody chooses.
async fn confirmation_page(
    portal: &Portal,
    shell: Shell,
    profile: Profile,
    pending: PendingAuthorization,
) -> Result<ProfilesConfirmation, WebError> {
    let present = profile.organization.clone().map(|(id, _)| id);
    let wanted = present.clone();
    let open = portal
        .store
        .read(move |conn| destinations::list_open(conn, present.as_ref()))
        .await?;
    let first = open.first().ok_or(StoreError::NotFound("organization"))?;
    let has = |name: &str| pending.scopes.iter().any(|scope| scope == name);
    Ok(ProfilesConfirmation {
        reads: required_scopes()
            .iter()
            .chain(optional_scopes())
            .map(|scope| ReadItem {
                what: scope.purpose,
                is_granted: has(scope.name) || scope.implied_by.iter().any(|wider| has(wider)),
            })
            .collect(),
        organization_id: wanted.as_ref().unwrap_or(&first.id).to_string(),
        organizations: open
            .into_iter()
            .map(|one| (one.id.to_string(), one.name, one.kind.label()))
            .collect(),
        member: pending.member_name,
        ends_at: pending.access_token_expires_at,
        is_refreshable: pending.is_refreshable,
        shell,
        profile,
        errors: FieldErrors::new(),
    })
}

/// GET /linkedin-user-profiles/{id}/confirmation: check and confirm the organization.
///
/// # Errors
/// `NotFound`, or as the database.
pub async fn confirmation(
    portal: Data<Portal>,
    shell: Shell,
    current: CurrentUser,
    Path(id): Path<ProfileId>,
) -> Answer {
    let profile = managed(&portal, &current, &id).await?;
    let pending = match pending_of(&portal, &current, &id).await {
        Ok(Some(pending)) => pending,
        Ok(None) => return refuse(&portal, shell, ConnectError::NothingPending),
        Err(error) => return refuse(&portal, shell, error),
    };
    let page = confirmation_page(&portal, shell, profile, pending).await?;
    page.shell.render(StatusCode::OK, &page)
}

/// The organization that was chosen, or that the page showed.
#[derive(Debug, Deserialize)]
pub struct ConfirmationForm {
    organization_id: String,
}

/// POST /linkedin-user-profiles/{id}/confirmation: yes; the sync begins by itself.
///
/// # Errors
/// `NotFound`, or as the database.
pub async fn confirm(
    portal: Data<Portal>,
    shell: Shell,
    current: CurrentUser,
    actor: Actor,
    Path(id): Path<ProfileId>,
    Form(form): Form<ConfirmationForm>,
) -> Answer {
    let profile = managed(&portal, &current, &id).await?;
    let confirmed = match form.organization_id.parse::<OrganizationId>() {
        Ok(organization) => {
            portal
                .connector
                .confirm(&actor, &current.id, &id, &organization)
                .await
        }
        Err(_) => Err(StoreError::Rule("Choose one of the organizations.".to_owned()).into()),
    };
    match confirmed {
        Ok(()) => {
            portal.wake.notify_one();
            let flash = Flash::success(
                "The profile is authorized. Its accounts appear here in a few seconds, and the synchronization begins by itself.",
            );
            Ok(shell
                .redirect(format!("/linkedin-user-profiles/{id}"))
                .flash(flash))
        }
        Err(ConnectError::Store(StoreError::Rule(rule))) => {
            let Some(pending) = pending_of(&portal, &current, &id).await.ok().flatten() else {
                return refuse(&portal, shell, ConnectError::NothingPending);
            };
            let mut page = confirmation_page(&portal, shell, profile, pending).await?;
            page.errors.add("organization_id", rule);
            page.shell.render(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
        Err(error) => refuse(&portal, shell, error),
    }
}

/// POST /linkedin-user-profiles/{id}/confirmation/cancellation: no; what LinkedIn granted is dropped.
///
/// # Errors
/// `NotFound`, or as the database.
pub async fn cancel(
    portal: Data<Portal>,
    shell: Shell,
    current: CurrentUser,
    actor: Actor,
    Path(id): Path<ProfileId>,
    Form(_): Form<NoFields>,
) -> Answer {
    managed(&portal, &current, &id).await?;
    match portal.connector.cancel(&actor, &id).await {
        Ok(()) | Err(ConnectError::NothingPending) => {
            let flash = Flash::notice(
                "The organization was not confirmed. Nothing was connected, and what LinkedIn granted was dropped.",
            );
            Ok(shell
                .redirect(format!("/linkedin-user-profiles/{id}"))
                .flash(flash))
        }
        Err(error) => refuse(&portal, shell, error),
    }
}

#[derive(Template)]
#[template(path = "profiles/disconnection.html")]
struct ProfilesDisconnection {
    shell: Shell,
    profile: Profile,
    /// Accounts that only this profile reads.
    alone: usize,
    accounts: usize,
}

/// GET /linkedin-user-profiles/{id}/disconnections: what disconnecting means.
///
/// # Errors
/// `NotFound`, or as the database.
pub async fn disconnection(
    portal: Data<Portal>,
    shell: Shell,
    current: CurrentUser,
    Path(id): Path<ProfileId>,
) -> Answer {
    let profile = managed(&portal, &current, &id).await?;
    let (accounts, alone) = portal
        .store
        .read(move |conn| {
            let filter = AccountFilter {
                profile_id: Some(id.clone()),
                ..AccountFilter::default()
            };
            let seen = accounts::list(conn, &filter)?;
            let mut alone = 0_usize;
            for account in &seen {
                let others = crate::store::profiles::of_account(conn, &account.id)?;
                if !others
                    .iter()
                    .any(|other| other.id != id && other.can_sync())
                {
                    alone += 1;
                }
            }
            Ok::<_, StoreError>((seen.len(), alone))
        })
        .await?;
    let page = ProfilesDisconnection {
        shell,
        profile,
        alone,
        accounts,
    };
    page.shell.render(StatusCode::OK, &page)
}

/// POST /linkedin-user-profiles/{id}/disconnections
///
/// # Errors
/// `NotFound`, or as the database.
pub async fn disconnect(
    portal: Data<Portal>,
    shell: Shell,
    current: CurrentUser,
    actor: Actor,
    Path(id): Path<ProfileId>,
    Form(_): Form<NoFields>,
) -> Answer {
    managed(&portal, &current, &id).await?;
    let flash = match portal.connector.disconnect(&actor, &id).await {
        Ok(DisconnectOutcome::Revoked) => Flash::success(
            "The profile is disconnected: LinkedIn revoked the access, and the tokens are erased here.",
        ),
        Ok(DisconnectOutcome::NothingToRevoke) => {
            Flash::notice("The profile had no access to LinkedIn any more.")
        }
        Ok(DisconnectOutcome::NotRevoked) => Flash::warning(
            "The tokens are erased here, but LinkedIn could not be told. End the access at LinkedIn, too: Settings & Privacy › Data privacy › Permitted services.",
        ),
        Err(error) => return refuse(&portal, shell, error),
    };
    Ok(shell
        .redirect(format!("/linkedin-user-profiles/{id}"))
        .flash(flash))
}
