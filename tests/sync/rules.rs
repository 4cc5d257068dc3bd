//! The rules of mapping, matching and owning on real data (product.md §4).

use std::collections::BTreeMap;

use chrono::TimeDelta;
use leadgen::domain::access::Role;
use leadgen::domain::assignment::{AssignmentRule, Condition};
use leadgen::domain::ids::{LeadId, MergeId, RuleId, StrategyId};
use leadgen::domain::lead::merge::MergeChoices;
use leadgen::domain::lead::{FieldKey, LeadField};
use leadgen::domain::matching::MatchingStrategy;
use leadgen::sandbox::Submission;
use leadgen::store;
use leadgen::store::audit::Actor;
use leadgen::store::lead_merges::NewMerge;
use leadgen::sync::reset;
use uuid::Uuid;

use crate::stage::Stage;
use crate::support::a_user;

/// Somebody answers the first form of the first ad account.
fn somebody(stage: &Stage, answers: &[(&str, &str)]) -> Submission {
    Submission {
        account: Some(stage.ad_account(0)),
        answers: answers
            .iter()
            .map(|(field, text)| ((*field).to_owned(), (*text).to_owned()))
            .collect::<BTreeMap<_, _>>(),
        ..Submission::default()
    }
}

async fn submit(stage: &Stage, submission: &Submission) -> (String, String) {
    let id = stage.sandbox.submit(submission).unwrap();
    stage.advance(TimeDelta::minutes(1));
    stage.run_again().await;
    outcome(stage, &id)
}

/// Status and reason of a response.
fn outcome(stage: &Stage, response: &str) -> (String, String) {
    let row = stage
        .texts(&format!(
            "SELECT matching_status || '|' || COALESCE(reason, '') FROM form_submissions WHERE response_id = '{response}'"
        ))
        .remove(0);
    let (status, reason) = row.split_once('|').unwrap();
    (status.to_owned(), reason.to_owned())
}

fn is(outcome: &(String, String), status: &str, reason: &str) {
    assert_eq!((outcome.0.as_str(), outcome.1.as_str()), (status, reason));
}

fn set(stage: &Stage, what: &str) {
    stage
        .database
        .execute(&format!("UPDATE integration_settings SET {what}"));
}

