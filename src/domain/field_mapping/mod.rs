//! Field mappings: which part of a submission goes to which lead field, by which policy (product.md §4, Map).

mod coverage;
mod difference;
mod field_value;
mod set;
mod shipped;
mod suggestion;
#[cfg(test)]
mod tests;
mod transform;
mod version_mapping;

use serde::{Deserialize, Serialize};

pub use coverage::{Coverage, coverage, source_of, unmapped};
pub use difference::{FieldDifference, MappingChange, differences};
pub use field_value::fit;
pub use set::{MappingSet, is_on, question_of};
pub use shipped::{ShippedMapping, shipped_mappings};
pub use suggestion::suggest;
pub use transform::{Otherwise, Transform, TransformError, check_transforms};
pub use version_mapping::VersionMapping;

use super::ids::{FormId, MappingId};
use super::lead::FieldKey;
use super::words::words;

words! {
    /// The stored word of each kind of source.
    pub enum SourceKind {
        Predefined = "predefined" => "LinkedIn predefined field",
        QuestionId = "question_id" => "Question by id",
        QuestionText = "question_text" => "Question by its text",
        HiddenField = "hidden_field" => "Hidden field",
        CampaignName = "campaign_name" => "Campaign name",
        FormName = "form_name" => "Form name",
        AccountName = "account_name" => "Account name",
        Constant = "constant" => "Constant",
    }
}

/// Where a mapped value comes from.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", content = "key", rename_all = "snake_case")]
pub enum Source {
    /// LinkedIn's word, such as `FIRST_NAME`.
    Predefined(String),
    /// A question by LinkedIn's number.
    QuestionId(i64),
    /// The question's text, label or name; white space and case do not count.
    QuestionText(String),
    /// The exact name of a hidden field.
    HiddenField(String),
    /// The name of the campaign.
    CampaignName,
    /// The name of the form.
    FormName,
    /// The name of the account.
    AccountName,
    /// Always this text.
    Constant(String),
}

/// A stored source that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSource {
    /// The kind is none of [`SourceKind`].
    #[error("choose where the value comes from")]
    UnknownKind,
    /// This kind needs a key.
    #[error("say which {0} is meant")]
    MissingKey(&'static str),
    /// The key of a question by id is no number.
    #[error("a question id is a whole number")]
    NotAQuestionId,
}

impl Source {
    /// The stored word of its kind.
    #[must_use]
    pub const fn kind(&self) -> SourceKind {
        match self {
            Self::Predefined(_) => SourceKind::Predefined,
            Self::QuestionId(_) => SourceKind::QuestionId,
            Self::QuestionText(_) => SourceKind::QuestionText,
            Self::HiddenField(_) => SourceKind::HiddenField,
            Self::CampaignName => SourceKind::CampaignName,
            Self::FormName => SourceKind::FormName,
            Self::AccountName => SourceKind::AccountName,
            Self::Constant(_) => SourceKind::Constant,
        }
    }

    /// The stored text beside the kind; empty for the names of campaign, form and account.
    #[must_use]
    pub fn key(&self) -> String {
        match self {
            Self::Predefined(key)
            | Self::QuestionText(key)
            | Self::HiddenField(key)
            | Self::Constant(key) => key.clone(),
            Self::QuestionId(id) => id.to_string(),
            Self::CampaignName | Self::FormName | Self::AccountName => String::new(),
        }
    }

    /// Reads the stored kind and key, or what a person chose in a form.
    ///
    /// # Errors
    /// When the kind is unknown, or its key is missing or no question id.
    pub fn from_parts(kind: &str, key: &str) -> Result<Self, InvalidSource> {
        let kind: SourceKind = kind.parse().map_err(|_| InvalidSource::UnknownKind)?;
        let key = key.trim();
        let needed = |what| {
            if key.is_empty() {
                Err(InvalidSource::MissingKey(what))
            } else {
                Ok(key.to_owned())
            }
        };
        Ok(match kind {
            SourceKind::Predefined => Self::Predefined(needed("predefined field")?),
            SourceKind::QuestionId => Self::QuestionId(
                needed("question id")?
                    .parse()
                    .map_err(|_| InvalidSource::NotAQuestionId)?,
            ),
            SourceKind::QuestionText => Self::QuestionText(needed("question")?),
            SourceKind::HiddenField => Self::HiddenField(needed("hidden field")?),
            SourceKind::CampaignName => Self::CampaignName,
            SourceKind::FormName => Self::FormName,
            SourceKind::AccountName => Self::AccountName,
            SourceKind::Constant => Self::Constant(needed("constant")?),
        })
    }

