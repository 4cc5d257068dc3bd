//! One portal, one sandbox, one fixed clock that both share.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use leadgen::app::{App, AppOptions};
use leadgen::clock::Clock;
use leadgen::domain::access::Role;
use leadgen::domain::ids::{ProfileId, UserId};
use leadgen::linkedin::Timeouts;
use leadgen::sandbox::{
    self, Decision, SandboxHandle, SandboxOptions, Settings as SandboxSettings, TruthFilter,
};
use leadgen::settings::Settings;
use leadgen::store::audit::Actor;
use leadgen::store::leases::ClaimFilter;
use leadgen::store::{self, StoreError};
use leadgen::sync::SyncOptions;
use leadgen::sync::connect::{CallbackQuery, ConnectError};
use leadgen::sync::scheduler::Step;
use uuid::Uuid;

use crate::support::{SECRET_KEY, TestDatabase, a_user, eventually};

/// The session in which the salesperson connects.
pub const SESSION: &str = "the session";

/// A portal beside a LinkedIn.
pub struct Stage {
    pub database: TestDatabase,
    pub sandbox: SandboxHandle,
    pub clock: Clock,
    pub app: App,
    pub admin: UserId,
    pub seller: UserId,
    pub profile: ProfileId,
    options: SyncOptions,
}

/// Small pages and batches, so that a short history has many of both.
pub fn small() -> SyncOptions {
    SyncOptions {
        page_size: 7,
        batch_size: 20,
        budget: Duration::from_secs(120),
        fresh_token_grace: Duration::from_secs(5),
        ..SyncOptions::default()
    }
}

impl Stage {
    /// A profile that nobody has authorised yet; `leads` production responses can be read.
    pub async fn new(leads: usize) -> Self {
        Self::with(leads, small(), SandboxSettings::default()).await
    }

    pub async fn with(leads: usize, options: SyncOptions, settings: SandboxSettings) -> Self {
        let at: DateTime<Utc> = "2026-11-21T09:00:00Z".parse().unwrap();
        let clock = Clock::fixed(at);
        let sandbox = sandbox::start(SandboxOptions {
            leads,
            clock: clock.clone(),
            settings,
            ..SandboxOptions::default()
        })
        .unwrap();
        let database = TestDatabase::new();
        let app = open(&database, &sandbox, &clock, &options, &[]);
        app.migrate().await.unwrap();
        let mut conn = database.conn();
        crate::support::builders::connections_allowed(&mut conn);
        let admin = a_user().role(Role::Administrator).insert(&mut conn);
        let seller = a_user().role(Role::Salesperson).insert(&mut conn);
        let profile = ProfileId::new(Uuid::now_v7());
        store::profiles::insert(&mut conn, &profile, "A profile", &seller, at).unwrap();
        Self {
            database,
            sandbox,
            clock,
            app,
            admin,
            seller,
            profile,
            options,
        }
    }

    /// With an authorised profile; nothing is pulled yet.
    pub async fn connected(leads: usize) -> Self {
        let stage = Self::new(leads).await;
        stage.connect().await;
        stage
    }

    /// Another process on the same database and the same LinkedIn.
    pub fn second_process(&self) -> App {
        self.process_with(&[])
    }

    /// Another process with other settings.
    pub fn process_with(&self, settings: &[(&str, &str)]) -> App {
        open(
            &self.database,
            &self.sandbox,
            &self.clock,
            &self.options,
            settings,
        )
    }

    pub async fn connect(&self) {
        self.connect_profile(&self.profile, 0).await;
    }

    pub async fn connect_profile(&self, profile: &ProfileId, member: usize) {
        let query = self.visit(profile, member, Decision::Allow).await;
        self.app
            .connector()
            .complete(&self.seller, SESSION, query)
            .await
            .unwrap();
        self.confirm(profile).await.unwrap();
    }

