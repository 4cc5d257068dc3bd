//! Asking for a synchronization: the same as “Sync now” on the pages; the scheduler does the rest.

use actix_web::HttpRequest;
use actix_web::web::Data;
use serde::Serialize;
use utoipa::ToSchema;

use super::caller::Caller;
use super::document::{self, Described, Group, SyncWish};
use super::input;
use super::{ApiAnswer, ApiError, output};
use crate::domain::connections::Deployment;
use crate::domain::ids::{AccountId, ProfileId};
use crate::store::accounts::{self, AccountFilter};
use crate::store::connections::{why_not_account, why_not_profile};
use crate::store::profiles::{self, Profile, ProfileFilter};
use crate::store::{AnyConn, StoreError, audit};
use crate::web::{Portal, body};

/// What is to be synchronized; everything when neither is named.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Wanted {
    /// Everything that may be read.
    All,
    /// One account.
    Account(AccountId),
    /// All that one LinkedIn user profile sees.
    Profile(ProfileId),
}

impl Wanted {
    fn read(request: &HttpRequest) -> Result<Self, ApiError> {
        let members = input::object(request)?;
        let mut wanted = Self::All;
        let mut errors = Vec::new();
        for (name, value) in &members {
            let text = value.as_str().unwrap_or_default();
            match name.as_str() {
                _ if wanted != Self::All => errors.push((
                    body::short(name),
                    "Name one account or one profile, or nothing for all.".to_owned(),
                )),
                "account" => match text.parse() {
                    Ok(id) => wanted = Self::Account(id),
                    Err(_) => errors.push((name.clone(), "The id of an account.".to_owned())),
                },
                "profile" => match text.parse() {
                    Ok(id) => wanted = Self::Profile(id),
                    Err(_) => errors.push((name.clone(), "The id of a profile.".to_owned())),
                },
                other => errors.push((
                    body::short(other),
                    "Only account and profile can be named.".to_owned(),
                )),
            }
        }
        if errors.is_empty() {
            Ok(wanted)
        } else {
            Err(ApiError::Unprocessable(errors))
        }
    }

    /// The member that named what is not here.
    const fn member(&self) -> &'static str {
        match self {
            Self::All => "",
            Self::Account(_) => "account",
            Self::Profile(_) => "profile",
        }
    }
}

/// What will be synchronized now. Its runs appear under `/sync-runs` as they begin.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = SyncRequest)]
pub struct SyncRequestBody {
    /// Profiles whose list of accounts is read.
    profile_ids: Vec<ProfileId>,
    /// Accounts whose forms and submissions are read.
    account_ids: Vec<AccountId>,
}

/// The accounts that a profile reads.
fn readable(conn: &mut AnyConn, profile: &Profile) -> Result<Vec<AccountId>, StoreError> {
    let filter = AccountFilter {
        profile_id: Some(profile.id.clone()),
        is_sync_enabled: Some(true),
        is_paused: Some(false),
        ..AccountFilter::default()
    };
    let accounts = accounts::list(conn, &filter)?;
    Ok(accounts.into_iter().map(|account| account.id).collect())
}

/// Makes due what is wanted.
fn request(
    tx: &mut AnyConn,
    deployment: &Deployment,
    caller: &Caller,
    now: chrono::DateTime<chrono::Utc>,
    wanted: &Wanted,
) -> Result<SyncRequestBody, StoreError> {
    let mut asked = SyncRequestBody::default();
    let chosen = match wanted {
        Wanted::Account(id) => {
            let account = accounts::get(tx, id)?;
            if let Some(why) = why_not_account(tx, deployment, &account)? {
                return Err(StoreError::Rule(why));
            }
            accounts::request_sync(tx, id)?;
            let object = ("linkedin_account", id.as_str(), account.name.as_str());
            let action = "linkedin_account.sync_requested";
            audit::record(tx, now, &caller.actor(), action, object, None, None)?;
            asked.account_ids.push(id.clone());
            return Ok(asked);
        }
        Wanted::Profile(id) => {
            let profile = profiles::get(tx, id)?;
            if let Some(why) = why_not_profile(tx, deployment, &profile)? {
                return Err(StoreError::Rule(why));
            }
            vec![profile]
        }
        Wanted::All => {
            let mut able = Vec::new();
            for profile in profiles::list(tx, &ProfileFilter::default())? {
                if why_not_profile(tx, deployment, &profile)?.is_none() {
                    able.push(profile);
                }
            }
            if able.is_empty() {
                return Err(StoreError::Rule(
                    "No LinkedIn user profile may sync, so there is nothing to read.".to_owned(),
                ));
            }
            able
        }
    };
    for profile in chosen {
        profiles::request_sync(tx, &profile.id)?;
        let object = (
            "linkedin_user_profile",
            profile.id.as_str(),
            profile.name.as_str(),
        );
        let action = "linkedin_user_profile.sync_requested";
        audit::record(tx, now, &caller.actor(), action, object, None, None)?;
        for account in readable(tx, &profile)? {
            if !asked.account_ids.contains(&account) {
                asked.account_ids.push(account);
            }
        }
        asked.profile_ids.push(profile.id);
    }
    Ok(asked)
}

/// POST /sync-runs, in the document.
pub fn describe_create() -> Described {
    Described::new(Group::Synchronization, "requestSync", "Synchronize now")
        .about("The same as “Sync now” on the pages; the runs appear as they begin.")
        .takes::<SyncWish>(
            "What is to be synchronized.",
            &["application/json"],
            &document::sync_wish(),
        )
        .sends::<SyncRequestBody>(202, "What will be synchronized.", document::sync_request())
        .problems(&[409])
}

/// POST /sync-runs
///
/// # Errors
/// `Unprocessable`, `Rule` when nothing may be read, or as the database.
pub async fn create(http: HttpRequest, portal: Data<Portal>, caller: Caller) -> ApiAnswer {
    let wanted = Wanted::read(&http)?;
    let (deployment, now) = (portal.connector.deployment().clone(), portal.clock.now());
    let member = wanted.member();
    let asked = portal
        .store
        .write(move |tx| request(tx, &deployment, &caller, now, &wanted))
        .await
        .map_err(|error| match error {
            StoreError::NotFound(what) => {
                ApiError::field(member, format!("There is no such {what}."))
            }
            error => error.into(),
        })?;
    portal.wake.notify_one();
    Ok(output::accepted(&asked))
}
