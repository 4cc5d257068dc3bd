//! Finds leads by the values of any fields, also those for which no match keys are kept: for the dry run of a strategy.
//!
//! `lead_match_keys` knows the active strategy only. Values are compared normalised, which SQL cannot do, so the leads are
//! read through, the newest first, a thousand a statement and at most [`LOOK_AT_MOST`] of them.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use diesel::prelude::*;
use diesel::sql_types::Text;

use super::columns::id;
use super::match_keys::{ValueRow, select_values};
use super::{AnyConn, StoreError};
use crate::domain::ids::{LeadId, SubmissionId};
use crate::domain::lead::FieldKey;
use crate::domain::matching::{MatchInput, MatchingStrategy};
use crate::domain::normalise;
use crate::domain::strategy::MAX_FIELDS;

/// How many leads are looked at.
pub const LOOK_AT_MOST: usize = 200_000;
/// Leads per statement.
const CHUNK: usize = 1_000;
/// How many leads are kept for one value: more of them decide nothing else.
const KEEP_PER_KEY: usize = 50;

/// What was found.
#[derive(Debug, Clone, Default)]
pub struct Scan {
    /// Leads that have a compared value in common with a submission, each with the country of its form.
    pub leads: BTreeMap<LeadId, Option<String>>,
    /// How many leads were looked at.
    pub looked_at: usize,
    /// Whether there are older ones that were not looked at.
    pub is_cut: bool,
}

/// The values that are looked for, with how many leads were found for each.
#[derive(Default)]
struct Wanted {
    single: HashMap<(FieldKey, String), usize>,
    joined: HashMap<(usize, Vec<String>), usize>,
}

impl Wanted {
    /// Whether the lead with these keys is to be kept; counts it.
    fn takes(
        &mut self,
        strategies: &[&MatchingStrategy],
        keys: &HashMap<&FieldKey, Option<String>>,
    ) -> bool {
        let mut is_taken = false;
        let mut count = |found: Option<&mut usize>| {
            if let Some(found) = found.filter(|found| **found < KEEP_PER_KEY) {
                *found += 1;
                is_taken = true;
            }
        };
        for (field, key) in keys {
            if let Some(key) = key {
                count(self.single.get_mut(&((*field).clone(), key.clone())));
            }
        }
        for (index, strategy) in strategies.iter().enumerate() {
            let all: Option<Vec<String>> = strategy
                .fields
                .iter()
                .map(|field| keys.get(field).cloned().flatten())
                .collect();
            if let Some(all) = all {
                count(self.joined.get_mut(&(index, all)));
            }
        }
        is_taken
    }
}

/// The leads that have a value in common with one of the inputs of these strategies. Leads that one of `made_by` made are
/// left out. `country` is the two-letter default for phone numbers.
///
/// # Errors
/// As any query.
pub fn find(
    conn: &mut AnyConn,
    strategies: &[(&MatchingStrategy, Vec<MatchInput>)],
    made_by: &HashSet<SubmissionId>,
    country: Option<&str>,
) -> Result<Scan, StoreError> {
    let all: BTreeSet<&FieldKey> = strategies
        .iter()
        .flat_map(|(strategy, _)| &strategy.fields)
        .collect();
    // One pass for both, unless they compare more fields together than a row is read with.
    if all.len() <= MAX_FIELDS {
        return pass(conn, strategies, made_by, country);
    }
    let mut found = Scan::default();
    for one in strategies {
        let scan = pass(conn, std::slice::from_ref(one), made_by, country)?;
        found.leads.extend(scan.leads);
        found.looked_at = found.looked_at.max(scan.looked_at);
        found.is_cut |= scan.is_cut;
    }
    Ok(found)
}

fn pass(
    conn: &mut AnyConn,
    strategies: &[(&MatchingStrategy, Vec<MatchInput>)],
    made_by: &HashSet<SubmissionId>,
    country: Option<&str>,
) -> Result<Scan, StoreError> {
    let mut wanted = Wanted::default();
    let mut fields: Vec<FieldKey> = Vec::new();
    for (index, (strategy, inputs)) in strategies.iter().enumerate() {
        for field in &strategy.fields {
            if !fields.contains(field) {
                fields.push(field.clone());
            }
        }
        for input in inputs {
            for (field, key) in &input.keys {
                if let Some(key) = key {
                    wanted.single.insert((field.clone(), key.clone()), 0);
                }
            }
            let all: Option<Vec<String>> = input.keys.iter().map(|(_, key)| key.clone()).collect();
            if let Some(all) = all.filter(|all| !all.is_empty()) {
                wanted.joined.insert((index, all), 0);
            }
        }
    }
    let mut scan = Scan::default();
    if wanted.single.is_empty() {
        return Ok(scan);
    }
    let strategies: Vec<&MatchingStrategy> =
        strategies.iter().map(|(strategy, _)| *strategy).collect();
    // No identifier stands behind this one: they are hexadecimal.
    let mut before = "g".to_owned();
    loop {
        let rows = older(conn, &fields, &before)?;
        let Some(last) = rows.last() else {
            return Ok(scan);
        };
        before.clone_from(&last.id);
        let is_last = rows.len() < CHUNK;
        scan.looked_at += rows.len();
        for row in &rows {
            let maker: Option<SubmissionId> = row
                .first_submission_id
                .as_deref()
                .map(|maker| id("form_submissions", maker))
                .transpose()?;
            if maker.is_some_and(|maker| made_by.contains(&maker)) {
                continue;
            }
            let custom = row.custom()?;
            let own_country = row.country.as_deref().filter(|code| !code.is_empty());
            let keys = row
                .values(&fields, &custom)
                .into_iter()
                .map(|(field, value)| {
                    let key = value.and_then(|value| {
                        normalise::match_key(field, value, own_country.or(country))
                    });
                    (field, key)
                })
                .collect();
            if wanted.takes(&strategies, &keys) {
                scan.leads
                    .insert(id("leads", &row.id)?, own_country.map(str::to_owned));
            }
        }
        if is_last {
            return Ok(scan);
        }
        if scan.looked_at >= LOOK_AT_MOST {
            scan.is_cut = true;
            return Ok(scan);
        }
    }
}

/// The next thousand leads, newest first: identifiers sort by the time at which they were made.
fn older(
    conn: &mut AnyConn,
    fields: &[FieldKey],
    before: &str,
) -> Result<Vec<ValueRow>, StoreError> {
    let select = select_values(fields);
    let rows = match conn {
        AnyConn::Pg(c) => diesel::sql_query(format!(
            "{select} WHERE leads.id < $1 ORDER BY leads.id DESC LIMIT {CHUNK}"
        ))
        .bind::<Text, _>(before)
        .load(c)?,
        AnyConn::Sqlite(c) => diesel::sql_query(format!(
            "{select} WHERE leads.id < ?1 ORDER BY leads.id DESC LIMIT {CHUNK}"
        ))
        .bind::<Text, _>(before)
        .load(c)?,
    };
    Ok(rows)
}
