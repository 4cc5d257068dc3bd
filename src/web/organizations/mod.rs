//! Organizations: where leads go. The list, one Dynamics 365 organization, its connection test, which part of a lead goes to
//! which of its columns, switching it off and on, deleting it.

mod columns;
mod edit;
mod key;

pub use columns::{columns, save_columns};
pub use edit::{create, edit, new, update};
pub use key::add_key;

use std::collections::HashMap;

use actix_web::http::StatusCode;
use actix_web::web::Data;
use askama::Template;
use serde::Deserialize;
use serde_json::{Value, json};

use super::form::NoFields;
use super::history::{self, History};
use super::outgoing_webhooks::standing;
use super::{Answer, Flash, Form, Path, Portal, Shell};
use crate::domain::ids::{OrganizationId, ProfileId};
use crate::domain::organization::CheckStep;
use crate::store::audit::{self, Actor};
use crate::store::dataverse_organizations::{self as dynamics, Check, DynamicsOrganization};
use crate::store::deliveries::lanes::{self, Destination};
use crate::store::deliveries::standing::{self as standings, Standing};
use crate::store::organization_reads::{self, ReadState};
use crate::store::organizations::{self, Organization};
use crate::store::{AnyConn, StoreError, dataverse_columns};

/// Where the list is.
const INDEX: &str = "/settings/organizations";

fn path_of(id: &OrganizationId) -> String {
    format!("{INDEX}/{id}")
}

fn record(
    tx: &mut AnyConn,
    portal: &Portal,
    actor: &Actor,
    action: &str,
    organization: (&OrganizationId, &str),
    before: Option<Value>,
    after: Option<Value>,
) -> Result<(), StoreError> {
    let object = ("organization", organization.0.as_str(), organization.1);
    audit::record(tx, portal.clock.now(), actor, action, object, before, after)
}

/// What the audit log keeps of an organization: nothing secret.
fn facts(of: &DynamicsOrganization) -> Value {
    json!({
        "name": of.organization.name,
        "address": of.reach.address,
        "tenant": of.reach.tenant,
        "client_id": of.reach.client_id,
        "qualification": of.qualification,
        "credential": format!("{} {}", of.credential_kind, of.credential_hint),
    })
}

/// The colour and the words of an organization's state.
fn state(of: Option<&DynamicsOrganization>) -> (&'static str, &'static str) {
    let Some(of) = of else {
        return ("good", "Always there");
    };
    match &of.check {
        _ if !of.is_enabled => ("quiet", "Disabled"),
        None => ("warn", "Not tested yet"),
        Some(check) if check.failure.is_some() => ("bad", "Test failed"),
        Some(_) => ("good", "Test passed"),
    }
}

/// One line of the list.
struct Row {
    organization: Organization,
    address: Option<String>,
    state: (&'static str, &'static str),
    /// How what is sent there stands; `None`: nothing is sent to the portal itself.
    deliveries: Option<Standing>,
    profiles: usize,
}

#[derive(Template)]
#[template(path = "organizations/index.html")]
struct OrganizationsIndex {
    shell: Shell,
    rows: Vec<Row>,
}

/// GET /settings/organizations
///
/// # Errors
/// As the database.
pub async fn index(portal: Data<Portal>, shell: Shell) -> Answer {
    let (all, dynamics, profiles, standings) = portal
        .store
        .read(|conn| {
            Ok::<_, StoreError>((
                organizations::list(conn)?,
                dynamics::by_id(conn)?,
                organizations::profiles_by_organization(conn)?,
                standings::list(conn)?,
            ))
        })
        .await?;
    let mut deliveries: HashMap<OrganizationId, Standing> = standings
        .into_iter()
        .filter_map(|standing| match &standing.lane.destination {
            Destination::Organization(id) => Some((id.clone(), standing)),
            Destination::Webhook(_) => None,
        })
        .collect();
    let rows = all
        .into_iter()
        .map(|organization| {
            let of = dynamics.get(&organization.id);
            Row {
                address: of.map(|of| of.reach.address.clone()),
                state: state(of),
                deliveries: deliveries.remove(&organization.id),
                profiles: profiles.get(&organization.id).map_or(0, Vec::len),
                organization,
            }
        })
        .collect();
    let page = OrganizationsIndex { shell, rows };
    page.shell.render(StatusCode::OK, &page)
}

