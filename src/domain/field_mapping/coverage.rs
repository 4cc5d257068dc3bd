//! How much of a form version the mappings read.

use super::{MappingSet, Source};
use crate::domain::form::{FormVersion, Question};

/// How many of a version's questions some mapping reads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Questions that some mapping reads.
    pub mapped: usize,
    /// All questions.
    pub total: usize,
}

impl Coverage {
    /// Whether every question is read.
    #[must_use]
    pub const fn is_full(self) -> bool {
        self.mapped == self.total
    }
}

impl std::fmt::Display for Coverage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&format!("{} of {} mapped", self.mapped, self.total))
    }
}

/// The coverage of a form version.
#[must_use]
pub fn coverage(set: &MappingSet, version: &FormVersion) -> Coverage {
    let total = version.questions.len();
    Coverage {
        mapped: total - set.compile(version).unmapped_questions().count(),
        total,
    }
}

/// The questions of a version that no mapping reads, in the order of the form.
#[must_use]
pub fn unmapped<'a>(set: &MappingSet, version: &'a FormVersion) -> Vec<&'a Question> {
    set.compile(version)
        .unmapped_questions()
        .filter_map(|id| version.question(id))
        .collect()
}

/// The source that reads a question on every form that asks the same: its predefined field, else its text; by its id
/// where it has no text.
#[must_use]
pub fn source_of(question: &Question) -> Source {
    match &question.predefined_field {
        Some(field) if !field.trim().is_empty() => Source::Predefined(field.trim().to_owned()),
        _ if question.text.trim().is_empty() => Source::QuestionId(question.id),
        _ => Source::QuestionText(question.text.trim().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::field_mapping::{FieldMapping, WritePolicy};
    use crate::domain::form::{Locale, QuestionKind};
    use crate::domain::ids::{FormId, FormVersionId, MappingId};
    use crate::domain::lead::LeadField;

    #[test]
    fn questions_that_no_mapping_reads_are_counted_and_the_suggested_source_reads_them() {
        let question = |id: i64, text: &str, predefined: Option<&str>| Question {
            id,
            name: String::new(),
            text: text.to_owned(),
            label: None,
            predefined_field: predefined.map(str::to_owned),
            kind: QuestionKind::Text { max_length: None },
            required: true,
            editable: true,
        };
        let version = FormVersion {
            id: FormVersionId::new(uuid::Uuid::nil()),
            form_id: FormId::new(uuid::Uuid::nil()),
            number: 1,
            name: "Form".to_owned(),
            locale: Locale::default(),
            questions: vec![
                question(1, "E-mail", Some("EMAIL")),
                question(2, "Your budget?", None),
                question(3, " ", None),
            ],
            hidden_fields: Vec::new(),
            consents: Vec::new(),
            headline: None,
            description: None,
            privacy_policy_url: None,
            landing_page_url: None,
            thank_you_message: None,
            legal_disclaimer: None,
        };
        let mut mappings = Vec::new();
        for mapped in 0..=3 {
            let set = MappingSet::new(mappings.clone());
            let told = coverage(&set, &version);
            assert_eq!(told.to_string(), format!("{mapped} of 3 mapped"));
            assert_eq!(told.is_full(), mapped == 3);
            let left = unmapped(&set, &version);
            assert_eq!(left.len(), 3 - mapped);
            if let Some(first) = left.first() {
                mappings.push(FieldMapping {
                    id: MappingId::new(uuid::Uuid::from_u128(mapped as u128)),
                    name: String::new(),
                    form_id: None,
                    source: source_of(first),
                    target: LeadField::Description.into(),
                    policy: WritePolicy::Append,
                    transforms: Vec::new(),
                    position: 0,
                });
            }
        }
    }
}
