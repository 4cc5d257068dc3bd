//! Aliases: the match keys of leads that were merged away, kept for the lead that they became part of, so that the next
//! submission of that person finds it. Derived from `lead_merges`; a merge that is taken back takes its aliases along.

use std::collections::{HashMap, HashSet};

use diesel::prelude::*;

use super::columns::Cells;
use super::schema::{lead_match_keys, lead_merges, leads};
use super::{
    AnyConn, StoreError, integration_settings, lead_edits, match_keys, matching_strategies,
};
use crate::domain::ids::LeadId;
use crate::domain::lead::Lead;
use crate::domain::matching::MatchingStrategy;

/// Leads per statement.
const CHUNK: usize = 1_000;

/// Makes the aliases of these leads anew for the active strategy; costs one look-up when none of them took in another one.
///
/// # Errors
/// As any query.
pub(super) fn renew(conn: &mut AnyConn, survivors: &[&LeadId]) -> Result<(), StoreError> {
    let mut taken_in: HashMap<LeadId, Vec<Lead>> = HashMap::new();
    for chunk in survivors.chunks(CHUNK) {
        let ids: Vec<&str> = chunk.iter().map(|id| id.as_str()).collect();
        for (survivor, merged) in merged_into(conn, &ids)? {
            taken_in.entry(survivor).or_default().push(merged);
        }
    }
    if taken_in.is_empty() {
        return Ok(());
    }
    let strategy = matching_strategies::active(conn)?;
    let country = integration_settings::get(conn)?.matching.default_country;
    for (survivor, merged) in taken_in {
        write(conn, &strategy, country.as_deref(), &survivor, merged)?;
    }
    Ok(())
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
        let mut taken_in: HashMap<LeadId, Vec<Lead>> = HashMap::new();
        for (survivor, merged) in merged_into(conn, &ids)? {
            taken_in.entry(survivor).or_default().push(merged);
        }
        for (survivor, merged) in taken_in {
            write(conn, strategy, country, &survivor, merged)?;
        }
    }
}

/// The leads that were merged into these, or into what was merged into them.
fn merged_into(conn: &mut AnyConn, survivors: &[&str]) -> Result<Vec<(LeadId, Lead)>, StoreError> {
    let mut found = Vec::new();
    // Who stands for whom, as far as the chain was followed.
    let mut stands_for: HashMap<String, LeadId> = survivors
        .iter()
        .map(|id| Ok(((*id).to_owned(), super::columns::id("leads", id)?)))
        .collect::<Result<_, StoreError>>()?;
    let mut frontier: Vec<String> = stands_for.keys().cloned().collect();
    while !frontier.is_empty() {
        let rows: Vec<(String, String, String, String)> = lead_merges::table
            .filter(lead_merges::undone_at.is_null())
            .filter(lead_merges::survivor_id.eq_any(&frontier))
            .select((
                lead_merges::id,
                lead_merges::survivor_id,
                lead_merges::merged_id,
                lead_merges::merged_lead,
            ))
            .load(conn)?;
        frontier.clear();
        for (id, survivor, merged_id, merged) in rows {
            let Some(root) = stands_for.get(&survivor).cloned() else {
                continue;
            };
            let cells = Cells {
                table: "lead_merges",
                id: &id,
            };
            found.push((root.clone(), cells.json("merged_lead", &merged)?));
            if stands_for.insert(merged_id.clone(), root).is_none() {
                frontier.push(merged_id);
            }
        }
    }
    Ok(found)
}

fn write(
    conn: &mut AnyConn,
    strategy: &MatchingStrategy,
    country: Option<&str>,
    survivor: &LeadId,
    merged: Vec<Lead>,
) -> Result<(), StoreError> {
    use lead_match_keys as k;
    diesel::delete(
        k::table
            .filter(k::lead_id.eq(survivor.as_str()))
            .filter(k::is_alias.eq(true)),
    )
    .execute(conn)?;
    let mut known: HashSet<(String, String)> = k::table
        .filter(k::lead_id.eq(survivor.as_str()))
        .select((k::field, k::match_key))
        .load(conn)?
        .into_iter()
        .collect();
    let mut aliases = Vec::new();
    for lead in merged {
        let of_form = lead_edits::country_of_form(conn, &lead)?;
        let country = of_form.as_deref().or(country);
        for (field, key) in match_keys::keys_of(strategy, &lead.values, country) {
            if known.insert((field.clone(), key.clone())) {
                aliases.push((field, key, survivor.clone()));
            }
        }
    }
    match_keys::insert_aliases(conn, aliases)
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
    renew(conn, &[survivor])
}
