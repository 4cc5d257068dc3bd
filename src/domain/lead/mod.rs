//! The lead: its fields, its states, where each value came from, and how a submission is written onto it.

mod apply;
pub mod custom;
mod field;
pub mod merge;
mod provenance;
#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use apply::{FieldChange, apply};
pub use custom::{CustomFieldType, DefinedField, LeadFields};
pub use field::{CustomField, FieldKey, FieldKind, LeadField, LeadValues, is_custom_field_name};
pub use provenance::{FieldOrigin, Origin, Provenance};

use super::account::LeadType;
use super::ids::{AccountId, CampaignId, FormId, LeadId, SubmissionId, UserId};
use super::submission::SubmissionStamp;
use super::words::words;

words! {
    /// How far the work on a lead is.
    pub enum LeadStatus {
        New = "new" => "New",
        Contacted = "contacted" => "Contacted",
        Qualified = "qualified" => "Qualified",
        Disqualified = "disqualified" => "Disqualified",
    }
}

impl LeadStatus {
    /// Qualified and Disqualified leads are closed: no submission changes them unless a setting says so.
    #[must_use]
    pub const fn is_closed(self) -> bool {
        matches!(self, Self::Qualified | Self::Disqualified)
    }
}

words! {
    /// Where a lead came from.
    pub enum LeadSource {
        LinkedinSponsoredContent = "linkedin_sponsored_content" => "LinkedIn Sponsored Content",
        LinkedinEvent = "linkedin_event" => "LinkedIn Event",
        LinkedinCompanyPage = "linkedin_company_page" => "LinkedIn Company Page",
        LinkedinProductPage = "linkedin_product_page" => "LinkedIn Product Page",
        Manual = "manual" => "Manual",
        Import = "import" => "Import",
    }
}

impl From<LeadType> for LeadSource {
    fn from(lead_type: LeadType) -> Self {
        match lead_type {
            LeadType::Sponsored => Self::LinkedinSponsoredContent,
            LeadType::Event => Self::LinkedinEvent,
            LeadType::Company => Self::LinkedinCompanyPage,
            LeadType::OrganizationProduct => Self::LinkedinProductPage,
        }
    }
}

/// A lead. Merges keep it as JSON, so a field that is added later needs a default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Lead {
    /// Its identifier.
    pub id: LeadId,
    /// The values of its fields.
    pub values: LeadValues,
    /// What it is about.
    pub topic: String,
    /// How far the work on it is.
    pub status: LeadStatus,
    /// Where it came from.
    pub source: LeadSource,
    /// Who works on it; no lead is ownerless.
    pub owner_id: UserId,
    /// Where each value came from.
    pub provenance: Provenance,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When anything on it last changed.
    pub updated_at: DateTime<Utc>,
    /// The submission that was attached first.
    pub first_submission_id: Option<SubmissionId>,
    /// The attached submission that was submitted last.
    pub latest_submission_id: Option<SubmissionId>,
    /// When that one was submitted.
    pub latest_submitted_at: Option<DateTime<Utc>>,
    /// How many submissions are attached.
    pub submission_count: i64,
    /// The account through which it came.
    pub account_id: Option<AccountId>,
    /// The form from which it came.
    pub form_id: Option<FormId>,
    /// The campaign from which it came.
    pub campaign_id: Option<CampaignId>,
    /// URN of the LinkedIn member; absent for guests and leads from elsewhere.
    pub member_urn: Option<String>,
    /// Counts changes, so that two people who edit at once are noticed.
    pub lock_version: i64,
}

impl Lead {
    /// The name to show: first and last name, else company, else e-mail, else the topic.
    #[must_use]
    pub fn display_name(&self) -> String {
        display_name(&self.values).unwrap_or_else(|| self.topic.clone())
    }

    /// Notes a submission that was attached for the first time: counts it, and keeps the first and the latest.
    ///
    /// The caller makes sure that it is the first time; the submission's row says which lead it belongs to.
    pub fn attach(&mut self, submission: &SubmissionStamp) {
        self.submission_count = self.submission_count.saturating_add(1);
        if self.first_submission_id.is_none() {
            self.first_submission_id = Some(submission.id.clone());
        }
        if self
            .latest_submitted_at
            .is_none_or(|latest| submission.submitted_at >= latest)
        {
            self.latest_submission_id = Some(submission.id.clone());
            self.latest_submitted_at = Some(submission.submitted_at);
        }
    }
}

/// The name that a lead's values give: first and last name, else company, else an e-mail address.
#[must_use]
pub fn display_name(values: &LeadValues) -> Option<String> {
    let get = |field: LeadField| {
        values
            .get(&FieldKey::Standard(field))
            .map(|value| value.trim())
            .filter(|v| !v.is_empty())
    };
    match (get(LeadField::FirstName), get(LeadField::LastName)) {
        (Some(first), Some(last)) => Some(format!("{first} {last}")),
        (Some(name), None) | (None, Some(name)) => Some(name.to_owned()),
        (None, None) => get(LeadField::CompanyName)
            .or_else(|| get(LeadField::Email))
            .or_else(|| get(LeadField::WorkEmail))
            .map(str::to_owned),
    }
}

/// The topic of a lead made from a submission: the form that was answered, and the campaign where there is one.
#[must_use]
pub fn topic(form_name: Option<&str>, campaign_name: Option<&str>) -> String {
    let known = |name: Option<&str>| {
        name.map(str::trim)
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
    };
    match (known(form_name), known(campaign_name)) {
        (Some(form), Some(campaign)) => format!("{form} – {campaign}"),
        (Some(name), None) | (None, Some(name)) => name,
        (None, None) => "LinkedIn Lead Gen Form".to_owned(),
    }
}
