//! What every client of a service reads in an answer that refuses: how long to wait, and the service's words.

use std::time::Duration;

use chrono::{DateTime, Utc};

/// The longest wait that a `Retry-After` may ask of us.
pub const RETRY_AFTER_CAP: Duration = Duration::from_hours(24);
/// Messages are kept for the pages, but not without end.
const MESSAGE_CAP: usize = 300;

/// `Retry-After` as whole seconds or as an HTTP date (RFC 9110 §10.2.3), which is read against the answer's own `Date`; at most
/// [`RETRY_AFTER_CAP`]. `None`: it cannot be read.
#[must_use]
pub fn retry_after(value: &str, date: Option<DateTime<Utc>>) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        // More digits than fit are a very long wait, not garbage.
        let seconds = value.parse().unwrap_or(u64::MAX);
        return Some(Duration::from_secs(seconds).min(RETRY_AFTER_CAP));
    }
    let wait = http_date(value)?.signed_duration_since(date?);
    Some(wait.to_std().unwrap_or(Duration::ZERO).min(RETRY_AFTER_CAP))
}

/// The same of a whole answer's headers.
#[must_use]
pub fn retry_after_in(headers: &reqwest::header::HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    retry_after(text("retry-after")?, text("date").and_then(http_date))
}

/// An HTTP date (`Sun, 06 Nov 1994 08:49:37 GMT`).
#[must_use]
pub fn http_date(value: &str) -> Option<DateTime<Utc>> {
    let naive =
        chrono::NaiveDateTime::parse_from_str(value.trim(), "%a, %d %b %Y %H:%M:%S GMT").ok()?;
    Some(naive.and_utc())
}

/// One line of at most 300 characters without control characters and without the secret that was sent.
#[must_use]
pub fn tidy(text: &str, secret: Option<&str>) -> String {
    let text = match secret {
        Some(secret) if !secret.is_empty() => text.replace(secret, "[removed]"),
        _ => text.to_owned(),
    };
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MESSAGE_CAP)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_read_capped_or_ignored() {
        let date = http_date("Sat, 21 Nov 2026 07:00:00 GMT");
        let seconds = |n| Some(Duration::from_secs(n));
        for (value, expected) in [
            ("0", seconds(0)),
            ("120", seconds(120)),
            (" 7 ", seconds(7)),
            ("31536000", Some(RETRY_AFTER_CAP)),
            ("99999999999999999999999", Some(RETRY_AFTER_CAP)),
            ("Sat, 21 Nov 2026 07:01:30 GMT", seconds(90)),
            ("Sat, 21 Nov 2026 06:00:00 GMT", seconds(0)),
            ("Sun, 21 Nov 2027 07:00:00 GMT", Some(RETRY_AFTER_CAP)),
            ("-5", None),
            ("soon", None),
            ("1.5", None),
            ("", None),
            ("Sat, 99 Nov 2026 06:00:00 GMT", None),
        ] {
            assert_eq!(retry_after(value, date), expected, "{value}");
        }
    }

    #[test]
    fn words_are_one_short_line_without_the_secret() {
        assert_eq!(tidy("a\nb s3cret", Some("s3cret")), "a b [removed]");
        assert_eq!(tidy(&"x".repeat(400), None).len(), MESSAGE_CAP);
    }
}
