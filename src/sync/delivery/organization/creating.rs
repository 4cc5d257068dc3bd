//! Makes records: many in one request where the organization allows it, one by one where it does not or where one of them is
//! refused. The id is ours, so that a repetition finds what is there.

use futures_util::future::join_all;
use serde_json::Map;

use super::record::{self, Plan};
use super::{Batch, Job, Privileges, own_record, successor};
use crate::dataverse::{Condition, DataverseError, UpsertRow};
use crate::domain::dynamics_status::RecordStatus;
use crate::domain::lead::LeadStatus;
use crate::store::StoreError;
use crate::store::organization_leads::LinkState;

/// A record that is there under the id that we gave.
const ID_TAKEN: &str = "0x80040237";

impl Batch<'_> {
    /// Makes the records; answers those that are there and have to be updated.
    pub(super) async fn create_all(&mut self, jobs: Vec<Job>) -> Result<Vec<Job>, StoreError> {
        let mut left = jobs;
        let mut there = Vec::new();
        while !left.is_empty() {
            if self.is_over() {
                self.untried(left);
                break;
            }
            let size = if self.pace.has_bulk {
                self.pace.rows
            } else {
                1
            };
            let turn = self.pace.at_once.saturating_mul(size).min(left.len());
            let rest = left.split_off(turn);
            if size > 1 && left.len() > 1 {
                let refused = self.create_together(left, size, &mut there).await;
                if !refused.is_empty() {
                    // Then each is written to the columns that are there.
                    self.columns_changed().await?;
                }
                there.extend(self.create_singly(refused).await?);
            } else {
                there.extend(self.create_singly(left).await?);
            }
            left = rest;
        }
        Ok(there)
    }

    /// Answers those that have to be tried one by one; `there` gets those to be updated.
    async fn create_together(
        &mut self,
        mut jobs: Vec<Job>,
        size: usize,
        there: &mut Vec<Job>,
    ) -> Vec<Job> {
        let mut chunks = Vec::new();
        while !jobs.is_empty() {
            let rest = jobs.split_off(size.min(jobs.len()));
            chunks.push(
                jobs.into_iter()
                    .map(|job| self.planned(job))
                    .collect::<Vec<_>>(),
            );
            jobs = rest;
        }
        let client = &self.client;
        let answers = join_all(chunks.into_iter().map(|chunk| async move {
            let rows: Vec<UpsertRow> = chunk
                .iter()
                .map(|(job, plan)| UpsertRow {
                    id: job.link.record_id.unwrap_or_default(),
                    values: plan.body.clone(),
                })
                .collect();
            let outcome = client.upsert_leads(&rows).await;
            (chunk, outcome)
        }))
        .await;
        let mut refused = Vec::new();
        for (chunk, outcome) in answers {
            match outcome {
                Ok(()) => {
                    for (job, plan) in chunk {
                        there.extend(self.made(job, plan));
                    }
                }
                Err(error) => {
                    let jobs = chunk.into_iter().map(|(job, _)| job);
                    if self.is_about_the_request(&error).await {
                        refused.extend(jobs);
                    } else {
                        // Smaller next time: a large request may be what the service cannot do.
                        self.pace.shrink();
                        self.trouble(&error);
                        self.untried(jobs);
                    }
                }
            }
        }
        refused
    }

    /// Whether the request was refused for one of its rows, or because the organization has no such message.
    async fn is_about_the_request(&mut self, error: &DataverseError) -> bool {
        match error {
            DataverseError::NotFound(_) => {
                self.pace.has_bulk = false;
                true
            }
            DataverseError::Invalid(refusal) => {
                if matches!(refusal.status, 405 | 501) {
                    self.pace.has_bulk = false;
                } else if refusal.status == 413 {
                    self.pace.shrink();
                }
                true
            }
            DataverseError::Server { refusal, .. } if refusal.status == 501 => {
                self.pace.has_bulk = false;
                true
            }
            // A plug-in of the organization may stumble over one row.
            DataverseError::Server { refusal, .. } if refusal.status == 500 => true,
            DataverseError::Duplicate(_)
            | DataverseError::Changed(_)
            | DataverseError::RecordNotFound(_) => true,
            // One of the owners may be somebody who may not have leads.
            DataverseError::MissingPrivilege { .. } => {
                matches!(
                    self.privileges().await,
                    Ok(Privileges::Held | Privileges::Unknown)
                )
            }
            _ => false,
        }
    }

    async fn create_singly(&mut self, jobs: Vec<Job>) -> Result<Vec<Job>, StoreError> {
        let mut there = Vec::new();
        let mut left = jobs;
        while !left.is_empty() {
            if self.is_over() {
                self.untried(left);
                break;
            }
            let rest = left.split_off(self.pace.at_once.min(left.len()));
            let planned: Vec<(Job, Plan)> = left.into_iter().map(|job| self.planned(job)).collect();
            let client = &self.client;
            let answers = join_all(planned.into_iter().map(|(job, mut plan)| async move {
                let id = job.link.record_id.unwrap_or_default();
                let mut outcome = client.write_lead(id, &plan.body, &Condition::Absent).await;
                if matches!(outcome, Err(DataverseError::MissingPrivilege { .. }))
                    && Self::disown(&mut plan)
                {
                    outcome = client.write_lead(id, &plan.body, &Condition::Absent).await;
                }
                (job, plan, outcome)
            }))
            .await;
            for (job, plan, outcome) in answers {
                match outcome {
                    Ok(()) => there.extend(self.made(job, plan)),
                    Err(DataverseError::Duplicate(refusal))
                        if refusal.code.as_deref().is_none_or(|code| code == ID_TAKEN) =>
                    {
                        let mut job = job;
                        job.link.state = LinkState::Linked;
                        there.push(job);
                    }
                    // Next time it is written to the columns that are there.
                    Err(DataverseError::Invalid(_)) if self.columns_changed().await? => {
                        self.untried([job]);
                    }
                    Err(error) => self.refused(job, error).await,
                }
            }
            left = rest;
        }
        Ok(there)
    }

    /// Gives the record its id, and works out its columns.
    fn planned(&self, mut job: Job) -> (Job, Plan) {
        let mut own = own_record(&job.lead);
        if self.claimed.contains(&own) {
            own = successor(&job.lead, own);
        }
        job.link.record_id.get_or_insert(own);
        job.link.sent.clear();
        job.known = None;
        let mut plan = record::plan(&job, &self.rules, self.organization, &Map::new());
        self.own_new(&job, &mut plan);
        (job, plan)
    }

    /// Notes a record that was made; gives back a lead whose status is not that of a new record, to be updated.
    fn made(&mut self, mut job: Job, mut plan: Plan) -> Option<Job> {
        self.went_through();
        job.link.state = LinkState::Linked;
        job.link.sent = std::mem::take(&mut plan.sent);
        job.link.misfits = std::mem::take(&mut plan.misfits);
        if job.lead.status != LeadStatus::New {
            return Some(job);
        }
        self.note(&job, Some(RecordStatus::NEW), &plan);
        let note = if plan.is_owner_refused {
            "Created. The organization refused the owner."
        } else {
            "Created."
        };
        self.delivered(job, Some(204), Some(note));
        None
    }
}
