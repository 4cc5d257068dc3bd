//! What LinkedIn's webhook tells about a submission, and who may be told.

use super::account::LeadType;
use crate::words;

words! {
    /// What happened to a submission at LinkedIn.
    pub enum NotificationAction {
        Created = "created" => "Submitted",
        Deleted = "deleted" => "Deleted by the member",
    }
}

words! {
    /// What becomes of the lead when a member deletes the answers that it came from.
    pub enum MemberDeletion {
        Erase = "erase" => "Erase the lead’s values that came only from them",
        Keep = "keep" => "Keep the lead as it is",
    }
}

words! {
    /// How a subscription to notifications stands.
    pub enum SubscriptionState {
        Pending = "pending" => "About to be made",
        Active = "active" => "Active",
        Failed = "failed" => "Failed",
        Deleted = "deleted" => "Ended",
    }
}

/// Page roles that let a member read event leads (linkedin-api.md §3.4).
pub const EVENT_ROLES: &[&str] = &["ADMINISTRATOR", "CONTENT_ADMINISTRATOR"];

/// Whether a member with these page roles may read leads of this type, or subscribe to them: event leads are for two roles only.
#[must_use]
pub fn may_read<S: AsRef<str>>(lead_type: LeadType, page_roles: &[S]) -> bool {
    lead_type != LeadType::Event
        || page_roles
            .iter()
            .any(|role| EVENT_ROLES.contains(&role.as_ref()))
}
