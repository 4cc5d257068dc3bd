//! Leads: the list, one with where each value came from, and the edits that people make.

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use actix_web::web::Data;
use askama::Template;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::json;

use super::keyset::{KeysetPager, start};
use super::{Answer, FieldErrors, Flash, Form, Path, Portal, Query, Shell, WebError};
use crate::auth::CurrentUser;
use crate::domain::access::Permission;
use crate::domain::field_mapping::fit;
use crate::domain::ids::{LeadId, SubmissionId, UserId};
use crate::domain::lead::{FieldKey, FieldKind, Lead, LeadField, LeadSource, LeadStatus, Origin};
use crate::store::audit::{self, Actor};
use crate::store::lead_edits::{self, LeadEdit};
use crate::store::leads::{self, JournalEntry, LeadFilter, LeadListed, LeadNames};
use crate::store::paging::Cursor;
use crate::store::submissions::{self, Submission};
use crate::store::{StoreError, integration_settings};

#[derive(Template)]
#[template(path = "leads/index.html")]
struct LeadsIndex {
    shell: Shell,
    leads: Vec<LeadListed>,
    pager: KeysetPager,
    search: String,
    status: &'static str,
    source: &'static str,
    owner: String,
    owners: Vec<(UserId, String)>,
}

/// The filter of the list and the place in it.
#[derive(Debug, Default, Deserialize)]
pub struct LeadsQuery {
    q: Option<String>,
    status: Option<LeadStatus>,
    owner: Option<UserId>,
    source: Option<LeadSource>,
    after: Option<Cursor>,
    before: Option<Cursor>,
}

/// GET /leads
///
/// # Errors
/// As the database.
pub async fn index(portal: Data<Portal>, shell: Shell, Query(query): Query<LeadsQuery>) -> Answer {
    let place = start(query.after, query.before);
    let filter = LeadFilter {
        search: query.q,
        status: query.status,
        owner_id: query.owner,
        source: query.source,
    };
    let search = filter.search.clone().unwrap_or_default();
    let status = filter.status.map_or("", LeadStatus::as_str);
    let source = filter.source.map_or("", LeadSource::as_str);
    let owner = filter
        .owner_id
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default();
    let mut pager = KeysetPager::new(
        "/leads",
        &[
            ("q", search.trim()),
            ("status", status),
            ("owner", &owner),
            ("source", source),
        ],
        &place,
    );
    let ((page, count), owners) = portal
        .store
        .read(move |conn| {
            Ok::<_, StoreError>((
                leads::list(conn, &filter, &place)?,
                leads::possible_owners(conn)?,
            ))
        })
        .await?;
    pager.count = Some(count);
    let page = LeadsIndex {
        leads: pager.take(page),
        shell,
        pager,
        search,
        status,
        source,
        owner,
        owners,
    };
    page.shell.render(StatusCode::OK, &page)
}

/// A value of a lead with where it came from.
struct Fact {
    label: String,
    value: String,
    origin: Option<FactOrigin>,
}

/// Where a value came from.
struct FactOrigin {
    by: Origin,
    submission_id: Option<SubmissionId>,
    submitted_at: Option<DateTime<Utc>>,
}

#[derive(Template)]
#[template(path = "leads/show.html")]
struct LeadsShow {
    shell: Shell,
    lead: Lead,
    name: String,
    facts: Vec<Fact>,
    names: LeadNames,
    submissions: Vec<Submission>,
    journal: Vec<JournalEntry>,
    owners: Vec<(UserId, String)>,
    can_edit: bool,
}

impl LeadsShow {
    /// The page of the account, for those who may see it.
    fn account_path(&self) -> Option<String> {
        let id = self.lead.account_id.as_ref()?;
        self.shell
            .can(Permission::ViewAccounts)
            .then(|| format!("/linkedin-accounts/{id}"))
    }

    /// The page of the form, for those who may see it.
    fn form_path(&self) -> Option<String> {
        let id = self.lead.form_id.as_ref()?;
        self.shell
            .can(Permission::ViewForms)
            .then(|| format!("/forms/{id}"))
    }

    /// The owner was disabled since, and stays a choice.
    fn is_owner_unlisted(&self) -> bool {
        !self.owners.iter().any(|(id, _)| *id == self.lead.owner_id)
    }
}

