//! LinkedIn account connections: the organisation's setting, who may use LinkedIn now, and what a change of it does to whom.

pub mod evidence;
mod readers;
mod withdrawal;

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;
use serde_json::json;

use super::audit::{self, Actor};
use super::columns::Cells;
use super::schema::{
    active_consents, connection_settings as settings, form_submissions, linkedin_accounts,
    linkedin_tokens, linkedin_user_profiles as profiles, pending_authorizations, profile_accounts,
    users as user_rows,
};
use super::{AnyConn, StoreError, consents, groups, lock_rules, users};
use crate::domain::connections::{
    self, ConsentReason, Deployment, Person, Refusal, Setting, withdrawal_reason,
};
use crate::domain::ids::{GroupId, ProfileId, UserId};
use crate::domain::profile::Authorization;
use crate::each;

pub use readers::{why_not_account, why_not_profile};
use withdrawal::withdraw;
pub use withdrawal::{withdraw_for, withdraw_own};

/// The setting as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionSettings {
    /// Yes, Selected group or No.
    pub setting: Setting,
    /// Which group.
    pub selected_group_id: Option<GroupId>,
    /// When it was saved last.
    pub updated_at: DateTime<Utc>,
    /// Counts the saves.
    pub lock_version: i64,
}

/// Why a step was not taken: the person may not, or the database.
#[derive(Debug, thiserror::Error)]
pub enum NotAllowed {
    /// The person may not.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<diesel::result::Error> for NotAllowed {
    fn from(error: diesel::result::Error) -> Self {
        Self::Store(error.into())
    }
}

/// Makes changes of who may use LinkedIn come one after the other, until the end of the transaction: a grant must not be
/// stored beside a withdrawal that does not see it. SQLite's write lock does the same already.
fn lock(conn: &mut AnyConn) -> Result<(), StoreError> {
    if let AnyConn::Pg(c) = conn {
        diesel::sql_query("SELECT pg_advisory_xact_lock(7254011005)").execute(c)?;
    }
    Ok(())
}

/// The setting; No until the first start has written one.
///
/// # Errors
/// As any query.
pub fn get(conn: &mut AnyConn) -> Result<ConnectionSettings, StoreError> {
    let row: Option<(String, Option<String>, NaiveDateTime, i64)> = settings::table
        .find(1_i64)
        .select((
            settings::setting,
            settings::selected_group_id,
            settings::updated_at,
            settings::lock_version,
        ))
        .first(conn)
        .optional()?;
    let Some((setting, selected_group_id, updated_at, lock_version)) = row else {
        return Ok(ConnectionSettings {
            setting: Setting::No,
            selected_group_id: None,
            updated_at: DateTime::UNIX_EPOCH,
            lock_version: 0,
        });
    };
    let cells = Cells {
        table: "connection_settings",
        id: "1",
    };
    Ok(ConnectionSettings {
        setting: cells.word("setting", &setting)?,
        selected_group_id: cells.optional("selected_group_id", selected_group_id.as_deref())?,
        updated_at: updated_at.and_utc(),
        lock_version,
    })
}

/// Writes the setting of a first start; leaves one that is there alone.
///
/// # Errors
/// As any query.
pub fn begin_with(
    conn: &mut AnyConn,
    setting: Setting,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    each!(conn, |c| diesel::insert_into(settings::table)
        .values((
            settings::id.eq(1_i64),
            settings::setting.eq(setting.as_str()),
            settings::updated_at.eq(now.naive_utc()),
            settings::lock_version.eq(0_i64),
        ))
        .on_conflict_do_nothing()
        .execute(c))?;
    Ok(())
}

/// What a change of the setting would do, or did.
#[derive(Debug, Clone, Default)]
pub struct Consequences {
    /// Whose consent is withdrawn, and why.
    pub people: Vec<(UserId, String, ConsentReason)>,
    /// Profiles that lose their access: identifier, name, whose LinkedIn it is.
    pub profiles: Vec<(ProfileId, String, String)>,
    /// Accounts that no other profile reads: identifier and name.
    pub accounts: Vec<(String, String)>,
    /// Submissions of these accounts that are stored and wait to be processed.
    pub waiting_submissions: i64,
}

/// The person as the decision sees one.
fn person(
    conn: &mut AnyConn,
    user: &UserId,
    settings: &ConnectionSettings,
) -> Result<Person, StoreError> {
    let user = users::get(conn, user)?;
    let consented_to = consents::find(conn, &user.id)?.map(|consent| consent.text_version);
    Ok(Person {
        is_member: is_member(conn, &user.id, settings)?,
        is_enabled: user.is_enabled,
        roles: user.roles,
        consented_to,
    })
}

/// Whether the person belongs to the selected group.
fn is_member(
    conn: &mut AnyConn,
    user: &UserId,
    settings: &ConnectionSettings,
) -> Result<bool, StoreError> {
    match &settings.selected_group_id {
        Some(group) => groups::is_member(conn, group, user),
        None => Ok(false),
    }
}

