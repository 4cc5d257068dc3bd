//! All mappings together, and their compiled form for one form version, which runs once per submission.

use std::collections::{BTreeMap, BTreeSet};

use super::transform::run;
use super::{
    AppliedMapping, FieldMapping, FlagKind, MappedSubmission, MappedValue, MappingFlag,
    MappingOutcome, Source, WritePolicy, fit,
};
use crate::domain::form::{FormVersion, Question, QuestionKind};
use crate::domain::ids::FormId;
use crate::domain::lead::{CustomField, FieldKey, FieldKind};
use crate::domain::normalise;
use crate::domain::submission::{AnswerValue, Submission};

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
                    super::Transform::Join { with, .. } => Some(with),
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
        let mut by_id: Vec<(i64, usize)> = questions
            .iter()
            .enumerate()
            .map(|(index, question)| (question.id, index))
            .collect();
        by_id.sort_unstable();
        by_id.dedup_by_key(|(id, _)| *id);
        VersionMapping {
            steps,
            questions,
            by_id,
        }
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

/// A source, resolved.
#[derive(Debug, Clone)]
enum Input {
    /// Index of the question in the form version.
    Question(usize),
    Literal(String),
    CampaignName,
    FormName,
    AccountName,
    /// This form version does not have it.
    Absent,
}

#[derive(Debug, Clone)]
struct Step {
    mapping: FieldMapping,
    /// `None` for a custom field that does not exist.
    kind: Option<FieldKind>,
    input: Input,
    /// The further sources of joins.
    joined: Vec<(Source, Input)>,
}

#[derive(Debug, Clone)]
struct CompiledQuestion {
    id: i64,
    options: Vec<(i64, String)>,
    is_mapped: bool,
}

/// The mappings in force on one form version, with every source resolved.
#[derive(Debug, Clone)]
pub struct VersionMapping {
    steps: Vec<Step>,
    questions: Vec<CompiledQuestion>,
    /// (question id, index), sorted.
    by_id: Vec<(i64, usize)>,
}

/// What a source gives: one text, several, or nothing, and whether something that was there could not be read.
#[derive(Default)]
struct Read<'a> {
    values: Vec<&'a str>,
    is_unreadable: bool,
}

