//! Where the leads of a profile go: another organization, with what that means first.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use askama::Template;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::json;

use super::profiles::managed;
use super::{Answer, FieldErrors, Flash, Form, Path, Portal, Shell, WebError};
use crate::auth::CurrentUser;
use crate::domain::access::Permission;
use crate::domain::ids::{AccountId, OrganizationId, ProfileId};
use crate::domain::organization::OrganizationKind;
use crate::store::audit::{self, Actor};
use crate::store::deliveries;
use crate::store::destinations::{self, ReadAccount};
use crate::store::organizations::Organization;
use crate::store::profiles::{self, Profile};
use crate::store::{AnyConn, StoreError};

/// Said on a profile whose organization nobody has confirmed.
const NOT_CONFIRMED: &str = "The organization is chosen when the profile is authorized for the first time. Authorize the profile first.";

/// An organization that can be chosen instead.
struct Choice {
    organization: Organization,
    /// How many leads would be sent to it if the existing ones are; `None`: nothing is sent to it.
    existing: Option<i64>,
}

#[derive(Template)]
#[template(path = "profiles/destination.html")]
struct ProfilesDestination {
    shell: Shell,
    profile: Profile,
    /// The name of the present organization.
    present: String,
    choices: Vec<Choice>,
    accounts: Vec<ReadAccount>,
    chosen: String,
    sends_existing: bool,
    errors: FieldErrors,
}

impl ProfilesDestination {
    /// Whether leads are sent anywhere by one of the choices.
    fn sends_somewhere(&self) -> bool {
        self.choices.iter().any(|choice| choice.existing.is_some())
    }
}

/// The organization of a profile that has one.
fn present_of(profile: &Profile) -> Result<(OrganizationId, String), StoreError> {
    profile
        .organization
        .clone()
        .ok_or_else(|| StoreError::Rule(NOT_CONFIRMED.to_owned()))
}

fn choices(
    conn: &mut AnyConn,
    present: &OrganizationId,
    accounts: &[ReadAccount],
) -> Result<Vec<Choice>, StoreError> {
    let ids: Vec<AccountId> = accounts.iter().map(|account| account.id.clone()).collect();
    let mut open = destinations::list_open(conn, None)?;
    open.retain(|one| one.id != *present);
    open.into_iter()
        .map(|organization| {
            let existing = match organization.kind {
                OrganizationKind::BuiltIn => None,
                OrganizationKind::Dynamics365 => {
                    Some(deliveries::count_existing(conn, &organization.id, &ids)?)
                }
            };
            Ok(Choice {
                organization,
                existing,
            })
        })
        .collect()
}

async fn page(
    portal: &Portal,
    shell: Shell,
    profile: Profile,
) -> Result<ProfilesDestination, WebError> {
    let (present, name) = present_of(&profile)?;
    let id = profile.id.clone();
    let (accounts, choices) = portal
        .store
        .read(move |conn| {
            let accounts = destinations::read_accounts(conn, &id)?;
            let choices = choices(conn, &present, &accounts)?;
            Ok::<_, StoreError>((accounts, choices))
        })
        .await?;
    Ok(ProfilesDestination {
        shell,
        profile,
        present: name,
        choices,
        accounts,
        chosen: String::new(),
        sends_existing: false,
        errors: FieldErrors::new(),
    })
}

/// GET /linkedin-user-profiles/{id}/destination: what another organization means.
///
/// # Errors
/// `NotFound`, `Rule` while the profile has no organization, or as the database.
pub async fn edit(
    portal: Data<Portal>,
    shell: Shell,
    current: CurrentUser,
    Path(id): Path<ProfileId>,
) -> Answer {
    let profile = managed(&portal, &current, &id).await?;
    let page = page(&portal, shell, profile).await?;
    page.shell.render(StatusCode::OK, &page)
}

/// The choice.
#[derive(Debug, Deserialize)]
pub struct DestinationForm {
    #[serde(default)]
    organization_id: String,
    send_existing: Option<String>,
    #[serde(default)]
    lock_version: String,
}

/// POST /linkedin-user-profiles/{id}/destination
///
/// # Errors
/// `NotFound`, `Stale`, `Rule` while the profile has no organization, or as the database.
pub async fn update(
    portal: Data<Portal>,
    shell: Shell,
    current: CurrentUser,
    actor: Actor,
    Path(id): Path<ProfileId>,
    Form(form): Form<DestinationForm>,
) -> Answer {
    let profile = managed(&portal, &current, &id).await?;
    let version: i64 = form
        .lock_version
        .parse()
        .map_err(|_| WebError::Invalid("The form does not say what it was made from.".into()))?;
    let (present, _) = present_of(&profile)?;
    let sends_existing = form.send_existing.is_some();
    let chosen: Option<OrganizationId> = form.organization_id.parse().ok();
    let changed = match chosen.filter(|chosen| *chosen != present) {
        None => Err("Choose the organization to which the leads go from now on.".to_owned()),
        Some(chosen) => {
            let now = portal.clock.now();
            let name = profile.name.clone();
            portal
                .store
                .write(move |tx| {
                    let written = write(
                        tx,
                        &actor,
                        (&id, &name),
                        &chosen,
                        version,
                        sends_existing,
                        now,
                    );
                    match written {
                        Ok(done) => Ok(Ok(done)),
                        // Nothing was written before a rule refused.
                        Err(StoreError::Rule(rule)) => Ok(Err(rule)),
                        Err(error) => Err(error),
                    }
                })
                .await?
        }
    };
    match changed {
        Ok(done) => {
            portal.wake.notify_one();
            Ok(shell
                .redirect(format!("/linkedin-user-profiles/{}", profile.id))
                .flash(Flash::success(done)))
        }
        Err(rule) => {
            let mut page = page(&portal, shell, profile).await?;
            page.errors.add("organization_id", rule);
            page.chosen = form.organization_id;
            page.sends_existing = sends_existing;
            page.profile.lock_version = version;
            page.shell.render(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
    }
}

/// Changes the organization and queues what is to be sent; answers what to tell the person.
fn write(
    tx: &mut AnyConn,
    actor: &Actor,
    (id, name): (&ProfileId, &str),
    chosen: &OrganizationId,
    lock_version: i64,
    sends_existing: bool,
    now: DateTime<Utc>,
) -> Result<String, StoreError> {
    let before = profiles::get(tx, id)?.organization;
    let organization = destinations::change(tx, id, chosen, lock_version, now)?;
    let queued = if sends_existing {
        let accounts: Vec<AccountId> = destinations::read_accounts(tx, id)?
            .into_iter()
            .map(|account| account.id)
            .collect();
        deliveries::enqueue_existing(tx, chosen, Some(&accounts))?
    } else {
        0
    };
    audit::record(
        tx,
        now,
        actor,
        "linkedin_user_profile.destination_changed",
        ("linkedin_user_profile", id.as_str(), name),
        Some(json!({ "organization": before.map(|(_, name)| name) })),
        Some(json!({ "organization": organization.name, "existing_leads_queued": queued })),
    )?;
    let name = organization.name;
    Ok(match queued {
        0 => format!("Leads go to {name} from now on."),
        1 => format!("Leads go to {name} from now on. 1 lead that was here already is on its way."),
        more => format!(
            "Leads go to {name} from now on. {more} leads that were here already are on their way."
        ),
    })
}
