//! The small chain of transforms that a value passes on its way to the lead.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Source;

/// One step of the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Transform {
    /// White space at the ends goes.
    Trim,
    /// Upper case.
    Upper,
    /// Lower case.
    Lower,
    /// First letter of each word upper case, the others lower case.
    TitleCase,
    /// Several chosen options become one text with this separator; the values of further sources follow.
    Join {
        /// What stands between the parts.
        separator: String,
        /// Further sources whose values follow.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        with: Vec<Source>,
    },
    /// One part of the text, counted from 1; from the end with a negative number.
    Split {
        /// What stands between the parts.
        separator: String,
        /// Which part; never 0.
        part: i64,
    },
    /// The value to take where there is none.
    Default {
        /// The value to take.
        value: String,
    },
    /// Replaces whole values; upper and lower case count.
    ValueMap {
        /// From each value to its replacement.
        pairs: BTreeMap<String, String>,
        /// What happens with any other value.
        #[serde(default)]
        otherwise: Otherwise,
    },
}

/// What a value map does with a value that it does not name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Otherwise {
    /// It stays as it is.
    #[default]
    Keep,
    /// It counts as blank.
    LeaveOut,
}

/// A chain that an Administrator may not save.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransformError {
    /// The chain is too long.
    /// The chain is too long.
    #[error("at most {max} transforms fit in a chain")]
    TooMany {
        /// The most that is allowed.
        max: usize,
    },
    /// A split without a separator.
    #[error("split needs a separator")]
    EmptySeparator,
    /// There is no part 0.
    #[error("the parts of a split are counted from 1, or from −1 backwards")]
    PartZero,
    /// A default that gives nothing.
    #[error("a default value must not be blank")]
    BlankDefault,
    /// Too few or too many pairs.
    /// Too few or too many pairs.
    #[error("a value map needs at least one pair, and at most {max}")]
    Pairs {
        /// The most that is allowed.
        max: usize,
    },
    /// A text is too long.
    /// A text is too long.
    #[error("a text in a transform may have at most {max} characters")]
    TooLong {
        /// The most that is allowed.
        max: usize,
    },
}

const MAX_TRANSFORMS: usize = 10;
const MAX_PAIRS: usize = 500;
const MAX_TEXT: usize = 1_000;

/// Checks a chain before it is saved.
///
/// # Errors
/// The first rule that it breaks.
pub fn check_transforms(chain: &[Transform]) -> Result<(), TransformError> {
    if chain.len() > MAX_TRANSFORMS {
        return Err(TransformError::TooMany {
            max: MAX_TRANSFORMS,
        });
    }
    let check_length = |text: &str| {
        if text.chars().count() > MAX_TEXT {
            Err(TransformError::TooLong { max: MAX_TEXT })
        } else {
            Ok(())
        }
    };
    for transform in chain {
        match transform {
            Transform::Trim | Transform::Upper | Transform::Lower | Transform::TitleCase => {}
            Transform::Join { separator, with } => {
                check_length(separator)?;
                for source in with {
                    check_length(&source.key())?;
                }
            }
            Transform::Split { separator, part } => {
                check_length(separator)?;
                if separator.is_empty() {
                    return Err(TransformError::EmptySeparator);
                }
                if *part == 0 {
                    return Err(TransformError::PartZero);
                }
            }
            Transform::Default { value } => {
                check_length(value)?;
                if value.trim().is_empty() {
                    return Err(TransformError::BlankDefault);
                }
            }
            Transform::ValueMap { pairs, .. } => {
                if pairs.is_empty() || pairs.len() > MAX_PAIRS {
                    return Err(TransformError::Pairs { max: MAX_PAIRS });
                }
                for (from, to) in pairs {
                    check_length(from)?;
                    check_length(to)?;
                }
            }
        }
    }
    Ok(())
}

/// What several options are joined with when no transform says otherwise.
const LIST_SEPARATOR: &str = "; ";

/// Runs a chain over the values of a source (several where several options were chosen). `read` gives the values of
/// the further sources of a join. An empty text is no value.
pub(super) fn run(
    chain: &[Transform],
    values: Vec<String>,
    read: &dyn Fn(&Source) -> Vec<String>,
) -> Option<String> {
    let mut values = values;
    for transform in chain {
        match transform {
            Transform::Trim => each(&mut values, |value| value.trim().to_owned()),
            Transform::Upper => each(&mut values, str::to_uppercase),
            Transform::Lower => each(&mut values, str::to_lowercase),
            Transform::TitleCase => each(&mut values, title_case),
            Transform::Join { separator, with } => {
                for source in with {
                    values.extend(read(source));
                }
                values.retain(|value| !value.trim().is_empty());
                if !values.is_empty() {
                    values = vec![values.join(separator)];
                }
            }
            Transform::Split { separator, part } => {
                each(&mut values, |value| {
                    split(value, separator, *part)
                        .unwrap_or_default()
                        .to_owned()
                });
            }
            Transform::Default { value } => {
                if values.iter().all(|value| value.trim().is_empty()) {
                    values = vec![value.clone()];
                }
            }
            Transform::ValueMap { pairs, otherwise } => each(&mut values, |value| {
                match (pairs.get(value.trim()), otherwise) {
                    (Some(replacement), _) => replacement.clone(),
                    (None, Otherwise::Keep) => value.to_owned(),
                    (None, Otherwise::LeaveOut) => String::new(),
                }
            }),
        }
    }
    values.retain(|value| !value.trim().is_empty());
    match values.len() {
        0 => None,
        1 => values.pop(),
        _ => Some(values.join(LIST_SEPARATOR)),
    }
}

fn each(values: &mut [String], change: impl Fn(&str) -> String) {
    for value in values {
        *value = change(value);
    }
}

fn split<'a>(value: &'a str, separator: &str, part: i64) -> Option<&'a str> {
    if separator.is_empty() {
        return Some(value);
    }
    let index = usize::try_from(part.unsigned_abs()).ok()?.checked_sub(1)?;
    let found = if part > 0 {
        value.split(separator).nth(index)
    } else {
        value.rsplit(separator).nth(index)
    };
    found.map(str::trim)
}

fn title_case(value: &str) -> String {
    let mut titled = String::with_capacity(value.len());
    let mut in_word = false;
    for c in value.chars() {
        if in_word {
            titled.extend(c.to_lowercase());
        } else {
            titled.extend(c.to_uppercase());
        }
        // An apostrophe is part of a word: “don’t”, not “Don’T”.
        in_word = c.is_alphanumeric() || matches!(c, '\'' | '’') || (in_word && is_mark(c));
    }
    titled
}

/// Combining marks belong to the letter before them.
fn is_mark(c: char) -> bool {
    unicode_normalization::char::is_combining_mark(c)
}
