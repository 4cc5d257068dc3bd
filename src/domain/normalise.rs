//! Brings values into the one form in which they are compared (product.md §4, Match). Every function is idempotent.

use std::borrow::Cow;
use std::str::FromStr as _;

use unicode_normalization::UnicodeNormalization as _;

use super::lead::{FieldKey, LeadField};

/// The key by which a value of this field is compared; `None` if there is nothing to compare.
///
/// `country` is the two-letter default for phone numbers without a country code.
#[must_use]
pub fn match_key(field: &FieldKey, value: &str, country: Option<&str>) -> Option<String> {
    match field {
        FieldKey::Standard(LeadField::Email | LeadField::WorkEmail) => email(value),
        FieldKey::Standard(LeadField::Phone | LeadField::MobilePhone) => phone(value, country),
        _ => text(value),
    }
}

/// An e-mail address: trimmed, composed (NFC), lower-cased.
#[must_use]
pub fn email(value: &str) -> Option<String> {
    let trimmed = value.trim_matches(is_blank);
    if trimmed.is_empty() {
        return None;
    }
    if trimmed.is_ascii() {
        return Some(trimmed.to_ascii_lowercase());
    }
    // Character by character: the lower case of a whole string looks at neighbours, which would not be idempotent.
    settle(trimmed, |text| {
        text.nfc().flat_map(char::to_lowercase).nfc().collect()
    })
}

/// Text: trimmed, compatibility-composed (NFKC), case-folded, inner white space folded to single spaces.
#[must_use]
pub fn text(value: &str) -> Option<String> {
    settle(value, |text| {
        if text.is_ascii() {
            return fold_white_space(text.chars().map(|c| c.to_ascii_lowercase()), text.len());
        }
        // Upper, then lower case is Unicode's case folding for our purpose: it also makes “ß” and “SS” equal.
        let folded: String = text
            .nfkc()
            .flat_map(char::to_uppercase)
            .flat_map(char::to_lowercase)
            .nfkc()
            .collect();
        fold_white_space(folded.chars(), folded.len())
    })
}

/// A phone number: E.164 where it is valid, with `country` as the default; otherwise its digits.
#[must_use]
pub fn phone(value: &str, country: Option<&str>) -> Option<String> {
    let (dialled, is_international) = dialled_digits(value);
    if dialled.is_empty() {
        return None;
    }
    let default = country.and_then(|code| {
        phonenumber::country::Id::from_str(&code.trim().to_ascii_uppercase()).ok()
    });
    let candidate: Cow<'_, str> = if is_international {
        Cow::Owned(format!("+{dialled}"))
    } else {
        Cow::Borrowed(&dialled)
    };
    if let Some(number) = valid_e164(default, &candidate) {
        return Some(number);
    }
    // 00 is the international prefix of most of the world; other prefixes are known to the default country's plan.
    if !is_international
        && let Some(rest) = dialled.strip_prefix("00")
        && let Some(number) = valid_e164(None, &format!("+{rest}"))
    {
        return Some(number);
    }
    Some(candidate.into_owned())
}

/// Whether this is a two-letter country with telephone numbers, which [`phone`] takes as default. Case does not count.
#[must_use]
pub fn is_country(code: &str) -> bool {
    code.len() == 2 && phonenumber::country::Id::from_str(&code.to_ascii_uppercase()).is_ok()
}

fn valid_e164(default: Option<phonenumber::country::Id>, candidate: &str) -> Option<String> {
    // Longer than any number: not worth parsing.
    if candidate.len() > 24 || (default.is_none() && !candidate.starts_with('+')) {
        return None;
    }
    let number = phonenumber::parse(default, candidate).ok()?;
    number
        .is_valid()
        .then(|| number.format().mode(phonenumber::Mode::E164).to_string())
}

/// The digits of a phone number before its extension, as ASCII, and whether a plus sign leads them.
fn dialled_digits(value: &str) -> (String, bool) {
    let mut digits = String::with_capacity(value.len());
    let mut is_international = false;
    for c in value.nfkc() {
        if let Some(digit) = decimal(c) {
            digits.push(digit);
        } else if c == '+' && digits.is_empty() {
            is_international = true;
        } else if digits.len() >= 5 && (c.is_alphabetic() || matches!(c, '#' | ';' | ',')) {
            // “ext. 12”, “x12”, “#12”: the extension is not part of what is compared.
            break;
        }
    }
    (digits, is_international)
}

/// The ASCII digit of a decimal digit of any script that people type phone numbers in.
fn decimal(c: char) -> Option<char> {
    const ZEROS: &[u32] = &[
        0x0660, 0x06F0, 0x0966, 0x09E6, 0x0A66, 0x0AE6, 0x0B66, 0x0BE6, 0x0C66, 0x0CE6, 0x0D66,
        0x0E50,
    ];
    if c.is_ascii_digit() {
        return Some(c);
    }
    let code = u32::from(c);
    ZEROS
        .iter()
        .find_map(|zero| code.checked_sub(*zero).filter(|offset| *offset < 10))
        .and_then(|offset| char::from_digit(offset, 10))
}

/// White space and characters that take no room, which copying leaves at the ends.
fn is_blank(c: char) -> bool {
    c.is_whitespace()
        || matches!(
            c,
            '\u{200B}' | '\u{200C}' | '\u{200D}' | '\u{2060}' | '\u{FEFF}'
        )
}

fn fold_white_space(chars: impl Iterator<Item = char>, capacity: usize) -> String {
    let mut folded = String::with_capacity(capacity);
    let mut is_gap = false;
    for c in chars {
        if c.is_whitespace() {
            is_gap = !folded.is_empty();
        } else {
            if is_gap {
                folded.push(' ');
                is_gap = false;
            }
            folded.push(c);
        }
    }
    folded
}

