//! `leadgen demo`: the whole main job on an embedded SQLite file against the built-in LinkedIn sandbox, and on into the
//! sandbox's Dynamics 365 organization.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::time::Instant;

use secrecy::{ExposeSecret, SecretString};
use url::Url;
use uuid::Uuid;

use super::{CommandError, say, status};
use crate::app::{App, AppOptions};
use crate::auth::accounts::{self, NewUser};
use crate::auth::passwords;
use crate::destination_address::Reach;
use crate::domain::access::Role;
use crate::domain::connections::Setting;
use crate::domain::ids::{OrganizationId, ProfileId, UserId};
use crate::domain::organization::CredentialKind;
use crate::domain::time_zone::TimeZone;
use crate::sandbox::dataverse::{self, DataverseHandle, DataverseOptions};
use crate::sandbox::{self, Decision, SandboxHandle, SandboxOptions};
use crate::settings::Settings;
use crate::store::audit::Actor;
use crate::store::dataverse_organizations::{self, Reach as OrganizationReach, Setup};
use crate::store::leases::ClaimFilter;
use crate::store::{self, StoreError, organization_leads};
use crate::sync::connect::CallbackQuery;
use crate::sync::delivery;

/// Arguments of `leadgen demo`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Exit after the summary instead of serving the portal.
    #[arg(long)]
    once: bool,
    /// Form responses in the sandbox's history.
    #[arg(long, value_name = "N", default_value_t = 250, value_parser = clap::value_parser!(u32).range(0..=10_000_000))]
    leads: u32,
    /// The database; default: a file of the demonstration's own.
    #[arg(long, value_name = "URL", default_value = "sqlite://data/demo.db", value_parser = database_url)]
    database_url: String,
}

/// Refuses what names no database; an empty text too, which elsewhere means production's default.
fn database_url(text: &str) -> Result<String, String> {
    text.parse::<store::DatabaseUrl>().map(|_| text.to_owned())
}

/// The people of the demonstration, one per role.
const PEOPLE: &[(&str, &str, Role)] = &[
    ("ada@demo.example", "Ada Administrator", Role::Administrator),
    ("sam@demo.example", "Sam Salesperson", Role::Salesperson),
    ("mia@demo.example", "Mia Manager", Role::SalesManager),
];

const PROFILE: &str = "Demo profile";
const DYNAMICS: &str = "Contoso (Dynamics 365 sandbox)";

/// Does the job, prints what it did, then serves.
///
/// # Errors
/// See [`CommandError`].
pub async fn run(arguments: Arguments) -> Result<(), CommandError> {
    let begun = Instant::now();
    let leads = usize::try_from(arguments.leads).unwrap_or(usize::MAX);
    let sandbox = start_sandbox(leads)?;
    let dynamics = start_dynamics()?;
    let settings = settings(&arguments.database_url, &sandbox)?;
    let settings = with_dynamics(settings, &dynamics)?;
    let listener = listen(&settings)?;
    let app = App::open(with_address(settings, &listener)?, AppOptions::default())?;
    app.migrate().await?;

    say("Leadgen Connector, demonstration with the built-in LinkedIn sandbox");
    say("");
    let people = make_people(&app).await?;
    let owner = people
        .iter()
        .find(|person| person.role == Role::Salesperson)
        .map(|person| person.id.clone())
        .ok_or_else(|| CommandError::Failed("the demonstration has no salesperson".into()))?;
    allow_connections(&app, &owner).await?;
    say(
        "LinkedIn account connections: the demonstration starts with Yes, and its salesperson has consented.",
    );
    say(
        "A fresh installation starts with No. Change it under Settings › LinkedIn account connections.",
    );
    say("");
    let organization = add_dynamics(&app, &dynamics).await?;
    authorize(&app, &owner, &sandbox, &organization).await?;
    app.scheduler()
        .run_until_idle(&ClaimFilter::default())
        .await
        .map_err(|error| CommandError::Failed(error.to_string()))?;
    send_again(&app, &organization).await?;
    delivery::run_due(app.scheduler().context()).await?;

    let totals = app.store().read(store::status::aggregate).await?;
    for line in status::lines(&totals) {
        say(&line);
    }
    say(&format!(
        "Leads in Dynamics 365  {}",
        dynamics.count("lead")
    ));
    say(&format!(
        "Seconds                {:.1}",
        begun.elapsed().as_secs_f64()
    ));
    say("");
    say("People (these passwords are shown only now):");
    for person in &people {
        say(&format!(
            "  {:<14} {:<20} {}",
            person.role.label(),
            person.email,
            person.password.expose_secret()
        ));
    }
    if arguments.once {
        return Ok(());
    }
    say("");
    say(&format!(
        "Portal          {}",
        app.settings().http.public_url
    ));
    say(&format!("Submit a lead   {}/sandbox/", sandbox.base_url()));
    say(&format!("Dynamics 365    {}/", dynamics.url()));
    say("Stop with Ctrl+C.");
    app.serve(listener, true).await?;
    sandbox.stop();
    dynamics.stop();
    Ok(())
}

