//! What is read back from organizations: which one is due, by whom it is read, how far, and what is wrong.

use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use diesel::prelude::*;

use super::columns::Cells;
use super::schema::{
    dataverse_organizations as dynamics, delivery_lanes as lanes, organization_leads as o,
    organization_reads as r, organizations,
};
use super::{AnyConn, StoreError, database_now};
use crate::domain::delivery::DeliveryFailure;
use crate::domain::ids::OrganizationId;
use crate::domain::organization::OrganizationTrouble;
use crate::insert_rows;

/// How far an organization was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Cursor {
    /// Nothing was read yet.
    #[default]
    Begin,
    /// Where change tracking goes on.
    Link(String),
    /// Without change tracking: changes of this time and later were not all read.
    Since(DateTime<Utc>),
}

/// The right to read an organization.
#[derive(Debug, Clone)]
pub struct ReadLease {
    /// The organization.
    pub organization: OrganizationId,
    /// Its name.
    pub name: String,
    /// How far it was read.
    pub cursor: Cursor,
    /// How often in a row it was in trouble.
    pub trouble_count: i64,
    owner: String,
    term: i64,
    length: Duration,
}

/// What people see of the reading.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadState {
    /// When it was last read to the end.
    pub read_at: Option<DateTime<Utc>>,
    /// What is wrong: why, the service's words, since when.
    pub trouble: Option<(OrganizationTrouble, Option<String>, DateTime<Utc>)>,
    /// Whether the organization tracks changes; `None` while nothing was read.
    pub is_tracked: Option<bool>,
}

/// How a reader leaves an organization.
#[derive(Debug, Clone)]
pub enum ReadEnd {
    /// Everything was read.
    Read {
        /// When it is read again.
        next_in: TimeDelta,
    },
    /// There is more; its turn was over.
    More,
    /// It is in trouble.
    Trouble {
        /// Why.
        reason: OrganizationTrouble,
        /// The service's words.
        detail: Option<String>,
        /// When it is tried again.
        next_in: TimeDelta,
    },
}

/// Enabled organizations that have a record of ours.
macro_rules! readable {
    () => {
        dynamics::table
            .filter(dynamics::is_enabled.eq(true))
            .filter(diesel::dsl::exists(
                o::table
                    .filter(o::organization_id.eq(dynamics::organization_id))
                    .filter(o::record_id.is_not_null()),
            ))
    };
}

/// Readable organizations that are due at this time and that nobody reads.
macro_rules! due {
    ($at:expr) => {
        readable!()
            .inner_join(organizations::table)
            .inner_join(r::table.on(r::organization_id.eq(dynamics::organization_id)))
            .filter(r::next_read_at.le($at))
            // Who is to be left alone for a while is left alone by readers, too.
            .filter(diesel::dsl::not(diesel::dsl::exists(
                lanes::table
                    .filter(lanes::organization_id.eq(r::organization_id.nullable()))
                    .filter(lanes::trouble.eq(DeliveryFailure::Throttled.as_str()))
                    .filter(lanes::not_before.gt($at)),
            )))
            .filter(
                r::lease_owner
                    .is_null()
                    .or(r::lease_expires_at.is_null())
                    .or(r::lease_expires_at.le($at)),
            )
    };
}

/// Readable organizations of which nothing was ever read.
fn fresh(conn: &mut AnyConn) -> Result<Vec<String>, StoreError> {
    Ok(readable!()
        .filter(diesel::dsl::not(diesel::dsl::exists(
            r::table.filter(r::organization_id.eq(dynamics::organization_id)),
        )))
        .select(dynamics::organization_id)
        .load(conn)?)
}

/// Whether an organization is to be read; a look without a write lock.
///
/// # Errors
/// As any query.
pub fn is_any_due(conn: &mut AnyConn) -> Result<bool, StoreError> {
    if !fresh(conn)?.is_empty() {
        return Ok(true);
    }
    let at = database_now(conn)?.naive_utc();
    let found: Option<String> = due!(at).select(r::organization_id).first(conn).optional()?;
    Ok(found.is_some())
}

