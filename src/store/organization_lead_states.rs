//! How the records of leads are in an organization, as they were last read or written there: what a change is measured by.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;
use diesel::upsert::excluded;
use uuid::Uuid;

use super::columns::Cells;
use super::moment::Moment;
use super::schema::{organization_lead_states as s, organization_leads as o};
use super::{AnyConn, StoreError};
use crate::domain::dynamics_status::RecordStatus;
use crate::domain::ids::{LeadId, OrganizationId, UserId};
use crate::insert_rows;
use crate::store::organization_leads::LinkState;

/// How a lead's record was when it was last read or written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeadState {
    /// The lead.
    pub lead_id: LeadId,
    /// The state there.
    pub status: RecordStatus,
    /// Whose it is there: a user or a team.
    pub owner_id: Option<Uuid>,
    /// The name of that user or team.
    pub owner_name: Option<String>,
    /// Our owner when owners were last compared.
    pub sent_owner_id: Option<UserId>,
    /// When it was changed there.
    pub modified_at: Option<DateTime<Utc>>,
    /// It was written while it was read, so it has to be looked at again.
    pub is_unsure: bool,
    /// When it was last read or written.
    pub seen_at: DateTime<Utc>,
}

type Row = (
    String,
    (i64, Option<i64>),
    Option<String>,
    Option<String>,
    Option<String>,
    Option<NaiveDateTime>,
    bool,
    NaiveDateTime,
);

macro_rules! row {
    () => {
        (
            s::lead_id,
            (s::statecode, s::statuscode),
            s::owner_id,
            s::owner_name,
            s::sent_owner_id,
            s::modified_at,
            s::is_unsure,
            s::seen_at,
        )
    };
}

fn state(row: Row) -> Result<LeadState, StoreError> {
    let (lead, (statecode, statuscode), owner, owner_name, sent_owner, modified_at, unsure, seen) =
        row;
    let cells = Cells {
        table: "organization_lead_states",
        id: &lead,
    };
    Ok(LeadState {
        lead_id: cells.word("lead_id", &lead)?,
        status: RecordStatus {
            statecode,
            statuscode,
        },
        owner_id: cells.optional("owner_id", owner.as_deref())?,
        owner_name,
        sent_owner_id: cells.optional("sent_owner_id", sent_owner.as_deref())?,
        modified_at: modified_at.map(|at| at.and_utc()),
        is_unsure: unsure,
        seen_at: seen.and_utc(),
    })
}

/// How these leads' records were last; leads of which nothing was read or written yet are left out.
///
/// # Errors
/// As any query.
pub fn load(
    conn: &mut AnyConn,
    organization: &OrganizationId,
    leads: &[LeadId],
) -> Result<HashMap<LeadId, LeadState>, StoreError> {
    let mut found = HashMap::with_capacity(leads.len());
    for chunk in leads.chunks(1_000) {
        let rows: Vec<Row> = s::table
            .filter(s::organization_id.eq(organization.as_str()))
            .filter(s::lead_id.eq_any(chunk.iter().map(LeadId::as_str)))
            .select(row!())
            .load(conn)?;
        for row in rows {
            let state = state(row)?;
            found.insert(state.lead_id.clone(), state);
        }
    }
    Ok(found)
}

/// How a lead's record was last, in every organization.
///
/// # Errors
/// As any query.
pub fn of_lead(
    conn: &mut AnyConn,
    lead: &LeadId,
) -> Result<HashMap<OrganizationId, LeadState>, StoreError> {
    let rows: Vec<(String, Row)> = s::table
        .filter(s::lead_id.eq(lead.as_str()))
        .select((s::organization_id, row!()))
        .load(conn)?;
    rows.into_iter()
        .map(|(id, row)| {
            let id = super::columns::id("organization_lead_states", &id)?;
            Ok((id, state(row)?))
        })
        .collect()
}

/// Records of an organization that have to be looked at one by one: those that were never seen, and those that were written
/// while they were read.
///
/// # Errors
/// As any query.
pub fn unseen(
    conn: &mut AnyConn,
    organization: &OrganizationId,
    limit: i64,
) -> Result<Vec<Uuid>, StoreError> {
    let rows: Vec<(String, Option<String>)> = o::table
        .left_join(
            s::table.on(s::organization_id
                .eq(o::organization_id)
                .and(s::lead_id.eq(o::lead_id))),
        )
        .filter(o::organization_id.eq(organization.as_str()))
        .filter(o::state.eq(LinkState::Linked.as_str()))
        .filter(o::record_id.is_not_null())
        .filter(s::lead_id.is_null().or(s::is_unsure.eq(true)))
        .order(o::lead_id)
        .limit(limit)
        .select((o::lead_id, o::record_id))
        .load(conn)?;
    rows.into_iter()
        .filter_map(|(lead, record)| Some((lead, record?)))
        .map(|(lead, record)| {
            let cells = Cells {
                table: "organization_leads",
                id: &lead,
            };
            cells.word("record_id", &record)
        })
        .collect()
}

#[derive(Insertable)]
#[diesel(table_name = s, treat_none_as_default_value = false)]
struct NewRow {
    organization_id: String,
    lead_id: String,
    statecode: i64,
    statuscode: Option<i64>,
    owner_id: Option<String>,
    owner_name: Option<String>,
    sent_owner_id: Option<String>,
    modified_at: Option<Moment>,
    is_unsure: bool,
    seen_at: Moment,
}

/// Keeps how leads' records are.
///
/// # Errors
/// As any query.
pub fn save(
    conn: &mut AnyConn,
    organization: &OrganizationId,
    states: &[&LeadState],
) -> Result<(), StoreError> {
    let mut known = HashSet::new();
    let rows: Vec<NewRow> = states
        .iter()
        // The last one counts: one statement cannot write a row twice.
        .rev()
        .filter(|state| known.insert(&state.lead_id))
        .map(|state| NewRow {
            organization_id: organization.as_str().to_owned(),
            lead_id: state.lead_id.as_str().to_owned(),
            statecode: state.status.statecode,
            statuscode: state.status.statuscode,
            owner_id: state.owner_id.map(|id| id.to_string()),
            owner_name: state.owner_name.clone(),
            sent_owner_id: state
                .sent_owner_id
                .as_ref()
                .map(|id| id.as_str().to_owned()),
            modified_at: state.modified_at.map(|at| Moment(at.naive_utc())),
            is_unsure: state.is_unsure,
            seen_at: Moment(state.seen_at.naive_utc()),
        })
        .collect();
    insert_rows!(conn, &rows, |block| diesel::insert_into(s::table)
        .values(block)
        .on_conflict((s::organization_id, s::lead_id))
        .do_update()
        .set((
            s::statecode.eq(excluded(s::statecode)),
            s::statuscode.eq(excluded(s::statuscode)),
            s::owner_id.eq(excluded(s::owner_id)),
            s::owner_name.eq(excluded(s::owner_name)),
            s::sent_owner_id.eq(excluded(s::sent_owner_id)),
            s::modified_at.eq(excluded(s::modified_at)),
            s::is_unsure.eq(excluded(s::is_unsure)),
            s::seen_at.eq(excluded(s::seen_at)),
        )));
    Ok(())
}

/// Marks every record of an organization.
///
/// # Errors
/// As any query.
pub fn doubt_all(conn: &mut AnyConn, organization: &OrganizationId) -> Result<(), StoreError> {
    diesel::update(s::table.filter(s::organization_id.eq(organization.as_str())))
        .set(s::is_unsure.eq(true))
        .execute(conn)?;
    Ok(())
}
