//! The leads that a batch of rows touches, in memory: loaded once, changed row by row so that each row sees what the rows
//! before it did, saved once.

use std::collections::{BTreeSet, HashMap};

use diesel::prelude::*;

use crate::domain::ids::LeadId;
use crate::domain::lead::{FieldKey, Lead, LeadField};
use crate::domain::lead_import::{ImportRow, MatchBy};
use crate::domain::matching::{Candidate, Candidates, MatchInput, MatchingStrategy};
use crate::domain::normalise;
use crate::store::columns::id;
use crate::store::match_keys::{self, ALL_FIELDS, LeadKeys};
use crate::store::schema::lead_match_keys;
use crate::store::{AnyConn, StoreError, lead_rows};

/// What rows are compared by.
pub(super) struct Comparison {
    /// The strategy in force, by which keys are kept.
    active: MatchingStrategy,
    /// The strategy by which rows are compared; one that compares the e-mail address only, when a person chose that.
    compared: MatchingStrategy,
    /// Whether the keys of `compared` stand under its single field, beside other fields of `active`.
    is_one_of_several: bool,
    country: Option<String>,
}

impl Comparison {
    /// # Errors
    /// `Rule` when rows are to be compared by e-mail addresses and the strategy in force does not keep them.
    pub(super) fn new(
        active: MatchingStrategy,
        match_by: MatchBy,
        country: Option<String>,
    ) -> Result<Self, StoreError> {
        let email = FieldKey::Standard(LeadField::Email);
        let mut compared = active.clone();
        if match_by == MatchBy::Email {
            if !active.fields.contains(&email) {
                return Err(StoreError::Rule(
                    "The active matching strategy does not compare e-mail addresses, so leads cannot be found by them. \
                     Choose another way to find leads."
                        .to_owned(),
                ));
            }
            compared.fields = vec![email];
        }
        Ok(Self {
            is_one_of_several: compared.fields.len() == 1 && active.fields.len() > 1,
            active,
            compared,
            country,
        })
    }

    pub(super) fn input(&self, row: &ImportRow) -> MatchInput {
        let key = |field: &FieldKey| {
            let value = row.values.get(field)?;
            normalise::match_key(field, value, self.country.as_deref())
        };
        MatchInput {
            keys: self
                .compared
                .fields
                .iter()
                .map(|field| (field.clone(), key(field)))
                .collect(),
        }
    }

    fn compared_keys(&self, lead: &Lead) -> LeadKeys {
        match_keys::keys_of(&self.compared, &lead.values, self.country.as_deref())
    }

    /// The keys of a lead as they are kept.
    pub(super) fn kept_keys(&self, lead: &Lead) -> LeadKeys {
        match_keys::keys_of(&self.active, &lead.values, self.country.as_deref())
    }
}

/// The stored key of an input when every field has a value.
pub(super) fn joined_key(input: &MatchInput) -> Option<String> {
    let all: Option<Vec<&str>> = input.keys.iter().map(|(_, key)| key.as_deref()).collect();
    all.filter(|keys| !keys.is_empty())
        .map(|keys| match_keys::stored_key(&match_keys::composite(&keys)))
}

#[derive(Default)]
pub(super) struct WorkingSet {
    leads: HashMap<LeadId, Lead>,
    /// Those that were there before this batch.
    stored: BTreeSet<LeadId>,
    /// (field word, stored key) → leads, as far as this batch asks.
    by_key: HashMap<(String, String), BTreeSet<LeadId>>,
    dirty: BTreeSet<LeadId>,
}

