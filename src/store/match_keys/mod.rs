//! Match keys: the normalised values that the active matching strategy compares, one set for each lead.
//!
//! `lead_match_keys` holds for each lead, under the field `*`, the keys of all fields of the strategy joined, when the
//! lead has a value for every one of them; and, when the strategy has several fields, each field's own key under the
//! field's word, which answers “some fields match, not all”. A strategy of one field has no such case, so its rows are
//! not doubled.

mod lookup;

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use diesel::prelude::*;
use diesel::sql_types::{Array, Nullable, Text};
use sha2::{Digest as _, Sha256};

use super::columns::Cells;
use super::connection::SQLITE_BLOCK;
use super::schema::lead_match_keys;
use super::{AnyConn, StoreError, match_aliases};
use crate::domain::ids::LeadId;
use crate::domain::lead::{FieldKey, LeadField, LeadValues};
use crate::domain::matching::MatchingStrategy;
use crate::domain::normalise;
use crate::domain::strategy::MAX_FIELDS;

pub use lookup::{FULL_LIMIT, first_per_key, full};

/// The field under which the joined keys stand.
pub const ALL_FIELDS: &str = "*";

/// Longer keys are stored as their hash, because an index entry has a limit.
const MAX_KEY_BYTES: usize = 200;
const HASH_PREFIX: &str = "sha256:";
/// Stands between the keys of a joined one.
const SEPARATOR: char = '\u{1f}';
/// Stands before a letter that means one of the two.
const ESCAPE: char = '\u{1e}';

/// Leads, or keys, per statement.
const CHUNK: usize = 1_000;

/// The keys of one lead: (field, key).
pub type LeadKeys = Vec<(String, String)>;

/// The key as it is stored.
#[must_use]
pub fn stored_key(key: &str) -> String {
    // A short key that looks like a hash is hashed as well, so that it cannot pass for a long one.
    if key.len() <= MAX_KEY_BYTES && !key.starts_with(HASH_PREFIX) {
        return key.to_owned();
    }
    let mut stored = String::with_capacity(HASH_PREFIX.len() + 64);
    stored.push_str(HASH_PREFIX);
    for byte in Sha256::digest(key.as_bytes()) {
        let _infallible = write!(stored, "{byte:02x}");
    }
    stored
}

/// The keys of all fields of a strategy, in its order, as the one stored key under the field `*`.
#[must_use]
pub fn composite(keys: &[&str]) -> String {
    let mut joined = String::with_capacity(keys.iter().map(|key| key.len() + 1).sum());
    for (index, key) in keys.iter().enumerate() {
        if index > 0 {
            joined.push(SEPARATOR);
        }
        if key.contains([SEPARATOR, ESCAPE]) {
            for c in key.chars() {
                match c {
                    SEPARATOR => joined.extend([ESCAPE, 'f']),
                    ESCAPE => joined.extend([ESCAPE, 'e']),
                    _ => joined.push(c),
                }
            }
        } else {
            joined.push_str(key);
        }
    }
    stored_key(&joined)
}

/// The keys of a lead with these values. `country` is the two-letter default for phone numbers.
#[must_use]
pub fn keys_of(
    strategy: &MatchingStrategy,
    values: &LeadValues,
    country: Option<&str>,
) -> LeadKeys {
    rows_of(
        strategy,
        |field| values.get(field).map(String::as_str),
        country,
    )
}

fn rows_of<'a>(
    strategy: &MatchingStrategy,
    value: impl Fn(&FieldKey) -> Option<&'a str>,
    country: Option<&str>,
) -> LeadKeys {
    let keys: Vec<Option<String>> = strategy
        .fields
        .iter()
        .map(|field| value(field).and_then(|value| normalise::match_key(field, value, country)))
        .collect();
    let mut rows = Vec::with_capacity(keys.len() + 1);
    if strategy.fields.len() > 1 {
        for (field, key) in strategy.fields.iter().zip(&keys) {
            if let Some(key) = key {
                rows.push((field.word().into_owned(), stored_key(key)));
            }
        }
    }
    let complete: Option<Vec<&str>> = keys.iter().map(Option::as_deref).collect();
    if let Some(keys) = complete.filter(|keys| !keys.is_empty()) {
        rows.push((ALL_FIELDS.to_owned(), composite(&keys)));
    }
    rows
}

