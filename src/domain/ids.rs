//! Identifiers of our records: UUID text made by the app, one type per record so that they cannot be mixed up.

use uuid::Uuid;

/// Text that is no UUID where an identifier was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an identifier")]
pub struct InvalidId;

macro_rules! ids {
    ($( $(#[$meta:meta])* $name:ident ),+ $(,)?) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(String);

        impl $name {
            /// Wraps a UUID that the caller made.
            #[must_use]
            pub fn new(id: Uuid) -> Self {
                Self(id.hyphenated().to_string())
            }

            /// The stored text: lower-case hexadecimal with hyphens.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The stored text, by value.
            #[must_use]
            pub fn into_string(self) -> String {
                self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                // Only the hyphenated form: braces, URNs and bare hexadecimal never come from us.
                if text.len() != 36 {
                    return Err(InvalidId);
                }
                Uuid::try_parse(text).map(Self::new).map_err(|_| InvalidId)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(&self.0)
            }
        }
    )+};
}

ids! {
    /// A person who signs in, or the S2S Inbound identity.
    UserId,
    /// A LinkedIn user profile.
    ProfileId,
    /// A LinkedIn account: a sponsored account or an organization's page.
    AccountId,
    /// A Lead Gen form.
    FormId,
    /// One version of a Lead Gen form.
    FormVersionId,
    /// A form submission.
    SubmissionId,
    /// A lead.
    LeadId,
    /// A record of the lead table of an organization, by that organization.
    RecordId,
    /// A note on a lead.
    NoteId,
    /// A saved view of the list of leads.
    ViewId,
    /// A merge of two leads.
    MergeId,
    /// An import of leads.
    ImportId,
    /// A campaign.
    CampaignId,
    /// A field mapping.
    MappingId,
    /// A matching strategy.
    StrategyId,
    /// A sync run.
    RunId,
    /// An organization.
    OrganizationId,
    /// An assignment rule.
    RuleId,
    /// A group of users.
    GroupId,
    /// A list of addresses whose people are to become members of a group.
    AdditionId,
    /// A token of the API.
    ApiTokenId,
    /// A webhook: an address that is told about leads.
    WebhookId,
    /// The queue of one destination.
    LaneId,
    /// One thing that one destination is told.
    DeliveryId,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_is_a_hyphenated_uuid_and_nothing_else() {
        let id: LeadId = "018F2A3C-0000-7000-8000-0000000000AB".parse().unwrap();
        assert_eq!(id.as_str(), "018f2a3c-0000-7000-8000-0000000000ab");
        assert_eq!(
            serde_json::from_str::<LeadId>(&serde_json::to_string(&id).unwrap()).unwrap(),
            id
        );
        for bad in [
            "",
            "1",
            "018f2a3c00007000800000000000000ab",
            "{018f2a3c-0000-7000-8000-0000000000ab}",
            "zzzzzzzz-0000-7000-8000-0000000000ab",
        ] {
            assert!(bad.parse::<LeadId>().is_err(), "{bad}");
        }
    }
}
