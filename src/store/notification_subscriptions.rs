//! The portal's subscriptions to LinkedIn's notifications: which there should be, which there are, and what is to be done.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use diesel::prelude::*;

use super::columns::Cells;
use super::schema::{
    active_consents, lead_notifications, linkedin_accounts as a, linkedin_tokens,
    linkedin_user_profiles as p, notification_subscriptions as s, profile_accounts as pa,
};
use super::{AnyConn, StoreError, columns, database_now};
use crate::domain::account::{LeadType, OwnerType};
use crate::domain::ids::{AccountId, ProfileId};
use crate::domain::notification::{SubscriptionState, may_read};
use crate::domain::profile::Authorization;
use crate::domain::sync::FailureReason;
use crate::each;

const TABLE: &str = "notification_subscriptions";
/// How long a subscription is believed before LinkedIn is asked again.
const BELIEVED: TimeDelta = TimeDelta::hours(24);

type Key = (String, LeadType);

/// The pairs of account and lead type that authorised profiles with consent may subscribe to.
fn readable(conn: &mut AnyConn, only_enabled: bool) -> Result<BTreeSet<Key>, StoreError> {
    let rows: Vec<(String, String, bool, String)> = pa::table
        .inner_join(p::table.inner_join(linkedin_tokens::table))
        .inner_join(a::table)
        .filter(p::authorization_status.eq(Authorization::Authorized.as_str()))
        .filter(
            p::authorized_by
                .eq_any(active_consents::table.select(active_consents::user_id.nullable())),
        )
        .select((a::id, a::owner_type, a::is_sync_enabled, pa::page_roles))
        .load(conn)?;
    let mut pairs = BTreeSet::new();
    for (id, owner_type, is_enabled, roles) in rows {
        if only_enabled && !is_enabled {
            continue;
        }
        let cells = Cells {
            table: "linkedin_accounts",
            id: &id,
        };
        let owner: OwnerType = cells.word("owner_type", &owner_type)?;
        let roles: Vec<&str> = roles.split(',').collect();
        for lead_type in owner.lead_types() {
            if may_read(*lead_type, &roles) {
                pairs.insert((id.clone(), *lead_type));
            }
        }
    }
    Ok(pairs)
}

type Row = (
    String,
    String,
    String,
    Option<String>,
    String,
    i64,
    Option<NaiveDateTime>,
);

/// A row as it stands.
#[derive(Debug, Clone)]
struct Standing {
    state: SubscriptionState,
    linkedin_id: Option<String>,
    webhook: String,
    attempts: i64,
    is_due: bool,
}

fn read(row: Row, now: NaiveDateTime) -> Result<(Key, Standing), StoreError> {
    let (account, lead_type, state, linkedin_id, webhook, attempts, next) = row;
    let cells = Cells {
        table: TABLE,
        id: &account,
    };
    let standing = Standing {
        state: cells.word("state", &state)?,
        linkedin_id,
        webhook,
        attempts,
        is_due: next.is_some_and(|next| next <= now),
    };
    let lead_type = cells.word("lead_type", &lead_type)?;
    Ok(((account, lead_type), standing))
}

fn all(conn: &mut AnyConn, now: NaiveDateTime) -> Result<BTreeMap<Key, Standing>, StoreError> {
    let rows: Vec<Row> = s::table
        .select((
            s::account_id,
            s::lead_type,
            s::state,
            s::linkedin_id,
            s::webhook,
            s::attempts,
            s::next_attempt_at,
        ))
        .load(conn)?;
    rows.into_iter().map(|row| read(row, now)).collect()
}

/// What the plan changes, so that a look that finds nothing needs no write lock.
#[derive(Debug, Default)]
pub struct Plan {
    new: Vec<Key>,
    due: Vec<Key>,
    is_any_due: bool,
}

impl Plan {
    /// Whether there is anything to store.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.new.is_empty() && self.due.is_empty()
    }

    /// Whether there is anything to ask LinkedIn.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.is_empty() && !self.is_any_due
    }
}

/// Compares what should be subscribed to with what is. `webhook` is where notifications are to go, `None` where the portal
/// wants none.
///
/// # Errors
/// As any query.
pub fn plan(conn: &mut AnyConn, webhook: Option<&str>) -> Result<Plan, StoreError> {
    let now = database_now(conn)?.naive_utc();
    let wanted = match webhook {
        Some(_) => readable(conn, true)?,
        None => BTreeSet::new(),
    };
    let standing = all(conn, now)?;
    let mut plan = Plan {
        new: wanted
            .iter()
            .filter(|key| !standing.contains_key(*key))
            .cloned()
            .collect(),
        ..Plan::default()
    };
    for (key, row) in standing {
        plan.is_any_due |= row.is_due;
        let is_to_change = match row.state {
            _ if row.is_due => false,
            SubscriptionState::Deleted => wanted.contains(&key),
            SubscriptionState::Active => {
                !wanted.contains(&key) || webhook.is_some_and(|webhook| webhook != row.webhook)
            }
            // What failed has its own next attempt; where nothing is left to be ended, it ends at once.
            SubscriptionState::Pending | SubscriptionState::Failed => {
                row.linkedin_id.is_none() && !wanted.contains(&key)
            }
        };
        if is_to_change {
            plan.due.push(key);
        }
    }
    Ok(plan)
}