/// How one step of the latest test went.
#[derive(Clone, Copy, PartialEq, Eq)]
enum StepResult {
    Passed,
    Failed,
    NotReached,
}

/// The steps of a test with their results: those before the failed one passed, those after it were not reached.
fn steps(check: &Check) -> Vec<(CheckStep, StepResult)> {
    let failed = check.failure.map(|(step, _)| step);
    CheckStep::ALL
        .iter()
        .map(|step| {
            let result = match failed {
                Some(failed) if *step == failed => StepResult::Failed,
                Some(failed) if *step > failed => StepResult::NotReached,
                _ => StepResult::Passed,
            };
            (*step, result)
        })
        .collect()
}

#[derive(Template)]
#[template(path = "organizations/show.html")]
struct OrganizationsShow {
    shell: Shell,
    of: DynamicsOrganization,
    columns: usize,
    /// How its queue stands.
    standing: (&'static str, &'static str),
    profiles: Vec<(ProfileId, String)>,
    read: ReadState,
    history: History,
}

impl OrganizationsShow {
    fn path(&self) -> String {
        path_of(&self.of.organization.id)
    }
}

/// GET /settings/organizations/{id}
///
/// # Errors
/// `NotFound`, or as the database.
pub async fn show(portal: Data<Portal>, shell: Shell, Path(id): Path<OrganizationId>) -> Answer {
    let (of, columns, lane, profiles, read, history) = portal
        .store
        .read(move |conn| {
            Ok::<_, StoreError>((
                dynamics::get(conn, &id)?,
                dataverse_columns::of(conn, &id)?.len(),
                lanes::of(conn, &Destination::Organization(id.clone()))?,
                organizations::profiles_by_organization(conn)?
                    .remove(&id)
                    .unwrap_or_default(),
                organization_reads::state(conn, &id)?,
                history::read(conn, "organization", id.as_str())?,
            ))
        })
        .await?;
    let page = OrganizationsShow {
        shell,
        of,
        columns,
        standing: standing(&lane),
        profiles,
        read,
        history,
    };
    page.shell.render(StatusCode::OK, &page)
}

/// POST /settings/organizations/{id}/checks: tests the connection.
///
/// # Errors
/// `NotFound`, or as the database.
pub async fn check(
    portal: Data<Portal>,
    shell: Shell,
    actor: Actor,
    Path(id): Path<OrganizationId>,
    Form(_): Form<NoFields>,
) -> Answer {
    let check = portal.organizations.check(&id).await?;
    let found = match check.failure {
        None => json!({ "result": "passed" }),
        Some((step, trouble)) => json!({ "result": trouble, "step": step }),
    };
    let (portal_tx, tested) = (portal.clone(), id.clone());
    portal
        .store
        .write(move |tx| {
            let name = dynamics::get(tx, &tested)?.organization.name;
            let (about, action) = ((&tested, name.as_str()), "organization.tested");
            record(tx, &portal_tx, &actor, action, about, None, Some(found))
        })
        .await?;
    let flash = match check.failure {
        None => Flash::success("The test passed: leads can be delivered to this organization."),
        Some((_, trouble)) => Flash::failure(format!("The test failed. {trouble}")),
    };
    Ok(shell.redirect(path_of(&id)).flash(flash))
}

/// The version that the person saw.
#[derive(Debug, Deserialize)]
pub struct VersionForm {
    lock_version: i64,
}