impl WorkingSet {
    /// Loads every lead that some input may match.
    pub(super) fn load<'a>(
        conn: &mut AnyConn,
        inputs: impl Iterator<Item = &'a MatchInput>,
        by: &Comparison,
    ) -> Result<Self, StoreError> {
        let mut set = Self::default();
        let mut joined = BTreeSet::new();
        let mut single: HashMap<&FieldKey, BTreeSet<String>> = HashMap::new();
        for input in inputs {
            joined.extend(joined_key(input));
            for (field, key) in &input.keys {
                if let Some(key) = key {
                    single
                        .entry(field)
                        .or_default()
                        .insert(match_keys::stored_key(key));
                }
            }
        }
        let joined: Vec<String> = joined.into_iter().collect();
        let full = if by.is_one_of_several {
            with_email(conn, &joined)?
        } else {
            match_keys::full(conn, &joined)?
        };
        for (key, lead) in full {
            set.index(ALL_FIELDS, key, lead);
        }
        if by.compared.fields.len() > 1 {
            for (field, keys) in single {
                let keys: Vec<String> = keys.into_iter().collect();
                for (key, lead) in match_keys::first_per_key(conn, field, &keys)? {
                    set.index(&field.word(), key, lead);
                }
            }
        }
        let wanted: BTreeSet<LeadId> = set.by_key.values().flatten().cloned().collect();
        let wanted: Vec<LeadId> = wanted.into_iter().collect();
        for lead in lead_rows::load(conn, &wanted)? {
            set.stored.insert(lead.id.clone());
            set.leads.insert(lead.id.clone(), lead);
        }
        Ok(set)
    }

    fn index(&mut self, field: &str, key: String, lead: LeadId) {
        self.by_key
            .entry((field.to_owned(), key))
            .or_default()
            .insert(lead);
    }

    pub(super) fn has_key(&self, joined: &str) -> bool {
        self.by_key
            .contains_key(&(ALL_FIELDS.to_owned(), joined.to_owned()))
    }

    /// Whether a lead was there before this batch.
    pub(super) fn is_stored(&self, id: &LeadId) -> bool {
        self.stored.contains(id)
    }

    pub(super) fn get(&self, id: &LeadId) -> Option<&Lead> {
        self.leads.get(id)
    }

    /// The leads that resemble an input now.
    pub(super) fn candidates(&self, input: &MatchInput) -> Candidates {
        let find = |field: &str, key: String| self.by_key.get(&(field.to_owned(), key));
        let full: Vec<Candidate> = joined_key(input)
            .and_then(|key| find(ALL_FIELDS, key))
            .into_iter()
            .flatten()
            .filter_map(|id| self.leads.get(id))
            .map(|lead| Candidate {
                lead_id: lead.id.clone(),
                status: lead.status,
                updated_at: lead.updated_at,
            })
            .collect();
        let mut partial = Vec::new();
        for (field, key) in &input.keys {
            let Some(key) = key else { continue };
            let found = find(&field.word(), match_keys::stored_key(key));
            partial.extend(
                found
                    .into_iter()
                    .flatten()
                    .map(|id| (field.clone(), id.clone())),
            );
        }
        Candidates { full, partial }
    }

    /// Adds a new lead, or puts a changed one in place of the old one.
    pub(super) fn put(&mut self, lead: Lead, by: &Comparison) {
        for leads in lead_keys_before(self, &lead.id, by) {
            if let Some(leads) = self.by_key.get_mut(&leads) {
                leads.remove(&lead.id);
            }
        }
        for (field, key) in by.compared_keys(&lead) {
            self.index(&field, key, lead.id.clone());
        }
        self.dirty.insert(lead.id.clone());
        self.leads.insert(lead.id.clone(), lead);
    }

    /// Saves the leads that changed, with their keys.
    pub(super) fn save(&self, conn: &mut AnyConn, by: &Comparison) -> Result<(), StoreError> {
        let dirty: Vec<&Lead> = self
            .dirty
            .iter()
            .filter_map(|id| self.leads.get(id))
            .collect();
        lead_rows::save(conn, &dirty)?;
        let keys: Vec<(LeadId, LeadKeys)> = dirty
            .iter()
            .map(|lead| (lead.id.clone(), by.kept_keys(lead)))
            .collect();
        match_keys::replace(conn, &keys)
    }
}

fn lead_keys_before(set: &WorkingSet, id: &LeadId, by: &Comparison) -> LeadKeys {
    set.leads
        .get(id)
        .map(|lead| by.compared_keys(lead))
        .unwrap_or_default()
}

/// Leads by the key of their e-mail address, where the strategy in force keeps it beside other fields.
fn with_email(conn: &mut AnyConn, keys: &[String]) -> Result<Vec<(String, LeadId)>, StoreError> {
    let rows: Vec<(String, String)> = lead_match_keys::table
        .filter(lead_match_keys::field.eq(LeadField::Email.as_str()))
        .filter(lead_match_keys::match_key.eq_any(keys))
        .select((lead_match_keys::match_key, lead_match_keys::lead_id))
        .order((lead_match_keys::match_key, lead_match_keys::lead_id))
        .limit(20_000)
        .load(conn)?;
    rows.into_iter()
        .map(|(key, lead)| Ok((key, id("leads", &lead)?)))
        .collect()
}
