//! The end of a submission that its member deleted: its answers, what of the lead came only from it, and every copy of
//! either that the portal keeps for undoing and explaining. What stays is the fact: the response id and when.
//!
//! The row of `lead_notifications` is the tombstone: the intake takes nothing in under that response id any more.

mod traces;

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;
use serde_json::json;

use super::leads::JournalChange;
use super::schema::{
    form_submissions as s, integration_settings, lead_changes, lead_merges,
    lead_notifications as n, submission_acts, submission_contents,
};
use super::{
    AnyConn, StoreError, audit, columns, connector_records, lead_edits, lead_merges as merges,
    lead_rows, lock_leads, match_aliases, report_facts,
};
use crate::domain::ids::{LeadId, SubmissionId};
use crate::domain::lead::{FieldKey, FieldOrigin, Lead, Origin};
use crate::domain::notification::{MemberDeletion, NotificationAction};
use crate::domain::search::words_of;
use crate::domain::submission::{
    MatchingStatus, ProcessingState, SubmissionReason, SubmissionStamp,
};
use crate::each;

use traces::Gone;

/// Those of these responses that their members deleted.
///
/// # Errors
/// As any query.
pub fn among(conn: &mut AnyConn, response_ids: &[&str]) -> Result<BTreeSet<String>, StoreError> {
    let mut found = BTreeSet::new();
    for chunk in response_ids.chunks(1_000) {
        let rows: Vec<String> = n::table
            .filter(n::action.eq(NotificationAction::Deleted.as_str()))
            .filter(n::response_id.eq_any(chunk))
            .select(n::response_id)
            .load(conn)?;
        found.extend(rows);
    }
    Ok(found)
}

/// Whether a deletion waits: a read that spares the write lock when none does.
///
/// # Errors
/// As any query.
pub fn is_any_due(conn: &mut AnyConn) -> Result<bool, StoreError> {
    let waiting: i64 = n::table
        .filter(diesel::dsl::sql::<diesel::sql_types::Bool>(
            "lead_notifications.action = 'deleted'",
        ))
        .filter(n::handled_at.is_null())
        .count()
        .get_result(conn)?;
    Ok(waiting > 0)
}

/// Carries out the deletion that waits longest; `false` when none does. `new_id` identifies entries of journals.
///
/// # Errors
/// As any query.
pub fn carry_out_one(
    conn: &mut AnyConn,
    now: DateTime<Utc>,
    new_id: impl Fn() -> String,
) -> Result<bool, StoreError> {
    // The intake decides under the same lock: what it took in before is found here, and afterwards it takes in nothing.
    lock_leads(conn)?;
    let due: Option<(String, String, NaiveDateTime)> = n::table
        .filter(n::action.eq(NotificationAction::Deleted.as_str()))
        .filter(n::handled_at.is_null())
        .order((n::received_at.asc(), n::id.asc()))
        .select((n::id, n::response_id, n::occurred_at))
        .first(conn)
        .optional()?;
    let Some((id, response_id, occurred_at)) = due else {
        return Ok(false);
    };
    let uploaded = connector_records::erase_responses(conn, &[&response_id])?;
    let submission: Option<String> = s::table
        .filter(s::response_id.eq(&response_id))
        .filter(
            s::reason
                .is_null()
                .or(s::reason.ne(SubmissionReason::DeletedByMember.as_str())),
        )
        .select(s::id)
        .first(conn)
        .optional()?;
    if let Some(submission) = submission {
        let submission: SubmissionId = columns::id("form_submissions", &submission)?;
        let policy = policy(conn)?;
        let erased = match policy {
            MemberDeletion::Erase => erase_from_leads(conn, &submission, now, &new_id)?,
            MemberDeletion::Keep => Vec::new(),
        };
        erase_submission(conn, &submission)?;
        report_facts::ask(conn, std::slice::from_ref(&submission))?;
        audit::record(
            conn,
            now,
            &audit::Actor::s2s_inbound(),
            "form_submission.deleted_by_member",
            ("form_submission", submission.as_str(), &response_id),
            None,
            Some(json!({
                "deleted_at_linkedin": occurred_at.and_utc().to_rfc3339(),
                "policy": policy.as_str(),
                "lead_fields_erased": erased,
                "uploaded_records_erased": uploaded,
            })),
        )?;
    } else if uploaded > 0 {
        audit::record(
            conn,
            now,
            &audit::Actor::s2s_inbound(),
            "microsoft_connector.deleted_by_member",
            ("microsoft_connector", "records", &response_id),
            None,
            Some(json!({
                "deleted_at_linkedin": occurred_at.and_utc().to_rfc3339(),
                "uploaded_records_erased": uploaded,
            })),
        )?;
    }
    diesel::update(n::table.find(&id))
        .set(n::handled_at.eq(now.naive_utc()))
        .execute(conn)?;
    Ok(true)
}

