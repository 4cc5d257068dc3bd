//! The shapes of LinkedIn's answers (linkedin-api.md): unknown fields are passed over, enums are open strings, whatever may be absent is optional.

mod form;
mod lenient;
mod response;

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::page::Element;
use super::urn::urn_id;
use lenient::{maybe_whole, or_default, whole};

pub use form::{
    CallToAction, CallToActionTarget, Consent, FormContent, HiddenField, LeadForm, LegalInfo,
    Locale, LocalizedText, MultipleChoiceDetails, PostSubmissionInfo, Question, QuestionDetails,
    QuestionOption, ReviewInfo, TextDetails,
};
pub use response::{
    AssociatedEntity, CampaignInfo, ConsentResponse, FormAnswer, FormAnswers, FormResponse,
    LeadMetadata, LeadMetadataInfo, OwnerInfo, OwnerName, SponsoredLeadMetadata,
    SponsoredLeadMetadataInfo,
};

impl<'de, T: serde::de::DeserializeOwned> Deserialize<'de> for Element<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<RawValue>::deserialize(deserializer).map(Self::read)
    }
}

/// A Rest.li BATCH_GET answer. Keys are as LinkedIn prints them.
#[derive(Debug, Clone, Deserialize)]
#[serde(bound = "T: serde::de::DeserializeOwned")]
pub struct BatchAnswer<T> {
    /// What was found.
    pub results: BTreeMap<String, Element<T>>,
    /// What was not, and why.
    #[serde(default, deserialize_with = "or_default")]
    pub errors: BTreeMap<String, BatchError>,
}

/// Why one key of a batch gave nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct BatchError {
    /// HTTP status of this key.
    #[serde(deserialize_with = "maybe_whole")]
    pub status: Option<i64>,
    /// LinkedIn's words.
    pub message: Option<String>,
}

/// Who owns a form or a response.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct OwnerUrns {
    /// `urn:li:sponsoredAccount:{id}`.
    pub sponsored_account: Option<String>,
    /// `urn:li:organization:{id}`.
    pub organization: Option<String>,
}

impl OwnerUrns {
    /// The owner as this client writes it in requests.
    #[must_use]
    pub fn owner(&self) -> Option<super::Owner> {
        let account = self
            .sponsored_account
            .as_deref()
            .and_then(|urn| urn_id(urn, "sponsoredAccount"));
        let organization = self
            .organization
            .as_deref()
            .and_then(|urn| urn_id(urn, "organization"));
        account
            .map(super::Owner::SponsoredAccount)
            .or(organization.map(super::Owner::Organization))
    }
}

/// One row of `adAccountUsers`. Rows for removed accounts stay at LinkedIn.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AdAccountUser {
    /// `urn:li:sponsoredAccount:{id}`.
    pub account: String,
    /// `urn:li:person:{id}`.
    #[serde(default)]
    pub user: Option<String>,
    /// ACCOUNT_BILLING_ADMIN, ACCOUNT_MANAGER, CAMPAIGN_MANAGER, CREATIVE_MANAGER or VIEWER; open.
    #[serde(default, deserialize_with = "or_default")]
    pub role: String,
}

impl AdAccountUser {
    /// The number of the account.
    #[must_use]
    pub fn account_id(&self) -> Option<i64> {
        urn_id(&self.account, "sponsoredAccount")
    }
}

/// An ad account.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AdAccount {
    /// Number of the account.
    #[serde(deserialize_with = "whole")]
    pub id: i64,
    /// Its name.
    #[serde(default)]
    pub name: Option<String>,
    /// ISO 4217 code.
    #[serde(default)]
    pub currency: Option<String>,
    /// ACTIVE, DRAFT, CANCELED, PENDING_DELETION, REMOVED; open.
    #[serde(default)]
    pub status: Option<String>,
    /// BUSINESS or ENTERPRISE; open.
    #[serde(default, rename = "type")]
    pub kind: Option<String>,
    /// URN of the page behind the account, mostly `urn:li:organization:{id}`; absent where there is none.
    #[serde(default)]
    pub reference: Option<String>,
    /// The page behind the account; empty → its leads cannot be synced.
    #[serde(default, deserialize_with = "or_default")]
    pub reference_info: ReferenceInfo,
    /// LinkedIn's test accounts.
    #[serde(default, deserialize_with = "or_default")]
    pub test: bool,
}

