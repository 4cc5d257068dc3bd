//! A form response: enough of it to know whether it was seen before, and everything once it has to be decided about.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use super::{clean, moment};
use crate::domain::account::LeadType;
use crate::domain::submission::{Answer, AnswerValue, ConsentResponse};
use crate::domain::text::clean_text;
use crate::linkedin::urn::{VersionedFormUrn, urn_id};
use crate::linkedin::{Element, wire};

/// A response as it came: what identifies it, and its text. [`Response::content`] reads the rest.
#[derive(Debug, Clone)]
pub struct Response {
    /// LinkedIn's response id; for one without an id, `sha256:` and the hash of its bytes.
    pub response_id: String,
    /// When the member submitted; the end of the window where LinkedIn left it out.
    pub submitted_at: DateTime<Utc>,
    /// Whether LinkedIn told when.
    pub is_dated: bool,
    /// LinkedIn's form and version.
    pub form: Option<(i64, i64)>,
    /// SHA-256 of date, form version, answers and consents, without their order, which changes from call to call.
    pub content_hash: Vec<u8>,
    /// The exact text.
    pub raw: Box<RawValue>,
    place: Place,
}

/// What a response says.
#[derive(Debug, Clone)]
pub struct Content {
    /// LinkedIn's lead type; that of the stream where LinkedIn left it out.
    pub lead_type: LeadType,
    /// A test lead: from the list of test leads, or marked as one.
    pub is_test: bool,
    /// LinkedIn's campaign.
    pub campaign_linkedin_id: Option<i64>,
    /// LinkedIn's creative.
    pub creative_linkedin_id: Option<i64>,
    /// The member; absent for guests.
    pub submitter_urn: Option<String>,
    /// Answers and consents, or why they could not be read (without any content).
    pub answers: Result<(Vec<Answer>, Vec<ConsentResponse>), String>,
}

/// Where a response was read: what stands in for facts that LinkedIn left out.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// Lead type of the stream.
    pub lead_type: LeadType,
    /// From the list of test leads.
    pub is_test: bool,
    /// The window's end.
    pub until: DateTime<Utc>,
}

impl Response {
    /// Reads what identifies one element of a page.
    #[must_use]
    pub fn read(raw: Box<RawValue>, place: Place) -> Self {
        match Reading::of(&raw) {
            Ok(reading) => {
                let submitted_at = reading.submitted_at.and_then(moment);
                let response_id = Some(clean(&reading.id)).filter(|id| !id.is_empty());
                Self {
                    response_id: response_id.unwrap_or_else(|| nameless(&raw)),
                    submitted_at: submitted_at.unwrap_or(place.until),
                    is_dated: submitted_at.is_some(),
                    form: reading.form,
                    content_hash: reading.hash(),
                    place,
                    raw,
                }
            }
            Err(_) => {
                let element: Element<wire::FormResponse> = Element::read(raw);
                Self {
                    response_id: element
                        .id()
                        .map_or_else(|| nameless(&element.raw), |id| clean(&id)),
                    submitted_at: place.until,
                    is_dated: false,
                    form: None,
                    content_hash: match serde_json::from_str(element.raw.get()) {
                        Ok(value) => Sha256::digest(unordered(&value)).to_vec(),
                        Err(_) => Sha256::digest(element.raw.get()).to_vec(),
                    },
                    place,
                    raw: element.raw,
                }
            }
        }
    }

    /// Reads stored bytes again.
    ///
    /// # Errors
    /// When the bytes are no JSON, which storing would have prevented.
    pub fn reread(raw: Vec<u8>, place: Place) -> Result<Self, String> {
        let text =
            String::from_utf8(raw).map_err(|_| "the stored response is not UTF-8".to_owned())?;
        let raw =
            RawValue::from_string(text).map_err(|_| "the stored response is no JSON".to_owned())?;
        Ok(Self::read(raw, place))
    }

