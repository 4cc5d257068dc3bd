//! The use case: from LinkedIn's answers to leads. The only place that joins domain, store and the LinkedIn client.
//!
//! [`scheduler`] claims what is due and runs it; beside it [`mails`] sends what waits in the outbox of mail. [`discover`] finds
//! the accounts of a profile; [`pull`] reads one account: forms, campaigns, then responses window by window; [`intake`] turns
//! wire shapes into domain values (the one place that moves when LinkedIn's shapes change); [`process`] maps, matches and saves
//! a batch in one transaction with its cursor. [`authorized`] calls LinkedIn with a profile's token and knows what a 401 or a
//! daily limit means; [`connect`] is the connect flow that the pages use; [`app_check`] asks whether LinkedIn knows the portal;
//! [`call_counts`] counts; [`reset`] starts everything over; [`revocations`] tells LinkedIn about tokens that nobody uses any
//! more.
//!
//! [`notifications`] takes what LinkedIn tells by itself, [`subscriptions`] asks for it, [`member_deletions`] carries out what
//! members deleted. [`preview`] tells what a change of the rules would do; [`lead_imports`] works on imports of leads; [`acts`]
//! carries out what people and programs decide about submissions; [`hand_in`] takes responses that programs bring;
//! [`moving_in`] brings along the records of Microsoft's connector.
//!
//! [`organizations`] speaks to Dynamics 365; [`delivery`] tells destinations about leads; [`organization_reads`] brings back
//! what people in Dynamics 365 did with them.

pub mod acts;
pub mod app_check;
pub mod authorized;
pub mod call_counts;
pub mod connect;
pub mod decision;
pub mod delivery;
pub mod discover;
mod error;
pub mod hand_in;
pub mod intake;
pub mod lead_imports;
pub mod mails;
pub mod member_deletions;
pub mod moving_in;
pub mod notifications;
pub mod organization_reads;
pub mod organizations;
pub mod preview;
pub mod process;
pub mod pull;
pub mod reset;
pub mod revocations;
pub mod scheduler;
pub mod subscriptions;
mod worker;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

pub use error::SyncError;

use crate::auth::secret_key::SecretKey;
use crate::clock::Clock;
use crate::domain::connections::Deployment;
use crate::linkedin::LinkedInClient;
use crate::linkedin::oauth::LinkedInOAuth;
use crate::mail::Mailer;
use crate::store::Store;

/// How the sync behaves; the defaults are production's.
#[derive(Debug, Clone)]
pub struct SyncOptions {
    /// Time between two pulls of an account.
    pub interval: Duration,
    /// Time between two looks at which accounts a profile can read.
    pub discovery_interval: Duration,
    /// Time between two looks at the campaigns of an account.
    pub campaign_interval: Duration,
    /// Time between two readings of a Dynamics 365 organization.
    pub organization_interval: Duration,
    /// How long a claim holds without being extended.
    pub lease: Duration,
    /// How long one claim may work before it gives the next account its turn.
    pub budget: Duration,
    /// How many accounts are worked on at once by one process.
    pub concurrency: usize,
    /// Responses asked for per page.
    pub page_size: u32,
    /// Responses per transaction.
    pub batch_size: usize,
    /// A fresh token may be answered 401 for so long (linkedin-api.md §1.3).
    pub fresh_token_grace: Duration,
    /// Times a submission is tried again by itself before it waits for a person.
    pub submission_attempts: i64,
    /// Where LinkedIn is to send notifications of leads; `None` where none are wanted.
    pub webhook: Option<String>,
    /// What whoever runs the portal decided about LinkedIn.
    pub deployment: Deployment,
}

impl Default for SyncOptions {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(300),
            discovery_interval: Duration::from_secs(3600),
            campaign_interval: Duration::from_secs(1800),
            organization_interval: Duration::from_secs(300),
            lease: Duration::from_secs(60),
            budget: Duration::from_secs(30),
            concurrency: 8,
            page_size: 1_000,
            batch_size: 1_000,
            fresh_token_grace: Duration::from_secs(60),
            submission_attempts: 5,
            webhook: None,
            deployment: Deployment::default(),
        }
    }
}

/// What every part of the sync works with. Cheap to clone.
#[derive(Clone)]
pub struct SyncContext {
    /// The database.
    pub store: Store,
    /// The time.
    pub clock: Clock,
    /// LinkedIn's API.
    pub linkedin: LinkedInClient,
    /// LinkedIn's authorization server; `None` while the portal has no client id and secret.
    pub oauth: Option<LinkedInOAuth>,
    /// The ways to Dynamics 365 organizations.
    pub organizations: organizations::Organizations,
    /// Sends mail; `None` without a mail server.
    pub mailer: Option<Mailer>,
    /// Opens the tokens.
    pub secret_key: SecretKey,
    /// How to behave.
    pub options: Arc<SyncOptions>,
    /// Names this process in leases.
    pub owner: Arc<str>,
    /// Turns true when the process is to end: runs stop at their next page.
    pub stopping: Arc<AtomicBool>,
    /// Requests to LinkedIn that are counted and not stored yet.
    pub calls: call_counts::CallCounts,
    /// The way out to webhooks.
    pub webhooks: delivery::WebhookClient,
}

/// A random number from 0 to 1, so that replicas do not all come back at the same moment.
fn jitter() -> f64 {
    getrandom::u32().map_or(0.5, |random| f64::from(random) / f64::from(u32::MAX))
}
