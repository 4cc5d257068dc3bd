//! Writes what changed here onto records that are there: each is read first, so that closed leads, write policies and other
//! people's changes are respected, and written only if nobody changed it in between.

use std::collections::HashMap;

use futures_util::future::join_all;
use serde_json::Value;
use uuid::Uuid;

use super::failure::{self, Failure};
use super::record::{self, Plan};
use super::{Batch, Job, successor};
use crate::dataverse::{Condition, DataverseError, LeadQuery, LeadRecord};
use crate::domain::delivery::DeliveryFailure as Reason;
use crate::domain::dynamics_status::{RecordStatus, goes_out};
use crate::domain::ids::OrganizationId;
use crate::domain::lead::LeadStatus;
use crate::domain::matching::ClosedLead;
use crate::store::StoreError;
use crate::store::organization_leads::LinkState;

/// Records that are read in one request.
const READ_AT_ONCE: usize = 50;
/// Times that a record is read again because somebody was quicker.
const TRIES: usize = 3;

/// What is to be done with a record.
enum Step {
    /// Nothing of the lead changed.
    Same(Plan),
    /// The record is closed and stays as it is.
    Closed,
    /// The record is closed, and what changed becomes a new one.
    Follow,
    /// Write this, if the record is still as it was read.
    Write(Plan, String),
}

/// What became of a write.
enum Written {
    Done(Plan),
    /// The columns were written, and the organization did not qualify the record.
    Unqualified(Plan, DataverseError),
    Same(Plan),
    Closed,
    Follow,
    Deleted,
    Conflict,
    Refused(DataverseError),
}

