//! The store: the only place with SQL. Two doors, `read` and `write`; behind them free functions grouped by noun.

pub mod access_reviews;
pub mod account_counts;
pub mod account_links;
pub mod accounts;
pub mod activity;
pub mod api_calls;
pub mod api_tokens;
pub mod app_credential_checks;
pub mod assignment_rules;
pub mod audit;
pub mod backup;
pub mod campaigns;
pub mod claimed;
pub mod columns;
pub mod configuration;
mod connection;
pub mod connections;
pub mod connector_records;
pub mod connector_responses;
pub mod consents;
mod counts;
pub mod custom_fields;
pub mod database;
pub mod dataverse_columns;
pub mod dataverse_organizations;
pub mod deliveries;
pub mod destinations;
pub mod directory;
pub mod due;
mod error;
pub mod field_mappings;
pub mod forms;
pub mod group_additions;
pub mod groups;
pub mod intake;
pub mod integration_settings;
pub mod lead_bulk;
pub mod lead_edits;
pub mod lead_exports;
pub mod lead_imports;
pub mod lead_lists;
pub mod lead_merges;
pub mod lead_notes;
pub mod lead_notifications;
pub mod lead_rows;
pub mod lead_views;
pub mod leads;
pub mod leases;
pub mod mails;
pub mod mapping_inbox;
pub mod match_aliases;
pub mod match_keys;
pub mod match_scan;
pub mod matching_strategies;
pub mod member_deletions;
mod migrations;
mod moment;
pub mod notification_subscriptions;
pub mod oauth_states;
pub mod oidc_attempts;
pub mod organization_lead_states;
pub mod organization_leads;
pub mod organization_reads;
pub mod organizations;
pub mod owners;
pub mod paging;
pub mod pauses;
pub mod pending_authorizations;
pub mod processes;
pub mod profiles;
pub mod record_changes;
pub mod report_facts;
pub mod reports;
pub mod resets;
pub mod run_counts;
pub mod samples;
pub mod schema;
pub mod sealed_cells;
pub mod search;
pub mod second_factors;
pub mod secret_keys;
pub mod seed;
pub mod sessions;
pub mod setup;
pub mod sign_in_rules;
pub mod sign_in_throttles;
pub mod status;
pub mod streams;
pub mod submission_acts;
pub mod submission_undo;
pub mod submissions;
pub mod sync_runs;
pub mod token_revocations;
pub mod tokens;
pub mod user_identities;
pub mod users;
pub mod waiting;
pub mod webhooks;

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

pub use connection::{AnyConn, DatabaseUrl};
pub use error::StoreError;

/// How long the sync and the commands wait for their turn and a connection: what they do was asked for by nobody who
/// looks at a page, and giving up would only mean to begin again.
const PATIENCE: Duration = Duration::from_secs(60);

/// A pool of connections to one database. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    pool: connection::Pool,
    url: DatabaseUrl,
    readers: Arc<Semaphore>,
    writers: Arc<Semaphore>,
    patience: Duration,
}