fn compare_email_and_last_name(stage: &Stage) {
    let mut conn = stage.database.conn();
    let id = StrategyId::new(Uuid::now_v7());
    let strategy = MatchingStrategy {
        id: id.clone(),
        name: "E-mail and name".to_owned(),
        fields: vec![
            FieldKey::Standard(LeadField::Email),
            FieldKey::Standard(LeadField::LastName),
        ],
        is_active: false,
    };
    store::matching_strategies::insert(&mut conn, &strategy, stage.clock.now()).unwrap();
    store::matching_strategies::activate(&mut conn, &id, stage.clock.now()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_default_strategy_creates_then_updates_and_compares_normalised() {
    let stage = Stage::connected(0).await;
    stage.run().await;
    let first = submit(
        &stage,
        &somebody(
            &stage,
            &[("EMAIL", "Zoe@Example.com"), ("FIRST_NAME", "Zoe")],
        ),
    )
    .await;
    is(&first, "new_lead_created", "no_lead_matched");
    let second = submit(
        &stage,
        &somebody(
            &stage,
            &[("EMAIL", " zoe@example.COM "), ("FIRST_NAME", "Zoë")],
        ),
    )
    .await;
    is(&second, "updated_existing_lead", "matched");
    assert_eq!(
        stage.texts("SELECT first_name FROM leads"),
        ["Zoë".to_owned()]
    );
    // A blank answer never erases, and without an answer to compare nothing is guessed.
    let blank = Submission {
        only_given: true,
        ..somebody(&stage, &[("FIRST_NAME", "Nobody")])
    };
    is(
        &submit(&stage, &blank).await,
        "match_failed",
        "no_answer_for_match_fields",
    );
    set(&stage, "no_match_answer = 'create_anyway'");
    is(
        &submit(&stage, &blank).await,
        "new_lead_created",
        "created_without_match_answer",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partial_match_follows_its_setting_and_a_persons_retry_takes_the_new_one() {
    let stage = Stage::connected(0).await;
    stage.run().await;
    compare_email_and_last_name(&stage);
    let ada = [("EMAIL", "ada@example.com"), ("LAST_NAME", "Lind")];
    is(
        &submit(&stage, &somebody(&stage, &ada)).await,
        "new_lead_created",
        "no_lead_matched",
    );
    let partly = somebody(
        &stage,
        &[("EMAIL", "ada@example.com"), ("LAST_NAME", "Berg")],
    );
    let id = stage.sandbox.submit(&partly).unwrap();
    stage.advance(TimeDelta::minutes(1));
    stage.run_again().await;
    is(
        &outcome(&stage, &id),
        "match_failed",
        "partial_match_ignored",
    );
    set(&stage, "on_match_fail = 'create_new_lead'");
    stage
        .database
        .execute("UPDATE form_submissions SET attempts = 9");
    let submission = stage
        .texts(&format!(
            "SELECT id FROM form_submissions WHERE response_id = '{id}'"
        ))
        .remove(0)
        .parse()
        .unwrap();
    // Back to wait for the sync, as an act leaves it whose form version is not known yet; and its account is due.
    let conn = &mut stage.database.conn();
    store::submission_acts::reopen(conn, &[submission]).unwrap();
    let accounts: Vec<_> = stage
        .texts("SELECT account_id FROM form_submissions")
        .iter()
        .map(|id| id.parse().unwrap())
        .collect();
    store::due::make_accounts(conn, &accounts).unwrap();
    stage.run().await;
    is(
        &outcome(&stage, &id),
        "new_lead_created",
        "partial_match_created",
    );
    assert_eq!(stage.number("SELECT count(*) FROM leads"), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn closed_and_several_leads_follow_their_settings() {
    let stage = Stage::connected(0).await;
    stage.run().await;
    let ada = somebody(&stage, &[("EMAIL", "ada@example.com")]);
    submit(&stage, &ada).await;
    for (setting, status, reason) in [
        (
            "attach_only",
            "lead_matched_but_not_updated",
            "closed_lead_attached",
        ),
        ("reopen", "updated_existing_lead", "closed_lead_reopened"),
        ("create_new", "new_lead_created", "closed_lead_new"),
    ] {
        set(&stage, &format!("closed_lead = '{setting}'"));
        stage
            .database
            .execute("UPDATE leads SET status = 'qualified'");
        is(&submit(&stage, &ada).await, status, reason);
    }
    stage.database.execute("UPDATE leads SET status = 'new'");
    is(
        &submit(&stage, &ada).await,
        "match_failed",
        "several_leads_match",
    );
    set(&stage, "several_match = 'most_recently_updated'");
    is(
        &submit(&stage, &ada).await,
        "updated_existing_lead",
        "most_recent_of_several",
    );
    set(&stage, "always_create_lead = TRUE");
    is(
        &submit(&stage, &ada).await,
        "new_lead_created",
        "always_create",
    );
    let before = stage.number("SELECT count(*) FROM leads");
    stage.run_again().await;
    assert_eq!(stage.number("SELECT count(*) FROM leads"), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn test_leads_are_kept_out_unless_they_are_wanted() {
    let stage = Stage::connected(0).await;
    let test = Submission {
        test: true,
        ..somebody(&stage, &[("EMAIL", "test@example.com")])
    };
    is(
        &submit(&stage, &test).await,
        "match_failed",
        "test_lead_ignored",
    );
    assert_eq!(stage.number("SELECT count(*) FROM leads"), 0);
    set(&stage, "test_leads = 'process'");
    is(
        &submit(&stage, &test).await,
        "new_lead_created",
        "no_lead_matched",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owner_is_the_accounts_then_the_fallback_and_never_nobody() {
    let stage = Stage::connected(0).await;
    stage.run().await;
    let owner = |stage: &Stage, email: &str| {
        stage
            .texts(&format!(
                "SELECT owner_id FROM leads WHERE email = '{email}'"
            ))
            .remove(0)
    };
    submit(&stage, &somebody(&stage, &[("EMAIL", "a@example.com")])).await;
    assert_eq!(owner(&stage, "a@example.com"), stage.admin.as_str());
    stage.database.execute(&format!(
        "UPDATE linkedin_accounts SET default_lead_owner_id = '{}'",
        stage.seller
    ));
    submit(&stage, &somebody(&stage, &[("EMAIL", "b@example.com")])).await;
    assert_eq!(owner(&stage, "b@example.com"), stage.seller.as_str());
    // Somebody who left owns nothing new.
    stage.database.execute(&format!(
        "UPDATE users SET is_enabled = FALSE WHERE id = '{}'",
        stage.seller
    ));
    submit(&stage, &somebody(&stage, &[("EMAIL", "c@example.com")])).await;
    assert_eq!(owner(&stage, "c@example.com"), stage.admin.as_str());
}

#[tokio::test(flavor = "multi_thread")]
async fn assignment_rules_come_before_the_accounts_owner_in_their_order() {
    let stage = Stage::connected(0).await;
    stage.run().await;
    let (first, second) = {
        let mut conn = stage.database.conn();
        let first = a_user().role(Role::Salesperson).insert(&mut conn);
        let second = a_user().role(Role::Salesperson).insert(&mut conn);
        let account = stage
            .texts(&format!(
                "SELECT id FROM linkedin_accounts WHERE linkedin_id = {}",
                stage.ad_account(0)
            ))
            .remove(0);
        let email = FieldKey::Standard(LeadField::Email);
        for (condition, owner_id) in [
            (
                Condition::FieldEquals(email, "VIP@example.com".to_owned()),
                &first,
            ),
            (Condition::Account(account.parse().unwrap()), &second),
        ] {
            let rule = AssignmentRule {
                id: RuleId::new(Uuid::now_v7()),
                position: 0,
                condition,
                owner_id: owner_id.clone(),
            };
            store::assignment_rules::insert(&mut conn, &rule, stage.clock.now()).unwrap();
        }
        (first, second)
    };
    stage.database.execute(&format!(
        "UPDATE linkedin_accounts SET default_lead_owner_id = '{}'",
        stage.seller
    ));
    let owner = async |email: &str| {
        submit(&stage, &somebody(&stage, &[("EMAIL", email)])).await;
        stage
            .texts(&format!(
                "SELECT owner_id FROM leads WHERE email = '{email}'"
            ))
            .remove(0)
    };
    assert_eq!(owner("vip@example.com").await, first.as_str());
    assert_eq!(owner("anybody@example.com").await, second.as_str());
    // Whom a rule names and who has left is passed over; the next rule, then the account's owner, is asked.
    for gone in [&first, &second] {
        stage.database.execute(&format!(
            "UPDATE users SET is_enabled = FALSE WHERE id = '{gone}'"
        ));
    }
    assert_eq!(owner("later@example.com").await, stage.seller.as_str());
    assert_eq!(
        stage.number(
            "SELECT count(*) FROM submission_contents WHERE decision LIKE '%assignment_rule%'"
        ),
        2
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_reads_everything_again_and_changes_nothing() {
    let stage = Stage::connected(60).await;
    stage.run().await;
    let before = stage.dump();
    stage.advance(TimeDelta::hours(2));
    stage.sandbox.clear_requests();
    let now = stage.clock.now();
    stage
        .app
        .store()
        .write(move |conn| reset::request(conn, &Actor::command_line(), now))
        .await
        .unwrap();
    stage.run().await;
    assert!(stage.asked("leadFormResponses") > 8);
    assert_eq!(stage.dump(), before);
    stage.assert_complete();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submission_that_the_database_refuses_is_parked_and_the_batch_goes_on() {
    let stage = Stage::connected(20).await;
    stage.run().await;
    let refuse = match stage.database.system() {
        crate::support::System::Sqlite => {
            "CREATE TRIGGER poison BEFORE INSERT ON leads WHEN NEW.email = 'poison@example.com' BEGIN SELECT RAISE(ABORT, 'refused'); END"
        }
        crate::support::System::Postgres => {
            "ALTER TABLE leads ADD CONSTRAINT poison CHECK (email IS NULL OR email <> 'poison@example.com')"
        }
    };
    stage.database.execute(refuse);
    let poison = stage
        .sandbox
        .submit(&somebody(&stage, &[("EMAIL", "poison@example.com")]))
        .unwrap();
    let good = stage
        .sandbox
        .submit(&somebody(&stage, &[("EMAIL", "good@example.com")]))
        .unwrap();
    stage.advance(TimeDelta::minutes(1));
    stage.run_again().await;
    is(
        &outcome(&stage, &poison),
        "lead_creation_failed",
        "internal_error",
    );
    is(
        &outcome(&stage, &good),
        "new_lead_created",
        "no_lead_matched",
    );
    assert_eq!(stage.reason_of(stage.ad_account(0)), None);
    assert_eq!(
        stage.number("SELECT count(*) FROM form_submissions WHERE reason_detail LIKE '%poison@%'"),
        0
    );
    // Tried again by a person it is parked again.
    stage.database.execute(&format!(
        "UPDATE form_submissions SET processing_state = 'unprocessed', matching_status = 'pending_lead_matching' WHERE response_id = '{poison}'"
    ));
    stage.run_again().await;
    is(
        &outcome(&stage, &poison),
        "lead_creation_failed",
        "internal_error",
    );
    assert_eq!(
        stage
            .number("SELECT count(*) FROM form_submissions WHERE processing_state = 'unprocessed'"),
        0
    );
    stage.assert_complete();
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_answers_with_either_address_of_two_merged_leads_comes_to_the_one_that_stayed() {
    let stage = Stage::connected(0).await;
    stage.run().await;
    let (work, home) = ("zoe@work.example", "zoe@home.example");
    let answer = |address: &str| somebody(&stage, &[("EMAIL", address), ("FIRST_NAME", "Zoe")]);
    for address in [work, home] {
        let outcome = submit(&stage, &answer(address)).await;
        is(&outcome, "new_lead_created", "no_lead_matched");
    }
    {
        let mut conn = stage.database.conn();
        let by = a_user().role(Role::Salesperson).insert(&mut conn);
        let lead = |address: &str| -> (LeadId, i64) {
            let id = stage
                .texts(&format!("SELECT id FROM leads WHERE email = '{address}'"))
                .remove(0);
            let version = stage.texts(&format!(
                "SELECT CAST(lock_version AS TEXT) FROM leads WHERE email = '{address}'"
            ));
            (id.parse().unwrap(), version[0].parse().unwrap())
        };
        let merge = NewMerge {
            id: MergeId::new(Uuid::now_v7()),
            survivor: lead(work),
            merged: lead(home),
            choices: MergeChoices::new(),
            user_id: by,
            change_id: Uuid::now_v7().to_string(),
            now: stage.clock.now(),
        };
        store::lead_merges::create(&mut conn, &merge).unwrap();
    }
    // All in one batch: each writes its address over the one before.
    let responses: Vec<String> = [home, work, home]
        .into_iter()
        .map(|address| stage.sandbox.submit(&answer(address)).unwrap())
        .collect();
    stage.advance(TimeDelta::minutes(1));
    stage.run_again().await;
    for response in &responses {
        is(
            &outcome(&stage, response),
            "updated_existing_lead",
            "matched",
        );
    }
    // And later.
    for address in [work, home] {
        let outcome = submit(&stage, &answer(address)).await;
        is(&outcome, "updated_existing_lead", "matched");
    }
}
