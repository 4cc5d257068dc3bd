//! What the sync pages read: counted calls, resets, what waits, latest runs, processes, checked credentials.

use chrono::{NaiveDate, TimeDelta};
use leadgen::domain::access::Role;
use leadgen::domain::ids::{AccountId, ProfileId};
use leadgen::store::api_calls::{self, NewCalls};
use leadgen::store::app_credential_checks::{self, AppCheck, Outcome};
use leadgen::store::audit::Actor;
use leadgen::store::processes::{self, Announcement};
use leadgen::store::{AnyConn, database, pauses, resets, sync_runs, waiting};
use leadgen::sync::reset;

use crate::support::TestDatabase;
use crate::support::records::{
    self, a_profile, a_run, a_submission, a_user, authorize, day, new, save_submission,
    seed_defaults,
};

fn a_world(conn: &mut AnyConn, names: &[&str]) -> (ProfileId, Vec<AccountId>) {
    seed_defaults(conn);
    let owner = a_user(conn, "Sam", &[Role::Salesperson]);
    let profile = a_profile(conn, &owner, "Sam’s");
    authorize(conn, &profile, &owner, day() + TimeDelta::days(50));
    let accounts = records::accounts(conn, &profile, names);
    (profile, accounts)
}

#[test]
fn calls_of_a_day_add_up_and_old_days_are_forgotten() {
    let database = TestDatabase::new();
    let conn = &mut database.conn();
    let (profile, _) = a_world(conn, &["One"]);
    let today: NaiveDate = "2026-11-21".parse().unwrap();
    let calls = |day: NaiveDate, endpoint: &str, profile: &ProfileId, calls, refused| NewCalls {
        day,
        endpoint: endpoint.to_owned(),
        profile: profile.clone(),
        calls,
        refused,
    };
    let yesterday = today.pred_opt().unwrap();
    let deleted: ProfileId = new();
    for _ in 0..2 {
        api_calls::add(
            conn,
            &[
                calls(yesterday, "leadForms", &profile, 1, 0),
                calls(today, "leadFormResponses", &profile, 5, 1),
                calls(today, "leadForms", &deleted, 2, 0),
            ],
        )
        .unwrap();
    }
    let rows = api_calls::on(conn, today).unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!(
        (rows[0].endpoint.as_str(), rows[0].calls, rows[0].refused),
        ("leadFormResponses", 10, 2)
    );
    assert_eq!(rows[0].profile.as_ref().unwrap().1, "Sam’s");
    assert_eq!(rows[1].profile, None);
    assert_eq!(
        api_calls::per_day(conn, yesterday).unwrap(),
        [(today, 14, 2), (yesterday, 2, 0)]
    );
    api_calls::delete_before(conn, today).unwrap();
    assert_eq!(api_calls::per_day(conn, yesterday).unwrap().len(), 1);
}

#[test]
fn a_reset_tells_how_many_accounts_are_read_again() {
    let database = TestDatabase::new();
    let conn = &mut database.conn();
    let (_, accounts) = a_world(conn, &["One", "Two", "Three", "Off"]);
    let run = |statement: &str, id: &AccountId| {
        database.execute(&format!(
            "UPDATE linkedin_accounts SET {statement} WHERE id = '{id}'"
        ));
    };
    run("is_sync_enabled = FALSE", &accounts[3]);
    assert_eq!(resets::progress(conn).unwrap(), None);
    reset::request(conn, &Actor::command_line(), day()).unwrap();
    let progress = resets::progress(conn).unwrap().unwrap();
    assert_eq!(
        (
            progress.accounts,
            progress.read,
            progress.paused,
            progress.failing
        ),
        (3, 0, 0, 0)
    );
    assert_eq!(progress.requested_by, "Command line");
    let read = "requested_trigger = NULL, last_synchronized_at = '2098-01-01 00:00:00'";
    run(read, &accounts[0]);
    run("failure_reason = 'forbidden'", &accounts[1]);
    pauses::insert(conn, &accounts[2], &Actor::command_line(), "", day()).unwrap();
    let progress = resets::progress(conn).unwrap().unwrap();
    assert_eq!(
        (
            progress.accounts,
            progress.read,
            progress.paused,
            progress.failing
        ),
        (3, 1, 1, 1)
    );
    run(read, &accounts[1]);
    run(read, &accounts[2]);
    // An open window says that there is more to read.
    database.execute(&format!(
        "INSERT INTO account_streams (account_id, lead_type, is_test, window_start_at, window_end_at, window_offset, window_touched_at) \
         VALUES ('{}', 'sponsored', FALSE, '2026-01-01 00:00:00', '2026-02-01 00:00:00', 0, '2026-02-01 00:00:00')",
        accounts[0]
    ));
    assert_eq!(resets::progress(conn).unwrap().unwrap().read, 2);
    database.execute("DELETE FROM account_streams");
    assert_eq!(resets::progress(conn).unwrap(), None);
}

