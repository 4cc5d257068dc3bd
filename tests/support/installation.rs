//! An installation as production composes it, with a database and a LinkedIn of its own.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::time::Duration;

use leadgen::app::{App, AppOptions};
use leadgen::clock::Clock;
use leadgen::domain::access::Role;
use leadgen::domain::ids::{ProfileId, UserId};
use leadgen::sandbox::{self, Decision, SandboxHandle, SandboxOptions};
use leadgen::settings::Settings;
use leadgen::store;
use leadgen::store::audit::Actor;
use leadgen::store::leases::ClaimFilter;
use leadgen::sync::SyncOptions;
use leadgen::sync::connect::CallbackQuery;
use leadgen::sync::scheduler::Step;
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::{Browserlike, Program, SECRET_KEY, System, TestDatabase, a_profile, a_user};

/// Everybody's password in tests.
pub const PASSWORD: &str = "twelve green bottles standing";

/// How an installation is made.
pub struct Plan {
    /// The database system.
    pub system: System,
    /// Responses in the sandbox's history.
    pub leads: usize,
    /// The seed of that history.
    pub seed: u64,
    /// The switches of the sandbox.
    pub linkedin: sandbox::Settings,
    /// How the sync of this process behaves.
    pub sync: SyncOptions,
    /// The time of the app and of the sandbox.
    pub clock: Clock,
    /// Further settings, by name.
    pub settings: Vec<(&'static str, String)>,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            system: System::of_this_run(),
            leads: 40,
            seed: 7,
            linkedin: sandbox::Settings::default(),
            sync: SyncOptions::default(),
            clock: Clock::System,
            settings: Vec::new(),
        }
    }
}

/// A database, a LinkedIn, and the app between them. What runs ends when it is dropped.
pub struct Installation {
    /// Its database.
    pub database: TestDatabase,
    /// Its LinkedIn.
    pub linkedin: SandboxHandle,
    /// The app in this process, neither serving nor syncing by itself.
    pub app: App,
    environment: BTreeMap<String, String>,
    listener: Option<TcpListener>,
    running: Option<tokio::task::JoinHandle<()>>,
}

impl Installation {
    /// With defaults.
    pub async fn new() -> Self {
        Self::of(Plan::default()).await
    }

