//! LinkedIn accounts: list and get.

use actix_web::web::Data;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::document::{self, Described, Group};
use super::input::{self, Choice, Id, Parameters};
use super::{ApiAnswer, output};
use crate::domain::account::{CampaignSyncStatus, FormSyncStatus, OwnerType};
use crate::domain::ids::{AccountId, ProfileId, UserId};
use crate::domain::sync::FailureReason;
use crate::store::account_counts::{self, AccountCounts};
use crate::store::accounts::{self, Account, AccountFilter};
use crate::store::{AnyConn, StoreError};
use crate::web::Portal;
use crate::web::accounts::AccountState;

/// The order of the list, for its cursors.
const ORDER: &str = "first_seen";

/// A LinkedIn account: an ad account or a company page.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Account)]
pub struct AccountBody {
    id: AccountId,
    /// LinkedIn's number; unique together with `owner_type`.
    linkedin_id: i64,
    owner_type: OwnerType,
    /// Its name at LinkedIn.
    name: String,
    /// ISO 4217; ad accounts only.
    currency: Option<String>,
    /// LinkedIn's own status word.
    linkedin_status: Option<String>,
    /// Whether LinkedIn calls it a test account.
    is_test: bool,
    /// The company page behind an ad account.
    page_name: Option<String>,
    is_sync_enabled: bool,
    /// Since when nothing of it is read because somebody paused it.
    paused_at: Option<DateTime<Utc>>,
    state: AccountState,
    /// Who gets its leads.
    default_lead_owner_id: Option<UserId>,
    form_sync_status: FormSyncStatus,
    campaign_sync_status: CampaignSyncStatus,
    /// Why its last sync did not end well, if so.
    failure_reason: Option<FailureReason>,
    last_synchronized_at: Option<DateTime<Utc>>,
    /// When it is read next; null while it is switched off or paused.
    next_sync_at: Option<DateTime<Utc>>,
    /// Lead Gen forms.
    form_count: i64,
    campaign_count: i64,
    /// Form submissions, test leads included.
    submission_count: i64,
    /// When it was first seen.
    created_at: DateTime<Utc>,
}

impl AccountBody {
    fn new(account: Account, counts: AccountCounts) -> Self {
        Self {
            state: AccountState::of(&account),
            next_sync_at: account.planned_sync_at(),
            paused_at: account.pause.as_ref().map(|pause| pause.since),
            id: account.id,
            linkedin_id: account.linkedin_id,
            owner_type: account.owner_type,
            name: account.name,
            currency: account.currency,
            linkedin_status: account.linkedin_status,
            is_test: account.is_test,
            page_name: account.page_name,
            is_sync_enabled: account.is_sync_enabled,
            default_lead_owner_id: account.default_lead_owner.map(|(id, _)| id),
            form_sync_status: account.form_sync_status,
            campaign_sync_status: account.campaign_sync_status,
            failure_reason: account.failure_reason,
            last_synchronized_at: account.last_synchronized_at,
            form_count: counts.forms,
            campaign_count: counts.campaigns,
            submission_count: counts.submissions,
            created_at: account.created_at,
        }
    }

    fn of(conn: &mut AnyConn, accounts: Vec<Account>) -> Result<Vec<Self>, StoreError> {
        let ids: Vec<&AccountId> = accounts.iter().map(|account| &account.id).collect();
        let mut counts = account_counts::of(conn, &ids)?;
        Ok(accounts
            .into_iter()
            .map(|account| {
                let counted = counts.remove(account.id.as_str()).unwrap_or_default();
                Self::new(account, counted)
            })
            .collect())
    }
}

/// The filters of the page.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct AccountsParameters {
    /// Words that the name holds.
    q: Option<String>,
    /// Whether sync is enabled.
    enabled: Option<Choice>,
    /// How it stands.
    state: Option<AccountState>,
    /// Only those that this LinkedIn user profile sees.
    profile: Option<ProfileId>,
    /// Records on a page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

impl AccountsParameters {
    /// `None` when two of them exclude each other.
    fn filter(self) -> Option<AccountFilter> {
        let asked = self.enabled.map(Choice::is_yes);
        let (is_sync_enabled, is_paused, is_failing) = match self.state {
            None => (None, None, None),
            Some(AccountState::SwitchedOff) => (Some(false), None, None),
            Some(AccountState::Paused) => (Some(true), Some(true), None),
            Some(AccountState::Failing) => (Some(true), Some(false), Some(true)),
            Some(AccountState::Read) => (Some(true), Some(false), Some(false)),
        };
        if let (Some(asked), Some(needed)) = (asked, is_sync_enabled)
            && asked != needed
        {
            return None;
        }
        Some(AccountFilter {
            search: self.q,
            is_sync_enabled: is_sync_enabled.or(asked),
            profile_id: self.profile,
            is_paused,
            is_failing,
        })
    }
}

/// GET /accounts, in the document.
pub fn describe_index() -> Described {
    Described::new(Group::LinkedIn, "listAccounts", "List LinkedIn accounts")
        .filters::<AccountsParameters>()
        .sends_list::<AccountBody>(&document::account())
}

/// GET /accounts
///
/// # Errors
/// `BadParameter`, or as the database.
pub async fn index(
    portal: Data<Portal>,
    Parameters(asked): Parameters<AccountsParameters>,
) -> ApiAnswer {
    let limit = input::limit(asked.limit)?;
    let start = input::start(ORDER, asked.cursor.as_deref())?;
    let Some(filter) = asked.filter() else {
        return Ok(output::list(Vec::<AccountBody>::new(), None));
    };
    let (rows, older) = portal
        .store
        .read(move |conn| {
            let page = accounts::page(conn, &filter, &start, limit)?;
            Ok::<_, StoreError>((AccountBody::of(conn, page.rows)?, page.older))
        })
        .await?;
    let next = older.map(|place| input::encode_cursor(ORDER, &place));
    Ok(output::list(rows, next))
}

/// GET /accounts/{id}, in the document.
pub fn describe_show() -> Described {
    Described::new(Group::LinkedIn, "getAccount", "Get a LinkedIn account")
        .record::<AccountId>()
        .sends::<AccountBody>(200, "The account.", document::account())
}

/// GET /accounts/{id}
///
/// # Errors
/// `NotFound`, or as the database.
pub async fn show(portal: Data<Portal>, Id(id): Id<AccountId>) -> ApiAnswer {
    let account = portal
        .store
        .read(move |conn| {
            let account = accounts::get(conn, &id)?;
            let counts = account_counts::of(conn, &[&id])?.remove(id.as_str());
            Ok::<_, StoreError>(AccountBody::new(account, counts.unwrap_or_default()))
        })
        .await?;
    Ok(output::record(&account))
}
