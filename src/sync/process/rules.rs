//! What Administrators decided, read once a batch.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::domain::assignment::{AssignmentFacts, AssignmentRule, OwnerReason, choose_owner};
use crate::domain::field_mapping::MappingSet;
use crate::domain::ids::{AccountId, MappingId, UserId};
use crate::domain::lead::{FieldKey, Lead};
use crate::domain::matching::{MatchingSettings, MatchingStrategy};
use crate::store::{self, AnyConn, StoreError};

pub(super) struct Rules {
    pub(super) settings: MatchingSettings,
    pub(super) strategy: Option<MatchingStrategy>,
    pub(super) mappings: MappingSet,
    pub(super) mapping_names: HashMap<MappingId, String>,
    pub(super) targets: BTreeSet<FieldKey>,
    pub(super) fallback_owner: UserId,
    assignment: Vec<AssignmentRule>,
    account_default: Option<UserId>,
    enabled: HashSet<UserId>,
}

impl Rules {
    pub(super) fn load(conn: &mut AnyConn, account: &AccountId) -> Result<Self, StoreError> {
        let settings = store::integration_settings::get(conn)?;
        let mapping_list = store::field_mappings::list(conn)?;
        let mapping_names = mapping_list
            .iter()
            .map(|mapping| (mapping.id.clone(), mapping.name.clone()))
            .collect();
        let mappings =
            MappingSet::new(mapping_list).with_custom_fields(store::custom_fields::list(conn)?);
        let owners = store::owners::load(conn, account)?;
        let fallback_owner = settings
            .fallback_owner_id
            .filter(|owner| owners.enabled.contains(owner))
            .or(owners.oldest_administrator)
            .ok_or_else(|| {
                StoreError::Rule("no Administrator is enabled, and no lead may be ownerless".into())
            })?;
        Ok(Self {
            settings: settings.matching,
            strategy: match store::matching_strategies::active(conn) {
                Ok(strategy) => Some(strategy),
                Err(StoreError::NotFound(_)) => None,
                Err(error) => return Err(error),
            },
            targets: mappings.targets(),
            mappings,
            mapping_names,
            fallback_owner,
            assignment: store::assignment_rules::list(conn)?,
            account_default: owners.account_default,
            enabled: owners.enabled,
        })
    }

    /// The owner of a new lead and why.
    pub(super) fn owner(&self, lead: &Lead, country: Option<&str>) -> (UserId, OwnerReason) {
        let facts = AssignmentFacts {
            account_id: lead.account_id.as_ref(),
            form_id: lead.form_id.as_ref(),
            campaign_id: lead.campaign_id.as_ref(),
            values: &lead.values,
            country,
        };
        choose_owner(
            &self.assignment,
            &facts,
            self.account_default.clone(),
            self.fallback_owner.clone(),
            &|user| self.enabled.contains(user),
        )
    }
}
