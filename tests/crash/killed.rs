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

/// What became of each response. Whether it made its lead or found it there depends on which account was first, with or
/// without kills; that it has a lead, and why not, does not.
fn outcomes(database: &TestDatabase) -> Vec<String> {
    database.texts(
        "SELECT response_id || ' ' || processing_state || ' ' || CASE WHEN lead_id IS NULL \
         THEN matching_status || ' ' || coalesce(reason, '-') ELSE 'lead' END \
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
    // On a busy machine nothing would ever come to an end in a short life: who makes no progress lives longer.
    let (mut life, mut stored) = (400, 0);
    while hits < KILLS {
        starts += 1;
        assert!(
            starts < 10 * KILLS,
            "{hits} hits in {starts} starts; runs: {:#?}",
            installation.runs()
        );
        let worker = installation
            .program(["worker"])
            .env("LEADGEN_LOG", "error")
            .command()
            .spawn()
            .unwrap();
        crate::support::eventually(
            "the worker begins a run",
            Duration::from_mins(1),
            || async { is_running(database) },
        )
        .await;
        tokio::time::sleep(Duration::from_millis(moments.within(0..life))).await;
        kill(worker);
        // What the kill left behind counts: a run of an account in its middle.
        if database
            .number("SELECT count(*) FROM sync_runs WHERE status = 'running' AND kind = 'account'")
            > 0
        {
            hits += 1;
        }
        installation.end_leases();
        let now_stored = database.number("SELECT count(*) FROM form_submissions");
        if now_stored == stored && life < 10_000 {
            life += life / 4;
        }
        stored = now_stored;
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
            life = 400;
        }
    }
    eprintln!(
        "kill -9: {hits} of {starts} lives ended in the middle of an account; {stored} responses stored by then"
    );

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
    assert_eq!(
        stored.len(),
        truth.len(),
        "stored and true responses; runs: {:#?}",
        installation.runs()
    );
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
    assert_eq!(
        database.number("SELECT sum(submissions) FROM submission_counts"),
        i64::try_from(truth.len()).unwrap(),
        "counted by the triggers"
    );
    let (expected_outcomes, expected_people) = undisturbed().await;
    expect_same("outcomes", &outcomes(database), &expected_outcomes);
    expect_same("people", &people(database), &expected_people);
    // Every run that was killed is closed as what it is.
    assert!(!is_running(database));
    assert!(
        database.number("SELECT count(*) FROM sync_runs WHERE status = 'abandoned'")
            >= i64::try_from(KILLS).unwrap()
    );
}

/// Compares line by line, and shows only what differs.
fn expect_same(what: &str, found: &[String], expected: &[String]) {
    let (found, expected): (BTreeSet<_>, BTreeSet<_>) =
        (found.iter().collect(), expected.iter().collect());
    let surplus: Vec<_> = found.difference(&expected).take(10).collect();
    let missing: Vec<_> = expected.difference(&found).take(10).collect();
    assert!(
        surplus.is_empty() && missing.is_empty(),
        "{what} differ from an undisturbed sync\nonly with kills: {surplus:#?}\nonly without: {missing:#?}"
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
