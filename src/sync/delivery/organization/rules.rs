//! What Administrators decided and what the organization's lead table is like, read once a batch.

use std::collections::HashMap;

use chrono::TimeDelta;

use super::super::super::SyncContext;
use crate::dataverse::{DataverseClient, DataverseError};
use crate::domain::column_mapping::{ColumnMapping, ColumnRule, LeadPart, policies};
use crate::domain::field_mapping::WritePolicy;
use crate::domain::ids::OrganizationId;
use crate::domain::lead::FieldKey;
use crate::domain::lead_column::{LeadColumn, LeadColumnKind};
use crate::domain::matching::{MatchingSettings, MatchingStrategy};
use crate::store::{self, StoreError, dataverse_organizations};
use crate::sync::organizations::lead_column;

/// How long the organization's columns are believed.
const COLUMNS_HOLD: TimeDelta = TimeDelta::hours(24);

pub(super) struct Rules {
    pub(super) settings: MatchingSettings,
    pub(super) strategy: Option<MatchingStrategy>,
    pub(super) mapping: ColumnMapping,
    policies: HashMap<FieldKey, WritePolicy>,
    columns: HashMap<String, LeadColumn>,
}

impl Rules {
    /// Reads them; the columns from the organization where they are not known or too old.
    pub(super) async fn load(
        ctx: &SyncContext,
        id: &OrganizationId,
        client: &DataverseClient,
    ) -> Result<Result<Self, DataverseError>, StoreError> {
        let organization = id.clone();
        let (mut rules, columns, read_at) = ctx
            .store
            .read(move |conn| {
                let rules = Self {
                    settings: store::integration_settings::get(conn)?.matching,
                    strategy: match store::matching_strategies::active(conn) {
                        Ok(strategy) => Some(strategy),
                        Err(StoreError::NotFound(_)) => None,
                        Err(error) => return Err(error),
                    },
                    mapping: dataverse_organizations::column_mapping(conn, &organization)?,
                    policies: policies(&store::field_mappings::list(conn)?),
                    columns: HashMap::new(),
                };
                let columns = dataverse_organizations::lead_columns(conn, &organization)?;
                let read_at = dataverse_organizations::get(conn, &organization)?.columns_read_at;
                Ok((rules, columns, read_at))
            })
            .await?;
        let now = ctx.clock.now();
        let is_fresh = read_at.is_some_and(|at| now - at < COLUMNS_HOLD) && !columns.is_empty();
        let columns = if is_fresh {
            columns
        } else {
            match client.lead_columns().await {
                Ok(read) => {
                    let read: Vec<LeadColumn> = read.into_iter().map(lead_column).collect();
                    let (organization, kept) = (id.clone(), read.clone());
                    ctx.store
                        .write(move |conn| {
                            dataverse_organizations::record_columns(conn, &organization, &kept, now)
                        })
                        .await?;
                    read
                }
                Err(error) if columns.is_empty() => return Ok(Err(error)),
                // Yesterday's columns are better than no delivery.
                Err(_) => columns,
            }
        };
        rules.columns = columns
            .into_iter()
            .map(|column| (column.name.clone(), column))
            .collect();
        Ok(Ok(rules))
    }

    pub(super) fn column(&self, name: &str) -> Option<&LeadColumn> {
        self.columns.get(name)
    }

    /// The longest text that a column takes.
    pub(super) fn max_length(&self, name: &str) -> Option<u32> {
        match self.column(name)?.kind {
            LeadColumnKind::Text { max_length } => max_length,
            _ => None,
        }
    }

    pub(super) fn policy(&self, rule: &ColumnRule) -> WritePolicy {
        match &rule.part {
            LeadPart::Field(field) => self
                .policies
                .get(field)
                .copied()
                .unwrap_or(WritePolicy::Overwrite),
            LeadPart::Topic => WritePolicy::Overwrite,
            // Where a lead came from first stays.
            LeadPart::Source => WritePolicy::FillIfEmpty,
        }
    }

    /// The columns that are written, as far as the organization has them.
    pub(super) fn mapped_columns(&self) -> Vec<String> {
        self.mapping
            .rules
            .iter()
            .map(|rule| rule.column.clone())
            .filter(|column| self.columns.contains_key(column))
            .collect()
    }

    /// The column of a field of the strategy, if it can be compared there.
    pub(super) fn compared_column(&self, field: &FieldKey) -> Option<&str> {
        let rule = self.mapping.of_field(field)?;
        let column = self.column(&rule.column)?;
        matches!(column.kind, LeadColumnKind::Text { .. }).then_some(column.name.as_str())
    }
}
