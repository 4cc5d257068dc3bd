//! Lead Gen forms (linkedin-api.md §4).

use std::collections::BTreeMap;

use serde::Deserialize;

use super::OwnerUrns;
use super::lenient::{maybe_whole, or_default, whole};

/// A lead form in one version.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LeadForm {
    /// Number of the form; above 2^53 in real life.
    #[serde(deserialize_with = "whole")]
    pub id: i64,
    /// The author's name for it.
    #[serde(default)]
    pub name: Option<String>,
    /// The version that this is; absent in the projection embedded in a response.
    #[serde(default, deserialize_with = "maybe_whole")]
    pub version_id: Option<i64>,
    /// DRAFT, PUBLISHED, ARCHIVED; open.
    #[serde(default)]
    pub state: Option<String>,
    /// Ad account or organization.
    #[serde(default, deserialize_with = "or_default")]
    pub owner: OwnerUrns,
    /// Milliseconds since 1970.
    #[serde(default, deserialize_with = "maybe_whole")]
    pub created: Option<i64>,
    /// Milliseconds since 1970.
    #[serde(default, deserialize_with = "maybe_whole")]
    pub last_modified: Option<i64>,
    /// The form's language.
    #[serde(default)]
    pub creation_locale: Option<Locale>,
    /// Fixed name/value pairs of this version.
    #[serde(default, deserialize_with = "or_default")]
    pub hidden_fields: Vec<HiddenField>,
    /// Absent until a first review.
    #[serde(default)]
    pub review_info: Option<ReviewInfo>,
    /// Headline, questions, consents.
    #[serde(default, deserialize_with = "or_default")]
    pub content: FormContent,
}

/// A language and country.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Locale {
    /// ISO 3166 code, `US`.
    pub country: Option<String>,
    /// ISO 639 code, `en`.
    pub language: Option<String>,
}

impl Locale {
    /// The key under which localized texts stand: `en_US`.
    #[must_use]
    pub fn key(&self) -> Option<String> {
        Some(format!(
            "{}_{}",
            self.language.as_deref()?,
            self.country.as_deref()?
        ))
    }
}

/// A fixed name/value pair of a form version.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct HiddenField {
    /// `source_code`.
    pub name: Option<String>,
    /// `abc678`.
    pub value: Option<String>,
}

/// LinkedIn's review of a form.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ReviewInfo {
    /// NEEDS_REVIEW, APPROVED, REJECTED; open.
    pub review_status: Option<String>,
    /// MISSING_PRIVACY_POLICY …; open.
    #[serde(deserialize_with = "or_default")]
    pub rejection_reasons: Vec<String>,
}

/// A text in one or more languages.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct LocalizedText {
    /// By `language_COUNTRY`.
    #[serde(deserialize_with = "texts_only")]
    pub localized: BTreeMap<String, String>,
}

impl LocalizedText {
    /// The text in the language asked for, else in any.
    #[must_use]
    pub fn text(&self, locale: Option<&str>) -> Option<&str> {
        locale
            .and_then(|locale| self.localized.get(locale))
            .or_else(|| self.localized.values().next())
            .map(String::as_str)
    }
}

/// LinkedIn's samples hang a `preferredLocale` object among the texts: what is no text is passed over.
fn texts_only<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, String>, D::Error> {
    let texts: Option<BTreeMap<String, serde_json::Value>> = Option::deserialize(deserializer)?;
    Ok(texts
        .unwrap_or_default()
        .into_iter()
        .filter_map(|(locale, value)| match value {
            serde_json::Value::String(text) => Some((locale, text)),
            _ => None,
        })
        .collect())
}

/// What a form says and asks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct FormContent {
    /// The form's title for the person who answers.
    #[serde(deserialize_with = "or_default")]
    pub headline: LocalizedText,
    /// The offer.
    #[serde(deserialize_with = "or_default")]
    pub description: LocalizedText,
    /// The questions in the form's order.
    #[serde(deserialize_with = "or_default")]
    pub questions: Vec<Question>,
    /// Shown after the submission.
    pub post_submission_info: Option<PostSubmissionInfo>,
    /// Privacy policy and consents.
    #[serde(deserialize_with = "or_default")]
    pub legal_info: LegalInfo,
}

/// One question.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Question {
    /// Stable within the form; 64 bits.
    #[serde(deserialize_with = "whole")]
    pub question_id: i64,
    /// The author's name for it, in the author's language.
    #[serde(default)]
    pub name: Option<String>,
    /// Unique in the form, optional.
    #[serde(default)]
    pub label: Option<String>,
    /// The question as asked.
    #[serde(default, deserialize_with = "or_default")]
    pub question: LocalizedText,
    /// LinkedIn's own field, `EMAIL`; absent for custom questions; open.
    #[serde(default)]
    pub predefined_field: Option<String>,
    /// Whether an answer is demanded; LinkedIn's default is yes.
    #[serde(default)]
    pub response_required: Option<bool>,
    /// Whether the member may change what LinkedIn filled in.
    #[serde(default)]
    pub response_editable: Option<bool>,
    /// Text or choice.
    #[serde(default, deserialize_with = "or_default")]
    pub question_details: QuestionDetails,
}

/// What kind of question it is; both absent for kinds yet unknown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct QuestionDetails {
    /// Free text.
    pub text_question_details: Option<TextDetails>,
    /// One or several of a list.
    pub multiple_choice_question_details: Option<MultipleChoiceDetails>,
}

