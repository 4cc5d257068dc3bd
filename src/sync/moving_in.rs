//! Brings along what was uploaded from Microsoft's withdrawn connector: first what becomes of every record, then all of it in
//! one transaction.

mod submissions;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use uuid::Uuid;

use crate::domain::configuration::ConfigurationFile;
use crate::domain::microsoft_connector::{
    CarriedConfiguration, CarriedDirectory, CarriedSubmissions, ConnectorTable, Verdicts,
    carry_configuration, carry_directory, carry_submissions,
};
use crate::store::audit::{self, Actor};
use crate::store::configuration::Stored;
use crate::store::directory::brought;
use crate::store::{
    AnyConn, Store, StoreError, configuration, connector_records, connector_responses, lock_leads,
    lock_rules,
};

/// How long uploaded rows are kept: they hold what people answered.
const ROWS_KEPT: TimeDelta = TimeDelta::days(30);

/// Everything that comes along, as things stand here now.
struct Carried {
    stored: Stored,
    configuration: CarriedConfiguration,
    directory: CarriedDirectory,
    submissions: CarriedSubmissions,
    /// Uploaded responses that their members deleted.
    deleted: BTreeSet<String>,
}

impl Carried {
    fn read(conn: &mut AnyConn) -> Result<Self, StoreError> {
        let records = connector_records::all(conn)?;
        let stored = configuration::load(conn)?;
        let configuration =
            carry_configuration(&records, &stored.file, &stored.known.custom_fields);
        let directory = carry_directory(&records, &brought::here(conn)?);
        let here = submissions::here(conn, &records)?;
        let submissions = carry_submissions(&records, &directory, &here);
        Ok(Self {
            stored,
            configuration,
            directory,
            submissions,
            deleted: here.deleted,
        })
    }

    /// Stores what becomes of every record. What members deleted is not kept, not even until it is thrown away.
    fn tell(&mut self, conn: &mut AnyConn) -> Result<(), StoreError> {
        let verdicts = self.verdicts();
        connector_records::set_verdicts(conn, &verdicts)?;
        let deleted: Vec<&str> = self.deleted.iter().map(String::as_str).collect();
        connector_records::empty_responses(conn, &deleted)
    }

    fn verdicts(&mut self) -> Verdicts {
        let mut all = std::mem::take(&mut self.configuration.verdicts);
        all.append(&mut self.directory.verdicts);
        all.append(&mut self.submissions.verdicts);
        all
    }
}

/// Works out what becomes of every record, as things stand here now. Nothing is brought along.
///
/// # Errors
/// As any query.
pub fn check(conn: &mut AnyConn) -> Result<(), StoreError> {
    Carried::read(conn)?.tell(conn)
}

/// What was brought along.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BroughtAlong {
    /// Records by table.
    pub records: BTreeMap<ConnectorTable, i64>,
    /// Responses that were noted as handled, though their submissions stay behind.
    pub noted: usize,
}

/// Brings everything along that can come, in the caller's transaction, as a fresh [`check`] says.
///
/// # Errors
/// As any query; `Rule` when the configuration would break a rule all the same.
pub fn apply(
    conn: &mut AnyConn,
    actor: &Actor,
    now: DateTime<Utc>,
    mut new_id: impl FnMut() -> Uuid,
) -> Result<BroughtAlong, StoreError> {
    lock_rules(conn)?;
    lock_leads(conn)?;
    let mut carried = Carried::read(conn)?;
    carried.tell(conn)?;
    let Carried {
        stored,
        configuration,
        directory,
        submissions,
        deleted: _,
    } = carried;
    bring_configuration(conn, &stored, configuration, now, &mut new_id)?;
    brought::add(conn, &directory, now)?;
    submissions::add(conn, &submissions.submissions, now, &mut new_id)?;
    submissions::extend(conn, &submissions.late)?;
    let noted = submissions.handled.len();
    connector_responses::add(conn, submissions.handled.into_iter().collect(), now)?;
    let records = connector_records::finish(conn)?;
    if !records.is_empty() || noted > 0 {
        let told: BTreeMap<&str, i64> = records
            .iter()
            .map(|(table, count)| (table.as_str(), *count))
            .collect();
        audit::record(
            conn,
            now,
            actor,
            "microsoft_connector.brought_along",
            ("microsoft_connector", "records", "Microsoft connector"),
            None,
            Some(json!({ "records": told, "noted_as_handled": noted })),
        )?;
    }
    Ok(BroughtAlong { records, noted })
}

/// Throws away rows that were uploaded long ago. Returns how many there were.
///
/// # Errors
/// As the database.
pub async fn forget_old(store: &Store, now: DateTime<Utc>) -> Result<usize, StoreError> {
    let before = now - ROWS_KEPT;
    if !store
        .read(move |conn| connector_records::has_before(conn, before))
        .await?
    {
        return Ok(0);
    }
    store
        .write(move |tx| {
            let count = connector_records::clear_before(tx, before)?;
            audit::record(
                tx,
                now,
                &Actor::system(),
                "microsoft_connector.thrown_away",
                ("microsoft_connector", "records", "Microsoft connector"),
                Some(json!({ "records": count, "uploaded_before": before.to_rfc3339() })),
                None,
            )?;
            Ok(count)
        })
        .await
}

fn bring_configuration(
    conn: &mut AnyConn,
    stored: &Stored,
    carried: CarriedConfiguration,
    now: DateTime<Utc>,
    new_id: impl FnMut() -> Uuid,
) -> Result<(), StoreError> {
    if carried.mappings.is_empty() && carried.strategies.is_empty() {
        return Ok(());
    }
    let before = &stored.file;
    let with = |more: Vec<_>, here: &Option<Vec<_>>| {
        Some(here.iter().flatten().cloned().chain(more).collect())
    };
    let file = ConfigurationFile {
        field_mappings: with(carried.mappings, &before.field_mappings),
        matching_strategies: Some(
            before
                .matching_strategies
                .iter()
                .flatten()
                .cloned()
                .chain(carried.strategies)
                .collect(),
        ),
        custom_fields: None,
        integration_configuration: None,
        assignment_rules: None,
        ..before.clone()
    };
    if let Some(problem) = file.check(before, &stored.known).first() {
        return Err(StoreError::Rule(format!(
            "{}: {}",
            problem.place, problem.message
        )));
    }
    configuration::replace(conn, stored, &file, now, new_id)
}
