//! Requests to LinkedIn, counted by day, resource and profile. LinkedIn resets its limits at 00:00 UTC and tells neither
//! how high they are nor what is left (linkedin-api.md §8.2), so these are the portal's own counts.

use chrono::NaiveDate;
use diesel::prelude::*;

use super::columns::Cells;
use super::schema::{api_calls as calls, linkedin_user_profiles as profiles};
use super::{AnyConn, StoreError};
use crate::domain::ids::ProfileId;
use crate::each;

/// Counts to be added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCalls {
    /// The day, UTC.
    pub day: NaiveDate,
    /// LinkedIn's resource name.
    pub endpoint: String,
    /// The profile through which it was asked.
    pub profile: ProfileId,
    /// Requests sent.
    pub calls: i64,
    /// Those of them that LinkedIn answered with 429, too many requests.
    pub refused: i64,
}

/// Adds to the counts. `new` is sorted by the caller, so that two processes lock the rows in the same order.
///
/// # Errors
/// As any query.
pub fn add(conn: &mut AnyConn, new: &[NewCalls]) -> Result<(), StoreError> {
    for one in new {
        each!(conn, |c| diesel::insert_into(calls::table)
            .values((
                calls::day.eq(one.day.to_string()),
                calls::endpoint.eq(&one.endpoint),
                calls::profile_id.eq(one.profile.as_str()),
                calls::calls.eq(one.calls),
                calls::refused.eq(one.refused),
            ))
            .on_conflict((calls::day, calls::endpoint, calls::profile_id))
            .do_update()
            .set((
                calls::calls.eq(calls::calls + one.calls),
                calls::refused.eq(calls::refused + one.refused),
            ))
            .execute(c))?;
    }
    Ok(())
}

/// Forgets the counts of days before this one.
///
/// # Errors
/// As any query.
pub fn delete_before(conn: &mut AnyConn, day: NaiveDate) -> Result<(), StoreError> {
    diesel::delete(calls::table.filter(calls::day.lt(day.to_string()))).execute(conn)?;
    Ok(())
}

/// The requests of one day, resource and profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallCount {
    /// LinkedIn's resource name.
    pub endpoint: String,
    /// The profile, as long as it exists.
    pub profile: Option<(ProfileId, String)>,
    /// Requests sent.
    pub calls: i64,
    /// Those of them that LinkedIn answered with 429, too many requests.
    pub refused: i64,
}

/// The counts of a day, the most first.
///
/// # Errors
/// As any query.
pub fn on(conn: &mut AnyConn, day: NaiveDate) -> Result<Vec<CallCount>, StoreError> {
    type Row = (String, String, Option<String>, i64, i64);
    let rows: Vec<Row> = calls::table
        .left_join(profiles::table.on(profiles::id.eq(calls::profile_id)))
        .filter(calls::day.eq(day.to_string()))
        .order((
            calls::calls.desc(),
            calls::endpoint.asc(),
            calls::profile_id.asc(),
        ))
        .select((
            calls::endpoint,
            calls::profile_id,
            profiles::name.nullable(),
            calls::calls,
            calls::refused,
        ))
        .limit(500)
        .load(conn)?;
    rows.into_iter()
        .map(|(endpoint, profile, name, calls, refused)| {
            let cells = Cells {
                table: "api_calls",
                id: &endpoint,
            };
            Ok(CallCount {
                profile: name
                    .map(|name| Ok::<_, StoreError>((cells.word("profile_id", &profile)?, name)))
                    .transpose()?,
                endpoint: endpoint.clone(),
                calls,
                refused,
            })
        })
        .collect()
}

/// The sums of each day from this one on, the newest first: day, requests, refused ones.
///
/// # Errors
/// As any query.
pub fn per_day(
    conn: &mut AnyConn,
    from: NaiveDate,
) -> Result<Vec<(NaiveDate, i64, i64)>, StoreError> {
    // sum() of a BIGINT is NUMERIC on PostgreSQL, which the connection cannot carry: there are few rows a day.
    let rows: Vec<(String, i64, i64)> = calls::table
        .filter(calls::day.ge(from.to_string()))
        .order(calls::day.desc())
        .select((calls::day, calls::calls, calls::refused))
        .load(conn)?;
    let mut days: Vec<(NaiveDate, i64, i64)> = Vec::new();
    for (day, calls, refused) in rows {
        let day: NaiveDate = Cells {
            table: "api_calls",
            id: &day,
        }
        .word("day", &day)?;
        match days.last_mut().filter(|(last, _, _)| *last == day) {
            Some(sum) => {
                sum.1 += calls;
                sum.2 += refused;
            }
            None => days.push((day, calls, refused)),
        }
    }
    Ok(days)
}