/// On its usual port, so that a page left open goes on; on a free one when that is taken.
fn start_sandbox(leads: usize) -> Result<SandboxHandle, CommandError> {
    let start = |port: u16| {
        sandbox::start(SandboxOptions {
            bind: SocketAddr::from(([127, 0, 0, 1], port)),
            leads,
            ..SandboxOptions::default()
        })
    };
    start(8081)
        .or_else(|_| start(0))
        .map_err(|error| CommandError::Failed(format!("the sandbox cannot be started: {error}")))
}

fn start_dynamics() -> Result<DataverseHandle, CommandError> {
    let start = |port: u16| {
        dataverse::start(DataverseOptions {
            bind: SocketAddr::from(([127, 0, 0, 1], port)),
            ..DataverseOptions::default()
        })
    };
    start(8443).or_else(|_| start(0)).map_err(|error| {
        CommandError::Failed(format!(
            "the Dynamics 365 sandbox cannot be started: {error}"
        ))
    })
}

/// The settings by which the portal finds and believes the sandbox's organization.
fn with_dynamics(
    mut settings: Settings,
    dynamics: &DataverseHandle,
) -> Result<Settings, CommandError> {
    let failed = |error: String| CommandError::Failed(error);
    let pem = dynamics.certificate_pem().as_bytes();
    let certificate =
        reqwest::Certificate::from_pem(pem).map_err(|error| failed(error.to_string()))?;
    settings.destinations.authorities.push(certificate);
    settings.destinations.reach = Reach::Anywhere;
    settings.entra_url = dynamics
        .url()
        .parse()
        .map_err(|_| failed("the sandbox has no address".to_owned()))?;
    Ok(settings)
}

/// The environment's settings, with LinkedIn replaced by the sandbox and a database of the demonstration's own.
fn settings(database_url: &str, sandbox: &SandboxHandle) -> Result<Settings, CommandError> {
    let mut environment: BTreeMap<String, String> = std::env::vars()
        .filter(|(name, _)| {
            name.starts_with("LEADGEN_")
                && !name.starts_with("LEADGEN_LINKEDIN_")
                && !name.starts_with("LEADGEN_DATABASE_")
        })
        .collect();
    for (name, value) in [
        ("LEADGEN_DATABASE_URL", database_url.to_owned()),
        ("LEADGEN_LINKEDIN_OAUTH_URL", sandbox.oauth_url()),
        ("LEADGEN_LINKEDIN_API_URL", sandbox.api_url()),
        ("LEADGEN_LINKEDIN_CLIENT_ID", sandbox::CLIENT_ID.to_owned()),
        (
            "LEADGEN_LINKEDIN_CLIENT_SECRET",
            sandbox::CLIENT_SECRET.to_owned(),
        ),
        (
            "LEADGEN_LINKEDIN_SCOPES",
            "r_ads r_marketing_leadgen_automation r_organization_admin openid profile".to_owned(),
        ),
    ] {
        environment.insert(name.to_owned(), value);
    }
    // A demonstration that arrives within seconds is worth more than one that spares the sandbox.
    environment
        .entry("LEADGEN_SYNC_INTERVAL".to_owned())
        .or_insert_with(|| "10s".to_owned());
    Ok(Settings::read(&environment)?)
}

