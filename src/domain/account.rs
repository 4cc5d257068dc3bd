//! The LinkedIn account: who owns leads on LinkedIn's side, and how its forms and campaigns are synced.

use super::words::words;

words! {
    /// What kind of LinkedIn entity owns the leads.
    pub enum OwnerType {
        SponsoredAccount = "sponsored_account" => "Sponsored account",
        Organization = "organization" => "Organization",
    }
}

words! {
    /// How far the forms of an account are synced.
    pub enum FormSyncStatus {
        NotSyncing = "not_syncing" => "Not Syncing",
        PendingSynchronization = "pending_synchronization" => "Pending Synchronization",
        Active = "active" => "Active",
        NoFormsAvailable = "no_forms_available" => "No Forms Available",
        Forbidden = "forbidden" => "Forbidden",
    }
}

words! {
    /// How far the campaigns of an account are synced.
    pub enum CampaignSyncStatus {
        Pending = "pending" => "Pending",
        Active = "active" => "Active",
        NoActiveCampaignsAvailable = "no_active_campaigns_available" => "No Active Campaigns Available",
        Forbidden = "forbidden" => "Forbidden",
    }
}

words! {
    /// LinkedIn's lead types (linkedin-api.md §5.1).
    pub enum LeadType {
        Sponsored = "sponsored" => "Sponsored content",
        Event = "event" => "Event",
        Company = "company" => "Company page",
        OrganizationProduct = "organization_product" => "Product page",
    }
}

impl LeadType {
    /// The kind of owner that has leads of this type.
    #[must_use]
    pub const fn owner_type(self) -> OwnerType {
        match self {
            Self::Sponsored => OwnerType::SponsoredAccount,
            Self::Event | Self::Company | Self::OrganizationProduct => OwnerType::Organization,
        }
    }

    /// The word on LinkedIn's wire.
    #[must_use]
    pub const fn wire(self) -> &'static str {
        match self {
            Self::Sponsored => "SPONSORED",
            Self::Event => "EVENT",
            Self::Company => "COMPANY",
            Self::OrganizationProduct => "ORGANIZATION_PRODUCT",
        }
    }

    /// Reads the word on LinkedIn's wire; `None` for a type that LinkedIn added after this was written.
    #[must_use]
    pub fn from_wire(word: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|lead_type| lead_type.wire() == word)
    }
}

impl OwnerType {
    /// The lead types to ask for, in the order in which they are pulled.
    #[must_use]
    pub const fn lead_types(self) -> &'static [LeadType] {
        match self {
            Self::SponsoredAccount => &[LeadType::Sponsored],
            Self::Organization => &[
                LeadType::Event,
                LeadType::Company,
                LeadType::OrganizationProduct,
            ],
        }
    }
}

/// What somebody writes when pausing an account, as it is kept: one line of at most 200 characters, or nothing.
///
/// # Errors
/// A sentence for the field.
pub fn check_pause_reason(text: &str) -> Result<String, &'static str> {
    let text = text.trim();
    if text.chars().count() > 200 {
        Err("The reason is too long: at most 200 characters.")
    } else if text.chars().any(char::is_control) {
        Err("The reason holds characters that cannot be shown. Write it in one line.")
    } else {
        Ok(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_lead_type_belongs_to_the_owner_that_asks_for_it() {
        for owner in OwnerType::ALL {
            for lead_type in owner.lead_types() {
                assert_eq!(lead_type.owner_type(), *owner);
            }
        }
        for lead_type in LeadType::ALL {
            assert_eq!(LeadType::from_wire(lead_type.wire()), Some(*lead_type));
        }
        assert_eq!(LeadType::from_wire("ORGANIC"), None);
    }

    #[test]
    fn states_keep_microsofts_words() {
        assert_eq!(
            FormSyncStatus::PendingSynchronization.label(),
            "Pending Synchronization"
        );
        assert_eq!(
            "no_active_campaigns_available".parse(),
            Ok(CampaignSyncStatus::NoActiveCampaignsAvailable)
        );
        assert!("No Forms Available".parse::<FormSyncStatus>().is_err());
        assert_eq!(
            serde_json::to_string(&FormSyncStatus::NoFormsAvailable).unwrap(),
            "\"no_forms_available\""
        );
    }

    #[test]
    fn the_reason_of_a_pause_is_one_line_or_nothing() {
        assert_eq!(check_pause_reason("  "), Ok(String::new()));
        assert_eq!(check_pause_reason(" audit 🦊 "), Ok("audit 🦊".to_owned()));
        assert!(check_pause_reason(&"ä".repeat(200)).is_ok());
        for bad in [&"x".repeat(201), "a\nb", "a\u{0}b"] {
            assert!(check_pause_reason(bad).is_err(), "{bad:?}");
        }
    }
}
