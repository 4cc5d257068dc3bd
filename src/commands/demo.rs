//! `leadgen demo`: the whole main job on an embedded SQLite file against the built-in LinkedIn sandbox.

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
use crate::domain::access::Role;
use crate::domain::connections::Setting;
use crate::domain::ids::{OrganizationId, ProfileId, UserId};
use crate::domain::time_zone::TimeZone;
use crate::sandbox::{self, Decision, SandboxHandle, SandboxOptions};
use crate::settings::Settings;
use crate::store::audit::Actor;
use crate::store::leases::ClaimFilter;
use crate::store::{self, StoreError};
use crate::sync::connect::CallbackQuery;

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

/// Does the job, prints what it did, then serves.
///
/// # Errors
/// See [`CommandError`].
pub async fn run(arguments: Arguments) -> Result<(), CommandError> {
    let begun = Instant::now();
    let leads = usize::try_from(arguments.leads).unwrap_or(usize::MAX);
    let sandbox = start_sandbox(leads)?;
    let settings = settings(&arguments.database_url, &sandbox)?;
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
    authorize(&app, &owner, &sandbox).await?;
    app.scheduler()
        .run_until_idle(&ClaimFilter::default())
        .await
        .map_err(|error| CommandError::Failed(error.to_string()))?;

    let totals = app.store().read(store::status::aggregate).await?;
    for line in status::lines(&totals) {
        say(&line);
    }
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
    say("Stop with Ctrl+C.");
    app.serve(listener, true).await?;
    sandbox.stop();
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

/// The seeds' six steps: a profile, LinkedIn's pages, the confirmation of the organization.
async fn authorize(app: &App, owner: &UserId, sandbox: &SandboxHandle) -> Result<(), CommandError> {
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
    let organization: OrganizationId = app
        .store()
        .read(store::organizations::list)
        .await?
        .into_iter()
        .next()
        .map(|organization| organization.id)
        .ok_or_else(|| CommandError::Failed("there is no organization".into()))?;
    connector
        .confirm(&Actor::command_line(), owner, &profile, &organization)
        .await
        .map_err(failed)
}
