//! Two replicas on one PostgreSQL: they share the accounts, never do the same one at once, and take over from the dead.
//!
//! These run in the PostgreSQL pass of tests/run only: several processes on one SQLite file are no replicas.

use std::time::{Duration, Instant};

use leadgen::sandbox::{self, Fault, FaultKind, TruthFilter};

use crate::support::installation::{Installation, Plan};
use crate::support::{System, TestDatabase, eventually, signal};

/// A lease is 60 seconds, and a look is taken every second or so.
const TAKEN_OVER: Duration = Duration::from_secs(75);

fn is_this_pass() -> bool {
    System::of_this_run() == System::Postgres
}

async fn installation() -> Installation {
    let installation = Installation::of(Plan {
        leads: 600,
        linkedin: sandbox::Settings {
            page_cap: 20,
            ..sandbox::Settings::default()
        },
        ..Plan::default()
    })
    .await;
    installation.connect("Shared").await;
    installation
}

struct Replica(std::process::Child);

impl Replica {
    fn start(installation: &Installation) -> Self {
        Self(
            installation
                .program(["worker"])
                .env("LEADGEN_LOG", "error")
                .command()
                .stdout(std::process::Stdio::null())
                .stderr(std::process::Stdio::inherit())
                .spawn()
                .unwrap(),
        )
    }

    /// Whether a lease names this process.
    fn is(&self, owner: &str) -> bool {
        owner.split('-').next() == Some(&self.0.id().to_string())
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        let _already_dead = self.0.kill();
        let _ended = self.0.wait();
    }
}

/// Pairs of runs of one account whose times overlap.
fn overlaps(database: &TestDatabase) -> i64 {
    database.number(
        "SELECT count(*) FROM sync_runs a JOIN sync_runs b ON a.account_id = b.account_id AND a.id <> b.id \
         WHERE a.started_at <= b.started_at AND b.started_at < coalesce(a.finished_at, 'infinity')",
    )
}

/// Who is at work on an account now.
fn holders(database: &TestDatabase) -> Vec<String> {
    database.texts(
        "SELECT DISTINCT lease_owner FROM sync_runs WHERE kind = 'account' AND status = 'running'",
    )
}

fn expect_complete(installation: &Installation) {
    let database = &installation.database;
    let mut truth: Vec<String> = installation
        .linkedin
        .truth(TruthFilter {
            readable: true,
            ..TruthFilter::default()
        })
        .into_iter()
        .map(|response| response.id)
        .collect();
    truth.sort();
    assert_eq!(
        database.texts("SELECT response_id FROM form_submissions ORDER BY response_id"),
        truth
    );
    assert_eq!(
        database
            .number("SELECT count(*) FROM form_submissions WHERE processing_state = 'unprocessed'"),
        0
    );
    assert_eq!(
        database.number(
            "SELECT count(*) FROM (SELECT lower(email) FROM leads WHERE email IS NOT NULL \
             GROUP BY lower(email) HAVING count(*) > 1) AS doubled"
        ),
        0,
        "a person became two leads"
    );
    assert_eq!(overlaps(database), 0, "two runs of one account at once");
}

/// Each account has been pulled to its end once. The sandbox has accounts of which a part is forbidden: `partly_failed`.
async fn until_all_is_pulled(installation: &Installation, limit: Duration) {
    eventually("every account is pulled to its end", limit, || async {
        installation.database.number(
            "SELECT count(*) FROM linkedin_accounts a WHERE is_sync_enabled AND NOT EXISTS \
             (SELECT 1 FROM sync_runs r WHERE r.account_id = a.id AND r.status IN ('succeeded', 'partly_failed'))",
        ) == 0
            && installation
                .database
                .number("SELECT count(*) FROM linkedin_accounts")
                > 0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replicas_share_the_accounts_and_never_do_the_same_one_at_once() {
    if !is_this_pass() {
        return;
    }
    let installation = installation().await;
    let database = &installation.database;
    let replicas = [Replica::start(&installation), Replica::start(&installation)];
    until_all_is_pulled(&installation, Duration::from_mins(2)).await;
    // Every account comes up again and again, with work to do each time, until both replicas have had their share.
    eventually(
        "both replicas have worked",
        Duration::from_mins(2),
        || async {
            if holders(database).is_empty() {
                installation.make_due();
            }
            let owners =
                database.texts("SELECT DISTINCT lease_owner FROM sync_runs WHERE kind = 'account'");
            replicas
                .iter()
                .all(|replica| owners.iter().any(|owner| replica.is(owner)))
        },
    )
    .await;
    drop(replicas);
    installation.end_leases();
    installation.make_due();
    installation.sync().await;
    expect_complete(&installation);
}

/// Two replicas of which one holds an account; each of its pages takes a second.
async fn one_at_work() -> (Installation, Replica, Replica) {
    let installation = installation().await;
    installation.linkedin.add_fault(
        Fault::new(FaultKind::SlowHeaders)
            .seconds(1)
            .on("leadFormResponses"),
    );
    let first = Replica::start(&installation);
    eventually(
        "the first replica is at work",
        Duration::from_mins(1),
        || async {
            holders(&installation.database)
                .iter()
                .any(|owner| first.is(owner))
        },
    )
    .await;
    let second = Replica::start(&installation);
    // Some pages are stored, more are to come.
    eventually("some pages are stored", Duration::from_mins(1), || async {
        installation
            .database
            .number("SELECT count(*) FROM form_submissions")
            > 0
    })
    .await;
    (installation, first, second)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_takes_over_within_the_lease_when_the_other_one_is_killed() {
    if !is_this_pass() {
        return;
    }
    let (installation, first, second) = one_at_work().await;
    let held: Vec<String> = installation
        .database
        .texts("SELECT account_id FROM sync_runs WHERE kind = 'account' AND status = 'running'");
    assert!(!held.is_empty());
    drop(first);
    installation.linkedin.clear_faults();
    let begun = Instant::now();
    eventually("the second replica takes over", TAKEN_OVER, || async {
        installation
            .database
            .number("SELECT count(*) FROM sync_runs WHERE status = 'abandoned'")
            > 0
            && installation
                .database
                .texts("SELECT DISTINCT lease_owner FROM sync_runs WHERE kind = 'account'")
                .iter()
                .any(|owner| second.is(owner))
    })
    .await;
    eprintln!(
        "taken over {:.1} s after the kill",
        begun.elapsed().as_secs_f64()
    );
    until_all_is_pulled(&installation, Duration::from_mins(2)).await;
    drop(second);
    installation.end_leases();
    installation.make_due();
    installation.sync().await;
    expect_complete(&installation);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stalled_replica_loses_its_accounts_and_writes_nothing_when_it_wakes() {
    if !is_this_pass() {
        return;
    }
    let (installation, first, second) = one_at_work().await;
    signal(first.0.id(), "STOP");
    installation.linkedin.clear_faults();
    eventually("the second replica takes over", TAKEN_OVER, || async {
        installation
            .database
            .number("SELECT count(*) FROM sync_runs WHERE status = 'abandoned'")
            > 0
    })
    .await;
    until_all_is_pulled(&installation, Duration::from_mins(2)).await;
    // What the stalled one was about to write when it was stopped is refused: its term is over.
    let counts = "SELECT coalesce(sum(submissions_new + submissions_known), 0) FROM sync_runs WHERE status = 'abandoned'";
    let before = installation.database.number(counts);
    signal(first.0.id(), "CONT");
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(installation.database.number(counts), before);
    drop((first, second));
    installation.end_leases();
    installation.make_due();
    installation.sync().await;
    expect_complete(&installation);
}
