//! Checks rows and writes them onto leads: the same decisions, with and without writing.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use uuid::Uuid;

use super::rows::{self, RowRecord};
use super::working_set::{Comparison, WorkingSet, joined_key};
use super::{FIRST_ROW, ImportCounts, LeadImport};
use crate::domain::ids::{ImportId, LeadId};
use crate::domain::lead::{CustomField, LeadStatus};
use crate::domain::lead_import::{
    ColumnTarget, ImportChange, ImportPlan, ImportRow, ImportState, MatchBy, OnMatch, OwnerChoice,
    RowOutcome, RowReading, new_lead, read_row, write_onto,
};
use crate::domain::matching::{Action, Decision, MatchInput, MatchingSettings, decide};
use crate::domain::submission::{MatchingStatus, SubmissionReason};
use crate::each;
use crate::store::leads::JournalChange;
use crate::store::schema::{lead_changes, lead_import_rows, lead_imports};
use crate::store::{AnyConn, StoreError, integration_settings, lock_leads, matching_strategies};

/// Rows a batch: one transaction.
const BATCH: i64 = 1_000;

/// What a batch works with, read once.
struct Rules {
    plan: ImportPlan,
    file_name: String,
    settings: MatchingSettings,
    custom: Vec<CustomField>,
    owners: Vec<OwnerChoice>,
    by: Comparison,
    now: DateTime<Utc>,
    new_id: fn() -> Uuid,
}

impl Rules {
    fn load(
        conn: &mut AnyConn,
        import: &LeadImport,
        now: DateTime<Utc>,
        new_id: fn() -> Uuid,
    ) -> Result<Self, StoreError> {
        let plan = import.plan.clone().ok_or_else(|| {
            StoreError::Rule("Say first what the columns of the file fill.".to_owned())
        })?;
        let settings = integration_settings::get(conn)?.matching;
        let owners = super::owners(conn)?;
        if !owners.iter().any(|owner| owner.id == plan.owner_id) {
            return Err(StoreError::Rule(
                "The owner of new leads is disabled or no longer a user. Choose somebody else."
                    .to_owned(),
            ));
        }
        let active = matching_strategies::active(conn)?;
        let by = Comparison::new(active, plan.match_by, settings.default_country.clone())?;
        Ok(Self {
            plan,
            file_name: import.file_name.clone(),
            settings,
            custom: super::custom_fields(conn)?,
            owners,
            by,
            now,
            new_id,
        })
    }

    fn read(&self, cells: &[String]) -> RowReading {
        let country = self.settings.default_country.as_deref();
        read_row(cells, &self.plan, &self.custom, &self.owners, country)
    }

    fn decide(&self, input: &MatchInput, working: &WorkingSet) -> Decision {
        if self.plan.match_by == MatchBy::Nothing {
            return Decision::without_comparison(
                Action::Create,
                MatchingStatus::NewLeadCreated,
                SubmissionReason::AlwaysCreate,
            );
        }
        decide(input, &working.candidates(input), &self.settings, None)
    }
}

/// What becomes of one row.
struct Settled {
    outcome: RowOutcome,
    reason: Option<String>,
    lead_id: Option<LeadId>,
    changes: Option<Vec<ImportChange>>,
    match_key: Option<String>,
}

impl Settled {
    fn without_lead(outcome: RowOutcome, reason: &str) -> Self {
        Self {
            outcome,
            reason: Some(reason.to_owned()),
            lead_id: None,
            changes: None,
            match_key: None,
        }
    }

    fn skipped(lead_id: LeadId, reason: &str) -> Self {
        Self {
            lead_id: Some(lead_id),
            ..Self::without_lead(RowOutcome::Skipped, reason)
        }
    }
}

/// Checks one batch: nothing is written but what would become of its rows.
pub(super) fn check(
    conn: &mut AnyConn,
    id: &ImportId,
    now: DateTime<Utc>,
    new_id: fn() -> Uuid,
) -> Result<bool, StoreError> {
    batch(conn, id, ImportState::Checking, now, new_id)
}

/// Imports one batch.
pub(super) fn write(
    conn: &mut AnyConn,
    id: &ImportId,
    now: DateTime<Utc>,
    new_id: fn() -> Uuid,
) -> Result<bool, StoreError> {
    // Before the leads are read: the sync decides about leads under the same lock.
    lock_leads(conn)?;
    batch(conn, id, ImportState::Importing, now, new_id)
}

