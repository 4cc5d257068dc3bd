//! Takes an import back: deletes the leads that it made and restores the values that it changed, where nothing changed
//! them since.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use uuid::Uuid;

use super::apply::{JournalRow, add_journal, shown};
use super::rows::RowRecord;
use super::working_set::Comparison;
use super::{LeadImport, UndoCounts};
use crate::domain::ids::{ImportId, LeadId};
use crate::domain::lead::Lead;
use crate::domain::lead_import::{
    ImportChange, ImportState, MatchBy, RowOutcome, UndoOutcome, take_back,
};
use crate::store::match_keys::{self, LeadKeys};
use crate::store::schema::{lead_import_rows, lead_imports, lead_notes, leads};
use crate::store::{
    AnyConn, StoreError, integration_settings, lead_rows, lock_leads, matching_strategies,
};

/// Leads a batch.
const BATCH: i64 = 500;

/// Undoes one batch of leads; whether there are more.
pub(super) fn batch(
    conn: &mut AnyConn,
    id: &ImportId,
    now: DateTime<Utc>,
    new_id: fn() -> Uuid,
) -> Result<bool, StoreError> {
    use lead_import_rows as r;
    lock_leads(conn)?;
    let import = super::get(conn, id)?;
    if import.state != ImportState::Undoing {
        return Ok(false);
    }
    let ids: Vec<Option<String>> = r::table
        .filter(r::import_id.eq(id.as_str()))
        .filter(r::changes.is_not_null())
        .filter(r::undo_outcome.is_null())
        .select(r::lead_id)
        .distinct()
        .order(r::lead_id.asc())
        .limit(BATCH)
        .load(conn)?;
    let ids: Vec<String> = ids.into_iter().flatten().collect();
    if ids.is_empty() {
        finish(conn, id, now)?;
        return Ok(false);
    }
    let records: Vec<RowRecord> = r::table
        .filter(r::import_id.eq(id.as_str()))
        .filter(r::changes.is_not_null())
        .filter(r::lead_id.eq_any(&ids))
        .order(r::row_number.asc())
        .load(conn)?;
    let mut by_lead: BTreeMap<&str, Vec<&RowRecord>> = BTreeMap::new();
    for record in &records {
        if let Some(lead) = record.lead_id.as_deref() {
            by_lead.entry(lead).or_default().push(record);
        }
    }
    let mut work = Work::load(conn, &by_lead)?;
    for (lead, rows) in &by_lead {
        work.take_back(lead, rows)?;
    }
    work.save(conn, &import, now, new_id)?;
    Ok(true)
}

fn finish(conn: &mut AnyConn, id: &ImportId, now: DateTime<Utc>) -> Result<(), StoreError> {
    diesel::update(
        lead_imports::table
            .find(id.as_str())
            .filter(lead_imports::state.eq(ImportState::Undoing.as_str())),
    )
    .set((
        lead_imports::state.eq(ImportState::Undone.as_str()),
        lead_imports::undone_at.eq(Some(now.naive_utc())),
        lead_imports::updated_at.eq(now.naive_utc()),
    ))
    .execute(conn)?;
    Ok(())
}

/// A batch of leads on the way back.
struct Work {
    leads: HashMap<String, Lead>,
    /// Leads with notes.
    noted: HashSet<String>,
    removed: Vec<String>,
    restored: Vec<(Lead, Vec<ImportChange>)>,
    /// (outcome, why) → leads.
    outcomes: BTreeMap<(UndoOutcome, Option<String>), Vec<String>>,
}

impl Work {
    fn load(
        conn: &mut AnyConn,
        by_lead: &BTreeMap<&str, Vec<&RowRecord>>,
    ) -> Result<Self, StoreError> {
        let ids = by_lead
            .keys()
            .map(|id| super::super::columns::id("leads", id))
            .collect::<Result<Vec<LeadId>, _>>()?;
        let noted: Vec<String> = lead_notes::table
            .filter(lead_notes::lead_id.eq_any(by_lead.keys()))
            .select(lead_notes::lead_id)
            .distinct()
            .load(conn)?;
        Ok(Self {
            noted: noted.into_iter().collect(),
            leads: lead_rows::load(conn, &ids)?
                .into_iter()
                .map(|lead| (lead.id.as_str().to_owned(), lead))
                .collect(),
            removed: Vec::new(),
            restored: Vec::new(),
            outcomes: BTreeMap::new(),
        })
    }

    fn note(&mut self, lead: &str, outcome: UndoOutcome, why: Option<String>) {
        self.outcomes
            .entry((outcome, why))
            .or_default()
            .push(lead.to_owned());
    }

