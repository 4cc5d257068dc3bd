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