async fn switch(
    portal: Data<Portal>,
    shell: Shell,
    actor: Actor,
    id: OrganizationId,
    version: i64,
    is_enabled: bool,
) -> Answer {
    let (portal_tx, switched) = (portal.clone(), id.clone());
    portal
        .store
        .write(move |tx| {
            let now = portal_tx.clock.now();
            let before = dynamics::get(tx, &switched)?;
            dynamics::set_enabled(tx, &switched, version, is_enabled, now)?;
            let name = before.organization.name.as_str();
            let (was, is) = (before.is_enabled, is_enabled);
            record(
                tx,
                &portal_tx,
                &actor,
                if is_enabled {
                    "organization.enabled"
                } else {
                    "organization.disabled"
                },
                (&switched, name),
                Some(json!({ "is_enabled": was })),
                Some(json!({ "is_enabled": is })),
            )
        })
        .await?;
    let flash = if is_enabled {
        Flash::success("The organization is enabled.")
    } else {
        Flash::success(
            "The organization is disabled: profiles can no longer choose it, and nothing is sent to it.",
        )
    };
    Ok(shell.redirect(path_of(&id)).flash(flash))
}

/// POST /settings/organizations/{id}/enabling
///
/// # Errors
/// `NotFound`, `Stale`, or as the database.
pub async fn enable(
    portal: Data<Portal>,
    shell: Shell,
    actor: Actor,
    Path(id): Path<OrganizationId>,
    Form(form): Form<VersionForm>,
) -> Answer {
    switch(portal, shell, actor, id, form.lock_version, true).await
}

/// POST /settings/organizations/{id}/disabling
///
/// # Errors
/// `NotFound`, `Stale`, or as the database.
pub async fn disable(
    portal: Data<Portal>,
    shell: Shell,
    actor: Actor,
    Path(id): Path<OrganizationId>,
    Form(form): Form<VersionForm>,
) -> Answer {
    switch(portal, shell, actor, id, form.lock_version, false).await
}

#[derive(Template)]
#[template(path = "organizations/deletion.html")]
struct OrganizationsDeletion {
    shell: Shell,
    of: DynamicsOrganization,
    profiles: Vec<(ProfileId, String)>,
}

async fn deletion_page(
    portal: &Portal,
    shell: Shell,
    id: OrganizationId,
) -> Result<OrganizationsDeletion, StoreError> {
    let (of, profiles) = portal
        .store
        .read(move |conn| {
            Ok::<_, StoreError>((
                dynamics::get(conn, &id)?,
                organizations::profiles_by_organization(conn)?
                    .remove(&id)
                    .unwrap_or_default(),
            ))
        })
        .await?;
    Ok(OrganizationsDeletion {
        shell,
        of,
        profiles,
    })
}

/// GET /settings/organizations/{id}/deletion: what it means.
///
/// # Errors
/// `NotFound`, or as the database.
pub async fn deletion(
    portal: Data<Portal>,
    shell: Shell,
    Path(id): Path<OrganizationId>,
) -> Answer {
    let page = deletion_page(&portal, shell, id).await?;
    page.shell.render(StatusCode::OK, &page)
}

/// POST /settings/organizations/{id}/deletion: refused while profiles sync to it.
///
/// # Errors
/// `NotFound`, `Stale`, or as the database.
pub async fn destroy(
    portal: Data<Portal>,
    shell: Shell,
    actor: Actor,
    Path(id): Path<OrganizationId>,
    Form(form): Form<VersionForm>,
) -> Answer {
    let (portal_tx, gone) = (portal.clone(), id.clone());
    let deleted = portal
        .store
        .write(move |tx| {
            let before = dynamics::get(tx, &gone)?;
            dynamics::delete(tx, &gone, form.lock_version)?;
            let name = before.organization.name.as_str();
            let (about, action) = ((&gone, name), "organization.deleted");
            record(
                tx,
                &portal_tx,
                &actor,
                action,
                about,
                Some(facts(&before)),
                None,
            )?;
            Ok::<_, StoreError>(name.to_owned())
        })
        .await;
    match deleted {
        Ok(name) => Ok(shell.redirect(INDEX).flash(Flash::success(format!(
            "The organization “{name}” was deleted here. In Dynamics 365 nothing changed."
        )))),
        Err(StoreError::InUse(_)) => {
            let page = deletion_page(&portal, shell, id).await?;
            page.shell.render(StatusCode::CONFLICT, &page)
        }
        Err(error) => Err(error.into()),
    }
}
