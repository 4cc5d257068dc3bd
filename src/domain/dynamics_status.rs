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
}
