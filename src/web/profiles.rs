//! LinkedIn user profiles: list, new, one with its facts and accounts, rename, delete, “Sync submissions”.

use std::collections::HashMap;

use actix_web::http::StatusCode;
use actix_web::web::Data;
use askama::Template;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::json;

use super::form::NoFields;
use super::history::{self, History};
use super::page::{StateTab, state_tabs};
use super::{Answer, FieldErrors, Flash, Form, Path, Portal, Query, Shell, WebError};
use crate::auth::CurrentUser;
use crate::domain::access::Permission;
use crate::domain::connections::Refusal;
use crate::domain::ids::{ProfileId, UserId};
use crate::domain::profile::{
    Authorization, ProfileSyncStatus, Scope, TokenWarning, optional_scopes, required_scopes,
    token_days_left, token_warning,
};
use crate::store::account_counts::{self, AccountCounts};
use crate::store::accounts::{self, Account, AccountFilter};
use crate::store::audit::{self, Actor};
use crate::store::connections::{self, NotAllowed};
use crate::store::profiles::{self, Profile, ProfileFilter};
use crate::store::{StoreError, leads, oauth_states};

/// Whether this person may change the profile: Administrators all, Salespeople their own.
#[must_use]
pub(super) fn may_manage(user: &CurrentUser, profile: &Profile) -> bool {
    user.can(Permission::ManageAllProfiles)
        || (user.can(Permission::ManageOwnProfiles) && profile.owner_id == user.id)
}

/// The profile, if this person may change it; otherwise it is not there.
pub(super) async fn managed(
    portal: &Portal,
    user: &CurrentUser,
    id: &ProfileId,
) -> Result<Profile, WebError> {
    let id = id.clone();
    let profile = portal
        .store
        .read(move |conn| profiles::get(conn, &id))
        .await?;
    if may_manage(user, &profile) {
        Ok(profile)
    } else {
        Err(WebError::NotFound)
    }
}

/// The warning about the end of a profile's token, with the days left.
pub(super) fn warning_of(profile: &Profile, now: &DateTime<Utc>) -> Option<(TokenWarning, i64)> {
    let token = profile.token.as_ref()?;
    let warning = token_warning(token.expires_at, *now)?;
    // A token that the portal renews by itself needs nobody.
    let renews = token
        .refresh
        .is_some_and(|ends| ends.is_none_or(|ends| ends > token.expires_at));
    (!renews || warning == TokenWarning::Ended)
        .then(|| (warning, token_days_left(token.expires_at, *now)))
}

#[derive(Template)]
#[template(path = "profiles/index.html")]
struct ProfilesIndex {
    shell: Shell,
    profiles: Vec<Profile>,
    tabs: Vec<StateTab>,
    search: String,
    authorization: &'static str,
    mine: bool,
    is_filtered: bool,
}

/// The filter of the list.
#[derive(Debug, Default, Deserialize)]
pub struct ProfilesQuery {
    q: Option<String>,
    authorization: Option<Authorization>,
    owner: Option<OwnerChoice>,
}

/// Whose profiles are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OwnerChoice {
    /// One's own.
    Me,
}

/// GET /linkedin-user-profiles
///
/// # Errors
/// As the database.
pub async fn index(
    portal: Data<Portal>,
    shell: Shell,
    current: CurrentUser,
    Query(query): Query<ProfilesQuery>,
) -> Answer {
    let mine = query.owner == Some(OwnerChoice::Me);
    let search = query.q.unwrap_or_default();
    let filter = ProfileFilter {
        search: Some(search.clone()),
        // The tabs tell the numbers of all states, so the state is looked at last.
        authorization: None,
        owner_id: mine.then(|| current.id.clone()),
    };
    let profiles = portal
        .store
        .read(move |conn| profiles::list(conn, &filter))
        .await?;
    let page = ProfilesIndex {
        tabs: state_tabs(
            "/linkedin-user-profiles",
            "authorization",
            &[
                ("q", search.trim()),
                ("owner", if mine { "me" } else { "" }),
            ],
            query.authorization.map_or("", Authorization::as_str),
            Authorization::ALL.iter().map(|one| {
                let many = profiles.iter().filter(|it| it.authorization == *one);
                (one.as_str(), one.label(), many.count())
            }),
        ),
        is_filtered: mine || !search.trim().is_empty() || query.authorization.is_some(),
        shell,
        profiles: profiles
            .into_iter()
            .filter(|it| {
                query
                    .authorization
                    .is_none_or(|one| it.authorization == one)
            })
            .collect(),
        search,
        authorization: query.authorization.map_or("", Authorization::as_str),
        mine,
    };
    page.shell.render(StatusCode::OK, &page)
}

