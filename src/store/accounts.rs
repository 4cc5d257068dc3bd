//! LinkedIn accounts as pages show them, and what people change on them: sync enabled, default lead owner, “sync now”.

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;

use super::columns::{Cells, lower, search_patterns};
use super::paging::{Cursor, Page, PageStart, keyset};
use super::pauses::{Pause, PauseRow};
use super::schema::{account_pauses, linkedin_accounts as accounts, profile_accounts, users};
use super::{AnyConn, StoreError, database_now};
use crate::domain::account::{CampaignSyncStatus, FormSyncStatus, OwnerType};
use crate::domain::ids::{AccountId, ProfileId, UserId};
use crate::domain::sync::{FailureReason, RunTrigger};

/// A LinkedIn account with the names around it.
#[derive(Debug, Clone)]
pub struct Account {
    /// Its identifier.
    pub id: AccountId,
    /// An ad account or a company page.
    pub owner_type: OwnerType,
    /// LinkedIn's number.
    pub linkedin_id: i64,
    /// Its name at LinkedIn.
    pub name: String,
    /// The currency of an ad account.
    pub currency: Option<String>,
    /// LinkedIn's own status word.
    pub linkedin_status: Option<String>,
    /// Whether LinkedIn calls it a test account.
    pub is_test: bool,
    /// The company page behind an ad account.
    pub page_name: Option<String>,
    /// Whether its leads are pulled.
    pub is_sync_enabled: bool,
    /// Who gets its leads.
    pub default_lead_owner: Option<(UserId, String)>,
    /// How its forms stand.
    pub form_sync_status: FormSyncStatus,
    /// How its campaigns stand.
    pub campaign_sync_status: CampaignSyncStatus,
    /// Why its last sync did not end well, if so.
    pub failure_reason: Option<FailureReason>,
    /// A short detail beside the reason.
    pub failure_detail: Option<String>,
    /// When its forms were last read.
    pub last_form_sync_at: Option<DateTime<Utc>>,
    /// When its campaigns were last read.
    pub last_campaign_sync_at: Option<DateTime<Utc>>,
    /// When it was last pulled to its end.
    pub last_synchronized_at: Option<DateTime<Utc>>,
    /// When it is due next.
    pub next_sync_at: Option<DateTime<Utc>>,
    /// Why it is due, if somebody asked.
    pub requested_trigger: Option<RunTrigger>,
    /// Until when somebody holds it for syncing.
    pub lease_expires_at: Option<DateTime<Utc>>,
    /// Failures in a row.
    pub failure_streak: i64,
    /// Since when nothing of it is read because somebody paused it.
    pub pause: Option<Pause>,
    /// When it was first seen.
    pub created_at: DateTime<Utc>,
}

impl Account {
    /// When it is read next, as things stand: not while it is switched off or paused.
    #[must_use]
    pub fn planned_sync_at(&self) -> Option<DateTime<Utc>> {
        self.next_sync_at
            .filter(|_| self.is_sync_enabled && self.pause.is_none())
    }
}

#[derive(Queryable)]
struct AccountRow {
    id: String,
    owner_type: String,
    linkedin_id: i64,
    name: String,
    currency: Option<String>,
    linkedin_status: Option<String>,
    is_test: bool,
    page_name: Option<String>,
    is_sync_enabled: bool,
    default_lead_owner_id: Option<String>,
    form_sync_status: String,
    campaign_sync_status: String,
    failure_reason: Option<String>,
    failure_detail: Option<String>,
    last_form_sync_at: Option<NaiveDateTime>,
    last_campaign_sync_at: Option<NaiveDateTime>,
    last_synchronized_at: Option<NaiveDateTime>,
    next_sync_at: Option<NaiveDateTime>,
    requested_trigger: Option<String>,
    lease_expires_at: Option<NaiveDateTime>,
    failure_streak: i64,
    owner_name: Option<String>,
    pause: Option<PauseRow>,
    created_at: NaiveDateTime,
}

/// The columns of [`AccountRow`], in its order.
macro_rules! account_columns {
    () => {
        (
            accounts::id,
            accounts::owner_type,
            accounts::linkedin_id,
            accounts::name,
            accounts::currency,
            accounts::linkedin_status,
            accounts::is_test,
            accounts::page_name,
            accounts::is_sync_enabled,
            accounts::default_lead_owner_id,
            accounts::form_sync_status,
            accounts::campaign_sync_status,
            accounts::failure_reason,
            accounts::failure_detail,
            accounts::last_form_sync_at,
            accounts::last_campaign_sync_at,
            accounts::last_synchronized_at,
            accounts::next_sync_at,
            accounts::requested_trigger,
            accounts::lease_expires_at,
            accounts::failure_streak,
            users::name.nullable(),
            (
                account_pauses::paused_at,
                account_pauses::paused_by_name,
                account_pauses::reason,
            )
                .nullable(),
            accounts::created_at,
        )
    };
}

impl TryFrom<AccountRow> for Account {
    type Error = StoreError;

