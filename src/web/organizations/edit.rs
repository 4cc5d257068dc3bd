//! Adding a Dynamics 365 organization, and changing one.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use askama::Template;
use serde::Deserialize;

use super::{dynamics, facts, path_of, record};
use crate::domain::ids::OrganizationId;
use crate::domain::organization::{CredentialKind, QualifiedRecord, check_client_id, check_name};
use crate::store::StoreError;
use crate::store::audit::Actor;
use crate::store::dataverse_organizations::{Reach, SealedCredential, Setup};
use crate::web::form::SecretText;
use crate::web::{Answer, FieldErrors, Flash, Form, Path, Portal, Shell};

/// A Dynamics 365 organization as somebody types it.
#[derive(Debug, Deserialize)]
pub struct OrganizationForm {
    name: String,
    address: String,
    tenant: String,
    client_id: String,
    credential_kind: String,
    secret: SecretText,
    certificate: SecretText,
    qualify_account: Option<String>,
    qualify_contact: Option<String>,
    qualify_opportunity: Option<String>,
    #[serde(default)]
    lock_version: i64,
}

impl OrganizationForm {
    fn qualification(&self) -> Vec<QualifiedRecord> {
        [
            (&self.qualify_account, QualifiedRecord::Account),
            (&self.qualify_contact, QualifiedRecord::Contact),
            (&self.qualify_opportunity, QualifiedRecord::Opportunity),
        ]
        .into_iter()
        .filter_map(|(ticked, record)| ticked.is_some().then_some(record))
        .collect()
    }
}

/// The values of the page; of secrets only what they are known by.
#[derive(Default)]
struct Values {
    name: String,
    address: String,
    tenant: String,
    client_id: String,
    credential_kind: String,
    qualification: Vec<QualifiedRecord>,
    lock_version: i64,
}

impl From<OrganizationForm> for Values {
    fn from(form: OrganizationForm) -> Self {
        Self {
            qualification: form.qualification(),
            name: form.name,
            address: form.address,
            tenant: form.tenant,
            client_id: form.client_id,
            credential_kind: form.credential_kind,
            lock_version: form.lock_version,
        }
    }
}

#[derive(Template)]
#[template(path = "organizations/edit.html")]
struct OrganizationsEdit {
    shell: Shell,
    /// The organization that is changed, with its name and what its credential is known by; `None` for a new one.
    existing: Option<(OrganizationId, String, String)>,
    values: Values,
    errors: FieldErrors,
}

impl OrganizationsEdit {
    fn kinds(&self) -> Vec<(&'static str, &'static str)> {
        CredentialKind::ALL
            .iter()
            .map(|kind| (kind.as_str(), kind.label()))
            .collect()
    }

    /// The boxes about qualified leads: name, label, whether it is ticked.
    fn qualified_records(&self) -> Vec<(String, &'static str, bool)> {
        let box_of = |record: &QualifiedRecord| {
            let is_ticked = self.values.qualification.contains(record);
            (
                format!("qualify_{record:?}").to_lowercase(),
                record.label(),
                is_ticked,
            )
        };
        QualifiedRecord::ALL.iter().map(box_of).collect()
    }

    fn action(&self) -> String {
        match &self.existing {
            Some((id, ..)) => path_of(id),
            None => super::INDEX.to_owned(),
        }
    }

    fn secret_hint(&self) -> String {
        match &self.existing {
            Some((_, _, hint)) => {
                format!("Stored: {hint}. Leave it blank to keep it.")
            }
            None => "The secret's Value, from App registrations › your application › Certificates & secrets. It is stored encrypted and never shown again.".to_owned(),
        }
    }

    fn certificate_hint(&self) -> &'static str {
        "Only with Certificate: both blocks in PEM form, BEGIN CERTIFICATE and BEGIN PRIVATE KEY, one below the other."
    }
}

/// What was typed, checked.
struct Checked {
    setup: Setup,
    /// `None`: the present one stays.
    credential: Option<SealedCredential>,
}

fn check(
    portal: &Portal,
    id: &OrganizationId,
    form: &OrganizationForm,
    may_keep: bool,
    errors: &mut FieldErrors,
) -> Option<Checked> {
    let name = errors.check("name", check_name(&form.name));
    let address = errors.check("address", portal.organizations.check_address(&form.address));
    let tenant = errors.check("tenant", portal.organizations.check_tenant(&form.tenant));
    let client_id = errors.check("client_id", check_client_id(&form.client_id));
    let kind = errors.check(
        "credential_kind",
        form.credential_kind
            .parse::<CredentialKind>()
            .map_err(|_| "Choose a client secret or a certificate."),
    )?;
    let (field, text) = match kind {
        CredentialKind::Secret => ("secret", &form.secret),
        CredentialKind::Certificate => ("certificate", &form.certificate),
    };
    let credential = if may_keep && text.expose().trim().is_empty() {
        None
    } else {
        let sealed = portal.organizations.seal(id, kind, &text.0);
        Some(errors.check(field, sealed)?)
    };
    Some(Checked {
        setup: Setup {
            name: name?,
            reach: Reach {
                address: address?,
                tenant: tenant?,
                client_id: client_id?,
            },
            qualification: form.qualification(),
        },
        credential,
    })
}