    /// Authorize, LinkedIn's pages, and what LinkedIn sends back.
    pub async fn visit(
        &self,
        profile: &ProfileId,
        member: usize,
        decision: Decision,
    ) -> CallbackQuery {
        self.visit_through(&self.app, profile, member, decision)
            .await
    }

    /// The same by another process.
    pub async fn visit_through(
        &self,
        app: &App,
        profile: &ProfileId,
        member: usize,
        decision: Decision,
    ) -> CallbackQuery {
        let url = app
            .connector()
            .begin(&self.seller, profile, SESSION)
            .await
            .unwrap();
        let member = self.sandbox.members()[member].clone();
        let back = sandbox::visit(url.as_str(), member.email, member.password, decision)
            .await
            .unwrap();
        query_of(&back)
    }

    pub async fn confirm(&self, profile: &ProfileId) -> Result<(), ConnectError> {
        let organization = self
            .app
            .store()
            .read(store::organizations::list)
            .await
            .map_err(|error: StoreError| error)
            .unwrap()
            .remove(0)
            .id;
        self.app
            .connector()
            .confirm(&Actor::command_line(), &self.seller, profile, &organization)
            .await
    }

    /// Runs what is due until nothing is.
    pub async fn run(&self) -> Vec<Step> {
        self.app
            .scheduler()
            .run_until_idle(&ClaimFilter::default())
            .await
            .unwrap()
    }

    /// Makes every profile and account due: the database's clock cannot be moved.
    pub fn make_due(&self) {
        self.database.execute(
            "UPDATE linkedin_user_profiles SET next_sync_at = '2020-01-01 00:00:00' WHERE next_sync_at IS NOT NULL;
             UPDATE linkedin_accounts SET next_sync_at = '2020-01-01 00:00:00'",
        );
    }

    pub async fn run_again(&self) -> Vec<Step> {
        self.make_due();
        self.run().await
    }

    /// Begins one step and waits until it asks LinkedIn for responses, which a fault makes slow.
    pub async fn step_that_asks(&self) -> tokio::task::JoinHandle<Step> {
        let scheduler = self.app.scheduler();
        let step = tokio::spawn(async move {
            scheduler
                .run_due_once(&ClaimFilter::default())
                .await
                .unwrap()
        });
        eventually("responses are asked for", Duration::from_secs(15), || {
            let asked = self.asked("leadFormResponses") > 0;
            async move { asked }
        })
        .await;
        step
    }

    pub fn advance(&self, by: chrono::TimeDelta) {
        self.clock.advance(by);
    }

    /// What the profile may read is what the database holds, once each, and no lead is doubled.
    pub fn assert_complete(&self) {
        let truth: std::collections::BTreeSet<String> = self
            .sandbox
            .truth(TruthFilter {
                readable: true,
                ..TruthFilter::default()
            })
            .into_iter()
            .map(|response| response.id)
            .collect();
        let stored = self.stored();
        let distinct: std::collections::BTreeSet<String> = stored.iter().cloned().collect();
        let missing: Vec<_> = truth.difference(&distinct).collect();
        let foreign: Vec<_> = distinct.difference(&truth).collect();
        assert!(
            missing.is_empty() && foreign.is_empty(),
            "missing {missing:?}, foreign {foreign:?}"
        );
        assert_eq!(stored.len(), distinct.len());
        assert_eq!(
            self.number("SELECT count(*) FROM leads"),
            self.number(
                "SELECT count(*) FROM form_submissions WHERE matching_status = 'new_lead_created'"
            ),
            "one lead for each submission that made one"
        );
        // The default strategy compares e-mail addresses, so no two leads share one.
        assert_eq!(
            self.number("SELECT count(*) FROM leads WHERE email IS NOT NULL"),
            self.number("SELECT count(DISTINCT lower(trim(email))) FROM leads"),
        );
    }

    pub fn stored(&self) -> Vec<String> {
        self.database
            .texts("SELECT response_id FROM form_submissions")
    }

    pub fn number(&self, query: &str) -> i64 {
        self.database.number(query)
    }

