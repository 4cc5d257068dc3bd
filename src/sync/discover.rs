//! Finds out which accounts a profile can read: ad accounts with the member's role, and company pages for organic leads.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::authorized::Authorized;
use super::{SyncContext, SyncError};
use crate::domain::account::OwnerType;
use crate::domain::ids::ProfileId;
use crate::domain::sync::{FailureReason, RunStatus, next_attempt};
use crate::linkedin::wire::AdAccount;
use crate::linkedin::{AccessToken, Page};
use crate::store::directory::accounts::SeenAccount;
use crate::store::leases::{Lease, RunEnd};
use crate::store::{self, StoreError};

const PAGE: u32 = 500;
const PAGE_LIMIT: u32 = 200;
/// Page roles that let a member read organic leads (linkedin-api.md §3.4).
const LEAD_ROLES: &[&str] = &[
    "ADMINISTRATOR",
    "LEAD_GEN_FORMS_MANAGER",
    "CURATOR",
    "CONTENT_ADMINISTRATOR",
    "ANALYST",
];

/// Runs a claimed profile and says how it ended.
///
/// # Errors
/// When the lease was lost or the database cannot be used.
pub async fn run(ctx: SyncContext, lease: Lease, profile: ProfileId) -> Result<RunEnd, SyncError> {
    let linkedin = Authorized::new(&ctx, profile.clone()).await?;
    let outcome = match accounts(&ctx, &linkedin).await {
        Ok(seen) => {
            let (lease, profile, now) = (lease.clone(), profile.clone(), ctx.clock.now());
            ctx.store
                .write(move |conn| {
                    store::leases::fence(conn, &lease)?;
                    let linked =
                        store::directory::accounts::save_accounts(conn, &profile, &seen, now)?;
                    let name = store::profiles::name(conn, &profile)?;
                    store::audit::record(
                        conn,
                        now,
                        &store::audit::Actor::s2s_inbound(),
                        "linkedin_accounts.synchronized",
                        ("linkedin_user_profile", profile.as_str(), &name),
                        None,
                        Some(serde_json::json!({ "accounts": linked })),
                    )
                })
                .await
                .map_err(|error: StoreError| SyncError::from(error))
        }
        Err(error) => Err(error),
    };
    match outcome {
        Ok(()) => Ok(RunEnd {
            status: RunStatus::Succeeded,
            failure: None,
            next_in: Some(ctx.options.discovery_interval),
        }),
        Err(error) => {
            let reason = error.reason();
            if matches!(
                reason,
                FailureReason::LeaseLost | FailureReason::DatabaseUnavailable
            ) {
                return Err(error);
            }
            let now = ctx.clock.now();
            let streak = {
                let profile = profile.clone();
                ctx.store
                    .read(move |conn| store::claimed::profile_failure_streak(conn, &profile))
                    .await?
            };
            let attempt = u32::try_from(streak).unwrap_or(u32::MAX).saturating_add(1);
            let at = next_attempt(attempt, reason, now, super::jitter(), error.retry_after());
            let wait = (at - now).to_std().unwrap_or_default();
            // A profile without a token waits for a person, not for a time.
            let next_in: Option<Duration> = (!matches!(
                reason,
                FailureReason::TokenExpired
                    | FailureReason::TokenRevoked
                    | FailureReason::NotAuthorized
                    | FailureReason::ConsentWithdrawn
            ))
            .then_some(wait);
            Ok(RunEnd {
                status: RunStatus::Failed,
                failure: Some((reason, error.detail())),
                next_in,
            })
        }
    }
}

