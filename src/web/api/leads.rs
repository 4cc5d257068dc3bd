//! Leads: list, get, and status and owner of one.

use std::collections::{BTreeMap, HashMap};

use actix_web::HttpRequest;
use actix_web::web::Data;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::caller::Caller;
use super::document::{self, Described, Group, LeadChange};
use super::input::{self, Condition, Id, Parameters};
use super::{ApiAnswer, ApiError, output};
use crate::domain::access::Role;
use crate::domain::ids::{AccountId, CampaignId, FormId, LeadId, SubmissionId, UserId};
use crate::domain::lead::{Lead, LeadSource, LeadStatus};
use crate::domain::time_zone::TimeZone;
use crate::domain::users::check_email;
use crate::store::audit;
use crate::store::lead_edits::{self, LeadEdit};
use crate::store::lead_lists::{self, LeadOrder};
use crate::store::{AnyConn, StoreError, lead_rows, leads, users};
use crate::web::Portal;
use crate::web::keyset::FilterDay;
use crate::web::leads::filter::LeadsQuery;

/// A lead.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Lead)]
pub struct LeadBody {
    id: LeadId,
    /// First and last name, else company, else e-mail address, else the topic.
    name: String,
    topic: String,
    status: LeadStatus,
    owner_id: UserId,
    source: LeadSource,
    /// The fields that have a value, by their words.
    values: BTreeMap<String, String>,
    account_id: Option<AccountId>,
    form_id: Option<FormId>,
    campaign_id: Option<CampaignId>,
    first_submission_id: Option<SubmissionId>,
    latest_submission_id: Option<SubmissionId>,
    latest_submitted_at: Option<DateTime<Utc>>,
    submission_count: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<Lead> for LeadBody {
    fn from(lead: Lead) -> Self {
        Self {
            name: lead.display_name(),
            values: lead
                .values
                .into_iter()
                .map(|(key, value)| (key.word().into_owned(), value))
                .collect(),
            id: lead.id,
            topic: lead.topic,
            status: lead.status,
            owner_id: lead.owner_id,
            source: lead.source,
            account_id: lead.account_id,
            form_id: lead.form_id,
            campaign_id: lead.campaign_id,
            first_submission_id: lead.first_submission_id,
            latest_submission_id: lead.latest_submission_id,
            latest_submitted_at: lead.latest_submitted_at,
            submission_count: lead.submission_count,
            created_at: lead.created_at,
            updated_at: lead.updated_at,
        }
    }
}

/// The filters of the page, with days of UTC.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct LeadsParameters {
    /// Beginnings of words that the name, an e-mail address or the company holds.
    q: Option<String>,
    /// Only in this status.
    status: Option<LeadStatus>,
    /// Only of this owner.
    owner: Option<UserId>,
    /// Only from this source.
    source: Option<LeadSource>,
    /// Only through this account.
    account: Option<AccountId>,
    /// Only from this form.
    form: Option<FormId>,
    /// Only from this campaign.
    campaign: Option<CampaignId>,
    /// Made on this day or later.
    created_from: Option<FilterDay>,
    /// Made on this day or before.
    created_to: Option<FilterDay>,
    /// With a latest submission of this day or later.
    submitted_from: Option<FilterDay>,
    /// With a latest submission of this day or before.
    submitted_to: Option<FilterDay>,
    /// The order; newest first, unless it says otherwise.
    sort: Option<LeadOrder>,
    /// Records on a page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<i64>,
    /// `next_cursor` of the page before, with the same parameters besides `limit`.
    cursor: Option<String>,
}

/// GET /leads, in the document.
pub fn describe_index() -> Described {
    Described::new(Group::Leads, "listLeads", "List leads")
        .filters::<LeadsParameters>()
        .sends_list::<LeadBody>(&document::lead())
}

