//! The job itself, and the limit that no client can beat: fetching and parsing.

use std::collections::BTreeMap;
use std::time::Instant;

use diesel::connection::SimpleConnection;
use leadgen::app::{App, AppOptions};
use leadgen::auth::accounts::{self, NewUser};
use leadgen::auth::secret_key::SecretKey;
use leadgen::domain::access::Role;
use leadgen::domain::account::OwnerType;
use leadgen::domain::connections::{Deployment, Setting};
use leadgen::domain::ids::{ProfileId, UserId};
use leadgen::domain::time_zone::TimeZone;
use leadgen::linkedin::oauth::TokenAnswer;
use leadgen::linkedin::{
    AccessToken, LeadType, LinkedInClient, LinkedInEndpoints, Owner, ResponsesQuery, Timeouts,
};
use leadgen::settings::Settings;
use leadgen::store::audit::Actor;
use leadgen::store::directory::accounts::{SeenAccount, save_accounts};
use leadgen::store::leases::ClaimFilter;
use leadgen::store::{StoreError, connections, organizations, profiles, tokens};
use leadgen::sync::SyncOptions;
use leadgen::sync::authorized::seal;
use secrecy::SecretString;
use uuid::Uuid;

use crate::pages::ACCOUNT;
use crate::{Figures, cpu_seconds, figures};

pub const KEY: &str = "3pai4+eZ88eD1Hwif5wPi40RW4z0QfhXVJlpn7FWM8s=";

pub fn runtime() -> tokio::runtime::Runtime {
    let _ = rustls::crypto::ring::default_provider().install_default();
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap()
}

/// From the first request to the last commit, into an empty database; or the same again when everything is there.
pub fn whole(database: &str, server: &str, page_size: u32, again: bool) -> Figures {
    runtime().block_on(async {
        let environment: BTreeMap<String, String> = [
            ("LEADGEN_DATABASE_URL", database),
            ("LEADGEN_SECRET_KEY", KEY),
            ("LEADGEN_LINKEDIN_API_URL", server),
            ("LEADGEN_LINKEDIN_OAUTH_URL", server),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        let sync = SyncOptions {
            page_size,
            budget: std::time::Duration::from_secs(3_600),
            ..SyncOptions::default()
        };
        let options = AppOptions {
            sync,
            ..AppOptions::default()
        };
        let app = App::open(Settings::read(&environment).unwrap(), options).unwrap();
        if again {
            app.store()
                .write(leadgen::store::streams::reset_all)
                .await
                .map_err(|error: StoreError| error)
                .unwrap();
        } else {
            prepare(&app).await;
        }
        let (begun, cpu) = (Instant::now(), cpu_seconds());
        let (stop, samples) = sample();
        let steps = app
            .scheduler()
            .run_until_idle(&ClaimFilter::default())
            .await
            .unwrap();
        let mut measured = figures(begun, cpu);
        drop(stop);
        let samples = samples.join().unwrap();
        let last = samples.len() - 1;
        measured.resident = [last / 10, last / 2, last].map(|at| samples[at]);
        assert!(!steps.is_empty(), "nothing was due");
        measured
    })
}

/// Notes the resident memory twenty times a second until the sender is dropped.
pub fn sample() -> (
    std::sync::mpsc::Sender<()>,
    std::thread::JoinHandle<Vec<f64>>,
) {
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let wait = std::time::Duration::from_millis(50);
    let thread = std::thread::spawn(move || {
        let mut samples = vec![crate::memory("VmRSS:")];
        while let Err(std::sync::mpsc::RecvTimeoutError::Timeout) = stopped.recv_timeout(wait) {
            samples.push(crate::memory("VmRSS:"));
        }
        samples
    });
    (stop, thread)
}

async fn prepare(app: &App) {
    app.migrate().await.unwrap();
    let now = app.clock().now();
    let answer = TokenAnswer {
        access_token: AccessToken::new("benchmark"),
        expires_in: std::time::Duration::from_secs(5_184_000),
        refresh_token: None,
        refresh_token_expires_in: None,
        scopes: vec!["r_ads".into(), "r_marketing_leadgen_automation".into()],
    };
    app.store()
        .write(move |conn| {
            let new = NewUser {
                id: UserId::new(Uuid::now_v7()),
                email: "bench@example.com".into(),
                name: "Bench".into(),
                roles: vec![Role::Administrator],
                time_zone: TimeZone::default(),
                password_hash: Some(SecretString::from("none")),
            };
            let user = accounts::add(conn, now, &Actor::system(), new).unwrap();
            let profile = ProfileId::new(Uuid::now_v7());
            let before = connections::get(conn)?.lock_version;
            connections::save(conn, (Setting::Yes, None), before, &Actor::system(), now)?;
            let deployment = Deployment::default();
            connections::give_consent(conn, &deployment, &user.id, &Actor::system(), now).unwrap();
            profiles::insert(conn, &profile, "Bench", &user.id, now)?;
            let organization = organizations::list(conn)?[0].id.clone();
            let key = SecretKey::new(&SecretString::from(KEY)).unwrap();
            let sealed = seal(&key, "linkedin_tokens", &profile, &answer, now).unwrap();
            tokens::authorize(
                conn,
                &profile,
                &user.id,
                &organization,
                &sealed,
                (None, None),
                now,
            )?;
            let seen = SeenAccount {
                owner_type: OwnerType::SponsoredAccount,
                linkedin_id: ACCOUNT,
                name: "Bench account".into(),
                currency: None,
                linkedin_status: None,
                is_test: false,
                page: None,
                account_role: Some("ACCOUNT_MANAGER".into()),
                page_roles: vec!["ADMINISTRATOR".into()],
            };
            save_accounts(conn, &profile, &[seen], now)?;
            // The pages know no list of accounts: the profile itself is not due.
            conn.batch_execute("UPDATE linkedin_user_profiles SET next_sync_at = NULL")?;
            Ok::<_, StoreError>(())
        })
        .await
        .unwrap();
}

/// Every page once, by the product's own client, each element read into its type.
pub fn fetch_and_parse(server: &str, page_size: u32) -> Figures {
    runtime().block_on(async {
        let endpoints = LinkedInEndpoints {
            oauth_url: server.to_owned(),
            api_url: server.to_owned(),
            version: "202607".to_owned(),
        };
        let client = LinkedInClient::new(endpoints, Timeouts::default()).unwrap();
        let token = AccessToken::new("benchmark");
        let (begun, cpu) = (Instant::now(), cpu_seconds());
        let mut start = 0;
        loop {
            let wanted = ResponsesQuery {
                owner: Owner::SponsoredAccount(ACCOUNT),
                lead_type: LeadType::Sponsored,
                limited_to_test_leads: false,
                start_ms: 1,
                end_ms: None,
                start,
                count: page_size,
            };
            let page = client
                .lead_form_responses(&token, &wanted)
                .await
                .unwrap()
                .value;
            let read = page.values().count();
            assert_eq!(read, page.elements.len());
            if read == 0 {
                break;
            }
            start += u32::try_from(read).unwrap();
        }
        figures(begun, cpu)
    })
}
