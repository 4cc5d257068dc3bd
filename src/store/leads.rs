//! Leads as pages show them: what a list can be narrowed by, the names around one lead, and its journal.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use super::columns::Cells;
use super::schema::{
    campaigns, lead_changes, lead_forms, leads, linkedin_accounts, user_roles, users,
};
use super::{AnyConn, StoreError, lead_rows};
use crate::domain::access::Role;
use crate::domain::ids::{AccountId, CampaignId, FormId, ImportId, LeadId, SubmissionId, UserId};
use crate::domain::lead::{
    FieldKey, Lead, LeadField, LeadSource, LeadStatus, LeadValues, display_name,
};

/// Which leads a list shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeadFilter {
    /// Beginnings of words that the name, an e-mail address or the company holds.
    pub search: Option<String>,
    /// Only in this status.
    pub status: Option<LeadStatus>,
    /// Only of this owner.
    pub owner_id: Option<UserId>,
    /// Only from this source.
    pub source: Option<LeadSource>,
    /// Only through this account.
    pub account_id: Option<AccountId>,
    /// Only from this form.
    pub form_id: Option<FormId>,
    /// Only from this campaign.
    pub campaign_id: Option<CampaignId>,
    /// Only made at this time or later.
    pub created_from: Option<DateTime<Utc>>,
    /// Only made before this time.
    pub created_until: Option<DateTime<Utc>>,
    /// Only with a latest submission of this time or later.
    pub submitted_from: Option<DateTime<Utc>>,
    /// Only with a latest submission before this time.
    pub submitted_until: Option<DateTime<Utc>>,
}

impl LeadFilter {
    /// Whether it lets everything pass.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.search
            .as_deref()
            .is_none_or(|text| text.trim().is_empty())
            && self.is_search_only()
    }

    /// Whether nothing but the search narrows the list.
    #[must_use]
    pub fn is_search_only(&self) -> bool {
        let rest = Self {
            search: None,
            ..self.clone()
        };
        rest == Self::default()
    }
}

/// The lead.
///
/// # Errors
/// `NotFound` when there is none.
pub fn get(conn: &mut AnyConn, id: &LeadId) -> Result<Lead, StoreError> {
    lead_rows::load(conn, std::slice::from_ref(id))?
        .pop()
        .ok_or(StoreError::NotFound("lead"))
}

/// The names around a lead.
#[derive(Debug, Clone, Default)]
pub struct LeadNames {
    /// Its owner.
    pub owner: String,
    /// The account, form and campaign that brought it.
    pub account: Option<String>,
    /// See `account`.
    pub form: Option<String>,
    /// See `account`.
    pub campaign: Option<String>,
}

/// The names around a lead.
///
/// # Errors
/// As any query.
pub fn names_around(conn: &mut AnyConn, lead: &Lead) -> Result<LeadNames, StoreError> {
    let owner: Option<String> = users::table
        .find(lead.owner_id.as_str())
        .select(users::name)
        .first(conn)
        .optional()?;
    let account = match &lead.account_id {
        Some(id) => linkedin_accounts::table
            .find(id.as_str())
            .select(linkedin_accounts::name)
            .first(conn)
            .optional()?,
        None => None,
    };
    let form = match &lead.form_id {
        Some(id) => lead_forms::table
            .find(id.as_str())
            .select(lead_forms::name)
            .first(conn)
            .optional()?,
        None => None,
    };
    let campaign = match &lead.campaign_id {
        Some(id) => campaigns::table
            .find(id.as_str())
            .select(campaigns::name)
            .first(conn)
            .optional()?,
        None => None,
    };
    Ok(LeadNames {
        owner: owner.unwrap_or_default(),
        account,
        form,
        campaign,
    })
}