/// The label of a field in a lead's journal.
fn change_label(word: &str) -> String {
    match word {
        "status" => "Status".to_owned(),
        "owner" => "Owner".to_owned(),
        "topic" => "Topic".to_owned(),
        word => word
            .parse::<FieldKey>()
            .map_or_else(|_| word.to_owned(), |field| field.label().into_owned()),
    }
}

/// What an entry of a lead's journal says.
fn entry_label(kind: &str) -> &str {
    match kind {
        "created" => "Created from a form submission",
        "updated" => "Updated by a form submission",
        "attached" => "A form submission was attached",
        "reopened" => "Reopened and updated by a form submission",
        "edited" => "Edited",
        other => other,
    }
}

fn facts(lead: &Lead) -> Vec<Fact> {
    lead.values
        .iter()
        .map(|(field, value)| Fact {
            label: field.label().into_owned(),
            value: value.clone(),
            origin: lead.provenance.get(field).map(|origin| FactOrigin {
                by: origin.by,
                // What a person wrote over a submission's value is the person's.
                submission_id: origin
                    .submission_id
                    .clone()
                    .filter(|_| origin.by == Origin::Submission),
                submitted_at: origin.submitted_at,
            }),
        })
        .collect()
}

/// GET /leads/{id}
///
/// # Errors
/// `NotFound`, or as the database.
pub async fn show(portal: Data<Portal>, shell: Shell, Path(id): Path<LeadId>) -> Answer {
    let (lead, names, submissions, journal, owners) = portal
        .store
        .read(move |conn| {
            let lead = leads::get(conn, &id)?;
            Ok::<_, StoreError>((
                leads::names_around(conn, &lead)?,
                submissions::of_lead(conn, &id)?,
                leads::journal(conn, &id)?,
                leads::possible_owners(conn)?,
                lead,
            ))
        })
        .await
        .map(|(names, submissions, journal, owners, lead)| {
            (lead, names, submissions, journal, owners)
        })?;
    let page = LeadsShow {
        can_edit: shell.can(Permission::EditLeads),
        name: lead.display_name(),
        facts: facts(&lead),
        shell,
        lead,
        names,
        submissions,
        journal,
        owners,
    };
    page.shell.render(StatusCode::OK, &page)
}

/// One field of the edit form.
struct EditField {
    word: &'static str,
    label: &'static str,
    value: String,
    kind: FieldKind,
}

#[derive(Template)]
#[template(path = "leads/edit.html")]
struct LeadsEdit {
    shell: Shell,
    id: LeadId,
    name: String,
    fields: Vec<EditField>,
    status: String,
    owner: String,
    lock_version: String,
    owners: Vec<(UserId, String)>,
    errors: FieldErrors,
}

impl LeadsEdit {
    fn new(shell: Shell, lead: &Lead, owners: Vec<(UserId, String)>) -> Self {
        Self {
            shell,
            id: lead.id.clone(),
            name: lead.display_name(),
            fields: LeadField::ALL
                .iter()
                .map(|field| EditField {
                    word: field.as_str(),
                    label: field.label(),
                    value: lead
                        .values
                        .get(&FieldKey::Standard(*field))
                        .cloned()
                        .unwrap_or_default(),
                    kind: field.kind(),
                })
                .collect(),
            status: lead.status.as_str().to_owned(),
            owner: lead.owner_id.as_str().to_owned(),
            lock_version: lead.lock_version.to_string(),
            owners,
            errors: FieldErrors::new(),
        }
    }
}

async fn lead_and_owners(
    portal: &Portal,
    id: &LeadId,
) -> Result<(Lead, Vec<(UserId, String)>), WebError> {
    let id = id.clone();
    Ok(portal
        .store
        .read(move |conn| {
            let lead = leads::get(conn, &id)?;
            let mut owners = leads::possible_owners(conn)?;
            // The owner stays a choice though the account was disabled since.
            if !owners.iter().any(|(owner, _)| *owner == lead.owner_id) {
                owners.push((
                    lead.owner_id.clone(),
                    leads::names_around(conn, &lead)?.owner,
                ));
            }
            Ok::<_, StoreError>((lead, owners))
        })
        .await?)
}

/// GET /leads/{id}/edit
///
/// # Errors
/// `NotFound`, or as the database.
pub async fn edit(portal: Data<Portal>, shell: Shell, Path(id): Path<LeadId>) -> Answer {
    let (lead, owners) = lead_and_owners(&portal, &id).await?;
    let page = LeadsEdit::new(shell, &lead, owners);
    page.shell.render(StatusCode::OK, &page)
}

