//! What a person changes on a lead: values, status, owner; with its journal entry, provenance and match keys in one go.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::intake::{LeadChange, add_changes};
use super::leads::JournalChange;
use super::schema::{lead_changes, lead_forms, users};
use super::{
    AnyConn, StoreError, integration_settings, lead_rows, lock_leads, match_keys,
    matching_strategies,
};
use crate::domain::ids::{LeadId, UserId};
use crate::domain::lead::{FieldKey, Lead, LeadStatus, Origin};

/// What a person wants a lead to be. Fields that are not named stay as they are.
#[derive(Debug, Clone)]
pub struct LeadEdit {
    /// New values, checked by the caller; `None` empties the field.
    pub values: Vec<(FieldKey, Option<String>)>,
    /// The new status.
    pub status: LeadStatus,
    /// The new owner.
    pub owner_id: UserId,
}

/// Who edits a lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Editor {
    /// A person.
    Person(UserId),
    /// A program, by the name that its journal entry shows.
    Token(String),
}

impl From<&UserId> for Editor {
    fn from(id: &UserId) -> Self {
        Self::Person(id.clone())
    }
}

/// Saves an edit and answers what changed; nothing is written when nothing changed. `expected` is the lock version that
/// the person saw, `change_id` identifies the journal's entry.
///
/// # Errors
/// `Stale` when the lead changed since; `NotFound` when it is gone; `Rule` when the new owner is disabled or unknown.
pub fn save(
    conn: &mut AnyConn,
    id: &LeadId,
    expected: i64,
    edit: &LeadEdit,
    by: impl Into<Editor>,
    change_id: String,
    now: DateTime<Utc>,
) -> Result<Vec<JournalChange>, StoreError> {
    // Before the lead is read: the sync decides about leads under the same lock.
    lock_leads(conn)?;
    let mut lead = super::leads::get(conn, id)?;
    if lead.lock_version != expected {
        return Err(StoreError::Stale("lead"));
    }
    let mut changes = Vec::new();
    for (field, value) in &edit.values {
        let before = lead.values.get(field).cloned();
        let after = value
            .as_deref()
            .map(str::trim)
            .filter(|value| !value.is_empty())
            .map(str::to_owned);
        if before == after {
            continue;
        }
        match &after {
            Some(value) => lead.values.insert(field.clone(), value.clone()),
            None => lead.values.remove(field),
        };
        lead.provenance.edited(field.clone(), Origin::Person);
        changes.push(JournalChange {
            field: field.word().into_owned(),
            before,
            after,
        });
    }
    if lead.status != edit.status {
        changes.push(JournalChange {
            field: "status".to_owned(),
            before: Some(lead.status.label().to_owned()),
            after: Some(edit.status.label().to_owned()),
        });
        lead.status = edit.status;
    }
    if lead.owner_id != edit.owner_id {
        changes.push(JournalChange {
            field: "owner".to_owned(),
            before: owner_name(conn, &lead.owner_id)?.map(|(name, _)| name),
            after: Some(match owner_name(conn, &edit.owner_id)? {
                Some((name, true)) => name,
                _ => {
                    return Err(StoreError::Rule(
                        "The chosen owner is disabled or no longer a user. Choose somebody else."
                            .to_owned(),
                    ));
                }
            }),
        });
        lead.owner_id = edit.owner_id.clone();
    }
    if changes.is_empty() {
        return Ok(changes);
    }
    lead.updated_at = now;
    lead.lock_version += 1;
    lead_rows::save(conn, &[&lead])?;
    let (user_id, token_name) = match by.into() {
        Editor::Person(user_id) => (Some(user_id), None),
        Editor::Token(name) => (None, Some(name)),
    };
    add_changes(
        conn,
        vec![LeadChange {
            id: change_id.clone(),
            lead_id: id.clone(),
            submission_id: None,
            user_id,
            kind: "edited",
            changes: serde_json::to_string(&changes).map_err(|_| StoreError::Corrupt {
                table: "lead_changes",
                column: "changes",
                id: id.as_str().to_owned(),
            })?,
            created_at: now,
        }],
    )?;
    if let Some(name) = token_name {
        diesel::update(lead_changes::table.find(&change_id))
            .set(lead_changes::actor_name.eq(name))
            .execute(conn)?;
    }
    rekey(conn, &lead)?;
    Ok(changes)
}

/// Computes the match keys of a lead that changed anew. A phone number without a country code is read with the country of
/// the lead's form, else with the setting's.
///
/// # Errors
/// As any query.
pub(super) fn rekey(conn: &mut AnyConn, lead: &Lead) -> Result<(), StoreError> {
    let strategy = matching_strategies::active(conn)?;
    let country = match country_of_form(conn, lead)? {
        Some(country) => Some(country),
        None => integration_settings::get(conn)?.matching.default_country,
    };
    let keys = match_keys::keys_of(&strategy, &lead.values, country.as_deref());
    match_keys::replace(conn, &[(lead.id.clone(), keys)])
}

/// The country with which the form of a lead reads phone numbers, where it says one.
pub(super) fn country_of_form(
    conn: &mut AnyConn,
    lead: &Lead,
) -> Result<Option<String>, StoreError> {
    let Some(form_id) = &lead.form_id else {
        return Ok(None);
    };
    let country: Option<Option<String>> = lead_forms::table
        .find(form_id.as_str())
        .select(lead_forms::country)
        .first(conn)
        .optional()?;
    Ok(country.flatten().filter(|code| !code.is_empty()))
}

fn owner_name(conn: &mut AnyConn, id: &UserId) -> Result<Option<(String, bool)>, StoreError> {
    Ok(users::table
        .find(id.as_str())
        .select((users::name, users::is_enabled))
        .first(conn)
        .optional()?)
}
