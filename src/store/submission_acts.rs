//! What people do with form submissions: choosing them, one or all that match a filter, ignoring with a reason, and the
//! acts that their timelines show. Set-based: a constant number of statements whatever the number of submissions.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Bool;
use serde::{Deserialize, Serialize};

use super::columns::Cells;
use super::report_facts;
use super::schema::{
    form_submissions as submissions, leads, linkedin_accounts, submission_acts as acts,
    submission_contents, users,
};
use super::search::{self, Among, Found};
use super::submissions::{SubmissionFilter, UNSETTLED, filtered};
use super::{AnyConn, StoreError};
use crate::domain::account::LeadType;
use crate::domain::ids::{AccountId, LeadId, SubmissionId, UserId};
use crate::domain::submission::{ActKind, MatchingStatus, ProcessingState, SubmissionView};
use crate::each;

/// The most submissions that one act touches at once.
pub const MOST_AT_ONCE: i64 = 1_000;

/// Which submissions an act is for.
#[derive(Debug, Clone)]
pub enum Which {
    /// These.
    Chosen(Vec<SubmissionId>),
    /// All that pass the filter and were last decided before this time, so that none is taken twice.
    Matching(Box<SubmissionFilter>, DateTime<Utc>),
}

/// What the submissions must be for an act to touch them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Eligible {
    /// Failed or without a lead, and not set aside.
    Unsettled,
    /// The same, and without a lead at all.
    WithoutLead,
    /// Set aside.
    Ignored,
}

/// Adds what an act asks for to a boxed query on `form_submissions`.
macro_rules! eligible {
    ($query:ident, $which:expr, $found:expr, $eligible:expr) => {
        match $which {
            Which::Chosen(ids) => {
                $query = $query.filter(
                    submissions::id.eq_any(
                        ids.iter()
                            .map(|id| id.as_str().to_owned())
                            .collect::<Vec<_>>(),
                    ),
                );
            }
            Which::Matching(filter, before) => {
                let filter = filter.as_ref();
                filtered!($query, filter, $found);
                $query = $query.filter(
                    submissions::processed_at
                        .is_null()
                        .or(submissions::processed_at.lt(before.naive_utc())),
                );
            }
        }
        match $eligible {
            Eligible::Ignored => $query = $query.filter(submissions::ignored_at.is_not_null()),
            Eligible::Unsettled | Eligible::WithoutLead => {
                $query = $query.filter(sql::<Bool>(UNSETTLED)).filter(
                    submissions::reason
                        .is_null()
                        .or(submissions::reason.ne("deleted_by_member")),
                );
            }
        }
        if $eligible == Eligible::WithoutLead {
            $query = $query.filter(submissions::lead_id.is_null());
        }
    };
}

/// What the words of the filter come to.
fn found(conn: &mut AnyConn, which: &Which) -> Result<Found, StoreError> {
    match which {
        Which::Chosen(_) => Ok(Found::Everything),
        Which::Matching(filter, _) => {
            search::find(conn, Among::Submissions, filter.search.as_deref())
        }
    }
}

/// How many submissions an act would touch.
///
/// # Errors
/// As any query.
pub fn how_many(
    conn: &mut AnyConn,
    which: &Which,
    eligibility: Eligible,
) -> Result<i64, StoreError> {
    let found = found(conn, which)?;
    let mut query = submissions::table
        .select(diesel::dsl::count_star())
        .into_boxed();
    eligible!(query, which, &found, eligibility);
    Ok(query.first(conn)?)
}

/// A submission on which somebody acts.
#[derive(Debug, Clone)]
pub struct Taken {
    /// Its identifier.
    pub id: SubmissionId,
    /// Its account with its name.
    pub account: (AccountId, String),
    /// LinkedIn's type.
    pub lead_type: LeadType,
    /// Whether it is a test lead.
    pub is_test: bool,
    /// When it was submitted.
    pub submitted_at: DateTime<Utc>,
    /// What LinkedIn sent; empty when it was erased.
    pub raw: Vec<u8>,
}

