//! Leads for export: exactly what the list filters, a part at a time, whatever their number.

use std::collections::{BTreeSet, HashMap};

use diesel::prelude::*;

use super::lead_lists::narrowed;
use super::lead_rows::{self, LeadRow, OriginRow};
use super::leads::LeadFilter;
use super::paging::Cursor;
use super::schema::{campaigns, lead_forms, lead_origins, leads, linkedin_accounts, users};
use super::search::{self, Among, Found};
use super::{AnyConn, StoreError};
use crate::domain::lead::Lead;

/// A lead with the names around it.
#[derive(Debug, Clone)]
pub struct LeadExported {
    /// The lead.
    pub lead: Lead,
    /// Its owner.
    pub owner: String,
    /// The account that brought it.
    pub account: String,
    /// The form.
    pub form: String,
    /// The campaign.
    pub campaign: String,
}

/// The leads that pass the filter after a place, newest first, at most `limit`.
///
/// # Errors
/// As any query.
pub fn part(
    conn: &mut AnyConn,
    filter: &LeadFilter,
    after: Option<&Cursor>,
    limit: i64,
) -> Result<Vec<LeadExported>, StoreError> {
    let found = search::find(conn, Among::Leads, filter.search.as_deref())?;
    let mut query = leads::table
        .inner_join(lead_origins::table)
        .select((LeadRow::as_select(), OriginRow::as_select()))
        .order((leads::created_at.desc(), leads::id.desc()))
        .limit(limit)
        .into_boxed();
    narrowed!(query, filter, &found);
    if let Some(place) = after {
        let at = place.at.naive_utc();
        query = query
            .filter(leads::created_at.le(at))
            .filter(leads::created_at.lt(at).or(leads::id.lt(place.id.clone())));
    }
    let found = query
        .load::<(LeadRow, OriginRow)>(conn)?
        .into_iter()
        .map(|(row, origin)| lead_rows::lead(row, origin))
        .collect::<Result<Vec<Lead>, _>>()?;
    with_names(conn, found)
}

/// Whether more leads than this pass the filter.
///
/// # Errors
/// As any query.
pub fn are_more_than(
    conn: &mut AnyConn,
    filter: &LeadFilter,
    number: i64,
) -> Result<bool, StoreError> {
    let found = search::find(conn, Among::Leads, filter.search.as_deref())?;
    let mut query = leads::table
        .inner_join(lead_origins::table)
        .select(leads::id)
        .offset(number)
        .limit(1)
        .into_boxed();
    narrowed!(query, filter, &found);
    Ok(query.first::<String>(conn).optional()?.is_some())
}

fn with_names(conn: &mut AnyConn, found: Vec<Lead>) -> Result<Vec<LeadExported>, StoreError> {
    /// The names of the records with these ids.
    macro_rules! names {
        ($table:ident, $id:expr) => {{
            let ids: BTreeSet<&str> = found.iter().filter_map($id).collect();
            let names: HashMap<String, String> = $table::table
                .filter($table::id.eq_any(ids))
                .select(($table::id, $table::name))
                .load::<(String, String)>(conn)?
                .into_iter()
                .collect();
            names
        }};
    }
    let owners = names!(users, |lead| Some(lead.owner_id.as_str()));
    let accounts = names!(linkedin_accounts, |lead| lead
        .account_id
        .as_ref()
        .map(AsRef::as_ref));
    let forms = names!(lead_forms, |lead| lead.form_id.as_ref().map(AsRef::as_ref));
    let named = names!(campaigns, |lead| lead
        .campaign_id
        .as_ref()
        .map(AsRef::as_ref));
    let name = |names: &HashMap<String, String>, id: Option<&str>| {
        id.and_then(|id| names.get(id)).cloned().unwrap_or_default()
    };
    Ok(found
        .into_iter()
        .map(|lead| LeadExported {
            owner: name(&owners, Some(lead.owner_id.as_str())),
            account: name(&accounts, lead.account_id.as_ref().map(AsRef::as_ref)),
            form: name(&forms, lead.form_id.as_ref().map(AsRef::as_ref)),
            campaign: name(&named, lead.campaign_id.as_ref().map(AsRef::as_ref)),
            lead,
        })
        .collect())
}
