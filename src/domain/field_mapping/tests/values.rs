//! Tests of what fits which kind of field.

use crate::domain::field_mapping::{FlagKind, fit};
use crate::domain::lead::FieldKind;

fn check(kind: &FieldKind, country: Option<&str>, cases: &[(&str, Result<&str, FlagKind>)]) {
    for (value, expected) in cases {
        let found = fit(kind, value, country);
        assert_eq!(
            found.as_deref(),
            expected.as_ref().copied(),
            "{value:?} as {kind:?}"
        );
        // What a field keeps fits it again and stays the same.
        if let Ok(kept) = found {
            assert_eq!(
                fit(kind, &kept, country).as_ref(),
                Ok(&kept),
                "{value:?} as {kind:?}, again"
            );
        }
    }
}

#[test]
fn text_is_trimmed_and_counted_in_characters() {
    let text = FieldKind::Text { max: 5 };
    check(
        &text,
        None,
        &[
            (" Ada ", Ok("Ada")),
            ("äöüß€", Ok("äöüß€")),
            ("sechs6", Err(FlagKind::TooLong)),
            ("a\nb", Ok("a\nb")),
        ],
    );
}

#[test]
fn an_email_address_keeps_its_spelling() {
    check(
        &FieldKind::Email,
        None,
        &[
            (" Ada@Example.COM", Ok("Ada@Example.COM")),
            ("ada", Err(FlagKind::NotAnEmailAddress)),
        ],
    );
}

#[test]
fn a_phone_number_keeps_its_spelling() {
    let long = "1".repeat(51);
    check(
        &FieldKind::Phone,
        None,
        &[
            ("+49 (0)30 901820", Ok("+49 (0)30 901820")),
            ("1-800-FLOWERS", Ok("1-800-FLOWERS")),
            ("415 555 2671 ext. 3", Ok("415 555 2671 ext. 3")),
            ("n/a", Err(FlagKind::NotAPhoneNumber)),
            ("12", Err(FlagKind::NotAPhoneNumber)),
            ("ada123@example.com", Err(FlagKind::NotAPhoneNumber)),
            ("please call me after 12:30", Err(FlagKind::NotAPhoneNumber)),
            (long.as_str(), Err(FlagKind::TooLong)),
        ],
    );
}

#[test]
fn a_web_address_is_http_and_names_a_host() {
    let long = format!("https://example.com/{}", "a".repeat(2_000));
    check(
        &FieldKind::Url,
        None,
        &[
            (
                "https://www.linkedin.com/in/ada",
                Ok("https://www.linkedin.com/in/ada"),
            ),
            (
                "HTTP://Example.com:8080/a?b#c",
                Ok("HTTP://Example.com:8080/a?b#c"),
            ),
            ("www.example.com/x", Ok("https://www.example.com/x")),
            ("bücher.example", Ok("https://bücher.example")),
            ("javascript:alert(1)", Err(FlagKind::NotAUrl)),
            (
                "javascript:alert.call(1)//example.com",
                Err(FlagKind::NotAUrl),
            ),
            ("data:text/html,x", Err(FlagKind::NotAUrl)),
            ("https://user@evil.example", Err(FlagKind::NotAUrl)),
            ("https://example.com/a b", Err(FlagKind::NotAUrl)),
            ("https://localhost", Err(FlagKind::NotAUrl)),
            ("https://", Err(FlagKind::NotAUrl)),
            ("https://a..b", Err(FlagKind::NotAUrl)),
            ("none", Err(FlagKind::NotAUrl)),
            ("", Err(FlagKind::NotAUrl)),
            (long.as_str(), Err(FlagKind::TooLong)),
        ],
    );
}

#[test]
fn a_date_becomes_iso_as_far_as_it_is_known() {
    let bad = Err(FlagKind::NotADate);
    check(
        &FieldKind::Date,
        None,
        &[
            ("2026-11-21", Ok("2026-11-21")),
            ("2026-11-21T08:00:00Z", Ok("2026-11-21")),
            ("2026/1/2", Ok("2026-01-02")),
            ("2026-11", Ok("2026-11")),
            ("11/2026", Ok("2026-11")),
            ("2026", Ok("2026")),
            ("November 2026", Ok("2026-11")),
            ("Nov 21, 2026", Ok("2026-11-21")),
            ("21 November 2026", Ok("2026-11-21")),
            ("21.11.2026", Ok("2026-11-21")),
            ("3.4.2026", Ok("2026-04-03")),
            ("21/11/2026", Ok("2026-11-21")),
            ("11/21/2026", Ok("2026-11-21")),
            ("04/04/2026", Ok("2026-04-04")),
            ("03/04/2026", bad),
            ("2026-02-30", bad),
            ("2026-13", bad),
            ("0000", bad),
            ("1066", bad),
            ("99999", bad),
            ("ma 2026", bad),
            ("soon", bad),
            ("", bad),
            ("4294967296/1/2026", bad),
        ],
    );
    check(
        &FieldKind::Date,
        Some("US"),
        &[("03/04/2026", Ok("2026-03-04"))],
    );
    check(
        &FieldKind::Date,
        Some("DE"),
        &[("03/04/2026", Ok("2026-04-03"))],
    );
}

#[test]
fn a_number_loses_its_grouping() {
    let bad = Err(FlagKind::NotANumber);
    check(
        &FieldKind::Number,
        None,
        &[
            ("42", Ok("42")),
            ("-042", Ok("-42")),
            ("+7", Ok("7")),
            ("1,234.50", Ok("1234.5")),
            ("1.234,50", Ok("1234.5")),
            ("1.234.567", Ok("1234567")),
            ("1,234", Ok("1234")),
            ("1,5", Ok("1.5")),
            ("0.125", Ok("0.125")),
            ("10 000", Ok("10000")),
            ("1'000", Ok("1000")),
            ("-0", Ok("0")),
            (".5", Ok("0.5")),
            ("1.2.3,4,5", bad),
            ("", bad),
            ("-", bad),
            (".", bad),
            ("1e9", bad),
            ("12 apples", bad),
            ("٣", bad),
        ],
    );
}

#[test]
fn yes_and_no_are_known_in_a_few_languages() {
    let bad = Err(FlagKind::NotYesOrNo);
    check(
        &FieldKind::YesNo,
        None,
        &[
            ("Yes", Ok("yes")),
            ("JA", Ok("yes")),
            ("true", Ok("yes")),
            ("não", Ok("no")),
            ("0", Ok("no")),
            ("maybe", bad),
            ("", bad),
        ],
    );
}