#[derive(Template)]
#[template(path = "profiles/new.html")]
struct ProfilesNew {
    shell: Shell,
    name: String,
    errors: FieldErrors,
}

/// GET /linkedin-user-profiles/new
///
/// # Errors
/// When the page cannot be drawn.
pub async fn new(shell: Shell) -> Answer {
    let page = ProfilesNew {
        shell,
        name: String::new(),
        errors: FieldErrors::new(),
    };
    page.shell.render(StatusCode::OK, &page)
}

/// A name.
#[derive(Debug, Deserialize)]
pub struct NameForm {
    name: String,
    lock_version: Option<String>,
}

const NAME_TAKEN: &str = "Another profile has this name. Choose another one.";

/// A name as it is kept: without white space around it, one line, at most 100 characters.
fn check_name(name: &str) -> Result<String, &'static str> {
    let name = name.trim();
    if name.is_empty() {
        Err("Enter a name, for example your own.")
    } else if name.chars().count() > 100 {
        Err("The name is too long: at most 100 characters.")
    } else if name.chars().any(char::is_control) || crate::domain::normalise::text(name).is_none() {
        Err("The name holds characters that cannot be shown.")
    } else {
        Ok(name.to_owned())
    }
}

/// POST /linkedin-user-profiles
///
/// # Errors
/// As the database.
pub async fn create(
    portal: Data<Portal>,
    shell: Shell,
    current: CurrentUser,
    actor: Actor,
    Form(form): Form<NameForm>,
) -> Answer {
    let mut errors = FieldErrors::new();
    if let Some(name) = errors.check("name", check_name(&form.name)) {
        let (id, now) = (ProfileId::new(portal.new_id()), portal.clock.now());
        let (new_id, owner_id) = (id.clone(), current.id);
        let saved = portal
            .store
            .write(move |tx| {
                profiles::insert(tx, &new_id, &name, &owner_id, now)?;
                audit::record(
                    tx,
                    now,
                    &actor,
                    "linkedin_user_profile.created",
                    ("linkedin_user_profile", new_id.as_str(), &name),
                    None,
                    Some(json!({ "name": name })),
                )
            })
            .await;
        match saved {
            Ok(()) => {
                let flash = Flash::success("The profile was saved. Authorize it next.");
                return Ok(shell
                    .redirect(format!("/linkedin-user-profiles/{id}"))
                    .flash(flash));
            }
            Err(StoreError::Duplicate(_)) => errors.add("name", NAME_TAKEN),
            Err(error) => return Err(error.into()),
        }
    }
    let page = ProfilesNew {
        shell,
        name: form.name,
        errors,
    };
    page.shell.render(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

/// A granted scope with what it is for.
struct GrantedScope {
    name: String,
    purpose: Option<&'static str>,
}

#[derive(Template)]
#[template(path = "profiles/show.html")]
struct ProfilesShow {
    shell: Shell,
    profile: Profile,
    name: String,
    errors: FieldErrors,
    accounts: Vec<Account>,
    counts: HashMap<String, AccountCounts>,
    owners: Vec<(UserId, String)>,
    scopes: Vec<GrantedScope>,
    missing: Vec<&'static Scope>,
    warning: Option<(TokenWarning, i64)>,
    /// Since when LinkedIn has not sent the person back.
    unanswered_since: Option<DateTime<Utc>>,
    redirect_uri: String,
    is_configured: bool,
    can_manage: bool,
    /// Why the organisation does not let this person connect LinkedIn.
    refusal: Option<Refusal>,
    /// The accounts are on their way: the page asks for itself again.
    is_waiting: bool,
    history: History,
}

impl ProfilesShow {
    fn is_owner(&self, account: &Account, id: &UserId) -> bool {
        account
            .default_lead_owner
            .as_ref()
            .is_some_and(|(owner, _)| owner == id)
    }

    fn counts_of(&self, account: &Account) -> AccountCounts {
        self.counts
            .get(account.id.as_str())
            .copied()
            .unwrap_or_default()
    }
}

fn purpose(scope: &str) -> Option<&'static str> {
    required_scopes()
        .iter()
        .chain(optional_scopes())
        .find(|known| known.name == scope || known.implied_by.contains(&scope))
        .map(|known| known.purpose)
}

/// How long an unanswered click on Authorize explains what LinkedIn's own error pages mean.
const UNANSWERED_FOR: TimeDelta = TimeDelta::hours(2);

async fn show_page(
    portal: &Portal,
    mut shell: Shell,
    current: &CurrentUser,
    id: ProfileId,
) -> Result<ProfilesShow, WebError> {
    let (profile, accounts, counts, owners, unanswered, history) = portal
        .store
        .read(move |conn| {
            let profile = profiles::get(conn, &id)?;
            let filter = AccountFilter {
                profile_id: Some(id.clone()),
                ..AccountFilter::default()
            };
            let accounts = accounts::list(conn, &filter)?;
            let ids: Vec<_> = accounts.iter().map(|account| &account.id).collect();
            let counts = account_counts::of(conn, &ids)?;
            let owners = leads::possible_owners(conn)?;
            let unanswered = oauth_states::unanswered(conn, &id)?;
            let history = history::read(conn, "linkedin_user_profile", id.as_str())?;
            Ok::<_, StoreError>((profile, accounts, counts, owners, unanswered, history))
        })
        .await?;
    let refusal = allowed(portal, current).await?.err();
    let now = portal.clock.now();
    let can_manage = may_manage(current, &profile);
    if can_manage {
        // The browser follows the redirect of Authorize to LinkedIn only when the page allows it.
        shell.allow_form_action(&portal.settings.linkedin.oauth_url);
    }
    let granted: Vec<String> = profile
        .token
        .as_ref()
        .map(|token| token.scopes.clone())
        .unwrap_or_default();
    Ok(ProfilesShow {
        name: profile.name.clone(),
        errors: FieldErrors::new(),
        missing: optional_scopes()
            .iter()
            .filter(|scope| profile.token.is_some() && !is_granted(scope, &granted))
            .collect(),
        scopes: granted
            .into_iter()
            .map(|name| GrantedScope {
                purpose: purpose(&name),
                name,
            })
            .collect(),
        warning: warning_of(&profile, &now),
        unanswered_since: unanswered.filter(|since| {
            now - *since < UNANSWERED_FOR && profile.confirmation_pending_since.is_none()
        }),
        redirect_uri: portal.connector.redirect_uri().to_string(),
        is_configured: portal.connector.is_configured(),
        is_waiting: profile.can_sync()
            && accounts.is_empty()
            && profile.sync_status == ProfileSyncStatus::SyncingAccounts,
        can_manage,
        refusal,
        shell,
        profile,
        accounts,
        counts,
        owners,
        history,
    })
}

fn is_granted(scope: &Scope, granted: &[String]) -> bool {
    granted
        .iter()
        .any(|name| name == scope.name || scope.implied_by.contains(&name.as_str()))
}

/// GET /linkedin-user-profiles/{id}
///
/// # Errors
/// `NotFound`, or as the database.
pub async fn show(
    portal: Data<Portal>,
    shell: Shell,
    current: CurrentUser,
    Path(id): Path<ProfileId>,
) -> Answer {
    let page = show_page(&portal, shell, &current, id).await?;
    page.shell.render(StatusCode::OK, &page)
}

/// POST /linkedin-user-profiles/{id}: another name.
///
/// # Errors
/// `NotFound`, `Stale`, or as the database.
pub async fn update(
    portal: Data<Portal>,
    shell: Shell,
    current: CurrentUser,
    actor: Actor,
    Path(id): Path<ProfileId>,
    Form(form): Form<NameForm>,
) -> Answer {
    let before = managed(&portal, &current, &id).await?.name;
    let version: i64 = form
        .lock_version
        .as_deref()
        .and_then(|version| version.parse().ok())
        .ok_or_else(|| {
            WebError::Invalid("The form does not say what it was made from.".to_owned())
        })?;
    let mut errors = FieldErrors::new();
    if let Some(name) = errors.check("name", check_name(&form.name)) {
        let (renamed, now) = (id.clone(), portal.clock.now());
        let saved = portal
            .store
            .write(move |tx| {
                profiles::rename(tx, &renamed, version, &name, now)?;
                audit::record(
                    tx,
                    now,
                    &actor,
                    "linkedin_user_profile.renamed",
                    ("linkedin_user_profile", renamed.as_str(), &name),
                    Some(json!({ "name": before })),
                    Some(json!({ "name": name })),
                )
            })
            .await;
        match saved {
            Ok(()) => {
                let flash = Flash::success("The new name was saved.");
                return Ok(shell
                    .redirect(format!("/linkedin-user-profiles/{id}"))
                    .flash(flash));
            }
            Err(StoreError::Duplicate(_)) => errors.add("name", NAME_TAKEN),
            Err(error) => return Err(error.into()),
        }
    }
    let mut page = show_page(&portal, shell, &current, id).await?;
    (page.name, page.errors) = (form.name, errors);
    page.profile.lock_version = version;
    page.shell.render(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

/// POST /linkedin-user-profiles/{id}/deletion: only a profile that was never authorised.
///
/// # Errors
/// `NotFound`, `Rule`, or as the database.
pub async fn destroy(
    portal: Data<Portal>,
    shell: Shell,
    current: CurrentUser,
    actor: Actor,
    Path(id): Path<ProfileId>,
    Form(_): Form<NoFields>,
) -> Answer {
    let (profile, now) = (managed(&portal, &current, &id).await?, portal.clock.now());
    let text = format!("The profile {} was deleted.", profile.name);
    portal
        .store
        .write(move |tx| {
            profiles::delete(tx, &id)?;
            audit::record(
                tx,
                now,
                &actor,
                "linkedin_user_profile.deleted",
                ("linkedin_user_profile", id.as_str(), &profile.name),
                Some(json!({ "name": profile.name })),
                None,
            )
        })
        .await?;
    Ok(shell
        .redirect("/linkedin-user-profiles")
        .flash(Flash::success(text)))
}

/// Whether the organisation lets this person use LinkedIn.
pub(super) async fn allowed(
    portal: &Portal,
    current: &CurrentUser,
) -> Result<Result<(), Refusal>, WebError> {
    let (id, deployment) = (current.id.clone(), portal.connector.deployment().clone());
    let checked = portal
        .store
        .read(move |conn| connections::check_allowed(conn, &deployment, &id))
        .await;
    match checked {
        Ok(()) => Ok(Ok(())),
        Err(NotAllowed::Refused(refusal)) => Ok(Err(refusal)),
        Err(NotAllowed::Store(error)) => Err(error.into()),
    }
}

/// POST /linkedin-user-profiles/{id}/sync-runs: everything that this profile reads is due now.
///
/// # Errors
/// `NotFound`, or as the database.
pub async fn sync(
    portal: Data<Portal>,
    shell: Shell,
    current: CurrentUser,
    actor: Actor,
    Path(id): Path<ProfileId>,
    Form(_): Form<NoFields>,
) -> Answer {
    let (profile, now) = (managed(&portal, &current, &id).await?, portal.clock.now());
    let path = format!("/linkedin-user-profiles/{id}");
    if let Err(refusal) = allowed(&portal, &current).await? {
        let text = format!("{} {}", refusal.why(), refusal.what_to_do());
        return Ok(shell.redirect(path).flash(Flash::failure(text)));
    }
    if !profile.can_sync() {
        let flash = Flash::failure(
            "This profile is not authorized, so nothing can be synchronized. Authorize it first.",
        );
        return Ok(shell.redirect(path).flash(flash));
    }
    let accounts = portal
        .store
        .write(move |tx| {
            let accounts = profiles::request_sync(tx, &id)?;
            audit::record(
                tx,
                now,
                &actor,
                "linkedin_user_profile.sync_requested",
                ("linkedin_user_profile", id.as_str(), &profile.name),
                None,
                None,
            )?;
            Ok::<_, StoreError>(accounts)
        })
        .await?;
    portal.wake.notify_one();
    let text = match accounts {
        0 => "The accounts of this profile are being read.".to_owned(),
        1 => "Submissions of 1 account are being synchronized.".to_owned(),
        more => format!("Submissions of {more} accounts are being synchronized."),
    };
    let flash = Flash::success(text).with_link("/sync-status", "Watch the sync status");
    Ok(shell.redirect(path).flash(flash))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_s_name_is_one_line_of_at_most_100_characters() {
        assert_eq!(check_name("  Ada  "), Ok("Ada".to_owned()));
        assert!(check_name(&"ä".repeat(100)).is_ok());
        for bad in ["", "   ", &"x".repeat(101), "a\nb", "a\u{7}b"] {
            assert!(check_name(bad).is_err(), "{bad:?}");
        }
    }
}
