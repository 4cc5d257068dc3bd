//! The end of an authorization: tokens are erased here in any case, and revoked at LinkedIn if it can be reached.

use super::{ConnectError, Connector};
use crate::domain::ids::ProfileId;
use crate::domain::profile::Authorization;
use crate::store::audit::{Actor, record};
use crate::store::tokens::SealedTokens;
use crate::store::{self, AnyConn, StoreError};
use crate::sync::revocations;

/// How disconnecting ended at LinkedIn; here the tokens are erased in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DisconnectOutcome {
    /// LinkedIn revoked the tokens.
    Revoked,
    /// LinkedIn could not be told; the member can end the access under Permitted services.
    NotRevoked,
    /// There was no token.
    NothingToRevoke,
}

impl Connector {
    /// Ends the authorization: the tokens are erased here in any case and revoked at LinkedIn if it can be reached.
    /// Accounts, submissions and leads stay.
    ///
    /// # Errors
    /// The store's.
    pub async fn disconnect(
        &self,
        actor: &Actor,
        profile: &ProfileId,
    ) -> Result<DisconnectOutcome, ConnectError> {
        let stored = {
            let profile = profile.clone();
            self.ctx
                .store
                .read(move |conn| store::tokens::find(conn, &profile))
                .await?
        };
        let (actor, id, now) = (actor.clone(), profile.clone(), self.ctx.clock.now());
        self.ctx
            .store
            .write(move |conn: &mut AnyConn| {
                store::tokens::disconnect(conn, &id, now)?;
                record(
                    conn,
                    now,
                    &actor,
                    "linkedin_user_profile.disconnected",
                    ("linkedin_user_profile", id.as_str(), ""),
                    None,
                    Some(serde_json::json!({ "authorization": Authorization::NotAuthorized.as_str() })),
                )
            })
            .await
            .map_err(|error: StoreError| ConnectError::from(error))?;
        match stored {
            None => Ok(DisconnectOutcome::NothingToRevoke),
            Some(stored) => {
                if self
                    .revoke_sealed("linkedin_tokens", profile, &stored.sealed)
                    .await
                {
                    Ok(DisconnectOutcome::Revoked)
                } else {
                    Ok(DisconnectOutcome::NotRevoked)
                }
            }
        }
    }

    pub(super) async fn revoke_sealed(
        &self,
        table: &str,
        profile: &ProfileId,
        tokens: &SealedTokens,
    ) -> bool {
        revocations::revoke(
            &self.ctx,
            (table, profile),
            &tokens.access_token,
            tokens.refresh_token.as_deref(),
        )
        .await
    }
}
