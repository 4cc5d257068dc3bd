//! Lead form responses (linkedin-api.md §5).

use serde::Deserialize;
use serde_json::value::RawValue;

use super::lenient::{maybe_whole, or_default, whole};
use super::{LeadForm, OwnerUrns};
use crate::linkedin::urn::{VersionedFormUrn, urn_id};

/// One submission of a lead form. Texts are as the person typed them and may hold NUL.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FormResponse {
    /// UUID and a small number; the idempotency key of the submission.
    pub id: String,
    /// Ad account or organization.
    #[serde(default, deserialize_with = "or_default")]
    pub owner: OwnerUrns,
    /// SPONSORED, EVENT, COMPANY, ORGANIZATION_PRODUCT; open.
    #[serde(default)]
    pub lead_type: Option<String>,
    /// `urn:li:person:{id}`; absent for guests.
    #[serde(default)]
    pub submitter: Option<String>,
    /// The version that was answered, see [`FormResponse::form_version`].
    #[serde(default)]
    pub versioned_lead_gen_form_urn: Option<String>,
    /// Milliseconds since 1970.
    #[serde(default, deserialize_with = "maybe_whole")]
    pub submitted_at: Option<i64>,
    /// Sent by "send a test lead".
    #[serde(default, deserialize_with = "or_default")]
    pub test_lead: bool,
    /// The campaign; absent for organic and for some test leads.
    #[serde(default, deserialize_with = "or_default")]
    pub lead_metadata: LeadMetadata,
    /// The creative or the event.
    #[serde(default, deserialize_with = "or_default")]
    pub associated_entity: AssociatedEntity,
    /// The answers.
    #[serde(default, deserialize_with = "or_default")]
    pub form_response: FormAnswers,
    /// Names beside the URNs; only with the projection.
    #[serde(default, deserialize_with = "or_default")]
    pub owner_info: OwnerInfo,
    /// Names beside the URNs; only with the projection.
    #[serde(default, deserialize_with = "or_default")]
    pub lead_metadata_info: LeadMetadataInfo,
    /// The form in the version that was answered; only with the projection.
    #[serde(default)]
    pub form: Option<LeadForm>,
}

impl FormResponse {
    /// The form and version that were answered.
    #[must_use]
    pub fn form_version(&self) -> Option<VersionedFormUrn> {
        VersionedFormUrn::parse(self.versioned_lead_gen_form_urn.as_deref()?)
    }

    /// The number of the campaign.
    #[must_use]
    pub fn campaign_id(&self) -> Option<i64> {
        let sponsored = self.lead_metadata.sponsored_lead_metadata.as_ref()?;
        urn_id(sponsored.campaign.as_deref()?, "sponsoredCampaign")
    }

    /// The number of the creative.
    #[must_use]
    pub fn creative_id(&self) -> Option<i64> {
        urn_id(
            self.associated_entity.associated_creative.as_deref()?,
            "sponsoredCreative",
        )
    }
}

/// `leadMetadata`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct LeadMetadata {
    /// Of ads.
    pub sponsored_lead_metadata: Option<SponsoredLeadMetadata>,
}

/// `leadMetadata.sponsoredLeadMetadata`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct SponsoredLeadMetadata {
    /// `urn:li:sponsoredCampaign:{id}`.
    pub campaign: Option<String>,
}

/// `associatedEntity`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct AssociatedEntity {
    /// `urn:li:sponsoredCreative:{id}`.
    pub associated_creative: Option<String>,
    /// `urn:li:event:{id}`.
    pub event: Option<String>,
}

/// `formResponse`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct FormAnswers {
    /// In no useful order; unanswered questions are absent.
    #[serde(deserialize_with = "or_default")]
    pub answers: Vec<FormAnswer>,
    /// What the person consented to.
    #[serde(deserialize_with = "or_default")]
    pub consent_responses: Vec<ConsentResponse>,
}

/// The answer to one question.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FormAnswer {
    /// The question within the form version.
    #[serde(deserialize_with = "whole")]
    pub question_id: i64,
    /// The question's name; LinkedIn's samples have none.
    #[serde(default)]
    pub name: Option<String>,
    /// `answerDetails` as it came: an open union of answer shapes, read by whoever knows what an answer means.
    #[serde(default)]
    pub answer_details: Option<Box<RawValue>>,
}

