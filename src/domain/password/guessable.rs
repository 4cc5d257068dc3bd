//! Passwords that are long and yet guessed first: repetitions, sequences, context words, and well-known phrases.

use std::collections::BTreeSet;

use super::PasswordError;
use super::known::{KEYBOARD_RUNS, PHRASES, PRODUCT_WORDS, WORDS};

/// So many letters, or twice as many digits and signs, must be left when the guessable words are taken away.
const MIN_REST: usize = 8;
/// Shorter parts of a name or an address stand by chance in many words.
const MIN_CONTEXT_WORD: usize = 3;

/// Checks a password of sufficient length.
pub(super) fn check(password: &str, context: &[&str]) -> Result<(), PasswordError> {
    let folded = fold(password);
    if is_pattern(&folded) {
        return Err(PasswordError::Pattern);
    }
    let context_words = context_words(context);
    if rest_without(&folded, context_words.iter().map(String::as_str))
        .is_some_and(|rest| rest.is_little())
    {
        return Err(PasswordError::ContextWord);
    }
    let letters = undisguised(&folded);
    if PHRASES
        .split_ascii_whitespace()
        .any(|phrase| is_phrase(&letters, phrase))
    {
        return Err(PasswordError::Common);
    }
    // Three different words are a passphrase, even if each is common; one or two with a number are not.
    if rest_without(&folded, WORDS.split_ascii_whitespace())
        .is_some_and(|rest| rest.is_little() && rest.words < 3)
    {
        return Err(PasswordError::Common);
    }
    Ok(())
}

/// Lower case, one form per character.
fn fold(password: &str) -> String {
    use unicode_normalization::UnicodeNormalization as _;
    password.nfkc().flat_map(char::to_lowercase).collect()
}

/// Letters only, with the usual disguises undone: `p4$$w0rd` is `password`.
fn undisguised(folded: &str) -> String {
    folded.chars().filter_map(undisguise).collect()
}

fn undisguise(c: char) -> Option<char> {
    match c {
        '0' => Some('o'),
        '1' | '!' | '|' => Some('i'),
        '3' | '€' => Some('e'),
        '4' | '@' => Some('a'),
        '5' | '$' => Some('s'),
        '7' => Some('t'),
        c if c.is_alphabetic() => Some(c),
        _ => None,
    }
}

/// The words that belong to the product and to the person: whole, and in parts.
fn context_words(context: &[&str]) -> BTreeSet<String> {
    let mut words: BTreeSet<String> = PRODUCT_WORDS
        .iter()
        .map(|word| (*word).to_owned())
        .collect();
    for text in context {
        let folded = fold(text);
        let parts = folded.split(|c: char| !c.is_alphanumeric());
        words.extend(
            parts
                .filter(|part| part.chars().count() >= MIN_CONTEXT_WORD)
                .map(str::to_owned),
        );
    }
    words
}

/// What is left of a password when guessable words are taken away.
struct Rest {
    /// A letter weighs two, a digit or a sign one: people add numbers and signs where everybody adds them.
    weight: usize,
    /// How many different words were found; at least one.
    words: usize,
}

impl Rest {
    fn is_little(&self) -> bool {
        self.weight < MIN_REST * 2
    }
}

/// Takes these words away, from the password as typed or with its disguises undone, whichever leaves less; `None` if
/// no word stands in it.
fn rest_without<'a>(folded: &str, words: impl Iterator<Item = &'a str>) -> Option<Rest> {
    let mut words: Vec<&str> = words.collect();
    // Longer words first: “administrator” before “admin”.
    words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    let weight = |text: &str| {
        text.chars()
            .map(|c| {
                if c.is_alphabetic() {
                    2
                } else {
                    usize::from(c != TAKEN)
                }
            })
            .sum()
    };
    let strip = |mut text: String| {
        let mut used = 0;
        for word in &words {
            if text.contains(word) {
                used += 1;
                text = text.replace(word, TAKEN_TEXT);
            }
        }
        (used > 0).then(|| Rest {
            weight: weight(&text),
            words: used,
        })
    };
    let typed = strip(folded.to_owned());
    let plain = strip(undisguised(folded));
    match (typed, plain) {
        (Some(typed), Some(plain)) => Some(if plain.weight < typed.weight {
            plain
        } else {
            typed
        }),
        (found, None) | (None, found) => found,
    }
}

/// Stands where a word was, so that the pieces around it do not make a new word.
const TAKEN: char = '\u{1}';
const TAKEN_TEXT: &str = "\u{1}";

/// Whether the letters are this phrase, alone or repeated, with at most three letters more.
fn is_phrase(letters: &str, phrase: &str) -> bool {
    let mut rest = letters;
    let mut found = false;
    while let Some(after) = rest.strip_prefix(phrase) {
        rest = after;
        found = true;
    }
    found && (rest.chars().count() <= 3 || phrase.starts_with(rest))
}

/// Whether it repeats one unit, uses hardly any different characters, or counts on along the alphabet or the keyboard.
fn is_pattern(folded: &str) -> bool {
    let chars: Vec<char> = folded.chars().collect();
    let distinct: BTreeSet<char> = chars.iter().copied().collect();
    if distinct.len() <= 4 {
        return true;
    }
    let repeats = |unit: usize| {
        chars
            .iter()
            .zip(chars.iter().skip(unit))
            .all(|(a, b)| a == b)
    };
    if (1..=(chars.len() / 2).min(super::MIN_LENGTH - 1)).any(repeats) {
        return true;
    }
    let steps = chars.len().saturating_sub(1);
    let predictable = chars
        .iter()
        .zip(chars.iter().skip(1))
        .filter(|(a, b)| is_neighbour(**a, **b))
        .count();
    // Seven of ten steps lead where everybody would have gone.
    predictable * 10 >= steps * 7
}

fn is_neighbour(a: char, b: char) -> bool {
    if u32::from(a).abs_diff(u32::from(b)) <= 1 {
        return true;
    }
    KEYBOARD_RUNS.iter().any(|run| {
        run.chars()
            .zip(run.chars().skip(1))
            .any(|pair| pair == (a, b) || pair == (b, a))
    })
}
