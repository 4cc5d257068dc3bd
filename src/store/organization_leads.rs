//! What leads are in organizations: the record there, what was sent to it, what could not be sent, and what waits for a person.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;
use diesel::upsert::excluded;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::columns::Cells;
use super::moment::Moment;
use super::schema::{
    dataverse_organizations as dynamics, leads, organization_lead_states as states,
    organization_leads as o, organizations,
};
use super::{AnyConn, StoreError};
use crate::domain::column_mapping::LeftOut;
use crate::domain::ids::{LeadId, OrganizationId, RecordId};
use crate::domain::lead::LeadStatus;
use crate::insert_rows;
use crate::words;

words! {
    /// What a lead is in an organization.
    pub enum LinkState {
        Linked = "linked" => "There",
        Waiting = "waiting" => "Waits for a person",
        /// A person decided that it becomes a record of its own.
        Create = "create" => "To be created",
        Deleted = "deleted" => "Deleted there",
    }
}

/// A record of the organization that matches a lead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordCandidate {
    /// Its id there.
    pub record_id: RecordId,
    /// Its status.
    pub status: LeadStatus,
    /// When it was last changed.
    pub modified_at: DateTime<Utc>,
}

/// What a lead is in one organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrganizationLead {
    /// The lead.
    pub lead_id: LeadId,
    /// What it is there.
    pub state: LinkState,
    /// The record there.
    pub record_id: Option<Uuid>,
    /// A digest of the value that was sent last, by column.
    pub sent: BTreeMap<String, String>,
    /// Values that no column could take.
    pub misfits: Vec<LeftOut>,
    /// Records that match, from which a person chooses.
    pub candidates: Vec<RecordCandidate>,
    /// When the organization last got it.
    pub delivered_at: Option<DateTime<Utc>>,
}

impl OrganizationLead {
    /// A lead of which the organization knows nothing yet.
    #[must_use]
    pub const fn unknown(lead_id: LeadId) -> Self {
        Self {
            lead_id,
            state: LinkState::Create,
            record_id: None,
            sent: BTreeMap::new(),
            misfits: Vec::new(),
            candidates: Vec::new(),
            delivered_at: None,
        }
    }
}

type Row = (
    String,
    String,
    Option<String>,
    String,
    Option<String>,
    Option<String>,
    Option<NaiveDateTime>,
);

macro_rules! row {
    () => {
        (
            o::lead_id,
            o::state,
            o::record_id,
            o::sent,
            o::misfits,
            o::candidates,
            o::delivered_at,
        )
    };
}

fn link(row: Row) -> Result<OrganizationLead, StoreError> {
    let (lead, state, record, sent, misfits, candidates, delivered_at) = row;
    let cells = Cells {
        table: "organization_leads",
        id: &lead,
    };
    let many = |column, text: Option<String>| match text {
        Some(text) => cells.json(column, &text),
        None => Ok(Vec::new()),
    };
    Ok(OrganizationLead {
        lead_id: cells.word("lead_id", &lead)?,
        state: cells.word("state", &state)?,
        record_id: cells.optional("record_id", record.as_deref())?,
        sent: cells.json("sent", &sent)?,
        misfits: many("misfits", misfits)?,
        candidates: match candidates {
            Some(text) => cells.json("candidates", &text)?,
            None => Vec::new(),
        },
        delivered_at: delivered_at.map(|at| at.and_utc()),
    })
}

/// What these leads are in an organization; leads that are unknown there are left out.
///
/// # Errors
/// As any query.
pub fn load(
    conn: &mut AnyConn,
    organization: &OrganizationId,
    leads: &[LeadId],
) -> Result<HashMap<LeadId, OrganizationLead>, StoreError> {
    let mut found = HashMap::with_capacity(leads.len());
    for chunk in leads.chunks(1_000) {
        let rows: Vec<Row> = o::table
            .filter(o::organization_id.eq(organization.as_str()))
            .filter(o::lead_id.eq_any(chunk.iter().map(LeadId::as_str)))
            .select(row!())
            .load(conn)?;
        for row in rows {
            let link = link(row)?;
            found.insert(link.lead_id.clone(), link);
        }
    }
    Ok(found)
}