fn batch(
    conn: &mut AnyConn,
    id: &ImportId,
    state: ImportState,
    now: DateTime<Utc>,
    new_id: fn() -> Uuid,
) -> Result<bool, StoreError> {
    let import = super::get(conn, id)?;
    if import.state != state {
        return Ok(import.state.is_working());
    }
    let mut records = rows::load(conn, id, import.next_row, BATCH)?;
    let Some(last) = records.last() else {
        finish(conn, &import, now)?;
        return Ok(false);
    };
    if !claim(conn, &import, last.row_number + 1, now)? {
        // Somebody else works on the same batch.
        return Ok(true);
    }
    let rules = Rules::load(conn, &import, now, new_id)?;
    let is_check = state == ImportState::Checking;
    let mut counts = ImportCounts::default();
    let working = settle(conn, &rules, &mut records, is_check, &mut counts)?;
    if !is_check {
        working.save(conn, &rules.by)?;
        journal(conn, &import, &rules, &records)?;
    }
    rows::save(conn, &records)?;
    count(conn, id, counts)?;
    Ok(true)
}

/// Takes the batch that ends before `end`, unless somebody else took it.
fn claim(
    conn: &mut AnyConn,
    import: &LeadImport,
    end: i64,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let taken = diesel::update(
        lead_imports::table
            .find(import.id.as_str())
            .filter(lead_imports::state.eq(import.state.as_str()))
            .filter(lead_imports::next_row.eq(import.next_row)),
    )
    .set((
        lead_imports::next_row.eq(end),
        lead_imports::updated_at.eq(now.naive_utc()),
    ))
    .execute(conn)?;
    Ok(taken == 1)
}

fn finish(conn: &mut AnyConn, import: &LeadImport, now: DateTime<Utc>) -> Result<(), StoreError> {
    let is_check = import.state == ImportState::Checking;
    let end = if is_check {
        ImportState::Checked
    } else {
        ImportState::Imported
    };
    diesel::update(
        lead_imports::table
            .find(import.id.as_str())
            .filter(lead_imports::state.eq(import.state.as_str())),
    )
    .set((
        lead_imports::state.eq(end.as_str()),
        lead_imports::finished_at.eq((!is_check).then(|| now.naive_utc())),
        lead_imports::updated_at.eq(now.naive_utc()),
    ))
    .execute(conn)?;
    Ok(())
}

fn count(conn: &mut AnyConn, id: &ImportId, counts: ImportCounts) -> Result<(), StoreError> {
    use lead_imports as i;
    diesel::update(i::table.find(id.as_str()))
        .set((
            i::created_count.eq(i::created_count + counts.created),
            i::updated_count.eq(i::updated_count + counts.updated),
            i::skipped_count.eq(i::skipped_count + counts.skipped),
            i::invalid_count.eq(i::invalid_count + counts.invalid),
        ))
        .execute(conn)?;
    Ok(())
}

/// Decides about every row of a batch, each seeing the ones before it.
fn settle(
    conn: &mut AnyConn,
    rules: &Rules,
    records: &mut [RowRecord],
    is_check: bool,
    counts: &mut ImportCounts,
) -> Result<WorkingSet, StoreError> {
    let mut readings = Vec::with_capacity(records.len());
    for record in records.iter() {
        let reading = rules.read(&record.cells_of()?);
        let input = match &reading {
            RowReading::Row(row) => rules.by.input(row),
            RowReading::Empty | RowReading::Invalid(_) => MatchInput::default(),
        };
        readings.push((reading, input));
    }
    let inputs = readings.iter().map(|(_, input)| input);
    let mut working = WorkingSet::load(conn, inputs, &rules.by)?;
    if is_check && rules.plan.match_by != MatchBy::Nothing {
        let inputs = readings.iter().map(|(_, input)| input);
        add_planned(conn, rules, records, inputs, &mut working)?;
    }
    for (record, (reading, input)) in records.iter_mut().zip(&readings) {
        let settled = match reading {
            RowReading::Empty => Settled::without_lead(
                RowOutcome::Skipped,
                "The columns that are imported are all empty.",
            ),
            RowReading::Invalid(problem) => Settled::without_lead(RowOutcome::Invalid, problem),
            RowReading::Row(row) => settle_row(rules, row, input, &mut working),
        };
        match settled.outcome {
            RowOutcome::Created => counts.created += 1,
            RowOutcome::Updated => counts.updated += 1,
            RowOutcome::Skipped => counts.skipped += 1,
            RowOutcome::Invalid => counts.invalid += 1,
        }
        record.outcome = Some(settled.outcome.as_str().to_owned());
        record.reason = settled.reason;
        // A lead that is only planned has no page.
        record.lead_id = settled
            .lead_id
            .filter(|id| !is_check || working.is_stored(id))
            .map(LeadId::into_string);
        record.match_key = settled.match_key.filter(|_| is_check);
        record.changes = match settled.changes {
            Some(changes) => Some(super::json(
                &changes,
                "lead_import_rows",
                "changes",
                &record.import_id,
            )?),
            None => None,
        };
    }
    Ok(working)
}

