//! What people decide at the very moment at which the synchronization brings the same submission again.

use std::sync::mpsc::channel;
use std::time::Duration;

use chrono::TimeDelta;
use leadgen::domain::access::Role;
use leadgen::domain::account::LeadType;
use leadgen::domain::ids::{AccountId, RunId, SubmissionId, UserId};
use leadgen::domain::submission::{MatchingStatus, SubmissionReason};
use leadgen::store::leases::{ClaimFilter, Lease, claim_account, fence};
use leadgen::store::run_counts::RunCounts;
use leadgen::store::submission_acts::Which;
use leadgen::store::{due, lock_leads};
use leadgen::sync::acts::{Act, By, Outcome, carry_out};
use leadgen::sync::intake::{Place, Response};
use leadgen::sync::process::{self, Batch};

use crate::support::records::{
    a_form, a_profile, a_submission, a_user, accounts, authorize, day, decided, form_content, new,
    save_submission, seed_defaults,
};
use crate::support::{System, TestDatabase, eventually};

/// An account that the synchronization has claimed, with one submission that has no lead.
struct Scene {
    database: TestDatabase,
    person: UserId,
    account: AccountId,
    lease: Lease,
    submission: SubmissionId,
    /// The same response with another company.
    changed: Response,
}

impl Scene {
    /// `edit` writes the stored response as the test needs it.
    fn new(edit: impl Fn(String) -> String) -> Self {
        let database = TestDatabase::new();
        let conn = &mut database.conn();
        seed_defaults(conn);
        let person = a_user(conn, "Olga Owner", &[Role::Administrator]);
        let profile = a_profile(conn, &person, "Mine");
        let account = accounts(conn, &profile, &["Acme"]).remove(0);
        authorize(conn, &profile, &person, day() + TimeDelta::days(60));
        a_form(conn, &account, 7001, form_content("Guide", 1));
        let mut one = decided(
            a_submission(&account, "Ada Lovelace"),
            MatchingStatus::MatchFailed,
            SubmissionReason::NoAnswerForMatchFields,
            None,
        );
        let raw = edit(String::from_utf8(one.raw).unwrap());
        one.raw = raw.clone().into_bytes();
        let place = Place {
            lead_type: LeadType::Sponsored,
            is_test: false,
            until: day(),
        };
        let read = |raw: String| Response::reread(raw.into_bytes(), place).unwrap();
        one.content_hash = read(raw.clone()).content_hash;
        let minute = Duration::from_secs(60);
        let run: RunId = new();
        let lease = claim_account(conn, "me", minute, &run, &ClaimFilter::default());
        Self {
            submission: save_submission(conn, &one),
            changed: read(raw.replace("\"Acme\"", "\"Acme Ltd\"")),
            lease: lease.unwrap().unwrap(),
            person,
            account,
            database,
        }
    }

    /// A person's act and the synchronization at once, each from a replica of its own: the act has the lock of the leads,
    /// the synchronization has looked at what is stored and waits for its turn; then the act goes on.
    async fn both(&self, act: Act) -> (Outcome, RunCounts) {
        let (taken, lock_taken) = channel();
        let (gate, open) = channel::<()>();
        let (person, which) = (
            self.person.clone(),
            Which::Chosen(vec![self.submission.clone()]),
        );
        let store = self.database.store();
        let acting = tokio::spawn(async move {
            store
                .write(move |conn| {
                    lock_leads(conn)?;
                    taken.send(()).unwrap();
                    open.recv().unwrap();
                    carry_out(conn, &which, &act, &By::Person(person.clone()), day())
                })
                .await
        });
        tokio::task::spawn_blocking(move || lock_taken.recv().unwrap())
            .await
            .unwrap();
        let (store, lease, changed) = (
            self.database.store(),
            self.lease.clone(),
            self.changed.clone(),
        );
        let batch = Batch {
            account_id: self.account.clone(),
            account_name: "Acme".to_owned(),
            attempts: 5,
            now: day(),
            retries: false,
            parks: None,
            wish: None,
        };
        let syncing = tokio::spawn(async move {
            store
                .write(move |conn| {
                    fence(conn, &lease)?;
                    process::run(conn, &batch, &[changed])
                })
                .await
        });
        // On SQLite the whole transaction waits, and there is nothing to see of it.
        if self.database.system() == System::Postgres {
            eventually("the sync waits for its turn", Duration::from_secs(20), || async {
                self.database.number(
                    "SELECT count(*) AS value FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
                     AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
                ) == 1
            })
            .await;
        }
        gate.send(()).unwrap();
        (
            acting.await.unwrap().unwrap(),
            syncing.await.unwrap().unwrap(),
        )
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submission_that_somebody_turns_into_a_lead_while_its_content_changes_makes_one_lead() {
    // An answer to a question that is not mapped in place of the e-mail address: the lead has no match key.
    let scene = Scene::new(|raw| raw.replace("\"questionId\":1", "\"questionId\":4"));
    scene
        .database
        .execute("UPDATE integration_settings SET no_match_answer = 'create_anyway'");
    let (outcome, counts) = scene.both(Act::TurnIntoLead).await;
    assert_eq!((outcome.taken, outcome.created), (1, 1));
    assert_eq!(
        (counts.leads_created, counts.leads_updated),
        (0, 1),
        "{counts:?}"
    );
    assert_eq!(
        scene
            .database
            .texts("SELECT company_name AS value FROM leads"),
        ["Acme Ltd"]
    );
    assert_eq!(
        scene.database.texts(
            "SELECT s.matching_status || ' ' || s.revision AS value FROM form_submissions s JOIN leads l ON l.id = s.lead_id"
        ),
        ["new_lead_created 2"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submission_that_is_tried_again_during_a_run_makes_its_account_due_without_a_deadlock() {
    let unknown_version = |raw: String| raw.replace("7001,1)", "7001,9)");
    let scene = Scene::new(unknown_version);
    let (outcome, _) = scene.both(Act::Retry).await;
    assert_eq!((outcome.taken, outcome.waiting), (1, 1));
    assert_eq!(outcome.due, std::slice::from_ref(&scene.account));
    scene
        .database
        .execute("UPDATE linkedin_accounts SET next_sync_at = NULL");
    let accounts = outcome.due;
    scene
        .database
        .store()
        .write(move |conn| due::make_accounts(conn, &accounts))
        .await
        .unwrap();
    assert_eq!(
        scene
            .database
            .number("SELECT count(*) AS value FROM linkedin_accounts WHERE next_sync_at IS NOT NULL AND requested_trigger = 'manual'"),
        1
    );
}