/// Repeats a step until it changes nothing more: composing after folding can make new characters to fold.
fn settle(value: &str, step: impl Fn(&str) -> String) -> Option<String> {
    let mut current = step(value);
    if !current.is_ascii() {
        for _ in 0..8 {
            let next = step(&current);
            if next == current {
                break;
            }
            current = next;
        }
    }
    let trimmed = current.trim_matches(is_blank);
    if trimmed.is_empty() {
        None
    } else if trimmed.len() == current.len() {
        Some(current)
    } else {
        Some(trimmed.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_email_address_is_trimmed_composed_and_lower_cased() {
        for (value, key) in [
            ("  Ada@Example.COM ", Some("ada@example.com")),
            ("\u{feff}ada@example.com\u{200b}", Some("ada@example.com")),
            ("JOSE\u{301}@EXAMPLE.ES", Some("josé@example.es")),
            ("ΟΔΟΣ@example.gr", Some("οδοσ@example.gr")),
            ("", None),
            (" \t\u{200b}", None),
        ] {
            assert_eq!(email(value).as_deref(), key, "{value:?}");
        }
    }

    #[test]
    fn a_phone_number_becomes_e164_with_the_country_as_the_default() {
        for (value, country, key) in [
            ("+49 (0) 30 901820", None, Some("+4930901820")),
            ("030 901820", Some("DE"), Some("+4930901820")),
            ("030/90 18-20", Some("de"), Some("+4930901820")),
            ("0049 30 901820", None, Some("+4930901820")),
            ("011 49 30 901820", Some("US"), Some("+4930901820")),
            ("(415) 555-2671", Some("US"), Some("+14155552671")),
            ("+1 415-555-2671 ext. 12", Some("DE"), Some("+14155552671")),
            ("415.555.2671 x12", Some("US"), Some("+14155552671")),
            ("＋１ ４１５ ５５５ ２６７１", None, Some("+14155552671")),
            ("+٩٧١ ٤ ٣٣١ ٧٧٧٧", None, Some("+97143317777")),
            ("tel: +44 20 7946 0958", Some("US"), Some("+442079460958")),
            ("030 901820", None, Some("030901820")),
            ("030 901820", Some("XX"), Some("030901820")),
            ("12", Some("DE"), Some("12")),
            ("+999 12", Some("DE"), Some("+99912")),
            ("none", Some("DE"), None),
            ("", Some("DE"), None),
            ("+", None, None),
        ] {
            assert_eq!(
                phone(value, country).as_deref(),
                key,
                "{value:?} {country:?}"
            );
        }
    }

    #[test]
    fn text_is_trimmed_case_folded_and_its_white_space_folded() {
        for (value, key) in [
            ("  Northwind   Traders\n", Some("northwind traders")),
            ("STRASSE", Some("strasse")),
            ("Straße", Some("strasse")),
            ("ﬁne", Some("fine")),
            ("Ａｃｍｅ\u{3000}Ltd", Some("acme ltd")),
            ("e\u{301}cole", Some("école")),
            ("ΣΊΣΥΦΟΣ", Some("σίσυφοσ")),
            ("İstanbul", Some("i̇stanbul")),
            (" \u{a0}\u{2003} ", None),
            ("", None),
        ] {
            assert_eq!(text(value).as_deref(), key, "{value:?}");
        }
    }

    #[test]
    fn each_field_is_compared_in_its_own_way() {
        let key =
            |field: LeadField, value| match_key(&FieldKey::Standard(field), value, Some("DE"));
        assert_eq!(
            key(LeadField::WorkEmail, "A@B.de").as_deref(),
            Some("a@b.de")
        );
        assert_eq!(
            key(LeadField::MobilePhone, "0151 23456789").as_deref(),
            Some("+4915123456789")
        );
        assert_eq!(
            key(LeadField::CompanyName, " ACME  ag").as_deref(),
            Some("acme ag")
        );
        assert_eq!(
            match_key(&FieldKey::Custom("code".to_owned()), " X 1", None).as_deref(),
            Some("x 1")
        );
    }

    #[test]
    fn every_single_character_is_stable_after_one_normalisation() {
        // The blocks between hold characters without case that compose with nothing.
        for c in ('\0'..='\u{33FF}')
            .chain('\u{A000}'..='\u{ABFF}')
            .chain('\u{F900}'..='\u{1FFFF}')
        {
            let value = c.to_string();
            if let Some(key) = text(&value) {
                assert_eq!(text(&key).as_ref(), Some(&key), "{c:?}");
            }
            if let Some(key) = email(&value) {
                assert_eq!(email(&key).as_ref(), Some(&key), "{c:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn normalisation_is_idempotent(value in "\\PC{0,40}|[\\s\\p{M}\\p{L}]{0,12}|.{0,12}", phone_like in "[+0-9 ()/x.-]{0,24}") {
            for country in [None, Some("DE"), Some("US"), Some("IT")] {
                for field in [LeadField::Email, LeadField::Phone, LeadField::City] {
                    for value in [&value, &phone_like] {
                        if let Some(key) = match_key(&FieldKey::Standard(field), value, country) {
                            prop_assert!(!key.trim().is_empty());
                            prop_assert_eq!(match_key(&FieldKey::Standard(field), &key, country), Some(key));
                        }
                    }
                }
            }
        }

        #[test]
        fn case_and_white_space_at_the_ends_never_count(value in "[a-zA-Z0-9 .@äöüÄÖÜ]{1,30}") {
            let changed = format!(" \t{}\n", value.to_uppercase());
            prop_assert_eq!(text(&value), text(&changed));
            prop_assert_eq!(email(&value), email(&changed));
        }
    }
}
