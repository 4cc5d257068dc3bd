//! A lead as its two rows, `leads` and `lead_origins`, and the way to and from the domain's `Lead`; set-based reads and writes.

use std::collections::BTreeMap;

use diesel::prelude::*;
use diesel::upsert::excluded;

use super::columns::Cells;
use super::moment::Moment;
use super::schema::{lead_origins, leads};
use super::{AnyConn, StoreError, deliveries};
use crate::domain::ids::{LeadId, OrganizationId};
use crate::domain::lead::{FieldKey, Lead, LeadField, LeadValues};
use crate::domain::search::words_of_lead;
use crate::insert_rows;

/// Leads whose rows are made at once.
const CHUNK: usize = 1_000;

macro_rules! lead_row {
    ($($column:ident = $field:ident),+ $(,)?) => {
        #[derive(Queryable, Selectable, Insertable)]
        #[diesel(table_name = leads, treat_none_as_default_value = false)]
        pub(super) struct LeadRow {
            pub(super) id: String,
            $(pub(super) $column: Option<String>,)+
            pub(super) custom_values: Option<String>,
            pub(super) topic: String,
            pub(super) status: String,
            pub(super) owner_id: String,
            pub(super) created_at: Moment,
            pub(super) updated_at: Moment,
            pub(super) lock_version: i64,
        }

        impl LeadRow {
            /// The values of the columns and of the custom fields; takes them out of the row.
            fn take_values(&mut self) -> Result<LeadValues, StoreError> {
                let mut values = LeadValues::new();
                $(if let Some(value) = self.$column.take() {
                    values.insert(FieldKey::Standard(LeadField::$field), value);
                })+
                if let Some(custom) = self.custom_values.take() {
                    let custom: BTreeMap<String, String> =
                        Cells { table: "leads", id: &self.id }.json("custom_values", &custom)?;
                    values.extend(custom.into_iter().map(|(name, value)| (FieldKey::Custom(name), value)));
                }
                Ok(values)
            }

            fn new(lead: &Lead) -> Self {
                let mut row = Self {
                    id: lead.id.as_str().to_owned(),
                    $($column: None,)+
                    custom_values: None,
                    topic: lead.topic.clone(),
                    status: lead.status.as_str().to_owned(),
                    owner_id: lead.owner_id.as_str().to_owned(),
                    created_at: Moment(lead.created_at.naive_utc()),
                    updated_at: Moment(lead.updated_at.naive_utc()),
                    lock_version: lead.lock_version,
                };
                let mut custom = BTreeMap::new();
                for (key, value) in &lead.values {
                    match key {
                        $(FieldKey::Standard(LeadField::$field) => row.$column = Some(value.clone()),)+
                        FieldKey::Custom(name) => {
                            custom.insert(name.as_str(), value.as_str());
                        }
                    }
                }
                if !custom.is_empty() {
                    row.custom_values = serde_json::to_string(&custom).ok();
                }
                row
            }
        }

        macro_rules! excluded_values {
            () => {
                ($(leads::$column.eq(excluded(leads::$column)),)+)
            };
        }
    };
}

lead_row! {
    first_name = FirstName,
    last_name = LastName,
    email = Email,
    work_email = WorkEmail,
    phone = Phone,
    mobile_phone = MobilePhone,
    company_name = CompanyName,
    job_title = JobTitle,
    job_function = JobFunction,
    seniority = Seniority,
    industry = Industry,
    company_size = CompanySize,
    city = City,
    state = State,
    country = Country,
    postal_code = PostalCode,
    website = Website,
    linkedin_profile_url = LinkedinProfileUrl,
    school = School,
    degree = Degree,
    field_of_study = FieldOfStudy,
    start_date = StartDate,
    graduation_date = GraduationDate,
    description = Description,
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = lead_origins, treat_none_as_default_value = false)]
pub(super) struct OriginRow {
    lead_id: String,
    source: String,
    account_id: Option<String>,
    form_id: Option<String>,
    campaign_id: Option<String>,
    member_urn: Option<String>,
    first_submission_id: Option<String>,
    latest_submission_id: Option<String>,
    latest_submitted_at: Option<Moment>,
    submission_count: i64,
    provenance: String,
    active_at: Moment,
    name_key: String,
    search_words: Option<String>,
}

impl OriginRow {
    fn new(lead: &Lead) -> Result<Self, StoreError> {
        Ok(Self {
            lead_id: lead.id.as_str().to_owned(),
            source: lead.source.as_str().to_owned(),
            account_id: lead.account_id.clone().map(String::from),
            form_id: lead.form_id.clone().map(String::from),
            campaign_id: lead.campaign_id.clone().map(String::from),
            member_urn: lead.member_urn.clone(),
            first_submission_id: lead.first_submission_id.clone().map(String::from),
            latest_submission_id: lead.latest_submission_id.clone().map(String::from),
            latest_submitted_at: lead.latest_submitted_at.map(|at| Moment(at.naive_utc())),
            submission_count: lead.submission_count,
            provenance: serde_json::to_string(&lead.provenance).map_err(|_| {
                StoreError::Corrupt {
                    table: "lead_origins",
                    column: "provenance",
                    id: lead.id.as_str().to_owned(),
                }
            })?,
            active_at: Moment(
                lead.latest_submitted_at
                    .unwrap_or(lead.created_at)
                    .naive_utc(),
            ),
            name_key: name_key(lead),
            search_words: Some(words_of_lead(&lead.values)),
        })
    }
}

