//! The organization is confirmed, or not: what LinkedIn granted becomes the profile's tokens, or is dropped.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::{ConnectError, Connector};
use crate::domain::ids::{OrganizationId, ProfileId, UserId};
use crate::store::audit::{Actor, record};
use crate::store::connections::NotAllowed;
use crate::store::tokens::SealedTokens;
use crate::store::{self, AnyConn, StoreError};
use crate::sync::SyncError;
use crate::sync::authorized::{open, token_cell};

/// What waits for the confirmation of the organization.
#[derive(Debug, Clone)]
pub struct PendingAuthorization {
    /// Who came back from LinkedIn.
    pub user_id: UserId,
    /// The member's name, where the scopes tell it.
    pub member_name: Option<String>,
    /// Granted scopes.
    pub scopes: Vec<String>,
    /// When the access token ends.
    pub access_token_expires_at: DateTime<Utc>,
    /// Whether LinkedIn lets the portal renew it without the member.
    pub is_refreshable: bool,
    /// When LinkedIn granted it.
    pub granted_at: DateTime<Utc>,
}

impl Connector {
    /// What waits for confirmation on a profile.
    ///
    /// # Errors
    /// The store's.
    pub async fn pending(
        &self,
        profile: &ProfileId,
    ) -> Result<Option<PendingAuthorization>, ConnectError> {
        let profile = profile.clone();
        let pending = self
            .ctx
            .store
            .read(move |conn| store::pending_authorizations::find(conn, &profile))
            .await?;
        Ok(pending.map(|pending| PendingAuthorization {
            user_id: pending.user_id,
            member_name: pending.member_name,
            scopes: pending.tokens.scopes,
            access_token_expires_at: pending.tokens.access_token_expires_at,
            is_refreshable: pending.tokens.refresh_token.is_some(),
            granted_at: pending.created_at,
        }))
    }

    /// Confirms the organization: the profile is Authorized and its sync begins. Only who came back from LinkedIn can.
    ///
    /// # Errors
    /// `NothingPending` when there is no grant, or it is somebody else's; `Refused` when the person may not any more; the
    /// store's `Rule`, with a sentence for people, when the organization cannot be chosen any more.
    pub async fn confirm(
        &self,
        actor: &Actor,
        user: &UserId,
        profile: &ProfileId,
        organization: &OrganizationId,
    ) -> Result<(), ConnectError> {
        let found = {
            let profile = profile.clone();
            self.ctx
                .store
                .read(move |conn| store::pending_authorizations::find(conn, &profile))
                .await?
        };
        let Some(pending) = found.filter(|pending| pending.user_id == *user) else {
            return Err(ConnectError::NothingPending);
        };
        let tokens = self.reseal(profile, &pending.tokens)?;
        let now = self.ctx.clock.now();
        let options = Arc::clone(&self.ctx.options);
        let (actor, user, profile, organization) = (
            actor.clone(),
            user.clone(),
            profile.clone(),
            organization.clone(),
        );
        self.ctx
            .store
            .write(move |conn: &mut AnyConn| {
                store::connections::check(conn, &options.deployment, &user)?;
                let before = store::profiles::get(conn, &profile)?.organization;
                let present = before.as_ref().map(|(id, _)| id);
                let chosen = store::destinations::check_open(conn, &organization, present)?;
                store::tokens::authorize(
                    conn,
                    &profile,
                    &user,
                    &organization,
                    &tokens,
                    (
                        pending.member_urn.as_deref(),
                        pending.member_name.as_deref(),
                    ),
                    now,
                )?;
                record(
                    conn,
                    now,
                    &actor,
                    "linkedin_user_profile.authorized",
                    ("linkedin_user_profile", profile.as_str(), ""),
                    before.map(|(_, name)| serde_json::json!({ "organization_name": name })),
                    Some(serde_json::json!({
                        "organization": organization.as_str(),
                        "organization_name": chosen.name,
                        "scopes": tokens.scopes,
                        "access_token_expires_at": tokens.access_token_expires_at,
                    })),
                )?;
                Ok::<_, NotAllowed>(())
            })
            .await
            .map_err(ConnectError::from)
    }

    /// Tokens are bound to their table: what is confirmed is sealed anew for its new place.
    fn reseal(
        &self,
        profile: &ProfileId,
        from: &SealedTokens,
    ) -> Result<SealedTokens, ConnectError> {
        let move_cell = |column: &str, sealed: &[u8]| -> Result<Vec<u8>, ConnectError> {
            let text = open(
                &self.ctx.secret_key,
                token_cell("pending_authorizations", column, profile),
                sealed,
            )?;
            self.ctx
                .secret_key
                .seal(token_cell("linkedin_tokens", column, profile), &text)
                .map_err(|error| {
                    SyncError::found(
                        crate::domain::sync::FailureReason::InternalError,
                        error.to_string(),
                    )
                    .into()
                })
        };
        Ok(SealedTokens {
            access_token: move_cell("access_token", &from.access_token)?,
            refresh_token: from
                .refresh_token
                .as_deref()
                .map(|sealed| move_cell("refresh_token", sealed))
                .transpose()?,
            ..from.clone()
        })
    }

    /// Drops a grant that nobody confirmed, and tells LinkedIn where no other token of the profile depends on it.
    ///
    /// # Errors
    /// The store's.
    pub async fn cancel(&self, actor: &Actor, profile: &ProfileId) -> Result<(), ConnectError> {
        let (pending, active) = {
            let profile = profile.clone();
            self.ctx
                .store
                .read(move |conn| {
                    Ok::<_, StoreError>((
                        store::pending_authorizations::find(conn, &profile)?,
                        store::tokens::find(conn, &profile)?,
                    ))
                })
                .await?
        };
        let Some(pending) = pending else {
            return Err(ConnectError::NothingPending);
        };
        if active.is_none() {
            self.revoke_sealed("pending_authorizations", profile, &pending.tokens)
                .await;
        }
        let (actor, profile, now) = (actor.clone(), profile.clone(), self.ctx.clock.now());
        self.ctx
            .store
            .write(move |conn: &mut AnyConn| {
                store::pending_authorizations::delete(conn, &profile)?;
                store::tokens::set_reauthorizing(conn, &profile, false)?;
                record(
                    conn,
                    now,
                    &actor,
                    "linkedin_user_profile.confirmation_declined",
                    ("linkedin_user_profile", profile.as_str(), ""),
                    None,
                    None,
                )
            })
            .await
            .map_err(|error: StoreError| error.into())
    }
}