/// The submissions that an act touches, oldest first, at most [`MOST_AT_ONCE`]. Call it under `store::lock_leads`.
///
/// # Errors
/// As any query.
pub fn take(
    conn: &mut AnyConn,
    which: &Which,
    eligibility: Eligible,
) -> Result<Vec<Taken>, StoreError> {
    type Row = (String, String, String, String, bool, NaiveDateTime, Vec<u8>);
    let found = found(conn, which)?;
    let mut query = submissions::table
        .inner_join(linkedin_accounts::table)
        .inner_join(submission_contents::table)
        .select((
            submissions::id,
            submissions::account_id,
            linkedin_accounts::name,
            submissions::lead_type,
            submissions::is_test,
            submissions::submitted_at,
            submission_contents::raw,
        ))
        .order((submissions::submitted_at.asc(), submissions::id.asc()))
        .limit(MOST_AT_ONCE)
        .into_boxed();
    eligible!(query, which, &found, eligibility);
    let rows: Vec<Row> = query.load(conn)?;
    rows.into_iter()
        .map(
            |(id, account, name, lead_type, is_test, submitted_at, raw)| {
                let cells = Cells {
                    table: "form_submissions",
                    id: &id,
                };
                Ok(Taken {
                    account: (cells.word("account_id", &account)?, name),
                    lead_type: cells.word("lead_type", &lead_type)?,
                    id: cells.word("id", &id)?,
                    is_test,
                    submitted_at: submitted_at.and_utc(),
                    raw,
                })
            },
        )
        .collect()
}

/// The identifiers alone of what [`take`] answers.
///
/// # Errors
/// As any query.
pub fn take_ids(
    conn: &mut AnyConn,
    which: &Which,
    eligibility: Eligible,
) -> Result<Vec<SubmissionId>, StoreError> {
    let found = found(conn, which)?;
    let mut query = submissions::table
        .select(submissions::id)
        .order((submissions::submitted_at.asc(), submissions::id.asc()))
        .limit(MOST_AT_ONCE)
        .into_boxed();
    eligible!(query, which, &found, eligibility);
    let rows: Vec<String> = query.load(conn)?;
    rows.iter()
        .map(|id| super::columns::id("form_submissions", id))
        .collect()
}

/// Puts submissions back to be decided; the tries that the sync makes by itself begin anew.
///
/// # Errors
/// As any query.
pub fn reopen(conn: &mut AnyConn, ids: &[SubmissionId]) -> Result<(), StoreError> {
    diesel::update(
        submissions::table.filter(submissions::id.eq_any(ids.iter().map(SubmissionId::as_str))),
    )
    .set((
        submissions::matching_status.eq(MatchingStatus::PendingLeadMatching.as_str()),
        submissions::processing_state.eq(ProcessingState::Unprocessed.as_str()),
        submissions::reason.eq(None::<String>),
        submissions::reason_detail.eq(None::<String>),
        submissions::attempts.eq(0),
    ))
    .execute(conn)?;
    Ok(())
}

/// Sets submissions aside; their matching status stays.
///
/// # Errors
/// As any query.
pub fn ignore(
    conn: &mut AnyConn,
    ids: &[SubmissionId],
    by: &UserId,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    diesel::update(
        submissions::table.filter(submissions::id.eq_any(ids.iter().map(SubmissionId::as_str))),
    )
    .set((
        submissions::ignored_at.eq(Some(now.naive_utc())),
        submissions::ignored_by.eq(Some(by.as_str())),
        submissions::ignored_reason.eq(Some(reason)),
    ))
    .execute(conn)?;
    report_facts::ask(conn, ids)
}

/// Takes submissions up again that were set aside.
///
/// # Errors
/// As any query.
pub fn bring_back(conn: &mut AnyConn, ids: &[SubmissionId]) -> Result<(), StoreError> {
    diesel::update(
        submissions::table.filter(submissions::id.eq_any(ids.iter().map(SubmissionId::as_str))),
    )
    .set((
        submissions::ignored_at.eq(None::<NaiveDateTime>),
        submissions::ignored_by.eq(None::<String>),
        submissions::ignored_reason.eq(None::<String>),
    ))
    .execute(conn)?;
    report_facts::ask(conn, ids)
}

