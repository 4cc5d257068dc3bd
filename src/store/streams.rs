//! How far each stream of an account has been read, and which endpoints LinkedIn has closed for the day.

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;

use super::columns::Cells;
use super::schema::{account_streams, endpoint_blocks, form_submissions, linkedin_accounts};
use super::{AnyConn, StoreError, database_now};
use crate::domain::account::LeadType;
use crate::domain::ids::{AccountId, ProfileId};
use crate::domain::sync::{FailureReason, OpenWindow, RunTrigger, StreamState};
use crate::each;

/// Names one stream: the production or the test leads of one type of one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamKey {
    /// The account.
    pub account_id: AccountId,
    /// The lead type.
    pub lead_type: LeadType,
    /// Test leads are a list of their own at LinkedIn.
    pub is_test: bool,
}

type Row = (
    Option<NaiveDateTime>,
    Option<NaiveDateTime>,
    Option<NaiveDateTime>,
    i64,
    Option<NaiveDateTime>,
    Option<NaiveDateTime>,
);

/// How far a stream has been read; a stream never read is at its beginning.
///
/// # Errors
/// As any query.
pub fn find(conn: &mut AnyConn, key: &StreamKey) -> Result<StreamState, StoreError> {
    use account_streams as s;
    let row: Option<Row> = s::table
        .filter(s::account_id.eq(key.account_id.as_str()))
        .filter(s::lead_type.eq(key.lead_type.as_str()))
        .filter(s::is_test.eq(key.is_test))
        .select((
            s::watermark_at,
            s::window_start_at,
            s::window_end_at,
            s::window_offset,
            s::window_touched_at,
            s::last_sweep_at,
        ))
        .first(conn)
        .optional()?;
    let Some((watermark, start, end, offset, touched, sweep)) = row else {
        return Ok(StreamState::default());
    };
    let window = match (start, end, touched) {
        (Some(start), Some(end), Some(touched)) => Some(OpenWindow {
            start: start.and_utc(),
            end: end.and_utc(),
            offset,
            touched_at: touched.and_utc(),
        }),
        _ => None,
    };
    Ok(StreamState {
        watermark: watermark.map(|at| at.and_utc()),
        window,
        last_sweep_at: sweep.map(|at| at.and_utc()),
    })
}

/// Stores how far a stream has been read; in the transaction that stores what was read.
///
/// # Errors
/// As any query.
pub fn save(
    conn: &mut AnyConn,
    key: &StreamKey,
    state: &StreamState,
    failure: Option<FailureReason>,
) -> Result<(), StoreError> {
    use account_streams as s;
    let values = (
        s::watermark_at.eq(state.watermark.map(|at| at.naive_utc())),
        s::window_start_at.eq(state.window.map(|w| w.start.naive_utc())),
        s::window_end_at.eq(state.window.map(|w| w.end.naive_utc())),
        s::window_offset.eq(state.window.map_or(0, |w| w.offset)),
        s::window_touched_at.eq(state.window.map(|w| w.touched_at.naive_utc())),
        s::last_sweep_at.eq(state.last_sweep_at.map(|at| at.naive_utc())),
        s::failure_reason.eq(failure.map(FailureReason::as_str)),
    );
    let key_values = (
        s::account_id.eq(key.account_id.as_str()),
        s::lead_type.eq(key.lead_type.as_str()),
        s::is_test.eq(key.is_test),
    );
    each!(conn, |c| diesel::insert_into(s::table)
        .values((key_values, values))
        .on_conflict((s::account_id, s::lead_type, s::is_test))
        .do_update()
        .set(values)
        .execute(c))?;
    Ok(())
}

/// Sets an unfinished window back to its first page.
///
/// # Errors
/// As any query.
pub fn restart_window(conn: &mut AnyConn, key: &StreamKey) -> Result<(), StoreError> {
    use account_streams as s;
    diesel::update(
        s::table
            .filter(s::account_id.eq(key.account_id.as_str()))
            .filter(s::lead_type.eq(key.lead_type.as_str()))
            .filter(s::is_test.eq(key.is_test)),
    )
    .set(s::window_offset.eq(0_i64))
    .execute(conn)?;
    Ok(())
}

/// Notes why a stream could not be read, beside its unchanged state.
///
/// # Errors
/// As any query.
pub fn save_failure(
    conn: &mut AnyConn,
    key: &StreamKey,
    failure: FailureReason,
) -> Result<(), StoreError> {
    let state = find(conn, key)?;
    save(conn, key, &state, Some(failure))
}

