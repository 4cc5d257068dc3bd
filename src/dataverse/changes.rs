//! What became of leads in the organization: by change tracking where the table has it, by the time of their last change
//! where it has not; and the people who own them.

use chrono::{DateTime, SecondsFormat, Utc};
use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

use super::DataverseClient;
use super::error::DataverseError;
use super::http::Call;
use super::query::{encoded, equals};
use super::wire::{ChangedRow, Changes, Collection, Definition, UserRow};

/// What is read of a lead.
const COLUMNS: &str = "leadid,statecode,statuscode,_ownerid_value,modifiedon";
/// The owner's name, and whether it is a user or a team.
const ANNOTATIONS: &str = "odata.include-annotations=\"OData.Community.Display.V1.FormattedValue,Microsoft.Dynamics.CRM.lookuplogicalname\"";
/// So many leads are asked for by their ids in one request.
const IDS: usize = 50;
/// So many people are asked for in one request: an address must not grow without end.
const PEOPLE: usize = 20;

/// Who owns a lead in the organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeadOwner {
    /// The `systemuserid` or `teamid`.
    pub id: Uuid,
    /// The name that people read there.
    pub name: Option<String>,
    /// A team instead of a user.
    pub is_team: bool,
}

/// A lead as the organization has it now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeadState {
    /// The record.
    pub id: Uuid,
    /// 0 open, 1 qualified, 2 disqualified.
    pub state: Option<i64>,
    /// The reason of the state.
    pub status: Option<i64>,
    /// Whose it is.
    pub owner: Option<LeadOwner>,
    /// When it was changed last.
    pub modified_at: Option<DateTime<Utc>>,
}

impl LeadState {
    /// A lead that is there and that may not be read.
    #[must_use]
    pub const fn unknown(id: Uuid) -> Self {
        Self {
            id,
            state: None,
            status: None,
            owner: None,
            modified_at: None,
        }
    }
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeadChange {
    /// The lead is new or was changed; this is how it is now.
    Saved(LeadState),
    /// The lead is no longer there.
    Deleted(Uuid),
}

/// A page of changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangePage {
    /// What happened, in the order of the service.
    pub changes: Vec<LeadChange>,
    /// Where the next page is; absent on the last one.
    pub next_link: Option<String>,
    /// What to follow for later changes; on the last page of change tracking only.
    pub delta_link: Option<String>,
}

/// A user of the organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrganizationUser {
    /// The `systemuserid`.
    pub id: Uuid,
    /// The full name.
    pub name: Option<String>,
    /// `internalemailaddress`
    pub email: Option<String>,
    /// `domainname`: what the user signs in with, most often an e-mail address.
    pub sign_in_name: Option<String>,
    /// Nobody can own records with it any more.
    pub is_disabled: bool,
}

/// What a qualified lead leaves behind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Qualification {
    /// An account is made.
    pub account: bool,
    /// A contact is made.
    pub contact: bool,
    /// An opportunity is made.
    pub opportunity: bool,
}

impl DataverseClient {
    /// Whether the organization tracks the changes of its leads.
    ///
    /// # Errors
    /// As the organization.
    pub async fn tracks_leads(&self) -> Result<bool, DataverseError> {
        let path = "EntityDefinitions(LogicalName='lead')?$select=ChangeTrackingEnabled";
        let received = self.call(&Call::get(self.address_of(path))).await?;
        let definition: Definition = received.json()?;
        Ok(definition.change_tracking_enabled.unwrap_or(false))
    }

    /// Every lead as it is now; the last page carries the link for later changes.
    ///
    /// # Errors
    /// `Invalid` where changes are not tracked, or as the organization.
    pub async fn tracked_leads(&self, page_size: u32) -> Result<ChangePage, DataverseError> {
        let url = self.address_of(&format!("leads?$select={COLUMNS}"));
        self.changes(url, page_size, true).await
    }

    /// The leads that were changed at a moment or later, the earliest first. Tells no deletions.
    ///
    /// # Errors
    /// As the organization.
    pub async fn leads_modified_since(
        &self,
        since: DateTime<Utc>,
        page_size: u32,
    ) -> Result<ChangePage, DataverseError> {
        let since = since.to_rfc3339_opts(SecondsFormat::Secs, true);
        let filter = encoded(&format!("modifiedon ge {since}"));
        let path = format!(
            "leads?$select={COLUMNS}&$filter={filter}&$orderby=modifiedon%20asc,leadid%20asc"
        );
        self.changes(self.address_of(&path), page_size, false).await
    }

