//! The setup checklist: what an installation needs before leads arrive, each with its state and its next step.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use askama::Template;
use secrecy::ExposeSecret;
use serde_json::json;

use super::form::NoFields;
use super::{Answer, Flash, Form, Portal, Shell, WebError};
use crate::domain::connections::Refusal;
use crate::domain::setup::{SetupFacts, SetupStep};
use crate::store::app_credential_checks::{self, AppCheck, Outcome};
use crate::store::audit::{self, Actor};
use crate::store::{StoreError, matching_strategies, setup};

/// Where the page is.
pub(super) const PATH: &str = "/settings/setup";

#[derive(Template)]
#[template(path = "setup/show.html")]
struct SetupShow {
    shell: Shell,
    facts: SetupFacts,
    check: Option<AppCheck>,
    strategy: Option<String>,
    redirect_uri: String,
    /// Why nobody may use LinkedIn here, whatever an Administrator decides.
    overruled: Option<Refusal>,
    done: usize,
}

impl SetupShow {
    fn is_done(&self, step: SetupStep) -> bool {
        step.is_done(&self.facts)
    }

    fn is_next(&self, step: SetupStep) -> bool {
        self.facts.next() == Some(step)
    }
}

/// Client id and keyed digest of id and secret: tells whether a check was about the credentials in force.
fn credentials(portal: &Portal) -> Option<(String, String)> {
    let linkedin = &portal.settings.linkedin;
    let (id, secret) = (
        linkedin.client_id.as_ref()?,
        linkedin.client_secret.as_ref()?,
    );
    let text = format!("{}:{id}:{}", id.len(), secret.expose_secret());
    Some((id.clone(), portal.signer.sign("app credentials", &text)))
}

/// What is there, with the last check of the credentials in force.
///
/// # Errors
/// As the database.
pub(super) async fn facts(portal: &Portal) -> Result<(SetupFacts, Option<AppCheck>), WebError> {
    let credentials = credentials(portal);
    let has_credentials = credentials.is_some();
    let (facts, check) = portal
        .store
        .read(move |conn| {
            let check = match &credentials {
                Some((id, print)) => app_credential_checks::find(conn, id, print)?,
                None => None,
            };
            Ok::<_, StoreError>((setup::facts(conn)?, check))
        })
        .await?;
    let is_app_refused = check
        .as_ref()
        .is_some_and(|check| check.outcome == Outcome::Refused);
    let facts = SetupFacts {
        has_credentials,
        is_app_refused,
        does_deployment_decide: portal.connector.deployment().check().is_err(),
        ..facts
    };
    Ok((facts, check))
}

/// GET /settings/setup
///
/// # Errors
/// As the database.
pub async fn show(portal: Data<Portal>, shell: Shell) -> Answer {
    let (facts, check) = facts(&portal).await?;
    let strategy = portal
        .store
        .read(|conn| match matching_strategies::active(conn) {
            Ok(strategy) => Ok(Some(strategy.name)),
            Err(StoreError::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        })
        .await?;
    let page = SetupShow {
        done: SetupStep::ALL
            .iter()
            .filter(|step| step.is_done(&facts))
            .count(),
        redirect_uri: portal.connector.redirect_uri().to_string(),
        overruled: portal.connector.deployment().check().err(),
        shell,
        facts,
        check,
        strategy,
    };
    page.shell.render(StatusCode::OK, &page)
}

/// POST /settings/setup/credential-checks: asks LinkedIn now whether it knows the client id and secret.
///
/// # Errors
/// As the database.
pub async fn check(
    portal: Data<Portal>,
    shell: Shell,
    actor: Actor,
    Form(_): Form<NoFields>,
) -> Answer {
    let Some((client_id, fingerprint)) = credentials(&portal) else {
        let flash = Flash::failure("There is nothing to test: no client id and secret are set.");
        return Ok(shell.redirect(PATH).flash(flash));
    };
    // No transaction is open while LinkedIn is asked.
    let (outcome, detail) = portal.connector.check_app().await;
    let now = portal.clock.now();
    let check = AppCheck {
        outcome,
        detail,
        checked_at: now,
    };
    let flash = match outcome {
        Outcome::Accepted => Flash::success("LinkedIn accepts the client id and secret."),
        Outcome::Refused => Flash::failure("LinkedIn does not accept the client id and secret."),
        Outcome::Unanswered => Flash::failure(
            "LinkedIn could not be asked, so nothing is known about the client id and secret.",
        ),
    };
    portal
        .store
        .write(move |tx| {
            app_credential_checks::save(tx, &client_id, &fingerprint, &check)?;
            audit::record(
                tx,
                now,
                &actor,
                "linkedin_app.checked",
                ("linkedin_app", "", "LinkedIn developer app"),
                None,
                Some(json!({ "outcome": check.outcome.as_str() })),
            )
        })
        .await?;
    Ok(shell.redirect(PATH).flash(flash))
}