    /// Whether it is an answer to a question, in contrast to what the form, campaign or account is called.
    #[must_use]
    pub const fn is_answer(&self) -> bool {
        matches!(
            self,
            Self::Predefined(_) | Self::QuestionId(_) | Self::QuestionText(_)
        )
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Predefined(key) => write!(f, "LinkedIn field {key}"),
            Self::QuestionId(id) => write!(f, "Question {id}"),
            Self::QuestionText(key) => write!(f, "Question “{key}”"),
            Self::HiddenField(key) => write!(f, "Hidden field {key}"),
            Self::CampaignName | Self::FormName | Self::AccountName => {
                f.write_str(self.kind().label())
            }
            Self::Constant(key) => write!(f, "Constant “{key}”"),
        }
    }
}

words! {
    /// What happens where the lead has a value already.
    pub enum WritePolicy {
        Overwrite = "overwrite" => "Overwrite",
        FillIfEmpty = "fill_if_empty" => "Fill if empty",
        Append = "append" => "Append",
    }
}

/// One mapping.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldMapping {
    /// Its identifier.
    pub id: MappingId,
    /// What people call it.
    pub name: String,
    /// The form whose override this is; `None` for the whole organisation.
    pub form_id: Option<FormId>,
    /// Where the value comes from.
    pub source: Source,
    /// The lead field that it writes to.
    pub target: FieldKey,
    /// What happens where the lead has a value already.
    pub policy: WritePolicy,
    /// What is done to the value on the way.
    #[serde(default)]
    pub transforms: Vec<Transform>,
    /// Mappings run by ascending position; the later one of two that overwrite the same field counts.
    pub position: i64,
}

/// A value on its way to a lead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MappedValue {
    /// The lead field.
    pub field: FieldKey,
    /// The value in the form that the field keeps.
    pub value: String,
    /// What happens where the lead has a value already.
    pub policy: WritePolicy,
    /// The mapping that ran.
    pub mapping_id: MappingId,
}

words! {
    /// Why a value was left out, or an answer could not be read.
    pub enum FlagKind {
        TooLong = "too_long" => "The value is too long for its field",
        NotAnEmailAddress = "not_an_email_address" => "The value is no e-mail address",
        NotAPhoneNumber = "not_a_phone_number" => "The value is no phone number",
        NotAUrl = "not_a_url" => "The value is no web address",
        NotADate = "not_a_date" => "The value is no date",
        NotANumber = "not_a_number" => "The value is no number",
        NotYesOrNo = "not_yes_or_no" => "The value is neither yes nor no",
        NotAChoice = "not_a_choice" => "The value is none of the field’s choices",
        UnknownOption = "unknown_option" => "The answer names an option that the form version does not have",
        UnknownQuestion = "unknown_question" => "The answer belongs to a question that the form version does not have",
        UnreadableAnswer = "unreadable_answer" => "The answer has a shape that is not known; it is kept as it came",
        UnknownField = "unknown_field" => "The mapping writes to a custom field that does not exist",
    }
}

/// A problem of a mapping or an answer. The lead is saved all the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MappingFlag {
    /// The mapping that ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mapping_id: Option<MappingId>,
    /// The lead field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<FieldKey>,
    /// The question that was answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question_id: Option<i64>,
    /// What is wrong.
    pub problem: FlagKind,
}

words! {
    /// What became of one mapping on one submission.
    pub enum MappingOutcome {
        Mapped = "mapped" => "Mapped",
        Blank = "blank" => "No answer",
        NotOnForm = "not_on_form" => "Not on this form",
        LeftOut = "left_out" => "Left out",
        Superseded = "superseded" => "Another mapping of the same field counts",
    }
}

/// One mapping that ran on a submission, kept with the decision. It holds no value: the answers are kept elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppliedMapping {
    /// The mapping that ran.
    pub mapping_id: MappingId,
    /// The lead field.
    pub field: FieldKey,
    /// The question that was read, if it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question_id: Option<i64>,
    /// What became of it.
    pub outcome: MappingOutcome,
}

/// What mapping made of a submission.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MappedSubmission {
    /// At most one value per field that overwrites or fills, then those that append.
    pub values: Vec<MappedValue>,
    /// Values that were left out and answers that could not be read.
    pub flags: Vec<MappingFlag>,
    /// Questions that were answered and that no mapping reads.
    pub unmapped_questions: Vec<i64>,
    /// Every mapping whose source exists on the form, in the order in which they ran.
    pub applied: Vec<AppliedMapping>,
}

impl MappedSubmission {
    /// The value with which this submission speaks for a field: what matching compares.
    #[must_use]
    pub fn value_for(&self, field: &FieldKey) -> Option<&str> {
        let mut of_field = self.values.iter().filter(|value| value.field == *field);
        let first = of_field.clone().next()?;
        let main = of_field
            .find(|value| value.policy != WritePolicy::Append)
            .unwrap_or(first);
        Some(main.value.as_str())
    }
}
