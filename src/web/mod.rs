//! HTTP in, HTML out: the route table, the frame around every page, and one file per page group.
//!
//! # How to add a page
//! 1. Say who may see it: a line in [`routes`] with method, path, [`access::Access`] and handler. A route that is not
//!    there does not exist; whoever lacks the permission gets the 403 page, and the access test finds the line by itself.
//! 2. Write the template: `templates/<resource>/<page>.html`, beginning with `{% extends "layouts/app.html" %}`, with the
//!    blocks `title` and `content`; fields, tables and badges are macros in `templates/components/`.
//! 3. Beside the handler stands the page struct, named like the template, with `shell: Shell` and what the page shows.
//! 4. A GET handler takes `Shell` (and `CurrentUser`, `Path`, `Query` as needed), reads with `portal.store.read(…)` and
//!    ends with `page.shell.render(StatusCode::OK, &page)`.
//! 5. A POST handler takes `Form<T>` (the CSRF token is checked before it runs) and `Actor` for the audit log, checks the
//!    values into `FieldErrors`, renders the same page again with 422 if there are any, else writes in one
//!    `portal.store.write(…)` together with `audit::record(…)`, and ends with `shell.redirect(path).flash(Flash::success(…))`.
//! 6. A form that redirects to another origin calls `shell.allow_form_action(&url)` when it is rendered; otherwise the
//!    browser silently blocks the redirect.
//! 7. Test it in `tests/portal/`: what it shows, bad input, and who may not.

pub mod access;
mod account;
mod account_links;
mod accounts;
pub mod api;
mod api_reference;
mod api_tokens;
mod assignment_rules;
mod audit_log;
pub mod body;
mod campaigns;
pub mod charts;
mod configuration_file;
mod confirm;
mod connect;
mod connections;
mod consent;
pub mod csv_export;
mod custom_fields;
mod dashboard;
mod deliveries;
mod destinations;
pub mod error;
pub mod events;
mod field_mappings;
pub mod flash;
mod forgotten;
pub mod form;
mod form_versions;
mod forms;
mod groups;
pub mod guards;
mod headers;
mod health;
pub mod history;
mod home;
mod integration_configuration;
mod invitations;
pub mod keyset;
mod lead_exports;
mod lead_imports;
mod leads;
mod matching_strategies;
pub mod menu;
mod microsoft_connector;
pub mod notified;
mod oidc;
mod organizations;
mod outbox;
mod outgoing_webhooks;
pub mod page;
mod pauses;
mod profiles;
mod refusals;
pub mod request_log;
pub mod routes;
mod second_factor;
mod second_factor_roles;
mod second_step;
mod setup;
pub mod shell;
mod sign_in;
mod sign_in_rules;
pub mod static_files;
mod submissions;
mod sync_status;
mod system;
mod tone;
pub mod upload;
mod users;
pub mod visitor;
pub mod webhooks;

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_session::SessionMiddleware;
use actix_session::config::{CookieContentSecurity, PersistentSession};
use actix_web::cookie::SameSite;
use actix_web::middleware::from_fn;
use actix_web::{App, HttpServer, guard, web};
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::auth::passwords::{HashError, Passwords};
use crate::auth::sessions::{COOKIE_NAME, Sessions};
use crate::auth::signing::Signer;
use crate::clock::Clock;
use crate::oidc::Provider;
use crate::settings::Settings;
use crate::store::Store;
use crate::sync::connect::Connector;
use crate::sync::organizations::Organizations;

pub use error::WebError;
pub use flash::Flash;
pub use form::{FieldErrors, Form, Path, Query};
pub use oidc::CALLBACK as OIDC_CALLBACK;
pub use shell::Shell;

/// What a handler answers.
pub type Answer = Result<actix_web::HttpResponse, WebError>;

/// How long a page waits for its turn at the database and for a connection, in all: then it says that the portal is
/// busy, within the three seconds after which people reload.
pub const PATIENCE: Duration = Duration::from_millis(2_500);

