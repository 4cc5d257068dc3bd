//! From a lead to the columns of a record, and from a record to what stands in its columns.

use std::collections::BTreeMap;

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::Job;
use super::rules::Rules;
use crate::dataverse::LeadRecord;
use crate::domain::column_mapping::{ColumnValue, LeftOut, Standing, Wanted, Write, changes, fit};
use crate::domain::dynamics_status::RecordStatus;
use crate::domain::ids::OrganizationId;
use crate::domain::lead::LeadStatus;

/// What is written, and what is known afterwards.
pub(super) struct Plan {
    /// The columns; empty where nothing changed.
    pub(super) body: LeadRecord,
    pub(super) sent: BTreeMap<String, String>,
    pub(super) misfits: Vec<LeftOut>,
    /// The status that the record gets, because somebody changed it here.
    pub(super) status: Option<LeadStatus>,
    /// The owner that the record gets.
    pub(super) owner: Option<Uuid>,
    /// Whether the organization refused the owner.
    pub(super) is_owner_refused: bool,
}

/// What of the lead is written over this record; an empty one for a lead that is new there.
pub(super) fn plan(
    job: &Job,
    rules: &Rules,
    organization: &OrganizationId,
    there: &LeadRecord,
) -> Plan {
    let mut plan = Plan {
        body: LeadRecord::new(),
        sent: BTreeMap::new(),
        misfits: Vec::new(),
        status: None,
        owner: None,
        is_owner_refused: false,
    };
    for rule in &rules.mapping.rules {
        let name = rule.column.as_str();
        let fitted = match rule.part.value(&job.lead) {
            None => None,
            Some(value) => match fit(rule, value, rules.column(name)) {
                Ok(fitted) => fitted,
                Err(why) => {
                    plan.misfits.push(LeftOut {
                        part: rule.part.clone(),
                        column: name.to_owned(),
                        why,
                    });
                    continue;
                }
            },
        };
        let digest = |value: &ColumnValue| digest(organization, job, name, value);
        let before = job.link.sent.get(name);
        let stands = there.get(name).and_then(column_value);
        let standing = Standing {
            is_ours: before.is_some() && stands.as_ref().map(digest).as_ref() == before,
            is_sent: before.is_some() && fitted.as_ref().map(digest).as_ref() == before,
            value: stands,
        };
        let wanted = Wanted {
            value: fitted,
            policy: rules.policy(rule),
            max_length: rules.max_length(name),
        };
        match changes(&wanted, &standing) {
            Write::Keep => {}
            Write::Set(value) => {
                plan.body.insert(name.to_owned(), json(&value));
            }
            Write::Clear => {
                plan.body.insert(name.to_owned(), Value::Null);
            }
        }
        if let Some(value) = &wanted.value {
            plan.sent.insert(name.to_owned(), digest(value));
        }
    }
    plan
}

/// Sets a record back to New.
pub(super) fn reopen(body: &mut LeadRecord) {
    set_status(body, LeadStatus::New);
}

/// Gives a record a status.
pub(super) fn set_status(body: &mut LeadRecord, status: LeadStatus) {
    let wanted = RecordStatus::of(status);
    body.insert("statecode".to_owned(), Value::from(wanted.statecode));
    if let Some(reason) = wanted.statuscode {
        body.insert("statuscode".to_owned(), Value::from(reason));
    }
}

/// The status of a record; one whose state is unknown counts as new.
pub(super) fn status(record: &LeadRecord) -> LeadStatus {
    record_status(record).status().unwrap_or(LeadStatus::New)
}

/// State and reason of a record.
pub(super) fn record_status(record: &LeadRecord) -> RecordStatus {
    let code = |name: &str| record.get(name).and_then(Value::as_i64);
    RecordStatus {
        statecode: code("statecode").unwrap_or(RecordStatus::NEW.statecode),
        statuscode: code("statuscode"),
    }
}

fn column_value(value: &Value) -> Option<ColumnValue> {
    match value {
        Value::String(text) if text.is_empty() => None,
        Value::String(text) => Some(ColumnValue::Text(text.clone())),
        Value::Bool(flag) => Some(ColumnValue::Boolean(*flag)),
        Value::Number(number) => number
            .as_i64()
            .map(ColumnValue::Integer)
            .or_else(|| number.as_f64().map(ColumnValue::number)),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn json(value: &ColumnValue) -> Value {
    match value {
        ColumnValue::Text(text) => Value::from(text.as_str()),
        ColumnValue::Integer(number) => Value::from(*number),
        ColumnValue::Decimal(number) => Value::from(*number),
        ColumnValue::Boolean(flag) => Value::from(*flag),
    }
}

/// A digest of a value that was sent: enough to see whether it changed, too little to tell it.
fn digest(organization: &OrganizationId, job: &Job, column: &str, value: &ColumnValue) -> String {
    let value = json(value).to_string();
    let digest = sha256(&[organization.as_str(), job.lead.id.as_str(), column, &value]);
    digest
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// SHA-256 of several texts.
pub(super) fn sha256(texts: &[&str]) -> Vec<u8> {
    let mut hasher = Sha256::new();
    for text in texts {
        hasher.update(text.as_bytes());
        hasher.update([0]);
    }
    hasher.finalize().to_vec()
}
