//! What each run of the sync has done: counted in its row as it goes.

use diesel::prelude::*;

use super::schema::sync_runs;
use super::{AnyConn, StoreError};
use crate::domain::ids::RunId;

/// What one run has done so far; added to the run's row as it goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct RunCounts {
    /// Pages fetched.
    pub pages: i64,
    /// Responses on them.
    pub responses: i64,
    /// Submissions stored for the first time.
    pub submissions_new: i64,
    /// Responses that were known and unchanged.
    pub submissions_known: i64,
    /// Leads created.
    pub leads_created: i64,
    /// Leads updated.
    pub leads_updated: i64,
    /// Submissions that ended as Match failed.
    pub match_failed: i64,
    /// Submissions that ended as Processing Failed.
    pub processing_failed: i64,
}

impl std::ops::AddAssign for RunCounts {
    fn add_assign(&mut self, other: Self) {
        self.pages += other.pages;
        self.responses += other.responses;
        self.submissions_new += other.submissions_new;
        self.submissions_known += other.submissions_known;
        self.leads_created += other.leads_created;
        self.leads_updated += other.leads_updated;
        self.match_failed += other.match_failed;
        self.processing_failed += other.processing_failed;
    }
}

/// Adds to the counts of a run.
///
/// # Errors
/// As any query.
pub fn add(conn: &mut AnyConn, run: &RunId, counts: RunCounts) -> Result<(), StoreError> {
    use sync_runs as r;
    diesel::update(r::table.filter(r::id.eq(run.as_str())))
        .set((
            r::pages.eq(r::pages + counts.pages),
            r::responses.eq(r::responses + counts.responses),
            r::submissions_new.eq(r::submissions_new + counts.submissions_new),
            r::submissions_known.eq(r::submissions_known + counts.submissions_known),
            r::leads_created.eq(r::leads_created + counts.leads_created),
            r::leads_updated.eq(r::leads_updated + counts.leads_updated),
            r::match_failed.eq(r::match_failed + counts.match_failed),
            r::processing_failed.eq(r::processing_failed + counts.processing_failed),
        ))
        .execute(conn)?;
    Ok(())
}

/// What these runs did together.
///
/// # Errors
/// As any query.
pub fn of(conn: &mut AnyConn, runs: &[RunId]) -> Result<RunCounts, StoreError> {
    use sync_runs as r;
    type Row = (i64, i64, i64, i64, i64, i64, i64, i64);
    let mut total = RunCounts::default();
    for chunk in runs.chunks(1_000) {
        let rows: Vec<Row> = r::table
            .filter(r::id.eq_any(chunk.iter().map(RunId::as_str)))
            .select((
                r::pages,
                r::responses,
                r::submissions_new,
                r::submissions_known,
                r::leads_created,
                r::leads_updated,
                r::match_failed,
                r::processing_failed,
            ))
            .load(conn)?;
        for (pages, responses, new, known, created, updated, match_failed, failed) in rows {
            total += RunCounts {
                pages,
                responses,
                submissions_new: new,
                submissions_known: known,
                leads_created: created,
                leads_updated: updated,
                match_failed,
                processing_failed: failed,
            };
        }
    }
    Ok(total)
}