/// Sets every stream of every account back to its beginning and makes all enabled accounts due with the trigger
/// "reset"; returns how many accounts. Runs at work lose their lease: one that went on would store its old cursor over
/// the reset.
///
/// # Errors
/// As any query.
pub fn reset_all(conn: &mut AnyConn) -> Result<usize, StoreError> {
    use linkedin_accounts as a;
    diesel::delete(account_streams::table).execute(conn)?;
    diesel::update(a::table.filter(a::lease_owner.is_not_null()))
        .set((
            a::lease_owner.eq(None::<String>),
            a::lease_expires_at.eq(None::<NaiveDateTime>),
            a::lease_term.eq(a::lease_term + 1),
        ))
        .execute(conn)?;
    let now = database_now(conn)?.naive_utc();
    Ok(diesel::update(a::table.filter(a::is_sync_enabled.eq(true)))
        .set((
            a::next_sync_at.eq(now),
            a::requested_trigger.eq(RunTrigger::Reset.as_str()),
        ))
        .execute(conn)?)
}

/// An endpoint that LinkedIn has closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// LinkedIn's resource name.
    pub endpoint: String,
    /// For this profile, or (`None`) for the whole application.
    pub profile: Option<ProfileId>,
    /// Until when.
    pub until: DateTime<Utc>,
    /// The limit: of the day, or one with a time that LinkedIn named.
    pub reason: FailureReason,
}

/// Endpoints closed now.
///
/// # Errors
/// As any query.
pub fn blocks(conn: &mut AnyConn, now: DateTime<Utc>) -> Result<Vec<Block>, StoreError> {
    use endpoint_blocks as b;
    let rows: Vec<(String, String, NaiveDateTime, String)> = b::table
        .filter(b::blocked_until.gt(now.naive_utc()))
        .select((b::endpoint, b::profile_id, b::blocked_until, b::reason))
        .load(conn)?;
    rows.into_iter()
        .map(|(endpoint, profile, until, reason)| {
            let profile = Some(profile.as_str()).filter(|text| !text.is_empty());
            let cells = Cells {
                table: "endpoint_blocks",
                id: &endpoint,
            };
            Ok(Block {
                profile: cells.optional("profile_id", profile)?,
                until: until.and_utc(),
                reason: cells.word("reason", &reason)?,
                endpoint: endpoint.clone(),
            })
        })
        .collect()
}

/// Closes an endpoint until a moment.
///
/// # Errors
/// As any query.
pub fn block(conn: &mut AnyConn, block: &Block) -> Result<(), StoreError> {
    use endpoint_blocks as b;
    let profile = block.profile.as_ref().map_or("", ProfileId::as_str);
    let limit = (
        b::blocked_until.eq(block.until.naive_utc()),
        b::reason.eq(block.reason.as_str()),
    );
    each!(conn, |c| diesel::insert_into(b::table)
        .values((
            b::endpoint.eq(&block.endpoint),
            b::profile_id.eq(profile),
            limit,
        ))
        .on_conflict((b::endpoint, b::profile_id))
        .do_update()
        .set(limit)
        .execute(c))?;
    Ok(())
}

/// What a reset would read again: accounts, forms, submissions.
///
/// # Errors
/// As any query.
pub fn reset_extent(conn: &mut AnyConn) -> Result<(i64, i64, i64), StoreError> {
    use super::schema::lead_forms;
    Ok((
        linkedin_accounts::table
            .filter(linkedin_accounts::is_sync_enabled.eq(true))
            .count()
            .get_result(conn)?,
        lead_forms::table.count().get_result(conn)?,
        form_submissions::table.count().get_result(conn)?,
    ))
}

/// How far one kind of lead of an account is pulled.
#[derive(Debug, Clone)]
pub struct StreamStanding {
    /// The kind of lead.
    pub lead_type: LeadType,
    /// Whether these are test leads.
    pub is_test: bool,
    /// Everything submitted up to here is in.
    pub watermark_at: Option<DateTime<Utc>>,
    /// Why it stands still, if so.
    pub failure_reason: Option<FailureReason>,
}

/// How far each kind of lead of an account is pulled.
///
/// # Errors
/// As any query.
pub fn of_account(conn: &mut AnyConn, id: &AccountId) -> Result<Vec<StreamStanding>, StoreError> {
    let rows: Vec<(String, bool, Option<NaiveDateTime>, Option<String>)> = account_streams::table
        .filter(account_streams::account_id.eq(id.as_str()))
        .order((
            account_streams::lead_type.asc(),
            account_streams::is_test.asc(),
        ))
        .select((
            account_streams::lead_type,
            account_streams::is_test,
            account_streams::watermark_at,
            account_streams::failure_reason,
        ))
        .load(conn)?;
    let cells = Cells {
        table: "account_streams",
        id: id.as_str(),
    };
    rows.into_iter()
        .map(|(lead_type, is_test, watermark_at, reason)| {
            Ok(StreamStanding {
                lead_type: cells.word("lead_type", &lead_type)?,
                is_test,
                watermark_at: watermark_at.map(|at| at.and_utc()),
                failure_reason: cells.optional("failure_reason", reason.as_deref())?,
            })
        })
        .collect()
}