/// While an import is checked, the leads that earlier rows are to make do not exist yet: they are made in memory.
fn add_planned<'a>(
    conn: &mut AnyConn,
    rules: &Rules,
    records: &[RowRecord],
    inputs: impl Iterator<Item = &'a MatchInput>,
    working: &mut WorkingSet,
) -> Result<(), StoreError> {
    use lead_import_rows as r;
    let Some(first) = records.first().filter(|first| first.row_number > FIRST_ROW) else {
        return Ok(());
    };
    let mut keys: Vec<String> = inputs
        .filter_map(joined_key)
        .filter(|key| !working.has_key(key))
        .collect();
    keys.sort_unstable();
    keys.dedup();
    let planned: Vec<(String, String)> = r::table
        .filter(r::import_id.eq(&first.import_id))
        .filter(r::match_key.eq_any(&keys))
        .filter(r::match_key.is_not_null())
        .order(r::row_number.asc())
        .select((r::match_key.assume_not_null(), r::cells))
        .load(conn)?;
    for (key, cells) in planned {
        let cells: Vec<String> = first.read().json("cells", &cells)?;
        if let RowReading::Row(row) = rules.read(&cells)
            && !working.has_key(&key)
        {
            let id = LeadId::new((rules.new_id)());
            let (lead, _) = new_lead(&row, &rules.plan, id, &rules.file_name, rules.now);
            working.put(lead, &rules.by);
        }
    }
    Ok(())
}

fn settle_row(
    rules: &Rules,
    row: &ImportRow,
    input: &MatchInput,
    working: &mut WorkingSet,
) -> Settled {
    let decision = rules.decide(input, working);
    match decision.action {
        Action::Create => create(rules, row, input, working),
        Action::Update(id) => update(rules, row, &id, working, false),
        Action::Reopen(id) => update(rules, row, &id, working, true),
        Action::Attach(id) => Settled::skipped(
            id,
            "The lead that it matches is closed (Qualified or Disqualified), and closed leads are left alone.",
        ),
        Action::None => Settled::without_lead(RowOutcome::Skipped, why_none(decision.reason)),
    }
}

/// Why the matching strategy leaves a row without a lead.
fn why_none(reason: SubmissionReason) -> &'static str {
    match reason {
        SubmissionReason::SeveralLeadsMatch => {
            "Several leads match it. Merge them first, or change the file so that one matches."
        }
        SubmissionReason::PartialMatchIgnored => {
            "Some of the fields that are compared match a lead, others do not."
        }
        SubmissionReason::NoAnswerForMatchFields => {
            "It has no value in the fields by which leads are found."
        }
        _ => "The matching strategy leaves it without a lead.",
    }
}

fn create(rules: &Rules, row: &ImportRow, input: &MatchInput, working: &mut WorkingSet) -> Settled {
    let id = LeadId::new((rules.new_id)());
    let (lead, changes) = new_lead(row, &rules.plan, id.clone(), &rules.file_name, rules.now);
    working.put(lead, &rules.by);
    Settled {
        outcome: RowOutcome::Created,
        reason: None,
        lead_id: Some(id),
        changes: Some(changes),
        match_key: joined_key(input),
    }
}

