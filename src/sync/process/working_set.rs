//! The leads that a batch touches, in memory: loaded once, changed item by item so that each item sees what the ones
//! before it did, saved once.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::domain::ids::{LeadId, SubmissionId, UserId};
use crate::domain::lead::{FieldChange, FieldKey, Lead};
use crate::domain::matching::{Candidate, Candidates, MatchInput, MatchingStrategy};
use crate::store::intake::LeadChange;
use crate::store::match_keys::{self, LeadKeys};
use crate::store::{self, AnyConn, StoreError, match_aliases};

/// The field under which all keys of a strategy stand joined.
const ALL: &str = "*";

#[derive(Default)]
pub(super) struct WorkingSet {
    leads: HashMap<LeadId, Lead>,
    /// (field word, stored key) → leads, as far as this batch asks.
    by_key: HashMap<(String, String), BTreeSet<LeadId>>,
    /// Keys of the leads that this batch created or rekeyed.
    keys: HashMap<LeadId, LeadKeys>,
    /// Keys that the leads have from merges: they stay whatever a submission writes.
    aliases: HashMap<LeadId, LeadKeys>,
    dirty: BTreeSet<LeadId>,
    changes: Vec<LeadChange>,
    /// The person who decided, for the timelines.
    pub(super) user_id: Option<UserId>,
}

/// The stored keys of an input, field by field, and the joined one when every field has an answer.
fn stored(input: &MatchInput) -> (Vec<(&FieldKey, String)>, Option<String>) {
    let single = input
        .keys
        .iter()
        .filter_map(|(field, key)| Some((field, match_keys::stored_key(key.as_ref()?))))
        .collect();
    let all: Option<Vec<&str>> = input.keys.iter().map(|(_, key)| key.as_deref()).collect();
    let joined = all
        .filter(|keys| !keys.is_empty())
        .map(|keys| match_keys::stored_key(&match_keys::composite(&keys)));
    (single, joined)
}