/// Replaces the keys of these leads, at most 1,000 of them a statement; leads whose keys are the same stay untouched.
///
/// # Errors
/// As any query.
pub fn replace(conn: &mut AnyConn, leads: &[(LeadId, LeadKeys)]) -> Result<(), StoreError> {
    for chunk in leads.chunks(CHUNK) {
        let stored: Vec<(String, String, String, bool)> = lead_match_keys::table
            .filter(lead_match_keys::lead_id.eq_any(chunk.iter().map(|(id, _)| id.as_str())))
            .select((
                lead_match_keys::lead_id,
                lead_match_keys::field,
                lead_match_keys::match_key,
                lead_match_keys::is_alias,
            ))
            .load(conn)?;
        let mut known: HashMap<&str, Vec<(&str, &str)>> = HashMap::new();
        for (lead, field, key, is_alias) in &stored {
            let own = known.entry(lead.as_str()).or_default();
            if !is_alias {
                own.push((field.as_str(), key.as_str()));
            }
        }
        let mut outdated = Vec::new();
        let mut rows = Vec::new();
        for (lead, keys) in chunk {
            let mut wanted: Vec<(&str, &str)> = keys
                .iter()
                .map(|(field, key)| (field.as_str(), key.as_str()))
                .collect();
            wanted.sort_unstable();
            wanted.dedup();
            if let Some(before) = known.get_mut(lead.as_str()) {
                before.sort_unstable();
                if *before == wanted {
                    continue;
                }
                outdated.push(lead.clone());
            }
            rows.extend(wanted.into_iter().map(|(field, key)| NewKey {
                field: field.to_owned(),
                match_key: key.to_owned(),
                lead_id: lead.as_str().to_owned(),
            }));
        }
        if !outdated.is_empty() {
            diesel::delete(
                lead_match_keys::table
                    .filter(lead_match_keys::lead_id.eq_any(outdated.iter().map(LeadId::as_str))),
            )
            .execute(conn)?;
        }
        insert(conn, rows)?;
        match_aliases::renew(conn, &outdated)?;
    }
    Ok(())
}

/// Makes the keys of all leads anew, 1,000 leads at a time. Call it under `store::lock_leads`, in the transaction that
/// changes the active strategy, its fields or the default country. A phone number without a country code is read with
/// the country of the lead's form, else with `country`.
///
/// # Errors
/// As any query.
pub fn rebuild(
    conn: &mut AnyConn,
    strategy: &MatchingStrategy,
    country: Option<&str>,
) -> Result<(), StoreError> {
    diesel::delete(lead_match_keys::table).execute(conn)?;
    let mut after = String::new();
    loop {
        let leads = load_values(conn, strategy, &after)?;
        let Some(last) = leads.last() else {
            return match_aliases::rebuild(conn, strategy, country);
        };
        after.clone_from(&last.id);
        let is_last_chunk = leads.len() < CHUNK;
        let mut rows = Vec::with_capacity(leads.len() * (strategy.fields.len() + 1));
        for lead in leads {
            let custom = lead.custom()?;
            let values = lead.values(&strategy.fields, &custom);
            let country = lead
                .country
                .as_deref()
                .filter(|code| !code.is_empty())
                .or(country);
            let keys = rows_of(
                strategy,
                |field| values.get(field).copied().flatten(),
                country,
            );
            rows.extend(keys.into_iter().map(|(field, match_key)| NewKey {
                field,
                match_key,
                lead_id: lead.id.clone(),
            }));
        }
        insert(conn, rows)?;
        if is_last_chunk {
            return match_aliases::rebuild(conn, strategy, country);
        }
    }
}

#[derive(Insertable)]
#[diesel(table_name = lead_match_keys, treat_none_as_default_value = false)]
struct NewKey {
    field: String,
    match_key: String,
    lead_id: String,
}