/// Stores a plan: what is new, and what is due from now on.
///
/// # Errors
/// As any query.
pub fn save_plan(conn: &mut AnyConn, plan: &Plan) -> Result<(), StoreError> {
    let now = database_now(conn)?.naive_utc();
    for (account, lead_type) in &plan.new {
        let row = (
            s::account_id.eq(account),
            s::lead_type.eq(lead_type.as_str()),
            s::state.eq(SubscriptionState::Pending.as_str()),
            s::webhook.eq(""),
            s::attempts.eq(0_i64),
            s::next_attempt_at.eq(now),
        );
        each!(conn, |c| diesel::insert_into(s::table)
            .values(row)
            .on_conflict((s::account_id, s::lead_type))
            .do_nothing()
            .execute(c))?;
    }
    for (account, lead_type) in &plan.due {
        diesel::update(s::table.find((account, lead_type.as_str())))
            .set((s::attempts.eq(0_i64), s::next_attempt_at.eq(now)))
            .execute(conn)?;
    }
    Ok(())
}

/// One that is due, in the hands of one process.
#[derive(Debug, Clone)]
pub struct DueSubscription {
    /// The account.
    pub account_id: AccountId,
    /// Which of its leads.
    pub lead_type: LeadType,
    /// LinkedIn's number, where there is one.
    pub linkedin_id: Option<String>,
    /// The address it was made with.
    pub webhook: String,
    /// Whether the account is to be read, and may be.
    pub is_wanted: bool,
}

/// Takes one that is due, and puts off its next attempt, so that no other process takes it meanwhile.
///
/// # Errors
/// As any query.
pub fn claim(conn: &mut AnyConn) -> Result<Option<DueSubscription>, StoreError> {
    let now = database_now(conn)?;
    let row: Option<Row> = s::table
        .filter(s::next_attempt_at.le(now.naive_utc()))
        .order((s::next_attempt_at.asc(), s::account_id.asc()))
        .select((
            s::account_id,
            s::lead_type,
            s::state,
            s::linkedin_id,
            s::webhook,
            s::attempts,
            s::next_attempt_at,
        ))
        .first(conn)
        .optional()?;
    let Some(row) = row else { return Ok(None) };
    let ((account, lead_type), standing) = read(row, now.naive_utc())?;
    let exponent = u32::try_from(standing.attempts).unwrap_or(0).min(10);
    let pause = TimeDelta::minutes(2_i64.saturating_pow(exponent));
    let won = diesel::update(
        s::table
            .find((&account, lead_type.as_str()))
            .filter(s::next_attempt_at.le(now.naive_utc()))
            .filter(s::attempts.eq(standing.attempts)),
    )
    .set((
        s::attempts.eq(standing.attempts + 1),
        s::next_attempt_at.eq((now + pause).naive_utc()),
    ))
    .execute(conn)?;
    if won == 0 {
        return Ok(None);
    }
    let key = (account, lead_type);
    Ok(Some(DueSubscription {
        is_wanted: readable(conn, true)?.contains(&key),
        account_id: columns::id(TABLE, &key.0)?,
        lead_type,
        linkedin_id: standing.linkedin_id,
        webhook: standing.webhook,
    }))
}

/// How an attempt ended.
#[derive(Debug, Clone)]
pub enum Settled {
    /// LinkedIn notifies.
    Active {
        /// LinkedIn's number.
        linkedin_id: String,
        /// Where the notifications go.
        webhook: String,
    },
    /// It could not be made, found or ended; tried again later.
    Failed(FailureReason, String),
    /// There is none any more.
    Deleted,
}

