//! Names and values in OData addresses: quoted, doubled, percent-encoded.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What stays as it is in a query string.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b'$')
    .remove(b',')
    .remove(b'(')
    .remove(b')');

/// A part of a query string, percent-encoded.
#[must_use]
pub fn encoded(text: &str) -> String {
    utf8_percent_encode(text, KEPT).to_string()
}

/// A text as an OData literal, not yet percent-encoded.
///
/// The wildcards of string filters (`%`, `_`, `[`) are left as they are: whether `eq` reads them differs, and an escape that
/// is not read would hide a record. A caller compares what comes back again.
#[must_use]
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// `column eq 'value'`, or `column eq null` for no value; `None` when the column's name is none.
#[must_use]
pub fn equals(column: &str, value: &str) -> Option<String> {
    is_column(column).then(|| format!("{column} eq {}", literal(value)))
}

/// A filter for columns whose text holds these digits in this order, whatever stands between them, as phone numbers are
/// written; `None` when the column's name is none, or there is no digit.
#[must_use]
pub fn has_digits(column: &str, digits: &str) -> Option<String> {
    let digits: Vec<String> = digits
        .chars()
        .filter(char::is_ascii_digit)
        .map(String::from)
        .collect();
    (is_column(column) && !digits.is_empty())
        .then(|| format!("contains({column},'{}')", digits.join("%")))
}

/// Whether the text is the name of a column: names reach addresses and bodies unquoted.
#[must_use]
pub fn is_column(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 100
        && text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_cannot_leave_its_quotes() {
        let filter = equals("emailaddress1", "o'brien' or 1 eq 1 or 'x@a.test").unwrap();
        assert_eq!(
            filter,
            "emailaddress1 eq 'o''brien'' or 1 eq 1 or ''x@a.test'"
        );
        assert_eq!(equals("emailaddress1 eq 'a' or x", "b"), None);
    }

    #[test]
    fn digits_are_found_whatever_stands_between_them() {
        assert_eq!(
            has_digits("telephone1", "+49 30").as_deref(),
            Some("contains(telephone1,'4%9%3%0')")
        );
        assert_eq!(has_digits("telephone1", "'x"), None);
        assert_eq!(has_digits("telephone1 eq 'a' or x", "1"), None);
    }

    #[test]
    fn a_plus_and_an_ampersand_survive_the_address() {
        assert_eq!(encoded("a+b@x.test&$top=1"), "a%2Bb%40x.test%26$top%3D1");
        assert_eq!(encoded("ü '"), "%C3%BC%20%27");
    }
}