#[derive(Insertable)]
#[diesel(table_name = r, treat_none_as_default_value = false)]
struct NewRow {
    organization_id: String,
    next_read_at: NaiveDateTime,
    trouble_count: i64,
    lease_term: i64,
}

fn add_fresh(conn: &mut AnyConn, at: NaiveDateTime) -> Result<(), StoreError> {
    let rows: Vec<NewRow> = fresh(conn)?
        .into_iter()
        .map(|organization_id| NewRow {
            organization_id,
            next_read_at: at,
            trouble_count: 0,
            lease_term: 0,
        })
        .collect();
    insert_rows!(conn, &rows, |block| diesel::insert_into(r::table)
        .values(block)
        .on_conflict_do_nothing());
    Ok(())
}

fn cursor(link: Option<String>, since: Option<NaiveDateTime>) -> Cursor {
    match (link, since) {
        (Some(link), _) => Cursor::Link(link),
        (None, Some(since)) => Cursor::Since(since.and_utc()),
        (None, None) => Cursor::Begin,
    }
}

fn end(now: DateTime<Utc>, length: Duration) -> Option<NaiveDateTime> {
    let length = TimeDelta::from_std(length).unwrap_or(TimeDelta::MAX);
    now.checked_add_signed(length).map(|end| end.naive_utc())
}

/// Claims an organization that is due.
///
/// # Errors
/// As any query.
pub fn claim(
    conn: &mut AnyConn,
    owner: &str,
    length: Duration,
) -> Result<Option<ReadLease>, StoreError> {
    type Found = (
        String,
        String,
        Option<String>,
        Option<NaiveDateTime>,
        i64,
        i64,
    );
    let now = database_now(conn)?;
    let at = now.naive_utc();
    add_fresh(conn, at)?;
    for _ in 0..5 {
        let found: Option<Found> = due!(at)
            .order((r::next_read_at, r::organization_id))
            .select((
                r::organization_id,
                organizations::name,
                r::link,
                r::modified_since,
                r::trouble_count,
                r::lease_term,
            ))
            .first(conn)
            .optional()?;
        let Some((id, name, link, since, trouble_count, term)) = found else {
            return Ok(None);
        };
        let won = diesel::update(
            r::table
                .filter(r::organization_id.eq(&id))
                .filter(r::lease_term.eq(term)),
        )
        .set((
            r::lease_owner.eq(Some(owner)),
            r::lease_term.eq(term + 1),
            r::lease_expires_at.eq(end(now, length)),
        ))
        .execute(conn)?;
        if won == 1 {
            return Ok(Some(ReadLease {
                organization: super::columns::id("organization_reads", &id)?,
                name,
                cursor: cursor(link, since),
                trouble_count,
                owner: owner.to_owned(),
                term: term + 1,
                length,
            }));
        }
    }
    Ok(None)
}

macro_rules! mine {
    ($lease:expr) => {
        r::table
            .filter(r::organization_id.eq($lease.organization.as_str()))
            .filter(r::lease_owner.eq(&$lease.owner))
            .filter(r::lease_term.eq($lease.term))
    };
}

/// Extends a lease; every write of a reader begins with it.
///
/// # Errors
/// `LeaseLost` when another process took it.
pub fn fence(conn: &mut AnyConn, lease: &ReadLease) -> Result<(), StoreError> {
    let now = database_now(conn)?;
    let held = diesel::update(mine!(lease))
        .set(r::lease_expires_at.eq(end(now, lease.length)))
        .execute(conn)?;
    if held == 0 {
        return Err(StoreError::LeaseLost);
    }
    Ok(())
}

/// Moves the cursor, in the transaction that applied what was read before it.
///
/// # Errors
/// As any query.
pub fn set_cursor(
    conn: &mut AnyConn,
    lease: &ReadLease,
    cursor: &Cursor,
) -> Result<(), StoreError> {
    let (link, since) = match cursor {
        Cursor::Begin => (None, None),
        Cursor::Link(link) => (Some(link.as_str()), None),
        Cursor::Since(since) => (None, Some(since.naive_utc())),
    };
    diesel::update(mine!(lease))
        .set((r::link.eq(link), r::modified_since.eq(since)))
        .execute(conn)?;
    Ok(())
}

