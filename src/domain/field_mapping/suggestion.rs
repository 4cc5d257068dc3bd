//! Which lead field a question probably belongs to: by LinkedIn's predefined field, else by the words of its text.

use std::collections::BTreeSet;

use super::shipped_mappings;
use crate::domain::form::Question;
use crate::domain::lead::{CustomField, FieldKey, LeadField};

/// Other words that people use for a field.
const ALIASES: &[(LeadField, &[&str])] = &[
    (LeadField::FirstName, &["given name", "forename"]),
    (LeadField::LastName, &["surname", "family name"]),
    (LeadField::Phone, &["telephone", "phone number"]),
    (LeadField::MobilePhone, &["mobile", "cell phone"]),
    (
        LeadField::CompanyName,
        &["company", "employer", "organization", "organisation"],
    ),
    (LeadField::JobTitle, &["position", "role"]),
    (
        LeadField::CompanySize,
        &["employees", "number employees", "how many employees"],
    ),
    (LeadField::PostalCode, &["zip", "zip code", "postcode"]),
    (LeadField::City, &["town"]),
    (
        LeadField::Website,
        &["homepage", "url", "web site", "company website"],
    ),
    (LeadField::School, &["university", "college"]),
];

/// Words that say nothing about what is asked.
const EMPTY_WORDS: &[&str] = &[
    "a", "an", "and", "are", "at", "do", "does", "enter", "for", "have", "has", "in", "is", "me",
    "my", "of", "on", "our", "please", "tell", "the", "to", "us", "we", "what", "whats", "where",
    "which", "who", "you", "your",
];

/// How alike two sets of words must be, in percent.
const ALIKE: usize = 60;

/// The lead field that a question probably belongs to, among the standard ones and these custom ones.
#[must_use]
pub fn suggest(question: &Question, custom: &[CustomField]) -> Option<FieldKey> {
    let shipped = question.predefined_field.as_deref().and_then(|wanted| {
        shipped_mappings()
            .iter()
            .find(|shipped| shipped.predefined_field.eq_ignore_ascii_case(wanted.trim()))
    });
    if let Some(shipped) = shipped {
        return Some(FieldKey::Standard(shipped.target));
    }
    let asked: Vec<BTreeSet<String>> = [
        Some(question.text.as_str()),
        question.label.as_deref(),
        Some(question.name.as_str()),
    ]
    .into_iter()
    .flatten()
    .map(words)
    .collect();
    let mut best: Option<(usize, FieldKey)> = None;
    let mut consider = |name: &str, field: FieldKey| {
        let name = words(name);
        let score = asked.iter().map(|asked| likeness(asked, &name)).max();
        // Of two that are equally alike the first one counts.
        if let Some(score) = score.filter(|score| *score >= ALIKE)
            && best.as_ref().is_none_or(|(known, _)| score > *known)
        {
            best = Some((score, field));
        }
    };
    for field in custom {
        consider(&field.label, FieldKey::Custom(field.name.clone()));
    }
    for field in LeadField::ALL {
        consider(field.label(), FieldKey::Standard(*field));
    }
    for (field, aliases) in ALIASES {
        for alias in *aliases {
            consider(alias, FieldKey::Standard(*field));
        }
    }
    best.map(|(_, field)| field)
}

/// The words that count, lower-cased; “e-mail” is one word.
fn words(text: &str) -> BTreeSet<String> {
    let joined: String = text
        .chars()
        .filter(|c| !matches!(c, '-' | '‐' | '\'' | '’'))
        .flat_map(char::to_lowercase)
        .collect();
    joined
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty() && !EMPTY_WORDS.contains(word))
        .map(str::to_owned)
        .collect()
}

/// How many words two sets have in common, from 0 to 100.
fn likeness(one: &BTreeSet<String>, other: &BTreeSet<String>) -> usize {
    let all = one.len() + other.len();
    if one.is_empty() || other.is_empty() {
        return 0;
    }
    one.intersection(other).count() * 200 / all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::form::QuestionKind;
    use crate::domain::lead::FieldKind;
    use proptest::prelude::*;

    fn question(text: &str, predefined: Option<&str>) -> Question {
        Question {
            id: 1,
            name: "Custom question 0".to_owned(),
            text: text.to_owned(),
            label: None,
            predefined_field: predefined.map(str::to_owned),
            kind: QuestionKind::Text { max_length: None },
            required: true,
            editable: true,
        }
    }

    #[test]
    fn a_question_is_recognised_by_its_predefined_field_or_its_words() {
        for (text, predefined, wanted) in [
            ("Anything", Some("job_title"), Some(LeadField::JobTitle)),
            ("What is your job title?", None, Some(LeadField::JobTitle)),
            ("E-mail address", None, Some(LeadField::Email)),
            ("Your work e-mail", None, Some(LeadField::WorkEmail)),
            ("Phone number", None, Some(LeadField::Phone)),
            ("Company", None, Some(LeadField::CompanyName)),
            (
                "How many employees do you have?",
                None,
                Some(LeadField::CompanySize),
            ),
            ("ZIP", None, Some(LeadField::PostalCode)),
            ("Which country are you in?", None, Some(LeadField::Country)),
            ("When do you want to buy?", None, None),
            ("", None, None),
            ("???", Some("SOMETHING_NEW"), None),
        ] {
            let suggested = suggest(&question(text, predefined), &[]);
            assert_eq!(suggested, wanted.map(FieldKey::Standard), "{text}");
        }
    }

    #[test]
    fn custom_fields_are_suggested_too() {
        let budget = CustomField {
            name: "budget".to_owned(),
            label: "Yearly budget".to_owned(),
            kind: FieldKind::Number,
        };
        assert_eq!(
            suggest(&question("What is your yearly budget?", None), &[budget]),
            Some(FieldKey::Custom("budget".to_owned()))
        );
    }

    proptest! {
        #[test]
        fn any_text_has_an_answer(text in any::<String>()) {
            let _suggested = suggest(&question(&text, Some(&text)), &[]);
        }
    }
}
