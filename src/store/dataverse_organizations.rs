//! Dynamics 365 organizations: how each is reached, whether it is used, and what its latest connection test found.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;

use super::audit::{self, Actor};
use super::columns::Cells;
use super::deliveries::lanes::{self, Destination};
use super::deliveries::leases;
use super::organizations::{self, Organization};
use super::schema::{
    dataverse_organizations as dynamics, linkedin_user_profiles as profiles, organizations as all,
};
use super::{AnyConn, StoreError, lock_leads, lock_rules};
use super::{dataverse_columns, organization_leads, organization_reads};
use crate::domain::ids::{LaneId, OrganizationId};
use crate::domain::lead_column::LeadColumn;
use crate::domain::organization::{
    CheckStep, CredentialKind, KeyState, OrganizationKind, OrganizationTrouble, QualifiedRecord,
};

/// How a Dynamics 365 organization is reached, without the secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// `https://contoso.crm4.dynamics.com`
    pub address: String,
    /// The tenant's id or domain.
    pub tenant: String,
    /// The application (client) id.
    pub client_id: String,
}

/// A way into an organization as it was at some moment: what was tested, for example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// Where to, and as whom.
    pub reach: Reach,
    /// Since when the credential is the present one.
    pub credential_set_at: DateTime<Utc>,
}

/// What an Administrator decides about an organization, beside the secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setup {
    /// How people here know it.
    pub name: String,
    /// How it is reached.
    pub reach: Reach,
    /// What it makes of a lead that is qualified here.
    pub qualification: Vec<QualifiedRecord>,
}

impl Setup {
    fn qualification_words(&self) -> String {
        let words: Vec<&str> = self.qualification.iter().map(|one| one.as_str()).collect();
        words.join(" ")
    }
}

/// A secret or certificate, sealed for its row.
#[derive(Debug, Clone)]
pub struct SealedCredential {
    /// Which of the two.
    pub kind: CredentialKind,
    /// The sealed bytes.
    pub sealed: Vec<u8>,
    /// What people know it by.
    pub hint: String,
}

/// What a connection test found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// When.
    pub at: DateTime<Utc>,
    /// The step that failed and why; `None` when all was well.
    pub failure: Option<(CheckStep, OrganizationTrouble)>,
    /// The service's own code and words.
    pub detail: Option<String>,
    /// Privileges that the application user lacks.
    pub missing_privileges: Vec<String>,
}

/// A Dynamics 365 organization.
#[derive(Debug, Clone)]
pub struct DynamicsOrganization {
    /// What it has in common with every organization.
    pub organization: Organization,
    /// How it is reached.
    pub reach: Reach,
    /// What it makes of a lead that is qualified here.
    pub qualification: Vec<QualifiedRecord>,
    /// Secret or certificate.
    pub credential_kind: CredentialKind,
    /// What the secret or certificate is known by.
    pub credential_hint: String,
    /// Since when it is the present one.
    pub credential_set_at: DateTime<Utc>,
    /// Whether leads are delivered to it, and profiles may choose it.
    pub is_enabled: bool,
    /// What the latest connection test found.
    pub check: Option<Check>,
    /// When its columns were read.
    pub columns_read_at: Option<DateTime<Utc>>,
    /// How far it has built the alternate key of the lead's id; `None`: nobody asked for one.
    pub key_state: Option<KeyState>,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = dynamics)]
struct Row {
    organization_id: String,
    address: String,
    tenant: String,
    client_id: String,
    credential_kind: String,
    credential_hint: String,
    credential_set_at: NaiveDateTime,
    is_enabled: bool,
    checked_at: Option<NaiveDateTime>,
    check_step: Option<String>,
    check_trouble: Option<String>,
    check_detail: Option<String>,
    missing_privileges: Option<String>,
    columns_read_at: Option<NaiveDateTime>,
    qualification: String,
    key_state: Option<String>,
}