/// A lead in one organization, as its page shows it.
#[derive(Debug, Clone)]
pub struct LeadThere {
    /// The organization.
    pub organization_id: OrganizationId,
    /// Its name.
    pub organization: String,
    /// Its address, without a slash at its end.
    address: String,
    /// What the lead is there.
    pub link: OrganizationLead,
}

impl LeadThere {
    /// Where people open a record of this organization.
    #[must_use]
    pub fn address_of(&self, record: &str) -> String {
        format!(
            "{}/main.aspx?pagetype=entityrecord&etn=lead&id={record}",
            self.address
        )
    }

    /// Where people open the lead's record.
    #[must_use]
    pub fn record_address(&self) -> Option<String> {
        let id = self.link.record_id?.to_string();
        Some(self.address_of(&id))
    }
}

/// What a lead is in every organization.
///
/// # Errors
/// As any query.
pub fn of_lead(conn: &mut AnyConn, lead: &LeadId) -> Result<Vec<LeadThere>, StoreError> {
    let rows: Vec<(String, String, String, Row)> = o::table
        .inner_join(organizations::table)
        .inner_join(dynamics::table.on(dynamics::organization_id.eq(o::organization_id)))
        .filter(o::lead_id.eq(lead.as_str()))
        .order((organizations::name, o::organization_id))
        .select((
            o::organization_id,
            organizations::name,
            dynamics::address,
            row!(),
        ))
        .load(conn)?;
    rows.into_iter()
        .map(|(id, organization, address, row)| {
            Ok(LeadThere {
                organization_id: super::columns::id("organization_leads", &id)?,
                organization,
                address,
                link: link(row)?,
            })
        })
        .collect()
}

/// Of these records of an organization, those that are a lead here already, with the lead. A record that has the id of a lead
/// was made for that lead, though the answer may have been lost.
///
/// # Errors
/// As any query.
pub fn record_owners(
    conn: &mut AnyConn,
    organization: &OrganizationId,
    records: &[Uuid],
) -> Result<HashMap<Uuid, LeadId>, StoreError> {
    let wanted: HashSet<String> = records.iter().map(Uuid::to_string).collect();
    let wanted: Vec<String> = wanted.into_iter().collect();
    let mut owners = linked(conn, organization, &wanted)?;
    for chunk in wanted.chunks(1_000) {
        let made_for: Vec<String> = leads::table
            .filter(leads::id.eq_any(chunk))
            .select(leads::id)
            .load(conn)?;
        for lead in made_for {
            let cells = Cells {
                table: "leads",
                id: &lead,
            };
            let (record, lead) = (cells.word("id", &lead)?, cells.word("id", &lead)?);
            owners.entry(record).or_insert(lead);
        }
    }
    Ok(owners)
}

/// The leads that have these records.
fn linked(
    conn: &mut AnyConn,
    organization: &OrganizationId,
    records: &[String],
) -> Result<HashMap<Uuid, LeadId>, StoreError> {
    let mut owners = HashMap::new();
    for chunk in records.chunks(1_000) {
        let rows: Vec<(String, Option<String>)> = o::table
            .filter(o::organization_id.eq(organization.as_str()))
            .filter(o::record_id.eq_any(chunk))
            .select((o::lead_id, o::record_id))
            .load(conn)?;
        for (lead, record) in rows {
            let cells = Cells {
                table: "organization_leads",
                id: &lead,
            };
            let record: Option<Uuid> = cells.optional("record_id", record.as_deref())?;
            if let Some(record) = record {
                owners.insert(record, cells.word("lead_id", &lead)?);
            }
        }
    }
    Ok(owners)
}

/// The leads of these links whose record is another lead's already.
///
/// # Errors
/// As any query.
pub fn collisions(
    conn: &mut AnyConn,
    organization: &OrganizationId,
    links: &[&OrganizationLead],
) -> Result<HashSet<String>, StoreError> {
    let wanted: Vec<String> = links
        .iter()
        .filter_map(|link| Some(link.record_id?.to_string()))
        .collect();
    let owners = linked(conn, organization, &wanted)?;
    Ok(links
        .iter()
        .filter(|link| {
            let owner = link.record_id.and_then(|record| owners.get(&record));
            owner.is_some_and(|owner| *owner != link.lead_id)
        })
        .map(|link| link.lead_id.to_string())
        .collect())
}

