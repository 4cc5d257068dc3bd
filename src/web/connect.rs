//! The connect flow on pages: Authorize, LinkedIn's way back, check and confirm the organization, Disconnect; and one
//! clear page for each way in which it can end.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::Data;
use askama::Template;
use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::form::NoFields;
use super::profiles::managed;
use super::shell::see_other;
use super::{Answer, Flash, Form, Path, Portal, Query, Shell, WebError};
use crate::auth::CurrentUser;
use crate::domain::ids::{OrganizationId, ProfileId};
use crate::domain::profile::{optional_scopes, required_scopes};
use crate::store::accounts::{self, AccountFilter};
use crate::store::audit::Actor;
use crate::store::profiles::Profile;
use crate::store::{StoreError, organizations};
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
    organization_id: String,
    organization: String,
    member: Option<String>,
    ends_at: DateTime<Utc>,
    is_refreshable: bool,
    reads: Vec<ReadItem>,
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
    let organization = portal
        .store
        .read(|conn| {
            organizations::list(conn)?
                .into_iter()
                .next()
                .ok_or(StoreError::NotFound("organization"))
        })
        .await?;
    let has = |name: &str| pending.scopes.iter().any(|scope| scope == name);
    let page = ProfilesConfirmation {
        reads: required_scopes()
            .iter()
            .chain(optional_scopes())
            .map(|scope| ReadItem {
                what: scope.purpose,
                is_granted: has(scope.name) || scope.implied_by.iter().any(|wider| has(wider)),
            })
            .collect(),
        organization_id: organization.id.to_string(),
        organization: organization.name,
        member: pending.member_name,
        ends_at: pending.access_token_expires_at,
        is_refreshable: pending.is_refreshable,
        shell,
        profile,
    };
    page.shell.render(StatusCode::OK, &page)
}

