//! What was answered, question by question, with the texts of the version that was answered.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::domain::form::{FormVersion, Question, QuestionKind};
use crate::domain::submission::{Answer, AnswerValue, ConsentResponse};

/// What kind of answer it is.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AnswerKind {
    /// Typed.
    Text,
    /// Chosen among options.
    Choices,
    /// Nothing was said.
    Blank,
    /// A shape that is not known yet, as LinkedIn sent it.
    Unknown,
}

/// A chosen option.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChosenOption {
    /// LinkedIn's number.
    id: i64,
    /// Its text; null when the version is not known or does not have it.
    text: Option<String>,
}

/// A question with what was answered.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Answer)]
pub struct AnswerBody {
    /// LinkedIn's number of the question.
    question_id: i64,
    /// The text that the member read; null when the version is not known or does not have the question.
    question: Option<String>,
    /// LinkedIn's predefined field, such as `FIRST_NAME`.
    predefined_field: Option<String>,
    kind: AnswerKind,
    /// What was typed.
    text: Option<String>,
    /// What was chosen.
    choices: Vec<ChosenOption>,
    /// What LinkedIn sent, where the kind is `unknown`.
    #[schema(value_type = Value)]
    unknown: Option<Value>,
}

impl AnswerBody {
    fn new(id: i64, question: Option<&Question>, said: &AnswerValue) -> Self {
        let mut body = Self {
            question_id: id,
            question: question.map(|question| question.text.clone()),
            predefined_field: question.and_then(|question| question.predefined_field.clone()),
            kind: AnswerKind::Blank,
            text: None,
            choices: Vec::new(),
            unknown: None,
        };
        match said {
            AnswerValue::Blank => {}
            AnswerValue::Text(text) => {
                body.kind = AnswerKind::Text;
                body.text = Some(text.clone());
            }
            AnswerValue::Choices(ids) => {
                body.kind = AnswerKind::Choices;
                body.choices = ids
                    .iter()
                    .map(|id| ChosenOption {
                        id: *id,
                        text: option_text(question, *id),
                    })
                    .collect();
            }
            AnswerValue::Unknown(value) => {
                body.kind = AnswerKind::Unknown;
                body.unknown = Some(value.clone());
            }
        }
        body
    }
}

fn option_text(question: Option<&Question>, id: i64) -> Option<String> {
    match &question?.kind {
        QuestionKind::MultipleChoice { options } => options
            .iter()
            .find(|option| option.id == id)
            .map(|option| option.text.clone()),
        QuestionKind::Text { .. } | QuestionKind::Unknown => None,
    }
}

/// The questions of the version in their order, then answers to questions that the version does not have.
pub fn answers(version: Option<&FormVersion>, given: &[Answer]) -> Vec<AnswerBody> {
    let questions = version
        .map(|version| version.questions.as_slice())
        .unwrap_or_default();
    let mut all: Vec<AnswerBody> = questions
        .iter()
        .map(|question| {
            let said = given
                .iter()
                .find(|answer| answer.question_id == question.id)
                .map_or(&AnswerValue::Blank, |answer| &answer.value);
            AnswerBody::new(question.id, Some(question), said)
        })
        .collect();
    let others = given.iter().filter(|answer| {
        !questions
            .iter()
            .any(|question| question.id == answer.question_id)
    });
    all.extend(others.map(|answer| AnswerBody::new(answer.question_id, None, &answer.value)));
    all
}

/// What the member did with a consent checkbox.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ConsentResponse)]
pub struct ConsentResponseBody {
    /// LinkedIn's number of the checkbox, from 0.
    id: i64,
    /// What the member read; null when the version is not known or does not have it.
    text: Option<String>,
    /// Whether it was ticked.
    is_accepted: bool,
}

/// The consents that LinkedIn tells of.
pub fn consents(
    version: Option<&FormVersion>,
    given: &[ConsentResponse],
) -> Vec<ConsentResponseBody> {
    given
        .iter()
        .map(|response| ConsentResponseBody {
            id: response.consent_id,
            text: version
                .and_then(|version| version.consent(response.consent_id))
                .map(|consent| consent.text.clone()),
            is_accepted: response.accepted,
        })
        .collect()
}
