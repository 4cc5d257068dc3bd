//! The calls of the Web API that the portal makes.

use reqwest::Method;
use reqwest::header::{IF_MATCH, IF_NONE_MATCH};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::DataverseClient;
use super::error::DataverseError;
use super::http::Call;
use super::query::{encoded, is_column};
use super::wire::{Collection, UserPrivileges, WhoAmI};

/// A record of the lead table, by column.
pub type LeadRecord = Map<String, Value>;

/// When a write goes through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// Create or update, whichever it is.
    Always,
    /// Only if there is no such record.
    Absent,
    /// Only if there is one.
    Present,
    /// Only if the record still has this ETag.
    Unchanged(String),
}

/// Which leads are asked for.
#[derive(Debug, Clone, Default)]
pub struct LeadQuery {
    /// The columns; the id always comes.
    pub columns: Vec<String>,
    /// An OData filter made with [`super::query`], not yet percent-encoded.
    pub filter: Option<String>,
    /// An OData order, `modifiedon asc`.
    pub order: Option<String>,
    /// At most so many rows in a page.
    pub page_size: Option<u32>,
}

/// One row of an `UpsertMultiple`.
#[derive(Debug, Clone)]
pub struct UpsertRow {
    /// The record's id.
    pub id: Uuid,
    /// Its columns.
    pub values: LeadRecord,
}

impl DataverseClient {
    /// Who the application is in the organization.
    ///
    /// # Errors
    /// As the organization.
    pub async fn who_am_i(&self) -> Result<WhoAmI, DataverseError> {
        let received = self.call(&Call::get(self.address_of("WhoAmI"))).await?;
        received.json()
    }

    /// The names of the privileges that a user has through all roles; `None` where the organization does not name them.
    ///
    /// # Errors
    /// As the organization.
    pub async fn privileges(&self, user_id: &str) -> Result<Option<Vec<String>>, DataverseError> {
        let id = Uuid::try_parse(user_id)
            .map_err(|_| DataverseError::unexpected("a user id that is none"))?;
        let path = format!("systemusers({id})/Microsoft.Dynamics.CRM.RetrieveUserPrivileges()");
        let received = self.call(&Call::get(self.address_of(&path))).await?;
        let told: UserPrivileges = received.json()?;
        let has_any = !told.role_privileges.is_empty();
        let names: Vec<String> = told
            .role_privileges
            .into_iter()
            .filter_map(|privilege| privilege.privilege_name)
            .collect();
        Ok((!names.is_empty() || !has_any).then_some(names))
    }

    /// One lead.
    ///
    /// # Errors
    /// `RecordNotFound`, or as the organization.
    pub async fn lead(&self, id: Uuid, columns: &[String]) -> Result<LeadRecord, DataverseError> {
        let path = format!("leads({id})?$select={}", selection(columns)?);
        let received = self.call(&Call::get(self.address_of(&path))).await?;
        received.json()
    }

    /// One page of the leads that a query finds, and the address of the next one.
    ///
    /// # Errors
    /// As the organization.
    pub async fn leads(
        &self,
        query: &LeadQuery,
    ) -> Result<(Vec<LeadRecord>, Option<String>), DataverseError> {
        let mut path = format!("leads?$select={}", selection(&query.columns)?);
        if let Some(filter) = &query.filter {
            path.push_str(&format!("&$filter={}", encoded(filter)));
        }
        if let Some(order) = &query.order {
            path.push_str(&format!("&$orderby={}", encoded(order)));
        }
        self.page(self.address_of(&path), query.page_size).await
    }

    /// The page that a `next_link` of [`DataverseClient::leads`] names.
    ///
    /// # Errors
    /// `UnexpectedAnswer` when the link leads elsewhere, or as the organization.
    pub async fn more_leads(
        &self,
        next_link: &str,
        page_size: Option<u32>,
    ) -> Result<(Vec<LeadRecord>, Option<String>), DataverseError> {
        // The token goes to the organization only, whatever a link says.
        if !next_link.starts_with(&self.address_of("leads?")) {
            return Err(DataverseError::unexpected("a next page that is elsewhere"));
        }
        self.page(next_link.to_owned(), page_size).await
    }

    async fn page(
        &self,
        url: String,
        page_size: Option<u32>,
    ) -> Result<(Vec<LeadRecord>, Option<String>), DataverseError> {
        let received = self
            .call(&Call {
                prefer: page_size.map(|size| format!("odata.maxpagesize={size}")),
                ..Call::get(url)
            })
            .await?;
        let page: Collection<LeadRecord> = received.json()?;
        Ok((page.value, page.next_link))
    }

    /// Writes one lead under the id that we gave it. A repeat is harmless.
    ///
    /// # Errors
    /// `Duplicate` (there is one, and `Absent` was asked), `RecordNotFound` (`Present`, `Unchanged`), `Changed` (`Unchanged`),
    /// or as the organization.
    pub async fn write_lead(
        &self,
        id: Uuid,
        values: &LeadRecord,
        condition: &Condition,
    ) -> Result<(), DataverseError> {
        let body = Value::Object(values.clone());
        let call = Call {
            condition: match condition {
                Condition::Always => None,
                Condition::Absent => Some((IF_NONE_MATCH, "*".to_owned())),
                Condition::Present => Some((IF_MATCH, "*".to_owned())),
                Condition::Unchanged(etag) => Some((IF_MATCH, etag.clone())),
            },
            ..Call::send(
                Method::PATCH,
                self.address_of(&format!("leads({id})")),
                &body,
            )
        };
        match self.call(&call).await {
            Ok(_) => Ok(()),
            // Without a code, a refused `If-None-Match: *` can only mean that the record is there.
            Err(DataverseError::Changed(refusal)) if *condition == Condition::Absent => {
                Err(DataverseError::Duplicate(refusal))
            }
            Err(error) => Err(error),
        }
    }

    /// Writes many leads in one request: all of them or none.
    ///
    /// # Errors
    /// That of the first bad row, `NotFound` or `Invalid` where the organization does not have the message.
    pub async fn upsert_leads(&self, rows: &[UpsertRow]) -> Result<(), DataverseError> {
        let targets: Vec<Value> = rows
            .iter()
            .map(|row| {
                let mut target = row.values.clone();
                target.insert(
                    "@odata.type".to_owned(),
                    json!("Microsoft.Dynamics.CRM.lead"),
                );
                target.insert("@odata.id".to_owned(), json!(format!("leads({})", row.id)));
                Value::Object(target)
            })
            .collect();
        let body = json!({ "Targets": targets });
        let url = self.address_of("leads/Microsoft.Dynamics.CRM.UpsertMultiple");
        self.call(&Call::send(Method::POST, url, &body)).await?;
        Ok(())
    }
}

/// The value of `$select`: names of columns only.
fn selection(columns: &[String]) -> Result<String, DataverseError> {
    if columns.iter().any(|column| !is_column(column)) {
        return Err(DataverseError::configuration(
            "the name of a column holds characters that no column has",
        ));
    }
    if columns.is_empty() {
        return Ok("leadid".to_owned());
    }
    Ok(columns.join(","))
}
