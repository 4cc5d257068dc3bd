//! Keeps the subscriptions to LinkedIn's notifications as they should be: made for each account and lead type that is read,
//! checked once a day, made anew when LinkedIn forgot them, and ended when the account is read no more.
//!
//! The work stands beside the pulls: without it they find every lead all the same, only later. A subscription of an account
//! that nobody may read any more is ended with the last token that could, right before that is revoked.

use std::time::Duration;

use super::authorized::Authorized;
use super::{SyncContext, SyncError, intake};
use crate::domain::ids::ProfileId;
use crate::domain::notification::may_read;
use crate::domain::sync::FailureReason;
use crate::linkedin::AccessToken;
use crate::store::claimed::ClaimedAccount;
use crate::store::notification_subscriptions::{self as subscriptions, DueSubscription, Settled};
use crate::store::{self, StoreError};

/// LinkedIn's resource name, which is what its limits count.
const ENDPOINT: &str = "leadNotifications";
/// How long the loop sleeps when nothing is due.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Where notifications are to go, if the portal wants any.
fn webhook(ctx: &SyncContext) -> Option<&str> {
    let is_allowed = ctx.options.deployment.check().is_ok() && ctx.oauth.is_some();
    ctx.options.webhook.as_deref().filter(|_| is_allowed)
}

/// Works on what is due until nothing is; answers how many subscriptions were looked at.
///
/// # Errors
/// As the database.
pub async fn run_due(ctx: &SyncContext) -> Result<usize, StoreError> {
    let wanted = webhook(ctx).map(str::to_owned);
    let plan = ctx
        .store
        .read(move |conn| subscriptions::plan(conn, wanted.as_deref()))
        .await?;
    if plan.is_idle() {
        return Ok(0);
    }
    if !plan.is_empty() {
        ctx.store
            .write(move |conn| subscriptions::save_plan(conn, &plan))
            .await?;
    }
    let mut looked_at = 0;
    while let Some(due) = ctx.store.write(subscriptions::claim).await? {
        let settled = match attempt(ctx, &due).await {
            Ok(settled) => settled,
            Err(error) => {
                tracing::warn!(account.id = %due.account_id, error = %error, "a subscription to notifications is not as it should be");
                Settled::Failed(error.reason(), error.detail())
            }
        };
        let (account, lead_type) = (due.account_id, due.lead_type);
        ctx.store
            .write(move |conn| subscriptions::settle(conn, &account, lead_type, &settled))
            .await?;
        looked_at += 1;
    }
    Ok(looked_at)
}

async fn attempt(ctx: &SyncContext, due: &DueSubscription) -> Result<Settled, SyncError> {
    let id = due.account_id.clone();
    let account = ctx
        .store
        .read(move |conn| store::claimed::account(conn, &id))
        .await?;
    let wanted = webhook(ctx).filter(|_| due.is_wanted);
    if wanted.is_none() && due.linkedin_id.is_none() {
        return Ok(Settled::Deleted);
    }
    let profile = account
        .profiles
        .iter()
        .find(|(_, roles)| may_read(due.lead_type, roles))
        .map(|(profile, _)| profile.clone());
    let Some(profile) = profile else {
        return Err(SyncError::found(
            FailureReason::NotAuthorized,
            "no authorised profile can read this account",
        ));
    };
    let linkedin = Authorized::new(ctx, profile).await?;
    match wanted {
        Some(webhook) => subscribe(ctx, &linkedin, &account, due, webhook).await,
        None => {
            if let Some(id) = &due.linkedin_id {
                unsubscribe(ctx, &linkedin, id).await?;
            }
            tracing::info!(account.id = %due.account_id, "a subscription to notifications was ended");
            Ok(Settled::Deleted)
        }
    }
}

/// Finds the subscription at LinkedIn, or makes it. An answer that was lost may have left one behind: they are looked for
/// before one is made, and of several with our address one stays.
async fn subscribe(
    ctx: &SyncContext,
    linkedin: &Authorized,
    account: &ClaimedAccount,
    due: &DueSubscription,
    webhook: &str,
) -> Result<Settled, SyncError> {
    let owner = intake::owner(account.owner_type, account.linkedin_id);
    let lead_type = intake::wire_lead_type(due.lead_type);
    let client = &ctx.linkedin;
    let found = linkedin
        .call(ENDPOINT, |token| async move {
            client.subscriptions(&token, owner, lead_type).await
        })
        .await?;
    let (ours, others): (Vec<_>, Vec<_>) = found
        .into_iter()
        .partition(|subscription| subscription.webhook == webhook);
    // The portal had another address before.
    let old = others
        .iter()
        .filter(|other| due.linkedin_id.as_ref() == Some(&other.id));
    for superfluous in ours.iter().skip(1).chain(old) {
        unsubscribe(ctx, linkedin, &superfluous.id).await?;
    }
    let linkedin_id = match ours.first() {
        Some(subscription) => subscription.id.clone(),
        None => {
            let made = linkedin
                .call(ENDPOINT, |token| async move {
                    client.subscribe(&token, owner, lead_type, webhook).await
                })
                .await?;
            tracing::info!(account.id = %due.account_id, "LinkedIn notifies the portal of leads");
            made
        }
    };
    Ok(Settled::Active {
        linkedin_id,
        webhook: webhook.to_owned(),
    })
}

async fn unsubscribe(ctx: &SyncContext, linkedin: &Authorized, id: &str) -> Result<(), SyncError> {
    let client = &ctx.linkedin;
    linkedin
        .call(ENDPOINT, |token| async move {
            client.unsubscribe(&token, id).await
        })
        .await
}

/// Ends the subscriptions that nobody but this token's member could have read from, before the token is revoked. What
/// LinkedIn does not end then, it ends with the app's access; the portal ignores what still comes.
pub(super) async fn end_left_behind(ctx: &SyncContext, profile: &ProfileId, token: &AccessToken) {
    let of_profile = profile.clone();
    let left = ctx
        .store
        .read(move |conn| subscriptions::left_behind(conn, &of_profile))
        .await;
    let left = match left {
        Ok(left) => left,
        Err(error) => {
            tracing::warn!(profile.id = %profile, error = %error, "subscriptions to notifications could not be read");
            return;
        }
    };
    for (account, lead_type, id) in left {
        let settled = match ctx.linkedin.unsubscribe(token, &id).await {
            Ok(()) => Settled::Deleted,
            Err(error) => {
                tracing::warn!(account.id = %account, error = %error, "a subscription to notifications could not be ended");
                let error = SyncError::from(error);
                Settled::Failed(error.reason(), error.detail())
            }
        };
        let stored = ctx
            .store
            .write(move |conn| subscriptions::settle(conn, &account, lead_type, &settled))
            .await;
        if let Err(error) = stored {
            tracing::warn!(error = %error, "the end of a subscription could not be stored");
        }
    }
}

/// Works until it is dropped, beside the scheduler.
pub(super) async fn keep_subscribed(ctx: SyncContext) {
    loop {
        if let Err(error) = run_due(&ctx).await {
            tracing::debug!(error = %error, "subscriptions to notifications could not be read");
        }
        tokio::time::sleep(LOOK_EVERY.mul_f64(0.8 + 0.4 * super::jitter())).await;
    }
}