/// Checks what was sent against the fields; a field that is not in the form stays as it is.
fn check(
    form: &BTreeMap<String, String>,
    lead: &Lead,
    country: Option<&str>,
    errors: &mut FieldErrors,
) -> LeadEdit {
    let mut values = Vec::new();
    for field in LeadField::ALL {
        let Some(text) = form.get(field.as_str()) else {
            continue;
        };
        let key = FieldKey::Standard(*field);
        let text = text.replace("\r\n", "\n");
        let is_unchanged = lead
            .values
            .get(&key)
            .is_some_and(|value| *value == text.trim());
        if is_unchanged {
            continue;
        }
        if text.trim().is_empty() {
            values.push((key, None));
            continue;
        }
        match fit(&field.kind(), &text, country) {
            Ok(value) => values.push((key, Some(value))),
            Err(problem) => errors.add(field.as_str(), format!("{}.", problem.label())),
        }
    }
    let status = match form.get("status").map(|word| word.parse::<LeadStatus>()) {
        None => lead.status,
        Some(Ok(status)) => status,
        Some(Err(_)) => {
            errors.add("status", "Choose one of the statuses.");
            lead.status
        }
    };
    let owner_id = match form.get("owner").map(|id| id.parse::<UserId>()) {
        None => lead.owner_id.clone(),
        Some(Ok(owner)) => owner,
        Some(Err(_)) => {
            errors.add("owner", "Choose one of the people.");
            lead.owner_id.clone()
        }
    };
    LeadEdit {
        values,
        status,
        owner_id,
    }
}

/// POST /leads/{id}: saves the fields that the form holds.
///
/// # Errors
/// `NotFound`, `Stale`, or as the database.
pub async fn update(
    portal: Data<Portal>,
    shell: Shell,
    current: CurrentUser,
    actor: Actor,
    Path(id): Path<LeadId>,
    Form(form): Form<BTreeMap<String, String>>,
) -> Answer {
    let expected: i64 = form
        .get("lock_version")
        .and_then(|version| version.parse().ok())
        .ok_or_else(|| {
            WebError::Invalid("The form does not say what it was made from.".to_owned())
        })?;
    let (lead, owners) = lead_and_owners(&portal, &id).await?;
    let country = portal
        .store
        .read(|conn| Ok::<_, StoreError>(integration_settings::get(conn)?.matching.default_country))
        .await?;
    let mut errors = FieldErrors::new();
    let edit = check(&form, &lead, country.as_deref(), &mut errors);
    if errors.is_empty() {
        let (now, change_id, topic) = (
            portal.clock.now(),
            portal.new_id().to_string(),
            lead.topic.clone(),
        );
        let (lead_id, user_id) = (id.clone(), current.id);
        let saved = portal
            .store
            .write(move |tx| {
                let changes =
                    lead_edits::save(tx, &lead_id, expected, &edit, &user_id, change_id, now)?;
                if !changes.is_empty() {
                    // The journal of the lead has the values; the audit log has only which fields.
                    let fields: Vec<&str> =
                        changes.iter().map(|change| change.field.as_str()).collect();
                    audit::record(
                        tx,
                        now,
                        &actor,
                        "lead.edited",
                        ("lead", lead_id.as_str(), &topic),
                        None,
                        Some(json!({ "fields": fields })),
                    )?;
                }
                Ok::<_, StoreError>(changes.len())
            })
            .await;
        match saved {
            Ok(0) => {
                let flash = Flash::notice("Nothing was changed.");
                return Ok(shell.redirect(format!("/leads/{id}")).flash(flash));
            }
            Ok(_) => {
                let flash = Flash::success("The lead was saved.");
                return Ok(shell.redirect(format!("/leads/{id}")).flash(flash));
            }
            Err(StoreError::Rule(rule)) => errors.add("owner", rule),
            Err(error) => return Err(error.into()),
        }
    }
    let mut page = LeadsEdit::new(shell, &lead, owners);
    for field in &mut page.fields {
        if let Some(value) = form.get(field.word) {
            field.value.clone_from(value);
        }
    }
    page.status = form.get("status").cloned().unwrap_or(page.status);
    page.owner = form.get("owner").cloned().unwrap_or(page.owner);
    page.lock_version = expected.to_string();
    page.errors = errors;
    page.shell.render(StatusCode::UNPROCESSABLE_ENTITY, &page)
}