impl Row {
    fn with(self, organization: Organization) -> Result<DynamicsOrganization, StoreError> {
        let cells = Cells {
            table: "dataverse_organizations",
            id: &self.organization_id,
        };
        let step: Option<CheckStep> = cells.optional("check_step", self.check_step.as_deref())?;
        let trouble = cells.optional("check_trouble", self.check_trouble.as_deref())?;
        let qualification = self.qualification.split_whitespace();
        Ok(DynamicsOrganization {
            qualification: qualification
                .map(|word| cells.word("qualification", word))
                .collect::<Result<_, _>>()?,
            organization,
            credential_kind: cells.word("credential_kind", &self.credential_kind)?,
            reach: Reach {
                address: self.address,
                tenant: self.tenant,
                client_id: self.client_id,
            },
            credential_hint: self.credential_hint,
            credential_set_at: self.credential_set_at.and_utc(),
            is_enabled: self.is_enabled,
            check: self.checked_at.map(|at| Check {
                at: at.and_utc(),
                failure: step.zip(trouble),
                detail: self.check_detail,
                missing_privileges: self
                    .missing_privileges
                    .iter()
                    .flat_map(|names| names.split_whitespace())
                    .map(str::to_owned)
                    .collect(),
            }),
            columns_read_at: self.columns_read_at.map(|at| at.and_utc()),
            key_state: cells.optional("key_state", self.key_state.as_deref())?,
        })
    }
}

/// Every Dynamics 365 organization, by its id.
///
/// # Errors
/// As any query.
pub fn by_id(
    conn: &mut AnyConn,
) -> Result<HashMap<OrganizationId, DynamicsOrganization>, StoreError> {
    let rows: Vec<Row> = dynamics::table.select(Row::as_select()).load(conn)?;
    let mut rows: HashMap<String, Row> = rows
        .into_iter()
        .map(|row| (row.organization_id.clone(), row))
        .collect();
    organizations::list(conn)?
        .into_iter()
        .filter_map(|organization| {
            let row = rows.remove(organization.id.as_str())?;
            Some(
                row.with(organization)
                    .map(|one| (one.organization.id.clone(), one)),
            )
        })
        .collect()
}

/// One Dynamics 365 organization that must exist.
///
/// # Errors
/// `NotFound`, or as any query.
pub fn get(conn: &mut AnyConn, id: &OrganizationId) -> Result<DynamicsOrganization, StoreError> {
    let missing = StoreError::NotFound("organization");
    let row: Option<Row> = dynamics::table
        .find(id.as_str())
        .select(Row::as_select())
        .first(conn)
        .optional()?;
    match (row, organizations::find(conn, id)?) {
        (Some(row), Some(organization)) => row.with(organization),
        _ => Err(missing),
    }
}

/// Everything that is needed to speak to an organization, the credential still sealed.
///
/// # Errors
/// `NotFound`, or as any query.
pub fn access(
    conn: &mut AnyConn,
    id: &OrganizationId,
) -> Result<(Way, SealedCredential), StoreError> {
    type Found = (
        String,
        String,
        String,
        String,
        Vec<u8>,
        String,
        NaiveDateTime,
    );
    let found: Option<Found> = dynamics::table
        .find(id.as_str())
        .select((
            dynamics::address,
            dynamics::tenant,
            dynamics::client_id,
            dynamics::credential_kind,
            dynamics::credential,
            dynamics::credential_hint,
            dynamics::credential_set_at,
        ))
        .first(conn)
        .optional()?;
    let (address, tenant, client_id, kind, sealed, hint, set_at) =
        found.ok_or(StoreError::NotFound("organization"))?;
    let cells = Cells {
        table: "dataverse_organizations",
        id: id.as_str(),
    };
    let kind = cells.word("credential_kind", &kind)?;
    let way = Way {
        reach: Reach {
            address,
            tenant,
            client_id,
        },
        credential_set_at: set_at.and_utc(),
    };
    Ok((way, SealedCredential { kind, sealed, hint }))
}

fn check_address_free(
    conn: &mut AnyConn,
    address: &str,
    own: Option<&OrganizationId>,
) -> Result<(), StoreError> {
    let holder: Option<String> = dynamics::table
        .filter(dynamics::address.eq(address))
        .select(dynamics::organization_id)
        .first(conn)
        .optional()?;
    match holder {
        Some(holder) if own.is_none_or(|own| own.as_str() != holder) => Err(StoreError::Duplicate(
            "dataverse_organizations.address".to_owned(),
        )),
        _ => Ok(()),
    }
}

/// The queue of an organization: it has the organization's own id.
fn lane_of(id: &OrganizationId) -> Result<LaneId, StoreError> {
    super::columns::id("delivery_lanes", id.as_str())
}

