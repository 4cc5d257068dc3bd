//! Two versions of a form side by side: which questions came, went or changed, and which options have other numbers.

use std::collections::BTreeSet;

use super::{ChoiceOption, Consent, FormVersion, Question, QuestionKind};

/// What became of an option of a multiple choice question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OptionChange {
    /// Only in the left version.
    Removed(ChoiceOption),
    /// Only in the right version.
    Added(ChoiceOption),
    /// The same text under another number: answers of the two versions must not be mixed up.
    Renumbered {
        /// What the member read.
        text: String,
        /// In the left version.
        left: i64,
        /// In the right version.
        right: i64,
    },
    /// The same number means another text.
    Reworded {
        /// In both versions.
        id: i64,
        /// In the left version.
        left: String,
        /// In the right version.
        right: String,
    },
}

/// What became of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QuestionChange {
    /// Only in the left version.
    Removed,
    /// Only in the right version.
    Added,
    /// In both, and the same.
    Same,
    /// In both, and different.
    Changed(Vec<Difference>),
}

/// One difference between two versions of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// LinkedIn's number of the question.
    Number,
    /// What the member read.
    Text,
    /// The name in the author's language.
    Name,
    /// Another predefined field, or one more or less.
    PredefinedField,
    /// How it is answered, such as text or choice, or the length.
    Kind,
    /// Whether it had to be answered.
    Required,
    /// Its place among the questions.
    Position,
    /// An option.
    Option(OptionChange),
}

/// A question of the left version beside that of the right one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlignedQuestion {
    /// In the left version.
    pub left: Option<Question>,
    /// In the right version.
    pub right: Option<Question>,
    /// What became of it.
    pub change: QuestionChange,
}

/// Which questions belong together: by predefined field, which is the only stable key (linkedin-api.md §4.2), then by
/// number and text, by text, and by number for custom questions that were reworded.
fn partner(left: &Question, right: &[Question], taken: &BTreeSet<usize>) -> Option<usize> {
    let find = |is_same: &dyn Fn(&Question) -> bool| {
        right
            .iter()
            .enumerate()
            .find(|(at, question)| !taken.contains(at) && is_same(question))
            .map(|(at, _)| at)
    };
    if left.predefined_field.is_some() {
        return find(&|question| question.predefined_field == left.predefined_field);
    }
    let is_custom = |question: &Question| question.predefined_field.is_none();
    find(&|question| is_custom(question) && question.id == left.id && question.text == left.text)
        .or_else(|| find(&|question| is_custom(question) && question.text == left.text))
        .or_else(|| find(&|question| is_custom(question) && question.id == left.id))
}

/// Aligns the questions of two versions, in the order of the right one; what was removed stands where it was.
#[must_use]
pub fn compare(left: &FormVersion, right: &FormVersion) -> Vec<AlignedQuestion> {
    let mut taken = BTreeSet::new();
    let mut pairs: Vec<(usize, Option<usize>)> = Vec::with_capacity(left.questions.len());
    for (at, question) in left.questions.iter().enumerate() {
        let found = partner(question, &right.questions, &taken);
        taken.extend(found);
        pairs.push((at, found));
    }
    let mut rows = Vec::with_capacity(right.questions.len());
    // Removed questions come after the one that stood before them on the left.
    let mut removed = pairs.iter().filter(|(_, other)| other.is_none()).peekable();
    let mut push_removed = |rows: &mut Vec<AlignedQuestion>, before: usize| {
        while let Some((at, _)) = removed.next_if(|(at, _)| *at < before) {
            rows.push(AlignedQuestion {
                left: left.questions.get(*at).cloned(),
                right: None,
                change: QuestionChange::Removed,
            });
        }
    };
    for (place, question) in right.questions.iter().enumerate() {
        let partner = pairs
            .iter()
            .find(|(_, other)| *other == Some(place))
            .and_then(|(at, _)| Some((*at, left.questions.get(*at)?)));
        match partner {
            Some((at, old)) => {
                push_removed(&mut rows, at);
                rows.push(AlignedQuestion {
                    change: change(old, at, question, place),
                    left: Some(old.clone()),
                    right: Some(question.clone()),
                });
            }
            None => rows.push(AlignedQuestion {
                left: None,
                right: Some(question.clone()),
                change: QuestionChange::Added,
            }),
        }
    }
    push_removed(&mut rows, usize::MAX);
    rows
}

fn change(old: &Question, at: usize, new: &Question, place: usize) -> QuestionChange {
    let mut differences = Vec::new();
    let mut note = |is_different: bool, difference| {
        if is_different {
            differences.push(difference);
        }
    };
    note(old.id != new.id, Difference::Number);
    note(old.text != new.text, Difference::Text);
    note(
        old.name != new.name && old.text == new.text,
        Difference::Name,
    );
    note(
        old.predefined_field != new.predefined_field,
        Difference::PredefinedField,
    );
    note(old.required != new.required, Difference::Required);
    note(at != place, Difference::Position);
    match (&old.kind, &new.kind) {
        (
            QuestionKind::MultipleChoice { options: before },
            QuestionKind::MultipleChoice { options: after },
        ) => differences.extend(options(before, after).into_iter().map(Difference::Option)),
        (before, after) => {
            if before != after {
                differences.push(Difference::Kind);
            }
        }
    }
    if differences.is_empty() {
        QuestionChange::Same
    } else {
        QuestionChange::Changed(differences)
    }
}