    /// Reads all of it.
    #[must_use]
    pub fn content(&self) -> Content {
        let place = self.place;
        match Reading::of(&self.raw) {
            Ok(reading) => Content {
                lead_type: reading
                    .lead_type
                    .as_deref()
                    .and_then(LeadType::from_wire)
                    .unwrap_or(place.lead_type),
                is_test: reading.is_test || place.is_test,
                campaign_linkedin_id: reading.campaign,
                creative_linkedin_id: reading.creative,
                submitter_urn: reading.submitter.as_deref().map(clean),
                answers: Ok((
                    reading
                        .answers
                        .into_iter()
                        .map(|(question_id, said)| Answer {
                            question_id,
                            value: said.into(),
                        })
                        .collect(),
                    reading.consents,
                )),
            },
            Err(why) => Content {
                lead_type: place.lead_type,
                is_test: place.is_test,
                campaign_linkedin_id: None,
                creative_linkedin_id: None,
                submitter_urn: None,
                answers: Err(why),
            },
        }
    }
}

/// What stands for the id of a response without one.
fn nameless(raw: &RawValue) -> String {
    let hex: String = Sha256::digest(raw.get())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("sha256:{hex}")
}

/// What a response says, as far as it is used, borrowed from its text where that is possible.
#[derive(Debug, PartialEq)]
struct Reading<'a> {
    id: Cow<'a, str>,
    lead_type: Option<Cow<'a, str>>,
    submitter: Option<Cow<'a, str>>,
    form: Option<(i64, i64)>,
    submitted_at: Option<i64>,
    is_test: bool,
    campaign: Option<i64>,
    creative: Option<i64>,
    answers: Vec<(i64, Said<'a>)>,
    consents: Vec<ConsentResponse>,
}

/// An answer: [`AnswerValue`] with a borrowed text, never blank.
#[derive(Debug, PartialEq)]
enum Said<'a> {
    Blank,
    Text(Cow<'a, str>),
    Choices(Vec<i64>),
    Unknown(serde_json::Value),
}

impl<'a> Reading<'a> {
    /// The documented shapes in one pass; whatever is different in anything is read leniently, part by part.
    fn of(raw: &'a RawValue) -> Result<Self, String> {
        match Self::documented(raw.get()) {
            Some(reading) => Ok(reading),
            None => Self::lenient(raw),
        }
    }

    fn documented(text: &'a str) -> Option<Self> {
        let response: Documented<'a> = serde_json::from_str(text).ok()?;
        let answers = response
            .form_response
            .answers
            .into_iter()
            .map(|answer| Some((answer.question_id, answer.answer_details?.said()?)))
            .collect::<Option<Vec<_>>>()?;
        let sponsored = response.lead_metadata.sponsored_lead_metadata;
        let campaign = sponsored.and_then(|sponsored| sponsored.campaign);
        let creative = response.associated_entity.associated_creative;
        Some(Self {
            id: response.id,
            lead_type: response.lead_type.map(|text| text.0),
            submitter: response.submitter.map(|text| text.0),
            form: response
                .versioned_lead_gen_form_urn
                .and_then(|urn| VersionedFormUrn::parse(&urn.0))
                .map(|urn| (urn.form_id, urn.version_id)),
            submitted_at: response.submitted_at,
            is_test: response.test_lead,
            campaign: campaign.and_then(|urn| urn_id(&urn.0, "sponsoredCampaign")),
            creative: creative.and_then(|urn| urn_id(&urn.0, "sponsoredCreative")),
            answers,
            consents: response
                .form_response
                .consent_responses
                .into_iter()
                .map(|consent| ConsentResponse {
                    consent_id: consent.consent_id,
                    accepted: consent.accepted,
                })
                .collect(),
        })
    }

    fn lenient(raw: &RawValue) -> Result<Self, String> {
        let response = Element::<wire::FormResponse>::read(raw.to_owned()).value?;
        Ok(Self {
            form: response
                .form_version()
                .map(|urn| (urn.form_id, urn.version_id)),
            campaign: response.campaign_id(),
            creative: response.creative_id(),
            id: response.id.into(),
            lead_type: response.lead_type.map(Cow::Owned),
            submitter: response.submitter.map(Cow::Owned),
            submitted_at: response.submitted_at,
            is_test: response.test_lead,
            answers: response
                .form_response
                .answers
                .into_iter()
                .map(|answer| {
                    let details = answer.answer_details.as_ref().map(|raw| raw.get());
                    (answer.question_id, answer_value(details).into())
                })
                .collect(),
            consents: response
                .form_response
                .consent_responses
                .iter()
                .map(|consent| ConsentResponse {
                    consent_id: consent.consent_id,
                    accepted: consent.accepted,
                })
                .collect(),
        })
    }

