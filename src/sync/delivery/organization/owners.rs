//! Gives records the owner that their lead has here: where the organization has a user with the same e-mail address, and lets the
//! application give leads to others. Where it does not, the record's owner stays who it is.

use std::collections::{HashMap, HashSet};

use serde_json::Value;
use uuid::Uuid;

use super::record::Plan;
use super::{Batch, Job};
use crate::dataverse::{DataverseError, LeadRecord};
use crate::domain::ids::UserId;
use crate::domain::users::check_email;
use crate::store::StoreError;
use crate::store::organization_leads::LinkState;
use crate::store::record_changes;

/// What is needed to give a lead to somebody.
const PRIVILEGE: &str = "prvAssignLead";
/// How a lead names its owner.
const BIND: &str = "ownerid@odata.bind";

/// Whether somebody changed the owner here, or the record may have to be made.
fn may_want(job: &Job) -> bool {
    match &job.known {
        Some(known) => known.sent_owner_id.as_ref() != Some(&job.lead.owner_id),
        None => job.link.state != LinkState::Linked,
    }
}

impl Batch<'_> {
    /// Finds out who there the owners of these leads are. Not to be allowed to is no trouble.
    pub(super) async fn find_owners(&mut self, jobs: &[Job]) -> Result<(), StoreError> {
        let wanted: HashSet<UserId> = jobs
            .iter()
            .filter(|job| may_want(job))
            .map(|job| job.lead.owner_id.clone())
            .collect();
        if wanted.is_empty() {
            return Ok(());
        }
        let wanted: Vec<UserId> = wanted.into_iter().collect();
        let addresses = self
            .ctx
            .store
            .read(move |conn| record_changes::addresses(conn, &wanted))
            .await?;
        match self.owners_at(&addresses).await {
            Ok(owners) => self.owners = owners,
            Err(DataverseError::MissingPrivilege { .. } | DataverseError::NotFound(_)) => {}
            Err(error) => self.trouble(&error),
        }
        Ok(())
    }

    async fn owners_at(
        &mut self,
        addresses: &HashMap<String, UserId>,
    ) -> Result<HashMap<UserId, Uuid>, DataverseError> {
        if !self.can_assign().await? {
            return Ok(HashMap::new());
        }
        let keys: Vec<String> = addresses.keys().cloned().collect();
        let mut owners = HashMap::new();
        for user in self.client.users_by_email(&keys).await? {
            if user.is_disabled {
                continue;
            }
            let own = [user.email, user.sign_in_name].into_iter().flatten();
            let found = own
                .filter_map(|address| addresses.get(&check_email(&address).ok()?))
                .next();
            if let Some(found) = found {
                owners.entry(found.clone()).or_insert(user.id);
            }
        }
        Ok(owners)
    }

    /// Whether the application may give leads to others; asked once.
    async fn can_assign(&mut self) -> Result<bool, DataverseError> {
        if let Some(known) = self.pace.can_assign {
            return Ok(known);
        }
        let me = self.client.who_am_i().await?;
        let held = self.client.privileges(&me.user_id).await?;
        // Older organizations do not name privileges: then owners are left to people there.
        let can = held
            .into_iter()
            .flatten()
            .any(|name| name.eq_ignore_ascii_case(PRIVILEGE));
        self.pace.can_assign = Some(can);
        Ok(can)
    }

    /// Gives a record that is made the owner of its lead.
    pub(super) fn own_new(&self, job: &Job, plan: &mut Plan) {
        self.own(job, plan);
    }

    /// Gives a record that is there the owner of its lead, if somebody changed the owner here and nobody did there.
    pub(super) fn own_known(&self, job: &Job, there: &LeadRecord, plan: &mut Plan) {
        let Some(known) = &job.known else {
            return;
        };
        let owner_there = there
            .get("_ownerid_value")
            .and_then(Value::as_str)
            .and_then(|id| Uuid::try_parse(id).ok());
        let is_changed_there = known.owner_id.is_some() && owner_there != known.owner_id;
        if may_want(job) && !is_changed_there {
            self.own(job, plan);
        }
    }

    /// After a refusal: whether there is an owner without whom the rest can be tried once more. A person who is there and may
    /// not have leads must not cost one.
    pub(super) fn disown(plan: &mut Plan) -> bool {
        let has_rest = plan.body.len() > 1 || plan.status.is_some();
        if plan.owner.is_none() || !has_rest {
            return false;
        }
        plan.owner = None;
        plan.body.remove(BIND);
        plan.is_owner_refused = true;
        true
    }

    fn own(&self, job: &Job, plan: &mut Plan) {
        if let Some(id) = self.owners.get(&job.lead.owner_id) {
            plan.owner = Some(*id);
            let bind = Value::from(format!("/systemusers({id})"));
            plan.body.insert(BIND.to_owned(), bind);
        }
    }
}