/// How a submission stood before an act: what undoing brings back. Holds no answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stood {
    /// Its matching status.
    pub matching_status: MatchingStatus,
    /// Its processing state.
    pub processing_state: ProcessingState,
    /// Why.
    pub reason: Option<String>,
    /// More about why.
    pub reason_detail: Option<String>,
    /// Values left out.
    pub flag_count: i64,
    /// Tries.
    pub attempts: i64,
    /// When it was decided.
    pub processed_at: Option<NaiveDateTime>,
    /// The record of the decision.
    pub decision: Option<String>,
}

/// How these submissions stand.
///
/// # Errors
/// As any query.
pub fn stand(
    conn: &mut AnyConn,
    ids: &[SubmissionId],
) -> Result<HashMap<SubmissionId, Stood>, StoreError> {
    type Row = (
        String,
        String,
        String,
        Option<String>,
        Option<String>,
        i64,
        i64,
        Option<NaiveDateTime>,
        Option<String>,
    );
    let rows: Vec<Row> = submissions::table
        .inner_join(submission_contents::table)
        .filter(submissions::id.eq_any(ids.iter().map(SubmissionId::as_str)))
        .select((
            submissions::id,
            submissions::matching_status,
            submissions::processing_state,
            submissions::reason,
            submissions::reason_detail,
            submissions::flag_count,
            submissions::attempts,
            submissions::processed_at,
            submission_contents::decision,
        ))
        .load(conn)?;
    rows.into_iter()
        .map(
            |(
                id,
                status,
                state,
                reason,
                reason_detail,
                flag_count,
                attempts,
                processed_at,
                decision,
            )| {
                let cells = Cells {
                    table: "form_submissions",
                    id: &id,
                };
                let stood = Stood {
                    matching_status: cells.word("matching_status", &status)?,
                    processing_state: cells.word("processing_state", &state)?,
                    reason,
                    reason_detail,
                    flag_count,
                    attempts,
                    processed_at,
                    decision,
                };
                Ok((cells.word("id", &id)?, stood))
            },
        )
        .collect()
}

/// Puts a submission back to how it stood, without a lead.
///
/// # Errors
/// As any query.
pub(super) fn put_back(
    conn: &mut AnyConn,
    id: &SubmissionId,
    stood: &Stood,
) -> Result<(), StoreError> {
    diesel::update(submissions::table.find(id.as_str()))
        .set((
            submissions::matching_status.eq(stood.matching_status.as_str()),
            submissions::processing_state.eq(stood.processing_state.as_str()),
            submissions::reason.eq(stood.reason.as_deref()),
            submissions::reason_detail.eq(stood.reason_detail.as_deref()),
            submissions::flag_count.eq(stood.flag_count),
            submissions::attempts.eq(stood.attempts),
            submissions::processed_at.eq(stood.processed_at),
            submissions::lead_id.eq(None::<String>),
        ))
        .execute(conn)?;
    diesel::update(submission_contents::table.find(id.as_str()))
        .set(submission_contents::decision.eq(stood.decision.as_deref()))
        .execute(conn)?;
    Ok(())
}

/// What became of a submission: its status, and its lead with the lead's lock version.
pub type Became = (MatchingStatus, Option<(LeadId, i64)>);

/// What became of these submissions.
///
/// # Errors
/// As any query.
pub fn became(
    conn: &mut AnyConn,
    ids: &[SubmissionId],
) -> Result<HashMap<SubmissionId, Became>, StoreError> {
    let rows: Vec<(String, String, Option<String>, Option<i64>)> = submissions::table
        .left_join(leads::table)
        .filter(submissions::id.eq_any(ids.iter().map(SubmissionId::as_str)))
        .select((
            submissions::id,
            submissions::matching_status,
            submissions::lead_id,
            leads::lock_version.nullable(),
        ))
        .load(conn)?;
    rows.into_iter()
        .map(|(id, status, lead, version)| {
            let cells = Cells {
                table: "form_submissions",
                id: &id,
            };
            let lead: Option<LeadId> = cells.optional("lead_id", lead.as_deref())?;
            Ok((
                cells.word("id", &id)?,
                (cells.word("matching_status", &status)?, lead.zip(version)),
            ))
        })
        .collect()
}