async fn accounts(ctx: &SyncContext, linkedin: &Authorized) -> Result<Vec<SeenAccount>, SyncError> {
    let client = ctx.linkedin.clone();
    let mut roles: BTreeMap<i64, String> = BTreeMap::new();
    offset(
        linkedin,
        "adAccountUsers",
        {
            let client = client.clone();
            move |token, start| {
                let client = client.clone();
                async move { client.ad_account_users(&token, start, PAGE).await }
            }
        },
        |row: &crate::linkedin::wire::AdAccountUser| {
            if let Some(id) = row.account_id() {
                roles.insert(id, row.role.clone());
            }
        },
    )
    .await?;

    let mut pages: HashMap<i64, Vec<String>> = HashMap::new();
    let acls = offset(
        linkedin,
        "organizationAcls",
        {
            let client = client.clone();
            move |token, start| {
                let client = client.clone();
                async move { client.organization_acls(&token, start, PAGE).await }
            }
        },
        |row: &crate::linkedin::wire::OrganizationAcl| {
            if let Some(id) = row.organization_id() {
                let roles = pages.entry(id).or_default();
                if !roles.contains(&row.role) {
                    roles.push(row.role.clone());
                }
            }
        },
    )
    .await;
    // The scope for pages is optional: without it there are no organic leads, and ad accounts go on.
    match acls {
        Ok(()) => {}
        Err(error)
            if matches!(
                error.reason(),
                FailureReason::Forbidden | FailureReason::PermissionMissing
            ) =>
        {
            tracing::info!(profile.id = %linkedin.profile(), "the roles on pages cannot be read");
        }
        Err(error) => return Err(error),
    }

    let mut found: Vec<AdAccount> = Vec::new();
    let mut page_token: Option<String> = None;
    for _ in 0..PAGE_LIMIT {
        let page = linkedin
            .call("adAccounts", {
                let (client, page_token) = (client.clone(), page_token.clone());
                move |token| {
                    let (client, page_token) = (client.clone(), page_token.clone());
                    async move { client.ad_accounts(&token, page_token.as_deref()).await }
                }
            })
            .await?
            .value;
        found.extend(page.values().cloned());
        if page.next_page_token.is_none() || page.next_page_token == page_token {
            break;
        }
        page_token = page.next_page_token;
    }

    let mut names: HashMap<i64, String> = HashMap::new();
    let mut seen: Vec<SeenAccount> = Vec::new();
    for account in found {
        // Rows of removed accounts stay among the roles, the search leaves them out (linkedin-api.md §3.1).
        let Some(role) = roles.get(&account.id) else {
            continue;
        };
        let page = account
            .organization_id()
            .map(|id| (id, account.organization_name().map(str::to_owned)));
        if let Some((id, Some(name))) = &page {
            names.insert(*id, name.clone());
        }
        let page_roles = page
            .as_ref()
            .and_then(|(id, _)| pages.get(id))
            .cloned()
            .unwrap_or_default();
        seen.push(SeenAccount {
            owner_type: OwnerType::SponsoredAccount,
            linkedin_id: account.id,
            name: account
                .name
                .clone()
                .filter(|name| !name.trim().is_empty())
                .unwrap_or_else(|| format!("Account {}", account.id)),
            currency: account.currency.clone(),
            linkedin_status: account.status.clone(),
            is_test: account.test,
            page,
            account_role: Some(role.clone()),
            page_roles,
        });
    }
    for (id, roles) in pages {
        if !roles.iter().any(|role| LEAD_ROLES.contains(&role.as_str())) {
            continue;
        }
        let name = names.get(&id).cloned();
        seen.push(SeenAccount {
            owner_type: OwnerType::Organization,
            linkedin_id: id,
            name: name.clone().unwrap_or_else(|| format!("Company page {id}")),
            currency: None,
            linkedin_status: None,
            is_test: false,
            page: Some((id, name)),
            account_role: None,
            page_roles: roles,
        });
    }
    seen.sort_by_key(|account| (account.owner_type, account.linkedin_id));
    Ok(seen)
}

async fn offset<T, F>(
    linkedin: &Authorized,
    endpoint: &str,
    request: impl Fn(AccessToken, u32) -> F + Clone,
    mut take: impl FnMut(&T),
) -> Result<(), SyncError>
where
    F: Future<Output = Result<crate::linkedin::Answer<Page<T>>, crate::linkedin::LinkedInError>>,
{
    let mut start: u32 = 0;
    for _ in 0..PAGE_LIMIT {
        let page = linkedin
            .call(endpoint, {
                let request = request.clone();
                move |token| request(token, start)
            })
            .await?
            .value;
        let received = u32::try_from(page.elements.len()).unwrap_or(u32::MAX);
        page.values().for_each(&mut take);
        // LinkedIn sends everything where it is not asked for pages; fewer than asked for is the end either way.
        if received == 0 || received < page.effective_count(PAGE) {
            return Ok(());
        }
        start = start.saturating_add(received);
    }
    Err(SyncError::found(
        FailureReason::PageRepeated,
        format!("the list of {endpoint} does not end"),
    ))
}