#[test]
fn the_oldest_waiting_submission_is_told_by_account_form_and_profile() {
    let database = TestDatabase::new();
    let conn = &mut database.conn();
    let (profile, accounts) = a_world(conn, &["One", "Two"]);
    let (form, _) = records::a_form(conn, &accounts[0], 7, records::form_content("Guide", 1));
    for (days, is_waiting) in [(9, false), (5, true), (3, true)] {
        let mut submission = a_submission(&accounts[0], "Ada");
        submission.submitted_at = day() - TimeDelta::days(days);
        submission.form_id = Some(form.clone());
        if !is_waiting {
            submission = records::decided(
                submission,
                leadgen::domain::submission::MatchingStatus::MatchFailed,
                leadgen::domain::submission::SubmissionReason::NoLeadMatched,
                None,
            );
        }
        save_submission(conn, &submission);
    }
    database.execute("UPDATE form_submissions SET processing_state = 'unprocessed', matching_status = 'pending_lead_matching' WHERE matching_status <> 'match_failed'");
    let oldest = Some(&(day() - TimeDelta::days(5)));
    let of_accounts = waiting::of_accounts(conn).unwrap();
    assert_eq!(of_accounts.get(accounts[0].as_str()), oldest);
    assert_eq!(of_accounts.len(), 1);
    let of_forms = waiting::of_forms(conn, &[&form]).unwrap();
    assert_eq!(of_forms.get(form.as_str()), oldest);
    assert!(waiting::of_forms(conn, &[]).unwrap().is_empty());
    let of_profiles = waiting::of_profiles(conn, &of_accounts).unwrap();
    assert_eq!(of_profiles.get(profile.as_str()), oldest);
}

#[test]
fn the_latest_run_of_each_account_comes_in_one_look() {
    let database = TestDatabase::new();
    let conn = &mut database.conn();
    let (_, accounts) = a_world(conn, &["One", "Two", "Three"]);
    for (account, hours, status) in [
        (0, 3, "failed"),
        (0, 1, "succeeded"),
        (1, 2, "partly_failed"),
    ] {
        a_run(
            conn,
            &accounts[account],
            status,
            None,
            day() - TimeDelta::hours(hours),
        );
    }
    let latest = sync_runs::latest_of_accounts(conn).unwrap();
    let status = |account: &AccountId| latest.get(account.as_str()).map(|run| run.status.as_str());
    assert_eq!(status(&accounts[0]), Some("succeeded"));
    assert_eq!(status(&accounts[1]), Some("partly_failed"));
    assert_eq!(status(&accounts[2]), None);
    assert!(sync_runs::latest_of_profiles(conn).unwrap().is_empty());
}

#[test]
fn processes_announce_themselves_fall_silent_and_are_forgotten() {
    let database = TestDatabase::new();
    let conn = &mut database.conn();
    let said = |name: &str| Announcement {
        name: name.to_owned(),
        version: "1.2.3".to_owned(),
        has_portal: true,
        has_scheduler: false,
        held_keys: vec!["0a0b0c0d".to_owned(), "01020304".to_owned()],
        sealing_key: Some("01020304".to_owned()),
    };
    for name in ["one", "two", "two"] {
        processes::announce(conn, &said(name)).unwrap();
    }
    let list = processes::list(conn).unwrap();
    assert_eq!(list.len(), 2);
    assert!(list.iter().all(|process| process.is_alive));
    database
        .execute("UPDATE processes SET last_seen_at = '2020-01-01 00:00:00' WHERE name = 'one'");
    let list = processes::list(conn).unwrap();
    assert_eq!(list[1].said, said("one"));
    assert!(!list[1].is_alive);
    processes::announce(conn, &said("two")).unwrap();
    assert_eq!(processes::list(conn).unwrap().len(), 1);
    processes::leave(conn, "two").unwrap();
    assert!(processes::list(conn).unwrap().is_empty());
}

#[test]
fn a_check_of_the_app_holds_for_the_secret_that_was_checked() {
    let database = TestDatabase::new();
    let conn = &mut database.conn();
    for outcome in Outcome::ALL {
        let check = AppCheck {
            outcome: *outcome,
            detail: "x".to_owned(),
            checked_at: day(),
        };
        app_credential_checks::save(conn, "client", "print", &check).unwrap();
        let found = app_credential_checks::find(conn, "client", "print").unwrap();
        assert_eq!(found, Some(check));
    }
    for (client, print) in [("client", "other"), ("other", "print")] {
        assert_eq!(
            app_credential_checks::find(conn, client, print).unwrap(),
            None
        );
    }
}

#[test]
fn the_database_tells_version_size_clock_and_migrations() {
    let database = TestDatabase::new();
    let conn = &mut database.conn();
    let facts = database::facts(conn).unwrap();
    assert!(facts.version.contains('.'), "{}", facts.version);
    assert!(facts.bytes > 10_000, "{}", facts.bytes);
    assert!(facts.pending.is_empty());
    assert!(facts.applied.len() > 5);
}