/// What the handlers work with. Cheap to clone.
#[derive(Clone)]
pub struct Portal {
    /// The database.
    pub store: Store,
    /// The time.
    pub clock: Clock,
    /// The configuration.
    pub settings: Arc<Settings>,
    /// The connect flow with LinkedIn.
    pub connector: Arc<Connector>,
    /// The ways to Dynamics 365 organizations.
    pub organizations: Organizations,
    /// The identity provider for sign-in through OpenID Connect, if one is configured.
    pub oidc: Option<Provider>,
    /// Wakes the scheduler, so that it looks at once for what is due.
    pub wake: Arc<Notify>,
    /// When this process began.
    pub started_at: DateTime<Utc>,
    /// Hashes and checks passwords.
    pub passwords: Passwords,
    /// Signs cookies and form tokens.
    pub signer: Signer,
    /// How far each API token has used up what it may ask.
    pub api_flows: api::Flows,
    /// How far LinkedIn has used up what its webhook may take.
    pub webhook_flows: webhooks::Flows,
    /// The browsers that watch live pages.
    pub events: events::Events,
    /// Held by whoever brings what reports count up to date.
    pub report_turn: Arc<tokio::sync::Mutex<()>>,
}

impl Portal {
    /// Puts a portal together. `secret` is the text of the signing root. Takes as long as one password hash.
    ///
    /// # Errors
    /// When the operating system has no randomness.
    pub fn new(
        store: Store,
        clock: Clock,
        settings: Arc<Settings>,
        secret: &SecretString,
        connector: Arc<Connector>,
        organizations: Organizations,
        wake: Arc<Notify>,
    ) -> Result<Self, HashError> {
        Ok(Self {
            started_at: clock.now(),
            events: events::Events::new(store.clone(), clock.clone()),
            store: store.with_patience(PATIENCE),
            clock,
            settings,
            connector,
            organizations,
            oidc: None,
            wake,
            api_flows: api::Flows::default(),
            webhook_flows: webhooks::Flows::default(),
            passwords: Passwords::new()?,
            signer: Signer::new(secret),
            report_turn: Arc::default(),
        })
    }

    /// The same portal, whose people may sign in at this identity provider.
    #[must_use]
    pub fn with_oidc(mut self, provider: Option<Provider>) -> Self {
        self.oidc = provider;
        self
    }

    /// An identifier for a new record: sorts by time.
    #[must_use]
    pub fn new_id(&self) -> Uuid {
        let now = self.clock.now();
        let seconds = u64::try_from(now.timestamp()).unwrap_or(0);
        Uuid::new_v7(uuid::Timestamp::from_unix(
            uuid::NoContext,
            seconds,
            now.timestamp_subsec_nanos(),
        ))
    }
}

/// How to serve.
#[derive(Debug, Clone, Copy)]
pub struct ServeOptions {
    /// Threads that answer requests.
    pub workers: usize,
}

/// Starts serving on a listener that the caller has bound. The server stops gracefully on SIGTERM and SIGINT.
///
/// # Errors
/// When the listener cannot be used.
pub fn serve(
    portal: Portal,
    listener: TcpListener,
    options: ServeOptions,
) -> std::io::Result<actix_web::dev::Server> {
    let server = HttpServer::new(move || {
        let sessions = SessionMiddleware::builder(
            Sessions::new(portal.store.clone(), portal.clock.clone()),
            portal.signer.cookie_key(),
        )
        .cookie_name(COOKIE_NAME.to_owned())
        .cookie_secure(true)
        .cookie_http_only(true)
        .cookie_same_site(SameSite::Lax)
        .cookie_path("/".to_owned())
        .cookie_content_security(CookieContentSecurity::Signed)
        // The server ends sessions; the cookie may well outlive them, but not the longest.
        .session_lifecycle(
            PersistentSession::default().session_ttl(actix_web::cookie::time::Duration::days(7)),
        )
        .build();
        App::new()
            .app_data(web::Data::new(portal.clone()))
            .configure(health::routes)
            .configure(static_files::routes)
            .service(
                // Beside the pages: nobody's session is looked for. Before the API, below which its document is.
                web::scope("")
                    .guard(guard::fn_guard(|context| {
                        routes::is_beside(context.head().uri.path())
                    }))
                    .wrap(from_fn(guards::host))
                    .configure(routes::register_beside),
            )
            .configure(api::configure)
            .service(
                web::scope("")
                    .wrap(from_fn(visitor::recognise))
                    .wrap(sessions)
                    .wrap(from_fn(visitor::prepare))
                    .wrap(from_fn(guards::host))
                    .configure(routes::register)
                    .default_service(web::to(routes::unknown)),
            )
            .wrap(from_fn(body::collect))
            .wrap(from_fn(error::draw))
            .wrap(from_fn(headers::add))
            .wrap(from_fn(request_log::observe))
    })
    .workers(options.workers)
    .tcp_nodelay(true)
    .max_connections(2_000)
    .client_request_timeout(Duration::from_secs(5))
    .shutdown_timeout(15)
    .listen(listener)?
    .run();
    Ok(server)
}
