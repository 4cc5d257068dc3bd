//! Custom fields: what an Administrator may define, and the list of all fields that a lead can have.

use std::borrow::Cow;

use super::field::{CustomField, FieldKey, FieldKind, LeadField, is_custom_field_name};
use crate::domain::normalise;
use crate::domain::words::words;

words! {
    /// The types that a custom field can have.
    pub enum CustomFieldType {
        Text = "text" => "Text",
        Number = "number" => "Number",
        Date = "date" => "Date",
        YesNo = "yes_no" => "Yes or no",
        Choice = "choice" => "Choice",
    }
}

/// The most characters of a custom field's text: LinkedIn's longest custom answer.
pub const MAX_TEXT: usize = 1_000;
/// The most characters of a label, and of one value of a choice.
pub const MAX_LABEL: usize = 100;
/// The most values of a choice.
pub const MAX_CHOICES: usize = 200;
/// The most custom fields.
pub const MAX_FIELDS: usize = 200;

impl CustomFieldType {
    /// What a field of this type can hold; `choices` are those of a choice.
    #[must_use]
    pub fn kind(self, choices: Vec<String>) -> FieldKind {
        match self {
            Self::Text => FieldKind::Text { max: MAX_TEXT },
            Self::Number => FieldKind::Number,
            Self::Date => FieldKind::Date,
            Self::YesNo => FieldKind::YesNo,
            Self::Choice => FieldKind::Choice { values: choices },
        }
    }

    /// The type of a field that can hold this.
    #[must_use]
    pub const fn of(kind: &FieldKind) -> Self {
        match kind {
            FieldKind::Number => Self::Number,
            FieldKind::Date => Self::Date,
            FieldKind::YesNo => Self::YesNo,
            FieldKind::Choice { .. } => Self::Choice,
            FieldKind::Text { .. } | FieldKind::Email | FieldKind::Phone | FieldKind::Url => {
                Self::Text
            }
        }
    }
}

/// A rule that the definition of a custom field breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CustomFieldError {
    /// See [`is_custom_field_name`].
    #[error(
        "A name begins with a lower-case letter and holds only lower-case letters, digits and underscores, at most 50 of them, such as budget_2026."
    )]
    InvalidName,
    /// A standard field has the name, or the portal uses it otherwise.
    #[error("The portal uses the name “{0}” itself. Choose another one.")]
    TakenName(String),
    /// The label is blank.
    #[error("Enter the label that people read.")]
    NoLabel,
    /// The label has more than [`MAX_LABEL`] characters, or more than one line.
    #[error("A label is one line of at most {MAX_LABEL} characters.")]
    LabelTooLong,
    /// Another field has the label.
    #[error(
        "Another field is called “{0}” already. Choose another label, so that people can tell them apart."
    )]
    DuplicateLabel(String),
    /// A choice without values.
    #[error("Enter at least two values, one a line.")]
    TooFewChoices,
    /// More than [`MAX_CHOICES`] values.
    #[error("A choice may have at most {MAX_CHOICES} values.")]
    TooManyChoices,
    /// A value has more than [`MAX_LABEL`] characters.
    #[error("A value may have at most {MAX_LABEL} characters: “{0}…”.")]
    ChoiceTooLong(String),
    /// A value stands there twice, whatever its case.
    #[error("The value “{0}” stands there twice.")]
    DuplicateChoice(String),
}

/// Checks the name of a new field.
///
/// # Errors
/// The rule that it breaks.
pub fn check_name(name: &str) -> Result<(), CustomFieldError> {
    if !is_custom_field_name(name) {
        return Err(CustomFieldError::InvalidName);
    }
    // “new” is the address of the form for a new field.
    if name == "new" || name.parse::<LeadField>().is_ok() {
        return Err(CustomFieldError::TakenName(name.to_owned()));
    }
    Ok(())
}

/// A name made from a label, for those who do not care: “Budget (EUR)” gives `budget_eur`. Empty when the label holds no
/// Latin letter or digit.
#[must_use]
pub fn name_from_label(label: &str) -> String {
    let mut name = String::new();
    for c in label.chars() {
        match c.to_ascii_lowercase() {
            c if c.is_ascii_lowercase() || (c.is_ascii_digit() && !name.is_empty()) => {
                name.push(c);
            }
            _ if !name.is_empty() && !name.ends_with('_') => name.push('_'),
            _ => {}
        }
        if name.len() == 50 {
            break;
        }
    }
    name.trim_end_matches('_').to_owned()
}

