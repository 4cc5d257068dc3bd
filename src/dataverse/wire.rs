//! Dataverse's and Entra's JSON as it comes, and nothing made of it.

use serde::{Deserialize, Serialize};

/// Entra's answer to a client-credentials grant.
#[derive(Deserialize)]
pub struct TokenAnswer {
    /// `Bearer`.
    pub token_type: Option<String>,
    /// Lifetime in seconds.
    pub expires_in: Option<i64>,
    /// The token; opaque.
    pub access_token: String,
}

/// Entra's refusal.
#[derive(Debug, Default, Deserialize)]
pub struct TokenFailure {
    /// OAuth's word.
    pub error: Option<String>,
    /// Words for people, with trace ids on further lines.
    pub error_description: Option<String>,
    /// `AADSTS` numbers.
    #[serde(default)]
    pub error_codes: Vec<i64>,
}

/// The envelope of every Web API error.
#[derive(Debug, Deserialize)]
pub struct ErrorEnvelope {
    /// The error.
    pub error: ErrorBody,
}

/// What the envelope holds.
#[derive(Debug, Deserialize)]
pub struct ErrorBody {
    /// `0x80040217`, `0x0` or nothing.
    pub code: Option<String>,
    /// Words in the user's language.
    pub message: Option<String>,
}

/// Who the token is in this organization.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct WhoAmI {
    /// The business unit of the application user.
    pub business_unit_id: String,
    /// The `systemuserid` of the application user.
    pub user_id: String,
    /// The organization.
    pub organization_id: String,
}

/// An alternate key of a table.
#[derive(Debug, Deserialize)]
pub struct EntityKey {
    /// The names of its columns.
    #[serde(rename = "KeyAttributes", default)]
    pub columns: Vec<String>,
    /// `Pending`, `InProgress`, `Active` or `Failed`.
    #[serde(rename = "EntityKeyIndexStatus")]
    pub index: Option<String>,
}

/// One page of a collection.
#[derive(Debug, Deserialize)]
pub struct Collection<T> {
    /// The rows.
    pub value: Vec<T>,
    /// Where the next page is; absent on the last one.
    #[serde(rename = "@odata.nextLink")]
    pub next_link: Option<String>,
}

/// One page of changed leads.
#[derive(Debug, Deserialize)]
pub struct Changes {
    /// The rows.
    pub value: Vec<ChangedRow>,
    /// Where the next page is; absent on the last one.
    #[serde(rename = "@odata.nextLink")]
    pub next_link: Option<String>,
    /// What to follow for later changes; on the last page only.
    #[serde(rename = "@odata.deltaLink")]
    pub delta_link: Option<String>,
}

/// A lead that changed, or one that was deleted.
#[derive(Debug, Deserialize)]
pub struct ChangedRow {
    /// The lead, where it is there.
    #[serde(rename = "leadid")]
    pub lead_id: Option<String>,
    /// The lead that is gone.
    pub id: Option<String>,
    /// `deleted`, where it is gone.
    pub reason: Option<String>,
    /// 0 open, 1 qualified, 2 disqualified.
    #[serde(rename = "statecode")]
    pub state: Option<i64>,
    /// The reason of the state.
    #[serde(rename = "statuscode")]
    pub status: Option<i64>,
    /// A user or a team.
    #[serde(rename = "_ownerid_value")]
    pub owner: Option<String>,
    /// Its name.
    #[serde(rename = "_ownerid_value@OData.Community.Display.V1.FormattedValue")]
    pub owner_name: Option<String>,
    /// `systemuser` or `team`.
    #[serde(rename = "_ownerid_value@Microsoft.Dynamics.CRM.lookuplogicalname")]
    pub owner_table: Option<String>,
    /// When it was changed last.
    #[serde(rename = "modifiedon")]
    pub modified_on: Option<String>,
}

/// A user of the organization.
#[derive(Debug, Deserialize)]
pub struct UserRow {
    /// The id.
    #[serde(rename = "systemuserid")]
    pub id: String,
    /// The full name.
    #[serde(rename = "fullname")]
    pub name: Option<String>,
    /// The e-mail address.
    #[serde(rename = "internalemailaddress")]
    pub email: Option<String>,
    /// What the user signs in with.
    #[serde(rename = "domainname")]
    pub sign_in_name: Option<String>,
    /// Whether the user may still sign in.
    #[serde(rename = "isdisabled")]
    pub is_disabled: Option<bool>,
}

/// What is asked of a table's definition.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Definition {
    /// Whether changes of its records are tracked.
    pub change_tracking_enabled: Option<bool>,
}

/// What `RetrieveUserPrivileges` answers.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct UserPrivileges {
    /// The privileges of all roles of the user.
    #[serde(default)]
    pub role_privileges: Vec<RolePrivilege>,
}

/// One privilege of a user.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RolePrivilege {
    /// `prvCreateLead`; older organizations leave it out.
    pub privilege_name: Option<String>,
}

/// A label in the user's language.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Label {
    /// In the language of the user that asks.
    pub user_localized_label: Option<LocalizedLabel>,
    /// In every language.
    #[serde(default)]
    pub localized_labels: Vec<LocalizedLabel>,
}

impl Label {
    /// The text in the user's language, or in the first language that there is.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        self.user_localized_label
            .as_ref()
            .or_else(|| self.localized_labels.first())
            .map(|label| label.label.as_str())
    }
}

/// A label in one language.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct LocalizedLabel {
    /// The text.
    pub label: String,
}

/// How much a column is needed.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RequiredLevel {
    /// `None`, `Recommended`, `ApplicationRequired` or `SystemRequired`.
    pub value: String,
}

/// What a column for days and moments keeps.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DateTimeBehavior {
    /// `DateOnly`, `TimeZoneIndependent` or `UserLocal`.
    pub value: String,
}

/// The options of a choice column.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct OptionSet {
    /// The options.
    #[serde(default)]
    pub options: Vec<OptionValue>,
}

/// One option.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct OptionValue {
    /// The number that is stored.
    pub value: i64,
    /// The words that people see.
    #[serde(default)]
    pub label: Label,
}

/// A column's definition; which members are there depends on the cast that was asked for.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Attribute {
    /// The name of the column.
    pub logical_name: String,
    /// `String`, `Memo`, `Integer`, `Picklist` …
    pub attribute_type: Option<String>,
    /// The name that people see.
    pub display_name: Option<Label>,
    /// How much the column is needed.
    pub required_level: Option<RequiredLevel>,
    /// Whether a create may carry it.
    pub is_valid_for_create: Option<bool>,
    /// Whether an update may carry it.
    pub is_valid_for_update: Option<bool>,
    /// The longest text (String, Memo).
    pub max_length: Option<i64>,
    /// The smallest number (Integer, Decimal, Double, Money).
    pub min_value: Option<f64>,
    /// The largest number (Integer, Decimal, Double, Money).
    pub max_value: Option<f64>,
    /// Whether it is a day, a moment as it is written, or one of each reader's time zone (DateTime).
    pub date_time_behavior: Option<DateTimeBehavior>,
    /// The options (Picklist).
    pub option_set: Option<OptionSet>,
    /// The options, where the set is shared by several columns.
    pub global_option_set: Option<OptionSet>,
}