    pub fn texts(&self, query: &str) -> Vec<String> {
        self.database.texts(query)
    }

    /// How many requests LinkedIn got whose path holds this.
    pub fn asked(&self, path: &str) -> usize {
        self.sandbox
            .requests()
            .iter()
            .filter(|request| request.path.contains(path))
            .count()
    }

    /// LinkedIn's number of the ad account at a position of the sandbox's list.
    pub fn ad_account(&self, position: usize) -> i64 {
        self.sandbox.accounts()[position].id
    }

    /// The reason under which an ad account's last run failed.
    pub fn reason_of(&self, linkedin_id: i64) -> Option<String> {
        self.texts(&format!(
            "SELECT COALESCE(failure_reason, '') FROM linkedin_accounts WHERE linkedin_id = {linkedin_id}"
        ))
        .pop()
        .filter(|reason| !reason.is_empty())
    }

    /// Everything that was derived from LinkedIn's answers, as text.
    pub fn dump(&self) -> Vec<String> {
        let mut all = Vec::new();
        for query in [
            "SELECT id || '|' || response_id || '|' || COALESCE(form_version_id, '') || '|' || matching_status || '|' || processing_state
             || '|' || COALESCE(reason, '') || '|' || COALESCE(lead_id, '') || '|' || CAST(attempts AS TEXT) || '|' || CAST(revision AS TEXT)
             || '|' || CAST(flag_count AS TEXT) || '|' || CAST(submitted_at AS TEXT) || '|' || CAST(processed_at AS TEXT) FROM form_submissions ORDER BY 1",
            "SELECT id || '|' || COALESCE(email, '') || '|' || COALESCE(first_name, '') || '|' || COALESCE(company_name, '') || '|' || status || '|'
             || owner_id || '|' || CAST(updated_at AS TEXT) || '|' || CAST(lock_version AS TEXT) FROM leads ORDER BY 1",
            "SELECT lead_id || '|' || CAST(submission_count AS TEXT) || '|' || provenance || '|' || COALESCE(latest_submission_id, '') FROM lead_origins ORDER BY 1",
            "SELECT id || '|' || lead_id || '|' || kind || '|' || changes FROM lead_changes ORDER BY 1",
            "SELECT field || '|' || match_key || '|' || lead_id FROM lead_match_keys ORDER BY 1",
            "SELECT submission_id || '|' || COALESCE(decision, '') FROM submission_contents ORDER BY 1",
            "SELECT id FROM lead_form_versions ORDER BY 1",
            "SELECT id || '|' || name FROM campaigns ORDER BY 1",
        ] {
            all.extend(self.texts(query));
        }
        all
    }
}

fn open(
    database: &TestDatabase,
    sandbox: &SandboxHandle,
    clock: &Clock,
    options: &SyncOptions,
    settings: &[(&str, &str)],
) -> App {
    let mut environment: BTreeMap<String, String> = [
        ("LEADGEN_DATABASE_URL", database.url_text()),
        ("LEADGEN_SECRET_KEY", SECRET_KEY.to_owned()),
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
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    for (name, value) in settings {
        environment.insert((*name).to_owned(), (*value).to_owned());
    }
    App::open(
        Settings::read(&environment).unwrap(),
        AppOptions {
            clock: clock.clone(),
            sync: options.clone(),
            connections: 6,
            timeouts: Timeouts {
                connect: Duration::from_secs(5),
                request: Duration::from_secs(5),
            },
        },
    )
    .unwrap()
}

/// LinkedIn's answer as the callback page reads it.
pub fn query_of(address: &str) -> CallbackQuery {
    let url = url::Url::parse(address).unwrap();
    let mut query = CallbackQuery::default();
    for (name, value) in url.query_pairs() {
        let value = Some(value.into_owned());
        match name.as_ref() {
            "code" => query.code = value,
            "state" => query.state = value,
            "error" => query.error = value,
            "error_description" => query.error_description = value,
            _ => {}
        }
    }
    query
}
