//! The mail server, if there is one: without it nothing is mailed, and links are shown to Administrators.

use secrecy::{ExposeSecret, SecretString};

use super::reader::Reader;
use crate::mail::{self, MailSettings};

/// Reads the mail server's address and the sender, which belong together.
pub(super) fn read(reader: &mut Reader<'_>) -> Option<MailSettings> {
    let url = reader.optional("LEADGEN_SMTP_URL").map(SecretString::from);
    let from = reader.optional("LEADGEN_MAIL_FROM");
    if let Some(url) = &url
        && let Err(problem) = mail::check_url(url.expose_secret())
    {
        reader.problems.push(format!("LEADGEN_SMTP_URL: {problem}"));
        return None;
    }
    if let Some(from) = &from
        && let Err(problem) = mail::check_from(from)
    {
        reader
            .problems
            .push(format!("LEADGEN_MAIL_FROM: {problem}"));
        return None;
    }
    match (url, from) {
        (Some(url), Some(from)) => match MailSettings::new(url, &from) {
            Ok(settings) => Some(settings),
            Err(problem) => {
                reader.problems.push(format!("LEADGEN_SMTP_URL: {problem}"));
                None
            }
        },
        (None, None) => None,
        _ => {
            reader.problems.push(
                "LEADGEN_SMTP_URL and LEADGEN_MAIL_FROM belong together: set both or none".into(),
            );
            None
        }
    }
}
