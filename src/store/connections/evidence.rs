//! Who may connect LinkedIn now, and by what: for the evidence that auditors read.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;

use super::ConnectionSettings;
use crate::domain::access::{Permission, Role, allows};
use crate::domain::connections::{Deployment, Setting};
use crate::domain::ids::UserId;
use crate::store::columns::{Cells, id};
use crate::store::consents::ActiveConsent;
use crate::store::schema::{active_consents, group_members as members, user_roles, users};
use crate::store::{AnyConn, StoreError};

/// Somebody who may connect LinkedIn, once the person has consented.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedPerson {
    /// Who.
    pub user_id: UserId,
    /// The name.
    pub name: String,
    /// The address.
    pub email: String,
    /// The roles that allow it.
    pub roles: Vec<Role>,
    /// Since when the person is a member of the selected group; `None` where everybody is allowed.
    pub member_since: Option<DateTime<Utc>>,
    /// The consent, while it holds.
    pub consent: Option<ActiveConsent>,
}

/// The roles that let somebody connect LinkedIn.
fn allowing_roles() -> Vec<&'static str> {
    Role::ALL
        .iter()
        .filter(|role| role.is_for_people() && allows(&[**role], Permission::ManageOwnProfiles))
        .map(|role| role.as_str())
        .collect()
}

/// Adds a boxed query's conditions: enabled, with a role for it, and in the group where one is selected.
macro_rules! allowed {
    ($query:ident, $settings:expr) => {
        $query = $query.filter(users::is_enabled.eq(true)).filter(
            users::id.eq_any(
                user_roles::table
                    .filter(user_roles::role.eq_any(allowing_roles()))
                    .select(user_roles::user_id),
            ),
        );
        if $settings.setting == Setting::SelectedGroup {
            let group = $settings.selected_group_id.as_ref().map(|id| id.as_str());
            $query = $query.filter(
                users::id.eq_any(
                    members::table
                        .filter(members::group_id.nullable().eq(group))
                        .select(members::user_id),
                ),
            );
        }
    };
}

/// Whether nobody is allowed, whoever it is.
fn is_nobody(deployment: &Deployment, settings: &ConnectionSettings) -> bool {
    deployment.check().is_err() || settings.setting == Setting::No
}

/// How many people the organisation lets connect LinkedIn.
///
/// # Errors
/// As any query.
pub fn count_allowed(
    conn: &mut AnyConn,
    deployment: &Deployment,
    settings: &ConnectionSettings,
) -> Result<i64, StoreError> {
    if is_nobody(deployment, settings) {
        return Ok(0);
    }
    let mut query = users::table.select(diesel::dsl::count_star()).into_boxed();
    allowed!(query, settings);
    Ok(query.first(conn)?)
}

/// The people whom the organisation lets connect LinkedIn, by name, from `offset` on, at most `limit`.
///
/// # Errors
/// As any query.
pub fn allowed(
    conn: &mut AnyConn,
    deployment: &Deployment,
    settings: &ConnectionSettings,
    offset: i64,
    limit: i64,
) -> Result<Vec<AllowedPerson>, StoreError> {
    if is_nobody(deployment, settings) {
        return Ok(Vec::new());
    }
    let mut query = users::table
        .order((users::name.asc(), users::id.asc()))
        .select((users::id, users::name, users::email))
        .offset(offset)
        .limit(limit)
        .into_boxed();
    allowed!(query, settings);
    let people: Vec<(String, String, String)> = query.load(conn)?;
    let ids: Vec<&str> = people.iter().map(|(id, ..)| id.as_str()).collect();
    let mut roles: HashMap<String, Vec<Role>> = HashMap::new();
    let held: Vec<(String, String)> = user_roles::table
        .filter(user_roles::user_id.eq_any(ids.clone()))
        .filter(user_roles::role.eq_any(allowing_roles()))
        .order(user_roles::role.asc())
        .select((user_roles::user_id, user_roles::role))
        .load(conn)?;
    for (user, role) in held {
        let cells = Cells {
            table: "user_roles",
            id: &user,
        };
        let role = cells.word("role", &role)?;
        roles.entry(user).or_default().push(role);
    }
    let consents: Vec<(String, i64, NaiveDateTime)> = active_consents::table
        .filter(active_consents::user_id.eq_any(ids.clone()))
        .select((
            active_consents::user_id,
            active_consents::text_version,
            active_consents::given_at,
        ))
        .load(conn)?;
    let mut consents: HashMap<String, ActiveConsent> = consents
        .into_iter()
        .map(|(user, text_version, given_at)| {
            let given_at = given_at.and_utc();
            (
                user,
                ActiveConsent {
                    text_version,
                    given_at,
                },
            )
        })
        .collect();
    let group = settings.selected_group_id.as_ref().map(|id| id.as_str());
    let since: HashMap<String, NaiveDateTime> = members::table
        .filter(members::group_id.nullable().eq(group))
        .filter(members::user_id.eq_any(ids))
        .select((members::user_id, members::added_at))
        .load(conn)?
        .into_iter()
        .collect();
    people
        .into_iter()
        .map(|(user, name, email)| {
            Ok(AllowedPerson {
                user_id: id("users", &user)?,
                name,
                email,
                roles: roles.remove(&user).unwrap_or_default(),
                member_since: since.get(&user).map(NaiveDateTime::and_utc),
                consent: consents.remove(&user),
            })
        })
        .collect()
}
