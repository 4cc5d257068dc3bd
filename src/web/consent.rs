//! My account › LinkedIn: the text, one's own consent to it, and its withdrawal.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use askama::Template;
use serde::Deserialize;

use super::connect::refuse;
use super::form::NoFields;
use super::profiles::managed;
use super::shell::see_other;
use super::{Answer, Flash, Form, Portal, Query, Shell, WebError};
use crate::auth::CurrentUser;
use crate::domain::connections::{
    CONSENT_TEXT, CONSENT_VERSION, ConsentPart, ConsentReason, Refusal,
};
use crate::domain::ids::ProfileId;
use crate::store::StoreError;
use crate::store::audit::Actor;
use crate::store::connections::{self, Consequences, NotAllowed};
use crate::store::consents::{self, ActiveConsent, ConsentEntry};
use crate::store::profiles::Profile;

/// Where the page is.
const PATH: &str = "/account/consent";

/// Lines of the ledger that the page shows.
const SHOWN: i64 = 20;

#[derive(Template)]
#[template(path = "consent/show.html")]
struct ConsentShow {
    shell: Shell,
    text: &'static [ConsentPart],
    version: i64,
    consent: Option<ActiveConsent>,
    entries: Vec<ConsentEntry>,
    /// Why the organisation does not let this person use LinkedIn.
    refusal: Option<Refusal>,
    /// The profile that is authorised next.
    profile: Option<Profile>,
    /// The text changed while it was read.
    is_changed: bool,
}

impl ConsentShow {
    fn is_current(&self) -> bool {
        self.consent
            .as_ref()
            .is_some_and(|consent| consent.text_version == self.version)
    }
}

/// For which profile somebody came.
#[derive(Debug, Default, Deserialize)]
pub struct ConsentQuery {
    profile: Option<ProfileId>,
}

async fn page(
    portal: &Portal,
    mut shell: Shell,
    current: &CurrentUser,
    profile: Option<Profile>,
) -> Result<ConsentShow, WebError> {
    let (id, deployment) = (current.id.clone(), portal.connector.deployment().clone());
    let (consent, entries, refusal) = portal
        .store
        .read(move |conn| {
            let refusal = match connections::check_allowed(conn, &deployment, &id) {
                Ok(()) => None,
                Err(NotAllowed::Refused(refusal)) => Some(refusal),
                Err(NotAllowed::Store(error)) => return Err(error),
            };
            Ok::<_, StoreError>((
                consents::find(conn, &id)?,
                consents::of_user(conn, &id, SHOWN)?,
                refusal,
            ))
        })
        .await?;
    if profile.is_some() {
        // The browser follows the redirect to LinkedIn only when the page allows it.
        shell.allow_form_action(&portal.settings.linkedin.oauth_url);
    }
    Ok(ConsentShow {
        shell,
        text: CONSENT_TEXT,
        version: CONSENT_VERSION,
        consent,
        entries,
        refusal,
        profile,
        is_changed: false,
    })
}

/// GET /account/consent
///
/// # Errors
/// `NotFound` for a profile that is not the person's, or as the database.
pub async fn show(
    portal: Data<Portal>,
    shell: Shell,
    current: CurrentUser,
    Query(query): Query<ConsentQuery>,
) -> Answer {
    let profile = match query.profile {
        Some(id) => Some(managed(&portal, &current, &id).await?),
        None => None,
    };
    let page = page(&portal, shell, &current, profile).await?;
    page.shell.render(StatusCode::OK, &page)
}

/// Yes, to this version of the text.
#[derive(Debug, Deserialize)]
pub struct ConsentForm {
    text_version: String,
    profile: Option<String>,
}

/// POST /account/consent: and on to LinkedIn, when a profile is to be authorised.
///
/// # Errors
/// `NotFound` for a profile that is not the person's, or as the database.
pub async fn create(
    portal: Data<Portal>,
    shell: Shell,
    current: CurrentUser,
    actor: Actor,
    Form(form): Form<ConsentForm>,
) -> Answer {
    let profile = match form.profile.as_deref().map(str::parse::<ProfileId>) {
        Some(Ok(id)) => Some(managed(&portal, &current, &id).await?),
        Some(Err(_)) => return Err(WebError::NotFound),
        None => None,
    };
    if form.text_version != CONSENT_VERSION.to_string() {
        let mut page = page(&portal, shell, &current, profile).await?;
        page.is_changed = true;
        return page.shell.render(StatusCode::UNPROCESSABLE_ENTITY, &page);
    }
    if let Err(error) = portal.connector.consent(&actor, &current.id).await {
        return refuse(&portal, shell, error);
    }
    let Some(profile) = profile else {
        return Ok(shell.redirect(PATH).flash(Flash::success(
            "You consented. You can withdraw it here at any time.",
        )));
    };
    match portal
        .connector
        .begin(&current.id, &profile.id, &current.session_binding())
        .await
    {
        Ok(url) => Ok(see_other(url.as_str())),
        Err(error) => refuse(&portal, shell, error),
    }
}

#[derive(Template)]
#[template(path = "consent/withdrawal.html")]
struct ConsentWithdrawal {
    shell: Shell,
    has_consent: bool,
    consequences: Consequences,
}

/// GET /account/consent/withdrawal: what withdrawing means.
///
/// # Errors
/// As the database.
pub async fn withdrawal(portal: Data<Portal>, shell: Shell, current: CurrentUser) -> Answer {
    let id = current.id.clone();
    let (consent, consequences) = portal
        .store
        .read(move |conn| {
            Ok::<_, StoreError>((
                consents::find(conn, &id)?,
                connections::of_people(conn, &[(id, ConsentReason::Person)])?,
            ))
        })
        .await?;
    let page = ConsentWithdrawal {
        shell,
        has_consent: consent.is_some() || !consequences.profiles.is_empty(),
        consequences,
    };
    page.shell.render(StatusCode::OK, &page)
}

/// POST /account/consent/withdrawal
///
/// # Errors
/// As the database.
pub async fn withdraw(
    portal: Data<Portal>,
    shell: Shell,
    current: CurrentUser,
    actor: Actor,
    Form(_): Form<NoFields>,
) -> Answer {
    let now = portal.clock.now();
    portal
        .store
        .write(move |tx| connections::withdraw_own(tx, &current.id, &actor, now))
        .await?;
    portal.wake.notify_one();
    portal.events.look();
    Ok(shell.redirect(PATH).flash(Flash::success(
        "Your consent is withdrawn. The access to LinkedIn is erased here, and LinkedIn is told to revoke it.",
    )))
}
