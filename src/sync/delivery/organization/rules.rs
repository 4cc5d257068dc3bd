//! What Administrators decided and what the organization's lead table is like, read once a batch.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::super::super::SyncContext;
use crate::dataverse::{DataverseClient, DataverseError, Qualification};
use crate::domain::column_mapping::{ColumnMapping, ColumnRule, LeadPart, policies};
use crate::domain::field_mapping::WritePolicy;
use crate::domain::ids::OrganizationId;
use crate::domain::lead::FieldKey;
use crate::domain::lead_column::{LeadColumn, LeadColumnKind};
use crate::domain::matching::{MatchingSettings, MatchingStrategy};
use crate::domain::organization::QualifiedRecord;
use crate::store::{self, StoreError, dataverse_columns, dataverse_organizations};
use crate::sync::organizations::lead_column;

/// How long the organization's columns are believed.
const COLUMNS_HOLD: TimeDelta = TimeDelta::hours(24);
/// How soon after a reading they are not read again, whatever the organization refuses.
const RELOAD: TimeDelta = TimeDelta::minutes(1);

pub(super) struct Rules {
    pub(super) settings: MatchingSettings,
    pub(super) strategy: Option<MatchingStrategy>,
    pub(super) mapping: ColumnMapping,
    /// What becomes of a lead that is qualified.
    pub(super) qualification: Qualification,
    policies: HashMap<FieldKey, WritePolicy>,
    columns: Columns,
    columns_read_at: Option<DateTime<Utc>>,
}

/// The columns of the lead table, by name.
type Columns = HashMap<String, LeadColumn>;

fn by_name(columns: Vec<LeadColumn>) -> Columns {
    columns
        .into_iter()
        .map(|column| (column.name.clone(), column))
        .collect()
}

/// Reads the columns from the organization, and keeps them.
async fn read_columns(
    ctx: &SyncContext,
    id: &OrganizationId,
    client: &DataverseClient,
) -> Result<Result<Columns, DataverseError>, StoreError> {
    let columns: Vec<LeadColumn> = match client.lead_columns().await {
        Ok(read) => read.into_iter().map(lead_column).collect(),
        Err(error) => return Ok(Err(error)),
    };
    let (organization, kept, now) = (id.clone(), columns.clone(), ctx.clock.now());
    ctx.store
        .write(move |conn| dataverse_columns::record(conn, &organization, &kept, now))
        .await?;
    Ok(Ok(by_name(columns)))
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
                let known = dataverse_organizations::get(conn, &organization)?;
                let makes = |record| known.qualification.contains(&record);
                let rules = Self {
                    qualification: Qualification {
                        account: makes(QualifiedRecord::Account),
                        contact: makes(QualifiedRecord::Contact),
                        opportunity: makes(QualifiedRecord::Opportunity),
                    },
                    settings: store::integration_settings::get(conn)?.matching,
                    strategy: match store::matching_strategies::active(conn) {
                        Ok(strategy) => Some(strategy),
                        Err(StoreError::NotFound(_)) => None,
                        Err(error) => return Err(error),
                    },
                    mapping: dataverse_columns::mapping(conn, &organization)?,
                    policies: policies(&store::field_mappings::list(conn)?),
                    columns: HashMap::new(),
                    columns_read_at: None,
                };
                let columns = dataverse_columns::of(conn, &organization)?;
                Ok((rules, columns, known.columns_read_at))
            })
            .await?;
        let is_fresh = read_at.is_some_and(|at| ctx.clock.now() - at < COLUMNS_HOLD);
        rules.columns_read_at = read_at;
        rules.columns = by_name(columns);
        if is_fresh && !rules.columns.is_empty() {
            return Ok(Ok(rules));
        }
        match read_columns(ctx, id, client).await? {
            Ok(columns) => {
                rules.columns_read_at = Some(ctx.clock.now());
                rules.columns = columns;
            }
            Err(error) if rules.columns.is_empty() => return Ok(Err(error)),
            // Yesterday's columns are better than no delivery.
            Err(_) => {}
        }
        Ok(Ok(rules))
    }

    /// Reads the organization's columns again, unless that was done a moment ago; answers whether they are others now.
    pub(super) async fn reload(
        &mut self,
        ctx: &SyncContext,
        id: &OrganizationId,
        client: &DataverseClient,
    ) -> Result<bool, StoreError> {
        let now = ctx.clock.now();
        if self.columns_read_at.is_some_and(|at| now - at < RELOAD) {
            return Ok(false);
        }
        self.columns_read_at = Some(now);
        let Ok(columns) = read_columns(ctx, id, client).await? else {
            return Ok(false);
        };
        let changed = columns != self.columns;
        self.columns = columns;
        Ok(changed)
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
            LeadPart::Id | LeadPart::Topic => WritePolicy::Overwrite,
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

    /// The column that holds the lead's id here, if there is one.
    pub(super) fn id_column(&self) -> Option<&str> {
        let rule = self.mapping.of(&LeadPart::Id)?;
        Some(self.column(&rule.column)?.name.as_str())
    }

    /// The column of a field of the strategy, if it can be compared there.
    pub(super) fn compared_column(&self, field: &FieldKey) -> Option<&str> {
        let rule = self.mapping.of_field(field)?;
        let column = self.column(&rule.column)?;
        matches!(column.kind, LeadColumnKind::Text { .. }).then_some(column.name.as_str())
    }
}