/// Stores how an attempt ended. A failed one keeps LinkedIn's number and the next attempt that the claim set.
///
/// # Errors
/// As any query.
pub fn settle(
    conn: &mut AnyConn,
    account: &AccountId,
    lead_type: LeadType,
    settled: &Settled,
) -> Result<(), StoreError> {
    let now = database_now(conn)?;
    let row = || s::table.find((account.as_str().to_owned(), lead_type.as_str()));
    match settled {
        Settled::Active {
            linkedin_id,
            webhook,
        } => {
            diesel::update(row())
                .set((
                    s::state.eq(SubscriptionState::Active.as_str()),
                    s::linkedin_id.eq(Some(linkedin_id)),
                    s::webhook.eq(webhook),
                    s::failure_reason.eq(None::<String>),
                    s::failure_detail.eq(None::<String>),
                    s::attempts.eq(0_i64),
                    s::next_attempt_at.eq(Some((now + BELIEVED).naive_utc())),
                    s::checked_at.eq(Some(now.naive_utc())),
                ))
                .execute(conn)?;
        }
        Settled::Failed(reason, detail) => {
            diesel::update(row())
                .set((
                    s::state.eq(SubscriptionState::Failed.as_str()),
                    s::failure_reason.eq(Some(reason.as_str())),
                    s::failure_detail.eq(Some(detail)),
                    s::checked_at.eq(Some(now.naive_utc())),
                ))
                .execute(conn)?;
        }
        Settled::Deleted => {
            diesel::update(row())
                .set((
                    s::state.eq(SubscriptionState::Deleted.as_str()),
                    s::linkedin_id.eq(None::<String>),
                    s::failure_reason.eq(None::<String>),
                    s::failure_detail.eq(None::<String>),
                    s::attempts.eq(0_i64),
                    s::next_attempt_at.eq(None::<NaiveDateTime>),
                    s::checked_at.eq(Some(now.naive_utc())),
                ))
                .execute(conn)?;
        }
    }
    Ok(())
}

/// Subscriptions of accounts that this profile read and that no authorised profile reads any more: account, lead type,
/// LinkedIn's number.
///
/// # Errors
/// As any query.
pub fn left_behind(
    conn: &mut AnyConn,
    profile: &ProfileId,
) -> Result<Vec<(AccountId, LeadType, String)>, StoreError> {
    let readable = readable(conn, false)?;
    let of_profile = pa::table
        .filter(pa::profile_id.eq(profile.as_str()))
        .select(pa::account_id);
    let rows: Vec<(String, String, Option<String>)> = s::table
        .filter(s::account_id.eq_any(of_profile))
        .filter(s::linkedin_id.is_not_null())
        .select((s::account_id, s::lead_type, s::linkedin_id))
        .load(conn)?;
    let mut left = Vec::new();
    for (account, lead_type, id) in rows {
        let cells = Cells {
            table: TABLE,
            id: &account,
        };
        let lead_type: LeadType = cells.word("lead_type", &lead_type)?;
        if let Some(id) = id
            && !readable.contains(&(account.clone(), lead_type))
        {
            left.push((columns::id(TABLE, &account)?, lead_type, id));
        }
    }
    Ok(left)
}

/// How notifications of an account, or of all of them, stand.
#[derive(Debug, Clone, Default)]
pub struct NotificationStanding {
    /// Subscriptions that LinkedIn keeps.
    pub active: i64,
    /// Subscriptions that could not be made or ended.
    pub failed: i64,
    /// Subscriptions that are about to be made.
    pub pending: i64,
    /// Why the latest one failed.
    pub failure: Option<FailureReason>,
    /// When the last notification came.
    pub last_received_at: Option<DateTime<Utc>>,
}

/// How notifications stand: of one account, or of all. Among all, accounts that LinkedIn refuses altogether are left out:
/// their own line says so.
///
/// # Errors
/// As any query.
pub fn standing(
    conn: &mut AnyConn,
    account: Option<&AccountId>,
) -> Result<NotificationStanding, StoreError> {
    let mut rows = s::table
        .select((s::account_id, s::state, s::failure_reason))
        .order(s::checked_at.asc())
        .into_boxed();
    let mut received = lead_notifications::table
        .select(lead_notifications::received_at)
        .order(lead_notifications::received_at.desc())
        .into_boxed();
    let one_account = account.is_some();
    if let Some(account) = account {
        rows = rows.filter(s::account_id.eq(account.as_str().to_owned()));
        received = received.filter(lead_notifications::account_id.eq(account.as_str().to_owned()));
    }
    let rows: Vec<(String, String, Option<String>)> = rows.load(conn)?;
    let last: Option<NaiveDateTime> = received.first(conn).optional()?;
    let mut standing = NotificationStanding {
        last_received_at: last.map(|at| at.and_utc()),
        ..NotificationStanding::default()
    };
    for (account, state, reason) in rows {
        let cells = Cells {
            table: TABLE,
            id: &account,
        };
        match cells.word("state", &state)? {
            SubscriptionState::Active => standing.active += 1,
            SubscriptionState::Pending => standing.pending += 1,
            SubscriptionState::Deleted => {}
            SubscriptionState::Failed => {
                let reason = cells.optional("failure_reason", reason.as_deref())?;
                let is_refused = matches!(
                    reason,
                    Some(FailureReason::Forbidden | FailureReason::PermissionMissing)
                );
                if one_account || !is_refused {
                    standing.failed += 1;
                    standing.failure = reason;
                }
            }
        }
    }
    Ok(standing)
}