    /// The same for the same content, in whatever order the answers came.
    fn hash(&self) -> Vec<u8> {
        let mut parts: Vec<Part<'_>> = Vec::with_capacity(self.answers.len() + self.consents.len());
        for (question, said) in &self.answers {
            parts.push(match said {
                Said::Blank => Part::Blank(*question),
                Said::Text(text) => Part::Text(*question, text),
                Said::Choices(options) => Part::Choices(*question, options),
                Said::Unknown(details) => Part::Unknown(*question, details.to_string()),
            });
        }
        for consent in &self.consents {
            parts.push(Part::Consent(consent.consent_id, consent.accepted));
        }
        parts.sort_unstable();
        // A date that only stands in for a missing one differs from window to window.
        let submitted_at = self.submitted_at.and_then(moment);
        let (form, version) = self.form.unwrap_or_default();
        let mut bytes = Vec::with_capacity(512);
        for number in [
            submitted_at.map_or(0, |at| at.timestamp_millis()),
            form,
            version,
        ] {
            bytes.extend(number.to_be_bytes());
        }
        for part in parts {
            part.write(&mut bytes);
        }
        Sha256::digest(&bytes).to_vec()
    }
}

/// One answer or consent as it is hashed, in an order of its own.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Part<'a> {
    Blank(i64),
    Text(i64, &'a str),
    Choices(i64, &'a [i64]),
    Unknown(i64, String),
    Consent(i64, bool),
}

impl Part<'_> {
    /// Kind, number, length, then the content: no two lists of parts give the same bytes.
    fn write(&self, bytes: &mut Vec<u8>) {
        let mut begin = |kind: u8, number: i64, length: usize| {
            bytes.push(kind);
            bytes.extend(number.to_be_bytes());
            bytes.extend((length as u64).to_be_bytes());
        };
        match self {
            Self::Blank(question) => begin(0, *question, 0),
            Self::Text(question, text) => {
                begin(1, *question, text.len());
                bytes.extend_from_slice(text.as_bytes());
            }
            Self::Choices(question, options) => {
                begin(2, *question, options.len());
                for option in *options {
                    bytes.extend(option.to_be_bytes());
                }
            }
            Self::Unknown(question, details) => {
                begin(3, *question, details.len());
                bytes.extend_from_slice(details.as_bytes());
            }
            Self::Consent(number, accepted) => begin(4, *number, usize::from(*accepted)),
        }
    }
}

impl<'a> Said<'a> {
    /// As [`AnswerValue::text`], without a copy.
    fn text(answer: Cow<'a, str>) -> Self {
        let clean = match answer {
            Cow::Borrowed(text) => clean_text(text),
            Cow::Owned(text) => Cow::Owned(clean(&text)),
        };
        if clean.trim().is_empty() {
            Self::Blank
        } else {
            Self::Text(clean)
        }
    }
}

impl From<AnswerValue> for Said<'_> {
    fn from(value: AnswerValue) -> Self {
        match value {
            AnswerValue::Text(text) => Self::Text(text.into()),
            AnswerValue::Choices(options) => Self::Choices(options),
            AnswerValue::Unknown(details) => Self::Unknown(details),
            AnswerValue::Blank => Self::Blank,
        }
    }
}

impl From<Said<'_>> for AnswerValue {
    fn from(said: Said<'_>) -> Self {
        match said {
            Said::Text(text) => Self::Text(text.into_owned()),
            Said::Choices(options) => Self::Choices(options),
            Said::Unknown(details) => Self::Unknown(details),
            Said::Blank => Self::Blank,
        }
    }
}

fn answer_value(details: Option<&str>) -> AnswerValue {
    let Some(text) = details else {
        return AnswerValue::Blank;
    };
    match serde_json::from_str(text) {
        Ok(value) => AnswerValue::from_details(&value),
        // Not reached for text that a parser took apart before; kept as text rather than dropped.
        Err(_) => AnswerValue::Unknown(serde_json::Value::String(clean(text))),
    }
}

