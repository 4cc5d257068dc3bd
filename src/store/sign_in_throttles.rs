//! Counts failed sign-ins per account and per client address, shared by all replicas.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use diesel::prelude::*;

use super::schema::sign_in_throttles;
use super::{AnyConn, StoreError};
use crate::each;

/// After so long without a failure an account's failures no longer count.
const WINDOW: TimeDelta = TimeDelta::hours(24);

/// The same for an address.
const WINDOW_OF_ADDRESS: TimeDelta = TimeDelta::hours(1);

/// Failures that cost nothing: people mistype.
const FREE_FAILURES: i64 = 3;

/// The same for an address: a whole office may stand behind one.
const FREE_FAILURES_OF_ADDRESS: i64 = 20;

/// Keys that begin so are addresses; all others are accounts.
pub const ADDRESS_PREFIX: &str = "address:";

/// The longest wait. A wait always ends: nobody can lock somebody else out for good.
const LONGEST_WAIT: TimeDelta = TimeDelta::minutes(15);

/// The wait after so many failures in a row: nothing for the first three (an address: twenty), then 1 s, 2 s, 4 s … at
/// most 15 minutes.
#[must_use]
pub fn wait_after(key: &str, failures: i64) -> TimeDelta {
    let free = if key.starts_with(ADDRESS_PREFIX) {
        FREE_FAILURES_OF_ADDRESS
    } else {
        FREE_FAILURES
    };
    let steps = failures - free;
    if steps <= 0 {
        return TimeDelta::zero();
    }
    let exponent = u32::try_from(steps - 1).unwrap_or(u32::MAX).min(20);
    TimeDelta::seconds(1_i64 << exponent).min(LONGEST_WAIT)
}

/// Counts one failure for each key, unless one of them must still wait: then nothing is counted and the end of the wait
/// is returned. Call it in a transaction of its own that is committed whatever becomes of the request. Callers name their
/// keys in the same order, so that two of them never wait for each other.
///
/// # Errors
/// As any query.
pub fn count_failure(
    conn: &mut AnyConn,
    keys: &[String],
    now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>, StoreError> {
    // Takes the rows' locks first: guesses sent at once are looked at one after the other, on all replicas.
    for key in keys {
        each!(conn, |c| diesel::insert_into(sign_in_throttles::table)
            .values((
                sign_in_throttles::throttle_key.eq(key),
                sign_in_throttles::failures.eq(0_i64),
                sign_in_throttles::blocked_until.eq(now.naive_utc()),
                sign_in_throttles::last_failure_at.eq(now.naive_utc()),
            ))
            .on_conflict(sign_in_throttles::throttle_key)
            .do_update()
            .set(sign_in_throttles::throttle_key.eq(key))
            .execute(c))?;
    }
    let blocked: Option<NaiveDateTime> = sign_in_throttles::table
        .filter(sign_in_throttles::throttle_key.eq_any(keys.to_vec()))
        .filter(sign_in_throttles::blocked_until.gt(now.naive_utc()))
        .select(diesel::dsl::max(sign_in_throttles::blocked_until))
        .first(conn)?;
    if let Some(until) = blocked {
        return Ok(Some(until.and_utc()));
    }
    for key in keys {
        let (failures, last): (i64, NaiveDateTime) = sign_in_throttles::table
            .find(key)
            .select((
                sign_in_throttles::failures,
                sign_in_throttles::last_failure_at,
            ))
            .first(conn)?;
        let window = if key.starts_with(ADDRESS_PREFIX) {
            WINDOW_OF_ADDRESS
        } else {
            WINDOW
        };
        let failures = if last.and_utc() + window < now {
            1
        } else {
            failures.saturating_add(1)
        };
        diesel::update(sign_in_throttles::table.find(key))
            .set((
                sign_in_throttles::failures.eq(failures),
                sign_in_throttles::blocked_until.eq((now + wait_after(key, failures)).naive_utc()),
                sign_in_throttles::last_failure_at.eq(now.naive_utc()),
            ))
            .execute(conn)?;
    }
    Ok(None)
}

/// Forgets the failures of a key, after a success.
///
/// # Errors
/// As any query.
pub fn clear(conn: &mut AnyConn, key: &str) -> Result<(), StoreError> {
    diesel::delete(sign_in_throttles::table.find(key)).execute(conn)?;
    Ok(())
}

/// Takes back one failure of a key, and the wait that it caused.
///
/// # Errors
/// As any query.
pub fn forgive(conn: &mut AnyConn, key: &str, now: DateTime<Utc>) -> Result<(), StoreError> {
    diesel::update(
        sign_in_throttles::table
            .find(key)
            .filter(sign_in_throttles::failures.gt(0)),
    )
    .set((
        sign_in_throttles::failures.eq(sign_in_throttles::failures - 1),
        sign_in_throttles::blocked_until.eq(now.naive_utc()),
    ))
    .execute(conn)?;
    Ok(())
}

/// Removes what no longer counts.
///
/// # Errors
/// As any query.
pub fn delete_expired(conn: &mut AnyConn, now: DateTime<Utc>) -> Result<usize, StoreError> {
    Ok(diesel::delete(
        sign_in_throttles::table
            .filter(sign_in_throttles::last_failure_at.lt((now - WINDOW).naive_utc())),
    )
    .execute(conn)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_from_one_second_to_a_quarter_of_an_hour_and_never_further() {
        for (failures, seconds) in [
            (0, 0),
            (3, 0),
            (4, 1),
            (5, 2),
            (6, 4),
            (13, 512),
            (14, 900),
            (1_000_000, 900),
        ] {
            assert_eq!(
                wait_after("account:x", failures).num_seconds(),
                seconds,
                "after {failures} failures"
            );
        }
    }
}