    /// Decides about one lead; its rows in the order of the file.
    fn take_back(&mut self, id: &str, rows: &[&RowRecord]) -> Result<(), StoreError> {
        let Some(mut lead) = self.leads.remove(id) else {
            let why = "The lead is not there any more: it was deleted, or merged into another one.";
            self.note(id, UndoOutcome::Kept, Some(why.to_owned()));
            return Ok(());
        };
        let is_ours = rows
            .first()
            .is_some_and(|row| row.outcome.as_deref() == Some(RowOutcome::Created.as_str()));
        if is_ours {
            // It was made with version 1, and each further row of the file counted it up once.
            let versions = i64::try_from(rows.len()).unwrap_or(i64::MAX);
            let is_unchanged = lead.lock_version == versions && lead.submission_count == 0;
            if is_unchanged && !self.noted.contains(id) {
                self.removed.push(id.to_owned());
                self.note(id, UndoOutcome::Removed, None);
            } else {
                let why = "The lead was changed, or somebody wrote a note on it, after the import, so it was not deleted.";
                self.note(id, UndoOutcome::Kept, Some(why.to_owned()));
            }
            return Ok(());
        }
        let mut changes = Vec::new();
        for row in rows {
            changes.extend(row.changes_of()?);
        }
        let (restored, kept) = take_back(&mut lead, &changes);
        let why = match (restored.len(), kept) {
            (_, 0) => None,
            (0, _) => Some("Every value was changed after the import.".to_owned()),
            (_, 1) => {
                Some("One value was left alone because it was changed after the import.".to_owned())
            }
            (_, kept) => Some(format!(
                "{kept} values were left alone because they were changed after the import."
            )),
        };
        if restored.is_empty() {
            self.note(id, UndoOutcome::Kept, why);
        } else {
            self.note(id, UndoOutcome::Restored, why);
            self.restored.push((lead, restored));
        }
        Ok(())
    }

    fn save(
        mut self,
        conn: &mut AnyConn,
        import: &LeadImport,
        now: DateTime<Utc>,
        new_id: fn() -> Uuid,
    ) -> Result<(), StoreError> {
        diesel::delete(leads::table.filter(leads::id.eq_any(&self.removed))).execute(conn)?;
        let owners = super::owners(conn)?;
        let mut entries = Vec::new();
        for (lead, changes) in &mut self.restored {
            lead.updated_at = now;
            lead.lock_version += 1;
            entries.push(JournalRow {
                id: new_id().hyphenated().to_string(),
                lead_id: lead.id.as_str().to_owned(),
                user_id: None,
                kind: "edited",
                changes: super::json(
                    &shown(changes, &owners),
                    "lead_changes",
                    "changes",
                    lead.id.as_str(),
                )?,
                created_at: now.naive_utc(),
                import_id: Some(import.id.as_str().to_owned()),
            });
        }
        let restored: Vec<&Lead> = self.restored.iter().map(|(lead, _)| lead).collect();
        lead_rows::save(conn, &restored)?;
        add_journal(conn, &entries)?;
        rekey(conn, &restored)?;
        let counts = self.mark(conn, &import.id)?;
        use lead_imports as i;
        diesel::update(i::table.find(import.id.as_str()))
            .set((
                i::removed_count.eq(i::removed_count + counts.removed),
                i::restored_count.eq(i::restored_count + counts.restored),
                i::kept_count.eq(i::kept_count + counts.kept),
                i::updated_at.eq(now.naive_utc()),
            ))
            .execute(conn)?;
        Ok(())
    }

    /// Marks the rows of each lead with what was done to it.
    fn mark(&self, conn: &mut AnyConn, id: &ImportId) -> Result<UndoCounts, StoreError> {
        use lead_import_rows as r;
        let mut counts = UndoCounts::default();
        for ((outcome, why), leads) in &self.outcomes {
            let number = i64::try_from(leads.len()).unwrap_or(i64::MAX);
            match outcome {
                UndoOutcome::Removed => counts.removed += number,
                UndoOutcome::Restored => counts.restored += number,
                UndoOutcome::Kept => counts.kept += number,
            }
            diesel::update(
                r::table
                    .filter(r::import_id.eq(id.as_str()))
                    .filter(r::changes.is_not_null())
                    .filter(r::undo_outcome.is_null())
                    .filter(r::lead_id.eq_any(leads)),
            )
            .set((
                r::undo_outcome.eq(Some(outcome.as_str())),
                r::undo_reason.eq(why.as_deref()),
            ))
            .execute(conn)?;
        }
        Ok(counts)
    }
}

fn rekey(conn: &mut AnyConn, restored: &[&Lead]) -> Result<(), StoreError> {
    if restored.is_empty() {
        return Ok(());
    }
    let country = integration_settings::get(conn)?.matching.default_country;
    let by = Comparison::new(
        matching_strategies::active(conn)?,
        MatchBy::Strategy,
        country,
    )?;
    let keys: Vec<(LeadId, LeadKeys)> = restored
        .iter()
        .map(|lead| (lead.id.clone(), by.kept_keys(lead)))
        .collect();
    match_keys::replace(conn, &keys)
}