/// Gives a lease back.
///
/// # Errors
/// As any query; a lease that is lost is no error.
pub fn release(conn: &mut AnyConn, lease: &ReadLease, how: &ReadEnd) -> Result<(), StoreError> {
    let now = database_now(conn)?;
    let after = |next_in: TimeDelta| now.checked_add_signed(next_in).unwrap_or(now).naive_utc();
    let free = (
        r::lease_owner.eq(None::<String>),
        r::lease_expires_at.eq(None::<NaiveDateTime>),
    );
    let well = (
        r::trouble.eq(None::<String>),
        r::trouble_detail.eq(None::<String>),
        r::trouble_since.eq(None::<NaiveDateTime>),
        r::trouble_count.eq(0_i64),
    );
    match how {
        ReadEnd::Read { next_in } => diesel::update(mine!(lease))
            .set((
                free,
                well,
                r::read_at.eq(Some(now.naive_utc())),
                r::next_read_at.eq(after(*next_in)),
            ))
            .execute(conn)?,
        ReadEnd::More => diesel::update(mine!(lease))
            .set((free, well))
            .execute(conn)?,
        ReadEnd::Trouble {
            reason,
            detail,
            next_in,
        } => {
            let known: Option<Option<NaiveDateTime>> = mine!(lease)
                .select(r::trouble_since)
                .first(conn)
                .optional()?;
            let since = known.flatten().unwrap_or_else(|| now.naive_utc());
            if *reason == OrganizationTrouble::Throttled {
                let until = after(*next_in);
                diesel::update(
                    lanes::table
                        .filter(lanes::organization_id.eq(lease.organization.as_str()))
                        .filter(lanes::not_before.lt(until)),
                )
                .set(lanes::not_before.eq(until))
                .execute(conn)?;
            }
            diesel::update(mine!(lease))
                .set((
                    free,
                    r::trouble.eq(Some(reason.as_str())),
                    r::trouble_detail.eq(detail),
                    r::trouble_since.eq(Some(since)),
                    r::trouble_count.eq(r::trouble_count + 1),
                    r::next_read_at.eq(after(*next_in)),
                ))
                .execute(conn)?
        }
    };
    Ok(())
}

/// Begins anew with an organization.
///
/// # Errors
/// As any query.
pub fn forget(conn: &mut AnyConn, id: &OrganizationId) -> Result<(), StoreError> {
    diesel::delete(r::table.find(id.as_str())).execute(conn)?;
    Ok(())
}

/// What people see of the reading of an organization.
///
/// # Errors
/// As any query.
pub fn state(conn: &mut AnyConn, id: &OrganizationId) -> Result<ReadState, StoreError> {
    type Found = (
        Option<NaiveDateTime>,
        (Option<String>, Option<String>, Option<NaiveDateTime>),
        Option<String>,
        Option<NaiveDateTime>,
    );
    let found: Option<Found> = r::table
        .find(id.as_str())
        .select((
            r::read_at,
            (r::trouble, r::trouble_detail, r::trouble_since),
            r::link,
            r::modified_since,
        ))
        .first(conn)
        .optional()?;
    let Some((read_at, (trouble, detail, since), link, modified_since)) = found else {
        return Ok(ReadState::default());
    };
    let cells = Cells {
        table: "organization_reads",
        id: id.as_str(),
    };
    let trouble: Option<OrganizationTrouble> = cells.optional("trouble", trouble.as_deref())?;
    Ok(ReadState {
        read_at: read_at.map(|at| at.and_utc()),
        trouble: trouble
            .zip(since)
            .map(|(trouble, since)| (trouble, detail, since.and_utc())),
        is_tracked: match cursor(link, modified_since) {
            Cursor::Begin => None,
            Cursor::Link(_) => Some(true),
            Cursor::Since(_) => Some(false),
        },
    })
}
