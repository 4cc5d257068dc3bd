//! How much hangs on accounts.

use std::collections::HashMap;

use diesel::dsl::count_star;
use diesel::prelude::*;

use super::counts::counted_submissions;
use super::schema::{campaigns, lead_forms, submission_counts};
use super::{AnyConn, StoreError};
use crate::domain::ids::AccountId;

/// What hangs on an account.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AccountCounts {
    /// Lead Gen forms.
    pub forms: i64,
    /// Campaigns.
    pub campaigns: i64,
    /// Form submissions, test leads included.
    pub submissions: i64,
}

/// What hangs on each account, for those that have anything.
///
/// # Errors
/// As any query.
pub fn of(
    conn: &mut AnyConn,
    ids: &[&AccountId],
) -> Result<HashMap<String, AccountCounts>, StoreError> {
    let ids: Vec<&str> = ids.iter().map(|id| id.as_str()).collect();
    let mut counts: HashMap<String, AccountCounts> = HashMap::new();
    let forms: Vec<(String, i64)> = lead_forms::table
        .filter(lead_forms::account_id.eq_any(&ids))
        .group_by(lead_forms::account_id)
        .select((lead_forms::account_id, count_star()))
        .load(conn)?;
    for (id, count) in forms {
        counts.entry(id).or_default().forms = count;
    }
    let per_campaign: Vec<(String, i64)> = campaigns::table
        .filter(campaigns::account_id.eq_any(&ids))
        .group_by(campaigns::account_id)
        .select((campaigns::account_id, count_star()))
        .load(conn)?;
    for (id, count) in per_campaign {
        counts.entry(id).or_default().campaigns = count;
    }
    let submissions: Vec<(String, i64)> = submission_counts::table
        .filter(submission_counts::account_id.eq_any(&ids))
        .group_by(submission_counts::account_id)
        .select((submission_counts::account_id, counted_submissions()))
        .load(conn)?;
    for (id, count) in submissions {
        counts.entry(id).or_default().submissions = count;
    }
    Ok(counts)
}
