//! Aliases: the match keys that two leads had when they were merged, kept for the one that stayed, so that the next
//! submission of that person finds it by either address, whatever is written on it since. Derived from `lead_merges`; a merge that is taken back takes its aliases along.

use std::collections::{HashMap, HashSet};

use diesel::prelude::*;

use super::columns::Cells;
use super::match_keys::LeadKeys;
use super::schema::{lead_match_keys, lead_merges, leads};
use super::{
    AnyConn, StoreError, integration_settings, lead_edits, match_keys, matching_strategies,
};
use crate::domain::ids::LeadId;
use crate::domain::lead::Lead;
use crate::domain::matching::MatchingStrategy;
use crate::insert_rows;

/// Leads per statement.
const CHUNK: usize = 1_000;

/// The keys that these leads have from merges, under the active strategy, whether or not a lead's own values give them as
/// well; a lead without merges is left out. Costs one look-up when no lead has any.
///
/// # Errors
/// As any query.
pub fn keys_for(
    conn: &mut AnyConn,
    survivors: &[LeadId],
) -> Result<HashMap<LeadId, LeadKeys>, StoreError> {
    let mut merged = Vec::new();
    for chunk in survivors.chunks(CHUNK) {
        let ids: Vec<&str> = chunk.iter().map(LeadId::as_str).collect();
        merged.extend(merged_into(conn, &ids)?);
    }
    if merged.is_empty() {
        return Ok(HashMap::new());
    }
    let strategy = matching_strategies::active(conn)?;
    let country = integration_settings::get(conn)?.matching.default_country;
    keys_of(conn, &strategy, country.as_deref(), merged)
}

/// Writes the aliases of these leads, whose rows were all deleted because their own keys changed.
///
/// # Errors
/// As any query.
pub(super) fn renew(conn: &mut AnyConn, survivors: &[LeadId]) -> Result<(), StoreError> {
    let keys = keys_for(conn, survivors)?;
    write(conn, keys)
}

/// Makes the aliases of all leads anew; called when all match keys are.
///
/// # Errors
/// As any query.
pub(super) fn rebuild(
    conn: &mut AnyConn,
    strategy: &MatchingStrategy,
    country: Option<&str>,
) -> Result<(), StoreError> {
    let mut after = String::new();
    loop {
        let survivors: Vec<String> = lead_merges::table
            .filter(lead_merges::undone_at.is_null())
            .filter(lead_merges::survivor_id.gt(&after))
            .filter(lead_merges::survivor_id.eq_any(leads::table.select(leads::id)))
            .select(lead_merges::survivor_id)
            .distinct()
            .order(lead_merges::survivor_id.asc())
            .limit(i64::try_from(CHUNK).unwrap_or(i64::MAX))
            .load(conn)?;
        let Some(last) = survivors.last() else {
            return Ok(());
        };
        after.clone_from(last);
        let ids: Vec<&str> = survivors.iter().map(String::as_str).collect();
        let merged = merged_into(conn, &ids)?;
        let keys = keys_of(conn, strategy, country, merged)?;
        write(conn, keys)?;
    }
}

/// The leads that were merged into these, or into what was merged into them, and each survivor as it was before.
fn merged_into(conn: &mut AnyConn, survivors: &[&str]) -> Result<Vec<(LeadId, Lead)>, StoreError> {
    let mut found = Vec::new();
    // Who stands for whom, as far as the chain was followed.
    let mut stands_for: HashMap<String, LeadId> = survivors
        .iter()
        .map(|id| Ok(((*id).to_owned(), super::columns::id("leads", id)?)))
        .collect::<Result<_, StoreError>>()?;
    let mut frontier: Vec<String> = stands_for.keys().cloned().collect();
    while !frontier.is_empty() {
        let rows: Vec<(String, String, String, String, String)> = lead_merges::table
            .filter(lead_merges::undone_at.is_null())
            .filter(lead_merges::survivor_id.eq_any(&frontier))
            .select((
                lead_merges::id,
                lead_merges::survivor_id,
                lead_merges::merged_id,
                lead_merges::merged_lead,
                lead_merges::survivor_before,
            ))
            .load(conn)?;
        frontier.clear();
        for (id, survivor, merged_id, merged, before) in rows {
            let Some(root) = stands_for.get(&survivor).cloned() else {
                continue;
            };
            let cells = Cells {
                table: "lead_merges",
                id: &id,
            };
            found.push((root.clone(), cells.json("merged_lead", &merged)?));
            found.push((root.clone(), cells.json("survivor_before", &before)?));
            if stands_for.insert(merged_id.clone(), root).is_none() {
                frontier.push(merged_id);
            }
        }
    }
    Ok(found)
}

/// The match keys of merged leads, by the lead that they became part of.
fn keys_of(
    conn: &mut AnyConn,
    strategy: &MatchingStrategy,
    country: Option<&str>,
    merged: Vec<(LeadId, Lead)>,
) -> Result<HashMap<LeadId, LeadKeys>, StoreError> {
    let mut found: HashMap<LeadId, LeadKeys> = HashMap::new();
    for (survivor, lead) in merged {
        let of_form = lead_edits::country_of_form(conn, &lead)?;
        let country = of_form.as_deref().or(country);
        found
            .entry(survivor)
            .or_default()
            .extend(match_keys::keys_of(strategy, &lead.values, country));
    }
    for keys in found.values_mut() {
        keys.sort_unstable();
        keys.dedup();
    }
    Ok(found)
}

/// Writes the aliases of these leads, which have none now; a key that a lead has by itself is none.
fn write(conn: &mut AnyConn, keys: HashMap<LeadId, LeadKeys>) -> Result<(), StoreError> {
    use lead_match_keys as k;
    let mut aliases = Vec::new();
    for (survivor, keys) in keys {
        let own: HashSet<(String, String)> = k::table
            .filter(k::lead_id.eq(survivor.as_str()))
            .select((k::field, k::match_key))
            .load(conn)?
            .into_iter()
            .collect();
        let missing = keys.into_iter().filter(|key| !own.contains(key));
        aliases.extend(missing.map(|(field, key)| (field, key, survivor.clone())));
    }
    insert(conn, aliases)
}

/// Makes the aliases of one lead anew after a merge or its undoing.
///
/// # Errors
/// As any query.
pub(super) fn settle(conn: &mut AnyConn, survivor: &LeadId) -> Result<(), StoreError> {
    diesel::delete(
        lead_match_keys::table
            .filter(lead_match_keys::lead_id.eq(survivor.as_str()))
            .filter(lead_match_keys::is_alias.eq(true)),
    )
    .execute(conn)?;
    renew(conn, std::slice::from_ref(survivor))
}

/// Inserts aliases (field, key, lead); none of them is there yet.
fn insert(conn: &mut AnyConn, aliases: Vec<(String, String, LeadId)>) -> Result<(), StoreError> {
    let rows: Vec<NewAlias> = aliases
        .into_iter()
        .map(|(field, match_key, lead)| NewAlias {
            field,
            match_key,
            lead_id: lead.into_string(),
            is_alias: true,
        })
        .collect();
    insert_rows!(conn, &rows, |block| diesel::insert_into(
        lead_match_keys::table
    )
    .values(block));
    Ok(())
}

#[derive(Insertable)]
#[diesel(table_name = lead_match_keys, treat_none_as_default_value = false)]
struct NewAlias {
    field: String,
    match_key: String,
    lead_id: String,
    is_alias: bool,
}