impl AdAccount {
    /// The organization behind the account, from `referenceInfo` or `reference`.
    #[must_use]
    pub fn organization_id(&self) -> Option<i64> {
        self.reference_info
            .organization
            .as_ref()
            .and_then(|organization| organization.id)
            .or_else(|| urn_id(self.reference.as_deref()?, "organization"))
    }

    /// The name of the organization behind the account, where LinkedIn told it.
    #[must_use]
    pub fn organization_name(&self) -> Option<&str> {
        self.reference_info
            .organization
            .as_ref()?
            .localized_name
            .as_deref()
    }
}

/// `referenceInfo` of an ad account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ReferenceInfo {
    /// The page.
    pub organization: Option<ReferencedOrganization>,
}

/// A company page as `referenceInfo` shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ReferencedOrganization {
    /// Number of the organization.
    #[serde(deserialize_with = "maybe_whole")]
    pub id: Option<i64>,
    /// Last part of the page's address.
    pub vanity_name: Option<String>,
    /// The page's name.
    pub localized_name: Option<String>,
}

/// One role of a member on a company page.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrganizationAcl {
    /// `urn:li:organization:{id}`.
    pub organization: String,
    /// ADMINISTRATOR, LEAD_GEN_FORMS_MANAGER, CURATOR, CONTENT_ADMINISTRATOR, ANALYST …; open.
    #[serde(default, deserialize_with = "or_default")]
    pub role: String,
    /// APPROVED, REJECTED, REQUESTED, REVOKED; open.
    #[serde(default, deserialize_with = "or_default")]
    pub state: String,
}

impl OrganizationAcl {
    /// The number of the organization.
    #[must_use]
    pub fn organization_id(&self) -> Option<i64> {
        urn_id(&self.organization, "organization")
    }
}

/// A campaign group.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CampaignGroup {
    /// Number of the group.
    #[serde(deserialize_with = "whole")]
    pub id: i64,
    /// Its name.
    #[serde(default)]
    pub name: Option<String>,
    /// `urn:li:sponsoredAccount:{id}`.
    #[serde(default)]
    pub account: Option<String>,
    /// ACTIVE, PAUSED, …; open.
    #[serde(default)]
    pub status: Option<String>,
}

/// A campaign.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Campaign {
    /// Number of the campaign.
    #[serde(deserialize_with = "whole")]
    pub id: i64,
    /// Its name.
    #[serde(default)]
    pub name: Option<String>,
    /// `urn:li:sponsoredAccount:{id}`.
    #[serde(default)]
    pub account: Option<String>,
    /// `urn:li:sponsoredCampaignGroup:{id}`.
    #[serde(default)]
    pub campaign_group: Option<String>,
    /// ACTIVE, PAUSED, ARCHIVED, COMPLETED, CANCELED, DRAFT, PENDING_DELETION, REMOVED; open.
    #[serde(default)]
    pub status: Option<String>,
    /// SPONSORED_UPDATES, SPONSORED_INMAILS …; open.
    #[serde(default, rename = "type")]
    pub kind: Option<String>,
    /// SINGLE_IMAGE, CAROUSEL …; open.
    #[serde(default)]
    pub format: Option<String>,
    /// LEAD_GENERATION …; open.
    #[serde(default)]
    pub objective_type: Option<String>,
    /// When it runs.
    #[serde(default, deserialize_with = "or_default")]
    pub run_schedule: RunSchedule,
}

/// When a campaign runs, in milliseconds since 1970.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct RunSchedule {
    /// First moment.
    #[serde(deserialize_with = "maybe_whole")]
    pub start: Option<i64>,
    /// Last moment; absent for open-ended campaigns.
    #[serde(deserialize_with = "maybe_whole")]
    pub end: Option<i64>,
}

/// A creative. Its id is the full URN, and it may have no name.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Creative {
    /// `urn:li:sponsoredCreative:{id}`.
    pub id: String,
    /// Its name.
    #[serde(default)]
    pub name: Option<String>,
    /// `urn:li:sponsoredAccount:{id}`.
    #[serde(default)]
    pub account: Option<String>,
    /// `urn:li:sponsoredCampaign:{id}`.
    #[serde(default)]
    pub campaign: Option<String>,
    /// ACTIVE, PAUSED …; open.
    #[serde(default)]
    pub intended_status: Option<String>,
    /// LinkedIn's test creatives.
    #[serde(default, deserialize_with = "or_default")]
    pub is_test: bool,
    /// The form that the creative opens.
    #[serde(default)]
    pub leadgen_call_to_action: Option<LeadgenCallToAction>,
}