    fn try_from(row: AccountRow) -> Result<Self, StoreError> {
        let cells = Cells {
            table: "linkedin_accounts",
            id: &row.id,
        };
        let owner_id = cells.optional(
            "default_lead_owner_id",
            row.default_lead_owner_id.as_deref(),
        )?;
        Ok(Self {
            id: cells.word("id", &row.id)?,
            owner_type: cells.word("owner_type", &row.owner_type)?,
            form_sync_status: cells.word("form_sync_status", &row.form_sync_status)?,
            campaign_sync_status: cells.word("campaign_sync_status", &row.campaign_sync_status)?,
            failure_reason: cells.optional("failure_reason", row.failure_reason.as_deref())?,
            requested_trigger: cells
                .optional("requested_trigger", row.requested_trigger.as_deref())?,
            default_lead_owner: owner_id.zip(row.owner_name),
            linkedin_id: row.linkedin_id,
            name: row.name,
            currency: row.currency,
            linkedin_status: row.linkedin_status,
            is_test: row.is_test,
            page_name: row.page_name,
            is_sync_enabled: row.is_sync_enabled,
            failure_detail: row.failure_detail,
            last_form_sync_at: row.last_form_sync_at.map(|at| at.and_utc()),
            last_campaign_sync_at: row.last_campaign_sync_at.map(|at| at.and_utc()),
            last_synchronized_at: row.last_synchronized_at.map(|at| at.and_utc()),
            next_sync_at: row.next_sync_at.map(|at| at.and_utc()),
            lease_expires_at: row.lease_expires_at.map(|at| at.and_utc()),
            failure_streak: row.failure_streak,
            pause: row.pause.map(Pause::from),
            created_at: row.created_at.and_utc(),
        })
    }
}

/// Which accounts a list shows.
#[derive(Debug, Clone, Default)]
pub struct AccountFilter {
    /// Words that the name holds.
    pub search: Option<String>,
    /// Only those with sync enabled, or only those without.
    pub is_sync_enabled: Option<bool>,
    /// Only those that this profile sees.
    pub profile_id: Option<ProfileId>,
    /// Only those that somebody paused, or only the others.
    pub is_paused: Option<bool>,
    /// Only those whose last sync did not end well, or only the others.
    pub is_failing: Option<bool>,
}

/// Adds the filter's conditions to a boxed query on accounts with their pauses.
macro_rules! filtered {
    ($query:ident, $filter:expr) => {
        if let Some(is_enabled) = $filter.is_sync_enabled {
            $query = $query.filter(accounts::is_sync_enabled.eq(is_enabled));
        }
        if let Some(profile_id) = &$filter.profile_id {
            $query = $query.filter(
                accounts::id.eq_any(
                    profile_accounts::table
                        .filter(profile_accounts::profile_id.eq(profile_id.as_str()))
                        .select(profile_accounts::account_id),
                ),
            );
        }
        match $filter.is_paused {
            None => {}
            Some(true) => {
                $query = $query.filter(account_pauses::account_id.nullable().is_not_null());
            }
            Some(false) => {
                $query = $query.filter(account_pauses::account_id.nullable().is_null());
            }
        }
        match $filter.is_failing {
            None => {}
            Some(true) => $query = $query.filter(accounts::failure_reason.is_not_null()),
            Some(false) => $query = $query.filter(accounts::failure_reason.is_null()),
        }
        for pattern in search_patterns($filter.search.as_deref().unwrap_or_default()) {
            $query = $query.filter(lower(accounts::name.nullable()).like(pattern).escape('\\'));
        }
    };
}

/// At most this many accounts are listed.
const LIST_LIMIT: i64 = 500;

/// The accounts that pass the filter, by name.
///
/// # Errors
/// As any query.
pub fn list(conn: &mut AnyConn, filter: &AccountFilter) -> Result<Vec<Account>, StoreError> {
    let mut query = accounts::table
        .left_join(users::table)
        .left_join(account_pauses::table)
        .select(account_columns!())
        .order((accounts::name.asc(), accounts::id.asc()))
        .limit(LIST_LIMIT)
        .into_boxed();
    filtered!(query, filter);
    query
        .load::<AccountRow>(conn)?
        .into_iter()
        .map(Account::try_from)
        .collect()
}

/// One page of `size` accounts that pass the filter, those first that were seen last.
///
/// # Errors
/// As any query.
pub fn page(
    conn: &mut AnyConn,
    filter: &AccountFilter,
    start: &PageStart,
    size: i64,
) -> Result<Page<Account>, StoreError> {
    let mut query = accounts::table
        .left_join(users::table)
        .left_join(account_pauses::table)
        .select(account_columns!())
        .into_boxed();
    filtered!(query, filter);
    keyset!(query, start, accounts::created_at, accounts::id);
    let rows = query
        .limit(size + 1)
        .load::<AccountRow>(conn)?
        .into_iter()
        .map(Account::try_from)
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Page::cut_at(size, rows, start, |row| Cursor {
        at: row.created_at,
        id: row.id.as_str().to_owned(),
    }))
}