/// Whether the organisation lets this person use LinkedIn, whatever the person consented to.
///
/// # Errors
/// The refusal, or as any query.
pub fn check_allowed(
    conn: &mut AnyConn,
    deployment: &Deployment,
    user: &UserId,
) -> Result<(), NotAllowed> {
    let settings = get(conn)?;
    let person = person(conn, user, &settings)?;
    Ok(connections::is_allowed(
        deployment,
        settings.setting,
        &person,
    )?)
}

/// Whether this person may connect LinkedIn now. In a write transaction the answer holds until its end.
///
/// # Errors
/// The refusal, or as any query.
pub fn check(conn: &mut AnyConn, deployment: &Deployment, user: &UserId) -> Result<(), NotAllowed> {
    lock(conn)?;
    let settings = get(conn)?;
    let person = person(conn, user, &settings)?;
    Ok(connections::may_use(deployment, settings.setting, &person)?)
}

/// Takes a person's consent to today's text.
///
/// # Errors
/// The refusal when the organisation does not let the person, or as any query.
pub fn give_consent(
    conn: &mut AnyConn,
    deployment: &Deployment,
    user: &UserId,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<(), NotAllowed> {
    lock(conn)?;
    check_allowed(conn, deployment, user)?;
    let (setting, name) = (get(conn)?.setting, users::get(conn, user)?.name);
    consents::give(conn, user, setting, actor, now)?;
    audit::record(
        conn,
        now,
        actor,
        "linkedin_consent.given",
        ("user", user.as_str(), &name),
        None,
        Some(json!({
            "text_version": connections::CONSENT_VERSION,
            "account_connections": setting.as_str(),
        })),
    )?;
    Ok(())
}

/// The people whose consent holds or in whose name LinkedIn is read, with what the decision needs of each.
fn connected_people(conn: &mut AnyConn) -> Result<Vec<UserId>, StoreError> {
    let mut found: BTreeSet<String> = active_consents::table
        .select(active_consents::user_id)
        .load::<String>(conn)?
        .into_iter()
        .collect();
    let authorized: Vec<Option<String>> = profiles::table
        .inner_join(linkedin_tokens::table)
        .select(profiles::authorized_by)
        .load(conn)?;
    found.extend(authorized.into_iter().flatten());
    let pending: Vec<String> = pending_authorizations::table
        .select(pending_authorizations::user_id)
        .load(conn)?;
    found.extend(pending);
    found
        .iter()
        .map(|id| super::columns::id("users", id))
        .collect()
}

/// Those whose consent cannot stand under these settings, and why.
fn left_out(
    conn: &mut AnyConn,
    settings: &ConnectionSettings,
) -> Result<Vec<(UserId, ConsentReason)>, StoreError> {
    let mut left_out = Vec::new();
    for user in connected_people(conn)? {
        if let Some(reason) = withdrawal_reason(settings.setting, &person(conn, &user, settings)?) {
            left_out.push((user, reason));
        }
    }
    Ok(left_out)
}

/// What saving this setting would do to whom.
///
/// # Errors
/// As any query.
pub fn consequences(
    conn: &mut AnyConn,
    setting: Setting,
    group: Option<&GroupId>,
) -> Result<Consequences, StoreError> {
    let wanted = ConnectionSettings {
        setting,
        selected_group_id: group.cloned(),
        ..get(conn)?
    };
    let people = left_out(conn, &wanted)?;
    of_people(conn, &people)
}

/// What the withdrawal of these people's consent does.
///
/// # Errors
/// As any query.
pub fn of_people(
    conn: &mut AnyConn,
    people: &[(UserId, ConsentReason)],
) -> Result<Consequences, StoreError> {
    let mut found = Consequences::default();
    for (user, reason) in people {
        let name: String = user_rows::table
            .find(user.as_str())
            .select(user_rows::name)
            .first(conn)?;
        let mut of_user: Vec<(ProfileId, String)> = Vec::new();
        for (id, profile_name, has_access) in profiles_of(conn, user)? {
            if has_access {
                of_user.push((id, profile_name));
            }
        }
        found.profiles.extend(
            of_user
                .into_iter()
                .map(|(id, profile_name)| (id, profile_name, name.clone())),
        );
        found.people.push((user.clone(), name, *reason));
    }
    found.people.sort_by(|left, right| left.1.cmp(&right.1));
    let losing: Vec<&str> = found.profiles.iter().map(|(id, ..)| id.as_str()).collect();
    let others = profile_accounts::table
        .inner_join(profiles::table.inner_join(linkedin_tokens::table))
        .filter(profiles::authorization_status.eq(Authorization::Authorized.as_str()))
        .filter(profiles::id.ne_all(losing.clone()))
        .select(profile_accounts::account_id);
    found.accounts = linkedin_accounts::table
        .filter(
            linkedin_accounts::id.eq_any(
                profile_accounts::table
                    .filter(profile_accounts::profile_id.eq_any(losing))
                    .select(profile_accounts::account_id),
            ),
        )
        .filter(linkedin_accounts::id.ne_all(others))
        .order((linkedin_accounts::name.asc(), linkedin_accounts::id.asc()))
        .select((linkedin_accounts::id, linkedin_accounts::name))
        .load(conn)?;
    let ids: Vec<&str> = found.accounts.iter().map(|(id, _)| id.as_str()).collect();
    found.waiting_submissions = form_submissions::table
        .filter(form_submissions::account_id.eq_any(ids))
        .filter(form_submissions::processing_state.eq("unprocessed"))
        .count()
        .get_result(conn)?;
    Ok(found)
}

/// The profiles in which LinkedIn is read in this person's name, or would be: identifier, name, whether there is access to lose.
fn profiles_of(
    conn: &mut AnyConn,
    user: &UserId,
) -> Result<Vec<(ProfileId, String, bool)>, StoreError> {
    let waiting = pending_authorizations::table
        .filter(pending_authorizations::user_id.eq(user.as_str()))
        .select(pending_authorizations::profile_id);
    let rows: Vec<(String, String)> = profiles::table
        .filter(
            profiles::authorized_by
                .eq(user.as_str())
                .or(profiles::id.eq_any(waiting)),
        )
        .order((profiles::name_key.asc(), profiles::id.asc()))
        .select((profiles::id, profiles::name))
        .load(conn)?;
    let ids: Vec<&str> = rows.iter().map(|(id, _)| id.as_str()).collect();
    let confirmed: Vec<String> = linkedin_tokens::table
        .filter(linkedin_tokens::profile_id.eq_any(ids.clone()))
        .select(linkedin_tokens::profile_id)
        .load(conn)?;
    let unconfirmed: Vec<String> = pending_authorizations::table
        .filter(pending_authorizations::profile_id.eq_any(ids))
        .select(pending_authorizations::profile_id)
        .load(conn)?;
    let with_access: BTreeSet<String> = confirmed.into_iter().chain(unconfirmed).collect();
    rows.into_iter()
        .map(|(id, name)| {
            let has_access = with_access.contains(&id);
            Ok((
                super::columns::id("linkedin_user_profiles", &id)?,
                name,
                has_access,
            ))
        })
        .collect()
}

/// Saves the setting and withdraws the consent of everybody whom it leaves out; answers what that did. `expected` is the
/// `lock_version` that the caller read.
///
/// # Errors
/// `Stale` when somebody else saved since.
pub fn save(
    conn: &mut AnyConn,
    (setting, group): (Setting, Option<&GroupId>),
    expected: i64,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<Consequences, StoreError> {
    // A group that is selected here is not deleted at the same moment.
    lock_rules(conn)?;
    lock(conn)?;
    let group_name = match group {
        Some(group) => Some(groups::get(conn, group)?.name),
        None => None,
    };
    begin_with(conn, Setting::No, now)?;
    let before = get(conn)?;
    let saved = diesel::update(settings::table.filter(settings::lock_version.eq(expected)))
        .set((
            settings::setting.eq(setting.as_str()),
            settings::selected_group_id.eq(group.map(GroupId::as_str)),
            settings::updated_at.eq(now.naive_utc()),
            settings::lock_version.eq(expected + 1),
        ))
        .execute(conn)?;
    if saved != 1 {
        return Err(StoreError::Stale("LinkedIn account connections"));
    }
    let after = get(conn)?;
    let people = left_out(conn, &after)?;
    let done = of_people(conn, &people)?;
    let state = |settings: &ConnectionSettings| json!({ "account_connections": settings.setting.as_str(), "group": settings.selected_group_id });
    let mut after_state = state(&after);
    if let Some(fields) = after_state.as_object_mut() {
        fields.insert("group_name".into(), json!(group_name));
        fields.insert("people_withdrawn".into(), json!(done.people.len()));
        fields.insert("profiles_withdrawn".into(), json!(done.profiles.len()));
    }
    audit::record(
        conn,
        now,
        actor,
        "account_connections.saved",
        OBJECT,
        Some(state(&before)),
        Some(after_state),
    )?;
    for (user, reason) in people {
        withdraw(conn, &user, reason, actor, now)?;
    }
    Ok(done)
}

/// The setting in the audit log: kind, identifier, name.
pub const OBJECT: (&str, &str, &str) = (
    "account_connections",
    "account_connections",
    "LinkedIn account connections",
);

/// Refuses to let go of a group while it is the selected one.
///
/// # Errors
/// `InUse` when it is.
pub(super) fn check_not_selected(conn: &mut AnyConn, group: &GroupId) -> Result<(), StoreError> {
    if get(conn)?.selected_group_id.as_ref() == Some(group) {
        return Err(StoreError::InUse("LinkedIn account connections".to_owned()));
    }
    Ok(())
}
