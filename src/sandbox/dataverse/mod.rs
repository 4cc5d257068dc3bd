//! Dataverse and the part of Entra ID before it, served over HTTPS: dataverse-api.md §1 to §4 on a loopback port.
//!
//! [`start`] runs an organization in this process and gives a [`DataverseHandle`]. It is at [`DataverseHandle::url`], its
//! authority is the same address, and whoever talks to it has to trust [`DataverseHandle::certificate_pem`], which is made anew at
//! every start. Tenant [`TENANT`], application [`CLIENT_ID`], secret [`CLIENT_SECRET`].

mod actions;
mod assertion;
mod batch;
mod breaking;
mod cell;
mod certificate;
mod changes;
mod columns;
mod control;
mod data;
mod entra;
mod exchange;
mod faults;
mod filter;
mod gateway;
mod lead_columns;
mod like;
mod limits;
mod metadata;
mod metadata_json;
mod people;
mod privileges;
mod query;
mod records;
mod routing;
mod state;
mod table;
mod targets;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::web::{self, Data};
use actix_web::{App, HttpServer};
use chrono::TimeDelta;
use serde_json::{Map, Value};
use uuid::Uuid;

pub use faults::{DataverseFault, DataverseFaultKind};
pub use limits::ServiceLimits;
pub use state::{DataverseRequest, DataverseSettings};

use crate::clock::Clock;
use state::Organization;

/// The tenant of the organization.
pub const TENANT: &str = "7b1e0c52-3d54-4b0e-9f0a-6c1d5a2e8f31";
/// The tenant by its domain.
pub const DOMAIN: &str = "contoso.example";
/// The application registration.
pub const CLIENT_ID: &str = "2f8a6d14-90c7-4e1b-8a55-d3b7e9c04f62";
/// Its secret.
pub const CLIENT_SECRET: &str = "sandbox-secret";

/// How an organization is started.
#[derive(Debug, Clone)]
pub struct DataverseOptions {
    /// Where it listens; port 0 takes a free one.
    pub bind: SocketAddr,
    /// The same seed gives the same ids.
    pub seed: u64,
    /// The organization's time.
    pub clock: Clock,
    /// The switches.
    pub settings: DataverseSettings,
    /// Threads that answer.
    pub workers: usize,
}

impl Default for DataverseOptions {
    fn default() -> Self {
        Self {
            bind: SocketAddr::from(([127, 0, 0, 1], 0)),
            seed: 1,
            clock: Clock::System,
            settings: DataverseSettings::default(),
            workers: 2,
        }
    }
}

/// A running organization. Dropping the handle stops it.
#[derive(Debug)]
pub struct DataverseHandle {
    address: SocketAddr,
    certificate_pem: String,
    organization: Arc<Organization>,
    server: ServerHandle,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// Starts an organization on a thread of its own.
///
/// # Errors
/// When the address cannot be listened on, the certificate cannot be made or the thread cannot be started.
pub fn start(options: DataverseOptions) -> std::io::Result<DataverseHandle> {
    let listener = TcpListener::bind(options.bind)?;
    let address = listener.local_addr()?;
    let made = certificate::make()?;
    let organization = Arc::new(Organization::new(
        options.seed,
        options.clock,
        address,
        options.settings,
    ));
    let shared = Arc::clone(&organization);
    let workers = options.workers.max(1);
    let config = made.config;
    let (send, receive) = std::sync::mpsc::channel();
    let thread = std::thread::Builder::new()
        .name("dataverse-sandbox".to_owned())
        .spawn(move || {
            let system = actix_web::rt::System::new();
            system.block_on(async move {
                match server(listener, config, shared, workers) {
                    Ok(server) => {
                        let _ = send.send(Ok(server.handle()));
                        // A server that ends with an error leaves clients without answers, which they will say.
                        let _ = server.await;
                    }
                    Err(error) => {
                        let _ = send.send(Err(error));
                    }
                }
            });
        })?;
    let server = receive
        .recv()
        .map_err(|_| std::io::Error::other("the sandbox's thread ended"))??;
    Ok(DataverseHandle {
        address,
        certificate_pem: made.authority_pem,
        organization,
        server,
        thread: Some(thread),
    })
}

fn server(
    listener: TcpListener,
    config: rustls::ServerConfig,
    organization: Arc<Organization>,
    workers: usize,
) -> std::io::Result<actix_web::dev::Server> {
    let data = Data::new(organization);
    let server = HttpServer::new(move || {
        App::new()
            .app_data(data.clone())
            .app_data(web::PayloadConfig::new(128 * 1024 * 1024))
            .route("/common/discovery/instance", web::get().to(entra::instance))
            .route(
                "/{tenant}/v2.0/.well-known/openid-configuration",
                web::get().to(entra::configuration),
            )
            .route("/{tenant}/discovery/v2.0/keys", web::get().to(entra::keys))
            .route("/{tenant}/oauth2/v2.0/token", web::post().to(entra::token))
            .configure(control::routes)
            .route("/api/data/{version}/{tail:.*}", web::to(gateway::api))
    })
    .workers(workers)
    .tcp_nodelay(true)
    .keep_alive(Duration::from_secs(75))
    .client_request_timeout(Duration::from_secs(30))
    .shutdown_timeout(1)
    .disable_signals()
    .listen_rustls_0_23(listener, config)?
    .run();
    Ok(server)
}

impl DataverseHandle {
    /// `https://localhost:{port}`: the organization's address and the authority that gives its tokens.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://localhost:{}", self.address.port())
    }