    /// As planned; migrated and seeded.
    pub async fn of(plan: Plan) -> Self {
        super::install_crypto_provider();
        let database = TestDatabase::on(plan.system);
        let linkedin = sandbox::start(SandboxOptions {
            leads: plan.leads,
            seed: plan.seed,
            settings: plan.linkedin,
            clock: plan.clock.clone(),
            ..SandboxOptions::default()
        })
        .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let mut environment: BTreeMap<String, String> = [
            ("LEADGEN_DATABASE_URL", database.url_text()),
            ("LEADGEN_SECRET_KEY", SECRET_KEY.to_owned()),
            ("LEADGEN_PUBLIC_URL", address),
            ("LEADGEN_LINKEDIN_OAUTH_URL", linkedin.oauth_url()),
            ("LEADGEN_LINKEDIN_API_URL", linkedin.api_url()),
            ("LEADGEN_LINKEDIN_CLIENT_ID", sandbox::CLIENT_ID.to_owned()),
            (
                "LEADGEN_LINKEDIN_CLIENT_SECRET",
                sandbox::CLIENT_SECRET.to_owned(),
            ),
            ("LEADGEN_SYNC_INTERVAL", "10s".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        for (name, value) in plan.settings {
            environment.insert(name.to_owned(), value);
        }
        let app = App::open(
            Settings::read(&environment).unwrap(),
            AppOptions {
                clock: plan.clock,
                sync: plan.sync,
                connections: 6,
                ..AppOptions::default()
            },
        )
        .unwrap();
        app.migrate().await.unwrap();
        super::builders::connections_allowed(&mut database.conn());
        Self {
            database,
            linkedin,
            app,
            environment,
            listener: Some(listener),
            running: None,
        }
    }

    /// Where the portal is once [`Installation::serve`] was called.
    pub fn address(&self) -> String {
        self.environment["LEADGEN_PUBLIC_URL"].clone()
    }

    /// Serves the pages, and syncs by itself when asked to, as `leadgen serve` does.
    pub fn serve(&mut self, with_scheduler: bool) {
        let listener = self.listener.take().expect("not served yet");
        let app = self.app.clone();
        self.running = Some(tokio::spawn(async move {
            app.serve(listener, with_scheduler).await.unwrap();
        }));
    }

    /// Leaves the portal's address to a program of this installation: `program(["serve"])` listens there.
    pub fn leave_address(&mut self) {
        drop(self.listener.take());
        let address = self.address().replace("http://", "");
        self.environment.insert("LEADGEN_BIND".to_owned(), address);
    }

    /// A browser that nobody has used.
    pub fn browser(&self) -> Browserlike {
        Browserlike::new(&self.address())
    }

    /// Adds a person with everybody's password.
    pub fn add_person(&self, email: &str, name: &str, roles: &[Role]) -> UserId {
        let user = a_user()
            .email(email)
            .name(name)
            .password_hash(password_hash());
        roles
            .iter()
            .fold(user, |user, role| user.role(*role))
            .insert(&mut self.database.conn())
    }

    /// Adds a salesperson's profile and authorizes it as the sandbox's first member: OAuth over HTTP, organization confirmed.
    pub async fn connect(&self, profile_name: &str) -> ProfileId {
        let (owner, profile) = {
            let mut conn = self.database.conn();
            // Leads that nothing assigns fall to an Administrator; without one nothing is processed.
            a_user().role(Role::Administrator).insert(&mut conn);
            let owner = a_user().role(Role::Salesperson).insert(&mut conn);
            let profile = a_profile().name(profile_name).of(&owner).insert(&mut conn);
            (owner, profile)
        };
        let member = self.linkedin.members().remove(0);
        self.authorize(&owner, &profile, member.email, member.password)
            .await;
        profile
    }

    /// Authorizes a profile as this member of LinkedIn.
    pub async fn authorize(
        &self,
        owner: &UserId,
        profile: &ProfileId,
        email: &str,
        password: &str,
    ) {
        let connector = self.app.connector();
        let url = connector
            .begin(owner, profile, "the test's session")
            .await
            .unwrap();
        let back = sandbox::visit(url.as_str(), email, password, Decision::Allow)
            .await
            .unwrap();
        let back = Url::parse(&back).unwrap();
        let query: CallbackQuery = serde_html_form::from_str(back.query().unwrap()).unwrap();
        connector
            .complete(owner, "the test's session", query)
            .await
            .unwrap();
        let organization = self
            .app
            .store()
            .read(store::organizations::list)
            .await
            .unwrap()
            .remove(0);
        connector
            .confirm(&Actor::system(), owner, profile, &organization.id)
            .await
            .unwrap();
    }

    /// A portal that has read the sandbox's history, with an Administrator `ada@example.com`; nothing syncs by itself.
    pub async fn at_work() -> Self {
        let mut installation = Self::new().await;
        installation.connect("Northwind ads").await;
        installation.sync().await;
        installation.add_person(
            "ada@example.com",
            "Ada Administrator",
            &[Role::Administrator],
        );
        installation.serve(false);
        installation
    }

    /// Does everything that is due, in this process.
    pub async fn sync(&self) -> Vec<Step> {
        self.app
            .scheduler()
            .run_until_idle(&ClaimFilter::default())
            .await
            .unwrap()
    }

    /// How the runs went, for messages: kind, state, reason and detail.
    pub fn runs(&self) -> Vec<String> {
        self.database.texts(
            "SELECT kind || ' ' || status || ' ' || coalesce(failure_reason, '') || ' ' || coalesce(failure_detail, '') FROM sync_runs",
        )
    }

    /// Makes every account due at once, as after the interval.
    pub fn make_due(&self) {
        self.database.execute(
            "UPDATE linkedin_accounts SET next_sync_at = '2000-01-01 00:00:00' WHERE is_sync_enabled",
        );
    }

    /// Ends the leases of processes that are dead, as time would.
    pub fn end_leases(&self) {
        for table in ["linkedin_accounts", "linkedin_user_profiles"] {
            self.database.execute(&format!(
                "UPDATE {table} SET lease_expires_at = '2000-01-01 00:00:00' WHERE lease_expires_at IS NOT NULL"
            ));
        }
    }

    /// The real program with the settings of this installation.
    pub fn program<const N: usize>(&self, arguments: [&str; N]) -> Program {
        self.environment
            .iter()
            .fold(Program::new(arguments), |program, (name, value)| {
                program.env(name, value)
            })
    }
}

impl Drop for Installation {
    fn drop(&mut self) {
        if let Some(task) = self.running.take() {
            task.abort();
        }
    }
}

/// The hash of everybody's password, made once a process: it costs tens of milliseconds.
pub fn password_hash() -> &'static str {
    static HASH: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    HASH.get_or_init(|| {
        leadgen::auth::passwords::hash_now(&SecretString::from(PASSWORD))
            .unwrap()
            .expose_secret()
            .to_owned()
    })
}

/// Waits until nothing of the sync is due or running, at most `limit`.
pub async fn until_idle(installation: &Installation, limit: Duration) {
    super::eventually("the sync is idle", limit, || async {
        installation
            .database
            .number("SELECT count(*) FROM sync_runs WHERE status = 'running'")
            == 0
    })
    .await;
}
