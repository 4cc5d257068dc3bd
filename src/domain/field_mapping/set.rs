//! All mappings together: which are in force on a form, and how their sources are found on one of its versions.

use std::collections::{BTreeMap, BTreeSet};

use super::version_mapping::{CompiledQuestion, Input, Step};
use super::{FieldMapping, MappedSubmission, Source, Transform, VersionMapping};
use crate::domain::form::{FormVersion, Question, QuestionKind};
use crate::domain::ids::FormId;
use crate::domain::lead::{CustomField, FieldKey, FieldKind};
use crate::domain::normalise;
use crate::domain::submission::Submission;

/// The organisation's mappings and the overrides of its forms.
#[derive(Debug, Clone, Default)]
pub struct MappingSet {
    /// By (position, name, id), so that the order in which they were read does not count.
    mappings: Vec<FieldMapping>,
    custom_fields: BTreeMap<String, FieldKind>,
}

impl MappingSet {
    /// Takes all mappings, organisation-wide and of single forms, in any order.
    #[must_use]
    pub fn new(mut mappings: Vec<FieldMapping>) -> Self {
        mappings.sort_by(|a, b| (a.position, &a.name, &a.id).cmp(&(b.position, &b.name, &b.id)));
        Self {
            mappings,
            custom_fields: BTreeMap::new(),
        }
    }

    /// Tells what the custom fields can hold. A mapping to a custom field that is not among them is flagged.
    #[must_use]
    pub fn with_custom_fields(mut self, fields: impl IntoIterator<Item = CustomField>) -> Self {
        self.custom_fields = fields
            .into_iter()
            .map(|field| (field.name, field.kind))
            .collect();
        self
    }

    /// The mappings in force on a form: its overrides, and the organisation-wide ones of every other target field.
    pub fn for_form<'a>(&'a self, form: &'a FormId) -> impl Iterator<Item = &'a FieldMapping> + 'a {
        let overridden: BTreeSet<&FieldKey> = self
            .mappings
            .iter()
            .filter(|mapping| mapping.form_id.as_ref() == Some(form))
            .map(|mapping| &mapping.target)
            .collect();
        self.mappings
            .iter()
            .filter(move |mapping| match &mapping.form_id {
                Some(own) => own == form,
                None => !overridden.contains(&mapping.target),
            })
    }

    /// The fields that some mapping writes to: those that a matching strategy may compare.
    #[must_use]
    pub fn targets(&self) -> BTreeSet<FieldKey> {
        self.mappings
            .iter()
            .map(|mapping| mapping.target.clone())
            .collect()
    }

    /// Resolves every source against the questions of a form version, once for all its submissions.
    #[must_use]
    pub fn compile(&self, version: &FormVersion) -> VersionMapping {
        let mut questions: Vec<CompiledQuestion> = Vec::with_capacity(version.questions.len());
        for question in &version.questions {
            questions.push(CompiledQuestion {
                id: question.id,
                options: match &question.kind {
                    QuestionKind::MultipleChoice { options } => options
                        .iter()
                        .map(|option| (option.id, option.text.clone()))
                        .collect(),
                    QuestionKind::Text { .. } | QuestionKind::Unknown => Vec::new(),
                },
                is_mapped: false,
            });
        }
        let lookup = SourceLookup::new(version);
        let mut steps = Vec::new();
        for mapping in self.for_form(&version.form_id) {
            let input = lookup.input(&mapping.source);
            let joined: Vec<(Source, Input)> = mapping
                .transforms
                .iter()
                .filter_map(|transform| match transform {
                    Transform::Join { with, .. } => Some(with),
                    _ => None,
                })
                .flatten()
                .map(|source| (source.clone(), lookup.input(source)))
                .collect();
            if matches!(input, Input::Absent)
                && joined
                    .iter()
                    .all(|(_, input)| matches!(input, Input::Absent))
            {
                continue;
            }
            for used in std::iter::once(&input).chain(joined.iter().map(|(_, input)| input)) {
                if let Input::Question(index) = used
                    && let Some(question) = questions.get_mut(*index)
                {
                    question.is_mapped = true;
                }
            }
            let kind = match &mapping.target {
                FieldKey::Standard(field) => Some(field.kind()),
                FieldKey::Custom(name) => self.custom_fields.get(name).cloned(),
            };
            steps.push(Step {
                mapping: mapping.clone(),
                kind,
                input,
                joined,
            });
        }
        VersionMapping::new(steps, questions)
    }

    /// Maps one submission. Many submissions of one form version go faster through [`MappingSet::compile`].
    #[must_use]
    pub fn map(
        &self,
        submission: &Submission,
        version: &FormVersion,
        default_country: Option<&str>,
    ) -> MappedSubmission {
        self.compile(version).map(submission, default_country)
    }
}

/// The question of a form version that a source reads, if it reads one.
#[must_use]
pub fn question_of<'a>(source: &Source, version: &'a FormVersion) -> Option<&'a Question> {
    match SourceLookup::new(version).input(source) {
        Input::Question(index) => version.questions.get(index),
        _ => None,
    }
}

/// Whether a form version has what a source reads.
#[must_use]
pub fn is_on(source: &Source, version: &FormVersion) -> bool {
    !matches!(SourceLookup::new(version).input(source), Input::Absent)
}

/// Finds the sources of mappings on one form version.
struct SourceLookup<'a> {
    version: &'a FormVersion,
    /// Text, label and name of each question as they are compared.
    texts: Vec<[Option<String>; 3]>,
}

impl<'a> SourceLookup<'a> {
    fn new(version: &'a FormVersion) -> Self {
        let texts = version
            .questions
            .iter()
            .map(|question| {
                [
                    normalise::text(&question.text),
                    question.label.as_deref().and_then(normalise::text),
                    normalise::text(&question.name),
                ]
            })
            .collect();
        Self { version, texts }
    }

    fn position(&self, is_wanted: impl Fn(&Question) -> bool) -> Input {
        self.version
            .questions
            .iter()
            .position(is_wanted)
            .map_or(Input::Absent, Input::Question)
    }

    fn input(&self, source: &Source) -> Input {
        match source {
            Source::Predefined(wanted) => self.position(|question| {
                question
                    .predefined_field
                    .as_deref()
                    .is_some_and(|field| field.eq_ignore_ascii_case(wanted.trim()))
            }),
            Source::QuestionId(wanted) => self.position(|question| question.id == *wanted),
            Source::QuestionText(wanted) => {
                let wanted = normalise::text(wanted);
                // What the member read counts before the label, and that before the author's name of the question.
                (0..3)
                    .find_map(|kind| {
                        self.texts.iter().position(|texts| {
                            wanted.is_some() && texts.get(kind).is_some_and(|text| *text == wanted)
                        })
                    })
                    .map_or(Input::Absent, Input::Question)
            }
            Source::HiddenField(name) => self
                .version
                .hidden_field(name)
                .map_or(Input::Absent, |value| Input::Literal(value.to_owned())),
            Source::CampaignName => Input::CampaignName,
            Source::FormName => Input::FormName,
            Source::AccountName => Input::AccountName,
            Source::Constant(value) => Input::Literal(value.clone()),
        }
    }
}
