//! The composition root: database, keys, clients, scheduler and HTTP server put together; used by the commands and by the
//! tests alike.

use std::net::TcpListener;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{Notify, watch};
use uuid::Uuid;

use crate::auth::key_source::KeySource;
use crate::auth::key_states::{self, KeyError};
use crate::auth::secret_key::SecretKey;
use crate::clock::Clock;
use crate::dataverse::{Dataverse, DataverseError, DataverseOptions};
use crate::linkedin::oauth::AppCredentials;
use crate::linkedin::{LinkedInClient, LinkedInEndpoints, LinkedInError, Timeouts};
use crate::mail::Mailer;
use crate::oidc::{OidcError, Provider, ProviderSettings};
use crate::settings::Settings;
use crate::store::{AnyConn, Store, StoreError, audit, connections};
use crate::sync::call_counts::CallCounts;
use crate::sync::connect::Connector;
use crate::sync::delivery::WebhookClient;
use crate::sync::organizations::Organizations;
use crate::sync::scheduler::Scheduler;
use crate::sync::{SyncContext, SyncOptions};
use crate::web::{self, Portal};

mod presence;

pub use presence::Presence;

/// Why the portal cannot start. Each message names the fix.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database cannot be opened.
    #[error("LEADGEN_DATABASE_URL: {0}")]
    Database(#[source] StoreError),
    /// The database did not do what was asked of it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The secret key is missing or unusable.
    #[error("LEADGEN_SECRET_KEY: {0}")]
    SecretKey(String),
    /// The mail server's address cannot be used.
    #[error("LEADGEN_SMTP_URL: {0}")]
    Mail(String),
    /// LinkedIn's client cannot be built.
    #[error("LEADGEN_LINKEDIN_…: {0}")]
    LinkedIn(#[from] LinkedInError),
    /// The client of Dynamics 365 cannot be built.
    #[error("LEADGEN_DATAVERSE_…: {0}")]
    Dataverse(#[from] DataverseError),
    /// The identity provider's client cannot be built.
    #[error("LEADGEN_OIDC_…: {0}")]
    Oidc(#[from] OidcError),
    /// The client for destinations cannot be built.
    #[error("LEADGEN_DESTINATION_CA_FILE: {0}")]
    Destinations(String),
    /// Migrations are pending and `--no-migrate` was given.
    #[error(
        "the database lacks migrations of this version: run `leadgen migrate`, or start without --no-migrate"
    )]
    MigrationsPending,
    /// The address cannot be listened on.
    #[error("LEADGEN_BIND: {address} cannot be listened on ({error}); choose another address")]
    Bind {
        /// The address.
        address: String,
        /// The system's words.
        error: std::io::Error,
    },
    /// The server could not be started.
    #[error("the server cannot be started: {0}")]
    Server(String),
    /// The redirect URI cannot be made from the public URL.
    #[error("LEADGEN_PUBLIC_URL: no redirect URI can be made of it")]
    PublicUrl,
}

/// How an app is put together beyond its settings.
#[derive(Debug, Clone)]
pub struct AppOptions {
    /// The time.
    pub clock: Clock,
    /// How the sync behaves.
    pub sync: SyncOptions,
    /// Database connections.
    pub connections: u32,
    /// How long LinkedIn may take.
    pub timeouts: Timeouts,
}

impl Default for AppOptions {
    fn default() -> Self {
        Self {
            clock: Clock::System,
            sync: SyncOptions::default(),
            connections: 16,
            timeouts: Timeouts::default(),
        }
    }
}

/// Everything one process has.
#[derive(Clone)]
pub struct App {
    settings: Arc<Settings>,
    ctx: SyncContext,
    connector: Arc<Connector>,
    oidc: Option<Provider>,
    wake: Arc<Notify>,
    keys: KeySource,
    /// What cookies and form tokens are signed with, once [`App::take_keys`] has read it.
    signing: Arc<OnceLock<SecretString>>,
}

/// How long the identity provider may take: somebody waits in front of a page.
const OIDC_TIMEOUT: Duration = Duration::from_secs(10);

/// The client of the identity provider, if one is configured.
fn oidc_provider(settings: &Settings) -> Result<Option<Provider>, StartError> {
    let Some(oidc) = &settings.oidc else {
        return Ok(None);
    };
    let redirect_uri = settings
        .http
        .public_url
        .join(web::OIDC_CALLBACK)
        .map_err(|_| StartError::PublicUrl)?;
    let provider = Provider::new(ProviderSettings {
        issuer: oidc.issuer.clone(),
        client_id: oidc.client_id.clone(),
        client_secret: oidc.client_secret.clone(),
        scopes: oidc.scopes.clone(),
        tenants: oidc.tenants.clone(),
        redirect_uri: redirect_uri.to_string(),
        timeout: OIDC_TIMEOUT,
    })?;
    Ok(Some(provider))
}

impl App {
    /// Opens the database and builds the clients. Nothing is migrated and nothing runs yet.
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn open(settings: Settings, options: AppOptions) -> Result<Self, StartError> {
        let keys = KeySource::of(&settings).map_err(StartError::SecretKey)?;
        let secret = keys.read().map_err(StartError::SecretKey)?;
        let key = SecretKey::new(&secret).map_err(StartError::SecretKey)?;
        let store = Store::connect(&settings.database_url, options.connections)
            .map_err(StartError::Database)?;
        let linkedin = LinkedInClient::new(
            LinkedInEndpoints {
                oauth_url: settings.linkedin.oauth_url.to_string(),
                api_url: settings.linkedin.api_url.to_string(),
                version: settings.linkedin.version.clone(),
            },
            options.timeouts,
        )?;
        let oauth = match (
            &settings.linkedin.client_id,
            &settings.linkedin.client_secret,
        ) {
            (Some(id), Some(secret)) => Some(linkedin.oauth(AppCredentials {
                client_id: id.clone(),
                client_secret: SecretString::from(secret.expose_secret().to_owned()),
            })?),
            _ => None,
        };
        let clock = options.clock.clone();
        let dataverse = Dataverse::new(
            DataverseOptions {
                authority: settings.entra_url.to_string(),
                authorities: settings.destinations.authorities.clone(),
                reach: settings.destinations.reach,
                connect_timeout: options.timeouts.connect,
                request_timeout: options.timeouts.request,
            },
            Arc::new(move || clock.now()),
        )?;
        let redirect_uri = settings
            .http
            .public_url
            .join("/linkedin/callback")
            .map_err(|_| StartError::PublicUrl)?;
        let sync = SyncOptions {
            interval: settings.sync_interval,
            organization_interval: settings.organization_interval,
            deployment: settings.deployment.clone(),
            webhook: settings.linkedin.webhook.as_ref().map(ToString::to_string),
            ..options.sync
        };
        let mailer = match &settings.mail {
            Some(mail) => Some(Mailer::new(mail).map_err(StartError::Mail)?),
            None => None,
        };
        let organizations =
            Organizations::new(store.clone(), options.clock.clone(), key.clone(), dataverse);
        let ctx = SyncContext {
            store,
            clock: options.clock,
            linkedin,
            oauth,
            organizations,
            mailer,
            secret_key: key,
            options: Arc::new(sync),
            owner: format!("{}-{}", std::process::id(), Uuid::new_v4().simple()).into(),
            stopping: Arc::new(AtomicBool::new(false)),
            calls: CallCounts::default(),
            webhooks: WebhookClient::new(
                settings.destinations.reach,
                &settings.destinations.authorities,
            )
            .map_err(|error| StartError::Destinations(error.to_string()))?,
        };
        let connector = Arc::new(Connector::new(
            ctx.clone(),
            redirect_uri,
            settings.linkedin.scopes.clone(),
        ));
        Ok(Self {
            oidc: oidc_provider(&settings)?,
            settings: Arc::new(settings),
            ctx,
            connector,
            wake: Arc::new(Notify::new()),
            keys,
            signing: Arc::default(),
        })
    }

    /// Brings the database to this version's schema, with the first-start data; returns the migrations that ran. Then as
    /// [`App::take_keys`].
    ///
    /// # Errors
    /// The store's, or `SecretKey`.
    pub async fn migrate(&self) -> Result<Vec<String>, StartError> {
        let ran = self.ctx.store.migrate().await?;
        let now = self.ctx.clock.now();
        let setting = self.settings.deployment.initial_setting();
        self.ctx
            .store
            .write(move |conn| {
                connections::begin_with(conn, setting, now)?;
                crate::store::seed::run(conn, now, Uuid::now_v7)
            })
            .await?;
        self.take_keys().await?;
        while self.ctx.store.write(crate::store::search::fill).await? > 0 {}
        let number_loose = move |conn: &mut AnyConn| audit::chain::number_loose(conn, now);
        while self.ctx.store.write(number_loose).await? > 0 {}
        Ok(ran)
    }

    /// Takes the secret keys into use as the database knows them, and what cookies are signed with.
    ///
    /// # Errors
    /// `SecretKey` when the keys given are not those of the database; the store's.
    pub async fn take_keys(&self) -> Result<(), StartError> {
        let (ctx, now) = (&self.ctx, self.ctx.clock.now());
        let root = key_states::admit(&ctx.store, &ctx.secret_key, &self.keys, now)
            .await
            .map_err(|error| match error {
                KeyError::Unusable(problem) => StartError::SecretKey(problem),
                KeyError::Store(error) => StartError::Store(error),
            })?;
        // Taken before by another call: it is the same one.
        let _same = self.signing.set(root);
        Ok(())
    }

    /// Refuses to go on while migrations are pending. Then as [`App::take_keys`].
    ///
    /// # Errors
    /// `MigrationsPending`, `SecretKey`, or the store's.
    pub async fn check_migrations(&self) -> Result<(), StartError> {
        match self.ctx.store.has_pending_migrations().await {
            Ok(false) => self.take_keys().await,
            Ok(true) => Err(StartError::MigrationsPending),
            Err(error) => Err(StartError::Database(error)),
        }
    }

    /// The configuration.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The database.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.ctx.store
    }

    /// The time.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.ctx.clock
    }

    /// Where the secret keys come from.
    #[must_use]
    pub fn key_source(&self) -> &KeySource {
        &self.keys
    }

    /// The connect flow.
    #[must_use]
    pub fn connector(&self) -> &Connector {
        &self.connector
    }

    /// The scheduler of this process.
    #[must_use]
    pub fn scheduler(&self) -> Scheduler {
        Scheduler::new(self.ctx.clone(), Arc::clone(&self.wake))
    }

    /// The pages, ready to be served, after [`App::migrate`] or [`App::check_migrations`].
    ///
    /// # Errors
    /// When the operating system has no randomness.
    pub fn portal(&self) -> Result<Portal, StartError> {
        let signing = self.signing.get().ok_or_else(|| {
            StartError::Server("the secret keys were not taken into use".to_owned())
        })?;
        Portal::new(
            self.ctx.store.clone(),
            self.ctx.clock.clone(),
            Arc::clone(&self.settings),
            signing,
            Arc::clone(&self.connector),
            self.ctx.organizations.clone(),
            Arc::clone(&self.wake),
        )
        .map(|portal| portal.with_oidc(self.oidc.clone()))
        .map_err(|error| StartError::Server(error.to_string()))
    }

    /// Binds the configured address.
    ///
    /// # Errors
    /// `Bind`, naming the address.
    pub fn bind(&self) -> Result<TcpListener, StartError> {
        let address = self.settings.http.bind;
        TcpListener::bind(address).map_err(|error| StartError::Bind {
            address: address.to_string(),
            error,
        })
    }

    /// Serves the pages on `listener`, and runs the scheduler beside them if wanted, until SIGTERM or SIGINT; then both
    /// come to an orderly end.
    ///
    /// # Errors
    /// When the server cannot be started.
    pub async fn serve(
        &self,
        listener: TcpListener,
        with_scheduler: bool,
    ) -> Result<(), StartError> {
        let workers = std::thread::available_parallelism()
            .map_or(2, std::num::NonZero::get)
            .max(2);
        let portal = self.portal()?;
        let events = portal.events.clone();
        let ending = terminated().map_err(|error| StartError::Server(error.to_string()))?;
        // Live pages never end by themselves: the server would wait for them.
        let closing = tokio::spawn(async move {
            ending.await;
            events.close();
        });
        let server = web::serve(portal, listener, web::ServeOptions { workers })
            .map_err(|error| StartError::Server(error.to_string()))?;
        let (stop, stopped) = watch::channel(false);
        let scheduler = self.scheduler();
        let task = with_scheduler
            .then(|| tokio::spawn(async move { scheduler.run_forever(stopped).await }));
        let presence = self.announce(true, with_scheduler);
        let served = server.await;
        closing.abort();
        // The receiver may be gone already; then there is nobody to stop.
        let _ = stop.send(true);
        if let Some(task) = task
            && let Err(error) = task.await
        {
            tracing::error!(
                task.is_panic = error.is_panic(),
                "the scheduler ended unexpectedly"
            );
        }
        presence.leave().await;
        served.map_err(|error| StartError::Server(error.to_string()))
    }

    /// Runs only the scheduler, until SIGTERM or SIGINT.
    ///
    /// # Errors
    /// When signals cannot be listened to.
    pub async fn work(&self) -> Result<(), StartError> {
        let (stop, stopped) = watch::channel(false);
        let scheduler = self.scheduler();
        let task = tokio::spawn(async move { scheduler.run_forever(stopped).await });
        let presence = self.announce(false, true);
        terminated()
            .map_err(|error| StartError::Server(error.to_string()))?
            .await;
        // The receiver may be gone already; then there is nobody to stop.
        let _ = stop.send(true);
        if let Err(error) = task.await {
            tracing::error!(
                task.is_panic = error.is_panic(),
                "the scheduler ended unexpectedly"
            );
        }
        presence.leave().await;
        Ok(())
    }
}

/// Listens for SIGTERM and SIGINT from the call on; the future ends with the first of them.
///
/// # Errors
/// When signals cannot be listened to.
pub fn terminated() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