/// JSON as text that does not depend on the order in which a list came.
fn unordered(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Array(items) => {
            let mut items: Vec<String> = items.iter().map(unordered).collect();
            items.sort_unstable();
            format!("[{}]", items.join(","))
        }
        serde_json::Value::Object(members) => {
            let mut members: Vec<String> = members
                .iter()
                .map(|(name, value)| format!("{name:?}:{}", unordered(value)))
                .collect();
            members.sort_unstable();
            format!("{{{}}}", members.join(","))
        }
        other => other.to_string(),
    }
}

/// A borrowed text where it may be absent: serde borrows a bare `Cow` only.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// A response exactly as it is documented (linkedin-api.md §5); [`wire::FormResponse`] reads all the others.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Documented<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    lead_type: Option<Text<'a>>,
    #[serde(borrow)]
    submitter: Option<Text<'a>>,
    #[serde(borrow)]
    versioned_lead_gen_form_urn: Option<Text<'a>>,
    submitted_at: Option<i64>,
    #[serde(default)]
    test_lead: bool,
    #[serde(borrow, default)]
    lead_metadata: Metadata<'a>,
    #[serde(borrow, default)]
    associated_entity: Entity<'a>,
    #[serde(borrow)]
    form_response: Answers<'a>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata<'a> {
    #[serde(borrow)]
    sponsored_lead_metadata: Option<Sponsored<'a>>,
}

#[derive(Deserialize)]
struct Sponsored<'a> {
    #[serde(borrow)]
    campaign: Option<Text<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entity<'a> {
    #[serde(borrow)]
    associated_creative: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answers<'a> {
    #[serde(borrow)]
    answers: Vec<DocumentedAnswer<'a>>,
    #[serde(default)]
    consent_responses: Vec<DocumentedConsent>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DocumentedAnswer<'a> {
    question_id: i64,
    #[serde(borrow)]
    answer_details: Option<Details<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DocumentedConsent {
    consent_id: i64,
    #[serde(default)]
    accepted: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Details<'a> {
    #[serde(borrow)]
    text_question_answer: Option<TextAnswer<'a>>,
    multiple_choice_answer: Option<ChoiceAnswer>,
}

#[derive(Deserialize)]
struct TextAnswer<'a> {
    #[serde(borrow)]
    answer: Cow<'a, str>,
}

#[derive(Deserialize)]
struct ChoiceAnswer {
    options: Vec<i64>,
}

impl<'a> Details<'a> {
    fn said(self) -> Option<Said<'a>> {
        match (self.text_question_answer, self.multiple_choice_answer) {
            (Some(text), None) => Some(Said::text(text.answer)),
            (None, Some(choice)) if !choice.options.is_empty() => {
                Some(Said::Choices(choice.options))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).expect(text)
    }

    fn place() -> Place {
        Place {
            lead_type: LeadType::Sponsored,
            is_test: false,
            until: moment(1_800_000_000_000).expect("a moment"),
        }
    }