impl Batch<'_> {
    /// Updates the records; answers those leads that become a new record because theirs is closed.
    pub(super) async fn update_all(&mut self, jobs: Vec<Job>) -> Result<Vec<Job>, StoreError> {
        let mut follow = Vec::new();
        let mut left = jobs;
        while !left.is_empty() {
            if self.is_over() {
                self.untried(left);
                break;
            }
            let rest = left.split_off(READ_AT_ONCE.min(left.len()));
            let mut read = self.read(&left).await;
            if matches!(read, Err(DataverseError::Invalid(_))) && self.columns_changed().await? {
                read = self.read(&left).await;
            }
            match read {
                Ok(records) => follow.extend(self.write_all(left, records).await?),
                Err(error) => {
                    self.trouble(&error);
                    self.untried(left);
                }
            }
            left = rest;
        }
        Ok(follow)
    }

    /// The columns that are looked at before a write.
    fn looked_at(&self) -> Vec<String> {
        let mut columns = self.rules.mapped_columns();
        columns.extend(["statecode", "statuscode", "_ownerid_value"].map(str::to_owned));
        columns
    }

    async fn read(&self, jobs: &[Job]) -> Result<HashMap<Uuid, LeadRecord>, DataverseError> {
        let clauses: Vec<String> = jobs
            .iter()
            .filter_map(|job| job.link.record_id)
            .map(|id| format!("leadid eq {id}"))
            .collect();
        let question = LeadQuery {
            columns: self.looked_at(),
            filter: Some(clauses.join(" or ")),
            ..LeadQuery::default()
        };
        let (records, _) = self.client.leads(&question).await?;
        Ok(records
            .into_iter()
            .filter_map(|record| {
                let id = record.get("leadid").and_then(Value::as_str)?;
                Some((Uuid::try_parse(id).ok()?, record))
            })
            .collect())
    }

    async fn write_all(
        &mut self,
        jobs: Vec<Job>,
        mut records: HashMap<Uuid, LeadRecord>,
    ) -> Result<Vec<Job>, StoreError> {
        let mut follow = Vec::new();
        let mut left = jobs;
        while !left.is_empty() {
            if self.is_over() {
                self.untried(left);
                break;
            }
            let rest = left.split_off(self.pace.at_once.min(left.len()));
            let pairs: Vec<(Job, Option<LeadRecord>)> = left
                .into_iter()
                .map(|job| {
                    let record = job.link.record_id.and_then(|id| records.remove(&id));
                    (job, record)
                })
                .collect();
            let this = &*self;
            let answers = join_all(pairs.into_iter().map(|(job, record)| async move {
                let written = this.write(&job, record).await;
                (job, written)
            }))
            .await;
            for (job, written) in answers {
                // Next time it is written to the columns that are there.
                if matches!(written, Written::Refused(DataverseError::Invalid(_)))
                    && self.columns_changed().await?
                {
                    self.untried([job]);
                    continue;
                }
                follow.extend(self.settle(job, written).await);
            }
            left = rest;
        }
        Ok(follow)
    }

    async fn write(&self, job: &Job, record: Option<LeadRecord>) -> Written {
        let Some(id) = job.link.record_id else {
            return Written::Deleted;
        };
        let mut record = match record {
            Some(record) => record,
            // Not to be seen among others is not yet to be gone.
            None => match self.client.lead(id, &self.looked_at()).await {
                Ok(record) => record,
                Err(DataverseError::RecordNotFound(_)) => return Written::Deleted,
                Err(error) => return Written::Refused(error),
            },
        };
        for _ in 0..TRIES {
            let (mut plan, etag) = match self.step(job, &record, self.organization) {
                Step::Same(plan) => return Written::Same(plan),
                Step::Closed => return Written::Closed,
                Step::Follow => return Written::Follow,
                Step::Write(plan, etag) => (plan, etag),
            };
            let condition = Condition::Unchanged(etag);
            let mut written = self.write_columns(id, &plan, &condition).await;
            if matches!(written, Err(DataverseError::MissingPrivilege { .. }))
                && Self::disown(&mut plan)
            {
                written = self.write_columns(id, &plan, &condition).await;
            }
            match written {
                Ok(()) => return self.qualified(id, plan).await,
                Err(DataverseError::Changed(_)) => {
                    match self.client.lead(id, &self.looked_at()).await {
                        Ok(read) => record = read,
                        Err(DataverseError::RecordNotFound(_)) => return Written::Deleted,
                        Err(error) => return Written::Refused(error),
                    }
                }
                Err(DataverseError::RecordNotFound(_)) => return Written::Deleted,
                Err(error) => return Written::Refused(error),
            }
        }
        Written::Conflict
    }

    async fn write_columns(
        &self,
        id: Uuid,
        plan: &Plan,
        condition: &Condition,
    ) -> Result<(), DataverseError> {
        if plan.body.is_empty() {
            return Ok(());
        }
        self.client.write_lead(id, &plan.body, condition).await
    }

    /// Qualifies the record where that is wanted; its columns are written already.
    async fn qualified(&self, id: Uuid, plan: Plan) -> Written {
        if plan.status != Some(LeadStatus::Qualified) {
            return Written::Done(plan);
        }
        let qualification = self.rules.qualification;
        match self.client.qualify_lead(id, qualification).await {
            Ok(()) => Written::Done(plan),
            Err(DataverseError::RecordNotFound(_)) => Written::Deleted,
            // An answer that was lost: the record is qualified already.
            Err(DataverseError::Invalid(_)) if self.is_qualified(id).await => Written::Done(plan),
            Err(error) => Written::Unqualified(plan, error),
        }
    }

    async fn is_qualified(&self, id: Uuid) -> bool {
        let columns = ["statecode", "statuscode"].map(str::to_owned);
        let record = self.client.lead(id, &columns).await;
        record.is_ok_and(|record| record::status(&record) == LeadStatus::Qualified)
    }

    fn step(&self, job: &Job, there: &LeadRecord, organization: &OrganizationId) -> Step {
        let mut plan = record::plan(job, &self.rules, organization, there);
        let known = job.known.as_ref().map(|state| state.status);
        plan.status = goes_out(known, record::record_status(there), job.lead.status);
        let is_closed = record::status(there).is_closed();
        self.own_known(job, there, &mut plan);
        if let Some(status) = plan.status {
            // An act of a person here, which the rules for submissions to closed leads are not about.
            match status {
                LeadStatus::Qualified if is_closed => record::reopen(&mut plan.body),
                // By the action of its own, after the columns.
                LeadStatus::Qualified => {}
                status => record::set_status(&mut plan.body, status),
            }
        } else if is_closed && job.lead.status.is_closed() {
            // Closed on both sides: what is corrected here neither opens it there nor makes another one.
            return Step::Closed;
        } else if is_closed {
            match self.rules.settings.closed_lead {
                ClosedLead::AttachOnly => return Step::Closed,
                ClosedLead::CreateNew if plan.body.is_empty() => return Step::Same(plan),
                ClosedLead::CreateNew => return Step::Follow,
                ClosedLead::Reopen if plan.body.is_empty() => return Step::Same(plan),
                ClosedLead::Reopen => record::reopen(&mut plan.body),
            }
        }
        if plan.body.is_empty() && plan.status.is_none() {
            return Step::Same(plan);
        }
        let etag = there.get("@odata.etag").and_then(Value::as_str);
        Step::Write(plan, etag.unwrap_or("*").to_owned())
    }

    /// Notes what became of a write; gives back a lead that becomes a new record.
    async fn settle(&mut self, mut job: Job, written: Written) -> Option<Job> {
        let keep = |job: &mut Job, plan: Plan| {
            job.link.sent = plan.sent;
            job.link.misfits = plan.misfits;
        };
        match written {
            Written::Done(plan) => {
                if plan.status.is_some() || plan.owner.is_some() || plan.is_owner_refused {
                    self.note(&job, plan.status.map(RecordStatus::of), &plan);
                }
                let note = if plan.is_owner_refused {
                    "Updated. The organization refused the owner."
                } else {
                    "Updated."
                };
                keep(&mut job, plan);
                self.went_through();
                self.delivered(job, Some(204), Some(note));
            }
            Written::Unqualified(plan, error) => {
                // It may have been reopened for it.
                let status = plan
                    .body
                    .contains_key("statecode")
                    .then_some(RecordStatus::NEW);
                if status.is_some() || plan.owner.is_some() || plan.is_owner_refused {
                    self.note(&job, status, &plan);
                }
                keep(&mut job, plan);
                match failure::of(&error) {
                    // The columns are written: it is qualifying alone that is not allowed or not there.
                    failure if matches!(failure.reason, Reason::Forbidden | Reason::NotFound) => {
                        self.failed(job, failure);
                    }
                    _ => self.refused(job, error).await,
                }
            }
            Written::Same(plan) => {
                keep(&mut job, plan);
                self.delivered(job, None, Some("Nothing to change there."));
            }
            Written::Closed => {
                let note = "The lead is closed there and stays as it is.";
                self.delivered(job, None, Some(note));
            }
            Written::Follow => {
                let closed = job.link.record_id.unwrap_or_default();
                job.link.record_id = Some(successor(&job.lead, closed));
                job.link.state = LinkState::Create;
                return Some(job);
            }
            Written::Deleted => {
                job.link.state = LinkState::Deleted;
                job.link.sent.clear();
                self.failed(job, Failure::deleted());
            }
            Written::Conflict => self.failed(job, Failure::conflict()),
            Written::Refused(error) => self.refused(job, error).await,
        }
        None
    }
}