#[derive(Insertable)]
#[diesel(table_name = o, treat_none_as_default_value = false)]
struct NewRow {
    organization_id: String,
    lead_id: String,
    state: &'static str,
    record_id: Option<String>,
    sent: String,
    misfits: Option<String>,
    candidates: Option<String>,
    delivered_at: Option<Moment>,
    updated_at: Moment,
}

/// Keeps what leads are in an organization.
///
/// # Errors
/// As any query.
pub fn save(
    conn: &mut AnyConn,
    organization: &OrganizationId,
    links: &[&OrganizationLead],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    fn json<T: Serialize>(value: &T, link: &OrganizationLead) -> Result<String, StoreError> {
        serde_json::to_string(value).map_err(|_| StoreError::Corrupt {
            table: "organization_leads",
            column: "sent",
            id: link.lead_id.as_str().to_owned(),
        })
    }
    let rows = links
        .iter()
        .map(|link| {
            let many = |is_empty: bool, text: Result<String, StoreError>| match is_empty {
                true => Ok(None),
                false => text.map(Some),
            };
            Ok(NewRow {
                organization_id: organization.as_str().to_owned(),
                lead_id: link.lead_id.as_str().to_owned(),
                state: link.state.as_str(),
                record_id: link.record_id.map(|id| id.to_string()),
                sent: json(&link.sent, link)?,
                misfits: many(link.misfits.is_empty(), json(&link.misfits, link))?,
                candidates: many(link.candidates.is_empty(), json(&link.candidates, link))?,
                delivered_at: link.delivered_at.map(|at| Moment(at.naive_utc())),
                updated_at: Moment(now.naive_utc()),
            })
        })
        .collect::<Result<Vec<_>, StoreError>>()?;
    insert_rows!(conn, &rows, |block| diesel::insert_into(o::table)
        .values(block)
        .on_conflict((o::organization_id, o::lead_id))
        .do_update()
        .set((
            o::state.eq(excluded(o::state)),
            o::record_id.eq(excluded(o::record_id)),
            o::sent.eq(excluded(o::sent)),
            o::misfits.eq(excluded(o::misfits)),
            o::candidates.eq(excluded(o::candidates)),
            o::delivered_at.eq(excluded(o::delivered_at)),
            o::updated_at.eq(excluded(o::updated_at)),
        )));
    Ok(())
}

/// Forgets what every lead is in an organization that lost its records; answers how many.
///
/// # Errors
/// As any query.
pub fn forget(conn: &mut AnyConn, organization: &OrganizationId) -> Result<usize, StoreError> {
    let of = organization.as_str();
    diesel::delete(states::table.filter(states::organization_id.eq(of))).execute(conn)?;
    Ok(diesel::delete(o::table.filter(o::organization_id.eq(of))).execute(conn)?)
}

/// A person's decision about a lead that waits: the record that it is, or `None` for one of its own.
///
/// # Errors
/// `Rule` when the lead does not wait, or the record is none of those that match or is another lead's.
pub fn decide(
    conn: &mut AnyConn,
    organization: &OrganizationId,
    lead: &LeadId,
    record: Option<&RecordId>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let waiting = load(conn, organization, std::slice::from_ref(lead))?
        .remove(lead)
        .filter(|link| link.state == LinkState::Waiting);
    let Some(mut link) = waiting else {
        return Err(StoreError::Rule(
            "This lead does not wait for a decision any more.".into(),
        ));
    };
    match record {
        Some(record) => {
            let cells = Cells {
                table: "organization_leads",
                id: lead.as_str(),
            };
            let id: Uuid = cells.word("candidates", record.as_str())?;
            if !link.candidates.iter().any(|one| one.record_id == *record) {
                return Err(StoreError::Rule(
                    "Choose one of the records that match, or a new one.".into(),
                ));
            }
            let owner = record_owners(conn, organization, &[id])?.remove(&id);
            if owner.is_some_and(|owner| owner != *lead) {
                return Err(StoreError::Rule(
                    "This record belongs to another lead here meanwhile. Choose another one."
                        .into(),
                ));
            }
            link.state = LinkState::Linked;
            link.record_id = Some(id);
        }
        None => link.state = LinkState::Create,
    }
    link.candidates = Vec::new();
    save(conn, organization, &[&link], now)
}