/// A text question.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct TextDetails {
    /// Characters; LinkedIn's default is 300.
    #[serde(deserialize_with = "maybe_whole")]
    pub max_response_length: Option<i64>,
}

/// A choice question.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct MultipleChoiceDetails {
    /// What can be chosen.
    #[serde(deserialize_with = "or_default")]
    pub options: Vec<QuestionOption>,
}

/// One choice.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct QuestionOption {
    /// Counts from 0, so 0 is a real answer. Its meaning is that of this form version only.
    #[serde(deserialize_with = "whole")]
    pub id: i64,
    /// What the person saw.
    #[serde(default, deserialize_with = "or_default")]
    pub text: LocalizedText,
    /// Unique in the form, optional.
    #[serde(default)]
    pub label: Option<String>,
}

/// Shown after the submission.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct PostSubmissionInfo {
    /// The thanks.
    #[serde(deserialize_with = "or_default")]
    pub message: LocalizedText,
    /// The button.
    pub call_to_action: Option<CallToAction>,
}

/// The button after the submission.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct CallToAction {
    /// VISIT_COMPANY_WEBSITE, DOWNLOAD_NOW …; open.
    pub call_to_action_label: Option<String>,
    /// Where the button leads.
    pub call_to_action_target: Option<CallToActionTarget>,
}

/// Where the button after the submission leads.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct CallToActionTarget {
    /// The landing page.
    pub landing_page_url: Option<String>,
}

/// Privacy policy and consents.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct LegalInfo {
    /// Number of this legal text.
    #[serde(deserialize_with = "maybe_whole")]
    pub legal_info_id: Option<i64>,
    /// Address of the policy.
    pub privacy_policy_url: Option<String>,
    /// The policy's text.
    #[serde(deserialize_with = "or_default")]
    pub legal_disclaimer: LocalizedText,
    /// What the person may consent to.
    #[serde(deserialize_with = "or_default")]
    pub consents: Vec<Consent>,
}

/// One consent.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Consent {
    /// Counts from 0.
    #[serde(deserialize_with = "whole")]
    pub id: i64,
    /// Whether the form cannot be sent without it.
    #[serde(default)]
    pub check_required: Option<bool>,
    /// The text agreed to.
    #[serde(default, deserialize_with = "or_default")]
    pub consent: LocalizedText,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_of_the_documentation_is_read() {
        let form: LeadForm = serde_json::from_str(
            r#"{"id":6851219773716516864,"name":"Whitepaper form","versionId":1,"state":"PUBLISHED",
            "owner":{"sponsoredAccount":"urn:li:sponsoredAccount:512345678"},"created":1677209077832,
            "creationLocale":{"country":"US","language":"en"},"hiddenFields":[{"name":"source_code","value":"abc678"}],
            "reviewInfo":{"reviewStatus":"NEEDS_REVIEW","rejectionReasons":[],"lastUpdated":1677209409563},
            "content":{"headline":{"localized":{"en_US":"Get the paper"}},"questions":[
              {"questionId":107234246,"name":"First name","question":{"localized":{"en_US":"First name"}},
               "predefinedField":"FIRST_NAME","questionDetails":{"textQuestionDetails":{"maxResponseLength":300}}},
              {"questionId":707234246,"question":{"localized":{"en_US":"Colour?","preferredLocale":{}}},
               "questionDetails":{"multipleChoiceQuestionDetails":{"options":[{"id":0,"text":{"localized":{"en_US":"red"}}}]}}},
              {"questionId":8,"questionDetails":{"somethingNew":{}}}],
             "legalInfo":{"legalInfoId":107234246,"consents":[{"id":0,"checkRequired":true,"consent":{"localized":{"en_US":"I agree"}}}]}}}"#,
        )
        .expect("a form");
        assert_eq!(form.id, 6_851_219_773_716_516_864);
        assert_eq!(
            form.owner.owner(),
            Some(crate::linkedin::Owner::SponsoredAccount(512_345_678))
        );
        assert_eq!(
            form.creation_locale
                .as_ref()
                .and_then(Locale::key)
                .as_deref(),
            Some("en_US")
        );
        let [name, colour, unknown] = form.content.questions.as_slice() else {
            panic!("three questions")
        };
        assert_eq!(name.predefined_field.as_deref(), Some("FIRST_NAME"));
        assert_eq!(colour.question.text(Some("de_DE")), Some("Colour?"));
        let options = &colour
            .question_details
            .multiple_choice_question_details
            .as_ref()
            .expect("choice")
            .options;
        assert_eq!(
            options.first().map(|o| (o.id, o.text.text(Some("en_US")))),
            Some((0, Some("red")))
        );
        assert_eq!(unknown.question_details, QuestionDetails::default());
        assert_eq!(
            form.content.legal_info.consents.first().map(|c| c.id),
            Some(0)
        );
    }

    #[test]
    fn nulls_and_absent_parts_are_no_error() {
        for text in [
            r#"{"id":1}"#,
            r#"{"id":1,"content":null,"owner":null,"hiddenFields":null,"reviewInfo":null,"versionId":null}"#,
            r#"{"id":1,"content":{"questions":null,"legalInfo":null,"headline":null,"description":{"localized":null}}}"#,
        ] {
            let form: LeadForm = serde_json::from_str(text).expect(text);
            assert_eq!(form.content, FormContent::default());
        }
    }
}
