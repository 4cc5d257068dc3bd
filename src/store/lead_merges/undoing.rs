//! The way back from a merge: what it comes to, and the merged lead brought back.

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;

use super::{JOURNAL_WORD, LeadMerge, carry, get, note};
use crate::domain::ids::{LeadId, MergeId, UserId};
use crate::domain::lead::{FieldChange, Lead, merge};
use crate::store::leads::JournalChange;
use crate::store::schema::{
    campaigns, form_submissions, lead_forms, lead_merges, linkedin_accounts,
};
use crate::store::{
    AnyConn, StoreError, columns, deliveries, lead_edits, lead_rows, leads, lock_leads,
    match_aliases, report_facts,
};

/// What undoing a merge comes to.
#[derive(Debug, Clone)]
pub struct Undoing {
    /// The merge.
    pub merge: LeadMerge,
    /// The lead that stayed, as it is now.
    pub survivor: Lead,
    /// The values that it gets back.
    pub back: Vec<FieldChange>,
    /// The values of the merge that were changed since, and therefore stay.
    pub kept: Vec<FieldChange>,
    /// Whether nothing changed since: both leads become exactly what they were.
    pub is_exact: bool,
}

/// What undoing a merge would come to.
///
/// # Errors
/// `NotFound` when there is no such merge, or its lead went elsewhere since; `Rule` when it was taken back already.
pub fn undoing(conn: &mut AnyConn, survivor: &LeadId, id: &MergeId) -> Result<Undoing, StoreError> {
    let merge = get(conn, survivor, id)?;
    if merge.undone_at.is_some() {
        return Err(StoreError::Rule(
            "This merge was undone already.".to_owned(),
        ));
    }
    let survivor = leads::get(conn, survivor)?;
    let mut tried = survivor.clone();
    let back = merge::take_back(&mut tried, &merge.survivor_before, &merge.changes);
    let kept = merge
        .changes
        .iter()
        .filter(|change| !back.iter().any(|one| one.field == change.field))
        .cloned()
        .collect();
    Ok(Undoing {
        is_exact: survivor.lock_version == merge.survivor_version,
        merge,
        survivor,
        back,
        kept,
    })
}

/// Brings the merged lead back with all that came along and is still there, and gives the other one its values back where
/// nobody changed them since. `expected` is the lock version of that one that the person saw.
///
/// # Errors
/// As [`undoing`]; `Stale` when the lead changed meanwhile.
pub fn undo(
    conn: &mut AnyConn,
    survivor: &LeadId,
    id: &MergeId,
    expected: i64,
    by: &UserId,
    change_id: &str,
    now: DateTime<Utc>,
) -> Result<Undoing, StoreError> {
    lock_leads(conn)?;
    let undoing = undoing(conn, survivor, id)?;
    if undoing.survivor.lock_version != expected {
        return Err(StoreError::Stale("lead"));
    }
    let merge = &undoing.merge;
    let mut returned = merge.merged.clone();
    forget_what_is_gone(conn, &mut returned)?;
    let unsent = deliveries::before_ids(conn, std::slice::from_ref(&returned.id))?;
    lead_rows::save(conn, &[&returned])?;
    let submissions = carry(conn, &merge.moved, survivor, &returned.id)?;
    // Where it goes is told by its submissions, which came back after it.
    deliveries::enqueue_ids(conn, &unsent, std::slice::from_ref(&returned.id))?;
    let mut lead = undoing.survivor.clone();
    merge::take_back(&mut lead, &merge.survivor_before, &merge.changes);
    let before = &merge.survivor_before;
    lead.account_id.clone_from(&before.account_id);
    lead.form_id.clone_from(&before.form_id);
    lead.campaign_id.clone_from(&before.campaign_id);
    lead.member_urn.clone_from(&before.member_urn);
    if undoing.is_exact {
        lead.first_submission_id
            .clone_from(&before.first_submission_id);
        lead.latest_submission_id
            .clone_from(&before.latest_submission_id);
        lead.latest_submitted_at = before.latest_submitted_at;
        lead.submission_count = before.submission_count;
    } else {
        recount(conn, &mut lead, before, submissions)?;
    }
    forget_what_is_gone(conn, &mut lead)?;
    lead.updated_at = now;
    lead.lock_version += 1;
    lead_rows::save(conn, &[&lead])?;
    diesel::update(lead_merges::table.find(id.as_str()))
        .set((
            lead_merges::undone_at.eq(Some(now.naive_utc())),
            lead_merges::undone_by.eq(Some(by.as_str())),
        ))
        .execute(conn)?;
    let marker = JournalChange {
        field: JOURNAL_WORD.to_owned(),
        before: Some(merge.merged_name.clone()),
        after: None,
    };
    note(conn, survivor, marker, &undoing.back, by, change_id, now)?;
    for one in [&lead, &returned] {
        lead_edits::rekey(conn, one)?;
        match_aliases::settle(conn, &one.id)?;
    }
    report_facts::ask(conn, &merge.moved.submissions)?;
    Ok(undoing)
}

/// Something else came to the lead since the merge: its submissions are counted by what is there.
fn recount(
    conn: &mut AnyConn,
    lead: &mut Lead,
    before: &Lead,
    returned: usize,
) -> Result<(), StoreError> {
    let latest: Option<(String, NaiveDateTime)> = form_submissions::table
        .filter(form_submissions::lead_id.eq(lead.id.as_str()))
        .order((
            form_submissions::submitted_at.desc(),
            form_submissions::id.desc(),
        ))
        .select((form_submissions::id, form_submissions::submitted_at))
        .first(conn)
        .optional()?;
    let (latest_id, latest_at) = latest.unzip();
    lead.latest_submission_id = latest_id
        .map(|id| columns::id("form_submissions", &id))
        .transpose()?;
    lead.latest_submitted_at = latest_at.map(|at| at.and_utc());
    lead.first_submission_id = before
        .first_submission_id
        .clone()
        .or_else(|| lead.latest_submission_id.clone());
    lead.submission_count = lead
        .submission_count
        .saturating_sub(i64::try_from(returned).unwrap_or(i64::MAX))
        .max(0);
    Ok(())
}

/// Leaves out the account, form and campaign that were removed meanwhile.
fn forget_what_is_gone(conn: &mut AnyConn, lead: &mut Lead) -> Result<(), StoreError> {
    macro_rules! is_there {
        ($table:ident, $id:expr) => {
            match $id {
                Some(id) => diesel::select(diesel::dsl::exists($table::table.find(id.as_str())))
                    .get_result::<bool>(conn)?,
                None => true,
            }
        };
    }
    if !is_there!(linkedin_accounts, &lead.account_id) {
        lead.account_id = None;
    }
    if !is_there!(lead_forms, &lead.form_id) {
        lead.form_id = None;
    }
    if !is_there!(campaigns, &lead.campaign_id) {
        lead.campaign_id = None;
    }
    Ok(())
}
