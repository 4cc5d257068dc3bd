//! The source picker: what the forms really ask, offered with its texts, and the options of a choice.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::field_mapping::{Source, SourceKind, is_on, question_of, shipped_mappings};
use crate::domain::form::QuestionKind;
use crate::domain::ids::FormId;
use crate::store::mapping_inbox::CurrentForm;

/// The most entries of one group; what is not offered can be written by hand.
const MOST: usize = 400;
/// The most characters of an entry's text.
const LONGEST: usize = 120;

/// One source that can be picked.
pub struct SourceOption {
    /// Kind and key, joined by a colon.
    pub value: String,
    /// What people read.
    pub label: String,
}

/// Sources of one kind.
pub struct SourceGroup {
    /// Its heading.
    pub label: &'static str,
    /// Its sources.
    pub options: Vec<SourceOption>,
}

fn option(source: &Source, label: String) -> SourceOption {
    let mut short: String = label.chars().take(LONGEST).collect();
    if label.chars().count() > LONGEST {
        short.push('…');
    }
    SourceOption {
        value: format!("{}:{}", source.kind().as_str(), source.key()),
        label: short,
    }
}

/// “on Spring fair”, or on how many forms.
fn places(forms: &BTreeSet<&str>) -> String {
    match (forms.first(), forms.len()) {
        (Some(only), 1) => format!("on {only}"),
        (_, 0) => "on no form now".to_owned(),
        (_, count) => format!("on {count} forms"),
    }
}

/// Everything that can be picked, as the forms ask it now.
pub fn groups(current: &[CurrentForm]) -> Vec<SourceGroup> {
    let mut predefined: BTreeMap<String, (String, BTreeSet<&str>)> = shipped_mappings()
        .iter()
        .map(|shipped| (shipped.predefined_field.to_owned(), Default::default()))
        .collect();
    let mut questions: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    let mut hidden: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    let mut by_id = Vec::new();
    for form in current {
        for question in &form.version.questions {
            let text = question.text.trim();
            match &question.predefined_field {
                Some(field) => {
                    let known = predefined.entry(field.trim().to_owned()).or_default();
                    text.clone_into(&mut known.0);
                    known.1.insert(&form.name);
                }
                None if !text.is_empty() => {
                    let known = questions.entry(text.to_owned()).or_default();
                    known.insert(&form.name);
                }
                None => {}
            }
            by_id.push(option(
                &Source::QuestionId(question.id),
                format!("{} › {text} ({})", form.name, question.id),
            ));
        }
        for field in &form.version.hidden_fields {
            let known = hidden.entry(field.name.trim().to_owned()).or_default();
            known.insert(&form.name);
        }
    }
    let names = [Source::CampaignName, Source::FormName, Source::AccountName];
    let mut groups = vec![
        SourceGroup {
            label: "LinkedIn predefined fields",
            options: predefined
                .into_iter()
                .map(|(field, (text, forms))| {
                    let text = if text.is_empty() {
                        String::new()
                    } else {
                        format!(" “{text}”")
                    };
                    let label = format!("{field}{text} – {}", places(&forms));
                    option(&Source::Predefined(field), label)
                })
                .collect(),
        },
        SourceGroup {
            label: "Questions, by their text on every form",
            options: questions
                .into_iter()
                .map(|(text, forms)| {
                    let label = format!("“{text}” – {}", places(&forms));
                    option(&Source::QuestionText(text), label)
                })
                .collect(),
        },
        SourceGroup {
            label: "Hidden fields",
            options: hidden
                .into_iter()
                .map(|(name, forms)| {
                    let label = format!("{name} – {}", places(&forms));
                    option(&Source::HiddenField(name), label)
                })
                .collect(),
        },
        SourceGroup {
            label: "Names",
            options: names
                .iter()
                .map(|source| option(source, source.kind().label().to_owned()))
                .collect(),
        },
        SourceGroup {
            label: "One question of one form, by its id",
            options: by_id,
        },
    ];
    for group in &mut groups {
        group.options.truncate(MOST);
    }
    groups.retain(|group| !group.options.is_empty());
    groups
}

/// The kind and key of a picked source; `None` for what the list does not offer.
pub fn picked(value: &str) -> Option<(String, String)> {
    let (kind, key) = value.split_once(':')?;
    kind.parse::<SourceKind>().ok()?;
    Some((kind.to_owned(), key.to_owned()))
}

/// The forms that a source is on now: what a preview looks at. `None` when it may come from any.
pub fn forms_with(
    current: &[CurrentForm],
    form: Option<&FormId>,
    sources: &[&Source],
) -> Option<Vec<FormId>> {
    if let Some(form) = form {
        return Some(vec![form.clone()]);
    }
    let found: Vec<FormId> = current
        .iter()
        .filter(|form| sources.iter().any(|source| is_on(source, &form.version)))
        .map(|form| form.id.clone())
        .collect();
    (!found.is_empty() && found.len() < current.len()).then_some(found)
}

/// The options of the choices that a source reads, each once, in the order of the forms.
pub fn choices(current: &[CurrentForm], form: Option<&FormId>, source: &Source) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for one in current {
        if form.is_some_and(|form| *form != one.id) {
            continue;
        }
        let Some(question) = question_of(source, &one.version) else {
            continue;
        };
        if let QuestionKind::MultipleChoice { options } = &question.kind {
            for option in options {
                let text = option.text.trim();
                if !text.is_empty() && !found.iter().any(|known| known == text) {
                    found.push(text.to_owned());
                }
            }
        }
    }
    found.truncate(MOST);
    found
}
