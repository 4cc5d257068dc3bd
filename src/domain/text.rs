//! Cleans text at the boundary: what PostgreSQL refuses to store (NUL) and what is no Unicode (lone surrogates) goes.

use std::borrow::Cow;

/// Removes NUL. Everything else that a person typed stays as it is.
///
/// A Rust string holds no lone surrogate; those are removed from the JSON escapes by [`clean_json`].
#[must_use]
pub fn clean_text(text: &str) -> Cow<'_, str> {
    if text.contains('\0') {
        Cow::Owned(text.replace('\0', ""))
    } else {
        Cow::Borrowed(text)
    }
}

/// Removes the escapes of NUL and of lone surrogates from JSON source text, so that it parses and can be stored.
///
/// serde_json refuses a whole document for one lone surrogate, and one such answer must not stop a sync
/// (reliability.md, fact 2). Text that is no JSON comes back changed at most in such escapes.
#[must_use]
pub fn clean_json(source: &str) -> Cow<'_, str> {
    if source.contains('\0') {
        return Cow::Owned(clean_json(&source.replace('\0', "")).into_owned());
    }
    if !source.contains("\\u") {
        return Cow::Borrowed(source);
    }
    let mut clean = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(at) = rest.find('\\') {
        let (before, tail) = rest.split_at(at);
        clean.push_str(before);
        rest = match unicode_escape(tail) {
            Some((0, after)) => after,
            Some((0xD800..=0xDBFF, after)) => match unicode_escape(after) {
                Some((0xDC00..=0xDFFF, after_pair)) => {
                    clean.push_str(tail.get(..12).unwrap_or_default());
                    after_pair
                }
                _ => after,
            },
            Some((0xDC00..=0xDFFF, after)) => after,
            _ => {
                // Another escape: both its characters, so that an escaped backslash is not taken for a beginning.
                let mut chars = tail.chars();
                clean.extend(chars.next());
                clean.extend(chars.next());
                chars.as_str()
            }
        };
    }
    clean.push_str(rest);
    Cow::Owned(clean)
}

/// Reads one escape of the form `\uXXXX` at the start: its number and what follows it.
fn unicode_escape(text: &str) -> Option<(u32, &str)> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    Some((u32::from_str_radix(digits, 16).ok()?, text.get(6..)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nul_and_lone_surrogates_go_and_everything_else_stays() {
        for (source, clean) in [
            (r#""a\u0000b""#, r#""ab""#),
            (r#""\ud83d""#, r#""""#),
            (r#""\ude00x""#, r#""x""#),
            (r#""\ud83d\ude00""#, r#""\ud83d\ude00""#),
            (r#""\ud83d\ud83d\ude00""#, r#""\ud83d\ude00""#),
            (r#""\\ud83d""#, r#""\\ud83d""#),
            (r#""\\\ud83d""#, r#""\\""#),
            (r#""\u00e9\n""#, r#""\u00e9\n""#),
            ("\"a\0b\"", r#""ab""#),
            (r"\", r"\"),
            (r"\u12", r"\u12"),
        ] {
            assert_eq!(clean_json(source), clean, "{source}");
        }
        assert_eq!(clean_text("a\0b"), "ab");
        assert!(matches!(clean_text("ab"), Cow::Borrowed(_)));
    }

    proptest! {
        #[test]
        fn cleaning_never_breaks_json_and_is_idempotent(units in proptest::collection::vec(any::<u16>(), 0..12), text in "\\PC{0,20}") {
            let mut source = serde_json::to_string(&text).unwrap();
            source.pop();
            for unit in units { source.push_str(&format!("\\u{unit:04x}")); }
            source.push('"');
            let clean = clean_json(&source).into_owned();
            prop_assert!(serde_json::from_str::<String>(&clean).is_ok());
            prop_assert_eq!(clean_json(&clean).into_owned(), clean);
        }

        #[test]
        fn cleaning_takes_any_text(text in any::<String>()) {
            prop_assert!(!clean_json(&text).contains('\0'));
        }
    }
}