/// An act that is to be noted.
#[derive(Debug, Clone, Insertable)]
#[diesel(table_name = acts, treat_none_as_default_value = false)]
pub struct NewAct {
    /// Its identifier.
    pub id: String,
    /// The submission.
    pub submission_id: String,
    /// The person who acted, or the token of the program.
    pub user_id: String,
    /// The name under which a program acted.
    pub actor_name: Option<String>,
    /// A word of [`ActKind`].
    pub kind: &'static str,
    /// Why, where somebody said so.
    pub reason: Option<String>,
    /// The lead that it was linked to or turned into.
    pub lead_id: Option<String>,
    /// The lead's lock version right after the act.
    pub lead_lock_version: Option<i64>,
    /// What undoing brings back, as JSON.
    pub before_state: Option<String>,
    /// When.
    pub created_at: NaiveDateTime,
    /// When it was undone.
    pub undone_at: Option<NaiveDateTime>,
}

/// Notes acts.
///
/// # Errors
/// As any query.
pub fn note(conn: &mut AnyConn, noted: &[NewAct]) -> Result<(), StoreError> {
    for chunk in noted.chunks(1_000) {
        each!(conn, |c| diesel::insert_into(acts::table)
            .values(chunk)
            .execute(c))?;
    }
    Ok(())
}

/// An act of a person.
#[derive(Debug, Clone)]
pub struct Act {
    /// Its identifier.
    pub id: String,
    /// The submission.
    pub submission_id: SubmissionId,
    /// What was done.
    pub kind: ActKind,
    /// Who did it, a person or a program; `None` for somebody no longer known.
    pub user_name: Option<String>,
    /// Why, where somebody said so.
    pub reason: Option<String>,
    /// The lead that it was linked to or turned into, with its lock version right after the act.
    pub lead: Option<(LeadId, i64)>,
    /// What undoing brings back.
    pub(super) before_state: Option<String>,
    /// When.
    pub created_at: DateTime<Utc>,
    /// When it was undone.
    pub undone_at: Option<DateTime<Utc>>,
}

/// The acts on a submission, newest first, at most 200.
///
/// # Errors
/// As any query.
pub fn of_submission(conn: &mut AnyConn, id: &SubmissionId) -> Result<Vec<Act>, StoreError> {
    type Row = (
        String,
        String,
        String,
        Option<String>,
        Option<String>,
        Option<String>,
        Option<i64>,
        Option<String>,
        NaiveDateTime,
        Option<NaiveDateTime>,
        Option<String>,
    );
    let rows: Vec<Row> = acts::table
        .left_join(users::table.on(users::id.eq(acts::user_id)))
        .filter(acts::submission_id.eq(id.as_str()))
        .order((acts::created_at.desc(), acts::id.desc()))
        .select((
            acts::id,
            acts::submission_id,
            acts::kind,
            users::name.nullable(),
            acts::reason,
            acts::lead_id,
            acts::lead_lock_version,
            acts::before_state,
            acts::created_at,
            acts::undone_at,
            acts::actor_name,
        ))
        .limit(200)
        .load(conn)?;
    rows.into_iter()
        .map(
            |(
                id,
                submission,
                kind,
                user_name,
                reason,
                lead,
                version,
                before_state,
                at,
                undone,
                actor_name,
            )| {
                let cells = Cells {
                    table: "submission_acts",
                    id: &id,
                };
                let lead: Option<LeadId> = cells.optional("lead_id", lead.as_deref())?;
                Ok(Act {
                    submission_id: cells.word("submission_id", &submission)?,
                    kind: cells.word("kind", &kind)?,
                    lead: lead.zip(version),
                    id,
                    user_name: user_name.or(actor_name),
                    reason,
                    before_state,
                    created_at: at.and_utc(),
                    undone_at: undone.map(|at| at.and_utc()),
                })
            },
        )
        .collect()
}

/// Notes that an act was undone.
///
/// # Errors
/// As any query.
pub(super) fn set_undone(
    conn: &mut AnyConn,
    act: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    diesel::update(acts::table.find(act))
        .set(acts::undone_at.eq(Some(now.naive_utc())))
        .execute(conn)?;
    Ok(())
}
