//! kill -9 at any moment of a sync, then a restart: nothing is lost, nothing doubled.

use std::collections::BTreeSet;
use std::process::Child;
use std::time::Duration;

use leadgen::sandbox::{self, TruthFilter};

use crate::Moments;
use crate::support::installation::{Installation, Plan};
use crate::support::{System, TestDatabase};

/// Kills that hit a run in its middle.
const KILLS: u64 = 50;

fn plan() -> Plan {
    Plan {
        leads: 1_500,
        linkedin: sandbox::Settings {
            // Small pages make many moments worth dying in.
            page_cap: 20,
            ..sandbox::Settings::default()
        },
        ..Plan::default()
    }
}

fn responses(database: &TestDatabase) -> Vec<String> {
    database.texts("SELECT response_id FROM form_submissions ORDER BY response_id")
}

/// What became of the people: per lead its e-mail, name and number of submissions.
fn people(database: &TestDatabase) -> Vec<String> {
    let mut people = database.texts(
        "SELECT coalesce(lower(email), '-') || '|' || coalesce(first_name, '-') || '|' || coalesce(last_name, '-') \
         || '|' || coalesce(company_name, '-') || '|' || submission_count \
         FROM leads JOIN lead_origins ON lead_id = id",
    );
    people.sort();
    people
}

fn outcomes(database: &TestDatabase) -> Vec<String> {
    database.texts(
        "SELECT response_id || ' ' || matching_status || ' ' || processing_state || ' ' || coalesce(reason, '-') \
         FROM form_submissions ORDER BY response_id",
    )
}

fn is_running(database: &TestDatabase) -> bool {
    database.number("SELECT count(*) FROM sync_runs WHERE status = 'running'") > 0
}

fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

/// What an undisturbed sync of the same history makes.
async fn undisturbed() -> (Vec<String>, Vec<String>) {
    let installation = Installation::of(plan()).await;
    installation.connect("Undisturbed").await;
    installation.sync().await;
    (
        outcomes(&installation.database),
        people(&installation.database),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_minus_nine_at_random_moments_loses_and_doubles_nothing() {
    let mut moments = Moments::seeded("kill -9");
    let installation = Installation::of(plan()).await;
    installation.connect("Killed").await;
    let database = &installation.database;
    let (mut hits, mut starts) = (0, 0);
    while hits < KILLS {
        starts += 1;
        assert!(starts < 10 * KILLS, "{hits} hits in {starts} starts");
        let worker = installation
            .program(["worker"])
            .env("LEADGEN_LOG", "error")
            .command()
            .spawn()
            .unwrap();
        // Most of the first moments are the start of the program; then each page and each transaction has its turn.
        crate::support::eventually(
            "the worker begins a run",
            Duration::from_secs(60),
            || async {
                is_running(database)
                    || database.number("SELECT count(*) FROM sync_runs") > 0
                        && nothing_due(database)
            },
        )
        .await;
        tokio::time::sleep(Duration::from_millis(moments.within(0..400))).await;
        let is_hit = is_running(database);
        kill(worker);
        // The run may have ended between the look and the kill; what stands there now is what counts.
        if is_hit && is_running(database) {
            hits += 1;
        }
        installation.end_leases();
        if nothing_due(database) {
            // All is there: have everything pulled again, which must change nothing.
            installation
                .app
                .store()
                .write(|conn| {
                    leadgen::sync::reset::request(
                        conn,
                        &leadgen::store::audit::Actor::system(),
                        leadgen::clock::Clock::System.now(),
                    )
                })
                .await
                .unwrap();
        }
    }
    eprintln!("kill -9: {hits} of {starts} killed in a run");

    // The last one lives to the end.
    installation.end_leases();
    installation.make_due();
    installation.sync().await;

    let stored = responses(database);
    let distinct: BTreeSet<&String> = stored.iter().collect();
    assert_eq!(stored.len(), distinct.len(), "a response is stored twice");
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
    assert_eq!(stored.len(), truth.len(), "stored and true responses");
    assert_eq!(stored, truth);
    assert_eq!(
        database.number("SELECT count(*) FROM (SELECT lower(email) FROM leads WHERE email IS NOT NULL GROUP BY lower(email) HAVING count(*) > 1) AS doubled"),
        0,
        "a person became two leads"
    );
    assert_eq!(
        database
            .number("SELECT count(*) FROM form_submissions WHERE processing_state = 'unprocessed'"),
        0
    );
    let (expected_outcomes, expected_people) = undisturbed().await;
    assert_eq!(outcomes(database), expected_outcomes);
    assert_eq!(people(database), expected_people);
    // Every run that was killed is closed as what it is.
    assert!(!is_running(database));
    assert!(
        database.number("SELECT count(*) FROM sync_runs WHERE status = 'abandoned'")
            >= i64::try_from(KILLS).unwrap()
    );
}

fn nothing_due(database: &TestDatabase) -> bool {
    let now = match database.system() {
        System::Sqlite => "strftime('%Y-%m-%d %H:%M:%f', 'now')",
        System::Postgres => "(clock_timestamp() AT TIME ZONE 'UTC')::timestamp",
    };
    database.number("SELECT count(*) FROM sync_runs WHERE kind = 'account'") > 0
        && database.number(&format!(
            "SELECT count(*) FROM linkedin_accounts WHERE is_sync_enabled AND next_sync_at <= {now}"
        )) == 0
        && !is_running(database)
}