fn update(
    rules: &Rules,
    row: &ImportRow,
    id: &LeadId,
    working: &mut WorkingSet,
    reopens: bool,
) -> Settled {
    let Some(mut lead) = working.get(id).cloned() else {
        return Settled::without_lead(RowOutcome::Skipped, "The lead that it matches is gone.");
    };
    if rules.plan.on_match == OnMatch::Skip {
        return Settled::skipped(
            id.clone(),
            "A lead matches, and such rows are to be skipped.",
        );
    }
    let mut changes = write_onto(&mut lead, row, rules.plan.on_match);
    if reopens && lead.status.is_closed() {
        changes.push(ImportChange {
            field: ColumnTarget::Status,
            before: Some(lead.status.as_str().to_owned()),
            after: LeadStatus::New.as_str().to_owned(),
            by: None,
        });
        lead.status = LeadStatus::New;
    }
    if changes.is_empty() {
        let reason = match rules.plan.on_match {
            OnMatch::FillIfEmpty => {
                "The lead that it matches has a value in each of these fields already."
            }
            OnMatch::Overwrite | OnMatch::Skip => {
                "The lead that it matches holds the same values already."
            }
        };
        return Settled::skipped(id.clone(), reason);
    }
    lead.updated_at = rules.now;
    lead.lock_version += 1;
    working.put(lead, &rules.by);
    Settled {
        outcome: RowOutcome::Updated,
        reason: None,
        lead_id: Some(id.clone()),
        changes: Some(changes),
        match_key: None,
    }
}

#[derive(Insertable)]
#[diesel(table_name = lead_changes, treat_none_as_default_value = false)]
pub(super) struct JournalRow {
    pub(super) id: String,
    pub(super) lead_id: String,
    pub(super) user_id: Option<String>,
    pub(super) kind: &'static str,
    pub(super) changes: String,
    pub(super) created_at: chrono::NaiveDateTime,
    pub(super) import_id: Option<String>,
}

/// Adds entries to the journals of leads.
pub(super) fn add_journal(conn: &mut AnyConn, entries: &[JournalRow]) -> Result<(), StoreError> {
    for chunk in entries.chunks(1_000) {
        each!(conn, |c| diesel::insert_into(lead_changes::table)
            .values(chunk)
            .execute(c))?;
    }
    Ok(())
}

/// Changes as a journal shows them: labels of states and names of owners in place of what is stored.
pub(super) fn shown(changes: &[ImportChange], owners: &[OwnerChoice]) -> Vec<JournalChange> {
    let show = |change: &ImportChange, value: &str| match change.field {
        ColumnTarget::Status => value
            .parse::<LeadStatus>()
            .map_or_else(|_| value.to_owned(), |status| status.label().to_owned()),
        ColumnTarget::Owner => owners
            .iter()
            .find(|owner| owner.id.as_str() == value)
            .map_or_else(|| "somebody else".to_owned(), |owner| owner.name.clone()),
        ColumnTarget::Field(_) | ColumnTarget::Topic => value.to_owned(),
    };
    changes
        .iter()
        .map(|change| JournalChange {
            field: change.field.word(),
            before: change.before.as_deref().map(|value| show(change, value)),
            after: Some(show(change, &change.after)).filter(|after| !after.is_empty()),
        })
        .collect()
}

fn journal(
    conn: &mut AnyConn,
    import: &LeadImport,
    rules: &Rules,
    records: &[RowRecord],
) -> Result<(), StoreError> {
    let kinds: HashMap<&str, &'static str> = [
        (RowOutcome::Created.as_str(), "created"),
        (RowOutcome::Updated.as_str(), "updated"),
    ]
    .into();
    let mut entries = Vec::with_capacity(records.len());
    for record in records {
        let kind = record.outcome.as_deref().and_then(|word| kinds.get(word));
        let (Some(kind), Some(lead_id)) = (kind, &record.lead_id) else {
            continue;
        };
        let changes = shown(&record.changes_of()?, &rules.owners);
        entries.push(JournalRow {
            id: (rules.new_id)().hyphenated().to_string(),
            lead_id: lead_id.clone(),
            user_id: import.user_id.as_ref().map(|id| id.as_str().to_owned()),
            kind,
            changes: super::json(&changes, "lead_changes", "changes", lead_id)?,
            created_at: rules.now.naive_utc(),
            import_id: Some(import.id.as_str().to_owned()),
        });
    }
    add_journal(conn, &entries)
}
