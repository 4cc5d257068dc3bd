//! The latest submissions with what LinkedIn sent: what previews and dry runs are worked out on.

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Text};

use super::columns::Cells;
use super::schema::{campaigns, form_submissions, linkedin_accounts, submission_contents};
use super::{AnyConn, StoreError};
use crate::domain::account::LeadType;
use crate::domain::ids::{FormId, SubmissionId};
use crate::domain::submission::MatchingStatus;

/// The most submissions that a preview or a dry run looks at.
pub const MOST: i64 = 500;

/// A stored submission with its response.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Its identifier.
    pub id: SubmissionId,
    /// Who submitted, as far as the answers tell.
    pub name: String,
    /// When it was submitted at LinkedIn.
    pub submitted_at: DateTime<Utc>,
    /// LinkedIn's type.
    pub lead_type: LeadType,
    /// Whether LinkedIn marks it as a test lead.
    pub is_test: bool,
    /// What became of it.
    pub matching_status: MatchingStatus,
    /// LinkedIn's numbers of the form and the version.
    pub form: Option<(i64, i64)>,
    /// The account's name.
    pub account_name: String,
    /// The campaign's name, where known.
    pub campaign_name: Option<String>,
    /// LinkedIn's response, byte for byte.
    pub raw: Vec<u8>,
}

#[derive(Queryable)]
struct Row {
    id: String,
    name: String,
    submitted_at: NaiveDateTime,
    lead_type: String,
    is_test: bool,
    matching_status: String,
    form_linkedin_id: Option<i64>,
    form_version_number: Option<i64>,
    account_name: String,
    campaign_name: Option<String>,
    raw: Vec<u8>,
}

impl TryFrom<Row> for Sample {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let cells = Cells {
            table: "form_submissions",
            id: &row.id,
        };
        Ok(Self {
            id: cells.word("id", &row.id)?,
            lead_type: cells.word("lead_type", &row.lead_type)?,
            matching_status: cells.word("matching_status", &row.matching_status)?,
            form: row.form_linkedin_id.zip(row.form_version_number),
            name: row.name,
            submitted_at: row.submitted_at.and_utc(),
            is_test: row.is_test,
            account_name: row.account_name,
            campaign_name: row.campaign_name,
            raw: row.raw,
        })
    }
}

/// The latest submissions of these forms, or of all, newest first; those whose response was erased are left out. `limit`
/// is at most [`MOST`].
///
/// # Errors
/// As any query.
pub fn latest(
    conn: &mut AnyConn,
    forms: Option<&[FormId]>,
    limit: i64,
) -> Result<Vec<Sample>, StoreError> {
    let mut query = form_submissions::table
        .inner_join(linkedin_accounts::table)
        .inner_join(submission_contents::table)
        .left_join(campaigns::table)
        .select((
            form_submissions::id,
            form_submissions::name,
            form_submissions::submitted_at,
            form_submissions::lead_type,
            form_submissions::is_test,
            form_submissions::matching_status,
            form_submissions::form_linkedin_id,
            form_submissions::form_version_number,
            linkedin_accounts::name,
            campaigns::name.nullable(),
            submission_contents::raw,
        ))
        .order((
            form_submissions::submitted_at.desc(),
            form_submissions::id.desc(),
        ))
        .limit(limit.clamp(1, MOST))
        .into_boxed();
    if let Some(forms) = forms {
        query = query.filter(form_submissions::form_id.eq_any(forms.iter().map(FormId::as_str)));
    }
    query
        .load::<Row>(conn)?
        .into_iter()
        .filter(|row| !row.raw.is_empty())
        .map(Sample::try_from)
        .collect()
}

/// The response of a submission, for counting which questions were answered.
#[derive(Debug, Clone, QueryableByName)]
pub struct Answered {
    /// The form's identifier.
    #[diesel(sql_type = Text)]
    pub form_id: String,
    /// LinkedIn's response, byte for byte; empty when it was erased.
    #[diesel(sql_type = diesel::sql_types::Binary)]
    pub raw: Vec<u8>,
}

/// The responses to the latest submissions of each of these forms, at most `per_form` a form, in one statement that reads
/// them by the index of (form, time).
///
/// # Errors
/// As any query.
pub fn of_each_form(
    conn: &mut AnyConn,
    forms: &[FormId],
    per_form: i64,
) -> Result<Vec<Answered>, StoreError> {
    let wanted: Vec<&str> = forms.iter().map(FormId::as_str).collect();
    let rows = match conn {
        AnyConn::Pg(c) => diesel::sql_query(
            "SELECT wanted.form_id, contents.raw FROM unnest($1) AS wanted (form_id) \
             CROSS JOIN LATERAL (SELECT id FROM form_submissions WHERE form_submissions.form_id = wanted.form_id \
             ORDER BY submitted_at DESC LIMIT $2) AS latest \
             JOIN submission_contents AS contents ON contents.submission_id = latest.id",
        )
        .bind::<Array<Text>, _>(wanted)
        .bind::<BigInt, _>(per_form)
        .load(c)?,
        AnyConn::Sqlite(c) => {
            // A list of texts always has a JSON form.
            let wanted = serde_json::to_string(&wanted).unwrap_or_default();
            diesel::sql_query(
                "SELECT wanted.value AS form_id, contents.raw FROM json_each(?1) AS wanted \
                 CROSS JOIN submission_contents AS contents ON contents.submission_id IN \
                 (SELECT id FROM form_submissions WHERE form_submissions.form_id = wanted.value \
                 ORDER BY submitted_at DESC LIMIT ?2)",
            )
            .bind::<Text, _>(wanted)
            .bind::<BigInt, _>(per_form)
            .load(c)?
        }
    };
    Ok(rows)
}
