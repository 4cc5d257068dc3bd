//! Whether an account or a profile may be read now, for those who ask for it; the claim of the sync asks the same.

use crate::domain::connections::Deployment;
use crate::domain::profile::Authorization;
use crate::store::accounts::Account;
use crate::store::profiles::{self, Profile};
use crate::store::{AnyConn, StoreError, claimed};

/// Why nothing of this account may be read now; `None` when it may. In a write transaction the answer holds until its end.
///
/// # Errors
/// As any query.
pub fn why_not_account(
    conn: &mut AnyConn,
    deployment: &Deployment,
    account: &Account,
) -> Result<Option<String>, StoreError> {
    super::lock(conn)?;
    if let Err(refusal) = deployment.check() {
        return Ok(Some(refusal.why()));
    }
    if !account.is_sync_enabled {
        return Ok(Some(
            "Sync is switched off for this account. Switch “Sync enabled” on first.".to_owned(),
        ));
    }
    if let Some(pause) = &account.pause {
        return Ok(Some(format!(
            "{} paused this account, so nothing of it is read. Resume it first.",
            pause.by
        )));
    }
    if !claimed::account(conn, &account.id)?.profiles.is_empty() {
        return Ok(None);
    }
    let seen_by = profiles::of_account(conn, &account.id)?;
    Ok(Some(if seen_by.is_empty() {
        "No LinkedIn user profile sees this account any more.".to_owned()
    } else {
        let each: Vec<String> = seen_by.iter().map(standing).collect();
        format!(
            "No LinkedIn user profile that sees this account may sync: {}.",
            each.join("; ")
        )
    }))
}

/// Why nothing may be read through this profile now; `None` when it may.
///
/// # Errors
/// As any query.
pub fn why_not_profile(
    conn: &mut AnyConn,
    deployment: &Deployment,
    profile: &Profile,
) -> Result<Option<String>, StoreError> {
    super::lock(conn)?;
    if let Err(refusal) = deployment.check() {
        return Ok(Some(refusal.why()));
    }
    if claimed::may_read(conn, &profile.id)? {
        return Ok(None);
    }
    Ok(Some(format!(
        "This LinkedIn user profile may not sync: {}.",
        standing(profile)
    )))
}

fn standing(profile: &Profile) -> String {
    match profile.authorization {
        Authorization::Authorized => {
            format!("{} lacks a token or its person’s consent", profile.name)
        }
        other => format!("{} is {}", profile.name, other.label()),
    }
}