/// Checks a label against those of the other custom fields; gives it trimmed.
///
/// # Errors
/// The rule that it breaks.
pub fn check_label<'a>(
    label: &str,
    others: impl IntoIterator<Item = &'a str>,
) -> Result<String, CustomFieldError> {
    let label = label.trim();
    let Some(key) = normalise::text(label) else {
        return Err(CustomFieldError::NoLabel);
    };
    if label.chars().count() > MAX_LABEL || label.contains(['\n', '\r']) {
        return Err(CustomFieldError::LabelTooLong);
    }
    let standard = LeadField::ALL.iter().map(|field| field.label());
    match others
        .into_iter()
        .chain(standard)
        .find(|other| normalise::text(other).as_ref() == Some(&key))
    {
        Some(other) => Err(CustomFieldError::DuplicateLabel(other.to_owned())),
        None => Ok(label.to_owned()),
    }
}

/// Reads the values of a choice, one a line; empty lines do not count.
///
/// # Errors
/// The first rule that they break.
pub fn check_choices(lines: &str) -> Result<Vec<String>, CustomFieldError> {
    let mut values: Vec<String> = Vec::new();
    let mut keys = Vec::new();
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if values.len() == MAX_CHOICES {
            return Err(CustomFieldError::TooManyChoices);
        }
        if line.chars().count() > MAX_LABEL {
            let start = line.chars().take(20).collect();
            return Err(CustomFieldError::ChoiceTooLong(start));
        }
        let key = normalise::text(line);
        if keys.contains(&key) {
            return Err(CustomFieldError::DuplicateChoice(line.to_owned()));
        }
        keys.push(key);
        values.push(line.to_owned());
    }
    if values.len() < 2 {
        return Err(CustomFieldError::TooFewChoices);
    }
    Ok(values)
}

/// A custom field, and whether it is still offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefinedField {
    /// The field.
    pub field: CustomField,
    /// Retired: leads keep their values, but pages no longer offer the field.
    pub is_retired: bool,
}

/// All fields that a lead can have: the standard ones and those that were defined.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeadFields {
    custom: Vec<DefinedField>,
}

impl LeadFields {
    /// The standard fields and these custom ones, in the order in which pages show them.
    #[must_use]
    pub const fn new(custom: Vec<DefinedField>) -> Self {
        Self { custom }
    }

    /// The custom fields, retired ones as well.
    #[must_use]
    pub fn custom(&self) -> &[DefinedField] {
        &self.custom
    }

    fn defined(&self, name: &str) -> Option<&DefinedField> {
        self.custom.iter().find(|known| known.field.name == name)
    }

    /// What people call the field; the name of a custom field that is not defined.
    #[must_use]
    pub fn label<'a>(&'a self, key: &'a FieldKey) -> Cow<'a, str> {
        match key {
            FieldKey::Standard(field) => Cow::Borrowed(field.label()),
            FieldKey::Custom(name) => Cow::Borrowed(
                self.defined(name)
                    .map_or(name.as_str(), |known| known.field.label.as_str()),
            ),
        }
    }

    /// The label of a field that is named by its word; the word itself when there is no such field.
    #[must_use]
    pub fn label_of_word(&self, word: &str) -> String {
        word.parse::<FieldKey>()
            .map_or_else(|_| word.to_owned(), |field| self.label(&field).into_owned())
    }

    /// What the field can hold; `None` for a custom field that is not defined.
    #[must_use]
    pub fn kind(&self, key: &FieldKey) -> Option<FieldKind> {
        match key {
            FieldKey::Standard(field) => Some(field.kind()),
            FieldKey::Custom(name) => self.defined(name).map(|known| known.field.kind.clone()),
        }
    }

    /// Whether pages offer the field: every standard one, and custom ones until they are retired.
    #[must_use]
    pub fn is_offered(&self, key: &FieldKey) -> bool {
        match key {
            FieldKey::Standard(_) => true,
            FieldKey::Custom(name) => self.defined(name).is_some_and(|known| !known.is_retired),
        }
    }

    /// Every field with its label, standard ones first; retired ones only with `with_retired`.
    pub fn iter(&self, with_retired: bool) -> impl Iterator<Item = (FieldKey, &str)> {
        let standard = LeadField::ALL
            .iter()
            .map(|field| (FieldKey::Standard(*field), field.label()));
        let custom = self
            .custom
            .iter()
            .filter(move |known| with_retired || !known.is_retired)
            .map(|known| {
                let key = FieldKey::Custom(known.field.name.clone());
                (key, known.field.label.as_str())
            });
        standard.chain(custom)
    }

