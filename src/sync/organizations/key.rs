//! The alternate key on the lead's id here: with it the organization itself refuses a second record of the same lead, and a record
//! is found again by its id, whatever people changed in it.

use super::{Organizations, ReachError, lead_column};
use crate::dataverse::{DataverseClient, DataverseError, KeyIndex};
use crate::domain::column_mapping::{ColumnMapping, LeadPart};
use crate::domain::ids::OrganizationId;
use crate::domain::lead_column::LeadColumn;
use crate::domain::organization::KeyState;
use crate::store::dataverse_columns;

/// The column that is added where none is mapped, and its name in requests.
const SCHEMA_NAME: &str = "leadgen_LeadId";
const COLUMN: &str = "leadgen_leadid";
const LABEL: &str = "Lead id in Leadgen Connector";
/// A GUID as text.
const LENGTH: u32 = 36;

/// A column with its key.
#[derive(Debug, Clone)]
pub struct MadeKey {
    /// The column's name in requests.
    pub column: String,
    /// How far its key is built.
    pub state: KeyState,
    /// The columns of the lead table, with the new one.
    pub columns: Vec<LeadColumn>,
}

impl Organizations {
    /// Adds the column and the key to the organization where they are missing. A repeat is harmless.
    ///
    /// # Errors
    /// `Service` with what the organization answered, or as [`Organizations::client`].
    pub async fn add_key(&self, id: &OrganizationId) -> Result<MadeKey, ReachError> {
        let client = self.client(id).await?;
        let organization = id.clone();
        let mapping = self
            .store
            .read(move |conn| dataverse_columns::mapping(conn, &organization))
            .await?;
        let mut columns = client.lead_columns().await?;
        let is_there = |name: &str| columns.iter().any(|known| known.name == name);
        // One that is mapped and gone cannot be made again under its name.
        let mapped = id_column(&mapping).filter(|name| is_there(name));
        let column = mapped.unwrap_or(COLUMN).to_owned();
        if !is_there(&column) {
            client.add_text_column(SCHEMA_NAME, LABEL, LENGTH).await?;
            columns = client.lead_columns().await?;
        }
        if client.key_on(&column).await?.is_none() {
            client.add_key(&format!("{column}_key"), &column).await?;
        }
        Ok(MadeKey {
            state: key_state(&client, &column)
                .await?
                .unwrap_or(KeyState::Building),
            columns: columns.into_iter().map(lead_column).collect(),
            column,
        })
    }
}

/// The column to which the lead's id goes.
pub(super) fn id_column(mapping: &ColumnMapping) -> Option<&str> {
    Some(mapping.of(&LeadPart::Id)?.column.as_str())
}

/// How far the key on a column is built; `None`: it has none.
pub(super) async fn key_state(
    client: &DataverseClient,
    column: &str,
) -> Result<Option<KeyState>, DataverseError> {
    Ok(client.key_on(column).await?.map(|index| match index {
        KeyIndex::Building => KeyState::Building,
        KeyIndex::Active => KeyState::Active,
        KeyIndex::Failed => KeyState::Failed,
    }))
}
