//! What the tests of the settings pages share: a portal after its first start, hostile texts, and the table of bad input.

use leadgen::domain::access::Role;

use crate::start::TestPortal;
use crate::support::{Browserlike, Page};

/// A portal with the data of a first start, and a browser in which an Administrator has signed in.
pub async fn seeded() -> (TestPortal, Browserlike) {
    let portal = TestPortal::start().await;

    let browser = portal.sign_in_as(&[Role::Administrator]).await;
    (portal, browser)
}

/// What the audit log holds of changes, oldest first: the entries of one instant stand in the order of writing.
pub fn audited_changes(portal: &TestPortal) -> Vec<String> {
    portal.database.texts(
        "SELECT action AS value FROM audit_entries WHERE action <> 'sign_in.succeeded' ORDER BY created_at, id",
    )
}

/// Texts that must come back as they were typed wherever text is allowed.
pub const STRANGE_TEXTS: &[&str] = &[
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "'; DROP TABLE users; --",
    "Robert'); DELETE FROM leads;--",
    "\u{202e}esrever \u{200f}مرحبا",
    "🦊👩‍👩‍👧‍👦 e\u{301}",
    "{{ shell.csrf_token }} %s %n ${7*7}",
    "a & b < c > d \"e\" 'f'",
];

/// Values that no list of choices holds.
pub const NO_CHOICES: &[&str] = &[
    "",
    "0",
    "true",
    "nonsense",
    "<script>alert(1)</script>",
    "'; DROP TABLE users; --",
    "\u{202e}x",
    "🦊",
];

/// Four thousand characters.
pub fn four_thousand() -> String {
    "ü".repeat(4_000)
}

/// Sends the form with one field changed and expects: 422, a message at that field, the value kept, no script.
pub async fn refuse(
    browser: &Browserlike,
    path: &str,
    button: &str,
    base: &[(&str, &str)],
    field: &str,
    value: &str,
    at: &str,
) -> Page {
    let page = browser.get(path).await.expect(200);
    let mut changes: Vec<(&str, Option<&str>)> = base
        .iter()
        .map(|(name, value)| (*name, Some(*value)))
        .filter(|(name, _)| *name != field)
        .collect();
    changes.push((field, Some(value)));
    let answer = browser.submit(&page, button, &changes).await;
    assert_eq!(
        answer.status,
        422,
        "{field} = {value:.60}: {}",
        answer.text()
    );
    assert!(
        answer.body.contains(&format!("id=\"error-{at}\"")),
        "{field} = {value:.60}: no message at {at}: {}",
        answer.text()
    );
    assert!(!answer.body.contains("<script>alert"), "{field} = {value}");
    for (name, wanted) in base {
        let form = answer.form(button);
        let is_text = !form.options.contains_key(*name);
        if *name != field && is_text {
            let kept = form.fields.iter().find(|(known, _)| known == name);
            assert_eq!(
                kept.map(|(_, value)| value.as_str()),
                Some(*wanted),
                "{name} is kept"
            );
        }
    }
    answer
}

/// Sends a form that no browser would send and expects the calm 400 page: a field left out, one twice, NUL.
pub async fn refuse_mangled(
    browser: &Browserlike,
    path: &str,
    fields: &[(&str, &str)],
    from: &str,
) {
    for (left_out, _) in fields {
        let rest: Vec<_> = fields
            .iter()
            .copied()
            .filter(|(name, _)| name != left_out)
            .collect();
        let page = browser.post_with_token_of(from, path, &rest).await;
        assert_eq!(page.status, 400, "without {left_out}: {}", page.text());
    }
    for (twice, value) in fields {
        let mut more = fields.to_vec();
        more.push((twice, value));
        let page = browser.post_with_token_of(from, path, &more).await;
        assert_eq!(page.status, 400, "{twice} twice: {}", page.text());
    }
    for (name, _) in fields {
        let with_nul: Vec<_> = fields
            .iter()
            .map(|(known, value)| (*known, if known == name { "a\0b" } else { *value }))
            .collect();
        let page = browser.post_with_token_of(from, path, &with_nul).await;
        assert_eq!(page.status, 400, "NUL in {name}: {}", page.text());
    }
}
