//! The aggregated sync status: the numbers of `leadgen status`, the demo's summary and the Sync Status page.

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::dsl::{count_star, max};
use diesel::prelude::*;
use serde::Serialize;

use super::counts::counted_submissions;
use super::schema::{
    lead_forms, leads, linkedin_accounts, linkedin_user_profiles, submission_counts, sync_runs,
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

/// Counts everything. Submissions were counted as they came (`store::counts`); leads are counted over an index.
///
/// # Errors
/// As any query.
pub fn aggregate(conn: &mut AnyConn) -> Result<StatusTotals, StoreError> {
    let submissions = submission_totals(conn)?;
    let last: Option<NaiveDateTime> = linkedin_accounts::table
        .select(max(linkedin_accounts::last_synchronized_at))
        .get_result(conn)?;
    Ok(StatusTotals {
        profiles: linkedin_user_profiles::table.count().get_result(conn)?,
        accounts: linkedin_accounts::table.count().get_result(conn)?,
        forms: lead_forms::table.count().get_result(conn)?,
        submissions: submissions.of_people,
        test_submissions: submissions.tests,
        leads: leads::table.count().get_result(conn)?,
        leads_created: submissions.leads_created,
        leads_updated: submissions.leads_updated,
        match_failed: submissions.match_failed,
        processing_failed: submissions.processing_failed,
        last_synchronization_at: last.map(|at| at.and_utc()),
        runs: run_totals(conn)?,
    })
}

/// Submissions by what became of them.
#[derive(Default)]
struct SubmissionTotals {
    of_people: i64,
    tests: i64,
    leads_created: i64,
    leads_updated: i64,
    match_failed: i64,
    processing_failed: i64,
}

fn submission_totals(conn: &mut AnyConn) -> Result<SubmissionTotals, StoreError> {
    let rows: Vec<(String, String, bool, bool, i64)> = submission_counts::table
        .group_by((
            submission_counts::matching_status,
            submission_counts::processing_state,
            submission_counts::is_test,
            submission_counts::is_ignored_test,
        ))
        .select((
            submission_counts::matching_status,
            submission_counts::processing_state,
            submission_counts::is_test,
            submission_counts::is_ignored_test,
            counted_submissions(),
        ))
        .load(conn)?;
    let mut totals = SubmissionTotals::default();
    for (matching_status, processing_state, is_test, is_ignored_test, count) in rows {
        if is_test {
            totals.tests += count;
        } else {
            totals.of_people += count;
        }
        match matching_status.as_str() {
            "new_lead_created" => totals.leads_created += count,
            "updated_existing_lead" => totals.leads_updated += count,
            "match_failed" if !is_ignored_test => totals.match_failed += count,
            _ => {}
        }
        if processing_state == "processing_failed" {
            totals.processing_failed += count;
        }
    }
    Ok(totals)
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
