//! The rules of the sync: states of a run, reasons of failure, when to try again, and which time window to read.

mod failure;
mod page;
mod retry;
#[cfg(test)]
mod tests;
mod window;

pub use failure::FailureReason;
pub use page::is_last_page;
pub use retry::{RETRY_AFTER_CAP, next_attempt};
pub use window::{OpenWindow, StreamState, WindowPolicy, advance, open_window};

use super::words::words;

words! {
    /// How a sync run stands.
    pub enum RunStatus {
        Running = "running" => "Running",
        Succeeded = "succeeded" => "Succeeded",
        PartlyFailed = "partly_failed" => "Partly failed",
        Failed = "failed" => "Failed",
        /// Its lease ran out: the process died or was stalled.
        Abandoned = "abandoned" => "Abandoned",
    }
}

impl RunStatus {
    /// Whether nothing more will happen to the run.
    #[must_use]
    pub const fn is_finished(self) -> bool {
        !matches!(self, Self::Running)
    }

    /// The status of a run that has ended, from how many of its parts succeeded and failed.
    #[must_use]
    pub const fn from_parts(succeeded: usize, failed: usize) -> Self {
        match (succeeded, failed) {
            (_, 0) => Self::Succeeded,
            (0, _) => Self::Failed,
            (_, _) => Self::PartlyFailed,
        }
    }
}

words! {
    /// What a run reads.
    pub enum RunKind {
        /// The accounts that a profile may read.
        Accounts = "accounts" => "Accounts of a profile",
        /// Forms, campaigns and submissions of one account.
        Account = "account" => "Forms and submissions of an account",
    }
}

words! {
    /// What started a run.
    pub enum RunTrigger {
        Scheduled = "scheduled" => "Schedule",
        Manual = "manual" => "Sync submissions",
        Reset = "reset" => "Reset Synchronization",
        CommandLine = "command_line" => "Command line",
    }
}