fn listen(settings: &Settings) -> Result<TcpListener, CommandError> {
    TcpListener::bind(settings.http.bind)
        .or_else(|_| TcpListener::bind((settings.http.bind.ip(), 0)))
        .map_err(|error| {
            CommandError::Usage(format!(
                "LEADGEN_BIND: {} cannot be listened on ({error}); choose another address",
                settings.http.bind
            ))
        })
}

/// The portal's address is where it listens, unless a public URL was set.
fn with_address(mut settings: Settings, listener: &TcpListener) -> Result<Settings, CommandError> {
    if std::env::var_os("LEADGEN_PUBLIC_URL").is_none() {
        let address = listener
            .local_addr()
            .map_err(|error| CommandError::Failed(error.to_string()))?;
        settings.http.public_url = Url::parse(&format!("http://{address}"))
            .map_err(|error| CommandError::Failed(error.to_string()))?;
    }
    Ok(settings)
}

struct Person {
    id: UserId,
    email: &'static str,
    role: Role,
    password: SecretString,
}

/// Makes the people, or gives those of an earlier demonstration new passwords.
async fn make_people(app: &App) -> Result<Vec<Person>, CommandError> {
    let mut people = Vec::new();
    for (email, name, role) in PEOPLE {
        let failed = |error: passwords::HashError| CommandError::Failed(error.to_string());
        let password = passwords::generate().map_err(failed)?;
        let hashed = password.clone();
        let hash = tokio::task::spawn_blocking(move || passwords::hash_now(&hashed))
            .await
            .map_err(|error| CommandError::Failed(error.to_string()))?
            .map_err(failed)?;
        let now = app.clock().now();
        let id = app
            .store()
            .write(move |conn| {
                if let Some(user) = store::users::find_by_email(conn, email)? {
                    store::users::set_password(conn, now, &user.id, &hash)?;
                    return Ok::<_, accounts::AddUserError>(user.id);
                }
                let new = NewUser {
                    id: UserId::new(Uuid::now_v7()),
                    email: (*email).to_owned(),
                    name: (*name).to_owned(),
                    password_hash: Some(hash),
                    roles: vec![*role],
                    time_zone: TimeZone::default(),
                };
                Ok(accounts::add(conn, now, &Actor::command_line(), new)?.id)
            })
            .await
            .map_err(|error| CommandError::Failed(error.to_string()))?;
        people.push(Person {
            id,
            email,
            role: *role,
            password,
        });
    }
    Ok(people)
}

/// What an Administrator and the salesperson would do on pages: the setting becomes Yes, the person consents.
async fn allow_connections(app: &App, owner: &UserId) -> Result<(), CommandError> {
    let now = app.clock().now();
    app.store()
        .write(move |conn| {
            let before = store::connections::get(conn)?;
            if before.setting != Setting::Yes {
                let to = (Setting::Yes, None);
                let actor = Actor::command_line();
                store::connections::save(conn, to, before.lock_version, &actor, now)?;
            }
            Ok::<_, StoreError>(())
        })
        .await?;
    app.connector()
        .consent(&Actor::command_line(), owner)
        .await
        .map_err(|error| CommandError::Failed(error.to_string()))
}

