//! The mappings that ship: LinkedIn's predefined fields to the standard fields of a lead (linkedin-api.md §4.3).

use super::WritePolicy;
use crate::domain::lead::LeadField;

/// One mapping of the shipped set, before it has an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShippedMapping {
    /// LinkedIn's word for the predefined field.
    pub predefined_field: &'static str,
    /// The lead field that it writes to.
    pub target: LeadField,
    /// What happens where the lead has a value already.
    pub policy: WritePolicy,
}

impl ShippedMapping {
    /// Its name, unique in the set: the words people know.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{} → {}", self.predefined_field, self.target.label())
    }
}

const fn overwrite(predefined_field: &'static str, target: LeadField) -> ShippedMapping {
    ShippedMapping {
        predefined_field,
        target,
        policy: WritePolicy::Overwrite,
    }
}

const fn fill(predefined_field: &'static str, target: LeadField) -> ShippedMapping {
    ShippedMapping {
        predefined_field,
        target,
        policy: WritePolicy::FillIfEmpty,
    }
}

/// Both spellings stand in the set where LinkedIn's own is unsure. A work address or number also fills the general
/// field when a form asks for nothing else, so that the default strategy has an e-mail address to compare.
const SHIPPED: &[ShippedMapping] = &[
    overwrite("FIRST_NAME", LeadField::FirstName),
    overwrite("LAST_NAME", LeadField::LastName),
    overwrite("EMAIL", LeadField::Email),
    overwrite("WORK_EMAIL", LeadField::WorkEmail),
    fill("WORK_EMAIL", LeadField::Email),
    overwrite("PHONE_NUMBER", LeadField::Phone),
    fill("WORK_PHONE_NUMBER", LeadField::Phone),
    overwrite("COMPANY_NAME", LeadField::CompanyName),
    overwrite("JOB_TITLE", LeadField::JobTitle),
    overwrite("JOB_FUNCTION", LeadField::JobFunction),
    overwrite("SENIORITY", LeadField::Seniority),
    overwrite("INDUSTRY", LeadField::Industry),
    overwrite("COMPANY_SIZE", LeadField::CompanySize),
    overwrite("CITY", LeadField::City),
    overwrite("STATE", LeadField::State),
    overwrite("COUNTRY", LeadField::Country),
    overwrite("ZIP_CODE", LeadField::PostalCode),
    overwrite("POSTAL_CODE", LeadField::PostalCode),
    overwrite("LINKEDIN_PROFILE_LINK", LeadField::LinkedinProfileUrl),
    overwrite("SCHOOL", LeadField::School),
    overwrite("UNIVERSITY", LeadField::School),
    overwrite("DEGREE", LeadField::Degree),
    overwrite("FIELD_OF_STUDY", LeadField::FieldOfStudy),
    overwrite("START_DATE", LeadField::StartDate),
    overwrite("GRADUATION_DATE", LeadField::GraduationDate),
];

/// The shipped set, in the order in which it is stored. A migration or the first start gives each an id.
#[must_use]
pub const fn shipped_mappings() -> &'static [ShippedMapping] {
    SHIPPED
}
