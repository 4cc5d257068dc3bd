//! Coming from Microsoft's withdrawn connector: what the records of its exported tables become here, and which stay behind.
//!
//! The names of its tables and columns stand in dataverse-api.md §5. Exports come in several shapes: with logical names
//! (`msdyncrm_leadfield`) or with display names (“Lead field”), options as numbers or labels, lookups as GUIDs or names, times in
//! UTC or as whoever exported reads them.

mod cells;
mod configuration;
mod dates;
mod directory;
mod submissions;
mod tables;
#[cfg(test)]
mod tests;
mod values;

use std::collections::BTreeMap;

use crate::domain::words::words;

pub use cells::{RecordCells, folded};
pub use configuration::{CarriedConfiguration, carry_configuration};
pub use dates::{DateOrder, DateProblem, DateReading, settle_times};
pub use directory::{
    AccountHere, CarriedAccount, CarriedCampaign, CarriedDirectory, CarriedForm, DirectoryHere,
    EXPORTED_VERSION, PersonHere, carry_directory,
};
pub use submissions::{
    CarriedSubmission, CarriedSubmissions, LateAnswers, ResponsesHere, answered_response_ids,
    carry_submissions, response_ids, tie_of,
};
pub use tables::{
    ConnectorTable, NotCarried, matching_fail_of, not_carried, recognise, record_of,
    record_of_response,
};

words! {
    /// What becomes of a record.
    pub enum Outcome {
        Becomes = "becomes" => "Comes along",
        Notes = "notes" => "Noted as handled",
        There = "there" => "Here already",
        Helps = "helps" => "Only looked up",
        LeftOut = "left_out" => "Stays behind",
        Done = "done" => "Brought along",
    }
}

/// One record of an exported table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectorRecord {
    /// What makes it the same record in two files: its GUID, else what LinkedIn or people call it.
    pub key: String,
    /// What people know it by.
    pub label: String,
    /// Its columns.
    pub cells: RecordCells,
}

/// Records by table.
pub type ConnectorRecords = BTreeMap<ConnectorTable, Vec<ConnectorRecord>>;

/// What becomes of a record, with a sentence that says what or why not.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Verdict {
    /// What becomes of it.
    pub outcome: Outcome,
    /// One or two sentences.
    pub explanation: String,
}

impl Verdict {
    fn new(outcome: Outcome, explanation: impl Into<String>) -> Self {
        Self {
            outcome,
            explanation: explanation.into(),
        }
    }

    fn becomes(explanation: impl Into<String>) -> Self {
        Self::new(Outcome::Becomes, explanation)
    }

    fn there(explanation: impl Into<String>) -> Self {
        Self::new(Outcome::There, explanation)
    }

    fn helps(explanation: impl Into<String>) -> Self {
        Self::new(Outcome::Helps, explanation)
    }

    fn left_out(explanation: impl Into<String>) -> Self {
        Self::new(Outcome::LeftOut, explanation)
    }
}

/// Verdicts by table and key of the record.
pub type Verdicts = BTreeMap<(ConnectorTable, String), Verdict>;

fn records_of(records: &ConnectorRecords, table: ConnectorTable) -> &[ConnectorRecord] {
    records.get(&table).map_or(&[], Vec::as_slice)
}