    /// When a lead was changed last, by the organization's clock; `None`: there is none.
    ///
    /// # Errors
    /// As the organization.
    pub async fn last_modified(&self) -> Result<Option<DateTime<Utc>>, DataverseError> {
        let path = format!("leads?$select={COLUMNS}&$orderby=modifiedon%20desc");
        let page = self.changes(self.address_of(&path), 1, false).await?;
        Ok(page.changes.into_iter().find_map(|change| match change {
            LeadChange::Saved(state) => state.modified_at,
            LeadChange::Deleted(_) => None,
        }))
    }

    /// The page that a `next_link` or a `delta_link` names.
    ///
    /// # Errors
    /// `LinkExpired` when the organization no longer knows the link: begin again. `UnexpectedAnswer` when it leads
    /// elsewhere, or as the organization.
    pub async fn follow_changes(
        &self,
        link: &str,
        page_size: u32,
    ) -> Result<ChangePage, DataverseError> {
        // The token goes to the organization only, whatever a link says.
        if !self.is_own_link(link) {
            return Err(DataverseError::unexpected(
                "a page of changes that is elsewhere",
            ));
        }
        // Further pages of a window carry its filter, which change tracking would refuse.
        let is_tracked = !link.contains("$filter=") && !link.contains("%24filter=");
        match self.changes(link.to_owned(), page_size, is_tracked).await {
            // A link is the organization's own words: it can be refused for its age only.
            Err(DataverseError::Invalid(refusal)) => Err(DataverseError::LinkExpired(refusal)),
            other => other,
        }
    }

    /// Whether a link leads to this organization.
    #[must_use]
    pub fn is_own_link(&self, link: &str) -> bool {
        link.starts_with(&self.address_of("leads?"))
    }

    /// These leads as they are now; those that are not there are left out.
    ///
    /// # Errors
    /// As the organization.
    pub async fn lead_states(&self, ids: &[Uuid]) -> Result<Vec<LeadState>, DataverseError> {
        let mut states = Vec::new();
        for some in ids.chunks(IDS) {
            let wanted: Vec<String> = some.iter().map(|id| format!("leadid eq {id}")).collect();
            let filter = encoded(&wanted.join(" or "));
            let url = self.address_of(&format!("leads?$select={COLUMNS}&$filter={filter}"));
            let page = self.changes(url, 5_000, false).await?;
            states.extend(page.changes.into_iter().filter_map(|change| match change {
                LeadChange::Saved(state) => Some(state),
                LeadChange::Deleted(_) => None,
            }));
        }
        Ok(states)
    }

    async fn changes(
        &self,
        url: String,
        page_size: u32,
        is_tracked: bool,
    ) -> Result<ChangePage, DataverseError> {
        let mut prefer = format!("odata.maxpagesize={page_size},{ANNOTATIONS}");
        if is_tracked {
            prefer.push_str(",odata.track-changes");
        }
        let call = Call {
            prefer: Some(prefer),
            ..Call::get(url)
        };
        let page: Changes = self.call(&call).await?.json()?;
        if is_tracked && page.next_link.is_none() && page.delta_link.is_none() {
            return Err(DataverseError::unexpected(
                "the last page of changes without a link for later ones",
            ));
        }
        let changes: Result<Vec<Option<LeadChange>>, DataverseError> =
            page.value.into_iter().map(change).collect();
        Ok(ChangePage {
            changes: changes?.into_iter().flatten().collect(),
            next_link: page.next_link,
            delta_link: page.delta_link,
        })
    }

    /// Qualifies an open lead by the organization's own action, which makes the records that are asked for.
    ///
    /// # Errors
    /// `Invalid` when the lead is closed already, `RecordNotFound`, or as the organization.
    pub async fn qualify_lead(&self, id: Uuid, makes: Qualification) -> Result<(), DataverseError> {
        // -1: the reason that the organization has chosen for qualified leads (dataverse-api.md §2.12).
        let body = json!({
            "CreateAccount": makes.account,
            "CreateContact": makes.contact,
            "CreateOpportunity": makes.opportunity,
            "Status": -1,
        });
        let url = self.address_of(&format!("leads({id})/Microsoft.Dynamics.CRM.QualifyLead"));
        self.call(&Call::send(Method::POST, url, &body)).await?;
        Ok(())
    }

    /// The users with these ids; those that do not exist are left out.
    ///
    /// # Errors
    /// As the organization.
    pub async fn users(&self, ids: &[Uuid]) -> Result<Vec<OrganizationUser>, DataverseError> {
        let wanted: Vec<String> = ids
            .iter()
            .map(|id| format!("systemuserid eq {id}"))
            .collect();
        self.people(&wanted).await
    }

