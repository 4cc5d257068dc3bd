//! A portal of one's own for one test: production's app on port 0, a database of its own, a clock that stands still.

use std::net::TcpListener;
use std::sync::Arc;

use leadgen::auth::passwords;
use leadgen::auth::secret_key::SecretKey;
use leadgen::clock::Clock;
use leadgen::domain::access::Role;
use leadgen::domain::ids::UserId;
use leadgen::linkedin::oauth::AppCredentials;
use leadgen::linkedin::{LinkedInClient, LinkedInEndpoints, Timeouts};
use leadgen::settings::Settings;
use leadgen::sync::connect::Connector;
use leadgen::sync::{SyncContext, SyncOptions};
use leadgen::web::{Portal, ServeOptions, serve};
use secrecy::{ExposeSecret, SecretString};

use crate::support::builders::UserBuilder;
use crate::support::{Browserlike, TestDatabase, a_moment, a_user};

/// Everybody's password in these tests.
pub const PASSWORD: &str = "twelve green bottles standing";

/// A running portal; stops when dropped.
pub struct TestPortal {
    pub database: TestDatabase,
    pub clock: Clock,
    pub address: String,
    hash: String,
    handle: actix_web::dev::ServerHandle,
}

impl TestPortal {
    pub async fn start() -> Self {
        Self::start_with(&[]).await
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
        let settings = Arc::new(Settings::read(&environment).unwrap());
        let connector = connector(&database, &clock, &settings, &secret);
        let wake = Arc::new(tokio::sync::Notify::new());
        let portal = Portal::new(
            database.store(),
            clock.clone(),
            settings,
            &secret,
            connector,
            wake,
        )
        .unwrap();
        let server = serve(portal, listener, ServeOptions { workers: 1 }).unwrap();
        let handle = server.handle();
        tokio::spawn(server);
        let hash = passwords::hash_now(&SecretString::from(PASSWORD)).unwrap();
        Self {
            database,
            clock,
            address,
            hash: hash.expose_secret().to_owned(),
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

    /// What the audit log holds: actions, oldest first.
    pub fn audit(&self) -> Vec<String> {
        self.database
            .texts("SELECT action AS value FROM audit_entries ORDER BY created_at, id")
    }
}

/// The connect flow as production puts it together.
fn connector(
    database: &TestDatabase,
    clock: &Clock,
    settings: &Settings,
    secret: &SecretString,
) -> Arc<Connector> {
    crate::support::install_crypto_provider();
    let linkedin = LinkedInClient::new(
        LinkedInEndpoints {
            oauth_url: settings.linkedin.oauth_url.to_string(),
            api_url: settings.linkedin.api_url.to_string(),
            version: settings.linkedin.version.clone(),
        },
        Timeouts::default(),
    )
    .unwrap();
    let credentials = settings
        .linkedin
        .client_id
        .clone()
        .map(|client_id| AppCredentials {
            client_id,
            client_secret: settings.linkedin.client_secret.clone().unwrap(),
        });
    let ctx = SyncContext {
        store: database.store(),
        clock: clock.clone(),
        oauth: credentials.map(|credentials| linkedin.oauth(credentials).unwrap()),
        linkedin,
        secret_key: SecretKey::new(secret).unwrap(),
        options: Arc::new(SyncOptions::default()),
        owner: "test".into(),
        stopping: Arc::default(),
    };
    let redirect_uri = settings.http.public_url.join("/linkedin/callback").unwrap();
    Arc::new(Connector::new(
        ctx,
        redirect_uri,
        settings.linkedin.scopes.clone(),
    ))
}

impl Drop for TestPortal {
    fn drop(&mut self) {
        drop(self.handle.stop(false));
    }
}