    fn response(submitted_at: i64, answers: &str, consents: &str) -> String {
        format!(
            r#"{{"id":"a-1","leadType":"SPONSORED","submitter":"urn:li:person:x","submittedAt":{submitted_at},"testLead":false,
            "versionedLeadGenFormUrn":"urn:li:versionedLeadGenForm:(urn:li:leadGenForm:7,1)",
            "leadMetadata":{{"sponsoredLeadMetadata":{{"campaign":"urn:li:sponsoredCampaign:9"}}}},
            "associatedEntity":{{"associatedCreative":"urn:li:sponsoredCreative:8"}},
            "formResponse":{{"answers":[{answers}],"consentResponses":[{consents}]}}}}"#
        )
    }

    fn hash(text: &str) -> Vec<u8> {
        Response::read(raw(text), place()).content_hash
    }

    const TEXT: &str = r#"{"questionId":1,"answerDetails":{"textQuestionAnswer":{"answer":"Ada \"L\" \u00e9\u0000"}}}"#;
    const CHOICE: &str =
        r#"{"questionId":2,"answerDetails":{"multipleChoiceAnswer":{"options":[0,3]}}}"#;
    const CONSENT: &str = r#"{"consentId":0,"accepted":true}"#;

    #[test]
    fn the_documented_shape_reads_the_same_both_ways() {
        let text = response(1_789_894_599_288, &format!("{TEXT},{CHOICE}"), CONSENT);
        let quick = Reading::documented(&text).expect("documented");
        let lenient = Reading::lenient(&raw(&text)).expect("readable");
        assert_eq!(quick, lenient);
        assert_eq!(quick.hash(), lenient.hash());
        assert_eq!(quick.form, Some((7, 1)));
        assert_eq!((quick.campaign, quick.creative), (Some(9), Some(8)));
        assert_eq!(
            quick.answers,
            [
                (1, Said::Text("Ada \"L\" é".into())),
                (2, Said::Choices(vec![0, 3]))
            ]
        );
    }

    #[test]
    fn whatever_is_different_is_read_leniently() {
        for details in [
            r#"{"fileAnswer":{}}"#,
            r#"{"textQuestionAnswer":{"answer":null}}"#,
            r#"{"textQuestionAnswer":{"answer":"half \ud83d"}}"#,
            r#"{"multipleChoiceAnswer":{"options":[]}}"#,
            r#"{"textQuestionAnswer":{"answer":"x"},"new":1}"#,
            "{}",
            "null",
        ] {
            let text = response(
                1,
                &format!(r#"{{"questionId":1,"answerDetails":{details}}}"#),
                "",
            );
            assert_eq!(Reading::documented(&text), None, "{details}");
            assert!(Reading::lenient(&raw(&text)).is_ok(), "{details}");
        }
        for text in [
            r#"{"id":"a-1"}"#,
            r#"{"id":"a-1","submittedAt":"5","testLead":null,"formResponse":null}"#,
        ] {
            assert!(
                Response::read(raw(text), place()).content().answers.is_ok(),
                "{text}"
            );
        }
        let broken = Response::read(
            raw(r#"{"id":"a-1","formResponse":{"answers":"no"}}"#),
            place(),
        );
        assert_eq!(broken.response_id, "a-1");
        assert!(!broken.is_dated && broken.content().answers.is_err());
        let nameless = Response::read(raw("[]"), place());
        assert!(nameless.response_id.starts_with("sha256:"));
    }

    #[test]
    fn the_order_of_answers_does_not_count_and_everything_said_does() {
        let one = hash(&response(1, &format!("{TEXT},{CHOICE}"), CONSENT));
        assert_eq!(
            one,
            hash(&response(1, &format!("{CHOICE},{TEXT}"), CONSENT))
        );
        for other in [
            response(2, &format!("{TEXT},{CHOICE}"), CONSENT),
            response(1, TEXT, CONSENT),
            response(1, &format!("{TEXT},{CHOICE}"), ""),
            response(
                1,
                &format!("{TEXT},{CHOICE}"),
                r#"{"consentId":0,"accepted":false}"#,
            ),
            response(1, &format!("{TEXT},{TEXT},{CHOICE}"), CONSENT),
            response(
                1,
                &format!("{TEXT},{}", CHOICE.replace("[0,3]", "[3,0]")),
                CONSENT,
            ),
            response(
                1,
                &format!("{TEXT},{}", CHOICE.replace("Id\":2", "Id\":5")),
                CONSENT,
            ),
            response(1, &format!("{TEXT},{CHOICE}"), CONSENT).replace(":7,1)", ":7,2)"),
        ] {
            assert_ne!(one, hash(&other), "{other}");
        }
    }

    proptest! {
        #[test]
        fn any_text_reads_the_same_both_ways(answer in any::<String>(), id in "\\PC{1,20}") {
            let text = serde_json::json!({
                "id": id, "formResponse": {"answers": [
                    {"questionId": 1, "answerDetails": {"textQuestionAnswer": {"answer": answer}}}
                ]}
            }).to_string();
            let quick = Reading::documented(&text);
            let lenient = Reading::lenient(&raw(&text)).ok();
            prop_assert!(quick.is_some());
            prop_assert_eq!(quick, lenient);
        }
    }
}