/// The differences between the options of a question.
fn options(before: &[ChoiceOption], after: &[ChoiceOption]) -> Vec<OptionChange> {
    let by_text =
        |list: &[ChoiceOption], text: &str| list.iter().find(|option| option.text == text).cloned();
    let by_id =
        |list: &[ChoiceOption], id: i64| list.iter().find(|option| option.id == id).cloned();
    let mut changes = Vec::new();
    for option in before {
        match by_text(after, &option.text) {
            Some(other) if other.id == option.id => {}
            Some(other) => changes.push(OptionChange::Renumbered {
                text: option.text.clone(),
                left: option.id,
                right: other.id,
            }),
            // The number goes on with another text that is new: reworded. Otherwise the option is gone.
            None => match by_id(after, option.id)
                .filter(|other| by_text(before, &other.text).is_none())
            {
                Some(other) => changes.push(OptionChange::Reworded {
                    id: option.id,
                    left: option.text.clone(),
                    right: other.text,
                }),
                None => changes.push(OptionChange::Removed(option.clone())),
            },
        }
    }
    for option in after {
        let is_reworded =
            by_id(before, option.id).is_some_and(|old| by_text(after, &old.text).is_none());
        if by_text(before, &option.text).is_none() && !is_reworded {
            changes.push(OptionChange::Added(option.clone()));
        }
    }
    changes
}

/// A part of a form beside its questions that is not the same in two versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedPart {
    /// What it is, such as “Headline” or “Hidden field utm_campaign”.
    pub name: String,
    /// In the left version.
    pub left: Option<String>,
    /// In the right version.
    pub right: Option<String>,
}