/// The account, if there is one.
///
/// # Errors
/// As any query.
pub fn find(conn: &mut AnyConn, id: &AccountId) -> Result<Option<Account>, StoreError> {
    accounts::table
        .left_join(users::table)
        .left_join(account_pauses::table)
        .filter(accounts::id.eq(id.as_str()))
        .select(account_columns!())
        .first::<AccountRow>(conn)
        .optional()?
        .map(Account::try_from)
        .transpose()
}

/// The account with LinkedIn's number, if there is one.
///
/// # Errors
/// As any query.
pub fn find_by_linkedin(
    conn: &mut AnyConn,
    owner_type: OwnerType,
    linkedin_id: i64,
) -> Result<Option<Account>, StoreError> {
    let id: Option<String> = accounts::table
        .filter(accounts::owner_type.eq(owner_type.as_str()))
        .filter(accounts::linkedin_id.eq(linkedin_id))
        .select(accounts::id)
        .first(conn)
        .optional()?;
    match id {
        Some(id) => find(conn, &super::columns::id("linkedin_accounts", &id)?),
        None => Ok(None),
    }
}

/// The account.
///
/// # Errors
/// `NotFound` when there is none.
pub fn get(conn: &mut AnyConn, id: &AccountId) -> Result<Account, StoreError> {
    find(conn, id)?.ok_or(StoreError::NotFound("LinkedIn account"))
}

/// Identifiers and names of all accounts, by name: for filters.
///
/// # Errors
/// As any query.
pub fn names(conn: &mut AnyConn) -> Result<Vec<(String, String)>, StoreError> {
    Ok(accounts::table
        .order((accounts::name.asc(), accounts::id.asc()))
        .select((accounts::id, accounts::name))
        .limit(LIST_LIMIT)
        .load(conn)?)
}

/// Whether this person has a profile that sees the account.
///
/// # Errors
/// As any query.
pub fn is_seen_by(
    conn: &mut AnyConn,
    id: &AccountId,
    user_id: &UserId,
) -> Result<bool, StoreError> {
    use super::schema::linkedin_user_profiles;
    let seen: i64 = profile_accounts::table
        .inner_join(linkedin_user_profiles::table)
        .filter(profile_accounts::account_id.eq(id.as_str()))
        .filter(linkedin_user_profiles::user_id.eq(user_id.as_str()))
        .count()
        .get_result(conn)?;
    Ok(seen > 0)
}

/// Saves what people decide about an account. Switching it on makes it due now.
///
/// # Errors
/// `NotFound` when it is gone; `InUse` when the owner is no user.
pub fn save(
    conn: &mut AnyConn,
    id: &AccountId,
    is_sync_enabled: bool,
    default_lead_owner_id: Option<&UserId>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let before = get(conn, id)?;
    let form_sync_status = match (before.is_sync_enabled, is_sync_enabled) {
        (false, true) => FormSyncStatus::PendingSynchronization,
        (true, false) => FormSyncStatus::NotSyncing,
        _ => before.form_sync_status,
    };
    let next_sync_at = match (before.is_sync_enabled, is_sync_enabled) {
        (false, true) => Some(database_now(conn)?),
        _ => before.next_sync_at,
    };
    diesel::update(accounts::table.filter(accounts::id.eq(id.as_str())))
        .set((
            accounts::is_sync_enabled.eq(is_sync_enabled),
            accounts::default_lead_owner_id.eq(default_lead_owner_id.map(UserId::as_str)),
            accounts::form_sync_status.eq(form_sync_status.as_str()),
            accounts::next_sync_at.eq(next_sync_at.map(|at| at.naive_utc())),
            accounts::updated_at.eq(now.naive_utc()),
            accounts::lock_version.eq(accounts::lock_version + 1),
        ))
        .execute(conn)?;
    Ok(())
}

/// Makes an account due now, by the database's clock, because somebody asked.
///
/// # Errors
/// `Rule` when its sync is switched off or paused, or when nobody may read it.
pub fn request_sync(conn: &mut AnyConn, id: &AccountId) -> Result<(), StoreError> {
    let account = get(conn, id)?;
    if !account.is_sync_enabled {
        return Err(StoreError::Rule(
            "Sync is switched off for this account. Switch “Sync enabled” on first.".to_owned(),
        ));
    }
    if let Some(pause) = account.pause {
        return Err(StoreError::Rule(format!(
            "{} paused this account, so nothing of it is read. Resume it first.",
            pause.by
        )));
    }
    if !super::due::is_readable(conn, id)? {
        return Err(StoreError::Rule(
            "No authorized LinkedIn user profile reads this account now. Authorize one that sees it first.".to_owned(),
        ));
    }
    let due = database_now(conn)?;
    diesel::update(accounts::table.filter(accounts::id.eq(id.as_str())))
        .set((
            accounts::next_sync_at.eq(Some(due.naive_utc())),
            accounts::requested_trigger.eq(Some(RunTrigger::Manual.as_str())),
        ))
        .execute(conn)?;
    Ok(())
}