/// The form behind a creative's button.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct LeadgenCallToAction {
    /// URN of the form (kind not documented).
    pub destination: Option<String>,
    /// DOWNLOAD, SIGN_UP …; open.
    pub label: Option<String>,
}

/// The OpenID claims of the token's member.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct UserInfo {
    /// Pairwise id; `urn:li:person:{sub}` within the same developer app.
    pub sub: String,
    /// Full name.
    #[serde(default)]
    pub name: Option<String>,
    /// First name.
    #[serde(default)]
    pub given_name: Option<String>,
    /// Last name.
    #[serde(default)]
    pub family_name: Option<String>,
    /// Only with the scope `email`.
    #[serde(default)]
    pub email: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: serde::de::DeserializeOwned>(text: &str) -> T {
        serde_json::from_str(text).expect(text)
    }

    #[test]
    fn an_account_of_the_documentation_is_read() {
        let account: AdAccount = read(
            r#"{"id":512345678,"name":"Northwind Ads","currency":"EUR","status":"ACTIVE","type":"BUSINESS",
            "reference":"urn:li:organization:2414183","servingStatuses":["RUNNABLE"],"test":false,
            "referenceInfo":{"organization":{"id":2414183,"vanityName":"northwind","localizedName":"Northwind GmbH",
            "name":{"localized":{"en_US":"Northwind GmbH","preferredLocale":{"country":"US","language":"en"}}}}},
            "version":{"versionTag":"7"}}"#,
        );
        assert_eq!(account.organization_id(), Some(2_414_183));
        assert_eq!(account.organization_name(), Some("Northwind GmbH"));
    }

    #[test]
    fn an_account_without_a_page_is_told() {
        for text in [
            r#"{"id":1}"#,
            r#"{"id":"1","referenceInfo":{},"name":null,"test":null}"#,
            r#"{"id":1,"referenceInfo":null,"reference":null}"#,
            r#"{"id":1,"reference":"urn:li:person:x"}"#,
        ] {
            let account: AdAccount = read(text);
            assert_eq!((account.id, account.organization_id()), (1, None), "{text}");
        }
        let account: AdAccount = read(r#"{"id":1,"reference":"urn:li:organization:5"}"#);
        assert_eq!(account.organization_id(), Some(5));
    }

    #[test]
    fn rows_campaigns_and_creatives_tolerate_nulls_and_new_fields() {
        let row: AdAccountUser =
            read(r#"{"account":"urn:li:sponsoredAccount:5","role":null,"new":[{}]}"#);
        assert_eq!((row.account_id(), row.role.as_str()), (Some(5), ""));
        let acl: OrganizationAcl =
            read(r#"{"organization":"urn:li:organization:7","role":"NEW_ROLE"}"#);
        assert_eq!(
            (acl.organization_id(), acl.role.as_str()),
            (Some(7), "NEW_ROLE")
        );
        let campaign: Campaign =
            read(r#"{"id":198356826,"runSchedule":null,"status":"SOMETHING_NEW","type":null}"#);
        assert_eq!(campaign.status.as_deref(), Some("SOMETHING_NEW"));
        let creative: Creative =
            read(r#"{"id":"urn:li:sponsoredCreative:9","leadgenCallToAction":null}"#);
        assert_eq!(creative.name, None);
    }

    #[test]
    fn the_locale_of_userinfo_may_have_any_shape() {
        for locale in [r#""en-US""#, r#"{"country":"US","language":"en"}"#, "null"] {
            let info: UserInfo = read(&format!(
                r#"{{"sub":"782","name":"Ada Lind","locale":{locale}}}"#
            ));
            assert_eq!(info.name.as_deref(), Some("Ada Lind"));
        }
    }

    #[test]
    fn a_batch_answer_keeps_results_and_errors_apart() {
        let batch: BatchAnswer<AdAccount> = read(
            r#"{"results":{"1":{"id":1},"2":{"id":[]}},"statuses":{"1":200},"errors":{"3":{"status":404,"message":"no"}}}"#,
        );
        assert!(batch.results.get("1").is_some_and(|e| e.value.is_ok()));
        assert!(batch.results.get("2").is_some_and(|e| e.value.is_err()));
        assert_eq!(batch.errors.get("3").and_then(|e| e.status), Some(404));
    }
}
