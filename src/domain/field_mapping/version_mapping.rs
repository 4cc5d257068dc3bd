//! The mappings of one form version with every source resolved: what runs once per submission.

use super::transform::run;
use super::{
    AppliedMapping, FieldMapping, FlagKind, MappedSubmission, MappedValue, MappingFlag,
    MappingOutcome, Source, WritePolicy, fit,
};
use crate::domain::lead::FieldKind;
use crate::domain::submission::{AnswerValue, Submission};

/// A source, resolved.
#[derive(Debug, Clone)]
pub(super) enum Input {
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
pub(super) struct Step {
    pub(super) mapping: FieldMapping,
    /// `None` for a custom field that does not exist.
    pub(super) kind: Option<FieldKind>,
    pub(super) input: Input,
    /// The further sources of joins.
    pub(super) joined: Vec<(Source, Input)>,
}

#[derive(Debug, Clone)]
pub(super) struct CompiledQuestion {
    pub(super) id: i64,
    pub(super) options: Vec<(i64, String)>,
    pub(super) is_mapped: bool,
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
    pub(super) fn new(steps: Vec<Step>, questions: Vec<CompiledQuestion>) -> Self {
        let mut by_id: Vec<(i64, usize)> = questions
            .iter()
            .enumerate()
            .map(|(index, question)| (question.id, index))
            .collect();
        by_id.sort_unstable();
        by_id.dedup_by_key(|(id, _)| *id);
        Self {
            steps,
            questions,
            by_id,
        }
    }

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
