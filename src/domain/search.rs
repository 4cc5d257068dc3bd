//! Search by words: how a record's values become the words by which it is found, and what somebody types becomes words to look for.
//!
//! Both go through the same normalisation, so that case, width and composition never count, on whatever database. A word
//! is found by its beginning.

use super::lead::{FieldKey, LeadField, LeadValues};
use super::normalise;

/// Words of one record; more would only make the index larger.
const MAX_WORDS: usize = 24;

/// Letters of one word.
const MAX_LETTERS: usize = 40;

/// Words that one search looks for.
const MAX_WANTED: usize = 8;

/// The fields of a lead by which it is found.
const LEAD_FIELDS: [LeadField; 5] = [
    LeadField::FirstName,
    LeadField::LastName,
    LeadField::CompanyName,
    LeadField::Email,
    LeadField::WorkEmail,
];

/// Whether a letter of a normalised text stands between words. Beyond ASCII only blanks and punctuation do, so that
/// signs which belong to a letter stay with it.
fn is_separator(c: char) -> bool {
    if c.is_ascii() {
        return !c.is_ascii_alphanumeric();
    }
    c.is_whitespace()
        || c.is_control()
        || matches!(c, '\u{A1}'..='\u{BF}' | '\u{2000}'..='\u{206F}' | '\u{2E00}'..='\u{2E7F}' | '\u{3000}'..='\u{3030}')
}

/// Adds the words of a text, normalised, to those that are there.
fn add_words(words: &mut Vec<String>, text: &str) {
    let Some(text) = normalise::text(text) else {
        return;
    };
    for word in text.split(is_separator).filter(|word| !word.is_empty()) {
        if words.len() >= MAX_WORDS {
            return;
        }
        let word: String = word.chars().take(MAX_LETTERS).collect();
        if !words.contains(&word) {
            words.push(word);
        }
    }
}

fn joined(words: &[String]) -> String {
    let mut text =
        String::with_capacity(words.iter().map(|word| word.len() + 1).sum::<usize>() + 1);
    text.push(' ');
    for word in words {
        text.push_str(word);
        text.push(' ');
    }
    text
}

/// The words of a text as they are stored: each between blanks, so that ` ada` finds the beginning of a word.
#[must_use]
pub fn words_of(text: &str) -> String {
    let mut words = Vec::new();
    add_words(&mut words, text);
    joined(&words)
}

/// The words by which a lead is found: its name, company and e-mail addresses.
#[must_use]
pub fn words_of_lead(values: &LeadValues) -> String {
    let mut words = Vec::with_capacity(12);
    for field in LEAD_FIELDS {
        if let Some(value) = values.get(&FieldKey::Standard(field)) {
            add_words(&mut words, value);
        }
    }
    joined(&words)
}

/// A word that is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The word, normalised: ASCII letters and digits, and whatever is beyond ASCII.
    pub word: String,
    /// Whether the whole word is meant, not its beginning: a sign was typed behind it (`ada@north` means `ada`, and what
    /// begins with `north`), or it is one letter, which begins too many words to tell anything.
    pub is_whole: bool,
}

/// What somebody looks for; all words must be found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Search {
    /// Everything: nothing was typed.
    Everything,
    /// These words.
    Words(Vec<Wanted>),
    /// Signs that stand in no word were typed: nothing has them.
    Nothing,
}

impl Search {
    /// Reads what was typed.
    #[must_use]
    pub fn read(typed: Option<&str>) -> Self {
        let typed = typed.unwrap_or_default().trim();
        if typed.is_empty() {
            return Self::Everything;
        }
        let folded = normalise::text(typed).unwrap_or_default();
        let mut words: Vec<Wanted> = Vec::new();
        for typed in folded.split(char::is_whitespace) {
            let mut parts = typed
                .split(is_separator)
                .filter(|part| !part.is_empty())
                .peekable();
            while let Some(part) = parts.next() {
                let wanted = Wanted {
                    word: part.chars().take(MAX_LETTERS).collect(),
                    is_whole: part.len() == 1 || parts.peek().is_some(),
                };
                if words.len() < MAX_WANTED && !words.contains(&wanted) {
                    words.push(wanted);
                }
            }
        }
        if words.is_empty() {
            Self::Nothing
        } else {
            Self::Words(words)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_are_normalised_split_at_signs_and_stand_between_blanks() {
        for (text, words) in [
            ("Ada  LOVELACE", " ada lovelace "),
            ("ada@northwind.example", " ada northwind example "),
            ("O'Brien-Smith", " o brien smith "),
            ("MÜLLER Straße", " müller strasse "),
            ("Ｊｏｓｅ\u{301}", " josé "),
            ("王小明", " 王小明 "),
            ("„Łódź”  & Ádám", " łódź ádám "),
            ("Ada ada ADA", " ada "),
            ("%_\\ \u{0}'\";--", " "),
            ("", " "),
        ] {
            assert_eq!(words_of(text), words, "{text:?}");
        }
        assert_eq!(words_of(&"x".repeat(4_000)).len(), MAX_LETTERS + 2);
    }

    #[test]
    fn what_is_typed_is_read_as_words() {
        let wanted = |word: &str, is_whole| Wanted {
            word: word.to_owned(),
            is_whole,
        };
        assert_eq!(Search::read(None), Search::Everything);
        assert_eq!(Search::read(Some("  ")), Search::Everything);
        assert_eq!(Search::read(Some("%")), Search::Nothing);
        assert_eq!(
            Search::read(Some("O'BRI 王")),
            Search::Words(vec![
                wanted("o", true),
                wanted("bri", false),
                wanted("王", false)
            ])
        );
    }

    proptest! {
        #[test]
        fn a_record_is_found_by_the_beginning_of_any_of_its_words(text in "\\PC{1,40}") {
            let stored = words_of(&text);
            for typed in text.split_whitespace() {
                let Search::Words(words) = Search::read(Some(typed)) else { continue };
                for Wanted { word, .. } in words {
                    let beginning = format!(" {word}");
                    prop_assert!(stored.contains(&beginning), "{stored:?} {word:?}");
                    prop_assert!(!word.contains(['%', '_', '\\', '\'', '"', ' ', '\0']));
                }
            }
        }
    }
}
