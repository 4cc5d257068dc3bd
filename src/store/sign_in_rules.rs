//! What an Administrator decided about signing in: one row, and the rules that turn a provider's claims into roles.

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;
use uuid::Uuid;

use super::columns::Cells;
use super::schema::{role_rules, sign_in_rules};
use super::users::{self, User};
use super::{AnyConn, StoreError};
use crate::domain::access::Role;
use crate::domain::ids::UserId;
use crate::domain::sign_in::{BreakGlass, PasswordSignIn, RoleRule, SignInRules};

/// The one row.
const ID: i64 = 1;

/// How the audit log and the history know the settings.
pub const OBJECT: (&str, &str) = ("sign_in_rules", "1");

/// The decisions as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRules {
    /// The decisions.
    pub rules: SignInRules,
    /// Counts the saves.
    pub lock_version: i64,
}

/// A rule about roles as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRoleRule {
    /// Identifier.
    pub id: String,
    /// The rule.
    pub rule: RoleRule,
}

/// The decisions as they stand.
///
/// # Errors
/// As any query.
pub fn get(conn: &mut AnyConn) -> Result<StoredRules, StoreError> {
    use sign_in_rules as s;
    type Row = (bool, Option<String>, bool, bool, i64);
    let (has_local_passwords, break_glass, only, checks, lock_version): Row = s::table
        .find(ID)
        .select((
            s::has_local_passwords,
            s::break_glass_user_id,
            s::roles_come_only_from_provider,
            s::provider_checks_second_factor,
            s::lock_version,
        ))
        .first(conn)?;
    let cells = Cells {
        table: "sign_in_rules",
        id: "1",
    };
    Ok(StoredRules {
        rules: SignInRules {
            has_local_passwords,
            break_glass: cells.optional("break_glass_user_id", break_glass.as_deref())?,
            roles_come_only_from_provider: only,
            provider_checks_second_factor: checks,
        },
        lock_version,
    })
}

/// Replaces the decisions; `lock_version` is the one that was read.
///
/// # Errors
/// `Stale` when somebody else was quicker.
pub fn save(
    conn: &mut AnyConn,
    now: DateTime<Utc>,
    rules: &SignInRules,
    lock_version: i64,
) -> Result<(), StoreError> {
    use sign_in_rules as s;
    let changed = diesel::update(s::table.find(ID).filter(s::lock_version.eq(lock_version)))
        .set((
            s::has_local_passwords.eq(rules.has_local_passwords),
            s::break_glass_user_id.eq(rules.break_glass.as_ref().map(UserId::as_str)),
            s::roles_come_only_from_provider.eq(rules.roles_come_only_from_provider),
            s::provider_checks_second_factor.eq(rules.provider_checks_second_factor),
            s::updated_at.eq(now.naive_utc()),
            s::lock_version.eq(s::lock_version + 1),
        ))
        .execute(conn)?;
    if changed == 1 {
        Ok(())
    } else {
        Err(StoreError::Stale("sign-in settings"))
    }
}

/// A user as the rules about the break-glass Administrator see one.
#[must_use]
pub fn break_glass_view(user: &User) -> BreakGlass {
    BreakGlass {
        id: user.id.clone(),
        is_enabled: user.is_enabled,
        roles: user.roles.clone(),
        has_password: user.password_hash.is_some(),
    }
}

/// Who may sign in with a password at this moment.
///
/// # Errors
/// As any query.
pub fn password_sign_in(
    conn: &mut AnyConn,
    has_provider: bool,
) -> Result<PasswordSignIn, StoreError> {
    let rules = get(conn)?.rules;
    let person = match &rules.break_glass {
        Some(id) if !rules.has_local_passwords => users::find(conn, id)?,
        _ => None,
    };
    let person = person.as_ref().map(break_glass_view);
    Ok(PasswordSignIn::of(&rules, has_provider, person.as_ref()))
}

#[derive(Queryable)]
struct RoleRuleRow {
    id: String,
    claim: String,
    value: String,
    role: String,
    _created_at: NaiveDateTime,
}

impl TryFrom<RoleRuleRow> for StoredRoleRule {
    type Error = StoreError;

    fn try_from(row: RoleRuleRow) -> Result<Self, StoreError> {
        let cells = Cells {
            table: "role_rules",
            id: &row.id,
        };
        Ok(Self {
            rule: RoleRule {
                claim: cells.word("claim", &row.claim)?,
                role: cells.word("role", &row.role)?,
                value: row.value,
            },
            id: row.id,
        })
    }
}

/// Every rule about roles, by claim and value.
///
/// # Errors
/// As any query.
pub fn list_role_rules(conn: &mut AnyConn) -> Result<Vec<StoredRoleRule>, StoreError> {
    use role_rules as r;
    let rows: Vec<RoleRuleRow> = r::table
        .order((r::claim.desc(), r::value, r::role))
        .load(conn)?;
    rows.into_iter().map(StoredRoleRule::try_from).collect()
}

/// Adds a rule about roles.
///
/// # Errors
/// `Duplicate` when it is there already.
pub fn insert_role_rule(
    conn: &mut AnyConn,
    now: DateTime<Utc>,
    id: Uuid,
    rule: &RoleRule,
) -> Result<(), StoreError> {
    use role_rules as r;
    diesel::insert_into(r::table)
        .values((
            r::id.eq(id.hyphenated().to_string()),
            r::claim.eq(rule.claim.as_str()),
            r::value.eq(&rule.value),
            r::role.eq(rule.role.as_str()),
            r::created_at.eq(now.naive_utc()),
        ))
        .execute(conn)?;
    Ok(())
}

/// Removes a rule about roles and says what it was.
///
/// # Errors
/// `NotFound`, or as any query.
pub fn delete_role_rule(conn: &mut AnyConn, id: &str) -> Result<RoleRule, StoreError> {
    let row: Option<RoleRuleRow> = role_rules::table.find(id).first(conn).optional()?;
    let row = row.ok_or(StoreError::NotFound("role rule"))?;
    diesel::delete(role_rules::table.find(id)).execute(conn)?;
    Ok(StoredRoleRule::try_from(row)?.rule)
}

/// The roles that the provider gave this identity at its last sign-in.
///
/// # Errors
/// As any query.
pub fn given_roles(
    conn: &mut AnyConn,
    issuer: &str,
    subject: &str,
) -> Result<Vec<Role>, StoreError> {
    use super::schema::user_identities as i;
    let text: Option<String> = i::table
        .find((issuer, subject))
        .select(i::given_roles)
        .first(conn)
        .optional()?;
    let cells = Cells {
        table: "user_identities",
        id: "(hidden)",
    };
    text.unwrap_or_default()
        .split_ascii_whitespace()
        .map(|word| cells.word("given_roles", word))
        .collect()
}

/// Notes the roles that the provider gave.
///
/// # Errors
/// As any query.
pub fn set_given_roles(
    conn: &mut AnyConn,
    issuer: &str,
    subject: &str,
    roles: &[Role],
) -> Result<(), StoreError> {
    use super::schema::user_identities as i;
    let words: Vec<&str> = roles.iter().map(|role| role.as_str()).collect();
    diesel::update(i::table.find((issuer, subject)))
        .set(i::given_roles.eq(words.join(" ")))
        .execute(conn)?;
    Ok(())
}