    /// The certificate to trust, in PEM.
    #[must_use]
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// Lets the application sign in with the key of this certificate (PEM).
    ///
    /// # Errors
    /// What is wrong with the certificate.
    pub fn trust_application_certificate(&self, pem: &str) -> Result<(), String> {
        self.organization.trust(pem)
    }

    /// How many rows a table has.
    #[must_use]
    pub fn count(&self, table: &str) -> usize {
        self.organization
            .data()
            .table(table)
            .map_or(0, |table| table.rows().len())
    }

    /// Every record of a table as the Web API shows it, in the order of their ids; `lead` is the table of leads.
    #[must_use]
    pub fn records(&self, table: &str) -> Vec<Map<String, Value>> {
        let data = self.organization.data();
        let Some(table) = data.table(table) else {
            return Vec::new();
        };
        query::everything(&data, table, &exchange::Ask::default())
    }

    /// One record of a table.
    #[must_use]
    pub fn record(&self, table: &str, id: Uuid) -> Option<Map<String, Value>> {
        let data = self.organization.data();
        let table = data.table(table)?;
        let columns: Vec<_> = table.columns.values().collect();
        let row = table.row(id)?;
        let ask = exchange::Ask::default();
        Some(query::record(&data, table, id, row, &columns, &ask))
    }

    /// A person in the organization makes or changes a record: `{"statecode": 2, "statuscode": 7}` and the like.
    ///
    /// # Errors
    /// The service's words.
    pub fn person_changes(
        &self,
        table: &str,
        id: Uuid,
        body: &Map<String, Value>,
    ) -> Result<(), String> {
        people::change(&self.organization, table, id, body).map_err(|refusal| refusal.message)
    }

    /// A person in the organization deletes a record.
    ///
    /// # Errors
    /// The service's words.
    pub fn person_deletes(&self, table: &str, id: Uuid) -> Result<(), String> {
        people::delete(&self.organization, table, id).map_err(|refusal| refusal.message)
    }

    /// The settings as they are.
    #[must_use]
    pub fn settings(&self) -> DataverseSettings {
        (*self.organization.settings()).clone()
    }

    /// Other settings, from the next request on.
    pub fn set_settings(&self, settings: DataverseSettings) {
        self.organization.set_settings(settings);
    }

    /// Turns a fault on; gives its number.
    pub fn add_fault(&self, fault: DataverseFault) -> u64 {
        self.organization.faults().add(fault)
    }

    /// Turns every fault off; requests that one of them makes wait go on.
    pub fn clear_faults(&self) {
        self.organization.clear_faults();
    }

    /// How many requests a fault makes wait.
    #[must_use]
    pub fn held(&self) -> usize {
        self.organization.held()
    }

    /// Ends every access token that was given.
    pub fn end_tokens(&self) {
        self.organization.end_tokens();
    }

    /// Moves the organization's clock.
    pub fn advance(&self, by: TimeDelta) {
        self.organization.advance_ms(by.num_milliseconds());
    }

    /// The requests that came, oldest first.
    #[must_use]
    pub fn requests(&self) -> Vec<DataverseRequest> {
        self.organization.requests()
    }

    /// Forgets the requests that came.
    pub fn clear_requests(&self) {
        self.organization.clear_requests();
    }

    /// Stops answering at once; open requests are dropped.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        // The command is sent by the call; the future would only wait for its end, for which the thread is joined.
        drop(self.server.stop(false));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for DataverseHandle {
    fn drop(&mut self) {
        self.end();
    }
}
