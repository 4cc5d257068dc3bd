//! The states of a lead in Dynamics 365 (`statecode`, `statuscode`) and ours.

use super::lead::LeadStatus;

/// `statecode` of an open lead.
pub const OPEN: i64 = 0;
/// `statuscode` of a new lead.
pub const NEW: i64 = 1;

/// Our status for a lead's state there (dataverse-api.md §3): Open, Qualified, Disqualified; of the open ones, statuscode 2
/// is Contacted and any other, an organization's own ones too, is New. `None` for a state that is unknown.
#[must_use]
pub const fn status_of(statecode: i64, statuscode: Option<i64>) -> Option<LeadStatus> {
    match (statecode, statuscode) {
        (OPEN, Some(2)) => Some(LeadStatus::Contacted),
        (OPEN, _) => Some(LeadStatus::New),
        (1, _) => Some(LeadStatus::Qualified),
        (2, _) => Some(LeadStatus::Disqualified),
        _ => None,
    }
}

/// State and reason of a record there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordStatus {
    /// 0 open, 1 qualified, 2 disqualified.
    pub statecode: i64,
    /// The reason of the state.
    pub statuscode: Option<i64>,
}

impl RecordStatus {
    /// What every record begins with.
    pub const NEW: Self = Self {
        statecode: OPEN,
        statuscode: Some(NEW),
    };

    /// Our status for it; `None` for a state that is unknown.
    #[must_use]
    pub const fn status(self) -> Option<LeadStatus> {
        status_of(self.statecode, self.statuscode)
    }

    /// How people there read it.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match (self.statecode, self.statuscode) {
            (OPEN, Some(NEW)) => "Open – New",
            (OPEN, Some(2)) => "Open – Contacted",
            (OPEN, _) => "Open",
            (1, _) => "Qualified",
            (2, _) => "Disqualified",
            _ => "Unknown",
        }
    }

    /// How a record is when it has our status. Closed ones get the reason that the organization has chosen for their state.
    #[must_use]
    pub const fn of(status: LeadStatus) -> Self {
        let (statecode, statuscode) = match status {
            LeadStatus::New => (OPEN, Some(NEW)),
            LeadStatus::Contacted => (OPEN, Some(2)),
            LeadStatus::Qualified => (1, None),
            LeadStatus::Disqualified => (2, None),
        };
        Self {
            statecode,
            statuscode,
        }
    }
}

fn known_status(known: Option<RecordStatus>) -> LeadStatus {
    known
        .unwrap_or(RecordStatus::NEW)
        .status()
        .unwrap_or(LeadStatus::New)
}

/// The status that our lead gets because somebody there changed the record; `None` where nobody did, or ours is the same.
///
/// `known` is how the record was when it was last read or written; a record that was never seen began as New.
#[must_use]
pub fn came_back(
    known: Option<RecordStatus>,
    there: RecordStatus,
    ours: LeadStatus,
) -> Option<LeadStatus> {
    let status = there.status()?;
    (status != known_status(known) && status != ours).then_some(status)
}

/// The status that the record gets because somebody here changed the lead; `None` where nobody did, or the record was changed
/// there meanwhile, which counts more.
#[must_use]
pub fn goes_out(
    known: Option<RecordStatus>,
    there: RecordStatus,
    ours: LeadStatus,
) -> Option<LeadStatus> {
    let status = there.status()?;
    (ours != known_status(known) && status == known_status(known)).then_some(ours)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_there_is_one_of_ours() {
        for (statecode, statuscode, status) in [
            (0, Some(1), Some(LeadStatus::New)),
            (0, Some(2), Some(LeadStatus::Contacted)),
            (0, Some(100_000_000), Some(LeadStatus::New)),
            (0, None, Some(LeadStatus::New)),
            (1, Some(3), Some(LeadStatus::Qualified)),
            (2, Some(7), Some(LeadStatus::Disqualified)),
            (9, None, None),
        ] {
            assert_eq!(status_of(statecode, statuscode), status);
        }
    }

    #[test]
    fn our_status_and_its_record_are_each_other() {
        for status in LeadStatus::ALL {
            assert_eq!(RecordStatus::of(*status).status(), Some(*status));
        }
    }

    #[test]
    fn whoever_changed_the_status_decides_and_there_counts_more() {
        use LeadStatus::{Contacted, Disqualified, New, Qualified};
        let record = |status| RecordStatus::of(status);
        // Known, there, ours; what comes back, what goes out.
        let cases = [
            (None, New, New, None, None),
            (None, Contacted, New, Some(Contacted), None),
            (None, New, Qualified, None, Some(Qualified)),
            (Some(New), New, New, None, None),
            (Some(New), Qualified, New, Some(Qualified), None),
            // Our own write, read back before it was noted, and after.
            (Some(New), Qualified, Qualified, None, None),
            (Some(Qualified), Qualified, Qualified, None, None),
            (Some(New), New, Disqualified, None, Some(Disqualified)),
            (Some(Disqualified), Disqualified, New, None, Some(New)),
            // Both: there.
            (Some(New), Qualified, Disqualified, Some(Qualified), None),
        ];
        for (known, there, ours, comes, goes) in cases {
            let (known, there) = (known.map(record), record(there));
            assert_eq!(
                came_back(known, there, ours),
                comes,
                "{known:?} {there:?} {ours}"
            );
            assert_eq!(
                goes_out(known, there, ours),
                goes,
                "{known:?} {there:?} {ours}"
            );
        }
        let strange = RecordStatus {
            statecode: 9,
            statuscode: None,
        };
        assert_eq!(came_back(Some(record(New)), strange, New), None);
        assert_eq!(goes_out(Some(record(New)), strange, Qualified), None);
    }
}
