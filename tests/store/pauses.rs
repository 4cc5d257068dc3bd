//! Pauses of accounts: no claim takes a paused one, a run at work loses its lease, and resuming makes it due.

use std::time::Duration;

use leadgen::domain::access::Role;
use leadgen::domain::ids::{AccountId, RunId};
use leadgen::store::audit::Actor;
use leadgen::store::leases::{self, ClaimFilter, Leased};
use leadgen::store::{AnyConn, StoreError, accounts, activity, due, pauses};

use crate::support::TestDatabase;
use crate::support::records::{self, a_profile, a_user, authorize, day, new, seed_defaults};

fn two_due_accounts(conn: &mut AnyConn) -> Vec<AccountId> {
    seed_defaults(conn);
    let owner = a_user(conn, "Sam", &[Role::Salesperson]);
    let profile = a_profile(conn, &owner, "Sam’s");
    authorize(conn, &profile, &owner, day() + chrono::TimeDelta::days(50));
    let accounts = records::accounts(conn, &profile, &["One", "Two"]);
    for account in &accounts {
        accounts::request_sync(conn, account).unwrap();
    }
    accounts
}

fn claim(conn: &mut AnyConn) -> Option<(AccountId, leases::Lease)> {
    let run: RunId = new();
    let length = Duration::from_secs(60);
    let lease =
        leases::claim_account(conn, "me", length, &run, &ClaimFilter::default()).unwrap()?;
    match &lease.on {
        Leased::Account(id) => Some((id.clone(), lease)),
        Leased::Profile(_) => panic!("an account was asked for"),
    }
}

#[test]
fn a_paused_account_is_not_claimed_until_it_is_resumed() {
    let database = TestDatabase::new();
    let conn = &mut database.conn();
    let accounts = two_due_accounts(conn);
    database.execute("UPDATE linkedin_user_profiles SET next_sync_at = NULL");
    let actor = Actor::command_line();
    pauses::insert(conn, &accounts[0], &actor, "a reason", day()).unwrap();
    assert!(matches!(
        pauses::insert(conn, &accounts[0], &actor, "", day()),
        Err(StoreError::Rule(_))
    ));
    assert!(matches!(
        pauses::insert(conn, &new(), &actor, "", day()),
        Err(StoreError::NotFound(_))
    ));
    let found = accounts::get(conn, &accounts[0]).unwrap();
    let pause = found.pause.clone().unwrap();
    assert_eq!(
        (pause.since, pause.by.as_str(), pause.reason.as_str()),
        (day(), "Command line", "a reason")
    );
    assert_eq!(found.planned_sync_at(), None);
    let (claimed, _) = claim(conn).unwrap();
    assert_eq!(claimed, accounts[1]);
    assert!(claim(conn).is_none());
    // The look that spares the write lock agrees with the claim.
    assert!(!due::is_anything(conn).unwrap());
    assert!(matches!(
        accounts::request_sync(conn, &accounts[0]),
        Err(StoreError::Rule(_))
    ));
    database.execute("UPDATE linkedin_accounts SET next_sync_at = '2099-01-01 00:00:00'");
    pauses::delete(conn, &accounts[0]).unwrap();
    assert!(due::is_anything(conn).unwrap());
    assert_eq!(claim(conn).unwrap().0, accounts[0]);
    assert!(matches!(
        pauses::delete(conn, &accounts[0]),
        Err(StoreError::Rule(_))
    ));
}

#[test]
fn pausing_takes_the_lease_of_a_run_at_work_and_closes_the_run() {
    let database = TestDatabase::new();
    let conn = &mut database.conn();
    let accounts = two_due_accounts(conn);
    let (account, lease) = claim(conn).unwrap();
    assert!(accounts.contains(&account));
    let before = activity::now(conn).unwrap();
    let mark = activity::mark(conn).unwrap();
    assert_eq!(before.runs.len(), 1);
    leases::fence(conn, &lease).unwrap();
    pauses::insert(conn, &account, &Actor::command_line(), "", day()).unwrap();
    assert!(matches!(
        leases::fence(conn, &lease),
        Err(StoreError::LeaseLost)
    ));
    assert!(activity::now(conn).unwrap().is_idle());
    assert_ne!(activity::mark(conn).unwrap(), mark);
    assert_eq!(
        database.texts("SELECT status FROM sync_runs WHERE failure_reason = 'paused' AND finished_at IS NOT NULL"),
        ["abandoned"]
    );
}