/// What the organisation decided.
fn policy(conn: &mut AnyConn) -> Result<MemberDeletion, StoreError> {
    let word: String = integration_settings::table
        .select(integration_settings::member_deletion)
        .first(conn)?;
    columns::Cells {
        table: "integration_settings",
        id: "1",
    }
    .word("member_deletion", &word)
}

/// Empties the submission and all that explains it. It keeps its place in lists, its form and its times.
fn erase_submission(conn: &mut AnyConn, id: &SubmissionId) -> Result<(), StoreError> {
    diesel::update(
        s::table
            .find(id.as_str())
            .filter(s::processing_state.eq(ProcessingState::Unprocessed.as_str())),
    )
    .set((
        s::processing_state.eq(ProcessingState::ProcessingSucceeded.as_str()),
        s::matching_status.eq(MatchingStatus::MatchFailed.as_str()),
    ))
    .execute(conn)?;
    diesel::update(s::table.find(id.as_str()))
        .set((
            s::name.eq(""),
            s::submitter_urn.eq(None::<String>),
            s::reason.eq(SubmissionReason::DeletedByMember.as_str()),
            s::reason_detail.eq(None::<String>),
            s::ignored_reason.eq(None::<String>),
            s::flag_count.eq(0_i64),
            s::content_hash.eq(Vec::<u8>::new()),
            s::search_words.eq(Some(words_of(""))),
        ))
        .execute(conn)?;
    diesel::update(submission_contents::table.find(id.as_str()))
        .set((
            submission_contents::raw.eq(Vec::<u8>::new()),
            submission_contents::decision.eq(None::<String>),
        ))
        .execute(conn)?;
    // What people wrote about it may name the member, and what undoing brings back does.
    diesel::update(submission_acts::table.filter(submission_acts::submission_id.eq(id.as_str())))
        .set((
            submission_acts::reason.eq(None::<String>),
            submission_acts::before_state.eq(None::<String>),
        ))
        .execute(conn)?;
    Ok(())
}

/// The lead of the submission and all that it was merged with, in either direction, and the leads whose journal names it.
fn leads_around(conn: &mut AnyConn, id: &SubmissionId) -> Result<BTreeSet<String>, StoreError> {
    let own: Option<Option<String>> = s::table
        .find(id.as_str())
        .select(s::lead_id)
        .first(conn)
        .optional()?;
    let mut found: BTreeSet<String> = lead_changes::table
        .filter(lead_changes::submission_id.eq(id.as_str()))
        .select(lead_changes::lead_id)
        .load::<String>(conn)?
        .into_iter()
        .chain(own.flatten())
        .collect();
    let mut frontier: Vec<String> = found.iter().cloned().collect();
    while !frontier.is_empty() {
        let edges: Vec<(String, String)> = lead_merges::table
            .filter(
                lead_merges::survivor_id
                    .eq_any(&frontier)
                    .or(lead_merges::merged_id.eq_any(&frontier)),
            )
            .select((lead_merges::survivor_id, lead_merges::merged_id))
            .load(conn)?;
        frontier = edges
            .into_iter()
            .flat_map(|(one, other)| [one, other])
            .filter(|lead| found.insert(lead.clone()))
            .collect();
    }
    Ok(found)
}