/// The names to show for these leads; ids without a lead are left out.
///
/// # Errors
/// As any query.
pub fn display_names(
    conn: &mut AnyConn,
    ids: &[LeadId],
) -> Result<HashMap<LeadId, String>, StoreError> {
    type Row = (
        String,
        Option<String>,
        Option<String>,
        Option<String>,
        Option<String>,
        String,
    );
    let rows: Vec<Row> = leads::table
        .filter(leads::id.eq_any(ids.iter().take(200).map(LeadId::as_str)))
        .select((
            leads::id,
            leads::first_name,
            leads::last_name,
            leads::company_name,
            leads::email,
            leads::topic,
        ))
        .load(conn)?;
    rows.into_iter()
        .map(|(id, first_name, last_name, company_name, email, topic)| {
            let cells = Cells {
                table: "leads",
                id: &id,
            };
            let values: LeadValues = [
                (LeadField::FirstName, first_name),
                (LeadField::LastName, last_name),
                (LeadField::CompanyName, company_name),
                (LeadField::Email, email),
            ]
            .into_iter()
            .filter_map(|(field, value)| Some((FieldKey::Standard(field), value?)))
            .collect();
            Ok((
                cells.word("id", &id)?,
                display_name(&values).unwrap_or(topic),
            ))
        })
        .collect()
}

/// One change in a lead's journal: a field's word, or `status`, `owner` or `topic`, with the value before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalChange {
    /// What changed.
    pub field: String,
    /// The value before.
    #[serde(default)]
    pub before: Option<String>,
    /// The value after.
    #[serde(default)]
    pub after: Option<String>,
}

/// One entry of a lead's journal.
#[derive(Debug, Clone)]
pub struct JournalEntry {
    /// `created`, `updated`, `attached`, `reopened` or `edited`.
    pub kind: String,
    /// When.
    pub created_at: DateTime<Utc>,
    /// The submission that did it.
    pub submission_id: Option<SubmissionId>,
    /// The person who did it, or the API token.
    pub user_name: Option<String>,
    /// The import that did it, or whose undoing did.
    pub import_id: Option<ImportId>,
    /// What changed.
    pub changes: Vec<JournalChange>,
}

/// The journal of a lead, newest first, at most 200 entries.
///
/// # Errors
/// As any query.
pub fn journal(conn: &mut AnyConn, id: &LeadId) -> Result<Vec<JournalEntry>, StoreError> {
    type Row = (
        String,
        String,
        NaiveDateTime,
        Option<String>,
        Option<String>,
        Option<String>,
        Option<String>,
        String,
    );
    let rows: Vec<Row> = lead_changes::table
        .left_join(users::table.on(users::id.nullable().eq(lead_changes::user_id)))
        .filter(lead_changes::lead_id.eq(id.as_str()))
        .order((lead_changes::created_at.desc(), lead_changes::id.desc()))
        .select((
            lead_changes::id,
            lead_changes::kind,
            lead_changes::created_at,
            lead_changes::submission_id,
            users::name.nullable(),
            lead_changes::actor_name,
            lead_changes::import_id,
            lead_changes::changes,
        ))
        .limit(200)
        .load(conn)?;
    rows.into_iter()
        .map(
            |(id, kind, created_at, submission_id, user_name, actor_name, import_id, changes)| {
                let cells = Cells {
                    table: "lead_changes",
                    id: &id,
                };
                Ok(JournalEntry {
                    kind,
                    created_at: created_at.and_utc(),
                    submission_id: cells.optional("submission_id", submission_id.as_deref())?,
                    user_name: user_name.or(actor_name),
                    import_id: cells.optional("import_id", import_id.as_deref())?,
                    changes: cells.json("changes", &changes)?,
                })
            },
        )
        .collect()
}

/// Enabled people who can own leads, by name: the choices of an owner.
///
/// # Errors
/// As any query.
pub fn possible_owners(conn: &mut AnyConn) -> Result<Vec<(UserId, String)>, StoreError> {
    let rows: Vec<(String, String)> = users::table
        .filter(users::is_enabled.eq(true))
        .filter(
            users::id.eq_any(
                user_roles::table
                    .filter(user_roles::role.ne(Role::S2sInbound.as_str()))
                    .select(user_roles::user_id),
            ),
        )
        .order((users::name.asc(), users::id.asc()))
        .select((users::id, users::name))
        .limit(1_000)
        .load(conn)?;
    rows.into_iter()
        .map(|(id, name)| {
            let cells = Cells {
                table: "users",
                id: &id,
            };
            Ok((cells.word("id", &id)?, name))
        })
        .collect()
}
