//! Mail to people: what it is about and how it reads.

use super::words::words;

words! {
    /// What a mail is about.
    pub enum MailKind {
        Invitation = "invitation" => "Invitation",
        PasswordReset = "password_reset" => "Link for a new password",
        Test = "test" => "Test mail",
    }
}

words! {
    /// How far a mail has come.
    pub enum MailState {
        Waiting = "waiting" => "Waiting",
        Sent = "sent" => "Sent",
        Failed = "failed" => "Failed",
    }
}

/// How often the mail server is tried, with pauses that double from one minute on: for about two hours.
pub const ATTEMPTS: i64 = 8;

/// Subject and text of a mail to somebody of this name; `link` is what it leads to.
#[must_use]
pub fn text(kind: MailKind, name: &str, link: &str) -> (&'static str, String) {
    match kind {
        MailKind::Invitation => (
            "Your invitation to Leadgen Connector",
            format!(
                "Hello {name},\n\nyou were invited to Leadgen Connector. Open this link within 7 days to choose a password; it works once:\n\n{link}\n\nIf you did not expect this, you need not do anything.\n"
            ),
        ),
        MailKind::PasswordReset => (
            "Set a new password for Leadgen Connector",
            format!(
                "Hello {name},\n\nopen this link within 24 hours to set a new password; it works once, and all your sessions end then:\n\n{link}\n\nIf you did not ask for this, you need not do anything: your password stays as it is.\n"
            ),
        ),
        MailKind::Test => (
            "Test mail of Leadgen Connector",
            format!(
                "Hello {name},\n\nthis is the test mail that was asked for under Settings › System. Mail from the portal arrives.\n\n{link}\n"
            ),
        ),
    }
}
