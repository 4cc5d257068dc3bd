//! Two leads that are one person: what stays of each when one is merged into the other, and what a merge that is taken
//! back leaves of later work.

use std::collections::{BTreeMap, BTreeSet};

use super::{FieldChange, FieldKey, Lead};
use crate::domain::words::words;

words! {
    /// Which of the two leads gives the value of a field.
    pub enum MergeSide {
        Survivor = "survivor" => "The lead that stays",
        Merged = "merged" => "The lead that is merged into it",
    }
}

/// One field of the two leads, side by side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MergeField {
    /// The field.
    pub field: FieldKey,
    /// The value of the lead that stays.
    pub survivor: Option<String>,
    /// The value of the lead that is merged into it.
    pub merged: Option<String>,
    /// Which of the two is kept when nobody chooses: the lead that stays, unless it has none.
    pub proposed: MergeSide,
}

impl MergeField {
    /// Whether both leads have a value, and not the same: only then there is something to choose.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        self.survivor.is_some() && self.merged.is_some() && self.survivor != self.merged
    }
}

/// What somebody chose, by field; a field that is not named goes as proposed.
pub type MergeChoices = BTreeMap<FieldKey, MergeSide>;

/// The fields of which one of the two leads has a value, in the order in which pages show fields.
#[must_use]
pub fn side_by_side(survivor: &Lead, merged: &Lead) -> Vec<MergeField> {
    let fields: BTreeSet<&FieldKey> = survivor.values.keys().chain(merged.values.keys()).collect();
    fields
        .into_iter()
        .map(|field| {
            let survivor = survivor.values.get(field).cloned();
            MergeField {
                field: field.clone(),
                proposed: match survivor {
                    Some(_) => MergeSide::Survivor,
                    None => MergeSide::Merged,
                },
                survivor,
                merged: merged.values.get(field).cloned(),
            }
        })
        .collect()
}

/// Writes what is kept of `merged` onto `survivor` and says which of its fields changed. A value brings its provenance
/// along, so that a later submission is weighed against the one that truly wrote it. Status, owner, topic, source and the
/// time it was made stay; submissions are counted together, and account, form, campaign and member are taken where the
/// lead that stays has none. Time of the change and lock version are the caller's.
pub fn merge(survivor: &mut Lead, merged: &Lead, choices: &MergeChoices) -> Vec<FieldChange> {
    let mut changes = Vec::new();
    for one in side_by_side(survivor, merged) {
        let side = match one.is_conflict() {
            true => choices.get(&one.field).copied().unwrap_or(one.proposed),
            false => one.proposed,
        };
        if side == MergeSide::Survivor || one.survivor == one.merged {
            continue;
        }
        if let Some(value) = &one.merged {
            survivor.values.insert(one.field.clone(), value.clone());
        }
        match merged.provenance.get(&one.field) {
            Some(origin) => survivor
                .provenance
                .insert(one.field.clone(), origin.clone()),
            None => survivor.provenance.remove(&one.field),
        };
        changes.push(FieldChange {
            field: one.field,
            before: one.survivor,
            after: one.merged,
        });
    }
    let is_merged_first = merged.created_at < survivor.created_at;
    if survivor.first_submission_id.is_none()
        || (is_merged_first && merged.first_submission_id.is_some())
    {
        survivor
            .first_submission_id
            .clone_from(&merged.first_submission_id);
    }
    if merged.latest_submitted_at > survivor.latest_submitted_at {
        survivor
            .latest_submission_id
            .clone_from(&merged.latest_submission_id);
        survivor.latest_submitted_at = merged.latest_submitted_at;
    }
    survivor.submission_count = survivor
        .submission_count
        .saturating_add(merged.submission_count);
    // The three belong together: a form of one account with a campaign of another would be nobody's.
    if survivor.account_id.is_none() {
        survivor.account_id.clone_from(&merged.account_id);
        survivor.form_id.clone_from(&merged.form_id);
        survivor.campaign_id.clone_from(&merged.campaign_id);
    }
    if survivor.member_urn.is_none() {
        survivor.member_urn.clone_from(&merged.member_urn);
    }
    changes
}

/// Takes the values of a merge back from the lead that stayed: a field that still has the merge's value gets what it had
/// before, with its provenance; a field that somebody changed since keeps what it has. Says what changed.
pub fn take_back(lead: &mut Lead, before: &Lead, changes: &[FieldChange]) -> Vec<FieldChange> {
    let mut back = Vec::new();
    for change in changes {
        if lead.values.get(&change.field) != change.after.as_ref() {
            continue;
        }
        match &change.before {
            Some(value) => lead.values.insert(change.field.clone(), value.clone()),
            None => lead.values.remove(&change.field),
        };
        match before.provenance.get(&change.field) {
            Some(origin) => lead.provenance.insert(change.field.clone(), origin.clone()),
            None => lead.provenance.remove(&change.field),
        };
        back.push(FieldChange {
            field: change.field.clone(),
            before: change.after.clone(),
            after: change.before.clone(),
        });
    }
    back
}

#[cfg(test)]
mod tests;