/// One consent as given or not.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConsentResponse {
    /// The consent within the form version; 0 is a real one.
    #[serde(deserialize_with = "whole")]
    pub consent_id: i64,
    /// Absent counts as not accepted.
    #[serde(default, deserialize_with = "or_default")]
    pub accepted: bool,
}

/// `ownerInfo`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct OwnerInfo {
    /// Of an ad account.
    pub sponsored_account_info: Option<OwnerName>,
    /// Of an organization.
    pub organization_info: Option<OwnerName>,
}

/// A name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct OwnerName {
    /// The owner's name.
    pub name: Option<String>,
}

/// `leadMetadataInfo`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct LeadMetadataInfo {
    /// Of ads.
    pub sponsored_lead_metadata_info: Option<SponsoredLeadMetadataInfo>,
}

/// `leadMetadataInfo.sponsoredLeadMetadataInfo`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct SponsoredLeadMetadataInfo {
    /// The campaign.
    pub campaign: Option<CampaignInfo>,
}

/// A campaign with its name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct CampaignInfo {
    /// `urn:li:sponsoredCampaign:{id}`.
    pub id: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// SPONSORED_UPDATES …; open.
    #[serde(rename = "type")]
    pub kind: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_response_of_the_documentation_is_read() {
        let response: FormResponse = serde_json::from_str(
            r#"{"id":"249592fc-d272-44ba-a7db-c2bdce579507-6","owner":{"sponsoredAccount":"urn:li:sponsoredAccount:512345678"},
            "leadType":"SPONSORED","submitter":"urn:li:person:aB3dE_9xQz",
            "versionedLeadGenFormUrn":"urn:li:versionedLeadGenForm:(urn:li:leadGenForm:7234246,1)","submittedAt":1789894599288,
            "testLead":false,"leadMetadata":{"sponsoredLeadMetadata":{"campaign":"urn:li:sponsoredCampaign:198356826"}},
            "associatedEntity":{"associatedCreative":"urn:li:sponsoredCreative:241257736"},
            "formResponse":{"answers":[
              {"questionId":307234246,"answerDetails":{"textQuestionAnswer":{"answer":"ada@example.com"}}},
              {"questionId":707234246,"answerDetails":{"multipleChoiceAnswer":{"options":[0]}}}],
             "consentResponses":[{"consentId":0,"accepted":true}]}}"#,
        )
        .expect("a response");
        assert_eq!(
            response.form_version().map(|v| (v.form_id, v.version_id)),
            Some((7_234_246, 1))
        );
        assert_eq!(response.campaign_id(), Some(198_356_826));
        assert_eq!(response.creative_id(), Some(241_257_736));
        let details = response.form_response.answers[1].answer_details.as_ref();
        assert_eq!(
            details.map(|raw| raw.get()),
            Some(r#"{"multipleChoiceAnswer":{"options":[0]}}"#)
        );
        assert_eq!(
            response.form_response.consent_responses,
            [ConsentResponse {
                consent_id: 0,
                accepted: true
            }]
        );
    }

    #[test]
    fn guests_organic_leads_nulls_and_unknown_answers_are_no_error() {
        for text in [
            r#"{"id":"a-1"}"#,
            r#"{"id":"a-1","owner":null,"leadType":null,"submitter":null,"submittedAt":null,"testLead":null,"leadMetadata":null,
               "associatedEntity":null,"formResponse":null,"ownerInfo":{},"leadMetadataInfo":{},"form":null}"#,
            r#"{"id":"a-1","formResponse":{"answers":null,"consentResponses":null},"leadMetadata":{},"associatedEntity":{}}"#,
        ] {
            let response: FormResponse = serde_json::from_str(text).expect(text);
            assert!(response.form_response.answers.is_empty());
            assert_eq!(response.form_version(), None);
            assert!(!response.test_lead);
        }
        let response: FormResponse = serde_json::from_str(
            r#"{"id":"a-1","submittedAt":"1789894599288","associatedEntity":{"event":"urn:li:event:7000000000000000000"},
            "formResponse":{"answers":[{"questionId":"5","name":"n","answerDetails":{"fileAnswer":{}}},
              {"questionId":6,"answerDetails":null},{"questionId":7,"answerDetails":{"multipleChoiceAnswer":{"options":null}}}]}}"#,
        )
        .expect("a response");
        assert_eq!(response.submitted_at, Some(1_789_894_599_288));
        assert_eq!(response.form_response.answers.len(), 3);
    }
}