/// The organization that the page showed.
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
    managed(&portal, &current, &id).await?;
    let unknown = || {
        WebError::Invalid(
            "The organization of the form is not known. Open the page again.".to_owned(),
        )
    };
    let organization: OrganizationId = form.organization_id.parse().map_err(|_| unknown())?;
    let wanted = organization.clone();
    portal
        .store
        .read(move |conn| organizations::find(conn, &wanted))
        .await?
        .ok_or_else(unknown)?;
    match portal
        .connector
        .confirm(&actor, &current.id, &id, &organization)
        .await
    {
        Ok(()) => {
            portal.wake.notify_one();
            let flash = Flash::success(
                "The profile is authorized. Its accounts appear here in a few seconds, and the synchronization begins by itself.",
            );
            Ok(shell
                .redirect(format!("/linkedin-user-profiles/{id}"))
                .flash(flash))
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

/// What a page about a failed connection says.
struct Refusal {
    status: StatusCode,
    title: &'static str,
    cause: String,
    what_to_do: String,
    /// Authorize again, for this profile.
    retry: Option<ProfileId>,
    /// The redirect URI is worth showing.
    shows_redirect_uri: bool,
}

impl Refusal {
    fn new(
        status: StatusCode,
        title: &'static str,
        cause: impl Into<String>,
        what_to_do: impl Into<String>,
    ) -> Self {
        Self {
            status,
            title,
            cause: cause.into(),
            what_to_do: what_to_do.into(),
            retry: None,
            shows_redirect_uri: false,
        }
    }

    fn again(mut self, profile: ProfileId) -> Self {
        self.retry = Some(profile);
        self
    }

    fn with_redirect_uri(mut self) -> Self {
        self.shows_redirect_uri = true;
        self
    }

    /// The page of each way in which the flow can end early; `Err` for what has a page elsewhere.
    fn of(error: ConnectError) -> Result<Self, WebError> {
        use StatusCode as S;
        const FROM_THE_PROFILE: &str = "Open the profile and choose Authorize there. If you did not begin this yourself, somebody may have sent you a link: nothing was connected.";
        Ok(match error {
            ConnectError::AppNotConfigured => Self::new(
                S::CONFLICT,
                "The LinkedIn app is not set up yet",
                "The portal has no client id and secret of a LinkedIn developer app, so it cannot send you to LinkedIn.",
                "Ask an Administrator to set LEADGEN_LINKEDIN_CLIENT_ID and LEADGEN_LINKEDIN_CLIENT_SECRET, and to register the redirect URI below in the app at LinkedIn.",
            )
            .with_redirect_uri(),
            ConnectError::StateMissing => Self::new(
                S::UNAUTHORIZED,
                "LinkedIn’s answer does not belong to a request",
                "The answer carries no state, so the portal cannot know who asked for it.",
                FROM_THE_PROFILE,
            ),
            ConnectError::StateWrong => Self::new(
                S::UNAUTHORIZED,
                "LinkedIn’s answer does not belong to this session",
                "The state in the answer is not one that this session was given. That happens when you signed out or used another browser on the way, and when somebody else’s link is opened.",
                FROM_THE_PROFILE,
            ),
            ConnectError::StateExpired => Self::new(
                S::UNAUTHORIZED,
                "This took too long",
                "LinkedIn’s answer came more than 30 minutes after you chose Authorize, so it is no longer accepted.",
                "Open the profile and choose Authorize again.",
            ),
            ConnectError::StateReused => Self::new(
                S::UNAUTHORIZED,
                "This answer was used before",
                "Each answer of LinkedIn’s can be used once. That happens when the page is loaded again, or with the Back button.",
                "Open the profile: it shows whether it is authorized. If it is not, choose Authorize again.",
            ),
            ConnectError::RefusedSignIn { profile } => Self::new(
                S::OK,
                "You did not sign in at LinkedIn",
                "You left LinkedIn’s sign-in page without signing in.",
                "Nothing was connected. Choose Authorize again when you are ready.",
            )
            .again(profile),
            ConnectError::RefusedConsent { profile } => Self::new(
                S::OK,
                "You did not allow the access",
                "You chose Cancel on LinkedIn’s permission page.",
                "Nothing was connected. Without the permissions the portal cannot read forms and submissions. Choose Authorize again when you are ready.",
            )
            .again(profile),
            ConnectError::ScopeNotAuthorized { profile, description } => Self::new(
                S::BAD_GATEWAY,
                "The LinkedIn app may not ask for these permissions",
                if description.is_empty() {
                    "LinkedIn has not approved the developer app for a permission that the portal asks for.".to_owned()
                } else {
                    format!("LinkedIn has not approved the developer app for a permission that the portal asks for. LinkedIn says: “{description}”.")
                },
                "Ask an Administrator to request the products “Lead Sync API” and “Advertising API” for the app at LinkedIn, or to leave the permission out with LEADGEN_LINKEDIN_SCOPES.",
            )
            .again(profile),
            ConnectError::RefusedOtherwise { profile, error } => Self::new(
                S::BAD_GATEWAY,
                "LinkedIn refused",
                format!("LinkedIn answered with the error “{error}”."),
                "Nothing was connected. Try again; if it happens again, show this page to an Administrator.",
            )
            .again(profile),
            ConnectError::CodeNotExchanged { profile, detail } => Self::new(
                S::BAD_GATEWAY,
                "LinkedIn did not accept the answer",
                format!("The code that LinkedIn sent could not be exchanged for a token. LinkedIn says: “{detail}”."),
                "A code is valid for 30 minutes and can be used once. Choose Authorize again. If it happens every time, the redirect URI below is not exactly the one that is registered in the app.",
            )
            .again(profile)
            .with_redirect_uri(),
            ConnectError::AppRefused { profile } => Self::new(
                S::BAD_GATEWAY,
                "LinkedIn does not accept the app’s client id and secret",
                "The client secret in the portal’s configuration is wrong, or it was renewed at LinkedIn.",
                "Ask an Administrator to check LEADGEN_LINKEDIN_CLIENT_ID and LEADGEN_LINKEDIN_CLIENT_SECRET, then try again.",
            )
            .again(profile),
            ConnectError::ScopesMissing { profile, missing } => Self::new(
                S::FORBIDDEN,
                "Permissions are missing",
                format!("LinkedIn granted the access without: {}. Without them no leads can be read, so nothing was connected.", missing.join(", ")),
                "Ask an Administrator whether the app at LinkedIn has the products “Lead Sync API” and “Advertising API”. Then choose Authorize again and allow everything.",
            )
            .again(profile),
            ConnectError::LinkedInAway { profile, .. } => Self::new(
                S::BAD_GATEWAY,
                "LinkedIn does not answer",
                "LinkedIn could not be reached, or answered with something that cannot be read, while the token was fetched.",
                "Nothing was connected. Wait a few minutes and choose Authorize again.",
            )
            .again(profile),
            ConnectError::NothingPending => Self::new(
                S::NOT_FOUND,
                "Nothing waits for confirmation",
                "The authorization was confirmed or cancelled already, or it is somebody else’s.",
                "Open the profile: it shows whether it is authorized.",
            ),
            ConnectError::Store(error) => return Err(error.into()),
            ConnectError::Sync(error) => return Err(WebError::Internal(error.to_string())),
        })
    }
}

#[derive(Template)]
#[template(path = "profiles/refusal.html")]
struct ProfilesRefusal {
    shell: Shell,
    refusal: Refusal,
    redirect_uri: String,
}

fn refuse(
    portal: &Portal,
    mut shell: Shell,
    error: ConnectError,
) -> Result<HttpResponse, WebError> {
    tracing::info!(error = %error, "the connect flow ended early");
    let refusal = Refusal::of(error)?;
    shell.allow_form_action(&portal.settings.linkedin.oauth_url);
    let status = refusal.status;
    let page = ProfilesRefusal {
        shell,
        refusal,
        redirect_uri: portal.connector.redirect_uri().to_string(),
    };
    page.shell.render(status, &page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_early_end_has_a_page_of_its_own() {
        let profile = || ProfileId::new(uuid::Uuid::nil());
        let all = [
            (ConnectError::AppNotConfigured, 409),
            (ConnectError::StateMissing, 401),
            (ConnectError::StateWrong, 401),
            (ConnectError::StateExpired, 401),
            (ConnectError::StateReused, 401),
            (ConnectError::RefusedSignIn { profile: profile() }, 200),
            (ConnectError::RefusedConsent { profile: profile() }, 200),
            (
                ConnectError::ScopeNotAuthorized {
                    profile: profile(),
                    description: String::new(),
                },
                502,
            ),
            (
                ConnectError::RefusedOtherwise {
                    profile: profile(),
                    error: "server_error".into(),
                },
                502,
            ),
            (
                ConnectError::CodeNotExchanged {
                    profile: profile(),
                    detail: "expired".into(),
                },
                502,
            ),
            (ConnectError::AppRefused { profile: profile() }, 502),
            (
                ConnectError::ScopesMissing {
                    profile: profile(),
                    missing: vec!["r_ads".into()],
                },
                403,
            ),
            (
                ConnectError::LinkedInAway {
                    profile: profile(),
                    detail: "timeout".into(),
                },
                502,
            ),
            (ConnectError::NothingPending, 404),
        ];
        let count = all.len();
        let mut titles = std::collections::BTreeSet::new();
        for (error, status) in all {
            let refusal = Refusal::of(error).unwrap();
            assert_eq!(refusal.status.as_u16(), status, "{}", refusal.title);
            titles.insert(refusal.title);
        }
        assert_eq!(titles.len(), count);
    }
}
