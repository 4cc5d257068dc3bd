//! How each state looks: the tone of its badge (good, busy, warn, bad, quiet). The words beside it say the same.

use crate::domain::account::{CampaignSyncStatus, FormSyncStatus};
use crate::domain::form::FormStatus;
use crate::domain::lead::LeadStatus;
use crate::domain::lead_import::{ImportState, RowOutcome};
use crate::domain::profile::{Authorization, ProfileSyncStatus};
use crate::domain::submission::{MatchingStatus, ProcessingState};
use crate::domain::sync::RunStatus;

/// Of a matching status.
#[must_use]
pub const fn matching(status: &MatchingStatus) -> &'static str {
    match status {
        MatchingStatus::PendingLeadMatching => "busy",
        MatchingStatus::NewLeadCreated | MatchingStatus::UpdatedExistingLead => "good",
        MatchingStatus::MatchFailed | MatchingStatus::LeadMatchedButNotUpdated => "warn",
        MatchingStatus::LeadCreationFailed | MatchingStatus::LeadUpdateFailed => "bad",
    }
}

/// Of a processing state.
#[must_use]
pub const fn processing(state: &ProcessingState) -> &'static str {
    match state {
        ProcessingState::Unprocessed => "busy",
        ProcessingState::ProcessingSucceeded => "good",
        ProcessingState::ProcessingFailed => "bad",
    }
}

/// Of a lead's status.
#[must_use]
pub const fn lead(status: &LeadStatus) -> &'static str {
    match status {
        LeadStatus::New => "busy",
        LeadStatus::Contacted => "warn",
        LeadStatus::Qualified => "good",
        LeadStatus::Disqualified => "quiet",
    }
}

/// Of a profile's authorization.
#[must_use]
pub const fn authorization(state: &Authorization) -> &'static str {
    match state {
        Authorization::NotAuthorized => "quiet",
        Authorization::Authorized => "good",
        Authorization::Expired | Authorization::ConsentWithdrawn => "bad",
        Authorization::Reauthorizing => "busy",
    }
}

/// Of a profile's sync.
#[must_use]
pub const fn profile_sync(state: &ProfileSyncStatus) -> &'static str {
    match state {
        ProfileSyncStatus::NotSyncing => "quiet",
        ProfileSyncStatus::SyncingAccounts => "busy",
        ProfileSyncStatus::Active => "good",
        ProfileSyncStatus::NoAccountsAvailable => "warn",
    }
}

/// Of the sync of an account's forms.
#[must_use]
pub const fn form_sync(state: &FormSyncStatus) -> &'static str {
    match state {
        FormSyncStatus::NotSyncing => "quiet",
        FormSyncStatus::PendingSynchronization => "busy",
        FormSyncStatus::Active => "good",
        FormSyncStatus::NoFormsAvailable => "warn",
        FormSyncStatus::Forbidden => "bad",
    }
}

/// Of the sync of an account's campaigns.
#[must_use]
pub const fn campaign_sync(state: &CampaignSyncStatus) -> &'static str {
    match state {
        CampaignSyncStatus::Pending => "busy",
        CampaignSyncStatus::Active => "good",
        CampaignSyncStatus::NoActiveCampaignsAvailable => "quiet",
        CampaignSyncStatus::Forbidden => "bad",
    }
}

/// Of the sync of a form.
#[must_use]
pub const fn form(state: &FormStatus) -> &'static str {
    match state {
        FormStatus::Pending => "busy",
        FormStatus::Active => "good",
        FormStatus::NoFormSubmissions => "quiet",
        FormStatus::Forbidden => "bad",
    }
}

/// Of a sync run.
#[must_use]
pub const fn run(status: &RunStatus) -> &'static str {
    match status {
        RunStatus::Running => "busy",
        RunStatus::Succeeded => "good",
        RunStatus::PartlyFailed | RunStatus::Abandoned => "warn",
        RunStatus::Failed => "bad",
    }
}
/// Of the outcome of a row of an import.
#[must_use]
pub const fn import_row(outcome: &RowOutcome) -> &'static str {
    match outcome {
        RowOutcome::Created | RowOutcome::Updated => "good",
        RowOutcome::Skipped => "quiet",
        RowOutcome::Invalid => "bad",
    }
}

/// Of the state of an import of leads.
#[must_use]
pub const fn lead_import(state: &ImportState) -> &'static str {
    match state {
        ImportState::Reading | ImportState::Mapping | ImportState::Undone => "quiet",
        ImportState::Checking | ImportState::Importing | ImportState::Undoing => "busy",
        ImportState::Checked => "warn",
        ImportState::Imported => "good",
    }
}

/// Of what becomes of a record of Microsoft's connector.
#[must_use]
pub const fn connector_record(
    outcome: &crate::domain::microsoft_connector::Outcome,
) -> &'static str {
    use crate::domain::microsoft_connector::Outcome;
    match outcome {
        Outcome::Becomes => "busy",
        Outcome::Done => "good",
        Outcome::There | Outcome::Helps | Outcome::Notes => "quiet",
        Outcome::LeftOut => "warn",
    }
}

/// What an import does to a record.
#[must_use]
pub const fn difference(kind: &crate::domain::configuration::DifferenceKind) -> &'static str {
    use crate::domain::configuration::DifferenceKind as Kind;
    match kind {
        Kind::Added => "good",
        Kind::Changed => "busy",
        Kind::Removed => "warn",
    }
}
