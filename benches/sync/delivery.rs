//! Leads on their way into Dynamics 365: the sandbox's organization in another process, with the service protection limits of
//! the real service, and every lead matched there before it is made.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use leadgen::app::{App, AppOptions};
use leadgen::domain::ids::OrganizationId;
use leadgen::domain::organization::CredentialKind;
use leadgen::sandbox::dataverse::{CLIENT_ID, CLIENT_SECRET, DataverseOptions, TENANT, start};
use leadgen::settings::Settings;
use leadgen::store::dataverse_organizations::{self, Reach, Setup};
use leadgen::store::{AnyConn, StoreError, deliveries};
use leadgen::sync::delivery;
use secrecy::SecretString;
use uuid::Uuid;

use crate::job::{KEY, runtime, sample};
use crate::{Figures, Options, Server, cpu_seconds, databases, figures, measured, server};

/// Serves an organization until it is killed; prints its address once its certificate stands in this file.
pub fn serve(certificate: &str) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let sandbox = start(DataverseOptions::default()).unwrap();
    std::fs::write(certificate, sandbox.certificate_pem()).unwrap();
    println!("{}", sandbox.url());
    loop {
        std::thread::park();
    }
}

/// Sends every lead of a database to the organization; answers how long that took.
pub fn deliver(database: &str, url: &str, certificate: &str) -> Figures {
    runtime().block_on(async {
        let environment: BTreeMap<String, String> = [
            ("LEADGEN_DATABASE_URL", database),
            ("LEADGEN_SECRET_KEY", KEY),
            ("LEADGEN_ALLOW_PRIVATE_DESTINATIONS", "true"),
            ("LEADGEN_DESTINATION_CA_FILE", certificate),
            ("LEADGEN_ENTRA_URL", url),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        let app = App::open(Settings::read(&environment).unwrap(), AppOptions::default()).unwrap();
        app.take_keys().await.unwrap();
        let ctx = app.scheduler().context().clone();
        let id = OrganizationId::new(Uuid::now_v7());
        let secret = SecretString::from(CLIENT_SECRET);
        let credential = ctx
            .organizations
            .seal(&id, CredentialKind::Secret, &secret)
            .unwrap();
        let (address, now) = (url.to_owned(), app.clock().now());
        let queued = app
            .store()
            .write(move |conn| {
                let reach = Reach {
                    address: address.clone(),
                    tenant: TENANT.to_owned(),
                    client_id: CLIENT_ID.to_owned(),
                };
                let setup = Setup {
                    name: "Bench".to_owned(),
                    reach,
                    qualification: Vec::new(),
                };
                dataverse_organizations::insert(conn, &id, &setup, &credential, now)?;
                sync_everything_to(conn, &id)?;
                deliveries::enqueue_existing(conn, &id, None)
            })
            .await
            .unwrap();
        let (begun, cpu) = (Instant::now(), cpu_seconds());
        let (stop, samples) = sample();
        let mut delivered = 0;
        while delivered < queued {
            let now = delivery::run_due(&ctx).await.unwrap();
            delivered += now;
            if now == 0 {
                // The organization asked for a pause.
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
        let mut measured = figures(begun, cpu);
        drop(stop);
        let samples = samples.join().unwrap();
        let last = samples.len() - 1;
        measured.resident = [last / 10, last / 2, last].map(|at| samples[at]);
        measured.records = delivered;
        measured
    })
}

fn sync_everything_to(conn: &mut AnyConn, id: &OrganizationId) -> Result<(), StoreError> {
    use diesel::prelude::*;
    use leadgen::store::schema::linkedin_user_profiles as profiles;
    diesel::update(profiles::table)
        .set(profiles::organization_id.eq(id.as_str()))
        .execute(conn)?;
    Ok(())
}

/// Requests that the organization answered, and how many of them it refused for its limits. Its log keeps 20,000.
fn asked(url: &str, certificate: &Path) -> (usize, usize) {
    runtime().block_on(async {
        let pem = std::fs::read(certificate).unwrap();
        let client = reqwest::Client::builder()
            .no_proxy()
            .tls_certs_only([reqwest::Certificate::from_pem(&pem).unwrap()])
            .build()
            .unwrap();
        let log = client.get(format!("{url}/sandbox/requests")).send().await;
        let log: Vec<serde_json::Value> =
            serde_json::from_str(&log.unwrap().text().await.unwrap()).unwrap();
        let refused = log.iter().filter(|request| request["status"] == 429);
        (log.len(), refused.count())
    })
}

/// Fills a database with leads, then sends them all.
pub fn compare(options: &Options) {
    let folder = tempfile::tempdir().unwrap();
    let pages = server(options.responses, 0);
    println!(
        "{} responses, 20 % repeat an e-mail address; one run",
        options.responses
    );
    println!(
        "| database | leads | wall s | CPU s | leads/s | requests (refused for limits) | resident MiB after a tenth, half, all |"
    );
    println!("|---|---|---|---|---|---|---|");
    for (system, fresh) in databases(folder.path()) {
        let database = fresh("delivery");
        let page = options.page_size.to_string();
        let _filled = measured(&["job", &database, &pages.1, &page]);
        let certificate = folder.path().join(format!("{system}.pem"));
        let path = certificate.to_str().unwrap();
        let organization = Server::start(&["serve-dataverse", path]);
        let sent = measured(&["deliver", &database, &organization.1, path]);
        let (requests, refused) = asked(&organization.1, &certificate);
        let [tenth, half, all] = sent.resident;
        println!(
            "| {system} | {} | {:.1} | {:.1} | {:.0} | {requests} ({refused}) | {tenth:.0}, {half:.0}, {all:.0} |",
            sent.records,
            sent.wall,
            sent.cpu,
            sent.records as f64 / sent.wall
        );
    }
}
