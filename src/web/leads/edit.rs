//! The edit form of a lead: custom fields as well, and what happens when two people edit at once.

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use actix_web::web::Data;
use askama::Template;
use chrono::{DateTime, Utc};
use serde_json::json;

use super::{INDEX, change_id, owners_for};
use crate::auth::CurrentUser;
use crate::domain::field_mapping::fit;
use crate::domain::ids::{LeadId, UserId};
use crate::domain::lead::{FieldKey, FieldKind, Lead, LeadFields, LeadStatus};
use crate::store::audit::{self, Actor};
use crate::store::lead_edits::{self, LeadEdit};
use crate::store::leads::{self, JournalEntry};
use crate::store::{StoreError, custom_fields, integration_settings};
use crate::web::{Answer, FieldErrors, Flash, Form, Path, Portal, Shell, WebError};

/// What was sent.
type Sent = BTreeMap<String, String>;

/// One field of the edit form.
struct EditField {
    word: String,
    label: String,
    value: String,
    kind: FieldKind,
    /// What somebody else saved meanwhile, where it differs from what was entered.
    meanwhile: Option<String>,
}

impl EditField {
    /// The choices of a select; a value that is no longer among them stays one.
    fn options(&self) -> Vec<(String, String)> {
        let mut options: Vec<(String, String)> = match &self.kind {
            FieldKind::YesNo => vec![
                ("yes".to_owned(), "Yes".to_owned()),
                ("no".to_owned(), "No".to_owned()),
            ],
            FieldKind::Choice { values } => values
                .iter()
                .map(|value| (value.clone(), value.clone()))
                .collect(),
            _ => Vec::new(),
        };
        if !self.value.is_empty() && !options.iter().any(|(value, _)| *value == self.value) {
            options.push((self.value.clone(), self.value.clone()));
        }
        options
    }

    /// What stands before the field.
    fn hint(&self) -> String {
        match (&self.meanwhile, &self.kind) {
            (Some(value), _) if value.is_empty() => "Emptied meanwhile.".to_owned(),
            (Some(value), _) => format!("Saved meanwhile: {value}"),
            (None, FieldKind::Date) => {
                "A day, a month or a year, such as 2026-11-21, 2026-11 or 2026.".to_owned()
            }
            (None, FieldKind::Number) => "A number, such as 1200 or 0.5.".to_owned(),
            (None, _) => String::new(),
        }
    }
}

/// Who changed the lead while somebody else was editing it.
struct Meanwhile {
    by: Option<String>,
    at: DateTime<Utc>,
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
    meanwhile: Option<Meanwhile>,
    /// What somebody else made of status and owner, where it differs from what was entered.
    status_meanwhile: String,
    owner_meanwhile: String,
}

impl LeadsEdit {
    fn new(shell: Shell, loaded: &Loaded) -> Self {
        let lead = &loaded.lead;
        let value = |key: &FieldKey| lead.values.get(key).cloned();
        Self {
            shell,
            id: lead.id.clone(),
            name: lead.display_name(),
            fields: loaded
                .fields
                .iter(true)
                // A retired field shows only where it has a value.
                .filter(|(key, _)| loaded.fields.is_offered(key) || lead.values.contains_key(key))
                .filter_map(|(key, label)| {
                    Some(EditField {
                        kind: loaded.fields.kind(&key)?,
                        word: key.word().into_owned(),
                        label: label.to_owned(),
                        value: value(&key).unwrap_or_default(),
                        meanwhile: None,
                    })
                })
                .collect(),
            status: lead.status.as_str().to_owned(),
            owner: lead.owner_id.as_str().to_owned(),
            lock_version: lead.lock_version.to_string(),
            owners: loaded.owners.clone(),
            errors: FieldErrors::new(),
            meanwhile: None,
            status_meanwhile: String::new(),
            owner_meanwhile: String::new(),
        }
    }

    fn statuses(&self) -> Vec<(&'static str, &'static str)> {
        let label = |status: &LeadStatus| (status.as_str(), status.label());
        LeadStatus::ALL.iter().map(label).collect()
    }

    fn now_hint(&self, meanwhile: &str) -> String {
        if meanwhile.is_empty() {
            String::new()
        } else {
            format!("Saved meanwhile: {meanwhile}")
        }
    }

    /// Puts in what was entered.
    fn enter(&mut self, sent: &Sent) {
        for field in &mut self.fields {
            if let Some(value) = sent.get(&field.word) {
                field.value.clone_from(value);
            }
        }
        for (name, value) in [("status", &mut self.status), ("owner", &mut self.owner)] {
            if let Some(entered) = sent.get(name) {
                value.clone_from(entered);
            }
        }
    }
}

/// A lead with what its form offers.
struct Loaded {
    lead: Lead,
    owners: Vec<(UserId, String)>,
    fields: LeadFields,
    journal: Vec<JournalEntry>,
    country: Option<String>,
}

async fn load(portal: &Portal, id: &LeadId) -> Result<Loaded, WebError> {
    let id = id.clone();
    Ok(portal
        .store
        .read(move |conn| {
            let lead = leads::get(conn, &id)?;
            let names = leads::names_around(conn, &lead)?;
            Ok::<_, StoreError>(Loaded {
                owners: owners_for(conn, &lead, &names)?,
                lead,
                fields: custom_fields::fields(conn)?,
                journal: leads::journal(conn, &id)?,
                country: integration_settings::get(conn)?.matching.default_country,
            })
        })
        .await?)
}

/// GET /leads/{id}/edit
///
/// # Errors
/// `NotFound`, or as the database.
pub async fn edit(portal: Data<Portal>, shell: Shell, Path(id): Path<LeadId>) -> Answer {
    let loaded = load(&portal, &id).await?;
    let page = LeadsEdit::new(shell, &loaded);
    page.shell.render(StatusCode::OK, &page)
}

