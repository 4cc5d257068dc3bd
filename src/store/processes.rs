//! The running processes of the portal, as they announce themselves, and what each of them holds.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use diesel::prelude::*;

use super::schema::{
    linkedin_accounts as accounts, linkedin_user_profiles as profiles, processes, sync_runs as runs,
};
use super::{AnyConn, StoreError, database_now};
use crate::each;

/// How often a process announces itself, in seconds.
pub const ANNOUNCE_SECONDS: u64 = 20;
/// A process that was silent for this long is taken for dead.
const SILENT: TimeDelta = TimeDelta::seconds(75);
/// Dead ones are forgotten after this.
const FORGOTTEN: TimeDelta = TimeDelta::hours(24);

/// What a process says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// Its name in leases.
    pub name: String,
    /// The version that it runs.
    pub version: String,
    /// Whether it serves pages.
    pub has_portal: bool,
    /// Whether it syncs.
    pub has_scheduler: bool,
    /// Fingerprints of the secret keys that it holds. Versions that cannot say so hold none.
    pub held_keys: Vec<String>,
    /// Fingerprint of the key with which it seals.
    pub sealing_key: Option<String>,
}

/// A process as the database knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// What it said about itself.
    pub said: Announcement,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it was last heard of.
    pub last_seen_at: DateTime<Utc>,
    /// Whether it was heard of lately.
    pub is_alive: bool,
}

/// Says that a process lives, and forgets those that are long dead.
///
/// # Errors
/// As any query.
pub fn announce(conn: &mut AnyConn, said: &Announcement) -> Result<(), StoreError> {
    let now = database_now(conn)?.naive_utc();
    let keys = (
        processes::held_keys.eq(said.held_keys.join(" ")),
        processes::sealing_key.eq(said.sealing_key.as_deref()),
    );
    each!(conn, |c| diesel::insert_into(processes::table)
        .values((
            processes::name.eq(&said.name),
            processes::version.eq(&said.version),
            processes::has_portal.eq(said.has_portal),
            processes::has_scheduler.eq(said.has_scheduler),
            processes::started_at.eq(now),
            processes::last_seen_at.eq(now),
            keys.clone(),
        ))
        .on_conflict(processes::name)
        .do_update()
        .set((processes::last_seen_at.eq(now), keys))
        .execute(c))?;
    diesel::delete(processes::table.filter(processes::last_seen_at.lt(now - FORGOTTEN)))
        .execute(conn)?;
    Ok(())
}

/// Takes a process that ends in order off the list.
///
/// # Errors
/// As any query.
pub fn leave(conn: &mut AnyConn, name: &str) -> Result<(), StoreError> {
    diesel::delete(processes::table.find(name)).execute(conn)?;
    Ok(())
}

/// The processes, those heard of last first.
///
/// # Errors
/// As any query.
pub fn list(conn: &mut AnyConn) -> Result<Vec<Process>, StoreError> {
    let now = database_now(conn)?;
    type Row = (
        String,
        String,
        bool,
        bool,
        NaiveDateTime,
        NaiveDateTime,
        Option<String>,
        Option<String>,
    );
    let rows: Vec<Row> = processes::table
        .order((processes::last_seen_at.desc(), processes::name.asc()))
        .limit(100)
        .load(conn)?;
    Ok(rows
        .into_iter()
        .map(
            |(name, version, has_portal, has_scheduler, started, seen, held, sealing)| Process {
                said: Announcement {
                    name,
                    version,
                    has_portal,
                    has_scheduler,
                    held_keys: held
                        .unwrap_or_default()
                        .split_whitespace()
                        .map(str::to_owned)
                        .collect(),
                    sealing_key: sealing,
                },
                started_at: started.and_utc(),
                last_seen_at: seen.and_utc(),
                is_alive: now - seen.and_utc() <= SILENT,
            },
        )
        .collect())
}

/// A claim on an account or a profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldLease {
    /// The account's or the profile's name.
    pub on: String,
    /// Whether it is a profile.
    pub is_profile: bool,
    /// The process that holds it.
    pub owner: String,
    /// How many claims there were.
    pub term: i64,
    /// When its run began, where the run is known.
    pub since: Option<DateTime<Utc>>,
    /// Until when, unless it is extended.
    pub until: DateTime<Utc>,
    /// Whether that is still ahead.
    pub is_valid: bool,
}

/// Every claim that was not given back.
///
/// # Errors
/// As any query.
pub fn leases(conn: &mut AnyConn) -> Result<Vec<HeldLease>, StoreError> {
    let now = database_now(conn)?;
    type Row = (String, Option<String>, i64, Option<NaiveDateTime>);
    let of_profiles: Vec<Row> = profiles::table
        .filter(profiles::lease_owner.is_not_null())
        .select((
            profiles::name,
            profiles::lease_owner,
            profiles::lease_term,
            profiles::lease_expires_at,
        ))
        .order(profiles::name)
        .limit(200)
        .load(conn)?;
    let of_accounts: Vec<Row> = accounts::table
        .filter(accounts::lease_owner.is_not_null())
        .select((
            accounts::name,
            accounts::lease_owner,
            accounts::lease_term,
            accounts::lease_expires_at,
        ))
        .order(accounts::name)
        .limit(200)
        .load(conn)?;
    type Running = (String, i64, Option<String>, Option<String>, NaiveDateTime);
    let begun: Vec<Running> = runs::table
        .left_join(accounts::table)
        .left_join(profiles::table)
        .filter(diesel::dsl::sql::<diesel::sql_types::Bool>(
            "sync_runs.status = 'running'",
        ))
        .select((
            runs::lease_owner,
            runs::lease_term,
            accounts::name.nullable(),
            profiles::name.nullable(),
            runs::started_at,
        ))
        .limit(500)
        .load(conn)?;
    let begun: HashMap<(String, i64, String), NaiveDateTime> = begun
        .into_iter()
        .filter_map(|(owner, term, account, profile, at)| {
            Some(((owner, term, account.or(profile)?), at))
        })
        .collect();
    let marked = of_profiles
        .into_iter()
        .map(|row| (row, true))
        .chain(of_accounts.into_iter().map(|row| (row, false)));
    Ok(marked
        .filter_map(|((on, owner, term, until), is_profile)| {
            let (owner, until) = (owner?, until?.and_utc());
            Some(HeldLease {
                since: begun
                    .get(&(owner.clone(), term, on.clone()))
                    .map(|at| at.and_utc()),
                is_valid: until > now,
                on,
                is_profile,
                owner,
                term,
                until,
            })
        })
        .collect())
}