/// What differs beside the questions: texts, addresses, consents by LinkedIn's number, hidden fields by their name.
#[must_use]
pub fn changed_parts(left: &FormVersion, right: &FormVersion) -> Vec<ChangedPart> {
    let texts = |version: &FormVersion| {
        let locale = [&version.locale.language, &version.locale.country]
            .into_iter()
            .filter(|part| !part.is_empty())
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join("-");
        [
            ("Name", Some(version.name.clone())),
            ("Language", Some(locale).filter(|text| !text.is_empty())),
            ("Headline", version.headline.clone()),
            ("Description", version.description.clone()),
            ("Privacy policy", version.privacy_policy_url.clone()),
            ("Legal text", version.legal_disclaimer.clone()),
            ("Thank-you message", version.thank_you_message.clone()),
            ("Landing page", version.landing_page_url.clone()),
        ]
    };
    let consent = |consent: &Consent| {
        let required = if consent.check_required {
            " (required)"
        } else {
            ""
        };
        format!("{}{required}", consent.text)
    };
    let mut parts: Vec<ChangedPart> = texts(left)
        .into_iter()
        .zip(texts(right))
        .map(|((name, left), (_, right))| ChangedPart {
            name: name.to_owned(),
            left,
            right,
        })
        .collect();
    let ids: BTreeSet<i64> = [left, right]
        .iter()
        .flat_map(|version| version.consents.iter().map(|consent| consent.id))
        .collect();
    parts.extend(ids.into_iter().map(|id| ChangedPart {
        name: format!("Consent {id}"),
        left: left.consent(id).map(consent),
        right: right.consent(id).map(consent),
    }));
    let names: BTreeSet<&str> = [left, right]
        .iter()
        .flat_map(|version| {
            version
                .hidden_fields
                .iter()
                .map(|field| field.name.as_str())
        })
        .collect();
    parts.extend(names.into_iter().map(|name| ChangedPart {
        name: format!("Hidden field {name}"),
        left: left.hidden_field(name).map(str::to_owned),
        right: right.hidden_field(name).map(str::to_owned),
    }));
    parts.retain(|part| part.left != part.right);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{FormId, FormVersionId};

    fn text(id: i64, text: &str, predefined: Option<&str>) -> Question {
        Question {
            id,
            name: text.to_owned(),
            text: text.to_owned(),
            label: None,
            predefined_field: predefined.map(str::to_owned),
            kind: QuestionKind::Text { max_length: None },
            required: true,
            editable: true,
        }
    }

    fn choice(id: i64, question: &str, options: &[(i64, &str)]) -> Question {
        Question {
            kind: QuestionKind::MultipleChoice {
                options: options
                    .iter()
                    .map(|(id, text)| ChoiceOption {
                        id: *id,
                        text: (*text).to_owned(),
                    })
                    .collect(),
            },
            ..text(id, question, None)
        }
    }

    fn version(questions: Vec<Question>) -> FormVersion {
        FormVersion {
            id: FormVersionId::new(uuid::Uuid::nil()),
            form_id: FormId::new(uuid::Uuid::nil()),
            number: 1,
            name: String::new(),
            locale: super::super::Locale::default(),
            questions,
            hidden_fields: Vec::new(),
            consents: Vec::new(),
            headline: None,
            description: None,
            privacy_policy_url: None,
            landing_page_url: None,
            thank_you_message: None,
            legal_disclaimer: None,
        }
    }

    fn changes(left: Vec<Question>, right: Vec<Question>) -> Vec<QuestionChange> {
        compare(&version(left), &version(right))
            .into_iter()
            .map(|row| row.change)
            .collect()
    }

    #[test]
    fn texts_consents_and_hidden_fields_that_differ_are_told_and_no_others() {
        let consent = |id, text: &str, check_required| Consent {
            id,
            text: text.to_owned(),
            check_required,
        };
        let hidden = |name: &str, value: &str| super::super::HiddenField {
            name: name.to_owned(),
            value: value.to_owned(),
        };
        let left = FormVersion {
            name: "Guide".to_owned(),
            headline: Some("Hello".to_owned()),
            consents: vec![consent(0, "I agree", false), consent(1, "News", false)],
            hidden_fields: vec![hidden("utm", "a"), hidden("same", "x")],
            ..version(Vec::new())
        };
        let right = FormVersion {
            headline: None,
            thank_you_message: Some("Thanks".to_owned()),
            consents: vec![consent(0, "I agree", true)],
            hidden_fields: vec![hidden("same", "x"), hidden("utm", "b")],
            ..left.clone()
        };
        let told: Vec<(String, Option<String>, Option<String>)> = changed_parts(&left, &right)
            .into_iter()
            .map(|part| (part.name, part.left, part.right))
            .collect();
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            told,
            [
                ("Headline".to_owned(), some("Hello"), None),
                ("Thank-you message".to_owned(), None, some("Thanks")),
                (
                    "Consent 0".to_owned(),
                    some("I agree"),
                    some("I agree (required)")
                ),
                ("Consent 1".to_owned(), some("News"), None),
                ("Hidden field utm".to_owned(), some("a"), some("b")),
            ]
        );
        assert_eq!(changed_parts(&left, &left), []);
    }

    #[test]
    fn a_version_is_the_same_as_itself() {
        let all = || {
            vec![
                text(1, "E-mail", Some("EMAIL")),
                choice(2, "When?", &[(0, "Now"), (1, "Later")]),
            ]
        };
        assert_eq!(
            changes(all(), all()),
            [QuestionChange::Same, QuestionChange::Same]
        );
    }

    #[test]
    fn questions_come_go_move_and_are_reworded() {
        use QuestionChange as Q;
        let left = vec![
            text(1, "E-mail", Some("EMAIL")),
            text(2, "Budget?", None),
            text(3, "Country?", None),
        ];
        let right = vec![
            text(9, "Your e-mail", Some("EMAIL")),
            text(3, "Which country?", None),
            text(4, "Phone?", None),
        ];
        assert_eq!(
            changes(left, right),
            [
                Q::Changed(vec![Difference::Number, Difference::Text]),
                Q::Removed,
                Q::Changed(vec![Difference::Text, Difference::Position]),
                Q::Added,
            ]
        );
    }

    #[test]
    fn options_that_were_renumbered_are_told_from_reworded_ones() {
        let left = vec![choice(
            1,
            "When?",
            &[(0, "Now"), (1, "Later"), (2, "Never"), (3, "Soon")],
        )];
        let right = vec![choice(
            1,
            "When?",
            &[(1, "Now"), (0, "Later"), (3, "Sooner"), (4, "Maybe")],
        )];
        let QuestionChange::Changed(differences) = changes(left, right).remove(0) else {
            panic!("a change");
        };
        use OptionChange as O;
        let renumbered = |text: &str, left, right| O::Renumbered {
            text: text.to_owned(),
            left,
            right,
        };
        assert_eq!(
            differences,
            [
                renumbered("Now", 0, 1),
                renumbered("Later", 1, 0),
                O::Removed(ChoiceOption {
                    id: 2,
                    text: "Never".to_owned()
                }),
                O::Reworded {
                    id: 3,
                    left: "Soon".to_owned(),
                    right: "Sooner".to_owned()
                },
                O::Added(ChoiceOption {
                    id: 4,
                    text: "Maybe".to_owned()
                }),
            ]
            .map(Difference::Option)
        );
    }

    #[test]
    fn another_kind_and_an_empty_version_are_told() {
        assert_eq!(
            changes(
                vec![text(1, "When?", None)],
                vec![choice(1, "When?", &[(0, "Now")])]
            ),
            [QuestionChange::Changed(vec![Difference::Kind])]
        );
        assert_eq!(
            changes(vec![], vec![text(1, "x", None)]),
            [QuestionChange::Added]
        );
        assert_eq!(
            changes(vec![text(1, "x", None)], vec![]),
            [QuestionChange::Removed]
        );
    }
}