impl Store {
    /// Opens the database; an SQLite file and its folder are made when absent. Blocking.
    ///
    /// # Errors
    /// `Unreachable` when the URL leads nowhere.
    pub fn connect(url: &DatabaseUrl, connections: u32) -> Result<Self, StoreError> {
        if let DatabaseUrl::Sqlite(path) = url
            && let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty())
        {
            std::fs::create_dir_all(parent).map_err(|error| {
                StoreError::Unreachable(diesel::ConnectionError::BadConnection(format!(
                    "the folder {} cannot be made: {error}",
                    parent.display()
                )))
            })?;
        }
        let pool = connection::pool(url.clone(), connections)?;
        let size = connections as usize;
        Ok(Self {
            pool,
            url: url.clone(),
            readers: Arc::new(Semaphore::new(size)),
            // SQLite has one writer at a time; queueing here is fair, its busy handler is not.
            writers: Arc::new(Semaphore::new(match url {
                DatabaseUrl::Sqlite(_) => 1,
                DatabaseUrl::Postgres(_) => size,
            })),
            patience: PATIENCE,
        })
    }

    /// The same store for somebody who waits at most so long for their turn and a connection, in all.
    #[must_use]
    pub fn with_patience(&self, patience: Duration) -> Self {
        Self {
            patience,
            ..self.clone()
        }
    }

    /// The database this store speaks to.
    #[must_use]
    pub fn url(&self) -> &DatabaseUrl {
        &self.url
    }

    /// Reads, on a blocking thread, outside of any transaction.
    ///
    /// # Errors
    /// `Busy` when no turn or connection is free in time ([`Store::with_patience`]); otherwise what `f` answers.
    pub async fn read<T, E>(
        &self,
        f: impl FnOnce(&mut AnyConn) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.run(Arc::clone(&self.readers), f).await
    }

    /// Runs `f` in one write transaction on a blocking thread: all of it is stored, or nothing.
    ///
    /// # Errors
    /// `Busy` when no turn or connection is free in time ([`Store::with_patience`]); otherwise what `f` answers (then nothing is stored).
    pub async fn write<T, E>(
        &self,
        f: impl FnOnce(&mut AnyConn) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.run(Arc::clone(&self.writers), move |conn| {
            connection::write_tx(conn, f)
        })
        .await
    }

    async fn run<T, E>(
        &self,
        permits: Arc<Semaphore>,
        f: impl FnOnce(&mut AnyConn) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let deadline = Instant::now() + self.patience;
        let permit = tokio::time::timeout(self.patience, permits.acquire_owned())
            .await
            .map_err(|_| StoreError::Busy)?
            .map_err(|_| StoreError::Cancelled)?;
        let (begins, mut begun) = oneshot::channel();
        let pool = self.pool.clone();
        let task = tokio::task::spawn_blocking(move || {
            let mut conn = checkout(&pool, deadline, begins, permit)?;
            f(&mut conn.0)
        });
        // A database that is silent, not gone, keeps the thread longer than its caller has patience. Whoever gave up is
        // not acted for any more: `checkout` looks.
        let rest = deadline.saturating_duration_since(Instant::now());
        if tokio::time::timeout(rest, &mut begun).await.is_err() {
            begun.close();
            if begun.try_recv().is_err() {
                return Err(StoreError::Busy.into());
            }
        }
        match task.await {
            Ok(outcome) => outcome,
            Err(join) if join.is_panic() => std::panic::resume_unwind(join.into_panic()),
            Err(_) => Err(StoreError::Cancelled.into()),
        }
    }

    /// Runs pending migrations; returns their versions.
    ///
    /// # Errors
    /// `Migration` with the database's words.
    pub async fn migrate(&self) -> Result<Vec<String>, StoreError> {
        self.run(Arc::clone(&self.writers), migrations::run).await
    }

    /// Whether this build has migrations that the database lacks.
    ///
    /// # Errors
    /// As [`Store::read`].
    pub async fn has_pending_migrations(&self) -> Result<bool, StoreError> {
        self.read(migrations::has_pending).await
    }
}

/// A connection with the permit that let its holder ask for it; the connection goes back first.
struct Turn(
    r2d2::PooledConnection<connection::Manager>,
    #[expect(dead_code, reason = "held, not read")] OwnedSemaphorePermit,
);

/// Takes a connection until `deadline`, and says so to the caller who waits. Blocking.
fn checkout(
    pool: &connection::Pool,
    deadline: Instant,
    begins: oneshot::Sender<()>,
    permit: OwnedSemaphorePermit,
) -> Result<Turn, StoreError> {
    let rest = deadline.saturating_duration_since(Instant::now());
    let conn = pool.get_timeout(rest).map_err(|_| StoreError::Busy)?;
    begins.send(()).map_err(|()| StoreError::Cancelled)?;
    Ok(Turn(conn, permit))
}

/// The database's clock, UTC. Leases and what is due are judged by it, so that replicas with different clocks agree.
///
/// # Errors
/// As any query.
pub fn database_now(conn: &mut AnyConn) -> Result<DateTime<Utc>, StoreError> {
    #[derive(QueryableByName)]
    struct Now {
        #[diesel(sql_type = diesel::sql_types::Timestamp)]
        now: NaiveDateTime,
    }
    let row: Now = match conn {
        AnyConn::Pg(c) => {
            diesel::sql_query("SELECT (clock_timestamp() AT TIME ZONE 'UTC')::timestamp AS now")
                .get_result(c)?
        }
        AnyConn::Sqlite(c) => {
            diesel::sql_query("SELECT strftime('%Y-%m-%d %H:%M:%f', 'now') AS now").get_result(c)?
        }
    };
    Ok(row.now.and_utc())
}

/// Makes every transaction that decides about leads wait for its turn until the end of the transaction, so that two
/// accounts synced at once cannot both find no lead for the same person. What such a decision rests on is read after it.
/// Taken after the lease of an account ([`leases::fence`]), never before one. SQLite's write lock does the same already.
///
/// # Errors
/// As any query.
pub fn lock_leads(conn: &mut AnyConn) -> Result<(), StoreError> {
    if let AnyConn::Pg(c) = conn {
        diesel::sql_query("SELECT pg_advisory_xact_lock(7254011002)").execute(c)?;
    }
    Ok(())
}

/// Makes every transaction that changes settings, mappings or strategies wait for its turn, so that rules which span
/// several rows hold when two administrators act at once. Taken before [`lock_leads`]. SQLite's write lock does the same already.
///
/// # Errors
/// As any query.
pub fn lock_rules(conn: &mut AnyConn) -> Result<(), StoreError> {
    if let AnyConn::Pg(c) = conn {
        diesel::sql_query("SELECT pg_advisory_xact_lock(7254011003)").execute(c)?;
    }
    Ok(())
}