/// The name by which the list sorts: last name first, in lower case, at most 100 characters.
pub(super) fn name_key(lead: &Lead) -> String {
    let value = |field| {
        lead.values
            .get(&FieldKey::Standard(field))
            .map_or("", |value| value.trim())
    };
    let (first, last) = (value(LeadField::FirstName), value(LeadField::LastName));
    let shown = match (last, first) {
        ("", "") => lead.display_name(),
        (name, "") | ("", name) => name.to_owned(),
        (last, first) => format!("{last} {first}"),
    };
    shown
        .chars()
        .flat_map(char::to_lowercase)
        .take(100)
        .collect()
}

/// Joins the two rows to a lead.
pub(super) fn lead(mut row: LeadRow, origin: OriginRow) -> Result<Lead, StoreError> {
    let values = row.take_values()?;
    let cells = Cells {
        table: "leads",
        id: &row.id,
    };
    let origins = Cells {
        table: "lead_origins",
        id: &row.id,
    };
    Ok(Lead {
        id: cells.word("id", &row.id)?,
        values,
        topic: row.topic.clone(),
        status: cells.word("status", &row.status)?,
        source: origins.word("source", &origin.source)?,
        owner_id: cells.word("owner_id", &row.owner_id)?,
        provenance: origins.json("provenance", &origin.provenance)?,
        created_at: row.created_at.0.and_utc(),
        updated_at: row.updated_at.0.and_utc(),
        first_submission_id: origins
            .optional("first_submission_id", origin.first_submission_id.as_deref())?,
        latest_submission_id: origins.optional(
            "latest_submission_id",
            origin.latest_submission_id.as_deref(),
        )?,
        latest_submitted_at: origin.latest_submitted_at.map(|at| at.0.and_utc()),
        submission_count: origin.submission_count,
        account_id: origins.optional("account_id", origin.account_id.as_deref())?,
        form_id: origins.optional("form_id", origin.form_id.as_deref())?,
        campaign_id: origins.optional("campaign_id", origin.campaign_id.as_deref())?,
        member_urn: origin.member_urn,
        lock_version: row.lock_version,
    })
}

/// The leads with these ids, in no order; ids without a lead are left out.
///
/// # Errors
/// As any query; `Corrupt` for a cell that the domain does not know.
pub fn load(conn: &mut AnyConn, ids: &[LeadId]) -> Result<Vec<Lead>, StoreError> {
    let mut found = Vec::with_capacity(ids.len());
    for chunk in ids.chunks(CHUNK) {
        let rows: Vec<(LeadRow, OriginRow)> = leads::table
            .inner_join(lead_origins::table)
            .filter(leads::id.eq_any(chunk.iter().map(LeadId::as_str)))
            .select((leads::all_columns, lead_origins::all_columns))
            .load(conn)?;
        for (row, origin) in rows {
            found.push(lead(row, origin)?);
        }
    }
    Ok(found)
}

/// Inserts leads that are new and replaces those that are there, whole, and queues them for the destinations.
///
/// # Errors
/// As any query.
pub fn save(conn: &mut AnyConn, changed: &[&Lead]) -> Result<(), StoreError> {
    write(conn, changed, None)
}

/// The same for changes that come from an organization, which is not told about them.
///
/// # Errors
/// As any query.
pub fn save_from(
    conn: &mut AnyConn,
    changed: &[&Lead],
    organization: &OrganizationId,
) -> Result<(), StoreError> {
    write(conn, changed, Some(organization))
}

fn write(
    conn: &mut AnyConn,
    changed: &[&Lead],
    from: Option<&OrganizationId>,
) -> Result<(), StoreError> {
    for chunk in changed.chunks(CHUNK) {
        let mut before = deliveries::before(conn, chunk)?;
        if let Some(organization) = from {
            before.leave_out(organization);
        }
        let rows: Vec<LeadRow> = chunk.iter().map(|lead| LeadRow::new(lead)).collect();
        let origins = chunk
            .iter()
            .map(|lead| OriginRow::new(lead))
            .collect::<Result<Vec<_>, _>>()?;
        insert_rows!(conn, &rows, |block| diesel::insert_into(leads::table)
            .values(block)
            .on_conflict(leads::id)
            .do_update()
            .set((
                excluded_values!(),
                leads::custom_values.eq(excluded(leads::custom_values)),
                leads::topic.eq(excluded(leads::topic)),
                leads::status.eq(excluded(leads::status)),
                leads::owner_id.eq(excluded(leads::owner_id)),
                leads::updated_at.eq(excluded(leads::updated_at)),
                leads::lock_version.eq(excluded(leads::lock_version)),
            )));
        insert_rows!(conn, &origins, |block| diesel::insert_into(
            lead_origins::table
        )
        .values(block)
        .on_conflict(lead_origins::lead_id)
        .do_update()
        .set((
            lead_origins::source.eq(excluded(lead_origins::source)),
            lead_origins::account_id.eq(excluded(lead_origins::account_id)),
            lead_origins::form_id.eq(excluded(lead_origins::form_id)),
            lead_origins::campaign_id.eq(excluded(lead_origins::campaign_id)),
            lead_origins::member_urn.eq(excluded(lead_origins::member_urn)),
            lead_origins::first_submission_id.eq(excluded(lead_origins::first_submission_id)),
            lead_origins::latest_submission_id.eq(excluded(lead_origins::latest_submission_id)),
            lead_origins::latest_submitted_at.eq(excluded(lead_origins::latest_submitted_at)),
            lead_origins::submission_count.eq(excluded(lead_origins::submission_count)),
            lead_origins::provenance.eq(excluded(lead_origins::provenance)),
            lead_origins::active_at.eq(excluded(lead_origins::active_at)),
            lead_origins::name_key.eq(excluded(lead_origins::name_key)),
            lead_origins::search_words.eq(excluded(lead_origins::search_words)),
        )));
        deliveries::enqueue_leads(conn, &before, chunk)?;
    }
    Ok(())
}