/// Who stands in the journal for what an erasure changed.
const ERASED_BY: &str = "Deleted by the member";

/// One entry of a journal, as far as erasing needs it.
struct Entry {
    submission: Option<String>,
    is_import: bool,
    /// Carrying values over from another lead says nothing about where they came from.
    is_merge: bool,
    changes: Vec<JournalChange>,
}

/// The journals of these leads, the oldest entry first.
fn journals(conn: &mut AnyConn, leads: &BTreeSet<String>) -> Result<Vec<Entry>, StoreError> {
    type Row = (String, Option<String>, Option<String>, String);
    let rows: Vec<Row> = lead_changes::table
        .filter(lead_changes::lead_id.eq_any(leads))
        // What an erasure put back is no gift of its own.
        .filter(
            lead_changes::actor_name
                .is_null()
                .or(lead_changes::actor_name.ne(ERASED_BY)),
        )
        .order((lead_changes::created_at.asc(), lead_changes::id.asc()))
        .select((
            lead_changes::id,
            lead_changes::submission_id,
            lead_changes::import_id,
            lead_changes::changes,
        ))
        .load(conn)?;
    rows.into_iter()
        .map(|(id, submission, import, changes)| {
            let changes: Vec<JournalChange> = columns::Cells {
                table: "lead_changes",
                id: &id,
            }
            .json("changes", &changes)?;
            Ok(Entry {
                submission,
                is_import: import.is_some(),
                is_merge: changes.iter().any(|one| one.field == merges::JOURNAL_WORD),
                changes,
            })
        })
        .collect()
}

/// Takes from the leads what came only from this submission, and from every record of their past; answers the fields.
fn erase_from_leads(
    conn: &mut AnyConn,
    id: &SubmissionId,
    now: DateTime<Utc>,
    new_id: &impl Fn() -> String,
) -> Result<Vec<String>, StoreError> {
    let around = leads_around(conn, id)?;
    if around.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<LeadId> = around
        .iter()
        .map(|id| columns::id("leads", id))
        .collect::<Result<_, _>>()?;
    let entries = journals(conn, &around)?;
    let living = lead_rows::load(conn, &ids)?;
    let mut gone = Gone::default();
    for entry in &entries {
        if entry.submission.as_deref() == Some(id.as_str()) {
            for change in &entry.changes {
                gone.add(&change.field, change.after.as_deref());
            }
        }
    }
    for lead in &living {
        for field in lead.provenance.fields_of(id) {
            let value = lead.values.get(field).map(String::as_str);
            gone.add(&field.word(), value);
        }
    }
    // What somebody else wrote as well did not come only from it.
    let others = || {
        entries
            .iter()
            .filter(|entry| entry.submission.as_deref() != Some(id.as_str()) && !entry.is_merge)
    };
    for change in others().flat_map(|entry| &entry.changes) {
        gone.spare(&change.field, change.after.as_deref());
    }
    let (name, urn): (String, Option<String>) = s::table
        .find(id.as_str())
        .select((s::name, s::submitter_urn))
        .first(conn)?;
    gone.add_name(&name);
    let mut erased = BTreeSet::new();
    let mut changed: Vec<(Lead, Vec<JournalChange>)> = Vec::new();
    for mut lead in living {
        let named = lead.display_name();
        let fields: Vec<FieldKey> = lead.provenance.fields_of(id).cloned().collect();
        let mut noted = Vec::new();
        for field in fields {
            let before = lead.values.get(&field).cloned();
            restore(conn, &mut lead, &field, others())?;
            if lead.values.get(&field) != before.as_ref() {
                erased.insert(field.word().into_owned());
                noted.push(JournalChange {
                    field: field.word().into_owned(),
                    before: None,
                    after: lead.values.get(&field).cloned(),
                });
            }
        }
        if lead.display_name() != named {
            gone.add_name(&named);
        }
        if urn.is_some() && lead.member_urn == urn && !is_given_by_another(conn, id, &urn)? {
            lead.member_urn = None;
        }
        changed.push((lead, noted));
    }
    traces::erase(conn, &ids, id, urn.as_deref(), &mut gone)?;
    for (mut lead, noted) in changed {
        lead.updated_at = now;
        lead.lock_version += 1;
        lead_rows::save(conn, &[&lead])?;
        lead_edits::rekey(conn, &lead)?;
        match_aliases::settle(conn, &lead.id)?;
        if !noted.is_empty() {
            note(conn, &lead.id, id, &noted, new_id(), now)?;
        }
    }
    Ok(erased.into_iter().collect())
}