/// GET /leads
///
/// # Errors
/// `BadParameter`, or as the database.
pub async fn index(
    portal: Data<Portal>,
    Parameters(asked): Parameters<LeadsParameters>,
) -> ApiAnswer {
    let limit = input::limit(asked.limit)?;
    let query = LeadsQuery {
        q: asked.q,
        status: asked.status,
        owner: asked.owner,
        source: asked.source,
        account: asked.account,
        form: asked.form,
        campaign: asked.campaign,
        created_from: asked.created_from,
        created_to: asked.created_to,
        submitted_from: asked.submitted_from,
        submitted_to: asked.submitted_to,
        sort: asked.sort,
        ..LeadsQuery::default()
    };
    let order = query.order();
    let start = input::start(order.as_str(), asked.cursor.as_deref())?;
    let filter = query.filter(TimeZone::UTC);
    let (rows, older) = portal
        .store
        .read(move |conn| {
            let page = lead_lists::page(conn, &filter, order, &start, limit)?;
            let ids: Vec<LeadId> = page.rows.iter().map(|row| row.id.clone()).collect();
            let mut found: HashMap<LeadId, Lead> = lead_rows::load(conn, &ids)?
                .into_iter()
                .map(|lead| (lead.id.clone(), lead))
                .collect();
            // In the order of the list.
            let rows: Vec<Lead> = ids.iter().filter_map(|id| found.remove(id)).collect();
            Ok::<_, StoreError>((rows, page.older))
        })
        .await?;
    Ok(output::list(
        rows.into_iter().map(LeadBody::from).collect(),
        older.map(|place| input::encode_cursor(order.as_str(), &place)),
    ))
}

/// GET /leads/{id}, in the document.
pub fn describe_show() -> Described {
    Described::new(Group::Leads, "getLead", "Get a lead")
        .record::<LeadId>()
        .sends::<LeadBody>(200, "The lead.", document::lead())
        .versioned()
}

/// GET /leads/{id}
///
/// # Errors
/// `NotFound`, or as the database.
pub async fn show(request: HttpRequest, portal: Data<Portal>, Id(id): Id<LeadId>) -> ApiAnswer {
    let lead = portal.store.read(move |conn| leads::get(conn, &id)).await?;
    let version = lead.lock_version;
    if input::is_known(&request, version) {
        return Ok(output::not_modified(version));
    }
    Ok(output::versioned(&LeadBody::from(lead), version))
}

/// Who is to own a lead.
#[derive(Debug)]
enum WantedOwner {
    Id(UserId),
    /// By the form in which addresses are unique.
    Email(String),
}

impl WantedOwner {
    /// The member that names the owner.
    const fn member(&self) -> &'static str {
        match self {
            Self::Id(_) => "owner_id",
            Self::Email(_) => "owner_email",
        }
    }

    /// The active person who is meant. The identity of the synchronization is none.
    fn find(&self, conn: &mut AnyConn) -> Result<UserId, StoreError> {
        let user = match self {
            Self::Id(id) => users::find(conn, id)?,
            Self::Email(key) => users::find_by_email(conn, key)?,
        };
        user.filter(|user| user.is_enabled && !user.roles.contains(&Role::S2sInbound))
            .map(|user| user.id)
            .ok_or_else(|| StoreError::Rule("There is no active user like that.".to_owned()))
    }
}

/// What is to change: what is not named stays as it is.
#[derive(Debug, Default)]
struct LeadPatch {
    status: Option<LeadStatus>,
    owner: Option<WantedOwner>,
}