/// Adds an organization, enabled, with its queue.
///
/// # Errors
/// `Rule` when another one has the name, `Duplicate` when another one has the address.
pub fn insert(
    conn: &mut AnyConn,
    id: &OrganizationId,
    setup: &Setup,
    credential: &SealedCredential,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let Setup { name, reach, .. } = setup;
    organizations::check_name_free(conn, name, None)?;
    check_address_free(conn, &reach.address, None)?;
    organizations::insert(
        conn,
        &Organization {
            id: id.clone(),
            name: name.clone(),
            kind: OrganizationKind::Dynamics365,
            created_at: now,
            lock_version: 1,
        },
    )?;
    diesel::insert_into(dynamics::table)
        .values((
            dynamics::organization_id.eq(id.as_str()),
            dynamics::address.eq(&reach.address),
            dynamics::tenant.eq(&reach.tenant),
            dynamics::client_id.eq(&reach.client_id),
            dynamics::credential_kind.eq(credential.kind.as_str()),
            dynamics::credential.eq(&credential.sealed),
            dynamics::credential_hint.eq(&credential.hint),
            dynamics::credential_set_at.eq(now.naive_utc()),
            dynamics::is_enabled.eq(true),
            dynamics::qualification.eq(setup.qualification_words()),
        ))
        .execute(conn)?;
    lanes::insert(conn, &lane_of(id)?, &Destination::Organization(id.clone()))
}

/// Changes an organization; without a credential the present one stays. When it is reached in another way, what the latest
/// test found no longer counts, and what waits for the organization is tried at once.
///
/// # Errors
/// `Rule` when another one has the name, `Duplicate` when another one has the address, `Stale`, `NotFound`.
pub fn update(
    conn: &mut AnyConn,
    id: &OrganizationId,
    expected: i64,
    setup: &Setup,
    credential: Option<&SealedCredential>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let Setup { name, reach, .. } = setup;
    let is_reached_alike = credential.is_none() && get(conn, id)?.reach == *reach;
    organizations::change(conn, id, name, expected, now)?;
    check_address_free(conn, &reach.address, Some(id))?;
    let row = dynamics::table.find(id.as_str());
    diesel::update(row)
        .set(dynamics::qualification.eq(setup.qualification_words()))
        .execute(conn)?;
    if is_reached_alike {
        return Ok(());
    }
    diesel::update(row)
        .set((
            dynamics::address.eq(&reach.address),
            dynamics::tenant.eq(&reach.tenant),
            dynamics::client_id.eq(&reach.client_id),
            dynamics::checked_at.eq(None::<NaiveDateTime>),
            dynamics::check_step.eq(None::<String>),
            dynamics::check_trouble.eq(None::<String>),
            dynamics::check_detail.eq(None::<String>),
            dynamics::missing_privileges.eq(None::<String>),
        ))
        .execute(conn)?;
    if let Some(credential) = credential {
        diesel::update(row)
            .set((
                dynamics::credential_kind.eq(credential.kind.as_str()),
                dynamics::credential.eq(&credential.sealed),
                dynamics::credential_hint.eq(&credential.hint),
                dynamics::credential_set_at.eq(now.naive_utc()),
            ))
            .execute(conn)?;
    }
    lanes::wake(conn, &lane_of(id)?)
}

/// Whether it is known which organization is at this address.
///
/// # Errors
/// `NotFound`, or as any query.
pub fn is_confirmed(
    conn: &mut AnyConn,
    id: &OrganizationId,
    address: &str,
) -> Result<bool, StoreError> {
    let known: Option<Option<String>> = dynamics::table
        .find(id.as_str())
        .select(dynamics::service_address)
        .first(conn)
        .optional()?;
    let known = known.ok_or(StoreError::NotFound("organization"))?;
    Ok(known.as_deref() == Some(address))
}

