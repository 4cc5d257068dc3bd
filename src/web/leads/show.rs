//! One lead: its values and where each came from, LinkedIn, submissions, notes, the timeline, its neighbours in the list.

use std::collections::HashMap;

use actix_web::http::StatusCode;
use actix_web::web::Data;
use askama::Template;
use chrono::{DateTime, Utc};

use super::filter::LeadsQuery;
use super::{INDEX, merges, owners_for};
use crate::domain::access::Permission;
use crate::domain::column_mapping::LeadPart;
use crate::domain::ids::{LeadId, OrganizationId, SubmissionId, UserId};
use crate::domain::lead::{Lead, LeadFields, LeadStatus, Origin};
use crate::store::deliveries::standing::{self, OnTheWay};
use crate::store::lead_merges::{self, LeadMerge};
use crate::store::lead_notes::{self, Note};
use crate::store::leads::{self, JournalEntry, LeadNames};
use crate::store::organization_lead_states::{self, LeadState};
use crate::store::organization_leads::{self, LeadThere, LinkState};
use crate::store::submissions::{self, Submission};
use crate::store::{StoreError, custom_fields, lead_lists};
use crate::web::{Answer, FieldErrors, Path, Portal, Query, Shell, WebError};

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

/// What stands on the timeline.
enum Event {
    Change(JournalEntry),
    Note(Note),
}

impl Event {
    fn at(&self) -> DateTime<Utc> {
        match self {
            Self::Change(entry) => entry.created_at,
            Self::Note(note) => note.created_at,
        }
    }
}

#[derive(Template)]
#[template(path = "leads/show.html")]
pub(super) struct LeadsShow {
    pub(super) shell: Shell,
    lead: Lead,
    name: String,
    facts: Vec<Fact>,
    fields: LeadFields,
    names: LeadNames,
    submissions: Vec<Submission>,
    timeline: Vec<Event>,
    /// What it is in Dynamics 365 organizations.
    there: Vec<LeadThere>,
    /// How far it is on its way to each organization that does not have its latest values.
    ways: Vec<OnTheWay>,
    /// How its records are there.
    states: HashMap<OrganizationId, LeadState>,
    /// Leads that became part of this one.
    merges: Vec<LeadMerge>,
    owners: Vec<(UserId, String)>,
    can_edit: bool,
    query: LeadsQuery,
    previous: Option<LeadId>,
    next: Option<LeadId>,
    pub(super) errors: FieldErrors,
    /// The text of the note that is being written.
    pub(super) note: String,
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

    /// How its record is in an organization.
    fn state_in(&self, organization: &OrganizationId) -> Option<&LeadState> {
        self.states.get(organization)
    }

    /// How far it is on its way to an organization.
    fn way_to(&self, organization: &OrganizationId) -> Option<&OnTheWay> {
        let mut ways = self.ways.iter();
        ways.find(|way| way.organization_id == *organization)
    }

    /// Organizations of which nothing else is known yet than that the lead is to go there.
    fn not_there(&self) -> Vec<&OnTheWay> {
        let is_known = |way: &OnTheWay| {
            let mut there = self.there.iter();
            there.any(|one| one.organization_id == way.organization_id)
        };
        self.ways.iter().filter(|way| !is_known(way)).collect()
    }

    /// What a part of a lead is called.
    fn part_label(&self, part: &LeadPart) -> String {
        part_label(&self.fields, part)
    }

    fn may_see_deliveries(&self) -> bool {
        self.shell.can(Permission::ViewSyncStatus)
    }

    fn list_path(&self) -> String {
        self.query.address(INDEX)
    }

    fn path_of(&self, id: &LeadId) -> String {
        self.query.address(&format!("{INDEX}/{id}"))
    }

    fn is_own(&self, note: &Note) -> bool {
        let user = self.shell.user.as_ref().map(|user| &user.id);
        self.can_edit && note.user_id.as_ref() == user && user.is_some()
    }

    /// The label of a field in the journal.
    fn change_label(&self, word: &str) -> String {
        change_label(&self.fields, word)
    }
}

/// What a part of a lead is called.
#[must_use]
pub fn part_label(fields: &LeadFields, part: &LeadPart) -> String {
    match part {
        LeadPart::Field(field) => fields.label(field).into_owned(),
        LeadPart::Id => "Id of the lead here".to_owned(),
        LeadPart::Topic => "Topic".to_owned(),
        LeadPart::Source => "Source".to_owned(),
    }
}