    /// The choices of a select: word and label of every field that is offered.
    #[must_use]
    pub fn options(&self) -> Vec<(String, String)> {
        self.iter(false)
            .map(|(key, label)| (key.word().into_owned(), label.to_owned()))
            .collect()
    }

    /// The same, and the field of the word that is chosen already, though it was retired since.
    #[must_use]
    pub fn options_with(&self, chosen: &str) -> Vec<(String, String)> {
        self.iter(true)
            .filter(|(key, _)| self.is_offered(key) || key.word() == chosen)
            .map(|(key, label)| (key.word().into_owned(), label.to_owned()))
            .collect()
    }

    /// The field of this word, if pages offer it.
    #[must_use]
    pub fn offered(&self, word: &str) -> Option<FieldKey> {
        word.parse().ok().filter(|key| self.is_offered(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_snake_case_and_none_of_a_standard_field() {
        for good in ["budget", "b", "budget_2026", "a_b_c"] {
            assert_eq!(check_name(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "Budget",
            "2026",
            "_x",
            "a b",
            "a-b",
            "é",
            "<b>",
            &"x".repeat(51),
        ] {
            assert_eq!(check_name(bad), Err(CustomFieldError::InvalidName), "{bad}");
        }
        assert!(matches!(
            check_name("email"),
            Err(CustomFieldError::TakenName(_))
        ));
    }

    #[test]
    fn a_name_is_made_from_a_label() {
        for (label, name) in [
            ("Budget (EUR)", "budget_eur"),
            (" 2026 Goals!", "goals"),
            ("Größe", "gr_e"),
            ("مرحبا 🦊", ""),
        ] {
            assert_eq!(name_from_label(label), name);
        }
        assert_eq!(
            check_name(&name_from_label(&"Long label ".repeat(20))),
            Ok(())
        );
    }

    #[test]
    fn labels_are_told_apart_whatever_their_case() {
        assert_eq!(
            check_label("  Budget ", ["Region"]),
            Ok("Budget".to_owned())
        );
        assert_eq!(check_label(" ", []), Err(CustomFieldError::NoLabel));
        assert!(check_label("BUDGET", ["budget"]).is_err());
        assert!(check_label("first NAME", []).is_err(), "a standard label");
        for bad in ["ü".repeat(101), "two\nlines".to_owned()] {
            assert_eq!(check_label(&bad, []), Err(CustomFieldError::LabelTooLong));
        }
    }

    #[test]
    fn choices_are_read_line_by_line() {
        assert_eq!(
            check_choices(" EMEA \r\n\r\nAPAC\n"),
            Ok(vec!["EMEA".to_owned(), "APAC".to_owned()])
        );
        assert_eq!(check_choices("one"), Err(CustomFieldError::TooFewChoices));
        assert_eq!(
            check_choices("a\nb\n A "),
            Err(CustomFieldError::DuplicateChoice("A".to_owned()))
        );
        let many: String = (0..=MAX_CHOICES).map(|n| format!("{n}\n")).collect();
        assert_eq!(check_choices(&many), Err(CustomFieldError::TooManyChoices));
        assert!(matches!(
            check_choices(&format!("a\n{}", "x".repeat(101))),
            Err(CustomFieldError::ChoiceTooLong(_))
        ));
    }

    #[test]
    fn a_retired_field_keeps_its_label_but_is_no_longer_offered() {
        let field = |name: &str, is_retired| DefinedField {
            field: CustomField {
                name: name.to_owned(),
                label: name.to_uppercase(),
                kind: FieldKind::Number,
            },
            is_retired,
        };
        let fields = LeadFields::new(vec![field("budget", false), field("old", true)]);
        let old: FieldKey = "custom.old".parse().unwrap();
        assert_eq!(fields.label(&old), "OLD");
        assert_eq!(fields.kind(&old), Some(FieldKind::Number));
        assert_eq!(fields.label_of_word("custom.unknown"), "unknown");
        assert_eq!(fields.offered("custom.old"), None);
        assert!(fields.offered("custom.budget").is_some());
        assert_eq!(fields.options().len(), LeadField::ALL.len() + 1);
        assert_eq!(fields.iter(true).count(), LeadField::ALL.len() + 2);
    }
}
