//! The rules by which submissions become leads, to read: field mappings and matching strategies.
//!
//! There are never more of them than one answer holds, so their lists come whole; `next_cursor` is always null.

use actix_web::HttpRequest;
use actix_web::web::Data;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::document::{self, Described, Group};
use super::input::{self, Id, Parameters};
use super::{ApiAnswer, output};
use crate::domain::field_mapping::{FieldMapping, SourceKind, Transform, WritePolicy};
use crate::domain::ids::{FormId, MappingId, StrategyId};
use crate::domain::lead::FieldKey;
use crate::domain::matching::MatchingStrategy;
use crate::store::{StoreError, field_mappings, matching_strategies};
use crate::web::Portal;

/// Where a mapped value comes from.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MappingSource)]
pub struct SourceBody {
    kind: SourceKind,
    /// LinkedIn's word, the question, the hidden field's name or the constant; null for the names of campaign, form and
    /// account.
    key: Option<String>,
}

/// A field mapping: which part of a submission goes to which lead field.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FieldMapping)]
pub struct MappingBody {
    id: MappingId,
    name: String,
    /// The form whose override this is; null for the whole organisation.
    form_id: Option<FormId>,
    source: SourceBody,
    /// The lead field that it writes to.
    target: FieldKey,
    policy: WritePolicy,
    /// What is done to the value on the way, each step with its `type`: `trim`, `upper`, `lower`, `title_case`, `join`,
    /// `split`, `default` or `value_map`.
    #[schema(value_type = Vec<Object>)]
    transforms: Vec<Transform>,
    /// Mappings run by ascending position.
    position: i64,
}

impl From<FieldMapping> for MappingBody {
    fn from(mapping: FieldMapping) -> Self {
        Self {
            id: mapping.id,
            name: mapping.name,
            form_id: mapping.form_id,
            source: SourceBody {
                kind: mapping.source.kind(),
                key: Some(mapping.source.key()).filter(|key| !key.is_empty()),
            },
            target: mapping.target,
            policy: mapping.policy,
            transforms: mapping.transforms,
            position: mapping.position,
        }
    }
}

/// The filters of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct MappingsParameters {
    /// Only the overrides of this form.
    form: Option<FormId>,
    /// Only those that write to this lead field.
    target: Option<FieldKey>,
}

/// GET /field-mappings, in the document.
pub fn describe_mappings() -> Described {
    Described::new(Group::Rules, "listFieldMappings", "List field mappings")
        .about("The list comes whole: `next_cursor` is always null.")
        .filters::<MappingsParameters>()
        .sends_list::<MappingBody>(&document::mapping())
}

/// GET /field-mappings
///
/// # Errors
/// `BadParameter`, or as the database.
pub async fn mappings(
    portal: Data<Portal>,
    Parameters(asked): Parameters<MappingsParameters>,
) -> ApiAnswer {
    let mappings = portal.store.read(field_mappings::list).await?;
    let rows = mappings
        .into_iter()
        .filter(|mapping| asked.form.is_none() || mapping.form_id == asked.form)
        .filter(|mapping| {
            asked
                .target
                .as_ref()
                .is_none_or(|field| mapping.target == *field)
        })
        .map(MappingBody::from)
        .collect();
    Ok(output::list(rows, None))
}

/// GET /field-mappings/{id}, in the document.
pub fn describe_mapping() -> Described {
    Described::new(Group::Rules, "getFieldMapping", "Get a field mapping")
        .record::<MappingId>()
        .sends::<MappingBody>(200, "The mapping.", document::mapping())
        .versioned()
}

/// GET /field-mappings/{id}
///
/// # Errors
/// `NotFound`, or as the database.
pub async fn mapping(
    request: HttpRequest,
    portal: Data<Portal>,
    Id(id): Id<MappingId>,
) -> ApiAnswer {
    let stored = portal
        .store
        .read(move |conn| {
            field_mappings::find(conn, &id)?.ok_or(StoreError::NotFound("field mapping"))
        })
        .await?;
    let version = stored.lock_version;
    if input::is_known(&request, version) {
        return Ok(output::not_modified(version));
    }
    Ok(output::versioned(
        &MappingBody::from(stored.mapping),
        version,
    ))
}

/// A matching strategy: which fields are compared to find the lead that a submission belongs to. All of them must match.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MatchingStrategy)]
pub struct StrategyBody {
    id: StrategyId,
    name: String,
    /// Never empty.
    fields: Vec<FieldKey>,
    /// Whether it is the one in force; exactly one is.
    is_active: bool,
}

impl From<MatchingStrategy> for StrategyBody {
    fn from(strategy: MatchingStrategy) -> Self {
        Self {
            id: strategy.id,
            name: strategy.name,
            fields: strategy.fields,
            is_active: strategy.is_active,
        }
    }
}

/// The list has no filters.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct NoParameters {}

/// GET /matching-strategies, in the document.
pub fn describe_strategies() -> Described {
    Described::new(
        Group::Rules,
        "listMatchingStrategies",
        "List matching strategies",
    )
    .about("The list comes whole: `next_cursor` is always null.")
    .filters::<NoParameters>()
    .sends_list::<StrategyBody>(&document::strategy())
}

/// GET /matching-strategies
///
/// # Errors
/// `BadParameter`, or as the database.
pub async fn strategies(portal: Data<Portal>, _: Parameters<NoParameters>) -> ApiAnswer {
    let strategies = portal.store.read(matching_strategies::list).await?;
    let rows = strategies.into_iter().map(StrategyBody::from).collect();
    Ok(output::list(rows, None))
}

/// GET /matching-strategies/{id}, in the document.
pub fn describe_strategy() -> Described {
    Described::new(
        Group::Rules,
        "getMatchingStrategy",
        "Get a matching strategy",
    )
    .record::<StrategyId>()
    .sends::<StrategyBody>(200, "The strategy.", document::strategy())
    .versioned()
}

/// GET /matching-strategies/{id}
///
/// # Errors
/// `NotFound`, or as the database.
pub async fn strategy(
    request: HttpRequest,
    portal: Data<Portal>,
    Id(id): Id<StrategyId>,
) -> ApiAnswer {
    let (strategy, version) = portal
        .store
        .read(move |conn| {
            let strategy = matching_strategies::get(conn, &id)?;
            let version = matching_strategies::lock_version(conn, &id)?;
            Ok::<_, StoreError>((strategy, version))
        })
        .await?;
    if input::is_known(&request, version) {
        return Ok(output::not_modified(version));
    }
    Ok(output::versioned(&StrategyBody::from(strategy), version))
}