impl VersionMapping {
    /// Questions of the version that no mapping reads, in the order of the form.
    pub fn unmapped_questions(&self) -> impl Iterator<Item = i64> + '_ {
        self.questions
            .iter()
            .filter(|question| !question.is_mapped)
            .map(|question| question.id)
    }

    /// Maps one submission. Total: any answer gives a value or a flag.
    #[must_use]
    pub fn map(&self, submission: &Submission, default_country: Option<&str>) -> MappedSubmission {
        let country = submission
            .country
            .as_deref()
            .filter(|code| !code.is_empty())
            .or(default_country);
        let mut result = MappedSubmission {
            values: Vec::with_capacity(self.steps.len()),
            applied: Vec::with_capacity(self.steps.len()),
            ..MappedSubmission::default()
        };
        let answers = self.answers(submission, &mut result);
        // Index into `applied` of each entry of `values`; values that append follow at the end.
        let mut ran: Vec<usize> = Vec::with_capacity(self.steps.len());
        let mut appended = Vec::new();
        for step in &self.steps {
            let (value, outcome) = match self.step_value(step, submission, &answers) {
                (None, outcome) => (None, outcome),
                (Some(raw), _) => match step
                    .kind
                    .as_ref()
                    .map_or(Err(FlagKind::UnknownField), |kind| fit(kind, &raw, country))
                {
                    Ok(value) => (Some(value), MappingOutcome::Mapped),
                    Err(problem) => {
                        result.flags.push(MappingFlag {
                            mapping_id: Some(step.mapping.id.clone()),
                            field: Some(step.mapping.target.clone()),
                            question_id: self.question_id(&step.input),
                            problem,
                        });
                        (None, MappingOutcome::LeftOut)
                    }
                },
            };
            let position = result.applied.len();
            result.applied.push(AppliedMapping {
                mapping_id: step.mapping.id.clone(),
                field: step.mapping.target.clone(),
                question_id: self.question_id(&step.input),
                outcome,
            });
            let Some(value) = value else { continue };
            let value = MappedValue {
                field: step.mapping.target.clone(),
                value,
                policy: step.mapping.policy,
                mapping_id: step.mapping.id.clone(),
            };
            if value.policy == WritePolicy::Append {
                appended.push(value);
                continue;
            }
            let earlier = result
                .values
                .iter()
                .position(|known| known.field == value.field);
            let superseded = match earlier {
                None => {
                    result.values.push(value);
                    ran.push(position);
                    None
                }
                Some(index) if value.policy == WritePolicy::Overwrite => {
                    if let Some(known) = result.values.get_mut(index) {
                        *known = value;
                    }
                    ran.get_mut(index)
                        .map(|known| std::mem::replace(known, position))
                }
                Some(_) => Some(position),
            };
            if let Some(applied) = superseded.and_then(|index| result.applied.get_mut(index)) {
                applied.outcome = MappingOutcome::Superseded;
            }
        }
        result.values.append(&mut appended);
        result
    }

    /// The answers by index of their question; flags what belongs to no question or cannot be read.
    fn answers<'a>(
        &self,
        submission: &'a Submission,
        result: &mut MappedSubmission,
    ) -> Vec<Option<&'a AnswerValue>> {
        let mut answers: Vec<Option<&AnswerValue>> = vec![None; self.questions.len()];
        let mut unknown = Vec::new();
        for answer in &submission.answers {
            let flag = |problem| MappingFlag {
                mapping_id: None,
                field: None,
                question_id: Some(answer.question_id),
                problem,
            };
            let index = self
                .by_id
                .binary_search_by_key(&answer.question_id, |(id, _)| *id)
                .ok()
                .and_then(|found| self.by_id.get(found))
                .map(|(_, index)| *index);
            let Some(index) = index else {
                if !unknown.contains(&answer.question_id) {
                    unknown.push(answer.question_id);
                    result.flags.push(flag(FlagKind::UnknownQuestion));
                }
                continue;
            };
            let Some(slot) = answers.get_mut(index) else {
                continue;
            };
            if answer.value.is_blank() || slot.is_some() {
                continue;
            }
            *slot = Some(&answer.value);
            match &answer.value {
                AnswerValue::Unknown(_) => result.flags.push(flag(FlagKind::UnreadableAnswer)),
                AnswerValue::Choices(chosen) => {
                    let options = self
                        .questions
                        .get(index)
                        .map(|question| question.options.as_slice())
                        .unwrap_or_default();
                    if chosen
                        .iter()
                        .any(|id| !options.iter().any(|(known, _)| known == id))
                    {
                        result.flags.push(flag(FlagKind::UnknownOption));
                    }
                }
                AnswerValue::Text(_) | AnswerValue::Blank => {}
            }
        }
        result.unmapped_questions = self
            .questions
            .iter()
            .zip(&answers)
            .filter(|(question, answer)| !question.is_mapped && answer.is_some())
            .map(|(question, _)| question.id)
            .chain(unknown)
            .collect();
        answers
    }

    /// The value of one step after its transforms, and what became of the step if there is none.
    fn step_value(
        &self,
        step: &Step,
        submission: &Submission,
        answers: &[Option<&AnswerValue>],
    ) -> (Option<String>, MappingOutcome) {
        let read = self.read(&step.input, submission, answers);
        let value = match (step.mapping.transforms.as_slice(), read.values.as_slice()) {
            ([], []) => None,
            ([], [single]) => Some((*single).to_owned()),
            (chain, values) => run(
                chain,
                values.iter().map(|value| (*value).to_owned()).collect(),
                &|source| {
                    let input = step
                        .joined
                        .iter()
                        .find(|(known, _)| known == source)
                        .map(|(_, input)| input);
                    input.map_or_else(Vec::new, |input| {
                        self.read(input, submission, answers)
                            .values
                            .into_iter()
                            .map(str::to_owned)
                            .collect()
                    })
                },
            ),
        };
        match value.filter(|value| !value.trim().is_empty()) {
            Some(value) => (Some(value), MappingOutcome::Mapped),
            None if read.is_unreadable => (None, MappingOutcome::LeftOut),
            None => (None, MappingOutcome::Blank),
        }
    }

    fn read<'a>(
        &'a self,
        input: &'a Input,
        submission: &'a Submission,
        answers: &[Option<&'a AnswerValue>],
    ) -> Read<'a> {
        let one = |value: Option<&'a str>| Read {
            values: value
                .filter(|value| !value.trim().is_empty())
                .into_iter()
                .collect(),
            is_unreadable: false,
        };
        match input {
            Input::Literal(value) => one(Some(value)),
            Input::CampaignName => one(submission.campaign_name.as_deref()),
            Input::FormName => one(submission.form_name.as_deref()),
            Input::AccountName => one(submission.account_name.as_deref()),
            Input::Absent => Read::default(),
            Input::Question(index) => match answers.get(*index).copied().flatten() {
                None | Some(AnswerValue::Blank) => Read::default(),
                Some(AnswerValue::Text(text)) => one(Some(text)),
                Some(AnswerValue::Unknown(_)) => Read {
                    values: Vec::new(),
                    is_unreadable: true,
                },
                Some(AnswerValue::Choices(chosen)) => {
                    let options = self
                        .questions
                        .get(*index)
                        .map(|question| question.options.as_slice())
                        .unwrap_or_default();
                    // In the order of the form, whatever the order of the answer.
                    let values: Vec<&str> = options
                        .iter()
                        .filter(|(id, _)| chosen.contains(id))
                        .map(|(_, text)| text.as_str())
                        .collect();
                    Read {
                        is_unreadable: values.is_empty(),
                        values,
                    }
                }
            },
        }
    }

    fn question_id(&self, input: &Input) -> Option<i64> {
        match input {
            Input::Question(index) => self.questions.get(*index).map(|question| question.id),
            _ => None,
        }
    }
}
