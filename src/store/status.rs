//! The aggregated sync status: the numbers of `leadgen status`, the demo's summary and the Sync Status page.

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::dsl::{count_star, max, sql};
use diesel::prelude::*;
use diesel::sql_types::Bool;
use serde::Serialize;

use super::schema::{
    form_submissions, lead_forms, leads, linkedin_accounts, linkedin_user_profiles, sync_runs,
};
use super::{AnyConn, StoreError};

/// What `leadgen status --json` prints (product.md §8); others' scripts rely on the names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct StatusTotals {
    /// LinkedIn user profiles.
    pub profiles: i64,
    /// LinkedIn accounts, switched off ones included.
    pub accounts: i64,
    /// Lead Gen forms.
    pub forms: i64,
    /// Form submissions of real people: test leads are kept out of statistics.
    pub submissions: i64,
    /// Form submissions that LinkedIn marks as test leads.
    pub test_submissions: i64,
    /// Leads.
    pub leads: i64,
    /// Submissions that made a lead.
    pub leads_created: i64,
    /// Submissions that updated a lead.
    pub leads_updated: i64,
    /// Submissions without a lead by decision; ignored test leads are not among them.
    pub match_failed: i64,
    /// Submissions that could not be processed.
    pub processing_failed: i64,
    /// When an account was last pulled to its end.
    pub last_synchronization_at: Option<DateTime<Utc>>,
    /// Sync runs by outcome.
    pub runs: RunTotals,
}

/// Sync runs by outcome.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RunTotals {
    /// Ended well.
    pub succeeded: i64,
    /// Ended otherwise: failed, partly failed or abandoned.
    pub failed: i64,
    /// At work now.
    pub running: i64,
}

/// Counts everything. Cost: index scans, no table scan of submissions.
///
/// # Errors
/// As any query.
pub fn aggregate(conn: &mut AnyConn) -> Result<StatusTotals, StoreError> {
    let all_submissions: i64 = form_submissions::table.count().get_result(conn)?;
    // Written as constants, so that the partial indexes serve.
    let test_submissions: i64 = form_submissions::table
        .filter(sql::<Bool>("is_test"))
        .count()
        .get_result(conn)?;
    let processing_failed: i64 = form_submissions::table
        .filter(sql::<Bool>("processing_state = 'processing_failed'"))
        .count()
        .get_result(conn)?;
    let last: Option<NaiveDateTime> = linkedin_accounts::table
        .select(max(linkedin_accounts::last_synchronized_at))
        .get_result(conn)?;
    Ok(StatusTotals {
        profiles: linkedin_user_profiles::table.count().get_result(conn)?,
        accounts: linkedin_accounts::table.count().get_result(conn)?,
        forms: lead_forms::table.count().get_result(conn)?,
        submissions: all_submissions - test_submissions,
        test_submissions,
        leads: leads::table.count().get_result(conn)?,
        leads_created: count_status(conn, "new_lead_created")?,
        leads_updated: count_status(conn, "updated_existing_lead")?,
        match_failed: form_submissions::table
            .filter(form_submissions::matching_status.eq("match_failed"))
            .filter(
                form_submissions::reason
                    .is_null()
                    .or(form_submissions::reason.ne("test_lead_ignored")),
            )
            .count()
            .get_result(conn)?,
        processing_failed,
        last_synchronization_at: last.map(|at| at.and_utc()),
        runs: run_totals(conn)?,
    })
}

fn count_status(conn: &mut AnyConn, status: &str) -> Result<i64, StoreError> {
    Ok(form_submissions::table
        .filter(form_submissions::matching_status.eq(status))
        .count()
        .get_result(conn)?)
}

fn run_totals(conn: &mut AnyConn) -> Result<RunTotals, StoreError> {
    let counts: Vec<(String, i64)> = sync_runs::table
        .group_by(sync_runs::status)
        .select((sync_runs::status, count_star()))
        .load(conn)?;
    let mut totals = RunTotals::default();
    for (status, count) in counts {
        match status.as_str() {
            "succeeded" => totals.succeeded += count,
            "running" => totals.running += count,
            _ => totals.failed += count,
        }
    }
    Ok(totals)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_in_json_are_those_that_scripts_rely_on() {
        let json = serde_json::to_string(&StatusTotals::default()).unwrap();
        assert_eq!(
            json,
            r#"{"profiles":0,"accounts":0,"forms":0,"submissions":0,"test_submissions":0,"leads":0,"leads_created":0,"leads_updated":0,"match_failed":0,"processing_failed":0,"last_synchronization_at":null,"runs":{"succeeded":0,"failed":0,"running":0}}"#
        );
    }
}
