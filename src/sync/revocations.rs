//! Tells LinkedIn about tokens that nobody uses here any more, again and again while LinkedIn is away. Here they are out of
//! use from the moment of the withdrawal on, but for ending the subscriptions to notifications; what waits is sealed, and is
//! erased in any case.

use std::time::Duration;

use secrecy::ExposeSecret;

use super::SyncContext;
use super::authorized::{open, token_cell};
use crate::domain::ids::ProfileId;
use crate::linkedin::AccessToken;
use crate::store::audit::{Actor, record};
use crate::store::token_revocations::{self, ATTEMPTS, Revocation};
use crate::store::{self, StoreError};

/// How long the loop sleeps when nothing waits.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Asks LinkedIn to revoke the tokens that are sealed for this table and profile; whether it did.
pub(super) async fn revoke(
    ctx: &SyncContext,
    (table, profile): (&str, &ProfileId),
    access_token: &[u8],
    refresh_token: Option<&[u8]>,
) -> bool {
    let Some(oauth) = &ctx.oauth else {
        return false;
    };
    let cell = token_cell(table, "access_token", profile);
    if let Ok(token) = open(&ctx.secret_key, cell, access_token) {
        let token = AccessToken::new(token.expose_secret());
        super::subscriptions::end_left_behind(ctx, profile, &token).await;
    }
    let mut is_revoked = true;
    let cells = [
        ("access_token", Some(access_token)),
        ("refresh_token", refresh_token),
    ];
    for (column, sealed) in cells {
        let Some(sealed) = sealed else { continue };
        let outcome = match open(&ctx.secret_key, token_cell(table, column, profile), sealed) {
            Ok(token) => {
                oauth
                    .revoke(AccessToken::new(token.expose_secret()).secret())
                    .await
            }
            Err(error) => {
                tracing::warn!(profile.id = %profile, error = %error, "a token could not be opened for revoking");
                is_revoked = false;
                continue;
            }
        };
        if let Err(error) = outcome {
            tracing::warn!(profile.id = %profile, error = %error, "a token could not be revoked at LinkedIn");
            is_revoked = false;
        }
    }
    is_revoked
}

/// Works on what is due until nothing is; answers how many tokens LinkedIn revoked.
///
/// # Errors
/// As the database.
pub async fn run_due(ctx: &SyncContext) -> Result<usize, StoreError> {
    let mut revoked = 0;
    while ctx.store.read(token_revocations::is_any_due).await? {
        let Some(one) = ctx.store.write(token_revocations::claim).await? else {
            continue;
        };
        let is_revoked = revoke(
            ctx,
            (&one.source_table, &one.profile_id),
            &one.access_token,
            one.refresh_token.as_deref(),
        )
        .await;
        if is_revoked {
            revoked += 1;
        }
        if is_revoked || one.attempt >= ATTEMPTS {
            end(ctx, one, is_revoked).await?;
        }
    }
    Ok(revoked)
}

async fn end(ctx: &SyncContext, one: Revocation, is_revoked: bool) -> Result<(), StoreError> {
    let now = ctx.clock.now();
    let action = if is_revoked {
        "linkedin_user_profile.token_revoked"
    } else {
        tracing::warn!(profile.id = %one.profile_id, "LinkedIn could not be told about a token; it is erased here");
        "linkedin_user_profile.token_erased"
    };
    ctx.store
        .write(move |conn| {
            let name = store::profiles::name(conn, &one.profile_id)?;
            token_revocations::delete(conn, &one.id)?;
            record(
                conn,
                now,
                &Actor::system(),
                action,
                ("linkedin_user_profile", one.profile_id.as_str(), &name),
                None,
                Some(serde_json::json!({ "attempts": one.attempt, "revoked_at_linkedin": is_revoked })),
            )
        })
        .await
}

/// Works until it is dropped, beside the scheduler.
pub(super) async fn keep_revoking(ctx: SyncContext) {
    loop {
        if let Err(error) = run_due(&ctx).await {
            tracing::debug!(error = %error, "tokens to be revoked could not be read");
        }
        tokio::time::sleep(LOOK_EVERY.mul_f64(0.8 + 0.4 * super::jitter())).await;
    }
}