/// Notes which organization is at an address. Where it is another one than before, what is known of the old one is forgotten:
/// its records, its columns, how far it was read. Answers whether that was so.
///
/// # Errors
/// As any query.
pub fn confirm(
    conn: &mut AnyConn,
    id: &OrganizationId,
    address: &str,
    service_id: &str,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    lock_leads(conn)?;
    let before: Option<Option<String>> = dynamics::table
        .find(id.as_str())
        .select(dynamics::service_id)
        .first(conn)
        .optional()?;
    let before = before.ok_or(StoreError::NotFound("organization"))?;
    let is_another = before.is_some_and(|before| before != service_id);
    diesel::update(dynamics::table.find(id.as_str()))
        .set((
            dynamics::service_id.eq(service_id),
            dynamics::service_address.eq(address),
        ))
        .execute(conn)?;
    if !is_another {
        return Ok(false);
    }
    leases::revoke(conn, id)?;
    let forgotten = organization_leads::forget(conn, id)?;
    organization_reads::forget(conn, id)?;
    diesel::update(dynamics::table.find(id.as_str()))
        .set((
            dynamics::lead_columns.eq(None::<String>),
            dynamics::columns_read_at.eq(None::<NaiveDateTime>),
            dynamics::key_state.eq(None::<String>),
        ))
        .execute(conn)?;
    let name = get(conn, id)?.organization.name;
    audit::record(
        conn,
        now,
        &Actor::system(),
        "organization.records_forgotten",
        ("organization", id.as_str(), &name),
        None,
        Some(serde_json::json!({ "address": address, "records": forgotten })),
    )?;
    Ok(true)
}

/// Switches an organization on or off. On again, it gets what it missed.
///
/// # Errors
/// `Stale`, `NotFound`.
pub fn set_enabled(
    conn: &mut AnyConn,
    id: &OrganizationId,
    expected: i64,
    is_enabled: bool,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    // Whoever saves a lead meanwhile either sees the queue open, or is seen by what is queued here.
    lock_leads(conn)?;
    let name = get(conn, id)?.organization.name;
    organizations::change(conn, id, &name, expected, now)?;
    diesel::update(dynamics::table.find(id.as_str()))
        .set(dynamics::is_enabled.eq(is_enabled))
        .execute(conn)?;
    lanes::set_enabled(conn, &lane_of(id)?, is_enabled)?;
    if is_enabled {
        super::deliveries::enqueue_existing(conn, id, None)?;
    }
    Ok(())
}

/// Deletes an organization with its credential.
///
/// # Errors
/// `InUse` while profiles sync to it, `Stale`, `NotFound`.
pub fn delete(conn: &mut AnyConn, id: &OrganizationId, expected: i64) -> Result<(), StoreError> {
    lock_rules(conn)?;
    if get(conn, id)?.organization.lock_version != expected {
        return Err(StoreError::Stale("organization"));
    }
    let users: i64 = profiles::table
        .filter(profiles::organization_id.eq(id.as_str()))
        .count()
        .get_result(conn)?;
    if users > 0 {
        return Err(StoreError::InUse("linkedin_user_profiles".to_owned()));
    }
    diesel::delete(all::table.find(id.as_str())).execute(conn)?;
    Ok(())
}

/// Keeps what a connection test of this address and credential found; one that was changed meanwhile is left alone. Answers
/// whether it was kept.
///
/// # Errors
/// As any query.
pub fn record_check(
    conn: &mut AnyConn,
    id: &OrganizationId,
    tested: &Way,
    check: &Check,
    columns: Option<&[LeadColumn]>,
) -> Result<bool, StoreError> {
    let row = dynamics::table
        .find(id.as_str())
        .filter(dynamics::address.eq(&tested.reach.address))
        .filter(dynamics::tenant.eq(&tested.reach.tenant))
        .filter(dynamics::client_id.eq(&tested.reach.client_id))
        .filter(dynamics::credential_set_at.eq(tested.credential_set_at.naive_utc()));
    let at = check.at.naive_utc();
    let kept = diesel::update(row)
        .set((
            dynamics::checked_at.eq(at),
            dynamics::check_step.eq(check.failure.map(|(step, _)| step.as_str())),
            dynamics::check_trouble.eq(check.failure.map(|(_, trouble)| trouble.as_str())),
            dynamics::check_detail.eq(check.detail.as_ref()),
            dynamics::missing_privileges.eq(check.missing_privileges.join(" ")),
        ))
        .execute(conn)?;
    if kept == 0 {
        return Ok(false);
    }
    if check.failure.is_none() {
        lanes::wake(conn, &lane_of(id)?)?;
    }
    if let Some(columns) = columns {
        dataverse_columns::record(conn, id, columns, check.at)?;
    }
    Ok(true)
}