/// Checks what was sent against the fields; a field that is not in the form stays as it is.
fn check(sent: &Sent, loaded: &Loaded, errors: &mut FieldErrors) -> LeadEdit {
    let lead = &loaded.lead;
    let mut values = Vec::new();
    for (key, _) in loaded.fields.iter(true) {
        let word = key.word();
        let (Some(text), Some(kind)) = (sent.get(word.as_ref()), loaded.fields.kind(&key)) else {
            continue;
        };
        let text = text.replace("\r\n", "\n");
        let before = lead.values.get(&key);
        if before.is_some_and(|value| *value == text.trim()) {
            continue;
        }
        if text.trim().is_empty() {
            values.push((key, None));
            continue;
        }
        match fit(&kind, &text, loaded.country.as_deref()) {
            Ok(value) => values.push((key, Some(value))),
            Err(problem) => errors.add(&word, format!("{}.", problem.label())),
        }
    }
    let status = match sent.get("status").map(|word| word.parse::<LeadStatus>()) {
        None => lead.status,
        Some(Ok(status)) => status,
        Some(Err(_)) => {
            errors.add("status", "Choose one of the statuses.");
            lead.status
        }
    };
    let owner_id = match sent.get("owner").map(|id| id.parse::<UserId>()) {
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
/// `NotFound`, or as the database.
pub async fn update(
    portal: Data<Portal>,
    shell: Shell,
    current: CurrentUser,
    actor: Actor,
    Path(id): Path<LeadId>,
    Form(sent): Form<Sent>,
) -> Answer {
    let expected: i64 = sent
        .get("lock_version")
        .and_then(|version| version.parse().ok())
        .ok_or_else(|| {
            WebError::Invalid("The form does not say what it was made from.".to_owned())
        })?;
    let loaded = load(&portal, &id).await?;
    let mut errors = FieldErrors::new();
    let edit = check(&sent, &loaded, &mut errors);
    if errors.is_empty() {
        let (now, change_id) = (portal.clock.now(), change_id(&portal));
        let (lead_id, topic) = (id.clone(), loaded.lead.topic.clone());
        let saved = portal
            .store
            .write(move |tx| {
                let changes =
                    lead_edits::save(tx, &lead_id, expected, &edit, &current.id, change_id, now)?;
                if !changes.is_empty() {
                    // The journal of the lead has the values; the audit log has only which fields.
                    let fields: Vec<&str> =
                        changes.iter().map(|change| change.field.as_str()).collect();
                    let object = ("lead", lead_id.as_str(), topic.as_str());
                    let after = Some(json!({ "fields": fields }));
                    audit::record(tx, now, &actor, "lead.edited", object, None, after)?;
                }
                Ok::<_, StoreError>(changes.len())
            })
            .await;
        let path = format!("{INDEX}/{id}");
        match saved {
            Ok(0) => {
                let flash = Flash::notice("Nothing was changed.");
                return Ok(shell.redirect(path).flash(flash));
            }
            Ok(_) => {
                let flash = Flash::success("The lead was saved.");
                return Ok(shell.redirect(path).flash(flash));
            }
            Err(StoreError::Stale(_)) => {
                return collided(&portal, shell, &id, &sent, expected).await;
            }
            Err(StoreError::Rule(rule)) => errors.add("owner", rule),
            Err(error) => return Err(error.into()),
        }
    }
    let mut page = LeadsEdit::new(shell, &loaded);
    page.enter(&sent);
    page.lock_version = expected.to_string();
    page.errors = errors;
    page.shell.render(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

/// Somebody else saved the lead meanwhile: the form again, with what was entered, and at each field that differs what is
/// saved now. A field that this person left as it was takes the new value.
async fn collided(
    portal: &Portal,
    shell: Shell,
    id: &LeadId,
    sent: &Sent,
    expected: i64,
) -> Answer {
    let loaded = load(portal, id).await?;
    let mut page = LeadsEdit::new(shell, &loaded);
    let versions = usize::try_from(loaded.lead.lock_version - expected).unwrap_or(0);
    let since: Vec<&JournalEntry> = loaded.journal.iter().take(versions).collect();
    // What the form showed, where it changed since: the oldest value before.
    let mut shown: BTreeMap<&str, &str> = BTreeMap::new();
    for change in since.iter().flat_map(|entry| &entry.changes) {
        shown.insert(&change.field, change.before.as_deref().unwrap_or_default());
    }
    let mut entered = sent.clone();
    entered.retain(|word, value| shown.get(word.as_str()) != Some(&value.trim()));
    let saved: Vec<String> = page
        .fields
        .iter()
        .map(|field| field.value.clone())
        .collect();
    let (status, owner) = (page.status.clone(), page.owner.clone());
    page.enter(&entered);
    for (field, saved) in page.fields.iter_mut().zip(saved) {
        if field.value.replace("\r\n", "\n").trim() != saved {
            field.meanwhile = Some(saved);
        }
    }
    if page.status != status {
        page.status_meanwhile = loaded.lead.status.label().to_owned();
    }
    if page.owner != owner {
        let found = loaded.owners.iter().find(|(id, _)| id.as_str() == owner);
        page.owner_meanwhile = found.map(|(_, name)| name.clone()).unwrap_or_default();
    }
    page.meanwhile = Some(Meanwhile {
        by: since.first().and_then(|entry| entry.user_name.clone()),
        at: loaded.lead.updated_at,
    });
    page.shell.render(StatusCode::CONFLICT, &page)
}
