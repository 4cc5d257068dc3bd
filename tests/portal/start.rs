//! A portal of one's own for one test: production's app on port 0, a database of its own, a clock that stands still.

use std::net::TcpListener;

use leadgen::app::{App, AppOptions};
use leadgen::auth::passwords;
use leadgen::clock::Clock;
use leadgen::domain::access::Role;
use leadgen::domain::ids::UserId;
use leadgen::sandbox::{self, SandboxHandle, SandboxOptions};
use leadgen::settings::Settings;
use leadgen::store::{Store, seed};
use leadgen::web::{ServeOptions, serve};
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use crate::support::builders::UserBuilder;
use crate::support::{Browserlike, TestDatabase, a_moment, a_user};

/// Everybody's password in these tests.
pub const PASSWORD: &str = "twelve green bottles standing";

/// A running portal; stops when dropped.
pub struct TestPortal {
    pub database: TestDatabase,
    pub clock: Clock,
    pub address: String,
    /// The store that the portal's pages take their turn at.
    pub store: Store,
    hash: String,
    pub portal: leadgen::web::Portal,
    /// What the sync and the deliveries work with.
    pub sync: leadgen::sync::SyncContext,
    handle: actix_web::dev::ServerHandle,
}

impl TestPortal {
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// Beside a sandbox of its own, with these settings as well.
    pub async fn with_sandbox(settings: &[(&str, &str)]) -> (Self, SandboxHandle) {
        let sandbox = sandbox::start(SandboxOptions {
            bind: "127.0.0.1:0".parse().unwrap(),
            leads: 5,
            ..SandboxOptions::default()
        })
        .unwrap();
        let (oauth, api) = (sandbox.oauth_url(), sandbox.api_url());
        let mut all = vec![
            ("LEADGEN_LINKEDIN_OAUTH_URL", oauth.as_str()),
            ("LEADGEN_LINKEDIN_API_URL", api.as_str()),
            ("LEADGEN_LINKEDIN_CLIENT_ID", sandbox::CLIENT_ID),
            ("LEADGEN_LINKEDIN_CLIENT_SECRET", sandbox::CLIENT_SECRET),
        ];
        all.extend_from_slice(settings);
        (Self::start_with(&all).await, sandbox)
    }

    /// With other settings than the defaults.
    pub async fn start_with(settings: &[(&str, &str)]) -> Self {
        let database = TestDatabase::new();
        let clock = Clock::fixed(a_moment());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let secret = SecretString::from("2n1lUG0D3ZqW8c7bRk5vX9pYtS4mE6hA1oJfKdLxQwM=");
        let mut environment: std::collections::BTreeMap<String, String> = [
            ("LEADGEN_DATABASE_URL", database.url_text()),
            ("LEADGEN_SECRET_KEY", secret.expose_secret().to_owned()),
            ("LEADGEN_PUBLIC_URL", address.clone()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        for (name, value) in settings {
            environment.insert((*name).to_owned(), (*value).to_owned());
        }
        // The data of a first start, as every command brings it before it serves.
        seed::run(&mut database.conn(), a_moment(), Uuid::now_v7).unwrap();
        crate::support::builders::connections_allowed(&mut database.conn());
        let options = AppOptions {
            clock: clock.clone(),
            connections: 4,
            ..AppOptions::default()
        };
        let app = App::open(Settings::read(&environment).unwrap(), options).unwrap();
        let store = app.store().clone();
        app.take_keys().await.unwrap();
        let sync = app.scheduler().context().clone();
        let portal = app.portal().unwrap();
        let server = serve(portal.clone(), listener, ServeOptions { workers: 1 }).unwrap();
        let handle = server.handle();
        tokio::spawn(server);
        let hash = passwords::hash_now(&SecretString::from(PASSWORD)).unwrap();
        Self {
            database,
            clock,
            address,
            store,
            hash: hash.expose_secret().to_owned(),
            portal,
            sync,
            handle,
        }
    }

    /// A browser that nobody has used.
    pub fn browser(&self) -> Browserlike {
        Browserlike::new(&self.address)
    }

    /// Adds a user with everybody's password.
    pub fn add(&self, user: UserBuilder) -> UserId {
        user.password_hash(&self.hash)
            .insert(&mut self.database.conn())
    }

    /// A browser in which this person has signed in by the form.
    pub async fn sign_in(&self, email: &str) -> Browserlike {
        let browser = self.browser();
        let page = browser.get("/sign-in").await.expect(200);
        let fields = [("email", Some(email)), ("password", Some(PASSWORD))];
        browser.submit(&page, "Sign in", &fields).await.expect(303);
        browser
    }

    /// A browser in which a new person with these roles has signed in.
    pub async fn sign_in_as(&self, roles: &[Role]) -> Browserlike {
        let number = crate::support::builders::fresh_number();
        let email = format!("person-{number}@example.com");
        let user = a_user().email(&email).name(&format!("Person {number}"));
        self.add(roles.iter().fold(user, |user, role| user.role(*role)));
        self.sign_in(&email).await
    }

    /// What the audit log holds: actions, sorted, because the clock stands still.
    pub fn audit(&self) -> Vec<String> {
        self.database
            .texts("SELECT action AS value FROM audit_entries ORDER BY action")
    }
}

impl Drop for TestPortal {
    fn drop(&mut self) {
        drop(self.handle.stop(false));
    }
}