impl LeadPatch {
    fn read(request: &HttpRequest) -> Result<Self, ApiError> {
        let mut patch = Self::default();
        let mut errors = Vec::new();
        let members = input::object(request)?;
        if members.is_empty() {
            errors.push((
                String::new(),
                "Name status, owner_id or owner_email.".to_owned(),
            ));
        }
        if members.contains_key("owner_id") && members.contains_key("owner_email") {
            errors.push((
                "owner_email".to_owned(),
                "Name the owner once: by owner_id or by owner_email.".to_owned(),
            ));
        }
        for (name, value) in &members {
            let text = value.as_str().unwrap_or_default();
            match name.as_str() {
                "status" => match text.parse() {
                    Ok(status) => patch.status = Some(status),
                    Err(_) => {
                        let known: Vec<&str> =
                            LeadStatus::ALL.iter().map(|one| one.as_str()).collect();
                        errors.push((name.clone(), format!("One of: {}.", known.join(", "))));
                    }
                },
                "owner_id" => match text.parse() {
                    Ok(owner) => patch.owner = Some(WantedOwner::Id(owner)),
                    Err(_) => errors.push((name.clone(), "The id of a user.".to_owned())),
                },
                "owner_email" => match check_email(text) {
                    Ok(key) => patch.owner = Some(WantedOwner::Email(key)),
                    Err(_) => {
                        errors.push((name.clone(), "The e-mail address of a user.".to_owned()));
                    }
                },
                other => errors.push((
                    crate::web::body::short(other),
                    "Only status, owner_id and owner_email can be changed.".to_owned(),
                )),
            }
        }
        if errors.is_empty() {
            Ok(patch)
        } else {
            Err(ApiError::Unprocessable(errors))
        }
    }
}

/// PATCH /leads/{id}, in the document.
pub fn describe_update() -> Described {
    let media_types = ["application/json", "application/merge-patch+json"];
    Described::new(Group::Leads, "updateLead", "Set status and owner of a lead")
        .about(
            "The change stands in the lead’s journal and in the audit log under the token’s name.",
        )
        .record::<LeadId>()
        .takes::<LeadChange>("What is to change.", &media_types, &document::lead_change())
        .sends::<LeadBody>(200, "The lead as it is now.", document::lead())
        .changes_a_version()
}

/// PATCH /leads/{id}
///
/// # Errors
/// `PreconditionRequired`, `PreconditionFailed`, `Unprocessable`, `NotFound`, or as the database.
pub async fn update(
    request: HttpRequest,
    portal: Data<Portal>,
    caller: Caller,
    Id(id): Id<LeadId>,
) -> ApiAnswer {
    let condition = Condition::of(&request)?;
    let patch = LeadPatch::read(&request)?;
    let change_id = portal.new_id().hyphenated().to_string();
    let now = portal.clock.now();
    let owner_member = patch.owner.as_ref().map(WantedOwner::member);
    let saved = portal
        .store
        .write(move |tx| {
            let before = leads::get(tx, &id)?;
            if condition.check(before.lock_version).is_err() {
                return Err(StoreError::Stale("lead"));
            }
            let owner_id = match &patch.owner {
                // Who owns it already may stay, even if no longer active.
                Some(WantedOwner::Id(id)) if *id == before.owner_id => before.owner_id,
                Some(owner) => owner.find(tx)?,
                None => before.owner_id,
            };
            let edit = LeadEdit {
                values: Vec::new(),
                status: patch.status.unwrap_or(before.status),
                owner_id,
            };
            let version = before.lock_version;
            let changes =
                lead_edits::save(tx, &id, version, &edit, caller.editor(), change_id, now)?;
            if !changes.is_empty() {
                let fields: Vec<&str> =
                    changes.iter().map(|change| change.field.as_str()).collect();
                let object = ("lead", id.as_str(), before.topic.as_str());
                let after = Some(json!({ "fields": fields, "token_id": caller.token.id }));
                audit::record(tx, now, &caller.actor(), "lead.edited", object, None, after)?;
            }
            leads::get(tx, &id)
        })
        .await;
    match saved {
        Ok(lead) => {
            let version = lead.lock_version;
            Ok(output::versioned(&LeadBody::from(lead), version))
        }
        Err(StoreError::Stale(_)) => Err(ApiError::PreconditionFailed),
        Err(StoreError::Rule(rule)) => Err(ApiError::field(owner_member.unwrap_or_default(), rule)),
        Err(error) => Err(error.into()),
    }
}