/// The tone of what a lead is in an organization.
#[must_use]
pub fn link_tone(state: &LinkState) -> &'static str {
    match state {
        LinkState::Linked => "good",
        LinkState::Waiting => "warn",
        LinkState::Create => "busy",
        LinkState::Deleted => "bad",
    }
}

/// The label of a field in a lead's journal.
pub fn change_label(fields: &LeadFields, word: &str) -> String {
    match word {
        "status" => "Status".to_owned(),
        "owner" => "Owner".to_owned(),
        "topic" => "Topic".to_owned(),
        lead_merges::JOURNAL_WORD => "Lead".to_owned(),
        word => fields.label_of_word(word),
    }
}

/// What an entry of a lead's journal says.
pub(super) fn entry_label(entry: &JournalEntry) -> &str {
    let merge = entry
        .changes
        .iter()
        .find(|change| change.field == lead_merges::JOURNAL_WORD);
    match entry.kind.as_str() {
        "edited" if merge.is_some_and(|change| change.after.is_some()) => "Merged",
        "edited" if merge.is_some() => "Merge undone",
        "created" if entry.import_id.is_some() => "Created by an import",
        "updated" if entry.import_id.is_some() => "Updated by an import",
        "edited" if entry.import_id.is_some() => "Values restored: an import was undone",
        "created" => "Created from a form submission",
        "updated" => "Updated by a form submission",
        "attached" => "A form submission was attached",
        "reopened" => "Reopened and updated by a form submission",
        "edited" => "Edited",
        other => other,
    }
}

fn facts(lead: &Lead, fields: &LeadFields) -> Vec<Fact> {
    lead.values
        .iter()
        .map(|(field, value)| Fact {
            label: fields.label(field).into_owned(),
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

/// GET /leads/{id}. The query is the list's, for the way back and to the neighbours. A lead that was merged away leads to the
/// one that stayed.
///
/// # Errors
/// `NotFound`, or as the database.
pub async fn show(
    portal: Data<Portal>,
    shell: Shell,
    Path(id): Path<LeadId>,
    Query(query): Query<LeadsQuery>,
) -> Answer {
    match page(&portal, shell.clone(), &id, Some(query)).await {
        Err(WebError::Store(StoreError::NotFound(_))) => merges::way_on(&portal, &shell, &id)
            .await?
            .ok_or(WebError::NotFound),
        found => {
            let page = found?;
            page.shell.render(StatusCode::OK, &page)
        }
    }
}

/// The page of a lead; without a query, the neighbours are left out.
pub(super) async fn page(
    portal: &Portal,
    shell: Shell,
    id: &LeadId,
    query: Option<LeadsQuery>,
) -> Result<LeadsShow, WebError> {
    let id = id.clone();
    let place = query
        .as_ref()
        .map(|query| (query.filter(shell.time_zone()), query.order()));
    let mut page = portal
        .store
        .read(move |conn| {
            let lead = leads::get(conn, &id)?;
            let names = leads::names_around(conn, &lead)?;
            let (previous, next) = match place {
                Some((filter, order)) => lead_lists::neighbours(conn, &filter, order, &lead)?,
                None => (None, None),
            };
            let changes = leads::journal(conn, &id)?.into_iter().map(Event::Change);
            let notes = lead_notes::of_lead(conn, &id)?.into_iter().map(Event::Note);
            let mut timeline: Vec<Event> = changes.chain(notes).collect();
            timeline.sort_by_key(|event| std::cmp::Reverse(event.at()));
            let fields = custom_fields::fields(conn)?;
            Ok::<_, StoreError>(LeadsShow {
                name: lead.display_name(),
                facts: facts(&lead, &fields),
                fields,
                submissions: submissions::of_lead(conn, &id)?,
                timeline,
                there: organization_leads::of_lead(conn, &id)?,
                ways: standing::on_the_way(conn, &id)?,
                states: organization_lead_states::of_lead(conn, &id)?,
                merges: lead_merges::of_lead(conn, &id)?,
                owners: owners_for(conn, &lead, &names)?,
                can_edit: false,
                names,
                lead,
                query: LeadsQuery::default(),
                previous,
                next,
                errors: FieldErrors::new(),
                note: String::new(),
                shell,
            })
        })
        .await?;
    page.can_edit = page.shell.can(Permission::EditLeads);
    page.query = query.unwrap_or_default();
    Ok(page)
}
