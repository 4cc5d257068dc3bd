//! A column of our own in the lead table, and the alternate key on it by which the organization itself refuses a second record
//! of the same lead (dataverse-api.md §2.13).

use reqwest::Method;
use serde_json::json;

use super::DataverseClient;
use super::error::DataverseError;
use super::http::Call;
use super::wire::{Collection, EntityKey};

/// How far the organization has built the index of a key: it does so after it answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyIndex {
    /// Pending or in progress.
    Building,
    /// The key holds.
    Active,
    /// It could not be built, for example because two records have the same value.
    Failed,
}

const TABLE: &str = "EntityDefinitions(LogicalName='lead')";

impl DataverseClient {
    /// Adds a column for a text of at most so many characters to the lead table. Its name in requests is the schema name in
    /// lower case.
    ///
    /// # Errors
    /// `Invalid` when there is one, `MissingPrivilege`, or as the organization.
    pub async fn add_text_column(
        &self,
        schema_name: &str,
        label: &str,
        max_length: u32,
    ) -> Result<(), DataverseError> {
        let label = json!({
            "@odata.type": "Microsoft.Dynamics.CRM.Label",
            "LocalizedLabels": [{
                "@odata.type": "Microsoft.Dynamics.CRM.LocalizedLabel", "Label": label, "LanguageCode": 1033,
            }],
        });
        let body = json!({
            "@odata.type": "Microsoft.Dynamics.CRM.StringAttributeMetadata",
            "SchemaName": schema_name,
            "AttributeType": "String",
            "AttributeTypeName": { "Value": "StringType" },
            "FormatName": { "Value": "Text" },
            "MaxLength": max_length,
            "RequiredLevel": {
                "Value": "None", "CanBeChanged": true, "ManagedPropertyLogicalName": "canmodifyrequirementlevelsettings",
            },
            "DisplayName": label,
        });
        let url = self.address_of(&format!("{TABLE}/Attributes"));
        self.call(&Call::send(Method::POST, url, &body)).await?;
        Ok(())
    }

    /// Adds an alternate key on one column of the lead table.
    ///
    /// # Errors
    /// `Invalid` when there is one of this name, `MissingPrivilege`, or as the organization.
    pub async fn add_key(&self, schema_name: &str, column: &str) -> Result<(), DataverseError> {
        let label = json!({
            "@odata.type": "Microsoft.Dynamics.CRM.Label",
            "LocalizedLabels": [{
                "@odata.type": "Microsoft.Dynamics.CRM.LocalizedLabel", "Label": schema_name, "LanguageCode": 1033,
            }],
        });
        let body = json!({
            "SchemaName": schema_name, "DisplayName": label, "KeyAttributes": [column],
        });
        let url = self.address_of(&format!("{TABLE}/Keys"));
        self.call(&Call::send(Method::POST, url, &body)).await?;
        Ok(())
    }

    /// How far the alternate key on this column alone is built; `None`: there is none.
    ///
    /// # Errors
    /// As the organization.
    pub async fn key_on(&self, column: &str) -> Result<Option<KeyIndex>, DataverseError> {
        let path = format!("{TABLE}/Keys?$select=SchemaName,KeyAttributes,EntityKeyIndexStatus");
        let received = self.call(&Call::get(self.address_of(&path))).await?;
        let keys: Collection<EntityKey> = received.json()?;
        let key = keys
            .value
            .into_iter()
            .find(|key| key.columns.iter().eq([column]));
        Ok(key.map(|key| match key.index.as_deref() {
            Some("Active") => KeyIndex::Active,
            Some("Failed") => KeyIndex::Failed,
            _ => KeyIndex::Building,
        }))
    }
}