fn insert(conn: &mut AnyConn, rows: Vec<NewKey>) -> Result<(), StoreError> {
    match conn {
        AnyConn::Pg(c) => {
            if rows.is_empty() {
                return Ok(());
            }
            let mut fields = Vec::with_capacity(rows.len());
            let mut keys = Vec::with_capacity(rows.len());
            let mut leads = Vec::with_capacity(rows.len());
            for row in rows {
                fields.push(row.field);
                keys.push(row.match_key);
                leads.push(row.lead_id);
            }
            diesel::sql_query(
                "INSERT INTO lead_match_keys (field, match_key, lead_id) SELECT * FROM unnest($1, $2, $3)",
            )
            .bind::<Array<Text>, _>(fields)
            .bind::<Array<Text>, _>(keys)
            .bind::<Array<Text>, _>(leads)
            .execute(c)?;
        }
        AnyConn::Sqlite(c) => {
            let (blocks, rest) = rows.as_chunks::<SQLITE_BLOCK>();
            for block in blocks {
                diesel::insert_into(lead_match_keys::table)
                    .values(block)
                    .execute(c)?;
            }
            if !rest.is_empty() {
                diesel::insert_into(lead_match_keys::table)
                    .values(rest)
                    .execute(c)?;
            }
        }
    }
    Ok(())
}

/// The values of one lead that the strategy compares.
#[derive(QueryableByName)]
pub(super) struct ValueRow {
    #[diesel(sql_type = Text)]
    pub(super) id: String,
    #[diesel(sql_type = Nullable<Text>)]
    pub(super) country: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    pub(super) first_submission_id: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    custom_values: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    value_0: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    value_1: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    value_2: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    value_3: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    value_4: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    value_5: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    value_6: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    value_7: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    value_8: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    value_9: Option<String>,
}

impl ValueRow {
    pub(super) fn custom(&self) -> Result<BTreeMap<String, String>, StoreError> {
        let cells = Cells {
            table: "leads",
            id: &self.id,
        };
        self.custom_values
            .as_deref()
            .map_or(Ok(BTreeMap::new()), |json| {
                cells.json("custom_values", json)
            })
    }

    pub(super) fn values<'a>(
        &'a self,
        fields: &'a [FieldKey],
        custom: &'a BTreeMap<String, String>,
    ) -> HashMap<&'a FieldKey, Option<&'a str>> {
        let columns: [&Option<String>; MAX_FIELDS] = [
            &self.value_0,
            &self.value_1,
            &self.value_2,
            &self.value_3,
            &self.value_4,
            &self.value_5,
            &self.value_6,
            &self.value_7,
            &self.value_8,
            &self.value_9,
        ];
        fields
            .iter()
            .zip(columns)
            .map(|(field, column)| match field {
                FieldKey::Standard(_) => (field, column.as_deref()),
                FieldKey::Custom(name) => (field, custom.get(name).map(String::as_str)),
            })
            .collect()
    }
}

/// Reads [`ValueRow`]s with the values of these fields. Column names are the words of the closed list of fields.
pub(super) fn select_values(fields: &[FieldKey]) -> String {
    let mut columns = String::new();
    let mut has_custom = false;
    for index in 0..MAX_FIELDS {
        let field = fields.get(index);
        has_custom |= matches!(field, Some(FieldKey::Custom(_)));
        let _infallible = match field.and_then(FieldKey::standard).map(LeadField::as_str) {
            Some(column) => write!(columns, ", leads.{column} AS value_{index}"),
            None => write!(columns, ", CAST(NULL AS TEXT) AS value_{index}"),
        };
    }
    let custom = if has_custom {
        "leads.custom_values"
    } else {
        "CAST(NULL AS TEXT)"
    };
    format!(
        "SELECT leads.id, lead_forms.country, lead_origins.first_submission_id, {custom} AS custom_values{columns} \
         FROM leads LEFT JOIN lead_origins ON lead_origins.lead_id = leads.id \
         LEFT JOIN lead_forms ON lead_forms.id = lead_origins.form_id"
    )
}

/// The next leads after this id, with the strategy's values.
fn load_values(
    conn: &mut AnyConn,
    strategy: &MatchingStrategy,
    after: &str,
) -> Result<Vec<ValueRow>, StoreError> {
    let select = select_values(&strategy.fields);
    let rows = match conn {
        AnyConn::Pg(c) => diesel::sql_query(format!(
            "{select} WHERE leads.id > $1 ORDER BY leads.id LIMIT {CHUNK}"
        ))
        .bind::<Text, _>(after)
        .load(c)?,
        AnyConn::Sqlite(c) => diesel::sql_query(format!(
            "{select} WHERE leads.id > ?1 ORDER BY leads.id LIMIT {CHUNK}"
        ))
        .bind::<Text, _>(after)
        .load(c)?,
    };
    Ok(rows)
}
