//! The integration settings: one row that says how matching behaves and who owns leads nobody else owns.

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;

use super::columns::Cells;
use super::schema::{integration_settings, organizations};
use super::seed::BUILT_IN_ORGANIZATION;
use super::{AnyConn, StoreError, lock_leads, lock_rules, match_keys, matching_strategies};
use crate::domain::ids::UserId;
use crate::domain::matching::MatchingSettings;
use crate::domain::notification::MemberDeletion;

/// The one row.
const ID: i64 = 1;

/// What an Administrator decides for the whole organisation (product.md §4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntegrationSettings {
    /// How submissions become leads.
    pub matching: MatchingSettings,
    /// Who owns a new lead when neither a rule nor the account names anybody.
    pub fallback_owner_id: Option<UserId>,
    /// What becomes of a lead when a member deletes the answers that it came from.
    pub member_deletion: MemberDeletion,
    /// When it was last saved.
    pub updated_at: DateTime<Utc>,
    /// Counts the saves: what a form carries to notice that somebody else was quicker.
    pub lock_version: i64,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = integration_settings)]
struct Row {
    on_match_fail: String,
    several_match: String,
    closed_lead: String,
    no_match_answer: String,
    test_leads: String,
    always_create_lead: bool,
    default_country: Option<String>,
    fallback_owner_id: Option<String>,
    updated_at: NaiveDateTime,
    lock_version: i64,
    member_deletion: String,
}

impl TryFrom<Row> for IntegrationSettings {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let cells = Cells {
            table: "integration_settings",
            id: "1",
        };
        Ok(Self {
            matching: MatchingSettings {
                on_match_fail: cells.word("on_match_fail", &row.on_match_fail)?,
                several_match: cells.word("several_match", &row.several_match)?,
                closed_lead: cells.word("closed_lead", &row.closed_lead)?,
                no_match_answer: cells.word("no_match_answer", &row.no_match_answer)?,
                test_leads: cells.word("test_leads", &row.test_leads)?,
                always_create_lead: row.always_create_lead,
                default_country: row.default_country,
            },
            fallback_owner_id: cells
                .optional("fallback_owner_id", row.fallback_owner_id.as_deref())?,
            member_deletion: cells.word("member_deletion", &row.member_deletion)?,
            updated_at: row.updated_at.and_utc(),
            lock_version: row.lock_version,
        })
    }
}

/// The settings as they stand.
///
/// # Errors
/// `NotFound` before the first start has seeded the database.
pub fn get(conn: &mut AnyConn) -> Result<IntegrationSettings, StoreError> {
    integration_settings::table
        .filter(integration_settings::id.eq(ID))
        .select((
            integration_settings::on_match_fail,
            integration_settings::several_match,
            integration_settings::closed_lead,
            integration_settings::no_match_answer,
            integration_settings::test_leads,
            integration_settings::always_create_lead,
            integration_settings::default_country,
            integration_settings::fallback_owner_id,
            integration_settings::updated_at,
            integration_settings::lock_version,
            integration_settings::member_deletion,
        ))
        .first::<Row>(conn)
        .optional()?
        .ok_or(StoreError::NotFound("integration configuration"))?
        .try_into()
}

/// Saves the settings; `expected` is the `lock_version` that the caller read. Another default country means other
/// normalised phone numbers, so the match keys of all leads are made anew in the same transaction.
///
/// # Errors
/// `Stale` when somebody else saved since.
pub fn save(
    conn: &mut AnyConn,
    settings: &IntegrationSettings,
    expected: i64,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    lock_rules(conn)?;
    let before = get(conn)?;
    if before.lock_version != expected {
        return Err(StoreError::Stale("integration configuration"));
    }
    let matching = &settings.matching;
    let saved = diesel::update(
        integration_settings::table
            .filter(integration_settings::id.eq(ID))
            .filter(integration_settings::lock_version.eq(expected)),
    )
    .set((
        integration_settings::on_match_fail.eq(matching.on_match_fail.as_str()),
        integration_settings::several_match.eq(matching.several_match.as_str()),
        integration_settings::closed_lead.eq(matching.closed_lead.as_str()),
        integration_settings::no_match_answer.eq(matching.no_match_answer.as_str()),
        integration_settings::test_leads.eq(matching.test_leads.as_str()),
        integration_settings::always_create_lead.eq(matching.always_create_lead),
        integration_settings::default_country.eq(matching.default_country.as_deref()),
        integration_settings::fallback_owner_id
            .eq(settings.fallback_owner_id.as_ref().map(UserId::as_str)),
        integration_settings::member_deletion.eq(settings.member_deletion.as_str()),
        integration_settings::updated_at.eq(now.naive_utc()),
        integration_settings::lock_version.eq(expected + 1),
    ))
    .execute(conn)?;
    if saved != 1 {
        return Err(StoreError::Stale("integration configuration"));
    }
    if before.matching.default_country != matching.default_country {
        lock_leads(conn)?;
        let strategy = matching_strategies::active(conn)?;
        match_keys::rebuild(conn, &strategy, matching.default_country.as_deref())?;
    }
    Ok(())
}

/// The organization to which all data is synced. There is one: the built-in.
///
/// # Errors
/// `NotFound` before the first start has seeded the database.
pub fn organization_name(conn: &mut AnyConn) -> Result<String, StoreError> {
    organizations::table
        .filter(organizations::id.eq(BUILT_IN_ORGANIZATION))
        .select(organizations::name)
        .first(conn)
        .optional()?
        .ok_or(StoreError::NotFound("organization"))
}

/// Renames the organization. The caller saves the settings in the same transaction, whose lock version guards this, too.
///
/// # Errors
/// `NotFound` before the first start has seeded the database.
pub fn rename_organization(
    conn: &mut AnyConn,
    name: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let renamed =
        diesel::update(organizations::table.filter(organizations::id.eq(BUILT_IN_ORGANIZATION)))
            .set((
                organizations::name.eq(name),
                organizations::updated_at.eq(now.naive_utc()),
                organizations::lock_version.eq(organizations::lock_version + 1),
            ))
            .execute(conn)?;
    if renamed == 1 {
        Ok(())
    } else {
        Err(StoreError::NotFound("organization"))
    }
}
