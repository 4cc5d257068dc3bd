//! One line on whether LinkedIn notifies the portal of leads, for an account and for all of them.

use chrono::{DateTime, Utc};

use crate::store::notification_subscriptions::NotificationStanding;

/// The line, and when the last notification came.
pub struct Notified {
    /// The badge's tone.
    pub tone: &'static str,
    /// The badge.
    pub label: &'static str,
    /// What it means.
    pub sentence: String,
    /// When the last notification came, where they arrive.
    pub last_received_at: Option<DateTime<Utc>>,
}

impl Notified {
    /// Says how it stands. `is_on`: the portal asks LinkedIn for notifications.
    #[must_use]
    pub fn of(standing: &NotificationStanding, is_on: bool) -> Self {
        let (tone, label, sentence) = if standing.failed > 0 {
            let why = standing
                .failure
                .map(|reason| format!(" {}", reason.explain()))
                .unwrap_or_default();
            (
                "warn",
                "Not all arrive",
                format!(
                    "LinkedIn could not be asked for every notification.{why} Leads without one arrive with the next sync; the portal tries again by itself."
                ),
            )
        } else if standing.active > 0 && is_on {
            (
                "good",
                "Arrive",
                "LinkedIn tells the portal of a lead within seconds.".to_owned(),
            )
        } else if standing.pending > 0 && is_on {
            (
                "quiet",
                "Being set up",
                "The portal is asking LinkedIn for notifications.".to_owned(),
            )
        } else if is_on {
            (
                "quiet",
                "None asked for",
                "Notifications are asked for once an account is authorized and its sync enabled."
                    .to_owned(),
            )
        } else {
            (
                "quiet",
                "Switched off",
                "Leads arrive with the next sync. Notifications need a public https address (LEADGEN_PUBLIC_URL, LEADGEN_LINKEDIN_WEBHOOK)."
                    .to_owned(),
            )
        };
        Self {
            tone,
            label,
            sentence,
            last_received_at: standing.last_received_at,
        }
    }
}
