//! LinkedIn served over real HTTP, for the demo and for tests: linkedin-api.md §1 to §6, §7.1, §8 and §11 on a loopback port.
//!
//! [`start`] runs it in this process and gives a [`SandboxHandle`], through which a test reads the truth, submits leads, sets
//! faults and moves the clock. The same controls are served below `/sandbox/` for a sandbox in another process (see `control_api`),
//! beside a page on which a person submits a new lead. Client id [`CLIENT_ID`], secret [`CLIENT_SECRET`], any loopback redirect URI.

mod connection;
mod consent;
mod control;
mod control_api;
pub mod dataverse;
mod faults;
mod forms;
mod gateway;
mod history;
mod html;
mod leads;
mod listing;
mod oauth;
mod page_faults;
mod people;
mod reply;
mod responses;
mod restli;
mod seeded;
mod seeded_forms;
mod seeding;
mod state;
mod structure;
mod submissions;
mod submit_page;
mod subscriptions;
mod tokens;
mod visitor;
mod webhook;
mod world;

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::web::{self, Data};
use actix_web::{App, HttpServer};

pub use control::{AccountInfo, FormInfo, QuestionInfo, Truth, TruthFilter};
pub use faults::{Fault, FaultKind};
pub use responses::Answered;
pub use state::{RequestRecord, Settings};
pub use submissions::Submission;
pub use tokens::{CLIENT_ID, CLIENT_SECRET};
pub use visitor::{Decision, VisitError, visit};
pub use world::{Member, OwnerKey};

use crate::clock::Clock;
use history::History;
use state::Sandbox;
use world::World;

/// How a sandbox is started.
#[derive(Debug, Clone)]
pub struct SandboxOptions {
    /// Where it listens; port 0 takes a free one.
    pub bind: SocketAddr,
    /// Production responses that the first member can read.
    pub leads: usize,
    /// The same seed gives the same data and ids.
    pub seed: u64,
    /// The sandbox's time; the history ends where it stands now.
    pub clock: Clock,
    /// The switches.
    pub settings: Settings,
    /// Threads that answer.
    pub workers: usize,
}

impl Default for SandboxOptions {
    fn default() -> Self {
        Self {
            bind: SocketAddr::from(([127, 0, 0, 1], 0)),
            leads: 250,
            seed: 1,
            clock: Clock::System,
            settings: Settings::default(),
            workers: 2,
        }
    }
}

/// A running sandbox. Dropping the handle stops it.
#[derive(Debug)]
pub struct SandboxHandle {
    address: SocketAddr,
    sandbox: Arc<Sandbox>,
    server: ServerHandle,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// Starts a sandbox on a thread of its own, so that it runs whatever the caller does.
///
/// # Errors
/// When the address cannot be listened on or the thread cannot be started.
pub fn start(options: SandboxOptions) -> std::io::Result<SandboxHandle> {
    let listener = TcpListener::bind(options.bind)?;
    let address = listener.local_addr()?;
    let world = World::build(
        options.seed,
        options.leads,
        options.clock.now().timestamp_millis(),
    );
    let history = History {
        world,
        added: Vec::new(),
        deleted: BTreeSet::new(),
        removed_added: 0,
    };
    let sandbox = Arc::new(Sandbox::new(
        options.seed,
        options.clock,
        history,
        options.settings,
    ));
    let shared = Arc::clone(&sandbox);
    let sending = Arc::clone(&sandbox);
    let workers = options.workers.max(1);
    let (send, receive) = std::sync::mpsc::channel();
    let thread = std::thread::Builder::new()
        .name("sandbox".to_owned())
        .spawn(move || {
            let system = actix_web::rt::System::new();
            system.block_on(async move {
                match server(listener, shared, workers) {
                    Ok(server) => {
                        let _ = send.send(Ok(server.handle()));
                        actix_web::rt::spawn(webhook::keep_sending(sending));
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
    Ok(SandboxHandle {
        address,
        sandbox,
        server,
        thread: Some(thread),
    })
}

fn server(
    listener: TcpListener,
    sandbox: Arc<Sandbox>,
    workers: usize,
) -> std::io::Result<actix_web::dev::Server> {
    let data = Data::new(sandbox);
    let server = HttpServer::new(move || {
        App::new()
            .app_data(data.clone())
            .app_data(web::PayloadConfig::new(4 * 1024 * 1024))
            .route(
                "/oauth/v2/authorization",
                web::get().to(oauth::authorization),
            )
            .route("/oauth/v2/sign-in", web::post().to(oauth::sign_in))
            .route("/oauth/v2/consent", web::post().to(oauth::consented))
            .route("/oauth/v2/accessToken", web::post().to(oauth::access_token))
            .route(
                "/oauth/v2/introspectToken",
                web::post().to(oauth::introspect),
            )
            .route("/oauth/v2/revoke", web::post().to(oauth::revoke))
            .route("/rest/{tail:.*}", web::to(gateway::rest))
            .route("/v2/{tail:.*}", web::get().to(gateway::unversioned))
            .configure(control_api::routes)
            .configure(submit_page::routes)
    })
    .on_connect(|connection, data| {
        if let Some(stream) = connection.downcast_ref::<actix_web::rt::net::TcpStream>()
            && let Some(connection) = connection::Connection::of(stream)
        {
            data.insert(connection);
        }
    })
    .workers(workers)
    .keep_alive(Duration::from_secs(75))
    .client_request_timeout(Duration::from_secs(30))
    .shutdown_timeout(1)
    .disable_signals()
    .listen(listener)?
    .run();
    Ok(server)
}

impl SandboxHandle {
    /// `http://127.0.0.1:{port}`.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The base of the authorization server, for `LEADGEN_LINKEDIN_OAUTH_URL`.
    #[must_use]
    pub fn oauth_url(&self) -> String {
        format!("{}/oauth/v2", self.base_url())
    }

    /// The base of the API, for `LEADGEN_LINKEDIN_API_URL`.
    #[must_use]
    pub fn api_url(&self) -> String {
        self.base_url()
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

impl Drop for SandboxHandle {
    fn drop(&mut self) {
        self.end();
    }
}