/// Adds the sandbox's organization, or tells the portal where it is this time.
async fn add_dynamics(
    app: &App,
    dynamics: &DataverseHandle,
) -> Result<OrganizationId, CommandError> {
    let organizations = &app.scheduler().context().organizations.clone();
    let known = app
        .store()
        .read(|conn| {
            let mut all = dataverse_organizations::by_id(conn)?.into_values();
            Ok::<_, StoreError>(all.find(|one| one.organization.name == DYNAMICS))
        })
        .await?;
    let now = app.clock().now();
    let setup = Setup {
        name: DYNAMICS.to_owned(),
        reach: OrganizationReach {
            address: dynamics.url(),
            tenant: dataverse::TENANT.to_owned(),
            client_id: dataverse::CLIENT_ID.to_owned(),
        },
        qualification: known
            .as_ref()
            .map(|one| one.qualification.clone())
            .unwrap_or_default(),
    };
    let known = known.map(|one| one.organization);
    let id = known
        .as_ref()
        .map_or_else(|| OrganizationId::new(Uuid::now_v7()), |one| one.id.clone());
    let secret = SecretString::from(dataverse::CLIENT_SECRET);
    let credential = organizations
        .seal(&id, CredentialKind::Secret, &secret)
        .map_err(CommandError::Failed)?;
    let organization = id.clone();
    app.store()
        .write(move |conn| match known {
            Some(known) => {
                let (version, credential) = (known.lock_version, Some(&credential));
                dataverse_organizations::update(
                    conn,
                    &organization,
                    version,
                    &setup,
                    credential,
                    now,
                )?;
                // The sandbox forgot everything at its end.
                organization_leads::forget(conn, &organization)?;
                Ok(())
            }
            None => dataverse_organizations::insert(conn, &organization, &setup, &credential, now),
        })
        .await?;
    organizations.check(&id).await?;
    Ok(id)
}

/// Queues what an earlier demonstration sent to a sandbox that is gone.
async fn send_again(app: &App, organization: &OrganizationId) -> Result<(), CommandError> {
    let id = organization.clone();
    app.store()
        .write(move |conn| store::deliveries::enqueue_existing(conn, &id, None))
        .await?;
    Ok(())
}

/// The seeds' six steps: a profile, LinkedIn's pages, the confirmation of the organization.
async fn authorize(
    app: &App,
    owner: &UserId,
    sandbox: &SandboxHandle,
    organization: &OrganizationId,
) -> Result<(), CommandError> {
    let connector = app.connector();
    let failed =
        |error: crate::sync::connect::ConnectError| CommandError::Failed(error.to_string());
    let (now, user) = (app.clock().now(), owner.clone());
    let profile: ProfileId = app
        .store()
        .write(
            move |conn| match store::profiles::find_by_name(conn, PROFILE)? {
                Some(id) => Ok(id),
                None => {
                    let id = ProfileId::new(Uuid::now_v7());
                    store::profiles::insert(conn, &id, PROFILE, &user, now)?;
                    Ok::<_, StoreError>(id)
                }
            },
        )
        .await?;
    let session = "demonstration";
    let url = connector
        .begin(owner, &profile, session)
        .await
        .map_err(failed)?;
    let member = sandbox
        .members()
        .into_iter()
        .next()
        .ok_or_else(|| CommandError::Failed("the sandbox has no members".into()))?;
    let back = sandbox::visit(url.as_str(), member.email, member.password, Decision::Allow)
        .await
        .map_err(|error| CommandError::Failed(error.to_string()))?;
    let back = Url::parse(&back).map_err(|error| CommandError::Failed(error.to_string()))?;
    let query: CallbackQuery = serde_html_form::from_str(back.query().unwrap_or_default())
        .map_err(|error| CommandError::Failed(error.to_string()))?;
    connector
        .complete(owner, session, query)
        .await
        .map_err(failed)?;
    connector
        .confirm(&Actor::command_line(), owner, &profile, organization)
        .await
        .map_err(failed)
}
