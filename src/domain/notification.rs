//! What LinkedIn's webhook tells about a submission.

use crate::words;

words! {
    /// What happened to a submission at LinkedIn.
    pub enum NotificationAction {
        Created = "created" => "Submitted",
        Deleted = "deleted" => "Deleted by the member",
    }
}
