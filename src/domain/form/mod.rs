//! The Lead Gen form and its versions: the questions that answers refer to by number.

mod comparison;

use serde::{Deserialize, Serialize};

use super::ids::{FormId, FormVersionId};
use super::words::words;

pub use comparison::{
    AlignedQuestion, ChangedPart, Difference, OptionChange, QuestionChange, changed_parts, compare,
};

words! {
    /// How far a form is synced.
    pub enum FormStatus {
        Pending = "pending" => "Pending",
        Active = "active" => "Active",
        NoFormSubmissions = "no_form_submissions" => "No Form Submissions",
        Forbidden = "forbidden" => "Forbidden",
    }
}

/// The language and country in which a form was made, for example `en` and `US`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Locale {
    /// Two letters, lower case.
    #[serde(default)]
    pub language: String,
    /// Two letters, upper case.
    #[serde(default)]
    pub country: String,
}

/// One version of a form, as it was answered (linkedin-api.md §4.2). Texts are in the form's language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FormVersion {
    /// Its identifier: ours for a version, LinkedIn's for its parts.
    pub id: FormVersionId,
    /// The form of which this is a version.
    pub form_id: FormId,
    /// LinkedIn's version number, from 1; 0 for a form as Microsoft's connector exported it.
    pub number: i64,
    /// Its name.
    pub name: String,
    /// The language and country in which it was made.
    #[serde(default)]
    pub locale: Locale,
    /// In the order of the form.
    #[serde(default)]
    pub questions: Vec<Question>,
    /// The same for every submission of this version.
    #[serde(default)]
    pub hidden_fields: Vec<HiddenField>,
    /// The checkboxes under the form.
    #[serde(default)]
    pub consents: Vec<Consent>,
    /// The headline above the questions.
    #[serde(default)]
    pub headline: Option<String>,
    /// The text under the headline.
    #[serde(default)]
    pub description: Option<String>,
    /// The advertiser's privacy policy.
    #[serde(default)]
    pub privacy_policy_url: Option<String>,
    /// Where the button after submission leads.
    #[serde(default)]
    pub landing_page_url: Option<String>,
    /// What members read after they submitted.
    #[serde(default)]
    pub thank_you_message: Option<String>,
    /// The advertiser's own legal text.
    #[serde(default)]
    pub legal_disclaimer: Option<String>,
}

impl FormVersion {
    /// The question with this number.
    #[must_use]
    pub fn question(&self, id: i64) -> Option<&Question> {
        self.questions.iter().find(|question| question.id == id)
    }

    /// The value of a hidden field, by its exact name.
    #[must_use]
    pub fn hidden_field(&self, name: &str) -> Option<&str> {
        self.hidden_fields
            .iter()
            .find(|field| field.name == name)
            .map(|field| field.value.as_str())
    }

    /// The consent checkbox with this number (LinkedIn counts from 0).
    #[must_use]
    pub fn consent(&self, id: i64) -> Option<&Consent> {
        self.consents.iter().find(|consent| consent.id == id)
    }
}

/// One question of a form version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// LinkedIn's `questionId`, 64 bits wide.
    pub id: i64,
    /// The name in the language of the form's author, such as “Custom question 0”.
    pub name: String,
    /// The text that the member read.
    pub text: String,
    /// A short name, unique in the form.
    #[serde(default)]
    pub label: Option<String>,
    /// LinkedIn's predefined field, an open list; the only stable key of a predefined question.
    #[serde(default)]
    pub predefined_field: Option<String>,
    /// How it is answered.
    pub kind: QuestionKind,
    /// Whether the member had to answer it.
    #[serde(default = "yes")]
    pub required: bool,
    /// Whether the member could change what LinkedIn filled in.
    #[serde(default = "yes")]
    pub editable: bool,
}

const fn yes() -> bool {
    true
}

/// How a question is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum QuestionKind {
    /// Free text; every predefined question is of this kind.
    Text {
        /// In characters; LinkedIn's default is 300.
        #[serde(default)]
        max_length: Option<i64>,
    },
    /// One or several of the options.
    MultipleChoice {
        /// In the order of the form.
        #[serde(default)]
        options: Vec<ChoiceOption>,
    },
    /// A kind that LinkedIn added after this was written.
    Unknown,
}

/// One option of a multiple choice question. Ids start at 0 and may mean another text in another version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChoiceOption {
    /// Its identifier: ours for a version, LinkedIn's for its parts.
    pub id: i64,
    /// What the member read.
    pub text: String,
}

/// A fixed name and value that the form's author attached to a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HiddenField {
    /// Its name.
    pub name: String,
    /// Its fixed value.
    pub value: String,
}

/// A consent checkbox. Ids start at 0.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    /// Its identifier: ours for a version, LinkedIn's for its parts.
    pub id: i64,
    /// What the member read.
    pub text: String,
    /// Whether the form could be submitted without it.
    #[serde(default)]
    pub check_required: bool,
}