    /// The users who have one of these e-mail addresses, as their own or as what they sign in with.
    ///
    /// # Errors
    /// As the organization.
    pub async fn users_by_email(
        &self,
        addresses: &[String],
    ) -> Result<Vec<OrganizationUser>, DataverseError> {
        let wanted: Vec<String> = addresses
            .iter()
            .flat_map(|address| {
                ["internalemailaddress", "domainname"]
                    .iter()
                    .filter_map(move |column| equals(column, address))
            })
            .collect();
        self.people(&wanted).await
    }

    async fn people(&self, wanted: &[String]) -> Result<Vec<OrganizationUser>, DataverseError> {
        let mut users: Vec<OrganizationUser> = Vec::new();
        for some in wanted.chunks(PEOPLE) {
            let filter = encoded(&some.join(" or "));
            let path = format!(
                "systemusers?$select=systemuserid,fullname,internalemailaddress,domainname,isdisabled&$filter={filter}"
            );
            let received = self.call(&Call::get(self.address_of(&path))).await?;
            let page: Collection<UserRow> = received.json()?;
            for row in page.value {
                let user = user(row)?;
                // Somebody may be found by both columns.
                if !users.iter().any(|known| known.id == user.id) {
                    users.push(user);
                }
            }
        }
        Ok(users)
    }
}

fn id(text: &str) -> Result<Uuid, DataverseError> {
    Uuid::try_parse(text).map_err(|_| DataverseError::unexpected("an id that is none"))
}

/// One row; nothing for one that says nothing about a lead that is there or was deleted.
fn change(row: ChangedRow) -> Result<Option<LeadChange>, DataverseError> {
    if let (None, Some(reason), Some(gone)) = (&row.lead_id, &row.reason, &row.id) {
        // "changed" is a record that left the set for another reason than its end.
        return Ok(match reason.as_str() {
            "deleted" => Some(LeadChange::Deleted(id(gone)?)),
            _ => None,
        });
    }
    let lead_id = row
        .lead_id
        .ok_or_else(|| DataverseError::unexpected("a changed lead without its id"))?;
    let owner = match row.owner {
        Some(owner) => Some(LeadOwner {
            id: id(&owner)?,
            name: row.owner_name,
            is_team: row.owner_table.as_deref() == Some("team"),
        }),
        None => None,
    };
    Ok(Some(LeadChange::Saved(LeadState {
        id: id(&lead_id)?,
        state: row.state,
        status: row.status,
        owner,
        modified_at: row
            .modified_on
            .and_then(|text| DateTime::parse_from_rfc3339(&text).ok())
            .map(|at| at.to_utc()),
    })))
}

fn user(row: UserRow) -> Result<OrganizationUser, DataverseError> {
    Ok(OrganizationUser {
        id: id(&row.id)?,
        name: row.name,
        email: row.email,
        sign_in_name: row.sign_in_name,
        is_disabled: row.is_disabled.unwrap_or(false),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAD: &str = "60c4e274-0d87-e711-80e5-00155db19e6d";

    fn read(row: serde_json::Value) -> Result<Option<LeadChange>, DataverseError> {
        change(serde_json::from_value(row).expect("a row"))
    }

    #[test]
    fn a_changed_lead_is_read_with_the_name_of_its_owner() {
        let row = json!({
            "@odata.etag": "W/\"915244\"", "leadid": LEAD, "statecode": 2, "statuscode": 7,
            "_ownerid_value": LEAD, "modifiedon": "2026-11-20T12:00:00Z",
            "_ownerid_value@OData.Community.Display.V1.FormattedValue": "Inbound sales",
            "_ownerid_value@Microsoft.Dynamics.CRM.lookuplogicalname": "team",
        });
        let Ok(Some(LeadChange::Saved(state))) = read(row) else {
            panic!("a changed lead");
        };
        assert_eq!((state.state, state.status), (Some(2), Some(7)));
        let owner = state.owner.expect("an owner");
        assert_eq!(
            (owner.name.as_deref(), owner.is_team),
            (Some("Inbound sales"), true)
        );
        assert!(state.modified_at.is_some());
    }

    #[test]
    fn only_what_was_deleted_is_deleted_and_what_is_neither_is_an_error() {
        let gone = |reason: &str| {
            let context =
                "https://contoso.crm4.dynamics.com/api/data/v9.2/$metadata#leads/$deletedEntity";
            read(json!({ "@odata.context": context, "id": LEAD, "reason": reason }))
        };
        let id = Uuid::try_parse(LEAD).expect("an id");
        assert_eq!(gone("deleted"), Ok(Some(LeadChange::Deleted(id))));
        assert_eq!(gone("changed"), Ok(None));
        assert!(read(json!({ "statecode": 0 })).is_err());
        assert!(read(json!({ "leadid": "no id" })).is_err());
    }
}