impl WorkingSet {
    /// Loads every lead that some input may match, and those that the submissions belong to already.
    pub(super) fn load<'a>(
        conn: &mut AnyConn,
        inputs: impl Iterator<Item = (&'a MatchInput, Option<&'a LeadId>)>,
        strategy: Option<&MatchingStrategy>,
    ) -> Result<Self, StoreError> {
        let mut set = Self::default();
        let mut joined_keys = BTreeSet::new();
        let mut single_keys: BTreeMap<FieldKey, BTreeSet<String>> = BTreeMap::new();
        let mut wanted: BTreeSet<LeadId> = BTreeSet::new();
        for (input, already) in inputs {
            wanted.extend(already.cloned());
            let (single, joined) = stored(input);
            joined_keys.extend(joined);
            for (field, key) in single {
                single_keys.entry(field.clone()).or_default().insert(key);
            }
        }
        let joined_keys: Vec<String> = joined_keys.into_iter().collect();
        for (key, lead) in match_keys::full(conn, &joined_keys)? {
            wanted.insert(lead.clone());
            set.by_key
                .entry((ALL.to_owned(), key))
                .or_default()
                .insert(lead);
        }
        // With one field, matching it is matching fully.
        if strategy.is_some_and(|strategy| strategy.fields.len() > 1) {
            for (field, keys) in single_keys {
                let keys: Vec<String> = keys.into_iter().collect();
                for (key, lead) in match_keys::first_per_key(conn, &field, &keys)? {
                    set.by_key
                        .entry((field.word().into_owned(), key))
                        .or_default()
                        .insert(lead);
                }
            }
        }
        let wanted: Vec<LeadId> = wanted.into_iter().collect();
        for lead in store::lead_rows::load(conn, &wanted)? {
            set.leads.insert(lead.id.clone(), lead);
        }
        set.aliases = match_aliases::keys_for(conn, &wanted)?;
        Ok(set)
    }

    pub(super) fn has(&self, id: &LeadId) -> bool {
        self.leads.contains_key(id)
    }

    pub(super) fn get(&self, id: &LeadId) -> Option<&Lead> {
        self.leads.get(id)
    }

    /// A lead as matching sees it.
    pub(super) fn candidate(&self, id: &LeadId) -> Option<Candidate> {
        self.leads.get(id).map(|lead| Candidate {
            lead_id: lead.id.clone(),
            status: lead.status,
            updated_at: lead.updated_at,
        })
    }

    /// The leads that resemble an input now.
    pub(super) fn candidates(&self, input: &MatchInput) -> Candidates {
        let (single, joined) = stored(input);
        let full: Vec<Candidate> = joined
            .and_then(|key| self.by_key.get(&(ALL.to_owned(), key)))
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
        for (field, key) in single {
            let found = self
                .by_key
                .get(&(field.word().into_owned(), key))
                .into_iter()
                .flatten();
            partial.extend(found.map(|lead| (field.clone(), lead.clone())));
            if input.keys.len() == 1 {
                partial.extend(
                    full.iter()
                        .map(|candidate| (field.clone(), candidate.lead_id.clone())),
                );
            }
        }
        Candidates { full, partial }
    }

    fn unkey(&mut self, id: &LeadId) {
        for leads in self.by_key.values_mut() {
            leads.remove(id);
        }
    }

    /// Computes the keys of a lead anew.
    pub(super) fn rekey(
        &mut self,
        id: &LeadId,
        strategy: &Option<MatchingStrategy>,
        country: Option<&str>,
    ) {
        let (Some(strategy), Some(lead)) = (strategy, self.leads.get(id)) else {
            return;
        };
        let keys = match_keys::keys_of(strategy, &lead.values, country);
        self.unkey(id);
        for (field, key) in keys
            .iter()
            .chain(self.aliases.get(id).into_iter().flatten())
        {
            self.by_key
                .entry((field.clone(), key.clone()))
                .or_default()
                .insert(id.clone());
        }
        self.keys.insert(id.clone(), keys);
    }

    /// Adds a new lead.
    pub(super) fn insert(
        &mut self,
        lead: Lead,
        strategy: &Option<MatchingStrategy>,
        country: Option<&str>,
    ) {
        let id = lead.id.clone();
        if let Some(strategy) = strategy {
            let keys = match_keys::keys_of(strategy, &lead.values, country);
            for (field, key) in &keys {
                self.by_key
                    .entry((field.clone(), key.clone()))
                    .or_default()
                    .insert(id.clone());
            }
            self.keys.insert(id.clone(), keys);
        }
        self.dirty.insert(id.clone());
        self.leads.insert(id, lead);
    }

    /// Puts a changed lead in place of the old one.
    pub(super) fn replace(&mut self, mut lead: Lead, now: DateTime<Utc>) {
        lead.updated_at = now;
        lead.lock_version += 1;
        self.dirty.insert(lead.id.clone());
        self.leads.insert(lead.id.clone(), lead);
    }

    /// Changes a lead in place.
    pub(super) fn change(
        &mut self,
        id: &LeadId,
        now: DateTime<Utc>,
        change: impl FnOnce(&mut Lead),
    ) {
        if let Some(lead) = self.leads.get_mut(id) {
            change(lead);
            lead.updated_at = now;
            lead.lock_version += 1;
            self.dirty.insert(id.clone());
        }
    }

    /// Adds to the timeline of a lead.
    pub(super) fn note(
        &mut self,
        lead: &LeadId,
        submission: &SubmissionId,
        kind: &'static str,
        changes: &[FieldChange],
        now: DateTime<Utc>,
    ) {
        self.changes.push(LeadChange {
            id: Uuid::now_v7().hyphenated().to_string(),
            lead_id: lead.clone(),
            submission_id: Some(submission.clone()),
            user_id: self.user_id.clone(),
            kind,
            changes: serde_json::to_string(changes).unwrap_or_else(|_| "[]".to_owned()),
            created_at: now,
        });
    }

    /// Saves the leads that changed, with their keys.
    pub(super) fn save(&self, conn: &mut AnyConn) -> Result<(), StoreError> {
        let dirty: Vec<&Lead> = self
            .dirty
            .iter()
            .filter_map(|id| self.leads.get(id))
            .collect();
        store::lead_rows::save(conn, &dirty)?;
        let mut keys: Vec<(LeadId, LeadKeys)> = self
            .keys
            .iter()
            .map(|(id, keys)| (id.clone(), keys.clone()))
            .collect();
        keys.sort_by(|a, b| a.0.cmp(&b.0));
        match_keys::replace(conn, &keys)
    }

    /// What is to be added to the timelines.
    pub(super) fn into_changes(self) -> Vec<LeadChange> {
        self.changes
    }
}