/// Notes what the store refused at its field; gives back any other error.
fn note(error: StoreError, errors: &mut FieldErrors) -> Result<(), StoreError> {
    match error {
        StoreError::Rule(rule) => errors.add("name", rule),
        StoreError::Duplicate(_) => errors.add(
            "address",
            "Another organization here has this address already. Two ways to the same organization would double its leads.",
        ),
        other => return Err(other),
    }
    Ok(())
}

/// GET /settings/organizations/new
///
/// # Errors
/// When the page cannot be drawn.
pub async fn new(shell: Shell) -> Answer {
    let page = OrganizationsEdit {
        shell,
        existing: None,
        values: Values {
            credential_kind: CredentialKind::Secret.as_str().to_owned(),
            ..Values::default()
        },
        errors: FieldErrors::new(),
    };
    page.shell.render(StatusCode::OK, &page)
}

/// POST /settings/organizations
///
/// # Errors
/// As the database.
pub async fn create(
    portal: Data<Portal>,
    shell: Shell,
    actor: Actor,
    Form(form): Form<OrganizationForm>,
) -> Answer {
    let mut errors = FieldErrors::new();
    let id = OrganizationId::new(portal.new_id());
    let checked = check(&portal, &id, &form, false, &mut errors);
    if let Some(Checked {
        setup,
        credential: Some(credential),
    }) = checked
    {
        let path = path_of(&id);
        let portal_tx = portal.clone();
        let saved = portal
            .store
            .write(move |tx| {
                let now = portal_tx.clock.now();
                dynamics::insert(tx, &id, &setup, &credential, now)?;
                let after = facts(&dynamics::get(tx, &id)?);
                let (about, action) = ((&id, setup.name.as_str()), "organization.created");
                record(tx, &portal_tx, &actor, action, about, None, Some(after))
            })
            .await;
        match saved {
            Ok(()) => {
                let flash = Flash::success(
                    "The organization was added. Test the connection now, before a profile chooses it.",
                );
                return Ok(shell.redirect(path).flash(flash));
            }
            Err(error) => note(error, &mut errors)?,
        }
    }
    let page = OrganizationsEdit {
        shell,
        existing: None,
        values: form.into(),
        errors,
    };
    page.shell.render(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

/// GET /settings/organizations/{id}/edit
///
/// # Errors
/// `NotFound`, or as the database.
pub async fn edit(portal: Data<Portal>, shell: Shell, Path(id): Path<OrganizationId>) -> Answer {
    let of = portal
        .store
        .read(move |conn| dynamics::get(conn, &id))
        .await?;
    let page = OrganizationsEdit {
        shell,
        values: Values {
            name: of.organization.name.clone(),
            address: of.reach.address,
            tenant: of.reach.tenant,
            client_id: of.reach.client_id,
            credential_kind: of.credential_kind.as_str().to_owned(),
            qualification: of.qualification,
            lock_version: of.organization.lock_version,
        },
        existing: Some((of.organization.id, of.organization.name, of.credential_hint)),
        errors: FieldErrors::new(),
    };
    page.shell.render(StatusCode::OK, &page)
}

/// POST /settings/organizations/{id}
///
/// # Errors
/// `NotFound`, `Stale`, or as the database.
pub async fn update(
    portal: Data<Portal>,
    shell: Shell,
    actor: Actor,
    Path(id): Path<OrganizationId>,
    Form(form): Form<OrganizationForm>,
) -> Answer {
    let mut errors = FieldErrors::new();
    let wanted = id.clone();
    let before = portal
        .store
        .read(move |conn| dynamics::get(conn, &wanted))
        .await?;
    // A stored secret is of no use as a certificate, and the other way round.
    let may_keep = form.credential_kind == before.credential_kind.as_str();
    if let Some(checked) = check(&portal, &id, &form, may_keep, &mut errors) {
        let (portal_tx, changed) = (portal.clone(), id.clone());
        let version = form.lock_version;
        let saved = portal
            .store
            .write(move |tx| {
                let before = facts(&dynamics::get(tx, &changed)?);
                let Checked { setup, credential } = &checked;
                let now = portal_tx.clock.now();
                dynamics::update(tx, &changed, version, setup, credential.as_ref(), now)?;
                let saved = dynamics::get(tx, &changed)?;
                let (after, is_tested) = (facts(&saved), saved.check.is_some());
                let (about, action) = ((&changed, setup.name.as_str()), "organization.changed");
                record(
                    tx,
                    &portal_tx,
                    &actor,
                    action,
                    about,
                    Some(before),
                    Some(after),
                )?;
                Ok(is_tested)
            })
            .await;
        match saved {
            Ok(is_tested) => {
                let flash = Flash::success(if is_tested {
                    "The organization was changed."
                } else {
                    "The organization was changed. Test the connection again."
                });
                return Ok(shell.redirect(path_of(&id)).flash(flash));
            }
            Err(error) => note(error, &mut errors)?,
        }
    }
    let page = OrganizationsEdit {
        shell,
        existing: Some((id, before.organization.name, before.credential_hint)),
        values: form.into(),
        errors,
    };
    page.shell.render(StatusCode::UNPROCESSABLE_ENTITY, &page)
}