/// Gives a field back what was written last by somebody else, or empties it.
fn restore<'a>(
    conn: &mut AnyConn,
    lead: &mut Lead,
    field: &FieldKey,
    others: impl Iterator<Item = &'a Entry>,
) -> Result<(), StoreError> {
    let word = field.word();
    let last = others
        .filter_map(|entry| {
            let change = entry.changes.iter().find(|change| change.field == word)?;
            Some((entry, change.after.clone()))
        })
        .last();
    let origin = match &last {
        Some((entry, Some(_))) => match &entry.submission {
            Some(other) => stamp(conn, other)?.map(|stamp| FieldOrigin::submission(&stamp)),
            None if entry.is_import => Some(FieldOrigin::outside(Origin::Import)),
            None => Some(FieldOrigin::outside(Origin::Person)),
        },
        _ => None,
    };
    match (last.and_then(|(_, value)| value), origin) {
        (Some(value), Some(origin)) => {
            lead.values.insert(field.clone(), value);
            lead.provenance.insert(field.clone(), origin);
        }
        _ => {
            lead.values.remove(field);
            lead.provenance.remove(field);
        }
    }
    Ok(())
}

/// What orders a submission among others; `None` when it was deleted by its member, too.
fn stamp(conn: &mut AnyConn, id: &str) -> Result<Option<SubmissionStamp>, StoreError> {
    let row: Option<(String, NaiveDateTime)> = s::table
        .find(id)
        .filter(
            s::reason
                .is_null()
                .or(s::reason.ne(SubmissionReason::DeletedByMember.as_str())),
        )
        .select((s::response_id, s::submitted_at))
        .first(conn)
        .optional()?;
    row.map(|(response_id, at)| {
        Ok(SubmissionStamp {
            id: columns::id("form_submissions", id)?,
            response_id,
            submitted_at: at.and_utc(),
        })
    })
    .transpose()
}

/// Whether another submission is by the same member.
fn is_given_by_another(
    conn: &mut AnyConn,
    id: &SubmissionId,
    urn: &Option<String>,
) -> Result<bool, StoreError> {
    let leads = s::table
        .find(id.as_str())
        .select(s::lead_id)
        .first::<Option<String>>(conn)?;
    let others: i64 = s::table
        .filter(s::lead_id.eq(leads))
        .filter(s::submitter_urn.eq(urn))
        .filter(s::id.ne(id.as_str()))
        .count()
        .get_result(conn)?;
    Ok(others > 0)
}

/// Notes in the journal which fields lost their value; not which value.
fn note(
    conn: &mut AnyConn,
    lead: &LeadId,
    submission: &SubmissionId,
    changes: &[JournalChange],
    id: String,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let row = (
        lead_changes::id.eq(id),
        lead_changes::lead_id.eq(lead.as_str()),
        lead_changes::submission_id.eq(submission.as_str()),
        lead_changes::kind.eq("edited"),
        lead_changes::changes.eq(serde_json::to_string(changes).unwrap_or_default()),
        lead_changes::created_at.eq(now.naive_utc()),
        lead_changes::actor_name.eq(ERASED_BY),
    );
    each!(conn, |c| diesel::insert_into(lead_changes::table)
        .values(row)
        .execute(c))?;
    Ok(())
}
